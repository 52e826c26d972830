/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Transactions of several operations, in one step or two: all of them happen, at one epoch, or none.
 *
 *     begin -> update, punch ... -> end(COMMIT)                      alone on this target
 *     begin -> update, punch ... -> end(PREPARE) ... commit | abort  together with others
 *
 * Prepared is durable: the values are stored, and what is to be done with them is in a record; the
 * trees do not show it. A reader whose answer depends on it (at or after its epoch, the same keys,
 * overlapping extents) gets -DER_INPROGRESS, and vos_dtx_blocker() names it. Ids of transactions
 * that were committed are kept until trimmed, so that a repeated request finds its answer.
 *
 * Concurrent transactions are serializable in the order of their epochs: reads through the
 * functions here leave timestamps (vos_ts.c), and a write below a newer read of the same thing gets
 * -DER_TX_RESTART: begin again at a newer epoch.
 *
 * Owner xstream of the container; a struct vos_dtx belongs to one ULT.
 */
#pragma once

#include "base/dtx_id.h"
#include "vos/vos.h"

struct vos_dtx;

/** @ret_dtx holds the container open. Errors: EXIST prepared | ALREADY committed | EP_OLD, INVAL the epoch. */
int vos_dtx_begin(struct vos_cont *cont, const struct dtx_id *id, daos_epoch_t epoch, struct vos_dtx **ret_dtx) MUST_CHECK;
/** As vos_update_begin(), in @dtx and at its epoch: conditions hold or not for the state that the operations added so
 *  far would leave. One that does not hold (EXIST, NONEXIST) leaves @dtx as it was: others can be added. */
MAY_YIELD int vos_dtx_update_begin(struct vos_dtx *dtx, daos_unit_oid_t oid, uint64_t flags, const daos_key_t *dkey,
				   unsigned nr, const daos_iod_t *iods, struct vos_io **ret_io) MUST_CHECK;
/** Instead of vos_update_end(io, 0): @io, of vos_dtx_update_begin(), or begun in the same container at the same epoch, is
 *  taken, whatever is returned; its dkey and iods stay borrowed until vos_dtx_end(). */
int vos_dtx_update(struct vos_dtx *dtx, struct vos_io *io) MUST_CHECK;
/* Both: REC2BIG more akeys than a transaction may change (8,192). */
/** As vos_obj_punch(), conditions as for vos_dtx_update_begin(); keys are borrowed until vos_dtx_end(). */
int vos_dtx_punch(struct vos_dtx *dtx, daos_unit_oid_t oid, uint64_t flags, const daos_key_t *dkey, unsigned akey_nr,
		  const daos_key_t *akeys) MUST_CHECK;
enum vos_dtx_how { VOS_DTX_ROLLBACK, VOS_DTX_PREPARE, VOS_DTX_COMMIT };
/** Frees @dtx. Returns when durable. Errors: those of vos_update_end() | TX_RESTART | INPROGRESS a condition, or the kind of
 *  an array, depends on a prepared transaction | EXIST, ALREADY the id meanwhile; then nothing was done. */
MAY_YIELD int vos_dtx_end(struct vos_dtx *dtx, enum vos_dtx_how how) MUST_CHECK;

/** In one transaction; durable when it returns 0, also when it was committed before. NONEXIST | NOSPACE, NOMEM: try again. */
MAY_YIELD int vos_dtx_commit(struct vos_cont *cont, const struct dtx_id *id) MUST_CHECK;
/** Many, each in a transaction of its own, @rcs as above; one wait until all that went well is durable, whose error is returned. */
MAY_YIELD int vos_dtx_commit_many(struct vos_cont *cont, const struct dtx_id *ids, uint32_t nr, int *rcs) MUST_CHECK;
/** In one transaction: the values are freed, the id is forgotten. NONEXIST | ALREADY committed. */
MAY_YIELD int vos_dtx_abort(struct vos_cont *cont, const struct dtx_id *id) MUST_CHECK;
enum vos_dtx_state { VOS_DTX_UNKNOWN, VOS_DTX_PREPARED, VOS_DTX_COMMITTED };
/** @ret_epoch may be NULL; set unless unknown. */
enum vos_dtx_state vos_dtx_check(struct vos_cont *cont, const struct dtx_id *id, daos_epoch_t *ret_epoch);
/** The transaction for which this xstream's last operation on @cont got -DER_INPROGRESS; ask before yielding. */
void vos_dtx_blocker(const struct vos_cont *cont, struct dtx_id *ret_id);

