/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A client's connection to a pool: what stands behind a pool handle.
 *
 * Counted: the handle table, each container handle opened through it and each running call hold a
 * reference. What can change after the connection was made (map, service ranks) is under dp_lock;
 * readers take a counted copy with dc_pool_map_get().
 */
#pragma once

#include <pthread.h>
#include <daos_pool.h>
#include "base/handle.h"
#include "placement/pool_map.h"

struct client;

struct dc_pool {
	struct d_hlink  dp_hlink;     /**< type DAOS_HTYPE_POOL */
	struct client  *dp_client;    /**< borrowed: outlives its handles */
	uuid_t          dp_uuid;
	uuid_t          dp_hdl;       /**< names the connection to the pool service */
	uint64_t        dp_flags;     /**< DAOS_PC_* */
	uint64_t        dp_capas;     /**< SEC_POOL_CAPA_*, as granted; security/sec_capas.h */
	pthread_mutex_t dp_lock;      /**< guards the members below */
	struct pool_map *dp_map;      /**< NULL until connected */
	d_rank_list_t  *dp_svc_ranks; /**< replicas of the pool service */
	d_rank_t        dp_leader;    /**< last known leader; CRT_NO_RANK: not known */
	uint64_t        dp_leader_term;
	uint32_t        dp_cont_nr;   /**< open container handles: disconnect is refused while there are any */
	bool            dp_closing;
};

/** The pool behind a handle, with a reference for the caller; NULL: no such handle. */
struct dc_pool *dc_hdl2pool(struct client *cl, daos_handle_t poh);
void dc_pool_addref(struct dc_pool *pool);
void dc_pool_put(struct dc_pool *pool);
/** The map as known now, with a reference for the caller: pool_map_decref(). */
struct pool_map *dc_pool_map_get(struct dc_pool *pool);
uint32_t dc_pool_map_version(struct dc_pool *pool);
/**
 * Get a map of at least @min_version from the pool service (0: whatever is the newest). @cb runs
 * exactly once, with 0 or an error: at once if the map is new enough already, else while the
 * client's context is progressed.
 */
void dc_pool_map_refresh(struct dc_pool *pool, uint32_t min_version, void (*cb)(void *arg, int rc), void *arg);
