/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** A replica as the files of this folder see it; theory in rdb_raft.c. */
#pragma once

#include <raft.h>
#include "base/arena.h"
#include "rdb/rdb.h"
#include "rdb/rdb_entry.h"
#include "rdb/rdb_store.h"

/** Work for the raft ULT. */
struct rdb_event {
	d_list_t link;
	void   (*fn)(struct rdb *db, struct rdb_event *ev); /**< MAY YIELD; ends with the event's memory */
};

/** Per engine, dss_module_data() of CRT_MOD_RDB. */
struct rdb_module {
	struct engine *engine;
	d_list_t       dbs;
	uint32_t       election_ms, request_s, compact_nr;
	bool           use_leases;
};

struct rdb {
	struct rdb_module *mod;
	struct engine     *engine;
	d_list_t           link;          /**< rdb_module.dbs */
	uuid_t             uuid;
	uint64_t           opened_ns;     /**< monotonic: tells it from the one before, when it is opened again */
	uint32_t           ref;
	const struct rdb_cbs *cbs;
	void              *cb_arg;

	/* raft; the raft ULT alone calls it */
	struct raft        raft;
	struct raft_io     io;
	struct raft_fsm    fsm;
	raft_io_tick_cb    tick;
	raft_io_recv_cb    recv;
	raft_io_close_cb   io_closed;
	struct ult_timer   tick_timer;
	uint32_t           tick_ms;
	bool               started;       /**< raft_start() succeeded */
	bool               tick_due, close_asked, closing, closed, campaigning;
	struct rdb_event   close_ev;
	struct raft_barrier up_barrier;   /**< the first entry of an own term */
	uint64_t           up_barrier_term; /**< 0: none under way */
	uint64_t           up_barrier_index;
	struct raft_transfer transfer;
	d_list_t           failed;        /**< appends that failed; raft hears of them when it closes */
	d_list_t           held;          /**< append results that wait for the barrier, rdb_raft.c inv. 4 */
	uint64_t           vote_after_ns; /**< no votes are given before */

	/* events */
	d_list_t           events;
	struct ult_eventual wake;
	struct ult        *raft_ult;

	/* storage */
	struct rdb_store  *store;
	d_list_t           appends;       /**< not durable yet, in order */
	struct ult_eventual append_wake;
	struct ult        *append_ult;
	uint32_t           io_pending_nr; /**< sends, appends, snapshots that raft waits for */
	d_list_t           sends;

	/* state that was applied */
	struct rdb_kvs    *root;
	uint64_t           state_bytes;

	/* what others see, updated after each event */
	uint64_t           term;
	uint64_t           lead_term;     /**< 0: doesn't lead, or not all of it is applied yet */
	uint64_t           leader_id;     /**< 0: unknown */
	uint32_t           server_nr;
	uint64_t           server_ids[RDB_REPLICA_MAX];
	uint64_t           lease_ns[RDB_REPLICA_MAX]; /**< when the newest append that was handled had been sent */
	int                err;           /**< cannot go on */
	bool               stopping;

	/* steps up and down */
	uint64_t           want_term, up_term; /**< of leadership; 0: down */
	struct ult_eventual role_wake;
	struct ult        *role_ult;
	bool               role_stop, err_told;
};

#define RDB_ID_OF_RANK(rank) ((uint64_t)(rank) + 1)
#define RDB_RANK_OF_ID(id)   ((d_rank_t)((id)-1))

void rdb_get(struct rdb *db);
void rdb_put(struct rdb *db);

/* rdb_raft.c */
void rdb_event_push(struct rdb *db, struct rdb_event *ev, void (*fn)(struct rdb *db, struct rdb_event *ev));
MAY_YIELD int  rdb_raft_start(struct rdb *db, bool fresh) MUST_CHECK;
MAY_YIELD void rdb_raft_stop(struct rdb *db);
void rdb_fail(struct rdb *db, int err, const char *what);
bool rdb_lease_valid(struct rdb *db);
int  rdb_raft2der(int raft_rc);
/** Run the raft ULT's view of leadership again after a step up failed. */
void rdb_resign(struct rdb *db);

/* rdb_io.c */
void rdb_io_setup(struct rdb *db);
MAY_YIELD void rdb_append_ult(void *db);
void rdb_wake(struct ult_eventual *ev);

/* rdb_message.c */
struct rdb_msg_in;
/** Of @m as its type says; in->body is malloc'ed, the caller's. Errors: NOMEM | INVAL no such type. */
int  rdb_msg_encode(const struct raft_message *m, struct rdb_msg_in *in) MUST_CHECK;
/** Of the type @m has; from a peer, so all is checked. On 0 for raft, or rdb_msg_fini(). Errors: PROTO | NOMEM. */
int  rdb_msg_decode(const struct rdb_msg_in *in, struct raft_message *m) MUST_CHECK;
void rdb_msg_fini(struct raft_message *m);
int  rdb_msg_send(struct rdb *db, const struct raft_message *msg, struct raft_io_send *req, raft_io_send_cb cb) MUST_CHECK;
void rdb_msg_abort_all(struct rdb *db);

/* rdb_module.c */
struct rdb *rdb_lookup(struct engine *eng, const uuid_t uuid);
