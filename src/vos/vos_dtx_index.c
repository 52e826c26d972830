/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Which answers depend on something prepared? The operations of prepared transactions are found by
 * object and dkey here; their parts are read in the records. A container without any has no index,
 * so that all this costs one test.
 *
 * An answer at epoch e depends on a prepared transaction of epoch p <= e if committing it would
 * change it:
 *
 *   - values: an update of the akey that overlaps, a punch of it or of something above;
 *   - existence (conditions, listing): anything that may remove (a punch, a hole, an empty single
 *     value), or an update, if nothing is there yet.
 *
 * A write that stores records of one size into an array depends on prepared ones of another size.
 *
 * Invariants:
 *   1. The index has the records of the prepared tree, each once.
 *   2. cont->dtx is NULL when it would be empty, but for those that are being ended (hidden).
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"

#define BUCKET_NR 256u

struct prep_op {
	struct vos_dtx_prep	   *prep;
	const struct vos_dtx_op_df *df;
	d_list_t		    by_dkey; /**< of object and dkey; a punch of an object has an empty dkey */
	d_list_t		    by_obj;
};

struct vos_dtx_prep {
	struct vos_dtx_df *rec;
	d_list_t	   link;
	uint32_t	   op_nr;
	struct prep_op	   ops[];
};

struct vos_dtx_index {
	d_list_t preps;
	uint32_t hidden_nr;
	d_list_t by_dkey[BUCKET_NR];
	d_list_t by_obj[BUCKET_NR];
};

/* ---- adding and removing ---- */

int
vos_dtx_prep_new(uint32_t op_nr, struct vos_dtx_prep **ret_prep)
{
	struct vos_dtx_prep *prep = calloc(1, sizeof(*prep) + op_nr * sizeof(prep->ops[0]));

	if (prep == NULL)
		return -DER_NOMEM;
	prep->op_nr = op_nr;
	*ret_prep = prep;
	return 0;
}

void
vos_dtx_prep_free(struct vos_dtx_prep *prep)
{
	free(prep);
}

int
vos_dtx_index_make(struct vos_cont *cont)
{
	struct vos_dtx_index *index;
	uint32_t	      i;

	if (cont->dtx != NULL)
		return 0;
	if (cont->dtx_spare != NULL) {
		cont->dtx = cont->dtx_spare;
		cont->dtx_spare = NULL;
		return 0;
	}
	index = malloc(sizeof(*index));
	if (index == NULL)
		return -DER_NOMEM;
	d_list_init(&index->preps);
	index->hidden_nr = 0;
	for (i = 0; i < BUCKET_NR; i++) {
		d_list_init(&index->by_dkey[i]);
		d_list_init(&index->by_obj[i]);
	}
	cont->dtx = index;
	return 0;
}

static d_list_t *
obj_bucket(struct vos_dtx_index *index, const daos_unit_oid_t *oid)
{
	return &index->by_obj[XXH3_64bits(oid, sizeof(*oid)) % BUCKET_NR];
}

static d_list_t *
dkey_bucket(struct vos_dtx_index *index, const daos_unit_oid_t *oid, const void *dkey,
	    uint32_t bytes)
{
	uint64_t seed = XXH3_64bits(oid, sizeof(*oid));

	return &index->by_dkey[XXH3_64bits_withSeed(dkey, bytes, seed) % BUCKET_NR];
}

void
vos_dtx_index_add(struct vos_cont *cont, struct vos_dtx_prep *prep, struct vos_dtx_df *rec)
{
	struct vos_dtx_index *index = cont->dtx;
	umem_off_t	      off = rec->ops;
	uint32_t	      i;

	D_ASSERT(index != NULL && prep->op_nr == rec->op_nr);
	prep->rec = rec;
	d_list_add_tail(&prep->link, &index->preps);
	for (i = 0; i < prep->op_nr; i++) {
		const struct vos_dtx_op_df *op = umem_ptr(cont->pool->umem, off);

		prep->ops[i].prep = prep;
		prep->ops[i].df = op;
		d_list_add_tail(&prep->ops[i].by_obj, obj_bucket(index, &op->oid));
		d_list_add_tail(&prep->ops[i].by_dkey,
				dkey_bucket(index, &op->oid, op->body, op->dkey_bytes));
		off = op->next;
	}
}

