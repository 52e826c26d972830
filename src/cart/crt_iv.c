/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Incast variables. An operation (struct iv_op) is a local call or a request from a child; both take
 * the same way:
 *
 *   fetch:   on_fetch --0--> answer            update:  on_update --0--> [root: spread] --> answer
 *               |FORWARD                                    |FORWARD
 *            join one under way, or ask the parent       ask the parent
 *               | reply                                     | reply
 *            on_refresh, answer all that joined          on_refresh, answer
 *
 * Invariants:
 * 1. All of this runs in the thread that progresses the context: local calls queue a work. Only refs
 *    and the context's list of namespaces are touched under its lock by others.
 * 2. fetches holds the fetches that wait for a reply, at most one for a key; others of that key are on
 *    its `joined`.
 * 3. An operation ends in op_end() only, once; it references its namespace until then.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_internal_proto.h"
#include "cart/crt_iv.h"

#define VALUE_BYTES_DEFAULT 65536

struct crt_iv_ns {
	d_list_t                   link; /* ctx->iv_nss */
	struct crt_ctx            *ctx;
	uint32_t                   id, refs;
	const struct crt_iv_class *classes;
	uint32_t                   class_nr;
	struct crt_tree            tree;
	d_rank_list_t             *ranks; /* NULL: the group */
	void                      *arg;
	d_list_t                   fetches;
};

enum iv_kind { IV_FETCH, IV_UPDATE, IV_INVALIDATE, IV_KIND_NR };

struct iv_op {
	struct crt_work       work;
	struct crt_iv_ns     *ns;
	d_list_t              link, joined; /* of a fetch: ns->fetches, or another's joined */
	enum iv_kind          kind;
	uint32_t              class_id, flags;
	enum crt_iv_sync_mode sync;
	d_iov_t               key, value; /* value: what is to be, or was fetched */
	crt_iv_cb_t           cb;
	void                 *arg;
	crt_rpc_t            *rpc;      /* NULL: a local call */
	bool                  at_root_asked; /* the parent failed: asked the root */
	char                  buf[];    /* key and value of a local call */
};

static const struct crt_iv_class *
class_of(const struct iv_op *op)
{
	return &op->ns->classes[op->class_id];
}

static d_rank_t
root_of(const struct iv_op *op)
{
	return class_of(op)->on_hash(op->ns, &op->key, op->ns->arg);
}

static bool
key_eq(const d_iov_t *a, const d_iov_t *b)
{
	return a->iov_len == b->iov_len && memcmp(a->iov_buf, b->iov_buf, a->iov_len) == 0;
}

/* ---- namespaces ---- */

static void
ns_put_locked(struct crt_iv_ns *ns)
{
	if (--ns->refs > 0)
		return;
	d_list_del(&ns->link);
	d_rank_list_free(ns->ranks);
	free(ns);
}

/** Under the lock; takes a reference. NULL: none, or it is being destroyed. */
static struct crt_iv_ns *
ns_get(struct crt_ctx *ctx, uint32_t id)
{
	struct crt_iv_ns *ns;

	d_list_for_each(ns, &ctx->iv_nss, link) {
		if (ns->id == id) {
			ns->refs++;
			return ns;
		}
	}
	return NULL;
}

static void
ns_put(struct crt_iv_ns *ns)
{
	struct crt_ctx *ctx = ns->ctx;

	pthread_mutex_lock(&ctx->lock);
	ns_put_locked(ns);
	pthread_mutex_unlock(&ctx->lock);
}

