/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Containers. An operation under way holds its container open, so it never has to look it up
 * again. */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"

static struct vos_cont_df *
cont_find(struct vos_pool *pool, const uuid_t uuid)
{
	struct vos_btree	tree = vos_cont_tree(pool);
	struct vos_cont_ent_df *ent = vos_btree_find(&tree, uuid);

	return ent == NULL ? NULL : umem_ptr(pool->umem, ent->cont);
}

static struct vos_cont *
cont_open_find(struct vos_pool *pool, const struct vos_cont_df *df)
{
	struct vos_cont *cont;

	d_list_for_each (cont, &pool->conts, link)
		if (cont->df == df)
			return cont;
	return NULL;
}

static int
cont_make(struct vos_pool *pool, const uuid_t uuid)
{
	struct vos_btree       tree = vos_cont_tree(pool);
	struct vos_cont_ent_df ent;
	struct vos_cont_df    *df;
	int		       rc;

	uuid_copy(ent.uuid, uuid);
	rc = umem_alloc(pool->umem, sizeof(*df), &ent.cont);
	if (rc != 0)
		return rc;
	df = umem_ptr(pool->umem, ent.cont);
	uuid_copy(df->uuid, uuid);
	return vos_btree_insert(&tree, uuid, &ent);
}

MAY_YIELD int
vos_cont_create(struct vos_pool *pool, const uuid_t uuid)
{
	if (cont_find(pool, uuid) != NULL)
		return -DER_EXIST;
	vos_tx_begin(pool);
	return vos_tx_end(pool, NULL, cont_make(pool, uuid));
}

MAY_YIELD int
vos_cont_destroy(struct vos_pool *pool, const uuid_t uuid)
{
	struct vos_btree    tree = vos_cont_tree(pool);
	struct vos_cont_df *df = cont_find(pool, uuid);
	int		    rc;

	if (df == NULL)
		return -DER_NONEXIST;
	if (cont_open_find(pool, df) != NULL)
		return -DER_BUSY;
	vos_tx_begin(pool);
	rc = vos_btree_delete(&tree, uuid);
	if (rc == 0)
		rc = vos_gc_add(pool, VOS_GC_CONT, df, df);
	return vos_tx_end(pool, NULL, rc);
}

int
vos_cont_open(struct vos_pool *pool, const uuid_t uuid, struct vos_cont **ret_cont)
{
	struct vos_cont_df *df = cont_find(pool, uuid);
	struct vos_cont	   *cont;

	if (df == NULL)
		return -DER_NONEXIST;
	cont = cont_open_find(pool, df);
	if (cont == NULL) {
		cont = calloc(1, sizeof(*cont));
		if (cont == NULL)
			return -DER_NOMEM;
		cont->pool = pool;
		cont->df = df;
		cont->snaps_changed = true;
		if (df->dtx_prepared.nr > 0) {
			int rc = vos_dtx_index_load(cont);

			if (rc != 0) {
				free(cont);
				return rc;
			}
		}
		d_list_add_tail(&cont->link, &pool->conts);
	}
	cont->refs++;
	*ret_cont = cont;
	return 0;
}

void
vos_cont_get(struct vos_cont *cont)
{
	cont->refs++;
}

void
vos_cont_close(struct vos_cont *cont)
{
	if (cont == NULL)
		return;
	D_ASSERT(cont->refs > 0);
	if (--cont->refs > 0)
		return;
	d_list_del(&cont->link);
	vos_dtx_index_free(cont);
	free(cont->snaps);
	free(cont);
}

static int
epoch_cmp(const void *a, const void *b)
{
	daos_epoch_t x = *(const daos_epoch_t *)a;
	daos_epoch_t y = *(const daos_epoch_t *)b;

	return x < y ? -1 : x > y;
}

int
vos_cont_set_snapshots(struct vos_cont *cont, const daos_epoch_t *epochs, uint32_t nr)
{
	daos_epoch_t *snaps = NULL;

	if (nr > 0) {
		snaps = malloc(nr * sizeof(*snaps));
		if (snaps == NULL)
			return -DER_NOMEM;
		memcpy(snaps, epochs, nr * sizeof(*snaps));
		qsort(snaps, nr, sizeof(*snaps), epoch_cmp);
	}
	if (nr != cont->snap_nr || (nr > 0 && memcmp(snaps, cont->snaps, nr * sizeof(*snaps)) != 0))
		cont->snaps_changed = true;
	free(cont->snaps);
	cont->snaps = snaps;
	cont->snap_nr = nr;
	return 0;
}

void
vos_cont_set_floor(struct vos_cont *cont, daos_epoch_t epoch)
{
	cont->floor = MAX_OF(cont->floor, epoch);
}

bool
vos_cont_epoch_kept(const struct vos_cont *cont, daos_epoch_t epoch)
{
	bool kept = epoch > cont->df->hae;

	for (uint32_t i = 0; i < cont->snap_nr && !kept; i++)
		kept = cont->snaps[i] == epoch;
	return kept;
}

int
vos_cont_list(struct vos_pool *pool, int (*cb)(const uuid_t uuid, void *arg), void *arg)
{
	struct vos_btree	tree = vos_cont_tree(pool);
	struct vos_btree_cur	cur;
	struct vos_cont_ent_df *ent;
	int			rc = 0;

	for (ent = vos_btree_probe(&tree, VOS_BTREE_FIRST, NULL, &cur); ent != NULL && rc == 0;
	     ent = vos_btree_next(&tree, &cur))
		rc = cb(ent->uuid, arg);
	return rc;
}

void
vos_cont_query(struct vos_cont *cont, struct vos_cont_info *info)
{
	*info = (struct vos_cont_info){
	    .obj_nr = cont->df->objs.nr, .used_bytes = cont->df->used_bytes, .hae = cont->df->hae};
}

MAY_YIELD int
vos_cont_wait_durable(struct vos_cont *cont)
{
	return umem_wait_durable(cont->pool->umem, umem_last_seq(cont->pool->umem));
}
