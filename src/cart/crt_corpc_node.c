/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What a rank does with a collective request: hand it on, merge what comes back, answer. crt_corpc.c has the theory. */
#define D_LOGFAC LOG_FAC_RPC
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_corpc_internal.h"
#include "platform/platform.h"

/* ---- the end ---- */

/** Under the lock of its context. */
static void
corpc_put_locked(struct crt_corpc *co)
{
	if (--co->refs > 0)
		return;
	if (!co->at_root)
		crt_rpc_put_locked(co->rpc);
	free(co->own_chained);
	free(co->local_out.iov_buf);
	free(co->own_body);
	d_rank_list_free(co->own_filter);
	d_rank_list_free(co->failed);
	free(co);
}

/** A request that is part of it is freed; under the lock. */
void
crt_corpc_detach(struct crt_rpc_priv *rpc)
{
	if (rpc->corpc != NULL)
		corpc_put_locked(rpc->corpc);
	rpc->corpc = NULL;
}

void
corpc_fail(struct crt_corpc *co, d_rank_t rank, int rc)
{
	if (co->rc == 0)
		co->rc = rc;
	if (rank != CRT_NO_RANK && d_rank_list_append(co->failed, rank) != 0)
		D_WARN("no memory to note that rank %u failed a collective request\n", rank);
}

static int
result_encode(struct crt_corpc *co, d_iov_t *ret_body)
{
	struct crt_proc p  = {.op = CRT_PROC_MEASURE};
	int             rc = co->def->format->proc_out(&p, co->result);
	void           *buf;

	if (rc != 0)
		return rc;
	buf = crt_req_alloc(&co->rpc->pub, MAX_OF(p.bytes, 1));
	if (buf == NULL)
		return -DER_NOMEM;
	d_iov_set(ret_body, buf, p.bytes);
	p = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = buf, .end = (char *)buf + p.bytes};
	return co->def->format->proc_out(&p, co->result);
}

void
corpc_answer_parent(struct crt_corpc *co)
{
	struct crt_corpc_out *out = co->rpc->pub.cr_output;
	struct crt_ctx       *ctx = co->ctx;
	int                   rc  = 0;

	if (co->def->co_ops->co_aggregate != NULL && co->result != NULL)
		rc = result_encode(co, &out->body);
	if (rc != 0)
		corpc_fail(co, CRT_NO_RANK, rc);
	out->rc         = co->rc;
	out->reached_nr = co->reached_nr;
	out->failed     = co->failed;
	crt_reply_send(&co->rpc->pub); /* a failure is the parent's timeout */
	pthread_mutex_lock(&ctx->lock);
	corpc_put_locked(co);
	crt_unlock_sent(ctx);
}

static void
complete_root(struct crt_corpc *co)
{
	struct crt_rpc_priv *rpc = co->rpc;
	struct crt_ctx      *ctx = co->ctx;

	pthread_mutex_lock(&ctx->lock);
	co->published = rpc->state != CRT_RPC_DONE;
	if (co->published && co->result != NULL)
		memcpy(rpc->pub.cr_output, co->result, co->def->format->out_bytes);
	crt_req_complete(rpc, co->rc);
	crt_rpc_put_locked(rpc);
	corpc_put_locked(co);
	pthread_mutex_unlock(&ctx->lock);
}

static void
end_if_all_in(struct crt_corpc *co)
{
	if (co->waiting_nr > 0)
		return;
	crt_bulk_free(co->chained_bulk);
	D_DEBUG("collective %x of rank %u: " DF_RC ", %u reached\n", co->in.opc, co->in.root,
		DP_RC(co->rc), co->reached_nr);
	if (co->at_root)
		complete_root(co);
	else
		corpc_answer_parent(co);
}

/* ---- merging ---- */

/** @body is what a rank or a subtree replied. */
static int
merge(struct crt_corpc *co, const d_iov_t *body)
{
	const struct crt_req_format *format = co->def->format;
	struct d_arena               arena;
	struct crt_proc              p;
	void                        *source;
	int                          rc = -DER_NOMEM;

	if (co->def->co_ops->co_aggregate == NULL)
		return 0;
	d_arena_init(&arena);
	source = d_arena_calloc(&arena, 1, MAX_OF(format->out_bytes, 1));
	if (source != NULL) {
		p = crt_proc_of(body, &arena);
		rc = format->proc_out(&p, source);
		if (rc == 0 && p.cur != p.end)
			rc = -DER_PROTO;
	}
	if (rc == 0)
		rc = co->def->co_ops->co_aggregate(source, co->result, &co->rpc->pub);
	d_arena_fini(&arena);
	return rc;
}

