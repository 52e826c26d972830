/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The allocator and transactions of a volatile heap, against a model that keeps plain copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "umem/umem.h"

#define OBJ_MAX 600

static const unsigned char uuid[16] = "heap under test";

struct model_obj {
	umem_off_t off; /**< 0: none */
	uint32_t   bytes;
	uint8_t   *copy;
};

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct umem *
heap_open(uint64_t bytes, uint32_t root_bytes)
{
	struct umem_attr attr = {.bytes = bytes, .root_bytes = root_bytes};
	struct umem     *u    = NULL;

	assert_int_equal(umem_open(&attr, uuid, &u), 0);
	return u;
}

static void
commit(struct umem *u)
{
	assert_int_equal(umem_tx_commit(u), 0);
	assert_int_equal(umem_check(u), 0);
}

static void
root_is_zeroed_and_stays(void **state)
{
	struct umem *u    = heap_open(4 << 20, 100);
	uint8_t     *root = umem_ptr(u, umem_root(u));

	for (int i = 0; i < 100; i++)
		assert_int_equal(root[i], 0);
	umem_tx_begin(u);
	assert_int_equal(umem_tx_add(u, root, 100), 0);
	memset(root, 7, 100);
	commit(u);
	assert_int_equal(root[99], 7);
	umem_close(u);
}

static void
abort_restores_overlapping_ranges(void **state)
{
	struct umem *u    = heap_open(4 << 20, 256);
	uint8_t     *root = umem_ptr(u, umem_root(u));

	umem_tx_begin(u);
	assert_int_equal(umem_tx_add(u, root + 10, 20), 0);
	memset(root + 10, 1, 20);
	assert_int_equal(umem_tx_add(u, root, 64), 0);
	memset(root, 2, 64);
	assert_int_equal(umem_tx_add(u, root + 15, 100), 0);
	memset(root + 15, 3, 100);
	umem_tx_abort(u);
	for (int i = 0; i < 256; i++)
		assert_int_equal(root[i], 0);
	umem_close(u);
}

static void
freed_memory_waits_for_the_commit(void **state)
{
	struct umem *u = heap_open(4 << 20, 0);
	umem_off_t   a = 0, b = 0, c = 0;

	umem_tx_begin(u);
	assert_int_equal(umem_alloc(u, 64, &a), 0);
	commit(u);
	umem_tx_begin(u);
	assert_int_equal(umem_free(u, a), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(umem_alloc(u, 64, &b), 0);
		assert_true(b != a);
	}
	commit(u);
	umem_tx_begin(u);
	assert_int_equal(umem_alloc(u, 64, &c), 0);
	assert_true(c == a);
	umem_tx_abort(u);
	umem_close(u);
}

static void
free_refuses_what_is_not_allocated(void **state)
{
	struct umem *u = heap_open(4 << 20, 0);
	umem_off_t   a = 0, large = 0;

	umem_tx_begin(u);
	assert_int_equal(umem_alloc(u, 100, &a), 0);
	assert_int_equal(umem_alloc(u, 300000, &large), 0);
	assert_int_equal(umem_free(u, a + 16), -DER_INVAL);
	assert_int_equal(umem_free(u, large + 65536), -DER_INVAL);
	assert_int_equal(umem_free(u, 16), -DER_INVAL);
	assert_int_equal(umem_free(u, 1ULL << 40), -DER_INVAL);
	assert_int_equal(umem_free(u, a), 0);
	commit(u);
	umem_tx_begin(u);
	assert_int_equal(umem_free(u, a), -DER_INVAL);
	assert_int_equal(umem_free(u, large), 0);
	umem_tx_abort(u);
	umem_tx_begin(u);
	assert_int_equal(umem_free(u, large), 0);
	commit(u);
	umem_close(u);
}

