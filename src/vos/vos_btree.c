/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * B+tree in the transactional heap (Comer, "The Ubiquitous B-Tree", 1979), with these choices:
 *
 *   - A root that is a leaf starts with room for one entry and doubles up to the order, so that a
 *     tree with one entry costs one small allocation.
 *   - An inner entry is the key of the smallest leaf entry below it, then the child's offset. The
 *     copy is kept exact: keys that point to whole keys elsewhere never dangle.
 *   - A split at the right end moves nothing, so ascending keys fill nodes to the brim.
 *   - A node that is a quarter full joins a sibling if both fit in one; an empty one is freed.
 *
 * Invariants:
 *   1. Entries ascend strictly within a node, and from a node to the next.
 *   2. Key i of an inner node equals the key of the smallest leaf entry below child i.
 *   3. No node is empty; only a root leaf has less room than the order.
 *   4. All leaves are at the same depth; df->nr counts their entries; depth 0 has no root.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <string.h>
#include "base/log.h"
#include "vos/vos_btree.h"

struct vos_btree_node_df {
	uint16_t nr;
	uint16_t cap;
	uint8_t	 leaf;
	uint8_t	 reserved[3];
	uint8_t	 ents[];
};
_Static_assert(sizeof(struct vos_btree_node_df) == 8, "durable layout");

typedef struct vos_btree_node_df node_t;

static uint32_t
ent_stride(const struct vos_btree *t, const node_t *n)
{
	return n->leaf ? t->cls->ent_bytes : t->cls->key_bytes + sizeof(umem_off_t);
}

static uint8_t *
ent_at(const struct vos_btree *t, node_t *n, uint32_t pos)
{
	return n->ents + (size_t)pos * ent_stride(t, n);
}

static node_t *
child_at(const struct vos_btree *t, node_t *n, uint32_t pos)
{
	umem_off_t off;

	memcpy(&off, ent_at(t, n, pos) + t->cls->key_bytes, sizeof(off));
	return umem_ptr(t->umem, off);
}

static node_t *
root_node(const struct vos_btree *t)
{
	return t->df->depth == 0 ? NULL : umem_ptr(t->umem, t->df->root);
}

static int
df_touch(const struct vos_btree *t)
{
	return umem_tx_add(t->umem, t->df, sizeof(*t->df));
}

static int
hdr_touch(const struct vos_btree *t, node_t *n)
{
	return umem_tx_add(t->umem, n, sizeof(*n));
}

static int
ents_touch(const struct vos_btree *t, node_t *n, uint32_t from, uint32_t to)
{
	if (from >= to)
		return 0;
	return umem_tx_add(t->umem, ent_at(t, n, from), (size_t)(to - from) * ent_stride(t, n));
}

/* ---- searching ---- */

static uint64_t
ent_u64(const uint8_t *ent)
{
	uint64_t v;

	memcpy(&v, ent, sizeof(v));
	return v;
}

/** First position whose entry's leading number is >= @want: a binary search without branches. */
static uint32_t
node_bound_u64(const node_t *n, uint32_t stride, uint64_t want)
{
	const uint8_t *base = n->ents;
	uint32_t       nr = n->nr;

	while (nr > 1) {
		uint32_t half = nr / 2;

		base += ent_u64(base + (size_t)(half - 1) * stride) < want ? (size_t)half * stride : 0;
		nr -= half;
	}
	base += nr == 1 && ent_u64(base) < want ? stride : 0;
	return (base - n->ents) / stride;
}

