/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The life of a request, client side.
 *
 *   INIT --send--> QUEUED --address, credit--> SENT --reply--> DONE
 *                     |                         | \--large reply--> FETCHING --> DONE
 *                     +---- timeout, error, abort, group change ---> DONE
 *
 * Invariants:
 * 1. Between crt_req_send() and DONE a request has an id and is in the timeout heap.
 * 2. DONE is entered in crt_req_complete() only, which queues the callback: so it runs once. The
 *    reference that crt_req_send() took is dropped after it.
 * 3. A credit of the peer is held from SENT to DONE.
 * 4. A fetch holds a reference, since it writes to rpc->in whatever became of the request.
 */
#define D_LOGFAC LOG_FAC_RPC
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/planted.h"
#include "cart/crt_internal.h"
#include "cart/crt_print.h"
#include "platform/platform.h"

/* ---- memory ---- */

static struct crt_rpc_priv *
rpc_pool_take(struct crt_ctx *ctx)
{
	struct crt_rpc_priv *rpc = d_list_first(&ctx->rpc_pool, struct crt_rpc_priv, link);

	if (rpc != NULL) {
		d_list_del(&rpc->link);
		ctx->rpc_pool_nr--;
		return rpc;
	}
	return malloc(sizeof(*rpc));
}

/** Zeroed input and output structs, in the request itself when they fit. */
static int
rpc_io_set(struct crt_rpc_priv *rpc, const struct crt_req_format *format)
{
	size_t in    = align_up(format->in_bytes, 16);
	size_t bytes = in + align_up(format->out_bytes, 16);
	char  *io    = rpc->io;

	if (bytes > sizeof(rpc->io)) {
		io = d_arena_alloc(&rpc->arena, bytes);
		if (io == NULL)
			return -DER_NOMEM;
	}
	memset(io, 0, bytes);
	rpc->pub.cr_input  = io;
	rpc->pub.cr_output = io + in;
	return 0;
}

struct crt_rpc_priv *
crt_rpc_alloc(struct crt_ctx *ctx, const struct crt_proto_rpc *def, crt_opcode_t opc)
{
	struct crt_rpc_priv *rpc = rpc_pool_take(ctx);

	if (rpc == NULL)
		return NULL;
	memset(rpc, 0, offsetof(struct crt_rpc_priv, arena));
	d_arena_init(&rpc->arena);
	rpc->pub.cr_ctx = ctx;
	rpc->pub.cr_opc = opc;
	rpc->refs       = 1;
	rpc->addr       = NA_ADDR_NONE;
	d_list_init(&rpc->link);
	d_list_init(&rpc->work.link);
	ctx->rpc_nr++;
	if (def != NULL) {
		rpc->format  = def->format;
		rpc->handler = def->handler;
		rpc->flags   = def->flags;
		rpc->opc_stats = crt_opc_stats_of(ctx, opc, def->format);
		if (rpc_io_set(rpc, def->format) != 0) {
			crt_rpc_put_locked(rpc);
			return NULL;
		}
	}
	return rpc;
}

static void
rpc_free(struct crt_rpc_priv *rpc)
{
	struct crt_ctx *ctx = rpc->pub.cr_ctx;

	D_ASSERT(rpc->id == CRT_ID_NONE && !d_binheap_node_in(&rpc->heap));
	crt_corpc_detach(rpc);
	na_msg_put(ctx->ep, rpc->msg);
	crt_body_release(ctx, &rpc->in);
	crt_body_release(ctx, &rpc->out);
	d_arena_fini(&rpc->arena);
	ctx->rpc_nr--;
	if (ctx->rpc_pool_nr == CRT_RPC_POOL_NR_MAX) {
		free(rpc);
		return;
	}
	d_list_add(&rpc->link, &ctx->rpc_pool);
	ctx->rpc_pool_nr++;
}