static void
full_heap_says_nospace_and_recovers(void **state)
{
	struct umem     *u    = heap_open(2 << 20, 0);
	umem_off_t       off  = 0;
	struct umem_stat before, after;
	uint32_t         nr = 0;

	umem_stat(u, &before);
	umem_tx_begin(u);
	while (umem_alloc(u, 1000, &off) == 0)
		nr++;
	assert_true(nr > 1700);
	assert_int_equal(umem_alloc(u, 40000, &off), -DER_NOSPACE);
	umem_tx_abort(u);
	assert_int_equal(umem_check(u), 0);
	umem_stat(u, &after);
	assert_int_equal(before.used_bytes, after.used_bytes);
	assert_int_equal(before.largest_free_bytes, after.largest_free_bytes);
	umem_tx_begin(u);
	assert_int_equal(umem_alloc(u, after.largest_free_bytes, &off), 0);
	assert_int_equal(umem_alloc(u, 1, &off), -DER_NOSPACE);
	umem_tx_abort(u);
	umem_close(u);
}

struct end_note {
	int rc;
	int nr;
};

static void
note_end(void *arg, int rc)
{
	struct end_note *note = arg;

	note->rc = rc;
	note->nr++;
}

static void
end_callbacks_run_once(void **state)
{
	struct umem    *u    = heap_open(2 << 20, 0);
	struct end_note done = {1, 0}, cancelled = {1, 0};

	umem_tx_begin(u);
	assert_int_equal(umem_tx_on_end(u, note_end, &done), 0);
	assert_int_equal(umem_tx_on_end(u, note_end, &done), 0);
	commit(u);
	assert_int_equal(done.nr, 2);
	assert_int_equal(done.rc, 0);
	umem_tx_begin(u);
	assert_int_equal(umem_tx_on_end(u, note_end, &cancelled), 0);
	umem_tx_abort(u);
	assert_int_equal(cancelled.nr, 1);
	assert_int_equal(cancelled.rc, -DER_CANCELED);
	umem_tx_begin(u);
	commit(u);
	assert_int_equal(done.nr, 2);
	umem_close(u);
}

/* ---- against the model ---- */

struct model {
	struct model_obj objs[OBJ_MAX];
	struct model_obj saved[OBJ_MAX]; /**< at begin; copies are duplicated */
	uint64_t         rng;
};

static void
model_save(struct model *m)
{
	for (int i = 0; i < OBJ_MAX; i++) {
		m->saved[i] = m->objs[i];
		if (m->objs[i].off == 0)
			continue;
		m->saved[i].copy = malloc(m->objs[i].bytes);
		memcpy(m->saved[i].copy, m->objs[i].copy, m->objs[i].bytes);
	}
}

static void
model_drop(struct model_obj *objs)
{
	for (int i = 0; i < OBJ_MAX; i++) {
		if (objs[i].off != 0)
			free(objs[i].copy);
		objs[i].off = 0;
	}
}

static void
model_compare(struct model *m, struct umem *u)
{
	for (int i = 0; i < OBJ_MAX; i++) {
		struct model_obj *o = &m->objs[i];

		if (o->off != 0)
			assert_memory_equal(umem_ptr(u, o->off), o->copy, o->bytes);
	}
}

static uint32_t
random_bytes(struct model *m)
{
	switch (next_random(&m->rng) % 10) {
	case 0:
		return 1 + next_random(&m->rng) % 200000;
	case 1:
	case 2:
		return 1 + next_random(&m->rng) % 8192;
	default:
		return 1 + next_random(&m->rng) % 300;
	}
}

static void
model_alloc(struct model *m, struct umem *u, struct model_obj *o)
{
	uint32_t   bytes = random_bytes(m);
	umem_off_t off   = 0;
	int        rc    = umem_alloc(u, bytes, &off);
	uint8_t   *ptr;

	if (rc == -DER_NOSPACE)
		return;
	assert_int_equal(rc, 0);
	assert_int_equal(off % 16, 0);
	ptr = umem_ptr(u, off);
	for (uint32_t i = 0; i < bytes; i++)
		assert_int_equal(ptr[i], 0);
	memset(ptr, next_random(&m->rng), bytes);
	o->off   = off;
	o->bytes = bytes;
	o->copy  = malloc(bytes);
	memcpy(o->copy, ptr, bytes);
}

