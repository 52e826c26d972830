/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Attributes. An entry records all but the size of a file, which is its array's, and times of
 * changes of data: of a file the epoch of the newest write, of a directory that of the newest change
 * of an entry. The recorded modification time counts while nothing newer than the recorded epoch
 * happened: so a time that was set holds until the next write. The time of change is at least the
 * time of modification; access times are not kept and read as modification times.
 */
#include "dfs/dfs_internal.h"

#include <unistd.h>
#include "client/client_array.h"
#include "object/obj_client.h"
#include "platform/platform.h"

#define STAT_DIR_BYTES 4096 /* what local file systems say of a small directory */

struct timespec
dfs_now(void)
{
	uint64_t now_ns = plat_realtime_ns();

	return (struct timespec){.tv_sec = (time_t)(now_ns / 1000000000), .tv_nsec = now_ns % 1000000000};
}

ino_t
dfs_oid2ino(daos_obj_id_t oid)
{
	return (ino_t)((oid.lo << 32) | (uint32_t)oid.hi);
}

/** Size and newest epoch of what @oh is an open handle of. */
static int
data_stat(mode_t mode, daos_handle_t oh, daos_array_stbuf_t *ret_data)
{
	*ret_data = (daos_array_stbuf_t){.st_size = STAT_DIR_BYTES};
	if (S_ISREG(mode))
		return daos_der2errno(daos_array_stat(oh, DAOS_TX_NONE, ret_data, NULL));
	return daos_der2errno(daos_obj_query_max_epoch(oh, DAOS_TX_NONE, &ret_data->st_max_epoch, NULL));
}

static int
data_stat_by_oid(dfs_t *dfs, const struct dfs_entry *entry, daos_array_stbuf_t *ret_data)
{
	daos_size_t   chunk = entry->chunk_size != 0 ? entry->chunk_size : dfs->attr.da_chunk_size;
	daos_handle_t oh;
	int           rc;

	if (S_ISREG(entry->mode))
		rc = daos_array_open_with_attr(dfs->coh, entry->oid, DAOS_TX_NONE, DAOS_OO_RO, 1, chunk,
					       &oh, NULL);
	else
		rc = daos_obj_open(dfs->coh, entry->oid, DAOS_OO_RO, &oh, NULL);
	if (rc != 0)
		return daos_der2errno(rc);
	rc = data_stat(entry->mode, oh, ret_data);
	if (S_ISREG(entry->mode))
		daos_array_close(oh, NULL);
	else
		daos_obj_close(oh, NULL);
	return rc;
}

static void
st_set_size(struct stat *st, daos_size_t size)
{
	st->st_size   = (off_t)size;
	st->st_blocks = (blkcnt_t)((size + 511) / 512);
}

static void
st_set_times(struct stat *st, const struct dfs_entry *entry, daos_epoch_t epoch)
{
	st->st_mtim = entry->mtime;
	if (epoch > entry->epoch)
		(void)daos_hlc2timespec(epoch, &st->st_mtim);
	st->st_ctim = dfs_is_later(&entry->ctime, &st->st_mtim) ? entry->ctime : st->st_mtim;
	st->st_atim = st->st_mtim;
}

static void
entry_to_stat(dfs_t *dfs, const struct dfs_entry *entry, const daos_array_stbuf_t *data, struct stat *st)
{
	*st          = (struct stat){0};
	st->st_ino   = dfs_oid2ino(entry->oid);
	st->st_mode  = entry->mode;
	st->st_nlink = 1;
	st->st_uid   = entry->uid;
	st->st_gid   = entry->gid;
	st->st_blksize =
	    (blksize_t)(S_ISREG(entry->mode) && entry->chunk_size != 0 ? entry->chunk_size
								       : dfs->attr.da_chunk_size);
	st_set_size(st, data->st_size);
	st_set_times(st, entry, data->st_max_epoch);
}

int
dfs_entry_stat(dfs_t *dfs, const struct dfs_entry *entry, daos_handle_t oh, struct stat *ret_st)
{
	daos_array_stbuf_t data = {.st_size = entry->size};
	int                rc   = 0;

	if (S_ISREG(entry->mode) || S_ISDIR(entry->mode))
		rc = daos_handle_is_valid(oh) ? data_stat(entry->mode, oh, &data)
					      : data_stat_by_oid(dfs, entry, &data);
	if (rc == 0)
		entry_to_stat(dfs, entry, &data, ret_st);
	return rc;
}

