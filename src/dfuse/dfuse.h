/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What the files of dfuse share.
 *
 * A node of the kernel is a struct dfuse_inode; its number is the struct's address, but for the root,
 * which is FUSE_ROOT_ID. The kernel's lookups are references of the inode, and so are open files.
 *
 * Invariants:
 *   1. An inode holds one open object of libdfs for all who use it, writable if the mount is.
 *   2. The name by which libdfs finds the attributes of an inode changes under its lock held for
 *      writing; who needs the name holds it for reading.
 *   3. What loses its last name while it is open here keeps its data until it is closed. Its
 *      attributes are those it had then, but for its size.
 *   4. Pools and containers stay open until the mount ends.
 */
#pragma once

#define FUSE_USE_VERSION 314
#define D_LOGFAC LOG_FAC_DFUSE
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <daos.h>
#include <daos_fs.h>
#include "base/errno_map.h"
#include "base/log.h"
#include "dfs/dfs_ext.h"
#include "dfuse/dfuse_args.h"
#include "dfuse/dfuse_caching.h"
#include "dfuse/dfuse_itable.h"
#include "dfuse/dfuse_missing.h"
#include "ult/ult.h"

#define DFUSE_IO_BYTES (1u << 20) /* largest read or write of a request */

struct dfuse_pool {
	struct dfuse_pool *next;
	daos_handle_t      poh;
	uuid_t             uuid;
};

struct dfuse_cont {
	struct dfuse_cont   *next;
	struct dfuse_pool   *pool;
	daos_handle_t        coh;
	uuid_t               uuid;
	dfs_t               *dfs;
	unsigned             slot; /* in the order they were opened; goes into inode numbers */
	struct dfuse_caching caching;
	bool                 wb_cache;
};

struct dfuse {
	struct dfuse_args    args;
	struct fuse_session *session;
	struct dfuse_itable *itable;
	struct dfuse_inode  *root;
	struct ult_mutex     lock; /* of the lists */
	struct dfuse_pool   *pools;
	struct dfuse_cont   *conts;
	unsigned             cont_nr;
	bool                 handle_signals; /* SIGTERM and the like end the mount */
	bool                 wb_cache; /* the kernel agreed */
	bool                 kills_priv; /* the kernel leaves clearing set-user-ID bits to us */
	uint64_t             init_unique; /* of the request that asks for capabilities; 0: answered */
	_Atomic uint64_t     open_nr;
};

struct dfuse_inode {
	struct dfuse_ientry ie; /* space: the container, or the pool, or the mount */
	struct dfuse_cont  *cont; /* NULL: a directory of containers, or of pools */
	struct dfuse_pool  *pool; /* of a directory of containers */
	dfs_obj_t          *obj;
	struct ult_rwlock   lock;
	struct stat         st;      /* as last asked for or set, but for changes made here since */
	uint64_t            st_until_ns; /* it may be told again until then */
	uint32_t            open_nr; /* from here on under the lock held for writing */
	bool                wrote;   /* since it was opened */
	uint64_t            write_ns; /* wall clock, of the last write */
	bool                gone_set;
	struct dfs_gone     gone;        /* no name any more */
	uint64_t            close_ns;    /* of the last close, 0: never */
	daos_epoch_t        set_at;      /* newest change of data when a time was last set */
	struct dfuse_missing missing;    /* of a directory */
	off_t               kernel_size; /* with write-back the kernel goes by what it was told first, */
	struct timespec     kernel_mtime; /* and by its own writes */
};

static inline struct dfuse *
dfuse_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct dfuse_inode *
dfuse_inode_of(struct dfuse *d, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? d->root : (struct dfuse_inode *)(uintptr_t)ino;
}

/** What the kernel gets for an errno of libdfs: what only a network has becomes EIO. */
int dfuse_errno(int err);
static inline void
dfuse_reply_err(fuse_req_t req, int err)
{
	fuse_reply_err(req, dfuse_errno(err));
}

/* ---- containers: dfuse_cont.c ---- */

/** Connect, or find the connection. @param name label or UUID */
MAY_YIELD int dfuse_pool_get(struct dfuse *d, const char *name, struct dfuse_pool **ret_pool) MUST_CHECK;
MAY_YIELD int dfuse_cont_get(struct dfuse *d, struct dfuse_pool *pool, const char *name,
		    struct dfuse_cont **ret_cont) MUST_CHECK;
/** Close all. */
void dfuse_conts_close(struct dfuse *d);

/* ---- inodes: dfuse_inode.c ---- */

/** The root of the mount. */
MAY_YIELD int dfuse_root_make(struct dfuse *d, struct dfuse_pool *pool, struct dfuse_cont *cont) MUST_CHECK;
/** The inode of what @obj opened, with a reference; takes @obj. */
MAY_YIELD int dfuse_inode_get(struct dfuse *d, struct dfuse_inode *parent, const char *name, dfs_obj_t *obj,
		     const struct stat *st, struct dfuse_inode **ret_inode) MUST_CHECK;
