/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Two B+trees hold the pieces of an array:
 *
 *      epoch                                   live: what nobody has overwritten, disjoint,
 *        ^        +------ 30 ------+                 ordered by offset;
 *        |  +-20--+~~~~~~~~~~~~~~~~+----20-+   hist: what was, with the epoch of its death,
 *        |  |     :   hist 20..30  :       |         ordered by (size level, offset, epoch).
 *        +--+-----+----------------+-------+--> offset
 *
 * An insert cuts what it overwrites: the covered part goes to hist, the rest stays live. A piece
 * is therefore a rectangle offsets x [epoch, death), and no two rectangles meet: a reader at epoch
 * e meets each offset in one piece at most and never has to sort out which is newer. Reading the
 * newest state is a scan of live. Where a live piece is too new for the reader, hist is asked for
 * its range: for each size level in use the pieces that reach into the range begin less than
 * 2^level before it, and for one offset the candidate is the one with the newest epoch <= e. So a
 * read costs O(log n + k) at the head, and O(levels * (log n + different offsets in range)) behind
 * it.
 *
 * Reclaiming drops live pieces nobody sees (holes, punched ones) though past ones below may have to
 * stay for a snapshot; gap_epoch is the newest epoch so dropped, and readers before it ask hist for
 * the gaps of live, too.
 *
 * Epochs may arrive in any order (rebuild brings old ones): a late piece is cut by what is newer
 * and takes its part of the lifetime of what is older.
 *
 * Storage. Pieces cut from one write share its bytes. In the heap the bytes have a reference count.
 * In the data blob a piece owns the blocks it fills; a block two pieces meet in (flags HEAD_SHARED,
 * TAIL_SHARED) goes with the last: the other piece has the same epoch and is a neighbour by offset,
 * so a look at the neighbourhood finds it.
 *
 * Invariants:
 *   1. lo < hi; epoch < death; epoch > 0; rsize is 0 exactly for holes.
 *   2. No two pieces overlap both in offsets and in [epoch, death).
 *   3. Each level present in hist has its bit set in df->levels, and is the piece's own.
 *   4. References of a heap blob = pieces in it. Blocks of a data piece are used in the bitmap, and
 *      belong to no other piece but through a shared flag.
 *
 * Differs from DAOS's evtree, an R-tree of all extents ever written that clips at read time.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_evtree_int.h"

#define LEVEL_MAX 63u

static int
hist_cmp(const struct umem *u, const void *ent, const void *key)
{
	const struct vos_hist_df  *a = ent;
	const struct evt_hist_key *b = key;

	(void)u;
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->epoch < b->epoch ? -1 : a->epoch > b->epoch;
}

static const struct vos_btree_class live_class = {
    .ent_bytes = sizeof(struct vos_live_df), .key_bytes = 8, .order = 20, .cmp = vos_btree_cmp_u64,
    .u64_first = true};
static const struct vos_btree_class hist_class = {
    .ent_bytes = sizeof(struct vos_hist_df), .key_bytes = 24, .order = 20, .cmp = hist_cmp};

struct vos_btree
evt_live_tree(const struct vos_evt *t)
{
	return (struct vos_btree){t->sp->umem, &live_class, &t->df->live};
}

struct vos_btree
evt_hist_tree(const struct vos_evt *t)
{
	return (struct vos_btree){t->sp->umem, &hist_class, &t->df->hist};
}

/* ---- lists and conversions ---- */

void
vos_ext_list_fini(struct vos_ext_list *l)
{
	free(l->exts);
	memset(l, 0, sizeof(*l));
}

int
vos_ext_list_add(struct vos_ext_list *l, const struct vos_ext *ext)
{
	if (l->nr == l->cap) {
		uint32_t	cap = l->cap == 0 ? 8 : l->cap * 2;
		struct vos_ext *exts = realloc(l->exts, cap * sizeof(*exts));

		if (exts == NULL)
			return -DER_NOMEM;
		l->exts = exts;
		l->cap = cap;
	}
	l->exts[l->nr++] = *ext;
	return 0;
}

