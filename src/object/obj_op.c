/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Operations: requests to one or several shards, repeated until each has an answer that counts.
 *
 *            +--------------- delay, newer pool map --------------+
 *            v                                                    | some part failed for now,
 *  task --> prepare --> round: a request for each part not done --+ time is left
 *                              |
 *                              +--> all parts done: finish --> task ends
 *                                     |   ^
 *                                     +---+ OBJ_OP_NEXT: next shard of a list
 *
 * An engine that restarts shows as UNREACH, TIMEDOUT, NO_HDL and the like for some seconds: the
 * operation waits, longer from try to try, so that its caller sees a pause. After retry_ns the last
 * error is the result.
 *
 * Invariants:
 *  1. Everything here runs under the lock of the task's context.
 *  2. A round ends once: when pending falls to 0; while it is begun pending is held up.
 *  3. A part that is done is not sent again; a part's copies carry the same dti, all but the first
 *     the resend flag, and it is on the client's list of changes from the first to its answer.
 *  4. The task holds one reference, each request under way another; only the callback registered
 *     with the task lets go of the task's, so a task cancelled by its scheduler is no special case.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_client_int.h"

#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "object/obj_check.h"
#include "platform/platform.h"

#define OBJ_TRY_TIMEOUT_S 20
#define OBJ_PAUSE_US_MIN  2000
#define OBJ_PAUSE_US_MAX  1000000
#define OBJ_NO_HDL_MAX    6
#define OBJ_MAP_EACH      4 /**< tries after which a newer pool map is asked for unasked */

bool
obj_rc_is_transient(int rc)
{
	switch (rc) {
	case -DER_STALE:
	case -DER_TIMEDOUT:
	case -DER_UNREACH:
	case -DER_NO_HDL:
	case -DER_SHUTDOWN:
	case -DER_AGAIN:
	case -DER_BUSY:
	case -DER_INPROGRESS:
	case -DER_OOG:
	case -DER_HG:
	case -DER_NOREPLY:
	case -DER_OVERLOAD_RETRY:
	case -DER_TX_BUSY:
	case -DER_GRPVER:
		return true;
	}
	return false;
}

/* ---- names of changes ---- */

/** Give a change its name, and note that its answer is awaited. Returns from when on others may be, too. */
static uint64_t
change_name(struct obj_part *part)
{
	struct client     *cl = part->op->obj->cl;
	struct obj_client *oc = obj_client_of(cl);
	uint64_t           settled;

	pthread_mutex_lock(&oc->lock);
	if (part->dti.hlc == 0) {
		part->dti.hlc = hlc_get(client_hlc(cl));
		uuid_copy(part->dti.uuid, oc->uuid);
		d_list_add_tail(&part->link, &oc->changes);
	}
	settled = d_list_first(&oc->changes, struct obj_part, link)->dti.hlc;
	pthread_mutex_unlock(&oc->lock);
	return settled;
}

/** It has its answer, or nobody waits for one any more. */
static void
change_settle(struct obj_part *part)
{
	struct obj_client *oc;

	if (part->dti.hlc == 0)
		return;
	oc = obj_client_of(part->op->obj->cl);
	pthread_mutex_lock(&oc->lock);
	d_list_del(&part->link);
	pthread_mutex_unlock(&oc->lock);
}

/* ---- life ---- */

static void
op_put(struct obj_op *op)
{
	D_ASSERT(op->ref > 0);
	if (--op->ref > 0)
		return;
	if (op->bulk != NULL)
		crt_bulk_free(op->bulk);
	for (uint32_t i = 0; i < op->part_nr; i++)
		change_settle(&op->parts[i]);
	if (op->parts != &op->part1)
		free(op->parts);
	free(op->bulk_iovs);
	free(op->buf);
	if (op->obj != NULL)
		dc_obj_put(op->obj);
	free(op);
}

