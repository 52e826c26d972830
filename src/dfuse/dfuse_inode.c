/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Inodes. With write-back caching the kernel takes size and modification time of a file from its own
 * writes and never from us again. So that it learns of changes others made to a file that is not open
 * here, a lookup that finds them answers with a new inode, which the kernel takes for another file;
 * the old one is detached and goes with its references.
 */
#include "dfuse/dfuse.h"

#include <daos_uns.h>
#include <unistd.h>
#include "platform/platform.h"

int
dfuse_errno(int err)
{
	switch (err) {
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case ECOMM:
	case EBADE:
	case ENETUNREACH:
	case ESHUTDOWN:
	case ENOSYS: /* would make the kernel stop asking */
		return EIO;
	case EPERM:
		return EACCES;
	}
	return err;
}

double
dfuse_timeout(uint32_t sec)
{
	return sec;
}

/* ---- making and freeing ---- */

static struct dfuse_inode *
inode_alloc(const void *space, daos_obj_id_t oid)
{
	struct dfuse_inode *inode = calloc(1, sizeof(*inode));

	if (inode == NULL)
		return NULL;
	dfuse_ientry_init(&inode->ie, space, oid);
	ult_rwlock_init(&inode->lock);
	dfuse_missing_init(&inode->missing);
	return inode;
}

static void
inode_free(struct dfuse_inode *inode)
{
	int rc;

	if (inode->gone_set) {
		rc = dfs_gone_destroy(inode->cont->dfs, &inode->gone);
		if (rc != 0)
			D_ERROR("the space of an unlinked file is not freed: %s\n", strerror(rc));
	}
	if (inode->obj != NULL)
		(void)dfs_release(inode->obj);
	dfuse_missing_fini(&inode->missing);
	free(inode);
}

static void
inode_free_cb(struct dfuse_ientry *e)
{
	inode_free(CONTAINER_OF(e, struct dfuse_inode, ie));
}

void
dfuse_inodes_free(struct dfuse *d)
{
	dfuse_itable_destroy(d->itable, inode_free_cb);
	d->itable = NULL;
}

void
dfuse_inode_put(struct dfuse *d, struct dfuse_inode *inode, uint64_t nr)
{
	if (dfuse_itable_put(d->itable, &inode->ie, nr))
		inode_free(inode);
}

static struct dfuse_inode *
inode_insert(struct dfuse *d, struct dfuse_inode *old, struct dfuse_inode *fresh)
{
	struct dfuse_ientry *e = dfuse_itable_replace(d->itable, old == NULL ? NULL : &old->ie, &fresh->ie);

	if (e != &fresh->ie)
		inode_free(fresh);
	return CONTAINER_OF(e, struct dfuse_inode, ie);
}

/* ---- directories of pools and containers ---- */

static struct stat
virtual_dir(const void *what)
{
	return (struct stat){.st_ino = (ino_t)(uintptr_t)what, .st_mode = S_IFDIR | 0755, .st_nlink = 1,
			     .st_uid = geteuid(), .st_gid = getegid(), .st_blksize = 4096};
}

int
dfuse_inode_get_pool(struct dfuse *d, struct dfuse_pool *pool, struct dfuse_inode **ret_inode)
{
	const void         *space = pool == NULL ? (const void *)d : pool;
	struct dfuse_inode *inode = inode_alloc(space, DAOS_OBJ_NIL);

	if (inode == NULL)
		return ENOMEM;
	inode->pool = pool;
	inode->st   = virtual_dir(space);
	*ret_inode  = inode_insert(d, NULL, inode);
	return 0;
}

MAY_YIELD int
dfuse_inode_get_cont(struct dfuse *d, struct dfuse_cont *cont, struct dfuse_inode **ret_inode)
{
	struct stat st;
	dfs_obj_t  *obj;
	int         rc;

	rc = dfs_lookup(cont->dfs, "/", d->args.read_only ? O_RDONLY : O_RDWR, &obj, NULL, &st);
	return rc == 0 ? dfuse_inode_get(d, &(struct dfuse_inode){.cont = cont}, NULL, obj, &st, ret_inode)
		       : rc;
}

