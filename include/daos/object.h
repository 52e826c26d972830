/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Where the shards of an object are; for tools. */
#ifndef __DAOS_OBJECT_H__
#define __DAOS_OBJECT_H__

#include <daos_obj.h>

#if defined(__cplusplus)
extern "C" {
#endif

struct daos_shard_loc {
	uint32_t sd_rank;
	uint32_t sd_tgt_idx; /**< on that rank */
};

/** A redundancy group: the shards that hold the same data. */
struct daos_obj_shard {
	uint32_t              os_replica_nr;
	struct daos_shard_loc os_shard_loc[]; /**< [os_replica_nr] */
};

struct daos_obj_layout {
	uint32_t               ol_ver; /**< pool map version it holds for */
	uint32_t               ol_class;
	uint32_t               ol_nr;
	struct daos_obj_shard *ol_shards[]; /**< [ol_nr] */
};

/**
 * The object's layout by the newest pool map this client has.
 * @param layout  taken by the caller: daos_obj_layout_free()
 * Errors: NO_HDL | INVAL unknown class | NOMEM
 */
int
daos_obj_layout_get(daos_handle_t coh, daos_obj_id_t oid, struct daos_obj_layout **layout);

int
daos_obj_layout_free(struct daos_obj_layout *layout);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_OBJECT_H__ */
