/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Pool maps: shape, copies with changed states, the packed form and its damage. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "placement/pool_map.h"

static struct pool_map *
map_make(uint32_t rank_nr, uint32_t tgt_nr, uint32_t version)
{
	d_rank_t         ranks[64];
	d_rank_list_t    list = {.rl_ranks = ranks, .rl_nr = rank_nr};
	struct pool_map *map  = NULL;

	for (uint32_t i = 0; i < rank_nr; i++)
		ranks[i] = (rank_nr - 1 - i) * 3; /* falling, with gaps */
	assert_int_equal(pool_map_create(&list, tgt_nr, version, &map), 0);
	return map;
}

static void
test_create_orders_by_rank(void **state)
{
	struct pool_map *map = map_make(4, 3, 7);

	(void)state;
	assert_int_equal(pool_map_version(map), 7);
	assert_int_equal(pool_map_rank_nr(map), 4);
	assert_int_equal(pool_map_target_nr(map), 12);
	for (uint32_t id = 0; id < 12; id++) {
		const struct pool_target *tgt = pool_map_target(map, id);

		assert_int_equal(tgt->id, id);
		assert_int_equal(tgt->rank, id / 3 * 3);
		assert_int_equal(tgt->tgt_idx, id % 3);
		assert_int_equal(tgt->status, PO_COMP_ST_UPIN);
		assert_ptr_equal(pool_map_find(map, tgt->rank, tgt->tgt_idx), tgt);
	}
	assert_null(pool_map_target(map, 12));
	assert_null(pool_map_find(map, 1, 0));
	assert_null(pool_map_find(map, 0, 3));
	assert_null(pool_map_domain(map, 4));
	pool_map_decref(map);
}

static void
test_create_refuses(void **state)
{
	d_rank_t         twice[] = {1, 2, 1};
	d_rank_list_t    list    = {.rl_ranks = twice, .rl_nr = 3};
	struct pool_map *map     = NULL;

	(void)state;
	assert_int_equal(pool_map_create(&list, 1, 1, &map), -DER_INVAL);
	list.rl_nr = 0;
	assert_int_equal(pool_map_create(&list, 1, 1, &map), -DER_INVAL);
	list.rl_nr = 2;
	assert_int_equal(pool_map_create(&list, 0, 1, &map), -DER_INVAL);
	assert_int_equal(pool_map_create(&list, UINT32_MAX, 1, &map), -DER_INVAL);
	assert_null(map);
}

static void
test_status_makes_a_new_map(void **state)
{
	struct pool_map *map = map_make(3, 2, 1), *next = NULL;
	uint32_t         ids[] = {2, 3}, bad = 6;

	(void)state;
	assert_int_equal(pool_map_set_status(map, ids, 2, PO_COMP_ST_DOWN, &next), 0);
	assert_int_equal(pool_map_version(next), 2);
	assert_int_equal(pool_map_count(next, PO_COMP_ST_DOWN), 2);
	assert_int_equal(pool_map_count(next, PO_COMP_ST_UPIN), 4);
	assert_int_equal(pool_map_count(map, PO_COMP_ST_UPIN), 6);
	assert_int_equal(pool_map_target(next, 2)->fseq, 2);
	assert_int_equal(pool_map_domain(next, 1)->status, PO_COMP_ST_DOWN);
	assert_int_equal(pool_map_domain(next, 0)->status, PO_COMP_ST_UPIN);
	pool_map_decref(next);
	next = NULL;
	assert_int_equal(pool_map_set_status(map, &bad, 1, PO_COMP_ST_DOWN, &next), -DER_INVAL);
	assert_int_equal(pool_map_set_status(map, ids, 1, 3, &next), -DER_INVAL);
	assert_int_equal(pool_map_set_status(map, ids, 1, 64, &next), -DER_INVAL);
	assert_null(next);
	pool_map_decref(map);
}

static void
test_pack_round_trip(void **state)
{
	struct pool_map *map = map_make(5, 4, 9), *changed = NULL, *back = NULL;
	uint32_t         id  = 7;
	size_t           bytes;
	void            *buf;

	(void)state;
	assert_int_equal(pool_map_set_status(map, &id, 1, PO_COMP_ST_DOWN, &changed), 0);
	bytes = pool_map_packed_bytes(changed);
	buf   = malloc(bytes);
	pool_map_pack(changed, buf);
	assert_int_equal(pool_map_unpack(buf, bytes, &back), 0);
	assert_int_equal(pool_map_version(back), 10);
	for (uint32_t i = 0; i < 20; i++)
		assert_memory_equal(pool_map_target(back, i), pool_map_target(changed, i),
				    sizeof(struct pool_target));
	for (uint32_t i = 0; i < 5; i++)
		assert_memory_equal(pool_map_domain(back, i), pool_map_domain(changed, i),
				    sizeof(struct pool_domain));
	pool_map_decref(back);
	pool_map_decref(changed);
	pool_map_decref(map);
	free(buf);
}

static void
test_unpack_damage(void **state)
{
	struct pool_map *map   = map_make(3, 2, 1), *back = NULL;
	size_t           bytes = pool_map_packed_bytes(map);
	unsigned char   *buf   = malloc(bytes);
	int              rc;

	(void)state;
	pool_map_pack(map, buf);
	for (size_t cut = 0; cut < bytes; cut++)
		assert_int_equal(pool_map_unpack(buf, cut, &back), -DER_DF_INVAL);
	for (size_t bit = 0; bit < bytes * 8; bit++) {
		buf[bit / 8] ^= 1u << bit % 8;
		rc = pool_map_unpack(buf, bytes, &back);
		assert_true(rc == -DER_DF_INVAL || rc == -DER_DF_INCOMPT);
		buf[bit / 8] ^= 1u << bit % 8;
	}
	assert_null(back);
	pool_map_decref(map);
	free(buf);
}

static void
test_counting(void **state)
{
	struct pool_map *map = map_make(1, 1, 1);

	(void)state;
	assert_ptr_equal(pool_map_addref(map), map);
	pool_map_decref(map);
	assert_int_equal(pool_map_version(map), 1);
	pool_map_decref(map);
	pool_map_decref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_create_orders_by_rank), cmocka_unit_test(test_create_refuses),
	    cmocka_unit_test(test_status_makes_a_new_map), cmocka_unit_test(test_pack_round_trip),
	    cmocka_unit_test(test_unpack_damage),          cmocka_unit_test(test_counting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
