/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What needs no container: inodes as bytes, names, hints, paths that name containers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "dfs/dfs_internal.h"
#include "dfs/duns_path.h"

static struct dfs_entry
random_entry(void)
{
	static const mode_t types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK};

	return (struct dfs_entry){
	    .mode       = types[rand() % 5] | (mode_t)(rand() & 07777),
	    .oid        = {.lo = (uint64_t)rand() << 33 | (uint64_t)rand(), .hi = (uint64_t)rand()},
	    .mtime      = {.tv_sec = rand() - RAND_MAX / 2, .tv_nsec = rand() % 1000000000},
	    .ctime      = {.tv_sec = rand(), .tv_nsec = rand() % 1000000000},
	    .chunk_size = (daos_size_t)rand(),
	    .oclass     = (daos_oclass_id_t)rand(),
	    .uid        = (uid_t)rand(),
	    .gid        = (gid_t)rand(),
	    .size       = (daos_size_t)rand() % PATH_MAX,
	    .epoch      = (daos_epoch_t)rand() << 20,
	};
}

static void
inode_roundtrip(void **state)
{
	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct dfs_entry a = random_entry(), b;
		uint8_t          bytes[DFS_INODE_BYTES];

		dfs_inode_encode(&a, bytes);
		assert_int_equal(dfs_inode_decode(bytes, &b), 0);
		assert_int_equal(a.mode, b.mode);
		assert_true(a.oid.lo == b.oid.lo && a.oid.hi == b.oid.hi);
		assert_true(a.mtime.tv_sec == b.mtime.tv_sec && a.mtime.tv_nsec == b.mtime.tv_nsec);
		assert_true(a.ctime.tv_sec == b.ctime.tv_sec && a.ctime.tv_nsec == b.ctime.tv_nsec);
		assert_true(a.chunk_size == b.chunk_size && a.oclass == b.oclass);
		assert_true(a.uid == b.uid && a.gid == b.gid && a.size == b.size && a.epoch == b.epoch);
	}
}

/** Bytes from the network: whatever they are, an entry that is accepted makes sense. */
static void
inode_of_random_bytes(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint8_t          bytes[DFS_INODE_BYTES];
		struct dfs_entry e;

		for (unsigned j = 0; j < sizeof(bytes); j++)
			bytes[j] = (uint8_t)rand();
		if (dfs_inode_decode(bytes, &e) == 0)
			assert_true(e.mtime.tv_nsec < 1000000000 && (e.mode & S_IFMT) != 0);
	}
}

static void
inode_is_as_drawn(void **state)
{
	static const uint8_t first[] = {0xa4, 0x81, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1};
	struct dfs_entry     e = {.mode = S_IFREG | 0644, .oid = {.lo = 0x0102030405060708}, .epoch = 0x11};
	uint8_t              bytes[DFS_INODE_BYTES];
	daos_recx_t          recx;

	(void)state;
	dfs_inode_encode(&e, bytes);
	assert_memory_equal(bytes, first, sizeof(first));
	dfs_field_extent(DFS_F_EPOCH, &recx);
	assert_int_equal(recx.rx_idx, 80);
	assert_int_equal(recx.rx_nr, 8);
	assert_int_equal(bytes[80], 0x11);
	dfs_field_extent(DFS_F_OID, &recx);
	assert_true(recx.rx_idx == 4 && recx.rx_nr == 16);
}

static void
names(void **state)
{
	char name[DFS_MAX_NAME + 2];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[DFS_MAX_NAME + 1] = '\0';
	assert_int_equal(dfs_name_check(name), ENAMETOOLONG);
	name[DFS_MAX_NAME] = '\0';
	assert_int_equal(dfs_name_check(name), 0);
	assert_int_equal(dfs_name_check("a b\n\377"), 0);
	assert_int_equal(dfs_name_check("..."), 0);
	assert_int_equal(dfs_name_check(""), EINVAL);
	assert_int_equal(dfs_name_check(NULL), EINVAL);
	assert_int_equal(dfs_name_check("."), EINVAL);
	assert_int_equal(dfs_name_check(".."), EINVAL);
	assert_int_equal(dfs_name_check("a/b"), EINVAL);
}

static void
hints(void **state)
{
	daos_oclass_hints_t file = 9, dir = 9;

	(void)state;
	assert_int_equal(dfs_hints_parse("", &file, &dir), 0);
	assert_true(file == 0 && dir == 0);
	assert_int_equal(dfs_hints_parse("file:single,dir:max", &file, &dir), 0);
	assert_true(file == DAOS_OCH_SHD_TINY && dir == DAOS_OCH_SHD_MAX);
	assert_int_equal(dfs_hints_parse("directory:single", &file, &dir), 0);
	assert_true(file == 0 && dir == DAOS_OCH_SHD_TINY);
	assert_int_equal(dfs_hints_parse("File:MAX", &file, &dir), 0);
	assert_int_equal(file, DAOS_OCH_SHD_MAX);
	assert_int_equal(dfs_hints_parse("file", &file, &dir), EINVAL);
	assert_int_equal(dfs_hints_parse("file:", &file, &dir), EINVAL);
	assert_int_equal(dfs_hints_parse("file:big", &file, &dir), EINVAL);
	assert_int_equal(dfs_hints_parse("link:max", &file, &dir), EINVAL);
	assert_int_equal(dfs_hints_parse("file:max,,dir:max", &file, &dir), EINVAL);
}

