/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Iteration. Nothing but the anchor lives across a yield: it holds the last key returned (or the
 * next offset), and each slice finds its way again from the container down. So whatever is inserted
 * or removed meanwhile, what stays is listed exactly once.
 *
 * A key longer than the anchor is kept as prefix, order number and a second hash. Should such a key
 * be removed between two calls, a hashed list goes on behind its order number; a lexical one begins
 * again at the first key with that prefix, and may list some of those twice.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <string.h>
#include <xxhash.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"
#include "vos/vos_iter_int.h"

#define ANCHOR_KEY_MAX 80u
#define ANCHOR_SEED    0x616e63686f72ULL

struct iter_anchor {
	uint32_t key_bytes;
	uint32_t reserved;
	uint64_t ord;
	uint64_t hash; /**< of the whole key, seeded */
	uint8_t	 key[ANCHOR_KEY_MAX];
};
_Static_assert(sizeof(struct iter_anchor) <= DAOS_ANCHOR_BUF_MAX, "anchor buffer");

enum { ITER_MORE = 0, ITER_STOP = 1 };

static void
anchor_set_eof(daos_anchor_t *anchor)
{
	anchor->da_type = DAOS_ANCHOR_TYPE_EOF;
}

/* ---- keys ---- */

static void
anchor_set_key(daos_anchor_t *anchor, const struct vos_key_ent_df *ent,
	       const struct vos_key_df *key)
{
	struct iter_anchor a = {.key_bytes = key->key_bytes, .ord = ent->ord};

	memcpy(a.key, vos_key_bytes(key), MIN_OF(key->key_bytes, ANCHOR_KEY_MAX));
	if (key->key_bytes > ANCHOR_KEY_MAX)
		a.hash = XXH3_64bits_withSeed(vos_key_bytes(key), key->key_bytes, ANCHOR_SEED);
	memcpy(anchor->da_buf, &a, sizeof(a));
	anchor->da_type = DAOS_ANCHOR_TYPE_KEY;
}

static bool
anchor_is_key(const struct iter_anchor *a, const struct vos_key_df *key)
{
	return key->key_bytes == a->key_bytes &&
	       XXH3_64bits_withSeed(vos_key_bytes(key), key->key_bytes, ANCHOR_SEED) == a->hash;
}

/** First entry behind a key the anchor could not hold whole. */
static struct vos_key_ent_df *
long_key_seek(const struct vos_btree *tree, const struct iter_anchor *a, enum vos_key_kind kind,
	      struct vos_btree_cur *cur)
{
	struct vos_key_probe   probe = {.ord = a->ord,
					.buf = a->key,
					.bytes = ANCHOR_KEY_MAX,
					.kind = kind,
					.edge = kind == VOS_KEY_LEX ? 0 : -1};
	struct vos_key_ent_df *ent;

	for (ent = vos_btree_probe(tree, VOS_BTREE_GE, &probe, cur); ent != NULL;
	     ent = vos_btree_next(tree, cur)) {
		struct vos_key_df *key = umem_ptr(tree->umem, ent->key);

		if (ent->ord != a->ord)
			break;
		if (anchor_is_key(a, key))
			return vos_btree_next(tree, cur);
		if (kind == VOS_KEY_LEX &&
		    (key->key_bytes < ANCHOR_KEY_MAX ||
		     memcmp(vos_key_bytes(key), a->key, ANCHOR_KEY_MAX) != 0))
			break;
	}
	if (kind != VOS_KEY_LEX) {
		probe.edge = 1;
		return vos_btree_probe(tree, VOS_BTREE_GT, &probe, cur);
	}
	return vos_btree_probe(tree, VOS_BTREE_GE, &probe, cur);
}

static struct vos_key_ent_df *
key_seek(const struct vos_btree *tree, const daos_anchor_t *anchor, enum vos_key_kind kind,
	 struct vos_btree_cur *cur)
{
	struct iter_anchor   a;
	struct vos_key_probe probe;

