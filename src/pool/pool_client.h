/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A client's connection to a pool: what stands behind a pool handle.
 *
 * Counted: the handle table, each container handle opened through it and each running call hold a
 * reference. The map is under dp_lock; readers take a counted copy with dc_pool_map_get().
 */
#pragma once

#include <pthread.h>
#include <daos_pool.h>
#include "base/handle.h"
#include "dc/dc.h"
#include "placement/pool_map.h"

struct dc_pool {
	struct d_hlink   dp_hlink;   /**< type DAOS_HTYPE_POOL */
	struct client   *dp_client;  /**< borrowed: outlives its handles */
	uuid_t           dp_uuid;
	uuid_t           dp_hdl;     /**< names the connection to the pool service */
	uint64_t         dp_flags;   /**< DAOS_PC_* */
	uint64_t         dp_capas;   /**< SEC_POOL_CAPA_*, as granted; security/sec_capas.h */
	struct dc_svc    dp_svc;     /**< the pool service; container calls go there, too */
	pthread_mutex_t  dp_lock;    /**< guards the members below */
	struct pool_map *dp_map;     /**< NULL until connected */
	uint32_t         dp_cont_nr; /**< open container handles: disconnect is refused while there are any */
	bool             dp_closing;
};

/** The pool behind a handle, with a reference for the caller; NULL: no such handle. */
struct dc_pool *dc_hdl2pool(struct client *cl, daos_handle_t poh);
void dc_pool_addref(struct dc_pool *pool);
void dc_pool_put(struct dc_pool *pool);
/** The map as known now, with a reference for the caller: pool_map_decref(). */
struct pool_map *dc_pool_map_get(struct dc_pool *pool);
uint32_t dc_pool_map_version(struct dc_pool *pool);
/**
 * For an operation that found its map too old: get one of at least @min_version (0: the newest) from
 * the pool service, in the context of @task. @cb runs exactly once, under that context's lock, with
 * 0 or an error; before this returns if the map is new enough already.
 */
void dc_pool_map_refresh(tse_task_t *task, struct dc_pool *pool, uint32_t min_version,
			 void (*cb)(void *arg, int rc), void *arg);

extern const struct dc_module dc_pool_module;

/* ---- operations: task functions, arguments as in <daos_task.h> ---- */

int dc_pool_connect(tse_task_t *task);
int dc_pool_disconnect(tse_task_t *task);
int dc_pool_query(tse_task_t *task);
int dc_pool_list_attr(tse_task_t *task);
int dc_pool_get_attr(tse_task_t *task);
int dc_pool_set_attr(tse_task_t *task);
int dc_pool_del_attr(tse_task_t *task);
