/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What transactions read leaves timestamps, and what writes ask of them. Theory: vos_ts.c. */
#define D_LOGFAC LOG_FAC_VOS

#include <xxhash.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"
#include "vos/vos_ts.h"

#define COND_DKEY (DAOS_COND_DKEY_INSERT | DAOS_COND_DKEY_UPDATE | DAOS_COND_DKEY_FETCH)
#define COND_AKEY (DAOS_COND_AKEY_INSERT | DAOS_COND_AKEY_UPDATE | DAOS_COND_AKEY_FETCH)

uint64_t
vos_dtx_reader(const struct dtx_id *id)
{
	uint64_t hash = XXH3_64bits(id, sizeof(*id));

	return hash == 0 ? 1 : hash;
}

static struct vos_ts_name
ts_name(const struct vos_cont *cont, daos_unit_oid_t oid, const daos_key_t *dkey,
	const daos_key_t *akey)
{
	return (struct vos_ts_name){.cont = cont->df->uuid,
				    .oid = oid,
				    .dkey_hash = dkey == NULL || dkey->iov_buf == NULL ? 0 : vos_ts_key_hash(dkey),
				    .akey_hash = akey == NULL || akey->iov_buf == NULL ? 0 : vos_ts_key_hash(akey)};
}

void
vos_dtx_note_conds(struct vos_cont *cont, const struct vos_cond *cond, uint64_t reader)
{
	struct vos_ts	  *ts = cont->pool->ts;
	struct vos_ts_name name;
	unsigned	   i;

	if (cond->flags & COND_DKEY) {
		name = ts_name(cont, cond->oid, cond->dkey, NULL);
		vos_ts_read(ts, &name, cond->epoch, reader);
	}
	for (i = 0; i < cond->nr; i++) {
		uint64_t flags =
		    cond->flags & DAOS_COND_PER_AKEY ? cond->iods[i].iod_flags : cond->flags;

		if ((flags & COND_AKEY) == 0)
			continue;
		name = ts_name(cont, cond->oid, cond->dkey, &cond->iods[i].iod_name);
		vos_ts_read(ts, &name, cond->epoch, reader);
	}
}

void
vos_dtx_note_read(struct vos_cont *cont, const struct vos_cond *cond)
{
	struct vos_ts_name name;
	unsigned	   i;

	vos_dtx_note_conds(cont, cond, cond->reader);
	for (i = 0; i < cond->nr; i++) {
		name = ts_name(cont, cond->oid, cond->dkey, &cond->iods[i].iod_name);
		vos_ts_read(cont->pool->ts, &name, cond->epoch, cond->reader);
	}
}

int
vos_dtx_update_is_new(struct vos_cont *cont, const struct vos_cond *cond, uint64_t writer)
{
	struct vos_ts_name name;
	unsigned	   i;
	int		   rc = 0;

	for (i = 0; i < cond->nr && rc == 0; i++) {
		name = ts_name(cont, cond->oid, cond->dkey, &cond->iods[i].iod_name);
		rc = vos_ts_write_check(cont->pool->ts, &name, cond->epoch, writer);
	}
	if (rc == 0)
		vos_dtx_note_conds(cont, cond, writer);
	return rc;
}

void
vos_dtx_note_punch_conds(const struct vos_punch *p, uint64_t reader)
{
	struct vos_ts	  *ts = p->cont->pool->ts;
	struct vos_ts_name name;
	unsigned	   i;

	if ((p->flags & (DAOS_COND_PUNCH | DAOS_COND_DKEY_UPDATE)) == 0)
		return;
	name = ts_name(p->cont, p->oid, p->dkey, NULL);
	vos_ts_read(ts, &name, p->epoch, reader);
	for (i = 0; i < p->akey_nr; i++) {
		name = ts_name(p->cont, p->oid, p->dkey, &p->akeys[i]);
		vos_ts_read(ts, &name, p->epoch, reader);
	}
}

