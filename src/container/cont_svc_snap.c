/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Snapshots: epochs that aggregation keeps. A new one is the present time, later than what any
 * target has aggregated (cont_agg.c); it counts once all engines know it, else it is taken back.
 *
 * A client whose answer was lost asks again, perhaps another leader. The record of its request (pool/README.md) says
 * which epoch it got; the engines are told again, for the leader that took it may have failed before it had told all.
 * With each snapshot the number of the call that took it is kept, too, for pools that keep no records.
 */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "container/cont_internal.h"

static struct rdb_path
snaps_path(const uuid_t cont)
{
	return pool_path_uuid_kvs(CONT_KVS_CONT, cont, CONT_SUB_SNAPS);
}

static int
snap_put(struct rdb_tx *tx, const uuid_t cont, uint64_t epoch, uint64_t call)
{
	struct rdb_path path = snaps_path(cont);
	d_iov_t         key, value;

	d_iov_set(&key, &epoch, sizeof(epoch));
	d_iov_set(&value, &call, sizeof(call));
	return rdb_tx_update(tx, &path, &key, &value);
}

struct snap_search {
	uint64_t call, epoch; /**< epoch 0: none found */
};

static int
snap_search_cb(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	struct snap_search *search = arg;
	uint64_t            call;

	if (key->iov_len != sizeof(search->epoch) || value->iov_len != sizeof(call))
		return -DER_DF_INVAL;
	memcpy(&call, value->iov_buf, sizeof(call));
	if (call == search->call)
		memcpy(&search->epoch, key->iov_buf, sizeof(search->epoch));
	return 0;
}

/** The snapshot that call took before; 0: none. */
MAY_YIELD static int
snap_find(struct rdb_tx *tx, const uuid_t cont, uint64_t call, uint64_t *ret_epoch)
{
	struct rdb_path    path = snaps_path(cont);
	struct snap_search search = {.call = call};
	int                rc = rdb_tx_iterate(tx, &path, snap_search_cb, &search);

	*ret_epoch = search.epoch;
	return rc;
}

static int
snap_del(struct rdb_tx *tx, const uuid_t cont, uint64_t epoch)
{
	struct rdb_path path = snaps_path(cont);
	d_iov_t         key;

	d_iov_set(&key, &epoch, sizeof(epoch));
	return rdb_tx_delete(tx, &path, &key);
}

MAY_YIELD static int
check_room(struct rdb_tx *tx, const uuid_t cont, uint32_t nr)
{
	static const uint32_t type = DAOS_PROP_CO_SNAPSHOT_MAX;
	struct rdb_path       path = pool_path_uuid_kvs(CONT_KVS_CONT, cont, CONT_SUB_PROPS);
	daos_prop_t          *prop;
	uint64_t              max;
	int                   rc = pool_props_get(tx, &path, true, &type, 1, &prop);

	if (rc != 0)
		return rc;
	max = prop->dpp_entries[0].dpe_val;
	daos_prop_free(prop);
	return nr >= CONT_SNAP_NR_MAX || (max != 0 && nr >= max) ? -DER_NOSPACE : 0;
}

/** Take one at *@epoch, or find the one this call took before. */
MAY_YIELD static int
add_one(struct rdb_tx *tx, const struct cont_snap_op_in *in, uint32_t nr, uint64_t *epoch)
{
	uint64_t before;
	int      rc = snap_find(tx, in->cont.b, in->lo, &before);

	if (rc != 0)
		return rc;
	if (before != 0) {
		*epoch = before;
		return 0;
	}
	rc = check_room(tx, in->cont.b, nr);
	return rc != 0 ? rc : snap_put(tx, in->cont.b, *epoch, in->lo);
}

/** May the handle change snapshots? @ret_snaps: those there are. */
MAY_YIELD static int
check_and_list(struct pool_op *op, struct cont_snaps *ret_snaps)
{
	const struct cont_snap_op_in *in = op->rpc->cr_input;
	struct cont_hdl_df            df;
	int rc = cont_hdl_check(op->tx, in->cont.b, in->cont_hdl.b, SEC_CONT_CAPA_WRITE_DATA, &df);

	return rc != 0 ? rc : cont_snaps_get(op->tx, in->cont.b, op->rpc, ret_snaps);
}

/** Take one at *@epoch, or learn which one the first copy took. @ret_snaps: all there are then. */
MAY_YIELD static int
create_tx(struct pool_op *op, uint64_t *epoch, struct cont_snaps *ret_snaps)
{
	const struct cont_snap_op_in *in = op->rpc->cr_input;
	int                           rc;

	if (op->found && op->rec.rc != 0)
		return op->rec.rc;
	rc = check_and_list(op, ret_snaps);
	if (rc == 0 && op->found)
		return pool_op_replied(op, epoch, sizeof(*epoch)) ? 0 : -DER_DF_INVAL;
	if (rc == 0)
		rc = add_one(op->tx, in, ret_snaps->epochs.nr, epoch);
	if (rc != 0)
		return rc;
	pool_op_reply(op, epoch, sizeof(*epoch));
	return cont_snaps_get(op->tx, in->cont.b, op->rpc, ret_snaps);
}

