/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The running transaction: ranges to log, bytes to restore, what the allocator did. */
#pragma once

#include "base/list.h"
#include "umem/umem.h"
#include "umem/umem_heap.h"

/** A range that will be logged. */
struct tx_range {
	uint64_t off;
	uint64_t len;
	uint64_t undo; /**< position of the saved bytes, or TX_NO_UNDO for fresh memory */
};
#define TX_NO_UNDO UINT64_MAX

/** Bytes on the data blob that the record vouches for. */
struct tx_data {
	uint64_t off;
	uint64_t len;
	uint32_t crc;
};

/** A callback of umem_tx_on_end(). */
struct tx_end {
	d_list_t link;
	uint64_t seq; /**< of its transaction, once committed */
	void   (*fn)(void *arg, int rc);
	void    *arg;
};

/** What is noted already of the cache lines with one hash: the last range that began there, or fresh memory. */
#define TX_SEEN_NR   32u
#define TX_SEEN_LINE 64u
struct tx_seen {
	uint64_t off;
	uint64_t end;
};

struct umem_tx {
	bool             active;
	struct tx_seen   seen[TX_SEEN_NR];
	struct tx_range *ranges;
	uint32_t         range_nr, range_cap;
	uint8_t         *undo;
	uint64_t         undo_bytes, undo_cap;
	struct heap_op  *ops;
	uint32_t         op_nr, op_cap;
	umem_off_t      *frees;
	uint32_t         free_nr, free_cap;
	struct tx_data  *datas;
	uint32_t         data_nr, data_cap;
	d_list_t         ends;     /**< struct tx_end */
	d_list_t         end_pool; /**< unused ones */
};

void tx_init(struct umem_tx *tx);
void tx_fini(struct umem_tx *tx);
/** Fresh memory of this transaction: logged, not restored. */
int  umem_tx_fresh(struct umem *u, void *ptr, size_t bytes) MUST_CHECK;
/** While a commit applies its releases: logged, not restored; room was made by umem_free(). */
void umem_tx_add_reserved(struct umem *u, void *ptr, size_t bytes);
/** Run and recycle the callbacks on @ends. */
void tx_run_ends(struct umem_tx *tx, d_list_t *ends, int rc);
