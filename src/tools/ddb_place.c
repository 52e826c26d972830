/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Places in a pool: what is below, what it is called, where a path leads. Everything is listed,
 * also what no reader sees any more. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "tools/ddb.h"

struct walk {
	struct ddb	*ddb;
	struct ddb_place child; /**< filled for each */
	uint32_t	 idx;
	ddb_child_cb_t	 cb;
	void		*arg;
};

static int
walk_tell(struct walk *w)
{
	return w->cb(&w->child, w->idx++, w->arg);
}

static void *
off_ptr(struct walk *w, umem_off_t off, size_t bytes)
{
	struct umem *u = w->ddb->pool->umem;

	return umem_off_valid(u, off, bytes) ? umem_ptr(u, off) : NULL;
}

/** Put what a tree entry leads to into the child; false if it leads nowhere. */
static bool
child_set(struct walk *w, const void *ent)
{
	const struct vos_key_ent_df  *key = ent;
	const struct vos_obj_ent_df  *obj = ent;
	const struct vos_cont_ent_df *cont = ent;

	switch (w->child.level) {
	case DDB_CONT:
		w->child.cont = off_ptr(w, cont->cont, sizeof(*w->child.cont));
		return w->child.cont != NULL;
	case DDB_OBJ:
		w->child.obj = off_ptr(w, obj->obj, sizeof(*w->child.obj));
		return w->child.obj != NULL;
	case DDB_DKEY:
		w->child.dkey = off_ptr(w, key->key, VOS_DKEY_BYTES);
		return w->child.dkey != NULL;
	default:
		w->child.akey = off_ptr(w, key->key, VOS_AKEY_BYTES);
		return w->child.akey != NULL;
	}
}

static int
tree_walk(struct walk *w, const struct vos_btree *tree)
{
	struct vos_btree_cur cur;
	const void	    *ent;
	int		     rc = 0;

	for (ent = vos_btree_probe(tree, VOS_BTREE_FIRST, NULL, &cur); ent != NULL && rc == 0;
	     ent = vos_btree_next(tree, &cur))
		rc = child_set(w, ent) ? walk_tell(w) : -DER_DF_INVAL;
	return rc;
}

static void
sv_set(struct walk *w, const struct vos_sv_df *sv)
{
	w->child.ext = (struct vos_ext){.lo = 0,
					.hi = 1,
					.epoch = sv->epoch,
					.death = UINT64_MAX,
					.seq = sv->seq,
					.addr = sv->addr,
					.rsize = sv->bytes,
					.flags = sv->flags};
}

static int
single_walk(struct walk *w, struct vos_key_df *akey)
{
	struct vos_btree	tree = vos_sv_tree(w->ddb->pool, &akey->sv);
	struct vos_btree_cur	cur;
	const struct vos_sv_df *sv;
	int			rc = 0;

	if (akey->sv.cur.epoch != 0) {
		sv_set(w, &akey->sv.cur);
		rc = walk_tell(w);
	}
	for (sv = vos_btree_probe(&tree, VOS_BTREE_LAST, NULL, &cur); sv != NULL && rc == 0;
	     sv = vos_btree_prev(&tree, &cur)) {
		sv_set(w, sv);
		rc = walk_tell(w);
	}
	return rc;
}

static int
ext_cb(const struct vos_ext *ext, void *arg)
{
	struct walk *w = arg;

	w->child.ext = *ext;
	return walk_tell(w);
}

int
ddb_children(struct ddb *ddb, const struct ddb_place *place, ddb_child_cb_t cb, void *arg)
{
	struct walk	w = {.ddb = ddb, .child = *place, .cb = cb, .arg = arg};
	struct vos_evt	evt;
	struct vos_btree tree;

	w.child.level++;
	switch (place->level) {
	case DDB_POOL:
		tree = vos_cont_tree(ddb->pool);
		return tree_walk(&w, &tree);
	case DDB_CONT:
		tree = vos_obj_tree(ddb->pool, place->cont);
		return tree_walk(&w, &tree);
	case DDB_OBJ:
		tree = vos_key_tree(ddb->pool, &place->obj->dkeys);
		return tree_walk(&w, &tree);
	case DDB_DKEY:
		tree = vos_key_tree(ddb->pool, &place->dkey->akeys);
		return tree_walk(&w, &tree);
	case DDB_AKEY:
		evt = vos_akey_evt(ddb->pool, place->akey);
		if (place->akey->type == VOS_AKEY_SINGLE)
			return single_walk(&w, place->akey);
		return place->akey->type == VOS_AKEY_ARRAY ? vos_evt_check(&evt, ext_cb, &w) : 0;
	default:
		return 0;
	}
}

