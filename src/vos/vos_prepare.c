/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Writing blocks of a file before they are needed. The first write to a reserved block makes the next
 * flush commit file system metadata, which doubles what a small update waits for (bio_file.c). So
 * where small extents are being allocated, a ULT writes zeroes ahead of them, PREPARE_BLK_NR blocks
 * at a time. Large ones are left alone: for them the device's bandwidth counts.
 *
 *      small allocations -->  |  prepared  |  being prepared  |
 *                             hint         hi
 *
 * Invariants:
 *  1. Blocks being prepared are reserved, so nobody else writes them; they are given back, free,
 *     before the ULT ends. Nothing durable changes.
 *  2. One ULT a pool; closing the pool waits for it, and so does an allocation that finds no space. Its blocks
 *     count as free.
 *  3. It runs only while PREPARE_FREE_MIN times as many blocks are free.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <string.h>
#include "base/log.h"
#include "vos/vos_internal.h"

#define PREPARE_BLK_NR   1024u /**< 4 MiB */
#define PREPARE_FREE_MIN 16u
#define PREPARE_SKIP_NR  64u
#define WRITE_BLK_NR     64u

/** Have small allocations come near the end of what is prepared, or left it? */
static bool
is_due(const struct vos_prepare *p)
{
	return p->hint.seq != 0 && (p->hint.blk_off < p->lo || p->hint.blk_off > p->hi ||
				    p->hi - p->hint.blk_off < PREPARE_BLK_NR / 2);
}

struct written_job {
	const struct bio_blob *blob;
	uint64_t	       off;
	uint64_t	       bytes;
};

static int
written_job(void *arg)
{
	const struct written_job *job = arg;

	return bio_blob_is_written(job->blob, job->off, job->bytes);
}

MAY_YIELD static int
extent_write(struct vos_pool *pool, const struct vea_extent *ext)
{
	struct written_job job = {pool->data, ext->blk_off * BIO_BLOCK_BYTES,
				  (uint64_t)ext->blk_nr * BIO_BLOCK_BYTES};
	size_t		   bytes = WRITE_BLK_NR * BIO_BLOCK_BYTES;
	struct iovec	   iov = {NULL, bytes};
	uint64_t	   at;
	int		   rc;

	if (ult_offload(written_job, &job) != 0)
		return 0;
	rc = bio_buf_get(pool->store->ctx, bytes, &iov.iov_base);
	if (rc != 0)
		return rc;
	memset(iov.iov_base, 0, bytes);
	for (at = 0; at < job.bytes && rc == 0; at += bytes)
		rc = bio_writev(pool->data, job.off + at, &iov, 1);
	bio_buf_put(pool->store->ctx, iov.iov_base, bytes);
	return rc;
}

/** Prepare what comes behind what is prepared, or around the hint. False: there is nothing to do. */
MAY_YIELD static bool
prepare_step(struct vos_pool *pool)
{
	struct vos_prepare *p = &pool->prepare;
	struct vea_hint	    hint = {.blk_off = p->hi, .seq = 1};
	struct vea_extent  *ext;
	struct vea_stat	    stat;
	int		    rc;
	D_LIST_HEAD(list);

	if (p->stop || !is_due(p))
		return false;
	if (p->hint.blk_off < p->lo || p->hint.blk_off > p->hi)
		hint.blk_off = p->hint.blk_off;
	vea_stat(pool->space.vea, &stat);
	if (stat.free_blk_nr < PREPARE_FREE_MIN * PREPARE_BLK_NR ||
	    vea_reserve(pool->space.vea, PREPARE_BLK_NR, &hint, &list) != 0)
		return false;
	ext = d_list_first(&list, struct vea_extent, link);
	p->blk_nr = ext->blk_nr;
	rc = extent_write(pool, ext);
	if (ext->blk_off != p->hi) {
		p->lo = ext->blk_off;
		p->hint = (struct vea_hint){.blk_off = ext->blk_off, .seq = 1};
	}
	p->hi = ext->blk_off + ext->blk_nr;
	p->blk_nr = 0;
	vea_cancel(pool->space.vea, &list);
	if (rc != 0)
		p->stop = true; /* who writes there next will say so */
	return rc == 0;
}

MAY_YIELD static void
prepare_main(void *arg)
{
	struct vos_pool	   *pool = arg;
	struct vos_prepare *p = &pool->prepare;

	while (prepare_step(pool))
		ult_yield();
	/* Where nothing could be done, not to try again for each allocation. */
	p->skip_nr = PREPARE_SKIP_NR;
	p->running = false;
	ult_eventual_set(&p->done, 0);
}

void
vos_prepare_kick(struct vos_pool *pool)
{
	struct vos_prepare *p = &pool->prepare;

	if (p->running || p->stop || !is_due(p))
		return;
	if (p->skip_nr > 0) {
		p->skip_nr--;
		return;
	}
	ult_eventual_init(&p->done);
	p->running = ult_create(NULL, ULT_POOL_GENERIC, prepare_main, pool, 0, NULL) == 0;
}

MAY_YIELD bool
vos_prepare_wait(struct vos_pool *pool)
{
	bool ran = pool->prepare.running;

	if (ran)
		(void)ult_eventual_wait(&pool->prepare.done);
	return ran;
}
