/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Updates. Begin reserves blocks and hands out memory; end writes the blocks, then one transaction
 * puts everything into the trees.
 *
 * Where it yields, and what is looked at again: begin may wait for buffers after the conditions
 * were checked, the caller takes its time to fill the memory, end waits for the device. Meanwhile
 * objects come and go. So begin keeps no pointer into the heap, and the transaction checks floor
 * and conditions afresh and looks everything up by key. The container cannot go: the operation
 * holds it open, which makes its destruction BUSY.
 *
 * Small values come in the heap when the transaction allocates them; until then they are in DRAM.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "vos/vos_dtx_index.h"
#include "vos/vos_io.h"

#define HEAP_BYTES_OP	1024u /**< estimates of what an operation, akey, extent takes in the heap */
#define HEAP_BYTES_IOD	256u
#define HEAP_BYTES_RECX 192u

static uint64_t
blocks_of(uint64_t bytes)
{
	return (bytes + BIO_BLOCK_BYTES - 1) / BIO_BLOCK_BYTES;
}

/* ---- begin ---- */

static int
seg_add(struct vos_io *io, unsigned iod_idx, uint64_t lo, uint64_t nr)
{
	struct vos_pool *pool = io->cont->pool;
	uint64_t	 bytes = nr * io->cond.iods[iod_idx].iod_size;
	struct vos_seg	*seg;
	int		 rc;

	rc = vos_io_grow((void **)&io->segs, io->seg_nr, &io->seg_cap, sizeof(*io->segs),
			 io->seg_inline);
	if (rc != 0)
		return rc;
	seg = &io->segs[io->seg_nr++];
	*seg = (struct vos_seg){.iod_idx = iod_idx, .lo = lo, .hi = lo + nr, .bytes = bytes};
	if (bytes == 0) {
		seg->media = VOS_MEDIA_HOLE;
	} else if (pool->space.vea != NULL && bytes >= pool->data_thresh) {
		seg->media = VOS_MEDIA_DATA;
		io->blk_nr += blocks_of(bytes);
	} else {
		seg->media = VOS_MEDIA_HEAP;
		io->dram_bytes += align_up(bytes, 16);
	}
	return 0;
}

static int
segs_plan(struct vos_io *io)
{
	unsigned i;
	uint32_t j;
	int	 rc = 0;

	for (i = 0; i < io->cond.nr && rc == 0; i++) {
		const daos_iod_t *iod = &io->cond.iods[i];

		if (iod->iod_type == DAOS_IOD_SINGLE)
			rc = seg_add(io, i, 0, 1);
		for (j = 0; iod->iod_type == DAOS_IOD_ARRAY && j < iod->iod_nr && rc == 0; j++)
			rc = seg_add(io, i, iod->iod_recxs[j].rx_idx, iod->iod_recxs[j].rx_nr);
	}
	return rc;
}

static uint64_t
heap_estimate(const struct vos_io *io)
{
	return io->dram_bytes + HEAP_BYTES_OP + io->cond.nr * (uint64_t)HEAP_BYTES_IOD +
	       io->seg_nr * (uint64_t)HEAP_BYTES_RECX;
}

/** A segment no free extent is long enough for becomes two, if it has more than one record. */
static int
seg_halve(struct vos_io *io, uint32_t idx)
{
	struct vos_seg *seg = &io->segs[idx];
	uint64_t	rsize = io->cond.iods[seg->iod_idx].iod_size;
	uint64_t	half;
	int		rc;

	if (io->cond.iods[seg->iod_idx].iod_type == DAOS_IOD_SINGLE || seg->hi - seg->lo < 2 ||
	    seg->bytes <= BIO_BLOCK_BYTES)
		return -DER_NOSPACE;
	/* Split where a block ends, so that no more blocks are needed than before. */
	half = align_up(seg->bytes / 2, BIO_BLOCK_BYTES) / rsize;
	if (half == 0 || half >= seg->hi - seg->lo)
		half = (seg->hi - seg->lo) / 2;
	rc = vos_io_grow((void **)&io->segs, io->seg_nr, &io->seg_cap, sizeof(*io->segs),
			 io->seg_inline);
	if (rc != 0)
		return rc;
	seg = &io->segs[idx];
	memmove(seg + 2, seg + 1, (io->seg_nr - idx - 1) * sizeof(*seg));
	io->seg_nr++;
	io->blk_nr -= blocks_of(seg->bytes);
	seg[1] = seg[0];
	seg[0].hi = seg[0].lo + half;
	seg[1].lo = seg[0].hi;
	seg[0].bytes = half * rsize;
	seg[1].bytes -= seg[0].bytes;
	io->blk_nr += blocks_of(seg[0].bytes) + blocks_of(seg[1].bytes);
	return 0;
}

