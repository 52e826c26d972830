/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Invariants of a treap:
 *  1. Keys are in order: left < node < right.
 *  2. A node's prio is at least its children's. It is a hash of the key, so the same content makes the
 *     same tree on every replica, and the depth is logarithmic with high probability.
 */
#include <endian.h>
#include "base/crc32c.h"
#include "rdb/rdb_tree.h"

/* ---- nodes ---- */

static uint32_t
key_prio(const d_iov_t *key)
{
	/* A CRC alone is linear in the key; the multiplication spreads near keys. */
	uint64_t h = (uint64_t)(d_crc32c(0, key->iov_buf, key->iov_len) + 1) * 0x9e3779b97f4a7c15ULL;

	return h >> 32;
}

struct rdb_node *
rdb_node_new(const d_iov_t *key, const d_iov_t *val, struct rdb_kvs *kvs)
{
	size_t           val_len = val != NULL ? val->iov_len : 0;
	struct rdb_node *node = malloc(sizeof(*node) + key->iov_len + val_len);

	if (node == NULL)
		return NULL;
	*node = (struct rdb_node){
	    .prio = key_prio(key), .ref = 1, .kvs = kvs, .key_len = key->iov_len, .val_len = val_len};
	memcpy(rdb_node_key(node), key->iov_buf, key->iov_len);
	if (val_len > 0)
		memcpy(rdb_node_val(node), val->iov_buf, val_len);
	return node;
}

struct rdb_node *
rdb_node_get(struct rdb_node *node)
{
	node->ref++;
	return node;
}

void
rdb_node_put(struct rdb_node *node)
{
	if (node == NULL || --node->ref > 0)
		return;
	rdb_kvs_free(node->kvs);
	free(node);
}

static uint64_t
subtree_bytes(const struct rdb_node *node)
{
	if (node == NULL)
		return 0;
	return rdb_node_bytes(node) + subtree_bytes(node->left) + subtree_bytes(node->right);
}

uint64_t
rdb_node_bytes(const struct rdb_node *node)
{
	uint64_t bytes = RDB_NODE_HEAD_BYTES + node->key_len + node->val_len;

	if (node->kvs != NULL)
		bytes += RDB_NODE_HEAD_BYTES + subtree_bytes(node->kvs->root);
	return bytes;
}

/* ---- stores ---- */

struct rdb_kvs *
rdb_kvs_new(enum rdb_kvs_kind kind)
{
	struct rdb_kvs *kvs = calloc(1, sizeof(*kvs));

	if (kvs != NULL)
		kvs->kind = kind;
	return kvs;
}

static void
subtree_put(struct rdb_node *node)
{
	if (node == NULL)
		return;
	subtree_put(node->left);
	subtree_put(node->right);
	node->left = node->right = NULL;
	rdb_node_put(node);
}

void
rdb_kvs_free(struct rdb_kvs *kvs)
{
	if (kvs == NULL)
		return;
	subtree_put(kvs->root);
	free(kvs);
}

int
rdb_key_cmp(enum rdb_kvs_kind kind, const void *a, size_t a_len, const void *b, size_t b_len)
{
	int rc;

	if (kind == RDB_KVS_U64 && a_len == 8 && b_len == 8) {
		uint64_t x, y;

		memcpy(&x, a, 8);
		memcpy(&y, b, 8);
		return x < y ? -1 : x > y;
	}
	rc = memcmp(a, b, MIN_OF(a_len, b_len));
	if (rc != 0)
		return rc;
	return a_len < b_len ? -1 : a_len > b_len;
}

static int
cmp_node(const struct rdb_kvs *kvs, const d_iov_t *key, const struct rdb_node *node)
{
	return rdb_key_cmp(kvs->kind, key->iov_buf, key->iov_len, node->data, node->key_len);
}

struct rdb_node *
rdb_kvs_find(struct rdb_kvs *kvs, const d_iov_t *key)
{
	struct rdb_node *node = kvs->root;

	while (node != NULL) {
		int c = cmp_node(kvs, key, node);

		if (c == 0)
			break;
		node = c < 0 ? node->left : node->right;
	}
	return node;
}

