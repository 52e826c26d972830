/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Requests about open files. A write is answered when it is durable. */
#include "dfuse/dfuse.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>
#include <dfuse_ioctl.h>
#include "dfuse/dfuse_names.h"
#include "platform/platform.h"

/* ---- opening ---- */

/** May pages of before be used? */
static bool
pages_fresh(struct dfuse_inode *inode)
{
	uint32_t sec = inode->cont->caching.data_sec;
	bool     fresh;

	if (sec == 0)
		return false;
	ult_rwlock_rdlock(&inode->lock);
	fresh = inode->open_nr > 0 ||
		(inode->close_ns != 0 && (sec == DFUSE_FOREVER_SEC ||
					  plat_now_ns() - inode->close_ns < sec * 1000000000ULL));
	ult_rwlock_unlock(&inode->lock);
	return fresh;
}

static MAY_YIELD void
open_flags(struct dfuse_inode *inode, struct fuse_file_info *fi)
{
	const struct dfuse_caching *c = &inode->cont->caching;

	if (c->data_sec == 0 && !c->data_open)
		fi->direct_io = 1;
	else if ((fi->flags & O_DIRECT) && !c->no_direct)
		fi->direct_io = 1;
	else
		fi->keep_cache = pages_fresh(inode);
}

MAY_YIELD void
dfuse_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dfuse       *d     = dfuse_of(req);
	struct dfuse_inode *inode = dfuse_inode_of(d, ino);
	int                 rc;

	if (inode->cont == NULL) {
		dfuse_reply_err(req, EISDIR);
		return;
	}
	if (d->args.read_only && (fi->flags & O_ACCMODE) != O_RDONLY) {
		dfuse_reply_err(req, EROFS);
		return;
	}
	open_flags(inode, fi);
	rc = dfuse_inode_open(d, inode);
	if (rc == 0 && (fi->flags & O_TRUNC)) {
		rc = dfs_punch(inode->cont->dfs, inode->obj, 0, DFS_MAX_FSIZE);
		if (rc != 0)
			dfuse_inode_close(d, inode);
		inode->wrote       = true;
		inode->kernel_size = 0;
	}
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else if (fuse_reply_open(req, fi) != 0)
		dfuse_inode_close(d, inode);
}

static void
reply_create(fuse_req_t req, struct dfuse *d, struct dfuse_inode *inode, struct fuse_file_info *fi)
{
	struct fuse_entry_param entry;
	int                     rc;

	open_flags(inode, fi);
	rc = dfuse_inode_open(d, inode);
	if (rc != 0) {
		dfuse_reply_err(req, rc);
		dfuse_inode_put(d, inode, 1);
		return;
	}
	dfuse_entry_fill(inode, &inode->st, &entry);
	if (fuse_reply_create(req, &entry, fi) != 0) {
		dfuse_inode_close(d, inode);
		dfuse_inode_put(d, inode, 1);
	}
}

/** A name known to be missing is not looked for again: if others were faster, then it is. */
static int
create_file(struct dfuse_inode *dir, const char *name, mode_t mode, int flags, dfs_obj_t **ret_obj, struct stat *st)
{
	dfs_t      *dfs   = dir->cont->dfs;
	struct stat owner = *st;
	bool        fresh = !(flags & O_EXCL) && dfuse_missing_find(&dir->missing, name, plat_now_ns()) != 0;
	int         rc    = EEXIST;

	dfuse_missing_forget(&dir->missing, name);
	if (fresh)
		rc = dfs_open_stat(dfs, dir->obj, name, mode, O_CREAT | O_EXCL | O_RDWR, 0, 0, NULL, ret_obj, st);
	if (!fresh || rc == EEXIST) {
		*st = owner;
		rc  = dfs_open_stat(dfs, dir->obj, name, mode, O_CREAT | O_RDWR | flags, 0, 0, NULL, ret_obj, st);
	}
	dfuse_missing_forget(&dir->missing, name);
	return rc;
}