static int
op_task_ended(tse_task_t *task, void *arg)
{
	struct obj_op *op = *(struct obj_op **)arg;

	D_ASSERT(op->task == task);
	op->task = NULL;
	op_put(op);
	return 0;
}

void
obj_op_set_part(struct obj_op *op, uint32_t shard)
{
	op->part1   = (struct obj_part){.op = op, .shard = shard};
	op->parts   = &op->part1;
	op->part_nr = 1;
}

int
obj_op_set_parts(struct obj_op *op, uint32_t nr)
{
	op->parts = calloc(nr, sizeof(*op->parts));
	if (op->parts == NULL)
		return -DER_NOMEM;
	op->part_nr = nr;
	for (uint32_t i = 0; i < nr; i++)
		op->parts[i].op = op;
	return 0;
}

int
obj_op_set_all_shards(struct obj_op *op)
{
	uint32_t nr = 0;
	int      rc;

	rc = obj_shard_nr(op->obj, &nr);
	if (rc == 0)
		rc = obj_op_set_parts(op, nr);
	for (uint32_t i = 0; rc == 0 && i < nr; i++)
		op->parts[i].shard = i;
	return rc;
}

/* ---- one request ---- */

static void
fill_hdr(struct obj_part *part, const struct obj_where *where, struct obj_hdr *hdr)
{
	struct obj_op     *op   = part->op;
	struct dc_cont    *cont = op->obj->cont;
	uint64_t           settled = 0;

	if (op->kind->changes)
		settled = change_name(part);
	*hdr = (struct obj_hdr){
	    .oid         = {.id_pub = op->obj->oid, .id_shard = part->shard},
	    .map_version = where->map_version,
	    .flags       = op->req_flags | (part->sent ? OBJ_RF_RESEND : 0),
	    .conds       = op->conds,
	    .dti         = part->dti,
	    .settled     = settled,
	    .epoch       = op->epoch,
	};
	uuid_copy(hdr->pool.b, cont->dc_pool->dp_uuid);
	uuid_copy(hdr->cont.b, cont->dc_uuid);
	uuid_copy(hdr->hdl.b, cont->dc_hdl);
}

static void round_end(struct obj_op *op);

/** Out of service by the map we have: it may have been reintegrated since. */
static bool
may_be_back(const struct obj_op *op, int rc)
{
	return rc == -DER_RF && !op->map_asked;
}

static void
part_settle(struct obj_part *part, int rc)
{
	struct obj_op *op = part->op;

	part->rc   = rc;
	part->done = !obj_rc_is_transient(rc) && !may_be_back(op, rc);
	if (part->done)
		change_settle(part);
	D_ASSERT(op->pending > 0);
	if (--op->pending == 0)
		round_end(op);
}

static void
note_change(struct dc_obj *obj, daos_epoch_t epoch)
{
	daos_epoch_t seen = atomic_load(&obj->changed_at);

	while (seen < epoch && !atomic_compare_exchange_weak(&obj->changed_at, &seen, epoch))
		;
}

static void
part_answered(const struct crt_cb_info *info)
{
	struct obj_part *part = info->cci_arg;
	struct obj_op   *op   = part->op;
	int              rc   = info->cci_rc;

	if (op->task == NULL) { /* it was cancelled: nobody waits for this any more */
		op_put(op);
		return;
	}
	if (rc == 0) {
		const struct obj_rhdr *hdr = info->cci_rpc->cr_output;

		rc = hdr->rc;
		if (hdr->map_version > op->map_wanted)
			op->map_wanted = hdr->map_version;
		if (rc == 0 && op->kind->changes)
			note_change(op->obj, hdr->epoch);
		if (op->kind->answer != NULL && !obj_rc_is_transient(rc))
			rc = op->kind->answer(op, part, info->cci_rpc->cr_output, rc);
	}
	part_settle(part, rc);
	op_put(op);
}

