/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Chained hash table over XXH3. Invariants:
 * 1. bucket_nr is a power of two; a node hangs in bucket (hash & (bucket_nr - 1)).
 * 2. Without an allocated array the only bucket is first_bucket and `buckets` is NULL, so the
 *    structure may be moved while empty or small.
 * 3. The array doubles when the load passes one node a bucket; when that allocation fails the
 *    table stays correct, only slower.
 */
#include "base/hash.h"

#include <stdlib.h>
#include <xxhash.h>
#include <daos_errno.h>

static struct d_hash_node **
hash_bucket(struct d_hash *h, uint64_t hash)
{
	return h->buckets == NULL ? &h->first_bucket : &h->buckets[hash & (h->bucket_nr - 1)];
}

void
d_hash_init(struct d_hash *h, d_hash_key_eq_t key_eq)
{
	*h = (struct d_hash){.bucket_nr = 1, .key_eq = key_eq};
}

void
d_hash_fini(struct d_hash *h)
{
	D_ASSERT(h->node_nr == 0);
	free(h->buckets);
	h->buckets = NULL;
	h->bucket_nr = 1;
}

static void
hash_grow(struct d_hash *h)
{
	uint32_t             new_nr = MAX_OF(h->bucket_nr * 2, 16U);
	uint32_t             old_nr = h->bucket_nr;
	struct d_hash_node **fresh;
	struct d_hash_node  *node;
	struct d_hash_node  *next;

	if (h->bucket_nr >= 1U << 30)
		return;
	fresh = calloc(new_nr, sizeof(*fresh));
	if (fresh == NULL)
		return;
	for (uint32_t i = 0; i < old_nr; i++) {
		for (node = *hash_bucket(h, i); node != NULL; node = next) {
			struct d_hash_node **to = &fresh[node->hash & (new_nr - 1)];

			next = node->next;
			node->next = *to;
			*to = node;
		}
	}
	free(h->buckets);
	h->buckets = fresh;
	h->first_bucket = NULL;
	h->bucket_nr = new_nr;
}

static struct d_hash_node *
hash_find(struct d_hash *h, uint64_t hash, const void *key, size_t key_bytes)
{
	struct d_hash_node *node;

	for (node = *hash_bucket(h, hash); node != NULL; node = node->next) {
		if (node->hash == hash && h->key_eq(node, key, key_bytes))
			return node;
	}
	return NULL;
}

int
d_hash_insert(struct d_hash *h, struct d_hash_node *node, const void *key, size_t key_bytes)
{
	uint64_t             hash = XXH3_64bits(key, key_bytes);
	struct d_hash_node **bucket;

	if (hash_find(h, hash, key, key_bytes) != NULL)
		return -DER_EXIST;
	if (h->node_nr >= h->bucket_nr)
		hash_grow(h);
	bucket = hash_bucket(h, hash);
	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	h->node_nr++;
	return 0;
}

struct d_hash_node *
d_hash_find(const struct d_hash *h, const void *key, size_t key_bytes)
{
	return hash_find((struct d_hash *)h, XXH3_64bits(key, key_bytes), key, key_bytes);
}

void
d_hash_remove(struct d_hash *h, struct d_hash_node *node)
{
	struct d_hash_node **link = hash_bucket(h, node->hash);

	while (*link != node) {
		D_ASSERT(*link != NULL);
		link = &(*link)->next;
	}
	*link = node->next;
	node->next = NULL;
	h->node_nr--;
}

int
d_hash_foreach(struct d_hash *h, int (*fn)(struct d_hash_node *node, void *arg), void *arg)
{
	struct d_hash_node *node;
	struct d_hash_node *next;
	int                 rc;

	for (uint32_t i = 0; i < h->bucket_nr; i++) {
		for (node = *hash_bucket(h, i); node != NULL; node = next) {
			next = node->next;
			rc = fn(node, arg);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}
