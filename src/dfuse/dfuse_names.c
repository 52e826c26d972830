/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Requests about names and attributes. */
#include "dfuse/dfuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include "dfuse/dfuse_names.h"
#include "platform/platform.h"

/* ---- answers ---- */

void
dfuse_reply_entry(fuse_req_t req, struct dfuse *d, struct dfuse_inode *inode, const struct stat *st)
{
	struct fuse_entry_param entry;

	dfuse_entry_fill(inode, st, &entry);
	if (fuse_reply_entry(req, &entry) != 0)
		dfuse_inode_put(d, inode, 1); /* the kernel did not get it */
}

static void
reply_attr(fuse_req_t req, const struct dfuse_inode *inode, const struct stat *st)
{
	fuse_reply_attr(req, st,
			inode->cont == NULL ? 0 : dfuse_timeout(inode->cont->caching.attr_sec));
}

/** Answer if the name is known to be missing: the kernel may believe it as long as we do. */
static bool
reply_missing(fuse_req_t req, struct dfuse_inode *dir, const char *name)
{
	struct fuse_entry_param none  = {0};
	uint64_t                now   = plat_now_ns();
	uint64_t                until = dfuse_missing_find(&dir->missing, name, now);

	if (until == 0)
		return false;
	none.entry_timeout = (double)(until - now) / 1e9;
	fuse_reply_entry(req, &none);
	return true;
}

MAY_YIELD void
dfuse_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct dfuse            *d   = dfuse_of(req);
	struct dfuse_inode      *dir = dfuse_inode_of(d, parent), *inode;
	uint32_t                 begun = dfuse_missing_begin(&dir->missing);
	struct stat              st;
	int                      rc;

	if (reply_missing(req, dir, name))
		return;
	rc = dfuse_lookup(d, dir, name, &inode, &st);
	if (rc == ENOENT && dir->cont != NULL && dir->cont->caching.ndentry_sec > 0) {
		dfuse_missing_add(&dir->missing, begun, name,
				  plat_now_ns() + MIN_OF(dir->cont->caching.ndentry_sec, 3600U) * NSEC_PER_SEC);
		if (!reply_missing(req, dir, name))
			dfuse_reply_err(req, ENOENT); /* it is being made */
	} else if (rc != 0) {
		dfuse_reply_err(req, rc);
	} else {
		dfuse_reply_entry(req, d, inode, &st);
	}
}

void
dfuse_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nr)
{
	struct dfuse *d = dfuse_of(req);

	if (ino != FUSE_ROOT_ID)
		dfuse_inode_put(d, dfuse_inode_of(d, ino), nr);
	fuse_reply_none(req);
}

void
dfuse_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct dfuse *d = dfuse_of(req);

	for (size_t i = 0; i < count; i++)
		if (forgets[i].ino != FUSE_ROOT_ID)
			dfuse_inode_put(d, dfuse_inode_of(d, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

MAY_YIELD void
dfuse_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);
	struct stat         st;
	int                 rc;

	(void)fi;
	rc = dfuse_inode_stat(inode, &st);
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else
		reply_attr(req, inode, &st);
}

/* ---- setting attributes ---- */

static int
set_flags(int to_set)
{
	static const struct {
		int fuse, dfs;
	} map[] = {{FUSE_SET_ATTR_MODE, DFS_SET_ATTR_MODE},      {FUSE_SET_ATTR_UID, DFS_SET_ATTR_UID},
		   {FUSE_SET_ATTR_GID, DFS_SET_ATTR_GID},        {FUSE_SET_ATTR_SIZE, DFS_SET_ATTR_SIZE},
		   {FUSE_SET_ATTR_ATIME, DFS_SET_ATTR_ATIME},    {FUSE_SET_ATTR_MTIME, DFS_SET_ATTR_MTIME},
		   {FUSE_SET_ATTR_ATIME_NOW, DFS_SET_ATTR_ATIME}, {FUSE_SET_ATTR_MTIME_NOW, DFS_SET_ATTR_MTIME}};
	int flags = 0;

	for (unsigned i = 0; i < ARRAY_NR(map); i++)
		if (to_set & map[i].fuse)
			flags |= map[i].dfs;
	return flags;
}

static struct timespec
now(void)
{
	uint64_t now_ns = plat_realtime_ns();

	return (struct timespec){.tv_sec = (time_t)(now_ns / 1000000000), .tv_nsec = now_ns % 1000000000};
}

