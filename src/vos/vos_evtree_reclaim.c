/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Reclaiming pieces of an array that nobody can see any more, and checking the two trees.
 *
 * First hist, then live, so that what live pieces buried is mostly gone when they go; what is
 * spared for snapshots is told by gap_epoch. Nothing older comes late: containers refuse it.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_evtree_int.h"

#define RECLAIM_BATCH  32u
#define JOIN_BYTES_MAX (64ull << 20)

static const struct vos_view *
newest(const struct vos_readers *readers)
{
	return &readers->views[readers->nr - 1];
}

/** Does a reader see anything of @e? A hole only matters to those who come: it must outlive what
 * they may bury. */
static bool
ext_needed(const struct vos_ext *e, const struct vos_readers *readers)
{
	const struct vos_view *last = newest(readers);
	uint32_t	       i;

	if (e->rsize == 0)
		return e->epoch > last->epoch;
	if (e->death > last->epoch && vos_ver_after(vos_ext_ver(e), last->punch))
		return true;
	for (i = 0; i + 1 < readers->nr; i++) {
		const struct vos_view *view = &readers->views[i];

		if (e->epoch <= view->epoch && view->epoch < e->death &&
		    vos_ver_after(vos_ext_ver(e), view->punch))
			return true;
	}
	return false;
}

