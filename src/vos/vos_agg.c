/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Aggregation up to epoch E of a container: whatever only readers before E could see goes.
 *
 *   - Readers are the snapshots (vos_cont_set_snapshots) and all from E on; "low" is the oldest.
 *   - An object or key under whose newest punch <= low nothing newer lies is unlinked as a whole
 * and queued for vos_gc(), if no later punch has to be kept.
 *   - In an akey that stays, values and pieces no reader sees are freed.
 *   - A punch <= low has done its work once all below is clean, and is dropped. What is empty then
 * goes.
 *   - What did not change since the last aggregation is skipped.
 *
 * One walk over the trees with a budget: when it is used up, the transaction is committed, others
 * run, and the walk goes on by key. So it keeps no pointer across a tick. Before it starts, the
 * container's floor is raised to E: a write at or before it would find its punches and successors
 * gone. The floor is durable, since a walk may end half way.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"

#define SLICE_CREDITS 128u
#define ITEM_CREDITS  1u

struct agg {
	struct vos_cont *cont;
	struct vos_pool *pool;
	daos_epoch_t	 epoch;
	daos_epoch_t	 since; /**< the last time up to here */
	daos_epoch_t	 low;	/**< the oldest reader: a snapshot, or E */
	struct vos_view *views; /**< of the readers, snapshots first, then E */
	uint32_t	 view_nr;
	bool (*stop)(void *arg);
	void	       *stop_arg;
	uint32_t	credits;
	bool		stopped;
	daos_unit_oid_t oid;
	struct vos_key_pos dkey;
	struct vos_key_pos akey;
};

/** Spend credits; when they are used up, commit and let others run. After it, look up again. */
MAY_YIELD static int
agg_tick(struct agg *agg)
{
	int rc;

	if (agg->credits > ITEM_CREDITS) {
		agg->credits -= ITEM_CREDITS;
		return 0;
	}
	rc = vos_tx_end(agg->pool, agg->cont->df, 0);
	ult_yield();
	if (rc == 0 && agg->stop != NULL && agg->stop(agg->stop_arg))
		agg->stopped = true;
	agg->credits = SLICE_CREDITS;
	vos_tx_begin(agg->pool);
	return rc;
}

/** The records on the way to where the walk stands; those not there are NULL. */
struct agg_path {
	struct vos_obj_df *obj;
	struct vos_key_df *dkey;
	struct vos_key_df *akey;
	struct vos_ver	   punch; /**< the newest the oldest reader knows, of all of them */
};

/** The newest punch of all records on @p up to @epoch. */
static struct vos_ver
path_punch(struct agg *agg, const struct agg_path *p, daos_epoch_t epoch)
{
	struct umem   *u = agg->pool->umem;
	struct vos_ver punch = VOS_VER_NONE;

	if (p->obj != NULL)
		punch = vos_ver_max(punch, vos_inc_punch_at(u, &p->obj->inc, epoch));
	if (p->dkey != NULL)
		punch = vos_ver_max(punch, vos_inc_punch_at(u, &p->dkey->inc, epoch));
	if (p->akey != NULL)
		punch = vos_ver_max(punch, vos_inc_punch_at(u, &p->akey->inc, epoch));
	return punch;
}

static struct agg_path
agg_find(struct agg *agg, bool dkey, bool akey)
{
	struct agg_path p = {.obj = vos_obj_find(agg->pool, agg->cont->df, &agg->oid)};

	if (p.obj != NULL && dkey)
		p.dkey = vos_key_find(agg->pool, &p.obj->dkeys, &agg->dkey.probe);
	if (p.dkey != NULL && akey)
		p.akey = vos_key_find(agg->pool, &p.dkey->akeys, &agg->akey.probe);
	p.punch = path_punch(agg, &p, agg->low);
	return p;
}

/** Did something on the path get punched since the last time? Then what lies below is affected,
 * too. */
static bool
path_is_new(struct agg *agg, const struct agg_path *p)
{
	return agg->since == 0 || path_punch(agg, p, agg->epoch).epoch > agg->since;
}

/** Did nothing change since the last time? */
static bool
inc_is_old(struct agg *agg, const struct vos_inc_df *inc)
{
	return agg->since > 0 && inc->change_epoch <= agg->since &&
	       vos_inc_punch_last(agg->pool->umem, inc).epoch <= agg->since;
}

/** Is all below hidden from all readers, and no later punch to be kept? @punch: newest up to the
 * oldest reader. */
static bool
inc_is_dead(struct agg *agg, const struct vos_inc_df *inc, struct vos_ver punch)
{
	return !vos_ver_after(vos_inc_change(inc), punch) &&
	       vos_inc_punch_last(agg->pool->umem, inc).epoch <= agg->low;
}

static int
key_remove(struct agg *agg, struct vos_btree_df *df, struct vos_key_df *key, bool empty)
{
	int rc;

	rc = vos_key_unlink(agg->pool, df, key);
	if (rc != 0)
		return rc;
	if (empty)
		return vos_key_free(agg->pool, key);
	return vos_gc_add(agg->pool, VOS_GC_KEY, key, agg->cont->df);
}

