/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What the files of libdfs share. docs/formats/dfs.md draws what is stored.
 *
 * Invariants of the namespace, as every single operation keeps them:
 *   1. An entry is complete or not there: it is inserted whole, by one conditional update.
 *   2. An entry is changed only under the condition that it exists: a change that comes after an
 *      unlink does not bring a name back.
 *   3. A file that was created has a name until it is unlinked. A crash inside a rename leaves two
 *      names for it, never none; a crash inside an unlink leaves an object without a name.
 */
#pragma once

#define D_LOGFAC LOG_FAC_DFS
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <daos.h>
#include <daos_fs.h>
#include "base/errno_map.h"
#include "base/log.h"
#include "dfs/dfs_ext.h"
#include "dfs/dfs_format.h"

#define DFS_SYMLINK_DEPTH_MAX 40

/** An open object. Immutable but for the name it was opened by. */
struct dfs_obj {
	dfs_t           *dfs;
	daos_obj_id_t    oid;
	daos_handle_t    oh;    /**< array of a file, object of a directory, else invalid */
	mode_t           mode;  /**< when it was opened */
	int              flags; /**< O_RDONLY or O_RDWR */
	daos_size_t      chunk_size; /**< of a file; of a directory: of its new files, 0: default */
	daos_oclass_id_t oclass;     /**< of a directory: of what is made in it, 0: default */
	char            *value; /**< of a symbolic link */
	daos_obj_id_t    parent_oid;
	char             name[DFS_MAX_NAME + 1]; /**< in the parent */
};

struct dfs_handles; /* of dfs_connect(): dfs_connect.c */

struct dfs {
	daos_handle_t       poh, coh;
	bool                writable;
	uint32_t            mode; /**< DFS_RELAXED or DFS_BALANCED */
	dfs_attr_t          attr;
	daos_oclass_hints_t file_hint, dir_hint;
	daos_obj_id_t       super_oid;
	daos_handle_t       super_oh;
	dfs_obj_t           root; /**< entry "/" of the super object */
	char               *prefix; /**< NULL: none */
	struct dfs_handles *handles; /**< NULL: mounted by dfs_mount() */
	pthread_mutex_t     lock; /**< of what follows */
	uint64_t            oid_lo; /**< numbers of new objects: 0 none reserved yet */
	uint32_t            oid_hi;
	uint32_t            pool_gets, cont_gets;
};

/** 0, or EINVAL for flags that are not a way to open. */
int dfs_open_mode(int flags, unsigned int *ret_mode) MUST_CHECK;
/** EINVAL no name, "." or ".." or with a slash; ENAMETOOLONG */
int dfs_name_check(const char *name) MUST_CHECK;
/** EPERM the mount is read-only. */
static inline int
dfs_write_check(const dfs_t *dfs)
{
	return dfs->writable ? 0 : EPERM;
}
/** 0 if @parent (NULL: the root, put into *@parent) is a directory of this mount. */
int dfs_parent_check(dfs_t *dfs, dfs_obj_t **parent) MUST_CHECK;
struct timespec dfs_now(void);

/** ID of a new object of @parent. @param cid 0: as the parent or the mount say */
int dfs_oid_new(dfs_t *dfs, const dfs_obj_t *parent, mode_t type, daos_oclass_id_t cid,
		daos_obj_id_t *ret_oid) MUST_CHECK;

/** The class bits of the ID of a new object, from everything that has a say. */
int dfs_oid_class(dfs_t *dfs, const dfs_obj_t *parent, mode_t type, daos_oclass_id_t cid,
		  daos_obj_id_t *oid) MUST_CHECK;

/* ---- entries: dfs_entry.c ---- */

/** Fetch an entry; with @value the text of a symbolic link as well (freed by the caller). ENOENT */
int dfs_entry_fetch(daos_handle_t parent_oh, const char *name, bool value,
		    struct dfs_entry *ret_entry) MUST_CHECK;