struct rdb_node *
rdb_kvs_next(struct rdb_kvs *kvs, const d_iov_t *key)
{
	struct rdb_node *node = kvs->root, *best = NULL;

	while (node != NULL) {
		if (key == NULL || cmp_node(kvs, key, node) < 0) {
			best = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return best;
}

/** Cut the subtree into what is below @key and what is above; @key is not in it. */
static void
split(struct rdb_kvs *kvs, struct rdb_node *node, const d_iov_t *key, struct rdb_node **ret_low,
      struct rdb_node **ret_high)
{
	if (node == NULL) {
		*ret_low = *ret_high = NULL;
	} else if (cmp_node(kvs, key, node) < 0) {
		split(kvs, node->left, key, ret_low, &node->left);
		*ret_high = node;
	} else {
		split(kvs, node->right, key, &node->right, ret_high);
		*ret_low = node;
	}
}

/** All of @low is below all of @high. */
static struct rdb_node *
merge(struct rdb_node *low, struct rdb_node *high)
{
	if (low == NULL)
		return high;
	if (high == NULL)
		return low;
	if (low->prio >= high->prio) {
		low->right = merge(low->right, high);
		return low;
	}
	high->left = merge(low, high->left);
	return high;
}

static struct rdb_node **
find_link(struct rdb_kvs *kvs, const d_iov_t *key)
{
	struct rdb_node **link = &kvs->root;

	while (*link != NULL) {
		int c = cmp_node(kvs, key, *link);

		if (c == 0)
			break;
		link = c < 0 ? &(*link)->left : &(*link)->right;
	}
	return link;
}

static void
insert(struct rdb_kvs *kvs, const d_iov_t *key, struct rdb_node *node)
{
	struct rdb_node **link = &kvs->root;

	while (*link != NULL && (*link)->prio >= node->prio)
		link = cmp_node(kvs, key, *link) < 0 ? &(*link)->left : &(*link)->right;
	split(kvs, *link, key, &node->left, &node->right);
	*link = node;
}

struct rdb_node *
rdb_kvs_swap(struct rdb_kvs *kvs, const d_iov_t *key, struct rdb_node *node)
{
	struct rdb_node **link = find_link(kvs, key);
	struct rdb_node  *old = *link;

	if (old != NULL) {
		*link = merge(old->left, old->right);
		old->left = old->right = NULL;
		kvs->node_nr--;
	}
	if (node != NULL) {
		insert(kvs, key, node);
		kvs->node_nr++;
	}
	return old;
}

struct rdb_kvs *
rdb_kvs_walk(struct rdb_kvs *root, const struct rdb_path *path)
{
	struct rdb_kvs *kvs = root;

	for (uint32_t i = 0; i < path->nr && kvs != NULL; i++) {
		struct rdb_node *node = rdb_kvs_find(kvs, &path->keys[i]);

		kvs = node == NULL ? NULL : node->kvs;
	}
	return kvs;
}

static bool
subtree_ok(const struct rdb_kvs *kvs, const struct rdb_node *node, uint64_t *nr)
{
	if (node == NULL)
		return true;
	if ((node->left != NULL && node->left->prio > node->prio) ||
	    (node->right != NULL && node->right->prio > node->prio))
		return false;
	if (node->left != NULL && rdb_key_cmp(kvs->kind, node->left->data, node->left->key_len,
					      node->data, node->key_len) >= 0)
		return false;
	if (node->right != NULL && rdb_key_cmp(kvs->kind, node->right->data, node->right->key_len,
					       node->data, node->key_len) <= 0)
		return false;
	if (node->kvs != NULL && !rdb_kvs_ok(node->kvs))
		return false;
	(*nr)++;
	return subtree_ok(kvs, node->left, nr) && subtree_ok(kvs, node->right, nr);
}

bool
rdb_kvs_ok(const struct rdb_kvs *kvs)
{
	uint64_t nr = 0;

	return subtree_ok(kvs, kvs->root, &nr) && nr == kvs->node_nr;
}
