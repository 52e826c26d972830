/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Update and fetch. Values move once: between the client's memory and what VOS reserved or found, by
 * RMA; or inline when small. All values of a request are one transfer: the pieces of value i stand at
 * the offset where the request says it begins.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_server.h"

#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "object/obj_check.h"
#include "object/obj_pack.h"

/* ---- all pieces of a request as one list ---- */

static uint32_t
count_pieces(struct vos_io *io, uint32_t iod_nr)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < iod_nr; i++)
		nr += vos_io_sgl(io, i)->sg_nr;
	return nr;
}

/** @rooms: what each value has on the other side, NULL: as much as its pieces. */
static void
join_pieces(struct vos_io *io, uint32_t iod_nr, const uint64_t *rooms, d_sg_list_t *all)
{
	all->sg_nr = 0;
	for (uint32_t i = 0; i < iod_nr; i++) {
		const d_sg_list_t *sgl   = vos_io_sgl(io, i);
		uint64_t           bytes = 0;

		for (uint32_t j = 0; j < sgl->sg_nr; j++) {
			all->sg_iovs[all->sg_nr++] = sgl->sg_iovs[j];
			bytes += sgl->sg_iovs[j].iov_buf_len;
		}
		if (rooms != NULL && rooms[i] > bytes)
			all->sg_iovs[all->sg_nr++] = (d_iov_t){.iov_buf_len = rooms[i] - bytes};
	}
}

/** Move all values; @rooms as above. */
static MAY_YIELD int
move_values(crt_rpc_t *rpc, enum crt_bulk_op op, struct vos_io *io, uint32_t iod_nr,
	    const uint64_t *rooms, crt_bulk_t bulk)
{
	d_sg_list_t all = {0};
	int         rc;

	all.sg_iovs = calloc((size_t)count_pieces(io, iod_nr) + iod_nr, sizeof(d_iov_t));
	if (all.sg_iovs == NULL)
		return -DER_NOMEM;
	join_pieces(io, iod_nr, rooms, &all);
	struct crt_bulk_desc desc = {.bd_rpc    = rpc,
				     .bd_op     = op,
				     .bd_remote = bulk,
				     .bd_local  = &all,
				     .bd_len    = obj_pieces_bytes(&all)};

	rc = desc.bd_len == 0 ? 0 : dss_bulk_transfer(&desc);
	free(all.sg_iovs);
	return rc;
}

/* ---- update ---- */

static int
check_update(const struct obj_rw_in *in)
{
	uint64_t bytes = 0;
	int      rc;

	rc = obj_dkey_check(in->hdr.oid.id_pub, &in->dkey);
	if (rc == 0)
		rc = obj_conds_check(in->hdr.conds, OBJ_CONDS_UPDATE);
	if (rc == 0)
		rc = obj_iods_check(in->hdr.oid.id_pub, OBJ_IO_UPDATE, in->hdr.conds, in->iods.nr,
				    in->iods.v);
	if (rc == 0)
		rc = obj_iods_bytes(in->iods.nr, in->iods.v, &bytes);
	if (rc != 0)
		return rc;
	if (in->bulk != NULL)
		return crt_bulk_len(in->bulk) == bytes ? 0 : -DER_IO_INVAL;
	return in->data.iov_len == bytes ? 0 : -DER_IO_INVAL;
}

static MAY_YIELD int
fill_update(crt_rpc_t *rpc, const struct obj_rw_in *in, struct vos_io *io)
{
	const char *src = in->data.iov_buf;

	if (in->bulk != NULL)
		return move_values(rpc, CRT_BULK_GET, io, in->iods.nr, NULL, in->bulk);
	for (uint32_t i = 0; i < in->iods.nr; i++)
		src = obj_pieces_fill(vos_io_sgl(io, i), src);
	D_ASSERT(src == (const char *)in->data.iov_buf + in->data.iov_len);
	return 0;
}

