/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Collective requests. Between ranks they are CART's own request CORPC, which carries the user's
 * encoded input; at each rank a local request is made of it for the handler:
 *
 *   parent --CORPC--> [fetch chained data] -> local request -> pre-forward -> CORPC to each child
 *                                                  |                              |
 *                                               handler                        replies
 *                                                  +------------ merge -----------+
 *   parent <--reply---------------------------------------------- all are in
 *
 * All who take part compute the same tree from the group's members, hence the group's version travels
 * along; who has another answers -DER_GRPVER.
 *
 * Timeouts: each rank has less time than its parent (CHILD_TIME), so a rank whose child does not
 * answer still answers itself in time, with what it has.
 *
 * Invariants:
 * 1. A struct crt_corpc is touched by the thread that progresses its context only: other threads
 *    (starting, replying to the local request) queue one of its works. Hence no lock is needed for
 *    it, and hooks of the user run one at a time.
 * 2. waiting_nr counts the children that have not ended and the local part; at 0 it is answered and
 *    freed. Each ends exactly once, since each is a request.
 * 3. refs, under the context's lock: one until it is answered, one of the local request (whose input
 *    points into the body), and at the root one of the user's request (which says what failed).
 *    CORPC is referenced as long as this, the user's request until it is completed.
 */
#define D_LOGFAC LOG_FAC_RPC
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_corpc.h"
#include "cart/crt_internal_proto.h"
#include "platform/platform.h"

#define CHILD_TIME(ns) ((ns) - (ns) / 8)
#define CHAINED_BYTES_MAX CRT_BODY_BYTES_MAX

struct crt_corpc {
	struct crt_ctx             *ctx;
	uint32_t                    refs; /* invariant 3 */
	struct crt_rpc_priv        *rpc;
	const struct crt_proto_rpc *def;
	bool                        at_root;
	struct crt_corpc_in         in; /* pointers: the CORPC's, or own_filter, own_body */
	uint32_t                    tag;
	d_rank_list_t              *own_filter;
	void                       *own_body;
	d_iov_t                     chained; /* here */
	void                       *own_chained;
	crt_bulk_t                  chained_bulk; /* for the children */
	struct crt_rpc_priv        *local;
	d_iov_t                     local_out; /* the handler's encoded output */
	int                         local_rc;
	struct crt_work             work, local_work;
	uint32_t                    waiting_nr;
	void                       *result; /* struct x_out, in rpc's arena */
	int                         rc;
	uint32_t                    reached_nr;
	d_rank_list_t              *failed;
	bool                        published; /* at the root: failed and reached_nr are the user's */
};

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

static void
fail(struct crt_corpc *co, d_rank_t rank, int rc)
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

static void
answer_parent(struct crt_corpc *co)
{
	struct crt_corpc_out *out = co->rpc->pub.cr_output;
	struct crt_ctx       *ctx = co->ctx;
	int                   rc  = 0;

	if (co->def->co_ops->co_aggregate != NULL && co->result != NULL)
		rc = result_encode(co, &out->body);
	if (rc != 0)
		fail(co, CRT_NO_RANK, rc);
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
		answer_parent(co);
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
		p = (struct crt_proc){.op    = CRT_PROC_DECODE,
				      .cur   = body->iov_buf,
				      .end   = (char *)body->iov_buf + body->iov_len,
				      .arena = &arena};
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
		fail(co, rank, rc);
	} else {
		for (uint32_t i = 0; out->failed != NULL && i < out->failed->rl_nr; i++)
			fail(co, out->failed->rl_ranks[i], out->rc);
		if (out->rc != 0)
			fail(co, CRT_NO_RANK, out->rc);
		co->reached_nr += out->reached_nr;
		if (out->reached_nr > 0)
			rc = merge(co, &out->body);
		if (rc != 0)
			fail(co, rank, rc);
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
		fail(co, co->ctx->crt->self, rc);
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
			fail(co, rank, rc);
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
	local->hlc       = co->at_root ? hlc_get(&ctx->crt->hlc) : co->rpc->hlc;
	local->pub.cr_ep = co->rpc->pub.cr_ep;
	if (co->at_root)
		local->pub.cr_ep = (crt_endpoint_t){.ep_rank = co->in.root, .ep_tag = ctx->idx};
	p = (struct crt_proc){.op    = CRT_PROC_DECODE,
			      .cur   = co->in.body.iov_buf,
			      .end   = (char *)co->in.body.iov_buf + co->in.body.iov_len,
			      .arena = &local->arena};
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

/** The data is here. */
static void
spread(struct crt_corpc *co)
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
			fail(co, co->ctx->crt->self, rc);
		else
			co->rc = rc;
	}
	co->waiting_nr--;
	end_if_all_in(co);
}

