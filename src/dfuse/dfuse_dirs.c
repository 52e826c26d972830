/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Listing directories. An open directory keeps the names it has read so far: offset n is the n-th of
 * them, with "." and ".." first, so seeking works and each name comes once. Reading from the start
 * again reads anew.
 */
#include "dfuse/dfuse.h"

#define DIR_BATCH_NR 512

struct dir_handle {
	struct ult_mutex lock;
	daos_anchor_t   anchor; /* where to go on after what is here */
	char          **names;
	size_t          nr, room;
	bool            end;
};

static void
handle_reset(struct dir_handle *h)
{
	for (size_t i = 0; i < h->nr; i++)
		free(h->names[i]);
	h->nr     = 0;
	h->end    = false;
	h->anchor = (daos_anchor_t)DAOS_ANCHOR_INIT;
}

static int
handle_add(struct dir_handle *h, const char *name)
{
	if (h->nr == h->room) {
		size_t room  = h->room == 0 ? 64 : h->room * 2;
		char **names = realloc(h->names, room * sizeof(*names));

		if (names == NULL)
			return ENOMEM;
		h->names = names;
		h->room  = room;
	}
	h->names[h->nr] = strdup(name);
	if (h->names[h->nr] == NULL)
		return ENOMEM;
	h->nr++;
	return 0;
}

static int
add_name(dfs_t *dfs, dfs_obj_t *obj, const char *name, void *arg)
{
	(void)dfs;
	(void)obj;
	return handle_add(arg, name);
}

/** Read until name @idx is there, or the end. */
static int
handle_fill(struct dir_handle *h, struct dfuse_inode *inode, size_t idx)
{
	int rc = 0;

	if (h->nr == 0 && !h->end) {
		rc = handle_add(h, ".");
		if (rc == 0)
			rc = handle_add(h, "..");
		h->end = inode->cont == NULL;
	}
	while (rc == 0 && idx >= h->nr && !h->end) {
		uint32_t nr = DIR_BATCH_NR;

		rc     = dfs_iterate(inode->cont->dfs, inode->obj, &h->anchor, &nr,
				     DIR_BATCH_NR * (DFS_MAX_NAME + 1), add_name, h);
		h->end = daos_anchor_is_eof(&h->anchor);
	}
	return rc;
}

MAY_YIELD void
dfuse_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dfuse       *d     = dfuse_of(req);
	struct dfuse_inode *inode = dfuse_inode_of(d, ino);
	struct dir_handle  *h     = calloc(1, sizeof(*h));
	int                 rc;

	rc = h == NULL ? ENOMEM : dfuse_inode_open(d, inode);
	if (rc != 0) {
		free(h);
		dfuse_reply_err(req, rc);
		return;
	}
	ult_mutex_init(&h->lock);
	fi->fh = (uint64_t)(uintptr_t)h;
	if (fuse_reply_open(req, fi) != 0) {
		dfuse_inode_close(d, inode);
		free(h);
	}
}

MAY_YIELD void
dfuse_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dfuse      *d = dfuse_of(req);
	struct dir_handle *h = (struct dir_handle *)(uintptr_t)fi->fh;

	handle_reset(h);
	free(h->names);
	free(h);
	dfuse_inode_close(d, dfuse_inode_of(d, ino));
	dfuse_reply_err(req, 0);
}

static bool
is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/** Names go without numbers: what glibc would skip is 0. */
static size_t
add_plain(fuse_req_t req, char *at, size_t room, const char *name, off_t next)
{
	struct stat st = {.st_ino = 0xffffffff};

	if (is_dots(name))
		st.st_mode = S_IFDIR;
	return fuse_add_direntry(req, at, room, name, &st, next);
}

/* ---- names with attributes: looked up several at a time ---- */

#define PLUS_NR_MAX    512
#define PLUS_AT_A_TIME 16

struct plus_name {
	const char         *name;
	struct dfuse_inode *inode; /* NULL: not found, or not looked for */
	struct stat         st;
};

struct plus_batch {
	struct dfuse       *d;
	struct dfuse_inode *dir;
	struct plus_name   *names;
	size_t              nr, next;
};

