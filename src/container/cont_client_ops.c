/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Calls about an open container: query, properties, attributes, object numbers, snapshots. */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "container/cont_client_int.h"
#include "platform/platform.h"

/** A call under way: what it needs besides its arguments. */
struct op {
	struct dc_cont      *cont;
	uint32_t             idx;
	daos_prop_t         *prop;  /* query: to be filled */
	bool                 prop_all;
	struct crt_u32_array types;
	d_iov_t              props; /* set */
	struct dc_attr_args  args;
	struct pool_attrs    attrs;
	uint64_t             lo, hi;
};

static void
op_free(struct op *op)
{
	dc_cont_put(op->cont);
	free(op->types.v);
	free(op->props.iov_buf);
	free(op->attrs.v);
	free(op);
}

/** @ret_op with the container of the handle. */
static int
op_make(tse_task_t *task, daos_handle_t coh, uint32_t idx, struct op **ret_op)
{
	struct dc_cont *cont = dc_hdl2cont(dc_task2client(task), coh);
	struct op      *op;

	if (cont == NULL)
		return -DER_NO_HDL;
	op = calloc(1, sizeof(*op));
	if (op == NULL) {
		dc_cont_put(cont);
		return -DER_NOMEM;
	}
	op->cont = cont;
	op->idx = idx;
	*ret_op = op;
	return 0;
}

static int
op_call(tse_task_t *task, struct op *op, int (*fill)(tse_task_t *task, crt_rpc_t *rpc, void *arg), dc_rpc_done_t done)
{
	struct dc_svc_call call = {.svc = &op->cont->dc_pool->dp_svc,
				   .opc = CONT_OPC(op->idx),
				   .fill = fill,
				   .result = dc_pool_rpc_result,
				   .done = done,
				   .arg = op};

	return dc_svc_call(task, &call);
}

static int
op_fail(tse_task_t *task, struct op *op, int rc)
{
	op_free(op);
	return cont_task_fail(task, rc);
}

/** For requests whose reply says nothing else. */
static int
plain_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	op_free(arg);
	return rc;
}

/* ---- query ---- */

static int
query_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	struct cont_query_in *in = rpc->cr_input;
	struct op            *op = arg;

	cont_head(in, op->cont);
	in->prop_all = op->prop_all;
	in->prop_types = op->types;
	return 0;
}

static int
query_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_cont_query_t *args = dc_task_get_args(task);
	struct cont_query_out   *out = rc == 0 ? rpc->cr_output : NULL;
	struct op               *op = arg;
	daos_prop_t             *got = NULL;

	if (rc == 0 && args->info != NULL)
		*args->info = out->info;
	if (rc == 0 && op->prop != NULL) {
		rc = prop_list_decode(out->props.iov_buf, out->props.iov_len, &got);
		if (rc == 0)
			rc = dc_pool_prop_hand_out(op->prop, got);
		daos_prop_free(got);
	}
	op_free(op);
	return rc;
}

int
dc_cont_query(tse_task_t *task)
{
	const daos_cont_query_t *args = dc_task_get_args(task);
	struct op               *op;
	int                      rc = op_make(task, args->coh, CONT_QUERY, &op);

	if (rc != 0)
		return cont_task_fail(task, rc);
	op->prop = args->prop;
	if (op->prop != NULL)
		rc = dc_pool_prop_types(op->prop, &op->prop_all, &op->types);
	return rc != 0 ? op_fail(task, op, rc) : op_call(task, op, query_fill, query_done);
}

/* ---- set properties ---- */

static int
prop_set_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	struct cont_prop_set_in *in = rpc->cr_input;
	struct op               *op = arg;

	cont_head(in, op->cont);
	in->props = op->props;
	return 0;
}

int
dc_cont_set_prop(tse_task_t *task)
{
	const daos_cont_set_prop_t *args = dc_task_get_args(task);
	struct op                  *op;
	int                         rc = op_make(task, args->coh, CONT_PROP_SET, &op);

	if (rc != 0)
		return cont_task_fail(task, rc);
	rc = args->prop == NULL || args->prop->dpp_nr == 0
		 ? -DER_INVAL : prop_list_check(PROP_CONT, args->prop, PROP_SERVICE | PROP_CREATE);
	if (rc == 0)
		rc = prop_list_encode(args->prop, &op->props);
	return rc != 0 ? op_fail(task, op, rc) : op_call(task, op, prop_set_fill, plain_done);
}

