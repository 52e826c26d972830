/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The service's side of talking to the engines that hold the pool's targets. */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_internal.h"

/** An engine that doesn't answer keeps whoever waits for the others this long. */
#define TELL_TIMEOUT_S 5

static bool
dom_is_in(const struct pool_map *map, const struct pool_domain *dom)
{
	for (uint32_t t = 0; t < dom->tgt_nr; t++) {
		if (pool_map_target(map, dom->tgt_first + t)->status & (PO_COMP_ST_UP | PO_COMP_ST_UPIN | PO_COMP_ST_DRAIN))
			return true;
	}
	return false;
}

bool
pool_svc_rank_is_in(struct pool_svc *svc, d_rank_t rank)
{
	for (uint32_t i = 0; i < pool_map_rank_nr(svc->ps_map); i++) {
		if (pool_map_domain(svc->ps_map, i)->rank == rank)
			return dom_is_in(svc->ps_map, pool_map_domain(svc->ps_map, i));
	}
	return false;
}

static int
ranks_of_map(const struct pool_map *map, bool all, d_rank_list_t **ret_ranks)
{
	d_rank_list_t *ranks = d_rank_list_alloc(pool_map_rank_nr(map));
	uint32_t       nr = 0;

	if (ranks == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < pool_map_rank_nr(map); i++) {
		const struct pool_domain *dom = pool_map_domain(map, i);

		if (all || dom_is_in(map, dom))
			ranks->rl_ranks[nr++] = dom->rank;
	}
	ranks->rl_nr = nr;
	*ret_ranks = ranks;
	return 0;
}

int
pool_svc_ranks_in(struct pool_svc *svc, d_rank_list_t **ret_ranks)
{
	return ranks_of_map(svc->ps_map, false, ret_ranks);
}

int
pool_svc_ranks_all(struct pool_svc *svc, d_rank_list_t **ret_ranks)
{
	return ranks_of_map(svc->ps_map, true, ret_ranks);
}

/* ---- telling ---- */

struct update_cast {
	uuid_t         pool;
	d_iov_t        map, props;
	d_rank_list_t *svc_ranks;
	uint32_t       version;
	struct crt_u32_array *untold; /**< may be NULL */
};

static void
update_fill(crt_rpc_t *rpc, void *arg)
{
	struct pool_tgt_update_in *in = rpc->cr_input;
	struct update_cast        *cast = arg;

	uuid_copy(in->pool.b, cast->pool);
	in->map = cast->map;
	in->props = cast->props;
	in->svc_ranks = cast->svc_ranks;
	D_ASSERT(crt_req_set_timeout(rpc, TELL_TIMEOUT_S) == 0);
}

static int
update_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	struct update_cast *cast = arg;

	if (rc == 0)
		rc = ((struct pool_tgt_update_out *)rpc->cr_output)->rc;
	if (rc == 0)
		return 0;
	D_INFO("pool " DF_UUID ": rank %u was not told map version %u: " DF_RC, DP_UUID(cast->pool), rank, cast->version,
	       DP_RC(rc));
	if (cast->untold != NULL)
		cast->untold->v[cast->untold->nr++] = rank;
	return 0;
}

/** The properties that targets act upon. */
MAY_YIELD static int
tgt_props(struct pool_svc *svc, d_iov_t *ret_iov)
{
	static const uint32_t types[] = {DAOS_PROP_PO_DATA_THRESH, DAOS_PROP_PO_SPACE_RB, DAOS_PROP_PO_RECLAIM};
	struct rdb_path       path = pool_path(POOL_KVS_PROPS);
	daos_prop_t          *prop = NULL;
	struct rdb_tx        *tx;
	int                   rc = pool_tx_begin(svc, false, &tx);

	if (rc != 0)
		return rc;
	rc = pool_tx_end(svc, tx, false, pool_props_get(tx, &path, false, types, ARRAY_NR(types), &prop));
	if (rc == 0)
		rc = prop_list_encode(prop, ret_iov);
	daos_prop_free(prop);
	return rc;
}

MAY_YIELD static int
update_prepare(struct pool_svc *svc, struct update_cast *cast, d_rank_list_t **ret_ranks)
{
	void  *buf;
	size_t bytes;
	int    rc = tgt_props(svc, &cast->props);

	if (rc != 0)
		return rc;
	bytes = pool_map_packed_bytes(svc->ps_map);
	buf = malloc(bytes);
	if (buf == NULL)
		return -DER_NOMEM;
	pool_map_pack(svc->ps_map, buf);
	cast->version = pool_map_version(svc->ps_map);
	d_iov_set(&cast->map, buf, bytes);
	rc = rdb_get_replicas(svc->ps_rsvc.rs_rdb, &cast->svc_ranks);
	return rc != 0 ? rc : pool_svc_ranks_all(svc, ret_ranks);
}

/** None of them knows. */
static void
all_untold(struct pool_svc *svc, struct crt_u32_array *untold)
{
	for (untold->nr = 0; untold->nr < pool_map_rank_nr(svc->ps_map); untold->nr++)
		untold->v[untold->nr] = pool_map_domain(svc->ps_map, untold->nr)->rank;
}

