/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Discarding: writes and punches of a range of epochs go as if they had never been, of one object or
 * of all. A target that comes back into a pool drops so what it missed being told about; a resync
 * drops what never became part of the history.
 *
 * A walk over the keys, as aggregation's: when its budget is used up the transaction is committed,
 * others run, and it goes on by key. Interrupted, it can be repeated: what is gone is not found again.
 * Newest changes noted in incarnation logs stay as they are; they are limits, not facts.
 */
#define D_LOGFAC LOG_FAC_VOS

#include "base/log.h"
#include "vos/vos_dtx_index.h"

#define SLICE_CREDITS 64u

struct discard {
	struct vos_cont *cont;
	struct vos_pool *pool;
	uint64_t	 lo, hi;
	uint32_t	 credits;
	daos_unit_oid_t	 oid;
	struct vos_key_pos dkey, akey;
};

MAY_YIELD static int
tick(struct discard *d)
{
	int rc;

	if (d->credits > 1) {
		d->credits--;
		return 0;
	}
	rc = vos_tx_end(d->pool, d->cont->df, 0);
	ult_yield();
	d->credits = SLICE_CREDITS;
	vos_tx_begin(d->pool);
	return rc;
}

static struct vos_obj_df *
obj_at(struct discard *d)
{
	return vos_obj_find(d->pool, d->cont->df, &d->oid);
}

static struct vos_key_df *
dkey_at(struct discard *d)
{
	struct vos_obj_df *obj = obj_at(d);

	return obj == NULL ? NULL : vos_key_find(d->pool, &obj->dkeys, &d->dkey.probe);
}

static struct vos_key_df *
akey_at(struct discard *d)
{
	struct vos_key_df *dkey = dkey_at(d);

	return dkey == NULL ? NULL : vos_key_find(d->pool, &dkey->akeys, &d->akey.probe);
}

/** Values of the akey; looks it up again after each slice. */
MAY_YIELD static int
akey_values(struct discard *d)
{
	bool done = false;
	int  rc = 0;

	while (rc == 0 && !done) {
		struct vos_key_df *akey = akey_at(d);
		struct vos_evt	   evt;

		if (akey == NULL || akey->type == VOS_AKEY_NONE)
			return 0;
		evt = vos_akey_evt(d->pool, akey);
		rc = akey->type == VOS_AKEY_ARRAY
			 ? vos_evt_discard(&evt, d->lo, d->hi, &d->credits, &done)
			 : vos_sv_discard(d->pool, akey, d->lo, d->hi, &d->credits, &done);
		if (rc == 0 && !done) {
			d->credits = 1;
			rc = tick(d);
		}
	}
	return rc;
}

static int
key_remove(struct discard *d, struct vos_btree_df *df, struct vos_key_df *key)
{
	int rc = vos_key_unlink(d->pool, df, key);

	return rc != 0 ? rc : vos_key_free(d->pool, key);
}

/** The record size last written may have gone with who wrote it. */
static int
rsize_restore(struct discard *d, struct vos_key_df *akey)
{
	struct vos_evt evt = vos_akey_evt(d->pool, akey);
	uint32_t       rsize = akey->type == VOS_AKEY_ARRAY ? vos_evt_rsize(&evt) : 0;
	int	       rc;

	if (rsize == 0 || rsize == akey->rsize)
		return 0;
	rc = umem_tx_add(d->pool->umem, &akey->rsize, sizeof(akey->rsize));
	if (rc == 0)
		akey->rsize = rsize;
	return rc;
}

MAY_YIELD static int
discard_akey(struct discard *d)
{
	struct vos_key_df *akey;
	int		   rc = akey_values(d);

	akey = akey_at(d);
	if (rc != 0 || akey == NULL)
		return rc;
	rc = vos_inc_discard(d->pool->umem, &akey->inc, d->lo, d->hi);
	if (rc == 0)
		rc = rsize_restore(d, akey);
	if (rc == 0 && vos_akey_is_empty(akey) && akey->inc.punch_nr == 0)
		rc = key_remove(d, &dkey_at(d)->akeys, akey);
	return rc;
}

