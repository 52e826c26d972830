/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A real mount, served by threads of this process from engines in this process, used with system calls.
 * Random calls are made on it and on a local directory: both must answer the same.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <linux/falloc.h>
#include <daos_uns.h>
#include <dfuse_ioctl.h>
#include "dfuse/dfuse.h"
#include "platform/platform.h"
#include "testcluster.h"

static struct testcluster *tc;
static daos_handle_t       poh;
static char                local[] = "/tmp/dfuse_local_XXXXXX";

struct mount {
	struct dfuse        d;
	struct plat_thread *thread;
	sem_t               ready;
	char                dir[64];
	int                 status;
};
static struct mount main_mount;

static void
is_ready(void *arg)
{
	sem_post(arg);
}

static void
serve(void *arg)
{
	struct mount *m = arg;

	m->status = dfuse_serve(&m->d, is_ready, &m->ready);
	sem_post(&m->ready);
}

static void
mount_start(struct mount *m, const char *pool, const char *cont, bool wb, bool caching)
{
	struct dfuse_pool *p = NULL;
	struct dfuse_cont *c = NULL;

	memset(m, 0, sizeof(*m));
	snprintf(m->dir, sizeof(m->dir), "/tmp/dfuse_mount_XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	snprintf(m->d.args.mountpoint, sizeof(m->d.args.mountpoint), "%s", m->dir);
	m->d.args.caching  = caching;
	m->d.args.wb_cache = wb;
	m->status          = -1;
	ult_mutex_init(&m->d.lock);
	m->d.itable = dfuse_itable_create();
	if (pool != NULL)
		assert_int_equal(dfuse_pool_get(&m->d, pool, &p), 0);
	if (cont != NULL)
		assert_int_equal(dfuse_cont_get(&m->d, p, cont, &c), 0);
	assert_int_equal(dfuse_root_make(&m->d, p, c), 0);
	m->d.wb_cache = c != NULL ? c->wb_cache : wb;
	sem_init(&m->ready, 0, 0);
	assert_int_equal(plat_thread_create("dfuse", serve, m, &m->thread), 0);
	sem_wait(&m->ready);
	assert_int_equal(m->status, -1);
}

static void
mount_stop(struct mount *m)
{
	int rc = umount2(m->dir, 0);

	if (rc != 0) /* a test that failed left files open: else the process could not end */
		umount2(m->dir, MNT_FORCE | MNT_DETACH);
	plat_thread_join(m->thread);
	assert_int_equal(rc, 0);
	assert_int_equal(m->status, 0);
	dfuse_inodes_free(&m->d);
	dfuse_conts_close(&m->d);
	rmdir(m->dir);
}

static int
start(void **state)
{
	(void)state;
	tc = tc_start(&(struct tc_opts){.engine_nr = 1, .tgt_nr = 2, .dev_bytes = 512u << 20});
	tc_pool_create(tc, "pool", NULL);
	assert_int_equal(client_default_init(tc_client_attr(tc)), 0);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &poh, NULL, NULL), 0);
	assert_int_equal(dfs_cont_create_with_label(poh, "cont", NULL, NULL, NULL, NULL), 0);
	assert_non_null(mkdtemp(local));
	mount_start(&main_mount, "pool", "cont", true, true);
	return 0;
}

static int
stop(void **state)
{
	char cmd[128];

	(void)state;
	mount_stop(&main_mount);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", local);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(daos_pool_disconnect(poh, NULL), 0);
	assert_int_equal(client_default_fini(), 0);
	tc_stop(tc);
	return 0;
}

/** A path in the mount; good until four more were asked for. */
static const char *
in(const char *name)
{
	static char paths[4][PATH_MAX];
	static int  at;

	at = (at + 1) % 4;
	snprintf(paths[at], sizeof(paths[at]), "%s/%s", main_mount.dir, name);
	return paths[at];
}