/** First position whose entry is >= @key (> with @after). */
static uint32_t
node_bound(const struct vos_btree *t, node_t *n, const void *key, bool after)
{
	uint32_t lo = 0;
	uint32_t hi = n->nr;

	if (t->cls->u64_first) {
		uint32_t stride = ent_stride(t, n);
		uint64_t want = ent_u64(key);

		lo = node_bound_u64(n, stride, want);
		for (hi = lo; hi < n->nr && ent_u64(n->ents + (size_t)hi * stride) == want;)
			hi++;
	}
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		int	 c = t->cls->cmp(t->umem, ent_at(t, n, mid), key);

		if (c < 0 || (after && c == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

#define CACHE_LINE 64u

/** A search touches lines all over a node, one after the other: fetch them at once. */
static void
node_prefetch(const struct vos_btree *t, const node_t *n, bool leaf)
{
	const char *at = (const char *)n;
	const char *end = at + sizeof(*n) + t->cls->order * (leaf ? t->cls->ent_bytes : t->cls->key_bytes + sizeof(umem_off_t));

	for (; at < end; at += CACHE_LINE)
		__builtin_prefetch(at);
}

/** Path to the leaf position where @key is or would go; pos may be the leaf's nr. */
static void
path_find(const struct vos_btree *t, const void *key, bool after, struct vos_btree_cur *cur)
{
	node_t	*n = root_node(t);
	uint32_t i;

	cur->depth = t->df->depth;
	D_ASSERT(cur->depth <= VOS_BTREE_DEPTH_MAX);
	for (i = 0; i < cur->depth; i++) {
		uint32_t pos = node_bound(t, n, key, n->leaf ? after : true);

		if (!n->leaf && pos > 0)
			pos--;
		cur->lvl[i].node = n;
		cur->lvl[i].pos = pos;
		if (!n->leaf) {
			n = child_at(t, n, pos);
			node_prefetch(t, n, i + 2 == cur->depth);
		}
	}
}

static void
path_edge(const struct vos_btree *t, bool last, struct vos_btree_cur *cur, uint32_t from)
{
	uint32_t i;

	for (i = from; i < cur->depth; i++) {
		node_t *n =
		    i == 0 ? root_node(t) : child_at(t, cur->lvl[i - 1].node, cur->lvl[i - 1].pos);

		cur->lvl[i].node = n;
		cur->lvl[i].pos = last ? n->nr - 1 : 0;
	}
}

void *
vos_btree_next(const struct vos_btree *t, struct vos_btree_cur *cur)
{
	uint32_t i = cur->depth;

	while (i > 0) {
		i--;
		if (cur->lvl[i].pos + 1 < cur->lvl[i].node->nr) {
			cur->lvl[i].pos++;
			path_edge(t, false, cur, i + 1);
			return ent_at(t, cur->lvl[cur->depth - 1].node,
				      cur->lvl[cur->depth - 1].pos);
		}
	}
	return NULL;
}

void *
vos_btree_prev(const struct vos_btree *t, struct vos_btree_cur *cur)
{
	uint32_t i = cur->depth;

	while (i > 0) {
		i--;
		if (cur->lvl[i].pos > 0) {
			cur->lvl[i].pos--;
			path_edge(t, true, cur, i + 1);
			return ent_at(t, cur->lvl[cur->depth - 1].node,
				      cur->lvl[cur->depth - 1].pos);
		}
	}
	return NULL;
}

void *
vos_btree_probe(const struct vos_btree *t, enum vos_btree_op op, const void *key,
		struct vos_btree_cur *cur)
{
	struct vos_btree_cur own;
	node_t		    *leaf;
	uint32_t	     pos;

	if (t->df->depth == 0)
		return NULL;
	if (cur == NULL)
		cur = &own;
	if (op == VOS_BTREE_FIRST || op == VOS_BTREE_LAST) {
		cur->depth = t->df->depth;
		path_edge(t, op == VOS_BTREE_LAST, cur, 0);
		return ent_at(t, cur->lvl[cur->depth - 1].node, cur->lvl[cur->depth - 1].pos);
	}
	path_find(t, key, op == VOS_BTREE_GT || op == VOS_BTREE_LE, cur);
	leaf = cur->lvl[cur->depth - 1].node;
	pos = cur->lvl[cur->depth - 1].pos;
	switch (op) {
	case VOS_BTREE_EQ:
		if (pos < leaf->nr && t->cls->cmp(t->umem, ent_at(t, leaf, pos), key) == 0)
			return ent_at(t, leaf, pos);
		return NULL;
	case VOS_BTREE_LE:
	case VOS_BTREE_LT:
		return vos_btree_prev(t, cur);
	default:
		if (pos < leaf->nr)
			return ent_at(t, leaf, pos);
		return vos_btree_next(t, cur);
	}
}

/* ---- inserting ---- */

static int
node_new(const struct vos_btree *t, bool leaf, uint32_t cap, node_t **ret_node)
{
	uint32_t   stride = leaf ? t->cls->ent_bytes : t->cls->key_bytes + sizeof(umem_off_t);
	umem_off_t off;
	int	   rc;

	rc = umem_alloc(t->umem, sizeof(node_t) + (size_t)cap * stride, &off);
	if (rc != 0)
		return rc;
	*ret_node = umem_ptr(t->umem, off);
	(*ret_node)->leaf = leaf;
	(*ret_node)->cap = cap;
	return 0;
}

/** Make the copies of the smallest key in the nodes above @lvl exact (invariant 2). */
static int
path_fix_min(const struct vos_btree *t, struct vos_btree_cur *cur, uint32_t lvl)
{
	const uint8_t *key = ent_at(t, cur->lvl[lvl].node, 0);
	int	       rc;

	while (lvl > 0) {
		uint8_t *ent = ent_at(t, cur->lvl[lvl - 1].node, cur->lvl[lvl - 1].pos);

		rc = umem_tx_add(t->umem, ent, t->cls->key_bytes);
		if (rc != 0)
			return rc;
		memcpy(ent, key, t->cls->key_bytes);
		lvl--;
		if (cur->lvl[lvl].pos != 0)
			break;
	}
	return 0;
}

static int
node_put(const struct vos_btree *t, node_t *n, uint32_t pos, const void *ent)
{
	int rc;

	D_ASSERT(n->nr < n->cap && pos <= n->nr);
	rc = hdr_touch(t, n);
	if (rc == 0)
		rc = ents_touch(t, n, pos, n->nr + 1);
	if (rc != 0)
		return rc;
	memmove(ent_at(t, n, pos + 1), ent_at(t, n, pos), (size_t)(n->nr - pos) * ent_stride(t, n));
	memcpy(ent_at(t, n, pos), ent, ent_stride(t, n));
	n->nr++;
	return 0;
}

/** A root leaf with less room than the order moves into one twice as large. */
static int
root_grow(const struct vos_btree *t, struct vos_btree_cur *cur)
{
	node_t *old = cur->lvl[0].node;
	node_t *n;
	int	rc;

	rc = node_new(t, true, MIN_OF(old->cap * 2u, t->cls->order), &n);
	if (rc == 0)
		rc = df_touch(t);
	if (rc != 0)
		return rc;
	n->nr = old->nr;
	memcpy(n->ents, old->ents, (size_t)old->nr * t->cls->ent_bytes);
	rc = umem_free(t->umem, t->df->root);
	if (rc != 0)
		return rc;
	t->df->root = umem_off(t->umem, n);
	cur->lvl[0].node = n;
	return 0;
}

/** Move the upper part of @n into a new right sibling; none if @pos is behind the last entry. */
static int
node_split(const struct vos_btree *t, node_t *n, uint32_t pos, node_t **ret_right)
{
	uint32_t from = pos == n->nr ? n->nr : n->nr / 2;
	node_t	*right;
	int	 rc;

	rc = node_new(t, n->leaf, t->cls->order, &right);
	if (rc == 0)
		rc = hdr_touch(t, n);
	if (rc != 0)
		return rc;
	right->nr = n->nr - from;
	memcpy(right->ents, ent_at(t, n, from), (size_t)right->nr * ent_stride(t, n));
	n->nr = from;
	*ret_right = right;
	return 0;
}

static void
inner_ent_make(const struct vos_btree *t, node_t *child, uint8_t *ent)
{
	umem_off_t off = umem_off(t->umem, child);

	memcpy(ent, ent_at(t, child, 0), t->cls->key_bytes);
	memcpy(ent + t->cls->key_bytes, &off, sizeof(off));
}

#define INNER_ENT_BYTES_MAX 64u

/** The root was split: put a new one above both halves. */
static int
root_raise(const struct vos_btree *t, node_t *left, node_t *right)
{
	uint8_t ent[INNER_ENT_BYTES_MAX];
	node_t *root;
	int	rc;

	rc = node_new(t, false, t->cls->order, &root);
	if (rc == 0)
		rc = df_touch(t);
	if (rc != 0)
		return rc;
	inner_ent_make(t, left, ent);
	memcpy(ent_at(t, root, 0), ent, ent_stride(t, root));
	inner_ent_make(t, right, ent);
	memcpy(ent_at(t, root, 1), ent, ent_stride(t, root));
	root->nr = 2;
	t->df->root = umem_off(t->umem, root);
	t->df->depth++;
	return 0;
}

static int
path_insert(const struct vos_btree *t, struct vos_btree_cur *cur, uint32_t lvl, uint32_t pos,
	    const void *ent)
{
	node_t *n = cur->lvl[lvl].node;
	node_t *right;
	uint8_t up[INNER_ENT_BYTES_MAX];
	int	rc;

	if (n->nr == n->cap && n->cap < t->cls->order) {
		rc = root_grow(t, cur);
		if (rc != 0)
			return rc;
		n = cur->lvl[lvl].node;
	}
	if (n->nr < n->cap) {
		rc = node_put(t, n, pos, ent);
		if (rc == 0 && pos == 0)
			rc = path_fix_min(t, cur, lvl);
		return rc;
	}
	rc = node_split(t, n, pos, &right);
	if (rc != 0)
		return rc;
	if (pos < n->nr)
		rc = node_put(t, n, pos, ent);
	else
		rc = node_put(t, right, pos - n->nr, ent);
	if (rc == 0 && pos == 0)
		rc = path_fix_min(t, cur, lvl);
	if (rc != 0)
		return rc;
	if (lvl == 0)
		return root_raise(t, n, right);
	inner_ent_make(t, right, up);
	return path_insert(t, cur, lvl - 1, cur->lvl[lvl - 1].pos + 1, up);
}

static int
first_insert(const struct vos_btree *t, const void *ent)
{
	node_t *n;
	int	rc;

	rc = node_new(t, true, 1, &n);
	if (rc == 0)
		rc = df_touch(t);
	if (rc != 0)
		return rc;
	memcpy(n->ents, ent, t->cls->ent_bytes);
	n->nr = 1;
	t->df->root = umem_off(t->umem, n);
	t->df->depth = 1;
	t->df->nr = 1;
	return 0;
}

int
vos_btree_insert_at(const struct vos_btree *t, struct vos_btree_cur *cur, const void *ent)
{
	int rc;

	D_ASSERT(t->cls->key_bytes + sizeof(umem_off_t) <= INNER_ENT_BYTES_MAX);
	if (t->df->depth == 0)
		return first_insert(t, ent);
	D_ASSERT(cur->depth == t->df->depth);
	rc = df_touch(t);
	if (rc != 0)
		return rc;
	t->df->nr++;
	return path_insert(t, cur, cur->depth - 1, cur->lvl[cur->depth - 1].pos, ent);
}

int
vos_btree_insert(const struct vos_btree *t, const void *key, const void *ent)
{
	struct vos_btree_cur cur;

	if (vos_btree_probe(t, VOS_BTREE_EQ, key, &cur) != NULL)
		return -DER_EXIST;
	return vos_btree_insert_at(t, &cur, ent);
}

/* ---- deleting ---- */

static int path_remove(const struct vos_btree *t, struct vos_btree_cur *cur, uint32_t lvl);

/** @left and @right are neighbours under one parent; @cur stands on @right's position there. */
static int
node_join(const struct vos_btree *t, struct vos_btree_cur *cur, uint32_t lvl, node_t *left,
	  node_t *right)
{
	int rc;

	rc = hdr_touch(t, left);
	if (rc == 0)
		rc = ents_touch(t, left, left->nr, left->nr + right->nr);
	if (rc != 0)
		return rc;
	memcpy(ent_at(t, left, left->nr), right->ents, (size_t)right->nr * ent_stride(t, right));
	left->nr += right->nr;
	rc = umem_free(t->umem, umem_off(t->umem, right));
	if (rc != 0)
		return rc;
	return path_remove(t, cur, lvl - 1);
}

/** The node at @lvl may have become small: join it with a sibling if one node holds both. */
static int
path_shrink(const struct vos_btree *t, struct vos_btree_cur *cur, uint32_t lvl)
{
	node_t	*n = cur->lvl[lvl].node;
	node_t	*parent;
	uint32_t ppos;

	if (lvl == 0 || n->nr > t->cls->order / 4)
		return 0;
	parent = cur->lvl[lvl - 1].node;
	ppos = cur->lvl[lvl - 1].pos;
	if (ppos > 0) {
		node_t *left = child_at(t, parent, ppos - 1);

		if (left->nr + n->nr <= left->cap)
			return node_join(t, cur, lvl, left, n);
	}
	if (ppos + 1 < parent->nr) {
		node_t *right = child_at(t, parent, ppos + 1);

		if (right->nr + n->nr <= n->cap) {
			cur->lvl[lvl - 1].pos = ppos + 1;
			return node_join(t, cur, lvl, n, right);
		}
	}
	return 0;
}

/** Remove the entry @cur stands on at @lvl. */
static int
path_remove(const struct vos_btree *t, struct vos_btree_cur *cur, uint32_t lvl)
{
	node_t	*n = cur->lvl[lvl].node;
	uint32_t pos = cur->lvl[lvl].pos;
	int	 rc;

	if (n->nr == 1) {
		rc = umem_free(t->umem, umem_off(t->umem, n));
		if (rc != 0 || lvl > 0)
			return rc != 0 ? rc : path_remove(t, cur, lvl - 1);
		t->df->root = UMEM_NULL;
		t->df->depth = 0;
		return 0;
	}
	rc = hdr_touch(t, n);
	if (rc == 0)
		rc = ents_touch(t, n, pos, n->nr - 1);
	if (rc != 0)
		return rc;
	n->nr--;
	memmove(ent_at(t, n, pos), ent_at(t, n, pos + 1), (size_t)(n->nr - pos) * ent_stride(t, n));
	if (pos == 0) {
		rc = path_fix_min(t, cur, lvl);
		if (rc != 0)
			return rc;
	}
	return path_shrink(t, cur, lvl);
}

int
vos_btree_delete(const struct vos_btree *t, const void *key)
{
	struct vos_btree_cur cur;
	int		     rc;

	if (vos_btree_probe(t, VOS_BTREE_EQ, key, &cur) == NULL)
		return -DER_NONEXIST;
	rc = df_touch(t);
	if (rc != 0)
		return rc;
	t->df->nr--;
	rc = path_remove(t, &cur, cur.depth - 1);
	if (rc != 0)
		return rc;
	while (t->df->depth > 1) {
		node_t	  *root = root_node(t);
		umem_off_t old = t->df->root;

		if (root->nr > 1)
			break;
		t->df->root = umem_off(t->umem, child_at(t, root, 0));
		t->df->depth--;
		rc = umem_free(t->umem, old);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
vos_btree_touch(const struct vos_btree *t, void *ent)
{
	return umem_tx_add(t->umem, ent, t->cls->ent_bytes);
}

int
vos_btree_cmp_u64(const struct umem *u, const void *ent, const void *key)
{
	uint64_t a;
	uint64_t b;

	(void)u;
	memcpy(&a, ent, sizeof(a));
	memcpy(&b, key, sizeof(b));
	return a < b ? -1 : a > b;
}

/* ---- checking ---- */

struct check {
	const struct vos_btree *t;
	bool (*less)(const struct umem *u, const void *a, const void *b);
	int (*fn)(void *ent, void *arg);
	void	*arg;
	uint8_t *last;
	uint32_t nr;
};

static int
node_bad(const char *what, umem_off_t off)
{
	D_ERROR("B+tree node at heap offset %#lx: %s\n", (unsigned long)off, what);
	return -DER_DF_INVAL;
}

static int
leaf_check(struct check *c, node_t *n, umem_off_t off)
{
	uint32_t i;
	int	 rc;

	for (i = 0; i < n->nr; i++) {
		uint8_t *ent = ent_at(c->t, n, i);

		if (c->last != NULL && !c->less(c->t->umem, c->last, ent))
			return node_bad("entries do not ascend", off);
		c->last = ent;
		c->nr++;
		rc = c->fn == NULL ? 0 : c->fn(ent, c->arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
node_check(struct check *c, umem_off_t off, uint32_t depth, const uint8_t *key)
{
	node_t	*n;
	uint32_t i;
	int	 rc;

	if (!umem_off_valid(c->t->umem, off, sizeof(*n)))
		return node_bad("offset outside of the heap", off);
	n = umem_ptr(c->t->umem, off);
	if (n->nr == 0 || n->nr > n->cap || n->cap > c->t->cls->order || n->leaf != (depth == 1))
		return node_bad("bad header", off);
	if (n->cap < c->t->cls->order && key != NULL)
		return node_bad("small node below the root", off);
	if (!umem_off_valid(c->t->umem, off, sizeof(*n) + (size_t)n->cap * ent_stride(c->t, n)))
		return node_bad("ends outside of the heap", off);
	if (key != NULL && memcmp(key, n->ents, c->t->cls->key_bytes) != 0)
		return node_bad("its first key differs from the parent's copy", off);
	if (n->leaf)
		return leaf_check(c, n, off);
	for (i = 0; i < n->nr; i++) {
		umem_off_t child;

		memcpy(&child, ent_at(c->t, n, i) + c->t->cls->key_bytes, sizeof(child));
		rc = node_check(c, child, depth - 1, ent_at(c->t, n, i));
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
vos_btree_check(const struct vos_btree *t,
		bool (*less)(const struct umem *u, const void *a, const void *b),
		int (*fn)(void *ent, void *arg), void *arg)
{
	struct check c = {.t = t, .less = less, .fn = fn, .arg = arg};
	int	     rc;

	if (t->df->depth == 0)
		return t->df->nr == 0 && t->df->root == UMEM_NULL
			   ? 0
			   : node_bad("empty tree with a root or a count", t->df->root);
	if (t->df->depth > VOS_BTREE_DEPTH_MAX)
		return node_bad("tree too deep", t->df->root);
	rc = node_check(&c, t->df->root, t->df->depth, NULL);
	if (rc == 0 && c.nr != t->df->nr)
		rc = node_bad("count of entries is wrong", t->df->root);
	return rc;
}
