/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * DFS by paths. Each call finds its object anew: a path names what it names now, and there is no
 * cache that another client could make wrong. The directory of a name to be created or removed is
 * found, links followed; the name itself is not.
 */
#include <daos_fs_sys.h>
#include "dfs/dfs_internal.h"

struct dfs_sys {
	dfs_t *dfs;
	bool   connected; /* ended with dfs_disconnect() */
};

/* ---- mounting ---- */

static int
sys_make(dfs_t *dfs, bool connected, dfs_sys_t **ret_sys)
{
	dfs_sys_t *sys = malloc(sizeof(*sys));

	if (sys == NULL)
		return ENOMEM;
	*sys     = (dfs_sys_t){.dfs = dfs, .connected = connected};
	*ret_sys = sys;
	return 0;
}

int
dfs_sys_connect(const char *pool, const char *sys, const char *cont, int mflags, int sflags,
		dfs_attr_t *attr, dfs_sys_t **dfs_sys)
{
	dfs_t *dfs;
	int    rc;

	(void)sflags;
	if (dfs_sys == NULL)
		return EINVAL;
	rc = dfs_connect(pool, sys, cont, mflags, attr, &dfs);
	if (rc != 0)
		return rc;
	rc = sys_make(dfs, true, dfs_sys);
	if (rc != 0)
		(void)dfs_disconnect(dfs);
	return rc;
}

int
dfs_sys_mount(daos_handle_t poh, daos_handle_t coh, int mflags, int sflags, dfs_sys_t **dfs_sys)
{
	dfs_t *dfs;
	int    rc;

	(void)sflags;
	if (dfs_sys == NULL)
		return EINVAL;
	rc = dfs_mount(poh, coh, mflags, &dfs);
	if (rc != 0)
		return rc;
	rc = sys_make(dfs, false, dfs_sys);
	if (rc != 0)
		(void)dfs_umount(dfs);
	return rc;
}

static int
sys_end(dfs_sys_t *sys, bool connected)
{
	int rc;

	if (sys == NULL || sys->connected != connected)
		return EINVAL;
	rc = connected ? dfs_disconnect(sys->dfs) : dfs_umount(sys->dfs);
	if (rc == 0)
		free(sys);
	return rc;
}

int
dfs_sys_disconnect(dfs_sys_t *dfs_sys)
{
	return sys_end(dfs_sys, true);
}

int
dfs_sys_umount(dfs_sys_t *dfs_sys)
{
	return sys_end(dfs_sys, false);
}

int
dfs_sys_set_prefix(dfs_sys_t *dfs_sys, const char *prefix)
{
	return dfs_sys == NULL ? EINVAL : dfs_set_prefix(dfs_sys->dfs, prefix);
}

int
dfs_sys_local2global(dfs_sys_t *dfs_sys, d_iov_t *glob)
{
	return dfs_sys == NULL ? EINVAL : dfs_local2global(dfs_sys->dfs, glob);
}

int
dfs_sys_global2local(daos_handle_t poh, daos_handle_t coh, int mflags, int sflags, d_iov_t glob,
		     dfs_sys_t **dfs_sys)
{
	dfs_t *dfs;
	int    rc;

	(void)sflags;
	if (dfs_sys == NULL)
		return EINVAL;
	rc = dfs_global2local(poh, coh, mflags, glob, &dfs);
	if (rc != 0)
		return rc;
	rc = sys_make(dfs, false, dfs_sys);
	if (rc != 0)
		(void)dfs_umount(dfs);
	return rc;
}

int
dfs_sys2base(dfs_sys_t *dfs_sys, dfs_t **dfs)
{
	if (dfs_sys == NULL || dfs == NULL)
		return EINVAL;
	*dfs = dfs_sys->dfs;
	return 0;
}

/* ---- paths ---- */

/** A name and the open directory it is in. */
struct place {
	dfs_obj_t *dir;
	char       name[DFS_MAX_NAME + 1];
};

static void
place_end(struct place *p)
{
	(void)dfs_release(p->dir);
}

