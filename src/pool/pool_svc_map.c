/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Changes of a pool's map: targets leave service and come back.
 *
 *            exclude                       exclude: an administrator's, or of a rank found dead, where the pool's
 *     UPIN ──────────▶ DOWN                redundancy factor allows it
 *      ▲                │
 *      └────────────────┘                  reintegrate: an administrator's
 *          reintegrate
 *
 * A shard is not moved: placement gives those of a DOWN target no other place, and nothing of them is written
 * elsewhere meanwhile. So they are out of reach, not lost, and there again as they were when the target is
 * reintegrated. DOWNOUT (its shards are elsewhere), UP and DRAIN (they are being moved) need a rebuild, which there is
 * not; draining and extending a pool are refused for that.
 *
 * Invariants:
 *  1. A change makes a map with the next version, and commits it with the request's record (pool_svc_ops.c); ps_map
 *     changes with the commit, under the write lock.
 *  2. Before a change is answered, all engines were told, those whose targets leave, too. The answer names the ranks
 *     that could not be: until they learn it (from a client that knows more, or when they restart) they may serve
 *     clients that don't know either.
 *  3. Only what still has its shards comes back.
 *
 * Public DAOS rebuilds after an exclusion, so there what comes back is brought up to date; states are the same else.
 */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/errno_map.h"
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_internal.h"

/** Failures of ranks that objects of this version survive: each is stored once. */
#define OBJ_REDUN_FAC 0u
#define SELF_TIMEOUT_S 60

#define ST_SERVES (PO_COMP_ST_NEW | PO_COMP_ST_UP | PO_COMP_ST_UPIN | PO_COMP_ST_DRAIN)
#define ST_FAILED (PO_COMP_ST_DOWN | PO_COMP_ST_DOWNOUT)

/* ---- redundancy ---- */

static bool
is_in(const d_rank_list_t *ranks, d_rank_t rank)
{
	return d_rank_list_find(ranks, rank) >= 0;
}

bool
pool_exclusion_fits(const struct pool_map *map, const d_rank_list_t *ranks, uint32_t redun_fac, uint32_t *ret_failed)
{
	uint32_t failed = 0;

	for (uint32_t i = 0; i < pool_map_rank_nr(map); i++) {
		const struct pool_domain *dom = pool_map_domain(map, i);
		bool                      fails = is_in(ranks, dom->rank);

		for (uint32_t t = 0; t < dom->tgt_nr && !fails; t++)
			fails = (pool_map_target(map, dom->tgt_first + t)->status & ST_FAILED) != 0;
		failed += fails;
	}
	*ret_failed = failed;
	return failed <= redun_fac;
}

MAY_YIELD static int
pool_redun_fac(struct rdb_tx *tx, uint32_t *ret_rf)
{
	static const uint32_t type = DAOS_PROP_PO_REDUN_FAC;
	struct rdb_path       path = pool_path(POOL_KVS_PROPS);
	daos_prop_t          *prop;
	int                   rc = pool_props_get(tx, &path, false, &type, 1, &prop);

	if (rc == 0) {
		*ret_rf = prop->dpp_entries[0].dpe_val;
		daos_prop_free(prop);
	}
	return rc;
}

/* ---- a change ---- */

/** Targets that change, by id. */
struct ids {
	uint32_t *v;
	uint32_t  nr;
};

/** One target that was asked for; only those in another state change. */
static int
ids_add(const struct pool_map *map, d_rank_t rank, uint32_t idx, uint32_t from, struct ids *ids)
{
	const struct pool_target *tgt = pool_map_find(map, rank, idx);

	if (tgt == NULL) {
		D_ERROR("rank %u has no target %u in the pool", rank, idx);
		return -DER_NONEXIST;
	}
	for (uint32_t i = 0; i < ids->nr; i++) {
		if (ids->v[i] == tgt->id)
			return 0;
	}
	if (tgt->status & from)
		ids->v[ids->nr++] = tgt->id;
	return 0;
}

static int
ids_collect(const struct pool_map *map, const struct pool_map_change_in *in, uint32_t from, struct ids *ids)
{
	int rc = 0;

	for (uint32_t r = 0; r < in->ranks->rl_nr && rc == 0; r++) {
		d_rank_t rank = in->ranks->rl_ranks[r];

		for (uint32_t i = 0; i < in->tgts.nr && rc == 0; i++)
			rc = ids_add(map, rank, in->tgts.v[i], from, ids);
		if (in->tgts.nr > 0 || rc != 0)
			continue;
		rc = ids_add(map, rank, 0, from, ids);
		for (uint32_t i = 1; rc == 0 && pool_map_find(map, rank, i) != NULL; i++)
			rc = ids_add(map, rank, i, from, ids);
	}
	return rc;
}

