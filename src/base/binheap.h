/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A binary min-heap of nodes that live inside their owners and know their place, so any of them is
 * removed in O(log n). Not thread safe.
 */
#pragma once

#include "base/util.h"

struct d_binheap_node {
	uint32_t idx; /**< place in the heap, from 1; 0: not in a heap */
};

typedef bool (*d_binheap_less_t)(const struct d_binheap_node *a, const struct d_binheap_node *b);

struct d_binheap {
	struct d_binheap_node **nodes; /**< [1 .. node_nr]; nodes[0] is unused */
	uint32_t                node_nr;
	uint32_t                node_max;
	d_binheap_less_t        less;
};

void d_binheap_init(struct d_binheap *h, d_binheap_less_t less);
/** The heap must be empty. */
void d_binheap_fini(struct d_binheap *h);
/** Make room for @node_nr nodes in all: inserting up to there cannot fail. Errors: NOMEM. */
int  d_binheap_reserve(struct d_binheap *h, uint32_t node_nr) MUST_CHECK;
/** @node must not be in a heap. Errors: NOMEM. Cost: O(log n). */
int  d_binheap_insert(struct d_binheap *h, struct d_binheap_node *node) MUST_CHECK;
/** @node must be in @h. Cost: O(log n). */
void d_binheap_remove(struct d_binheap *h, struct d_binheap_node *node);
/** After the key of @node changed in place. Cost: O(log n). */
void d_binheap_update(struct d_binheap *h, struct d_binheap_node *node);

/** The least node, or NULL. */
static inline struct d_binheap_node *
d_binheap_min(const struct d_binheap *h)
{
	return h->node_nr == 0 ? NULL : h->nodes[1];
}

static inline bool
d_binheap_node_in(const struct d_binheap_node *node)
{
	return node->idx != 0;
}
