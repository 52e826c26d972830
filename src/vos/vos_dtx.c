/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Transactions of several operations.
 *
 *                                  end(COMMIT)
 *          begin          ┌───────────────────────────┐
 *     (unknown) ──▶ building                          ▼
 *          ▲           │  │ end(PREPARE)          committed ──▶ (unknown)
 *          │  ROLLBACK │  ▼                           ▲    trim
 *          ├───────────┘ prepared ────────────────────┘
 *          │   abort      │            commit
 *          └──────────────┘
 *
 * While building, operations are in DRAM only. Preparing writes the blocks, then one transaction of
 * the heap checks everything afresh, puts small values into the heap, and writes the record:
 * nothing of it is in the trees, so nothing of it can be seen, and aborting has nothing to undo.
 * Committing does all operations of the record, removes it and notes the id, in one transaction of
 * the heap; what was checked when it was prepared still holds, since writes that would change it
 * wait (vos_dtx_update_check). So a commit fails for lack of space or memory at most, and can be
 * repeated.
 *
 * Differs from DAOS, where preparing inserts into the trees what readers must then tell apart, and
 * committing marks it: here readers pay nothing where nothing is prepared, and an abort frees at
 * once.
 *
 * Aggregation stops before the oldest prepared epoch, since what is committed there must find its
 * past as it was.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"

#define TRIM_SLICE 64u
#define PART_MAX   8192u /**< akeys a transaction changes: committing it must fit the log */

struct vos_dtx {
	struct vos_cont *cont; /**< a reference */
	struct dtx_id	 id;
	daos_epoch_t	 epoch;
	uint32_t	 op_nr;
	uint32_t	 part_nr;
	d_list_t	 ops; /**< struct vos_dtx_op */
};

/* ---- building ---- */

static int
id_is_new(struct vos_cont *cont, const struct dtx_id *id)
{
	switch (vos_dtx_check(cont, id, NULL)) {
	case VOS_DTX_PREPARED:
		return -DER_EXIST;
	case VOS_DTX_COMMITTED:
		return -DER_ALREADY;
	default:
		return 0;
	}
}

int
vos_dtx_begin(struct vos_cont *cont, const struct dtx_id *id, daos_epoch_t epoch,
	      struct vos_dtx **ret_dtx)
{
	struct vos_dtx *dtx;
	int		rc = id_is_new(cont, id);

	if (rc == 0)
		rc = vos_epoch_admit(cont, epoch);
	if (rc != 0)
		return rc;
	dtx = calloc(1, sizeof(*dtx));
	if (dtx == NULL)
		return -DER_NOMEM;
	*dtx = (struct vos_dtx){.cont = cont, .id = *id, .epoch = epoch};
	d_list_init(&dtx->ops);
	vos_cont_get(cont);
	*ret_dtx = dtx;
	return 0;
}

static int
op_add(struct vos_dtx *dtx, uint32_t part_nr, struct vos_dtx_op **ret_op)
{
	struct vos_dtx_op *op;

	if (part_nr > PART_MAX - dtx->part_nr)
		return -DER_REC2BIG;
	op = calloc(1, sizeof(*op));
	if (op == NULL)
		return -DER_NOMEM;
	d_list_add_tail(&op->link, &dtx->ops);
	dtx->op_nr++;
	dtx->part_nr += part_nr;
	*ret_op = op;
	return 0;
}

static struct vos_dtx_own
ops_before(const struct vos_dtx *dtx, const struct vos_dtx_op *end)
{
	return (struct vos_dtx_own){&dtx->ops, end, vos_dtx_reader(&dtx->id)};
}

MAY_YIELD int
vos_dtx_update_begin(struct vos_dtx *dtx, daos_unit_oid_t oid, uint64_t flags, const daos_key_t *dkey, unsigned nr,
		     const daos_iod_t *iods, struct vos_io **ret_io)
{
	struct vos_cond	   cond = {oid, dtx->epoch, flags & ~(uint64_t)DAOS_COND_MASK, dkey, nr, iods, 0};
	struct vos_dtx_own own;
	struct vos_io	  *io;
	int		   rc;

	/* What has conditions is checked by itself; begin checks the rest, and the arguments. */
	rc = vos_update_cond_begin(dtx->cont, &cond, NULL, &io);
	if (rc != 0)
		return rc;
	io->cond.flags = flags;
	if (flags & DAOS_COND_MASK) {
		own = ops_before(dtx, NULL);
		rc = vos_dtx_own_update_check(&own, dtx->cont, &io->cond);
	}
	if (rc == 0)
		*ret_io = io;
	else
		vos_io_free(io);
	return rc;
}

