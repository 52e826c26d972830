/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Cookie: generation << 32 | (slot index + 1), so 0 is never one.
 * Invariants: 1. a slot is either on the free list or holds an object whose cookie names it.
 * 2. a slot's generation grows each time it is filled. 3. an object in the table has at least the
 * table's reference, so a lookup under the lock never revives a dead one.
 */
#include "base/handle.h"

#include <stdlib.h>
#include <daos_errno.h>

#define SLOT_NR_FIRST 64
#define SLOT_NR_MAX   (1U << 28)

void
d_hdl_table_init(struct d_hdl_table *table)
{
	*table = (struct d_hdl_table){0};
	pthread_mutex_init(&table->lock, NULL);
}

uint32_t
d_hdl_table_fini(struct d_hdl_table *table)
{
	uint32_t left_nr = table->used_nr;

	for (uint32_t i = 0; i < table->slot_nr; i++) {
		struct d_hlink *hlink = table->slots[i].hlink;

		if (hlink == NULL)
			continue;
		hlink->cookie = 0;
		d_hlink_putref(hlink);
	}
	free(table->slots);
	pthread_mutex_destroy(&table->lock);
	*table = (struct d_hdl_table){0};
	return left_nr;
}

void
d_hlink_init(struct d_hlink *hlink, const struct d_hlink_ops *ops)
{
	hlink->ops = ops;
	hlink->cookie = 0;
	atomic_init(&hlink->ref, 1);
}

void
d_hlink_addref(struct d_hlink *hlink)
{
	D_ASSERT(atomic_fetch_add_explicit(&hlink->ref, 1, memory_order_relaxed) > 0);
}

void
d_hlink_putref(struct d_hlink *hlink)
{
	uint32_t old = atomic_fetch_sub_explicit(&hlink->ref, 1, memory_order_acq_rel);

	D_ASSERT(old > 0);
	if (old == 1)
		hlink->ops->free(hlink);
}

static void
hdl_slot_free(struct d_hdl_table *table, uint32_t idx)
{
	table->slots[idx].hlink = NULL;
	table->slots[idx].free_next = 0;
	if (table->free_last != 0)
		table->slots[table->free_last - 1].free_next = idx + 1;
	else
		table->free_first = idx + 1;
	table->free_last = idx + 1;
}

static int
hdl_table_grow(struct d_hdl_table *table)
{
	uint32_t           old_nr = table->slot_nr;
	uint32_t           new_nr = MAX_OF(old_nr * 2, (uint32_t)SLOT_NR_FIRST);
	struct d_hdl_slot *slots;

	if (new_nr > SLOT_NR_MAX)
		return -DER_NOMEM;
	slots = realloc(table->slots, new_nr * sizeof(*slots));
	if (slots == NULL)
		return -DER_NOMEM;
	table->slots = slots;
	table->slot_nr = new_nr;
	for (uint32_t i = old_nr; i < new_nr; i++) {
		slots[i].generation = 0;
		hdl_slot_free(table, i);
	}
	return 0;
}

static void
hdl_slot_fill(struct d_hdl_table *table, struct d_hlink *hlink)
{
	uint32_t           idx = table->free_first - 1;
	struct d_hdl_slot *slot = &table->slots[idx];

	table->free_first = slot->free_next;
	if (table->free_first == 0)
		table->free_last = 0;
	slot->generation++;
	slot->hlink = hlink;
	hlink->cookie = (uint64_t)slot->generation << 32 | (idx + 1);
	table->used_nr++;
}

int
d_hdl_insert(struct d_hdl_table *table, struct d_hlink *hlink, uint64_t *ret_cookie)
{
	int rc = 0;

	D_ASSERT(hlink->cookie == 0);
	pthread_mutex_lock(&table->lock);
	if (table->free_first == 0)
		rc = hdl_table_grow(table);
	if (rc == 0) {
		d_hlink_addref(hlink);
		hdl_slot_fill(table, hlink);
		*ret_cookie = hlink->cookie;
	}
	pthread_mutex_unlock(&table->lock);
	return rc;
}

/** The slot a cookie names, with the lock held; NULL when it names none. */
static struct d_hdl_slot *
hdl_slot_find(struct d_hdl_table *table, uint64_t cookie, uint8_t type)
{
	uint32_t           idx = (uint32_t)cookie - 1;
	struct d_hdl_slot *slot;

	if ((uint32_t)cookie == 0 || idx >= table->slot_nr)
		return NULL;
	slot = &table->slots[idx];
	if (slot->hlink == NULL || slot->hlink->cookie != cookie || slot->hlink->ops->type != type)
		return NULL;
	return slot;
}

struct d_hlink *
d_hdl_lookup(struct d_hdl_table *table, uint64_t cookie, uint8_t type)
{
	struct d_hlink    *hlink = NULL;
	struct d_hdl_slot *slot;

	pthread_mutex_lock(&table->lock);
	slot = hdl_slot_find(table, cookie, type);
	if (slot != NULL) {
		hlink = slot->hlink;
		d_hlink_addref(hlink);
	}
	pthread_mutex_unlock(&table->lock);
	return hlink;
}

int
d_hdl_delete(struct d_hdl_table *table, uint64_t cookie, uint8_t type)
{
	struct d_hlink    *hlink = NULL;
	struct d_hdl_slot *slot;

	pthread_mutex_lock(&table->lock);
	slot = hdl_slot_find(table, cookie, type);
	if (slot != NULL) {
		hlink = slot->hlink;
		hlink->cookie = 0;
		hdl_slot_free(table, slot - table->slots);
		table->used_nr--;
	}
	pthread_mutex_unlock(&table->lock);
	if (hlink == NULL)
		return -DER_NO_HDL;
	d_hlink_putref(hlink);
	return 0;
}
