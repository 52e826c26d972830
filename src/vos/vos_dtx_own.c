/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Conditions within a transaction: they hold or not for the state before it as its own earlier
 * operations would leave it. Those are in DRAM only, so the question goes through them from the
 * newest back, and to the trees for what none of them decided:
 *
 *     akey    the newest that writes something which no newer hole of the transaction covers: there;
 *             a punch of it or of something above: not there, and nothing older matters;
 *             else whether the trees show anything outside of the transaction's holes
 *     dkey    one of the akeys the transaction names is there; or the trees show another one, and
 *             the transaction punched nothing above
 *     object  likewise, of dkeys
 *
 * All of a transaction has one epoch and comes after what is in the trees at that epoch, as it will
 * when it is committed. What depends on somebody else's prepared transaction is asked of the state
 * before (vos_dtx_index.c); where own operations meet prepared ones on one dkey, the answer waits
 * for these, without a closer look.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <string.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"

#define COND_DKEY (DAOS_COND_DKEY_INSERT | DAOS_COND_DKEY_UPDATE | DAOS_COND_DKEY_FETCH)
#define COND_AKEY (DAOS_COND_AKEY_INSERT | DAOS_COND_AKEY_UPDATE | DAOS_COND_AKEY_FETCH)

/** What is asked for. */
struct name {
	const struct vos_dtx_own *own;
	struct vos_cont		 *cont;
	daos_unit_oid_t		  oid;
	daos_epoch_t		  epoch;
	const daos_key_t	 *dkey;
	const daos_key_t	 *akey;
};

static const struct vos_dtx_op *
op_last(const struct vos_dtx_own *own)
{
	const d_list_t *at = own->end == NULL ? own->ops->prev : own->end->link.prev;

	return at == own->ops ? NULL : d_list_entry(at, const struct vos_dtx_op, link);
}

static const struct vos_dtx_op *
op_before(const struct vos_dtx_own *own, const struct vos_dtx_op *op)
{
	struct vos_dtx_own upto = {.ops = own->ops, .end = op};

	return op_last(&upto);
}

static const daos_key_t *
op_dkey(const struct vos_dtx_op *op)
{
	return op->io != NULL ? op->io->cond.dkey : op->punch.dkey;
}

static bool
op_of_obj(const struct vos_dtx_op *op, const struct name *n)
{
	const daos_unit_oid_t *oid = op->io != NULL ? &op->io->cond.oid : &op->punch.oid;

	return memcmp(oid, &n->oid, sizeof(*oid)) == 0;
}

/** Is it on the dkey, or a punch of the whole object? */
static bool
op_of_dkey(const struct vos_dtx_op *op, const struct name *n)
{
	return op_of_obj(op, n) && (op_dkey(op) == NULL || vos_key_same(op_dkey(op), n->dkey));
}

static bool
punches_obj(const struct vos_dtx_op *op)
{
	return op->io == NULL && op->punch.dkey == NULL;
}

/** Of an operation of the dkey: does it punch all of it? */
static bool
punches_dkey(const struct vos_dtx_op *op)
{
	return op->io == NULL && op->punch.akey_nr == 0;
}

static unsigned
op_akey_nr(const struct vos_dtx_op *op)
{
	return op->io != NULL ? op->io->cond.nr : op->punch.akey_nr;
}

static const daos_key_t *
op_akey(const struct vos_dtx_op *op, unsigned i)
{
	return op->io != NULL ? &op->io->cond.iods[i].iod_name : &op->punch.akeys[i];
}

/* ---- akeys ---- */

/** Where one looks at the newest end of the iods: operation @op, those from @iod on are newer. */
struct place {
	const struct vos_dtx_op *op;
	unsigned		 iod;
};

/** The end of the hole of @op, in iods from @first on, at @lo; or *ret_next: where the next one begins, if before. */
static uint64_t
hole_end(const struct vos_dtx_op *op, unsigned first, const struct name *n, uint64_t lo,
	 uint64_t *ret_next)
{
	unsigned i;
	uint32_t j;

	for (i = first; op->io != NULL && i < op->io->cond.nr; i++) {
		const daos_iod_t *iod = &op->io->cond.iods[i];

		if (iod->iod_type != DAOS_IOD_ARRAY || iod->iod_size != 0 ||
		    !vos_key_same(&iod->iod_name, n->akey))
			continue;
		for (j = 0; j < iod->iod_nr; j++) {
			const daos_recx_t *r = &iod->iod_recxs[j];

			if (r->rx_idx <= lo && lo < r->rx_idx + r->rx_nr)
				return r->rx_idx + r->rx_nr;
			if (r->rx_idx > lo)
				*ret_next = MIN_OF(*ret_next, r->rx_idx);
		}
	}
	return lo;
}