void
crt_rpc_put_locked(struct crt_rpc_priv *rpc)
{
	D_ASSERT(rpc->refs > 0);
	if (--rpc->refs > 0)
		return;
	if (rpc->server && !rpc->replied && (rpc->flags & CRT_RPC_NO_REPLY) == 0)
		crt_reply_status(rpc, -DER_NOREPLY);
	rpc_free(rpc);
}

void
crt_req_addref(crt_rpc_t *rpc)
{
	crt_priv(rpc)->refs++;
}

void
crt_req_decref(crt_rpc_t *rpc)
{
	struct crt_ctx *ctx;

	if (rpc == NULL)
		return;
	ctx = rpc->cr_ctx;
	pthread_mutex_lock(&ctx->lock);
	crt_rpc_put_locked(crt_priv(rpc));
	crt_unlock_sent(ctx);
}

void *
crt_req_alloc(crt_rpc_t *rpc, size_t bytes)
{
	return d_arena_alloc(&crt_priv(rpc)->arena, bytes);
}

uint64_t
crt_req_hlc(const crt_rpc_t *rpc)
{
	return crt_priv(rpc)->hlc;
}

/* ---- timeouts ---- */

int
crt_rpc_arm_timeout(struct crt_rpc_priv *rpc, uint64_t check_ns)
{
	struct crt_ctx *ctx = rpc->pub.cr_ctx;
	uint64_t        now = plat_now_ns();
	int             rc;

	rpc->sent_ns     = now;
	rpc->deadline_ns = now + rpc->timeout_ns;
	rpc->check_ns    = check_ns;
	rpc->wake_ns     = rpc->deadline_ns;
	if (check_ns != 0)
		rpc->wake_ns = MIN_OF(rpc->wake_ns, now + check_ns);
	rc = d_binheap_insert(&ctx->timeouts, &rpc->heap);
	if (rc == 0 && ctx->sleeping && d_binheap_min(&ctx->timeouts) == &rpc->heap)
		crt_wake(ctx); /* the sleeper counts on a later one */
	return rc;
}

void
crt_rpc_disarm(struct crt_rpc_priv *rpc)
{
	if (d_binheap_node_in(&rpc->heap))
		d_binheap_remove(&rpc->pub.cr_ctx->timeouts, &rpc->heap);
}

static void
rpc_expire(struct crt_rpc_priv *rpc)
{
	if (rpc->state == CRT_RPC_DELAYED)
		crt_server_delayed(rpc);
	else if (rpc->server)
		crt_server_reply_end(rpc);
	else
		crt_req_complete(rpc, -DER_TIMEDOUT);
}

/** Not expired yet, but unanswered for a while: see whether the peer is there. */
static void
rpc_check(struct crt_rpc_priv *rpc, uint64_t now)
{
	struct crt_peer *peer = rpc->peer;

	rpc->wake_ns  = MIN_OF(rpc->deadline_ns, now + rpc->check_ns);
	rpc->check_ns = MIN_OF(rpc->check_ns * 2, CRT_CHECK_NS_MAX);
	d_binheap_update(&rpc->pub.cr_ctx->timeouts, &rpc->heap);
	if (rpc->state == CRT_RPC_SENT && now - peer->heard_ns >= CRT_CHECK_NS_MIN)
		crt_ping(peer);
}

int
crt_timeouts_fire(struct crt_ctx *ctx)
{
	struct d_binheap_node *min = d_binheap_min(&ctx->timeouts);
	uint64_t               now;
	int                    nr = 0;

	if (min == NULL || (PLAT_SPIN_PAYS && ctx->clock_skip_nr++ % CRT_CLOCK_POLL_NR != 0))
		return 0;
	now = plat_now_ns();
	for (; min != NULL; min = d_binheap_min(&ctx->timeouts)) {
		struct crt_rpc_priv *rpc = CONTAINER_OF(min, struct crt_rpc_priv, heap);

		if (rpc->wake_ns > now)
			break;
		nr++;
		if (rpc->deadline_ns <= now)
			rpc_expire(rpc);
		else
			rpc_check(rpc, now);
	}
	return nr;
}