/** What has no name has no entry to write to: only its data can change. */
static int
set_gone(struct dfuse_inode *inode, struct stat *st, int flags)
{
	int rc = 0;

	if (flags & DFS_SET_ATTR_SIZE)
		rc = dfs_punch(inode->cont->dfs, inode->obj, (daos_off_t)st->st_size, DFS_MAX_FSIZE);
	if (rc != 0)
		return rc;
	if (flags & DFS_SET_ATTR_SIZE)
		inode->kernel_size = st->st_size;
	if (flags & DFS_SET_ATTR_MODE)
		inode->st.st_mode = st->st_mode;
	if (flags & DFS_SET_ATTR_UID)
		inode->st.st_uid = st->st_uid;
	if (flags & DFS_SET_ATTR_GID)
		inode->st.st_gid = st->st_gid;
	if (flags & DFS_SET_ATTR_MTIME)
		inode->st.st_mtim = st->st_mtim;
	*st          = inode->st;
	st->st_nlink = 0;
	st->st_size  = inode->kernel_size;
	return 0; /* times of what is unlinked are sent by the kernel when it forgets it: not worth a search for its size */
}

static MAY_YIELD int
set_attr(struct dfuse_inode *inode, struct stat *st, int flags)
{
	struct timespec mtime;
	int             rc;

	ult_rwlock_wrlock(&inode->lock);
	if (inode->gone_set) {
		rc = set_gone(inode, st, flags);
	} else {
		rc = dfs_osetattr(inode->cont->dfs, inode->obj, st, flags);
		if (rc == 0) {
			dfuse_inode_learn(inode, st);
			st->st_ino          = inode->st.st_ino;
			inode->kernel_size  = st->st_size;
			inode->kernel_mtime = st->st_mtim;
			if (flags & DFS_SET_ATTR_MTIME)
				(void)!dfs_obj_changed_at(inode->obj, &inode->set_at, &mtime);
		}
	}
	ult_rwlock_unlock(&inode->lock);
	return rc;
}

MAY_YIELD void
dfuse_priv_kill(struct dfuse *d, struct dfuse_inode *inode)
{
	mode_t      mode = inode->st.st_mode;
	struct stat st;
	int         rc;

	if (inode->cont == NULL || !S_ISREG(mode) || d->args.read_only)
		return;
	if (mode & S_IXGRP) /* else the bit stands for mandatory locks */
		mode &= ~(mode_t)S_ISGID;
	mode &= ~(mode_t)S_ISUID;
	if (mode == inode->st.st_mode)
		return;
	st = (struct stat){.st_mode = mode};
	rc = set_attr(inode, &st, DFS_SET_ATTR_MODE);
	if (rc != 0)
		D_WARN("set-user-ID bits of a file that changed stay: %s\n", strerror(rc));
}

/** What the kernel was told, with the time it told us. */
static int
told_time(struct dfuse_inode *inode, struct stat *st)
{
	struct timespec mtim = st->st_mtim;

	ult_rwlock_wrlock(&inode->lock);
	inode->kernel_mtime = mtim;
	dfuse_inode_known(inode, st);
	st->st_mtim = st->st_ctim = mtim;
	ult_rwlock_unlock(&inode->lock);
	return 0;
}

/**
 * With write-back caching the kernel keeps the time of its writes and, when it has written them, sends it. The epoch of
 * those writes says the same, so nothing need be recorded: a file that is copied costs one change of its entry, not two.
 * A time that somebody set differs from that of the last write, or comes without one.
 */
static bool
is_time_of_write(struct dfuse *d, const struct dfuse_inode *inode, const struct stat *attr, int to_set)
{
	const int kept = FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_CTIME;
	int64_t   apart_ns;

	if (!d->wb_cache || (to_set & ~kept) != 0 || (to_set & kept) != kept ||
	    !__atomic_load_n(&inode->wrote, __ATOMIC_RELAXED))
		return false;
	apart_ns = (int64_t)__atomic_load_n(&inode->write_ns, __ATOMIC_RELAXED) -
		   ((int64_t)attr->st_mtim.tv_sec * 1000000000 + attr->st_mtim.tv_nsec);
	return apart_ns > -1000000000 && apart_ns < 1000000000;
}