/* ---- object numbers ---- */

static int
oids_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	const daos_cont_alloc_oids_t *args = dc_task_get_args(task);
	struct cont_alloc_oids_in    *in = rpc->cr_input;

	cont_head(in, ((struct op *)arg)->cont);
	in->num = args->num_oids;
	return 0;
}

static int
oids_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_cont_alloc_oids_t *args = dc_task_get_args(task);

	if (rc == 0)
		*args->oid = ((struct cont_alloc_oids_out *)rpc->cr_output)->oid;
	op_free(arg);
	return rc;
}

int
dc_cont_alloc_oids(tse_task_t *task)
{
	const daos_cont_alloc_oids_t *args = dc_task_get_args(task);
	struct op                    *op;
	int                           rc = op_make(task, args->coh, CONT_ALLOC_OIDS, &op);

	if (rc != 0)
		return cont_task_fail(task, rc);
	if (args->oid == NULL || args->num_oids == 0)
		return op_fail(task, op, -DER_INVAL);
	return op_call(task, op, oids_fill, oids_done);
}

/* ---- attributes ---- */

static int
attr_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	struct cont_attr_op_in *in = rpc->cr_input;
	struct op              *op = arg;

	cont_head(in, op->cont);
	in->attrs = op->attrs;
	return 0;
}

static int
attr_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	struct op *op = arg;

	if (rc == 0 && op->idx == CONT_ATTR_LIST)
		dc_attrs_list_out(&op->args, &((struct cont_attr_op_out *)rpc->cr_output)->attrs);
	if (rc == 0 && op->idx == CONT_ATTR_GET)
		rc = dc_attrs_get_out(&op->args, &((struct cont_attr_op_out *)rpc->cr_output)->attrs);
	op_free(op);
	return rc;
}

static int
attr_start(tse_task_t *task, daos_handle_t coh, uint32_t idx, const struct dc_attr_args *args)
{
	struct op *op;
	int        rc = op_make(task, coh, idx, &op);

	if (rc != 0)
		return cont_task_fail(task, rc);
	op->args = *args;
	if (idx == CONT_ATTR_LIST)
		rc = args->size == NULL ? -DER_INVAL : 0;
	else if (idx == CONT_ATTR_GET && args->out_sizes == NULL)
		rc = -DER_INVAL;
	else
		rc = dc_attrs_make(args, idx == CONT_ATTR_SET, &op->attrs);
	return rc != 0 ? op_fail(task, op, rc) : op_call(task, op, attr_fill, attr_done);
}

int
dc_cont_list_attr(tse_task_t *task)
{
	const daos_cont_list_attr_t *a = dc_task_get_args(task);
	struct dc_attr_args          args = {.buf = a->buf, .size = a->size};

	return attr_start(task, a->coh, CONT_ATTR_LIST, &args);
}

int
dc_cont_get_attr(tse_task_t *task)
{
	const daos_cont_get_attr_t *a = dc_task_get_args(task);
	struct dc_attr_args         args = {.n = a->n, .names = a->names, .out = a->values, .out_sizes = a->sizes};

	return attr_start(task, a->coh, CONT_ATTR_GET, &args);
}

int
dc_cont_set_attr(tse_task_t *task)
{
	const daos_cont_set_attr_t *a = dc_task_get_args(task);
	struct dc_attr_args         args = {.n = a->n, .names = a->names, .in = a->values, .in_sizes = a->sizes};

	return attr_start(task, a->coh, CONT_ATTR_SET, &args);
}

int
dc_cont_del_attr(tse_task_t *task)
{
	const daos_cont_del_attr_t *a = dc_task_get_args(task);
	struct dc_attr_args         args = {.n = a->n, .names = a->names};

	return attr_start(task, a->coh, CONT_ATTR_DEL, &args);
}

/* ---- snapshots ---- */

static int
snap_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	struct cont_snap_op_in *in = rpc->cr_input;
	struct op              *op = arg;

	cont_head(in, op->cont);
	in->lo = op->lo;
	in->hi = op->hi;
	return 0;
}

