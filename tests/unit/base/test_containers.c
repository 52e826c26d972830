/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Hash table, heap, handles, arena: random operations against a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <daos_errno.h>
#include "base/arena.h"
#include "base/binheap.h"
#include "base/handle.h"
#include "base/hash.h"
#include "base/list.h"

#define KEY_NR 500

struct item {
	struct d_hash_node    hash;
	struct d_binheap_node heap;
	int                   key;
	bool                  in;
};

static bool
item_key_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	return CONTAINER_OF(node, struct item, hash)->key == *(const int *)key;
}

static int
count_node(struct d_hash_node *node, void *arg)
{
	(*(int *)arg)++;
	return 0;
}

static int
stop_at_third(struct d_hash_node *node, void *arg)
{
	return ++*(int *)arg == 3 ? 77 : 0;
}


static int
remove_node(struct d_hash_node *node, void *arg)
{
	d_hash_remove(arg, node);
	return 0;
}

static void
test_hash_against_model(void **state)
{
	static struct item items[KEY_NR];
	struct d_hash      hash;
	int                in_nr = 0;
	int                seen_nr = 0;

	srand(1);
	d_hash_init(&hash, item_key_eq);
	for (int i = 0; i < KEY_NR; i++)
		items[i] = (struct item){.key = i};
	for (int step = 0; step < 50000; step++) {
		int                 i = rand() % KEY_NR;
		struct d_hash_node *found = d_hash_find(&hash, &i, sizeof(i));

		assert_ptr_equal(found, items[i].in ? &items[i].hash : NULL);
		if (rand() % 2) {
			assert_int_equal(d_hash_insert(&hash, &items[i].hash, &i, sizeof(i)),
					 items[i].in ? -DER_EXIST : 0);
			in_nr += !items[i].in;
			items[i].in = true;
		} else if (items[i].in) {
			d_hash_remove(&hash, &items[i].hash);
			items[i].in = false;
			in_nr--;
		}
		assert_int_equal(hash.node_nr, in_nr);
	}
	assert_int_equal(d_hash_foreach(&hash, count_node, &seen_nr), 0);
	assert_int_equal(seen_nr, in_nr);
	seen_nr = 0;
	assert_int_equal(d_hash_foreach(&hash, stop_at_third, &seen_nr), 77);
	assert_int_equal(d_hash_foreach(&hash, remove_node, &hash), 0);
	d_hash_fini(&hash);
}

static bool
item_less(const struct d_binheap_node *a, const struct d_binheap_node *b)
{
	return CONTAINER_OF(a, struct item, heap)->key < CONTAINER_OF(b, struct item, heap)->key;
}

static int
items_min(const struct item *items)
{
	int min = INT32_MAX;

	for (int i = 0; i < KEY_NR; i++) {
		if (items[i].in && items[i].key < min)
			min = items[i].key;
	}
	return min;
}

static void
test_binheap_against_model(void **state)
{
	static struct item items[KEY_NR];
	struct d_binheap   heap;

	srand(2);
	memset(items, 0, sizeof(items));
	d_binheap_init(&heap, item_less);
	assert_null(d_binheap_min(&heap));
	for (int step = 0; step < 20000; step++) {
		struct item *item = &items[rand() % KEY_NR];

		if (!item->in) {
			item->key = rand() % 1000;
			assert_int_equal(d_binheap_insert(&heap, &item->heap), 0);
			item->in = true;
		} else if (rand() % 2) {
			item->key = rand() % 1000;
			d_binheap_update(&heap, &item->heap);
		} else {
			d_binheap_remove(&heap, &item->heap);
			item->in = false;
		}
		assert_int_equal(d_binheap_node_in(&item->heap), item->in);
		if (heap.node_nr > 0)
			assert_int_equal(CONTAINER_OF(d_binheap_min(&heap), struct item, heap)->key,
					 items_min(items));
	}
	for (int last = -1; heap.node_nr > 0;) {
		struct item *item = CONTAINER_OF(d_binheap_min(&heap), struct item, heap);

		assert_true(item->key >= last);
		last = item->key;
		d_binheap_remove(&heap, &item->heap);
	}
	d_binheap_fini(&heap);
}

