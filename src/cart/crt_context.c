/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Contexts: creation and end, the table of request ids, and the queue of calls to make unlocked.
 *
 * An id is generation << 32 | slot, so one that comes back late finds its slot free or its
 * generation changed, and is dropped.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "platform/platform.h"

#define SLOT_NR_FIRST 64

/* ---- ids ---- */

static int
slots_grow(struct crt_ctx *ctx)
{
	uint32_t         nr    = ctx->slot_nr == 0 ? SLOT_NR_FIRST : ctx->slot_nr * 2;
	struct crt_slot *slots = realloc(ctx->slots, nr * sizeof(*slots));

	if (slots == NULL)
		return -DER_NOMEM;
	for (uint32_t i = ctx->slot_nr; i < nr; i++) {
		slots[i] = (struct crt_slot){.gen = 1, .next_free = ctx->slot_free};
		ctx->slot_free = i + 1;
	}
	ctx->slots   = slots;
	ctx->slot_nr = nr;
	return 0;
}

int
crt_slot_get(struct crt_ctx *ctx, struct crt_rpc_priv *rpc)
{
	struct crt_slot *slot;
	int              rc;

	D_ASSERT(rpc->id == CRT_ID_NONE);
	if (ctx->slot_free == 0) {
		rc = slots_grow(ctx);
		if (rc != 0)
			return rc;
	}
	slot           = &ctx->slots[ctx->slot_free - 1];
	rpc->id        = (uint64_t)slot->gen << 32 | (ctx->slot_free - 1);
	ctx->slot_free = slot->next_free;
	slot->rpc      = rpc;
	return 0;
}

void
crt_slot_put(struct crt_ctx *ctx, struct crt_rpc_priv *rpc)
{
	uint32_t         i = (uint32_t)rpc->id;
	struct crt_slot *slot;

	if (rpc->id == CRT_ID_NONE)
		return;
	slot = &ctx->slots[i];
	D_ASSERT(slot->rpc == rpc);
	slot->rpc = NULL;
	slot->gen++;
	if (slot->gen == 0)
		slot->gen = 1;
	slot->next_free = ctx->slot_free;
	ctx->slot_free  = i + 1;
	rpc->id         = CRT_ID_NONE;
}

struct crt_rpc_priv *
crt_slot_find(struct crt_ctx *ctx, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	if (i >= ctx->slot_nr || ctx->slots[i].gen != id >> 32)
		return NULL;
	return ctx->slots[i].rpc;
}

/* ---- calls to make unlocked ---- */

void
crt_work_add(struct crt_ctx *ctx, struct crt_work *work, void (*fn)(struct crt_work *))
{
	work->fn = fn;
	d_list_add_tail(&work->link, &ctx->work);
	crt_wake(ctx);
}

int
crt_work_run(struct crt_ctx *ctx)
{
	struct crt_work *work;
	int              nr = 0;

	while ((work = d_list_first(&ctx->work, struct crt_work, link)) != NULL) {
		d_list_del(&work->link);
		pthread_mutex_unlock(&ctx->lock);
		work->fn(work);
		pthread_mutex_lock(&ctx->lock);
		nr++;
	}
	return nr;
}

/* ---- creation ---- */

static bool
deadline_less(const struct d_binheap_node *a, const struct d_binheap_node *b)
{
	return CONTAINER_OF(a, struct crt_rpc_priv, heap)->wake_ns <
	       CONTAINER_OF(b, struct crt_rpc_priv, heap)->wake_ns;
}

static bool
peer_key_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	return memcmp(&CONTAINER_OF(node, struct crt_peer, node)->key, key, key_bytes) == 0;
}

static void
ctx_init(struct crt_ctx *ctx, struct crt *crt)
{
	ctx->crt     = crt;
	d_spin_init(&ctx->spin, PLAT_SPIN_PAYS ? CRT_SPIN_NS_MAX : 0);
	ctx->grp_gen = crt->grp_gen;
	ctx->hook_next_ns = UINT64_MAX;
	pthread_mutex_init(&ctx->lock, NULL);
	d_hash_init(&ctx->peers, peer_key_eq);
	d_binheap_init(&ctx->timeouts, deadline_less);
	d_list_init(&ctx->work);
	d_list_init(&ctx->rmas);
	d_list_init(&ctx->iv_nss);
	d_list_init(&ctx->barriers);
	d_list_init(&ctx->st_sessions);
	d_list_init(&ctx->rpc_pool);
	d_list_init(&ctx->xfer_pool);
}

/** The lowest free index, or -DER_OVERFLOW. */
static int
ctx_idx_take(struct crt *crt, struct crt_ctx *ctx)
{
	int idx = -DER_OVERFLOW;

	pthread_mutex_lock(&crt->ctx_lock);
	for (uint32_t i = 0; i < crt->attr.ctx_nr_max && idx < 0; i++) {
		if (crt->ctxs[i] == NULL) {
			crt->ctxs[i] = ctx;
			idx = i;
		}
	}
	pthread_mutex_unlock(&crt->ctx_lock);
	return idx;
}

static void
ctx_idx_give(struct crt *crt, int idx)
{
	pthread_mutex_lock(&crt->ctx_lock);
	crt->ctxs[idx] = NULL;
	pthread_mutex_unlock(&crt->ctx_lock);
	crt_where_set(crt, idx, &(struct crt_where){0});
}

