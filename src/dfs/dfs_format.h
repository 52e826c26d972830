/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Names and bytes of what DFS stores; docs/formats/dfs.md draws them. */
#pragma once

#include <sys/stat.h>
#include <daos_obj.h>
#include "base/util.h"

#define DFS_SB_MAGIC       0xda05df50da05df50ULL
#define DFS_SB_VERSION     2
#define DFS_LAYOUT_VERSION 3
#define DFS_SB_DKEY        "DFS_SB_METADATA"
#define DFS_ROOT_NAME      "/"
#define DFS_INODE_AKEY     "DFS_INODE"
#define DFS_SLINK_AKEY     "DFS_SLINK"
#define DFS_XATTR_PREFIX   "x:"
#define DFS_XATTR_TAG      'v' /* first byte of a stored value, so that none is empty */

/** Reserved numbers: daos_obj_id_t::lo is 0, what follows is hi. */
#define DFS_OID_HI_SUPER 0
#define DFS_OID_HI_ROOT  1

/** X(field, bytes) in the order they lie in the inode. */
#define DFS_INODE_FIELDS(X)                                                                        \
	X(MODE, 4) X(OID, 16) X(MTIME, 8) X(CTIME, 8) X(CHUNK_SIZE, 8) X(OCLASS, 4)                \
	X(MTIME_NSEC, 8) X(CTIME_NSEC, 8) X(UID, 4) X(GID, 4) X(SIZE, 8) X(EPOCH, 8)

enum dfs_field {
#define DFS_FIELD_ENUM(name, bytes) DFS_F_##name,
	DFS_INODE_FIELDS(DFS_FIELD_ENUM)
#undef DFS_FIELD_ENUM
	DFS_F_NR
};
#define DFS_FIELD(name)      (1u << DFS_F_##name)
#define DFS_FIELDS_ALL       ((1u << DFS_F_NR) - 1)
#define DFS_FIELDS_MTIME     (DFS_FIELD(MTIME) | DFS_FIELD(MTIME_NSEC) | DFS_FIELD(EPOCH))
#define DFS_FIELDS_CTIME     (DFS_FIELD(CTIME) | DFS_FIELD(CTIME_NSEC))
#define DFS_INODE_BYTES      88

struct dfs_entry {
	mode_t           mode;
	daos_obj_id_t    oid;
	struct timespec  mtime;
	struct timespec  ctime;
	daos_size_t      chunk_size; /**< of a file; of a directory: of its new files; 0: default */
	daos_oclass_id_t oclass;     /**< of a directory: of what is made in it; 0: default */
	uid_t            uid;
	gid_t            gid;
	daos_size_t      size;  /**< of a symbolic link: its length */
	daos_epoch_t     epoch; /**< mtime counts until the data has a change after this one */
	char            *value; /**< of a symbolic link, if it was asked for */
};

/** Where a field lies. */
void dfs_field_extent(enum dfs_field field, daos_recx_t *ret_recx);
void dfs_inode_encode(const struct dfs_entry *entry, uint8_t bytes[DFS_INODE_BYTES]);
/** EIO what the bytes say cannot be: a type that does not exist, nanoseconds beyond a second, ... */
int  dfs_inode_decode(const uint8_t bytes[DFS_INODE_BYTES], struct dfs_entry *ret_entry) MUST_CHECK;
