/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Lists, punches and key queries of one shard. A list is filled until an entry does not fit: then the
 * iteration stops in front of it, and its anchor goes back to the client to go on there.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_server.h"

#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "object/obj_check.h"
#include "object/obj_pack.h"

/* ---- lists ---- */

#define ENUM_FULL (-DER_TRUNC) /**< from a callback: this entry did not fit */

struct enum_state {
	enum vos_iter_type  type;
	struct obj_kds_pack pack;
	daos_recx_t        *recxs;
	uint64_t           *epochs;
	uint32_t            recx_nr, recx_max;
	uint64_t            rsize;
};

static int
add_key(struct enum_state *st, const void *key, uint64_t key_bytes, uint32_t val_type)
{
	struct obj_kds_pack *pack = &st->pack;

	if (!obj_kds_add(pack, key, key_bytes))
		return ENUM_FULL;
	pack->kds[pack->nr - 1].kd_val_type = val_type;
	return pack->nr == pack->nr_max ? 1 : 0;
}

static int
add_extent(struct enum_state *st, const struct vos_iter_entry *ent)
{
	if (st->recx_nr > 0 && st->type == VOS_ITER_RECX && ent->rsize != st->rsize)
		return ENUM_FULL; /* one record size a reply */
	st->rsize                = ent->rsize;
	st->recxs[st->recx_nr]   = ent->recx;
	st->epochs[st->recx_nr]  = ent->epoch;
	st->recx_nr++;
	return st->recx_nr == st->recx_max ? 1 : 0;
}

static int
enum_cb(const struct vos_iter_entry *ent, void *arg)
{
	struct enum_state *st = arg;

	switch (st->type) {
	case VOS_ITER_OBJ:
		return add_key(st, &ent->oid, sizeof(ent->oid), 0);
	case VOS_ITER_DKEY:
		return add_key(st, ent->key.iov_buf, ent->key.iov_len, 0);
	case VOS_ITER_AKEY:
		return add_key(st, ent->key.iov_buf, ent->key.iov_len,
			       ent->is_array ? DAOS_IOD_ARRAY : DAOS_IOD_SINGLE);
	case VOS_ITER_SINGLE:
	case VOS_ITER_RECX:
		return add_extent(st, ent);
	default:
		return -DER_INVAL;
	}
}

static enum vos_iter_type
enum_type(crt_rpc_t *rpc)
{
	const struct obj_hdr *hdr = rpc->cr_input;

	switch (CRT_OPC_IDX(rpc->cr_opc)) {
	case OBJ_OPC_ENUM_DKEY:
		return VOS_ITER_DKEY;
	case OBJ_OPC_ENUM_AKEY:
		return VOS_ITER_AKEY;
	case OBJ_OPC_ENUM_RECX:
		return VOS_ITER_RECX;
	}
	return (hdr->flags & OBJ_RF_SINGLES) ? VOS_ITER_SINGLE : VOS_ITER_OBJ;
}

static bool
lists_extents(enum vos_iter_type type)
{
	return type == VOS_ITER_RECX || type == VOS_ITER_SINGLE;
}

static int
check_enum(const struct obj_enum_in *in, enum vos_iter_type type)
{
	int rc = 0;

	if (in->nr == 0)
		return -DER_INVAL;
	if (type == VOS_ITER_AKEY || lists_extents(type))
		rc = obj_dkey_check(in->hdr.oid.id_pub, &in->dkey);
	if (rc == 0 && lists_extents(type))
		rc = obj_akey_check(in->hdr.oid.id_pub, &in->akey);
	return rc;
}

static int
enum_prepare(struct enum_state *st, crt_rpc_t *rpc, const struct obj_enum_in *in)
{
	uint32_t nr_max = MIN_OF(in->nr, OBJ_ENUM_NR_MAX);

	if (lists_extents(st->type)) {
		st->recx_max = nr_max;
		st->recxs    = crt_req_alloc(rpc, nr_max * sizeof(*st->recxs));
		st->epochs   = crt_req_alloc(rpc, nr_max * sizeof(*st->epochs));
		return st->recxs == NULL || st->epochs == NULL ? -DER_NOMEM : 0;
	}
	st->pack.nr_max = nr_max;
	st->pack.room   = MIN_OF(in->room, (uint64_t)OBJ_ENUM_BYTES_MAX);
	st->pack.kds    = crt_req_alloc(rpc, nr_max * sizeof(*st->pack.kds));
	st->pack.buf    = crt_req_alloc(rpc, st->pack.room + 1);
	return st->pack.kds == NULL || st->pack.buf == NULL ? -DER_NOMEM : 0;
}