uint32_t
evt_level_of(uint64_t nr)
{
	uint32_t level = nr <= 1 ? 0 : 64 - __builtin_clzll(nr - 1);

	return MIN_OF(level, LEVEL_MAX);
}

struct vos_ext
evt_ext_of_live(const struct vos_live_df *l)
{
	return (struct vos_ext){.lo = l->lo,
				.hi = l->hi,
				.epoch = l->epoch,
				.death = UINT64_MAX,
				.addr = l->addr,
				.seq = l->seq,
				.rsize = l->rsize,
				.delta = l->delta,
				.flags = l->flags};
}

struct vos_live_df
evt_live_of_ext(const struct vos_ext *e)
{
	return (struct vos_live_df){.lo = e->lo,
				    .hi = e->hi,
				    .epoch = e->epoch,
				    .addr = e->addr,
				    .seq = e->seq,
				    .rsize = e->rsize,
				    .delta = e->delta,
				    .flags = e->flags};
}

struct vos_ext
evt_ext_of_hist(const struct vos_hist_df *h)
{
	return (struct vos_ext){.lo = h->lo,
				.hi = h->hi,
				.epoch = h->epoch,
				.death = h->death,
				.addr = h->addr,
				.seq = h->seq,
				.rsize = h->rsize,
				.delta = h->delta,
				.flags = h->flags};
}

static struct vos_hist_df
hist_of_ext(const struct vos_ext *e)
{
	return (struct vos_hist_df){.level = evt_level_of(e->hi - e->lo),
				    .lo = e->lo,
				    .hi = e->hi,
				    .epoch = e->epoch,
				    .death = e->death,
				    .addr = e->addr,
				    .seq = e->seq,
				    .rsize = e->rsize,
				    .delta = e->delta,
				    .flags = e->flags};
}

/** The part of @e in [lo, hi), which it contains. */
struct vos_ext
evt_ext_part(const struct vos_ext *e, uint64_t lo, uint64_t hi)
{
	struct vos_ext p = *e;

	D_ASSERT(e->lo <= lo && lo < hi && hi <= e->hi);
	p.lo = lo;
	p.hi = hi;
	if (vos_media_is(e->flags, VOS_MEDIA_HOLE))
		return p;
	p.addr += (lo - e->lo) * e->rsize;
	if (vos_media_is(e->flags, VOS_MEDIA_HEAP)) {
		p.delta += (lo - e->lo) * e->rsize;
		return p;
	}
	if (lo > e->lo) {
		p.flags &= ~VOS_EXT_HEAD_SHARED;
		if (p.addr % BIO_BLOCK_BYTES != 0)
			p.flags |= VOS_EXT_HEAD_SHARED;
	}
	if (hi < e->hi) {
		p.flags &= ~VOS_EXT_TAIL_SHARED;
		if ((p.addr + vos_ext_bytes(&p)) % BIO_BLOCK_BYTES != 0)
			p.flags |= VOS_EXT_TAIL_SHARED;
	}
	return p;
}

/** @e was cut in @parts pieces. */
int
evt_ext_ref(const struct vos_evt *t, const struct vos_ext *e, uint32_t parts)
{
	if (parts <= 1 || !vos_media_is(e->flags, VOS_MEDIA_HEAP))
		return 0;
	return vos_heap_ref(t->sp, e->addr - e->delta, parts - 1);
}

/* ---- scanning hist ---- */

/** First offset a piece of @level may begin at and still reach behind @lo. */
static uint64_t
level_from(uint32_t level, uint64_t lo)
{
	uint64_t reach = level >= LEVEL_MAX ? UINT64_MAX : (1ULL << level) - 1;

	return lo > reach ? lo - reach : 0;
}

/** Pieces of one level that overlap [lo, hi), one an offset: that with the newest epoch <= @epoch.
 */
