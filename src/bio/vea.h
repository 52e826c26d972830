/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * VEA, the versioned extent allocator: free space of one data blob, in blocks of BIO_BLOCK_BYTES.
 * The durable state is a bitmap (1 = used) in memory of the caller (the pool's heap), changed only by
 * vea_publish() and vea_free() inside the caller's transaction: @dirty is called before each change.
 * Reservations live in DRAM only, so a crash forgets them. Free extents are kept in DRAM by size and
 * by address, built by vea_load().
 */
#pragma once

#include "base/list.h"

struct vea;
struct vea_extent {
	uint64_t blk_off;
	uint32_t blk_nr;
	d_list_t link; /**< on the caller's list of reservations */
};
/** Hint of a stream of allocations (one per container and I/O kind): next one goes behind the last. */
struct vea_hint { uint64_t blk_off; uint64_t seq; };

size_t vea_bitmap_bytes(uint64_t blk_nr);
typedef int (*vea_dirty_t)(void *arg, void *ptr, size_t bytes); /**< umem_tx_add */
int  vea_load(void *bitmap, uint64_t blk_nr, vea_dirty_t dirty, void *arg, struct vea **ret_vea) MUST_CHECK;
void vea_unload(struct vea *vea);
/** One contiguous extent of @blk_nr blocks; -DER_NOSPACE. Appends to @list (allocates the record). */
int  vea_reserve(struct vea *vea, uint32_t blk_nr, struct vea_hint *hint, d_list_t *list) MUST_CHECK;
/** Make the listed reservations used, inside a transaction; the list's records are freed. */
int  vea_publish(struct vea *vea, d_list_t *list) MUST_CHECK;
void vea_cancel(struct vea *vea, d_list_t *list);
/** Inside a transaction. The blocks can be reserved again only after vea_free_visible(): a crash must not find
 *  reused blocks that are still referenced. -DER_INVAL: some of them are not used. */
int  vea_free(struct vea *vea, uint64_t blk_off, uint32_t blk_nr) MUST_CHECK;
/** The transaction aborted (its bytes are restored): undo the DRAM side of publishes and frees since the last commit. */
void vea_abort(struct vea *vea);
/** The transaction committed. Returns the generation of its frees, to be given to vea_free_visible() when it is
 *  durable (umem_tx_on_end() with rc 0). Call one of vea_abort, vea_commit after each transaction that used the VEA. */
uint64_t vea_commit(struct vea *vea);
/** All transactions up to generation @gen are durable: what they freed can be reserved again. */
void vea_free_visible(struct vea *vea, uint64_t gen);
/** freed: by committed transactions, to be reserved again once vea_free_visible() says so. */
struct vea_stat { uint64_t blk_nr, free_blk_nr, resrv_blk_nr, freed_blk_nr, free_extent_nr, largest_free_blk_nr; };
void vea_stat(const struct vea *vea, struct vea_stat *stat);
/** Check the invariants, outside of I/O; -DER_DF_INVAL with a log line. */
int vea_check(const struct vea *vea) MUST_CHECK;
