/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** VEA against a model with one state a block, transactions aborted and committed at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "bio/bio.h"
#include "bio/vea.h"

#define BLK_NR 5003u /**< not a multiple of 64 */

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int
no_dirty(void *arg, void *ptr, size_t bytes)
{
	return 0;
}

enum blk { BLK_FREE, BLK_RESERVED, BLK_USED, BLK_WAITING };

struct world {
	uint8_t     *bitmap, *bitmap_saved;
	uint8_t      model[BLK_NR], model_saved[BLK_NR];
	uint8_t      waiting_gen[BLK_NR]; /**< transactions ago */
	struct vea  *vea;
	d_list_t     resrv;
	uint64_t     rng;
	uint64_t     gens[8];
	int          gen_nr;
};

/** Bits beyond the last block stay zero: the space must not be found. */
static void
world_check(struct world *w)
{
	struct vea_stat stat;
	uint64_t        free_nr = 0, resrv_nr = 0, longest = 0, run = 0, runs = 0;

	for (uint32_t i = 0; i < BLK_NR; i++) {
		bool bit = (w->bitmap[i / 8] >> (i % 8) & 1) != 0;

		assert_int_equal(bit, w->model[i] == BLK_USED);
		resrv_nr += w->model[i] == BLK_RESERVED;
		free_nr += w->model[i] == BLK_FREE;
		run  = w->model[i] == BLK_FREE ? run + 1 : 0;
		runs += run == 1;
		longest = MAX_OF(longest, run);
	}
	assert_int_equal(vea_check(w->vea), 0);
	vea_stat(w->vea, &stat);
	assert_int_equal(stat.blk_nr, BLK_NR);
	assert_int_equal(stat.free_blk_nr, free_nr);
	assert_int_equal(stat.resrv_blk_nr, resrv_nr);
	assert_int_equal(stat.free_extent_nr, runs);
	assert_int_equal(stat.largest_free_blk_nr, longest);
}

static void
world_reserve(struct world *w, struct vea_hint *hint)
{
	uint32_t           nr = 1 + next_random(&w->rng) % 60;
	struct vea_stat    stat;
	struct vea_extent *ext;
	int                rc;

	vea_stat(w->vea, &stat);
	rc = vea_reserve(w->vea, nr, hint, &w->resrv);
	if (rc == -DER_NOSPACE) {
		assert_true(stat.largest_free_blk_nr < nr);
		return;
	}
	assert_int_equal(rc, 0);
	ext = d_list_entry(w->resrv.prev, struct vea_extent, link);
	assert_int_equal(ext->blk_nr, nr);
	for (uint32_t i = 0; i < nr; i++) {
		assert_int_equal(w->model[ext->blk_off + i], BLK_FREE);
		w->model[ext->blk_off + i] = BLK_RESERVED;
	}
}

static void
model_set_list(struct world *w, d_list_t *list, enum blk to)
{
	struct vea_extent *ext;

	d_list_for_each(ext, list, link)
	{
		memset(w->model + ext->blk_off, to, ext->blk_nr);
	}
}

static void
world_free_some(struct world *w)
{
	uint32_t at = next_random(&w->rng) % BLK_NR, nr = 0;

	while (at < BLK_NR && w->model[at] != BLK_USED)
		at++;
	while (nr < 1 + next_random(&w->rng) % 50 && at + nr < BLK_NR && w->model[at + nr] == BLK_USED)
		nr++;
	if (nr == 0)
		return;
	assert_int_equal(vea_free(w->vea, at, nr), 0);
	assert_int_equal(vea_free(w->vea, at, nr), -DER_INVAL);
	for (uint32_t i = 0; i < nr; i++) {
		w->model[at + i]       = BLK_WAITING;
		w->waiting_gen[at + i] = w->gen_nr;
	}
}

/** All commits so far become durable, in one go. */
static void
world_visible(struct world *w)
{
	if (w->gen_nr == 0)
		return;
	vea_free_visible(w->vea, w->gens[w->gen_nr - 1]);
	for (uint32_t i = 0; i < BLK_NR; i++) {
		if (w->model[i] == BLK_WAITING)
			w->model[i] = BLK_FREE;
	}
	w->gen_nr = 0;
}

static void
world_tx(struct world *w, struct vea_hint *hints)
{
	bool publish = next_random(&w->rng) % 3 != 0;

	for (int i = next_random(&w->rng) % 6; i > 0; i--)
		world_reserve(w, next_random(&w->rng) % 4 == 0 ? NULL
							       : &hints[next_random(&w->rng) % 3]);
	world_check(w);
	memcpy(w->bitmap_saved, w->bitmap, vea_bitmap_bytes(BLK_NR));
	memcpy(w->model_saved, w->model, BLK_NR);
	if (publish) {
		model_set_list(w, &w->resrv, BLK_USED);
		for (uint32_t i = 0; i < BLK_NR; i++) {
			if (w->model_saved[i] == BLK_RESERVED)
				w->model_saved[i] = BLK_FREE; /* what an abort makes of them */
		}
		assert_int_equal(vea_publish(w->vea, &w->resrv), 0);
		assert_true(d_list_empty(&w->resrv));
	}
	for (int i = next_random(&w->rng) % 4; i > 0; i--)
		world_free_some(w);
	if (next_random(&w->rng) % 3 == 0) {
		memcpy(w->bitmap, w->bitmap_saved, vea_bitmap_bytes(BLK_NR));
		memcpy(w->model, w->model_saved, BLK_NR);
		vea_abort(w->vea);
	} else {
		w->gens[w->gen_nr++] = vea_commit(w->vea);
	}
	if (!publish) {
		model_set_list(w, &w->resrv, BLK_FREE);
		vea_cancel(w->vea, &w->resrv);
	}
	world_check(w);
	if (w->gen_nr == ARRAY_NR(w->gens) || next_random(&w->rng) % 4 == 0)
		world_visible(w);
	world_check(w);
}