/* ---- completion ---- */

static void
req_callback(struct crt_work *work)
{
	struct crt_rpc_priv *rpc  = CONTAINER_OF(work, struct crt_rpc_priv, work);
	struct crt_cb_info   info = {.cci_rpc = &rpc->pub, .cci_arg = rpc->arg, .cci_rc = rpc->rc};

	if (rpc->cb != NULL)
		rpc->cb(&info);
	if (D_PLANTED(D_PLANTED_TWO_REPLIES) && rpc->cb != NULL && info.cci_rc == -DER_UNREACH)
		rpc->cb(&info);
	crt_req_decref(&rpc->pub);
}

static void
req_count(struct crt_ctx *ctx, const struct crt_rpc_priv *rpc, int rc)
{
	struct crt_opc_stats *stats = rpc->opc_stats;

	if (stats != NULL && rc != 0) {
		stats->failed++;
	} else if (stats != NULL && rpc->msg != NULL) {
		uint64_t ns = rpc->peer->heard_ns - rpc->sent_ns;

		stats->replied++;
		stats->latency_sum_ns += ns;
		stats->latency_max_ns = MAX_OF(stats->latency_max_ns, ns);
	}
	if (rc == -DER_TIMEDOUT)
		ctx->stats.timeouts++;
	else if (rc == -DER_UNREACH)
		ctx->stats.unreachable++;
}

void
crt_req_complete(struct crt_rpc_priv *rpc, int rc)
{
	struct crt_ctx  *ctx  = rpc->pub.cr_ctx;
	struct crt_peer *peer = rpc->peer;
	bool             flew = rpc->state == CRT_RPC_SENT || rpc->state == CRT_RPC_FETCHING;

	D_ASSERT(!rpc->server);
	if (rpc->state == CRT_RPC_DONE)
		return;
	D_DEBUG("%s id %lx to rank %u tag %u ends: " DF_RC "%s%s\n", crt_rpc_name(rpc), rpc->id,
		rpc->pub.cr_ep.ep_rank, rpc->pub.cr_ep.ep_tag, DP_RC(rc), rc == 0 ? ", " : "",
		rc == 0 ? crt_rpc_text(rpc, false) : "");
	rpc->state = CRT_RPC_DONE;
	rpc->rc    = rc;
	crt_rpc_disarm(rpc);
	crt_slot_put(ctx, rpc);
	d_list_del(&rpc->link);
	req_count(ctx, rpc, rc);
	crt_work_add(ctx, &rpc->work, req_callback);
	if (flew) {
		peer->inflight_nr--;
		crt_peer_kick(peer);
	}
}

/* ---- the caller's side ---- */

int
crt_req_create(crt_context_t ctx, const crt_endpoint_t *ep, crt_opcode_t opc, crt_rpc_t **ret_req)
{
	const struct crt_proto_rpc *def;
	struct crt_rpc_priv        *rpc;
	int                         rc = crt_proto_find(ctx->crt, opc, &def);

	if (rc != 0)
		return rc;
	pthread_mutex_lock(&ctx->lock);
	rpc = crt_rpc_alloc(ctx, def, opc);
	pthread_mutex_unlock(&ctx->lock);
	if (rpc == NULL)
		return -DER_NOMEM;
	rpc->pub.cr_ep = *ep;
	rpc->timeout_ns = ctx->crt->attr.timeout_s * NSEC_PER_SEC;
	*ret_req = &rpc->pub;
	return 0;
}

int
crt_req_set_timeout(crt_rpc_t *req, uint32_t timeout_s)
{
	if (timeout_s == 0)
		return -DER_INVAL;
	crt_priv(req)->timeout_ns = timeout_s * NSEC_PER_SEC;
	return 0;
}

int
crt_req_set_timeout_ns(crt_rpc_t *req, uint64_t timeout_ns)
{
	if (timeout_ns == 0)
		return -DER_INVAL;
	crt_priv(req)->timeout_ns = timeout_ns;
	return 0;
}

