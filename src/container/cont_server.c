/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The container module. */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/log.h"
#include "container/cont_internal.h"

#define DEFINE_SVC_HANDLER(name)                                                                   \
	MAY_YIELD static void handle_##name(crt_rpc_t *rpc)                                        \
	{                                                                                          \
		ds_pool_svc_handle(rpc, cont_op_##name);                                           \
	}
DEFINE_SVC_HANDLER(create)
DEFINE_SVC_HANDLER(destroy)
DEFINE_SVC_HANDLER(open)
DEFINE_SVC_HANDLER(close)
DEFINE_SVC_HANDLER(query)
DEFINE_SVC_HANDLER(prop_set)
DEFINE_SVC_HANDLER(list)
DEFINE_SVC_HANDLER(attr)
DEFINE_SVC_HANDLER(alloc_oids)
DEFINE_SVC_HANDLER(snap_create)
DEFINE_SVC_HANDLER(snap_destroy)
DEFINE_SVC_HANDLER(snap_list)
DEFINE_SVC_HANDLER(hdl_find)
DEFINE_SVC_HANDLER(set_owner)

static const struct crt_proto_rpc cont_rpcs[CONT_RPC_NR] = {
	[CONT_CREATE] = {&cont_create_format, handle_create, 0},
	[CONT_DESTROY] = {&cont_destroy_format, handle_destroy, 0},
	[CONT_OPEN] = {&cont_open_format, handle_open, 0},
	[CONT_CLOSE] = {&cont_close_format, handle_close, 0},
	[CONT_QUERY] = {&cont_query_format, handle_query, 0},
	[CONT_PROP_SET] = {&cont_prop_set_format, handle_prop_set, 0},
	[CONT_LIST] = {&cont_list_format, handle_list, 0},
	[CONT_ATTR_LIST] = {&cont_attr_op_format, handle_attr, 0},
	[CONT_ATTR_GET] = {&cont_attr_op_format, handle_attr, 0},
	[CONT_ATTR_SET] = {&cont_attr_op_format, handle_attr, 0},
	[CONT_ATTR_DEL] = {&cont_attr_op_format, handle_attr, 0},
	[CONT_ALLOC_OIDS] = {&cont_alloc_oids_format, handle_alloc_oids, 0},
	[CONT_SNAP_CREATE] = {&cont_snap_op_format, handle_snap_create, 0},
	[CONT_SNAP_DESTROY] = {&cont_snap_op_format, handle_snap_destroy, 0},
	[CONT_SNAP_LIST] = {&cont_snap_op_format, handle_snap_list, 0},
	[CONT_HDL_FIND] = {&cont_hdl_find_format, handle_hdl_find, 0},
	[CONT_SET_OWNER] = {&cont_set_owner_format, handle_set_owner, 0},
	[CONT_TGT_OPEN] = {&cont_tgt_open_format, cont_tgt_open_handler, 0},
	[CONT_TGT_CLOSE] = {&cont_tgt_close_format, cont_tgt_close_handler, 0},
	[CONT_TGT_DESTROY] = {&cont_tgt_destroy_format, cont_tgt_destroy_handler, 0},
	[CONT_TGT_SNAPS] = {&cont_tgt_snaps_format, cont_tgt_snaps_handler, 0},
};
static const struct crt_proto cont_proto = {
	.name = "cont", .mod_id = CRT_MOD_CONT, .version = CONT_RPC_VERSION, .rpc_nr = CONT_RPC_NR, .rpcs = cont_rpcs};

MAY_YIELD static int
cont_init(struct engine *eng)
{
	ds_pool_set_cont_ops(eng, &cont_pool_ops);
	return ds_mgmt_drpc_register(eng, cont_drpc_methods);
}

MAY_YIELD static void
cont_fini(struct engine *eng)
{
	ds_pool_set_cont_ops(eng, NULL);
}

const struct dss_module dss_module_cont = {
	.sm_name = "cont",
	.sm_mod_id = CRT_MOD_CONT,
	.sm_init = cont_init,
	.sm_fini = cont_fini,
	.sm_proto = &cont_proto,
};
