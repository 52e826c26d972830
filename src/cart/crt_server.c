/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The life of a request, server side: checked, decoded (after fetching a large body), handed to its
 * handler, answered once. What cannot be handled is answered with a status and no body.
 *
 * The handler's reference keeps the request and what its decoded values point into. A large reply
 * holds another reference, an id and a place in the timeout heap until the client has read it.
 */
#define D_LOGFAC LOG_FAC_RPC
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "cart/crt_print.h"
#include "platform/platform.h"

/* ---- replies ---- */

static void
reply_hdr(struct crt_rpc_priv *rpc, int status, struct crt_hdr_wire *hdr)
{
	crt_hdr_init(rpc, CRT_MSG_REPLY, hdr);
	hdr->status = status;
}

int
crt_reply_status(struct crt_rpc_priv *rpc, int status)
{
	struct crt_ctx     *ctx = rpc->pub.cr_ctx;
	struct crt_hdr_wire hdr;
	struct na_msg      *msg;

	if (rpc->corpc != NULL)
		return crt_corpc_local_reply(rpc, status);
	rpc->replied = true;
	if ((rpc->flags & CRT_RPC_NO_REPLY) || ctx->stopping)
		return 0;
	msg = na_msg_get(ctx->ep);
	if (msg == NULL)
		return -DER_NOMEM;
	D_DEBUG("%s id %lx to rank %u tag %u: reply sent, status " DF_RC "\n", crt_rpc_name(rpc), rpc->peer_id,
		rpc->pub.cr_ep.ep_rank, rpc->pub.cr_ep.ep_tag, DP_RC(status));
	reply_hdr(rpc, status, &hdr);
	msg->len    = sizeof(hdr);
	msg->cookie = CRT_ID_NONE;
	crt_msg_seal(ctx, &hdr, msg);
	na_msg_send(ctx->ep, rpc->addr, msg);
	return 0;
}

/** Keep a large reply until DONE, an undeliverable message, or the timeout. */
static int
reply_hold(struct crt_rpc_priv *rpc)
{
	int rc;

	rpc->timeout_ns = rpc->pub.cr_ctx->crt->attr.timeout_s * NSEC_PER_SEC;
	rc              = crt_rpc_arm_timeout(rpc, 0);
	if (rc != 0)
		return rc;
	rpc->refs++;
	rpc->state = CRT_RPC_REPLIED;
	return 0;
}

void
crt_server_reply_end(struct crt_rpc_priv *rpc)
{
	if (rpc->state == CRT_RPC_DELAYED)
		return; /* has sent nothing: whatever came was not meant for it */
	crt_rpc_disarm(rpc);
	crt_slot_put(rpc->pub.cr_ctx, rpc);
	if (rpc->state != CRT_RPC_REPLIED)
		return;
	rpc->state = CRT_RPC_DONE;
	crt_rpc_put_locked(rpc);
}

/** Takes @msg. */
static int
reply_encode_send(struct crt_rpc_priv *rpc, struct na_msg *msg)
{
	struct crt_ctx     *ctx = rpc->pub.cr_ctx;
	struct crt_hdr_wire hdr;
	int                 rc = crt_slot_get(ctx, rpc); /* in case the reply is large */

	if (rc == 0) {
		reply_hdr(rpc, 0, &hdr);
		hdr.reply_id = rpc->id;
		rc = crt_msg_encode(rpc, &hdr, rpc->format->proc_out, rpc->pub.cr_output, msg);
	}
	if (rc == 0 && rpc->out.mr != NULL)
		rc = reply_hold(rpc);
	if (rc != 0) {
		crt_slot_put(ctx, rpc);
		na_msg_put(ctx->ep, msg);
		return rc;
	}
	msg->cookie = rpc->id;
	if (rpc->out.mr == NULL) {
		crt_slot_put(ctx, rpc);
		msg->cookie = CRT_ID_NONE;
	}
	rpc->replied = true;
	D_DEBUG("%s id %lx to rank %u tag %u: reply sent, %u bytes%s\n", crt_rpc_name(rpc), rpc->peer_id,
		rpc->pub.cr_ep.ep_rank, rpc->pub.cr_ep.ep_tag, msg->len + msg->late_bytes,
		rpc->out.mr != NULL ? ", the body to be read" : "");
	na_msg_send(ctx->ep, rpc->addr, msg);
	return 0;
}

