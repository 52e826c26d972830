/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The table of what the kernel knows: entries found by object, counted by references. Pure.
 *
 * Invariants: 1. an entry that is found has a reference more for the finder. 2. Whoever drops the
 * last reference owns the entry: it is in no table any more. 3. Of one object at most one entry is
 * in the table; one that was detached lives on by its references alone.
 */
#pragma once

#include <pthread.h>
#include <daos_types.h>
#include "base/util.h"

struct dfuse_ientry {
	const void          *space; /**< what the object ID is unique in */
	daos_obj_id_t        oid;
	struct dfuse_ientry *next;
	uint64_t             ref_nr; /**< under the lock of its stripe */
	bool                 attached;
};

#define DFUSE_ITABLE_STRIPES 64
#define DFUSE_ITABLE_BUCKETS 1024 /**< of a stripe */

struct dfuse_itable {
	struct dfuse_istripe {
		pthread_mutex_t      lock;
		uint64_t             entry_nr;
		struct dfuse_ientry *buckets[DFUSE_ITABLE_BUCKETS];
	} stripes[DFUSE_ITABLE_STRIPES];
};

struct dfuse_itable *dfuse_itable_create(void);
/** Calls @free_cb for each entry still in it, whatever its references. */
void dfuse_itable_destroy(struct dfuse_itable *t, void (*free_cb)(struct dfuse_ientry *));

void dfuse_ientry_init(struct dfuse_ientry *e, const void *space, daos_obj_id_t oid);
/** With a reference; NULL: not there. */
struct dfuse_ientry *dfuse_itable_find(struct dfuse_itable *t, const void *space, daos_obj_id_t oid);
/** The entry of that object, with a reference: @fresh, or the one that is there already. */
struct dfuse_ientry *dfuse_itable_insert(struct dfuse_itable *t, struct dfuse_ientry *fresh);
/** @fresh takes the place of @old, if that is still attached; as dfuse_itable_insert() otherwise. */
struct dfuse_ientry *dfuse_itable_replace(struct dfuse_itable *t, struct dfuse_ientry *old,
					  struct dfuse_ientry *fresh);
void dfuse_itable_get(struct dfuse_itable *t, struct dfuse_ientry *e);
/** Drop @nr references. True: they were the last. */
bool dfuse_itable_put(struct dfuse_itable *t, struct dfuse_ientry *e, uint64_t nr) MUST_CHECK;
uint64_t dfuse_itable_nr(struct dfuse_itable *t);