static void
test_list(void **state)
{
	struct node {
		d_list_t link;
		int      n;
	} nodes[4];
	struct node *pos, *tmp;
	D_LIST_HEAD(a);
	D_LIST_HEAD(b);
	int sum = 0;

	for (int i = 0; i < 4; i++) {
		nodes[i].n = i;
		d_list_add_tail(&nodes[i].link, i < 2 ? &a : &b);
	}
	d_list_splice_tail(&b, &a);
	assert_true(d_list_empty(&b));
	d_list_for_each(pos, &a, link)
		assert_int_equal(pos->n, sum++);
	d_list_for_each_safe(pos, tmp, &a, link)
		d_list_del(&pos->link);
	assert_null(d_list_first(&a, struct node, link));
	d_list_del(&nodes[0].link); /* of a node on no list: harmless */
}

/* ---- handles ---- */

struct object {
	struct d_hlink hlink;
	_Atomic int   *freed_nr;
};

static void
object_free(struct d_hlink *hlink)
{
	struct object *object = CONTAINER_OF(hlink, struct object, hlink);

	(*object->freed_nr)++;
	free(object);
}

static const struct d_hlink_ops pool_ops = {.type = 1, .free = object_free};
static const struct d_hlink_ops cont_ops = {.type = 2, .free = object_free};

static struct object *
object_new(const struct d_hlink_ops *ops, _Atomic int *freed_nr)
{
	struct object *object = calloc(1, sizeof(*object));

	assert_non_null(object);
	d_hlink_init(&object->hlink, ops);
	object->freed_nr = freed_nr;
	return object;
}

static void
test_handle_life(void **state)
{
	struct d_hdl_table table;
	_Atomic int        freed_nr = 0;
	struct object     *object = object_new(&pool_ops, &freed_nr);
	uint64_t           cookie = 0;
	uint64_t           again;

	d_hdl_table_init(&table);
	assert_int_equal(d_hdl_insert(&table, &object->hlink, &cookie), 0);
	assert_int_not_equal(cookie, 0);
	assert_null(d_hdl_lookup(&table, cookie, 2)); /* another type */
	assert_null(d_hdl_lookup(&table, cookie + 1, 1));
	assert_null(d_hdl_lookup(&table, 0, 1));
	assert_null(d_hdl_lookup(&table, UINT64_MAX, 1));
	assert_ptr_equal(d_hdl_lookup(&table, cookie, 1), &object->hlink);
	assert_int_equal(d_hdl_delete(&table, cookie, 1), 0);
	assert_int_equal(d_hdl_delete(&table, cookie, 1), -DER_NO_HDL);
	assert_null(d_hdl_lookup(&table, cookie, 1));
	d_hlink_putref(&object->hlink);
	assert_int_equal(freed_nr, 0);
	assert_int_equal(d_hdl_insert(&table, &object->hlink, &again), 0);
	assert_int_not_equal(again, cookie);
	d_hlink_putref(&object->hlink);
	assert_int_equal(d_hdl_table_fini(&table), 1);
	assert_int_equal(freed_nr, 1);
}

static void
test_handle_cookies_not_reused(void **state)
{
	struct d_hdl_table table;
	_Atomic int        freed_nr = 0;
	static uint64_t    cookies[2000];

	d_hdl_table_init(&table);
	for (int i = 0; i < 2000; i++) {
		struct object *object = object_new(&cont_ops, &freed_nr);

		assert_int_equal(d_hdl_insert(&table, &object->hlink, &cookies[i]), 0);
		d_hlink_putref(&object->hlink);
		if (i % 3)
			assert_int_equal(d_hdl_delete(&table, cookies[i], 2), 0);
		for (int j = 0; j < i; j++)
			assert_true(cookies[j] != cookies[i]);
	}
	assert_int_equal(d_hdl_table_fini(&table), 667);
	assert_int_equal(freed_nr, 2000);
}