static int
reply_locked(struct crt_rpc_priv *rpc)
{
	struct crt_ctx      *ctx = rpc->pub.cr_ctx;
	struct crt_fault_hit hit;
	struct na_msg       *msg;
	int                  rc;

	D_ASSERT(rpc->server);
	if (rpc->replied)
		return -DER_ALREADY;
	if (rpc->corpc != NULL)
		return crt_corpc_local_reply(rpc, 0);
	if ((rpc->flags & CRT_RPC_NO_REPLY) || ctx->stopping) {
		rpc->replied = true;
		return ctx->stopping ? -DER_CANCELED : 0;
	}
	if (crt_fault_hit(&ctx->crt->faults, CRT_FAULT_REPLY, rpc->pub.cr_opc,
			  rpc->pub.cr_ep.ep_rank, &hit)) {
		if (hit.what == CRT_FAULT_ERROR)
			return crt_reply_status(rpc, (int)hit.arg);
		rpc->replied = true;
		return 0;
	}
	msg = na_msg_get(ctx->ep);
	rc  = msg == NULL ? -DER_NOMEM : reply_encode_send(rpc, msg);
	if (rc != 0)
		crt_reply_status(rpc, rc);
	return rc;
}

int
crt_reply_send(crt_rpc_t *rpc)
{
	struct crt_ctx *ctx = rpc->cr_ctx;
	int             rc;

	pthread_mutex_lock(&ctx->lock);
	rc = reply_locked(crt_priv(rpc));
	crt_unlock_sent(ctx);
	return rc;
}

/* ---- requests ---- */

static void
dispatch(struct crt_work *work)
{
	struct crt_rpc_priv *rpc = CONTAINER_OF(work, struct crt_rpc_priv, work);
	struct crt_ctx      *ctx = rpc->pub.cr_ctx;
	int                  rc;

	if (ctx->stopping) {
		crt_req_decref(&rpc->pub);
		return;
	}
	D_DEBUG("%s id %lx from rank %u tag %u: to its handler: %s\n", crt_rpc_name(rpc), rpc->peer_id,
		rpc->pub.cr_ep.ep_rank, rpc->pub.cr_ep.ep_tag, crt_rpc_text(rpc, true));
	if (ctx->task == NULL || CRT_OPC_MOD(rpc->pub.cr_opc) == CRT_MOD_INTERNAL) {
		rpc->handler(&rpc->pub);
		crt_req_decref(&rpc->pub);
		return;
	}
	rc = ctx->task(ctx, &rpc->pub, rpc->handler, ctx->task_arg);
	if (rc == 0)
		return; /* the hook has the reference */
	pthread_mutex_lock(&ctx->lock);
	if (!rpc->replied)
		crt_reply_status(rpc, rc);
	crt_rpc_put_locked(rpc);
	pthread_mutex_unlock(&ctx->lock);
}

void
crt_server_dispatch(struct crt_rpc_priv *rpc)
{
	rpc->state = CRT_RPC_INIT;
	crt_work_add(rpc->pub.cr_ctx, &rpc->work, dispatch);
}

void
crt_server_delayed(struct crt_rpc_priv *rpc)
{
	crt_rpc_disarm(rpc);
	crt_slot_put(rpc->pub.cr_ctx, rpc);
	crt_server_dispatch(rpc);
}

static void
request_refuse(struct crt_rpc_priv *rpc, int status)
{
	crt_reply_status(rpc, status);
	crt_rpc_put_locked(rpc);
}

/** True: a fault has the request. */
static bool
request_fault(struct crt_rpc_priv *rpc)
{
	struct crt_ctx      *ctx = rpc->pub.cr_ctx;
	struct crt_fault_hit hit;

	if (!crt_fault_hit(&ctx->crt->faults, CRT_FAULT_RECEIVE, rpc->pub.cr_opc,
			   rpc->pub.cr_ep.ep_rank, &hit))
		return false;
	switch (hit.what) {
	case CRT_FAULT_ERROR:
		request_refuse(rpc, (int)hit.arg);
		return true;
	case CRT_FAULT_DROP:
		rpc->replied = true;
		crt_rpc_put_locked(rpc);
		return true;
	default:
		rpc->timeout_ns = hit.arg;
		if (crt_slot_get(ctx, rpc) != 0)
			return false;
		if (crt_rpc_arm_timeout(rpc, 0) != 0) {
			crt_slot_put(ctx, rpc);
			return false;
		}
		rpc->state = CRT_RPC_DELAYED;
		return true;
	}
}