static void
child_done(const struct crt_cb_info *info)
{
	struct crt_corpc           *co   = info->cci_arg;
	const struct crt_corpc_out *out  = info->cci_rpc->cr_output;
	d_rank_t                    rank = info->cci_rpc->cr_ep.ep_rank;
	int                         rc   = info->cci_rc;

	if (rc != 0) {
		corpc_fail(co, rank, rc);
	} else {
		for (uint32_t i = 0; out->failed != NULL && i < out->failed->rl_nr; i++)
			corpc_fail(co, out->failed->rl_ranks[i], out->rc);
		if (out->rc != 0)
			corpc_fail(co, CRT_NO_RANK, out->rc);
		co->reached_nr += out->reached_nr;
		if (out->reached_nr > 0)
			rc = merge(co, &out->body);
		if (rc != 0)
			corpc_fail(co, rank, rc);
	}
	co->waiting_nr--;
	end_if_all_in(co);
}

static void
local_done(struct crt_work *work)
{
	struct crt_corpc *co = CONTAINER_OF(work, struct crt_corpc, local_work);
	int               rc = co->local_rc;

	if (rc == 0)
		rc = merge(co, &co->local_out);
	if (rc == 0)
		co->reached_nr++;
	else
		corpc_fail(co, co->ctx->crt->self, rc);
	co->waiting_nr--;
	end_if_all_in(co);
}

/** The handler replies to the local request; under the lock, by any thread. */
int
crt_corpc_local_reply(struct crt_rpc_priv *local, int status)
{
	struct crt_corpc *co = local->corpc;
	struct crt_proc   p  = {.op = CRT_PROC_MEASURE};
	int               rc = status;

	local->replied = true;
	if (rc == 0 && co->def->co_ops->co_aggregate != NULL) {
		rc = local->format->proc_out(&p, local->pub.cr_output);
		if (rc == 0) {
			co->local_out.iov_buf = malloc(MAX_OF(p.bytes, 1));
			rc = co->local_out.iov_buf == NULL ? -DER_NOMEM : 0;
		}
		co->local_out.iov_len = p.bytes;
		p = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = co->local_out.iov_buf};
		p.end = p.cur + co->local_out.iov_len;
		if (rc == 0)
			rc = local->format->proc_out(&p, local->pub.cr_output);
	}
	co->local_rc = rc;
	crt_work_add(co->ctx, &co->local_work, local_done);
	return rc == status ? 0 : rc;
}

/* ---- going down ---- */

static int
child_send(struct crt_corpc *co, d_rank_t rank)
{
	crt_endpoint_t       ep = {.ep_rank = rank, .ep_tag = co->tag};
	struct crt_corpc_in *in;
	crt_rpc_t           *req;
	int                  rc;

	rc = crt_req_create(co->ctx, &ep, CRT_INTERNAL_OPC(CRT_RPC_CORPC), &req);
	if (rc != 0)
		return rc;
	in             = req->cr_input;
	*in            = co->in;
	in->timeout_ns = CHILD_TIME(co->in.timeout_ns);
	in->chained    = co->chained_bulk;
	crt_priv(req)->timeout_ns = in->timeout_ns;
	co->waiting_nr++;
	return crt_req_send(req, child_done, co);
}

static int
children_send_among(struct crt_corpc *co, const d_rank_list_t *members)
{
	struct crt_tree tree = {.type = co->in.tree_type, .ratio = co->in.tree_ratio};
	int             self = d_rank_list_find(members, co->ctx->crt->self);
	int             root = d_rank_list_find(members, co->in.root);
	uint32_t       *children;
	uint32_t        nr;

	if (self < 0 || root < 0)
		return -DER_OOG;
	nr       = crt_tree_child_nr(tree, members->rl_nr, root, self);
	children = malloc(MAX_OF(nr, 1) * sizeof(*children));
	if (children == NULL)
		return -DER_NOMEM;
	crt_tree_children(tree, members->rl_nr, root, self, children);
	for (uint32_t i = 0; i < nr; i++) {
		d_rank_t rank = members->rl_ranks[children[i]];
		int      rc   = child_send(co, rank);

		if (rc != 0)
			corpc_fail(co, rank, rc);
	}
	free(children);
	return 0;
}