/** One extent for all, or else one for each segment, or else for parts of them. */
static int
blocks_reserve(struct vos_io *io)
{
	struct vos_pool	  *pool = io->cont->pool;
	struct vea	  *vea = pool->space.vea;
	struct vea_extent *ext;
	bool		   small = io->blk_nr <= VOS_SMALL_BLK_NR;
	uint64_t	   next;
	uint32_t	   i;
	int		   rc = -DER_NOSPACE;

	if (io->blk_nr == 0)
		return 0;
	if (io->blk_nr <= UINT32_MAX)
		rc = vea_reserve(vea, io->blk_nr, small ? &pool->prepare.hint : &pool->hint,
				 &io->reserved);
	if (rc == 0) {
		if (small)
			vos_prepare_kick(pool);
		next = d_list_first(&io->reserved, struct vea_extent, link)->blk_off;
		for (i = 0; i < io->seg_nr; i++) {
			if (io->segs[i].media != VOS_MEDIA_DATA)
				continue;
			io->segs[i].blk_off = next;
			next += blocks_of(io->segs[i].bytes);
		}
		return 0;
	}
	for (i = 0; i < io->seg_nr && (rc == 0 || rc == -DER_NOSPACE);) {
		if (io->segs[i].media != VOS_MEDIA_DATA) {
			i++;
			continue;
		}
		rc = vea_reserve(vea, blocks_of(io->segs[i].bytes), &pool->hint, &io->reserved);
		if (rc == 0) {
			ext = d_list_entry(io->reserved.prev, struct vea_extent, link);
			io->segs[i++].blk_off = ext->blk_off;
		} else if (rc == -DER_NOSPACE) {
			rc = seg_halve(io, i);
			if (rc != 0)
				break;
		}
	}
	if (rc != 0)
		vea_cancel(vea, &io->reserved);
	return rc;
}

static int
space_reserve(struct vos_io *io)
{
	int rc;

	rc = vos_space_admit(io->cont->pool, heap_estimate(io), io->blk_nr);
	return rc != 0 ? rc : blocks_reserve(io);
}

/** Small values of iod @idx, one after the other in the caller's memory. False: that has them otherwise. */
static bool
iod_take(struct vos_io *io, unsigned idx, uint32_t *seg_idx)
{
	const d_iov_t *iov = &io->src[idx].sg_iovs[0];
	uint64_t       bytes = 0;
	uint32_t       first = *seg_idx;
	uint32_t       end = first;

	for (; end < io->seg_nr && io->segs[end].iod_idx == idx; end++) {
		if (io->segs[end].media == VOS_MEDIA_DATA)
			return false;
		bytes += io->segs[end].bytes;
	}
	if (bytes > iov->iov_len)
		return false;
	bytes = 0;
	for (; first < end; first++) {
		struct vos_seg *seg = &io->segs[first];

		seg->buf = (char *)iov->iov_buf + bytes;
		seg->taken = true;
		bytes += seg->bytes;
		io->dram_bytes -= seg->media == VOS_MEDIA_HEAP ? align_up(seg->bytes, 16) : 0;
	}
	*seg_idx = end;
	return true;
}

/** What can be taken from the caller's memory needs none of ours. */
static void
src_take(struct vos_io *io)
{
	uint32_t seg_idx = 0;
	unsigned i;

	for (i = 0; io->src != NULL && i < io->cond.nr; i++) {
		if (io->src[i].sg_nr == 1 && io->src[i].sg_iovs[0].iov_buf != NULL &&
		    iod_take(io, i, &seg_idx))
			continue;
		while (seg_idx < io->seg_nr && io->segs[seg_idx].iod_idx == i)
			seg_idx++;
	}
}

