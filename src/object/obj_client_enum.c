/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Lists. Akeys and extents of a dkey are on its shard. Dkeys are on all shards, and are listed one
 * shard after the other: the anchor's da_shard says which, the rest of it is the shard's own. A shard
 * that has nothing more is passed over at once, so that a list which is not at its end brings at
 * least one entry.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_client_int.h"

#include <stdlib.h>
#include <daos_errno.h>
#include "base/iov.h"
#include "base/log.h"
#include "object/obj_check.h"
#include "object/obj_pack.h"

static bool
anchor_is_eof(const daos_anchor_t *anchor)
{
	return anchor->da_type == DAOS_ANCHOR_TYPE_EOF;
}

static int
check_list(const daos_obj_list_t *args)
{
	if (args->nr == NULL || *args->nr == 0 || args->anchor == NULL ||
	    args->anchor->da_type > DAOS_ANCHOR_TYPE_EOF)
		return -DER_INVAL;
	return 0;
}

static int
check_key_list(const daos_obj_list_t *args)
{
	int rc = check_list(args);

	if (rc == 0 && (args->kds == NULL || args->sgl == NULL || args->sgl->sg_nr == 0))
		rc = -DER_INVAL;
	return rc == 0 ? obj_sgl_check(args->sgl) : rc;
}

/** One part for @shard; none when the list is at its end: then nothing is asked. */
static void
set_list_part(struct obj_op *op, uint32_t shard)
{
	daos_obj_list_t *args = op->args;

	obj_op_set_part(op, shard);
	op->part1.done = anchor_is_eof(args->anchor);
	if (op->part1.done)
		*args->nr = 0;
}

static int
fill_list(struct obj_op *op, struct obj_part *part, void *in_)
{
	daos_obj_list_t    *args = op->args;
	struct obj_enum_in *in   = in_;

	(void)part;
	if (args->dkey != NULL && op->kind->opc != OBJ_OPC_ENUM_DKEY)
		in->dkey = *args->dkey;
	if (args->akey != NULL && op->kind->opc == OBJ_OPC_ENUM_RECX)
		in->akey = *args->akey;
	in->nr              = *args->nr;
	in->room            = args->sgl == NULL ? 0 : d_sgl_buf_bytes(args->sgl);
	in->anchor          = *args->anchor;
	in->anchor.da_shard = 0;
	return 0;
}

/** The shard's anchor becomes the list's. */
static void
take_anchor(daos_anchor_t *anchor, const daos_anchor_t *shard_anchor)
{
	uint16_t shard = anchor->da_shard;

	*anchor          = *shard_anchor;
	anchor->da_shard = shard;
}

/* ---- keys ---- */

static int
take_keys(struct obj_op *op, const struct obj_enum_out *out)
{
	daos_obj_list_t *args = op->args;
	struct d_sgl_pos pos  = {0};
	int              rc;

	if (out->kds.nr > *args->nr)
		return -DER_PROTO;
	rc = obj_kds_check(out->kds.v, out->kds.nr, out->keys.iov_len);
	if (rc == 0)
		rc = d_sgl_copy_in(args->sgl, &pos, out->keys.iov_buf, out->keys.iov_len);
	if (rc == 0)
		rc = d_sgl_set_data_bytes(args->sgl, out->keys.iov_len);
	if (rc != 0)
		return -DER_PROTO;
	for (uint32_t i = 0; i < out->kds.nr; i++)
		args->kds[i] = out->kds.v[i];
	op->found_nr = out->kds.nr;
	take_anchor(args->anchor, &out->anchor);
	return 0;
}

static int
answer_keys(struct obj_op *op, struct obj_part *part, void *out_, int rc)
{
	daos_obj_list_t           *args = op->args;
	const struct obj_enum_out *out  = out_;

	(void)part;
	if (rc == -DER_KEY2BIG)
		args->kds[0].kd_key_len = out->need;
	return rc == 0 ? take_keys(op, out) : rc;
}

static int
finish_keys(struct obj_op *op, int rc)
{
	daos_obj_list_t *args = op->args;

	if (rc == 0)
		*args->nr = op->found_nr;
	return rc;
}

static int
prepare_list_dkey(struct obj_op *op)
{
	daos_obj_list_t *args = op->args;
	uint32_t         nr   = 0;
	int              rc;

	rc = check_key_list(args);
	if (rc == 0)
		rc = obj_shard_nr(op->obj, &nr);
	if (rc == 0 && args->anchor->da_shard >= nr)
		rc = -DER_INVAL;
	if (rc == 0)
		set_list_part(op, args->anchor->da_shard);
	return rc;
}

