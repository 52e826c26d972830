/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Update and fetch. What a request moves is cut out of the user's buffers once, when the operation
 * begins: gathered into the request when small, else registered for RMA as it lies; either serves all
 * tries. The user's descriptors travel as they are and stay the user's.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_client_int.h"

#include <stdlib.h>
#include <daos_errno.h>
#include "base/iov.h"
#include "base/log.h"
#include "object/obj_check.h"
#include "object/obj_pack.h"

static int
prepare_rw(struct obj_op *op, enum obj_io_kind kind)
{
	daos_obj_rw_t *args  = op->args;
	uint32_t       shard = 0;
	int            rc;

	rc = obj_dkey_check(op->obj->oid, args->dkey);
	if (rc == 0)
		rc = obj_conds_check(op->conds,
				     kind == OBJ_IO_UPDATE ? OBJ_CONDS_UPDATE : OBJ_CONDS_FETCH);
	if (rc == 0)
		rc = obj_iods_check(op->obj->oid, kind, op->conds, args->nr, args->iods);
	if (rc == 0)
		rc = obj_io_bufs_check(kind, args->nr, args->iods, args->sgls);
	if (rc == 0)
		rc = obj_dkey_shard(op->obj, args->dkey, &shard);
	if (rc == 0)
		obj_op_set_part(op, shard);
	return rc;
}

/** Cut @bytes[i] out of sgl i: op->bulk_iovs. */
static int
cut_all(struct obj_op *op, const uint64_t *bytes, bool room, d_sg_list_t *ret_cut)
{
	daos_obj_rw_t *args = op->args;
	size_t         max  = 0;
	uint32_t       nr   = 0;

	for (uint32_t i = 0; i < args->nr; i++)
		max += args->sgls[i].sg_nr;
	op->bulk_iovs = calloc(max + 1, sizeof(*op->bulk_iovs));
	if (op->bulk_iovs == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < args->nr; i++)
		nr += obj_sgl_cut(&args->sgls[i], bytes[i], room, op->bulk_iovs + nr,
				  (uint32_t)(max - nr));
	*ret_cut = (d_sg_list_t){.sg_nr = nr, .sg_iovs = op->bulk_iovs};
	return 0;
}

static int
fill_rw(struct obj_op *op, struct obj_part *part, void *in_)
{
	daos_obj_rw_t    *args = op->args;
	struct obj_rw_in *in   = in_;

	(void)part;
	in->dkey  = *args->dkey;
	in->iods  = (struct obj_iods){.nr = args->nr, .v = args->iods};
	in->rooms = op->rooms;
	in->data  = op->data;
	in->bulk  = op->bulk;
	return 0;
}

/* ---- update ---- */

static int
update_values(struct obj_op *op, const uint64_t *bytes, uint64_t total)
{
	d_sg_list_t cut;
	int         rc;

	rc = cut_all(op, bytes, false, &cut);
	if (rc != 0)
		return rc;
	if (total > OBJ_INLINE_BYTES_MAX)
		return crt_bulk_create(daos_task2ctx(op->task), &cut, CRT_BULK_RO, &op->bulk);
	op->buf = malloc(total);
	if (op->buf == NULL)
		return -DER_NOMEM;
	obj_pieces_gather(&cut, op->buf);
	d_iov_set(&op->data, op->buf, total);
	return 0;
}

static int
prepare_update(struct obj_op *op)
{
	daos_obj_rw_t *args  = op->args;
	uint64_t       total = 0;
	uint64_t      *bytes;
	int            rc;

	rc = prepare_rw(op, OBJ_IO_UPDATE);
	if (rc == 0)
		rc = obj_iods_bytes(args->nr, args->iods, &total);
	if (rc != 0 || total == 0)
		return rc;
	bytes = calloc(args->nr, sizeof(*bytes));
	if (bytes == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < args->nr && rc == 0; i++)
		rc = obj_iod_bytes(&args->iods[i], &bytes[i]);
	if (rc == 0)
		rc = update_values(op, bytes, total);
	free(bytes);
	return rc;
}

static const struct obj_op_kind update_kind = {
    .opc = OBJ_OPC_UPDATE, .changes = true, .prepare = prepare_update, .fill = fill_rw};

int
dc_obj_update_task(tse_task_t *task)
{
	const daos_obj_update_t *args = dc_task_get_args(task);

	return obj_op_run(task, &update_kind, args->oh, args->th, args->flags);
}

/* ---- fetch ---- */

/** Room for a value: what is asked for, where that is known, else all there is. */
static uint64_t
room_of(const daos_iod_t *iod, const d_sg_list_t *sgl)
{
	uint64_t have = d_sgl_buf_bytes(sgl), need = 0;

	if (iod->iod_type == DAOS_IOD_ARRAY && iod->iod_size != DAOS_REC_ANY &&
	    obj_iod_bytes(iod, &need) == 0)
		return MIN_OF(have, need);
	return have;
}

