/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Incast variables: operations. One (struct iv_op) is a local call or a request from a child; both
 * take the same way:
 *
 *   fetch:   on_fetch --0--> answer            update:  on_update --0--> [root: spread] --> answer
 *               |FORWARD                                    |FORWARD
 *            join one under way, or ask the parent       ask the parent
 *               | reply                                     | reply
 *            on_refresh, answer all that joined          on_refresh, answer
 *
 * Before each on_ a class may have a pre_: that gets a function to call when on_ shall run, from the
 * thread that progresses the context, now or later (in a ULT, so that on_ may wait).
 *
 * Invariants:
 * 1. All of this runs in the thread that progresses the context: local calls queue a work. Only refs
 *    and the context's list of namespaces are touched under its lock by others.
 * 2. fetches holds the fetches that wait for a reply, at most one for a key; others of that key are on
 *    its `joined`. One that is at its pre_ or on_ is on no list.
 * 3. An operation ends in iv_iv_op_end() only, once; it references its namespace until then, and its
 *    parent's reply from when that came.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_iv_internal.h"

#define VALUE_BYTES_DEFAULT 65536

static d_rank_t
root_of(const struct iv_op *op)
{
	return iv_class(op)->on_hash(op->ns, &op->key, op->ns->arg);
}

static bool
key_eq(const d_iov_t *a, const d_iov_t *b)
{
	return a->iov_len == b->iov_len && memcmp(a->iov_buf, b->iov_buf, a->iov_len) == 0;
}

/** The rank to ask next: the parent in the tree of @root, or @root itself. */
static int
next_hop(const struct iv_op *op, d_rank_t root, d_rank_t *ret_rank)
{
	struct crt_iv_ns *ns = op->ns;
	d_rank_list_t    *group, *members;
	int               self, top, rc;

	*ret_rank = root;
	if ((op->flags & CRT_IV_SHORTCUT) != 0 || op->at_root_asked)
		return 0;
	rc = crt_group_ranks(ns->ctx->crt, &group);
	if (rc != 0)
		return rc;
	rc = crt_tree_members(group, ns->ranks, ns->ranks != NULL, root, &members);
	d_rank_list_free(group);
	if (rc != 0)
		return rc;
	self = d_rank_list_find(members, crt_iv_self(ns));
	top  = d_rank_list_find(members, root);
	if (self < 0)
		rc = -DER_OOG;
	else
		*ret_rank = members->rl_ranks[crt_tree_parent(ns->tree, members->rl_nr, top, self)];
	d_rank_list_free(members);
	return rc;
}

/* ---- ends ---- */

void
iv_op_end(struct iv_op *op, const struct crt_iv_value *value, int rc)
{
	if (op->rpc != NULL) {
		struct crt_iv_out *out = op->rpc->cr_output;

		out->rc = rc;
		if (rc == 0 && op->kind == IV_FETCH) {
			out->value   = value->data;
			out->version = value->version;
		}
		crt_reply_send(op->rpc); /* a failure is the child's timeout */
		crt_req_decref(op->rpc);
	} else if (op->cb != NULL) {
		op->cb(op->ns, &op->key, value, rc, op->arg);
	}
	crt_req_decref(op->reply);
	iv_ns_put(op->ns);
	free(op);
}

static void
refresh_go(void *arg)
{
	struct iv_op *op = arg;

	op->refresh_rc = iv_class(op)->on_refresh(op->ns, &op->key, op->news, op->ns->arg);
	if (op->refresh_rc != 0)
		D_WARN("IV namespace %u class %u: refresh: " DF_RC "\n", op->ns->id, op->class_id,
		       DP_RC(op->refresh_rc));
	op->then(op);
}

void
iv_op_refresh(struct iv_op *op, const struct crt_iv_value *news, void (*then)(struct iv_op *op))
{
	const struct crt_iv_class *class = iv_class(op);

	op->news = news;
	op->then = then;
	if (class->on_refresh == NULL)
		then(op);
	else if (class->pre_refresh != NULL)
		class->pre_refresh(op->ns, &op->key, refresh_go, op, op->ns->arg);
	else
		refresh_go(op);
}

/** A fetch and those that joined it. */
static void
fetch_end(struct iv_op *op, const struct crt_iv_value *value, int rc)
{
	struct iv_op *other;

	d_list_del(&op->link);
	while ((other = d_list_first(&op->joined, struct iv_op, link)) != NULL) {
		d_list_del(&other->link);
		iv_op_end(other, value, rc);
	}
	iv_op_end(op, value, rc);
}

static void
any_end(struct iv_op *op, int rc)
{
	if (op->kind == IV_FETCH)
		fetch_end(op, NULL, rc);
	else
		iv_op_end(op, NULL, rc);
}

/* ---- asking the parent ---- */

