/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A hash table of nodes that live inside their owners, keyed by bytes. It grows by itself and never
 * fails for want of memory: then chains get longer. Not thread safe: the owner has a lock or an
 * xstream.
 */
#pragma once

#include "base/util.h"

struct d_hash_node {
	struct d_hash_node *next;
	uint64_t            hash;
};

typedef bool (*d_hash_key_eq_t)(const struct d_hash_node *node, const void *key, size_t key_bytes);

struct d_hash {
	struct d_hash_node **buckets;
	struct d_hash_node  *first_bucket; /**< the only bucket until the first growth */
	uint32_t             bucket_nr;    /**< a power of two */
	uint32_t             node_nr;
	d_hash_key_eq_t      key_eq;
};

/** @param key_eq  does @node carry @key? */
void d_hash_init(struct d_hash *h, d_hash_key_eq_t key_eq);
/** Frees the buckets; the table must be empty. */
void d_hash_fini(struct d_hash *h);
/** Errors: EXIST a node with this key is in. */
int  d_hash_insert(struct d_hash *h, struct d_hash_node *node, const void *key,
		   size_t key_bytes) MUST_CHECK;
/** NULL when absent. */
struct d_hash_node *d_hash_find(const struct d_hash *h, const void *key, size_t key_bytes);
/** @node must be in the table. */
void d_hash_remove(struct d_hash *h, struct d_hash_node *node);
/** Calls @fn on each node until it returns nonzero, and returns that; @fn may remove its node. */
int  d_hash_foreach(struct d_hash *h, int (*fn)(struct d_hash_node *node, void *arg), void *arg);