int
vos_dtx_update(struct vos_dtx *dtx, struct vos_io *io)
{
	struct vos_dtx_op *op;
	int		   rc = -DER_INVAL;

	D_ASSERT(io->is_update);
	if (io->cont == dtx->cont && io->cond.epoch == dtx->epoch)
		rc = op_add(dtx, io->cond.nr, &op);
	if (rc == 0)
		op->io = io;
	else
		vos_io_free(io);
	return rc;
}

/** @end: the operation it is, or NULL. */
static int
punch_check(const struct vos_dtx *dtx, const struct vos_punch *p, const struct vos_dtx_op *end)
{
	struct vos_dtx_own own;

	if ((p->flags & (DAOS_COND_PUNCH | DAOS_COND_DKEY_UPDATE)) == 0)
		return vos_punch_check(p);
	own = ops_before(dtx, end);
	return vos_dtx_own_punch_check(&own, p);
}

int
vos_dtx_punch(struct vos_dtx *dtx, daos_unit_oid_t oid, uint64_t flags, const daos_key_t *dkey,
	      unsigned akey_nr, const daos_key_t *akeys)
{
	struct vos_punch   p = {dtx->cont, oid, dtx->epoch, flags, dkey, akey_nr, akeys};
	struct vos_dtx_op *op;
	int		   rc = punch_check(dtx, &p, NULL);

	if (rc == 0)
		rc = op_add(dtx, 1 + akey_nr, &op);
	if (rc == 0)
		op->punch = p;
	return rc;
}

static void
dtx_free(struct vos_dtx *dtx)
{
	struct vos_dtx_op *op;

	while ((op = d_list_first(&dtx->ops, struct vos_dtx_op, link)) != NULL) {
		d_list_del(&op->link);
		if (op->io != NULL)
			vos_io_free(op->io);
		free(op);
	}
	vos_cont_close(dtx->cont);
	free(dtx);
}

/* ---- ending ---- */

MAY_YIELD static int
values_write(struct vos_dtx *dtx)
{
	struct vos_dtx_op *op;
	int		   rc = 0;

	d_list_for_each (op, &dtx->ops, link) {
		if (op->io != NULL)
			rc = vos_update_write(op->io);
		if (rc != 0)
			break;
	}
	return rc;
}

/** Do two of its updates make one akey different things? */
static bool
iods_clash(const struct vos_cond *a, const struct vos_cond *b)
{
	unsigned i;
	unsigned j;

	if (memcmp(&a->oid, &b->oid, sizeof(a->oid)) != 0 || !vos_key_same(a->dkey, b->dkey))
		return false;
	for (i = 0; i < a->nr; i++) {
		for (j = 0; j < b->nr; j++) {
			const daos_iod_t *x = &a->iods[i];
			const daos_iod_t *y = &b->iods[j];

			if (!vos_key_same(&x->iod_name, &y->iod_name))
				continue;
			if (x->iod_type != y->iod_type ||
			    (x->iod_type == DAOS_IOD_ARRAY && x->iod_size != 0 &&
			     y->iod_size != 0 && x->iod_size != y->iod_size))
				return true;
		}
	}
	return false;
}

/** Would committing @op fail for an akey's type or record size? */
static int
kinds_check(struct vos_dtx *dtx, struct vos_dtx_op *op)
{
	struct vos_dtx_op *before;

	d_list_for_each (before, &dtx->ops, link) {
		if (before->io != NULL && iods_clash(&before->io->cond, &op->io->cond))
			return -DER_INVAL;
		if (before == op)
			break;
	}
	return vos_dtx_kinds_check(dtx->cont, &op->io->cond);
}

static int
update_check(struct vos_dtx *dtx, struct vos_dtx_op *op)
{
	struct vos_dtx_own own;
	int		   rc;

	if ((op->io->cond.flags & DAOS_COND_MASK) == 0) {
		rc = vos_update_check(op->io);
	} else {
		own = ops_before(dtx, op);
		rc = vos_dtx_own_update_check(&own, dtx->cont, &op->io->cond);
	}
	return rc != 0 ? rc : kinds_check(dtx, op);
}

