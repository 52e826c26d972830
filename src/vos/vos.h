/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The versioned object store of one target: pool -> container -> object -> dkey -> akey -> values,
 * a single value or array extents, each at an epoch. Updates never overwrite: a fetch at epoch e sees
 * the newest value or extent pieces with epoch <= e that no punch at an epoch between hides.
 *
 * Everything here runs on the xstream that opened the pool. No global state.
 */
#pragma once

#include <daos_obj.h>
#include <daos_prop.h>
#include "base/list.h"
#include "base/unit_oid.h"
#include "bio/bio.h"

struct vos_pool;
struct vos_cont;

struct vos_store {            /**< where a target keeps its pools; the engine fills it in */
	struct bio_ctx *ctx;
	struct bio_dev *wal, *meta, *data; /**< wal and meta NULL: volatile heap; data NULL: no extents, all values in the heap */
	uint32_t        tgt;
	uint32_t        replay_ms; /**< what replaying the log may take when a pool is opened after a crash; 0: 2 s */
	d_list_t        ram_pools; /**< internal: volatile pools, kept from create to destroy; zeroed by the engine */
};
/** Give up the volatile pools of a store; all pools are closed. */
MAY_YIELD void vos_store_fini(struct vos_store *store);
struct vos_pool_size {
	uint64_t meta_bytes; /**< meta blob; the heap is a little smaller (umem_heap_bytes); volatile: the heap */
	uint64_t wal_bytes;  /**< 0: chosen from meta */
	uint64_t data_bytes; /**< 0: no data blob */
	bool     csums;      /**< keep checksums of the data blob, 4 bytes a block in the heap; verify what is fetched */
};

/* ---- pools ---- */
MAY_YIELD int  vos_pool_create(struct vos_store *store, const uuid_t uuid, const struct vos_pool_size *size) MUST_CHECK; /**< EXIST, NOSPACE */
MAY_YIELD int  vos_pool_destroy(struct vos_store *store, const uuid_t uuid) MUST_CHECK;
MAY_YIELD int  vos_pool_open(struct vos_store *store, const uuid_t uuid, struct vos_pool **ret_pool) MUST_CHECK;
MAY_YIELD void vos_pool_close(struct vos_pool *pool);
struct vos_pool_info {
	uint64_t scm_total, scm_free;   /**< metadata heap */
	uint64_t nvme_total, nvme_free; /**< data blob */
	uint64_t cont_nr, obj_nr;
	uint64_t csum_err_nr;           /**< blocks read since the opening that did not match their checksums */
};
void vos_pool_query(struct vos_pool *pool, struct vos_pool_info *info);
/** What the log and the checkpointer did since the pool was opened. */
struct vos_pool_stats {
	uint64_t tx_nr, log_write_nr, log_written_bytes, log_used_bytes, log_bytes;
	uint64_t checkpoint_nr, replayed_tx_nr;
};
void vos_pool_stats(struct vos_pool *pool, struct vos_pool_stats *stats);
/** Lazy: changes return when they are in the log's buffer, which is written at once but not waited for. A crash loses the
 *  newest of them, never a part of one, never one before another. For caches and measurements; off by default. */
void vos_pool_set_lazy(struct vos_pool *pool, bool lazy);
/** Space kept for what must not fail (punch, aggregation); updates see NOSPACE when it would be touched. */
void vos_pool_set_reserve(struct vos_pool *pool, uint32_t percent);
/** Values of at least this many bytes go to the data blob. Default 4096. */
void vos_pool_set_data_thresh(struct vos_pool *pool, uint32_t bytes);

/* ---- containers ---- */
MAY_YIELD int  vos_cont_create(struct vos_pool *pool, const uuid_t uuid) MUST_CHECK;   /**< EXIST */
MAY_YIELD int  vos_cont_destroy(struct vos_pool *pool, const uuid_t uuid) MUST_CHECK;  /**< BUSY while open; space is reclaimed in slices afterwards */
int  vos_cont_open(struct vos_pool *pool, const uuid_t uuid, struct vos_cont **ret_cont) MUST_CHECK; /**< NONEXIST; counted */
void vos_cont_close(struct vos_cont *cont);
/** All containers, by uuid; @cb may not change anything; what it returns other than 0 ends and is returned. */
int vos_cont_list(struct vos_pool *pool, int (*cb)(const uuid_t uuid, void *arg), void *arg) MUST_CHECK;
struct vos_cont_info { uint64_t obj_nr, used_bytes; daos_epoch_t hae /**< highest aggregated epoch */; };
void vos_cont_query(struct vos_cont *cont, struct vos_cont_info *info);
/** Epochs that stay readable whatever is aggregated; to be told after
 *  each open, before aggregating, and when they change. */