/** What became of a transaction that was left prepared? Asked of who led it; may yield. */
typedef int (*vos_dtx_resolve_cb_t)(const struct dtx_id *id, daos_epoch_t epoch, enum vos_dtx_how *ret_how, void *arg);
/** Records begun at or before @hlc are committed, aborted (ROLLBACK) or left (PREPARE) as @cb says. Returns how many are
 *  left, or the first error. */
MAY_YIELD int vos_dtx_resolve(struct vos_cont *cont, uint64_t hlc, vos_dtx_resolve_cb_t cb, void *arg) MUST_CHECK;
/** Forget ids of committed transactions begun at or before @hlc, the oldest first, while more than @keep_nr are left. */
MAY_YIELD int vos_dtx_trim(struct vos_cont *cont, uint64_t hlc, uint64_t keep_nr) MUST_CHECK;
/**
 * Look at the next @nr ids of committed transactions, round and round from call to call, and forget those that @may_go says
 * yes to. Not waited for: after a crash some may be back.
 */
MAY_YIELD int vos_dtx_sweep(struct vos_cont *cont, uint32_t nr, bool (*may_go)(const struct dtx_id *id, void *arg), void *arg) MUST_CHECK;
struct vos_dtx_stat {
	uint64_t prepared_nr, committed_nr;
	daos_epoch_t prepared_epoch_min; /**< DAOS_EPOCH_MAX: none; aggregation stops before it */
};
void vos_dtx_stat(struct vos_cont *cont, struct vos_dtx_stat *stat);
/** Prepared and committed ids, by age; @cb as in vos_iterate(), but whatever it returns other than 0 ends and is returned. */
int vos_dtx_list(struct vos_cont *cont, enum vos_dtx_state state,
		 int (*cb)(const struct dtx_id *id, daos_epoch_t epoch, void *arg), void *arg) MUST_CHECK;

/* ---- reads of a transaction: they leave timestamps ---- */

/** As vos_fetch_begin(), for @id. */
MAY_YIELD int vos_dtx_fetch_begin(struct vos_cont *cont, const struct dtx_id *id, daos_unit_oid_t oid, daos_epoch_t epoch,
				  uint64_t flags, const daos_key_t *dkey, unsigned nr, const daos_iod_t *iods,
				  struct vos_io **ret_io) MUST_CHECK;
/** As vos_iterate(), vos_obj_query_key(); all that is below what is listed (objects: the whole container) counts as read. */
MAY_YIELD int vos_dtx_iterate(const struct dtx_id *id, const struct vos_iter_param *param, enum vos_iter_type type,
			      daos_anchor_t *anchor, vos_iter_cb_t cb, void *arg) MUST_CHECK;
MAY_YIELD int vos_dtx_query_key(struct vos_cont *cont, const struct dtx_id *id, daos_unit_oid_t oid, uint32_t flags,
				daos_epoch_t epoch, daos_key_t *dkey, daos_key_t *akey, daos_recx_t *recx,
				daos_size_t *ret_cell_size, daos_epoch_t *ret_max_write) MUST_CHECK;
/** Reads up to @epoch may have been made by who is forgotten: after a restart, the clock's present. Writes of
 *  transactions at or before it get TX_RESTART. */
int vos_pool_set_read_floor(struct vos_pool *pool, daos_epoch_t epoch) MUST_CHECK;