static int
ctx_endpoint_open(struct crt_ctx *ctx)
{
	const struct crt_attr *attr = &ctx->crt->attr;
	struct na_ep_attr      ep   = {.port        = attr->port == 0 ? 0 : attr->port + ctx->idx,
				       .recv        = crt_msg_recv,
				       .send_failed = crt_msg_send_failed,
				       .linked      = crt_linked,
				       .arg         = ctx};
	struct crt_where       where = {0};
	int                    rc;

	rc = na_ep_open(ctx->crt->na, &ep, &ctx->ep);
	if (rc != 0)
		return rc;
	rc = na_ep_uri(ctx->ep, where.uri, sizeof(where.uri));
	if (rc == 0 && attr->server && na_ep_token(ctx->ep, where.token, sizeof(where.token)) != 0)
		where.token[0] = '\0'; /* then everybody uses the network */
	if (rc == 0)
		rc = crt_wait_init(ctx);
	if (rc != 0) {
		na_ep_close(ctx->ep);
		return rc;
	}
	crt_where_set(ctx->crt, ctx->idx, &where);
	return 0;
}

int
crt_context_create(struct crt *crt, crt_context_t *ret_ctx)
{
	struct crt_ctx *ctx = calloc(1, sizeof(*ctx));
	int             rc;

	if (ctx == NULL)
		return -DER_NOMEM;
	ctx_init(ctx, crt);
	rc = ctx->idx = ctx_idx_take(crt, ctx);
	if (rc >= 0) {
		rc = ctx_endpoint_open(ctx);
		if (rc != 0)
			ctx_idx_give(crt, ctx->idx);
	}
	if (rc != 0) {
		pthread_mutex_destroy(&ctx->lock);
		free(ctx);
		return rc;
	}
	crt_metrics_open(ctx);
	*ret_ctx = ctx;
	return 0;
}

/* ---- end ---- */

/** End everything that has an id: client's requests, and replies that wait to be read. */
static void
ctx_cancel_all(struct crt_ctx *ctx)
{
	for (uint32_t i = 0; i < ctx->slot_nr; i++) {
		struct crt_rpc_priv *rpc = ctx->slots[i].rpc;

		if (rpc == NULL)
			continue;
		if (rpc->state == CRT_RPC_DELAYED)
			crt_server_delayed(rpc);
		else if (rpc->server)
			crt_server_reply_end(rpc);
		else
			crt_req_complete(rpc, -DER_CANCELED);
	}
}

static void
ctx_rmas_cancel(struct crt_ctx *ctx)
{
	struct crt_rma *rma;

	while ((rma = d_list_first(&ctx->rmas, struct crt_rma, link)) != NULL) {
		d_list_del(&rma->link);
		rma->done(rma, -DER_CANCELED);
	}
}

static void
ctx_rpc_pool_free(struct crt_ctx *ctx)
{
	struct crt_rpc_priv *rpc;

	while ((rpc = d_list_first(&ctx->rpc_pool, struct crt_rpc_priv, link)) != NULL) {
		d_list_del(&rpc->link);
		free(rpc);
	}
}

void
crt_context_destroy(crt_context_t ctx)
{
	if (ctx == NULL)
		return;
	ctx_idx_give(ctx->crt, ctx->idx);
	crt_barriers_fini(ctx);
	pthread_mutex_lock(&ctx->lock);
	D_ASSERT(!ctx->progressing);
	ctx->stopping = true;
	ctx_cancel_all(ctx);
	crt_work_run(ctx);
	na_ep_stop(ctx->ep);
	ctx_rmas_cancel(ctx);
	crt_work_run(ctx);
	ctx_cancel_all(ctx); /* what those callbacks sent */
	crt_work_run(ctx);
	pthread_mutex_unlock(&ctx->lock);

	if (ctx->rpc_nr != 0)
		D_ERROR("context %d ends while %u requests are still referenced\n", ctx->idx,
			ctx->rpc_nr);
	D_ASSERT(ctx->rpc_nr == 0);
	crt_metrics_close(ctx);
	crt_st_fini(ctx);
	crt_st_job_free(ctx->st_job);
	free(ctx->hooks);
	na_ep_close(ctx->ep);
	crt_wait_fini(ctx);
	crt_peers_fini(ctx);
	crt_xfers_fini(ctx);
	ctx_rpc_pool_free(ctx);
	d_binheap_fini(&ctx->timeouts);
	free(ctx->slots);
	pthread_mutex_destroy(&ctx->lock);
	free(ctx);
}

/* ---- what it is ---- */

int
crt_context_idx(crt_context_t ctx)
{
	return ctx->idx;
}

struct crt *
crt_context_crt(crt_context_t ctx)
{
	return ctx->crt;
}

int
crt_context_uri(crt_context_t ctx, char *buf, size_t buf_bytes)
{
	return na_ep_uri(ctx->ep, buf, buf_bytes);
}

void
crt_context_set_data(crt_context_t ctx, void *data)
{
	ctx->data = data;
}

void *
crt_context_data(crt_context_t ctx)
{
	return ctx->data;
}

void
crt_context_register_rpc_task(crt_context_t ctx, crt_rpc_task_t task, void *arg)
{
	ctx->task     = task;
	ctx->task_arg = arg;
}

void
crt_context_stats(crt_context_t ctx, struct crt_stats *ret_stats)
{
	pthread_mutex_lock(&ctx->lock);
	*ret_stats = ctx->stats;
	pthread_mutex_unlock(&ctx->lock);
}