static void
matches_a_model(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct world   *w        = calloc(1, sizeof(*w));
		struct vea_hint hints[3] = {0};

		w->rng          = seed * 0x9e3779b97f4a7c15ULL;
		w->bitmap       = calloc(1, vea_bitmap_bytes(BLK_NR));
		w->bitmap_saved = calloc(1, vea_bitmap_bytes(BLK_NR));
		d_list_init(&w->resrv);
		assert_int_equal(vea_load(w->bitmap, BLK_NR, no_dirty, NULL, &w->vea), 0);
		for (int tx = 0; tx < 150; tx++) {
			world_tx(w, hints);
			if (next_random(&w->rng) % 20 != 0)
				continue;
			/* Reopening: what waited is free, as the bitmap says. */
			vea_unload(w->vea);
			assert_int_equal(vea_load(w->bitmap, BLK_NR, no_dirty, NULL, &w->vea), 0);
			w->gen_nr = 1;
			w->gens[0] = 0;
			world_visible(w);
			world_check(w);
		}
		vea_unload(w->vea);
		free(w->bitmap);
		free(w->bitmap_saved);
		free(w);
	}
}

static void
frees_wait_for_their_own_commit(void **state)
{
	uint8_t         bitmap[8] = {0};
	struct vea     *vea;
	struct vea_stat stat;
	uint64_t        first, second;
	d_list_t        list;

	d_list_init(&list);
	assert_int_equal(vea_load(bitmap, 64, no_dirty, NULL, &vea), 0);
	assert_int_equal(vea_reserve(vea, 64, NULL, &list), 0);
	assert_int_equal(vea_publish(vea, &list), 0);
	vea_commit(vea);
	assert_int_equal(vea_free(vea, 0, 10), 0);
	first = vea_commit(vea);
	assert_int_equal(vea_free(vea, 10, 20), 0);
	second = vea_commit(vea);
	assert_int_equal(vea_reserve(vea, 1, NULL, &list), -DER_NOSPACE);
	vea_free_visible(vea, first);
	vea_stat(vea, &stat);
	assert_int_equal(stat.free_blk_nr, 10);
	vea_free_visible(vea, second);
	vea_stat(vea, &stat);
	assert_int_equal(stat.free_blk_nr, 30);
	assert_int_equal(stat.free_extent_nr, 1);
	vea_unload(vea);
}

/** Two streams that take turns each stay in one piece. */
static void
hints_keep_streams_apart(void **state)
{
	uint8_t           *bitmap = calloc(1, vea_bitmap_bytes(1 << 16));
	struct vea        *vea;
	struct vea_hint    hints[2] = {0};
	uint64_t           next[2]  = {0, 0};
	d_list_t           list;
	struct vea_extent *ext;

	d_list_init(&list);
	assert_int_equal(vea_load(bitmap, 1 << 16, no_dirty, NULL, &vea), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(vea_reserve(vea, 4, &hints[i % 2], &list), 0);
		ext = d_list_entry(list.prev, struct vea_extent, link);
		assert_true(i < 2 || ext->blk_off == next[i % 2]);
		next[i % 2] = ext->blk_off + 4;
	}
	vea_cancel(vea, &list);
	vea_unload(vea);
	free(bitmap);
}

static void
bad_arguments(void **state)
{
	uint8_t     bitmap[16] = {0};
	struct vea *vea;
	d_list_t    list;

	d_list_init(&list);
	assert_int_equal(vea_load(bitmap, 100, no_dirty, NULL, &vea), 0);
	assert_int_equal(vea_reserve(vea, 0, NULL, &list), -DER_INVAL);
	assert_int_equal(vea_reserve(vea, 101, NULL, &list), -DER_NOSPACE);
	assert_int_equal(vea_free(vea, 0, 1), -DER_INVAL);
	assert_int_equal(vea_free(vea, 99, 2), -DER_INVAL);
	assert_int_equal(vea_free(vea, UINT64_MAX, 1), -DER_INVAL);
	assert_int_equal(vea_free(vea, 0, 0), -DER_INVAL);
	vea_unload(vea);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matches_a_model),
	    cmocka_unit_test(frees_wait_for_their_own_commit),
	    cmocka_unit_test(hints_keep_streams_apart),
	    cmocka_unit_test(bad_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
