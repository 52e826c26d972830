/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Options, caching attributes, and the inode table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include "dfuse/dfuse_args.h"
#include "dfuse/dfuse_caching.h"
#include "dfuse/dfuse_itable.h"
#include "dfuse/dfuse_missing.h"
#include "platform/platform.h"

/* ---- options ---- */

#define ARGV_MAX 24

static int
parse(const char *line, struct dfuse_args *a)
{
	char  copy[512], err[256] = "", *argv[ARGV_MAX + 1] = {"dfuse"};
	int   argc = 1, rc;
	char *save, *tok;

	snprintf(copy, sizeof(copy), "%s", line);
	for (tok = strtok_r(copy, " ", &save); tok != NULL && argc < ARGV_MAX; tok = strtok_r(NULL, " ", &save))
		argv[argc++] = tok;
	rc = dfuse_args_parse(argc, argv, a, err, sizeof(err));
	assert_int_equal(rc != 0, err[0] != '\0');
	return rc;
}

static void
options_that_mount(void **state)
{
	static const char *const lines[] = {
	    "--mountpoint=/mnt --pool=p --cont=c",
	    "--m=/mnt --pool=p --cont=c",
	    "--foreground -m /mnt --pool p --cont c",
	    "-m /mnt --pool p --container c",
	    "/mnt p c",
	    "/mnt -o pool=p,container=c",
	    "/mnt -o rw,pool=p,container=c,dev,suid",
	    "/mnt -o auto,x-systemd.requires=daos_agent.service,_netdev,nofail,pool=p,container=c",
	    "-o pool=p -o container=c /mnt",
	    "--pool p /mnt --container c",
	};
	struct dfuse_args a;

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(lines); i++) {
		assert_int_equal(parse(lines[i], &a), 0);
		assert_string_equal(a.mountpoint, "/mnt");
		assert_string_equal(a.pool, "p");
		assert_string_equal(a.cont, "c");
		assert_true(a.caching && a.wb_cache);
		assert_false(a.read_only || a.multi_user);
	}
}

static void
options_one_by_one(void **state)
{
	struct dfuse_args a;

	(void)state;
	assert_int_equal(parse("/mnt", &a), 0);
	assert_string_equal(a.pool, "");
	assert_int_equal(parse("-f -M -r -t 7 -e 2 -G sys --path /p /mnt", &a), 0);
	assert_true(a.foreground && a.multi_user && a.read_only);
	assert_int_equal(a.thread_nr, 7);
	assert_string_equal(a.sys, "sys");
	assert_string_equal(a.path, "/p");
	assert_int_equal(parse("--disable-caching --enable-wb-cache /mnt", &a), 0);
	assert_false(a.caching || a.wb_cache);
	assert_int_equal(parse("--disable-wb-cache /mnt", &a), 0);
	assert_true(a.caching && !a.wb_cache);
	assert_int_equal(parse("--enable-caching /mnt", &a), 0);
	assert_true(a.caching && a.wb_cache);
	assert_int_equal(parse("--thread-count=3 --eq-count=1 --multi-user --read-only --sys-name=s /mnt", &a), 0);
	assert_int_equal(a.thread_nr, 3);
	assert_int_equal(parse("/mnt -o ro,multi_user,noexec,nosuid,allow_other", &a), 0);
	assert_true(a.read_only && a.multi_user && a.allow_other);
	assert_string_equal(a.fuse_opts, ",noexec,nosuid");
	assert_int_equal(parse("--help", &a), 0);
	assert_true(a.show_help);
	assert_int_equal(parse("-v", &a), 0);
	assert_true(a.show_version);
}

static void
options_refused(void **state)
{
	static const char *const lines[] = {
	    "", "--pool p --container c", "/mnt p c d", "--container c /mnt", "--path /x --pool p /mnt",
	    "--nonsense /mnt", "-m", "-t 0 /mnt", "-t x /mnt", "-t 99999 /mnt", "-e -1 /mnt", "--pool= /mnt",
	    "/mnt -o bogus", "/mnt -o pool=", "-G a-system-name-that-is-too-long /mnt",
	};
	struct dfuse_args a;

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(lines); i++)
		assert_int_equal(parse(lines[i], &a), EINVAL);
}

/* ---- caching ---- */

static void
times(void **state)
{
	static const struct {
		const char *text;
		int         rc;
		uint32_t    sec;
	} cases[] = {{"0", 0, 0},        {"90", 0, 90},     {"90s", 0, 90},  {"5m", 0, 300},
		     {"2h", 0, 7200},    {"1d", 0, 86400},  {"1D", 0, 86400}, {"", EINVAL, 0},
		     {"s", EINVAL, 0},   {"5x", EINVAL, 0}, {"5ms", EINVAL, 0}, {"-1", EINVAL, 0},
		     {"99999999999", EINVAL, 0}, {"99999d", EINVAL, 0}};
	uint32_t sec;

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(cases); i++) {
		assert_int_equal(dfuse_time_parse(cases[i].text, strlen(cases[i].text), &sec), cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(sec, cases[i].sec);
	}
}

