/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Requests to an engine that holds targets of a pool. Other engines alone may send them. */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_internal.h"

static bool
from_client(const crt_rpc_t *rpc)
{
	return rpc->cr_ep.ep_rank == CRT_NO_RANK;
}

MAY_YIELD void
pool_tgt_create_handler(crt_rpc_t *rpc)
{
	struct pool_tgt_create_in  *in = rpc->cr_input;
	struct pool_tgt_create_out *out = rpc->cr_output;
	struct vos_pool_size        size;
	int                         rc = from_client(rpc) ? -DER_NO_PERM : 0;

	if (rc == 0 && (in->tgt_nr == 0 || in->meta_bytes / in->tgt_nr == 0))
		rc = -DER_INVAL;
	if (rc == 0) {
		size = (struct vos_pool_size){.meta_bytes = in->meta_bytes / in->tgt_nr,
					      .data_bytes = in->data_bytes / in->tgt_nr,
					      .csums = true};
		rc = pool_tgts_create(dss_engine(), in->pool.b, in->tgt_nr, &size);
	}
	if (rc != 0)
		D_ERROR("pool " DF_UUID ": %u targets with %lu bytes for metadata and %lu for data cannot be made here: "
			DF_RC, DP_UUID(in->pool.b), in->tgt_nr, (unsigned long)in->meta_bytes,
			(unsigned long)in->data_bytes, DP_RC(rc));
	out->rc = rc;
	crt_reply_send(rpc);
}

MAY_YIELD void
pool_tgt_destroy_handler(crt_rpc_t *rpc)
{
	struct pool_tgt_destroy_in  *in = rpc->cr_input;
	struct pool_tgt_destroy_out *out = rpc->cr_output;

	out->rc = from_client(rpc) ? -DER_NO_PERM : pool_tgts_destroy(dss_engine(), in->pool.b);
	if (out->rc != 0)
		D_ERROR("pool " DF_UUID ": its targets here cannot be destroyed: " DF_RC, DP_UUID(in->pool.b),
			DP_RC(out->rc));
	crt_reply_send(rpc);
}

MAY_YIELD void
pool_tgt_query_handler(crt_rpc_t *rpc)
{
	struct pool_tgt_query_in  *in = rpc->cr_input;
	struct pool_tgt_query_out *out = rpc->cr_output;
	uint64_t                  *v = NULL;

	out->rc = from_client(rpc) ? -DER_NO_PERM : pool_tgts_space(dss_engine(), in->pool.b, &v, &out->space.nr);
	if (out->rc == -DER_NONEXIST && !pool_module_of(dss_engine())->set_up)
		out->rc = -DER_AGAIN; /* what is stored here is not started yet */
	out->space.v = v;
	crt_reply_send(rpc);
	out->space.nr = 0;
	out->space.v = NULL;
	free(v);
}

MAY_YIELD static int
tgt_update(const struct pool_tgt_update_in *in)
{
	struct ds_pool *pool = ds_pool_lookup(dss_engine(), in->pool.b);
	daos_prop_t    *prop = NULL;
	int             rc;

	if (pool == NULL)
		return -DER_NONEXIST;
	rc = ds_pool_learn(pool, &in->map, in->svc_ranks);
	if (rc == 0)
		rc = prop_list_decode(in->props.iov_buf, in->props.iov_len, &prop);
	if (rc == 0 && prop != NULL)
		pool_apply_props(pool, prop);
	daos_prop_free(prop);
	ds_pool_put(pool);
	return rc;
}

MAY_YIELD void
pool_tgt_update_handler(crt_rpc_t *rpc)
{
	struct pool_tgt_update_out *out = rpc->cr_output;

	out->rc = from_client(rpc) ? -DER_NO_PERM : tgt_update(rpc->cr_input);
	crt_reply_send(rpc);
}

struct hdls_arg {
	const unsigned char *pool;
	const uuid_t        *hdls;
	uint32_t             nr;
};

MAY_YIELD static int
hdls_close_on(void *varg, uint32_t tgt)
{
	struct hdls_arg               *arg = varg;
	const struct ds_pool_cont_ops *ops = pool_module_of(dss_engine())->cont_ops;
	struct ds_pool_child          *child = ds_pool_child_lookup(arg->pool);

	if (child == NULL)
		return 0;
	if (ops != NULL)
		ops->child_hdls_closed(child, arg->hdls, arg->nr);
	ds_pool_child_put(child);
	return 0;
}

MAY_YIELD void
pool_tgt_hdls_close_handler(crt_rpc_t *rpc)
{
	struct pool_tgt_hdls_close_in  *in = rpc->cr_input;
	struct pool_tgt_hdls_close_out *out = rpc->cr_output;
	struct hdls_arg                 arg = {.pool = in->pool.b, .hdls = in->hdls.iov_buf};

	arg.nr = in->hdls.iov_len / sizeof(uuid_t);
	if (from_client(rpc))
		out->rc = -DER_NO_PERM;
	else if (in->hdls.iov_len % sizeof(uuid_t) != 0)
		out->rc = -DER_INVAL;
	else
		out->rc = dss_tgt_collective(dss_engine(), hdls_close_on, &arg);
	crt_reply_send(rpc);
}