int
crt_iv_ns_create(crt_context_t ctx, const struct crt_iv_ns_attr *attr, struct crt_iv_ns **ret_ns)
{
	struct crt_iv_ns *ns, *other;
	int               rc = 0;

	if (!crt_tree_valid(attr->tree) || attr->class_nr == 0)
		return -DER_INVAL;
	ns = calloc(1, sizeof(*ns));
	if (ns == NULL)
		return -DER_NOMEM;
	*ns = (struct crt_iv_ns){.ctx      = ctx,
				 .id       = attr->id,
				 .refs     = 1,
				 .classes  = attr->classes,
				 .class_nr = attr->class_nr,
				 .tree     = attr->tree,
				 .arg      = attr->arg};
	d_list_init(&ns->link);
	d_list_init(&ns->fetches);
	if (attr->ranks != NULL)
		rc = d_rank_list_dup(attr->ranks, &ns->ranks);
	pthread_mutex_lock(&ctx->lock);
	other = rc == 0 ? ns_get(ctx, attr->id) : NULL;
	if (other != NULL) {
		ns_put_locked(other);
		rc = -DER_EXIST;
	}
	if (rc == 0)
		d_list_add_tail(&ns->link, &ctx->iv_nss);
	else
		ns_put_locked(ns);
	pthread_mutex_unlock(&ctx->lock);
	if (rc == 0)
		*ret_ns = ns;
	return rc;
}

void
crt_iv_ns_destroy(struct crt_iv_ns *ns)
{
	struct crt_ctx *ctx;

	if (ns == NULL)
		return;
	ctx = ns->ctx;
	pthread_mutex_lock(&ctx->lock);
	d_list_del(&ns->link); /* requests do not find it any more */
	ns_put_locked(ns);
	pthread_mutex_unlock(&ctx->lock);
}

uint32_t
crt_iv_ns_id(const struct crt_iv_ns *ns)
{
	return ns->id;
}