/** May all of it happen, as things stand? From here to the end of the transaction nothing yields. */
static int
ops_check(struct vos_dtx *dtx)
{
	struct vos_dtx_op *op;
	int		   rc = id_is_new(dtx->cont, &dtx->id);

	d_list_for_each (op, &dtx->ops, link) {
		if (rc != 0)
			break;
		rc = op->io == NULL ? punch_check(dtx, &op->punch, op) : update_check(dtx, op);
	}
	return rc != 0 ? rc : vos_epoch_admit(dtx->cont, dtx->epoch);
}

/** Is nothing it writes read by others at a later epoch? */
static int
ops_are_new(struct vos_dtx *dtx)
{
	uint64_t	   writer = vos_dtx_reader(&dtx->id);
	struct vos_dtx_op *op;
	int		   rc = 0;

	if (dtx->cont->pool->ts == NULL)
		return 0;
	d_list_for_each (op, &dtx->ops, link) {
		rc = op->io != NULL ? vos_dtx_update_is_new(dtx->cont, &op->io->cond, writer)
				    : vos_dtx_punch_is_new(&op->punch, writer);
		if (rc != 0)
			break;
	}
	return rc;
}

/** Was the record removed, or made? Decides what becomes of the index when a commit failed. */
static bool
is_prepared(struct vos_cont *cont, const struct dtx_id *id)
{
	return vos_dtx_rec_find(cont->pool, cont->df, id) != NULL;
}

static int
record_make(struct vos_dtx *dtx, struct vos_dtx_df **ret_rec)
{
	struct vos_dtx_op *op;
	int		   rc = 0;

	d_list_for_each (op, &dtx->ops, link) {
		if (op->io != NULL)
			rc = vos_update_place(op->io);
		if (rc != 0)
			return rc;
	}
	return vos_dtx_rec_make(dtx->cont, &dtx->id, dtx->epoch, &dtx->ops, ret_rec);
}

MAY_YIELD static int
dtx_prepare(struct vos_dtx *dtx)
{
	struct vos_cont	    *cont = dtx->cont;
	struct vos_dtx_prep *prep = NULL;
	struct vos_dtx_df   *rec;
	int		     rc;

	rc = vos_dtx_prep_new(dtx->op_nr, &prep);
	if (rc != 0)
		return rc;
	vos_tx_begin(cont->pool);
	rc = record_make(dtx, &rec);
	if (rc == 0)
		rc = vos_dtx_index_make(cont);
	if (rc != 0) {
		vos_dtx_prep_free(prep);
		return vos_tx_end(cont->pool, NULL, rc);
	}
	vos_dtx_index_add(cont, prep, rec);
	rc = vos_tx_end(cont->pool, cont->df, 0);
	if (rc != 0 && !is_prepared(cont, &dtx->id))
		vos_dtx_index_remove(cont, prep);
	return rc;
}

MAY_YIELD static int
dtx_commit(struct vos_dtx *dtx)
{
	struct vos_dtx_op *op;
	int		   rc = 0;

	vos_tx_begin(dtx->cont->pool);
	d_list_for_each (op, &dtx->ops, link) {
		rc = op->io != NULL ? vos_update_apply(op->io) : vos_punch_apply(&op->punch);
		if (rc != 0)
			break;
	}
	if (rc == 0)
		rc = vos_dtx_committed_add(dtx->cont, &dtx->id, dtx->epoch);
	return vos_tx_end(dtx->cont->pool, dtx->cont->df, rc);
}

MAY_YIELD int
vos_dtx_end(struct vos_dtx *dtx, enum vos_dtx_how how)
{
	int rc = 0;

	if (how != VOS_DTX_ROLLBACK) {
		rc = values_write(dtx);
		if (rc == 0)
			rc = ops_check(dtx);
		if (rc == 0)
			rc = ops_are_new(dtx);
		if (rc == 0)
			rc = how == VOS_DTX_PREPARE ? dtx_prepare(dtx) : dtx_commit(dtx);
	}
	dtx_free(dtx);
	return rc;
}

/* ---- what was prepared ---- */

