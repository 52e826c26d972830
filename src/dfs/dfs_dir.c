/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Listing and removing. A name is removed by one conditional punch; what it named is punched after
 * that, so a crash in between leaves an object nobody can reach, never a name of nothing.
 *
 * A directory that looked empty may get an entry before its name is gone. Therefore it is looked at
 * once more, and if it is not empty any more its name is put back.
 */
#include "dfs/dfs_internal.h"

#define LIST_NR_MAX 1024

/* ---- listing ---- */

/** Call @op with up to *nr names, which take @buf_bytes at most; *nr: how many there were. */
static int
list_names(dfs_obj_t *obj, daos_anchor_t *anchor, uint32_t *nr, size_t buf_bytes,
	   dfs_filler_cb_t op, void *arg)
{
	uint32_t         room = MIN_OF(*nr, (uint32_t)LIST_NR_MAX), found = room, i;
	daos_key_desc_t *kds = calloc(room, sizeof(*kds));
	char            *buf = malloc(buf_bytes), *at = buf;
	char             name[DFS_MAX_NAME + 1];
	d_iov_t          iov;
	d_sg_list_t      sgl = {.sg_nr = 1, .sg_iovs = &iov};
	int              rc  = ENOMEM;

	if (kds != NULL && buf != NULL) {
		d_iov_set(&iov, buf, buf_bytes);
		rc = daos_der2errno(
		    daos_obj_list_dkey(obj->oh, DAOS_TX_NONE, &found, kds, &sgl, anchor, NULL));
	}
	for (i = 0; rc == 0 && i < found; at += kds[i].kd_key_len, i++) {
		if (kds[i].kd_key_len == 0 || kds[i].kd_key_len > DFS_MAX_NAME)
			continue; /* not ours */
		memcpy(name, at, kds[i].kd_key_len);
		name[kds[i].kd_key_len] = '\0';
		rc = op(obj->dfs, obj, name, arg);
	}
	*nr = i;
	free(kds);
	free(buf);
	return rc;
}

static int
dir_check(const dfs_t *dfs, const dfs_obj_t *obj)
{
	if (dfs == NULL || obj == NULL)
		return EINVAL;
	return S_ISDIR(obj->mode) ? 0 : ENOTDIR;
}

int
dfs_iterate(dfs_t *dfs, dfs_obj_t *obj, daos_anchor_t *anchor, uint32_t *nr, size_t size,
	    dfs_filler_cb_t op, void *arg)
{
	int rc = dir_check(dfs, obj);

	if (rc != 0)
		return rc;
	if (anchor == NULL || nr == NULL || *nr == 0 || op == NULL)
		return EINVAL;
	if (size < DFS_MAX_NAME)
		return E2BIG;
	if (daos_anchor_is_eof(anchor)) {
		*nr = 0;
		return 0;
	}
	return list_names(obj, anchor, nr, size, op, arg);
}

/** Names and, if @stbufs, attributes of entries that are still there when they are looked at. */
struct fill {
	struct dirent *dirs;
	struct stat   *stbufs;
	uint32_t       nr;
};

static int
fill_one(dfs_t *dfs, dfs_obj_t *obj, const char *name, void *arg)
{
	struct fill   *fill = arg;
	struct dirent *d    = &fill->dirs[fill->nr];
	int            rc   = 0;

	memset(d, 0, sizeof(*d));
	snprintf(d->d_name, sizeof(d->d_name), "%s", name);
	if (fill->stbufs != NULL) {
		struct stat *st = &fill->stbufs[fill->nr];

		rc = dfs_stat(dfs, obj, name, st);
		if (rc == ENOENT)
			return 0;
		d->d_ino  = st->st_ino;
		d->d_type = IFTODT(st->st_mode);
	}
	fill->nr += rc == 0;
	return rc;
}

/** Goes on until there is an entry or the end. */
static int
fill_dirs(dfs_t *dfs, dfs_obj_t *obj, daos_anchor_t *anchor, uint32_t *nr, struct fill *fill)
{
	int rc = dir_check(dfs, obj);

	if (rc != 0)
		return rc;
	if (anchor == NULL || nr == NULL || *nr == 0 || fill->dirs == NULL)
		return EINVAL;
	while (rc == 0 && fill->nr == 0 && !daos_anchor_is_eof(anchor)) {
		uint32_t ask = MIN_OF(*nr, (uint32_t)LIST_NR_MAX);

		rc = list_names(obj, anchor, &ask, (size_t)ask * (DFS_MAX_NAME + 1), fill_one, fill);
	}
	if (rc == 0)
		*nr = fill->nr;
	return rc;
}

int
dfs_readdir(dfs_t *dfs, dfs_obj_t *obj, daos_anchor_t *anchor, uint32_t *nr, struct dirent *dirs)
{
	struct fill fill = {.dirs = dirs};

	return fill_dirs(dfs, obj, anchor, nr, &fill);
}

int
dfs_readdirplus(dfs_t *dfs, dfs_obj_t *obj, daos_anchor_t *anchor, uint32_t *nr,
		struct dirent *dirs, struct stat *stbufs)
{
	struct fill fill = {.dirs = dirs, .stbufs = stbufs};

	return stbufs == NULL ? EINVAL : fill_dirs(dfs, obj, anchor, nr, &fill);
}

static int
count_one(dfs_t *dfs, dfs_obj_t *obj, const char *name, void *arg)
{
	(void)dfs;
	(void)obj;
	(void)name;
	*(uint32_t *)arg += 1;
	return 0;
}

