/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The largest or smallest integer dkey, akey and offset with something visible. Keys are tried from
 * that end on until one has what was asked for below it; the position is the key itself, so the
 * search yields now and then and finds its way again.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <string.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"

#define SLICE_NR 64u

struct query {
	struct vos_cont	 *cont;
	struct vos_pool	 *pool;
	daos_unit_oid_t	  oid;
	daos_epoch_t	  epoch;
	uint32_t	  flags;
	const daos_key_t *dkey;
	const daos_key_t *akey;
	uint64_t	  found_dkey;
	uint64_t	  found_akey;
	struct vos_ext	  found_ext;
};

static bool
query_max(const struct query *q)
{
	return (q->flags & DAOS_GET_MAX) != 0;
}

/** The outermost integer key, or the next further in than @at. */
static struct vos_key_ent_df *
int_key_next(const struct query *q, struct vos_btree_df *df, const uint64_t *at)
{
	struct vos_btree     tree = vos_key_tree(q->pool, df);
	struct vos_key_probe probe = {.ord = at == NULL ? 0 : *at, .kind = VOS_KEY_U64};

	if (at == NULL)
		return vos_btree_probe(&tree, query_max(q) ? VOS_BTREE_LAST : VOS_BTREE_FIRST, NULL,
				       NULL);
	return vos_btree_probe(&tree, query_max(q) ? VOS_BTREE_LT : VOS_BTREE_GT, &probe, NULL);
}

static int
recx_query(struct query *q, struct vos_key_df *akey, struct vos_ver punch)
{
	struct vos_evt	    evt = vos_akey_evt(q->pool, akey);
	struct vos_view	    view = {q->epoch, punch};
	struct vos_ext_list list = {0};
	int		    rc;

	if (!vos_inc_enter(q->pool->umem, &akey->inc, q->epoch, &view.punch) ||
	    akey->type != VOS_AKEY_ARRAY)
		return -DER_NONEXIST;
	if (query_max(q))
		rc = vos_evt_fetch_rev(&evt, &view, 0, UINT64_MAX, 1, &list, NULL);
	else
		rc = vos_evt_fetch(&evt, &view, 0, UINT64_MAX, 1, &list, NULL);
	if (rc == 0 && list.nr == 0)
		rc = -DER_NONEXIST;
	if (rc == 0)
		q->found_ext = list.exts[0];
	vos_ext_list_fini(&list);
	return rc;
}

/** Does @akey have what is asked for? */
static int
akey_query(struct query *q, struct vos_key_df *akey, struct vos_ver punch)
{
	if (q->flags & DAOS_GET_RECX)
		return recx_query(q, akey, punch);
	return vos_akey_visible(q->pool, akey, q->epoch, punch) ? 0 : -DER_NONEXIST;
}

static int
akeys_query(struct query *q, struct vos_key_df *dkey, struct vos_ver punch)
{
	struct vos_key_ent_df *ent;
	struct vos_key_probe   probe;
	struct vos_key_df     *akey;
	int		       rc = -DER_NONEXIST;

	if ((q->flags & DAOS_GET_AKEY) == 0) {
		rc = vos_key_probe_init(&probe, vos_akey_kind(q->oid), q->akey);
		if (rc != 0)
			return rc;
		akey = vos_key_find(q->pool, &dkey->akeys, &probe);
		return akey == NULL ? -DER_NONEXIST : akey_query(q, akey, punch);
	}
	for (ent = int_key_next(q, &dkey->akeys, NULL); ent != NULL && rc == -DER_NONEXIST;
	     ent = int_key_next(q, &dkey->akeys, &q->found_akey)) {
		q->found_akey = ent->ord;
		rc = akey_query(q, vos_key_of(q->pool, ent), punch);
	}
	return rc;
}

static int
dkey_query(struct query *q, struct vos_key_df *dkey, struct vos_ver punch)
{
	if (!vos_inc_enter(q->pool->umem, &dkey->inc, q->epoch, &punch))
		return -DER_NONEXIST;
	if (q->flags & (DAOS_GET_AKEY | DAOS_GET_RECX))
		return akeys_query(q, dkey, punch);
	return vos_dkey_visible(q->pool, dkey, q->epoch, punch) ? 0 : -DER_NONEXIST;
}

/** Some dkeys from *at on (NULL: from the end); -DER_AGAIN: more are left. */
static int
dkeys_slice(struct query *q, bool *started)
{
	struct vos_obj_df     *obj = vos_obj_find(q->pool, q->cont->df, &q->oid);
	struct vos_ver	       punch = VOS_VER_NONE;
	struct vos_key_ent_df *ent;
	uint32_t	       nr;
	int		       rc;

	if (obj == NULL || !vos_inc_enter(q->pool->umem, &obj->inc, q->epoch, &punch))
		return -DER_NONEXIST;
	for (nr = 0; nr < SLICE_NR; nr++) {
		ent = int_key_next(q, &obj->dkeys, *started ? &q->found_dkey : NULL);
		if (ent == NULL)
			return -DER_NONEXIST;
		*started = true;
		q->found_dkey = ent->ord;
		rc = dkey_query(q, vos_key_of(q->pool, ent), punch);
		if (rc != -DER_NONEXIST)
			return rc;
	}
	return -DER_AGAIN;
}

