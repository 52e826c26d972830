/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Walks all of a pool and checks what docs/formats/vos.md promises: trees, incarnation logs,
 * pieces, and the accounts: every used block and heap blob is referred to exactly as often as it
 * says.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"

struct walk {
	struct vos_pool	  *pool;
	uint64_t	  *used;  /**< bitmap of blocks seen */
	uint64_t	  *blobs; /**< heap blobs seen, one entry a reference */
	size_t		   blob_nr;
	size_t		   blob_cap;
	uint64_t	   bytes; /**< of the container at hand */
	uint64_t	   obj_nr;
	uint64_t	   floor; /**< of the container at hand */
	enum vos_key_level level; /**< of the keys expected */
	struct vos_repair *repair; /**< NULL: say what is wrong */
};

static int
bad(const char *what, uint64_t where)
{
	D_ERROR("pool check: %s (%#lx)\n", what, (unsigned long)where);
	return -DER_DF_INVAL;
}

/** An account says @is, the walk found @found. */
static int
account_check(struct walk *w, uint64_t *is, uint64_t found, const char *what)
{
	int rc;

	if (*is == found)
		return 0;
	if (w->repair == NULL)
		return bad(what, found);
	rc = umem_tx_add(w->pool->umem, is, sizeof(*is));
	if (rc == 0) {
		*is = found;
		w->repair->account_nr++;
	}
	return rc;
}

/* ---- space ---- */

static int
blob_seen(struct walk *w, uint64_t data_off)
{
	if (w->blob_nr == w->blob_cap) {
		size_t	  cap = w->blob_cap == 0 ? 1024 : w->blob_cap * 2;
		uint64_t *blobs = realloc(w->blobs, cap * sizeof(*blobs));

		if (blobs == NULL)
			return -DER_NOMEM;
		w->blobs = blobs;
		w->blob_cap = cap;
	}
	w->blobs[w->blob_nr++] = data_off;
	return 0;
}

/** @shared_ends: the outermost blocks may have been seen before. */
static int
blocks_seen(struct walk *w, uint64_t addr, uint64_t bytes, uint32_t flags)
{
	uint64_t first = addr / BIO_BLOCK_BYTES;
	uint64_t last = (addr + bytes - 1) / BIO_BLOCK_BYTES;
	uint64_t blk;

	if (bytes == 0 || last >= w->pool->df->data_blk_nr)
		return bad("blocks outside of the data blob", addr);
	for (blk = first; blk <= last; blk++) {
		uint64_t bit = 1ULL << (blk % 64);
		bool	 shared = (blk == first && (flags & VOS_EXT_HEAD_SHARED)) ||
			      (blk == last && (flags & VOS_EXT_TAIL_SHARED));

		if ((w->used[blk / 64] & bit) && !shared)
			return bad("a block belongs to two", blk);
		w->used[blk / 64] |= bit;
	}
	return 0;
}

static int
ext_seen(const struct vos_ext *ext, void *arg)
{
	struct walk *w = arg;

	w->bytes += vos_ext_bytes(ext);
	if (vos_media_is(ext->flags, VOS_MEDIA_HEAP))
		return blob_seen(w, ext->addr - ext->delta);
	if (vos_media_is(ext->flags, VOS_MEDIA_DATA))
		return blocks_seen(w, ext->addr, vos_ext_bytes(ext), ext->flags);
	return 0;
}

static int
u64_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int
refs_check(struct walk *w, struct vos_blob_df *blob, size_t found)
{
	int rc;

	if (blob->refs == found)
		return 0;
	if (w->repair == NULL)
		return bad("references of a heap value are wrong", umem_off(w->pool->umem, blob));
	rc = umem_tx_add(w->pool->umem, &blob->refs, sizeof(blob->refs));
	if (rc == 0) {
		blob->refs = found;
		w->repair->ref_nr++;
	}
	return rc;
}

static int
bitmap_check(struct walk *w)
{
	uint64_t *bitmap = umem_ptr(w->pool->umem, w->pool->df->bitmap);
	size_t	  word_nr = vea_bitmap_bytes(w->pool->df->data_blk_nr) / sizeof(*bitmap);
	size_t	  i;
	int	  rc;

	for (i = 0; i < word_nr; i++) {
		if (bitmap[i] == w->used[i])
			continue;
		if (w->repair == NULL)
			return bad("used blocks and references to blocks differ", i * 64);
		rc = umem_tx_add(w->pool->umem, &bitmap[i], sizeof(bitmap[i]));
		if (rc != 0)
			return rc;
		w->repair->blk_nr += __builtin_popcountll(bitmap[i] ^ w->used[i]);
		bitmap[i] = w->used[i];
	}
	return 0;
}

