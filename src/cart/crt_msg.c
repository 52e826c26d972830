/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Messages: headers, bodies inline or by RMA, and what arrives. Nothing that arrives is trusted:
 * a header that does not make sense is dropped and counted.
 */
#define D_LOGFAC LOG_FAC_RPC
#include <stdlib.h>
#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "cart/crt_internal.h"
#include "platform/platform.h"

/* ---- bodies too large for a message ---- */

int
crt_body_expose(struct crt_ctx *ctx, struct crt_body *body)
{
	return na_mr_create(ctx->ep, body->buf, body->bytes, NA_MR_PEER_READS, &body->mr,
			    &body->remote);
}

void
crt_body_release(struct crt_ctx *ctx, struct crt_body *body)
{
	na_mr_destroy(ctx->ep, body->mr);
	free(body->buf);
	*body = (struct crt_body){0};
}

static void
rma_done(struct na_rma *na, int rc)
{
	struct crt_rma *rma = CONTAINER_OF(na, struct crt_rma, na);

	d_list_del(&rma->link);
	rma->done(rma, rc);
}

void
crt_rma_start(struct crt_ctx *ctx, struct crt_rma *rma)
{
	rma->ctx     = ctx;
	rma->na.done = rma_done;
	d_list_add_tail(&rma->link, &ctx->rmas);
	na_rma_start(ctx->ep, &rma->na);
}

int
crt_body_fetch(struct crt_rpc_priv *rpc, const struct crt_remote_wire *remote, size_t bytes,
	       void (*done)(struct crt_rma *rma, int rc))
{
	rpc->in.buf = malloc(bytes);
	if (rpc->in.buf == NULL)
		return -DER_NOMEM;
	rpc->in.bytes = bytes;
	rpc->rma.done = done;
	rpc->rma.arg  = rpc;
	rpc->rma.na   = (struct na_rma){.kind   = NA_RMA_READ,
					.peer   = rpc->addr,
					.local  = rpc->in.buf,
					.bytes  = bytes,
					.remote = remote->base,
					.key    = remote->key,
					.guard  = remote->guard};
	rpc->refs++;
	crt_rma_start(rpc->pub.cr_ctx, &rpc->rma);
	return 0;
}

/* ---- sending ---- */

void
crt_hdr_init(struct crt_rpc_priv *rpc, enum crt_msg_kind kind, struct crt_hdr_wire *hdr)
{
	struct crt_ctx *ctx = rpc->pub.cr_ctx;

	*hdr = (struct crt_hdr_wire){
	    .magic       = CRT_WIRE_MAGIC,
	    .version     = CRT_WIRE_VERSION,
	    .kind        = kind,
	    .flags       = rpc->flags & CRT_RPC_NO_REPLY ? CRT_MSG_NO_REPLY : 0,
	    .rpc_id      = rpc->server ? rpc->peer_id : rpc->id,
	    .opc         = rpc->pub.cr_opc,
	    .hlc         = hlc_get(ctx->crt->hlc),
	    .src_rank    = ctx->crt->self,
	    .src_tag     = ctx->idx,
	    .dst_rank    = rpc->pub.cr_ep.ep_rank,
	    .dst_tag     = rpc->pub.cr_ep.ep_tag,
	    .incarnation = ctx->crt->incarnation,
	    .host        = ctx->crt->host,
	};
}

static uint32_t
hdr_crc(const struct crt_hdr_wire *hdr, const void *name)
{
	uint32_t crc = d_crc32c(0, hdr, offsetof(struct crt_hdr_wire, crc));

	return d_crc32c(crc, name, hdr->name_bytes);
}

void
crt_msg_seal(struct crt_ctx *ctx, const struct crt_hdr_wire *hdr, struct na_msg *msg)
{
	struct crt_hdr_wire sealed = *hdr;

	sealed.crc = hdr_crc(hdr, msg->data + sizeof(*hdr));
	memcpy(msg->data, &sealed, sizeof(sealed));
}

/** The body goes to memory of its own; the message says where it is. */
static int
encode_large(struct crt_rpc_priv *rpc, int (*proc)(struct crt_proc *, void *), void *data,
	     struct crt_remote_wire *remote)
{
	struct crt_body *body = &rpc->out;
	struct crt_proc  p    = {.op = CRT_PROC_MEASURE};
	int              rc   = proc(&p, data);

	if (rc != 0)
		return rc;
	if (p.bytes > CRT_BODY_BYTES_MAX)
		return -DER_OVERFLOW;
	body->bytes = p.bytes;
	body->buf   = malloc(body->bytes);
	if (body->buf == NULL)
		return -DER_NOMEM;
	p  = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = body->buf, .end = body->buf + p.bytes};
	rc = proc(&p, data);
	if (rc == 0)
		rc = crt_body_expose(rpc->pub.cr_ctx, body);
	if (rc != 0) {
		crt_body_release(rpc->pub.cr_ctx, body);
		return rc;
	}
	*remote = (struct crt_remote_wire){.base  = body->remote.base,
					   .key   = body->remote.key,
					   .guard = body->remote.guard};
	return 0;
}