/** An administrator may take more out of service than can be done without, but has to say so. */
MAY_YIELD static int
check_exclusion(struct pool_op *op, const struct pool_map *after)
{
	const struct pool_map_change_in *in = op->rpc->cr_input;
	uint32_t                         rf, failed;
	int                              rc = pool_redun_fac(op->tx, &rf);

	if (rc != 0 || in->force)
		return rc;
	if (pool_map_count(after, ST_SERVES) == 0) {
		D_ERROR("pool " DF_UUID ": its last targets are excluded by force only", DP_UUID(in->pool.b));
		return -DER_RF;
	}
	if (!pool_exclusion_fits(after, in->ranks, rf, &failed)) {
		D_ERROR("pool " DF_UUID ": %u ranks would have failed, its redundancy factor is %u; excluded by force only",
			DP_UUID(in->pool.b), failed, rf);
		return -DER_RF;
	}
	return 0;
}

MAY_YIELD static int
change_map(struct pool_op *op, const struct ids *ids, uint32_t status)
{
	struct pool_map *map;
	int              rc = pool_map_set_status(op->svc->ps_map, ids->v, ids->nr, status, &map);

	if (rc != 0)
		return rc;
	if (status == PO_COMP_ST_DOWN)
		rc = check_exclusion(op, map);
	if (rc == 0)
		rc = pool_map_put(op->tx, map);
	if (rc == 0)
		op->map = map; /* for pool_op_end() */
	else
		pool_map_decref(map);
	return rc;
}

MAY_YIELD static int
change_tx(struct pool_op *op)
{
	const struct pool_map_change_in *in = op->rpc->cr_input;
	bool                             exclude = in->change == POOL_MAP_EXCLUDE;
	struct ids                       ids = {.v = calloc(pool_map_target_nr(op->svc->ps_map), sizeof(*ids.v))};
	int                              rc;

	if (ids.v == NULL)
		return -DER_NOMEM;
	rc = ids_collect(op->svc->ps_map, in, exclude ? ST_SERVES : ST_FAILED, &ids);
	if (rc == 0 && ids.nr > 0)
		rc = change_map(op, &ids, exclude ? PO_COMP_ST_DOWN : PO_COMP_ST_UPIN);
	free(ids.v);
	return rc;
}

/** Does the engine have the shards that are to come back? */
MAY_YIELD static int
check_shards(struct pool_svc *svc, const struct pool_map_change_in *in)
{
	for (uint32_t r = 0; r < in->ranks->rl_nr; r++) {
		uint32_t nr = 0, want = 1;
		int      rc = pool_rank_shards(svc, in->ranks->rl_ranks[r], &nr);

		for (uint32_t i = 0; i < in->tgts.nr; i++)
			want = MAX_OF(want, in->tgts.v[i] + 1);
		if (rc == 0 && nr < want)
			rc = -DER_NONEXIST;
		if (rc != 0) {
			D_ERROR("pool " DF_UUID ": rank %u can't be reintegrated, its shards are not to be had: " DF_RC,
				DP_UUID(in->pool.b), in->ranks->rl_ranks[r], DP_RC(rc));
			return rc;
		}
	}
	return 0;
}

static int
check_request(const struct pool_map *map, const struct pool_map_change_in *in)
{
	if (in->ranks == NULL || in->ranks->rl_nr == 0 || in->ranks->rl_nr > pool_map_rank_nr(map) ||
	    in->tgts.nr > pool_map_target_nr(map))
		return -DER_INVAL;
	switch (in->change) {
	case POOL_MAP_EXCLUDE:
	case POOL_MAP_REINTEGRATE:
		return 0;
	case POOL_MAP_DRAIN:
	case POOL_MAP_EXTEND:
		return -DER_NOTSUPPORTED;
	default:
		return -DER_INVAL;
	}
}

/** All engines, also those that leave; who could not be told. */
MAY_YIELD static int
tell(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct pool_map_change_out *out = rpc->cr_output;

	out->map_version = pool_map_version(svc->ps_map);
	out->untold.v = crt_req_alloc(rpc, pool_map_rank_nr(svc->ps_map) * sizeof(uint32_t));
	if (out->untold.v == NULL)
		return -DER_NOMEM;
	pool_svc_distribute(svc, &out->untold);
	return 0;
}