/**
 * The first record at or after @lo that no own hole newer than @place (NULL op: no own hole)
 * covers; *ret_hi: up to where none does.
 */
static uint64_t
holes_skip(const struct name *n, struct place place, uint64_t lo, uint64_t *ret_hi)
{
	const struct vos_dtx_op *op;
	uint64_t		 from;

	do {
		from = lo;
		*ret_hi = UINT64_MAX;
		for (op = op_last(n->own); op != NULL; op = op_before(n->own, op)) {
			if (op_of_dkey(op, n))
				lo = hole_end(op, op == place.op ? place.iod : 0, n, lo, ret_hi);
			if (op == place.op)
				break;
		}
	} while (lo != from);
	return lo;
}

/** Does the update of it write anything that nothing newer takes away? */
static bool
iod_stays(const struct name *n, struct place place, const daos_iod_t *iod)
{
	uint64_t hi;
	uint32_t j;

	if (iod->iod_type == DAOS_IOD_SINGLE || iod->iod_size == 0)
		return iod->iod_size != 0;
	for (j = 0; j < iod->iod_nr; j++) {
		const daos_recx_t *r = &iod->iod_recxs[j];

		if (holes_skip(n, place, r->rx_idx, &hi) < r->rx_idx + r->rx_nr)
			return true;
	}
	return false;
}

enum verdict { THERE, GONE, OPEN };

static enum verdict
op_verdict(const struct name *n, const struct vos_dtx_op *op)
{
	unsigned i = op_akey_nr(op);

	if (punches_obj(op) || punches_dkey(op))
		return GONE;
	while (i-- > 0) {
		const daos_iod_t *iod;

		if (!vos_key_same(op_akey(op, i), n->akey))
			continue;
		if (op->io == NULL)
			return GONE;
		iod = &op->io->cond.iods[i];
		if (iod_stays(n, (struct place){op, i + 1}, iod))
			return THERE;
		if (iod->iod_type == DAOS_IOD_SINGLE)
			return GONE;
	}
	return OPEN;
}

/** What the trees show of an array where the transaction makes no holes. */
static int
array_there(const struct name *n, struct vos_key_df *akey, const struct vos_view *view)
{
	struct vos_evt evt = vos_akey_evt(n->cont->pool, akey);
	uint64_t       lo = 0;
	uint64_t       hi;

	while ((lo = holes_skip(n, (struct place){0}, lo, &hi)) < UINT64_MAX) {
		struct vos_ext_list list = {0};
		bool		    found;
		int		    rc;

		rc = vos_evt_fetch(&evt, view, lo, hi, 1, &list, NULL);
		found = list.nr > 0;
		vos_ext_list_fini(&list);
		if (found || rc != 0)
			return found ? 1 : rc;
		lo = hi;
	}
	return 0;
}

/** The object and dkey in the trees, and the newest punch of them at the epoch. False: there is no such dkey. */
static bool
dkey_find(const struct name *n, struct vos_key_df **ret_dkey, struct vos_ver *ret_punch)
{
	struct vos_pool	    *pool = n->cont->pool;
	struct vos_obj_df   *obj = vos_obj_find(pool, n->cont->df, &n->oid);
	struct vos_key_probe probe;

	*ret_punch = VOS_VER_NONE;
	if (obj == NULL || vos_key_probe_init(&probe, vos_dkey_kind(n->oid), n->dkey) != 0)
		return false;
	*ret_dkey = vos_key_find(pool, &obj->dkeys, &probe);
	if (*ret_dkey == NULL)
		return false;
	(void)vos_inc_enter(pool->umem, &obj->inc, n->epoch, ret_punch);
	(void)vos_inc_enter(pool->umem, &(*ret_dkey)->inc, n->epoch, ret_punch);
	return true;
}

