/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The applied state in DRAM: stores in stores. A store is a treap (Seidel and Aragon, "Randomized Search
 * Trees", 1996) of nodes in key order; a node holds a value or a store. Nodes are counted, so one that
 * was replaced lives on while an undo list or an iteration has it.
 */
#pragma once

#include "rdb/rdb.h"

struct rdb_kvs;

struct rdb_node {
	struct rdb_node *left, *right;
	uint32_t         prio;
	uint32_t         ref;
	struct rdb_kvs  *kvs;     /**< a store, owned; NULL: a value */
	uint32_t         key_len;
	uint32_t         val_len;
	char             data[];  /**< key, value */
};
struct rdb_kvs {
	struct rdb_node  *root;
	uint64_t          node_nr;
	enum rdb_kvs_kind kind;
};

/** What a node costs in a snapshot, and about what it costs in memory. */
#define RDB_NODE_HEAD_BYTES 12
/** Stores inside stores: as deep as a path. */
#define RDB_DEPTH_MAX 7

static inline void *
rdb_node_key(struct rdb_node *node)
{
	return node->data;
}

static inline void *
rdb_node_val(struct rdb_node *node)
{
	return node->data + node->key_len;
}

/** One reference, the caller's; NULL without memory. A store's node when @kvs is given (taken). */
struct rdb_node *rdb_node_new(const d_iov_t *key, const d_iov_t *val, struct rdb_kvs *kvs);
struct rdb_node *rdb_node_get(struct rdb_node *node);
void             rdb_node_put(struct rdb_node *node); /**< NULL is fine */
/** Its bytes in a snapshot, with all below. */
uint64_t         rdb_node_bytes(const struct rdb_node *node);

struct rdb_kvs *rdb_kvs_new(enum rdb_kvs_kind kind);
void            rdb_kvs_free(struct rdb_kvs *kvs); /**< NULL is fine */
int             rdb_key_cmp(enum rdb_kvs_kind kind, const void *a, size_t a_len, const void *b, size_t b_len);
/** Borrowed. */
struct rdb_node *rdb_kvs_find(struct rdb_kvs *kvs, const d_iov_t *key);
/** The first node whose key is greater than @key (NULL: the first of all). Borrowed. */
struct rdb_node *rdb_kvs_next(struct rdb_kvs *kvs, const d_iov_t *key);
/** Put @node (taken; NULL: nothing) where @key is. Returns what was there, the caller's, or NULL. */
struct rdb_node *rdb_kvs_swap(struct rdb_kvs *kvs, const d_iov_t *key, struct rdb_node *node);
/** The store at @path, or NULL. */
struct rdb_kvs  *rdb_kvs_walk(struct rdb_kvs *root, const struct rdb_path *path);
/** Order, priorities, counts; for tests. */
bool             rdb_kvs_ok(const struct rdb_kvs *kvs);
