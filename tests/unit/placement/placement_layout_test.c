/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Layouts: even, stable when the map changes, each target once, the same on every machine. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "placement/placement.h"
#include "placement/pl_class.h"

static struct pool_map *
map_make(uint32_t rank_nr, uint32_t tgt_nr)
{
	d_rank_t         ranks[512];
	d_rank_list_t    list = {.rl_ranks = ranks, .rl_nr = rank_nr};
	struct pool_map *map  = NULL;

	for (uint32_t i = 0; i < rank_nr; i++)
		ranks[i] = i;
	assert_int_equal(pool_map_create(&list, tgt_nr, 1, &map), 0);
	return map;
}

static daos_obj_id_t
oid_make(uint64_t n, daos_oclass_id_t cid)
{
	daos_obj_id_t oid = {.lo = n, .hi = 0};

	pl_oid_set(&oid, DAOS_OT_MULTI_HASHED, cid);
	return oid;
}

static struct pl_layout *
layout_make(const struct pool_map *map, uint64_t n, daos_oclass_id_t cid)
{
	struct pl_layout *lo = NULL;

	assert_int_equal(pl_obj_layout(map, oid_make(n, cid), &lo), 0);
	return lo;
}

/** Sum of (seen - expected)^2 / expected, over the degrees of freedom: about 1 for fair draws. */
static double
chi_square_ratio(const uint32_t *seen, uint32_t nr, double expected)
{
	double sum = 0;

	for (uint32_t i = 0; i < nr; i++)
		sum += (seen[i] - expected) * (seen[i] - expected) / expected;
	return sum / (nr - 1);
}

static void
check_even(uint32_t rank_nr, uint32_t tgt_nr, uint32_t grp_nr, uint32_t obj_nr)
{
	struct pool_map *map  = map_make(rank_nr, tgt_nr);
	uint32_t         all  = rank_nr * tgt_nr;
	uint32_t        *seen = calloc(all, sizeof(*seen));

	for (uint32_t n = 0; n < obj_nr; n++) {
		struct pl_layout *lo = layout_make(map, n, OBJ_CLASS_DEF(OR_RP_1, grp_nr));

		for (uint32_t i = 0; i < lo->shard_nr; i++)
			seen[lo->shards[i].tgt_id]++;
		free(lo);
	}
	assert_true(chi_square_ratio(seen, all, (double)obj_nr * grp_nr / all) < 1.5);
	free(seen);
	pool_map_decref(map);
}

static void
test_objects_spread_evenly(void **state)
{
	(void)state;
	check_even(8, 8, 1, 50000);
	check_even(3, 2, 1, 20000);
	check_even(100, 4, 1, 100000);
	check_even(16, 4, 8, 20000);
	check_even(16, 4, 40, 5000);
}

static void
test_dkeys_spread_evenly(void **state)
{
	static const uint32_t grp_nrs[] = {2, 6, 7, 64, 1000};

	(void)state;
	for (unsigned g = 0; g < ARRAY_NR(grp_nrs); g++) {
		uint32_t *seen = calloc(grp_nrs[g], sizeof(*seen));

		for (uint64_t k = 0; k < 200 * (uint64_t)grp_nrs[g]; k++)
			seen[pl_dkey_group(k, grp_nrs[g])]++;
		/* with two groups there is one degree of freedom: allow more */
		assert_true(chi_square_ratio(seen, grp_nrs[g], 200) < (grp_nrs[g] < 10 ? 4 : 1.3));
		free(seen);
	}
}

static void
test_each_target_once(void **state)
{
	struct pool_map *map = map_make(5, 3);

	(void)state;
	for (uint64_t n = 0; n < 500; n++) {
		struct pl_layout *lo       = layout_make(map, n, OC_SX);
		bool              used[15] = {false};

		assert_int_equal(lo->grp_nr, 15);
		for (uint32_t i = 0; i < 15; i++) {
			uint32_t ranks = 0;

			assert_false(used[lo->shards[i].tgt_id]);
			used[lo->shards[i].tgt_id] = true;
			/* rounds: any five in a row from a multiple of five are on five ranks */
			for (uint32_t j = i / 5 * 5; j < i / 5 * 5 + 5; j++)
				ranks |= 1u << lo->shards[j].rank;
			assert_int_equal(ranks, 0x1f);
		}
		free(lo);
	}
	pool_map_decref(map);
}

static void
test_groups_are_on_different_ranks(void **state)
{
	struct pool_map *map = map_make(7, 2);

	(void)state;
	for (uint64_t n = 0; n < 500; n++) {
		struct pl_layout *lo = layout_make(map, n, OC_RP_3GX);

		assert_int_equal(lo->grp_size, 3);
		assert_int_equal(lo->grp_nr, 4);
		for (uint32_t g = 0; g < lo->grp_nr; g++) {
			struct pl_shard *s = &lo->shards[g * 3];

			assert_true(s[0].rank != s[1].rank && s[0].rank != s[2].rank &&
				    s[1].rank != s[2].rank);
		}
		free(lo);
	}
	pool_map_decref(map);
}

static uint32_t
count_moves(const struct pool_map *a, const struct pool_map *b, daos_oclass_id_t cid, uint32_t nr)
{
	uint32_t moved = 0;

	for (uint64_t n = 0; n < nr; n++) {
		struct pl_layout *x = layout_make(a, n, cid), *y = layout_make(b, n, cid);

		for (uint32_t i = 0; i < x->shard_nr; i++)
			moved += x->shards[i].rank != y->shards[i].rank ||
				 x->shards[i].tgt_idx != y->shards[i].tgt_idx;
		free(x);
		free(y);
	}
	return moved;
}

