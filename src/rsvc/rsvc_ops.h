/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What became of the operations a replicated service carried out, so that each is carried out once however often its
 * request comes. Who asks names the operation (struct dtx_id: a time and itself) and keeps the name for all copies of
 * the request; the service writes a record under that name in the transaction of the operation's effect, and a copy
 * that finds the record is answered from it. All of it is in the rdb, so it holds over restarts and changes of leader.
 */
#pragma once

#include "base/dtx_id.h"
#include "base/list.h"
#include "rdb/rdb.h"

/** Of a reply, what can't be found out again. */
#define RSVC_OP_REPLY_MAX 48

struct rsvc_op_record {
	uint32_t opc;         /**< of the request */
	int32_t  rc;          /**< what was answered */
	bool     begun;       /**< one of several steps: not ended, @rc means nothing */
	uint32_t reply_bytes;
	char     reply[RSVC_OP_REPLY_MAX];
};

/** How a record is stored: at most so many bytes. Errors of decode: DF_INVAL. */
#define RSVC_OP_RECORD_MAX (16 + RSVC_OP_REPLY_MAX)
void rsvc_op_record_encode(const struct rsvc_op_record *rec, void *buf, size_t *ret_bytes);
int  rsvc_op_record_decode(const d_iov_t *value, struct rsvc_op_record *ret_rec) MUST_CHECK;

struct rsvc_ops_limits {
	uint64_t now;    /**< HLC of this replica, which leads */
	uint64_t age_ns; /**< records are kept this long */
	uint32_t nr_max; /**< and as many */
};

/** The stores, in a fresh rdb. */
int rsvc_ops_bootstrap(struct rdb_tx *tx) MUST_CHECK;
/**
 * The record of an operation.
 * @param ret_time  with TX_UNCERTAIN: a time that is accepted
 * Errors: NONEXIST it was not carried out | TX_UNCERTAIN nobody knows any more, or its time lies ahead of ours: it may
 * not be carried out | MISMATCH the name is another operation's | DF_INVAL
 */
MAY_YIELD int rsvc_ops_find(struct rdb_tx *tx, const struct dtx_id *id, uint32_t opc, const struct rsvc_ops_limits *lim,
			    struct rsvc_op_record *ret_rec, uint64_t *ret_time) MUST_CHECK;
/** Write or replace a record; some that are over the limits are forgotten. */
MAY_YIELD int rsvc_ops_put(struct rdb_tx *tx, const struct dtx_id *id, const struct rsvc_op_record *rec,
			   const struct rsvc_ops_limits *lim) MUST_CHECK;
/** What was done is undone in this transaction: the next copy is carried out. 0 also when there is none. */
MAY_YIELD int rsvc_ops_del(struct rdb_tx *tx, const struct dtx_id *id) MUST_CHECK;
/** Forget all; what was named before @now is not accepted any more. Makes the stores if there are none. */
MAY_YIELD int rsvc_ops_reset(struct rdb_tx *tx, uint64_t now) MUST_CHECK;

/* ---- operations under way on this leader ---- */

struct rsvc_op_running {
	d_list_t      link;
	struct dtx_id id;
};
/** Errors: INPROGRESS another copy is being carried out. On 0 @run, the caller's, is on @list. */
int  rsvc_op_enter(d_list_t *list, const struct dtx_id *id, struct rsvc_op_running *run) MUST_CHECK;
void rsvc_op_leave(struct rsvc_op_running *run);
