/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What libdfs offers to DFUSE beside the public interface. Errors are positive errno. */
#pragma once

#include <daos_fs.h>
#include "base/util.h"

/** Number of a file: unique in its container, 1 for the root. */
ino_t dfs_oid2ino(daos_obj_id_t oid);

/**
 * As dfs_open(), with the owner of what is created, and its attributes.
 * @param stbuf  [in] st_uid and st_gid of a new entry [out] attributes of what was opened
 */
int dfs_open_stat(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t mode, int flags,
		  daos_oclass_id_t cid, daos_size_t chunk_size, const char *value, dfs_obj_t **obj,
		  struct stat *stbuf) MUST_CHECK;

static inline bool
dfs_is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/** Something that lost its last name here but is still in use. */
struct dfs_gone {
	daos_obj_id_t oid;
	mode_t        mode;
	bool          found; /**< there is such a thing */
};

/**
 * Remove a name, not what it named: to be ended with dfs_gone_destroy().
 * @param type  S_IFDIR (must be empty) or 0: anything but a directory. ENOTDIR, EISDIR, ENOTEMPTY
 */
int dfs_unlink(dfs_t *dfs, dfs_obj_t *parent, const char *name, mode_t type,
	       struct dfs_gone *ret_gone) MUST_CHECK;
/**
 * Rename. @param flags  0 or RENAME_NOREPLACE
 * @param ret_oid   what was renamed
 * @param ret_gone  what was replaced
 */
int dfs_rename(dfs_t *dfs, dfs_obj_t *parent, const char *name, dfs_obj_t *new_parent,
	       const char *new_name, unsigned int flags, daos_obj_id_t *ret_oid,
	       struct dfs_gone *ret_gone) MUST_CHECK;
/** Free the space of what lost its name. */
int dfs_gone_destroy(dfs_t *dfs, const struct dfs_gone *gone) MUST_CHECK;
/** An open object was renamed by somebody else: where it is now. */
void dfs_obj_rename(dfs_obj_t *obj, const dfs_obj_t *parent, const char *name);
/** A hole that leaves the size as it is. */
int dfs_punch_hole(dfs_t *dfs, dfs_obj_t *obj, daos_off_t offset, daos_size_t len) MUST_CHECK;
/** Size and times of an open file that may have no name any more; other members stay. */
int dfs_stat_data(dfs_t *dfs, dfs_obj_t *obj, struct stat *st) MUST_CHECK;
/**
 * When the data of an open file, or an entry of a directory, was last changed through @obj: the modification time it then
 * has, unless others changed it or a time was set since.
 * @param ret_epoch  0: not changed
 */
int dfs_obj_changed_at(dfs_obj_t *obj, daos_epoch_t *ret_epoch, struct timespec *ret_mtime) MUST_CHECK;
/** The name it was found by, borrowed, and the directory that has it. */
const char *dfs_obj_where(const dfs_obj_t *obj, daos_obj_id_t *ret_parent);
