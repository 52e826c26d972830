/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The pool service as the modules see it that keep their metadata in it (container). xstream 0.
 */
#pragma once

#include "pool/pool_rpc.h"
#include "pool/pool_server.h"
#include "rsvc/rsvc.h"
#include "rsvc/rsvc_ops.h"
#include "security/sec_policy.h"

struct pool_svc {
	struct rsvc       ps_rsvc; /**< first */
	struct ult_rwlock ps_lock; /**< writers: one transaction that changes something; readers: any other */
	struct pool_map  *ps_map;  /**< NULL while not up; changes under the write lock */
	void             *ps_cont; /**< the container module's, made by its step_up */
	d_list_t          ps_running; /**< struct rsvc_op_running */
};

/** A service request: runs where the service leads. Memory it hangs on cr_output comes from crt_req_alloc(). Its return
 *  value becomes the reply's rc. */
typedef MAY_YIELD int (*pool_svc_op_t)(struct pool_svc *svc, crt_rpc_t *rpc);
/** Handle @rpc, whose input begins with struct pool_in_head and output with struct pool_out_head: find the service, run
 *  @op, reply. */
MAY_YIELD void ds_pool_svc_handle(crt_rpc_t *rpc, pool_svc_op_t op);

/* ---- transactions ---- */

/** Begin with the read or write lock taken. */
MAY_YIELD int pool_tx_begin(struct pool_svc *svc, bool write, struct rdb_tx **ret_tx) MUST_CHECK;
/** @rc 0: commit what a writer did; else drop it. Ends the transaction, releases the lock, returns the outcome. */
MAY_YIELD int pool_tx_end(struct pool_svc *svc, struct rdb_tx *tx, bool write, int rc) MUST_CHECK;

/* ---- changes, each carried out once: rsvc/rsvc_ops.h, README.md ---- */

/** A request that changes something: a transaction, and the record of what became of it before. */
struct pool_op {
	struct pool_svc       *svc;
	crt_rpc_t             *rpc;
	struct rdb_tx         *tx;
	struct dtx_id          id;
	struct rsvc_ops_limits lim;
	struct rsvc_op_record  rec;      /**< found: of a copy; else what is going to be recorded */
	struct pool_map       *map;      /**< to become ps_map with the commit; taken */
	bool                   recorded; /**< the pool keeps records */
	bool                   found;    /**< another copy was carried out; with rec.begun as far as its first step */
};
/** Begin the transaction, with the write lock taken. Errors: TX_UNCERTAIN it may have been carried out. */
MAY_YIELD int pool_op_begin(struct pool_svc *svc, crt_rpc_t *rpc, struct pool_op *op) MUST_CHECK;
/** For the record, to be found in rec.reply by copies. */
void pool_op_reply(struct pool_op *op, const void *reply, size_t bytes);
/** What a found record holds; false: it is of another size. */
bool pool_op_replied(const struct pool_op *op, void *ret_reply, size_t bytes);
/** As pool_tx_end(): commit the effect with its record, or drop it and record the failure, if it is for good. */
MAY_YIELD int pool_op_end(struct pool_op *op, int rc) MUST_CHECK;
/** A first step of several is done: its record says begun, the next transaction about this request goes on. */
MAY_YIELD int pool_op_end_step(struct pool_op *op, int rc) MUST_CHECK;
/** The effect of an earlier transaction was taken back in this one, because of @why: commit that. Asked again, the
 *  request is carried out anew, unless @why is for good. */
MAY_YIELD int pool_op_end_undone(struct pool_op *op, int why) MUST_CHECK;
/** A request of one transaction: @body does it, and may leave a pool_op_reply(). A copy gets the rc of the first. */
typedef MAY_YIELD int (*pool_op_body_t)(struct pool_op *op, void *arg);
MAY_YIELD int pool_op_run(struct pool_svc *svc, crt_rpc_t *rpc, pool_op_body_t body, void *arg) MUST_CHECK;

/** Path of one or two keys below the root; borrowed. */
struct rdb_path pool_path(const char *kvs);
struct rdb_path pool_path_uuid(const char *kvs, const uuid_t uuid);
struct rdb_path pool_path_uuid_kvs(const char *kvs, const uuid_t uuid, const char *sub);

/** Properties kept in the store at @path, by number. */
int pool_props_put(struct rdb_tx *tx, const struct rdb_path *path, const daos_prop_t *prop) MUST_CHECK;
/** @types [nr], or all of the scope with nr 0; what is not stored is the default. */
MAY_YIELD int pool_props_get(struct rdb_tx *tx, const struct rdb_path *path, bool cont, const uint32_t *types, uint32_t nr,
			     daos_prop_t **ret_prop) MUST_CHECK;
