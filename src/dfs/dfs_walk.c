/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Walking paths. A walk keeps the directories it came through, so ".." needs nothing stored; it
 * follows symbolic links by putting their text before what is left of the path. Above where a walk
 * began it does not get, unless it began at the root, where ".." is the root.
 *
 * Absolute texts of links are taken from the root of the container, the mount's prefix cut off if
 * they begin with it.
 */
#include "dfs/dfs_internal.h"

/** A directory the walk is in, or came through. */
struct walk_dir {
	struct dfs_entry entry;
	daos_obj_id_t    parent_oid;
	char             name[DFS_MAX_NAME + 1];
};

struct walk {
	dfs_t           *dfs;
	int              flags;
	struct walk_dir *dirs; /* the last one is where we are */
	uint32_t         dir_nr, dir_room;
	bool             from_root; /* dirs[0] is the root */
	char            *rest;      /* of the path, owned */
	size_t           at;        /* in rest */
	unsigned int     link_nr;
};

static int
walk_push(struct walk *w, const struct dfs_entry *entry, daos_obj_id_t parent_oid, const char *name)
{
	struct walk_dir *dirs = w->dirs;

	if (w->dir_nr == w->dir_room) {
		dirs = realloc(dirs, (w->dir_room + 16) * sizeof(*dirs));
		if (dirs == NULL)
			return ENOMEM;
		w->dirs = dirs;
		w->dir_room += 16;
	}
	dirs[w->dir_nr].entry       = *entry;
	dirs[w->dir_nr].entry.value = NULL;
	dirs[w->dir_nr].parent_oid  = parent_oid;
	snprintf(dirs[w->dir_nr].name, sizeof(dirs->name), "%s", name);
	w->dir_nr++;
	return 0;
}

static int
walk_push_obj(struct walk *w, const dfs_obj_t *obj)
{
	const struct dfs_entry entry = {.mode       = obj->mode,
					.oid        = obj->oid,
					.chunk_size = obj->chunk_size,
					.oclass     = obj->oclass};

	w->from_root = obj->oid.hi == w->dfs->root.oid.hi && obj->oid.lo == w->dfs->root.oid.lo;
	return walk_push(w, &entry, obj->parent_oid, obj->name);
}

/** Without the prefix of the mount; NULL: it does not begin with it. */
static const char *
cut_prefix(const dfs_t *dfs, const char *path)
{
	size_t len;

	if (dfs->prefix == NULL)
		return path;
	len = strlen(dfs->prefix);
	if (strncmp(path, dfs->prefix, len) != 0 || (path[len] != '\0' && path[len] != '/'))
		return NULL;
	return path[len] == '\0' ? "/" : path + len;
}

/** The walk goes on with @text before what is left. */
static int
walk_follow(struct walk *w, const char *text)
{
	char *rest;

	if (++w->link_nr > DFS_SYMLINK_DEPTH_MAX)
		return ELOOP;
	if (text[0] == '/') {
		text = cut_prefix(w->dfs, text);
		if (text == NULL)
			return ENOENT; /* leads out of the file system */
		w->dir_nr = 0;
		if (walk_push_obj(w, &w->dfs->root) != 0)
			return ENOMEM;
	}
	if (asprintf(&rest, "%s%s%s", text, w->rest[w->at] == '\0' ? "" : "/", w->rest + w->at) < 0)
		return ENOMEM;
	free(w->rest);
	w->rest = rest;
	w->at   = 0;
	return strlen(rest) < DFS_MAX_PATH ? 0 : ENAMETOOLONG;
}

/** The next component; false at the end. *ret_last: only slashes follow. */
static bool
walk_next(struct walk *w, char name[DFS_MAX_NAME + 2], bool *ret_last, bool *ret_must_be_dir)
{
	const char *p = w->rest + w->at;
	size_t      len;

	p += strspn(p, "/");
	len = strcspn(p, "/");
	if (len == 0)
		return false;
	snprintf(name, DFS_MAX_NAME + 2, "%.*s", (int)MIN_OF(len, (size_t)DFS_MAX_NAME + 1), p);
	p += len;
	*ret_must_be_dir = *p == '/';
	p += strspn(p, "/");
	*ret_last = *p == '\0';
	w->at     = (size_t)(p - w->rest);
	return true;
}

static int
walk_up(struct walk *w)
{
	if (w->dir_nr > 1)
		w->dir_nr--;
	else if (!w->from_root)
		return ENOTSUP; /* nothing says what is above */
	return 0;
}

