/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A client's open container: what stands behind a container handle. Immutable once open, counted;
 * it holds a reference of its pool.
 */
#pragma once

#include <daos_cont.h>
#include "base/handle.h"
#include "pool/pool_client.h"

/** The properties that objects need, read when the container was opened. */
struct dc_cont_props {
	uint64_t layout_type;    /**< DAOS_PROP_CO_LAYOUT_* */
	uint64_t csum;           /**< DAOS_PROP_CO_CSUM_* */
	uint64_t csum_chunk_bytes;
	uint64_t csum_srv_verify;
	uint64_t redun_fac;      /**< classes picked for the user survive as many failures */
	uint64_t redun_lvl;
	uint64_t ec_cell_bytes;
	uint64_t ec_pda, rp_pda;
	uint64_t obj_version;    /**< layout of objects, id_layout_ver */
	uint64_t global_version;
	uint64_t perf_domain;
	uint64_t dedup, dedup_threshold_bytes;
	uint64_t status;         /**< DAOS_PROP_CO_STATUS_VAL() */
};

struct dc_cont {
	struct d_hlink  dc_hlink;  /**< type DAOS_HTYPE_CO */
	struct dc_pool *dc_pool;   /**< a reference */
	uuid_t          dc_uuid;
	uuid_t          dc_hdl;    /**< travels in every object request */
	uint64_t        dc_flags;  /**< DAOS_COO_* */
	uint64_t        dc_capas;  /**< SEC_CONT_CAPA_*; security/sec_capas.h */
	struct dc_cont_props dc_props;
	_Atomic uint32_t dc_obj_nr; /**< open objects, kept by the object client; for messages */
};

/** The container behind a handle, with a reference for the caller; NULL: no such handle. */
struct dc_cont *dc_hdl2cont(struct client *cl, daos_handle_t coh);
void dc_cont_addref(struct dc_cont *cont);
void dc_cont_put(struct dc_cont *cont);

extern const struct dc_module dc_cont_module;

/* ---- operations: task functions, arguments as in <daos_task.h> ---- */

int dc_pool_list_cont(tse_task_t *task); /**< of the container module: it knows the containers */
int dc_cont_create(tse_task_t *task);
int dc_cont_destroy(tse_task_t *task);
int dc_cont_open(tse_task_t *task);
int dc_cont_close(tse_task_t *task);
int dc_cont_query(tse_task_t *task);
int dc_cont_set_prop(tse_task_t *task); /**< ACL, owner and group, too, where the handle may change them */
int dc_cont_alloc_oids(tse_task_t *task);
int dc_cont_list_attr(tse_task_t *task);
int dc_cont_get_attr(tse_task_t *task);
int dc_cont_set_attr(tse_task_t *task);
int dc_cont_del_attr(tse_task_t *task);
int dc_cont_create_snap(tse_task_t *task); /**< names: NOTSUPPORTED */
int dc_cont_destroy_snap(tse_task_t *task);
int dc_cont_list_snap(tse_task_t *task);
int dc_tx_open_snap(tse_task_t *task);   /**< NONEXIST: no such snapshot */
int dc_tx_close(tse_task_t *task);

/** What reads with @th see. Errors: NO_HDL | INVAL it is of another container than @cont (NULL: any) */
int dc_tx_epoch(struct client *cl, daos_handle_t th, const struct dc_cont *cont, daos_epoch_t *ret_epoch) MUST_CHECK;