static void
fill(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void
expect(const char *path, const char *text)
{
	char    buf[256] = "";
	int     fd = open(path, O_RDONLY);
	ssize_t got;

	assert_true(fd >= 0);
	got = read(fd, buf, sizeof(buf) - 1);
	assert_int_equal(got, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
	assert_int_equal(close(fd), 0);
}

/* ---- cases ---- */

static void
files(void **state)
{
	struct stat st;

	(void)state;
	fill(in("hello"), "hello, world");
	expect(in("hello"), "hello, world");
	assert_int_equal(stat(in("hello"), &st), 0);
	assert_int_equal(st.st_size, 12);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(mkdir(in("dir"), 0755), 0);
	assert_int_equal(mkdir(in("dir"), 0755), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(rename(in("hello"), in("dir/renamed")), 0);
	expect(in("dir/renamed"), "hello, world");
	assert_int_equal(rmdir(in("dir")), -1);
	assert_int_equal(errno, ENOTEMPTY);
	assert_int_equal(link(in("dir/renamed"), in("hard")), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(symlink("dir/renamed", in("soft")), 0);
	expect(in("soft"), "hello, world");
	assert_int_equal(mkfifo(in("fifo"), 0600), 0);
	assert_int_equal(stat(in("fifo"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(unlink(in("fifo")), 0);
	assert_int_equal(unlink(in("soft")), 0);
	assert_int_equal(unlink(in("dir/renamed")), 0);
	assert_int_equal(rmdir(in("dir")), 0);
}

static void
unlinked_but_open(void **state)
{
	int         fd = open(in("gone"), O_CREAT | O_RDWR, 0600);
	char        buf[16];
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "before", 6, 0), 6);
	assert_int_equal(unlink(in("gone")), 0);
	assert_int_equal(pwrite(fd, " after", 6, 6), 6);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 12);
	assert_memory_equal(buf, "before after", 12);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_size, 12);
	assert_int_equal(access(in("gone"), F_OK), -1);
	fill(in("gone"), "another");
	expect(in("gone"), "another");
	assert_int_equal(ftruncate(fd, 3), 0);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 3);
	assert_int_equal(close(fd), 0);
	fd = open(in("gone"), O_RDONLY);
	fill(in("other"), "replaces");
	assert_int_equal(rename(in("other"), in("gone")), 0);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 7);
	assert_memory_equal(buf, "another", 7);
	assert_int_equal(close(fd), 0);
	expect(in("gone"), "replaces");
	assert_int_equal(unlink(in("gone")), 0);
}

static void
listing(void **state)
{
	enum { NR = 700 };
	char           name[64];
	bool           seen[NR] = {false};
	struct dirent *ent;
	int            total = 0, n;
	long           middle = 0;
	DIR           *dir;

	(void)state;
	assert_int_equal(mkdir(in("list"), 0755), 0);
	for (int i = 0; i < NR; i++) {
		snprintf(name, sizeof(name), "list/entry-%d", i);
		fill(in(name), "");
	}
	dir = opendir(in("list"));
	assert_non_null(dir);
	while ((ent = readdir(dir)) != NULL) {
		if (sscanf(ent->d_name, "entry-%d", &n) != 1)
			continue;
		assert_in_range(n, 0, NR - 1);
		assert_false(seen[n]);
		seen[n] = true;
		if (++total == NR / 2)
			middle = telldir(dir);
	}
	assert_int_equal(total, NR);
	seekdir(dir, middle);
	for (total = 0; readdir(dir) != NULL;)
		total++;
	assert_in_range(total, NR / 2 - 3, NR / 2 + 3);
	rewinddir(dir);
	for (total = 0; (ent = readdir(dir)) != NULL;)
		total += sscanf(ent->d_name, "entry-%d", &n) == 1;
	assert_int_equal(total, NR);
	closedir(dir);
	for (int i = 0; i < NR; i++) {
		snprintf(name, sizeof(name), "list/entry-%d", i);
		assert_int_equal(unlink(in(name)), 0);
	}
	assert_int_equal(rmdir(in("list")), 0);
}

static void
xattrs(void **state)
{
	char value[128];

	(void)state;
	fill(in("x"), "");
	assert_int_equal(setxattr(in("x"), "user.a", "1234", 4, 0), 0);
	assert_int_equal(setxattr(in("x"), "user.a", "1234", 4, XATTR_CREATE), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(getxattr(in("x"), "user.a", NULL, 0), 4);
	assert_int_equal(getxattr(in("x"), "user.a", value, sizeof(value)), 4);
	assert_int_equal(getxattr(in("x"), "user.b", value, sizeof(value)), -1);
	assert_int_equal(errno, ENODATA);
	assert_int_equal(listxattr(in("x"), value, sizeof(value)), 7);
	assert_int_equal(removexattr(in("x"), "user.a"), 0);
	assert_int_equal(listxattr(in("x"), value, sizeof(value)), 0);
	assert_true(getxattr(main_mount.dir, "user.daos", value, sizeof(value)) > 40);
	assert_memory_equal(value, "DAOS.POSIX://", 13);
	assert_int_equal(unlink(in("x")), 0);
}

static void
space_and_ioctl(void **state)
{
	struct dfuse_mem_query counts = {0};
	struct dfuse_il_reply  il     = {0};
	struct statvfs         st;
	int                    fd;

	(void)state;
	assert_int_equal(statvfs(main_mount.dir, &st), 0);
	assert_true(st.f_blocks > 0 && st.f_bavail > 0 && st.f_bavail <= st.f_blocks);
	assert_int_equal(st.f_namemax, 255);
	fill(in("io"), "x");
	fd = open(in("io"), O_RDONLY);
	assert_int_equal(ioctl(fd, DFUSE_IOCTL_IL, &il), 0);
	assert_int_equal(il.fir_version, DFUSE_IOCTL_VERSION);
	assert_int_equal(ioctl(fd, DFUSE_IOCTL_COUNT_QUERY, &counts), 0);
	assert_int_equal(counts.pool_count, 1);
	assert_int_equal(counts.container_count, 1);
	assert_true(counts.fh_count >= 1); /* of files closed just now as well */
	assert_int_equal(ioctl(fd, 0x1234, &counts), -1);
	close(fd);
	assert_int_equal(unlink(in("io")), 0);
}

static void
holes(void **state)
{
	int         fd = open(in("holes"), O_CREAT | O_RDWR, 0600);
	char        buf[100];
	struct stat st;

	(void)state;
	memset(buf, 'h', sizeof(buf));
	assert_int_equal(pwrite(fd, buf, 100, 0), 100);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 50, 1000), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 100);
	assert_int_equal(pread(fd, buf, 100, 0), 100);
	assert_true(buf[49] == 'h' && buf[50] == 0 && buf[99] == 0);
	assert_int_equal(fallocate(fd, 0, 0, 5000), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 5000);
	assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50000), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 5000);
	close(fd);
	assert_int_equal(unlink(in("holes")), 0);
}

