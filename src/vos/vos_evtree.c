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
 * read costs O(log n + k) at the head, and O(levels * (log n + different offsets in range)) behind it.
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
	const struct vos_hist_df *a = ent;
	const struct evt_hist_key    *b = key;

	(void)u;
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->epoch < b->epoch ? -1 : a->epoch > b->epoch;
}

static const struct vos_btree_class live_class = {
	.ent_bytes = sizeof(struct vos_live_df), .key_bytes = 8, .order = 20, .cmp = vos_btree_cmp_u64
};
static const struct vos_btree_class hist_class = {
	.ent_bytes = sizeof(struct vos_hist_df), .key_bytes = 24, .order = 20, .cmp = hist_cmp
};

struct vos_btree
evt_live_tree(const struct vos_evt *t)
{
	return (struct vos_btree){ t->sp->umem, &live_class, &t->df->live };
}

struct vos_btree
evt_hist_tree(const struct vos_evt *t)
{
	return (struct vos_btree){ t->sp->umem, &hist_class, &t->df->hist };
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
		uint32_t        cap  = l->cap == 0 ? 8 : l->cap * 2;
		struct vos_ext *exts = realloc(l->exts, cap * sizeof(*exts));

		if (exts == NULL)
			return -DER_NOMEM;
		l->exts = exts;
		l->cap  = cap;
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
	return (struct vos_ext){ .lo = l->lo, .hi = l->hi, .epoch = l->epoch, .death = UINT64_MAX,
		.addr = l->addr, .seq = l->seq, .rsize = l->rsize, .delta = l->delta,
		.flags = l->flags };
}

static struct vos_live_df
live_of_ext(const struct vos_ext *e)
{
	return (struct vos_live_df){ .lo = e->lo, .hi = e->hi, .epoch = e->epoch, .addr = e->addr,
		.seq = e->seq, .rsize = e->rsize, .delta = e->delta, .flags = e->flags };
}

struct vos_ext
evt_ext_of_hist(const struct vos_hist_df *h)
{
	return (struct vos_ext){ .lo = h->lo, .hi = h->hi, .epoch = h->epoch, .death = h->death,
		.addr = h->addr, .seq = h->seq, .rsize = h->rsize, .delta = h->delta,
		.flags = h->flags };
}

static struct vos_hist_df
hist_of_ext(const struct vos_ext *e)
{
	return (struct vos_hist_df){ .level = evt_level_of(e->hi - e->lo), .lo = e->lo, .hi = e->hi,
		.epoch = e->epoch, .death = e->death, .addr = e->addr, .seq = e->seq,
		.rsize = e->rsize, .delta = e->delta, .flags = e->flags };
}

/** The part of @e in [lo, hi), which it contains. */
static struct vos_ext
ext_part(const struct vos_ext *e, uint64_t lo, uint64_t hi)
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
static int
ext_ref(const struct vos_evt *t, const struct vos_ext *e, uint32_t parts)
{
	if (parts <= 1 || !vos_media_is(e->flags, VOS_MEDIA_HEAP))
		return 0;
	return vos_heap_ref(t->sp, e->addr - e->delta, parts - 1);
}

/* ---- scanning hist ---- */

typedef int (*hist_cb_t)(const struct vos_ext *ext, void *arg);

/** First offset a piece of @level may begin at and still reach behind @lo. */
static uint64_t
level_from(uint32_t level, uint64_t lo)
{
	uint64_t reach = level >= LEVEL_MAX ? UINT64_MAX : (1ULL << level) - 1;

	return lo > reach ? lo - reach : 0;
}

