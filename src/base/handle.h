/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Cookies for objects: what daos_handle_t carries. A cookie names a slot and its generation, so a
 * stale one is refused, not mistaken: the same cookie comes back after 2^32 uses of one slot, and
 * slots are reused oldest first. Objects embed a d_hlink and are counted. Thread safe.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include "base/util.h"

struct d_hlink;

struct d_hlink_ops {
	uint8_t type; /**< one number a kind of object, chosen by the table's owner */
	void  (*free)(struct d_hlink *hlink); /**< the last reference is gone */
};

/** Embedded in the object. */
struct d_hlink {
	const struct d_hlink_ops *ops;
	_Atomic uint32_t          ref;
	uint64_t                  cookie; /**< 0: not in the table */
};

struct d_hdl_slot {
	struct d_hlink *hlink; /**< NULL: free */
	uint32_t        generation;
	uint32_t        free_next; /**< slot index + 1; 0: none */
};

struct d_hdl_table {
	pthread_mutex_t    lock;
	struct d_hdl_slot *slots;
	uint32_t           slot_nr;
	uint32_t           used_nr;
	uint32_t           free_first; /**< slot index + 1; 0: none */
	uint32_t           free_last;
};

void d_hdl_table_init(struct d_hdl_table *table);
/** Frees the table; returns how many objects were still in it (their table reference is dropped). */
uint32_t d_hdl_table_fini(struct d_hdl_table *table);

/** One reference, the caller's. */
void d_hlink_init(struct d_hlink *hlink, const struct d_hlink_ops *ops);
/** The table takes a reference of its own. Errors: NOMEM. */
int  d_hdl_insert(struct d_hdl_table *table, struct d_hlink *hlink, uint64_t *ret_cookie) MUST_CHECK;
/** The object with a reference for the caller; NULL for a cookie unknown, stale, or of another type. */
struct d_hlink *d_hdl_lookup(struct d_hdl_table *table, uint64_t cookie, uint8_t type);
/**
 * Take the object out of the table and drop the table's reference. Of several callers one succeeds.
 * Errors: NO_HDL.
 */
int  d_hdl_delete(struct d_hdl_table *table, uint64_t cookie, uint8_t type) MUST_CHECK;
void d_hlink_addref(struct d_hlink *hlink);
void d_hlink_putref(struct d_hlink *hlink);