/** A directory of containers. */
int  dfuse_inode_get_pool(struct dfuse *d, struct dfuse_pool *pool, struct dfuse_inode **ret_inode) MUST_CHECK;
/** The root of a container. */
MAY_YIELD int dfuse_inode_get_cont(struct dfuse *d, struct dfuse_cont *cont, struct dfuse_inode **ret_inode) MUST_CHECK;
void dfuse_inode_put(struct dfuse *d, struct dfuse_inode *inode, uint64_t nr);
/** At the end of the mount. */
void dfuse_inodes_free(struct dfuse *d);
/** Count an open of a file or directory. ESTALE it has no name any more */
MAY_YIELD int dfuse_inode_open(struct dfuse *d, struct dfuse_inode *inode) MUST_CHECK;
MAY_YIELD void dfuse_inode_close(struct dfuse *d, struct dfuse_inode *inode);
/** Tell what lost its name here. *gone stays found if its data is to be freed now, by the caller. */
MAY_YIELD void dfuse_inode_gone(struct dfuse *d, struct dfuse_cont *cont, struct dfs_gone *gone);
/** Attributes; what was asked for within the container's time for that, with the changes made here, counts as now. */
MAY_YIELD int dfuse_inode_stat(struct dfuse_inode *inode, struct stat *ret_st) MUST_CHECK;
/** Attributes as known here. With the lock held. */
void dfuse_inode_known(struct dfuse_inode *inode, struct stat *ret_st);
/** They were asked for just now. With the lock held for writing. */
void dfuse_inode_learn(struct dfuse_inode *inode, const struct stat *st);
/** What a lookup is answered with. */
void dfuse_entry_fill(const struct dfuse_inode *inode, const struct stat *st,
		      struct fuse_entry_param *ret_entry);
double dfuse_timeout(uint32_t sec);
/** Look a name up. @ret_st as told to the kernel. */
MAY_YIELD int dfuse_lookup(struct dfuse *d, struct dfuse_inode *parent, const char *name,
		  struct dfuse_inode **ret_inode, struct stat *ret_st) MUST_CHECK;

/* ---- requests ---- */

MAY_YIELD void dfuse_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void dfuse_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nr);
void dfuse_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
MAY_YIELD void dfuse_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
MAY_YIELD void dfuse_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void dfuse_op_readlink(fuse_req_t req, fuse_ino_t ino);
MAY_YIELD void dfuse_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
MAY_YIELD void dfuse_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
MAY_YIELD void dfuse_op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
MAY_YIELD void dfuse_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
MAY_YIELD void dfuse_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
MAY_YIELD void dfuse_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		     const char *new_name, unsigned int flags);
void dfuse_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name);
void dfuse_op_statfs(fuse_req_t req, fuse_ino_t ino);
void dfuse_op_access(fuse_req_t req, fuse_ino_t ino, int mask);

MAY_YIELD void dfuse_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
MAY_YIELD void dfuse_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
MAY_YIELD void dfuse_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void dfuse_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void dfuse_op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *bufv, off_t off,
			struct fuse_file_info *fi);
void dfuse_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
			struct fuse_file_info *fi);
MAY_YIELD void dfuse_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg, struct fuse_file_info *fi,
		    unsigned flags, const void *in_buf, size_t in_bytes, size_t out_bytes);

MAY_YIELD void dfuse_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
MAY_YIELD void dfuse_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
MAY_YIELD void dfuse_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
MAY_YIELD void dfuse_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

MAY_YIELD void dfuse_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
MAY_YIELD void dfuse_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
MAY_YIELD void dfuse_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
MAY_YIELD void dfuse_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* ---- serving ---- */

/** Memory of DFUSE_IO_BYTES for a request, on its worker; NULL: none. */
void *dfuse_io_buf_get(void);
void  dfuse_io_buf_put(void *mem);
/** See the messages that go between libfuse and the kernel. Before the first. Returns an errno. */
int   dfuse_io_hook(struct dfuse *d) MUST_CHECK;
/** Serve until the mount ends. Returns an errno. */
MAY_YIELD int dfuse_loop(struct dfuse *d) MUST_CHECK;
/** A change of owner or data takes set-user-ID and set-group-ID bits away. */
MAY_YIELD void dfuse_priv_kill(struct dfuse *d, struct dfuse_inode *inode);

/** Mount, tell @ready, serve until the mount ends. Returns an exit status. */
MAY_YIELD int dfuse_serve(struct dfuse *d, void (*ready)(void *arg), void *arg) MUST_CHECK;
