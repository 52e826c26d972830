/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A directory of a file system of the worker's own, and a model of it: names, what each names, and the bytes. When the
 * outcome of a call is not known, the names it was about are looked at before the next one, and must be in one of the
 * states the call can leave: a file that is renamed has its old name, its new one, or both, but never none; content
 * that is written is the old or the new, byte by byte.
 */
#include "sim.h"

#include <daos_errno.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/errno_map.h"

#define NAME_NR  6u
#define FILE_MAX (24u << 10)

enum files_op { OP_NONE, OP_CREATE, OP_WRITE, OP_RENAME, OP_REMOVE };

struct file {
	daos_obj_id_t oid;  /* lo and hi 0: no such name */
	uint64_t      size;
	unsigned char bytes[FILE_MAX];
};

struct files_model {
	bool          created;
	struct file   files[NAME_NR];
	enum files_op pending;
	uint32_t      a, b;          /* names it is about */
	uint64_t      off, len;      /* of a write */
	unsigned char data[FILE_MAX];
};

static bool
is_there(const struct file *f)
{
	return f->oid.lo != 0 || f->oid.hi != 0;
}

static bool
oid_eq(daos_obj_id_t a, daos_obj_id_t b)
{
	return a.lo == b.lo && a.hi == b.hi;
}

static struct files_model *
model_of(struct sim_worker *w)
{
	if (w->model == NULL)
		w->model = psim_world_alloc(sizeof(struct files_model));
	return w->model;
}

static void
name_of(uint32_t i, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "file%u", i);
}

/** libdfs says errno. */
static bool
call_end(struct sim_worker *w, int err, int expected)
{
	int rc = err == 0 ? 0 : err == expected ? -DER_NONEXIST : daos_errno2der(err);

	if (err == EIO || err == EAGAIN || err == EHOSTUNREACH || err == ENOTCONN || err == ECANCELED || err == EBUSY)
		rc = -DER_TIMEDOUT; /* what excuses them in libdaos is all the same here */
	return sim_call_end(w, rc, expected != 0 ? -DER_NONEXIST : 0);
}

/** What @name names: its ID, zero if nothing. */
static bool
look(struct sim_worker *w, dfs_t *dfs, uint32_t i, daos_obj_id_t *ret_oid)
{
	dfs_obj_t *obj = NULL;
	char       name[16];
	int        err;

	name_of(i, name, sizeof(name));
	sim_call_begin(w, "looking a name up");
	err = dfs_lookup_rel(dfs, NULL, name, O_RDONLY, &obj, NULL, NULL);
	*ret_oid = (daos_obj_id_t){0};
	if (!call_end(w, err, ENOENT))
		return false;
	if (err == 0) {
		(void)dfs_obj2id(obj, ret_oid);
		(void)dfs_release(obj);
	}
	return true;
}

/** In use for the whole of a call: opened, worked with, released. */
static int
with_file(dfs_t *dfs, uint32_t i, int flags, int (*fn)(dfs_t *dfs, dfs_obj_t *obj, void *arg), void *arg)
{
	dfs_obj_t *obj = NULL;
	char       name[16];
	int        err;

	name_of(i, name, sizeof(name));
	err = dfs_open(dfs, NULL, name, S_IFREG | 0644, flags, OC_SX, 4096, NULL, &obj);
	if (err != 0)
		return err;
	err = fn(dfs, obj, arg);
	(void)dfs_release(obj);
	return err;
}

struct file_io {
	void         *buf;
	uint64_t      off, len, got, size;
	daos_obj_id_t oid;
};

static int
io_read(dfs_t *dfs, dfs_obj_t *obj, void *arg)
{
	struct file_io *io = arg;
	d_iov_t         iov;
	d_sg_list_t     sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_size_t     got = 0;
	int             err;

	d_iov_set(&iov, io->buf, io->len);
	err = dfs_read(dfs, obj, &sgl, io->off, &got, NULL);
	io->got = got;
	if (err == 0)
		err = dfs_get_size(dfs, obj, &io->size);
	return err;
}

