/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Objects, dkeys and akeys: their trees, and how keys are ordered.
 *
 * A tree entry is an order number and the key record's offset. The order number is a hash (XXH3) of
 * the key, the integer the key is, or its first eight bytes as a big-endian number; equal ones are
 * told apart by the whole key, so collisions only cost a comparison.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include <endian.h>
#include <xxhash.h>
#include "base/log.h"
#include "vos/vos_internal.h"

enum vos_key_kind
vos_dkey_kind(daos_unit_oid_t oid)
{
	if (daos_is_dkey_uint64(oid.id_pub))
		return VOS_KEY_U64;
	return daos_is_dkey_lexical(oid.id_pub) ? VOS_KEY_LEX : VOS_KEY_HASH;
}

enum vos_key_kind
vos_akey_kind(daos_unit_oid_t oid)
{
	if (daos_is_akey_uint64(oid.id_pub))
		return VOS_KEY_U64;
	return daos_is_akey_lexical(oid.id_pub) ? VOS_KEY_LEX : VOS_KEY_HASH;
}

static uint64_t
key_ord(enum vos_key_kind kind, const void *buf, uint32_t bytes)
{
	uint64_t ord = 0;

	if (kind == VOS_KEY_HASH)
		return XXH3_64bits(buf, bytes);
	memcpy(&ord, buf, MIN_OF(bytes, sizeof(ord)));
	return kind == VOS_KEY_U64 ? ord : be64toh(ord);
}

int
vos_key_probe_init(struct vos_key_probe *probe, enum vos_key_kind kind, const daos_key_t *key)
{
	if (key == NULL || key->iov_buf == NULL || key->iov_len == 0)
		return -DER_INVAL;
	if (kind == VOS_KEY_U64 && key->iov_len != sizeof(uint64_t))
		return -DER_INVAL;
	if (key->iov_len > VOS_KEY_BYTES_MAX)
		return -DER_KEY2BIG;
	*probe = (struct vos_key_probe){.buf = key->iov_buf,
					.bytes = key->iov_len,
					.kind = kind,
					.ord = key_ord(kind, key->iov_buf, key->iov_len)};
	return 0;
}

void *
vos_key_bytes(const struct vos_key_df *key)
{
	return (char *)key + (key->level == VOS_DKEY ? VOS_DKEY_BYTES : VOS_AKEY_BYTES);
}

void
vos_key_probe_of(const struct vos_key_df *key, struct vos_key_probe *probe)
{
	*probe =
	    (struct vos_key_probe){.buf = vos_key_bytes(key),
				   .bytes = key->key_bytes,
				   .kind = key->kind,
				   .ord = key_ord(key->kind, vos_key_bytes(key), key->key_bytes)};
}

static int
pos_set(struct vos_key_pos *pos, const struct vos_key_df *key)
{
	if (pos->cap < key->key_bytes) {
		char *buf = realloc(pos->buf, key->key_bytes);

		if (buf == NULL)
			return -DER_NOMEM;
		pos->buf = buf;
		pos->cap = key->key_bytes;
	}
	memcpy(pos->buf, vos_key_bytes(key), key->key_bytes);
	vos_key_probe_of(key, &pos->probe);
	pos->probe.buf = pos->buf;
	pos->set = true;
	return 0;
}

int
vos_key_pos_next(const struct vos_pool *pool, struct vos_btree_df *df, struct vos_key_pos *pos,
		 struct vos_key_df **ret_key)
{
	struct vos_btree tree = vos_key_tree(pool, df);

	*ret_key = vos_key_of(pool, vos_btree_probe(&tree, pos->set ? VOS_BTREE_GT : VOS_BTREE_FIRST, &pos->probe, NULL));
	return *ret_key == NULL ? 0 : pos_set(pos, *ret_key);
}

void
vos_key_pos_fini(struct vos_key_pos *pos)
{
	free(pos->buf);
}

static int
key_cmp(const struct umem *u, const void *ent, const void *key)
{
	const struct vos_key_ent_df *e = ent;
	const struct vos_key_probe  *p = key;
	const struct vos_key_df	    *k;
	int			     c;

	if (e->ord != p->ord)
		return e->ord < p->ord ? -1 : 1;
	if (p->edge != 0)
		return -p->edge;
	if (p->kind == VOS_KEY_U64)
		return 0;
	k = umem_ptr(u, e->key);
	c = memcmp(vos_key_bytes(k), p->buf, MIN_OF(k->key_bytes, p->bytes));
	if (c != 0)
		return c;
	return k->key_bytes < p->bytes ? -1 : k->key_bytes > p->bytes;
}

static int
oid_cmp(const struct umem *u, const void *ent, const void *key)
{
	(void)u;
	return memcmp(ent, key, sizeof(daos_unit_oid_t));
}

static int
uuid_cmp(const struct umem *u, const void *ent, const void *key)
{
	(void)u;
	return memcmp(ent, key, sizeof(uuid_t));
}

static const struct vos_btree_class key_class = {sizeof(struct vos_key_ent_df), 16, 30, key_cmp, true};
static const struct vos_btree_class obj_class = {sizeof(struct vos_obj_ent_df), 24, 30, oid_cmp, false};
static const struct vos_btree_class cont_class = {sizeof(struct vos_cont_ent_df), 16, 30, uuid_cmp, false};
static const struct vos_btree_class sv_class = {sizeof(struct vos_sv_df), 8, 30, vos_btree_cmp_u64, true};

