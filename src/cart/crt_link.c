/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Peers on this machine: linked through shared memory (na.h) beside their network address, which
 * stays what is fallen back to.
 *
 * A peer's token comes with its URI, or, when that was known (tag 0), is asked for once a reply has
 * shown that the peer is on this host. Between link_begin and crt_linked() requests go through the
 * network; those of a peer that is just being resolved wait instead, so that no connection is made
 * for nothing. crt_linked() comes within a second.
 *
 * A link ends when the peer does: then what was sent through it is unreachable, at once. The next
 * request tries the network, and the reply to it may lead to another link.
 */
#define D_LOGFAC LOG_FAC_CART
#include "base/log.h"
#include "cart/crt_internal.h"
#include "platform/platform.h"

#define LINK_RETRY_NS (10 * NSEC_PER_SEC) /* one that did not come up is not tried again so long */

void
crt_link_consider(struct crt_peer *peer, uint32_t host)
{
	if (LIKELY(peer->link != NA_ADDR_NONE) || host == 0 || host != peer->ctx->crt->host ||
	    peer->link_asked || peer->heard_ns < peer->link_retry_ns ||
	    peer->addr == NA_ADDR_NONE)
		return;
	peer->link_retry_ns = peer->heard_ns + LINK_RETRY_NS;
	crt_token_lookup(peer);
}

int
crt_link_begin(struct crt_peer *peer, const char *token)
{
	int rc = token[0] == '\0' ? -DER_NONEXIST :
				    na_ep_link(peer->ctx->ep, token, &peer->link);

	if (rc == 0)
		return 0;
	peer->link = NA_ADDR_NONE;
	if (rc != -DER_NONEXIST)
		D_DEBUG("rank %u tag %u is not linked to: " DF_RC "\n", peer->key.rank,
			peer->key.tag, DP_RC(rc));
	return rc;
}

void
crt_link_drop(struct crt_peer *peer)
{
	if (peer->link == NA_ADDR_NONE)
		return;
	na_ep_unlink(peer->ctx->ep, peer->link);
	if (peer->addr == peer->link)
		peer->addr = peer->net;
	peer->link = NA_ADDR_NONE;
	if (peer->link_waits)
		peer->resolving = false;
	peer->link_waits = false;
}

/** What was sent through the link is lost. */
static void
flight_fail(struct crt_peer *peer, na_addr_t link)
{
	struct crt_rpc_priv *rpc;
	uint32_t             left = peer->inflight_nr;

	while (left-- > 0) {
		rpc = d_list_first(&peer->flight, struct crt_rpc_priv, link);
		if (rpc == NULL)
			return;
		if (rpc->addr == link) {
			crt_req_complete(rpc, -DER_UNREACH);
			continue;
		}
		d_list_del(&rpc->link); /* to the tail: order in flight means nothing */
		d_list_add_tail(&rpc->link, &peer->flight);
	}
}

struct linked {
	na_addr_t        link;
	struct crt_peer *peer;
};

static int
peer_of_link(struct d_hash_node *node, void *arg)
{
	struct crt_peer *peer = CONTAINER_OF(node, struct crt_peer, node);
	struct linked   *find = arg;

	if (peer->link != find->link)
		return 0;
	find->peer = peer;
	return 1;
}

void
crt_linked(void *arg, na_addr_t link, int rc)
{
	struct crt_ctx  *ctx  = arg;
	struct linked    find = {.link = link};
	struct crt_peer *peer;

	if (d_hash_foreach(&ctx->peers, peer_of_link, &find) == 0)
		return; /* dropped meanwhile */
	peer = find.peer;
	D_DEBUG("rank %u tag %u is %s\n", peer->key.rank, peer->key.tag,
		rc == 0 ? "linked to" : "not linked to any more");
	if (rc != 0)
		peer->link = NA_ADDR_NONE;
	if (rc == 0)
		peer->addr = link;
	else if (peer->addr == link || peer->link_waits)
		peer->addr = peer->net; /* it is tried again when a reply says the peer is there */
	if (peer->link_waits)
		peer->resolving = false;
	peer->link_waits = false;
	if (rc != 0)
		flight_fail(peer, link);
	crt_peer_kick(peer);
}