uint64_t
crt_req_timeout_ns(const crt_rpc_t *req)
{
	return crt_priv(req)->timeout_ns;
}

/* ---- carried by others ---- */

static int
pack(int (*proc)(struct crt_proc *p, void *v), void *v, crt_rpc_t *owner, d_iov_t *ret_bytes)
{
	struct crt_proc p = {.op = CRT_PROC_MEASURE};
	int             rc = proc(&p, v);
	void           *buf;

	if (rc == 0 && p.bytes > CRT_BODY_BYTES_MAX / 2)
		rc = -DER_OVERFLOW;
	if (rc != 0)
		return rc;
	buf = crt_req_alloc(owner, MAX_OF(p.bytes, 1));
	if (buf == NULL)
		return -DER_NOMEM;
	d_iov_set(ret_bytes, buf, p.bytes);
	p = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = buf, .end = (char *)buf + p.bytes};
	return proc(&p, v);
}

static int
unpack(int (*proc)(struct crt_proc *p, void *v), void *v, crt_rpc_t *rpc, const d_iov_t *bytes)
{
	struct crt_proc p  = crt_proc_of(bytes, &crt_priv(rpc)->arena);
	int             rc = proc(&p, v);

	return rc == 0 && p.cur != p.end ? -DER_PROTO : rc;
}

int
crt_input_pack(crt_rpc_t *rpc, crt_rpc_t *owner, d_iov_t *ret_bytes)
{
	return pack(crt_priv(rpc)->format->proc_in, rpc->cr_input, owner, ret_bytes);
}

int
crt_input_unpack(crt_rpc_t *rpc, const d_iov_t *bytes)
{
	return unpack(crt_priv(rpc)->format->proc_in, rpc->cr_input, rpc, bytes);
}

int
crt_output_pack(crt_rpc_t *rpc, crt_rpc_t *owner, d_iov_t *ret_bytes)
{
	return pack(crt_priv(rpc)->format->proc_out, rpc->cr_output, owner, ret_bytes);
}

int
crt_output_unpack(crt_rpc_t *rpc, const d_iov_t *bytes)
{
	return unpack(crt_priv(rpc)->format->proc_out, rpc->cr_output, rpc, bytes);
}

static int
req_start(struct crt_rpc_priv *rpc)
{
	struct crt_ctx *ctx = rpc->pub.cr_ctx;
	int             rc  = ctx->stopping ? -DER_CANCELED : crt_slot_get(ctx, rpc);

	if (rc == 0)
		rc = crt_rpc_arm_timeout(rpc, CRT_CHECK_NS_MIN);
	if (rc == 0)
		rc = crt_peer_get(ctx, rpc->pub.cr_ep.ep_rank, rpc->pub.cr_ep.ep_tag, &rpc->peer);
	if (rc != 0)
		return rc;
	rpc->state = CRT_RPC_QUEUED;
	D_DEBUG("%s id %lx to rank %u tag %u: queued: %s\n", crt_rpc_name(rpc), rpc->id,
		rpc->pub.cr_ep.ep_rank, rpc->pub.cr_ep.ep_tag, crt_rpc_text(rpc, true));
	d_list_add_tail(&rpc->link, &rpc->peer->queue);
	crt_peer_kick(rpc->peer);
	return 0;
}

void
crt_req_send_locked(struct crt_rpc_priv *rpc, crt_cb_t cb, void *arg)
{
	int rc;

	D_ASSERT(!rpc->server && rpc->state == CRT_RPC_INIT);
	rpc->cb  = cb;
	rpc->arg = arg;
	rc       = rpc->corpc != NULL ? crt_corpc_start(rpc) : req_start(rpc);
	if (rc != 0)
		crt_req_complete(rpc, rc);
}

