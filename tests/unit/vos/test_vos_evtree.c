/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The extent tree against the naive thing: for every operation ever done its extent and epoch, and
 * a reader who replays them in order of epoch and sequence.
 */
#include "vos_test_util.h"
#include "vos/vos_evtree.h"

#define ARRAY_NR_RECS 200
#define OP_MAX	      400

struct op {
	uint64_t       lo;
	uint64_t       hi;
	struct vos_ver ver;
	uint8_t	       fill; /**< 0: hole */
};

struct fixture {
	struct umem	*umem;
	struct vea	*vea;
	void		*bitmap;
	char		*disk;
	struct vos_space space;
	struct vos_evt	 evt;
	struct op	 ops[OP_MAX];
	uint32_t	 op_nr;
	uint32_t	 rsize;
	uint64_t	 floor;
};

#define DISK_BLKS 32768u

static int
dirty(void *arg, void *ptr, size_t bytes)
{
	return umem_tx_add(arg, ptr, bytes);
}

static void
fixture_init(struct fixture *f, uint32_t rsize)
{
	struct umem_attr attr = {.bytes = 96 << 20,
				 .root_bytes = sizeof(struct vos_evt_df) + DISK_BLKS / 8};

	memset(f, 0, sizeof(*f));
	assert_int_equal(umem_open(&attr, (const unsigned char *)"evtree under tst", &f->umem), 0);
	f->evt.df = umem_ptr(f->umem, umem_root(f->umem));
	f->bitmap = f->evt.df + 1;
	f->evt.sp = &f->space;
	f->space.umem = f->umem;
	f->rsize = rsize;
	f->disk = calloc(DISK_BLKS, BIO_BLOCK_BYTES);
	assert_int_equal(vea_load(f->bitmap, DISK_BLKS, dirty, f->umem, &f->vea), 0);
	f->space.vea = f->vea;
}

static void
fixture_fini(struct fixture *f)
{
	vea_unload(f->vea);
	umem_close(f->umem);
	free(f->disk);
	free(f);
}

static void
tx_commit(struct fixture *f)
{
	uint64_t gen = vea_commit(f->vea);

	assert_int_equal(umem_tx_commit(f->umem), 0);
	vea_free_visible(f->vea, gen);
}

/** Put an extent in, in the heap or on the blocks, or a hole. */
static void
op_apply(struct fixture *f, const struct op *op, enum vos_media media)
{
	struct vos_ext	ext = {.lo = op->lo,
			       .hi = op->hi,
			       .epoch = op->ver.epoch,
			       .seq = op->ver.seq,
			       .rsize = op->fill == 0 ? 0 : f->rsize,
			       .flags = op->fill == 0 ? VOS_MEDIA_HOLE : media};
	uint64_t	bytes = (op->hi - op->lo) * f->rsize;
	char	       *data = malloc(bytes);
	struct vea_hint hint = {0};
	D_LIST_HEAD(resrv);

	memset(data, op->fill, bytes);
	umem_tx_begin(f->umem);
	if (ext.flags == VOS_MEDIA_HEAP) {
		assert_int_equal(vos_heap_put(&f->space, data, bytes, &ext.addr), 0);
	} else if (ext.flags == VOS_MEDIA_DATA) {
		assert_int_equal(vea_reserve(f->vea, (bytes + 4095) / 4096, &hint, &resrv), 0);
		ext.addr = d_list_first(&resrv, struct vea_extent, link)->blk_off * 4096;
		memcpy(f->disk + ext.addr, data, bytes);
		assert_int_equal(vea_publish(f->vea, &resrv), 0);
	}
	assert_int_equal(vos_evt_insert(&f->evt, &ext), 0);
	tx_commit(f);
	free(data);
}