struct vos_btree
vos_obj_tree(const struct vos_pool *pool, struct vos_cont_df *cont)
{
	return (struct vos_btree){pool->umem, &obj_class, &cont->objs};
}

struct vos_btree
vos_key_tree(const struct vos_pool *pool, struct vos_btree_df *df)
{
	return (struct vos_btree){pool->umem, &key_class, df};
}

struct vos_btree
vos_sv_tree(const struct vos_pool *pool, struct vos_sv_root_df *sv)
{
	return (struct vos_btree){pool->umem, &sv_class, &sv->hist};
}

struct vos_btree
vos_cont_tree(const struct vos_pool *pool)
{
	return (struct vos_btree){pool->umem, &cont_class, &pool->df->conts};
}

struct vos_obj_df *
vos_obj_find(const struct vos_pool *pool, struct vos_cont_df *cont, const daos_unit_oid_t *oid)
{
	struct vos_btree       tree = vos_obj_tree(pool, cont);
	struct vos_obj_ent_df *ent = vos_btree_find(&tree, oid);

	return ent == NULL ? NULL : umem_ptr(pool->umem, ent->obj);
}

struct vos_key_df *
vos_key_find(const struct vos_pool *pool, struct vos_btree_df *df,
	     const struct vos_key_probe *probe)
{
	struct vos_btree tree = vos_key_tree(pool, df);

	return vos_key_of(pool, vos_btree_find(&tree, probe));
}

int
vos_obj_make(struct vos_pool *pool, struct vos_cont_df *cont, const daos_unit_oid_t *oid,
	     struct vos_obj_df **ret_obj)
{
	struct vos_btree      tree = vos_obj_tree(pool, cont);
	struct vos_obj_df    *obj = vos_obj_find(pool, cont, oid);
	struct vos_obj_ent_df ent = {.oid = *oid};
	int		      rc;

	if (obj != NULL) {
		*ret_obj = obj;
		return 0;
	}
	rc = umem_alloc(pool->umem, sizeof(*obj), &ent.obj);
	if (rc == 0)
		rc = umem_tx_add(pool->umem, &pool->df->obj_nr, sizeof(pool->df->obj_nr));
	if (rc != 0)
		return rc;
	pool->df->obj_nr++;
	obj = umem_ptr(pool->umem, ent.obj);
	obj->oid = *oid;
	rc = vos_btree_insert(&tree, oid, &ent);
	if (rc == 0)
		*ret_obj = obj;
	return rc;
}

int
vos_key_make(struct vos_pool *pool, struct vos_btree_df *df, enum vos_key_level level,
	     const struct vos_key_probe *probe, struct vos_key_df **ret_key)
{
	struct vos_btree      tree = vos_key_tree(pool, df);
	struct vos_key_ent_df ent = {.ord = probe->ord};
	struct vos_btree_cur  cur;
	struct vos_key_df    *key = vos_key_of(pool, vos_btree_probe(&tree, VOS_BTREE_EQ, probe, &cur));
	size_t		      fixed = level == VOS_DKEY ? VOS_DKEY_BYTES : VOS_AKEY_BYTES;
	int		      rc;

	if (key != NULL) {
		*ret_key = key;
		return 0;
	}
	rc = umem_alloc(pool->umem, fixed + probe->bytes, &ent.key);
	if (rc != 0)
		return rc;
	key = umem_ptr(pool->umem, ent.key);
	key->key_bytes = probe->bytes;
	key->level = level;
	key->kind = probe->kind;
	memcpy((char *)key + fixed, probe->buf, probe->bytes);
	rc = vos_btree_insert_at(&tree, &cur, &ent);
	if (rc == 0)
		*ret_key = key;
	return rc;
}

int
vos_key_unlink(struct vos_pool *pool, struct vos_btree_df *df, struct vos_key_df *key)
{
	struct vos_btree     tree = vos_key_tree(pool, df);
	struct vos_key_probe probe;

	vos_key_probe_of(key, &probe);
	return vos_btree_delete(&tree, &probe);
}

int
vos_obj_unlink(struct vos_pool *pool, struct vos_cont_df *cont, struct vos_obj_df *obj)
{
	struct vos_btree tree = vos_obj_tree(pool, cont);

	return vos_btree_delete(&tree, &obj->oid);
}

int
vos_key_free(struct vos_pool *pool, struct vos_key_df *key)
{
	int rc;

	rc = vos_inc_free(pool->umem, &key->inc);
	if (rc == 0)
		rc = umem_free(pool->umem, umem_off(pool->umem, key));
	return rc;
}

int
vos_obj_free(struct vos_pool *pool, struct vos_obj_df *obj)
{
	int rc;

	rc = umem_tx_add(pool->umem, &pool->df->obj_nr, sizeof(pool->df->obj_nr));
	if (rc != 0)
		return rc;
	pool->df->obj_nr--;
	rc = vos_inc_free(pool->umem, &obj->inc);
	if (rc == 0)
		rc = umem_free(pool->umem, umem_off(pool->umem, obj));
	return rc;
}