void
dfs_entry_stat_new(dfs_t *dfs, const struct dfs_entry *entry, struct stat *ret_st)
{
	daos_array_stbuf_t data = {.st_size = S_ISDIR(entry->mode) ? STAT_DIR_BYTES : entry->size};

	entry_to_stat(dfs, entry, &data, ret_st);
}

int
dfs_stat_data(dfs_t *dfs, dfs_obj_t *obj, struct stat *st)
{
	daos_array_stbuf_t data;
	int                rc;

	(void)dfs;
	if (!S_ISREG(obj->mode))
		return 0;
	rc = data_stat(obj->mode, obj->oh, &data);
	if (rc != 0)
		return rc;
	st_set_size(st, data.st_size);
	return 0;
}

int
dfs_obj_changed_at(dfs_obj_t *obj, daos_epoch_t *ret_epoch, struct timespec *ret_mtime)
{
	int rc;

	*ret_epoch = 0;
	if (S_ISREG(obj->mode))
		rc = client_array_changed_at(obj->oh, ret_epoch);
	else if (S_ISDIR(obj->mode))
		rc = dc_obj_changed_at(client_current(), obj->oh, ret_epoch);
	else
		return 0;
	if (rc == 0 && *ret_epoch != 0)
		rc = daos_hlc2timespec(*ret_epoch, ret_mtime);
	return daos_der2errno(rc);
}

/** The entry and what is known of the data, asked for at the same time. */
static int
entry_and_data(dfs_obj_t *obj, daos_handle_t parent_oh, struct dfs_entry *ret_entry, daos_array_stbuf_t *ret_data)
{
	daos_event_t ev;
	bool         ended;
	int          rc, rc_data;

	*ret_data = (daos_array_stbuf_t){.st_size = STAT_DIR_BYTES};
	rc        = daos_event_init(&ev, DAOS_HDL_INVAL, NULL);
	if (rc != 0)
		return daos_der2errno(rc);
	if (S_ISREG(obj->mode))
		rc_data = daos_array_stat(obj->oh, DAOS_TX_NONE, ret_data, &ev);
	else
		rc_data = daos_obj_query_max_epoch(obj->oh, DAOS_TX_NONE, &ret_data->st_max_epoch, &ev);
	rc = dfs_entry_fetch(parent_oh, obj->name, false, ret_entry);
	if (rc_data == 0) {
		rc_data = daos_event_test(&ev, DAOS_EQ_WAIT, &ended);
		if (rc_data == 0)
			rc_data = ev.ev_error;
	}
	(void)daos_event_fini(&ev);
	return rc != 0 ? rc : daos_der2errno(rc_data);
}

int
dfs_ostat(dfs_t *dfs, dfs_obj_t *obj, struct stat *stbuf)
{
	bool               data;
	daos_array_stbuf_t stat;
	struct dfs_entry   entry;
	daos_handle_t      oh;
	int                rc;

	if (dfs == NULL || obj == NULL || stbuf == NULL)
		return EINVAL;
	data = S_ISREG(obj->mode) || S_ISDIR(obj->mode);
	rc = dfs_parent_open(dfs, obj, false, &oh);
	if (rc != 0)
		return rc;
	rc = data ? entry_and_data(obj, oh, &entry, &stat) : dfs_entry_fetch(oh, obj->name, false, &entry);
	daos_obj_close(oh, NULL);
	if (rc == 0 && (entry.oid.lo != obj->oid.lo || entry.oid.hi != obj->oid.hi))
		rc = ENOENT; /* the name is another file's now */
	if (rc == 0 && data)
		entry_to_stat(dfs, &entry, &stat, stbuf);
	else if (rc == 0)
		rc = dfs_entry_stat(dfs, &entry, obj->oh, stbuf);
	return rc;
}

