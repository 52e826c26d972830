/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The management module: dispatch of dRPC methods, and the questions that go to the control plane.
 * The methods themselves are in mgmt_system.c and in the modules that own what they act on.
 */
#define D_LOGFAC LOG_FAC_MGMT
#include <daos_errno.h>
#include <protobuf-c/protobuf-c.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "mgmt/mgmt_internal.h"
#include "mgmt/mgmt_rpc.h"

struct mgmt *
mgmt_of(struct engine *eng)
{
	struct mgmt *mgmt = dss_module_data(eng, CRT_MOD_MGMT);

	D_ASSERT(mgmt != NULL);
	return mgmt;
}

void
ds_mgmt_set_resolver(struct engine *eng, const struct ds_mgmt_resolver *resolver, void *arg)
{
	struct mgmt *mgmt = mgmt_of(eng);

	mgmt->resolver = resolver != NULL ? resolver : &mgmt_resolver_upcall;
	mgmt->resolver_arg = arg;
}

MAY_YIELD int
ds_mgmt_pool_svc(struct engine *eng, const uuid_t pool, d_rank_list_t **ret_ranks)
{
	struct mgmt *mgmt = mgmt_of(eng);

	return mgmt->resolver->svc_by_uuid(eng, mgmt->resolver_arg, pool, ret_ranks);
}

MAY_YIELD int
ds_mgmt_pool_find(struct engine *eng, const char *label, uuid_t ret_pool, d_rank_list_t **ret_ranks)
{
	struct mgmt *mgmt = mgmt_of(eng);

	return mgmt->resolver->svc_by_label(eng, mgmt->resolver_arg, label, ret_pool, ret_ranks);
}

MAY_YIELD int
ds_mgmt_check_cred(struct engine *eng, const void *cred, size_t cred_bytes, struct sec_ident **ret_ident)
{
	struct mgmt *mgmt = mgmt_of(eng);

	return mgmt->resolver->check_cred(eng, mgmt->resolver_arg, cred, cred_bytes, ret_ident);
}

MAY_YIELD void
mgmt_pool_find_handler(crt_rpc_t *rpc)
{
	struct mgmt_pool_find_in  *in = rpc->cr_input;
	struct mgmt_pool_find_out *out = rpc->cr_output;
	struct engine             *eng = dss_engine();

	if (in->label != NULL && in->label[0] != '\0') {
		out->rc = ds_mgmt_pool_find(eng, in->label, out->pool.b, &out->svc_ranks);
	} else {
		out->pool = in->pool;
		out->rc = ds_mgmt_pool_svc(eng, in->pool.b, &out->svc_ranks);
	}
	if (out->rc != 0 && out->rc != -DER_NONEXIST)
		D_WARN("finding pool %s: " DF_RC, in->label != NULL ? in->label : d_uuid_str(in->pool.b),
		       DP_RC(out->rc));
	crt_reply_send(rpc);
	d_rank_list_free(out->svc_ranks);
	out->svc_ranks = NULL;
}

/* ---- dRPC ---- */

int
ds_mgmt_drpc_register(struct engine *eng, const struct ds_mgmt_drpc_method *table)
{
	struct mgmt *mgmt = mgmt_of(eng);

	if (mgmt->table_nr == MGMT_TABLE_NR_MAX)
		return -DER_OVERFLOW;
	mgmt->tables[mgmt->table_nr++] = table;
	return 0;
}

void
ds_mgmt_drpc_reply(struct dss_drpc_call *call, const void *msg)
{
	size_t bytes = protobuf_c_message_get_packed_size(msg);

	call->ret_body = malloc(bytes > 0 ? bytes : 1);
	if (call->ret_body == NULL) {
		call->status = DRPC__STATUS__FAILED_MARSHAL;
		return;
	}
	call->ret_body_bytes = protobuf_c_message_pack(msg, call->ret_body);
	call->status = DRPC__STATUS__SUCCESS;
}

void
ds_mgmt_drpc_reply_status(struct dss_drpc_call *call, int rc)
{
	Mgmt__DaosResp resp = MGMT__DAOS_RESP__INIT;

	resp.status = rc;
	ds_mgmt_drpc_reply(call, &resp);
}

void
ds_mgmt_drpc_malformed(struct dss_drpc_call *call)
{
	D_ERROR("dRPC %s: the body is not a message of its type (%zu bytes)", drpc_method_name(call->method),
		call->body_bytes);
	call->status = DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD;
}

MAY_YIELD static void
mgmt_drpc_handler(struct engine *eng, struct dss_drpc_call *call)
{
	struct mgmt *mgmt = mgmt_of(eng);

	for (uint32_t t = 0; t < mgmt->table_nr; t++) {
		for (const struct ds_mgmt_drpc_method *m = mgmt->tables[t]; m->method != 0; m++) {
			if (m->method == call->method) {
				m->handler(eng, call);
				return;
			}
		}
	}
	D_WARN("dRPC method %d of module MGMT: unknown", call->method);
	call->status = DRPC__STATUS__UNKNOWN_METHOD;
}

/* ---- the module ---- */

MAY_YIELD static int
mgmt_init(struct engine *eng)
{
	struct mgmt *mgmt = calloc(1, sizeof(*mgmt));

	if (mgmt == NULL)
		return -DER_NOMEM;
	mgmt->resolver = &mgmt_resolver_upcall;
	mgmt_clients_init(&mgmt->clients, eng);
	dss_module_set_data(eng, CRT_MOD_MGMT, mgmt);
	return ds_mgmt_drpc_register(eng, mgmt_drpc_system);
}

MAY_YIELD static void
mgmt_fini(struct engine *eng)
{
	mgmt_clients_fini(&mgmt_of(eng)->clients);
	free(dss_module_data(eng, CRT_MOD_MGMT));
	dss_module_set_data(eng, CRT_MOD_MGMT, NULL);
}

MAY_YIELD static int
mgmt_setup(struct engine *eng)
{
	mgmt_clients_allow(&mgmt_of(eng)->clients);
	return 0;
}

MAY_YIELD static void
mgmt_cleanup(struct engine *eng)
{
	mgmt_clients_end(&mgmt_of(eng)->clients);
}

static const struct crt_proto_rpc mgmt_rpcs[MGMT_RPC_NR] = {
	[MGMT_POOL_FIND] = {.format = &mgmt_pool_find_format, .handler = mgmt_pool_find_handler},
	[MGMT_TGT_MAP_UPDATE] = {.format = &mgmt_tgt_map_update_format, .handler = mgmt_tgt_map_update_handler},
};
static const struct crt_proto mgmt_proto = {
	.name = "mgmt", .mod_id = CRT_MOD_MGMT, .version = MGMT_RPC_VERSION, .rpc_nr = MGMT_RPC_NR, .rpcs = mgmt_rpcs};
static const struct dss_drpc_hdlr mgmt_drpc_hdlrs[] = {{DRPC_MODULE_MGMT, mgmt_drpc_handler}, {0, NULL}};

const struct dss_module dss_module_mgmt = {
	.sm_name = "mgmt",
	.sm_mod_id = CRT_MOD_MGMT,
	.sm_init = mgmt_init,
	.sm_fini = mgmt_fini,
	.sm_setup = mgmt_setup,
	.sm_cleanup = mgmt_cleanup,
	.sm_proto = &mgmt_proto,
	.sm_drpc_handlers = mgmt_drpc_hdlrs,
};