/** What a reader sees of record @idx: 0 for nothing. */
static uint8_t
model_at(const struct fixture *f, uint64_t idx, const struct vos_view *view)
{
	struct vos_ver best = VOS_VER_NONE;
	uint8_t	       fill = 0;
	uint32_t       i;

	for (i = 0; i < f->op_nr; i++) {
		const struct op *op = &f->ops[i];

		if (op->lo <= idx && idx < op->hi && op->ver.epoch <= view->epoch &&
		    vos_ver_after(op->ver, best)) {
			best = op->ver;
			fill = op->fill;
		}
	}
	return vos_ver_after(best, view->punch) ? fill : 0;
}

static const char *
ext_data(struct fixture *f, const struct vos_ext *e)
{
	return vos_media_is(e->flags, VOS_MEDIA_HEAP) ? umem_ptr(f->umem, e->addr)
						      : f->disk + e->addr;
}

static void
list_compare(struct fixture *f, const struct vos_ext_list *list, const struct vos_view *view,
	     uint64_t lo, uint64_t hi)
{
	uint8_t	 seen[ARRAY_NR_RECS] = {0};
	uint32_t i;
	uint64_t at;

	for (i = 0; i < list->nr; i++) {
		const struct vos_ext *e = &list->exts[i];

		assert_true(lo <= e->lo && e->lo < e->hi && e->hi <= hi);
		for (at = e->lo; at < e->hi; at++) {
			const char *rec = ext_data(f, e) + (at - e->lo) * f->rsize;

			assert_int_equal(seen[at], 0);
			seen[at] = rec[0];
			assert_int_equal(rec[f->rsize - 1], rec[0]);
		}
	}
	for (at = lo; at < hi; at++)
		if (seen[at] != model_at(f, at, view))
			fail_msg("record %lu at epoch %lu (punch %lu): %u, model %u", at,
				 view->epoch, view->punch.epoch, seen[at], model_at(f, at, view));
}

static void
read_compare(struct fixture *f, struct rnd *r, uint64_t epoch_max)
{
	struct vos_view view = {
	    f->floor + rnd_below(r, epoch_max - f->floor + 2),
	    {rnd_below(r, 4) == 0 ? rnd_below(r, epoch_max) : 0, rnd_below(r, 100)}};
	uint64_t	    lo = rnd_below(r, ARRAY_NR_RECS);
	uint64_t	    hi = lo + 1 + rnd_below(r, ARRAY_NR_RECS - lo);
	struct vos_ext_list list = {0};
	uint64_t	    end;
	uint32_t	    i;

	assert_int_equal(vos_evt_fetch(&f->evt, &view, lo, hi, UINT32_MAX, &list, &end), 0);
	assert_int_equal(end, hi);
	list_compare(f, &list, &view, lo, hi);
	for (i = 1; i < list.nr; i++)
		assert_true(list.exts[i - 1].hi <= list.exts[i].lo);
	list.nr = 0;
	assert_int_equal(vos_evt_fetch_rev(&f->evt, &view, lo, hi, 3, &list, &end), 0);
	list_compare(f, &list, &view, end, hi);
	for (i = 1; i < list.nr; i++)
		assert_true(list.exts[i].hi <= list.exts[i - 1].lo);
	vos_ext_list_fini(&list);
}

struct blocks_seen {
	struct fixture *f;
	uint8_t		used[DISK_BLKS / 8];
	uint64_t	bytes;
};

static int
blocks_seen_cb(const struct vos_ext *e, void *arg)
{
	struct blocks_seen *seen = arg;
	uint64_t	    blk;

	if (!vos_media_is(e->flags, VOS_MEDIA_DATA))
		return 0;
	for (blk = e->addr / 4096; blk <= (e->addr + vos_ext_bytes(e) - 1) / 4096; blk++)
		seen->used[blk / 8] |= 1u << (blk % 8);
	return 0;
}

