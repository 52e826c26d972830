/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What exists for a reader. An akey exists when a value or a piece of its array is visible, a dkey
 * when one of its akeys does, an object when one of its dkeys does. The incarnation logs answer
 * most cases at once (nothing newer than the punch is below), else the first visible thing does.
 */
#define D_LOGFAC LOG_FAC_VOS

#include "base/log.h"
#include "vos/vos_internal.h"

static bool
array_visible(struct vos_pool *pool, struct vos_key_df *akey, const struct vos_view *view)
{
	struct vos_evt	    evt = vos_akey_evt(pool, akey);
	struct vos_ext_list list = {0};
	bool		    found;
	int		    rc;

	rc = vos_evt_fetch(&evt, view, 0, UINT64_MAX, 1, &list, NULL);
	found = list.nr > 0;
	vos_ext_list_fini(&list);
	/* Out of memory for the list itself: there was something to put in. */
	return found || rc != 0;
}

bool
vos_akey_visible(struct vos_pool *pool, struct vos_key_df *akey, daos_epoch_t epoch,
		 struct vos_ver punch)
{
	struct vos_view view = {epoch, punch};

	if (!vos_inc_enter(pool->umem, &akey->inc, epoch, &view.punch))
		return false;
	switch (akey->type) {
	case VOS_AKEY_SINGLE:
		return vos_sv_find(pool, akey, &view) != NULL;
	case VOS_AKEY_ARRAY:
		return array_visible(pool, akey, &view);
	default:
		return false;
	}
}

bool
vos_dkey_visible(struct vos_pool *pool, struct vos_key_df *dkey, daos_epoch_t epoch,
		 struct vos_ver punch)
{
	struct vos_btree       tree = vos_key_tree(pool, &dkey->akeys);
	struct vos_btree_cur   cur;
	struct vos_key_ent_df *ent;

	if (!vos_inc_enter(pool->umem, &dkey->inc, epoch, &punch))
		return false;
	for (ent = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, &cur); ent != NULL;
	     ent = vos_btree_next(&tree, &cur))
		if (vos_akey_visible(pool, vos_key_of(pool, ent), epoch, punch))
			return true;
	return false;
}

bool
vos_obj_visible(struct vos_pool *pool, struct vos_obj_df *obj, daos_epoch_t epoch)
{
	struct vos_btree       tree = vos_key_tree(pool, &obj->dkeys);
	struct vos_ver	       punch = VOS_VER_NONE;
	struct vos_btree_cur   cur;
	struct vos_key_ent_df *ent;

	if (!vos_inc_enter(pool->umem, &obj->inc, epoch, &punch))
		return false;
	for (ent = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, &cur); ent != NULL;
	     ent = vos_btree_next(&tree, &cur))
		if (vos_dkey_visible(pool, vos_key_of(pool, ent), epoch, punch))
			return true;
	return false;
}

#define COND_DKEY (DAOS_COND_DKEY_INSERT | DAOS_COND_DKEY_UPDATE | DAOS_COND_DKEY_FETCH)
#define COND_AKEY (DAOS_COND_AKEY_INSERT | DAOS_COND_AKEY_UPDATE | DAOS_COND_AKEY_FETCH)

static int
cond_verdict(uint64_t flags, uint64_t insert, uint64_t must_exist, bool exists)
{
	if ((flags & insert) && exists)
		return -DER_EXIST;
	if ((flags & must_exist) && !exists)
		return -DER_NONEXIST;
	return 0;
}

static int
akeys_check(struct vos_cont *cont, const struct vos_cond *cond, struct vos_key_df *dkey,
	    struct vos_ver punch)
{
	unsigned i;
	int	 rc;

	for (i = 0; i < cond->nr; i++) {
		uint64_t flags =
		    cond->flags & DAOS_COND_PER_AKEY ? cond->iods[i].iod_flags : cond->flags;
		struct vos_key_probe probe;
		struct vos_key_df   *akey = NULL;

		if ((flags & COND_AKEY) == 0)
			continue;
		rc = vos_key_probe_init(&probe, vos_akey_kind(cond->oid), &cond->iods[i].iod_name);
		if (rc != 0)
			return rc;
		if (dkey != NULL)
			akey = vos_key_find(cont->pool, &dkey->akeys, &probe);
		rc = cond_verdict(
		    flags, DAOS_COND_AKEY_INSERT, DAOS_COND_AKEY_UPDATE | DAOS_COND_AKEY_FETCH,
		    akey != NULL && vos_akey_visible(cont->pool, akey, cond->epoch, punch));
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
vos_cond_check(struct vos_cont *cont, const struct vos_cond *cond)
{
	struct vos_pool	    *pool = cont->pool;
	struct vos_ver	     punch = VOS_VER_NONE;
	struct vos_key_df   *dkey = NULL;
	struct vos_obj_df   *obj;
	struct vos_key_probe probe;
	int		     rc;

	if ((cond->flags & DAOS_COND_MASK) == 0)
		return 0;
	rc = vos_key_probe_init(&probe, vos_dkey_kind(cond->oid), cond->dkey);
	if (rc != 0)
		return rc;
	obj = vos_obj_find(pool, cont->df, &cond->oid);
	if (obj != NULL) {
		(void)vos_inc_enter(pool->umem, &obj->inc, cond->epoch, &punch);
		dkey = vos_key_find(pool, &obj->dkeys, &probe);
	}
	if (cond->flags & COND_DKEY) {
		rc = cond_verdict(cond->flags, DAOS_COND_DKEY_INSERT,
				  DAOS_COND_DKEY_UPDATE | DAOS_COND_DKEY_FETCH,
				  dkey != NULL && vos_dkey_visible(pool, dkey, cond->epoch, punch));
		if (rc != 0)
			return rc;
	}
	if (dkey != NULL)
		(void)vos_inc_enter(pool->umem, &dkey->inc, cond->epoch, &punch);
	return akeys_check(cont, cond, dkey, punch);
}
