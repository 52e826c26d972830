/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** dRPC methods about containers. */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/log.h"
#include "container/cont_internal.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"

#define SVC_TIMEOUT_S 60

static void
fill_list(void *vin, void *arg)
{
	uuid_copy(((struct pool_in_head *)vin)->pool.b, arg);
}

/** A container's message with what it points to. */
struct cont_msg {
	Mgmt__ListContainersResp__Cont msg;
	char                           uuid[DAOS_UUID_STR_SIZE];
};

static int
reply_list(struct dss_drpc_call *call, const struct cont_list_out *out)
{
	Mgmt__ListContainersResp         resp = MGMT__LIST_CONTAINERS_RESP__INIT;
	struct cont_msg                 *msgs = calloc(out->conts.nr + 1, sizeof(*msgs));
	Mgmt__ListContainersResp__Cont **ptrs = calloc(out->conts.nr + 1, sizeof(*ptrs));
	int                              rc = msgs == NULL || ptrs == NULL ? -DER_NOMEM : 0;

	for (uint32_t i = 0; i < out->conts.nr && rc == 0; i++) {
		if (out->conts.v[i].value.iov_len != sizeof(uuid_t)) {
			rc = -DER_PROTO;
			break;
		}
		mgmt__list_containers_resp__cont__init(&msgs[i].msg);
		uuid_unparse_lower(out->conts.v[i].value.iov_buf, msgs[i].uuid);
		msgs[i].msg.uuid = msgs[i].uuid;
		msgs[i].msg.label = out->conts.v[i].name;
		ptrs[i] = &msgs[i].msg;
	}
	if (rc == 0) {
		resp.containers = ptrs;
		resp.n_containers = out->conts.nr;
		ds_mgmt_drpc_reply(call, &resp);
	}
	free(msgs);
	free(ptrs);
	return rc;
}

MAY_YIELD static void
drpc_list(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PoolReq           *req = mgmt__pool_req__unpack(NULL, call->body_bytes, call->body);
	Mgmt__ListContainersResp resp = MGMT__LIST_CONTAINERS_RESP__INIT;
	d_rank_list_t            ranks;
	crt_rpc_t               *rpc;
	uuid_t                   pool;
	int                      rc = -DER_INVAL;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	ranks = (d_rank_list_t){.rl_ranks = req->svc_ranks, .rl_nr = req->n_svc_ranks};
	if (uuid_parse(req->uuid, pool) == 0)
		rc = ds_pool_svc_call(&ranks, CONT_OPC(CONT_LIST), fill_list, pool, SVC_TIMEOUT_S, &rpc);
	if (rc == 0) {
		rc = reply_list(call, rpc->cr_output);
		crt_req_decref(rpc);
	}
	if (rc != 0) {
		resp.status = rc;
		ds_mgmt_drpc_reply(call, &resp);
	}
	mgmt__pool_req__free_unpacked(req, NULL);
}

struct owner_arg {
	Mgmt__ContSetOwnerReq *req;
	uuid_t                 pool, cont;
	bool                   by_uuid;
};

static void
fill_owner(void *vin, void *varg)
{
	struct cont_set_owner_in *in = vin;
	struct owner_arg         *arg = varg;

	uuid_copy(in->pool.b, arg->pool);
	if (arg->by_uuid)
		uuid_copy(in->cont.b, arg->cont);
	else
		in->label = arg->req->cont;
	in->user = arg->req->owner_user;
	in->group = arg->req->owner_group;
}

MAY_YIELD static void
drpc_set_owner(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__ContSetOwnerReq *req = mgmt__cont_set_owner_req__unpack(NULL, call->body_bytes, call->body);
	struct owner_arg       arg = {.req = req};
	d_rank_list_t          ranks;
	crt_rpc_t             *rpc;
	int                    rc = -DER_INVAL;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	ranks = (d_rank_list_t){.rl_ranks = req->svc_ranks, .rl_nr = req->n_svc_ranks};
	arg.by_uuid = uuid_parse(req->cont, arg.cont) == 0;
	if (uuid_parse(req->pool_uuid, arg.pool) == 0)
		rc = ds_pool_svc_call(&ranks, CONT_OPC(CONT_SET_OWNER), fill_owner, &arg, SVC_TIMEOUT_S, &rpc);
	if (rc == 0)
		crt_req_decref(rpc);
	ds_mgmt_drpc_reply_status(call, rc);
	mgmt__cont_set_owner_req__free_unpacked(req, NULL);
}

const struct ds_mgmt_drpc_method cont_drpc_methods[] = {
	{DRPC_METHOD_MGMT_LIST_CONTAINERS, drpc_list},
	{DRPC_METHOD_MGMT_CONT_SET_OWNER, drpc_set_owner},
	{0, NULL},
};