/** 1: there; 0: not; < 0: an error. */
static int
akey_there(const struct name *n)
{
	struct vos_pool		*pool = n->cont->pool;
	struct vos_view		 view = {.epoch = n->epoch};
	const struct vos_dtx_op *op;
	struct vos_key_probe	 probe;
	struct vos_key_df	*key;

	for (op = op_last(n->own); op != NULL; op = op_before(n->own, op)) {
		enum verdict v = op_of_dkey(op, n) ? op_verdict(n, op) : OPEN;

		if (v != OPEN)
			return v == THERE;
	}
	if (!dkey_find(n, &key, &view.punch) ||
	    vos_key_probe_init(&probe, vos_akey_kind(n->oid), n->akey) != 0)
		return 0;
	key = vos_key_find(pool, &key->akeys, &probe);
	if (key == NULL || !vos_inc_enter(pool->umem, &key->inc, n->epoch, &view.punch))
		return 0;
	if (key->type == VOS_AKEY_SINGLE)
		return vos_sv_find(pool, key, &view) != NULL;
	return key->type == VOS_AKEY_ARRAY ? array_there(n, key, &view) : 0;
}

/* ---- dkeys, objects ---- */

/** Is @akey of the trees one that an operation of the transaction names? */
static bool
akey_is_own(const struct name *n, struct vos_key_df *dkey, const struct vos_key_df *akey)
{
	const struct vos_dtx_op *op;
	struct vos_key_probe	 probe;
	unsigned		 i;

	for (op = op_last(n->own); op != NULL; op = op_before(n->own, op))
		for (i = 0; op_of_dkey(op, n) && i < op_akey_nr(op); i++)
			if (vos_key_probe_init(&probe, vos_akey_kind(n->oid), op_akey(op, i)) == 0 &&
			    vos_key_find(n->cont->pool, &dkey->akeys, &probe) == akey)
				return true;
	return false;
}

/** Do the trees show an akey of the dkey that no operation of the transaction names? */
static int
other_akey_there(const struct name *n)
{
	struct vos_pool	      *pool = n->cont->pool;
	struct vos_btree_cur   cur;
	struct vos_key_ent_df *ent;
	struct vos_key_df     *dkey;
	struct vos_btree       tree;
	struct vos_ver	       punch;

	if (!dkey_find(n, &dkey, &punch))
		return 0;
	tree = vos_key_tree(pool, &dkey->akeys);
	for (ent = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, &cur); ent != NULL;
	     ent = vos_btree_next(&tree, &cur)) {
		struct vos_key_df *akey = vos_key_of(pool, ent);

		if (vos_akey_visible(pool, akey, n->epoch, punch) && !akey_is_own(n, dkey, akey))
			return 1;
	}
	return 0;
}

static int
dkey_there(const struct name *n)
{
	struct name		 akey = *n;
	const struct vos_dtx_op *op;
	unsigned		 i;

	for (op = op_last(n->own); op != NULL; op = op_before(n->own, op)) {
		if (!op_of_dkey(op, n))
			continue;
		if (punches_obj(op) || punches_dkey(op))
			return 0;
		for (i = 0; i < op_akey_nr(op); i++) {
			int rc;

			akey.akey = op_akey(op, i);
			rc = akey_there(&akey);
			if (rc != 0)
				return rc;
		}
	}
	return other_akey_there(n);
}

static bool
dkey_is_own(const struct name *n, struct vos_obj_df *obj, const struct vos_key_df *dkey)
{
	const struct vos_dtx_op *op;
	struct vos_key_probe	 probe;

	for (op = op_last(n->own); op != NULL; op = op_before(n->own, op))
		if (op_of_obj(op, n) && op_dkey(op) != NULL &&
		    vos_key_probe_init(&probe, vos_dkey_kind(n->oid), op_dkey(op)) == 0 &&
		    vos_key_find(n->cont->pool, &obj->dkeys, &probe) == dkey)
			return true;
	return false;
}

static int
other_dkey_there(const struct name *n)
{
	struct vos_pool	      *pool = n->cont->pool;
	struct vos_obj_df     *obj = vos_obj_find(pool, n->cont->df, &n->oid);
	struct vos_ver	       punch = VOS_VER_NONE;
	struct vos_btree_cur   cur;
	struct vos_key_ent_df *ent;
	struct vos_btree       tree;

	if (obj == NULL || !vos_inc_enter(pool->umem, &obj->inc, n->epoch, &punch))
		return 0;
	tree = vos_key_tree(pool, &obj->dkeys);
	for (ent = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, &cur); ent != NULL;
	     ent = vos_btree_next(&tree, &cur)) {
		struct vos_key_df *dkey = vos_key_of(pool, ent);

		if (vos_dkey_visible(pool, dkey, n->epoch, punch) && !dkey_is_own(n, obj, dkey))
			return 1;
	}
	return 0;
}

