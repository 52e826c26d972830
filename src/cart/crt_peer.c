/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Peers: what a context knows of each (rank, tag) it sends to: the address, the requests in flight
 * and those that wait for the address or for a credit. A peer record lives as long as its context.
 *
 * Invariants:
 * 1. inflight_nr is the length of flight, at most attr.ep_credits and one ping.
 * 2. A request is QUEUED iff it is on its peer's queue; SENT or FETCHING iff on its flight.
 * 3. The queue is empty, or the address is being resolved, or all credits are out.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"

struct crt_peer *
crt_peer_find(struct crt_ctx *ctx, d_rank_t rank, uint32_t tag)
{
	struct crt_peer_key key  = {.rank = rank, .tag = tag};
	struct d_hash_node *node = d_hash_find(&ctx->peers, &key, sizeof(key));

	return node == NULL ? NULL : CONTAINER_OF(node, struct crt_peer, node);
}

int
crt_peer_get(struct crt_ctx *ctx, d_rank_t rank, uint32_t tag, struct crt_peer **ret_peer)
{
	struct crt_peer *peer = crt_peer_find(ctx, rank, tag);
	int              rc;

	if (peer != NULL) {
		*ret_peer = peer;
		return 0;
	}
	peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return -DER_NOMEM;
	peer->key  = (struct crt_peer_key){.rank = rank, .tag = tag};
	peer->ctx  = ctx;
	peer->addr = NA_ADDR_NONE;
	peer->net  = NA_ADDR_NONE;
	peer->link = NA_ADDR_NONE;
	d_list_init(&peer->stale);
	d_list_init(&peer->queue);
	d_list_init(&peer->flight);
	rc = d_hash_insert(&ctx->peers, &peer->node, &peer->key, sizeof(peer->key));
	D_ASSERT(rc == 0); /* it was not there */
	*ret_peer = peer;
	return 0;
}

static int
peer_free(struct d_hash_node *node, void *arg)
{
	struct crt_peer *peer = CONTAINER_OF(node, struct crt_peer, node);

	D_ASSERT(d_list_empty(&peer->queue) && d_list_empty(&peer->flight));
	d_hash_remove(arg, node);
	free(peer);
	return 0;
}

void
crt_peers_fini(struct crt_ctx *ctx)
{
	d_hash_foreach(&ctx->peers, peer_free, &ctx->peers);
	d_hash_fini(&ctx->peers);
}

static void
queue_fail(struct crt_peer *peer, int rc)
{
	struct crt_rpc_priv *rpc;

	while ((rpc = d_list_first(&peer->queue, struct crt_rpc_priv, link)) != NULL)
		crt_req_complete(rpc, rc);
}

void
crt_peer_abort(struct crt_peer *peer, int rc)
{
	struct crt_rpc_priv *rpc;

	/* the queue first: what is freed in flight would otherwise let it move up */
	queue_fail(peer, rc);
	while ((rpc = d_list_first(&peer->flight, struct crt_rpc_priv, link)) != NULL)
		crt_req_complete(rpc, rc);
}

void
crt_peer_forget(struct crt_peer *peer)
{
	crt_link_drop(peer);
	peer->addr        = NA_ADDR_NONE;
	peer->net         = NA_ADDR_NONE;
	peer->incarnation = 0;
	crt_uri_unlearn(peer->ctx->crt, peer->key.rank);
}

/** -DER_AGAIN: somebody else knows it: the rank itself (its other tags), or the psr. */
static int
peer_uri_local(struct crt_peer *peer, char *uri, size_t uri_bytes)
{
	struct crt *crt = peer->ctx->crt;
	int         rc;

	if (peer->key.rank == crt->self && crt->attr.server)
		return crt_self_uri(crt, peer->key.tag, uri, uri_bytes);
	rc = crt_group_uri(crt, peer->key.rank, uri, uri_bytes);
	if (rc == 0)
		return peer->key.tag == 0 ? 0 : -DER_AGAIN;
	return crt_psr_rank(crt) != CRT_NO_RANK ? -DER_AGAIN : rc;
}