/** Not all engines could be told of it. */
MAY_YIELD static int
take_back(struct pool_svc *svc, crt_rpc_t *rpc, uint64_t epoch, int why)
{
	const struct cont_snap_op_in *in = rpc->cr_input;
	struct cont_snaps             snaps;
	struct pool_op                op;
	int                           rc = pool_op_begin(svc, rpc, &op);

	if (rc != 0)
		return rc;
	rc = snap_del(op.tx, in->cont.b, epoch);
	if (rc == 0)
		rc = cont_snaps_get(op.tx, in->cont.b, rpc, &snaps);
	rc = rc != 0 ? pool_tx_end(svc, op.tx, true, rc) : pool_op_end_undone(&op, why);
	if (rc == 0)
		(void)!cont_tgts_snaps(svc, in->cont.b, snaps);
	return rc != 0 ? rc : why;
}

MAY_YIELD static int
create_locked(struct pool_svc *svc, crt_rpc_t *rpc, uint64_t *epoch)
{
	struct cont_snap_op_in *in = rpc->cr_input;
	struct cont_snaps       snaps;
	struct pool_op          op;
	int                     rc = pool_op_begin(svc, rpc, &op);

	if (rc != 0)
		return rc;
	*epoch = hlc_get(dss_hlc(svc->ps_rsvc.rs_engine));
	rc = pool_op_end(&op, create_tx(&op, epoch, &snaps));
	if (rc != 0)
		return rc;
	rc = cont_tgts_snaps(svc, in->cont.b, snaps);
	return rc != 0 ? take_back(svc, rpc, *epoch, rc) : 0;
}

/** The lock: or the same call, sent again meanwhile, would find what is then taken back. */
MAY_YIELD int
cont_op_snap_create(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_snap_op_out *out = rpc->cr_output;
	struct cont_svc         *cs = svc->ps_cont;
	uint64_t                *epoch = crt_req_alloc(rpc, sizeof(*epoch));
	int                      rc;

	if (epoch == NULL)
		return -DER_NOMEM;
	ult_mutex_lock(&cs->snap_lock);
	rc = create_locked(svc, rpc, epoch);
	ult_mutex_unlock(&cs->snap_lock);
	if (rc != 0)
		return rc;
	out->epochs.nr = 1;
	out->epochs.v = epoch;
	return 0;
}

MAY_YIELD static int
destroy_tx(struct pool_op *op, void *ret_snaps)
{
	const struct cont_snap_op_in *in = op->rpc->cr_input;
	struct cont_snaps             snaps;
	int                           rc = check_and_list(op, &snaps);

	for (uint32_t i = 0; rc == 0 && i < snaps.epochs.nr; i++) {
		if (snaps.epochs.v[i] >= in->lo && snaps.epochs.v[i] <= in->hi)
			rc = snap_del(op->tx, in->cont.b, snaps.epochs.v[i]);
	}
	return rc != 0 ? rc : cont_snaps_get(op->tx, in->cont.b, op->rpc, ret_snaps);
}

MAY_YIELD static int
destroy_locked(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_snap_op_in *in = rpc->cr_input;
	struct cont_snaps       snaps;
	struct pool_op          op;
	int                     rc = pool_op_begin(svc, rpc, &op);

	if (rc != 0)
		return rc;
	rc = pool_op_end(&op, op.found ? op.rec.rc : destroy_tx(&op, &snaps));
	if (rc == 0 && !op.found) /* an engine that misses it keeps more than it needs */
		(void)!cont_tgts_snaps(svc, in->cont.b, snaps);
	return rc;
}

MAY_YIELD int
cont_op_snap_destroy(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_snap_op_in *in = rpc->cr_input;
	struct cont_svc        *cs = svc->ps_cont;
	int                     rc;

	if (in->lo > in->hi)
		return -DER_INVAL;
	ult_mutex_lock(&cs->snap_lock);
	rc = destroy_locked(svc, rpc);
	ult_mutex_unlock(&cs->snap_lock);
	return rc;
}

MAY_YIELD static int
list_tx(struct rdb_tx *tx, crt_rpc_t *rpc)
{
	struct cont_snap_op_in  *in = rpc->cr_input;
	struct cont_snap_op_out *out = rpc->cr_output;
	struct cont_hdl_df       df;
	struct cont_snaps        snaps;
	int                      rc = cont_hdl_check(tx, in->cont.b, in->cont_hdl.b, 0, &df);

	if (rc == 0)
		rc = cont_snaps_get(tx, in->cont.b, rpc, &snaps);
	if (rc == 0)
		out->epochs = snaps.epochs;
	return rc;
}

MAY_YIELD int
cont_op_snap_list(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct rdb_tx *tx;
	int            rc = pool_tx_begin(svc, false, &tx);

	return rc != 0 ? rc : pool_tx_end(svc, tx, false, list_tx(tx, rpc));
}
