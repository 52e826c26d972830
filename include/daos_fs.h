/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * DFS: a POSIX namespace in a container. A directory is an object with an entry a dkey, a file is
 * an array of bytes. Functions return 0 or a positive errno. Permissions are recorded, and checked
 * by dfs_access() alone.
 */
#ifndef __DAOS_FS_H__
#define __DAOS_FS_H__

#include <dirent.h>
#include <inttypes.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <daos_types.h>
#include <daos_obj.h>
#include <daos_obj_class.h>
#include <daos_array.h>
#include <daos_cont.h>

#if defined(__cplusplus)
extern "C" {
#endif

#define DFS_MAX_NAME           NAME_MAX
#define DFS_MAX_PATH           PATH_MAX
#define DFS_MAX_FSIZE          (~0ULL)
#define DFS_DEFAULT_CHUNK_SIZE 1048576
#define DFS_MAX_XATTR_NAME     255
#define DFS_MAX_XATTR_LEN      65536
/** What statfs() reports as the type of the file system. */
#define DAOS_SUPER_MAGIC       0xDA05AD10

typedef struct dfs_obj dfs_obj_t; /**< an open file, directory or symbolic link */
typedef struct dfs     dfs_t;     /**< a mounted container */

/** Consistency: balanced mounts use transactions for what touches several entries. */
#define DFS_BALANCED 4
#define DFS_RELAXED  0
#define DFS_RDONLY   O_RDONLY
#define DFS_RDWR     O_RDWR

typedef struct {
	uint64_t         da_id;         /**< the user's, not interpreted */
	daos_size_t      da_chunk_size; /**< bytes, of new files; 0: the default */
	daos_oclass_id_t da_oclass_id;  /**< of new objects; 0: picked by the library */
	daos_prop_t     *da_props;      /**< of the container; borrowed */
	uint32_t         da_mode;       /**< DFS_RELAXED or DFS_BALANCED */
	daos_oclass_id_t da_dir_oclass_id;
	daos_oclass_id_t da_file_oclass_id;
	char             da_hints[DAOS_CONT_HINT_MAX_LEN]; /**< "file:single,dir:max" */
} dfs_attr_t;

/** Ranges of a file, in bytes. */
typedef struct {
	daos_size_t   iod_nr;
	daos_range_t *iod_rgs; /**< [iod_nr] */
} dfs_iod_t;

typedef struct {
	daos_oclass_id_t doi_oclass_id;
	daos_size_t      doi_chunk_size;
	daos_oclass_id_t doi_dir_oclass_id;  /**< of a directory: what its new directories get */
	daos_oclass_id_t doi_file_oclass_id; /**< of a directory: what its new files get */
	daos_obj_id_t    doi_oid;
} dfs_obj_info_t;

/** Start and end the library, daos_init() included; counted. */
int
dfs_init(void);
int
dfs_fini(void);

/* ---- mounting ---- */

/**
 * Connect, open and mount in one step; connections are shared by mounts of the process.
 * @param flags  O_RDONLY or O_RDWR, with O_CREAT to create the container
 * @param attr   of a container that is created; may be NULL
 */
int
dfs_connect(const char *pool, const char *sys, const char *cont, int flags, dfs_attr_t *attr,
	    dfs_t **dfs);
int
dfs_disconnect(dfs_t *dfs);
/** Destroy a container by names. */
int
dfs_destroy(const char *pool, const char *sys, const char *cont, int force, daos_event_t *ev);

/** Create a container with a file system. @param coh, dfs NULL, or opened and mounted */
int
dfs_cont_create(daos_handle_t poh, uuid_t *uuid, dfs_attr_t *attr, daos_handle_t *coh, dfs_t **dfs);
int
dfs_cont_create_with_label(daos_handle_t poh, const char *label, dfs_attr_t *attr, uuid_t *uuid,
			   daos_handle_t *coh, dfs_t **dfs);

/** @param flags  O_RDONLY or O_RDWR, with DFS_BALANCED to insist on that mode */
int
dfs_mount(daos_handle_t poh, daos_handle_t coh, int flags, dfs_t **dfs);
/** The handles stay open. */
int
dfs_umount(dfs_t *dfs);

/** The mount's handles, to be given back. */
int
dfs_pool_get(dfs_t *dfs, daos_handle_t *poh);
int
dfs_pool_put(dfs_t *dfs, daos_handle_t poh);
int
dfs_cont_get(dfs_t *dfs, daos_handle_t *coh);
int
dfs_cont_put(dfs_t *dfs, daos_handle_t coh);

int
dfs_query(dfs_t *dfs, dfs_attr_t *attr);

/**
 * Describe a mount for another process; NULL glob->iov_buf: set glob->iov_buf_len to the room
 * needed. The pool and container handles are not part of it.
 */
int
dfs_local2global(dfs_t *dfs, d_iov_t *glob);
/** Mount from a description. @param flags  O_RDONLY, O_RDWR, or 0: as the one described */
int
dfs_global2local(daos_handle_t poh, daos_handle_t coh, int flags, d_iov_t glob, dfs_t **dfs);
/** Paths given to dfs_lookup() begin with @prefix, which is cut off. NULL: no prefix. */
int
dfs_set_prefix(dfs_t *dfs, const char *prefix);
/** Class and ID of an open object. */
int
dfs_obj2id(dfs_obj_t *obj, daos_obj_id_t *oid);
/** Class for a hint like "file:max". */
int
dfs_suggest_oclass(dfs_t *dfs, const char *hint, daos_oclass_id_t *cid);

/* ---- finding and opening; an object is given back with dfs_release() ---- */

/**
 * Walk a path from the root.
 * @param flags   O_RDONLY or O_RDWR, with O_NOFOLLOW for a symbolic link itself
 * @param mode    NULL, or type and permissions
 * @param stbuf   NULL or filled
 */
int
dfs_lookup(dfs_t *dfs, const char *path, int flags, dfs_obj_t **obj, mode_t *mode,
	   struct stat *stbuf);
/** One name in @parent; NULL: the root. */
int
dfs_lookup_rel(dfs_t *dfs, dfs_obj_t *parent, const char *name, int flags, dfs_obj_t **obj,
	       mode_t *mode, struct stat *stbuf);
/**
 * Open or create.
 * @param mode        type (S_IFREG, S_IFDIR, S_IFLNK) and, when creating, permissions
 * @param flags       O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND
 * @param cid         class when creating; 0: the default
 * @param chunk_size  of a new file, bytes; 0: the default
 * @param value       of a new symbolic link
 */
int
dfs_open(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t mode, int flags,
	 daos_oclass_id_t cid, daos_size_t chunk_size, const char *value, dfs_obj_t **obj);
/** A second handle of an open object. */
int
dfs_dup(dfs_t *dfs, dfs_obj_t *obj, int flags, dfs_obj_t **new_obj);
/** Describe an open object for another process that mounted the same container; see dfs_local2global(). */
int
dfs_obj_local2global(dfs_t *dfs, dfs_obj_t *obj, d_iov_t *glob);
int
dfs_obj_global2local(dfs_t *dfs, int flags, d_iov_t glob, dfs_obj_t **obj);
int
dfs_release(dfs_obj_t *obj);

/* ---- files; with an event, its ev_error is a positive errno ---- */

/** @param read_size  bytes read; less than asked for at the end of the file */
int
dfs_read(dfs_t *dfs, dfs_obj_t *obj, d_sg_list_t *sgl, daos_off_t off, daos_size_t *read_size,
	 daos_event_t *ev);
int
dfs_readx(dfs_t *dfs, dfs_obj_t *obj, dfs_iod_t *iod, d_sg_list_t *sgl, daos_size_t *read_size,
	  daos_event_t *ev);
int
dfs_write(dfs_t *dfs, dfs_obj_t *obj, d_sg_list_t *sgl, daos_off_t off, daos_event_t *ev);
int
dfs_writex(dfs_t *dfs, dfs_obj_t *obj, dfs_iod_t *iod, d_sg_list_t *sgl, daos_event_t *ev);
int
dfs_get_size(dfs_t *dfs, dfs_obj_t *obj, daos_size_t *size);
/** Size of a file's object. */
int
dfs_get_size_by_oid(dfs_t *dfs, daos_obj_id_t oid, daos_size_t chunk_size, daos_size_t *size);
/** Make a hole; @len DFS_MAX_FSIZE: cut or extend the file to @offset. */
int
dfs_punch(dfs_t *dfs, dfs_obj_t *obj, daos_off_t offset, daos_size_t len);

/* ---- directories ---- */

/** @param nr  [in] room in @dirs [out] entries; names alone are filled in */
int
dfs_readdir(dfs_t *dfs, dfs_obj_t *obj, daos_anchor_t *anchor, uint32_t *nr, struct dirent *dirs);
int
dfs_readdirplus(dfs_t *dfs, dfs_obj_t *obj, daos_anchor_t *anchor, uint32_t *nr,
		struct dirent *dirs, struct stat *stbufs);

/** Called for each entry; non-zero ends the iteration with that. */
typedef int (*dfs_filler_cb_t)(dfs_t *dfs, dfs_obj_t *obj, const char name[], void *arg);
/** @param nr [in] most entries [out] entries seen  @param size bytes for names at a time */
int
dfs_iterate(dfs_t *dfs, dfs_obj_t *obj, daos_anchor_t *anchor, uint32_t *nr, size_t size,
	    dfs_filler_cb_t op, void *arg);
int
dfs_mkdir(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t mode, daos_oclass_id_t cid);
/** @param force  a directory with all in it  @param oid NULL, or of what was removed */
int
dfs_remove(dfs_t *dfs, dfs_obj_t *parent, const char *name, bool force, daos_obj_id_t *oid);
/** Rename, replacing @new_name. @param oid NULL, or of what was replaced */
int
dfs_move(dfs_t *dfs, dfs_obj_t *parent, const char *name, dfs_obj_t *new_parent,
	 const char *new_name, daos_obj_id_t *oid);
int
dfs_exchange(dfs_t *dfs, dfs_obj_t *parent1, const char *name1, dfs_obj_t *parent2,
	     const char *name2);
/** After a rename by others: take @src_obj's parent, and @name if it is not NULL. */
int
dfs_update_parent(dfs_obj_t *obj, dfs_obj_t *src_obj, const char *name);

/* ---- attributes ---- */

int
dfs_get_mode(dfs_obj_t *obj, mode_t *mode);
int
dfs_obj_get_info(dfs_t *dfs, dfs_obj_t *obj, dfs_obj_info_t *info);
/** Class of what will be created in a directory. */
int
dfs_obj_set_oclass(dfs_t *dfs, dfs_obj_t *obj, int flags, daos_oclass_id_t cid);
/** Chunk size of files that will be created in a directory, or of a file without data. */
int
dfs_obj_set_chunk_size(dfs_t *dfs, dfs_obj_t *obj, int flags, daos_size_t csize);
/** The array of an open file; borrowed. */
int
dfs_get_file_oh(dfs_obj_t *obj, daos_handle_t *oh);
int
dfs_get_chunk_size(dfs_obj_t *obj, daos_size_t *chunk_size);
/** @param buf  NULL to ask  @param size [in] of @buf [out] of the value with its NUL */
int
dfs_get_symlink_value(dfs_obj_t *obj, char *buf, daos_size_t *size);
int
dfs_stat(dfs_t *dfs, dfs_obj_t *parent, const char *name, struct stat *stbuf);
int
dfs_ostat(dfs_t *dfs, dfs_obj_t *obj, struct stat *stbuf);

#define DFS_SET_ATTR_MODE  (1 << 0)
#define DFS_SET_ATTR_ATIME (1 << 1)
#define DFS_SET_ATTR_MTIME (1 << 2)
#define DFS_SET_ATTR_SIZE  (1 << 3)
#define DFS_SET_ATTR_UID   (1 << 4)
#define DFS_SET_ATTR_GID   (1 << 5)

/** Set what @flags name; @stbuf is what the attributes are afterwards. */
int
dfs_osetattr(dfs_t *dfs, dfs_obj_t *obj, struct stat *stbuf, int flags);
/** Whether the calling user has R_OK, W_OK, X_OK. EACCES */
int
dfs_access(dfs_t *dfs, dfs_obj_t *parent, const char *name, int mask);
int
dfs_chmod(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t mode);
/** @param flags  O_NOFOLLOW or 0 */
int
dfs_chown(dfs_t *dfs, dfs_obj_t *parent, const char *name, uid_t uid, gid_t gid, int flags);
/** Writes are durable when they return: nothing is left to do. */
int
dfs_sync(dfs_t *dfs);
/** @param flags  XATTR_CREATE, XATTR_REPLACE or 0 */
int
dfs_setxattr(dfs_t *dfs, dfs_obj_t *obj, const char *name, const void *value, daos_size_t size,
	     int flags);
/** @param size  [in] of @value; 0 to ask [out] of the attribute */
int
dfs_getxattr(dfs_t *dfs, dfs_obj_t *obj, const char *name, void *value, daos_size_t *size);
int
dfs_removexattr(dfs_t *dfs, dfs_obj_t *obj, const char *name);
/** Names, each with its NUL. @param size as of dfs_getxattr() */
int
dfs_listxattr(dfs_t *dfs, dfs_obj_t *obj, char *list, daos_size_t *size);
/** Change the owners of the container and of its root directory. */
int
dfs_cont_set_owner(daos_handle_t coh, d_string_t user, uid_t uid, d_string_t group, gid_t gid);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_FS_H__ */
