/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The pool as other server modules see it: its shard on a target, and the map of the pool.
 */
#pragma once

#include "engine/engine.h"
#include "placement/pool_map.h"

extern const struct dss_module dss_module_pool;

/** A pool on this engine (all targets). Counted. */
struct ds_pool {
	uuid_t           sp_uuid;
	struct engine   *sp_engine;
	struct pool_map *sp_map;         /**< as last distributed, NULL: not yet; xstream 0 reads it here, others with ds_pool_map_get() */
	_Atomic uint32_t sp_map_version; /**< 0: no map yet */
	d_rank_list_t   *sp_svc_ranks;   /**< NULL: not known yet; with ds_pool_svc_ranks() */
	_Atomic uint64_t sp_reclaim;     /**< DAOS_RECLAIM_* */
	_Atomic uint32_t sp_ref;
	_Atomic bool     sp_asking;      /**< a ULT asks the service for a newer map */
	_Atomic uint8_t *sp_tgt_status;  /**< [sp_tgt_nr] PO_COMP_ST_* in sp_map; set before sp_map_version */
	uint32_t         sp_tgt_nr;      /**< targets of this engine it has shards on: 0 .. sp_tgt_nr - 1 */
};
/** The pool's shard on the calling target xstream. */
struct ds_pool_child {
	struct ds_pool  *spc_pool;
	struct vos_pool *spc_vos;
	uint32_t         spc_tgt_idx;
	uint32_t         spc_ref;
	d_list_t         spc_link;
	d_list_t         spc_cont_list; /**< the container module's */
	void            *spc_cont_data; /**< the container module's */
};
/** On a target xstream: counted reference, or NULL when the pool isn't there. */
struct ds_pool_child *ds_pool_child_lookup(const uuid_t uuid);
void ds_pool_child_put(struct ds_pool_child *child);
/** On any xstream of the engine. */
struct ds_pool *ds_pool_lookup(struct engine *eng, const uuid_t uuid);
void ds_pool_put(struct ds_pool *pool);
/** The map with a reference, pool_map_decref(); NULL: not known yet. On any xstream. */
struct pool_map *ds_pool_map_get(struct ds_pool *pool);
/** A request shows that there is a newer map than ours: ask the service for it, once at a time. On any xstream. */
void ds_pool_behind(struct ds_pool *pool);
/** Copy of the service's replicas, d_rank_list_free(); asks the control plane when they are not known. On any xstream. */
MAY_YIELD int ds_pool_svc_ranks(struct ds_pool *pool, d_rank_list_t **ret_ranks) MUST_CHECK;