/** Commit or abort @rec, in one transaction; durable once *ret_seq is. */
MAY_YIELD static int
record_end_async(struct vos_cont *cont, struct vos_dtx_df *rec, bool commit, uint64_t *ret_seq)
{
	struct vos_dtx_prep *prep = vos_dtx_index_find(cont, rec);
	struct dtx_id	     id = rec->id;
	daos_epoch_t	     epoch = rec->epoch;
	int		     rc = 0;

	vos_cont_get(cont);
	vos_tx_begin(cont->pool);
	if (commit)
		rc = vos_dtx_rec_apply(cont, rec);
	if (rc == 0)
		rc = vos_dtx_rec_remove(cont->pool, cont->df, rec, !commit);
	if (rc == 0 && commit)
		rc = vos_dtx_committed_add(cont, &id, epoch);
	/* Others run before this returns: they must not find a record that is gone. Should the
	 * transaction abort, it does before anything yields. */
	vos_dtx_index_hide(cont, prep);
	rc = vos_tx_end_async(cont->pool, cont->df, rc, ret_seq);
	if (rc != 0 && is_prepared(cont, &id))
		vos_dtx_index_unhide(cont, prep);
	else
		vos_dtx_index_drop(cont, prep);
	vos_cont_close(cont);
	return rc;
}

MAY_YIELD static int
record_end(struct vos_cont *cont, struct vos_dtx_df *rec, bool commit)
{
	uint64_t seq = 0;
	int	 rc = record_end_async(cont, rec, commit, &seq);

	return rc != 0 ? rc : vos_tx_wait(cont->pool, seq);
}

MAY_YIELD int
vos_dtx_commit(struct vos_cont *cont, const struct dtx_id *id)
{
	int rc_one;
	int rc = vos_dtx_commit_many(cont, id, 1, &rc_one);

	return rc_one != 0 ? rc_one : rc;
}

MAY_YIELD int
vos_dtx_commit_many(struct vos_cont *cont, const struct dtx_id *ids, uint32_t nr, int *rcs)
{
	uint64_t seq = 0;
	uint32_t i;
	int	 rc;

	vos_cont_get(cont);
	for (i = 0; i < nr; i++) {
		struct vos_dtx_df *rec = vos_dtx_rec_find(cont->pool, cont->df, &ids[i]);

		rcs[i] = 0;
		if (rec != NULL)
			rcs[i] = record_end_async(cont, rec, true, &seq);
		else if (vos_dtx_check(cont, &ids[i], NULL) == VOS_DTX_COMMITTED)
			seq = umem_last_seq(cont->pool->umem);
		else
			rcs[i] = -DER_NONEXIST;
	}
	rc = vos_tx_wait(cont->pool, seq);
	vos_cont_close(cont);
	return rc;
}

MAY_YIELD int
vos_dtx_abort(struct vos_cont *cont, const struct dtx_id *id)
{
	struct vos_dtx_df *rec = vos_dtx_rec_find(cont->pool, cont->df, id);

	if (rec != NULL)
		return record_end(cont, rec, false);
	return vos_dtx_check(cont, id, NULL) == VOS_DTX_COMMITTED ? -DER_ALREADY : -DER_NONEXIST;
}

enum vos_dtx_state
vos_dtx_check(struct vos_cont *cont, const struct dtx_id *id, daos_epoch_t *ret_epoch)
{
	struct vos_btree       committed = vos_dtx_committed_tree(cont->pool, cont->df);
	struct vos_dtx_df     *rec = vos_dtx_rec_find(cont->pool, cont->df, id);
	struct vos_dtx_ent_df *ent;

	if (rec != NULL) {
		if (ret_epoch != NULL)
			*ret_epoch = rec->epoch;
		return VOS_DTX_PREPARED;
	}
	ent = vos_btree_find(&committed, id);
	if (ent == NULL)
		return VOS_DTX_UNKNOWN;
	if (ret_epoch != NULL)
		*ret_epoch = ent->value;
	return VOS_DTX_COMMITTED;
}

void
vos_dtx_blocker(const struct vos_cont *cont, struct dtx_id *ret_id)
{
	*ret_id = cont->blocker;
}

void
vos_dtx_stat(struct vos_cont *cont, struct vos_dtx_stat *stat)
{
	*stat = (struct vos_dtx_stat){.prepared_nr = cont->df->dtx_prepared.nr,
				      .committed_nr = cont->df->dtx_committed.nr,
				      .prepared_epoch_min = vos_dtx_oldest(cont)};
}

int
vos_dtx_list(struct vos_cont *cont, enum vos_dtx_state state,
	     int (*cb)(const struct dtx_id *id, daos_epoch_t epoch, void *arg), void *arg)
{
	bool		       prepared = state == VOS_DTX_PREPARED;
	struct vos_btree       tree = prepared ? vos_dtx_prepared_tree(cont->pool, cont->df)
					       : vos_dtx_committed_tree(cont->pool, cont->df);
	struct vos_btree_cur   cur;
	struct vos_dtx_ent_df *ent;
	int		       rc = 0;

	for (ent = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, &cur); ent != NULL && rc == 0;
	     ent = vos_btree_next(&tree, &cur)) {
		const struct vos_dtx_df *rec =
		    prepared ? umem_ptr(cont->pool->umem, ent->value) : NULL;

		rc = cb(&ent->id, prepared ? rec->epoch : ent->value, arg);
	}
	return rc;
}