/** Split "/a/b/c/" into the directory "/a/b" and the name "c"; EBUSY for the root itself. */
static int
place_find(dfs_sys_t *sys, const char *path, struct place *ret)
{
	char   dir[DFS_MAX_PATH];
	size_t len, start;
	mode_t mode;
	int    rc;

	if (sys == NULL || path == NULL || path[0] != '/')
		return EINVAL;
	len = strnlen(path, DFS_MAX_PATH);
	if (len == DFS_MAX_PATH)
		return ENAMETOOLONG;
	while (len > 0 && path[len - 1] == '/')
		len--;
	for (start = len; start > 0 && path[start - 1] != '/';)
		start--;
	if (len == start)
		return EBUSY;
	if (len - start > DFS_MAX_NAME)
		return ENAMETOOLONG;
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(len - start), path + start);
	snprintf(dir, sizeof(dir), "%.*s", (int)start, path);
	rc = dfs_lookup(sys->dfs, dir, sys->dfs->writable ? O_RDWR : O_RDONLY, &ret->dir, &mode, NULL);
	if (rc == 0 && !S_ISDIR(mode)) {
		place_end(ret);
		rc = ENOTDIR;
	}
	return rc;
}

static int
sys_open(dfs_sys_t *sys, const char *path, int flags, dfs_obj_t **ret_obj)
{
	return sys == NULL ? EINVAL : dfs_lookup(sys->dfs, path, flags, ret_obj, NULL, NULL);
}

/* ---- attributes ---- */

int
dfs_sys_access(dfs_sys_t *dfs_sys, const char *path, int mask, int flags)
{
	dfs_obj_t *obj;
	int        rc;

	rc = sys_open(dfs_sys, path, O_RDONLY | (flags & O_NOFOLLOW), &obj);
	if (rc != 0)
		return rc;
	rc = dfs_obj_access(dfs_sys->dfs, obj, mask);
	(void)dfs_release(obj);
	return rc;
}

int
dfs_sys_setattr(dfs_sys_t *dfs_sys, const char *path, struct stat *stbuf, int flags, int sflags)
{
	dfs_obj_t *obj;
	int        rc;

	rc = sys_open(dfs_sys, path, O_RDWR | (sflags & O_NOFOLLOW), &obj);
	if (rc != 0)
		return rc;
	rc = dfs_osetattr(dfs_sys->dfs, obj, stbuf, flags);
	(void)dfs_release(obj);
	return rc;
}

int
dfs_sys_chmod(dfs_sys_t *dfs_sys, const char *path, mode_t mode)
{
	struct stat st = {.st_mode = mode & ~(mode_t)S_IFMT};

	return dfs_sys_setattr(dfs_sys, path, &st, DFS_SET_ATTR_MODE, 0);
}

int
dfs_sys_chown(dfs_sys_t *dfs_sys, const char *path, uid_t uid, gid_t gid, int flags)
{
	struct stat st  = {.st_uid = uid, .st_gid = gid};
	int         set = (uid != (uid_t)-1 ? DFS_SET_ATTR_UID : 0) |
			  (gid != (gid_t)-1 ? DFS_SET_ATTR_GID : 0);

	return dfs_sys_setattr(dfs_sys, path, &st, set, flags);
}

int
dfs_sys_utimens(dfs_sys_t *dfs_sys, const char *path, const struct timespec times[2], int flags)
{
	struct stat st  = {0};
	int         set = 0;

	st.st_atim = times == NULL || times[0].tv_nsec == UTIME_NOW ? dfs_now() : times[0];
	st.st_mtim = times == NULL || times[1].tv_nsec == UTIME_NOW ? dfs_now() : times[1];
	if (times == NULL || times[0].tv_nsec != UTIME_OMIT)
		set |= DFS_SET_ATTR_ATIME;
	if (times == NULL || times[1].tv_nsec != UTIME_OMIT)
		set |= DFS_SET_ATTR_MTIME;
	return dfs_sys_setattr(dfs_sys, path, &st, set, flags);
}