/* ---- at the root ---- */

int
crt_corpc_create(crt_context_t ctx, const struct crt_corpc_attr *attr, crt_rpc_t **ret_req)
{
	const struct crt_proto_rpc *def;
	struct crt_corpc           *co;
	crt_endpoint_t              ep = {.ep_rank = crt_rank_self(ctx->crt), .ep_tag = attr->tag};
	char                        uri[NA_URI_BYTES_MAX];
	int                         rc = crt_proto_find(ctx->crt, attr->opc, &def);

	if (rc != 0)
		return rc;
	if (def->co_ops == NULL || def->handler == NULL || !crt_tree_valid(attr->tree) ||
	    (def->flags & CRT_RPC_NO_REPLY) != 0 ||
	    (attr->chained != NULL && attr->chained->iov_len > CHAINED_BYTES_MAX))
		return -DER_INVAL;
	if (crt_group_uri(ctx->crt, ep.ep_rank, uri, sizeof(uri)) != 0)
		return -DER_OOG;
	co = calloc(1, sizeof(*co));
	if (co == NULL)
		return -DER_NOMEM;
	if (attr->filter != NULL)
		rc = d_rank_list_dup(attr->filter, &co->own_filter);
	if (rc == 0)
		rc = crt_req_create(ctx, &ep, attr->opc, ret_req);
	if (rc != 0) {
		d_rank_list_free(co->own_filter);
		free(co);
		return rc;
	}
	co->ctx     = ctx;
	co->refs    = 1; /* the request's */
	co->def     = def;
	co->at_root = true;
	co->tag     = attr->tag;
	co->rpc     = crt_priv(*ret_req);
	if (attr->chained != NULL)
		co->chained = *attr->chained;
	co->in = (struct crt_corpc_in){.opc         = attr->opc,
				       .root        = ep.ep_rank,
				       .tree_type   = attr->tree.type,
				       .tree_ratio  = attr->tree.ratio,
				       .invert      = attr->invert,
				       .filter      = co->own_filter};
	co->rpc->corpc = co;
	return 0;
}

static void
root_begin(struct crt_work *work)
{
	struct crt_corpc *co = CONTAINER_OF(work, struct crt_corpc, work);

	spread(co);
}

static int
input_encode(struct crt_corpc *co)
{
	struct crt_proc p  = {.op = CRT_PROC_MEASURE};
	int             rc = co->def->format->proc_in(&p, co->rpc->pub.cr_input);

	if (rc != 0)
		return rc;
	if (p.bytes > CRT_BODY_BYTES_MAX / 2)
		return -DER_OVERFLOW;
	co->own_body = malloc(MAX_OF(p.bytes, 1));
	if (co->own_body == NULL)
		return -DER_NOMEM;
	d_iov_set(&co->in.body, co->own_body, p.bytes);
	p = (struct crt_proc){.op  = CRT_PROC_ENCODE,
			      .cur = co->own_body,
			      .end = (char *)co->own_body + p.bytes};
	return co->def->format->proc_in(&p, co->rpc->pub.cr_input);
}

/** crt_req_send() of the root's request; under the lock. */
int
crt_corpc_start(struct crt_rpc_priv *rpc)
{
	struct crt_corpc *co = rpc->corpc;
	size_t            name_bytes = 0;
	int               rc = rpc->pub.cr_ctx->stopping ? -DER_CANCELED : input_encode(co);

	if (rc == 0)
		rc = crt_rpc_arm_timeout(rpc, 0);
	if (rc != 0)
		return rc;
	co->in.timeout_ns  = rpc->timeout_ns;
	d_iov_set(&co->in.root_name, (void *)na_ep_name(co->ctx->ep, &name_bytes), 0);
	co->in.root_name.iov_len = name_bytes;
	co->in.grp_version = crt_group_version(co->ctx->crt);
	rpc->state         = CRT_RPC_QUEUED;
	rpc->refs++;
	co->refs++;
	crt_work_add(co->ctx, &co->work, root_begin);
	return 0;
}

/* ---- at the others ---- */

