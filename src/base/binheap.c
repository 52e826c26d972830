/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Invariants: 1. nodes[i]->idx == i for 1 <= i <= node_nr. 2. no node is less than its parent,
 * nodes[i / 2]. 3. a node outside has idx 0.
 */
#include "base/binheap.h"

#include <stdlib.h>
#include <daos_errno.h>

void
d_binheap_init(struct d_binheap *h, d_binheap_less_t less)
{
	*h = (struct d_binheap){.less = less};
}

void
d_binheap_fini(struct d_binheap *h)
{
	D_ASSERT(h->node_nr == 0);
	free(h->nodes);
	h->nodes = NULL;
	h->node_max = 0;
}

int
d_binheap_reserve(struct d_binheap *h, uint32_t node_nr)
{
	uint32_t                max = MAX_OF(h->node_max, 15U);
	struct d_binheap_node **nodes;

	if (node_nr <= h->node_max)
		return 0;
	while (max < node_nr)
		max = max * 2 + 1;
	nodes = realloc(h->nodes, ((size_t)max + 1) * sizeof(*nodes));
	if (nodes == NULL)
		return -DER_NOMEM;
	nodes[0] = NULL;
	h->nodes = nodes;
	h->node_max = max;
	return 0;
}

static void
binheap_put(struct d_binheap *h, uint32_t idx, struct d_binheap_node *node)
{
	h->nodes[idx] = node;
	node->idx = idx;
}

static void
binheap_sift_up(struct d_binheap *h, uint32_t idx)
{
	struct d_binheap_node *node = h->nodes[idx];

	while (idx > 1 && h->less(node, h->nodes[idx / 2])) {
		binheap_put(h, idx, h->nodes[idx / 2]);
		idx /= 2;
	}
	binheap_put(h, idx, node);
}

static void
binheap_sift_down(struct d_binheap *h, uint32_t idx)
{
	struct d_binheap_node *node = h->nodes[idx];

	while (idx * 2 <= h->node_nr) {
		uint32_t child = idx * 2;

		if (child < h->node_nr && h->less(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (!h->less(h->nodes[child], node))
			break;
		binheap_put(h, idx, h->nodes[child]);
		idx = child;
	}
	binheap_put(h, idx, node);
}

int
d_binheap_insert(struct d_binheap *h, struct d_binheap_node *node)
{
	int rc;

	D_ASSERT(node->idx == 0);
	rc = d_binheap_reserve(h, h->node_nr + 1);
	if (rc != 0)
		return rc;
	h->node_nr++;
	binheap_put(h, h->node_nr, node);
	binheap_sift_up(h, h->node_nr);
	return 0;
}

void
d_binheap_update(struct d_binheap *h, struct d_binheap_node *node)
{
	D_ASSERT(node->idx != 0 && node->idx <= h->node_nr && h->nodes[node->idx] == node);
	binheap_sift_up(h, node->idx);
	binheap_sift_down(h, node->idx);
}

void
d_binheap_remove(struct d_binheap *h, struct d_binheap_node *node)
{
	uint32_t               idx = node->idx;
	struct d_binheap_node *last;

	D_ASSERT(idx != 0 && idx <= h->node_nr && h->nodes[idx] == node);
	last = h->nodes[h->node_nr];
	h->node_nr--;
	node->idx = 0;
	if (last == node)
		return;
	binheap_put(h, idx, last);
	d_binheap_update(h, last);
}
