/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The whole interface of libdfs against engines in this process. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <daos.h>
#include <daos_fs.h>
#include <daos_fs_sys.h>
#include "dfs/dfs_ext.h"
#include "platform/platform.h"
#include "testcluster.h"

static struct testcluster *tc;
static struct client      *client;
static daos_handle_t       poh, coh;
static dfs_t              *fs;
static dfs_sys_t          *sys;

static int
start(void **state)
{
	(void)state;
	tc = tc_start(&(struct tc_opts){.engine_nr = 1, .tgt_nr = 2, .dev_bytes = 512u << 20});
	tc_pool_create(tc, "pool", NULL);
	client = tc_client_start(tc);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &poh, NULL, NULL), 0);
	assert_int_equal(dfs_cont_create_with_label(poh, "cont", NULL, NULL, &coh, &fs), 0);
	assert_int_equal(dfs_sys_mount(poh, coh, O_RDWR, 0, &sys), 0);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	assert_int_equal(dfs_sys_umount(sys), 0);
	assert_int_equal(dfs_umount(fs), 0);
	assert_int_equal(daos_cont_close(coh, NULL), 0);
	assert_int_equal(daos_pool_disconnect(poh, NULL), 0);
	tc_client_stop(tc, client);
	tc_stop(tc);
	return 0;
}

static dfs_obj_t *
make(dfs_obj_t *dir, const char *name, mode_t mode)
{
	dfs_obj_t *obj;

	assert_int_equal(dfs_open(fs, dir, name, mode, O_CREAT | O_EXCL | O_RDWR, 0, 0, NULL, &obj), 0);
	return obj;
}

static void
touch(dfs_obj_t *dir, const char *name)
{
	assert_int_equal(dfs_release(make(dir, name, S_IFREG | 0644)), 0);
}

static void
drop(const char *name)
{
	assert_int_equal(dfs_remove(fs, NULL, name, true, NULL), 0);
}

static void
put(dfs_obj_t *obj, const void *buf, size_t bytes, daos_off_t off)
{
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&iov, (void *)buf, bytes);
	assert_int_equal(dfs_write(fs, obj, &sgl, off, NULL), 0);
}

static size_t
get(dfs_obj_t *obj, void *buf, size_t bytes, daos_off_t off)
{
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_size_t got;

	d_iov_set(&iov, buf, bytes);
	assert_int_equal(dfs_read(fs, obj, &sgl, off, &got, NULL), 0);
	return got;
}

static daos_size_t
size_of(dfs_obj_t *obj)
{
	daos_size_t size;

	assert_int_equal(dfs_get_size(fs, obj, &size), 0);
	return size;
}

/* ---- files ---- */

static void
create_write_read(void **state)
{
	dfs_obj_t  *f = make(NULL, "file", S_IFREG | 0640), *again;
	char        buf[32] = {0};
	struct stat st;

	(void)state;
	put(f, "hello, world", 12, 0);
	assert_int_equal(get(f, buf, sizeof(buf), 0), 12);
	assert_memory_equal(buf, "hello, world", 12);
	assert_int_equal(size_of(f), 12);
	assert_int_equal(dfs_ostat(fs, f, &st), 0);
	assert_int_equal(st.st_size, 12);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(get(f, buf, 4, 12), 0);
	assert_int_equal(get(f, buf, 4, 10), 2);
	assert_int_equal(dfs_open(fs, NULL, "file", S_IFREG, O_CREAT | O_EXCL | O_RDWR, 0, 0, NULL, &again),
			 EEXIST);
	assert_int_equal(dfs_open(fs, NULL, "file", S_IFREG, O_RDWR | O_TRUNC, 0, 0, NULL, &again), 0);
	assert_int_equal(size_of(again), 0);
	assert_int_equal(dfs_release(again), 0);
	assert_int_equal(dfs_release(f), 0);
	assert_int_equal(dfs_remove(fs, NULL, "file", false, NULL), 0);
	assert_int_equal(dfs_stat(fs, NULL, "file", &st), ENOENT);
	assert_int_equal(dfs_remove(fs, NULL, "file", false, NULL), ENOENT);
	f = make(NULL, "file", S_IFREG | 0600);
	assert_int_equal(size_of(f), 0);
	assert_int_equal(dfs_release(f), 0);
	drop("file");
}

