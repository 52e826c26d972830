/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Requests about extended attributes. The root of each container has "user.daos", which says what
 * container it is, so that paths in a mount can be resolved (daos_uns.h); nobody stored it there.
 */
#include "dfuse/dfuse.h"

#include <daos_uns.h>

/** What is not kept: access lists, and what the kernel would ask for at each write. */
static bool
is_refused(const char *name)
{
	return strncmp(name, "system.", 7) == 0 || strncmp(name, "security.", 9) == 0;
}

static bool
is_cont_root(const struct dfuse_inode *inode)
{
	return inode->cont != NULL && dfs_oid2ino(inode->ie.oid) == 1;
}

static void
reply_value(fuse_req_t req, const void *value, size_t bytes, size_t room)
{
	if (room == 0)
		fuse_reply_xattr(req, bytes);
	else if (bytes > room)
		dfuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, bytes);
}

static void
reply_link(fuse_req_t req, const struct dfuse_cont *cont, size_t room)
{
	char text[DUNS_MAX_XATTR_LEN], pool[DAOS_UUID_STR_SIZE], uuid[DAOS_UUID_STR_SIZE];

	uuid_unparse_lower(cont->pool->uuid, pool);
	uuid_unparse_lower(cont->uuid, uuid);
	snprintf(text, sizeof(text), "DAOS.POSIX://%s/%s", pool, uuid);
	reply_value(req, text, strlen(text), room);
}

MAY_YIELD void
dfuse_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);
	daos_size_t         bytes = size;
	void               *value = NULL;
	int                 rc;

	if (inode->cont == NULL || is_refused(name)) {
		dfuse_reply_err(req, strncmp(name, "system.", 7) == 0 ? EOPNOTSUPP : ENODATA);
		return;
	}
	if (is_cont_root(inode) && strcmp(name, DUNS_XATTR_NAME) == 0) {
		reply_link(req, inode->cont, size);
		return;
	}
	if (size > 0) {
		value = malloc(size);
		if (value == NULL) {
			dfuse_reply_err(req, ENOMEM);
			return;
		}
	}
	ult_rwlock_rdlock(&inode->lock);
	rc = inode->gone_set ? ENODATA : dfs_getxattr(inode->cont->dfs, inode->obj, name, value, &bytes);
	ult_rwlock_unlock(&inode->lock);
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else
		reply_value(req, value, bytes, size);
	free(value);
}

MAY_YIELD void
dfuse_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);
	daos_size_t         bytes = size;
	char               *list  = size == 0 ? NULL : malloc(size);
	int                 rc    = 0;

	if (size > 0 && list == NULL)
		rc = ENOMEM;
	ult_rwlock_rdlock(&inode->lock);
	if (inode->cont == NULL || inode->gone_set)
		bytes = 0;
	else if (rc == 0)
		rc = dfs_listxattr(inode->cont->dfs, inode->obj, list, &bytes);
	ult_rwlock_unlock(&inode->lock);
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else
		reply_value(req, list, bytes, size);
	free(list);
}

/* ---- a directory becomes a container's root, or ceases to be one ---- */

struct forget_job {
	struct fuse_session *session;
	fuse_ino_t           parent;
	char                 name[DFS_MAX_NAME + 1];
};

/** The kernel waits for whoever holds the parent, who may wait for us: not on a worker. */
static int
forget_run(void *arg)
{
	struct forget_job *job = arg;

	return fuse_lowlevel_notify_inval_entry(job->session, job->parent, job->name, strlen(job->name));
}

/** What the kernel remembers under the name is to be looked up anew. */
static MAY_YIELD void
link_changed(struct dfuse *d, struct dfuse_inode *inode)
{
	struct forget_job    job = {.session = d->session};
	struct dfuse_ientry *e;
	daos_obj_id_t        oid;
	int                  rc;

	ult_rwlock_rdlock(&inode->lock);
	snprintf(job.name, sizeof(job.name), "%s", dfs_obj_where(inode->obj, &oid));
	ult_rwlock_unlock(&inode->lock);
	e = dfuse_itable_find(d->itable, inode->cont, oid);
	if (e == NULL)
		return;
	job.parent = e == &d->root->ie ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)CONTAINER_OF(e, struct dfuse_inode, ie);
	rc = ult_offload(forget_run, &job);
	if (rc != 0 && rc != -ENOENT)
		D_WARN("the link \"%s\" is seen only when the kernel asks again: %s\n", job.name, strerror(-rc));
	dfuse_inode_put(d, CONTAINER_OF(e, struct dfuse_inode, ie), 1);
}

MAY_YIELD void
dfuse_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		  int flags)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);
	int                 rc;

	if (inode->cont == NULL || is_refused(name) ||
	    (is_cont_root(inode) && strcmp(name, DUNS_XATTR_NAME) == 0)) {
		dfuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	ult_rwlock_rdlock(&inode->lock);
	rc = inode->gone_set ? ENOENT
			     : dfs_setxattr(inode->cont->dfs, inode->obj, name, value, size, flags);
	ult_rwlock_unlock(&inode->lock);
	if (rc == 0 && strcmp(name, DUNS_XATTR_NAME) == 0 && S_ISDIR(inode->st.st_mode))
		link_changed(dfuse_of(req), inode); /* before the answer: then it is seen at once */
	dfuse_reply_err(req, rc);
}

MAY_YIELD void
dfuse_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);
	int                 rc    = ENODATA;

	if (inode->cont != NULL && !is_refused(name)) {
		ult_rwlock_rdlock(&inode->lock);
		if (!inode->gone_set)
			rc = dfs_removexattr(inode->cont->dfs, inode->obj, name);
		ult_rwlock_unlock(&inode->lock);
	}
	dfuse_reply_err(req, rc);
}