struct vos_dtx_prep *
vos_dtx_index_find(struct vos_cont *cont, const struct vos_dtx_df *rec)
{
	const struct vos_dtx_op_df *first;
	struct vos_dtx_prep	   *prep;
	struct prep_op		   *op;

	if (rec->op_nr > 0) {
		first = umem_ptr(cont->pool->umem, rec->ops);
		d_list_for_each (op, dkey_bucket(cont->dtx, &first->oid, first->body, first->dkey_bytes),
				 by_dkey)
			if (op->prep->rec == rec)
				return op->prep;
	}
	d_list_for_each (prep, &cont->dtx->preps, link)
		if (prep->rec == rec)
			return prep;
	D_ASSERT(!"a prepared transaction is not in the index");
	return NULL;
}

static void
prep_unlink(struct vos_dtx_prep *prep)
{
	uint32_t i;

	for (i = 0; i < prep->op_nr; i++) {
		d_list_del(&prep->ops[i].by_obj);
		d_list_del(&prep->ops[i].by_dkey);
	}
	d_list_del(&prep->link);
}

static void
index_settle(struct vos_cont *cont)
{
	if (!d_list_empty(&cont->dtx->preps) || cont->dtx->hidden_nr > 0)
		return;
	/* Empty lists need not be made again. */
	cont->dtx_spare = cont->dtx;
	cont->dtx = NULL;
}

void
vos_dtx_index_remove(struct vos_cont *cont, struct vos_dtx_prep *prep)
{
	prep_unlink(prep);
	vos_dtx_prep_free(prep);
	index_settle(cont);
}

void
vos_dtx_index_hide(struct vos_cont *cont, struct vos_dtx_prep *prep)
{
	prep_unlink(prep);
	cont->dtx->hidden_nr++;
}

void
vos_dtx_index_unhide(struct vos_cont *cont, struct vos_dtx_prep *prep)
{
	cont->dtx->hidden_nr--;
	vos_dtx_index_add(cont, prep, prep->rec);
}

void
vos_dtx_index_drop(struct vos_cont *cont, struct vos_dtx_prep *prep)
{
	cont->dtx->hidden_nr--;
	vos_dtx_prep_free(prep);
	index_settle(cont);
}

int
vos_dtx_index_load(struct vos_cont *cont)
{
	struct vos_btree       tree = vos_dtx_prepared_tree(cont->pool, cont->df);
	struct vos_btree_cur   cur;
	struct vos_dtx_ent_df *ent;

	for (ent = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, &cur); ent != NULL;
	     ent = vos_btree_next(&tree, &cur)) {
		struct vos_dtx_df   *rec = umem_ptr(cont->pool->umem, ent->value);
		struct vos_dtx_prep *prep = NULL;
		int		     rc;

		rc = vos_dtx_rec_check(cont->pool, rec);
		if (rc == 0)
			rc = vos_dtx_index_make(cont);
		if (rc == 0)
			rc = vos_dtx_prep_new(rec->op_nr, &prep);
		if (rc != 0) {
			vos_dtx_index_free(cont);
			return rc;
		}
		vos_dtx_index_add(cont, prep, rec);
	}
	return 0;
}

void
vos_dtx_index_free(struct vos_cont *cont)
{
	struct vos_dtx_prep *prep;

	while (cont->dtx != NULL &&
	       (prep = d_list_first(&cont->dtx->preps, struct vos_dtx_prep, link)) != NULL) {
		prep_unlink(prep);
		vos_dtx_prep_free(prep);
	}
	free(cont->dtx);
	free(cont->dtx_spare);
	cont->dtx = cont->dtx_spare = NULL;
}

daos_epoch_t
vos_dtx_oldest(const struct vos_cont *cont)
{
	daos_epoch_t	     oldest = DAOS_EPOCH_MAX;
	struct vos_dtx_prep *prep;

	if (cont->dtx == NULL)
		return oldest;
	d_list_for_each (prep, &cont->dtx->preps, link)
		oldest = MIN_OF(oldest, prep->rec->epoch);
	return oldest;
}

bool
vos_dtx_in_range(const struct vos_cont *cont, daos_epoch_t lo, daos_epoch_t hi)
{
	struct vos_dtx_prep *prep;

	if (cont->dtx == NULL)
		return false;
	d_list_for_each (prep, &cont->dtx->preps, link)
		if (lo <= prep->rec->epoch && prep->rec->epoch <= hi)
			return true;
	return false;
}

/* ---- what depends on it ---- */

