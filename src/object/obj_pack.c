/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_pack.h"

#include <daos_errno.h>
#include "base/iov.h"
#include "base/log.h"

/* ---- out of storage ---- */

/** Call for each run of @sgl; @runs may be NULL. */
static uint32_t
walk_runs(const d_sg_list_t *sgl, struct obj_run *runs, uint64_t *ret_bytes)
{
	uint64_t off = 0, bytes = 0, end = UINT64_MAX; /* of the last run */
	uint32_t nr  = 0;

	for (uint32_t i = 0; i < sgl->sg_nr; i++) {
		const d_iov_t *iov = &sgl->sg_iovs[i];

		if (iov->iov_buf != NULL && iov->iov_buf_len > 0) {
			if (end != off)
				nr++;
			if (runs != NULL && end != off)
				runs[nr - 1] = (struct obj_run){.off = off};
			if (runs != NULL)
				runs[nr - 1].len += iov->iov_buf_len;
			end = off + iov->iov_buf_len;
			bytes += iov->iov_buf_len;
		}
		off += iov->iov_buf_len;
	}
	if (ret_bytes != NULL)
		*ret_bytes = bytes;
	return nr;
}

uint32_t
obj_runs_count(const d_sg_list_t *sgl, uint64_t *ret_bytes)
{
	return walk_runs(sgl, NULL, ret_bytes);
}

void
obj_runs_fill(const d_sg_list_t *sgl, struct obj_run *runs)
{
	walk_runs(sgl, runs, NULL);
}

char *
obj_pieces_gather(const d_sg_list_t *sgl, char *dst)
{
	for (uint32_t i = 0; i < sgl->sg_nr; i++) {
		const d_iov_t *iov = &sgl->sg_iovs[i];

		if (iov->iov_buf == NULL)
			continue;
		memcpy(dst, iov->iov_buf, iov->iov_buf_len);
		dst += iov->iov_buf_len;
	}
	return dst;
}

const char *
obj_pieces_fill(const d_sg_list_t *sgl, const char *src)
{
	for (uint32_t i = 0; i < sgl->sg_nr; i++) {
		const d_iov_t *iov = &sgl->sg_iovs[i];

		if (iov->iov_buf_len == 0)
			continue;
		memcpy(iov->iov_buf, src, iov->iov_buf_len);
		src += iov->iov_buf_len;
	}
	return src;
}

uint64_t
obj_pieces_bytes(const d_sg_list_t *sgl)
{
	return d_sgl_buf_bytes(sgl);
}

/* ---- into user buffers ---- */

int
obj_runs_check(const struct obj_run *runs, uint32_t nr, uint64_t room)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < nr; i++) {
		if (runs[i].len == 0 || runs[i].off > room || runs[i].len > room - runs[i].off ||
		    (i > 0 && runs[i].off <= end))
			return -DER_PROTO;
		end = runs[i].off + runs[i].len;
	}
	return 0;
}

uint64_t
obj_runs_end(const struct obj_run *runs, uint32_t nr)
{
	return nr == 0 ? 0 : runs[nr - 1].off + runs[nr - 1].len;
}

/** Move on by @bytes of room; false: there is less. */
static bool
skip_room(const d_sg_list_t *sgl, struct d_sgl_pos *pos, uint64_t bytes)
{
	while (bytes > 0) {
		uint64_t left;

		if (pos->iov_idx >= sgl->sg_nr)
			return false;
		left = sgl->sg_iovs[pos->iov_idx].iov_buf_len - pos->iov_off;
		if (bytes < left) {
			pos->iov_off += bytes;
			return true;
		}
		bytes -= left;
		pos->iov_idx++;
		pos->iov_off = 0;
	}
	return true;
}

int
obj_runs_scatter(const struct obj_run *runs, uint32_t nr, const char *src, d_sg_list_t *sgl)
{
	struct d_sgl_pos pos = {0};
	uint64_t         at  = 0;

	for (uint32_t i = 0; i < nr; i++) {
		int rc;

		if (!skip_room(sgl, &pos, runs[i].off - at))
			return -DER_TRUNC;
		rc = d_sgl_copy_in(sgl, &pos, src, runs[i].len);
		if (rc != 0)
			return rc;
		src += runs[i].len;
		at = runs[i].off + runs[i].len;
	}
	return 0;
}