int
dfs_stat(dfs_t *dfs, dfs_obj_t *parent, const char *name, struct stat *stbuf)
{
	struct dfs_entry entry;
	int              rc;

	if (dfs == NULL || stbuf == NULL)
		return EINVAL;
	rc = dfs_parent_check(dfs, &parent);
	if (rc != 0)
		return rc;
	if (name == NULL || strcmp(name, "/") == 0)
		return parent == &dfs->root ? dfs_ostat(dfs, parent, stbuf) : EINVAL;
	rc = dfs_name_check(name);
	if (rc == 0)
		rc = dfs_entry_fetch(parent->oh, name, false, &entry);
	return rc == 0 ? dfs_entry_stat(dfs, &entry, DAOS_HDL_INVAL, stbuf) : rc;
}

/* ---- setting ---- */

#define SET_ATTR_ALL                                                                               \
	(DFS_SET_ATTR_MODE | DFS_SET_ATTR_ATIME | DFS_SET_ATTR_MTIME | DFS_SET_ATTR_SIZE |         \
	 DFS_SET_ATTR_UID | DFS_SET_ATTR_GID)

static int
set_check(dfs_t *dfs, dfs_obj_t *obj, const struct stat *st, int flags)
{
	if (dfs == NULL || obj == NULL || st == NULL || (flags & ~SET_ATTR_ALL))
		return EINVAL;
	if ((flags & DFS_SET_ATTR_MODE) && S_ISLNK(obj->mode))
		return ENOTSUP;
	if ((flags & DFS_SET_ATTR_MODE) && (st->st_mode & S_IFMT) != 0 &&
	    (st->st_mode & S_IFMT) != (obj->mode & S_IFMT))
		return EINVAL;
	if ((flags & DFS_SET_ATTR_SIZE) && !S_ISREG(obj->mode))
		return S_ISDIR(obj->mode) ? EISDIR : EINVAL;
	if ((flags & DFS_SET_ATTR_SIZE) && st->st_size < 0)
		return EINVAL;
	if ((flags & DFS_SET_ATTR_MTIME) &&
	    (st->st_mtim.tv_nsec < 0 || st->st_mtim.tv_nsec >= 1000000000))
		return EINVAL;
	return dfs_write_check(dfs);
}

/** What changes in the entry; *@entry becomes the new one. */
static uint32_t
entry_apply(struct dfs_entry *entry, const struct stat *st, int flags)
{
	uint32_t fields = 0;

	if (flags & DFS_SET_ATTR_MODE) {
		entry->mode = (entry->mode & S_IFMT) | (st->st_mode & ~(mode_t)S_IFMT);
		fields |= DFS_FIELD(MODE);
	}
	if (flags & DFS_SET_ATTR_UID) {
		entry->uid = st->st_uid;
		fields |= DFS_FIELD(UID);
	}
	if (flags & DFS_SET_ATTR_GID) {
		entry->gid = st->st_gid;
		fields |= DFS_FIELD(GID);
	}
	if (flags & DFS_SET_ATTR_MTIME) {
		entry->mtime = st->st_mtim;
		fields |= DFS_FIELDS_MTIME;
	}
	if (fields != 0 || (flags & DFS_SET_ATTR_ATIME)) {
		entry->ctime = dfs_now();
		fields |= DFS_FIELDS_CTIME;
	}
	return fields;
}

static int
set_in_parent(dfs_t *dfs, dfs_obj_t *obj, daos_handle_t parent_oh, struct stat *st, int flags)
{
	daos_array_stbuf_t data = {0};
	struct dfs_entry   entry;
	uint32_t           fields;
	int                rc;

	rc = dfs_entry_fetch(parent_oh, obj->name, false, &entry);
	if (rc == 0 && (entry.oid.lo != obj->oid.lo || entry.oid.hi != obj->oid.hi))
		rc = ENOENT;
	if (rc == 0 && (flags & DFS_SET_ATTR_SIZE))
		rc = daos_der2errno(
		    daos_array_set_size(obj->oh, DAOS_TX_NONE, (daos_size_t)st->st_size, NULL));
	if (rc == 0 && (flags & DFS_SET_ATTR_MTIME) && !S_ISLNK(obj->mode))
		rc = daos_handle_is_valid(obj->oh) ? data_stat(obj->mode, obj->oh, &data) : 0;
	if (rc != 0)
		return rc;
	if (flags & DFS_SET_ATTR_MTIME)
		entry.epoch = data.st_max_epoch;
	fields = entry_apply(&entry, st, flags);
	rc     = dfs_entry_change(parent_oh, obj->name, fields, &entry);
	return rc == 0 ? dfs_entry_stat(dfs, &entry, obj->oh, st) : rc;
}