static void
mapped(void **state)
{
	int   fd = open(in("mapped"), O_CREAT | O_RDWR, 0600);
	char *map;

	(void)state;
	assert_int_equal(ftruncate(fd, 3 << 20), 0);
	map = mmap(NULL, 3 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	memcpy(map + (2 << 20), "through memory", 14);
	assert_int_equal(msync(map, 3 << 20, MS_SYNC), 0);
	assert_int_equal(munmap(map, 3 << 20), 0);
	assert_int_equal(lseek(fd, 2 << 20, SEEK_SET), 2 << 20);
	close(fd);
	fd = open(in("mapped"), O_RDONLY | O_DIRECT);
	assert_true(fd >= 0);
	assert_int_equal(posix_memalign((void **)&map, 4096, 4096), 0);
	assert_int_equal(pread(fd, map, 4096, 2 << 20), 4096);
	assert_memory_equal(map, "through memory", 14);
	free(map);
	close(fd);
	assert_int_equal(unlink(in("mapped")), 0);
}

/** What one mount wrote and closed the other reads, as soon as cached attributes are old. */
static void
two_mounts(void **state)
{
	static struct mount other;
	char                path[PATH_MAX];

	(void)state;
	mount_start(&other, "pool", "cont", true, true);
	other.d.conts->caching = (struct dfuse_caching){.data_sec = 600};
	fill(in("shared"), "first");
	snprintf(path, sizeof(path), "%s/shared", other.dir);
	expect(path, "first");
	fill(in("shared"), "second, and longer");
	expect(path, "second, and longer");
	fill(in("shared"), "3");
	expect(path, "3");
	mount_stop(&other);
	assert_int_equal(unlink(in("shared")), 0);
}

/** A link made through the mount is seen at once, though the kernel knew the directory; a dangling one can be removed. */
static void
link_made_in_the_mount(void **state)
{
	struct duns_attr_t attr = {.da_type = DAOS_PROP_CO_LAYOUT_POSIX};
	struct stat        before, after;

	(void)state;
	assert_int_equal(stat(in("link"), &before), -1);
	assert_int_equal(duns_create_path(poh, in("link"), &attr), 0);
	assert_int_equal(stat(in("link"), &after), 0);
	fill(in("link/inner"), "in another container");
	assert_int_equal(stat(main_mount.dir, &before), 0);
	assert_int_not_equal(after.st_ino >> 48, before.st_ino >> 48);
	assert_int_equal(daos_cont_destroy(poh, attr.da_cont, 1, NULL), 0);
	assert_int_equal(rmdir(in("link")), 0);
	assert_int_equal(mkdir(in("link"), 0755), 0);
	assert_int_equal(rmdir(in("link")), 0);
}

/** Others' changes are seen after the time attributes may be kept; ours at once, also in what was asked for before. */
static void
attributes_follow_writes(void **state)
{
	struct timespec set[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct stat     st, dir;
	int             fd;

	(void)state;
	assert_int_equal(mkdir(in("attrs"), 0755), 0);
	fd = open(in("attrs/f"), O_CREAT | O_EXCL | O_RDWR, 0644);
	assert_true(fd >= 0);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(write(fd, "abc", 3), 3);
		assert_int_equal(fsync(fd), 0);
		assert_int_equal(stat(in("attrs/f"), &st), 0);
		assert_int_equal(st.st_size, 3 * i);
	}
	assert_int_equal(futimens(fd, set), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(stat(in("attrs/f"), &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 2000);
	assert_int_equal(truncate(in("attrs/f"), 5), 0);
	assert_int_equal(stat(in("attrs/f"), &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_true(st.st_mtim.tv_sec > 2000);
	assert_int_equal(stat(in("attrs"), &dir), 0);
	assert_int_equal(unlink(in("attrs/f")), 0);
	assert_int_equal(stat(in("attrs"), &st), 0);
	assert_true(st.st_mtim.tv_sec > dir.st_mtim.tv_sec ||
		    (st.st_mtim.tv_sec == dir.st_mtim.tv_sec && st.st_mtim.tv_nsec > dir.st_mtim.tv_nsec));
	assert_int_equal(rmdir(in("attrs")), 0);
}

/** Writing takes set-user-ID away, for who may not keep it. */
static void
set_user_id_goes(void **state)
{
	struct stat st;
	int         fd;

	(void)state;
	fill(in("suid"), "x");
	assert_int_equal(chmod(in("suid"), 06777), 0);
	assert_int_equal(stat(in("suid"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 06777);
	assert_int_equal(chown(in("suid"), 12, 13), 0);
	assert_int_equal(stat(in("suid"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0777);
	assert_int_equal(chmod(in("suid"), 06777), 0);
	fd = open(in("suid"), O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(setfsuid(12), 0); /* drops the capability to keep the bits */
	assert_int_equal(write(fd, "y", 1), 1);
	setfsuid(0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(stat(in("suid"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0777);
	assert_int_equal(unlink(in("suid")), 0);
}

static void
linked_containers(void **state)
{
	static struct mount all;
	struct duns_attr_t  attr = {.da_type = DAOS_PROP_CO_LAYOUT_POSIX}, found = {0};
	char                path[PATH_MAX];

	(void)state;
	assert_int_equal(duns_create_path(poh, in("linked"), &attr), 0);
	mount_start(&all, "pool", NULL, true, true);
	snprintf(path, sizeof(path), "%s/cont/linked", all.dir);
	assert_int_equal(mkdir(path, 0755), -1);
	assert_int_equal(errno, EEXIST);
	snprintf(path, sizeof(path), "%s/cont/linked/inner", all.dir);
	fill(path, "in another container");
	snprintf(path, sizeof(path), "%s/%s/inner", all.dir, attr.da_cont);
	expect(path, "in another container");
	assert_int_equal(duns_resolve_path(path, &found), 0);
	assert_string_equal(found.da_cont, attr.da_cont);
	assert_string_equal(found.da_rel_path, "/inner");
	duns_destroy_attr(&found);
	snprintf(path, sizeof(path), "%s/nope", all.dir);
	assert_int_equal(access(path, F_OK), -1);
	mount_stop(&all);
	assert_int_equal(rmdir(in("linked")), 0);
	assert_int_equal(daos_cont_destroy(poh, attr.da_cont, 1, NULL), 0);
}

static void
without_caching(void **state)
{
	static struct mount plain;
	char                path[PATH_MAX];

	(void)state;
	mount_start(&plain, "pool", "cont", false, false);
	snprintf(path, sizeof(path), "%s/plain", plain.dir);
	fill(path, "not cached");
	expect(path, "not cached");
	assert_int_equal(truncate(path, 3), 0);
	expect(path, "not");
	assert_int_equal(unlink(path), 0);
	mount_stop(&plain);
}

/* ---- against a local directory ---- */

#define NAME_NR 6

struct step {
	int   kind;
	char  path[64], other[64];
	off_t off;
	int   len, fill, mode;
};

static void
random_path(char *path, size_t bytes)
{
	int depth = 1 + rand() % 3, at = 0;

	for (int i = 0; i < depth; i++)
		at += snprintf(path + at, bytes - (size_t)at, "%s%c", i == 0 ? "" : "/", 'a' + rand() % NAME_NR);
}

/** What a call returned, in a form that can be compared. */
struct answer {
	long     rc;
	int      err;
	uint64_t sum; /* of what came back */
};

static uint64_t
sum_of(const void *buf, size_t len)
{
	const unsigned char *p   = buf;
	uint64_t             sum = 14695981039346656037ULL;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * 1099511628211ULL;
	return sum;
}

static struct answer
answered(long rc)
{
	return (struct answer){.rc = rc, .err = rc < 0 ? errno : 0};
}

static struct answer
do_stat(const char *path)
{
	struct stat   st;
	struct answer a = answered(lstat(path, &st));

	if (a.rc == 0)
		a.sum = st.st_mode ^ (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) ? (uint64_t)st.st_size << 16 : 0);
	return a;
}

static struct answer
do_list(const char *path)
{
	DIR           *dir = opendir(path);
	struct dirent *ent;
	struct answer  a = answered(dir == NULL ? -1 : 0);

	while (dir != NULL && (ent = readdir(dir)) != NULL) {
		a.rc++;
		a.sum += sum_of(ent->d_name, strlen(ent->d_name));
	}
	if (dir != NULL)
		closedir(dir);
	return a;
}

static struct answer
do_io(const char *path, const struct step *s, int flags)
{
	static char   buf[300000];
	struct answer a;
	int           fd = open(path, flags | O_NOFOLLOW, s->mode);

	if (fd < 0)
		return answered(-1);
	if ((flags & O_ACCMODE) == O_RDONLY) {
		a     = answered(pread(fd, buf, (size_t)s->len, s->off));
		a.sum = a.rc > 0 ? sum_of(buf, (size_t)a.rc) : 0;
	} else {
		memset(buf, s->fill, (size_t)s->len);
		a = answered(pwrite(fd, buf, (size_t)s->len, s->off));
	}
	close(fd);
	return a;
}

enum { S_MKDIR, S_CREATE, S_EXCL, S_WRITE, S_APPEND, S_READ, S_TRUNC, S_UNLINK, S_RMDIR, S_RENAME, S_NOREPLACE, S_SYMLINK,
	S_READLINK, S_STAT, S_LIST, S_CHMOD, S_UTIMES, S_EXCHANGE, S_NR };

static struct answer
run_step(const char *base, const struct step *s)
{
	struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = s->fill * 1000, .tv_nsec = s->len}};
	char            path[PATH_MAX], other[PATH_MAX], buf[256];
	struct answer   a;
	struct stat     st;

	snprintf(path, sizeof(path), "%s/%s", base, s->path);
	snprintf(other, sizeof(other), "%s/%s", base, s->other);
	switch (s->kind) {
	case S_MKDIR:
		return answered(mkdir(path, (mode_t)s->mode | 0700));
	case S_CREATE:
		return do_io(path, s, O_CREAT | O_WRONLY);
	case S_EXCL:
		return do_io(path, s, O_CREAT | O_EXCL | O_WRONLY);
	case S_WRITE:
		return do_io(path, s, O_RDWR);
	case S_APPEND:
		return do_io(path, s, O_WRONLY | O_APPEND);
	case S_READ:
		return do_io(path, s, O_RDONLY);
	case S_TRUNC:
		return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? answered(0) : answered(truncate(path, s->off));
	case S_UNLINK:
		return answered(unlink(path));
	case S_RMDIR:
		return answered(rmdir(path));
	case S_RENAME:
		return answered(rename(path, other));
	case S_NOREPLACE:
		return answered(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_NOREPLACE));
	case S_EXCHANGE:
		return answered(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE));
	case S_SYMLINK:
		return answered(symlink(s->other, path));
	case S_READLINK:
		a     = answered(readlink(path, buf, sizeof(buf)));
		a.sum = a.rc > 0 ? sum_of(buf, (size_t)a.rc) : 0;
		return a;
	case S_LIST:
		return do_list(path);
	case S_CHMOD:
		return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? answered(0)
								     : answered(chmod(path, (mode_t)s->mode | 0700));
	case S_UTIMES:
		a = answered(utimensat(AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW));
		if (a.rc == 0 && lstat(path, &st) == 0)
			a.sum = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
		return a;
	}
	return do_stat(path);
}

static void
like_a_local_directory(void **state)
{
	unsigned steps = getenv("DFUSE_STEPS") ? (unsigned)atoi(getenv("DFUSE_STEPS")) : 4000;
	unsigned seed  = getenv("DFUSE_SEED") ? (unsigned)atoi(getenv("DFUSE_SEED")) : 1;

	(void)state;
	umask(0);
	srand(seed);
	assert_int_equal(mkdir(in("model"), 0755), 0);
	for (unsigned i = 0; i < steps; i++) {
		struct step   s = {.kind = rand() % S_NR, .off = rand() % 200000 >> (rand() % 12),
				   .len = 1 + (rand() % 250000 >> (rand() % 16)), .fill = rand() % 256, .mode = rand() & 0777};
		struct answer ours, theirs;

		random_path(s.path, sizeof(s.path));
		random_path(s.other, sizeof(s.other));
		s.mode |= S_ISREG(s.mode) ? 0600 : 0700;
		theirs = run_step(local, &s);
		ours   = run_step(in("model"), &s);
		if (ours.rc != theirs.rc || ours.err != theirs.err || ours.sum != theirs.sum)
			fail_msg("seed %u step %u: kind %d path %s other %s off %ld len %d: %ld (%s) %lx, wanted %ld (%s) %lx",
				 seed, i, s.kind, s.path, s.other, (long)s.off, s.len, ours.rc, strerror(ours.err),
				 (unsigned long)ours.sum, theirs.rc, strerror(theirs.err), (unsigned long)theirs.sum);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files),           cmocka_unit_test(unlinked_but_open), cmocka_unit_test(listing),
	    cmocka_unit_test(xattrs),          cmocka_unit_test(space_and_ioctl),   cmocka_unit_test(holes),
	    cmocka_unit_test(mapped),          cmocka_unit_test(two_mounts),        cmocka_unit_test(linked_containers),
	    cmocka_unit_test(link_made_in_the_mount), cmocka_unit_test(attributes_follow_writes), cmocka_unit_test(set_user_id_goes),
	    cmocka_unit_test(without_caching), cmocka_unit_test(like_a_local_directory),
	};

	if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) != 0) {
		fprintf(stderr, "needs root and /dev/fuse\n");
		return 77;
	}
	setlinebuf(stdout);
	return cmocka_run_group_tests_name("dfuse mount", tests, start, stop);
}
