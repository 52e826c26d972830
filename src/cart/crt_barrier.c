/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Barriers. A rank that has come waits for its children in a k-nomial tree, then sends a request to its
 * parent, which is answered when the root has all: so requests climb, and replies release.
 *
 *   enter --all children's requests are here--> request to the parent --reply--> callback, reply to them
 *
 * Each rank, the root included, also sends a request to itself when it comes, and answers it when it
 * is released: this is what times out when a child never comes, or is cancelled with the context.
 *
 * Invariants:
 * 1. A barrier (struct barrier) is on ctx->barriers from the first that is heard of it, be it the own
 *    call or a child's request, until it is released and its own call has ended.
 * 2. It is released once: with 0 by the parent's reply (at the root: when all are there), or with an
 *    error. Then all requests that it holds are answered with that, and later ones at once.
 * All of it belongs to the thread that progresses the context.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_barrier.h"
#include "cart/crt_internal_proto.h"
#include "cart/crt_tree.h"

static const struct crt_tree barrier_tree = {CRT_TREE_KNOMIAL, 4};

struct held {
	d_list_t   link;
	crt_rpc_t *rpc;
};

struct barrier {
	d_list_t         link; /* ctx->barriers */
	struct crt_ctx  *ctx;
	uint32_t         grp_version;
	uint64_t         nr;      /* counted from 1 */
	d_list_t         held;    /* struct held: children's requests, and the own */
	uint32_t         held_nr;
	bool             entered, asked, released;
	bool             own_under_way, up_under_way; /* requests of ours */
	int              rc;
	crt_barrier_cb_t cb;
	void            *arg;
};

/* ---- finding and ending ---- */

static struct barrier *
barrier_find(struct crt_ctx *ctx, uint32_t grp_version, uint64_t nr)
{
	struct barrier *b;

	d_list_for_each(b, &ctx->barriers, link)
		if (b->grp_version == grp_version && b->nr == nr)
			return b;
	return NULL;
}

static struct barrier *
barrier_get(struct crt_ctx *ctx, uint32_t grp_version, uint64_t nr)
{
	struct barrier *b = barrier_find(ctx, grp_version, nr);

	if (b != NULL)
		return b;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return NULL;
	b->ctx         = ctx;
	b->grp_version = grp_version;
	b->nr          = nr;
	d_list_init(&b->held);
	d_list_add_tail(&b->link, &ctx->barriers);
	return b;
}

static void
barrier_free(struct barrier *b)
{
	struct held *h;

	while ((h = d_list_first(&b->held, struct held, link)) != NULL) {
		d_list_del(&h->link);
		crt_req_decref(h->rpc);
		free(h);
	}
	d_list_del(&b->link);
	free(b);
}

static void
free_if_over(struct barrier *b)
{
	if (b->released && b->entered && !b->own_under_way && !b->up_under_way)
		barrier_free(b);
}

static void
answer(crt_rpc_t *rpc, int rc)
{
	((struct crt_barrier_out *)rpc->cr_output)->rc = rc;
	crt_reply_send(rpc); /* a failure is the asker's timeout */
}

static void
release(struct barrier *b, int rc)
{
	struct held *h;

	if (b->released)
		return;
	b->released = true;
	b->rc       = rc;
	while ((h = d_list_first(&b->held, struct held, link)) != NULL) {
		d_list_del(&h->link);
		answer(h->rpc, rc);
		crt_req_decref(h->rpc);
		free(h);
	}
}

/** Before the context ends: who has called is told by the end of the own request. */
void
crt_barriers_fini(struct crt_ctx *ctx)
{
	struct barrier *b, *tmp;

	d_list_for_each_safe(b, tmp, &ctx->barriers, link) {
		release(b, -DER_CANCELED);
		if (!b->entered)
			barrier_free(b);
	}
}

/* ---- upwards ---- */

static void
up_done(const struct crt_cb_info *info)
{
	struct barrier               *b   = info->cci_arg;
	const struct crt_barrier_out *out = info->cci_rpc->cr_output;

	b->up_under_way = false;
	release(b, info->cci_rc != 0 ? info->cci_rc : out->rc);
	free_if_over(b);
}

static int
request_send(struct barrier *b, d_rank_t rank, bool own, uint64_t timeout_ns, crt_cb_t cb)
{
	crt_endpoint_t         ep = {.ep_rank = rank, .ep_tag = b->ctx->idx};
	struct crt_barrier_in *in;
	crt_rpc_t             *req;
	int                    rc = crt_req_create(b->ctx, &ep, CRT_INTERNAL_OPC(CRT_RPC_BARRIER), &req);

	if (rc != 0)
		return rc;
	in              = req->cr_input;
	in->grp_version = b->grp_version;
	in->nr          = b->nr;
	in->own         = own;
	in->timeout_ns  = timeout_ns;
	crt_priv(req)->timeout_ns = timeout_ns;
	return crt_req_send(req, cb, b);
}

/** Where this rank stands: how many children, and the parent. */
static int
place(struct crt *crt, uint32_t *ret_child_nr, bool *ret_root, d_rank_t *ret_parent)
{
	d_rank_list_t *group;
	int            self, rc = crt_group_ranks(crt, &group);

	if (rc != 0)
		return rc;
	self = d_rank_list_find(group, crt_rank_self(crt));
	if (self < 0) {
		rc = -DER_OOG;
	} else {
		*ret_child_nr = crt_tree_child_nr(barrier_tree, group->rl_nr, 0, self);
		*ret_root     = self == 0;
		if (self > 0)
			*ret_parent = group->rl_ranks[crt_tree_parent(barrier_tree, group->rl_nr, 0, self)];
	}
	d_rank_list_free(group);
	return rc;
}

