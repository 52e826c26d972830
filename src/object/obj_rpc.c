/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Codecs of the object requests. Counts are checked against the bytes that are left before memory is
 * taken, and against the limits in obj_rpc.h; what values mean is checked by obj_check.h.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_rpc.h"

#include <daos_errno.h>
#include "base/log.h"

const char *
obj_opc_name(uint32_t idx)
{
	static const char *const names[OBJ_OPC_NR] = {
#define OBJ_OPC_NAME(id, name, format, hdlr) [OBJ_OPC_##id] = name,
	    OBJ_RPCS(OBJ_OPC_NAME)
#undef OBJ_OPC_NAME
	};

	return idx < OBJ_OPC_NR ? names[idx] : "unknown request";
}

/* ---- structs of fixed size ---- */

#define PROC_MEMBER(p, m) (rc != 0 || (rc = crt_proc_raw(p, &(m), sizeof(m))) != 0)

int
crt_proc_obj_hdr(struct crt_proc *p, struct obj_hdr *h)
{
	int rc = 0;

	(void)(PROC_MEMBER(p, h->pool) || PROC_MEMBER(p, h->cont) || PROC_MEMBER(p, h->hdl) ||
	       PROC_MEMBER(p, h->oid.id_pub.lo) || PROC_MEMBER(p, h->oid.id_pub.hi) ||
	       PROC_MEMBER(p, h->oid.id_shard) || PROC_MEMBER(p, h->oid.id_layout_ver) ||
	       PROC_MEMBER(p, h->map_version) || PROC_MEMBER(p, h->flags) ||
	       PROC_MEMBER(p, h->conds) || PROC_MEMBER(p, h->epoch) ||
	       PROC_MEMBER(p, h->dti.hlc) || PROC_MEMBER(p, h->dti.uuid) || PROC_MEMBER(p, h->settled));
	if (rc == 0 && crt_proc_op(p) == CRT_PROC_DECODE &&
	    ((h->flags & ~(uint32_t)OBJ_RF_MASK) || (h->conds & ~(uint64_t)DAOS_COND_MASK)))
		rc = -DER_PROTO;
	return rc;
}

int
crt_proc_obj_rhdr(struct crt_proc *p, struct obj_rhdr *h)
{
	int rc = 0;

	(void)(PROC_MEMBER(p, h->rc) || PROC_MEMBER(p, h->map_version) || PROC_MEMBER(p, h->epoch));
	return rc;
}

int
crt_proc_obj_recx(struct crt_proc *p, daos_recx_t *r)
{
	int rc = 0;

	(void)(PROC_MEMBER(p, r->rx_idx) || PROC_MEMBER(p, r->rx_nr));
	return rc;
}

int
crt_proc_obj_anchor(struct crt_proc *p, daos_anchor_t *a)
{
	int rc = 0;

	(void)(PROC_MEMBER(p, a->da_type) || PROC_MEMBER(p, a->da_shard) ||
	       PROC_MEMBER(p, a->da_flags) || PROC_MEMBER(p, a->da_sub_anchors) ||
	       PROC_MEMBER(p, a->da_buf));
	if (rc == 0 && crt_proc_op(p) == CRT_PROC_DECODE && a->da_type > DAOS_ANCHOR_TYPE_EOF)
		rc = -DER_PROTO;
	return rc;
}

/* ---- arrays ---- */

/**
 * The count of an array whose elements take at least @wire_bytes each; when decoding, also memory for
 * them, NULL for none.
 */
static int
proc_array(struct crt_proc *p, uint32_t *nr, void **v, uint32_t nr_max, size_t wire_bytes,
	   size_t elem_bytes)
{
	int rc = crt_proc_raw(p, nr, sizeof(*nr));

	if (rc != 0)
		return rc;
	if (crt_proc_op(p) != CRT_PROC_DECODE)
		return *nr > nr_max ? -DER_OVERFLOW : 0;
	if (*nr > nr_max || *nr > crt_proc_left(p) / wire_bytes)
		return -DER_PROTO;
	*v = NULL;
	if (*nr == 0)
		return 0;
	*v = crt_proc_alloc(p, *nr, elem_bytes);
	return *v == NULL ? -DER_NOMEM : 0;
}

