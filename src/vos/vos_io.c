/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What updates and fetches share, and both with the caller's own memory. */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_io.h"

static int
recx_check(const daos_recx_t *recx, uint64_t rsize)
{
	if (recx->rx_nr == 0 || recx->rx_nr > UINT64_MAX - recx->rx_idx)
		return -DER_INVAL;
	if (rsize != 0 && recx->rx_nr > UINT32_MAX / rsize)
		return -DER_REC2BIG;
	return 0;
}

static int
iod_check(const daos_iod_t *iod, daos_unit_oid_t oid)
{
	struct vos_key_probe probe;
	uint32_t	     i;
	int		     rc;

	rc = vos_key_probe_init(&probe, vos_akey_kind(oid), &iod->iod_name);
	if (rc != 0)
		return rc;
	if (iod->iod_size > UINT32_MAX)
		return -DER_REC2BIG;
	if (iod->iod_type == DAOS_IOD_SINGLE)
		return iod->iod_nr == 1 ? 0 : -DER_INVAL;
	if (iod->iod_type != DAOS_IOD_ARRAY || iod->iod_nr == 0 || iod->iod_recxs == NULL)
		return -DER_INVAL;
	for (i = 0; i < iod->iod_nr; i++) {
		rc = recx_check(&iod->iod_recxs[i], iod->iod_size);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
vos_io_new(struct vos_cont *cont, const struct vos_cond *cond, struct vos_io **ret_io)
{
	struct vos_key_probe probe;
	struct vos_io	    *io;
	unsigned	     i;
	int		     rc;

	if (cond->nr == 0 || cond->nr > VOS_IOD_MAX || cond->iods == NULL || cond->epoch == 0)
		return -DER_INVAL;
	rc = vos_key_probe_init(&probe, vos_dkey_kind(cond->oid), cond->dkey);
	for (i = 0; i < cond->nr && rc == 0; i++)
		rc = iod_check(&cond->iods[i], cond->oid);
	if (rc != 0)
		return rc;
	io = malloc(sizeof(*io) + cond->nr * sizeof(*io->sgls));
	if (io == NULL)
		return -DER_NOMEM;
	memset(io, 0, offsetof(struct vos_io, seg_inline));
	memset(io + 1, 0, cond->nr * sizeof(*io->sgls));
	io->sgls = (d_sg_list_t *)(io + 1);
	io->cond = *cond;
	io->cont = cont;
	d_list_init(&io->reserved);
	vos_cont_get(cont);
	*ret_io = io;
	return 0;
}

void
vos_io_free(struct vos_io *io)
{
	struct vos_pool *pool = io->cont->pool;

	if (!d_list_empty(&io->reserved))
		vea_cancel(pool->space.vea, &io->reserved);
	if (io->dma != NULL)
		bio_buf_put(pool->store->ctx, io->dma, io->dma_bytes);
	free(io->dram);
	if (io->iovs != io->iov_inline)
		free(io->iovs);
	if (io->segs != io->seg_inline)
		free(io->segs);
	free(io->rsizes);
	if (io->pieces != io->piece_inline)
		free(io->pieces);
	free(io->runs);
	vos_cont_close(io->cont);
	free(io);
}

int
vos_io_grow(void **array, uint32_t nr, uint32_t *cap, size_t elem_bytes, void *own)
{
	uint32_t new_cap = *cap == 0 ? 4 : *cap * 2;
	void	*bigger;

	if (nr < *cap)
		return 0;
	if (*cap == 0 && own != NULL) {
		*array = own;
		*cap = VOS_IO_INLINE;
		return 0;
	}
	bigger = realloc(*array == own ? NULL : *array, new_cap * elem_bytes);
	if (bigger == NULL)
		return -DER_NOMEM;
	if (own != NULL && *array == own)
		memcpy(bigger, own, *cap * elem_bytes);
	*array = bigger;
	*cap = new_cap;
	return 0;
}

d_iov_t *
vos_io_iovs(struct vos_io *io, uint32_t nr)
{
	if (io->iovs != NULL && io->iovs != io->iov_inline)
		free(io->iovs);
	io->iovs = nr <= VOS_IO_INLINE ? io->iov_inline : malloc(nr * sizeof(*io->iovs));
	return io->iovs;
}

void
vos_io_group_done(void *arg, int rc)
{
	struct vos_io_group *group = arg;

	if (rc != 0 && group->rc == 0)
		group->rc = rc;
	if (--group->left == 0)
		ult_eventual_set(&group->done, 0);
}

/* Callbacks never run inside the call that starts a request. */
bool
vos_io_group_add(struct vos_io_group *group, int rc)
{
	if (rc == 0)
		group->left++;
	else if (group->rc == 0)
		group->rc = rc;
	return rc == 0;
}

MAY_YIELD int
vos_io_group_wait(struct vos_io_group *group)
{
	vos_io_group_done(group, 0);
	(void)ult_eventual_wait(&group->done);
	return group->rc;
}

d_sg_list_t *
vos_io_sgl(struct vos_io *io, unsigned idx)
{
	D_ASSERT(idx < io->cond.nr);
	return &io->sgls[idx];
}

uint64_t
vos_io_iod_size(struct vos_io *io, unsigned idx)
{
	D_ASSERT(idx < io->cond.nr);
	return io->rsizes == NULL ? io->cond.iods[idx].iod_size : io->rsizes[idx];
}

/* ---- the caller's memory ---- */

/** A place in a scatter-gather list. */
struct sgl_pos {
	const d_sg_list_t *sgl;
	uint32_t	   iov_idx;
	size_t		   off;
};

/** Bytes from here to the end of the current piece; 0 at the end. */
static size_t
sgl_room(struct sgl_pos *pos, bool filled)
{
	while (pos->sgl != NULL && pos->iov_idx < pos->sgl->sg_nr) {
		const d_iov_t *iov = &pos->sgl->sg_iovs[pos->iov_idx];
		size_t	       bytes = filled ? iov->iov_len : iov->iov_buf_len;

		if (iov->iov_buf != NULL && pos->off < bytes)
			return bytes - pos->off;
		pos->iov_idx++;
		pos->off = 0;
	}
	return 0;
}

static char *
sgl_at(const struct sgl_pos *pos)
{
	return (char *)pos->sgl->sg_iovs[pos->iov_idx].iov_buf + pos->off;
}

static int
copy_in(d_sg_list_t *to, const d_sg_list_t *from)
{
	struct sgl_pos pos = {.sgl = from};
	uint32_t       i;

	for (i = 0; i < to->sg_nr; i++) {
		size_t done = 0;

		while (done < to->sg_iovs[i].iov_buf_len) {
			size_t n = MIN_OF(sgl_room(&pos, true), to->sg_iovs[i].iov_buf_len - done);

			if (n == 0)
				return -DER_IO_INVAL;
			memcpy((char *)to->sg_iovs[i].iov_buf + done, sgl_at(&pos), n);
			pos.off += n;
			done += n;
		}
	}
	return 0;
}

/** Holes read as zeroes. Sets iov_len and sg_nr_out. */
static int
copy_out(d_sg_list_t *to, const d_sg_list_t *from)
{
	struct sgl_pos pos = {.sgl = to};
	uint32_t       i;

	for (i = 0; i < to->sg_nr; i++)
		to->sg_iovs[i].iov_len = 0;
	for (i = 0; i < from->sg_nr; i++) {
		const d_iov_t *src = &from->sg_iovs[i];
		size_t	       done = 0;

		while (done < src->iov_buf_len) {
			size_t n = MIN_OF(sgl_room(&pos, false), src->iov_buf_len - done);

			if (n == 0)
				return -DER_REC2BIG;
			if (src->iov_buf != NULL)
				memcpy(sgl_at(&pos), (char *)src->iov_buf + done, n);
			else
				memset(sgl_at(&pos), 0, n);
			pos.off += n;
			done += n;
			to->sg_iovs[pos.iov_idx].iov_len = pos.off;
		}
	}
	to->sg_nr_out = from->sg_nr == 0 ? 0 : pos.iov_idx + 1;
	return 0;
}

MAY_YIELD int
vos_obj_update(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags,
	       const daos_key_t *dkey, unsigned nr, const daos_iod_t *iods, const d_sg_list_t *sgls)
{
	struct vos_cond cond = {oid, epoch, flags, dkey, nr, iods};
	struct vos_io  *io;
	unsigned	i;
	int		rc;

	rc = vos_update_cond_begin(cont, &cond, sgls, &io);
	if (rc != 0)
		return rc;
	for (i = 0; i < nr && rc == 0; i++)
		if (vos_io_sgl(io, i)->sg_nr > 0)
			rc = copy_in(vos_io_sgl(io, i), sgls == NULL ? NULL : &sgls[i]);
	return vos_update_end(io, rc);
}

static int
iod_copy_out(struct vos_io *io, unsigned idx, daos_iod_t *iod, d_sg_list_t *sgl)
{
	uint64_t asked = iod->iod_size;

	iod->iod_size = vos_io_iod_size(io, idx);
	if (sgl == NULL || sgl->sg_iovs == NULL)
		return 0;
	sgl->sg_nr_out = 0;
	if (iod->iod_type == DAOS_IOD_ARRAY && asked != DAOS_REC_ANY && iod->iod_size != 0 &&
	    asked != iod->iod_size)
		return -DER_REC_SIZE;
	if (iod->iod_size == 0) {
		for (uint32_t i = 0; i < sgl->sg_nr; i++)
			sgl->sg_iovs[i].iov_len = 0;
		return 0;
	}
	return copy_out(sgl, vos_io_sgl(io, idx));
}

MAY_YIELD int
vos_obj_fetch(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags,
	      const daos_key_t *dkey, unsigned nr, daos_iod_t *iods, d_sg_list_t *sgls)
{
	struct vos_cond cond = {oid, epoch, flags, dkey, nr, iods};
	struct vos_io  *io;
	unsigned	i;
	int		rc;

	rc = vos_fetch_cond_begin(cont, &cond, true, &io);
	if (rc != 0)
		return rc;
	for (i = 0; i < nr && rc == 0; i++)
		rc = iod_copy_out(io, i, &iods[i], sgls == NULL ? NULL : &sgls[i]);
	vos_fetch_end(io);
	return rc;
}