static int
snap_create_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_cont_create_snap_t *args = dc_task_get_args(task);
	struct cont_snap_op_out     *out = rc == 0 ? rpc->cr_output : NULL;

	if (rc == 0 && out->epochs.nr != 1)
		rc = -DER_PROTO;
	if (rc == 0)
		*args->epoch = out->epochs.v[0];
	op_free(arg);
	return rc;
}

int
dc_cont_create_snap(tse_task_t *task)
{
	const daos_cont_create_snap_t *args = dc_task_get_args(task);
	struct op                   *op;
	int                          rc = op_make(task, args->coh, CONT_SNAP_CREATE, &op);

	if (rc != 0)
		return cont_task_fail(task, rc);
	if (args->epoch == NULL || args->name != NULL)
		return op_fail(task, op, args->epoch == NULL ? -DER_INVAL : -DER_NOTSUPPORTED);
	op->lo = plat_random(); /* names this call: asked again, it takes no second snapshot */
	return op_call(task, op, snap_fill, snap_create_done);
}

int
dc_cont_destroy_snap(tse_task_t *task)
{
	const daos_cont_destroy_snap_t *args = dc_task_get_args(task);
	struct op                    *op;
	int                           rc = op_make(task, args->coh, CONT_SNAP_DESTROY, &op);

	if (rc != 0)
		return cont_task_fail(task, rc);
	op->lo = args->epr.epr_lo;
	op->hi = args->epr.epr_hi;
	if (op->lo > op->hi)
		return op_fail(task, op, -DER_INVAL);
	return op_call(task, op, snap_fill, plain_done);
}

/** Go on after the epoch in the anchor, which moves; snapshots have no names. */
static void
snaps_copy(const daos_cont_list_snap_t *args, const struct crt_u64_array *all)
{
	uint32_t     room = args->epochs == NULL || *args->nr < 0 ? 0 : (uint32_t)*args->nr, nr = 0, at = 0;
	daos_epoch_t last;

	memcpy(&last, args->anchor->da_buf, sizeof(last)); /* 0 at the start */
	while (at < all->nr && all->v[at] <= last)
		at++;
	for (; nr < room && at < all->nr; nr++, at++) {
		last = args->epochs[nr] = all->v[at];
		if (args->names != NULL)
			args->names[nr][0] = '\0';
	}
	memcpy(args->anchor->da_buf, &last, sizeof(last));
	args->anchor->da_type = at < all->nr ? DAOS_ANCHOR_TYPE_HKEY : DAOS_ANCHOR_TYPE_EOF;
}

static int
snap_list_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_cont_list_snap_t *args = dc_task_get_args(task);
	struct cont_snap_op_out     *out = rc == 0 ? rpc->cr_output : NULL;

	if (rc == 0) {
		snaps_copy(args, &out->epochs);
		*args->nr = (int)out->epochs.nr;
	}
	op_free(arg);
	return rc;
}

int
dc_cont_list_snap(tse_task_t *task)
{
	const daos_cont_list_snap_t *args = dc_task_get_args(task);
	struct op                 *op;
	int                        rc = op_make(task, args->coh, CONT_SNAP_LIST, &op);

	if (rc != 0)
		return cont_task_fail(task, rc);
	if (args->nr == NULL || args->anchor == NULL)
		return op_fail(task, op, -DER_INVAL);
	return op_call(task, op, snap_fill, snap_list_done);
}

static int
snap_open_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_tx_open_snap_t *args = dc_task_get_args(task);
	struct cont_snap_op_out   *out = rc == 0 ? rpc->cr_output : NULL;
	struct op                 *op = arg;
	uint32_t                   i = 0;

	while (rc == 0 && i < out->epochs.nr && out->epochs.v[i] != args->epoch)
		i++;
	if (rc == 0 && i == out->epochs.nr)
		rc = -DER_NONEXIST;
	if (rc == 0)
		rc = cont_tx_insert(dc_task2client(task), op->cont, args->epoch, args->th);
	op_free(op);
	return rc;
}

int
dc_tx_open_snap(tse_task_t *task)
{
	const daos_tx_open_snap_t *args = dc_task_get_args(task);
	struct op                 *op;
	int                        rc = op_make(task, args->coh, CONT_SNAP_LIST, &op);

	return rc != 0 ? cont_task_fail(task, rc) : op_call(task, op, snap_fill, snap_open_done);
}