int
dfs_sys_stat(dfs_sys_t *dfs_sys, const char *path, int flags, struct stat *stbuf)
{
	dfs_obj_t *obj;
	int        rc;

	rc = sys_open(dfs_sys, path, O_RDONLY | (flags & O_NOFOLLOW), &obj);
	if (rc != 0)
		return rc;
	rc = dfs_ostat(dfs_sys->dfs, obj, stbuf);
	(void)dfs_release(obj);
	return rc;
}

int
dfs_sys_listxattr(dfs_sys_t *dfs_sys, const char *path, char *list, daos_size_t *size, int flags)
{
	dfs_obj_t *obj;
	int        rc;

	rc = sys_open(dfs_sys, path, O_RDONLY | (flags & O_NOFOLLOW), &obj);
	if (rc != 0)
		return rc;
	rc = dfs_listxattr(dfs_sys->dfs, obj, list, size);
	(void)dfs_release(obj);
	return rc;
}

int
dfs_sys_getxattr(dfs_sys_t *dfs_sys, const char *path, const char *name, void *value,
		 daos_size_t *size, int flags)
{
	dfs_obj_t *obj;
	int        rc;

	rc = sys_open(dfs_sys, path, O_RDONLY | (flags & O_NOFOLLOW), &obj);
	if (rc != 0)
		return rc;
	rc = dfs_getxattr(dfs_sys->dfs, obj, name, value, size);
	(void)dfs_release(obj);
	return rc;
}

int
dfs_sys_setxattr(dfs_sys_t *dfs_sys, const char *path, const char *name, const void *value,
		 daos_size_t size, int flags, int sflags)
{
	dfs_obj_t *obj;
	int        rc;

	rc = sys_open(dfs_sys, path, O_RDWR | (sflags & O_NOFOLLOW), &obj);
	if (rc != 0)
		return rc;
	rc = dfs_setxattr(dfs_sys->dfs, obj, name, value, size, flags);
	(void)dfs_release(obj);
	return rc;
}

int
dfs_sys_removexattr(dfs_sys_t *dfs_sys, const char *path, const char *name, int flags)
{
	dfs_obj_t *obj;
	int        rc;

	rc = sys_open(dfs_sys, path, O_RDWR | (flags & O_NOFOLLOW), &obj);
	if (rc != 0)
		return rc;
	rc = dfs_removexattr(dfs_sys->dfs, obj, name);
	(void)dfs_release(obj);
	return rc;
}

/* ---- names ---- */

static int
sys_create(dfs_sys_t *sys, const char *path, mode_t mode, daos_oclass_id_t cid,
	   daos_size_t chunk_size, const char *value)
{
	struct place p;
	dfs_obj_t   *obj;
	int          rc;

	rc = place_find(sys, path, &p);
	if (rc != 0)
		return rc;
	rc = dfs_open(sys->dfs, p.dir, p.name, mode, O_CREAT | O_EXCL | O_RDWR, cid, chunk_size, value, &obj);
	if (rc == 0)
		rc = dfs_release(obj);
	place_end(&p);
	return rc;
}

int
dfs_sys_mknod(dfs_sys_t *dfs_sys, const char *path, mode_t mode, daos_oclass_id_t cid,
	      daos_size_t chunk_size)
{
	return S_ISLNK(mode) ? EINVAL : sys_create(dfs_sys, path, mode, cid, chunk_size, NULL);
}

int
dfs_sys_symlink(dfs_sys_t *dfs_sys, const char *target, const char *path)
{
	return sys_create(dfs_sys, path, S_IFLNK | 0777, 0, 0, target);
}

int
dfs_sys_mkdir(dfs_sys_t *dfs_sys, const char *dir, mode_t mode, daos_oclass_id_t cid)
{
	int rc = sys_create(dfs_sys, dir, S_IFDIR | (mode & ~(mode_t)S_IFMT), cid, 0, NULL);

	return rc == EBUSY ? EEXIST : rc;
}

