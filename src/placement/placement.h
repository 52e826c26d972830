/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Where an object's shards are: a pure function of object ID, class and pool map. Jump-map
 * placement: each shard starts from a hash of the object ID, picks a rank by jump consistent hash over
 * the ranks not used yet for the object's redundancy group, then a target within it, so that shards
 * spread evenly and few move when the map changes.
 */
#pragma once

#include <daos_obj.h>
#include <daos_obj_class.h>
#include "placement/pool_map.h"

struct pl_shard { uint32_t tgt_id; /**< in the pool map; UINT32_MAX: none left */ d_rank_t rank; uint32_t tgt_idx; uint32_t status; };
struct pl_layout {
	uint32_t        map_version;
	uint32_t        grp_nr;   /**< redundancy groups */
	uint32_t        grp_size; /**< shards in each */
	uint32_t        shard_nr; /**< grp_nr * grp_size */
	struct pl_shard shards[]; /**< shard i is member i % grp_size of group i / grp_size */
};
/** Taken by the caller, free(). INVAL unknown class | NOSPACE fewer ranks or targets than the class needs. */
int pl_obj_layout(const struct pool_map *map, daos_obj_id_t oid, struct pl_layout **ret_layout) MUST_CHECK;
/** dkey hash to redundancy group: jump consistent hash. */
uint32_t pl_dkey_group(uint64_t dkey_hash, uint32_t grp_nr);
/** Integer dkeys (DAOS_OT_*_UINT64 types) hash as themselves; others by a 64-bit hash of the bytes. */
uint64_t pl_dkey_hash(daos_obj_id_t oid, const d_iov_t *dkey);
/** Groups and replicas of a class with X (all) resolved against the map. */
int pl_class_dims(daos_oclass_id_t cid, const struct pool_map *map, uint32_t *ret_grp_nr, uint32_t *ret_grp_size) MUST_CHECK;