static void
test_few_move_when_a_rank_is_added(void **state)
{
	struct pool_map *before = map_make(20, 4), *after = map_make(21, 4);
	uint32_t         moved;

	(void)state;
	moved = count_moves(before, after, OC_S1, 20000);
	assert_in_range(moved, 20000 / 21 * 8 / 10, 20000 / 21 * 12 / 10);
	moved = count_moves(before, after, OC_S8, 5000); /* ideal: 1905 */
	assert_in_range(moved, 1500, 2 * 1905);
	pool_map_decref(before);
	pool_map_decref(after);
}

static void
test_a_lost_target_moves_its_shards_alone(void **state)
{
	struct pool_map *before = map_make(4, 3), *after = NULL, *none = NULL;
	uint32_t         id = 5, all[12];

	(void)state;
	assert_int_equal(pool_map_set_status(before, &id, 1, PO_COMP_ST_DOWNOUT, &after), 0);
	for (uint64_t n = 0; n < 1000; n++) {
		struct pl_layout *x = layout_make(before, n, OC_S4), *y = layout_make(after, n, OC_S4);

		for (uint32_t i = 0; i < 4; i++) {
			if (x->shards[i].tgt_id == 5) {
				assert_int_not_equal(y->shards[i].tgt_id, 5);
				for (uint32_t j = 0; j < 4; j++)
					assert_true(j == i ||
						    y->shards[j].tgt_id != y->shards[i].tgt_id);
			} else {
				assert_int_equal(x->shards[i].tgt_id, y->shards[i].tgt_id);
			}
		}
		free(x);
		free(y);
	}
	for (uint32_t i = 0; i < 12; i++)
		all[i] = i;
	assert_int_equal(pool_map_set_status(before, all, 12, PO_COMP_ST_DOWNOUT, &none), 0);
	struct pl_layout *lo = layout_make(none, 1, OC_S2);

	assert_int_equal(lo->shards[0].tgt_id, UINT32_MAX);
	free(lo);
	pool_map_decref(before);
	pool_map_decref(after);
	pool_map_decref(none);
}

static void
test_new_targets_wait(void **state)
{
	struct pool_map *map = map_make(4, 2), *after = NULL;
	uint32_t         ids[] = {6, 7};
	struct pl_layout *lo;

	(void)state;
	assert_int_equal(pool_map_set_status(map, ids, 2, PO_COMP_ST_NEW, &after), 0);
	lo = layout_make(after, 3, OC_SX);
	assert_int_equal(lo->shard_nr, 6);
	for (uint32_t i = 0; i < 6; i++)
		assert_true(lo->shards[i].tgt_id < 6);
	free(lo);
	pool_map_decref(map);
	pool_map_decref(after);
}

static void
test_too_large(void **state)
{
	struct pool_map  *map = map_make(2, 2);
	struct pl_layout *lo  = NULL;

	(void)state;
	assert_int_equal(pl_obj_layout(map, oid_make(1, OC_S6), &lo), -DER_NOSPACE);
	assert_int_equal(pl_obj_layout(map, oid_make(1, OC_RP_3G1), &lo), -DER_NOSPACE);
	assert_int_equal(pl_obj_layout(map, oid_make(1, OC_UNKNOWN), &lo), -DER_INVAL);
	assert_null(lo);
	pool_map_decref(map);
}

static void
test_dkey_hash(void **state)
{
	daos_obj_id_t hashed = {0}, ints = {0};
	uint64_t      key    = 0x0102030405060708;
	d_iov_t       iov;

	(void)state;
	pl_oid_set(&hashed, DAOS_OT_MULTI_HASHED, OC_SX);
	pl_oid_set(&ints, DAOS_OT_ARRAY, OC_SX);
	d_iov_set(&iov, &key, sizeof(key));
	assert_int_equal(pl_dkey_hash(ints, &iov), key);
	d_iov_set(&iov, "abc", 3);
	assert_int_equal(pl_dkey_hash(hashed, &iov), 0x44bc2cf5ad770999ULL); /* XXH64("abc", 0) */
}

/** What was once stored must be found for ever: these numbers never change. */
static void
test_golden_layouts(void **state)
{
	static const uint32_t golden[4][6] = {
	    {6, 18, 1, 12, 9, 23},
	    {12, 21, 4, 9, 1, 17},
	    {2, 15, 17, 8, 4, 23},
	    {5, 21, 17, 15, 10, 2},
	};
	struct pool_map      *map = map_make(6, 4);

	(void)state;
	for (uint32_t n = 0; n < 4; n++) {
		struct pl_layout *lo = layout_make(map, 1000003ull * n + 17, OC_S6);

		for (uint32_t i = 0; i < 6; i++)
			assert_int_equal(lo->shards[i].tgt_id, golden[n][i]);
		free(lo);
	}
	pool_map_decref(map);
}

static void
test_golden_groups(void **state)
{
	static const uint32_t golden[8] = {0, 3, 0, 15, 8, 13, 17, 21};

	(void)state;
	for (uint64_t k = 0; k < 8; k++)
		assert_int_equal(pl_dkey_group(k, 24), golden[k]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_objects_spread_evenly),
	    cmocka_unit_test(test_dkeys_spread_evenly),
	    cmocka_unit_test(test_each_target_once),
	    cmocka_unit_test(test_groups_are_on_different_ranks),
	    cmocka_unit_test(test_few_move_when_a_rank_is_added),
	    cmocka_unit_test(test_a_lost_target_moves_its_shards_alone),
	    cmocka_unit_test(test_new_targets_wait),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_dkey_hash),
	    cmocka_unit_test(test_golden_layouts),
	    cmocka_unit_test(test_golden_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