static void
enum_reply(const struct enum_state *st, struct obj_enum_out *out)
{
	out->kds    = (struct obj_kds){.nr = st->pack.nr, .v = st->pack.kds};
	out->recxs  = (struct obj_recxs){.nr = st->recx_nr, .v = st->recxs};
	out->epochs = (struct crt_u64_array){.nr = st->recx_nr, .v = st->epochs};
	out->rsize  = st->rsize;
	d_iov_set(&out->keys, st->pack.buf, st->pack.used);
}

static MAY_YIELD int
do_enum(struct obj_call *call, struct obj_enum_in *in)
{
	struct obj_enum_out  *out   = call->rpc->cr_output;
	struct enum_state     st    = {.type = enum_type(call->rpc)};
	struct vos_iter_param param = {.cont    = obj_call_vos(call),
				       .oid     = in->hdr.oid,
				       .dkey    = in->dkey,
				       .akey    = in->akey,
				       .epoch   = call->epoch,
				       .reverse = (in->hdr.flags & OBJ_RF_REVERSE) != 0};
	int                   rc;

	rc = check_enum(in, st.type);
	if (rc == 0)
		rc = enum_prepare(&st, call->rpc, in);
	if (rc != 0)
		return rc;
	out->anchor = in->anchor;
	rc = vos_iterate(&param, st.type, &out->anchor, enum_cb, &st);
	if (rc == ENUM_FULL && st.pack.nr == 0 && st.recx_nr == 0) {
		out->need = st.pack.need;
		return -DER_KEY2BIG;
	}
	if (rc < 0 && rc != ENUM_FULL)
		return rc;
	enum_reply(&st, out);
	return 0;
}

MAY_YIELD void
ds_obj_enum_hdlr(crt_rpc_t *rpc)
{
	struct obj_call call;
	int             rc;

	rc = obj_call_begin(&call, rpc, OBJ_READS);
	if (rc == 0)
		rc = do_enum(&call, rpc->cr_input);
	obj_call_end(&call, rc);
}

/* ---- punches ---- */