/** At the end of a shard go on with the next. */
static int
finish_list_dkey(struct obj_op *op, int rc)
{
	daos_obj_list_t *args = op->args;
	uint32_t         nr   = 0;

	if (rc == 0)
		rc = obj_shard_nr(op->obj, &nr);
	if (rc != 0)
		return rc;
	if (anchor_is_eof(args->anchor) && op->part1.shard + 1 < nr) {
		*args->anchor          = (daos_anchor_t){0};
		args->anchor->da_shard = (uint16_t)(op->part1.shard + 1);
		if (op->found_nr == 0) {
			obj_op_set_part(op, args->anchor->da_shard);
			return OBJ_OP_NEXT;
		}
	}
	return finish_keys(op, 0);
}

/** A list that begins at its end asks nobody and changes nothing. */
static int
finish_list_dkey_all(struct obj_op *op, int rc)
{
	return op->part1.sent ? finish_list_dkey(op, rc) : finish_keys(op, rc);
}

static const struct obj_op_kind list_dkey_kind = {.opc     = OBJ_OPC_ENUM_DKEY,
						  .prepare = prepare_list_dkey,
						  .fill    = fill_list,
						  .answer  = answer_keys,
						  .finish  = finish_list_dkey_all};

int
dc_obj_list_dkey_task(tse_task_t *task)
{
	const daos_obj_list_t *args = dc_task_get_args(task);

	return obj_op_run(task, &list_dkey_kind, args->oh, args->th, 0);
}

static int
prepare_list_akey(struct obj_op *op)
{
	daos_obj_list_t *args  = op->args;
	uint32_t         shard = 0;
	int              rc;

	rc = check_key_list(args);
	if (rc == 0)
		rc = obj_dkey_check(op->obj->oid, args->dkey);
	if (rc == 0)
		rc = obj_dkey_shard(op->obj, args->dkey, &shard);
	if (rc == 0)
		set_list_part(op, shard);
	return rc;
}

static const struct obj_op_kind list_akey_kind = {.opc     = OBJ_OPC_ENUM_AKEY,
						  .prepare = prepare_list_akey,
						  .fill    = fill_list,
						  .answer  = answer_keys,
						  .finish  = finish_keys};

int
dc_obj_list_akey_task(tse_task_t *task)
{
	const daos_obj_list_t *args = dc_task_get_args(task);

	return obj_op_run(task, &list_akey_kind, args->oh, args->th, 0);
}

/* ---- extents ---- */

static int
prepare_list_recx(struct obj_op *op)
{
	daos_obj_list_t *args  = op->args;
	uint32_t         shard = 0;
	int              rc;

	rc = check_list(args);
	if (rc == 0 && args->recxs == NULL)
		rc = -DER_INVAL;
	if (rc == 0)
		rc = obj_dkey_check(op->obj->oid, args->dkey);
	if (rc == 0)
		rc = obj_akey_check(op->obj->oid, args->akey);
	if (rc == 0)
		rc = obj_dkey_shard(op->obj, args->dkey, &shard);
	if (rc != 0)
		return rc;
	op->req_flags |= args->incr_order ? 0 : OBJ_RF_REVERSE;
	set_list_part(op, shard);
	return 0;
}

static int
answer_recxs(struct obj_op *op, struct obj_part *part, void *out_, int rc)
{
	daos_obj_list_t           *args = op->args;
	const struct obj_enum_out *out  = out_;

	(void)part;
	if (rc != 0)
		return rc;
	if (out->recxs.nr > *args->nr || out->epochs.nr != out->recxs.nr)
		return -DER_PROTO;
	for (uint32_t i = 0; i < out->recxs.nr; i++) {
		args->recxs[i] = out->recxs.v[i];
		if (args->eprs != NULL)
			args->eprs[i] = (daos_epoch_range_t){.epr_lo = out->epochs.v[i],
							     .epr_hi = out->epochs.v[i]};
	}
	if (args->size != NULL && out->recxs.nr > 0)
		*args->size = out->rsize;
	op->found_nr = out->recxs.nr;
	take_anchor(args->anchor, &out->anchor);
	return 0;
}

static const struct obj_op_kind list_recx_kind = {.opc     = OBJ_OPC_ENUM_RECX,
						  .prepare = prepare_list_recx,
						  .fill    = fill_list,
						  .answer  = answer_recxs,
						  .finish  = finish_keys};

int
dc_obj_list_recx_task(tse_task_t *task)
{
	const daos_obj_list_t *args = dc_task_get_args(task);

	return obj_op_run(task, &list_recx_kind, args->oh, args->th, 0);
}
