/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The internal protocol. Its handlers run at once, never through the hook, so it is answered
 * however busy the ULTs are.
 *
 * URI: which URI has a tag of a rank? Asked at tag 0, whose URI the group has.
 * PING: sent to a peer that has left requests unanswered for a while. That it cannot be delivered,
 * or that another incarnation answers, means that those will never be answered. No answer means
 * nothing: the peer may be busy.
 */
#define D_LOGFAC LOG_FAC_CART
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"

#define CRT_URI_IN(F)  F(uint32_t, tag)
#define CRT_URI_OUT(F) F(int32_t, rc) F(string, uri)
CRT_RPC_DECLARE(crt_uri, CRT_URI_IN, CRT_URI_OUT)
CRT_RPC_DEFINE(crt_uri, CRT_URI_IN, CRT_URI_OUT)

#define CRT_PING_FIELDS(F)
CRT_RPC_DECLARE(crt_ping, CRT_PING_FIELDS, CRT_PING_FIELDS)
CRT_RPC_DEFINE(crt_ping, CRT_PING_FIELDS, CRT_PING_FIELDS)

#define CRT_INTERNAL_VERSION 1
#define CRT_OPC_PING CRT_OPC(CRT_MOD_INTERNAL, CRT_INTERNAL_VERSION, 1)
#define CRT_OPC_URI CRT_OPC(CRT_MOD_INTERNAL, CRT_INTERNAL_VERSION, 0)

static void
uri_handler(crt_rpc_t *rpc)
{
	struct crt_uri_in  *in  = rpc->cr_input;
	struct crt_uri_out *out = rpc->cr_output;
	char                uri[NA_URI_BYTES_MAX];

	out->rc = crt_uri_self(crt_context_crt(rpc->cr_ctx), in->tag, uri, sizeof(uri));
	if (out->rc == 0)
		out->uri = uri;
	crt_reply_send(rpc); /* a failure is the client's timeout; cart has logged it */
}

static void
ping_handler(crt_rpc_t *rpc)
{
	crt_reply_send(rpc);
}

static const struct crt_proto_rpc internal_rpcs[] = {
	{.format = &crt_uri_format, .handler = uri_handler},
	{.format = &crt_ping_format, .handler = ping_handler},
};
const struct crt_proto crt_internal_proto = {
	.name    = "crt_internal",
	.mod_id  = CRT_MOD_INTERNAL,
	.version = CRT_INTERNAL_VERSION,
	.rpc_nr  = ARRAY_NR(internal_rpcs),
	.rpcs    = internal_rpcs,
};

static int
lookup_result(struct crt_peer *peer, const struct crt_cb_info *info)
{
	const struct crt_uri_out *out = info->cci_rpc->cr_output;

	if (info->cci_rc != 0)
		return info->cci_rc == -DER_TIMEDOUT ? -DER_UNREACH : info->cci_rc;
	/* No such tag, or not yet: a server that starts has its first context before the others. */
	if (out->rc == -DER_NONEXIST)
		return -DER_UNREACH;
	if (out->rc != 0)
		return out->rc;
	if (out->uri == NULL || strlen(out->uri) >= sizeof(peer->uri))
		return -DER_PROTO;
	strcpy(peer->uri, out->uri);
	return na_addr_insert(peer->ctx->ep, out->uri, &peer->addr);
}

static void
lookup_done(const struct crt_cb_info *info)
{
	struct crt_peer     *peer = info->cci_arg;
	struct crt_rpc_priv *rpc;
	int                  rc;

	pthread_mutex_lock(&peer->ctx->lock);
	peer->resolving = false;
	rc = lookup_result(peer, info);
	if (rc == 0)
		crt_peer_kick(peer);
	while (rc != 0 && (rpc = d_list_first(&peer->queue, struct crt_rpc_priv, link)) != NULL)
		crt_req_complete(rpc, rc);
	pthread_mutex_unlock(&peer->ctx->lock);
}

/** Under the lock, hence not through crt_req_send(). */
int
crt_uri_lookup(struct crt_peer *peer)
{
	struct crt_ctx      *ctx = peer->ctx;
	struct crt_rpc_priv *rpc = crt_rpc_alloc(ctx, &internal_rpcs[0], CRT_OPC_URI);
	struct crt_uri_in   *in;

	if (rpc == NULL)
		return -DER_NOMEM;
	in  = rpc->pub.cr_input;
	in->tag        = peer->key.tag;
	rpc->pub.cr_ep = (crt_endpoint_t){.ep_rank = peer->key.rank, .ep_tag = 0};
	rpc->timeout_s = CRT_LOOKUP_TIMEOUT_S;
	crt_req_send_locked(rpc, lookup_done, peer);
	return 0;
}

static void
ping_done(const struct crt_cb_info *info)
{
	struct crt_peer *peer = info->cci_arg;

	pthread_mutex_lock(&peer->ctx->lock);
	peer->pinging = false;
	if (info->cci_rc == -DER_UNREACH)
		crt_peer_abort(peer, -DER_UNREACH);
	pthread_mutex_unlock(&peer->ctx->lock);
}

void
crt_ping(struct crt_peer *peer)
{
	struct crt_rpc_priv *rpc;

	if (peer->pinging || peer->addr == NA_ADDR_NONE)
		return;
	rpc = crt_rpc_alloc(peer->ctx, &internal_rpcs[1], CRT_OPC_PING);
	if (rpc == NULL)
		return; /* the next check tries again */
	peer->pinging  = true;
	rpc->pub.cr_ep = (crt_endpoint_t){.ep_rank = peer->key.rank, .ep_tag = peer->key.tag};
	rpc->timeout_s = CRT_PING_TIMEOUT_S;
	crt_req_send_urgent(rpc, peer, ping_done, peer);
}