MAY_YIELD int
pool_op_map_change(struct pool_svc *svc, crt_rpc_t *rpc)
{
	const struct pool_map_change_in *in = rpc->cr_input;
	struct pool_op                   op;
	int                              rc, shards_rc = 0;

	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		return -DER_NO_PERM;
	rc = check_request(svc->ps_map, in);
	if (rc == 0 && in->change == POOL_MAP_REINTEGRATE)
		shards_rc = check_shards(svc, in);
	if (rc != 0 || daos_rc_ask_again(shards_rc))
		return rc != 0 ? rc : shards_rc;
	rc = pool_op_begin(svc, rpc, &op);
	if (rc != 0)
		return rc;
	rc = pool_op_end(&op, op.found ? op.rec.rc : shards_rc != 0 ? shards_rc : change_tx(&op));
	if (rc != 0)
		return rc;
	D_NOTE("pool " DF_UUID ": %u ranks %s, map version %u", DP_UUID(in->pool.b), in->ranks->rl_nr,
	       in->change == POOL_MAP_EXCLUDE ? "excluded" : "reintegrated", pool_map_version(svc->ps_map));
	return tell(svc, rpc);
}

/* ---- ranks found dead ---- */

struct death {
	struct engine *eng;
	d_rank_t       rank;
};

struct exclusion {
	uuid_t        pool;
	d_rank_t      rank;
	d_rank_list_t ranks;
};

static void
exclusion_fill(void *vin, void *arg)
{
	struct pool_map_change_in *in = vin;
	struct exclusion          *ex = arg;

	uuid_copy(in->pool.b, ex->pool);
	in->change = POOL_MAP_EXCLUDE;
	in->ranks = &ex->ranks;
}

/** Does the pool go on without it? */
MAY_YIELD static bool
may_exclude(struct pool_svc *svc, const d_rank_list_t *ranks)
{
	struct rdb_tx *tx;
	uint32_t       rf, failed, survive = OBJ_REDUN_FAC;
	int            rc = pool_tx_begin(svc, false, &tx);

	if (rc == 0)
		rc = pool_tx_end(svc, tx, false, pool_redun_fac(tx, &rf));
	if (rc != 0)
		return false;
	rf = MIN_OF(rf, survive);
	if (pool_exclusion_fits(svc->ps_map, ranks, rf, &failed))
		return true;
	D_NOTE("pool " DF_UUID ": rank %u is dead, but stays in the map: %u ranks would have failed, its objects survive %u",
	       DP_UUID(svc->ps_rsvc.rs_uuid), ranks->rl_ranks[0], failed, rf);
	return false;
}

MAY_YIELD static int
rank_died(struct rsvc *rsvc, void *arg)
{
	struct pool_svc *svc = CONTAINER_OF(rsvc, struct pool_svc, ps_rsvc);
	struct exclusion ex = {.rank = *(d_rank_t *)arg};
	d_rank_t         self = crt_rank_self(dss_crt(rsvc->rs_engine));
	d_rank_list_t    us = {.rl_ranks = &self, .rl_nr = 1};
	crt_rpc_t       *rpc;
	int              rc;

	uuid_copy(ex.pool, rsvc->rs_uuid);
	ex.ranks = (d_rank_list_t){.rl_ranks = &ex.rank, .rl_nr = 1};
	if (pool_map_find(svc->ps_map, ex.rank, 0) == NULL || !may_exclude(svc, &ex.ranks))
		return 0;
	rc = ds_pool_svc_call(&us, POOL_OPC(POOL_MAP_CHANGE), exclusion_fill, &ex, SELF_TIMEOUT_S, &rpc);
	if (rc == 0)
		crt_req_decref(rpc);
	else
		D_ERROR("pool " DF_UUID ": rank %u is dead, and could not be excluded: " DF_RC, DP_UUID(ex.pool), ex.rank,
			DP_RC(rc));
	return 0;
}

MAY_YIELD static void
death_ult(void *varg)
{
	struct death *death = varg;

	(void)!rsvc_for_each_leader(death->eng, RSVC_CLASS_POOL, rank_died, &death->rank);
	free(death);
}

void
pool_rank_dead(struct engine *eng, d_rank_t rank)
{
	struct death *death = malloc(sizeof(*death));

	if (death == NULL)
		return;
	*death = (struct death){.eng = eng, .rank = rank};
	if (dss_ult_create(eng, DSS_TAG_SYS, ULT_POOL_GENERIC, death_ult, death, NULL) != 0)
		free(death);
}