int
dfs_sys_mkdir_p(dfs_sys_t *dfs_sys, const char *dir_path, mode_t mode, daos_oclass_id_t cid)
{
	char        part[DFS_MAX_PATH];
	struct stat st;
	int         rc;

	if (dfs_sys == NULL || dir_path == NULL || dir_path[0] != '/')
		return EINVAL;
	if (strnlen(dir_path, DFS_MAX_PATH) == DFS_MAX_PATH)
		return ENAMETOOLONG;
	for (size_t i = 1; dir_path[i - 1] != '\0'; i++) {
		if (dir_path[i] != '/' && dir_path[i] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, dir_path);
		rc = dfs_sys_mkdir(dfs_sys, part, mode, cid);
		if (rc != 0 && rc != EEXIST)
			return rc;
	}
	rc = dfs_sys_stat(dfs_sys, dir_path, 0, &st);
	return rc == 0 && !S_ISDIR(st.st_mode) ? EEXIST : rc;
}

int
dfs_sys_readlink(dfs_sys_t *dfs_sys, const char *path, char *buf, daos_size_t *size)
{
	dfs_obj_t *obj;
	int        rc;

	rc = sys_open(dfs_sys, path, O_RDONLY | O_NOFOLLOW, &obj);
	if (rc != 0)
		return rc;
	rc = dfs_get_symlink_value(obj, buf, size);
	(void)dfs_release(obj);
	return rc;
}

int
dfs_sys_remove_type(dfs_sys_t *dfs_sys, const char *path, bool force, mode_t mode,
		    daos_obj_id_t *oid)
{
	struct place p;
	struct stat  st;
	int          rc;

	rc = place_find(dfs_sys, path, &p);
	if (rc != 0)
		return rc;
	if ((mode & S_IFMT) != 0)
		rc = dfs_stat(dfs_sys->dfs, p.dir, p.name, &st);
	if (rc == 0 && (mode & S_IFMT) != 0 && (st.st_mode & S_IFMT) != (mode & S_IFMT))
		rc = S_ISDIR(mode) ? ENOTDIR : EINVAL;
	if (rc == 0)
		rc = dfs_remove(dfs_sys->dfs, p.dir, p.name, force, oid);
	place_end(&p);
	return rc;
}

int
dfs_sys_remove(dfs_sys_t *dfs_sys, const char *path, bool force, daos_obj_id_t *oid)
{
	return dfs_sys_remove_type(dfs_sys, path, force, 0, oid);
}

/* ---- listing ---- */

#define SYS_DIR_NR 128

/** What a DIR of this library is; no function of the C library takes it. */
struct sys_dir {
	dfs_t        *dfs;
	dfs_obj_t    *obj;
	daos_anchor_t anchor;
	struct dirent ents[SYS_DIR_NR];
	uint32_t      nr, at;
};

int
dfs_sys_opendir(dfs_sys_t *dfs_sys, const char *dir, int flags, DIR **dirp)
{
	struct sys_dir *d;
	mode_t          mode = 0;
	int             rc;

	if (dfs_sys == NULL || dirp == NULL)
		return EINVAL;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return ENOMEM;
	d->dfs = dfs_sys->dfs;
	rc     = dfs_lookup(d->dfs, dir, O_RDONLY | (flags & O_NOFOLLOW), &d->obj, &mode, NULL);
	if (rc == 0 && !S_ISDIR(mode)) {
		(void)dfs_release(d->obj);
		rc = ENOTDIR;
	}
	if (rc == 0)
		*dirp = (DIR *)d;
	else
		free(d);
	return rc;
}

int
dfs_sys_closedir(DIR *dirp)
{
	struct sys_dir *d = (struct sys_dir *)dirp;
	int             rc;

	if (d == NULL)
		return EINVAL;
	rc = dfs_release(d->obj);
	free(d);
	return rc;
}