static bool
has_buffers(const daos_obj_rw_t *args)
{
	for (uint32_t i = 0; args->sgls != NULL && i < args->nr; i++)
		if (args->sgls[i].sg_nr > 0)
			return true;
	return false;
}

static int
prepare_fetch(struct obj_op *op)
{
	daos_obj_rw_t *args  = op->args;
	uint64_t       total = 0;
	d_sg_list_t    cut;
	int            rc;

	rc = prepare_rw(op, OBJ_IO_FETCH);
	if (rc != 0)
		return rc;
	if (!has_buffers(args)) {
		op->req_flags |= OBJ_RF_SIZE_ONLY;
		return 0;
	}
	op->buf = calloc(args->nr, sizeof(uint64_t));
	if (op->buf == NULL)
		return -DER_NOMEM;
	op->rooms = (struct crt_u64_array){.nr = args->nr, .v = op->buf};
	for (uint32_t i = 0; i < args->nr; i++) {
		op->rooms.v[i] = room_of(&args->iods[i], &args->sgls[i]);
		if (__builtin_add_overflow(total, op->rooms.v[i], &total))
			return -DER_OVERFLOW;
	}
	if (total <= OBJ_INLINE_BYTES_MAX)
		return 0;
	rc = cut_all(op, op->rooms.v, true, &cut);
	if (rc != 0)
		return rc;
	return crt_bulk_create(daos_task2ctx(op->task), &cut, CRT_BULK_WO, &op->bulk);
}

/** Does the answer fit the question? */
static int
check_answer(const struct obj_op *op, const struct obj_rw_out *out)
{
	const struct obj_run *runs   = (const struct obj_run *)out->runs.v;
	uint64_t              run_nr = 0, bytes = 0;
	int                   rc     = 0;

	if (out->run_nrs.nr != op->rooms.nr || out->runs.nr % 2 != 0)
		return -DER_PROTO;
	for (uint32_t i = 0; rc == 0 && i < op->rooms.nr; i++) {
		uint32_t nr = out->run_nrs.v[i];

		if (nr > out->runs.nr / 2 - run_nr)
			return -DER_PROTO;
		rc = obj_runs_check(runs + run_nr, nr, op->rooms.v[i]);
		for (uint32_t r = 0; r < nr; r++)
			bytes += runs[run_nr + r].len;
		run_nr += nr;
	}
	if (rc == 0 && run_nr != out->runs.nr / 2)
		rc = -DER_PROTO;
	if (rc == 0 && op->bulk == NULL && bytes != out->data.iov_len)
		rc = -DER_PROTO;
	return rc;
}

static int
take_values(struct obj_op *op, const struct obj_rw_out *out)
{
	daos_obj_rw_t        *args = op->args;
	const struct obj_run *runs = (const struct obj_run *)out->runs.v;
	const char           *src  = out->data.iov_buf;
	int                   rc;

	rc = check_answer(op, out);
	for (uint32_t i = 0; rc == 0 && i < args->nr; i++) {
		uint32_t nr = out->run_nrs.v[i];

		if (op->bulk == NULL && nr > 0)
			rc = obj_runs_scatter(runs, nr, src, &args->sgls[i]);
		if (rc == 0)
			rc = d_sgl_set_data_bytes(&args->sgls[i], obj_runs_end(runs, nr));
		if (rc == 0 && args->ioms != NULL)
			obj_runs_to_iom(&args->iods[i], out->sizes.v[i], runs, nr, &args->ioms[i]);
		for (uint32_t r = 0; r < nr; r++)
			src = op->bulk == NULL ? src + runs[r].len : src;
		runs += nr;
	}
	return rc;
}

static int
answer_fetch(struct obj_op *op, struct obj_part *part, void *out_, int rc)
{
	daos_obj_rw_t           *args = op->args;
	const struct obj_rw_out *out  = out_;

	(void)part;
	if (rc != 0 && rc != -DER_REC2BIG)
		return rc;
	if (out->sizes.nr != args->nr)
		return rc == 0 ? -DER_PROTO : rc;
	if (rc == 0 && !(op->req_flags & OBJ_RF_SIZE_ONLY))
		rc = take_values(op, out);
	if (rc == 0 || rc == -DER_REC2BIG)
		for (uint32_t i = 0; i < args->nr; i++)
			args->iods[i].iod_size = out->sizes.v[i];
	return rc;
}

static const struct obj_op_kind fetch_kind = {
    .opc = OBJ_OPC_FETCH, .prepare = prepare_fetch, .fill = fill_rw, .answer = answer_fetch};

int
dc_obj_fetch_task(tse_task_t *task)
{
	const daos_obj_fetch_t *args = dc_task_get_args(task);

	return obj_op_run(task, &fetch_kind, args->oh, args->th, args->flags);
}
