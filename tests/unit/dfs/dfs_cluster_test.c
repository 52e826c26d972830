/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The whole interface of libdfs against engines in this process. */
#include <fcntl.h>
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

static int
start(void **state)
{
	(void)state;
	tc = tc_start(&(struct tc_opts){.engine_nr = 1, .tgt_nr = 2, .dev_bytes = 512u << 20});
	tc_pool_create(tc, "pool", NULL);
	client = tc_client_start(tc);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &poh, NULL, NULL), 0);
	assert_int_equal(dfs_cont_create_with_label(poh, "cont", NULL, NULL, &coh, &fs), 0);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
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

static void
create_write_read(void **state)
{
	dfs_obj_t  *f = make(NULL, "file", S_IFREG | 0640), *again;
	char        buf[32] = {0};
	struct stat st;
	daos_size_t size;

	(void)state;
	put(f, "hello, world", 12, 0);
	assert_int_equal(get(f, buf, sizeof(buf), 0), 12);
	assert_memory_equal(buf, "hello, world", 12);
	assert_int_equal(dfs_get_size(fs, f, &size), 0);
	assert_int_equal(size, 12);
	assert_int_equal(dfs_ostat(fs, f, &st), 0);
	assert_int_equal(st.st_size, 12);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(get(f, buf, 4, 12), 0);
	assert_int_equal(get(f, buf, 4, 10), 2);
	assert_int_equal(dfs_open(fs, NULL, "file", S_IFREG, O_CREAT | O_EXCL | O_RDWR, 0, 0, NULL, &again),
			 EEXIST);
	assert_int_equal(dfs_open(fs, NULL, "file", S_IFREG, O_RDWR | O_TRUNC, 0, 0, NULL, &again), 0);
	assert_int_equal(dfs_get_size(fs, again, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(dfs_release(again), 0);
	assert_int_equal(dfs_release(f), 0);
	assert_int_equal(dfs_remove(fs, NULL, "file", false, NULL), 0);
	assert_int_equal(dfs_stat(fs, NULL, "file", &st), ENOENT);
	assert_int_equal(dfs_remove(fs, NULL, "file", false, NULL), ENOENT);
	f = make(NULL, "file", S_IFREG | 0600);
	assert_int_equal(dfs_get_size(fs, f, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(dfs_release(f), 0);
	assert_int_equal(dfs_remove(fs, NULL, "file", false, NULL), 0);
}

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
	assert_int_equal(dfs_release(make(d, "f", S_IFREG | 0600)), 0);
	assert_int_equal(dfs_lookup(fs, "/d/e", O_RDONLY, &e, NULL, NULL), 0);
	assert_int_equal(dfs_release(e), 0);
	assert_int_equal(dfs_lookup(fs, "//d/./e/../f", O_RDONLY, &e, &mode, NULL), 0);
	assert_int_equal(mode, S_IFREG | 0600);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(create_write_read),
	    cmocka_unit_test(directories),
	};

	return cmocka_run_group_tests_name("dfs cluster", tests, start, stop);
}