static void ask_up(struct iv_op *op, d_rank_t root);

static void
fetched(struct iv_op *op)
{
	fetch_end(op, &op->value_mem, 0);
}

static void
updated(struct iv_op *op)
{
	iv_op_end(op, NULL, op->rc);
}

/** What the parent said is the value of now, here as well. */
static void
take_over(struct iv_op *op, crt_rpc_t *reply)
{
	const struct crt_iv_out *out = reply->cr_output;

	crt_req_addref(reply); /* for the value */
	op->reply = reply;
	if (op->kind == IV_FETCH) {
		op->value_mem = (struct crt_iv_value){.data = out->value, .version = out->version};
		iv_op_refresh(op, &op->value_mem, fetched);
		return;
	}
	op->value_mem = (struct crt_iv_value){.data = op->value, .version = op->version};
	iv_op_refresh(op, op->kind == IV_UPDATE ? &op->value_mem : NULL, updated);
}

static void
asked(const struct crt_cb_info *info)
{
	struct iv_op            *op   = info->cci_arg;
	const struct crt_iv_out *out  = info->cci_rpc->cr_output;
	d_rank_t                 root = root_of(op);

	if ((info->cci_rc == -DER_UNREACH || info->cci_rc == -DER_OOG) && info->cci_rpc->cr_ep.ep_rank != root) {
		op->at_root_asked = true; /* the parent is gone */
		ask_up(op, root);
		return;
	}
	op->rc = info->cci_rc != 0 ? info->cci_rc : out->rc;
	if (op->rc == 0 || (op->rc == -DER_CORPC_INCOMPLETE && op->kind != IV_FETCH))
		take_over(op, info->cci_rpc);
	else
		any_end(op, op->rc);
}

static void
ask_up(struct iv_op *op, d_rank_t root)
{
	crt_endpoint_t    ep = {.ep_tag = op->ns->ctx->idx};
	struct crt_iv_in *in;
	crt_rpc_t        *req;
	int               rc = next_hop(op, root, &ep.ep_rank);

	if (rc == 0)
		rc = crt_req_create(op->ns->ctx, &ep, CRT_INTERNAL_OPC(CRT_RPC_IV), &req);
	if (rc != 0) {
		any_end(op, rc);
		return;
	}
	in           = req->cr_input;
	in->kind     = op->kind;
	in->ns_id    = op->ns->id;
	in->class_id = op->class_id;
	in->sync     = op->sync;
	in->flags    = op->flags;
	in->root     = root;
	in->grp_version = crt_group_version(op->ns->ctx->crt);
	in->key      = op->key;
	in->value    = op->value;
	in->version  = op->version;
	crt_req_send(req, asked, op);
}

/* ---- fetch ---- */

static int
value_get(struct iv_op *op, d_iov_t *value)
{
	*value = (d_iov_t){0};
	if (iv_class(op)->on_get != NULL)
		return iv_class(op)->on_get(op->ns, &op->key, value, op->ns->arg);
	value->iov_buf     = malloc(VALUE_BYTES_DEFAULT);
	value->iov_buf_len = VALUE_BYTES_DEFAULT;
	return value->iov_buf == NULL ? -DER_NOMEM : 0;
}

static void
value_put(struct iv_op *op, d_iov_t *value)
{
	if (iv_class(op)->on_get == NULL)
		free(value->iov_buf);
	else if (iv_class(op)->on_put != NULL)
		iv_class(op)->on_put(op->ns, value, op->ns->arg);
}

static struct iv_op *
fetch_under_way(const struct iv_op *op)
{
	struct iv_op *other;

	d_list_for_each(other, &op->ns->fetches, link)
		if (other->class_id == op->class_id && key_eq(&other->key, &op->key))
			return other;
	return NULL;
}

static void
fetch_forward(struct iv_op *op)
{
	struct iv_op *other = fetch_under_way(op);
	d_rank_t      root  = root_of(op);

	if (root == crt_iv_self(op->ns)) {
		iv_op_end(op, NULL, -DER_NONEXIST);
		return;
	}
	if (other != NULL) {
		d_list_add_tail(&op->link, &other->joined);
		return;
	}
	d_list_add_tail(&op->link, &op->ns->fetches);
	ask_up(op, root);
}

/** The value is given back after the answer, when @op is no more. */
static void
fetch_answer(struct iv_op *op, struct crt_iv_value *value, int rc)
{
	struct iv_op tail = {.ns = op->ns, .class_id = op->class_id};

	iv_ns_ref(tail.ns);
	iv_op_end(op, rc == 0 ? value : NULL, rc);
	value_put(&tail, &value->data);
	iv_ns_put(tail.ns);
}

