/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Attribute calls of pools; and what attribute and property calls of pools and containers share. */
#define D_LOGFAC LOG_FAC_POOL
#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_client_int.h"

/* ---- properties ---- */

int
dc_pool_prop_types(const daos_prop_t *prop, bool *ret_all, struct crt_u32_array *ret_types)
{
	uint32_t *v;

	*ret_all = prop->dpp_nr == 0;
	if (prop->dpp_nr == 0)
		return 0;
	if (prop->dpp_nr > DAOS_PROP_ENTRIES_MAX_NR)
		return -DER_INVAL;
	v = malloc(prop->dpp_nr * sizeof(*v));
	if (v == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < prop->dpp_nr; i++)
		v[i] = prop->dpp_entries[i].dpe_type;
	ret_types->v = v;
	ret_types->nr = prop->dpp_nr;
	return 0;
}

/** Move the value. */
static void
entry_take(struct daos_prop_entry *dst, struct daos_prop_entry *src)
{
	prop_entry_fini(dst);
	*dst = *src;
	src->dpe_type = 0; /* its list doesn't free it any more */
}

int
dc_pool_prop_hand_out(daos_prop_t *prop, daos_prop_t *got)
{
	if (got == NULL)
		return -DER_PROTO;
	if (prop->dpp_nr == 0) {
		prop->dpp_entries = calloc(got->dpp_nr, sizeof(*prop->dpp_entries));
		if (prop->dpp_entries == NULL)
			return -DER_NOMEM;
		prop->dpp_nr = got->dpp_nr;
		for (uint32_t i = 0; i < got->dpp_nr; i++)
			entry_take(&prop->dpp_entries[i], &got->dpp_entries[i]);
		return 0;
	}
	for (uint32_t i = 0; i < prop->dpp_nr; i++) {
		struct daos_prop_entry *src = daos_prop_entry_get(got, prop->dpp_entries[i].dpe_type);

		if (src == NULL)
			return -DER_PROTO;
		entry_take(&prop->dpp_entries[i], src);
	}
	return 0;
}

/* ---- attributes ---- */

int
dc_attrs_make(const struct dc_attr_args *args, bool values, struct pool_attrs *ret_attrs)
{
	struct pool_attr *v;

	if (args->n <= 0 || (uint32_t)args->n > POOL_ATTR_NR_MAX || args->names == NULL ||
	    (values && (args->in == NULL || args->in_sizes == NULL)))
		return -DER_INVAL;
	v = calloc(args->n, sizeof(*v));
	if (v == NULL)
		return -DER_NOMEM;
	for (int i = 0; i < args->n; i++) {
		bool bad = args->names[i] == NULL || args->names[i][0] == '\0' ||
			   strnlen(args->names[i], DAOS_ATTR_NAME_MAX + 1) > DAOS_ATTR_NAME_MAX;

		if (values && !bad)
			bad = args->in[i] == NULL || args->in_sizes[i] == 0;
		if (bad) {
			free(v);
			return -DER_INVAL;
		}
		v[i].name = (char *)args->names[i];
		if (values)
			d_iov_set(&v[i].value, (void *)args->in[i], args->in_sizes[i]);
	}
	ret_attrs->nr = args->n;
	ret_attrs->v = v;
	return 0;
}

void
dc_attrs_list_out(const struct dc_attr_args *args, const struct pool_attrs *attrs)
{
	size_t total = 0, room = args->buf == NULL ? 0 : *args->size;

	for (uint32_t i = 0; i < attrs->nr; i++) {
		size_t bytes = strlen(attrs->v[i].name) + 1;

		if (total + bytes <= room)
			memcpy(args->buf + total, attrs->v[i].name, bytes);
		else
			room = 0; /* no later, shorter one in its place */
		total += bytes;
	}
	*args->size = total;
}

int
dc_attrs_get_out(const struct dc_attr_args *args, const struct pool_attrs *attrs)
{
	if (attrs->nr != (uint32_t)args->n)
		return -DER_PROTO;
	for (int i = 0; i < args->n; i++) {
		const d_iov_t *value = &attrs->v[i].value;

		if (args->out != NULL && args->out[i] != NULL)
			memcpy(args->out[i], value->iov_buf, MIN_OF(args->out_sizes[i], value->iov_len));
		args->out_sizes[i] = value->iov_len;
	}
	return 0;
}

