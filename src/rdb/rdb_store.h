/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What raft must find again after a restart; theory in rdb_store.c. */
#pragma once

#include <raft.h>
#include "rdb/rdb.h"

struct rdb_store;

/** Which entries a snapshot stands for, and who the replicas were. */
struct rdb_snap_meta {
	uint64_t index, term, conf_index;
	uint32_t server_nr;
	uint64_t server_ids[32];
	uint32_t server_roles[32];
};
#define RDB_REPLICA_MAX 32

/** One entry as it is read back. */
struct rdb_stored_entry {
	uint64_t    term;
	uint16_t    type;
	const void *data; /**< valid during the callback */
	size_t      len;
};

/** Blobs, heap, and the first entry: the configuration. EXIST | NOSPACE. */
MAY_YIELD int  rdb_store_create(const struct vos_store *vs, const uuid_t uuid, uint64_t bytes, const void *conf,
				size_t conf_len, struct rdb_store **ret_store) MUST_CHECK;
/** NONEXIST | DF_INVAL | DF_INCOMPT | IO. */
MAY_YIELD int  rdb_store_open(const struct vos_store *vs, const uuid_t uuid, struct rdb_store **ret_store) MUST_CHECK;
MAY_YIELD void rdb_store_close(struct rdb_store *store);
MAY_YIELD int  rdb_store_destroy(const struct vos_store *vs, const uuid_t uuid) MUST_CHECK;
/** Every replica on this engine's system store. @cb returns non-zero to stop. */
MAY_YIELD int  rdb_store_list(const struct vos_store *vs, int (*cb)(const uuid_t uuid, void *arg), void *arg) MUST_CHECK;

void rdb_store_vote(struct rdb_store *store, uint64_t *ret_term, uint64_t *ret_vote);
MAY_YIELD int rdb_store_set_vote(struct rdb_store *store, uint64_t term, uint64_t vote) MUST_CHECK; /**< durable on return */

uint64_t rdb_store_start_index(struct rdb_store *store);
uint64_t rdb_store_entry_nr(struct rdb_store *store);
int      rdb_store_entries(struct rdb_store *store, int (*cb)(const struct rdb_stored_entry *ent, void *arg), void *arg) MUST_CHECK;
/** Durable when rdb_store_wait(*ret_seq) returned 0. NOSPACE: nothing was appended. */
MAY_YIELD int rdb_store_append(struct rdb_store *store, const struct raft_entry *entries, unsigned nr, uint64_t *ret_seq) MUST_CHECK;
MAY_YIELD int rdb_store_wait(struct rdb_store *store, uint64_t seq) MUST_CHECK;
/** Drop the entries from @index on. Durable on return. */
MAY_YIELD int rdb_store_truncate(struct rdb_store *store, uint64_t index) MUST_CHECK;

/** Replace the snapshot; drop the entries up to meta->index - trailing (@trailing 0: all entries). Durable on return. */
MAY_YIELD int rdb_store_snap_put(struct rdb_store *store, const struct rdb_snap_meta *meta, const struct raft_buffer *bufs,
				 unsigned buf_nr, uint64_t trailing) MUST_CHECK;
/** NONEXIST: there is none. @ret_data is raft_malloc'ed. */
int rdb_store_snap_get(struct rdb_store *store, struct rdb_snap_meta *meta, void **ret_data, size_t *ret_len) MUST_CHECK;

/** Bytes of entries in the log, and of the heap. */
uint64_t rdb_store_log_bytes(struct rdb_store *store);
uint64_t rdb_store_heap_bytes(struct rdb_store *store);