d_rank_t
crt_iv_self(const struct crt_iv_ns *ns)
{
	return crt_rank_self(ns->ctx->crt);
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

static void
op_end(struct iv_op *op, const d_iov_t *value, int rc)
{
	if (op->rpc != NULL) {
		struct crt_iv_out *out = op->rpc->cr_output;

		out->rc = rc;
		if (rc == 0 && op->kind == IV_FETCH)
			out->value = *value;
		crt_reply_send(op->rpc); /* a failure is the child's timeout */
		crt_req_decref(op->rpc);
	} else if (op->cb != NULL) {
		op->cb(op->ns, &op->key, value, rc, op->arg);
	}
	ns_put(op->ns);
	free(op);
}

static void
refresh(struct iv_op *op, const d_iov_t *value)
{
	int rc;

	if (class_of(op)->on_refresh == NULL)
		return;
	rc = class_of(op)->on_refresh(op->ns, &op->key, value, op->ns->arg);
	if (rc != 0)
		D_WARN("IV namespace %u class %u: refresh: " DF_RC "\n", op->ns->id, op->class_id, DP_RC(rc));
}

/** A fetch and those that joined it. */
static void
fetch_end(struct iv_op *op, const d_iov_t *value, int rc)
{
	struct iv_op *other;

	d_list_del(&op->link);
	while ((other = d_list_first(&op->joined, struct iv_op, link)) != NULL) {
		d_list_del(&other->link);
		op_end(other, value, rc);
	}
	op_end(op, value, rc);
}

static void
any_end(struct iv_op *op, const d_iov_t *value, int rc)
{
	if (op->kind == IV_FETCH)
		fetch_end(op, value, rc);
	else
		op_end(op, value, rc);
}

/* ---- asking the parent ---- */

static void ask_up(struct iv_op *op, d_rank_t root);

static void
asked(const struct crt_cb_info *info)
{
	struct iv_op            *op  = info->cci_arg;
	const struct crt_iv_out *out = info->cci_rpc->cr_output;
	d_rank_t                 root = root_of(op);
	int                      rc  = info->cci_rc != 0 ? info->cci_rc : out->rc;

	if ((info->cci_rc == -DER_UNREACH || info->cci_rc == -DER_OOG) && info->cci_rpc->cr_ep.ep_rank != root) {
		op->at_root_asked = true; /* the parent is gone */
		ask_up(op, root);
		return;
	}
	if (op->kind == IV_FETCH) {
		if (rc == 0)
			refresh(op, &out->value);
		fetch_end(op, rc == 0 ? &out->value : NULL, rc);
		return;
	}
	if (rc == 0 || rc == -DER_CORPC_INCOMPLETE)
		refresh(op, op->kind == IV_UPDATE ? &op->value : NULL);
	op_end(op, NULL, rc);
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
		any_end(op, NULL, rc);
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
	crt_req_send(req, asked, op);
}

/* ---- fetch ---- */

static int
value_get(struct iv_op *op, d_iov_t *value)
{
	*value = (d_iov_t){0};
	if (class_of(op)->on_get != NULL)
		return class_of(op)->on_get(op->ns, &op->key, value, op->ns->arg);
	value->iov_buf     = malloc(VALUE_BYTES_DEFAULT);
	value->iov_buf_len = VALUE_BYTES_DEFAULT;
	return value->iov_buf == NULL ? -DER_NOMEM : 0;
}

static void
value_put(struct iv_op *op, d_iov_t *value)
{
	if (class_of(op)->on_get == NULL)
		free(value->iov_buf);
	else if (class_of(op)->on_put != NULL)
		class_of(op)->on_put(op->ns, value, op->ns->arg);
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
		op_end(op, NULL, -DER_NONEXIST);
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
fetch_answer(struct iv_op *op, d_iov_t *value, int rc)
{
	struct iv_op    tail = {.ns = op->ns, .class_id = op->class_id};
	struct crt_ctx *ctx  = op->ns->ctx;

	pthread_mutex_lock(&ctx->lock);
	tail.ns->refs++;
	pthread_mutex_unlock(&ctx->lock);
	op_end(op, rc == 0 ? value : NULL, rc);
	value_put(&tail, value);
	ns_put(tail.ns);
}

static void
fetch_run(struct iv_op *op)
{
	d_iov_t value;
	int     rc = value_get(op, &value);

	if (rc != 0) {
		op_end(op, NULL, rc);
		return;
	}
	rc = class_of(op)->on_fetch(op->ns, &op->key, &value, op->ns->arg);
	if (rc != -DER_IVCB_FORWARD) {
		fetch_answer(op, &value, rc);
		return;
	}
	value_put(op, &value);
	fetch_forward(op);
}

/* ---- update, invalidate ---- */

static void
spread_done(const struct crt_cb_info *info)
{
	struct iv_op *op = info->cci_arg;

	if (info->cci_rc != 0)
		D_WARN("IV namespace %u: %u ranks were not told: " DF_RC "\n", op->ns->id,
		       crt_corpc_failed(info->cci_rpc)->rl_nr, DP_RC(info->cci_rc));
	if (op->sync == CRT_IV_SYNC_EAGER) {
		op_end(op, NULL, info->cci_rc == 0 ? 0 : -DER_CORPC_INCOMPLETE);
		return;
	}
	ns_put(op->ns); /* LAZY: was answered before */
	free(op);
}

static int
spread_create(struct iv_op *op, crt_rpc_t **ret_req)
{
	struct crt_corpc_attr  attr = {.opc    = CRT_INTERNAL_OPC(CRT_RPC_IV_SYNC),
				       .tree   = op->ns->tree,
				       .tag    = op->ns->ctx->idx,
				       .filter = op->ns->ranks,
				       .invert = op->ns->ranks != NULL};
	struct crt_iv_sync_in *in;
	int                    rc = crt_corpc_create(op->ns->ctx, &attr, ret_req);

	if (rc != 0)
		return rc;
	in             = (*ret_req)->cr_input;
	in->ns_id      = op->ns->id;
	in->class_id   = op->class_id;
	in->key        = op->key;
	in->invalidate = op->kind == IV_INVALIDATE || (op->flags & CRT_IV_NOTIFY) != 0;
	if (!in->invalidate)
		in->value = op->value;
	return 0;
}

/** A copy that outlives the answer. */
static struct iv_op *
op_dup(const struct iv_op *op)
{
	struct iv_op *dup = malloc(sizeof(*dup) + op->key.iov_len + op->value.iov_len);

	if (dup == NULL)
		return NULL;
	*dup = *op;
	dup->rpc = NULL;
	dup->cb  = NULL;
	memcpy(dup->buf, op->key.iov_buf, op->key.iov_len);
	d_iov_set(&dup->key, dup->buf, op->key.iov_len);
	if (op->value.iov_len > 0)
		memcpy(dup->buf + op->key.iov_len, op->value.iov_buf, op->value.iov_len);
	d_iov_set(&dup->value, dup->buf + op->key.iov_len, op->value.iov_len);
	pthread_mutex_lock(&op->ns->ctx->lock);
	op->ns->refs++;
	pthread_mutex_unlock(&op->ns->ctx->lock);
	return dup;
}

/** The root has it: tell the others, and answer before or after. */
static void
root_spread(struct iv_op *op)
{
	struct iv_op *spread = op;
	crt_rpc_t    *req;
	int           rc;

	if (op->sync == CRT_IV_SYNC_NONE) {
		op_end(op, NULL, 0);
		return;
	}
	if (op->sync == CRT_IV_SYNC_LAZY) {
		spread = op_dup(op);
		op_end(op, NULL, spread == NULL ? -DER_NOMEM : 0);
		if (spread == NULL)
			return;
	}
	rc = spread_create(spread, &req);
	if (rc == 0) {
		crt_req_send(req, spread_done, spread);
	} else {
		D_WARN("IV namespace %u: nobody was told: " DF_RC "\n", spread->ns->id, DP_RC(rc));
		op_end(spread, NULL, rc);
	}
}

static void
update_run(struct iv_op *op)
{
	d_rank_t root = root_of(op);
	bool     here = root == crt_iv_self(op->ns);
	int      rc   = -DER_IVCB_FORWARD;

	if (op->kind == IV_UPDATE)
		rc = class_of(op)->on_update(op->ns, &op->key, &op->value, op->ns->arg);
	if (here && op->kind == IV_INVALIDATE) {
		refresh(op, NULL);
		rc = 0;
	}
	if (here && rc == -DER_IVCB_FORWARD)
		rc = -DER_INVAL; /* there is nobody above the root */
	if (rc == -DER_IVCB_FORWARD)
		ask_up(op, root);
	else if (rc == 0 && here)
		root_spread(op);
	else
		op_end(op, NULL, rc);
}

static void
op_run(struct iv_op *op)
{
	if (op->kind == IV_FETCH)
		fetch_run(op);
	else
		update_run(op);
}

/* ---- local calls ---- */

static void
op_work(struct crt_work *work)
{
	op_run(CONTAINER_OF(work, struct iv_op, work));
}

static struct iv_op *
op_alloc(enum iv_kind kind, uint32_t class_id, const d_iov_t *key, const d_iov_t *value, size_t buf_bytes)
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

static int
call(struct crt_iv_ns *ns, enum iv_kind kind, uint32_t class_id, const d_iov_t *key, const d_iov_t *value,
     enum crt_iv_sync_mode sync, uint32_t flags, crt_iv_cb_t cb, void *arg)
{
	struct iv_op *op;

	if (class_id >= ns->class_nr || key->iov_len > CRT_IV_KEY_BYTES_MAX || sync >= CRT_IV_SYNC_NR ||
	    (flags & ~CRT_IV_FLAGS) != 0 || value->iov_len > CRT_BODY_BYTES_MAX / 4)
		return -DER_INVAL;
	op = op_alloc(kind, class_id, key, value, key->iov_len + value->iov_len);
	if (op == NULL)
		return -DER_NOMEM;
	if (key->iov_len > 0)
		memcpy(op->buf, key->iov_buf, key->iov_len);
	if (value->iov_len > 0)
		memcpy(op->buf + key->iov_len, value->iov_buf, value->iov_len);
	d_iov_set(&op->key, op->buf, key->iov_len);
	d_iov_set(&op->value, op->buf + key->iov_len, value->iov_len);
	op->ns    = ns;
	op->sync  = sync;
	op->flags = flags;
	op->cb    = cb;
	op->arg   = arg;
	pthread_mutex_lock(&ns->ctx->lock);
	ns->refs++;
	crt_work_add(ns->ctx, &op->work, op_work);
	pthread_mutex_unlock(&ns->ctx->lock);
	return 0;
}

int
crt_iv_fetch(struct crt_iv_ns *ns, uint32_t class_id, const d_iov_t *key, uint32_t flags, crt_iv_cb_t cb, void *arg)
{
	static const d_iov_t none;

	return call(ns, IV_FETCH, class_id, key, &none, CRT_IV_SYNC_NONE, flags, cb, arg);
}

int
crt_iv_update(struct crt_iv_ns *ns, uint32_t class_id, const d_iov_t *key, const d_iov_t *value,
	      enum crt_iv_sync_mode sync, uint32_t flags, crt_iv_cb_t cb, void *arg)
{
	return call(ns, IV_UPDATE, class_id, key, value, sync, flags, cb, arg);
}

int
crt_iv_invalidate(struct crt_iv_ns *ns, uint32_t class_id, const d_iov_t *key, enum crt_iv_sync_mode sync,
		  uint32_t flags, crt_iv_cb_t cb, void *arg)
{
	static const d_iov_t none;

	return call(ns, IV_INVALIDATE, class_id, key, &none, sync, flags, cb, arg);
}

/* ---- requests ---- */

static int
iv_check(struct crt_ctx *ctx, const struct crt_iv_in *in, struct crt_iv_ns **ret_ns)
{
	struct crt_iv_ns *ns;

	if (in->kind >= IV_KIND_NR || in->sync >= CRT_IV_SYNC_NR || (in->flags & ~CRT_IV_FLAGS) != 0 ||
	    in->key.iov_len > CRT_IV_KEY_BYTES_MAX)
		return -DER_PROTO;
	pthread_mutex_lock(&ctx->lock);
	ns = ns_get(ctx, in->ns_id);
	pthread_mutex_unlock(&ctx->lock);
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
		op = op_alloc(in->kind, in->class_id, &in->key, &in->value, 0);
		rc = op == NULL ? -DER_NOMEM : 0;
	}
	if (rc != 0) {
		if (ns != NULL)
			ns_put(ns);
		out->rc = rc;
		crt_reply_send(rpc); /* a failure is the child's timeout */
		return;
	}
	op->ns    = ns;
	op->sync  = in->sync;
	op->flags = in->flags;
	op->rpc   = rpc;
	crt_req_addref(rpc);
	op_run(op);
}

void
crt_iv_sync_handler(crt_rpc_t *rpc)
{
	const struct crt_iv_sync_in *in  = rpc->cr_input;
	struct crt_iv_sync_out      *out = rpc->cr_output;
	struct crt_ctx              *ctx = rpc->cr_ctx;
	struct crt_iv_ns            *ns;

	pthread_mutex_lock(&ctx->lock);
	ns = ns_get(ctx, in->ns_id);
	pthread_mutex_unlock(&ctx->lock);
	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		out->rc = -DER_NO_PERM;
	else if (ns == NULL || in->class_id >= ns->class_nr)
		out->rc = -DER_NONEXIST;
	else if (crt_corpc_root(rpc) != crt_iv_self(ns) && ns->classes[in->class_id].on_refresh != NULL)
		out->rc = ns->classes[in->class_id].on_refresh(ns, &in->key, in->invalidate ? NULL : &in->value,
							       ns->arg);
	if (ns != NULL)
		ns_put(ns);
	crt_reply_send(rpc); /* a failure is the parent's timeout */
}

static int
sync_aggregate(const void *source, void *result, crt_rpc_t *rpc)
{
	const struct crt_iv_sync_out *s = source;
	struct crt_iv_sync_out       *r = result;

	if (r->rc == 0)
		r->rc = s->rc;
	return r->rc;
}

const struct crt_corpc_ops crt_iv_sync_ops = {.co_aggregate = sync_aggregate};
