/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The container as the object module sees it: an open handle on the calling target xstream. */
#pragma once

#include "pool/pool_server.h"
#include "security/sec_capas.h"

extern const struct dss_module dss_module_cont;

struct ds_cont_hdl {
	uuid_t                sch_uuid;      /**< of the handle */
	uuid_t                sch_cont_uuid;
	uint64_t              sch_flags;     /**< DAOS_COO_* */
	uint64_t              sch_sec_capas; /**< what its user may do: SEC_CONT_CAPA_* */
	struct ds_pool_child *sch_pool;
	struct vos_cont      *sch_vos;
	uint32_t              sch_ref;
};
/**
 * Find the handle; when it isn't known here (the engine restarted), ask the pool service for it and open it.
 * Errors: NO_HDL the service doesn't know it either, or the pool isn't here | SHUTDOWN | others of the RPC (retry).
 */
MAY_YIELD int ds_cont_hdl_get(const uuid_t pool, const uuid_t cont, const uuid_t hdl, struct ds_cont_hdl **ret_hdl) MUST_CHECK;
void ds_cont_hdl_put(struct ds_cont_hdl *hdl);