static void
iom_add(daos_iom_t *iom, uint64_t idx, uint64_t nr)
{
	daos_recx_t *last = iom->iom_nr_out == 0 ? NULL : &iom->iom_recx_hi;

	if (last == NULL)
		iom->iom_recx_lo = (daos_recx_t){.rx_idx = idx, .rx_nr = nr};
	else if (idx < iom->iom_recx_lo.rx_idx)
		iom->iom_recx_lo = (daos_recx_t){.rx_idx = idx, .rx_nr = nr};
	if (last == NULL || idx >= last->rx_idx)
		iom->iom_recx_hi = (daos_recx_t){.rx_idx = idx, .rx_nr = nr};
	if (iom->iom_recxs != NULL && iom->iom_nr_out < iom->iom_nr)
		iom->iom_recxs[iom->iom_nr_out] = (daos_recx_t){.rx_idx = idx, .rx_nr = nr};
	iom->iom_nr_out++;
}

void
obj_runs_to_iom(const daos_iod_t *iod, uint64_t rec_bytes, const struct obj_run *runs, uint32_t nr,
		daos_iom_t *iom)
{
	uint64_t begin = 0; /* of the extent, in records of the stream */
	uint32_t r     = 0;

	iom->iom_type    = iod->iod_type;
	iom->iom_size    = rec_bytes;
	iom->iom_nr_out  = 0;
	iom->iom_recx_lo = (daos_recx_t){0};
	iom->iom_recx_hi = (daos_recx_t){0};
	if (iod->iod_type != DAOS_IOD_ARRAY || rec_bytes == 0)
		return;
	for (uint32_t x = 0; x < iod->iod_nr; x++) {
		const daos_recx_t *recx = &iod->iod_recxs[x];
		uint64_t           end  = begin + recx->rx_nr;

		while (r < nr && runs[r].off / rec_bytes < end) {
			uint64_t run_begin = runs[r].off / rec_bytes;
			uint64_t run_end   = (runs[r].off + runs[r].len) / rec_bytes;
			uint64_t from      = MAX_OF(run_begin, begin), to = MIN_OF(run_end, end);

			if (to > from)
				iom_add(iom, recx->rx_idx + (from - begin), to - from);
			if (run_end > end)
				break; /* it goes on in the next extent */
			r++;
		}
		begin = end;
	}
}

uint32_t
obj_sgl_cut(const d_sg_list_t *sgl, uint64_t bytes, bool room, d_iov_t *iovs, uint32_t iov_nr)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < sgl->sg_nr && bytes > 0; i++) {
		const d_iov_t *iov  = &sgl->sg_iovs[i];
		uint64_t       part = MIN_OF(bytes, room ? iov->iov_buf_len : iov->iov_len);

		if (part == 0)
			continue;
		D_ASSERT(nr < iov_nr);
		d_iov_set(&iovs[nr++], iov->iov_buf, part);
		bytes -= part;
	}
	D_ASSERT(bytes == 0);
	return nr;
}

/* ---- lists of keys ---- */

bool
obj_kds_add(struct obj_kds_pack *pack, const void *key, uint64_t key_bytes)
{
	if (pack->nr == pack->nr_max)
		return false;
	if (key_bytes > pack->room - pack->used) {
		pack->need = key_bytes;
		return false;
	}
	memcpy(pack->buf + pack->used, key, key_bytes);
	pack->used += key_bytes;
	pack->kds[pack->nr++] = (daos_key_desc_t){.kd_key_len = key_bytes};
	return true;
}

int
obj_kds_check(const daos_key_desc_t *kds, uint32_t nr, uint64_t key_bytes)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (kds[i].kd_key_len == 0 || kds[i].kd_key_len > key_bytes)
			return -DER_PROTO;
		key_bytes -= kds[i].kd_key_len;
	}
	return key_bytes == 0 ? 0 : -DER_PROTO;
}