int
vos_dtx_punch_is_new(const struct vos_punch *p, uint64_t writer)
{
	struct vos_ts	  *ts = p->cont->pool->ts;
	struct vos_ts_name name;
	unsigned	   i;
	int		   rc = 0;

	if (p->akey_nr == 0) {
		name = ts_name(p->cont, p->oid, p->dkey, NULL);
		rc = vos_ts_write_check(ts, &name, p->epoch, writer);
	}
	for (i = 0; i < p->akey_nr && rc == 0; i++) {
		name = ts_name(p->cont, p->oid, p->dkey, &p->akeys[i]);
		rc = vos_ts_write_check(ts, &name, p->epoch, writer);
	}
	if (rc == 0)
		vos_dtx_note_punch_conds(p, writer);
	return rc;
}

int
vos_pool_set_read_floor(struct vos_pool *pool, daos_epoch_t epoch)
{
	if (pool->ts == NULL)
		return vos_ts_create(epoch, &pool->ts);
	vos_ts_set_floor(pool->ts, epoch);
	return 0;
}

static int
reader_check(struct vos_pool *pool, daos_epoch_t epoch)
{
	if (epoch == 0 || epoch == DAOS_EPOCH_MAX)
		return -DER_INVAL;
	return pool->ts == NULL ? vos_ts_create(0, &pool->ts) : 0;
}

MAY_YIELD int
vos_dtx_fetch_begin(struct vos_cont *cont, const struct dtx_id *id, daos_unit_oid_t oid,
		    daos_epoch_t epoch, uint64_t flags, const daos_key_t *dkey, unsigned nr,
		    const daos_iod_t *iods, struct vos_io **ret_io)
{
	struct vos_cond cond = {oid, epoch, flags, dkey, nr, iods, vos_dtx_reader(id)};
	int		rc = reader_check(cont->pool, epoch);

	return rc != 0 ? rc : vos_fetch_cond_begin(cont, &cond, false, ret_io);
}

static void
note_whole(struct vos_cont *cont, const struct dtx_id *id, daos_unit_oid_t oid, daos_epoch_t epoch,
	   const daos_key_t *dkey, const daos_key_t *akey)
{
	struct vos_ts_name name = ts_name(cont, oid, dkey, akey);

	vos_ts_read(cont->pool->ts, &name, epoch, vos_dtx_reader(id));
}

MAY_YIELD int
vos_dtx_iterate(const struct dtx_id *id, const struct vos_iter_param *param,
		enum vos_iter_type type, daos_anchor_t *anchor, vos_iter_cb_t cb, void *arg)
{
	struct vos_ts_name objs = {.cont = param->cont->df->uuid, .whole_cont = true};
	int		   rc = reader_check(param->cont->pool, param->epoch);

	if (rc != 0)
		return rc;
	/* Noted first: whoever writes while the listing yields is refused already. */
	if (type == VOS_ITER_OBJ)
		vos_ts_read(param->cont->pool->ts, &objs, param->epoch, vos_dtx_reader(id));
	else
		note_whole(param->cont, id, param->oid, param->epoch, type == VOS_ITER_DKEY ? NULL : &param->dkey,
			   type == VOS_ITER_DKEY || type == VOS_ITER_AKEY ? NULL : &param->akey);
	return vos_iterate(param, type, anchor, cb, arg);
}

MAY_YIELD int
vos_dtx_query_key(struct vos_cont *cont, const struct dtx_id *id, daos_unit_oid_t oid,
		  uint32_t flags, daos_epoch_t epoch, daos_key_t *dkey, daos_key_t *akey,
		  daos_recx_t *recx, daos_size_t *ret_cell_size, daos_epoch_t *ret_max_write)
{
	const daos_key_t *whole = flags & DAOS_GET_DKEY ? NULL : dkey;
	int		  rc = reader_check(cont->pool, epoch);

	if (rc == 0 && whole != NULL && (whole->iov_buf == NULL || whole->iov_len == 0))
		rc = -DER_INVAL;
	if (rc != 0)
		return rc;
	note_whole(cont, id, oid, epoch, whole, NULL);
	return vos_obj_query_key(cont, oid, flags, epoch, dkey, akey, recx, ret_cell_size,
				 ret_max_write);
}