static int
check_keys(daos_obj_id_t oid, const struct obj_keys *keys,
	   int (*check)(daos_obj_id_t oid, const daos_key_t *key))
{
	for (uint32_t i = 0; i < keys->nr; i++) {
		int rc = check(oid, &keys->v[i]);

		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
check_punch(uint32_t opc, const struct obj_punch_in *in)
{
	static const struct { uint32_t dkey_min, dkey_max, akey_min, akey_max; } counts[] = {
	    [OBJ_OPC_PUNCH]      = {0, 0, 0, 0},
	    [OBJ_OPC_PUNCH_DKEY] = {1, OBJ_PUNCH_NR_MAX, 0, 0},
	    [OBJ_OPC_PUNCH_AKEY] = {1, 1, 1, OBJ_PUNCH_NR_MAX},
	};
	int rc;

	if (in->dkeys.nr < counts[opc].dkey_min || in->dkeys.nr > counts[opc].dkey_max ||
	    in->akeys.nr < counts[opc].akey_min || in->akeys.nr > counts[opc].akey_max)
		return -DER_INVAL;
	rc = obj_conds_check(in->hdr.conds, DAOS_COND_PUNCH);
	if (rc == 0)
		rc = check_keys(in->hdr.oid.id_pub, &in->dkeys, obj_dkey_check);
	if (rc == 0)
		rc = check_keys(in->hdr.oid.id_pub, &in->akeys, obj_akey_check);
	return rc;
}

/** All of the request's keys at once, or none. */
static MAY_YIELD int
do_punch(struct obj_call *call, const struct obj_punch_in *in)
{
	struct vos_dtx *dtx;
	int             rc;

	rc = check_punch(CRT_OPC_IDX(call->rpc->cr_opc), in);
	if (rc == 0)
		rc = vos_dtx_begin(obj_call_vos(call), &call->dti, call->epoch, &dtx);
	if (rc != 0)
		return rc;
	if (in->dkeys.nr == 0)
		rc = vos_dtx_punch(dtx, in->hdr.oid, in->hdr.conds, NULL, in->akeys.nr, in->akeys.v);
	for (uint32_t i = 0; i < in->dkeys.nr && rc == 0; i++)
		rc = vos_dtx_punch(dtx, in->hdr.oid, in->hdr.conds, &in->dkeys.v[i], in->akeys.nr, in->akeys.v);
	return obj_call_commit(dtx, rc);
}

MAY_YIELD void
ds_obj_punch_hdlr(crt_rpc_t *rpc)
{
	struct obj_call call;
	int             rc;

	rc = obj_call_begin(&call, rpc, OBJ_CHANGES);
	if (rc == 0 && !call.replayed)
		rc = do_punch(&call, rpc->cr_input);
	obj_call_end(&call, rc);
}

/* ---- key queries ---- */

static int
check_query(const struct obj_query_in *in)
{
	const uint32_t what = DAOS_GET_DKEY | DAOS_GET_AKEY | DAOS_GET_RECX;
	const uint32_t ends = DAOS_GET_MAX | DAOS_GET_MIN;
	int            rc   = 0;

	if (in->query == 0)
		return 0;
	if ((in->query & ~(what | ends)) || (in->query & what) == 0 || (in->query & ends) == 0 ||
	    (in->query & ends) == ends)
		return -DER_INVAL;
	if (!(in->query & DAOS_GET_DKEY))
		rc = obj_dkey_check(in->hdr.oid.id_pub, &in->dkey);
	if (rc == 0 && !(in->query & DAOS_GET_AKEY) && (in->query & DAOS_GET_RECX))
		rc = obj_akey_check(in->hdr.oid.id_pub, &in->akey);
	return rc;
}

/** The key as given, or room for the one to be found. */
static int
query_key_room(crt_rpc_t *rpc, const d_iov_t *given, bool wanted, d_iov_t *ret_key)
{
	void *buf;

	*ret_key = *given;
	if (!wanted)
		return 0;
	buf = crt_req_alloc(rpc, sizeof(uint64_t));
	if (buf == NULL)
		return -DER_NOMEM;
	d_iov_set(ret_key, buf, sizeof(uint64_t));
	return 0;
}

/** An object without changes is none to VOS. */
static MAY_YIELD int
query_newest(struct obj_call *call, const struct obj_query_in *in)
{
	struct obj_query_out *out       = call->rpc->cr_output;
	daos_epoch_t          max_write = 0;
	int                   rc;

	rc = vos_obj_query_key(obj_call_vos(call), in->hdr.oid, 0, call->epoch, NULL, NULL, NULL, NULL, &max_write);
	out->max_epoch = max_write;
	return rc == -DER_NONEXIST ? 0 : rc;
}

static MAY_YIELD int
do_query(struct obj_call *call, const struct obj_query_in *in)
{
	struct obj_query_out *out = call->rpc->cr_output;
	daos_key_t            dkey, akey;
	daos_recx_t           recx = {0};
	daos_size_t           cell = 0;
	daos_epoch_t          max_write = 0;
	int                   rc;

	rc = check_query(in);
	if (rc == 0 && in->query == 0)
		return query_newest(call, in);
	if (rc == 0)
		rc = query_key_room(call->rpc, &in->dkey, (in->query & DAOS_GET_DKEY) != 0, &dkey);
	if (rc == 0)
		rc = query_key_room(call->rpc, &in->akey, (in->query & DAOS_GET_AKEY) != 0, &akey);
	if (rc != 0)
		return rc;
	rc = vos_obj_query_key(obj_call_vos(call), in->hdr.oid, in->query, call->epoch, &dkey, &akey,
			       &recx, &cell, &max_write);
	out->max_epoch = max_write;
	if (rc != 0)
		return rc;
	if (in->query & DAOS_GET_DKEY)
		out->dkey = dkey;
	if (in->query & DAOS_GET_AKEY)
		out->akey = akey;
	out->recx      = recx;
	out->cell_size = cell;
	return 0;
}

MAY_YIELD void
ds_obj_query_hdlr(crt_rpc_t *rpc)
{
	struct obj_call call;
	int             rc;

	rc = obj_call_begin(&call, rpc, OBJ_READS);
	if (rc == 0)
		rc = do_query(&call, rpc->cr_input);
	obj_call_end(&call, rc);
}
