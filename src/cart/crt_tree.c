/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Shapes of trees. Everything is computed for root 0 and turned: member p of a tree with root r
 * stands where p - r (mod nr) stands in the tree with root 0.
 */
#define D_LOGFAC LOG_FAC_CART
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_tree.h"

bool
crt_tree_valid(struct crt_tree tree)
{
	if (tree.type == CRT_TREE_FLAT)
		return true;
	return tree.type < CRT_TREE_TYPE_NR && tree.ratio >= CRT_TREE_MIN_RATIO &&
	       tree.ratio <= CRT_TREE_MAX_RATIO;
}

/* ---- root 0; @children may be NULL: only count ---- */

static uint32_t
emit(uint32_t *children, uint32_t nr, uint32_t child)
{
	if (children != NULL)
		children[nr] = child;
	return nr + 1;
}

static uint32_t
flat_children(uint32_t nr, uint32_t v, uint32_t *children)
{
	uint32_t out = 0;

	for (uint32_t c = 1; v == 0 && c < nr; c++)
		out = emit(children, out, c);
	return out;
}

static uint32_t
kary_children(uint32_t ratio, uint32_t nr, uint32_t v, uint32_t *children)
{
	uint64_t first = (uint64_t)v * ratio + 1;
	uint32_t out   = 0;

	for (uint64_t c = first; c < first + ratio && c < nr; c++)
		out = emit(children, out, (uint32_t)c);
	return out;
}

/** The weight of the lowest nonzero digit of @v in base @ratio; of 0, that of the first digit past @nr. */
static uint64_t
knomial_weight(uint32_t ratio, uint32_t nr, uint32_t v)
{
	uint64_t w = 1;

	while (v == 0 ? w < nr : v / w % ratio == 0)
		w *= ratio;
	return w;
}

/** Children differ from @v in one digit below its lowest nonzero one. */
static uint32_t
knomial_children(uint32_t ratio, uint32_t nr, uint32_t v, uint32_t *children)
{
	uint32_t out = 0;

	for (uint64_t w = knomial_weight(ratio, nr, v) / ratio; w > 0; w /= ratio)
		for (uint32_t digit = 1; digit < ratio && v + digit * w < nr; digit++)
			out = emit(children, out, (uint32_t)(v + digit * w));
	return out;
}

static uint32_t
children0(struct crt_tree tree, uint32_t nr, uint32_t v, uint32_t *children)
{
	switch (tree.type) {
	case CRT_TREE_KARY:
		return kary_children(tree.ratio, nr, v, children);
	case CRT_TREE_KNOMIAL:
		return knomial_children(tree.ratio, nr, v, children);
	default:
		return flat_children(nr, v, children);
	}
}

static uint32_t
parent0(struct crt_tree tree, uint32_t nr, uint32_t v)
{
	uint64_t w;

	switch (tree.type) {
	case CRT_TREE_KARY:
		return (v - 1) / tree.ratio;
	case CRT_TREE_KNOMIAL:
		w = knomial_weight(tree.ratio, nr, v);
		return (uint32_t)(v - v / w % tree.ratio * w);
	default:
		return 0;
	}
}

/* ---- any root ---- */

static uint32_t
turn(uint32_t nr, uint32_t root, uint32_t p)
{
	return p >= root ? p - root : p + nr - root;
}

static uint32_t
turn_back(uint32_t nr, uint32_t root, uint32_t v)
{
	uint64_t p = (uint64_t)v + root;

	return (uint32_t)(p >= nr ? p - nr : p);
}

uint32_t
crt_tree_child_nr(struct crt_tree tree, uint32_t nr, uint32_t root, uint32_t self)
{
	D_ASSERT(root < nr && self < nr && crt_tree_valid(tree));
	return children0(tree, nr, turn(nr, root, self), NULL);
}

uint32_t
crt_tree_children(struct crt_tree tree, uint32_t nr, uint32_t root, uint32_t self,
		  uint32_t *ret_children)
{
	uint32_t out;

	D_ASSERT(root < nr && self < nr && crt_tree_valid(tree));
	out = children0(tree, nr, turn(nr, root, self), ret_children);
	for (uint32_t i = 0; i < out; i++)
		ret_children[i] = turn_back(nr, root, ret_children[i]);
	return out;
}

uint32_t
crt_tree_parent(struct crt_tree tree, uint32_t nr, uint32_t root, uint32_t self)
{
	D_ASSERT(root < nr && self < nr && self != root && crt_tree_valid(tree));
	return turn_back(nr, root, parent0(tree, nr, turn(nr, root, self)));
}

uint32_t
crt_tree_depth(struct crt_tree tree, uint32_t nr)
{
	uint32_t depth = 0;

	for (uint32_t v = 1; v < nr; v++) {
		uint32_t d = 0;

		for (uint32_t p = v; p != 0; p = parent0(tree, nr, p))
			d++;
		depth = MAX_OF(depth, d);
	}
	return depth;
}

/* ---- members ---- */

bool
crt_tree_included(const d_rank_list_t *filter, bool invert, d_rank_t rank)
{
	return filter == NULL || (d_rank_list_find(filter, rank) >= 0) == invert;
}

int
crt_tree_members(const d_rank_list_t *group, const d_rank_list_t *filter, bool invert, d_rank_t root,
		 d_rank_list_t **ret_members)
{
	d_rank_list_t *members = d_rank_list_alloc(group->rl_nr);
	uint32_t       nr      = 0;
	bool           found   = false;

	if (members == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < group->rl_nr; i++) {
		d_rank_t rank = group->rl_ranks[i];

		found = found || rank == root;
		if (rank == root || crt_tree_included(filter, invert, rank))
			members->rl_ranks[nr++] = rank;
	}
	members->rl_nr = nr;
	if (!found) {
		d_rank_list_free(members);
		return -DER_OOG;
	}
	*ret_members = members;
	return 0;
}
