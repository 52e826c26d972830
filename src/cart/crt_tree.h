/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Trees that collective requests travel: pure functions of (tree, number of members, root, self).
 * Members are positions 0 .. nr-1 of a list that all agree on; any of them may be the root.
 *
 *   FLAT      the root has all others as children
 *   KARY      each has up to `ratio` children, breadth first
 *   KNOMIAL   in each round each of those reached gains ratio - 1 children, at multiples of a
 *             distance that shrinks by the ratio from round to round: those reached early have more
 *             children, so with ratio 2 all are reached in ceil(log2(nr)) rounds even though a
 *             member sends one message at a time
 *
 *                KNOMIAL, ratio 2, 8 members:       0
 *                                                  /|\
 *                                                 4 2 1
 *                                                /| |
 *                                               6 5 3
 *                                               |
 *                                               7
 */
#pragma once

#include <gurt/types.h>
#include "base/util.h"

enum crt_tree_type { CRT_TREE_FLAT, CRT_TREE_KARY, CRT_TREE_KNOMIAL, CRT_TREE_TYPE_NR };
#define CRT_TREE_MIN_RATIO 2
#define CRT_TREE_MAX_RATIO 64

struct crt_tree {
	uint8_t type;  /**< enum crt_tree_type */
	uint8_t ratio; /**< CRT_TREE_MIN_RATIO .. CRT_TREE_MAX_RATIO; of no meaning for FLAT */
};

bool     crt_tree_valid(struct crt_tree tree);
uint32_t crt_tree_child_nr(struct crt_tree tree, uint32_t nr, uint32_t root, uint32_t self);
/** @ret_children [crt_tree_child_nr()], those with the largest subtrees first. Returns their number. */
uint32_t crt_tree_children(struct crt_tree tree, uint32_t nr, uint32_t root, uint32_t self,
			   uint32_t *ret_children);
/** @self is not the root. */
uint32_t crt_tree_parent(struct crt_tree tree, uint32_t nr, uint32_t root, uint32_t self);
/** Edges between the root and the member furthest from it. */
uint32_t crt_tree_depth(struct crt_tree tree, uint32_t nr);

/**
 * Who takes part: the ranks of @group (ascending) without those of @filter, or with @invert only
 * those; and @root in any case, since it sends.
 * @param filter  NULL: none; any order
 * Errors: OOG @root is not in @group | NOMEM
 */
int crt_tree_members(const d_rank_list_t *group, const d_rank_list_t *filter, bool invert,
		     d_rank_t root, d_rank_list_t **ret_members) MUST_CHECK;
/** Is @rank among those that the filter leaves? */
bool crt_tree_included(const d_rank_list_t *filter, bool invert, d_rank_t rank);