static int
io_write(dfs_t *dfs, dfs_obj_t *obj, void *arg)
{
	struct file_io *io = arg;
	d_iov_t         iov;
	d_sg_list_t     sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&iov, io->buf, io->len);
	return dfs_write(dfs, obj, &sgl, io->off, NULL);
}

static int
io_id(dfs_t *dfs, dfs_obj_t *obj, void *arg)
{
	return dfs_obj2id(obj, &((struct file_io *)arg)->oid);
}

/* ---- after a call without an answer ---- */

static bool
content_load(struct sim_worker *w, dfs_t *dfs, uint32_t i, struct file_io *io)
{
	io->off = 0;
	io->len = FILE_MAX;
	sim_call_begin(w, "reading a file");
	return call_end(w, with_file(dfs, i, O_RDONLY, io_read, io), 0);
}

static bool
resolve_write(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	struct file        *f = &m->files[m->a];
	unsigned char      *buf = malloc(FILE_MAX);
	struct file_io      io = {.buf = buf};
	uint64_t            end = m->off + m->len;

	if (!content_load(w, dfs, m->a, &io)) {
		free(buf);
		return false;
	}
	SIM_CHECK(io.got == io.size && io.size >= f->size && io.size <= MAX_OF(f->size, end),
		  "worker %u: file%u has %lu bytes after a write of %lu at %lu; it had %lu", w->id, m->a,
		  (unsigned long)io.size, (unsigned long)m->len, (unsigned long)m->off, (unsigned long)f->size);
	for (uint64_t i = 0; i < io.size; i++) {
		bool fresh = i >= m->off && i < end;

		SIM_CHECK(buf[i] == f->bytes[i] || (fresh && buf[i] == m->data[i - m->off]),
			  "worker %u: byte %lu of file%u is neither the old nor the new one", w->id, (unsigned long)i, m->a);
		f->bytes[i] = buf[i];
	}
	f->size = io.size;
	free(buf);
	return true;
}

static bool
resolve_rename(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	struct file        *from = &m->files[m->a], *to = &m->files[m->b];
	daos_obj_id_t       a, b;
	char                old_name[16], new_name[16];

	if (!look(w, dfs, m->a, &a) || !look(w, dfs, m->b, &b))
		return false;
	SIM_CHECK(oid_eq(a, from->oid) || oid_eq(b, from->oid),
		  "worker %u: file%u, renamed to file%u, has neither name any more", w->id, m->a, m->b);
	SIM_CHECK(oid_eq(b, from->oid) || oid_eq(b, to->oid), "worker %u: file%u names something else", w->id, m->b);
	if (oid_eq(a, from->oid) && !oid_eq(b, from->oid))
		return true; /* not begun */
	if (oid_eq(a, from->oid)) { /* both: end it, as the documentation says */
		name_of(m->a, old_name, sizeof(old_name));
		name_of(m->b, new_name, sizeof(new_name));
		sim_call_begin(w, "renaming a file again");
		if (!call_end(w, dfs_move(dfs, NULL, old_name, NULL, new_name, NULL), ENOENT))
			return false;
	}
	*to = *from;
	*from = (struct file){0};
	return true;
}

static bool
resolve_name(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	struct file        *f = &m->files[m->a];
	daos_obj_id_t       oid;

	if (!look(w, dfs, m->a, &oid))
		return false;
	if (m->pending == OP_REMOVE)
		SIM_CHECK(oid_eq(oid, f->oid) || (oid.lo == 0 && oid.hi == 0), "worker %u: file%u names something else", w->id,
			  m->a);
	if (!oid_eq(oid, f->oid))
		*f = (struct file){.oid = oid};
	return true;
}

static bool
resolve(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	bool                ok = true;

	if (m->pending == OP_WRITE)
		ok = resolve_write(w, dfs);
	else if (m->pending == OP_RENAME)
		ok = resolve_rename(w, dfs);
	else if (m->pending != OP_NONE)
		ok = resolve_name(w, dfs);
	if (ok)
		m->pending = OP_NONE;
	return ok;
}