	if (anchor->da_type == DAOS_ANCHOR_TYPE_ZERO)
		return vos_btree_probe(tree, VOS_BTREE_FIRST, NULL, cur);
	memcpy(&a, anchor->da_buf, sizeof(a));
	if (a.key_bytes > ANCHOR_KEY_MAX)
		return long_key_seek(tree, &a, kind, cur);
	probe =
	    (struct vos_key_probe){.ord = a.ord, .buf = a.key, .bytes = a.key_bytes, .kind = kind};
	return vos_btree_probe(tree, VOS_BTREE_GT, &probe, cur);
}

static bool
key_visible(struct vos_pool *pool, struct vos_key_df *key, daos_epoch_t epoch, struct vos_ver punch)
{
	return key->level == VOS_DKEY ? vos_dkey_visible(pool, key, epoch, punch)
				      : vos_akey_visible(pool, key, epoch, punch);
}

/** Did anything below change, or the thing itself get punched, since the caller looked last? */
static bool
is_changed(const struct vos_iter *it, const struct vos_inc_df *inc)
{
	return it->param->epoch_lo == 0 || inc->change_epoch >= it->param->epoch_lo ||
	       vos_inc_punch_last(it->pool->umem, inc).epoch >= it->param->epoch_lo;
}

/** One slice over the keys in @df. */
static int
keys_slice(struct vos_iter *it, struct vos_btree_df *df, enum vos_key_kind kind, struct vos_ver punch)
{
	struct vos_btree       tree = vos_key_tree(it->pool, df);
	struct vos_btree_cur   cur;
	struct vos_key_ent_df *ent = key_seek(&tree, it->anchor, kind, &cur);
	struct vos_key_ent_df *last = NULL;
	uint32_t	       nr;
	int		       rc = 0;

	for (nr = 0; ent != NULL && nr < VOS_ITER_SLICE_NR && rc == 0; nr++) {
		struct vos_key_df    *key = vos_key_of(it->pool, ent);
		struct vos_iter_entry e = {
		    .oid = it->param->oid,
		    .epoch = key->inc.change_epoch,
		    .is_array = key->level == VOS_AKEY && key->type == VOS_AKEY_ARRAY,
		    .rsize =
			key->level == VOS_AKEY && key->type == VOS_AKEY_ARRAY ? key->rsize : 0};

		d_iov_set(&e.key, vos_key_bytes(key), key->key_bytes);
		if (is_changed(it, &key->inc) &&
		    key_visible(it->pool, key, it->param->epoch, punch))
			rc = it->cb(&e, it->arg);
		if (rc < 0)
			break;
		last = ent;
		ent = vos_btree_next(&tree, &cur);
	}
	if (last != NULL)
		anchor_set_key(it->anchor, last, vos_key_of(it->pool, last));
	if (ent == NULL && rc == 0)
		anchor_set_eof(it->anchor);
	return rc;
}

/** The object and, for what lies in it, the dkey, with the punches above; NULL: nothing there. */
static int
keys_enter(struct vos_iter *it, enum vos_key_level level, struct vos_key_df **ret_dkey,
	   struct vos_obj_df **ret_obj, struct vos_ver *punch)
{
	struct vos_obj_df   *obj = vos_obj_find(it->pool, it->param->cont->df, &it->param->oid);
	struct vos_key_probe probe;
	struct vos_key_df   *dkey;
	int		     rc;

	*ret_dkey = NULL;
	*ret_obj = NULL;
	*punch = VOS_VER_NONE;
	if (obj == NULL || !vos_inc_enter(it->pool->umem, &obj->inc, it->param->epoch, punch))
		return 0;
	*ret_obj = obj;
	if (level == VOS_DKEY)
		return 0;
	rc = vos_key_probe_init(&probe, vos_dkey_kind(it->param->oid), &it->param->dkey);
	if (rc != 0)
		return rc;
	dkey = vos_key_find(it->pool, &obj->dkeys, &probe);
	if (dkey != NULL && vos_inc_enter(it->pool->umem, &dkey->inc, it->param->epoch, punch))
		*ret_dkey = dkey;
	return 0;
}

