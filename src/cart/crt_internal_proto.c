/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The table of CART's own requests, and the question which protocol versions a peer speaks. */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include "base/log.h"
#include "cart/crt_internal_proto.h"

CRT_RPC_DEFINE(crt_uri, CRT_URI_IN, CRT_URI_OUT)
CRT_RPC_DEFINE(crt_ping, CRT_PING_FIELDS, CRT_PING_FIELDS)
CRT_RPC_DEFINE(crt_query, CRT_QUERY_IN, CRT_QUERY_OUT)
CRT_RPC_DEFINE(crt_swim, CRT_SWIM_IN, CRT_NO_FIELDS)
CRT_RPC_DEFINE(crt_iv, CRT_IV_IN, CRT_IV_OUT)
CRT_RPC_DEFINE(crt_iv_sync, CRT_IV_SYNC_IN, CRT_IV_SYNC_OUT)
CRT_RPC_DEFINE(crt_st_open, CRT_ST_OPEN_IN, CRT_ST_OPEN_OUT)
CRT_RPC_DEFINE(crt_st_test, CRT_ST_TEST_IN, CRT_ST_TEST_OUT)
CRT_RPC_DEFINE(crt_st_close, CRT_ST_CLOSE_IN, CRT_ST_CLOSE_OUT)
CRT_RPC_DEFINE(crt_st_start, CRT_ST_START_IN, CRT_ST_START_OUT)
CRT_RPC_DEFINE(crt_st_status, CRT_NO_FIELDS, CRT_ST_STATUS_OUT)
CRT_RPC_DEFINE(crt_barrier, CRT_BARRIER_IN, CRT_BARRIER_OUT)
CRT_RPC_DEFINE(crt_ctl, CRT_CTL_IN, CRT_CTL_OUT)
CRT_RPC_DEFINE(crt_corpc, CRT_CORPC_IN, CRT_CORPC_OUT)

static const struct crt_proto_rpc internal_rpcs[] = {
#define CRT_INTERNAL_DEF(id, fmt, hdlr, flg, ops)                                                  \
	[CRT_RPC_##id] = {.format = &fmt##_format, .handler = hdlr, .flags = flg, .co_ops = ops},
	CRT_INTERNAL_RPCS(CRT_INTERNAL_DEF)
#undef CRT_INTERNAL_DEF
};
const struct crt_proto crt_internal_proto = {
	.name    = "crt_internal",
	.mod_id  = CRT_MOD_INTERNAL,
	.version = CRT_INTERNAL_VERSION,
	.rpc_nr  = ARRAY_NR(internal_rpcs),
	.rpcs    = internal_rpcs,
};

struct crt_rpc_priv *
crt_internal_alloc(struct crt_ctx *ctx, enum crt_internal_rpc id)
{
	return crt_rpc_alloc(ctx, &internal_rpcs[id], CRT_INTERNAL_OPC(id));
}

/* ---- protocol query ---- */

#define QUERY_VERSION_NR_MAX 32

void
crt_query_handler(crt_rpc_t *rpc)
{
	struct crt_query_in  *in  = rpc->cr_input;
	struct crt_query_out *out = rpc->cr_output;
	struct crt           *crt = crt_context_crt(rpc->cr_ctx);

	for (uint32_t i = 0; i < in->versions.nr; i++) {
		uint32_t v = in->versions.v[i];

		if (v > out->version && crt_proto_known(crt, in->mod_id, v))
			out->version = v;
	}
	out->rc = out->version == 0 ? -DER_PROTO : 0;
	crt_reply_send(rpc); /* a failure is the client's timeout; cart has logged it */
}

struct query {
	crt_proto_query_cb_t cb;
	void                *arg;
};

static void
query_done(const struct crt_cb_info *info)
{
	const struct crt_query_out *out = info->cci_rpc->cr_output;
	const struct query         *q   = info->cci_arg;
	int                         rc  = info->cci_rc != 0 ? info->cci_rc : out->rc;

	q->cb(q->arg, rc, rc == 0 ? out->version : 0);
}

int
crt_proto_query(crt_context_t ctx, const crt_endpoint_t *ep, uint32_t mod_id, uint32_t version_nr,
		const uint32_t *versions, crt_proto_query_cb_t cb, void *arg)
{
	struct crt_query_in *in;
	struct query        *q;
	crt_rpc_t           *rpc;
	uint32_t            *v;
	int                  rc;

	if (mod_id == 0 || mod_id > 255 || version_nr == 0 || version_nr > QUERY_VERSION_NR_MAX)
		return -DER_INVAL;
	rc = crt_req_create(ctx, ep, CRT_INTERNAL_OPC(CRT_RPC_PROTO_QUERY), &rpc);
	if (rc != 0)
		return rc;
	q = crt_req_alloc(rpc, sizeof(*q));
	v = crt_req_alloc(rpc, version_nr * sizeof(*v));
	if (q == NULL || v == NULL) {
		crt_req_decref(rpc);
		return -DER_NOMEM;
	}
	for (uint32_t i = 0; i < version_nr; i++)
		v[i] = versions[i];
	*q           = (struct query){.cb = cb, .arg = arg};
	in           = rpc->cr_input;
	in->mod_id   = mod_id;
	in->versions = (struct crt_u32_array){.nr = version_nr, .v = v};
	return crt_req_send(rpc, query_done, q);
}