static int
walk_fetch(struct walk *w, const char *name, struct dfs_entry *entry)
{
	daos_handle_t oh;
	int           rc;

	rc = daos_der2errno(
	    daos_obj_open(w->dfs->coh, w->dirs[w->dir_nr - 1].entry.oid, DAOS_OO_RO, &oh, NULL));
	if (rc != 0)
		return rc;
	rc = dfs_entry_fetch(oh, name, true, entry);
	daos_obj_close(oh, NULL);
	return rc;
}

/** One component. *ret_obj is set when it was the last and no directory. */
static int
walk_step(struct walk *w, const char *name, bool last, bool must_be_dir, dfs_obj_t **ret_obj)
{
	daos_obj_id_t    here = w->dirs[w->dir_nr - 1].entry.oid;
	struct dfs_entry entry;
	int              rc;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return walk_up(w);
	rc = dfs_name_check(name);
	if (rc == 0)
		rc = walk_fetch(w, name, &entry);
	if (rc != 0)
		return rc;
	if (S_ISDIR(entry.mode))
		rc = walk_push(w, &entry, here, name);
	else if (S_ISLNK(entry.mode) && (!last || must_be_dir || !(w->flags & O_NOFOLLOW)))
		rc = walk_follow(w, entry.value);
	else if (!last || must_be_dir)
		rc = ENOTDIR;
	else
		rc = dfs_obj_from_entry(w->dfs, here, name, w->flags, &entry, ret_obj);
	free(entry.value);
	return rc;
}

static int
walk_run(struct walk *w, dfs_obj_t **ret_obj)
{
	char       name[DFS_MAX_NAME + 2];
	dfs_obj_t *obj = NULL;
	bool       last, must_be_dir;
	int        rc = 0;

	while (rc == 0 && obj == NULL && walk_next(w, name, &last, &must_be_dir))
		rc = walk_step(w, name, last, must_be_dir, &obj);
	if (rc == 0 && obj == NULL) {
		struct walk_dir *dir = &w->dirs[w->dir_nr - 1];

		rc = dfs_obj_from_entry(w->dfs, dir->parent_oid, dir->name, w->flags, &dir->entry, &obj);
	}
	if (rc == 0)
		*ret_obj = obj;
	return rc;
}

int
dfs_walk(dfs_t *dfs, const dfs_obj_t *start, const char *path, int flags, dfs_obj_t **ret_obj)
{
	struct walk w = {.dfs = dfs, .flags = flags};
	int         rc;

	if (path[0] == '\0')
		return ENOENT;
	if (strnlen(path, DFS_MAX_PATH) >= DFS_MAX_PATH)
		return ENAMETOOLONG;
	w.rest = strdup(path);
	rc     = w.rest == NULL ? ENOMEM : walk_push_obj(&w, start);
	if (rc == 0)
		rc = walk_run(&w, ret_obj);
	free(w.rest);
	free(w.dirs);
	return rc;
}

int
dfs_obj_find(dfs_t *dfs, dfs_obj_t *parent, const char *name, int flags, dfs_obj_t **ret_obj)
{
	int rc;

	rc = dfs_parent_check(dfs, &parent);
	if (rc != 0)
		return rc;
	if (name == NULL || strcmp(name, "/") == 0)
		return parent == &dfs->root ? dfs_dup(dfs, parent, flags, ret_obj) : EINVAL;
	rc = dfs_name_check(name);
	return rc == 0 ? dfs_walk(dfs, parent, name, flags, ret_obj) : rc;
}

int
dfs_lookup(dfs_t *dfs, const char *path, int flags, dfs_obj_t **obj, mode_t *mode,
	   struct stat *stbuf)
{
	dfs_obj_t *found;
	int        rc;

	if (dfs == NULL || obj == NULL || path == NULL || path[0] != '/')
		return EINVAL;
	path = cut_prefix(dfs, path);
	if (path == NULL)
		return EINVAL;
	rc = dfs_walk(dfs, &dfs->root, path, flags, &found);
	if (rc == 0 && (flags & O_TRUNC) && S_ISREG(found->mode))
		rc = dfs_punch(dfs, found, 0, DFS_MAX_FSIZE);
	else if (rc != 0)
		return rc;
	if (rc == 0 && stbuf != NULL)
		rc = dfs_ostat(dfs, found, stbuf);
	if (rc != 0) {
		(void)dfs_release(found);
		return rc;
	}
	if (mode != NULL)
		*mode = found->mode;
	*obj = found;
	return 0;
}