int
dfs_osetattr(dfs_t *dfs, dfs_obj_t *obj, struct stat *stbuf, int flags)
{
	daos_handle_t oh;
	int           rc;

	rc = set_check(dfs, obj, stbuf, flags);
	if (rc == 0)
		rc = dfs_parent_open(dfs, obj, true, &oh);
	if (rc != 0)
		return rc;
	rc = set_in_parent(dfs, obj, oh, stbuf, flags);
	daos_obj_close(oh, NULL);
	return rc;
}

static int
set_by_name(dfs_t *dfs, dfs_obj_t *parent, const char *name, int open_flags, struct stat *st,
	    int flags)
{
	dfs_obj_t *obj;
	int        rc;

	if (dfs == NULL)
		return EINVAL;
	rc = dfs_write_check(dfs);
	if (rc == 0)
		rc = dfs_obj_find(dfs, parent, name, O_RDWR | open_flags, &obj);
	if (rc != 0)
		return rc;
	rc = dfs_osetattr(dfs, obj, st, flags);
	(void)dfs_release(obj);
	return rc;
}

int
dfs_chmod(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t mode)
{
	struct stat st = {.st_mode = mode & ~(mode_t)S_IFMT};

	return set_by_name(dfs, parent, name, 0, &st, DFS_SET_ATTR_MODE);
}

int
dfs_chown(dfs_t *dfs, dfs_obj_t *parent, const char *name, uid_t uid, gid_t gid, int flags)
{
	struct stat st  = {.st_uid = uid, .st_gid = gid};
	int         set = 0;

	if (uid != (uid_t)-1)
		set |= DFS_SET_ATTR_UID;
	if (gid != (gid_t)-1)
		set |= DFS_SET_ATTR_GID;
	return set == 0 ? 0 : set_by_name(dfs, parent, name, flags & O_NOFOLLOW, &st, set);
}

/* ---- permissions ---- */

static bool
in_group(gid_t gid)
{
	int    nr     = getgroups(0, NULL);
	gid_t *groups = nr <= 0 ? NULL : calloc((size_t)nr, sizeof(*groups));
	bool   found  = gid == getegid();

	nr = groups == NULL ? 0 : getgroups(nr, groups);
	for (int i = 0; i < nr && !found; i++)
		found = groups[i] == gid;
	free(groups);
	return found;
}

static int
access_check(const struct stat *st, int mask)
{
	unsigned int bits = st->st_mode & 7;

	if (mask == F_OK)
		return 0;
	if (geteuid() == 0)
		bits = 6 | (S_ISDIR(st->st_mode) || (st->st_mode & 0111) ? 1 : 0);
	else if (geteuid() == st->st_uid)
		bits = (st->st_mode >> 6) & 7;
	else if (in_group(st->st_gid))
		bits = (st->st_mode >> 3) & 7;
	return ((unsigned int)mask & ~bits) == 0 ? 0 : EACCES;
}

int
dfs_obj_access(dfs_t *dfs, dfs_obj_t *obj, int mask)
{
	struct stat st;
	int         rc;

	if (mask & ~(R_OK | W_OK | X_OK))
		return EINVAL;
	if ((mask & W_OK) && !dfs->writable)
		return EPERM;
	rc = dfs_ostat(dfs, obj, &st);
	return rc == 0 ? access_check(&st, mask) : rc;
}

int
dfs_access(dfs_t *dfs, dfs_obj_t *parent, const char *name, int mask)
{
	dfs_obj_t *obj;
	int        rc;

	if (dfs == NULL)
		return EINVAL;
	rc = dfs_obj_find(dfs, parent, name, O_RDONLY, &obj);
	if (rc != 0)
		return rc;
	rc = dfs_obj_access(dfs, obj, mask);
	(void)dfs_release(obj);
	return rc;
}