/* ---- calls ---- */

static void
file_create(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	struct file_io      io = {0};
	int                 err;

	m->pending = OP_CREATE;
	sim_call_begin(w, "creating a file");
	err = with_file(dfs, m->a, O_CREAT | O_EXCL | O_RDWR, io_id, &io);
	if (!call_end(w, err, 0))
		return;
	m->files[m->a] = (struct file){.oid = io.oid};
	m->pending = OP_NONE;
}

static void
file_write(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	struct file        *f = &m->files[m->a];
	struct file_io      io;

	m->len = psim_between(1, 9000);
	m->off = psim_below(MIN_OF(f->size, (uint64_t)FILE_MAX - m->len) + 1);
	for (uint64_t i = 0; i < m->len; i++)
		m->data[i] = psim_rand();
	m->pending = OP_WRITE;
	io = (struct file_io){.buf = m->data, .off = m->off, .len = m->len};
	sim_call_begin(w, "writing a file");
	if (!call_end(w, with_file(dfs, m->a, O_RDWR, io_write, &io), 0))
		return;
	memcpy(f->bytes + m->off, m->data, m->len);
	f->size = MAX_OF(f->size, m->off + m->len);
	m->pending = OP_NONE;
}

static void
file_check(struct sim_worker *w, dfs_t *dfs, uint32_t i)
{
	struct files_model *m = w->model;
	struct file        *f = &m->files[i];
	unsigned char      *buf = malloc(FILE_MAX);
	struct file_io      io = {.buf = buf};

	if (content_load(w, dfs, i, &io)) {
		SIM_CHECK(io.size == f->size && io.got == f->size, "worker %u: file%u has %lu bytes, not %lu", w->id, i,
			  (unsigned long)io.size, (unsigned long)f->size);
		for (uint64_t at = 0; at < f->size; at++)
			SIM_CHECK(buf[at] == f->bytes[at], "worker %u: byte %lu of file%u is %02x, not %02x", w->id,
				  (unsigned long)at, i, buf[at], f->bytes[at]);
	}
	free(buf);
}

static void
file_rename(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	char                old_name[16], new_name[16];
	int                 err;

	name_of(m->a, old_name, sizeof(old_name));
	name_of(m->b, new_name, sizeof(new_name));
	m->pending = OP_RENAME;
	sim_call_begin(w, "renaming a file");
	err = dfs_move(dfs, NULL, old_name, NULL, new_name, NULL);
	if (!call_end(w, err, 0))
		return;
	m->files[m->b] = m->files[m->a];
	m->files[m->a] = (struct file){0};
	m->pending = OP_NONE;
}

static void
file_remove(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	char                name[16];

	name_of(m->a, name, sizeof(name));
	m->pending = OP_REMOVE;
	sim_call_begin(w, "removing a file");
	if (!call_end(w, dfs_remove(dfs, NULL, name, false, NULL), 0))
		return;
	m->files[m->a] = (struct file){0};
	m->pending = OP_NONE;
}

struct listing {
	bool     seen[NAME_NR];
	uint32_t nr;
};

static int
listing_add(struct listing *l, const char *name)
{
	unsigned i;

	if (sscanf(name, "file%u", &i) != 1 || i >= NAME_NR || l->seen[i])
		return EINVAL;
	l->seen[i] = true;
	l->nr++;
	return 0;
}

static int
list(dfs_t *dfs, struct listing *l)
{
	daos_anchor_t anchor = {0};
	struct dirent dirs[4];
	dfs_obj_t    *root = NULL;
	int           err = dfs_lookup(dfs, "/", O_RDONLY, &root, NULL, NULL);

	while (err == 0 && !daos_anchor_is_eof(&anchor)) {
		uint32_t nr = ARRAY_NR(dirs);

		err = dfs_readdir(dfs, root, &anchor, &nr, dirs);
		for (uint32_t i = 0; err == 0 && i < nr; i++)
			err = listing_add(l, dirs[i].d_name) == 0 ? 0 : ENOTUNIQ;
	}
	if (root != NULL)
		(void)dfs_release(root);
	return err;
}