int
dfs_sys_readdir(dfs_sys_t *dfs_sys, DIR *dirp, struct dirent **dirent)
{
	struct sys_dir *d = (struct sys_dir *)dirp;
	int             rc;

	if (dfs_sys == NULL || d == NULL || dirent == NULL)
		return EINVAL;
	if (d->at == d->nr) {
		d->at = 0;
		d->nr = SYS_DIR_NR;
		rc    = dfs_readdir(d->dfs, d->obj, &d->anchor, &d->nr, d->ents);
		if (rc != 0) {
			d->nr = 0;
			return rc;
		}
	}
	*dirent = d->at == d->nr ? NULL : &d->ents[d->at++];
	return 0;
}

/* ---- files ---- */

int
dfs_sys_open(dfs_sys_t *dfs_sys, const char *path, mode_t mode, int flags, daos_oclass_id_t cid,
	     daos_size_t chunk_size, const char *value, dfs_obj_t **obj)
{
	struct place p;
	int          rc;

	if (dfs_sys == NULL || obj == NULL)
		return EINVAL;
	if (!(flags & O_CREAT))
		return dfs_lookup(dfs_sys->dfs, path, flags, obj, NULL, NULL);
	rc = place_find(dfs_sys, path, &p);
	if (rc != 0)
		return rc;
	if ((mode & S_IFMT) == 0)
		mode |= S_IFREG;
	rc = dfs_open(dfs_sys->dfs, p.dir, p.name, mode, flags, cid, chunk_size, value, obj);
	if (rc == ELOOP && !(flags & (O_EXCL | O_NOFOLLOW))) /* a link is there */
		rc = dfs_lookup(dfs_sys->dfs, path, flags & ~O_CREAT, obj, NULL, NULL);
	place_end(&p);
	return rc;
}

int
dfs_sys_close(dfs_obj_t *obj)
{
	return dfs_release(obj);
}

/** What a call with an event points to until it is done. */
struct sys_io {
	d_iov_t     iov;
	d_sg_list_t sgl;
};

static int
sys_io_done(void *arg, daos_event_t *ev, int rc)
{
	(void)ev;
	(void)rc;
	free(arg);
	return 0;
}

static int
sys_io_ev(dfs_sys_t *sys, dfs_obj_t *obj, void *buf, daos_off_t off, daos_size_t *size, bool write,
	  daos_event_t *ev)
{
	struct sys_io here, *io = &here;
	int           rc;

	if (sys == NULL || size == NULL || (buf == NULL && *size > 0))
		return EINVAL;
	if (ev != NULL) {
		io = malloc(sizeof(*io));
		if (io == NULL)
			return ENOMEM;
		rc = daos_event_register_comp_cb(ev, sys_io_done, io);
		if (rc != 0) {
			free(io);
			return daos_der2errno(rc);
		}
	}
	d_iov_set(&io->iov, buf, *size);
	io->sgl = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &io->iov};
	return write ? dfs_write(sys->dfs, obj, &io->sgl, off, ev)
		     : dfs_read(sys->dfs, obj, &io->sgl, off, size, ev);
}

int
dfs_sys_read(dfs_sys_t *dfs_sys, dfs_obj_t *obj, void *buf, daos_off_t off, daos_size_t *size,
	     daos_event_t *ev)
{
	return sys_io_ev(dfs_sys, obj, buf, off, size, false, ev);
}

int
dfs_sys_write(dfs_sys_t *dfs_sys, dfs_obj_t *obj, const void *buf, daos_off_t off,
	      daos_size_t *size, daos_event_t *ev)
{
	return sys_io_ev(dfs_sys, obj, (void *)buf, off, size, true, ev);
}

int
dfs_sys_punch(dfs_sys_t *dfs_sys, const char *path, daos_off_t offset, daos_off_t len)
{
	dfs_obj_t *obj;
	int        rc;

	rc = sys_open(dfs_sys, path, O_RDWR, &obj);
	if (rc != 0)
		return rc;
	rc = dfs_punch(dfs_sys->dfs, obj, offset, len);
	(void)dfs_release(obj);
	return rc;
}
