/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fetches. First the plan: which pieces, where. Then memory for them, which may have to be waited
 * for; if anything was committed meanwhile, the plan is made again. From the plan on nothing yields
 * until values in the heap are copied and the reader is registered, which keeps the blocks of the
 * plan from being written again while they are read.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"
#include "vos/vos_io.h"

/* ---- the plan ---- */

static int
piece_add(struct vos_io *io, enum vos_media media, uint64_t rec_nr, uint64_t addr)
{
	int rc;

	if (rec_nr == 0)
		return 0;
	rc = vos_io_grow((void **)&io->pieces, io->piece_nr, &io->piece_cap, sizeof(*io->pieces),
			 io->piece_inline);
	if (rc == 0)
		io->pieces[io->piece_nr++] =
		    (struct vos_piece){.media = media, .rec_nr = rec_nr, .addr = addr};
	return rc;
}

static int
plan_single(struct vos_io *io, unsigned idx, struct vos_key_df *akey, const struct vos_view *view)
{
	const struct vos_sv_df *sv = vos_sv_find(io->cont->pool, akey, view);

	if (sv == NULL)
		return 0;
	io->rsizes[idx] = sv->bytes;
	return piece_add(io, sv->flags & VOS_MEDIA_MASK, 1, sv->addr);
}

static int
plan_recx(struct vos_io *io, unsigned idx, struct vos_key_df *akey, const struct vos_view *view,
	  const daos_recx_t *recx)
{
	struct vos_evt	    evt = vos_akey_evt(io->cont->pool, akey);
	struct vos_ext_list list = {0};
	uint64_t	    at = recx->rx_idx;
	uint64_t	    end = recx->rx_idx + recx->rx_nr;
	uint32_t	    i;
	int		    rc;

	rc = vos_evt_fetch(&evt, view, at, end, UINT32_MAX, &list, NULL);
	for (i = 0; i < list.nr && rc == 0; i++) {
		struct vos_ext *e = &list.exts[i];

		if (io->rsizes[idx] != 0 && io->rsizes[idx] != e->rsize) {
			rc = -DER_REC_SIZE; /* written in different orders at different sizes */
			break;
		}
		io->rsizes[idx] = e->rsize;
		rc = piece_add(io, VOS_MEDIA_HOLE, e->lo - at, 0);
		if (rc == 0)
			rc = piece_add(io, e->flags & VOS_MEDIA_MASK, e->hi - e->lo, e->addr);
		at = e->hi;
	}
	if (rc == 0)
		rc = piece_add(io, VOS_MEDIA_HOLE, end - at, 0);
	vos_ext_list_fini(&list);
	return rc;
}

static int
plan_iod(struct vos_io *io, unsigned idx, struct vos_key_df *dkey, struct vos_ver punch)
{
	const daos_iod_t    *iod = &io->cond.iods[idx];
	struct vos_view	     view = {io->cond.epoch, punch};
	struct vos_key_probe probe;
	struct vos_key_df   *akey;
	uint32_t	     i;
	int		     rc;

	rc = vos_key_probe_init(&probe, vos_akey_kind(io->cond.oid), &iod->iod_name);
	if (rc != 0)
		return rc;
	akey = vos_key_find(io->cont->pool, &dkey->akeys, &probe);
	if (akey == NULL ||
	    !vos_inc_enter(io->cont->pool->umem, &akey->inc, view.epoch, &view.punch))
		return 0;
	if (iod->iod_type == DAOS_IOD_SINGLE)
		return akey->type == VOS_AKEY_ARRAY ? -DER_INVAL
						    : plan_single(io, idx, akey, &view);
	if (akey->type == VOS_AKEY_SINGLE)
		return -DER_INVAL;
	for (i = 0; i < iod->iod_nr && rc == 0; i++)
		rc = plan_recx(io, idx, akey, &view, &iod->iod_recxs[i]);
	return rc;
}