/* ---- names ---- */

static bool
is_plain(const unsigned char *buf, uint32_t bytes)
{
	uint32_t i;

	if (bytes > DDB_NAME_MAX / 2 || buf[0] == '{' || buf[0] == '[')
		return false;
	for (i = 0; i < bytes; i++)
		if (!isgraph(buf[i]) || buf[i] == '/')
			return false;
	return true;
}

static void
key_name(const struct vos_key_df *key, char *name)
{
	const unsigned char *buf = vos_key_bytes(key);
	uint64_t	     value;
	uint32_t	     i;
	int		     n;

	if (key->kind == VOS_KEY_U64) {
		memcpy(&value, buf, sizeof(value));
		snprintf(name, DDB_NAME_MAX, "{uint64:%lu}", (unsigned long)value);
		return;
	}
	if (is_plain(buf, key->key_bytes)) {
		snprintf(name, DDB_NAME_MAX, "%.*s", (int)key->key_bytes, buf);
		return;
	}
	n = snprintf(name, DDB_NAME_MAX, "{hex:");
	for (i = 0; i < key->key_bytes && n < DDB_NAME_MAX - 8; i++)
		n += snprintf(name + n, DDB_NAME_MAX - n, "%02x", buf[i]);
	snprintf(name + n, DDB_NAME_MAX - n, i < key->key_bytes ? "..}" : "}");
}

void
ddb_name(const struct ddb *ddb, const struct ddb_place *place, char *name)
{
	(void)ddb;
	switch (place->level) {
	case DDB_POOL:
		strcpy(name, "/");
		break;
	case DDB_CONT:
		uuid_unparse(place->cont->uuid, name);
		break;
	case DDB_OBJ:
		snprintf(name, DDB_NAME_MAX, "%lx.%lx.%u.%u", (unsigned long)place->obj->oid.id_pub.hi,
			 (unsigned long)place->obj->oid.id_pub.lo, place->obj->oid.id_shard,
			 place->obj->oid.id_layout_ver);
		break;
	case DDB_DKEY:
		key_name(place->dkey, name);
		break;
	case DDB_AKEY:
		key_name(place->akey, name);
		break;
	default:
		snprintf(name, DDB_NAME_MAX, "{%lu-%lu}@%lu", (unsigned long)place->ext.lo,
			 (unsigned long)place->ext.hi - 1, (unsigned long)place->ext.epoch);
	}
}

/* ---- paths ---- */

struct search {
	struct ddb	*ddb;
	const char	*part;
	int64_t		 want_idx; /**< -1: by name */
	struct ddb_place found;
	bool		 any;
};

static int
search_cb(const struct ddb_place *child, uint32_t idx, void *arg)
{
	struct search *s = arg;
	char	       name[DDB_NAME_MAX];

	if (s->want_idx >= 0 && s->want_idx != idx)
		return 0;
	if (s->want_idx < 0) {
		ddb_name(s->ddb, child, name);
		if (strcmp(name, s->part) != 0)
			return 0;
	}
	s->found = *child;
	s->any = true;
	return 1;
}

static int
step_down(struct ddb *ddb, const char *part, struct ddb_place *place)
{
	struct search s = {.ddb = ddb, .part = part, .want_idx = -1};
	char	     *end;
	int	      rc;

	if (part[0] == '[') {
		s.want_idx = strtoul(part + 1, &end, 10);
		if (end == part + 1 || strcmp(end, "]") != 0)
			return ddb_say(part, -DER_INVAL);
	}
	rc = place->level == DDB_VALUE ? 0 : ddb_children(ddb, place, search_cb, &s);
	if (rc < 0)
		return ddb_say(part, rc);
	if (!s.any)
		return ddb_say(part, -DER_NONEXIST);
	*place = s.found;
	return 0;
}

int
ddb_find(struct ddb *ddb, const char *path, struct ddb_place *ret_place)
{
	struct ddb_place place = {.level = DDB_POOL};
	char		*copy = strdup(path == NULL ? "" : path);
	char		*state;
	char		*part;
	int		 rc = 0;

	if (copy == NULL)
		return -DER_NOMEM;
	for (part = strtok_r(copy, "/", &state); part != NULL && rc == 0; part = strtok_r(NULL, "/", &state))
		rc = step_down(ddb, part, &place);
	free(copy);
	if (rc == 0)
		*ret_place = place;
	return rc;
}
