/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <daos_errno.h>
#include "pool/pool_rpc.h"

int
crt_proc_pool_attrs(struct crt_proc *p, struct pool_attrs *a)
{
	int rc = crt_proc_uint32_t(p, &a->nr);

	if (rc != 0)
		return rc;
	if (crt_proc_op(p) == CRT_PROC_DECODE) {
		if (a->nr > POOL_ATTR_NR_MAX || a->nr > crt_proc_left(p))
			return -DER_PROTO;
		a->v = crt_proc_alloc(p, a->nr, sizeof(*a->v));
		if (a->v == NULL && a->nr > 0)
			return -DER_NOMEM;
	}
	for (uint32_t i = 0; i < a->nr && rc == 0; i++) {
		rc = crt_proc_string(p, &a->v[i].name);
		if (rc == 0 && a->v[i].name == NULL)
			rc = -DER_PROTO;
		if (rc == 0)
			rc = crt_proc_iov(p, &a->v[i].value);
	}
	return rc;
}

_Static_assert(sizeof(struct daos_pool_space) == 88, "sent as it is: no holes");

int
crt_proc_pool_space(struct crt_proc *p, struct daos_pool_space *space)
{
	return crt_proc_raw(p, space, sizeof(*space));
}

CRT_RPC_DEFINE(pool_svc_create, POOL_SVC_CREATE_IN, POOL_SVC_CREATE_OUT)
CRT_RPC_DEFINE(pool_svc_stop, POOL_SVC_STOP_IN, POOL_SVC_STOP_OUT)
CRT_RPC_DEFINE(pool_connect, POOL_CONNECT_IN, POOL_CONNECT_OUT)
CRT_RPC_DEFINE(pool_disconnect, POOL_DISCONNECT_IN, POOL_DISCONNECT_OUT)
CRT_RPC_DEFINE(pool_query, POOL_QUERY_IN, POOL_QUERY_OUT)
CRT_RPC_DEFINE(pool_query_tgts, POOL_QUERY_TGTS_IN, POOL_QUERY_TGTS_OUT)
CRT_RPC_DEFINE(pool_attr_op, POOL_ATTR_IN, POOL_ATTR_OUT)
CRT_RPC_DEFINE(pool_prop_set, POOL_PROP_SET_IN, POOL_PROP_SET_OUT)
CRT_RPC_DEFINE(pool_acl_change, POOL_ACL_CHANGE_IN, POOL_ACL_CHANGE_OUT)
CRT_RPC_DEFINE(pool_evict, POOL_EVICT_IN, POOL_EVICT_OUT)
CRT_RPC_DEFINE(pool_destroy_prep, POOL_DESTROY_PREP_IN, POOL_DESTROY_PREP_OUT)
CRT_RPC_DEFINE(pool_map_change, POOL_MAP_CHANGE_IN, POOL_MAP_CHANGE_OUT)
CRT_RPC_DEFINE(pool_tgt_create, POOL_TGT_CREATE_IN, POOL_TGT_CREATE_OUT)
CRT_RPC_DEFINE(pool_tgt_destroy, POOL_TGT_DESTROY_IN, POOL_TGT_DESTROY_OUT)
CRT_RPC_DEFINE(pool_tgt_query, POOL_TGT_QUERY_IN, POOL_TGT_QUERY_OUT)
CRT_RPC_DEFINE(pool_tgt_update, POOL_TGT_UPDATE_IN, POOL_TGT_UPDATE_OUT)
CRT_RPC_DEFINE(pool_tgt_hdls_close, POOL_TGT_HDLS_CLOSE_IN, POOL_TGT_HDLS_CLOSE_OUT)

POOL_HEAD_CHECK(pool_connect)
POOL_HEAD_CHECK(pool_disconnect)
POOL_HEAD_CHECK(pool_query)
POOL_HEAD_CHECK(pool_query_tgts)
POOL_HEAD_CHECK(pool_attr_op)
POOL_HEAD_CHECK(pool_prop_set)
POOL_HEAD_CHECK(pool_acl_change)
POOL_HEAD_CHECK(pool_evict)
POOL_HEAD_CHECK(pool_destroy_prep)
POOL_HEAD_CHECK(pool_map_change)

static const struct crt_proto_rpc pool_rpcs[POOL_RPC_NR] = {
	[POOL_SVC_CREATE] = {.format = &pool_svc_create_format},
	[POOL_SVC_STOP] = {.format = &pool_svc_stop_format},
	[POOL_CONNECT] = {.format = &pool_connect_format},
	[POOL_DISCONNECT] = {.format = &pool_disconnect_format},
	[POOL_QUERY] = {.format = &pool_query_format},
	[POOL_QUERY_TGTS] = {.format = &pool_query_tgts_format},
	[POOL_ATTR_LIST] = {.format = &pool_attr_op_format},
	[POOL_ATTR_GET] = {.format = &pool_attr_op_format},
	[POOL_ATTR_SET] = {.format = &pool_attr_op_format},
	[POOL_ATTR_DEL] = {.format = &pool_attr_op_format},
	[POOL_PROP_SET] = {.format = &pool_prop_set_format},
	[POOL_ACL_CHANGE] = {.format = &pool_acl_change_format},
	[POOL_EVICT] = {.format = &pool_evict_format},
	[POOL_DESTROY_PREP] = {.format = &pool_destroy_prep_format},
	[POOL_MAP_CHANGE] = {.format = &pool_map_change_format},
	[POOL_TGT_CREATE] = {.format = &pool_tgt_create_format},
	[POOL_TGT_DESTROY] = {.format = &pool_tgt_destroy_format},
	[POOL_TGT_QUERY] = {.format = &pool_tgt_query_format},
	[POOL_TGT_UPDATE] = {.format = &pool_tgt_update_format},
	[POOL_TGT_HDLS_CLOSE] = {.format = &pool_tgt_hdls_close_format},
};
const struct crt_proto pool_proto_client = {
	.name = "pool", .mod_id = CRT_MOD_POOL, .version = POOL_RPC_VERSION, .rpc_nr = POOL_RPC_NR, .rpcs = pool_rpcs};