MAY_YIELD void
pool_svc_distribute(struct pool_svc *svc, struct crt_u32_array *untold)
{
	struct update_cast cast = {.untold = untold};
	d_rank_list_t     *ranks = NULL;
	int                rc;

	uuid_copy(cast.pool, svc->ps_rsvc.rs_uuid);
	rc = update_prepare(svc, &cast, &ranks);
	if (rc == 0)
		rc = dss_rpc_multicast(dss_self(), ranks, DSS_TAG_SYS, POOL_OPC(POOL_TGT_UPDATE), update_fill,
				       update_done, &cast);
	if (rc != 0)
		D_ERROR("pool " DF_UUID ": its engines were not told the map: " DF_RC, DP_UUID(cast.pool), DP_RC(rc));
	if (rc != 0 && untold != NULL)
		all_untold(svc, untold);
	free(cast.map.iov_buf);
	free(cast.props.iov_buf);
	d_rank_list_free(cast.svc_ranks);
	d_rank_list_free(ranks);
}

struct close_cast {
	uuid_t  pool;
	d_iov_t hdls;
};

static void
close_fill(crt_rpc_t *rpc, void *arg)
{
	struct pool_tgt_hdls_close_in *in = rpc->cr_input;
	struct close_cast             *cast = arg;

	uuid_copy(in->pool.b, cast->pool);
	in->hdls = cast->hdls;
}

static int
close_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	if (rc == 0)
		rc = ((struct pool_tgt_hdls_close_out *)rpc->cr_output)->rc;
	if (rc != 0)
		D_WARN("pool " DF_UUID ": rank %u was not told of closed handles: " DF_RC,
		       DP_UUID(((struct close_cast *)arg)->pool), rank, DP_RC(rc));
	return 0;
}

MAY_YIELD void
pool_svc_close_tgt_hdls(struct pool_svc *svc, const uuid_t *hdls, uint32_t nr)
{
	struct close_cast cast;
	d_rank_list_t    *ranks;

	uuid_copy(cast.pool, svc->ps_rsvc.rs_uuid);
	d_iov_set(&cast.hdls, (void *)hdls, nr * sizeof(uuid_t));
	if (pool_svc_ranks_in(svc, &ranks) != 0)
		return;
	(void)!dss_rpc_multicast(dss_self(), ranks, DSS_TAG_SYS, POOL_OPC(POOL_TGT_HDLS_CLOSE), close_fill, close_done,
				 &cast);
	d_rank_list_free(ranks);
}

/* ---- asking for space ---- */

struct space_cast {
	uuid_t                  pool;
	struct daos_pool_space *space;
};

static void
space_fill(crt_rpc_t *rpc, void *arg)
{
	uuid_copy(((struct pool_tgt_query_in *)rpc->cr_input)->pool.b, ((struct space_cast *)arg)->pool);
}

static void
space_add(struct daos_pool_space *ps, const uint64_t *v)
{
	for (int m = 0; m < DAOS_MEDIA_MAX; m++) {
		uint64_t total = v[2 * m], free_bytes = v[2 * m + 1];

		ps->ps_space.s_total[m] += total;
		ps->ps_space.s_free[m] += free_bytes;
		ps->ps_free_max[m] = MAX_OF(ps->ps_free_max[m], free_bytes);
		ps->ps_free_min[m] = ps->ps_ntargets == 0 ? free_bytes : MIN_OF(ps->ps_free_min[m], free_bytes);
	}
	ps->ps_ntargets++;
}

static int
space_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	struct pool_tgt_query_out *out = rpc == NULL ? NULL : rpc->cr_output;

	if (rc == 0)
		rc = out->rc;
	if (rc == 0 && out->space.nr % 4 != 0)
		rc = -DER_PROTO;
	if (rc != 0) {
		D_WARN("pool " DF_UUID ": rank %u does not tell its space: " DF_RC,
		       DP_UUID(((struct space_cast *)arg)->pool), rank, DP_RC(rc));
		return 0; /* ps_ntargets says how many did */
	}
	for (uint32_t i = 0; i < out->space.nr; i += 4)
		space_add(((struct space_cast *)arg)->space, &out->space.v[i]);
	return 0;
}

MAY_YIELD int
pool_svc_space(struct pool_svc *svc, struct daos_pool_space *ret_space)
{
	struct daos_pool_space space = {0};
	struct space_cast      cast = {.space = &space};
	d_rank_list_t         *ranks;
	int                    rc;

	uuid_copy(cast.pool, svc->ps_rsvc.rs_uuid);
	rc = pool_svc_ranks_in(svc, &ranks);
	if (rc != 0)
		return rc;
	rc = dss_rpc_multicast(dss_self(), ranks, DSS_TAG_SYS, POOL_OPC(POOL_TGT_QUERY), space_fill, space_done, &cast);
	d_rank_list_free(ranks);
	if (rc != 0)
		return rc;
	for (int m = 0; m < DAOS_MEDIA_MAX && space.ps_ntargets > 0; m++)
		space.ps_free_mean[m] = space.ps_space.s_free[m] / space.ps_ntargets;
	*ret_space = space;
	return 0;
}