/* ---- calls of pools ---- */

struct attr_call {
	struct dc_pool     *pool;
	uint32_t            idx;
	struct dc_attr_args args;
	struct pool_attrs   attrs;
};

static int
attr_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	struct pool_attr_op_in *in = rpc->cr_input;
	struct attr_call       *call = arg;

	uuid_copy(in->pool.b, call->pool->dp_uuid);
	uuid_copy(in->hdl.b, call->pool->dp_hdl);
	in->attrs = call->attrs;
	return 0;
}

static int
attr_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	struct attr_call *call = arg;

	if (rc == 0 && call->idx == POOL_ATTR_LIST)
		dc_attrs_list_out(&call->args, &((struct pool_attr_op_out *)rpc->cr_output)->attrs);
	if (rc == 0 && call->idx == POOL_ATTR_GET)
		rc = dc_attrs_get_out(&call->args, &((struct pool_attr_op_out *)rpc->cr_output)->attrs);
	dc_pool_put(call->pool);
	free(call->attrs.v);
	free(call);
	return rc;
}

static int
attr_check(uint32_t idx, const struct dc_attr_args *args, struct pool_attrs *ret_attrs)
{
	if (idx == POOL_ATTR_LIST)
		return args->size == NULL ? -DER_INVAL : 0;
	if (idx == POOL_ATTR_GET && args->out_sizes == NULL)
		return -DER_INVAL;
	return dc_attrs_make(args, idx == POOL_ATTR_SET, ret_attrs);
}

static int
attr_start(tse_task_t *task, daos_handle_t poh, uint32_t idx, const struct dc_attr_args *args)
{
	struct dc_pool    *pool = dc_hdl2pool(dc_task2client(task), poh);
	struct attr_call  *attr = pool == NULL ? NULL : calloc(1, sizeof(*attr));
	struct dc_svc_call call = {.opc = POOL_OPC(idx),
				   .fill = attr_fill,
				   .result = dc_pool_rpc_result,
				   .done = attr_done,
				   .arg = attr};
	int                rc = pool == NULL ? -DER_NO_HDL : attr == NULL ? -DER_NOMEM : 0;

	if (rc == 0) {
		attr->pool = pool;
		attr->idx = idx;
		attr->args = *args;
		rc = attr_check(idx, args, &attr->attrs);
	}
	if (rc != 0) {
		if (pool != NULL)
			dc_pool_put(pool);
		free(attr);
		tse_task_complete(task, rc);
		return rc;
	}
	call.svc = &pool->dp_svc;
	return dc_svc_call(task, &call);
}

int
dc_pool_list_attr(tse_task_t *task)
{
	const daos_pool_list_attr_t *a = dc_task_get_args(task);
	struct dc_attr_args          args = {.buf = a->buf, .size = a->size};

	return attr_start(task, a->poh, POOL_ATTR_LIST, &args);
}

int
dc_pool_get_attr(tse_task_t *task)
{
	const daos_pool_get_attr_t *a = dc_task_get_args(task);
	struct dc_attr_args         args = {.n = a->n, .names = a->names, .out = a->values, .out_sizes = a->sizes};

	return attr_start(task, a->poh, POOL_ATTR_GET, &args);
}

int
dc_pool_set_attr(tse_task_t *task)
{
	const daos_pool_set_attr_t *a = dc_task_get_args(task);
	struct dc_attr_args         args = {.n = a->n, .names = a->names, .in = a->values, .in_sizes = a->sizes};

	return attr_start(task, a->poh, POOL_ATTR_SET, &args);
}

int
dc_pool_del_attr(tse_task_t *task)
{
	const daos_pool_del_attr_t *a = dc_task_get_args(task);
	struct dc_attr_args         args = {.n = a->n, .names = a->names};

	return attr_start(task, a->poh, POOL_ATTR_DEL, &args);
}