struct akey_pos {
	bool		   started;
	struct vos_evt_pos evt;
	struct vos_sv_pos  sv;
};

/** One slice of values; *ret_done when none is left to look at. */
static int
akey_slice(struct agg *agg, const struct agg_path *p, struct akey_pos *pos, bool *ret_done)
{
	struct vos_readers readers = {agg->views, agg->view_nr};
	struct vos_evt	   evt = vos_akey_evt(agg->pool, p->akey);
	uint32_t	   i;
	int		   rc = 0;

	for (i = 0; i < agg->view_nr; i++)
		agg->views[i].punch = path_punch(agg, p, agg->views[i].epoch);
	pos->started = true;
	*ret_done = true;
	if (p->akey->type == VOS_AKEY_SINGLE) {
		rc = vos_sv_reclaim(agg->pool, p->akey, &readers, &pos->sv, &agg->credits);
		*ret_done = pos->sv.done;
	} else if (p->akey->type == VOS_AKEY_ARRAY) {
		rc = vos_evt_reclaim(&evt, &readers, &pos->evt, &agg->credits);
		*ret_done = pos->evt.phase == VOS_EVT_DONE;
	}
	return rc;
}

MAY_YIELD static int
agg_akey(struct agg *agg)
{
	struct akey_pos pos = {0};
	bool		done = false;
	struct agg_path p;
	int		rc = 0;

	while (rc == 0 && !done && !agg->stopped) {
		p = agg_find(agg, true, true);
		if (p.akey == NULL)
			return 0;
		if (!pos.started && inc_is_dead(agg, &p.akey->inc, p.punch))
			return key_remove(agg, &p.dkey->akeys, p.akey, false);
		rc = akey_slice(agg, &p, &pos, &done);
		if (rc == 0 && !done)
			rc = agg_tick(agg);
	}
	if (rc != 0 || agg->stopped)
		return rc;
	p = agg_find(agg, true, true);
	if (p.akey == NULL)
		return 0;
	rc = vos_inc_trim(agg->pool->umem, &p.akey->inc, agg->low);
	if (rc == 0 && vos_akey_is_empty(p.akey) && p.akey->inc.punch_nr == 0)
		rc = key_remove(agg, &p.dkey->akeys, p.akey, true);
	return rc;
}

MAY_YIELD static int
agg_dkey(struct agg *agg)
{
	struct agg_path	   p = agg_find(agg, true, false);
	struct vos_key_df *akey;
	int		   rc = 0;

	if (p.dkey != NULL && inc_is_dead(agg, &p.dkey->inc, p.punch))
		return key_remove(agg, &p.obj->dkeys, p.dkey, false);
	for (agg->akey.set = false; rc == 0 && !agg->stopped;) {
		p = agg_find(agg, true, false);
		if (p.dkey == NULL)
			return 0;
		rc = vos_key_pos_next(agg->pool, &p.dkey->akeys, &agg->akey, &akey);
		if (rc != 0 || akey == NULL)
			break;
		if (!inc_is_old(agg, &akey->inc) || path_is_new(agg, &p))
			rc = agg_akey(agg);
		if (rc == 0)
			rc = agg_tick(agg);
	}
	if (rc != 0 || agg->stopped)
		return rc;
	p = agg_find(agg, true, false);
	if (p.dkey == NULL)
		return 0;
	rc = vos_inc_trim(agg->pool->umem, &p.dkey->inc, agg->low);
	if (rc == 0 && p.dkey->akeys.nr == 0 && p.dkey->inc.punch_nr == 0)
		rc = key_remove(agg, &p.obj->dkeys, p.dkey, true);
	return rc;
}

static int
obj_remove(struct agg *agg, struct vos_obj_df *obj, bool empty)
{
	int rc;

	rc = vos_obj_unlink(agg->pool, agg->cont->df, obj);
	if (rc != 0)
		return rc;
	if (empty)
		return vos_obj_free(agg->pool, obj);
	return vos_gc_add(agg->pool, VOS_GC_OBJ, obj, agg->cont->df);
}

MAY_YIELD static int
agg_obj(struct agg *agg)
{
	struct agg_path	   p = agg_find(agg, false, false);
	struct vos_key_df *dkey;
	int		   rc = 0;

	if (p.obj != NULL && inc_is_dead(agg, &p.obj->inc, p.punch))
		return obj_remove(agg, p.obj, false);
	for (agg->dkey.set = false; rc == 0 && !agg->stopped;) {
		p = agg_find(agg, false, false);
		if (p.obj == NULL)
			return 0;
		rc = vos_key_pos_next(agg->pool, &p.obj->dkeys, &agg->dkey, &dkey);
		if (rc != 0 || dkey == NULL)
			break;
		if (!inc_is_old(agg, &dkey->inc) || path_is_new(agg, &p))
			rc = agg_dkey(agg);
		if (rc == 0)
			rc = agg_tick(agg);
	}
	if (rc != 0 || agg->stopped)
		return rc;
	p = agg_find(agg, false, false);
	if (p.obj == NULL)
		return 0;
	rc = vos_inc_trim(agg->pool->umem, &p.obj->inc, agg->low);
	if (rc == 0 && p.obj->dkeys.nr == 0 && p.obj->inc.punch_nr == 0)
		rc = obj_remove(agg, p.obj, true);
	return rc;
}

