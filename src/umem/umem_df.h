/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The heap's own durable structures, at fixed places inside the heap. Little-endian, like all we
 * store. Drawn in docs/formats/heap.md.
 */
#pragma once

#include "base/util.h"

#define UMEM_CHUNK_BYTES  65536u /**< unit the heap is divided in */
#define UMEM_ALIGN_BYTES  16u    /**< of every allocation */
#define UMEM_SLOT_MAX     32768u /**< larger allocations take whole chunks */
#define UMEM_CLASS_NR     40u
#define UMEM_HEAP_MAGIC   0x70616568736f6164ULL /**< "daosheap" */
#define UMEM_HEAP_VERSION 1u
#define UMEM_TAB_OFF      4096u /**< heap offset of the chunk table */

/** Heap offset 0. */
struct umem_heap_df {
	uint64_t      magic;
	uint32_t      version;
	uint32_t      root_bytes;
	uint64_t      heap_bytes; /**< multiple of UMEM_CHUNK_BYTES */
	uint64_t      root_off;
	unsigned char uuid[16];
	uint64_t      reserved[2];
};
_Static_assert(sizeof(struct umem_heap_df) == 64, "durable layout");

enum umem_chunk_kind {
	UMEM_CHUNK_NONE  = 0, /**< free, or not the first chunk of what it belongs to */
	UMEM_CHUNK_RUN   = 1, /**< a bitmap (1 = used), then slots of one size class */
	UMEM_CHUNK_LARGE = 2, /**< one allocation */
	UMEM_CHUNK_FIXED = 3, /**< the heap's header and this table */
};

/** Entry of the chunk table; the first chunk of a run or allocation describes all of it. */
struct umem_chunk_df {
	uint8_t  kind;
	uint8_t  class_idx; /**< RUN */
	uint16_t reserved;
	uint32_t chunk_nr;
};
_Static_assert(sizeof(struct umem_chunk_df) == 8, "durable layout");
