/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The dRPC method that takes targets out of service and back. */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "pool/pool_internal.h"

#define SVC_TIMEOUT_S 60

struct change_arg {
	const Mgmt__PoolRanksReq *req;
	uuid_t                    pool;
	d_rank_list_t             ranks;
};

static void
fill_change(void *vin, void *varg)
{
	struct pool_map_change_in *in = vin;
	struct change_arg         *arg = varg;

	uuid_copy(in->pool.b, arg->pool);
	in->change = arg->req->change;
	in->ranks = &arg->ranks;
	in->tgts = (struct crt_u32_array){.nr = arg->req->n_targets, .v = arg->req->targets};
	in->force = arg->req->force;
}

MAY_YIELD static int
change(const Mgmt__PoolRanksReq *req, crt_rpc_t **ret_rpc)
{
	d_rank_list_t     svc = {.rl_ranks = req->svc_ranks, .rl_nr = req->n_svc_ranks};
	struct change_arg arg = {.req = req, .ranks = {.rl_ranks = req->ranks, .rl_nr = req->n_ranks}};
	int               rc = uuid_parse(req->uuid, arg.pool) != 0 ? -DER_INVAL : 0;

	if (rc == 0)
		rc = ds_pool_svc_call(&svc, POOL_OPC(POOL_MAP_CHANGE), fill_change, &arg, SVC_TIMEOUT_S, ret_rpc);
	if (rc != 0)
		D_WARN("pool %s: change %u of its map: " DF_RC, req->uuid, req->change, DP_RC(rc));
	return rc;
}

MAY_YIELD void
pool_drpc_map_change(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PoolRanksReq         *req = mgmt__pool_ranks_req__unpack(NULL, call->body_bytes, call->body);
	Mgmt__PoolRanksResp         resp = MGMT__POOL_RANKS_RESP__INIT;
	struct pool_map_change_out *out;
	crt_rpc_t                  *rpc;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	resp.status = change(req, &rpc);
	if (resp.status == 0) {
		out = rpc->cr_output;
		resp.version = out->map_version;
		resp.untold = out->untold.v;
		resp.n_untold = out->untold.nr;
	}
	ds_mgmt_drpc_reply(call, &resp);
	if (resp.status == 0)
		crt_req_decref(rpc);
	mgmt__pool_ranks_req__free_unpacked(req, NULL);
}