#define P_UUID "3f0c0a4e-6a46-4f6f-9d1c-1c5d3e6b5a01"
#define C_UUID "9b0ad6a0-0ec5-4d0f-8f5c-97c9a26f5b02"

static void
uris(void **state)
{
	static const struct {
		const char *path;
		uint32_t    flags;
		int         rc;
		const char *pool, *cont, *rel;
	} cases[] = {
	    {"daos://pool/cont", 0, 0, "pool", "cont", NULL},
	    {"daos://pool/cont/", 0, 0, "pool", "cont", "/"},
	    {"daos://pool/cont/a/b c", 0, 0, "pool", "cont", "/a/b c"},
	    {"daos://" P_UUID "/" C_UUID "/x", 0, 0, P_UUID, C_UUID, "/x"},
	    {"daos://pool", 0, 0, "pool", "", NULL},
	    {"daos://pool/", 0, 0, "pool", "", NULL},
	    {"daos://", 0, EINVAL, NULL, NULL, NULL},
	    {"daos:///cont", 0, EINVAL, NULL, NULL, NULL},
	    {"daos:pool/cont", 0, EINVAL, NULL, NULL, NULL},
	    {"daos://po ol/cont", 0, EINVAL, NULL, NULL, NULL},
	    {"daos://pool/co*nt", 0, EINVAL, NULL, NULL, NULL},
	    {"/" P_UUID "/" C_UUID, DUNS_NO_PREFIX, 0, P_UUID, C_UUID, NULL},
	    {"//" P_UUID "/" C_UUID "/d/e", DUNS_NO_PREFIX, 0, P_UUID, C_UUID, "/d/e"},
	    {"/pool/cont", DUNS_NO_PREFIX, EINVAL, NULL, NULL, NULL},
	    {"/" P_UUID, DUNS_NO_PREFIX, EINVAL, NULL, NULL, NULL},
	    {"/tmp", DUNS_NO_CHECK_PATH, EINVAL, NULL, NULL, NULL},
	    {"", 0, EINVAL, NULL, NULL, NULL},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(cases); i++) {
		struct duns_attr_t attr = {.da_flags = cases[i].flags};

		assert_int_equal(duns_resolve_path(cases[i].path, &attr), cases[i].rc);
		if (cases[i].rc == 0) {
			assert_string_equal(attr.da_pool, cases[i].pool);
			assert_string_equal(attr.da_cont, cases[i].cont);
			if (cases[i].rel == NULL)
				assert_null(attr.da_rel_path);
			else
				assert_string_equal(attr.da_rel_path, cases[i].rel);
		}
		duns_destroy_attr(&attr);
	}
}

static void
link_values(void **state)
{
	static const struct {
		const char        *text;
		int                rc;
		daos_cont_layout_t type;
	} cases[] = {
	    {"DAOS.POSIX://" P_UUID "/" C_UUID, 0, DAOS_PROP_CO_LAYOUT_POSIX},
	    {"DAOS.HDF5://pool/cont", 0, DAOS_PROP_CO_LAYOUT_HDF5},
	    {"DAOS.NOPE://pool/cont", EINVAL, 0},
	    {"DAOS.POSIX://pool", EINVAL, 0},
	    {"DAOS.POSIX://pool/", EINVAL, 0},
	    {"DAOS.POSIX:/pool/cont", EINVAL, 0},
	    {"POSIX://pool/cont", EINVAL, 0},
	    {"DAOS.", EINVAL, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(cases); i++) {
		struct duns_attr_t attr = {0};

		assert_int_equal(duns_parse_attr((char *)cases[i].text, strlen(cases[i].text), &attr),
				 cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(attr.da_type, cases[i].type);
	}
	assert_int_equal(duns_parse_attr((char *)cases[0].text, 0, &(struct duns_attr_t){0}), EINVAL);
	assert_int_equal(duns_parse_attr((char *)cases[0].text, DUNS_MAX_XATTR_LEN + 1,
					 &(struct duns_attr_t){0}), EINVAL);
}

static void
system_name(void **state)
{
	struct duns_attr_t attr = {0};

	(void)state;
	assert_int_equal(duns_set_sys_name(&attr, "daos_server"), 0);
	assert_string_equal(attr.da_sys, "daos_server");
	assert_int_equal(duns_set_sys_name(&attr, NULL), 0);
	assert_null(attr.da_sys);
	assert_int_equal(duns_set_sys_name(NULL, "x"), EINVAL);
	duns_destroy_attr(NULL);
}

static void
inode_numbers(void **state)
{
	daos_obj_id_t root = {.lo = 0, .hi = DFS_OID_HI_ROOT | 0xabcdULL << 40};

	(void)state;
	assert_int_equal(dfs_oid2ino(root), 1);
	assert_int_equal(dfs_oid2ino((daos_obj_id_t){.lo = 2, .hi = 3}), (2ULL << 32) + 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(inode_roundtrip), cmocka_unit_test(inode_of_random_bytes),
	    cmocka_unit_test(inode_is_as_drawn), cmocka_unit_test(names), cmocka_unit_test(hints),
	    cmocka_unit_test(uris), cmocka_unit_test(link_values), cmocka_unit_test(system_name),
	    cmocka_unit_test(inode_numbers),
	};

	return cmocka_run_group_tests_name("dfs pure", tests, NULL, NULL);
}