/** Memory for all segments. */
MAY_YIELD static int
buffers_get(struct vos_io *io)
{
	struct vos_pool *pool = io->cont->pool;
	char		*dram;
	char		*dma;
	uint32_t	 i;
	int		 rc;

	if (io->dram_bytes > 0) {
		io->dram = malloc(io->dram_bytes);
		if (io->dram == NULL)
			return -DER_NOMEM;
	}
	if (io->blk_nr > 0) {
		uint64_t bytes = io->blk_nr * BIO_BLOCK_BYTES;

		rc = bio_buf_get(pool->store->ctx, bytes, &io->dma);
		if (rc != 0)
			return rc;
		io->dma_bytes = bytes;
	}
	dram = io->dram;
	dma = io->dma;
	for (i = 0; i < io->seg_nr; i++) {
		struct vos_seg *seg = &io->segs[i];

		if (seg->media == VOS_MEDIA_HEAP && !seg->taken) {
			seg->buf = dram;
			dram += align_up(seg->bytes, 16);
		} else if (seg->media == VOS_MEDIA_DATA) {
			seg->buf = dma;
			dma += blocks_of(seg->bytes) * BIO_BLOCK_BYTES;
		}
	}
	return 0;
}

static int
sgls_build(struct vos_io *io)
{
	uint32_t i;

	if (vos_io_iovs(io, io->seg_nr) == NULL)
		return -DER_NOMEM;
	for (i = 0; i < io->seg_nr; i++) {
		d_sg_list_t *sgl = &io->sgls[io->segs[i].iod_idx];

		/* What is taken from the caller's memory is not to be filled. */
		if (io->segs[i].media == VOS_MEDIA_HOLE || io->segs[i].taken)
			continue;
		if (sgl->sg_nr == 0)
			sgl->sg_iovs = &io->iovs[i];
		d_iov_set(&io->iovs[i], io->segs[i].buf, io->segs[i].bytes);
		sgl->sg_nr++;
		sgl->sg_nr_out++;
	}
	return 0;
}

int
vos_update_check(const struct vos_io *io)
{
	int rc;

	rc = vos_epoch_admit(io->cont, io->cond.epoch);
	if (rc == 0 && UNLIKELY(io->cont->dtx != NULL))
		rc = vos_dtx_update_check(io->cont, &io->cond);
	if (rc != 0)
		return rc;
	rc = vos_cond_check(io->cont, &io->cond);
	/* That a condition does not hold is something read. */
	if (rc != 0 && UNLIKELY(io->cont->pool->ts != NULL))
		vos_dtx_note_conds(io->cont, &io->cond, 0);
	return rc;
}

MAY_YIELD int
vos_update_begin(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags,
		 const daos_key_t *dkey, unsigned nr, const daos_iod_t *iods,
		 struct vos_io **ret_io)
{
	struct vos_cond cond = {oid, epoch, flags, dkey, nr, iods, 0};

	return vos_update_cond_begin(cont, &cond, NULL, ret_io);
}

MAY_YIELD int
vos_update_cond_begin(struct vos_cont *cont, const struct vos_cond *cond, const d_sg_list_t *src,
		      struct vos_io **ret_io)
{
	struct vos_io *io;
	int	       rc;

	rc = vos_io_new(cont, cond, &io);
	if (rc != 0)
		return rc;
	io->is_update = true;
	io->src = src;
	rc = vos_update_check(io);
	if (rc == 0)
		rc = segs_plan(io);
	src_take(io);
	if (rc == 0)
		rc = space_reserve(io);
	if (rc == -DER_NOSPACE && vos_space_drain(cont->pool))
		rc = space_reserve(io);
	if (rc == 0)
		rc = buffers_get(io);
	if (rc == 0)
		rc = sgls_build(io);
	if (rc != 0) {
		vos_io_free(io);
		return rc;
	}
	*ret_io = io;
	return 0;
}

/* ---- end ---- */

/** Nothing old may come to the medium behind the last byte of a block. */
static void
padding_clear(struct vos_io *io)
{
	uint32_t i;

	for (i = 0; i < io->seg_nr; i++) {
		struct vos_seg *seg = &io->segs[i];

		if (seg->media == VOS_MEDIA_DATA)
			memset(seg->buf + seg->bytes, 0,
			       blocks_of(seg->bytes) * BIO_BLOCK_BYTES - seg->bytes);
	}
}