static int
dkey_slice(struct vos_iter *it)
{
	struct vos_key_df *dkey;
	struct vos_obj_df *obj;
	struct vos_ver	   punch;
	int		   rc;

	rc = keys_enter(it, VOS_DKEY, &dkey, &obj, &punch);
	if (rc == 0 && obj != NULL)
		return keys_slice(it, &obj->dkeys, vos_dkey_kind(it->param->oid), punch);
	if (rc == 0)
		anchor_set_eof(it->anchor);
	return rc;
}

static int
akey_slice(struct vos_iter *it)
{
	struct vos_key_df *dkey;
	struct vos_obj_df *obj;
	struct vos_ver	   punch;
	int		   rc;

	rc = keys_enter(it, VOS_AKEY, &dkey, &obj, &punch);
	if (rc == 0 && dkey != NULL)
		return keys_slice(it, &dkey->akeys, vos_akey_kind(it->param->oid), punch);
	if (rc == 0)
		anchor_set_eof(it->anchor);
	return rc;
}

/* ---- objects ---- */

static int
obj_slice(struct vos_iter *it)
{
	struct vos_btree  tree = vos_obj_tree(it->pool, it->param->cont->df);
	enum vos_btree_op op =
	    it->anchor->da_type == DAOS_ANCHOR_TYPE_ZERO ? VOS_BTREE_FIRST : VOS_BTREE_GT;
	struct vos_btree_cur   cur;
	struct vos_obj_ent_df *ent = vos_btree_probe(&tree, op, it->anchor->da_buf, &cur);
	struct vos_obj_ent_df *last = NULL;
	uint32_t	       nr;
	int		       rc = 0;

	for (nr = 0; ent != NULL && nr < VOS_ITER_SLICE_NR && rc == 0; nr++) {
		struct vos_obj_df    *obj = umem_ptr(it->pool->umem, ent->obj);
		struct vos_iter_entry e = {.oid = ent->oid, .epoch = obj->inc.change_epoch};

		if (is_changed(it, &obj->inc) &&
		    vos_obj_visible(it->pool, obj, it->param->epoch))
			rc = it->cb(&e, it->arg);
		if (rc < 0)
			break;
		last = ent;
		ent = vos_btree_next(&tree, &cur);
	}
	if (last != NULL) {
		memcpy(it->anchor->da_buf, &last->oid, sizeof(last->oid));
		it->anchor->da_type = DAOS_ANCHOR_TYPE_KEY;
	}
	if (ent == NULL && rc == 0)
		anchor_set_eof(it->anchor);
	return rc;
}

/* ---- values ---- */

/** The akey and what its reader sees, NULL if nothing. */
static int
akey_enter(struct vos_iter *it, struct vos_key_df **ret_akey, struct vos_view *view)
{
	struct vos_key_probe probe;
	struct vos_key_df   *akey;
	struct vos_key_df   *dkey;
	struct vos_obj_df   *obj;
	int		     rc;

	*ret_akey = NULL;
	view->epoch = it->param->epoch;
	rc = keys_enter(it, VOS_AKEY, &dkey, &obj, &view->punch);
	if (rc != 0 || dkey == NULL)
		return rc;
	rc = vos_key_probe_init(&probe, vos_akey_kind(it->param->oid), &it->param->akey);
	if (rc != 0)
		return rc;
	akey = vos_key_find(it->pool, &dkey->akeys, &probe);
	if (akey != NULL && vos_inc_enter(it->pool->umem, &akey->inc, view->epoch, &view->punch))
		*ret_akey = akey;
	return 0;
}

static int
single_slice(struct vos_iter *it)
{
	const struct vos_sv_df *sv = NULL;
	struct vos_iter_entry	e = {.oid = it->param->oid, .key = it->param->akey};
	struct vos_key_df      *akey;
	struct vos_view		view;
	int			rc;

	rc = akey_enter(it, &akey, &view);
	if (rc == 0 && akey != NULL && akey->type == VOS_AKEY_SINGLE)
		sv = vos_sv_find(it->pool, akey, &view);
	if (sv != NULL) {
		e.epoch = sv->epoch;
		e.rsize = sv->bytes;
		rc = it->cb(&e, it->arg);
	}
	if (rc >= 0)
		anchor_set_eof(it->anchor);
	return rc;
}