/** References counted and found agree; blocks used and found agree. */
static int
space_check(struct walk *w)
{
	struct umem *u = w->pool->umem;
	size_t	     i;
	size_t	     j;
	int	     rc = 0;

	if (w->blob_nr > 0)
		qsort(w->blobs, w->blob_nr, sizeof(*w->blobs), u64_cmp);
	for (i = 0; i < w->blob_nr; i = j) {
		struct vos_blob_df *blob = umem_ptr(u, w->blobs[i] - sizeof(*blob));

		for (j = i; j < w->blob_nr && w->blobs[j] == w->blobs[i]; j++)
			;
		/* A single value's bytes, which have no count, lie at a multiple of 16. */
		if (w->blobs[i] % 16 != 0)
			rc = refs_check(w, blob, j - i);
		else if (j - i > 1)
			rc = bad("the bytes of a single value belong to two", w->blobs[i]);
		if (rc != 0)
			return rc;
	}
	return w->used == NULL ? 0 : bitmap_check(w);
}

/* ---- values ---- */

static int
sv_seen(struct walk *w, const struct vos_sv_df *sv)
{
	if (vos_media_is(sv->flags, VOS_MEDIA_HOLE) != (sv->bytes == 0))
		return bad("size and kind of a single value disagree", sv->addr);
	w->bytes += sv->bytes;
	if (vos_media_is(sv->flags, VOS_MEDIA_HEAP)) {
		if (!umem_off_valid(w->pool->umem, sv->addr, sv->bytes))
			return bad("a single value is outside of the heap", sv->addr);
		return blob_seen(w, sv->addr);
	}
	if (vos_media_is(sv->flags, VOS_MEDIA_DATA))
		return blocks_seen(w, sv->addr, sv->bytes, 0);
	return 0;
}

struct sv_walk {
	struct walk *w;
	uint64_t     cur_epoch;
};

static int
sv_hist_seen(void *ent, void *arg)
{
	const struct vos_sv_df *sv = ent;
	struct sv_walk	       *sw = arg;

	if (sv->epoch == 0 || (sw->cur_epoch != 0 && sv->epoch >= sw->cur_epoch))
		return bad("an old single value is newer than the newest", sv->epoch);
	return sv_seen(sw->w, sv);
}

static bool
u64_less(const struct umem *u, const void *a, const void *b)
{
	(void)u;
	return u64_cmp(a, b) < 0;
}

static int
akey_check(struct walk *w, struct vos_key_df *akey)
{
	struct vos_evt	 evt = vos_akey_evt(w->pool, akey);
	struct vos_btree tree = vos_sv_tree(w->pool, &akey->sv);
	struct sv_walk	 sw = {w, akey->sv.cur.epoch};
	int		 rc;

	switch (akey->type) {
	case VOS_AKEY_NONE:
		return 0;
	case VOS_AKEY_SINGLE:
		rc = akey->sv.cur.epoch == 0 ? 0 : sv_seen(w, &akey->sv.cur);
		return rc != 0 ? rc : vos_btree_check(&tree, u64_less, sv_hist_seen, &sw);
	case VOS_AKEY_ARRAY:
		return vos_evt_check(&evt, ext_seen, w);
	default:
		return bad("unknown type of akey", akey->type);
	}
}

/* ---- keys ---- */

static int keys_check(struct walk *w, struct vos_btree_df *df, enum vos_key_level level);

static bool
key_less(const struct umem *u, const void *a, const void *b)
{
	const struct vos_key_ent_df *x = a;
	const struct vos_key_ent_df *y = b;
	struct vos_key_probe	     p;
	const struct vos_key_df	    *k;
	int			     c;

	if (x->ord != y->ord)
		return x->ord < y->ord;
	k = umem_ptr(u, x->key);
	vos_key_probe_of(umem_ptr(u, y->key), &p);
	c = memcmp(vos_key_bytes(k), p.buf, MIN_OF(k->key_bytes, p.bytes));
	return c != 0 ? c < 0 : k->key_bytes < p.bytes;
}

static int
key_check(struct walk *w, struct vos_key_df *key)
{
	int rc;

	rc = vos_inc_check(w->pool->umem, &key->inc);
	if (rc != 0)
		return rc;
	if (key->level == VOS_AKEY)
		return akey_check(w, key);
	return keys_check(w, &key->akeys, VOS_AKEY);
}

