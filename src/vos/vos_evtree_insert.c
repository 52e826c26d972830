/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Writing into the extent tree: cutting what is overwritten, placing what comes late. Theory:
 * vos_evtree.c. */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_evtree_int.h"

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
	struct vos_ext	part;

	if (lo >= hi)
		return 0;
	if (last != NULL && last->hi == lo && last->death == death) {
		*last = evt_ext_part(in->ext, last->lo, hi);
		last->death = death;
		return 0;
	}
	part = evt_ext_part(in->ext, lo, hi);
	part.death = death;
	return vos_ext_list_add(&in->parts, &part);
}

int
evt_piece_insert(const struct vos_evt *t, const struct vos_ext *e)
{
	return e->death == UINT64_MAX ? evt_live_insert(t, e) : evt_hist_insert(t, e);
}

int
evt_piece_delete(const struct vos_evt *t, const struct vos_ext *e)
{
	return e->death == UINT64_MAX ? evt_live_delete(t, e->lo) : evt_hist_delete(t, e);
}

int
evt_piece_cut(const struct vos_evt *t, const struct vos_ext *e, uint64_t lo, uint64_t hi,
	      struct vos_ext *ret_mid)
{
	bool	       left = e->lo < lo;
	bool	       right = e->hi > hi;
	struct vos_ext part;
	int	       rc;

	rc = evt_ext_ref(t, e, 1 + left + right);
	if (rc == 0)
		rc = evt_piece_delete(t, e);
	if (rc == 0 && left) {
		part = evt_ext_part(e, e->lo, lo);
		rc = evt_piece_insert(t, &part);
	}
	if (rc == 0 && right) {
		part = evt_ext_part(e, hi, e->hi);
		rc = evt_piece_insert(t, &part);
	}
	*ret_mid = evt_ext_part(e, left ? lo : e->lo, right ? hi : e->hi);
	return rc;
}

/** Let the part of @e in [lo, hi) end at @death (free it if it is not older than that), and keep the rest. */
static int
piece_bury(const struct vos_evt *t, const struct vos_ext *e, uint64_t lo, uint64_t hi, uint64_t death)
{
	struct vos_ext mid;
	int	       rc = evt_piece_cut(t, e, lo, hi, &mid);

	if (rc != 0)
		return rc;
	if (e->epoch == death)
		return evt_ext_free(t, &mid);
	mid.death = death;
	return evt_hist_insert(t, &mid);
}

static int
overlap_cb(const struct vos_ext *e, void *arg)
{
	return vos_ext_list_add(arg, e);
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

		if (h->lo > at || h->hi <= at || h->death <= epoch || VOS_BUG(VOS_BUG_LATE_EXTENT))
			continue;
		death = MIN_OF(death, h->epoch <= epoch ? h->death : h->epoch);
	}
	return death;
}

/** The new piece is late: in [lo, hi) something of epoch @upper is live already. */
static int
late_place(struct insertion *in, uint64_t lo, uint64_t hi, uint64_t upper)
{
	struct vos_ext_list over = {0};
	uint64_t	    epoch = in->ext->epoch;
	uint64_t	   *cuts = NULL;
	uint32_t	    cut_nr = 0;
	uint32_t	    i;
	int		    rc;

	rc = evt_hist_scan(in->t, lo, hi, 0, overlap_cb, &over);
	if (rc == 0) {
		cuts = malloc((2 * (size_t)over.nr + 2) * sizeof(*cuts));
		rc = cuts == NULL ? -DER_NOMEM : 0;
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
				   cuts[i] < cuts[i + 1] ? late_death(&over, cuts[i], epoch, upper)
							 : 0);
	for (i = 0; i < over.nr && rc == 0; i++) {
		const struct vos_ext *h = &over.exts[i];

		if (h->epoch <= epoch && epoch < h->death)
			rc = piece_bury(in->t, h, lo, hi, epoch);
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
	struct vos_ext	 old = evt_ext_of_live(l);
	int		 rc;

	rc = vos_btree_touch(&live, l);
	if (rc != 0)
		return rc;
	*l = evt_live_of_ext(ext);
	if (old.epoch == ext->epoch)
		return evt_ext_free(t, &old);
	old.death = ext->epoch;
	return evt_hist_insert(t, &old);
}

static int
parts_insert(struct insertion *in)
{
	uint32_t i;
	int	 rc;

	rc = evt_ext_ref(in->t, in->ext, in->parts.nr);
	for (i = 0; i < in->parts.nr && rc == 0; i++)
		rc = evt_piece_insert(in->t, &in->parts.exts[i]);
	return rc;
}

/** Sort out the live pieces @over that @in->ext meets, then put in what is left of it. */
static int
insertion_run(struct insertion *in, const struct vos_ext_list *over)
{
	const struct vos_ext *ext = in->ext;
	uint64_t	      at = ext->lo;
	uint32_t	      i;
	int		      rc;

	for (i = 0; i < over->nr; i++) {
		const struct vos_ext *q = &over->exts[i];
		uint64_t	      lo = MAX_OF(q->lo, ext->lo);
		uint64_t	      hi = MIN_OF(q->hi, ext->hi);

		if (q->epoch <= ext->epoch) {
			rc = piece_bury(in->t, q, ext->lo, ext->hi, ext->epoch);
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
	struct insertion     in = {.t = t, .ext = ext};
	struct vos_ext_list  over = {0};
	struct vos_btree_cur cur;
	struct vos_live_df  *l;
	int		     rc = 0;

	D_ASSERT(ext->lo < ext->hi && ext->epoch > 0);
	D_ASSERT((ext->rsize == 0) == vos_media_is(ext->flags, VOS_MEDIA_HOLE));
	t->sp->tx_bytes += vos_ext_bytes(ext);
	l = evt_live_from(t, ext->lo, &cur);
	if (l == NULL || l->lo >= ext->hi)
		return evt_live_insert(t, ext);
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
