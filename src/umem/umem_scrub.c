/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Scrubbing: what the checkpoint has on the medium is read again and compared with its checksums. The
 * heap in memory is right, so a page that rotted is simply made dirty: the next checkpoint writes it
 * anew, and only a second failure in between would be noticed, when opening.
 *
 * Checkpoints and the scrub take turns (the checkpoint's lock), a few pages at a time, so that neither
 * waits long for the other.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "umem/umem_ckpt.h"

#define SCRUB_PAGES 16u /**< between two looks of a checkpoint */

/** Compare [page, page + nr) as read to @images with the table. */
static void
check_images(struct umem_ckpt *ck, uint32_t page, uint32_t nr, const uint8_t *images,
	     struct umem_scrub *s)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (ckpt_is_new(ck, page + i))
			continue;
		s->page_nr++;
		if (d_crc32c(0, images + (size_t)i * META_PAGE_BYTES, META_PAGE_BYTES) ==
		    ck->table[page + i].crc)
			continue;
		s->bad_nr++;
		D_ERROR("%s: page %u (byte %lu) is not what was written there; it will be written anew. "
			"The device may be failing\n", bio_blob_name(ck->blob), page + i,
			ck->hdr->pages_off + (uint64_t)(page + i) * META_PAGE_BYTES);
		ckpt_dirty(ck, (uint64_t)(page + i) * META_PAGE_BYTES, 1);
	}
}

/** Is there anything to read? */
static bool
has_written(const struct umem_ckpt *ck, uint32_t page, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (!ckpt_is_new(ck, page + i))
			return true;
	}
	return false;
}

MAY_YIELD static int
scrub_some(struct umem_ckpt *ck, uint32_t page, uint8_t *images, struct umem_scrub *s)
{
	uint32_t     nr  = MIN_OF(SCRUB_PAGES, ck->page_nr - page);
	struct iovec iov = {images, (size_t)nr * META_PAGE_BYTES};
	int          rc  = ck->u->err;

	if (rc == 0 && has_written(ck, page, nr)) {
		rc = bio_readv(ck->blob, ck->hdr->pages_off + (uint64_t)page * META_PAGE_BYTES, &iov, 1);
		if (rc == 0)
			check_images(ck, page, nr, images, s);
	}
	return rc;
}

MAY_YIELD int
umem_scrub(struct umem *u, struct umem_scrub *ret_scrub)
{
	struct umem_ckpt *ck     = u->ckpt;
	uint8_t          *images = NULL;
	int               rc     = 0;

	*ret_scrub = (struct umem_scrub){0};
	if (ck == NULL)
		return 0;
	images = aligned_alloc(BIO_BLOCK_BYTES, SCRUB_PAGES * META_PAGE_BYTES);
	if (images == NULL)
		return -DER_NOMEM;
	for (uint32_t page = 0; rc == 0 && page < ck->page_nr; page += SCRUB_PAGES) {
		ult_mutex_lock(&ck->lock);
		rc = scrub_some(ck, page, images, ret_scrub);
		ult_mutex_unlock(&ck->lock);
		ult_yield();
	}
	free(images);
	return rc;
}