/** Encode into memory of the request. Takes nothing. */
int pool_props_reply(crt_rpc_t *rpc, const daos_prop_t *prop, d_iov_t *ret_iov) MUST_CHECK;

/** Attributes kept in the store at @path. */
int pool_attrs_set(struct rdb_tx *tx, const struct rdb_path *path, const struct pool_attrs *attrs) MUST_CHECK;
MAY_YIELD int pool_attrs_del(struct rdb_tx *tx, const struct rdb_path *path, const struct pool_attrs *attrs) MUST_CHECK;
MAY_YIELD int pool_attrs_get(struct rdb_tx *tx, const struct rdb_path *path, const struct pool_attrs *attrs, crt_rpc_t *rpc,
			     struct pool_attrs *ret_attrs) MUST_CHECK;
MAY_YIELD int pool_attrs_list(struct rdb_tx *tx, const struct rdb_path *path, crt_rpc_t *rpc,
			      struct pool_attrs *ret_attrs) MUST_CHECK;

/* ---- handles ---- */

struct pool_hdl {
	uint64_t    flags;
	uint64_t    capas;
	const void *cred; /**< as checked when it was made; NULL: the control plane. Valid until the tx ends. */
	size_t      cred_bytes;
};
/** The handle of a request; a null UUID means the control plane and comes from engines only. Errors: NO_HDL. */
MAY_YIELD int pool_hdl_get(struct rdb_tx *tx, const crt_rpc_t *rpc, struct pool_hdl *ret_hdl) MUST_CHECK;

/* ---- the pool's engines ---- */

/** What connect and query replies share. @known: the map version the caller has. */
MAY_YIELD int pool_info_fill(struct pool_svc *svc, crt_rpc_t *rpc, uint64_t bits, uint32_t known, uint32_t *map_version,
			     d_iov_t *map, d_rank_list_t **svc_ranks, uint32_t *leader, struct daos_pool_space *space) MUST_CHECK;
/** Ranks with targets in use, d_rank_list_free(). */
int pool_svc_ranks_in(struct pool_svc *svc, d_rank_list_t **ret_ranks) MUST_CHECK;
/** All of the map. */
int pool_svc_ranks_all(struct pool_svc *svc, d_rank_list_t **ret_ranks) MUST_CHECK;
/** Is any of its targets in use? */
bool pool_svc_rank_is_in(struct pool_svc *svc, d_rank_t rank);

/**
 * Call the service of a pool from any xstream: tries the replicas, follows hints, retries for @timeout_s.
 * @ret_rpc on 0: crt_req_decref() it. The service's own errors are returned.
 */
MAY_YIELD int ds_pool_svc_call(const d_rank_list_t *ranks, crt_opcode_t opc, void (*fill)(void *in, void *arg), void *arg,
			       uint32_t timeout_s, crt_rpc_t **ret_rpc) MUST_CHECK;

/** A reply to an engine carried the map and the replicas: keep them if they are newer. On any xstream. */
int ds_pool_learn(struct ds_pool *pool, const d_iov_t *map, const d_rank_list_t *svc_ranks) MUST_CHECK;

/* ---- what the container module does when things happen to a pool ---- */

struct ds_pool_cont_ops {
	/** Make its stores in a fresh service. */
	int (*bootstrap)(struct rdb_tx *tx);
	MAY_YIELD int  (*step_up)(struct pool_svc *svc);
	MAY_YIELD void (*step_down)(struct pool_svc *svc);
	/** Pool handles are being closed: drop their container handles. [nr] UUIDs. */
	MAY_YIELD int (*hdls_closed)(struct rdb_tx *tx, const uuid_t *hdls, uint32_t nr);
	/** Containers there are. */
	MAY_YIELD int (*count)(struct rdb_tx *tx, uint64_t *ret_nr);
	/** On the target xstream: a shard was opened; is being closed: drop what holds references. */
	MAY_YIELD int  (*child_open)(struct ds_pool_child *child);
	MAY_YIELD void (*child_close)(struct ds_pool_child *child);
	/** No reference is left, VOS is about to be closed. */
	void (*child_gone)(struct ds_pool_child *child);
	/** On the target xstream: drop what is open by these pool handles. */
	MAY_YIELD void (*child_hdls_closed)(struct ds_pool_child *child, const uuid_t *hdls, uint32_t nr);
};
/** In sm_init; at most once. */
void ds_pool_set_cont_ops(struct engine *eng, const struct ds_pool_cont_ops *ops);