/** All of this subtree have come: tell the parent; the root releases. */
static void
go_up_if_all_here(struct barrier *b, uint64_t timeout_ns)
{
	uint32_t child_nr;
	d_rank_t parent;
	bool     root;
	int      rc;

	if (b->released || b->asked || !b->entered)
		return;
	rc = crt_group_version(b->ctx->crt) == b->grp_version ? place(b->ctx->crt, &child_nr, &root, &parent) : -DER_GRPVER;
	if (rc != 0) {
		release(b, rc);
		return;
	}
	if (b->held_nr < child_nr + 1) /* theirs, and the own */
		return;
	b->asked = true;
	if (root) {
		release(b, 0);
		return;
	}
	b->up_under_way = true;
	rc              = request_send(b, parent, false, timeout_ns, up_done);
	if (rc != 0) {
		b->up_under_way = false;
		release(b, rc);
	}
}

/** Is it this rank itself, or a child, and not for the second time? */
static int
sender_check(const struct barrier *b, const crt_rpc_t *rpc, bool own)
{
	struct crt    *crt  = b->ctx->crt;
	d_rank_t       from = rpc->cr_ep.ep_rank;
	d_rank_list_t *group;
	struct held   *h;
	int            i, rc;

	d_list_for_each(h, &b->held, link)
		if (h->rpc->cr_ep.ep_rank == from)
			return -DER_ALREADY;
	if (own)
		return from == crt_rank_self(crt) ? 0 : -DER_INVAL;
	rc = crt_group_ranks(crt, &group);
	if (rc != 0)
		return rc;
	i = d_rank_list_find(group, from);
	if (i <= 0 || group->rl_ranks[crt_tree_parent(barrier_tree, group->rl_nr, 0, i)] != crt_rank_self(crt))
		rc = -DER_INVAL;
	d_rank_list_free(group);
	return rc;
}

/** Errors: GRPVER | TIMEDOUT it is over here | INVAL | NOMEM */
static int
barrier_of(struct crt_ctx *ctx, const struct crt_barrier_in *in, struct barrier **ret_b)
{
	uint64_t entered = ctx->barrier_version == in->grp_version ? ctx->barrier_nr : 0;

	if (in->grp_version != crt_group_version(ctx->crt))
		return -DER_GRPVER;
	if (in->nr == 0 || in->nr > entered + CRT_BARRIERS_AHEAD_MAX || in->timeout_ns == 0)
		return -DER_INVAL;
	if (in->nr <= entered)
		*ret_b = barrier_find(ctx, in->grp_version, in->nr);
	else
		*ret_b = barrier_get(ctx, in->grp_version, in->nr);
	if (*ret_b == NULL)
		return in->nr <= entered ? -DER_TIMEDOUT : -DER_NOMEM;
	return (*ret_b)->released ? (*ret_b)->rc : 0;
}

void
crt_barrier_handler(crt_rpc_t *rpc)
{
	const struct crt_barrier_in *in = rpc->cr_input;
	struct barrier              *b  = NULL;
	struct held                 *h  = NULL;
	int                          rc = barrier_of(rpc->cr_ctx, in, &b);

	if (rc == 0 && !b->released)
		rc = sender_check(b, rpc, in->own);
	if (rc == 0 && !b->released) {
		h  = malloc(sizeof(*h));
		rc = h == NULL ? -DER_NOMEM : 0;
	}
	if (h == NULL) {
		answer(rpc, rc);
		return;
	}
	h->rpc = rpc;
	crt_req_addref(rpc);
	d_list_add_tail(&h->link, &b->held);
	b->held_nr++;
	go_up_if_all_here(b, in->timeout_ns);
}

/* ---- the call ---- */

static void
own_done(const struct crt_cb_info *info)
{
	struct barrier               *b   = info->cci_arg;
	const struct crt_barrier_out *out = info->cci_rpc->cr_output;
	int                           rc  = info->cci_rc != 0 ? info->cci_rc : out->rc;

	b->own_under_way = false;
	release(b, rc); /* when the time is over: those below need not wait either */
	b->cb(b->arg, rc);
	free_if_over(b);
}

/** Barriers of an earlier group will not be completed by anybody. */
static void
earlier_release(struct crt_ctx *ctx, uint32_t grp_version)
{
	struct barrier *b, *tmp;

	d_list_for_each_safe(b, tmp, &ctx->barriers, link) {
		if (b->grp_version == grp_version)
			continue;
		release(b, -DER_GRPVER);
		if (!b->entered)
			barrier_free(b);
	}
}

int
crt_barrier(crt_context_t ctx, uint64_t timeout_ns, crt_barrier_cb_t cb, void *arg)
{
	struct crt     *crt     = ctx->crt;
	uint32_t        version = crt_group_version(crt), child_nr;
	struct barrier *b;
	d_rank_t        parent;
	bool            root;
	int             rc = timeout_ns == 0 ? -DER_INVAL : place(crt, &child_nr, &root, &parent);

	if (rc != 0)
		return rc;
	if (version != ctx->barrier_version) {
		earlier_release(ctx, version);
		ctx->barrier_version = version;
		ctx->barrier_nr      = 0;
	}
	b = barrier_get(ctx, version, ctx->barrier_nr + 1);
	if (b == NULL)
		return -DER_NOMEM;
	ctx->barrier_nr++;
	b->entered       = true;
	b->cb            = cb;
	b->arg           = arg;
	b->own_under_way = true;
	rc = request_send(b, crt->self, true, timeout_ns, own_done);
	if (rc != 0) {
		b->own_under_way = false;
		release(b, rc);
		free_if_over(b);
	}
	return rc;
}
