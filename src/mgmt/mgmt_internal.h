/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#pragma once

#include "mgmt/mgmt_server.h"

#define MGMT_TABLE_NR_MAX 8

/** The module's data. xstream 0. */
struct mgmt {
	const struct ds_mgmt_resolver    *resolver;
	void                             *resolver_arg;
	const struct ds_mgmt_drpc_method *tables[MGMT_TABLE_NR_MAX]; /**< [table_nr] */
	uint32_t                          table_nr;
};
struct mgmt *mgmt_of(struct engine *eng);

extern const struct ds_mgmt_resolver   mgmt_resolver_upcall;
extern const struct ds_mgmt_drpc_method mgmt_drpc_system[]; /**< rank, group, logs, shutdown */

void mgmt_tgt_map_update_handler(crt_rpc_t *rpc);
MAY_YIELD void mgmt_pool_find_handler(crt_rpc_t *rpc);
