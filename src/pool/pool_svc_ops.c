/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Requests that change something, carried out once however often they come (rsvc/rsvc_ops.h). Whether a pool keeps
 * records, and how long, are two of its properties.
 *
 * What an asker takes for the end of its request is recorded, failures included: else a copy that comes late could
 * succeed after the asker was told that it failed. What makes it ask again (daos_rc_ask_again()) is not, nor is that a
 * handle isn't open: handles don't come back, so no copy fares better.
 */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/errno_map.h"
#include "base/log.h"
#include "base/prop_table.h"
#include "platform/platform.h"
#include "pool/pool_internal.h"

/** Of the rdb's state, at most this part is records; and about what one takes. */
#define OPS_SHARE       4
#define OPS_BYTES_ABOUT 96

struct dtx_id
pool_op_id(const crt_rpc_t *rpc)
{
	const struct pool_in_head *in = rpc->cr_input;
	struct dtx_id              id = {.hlc = in->op_time};

	uuid_copy(id.uuid, in->op_who.b);
	return id;
}

MAY_YIELD static int
read_props(struct pool_op *op)
{
	static const uint32_t types[] = {DAOS_PROP_PO_SVC_OPS_ENABLED, DAOS_PROP_PO_SVC_OPS_ENTRY_AGE};
	struct pool_svc      *svc = op->svc;
	struct rdb_path       path = pool_path(POOL_KVS_PROPS);
	daos_prop_t          *prop;
	uint64_t              nr_max;
	int                   rc = pool_props_get(op->tx, &path, false, types, ARRAY_NR(types), &prop);

	if (rc != 0)
		return rc;
	nr_max = rdb_state_bytes_max(svc->ps_rsvc.rs_rdb) / OPS_SHARE / OPS_BYTES_ABOUT;
	op->recorded = prop->dpp_entries[0].dpe_val != 0;
	op->lim = (struct rsvc_ops_limits){.now = hlc_get(dss_hlc(svc->ps_rsvc.rs_engine)),
					   .age_ns = prop->dpp_entries[1].dpe_val * NSEC_PER_SEC,
					   .nr_max = MIN_OF(nr_max, (uint64_t)UINT32_MAX)};
	daos_prop_free(prop);
	return 0;
}

MAY_YIELD static int
find_record(struct pool_op *op)
{
	struct pool_out_head *out = op->rpc->cr_output;
	uint32_t              opc = op->rpc->cr_opc;
	int                   rc = read_props(op);

	if (rc != 0 || !op->recorded)
		return rc;
	rc = rsvc_ops_find(op->tx, &op->id, opc, &op->lim, &op->rec, &out->time);
	op->found = rc == 0;
	if (rc == -DER_NONEXIST) {
		op->rec = (struct rsvc_op_record){.opc = opc};
		rc = 0;
	}
	if (rc == -DER_TX_UNCERTAIN) {
		out->begun = false;
		D_INFO("pool " DF_UUID ": request %08x, named " DF_DTI ": whether it was carried out is not known any more",
		       DP_UUID(op->svc->ps_rsvc.rs_uuid), opc, DP_DTI(&op->id));
	}
	return rc;
}

MAY_YIELD int
pool_op_begin(struct pool_svc *svc, crt_rpc_t *rpc, struct pool_op *op)
{
	int rc;

	*op = (struct pool_op){.svc = svc, .rpc = rpc, .id = pool_op_id(rpc)};
	if (op->id.hlc == 0)
		return -DER_INVAL;
	rc = pool_tx_begin(svc, true, &op->tx);
	if (rc != 0)
		return rc;
	rc = find_record(op);
	return rc == 0 ? 0 : pool_tx_end(svc, op->tx, true, rc);
}

void
pool_op_reply(struct pool_op *op, const void *reply, size_t bytes)
{
	D_ASSERT(bytes <= sizeof(op->rec.reply));
	memcpy(op->rec.reply, reply, bytes);
	op->rec.reply_bytes = bytes;
}

bool
pool_op_replied(const struct pool_op *op, void *ret_reply, size_t bytes)
{
	if (op->rec.reply_bytes != bytes)
		return false;
	memcpy(ret_reply, op->rec.reply, bytes);
	return true;
}

/** The map that was written is in force, or not; under the write lock. */
static void
settle_map(struct pool_op *op, bool committed)
{
	struct pool_map *gone = op->map;

	if (op->map != NULL && committed) {
		gone = op->svc->ps_map;
		op->svc->ps_map = op->map;
	}
	pool_map_decref(gone);
	op->map = NULL;
}

MAY_YIELD static int
put_record(struct pool_op *op, int rc)
{
	if (!op->recorded)
		return 0;
	op->rec.rc = rc;
	return rsvc_ops_put(op->tx, &op->id, &op->rec, &op->lim);
}

static bool
is_for_good(int rc)
{
	return !daos_rc_ask_again(rc) && rc != -DER_NO_HDL;
}

/** What the transaction did is dropped; another one, under the same lock, records @rc. */
MAY_YIELD static int
record_failure(struct pool_op *op, int rc)
{
	struct pool_svc *svc = op->svc;
	int              rec_rc;

	rdb_tx_end(op->tx);
	op->rec.begun = false;
	op->rec.reply_bytes = 0;
	rec_rc = rdb_tx_begin(svc->ps_rsvc.rs_rdb, svc->ps_rsvc.rs_term, &op->tx);
	if (rec_rc != 0) {
		ult_rwlock_unlock(&svc->ps_lock);
		return rec_rc;
	}
	rec_rc = put_record(op, rc);
	rec_rc = pool_tx_end(svc, op->tx, true, rec_rc);
	/* Not recorded, it may not be told as the end. Only without space it is: asking again wouldn't end. */
	return daos_rc_ask_again(rec_rc) ? rec_rc : rc;
}

MAY_YIELD int
pool_op_end(struct pool_op *op, int rc)
{
	if (op->found && !op->rec.begun) /* answered from the record, nothing was changed */
		return pool_tx_end(op->svc, op->tx, false, rc);
	op->rec.begun = false;
	if (rc == 0)
		rc = put_record(op, 0);
	if (rc == 0)
		rc = rdb_tx_commit(op->tx);
	settle_map(op, rc == 0);
	if (rc != 0 && op->recorded && is_for_good(rc))
		return record_failure(op, rc);
	rdb_tx_end(op->tx);
	ult_rwlock_unlock(&op->svc->ps_lock);
	return rc;
}

MAY_YIELD int
pool_op_end_step(struct pool_op *op, int rc)
{
	if (rc != 0)
		return pool_op_end(op, rc);
	op->rec.begun = true;
	rc = put_record(op, 0);
	return pool_tx_end(op->svc, op->tx, true, rc);
}

MAY_YIELD int
pool_op_end_undone(struct pool_op *op, int why)
{
	int rc = 0;

	op->rec.begun = false;
	op->rec.reply_bytes = 0;
	if (op->recorded)
		rc = is_for_good(why) ? put_record(op, why) : rsvc_ops_del(op->tx, &op->id);
	return pool_tx_end(op->svc, op->tx, true, rc);
}

MAY_YIELD int
pool_op_run(struct pool_svc *svc, crt_rpc_t *rpc, pool_op_body_t body, void *arg)
{
	struct pool_op op;
	int            rc = pool_op_begin(svc, rpc, &op);

	if (rc != 0)
		return rc;
	rc = op.found ? op.rec.rc : body(&op, arg);
	return pool_op_end(&op, rc);
}
