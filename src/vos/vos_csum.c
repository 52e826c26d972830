/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Checksums of values on the data blob. The heap has one CRC-32C for each block, in an array beside
 * the bitmap, set in the transaction that makes the block used. Reading is by whole blocks, so each
 * block that is read is checked, whatever the values in it are cut into. Small values lie in the
 * heap, which the checksums of log and checkpoint cover.
 *
 * Invariant: of each block in use the checksum is that of what was written before the transaction
 * that made it used; it does not change before the block is freed and all its readers have gone.
 *
 * Scrubbing reads all blocks in use, a stretch at a time, so that rot is found while there are other
 * replicas to heal it from.
 */
#define D_LOGFAC LOG_FAC_VOS

#include "base/crc32c.h"
#include "base/log.h"
#include "vos/vos_internal.h"

#define SCRUB_BLK_NR 64u /**< read at once */

static uint32_t *
csums_of(const struct vos_pool *pool)
{
	return umem_ptr(pool->umem, pool->df->csums);
}

uint64_t
vos_csum_bytes(uint64_t blk_nr)
{
	return blk_nr * sizeof(uint32_t);
}

int
vos_csum_put(struct vos_pool *pool, uint64_t blk_off, const void *buf, uint64_t blk_nr)
{
	const char *at = buf;
	uint32_t   *csums;
	uint64_t    i;
	int	    rc;

	if (pool->df->csums == UMEM_NULL)
		return 0;
	csums = csums_of(pool) + blk_off;
	rc = umem_tx_add(pool->umem, csums, blk_nr * sizeof(*csums));
	for (i = 0; i < blk_nr && rc == 0; i++, at += BIO_BLOCK_BYTES)
		csums[i] = d_crc32c(0, at, BIO_BLOCK_BYTES);
	return rc;
}

int
vos_csum_verify(struct vos_pool *pool, uint64_t blk_off, const void *buf, uint64_t blk_nr)
{
	const char	*at = buf;
	const uint32_t *csums;
	uint64_t	 i;

	if (pool->df->csums == UMEM_NULL)
		return 0;
	csums = csums_of(pool) + blk_off;
	for (i = 0; i < blk_nr; i++, at += BIO_BLOCK_BYTES) {
		if (csums[i] == d_crc32c(0, at, BIO_BLOCK_BYTES))
			continue;
		pool->csum_err_nr++;
		bio_blob_note_csum_err(pool->data);
		D_ERROR("%s: block %lu does not match its checksum: the device returned other bytes than were "
			"written; replace it if this repeats\n",
			bio_blob_name(pool->data), (unsigned long)(blk_off + i));
		return -DER_CSUM;
	}
	return 0;
}

/* ---- scrubbing ---- */

static bool
blk_used(const struct vos_pool *pool, uint64_t blk)
{
	const uint64_t *bitmap = umem_ptr(pool->umem, pool->df->bitmap);

	return (bitmap[blk / 64] & (1ULL << (blk % 64))) != 0;
}

/** The first stretch of used blocks from *at on; false: none. */
static bool
stretch_find(const struct vos_pool *pool, uint64_t *at, uint32_t *ret_nr)
{
	uint64_t end = pool->df->data_blk_nr;
	uint32_t nr = 0;

	while (*at < end && !blk_used(pool, *at))
		(*at)++;
	while (nr < SCRUB_BLK_NR && *at + nr < end && blk_used(pool, *at + nr))
		nr++;
	*ret_nr = nr;
	return nr > 0;
}

/** Check each block by itself, so that all that are bad are told. */
static int
stretch_check(struct vos_pool *pool, struct vos_scrub *scrub, const char *buf, uint32_t nr)
{
	uint32_t i;
	int	 rc = 0;

	for (i = 0; i < nr && rc == 0; i++) {
		scrub->checked_nr++;
		if (vos_csum_verify(pool, scrub->blk_off + i, buf + i * BIO_BLOCK_BYTES, 1) == 0)
			continue;
		scrub->bad_nr++;
		if (scrub->bad != NULL)
			rc = scrub->bad(scrub->arg, scrub->blk_off + i);
	}
	return rc;
}

MAY_YIELD static int
stretch_scrub(struct vos_pool *pool, struct vos_scrub *scrub, void *buf, uint32_t nr)
{
	struct iovec	  iov = {buf, nr * BIO_BLOCK_BYTES};
	struct vos_reader reader;
	int		  rc;

	vos_read_get(pool, &reader);
	rc = bio_readv(pool->data, scrub->blk_off * BIO_BLOCK_BYTES, &iov, 1);
	if (rc == 0)
		rc = stretch_check(pool, scrub, buf, nr);
	vos_read_put(pool, &reader);
	scrub->blk_off += nr;
	return rc;
}

MAY_YIELD int
vos_pool_scrub(struct vos_pool *pool, struct vos_scrub *scrub, uint32_t blk_nr)
{
	uint32_t done = 0;
	uint32_t nr;
	void	*buf;
	int	 rc;

	if (pool->data == NULL || pool->df->csums == UMEM_NULL) {
		scrub->ended = true;
		return 0;
	}
	rc = bio_buf_get(pool->store->ctx, SCRUB_BLK_NR * BIO_BLOCK_BYTES, &buf);
	if (rc != 0)
		return rc;
	scrub->ended = false;
	while (rc == 0 && done < blk_nr && !scrub->ended) {
		/* Nothing yields from the look at the bitmap until the reader is registered. */
		if (stretch_find(pool, &scrub->blk_off, &nr)) {
			rc = stretch_scrub(pool, scrub, buf, nr);
			done += nr;
		} else {
			scrub->blk_off = 0;
			scrub->ended = true;
		}
	}
	bio_buf_put(pool->store->ctx, buf, SCRUB_BLK_NR * BIO_BLOCK_BYTES);
	return rc;
}
