/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Open pools and containers, the transaction around every change, and the way down the key trees.
 */
#pragma once

#include "base/list.h"
#include "bio/vea.h"
#include "ult/ult.h"
#include "vos/vos.h"
#include "vos/vos_evtree.h"
#include "vos/vos_inc.h"

#define VOS_KEY_BYTES_MAX	(64u << 10)
#define VOS_RESERVE_PCT_DEFAULT 5u
#define VOS_DATA_THRESH_DEFAULT 4096u
#define VOS_GC_SLICE		32u /**< pieces a transaction frees at most */

struct vos_dtx_index;
struct vos_ts;

#define VOS_SMALL_BLK_NR 16u /**< allocations up to it are small: a stream of their own */

/** Blocks written before they are needed: vos_prepare.c. */
struct vos_prepare {
	struct vea_hint	    hint;   /**< of small allocations */
	uint64_t	    lo, hi; /**< prepared, some of it in use by now */
	uint64_t	    blk_nr; /**< reserved by it */
	uint32_t	    skip_nr;
	bool		    running;
	bool		    stop; /**< also: never began, the data blob is no file */
	struct ult_eventual done;
};

struct vos_pool {
	struct vos_store   *store; /**< borrowed; outlives the pool */
	uuid_t		    uuid;
	struct umem	   *umem;
	struct vos_pool_df *df;
	struct bio_blob	   *meta, *wal, *data; /**< NULL: none */
	struct vos_space    space;
	d_list_t	    conts; /**< open ones */
	struct vea_hint	    hint; /**< of large allocations */
	struct vos_prepare  prepare;
	uint32_t	    reserve_pct;
	uint32_t	    data_thresh;
	bool		    lazy; /**< nobody waits for the log */
	int		    err; /**< commits failed: only reading goes on */
	/* When freed blocks may be written again: vos_tx.c. Generations are those of vea_commit().
	 */
	bool	 staged; /**< a transaction is in the log whose blocks the allocator does not know yet */
	uint64_t	      committed_gen;
	uint64_t	      gen_seq; /**< transaction number of generation 0 */
	uint64_t	      visible_gen;
	d_list_t	      readers; /**< struct vos_reader, oldest first */
	struct ult_mutex      lock;    /**< for the condition; never held across I/O */
	struct ult_cond	      reader_gone;
	uint64_t	      csum_err_nr;
	struct vos_ts	     *ts; /**< NULL: no transaction has read yet */
};

struct vos_cont {
	struct vos_pool	   *pool;
	struct vos_cont_df *df;
	uint32_t	    refs;
	bool		    aggregating;
	bool		    snaps_changed; /**< since the last aggregation, or the opening */
	uint32_t	    snap_nr;
	daos_epoch_t	   *snaps; /**< ascending */
	daos_epoch_t	    floor; /**< vos_cont_set_floor() */
	d_list_t	    link;  /**< in pool->conts */
	struct vos_dtx_index *dtx; /**< NULL: nothing is prepared */
	struct vos_dtx_index *dtx_spare; /**< empty, for the next time */
	struct dtx_id	     blocker;
	struct dtx_id	     swept; /**< where vos_dtx_sweep() stopped; zeroed: at the beginning */
};

void vos_cont_get(struct vos_cont *cont);

/** Someone who reads blocks found in the trees. */
struct vos_reader {
	uint64_t gen;
	d_list_t link;
};

/* ---- transactions (vos_tx.c) ---- */

void vos_tx_begin(struct vos_pool *pool);
/** Number the operation: versions of one epoch are ordered by it. */
int vos_tx_ver(struct vos_cont *cont, daos_epoch_t epoch, struct vos_ver *ret_ver) MUST_CHECK;
/** rc 0: book the change of space on @cont (may be NULL), commit, wait until durable. Else abort
 * and return rc. */
MAY_YIELD int vos_tx_end(struct vos_pool *pool, struct vos_cont_df *cont, int rc) MUST_CHECK;
/** As vos_tx_end(), but does not wait: umem_wait_durable(*ret_seq) would. */
MAY_YIELD int vos_tx_end_async(struct vos_pool *pool, struct vos_cont_df *cont, int rc,
			       uint64_t *ret_seq) MUST_CHECK;
/** Until what vos_tx_end_async() gave is durable; then blocks may be used again. */
MAY_YIELD int vos_tx_wait(struct vos_pool *pool, uint64_t seq) MUST_CHECK;
/** Blocks in the trees now will not be written again until put. */
void vos_read_get(struct vos_pool *pool, struct vos_reader *reader);
void vos_read_put(struct vos_pool *pool, struct vos_reader *reader);
/** Make blocks freed so far reusable: waits for the log and for present readers. False if there are
 * none. */
