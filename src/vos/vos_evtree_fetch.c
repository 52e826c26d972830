/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Reading the extent tree. Theory: vos_evtree.c. */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_evtree_int.h"

struct reading {
	const struct vos_view *view;
	uint64_t	       lo;
	uint64_t	       hi;
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
	part = evt_ext_part(e, lo, hi);
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

typedef int (*ext_order_t)(const void *, const void *);

/** Past pieces the reader sees in [lo, hi). */
static int
reading_hist(const struct vos_evt *t, struct reading *rd, uint64_t lo, uint64_t hi,
	     ext_order_t order)
{
	uint32_t nr = rd->list->nr;
	int	 rc;

	if (t->df->levels == 0 || lo >= hi)
		return 0;
	rd->lo = lo;
	rd->hi = hi;
	rc = evt_hist_scan(t, lo, hi, rd->view->epoch, reading_hist_cb, rd);
	if (rc == 0 && rd->list->nr > nr + 1)
		qsort(rd->list->exts + nr, rd->list->nr - nr, sizeof(struct vos_ext), order);
	return rc;
}

/** What a reader sees in the range of the live piece @l. */
static int
reading_live(const struct vos_evt *t, struct reading *rd, const struct vos_live_df *l, uint64_t lo,
	     uint64_t hi, ext_order_t order)
{
	struct vos_ext e;

	if (l->epoch <= rd->view->epoch) {
		e = evt_ext_of_live(l);
		return reading_add(rd, &e, lo, hi);
	}
	return reading_hist(t, rd, MAX_OF(lo, l->lo), MIN_OF(hi, l->hi), order);
}

/** What a reader sees where nothing is live. */
static int
reading_gap(const struct vos_evt *t, struct reading *rd, uint64_t lo, uint64_t hi,
	    ext_order_t order)
{
	if (rd->view->epoch >= t->df->gap_epoch)
		return 0;
	return reading_hist(t, rd, lo, hi, order);
}

int
vos_evt_fetch(const struct vos_evt *t, const struct vos_view *view, uint64_t lo, uint64_t hi,
	      uint32_t max_nr, struct vos_ext_list *list, uint64_t *ret_end)
{
	struct vos_btree     live = evt_live_tree(t);
	struct reading	     rd = {.view = view, .list = list};
	uint32_t	     start = list->nr;
	uint64_t	     at = lo;
	struct vos_btree_cur cur;
	struct vos_live_df  *l;
	int		     rc;

	for (l = evt_live_from(t, lo, &cur); l != NULL && l->lo < hi;
	     l = vos_btree_next(&live, &cur)) {
		if (list->nr - start >= max_nr) {
			hi = l->lo;
			break;
		}
		rc = reading_gap(t, &rd, at, l->lo, ext_cmp_lo);
		if (rc == 0)
			rc = reading_live(t, &rd, l, lo, hi, ext_cmp_lo);
		if (rc != 0)
			return rc;
		at = l->hi;
	}
	if (ret_end != NULL)
		*ret_end = hi;
	return reading_gap(t, &rd, at, hi, ext_cmp_lo);
}

int
vos_evt_fetch_rev(const struct vos_evt *t, const struct vos_view *view, uint64_t lo, uint64_t hi,
		  uint32_t max_nr, struct vos_ext_list *list, uint64_t *ret_start)
{
	struct vos_btree     live = evt_live_tree(t);
	struct reading	     rd = {.view = view, .list = list};
	uint32_t	     start = list->nr;
	uint64_t	     at = hi;
	struct vos_btree_cur cur;
	struct vos_live_df  *l;
	int		     rc;

	for (l = vos_btree_probe(&live, VOS_BTREE_LT, &hi, &cur); l != NULL && l->hi > lo;
	     l = vos_btree_prev(&live, &cur)) {
		if (list->nr - start >= max_nr) {
			lo = l->hi;
			break;
		}
		rc = reading_gap(t, &rd, l->hi, at, ext_cmp_lo_rev);
		if (rc == 0)
			rc = reading_live(t, &rd, l, lo, hi, ext_cmp_lo_rev);
		if (rc != 0)
			return rc;
		at = l->lo;
	}
	if (ret_start != NULL)
		*ret_start = lo;
	return reading_gap(t, &rd, lo, at, ext_cmp_lo_rev);
}
