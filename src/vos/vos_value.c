/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Single values: the newest lies in the akey's record, older ones in a tree by epoch. (Reclaiming
 * may take the newest and leave older ones, which a snapshot sees and a punch hides from all
 * others.) And what an akey admits: one type, and one record size among what is visible.
 */
#define D_LOGFAC LOG_FAC_VOS

#include "base/log.h"
#include "vos/vos_internal.h"

const struct vos_sv_df *
vos_sv_find(const struct vos_pool *pool, struct vos_key_df *akey, const struct vos_view *view)
{
	struct vos_btree	tree = vos_sv_tree(pool, &akey->sv);
	const struct vos_sv_df *sv = &akey->sv.cur;

	if (sv->epoch > view->epoch || sv->epoch == 0)
		sv = vos_btree_probe(&tree, VOS_BTREE_LE, &view->epoch, NULL);
	if (sv == NULL || sv->epoch == 0 || vos_media_is(sv->flags, VOS_MEDIA_HOLE))
		return NULL;
	return vos_ver_after((struct vos_ver){sv->epoch, sv->seq}, view->punch) ? sv : NULL;
}

static int
sv_free(struct vos_pool *pool, const struct vos_sv_df *sv)
{
	pool->space.tx_bytes -= sv->bytes;
	if (vos_media_is(sv->flags, VOS_MEDIA_HEAP))
		return umem_free(pool->umem, sv->addr);
	if (vos_media_is(sv->flags, VOS_MEDIA_DATA))
		return vos_blocks_free(&pool->space, sv->addr / BIO_BLOCK_BYTES,
				       align_up(sv->bytes, BIO_BLOCK_BYTES) / BIO_BLOCK_BYTES);
	return 0;
}

static int
sv_hist_insert(struct vos_pool *pool, struct vos_key_df *akey, const struct vos_sv_df *sv)
{
	struct vos_btree  tree = vos_sv_tree(pool, &akey->sv);
	struct vos_sv_df *same = vos_btree_find(&tree, &sv->epoch);
	struct vos_sv_df  old;
	int		  rc;

	if (same == NULL)
		return vos_btree_insert(&tree, &sv->epoch, sv);
	old = *same;
	rc = vos_btree_touch(&tree, same);
	if (rc != 0)
		return rc;
	*same = *sv;
	return sv_free(pool, &old);
}

int
vos_sv_insert(struct vos_pool *pool, struct vos_key_df *akey, const struct vos_sv_df *sv)
{
	struct vos_sv_df old = akey->sv.cur;
	int		 rc;

	pool->space.tx_bytes += sv->bytes;
	if (sv->epoch < old.epoch)
		return sv_hist_insert(pool, akey, sv);
	rc = umem_tx_add(pool->umem, &akey->sv.cur, sizeof(akey->sv.cur));
	if (rc != 0)
		return rc;
	akey->sv.cur = *sv;
	if (old.epoch == 0)
		return 0;
	return old.epoch == sv->epoch ? sv_free(pool, &old) : sv_hist_insert(pool, akey, &old);
}

static int
sv_hist_delete(struct vos_pool *pool, struct vos_key_df *akey, const struct vos_sv_df *sv)
{
	struct vos_btree tree = vos_sv_tree(pool, &akey->sv);
	struct vos_sv_df old = *sv;
	int		 rc;

	rc = vos_btree_delete(&tree, &old.epoch);
	return rc != 0 ? rc : sv_free(pool, &old);
}

static int
sv_cur_delete(struct vos_pool *pool, struct vos_key_df *akey)
{
	struct vos_sv_df old = akey->sv.cur;
	int		 rc;

	rc = umem_tx_add(pool->umem, &akey->sv.cur, sizeof(akey->sv.cur));
	if (rc != 0)
		return rc;
	akey->sv.cur = (struct vos_sv_df){0};
	return sv_free(pool, &old);
}

/** What a reader who finds @sv as the newest value gets out of it. */
enum sv_use {
	SV_UNSEEN, /**< punched above, as all older ones are */
	SV_HOLE,   /**< hides older ones */
	SV_SEEN,
};

static enum sv_use
sv_use(const struct vos_sv_df *sv, const struct vos_view *view)
{
	if (!vos_ver_after((struct vos_ver){sv->epoch, sv->seq}, view->punch))
		return SV_UNSEEN;
	return vos_media_is(sv->flags, VOS_MEDIA_HOLE) ? SV_HOLE : SV_SEEN;
}

/** Must @sv stay, which ends at @death? @older: an older one does. */
static bool
sv_needed(const struct vos_sv_df *sv, uint64_t death, const struct vos_readers *readers, bool older)
{
	const struct vos_view *last = &readers->views[readers->nr - 1];
	enum sv_use	       use;
	uint32_t	       i;

	if (sv->epoch > last->epoch)
		return true;
	for (i = 0; i < readers->nr; i++) {
		const struct vos_view *view = &readers->views[i];

		if (sv->epoch > view->epoch || death <= view->epoch)
			continue;
		use = sv_use(sv, view);
		if (use == SV_SEEN || (use == SV_HOLE && older))
			return true;
	}
	return false;
}

int
vos_sv_reclaim(struct vos_pool *pool, struct vos_key_df *akey, const struct vos_readers *readers,
	       struct vos_sv_pos *pos, uint32_t *credits)
{
	struct vos_btree     tree = vos_sv_tree(pool, &akey->sv);
	struct vos_sv_df    *cur = &akey->sv.cur;
	struct vos_btree_cur at;
	struct vos_sv_df    *sv;
	struct vos_sv_df    *next;
	int		     rc = 0;