MAY_YIELD void
dfuse_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		 struct fuse_file_info *fi)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);
	struct stat         st    = *attr;
	int                 flags = set_flags(to_set), rc;

	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		st.st_mtim = now();
	if (inode->cont == NULL)
		rc = EROFS;
	else if (fi != NULL && is_time_of_write(dfuse_of(req), inode, attr, to_set))
		rc = told_time(inode, &st);
	else if (flags == 0)
		rc = dfuse_inode_stat(inode, &st);
	else
		rc = set_attr(inode, &st, flags);
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else
		reply_attr(req, inode, &st);
}

void
dfuse_op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	/* the kernel checks permissions (default_permissions): this is asked for what is left */
	(void)ino;
	dfuse_reply_err(req, (mask & 2) && dfuse_of(req)->args.read_only ? EROFS : 0);
}

/* ---- creating ---- */

void
dfuse_new_owner(fuse_req_t req, const struct dfuse_inode *dir, mode_t *mode, struct stat *ret_st)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	*ret_st = (struct stat){.st_uid = ctx->uid, .st_gid = ctx->gid};
	if (!(dir->st.st_mode & S_ISGID))
		return;
	ret_st->st_gid = dir->st.st_gid;
	if (S_ISDIR(*mode))
		*mode |= S_ISGID;
}

static MAY_YIELD void
create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, const char *value)
{
	struct dfuse       *d   = dfuse_of(req);
	struct dfuse_inode *dir      = dfuse_inode_of(d, parent), *inode;
	uint64_t            begin_ns = plat_now_ns();
	struct stat         st;
	dfs_obj_t          *obj;
	int                 rc;

	if (dir->cont == NULL) {
		dfuse_reply_err(req, EROFS);
		return;
	}
	dfuse_new_owner(req, dir, &mode, &st);
	dfuse_missing_forget(&dir->missing, name);
	rc = dfs_open_stat(dir->cont->dfs, dir->obj, name, mode, O_CREAT | O_EXCL | O_RDWR, 0, 0, value,
			   &obj, &st);
	dfuse_missing_forget(&dir->missing, name);
	if (rc == 0)
		rc = dfuse_inode_get(d, dir, name, obj, &st, &inode);
	if (rc != 0) {
		dfuse_reply_err(req, rc);
		return;
	}
	if (S_ISDIR(mode) && dir->cont->caching.ndentry_sec > 0)
		dfuse_missing_fresh(&inode->missing,
				    begin_ns + MIN_OF(dir->cont->caching.ndentry_sec, 3600U) * NSEC_PER_SEC);
	dfuse_reply_entry(req, d, inode, &inode->st);
}

MAY_YIELD void
dfuse_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	(void)rdev;
	if (S_ISREG(mode) || S_ISFIFO(mode) || S_ISSOCK(mode))
		create(req, parent, name, mode, NULL);
	else
		dfuse_reply_err(req, ENOTSUP);
}

MAY_YIELD void
dfuse_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	create(req, parent, name, S_IFDIR | (mode & ~(mode_t)S_IFMT), NULL);
}

MAY_YIELD void
dfuse_op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	create(req, parent, name, S_IFLNK | 0777, link);
}

void
dfuse_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);
	char                buf[DFS_MAX_PATH];
	daos_size_t         bytes = sizeof(buf);
	int                 rc;

	rc = inode->cont == NULL ? EINVAL : dfs_get_symlink_value(inode->obj, buf, &bytes);
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else
		fuse_reply_readlink(req, buf);
}

void
dfuse_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	(void)ino;
	(void)new_parent;
	(void)new_name;
	dfuse_reply_err(req, EOPNOTSUPP); /* a file has one name */
}

/* ---- removing and renaming ---- */

/** What had a name is given back when nobody waits for it any more. */
static void
destroy_gone(struct dfuse_cont *cont, const struct dfs_gone *gone)
{
	int rc = dfs_gone_destroy(cont->dfs, gone);

	if (rc != 0)
		D_ERROR("the space of an unlinked file is not freed: %s\n", strerror(rc));
}

static MAY_YIELD void
remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t type)
{
	struct dfuse       *d   = dfuse_of(req);
	struct dfuse_inode *dir = dfuse_inode_of(d, parent);
	struct dfs_gone     gone;
	int                 rc;

	rc = dir->cont == NULL ? EROFS : dfs_unlink(dir->cont->dfs, dir->obj, name, type, &gone);
	if (rc == 0)
		dfuse_inode_gone(d, dir->cont, &gone);
	dfuse_reply_err(req, rc);
	if (rc == 0)
		destroy_gone(dir->cont, &gone);
}