static void
check(struct fixture *f)
{
	struct blocks_seen seen = {.f = f};

	assert_int_equal(vos_evt_check(&f->evt, blocks_seen_cb, &seen), 0);
	assert_memory_equal(seen.used, f->bitmap, sizeof(seen.used));
	assert_int_equal(umem_check(f->umem), 0);
}

/** Drop what only readers before @epoch see; model and readers stay above it from then on. */
static void
reclaim(struct fixture *f, uint64_t epoch)
{
	struct vos_view	   view = {epoch, VOS_VER_NONE};
	struct vos_readers readers = {&view, 1};
	struct vos_evt_pos pos = {0};

	while (pos.phase != VOS_EVT_DONE) {
		uint32_t credits = 7;

		umem_tx_begin(f->umem);
		assert_int_equal(vos_evt_reclaim(&f->evt, &readers, &pos, &credits), 0);
		tx_commit(f);
	}
	f->floor = epoch;
}

static void
drain(struct fixture *f)
{
	while (!vos_evt_is_empty(f->evt.df)) {
		uint32_t credits = 11;

		umem_tx_begin(f->umem);
		assert_int_equal(vos_evt_drain(&f->evt, &credits), 0);
		tx_commit(f);
	}
	check(f);
	assert_int_equal(f->space.tx_bytes <= 0, 1);
}

struct mix {
	uint32_t rsize;
	bool	 any_order; /**< epochs come in any order */
	bool	 aligned;   /**< extents of equal size at multiples of it */
	bool	 reclaim;
	uint64_t epochs;
};

static void
random_test(const char *name, const struct mix *mix, uint64_t seed)
{
	struct fixture *f = malloc(sizeof(*f));
	struct rnd	r = rnd_init(name, seed);
	uint32_t	i;
	uint32_t	j;

	fixture_init(f, mix->rsize);
	for (i = 0; i < OP_MAX; i++) {
		struct op *op = &f->ops[f->op_nr];

		op->lo = mix->aligned ? 10 * rnd_below(&r, ARRAY_NR_RECS / 10)
				      : rnd_below(&r, ARRAY_NR_RECS);
		op->hi = mix->aligned
			     ? op->lo + 10
			     : op->lo + 1 + rnd_below(&r, MIN_OF(60, ARRAY_NR_RECS - op->lo));
		op->ver.epoch = mix->any_order ? f->floor + 1 + rnd_below(&r, mix->epochs)
					       : MAX_OF(f->floor + 1, 1 + i * mix->epochs / OP_MAX);
		op->ver.seq = i + 1;
		op->fill = rnd_below(&r, 8) == 0 ? 0 : 1 + i % 255;
		f->op_nr++;
		op_apply(f, op, rnd_below(&r, 2) == 0 ? VOS_MEDIA_HEAP : VOS_MEDIA_DATA);
		for (j = 0; j < 4; j++)
			read_compare(f, &r, mix->epochs + f->floor);
		if (i % 20 == 0)
			check(f);
		if (mix->reclaim && i % 60 == 59) {
			uint64_t epoch = rnd_below(&r, op->ver.epoch + 1);

			reclaim(f, MAX_OF(f->floor, epoch));
			check(f);
		}
	}
	check(f);
	drain(f);
	fixture_fini(f);
}

static void
ascending_epochs(void **state)
{
	random_test("ascending", &(struct mix){.rsize = 100, .epochs = OP_MAX}, 201);
}

static void
several_writes_in_an_epoch(void **state)
{
	random_test("same epochs", &(struct mix){.rsize = 700, .epochs = 20}, 202);
}

static void
epochs_in_any_order(void **state)
{
	random_test("any order", &(struct mix){.rsize = 300, .any_order = true, .epochs = 200},
		    203);
}

static void
epochs_in_any_order_often_the_same(void **state)
{
	random_test("any order, same", &(struct mix){.rsize = 1, .any_order = true, .epochs = 15},
		    204);
}

static void
aligned_overwrites(void **state)
{
	random_test("aligned", &(struct mix){.rsize = 512, .aligned = true, .epochs = OP_MAX}, 205);
}