static void
chained_fetched(void *arg, int rc)
{
	struct crt_corpc *co = arg;

	if (rc == 0) {
		spread(co);
		return;
	}
	co->failed = d_rank_list_alloc(0);
	if (co->failed != NULL)
		fail(co, co->ctx->crt->self, rc);
	co->rc = rc;
	answer_parent(co);
}

static int
chained_fetch(struct crt_corpc *co)
{
	uint64_t             bytes = crt_bulk_len(co->in.chained);
	d_iov_t              iov;
	d_sg_list_t          sgl = {.sg_nr = 1, .sg_iovs = &iov};
	struct crt_bulk_desc d   = {.bd_rpc    = &co->rpc->pub,
				    .bd_op     = CRT_BULK_GET,
				    .bd_remote = co->in.chained,
				    .bd_local  = &sgl,
				    .bd_len    = bytes};

	if (bytes > CHAINED_BYTES_MAX)
		return -DER_OVERFLOW;
	co->own_chained = malloc(MAX_OF(bytes, 1));
	if (co->own_chained == NULL)
		return -DER_NOMEM;
	d_iov_set(&iov, co->own_chained, bytes);
	co->chained = iov;
	return crt_bulk_transfer(&d, chained_fetched, co);
}

static int
corpc_check(struct crt *crt, const struct crt_corpc_in *in, const struct crt_proto_rpc **ret_def)
{
	struct crt_tree tree = {.type = in->tree_type, .ratio = in->tree_ratio};
	int             rc   = crt_proto_find(crt, in->opc, ret_def);

	if (rc != 0)
		return rc;
	if ((*ret_def)->co_ops == NULL || (*ret_def)->handler == NULL)
		return -DER_UNREG;
	if (!crt_tree_valid(tree) || in->timeout_ns == 0 ||
	    ((*ret_def)->flags & CRT_RPC_NO_REPLY) != 0)
		return -DER_PROTO;
	return in->grp_version != crt_group_version(crt) ? -DER_GRPVER : 0;
}

static void
refuse(crt_rpc_t *rpc, int rc)
{
	struct crt_corpc_out *out  = rpc->cr_output;
	d_rank_t              self = crt_rank_self(crt_context_crt(rpc->cr_ctx));
	d_rank_list_t         me   = {.rl_ranks = &self, .rl_nr = 1};

	out->rc     = rc;
	out->failed = &me;
	crt_reply_send(rpc); /* a failure is the parent's timeout */
}

void
crt_corpc_handler(crt_rpc_t *rpc)
{
	struct crt_corpc_in        *in = rpc->cr_input;
	const struct crt_proto_rpc *def;
	struct crt_corpc           *co;
	int                         rc = -DER_NO_PERM;

	if (rpc->cr_ep.ep_rank != CRT_NO_RANK) /* or ranks would do for a client, through another, what it may not ask */
		rc = corpc_check(rpc->cr_ctx->crt, in, &def);
	co = rc == 0 ? calloc(1, sizeof(*co)) : NULL;
	if (rc == 0 && co == NULL)
		rc = -DER_NOMEM;
	if (rc != 0) {
		refuse(rpc, rc);
		return;
	}
	co->ctx = rpc->cr_ctx;
	co->rpc = crt_priv(rpc);
	co->def = def;
	co->in  = *in;
	co->tag  = co->ctx->idx;
	co->refs = 1;
	crt_req_addref(rpc);
	if (in->chained == NULL) {
		spread(co);
		return;
	}
	rc = chained_fetch(co);
	if (rc != 0)
		chained_fetched(co, rc);
}

/* ---- questions ---- */

d_iov_t
crt_corpc_chained(const crt_rpc_t *rpc)
{
	const struct crt_corpc *co = crt_priv(rpc)->corpc;

	return co == NULL ? (d_iov_t){0} : co->chained;
}

const d_rank_list_t *
crt_corpc_failed(const crt_rpc_t *req)
{
	static const d_rank_list_t none;
	const struct crt_corpc    *co = crt_priv(req)->corpc;

	return co == NULL || !co->published || co->failed == NULL ? &none : co->failed;
}

uint32_t
crt_corpc_reached(const crt_rpc_t *req)
{
	const struct crt_corpc *co = crt_priv(req)->corpc;

	return co == NULL || !co->published ? 0 : co->reached_nr;
}

d_rank_t
crt_corpc_root(const crt_rpc_t *rpc)
{
	return crt_priv(rpc)->corpc == NULL ? CRT_NO_RANK : crt_priv(rpc)->corpc->in.root;
}