/* ---- single targets ---- */

struct tgt_space {
	uint64_t *v;
	uint32_t  nr;
};

/** Ask one rank. @ret_rpc holds the reply. */
MAY_YIELD static int
rank_space(struct pool_svc *svc, d_rank_t rank, crt_rpc_t **ret_rpc, struct tgt_space *ret_space)
{
	crt_endpoint_t             ep = {.ep_rank = rank, .ep_tag = DSS_TAG_SYS};
	struct pool_tgt_query_out *out;
	crt_rpc_t                 *rpc;
	int                        rc = crt_req_create(dss_self()->dx_ctx, &ep, POOL_OPC(POOL_TGT_QUERY), &rpc);

	if (rc != 0)
		return rc;
	uuid_copy(((struct pool_tgt_query_in *)rpc->cr_input)->pool.b, svc->ps_rsvc.rs_uuid);
	rc = dss_rpc_send(rpc);
	out = rpc->cr_output;
	if (rc == 0)
		rc = out->rc;
	if (rc != 0) {
		crt_req_decref(rpc);
		return rc;
	}
	*ret_rpc = rpc;
	ret_space->v = out->space.v;
	ret_space->nr = out->space.nr / 4;
	return 0;
}

MAY_YIELD int
pool_rank_shards(struct pool_svc *svc, d_rank_t rank, uint32_t *ret_nr)
{
	struct tgt_space space = {0};
	crt_rpc_t       *ask;
	int              rc = rank_space(svc, rank, &ask, &space);

	if (rc != 0)
		return rc;
	*ret_nr = space.nr;
	crt_req_decref(ask);
	return 0;
}

/** The targets asked for; without a list all of the rank. In the request's memory. */
static int
wanted_tgts(struct pool_svc *svc, crt_rpc_t *rpc, struct crt_u32_array *ret_tgts)
{
	struct pool_query_tgts_in *in = rpc->cr_input;
	struct crt_u32_array       all = {0};

	*ret_tgts = in->tgts;
	if (in->tgts.nr > 0)
		return 0;
	while (pool_map_find(svc->ps_map, in->rank, all.nr) != NULL)
		all.nr++;
	all.v = crt_req_alloc(rpc, MAX_OF(all.nr, 1u) * sizeof(*all.v));
	if (all.v == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < all.nr; i++)
		all.v[i] = i;
	*ret_tgts = all;
	return all.nr == 0 ? -DER_NONEXIST : 0;
}

static int
fill_tgts(struct pool_svc *svc, crt_rpc_t *rpc, struct crt_u32_array tgts, const struct tgt_space *space)
{
	struct pool_query_tgts_in  *in = rpc->cr_input;
	struct pool_query_tgts_out *out = rpc->cr_output;
	uint32_t                   *states = crt_req_alloc(rpc, MAX_OF(tgts.nr, 1u) * sizeof(*states));
	uint64_t                   *v = crt_req_alloc(rpc, MAX_OF(tgts.nr, 1u) * 4 * sizeof(*v));

	if (states == NULL || v == NULL)
		return -DER_NOMEM;
	memset(v, 0, MAX_OF(tgts.nr, 1u) * 4 * sizeof(*v));
	for (uint32_t i = 0; i < tgts.nr; i++) {
		const struct pool_target *tgt = pool_map_find(svc->ps_map, in->rank, tgts.v[i]);

		if (tgt == NULL)
			return -DER_NONEXIST;
		states[i] = tgt->status;
		if (tgts.v[i] < space->nr)
			memcpy(&v[4 * i], &space->v[4 * tgts.v[i]], 4 * sizeof(*v));
	}
	out->states = (struct crt_u32_array){.nr = tgts.nr, .v = states};
	out->space = (struct crt_u64_array){.nr = 4 * tgts.nr, .v = v};
	return 0;
}

MAY_YIELD int
pool_op_query_tgts(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct pool_query_tgts_in *in = rpc->cr_input;
	struct tgt_space           space = {0};
	struct crt_u32_array       tgts;
	struct pool_hdl            hdl;
	struct rdb_tx             *tx;
	crt_rpc_t                 *ask = NULL;
	int                        rc = pool_tx_begin(svc, false, &tx);

	if (rc == 0)
		rc = pool_tx_end(svc, tx, false, pool_hdl_get(tx, rpc, &hdl));
	if (rc != 0)
		return rc;
	if (in->tgts.nr > pool_map_target_nr(svc->ps_map))
		return -DER_INVAL;
	rc = wanted_tgts(svc, rpc, &tgts);
	if (rc != 0)
		return rc;
	rc = rank_space(svc, in->rank, &ask, &space);
	if (rc != 0)
		D_WARN("pool " DF_UUID ": rank %u does not tell its space: " DF_RC, DP_UUID(in->pool.b), in->rank, DP_RC(rc));
	rc = fill_tgts(svc, rpc, tgts, &space);
	if (ask != NULL)
		crt_req_decref(ask);
	return rc;
}