/** The dkey, if anything in it may be visible, and the newest punch above its akeys. */
static int
plan_dkey(struct vos_io *io, struct vos_key_df **ret_dkey, struct vos_ver *ret_punch)
{
	struct vos_pool	    *pool = io->cont->pool;
	struct vos_obj_df   *obj = vos_obj_find(pool, io->cont->df, &io->cond.oid);
	struct vos_key_probe probe;
	struct vos_key_df   *dkey;
	int		     rc;

	*ret_dkey = NULL;
	*ret_punch = VOS_VER_NONE;
	if (obj == NULL || !vos_inc_enter(pool->umem, &obj->inc, io->cond.epoch, ret_punch))
		return 0;
	rc = vos_key_probe_init(&probe, vos_dkey_kind(io->cond.oid), io->cond.dkey);
	if (rc != 0)
		return rc;
	dkey = vos_key_find(pool, &obj->dkeys, &probe);
	if (dkey != NULL && vos_inc_enter(pool->umem, &dkey->inc, io->cond.epoch, ret_punch))
		*ret_dkey = dkey;
	return 0;
}

/** Blocks of a piece: behind those of the one before where they adjoin. */
static int
run_add(struct vos_io *io, uint64_t addr, uint64_t bytes, uint64_t *ret_buf_off)
{
	uint64_t	first = addr / BIO_BLOCK_BYTES;
	uint64_t	end = (addr + bytes + BIO_BLOCK_BYTES - 1) / BIO_BLOCK_BYTES;
	struct vos_run *run = io->run_nr == 0 ? NULL : &io->runs[io->run_nr - 1];
	int		rc;

	if (run == NULL || first < run->blk_off || first > run->blk_off + run->blk_nr) {
		uint64_t off = run == NULL ? 0 : run->buf_off + run->blk_nr * BIO_BLOCK_BYTES;

		rc = vos_io_grow((void **)&io->runs, io->run_nr, &io->run_cap, sizeof(*io->runs), NULL);
		if (rc != 0)
			return rc;
		run = &io->runs[io->run_nr++];
		*run = (struct vos_run){.blk_off = first, .buf_off = off};
	}
	run->blk_nr = MAX_OF(run->blk_nr, end - run->blk_off);
	*ret_buf_off = run->buf_off + addr - run->blk_off * BIO_BLOCK_BYTES;
	return 0;
}

/** Where in the two buffers each piece goes; buf holds the offset until they exist. */
static int
plan_memory(struct vos_io *io, uint64_t *ret_dram, uint64_t *ret_dma)
{
	uint64_t dram = 0;
	uint64_t off = 0;
	unsigned i;
	uint32_t p;
	int	 rc;

	io->run_nr = 0;
	for (i = 0; i < io->cond.nr; i++) {
		for (p = io->piece_first[i]; p < io->piece_first[i + 1]; p++) {
			struct vos_piece *piece = &io->pieces[p];
			uint64_t	  bytes = piece->rec_nr * io->rsizes[i];

			if (piece->media == VOS_MEDIA_HEAP) {
				off = dram;
				dram += align_up(bytes, 16);
			} else if (piece->media == VOS_MEDIA_DATA) {
				rc = run_add(io, piece->addr, bytes, &off);
				if (rc != 0)
					return rc;
			}
			piece->buf = (char *)(uintptr_t)off;
		}
	}
	*ret_dram = dram;
	*ret_dma = io->run_nr == 0 ? 0
				   : io->runs[io->run_nr - 1].buf_off +
					 io->runs[io->run_nr - 1].blk_nr * BIO_BLOCK_BYTES;
	return 0;
}