MAY_YIELD void
dfuse_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, 0);
}

MAY_YIELD void
dfuse_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, S_IFDIR);
}

/** The inode of what was renamed, if there is one, learns its new name. */
static MAY_YIELD void
follow_rename(struct dfuse *d, struct dfuse_inode *dir, const char *name, daos_obj_id_t oid)
{
	struct dfuse_ientry *e = dfuse_itable_find(d->itable, dir->cont, oid);
	struct dfuse_inode  *inode;

	if (e == NULL)
		return;
	inode = CONTAINER_OF(e, struct dfuse_inode, ie);
	ult_rwlock_wrlock(&inode->lock);
	dfs_obj_rename(inode->obj, dir->obj, name);
	ult_rwlock_unlock(&inode->lock);
	dfuse_inode_put(d, inode, 1);
}

/** The object of a name, for an exchange. */
static int
oid_of(struct dfuse_inode *dir, const char *name, daos_obj_id_t *ret_oid)
{
	dfs_obj_t *obj;
	int        rc;

	rc = dfs_lookup_rel(dir->cont->dfs, dir->obj, name, O_RDONLY, &obj, NULL, NULL);
	if (rc != 0)
		return rc;
	(void)dfs_obj2id(obj, ret_oid);
	return dfs_release(obj);
}

static int
exchange(struct dfuse *d, struct dfuse_inode *dir1, const char *name1, struct dfuse_inode *dir2,
	 const char *name2)
{
	daos_obj_id_t oid1, oid2;
	int           rc;

	rc = oid_of(dir1, name1, &oid1);
	if (rc == 0)
		rc = oid_of(dir2, name2, &oid2);
	if (rc == 0)
		rc = dfs_exchange(dir1->cont->dfs, dir1->obj, name1, dir2->obj, name2); /* no name is added */
	if (rc == 0) {
		follow_rename(d, dir2, name2, oid1);
		follow_rename(d, dir1, name1, oid2);
	}
	return rc;
}

static int
move(struct dfuse *d, struct dfuse_inode *dir, const char *name, struct dfuse_inode *new_dir,
     const char *new_name, unsigned int flags)
{
	struct dfs_gone gone;
	daos_obj_id_t   oid;
	int             rc;

	dfuse_missing_forget(&new_dir->missing, new_name);
	rc = dfs_rename(dir->cont->dfs, dir->obj, name, new_dir->obj, new_name, flags, &oid, &gone);
	dfuse_missing_forget(&new_dir->missing, new_name);
	if (rc != 0)
		return rc;
	follow_rename(d, new_dir, new_name, oid);
	dfuse_inode_gone(d, dir->cont, &gone);
	destroy_gone(dir->cont, &gone);
	return 0;
}

MAY_YIELD void
dfuse_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		const char *new_name, unsigned int flags)
{
	struct dfuse       *d       = dfuse_of(req);
	struct dfuse_inode *dir     = dfuse_inode_of(d, parent);
	struct dfuse_inode *new_dir = dfuse_inode_of(d, new_parent);
	int                 rc;

	if (dir->cont == NULL || dir->cont != new_dir->cont)
		rc = EXDEV;
	else if (flags == RENAME_EXCHANGE)
		rc = exchange(d, dir, name, new_dir, new_name);
	else
		rc = move(d, dir, name, new_dir, new_name, flags);
	dfuse_reply_err(req, rc);
}

/* ---- the file system ---- */

void
dfuse_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);
	struct dfuse_pool  *pool  = inode->cont != NULL ? inode->cont->pool : inode->pool;
	daos_pool_info_t    info  = {.pi_bits = DPI_SPACE};
	struct statvfs      st    = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = DFS_MAX_NAME,
				     .f_files = UINT64_MAX, .f_ffree = UINT64_MAX, .f_favail = UINT64_MAX};
	int                 rc    = 0;

	if (pool != NULL)
		rc = daos_der2errno(daos_pool_query(pool->poh, NULL, &info, NULL, NULL));
	if (rc != 0) {
		dfuse_reply_err(req, rc);
		return;
	}
	for (unsigned i = 0; i < DAOS_MEDIA_MAX; i++) {
		st.f_blocks += info.pi_space.ps_space.s_total[i] / st.f_frsize;
		st.f_bfree += info.pi_space.ps_space.s_free[i] / st.f_frsize;
	}
	st.f_bavail = st.f_bfree;
	fuse_reply_statfs(req, &st);
}