/** Segment behind @i that is contiguous with it in memory and on the medium? */
static bool
seg_adjoins(const struct vos_io *io, uint32_t i, uint64_t end_blk)
{
	return i < io->seg_nr && io->segs[i].media == VOS_MEDIA_DATA &&
	       io->segs[i].blk_off == end_blk;
}

/** Start a write for each run of adjoining segments. */
static void
writes_start(struct vos_io *io, struct vos_io_group *group)
{
	uint32_t i = 0;

	while (i < io->seg_nr) {
		struct vos_seg *seg = &io->segs[i++];
		struct iovec	iov = {.iov_base = seg->buf};
		uint64_t	end;

		if (seg->media != VOS_MEDIA_DATA)
			continue;
		end = seg->blk_off + blocks_of(seg->bytes);
		while (seg_adjoins(io, i, end))
			end += blocks_of(io->segs[i++].bytes);
		iov.iov_len = (end - seg->blk_off) * BIO_BLOCK_BYTES;
		if (!vos_io_group_add(group, bio_writev_async(io->cont->pool->data,
							      seg->blk_off * BIO_BLOCK_BYTES, &iov,
							      1, vos_io_group_done, group)))
			return;
	}
}

/**
 * Write the blocks, and compute what the log will say of them meanwhile. No flush: the one of the
 * transaction's record covers them (umem_tx_note_data).
 */
MAY_YIELD int
vos_update_write(struct vos_io *io)
{
	struct vos_io_group group;
	uint32_t	    i;

	if (io->blk_nr == 0)
		return 0;
	padding_clear(io);
	vos_io_group_init(&group);
	writes_start(io, &group);
	for (i = 0; i < io->seg_nr; i++) {
		struct vos_seg *seg = &io->segs[i];

		if (seg->media == VOS_MEDIA_DATA)
			seg->crc = d_crc32c(0, seg->buf, blocks_of(seg->bytes) * BIO_BLOCK_BYTES);
	}
	return vos_io_group_wait(&group);
}

/** Make reserved blocks used; inside the transaction. */
static int
blocks_publish(struct vos_io *io)
{
	struct vos_pool *pool = io->cont->pool;
	uint32_t	 i;
	int		 rc = 0;

	if (d_list_empty(&io->reserved))
		return 0;
	for (i = 0; i < io->seg_nr && rc == 0; i++) {
		const struct vos_seg *seg = &io->segs[i];

		if (seg->media == VOS_MEDIA_DATA)
			rc = umem_tx_note_data(pool->umem, seg->blk_off * BIO_BLOCK_BYTES,
					       blocks_of(seg->bytes) * BIO_BLOCK_BYTES, seg->crc);
		if (rc == 0 && seg->media == VOS_MEDIA_DATA)
			rc = vos_csum_put(pool, seg->blk_off, seg->buf, blocks_of(seg->bytes));
	}
	return rc != 0 ? rc : vea_publish(pool->space.vea, &io->reserved);
}

/** Address of the bytes of @seg, in the heap from now on or where they were written. */
static int
seg_place(struct vos_io *io, const struct vos_seg *seg, uint64_t *ret_addr)
{
	*ret_addr = seg->blk_off * BIO_BLOCK_BYTES;
	if (seg->media != VOS_MEDIA_HEAP)
		return 0;
	if (seg->addr != 0) {
		*ret_addr = seg->addr;
		return 0;
	}
	if (io->cond.iods[seg->iod_idx].iod_type == DAOS_IOD_SINGLE)
		return vos_heap_put_alone(&io->cont->pool->space, seg->buf, seg->bytes, ret_addr);
	return vos_heap_put(&io->cont->pool->space, seg->buf, seg->bytes, ret_addr);
}

static int
seg_insert(struct vos_io *io, const struct vos_seg *seg, struct vos_key_df *akey,
	   struct vos_ver ver)
{
	struct vos_pool *pool = io->cont->pool;
	struct vos_evt	 evt = vos_akey_evt(pool, akey);
	uint64_t	 addr;
	int		 rc;