static int
key_ent_check(void *ent, void *arg)
{
	struct vos_key_ent_df *e = ent;
	struct walk	      *w = arg;
	struct vos_key_probe   probe;
	struct vos_key_df     *key;

	if (!umem_off_valid(w->pool->umem, e->key, VOS_DKEY_BYTES))
		return bad("key outside of the heap", e->key);
	key = umem_ptr(w->pool->umem, e->key);
	if (key->level != w->level || key->key_bytes == 0 || key->key_bytes > VOS_KEY_BYTES_MAX)
		return bad("key of the wrong level or size", e->key);
	vos_key_probe_of(key, &probe);
	if (probe.ord != e->ord)
		return bad("order number of a key is wrong", e->key);
	return key_check(w, key);
}

static int
keys_check(struct walk *w, struct vos_btree_df *df, enum vos_key_level level)
{
	struct vos_btree   tree = vos_key_tree(w->pool, df);
	enum vos_key_level up = w->level;
	int		   rc;

	w->level = level;
	rc = vos_btree_check(&tree, key_less, key_ent_check, w);
	w->level = up;
	return rc;
}

static int
obj_check(struct walk *w, struct vos_obj_df *obj)
{
	int rc;

	w->obj_nr++;
	rc = vos_inc_check(w->pool->umem, &obj->inc);
	return rc != 0 ? rc : keys_check(w, &obj->dkeys, VOS_DKEY);
}

static bool
oid_less(const struct umem *u, const void *a, const void *b)
{
	(void)u;
	return memcmp(a, b, sizeof(daos_unit_oid_t)) < 0;
}

static int
obj_ent_check(void *ent, void *arg)
{
	struct vos_obj_ent_df *e = ent;
	struct walk	      *w = arg;
	struct vos_obj_df     *obj;

	if (!umem_off_valid(w->pool->umem, e->obj, sizeof(*obj)))
		return bad("object outside of the heap", e->obj);
	obj = umem_ptr(w->pool->umem, e->obj);
	if (memcmp(&obj->oid, &e->oid, sizeof(obj->oid)) != 0)
		return bad("an object has another name than its entry", e->obj);
	return obj_check(w, obj);
}

/* ---- transactions ---- */

static int
dtx_op_seen(struct walk *w, const struct vos_dtx_op_df *op)
{
	struct vos_dtx_part part = {0};
	uint32_t	    i;
	int		    rc = 0;

	while (rc == 0 && vos_dtx_part_next(op, &part)) {
		for (i = 0; i < part.df->seg_nr && rc == 0; i++) {
			const struct vos_dtx_seg_df *seg = &part.segs[i];

			if (seg->media == VOS_MEDIA_HEAP)
				rc = blob_seen(w, seg->addr);
			else if (seg->media == VOS_MEDIA_DATA)
				rc = blocks_seen(w, seg->addr, seg->bytes, 0);
		}
	}
	return rc;
}

static int
dtx_ent_check(void *ent, void *arg)
{
	struct vos_dtx_ent_df *e = ent;
	struct walk	      *w = arg;
	struct vos_dtx_df     *rec;
	umem_off_t	       off;
	int		       rc;

	if (!umem_off_valid(w->pool->umem, e->value, sizeof(*rec)))
		return bad("transaction outside of the heap", e->value);
	rec = umem_ptr(w->pool->umem, e->value);
	if (dtx_id_cmp(&rec->id, &e->id) != 0 || rec->epoch <= w->floor)
		return bad("a transaction's id or epoch is wrong", e->value);
	rc = vos_dtx_rec_check(w->pool, rec);
	w->bytes += rec->bytes;
	for (off = rec->ops; rc == 0 && off != UMEM_NULL;) {
		const struct vos_dtx_op_df *op = umem_ptr(w->pool->umem, off);

		rc = dtx_op_seen(w, op);
		off = op->next;
	}
	return rc;
}

static bool
dtx_less(const struct umem *u, const void *a, const void *b)
{
	(void)u;
	return dtx_id_cmp(a, b) < 0;
}

static int
cont_dtx_check(struct walk *w, struct vos_cont_df *cont)
{
	struct vos_btree prepared = vos_dtx_prepared_tree(w->pool, cont);
	struct vos_btree committed = vos_dtx_committed_tree(w->pool, cont);
	int		 rc;

	w->floor = cont->floor;
	rc = vos_btree_check(&prepared, dtx_less, dtx_ent_check, w);
	return rc != 0 ? rc : vos_btree_check(&committed, dtx_less, NULL, NULL);
}

static int
cont_objs_check(struct walk *w, struct vos_cont_df *cont)
{
	struct vos_btree tree = vos_obj_tree(w->pool, cont);
	int		 rc;

	rc = vos_btree_check(&tree, oid_less, obj_ent_check, w);
	return rc != 0 ? rc : cont_dtx_check(w, cont);
}