static int
blocked(struct vos_cont *cont, const struct prep_op *op)
{
	cont->blocker = op->prep->rec->id;
	return -DER_INPROGRESS;
}

static bool
same_oid(const struct prep_op *op, daos_unit_oid_t oid)
{
	return memcmp(&op->df->oid, &oid, sizeof(oid)) == 0;
}

static bool
same_dkey(const struct prep_op *op, const daos_key_t *dkey)
{
	return op->df->dkey_bytes == dkey->iov_len &&
	       memcmp(op->df->body, dkey->iov_buf, dkey->iov_len) == 0;
}

static bool
same_akey(const struct vos_dtx_part *part, const daos_key_t *akey)
{
	return part->df->akey_bytes == akey->iov_len &&
	       memcmp(part->akey, akey->iov_buf, akey->iov_len) == 0;
}

/** Is all of the dkey, or of the object, punched? */
static bool
punches_all(const struct prep_op *op)
{
	return op->df->kind == VOS_DTX_PUNCH && op->df->part_nr == 0;
}

/** May the part take something away? */
static bool
removes(const struct vos_dtx_part *part)
{
	return part->df->seg_nr == 0 || part->df->rsize == 0;
}

static bool
overlaps(const struct vos_dtx_part *part, const daos_iod_t *iod)
{
	uint32_t s;
	uint32_t r;

	if (part->df->seg_nr == 0 || iod->iod_type == DAOS_IOD_SINGLE ||
	    part->df->type == VOS_AKEY_SINGLE)
		return true;
	for (s = 0; s < part->df->seg_nr; s++)
		for (r = 0; r < iod->iod_nr; r++)
			if (part->segs[s].lo < iod->iod_recxs[r].rx_idx + iod->iod_recxs[r].rx_nr &&
			    iod->iod_recxs[r].rx_idx < part->segs[s].hi)
				return true;
	return false;
}

/** @fn is asked about each operation at or before @epoch on the dkey, or on the object as a whole. */
typedef bool (*depends_t)(const struct prep_op *op, const void *arg);

static int
dkey_ops_ask(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, const daos_key_t *dkey,
	     depends_t fn, const void *arg)
{
	struct prep_op *op;

	d_list_for_each (op, dkey_bucket(cont->dtx, &oid, dkey->iov_buf, dkey->iov_len), by_dkey)
		if (op->prep->rec->epoch <= epoch && same_oid(op, oid) && same_dkey(op, dkey) &&
		    fn(op, arg))
			return blocked(cont, op);
	d_list_for_each (op, dkey_bucket(cont->dtx, &oid, "", 0), by_dkey)
		if (op->prep->rec->epoch <= epoch && same_oid(op, oid) &&
		    op->df->dkey_bytes == 0 && fn(op, arg))
			return blocked(cont, op);
	return 0;
}

static bool
read_depends(const struct prep_op *op, const void *arg)
{
	const struct vos_cond *cond = arg;
	struct vos_dtx_part    part = {0};
	unsigned	       i;

	if (punches_all(op))
		return true;
	while (vos_dtx_part_next(op->df, &part))
		for (i = 0; i < cond->nr; i++)
			if (same_akey(&part, &cond->iods[i].iod_name) &&
			    overlaps(&part, &cond->iods[i]))
				return true;
	return false;
}

/** A dkey or akey whose existence is asked for. */
struct exist {
	const daos_key_t *akey; /**< NULL: the dkey */
	bool		  there; /**< as things stand */
};

static bool
exist_depends(const struct prep_op *op, const void *arg)
{
	const struct exist *e = arg;
	struct vos_dtx_part part = {0};

	if (punches_all(op))
		return e->there;
	while (vos_dtx_part_next(op->df, &part))
		if ((e->akey == NULL || same_akey(&part, e->akey)) && removes(&part) == e->there)
			return true;
	return false;
}

/** Is the dkey, or with @akey that, visible? */
static bool
is_there(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, const daos_key_t *dkey,
	 const daos_key_t *akey)
{
	daos_iod_t	iod = {.iod_name = akey == NULL ? *dkey : *akey};
	struct vos_cond cond = {.oid = oid,
				.epoch = epoch,
				.flags = akey == NULL ? DAOS_COND_DKEY_UPDATE : DAOS_COND_AKEY_UPDATE,
				.dkey = dkey,
				.nr = akey == NULL ? 0 : 1,
				.iods = &iod};

	return vos_cond_check(cont, &cond) == 0;
}

