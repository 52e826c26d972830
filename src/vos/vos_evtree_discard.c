/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Taking writes out of the extent tree as if they had never been. A piece that goes gives its
 * lifetime back to those it buried: past pieces in its range that died at its epoch live on until it
 * would have died. First past pieces go, again and again until none is left (giving back moves pieces
 * about), then live ones, below which only pieces that stay are found then.
 */
#define D_LOGFAC LOG_FAC_VOS

#include "base/log.h"
#include "vos/vos_evtree_int.h"

struct buried {
	uint64_t	    death; /**< of those looked for */
	struct vos_ext_list list;
};

static int
buried_cb(const struct vos_ext *e, void *arg)
{
	struct buried *b = arg;

	return e->death == b->death ? vos_ext_list_add(&b->list, e) : 0;
}

/** The part of past piece @h in [lo, hi) lives until @death. */
static int
extend(const struct vos_evt *t, const struct vos_ext *h, uint64_t lo, uint64_t hi, uint64_t death)
{
	struct vos_ext mid;
	int	       rc = evt_piece_cut(t, h, lo, hi, &mid);

	mid.death = death;
	return rc != 0 ? rc : evt_piece_insert(t, &mid);
}

/** @e is in neither tree any more. */
static int
lifetime_return(const struct vos_evt *t, const struct vos_ext *e)
{
	struct buried b = {.death = e->epoch};
	uint32_t      i;
	int	      rc;

	rc = evt_hist_scan(t, e->lo, e->hi, 0, buried_cb, &b);
	for (i = 0; i < b.list.nr && rc == 0; i++)
		rc = extend(t, &b.list.exts[i], e->lo, e->hi, e->death);
	vos_ext_list_fini(&b.list);
	return rc;
}

static int
piece_discard(const struct vos_evt *t, const struct vos_ext *e)
{
	int rc = evt_piece_delete(t, e);

	if (rc == 0)
		rc = evt_ext_free(t, e);
	if (rc == 0)
		rc = lifetime_return(t, e);
	/* Where it buried holes that were reclaimed since, nothing comes back to be live. */
	return rc != 0 || e->death != UINT64_MAX ? rc : evt_gap_note(t, e->epoch);
}

static bool
hist_next(const struct vos_evt *t, uint64_t lo, uint64_t hi, struct vos_ext *ret_ext)
{
	struct vos_btree	  hist = evt_hist_tree(t);
	struct vos_btree_cur	  cur;
	const struct vos_hist_df *h;

	for (h = vos_btree_probe(&hist, VOS_BTREE_FIRST, NULL, &cur); h != NULL;
	     h = vos_btree_next(&hist, &cur)) {
		if (h->epoch < lo || h->epoch > hi)
			continue;
		*ret_ext = evt_ext_of_hist(h);
		return true;
	}
	return false;
}

static bool
live_next(const struct vos_evt *t, uint64_t lo, uint64_t hi, struct vos_ext *ret_ext)
{
	struct vos_btree	  live = evt_live_tree(t);
	struct vos_btree_cur	  cur;
	const struct vos_live_df *l;

	for (l = vos_btree_probe(&live, VOS_BTREE_FIRST, NULL, &cur); l != NULL;
	     l = vos_btree_next(&live, &cur)) {
		if (l->epoch < lo || l->epoch > hi)
			continue;
		*ret_ext = evt_ext_of_live(l);
		return true;
	}
	return false;
}

int
vos_evt_discard(const struct vos_evt *t, uint64_t lo, uint64_t hi, uint32_t *credits, bool *ret_done)
{
	struct vos_ext e;
	int	       rc = 0;

	*ret_done = false;
	for (; rc == 0 && *credits > 0; (*credits)--) {
		if (!hist_next(t, lo, hi, &e) && !live_next(t, lo, hi, &e)) {
			*ret_done = true;
			return 0;
		}
		rc = piece_discard(t, &e);
	}
	return rc;
}

uint32_t
vos_evt_rsize(const struct vos_evt *t)
{
	struct vos_btree	  live = evt_live_tree(t);
	struct vos_ver		  newest = VOS_VER_NONE;
	struct vos_btree_cur	  cur;
	const struct vos_live_df *l;
	uint32_t		  rsize = 0;

	for (l = vos_btree_probe(&live, VOS_BTREE_FIRST, NULL, &cur); l != NULL;
	     l = vos_btree_next(&live, &cur)) {
		struct vos_ver ver = {l->epoch, l->seq};

		if (l->rsize == 0 || !vos_ver_after(ver, newest))
			continue;
		newest = ver;
		rsize = l->rsize;
	}
	return rsize;
}
