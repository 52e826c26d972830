/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "container/cont_rpc.h"

int
crt_proc_cont_info(struct crt_proc *p, daos_cont_info_t *info)
{
	int rc = crt_proc_raw(p, info->ci_uuid, sizeof(info->ci_uuid));

	if (rc == 0)
		rc = crt_proc_uint64_t(p, &info->ci_lsnapshot);
	if (rc == 0)
		rc = crt_proc_uint32_t(p, &info->ci_nhandles);
	if (rc == 0)
		rc = crt_proc_uint32_t(p, &info->ci_nsnapshots);
	if (rc == 0)
		rc = crt_proc_uint64_t(p, &info->ci_md_otime);
	if (rc == 0)
		rc = crt_proc_uint64_t(p, &info->ci_md_mtime);
	return rc;
}

int
crt_proc_cont_snaps(struct crt_proc *p, struct cont_snaps *snaps)
{
	int rc = crt_proc_uint64_t(p, &snaps->version);

	return rc != 0 ? rc : crt_proc_u64s(p, &snaps->epochs);
}

CRT_RPC_DEFINE(cont_create, CONT_CREATE_IN, CONT_CREATE_OUT)
CRT_RPC_DEFINE(cont_destroy, CONT_DESTROY_IN, CONT_DESTROY_OUT)
CRT_RPC_DEFINE(cont_open, CONT_OPEN_IN, CONT_OPEN_OUT)
CRT_RPC_DEFINE(cont_close, CONT_CLOSE_IN, CONT_CLOSE_OUT)
CRT_RPC_DEFINE(cont_query, CONT_QUERY_IN, CONT_QUERY_OUT)
CRT_RPC_DEFINE(cont_prop_set, CONT_PROP_SET_IN, CONT_PROP_SET_OUT)
CRT_RPC_DEFINE(cont_list, CONT_LIST_IN, CONT_LIST_OUT)
CRT_RPC_DEFINE(cont_attr_op, CONT_ATTR_IN, CONT_ATTR_OUT)
CRT_RPC_DEFINE(cont_alloc_oids, CONT_ALLOC_OIDS_IN, CONT_ALLOC_OIDS_OUT)
CRT_RPC_DEFINE(cont_snap_op, CONT_SNAP_IN, CONT_SNAP_OUT)
CRT_RPC_DEFINE(cont_hdl_find, CONT_HDL_FIND_IN, CONT_HDL_FIND_OUT)
CRT_RPC_DEFINE(cont_set_owner, CONT_SET_OWNER_IN, CONT_SET_OWNER_OUT)
CRT_RPC_DEFINE(cont_tgt_open, CONT_TGT_OPEN_IN, CONT_TGT_OPEN_OUT)
CRT_RPC_DEFINE(cont_tgt_close, CONT_TGT_CLOSE_IN, CONT_TGT_CLOSE_OUT)
CRT_RPC_DEFINE(cont_tgt_destroy, CONT_TGT_DESTROY_IN, CONT_TGT_DESTROY_OUT)
CRT_RPC_DEFINE(cont_tgt_snaps, CONT_TGT_SNAPS_IN, CONT_TGT_SNAPS_OUT)

POOL_HEAD_CHECK(cont_create)
POOL_HEAD_CHECK(cont_destroy)
POOL_HEAD_CHECK(cont_open)
POOL_HEAD_CHECK(cont_close)
POOL_HEAD_CHECK(cont_query)
POOL_HEAD_CHECK(cont_prop_set)
POOL_HEAD_CHECK(cont_list)
POOL_HEAD_CHECK(cont_attr_op)
POOL_HEAD_CHECK(cont_alloc_oids)
POOL_HEAD_CHECK(cont_snap_op)
POOL_HEAD_CHECK(cont_hdl_find)
POOL_HEAD_CHECK(cont_set_owner)

static const struct crt_proto_rpc cont_rpcs[CONT_RPC_NR] = {
	[CONT_CREATE] = {.format = &cont_create_format},
	[CONT_DESTROY] = {.format = &cont_destroy_format},
	[CONT_OPEN] = {.format = &cont_open_format},
	[CONT_CLOSE] = {.format = &cont_close_format},
	[CONT_QUERY] = {.format = &cont_query_format},
	[CONT_PROP_SET] = {.format = &cont_prop_set_format},
	[CONT_LIST] = {.format = &cont_list_format},
	[CONT_ATTR_LIST] = {.format = &cont_attr_op_format},
	[CONT_ATTR_GET] = {.format = &cont_attr_op_format},
	[CONT_ATTR_SET] = {.format = &cont_attr_op_format},
	[CONT_ATTR_DEL] = {.format = &cont_attr_op_format},
	[CONT_ALLOC_OIDS] = {.format = &cont_alloc_oids_format},
	[CONT_SNAP_CREATE] = {.format = &cont_snap_op_format},
	[CONT_SNAP_DESTROY] = {.format = &cont_snap_op_format},
	[CONT_SNAP_LIST] = {.format = &cont_snap_op_format},
	[CONT_HDL_FIND] = {.format = &cont_hdl_find_format},
	[CONT_SET_OWNER] = {.format = &cont_set_owner_format},
	[CONT_TGT_OPEN] = {.format = &cont_tgt_open_format},
	[CONT_TGT_CLOSE] = {.format = &cont_tgt_close_format},
	[CONT_TGT_DESTROY] = {.format = &cont_tgt_destroy_format},
	[CONT_TGT_SNAPS] = {.format = &cont_tgt_snaps_format},
};
const struct crt_proto cont_proto_client = {
	.name = "cont", .mod_id = CRT_MOD_CONT, .version = CONT_RPC_VERSION, .rpc_nr = CONT_RPC_NR, .rpcs = cont_rpcs};
