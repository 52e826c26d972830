/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Opening and creating one name of a directory. */
#include "dfs/dfs_internal.h"

#include <unistd.h>

/** What dfs_open_stat() was asked for. */
struct open_args {
	dfs_t           *dfs;
	dfs_obj_t       *parent;
	const char      *name;
	mode_t           mode;
	int              flags;
	daos_oclass_id_t cid;
	daos_size_t      chunk_size;
	const char      *value;
	struct stat     *stbuf; /* NULL: not wanted */
};

static int
open_check(struct open_args *a)
{
	unsigned int mode;
	int          rc;

	rc = dfs_parent_check(a->dfs, &a->parent);
	if (rc == 0)
		rc = dfs_name_check(a->name);
	if (rc == 0)
		rc = dfs_open_mode(a->flags, &mode);
	if (rc != 0)
		return rc;
	if ((a->flags & (O_CREAT | O_TRUNC)) || (a->flags & O_ACCMODE) != O_RDONLY)
		rc = dfs_write_check(a->dfs);
	if (rc != 0 || !(a->flags & O_CREAT))
		return rc;
	if (S_ISLNK(a->mode) && (a->value == NULL || a->value[0] == '\0'))
		return EINVAL;
	if (S_ISLNK(a->mode) && strnlen(a->value, DFS_MAX_PATH) >= DFS_MAX_PATH)
		return ENAMETOOLONG;
	return 0;
}

/** Does what is there go with the type asked for? */
static int
type_check(mode_t want, mode_t have)
{
	want &= S_IFMT;
	have &= S_IFMT;
	if (want == 0 || want == have)
		return 0;
	if (have == S_IFLNK)
		return ELOOP;
	if (have == S_IFDIR)
		return EISDIR;
	return want == S_IFDIR ? ENOTDIR : EINVAL;
}

static int
finish_open(struct open_args *a, const struct dfs_entry *entry, dfs_obj_t **ret_obj)
{
	dfs_obj_t *obj;
	int        rc;

	rc = dfs_obj_from_entry(a->dfs, a->parent->oid, a->name, a->flags, entry, &obj);
	if (rc == 0 && a->stbuf != NULL) {
		rc = dfs_entry_stat(a->dfs, entry, obj->oh, a->stbuf);
		if (rc != 0)
			(void)dfs_release(obj);
	}
	if (rc == 0)
		*ret_obj = obj;
	return rc;
}

static int
truncate_new(dfs_t *dfs, const struct dfs_entry *entry)
{
	daos_size_t   chunk = entry->chunk_size != 0 ? entry->chunk_size : dfs->attr.da_chunk_size;
	daos_handle_t oh;
	int           rc;

	rc = daos_array_open_with_attr(dfs->coh, entry->oid, DAOS_TX_NONE, DAOS_OO_RW, 1, chunk, &oh, NULL);
	if (rc == 0) {
		rc = daos_array_set_size(oh, DAOS_TX_NONE, 0, NULL);
		daos_array_close(oh, NULL);
	}
	return daos_der2errno(rc);
}

static int
open_existing(struct open_args *a, dfs_obj_t **ret_obj)
{
	struct dfs_entry entry;
	int              rc;

	rc = dfs_entry_fetch(a->parent->oh, a->name, true, &entry);
	if (rc != 0)
		return rc;
	rc = type_check(a->mode, entry.mode);
	if (rc == 0 && (a->flags & O_TRUNC) && S_ISREG(entry.mode))
		rc = truncate_new(a->dfs, &entry);
	if (rc == 0)
		rc = finish_open(a, &entry, ret_obj);
	free(entry.value);
	return rc;
}

static int
entry_init(struct open_args *a, struct dfs_entry *e)
{
	struct timespec now = dfs_now();

	*e = (struct dfs_entry){.mode = a->mode, .mtime = now, .ctime = now};
	e->uid = a->stbuf != NULL ? a->stbuf->st_uid : geteuid();
	e->gid = a->stbuf != NULL ? a->stbuf->st_gid : getegid();
	switch (a->mode & S_IFMT) {
	case S_IFREG:
		e->chunk_size = a->chunk_size != 0 ? a->chunk_size : a->parent->chunk_size;
		break;
	case S_IFDIR:
		e->chunk_size = a->chunk_size != 0 ? a->chunk_size : a->parent->chunk_size;
		e->oclass     = a->parent->oclass;
		break;
	case S_IFLNK:
		e->value = (char *)a->value;
		e->size  = strlen(a->value);
		e->mode  = S_IFLNK | 0777;
		break;
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return ENOTSUP;
	}
	return dfs_oid_new(a->dfs, a->parent, a->mode, a->cid, &e->oid);
}