/** Against the same bytes in memory: any offsets and lengths, holes, cuts. */
static void
file_like_memory(void **state)
{
	const size_t room  = 3 << 20;
	char        *model = calloc(1, room), *buf = malloc(room);
	dfs_obj_t   *f = make(NULL, "memory", S_IFREG | 0600);
	size_t       size = 0, off, len;

	(void)state;
	for (int i = 0; i < 400; i++) {
		off = (size_t)rand() % (room / 2) >> (rand() % 12);
		len = 1 + ((size_t)rand() % (room / 2) >> (rand() % 16));
		switch (rand() % 6) {
		case 0:
		case 1:
			for (size_t j = 0; j < len; j++)
				buf[j] = (char)rand();
			put(f, buf, len, off);
			memcpy(model + off, buf, len);
			size = MAX_OF(size, off + len);
			break;
		case 2:
			assert_int_equal(dfs_punch(fs, f, off, DFS_MAX_FSIZE), 0);
			if (off < size)
				memset(model + off, 0, size - off);
			size = off;
			break;
		case 3:
			assert_int_equal(dfs_punch_hole(fs, f, off, len), 0);
			if (off < size)
				memset(model + off, 0, MIN_OF(len, size - off));
			break;
		default:
			memset(buf, 0x55, len);
			assert_int_equal(get(f, buf, len, off), off >= size ? 0 : MIN_OF(len, size - off));
			assert_memory_equal(buf, model + off, off >= size ? 0 : MIN_OF(len, size - off));
		}
		if (i % 8 == 0)
			assert_int_equal(size_of(f), size);
	}
	assert_int_equal(get(f, buf, room, 0), size);
	assert_memory_equal(buf, model, size);
	assert_int_equal(dfs_release(f), 0);
	drop("memory");
	free(model);
	free(buf);
}

static void
ranges(void **state)
{
	dfs_obj_t   *f = make(NULL, "ranges", S_IFREG | 0600);
	daos_range_t rgs[3] = {{0, 4}, {1048574, 4}, {2000000, 4}};
	dfs_iod_t    iod    = {.iod_nr = 3, .iod_rgs = rgs};
	char         out[12] = "aaaabbbbcccc", in[12] = {0};
	d_iov_t      iovs[2];
	d_sg_list_t  sgl = {.sg_nr = 2, .sg_iovs = iovs};
	daos_size_t  got;

	(void)state;
	d_iov_set(&iovs[0], out, 5);
	d_iov_set(&iovs[1], out + 5, 7);
	assert_int_equal(dfs_writex(fs, f, &iod, &sgl, NULL), 0);
	assert_int_equal(size_of(f), 2000004);
	d_iov_set(&iovs[0], in, 3);
	d_iov_set(&iovs[1], in + 3, 9);
	assert_int_equal(dfs_readx(fs, f, &iod, &sgl, &got, NULL), 0);
	assert_int_equal(got, 12);
	assert_memory_equal(in, out, 12);
	assert_int_equal(get(f, in, 4, 500), 4);
	assert_memory_equal(in, "\0\0\0\0", 4);
	assert_int_equal(dfs_release(f), 0);
	drop("ranges");
}

static void
events(void **state)
{
	dfs_obj_t    *f = make(NULL, "events", S_IFREG | 0600);
	char          out[] = "with an event", in[32] = {0};
	d_iov_t       iov;
	d_sg_list_t   sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_size_t   got = 0;
	daos_event_t  ev, *evp;
	daos_handle_t eqh;

	(void)state;
	assert_int_equal(daos_eq_create(&eqh), 0);
	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	d_iov_set(&iov, out, sizeof(out));
	assert_int_equal(dfs_write(fs, f, &sgl, 7, &ev), 0);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, &evp), 1);
	assert_int_equal(ev.ev_error, 0);
	d_iov_set(&iov, in, sizeof(in));
	assert_int_equal(dfs_read(fs, f, &sgl, 7, &got, &ev), 0);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, &evp), 1);
	assert_int_equal(ev.ev_error, 0);
	assert_int_equal(got, sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
	assert_int_equal(daos_event_fini(&ev), 0);
	assert_int_equal(daos_eq_destroy(eqh, 0), 0);
	assert_int_equal(dfs_release(f), 0);
	drop("events");
}

