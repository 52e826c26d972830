/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The service's side of telling engines about containers. Those whose targets are all excluded are told as the others
 * are, but only for snapshots it matters whether they hear it: what of a destroyed container is left on them takes space,
 * and handles they ask for.
 */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/log.h"
#include "container/cont_internal.h"

struct cast {
	const unsigned char      *pool, *cont, *hdl;
	const struct cont_hdl_df *df;
	struct cont_snaps         snaps;
	d_iov_t                   hdls;
	const char               *what;
	struct pool_svc          *svc;
	bool                      all; /**< excluded ranks have to know, too */
};

_Static_assert(offsetof(struct cont_tgt_open_out, rc) == 0 && offsetof(struct cont_tgt_close_out, rc) == 0 &&
		   offsetof(struct cont_tgt_destroy_out, rc) == 0 && offsetof(struct cont_tgt_snaps_out, rc) == 0,
	       "cast_done()");

static int
cast_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	struct cast *cast = arg;

	if (rc == 0)
		rc = *(int32_t *)rpc->cr_output;
	if (rc != 0)
		D_INFO("pool " DF_UUID ": %s on rank %u: " DF_RC, DP_UUID(cast->pool), cast->what, rank, DP_RC(rc));
	return cast->all || pool_svc_rank_is_in(cast->svc, rank) ? rc : 0;
}

MAY_YIELD static int
cast_all(struct pool_svc *svc, uint32_t idx, void (*fill)(crt_rpc_t *rpc, void *arg), struct cast *cast)
{
	d_rank_list_t *ranks;
	int            rc = pool_svc_ranks_all(svc, &ranks);

	if (rc != 0)
		return rc;
	cast->svc = svc;
	cast->pool = svc->ps_rsvc.rs_uuid;
	rc = dss_rpc_multicast(dss_self(), ranks, DSS_TAG_SYS, CONT_OPC(idx), fill, cast_done, cast);
	d_rank_list_free(ranks);
	return rc;
}

static void
open_fill(crt_rpc_t *rpc, void *arg)
{
	struct cont_tgt_open_in *in = rpc->cr_input;
	const struct cast       *cast = arg;

	uuid_copy(in->pool.b, cast->pool);
	uuid_copy(in->cont.b, cast->cont);
	uuid_copy(in->cont_hdl.b, cast->hdl);
	uuid_copy(in->pool_hdl.b, cast->df->pool_hdl);
	in->flags = cast->df->flags;
	in->capas = cast->df->capas;
	in->snaps = cast->snaps;
}

MAY_YIELD int
cont_tgts_open(struct pool_svc *svc, const uuid_t cont, const uuid_t hdl, const struct cont_hdl_df *df,
	       struct cont_snaps snaps)
{
	struct cast cast = {.cont = cont, .hdl = hdl, .df = df, .snaps = snaps, .what = "opening a container"};

	return cast_all(svc, CONT_TGT_OPEN, open_fill, &cast);
}

static void
close_fill(crt_rpc_t *rpc, void *arg)
{
	struct cont_tgt_close_in *in = rpc->cr_input;
	const struct cast        *cast = arg;

	uuid_copy(in->pool.b, cast->pool);
	in->hdls = cast->hdls;
}

MAY_YIELD void
cont_tgts_close(struct pool_svc *svc, const uuid_t *hdls, uint32_t nr)
{
	struct cast cast = {.what = "closing containers"};

	d_iov_set(&cast.hdls, (void *)hdls, nr * sizeof(uuid_t));
	(void)!cast_all(svc, CONT_TGT_CLOSE, close_fill, &cast);
}

static void
destroy_fill(crt_rpc_t *rpc, void *arg)
{
	struct cont_tgt_destroy_in *in = rpc->cr_input;
	const struct cast          *cast = arg;

	uuid_copy(in->pool.b, cast->pool);
	uuid_copy(in->cont.b, cast->cont);
}

MAY_YIELD int
cont_tgts_destroy(struct pool_svc *svc, const uuid_t cont)
{
	struct cast cast = {.cont = cont, .what = "destroying a container"};

	return cast_all(svc, CONT_TGT_DESTROY, destroy_fill, &cast);
}

static void
snaps_fill(crt_rpc_t *rpc, void *arg)
{
	struct cont_tgt_snaps_in *in = rpc->cr_input;
	const struct cast        *cast = arg;

	uuid_copy(in->pool.b, cast->pool);
	uuid_copy(in->cont.b, cast->cont);
	in->snaps = cast->snaps;
}

MAY_YIELD int
cont_tgts_snaps(struct pool_svc *svc, const uuid_t cont, struct cont_snaps snaps)
{
	/* One that comes back without knowing a snapshot would reclaim what it keeps. */
	struct cast cast = {.cont = cont, .snaps = snaps, .what = "telling snapshots", .all = true};

	return cast_all(svc, CONT_TGT_SNAPS, snaps_fill, &cast);
}