MAY_YIELD int
vos_dtx_resolve(struct vos_cont *cont, uint64_t hlc, vos_dtx_resolve_cb_t cb, void *arg)
{
	struct vos_btree       tree = vos_dtx_prepared_tree(cont->pool, cont->df);
	enum vos_btree_op      op = VOS_BTREE_FIRST;
	struct vos_dtx_ent_df *ent;
	struct dtx_id	       at;
	int		       left = 0;
	int		       rc = 0;

	vos_cont_get(cont);
	while (rc == 0) {
		enum vos_dtx_how   how = VOS_DTX_PREPARE;
		struct vos_dtx_df *rec;

		ent = vos_btree_probe(&tree, op, &at, NULL);
		if (ent == NULL || ent->id.hlc > hlc)
			break;
		at = ent->id;
		op = VOS_BTREE_GT;
		rec = umem_ptr(cont->pool->umem, ent->value);
		rc = cb(&at, rec->epoch, &how, arg);
		rec = vos_dtx_rec_find(cont->pool, cont->df, &at);
		if (rc != 0 || rec == NULL)
			continue;
		if (how == VOS_DTX_PREPARE)
			left++;
		else
			rc = record_end(cont, rec, how == VOS_DTX_COMMIT);
	}
	vos_cont_close(cont);
	return rc != 0 ? rc : left;
}

/** Some of the oldest; *ret_nr: how many went. */
static int
trim_slice(struct vos_cont *cont, uint64_t hlc, uint64_t keep_nr, uint32_t *ret_nr)
{
	struct vos_btree       tree = vos_dtx_committed_tree(cont->pool, cont->df);
	struct vos_dtx_ent_df *ent;
	struct dtx_id	       id;
	int		       rc = 0;

	for (*ret_nr = 0; rc == 0 && *ret_nr < TRIM_SLICE && cont->df->dtx_committed.nr > keep_nr;
	     (*ret_nr)++) {
		ent = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, NULL);
		if (ent == NULL || ent->id.hlc > hlc)
			break;
		id = ent->id;
		rc = vos_btree_delete(&tree, &id);
	}
	return rc;
}

MAY_YIELD int
vos_dtx_trim(struct vos_cont *cont, uint64_t hlc, uint64_t keep_nr)
{
	uint32_t nr;
	int	 rc;

	vos_cont_get(cont);
	do {
		vos_tx_begin(cont->pool);
		rc = trim_slice(cont, hlc, keep_nr, &nr);
		rc = vos_tx_end(cont->pool, NULL, rc);
		if (rc == 0 && nr == TRIM_SLICE)
			ult_yield();
	} while (rc == 0 && nr == TRIM_SLICE);
	vos_cont_close(cont);
	return rc;
}

/** One call's part; where it stops is noted even if the transaction fails: the ids come up again in the next round. */
static int
sweep_slice(struct vos_cont *cont, uint32_t nr, bool (*may_go)(const struct dtx_id *id, void *arg), void *arg)
{
	struct vos_btree       tree = vos_dtx_committed_tree(cont->pool, cont->df);
	struct vos_dtx_ent_df *ent;
	int		       rc = 0;

	for (; rc == 0 && nr > 0; nr--) {
		ent = vos_btree_probe(&tree, VOS_BTREE_GT, &cont->swept, NULL);
		if (ent == NULL) {
			cont->swept = (struct dtx_id){0};
			break;
		}
		cont->swept = ent->id;
		if (may_go(&cont->swept, arg))
			rc = vos_btree_delete(&tree, &cont->swept);
	}
	return rc;
}

MAY_YIELD int
vos_dtx_sweep(struct vos_cont *cont, uint32_t nr, bool (*may_go)(const struct dtx_id *id, void *arg), void *arg)
{
	uint64_t seq = 0;
	int	 rc;

	vos_cont_get(cont);
	vos_tx_begin(cont->pool);
	rc = sweep_slice(cont, nr, may_go, arg);
	rc = vos_tx_end_async(cont->pool, NULL, rc, &seq);
	vos_cont_close(cont);
	return rc;
}