/** Conditions are checked again when it is committed, without a yield in between (vos_dtx.c). */
static MAY_YIELD int
add_update(struct obj_call *call, const struct obj_rw_in *in, struct vos_dtx *dtx)
{
	struct vos_io *io;
	int            rc;

	rc = vos_dtx_update_begin(dtx, in->hdr.oid, in->hdr.conds, &in->dkey, in->iods.nr, in->iods.v,
				  &io);
	if (rc != 0)
		return rc;
	rc = fill_update(call->rpc, in, io);
	return rc == 0 ? vos_dtx_update(dtx, io) : vos_update_end(io, rc);
}

static MAY_YIELD int
do_update(struct obj_call *call, const struct obj_rw_in *in)
{
	struct vos_dtx *dtx;
	int             rc;

	rc = check_update(in);
	if (rc == 0)
		rc = vos_dtx_begin(obj_call_vos(call), &call->dti, call->epoch, &dtx);
	if (rc != 0)
		return rc;
	rc = add_update(call, in, dtx);
	return obj_call_commit(dtx, rc);
}

MAY_YIELD void
ds_obj_update_hdlr(crt_rpc_t *rpc)
{
	struct obj_call call;
	int             rc;

	rc = obj_call_begin(&call, rpc, OBJ_CHANGES);
	if (rc == 0 && !call.replayed)
		rc = do_update(&call, rpc->cr_input);
	obj_call_end(&call, rc);
}

/* ---- fetch ---- */

static int
check_rooms(const struct obj_rw_in *in)
{
	uint64_t total = 0;

	if (in->rooms.nr != in->iods.nr)
		return -DER_INVAL;
	for (uint32_t i = 0; i < in->rooms.nr; i++)
		if (__builtin_add_overflow(total, in->rooms.v[i], &total))
			return -DER_OVERFLOW;
	if (in->bulk != NULL)
		return crt_bulk_len(in->bulk) == total ? 0 : -DER_IO_INVAL;
	return total <= OBJ_INLINE_BYTES_MAX ? 0 : -DER_IO_INVAL;
}

static int
check_fetch(const struct obj_rw_in *in)
{
	int rc;

	rc = obj_dkey_check(in->hdr.oid.id_pub, &in->dkey);
	if (rc == 0)
		rc = obj_conds_check(in->hdr.conds, OBJ_CONDS_FETCH);
	if (rc == 0)
		rc = obj_iods_check(in->hdr.oid.id_pub, OBJ_IO_FETCH, in->hdr.conds, in->iods.nr,
				    in->iods.v);
	if (rc == 0 && !(in->hdr.flags & OBJ_RF_SIZE_ONLY))
		rc = check_rooms(in);
	return rc;
}

static int
reply_sizes(crt_rpc_t *rpc, uint32_t nr, struct vos_io *io)
{
	struct obj_rw_out *out = rpc->cr_output;

	out->sizes.v = crt_req_alloc(rpc, nr * sizeof(uint64_t));
	if (out->sizes.v == NULL)
		return -DER_NOMEM;
	out->sizes.nr = nr;
	for (uint32_t i = 0; i < nr; i++)
		out->sizes.v[i] = vos_io_iod_size(io, i);
	return 0;
}

