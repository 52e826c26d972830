/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The heap's allocator: durable chunk table and bitmaps, and the DRAM index beside them. It changes
 * durable bytes only through umem_tx_add() and umem_tx_fresh(), so a transaction covers it.
 */
#pragma once

#include "base/list.h"
#include "umem/umem.h"
#include "umem/umem_df.h"

#define HEAP_BIN_NR 176u

/** DRAM record of one chunk. */
struct heap_chunk {
	d_list_t link;    /**< first chunk: of a span, in its bin; of a run with room, in its class */
	uint32_t head;    /**< chunk of a run: index of its first */
	uint32_t span_nr; /**< first and last chunk of a free span: its length, else 0 */
	uint32_t free_nr; /**< run: free slots */
	uint32_t word;    /**< run: bitmap words before this one are full */
	uint32_t slot_nr; /**< run: free or not */
	uint32_t slots;   /**< run: bytes from its beginning to the first slot */
};

struct umem_heap {
	struct umem          *u;
	uint8_t              *base;
	uint64_t              bytes;
	uint32_t              chunk_nr;
	uint32_t              first_chunk; /**< behind the fixed ones */
	struct umem_chunk_df *tab;
	struct heap_chunk    *chunks;
	uint32_t              backed_nr; /**< chunks below have had their memory, or will get it page by page */
	uint64_t              used_bytes;
	uint64_t              free_chunk_nr;
	d_list_t              partial[UMEM_CLASS_NR]; /**< runs with a free slot */
	d_list_t              bins[HEAP_BIN_NR];      /**< free spans by length */
	uint64_t              bin_map[(HEAP_BIN_NR + 63) / 64];
};

/** What an allocation did to the DRAM index, kept to undo it. */
struct heap_op {
	enum { HEAP_OP_SLOT, HEAP_OP_RUN, HEAP_OP_LARGE } kind;
	uint32_t chunk;
	uint32_t chunk_nr;
	uint32_t class_idx;
};

/** Largest number of ops, and of ranges added to the transaction, by one call. */
#define HEAP_ALLOC_OP_NR    2u
#define HEAP_FREE_RANGE_NR  2u
#define HEAP_FREE_RANGE_BYTES 8u

/** Fresh: writes header and table into zeroed memory. The root comes after, by an ordinary allocation. */
void heap_init_fresh(struct umem_heap *h, const unsigned char uuid[16]);
/** Build the index from the durable bytes, checking them. Errors: DF_INVAL, DF_INCOMPT, NOMEM. */
int  heap_load(struct umem_heap *h, const unsigned char uuid[16]) MUST_CHECK;
/** Chunk table and index memory; @base and @bytes are set. NOMEM */
int  heap_index_create(struct umem_heap *h) MUST_CHECK;
void heap_index_destroy(struct umem_heap *h);

/** @param ops [HEAP_ALLOC_OP_NR], *op_nr of them were filled, also on failure. */
int  heap_alloc(struct umem_heap *h, size_t bytes, umem_off_t *ret_off, struct heap_op *ops,
		uint32_t *op_nr) MUST_CHECK;
/** Is @off the start of something allocated? */
bool heap_is_allocated(const struct umem_heap *h, umem_off_t off);
/** Release at commit; the transaction has room for HEAP_FREE_RANGE_NR ranges. */
void heap_free_apply(struct umem_heap *h, umem_off_t off);
/** The durable bytes were restored; bring the index back. Called for the newest op first. */
void heap_op_undo(struct umem_heap *h, const struct heap_op *op);
int  heap_check(struct umem_heap *h) MUST_CHECK;
/** Are so many chunks free in a row? */
bool     heap_has_span(const struct umem_heap *h, uint32_t chunk_nr);
uint64_t heap_largest_free(const struct umem_heap *h);
uint64_t heap_fixed_bytes(const struct umem_heap *h);

/* ---- for umem_heap_load.c ---- */
extern const uint32_t heap_class_bytes[UMEM_CLASS_NR];
uint32_t  heap_run_slot_nr(uint32_t class_idx, uint32_t chunk_nr);
size_t    heap_bitmap_bytes(uint32_t slot_nr);
uint64_t *heap_run_bitmap(const struct umem_heap *h, uint32_t chunk);
/** Note a run in the index, with its class if it has room. */
void heap_run_index(struct umem_heap *h, uint32_t chunk, uint32_t chunk_nr, uint32_t class_idx, uint32_t free_nr);
/** Note a free span that touches no other. */
void heap_span_link(struct umem_heap *h, uint32_t chunk, uint32_t chunk_nr);