/* ---- the queue ---- */

/** Items queued; with @of only those of a container that exists, for its accounts. */
static int
gc_check(struct walk *w, umem_off_t of)
{
	struct umem *u = w->pool->umem;
	umem_off_t   off = w->pool->df->gc_head;
	umem_off_t   tail = UMEM_NULL;
	uint64_t     nr = 0;
	int	     rc;

	for (; off != UMEM_NULL; nr++) {
		struct vos_gc_df *gc;

		if (!umem_off_valid(u, off, sizeof(*gc)) || nr >= w->pool->df->gc_nr)
			return bad("queue of what is to be freed is broken", off);
		gc = umem_ptr(u, off);
		rc = 0;
		if (gc->kind == VOS_GC_CONT && of == UMEM_NULL)
			rc = cont_objs_check(w, umem_ptr(u, gc->what));
		else if (gc->kind != VOS_GC_CONT && gc->cont == of)
			rc = gc->kind == VOS_GC_OBJ ? obj_check(w, umem_ptr(u, gc->what))
						    : key_check(w, umem_ptr(u, gc->what));
		if (rc != 0)
			return rc;
		tail = off;
		off = gc->next;
	}
	if (nr != w->pool->df->gc_nr || tail != w->pool->df->gc_tail)
		return bad("count or tail of what is to be freed is wrong", nr);
	return 0;
}

/** Parts queued before their container was destroyed: they belong to no existing one. */
static int
gc_orphans_check(struct walk *w)
{
	struct umem *u = w->pool->umem;
	umem_off_t   off;
	int	     rc = 0;

	for (off = w->pool->df->gc_head; off != UMEM_NULL && rc == 0;) {
		struct vos_gc_df *gc = umem_ptr(u, off);

		if (gc->kind == VOS_GC_CONT) {
			uint64_t bytes = w->bytes;

			rc = gc_check(w, gc->what);
			w->bytes = bytes;
		}
		off = gc->next;
	}
	return rc;
}

static int
cont_ent_check(void *ent, void *arg)
{
	struct vos_cont_ent_df *e = ent;
	struct walk	       *w = arg;
	struct vos_cont_df     *cont;
	int			rc;

	if (!umem_off_valid(w->pool->umem, e->cont, sizeof(*cont)))
		return bad("container outside of the heap", e->cont);
	cont = umem_ptr(w->pool->umem, e->cont);
	if (memcmp(cont->uuid, e->uuid, sizeof(e->uuid)) != 0 || cont->floor < cont->hae)
		return bad("container's name or epochs are wrong", e->cont);
	w->bytes = 0;
	rc = cont_objs_check(w, cont);
	if (rc == 0)
		rc = gc_check(w, e->cont);
	return rc != 0 ? rc
		       : account_check(w, &cont->used_bytes, w->bytes,
				       "bytes used by a container are counted wrong");
}

static bool
uuid_less(const struct umem *u, const void *a, const void *b)
{
	(void)u;
	return memcmp(a, b, sizeof(uuid_t)) < 0;
}

static int
pool_walk(struct vos_pool *pool, struct vos_repair *repair)
{
	struct walk	 w = {.pool = pool, .repair = repair};
	struct vos_btree tree = vos_cont_tree(pool);
	int		 rc = 0;

	if (pool->space.vea != NULL) {
		w.used = calloc(1, vea_bitmap_bytes(pool->df->data_blk_nr));
		if (w.used == NULL)
			return -DER_NOMEM;
	}
	rc = vos_btree_check(&tree, uuid_less, cont_ent_check, &w);
	if (rc == 0)
		rc = gc_check(&w, UMEM_NULL);
	if (rc == 0)
		rc = gc_orphans_check(&w);
	if (rc == 0)
		rc = space_check(&w);
	if (rc == 0)
		rc = account_check(&w, &pool->df->obj_nr, w.obj_nr, "objects are counted wrong");
	free(w.used);
	free(w.blobs);
	return rc;
}

int
vos_pool_check(struct vos_pool *pool)
{
	int rc = umem_check(pool->umem);

	if (rc == 0 && pool->space.vea != NULL)
		rc = vea_check(pool->space.vea);
	return rc != 0 ? rc : pool_walk(pool, NULL);
}

MAY_YIELD int
vos_pool_repair(struct vos_pool *pool, struct vos_repair *done)
{
	int rc = umem_check(pool->umem);

	if (rc != 0)
		return rc;
	*done = (struct vos_repair){0};
	vos_tx_begin(pool);
	return vos_tx_end(pool, NULL, pool_walk(pool, done));
}