static void
model_step(struct model *m, struct umem *u)
{
	struct model_obj *o = &m->objs[next_random(&m->rng) % OBJ_MAX];
	uint32_t          at, len;

	if (o->off == 0) {
		model_alloc(m, u, o);
	} else if (next_random(&m->rng) % 2 == 0) {
		assert_int_equal(umem_free(u, o->off), 0);
		free(o->copy);
		o->off = 0;
	} else {
		at  = next_random(&m->rng) % o->bytes;
		len = 1 + next_random(&m->rng) % (o->bytes - at);
		assert_int_equal(umem_tx_add(u, (char *)umem_ptr(u, o->off) + at, len), 0);
		memset((char *)umem_ptr(u, o->off) + at, next_random(&m->rng), len);
		memcpy(o->copy + at, (char *)umem_ptr(u, o->off) + at, len);
	}
}

static void
model_run(uint64_t seed, uint64_t heap_bytes, int tx_nr)
{
	struct model *m = calloc(1, sizeof(*m));
	struct umem  *u = heap_open(heap_bytes, 64);

	m->rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	for (int tx = 0; tx < tx_nr; tx++) {
		int step_nr = 1 + next_random(&m->rng) % 40;

		model_save(m);
		umem_tx_begin(u);
		while (step_nr-- > 0)
			model_step(m, u);
		if (next_random(&m->rng) % 3 == 0) {
			umem_tx_abort(u);
			model_drop(m->objs);
			memcpy(m->objs, m->saved, sizeof(m->objs));
		} else {
			assert_int_equal(umem_tx_commit(u), 0);
			model_drop(m->saved);
		}
		assert_int_equal(umem_check(u), 0);
		model_compare(m, u);
	}
	model_drop(m->objs);
	umem_close(u);
	free(m);
}

static void
random_transactions_match_the_model(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		model_run(seed, 16 << 20, 60);
}

static void
random_transactions_in_a_nearly_full_heap(void **state)
{
	for (uint64_t seed = 100; seed <= 120; seed++)
		model_run(seed, 1 << 20, 60);
}

static void
emptying_gives_every_chunk_back(void **state)
{
	struct umem     *u = heap_open(32 << 20, 0);
	static umem_off_t offs[20000];
	struct umem_stat stat;
	uint64_t         rng = 5;

	umem_tx_begin(u);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(umem_alloc(u, 1 + next_random(&rng) % 900, &offs[i]), 0);
	commit(u);
	umem_tx_begin(u);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(umem_free(u, offs[i]), 0);
	commit(u);
	umem_stat(u, &stat);
	assert_int_equal(stat.used_bytes, 0);
	/* Of 512 chunks, one is the heap's own and at most one warm run a class (20 up to 1 KiB) stays. */
	umem_tx_begin(u);
	for (int i = 0; i < 512 - 1 - 20; i++)
		assert_int_equal(umem_alloc(u, 65536, &offs[i]), 0);
	umem_tx_abort(u);
	umem_close(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(root_is_zeroed_and_stays),
	    cmocka_unit_test(abort_restores_overlapping_ranges),
	    cmocka_unit_test(freed_memory_waits_for_the_commit),
	    cmocka_unit_test(free_refuses_what_is_not_allocated),
	    cmocka_unit_test(full_heap_says_nospace_and_recovers),
	    cmocka_unit_test(end_callbacks_run_once),
	    cmocka_unit_test(random_transactions_match_the_model),
	    cmocka_unit_test(random_transactions_in_a_nearly_full_heap),
	    cmocka_unit_test(emptying_gives_every_chunk_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