MAY_YIELD static int
dkeys_query(struct query *q)
{
	bool started = false;
	int  rc;

	while ((rc = dkeys_slice(q, &started)) == -DER_AGAIN)
		ult_yield();
	return rc;
}

static int
one_dkey_query(struct query *q)
{
	struct vos_obj_df   *obj = vos_obj_find(q->pool, q->cont->df, &q->oid);
	struct vos_ver	     punch = VOS_VER_NONE;
	struct vos_key_probe probe;
	struct vos_key_df   *dkey;
	int		     rc;

	rc = vos_key_probe_init(&probe, vos_dkey_kind(q->oid), q->dkey);
	if (rc != 0)
		return rc;
	if (obj == NULL || !vos_inc_enter(q->pool->umem, &obj->inc, q->epoch, &punch))
		return -DER_NONEXIST;
	dkey = vos_key_find(q->pool, &obj->dkeys, &probe);
	return dkey == NULL ? -DER_NONEXIST : dkey_query(q, dkey, punch);
}

static int
query_check(const struct query *q, const daos_key_t *dkey, const daos_key_t *akey,
	    const daos_recx_t *recx)
{
	uint32_t what = q->flags & (DAOS_GET_DKEY | DAOS_GET_AKEY | DAOS_GET_RECX);
	uint32_t end = q->flags & (DAOS_GET_MAX | DAOS_GET_MIN);

	if (q->flags == 0)
		return 0;
	if (what == 0 || (end != DAOS_GET_MAX && end != DAOS_GET_MIN) || q->epoch == 0 ||
	    dkey == NULL || dkey->iov_buf == NULL)
		return -DER_INVAL;
	if ((what & DAOS_GET_DKEY) &&
	    (vos_dkey_kind(q->oid) != VOS_KEY_U64 || dkey->iov_buf_len < sizeof(uint64_t)))
		return -DER_INVAL;
	if ((what & (DAOS_GET_AKEY | DAOS_GET_RECX)) && (akey == NULL || akey->iov_buf == NULL))
		return -DER_INVAL;
	if ((what & DAOS_GET_AKEY) &&
	    (vos_akey_kind(q->oid) != VOS_KEY_U64 || akey->iov_buf_len < sizeof(uint64_t)))
		return -DER_INVAL;
	return (what & DAOS_GET_RECX) && recx == NULL ? -DER_INVAL : 0;
}

static void
int_key_put(daos_key_t *key, uint64_t value)
{
	memcpy(key->iov_buf, &value, sizeof(value));
	key->iov_len = sizeof(value);
}

MAY_YIELD int
vos_obj_query_key(struct vos_cont *cont, daos_unit_oid_t oid, uint32_t flags, daos_epoch_t epoch,
		  daos_key_t *dkey, daos_key_t *akey, daos_recx_t *recx, daos_size_t *ret_cell_size,
		  daos_epoch_t *ret_max_write)
{
	struct query	   q = {.cont = cont,
				.pool = cont->pool,
				.oid = oid,
				.epoch = epoch,
				.flags = flags,
				.dkey = dkey,
				.akey = akey};
	struct vos_obj_df *obj;
	int		   rc;

	rc = query_check(&q, dkey, akey, recx);
	if (rc == 0 && UNLIKELY(cont->dtx != NULL))
		rc = vos_dtx_query_check(cont, oid, flags, epoch, dkey);
	if (rc != 0)
		return rc;
	obj = vos_obj_find(cont->pool, cont->df, &oid);
	if (obj != NULL && ret_max_write != NULL)
		*ret_max_write = vos_ver_max(vos_inc_change(&obj->inc),
					     vos_inc_punch_last(cont->pool->umem, &obj->inc))
				     .epoch;
	if (flags == 0)
		return obj == NULL ? -DER_NONEXIST : 0;
	vos_cont_get(cont);
	rc = flags & DAOS_GET_DKEY ? dkeys_query(&q) : one_dkey_query(&q);
	vos_cont_close(cont);
	if (rc != 0)
		return rc;
	if (flags & DAOS_GET_DKEY)
		int_key_put(dkey, q.found_dkey);
	if (flags & DAOS_GET_AKEY)
		int_key_put(akey, q.found_akey);
	if (flags & DAOS_GET_RECX) {
		*recx = (daos_recx_t){q.found_ext.lo, q.found_ext.hi - q.found_ext.lo};
		if (ret_cell_size != NULL)
			*ret_cell_size = q.found_ext.rsize;
	}
	return 0;
}