static void
fetch_go(void *arg)
{
	struct iv_op       *op    = arg;
	struct crt_iv_value value = {0};
	int                 rc    = value_get(op, &value.data);

	if (rc != 0) {
		iv_op_end(op, NULL, rc);
		return;
	}
	rc = iv_class(op)->on_fetch(op->ns, &op->key, &value, op->ns->arg);
	if (rc != -DER_IVCB_FORWARD) {
		fetch_answer(op, &value, rc);
		return;
	}
	value_put(op, &value.data);
	fetch_forward(op);
}

/* ---- update, invalidate ---- */

/** What this rank made of it: @op->rc. */
static void
update_decided(struct iv_op *op)
{
	d_rank_t root = root_of(op);
	bool     here = root == crt_iv_self(op->ns);

	if (op->rc == -DER_IVCB_FORWARD && here)
		op->rc = -DER_INVAL; /* there is nobody above the root */
	if (op->rc == -DER_IVCB_FORWARD)
		ask_up(op, root);
	else if (op->rc == 0 && here)
		iv_root_spread(op);
	else
		iv_op_end(op, NULL, op->rc);
}

static void
update_go(void *arg)
{
	struct iv_op *op = arg;

	op->value_mem = (struct crt_iv_value){.data = op->value, .version = op->version};
	op->rc        = iv_class(op)->on_update(op->ns, &op->key, &op->value_mem, op->ns->arg);
	update_decided(op);
}

static void
invalidate_run(struct iv_op *op)
{
	if (root_of(op) == crt_iv_self(op->ns)) {
		op->rc = 0;
		iv_op_refresh(op, NULL, update_decided);
	} else {
		op->rc = -DER_IVCB_FORWARD;
		update_decided(op);
	}
}

static void
run_pre(struct iv_op *op, crt_iv_pre_t pre, void (*go)(void *arg))
{
	if (pre == NULL)
		go(op);
	else
		pre(op->ns, &op->key, go, op, op->ns->arg);
}

void
iv_op_run(struct iv_op *op)
{
	if (op->kind == IV_FETCH)
		run_pre(op, iv_class(op)->pre_fetch, fetch_go);
	else if (op->kind == IV_UPDATE)
		run_pre(op, iv_class(op)->pre_update, update_go);
	else
		invalidate_run(op);
}

struct iv_op *
iv_op_alloc(enum iv_kind kind, uint32_t class_id, const d_iov_t *key, const d_iov_t *value, size_t buf_bytes)
{
	struct iv_op *op = calloc(1, sizeof(*op) + buf_bytes);

	if (op == NULL)
		return NULL;
	op->kind     = kind;
	op->class_id = class_id;
	op->key      = *key;
	op->value    = *value;
	d_list_init(&op->work.link);
	d_list_init(&op->link);
	d_list_init(&op->joined);
	return op;
}

/* ---- requests ---- */

static int
iv_check(struct crt_ctx *ctx, const struct crt_iv_in *in, struct crt_iv_ns **ret_ns)
{
	struct crt_iv_ns *ns;

	if (in->kind >= IV_KIND_NR || in->sync >= CRT_IV_SYNC_NR || (in->flags & ~CRT_IV_FLAGS) != 0 ||
	    in->key.iov_len > CRT_IV_KEY_BYTES_MAX)
		return -DER_PROTO;
	ns = iv_ns_get(ctx, in->ns_id);
	if (ns == NULL)
		return -DER_NONEXIST;
	*ret_ns = ns;
	if (in->class_id >= ns->class_nr)
		return -DER_PROTO;
	/* those who disagree about root or tree would send requests round in a circle */
	if (in->grp_version != crt_group_version(ctx->crt) ||
	    ns->classes[in->class_id].on_hash(ns, &in->key, ns->arg) != in->root)
		return -DER_GRPVER;
	return 0;
}

void
crt_iv_handler(crt_rpc_t *rpc)
{
	const struct crt_iv_in *in  = rpc->cr_input;
	struct crt_iv_out      *out = rpc->cr_output;
	struct crt_iv_ns       *ns  = NULL;
	struct iv_op           *op  = NULL;
	int                     rc  = -DER_NO_PERM;

	if (rpc->cr_ep.ep_rank != CRT_NO_RANK) /* variables are the ranks' own */
		rc = iv_check(rpc->cr_ctx, in, &ns);
	if (rc == 0) {
		op = iv_op_alloc(in->kind, in->class_id, &in->key, &in->value, 0);
		rc = op == NULL ? -DER_NOMEM : 0;
	}
	if (rc != 0) {
		if (ns != NULL)
			iv_ns_put(ns);
		out->rc = rc;
		crt_reply_send(rpc); /* a failure is the child's timeout */
		return;
	}
	op->ns      = ns;
	op->version = in->version;
	op->sync    = in->sync;
	op->flags = in->flags;
	op->rpc   = rpc;
	crt_req_addref(rpc);
	iv_op_run(op);
}