int vos_cont_set_snapshots(struct vos_cont *cont, const daos_epoch_t *epochs, uint32_t nr) MUST_CHECK;
/** No change at or before @epoch from now on (EP_OLD), those under way included: what a reader at it sees stays. Forgotten when the
 *  container is closed. */
void vos_cont_set_floor(struct vos_cont *cont, daos_epoch_t epoch);
/** Is what a reader at @epoch sees still there? */
bool vos_cont_epoch_kept(const struct vos_cont *cont, daos_epoch_t epoch);
/** Until all that was committed so far is durable: an answer then shows nothing a crash could take back. */
MAY_YIELD int vos_cont_wait_durable(struct vos_cont *cont) MUST_CHECK;

/* ---- update and fetch ---- */
struct vos_io;
#define VOS_IOD_MAX 4096
/** Flags are the public DAOS_COND_* bits. */
/**
 * Reserve space for an update and say where its bytes must land.
 * @param iods  [nr] borrowed until vos_update_end(); iod_size 0 = punch of that akey's value or extents
 * @param epoch any order is right, ascending is fast; of one epoch the last write counts
 * @param dkey  borrowed until vos_update_end(), as @iods are
 * Errors: NOSPACE nothing stays reserved | INVAL | EXIST, NONEXIST conditional | REC2BIG | KEY2BIG | EP_OLD at or before
 * what is aggregated (or being aggregated)
 */
MAY_YIELD int vos_update_begin(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags, const daos_key_t *dkey,
			       unsigned nr, const daos_iod_t *iods, struct vos_io **ret_io) MUST_CHECK;
/** Memory of iod @idx, in the order of its recxs: fill it (update) or read it (fetch). An iov with NULL iov_buf is a hole
 *  (fetch only), iov_buf_len bytes long. Valid until end. */
d_sg_list_t *vos_io_sgl(struct vos_io *io, unsigned idx);
/** Fetch: record size found (0: nothing there) and bytes that exist at the epoch. */
uint64_t vos_io_iod_size(struct vos_io *io, unsigned idx);
/** rc 0: write what must be on the data blob, commit one transaction, return when durable. Else give everything back. Frees @io. */
MAY_YIELD int vos_update_end(struct vos_io *io, int rc) MUST_CHECK;
/** Look up, and read from the data blob. Missing keys are not errors: iod_size 0. Conditional fetch flags: NONEXIST. */
MAY_YIELD int vos_fetch_begin(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags, const daos_key_t *dkey,
			      unsigned nr, const daos_iod_t *iods, struct vos_io **ret_io) MUST_CHECK;
MAY_YIELD void vos_fetch_end(struct vos_io *io);
/** Record sizes alone, [nr], of what is there in the extents given; 0: nothing. Reads no data. */
int vos_fetch_sizes(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags, const daos_key_t *dkey,
		    unsigned nr, const daos_iod_t *iods, uint64_t *sizes) MUST_CHECK;
/** Both with the caller's memory: copies. Fetch sets iod_size, sg_nr_out and iov_len. */
MAY_YIELD int vos_obj_update(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags, const daos_key_t *dkey,
			     unsigned nr, const daos_iod_t *iods, const d_sg_list_t *sgls) MUST_CHECK;
MAY_YIELD int vos_obj_fetch(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags, const daos_key_t *dkey,
			    unsigned nr, daos_iod_t *iods, d_sg_list_t *sgls) MUST_CHECK;
/** Punch the object (dkey NULL), the dkey (akey_nr 0), or akeys, at @epoch. */
MAY_YIELD int vos_obj_punch(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, uint64_t flags, const daos_key_t *dkey,
			    unsigned akey_nr, const daos_key_t *akeys) MUST_CHECK;