static void
reclaiming_between_ascending_writes(void **state)
{
	random_test("reclaim", &(struct mix){.rsize = 1000, .reclaim = true, .epochs = OP_MAX},
		    206);
}

static void
reclaiming_between_writes_in_any_order(void **state)
{
	random_test("reclaim, any order",
		    &(struct mix){.rsize = 130, .any_order = true, .reclaim = true, .epochs = 50},
		    207);
}

static void
records_larger_than_a_block(void **state)
{
	random_test("large records", &(struct mix){.rsize = 5000, .epochs = 30, .reclaim = true},
		    208);
}

/** What lies side by side on the blocks becomes one entry. */
static void
neighbours_are_joined(void **state)
{
	struct fixture *f = malloc(sizeof(*f));
	uint64_t	i;
	struct vea_hint hint = {0}; /* one stream: each extent goes behind the last */

	fixture_init(f, 4096);
	for (i = 0; i < 50; i++) {
		struct vos_ext ext = {.lo = i,
				      .hi = i + 1,
				      .epoch = i + 1,
				      .seq = i + 1,
				      .rsize = 4096,
				      .flags = VOS_MEDIA_DATA};
		D_LIST_HEAD(resrv);

		umem_tx_begin(f->umem);
		assert_int_equal(vea_reserve(f->vea, 1, &hint, &resrv), 0);
		ext.addr = d_list_first(&resrv, struct vea_extent, link)->blk_off * 4096;
		memset(f->disk + ext.addr, 1 + i, 4096);
		assert_int_equal(vea_publish(f->vea, &resrv), 0);
		assert_int_equal(vos_evt_insert(&f->evt, &ext), 0);
		tx_commit(f);
		f->ops[f->op_nr++] = (struct op){i, i + 1, {i + 1, i + 1}, 1 + i};
	}
	reclaim(f, 60);
	check(f);
	assert_true(f->evt.df->live.nr < 5);
	drain(f);
	fixture_fini(f);
}

/** Head reads do not get slower with the number of versions below. */
static void
many_versions_of_one_extent(void **state)
{
	struct fixture	   *f = malloc(sizeof(*f));
	struct vos_ext_list list = {0};
	struct vos_view	    view = {777, VOS_VER_NONE};
	uint64_t	    i;

	fixture_init(f, 8);
	for (i = 1; i <= 3000; i++)
		op_apply(f, &(struct op){0, 10, {i, i}, 1 + i % 200}, VOS_MEDIA_HEAP);
	assert_int_equal(f->evt.df->live.nr, 1);
	assert_int_equal(f->evt.df->hist.nr, 2999);
	assert_int_equal(vos_evt_fetch(&f->evt, &view, 3, 5, UINT32_MAX, &list, NULL), 0);
	assert_int_equal(list.nr, 1);
	assert_int_equal(list.exts[0].epoch, 777);
	assert_int_equal((uint8_t)ext_data(f, &list.exts[0])[0], 1 + 777 % 200);
	vos_ext_list_fini(&list);
	fixture_fini(f);
}

static int
group(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ascending_epochs),
	    cmocka_unit_test(several_writes_in_an_epoch),
	    cmocka_unit_test(epochs_in_any_order),
	    cmocka_unit_test(epochs_in_any_order_often_the_same),
	    cmocka_unit_test(aligned_overwrites),
	    cmocka_unit_test(reclaiming_between_ascending_writes),
	    cmocka_unit_test(reclaiming_between_writes_in_any_order),
	    cmocka_unit_test(records_larger_than_a_block),
	    cmocka_unit_test(neighbours_are_joined),
	    cmocka_unit_test(many_versions_of_one_extent),
	};

	return cmocka_run_group_tests_name("vos/evtree", tests, NULL, NULL);
}

int
main(void)
{
	return vos_test_run(group);
}