MAY_YIELD void
dfuse_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		struct fuse_file_info *fi)
{
	struct dfuse       *d   = dfuse_of(req);
	struct dfuse_inode *dir = dfuse_inode_of(d, parent), *inode;
	struct stat         st;
	dfs_obj_t          *obj;
	int                 rc;

	if (dir->cont == NULL) {
		dfuse_reply_err(req, EROFS);
		return;
	}
	mode = S_IFREG | (mode & ~(mode_t)S_IFMT);
	dfuse_new_owner(req, dir, &mode, &st);
	rc = create_file(dir, name, mode, fi->flags & (O_EXCL | O_TRUNC), &obj, &st);
	if (rc == 0)
		rc = dfuse_inode_get(d, dir, name, obj, &st, &inode);
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else
		reply_create(req, d, inode, fi);
}

MAY_YIELD void
dfuse_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dfuse *d = dfuse_of(req);

	(void)fi;
	dfuse_inode_close(d, dfuse_inode_of(d, ino));
	dfuse_reply_err(req, 0);
}

/* ---- reading and writing ---- */

/**
 * The kernel asks for whole pages and knows where the file ends: asking for what lies beyond that would cost a search for
 * the end. At least a byte, so that a file others made shorter is noticed.
 */
static size_t
wanted(struct dfuse_inode *inode, off_t off, size_t size)
{
	off_t end = __atomic_load_n(&inode->kernel_size, __ATOMIC_RELAXED);

	if (off >= end || (size_t)(end - off) >= size)
		return size;
	return (size_t)(end - off);
}

void
dfuse_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct dfuse       *d     = dfuse_of(req);
	struct dfuse_inode *inode = dfuse_inode_of(d, ino);
	void               *buf   = dfuse_io_buf_get();
	d_iov_t             iov;
	d_sg_list_t         sgl   = {.sg_nr = 1, .sg_iovs = &iov};
	daos_size_t         got   = 0;
	int                 rc;

	if (buf == NULL) {
		dfuse_reply_err(req, ENOMEM);
		return;
	}
	size = MIN_OF(size, (size_t)DFUSE_IO_BYTES);
	d_iov_set(&iov, buf, fi->direct_io ? size : wanted(inode, off, size));
	rc = dfs_read(inode->cont->dfs, inode->obj, &sgl, (daos_off_t)off, &got, NULL);
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else
		fuse_reply_buf(req, buf, got);
	dfuse_io_buf_put(buf);
}

/** The request's bytes lie in memory, since nothing is spliced. */
static ssize_t
write_bytes(const struct fuse_bufvec *bufv, void **ret_buf)
{
	if (bufv->count != 1 || (bufv->buf[0].flags & FUSE_BUF_IS_FD))
		return -EIO;
	*ret_buf = (char *)bufv->buf[0].mem + bufv->off;
	return (ssize_t)(bufv->buf[0].size - bufv->off);
}

/** The kernel knows now that the file reaches to @end. */
static void
reached(struct dfuse_inode *inode, off_t end)
{
	off_t seen = __atomic_load_n(&inode->kernel_size, __ATOMIC_RELAXED);

	while (seen < end && !__atomic_compare_exchange_n(&inode->kernel_size, &seen, end, false, __ATOMIC_RELAXED,
							  __ATOMIC_RELAXED))
		;
}

void
dfuse_op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *bufv, off_t off,
		   struct fuse_file_info *fi)
{
	struct dfuse       *d     = dfuse_of(req);
	struct dfuse_inode *inode = dfuse_inode_of(d, ino);
	void               *buf;
	d_iov_t             iov;
	d_sg_list_t         sgl = {.sg_nr = 1, .sg_iovs = &iov};
	ssize_t             bytes;
	int                 rc;

	(void)fi;
	bytes = write_bytes(bufv, &buf);
	if (bytes < 0) {
		dfuse_reply_err(req, (int)-bytes);
		return;
	}
	d_iov_set(&iov, buf, (size_t)bytes);
	rc = dfs_write(inode->cont->dfs, inode->obj, &sgl, (daos_off_t)off, NULL);
	__atomic_store_n(&inode->write_ns, plat_realtime_ns(), __ATOMIC_RELAXED);
	__atomic_store_n(&inode->wrote, true, __ATOMIC_RELAXED);
	if (rc == 0)
		reached(inode, off + bytes);
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else
		fuse_reply_write(req, (size_t)bytes);
}