static int
hist_reclaim(const struct vos_evt *t, const struct vos_readers *readers, struct vos_evt_pos *pos,
	     uint32_t *credits)
{
	struct vos_btree     hist = evt_hist_tree(t);
	struct evt_hist_key  key = {pos->level, pos->lo, pos->epoch};
	struct vos_ext	     dead[RECLAIM_BATCH];
	uint32_t	     dead_nr = 0;
	struct vos_btree_cur cur;
	struct vos_hist_df  *h;
	uint32_t	     i;
	int		     rc;

	h = vos_btree_probe(&hist, VOS_BTREE_GE, &key, &cur);
	for (; h != NULL && *credits > 0 && dead_nr < RECLAIM_BATCH; (*credits)--) {
		struct vos_ext e = evt_ext_of_hist(h);

		if (!ext_needed(&e, readers))
			dead[dead_nr++] = e;
		h = vos_btree_next(&hist, &cur);
	}
	if (h == NULL)
		*pos = (struct vos_evt_pos){.phase = VOS_EVT_LIVE};
	else
		*pos = (struct vos_evt_pos){VOS_EVT_HIST, h->level, h->lo, h->epoch};
	for (i = 0; i < dead_nr; i++) {
		rc = evt_hist_delete(t, &dead[i]);
		if (rc == 0)
			rc = evt_ext_free(t, &dead[i]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/** Do all readers see both or none of two pieces that the newest ones see? */
static bool
same_readers(const struct vos_ext *a, const struct vos_ext *b, const struct vos_readers *readers)
{
	uint32_t i;

	if (!vos_ver_after(vos_ext_ver(a), newest(readers)->punch) ||
	    !vos_ver_after(vos_ext_ver(b), newest(readers)->punch))
		return false;
	for (i = 0; i < readers->nr; i++)
		if ((a->epoch <= readers->views[i].epoch) != (b->epoch <= readers->views[i].epoch))
			return false;
	return true;
}

/** Can @b be appended to @a in one entry, for all readers? */
static bool
can_join(const struct vos_ext *a, const struct vos_ext *b, const struct vos_readers *readers)
{
	uint32_t shared = VOS_EXT_HEAD_SHARED | VOS_EXT_TAIL_SHARED;
	uint64_t epoch = newest(readers)->epoch;

	return a->epoch <= epoch && b->epoch <= epoch && a->hi == b->lo && a->rsize == b->rsize &&
	       vos_media_is(a->flags, VOS_MEDIA_DATA) && vos_media_is(b->flags, VOS_MEDIA_DATA) &&
	       ((a->flags | b->flags) & shared) == 0 && a->addr + vos_ext_bytes(a) == b->addr &&
	       vos_ext_bytes(a) + vos_ext_bytes(b) <= JOIN_BYTES_MAX && same_readers(a, b, readers);
}

/** Let live piece @a end where its neighbour @b does, which goes. */
static int
live_join(const struct vos_evt *t, const struct vos_ext *a, const struct vos_ext *b)
{
	struct vos_btree    live = evt_live_tree(t);
	struct vos_live_df *l;
	struct vos_ver	    ver = vos_ver_max(vos_ext_ver(a), vos_ext_ver(b));
	int		    rc;

	rc = evt_live_delete(t, b->lo);
	if (rc != 0)
		return rc;
	l = vos_btree_find(&live, &a->lo);
	D_ASSERT(l != NULL);
	rc = vos_btree_touch(&live, l);
	if (rc != 0)
		return rc;
	l->hi = b->hi;
	l->epoch = ver.epoch;
	l->seq = ver.seq;
	return 0;
}

int
evt_gap_note(const struct vos_evt *t, uint64_t epoch)
{
	int rc;

	if (t->df->hist.nr == 0 || epoch <= t->df->gap_epoch)
		return 0;
	rc = umem_tx_add(t->sp->umem, &t->df->gap_epoch, sizeof(t->df->gap_epoch));
	if (rc == 0)
		t->df->gap_epoch = epoch;
	return rc;
}

static int
live_reclaim(const struct vos_evt *t, const struct vos_readers *readers, struct vos_evt_pos *pos,
	     uint32_t *credits)
{
	struct vos_btree live = evt_live_tree(t);
	uint32_t	 batch;

	for (batch = 0; *credits > 0 && batch < RECLAIM_BATCH; batch++) {
		struct vos_btree_cur cur;
		struct vos_live_df  *l = vos_btree_probe(&live, VOS_BTREE_GE, &pos->lo, &cur);
		struct vos_ext	     e;
		struct vos_ext	     next = {0};
		int		     rc = 0;

		if (l == NULL) {
			pos->phase = VOS_EVT_DONE;
			return 0;
		}
		(*credits)--;
		e = evt_ext_of_live(l);
		l = vos_btree_next(&live, &cur);
		if (l != NULL)
			next = evt_ext_of_live(l);
		pos->lo = e.hi;
		if (!ext_needed(&e, readers)) {
			rc = evt_gap_note(t, e.epoch);
			if (rc == 0)
				rc = evt_live_delete(t, e.lo);
			if (rc == 0)
				rc = evt_ext_free(t, &e);
		} else if (l != NULL && can_join(&e, &next, readers)) {
			pos->lo = e.lo;
			rc = live_join(t, &e, &next);
		}
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
vos_evt_reclaim(const struct vos_evt *t, const struct vos_readers *readers, struct vos_evt_pos *pos,
		uint32_t *credits)
{
	int rc = 0;

	while (rc == 0 && *credits > 0 && pos->phase != VOS_EVT_DONE) {
		if (pos->phase == VOS_EVT_HIST)
			rc = hist_reclaim(t, readers, pos, credits);
		else
			rc = live_reclaim(t, readers, pos, credits);
	}
	return rc;
}

int
vos_evt_drain(const struct vos_evt *t, uint32_t *credits)
{
	struct vos_btree hist = evt_hist_tree(t);
	struct vos_btree live = evt_live_tree(t);
	int		 rc = 0;

	for (; *credits > 0 && rc == 0 && !vos_evt_is_empty(t->df); (*credits)--) {
		struct vos_hist_df *h = vos_btree_probe(&hist, VOS_BTREE_FIRST, NULL, NULL);
		struct vos_ext	    e;

		if (h != NULL) {
			e = evt_ext_of_hist(h);
			rc = evt_hist_delete(t, &e);
		} else {
			e = evt_ext_of_live(vos_btree_probe(&live, VOS_BTREE_FIRST, NULL, NULL));
			rc = evt_live_delete(t, e.lo);
		}
		if (rc == 0)
			rc = evt_ext_free(t, &e);
	}
	return rc;
}

/* ---- checking ---- */

struct check {
	const struct vos_evt *t;
	struct vos_ext_list   all;
};

static int
bad(const char *what, const struct vos_ext *e)
{
	D_ERROR("extent [%lu, %lu) of epoch %lu: %s\n", (unsigned long)e->lo, (unsigned long)e->hi,
		(unsigned long)e->epoch, what);
	return -DER_DF_INVAL;
}

static int
ext_check(struct check *c, const struct vos_ext *e)
{
	if (e->lo >= e->hi || e->epoch == 0 || e->epoch >= e->death)
		return bad("empty or of no epoch", e);
	if ((e->rsize == 0) != vos_media_is(e->flags, VOS_MEDIA_HOLE))
		return bad("record size and kind disagree", e);
	if (vos_media_is(e->flags, VOS_MEDIA_HEAP)) {
		const struct vos_blob_df *blob;
		umem_off_t		  off = e->addr - e->delta - sizeof(*blob);

		if (!umem_off_valid(c->t->sp->umem, off, sizeof(*blob)))
			return bad("its bytes are outside of the heap", e);
		blob = umem_ptr(c->t->sp->umem, off);
		if (e->delta + vos_ext_bytes(e) > blob->bytes || blob->refs == 0)
			return bad("does not fit its bytes", e);
	}
	return vos_ext_list_add(&c->all, e);
}

static int
live_check_cb(void *ent, void *arg)
{
	struct vos_ext e = evt_ext_of_live(ent);

	return ext_check(arg, &e);
}

static int
hist_check_cb(void *ent, void *arg)
{
	struct vos_hist_df *h = ent;
	struct check	   *c = arg;
	struct vos_ext	    e = evt_ext_of_hist(h);

	if (h->level != evt_level_of(h->hi - h->lo) || (c->t->df->levels & (1ULL << h->level)) == 0)
		return bad("is on the wrong level", &e);
	return ext_check(c, &e);
}

static bool
live_less(const struct umem *u, const void *a, const void *b)
{
	const struct vos_live_df *x = a;
	const struct vos_live_df *y = b;

	(void)u;
	return x->hi <= y->lo;
}

static bool
hist_less(const struct umem *u, const void *a, const void *b)
{
	const struct vos_hist_df *x = a;
	const struct vos_hist_df *y = b;

	(void)u;
	if (x->level != y->level)
		return x->level < y->level;
	return x->lo < y->lo || (x->lo == y->lo && x->epoch < y->epoch);
}

static int
ext_cmp_lo(const void *a, const void *b)
{
	const struct vos_ext *x = a;
	const struct vos_ext *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/** Invariant 2, over pieces sorted by offset. */
static int
overlaps_check(const struct vos_ext_list *all)
{
	uint32_t i;
	uint32_t j;

	for (i = 0; i < all->nr; i++)
		for (j = i + 1; j < all->nr && all->exts[j].lo < all->exts[i].hi; j++)
			if (all->exts[i].epoch < all->exts[j].death &&
			    all->exts[j].epoch < all->exts[i].death)
				return bad("overlaps another piece", &all->exts[j]);
	return 0;
}

int
vos_evt_check(const struct vos_evt *t, int (*fn)(const struct vos_ext *ext, void *arg), void *arg)
{
	struct check	 c = {.t = t};
	struct vos_btree live = evt_live_tree(t);
	struct vos_btree hist = evt_hist_tree(t);
	uint32_t	 i;
	int		 rc;

	rc = vos_btree_check(&live, live_less, live_check_cb, &c);
	if (rc == 0)
		rc = vos_btree_check(&hist, hist_less, hist_check_cb, &c);
	if (rc == 0 && c.all.nr > 1)
		qsort(c.all.exts, c.all.nr, sizeof(struct vos_ext), ext_cmp_lo);
	if (rc == 0)
		rc = overlaps_check(&c.all);
	for (i = 0; i < c.all.nr && rc == 0 && fn != NULL; i++)
		rc = fn(&c.all.exts[i], arg);
	vos_ext_list_fini(&c.all);
	return rc;
}