/** Runs of all values; *ret_bytes: what they hold. REC2BIG: a value exceeds the room for it */
static int
reply_runs(crt_rpc_t *rpc, const struct obj_rw_in *in, struct vos_io *io, uint64_t *ret_bytes)
{
	struct obj_rw_out *out   = rpc->cr_output;
	uint64_t           total = 0, bytes = 0;
	uint32_t           run_nr = 0;
	struct obj_run    *runs;

	out->run_nrs.v = crt_req_alloc(rpc, in->iods.nr * sizeof(uint32_t));
	if (out->run_nrs.v == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < in->iods.nr; i++) {
		const d_sg_list_t *sgl = vos_io_sgl(io, i);

		out->run_nrs.v[i] = obj_runs_count(sgl, &bytes);
		if (obj_pieces_bytes(sgl) > in->rooms.v[i] && bytes > 0)
			return -DER_REC2BIG;
		run_nr += out->run_nrs.v[i];
		total += bytes;
	}
	out->run_nrs.nr = in->iods.nr;
	*ret_bytes      = total;
	if (run_nr == 0)
		return 0;
	runs = crt_req_alloc(rpc, run_nr * sizeof(*runs));
	if (runs == NULL)
		return -DER_NOMEM;
	memset(runs, 0, run_nr * sizeof(*runs));
	out->runs.v  = (uint64_t *)runs;
	out->runs.nr = run_nr * 2;
	for (uint32_t i = 0; i < in->iods.nr; runs += out->run_nrs.v[i], i++)
		obj_runs_fill(vos_io_sgl(io, i), runs);
	return 0;
}

static int
reply_inline(crt_rpc_t *rpc, uint32_t iod_nr, struct vos_io *io, uint64_t bytes)
{
	struct obj_rw_out *out = rpc->cr_output;
	char              *dst;

	if (bytes == 0)
		return 0;
	dst = crt_req_alloc(rpc, bytes);
	if (dst == NULL)
		return -DER_NOMEM;
	d_iov_set(&out->data, dst, bytes);
	for (uint32_t i = 0; i < iod_nr; i++)
		dst = obj_pieces_gather(vos_io_sgl(io, i), dst);
	return 0;
}

static MAY_YIELD int
reply_values(crt_rpc_t *rpc, const struct obj_rw_in *in, struct vos_io *io)
{
	uint64_t bytes = 0;
	int      rc;

	rc = reply_sizes(rpc, in->iods.nr, io);
	if (rc != 0)
		return rc;
	rc = reply_runs(rpc, in, io, &bytes);
	if (rc != 0 || bytes == 0)
		return rc;
	if (in->bulk == NULL)
		return reply_inline(rpc, in->iods.nr, io, bytes);
	return move_values(rpc, CRT_BULK_PUT, io, in->iods.nr, in->rooms.v, in->bulk);
}

/** Record sizes alone, without reading a byte of what may be very long. */
static int
fetch_sizes(struct obj_call *call, const struct obj_rw_in *in)
{
	struct obj_rw_out *out = call->rpc->cr_output;

	out->sizes.v = crt_req_alloc(call->rpc, in->iods.nr * sizeof(uint64_t));
	if (out->sizes.v == NULL)
		return -DER_NOMEM;
	out->sizes.nr = in->iods.nr;
	for (uint32_t i = 0; i < in->iods.nr; i++)
		in->iods.v[i].iod_size = DAOS_REC_ANY; /* extents may be longer than what could be read */
	return vos_fetch_sizes(obj_call_vos(call), in->hdr.oid, call->epoch, in->hdr.conds, &in->dkey, in->iods.nr,
			       in->iods.v, out->sizes.v);
}

static MAY_YIELD int
do_fetch(struct obj_call *call, const struct obj_rw_in *in)
{
	struct vos_io *io;
	int            rc;

	rc = check_fetch(in);
	if (rc != 0)
		return rc;
	if (in->hdr.flags & OBJ_RF_SIZE_ONLY)
		return fetch_sizes(call, in);
	rc = vos_fetch_begin(obj_call_vos(call), in->hdr.oid, call->epoch, in->hdr.conds, &in->dkey,
			     in->iods.nr, in->iods.v, &io);
	if (rc != 0)
		return rc;
	rc = reply_values(call->rpc, in, io);
	vos_fetch_end(io);
	return rc;
}

MAY_YIELD void
ds_obj_fetch_hdlr(crt_rpc_t *rpc)
{
	struct obj_call call;
	int             rc;

	rc = obj_call_begin(&call, rpc, OBJ_READS);
	if (rc == 0)
		rc = do_fetch(&call, rpc->cr_input);
	obj_call_end(&call, rc);
}