MAY_YIELD static int
agg_objs(struct agg *agg)
{
	struct vos_btree       tree = vos_obj_tree(agg->pool, agg->cont->df);
	enum vos_btree_op      op = VOS_BTREE_FIRST;
	struct vos_obj_ent_df *ent;
	int		       rc = 0;

	while (rc == 0 && !agg->stopped) {
		ent = vos_btree_probe(&tree, op, &agg->oid, NULL);
		if (ent == NULL)
			break;
		agg->oid = ent->oid;
		op = VOS_BTREE_GT;
		if (!inc_is_old(agg,
				&((struct vos_obj_df *)umem_ptr(agg->pool->umem, ent->obj))->inc))
			rc = agg_obj(agg);
		if (rc == 0)
			rc = agg_tick(agg);
	}
	return rc;
}

static int
cont_set_epochs(struct vos_cont *cont, daos_epoch_t hae, daos_epoch_t floor)
{
	int rc;

	rc = umem_tx_add(cont->pool->umem, &cont->df->hae, 2 * sizeof(uint64_t));
	if (rc == 0) {
		cont->df->hae = hae;
		cont->df->floor = MAX_OF(cont->df->floor, floor);
	}
	return rc;
}
_Static_assert(offsetof(struct vos_cont_df, floor) == offsetof(struct vos_cont_df, hae) + 8,
	       "neighbours");

/** Who reads: the snapshots before E, and everybody from E on. */
static int
agg_set_readers(struct agg *agg)
{
	struct vos_cont *cont = agg->cont;
	uint32_t	 i;

	agg->views = calloc(cont->snap_nr + 1, sizeof(*agg->views));
	if (agg->views == NULL)
		return -DER_NOMEM;
	for (i = VOS_BUG(VOS_BUG_LOST_SNAPSHOT) ? 1 : 0; i < cont->snap_nr && cont->snaps[i] < agg->epoch; i++)
		agg->views[agg->view_nr++].epoch = cont->snaps[i];
	agg->views[agg->view_nr++].epoch = agg->epoch;
	agg->low = agg->views[0].epoch;
	/* What was spared for a snapshot that is gone does not look changed. */
	if (cont->df->kept && cont->snaps_changed)
		agg->since = 0;
	cont->snaps_changed = false;
	return 0;
}

static int
cont_set_kept(struct vos_cont *cont, bool kept)
{
	int rc;

	if (kept == cont->df->kept)
		return 0;
	rc = umem_tx_add(cont->pool->umem, &cont->df->kept, sizeof(cont->df->kept));
	if (rc == 0)
		cont->df->kept = kept;
	return rc;
}

/** Raise the floor, and say that something will be spared, before anything is done. */
static int
agg_begin(struct agg *agg)
{
	int rc;

	rc = cont_set_epochs(agg->cont, agg->cont->df->hae, agg->epoch);
	if (rc == 0 && agg->view_nr > 1)
		rc = cont_set_kept(agg->cont, true);
	return rc;
}

static int
agg_complete(struct agg *agg)
{
	int rc;

	rc = cont_set_epochs(agg->cont, agg->epoch, agg->epoch);
	return rc != 0 ? rc : cont_set_kept(agg->cont, agg->view_nr > 1);
}

MAY_YIELD int
vos_aggregate(struct vos_cont *cont, daos_epoch_t epoch, bool (*stop)(void *arg), void *arg)
{
	struct agg agg = {.cont = cont,
			  .pool = cont->pool,
			  .epoch = epoch,
			  .since = cont->df->hae,
			  .stop = stop,
			  .stop_arg = arg,
			  .credits = SLICE_CREDITS};
	int	   rc;

	if (cont->aggregating)
		return -DER_BUSY;
	if (epoch == 0 || epoch == DAOS_EPOCH_MAX)
		return -DER_INVAL;
	/* What is prepared must find its past when it is committed. */
	agg.epoch = epoch = MIN_OF(epoch, vos_dtx_oldest(cont) - 1);
	if (epoch <= cont->df->hae)
		return 0;
	rc = agg_set_readers(&agg);
	if (rc != 0)
		return rc;
	vos_cont_get(cont);
	cont->aggregating = true;
	vos_tx_begin(cont->pool);
	rc = agg_begin(&agg);
	if (rc == 0)
		rc = agg_objs(&agg);
	if (rc == 0 && !agg.stopped)
		rc = agg_complete(&agg);
	rc = vos_tx_end(cont->pool, cont->df, rc);
	if (rc != 0 || agg.stopped)
		cont->snaps_changed = true;
	free(agg.views);
	vos_key_pos_fini(&agg.dkey);
	vos_key_pos_fini(&agg.akey);
	cont->aggregating = false;
	vos_cont_close(cont);
	return rc;
}