MAY_YIELD static int
discard_dkey(struct discard *d)
{
	struct vos_key_df *dkey;
	struct vos_key_df *akey;
	int		   rc = 0;

	for (d->akey.set = false; rc == 0;) {
		dkey = dkey_at(d);
		if (dkey == NULL)
			return 0;
		rc = vos_key_pos_next(d->pool, &dkey->akeys, &d->akey, &akey);
		if (rc != 0 || akey == NULL)
			break;
		rc = discard_akey(d);
		if (rc == 0)
			rc = tick(d);
	}
	dkey = rc == 0 ? dkey_at(d) : NULL;
	if (dkey == NULL)
		return rc;
	rc = vos_inc_discard(d->pool->umem, &dkey->inc, d->lo, d->hi);
	if (rc == 0 && dkey->akeys.nr == 0 && dkey->inc.punch_nr == 0)
		rc = key_remove(d, &obj_at(d)->dkeys, dkey);
	return rc;
}

MAY_YIELD static int
discard_obj(struct discard *d)
{
	struct vos_obj_df *obj;
	struct vos_key_df *dkey;
	int		   rc = 0;

	for (d->dkey.set = false; rc == 0;) {
		obj = obj_at(d);
		if (obj == NULL)
			return 0;
		rc = vos_key_pos_next(d->pool, &obj->dkeys, &d->dkey, &dkey);
		if (rc != 0 || dkey == NULL)
			break;
		rc = discard_dkey(d);
		if (rc == 0)
			rc = tick(d);
	}
	obj = rc == 0 ? obj_at(d) : NULL;
	if (obj == NULL)
		return rc;
	rc = vos_inc_discard(d->pool->umem, &obj->inc, d->lo, d->hi);
	if (rc != 0 || obj->dkeys.nr > 0 || obj->inc.punch_nr > 0)
		return rc;
	rc = vos_obj_unlink(d->pool, d->cont->df, obj);
	return rc != 0 ? rc : vos_obj_free(d->pool, obj);
}

MAY_YIELD static int
discard_all(struct discard *d)
{
	struct vos_btree       tree = vos_obj_tree(d->pool, d->cont->df);
	enum vos_btree_op      op = VOS_BTREE_FIRST;
	struct vos_obj_ent_df *ent;
	int		       rc = 0;

	while (rc == 0) {
		ent = vos_btree_probe(&tree, op, &d->oid, NULL);
		if (ent == NULL)
			break;
		d->oid = ent->oid;
		op = VOS_BTREE_GT;
		rc = discard_obj(d);
		if (rc == 0)
			rc = tick(d);
	}
	return rc;
}

/** What is aggregated has no single epochs any more: all of it goes, or none. */
static int
discard_check(struct vos_cont *cont, daos_epoch_t lo, daos_epoch_t hi)
{
	if (lo > hi)
		return -DER_INVAL;
	if (lo <= cont->df->floor && (lo > 1 || hi < cont->df->floor))
		return -DER_EP_OLD;
	return cont->aggregating ? -DER_BUSY : vos_dtx_in_range(cont, lo, hi) ? -DER_BUSY : 0;
}

MAY_YIELD int
vos_discard(struct vos_cont *cont, const daos_unit_oid_t *oid, daos_epoch_t lo, daos_epoch_t hi)
{
	struct discard d = {
	    .cont = cont, .pool = cont->pool, .lo = lo, .hi = hi, .credits = SLICE_CREDITS};
	int rc = discard_check(cont, lo, hi);

	if (rc != 0)
		return rc;
	vos_cont_get(cont);
	/* The same trees are walked: one at a time. */
	cont->aggregating = true;
	vos_tx_begin(cont->pool);
	if (oid != NULL) {
		d.oid = *oid;
		rc = discard_obj(&d);
	} else {
		rc = discard_all(&d);
	}
	rc = vos_tx_end(cont->pool, cont->df, rc);
	cont->aggregating = false;
	vos_key_pos_fini(&d.dkey);
	vos_key_pos_fini(&d.akey);
	vos_cont_close(cont);
	return rc;
}
