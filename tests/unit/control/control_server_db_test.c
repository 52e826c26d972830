/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The system database's file: what is saved comes back, damage is noticed, and a failed save loses
 * nothing. */
#include <daos_errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/util.h"
#include "control/server/server_db.h"
#include "control_file.h"
#include "platform/platform.h"

struct world {
	struct test_dir	  dir;
	char		  path[128], errors[8192];
	struct server_db *db;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	test_dir_make(&w->dir);
	test_dir_file(&w->dir, "daos_system.json", w->path, sizeof(w->path));
	assert_int_equal(server_db_open(w->dir.path, "alpha", &w->db, w->errors, sizeof(w->errors)),
			 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	server_db_close(w->db);
	test_dir_remove(&w->dir);
	free(w);
	return 0;
}

static int
reopen(struct world *w)
{
	server_db_close(w->db);
	w->db = NULL;
	w->errors[0] = '\0';
	return server_db_open(w->dir.path, "alpha", &w->db, w->errors, sizeof(w->errors));
}

static void
add_member(struct world *w, int rank)
{
	char uuid[40];

	snprintf(uuid, sizeof(uuid), "00000000-0000-4000-8000-%012x", rank);
	assert_int_equal(json_array_append_new(
			     server_db_members(w->db),
			     json_pack("{s:i, s:s, s:s, s:I}", "rank", rank, "uuid", uuid, "state",
				       "Joined", "incarnation", (json_int_t)plat_random() >> 1)),
			 0);
}

static void
add_pool(struct world *w, const char *label, const char *uuid)
{
	assert_int_equal(
	    json_array_append_new(server_db_pools(w->db),
				  json_pack("{s:s, s:s}", "label", label, "uuid", uuid)),
	    0);
}

static void
a_new_database_is_empty_and_on_disk(void **state)
{
	struct world *w = *state;
	struct stat   st;
	char	      uuid[40];

	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(json_array_size(server_db_members(w->db)), 0);
	assert_int_equal(json_array_size(server_db_pools(w->db)), 0);
	snprintf(uuid, sizeof(uuid), "%s", db_str(server_db_doc(w->db), "uuid"));
	assert_int_equal(strlen(uuid), 36);
	assert_int_equal(reopen(w), 0);
	assert_string_equal(db_str(server_db_doc(w->db), "uuid"), uuid);
}

static void
what_is_saved_comes_back(void **state)
{
	struct world *w = *state;
	json_t	     *before;
	int	      i;

	for (i = 0; i < 100; i++)
		add_member(w, i);
	add_pool(w, "tank", "12345678-1234-4234-8234-123456789abc");
	json_object_set_new(server_db_doc(w->db), "attrs",
			    json_pack("{s:s}", "caf\xc3\xa9 \"x\"\n", "\xe2\x82\xac"));
	before = json_deep_copy(server_db_doc(w->db));
	assert_int_equal(server_db_save(w->db), 0);
	assert_int_equal(reopen(w), 0);
	assert_true(json_equal(before, server_db_doc(w->db)));
	json_decref(before);
}

/** Addresses by secondary providers are kept; members that have none, or are of older servers, load as they are. */
static void
secondary_uris_come_back(void **state)
{
	struct world *w = *state;
	json_t	     *uris;

	add_member(w, 0);
	add_member(w, 1);
	json_object_set_new(server_db_member(w->db, 1), "secondary_uris",
			    json_pack("[s, s]", "ofi+net://10.0.0.1:31516", "ofi+net://10.0.0.2:31616"));
	assert_int_equal(server_db_save(w->db), 0);
	assert_int_equal(reopen(w), 0);
	assert_null(json_object_get(server_db_member(w->db, 0), "secondary_uris"));
	uris = json_object_get(server_db_member(w->db, 1), "secondary_uris");
	assert_int_equal(json_array_size(uris), 2);
	assert_string_equal(json_string_value(json_array_get(uris, 1)), "ofi+net://10.0.0.2:31616");
}

static void
what_is_not_saved_does_not(void **state)
{
	struct world *w = *state;

	add_member(w, 0);
	assert_int_equal(server_db_save(w->db), 0);
	add_member(w, 1);
	assert_int_equal(reopen(w), 0);
	assert_int_equal(json_array_size(server_db_members(w->db)), 1);
}

static void
members_and_pools_are_found(void **state)
{
	struct world *w = *state;

	add_member(w, 0);
	add_member(w, 7);
	add_pool(w, "tank", "12345678-1234-4234-8234-123456789abc");
	assert_int_equal(db_int(server_db_member(w->db, 7), "rank"), 7);
	assert_null(server_db_member(w->db, 1));
	assert_ptr_equal(server_db_member_by_uuid(w->db, "00000000-0000-4000-8000-000000000007"),
			 server_db_member(w->db, 7));
	assert_null(server_db_member_by_uuid(w->db, "00000000-0000-4000-8000-000000000008"));
	assert_non_null(server_db_pool(w->db, "tank"));
	assert_ptr_equal(server_db_pool(w->db, "12345678-1234-4234-8234-123456789ABC"),
			 server_db_pool(w->db, "tank"));
	assert_null(server_db_pool(w->db, "TANK"));
	assert_null(server_db_pool(w->db, ""));
}

static void
members_of_objects_have_defaults(void **state)
{
	json_t *o = json_pack("{s:s, s:i}", "text", "t", "number", 5);

	assert_string_equal(db_str(o, "text"), "t");
	assert_string_equal(db_str(o, "missing"), "");
	assert_string_equal(db_str(o, "number"), "");
	assert_string_equal(db_str(NULL, "text"), "");
	assert_int_equal(db_int(o, "number"), 5);
	assert_int_equal(db_int(o, "text"), 0);
	assert_int_equal(db_int(NULL, "number"), 0);
	json_decref(o);
}

static void
erasing_makes_a_new_system(void **state)
{
	struct world *w = *state;
	char	      uuid[40];

	add_member(w, 0);
	assert_int_equal(server_db_save(w->db), 0);
	snprintf(uuid, sizeof(uuid), "%s", db_str(server_db_doc(w->db), "uuid"));
	assert_int_equal(server_db_erase(w->db), 0);
	assert_int_equal(reopen(w), 0);
	assert_int_equal(json_array_size(server_db_members(w->db)), 0);
	assert_string_not_equal(db_str(server_db_doc(w->db), "uuid"), uuid);
	assert_string_equal(db_str(server_db_doc(w->db), "system"), "alpha");
}

/** Each changed file is refused, named, and left as it is. */
static void
refuse(struct world *w, const char *bad, size_t bytes, const char *what, size_t at)
{
	size_t now_bytes;
	char  *now;
	int    rc;

	test_file_write(w->path, bad, bytes);
	rc = reopen(w);
	if (rc != -DER_DF_INVAL)
		fail_msg("%s %zu: %d", what, at, rc);
	assert_null(w->db);
	assert_non_null(strstr(w->errors, w->path));
	assert_non_null(strstr(w->errors, "damaged"));
	now = test_file_read(w->path, &now_bytes);
	assert_int_equal(now_bytes, bytes);
	assert_memory_equal(now, bad, bytes);
	free(now);
}

static char *
a_good_file(struct world *w, size_t *bytes)
{
	add_member(w, 0);
	add_member(w, 10);
	add_pool(w, "tank", "12345678-1234-4234-8234-123456789abc");
	assert_int_equal(server_db_save(w->db), 0);
	return test_file_read(w->path, bytes);
}

static void
every_truncation_is_refused(void **state)
{
	struct world *w = *state;
	size_t	      bytes, n;
	char	     *good = a_good_file(w, &bytes);

	assert_true(bytes > 300);
	for (n = 0; n < bytes; n++)
		refuse(w, good, n, "truncated at", n);
	test_file_write(w->path, good, bytes);
	assert_int_equal(reopen(w), 0);
	free(good);
}

static void
every_bit_flip_is_refused(void **state)
{
	struct world *w = *state;
	size_t	      bytes, i;
	char	     *good = a_good_file(w, &bytes);
	int	      bit;

	for (i = 0; i < bytes; i++) {
		for (bit = 0; bit < 8; bit++) {
			good[i] ^= 1 << bit;
			refuse(w, good, bytes, "bit flipped in byte", i);
			good[i] ^= 1 << bit;
		}
	}
	test_file_write(w->path, good, bytes);
	assert_int_equal(reopen(w), 0);
	free(good);
}

static void
other_content_is_refused(void **state)
{
	const char *const texts[] = {"null",
				     "[]",
				     "{}",
				     "{\"db\": {}}",
				     "{\"crc32c\": 0, \"db\": []}",
				     "{\"crc32c\": \"1\", \"db\": {}}",
				     "\xff\xfe",
				     "{\"crc32c\": 1e3, \"db\": {}}"};
	struct world	 *w = *state;
	size_t		  i;

	for (i = 0; i < ARRAY_NR(texts); i++)
		refuse(w, texts[i], strlen(texts[i]), "text", i);
}

static void
another_system_is_refused(void **state)
{
	struct world *w = *state;

	server_db_close(w->db);
	w->db = NULL;
	assert_int_equal(server_db_open(w->dir.path, "beta", &w->db, w->errors, sizeof(w->errors)),
			 -DER_MISMATCH);
	assert_non_null(strstr(w->errors, "'alpha'"));
	assert_non_null(strstr(w->errors, "'beta'"));
	assert_int_equal(reopen(w), 0);
}

static void
another_version_is_refused(void **state)
{
	struct world *w = *state;

	json_object_set_new(server_db_doc(w->db), "version", json_integer(2));
	assert_int_equal(server_db_save(w->db), 0);
	assert_int_equal(reopen(w), -DER_DF_INCOMPT);
	assert_non_null(strstr(w->errors, "version 2"));
}

static void
a_missing_directory(void **state)
{
	struct world	 *w = *state;
	struct server_db *db = NULL;

	assert_int_not_equal(
	    server_db_open("/nonexistent/daos", "alpha", &db, w->errors, sizeof(w->errors)), 0);
	assert_non_null(strstr(w->errors, "/nonexistent/daos/daos_system.json"));
	assert_null(db);
}

/** A save that fails midway (here: a limit on the size of files) leaves the old state. */
static void
a_save_that_fails_loses_nothing(void **state)
{
	struct world *w = *state;
	struct rlimit old, small;
	char	     *before, *after, path[160];
	size_t	      before_bytes, after_bytes;
	int	      i, rc;

	add_member(w, 0);
	assert_int_equal(server_db_save(w->db), 0);
	before = test_file_read(w->path, &before_bytes);
	for (i = 1; i < 200; i++)
		add_member(w, i);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	rc = server_db_save(w->db);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, -DER_IO);
	after = test_file_read(w->path, &after_bytes);
	assert_int_equal(after_bytes, before_bytes);
	assert_memory_equal(after, before, before_bytes);
	snprintf(path, sizeof(path), "%s.new", w->path);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(server_db_save(w->db), 0); /* once there is room again */
	assert_int_equal(reopen(w), 0);
	assert_int_equal(json_array_size(server_db_members(w->db)), 200);
	free(before);
	free(after);
}

