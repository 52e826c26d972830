/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Incast variables: what the root tells all ranks, by a collective request. */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_iv_internal.h"

static void
spread_done(const struct crt_cb_info *info)
{
	struct iv_op *op = info->cci_arg;

	if (info->cci_rc != 0)
		D_WARN("IV namespace %u: %u ranks were not told: " DF_RC "\n", op->ns->id,
		       crt_corpc_failed(info->cci_rpc)->rl_nr, DP_RC(info->cci_rc));
	if (op->sync == CRT_IV_SYNC_EAGER) {
		iv_op_end(op, NULL, info->cci_rc == 0 ? 0 : -DER_CORPC_INCOMPLETE);
		return;
	}
	iv_ns_put(op->ns); /* LAZY: was answered before */
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
	if (!in->invalidate) {
		in->value   = op->value;
		in->version = op->version;
	}
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
	dup->rpc   = NULL;
	dup->cb    = NULL;
	dup->reply = NULL;
	memcpy(dup->buf, op->key.iov_buf, op->key.iov_len);
	d_iov_set(&dup->key, dup->buf, op->key.iov_len);
	if (op->value.iov_len > 0)
		memcpy(dup->buf + op->key.iov_len, op->value.iov_buf, op->value.iov_len);
	d_iov_set(&dup->value, dup->buf + op->key.iov_len, op->value.iov_len);
	iv_ns_ref(op->ns);
	return dup;
}

void
iv_root_spread(struct iv_op *op)
{
	struct iv_op *spread = op;
	crt_rpc_t    *req;
	int           rc;

	if (op->sync == CRT_IV_SYNC_NONE) {
		iv_op_end(op, NULL, 0);
		return;
	}
	if (op->sync == CRT_IV_SYNC_LAZY) {
		spread = op_dup(op);
		iv_op_end(op, NULL, spread == NULL ? -DER_NOMEM : 0);
		if (spread == NULL)
			return;
	}
	rc = spread_create(spread, &req);
	if (rc == 0) {
		crt_req_send(req, spread_done, spread);
	} else {
		D_WARN("IV namespace %u: nobody was told: " DF_RC "\n", spread->ns->id, DP_RC(rc));
		iv_op_end(spread, NULL, rc);
	}
}

/* ---- at the other ranks ---- */

static void
sync_taken(struct iv_op *op)
{
	((struct crt_iv_sync_out *)op->rpc->cr_output)->rc = op->refresh_rc;
	crt_reply_send(op->rpc); /* a failure is the parent's timeout */
	crt_req_decref(op->rpc);
	iv_ns_put(op->ns);
	free(op);
}

/** Takes the reference of @ns. Returns an error of what was asked for, or 0: it goes on, and replies. */
static int
sync_take(crt_rpc_t *rpc, struct crt_iv_ns *ns)
{
	const struct crt_iv_sync_in *in = rpc->cr_input;
	struct iv_op                *op;

	if (in->class_id >= ns->class_nr)
		return -DER_NONEXIST;
	op = iv_op_alloc(IV_UPDATE, in->class_id, &in->key, &in->value, 0);
	if (op == NULL)
		return -DER_NOMEM;
	op->ns        = ns;
	op->rpc       = rpc;
	op->value_mem = (struct crt_iv_value){.data = in->value, .version = in->version};
	crt_req_addref(rpc);
	if (crt_corpc_root(rpc) == crt_iv_self(ns))
		sync_taken(op); /* it has it */
	else
		iv_op_refresh(op, in->invalidate ? NULL : &op->value_mem, sync_taken);
	return 0;
}

void
crt_iv_sync_handler(crt_rpc_t *rpc)
{
	const struct crt_iv_sync_in *in  = rpc->cr_input;
	struct crt_iv_sync_out      *out = rpc->cr_output;
	struct crt_iv_ns            *ns  = iv_ns_get(rpc->cr_ctx, in->ns_id);

	out->rc = ns == NULL ? -DER_NONEXIST : sync_take(rpc, ns);
	if (out->rc == 0)
		return;
	if (ns != NULL)
		iv_ns_put(ns);
	crt_reply_send(rpc); /* a failure is the parent's timeout */
}

static int
sync_pre_forward(crt_rpc_t *rpc, void *arg)
{
	const struct crt_iv_sync_in *in    = rpc->cr_input;
	struct crt_iv_value          value = {.data = in->value, .version = in->version};
	struct crt_iv_ns            *ns    = iv_ns_get(rpc->cr_ctx, in->ns_id);
	int                          rc    = 0;

	(void)arg;
	if (ns == NULL)
		return 0; /* the handler says so; those below may have it */
	if (in->class_id < ns->class_nr && ns->classes[in->class_id].pre_sync != NULL)
		rc = ns->classes[in->class_id].pre_sync(ns, &in->key, in->invalidate ? NULL : &value, ns->arg);
	iv_ns_put(ns);
	return rc;
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

const struct crt_corpc_ops crt_iv_sync_ops = {.co_aggregate = sync_aggregate, .co_pre_forward = sync_pre_forward};