/** Make the file at least that long. */
static int
extend(struct dfuse_inode *inode, daos_off_t end)
{
	daos_size_t size;
	int         rc;

	rc = dfs_get_size(inode->cont->dfs, inode->obj, &size);
	if (rc == 0 && end > size)
		rc = dfs_punch(inode->cont->dfs, inode->obj, end, DFS_MAX_FSIZE);
	return rc;
}

static int
allocate(struct dfuse_inode *inode, int mode, off_t offset, off_t length)
{
	dfs_t *dfs = inode->cont->dfs;
	bool   keep = mode & FALLOC_FL_KEEP_SIZE;
	int    rc;

	if (offset < 0 || length <= 0)
		return EINVAL;
	if (length > INT64_MAX - offset)
		return EFBIG;
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0: /* space is not set aside: pools have no such thing */
		return keep ? 0 : extend(inode, (daos_off_t)(offset + length));
	case FALLOC_FL_PUNCH_HOLE:
		return dfs_punch_hole(dfs, inode->obj, (daos_off_t)offset, (daos_size_t)length);
	case FALLOC_FL_ZERO_RANGE:
		rc = dfs_punch_hole(dfs, inode->obj, (daos_off_t)offset, (daos_size_t)length);
		return rc != 0 || keep ? rc : extend(inode, (daos_off_t)(offset + length));
	}
	return EOPNOTSUPP;
}

void
dfuse_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		   struct fuse_file_info *fi)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);

	int                 rc;

	(void)fi;
	__atomic_store_n(&inode->wrote, true, __ATOMIC_RELAXED);
	rc = allocate(inode, mode, offset, length);
	if (rc == 0 && (mode & ~FALLOC_FL_ZERO_RANGE) == 0)
		reached(inode, offset + length);
	dfuse_reply_err(req, rc);
}

/* ---- ioctl ---- */

static void
ioctl_object(fuse_req_t req, struct dfuse_inode *inode)
{
	struct dfuse_il_reply reply = {.fir_version = DFUSE_IOCTL_VERSION};

	(void)dfs_obj2id(inode->obj, &reply.fir_oid);
	uuid_copy(reply.fir_pool, inode->cont->pool->uuid);
	uuid_copy(reply.fir_cont, inode->cont->uuid);
	if (inode->cont->caching.attr_sec > 0)
		reply.fir_flags |= DFUSE_IOCTL_FLAGS_MCACHE;
	fuse_reply_ioctl(req, 0, &reply, sizeof(reply));
}

static void
ioctl_counts(fuse_req_t req, struct dfuse *d)
{
	struct dfuse_mem_query reply = {.inode_count = dfuse_itable_nr(d->itable),
					.fh_count    = d->open_nr};

	ult_mutex_lock(&d->lock);
	for (struct dfuse_pool *p = d->pools; p != NULL; p = p->next)
		reply.pool_count++;
	for (struct dfuse_cont *c = d->conts; c != NULL; c = c->next)
		reply.container_count++;
	ult_mutex_unlock(&d->lock);
	fuse_reply_ioctl(req, 0, &reply, sizeof(reply));
}

MAY_YIELD void
dfuse_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg, struct fuse_file_info *fi,
	       unsigned flags, const void *in_buf, size_t in_bytes, size_t out_bytes)
{
	struct dfuse           *d     = dfuse_of(req);
	struct dfuse_inode     *inode = dfuse_inode_of(d, ino);
	struct dfuse_user_reply user  = {.uid = geteuid(), .gid = getegid()};

	(void)arg;
	(void)fi;
	(void)flags;
	(void)in_buf;
	(void)in_bytes;
	if (cmd == (unsigned int)DFUSE_IOCTL_IL && inode->cont != NULL &&
	    out_bytes >= sizeof(struct dfuse_il_reply))
		ioctl_object(req, inode);
	else if (cmd == (unsigned int)DFUSE_IOCTL_COUNT_QUERY && out_bytes >= sizeof(struct dfuse_mem_query))
		ioctl_counts(req, d);
	else if (cmd == (unsigned int)DFUSE_IOCTL_DFUSE_USER && out_bytes >= sizeof(user))
		fuse_reply_ioctl(req, 0, &user, sizeof(user));
	else
		dfuse_reply_err(req, ENOTTY);
}