MAY_YIELD bool vos_space_drain(struct vos_pool *pool);
/** NOSPACE when an update of about this size would touch the reserve. */
int vos_space_admit(struct vos_pool *pool, uint64_t heap_bytes, uint64_t blk_nr) MUST_CHECK;

/** A small allocation was made: see whether there is something to prepare. */
void vos_prepare_kick(struct vos_pool *pool);
/** Until nothing is being prepared; true if something was. */
MAY_YIELD bool vos_prepare_wait(struct vos_pool *pool);

/* ---- objects and keys (vos_key.c) ---- */

enum vos_key_kind { VOS_KEY_HASH = 0, VOS_KEY_U64 = 1, VOS_KEY_LEX = 2 };

struct vos_key_probe {
	uint64_t    ord;
	const void *buf;
	uint32_t    bytes;
	uint8_t	    kind;
	int8_t	    edge; /**< -1, 1: before, after all keys of this order number */
};
enum vos_key_kind vos_dkey_kind(daos_unit_oid_t oid);
enum vos_key_kind vos_akey_kind(daos_unit_oid_t oid);
/** Errors: INVAL empty, or not 8 bytes for an integer | KEY2BIG */
int   vos_key_probe_init(struct vos_key_probe *probe, enum vos_key_kind kind,
			 const daos_key_t *key) MUST_CHECK;
void *vos_key_bytes(const struct vos_key_df *key);

struct vos_btree vos_obj_tree(const struct vos_pool *pool, struct vos_cont_df *cont);
struct vos_btree vos_key_tree(const struct vos_pool *pool, struct vos_btree_df *df);
struct vos_btree vos_sv_tree(const struct vos_pool *pool, struct vos_sv_root_df *sv);
struct vos_btree vos_cont_tree(const struct vos_pool *pool);
static inline struct vos_evt
vos_akey_evt(struct vos_pool *pool, struct vos_key_df *akey)
{
	return (struct vos_evt){&pool->space, &akey->evt};
}

struct vos_obj_df *vos_obj_find(const struct vos_pool *pool, struct vos_cont_df *cont,
				const daos_unit_oid_t *oid);
struct vos_key_df *vos_key_find(const struct vos_pool *pool, struct vos_btree_df *df,
				const struct vos_key_probe *probe);
static inline struct vos_key_df *
vos_key_of(const struct vos_pool *pool, const struct vos_key_ent_df *ent)
{
	return ent == NULL ? NULL : umem_ptr(pool->umem, ent->key);
}
/** Find or make; inside a transaction. */
int vos_obj_make(struct vos_pool *pool, struct vos_cont_df *cont, const daos_unit_oid_t *oid,
		 struct vos_obj_df **ret_obj) MUST_CHECK;
int vos_key_make(struct vos_pool *pool, struct vos_btree_df *df, enum vos_key_level level,
		 const struct vos_key_probe *probe, struct vos_key_df **ret_key) MUST_CHECK;
/** Take out of the tree; the record and all below stay for the caller (vos_gc_add) to free. */
int vos_key_unlink(struct vos_pool *pool, struct vos_btree_df *df,
		   struct vos_key_df *key) MUST_CHECK;
int vos_obj_unlink(struct vos_pool *pool, struct vos_cont_df *cont,
		   struct vos_obj_df *obj) MUST_CHECK;
/** Free the record itself; nothing is below. */
int vos_key_free(struct vos_pool *pool, struct vos_key_df *key) MUST_CHECK;
int vos_obj_free(struct vos_pool *pool, struct vos_obj_df *obj) MUST_CHECK;
/** Search key of a record among its siblings. */
void vos_key_probe_of(const struct vos_key_df *key, struct vos_key_probe *probe);

/** A key a walk stands on, copied, so that it may go while others run. Zeroed: before the first. */
struct vos_key_pos {
	char		    *buf;
	size_t		     cap;
	struct vos_key_probe probe;
	bool		     set;
};
/** The first key of @df behind @pos, which then names it; NULL: none. NOMEM */
int  vos_key_pos_next(const struct vos_pool *pool, struct vos_btree_df *df, struct vos_key_pos *pos,
		      struct vos_key_df **ret_key) MUST_CHECK;
void vos_key_pos_fini(struct vos_key_pos *pos);

/* ---- values (vos_value.c) ---- */

/** The single value a reader sees, or NULL. */
const struct vos_sv_df *vos_sv_find(const struct vos_pool *pool, struct vos_key_df *akey,
				    const struct vos_view *view);