static int
obj_there(const struct name *n)
{
	struct name		 dkey = *n;
	const struct vos_dtx_op *op;
	int			 rc;

	for (op = op_last(n->own); op != NULL; op = op_before(n->own, op)) {
		if (!op_of_obj(op, n))
			continue;
		if (punches_obj(op))
			return 0;
		dkey.dkey = op_dkey(op);
		rc = dkey_there(&dkey);
		if (rc != 0)
			return rc;
	}
	return other_dkey_there(n);
}

/* ---- conditions ---- */

/** Own operations that have to do with it meet prepared ones of others? */
static int
prepared_check(const struct name *n)
{
	const struct vos_dtx_op *op;

	if (n->cont->dtx == NULL)
		return 0;
	for (op = op_last(n->own); op != NULL; op = op_before(n->own, op)) {
		if (!op_of_obj(op, n))
			continue;
		if (n->dkey == NULL)
			return vos_dtx_query_check(n->cont, n->oid, DAOS_GET_DKEY, n->epoch, NULL);
		if (op_of_dkey(op, n))
			return vos_dtx_query_check(n->cont, n->oid, DAOS_GET_AKEY, n->epoch, n->dkey);
	}
	return 0;
}

static int
must(int there, uint64_t flags, uint64_t insert, uint64_t exist)
{
	if (there < 0)
		return there;
	if ((flags & insert) && there)
		return -DER_EXIST;
	return (flags & exist) && !there ? -DER_NONEXIST : 0;
}

/** Do its conditions hold? */
static int
conds_check(const struct name *n, const struct vos_cond *cond)
{
	struct name akey = *n;
	unsigned    i;
	int	    rc = prepared_check(n);

	if (rc == 0 && (cond->flags & COND_DKEY))
		rc = must(dkey_there(n), cond->flags, DAOS_COND_DKEY_INSERT,
			  DAOS_COND_DKEY_UPDATE | DAOS_COND_DKEY_FETCH);
	for (i = 0; i < cond->nr && rc == 0; i++) {
		uint64_t flags =
		    cond->flags & DAOS_COND_PER_AKEY ? cond->iods[i].iod_flags : cond->flags;

		akey.akey = &cond->iods[i].iod_name;
		if (flags & COND_AKEY)
			rc = must(akey_there(&akey), flags, DAOS_COND_AKEY_INSERT,
				  DAOS_COND_AKEY_UPDATE | DAOS_COND_AKEY_FETCH);
	}
	return rc;
}

/** Something was read, by which conditions do not hold. */
static bool
is_answer(int rc)
{
	return rc == -DER_EXIST || rc == -DER_NONEXIST;
}

int
vos_dtx_own_update_check(const struct vos_dtx_own *own, struct vos_cont *cont,
			 const struct vos_cond *cond)
{
	struct name n = {own, cont, cond->oid, cond->epoch, cond->dkey, NULL};
	int	    rc = vos_epoch_admit(cont, cond->epoch);

	if (rc == 0 && cont->dtx != NULL)
		rc = vos_dtx_update_check(cont, cond);
	if (rc == 0)
		rc = conds_check(&n, cond);
	if (is_answer(rc) && cont->pool->ts != NULL)
		vos_dtx_note_conds(cont, cond, own->reader);
	return rc;
}

static int
punch_conds_check(const struct name *n, const struct vos_punch *p)
{
	struct name akey = *n;
	unsigned    i;
	int	    rc = prepared_check(n);

	if (rc == 0)
		rc = must(p->dkey == NULL ? obj_there(n) : dkey_there(n), 1, 0, 1);
	for (i = 0; rc == 0 && (p->flags & DAOS_COND_PUNCH) && i < p->akey_nr; i++) {
		akey.akey = &p->akeys[i];
		rc = must(akey_there(&akey), 1, 0, 1);
	}
	return rc;
}

int
vos_dtx_own_punch_check(const struct vos_dtx_own *own, const struct vos_punch *p)
{
	struct name n = {own, p->cont, p->oid, p->epoch, p->dkey, NULL};
	int	    rc = vos_epoch_admit(p->cont, p->epoch);

	if (rc == 0)
		rc = vos_punch_keys_check(p);
	if (rc == 0 && p->cont->dtx != NULL)
		rc = vos_dtx_punch_check(p);
	if (rc == 0)
		rc = punch_conds_check(&n, p);
	if (is_answer(rc) && p->cont->pool->ts != NULL)
		vos_dtx_note_punch_conds(p, own->reader);
	return rc;
}