/** A process that died while it wrote leaves a part beside; the next one does not mind. */
static void
a_part_left_beside_is_ignored(void **state)
{
	struct world *w = *state;
	char	      path[160];

	snprintf(path, sizeof(path), "%s.new", w->path);
	add_member(w, 3);
	assert_int_equal(server_db_save(w->db), 0);
	test_file_write(path, "{\"crc32c\": 12", 13);
	assert_int_equal(reopen(w), 0);
	assert_non_null(server_db_member(w->db, 3));
	add_member(w, 4);
	assert_int_equal(server_db_save(w->db), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(reopen(w), 0);
	assert_non_null(server_db_member(w->db, 4));
}

/** Who has the file open while it is replaced keeps reading the old whole one. */
static void
replacing_is_atomic(void **state)
{
	struct world *w = *state;
	char	      old[65536] = {0};
	FILE	     *f = fopen(w->path, "r");
	struct stat   a, b;
	json_t	     *doc;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &a), 0);
	add_member(w, 1);
	assert_int_equal(server_db_save(w->db), 0);
	assert_int_equal(stat(w->path, &b), 0);
	assert_true(a.st_ino != b.st_ino);
	assert_true(fread(old, 1, sizeof(old) - 1, f) > 0);
	doc = json_loads(old, 0, NULL);
	assert_non_null(doc);
	assert_int_equal(json_array_size(json_object_get(json_object_get(doc, "db"), "members")),
			 0);
	json_decref(doc);
	fclose(f);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_new_database_is_empty_and_on_disk),
	    CASE(what_is_saved_comes_back),
	    CASE(secondary_uris_come_back),
	    CASE(what_is_not_saved_does_not),
	    CASE(members_and_pools_are_found),
	    CASE(members_of_objects_have_defaults),
	    CASE(erasing_makes_a_new_system),
	    CASE(every_truncation_is_refused),
	    CASE(every_bit_flip_is_refused),
	    CASE(other_content_is_refused),
	    CASE(another_system_is_refused),
	    CASE(another_version_is_refused),
	    CASE(a_missing_directory),
	    CASE(a_save_that_fails_loses_nothing),
	    CASE(a_part_left_beside_is_ignored),
	    CASE(replacing_is_atomic),
	};

	return cmocka_run_group_tests_name("control/server_db", tests, NULL, NULL);
}