void
crt_req_send_urgent(struct crt_rpc_priv *rpc, struct crt_peer *peer, crt_cb_t cb, void *arg)
{
	struct crt_ctx *ctx = rpc->pub.cr_ctx;
	int             rc  = crt_slot_get(ctx, rpc);

	rpc->cb   = cb;
	rpc->arg  = arg;
	rpc->peer = peer;
	if (rc == 0)
		rc = crt_rpc_arm_timeout(rpc, 0);
	if (rc != 0) {
		crt_req_complete(rpc, rc);
		return;
	}
	rpc->state = CRT_RPC_SENT;
	peer->inflight_nr++;
	d_list_add_tail(&rpc->link, &peer->flight);
	crt_req_transmit(rpc);
}

int
crt_req_send(crt_rpc_t *req, crt_cb_t cb, void *arg)
{
	struct crt_ctx *ctx = req->cr_ctx;

	pthread_mutex_lock(&ctx->lock);
	if (UNLIKELY(ctx->grp_gen != ctx->crt->grp_gen))
		crt_peers_refresh(ctx);
	crt_req_send_locked(crt_priv(req), cb, arg);
	crt_unlock_sent(ctx);
	return 0;
}

/** The request fails, or is lost: then only its timeout ends it, unless nobody waits for a reply. */
static void
req_fault(struct crt_rpc_priv *rpc, struct na_msg *msg, const struct crt_fault_hit *hit)
{
	na_msg_put(rpc->pub.cr_ctx->ep, msg);
	if (hit->what == CRT_FAULT_ERROR)
		crt_req_complete(rpc, (int)hit->arg);
	else if (rpc->flags & CRT_RPC_NO_REPLY)
		crt_req_complete(rpc, 0);
}

void
crt_req_transmit(struct crt_rpc_priv *rpc)
{
	struct crt_ctx     *ctx = rpc->pub.cr_ctx;
	struct na_msg      *msg = na_msg_get(ctx->ep);
	struct crt_hdr_wire  hdr;
	struct crt_fault_hit hit;
	int                  rc;

	if (msg == NULL) {
		crt_req_complete(rpc, -DER_NOMEM);
		return;
	}
	crt_hdr_init(rpc, CRT_MSG_REQUEST, &hdr);
	rc = crt_msg_encode(rpc, &hdr, rpc->format->proc_in, rpc->pub.cr_input, msg);
	if (rc != 0) {
		na_msg_put(ctx->ep, msg);
		crt_req_complete(rpc, rc);
		return;
	}
	rpc->addr        = rpc->peer->addr;
	rpc->incarnation = rpc->peer->incarnation;
	msg->cookie      = rpc->id;
	ctx->stats.req_sent++;
	if (rpc->opc_stats != NULL)
		rpc->opc_stats->sent++;
	if (crt_fault_hit(&ctx->crt->faults, CRT_FAULT_REQUEST, rpc->pub.cr_opc,
			  rpc->pub.cr_ep.ep_rank, &hit)) {
		req_fault(rpc, msg, &hit);
		return;
	}
	D_DEBUG("%s id %lx to rank %u tag %u: sent, %u bytes%s\n", crt_rpc_name(rpc), rpc->id,
		rpc->pub.cr_ep.ep_rank, rpc->pub.cr_ep.ep_tag, msg->len + msg->late_bytes,
		rpc->out.mr != NULL ? ", the body to be read" : "");
	na_msg_send(ctx->ep, rpc->addr, msg);
	if ((rpc->flags & CRT_RPC_NO_REPLY) && rpc->out.mr == NULL)
		crt_req_complete(rpc, 0);
}

void
crt_req_abort(crt_rpc_t *req)
{
	struct crt_rpc_priv *rpc = crt_priv(req);
	struct crt_ctx      *ctx = req->cr_ctx;

	pthread_mutex_lock(&ctx->lock);
	if (!rpc->server && rpc->state != CRT_RPC_INIT)
		crt_req_complete(rpc, -DER_CANCELED);
	crt_unlock_sent(ctx);
}