static int
plan_make(struct vos_io *io, uint64_t *ret_dram, uint64_t *ret_dma)
{
	struct vos_key_df *dkey;
	struct vos_ver	   punch;
	unsigned	   i;
	int		   rc;

	rc = UNLIKELY(io->cont->dtx != NULL) ? vos_dtx_read_check(io->cont, &io->cond) : 0;
	if (rc == 0)
		rc = vos_cond_check(io->cont, &io->cond);
	if (rc == 0)
		rc = plan_dkey(io, &dkey, &punch);
	if (rc != 0)
		return rc;
	io->piece_nr = 0;
	memset(io->rsizes, 0, io->cond.nr * sizeof(*io->rsizes));
	for (i = 0; i < io->cond.nr; i++) {
		io->piece_first[i] = io->piece_nr;
		rc = dkey == NULL ? 0 : plan_iod(io, i, dkey, punch);
		if (rc != 0)
			return rc;
	}
	io->piece_first[i] = io->piece_nr;
	return plan_memory(io, ret_dram, ret_dma);
}

/* ---- memory and reading ---- */

/** Plan until the plan fits the memory that was got for it. */
MAY_YIELD static int
plan_settle(struct vos_io *io)
{
	struct vos_pool *pool = io->cont->pool;
	uint64_t	 dram = 0;
	uint64_t	 dma;
	int		 rc;

	for (;;) {
		uint64_t seq;

		rc = plan_make(io, &dram, &dma);
		if (rc != 0 || dma <= io->dma_bytes)
			break;
		if (io->dma != NULL)
			bio_buf_put(pool->store->ctx, io->dma, io->dma_bytes);
		io->dma = NULL;
		io->dma_bytes = 0;
		seq = umem_last_seq(pool->umem);
		rc = bio_buf_get(pool->store->ctx, dma, &io->dma);
		if (rc != 0)
			return rc;
		io->dma_bytes = dma;
		if (seq == umem_last_seq(pool->umem))
			break;
	}
	/* Reading blocks yields. */
	io->direct = io->direct && io->run_nr == 0;
	if (rc == 0 && dram > 0 && !io->direct) {
		io->dram = malloc(dram);
		rc = io->dram == NULL ? -DER_NOMEM : 0;
	}
	return rc;
}

static uint32_t
iod_iovs_build(struct vos_io *io, unsigned idx, d_iov_t *iov)
{
	uint64_t rsize = io->rsizes[idx];
	uint32_t p;

	if (rsize == 0)
		return 0;
	io->sgls[idx].sg_iovs = iov;
	for (p = io->piece_first[idx]; p < io->piece_first[idx + 1]; p++, iov++) {
		struct vos_piece *piece = &io->pieces[p];
		uintptr_t	  off = (uintptr_t)piece->buf;
		uint64_t	  bytes = piece->rec_nr * rsize;

		if (piece->media == VOS_MEDIA_HEAP && io->direct) {
			piece->buf = umem_ptr(io->cont->pool->umem, piece->addr);
		} else if (piece->media == VOS_MEDIA_HEAP) {
			piece->buf = io->dram + off;
			memcpy(piece->buf, umem_ptr(io->cont->pool->umem, piece->addr), bytes);
		} else {
			piece->buf = piece->media == VOS_MEDIA_DATA ? (char *)io->dma + off : NULL;
		}
		d_iov_set(iov, piece->buf, bytes);
	}
	p -= io->piece_first[idx];
	io->sgls[idx].sg_nr = io->sgls[idx].sg_nr_out = p;
	return p;
}

/** Copies what is in the heap, too. */
static int
sgls_build(struct vos_io *io)
{
	uint32_t iov_nr = 0;
	unsigned i;

	if (io->piece_nr == 0)
		return 0;
	if (vos_io_iovs(io, io->piece_nr) == NULL)
		return -DER_NOMEM;
	for (i = 0; i < io->cond.nr; i++)
		iov_nr += iod_iovs_build(io, i, io->iovs + iov_nr);
	return 0;
}

