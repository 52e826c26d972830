/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Punches: an entry in the incarnation log of what is punched, nothing below is touched. Punching
 * what was never there leaves the entry too: an older write may still come (rebuild). Aggregation
 * removes it.
 */
#define D_LOGFAC LOG_FAC_VOS

#include "base/log.h"
#include "vos/vos_dtx_index.h"

int
vos_punch_keys_check(const struct vos_punch *p)
{
	struct vos_key_probe probe;
	unsigned	     i;
	int		     rc;

	if (p->dkey == NULL)
		return p->akey_nr == 0 ? 0 : -DER_INVAL;
	rc = vos_key_probe_init(&probe, vos_dkey_kind(p->oid), p->dkey);
	for (i = 0; i < p->akey_nr && rc == 0; i++)
		rc = vos_key_probe_init(&probe, vos_akey_kind(p->oid), &p->akeys[i]);
	return rc;
}

static int
akeys_exist(const struct vos_punch *p, struct vos_key_df *dkey, struct vos_ver punch)
{
	struct vos_key_probe probe;
	struct vos_key_df   *akey;
	unsigned	     i;
	int		     rc;

	(void)vos_inc_enter(p->cont->pool->umem, &dkey->inc, p->epoch, &punch);
	for (i = 0; i < p->akey_nr; i++) {
		rc = vos_key_probe_init(&probe, vos_akey_kind(p->oid), &p->akeys[i]);
		if (rc != 0)
			return rc;
		akey = vos_key_find(p->cont->pool, &dkey->akeys, &probe);
		if (akey == NULL || !vos_akey_visible(p->cont->pool, akey, p->epoch, punch))
			return -DER_NONEXIST;
	}
	return 0;
}

/** DAOS_COND_PUNCH: all that is named must be there; DAOS_COND_DKEY_UPDATE: the dkey must. */
static int
punch_cond_check(const struct vos_punch *p)
{
	struct vos_pool	    *pool = p->cont->pool;
	struct vos_ver	     punch = VOS_VER_NONE;
	struct vos_obj_df   *obj;
	struct vos_key_probe probe;
	struct vos_key_df   *dkey;
	int		     rc;

	if ((p->flags & (DAOS_COND_PUNCH | DAOS_COND_DKEY_UPDATE)) == 0)
		return 0;
	obj = vos_obj_find(pool, p->cont->df, &p->oid);
	if (obj == NULL)
		return -DER_NONEXIST;
	if (p->dkey == NULL)
		return vos_obj_visible(pool, obj, p->epoch) ? 0 : -DER_NONEXIST;
	if (!vos_inc_enter(pool->umem, &obj->inc, p->epoch, &punch))
		return -DER_NONEXIST;
	rc = vos_key_probe_init(&probe, vos_dkey_kind(p->oid), p->dkey);
	if (rc != 0)
		return rc;
	dkey = vos_key_find(pool, &obj->dkeys, &probe);
	if (dkey == NULL || !vos_dkey_visible(pool, dkey, p->epoch, punch))
		return -DER_NONEXIST;
	return p->flags & DAOS_COND_PUNCH ? akeys_exist(p, dkey, punch) : 0;
}

static int
akeys_punch(const struct vos_punch *p, struct vos_key_df *dkey, struct vos_ver ver)
{
	struct vos_pool	    *pool = p->cont->pool;
	struct vos_key_probe probe;
	struct vos_key_df   *akey;
	unsigned	     i;
	int		     rc;

	rc = vos_inc_touch(pool->umem, &dkey->inc, ver);
	for (i = 0; i < p->akey_nr && rc == 0; i++) {
		rc = vos_key_probe_init(&probe, vos_akey_kind(p->oid), &p->akeys[i]);
		if (rc == 0)
			rc = vos_key_make(pool, &dkey->akeys, VOS_AKEY, &probe, &akey);
		if (rc == 0)
			rc = vos_inc_punch_add(pool->umem, &akey->inc, ver);
	}
	return rc;
}

int
vos_punch_apply(const struct vos_punch *p)
{
	struct vos_pool	    *pool = p->cont->pool;
	struct vos_key_probe probe;
	struct vos_obj_df   *obj;
	struct vos_key_df   *dkey;
	struct vos_ver	     ver;
	int		     rc;

	rc = vos_tx_ver(p->cont, p->epoch, &ver);
	if (rc == 0)
		rc = vos_obj_make(pool, p->cont->df, &p->oid, &obj);
	if (rc != 0)
		return rc;
	if (p->dkey == NULL)
		return vos_inc_punch_add(pool->umem, &obj->inc, ver);
	rc = vos_inc_touch(pool->umem, &obj->inc, ver);
	if (rc == 0)
		rc = vos_key_probe_init(&probe, vos_dkey_kind(p->oid), p->dkey);
	if (rc == 0)
		rc = vos_key_make(pool, &obj->dkeys, VOS_DKEY, &probe, &dkey);
	if (rc != 0)
		return rc;
	if (p->akey_nr == 0)
		return vos_inc_punch_add(pool->umem, &dkey->inc, ver);
	return akeys_punch(p, dkey, ver);
}

int
vos_punch_check(const struct vos_punch *p)
{
	int rc = vos_epoch_admit(p->cont, p->epoch);

	if (rc == 0)
		rc = vos_punch_keys_check(p);
	if (rc == 0 && UNLIKELY(p->cont->dtx != NULL))
		rc = vos_dtx_punch_check(p);
	if (rc != 0)
		return rc;
	rc = punch_cond_check(p);
	/* That a condition does not hold is something read. */
	if (rc != 0 && UNLIKELY(p->cont->pool->ts != NULL))
		vos_dtx_note_punch_conds(p, 0);
	return rc;
}

MAY_YIELD int
vos_obj_punch(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags,
	      const daos_key_t *dkey, unsigned akey_nr, const daos_key_t *akeys)
{
	struct vos_punch p = {cont, oid, epoch, flags, dkey, akey_nr, akeys};
	int	     rc;

	rc = vos_punch_check(&p);
	if (rc == 0 && UNLIKELY(cont->pool->ts != NULL))
		rc = vos_dtx_punch_is_new(&p, 0);
	if (rc != 0)
		return rc;
	vos_cont_get(cont);
	vos_tx_begin(cont->pool);
	rc = vos_tx_end(cont->pool, cont->df, vos_punch_apply(&p));
	vos_cont_close(cont);
	return rc;
}