/** From the group or the own contexts, without asking anybody. */
static int
peer_resolve_local(struct crt_peer *peer)
{
	char uri[NA_URI_BYTES_MAX];
	int  rc = peer_uri_local(peer, uri, sizeof(uri));

	if (rc == -DER_NONEXIST)
		return -DER_OOG;
	if (rc == -DER_AGAIN)
		return rc;
	if (rc == 0)
		rc = na_addr_insert(peer->ctx->ep, uri, &peer->net);
	if (rc == 0) {
		strcpy(peer->uri, uri);
		peer->addr = peer->net;
	} else {
		D_ERROR("rank %u tag %u: URI '%s' gives no address: " DF_RC "\n", peer->key.rank,
			peer->key.tag, uri, DP_RC(rc));
	}
	return rc;
}

/** Afterwards the address is there, or on its way, or the queue has failed. */
static void
peer_resolve(struct crt_peer *peer)
{
	int rc;

	if (peer->resolving)
		return;
	rc = peer_resolve_local(peer);
	if (rc == -DER_AGAIN) {
		peer->resolving = true;
		rc = crt_uri_lookup(peer);
		if (rc != 0)
			peer->resolving = false;
	}
	if (rc != 0)
		queue_fail(peer, rc);
}

void
crt_peer_kick(struct crt_peer *peer)
{
	struct crt_rpc_priv *rpc;

	if (peer->kicking || d_list_empty(&peer->queue))
		return;
	peer->kicking = true;
	if (peer->addr == NA_ADDR_NONE)
		peer_resolve(peer);
	while (peer->addr != NA_ADDR_NONE && peer->inflight_nr < peer->ctx->crt->attr.ep_credits) {
		rpc = d_list_first(&peer->queue, struct crt_rpc_priv, link);
		if (rpc == NULL)
			break;
		d_list_del(&rpc->link);
		d_list_add_tail(&rpc->link, &peer->flight);
		peer->inflight_nr++;
		rpc->state = CRT_RPC_SENT;
		crt_req_transmit(rpc);
	}
	peer->kicking = false;
}

/* ---- changes of the group ---- */

struct rank_abort {
	d_rank_t rank;
	int      rc;
};

static int
abort_one(struct d_hash_node *node, void *arg)
{
	struct crt_peer   *peer = CONTAINER_OF(node, struct crt_peer, node);
	struct rank_abort *a    = arg;

	if (peer->key.rank == a->rank) {
		crt_peer_forget(peer);
		crt_peer_abort(peer, a->rc);
	}
	return 0;
}

void
crt_peers_abort_rank(struct crt_ctx *ctx, d_rank_t rank, int rc)
{
	struct rank_abort a = {.rank = rank, .rc = rc};

	d_hash_foreach(&ctx->peers, abort_one, &a);
}

static int
refresh_one(struct d_hash_node *node, void *arg)
{
	struct crt_peer *peer = CONTAINER_OF(node, struct crt_peer, node);
	struct crt_ctx  *ctx  = peer->ctx;
	char             uri[NA_URI_BYTES_MAX];
	int              rc;

	if (peer->key.tag != 0)
		return 0;
	rc = crt_group_uri(ctx->crt, peer->key.rank, uri, sizeof(uri));
	if (rc == 0 && (peer->addr == NA_ADDR_NONE || strcmp(uri, peer->uri) == 0))
		return 0;
	if (rc != 0 && crt_psr_rank(ctx->crt) != CRT_NO_RANK)
		return 0; /* a sparse view says nothing about those it lacks */
	d_list_add_tail(&peer->stale, arg);
	return 0;
}

void
crt_peers_refresh(struct crt_ctx *ctx)
{
	D_LIST_HEAD(stale);
	struct crt_peer *peer;

	ctx->grp_gen = ctx->crt->grp_gen;
	d_hash_foreach(&ctx->peers, refresh_one, &stale);
	while ((peer = d_list_first(&stale, struct crt_peer, stale)) != NULL) {
		char uri[NA_URI_BYTES_MAX];
		bool in = crt_group_uri(ctx->crt, peer->key.rank, uri, sizeof(uri)) == 0;

		d_list_del(&peer->stale);
		crt_peers_abort_rank(ctx, peer->key.rank, in ? -DER_UNREACH : -DER_OOG);
	}
}