static void
dir_check(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	struct listing      l = {0};
	int                 err;

	sim_call_begin(w, "listing the directory");
	err = list(dfs, &l);
	SIM_CHECK(err != ENOTUNIQ, "worker %u: a name is listed twice, or none of its own", w->id);
	if (!call_end(w, err, 0))
		return;
	for (uint32_t i = 0; i < NAME_NR; i++)
		SIM_CHECK(l.seen[i] == is_there(&m->files[i]), "worker %u: file%u is %slisted", w->id, i,
			  l.seen[i] ? "" : "not ");
}

static void
step(struct sim_worker *w, dfs_t *dfs)
{
	struct files_model *m = w->model;
	uint64_t            kind = psim_below(10);

	m->a = psim_below(NAME_NR);
	m->b = (m->a + 1 + psim_below(NAME_NR - 1)) % NAME_NR;
	sim_log("worker %u: file%u, file%u, kind %lu", w->id, m->a, m->b, (unsigned long)kind);
	if (kind == 0)
		dir_check(w, dfs);
	else if (!is_there(&m->files[m->a]))
		file_create(w, dfs);
	else if (kind < 4)
		file_write(w, dfs);
	else if (kind < 6)
		file_check(w, dfs, m->a);
	else if (kind < 9)
		file_rename(w, dfs);
	else
		file_remove(w, dfs);
}

/* ---- lives ---- */

static bool
files_open(struct sim_worker *w, daos_handle_t *ret_coh, dfs_t **ret_dfs)
{
	struct files_model *m = model_of(w);
	char                label[32];
	int                 err;

	snprintf(label, sizeof(label), "files%u", w->id);
	while (!m->created && !sim_work_over(w)) {
		sim_call_begin(w, "creating a file system");
		err = dfs_cont_create_with_label(w->poh, label, NULL, NULL, NULL, NULL);
		m->created = call_end(w, err, EEXIST);
	}
	SIM_RETRY(w, "opening a container", daos_cont_open(w->poh, label, DAOS_COO_RW, ret_coh, NULL, NULL));
	if (!daos_handle_is_valid(*ret_coh)) /* given up: faults are over, and it is time to end */
		return false;
	do {
		sim_call_begin(w, "mounting");
		(void)call_end(w, dfs_mount(w->poh, *ret_coh, O_RDWR, ret_dfs), 0);
	} while (*ret_dfs == NULL && !sim_work_gives_up(w));
	return *ret_dfs != NULL && !sim_work_over(w);
}

static void
files_close(daos_handle_t coh, dfs_t *dfs)
{
	if (dfs != NULL)
		(void)dfs_umount(dfs);
	if (daos_handle_is_valid(coh))
		(void)daos_cont_close(coh, NULL);
}

static void
files_run(struct sim_worker *w)
{
	struct files_model *m = model_of(w);
	daos_handle_t       coh = DAOS_HDL_INVAL;
	dfs_t              *dfs = NULL;

	if (files_open(w, &coh, &dfs)) {
		while (!sim_work_over(w)) {
			if (m->pending == OP_NONE || resolve(w, dfs))
				step(w, dfs);
		}
	}
	files_close(coh, dfs);
}

static void
files_verify(struct sim_worker *w)
{
	struct files_model *m = model_of(w);
	daos_handle_t       coh = DAOS_HDL_INVAL;
	dfs_t              *dfs = NULL;

	if (m->created && files_open(w, &coh, &dfs)) {
		if (m->pending != OP_NONE)
			(void)resolve(w, dfs);
		dir_check(w, dfs);
		for (uint32_t i = 0; i < NAME_NR; i++)
			if (is_there(&m->files[i]))
				file_check(w, dfs, i);
	}
	files_close(coh, dfs);
}

const struct sim_work sim_work_files = {.name = "files", .run = files_run, .verify = files_verify};