static void
handles(void **state)
{
	dfs_obj_t    *f = make(NULL, "handles", S_IFREG | 0600), *dup, *other;
	d_iov_t       glob = {0};
	daos_obj_id_t a, b;
	daos_size_t   chunk;
	daos_handle_t oh;
	dfs_t        *fs2;
	char          buf[4];
	mode_t        mode;

	(void)state;
	put(f, "data", 4, 0);
	assert_int_equal(dfs_dup(fs, f, O_RDONLY, &dup), 0);
	assert_int_equal(get(dup, buf, 4, 0), 4);
	assert_int_equal(dfs_write(fs, dup, &(d_sg_list_t){0}, 0, NULL), EPERM);
	assert_int_equal(dfs_obj2id(f, &a), 0);
	assert_int_equal(dfs_obj2id(dup, &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(dfs_get_chunk_size(f, &chunk), 0);
	assert_int_equal(chunk, DFS_DEFAULT_CHUNK_SIZE);
	assert_int_equal(dfs_get_mode(f, &mode), 0);
	assert_int_equal(mode, S_IFREG | 0600);
	assert_int_equal(dfs_get_file_oh(f, &oh), 0);
	assert_int_equal(dfs_local2global(fs, &glob), 0);
	glob.iov_buf = malloc(glob.iov_buf_len);
	assert_int_equal(dfs_local2global(fs, &glob), 0);
	assert_int_equal(dfs_global2local(poh, coh, 0, glob, &fs2), 0);
	free(glob.iov_buf);
	glob = (d_iov_t){0};
	assert_int_equal(dfs_obj_local2global(fs, f, &glob), 0);
	glob.iov_buf = malloc(glob.iov_buf_len);
	assert_int_equal(dfs_obj_local2global(fs, f, &glob), 0);
	assert_int_equal(dfs_obj_global2local(fs2, O_RDONLY, glob, &other), 0);
	free(glob.iov_buf);
	assert_int_equal(get(other, buf, 4, 0), 4);
	assert_memory_equal(buf, "data", 4);
	assert_int_equal(dfs_release(other), 0);
	assert_int_equal(dfs_release(dup), 0);
	assert_int_equal(dfs_release(f), 0);
	assert_int_equal(dfs_umount(fs2), 0);
	drop("handles");
}

/* ---- directories ---- */

static void
directories(void **state)
{
	dfs_obj_t  *d, *e;
	struct stat st;
	mode_t      mode;

	(void)state;
	assert_int_equal(dfs_mkdir(fs, NULL, "d", 0750, 0), 0);
	assert_int_equal(dfs_mkdir(fs, NULL, "d", 0750, 0), EEXIST);
	assert_int_equal(dfs_lookup(fs, "/d", O_RDWR, &d, &mode, &st), 0);
	assert_int_equal(mode, S_IFDIR | 0750);
	assert_int_equal(dfs_mkdir(fs, d, "e", 0755, 0), 0);
	touch(d, "f");
	assert_int_equal(dfs_lookup(fs, "/d/e", O_RDONLY, &e, NULL, NULL), 0);
	assert_int_equal(dfs_release(e), 0);
	assert_int_equal(dfs_lookup(fs, "//d/./e/../f", O_RDONLY, &e, &mode, NULL), 0);
	assert_int_equal(mode, S_IFREG | 0644);
	assert_int_equal(dfs_release(e), 0);
	assert_int_equal(dfs_lookup(fs, "/d/f/", O_RDONLY, &e, NULL, NULL), ENOTDIR);
	assert_int_equal(dfs_lookup(fs, "/d/f/x", O_RDONLY, &e, NULL, NULL), ENOTDIR);
	assert_int_equal(dfs_lookup(fs, "/d/x", O_RDONLY, &e, NULL, NULL), ENOENT);
	assert_int_equal(dfs_lookup(fs, "/../..", O_RDONLY, &e, &mode, &st), 0);
	assert_int_equal(st.st_ino, 1);
	assert_int_equal(dfs_release(e), 0);
	assert_int_equal(dfs_remove(fs, NULL, "d", false, NULL), ENOTEMPTY);
	assert_int_equal(dfs_stat(fs, NULL, "d", &st), 0);
	assert_int_equal(dfs_remove(fs, NULL, "d", true, NULL), 0);
	assert_int_equal(dfs_stat(fs, NULL, "d", &st), ENOENT);
	assert_int_equal(dfs_release(d), 0);
}

static void
list_thousands(void **state)
{
	enum { NR = 3000 };
	static bool   seen[NR];
	struct dirent ents[100];
	struct stat   sts[100];
	daos_anchor_t anchor = DAOS_ANCHOR_INIT;
	uint32_t      nr, total = 0;
	dfs_obj_t    *d;
	char          name[64];

	(void)state;
	memset(seen, 0, sizeof(seen));
	assert_int_equal(dfs_mkdir(fs, NULL, "many", 0755, 0), 0);
	assert_int_equal(dfs_lookup(fs, "/many", O_RDWR, &d, NULL, NULL), 0);
	for (int i = 0; i < NR; i++) {
		snprintf(name, sizeof(name), "entry number %d %.*s", i, i % 20, "xxxxxxxxxxxxxxxxxxxx");
		touch(d, name);
	}
	while (!daos_anchor_is_eof(&anchor)) {
		nr = 1 + (uint32_t)rand() % 100;
		if (total % 2 == 0)
			assert_int_equal(dfs_readdir(fs, d, &anchor, &nr, ents), 0);
		else
			assert_int_equal(dfs_readdirplus(fs, d, &anchor, &nr, ents, sts), 0);
		for (uint32_t i = 0; i < nr; i++) {
			int n;

			assert_int_equal(sscanf(ents[i].d_name, "entry number %d", &n), 1);
			assert_in_range(n, 0, NR - 1);
			assert_false(seen[n]);
			seen[n] = true;
		}
		total += nr;
	}
	assert_int_equal(total, NR);
	assert_int_equal(dfs_release(d), 0);
	assert_int_equal(dfs_remove(fs, NULL, "many", false, NULL), ENOTEMPTY);
	drop("many");
}

static void
names(void **state)
{
	char        longest[DFS_MAX_NAME + 2], back[DFS_MAX_NAME + 1];
	struct stat st;
	dfs_obj_t  *obj;

	(void)state;
	memset(longest, 'n', sizeof(longest));
	longest[DFS_MAX_NAME + 1] = '\0';
	assert_int_equal(dfs_mkdir(fs, NULL, longest, 0755, 0), ENAMETOOLONG);
	assert_int_equal(dfs_stat(fs, NULL, longest, &st), ENAMETOOLONG);
	longest[DFS_MAX_NAME] = '\0';
	assert_int_equal(dfs_mkdir(fs, NULL, longest, 0755, 0), 0);
	assert_int_equal(dfs_stat(fs, NULL, longest, &st), 0);
	snprintf(back, sizeof(back), "%s", longest);
	drop(back);
	assert_int_equal(dfs_mkdir(fs, NULL, "a/b", 0755, 0), EINVAL);
	assert_int_equal(dfs_mkdir(fs, NULL, "..", 0755, 0), EINVAL);
	assert_int_equal(dfs_mkdir(fs, NULL, "", 0755, 0), EINVAL);
	touch(NULL, "odd \n\t\x01\xff name");
	assert_int_equal(dfs_lookup(fs, "/odd \n\t\x01\xff name", O_RDONLY, &obj, NULL, NULL), 0);
	assert_int_equal(dfs_release(obj), 0);
	drop("odd \n\t\x01\xff name");
}

/* ---- links ---- */

static void
symlink_to(const char *target, const char *name)
{
	dfs_obj_t *obj;

	assert_int_equal(dfs_open(fs, NULL, name, S_IFLNK, O_CREAT | O_EXCL | O_RDWR, 0, 0, target, &obj), 0);
	assert_int_equal(dfs_release(obj), 0);
}

static void
symlinks(void **state)
{
	char        buf[64];
	daos_size_t bytes = sizeof(buf);
	struct stat st;
	dfs_obj_t  *obj;
	mode_t      mode;

	(void)state;
	assert_int_equal(dfs_sys_mkdir_p(sys, "/s/t", 0755, 0), 0);
	assert_int_equal(dfs_sys_mknod(sys, "/s/t/file", S_IFREG | 0600, 0, 0), 0);
	assert_int_equal(dfs_sys_symlink(sys, "../t/file", "/s/t/rel"), 0);
	assert_int_equal(dfs_sys_symlink(sys, "/s/t", "/s/abs"), 0);
	assert_int_equal(dfs_lookup(fs, "/s/abs/rel", O_RDONLY, &obj, &mode, NULL), 0);
	assert_int_equal(mode, S_IFREG | 0600);
	assert_int_equal(dfs_release(obj), 0);
	assert_int_equal(dfs_lookup(fs, "/s/abs/rel", O_RDONLY | O_NOFOLLOW, &obj, &mode, &st), 0);
	assert_true(S_ISLNK(mode));
	assert_int_equal(st.st_size, 9);
	assert_int_equal(dfs_get_symlink_value(obj, buf, &bytes), 0);
	assert_int_equal(bytes, 10);
	assert_string_equal(buf, "../t/file");
	assert_int_equal(dfs_release(obj), 0);
	bytes = sizeof(buf);
	assert_int_equal(dfs_sys_readlink(sys, "/s/abs", buf, &bytes), 0);
	assert_string_equal(buf, "/s/t");
	symlink_to("loop2", "loop1");
	symlink_to("loop1", "loop2");
	assert_int_equal(dfs_lookup(fs, "/loop1", O_RDONLY, &obj, NULL, NULL), ELOOP);
	symlink_to("nowhere", "dangling");
	assert_int_equal(dfs_lookup(fs, "/dangling", O_RDONLY, &obj, NULL, NULL), ENOENT);
	assert_int_equal(dfs_stat(fs, NULL, "dangling", &st), 0);
	assert_int_equal(dfs_set_prefix(fs, "/mnt/dfs/"), 0);
	assert_int_equal(dfs_lookup(fs, "/mnt/dfs/s/t/file", O_RDONLY, &obj, NULL, NULL), 0);
	assert_int_equal(dfs_release(obj), 0);
	assert_int_equal(dfs_lookup(fs, "/mnt/dfsx", O_RDONLY, &obj, NULL, NULL), EINVAL);
	assert_int_equal(dfs_lookup(fs, "/s", O_RDONLY, &obj, NULL, NULL), EINVAL);
	assert_int_equal(dfs_set_prefix(fs, NULL), 0);
	drop("loop1");
	drop("loop2");
	drop("dangling");
	drop("s");
}

/* ---- renaming ---- */

static void
renames(void **state)
{
	dfs_obj_t    *f, *d;
	daos_obj_id_t replaced = {0}, b;
	struct stat   st;
	char          buf[8];

	(void)state;
	f = make(NULL, "a", S_IFREG | 0600);
	put(f, "A", 1, 0);
	assert_int_equal(dfs_setxattr(fs, f, "user.a", "1", 1, 0), 0);
	assert_int_equal(dfs_release(f), 0);
	f = make(NULL, "b", S_IFREG | 0644);
	put(f, "BB", 2, 0);
	assert_int_equal(dfs_setxattr(fs, f, "user.b", "2", 1, 0), 0);
	assert_int_equal(dfs_obj2id(f, &b), 0);
	assert_int_equal(dfs_release(f), 0);
	assert_int_equal(dfs_move(fs, NULL, "a", NULL, "b", &replaced), 0);
	assert_memory_equal(&replaced, &b, sizeof(b));
	assert_int_equal(dfs_stat(fs, NULL, "a", &st), ENOENT);
	assert_int_equal(dfs_lookup(fs, "/b", O_RDWR, &f, NULL, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(get(f, buf, 8, 0), 1);
	assert_int_equal(dfs_getxattr(fs, f, "user.a", buf, &(daos_size_t){1}), 0);
	assert_int_equal(dfs_getxattr(fs, f, "user.b", buf, &(daos_size_t){1}), ENODATA);
	assert_int_equal(dfs_release(f), 0);
	assert_int_equal(dfs_mkdir(fs, NULL, "d", 0755, 0), 0);
	assert_int_equal(dfs_lookup(fs, "/d", O_RDWR, &d, NULL, NULL), 0);
	assert_int_equal(dfs_move(fs, NULL, "b", NULL, "d", NULL), EISDIR);
	assert_int_equal(dfs_move(fs, NULL, "d", NULL, "b", NULL), ENOTDIR);
	assert_int_equal(dfs_move(fs, NULL, "d", d, "x", NULL), EINVAL);
	assert_int_equal(dfs_move(fs, NULL, "b", d, "b2", NULL), 0);
	assert_int_equal(dfs_stat(fs, d, "b2", &st), 0);
	assert_int_equal(dfs_move(fs, NULL, "nothing", d, "x", NULL), ENOENT);
	assert_int_equal(dfs_mkdir(fs, NULL, "e", 0755, 0), 0);
	assert_int_equal(dfs_move(fs, NULL, "e", NULL, "d", NULL), ENOTEMPTY);
	assert_int_equal(dfs_move(fs, NULL, "d", NULL, "e", NULL), 0);
	assert_int_equal(dfs_sys_stat(sys, "/e/b2", 0, &st), 0);
	assert_int_equal(dfs_release(d), 0);
	drop("e");
}

static void
exchanges(void **state)
{
	dfs_obj_t  *f;
	struct stat st;

	(void)state;
	f = make(NULL, "one", S_IFREG | 0600);
	put(f, "111", 3, 0);
	assert_int_equal(dfs_release(f), 0);
	assert_int_equal(dfs_mkdir(fs, NULL, "two", 0711, 0), 0);
	assert_int_equal(dfs_exchange(fs, NULL, "one", NULL, "two"), 0);
	assert_int_equal(dfs_stat(fs, NULL, "one", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0711);
	assert_int_equal(dfs_stat(fs, NULL, "two", &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(dfs_exchange(fs, NULL, "one", NULL, "none"), ENOENT);
	drop("one");
	drop("two");
}

/* ---- attributes ---- */

static void
attributes(void **state)
{
	struct timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 123456789, .tv_nsec = 987654321}};
	dfs_obj_t      *f = make(NULL, "attrs", S_IFREG | 0600);
	struct stat     st;

	(void)state;
	put(f, "x", 1, 0);
	assert_int_equal(dfs_chmod(fs, NULL, "attrs", 04755), 0);
	assert_int_equal(dfs_chown(fs, NULL, "attrs", 1234, (gid_t)-1, 0), 0);
	assert_int_equal(dfs_ostat(fs, f, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, getegid());
	assert_int_equal(dfs_sys_utimens(sys, "/attrs", times, 0), 0);
	assert_int_equal(dfs_ostat(fs, f, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 123456789);
	assert_int_equal(st.st_mtim.tv_nsec, 987654321);
	assert_true(st.st_ctim.tv_sec > 123456789);
	put(f, "y", 1, 1);
	assert_int_equal(dfs_ostat(fs, f, &st), 0);
	assert_true(st.st_mtim.tv_sec > 123456789);
	st.st_size = 100000;
	assert_int_equal(dfs_osetattr(fs, f, &st, DFS_SET_ATTR_SIZE), 0);
	assert_int_equal(st.st_size, 100000);
	assert_int_equal(dfs_sys_punch(sys, "/attrs", 1, DFS_MAX_FSIZE), 0);
	assert_int_equal(size_of(f), 1);
	assert_int_equal(dfs_osetattr(fs, f, &st, 1 << 20), EINVAL);
	assert_int_equal(dfs_access(fs, NULL, "attrs", F_OK), 0);
	assert_int_equal(dfs_access(fs, NULL, "none", F_OK), ENOENT);
	assert_int_equal(dfs_release(f), 0);
	drop("attrs");
}

static void
xattrs(void **state)
{
	char        list[64], value[16], *big = malloc(DFS_MAX_XATTR_LEN), *back = malloc(DFS_MAX_XATTR_LEN);
	dfs_obj_t  *f = make(NULL, "x", S_IFREG | 0600);
	daos_size_t bytes;

	(void)state;
	assert_int_equal(dfs_setxattr(fs, f, "user.one", "value", 5, XATTR_REPLACE), ENODATA);
	assert_int_equal(dfs_setxattr(fs, f, "user.one", "value", 5, XATTR_CREATE), 0);
	assert_int_equal(dfs_setxattr(fs, f, "user.one", "value", 5, XATTR_CREATE), EEXIST);
	assert_int_equal(dfs_setxattr(fs, f, "user.one", "other", 5, XATTR_REPLACE), 0);
	assert_int_equal(dfs_setxattr(fs, f, "user.empty", "", 0, 0), 0);
	bytes = sizeof(value);
	assert_int_equal(dfs_getxattr(fs, f, "user.one", value, &bytes), 0);
	assert_int_equal(bytes, 5);
	assert_memory_equal(value, "other", 5);
	bytes = 2;
	assert_int_equal(dfs_getxattr(fs, f, "user.one", value, &bytes), ERANGE);
	bytes = 0;
	assert_int_equal(dfs_getxattr(fs, f, "user.one", NULL, &bytes), 0);
	assert_int_equal(bytes, 5);
	bytes = sizeof(value);
	assert_int_equal(dfs_getxattr(fs, f, "user.empty", value, &bytes), 0);
	assert_int_equal(bytes, 0);
	bytes = 0;
	assert_int_equal(dfs_listxattr(fs, f, NULL, &bytes), 0);
	assert_int_equal(bytes, 9 + 11);
	bytes = sizeof(list);
	assert_int_equal(dfs_listxattr(fs, f, list, &bytes), 0);
	assert_int_equal(bytes, 9 + 11);
	assert_non_null(memmem(list, bytes, "user.one", 9));
	assert_non_null(memmem(list, bytes, "user.empty", 11));
	bytes = 5;
	assert_int_equal(dfs_listxattr(fs, f, list, &bytes), ERANGE);
	assert_int_equal(dfs_removexattr(fs, f, "user.one"), 0);
	assert_int_equal(dfs_removexattr(fs, f, "user.one"), ENODATA);
	bytes = 0;
	assert_int_equal(dfs_listxattr(fs, f, NULL, &bytes), 0);
	assert_int_equal(bytes, 11);
	for (int i = 0; i < DFS_MAX_XATTR_LEN; i++)
		big[i] = (char)rand();
	assert_int_equal(dfs_setxattr(fs, f, "user.big", big, DFS_MAX_XATTR_LEN + 1, 0), E2BIG);
	assert_int_equal(dfs_setxattr(fs, f, "user.big", big, DFS_MAX_XATTR_LEN, 0), 0);
	bytes = DFS_MAX_XATTR_LEN;
	assert_int_equal(dfs_getxattr(fs, f, "user.big", back, &bytes), 0);
	assert_memory_equal(big, back, DFS_MAX_XATTR_LEN);
	assert_int_equal(dfs_sys_setxattr(sys, "/", "user.root", "r", 1, 0, 0), 0);
	bytes = sizeof(value);
	assert_int_equal(dfs_sys_getxattr(sys, "/", "user.root", value, &bytes, 0), 0);
	assert_int_equal(bytes, 1);
	assert_int_equal(dfs_release(f), 0);
	drop("x");
	free(big);
	free(back);
}

/* ---- mounting ---- */

static void
read_only(void **state)
{
	dfs_obj_t *obj;
	dfs_t     *ro;

	(void)state;
	touch(NULL, "seen");
	assert_int_equal(dfs_mount(poh, coh, O_RDONLY, &ro), 0);
	assert_int_equal(dfs_mkdir(ro, NULL, "no", 0755, 0), EPERM);
	assert_int_equal(dfs_remove(ro, NULL, "seen", false, NULL), EPERM);
	assert_int_equal(dfs_lookup(ro, "/seen", O_RDWR, &obj, NULL, NULL), EPERM);
	assert_int_equal(dfs_lookup(ro, "/seen", O_RDONLY, &obj, NULL, NULL), 0);
	assert_int_equal(dfs_release(obj), 0);
	assert_int_equal(dfs_access(ro, NULL, "seen", W_OK), EPERM);
	assert_int_equal(dfs_umount(ro), 0);
	drop("seen");
}

static void
container_attributes(void **state)
{
	dfs_attr_t    attr = {.da_chunk_size = 65536, .da_hints = "file:single,dir:max"}, back;
	daos_handle_t coh2;
	dfs_t        *fs2;
	dfs_obj_t    *f;
	daos_size_t   chunk;
	dfs_obj_info_t info;
	daos_oclass_id_t cid;

	(void)state;
	assert_int_equal(dfs_cont_create_with_label(poh, "cont", NULL, NULL, NULL, NULL), EEXIST);
	assert_int_equal(dfs_cont_create_with_label(poh, "other", &attr, NULL, &coh2, &fs2), 0);
	assert_int_equal(dfs_query(fs2, &back), 0);
	assert_int_equal(back.da_chunk_size, 65536);
	assert_string_equal(back.da_hints, attr.da_hints);
	assert_int_equal(dfs_open(fs2, NULL, "f", S_IFREG | 0600, O_CREAT | O_RDWR, 0, 0, NULL, &f), 0);
	assert_int_equal(dfs_get_chunk_size(f, &chunk), 0);
	assert_int_equal(chunk, 65536);
	assert_int_equal(dfs_obj_get_info(fs2, f, &info), 0);
	assert_int_equal(info.doi_oclass_id, OC_S1);
	assert_int_equal(dfs_obj_set_chunk_size(fs2, f, 0, 4096), 0);
	assert_int_equal(dfs_release(f), 0);
	assert_int_equal(dfs_suggest_oclass(fs2, "file:single", &cid), 0);
	assert_int_equal(cid, OC_S1);
	assert_int_equal(dfs_suggest_oclass(fs2, "file", &cid), EINVAL);
	assert_int_equal(dfs_umount(fs2), 0);
	assert_int_equal(daos_cont_close(coh2, NULL), 0);
	assert_int_equal(daos_cont_destroy(poh, "other", 0, NULL), 0);
	snprintf(attr.da_hints, sizeof(attr.da_hints), "file:huge");
	assert_int_equal(dfs_cont_create_with_label(poh, "other", &attr, NULL, NULL, NULL), EINVAL);
	assert_int_equal(daos_cont_create_with_label(poh, "plain", NULL, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(poh, "plain", DAOS_COO_RW, &coh2, NULL, NULL), 0);
	assert_int_equal(dfs_mount(poh, coh2, O_RDWR, &fs2), EINVAL);
	assert_int_equal(daos_cont_close(coh2, NULL), 0);
	assert_int_equal(daos_cont_destroy(poh, "plain", 0, NULL), 0);
}

/* ---- many at once ---- */

struct racer {
	struct plat_thread *thread;
	dfs_obj_t          *dir;
	int                 created, removed, errors;
};

/** Creates and removes the same few names as the others: each name is created once until removed. */
static void
race(void *arg)
{
	struct racer *r = arg;
	dfs_obj_t    *obj;
	char          name[16];
	int           rc;

	client_set_current(client);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "n%d", i % 7);
		rc = dfs_open(fs, r->dir, name, S_IFREG | 0600, O_CREAT | O_EXCL | O_RDWR, 0, 0, NULL, &obj);
		if (rc == 0) {
			r->created++;
			(void)dfs_release(obj);
		} else if (rc != EEXIST) {
			r->errors++;
		}
		rc = dfs_remove(fs, r->dir, name, false, NULL);
		if (rc == 0)
			r->removed++;
		else if (rc != ENOENT)
			r->errors++;
	}
}

static void
exclusive_create(void **state)
{
	struct racer  racers[4] = {0};
	daos_anchor_t anchor = DAOS_ANCHOR_INIT;
	struct dirent ents[16];
	uint32_t      nr = 16;
	int           created = 0, removed = 0;
	dfs_obj_t    *dir;

	(void)state;
	assert_int_equal(dfs_mkdir(fs, NULL, "race", 0755, 0), 0);
	assert_int_equal(dfs_lookup(fs, "/race", O_RDWR, &dir, NULL, NULL), 0);
	for (int i = 0; i < 4; i++) {
		racers[i].dir = dir;
		assert_int_equal(plat_thread_create("racer", race, &racers[i], &racers[i].thread), 0);
	}
	for (int i = 0; i < 4; i++) {
		plat_thread_join(racers[i].thread);
		assert_int_equal(racers[i].errors, 0);
		created += racers[i].created;
		removed += racers[i].removed;
	}
	assert_int_equal(dfs_readdir(fs, dir, &anchor, &nr, ents), 0);
	assert_int_equal(created - removed, nr);
	assert_int_equal(dfs_release(dir), 0);
	drop("race");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(create_write_read), cmocka_unit_test(file_like_memory), cmocka_unit_test(ranges),
	    cmocka_unit_test(events),            cmocka_unit_test(handles),          cmocka_unit_test(directories),
	    cmocka_unit_test(list_thousands),    cmocka_unit_test(names),            cmocka_unit_test(symlinks),
	    cmocka_unit_test(renames),           cmocka_unit_test(exchanges),        cmocka_unit_test(attributes),
	    cmocka_unit_test(xattrs),            cmocka_unit_test(read_only),        cmocka_unit_test(container_attributes),
	    cmocka_unit_test(exclusive_create),
	};

	return cmocka_run_group_tests_name("dfs cluster", tests, start, stop);
}
