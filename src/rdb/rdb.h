/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A replicated tree of key-value stores: raft (libraft) with its log and its applied state in a VOS
 * pool of the system xstream, its messages over CART. Reads and writes happen on the leader, in
 * transactions; a committed transaction is on a majority. All calls on xstream 0.
 *
 * A store is named by a path of keys from the root: RDB_PATH("conts", uuid). Stores are created
 * before use; destroying one destroys what lies below.
 */
#pragma once

#include <daos_types.h>
#include "engine/engine.h"

struct rdb;
struct rdb_tx;

struct rdb_cbs {
	int  (*step_up)(struct rdb *db, uint64_t term, void *arg);   /**< became leader: run in a ULT; an error makes it step down again */
	void (*step_down)(struct rdb *db, uint64_t term, void *arg);
	void (*stop)(struct rdb *db, int err, void *arg);            /**< cannot go on (storage failed): call rdb_stop */
};
/** Make a replica on this engine: @uuid names the database; bytes of its VOS pool. @replicas is the initial configuration, the same on all. */
MAY_YIELD int  rdb_create(struct engine *eng, const uuid_t uuid, uint64_t bytes, const d_rank_list_t *replicas,
			  const struct rdb_cbs *cbs, void *arg, struct rdb **ret_db) MUST_CHECK;
MAY_YIELD int  rdb_start(struct engine *eng, const uuid_t uuid, const struct rdb_cbs *cbs, void *arg, struct rdb **ret_db) MUST_CHECK;
/** Replicas on this engine's storage, running or not. @cb returns non-zero to stop. */
MAY_YIELD int  rdb_list(struct engine *eng, int (*cb)(const uuid_t uuid, void *arg), void *arg) MUST_CHECK;
/** Not from within a callback of this rdb. All transactions are ended, or blocked in rdb alone; those get -DER_CANCELED. */
MAY_YIELD void rdb_stop(struct rdb *db);
MAY_YIELD int  rdb_destroy(struct engine *eng, const uuid_t uuid) MUST_CHECK;
bool rdb_is_leader(struct rdb *db, uint64_t *ret_term);
/** -DER_NONEXIST: not known now. */
int  rdb_get_leader(struct rdb *db, uint64_t *ret_term, d_rank_t *ret_rank) MUST_CHECK;
int  rdb_get_replicas(struct rdb *db, d_rank_list_t **ret_ranks) MUST_CHECK;

void rdb_get_uuid(struct rdb *db, uuid_t uuid);
/** What the applied state may grow to. */
uint64_t rdb_state_bytes_max(struct rdb *db);

struct rdb_path { d_iov_t keys[6]; uint32_t nr; }; /**< keys borrowed */

/** -DER_NOTLEADER. */
MAY_YIELD int  rdb_tx_begin(struct rdb *db, uint64_t term, struct rdb_tx **ret_tx) MUST_CHECK;
/** Error EXIST or NONEXIST: another transaction came between, nothing is done. NOSPACE.
 *  Replicate and apply what the tx wrote. MAY YIELD for a round trip and a log write. -DER_NOTLEADER: not done or unknown; see rsvc/rsvc_ops.h. */
MAY_YIELD int  rdb_tx_commit(struct rdb_tx *tx) MUST_CHECK;
/** After commit, or instead of it. */
void rdb_tx_end(struct rdb_tx *tx);
enum rdb_kvs_kind { RDB_KVS_BYTES /**< memcmp order */, RDB_KVS_U64 };
/** NONEXIST no such parent | EXIST | INVAL: as for rdb_tx_update(). Errors of all four: NOTLEADER | REC2BIG key over 64 KiB, value over 4 MiB, transaction over 8 MiB. */
int rdb_tx_create_kvs(struct rdb_tx *tx, const struct rdb_path *parent, const d_iov_t *key, enum rdb_kvs_kind kind) MUST_CHECK;
int rdb_tx_destroy_kvs(struct rdb_tx *tx, const struct rdb_path *parent, const d_iov_t *key) MUST_CHECK;
/** INVAL: key of a U64 store that isn't 8 bytes | EXIST: the key names a store. */
int rdb_tx_update(struct rdb_tx *tx, const struct rdb_path *kvs, const d_iov_t *key, const d_iov_t *value) MUST_CHECK;
/** 0 also when nothing is there. */
int rdb_tx_delete(struct rdb_tx *tx, const struct rdb_path *kvs, const d_iov_t *key) MUST_CHECK;
/** A key that names a store has an empty value. Reads see the committed state and this tx's own writes. value->iov_buf NULL: points at memory valid until tx end; else copied (-DER_TRUNC). -DER_NONEXIST. */
MAY_YIELD int rdb_tx_lookup(struct rdb_tx *tx, const struct rdb_path *kvs, const d_iov_t *key, d_iov_t *value) MUST_CHECK;
/** In key order, stores included; cb > 0 stops, < 0 fails. The key and value are valid until tx end; @cb may change the store. */
MAY_YIELD int rdb_tx_iterate(struct rdb_tx *tx, const struct rdb_path *kvs, int (*cb)(const d_iov_t *key, const d_iov_t *value, void *arg), void *arg) MUST_CHECK;

/** The module, for tables of modules linked in. */
extern const struct dss_module dss_module_rdb;