#define RECX_WIRE_BYTES 16
#define KD_WIRE_BYTES   12
#define KEY_WIRE_BYTES  8
#define IOD_WIRE_BYTES  (KEY_WIRE_BYTES + 4 + 8 + 8 + 4)

static int
proc_recxs(struct crt_proc *p, uint32_t *nr, daos_recx_t **v)
{
	int rc = proc_array(p, nr, (void **)v, OBJ_RECX_NR_MAX, RECX_WIRE_BYTES, sizeof(**v));

	for (uint32_t i = 0; rc == 0 && i < *nr; i++)
		rc = crt_proc_obj_recx(p, &(*v)[i]);
	return rc;
}

int
crt_proc_obj_recxs(struct crt_proc *p, struct obj_recxs *a)
{
	return proc_recxs(p, &a->nr, &a->v);
}

int
crt_proc_obj_keys(struct crt_proc *p, struct obj_keys *a)
{
	int rc = proc_array(p, &a->nr, (void **)&a->v, OBJ_PUNCH_NR_MAX, KEY_WIRE_BYTES,
			    sizeof(*a->v));

	for (uint32_t i = 0; rc == 0 && i < a->nr; i++)
		rc = crt_proc_iov(p, &a->v[i]);
	return rc;
}

int
crt_proc_obj_kds(struct crt_proc *p, struct obj_kds *a)
{
	int rc = proc_array(p, &a->nr, (void **)&a->v, OBJ_ENUM_NR_MAX, KD_WIRE_BYTES,
			    sizeof(*a->v));

	for (uint32_t i = 0; rc == 0 && i < a->nr; i++)
		(void)(PROC_MEMBER(p, a->v[i].kd_key_len) || PROC_MEMBER(p, a->v[i].kd_val_type));
	return rc;
}

static int
proc_iod(struct crt_proc *p, daos_iod_t *iod)
{
	uint32_t type = (uint32_t)iod->iod_type;
	int      rc   = crt_proc_iov(p, &iod->iod_name);

	if (rc != 0)
		return rc;
	(void)(PROC_MEMBER(p, type) || PROC_MEMBER(p, iod->iod_size) ||
	       PROC_MEMBER(p, iod->iod_flags));
	if (rc != 0)
		return rc;
	if (type != DAOS_IOD_SINGLE && type != DAOS_IOD_ARRAY)
		return crt_proc_op(p) == CRT_PROC_DECODE ? -DER_PROTO : -DER_INVAL;
	iod->iod_type = type;
	if (type == DAOS_IOD_ARRAY)
		return proc_recxs(p, &iod->iod_nr, &iod->iod_recxs);
	iod->iod_nr = 1;
	return 0;
}

int
crt_proc_obj_iods(struct crt_proc *p, struct obj_iods *a)
{
	int rc = proc_array(p, &a->nr, (void **)&a->v, OBJ_IOD_NR_MAX, IOD_WIRE_BYTES - 4,
			    sizeof(*a->v));

	for (uint32_t i = 0; rc == 0 && i < a->nr; i++)
		rc = proc_iod(p, &a->v[i]);
	return rc;
}

CRT_RPC_DEFINE(obj_rw, OBJ_RW_IN, OBJ_RW_OUT)
CRT_RPC_DEFINE(obj_punch, OBJ_PUNCH_IN, OBJ_PUNCH_OUT)
CRT_RPC_DEFINE(obj_enum, OBJ_ENUM_IN, OBJ_ENUM_OUT)
CRT_RPC_DEFINE(obj_query, OBJ_QUERY_IN, OBJ_QUERY_OUT)