MAY_YIELD int
dfuse_root_make(struct dfuse *d, struct dfuse_pool *pool, struct dfuse_cont *cont)
{
	return cont == NULL ? dfuse_inode_get_pool(d, pool, &d->root)
			    : dfuse_inode_get_cont(d, cont, &d->root);
}

/* ---- inodes of containers ---- */

static ino_t
number_of(const struct dfuse_cont *cont, ino_t ino)
{
	return ino ^ ((ino_t)cont->slot << 48);
}

/** Did others change what the kernel will not ask about? */
static bool
changed_by_others(struct dfuse *d, struct dfuse_inode *inode, const struct stat *st)
{
	bool changed;

	if (!d->wb_cache || !inode->cont->wb_cache || !S_ISREG(st->st_mode))
		return false;
	ult_rwlock_rdlock(&inode->lock);
	changed = inode->open_nr == 0 && (inode->kernel_size != st->st_size ||
					  inode->kernel_mtime.tv_sec != st->st_mtim.tv_sec ||
					  inode->kernel_mtime.tv_nsec != st->st_mtim.tv_nsec);
	ult_rwlock_unlock(&inode->lock);
	return changed;
}

/** It was found under @name: that is how its attributes are reached from now on. */
static MAY_YIELD void
inode_found(struct dfuse_inode *inode, const struct dfuse_inode *parent, const char *name, const struct stat *st)
{
	ult_rwlock_wrlock(&inode->lock);
	if (name != NULL)
		dfs_obj_rename(inode->obj, parent->obj, name);
	dfuse_inode_learn(inode, st);
	ult_rwlock_unlock(&inode->lock);
}

MAY_YIELD int
dfuse_inode_get(struct dfuse *d, struct dfuse_inode *parent, const char *name, dfs_obj_t *obj,
		const struct stat *st, struct dfuse_inode **ret_inode)
{
	struct dfuse_cont   *cont = parent->cont;
	struct dfuse_inode  *inode, *old = NULL;
	struct dfuse_ientry *e;
	daos_obj_id_t        oid;

	(void)dfs_obj2id(obj, &oid);
	e = dfuse_itable_find(d->itable, cont, oid);
	if (e != NULL) {
		old = CONTAINER_OF(e, struct dfuse_inode, ie);
		if (!changed_by_others(d, old, st)) {
			inode_found(old, parent, name, st);
			(void)dfs_release(obj);
			*ret_inode = old;
			return 0;
		}
	}
	inode = inode_alloc(cont, oid);
	if (inode == NULL) {
		(void)dfs_release(obj);
		if (old != NULL)
			dfuse_inode_put(d, old, 1);
		return ENOMEM;
	}
	inode->cont         = cont;
	inode->obj          = obj;
	dfuse_inode_learn(inode, st);
	inode->kernel_size  = st->st_size;
	inode->kernel_mtime = st->st_mtim;
	*ret_inode          = inode_insert(d, old, inode);
	if (old != NULL)
		dfuse_inode_put(d, old, 1);
	return 0;
}

/** A directory that stands for a container: *ret_inode is replaced by the root of that. */
static int
follow_link(struct dfuse *d, dfs_obj_t *obj, struct dfuse_inode *parent, struct dfuse_cont **ret_cont)
{
	char               value[DUNS_MAX_XATTR_LEN];
	daos_size_t        bytes = sizeof(value);
	struct duns_attr_t attr  = {0};
	struct dfuse_pool *pool;
	int                rc;

	rc = dfs_getxattr(parent->cont->dfs, obj, DUNS_XATTR_NAME, value, &bytes);
	if (rc != 0)
		return rc == ENODATA || rc == ERANGE ? ENODATA : rc;
	rc = duns_parse_attr(value, bytes, &attr);
	if (rc != 0 || attr.da_type != DAOS_PROP_CO_LAYOUT_POSIX)
		return ENODATA;
	rc = dfuse_pool_get(d, attr.da_pool, &pool);
	return rc == 0 ? dfuse_cont_get(d, pool, attr.da_cont, ret_cont) : rc;
}