static int
exist_check(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch, const daos_key_t *dkey,
	    const daos_key_t *akey)
{
	struct exist e = {akey, is_there(cont, oid, epoch, dkey, akey)};

	return dkey_ops_ask(cont, oid, epoch, dkey, exist_depends, &e);
}

#define COND_DKEY (DAOS_COND_DKEY_INSERT | DAOS_COND_DKEY_UPDATE | DAOS_COND_DKEY_FETCH)
#define COND_AKEY (DAOS_COND_AKEY_INSERT | DAOS_COND_AKEY_UPDATE | DAOS_COND_AKEY_FETCH)

static int
conds_check(struct vos_cont *cont, const struct vos_cond *cond)
{
	unsigned i;
	int	 rc = 0;

	if ((cond->flags & DAOS_COND_MASK) == 0)
		return 0;
	if (cond->flags & COND_DKEY)
		rc = exist_check(cont, cond->oid, cond->epoch, cond->dkey, NULL);
	for (i = 0; i < cond->nr && rc == 0; i++) {
		uint64_t flags =
		    cond->flags & DAOS_COND_PER_AKEY ? cond->iods[i].iod_flags : cond->flags;

		if (flags & COND_AKEY)
			rc = exist_check(cont, cond->oid, cond->epoch, cond->dkey,
					 &cond->iods[i].iod_name);
	}
	return rc;
}

int
vos_dtx_read_check(struct vos_cont *cont, const struct vos_cond *cond)
{
	int rc = conds_check(cont, cond);

	if (rc != 0)
		return rc;
	return dkey_ops_ask(cont, cond->oid, cond->epoch, cond->dkey, read_depends, cond);
}

/** Is the akey prepared to become of another kind than the update makes it? */
struct kind {
	const daos_iod_t *iod;
	bool		  refused; /**< as things stand; a punch may change that */
};

static bool
kind_depends(const struct prep_op *op, const void *arg)
{
	const struct kind  *k = arg;
	uint32_t	    type = k->iod->iod_type == DAOS_IOD_SINGLE ? VOS_AKEY_SINGLE : VOS_AKEY_ARRAY;
	struct vos_dtx_part part = {0};

	if (punches_all(op))
		return k->refused;
	while (vos_dtx_part_next(op->df, &part)) {
		if (!same_akey(&part, &k->iod->iod_name))
			continue;
		if (part.df->seg_nr == 0)
			return k->refused;
		if (part.df->type != type)
			return true;
		if (type == VOS_AKEY_ARRAY && k->iod->iod_size != 0 && part.df->rsize != 0 &&
		    part.df->rsize != k->iod->iod_size)
			return true;
	}
	return false;
}

/** Would the update be refused for its type or record size? */
static bool
kind_refused(struct vos_cont *cont, const struct vos_cond *cond, const daos_iod_t *iod)
{
	struct vos_obj_df   *obj = vos_obj_find(cont->pool, cont->df, &cond->oid);
	struct umem	    *u = cont->pool->umem;
	struct vos_key_probe probe;
	struct vos_key_df   *key = NULL;
	struct vos_ver	     punch;

	if (obj == NULL)
		return false;
	punch = vos_inc_punch_last(u, &obj->inc);
	if (vos_key_probe_init(&probe, vos_dkey_kind(cond->oid), cond->dkey) == 0)
		key = vos_key_find(cont->pool, &obj->dkeys, &probe);
	if (key == NULL || vos_key_probe_init(&probe, vos_akey_kind(cond->oid), &iod->iod_name) != 0)
		return false;
	punch = vos_ver_max(punch, vos_inc_punch_last(u, &key->inc));
	key = vos_key_find(cont->pool, &key->akeys, &probe);
	if (key == NULL)
		return false;
	punch = vos_ver_max(punch, vos_inc_punch_last(u, &key->inc));
	return vos_akey_check(cont->pool, key, iod, punch) != 0;
}

int
vos_dtx_kinds_check(struct vos_cont *cont, const struct vos_cond *cond)
{
	unsigned i;

	for (i = 0; i < cond->nr; i++)
		if (kind_refused(cont, cond, &cond->iods[i]))
			return -DER_INVAL;
	return 0;
}

int
vos_dtx_update_check(struct vos_cont *cont, const struct vos_cond *cond)
{
	unsigned i;
	int	 rc = conds_check(cont, cond);

	for (i = 0; i < cond->nr && rc == 0; i++) {
		struct kind k = {&cond->iods[i], kind_refused(cont, cond, &cond->iods[i])};

		rc = dkey_ops_ask(cont, cond->oid, DAOS_EPOCH_MAX, cond->dkey, kind_depends, &k);
	}
	return rc;
}