	rc = seg_place(io, seg, &addr);
	if (rc != 0)
		return rc;
	if (akey->type == VOS_AKEY_SINGLE) {
		struct vos_sv_df sv = {.epoch = ver.epoch,
				       .seq = ver.seq,
				       .addr = addr,
				       .bytes = seg->bytes,
				       .flags = seg->media};

		return vos_sv_insert(pool, akey, &sv);
	}
	return vos_evt_insert(&evt, &(struct vos_ext){.lo = seg->lo,
						      .hi = seg->hi,
						      .epoch = ver.epoch,
						      .seq = ver.seq,
						      .addr = addr,
						      .rsize = io->cond.iods[seg->iod_idx].iod_size,
						      .flags = seg->media});
}

static int
akey_update(struct vos_io *io, struct vos_key_df *dkey, unsigned idx, struct vos_ver ver,
	    struct vos_ver punch, uint32_t *seg_idx)
{
	struct vos_pool	    *pool = io->cont->pool;
	const daos_iod_t    *iod = &io->cond.iods[idx];
	struct vos_key_probe probe;
	struct vos_key_df   *akey;
	int		     rc;

	rc = vos_key_probe_init(&probe, vos_akey_kind(io->cond.oid), &iod->iod_name);
	if (rc == 0)
		rc = vos_key_make(pool, &dkey->akeys, VOS_AKEY, &probe, &akey);
	if (rc == 0)
		rc = vos_inc_touch(pool->umem, &akey->inc, ver);
	if (rc != 0)
		return rc;
	punch = vos_ver_max(punch, vos_inc_punch_last(pool->umem, &akey->inc));
	rc = vos_akey_admit(pool, akey, iod, punch);
	while (rc == 0 && *seg_idx < io->seg_nr && io->segs[*seg_idx].iod_idx == idx)
		rc = seg_insert(io, &io->segs[(*seg_idx)++], akey, ver);
	return rc;
}

int
vos_update_place(struct vos_io *io)
{
	uint32_t i;
	int	 rc = 0;

	for (i = 0; i < io->seg_nr && rc == 0; i++)
		rc = seg_place(io, &io->segs[i], &io->segs[i].addr);
	return rc != 0 ? rc : blocks_publish(io);
}

int
vos_update_apply(struct vos_io *io)
{
	struct vos_pool	    *pool = io->cont->pool;
	struct vos_key_probe probe;
	struct vos_obj_df   *obj;
	struct vos_key_df   *dkey;
	struct vos_ver	     punch;
	struct vos_ver	     ver;
	uint32_t	     seg_idx = 0;
	unsigned	     i;
	int		     rc;

	rc = vos_tx_ver(io->cont, io->cond.epoch, &ver);
	if (rc == 0)
		rc = vos_obj_make(pool, io->cont->df, &io->cond.oid, &obj);
	if (rc == 0)
		rc = vos_inc_touch(pool->umem, &obj->inc, ver);
	if (rc == 0)
		rc = vos_key_probe_init(&probe, vos_dkey_kind(io->cond.oid), io->cond.dkey);
	if (rc == 0)
		rc = vos_key_make(pool, &obj->dkeys, VOS_DKEY, &probe, &dkey);
	if (rc == 0)
		rc = vos_inc_touch(pool->umem, &dkey->inc, ver);
	if (rc != 0)
		return rc;
	punch = vos_ver_max(vos_inc_punch_last(pool->umem, &obj->inc),
			    vos_inc_punch_last(pool->umem, &dkey->inc));
	for (i = 0; i < io->cond.nr && rc == 0; i++)
		rc = akey_update(io, dkey, i, ver, punch, &seg_idx);
	return rc != 0 ? rc : blocks_publish(io);
}

MAY_YIELD int
vos_update_end(struct vos_io *io, int rc)
{
	if (rc == 0)
		rc = vos_update_write(io);
	if (rc == 0)
		rc = vos_update_check(io);
	if (rc == 0 && UNLIKELY(io->cont->pool->ts != NULL))
		rc = vos_dtx_update_is_new(io->cont, &io->cond, 0);
	if (rc == 0) {
		vos_tx_begin(io->cont->pool);
		rc = vos_tx_end(io->cont->pool, io->cont->df, vos_update_apply(io));
	}
	vos_io_free(io);
	return rc;
}