static int
lookup_virtual(struct dfuse *d, struct dfuse_inode *parent, const char *name,
	       struct dfuse_inode **ret_inode)
{
	struct dfuse_pool *pool = parent->pool;
	struct dfuse_cont *cont;
	int                rc;

	if (strlen(name) > DAOS_PROP_LABEL_MAX_LEN)
		return ENOENT;
	if (!daos_label_is_valid(name) && !daos_is_valid_uuid_string(name, UUID_SST_NONE))
		return ENOENT;
	if (pool == NULL) {
		rc = dfuse_pool_get(d, name, &pool);
		return rc == 0 ? dfuse_inode_get_pool(d, pool, ret_inode) : rc;
	}
	rc = dfuse_cont_get(d, pool, name, &cont);
	return rc == 0 ? dfuse_inode_get_cont(d, cont, ret_inode) : rc;
}

MAY_YIELD int
dfuse_lookup(struct dfuse *d, struct dfuse_inode *parent, const char *name,
	     struct dfuse_inode **ret_inode, struct stat *ret_st)
{
	struct dfuse_cont *cont;
	struct stat        st;
	dfs_obj_t         *obj;
	int                rc;

	if (parent->cont == NULL) {
		rc = lookup_virtual(d, parent, name, ret_inode);
		return rc == 0 ? dfuse_inode_stat(*ret_inode, ret_st) : rc;
	}
	rc = dfs_lookup_rel(parent->cont->dfs, parent->obj, name,
			    d->args.read_only ? O_RDONLY : O_RDWR, &obj, NULL, &st);
	if (rc != 0)
		return rc;
	if (S_ISDIR(st.st_mode)) {
		rc = follow_link(d, obj, parent, &cont);
		if (rc != ENODATA && rc != ENOENT) { /* of a container that is gone the directory is left, to be removed */
			(void)dfs_release(obj);
			rc = rc == 0 ? dfuse_inode_get_cont(d, cont, ret_inode) : rc;
			return rc == 0 ? dfuse_inode_stat(*ret_inode, ret_st) : rc;
		}
	}
	rc = dfuse_inode_get(d, parent, name, obj, &st, ret_inode);
	if (rc == 0) {
		st.st_ino = number_of(parent->cont, st.st_ino);
		*ret_st   = st;
	}
	return rc;
}

void
dfuse_entry_fill(const struct dfuse_inode *inode, const struct stat *st,
		 struct fuse_entry_param *ret_entry)
{
	const struct dfuse_caching *c = inode->cont == NULL ? NULL : &inode->cont->caching;

	*ret_entry = (struct fuse_entry_param){.ino = (fuse_ino_t)(uintptr_t)inode, .attr = *st};
	if (c == NULL)
		return;
	ret_entry->attr_timeout  = dfuse_timeout(c->attr_sec);
	ret_entry->entry_timeout = dfuse_timeout(S_ISDIR(st->st_mode) ? c->dentry_dir_sec : c->dentry_sec);
}

/* ---- attributes ---- */

/** With the lock held: what has no name any more has its last attributes, and its own size. */
static int
stat_gone(struct dfuse_inode *inode, struct stat *ret_st)
{
	*ret_st          = inode->st;
	ret_st->st_nlink = 0;
	return dfs_stat_data(inode->cont->dfs, inode->obj, ret_st);
}

void
dfuse_inode_learn(struct dfuse_inode *inode, const struct stat *st)
{
	inode->st          = *st;
	inode->st.st_ino   = number_of(inode->cont, st->st_ino);
	inode->st_until_ns = plat_now_ns() + MIN_OF(inode->cont->caching.attr_sec, 3600U) * NSEC_PER_SEC;
}

