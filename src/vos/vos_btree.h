/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * B+trees in the heap. An entry is a run of bytes of fixed length that begins with its key; a class
 * says how long both are and how keys compare, so keys of any kind fit: bytes, integers, or an
 * order number with an offset to the whole key, which ties are broken by.
 *
 * Changes belong to the caller's open transaction; after an error the caller aborts it. Nothing
 * here yields. Returned entries and cursors are good until the tree changes.
 */
#pragma once

#include "vos/vos_df.h"

/** Three-way: the entry against the caller's search key. */
typedef int (*vos_btree_cmp_t)(const struct umem *u, const void *ent, const void *key);

struct vos_btree_class {
	uint16_t ent_bytes; /**< of a leaf entry; multiple of 8 */
	uint16_t key_bytes; /**< leading part that inner nodes keep a copy of; multiple of 8 */
	uint16_t order;	    /**< entries a full node holds, >= 4 */
	vos_btree_cmp_t cmp;
	bool u64_first; /**< entries and search keys begin with a u64 that decides, if it differs */
};

struct vos_btree {
	struct umem		     *umem;
	const struct vos_btree_class *cls;
	struct vos_btree_df	     *df;
};

struct vos_btree_node_df;
#define VOS_BTREE_DEPTH_MAX 20

/** A path from the root to an entry. */
struct vos_btree_cur {
	uint32_t depth;
	struct {
		struct vos_btree_node_df *node;
		uint32_t		  pos;
	} lvl[VOS_BTREE_DEPTH_MAX];
};

enum vos_btree_op {
	VOS_BTREE_EQ,
	VOS_BTREE_GE,
	VOS_BTREE_GT,
	VOS_BTREE_LE,
	VOS_BTREE_LT,
	VOS_BTREE_FIRST, /**< key ignored */
	VOS_BTREE_LAST,
};

/** The entry the condition finds nearest to @key, or NULL. @cur may be NULL. */
void *vos_btree_probe(const struct vos_btree *t, enum vos_btree_op op, const void *key,
		      struct vos_btree_cur *cur);
void *vos_btree_next(const struct vos_btree *t, struct vos_btree_cur *cur);
void *vos_btree_prev(const struct vos_btree *t, struct vos_btree_cur *cur);

static inline void *
vos_btree_find(const struct vos_btree *t, const void *key)
{
	return vos_btree_probe(t, VOS_BTREE_EQ, key, NULL);
}

/** Copies @ent (class ent_bytes); @key is its search key. Errors: EXIST, NOSPACE, NOMEM. */
int vos_btree_insert(const struct vos_btree *t, const void *key, const void *ent) MUST_CHECK;
/** The same where vos_btree_probe(EQ) with @cur found nothing and the tree is as it was then. */
int vos_btree_insert_at(const struct vos_btree *t, struct vos_btree_cur *cur,
			const void *ent) MUST_CHECK;
/** Errors: NONEXIST, NOMEM. */
int vos_btree_delete(const struct vos_btree *t, const void *key) MUST_CHECK;
/** Log an entry found before it is changed in place; its key must stay. */
int vos_btree_touch(const struct vos_btree *t, void *ent) MUST_CHECK;

/** Calls @fn for each entry, in order, after checking the nodes; @less tells whether a precedes b.
 */
int vos_btree_check(const struct vos_btree *t,
		    bool (*less)(const struct umem *u, const void *a, const void *b),
		    int (*fn)(void *ent, void *arg), void *arg) MUST_CHECK;

/** For classes whose key is one u64, resp. for search keys that are a u64. */
int vos_btree_cmp_u64(const struct umem *u, const void *ent, const void *key);