/** Returns an error if nothing was sent. */
static int
part_send(struct obj_part *part)
{
	struct obj_op   *op = part->op;
	struct obj_where where;
	crt_rpc_t       *rpc;
	int              rc;

	rc = obj_shard_where(op->obj, part->shard, &where);
	if (rc == 0)
		rc = dc_req_create(op->task, where.rank, OBJ_TAG_OF_TGT(where.tgt_idx),
				   OBJ_OPC(op->kind->opc), &rpc);
	if (rc != 0)
		return rc;
	fill_hdr(part, &where, rpc->cr_input);
	rc = op->kind->fill(op, part, rpc->cr_input);
	if (rc == 0)
		rc = crt_req_set_timeout(rpc, OBJ_TRY_TIMEOUT_S);
	if (rc != 0) {
		crt_req_decref(rpc);
		return rc;
	}
	part->sent = true;
	op->ref++;
	(void)crt_req_send(rpc, part_answered, part); /* errors come to part_answered() */
	return 0;
}

/* ---- rounds ---- */

static void
round_begin(struct obj_op *op)
{
	op->pending++;
	for (uint32_t i = 0; i < op->part_nr && op->task != NULL; i++) {
		struct obj_part *part = &op->parts[i];
		int              rc;

		if (part->done)
			continue;
		op->pending++;
		rc = part_send(part);
		if (rc != 0)
			part_settle(part, rc);
	}
	if (--op->pending == 0 && op->task != NULL)
		round_end(op);
}

/** Errors that are final come first: there is no use in waiting for the other parts. */
static int
round_rc(const struct obj_op *op)
{
	int transient = 0, final = 0;

	for (uint32_t i = 0; i < op->part_nr; i++) {
		int rc = op->parts[i].rc;

		if (rc == 0)
			continue;
		if (!op->parts[i].done)
			transient = rc;
		else if (final == 0)
			final = rc;
	}
	return transient != 0 ? transient : final;
}

static bool
may_retry(struct obj_op *op, int rc)
{
	struct obj_client *oc = obj_client_of(op->obj->cl);

	if (rc == -DER_NO_HDL && ++op->no_hdl_nr > OBJ_NO_HDL_MAX)
		return false;
	return !dc_task_is_aborted(op->task) && plat_now_ns() - op->begin_ns < oc->retry_ns;
}

/** Doubles from try to try; a random half, so that clients which failed together come back apart. */
static uint64_t
pause_us(struct obj_op *op, int rc)
{
	uint64_t us = OBJ_PAUSE_US_MAX;

	if ((rc == -DER_STALE && op->retry_nr == 0) || rc == -DER_RF)
		return 0;
	if (op->retry_nr < 10)
		us = MIN_OF((uint64_t)OBJ_PAUSE_US_MIN << op->retry_nr, us);
	return us / 2 + plat_random() % (us / 2);
}

static void
retry_later(struct obj_op *op, int rc)
{
	uint64_t us = pause_us(op, rc);

	if (op->retry_nr == 8)
		D_NOTE("%s of object %016lx.%016lx waits for a server since %llu ms: " DF_RC,
		       obj_opc_name(op->kind->opc), op->obj->oid.hi, op->obj->oid.lo,
		       (unsigned long long)((plat_now_ns() - op->begin_ns) / NSEC_PER_MSEC), DP_RC(rc));
	op->retry_nr++;
	rc = tse_task_reinit_with_delay(op->task, us);
	if (rc != 0)
		tse_task_complete(op->task, -DER_CANCELED);
}

struct refresh {
	struct obj_op *op;
	int            rc; /**< why the round is repeated */
};

static void
map_refreshed(void *arg, int rc)
{
	struct refresh *rf = arg;
	struct obj_op  *op = rf->op;

	/* with the old map the servers say STALE again: that is a retry as others are */
	(void)rc;
	if (op->task != NULL)
		retry_later(op, rf->rc);
	free(rf);
	op_put(op);
}