int
dfs_dir_is_empty(dfs_t *dfs, daos_obj_id_t oid, bool *ret_empty)
{
	dfs_obj_t     dir    = {.dfs = dfs, .oid = oid, .mode = S_IFDIR};
	daos_anchor_t anchor = DAOS_ANCHOR_INIT;
	uint32_t      found  = 0;
	int           rc;

	rc = daos_der2errno(daos_obj_open(dfs->coh, oid, DAOS_OO_RO, &dir.oh, NULL));
	if (rc != 0)
		return rc;
	while (rc == 0 && found == 0 && !daos_anchor_is_eof(&anchor)) {
		uint32_t nr = 8;

		rc = list_names(&dir, &anchor, &nr, (size_t)nr * (DFS_MAX_NAME + 1), count_one, &found);
	}
	daos_obj_close(dir.oh, NULL);
	if (rc == 0)
		*ret_empty = found == 0;
	return rc;
}

/* ---- removing ---- */

int
dfs_gone_destroy(dfs_t *dfs, const struct dfs_gone *gone)
{
	daos_handle_t oh;
	int           rc;

	if (!gone->found || (!S_ISREG(gone->mode) && !S_ISDIR(gone->mode)))
		return 0;
	rc = daos_obj_open(dfs->coh, gone->oid, DAOS_OO_RW, &oh, NULL);
	if (rc == 0) {
		rc = daos_obj_punch(oh, DAOS_TX_NONE, DAOS_COND_PUNCH, NULL); /* shards without data have nothing to write */
		daos_obj_close(oh, NULL);
	}
	return rc == -DER_NONEXIST ? 0 : daos_der2errno(rc);
}

static int
unlink_type_check(mode_t type, mode_t have)
{
	if (type == S_IFDIR && !S_ISDIR(have))
		return ENOTDIR;
	return type != S_IFDIR && S_ISDIR(have) ? EISDIR : 0;
}

static int
unlink_dir(dfs_t *dfs, dfs_obj_t *parent, const char *name, daos_obj_id_t oid)
{
	struct dfs_entry_image *image = NULL;
	bool                    empty = false;
	int                     rc;

	rc = dfs_dir_is_empty(dfs, oid, &empty);
	if (rc == 0 && !empty)
		rc = ENOTEMPTY;
	if (rc == 0)
		rc = dfs_image_load(parent->oh, name, &image);
	if (rc == 0)
		rc = dfs_entry_remove(parent->oh, name);
	if (rc == 0)
		rc = dfs_dir_is_empty(dfs, oid, &empty);
	if (rc == 0 && !empty) {
		rc = dfs_image_insert(parent->oh, name, image);
		if (rc != 0)
			D_ERROR("directory \"%s\" got entries while it was removed and its name is taken: "
				"%s\n", name, strerror(rc));
		rc = ENOTEMPTY;
	}
	dfs_image_free(image);
	return rc;
}

int
dfs_unlink(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t type, struct dfs_gone *ret_gone)
{
	struct dfs_entry entry;
	int              rc;

	rc = dfs_parent_check(dfs, &parent);
	if (rc == 0)
		rc = dfs_name_check(name);
	if (rc == 0)
		rc = dfs_write_check(dfs);
	if (rc == 0)
		rc = dfs_entry_fetch(parent->oh, name, false, &entry);
	if (rc == 0)
		rc = unlink_type_check(type, entry.mode);
	if (rc == 0 && type == S_IFDIR)
		rc = unlink_dir(dfs, parent, name, entry.oid);
	else if (rc == 0)
		rc = dfs_entry_remove(parent->oh, name);
	if (rc == 0)
		*ret_gone = (struct dfs_gone){.oid = entry.oid, .mode = entry.mode, .found = true};
	return rc;
}

static int
remove_child(dfs_t *dfs, dfs_obj_t *dir, const char *name, void *arg)
{
	int rc = dfs_remove(dfs, dir, name, true, NULL);

	(void)arg;
	return rc == ENOENT ? 0 : rc;
}

static int
remove_children(dfs_t *dfs, dfs_obj_t *parent, const char *name)
{
	daos_anchor_t anchor = DAOS_ANCHOR_INIT;
	dfs_obj_t    *dir;
	int           rc;

	rc = dfs_open(dfs, parent, name, S_IFDIR, O_RDWR, 0, 0, NULL, &dir);
	if (rc != 0)
		return rc;
	while (rc == 0 && !daos_anchor_is_eof(&anchor)) {
		uint32_t nr = 64;

		rc = list_names(dir, &anchor, &nr, (size_t)nr * (DFS_MAX_NAME + 1), remove_child, NULL);
	}
	(void)dfs_release(dir);
	return rc;
}

int
dfs_remove(dfs_t *dfs, dfs_obj_t *parent, const char *name, bool force, daos_obj_id_t *oid)
{
	struct dfs_gone  gone;
	struct dfs_entry entry;
	mode_t           type;
	int              rc;

	rc = dfs_parent_check(dfs, &parent);
	if (rc == 0)
		rc = dfs_name_check(name);
	if (rc == 0)
		rc = dfs_write_check(dfs);
	if (rc == 0)
		rc = dfs_entry_fetch(parent->oh, name, false, &entry);
	if (rc != 0)
		return rc;
	type = S_ISDIR(entry.mode) ? S_IFDIR : 0;
	rc   = dfs_unlink(dfs, parent, name, type, &gone);
	for (unsigned tries = 0; rc == ENOTEMPTY && force && tries < 16; tries++) {
		rc = remove_children(dfs, parent, name);
		if (rc == 0)
			rc = dfs_unlink(dfs, parent, name, type, &gone);
	}
	if (rc == 0)
		rc = dfs_gone_destroy(dfs, &gone);
	if (rc == 0 && oid != NULL)
		*oid = gone.oid;
	return rc;
}