int
crt_msg_encode(struct crt_rpc_priv *rpc, struct crt_hdr_wire *hdr,
	       int (*proc)(struct crt_proc *, void *), void *data, struct na_msg *msg)
{
	struct crt_ctx        *ctx = rpc->pub.cr_ctx;
	struct crt_proc        p   = {.op = CRT_PROC_ENCODE, .end = msg->data + NA_MSG_BYTES_MAX, .may_late = true};
	size_t                 name_bytes = 0;
	char                  *body       = msg->data + sizeof(*hdr);
	struct crt_remote_wire remote;
	int                    rc;

	if (hdr->kind == CRT_MSG_REQUEST) {
		const void *name = na_ep_name(ctx->ep, &name_bytes);

		memcpy(body, name, name_bytes);
		hdr->name_bytes = name_bytes;
		body += name_bytes;
	}
	p.cur = body;
	rc    = proc(&p, data);
	hdr->body_bytes = p.cur - body + p.late.iov_len;
	if (rc == -DER_TRUNC) {
		rc = encode_large(rpc, proc, data, &remote);
		if (rc != 0)
			return rc;
		memcpy(body, &remote, sizeof(remote));
		hdr->flags |= CRT_MSG_RMA;
		hdr->body_bytes = rpc->out.bytes;
		p.cur = body + sizeof(remote);
		p.late.iov_len = 0;
	}
	if (rc != 0)
		return rc;
	msg->len        = p.cur - msg->data;
	msg->late       = p.late.iov_buf;
	msg->late_bytes = p.late.iov_len;
	crt_msg_seal(ctx, hdr, msg);
	return 0;
}

void
crt_msg_send_done(struct crt_rpc_priv *rpc, uint64_t rpc_id, uint64_t reply_id)
{
	struct crt_ctx     *ctx = rpc->pub.cr_ctx;
	struct na_msg      *msg = na_msg_get(ctx->ep);
	struct crt_hdr_wire hdr;

	if (msg == NULL)
		return; /* the other side's timeout frees the body */
	crt_hdr_init(rpc, CRT_MSG_DONE, &hdr);
	hdr.rpc_id   = rpc_id;
	hdr.reply_id = reply_id;
	msg->len     = sizeof(hdr);
	msg->cookie  = CRT_ID_NONE;
	crt_msg_seal(ctx, &hdr, msg);
	na_msg_send(ctx->ep, rpc->addr, msg);
}

void
crt_msg_send_failed(void *arg, const struct na_msg *msg, na_addr_t to, int rc)
{
	struct crt_rpc_priv *rpc = crt_slot_find(arg, msg->cookie);

	if (rpc == NULL)
		return;
	if (rpc->server) {
		crt_server_reply_end(rpc);
		return;
	}
	D_DEBUG("request %x to rank %u tag %u was not delivered: " DF_RC "\n", rpc->pub.cr_opc,
		rpc->pub.cr_ep.ep_rank, rpc->pub.cr_ep.ep_tag, DP_RC(rc));
	if (!na_addr_is_link(to)) /* of a link, crt_linked() hears */
		crt_peer_forget(rpc->peer);
	crt_req_complete(rpc, rc);
}

/* ---- receiving ---- */

static bool
hdr_valid(const struct crt_hdr_wire *hdr, const struct na_msg *msg)
{
	size_t left;

	if (msg->len < sizeof(*hdr) || hdr->magic != CRT_WIRE_MAGIC ||
	    hdr->version != CRT_WIRE_VERSION || hdr->name_bytes > NA_NAME_BYTES_MAX ||
	    hdr->name_bytes > msg->len - sizeof(*hdr) || (hdr->flags & ~CRT_MSG_FLAGS) != 0 ||
	    hdr->reserved2 != 0 ||
	    hdr->crc != hdr_crc(hdr, msg->data + sizeof(*hdr)))
		return false;
	left = msg->len - sizeof(*hdr) - hdr->name_bytes;
	if (hdr->flags & CRT_MSG_RMA)
		return left == sizeof(struct crt_remote_wire) && hdr->body_bytes > 0 &&
		       hdr->body_bytes <= CRT_BODY_BYTES_MAX;
	return left == hdr->body_bytes;
}

static void
clock_merge(struct crt_ctx *ctx, uint64_t remote)
{
	int rc = hlc_merge(ctx->crt->hlc, remote);

	if (rc != 0)
		D_DEBUG("a peer's clock is too far ahead: " DF_RC "\n", DP_RC(rc));
}