struct racers {
	struct d_hdl_table table;
	_Atomic int        freed_nr;
	_Atomic int        deleted_nr;
	_Atomic uint64_t   cookies[16];
	_Atomic int        made_nr;
};

static void *
racer(void *arg)
{
	struct racers *r = arg;
	unsigned       seed = (unsigned)(uintptr_t)&seed;

	for (int i = 0; i < 5000; i++) {
		int             slot = rand_r(&seed) % 16;
		uint64_t        cookie = r->cookies[slot];
		struct d_hlink *hlink;

		switch (rand_r(&seed) % 3) {
		case 0:
			hlink = &object_new(&pool_ops, &r->freed_nr)->hlink;
			r->made_nr++;
			assert_int_equal(d_hdl_insert(&r->table, hlink, &cookie), 0);
			d_hlink_putref(hlink);
			r->cookies[slot] = cookie;
			break;
		case 1:
			hlink = d_hdl_lookup(&r->table, cookie, 1);
			if (hlink != NULL)
				d_hlink_putref(hlink);
			break;
		default:
			if (d_hdl_delete(&r->table, cookie, 1) == 0)
				r->deleted_nr++;
		}
	}
	return NULL;
}

static void
test_handles_under_threads(void **state)
{
	static struct racers r;
	pthread_t            threads[4];
	int                  left_nr;

	d_hdl_table_init(&r.table);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, racer, &r), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	left_nr = d_hdl_table_fini(&r.table);
	assert_int_equal(r.freed_nr, r.made_nr);
	assert_int_equal(r.deleted_nr + left_nr, r.made_nr);
}

/* ---- arena ---- */

static void
test_arena_random(void **state)
{
	struct d_arena arena;
	struct {
		uint8_t *p;
		size_t   len;
	} pieces[500];

	srand(4);
	d_arena_init(&arena);
	for (int i = 0; i < 500; i++) {
		pieces[i].len = rand() % (i % 50 == 0 ? 20000 : 200);
		pieces[i].p = i % 2 ? d_arena_alloc(&arena, pieces[i].len)
				    : d_arena_calloc(&arena, 1, pieces[i].len);
		assert_non_null(pieces[i].p);
		assert_int_equal((uintptr_t)pieces[i].p % D_ARENA_ALIGN, 0);
		for (size_t j = 0; i % 2 == 0 && j < pieces[i].len; j++)
			assert_int_equal(pieces[i].p[j], 0);
		memset(pieces[i].p, i, pieces[i].len);
	}
	for (int i = 0; i < 500; i++) {
		for (size_t j = 0; j < pieces[i].len; j++)
			assert_int_equal(pieces[i].p[j], (uint8_t)i);
	}
	d_arena_fini(&arena);
}

static void
test_arena_small_needs_no_memory(void **state)
{
	struct d_arena arena;
	char          *text;

	d_arena_init(&arena);
	text = d_arena_strdup(&arena, "a key");
	assert_string_equal(text, "a key");
	assert_true(text >= (char *)&arena && text < (char *)(&arena + 1));
	assert_memory_equal(d_arena_memdup(&arena, "\1\2\3", 3), "\1\2\3", 3);
	assert_null(arena.chunks);
	assert_null(d_arena_alloc(&arena, SIZE_MAX));
	assert_null(d_arena_calloc(&arena, SIZE_MAX / 2, 4));
	d_arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_against_model),
		cmocka_unit_test(test_binheap_against_model),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_handle_life),
		cmocka_unit_test(test_handle_cookies_not_reused),
		cmocka_unit_test(test_handles_under_threads),
		cmocka_unit_test(test_arena_random),
		cmocka_unit_test(test_arena_small_needs_no_memory),
	};

	return cmocka_run_group_tests_name("base/containers", tests, NULL, NULL);
}