static void
refresh_map(struct obj_op *op, int rc)
{
	struct refresh *rf      = malloc(sizeof(*rf));
	uint32_t        version = op->map_wanted;

	op->map_wanted = 0;
	if (rf == NULL) {
		retry_later(op, rc);
		return;
	}
	*rf = (struct refresh){.op = op, .rc = rc};
	op->ref++;
	dc_pool_map_refresh(op->task, op->obj->cont->dc_pool, version, map_refreshed, rf);
}

/** A server has a newer map, or the way to it is broken for so long that it may have left the pool. */
static bool
wants_map(const struct obj_op *op, int rc)
{
	if (op->map_wanted > dc_pool_map_version(op->obj->cont->dc_pool) || rc == -DER_RF)
		return true;
	return rc != -DER_NO_HDL && op->retry_nr % OBJ_MAP_EACH == OBJ_MAP_EACH - 1;
}

static void
round_end(struct obj_op *op)
{
	int rc = round_rc(op);

	if (obj_rc_is_transient(rc) || may_be_back(op, rc)) {
		op->map_asked |= rc == -DER_RF;
		if (!may_retry(op, rc))
			tse_task_complete(op->task, rc);
		else if (wants_map(op, rc))
			refresh_map(op, rc);
		else
			retry_later(op, rc);
		return;
	}
	if (op->kind->finish != NULL)
		rc = op->kind->finish(op, rc);
	if (rc == OBJ_OP_NEXT) {
		round_begin(op);
		return;
	}
	if (rc != 0)
		D_DEBUG("%s of object %016lx.%016lx ends after %u retries: " DF_RC, obj_opc_name(op->kind->opc),
			op->obj->oid.hi, op->obj->oid.lo, op->retry_nr, DP_RC(rc));
	tse_task_complete(op->task, rc);
}

/* ---- the task ---- */

static int
op_prepare(struct obj_op *op, daos_handle_t th)
{
	if (daos_handle_is_valid(th)) {
		int rc = dc_tx_epoch(op->obj->cl, th, op->obj->cont, &op->epoch);

		if (rc != 0 || op->kind->changes)
			return rc != 0 ? rc : -DER_NO_PERM;
	}
	if (op->kind->changes && (op->obj->mode & DAOS_OO_RO))
		return -DER_NO_PERM;
	return op->kind->prepare(op);
}

static int
op_create(tse_task_t *task, const struct obj_op_kind *kind, daos_handle_t oh, uint64_t conds,
	  struct obj_op **ret_op)
{
	struct obj_op *op = calloc(1, sizeof(*op));
	int            rc;

	if (op == NULL)
		return -DER_NOMEM;
	*op = (struct obj_op){.ref      = 1,
			      .task     = task,
			      .kind     = kind,
			      .args     = dc_task_get_args(task),
			      .conds    = conds,
			      .begin_ns = plat_now_ns()};
	op->parts = &op->part1;
	op->obj   = dc_hdl2obj(dc_task2client(task), oh);
	rc        = op->obj == NULL ? -DER_NO_HDL : 0;
	if (rc == 0)
		rc = tse_task_register_comp_cb(task, op_task_ended, &op, sizeof(op));
	if (rc != 0) {
		op_put(op);
		return rc;
	}
	tse_task_set_priv(task, op);
	*ret_op = op;
	return 0;
}

int
obj_op_run(tse_task_t *task, const struct obj_op_kind *kind, daos_handle_t oh, daos_handle_t th,
	   uint64_t conds)
{
	struct obj_op *op = tse_task_get_priv(task);
	int            rc = 0;

	if (op == NULL) {
		rc = op_create(task, kind, oh, conds, &op);
		if (rc == 0)
			rc = op_prepare(op, th);
	}
	if (rc != 0) {
		tse_task_complete(task, rc);
		return rc;
	}
	op->ref++; /* it may end within */
	round_begin(op);
	op_put(op);
	return 0;
}
