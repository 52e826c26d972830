/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** A shard of an object: what VOS stores under, and what an object RPC names. */
#pragma once

#include <daos_types.h>

typedef struct {
	daos_obj_id_t id_pub;   /**< the object */
	uint32_t      id_shard; /**< shard index in its layout, 0-based */
	uint32_t      id_layout_ver;
} daos_unit_oid_t;

#define DF_UOID "%016lx.%016lx.%u"
#define DP_UOID(u) (unsigned long)(u).id_pub.hi, (unsigned long)(u).id_pub.lo, (u).id_shard
