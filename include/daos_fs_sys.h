/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * DFS by absolute paths, like the system calls of the same names. Functions return 0 or a positive
 * errno. A path that ends in a symbolic link is followed unless O_NOFOLLOW is among the flags.
 */
#ifndef __DAOS_FS_SYS_H__
#define __DAOS_FS_SYS_H__

#include <dirent.h>
#include <daos.h>
#include <daos_fs.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** sflags of a mount. Nothing is cached or locked in this library, so they change nothing. */
#define DFS_SYS_NO_CACHE 1
#define DFS_SYS_NO_LOCK  2

typedef struct dfs_sys dfs_sys_t;

/* ---- mounting; see the functions of daos_fs.h ---- */

int
dfs_sys_connect(const char *pool, const char *sys, const char *cont, int mflags, int sflags,
		dfs_attr_t *attr, dfs_sys_t **dfs_sys);
int
dfs_sys_disconnect(dfs_sys_t *dfs_sys);
int
dfs_sys_mount(daos_handle_t poh, daos_handle_t coh, int mflags, int sflags, dfs_sys_t **dfs_sys);
int
dfs_sys_umount(dfs_sys_t *dfs_sys);
int
dfs_sys_set_prefix(dfs_sys_t *dfs_sys, const char *prefix);
int
dfs_sys_local2global(dfs_sys_t *dfs_sys, d_iov_t *glob);
int
dfs_sys_global2local(daos_handle_t poh, daos_handle_t coh, int mflags, int sflags, d_iov_t glob,
		     dfs_sys_t **dfs_sys);
/** The mount itself; borrowed. */
int
dfs_sys2base(dfs_sys_t *dfs_sys, dfs_t **dfs);

/* ---- attributes ---- */

/** @param mask  F_OK or R_OK, W_OK, X_OK  @param flags  O_NOFOLLOW or 0, here and below */
int
dfs_sys_access(dfs_sys_t *dfs_sys, const char *path, int mask, int flags);
int
dfs_sys_chmod(dfs_sys_t *dfs_sys, const char *path, mode_t mode);
int
dfs_sys_chown(dfs_sys_t *dfs_sys, const char *path, uid_t uid, gid_t gid, int flags);
/** @param flags  DFS_SET_ATTR_*  @param sflags  O_NOFOLLOW or 0 */
int
dfs_sys_setattr(dfs_sys_t *dfs_sys, const char *path, struct stat *stbuf, int flags, int sflags);
int
dfs_sys_utimens(dfs_sys_t *dfs_sys, const char *path, const struct timespec times[2], int flags);
int
dfs_sys_stat(dfs_sys_t *dfs_sys, const char *path, int flags, struct stat *stbuf);
int
dfs_sys_listxattr(dfs_sys_t *dfs_sys, const char *path, char *list, daos_size_t *size, int flags);
int
dfs_sys_getxattr(dfs_sys_t *dfs_sys, const char *path, const char *name, void *value,
		 daos_size_t *size, int flags);
/** @param flags  XATTR_CREATE, XATTR_REPLACE or 0  @param sflags  O_NOFOLLOW or 0 */
int
dfs_sys_setxattr(dfs_sys_t *dfs_sys, const char *path, const char *name, const void *value,
		 daos_size_t size, int flags, int sflags);
int
dfs_sys_removexattr(dfs_sys_t *dfs_sys, const char *path, const char *name, int flags);

/* ---- names ---- */

/** Create an entry of the type in @mode that has no contents of its own, or an empty file. */
int
dfs_sys_mknod(dfs_sys_t *dfs_sys, const char *path, mode_t mode, daos_oclass_id_t cid,
	      daos_size_t chunk_size);
int
dfs_sys_readlink(dfs_sys_t *dfs_sys, const char *path, char *buf, daos_size_t *size);
int
dfs_sys_symlink(dfs_sys_t *dfs_sys, const char *target, const char *path);
int
dfs_sys_remove(dfs_sys_t *dfs_sys, const char *path, bool force, daos_obj_id_t *oid);
/** Remove if it is of the type @mode (S_IFDIR, S_IFREG, S_IFLNK; 0: any). */
int
dfs_sys_remove_type(dfs_sys_t *dfs_sys, const char *path, bool force, mode_t mode,
		    daos_obj_id_t *oid);
int
dfs_sys_mkdir(dfs_sys_t *dfs_sys, const char *dir, mode_t mode, daos_oclass_id_t cid);
/** Make missing parents as well; no error if it is a directory already. */
int
dfs_sys_mkdir_p(dfs_sys_t *dfs_sys, const char *dir_path, mode_t mode, daos_oclass_id_t cid);
int
dfs_sys_opendir(dfs_sys_t *dfs_sys, const char *dir, int flags, DIR **dirp);
int
dfs_sys_closedir(DIR *dirp);
/** *@dirent: the next entry, valid until the next call on @dirp; NULL at the end. */
int
dfs_sys_readdir(dfs_sys_t *dfs_sys, DIR *dirp, struct dirent **dirent);

/* ---- files; arguments as of dfs_open(), dfs_read(), dfs_write() ---- */

int
dfs_sys_open(dfs_sys_t *dfs_sys, const char *path, mode_t mode, int flags, daos_oclass_id_t cid,
	     daos_size_t chunk_size, const char *value, dfs_obj_t **obj);
int
dfs_sys_close(dfs_obj_t *obj);
/** @param size  [in] of @buf [out] bytes read */
int
dfs_sys_read(dfs_sys_t *dfs_sys, dfs_obj_t *obj, void *buf, daos_off_t off, daos_size_t *size,
	     daos_event_t *ev);
int
dfs_sys_write(dfs_sys_t *dfs_sys, dfs_obj_t *obj, const void *buf, daos_off_t off,
	      daos_size_t *size, daos_event_t *ev);
/** @param len  DFS_MAX_FSIZE: cut or extend to @offset */
int
dfs_sys_punch(dfs_sys_t *dfs_sys, const char *path, daos_off_t offset, daos_off_t len);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_FS_SYS_H__ */
