/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Objects on the client. Operations are tasks made by dc_task_create(); their arguments
 * (dc_task_get_args()) are the structs of daos_task.h. A task rides out an engine that restarts:
 * it retries until OBJ_RETRY_S_DEFAULT seconds have passed ($DAOS_OBJ_RETRY_S says otherwise),
 * then ends with the last error.
 */
#pragma once

#include "dc/dc.h"

#define OBJ_RETRY_S_DEFAULT 180

extern const struct dc_module dc_obj_module;

int dc_obj_open_task(tse_task_t *task);         /**< daos_obj_open_t. NOTSUPPORTED: a class with redundancy */
int dc_obj_close_task(tse_task_t *task);        /**< daos_obj_close_t */
int dc_obj_punch_task(tse_task_t *task);        /**< daos_obj_punch_t */
int dc_obj_punch_dkeys_task(tse_task_t *task);  /**< daos_obj_punch_t: dkey is [akey_nr] */
int dc_obj_punch_akeys_task(tse_task_t *task);  /**< daos_obj_punch_t */
int dc_obj_fetch_task(tse_task_t *task);        /**< daos_obj_fetch_t */
int dc_obj_update_task(tse_task_t *task);       /**< daos_obj_update_t */
int dc_obj_list_dkey_task(tse_task_t *task);    /**< daos_obj_list_t */
int dc_obj_list_akey_task(tse_task_t *task);    /**< daos_obj_list_t */
int dc_obj_list_recx_task(tse_task_t *task);    /**< daos_obj_list_t */
int dc_obj_query_key_task(tse_task_t *task);    /**< daos_obj_query_key_t; also daos_obj_query_max_epoch() */

/** daos_obj_generate_oid2() for a given client. NO_HDL | INVAL */
int dc_obj_generate_oid(struct client *cl, daos_handle_t coh, daos_obj_id_t *oid, enum daos_otype_t type,
			daos_oclass_id_t cid, daos_oclass_hints_t hints, uint32_t args) MUST_CHECK;
/** The class dc_obj_generate_oid() would pick when none is given. */
int dc_obj_get_oclass(struct client *cl, daos_handle_t coh, enum daos_otype_t type, daos_oclass_hints_t hints,
		      daos_oclass_id_t *ret_cid) MUST_CHECK;
/** Where the shards of an open object are, for daos_obj_query-like tools and tests: [*nr] ranks and target
 *  indexes are filled in, *nr is set to their number. TRUNC: it exceeds the room. */
int dc_obj_shards(struct client *cl, daos_handle_t oh, uint32_t *nr, d_rank_t *ranks, uint32_t *tgt_idxs) MUST_CHECK;
/** Epoch of the newest change that was made through an open object, 0: none. NO_HDL */
int dc_obj_changed_at(struct client *cl, daos_handle_t oh, daos_epoch_t *ret_epoch) MUST_CHECK;
