/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Checkpoints of a heap on its meta blob. */
#pragma once

#include "umem/umem_int.h"
#include "umem/umem_media_df.h"
#include "ult/ult.h"

struct umem_ckpt {
	struct umem         *u;
	struct bio_blob     *blob;
	struct meta_hdr_df  *hdr;   /**< block aligned */
	struct meta_page_df *table; /**< block aligned, as on the blob */
	uint8_t             *dw;    /**< a round: its block and the images, block aligned */
	uint32_t             repair[META_DW_MAX]; /**< at opening: images of the round to be put in place */
	uint32_t             repair_nr;
	uint32_t             page_nr;
	uint64_t            *dirty; /**< bit a page: changed since it was last copied */
	uint64_t             dirty_nr;
	uint64_t             round;
	uint64_t             done_seq;
	uint64_t             checkpoint_nr;
	struct ult_mutex     lock;  /**< one checkpoint at a time */
	struct ult          *ult;   /**< in the background */
	struct ult_eventual  wake;
	bool                 stop;
	bool                 due;
	uint64_t             interval_ns;
};

/** Bytes of the meta blob that a heap of @heap_bytes needs. */
uint64_t ckpt_blob_bytes(uint64_t heap_bytes);

int  ckpt_create(struct umem *u, struct bio_blob *blob, struct umem_ckpt **ret_ckpt) MUST_CHECK;
void ckpt_destroy(struct umem_ckpt *ck);
/** Header, empty table, and the heap as it is in memory. */
MAY_YIELD int ckpt_format(struct umem_ckpt *ck, uint64_t format_id) MUST_CHECK;
/** Check the header and give the heap's size, before there is a heap. */
MAY_YIELD int ckpt_read_hdr(struct bio_blob *blob, const unsigned char uuid[16], struct meta_hdr_df *ret_hdr) MUST_CHECK;
/** Read all pages into the heap; what a crash tore is taken from the double-write area. */
MAY_YIELD int ckpt_load(struct umem_ckpt *ck) MUST_CHECK;
/** Put the pages a crash tore in their place. After everything has been checked. */
MAY_YIELD int ckpt_repair(struct umem_ckpt *ck) MUST_CHECK;
/** Write every page that is dirty now, without trimming the log. */
MAY_YIELD int ckpt_write_dirty(struct umem_ckpt *ck) MUST_CHECK;
static inline void
ckpt_dirty(struct umem_ckpt *ck, uint64_t off, uint64_t len)
{
	uint64_t last = (off + len - 1) / META_PAGE_BYTES;

	for (uint64_t page = off / META_PAGE_BYTES; page <= last; page++) {
		uint64_t bit = 1ULL << (page % 64);

		ck->dirty_nr += (ck->dirty[page / 64] & bit) == 0;
		ck->dirty[page / 64] |= bit;
	}
}
MAY_YIELD int ckpt_start(struct umem_ckpt *ck) MUST_CHECK;
MAY_YIELD void ckpt_stop(struct umem_ckpt *ck);
void ckpt_kick(struct umem_ckpt *ck); /**< checkpoint soon */
void ckpt_wake(struct umem_ckpt *ck); /**< look at stop and interval again */

/** The table entry that vouches for (page, crc, written). */
struct meta_page_df ckpt_entry(const struct umem_ckpt *ck, uint32_t page, uint32_t crc, uint32_t written);
/** Was it never written? */
bool ckpt_is_new(const struct umem_ckpt *ck, uint32_t page);
uint32_t ckpt_dw_crc(struct meta_dw_df *dw);
