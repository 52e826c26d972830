/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Freeing what was unlinked as a whole: containers, objects, keys. They wait in a durable queue,
 * first in first out, so that a container's record outlives the parts queued before it. Each slice
 * is a transaction that takes leaves off by the ordinary deletions; what is left is always a valid
 * tree, so a crash just means going on, and nobody waits until a slice is durable.
 */
#define D_LOGFAC LOG_FAC_VOS

#include "base/log.h"
#include "vos/vos_dtx_index.h"

int
vos_gc_add(struct vos_pool *pool, enum vos_gc_kind kind, void *what, struct vos_cont_df *cont)
{
	struct vos_pool_df *df = pool->df;
	struct vos_gc_df   *gc;
	struct vos_gc_df   *tail;
	umem_off_t	    off;
	int		    rc;

	rc = umem_alloc(pool->umem, sizeof(*gc), &off);
	if (rc == 0)
		rc = umem_tx_add(pool->umem, df, sizeof(*df));
	if (rc != 0)
		return rc;
	gc = umem_ptr(pool->umem, off);
	gc->what = umem_off(pool->umem, what);
	gc->cont = umem_off(pool->umem, cont);
	gc->kind = kind;
	if (df->gc_tail == UMEM_NULL) {
		df->gc_head = off;
	} else {
		tail = umem_ptr(pool->umem, df->gc_tail);
		rc = umem_tx_add(pool->umem, &tail->next, sizeof(tail->next));
		if (rc != 0)
			return rc;
		tail->next = off;
	}
	df->gc_tail = off;
	df->gc_nr++;
	return 0;
}

static int
gc_pop(struct vos_pool *pool, struct vos_gc_df *gc)
{
	struct vos_pool_df *df = pool->df;
	int		    rc;

	rc = umem_tx_add(pool->umem, df, sizeof(*df));
	if (rc != 0)
		return rc;
	df->gc_head = gc->next;
	if (df->gc_head == UMEM_NULL)
		df->gc_tail = UMEM_NULL;
	df->gc_nr--;
	return umem_free(pool->umem, umem_off(pool->umem, gc));
}

/* Each drain takes off at most *credits pieces; with credits left over, nothing is left below. */

static int
akey_drain(struct vos_pool *pool, struct vos_key_df *akey, uint32_t *credits)
{
	struct vos_evt evt = vos_akey_evt(pool, akey);

	if (akey->type == VOS_AKEY_SINGLE)
		return vos_sv_drain(pool, akey, credits);
	return akey->type == VOS_AKEY_ARRAY ? vos_evt_drain(&evt, credits) : 0;
}

static int
dkey_drain(struct vos_pool *pool, struct vos_key_df *dkey, uint32_t *credits)
{
	struct vos_btree tree = vos_key_tree(pool, &dkey->akeys);
	int		 rc = 0;

	while (rc == 0 && *credits > 0 && dkey->akeys.nr > 0) {
		struct vos_key_df *akey =
		    vos_key_of(pool, vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, NULL));

		rc = akey_drain(pool, akey, credits);
		if (rc != 0 || *credits == 0)
			break;
		(*credits)--;
		rc = vos_key_unlink(pool, &dkey->akeys, akey);
		if (rc == 0)
			rc = vos_key_free(pool, akey);
	}
	return rc;
}

static int
obj_drain(struct vos_pool *pool, struct vos_obj_df *obj, uint32_t *credits)
{
	struct vos_btree tree = vos_key_tree(pool, &obj->dkeys);
	int		 rc = 0;

	while (rc == 0 && *credits > 0 && obj->dkeys.nr > 0) {
		struct vos_key_df *dkey =
		    vos_key_of(pool, vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, NULL));

		rc = dkey_drain(pool, dkey, credits);
		if (rc != 0 || *credits == 0)
			break;
		(*credits)--;
		rc = vos_key_unlink(pool, &obj->dkeys, dkey);
		if (rc == 0)
			rc = vos_key_free(pool, dkey);
	}
	return rc;
}

static int
cont_drain(struct vos_pool *pool, struct vos_cont_df *cont, uint32_t *credits)
{
	struct vos_btree tree = vos_obj_tree(pool, cont);
	int		 rc = 0;

	while (rc == 0 && *credits > 0 && cont->objs.nr > 0) {
		struct vos_obj_ent_df *ent = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, NULL);
		struct vos_obj_df     *obj = umem_ptr(pool->umem, ent->obj);

		rc = obj_drain(pool, obj, credits);
		if (rc != 0 || *credits == 0)
			break;
		(*credits)--;
		rc = vos_obj_unlink(pool, cont, obj);
		if (rc == 0)
			rc = vos_obj_free(pool, obj);
	}
	return rc != 0 ? rc : vos_dtx_drain(pool, cont, credits);
}

static int
key_drain(struct vos_pool *pool, struct vos_key_df *key, uint32_t *credits)
{
	return key->level == VOS_DKEY ? dkey_drain(pool, key, credits)
				      : akey_drain(pool, key, credits);
}

/** Drain the oldest item; with credits left over, free its record and the item. */
static int
item_drain(struct vos_pool *pool, struct vos_gc_df *gc, uint32_t *credits, bool *ret_done)
{
	void *what = umem_ptr(pool->umem, gc->what);
	int   rc;

	switch (gc->kind) {
	case VOS_GC_CONT:
		rc = cont_drain(pool, what, credits);
		break;
	case VOS_GC_OBJ:
		rc = obj_drain(pool, what, credits);
		break;
	default:
		rc = key_drain(pool, what, credits);
	}
	if (rc != 0 || *credits == 0)
		return rc;
	(*credits)--;
	*ret_done = true;
	if (gc->kind == VOS_GC_CONT)
		rc = umem_free(pool->umem, gc->what);
	else if (gc->kind == VOS_GC_OBJ)
		rc = vos_obj_free(pool, what);
	else
		rc = vos_key_free(pool, what);
	return rc != 0 ? rc : gc_pop(pool, gc);
}

/** One transaction: items of one container, as far as *credits reach. Need not be durable. */
MAY_YIELD static int
slice_drain(struct vos_pool *pool, uint32_t *credits, uint64_t *ret_seq)
{
	struct vos_gc_df *gc = umem_ptr(pool->umem, pool->df->gc_head);
	umem_off_t	  cont = gc->cont;
	bool		  done = true;
	bool		  cont_gone = false;
	int		  rc = 0;

	vos_tx_begin(pool);
	while (rc == 0 && done && !cont_gone && *credits > 0 && pool->df->gc_head != UMEM_NULL) {
		gc = umem_ptr(pool->umem, pool->df->gc_head);
		if (gc->cont != cont)
			break;
		done = false;
		cont_gone = gc->kind == VOS_GC_CONT;
		rc = item_drain(pool, gc, credits, &done);
		cont_gone = cont_gone && done;
	}
	/* The accounts of a container that is gone need no entry. */
	return vos_tx_end_async(pool, cont_gone ? NULL : umem_ptr(pool->umem, cont), rc, ret_seq);
}

MAY_YIELD int
vos_gc(struct vos_pool *pool, unsigned credits)
{
	int rc;

	while (credits > 0 && pool->df->gc_head != UMEM_NULL) {
		uint32_t slice = MIN_OF(credits, VOS_GC_SLICE);
		uint32_t left = slice;
		uint64_t seq;

		rc = slice_drain(pool, &left, &seq);
		if (rc != 0)
			return rc;
		credits -= slice - left;
		ult_yield();
	}
	return MIN_OF(pool->df->gc_nr, INT32_MAX);
}