/** Pieces in list order; @at is where the list began, moved behind each piece passed. */
static int
recx_list_pass(struct vos_iter *it, const struct vos_ext_list *list, uint64_t *at)
{
	uint32_t i;

	for (i = 0; i < list->nr; i++) {
		const struct vos_ext *x = &list->exts[i];
		struct vos_iter_entry e = {.oid = it->param->oid,
					   .key = it->param->akey,
					   .recx = {x->lo, x->hi - x->lo},
					   .epoch = x->epoch,
					   .rsize = x->rsize,
					   .is_array = true};
		int		      rc = it->cb(&e, it->arg);

		if (rc >= 0)
			*at = it->param->reverse ? x->lo : x->hi;
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
recx_slice(struct vos_iter *it)
{
	bool		    reverse = it->param->reverse;
	uint64_t	    edge = reverse ? 0 : UINT64_MAX;
	uint64_t	    at = UINT64_MAX - edge;
	struct vos_ext_list list = {0};
	struct vos_key_df  *akey;
	struct vos_view	    view;
	uint64_t	    done = edge;
	int		    rc;

	if (it->anchor->da_type != DAOS_ANCHOR_TYPE_ZERO)
		memcpy(&at, it->anchor->da_buf, sizeof(at));
	rc = akey_enter(it, &akey, &view);
	if (rc == 0 && akey != NULL && akey->type == VOS_AKEY_ARRAY) {
		struct vos_evt evt = vos_akey_evt(it->pool, akey);

		if (reverse)
			rc = vos_evt_fetch_rev(&evt, &view, 0, at, VOS_ITER_SLICE_NR, &list, &done);
		else
			rc = vos_evt_fetch(&evt, &view, at, UINT64_MAX, VOS_ITER_SLICE_NR, &list, &done);
	}
	if (rc == 0)
		rc = recx_list_pass(it, &list, &at);
	vos_ext_list_fini(&list);
	if (rc == 0)
		at = done;
	memcpy(it->anchor->da_buf, &at, sizeof(at));
	it->anchor->da_type = DAOS_ANCHOR_TYPE_KEY;
	if (at == edge && rc >= 0)
		anchor_set_eof(it->anchor);
	return rc;
}

MAY_YIELD int
vos_iterate(const struct vos_iter_param *param, enum vos_iter_type type, daos_anchor_t *anchor,
	    vos_iter_cb_t cb, void *arg)
{
	static int (*const slices[])(struct vos_iter * it) = {
	    [VOS_ITER_OBJ] = obj_slice,	  [VOS_ITER_DKEY] = dkey_slice,
	    [VOS_ITER_AKEY] = akey_slice, [VOS_ITER_SINGLE] = single_slice,
	    [VOS_ITER_RECX] = recx_slice, [VOS_ITER_SINGLE_ALL] = vos_iter_single_all,
	    [VOS_ITER_RECX_ALL] = vos_iter_recx_all,
	};
	struct vos_iter it = {param, param->cont->pool, anchor, cb, arg};
	int	    rc = ITER_MORE;

	if (type > VOS_ITER_RECX_ALL || param->epoch == 0)
		return -DER_INVAL;
	vos_cont_get(param->cont);
	while (rc == ITER_MORE && anchor->da_type != DAOS_ANCHOR_TYPE_EOF) {
		if (UNLIKELY(param->cont->dtx != NULL))
			rc = vos_dtx_list_check(param, type);
		if (rc == ITER_MORE)
			rc = slices[type](&it);
		if (rc == ITER_MORE && anchor->da_type != DAOS_ANCHOR_TYPE_EOF)
			ult_yield();
	}
	vos_cont_close(param->cont);
	return rc > 0 ? 0 : rc;
}
