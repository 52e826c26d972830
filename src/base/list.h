/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Intrusive doubly linked lists. A node not on a list points at itself, so deleting it is safe. */
#pragma once

#include "base/util.h"

typedef struct d_list {
	struct d_list *next;
	struct d_list *prev;
} d_list_t;

#define D_LIST_HEAD_INIT(name) { &(name), &(name) }
#define D_LIST_HEAD(name) d_list_t name = D_LIST_HEAD_INIT(name)

static inline void
d_list_init(d_list_t *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool
d_list_empty(const d_list_t *l)
{
	return l->next == l;
}

static inline void
d_list_link_between(d_list_t *node, d_list_t *prev, d_list_t *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void
d_list_add(d_list_t *node, d_list_t *head)
{
	d_list_link_between(node, head, head->next);
}

static inline void
d_list_add_tail(d_list_t *node, d_list_t *head)
{
	d_list_link_between(node, head->prev, head);
}

/** Take @node off its list, and leave in it what was; the next that is done with it is an add. */
static inline void
d_list_unlink(d_list_t *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
}

/** Take @node off its list; afterwards it is an empty list of its own. */
static inline void
d_list_del(d_list_t *node)
{
	d_list_unlink(node);
	d_list_init(node);
}

/** Move all of @from to the tail of @to; @from is empty afterwards. */
static inline void
d_list_splice_tail(d_list_t *from, d_list_t *to)
{
	if (d_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	d_list_init(from);
}

#define d_list_entry(ptr, type, member) CONTAINER_OF(ptr, type, member)
#define d_list_first(head, type, member)                                                           \
	(d_list_empty(head) ? NULL : d_list_entry((head)->next, type, member))
/** The node in @pos. No member is named of what may be the head, which need not be aligned as *pos is. */
#define d_list_node(pos, member) ((d_list_t *)((char *)(pos) + offsetof(__typeof__(*(pos)), member)))
#define d_list_for_each(pos, head, member)                                                         \
	for (pos = d_list_entry((head)->next, __typeof__(*pos), member);                           \
	     d_list_node(pos, member) != (head);                                                   \
	     pos = d_list_entry(d_list_node(pos, member)->next, __typeof__(*pos), member))
#define d_list_for_each_safe(pos, tmp, head, member)                                               \
	for (pos = d_list_entry((head)->next, __typeof__(*pos), member),                           \
	    tmp = d_list_entry(d_list_node(pos, member)->next, __typeof__(*pos), member);          \
	     d_list_node(pos, member) != (head);                                                   \
	     pos = tmp, tmp = d_list_entry(d_list_node(tmp, member)->next, __typeof__(*tmp), member))