/** EEXIST */
int dfs_entry_insert(daos_handle_t parent_oh, const char *name, const struct dfs_entry *entry) MUST_CHECK;
/** Change the fields of @fields (DFS_FIELD_* bits). ENOENT */
int dfs_entry_change(daos_handle_t parent_oh, const char *name, uint32_t fields,
		     const struct dfs_entry *entry) MUST_CHECK;
/** ENOENT */
int dfs_entry_remove(daos_handle_t parent_oh, const char *name) MUST_CHECK;

/** An entry with all that hangs from it, extended attributes included. */
struct dfs_entry_image;
int  dfs_image_load(daos_handle_t parent_oh, const char *name, struct dfs_entry_image **ret_image) MUST_CHECK;
void dfs_image_free(struct dfs_entry_image *image);
struct dfs_entry *dfs_image_entry(struct dfs_entry_image *image);
/** As a new name. EEXIST */
int dfs_image_insert(daos_handle_t parent_oh, const char *name, struct dfs_entry_image *image) MUST_CHECK;
/** In place of the entry there, whose @old extended attributes go. ENOENT */
int dfs_image_replace(daos_handle_t parent_oh, const char *name, struct dfs_entry_image *image,
		      const struct dfs_entry_image *old) MUST_CHECK;

/* ---- extended attributes: dfs_xattr.c ---- */

/** Called with each attribute's akey and the bytes of its stored value; not 0 ends the walk. */
typedef int (*dfs_xattr_cb_t)(void *arg, const char *akey, daos_size_t bytes);
int dfs_xattr_each(daos_handle_t parent_oh, const char *name, dfs_xattr_cb_t cb, void *arg) MUST_CHECK;

/* ---- objects: dfs_obj.c, dfs_open.c, dfs_walk.c ---- */

/** Open what an entry stands for. */
int dfs_obj_from_entry(dfs_t *dfs, daos_obj_id_t parent_oid, const char *name, int flags,
		       const struct dfs_entry *entry, dfs_obj_t **ret_obj) MUST_CHECK;
/** Close what an object holds, not the memory of it. */
int dfs_obj_close_handle(dfs_obj_t *obj) MUST_CHECK;
/** The object of the directory @obj has its entry in; closed with daos_obj_close(). */
int dfs_parent_open(dfs_t *dfs, const dfs_obj_t *obj, bool write, daos_handle_t *ret_oh) MUST_CHECK;
/** Walk @path from @start. O_NOFOLLOW: a link at the end is what is wanted. */
int dfs_walk(dfs_t *dfs, const dfs_obj_t *start, const char *path, int flags, dfs_obj_t **ret_obj) MUST_CHECK;
/** Open a name; follow it if it is a symbolic link and @flags have no O_NOFOLLOW. NULL: @parent */
int dfs_obj_find(dfs_t *dfs, dfs_obj_t *parent, const char *name, int flags, dfs_obj_t **ret_obj) MUST_CHECK;

/* ---- attributes: dfs_stat.c ---- */

/** @param oh  of the file or directory if it is open, else invalid */
int dfs_entry_stat(dfs_t *dfs, const struct dfs_entry *entry, daos_handle_t oh, struct stat *ret_st) MUST_CHECK;
/** Of what was made just now: nothing is asked of its object, which is empty. */
void dfs_entry_stat_new(dfs_t *dfs, const struct dfs_entry *entry, struct stat *ret_st);

/** dfs_access() of an open object. */
int dfs_obj_access(dfs_t *dfs, dfs_obj_t *obj, int mask) MUST_CHECK;

/* ---- directories: dfs_dir.c ---- */

int dfs_dir_is_empty(dfs_t *dfs, daos_obj_id_t oid, bool *ret_empty) MUST_CHECK;

/* ---- classes: dfs_class.c ---- */

/** Parse "file:max,dir:single". EINVAL */
int dfs_hints_parse(const char *hints, daos_oclass_hints_t *ret_file, daos_oclass_hints_t *ret_dir) MUST_CHECK;

/* ---- mounting: dfs_mount.c ---- */

int dfs_super_create(daos_handle_t coh, const struct daos_prop_co_roots *roots,
		     const dfs_attr_t *attr) MUST_CHECK;