	for (; *credits > 0 && rc == 0; (*credits)--) {
		sv = vos_btree_probe(&tree, VOS_BTREE_GE, &pos->epoch, &at);
		if (sv == NULL)
			break;
		next = vos_btree_next(&tree, &at);
		pos->epoch = sv->epoch + 1;
		if (sv_needed(sv,
			      next != NULL	? next->epoch
			      : cur->epoch != 0 ? cur->epoch
						: UINT64_MAX,
			      readers, pos->older))
			pos->older = true;
		else
			rc = sv_hist_delete(pool, akey, sv);
	}
	if (rc != 0 || *credits == 0)
		return rc;
	pos->done = true;
	if (cur->epoch != 0 && !sv_needed(cur, UINT64_MAX, readers, pos->older))
		rc = sv_cur_delete(pool, akey);
	return rc;
}

int
vos_sv_drain(struct vos_pool *pool, struct vos_key_df *akey, uint32_t *credits)
{
	struct vos_btree tree = vos_sv_tree(pool, &akey->sv);
	int		 rc = 0;

	for (; *credits > 0 && rc == 0 && !vos_akey_is_empty(akey); (*credits)--) {
		struct vos_sv_df *sv = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, NULL);

		rc = sv != NULL ? sv_hist_delete(pool, akey, sv) : sv_cur_delete(pool, akey);
	}
	return rc;
}

/** The newest of the older ones becomes the newest. */
static int
sv_cur_restore(struct vos_pool *pool, struct vos_key_df *akey)
{
	struct vos_btree  tree = vos_sv_tree(pool, &akey->sv);
	struct vos_sv_df *sv = vos_btree_probe(&tree, VOS_BTREE_LAST, NULL, NULL);
	struct vos_sv_df  newest;
	int		  rc;

	if (sv == NULL)
		return 0;
	newest = *sv;
	rc = vos_btree_delete(&tree, &newest.epoch);
	if (rc == 0)
		rc = umem_tx_add(pool->umem, &akey->sv.cur, sizeof(akey->sv.cur));
	if (rc == 0)
		akey->sv.cur = newest;
	return rc;
}

int
vos_sv_discard(struct vos_pool *pool, struct vos_key_df *akey, uint64_t lo, uint64_t hi,
	       uint32_t *credits, bool *ret_done)
{
	struct vos_btree tree = vos_sv_tree(pool, &akey->sv);
	int		 rc = 0;

	*ret_done = false;
	for (; rc == 0 && *credits > 0; (*credits)--) {
		const struct vos_sv_df *cur = &akey->sv.cur;
		struct vos_sv_df       *sv = vos_btree_probe(&tree, VOS_BTREE_GE, &lo, NULL);

		if (sv != NULL && sv->epoch <= hi) {
			rc = sv_hist_delete(pool, akey, sv);
		} else if (cur->epoch != 0 && cur->epoch >= lo && cur->epoch <= hi) {
			rc = sv_cur_delete(pool, akey);
			if (rc == 0)
				rc = sv_cur_restore(pool, akey);
		} else {
			*ret_done = true;
			return 0;
		}
	}
	return rc;
}

bool
vos_akey_is_empty(const struct vos_key_df *akey)
{
	switch (akey->type) {
	case VOS_AKEY_SINGLE:
		return akey->sv.cur.epoch == 0 && akey->sv.hist.nr == 0;
	case VOS_AKEY_ARRAY:
		return vos_evt_is_empty(&akey->evt);
	default:
		return true;
	}
}

/** Has the array, as the newest reader sees it, records of another size? */
static int
rsize_differs(struct vos_pool *pool, struct vos_key_df *akey, struct vos_ver punch,
	      bool *ret_differs)
{
	struct vos_evt	    evt = vos_akey_evt(pool, akey);
	struct vos_view	    view = {DAOS_EPOCH_MAX, punch};
	struct vos_ext_list list = {0};
	int		    rc;

	rc = vos_evt_fetch(&evt, &view, 0, UINT64_MAX, 1, &list, NULL);
	if (rc == 0)
		*ret_differs = list.nr > 0;
	vos_ext_list_fini(&list);
	return rc;
}

int
vos_akey_check(struct vos_pool *pool, struct vos_key_df *akey, const daos_iod_t *iod,
	       struct vos_ver punch)
{
	uint8_t type = iod->iod_type == DAOS_IOD_SINGLE ? VOS_AKEY_SINGLE : VOS_AKEY_ARRAY;
	bool	differs = false;
	int	rc;

	if (akey->type != type && akey->type != VOS_AKEY_NONE)
		return -DER_INVAL;
	if (type == VOS_AKEY_ARRAY && iod->iod_size != 0 && akey->rsize != iod->iod_size &&
	    akey->rsize != 0) {
		rc = rsize_differs(pool, akey, punch, &differs);
		if (rc != 0 || differs)
			return rc != 0 ? rc : -DER_INVAL;
	}
	return 0;
}

int
vos_akey_admit(struct vos_pool *pool, struct vos_key_df *akey, const daos_iod_t *iod,
	       struct vos_ver punch)
{
	uint8_t type = iod->iod_type == DAOS_IOD_SINGLE ? VOS_AKEY_SINGLE : VOS_AKEY_ARRAY;
	int	rc = vos_akey_check(pool, akey, iod, punch);

	if (rc != 0)
		return rc;
	if (akey->type == type &&
	    (type == VOS_AKEY_SINGLE || iod->iod_size == 0 || akey->rsize == iod->iod_size))
		return 0;
	rc = umem_tx_add(pool->umem, &akey->rsize, sizeof(akey->rsize) + 8);
	if (rc != 0)
		return rc;
	akey->type = type;
	if (type == VOS_AKEY_ARRAY && iod->iod_size != 0)
		akey->rsize = iod->iod_size;
	return 0;
}
