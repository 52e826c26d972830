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
 * How one begins, at the root and elsewhere, is here; what a rank does with it in crt_corpc_node.c.
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
#include "cart/crt_corpc_internal.h"
#include "platform/platform.h"

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

	corpc_spread(co);
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
		corpc_spread(co);
		return;
	}
	co->failed = d_rank_list_alloc(0);
	if (co->failed != NULL)
		corpc_fail(co, co->ctx->crt->self, rc);
	co->rc = rc;
	corpc_answer_parent(co);
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
		corpc_spread(co);
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