/** Pieces of one level that overlap [lo, hi), one an offset: that with the newest epoch <= @epoch. */
static int
level_scan_at(const struct vos_evt *t, uint32_t level, uint64_t lo, uint64_t hi, uint64_t epoch,
	      hist_cb_t cb, void *arg)
{
	struct vos_btree     hist = evt_hist_tree(t);
	struct vos_btree_cur cur;
	struct evt_hist_key      key = { level, level_from(level, lo), 0 };
	struct vos_hist_df  *h   = vos_btree_probe(&hist, VOS_BTREE_GE, &key, &cur);

	while (h != NULL && h->level == level && h->lo < hi) {
		uint64_t       at  = h->lo;
		struct vos_ext best = { .epoch = 0 };
		uint32_t       step;
		int            rc;

		/* Step through a few versions; when there are more, search. */
		for (step = 0; h != NULL && h->level == level && h->lo == at; step++) {
			if (h->epoch > epoch || step >= 4)
				break;
			best = evt_ext_of_hist(h);
			h    = vos_btree_next(&hist, &cur);
		}
		if (h != NULL && h->level == level && h->lo == at) {
			key = (struct evt_hist_key){ level, at, epoch };
			h   = vos_btree_probe(&hist, VOS_BTREE_LE, &key, NULL);
			if (h != NULL && h->level == level && h->lo == at)
				best = evt_ext_of_hist(h);
			key = (struct evt_hist_key){ level, at, UINT64_MAX };
			h   = vos_btree_probe(&hist, VOS_BTREE_GT, &key, &cur);
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
level_scan_all(const struct vos_evt *t, uint32_t level, uint64_t lo, uint64_t hi, hist_cb_t cb,
	       void *arg)
{
	struct vos_btree     hist = evt_hist_tree(t);
	struct vos_btree_cur cur;
	struct evt_hist_key      key = { level, level_from(level, lo), 0 };
	struct vos_hist_df  *h   = vos_btree_probe(&hist, VOS_BTREE_GE, &key, &cur);

	for (; h != NULL && h->level == level && h->lo < hi; h = vos_btree_next(&hist, &cur)) {
		struct vos_ext e = evt_ext_of_hist(h);
		int            rc;

		if (e.hi <= lo)
			continue;
		rc = cb(&e, arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/** @param epoch  0: all pieces */
static int
hist_scan(const struct vos_evt *t, uint64_t lo, uint64_t hi, uint64_t epoch, hist_cb_t cb, void *arg)
{
	uint64_t levels = t->df->levels;

	while (levels != 0) {
		uint32_t level = __builtin_ctzll(levels);
		int      rc;

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

static int
hist_insert(const struct vos_evt *t, const struct vos_ext *e)
{
	struct vos_btree   hist = evt_hist_tree(t);
	struct vos_hist_df h    = hist_of_ext(e);
	struct evt_hist_key    key  = { h.level, h.lo, h.epoch };
	int                rc;

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
	struct vos_btree hist = evt_hist_tree(t);
	struct evt_hist_key  key  = { evt_level_of(e->hi - e->lo), e->lo, e->epoch };
	int              rc;

	rc = vos_btree_delete(&hist, &key);
	if (rc == 0 && t->df->hist.nr == 0) {
		rc = umem_tx_add(t->sp->umem, &t->df->levels, sizeof(t->df->levels));
		if (rc == 0)
			t->df->levels = 0;
	}
	return rc;
}

static int
live_insert(const struct vos_evt *t, const struct vos_ext *e)
{
	struct vos_btree   live = evt_live_tree(t);
	struct vos_live_df l    = live_of_ext(e);

	return vos_btree_insert(&live, &l.lo, &l);
}

int
evt_live_delete(const struct vos_evt *t, uint64_t lo)
{
	struct vos_btree live = evt_live_tree(t);

	return vos_btree_delete(&live, &lo);
}

/** First live piece that reaches behind @lo. */
static struct vos_live_df *
live_from(const struct vos_evt *t, uint64_t lo, struct vos_btree_cur *cur)
{
	struct vos_btree    live = evt_live_tree(t);
	struct vos_live_df *l    = vos_btree_probe(&live, VOS_BTREE_LE, &lo, cur);

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
	struct block_use     use  = { blk, epoch };
	struct vos_btree_cur cur;
	struct vos_live_df  *l;

	if (lo >= hi)
		return false;
	for (l = live_from(t, lo, &cur); l != NULL && l->lo < hi; l = vos_btree_next(&live, &cur)) {
		struct vos_ext e = evt_ext_of_live(l);

		if (block_use_cb(&e, &use) != 0)
			return true;
	}
	return hist_scan(t, lo, hi, epoch, block_use_cb, &use) != 0;
}

/** The blocks of @e, which is in neither tree any more, but those a neighbour still needs. */
static int
blocks_free(const struct vos_evt *t, const struct vos_ext *e)
{
	uint64_t first = e->addr / BIO_BLOCK_BYTES;
	uint64_t last  = (e->addr + vos_ext_bytes(e) - 1) / BIO_BLOCK_BYTES;
	uint64_t reach = BIO_BLOCK_BYTES / e->rsize + 1;
	bool     head  = false;
	bool     tail  = false;

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

/* ---- inserting ---- */

/** The new piece, cut in those parts that stay live and those already dead. */
struct insertion {
	const struct vos_evt *t;
	const struct vos_ext *ext;
	struct vos_ext_list   parts;
};

static int
insertion_add(struct insertion *in, uint64_t lo, uint64_t hi, uint64_t death)
{
	struct vos_ext *last = in->parts.nr == 0 ? NULL : &in->parts.exts[in->parts.nr - 1];
	struct vos_ext  part;

	if (lo >= hi)
		return 0;
	if (last != NULL && last->hi == lo && last->death == death) {
		*last       = ext_part(in->ext, last->lo, hi);
		last->death = death;
		return 0;
	}
	part       = ext_part(in->ext, lo, hi);
	part.death = death;
	return vos_ext_list_add(&in->parts, &part);
}

/** Live piece @q is covered by [lo, hi) at @epoch >= its own: bury that part, keep the rest. */
static int
live_cut(const struct vos_evt *t, const struct vos_ext *q, uint64_t lo, uint64_t hi, uint64_t epoch)
{
	bool           left  = q->lo < lo;
	bool           right = q->hi > hi;
	struct vos_ext mid   = ext_part(q, left ? lo : q->lo, right ? hi : q->hi);
	struct vos_ext part;
	int            rc;

	rc = ext_ref(t, q, 1 + left + right);
	if (rc == 0)
		rc = evt_live_delete(t, q->lo);
	if (rc == 0 && left) {
		part = ext_part(q, q->lo, lo);
		rc   = live_insert(t, &part);
	}
	if (rc == 0 && right) {
		part = ext_part(q, hi, q->hi);
		rc   = live_insert(t, &part);
	}
	if (rc != 0)
		return rc;
	if (q->epoch == epoch)
		return evt_ext_free(t, &mid);
	mid.death = epoch;
	return hist_insert(t, &mid);
}

static int
overlap_cb(const struct vos_ext *e, void *arg)
{
	return vos_ext_list_add(arg, e);
}

/** Cut the part in [lo, hi) out of hist piece @h, and let it end at @death (free it if it is not
 *  older than that). */
static int
hist_cut(const struct vos_evt *t, const struct vos_ext *h, uint64_t lo, uint64_t hi, uint64_t death)
{
	bool           left  = h->lo < lo;
	bool           right = h->hi > hi;
	struct vos_ext mid   = ext_part(h, left ? lo : h->lo, right ? hi : h->hi);
	struct vos_ext part;
	int            rc;

	rc = ext_ref(t, h, 1 + left + right);
	if (rc == 0)
		rc = evt_hist_delete(t, h);
	if (rc == 0 && left) {
		part = ext_part(h, h->lo, lo);
		rc   = hist_insert(t, &part);
	}
	if (rc == 0 && right) {
		part = ext_part(h, hi, h->hi);
		rc   = hist_insert(t, &part);
	}
	if (rc != 0)
		return rc;
	if (h->epoch == death)
		return evt_ext_free(t, &mid);
	mid.death = death;
	return hist_insert(t, &mid);
}

static int
u64_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/** Epoch at which the new piece, put at offset @at under what dies at or before @upper, ends. */
static uint64_t
late_death(const struct vos_ext_list *over, uint64_t at, uint64_t epoch, uint64_t upper)
{
	uint64_t death = upper;
	uint32_t i;

	for (i = 0; i < over->nr; i++) {
		const struct vos_ext *h = &over->exts[i];

		if (h->lo > at || h->hi <= at || h->death <= epoch)
			continue;
		death = MIN_OF(death, h->epoch <= epoch ? h->death : h->epoch);
	}
	return death;
}

/** The new piece is late: in [lo, hi) something of epoch @upper is live already. */
static int
late_place(struct insertion *in, uint64_t lo, uint64_t hi, uint64_t upper)
{
	struct vos_ext_list over  = { 0 };
	uint64_t            epoch = in->ext->epoch;
	uint64_t           *cuts  = NULL;
	uint32_t            cut_nr = 0;
	uint32_t            i;
	int                 rc;

	rc = hist_scan(in->t, lo, hi, 0, overlap_cb, &over);
	if (rc == 0) {
		cuts = malloc((2 * (size_t)over.nr + 2) * sizeof(*cuts));
		rc   = cuts == NULL ? -DER_NOMEM : 0;
	}
	if (rc != 0)
		goto out;
	cuts[cut_nr++] = lo;
	cuts[cut_nr++] = hi;
	for (i = 0; i < over.nr; i++) {
		cuts[cut_nr++] = MAX_OF(over.exts[i].lo, lo);
		cuts[cut_nr++] = MIN_OF(over.exts[i].hi, hi);
	}
	qsort(cuts, cut_nr, sizeof(*cuts), u64_cmp);
	for (i = 0; i + 1 < cut_nr && rc == 0; i++)
		rc = insertion_add(in, cuts[i], cuts[i + 1],
				   cuts[i] < cuts[i + 1] ? late_death(&over, cuts[i], epoch, upper) : 0);
	for (i = 0; i < over.nr && rc == 0; i++) {
		const struct vos_ext *h = &over.exts[i];

		if (h->epoch <= epoch && epoch < h->death)
			rc = hist_cut(in->t, h, lo, hi, epoch);
	}
out:
	free(cuts);
	vos_ext_list_fini(&over);
	return rc;
}

/** Nothing but one live piece with the same bounds is there: take its place in the tree. */
static int
live_replace(const struct vos_evt *t, struct vos_live_df *l, const struct vos_ext *ext)
{
	struct vos_btree live = evt_live_tree(t);
	struct vos_ext   old  = evt_ext_of_live(l);
	int              rc;

	rc = vos_btree_touch(&live, l);
	if (rc != 0)
		return rc;
	*l = live_of_ext(ext);
	if (old.epoch == ext->epoch)
		return evt_ext_free(t, &old);
	old.death = ext->epoch;
	return hist_insert(t, &old);
}

static int
parts_insert(struct insertion *in)
{
	uint32_t i;
	int      rc;

	rc = ext_ref(in->t, in->ext, in->parts.nr);
	for (i = 0; i < in->parts.nr && rc == 0; i++) {
		if (in->parts.exts[i].death == UINT64_MAX)
			rc = live_insert(in->t, &in->parts.exts[i]);
		else
			rc = hist_insert(in->t, &in->parts.exts[i]);
	}
	return rc;
}

/** Sort out the live pieces @over that @in->ext meets, then put in what is left of it. */
static int
insertion_run(struct insertion *in, const struct vos_ext_list *over)
{
	const struct vos_ext *ext = in->ext;
	uint64_t              at  = ext->lo;
	uint32_t              i;
	int                   rc;

	for (i = 0; i < over->nr; i++) {
		const struct vos_ext *q  = &over->exts[i];
		uint64_t              lo = MAX_OF(q->lo, ext->lo);
		uint64_t              hi = MIN_OF(q->hi, ext->hi);

		if (q->epoch <= ext->epoch) {
			rc = live_cut(in->t, q, ext->lo, ext->hi, ext->epoch);
		} else {
			rc = insertion_add(in, at, lo, UINT64_MAX);
			if (rc == 0)
				rc = late_place(in, lo, hi, q->epoch);
			at = hi;
		}
		if (rc != 0)
			return rc;
	}
	rc = insertion_add(in, at, ext->hi, UINT64_MAX);
	return rc != 0 ? rc : parts_insert(in);
}

int
vos_evt_insert(const struct vos_evt *t, const struct vos_ext *ext)
{
	struct vos_btree     live = evt_live_tree(t);
	struct insertion     in   = { .t = t, .ext = ext };
	struct vos_ext_list  over = { 0 };
	struct vos_btree_cur cur;
	struct vos_live_df  *l;
	int                  rc = 0;

	D_ASSERT(ext->lo < ext->hi && ext->epoch > 0);
	D_ASSERT((ext->rsize == 0) == vos_media_is(ext->flags, VOS_MEDIA_HOLE));
	t->sp->tx_bytes += vos_ext_bytes(ext);
	l = live_from(t, ext->lo, &cur);
	if (l == NULL || l->lo >= ext->hi)
		return live_insert(t, ext);
	if (l->lo == ext->lo && l->hi == ext->hi && l->epoch <= ext->epoch)
		return live_replace(t, l, ext);
	for (; l != NULL && l->lo < ext->hi && rc == 0; l = vos_btree_next(&live, &cur)) {
		struct vos_ext e = evt_ext_of_live(l);

		rc = vos_ext_list_add(&over, &e);
	}
	if (rc == 0)
		rc = insertion_run(&in, &over);
	vos_ext_list_fini(&over);
	vos_ext_list_fini(&in.parts);
	return rc;
}

/* ---- reading ---- */

struct reading {
	const struct vos_view *view;
	uint64_t               lo;
	uint64_t               hi;
	struct vos_ext_list   *list;
};

static int
reading_add(struct reading *rd, const struct vos_ext *e, uint64_t lo, uint64_t hi)
{
	struct vos_ext part;

	lo = MAX_OF(lo, e->lo);
	hi = MIN_OF(hi, e->hi);
	if (lo >= hi || e->rsize == 0 || !vos_ver_after(vos_ext_ver(e), rd->view->punch))
		return 0;
	part = ext_part(e, lo, hi);
	return vos_ext_list_add(rd->list, &part);
}

static int
reading_hist_cb(const struct vos_ext *e, void *arg)
{
	struct reading *rd = arg;

	if (e->epoch > rd->view->epoch || e->death <= rd->view->epoch)
		return 0;
	return reading_add(rd, e, rd->lo, rd->hi);
}

static int
ext_cmp_lo(const void *a, const void *b)
{
	const struct vos_ext *x = a;
	const struct vos_ext *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

static int
ext_cmp_lo_rev(const void *a, const void *b)
{
	return ext_cmp_lo(b, a);
}

/** What a reader sees in the range of the live piece @l. */
static int
reading_live(const struct vos_evt *t, struct reading *rd, const struct vos_live_df *l, uint64_t lo,
	     uint64_t hi, int (*order)(const void *, const void *))
{
	uint32_t       nr = rd->list->nr;
	struct vos_ext e;
	int            rc;

	if (l->epoch <= rd->view->epoch) {
		e = evt_ext_of_live(l);
		return reading_add(rd, &e, lo, hi);
	}
	if (t->df->levels == 0)
		return 0;
	rd->lo = MAX_OF(lo, l->lo);
	rd->hi = MIN_OF(hi, l->hi);
	rc     = hist_scan(t, rd->lo, rd->hi, rd->view->epoch, reading_hist_cb, rd);
	if (rc == 0 && rd->list->nr > nr + 1)
		qsort(rd->list->exts + nr, rd->list->nr - nr, sizeof(struct vos_ext), order);
	return rc;
}

int
vos_evt_fetch(const struct vos_evt *t, const struct vos_view *view, uint64_t lo, uint64_t hi,
	      uint32_t max_nr, struct vos_ext_list *list, uint64_t *ret_end)
{
	struct vos_btree     live = evt_live_tree(t);
	struct reading       rd   = { .view = view, .list = list };
	uint32_t             start = list->nr;
	struct vos_btree_cur cur;
	struct vos_live_df  *l;
	int                  rc;

	for (l = live_from(t, lo, &cur); l != NULL && l->lo < hi; l = vos_btree_next(&live, &cur)) {
		if (list->nr - start >= max_nr) {
			hi = l->lo;
			break;
		}
		rc = reading_live(t, &rd, l, lo, hi, ext_cmp_lo);
		if (rc != 0)
			return rc;
	}
	if (ret_end != NULL)
		*ret_end = hi;
	return 0;
}

int
vos_evt_fetch_rev(const struct vos_evt *t, const struct vos_view *view, uint64_t lo, uint64_t hi,
		  uint32_t max_nr, struct vos_ext_list *list, uint64_t *ret_start)
{
	struct vos_btree     live = evt_live_tree(t);
	struct reading       rd   = { .view = view, .list = list };
	uint32_t             start = list->nr;
	struct vos_btree_cur cur;
	struct vos_live_df  *l;
	int                  rc;

	for (l = vos_btree_probe(&live, VOS_BTREE_LT, &hi, &cur); l != NULL && l->hi > lo;
	     l = vos_btree_prev(&live, &cur)) {
		if (list->nr - start >= max_nr) {
			lo = l->hi;
			break;
		}
		rc = reading_live(t, &rd, l, lo, hi, ext_cmp_lo_rev);
		if (rc != 0)
			return rc;
	}
	if (ret_start != NULL)
		*ret_start = lo;
	return 0;
}