MAY_YIELD static int
runs_read(struct vos_io *io)
{
	struct vos_pool	   *pool = io->cont->pool;
	struct vos_io_group group;
	uint32_t	    i;

	vos_io_group_init(&group);
	for (i = 0; i < io->run_nr; i++) {
		struct vos_run *run = &io->runs[i];
		struct iovec iov = {(char *)io->dma + run->buf_off, run->blk_nr * BIO_BLOCK_BYTES};

		if (io->run_nr == 1)
			return bio_readv(pool->data, run->blk_off * BIO_BLOCK_BYTES, &iov, 1);
		if (!vos_io_group_add(&group,
				      bio_readv_async(pool->data, run->blk_off * BIO_BLOCK_BYTES,
						      &iov, 1, vos_io_group_done, &group)))
			break;
	}
	return vos_io_group_wait(&group);
}

/** Before the reader ends: then the blocks may be another's. */
static int
runs_verify(struct vos_io *io)
{
	uint32_t i;
	int	 rc = 0;

	for (i = 0; i < io->run_nr && rc == 0; i++)
		rc = vos_csum_verify(io->cont->pool, io->runs[i].blk_off,
				     (char *)io->dma + io->runs[i].buf_off, io->runs[i].blk_nr);
	return rc;
}

static int
fetch_new(struct vos_cont *cont, const struct vos_cond *cond, struct vos_io **ret_io)
{
	struct vos_io *io;
	int	       rc;

	rc = vos_io_new(cont, cond, &io);
	if (rc != 0)
		return rc;
	io->rsizes = malloc(cond->nr * sizeof(*io->rsizes) + (cond->nr + 1) * sizeof(*io->piece_first));
	io->piece_first = (uint32_t *)(io->rsizes + cond->nr);
	if (io->rsizes == NULL) {
		vos_io_free(io);
		return -DER_NOMEM;
	}
	*ret_io = io;
	return 0;
}

int
vos_fetch_sizes(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags,
		const daos_key_t *dkey, unsigned nr, const daos_iod_t *iods, uint64_t *sizes)
{
	struct vos_cond cond = {oid, epoch, flags, dkey, nr, iods, 0};
	struct vos_io  *io;
	uint64_t	dram;
	uint64_t	dma;
	int		rc;

	rc = fetch_new(cont, &cond, &io);
	if (rc != 0)
		return rc;
	rc = plan_make(io, &dram, &dma);
	if (rc == 0)
		memcpy(sizes, io->rsizes, nr * sizeof(*sizes));
	vos_io_free(io);
	return rc;
}

MAY_YIELD int
vos_fetch_begin(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags,
		const daos_key_t *dkey, unsigned nr, const daos_iod_t *iods, struct vos_io **ret_io)
{
	struct vos_cond cond = {oid, epoch, flags, dkey, nr, iods, 0};

	return vos_fetch_cond_begin(cont, &cond, false, ret_io);
}

MAY_YIELD int
vos_fetch_cond_begin(struct vos_cont *cont, const struct vos_cond *cond, bool direct,
		     struct vos_io **ret_io)
{
	struct vos_io *io;
	int	       rc;

	rc = fetch_new(cont, cond, &io);
	if (rc != 0)
		return rc;
	io->direct = direct;
	rc = plan_settle(io);
	if (cond->reader != 0 && (rc == 0 || rc == -DER_NONEXIST || rc == -DER_EXIST))
		vos_dtx_note_read(cont, cond);
	if (rc == 0)
		rc = sgls_build(io);
	if (rc == 0 && io->run_nr > 0) {
		vos_read_get(cont->pool, &io->reader);
		rc = runs_read(io);
		if (rc == 0)
			rc = runs_verify(io);
		vos_read_put(cont->pool, &io->reader);
	}
	if (rc != 0) {
		vos_io_free(io);
		return rc;
	}
	*ret_io = io;
	return 0;
}

MAY_YIELD void
vos_fetch_end(struct vos_io *io)
{
	vos_io_free(io);
}
