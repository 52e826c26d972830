/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Reclaiming space in the background, one ULT for each shard of a pool.
 *
 * A request that may change a container marks it dirty and wakes the ULT, which waits AGG_DELAY for
 * more, then aggregates each dirty container up to AGG_LAG before now (VOS spares what the snapshots it
 * was told show: cont_target.c), and lets VOS free what was unlinked. A container touched after the lag
 * stays dirty. When nothing is dirty the ULT sleeps without a timer: an idle system doesn't wake.
 *
 * The lag is what a write may take from its epoch to its commit; a slower one gets -DER_EP_OLD and
 * is repeated with a new epoch. Passes that find nothing to merge make the delay grow, up to AGG_DELAY_MULT_MAX times.
 */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/log.h"
#include "container/cont_internal.h"
#include "platform/platform.h"

#define AGG_DELAY_NS       (5 * NSEC_PER_SEC)
#define AGG_DELAY_MULT_MAX 6
#define AGG_LAG_NS         (10 * NSEC_PER_SEC)
#define GC_CREDITS         256
#define GC_PAUSE_NS        (1 * NSEC_PER_MSEC)

static void
wake(struct cont_tgt *tgt)
{
	if (!ult_eventual_is_set(&tgt->wake))
		ult_eventual_set(&tgt->wake, 0);
}

void
cont_agg_touch(struct cont_child *cc)
{
	struct cont_tgt *tgt = cc->cc_tgt;

	cc->cc_touched = hlc_get(dss_hlc(tgt->pool->spc_pool->sp_engine));
	if (cc->cc_dirty || tgt->stopping)
		return;
	cc->cc_dirty = true;
	cc->cc_ref++;
	wake(tgt);
}

void
cont_agg_gc(struct cont_tgt *tgt)
{
	tgt->gc = true;
	wake(tgt);
}

static bool
should_stop(void *arg)
{
	struct cont_child *cc = arg;

	return cc->cc_tgt->stopping || cc->cc_idle != NULL;
}

void
cont_agg_forget(struct cont_child *cc)
{
	if (!cc->cc_dirty)
		return;
	cc->cc_dirty = false;
	cont_child_put(cc);
}

/** One container. Returns whether something was merged. */
MAY_YIELD static bool
pass_one(struct cont_tgt *tgt, struct cont_child *cc, daos_epoch_t epoch)
{
	struct vos_cont_info before, after;
	bool                 merged;
	int                  rc;

	if (cc->cc_idle != NULL) { /* being destroyed */
		cont_agg_forget(cc);
		return false;
	}
	vos_cont_query(cc->cc_vos, &before);
	rc = epoch <= before.hae ? 0 : vos_aggregate(cc->cc_vos, epoch, should_stop, cc);
	vos_cont_query(cc->cc_vos, &after);
	merged = before.used_bytes != after.used_bytes || before.obj_nr != after.obj_nr;
	if (rc != 0 && rc != -DER_CANCELED && rc != -DER_BUSY)
		D_ERROR("pool " DF_UUID " container " DF_UUID " target %u: space cannot be reclaimed: " DF_RC,
			DP_UUID(tgt->pool->spc_pool->sp_uuid), DP_UUID(cc->cc_uuid), tgt->pool->spc_tgt_idx, DP_RC(rc));
	if (cc->cc_touched < epoch || cc->cc_idle != NULL || tgt->stopping)
		cont_agg_forget(cc);
	return merged;
}

/** The first dirty container in the list that @epoch's pass has not seen; the list may change between two. */
static struct cont_child *
next_dirty(struct cont_tgt *tgt, const struct cont_child *after)
{
	struct cont_child *cc;
	bool               seen = after == NULL;

	d_list_for_each(cc, &tgt->conts, cc_link) {
		if (seen && cc->cc_dirty)
			return cc;
		seen |= cc == after;
	}
	return NULL;
}

/** All dirty ones. A reference keeps the one that the walk stands on in the list. */
MAY_YIELD static bool
pass(struct cont_tgt *tgt)
{
	struct engine     *eng = tgt->pool->spc_pool->sp_engine;
	daos_epoch_t       epoch = hlc_get(dss_hlc(eng)) - hlc_span_from_ns(tgt->lag_ns);
	struct cont_child *cc = next_dirty(tgt, NULL), *next;
	bool               merged = false;

	while (cc != NULL) {
		cc->cc_ref++;
		if (!tgt->stopping)
			merged |= pass_one(tgt, cc, epoch);
		next = tgt->stopping ? NULL : next_dirty(tgt, cc);
		cont_child_put(cc);
		cc = next;
	}
	tgt->gc |= merged;
	return merged;
}

MAY_YIELD static void
collect(struct cont_tgt *tgt)
{
	int left = 1, value;

	tgt->gc = false;
	while (left > 0 && !tgt->stopping) {
		left = vos_gc(tgt->pool->spc_vos, GC_CREDITS);
		if (left > 0 && ult_eventual_timedwait(&tgt->stop_ev, GC_PAUSE_NS, &value) == 0)
			break;
	}
	if (left < 0)
		D_ERROR("pool " DF_UUID " target %u: freed space cannot be collected: " DF_RC,
			DP_UUID(tgt->pool->spc_pool->sp_uuid), tgt->pool->spc_tgt_idx, DP_RC(left));
}

MAY_YIELD static void
agg_ult(void *arg)
{
	struct cont_tgt *tgt = arg;
	unsigned         delay_mult = 1;
	int              value;

	collect(tgt); /* what was left when the engine ended */
	while (!tgt->stopping) {
		if (next_dirty(tgt, NULL) == NULL) {
			(void)ult_eventual_wait(&tgt->wake);
			delay_mult = 1;
			if (!tgt->stopping)
				ult_eventual_reset(&tgt->wake);
		}
		if (tgt->gc)
			collect(tgt);
		if (next_dirty(tgt, NULL) == NULL)
			continue;
		if (ult_eventual_timedwait(&tgt->stop_ev, delay_mult * tgt->delay_ns, &value) == 0)
			break;
		if (tgt->pool->spc_pool->sp_reclaim == DAOS_RECLAIM_DISABLED)
			continue;
		if (pass(tgt))
			delay_mult = 1;
		else if (delay_mult < AGG_DELAY_MULT_MAX)
			delay_mult++;
		if (tgt->gc)
			collect(tgt);
	}
}

MAY_YIELD int
cont_agg_start(struct cont_tgt *tgt)
{
	tgt->delay_ns = AGG_DELAY_NS;
	tgt->lag_ns = AGG_LAG_NS;
	ult_eventual_init(&tgt->wake);
	ult_eventual_init(&tgt->stop_ev);
	return ult_create(NULL, ULT_POOL_GENERIC, agg_ult, tgt, 0, &tgt->agg);
}

MAY_YIELD void
cont_agg_stop(struct cont_tgt *tgt)
{
	struct cont_child *cc;

	tgt->stopping = true;
	ult_eventual_set(&tgt->stop_ev, 0);
	wake(tgt);
	ult_join(tgt->agg);
	while ((cc = next_dirty(tgt, NULL)) != NULL)
		cont_agg_forget(cc);
}