void
dfuse_inode_known(struct dfuse_inode *inode, struct stat *ret_st)
{
	struct stat    *st = &inode->st;
	struct timespec mtime;
	daos_epoch_t    epoch;

	if (S_ISREG(st->st_mode) && __atomic_load_n(&inode->wrote, __ATOMIC_RELAXED)) {
		st->st_size   = __atomic_load_n(&inode->kernel_size, __ATOMIC_RELAXED);
		st->st_blocks = (st->st_size + 511) / 512;
	}
	if (dfs_obj_changed_at(inode->obj, &epoch, &mtime) == 0 && epoch > inode->set_at && dfs_is_later(&mtime, &st->st_mtim)) {
		st->st_mtim = st->st_atim = mtime;
		if (dfs_is_later(&mtime, &st->st_ctim))
			st->st_ctim = mtime;
	}
	*ret_st = *st;
}

static int
stat_anew(struct dfuse_inode *inode)
{
	struct stat st;
	int         rc;

	rc = dfs_ostat(inode->cont->dfs, inode->obj, &st);
	if (rc == 0)
		dfuse_inode_learn(inode, &st);
	return rc;
}

MAY_YIELD int
dfuse_inode_stat(struct dfuse_inode *inode, struct stat *ret_st)
{
	int rc = 0;

	if (inode->cont == NULL) {
		*ret_st = inode->st;
		return 0;
	}
	ult_rwlock_wrlock(&inode->lock);
	if (inode->gone_set) {
		rc = stat_gone(inode, ret_st);
	} else {
		if (plat_now_ns() >= inode->st_until_ns)
			rc = stat_anew(inode);
		if (rc == 0)
			dfuse_inode_known(inode, ret_st);
	}
	ult_rwlock_unlock(&inode->lock);
	return rc;
}

/* ---- opening, closing, losing the name ---- */

MAY_YIELD int
dfuse_inode_open(struct dfuse *d, struct dfuse_inode *inode)
{
	int rc = 0;

	ult_rwlock_wrlock(&inode->lock);
	if (inode->gone_set && inode->open_nr == 0)
		rc = ESTALE;
	else
		inode->open_nr++;
	ult_rwlock_unlock(&inode->lock);
	if (rc == 0) {
		dfuse_itable_get(d->itable, &inode->ie);
		d->open_nr++;
	}
	return rc;
}

/** After writes the kernel believes what came of them: size as it grew, and the time of the last one. */
static void
believe_time(struct dfuse_inode *inode)
{
	struct timespec mtime;
	daos_epoch_t    epoch;

	if (dfs_obj_changed_at(inode->obj, &epoch, &mtime) == 0 && epoch > inode->set_at)
		inode->kernel_mtime = mtime;
}

MAY_YIELD void
dfuse_inode_close(struct dfuse *d, struct dfuse_inode *inode)
{
	struct dfs_gone gone = {0};
	int             rc;

	ult_rwlock_wrlock(&inode->lock);
	if (--inode->open_nr == 0) {
		inode->close_ns = plat_now_ns();
		if (inode->wrote && inode->cont != NULL) {
			struct stat st;

			dfuse_inode_known(inode, &st); /* stays in inode->st */
			if (d->wb_cache)
				believe_time(inode);
		}
		inode->wrote = false;
		if (inode->gone_set)
			gone = inode->gone;
		inode->gone.found = false; /* what is destroyed now */
	}
	ult_rwlock_unlock(&inode->lock);
	rc = inode->cont == NULL ? 0 : dfs_gone_destroy(inode->cont->dfs, &gone);
	if (rc != 0)
		D_ERROR("the space of an unlinked file is not freed: %s\n", strerror(rc));
	d->open_nr--;
	dfuse_inode_put(d, inode, 1);
}

MAY_YIELD void
dfuse_inode_gone(struct dfuse *d, struct dfuse_cont *cont, struct dfs_gone *gone)
{
	struct dfuse_ientry *e = gone->found ? dfuse_itable_find(d->itable, cont, gone->oid) : NULL;
	struct dfuse_inode  *inode;

	if (e == NULL)
		return;
	inode = CONTAINER_OF(e, struct dfuse_inode, ie);
	ult_rwlock_wrlock(&inode->lock);
	inode->gone_set = true;
	inode->gone     = *gone;
	if (inode->open_nr > 0)
		gone->found = false; /* when it is closed */
	else
		inode->gone.found = false;
	ult_rwlock_unlock(&inode->lock);
	dfuse_inode_put(d, inode, 1);
}