int			vos_sv_insert(struct vos_pool *pool, struct vos_key_df *akey,
				      const struct vos_sv_df *sv) MUST_CHECK;
/** As vos_evt_reclaim(). */
struct vos_sv_pos {
	uint64_t epoch; /**< next to look at */
	bool	 older; /**< something before it stays */
	bool	 done;
};
int  vos_sv_reclaim(struct vos_pool *pool, struct vos_key_df *akey,
		    const struct vos_readers *readers, struct vos_sv_pos *pos,
		    uint32_t *credits) MUST_CHECK;
/** Free those in [lo, hi] as if they had never been, at most *credits of them. */
int  vos_sv_discard(struct vos_pool *pool, struct vos_key_df *akey, uint64_t lo, uint64_t hi,
		    uint32_t *credits, bool *ret_done) MUST_CHECK;
int  vos_sv_drain(struct vos_pool *pool, struct vos_key_df *akey, uint32_t *credits) MUST_CHECK;
bool vos_akey_is_empty(const struct vos_key_df *akey);
/** Set the type, or refuse (-DER_INVAL) a value of another; the same for an array's record size. */
int vos_akey_admit(struct vos_pool *pool, struct vos_key_df *akey, const daos_iod_t *iod,
		   struct vos_ver punch) MUST_CHECK;

/** Would vos_akey_admit() refuse? */
int vos_akey_check(struct vos_pool *pool, struct vos_key_df *akey, const daos_iod_t *iod,
		   struct vos_ver punch) MUST_CHECK;

/* ---- punches (vos_punch.c) ---- */

struct vos_punch {
	struct vos_cont	 *cont;
	daos_unit_oid_t	  oid;
	daos_epoch_t	  epoch;
	uint64_t	  flags;
	const daos_key_t *dkey;
	unsigned	  akey_nr;
	const daos_key_t *akeys;
};
int vos_punch_keys_check(const struct vos_punch *p) MUST_CHECK;
/** Epoch, keys, conditions. */
int vos_punch_check(const struct vos_punch *p) MUST_CHECK;
/** Inside a transaction. */
int vos_punch_apply(const struct vos_punch *p) MUST_CHECK;

/** May a write have this epoch? INVAL, EP_OLD */
static inline int
vos_epoch_admit(const struct vos_cont *cont, daos_epoch_t epoch)
{
	if (epoch == 0 || epoch == DAOS_EPOCH_MAX)
		return -DER_INVAL;
	return epoch <= cont->df->floor || epoch <= cont->floor ? -DER_EP_OLD : 0;
}

/* ---- visibility (vos_visible.c): does a reader at @epoch, from whom the parents hide all up to
 * @punch, see anything? ---- */

bool vos_akey_visible(struct vos_pool *pool, struct vos_key_df *akey, daos_epoch_t epoch,
		      struct vos_ver punch);
bool vos_dkey_visible(struct vos_pool *pool, struct vos_key_df *dkey, daos_epoch_t epoch,
		      struct vos_ver punch);
bool vos_obj_visible(struct vos_pool *pool, struct vos_obj_df *obj, daos_epoch_t epoch);
/** The conditions of a writing or reading operation (DAOS_COND_*). EXIST, NONEXIST */
struct vos_cond {
	daos_unit_oid_t	  oid;
	daos_epoch_t	  epoch;
	uint64_t	  flags;
	const daos_key_t *dkey;
	unsigned	  nr;
	const daos_iod_t *iods;
	uint64_t	  reader; /**< not 0: the transaction that reads (vos_ts.h) */
};
int vos_cond_check(struct vos_cont *cont, const struct vos_cond *cond) MUST_CHECK;

/* ---- checksums of blocks (vos_csum.c) ---- */

uint64_t vos_csum_bytes(uint64_t blk_nr);
/** Note those of blocks that hold @buf; inside the transaction that makes them used. */
int vos_csum_put(struct vos_pool *pool, uint64_t blk_off, const void *buf,
		 uint64_t blk_nr) MUST_CHECK;
/** Is @buf what was written there? CSUM */
int vos_csum_verify(struct vos_pool *pool, uint64_t blk_off, const void *buf,
		    uint64_t blk_nr) MUST_CHECK;

/* ---- reclaim (vos_gc.c) ---- */

/** Queue something unlinked; inside the same transaction. */
int vos_gc_add(struct vos_pool *pool, enum vos_gc_kind kind, void *what,
	       struct vos_cont_df *cont) MUST_CHECK;