static void
request_decode(struct crt_rpc_priv *rpc, char *body, size_t bytes)
{
	struct crt_ctx *ctx = rpc->pub.cr_ctx;
	struct crt_proc p   = {.op    = CRT_PROC_DECODE,
			       .cur   = body,
			       .end   = body + bytes,
			       .arena = &rpc->arena};
	int             rc  = rpc->format->proc_in(&p, rpc->pub.cr_input);

	if (rc == 0 && p.cur != p.end)
		rc = -DER_PROTO;
	if (rc == 0) {
		if (!request_fault(rpc))
			crt_server_dispatch(rpc);
		return;
	}
	ctx->stats.malformed++;
	D_WARN("%s from rank %u: malformed body, " DF_RC "\n", rpc->format->name,
	       rpc->pub.cr_ep.ep_rank, DP_RC(rc));
	request_refuse(rpc, rc);
}

static void
request_fetched(struct crt_rma *rma, int rc)
{
	struct crt_rpc_priv *rpc = rma->arg;

	rpc->refs--; /* the fetch's; the handler's is left */
	if (rc == 0 && (rpc->flags & CRT_RPC_NO_REPLY))
		crt_msg_send_done(rpc, rpc->peer_id, CRT_ID_NONE);
	if (rc == 0)
		request_decode(rpc, rpc->in.buf, rpc->in.bytes);
	else
		request_refuse(rpc, rc);
}

static int
request_check(struct crt_ctx *ctx, const struct crt_hdr_wire *hdr,
	      const struct crt_proto_rpc **ret_def)
{
	d_rank_t self = ctx->crt->self;
	int      rc   = crt_proto_find(ctx->crt, hdr->opc, ret_def);

	if (rc != 0)
		return rc;
	if ((*ret_def)->handler == NULL)
		return -DER_UNREG;
	if (self != CRT_NO_RANK && hdr->dst_rank != CRT_NO_RANK && hdr->dst_rank != self)
		return -DER_BAD_TARGET;
	return hdr->dst_tag != (uint32_t)ctx->idx ? -DER_BAD_TARGET : 0;
}

/** The link it came through, or the name in the message. */
static int
requester_addr(struct crt_ctx *ctx, const struct crt_hdr_wire *hdr, const void *name,
	       const struct na_msg *msg, na_addr_t *ret_addr)
{
	if (msg->peer == NA_ADDR_NONE)
		return na_addr_insert_name(ctx->ep, name, hdr->name_bytes, ret_addr);
	*ret_addr = msg->peer;
	return 0;
}

void
crt_server_recv(struct crt_ctx *ctx, const struct crt_hdr_wire *hdr, const void *name,
		struct na_msg *msg)
{
	const struct crt_proto_rpc *def   = NULL;
	int                         check = request_check(ctx, hdr, &def);
	struct crt_rpc_priv        *rpc   = crt_rpc_alloc(ctx, check == 0 ? def : NULL, hdr->opc);
	char                       *body  = msg->data + sizeof(*hdr) + hdr->name_bytes;
	struct crt_remote_wire      remote;
	int                         rc;

	if (rpc == NULL) {
		na_msg_put(ctx->ep, msg);
		return; /* no memory to say so; the client's timeout ends it */
	}
	ctx->stats.req_recv++;
	rpc->server  = true;
	rpc->msg     = msg;
	rpc->peer_id = hdr->rpc_id;
	rpc->hlc     = hdr->hlc;
	if (rpc->opc_stats != NULL)
		rpc->opc_stats->recv++;
	rpc->flags   = hdr->flags & CRT_MSG_NO_REPLY ? CRT_RPC_NO_REPLY : 0;
	rpc->pub.cr_ep = (crt_endpoint_t){.ep_rank = hdr->src_rank, .ep_tag = hdr->src_tag};
	rc = requester_addr(ctx, hdr, name, msg, &rpc->addr);
	if (rc != 0) {
		ctx->stats.malformed++;
		rpc->replied = true; /* nobody to reply to */
		crt_rpc_put_locked(rpc);
		return;
	}
	if (check != 0) {
		request_refuse(rpc, check);
		return;
	}
	D_DEBUG("%s id %lx from rank %u tag %u: arrived, %lu bytes of body%s\n", crt_rpc_name(rpc), rpc->peer_id,
		hdr->src_rank, hdr->src_tag, hdr->body_bytes, hdr->flags & CRT_MSG_RMA ? ", to be read" : "");
	if ((hdr->flags & CRT_MSG_RMA) == 0) {
		request_decode(rpc, body, hdr->body_bytes);
		return;
	}
	memcpy(&remote, body, sizeof(remote));
	rpc->state = CRT_RPC_FETCHING;
	rc = crt_body_fetch(rpc, &remote, hdr->body_bytes, request_fetched);
	if (rc != 0)
		request_refuse(rpc, rc);
}