static MAY_YIELD void
plus_lookup(void *arg)
{
	struct plus_batch *b = arg;

	while (b->next < b->nr) {
		struct plus_name *n = &b->names[b->next++];

		if (!is_dots(n->name) && dfuse_lookup(b->d, b->dir, n->name, &n->inode, &n->st) != 0)
			n->inode = NULL;
	}
}

static MAY_YIELD void
plus_lookup_all(struct plus_batch *b)
{
	struct ult *ults[PLUS_AT_A_TIME];
	unsigned    nr = 0;

	while (nr < PLUS_AT_A_TIME && nr + 1 < b->nr &&
	       ult_create(NULL, ULT_POOL_IO, plus_lookup, b, 0, &ults[nr]) == 0)
		nr++;
	plus_lookup(b);
	while (nr > 0)
		ult_join(ults[--nr]);
}

/** As many names from @idx on as fit into @room. The handle's names stay where they are while its lock is held. */
static MAY_YIELD int
plus_collect(fuse_req_t req, struct dfuse_inode *dir, struct dir_handle *h, size_t idx, size_t room,
	     struct plus_batch *b)
{
	size_t used = 0;
	int    rc   = 0;

	for (; b->nr < PLUS_NR_MAX; idx++) {
		rc = handle_fill(h, dir, idx);
		if (rc != 0 || idx >= h->nr)
			break;
		used += fuse_add_direntry_plus(req, NULL, 0, h->names[idx], NULL, 0);
		if (used > room)
			break;
		b->names[b->nr++].name = h->names[idx];
	}
	return b->nr > 0 ? 0 : rc;
}

static MAY_YIELD int
fill_plus(fuse_req_t req, struct dfuse_inode *dir, struct dir_handle *h, char *buf, size_t size, off_t off,
	  size_t *ret_used)
{
	struct plus_batch b    = {.d = dfuse_of(req), .dir = dir, .names = calloc(PLUS_NR_MAX, sizeof(*b.names))};
	size_t            used = 0;
	int               rc;

	if (b.names == NULL)
		return ENOMEM;
	rc = plus_collect(req, dir, h, (size_t)off, size, &b);
	if (rc == 0)
		plus_lookup_all(&b);
	for (size_t i = 0; i < b.nr; i++) {
		struct plus_name       *n     = &b.names[i];
		struct fuse_entry_param entry = {.attr = {.st_ino = 0xffffffff}};

		if (is_dots(n->name))
			entry.attr.st_mode = S_IFDIR; /* the kernel knows these */
		else if (n->inode != NULL)
			dfuse_entry_fill(n->inode, &n->st, &entry);
		used += fuse_add_direntry_plus(req, buf + used, size - used, n->name, &entry, off + (off_t)i + 1);
	}
	*ret_used = used;
	free(b.names);
	return rc;
}

static MAY_YIELD int
fill_plain(fuse_req_t req, struct dfuse_inode *inode, struct dir_handle *h, char *buf, size_t size, off_t off,
	   size_t *ret_used)
{
	size_t used = 0, idx = (size_t)off, bytes;
	int    rc;

	for (;; idx++) {
		rc = handle_fill(h, inode, idx);
		if (rc != 0 || idx >= h->nr)
			break;
		bytes = add_plain(req, buf + used, size - used, h->names[idx], (off_t)idx + 1);
		if (bytes > size - used)
			break;
		used += bytes;
	}
	*ret_used = used;
	return used > 0 ? 0 : rc;
}

static MAY_YIELD void
read_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
	struct dfuse_inode *inode = dfuse_inode_of(dfuse_of(req), ino);
	struct dir_handle  *h     = (struct dir_handle *)(uintptr_t)fi->fh;
	char               *buf   = malloc(size);
	size_t              used  = 0;
	int                 rc    = ENOMEM;

	if (buf != NULL) {
		ult_mutex_lock(&h->lock);
		if (off == 0 && h->nr > 0)
			handle_reset(h);
		rc = (plus ? fill_plus : fill_plain)(req, inode, h, buf, size, off, &used);
		ult_mutex_unlock(&h->lock);
	}
	if (rc != 0)
		dfuse_reply_err(req, rc);
	else
		fuse_reply_buf(req, buf, used);
	free(buf);
}

MAY_YIELD void
dfuse_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, false);
}

MAY_YIELD void
dfuse_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, true);
}
