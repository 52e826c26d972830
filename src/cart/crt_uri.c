/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Finding peers, and finding out whether they are there.
 *
 * URI: which URI has a tag of a rank, and which token for a local link? Asked at the rank's tag 0,
 * whose URI the group has. Where it has not (a client's sparse view), the psr is asked for that of
 * tag 0 first.
 * PING: sent to a peer that has left requests unanswered for a while. That it cannot be delivered,
 * or that another incarnation answers, means that those will never be answered. No answer means
 * nothing: the peer may be busy.
 */
#define D_LOGFAC LOG_FAC_CART
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "cart/crt_internal_proto.h"
#include "platform/platform.h"

/** The own contexts are known with their tokens, other ranks by their URIs. */
static int
where_find(struct crt *crt, d_rank_t rank, uint32_t tag, struct crt_where *ret_where)
{
	if (rank == crt->self || crt->self == CRT_NO_RANK)
		return crt_where_get(crt, tag, ret_where);
	ret_where->token[0] = '\0';
	return tag == 0 ? crt_group_uri(crt, rank, ret_where->uri, sizeof(ret_where->uri)) : -DER_OOG;
}

void
crt_uri_handler(crt_rpc_t *rpc)
{
	struct crt_uri_in  *in  = rpc->cr_input;
	struct crt_uri_out *out = rpc->cr_output;
	struct crt_where    where;

	out->rc = where_find(crt_context_crt(rpc->cr_ctx), in->rank, in->tag, &where);
	if (out->rc == 0) {
		out->uri   = where.uri;
		out->token = where.token;
	}
	crt_reply_send(rpc); /* a failure is the client's timeout; cart has logged it */
}

void
crt_ping_handler(crt_rpc_t *rpc)
{
	crt_reply_send(rpc);
}

static int
lookup_result(struct crt_peer *peer, const struct crt_cb_info *info)
{
	const struct crt_uri_out *out    = info->cci_rpc->cr_output;
	bool                      by_psr = info->cci_rpc->cr_ep.ep_rank != peer->key.rank;

	if (info->cci_rc != 0)
		return info->cci_rc == -DER_TIMEDOUT ? -DER_UNREACH : info->cci_rc;
	if (by_psr && out->rc == -DER_NONEXIST)
		return -DER_OOG;
	/* No such tag, or not yet: a server that starts has its first context before the others. */
	if (out->rc == -DER_NONEXIST)
		return -DER_UNREACH;
	if (out->rc != 0)
		return out->rc;
	if (out->uri == NULL || strlen(out->uri) >= sizeof(peer->uri))
		return -DER_PROTO;
	if (by_psr) /* the next step: from there, or from the rank itself */
		return crt_uri_learn(peer->ctx->crt, peer->key.rank, out->uri);
	strcpy(peer->uri, out->uri);
	return na_addr_insert(peer->ctx->ep, out->uri, &peer->net);
}

/** The token that came with the URI, if its owner is on this machine. */
static const char *
lookup_token(struct crt_peer *peer, const struct crt_cb_info *info)
{
	const struct crt_uri_out *out  = info->cci_rpc->cr_output;
	uint32_t                  host = peer->ctx->crt->host;

	if (info->cci_rpc->cr_ep.ep_rank != peer->key.rank || info->cci_rc != 0 || out->rc != 0 || out->token == NULL || host == 0 ||
	    crt_priv(info->cci_rpc)->host != host)
		return "";
	return out->token;
}

static void
lookup_done(const struct crt_cb_info *info)
{
	struct crt_peer     *peer = info->cci_arg;
	struct crt_rpc_priv *rpc;
	int                  rc;

	pthread_mutex_lock(&peer->ctx->lock);
	rc = lookup_result(peer, info);
	if (rc == 0 && crt_link_begin(peer, lookup_token(peer, info)) == 0) {
		peer->link_waits = true; /* still resolving: crt_linked() goes on */
	} else {
		peer->resolving = false;
		peer->addr      = rc == 0 ? peer->net : NA_ADDR_NONE;
	}
	if (rc == 0)
		crt_peer_kick(peer);
	while (rc != 0 && (rpc = d_list_first(&peer->queue, struct crt_rpc_priv, link)) != NULL)
		crt_req_complete(rpc, rc);
	pthread_mutex_unlock(&peer->ctx->lock);
}

static void
token_done(const struct crt_cb_info *info)
{
	struct crt_peer *peer = info->cci_arg;

	pthread_mutex_lock(&peer->ctx->lock);
	peer->link_asked = false;
	if (peer->link == NA_ADDR_NONE && peer->net != NA_ADDR_NONE &&
	    crt_link_begin(peer, lookup_token(peer, info)) != 0)
		peer->link = NA_ADDR_NONE; /* the network it is */
	pthread_mutex_unlock(&peer->ctx->lock);
}

/** Under the lock, hence not through crt_req_send(). */
static int
lookup_send(struct crt_peer *peer, crt_cb_t done)
{
	struct crt_ctx      *ctx = peer->ctx;
	struct crt_rpc_priv *rpc = crt_internal_alloc(ctx, CRT_RPC_URI);
	struct crt_uri_in   *in;
	char                 uri[NA_URI_BYTES_MAX];
	bool                 known;

	if (rpc == NULL)
		return -DER_NOMEM;
	known    = crt_group_uri(ctx->crt, peer->key.rank, uri, sizeof(uri)) == 0;
	in       = rpc->pub.cr_input;
	in->rank = peer->key.rank;
	in->tag  = known ? peer->key.tag : 0;
	rpc->pub.cr_ep = (crt_endpoint_t){.ep_rank = known ? peer->key.rank : crt_psr_rank(ctx->crt)};
	rpc->timeout_ns = CRT_LOOKUP_TIMEOUT_S * NSEC_PER_SEC;
	crt_req_send_locked(rpc, done, peer);
	return 0;
}

int
crt_uri_lookup(struct crt_peer *peer)
{
	return lookup_send(peer, lookup_done);
}

void
crt_token_lookup(struct crt_peer *peer)
{
	peer->link_asked = lookup_send(peer, token_done) == 0;
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
	rpc = crt_internal_alloc(peer->ctx, CRT_RPC_PING);
	if (rpc == NULL)
		return; /* the next check tries again */
	peer->pinging  = true;
	rpc->pub.cr_ep = (crt_endpoint_t){.ep_rank = peer->key.rank, .ep_tag = peer->key.tag};
	rpc->timeout_ns = CRT_PING_TIMEOUT_S * NSEC_PER_SEC;
	crt_req_send_urgent(rpc, peer, ping_done, peer);
}
