/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The bytes of a transaction as they stand in the log and travel to replicas, and of a snapshot.
 * Little endian. A transaction:
 *
 *     header | op | op | ...
 *     op = kind(1) path_nr(1) { key_len(4) key }[path_nr] key_len(4) key
 *          UPDATE: value_len(4) value   CREATE: kvs kind(1)
 *
 * A snapshot, a store's nodes in key order, stores inside stores:
 *
 *     header | kvs;   kvs = kind(4) node_nr(8) node...
 *     node = flags(4) key_len(4) val_len(4) key value | key kvs
 */
#pragma once

#include "rdb/rdb_tree.h"

#define RDB_ENTRY_MAGIC   0x58544452u /**< "RDTX" */
#define RDB_SNAP_MAGIC    0x4e534452u /**< "RDSN" */
#define RDB_ENTRY_VERSION 1u
#define RDB_KEY_MAX       (64u << 10)
#define RDB_VALUE_MAX     (4u << 20)
#define RDB_ENTRY_MAX     (8u << 20)

enum rdb_op_kind { RDB_OP_UPDATE = 1, RDB_OP_DELETE, RDB_OP_CREATE, RDB_OP_DESTROY };

struct rdb_head_df {
	uint32_t magic, version;
	uint32_t op_nr;    /**< snapshot: 0 */
	uint32_t crc;      /**< of what follows, and of the fields before with 0 here */
	uint64_t bytes;    /**< of what follows */
};
_Static_assert(sizeof(struct rdb_head_df) == 24, "durable layout");

struct rdb_op {
	enum rdb_op_kind  kind;
	struct rdb_path   path;
	d_iov_t           key;
	d_iov_t           value;
	enum rdb_kvs_kind kvs_kind;
};

/** A growing buffer that starts with a head. */
struct rdb_buf {
	char    *data;
	size_t   len, size;
	uint32_t op_nr;
};
void rdb_buf_fini(struct rdb_buf *buf);
/** Errors: NOMEM | REC2BIG; the buffer is as before. */
int  rdb_entry_add(struct rdb_buf *buf, const struct rdb_op *op) MUST_CHECK;
/** Fill in the head; the buffer is complete. */
void rdb_entry_seal(struct rdb_buf *buf);

struct rdb_cursor { const char *pos, *end; };
/** Begin reading the ops of a sealed or unsealed buffer of ours. */
void rdb_entry_begin(const struct rdb_buf *buf, struct rdb_cursor *cur);
/** Next op; its iovs point into the buffer. 1: an op; 0: the end; -DER_PROTO: malformed. */
int  rdb_entry_next(struct rdb_cursor *cur, struct rdb_op *op) MUST_CHECK;

/**
 * Apply a sealed entry to @root, all of it or nothing.
 * @param state_bytes  kept up to date
 * Returns 0, or why the transaction as a whole has no effect: NONEXIST, EXIST, INVAL (the same on every replica);
 * -DER_PROTO and -DER_NOMEM mean that this replica cannot go on.
 */
int  rdb_entry_apply(struct rdb_kvs *root, const void *data, size_t len, uint64_t *state_bytes) MUST_CHECK;

/** All of @root. @ret_data is malloc'ed. Errors: NOMEM. */
int  rdb_snap_encode(const struct rdb_kvs *root, void **ret_data, size_t *ret_len) MUST_CHECK;
/** Errors: PROTO malformed | NOMEM. */
int  rdb_snap_decode(const void *data, size_t len, struct rdb_kvs **ret_root) MUST_CHECK;
