/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What the heap keeps on its two blobs. Little-endian. Drawn in docs/formats/log.md and heap.md.
 *
 *   log blob:  header, header copy (a block each), then the ring
 *   meta blob: header, header copy, page table, double-write area, pages
 */
#pragma once

#include "bio/bio.h"

#define UMEM_MEDIA_VERSION 3u
#define UMEM_HDR_AREA      (2u * BIO_BLOCK_BYTES)

/* ---- log ---- */

#define WAL_HDR_MAGIC   0x6c6177736f616464ULL
#define WAL_BATCH_MAGIC 0x62576144u

struct wal_hdr_df {
	uint64_t      magic;
	uint32_t      version;
	uint32_t      crc; /**< of the block with this field zero */
	unsigned char uuid[16];
	uint64_t      format_id;  /**< same in the meta header */
	uint64_t      hdr_seq;    /**< the copy with the higher one is in force */
	uint64_t      gen;        /**< of the opening that wrote it; batches carry it */
	uint64_t      ring_bytes;
	uint64_t      start_vpos; /**< where replay begins; position in the ring = vpos % ring_bytes */
	uint64_t      start_seq;  /**< first transaction that is not in the checkpoint */
	uint64_t      clean;      /**< 1: closed, the log holds nothing; 0: replay */
	uint8_t       reserved[BIO_BLOCK_BYTES - 88];
};
_Static_assert(sizeof(struct wal_hdr_df) == BIO_BLOCK_BYTES, "durable layout");

/** Begins at a block; one write and one flush. */
struct wal_batch_df {
	uint32_t magic;
	uint32_t crc; /**< of header, with this field zero, and records */
	uint64_t format_id;
	uint64_t gen;
	uint64_t vpos;
	uint64_t seq_first;   /**< of the first record, or the next to come */
	uint64_t durable_seq; /**< known durable when this was written */
	uint32_t rec_nr;      /**< 0: a seal, written when the log falls idle */
	uint32_t len_bytes;   /**< header and records, without padding */
	uint32_t flags;       /**< WAL_BATCH_* */
	uint32_t reserved;
};
#define WAL_BATCH_DATA 1u /**< a record has a REDO_DATA entry */
_Static_assert(sizeof(struct wal_batch_df) == 64, "durable layout");

/** A transaction; its number is that of the batch's first and its place behind it. */
struct wal_rec_df {
	uint32_t len_bytes; /**< of the entries that follow */
	uint32_t entry_nr;
};
_Static_assert(sizeof(struct wal_rec_df) == 8, "durable layout");

/**
 * An entry begins with a word: offset << 18 | length << 2 | kind. A length of 0: it did not fit, and is the next word.
 * It is a changed range of the heap, and REDO_WRITE is followed by its bytes, padded to 8. Or, REDO_DATA, first in its
 * record: blocks of the data blob that were written, perhaps not flushed, before the record was; offset and length
 * count blocks, and struct wal_data_df follows.
 */
typedef uint64_t wal_entry_t;
#define WAL_ENTRY_LEN_MAX 0xffffu
#define WAL_ENTRY_OFF_MAX ((1ULL << 46) - 1)

enum wal_kind { REDO_WRITE = 1, REDO_ZERO = 2, REDO_DATA = 3 };

struct wal_data_df {
	uint32_t crc; /**< of the bytes on the data blob */
	uint32_t reserved;
};
_Static_assert(sizeof(struct wal_data_df) == 8, "durable layout");

/* ---- checkpoint ---- */

#define META_HDR_MAGIC  0x6174656d6f616464ULL
#define META_DW_MAGIC   0x656c626f75446164ULL
#define META_PAGE_BYTES 16384u
#define META_DW_MAX     256u

struct meta_hdr_df {
	uint64_t      magic;
	uint32_t      version;
	uint32_t      crc; /**< of the block with this field zero */
	unsigned char uuid[16];
	uint64_t      format_id;
	uint64_t      heap_bytes;
	uint32_t      page_bytes;
	uint32_t      dw_page_nr;
	uint64_t      table_off;
	uint64_t      dw_off;
	uint64_t      pages_off;
	uint8_t       reserved[BIO_BLOCK_BYTES - 80];
};
_Static_assert(sizeof(struct meta_hdr_df) == BIO_BLOCK_BYTES, "durable layout");

/** Entry of the page table, by page number. */
struct meta_page_df {
	uint32_t crc;   /**< of the page; 0 when never written */
	uint32_t check; /**< CRC-32C of (format_id, page number, crc, written) */
};
_Static_assert(sizeof(struct meta_page_df) == 8, "durable layout");

struct meta_dw_entry_df {
	uint32_t page;
	uint32_t crc;
};

/** First block of the double-write area; the images follow it. */
struct meta_dw_df {
	uint64_t                magic;
	uint64_t                format_id;
	uint64_t                round;
	uint32_t                page_nr;
	uint32_t                crc; /**< of the block with this field zero */
	struct meta_dw_entry_df pages[META_DW_MAX];
	uint8_t                 reserved[BIO_BLOCK_BYTES - 32 - META_DW_MAX * 8];
};
_Static_assert(sizeof(struct meta_dw_df) == BIO_BLOCK_BYTES, "durable layout");
