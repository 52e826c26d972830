/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Requests of a pool's service to the engines that hold its targets: done on all their targets. */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/log.h"
#include "container/cont_internal.h"

/** Run on each target of the pool; nothing where the pool isn't. */
struct each {
	const unsigned char *pool;
	MAY_YIELD int (*fn)(struct cont_tgt *tgt, const void *in);
	const void          *in;
};

MAY_YIELD static int
each_on(void *arg, uint32_t idx)
{
	struct each          *each = arg;
	struct ds_pool_child *child = ds_pool_child_lookup(each->pool);
	int                   rc;

	if (child == NULL)
		return 0;
	rc = each->fn(child->spc_cont_data, each->in);
	ds_pool_child_put(child);
	return rc;
}

MAY_YIELD static int
on_each(const crt_rpc_t *rpc, const uuid_t pool, int (*fn)(struct cont_tgt *tgt, const void *in))
{
	struct each     each = {.pool = pool, .fn = fn, .in = rpc->cr_input};
	struct ds_pool *sp;
	int             rc;

	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		return -DER_NO_PERM;
	sp = ds_pool_lookup(dss_engine(), pool);
	if (sp == NULL) /* an engine that restarts: NONEXIST would be taken for the container's */
		return -DER_AGAIN;
	rc = dss_tgt_collective(dss_engine(), each_on, &each);
	ds_pool_put(sp);
	return rc;
}

MAY_YIELD static int
open_one(struct cont_tgt *tgt, const void *vin)
{
	const struct cont_tgt_open_in *in = vin;
	struct cont_open_arg           arg = {.cont = in->cont.b, .hdl = in->cont_hdl.b, .pool_hdl = in->pool_hdl.b,
					      .flags = in->flags, .capas = in->capas, .snaps = in->snaps};

	return cont_tgt_open(tgt, &arg);
}

MAY_YIELD void
cont_tgt_open_handler(crt_rpc_t *rpc)
{
	struct cont_tgt_open_in  *in = rpc->cr_input;
	struct cont_tgt_open_out *out = rpc->cr_output;

	out->rc = on_each(rpc, in->pool.b, open_one);
	crt_reply_send(rpc);
}

MAY_YIELD static int
close_one(struct cont_tgt *tgt, const void *vin)
{
	const struct cont_tgt_close_in *in = vin;
	const uuid_t                   *hdls = in->hdls.iov_buf;

	for (size_t i = 0; i < in->hdls.iov_len / sizeof(uuid_t); i++)
		cont_tgt_close(tgt, hdls[i]);
	return 0;
}

MAY_YIELD void
cont_tgt_close_handler(crt_rpc_t *rpc)
{
	struct cont_tgt_close_in  *in = rpc->cr_input;
	struct cont_tgt_close_out *out = rpc->cr_output;

	out->rc = in->hdls.iov_len % sizeof(uuid_t) != 0 ? -DER_INVAL : on_each(rpc, in->pool.b, close_one);
	crt_reply_send(rpc);
}

MAY_YIELD static int
destroy_one(struct cont_tgt *tgt, const void *vin)
{
	return cont_tgt_destroy(tgt, ((const struct cont_tgt_destroy_in *)vin)->cont.b);
}

MAY_YIELD void
cont_tgt_destroy_handler(crt_rpc_t *rpc)
{
	struct cont_tgt_destroy_in  *in = rpc->cr_input;
	struct cont_tgt_destroy_out *out = rpc->cr_output;

	out->rc = on_each(rpc, in->pool.b, destroy_one);
	crt_reply_send(rpc);
}

MAY_YIELD static int
snaps_one(struct cont_tgt *tgt, const void *vin)
{
	const struct cont_tgt_snaps_in *in = vin;

	return cont_tgt_set_snaps(tgt, in->cont.b, in->snaps);
}

MAY_YIELD void
cont_tgt_snaps_handler(crt_rpc_t *rpc)
{
	struct cont_tgt_snaps_in  *in = rpc->cr_input;
	struct cont_tgt_snaps_out *out = rpc->cr_output;

	out->rc = on_each(rpc, in->pool.b, snaps_one);
	crt_reply_send(rpc);
}
