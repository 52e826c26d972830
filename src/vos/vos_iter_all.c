/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Listing all versions of an akey's values, whoever may see them: single values by epoch; pieces of
 * an array that were overwritten, in the order of their tree, then those that were not, by offset.
 * The anchor is the key of the next one. What is written meanwhile moves pieces from the second part
 * to the first, behind the anchor or not: those may be missed or listed in two parts; what lies in
 * the range of epochs asked for does not move, if nobody writes there any more.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <string.h>
#include "base/log.h"
#include "vos/vos_evtree_int.h"
#include "vos/vos_iter_int.h"

/** The akey, punched or not; NULL: there is none. */
static int
akey_find(struct vos_iter *it, struct vos_key_df **ret_akey)
{
	const struct vos_iter_param *p = it->param;
	struct vos_obj_df	    *obj = vos_obj_find(it->pool, p->cont->df, &p->oid);
	struct vos_key_probe	     probe;
	struct vos_key_df	    *dkey = NULL;
	int			     rc;

	*ret_akey = NULL;
	rc = vos_key_probe_init(&probe, vos_dkey_kind(p->oid), &p->dkey);
	if (rc == 0 && obj != NULL)
		dkey = vos_key_find(it->pool, &obj->dkeys, &probe);
	if (rc == 0)
		rc = vos_key_probe_init(&probe, vos_akey_kind(p->oid), &p->akey);
	if (rc == 0 && dkey != NULL)
		*ret_akey = vos_key_find(it->pool, &dkey->akeys, &probe);
	return rc;
}

static int
entry_tell(struct vos_iter *it, const struct vos_ext *x, bool is_array)
{
	struct vos_iter_entry e = {.oid = it->param->oid,
				   .key = it->param->akey,
				   .recx = {x->lo, x->hi - x->lo},
				   .epoch = x->epoch,
				   .death = x->death,
				   .rsize = x->rsize,
				   .is_array = is_array};

	if (x->epoch < it->param->epoch_lo || x->epoch > it->param->epoch)
		return 0;
	return it->cb(&e, it->arg);
}

static void
anchor_set(daos_anchor_t *anchor, const void *at, size_t bytes)
{
	memcpy(anchor->da_buf, at, bytes);
	anchor->da_type = DAOS_ANCHOR_TYPE_KEY;
}

static void
anchor_end(daos_anchor_t *anchor)
{
	anchor->da_type = DAOS_ANCHOR_TYPE_EOF;
}

/** The oldest value at or after @epoch, and when the one after it was written. */
static const struct vos_sv_df *
sv_from(struct vos_iter *it, struct vos_key_df *akey, uint64_t epoch, uint64_t *ret_death)
{
	struct vos_btree	tree = vos_sv_tree(it->pool, &akey->sv);
	const struct vos_sv_df *cur = &akey->sv.cur;
	struct vos_btree_cur	at;
	const struct vos_sv_df *sv = vos_btree_probe(&tree, VOS_BTREE_GE, &epoch, &at);
	const struct vos_sv_df *next;

	*ret_death = UINT64_MAX;
	if (sv == NULL)
		return cur->epoch != 0 && cur->epoch >= epoch ? cur : NULL;
	next = vos_btree_next(&tree, &at);
	*ret_death = next != NULL ? next->epoch : cur->epoch != 0 ? cur->epoch : UINT64_MAX;
	return sv;
}

int
vos_iter_single_all(struct vos_iter *it)
{
	struct vos_key_df *akey;
	uint64_t	   epoch = 0;
	uint32_t	   nr;
	int		   rc = akey_find(it, &akey);

	if (it->anchor->da_type != DAOS_ANCHOR_TYPE_ZERO)
		memcpy(&epoch, it->anchor->da_buf, sizeof(epoch));
	for (nr = 0; rc == 0 && nr < VOS_ITER_SLICE_NR; nr++) {
		const struct vos_sv_df *sv = NULL;
		struct vos_ext		x = {.hi = 1};

		if (akey != NULL && akey->type == VOS_AKEY_SINGLE)
			sv = sv_from(it, akey, epoch, &x.death);
		if (sv == NULL) {
			anchor_end(it->anchor);
			return 0;
		}
		x.epoch = sv->epoch;
		x.rsize = sv->bytes;
		epoch = sv->epoch + 1;
		rc = entry_tell(it, &x, false);
		if (rc >= 0)
			anchor_set(it->anchor, &epoch, sizeof(epoch));
	}
	return rc;
}

/** Where a listing of pieces stands. */
struct recx_pos {
	uint32_t live; /**< in the second part */
	uint32_t level;
	uint64_t lo;
	uint64_t epoch;
};

static bool
piece_from(const struct vos_evt *t, struct recx_pos *pos, struct vos_ext *ret_ext)
{
	struct vos_btree	  hist = evt_hist_tree(t);
	struct vos_btree	  live = evt_live_tree(t);
	struct evt_hist_key	  key = {pos->level, pos->lo, pos->epoch};
	const struct vos_hist_df *h;
	const struct vos_live_df *l;

	if (!pos->live) {
		h = vos_btree_probe(&hist, VOS_BTREE_GE, &key, NULL);
		if (h != NULL) {
			*ret_ext = evt_ext_of_hist(h);
			*pos = (struct recx_pos){0, h->level, h->lo, h->epoch + 1};
			return true;
		}
		*pos = (struct recx_pos){.live = 1};
	}
	l = vos_btree_probe(&live, VOS_BTREE_GE, &pos->lo, NULL);
	if (l == NULL)
		return false;
	*ret_ext = evt_ext_of_live(l);
	pos->lo = l->hi;
	return true;
}

int
vos_iter_recx_all(struct vos_iter *it)
{
	struct recx_pos	   pos = {0};
	struct vos_key_df *akey;
	uint32_t	   nr;
	int		   rc = akey_find(it, &akey);

	if (it->anchor->da_type != DAOS_ANCHOR_TYPE_ZERO)
		memcpy(&pos, it->anchor->da_buf, sizeof(pos));
	for (nr = 0; rc == 0 && nr < VOS_ITER_SLICE_NR; nr++) {
		bool	       found = false;
		struct vos_ext x;

		if (akey != NULL && akey->type == VOS_AKEY_ARRAY) {
			struct vos_evt evt = vos_akey_evt(it->pool, akey);

			found = piece_from(&evt, &pos, &x);
		}
		if (!found) {
			anchor_end(it->anchor);
			return 0;
		}
		rc = entry_tell(it, &x, true);
		if (rc >= 0)
			anchor_set(it->anchor, &pos, sizeof(pos));
	}
	return rc;
}
