/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What a pool service stores in its rdb. Names are keys of stores below the root; the container
 * module adds its own beside them (container/cont_df.h).
 *
 *   pool    by name    "layout"  struct pool_layout_df
 *                      "map"     the pool map, packed (placement/pool_map.h)
 *   props   by number  property number -> value (base/prop_table.h)
 *   attrs   by name    attribute -> value
 *   hdls    by UUID    handle -> struct pool_hdl_df, followed by the credential it was made with
 *   ops     rsvc/rsvc_ops.c: what became of requests
 */
#pragma once

#include <stdint.h>

#define POOL_LAYOUT_MAGIC   0x706f6f6cu /* "pool" */
#define POOL_LAYOUT_VERSION 1u

struct pool_layout_df {
	uint32_t magic;
	uint32_t version;
};
_Static_assert(sizeof(struct pool_layout_df) == 8, "stored");

struct pool_hdl_df {
	uint64_t flags;      /**< DAOS_PC_* */
	uint64_t capas;      /**< SEC_POOL_CAPA_* */
	uint32_t cred_bytes; /**< of the credential that follows */
	uint32_t reserved;
};
_Static_assert(sizeof(struct pool_hdl_df) == 24, "stored");

#define POOL_KVS_POOL   "pool"
#define POOL_KVS_PROPS  "props"
#define POOL_KVS_ATTRS  "attrs"
#define POOL_KVS_HDLS   "hdls"
#define POOL_KEY_LAYOUT "layout"
#define POOL_KEY_MAP    "map"
