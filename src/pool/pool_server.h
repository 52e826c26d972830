/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The pool as other server modules see it: its shard on a target, and the map of the pool.
 */
#pragma once

#include "engine/engine.h"
#include "placement/pool_map.h"

/** A pool on this engine (all targets). Counted. */
struct ds_pool {
	uuid_t           sp_uuid;
	struct engine   *sp_engine;
	struct pool_map *sp_map;         /**< as last distributed; take pool_map_addref() to keep it over a yield */
	uint32_t         sp_map_version;
	d_rank_list_t   *sp_svc_ranks;
	uint32_t         sp_ref;
};
/** The pool's shard on the calling target xstream. */
struct ds_pool_child {
	struct ds_pool  *spc_pool;
	struct vos_pool *spc_vos;
	uint32_t         spc_tgt_idx;
	uint32_t         spc_ref;
	d_list_t         spc_link;
	d_list_t         spc_cont_list; /**< the container module's */
};
/** On a target xstream: counted reference, or NULL when the pool isn't there. */
struct ds_pool_child *ds_pool_child_lookup(const uuid_t uuid);
void ds_pool_child_put(struct ds_pool_child *child);
/** On any xstream of the engine. */
struct ds_pool *ds_pool_lookup(struct engine *eng, const uuid_t uuid);
void ds_pool_put(struct ds_pool *pool);