static int
children_send(struct crt_corpc *co)
{
	struct crt    *crt = co->ctx->crt;
	d_rank_list_t *group, *members;
	int            rc;

	if (crt_group_version(crt) != co->in.grp_version)
		return -DER_GRPVER;
	rc = crt_group_ranks(crt, &group);
	if (rc != 0)
		return rc;
	rc = crt_tree_members(group, co->in.filter, co->in.invert, co->in.root, &members);
	d_rank_list_free(group);
	if (rc != 0)
		return rc;
	rc = children_send_among(co, members);
	d_rank_list_free(members);
	return rc;
}

/** The request that the handler gets. */
static int
local_create(struct crt_corpc *co)
{
	struct crt_ctx      *ctx = co->ctx;
	struct crt_rpc_priv *local;
	struct crt_proc      p;
	int                  rc = 0;

	pthread_mutex_lock(&ctx->lock);
	local = crt_rpc_alloc(ctx, co->def, co->in.opc);
	if (local != NULL) {
		local->server = true;
		local->corpc  = co;
		co->refs++;
		rc = na_addr_insert_name(ctx->ep, co->in.root_name.iov_buf,
					 co->in.root_name.iov_len, &local->addr);
	}
	pthread_mutex_unlock(&ctx->lock);
	if (local == NULL)
		return -DER_NOMEM;
	local->hlc       = co->at_root ? hlc_get(ctx->crt->hlc) : co->rpc->hlc;
	local->pub.cr_ep = co->rpc->pub.cr_ep;
	if (co->at_root)
		local->pub.cr_ep = (crt_endpoint_t){.ep_rank = co->in.root, .ep_tag = ctx->idx};
	p = crt_proc_of(&co->in.body, &local->arena);
	if (rc == 0)
		rc = co->def->format->proc_in(&p, local->pub.cr_input);
	if (rc == 0 && p.cur != p.end)
		rc = -DER_PROTO;
	if (rc == 0 && co->def->co_ops->co_pre_forward != NULL)
		rc = co->def->co_ops->co_pre_forward(&local->pub, co->def->co_ops->arg);
	if (rc != 0) {
		local->replied = true; /* nobody waits for it */
		crt_req_decref(&local->pub);
		return rc;
	}
	co->local = local;
	return 0;
}

static void
local_dispatch(struct crt_corpc *co)
{
	if (co->local == NULL)
		return;
	co->waiting_nr++;
	pthread_mutex_lock(&co->ctx->lock);
	crt_server_dispatch(co->local);
	pthread_mutex_unlock(&co->ctx->lock);
}

void
corpc_spread(struct crt_corpc *co)
{
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &co->chained};
	int         rc  = 0;

	co->waiting_nr = 1; /* not to end before all is sent */
	co->failed     = d_rank_list_alloc(0);
	co->result     = crt_req_alloc(&co->rpc->pub, MAX_OF(co->def->format->out_bytes, 1));
	if (co->failed == NULL || co->result == NULL)
		rc = -DER_NOMEM;
	else
		memset(co->result, 0, co->def->format->out_bytes);
	co->chained.iov_buf_len = co->chained.iov_len;
	if (rc == 0 && co->chained.iov_len > 0)
		rc = crt_bulk_create(co->ctx, &sgl, CRT_BULK_RO, &co->chained_bulk);
	if (rc == 0 && crt_tree_included(co->in.filter, co->in.invert, co->ctx->crt->self))
		rc = local_create(co);
	if (rc == 0)
		rc = children_send(co);
	if (rc == 0) {
		local_dispatch(co);
	} else {
		if (co->local != NULL) {
			co->local->replied = true;
			crt_req_decref(&co->local->pub);
			co->local = NULL;
		}
		if (co->failed != NULL)
			corpc_fail(co, co->ctx->crt->self, rc);
		else
			co->rc = rc;
	}
	co->waiting_nr--;
	end_if_all_in(co);
}