static int
level_scan_at(const struct vos_evt *t, uint32_t level, uint64_t lo, uint64_t hi, uint64_t epoch,
	      evt_hist_cb_t cb, void *arg)
{
	struct vos_btree     hist = evt_hist_tree(t);
	struct vos_btree_cur cur;
	struct evt_hist_key  key = {level, level_from(level, lo), 0};
	struct vos_hist_df  *h = vos_btree_probe(&hist, VOS_BTREE_GE, &key, &cur);

	while (h != NULL && h->level == level && h->lo < hi) {
		uint64_t       at = h->lo;
		struct vos_ext best = {.epoch = 0};
		uint32_t       step;
		int	       rc;

		/* Step through a few versions; when there are more, search. */
		for (step = 0; h != NULL && h->level == level && h->lo == at; step++) {
			if (h->epoch > epoch || step >= 4)
				break;
			best = evt_ext_of_hist(h);
			h = vos_btree_next(&hist, &cur);
		}
		if (h != NULL && h->level == level && h->lo == at) {
			key = (struct evt_hist_key){level, at, epoch};
			h = vos_btree_probe(&hist, VOS_BTREE_LE, &key, NULL);
			if (h != NULL && h->level == level && h->lo == at)
				best = evt_ext_of_hist(h);
			key = (struct evt_hist_key){level, at, UINT64_MAX};
			h = vos_btree_probe(&hist, VOS_BTREE_GT, &key, &cur);
		}
		if (best.epoch != 0 && best.hi > lo) {
			rc = cb(&best, arg);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

/** All pieces of one level that overlap [lo, hi). */
static int
level_scan_all(const struct vos_evt *t, uint32_t level, uint64_t lo, uint64_t hi, evt_hist_cb_t cb,
	       void *arg)
{
	struct vos_btree     hist = evt_hist_tree(t);
	struct vos_btree_cur cur;
	struct evt_hist_key  key = {level, level_from(level, lo), 0};
	struct vos_hist_df  *h = vos_btree_probe(&hist, VOS_BTREE_GE, &key, &cur);

	for (; h != NULL && h->level == level && h->lo < hi; h = vos_btree_next(&hist, &cur)) {
		struct vos_ext e = evt_ext_of_hist(h);
		int	       rc;

		if (e.hi <= lo)
			continue;
		rc = cb(&e, arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
evt_hist_scan(const struct vos_evt *t, uint64_t lo, uint64_t hi, uint64_t epoch, evt_hist_cb_t cb,
	      void *arg)
{
	uint64_t levels = t->df->levels;

	while (levels != 0) {
		uint32_t level = __builtin_ctzll(levels);
		int	 rc;

		levels &= levels - 1;
		if (epoch == 0)
			rc = level_scan_all(t, level, lo, hi, cb, arg);
		else
			rc = level_scan_at(t, level, lo, hi, epoch, cb, arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
evt_hist_insert(const struct vos_evt *t, const struct vos_ext *e)
{
	struct vos_btree    hist = evt_hist_tree(t);
	struct vos_hist_df  h = hist_of_ext(e);
	struct evt_hist_key key = {h.level, h.lo, h.epoch};
	int		    rc;

	D_ASSERT(e->lo < e->hi && e->epoch < e->death);
	if ((t->df->levels & (1ULL << h.level)) == 0) {
		rc = umem_tx_add(t->sp->umem, &t->df->levels, sizeof(t->df->levels));
		if (rc != 0)
			return rc;
		t->df->levels |= 1ULL << h.level;
	}
	return vos_btree_insert(&hist, &key, &h);
}

int
evt_hist_delete(const struct vos_evt *t, const struct vos_ext *e)
{
	struct vos_btree    hist = evt_hist_tree(t);
	struct evt_hist_key key = {evt_level_of(e->hi - e->lo), e->lo, e->epoch};
	int		    rc;

	rc = vos_btree_delete(&hist, &key);
	if (rc == 0 && t->df->hist.nr == 0) {
		rc = umem_tx_add(t->sp->umem, &t->df->levels, 2 * sizeof(uint64_t));
		if (rc == 0) {
			t->df->levels = 0;
			t->df->gap_epoch = 0;
		}
	}
	return rc;
}

int
evt_live_insert(const struct vos_evt *t, const struct vos_ext *e)
{
	struct vos_btree   live = evt_live_tree(t);
	struct vos_live_df l = evt_live_of_ext(e);

	return vos_btree_insert(&live, &l.lo, &l);
}

int
evt_live_delete(const struct vos_evt *t, uint64_t lo)
{
	struct vos_btree live = evt_live_tree(t);

	return vos_btree_delete(&live, &lo);
}

/** First live piece that reaches behind @lo. */
struct vos_live_df *
evt_live_from(const struct vos_evt *t, uint64_t lo, struct vos_btree_cur *cur)
{
	struct vos_btree    live = evt_live_tree(t);
	struct vos_live_df *l = vos_btree_probe(&live, VOS_BTREE_LE, &lo, cur);

	if (l != NULL && l->hi > lo)
		return l;
	return vos_btree_probe(&live, VOS_BTREE_GT, &lo, cur);
}

/* ---- freeing ---- */

struct block_use {
	uint64_t blk;
	uint64_t epoch;
};

static int
block_use_cb(const struct vos_ext *e, void *arg)
{
	const struct block_use *use = arg;

	if (!vos_media_is(e->flags, VOS_MEDIA_DATA) || e->epoch != use->epoch)
		return 0;
	return e->addr / BIO_BLOCK_BYTES <= use->blk &&
	       use->blk <= (e->addr + vos_ext_bytes(e) - 1) / BIO_BLOCK_BYTES;
}

/** Does a piece of the same write overlapping [lo, hi) have bytes in @blk? */
static bool
block_used_in(const struct vos_evt *t, uint64_t blk, uint64_t epoch, uint64_t lo, uint64_t hi)
{
	struct vos_btree     live = evt_live_tree(t);
	struct block_use     use = {blk, epoch};
	struct vos_btree_cur cur;
	struct vos_live_df  *l;

	if (lo >= hi)
		return false;
	for (l = evt_live_from(t, lo, &cur); l != NULL && l->lo < hi;
	     l = vos_btree_next(&live, &cur)) {
		struct vos_ext e = evt_ext_of_live(l);

		if (block_use_cb(&e, &use) != 0)
			return true;
	}
	return evt_hist_scan(t, lo, hi, epoch, block_use_cb, &use) != 0;
}

/** The blocks of @e, which is in neither tree any more, but those a neighbour still needs. */
static int
blocks_free(const struct vos_evt *t, const struct vos_ext *e)
{
	uint64_t first = e->addr / BIO_BLOCK_BYTES;
	uint64_t last = (e->addr + vos_ext_bytes(e) - 1) / BIO_BLOCK_BYTES;
	uint64_t reach = BIO_BLOCK_BYTES / e->rsize + 1;
	bool	 head = false;
	bool	 tail = false;

	if (e->flags & VOS_EXT_HEAD_SHARED)
		head = block_used_in(t, first, e->epoch, e->lo > reach ? e->lo - reach : 0, e->lo);
	if (e->flags & VOS_EXT_TAIL_SHARED)
		tail = block_used_in(t, last, e->epoch, e->hi,
				     e->hi < UINT64_MAX - reach ? e->hi + reach : UINT64_MAX);
	if (head)
		first++;
	if (tail) {
		if (last < first)
			return 0;
		if (last == first)
			return 0;
		last--;
	}
	return first > last ? 0 : vos_blocks_free(t->sp, first, last - first + 1);
}

/** Give back the storage of @e, which is in neither tree any more. */
int
evt_ext_free(const struct vos_evt *t, const struct vos_ext *e)
{
	t->sp->tx_bytes -= vos_ext_bytes(e);
	if (vos_media_is(e->flags, VOS_MEDIA_HEAP))
		return vos_heap_unref(t->sp, e->addr - e->delta);
	if (vos_media_is(e->flags, VOS_MEDIA_DATA))
		return blocks_free(t, e);
	return 0;
}