static void
set(struct dfuse_caching *c, const char *attr, const char *dentry, const char *dir, const char *ndentry,
    const char *data, const char *direct)
{
	const char *values[] = {attr, dentry, dir, ndentry, data, direct};
	size_t      lens[6];

	for (unsigned i = 0; i < 6; i++)
		lens[i] = values[i] == NULL ? 0 : strlen(values[i]);
	dfuse_caching_default(c);
	dfuse_caching_set(c, values, lens);
}

static void
caching_attributes(void **state)
{
	struct dfuse_caching c;

	(void)state;
	set(&c, NULL, NULL, NULL, NULL, NULL, NULL);
	assert_true(c.attr_sec == 1 && c.dentry_sec == 1 && c.dentry_dir_sec == 5 && c.ndentry_sec == 1);
	assert_int_equal(c.data_sec, 600);
	set(&c, "5m", NULL, NULL, NULL, NULL, NULL);
	assert_true(c.attr_sec == 300 && c.dentry_sec == 0 && c.dentry_dir_sec == 0 && c.data_sec == 0);
	set(&c, NULL, "7", NULL, NULL, "on", NULL);
	assert_true(c.dentry_sec == 7 && c.dentry_dir_sec == 7 && c.data_sec == DFUSE_FOREVER_SEC);
	set(&c, NULL, "7", "9", "2", "off", NULL);
	assert_true(c.dentry_dir_sec == 9 && c.ndentry_sec == 2 && c.data_sec == 0 && !c.data_open);
	set(&c, NULL, NULL, NULL, NULL, "otoc", NULL);
	assert_true(c.data_sec == 0 && c.data_open);
	set(&c, NULL, NULL, NULL, NULL, "off", "on");
	assert_true(c.data_sec == DFUSE_FOREVER_SEC && c.no_direct);
	set(&c, "what", NULL, NULL, NULL, "ever", "maybe");
	assert_true(c.attr_sec == 0 && c.data_sec == 0 && !c.no_direct);
}

/* ---- inode table ---- */

static void
free_entry(struct dfuse_ientry *e)
{
	free(e);
}

static struct dfuse_ientry *
fresh(uint64_t n)
{
	struct dfuse_ientry *e = malloc(sizeof(*e));

	dfuse_ientry_init(e, NULL, (daos_obj_id_t){.lo = n, .hi = n * 3});
	return e;
}

static void
table_like_counters(void **state)
{
	enum { NR = 500 };
	struct dfuse_itable *t       = dfuse_itable_create();
	struct dfuse_ientry *now[NR] = {0}, *e, *mine;
	uint64_t             refs[NR] = {0}, held = 0;

	(void)state;
	for (int step = 0; step < 200000; step++) {
		uint64_t n = (uint64_t)rand() % NR, drop;

		switch (rand() % 3) {
		case 0:
			mine = fresh(n);
			e    = dfuse_itable_insert(t, mine);
			assert_true(now[n] == NULL ? e == mine : e == now[n]);
			if (e != mine)
				free(mine);
			held += refs[n] == 0;
			now[n] = e;
			refs[n]++;
			break;
		case 1:
			e = dfuse_itable_find(t, NULL, (daos_obj_id_t){.lo = n, .hi = n * 3});
			assert_ptr_equal(e, now[n]);
			refs[n] += e != NULL;
			break;
		default:
			if (refs[n] == 0)
				break;
			drop = 1 + (uint64_t)rand() % refs[n];
			refs[n] -= drop;
			assert_int_equal(dfuse_itable_put(t, now[n], drop), refs[n] == 0);
			if (refs[n] == 0) {
				free(now[n]);
				now[n] = NULL;
				held--;
			}
		}
		if (step % 5000 == 0)
			assert_int_equal(dfuse_itable_nr(t), held);
	}
	dfuse_itable_destroy(t, free_entry);
}

static void
table_replaces(void **state)
{
	struct dfuse_itable *t = dfuse_itable_create();
	struct dfuse_ientry *a = fresh(1), *b = fresh(1);

	(void)state;
	assert_ptr_equal(dfuse_itable_insert(t, a), a);
	assert_ptr_equal(dfuse_itable_replace(t, a, b), b);
	assert_ptr_equal(dfuse_itable_find(t, NULL, a->oid), b);
	assert_int_equal(dfuse_itable_nr(t), 1);
	assert_true(dfuse_itable_put(t, a, 1)); /* detached, still counted */
	free(a);
	assert_true(dfuse_itable_put(t, b, 2));
	free(b);
	assert_int_equal(dfuse_itable_nr(t), 0);
	dfuse_itable_destroy(t, free_entry);
}

