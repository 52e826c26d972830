/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The pool map: which targets of which ranks make a pool, and their states; versioned. Immutable
 * once made and counted, so readers share it without locks: a change is a new map.
 */
#pragma once

#include <gurt/types.h>
#include "base/util.h"

struct pool_map;

enum pool_comp_status { PO_COMP_ST_NEW = 1, PO_COMP_ST_UP = 2, PO_COMP_ST_UPIN = 4, PO_COMP_ST_DOWN = 8,
	PO_COMP_ST_DOWNOUT = 16, PO_COMP_ST_DRAIN = 32 };

struct pool_target {
	uint32_t id;      /**< position in the pool, 0..target_nr-1: never changes */
	d_rank_t rank;
	uint32_t tgt_idx; /**< on its rank */
	uint32_t status;  /**< enum pool_comp_status */
	uint32_t fseq;    /**< map version of its last failure, 0: none */
};
struct pool_domain { /**< a rank */
	d_rank_t rank;
	uint32_t status;
	uint32_t tgt_first, tgt_nr; /**< ids */
};
/** All targets UPIN; ids in rank order. */
int  pool_map_create(const d_rank_list_t *ranks, uint32_t tgts_per_rank, uint32_t version, struct pool_map **ret_map) MUST_CHECK;
struct pool_map *pool_map_addref(struct pool_map *map);
void pool_map_decref(struct pool_map *map);
uint32_t pool_map_version(const struct pool_map *map);
uint32_t pool_map_target_nr(const struct pool_map *map);
uint32_t pool_map_rank_nr(const struct pool_map *map);
const struct pool_target *pool_map_target(const struct pool_map *map, uint32_t id); /**< NULL out of range */
const struct pool_target *pool_map_find(const struct pool_map *map, d_rank_t rank, uint32_t tgt_idx);
const struct pool_domain *pool_map_domain(const struct pool_map *map, uint32_t idx);
/** A copy with the named targets' status changed and version + 1. */
int  pool_map_set_status(const struct pool_map *map, const uint32_t *ids, uint32_t nr, uint32_t status, struct pool_map **ret_map) MUST_CHECK;
/** Targets whose status is in the mask. */
uint32_t pool_map_count(const struct pool_map *map, uint32_t status_mask);
/** Wire and durable form: versioned, checksummed. Packed size by pool_map_packed_bytes(). Unpack: -DER_DF_INVAL, -DER_DF_INCOMPT. */
size_t pool_map_packed_bytes(const struct pool_map *map);
void   pool_map_pack(const struct pool_map *map, void *buf);
int    pool_map_unpack(const void *buf, size_t bytes, struct pool_map **ret_map) MUST_CHECK;
