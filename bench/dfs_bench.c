/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The same file operations through libdfs or through the local file system, one at a time, each timed alone.
 *     dfs_bench dfs POOL CONTAINER   |   dfs_bench local DIRECTORY
 * Prints one JSON object: {"seqwrite1m": MiB/s, "seqread1m": MiB/s, "randwrite4k": 1/s, "randread4k": 1/s, "create": 1/s,
 * "stat": 1/s, "unlink": 1/s}. Local I/O is O_DIRECT, since libdfs caches nothing; writes end with a sync of the file.
 */
#include <daos.h>
#include <daos_fs.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES (256ULL << 20)
#define BIG        (1u << 20)
#define SMALL      4096u
#define RANDOM_NR  4000
#define FILES_NR   2000

/** One side: a file under test, and names. */
struct side {
	int (*open_file)(int create);
	int (*close_file)(void);
	int (*write_at)(void *buf, size_t bytes, unsigned long long off);
	int (*read_at)(void *buf, size_t bytes, unsigned long long off);
	int (*sync_file)(void);
	int (*create)(const char *name);
	int (*stat)(const char *name);
	int (*unlink)(const char *name);
};

/* ---- libdfs ---- */

static daos_handle_t poh, coh;
static dfs_t        *dfs;
static dfs_obj_t    *file;

static int
dfs_side_open(int create)
{
	return dfs_open(dfs, NULL, "bench.file", S_IFREG | 0644, create ? O_RDWR | O_CREAT : O_RDWR, OC_SX, 0, NULL, &file);
}

static int
dfs_side_close(void)
{
	return dfs_release(file);
}

static int
dfs_side_write(void *buf, size_t bytes, unsigned long long off)
{
	d_iov_t     iov = {.iov_buf = buf, .iov_buf_len = bytes, .iov_len = bytes};
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	return dfs_write(dfs, file, &sgl, off, NULL);
}

static int
dfs_side_read(void *buf, size_t bytes, unsigned long long off)
{
	d_iov_t     iov = {.iov_buf = buf, .iov_buf_len = bytes, .iov_len = bytes};
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_size_t got = 0;
	int         rc = dfs_read(dfs, file, &sgl, off, &got, NULL);

	return rc ? rc : got == bytes ? 0 : EIO;
}

static int
dfs_side_sync(void)
{
	return 0; /* a write that was answered is durable */
}

static int
dfs_side_create(const char *name)
{
	dfs_obj_t *obj;
	int        rc = dfs_open(dfs, NULL, name, S_IFREG | 0644, O_RDWR | O_CREAT | O_EXCL, 0, 0, NULL, &obj);

	return rc ? rc : dfs_release(obj);
}

static int
dfs_side_stat(const char *name)
{
	struct stat st;

	return dfs_stat(dfs, NULL, name, &st);
}

static int
dfs_side_unlink(const char *name)
{
	return dfs_remove(dfs, NULL, name, false, NULL);
}

static const struct side dfs_side = {dfs_side_open, dfs_side_close, dfs_side_write, dfs_side_read, dfs_side_sync, dfs_side_create,
				     dfs_side_stat, dfs_side_unlink};

/* ---- the local file system, in the current directory ---- */

static int fd;

static int
local_open(int create)
{
	fd = open("bench.file", (create ? O_CREAT : 0) | O_RDWR | O_DIRECT, 0644);
	return fd < 0 ? errno : 0;
}

static int
local_close(void)
{
	return close(fd) == 0 ? 0 : errno;
}

static int
local_write(void *buf, size_t bytes, unsigned long long off)
{
	return pwrite(fd, buf, bytes, (off_t)off) == (ssize_t)bytes ? 0 : EIO;
}

static int
local_read(void *buf, size_t bytes, unsigned long long off)
{
	return pread(fd, buf, bytes, (off_t)off) == (ssize_t)bytes ? 0 : EIO;
}

static int
local_sync(void)
{
	return fdatasync(fd) == 0 ? 0 : errno;
}

static int
local_create(const char *name)
{
	int f = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);

	return f < 0 ? errno : close(f);
}

static int
local_stat(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 ? 0 : errno;
}

static int
local_unlink(const char *name)
{
	return unlink(name) == 0 ? 0 : errno;
}

static const struct side local_side = {local_open, local_close, local_write, local_read, local_sync, local_create, local_stat, local_unlink};

/* ---- measuring ---- */

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static void
check(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "dfs_bench: %s: %s\n", what, strerror(rc));
	exit(1);
}

static double
stream(const struct side *s, int write, char *buf)
{
	unsigned long long off;
	double             begin = now();

	for (off = 0; off < FILE_BYTES; off += BIG)
		check(write ? s->write_at(buf, BIG, off) : s->read_at(buf, BIG, off), write ? "write" : "read");
	if (write)
		check(s->sync_file(), "sync");
	return FILE_BYTES / 1048576.0 / (now() - begin);
}

static double
scatter(const struct side *s, int write, char *buf)
{
	double begin;
	int    i;

	srand(1);
	begin = now();
	for (i = 0; i < RANDOM_NR; i++) {
		unsigned long long off = (unsigned long long)rand() % (FILE_BYTES / SMALL) * SMALL;

		check(write ? s->write_at(buf, SMALL, off) : s->read_at(buf, SMALL, off), write ? "write" : "read");
		if (write)
			check(s->sync_file(), "sync"); /* both sides: durable when the call returns */
	}
	return RANDOM_NR / (now() - begin);
}

static double
names(int (*fn)(const char *name), const char *what)
{
	double begin = now();
	char   name[32];
	int    i;

	for (i = 0; i < FILES_NR; i++) {
		snprintf(name, sizeof(name), "bench.%d", i);
		check(fn(name), what);
	}
	return FILES_NR / (now() - begin);
}

static void
measure(const struct side *s)
{
	char *buf = aligned_alloc(4096, BIG);

	check(buf ? 0 : ENOMEM, "buffer");
	memset(buf, 'x', BIG);
	check(s->open_file(1), "open");
	printf("{\"seqwrite1m\": %.1f, ", stream(s, 1, buf));
	printf("\"seqread1m\": %.1f, ", stream(s, 0, buf));
	printf("\"randwrite4k\": %.1f, ", scatter(s, 1, buf));
	printf("\"randread4k\": %.1f, ", scatter(s, 0, buf));
	check(s->close_file(), "close");
	check(s->unlink("bench.file"), "unlink");
	printf("\"create\": %.1f, ", names(s->create, "create"));
	printf("\"stat\": %.1f, ", names(s->stat, "stat"));
	printf("\"unlink\": %.1f}\n", names(s->unlink, "unlink"));
	free(buf);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "local") == 0) {
		check(chdir(argv[2]) ? errno : 0, argv[2]);
		measure(&local_side);
		return 0;
	}
	if (argc != 4 || strcmp(argv[1], "dfs") != 0) {
		fprintf(stderr, "usage: dfs_bench dfs POOL CONTAINER | dfs_bench local DIRECTORY\n");
		return 2;
	}
	check(daos_init() ? EIO : 0, "daos_init");
	check(daos_pool_connect(argv[2], NULL, DAOS_PC_RW, &poh, NULL, NULL) ? EIO : 0, "pool connect");
	check(daos_cont_open(poh, argv[3], DAOS_COO_RW, &coh, NULL, NULL) ? EIO : 0, "container open");
	check(dfs_mount(poh, coh, O_RDWR, &dfs), "mount");
	measure(&dfs_side);
	dfs_umount(dfs);
	daos_cont_close(coh, NULL);
	daos_pool_disconnect(poh, NULL);
	daos_fini();
	return 0;
}