/** Operations on the object up to @epoch that may change which of its dkeys exist. */
static int
obj_ops_check(struct vos_cont *cont, daos_unit_oid_t oid, daos_epoch_t epoch)
{
	struct prep_op *op;

	d_list_for_each (op, obj_bucket(cont->dtx, &oid), by_obj) {
		struct exist e = {NULL, true};
		daos_key_t   dkey;

		if (op->prep->rec->epoch > epoch || !same_oid(op, oid))
			continue;
		if (op->df->dkey_bytes == 0)
			return blocked(cont, op);
		d_iov_set(&dkey, (void *)op->df->body, op->df->dkey_bytes);
		e.there = is_there(cont, oid, epoch, &dkey, NULL);
		if (exist_depends(op, &e))
			return blocked(cont, op);
	}
	return 0;
}

int
vos_dtx_punch_check(const struct vos_punch *p)
{
	unsigned i;
	int	 rc;

	if ((p->flags & (DAOS_COND_PUNCH | DAOS_COND_DKEY_UPDATE)) == 0)
		return 0;
	if (p->dkey == NULL)
		return obj_ops_check(p->cont, p->oid, p->epoch);
	rc = exist_check(p->cont, p->oid, p->epoch, p->dkey, NULL);
	for (i = 0; i < p->akey_nr && rc == 0; i++)
		rc = exist_check(p->cont, p->oid, p->epoch, p->dkey, &p->akeys[i]);
	return rc;
}

/** Does @op change which akeys of its dkey exist? */
static bool
akeys_depend(const struct prep_op *op, const void *arg)
{
	const struct vos_iter_param *param = arg;
	struct vos_dtx_part	     part = {0};
	daos_key_t		     akey;

	if (punches_all(op))
		return is_there(param->cont, param->oid, param->epoch, &param->dkey, NULL);
	while (vos_dtx_part_next(op->df, &part)) {
		d_iov_set(&akey, (void *)part.akey, part.df->akey_bytes);
		if (removes(&part) ==
		    is_there(param->cont, param->oid, param->epoch, &param->dkey, &akey))
			return true;
	}
	return false;
}

static bool
values_depend(const struct prep_op *op, const void *arg)
{
	const struct vos_iter_param *param = arg;
	struct vos_dtx_part	     part = {0};

	if (punches_all(op))
		return true;
	while (vos_dtx_part_next(op->df, &part))
		if (same_akey(&part, &param->akey))
			return true;
	return false;
}

static int
objs_check(const struct vos_iter_param *param)
{
	struct vos_dtx_prep *prep;
	uint32_t	     i;
	int		     rc = 0;

	d_list_for_each (prep, &param->cont->dtx->preps, link)
		for (i = 0; i < prep->op_nr && rc == 0; i++)
			rc = obj_ops_check(param->cont, prep->ops[i].df->oid, param->epoch);
	return rc;
}

int
vos_dtx_list_check(const struct vos_iter_param *param, enum vos_iter_type type)
{
	switch (type) {
	case VOS_ITER_OBJ:
		return objs_check(param);
	case VOS_ITER_DKEY:
		return obj_ops_check(param->cont, param->oid, param->epoch);
	case VOS_ITER_AKEY:
		return dkey_ops_ask(param->cont, param->oid, param->epoch, &param->dkey,
				    akeys_depend, param);
	default:
		return dkey_ops_ask(param->cont, param->oid, param->epoch, &param->dkey,
				    values_depend, param);
	}
}

static bool
always(const struct prep_op *op, const void *arg)
{
	(void)op;
	(void)arg;
	return true;
}

int
vos_dtx_query_check(struct vos_cont *cont, daos_unit_oid_t oid, uint32_t flags, daos_epoch_t epoch,
		    const daos_key_t *dkey)
{
	struct prep_op *op;

	if (flags == 0)
		return 0;
	if ((flags & DAOS_GET_DKEY) == 0)
		return dkey_ops_ask(cont, oid, epoch, dkey, always, NULL);
	d_list_for_each (op, obj_bucket(cont->dtx, &oid), by_obj)
		if (op->prep->rec->epoch <= epoch && same_oid(op, oid))
			return blocked(cont, op);
	return 0;
}