/**
 * The name is there: by us? A request whose answer was lost, because the engine died with it, is sent again and then
 * finds what it made itself. No two creations have the same object.
 */
static bool
is_made_by_us(struct open_args *a, const struct dfs_entry *ours)
{
	struct dfs_entry there;
	bool             same;

	if (dfs_entry_fetch(a->parent->oh, a->name, false, &there) != 0)
		return false;
	same = there.oid.lo == ours->oid.lo && there.oid.hi == ours->oid.hi;
	free(there.value);
	return same;
}

static int
create(struct open_args *a, dfs_obj_t **ret_obj)
{
	struct dfs_entry entry;
	int              rc;

	rc = entry_init(a, &entry);
	if (rc == 0)
		rc = dfs_entry_insert(a->parent->oh, a->name, &entry);
	if (rc == EEXIST && is_made_by_us(a, &entry))
		rc = 0;
	if (rc == 0)
		rc = dfs_obj_from_entry(a->dfs, a->parent->oid, a->name, a->flags, &entry, ret_obj);
	if (rc == 0 && a->stbuf != NULL)
		dfs_entry_stat_new(a->dfs, &entry, a->stbuf);
	return rc;
}

/** Without O_EXCL others may create or unlink in between: then the other way is taken. */
static int
open_or_create(struct open_args *a, dfs_obj_t **ret_obj)
{
	int rc;

	if (!(a->flags & O_CREAT))
		return open_existing(a, ret_obj);
	if ((a->flags & O_EXCL) || !S_ISREG(a->mode))
		return create(a, ret_obj);
	for (unsigned tries = 0; tries < 100; tries++) {
		rc = open_existing(a, ret_obj);
		if (rc != ENOENT)
			return rc;
		rc = create(a, ret_obj);
		if (rc != EEXIST)
			return rc;
	}
	return EBUSY;
}

int
dfs_open_stat(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t mode, int flags,
	      daos_oclass_id_t cid, daos_size_t chunk_size, const char *value, dfs_obj_t **obj,
	      struct stat *stbuf)
{
	struct open_args a = {dfs, parent, name, mode, flags, cid, chunk_size, value, stbuf};
	int              rc;

	if (dfs == NULL || obj == NULL)
		return EINVAL;
	if ((mode & S_IFMT) == 0 && (flags & O_CREAT))
		return EINVAL;
	rc = open_check(&a);
	return rc == 0 ? open_or_create(&a, obj) : rc;
}

int
dfs_open(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t mode, int flags,
	 daos_oclass_id_t cid, daos_size_t chunk_size, const char *value, dfs_obj_t **obj)
{
	return dfs_open_stat(dfs, parent, name, mode, flags, cid, chunk_size, value, obj, NULL);
}

int
dfs_mkdir(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t mode, daos_oclass_id_t cid)
{
	dfs_obj_t *obj;
	int        rc;

	rc = dfs_open_stat(dfs, parent, name, S_IFDIR | (mode & ~(mode_t)S_IFMT),
			   O_CREAT | O_EXCL | O_RDWR, cid, 0, NULL, &obj, NULL);
	return rc == 0 ? dfs_release(obj) : rc;
}

int
dfs_lookup_rel(dfs_t *dfs, dfs_obj_t *parent, const char *name, int flags, dfs_obj_t **obj,
	       mode_t *mode, struct stat *stbuf)
{
	struct stat      st = {0};
	struct open_args a  = {.dfs = dfs, .parent = parent, .name = name,
			       .flags = flags & (O_ACCMODE | O_TRUNC)};
	int              rc;

	if (dfs == NULL || obj == NULL)
		return EINVAL;
	a.stbuf = stbuf == NULL ? NULL : &st;
	rc      = open_check(&a);
	if (rc == 0)
		rc = open_existing(&a, obj);
	if (rc == 0 && mode != NULL)
		*mode = (*obj)->mode;
	if (rc == 0 && stbuf != NULL)
		*stbuf = st;
	return rc;
}