struct hammer {
	struct plat_thread  *thread;
	struct dfuse_itable *t;
	unsigned             seed;
};

static void
hammer(void *arg)
{
	struct hammer *h = arg;

	for (int i = 0; i < 20000; i++) {
		struct dfuse_ientry *mine = fresh((uint64_t)rand_r(&h->seed) % 16);
		struct dfuse_ientry *e    = dfuse_itable_insert(h->t, mine);

		if (e != mine)
			free(mine);
		dfuse_itable_get(h->t, e);
		if (dfuse_itable_put(h->t, e, 2))
			free(e);
	}
}

static void
table_with_threads(void **state)
{
	struct dfuse_itable *t    = dfuse_itable_create();
	struct hammer        h[4] = {0};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		h[i] = (struct hammer){.t = t, .seed = i};
		assert_int_equal(plat_thread_create("hammer", hammer, &h[i], &h[i].thread), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		plat_thread_join(h[i].thread);
	assert_int_equal(dfuse_itable_nr(t), 0);
	dfuse_itable_destroy(t, free_entry);
}

/* ---- names known to be missing ---- */

static void
missing_names(void **state)
{
	struct dfuse_missing m;
	char                 name[16];
	uint32_t             begun;

	(void)state;
	dfuse_missing_init(&m);
	assert_int_equal(dfuse_missing_find(&m, "a", 0), 0);
	dfuse_missing_add(&m, dfuse_missing_begin(&m), "a", 100);
	assert_int_equal(dfuse_missing_find(&m, "a", 99), 100);
	assert_int_equal(dfuse_missing_find(&m, "a", 100), 0); /* too old */
	assert_int_equal(dfuse_missing_find(&m, "b", 1), 0);
	begun = dfuse_missing_begin(&m);
	dfuse_missing_forget(&m, "c"); /* a name is added while another lookup is under way */
	assert_int_equal(dfuse_missing_find(&m, "a", 1), 0);
	dfuse_missing_add(&m, begun, "a", 100);
	assert_int_equal(dfuse_missing_find(&m, "a", 1), 0);
	for (int i = 0; i < DFUSE_MISSING_NR + 1; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		dfuse_missing_add(&m, dfuse_missing_begin(&m), name, 100);
	}
	assert_int_equal(dfuse_missing_find(&m, "n0", 1), 0); /* no room */
	assert_int_equal(dfuse_missing_find(&m, "n1", 1), 100);
	assert_int_equal(dfuse_missing_find(&m, name, 1), 100);
	dfuse_missing_fini(&m);
}

static void
missing_in_a_fresh_directory(void **state)
{
	struct dfuse_missing m;
	char                 name[16];

	(void)state;
	dfuse_missing_init(&m);
	dfuse_missing_forget(&m, "before"); /* not fresh: nothing is remembered of it */
	dfuse_missing_fresh(&m, 100);
	assert_int_equal(dfuse_missing_find(&m, "a", 1), 100);
	dfuse_missing_forget(&m, "a");
	assert_int_equal(dfuse_missing_find(&m, "a", 1), 0);
	assert_int_equal(dfuse_missing_find(&m, "b", 1), 100);
	for (int i = 0; i < DFUSE_MADE_MAX - 1; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(dfuse_missing_find(&m, name, 1), 100);
		dfuse_missing_forget(&m, name);
		dfuse_missing_forget(&m, name);
		assert_int_equal(dfuse_missing_find(&m, name, 1), 0);
	}
	assert_int_equal(dfuse_missing_find(&m, "a", 1), 0);
	assert_int_equal(dfuse_missing_find(&m, "b", 99), 100);
	dfuse_missing_forget(&m, "one too many");
	assert_int_equal(dfuse_missing_find(&m, "b", 99), 0); /* asked for from now on */
	dfuse_missing_fresh(&m, 100);
	assert_int_equal(dfuse_missing_find(&m, "b", 99), 100);
	assert_int_equal(dfuse_missing_find(&m, "b", 100), 0);
	assert_int_equal(dfuse_missing_find(&m, "b", 99), 0); /* it is over for good */
	dfuse_missing_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_that_mount), cmocka_unit_test(options_one_by_one),
	    cmocka_unit_test(options_refused),    cmocka_unit_test(times),
	    cmocka_unit_test(caching_attributes), cmocka_unit_test(table_like_counters),
	    cmocka_unit_test(table_replaces),     cmocka_unit_test(table_with_threads),
	    cmocka_unit_test(missing_names),      cmocka_unit_test(missing_in_a_fresh_directory),
	};

	return cmocka_run_group_tests_name("dfuse pure", tests, NULL, NULL);
}