/** Decode the reply into cr_output; @msg is taken. */
static void
reply_decode(struct crt_rpc_priv *rpc, char *body, size_t bytes)
{
	struct crt_proc p  = {.op    = CRT_PROC_DECODE,
			      .cur   = body,
			      .end   = body + bytes,
			      .arena = &rpc->arena};
	int             rc = rpc->format->proc_out(&p, rpc->pub.cr_output);

	if (rc == 0 && p.cur != p.end)
		rc = -DER_PROTO;
	if (rc == -DER_PROTO)
		rpc->pub.cr_ctx->stats.malformed++;
	crt_req_complete(rpc, rc);
}

static void
reply_fetched(struct crt_rma *rma, int rc)
{
	struct crt_rpc_priv *rpc = rma->arg;

	if (rpc->state == CRT_RPC_FETCHING) {
		crt_msg_send_done(rpc, CRT_ID_NONE, rpc->peer_id);
		if (rc == 0)
			reply_decode(rpc, rpc->in.buf, rpc->in.bytes);
		else
			crt_req_complete(rpc, rc);
	}
	crt_rpc_put_locked(rpc);
}

/** The process that answers is not the one before: what that one had received is lost. */
static void
peer_restarted(struct crt_peer *peer, uint32_t incarnation)
{
	struct crt_rpc_priv *rpc;
	uint32_t             left = peer->inflight_nr;

	peer->incarnation = incarnation;
	while (left-- > 0) {
		rpc = d_list_first(&peer->flight, struct crt_rpc_priv, link);
		if (rpc == NULL)
			return;
		if (rpc->incarnation != 0 && rpc->incarnation != incarnation) {
			crt_req_complete(rpc, -DER_UNREACH);
			continue;
		}
		d_list_del(&rpc->link); /* to the tail: order in flight means nothing */
		d_list_add_tail(&rpc->link, &peer->flight);
	}
}

static void
reply_recv(struct crt_ctx *ctx, const struct crt_hdr_wire *hdr, struct na_msg *msg)
{
	struct crt_rpc_priv   *rpc = crt_slot_find(ctx, hdr->rpc_id);
	struct crt_remote_wire remote;
	char                  *body = msg->data + sizeof(*hdr) + hdr->name_bytes;
	int                    rc;

	ctx->stats.reply_recv++;
	if (rpc == NULL || rpc->server || rpc->state != CRT_RPC_SENT ||
	    rpc->pub.cr_opc != hdr->opc) {
		ctx->stats.late_replies++;
		na_msg_put(ctx->ep, msg);
		return;
	}
	rpc->msg     = msg;
	rpc->hlc     = hdr->hlc;
	rpc->peer_id = hdr->reply_id;
	rpc->peer->heard_ns = plat_now_ns();
	rpc->host    = hdr->host;
	crt_link_consider(rpc->peer, hdr->host);
	if (rpc->peer->incarnation != hdr->incarnation) {
		rpc->incarnation = hdr->incarnation;
		peer_restarted(rpc->peer, hdr->incarnation);
	}
	if (hdr->status != 0) {
		crt_req_complete(rpc, hdr->status < 0 ? hdr->status : -DER_PROTO);
		return;
	}
	if ((hdr->flags & CRT_MSG_RMA) == 0) {
		reply_decode(rpc, body, hdr->body_bytes);
		return;
	}
	memcpy(&remote, body, sizeof(remote));
	rpc->state = CRT_RPC_FETCHING;
	rc = crt_body_fetch(rpc, &remote, hdr->body_bytes, reply_fetched);
	if (rc != 0)
		crt_req_complete(rpc, rc);
}

static void
done_recv(struct crt_ctx *ctx, const struct crt_hdr_wire *hdr)
{
	struct crt_rpc_priv *rpc;

	rpc = crt_slot_find(ctx, hdr->reply_id != CRT_ID_NONE ? hdr->reply_id : hdr->rpc_id);
	if (rpc == NULL)
		return;
	if (rpc->server)
		crt_server_reply_end(rpc);
	else if ((rpc->flags & CRT_RPC_NO_REPLY) && rpc->state == CRT_RPC_SENT)
		crt_req_complete(rpc, 0);
}

void
crt_msg_recv(void *arg, struct na_msg *msg)
{
	struct crt_ctx     *ctx = arg;
	struct crt_hdr_wire hdr;

	memcpy(&hdr, msg->data, sizeof(hdr));
	if (!hdr_valid(&hdr, msg)) {
		ctx->stats.malformed++;
		na_msg_put(ctx->ep, msg);
		return;
	}
	clock_merge(ctx, hdr.hlc);
	switch (hdr.kind) {
	case CRT_MSG_REQUEST:
		crt_server_recv(ctx, &hdr, msg->data + sizeof(hdr), msg);
		return;
	case CRT_MSG_REPLY:
		reply_recv(ctx, &hdr, msg);
		return;
	case CRT_MSG_DONE:
		done_recv(ctx, &hdr);
		break;
	default:
		ctx->stats.malformed++;
	}
	na_msg_put(ctx->ep, msg);
}