/* ---- iteration and queries ---- */
enum vos_iter_type {
	VOS_ITER_OBJ, VOS_ITER_DKEY, VOS_ITER_AKEY, VOS_ITER_SINGLE, VOS_ITER_RECX,
	VOS_ITER_SINGLE_ALL, VOS_ITER_RECX_ALL, /**< all versions in [epoch_lo, epoch], seen or not, holes too */
};
struct vos_iter_param {
	struct vos_cont *cont;
	daos_unit_oid_t  oid;
	daos_key_t       dkey, akey;   /**< as far as the type needs */
	daos_epoch_t     epoch;        /**< what is visible at it */
	daos_epoch_t     epoch_lo;     /**< OBJ, DKEY, AKEY: leave out where nothing changed since, as far as known; 0: none */
	bool             reverse;      /**< RECX: descending */
};
struct vos_iter_entry {
	daos_unit_oid_t oid;
	daos_key_t      key;        /**< borrowed until the callback returns */
	daos_recx_t     recx;
	daos_epoch_t    epoch;      /**< of the value; of the newest change for keys, where known */
	daos_epoch_t    death;      /**< *_ALL: when it was overwritten; DAOS_EPOCH_MAX: not yet */
	uint64_t        rsize;      /**< record size */
	bool            is_array;   /**< AKEY */
};
/** Return 0 to go on, > 0 to stop (vos_iterate() returns 0, the anchor continues AFTER this entry), < 0 to fail
 *  (vos_iterate() returns that, the anchor continues AT this entry). May not yield, nor change anything. */
typedef int (*vos_iter_cb_t)(const struct vos_iter_entry *ent, void *arg);
/** From @anchor (zeroed: the start) on; at the end the anchor is EOF (daos_anchor_is_eof). Survives changes in between. Yields between slices of entries. */
MAY_YIELD int vos_iterate(const struct vos_iter_param *param, enum vos_iter_type type, daos_anchor_t *anchor, vos_iter_cb_t cb, void *arg) MUST_CHECK;

/** DAOS_GET_DKEY/AKEY/RECX | DAOS_GET_MAX/MIN, on integer keys as in daos_obj_query_key(). Key memory is the caller's (8 bytes).
 *  @ret_cell_size: record size of the extents found; @ret_max_write: newest change of the object; both may be NULL.
 *  Flags 0: that alone, keys and recx may be NULL. -DER_NONEXIST. */
MAY_YIELD int vos_obj_query_key(struct vos_cont *cont, daos_unit_oid_t oid, uint32_t flags, daos_epoch_t epoch, daos_key_t *dkey, daos_key_t *akey,
				daos_recx_t *recx, daos_size_t *ret_cell_size, daos_epoch_t *ret_max_write) MUST_CHECK;

/* ---- space that nobody can see any more ---- */
/** Merge and reclaim what only readers before @epoch can see, snapshots excepted, in slices that yield; @stop (may be NULL) is asked between slices. Returns 0
 *  when stopped, too: the container's hae tells. Writes at or before @epoch are refused from its start on, so it must
 *  be older than what may still be under way. BUSY: already running. */
MAY_YIELD int vos_aggregate(struct vos_cont *cont, daos_epoch_t epoch, bool (*stop)(void *arg), void *arg) MUST_CHECK;
/**
 * Take back all writes and punches of epochs in [lo, hi], of @oid (NULL: of all objects), as if they had never been; yields
 * between slices. Interrupted, it is to be repeated. Nobody should read or write in that range meanwhile.
 * Errors: EP_OLD part of the range is aggregated (all of what is may be discarded: lo 0) | BUSY aggregation or another
 * discard runs, or a transaction is prepared in the range.
 */
MAY_YIELD int vos_discard(struct vos_cont *cont, const daos_unit_oid_t *oid, daos_epoch_t lo, daos_epoch_t hi) MUST_CHECK;
/** Free what destroyed containers and aggregated punches left, at most @credits items. Returns the number left to do (0: none), or an error. */
MAY_YIELD int vos_gc(struct vos_pool *pool, unsigned credits) MUST_CHECK;
/** Where a scrub stands; zero to start. */
struct vos_scrub {
	uint64_t blk_off;
	uint64_t checked_nr, bad_nr; /**< blocks */
	bool     ended;              /**< all were looked at; the next call begins again */
	int (*bad)(void *arg, uint64_t blk_off); /**< NULL, or told of each; not 0 ends */
	void    *arg;
};
/** Read about @blk_nr more blocks that are in use, and compare them with their checksums. */
MAY_YIELD int vos_pool_scrub(struct vos_pool *pool, struct vos_scrub *scrub, uint32_t blk_nr) MUST_CHECK;
/** Walk all of it and check the invariants of every structure. DF_INVAL, with a log line that says what and where. */
int vos_pool_check(struct vos_pool *pool) MUST_CHECK;
struct vos_repair { uint64_t account_nr, blk_nr, ref_nr; /**< put right: counts, blocks used or free, references */ };
/** The same walk; accounts that differ from what was found are put right, in one transaction. DF_INVAL: a structure itself is
 *  damaged; nothing was changed. Nothing else may use the pool, which is to be closed afterwards. */
MAY_YIELD int vos_pool_repair(struct vos_pool *pool, struct vos_repair *done) MUST_CHECK;
