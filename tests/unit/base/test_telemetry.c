/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/telemetry.h"

static uint64_t fake_now = 1000000;

static uint64_t
fake_now_ns(void)
{
	return fake_now;
}

static uint64_t
fake_realtime_ns(void)
{
	return 1700000000ULL * 1000000000ULL;
}

static const struct d_tm_clock clock_fake = {fake_now_ns, fake_realtime_ns};

static void
shm_name(char name[64])
{
	snprintf(name, 64, "/base_tm_test_%d", (int)getpid());
}

static struct d_tm *
tm_private(uint32_t node_max)
{
	struct d_tm *tm;

	assert_int_equal(d_tm_create(NULL, node_max, &clock_fake, &tm), 0);
	return tm;
}

static void
test_types(void **state)
{
	struct d_tm       *tm = tm_private(0);
	struct d_tm_node  *counter, *gauge, *stats, *stamp, *dur;
	struct d_tm_value  v;

	assert_int_equal(d_tm_add_metric(tm, &counter, D_TM_COUNTER, "ops", "ops", "io/ops/%s", "update"), 0);
	assert_int_equal(d_tm_add_metric(tm, &gauge, D_TM_GAUGE, NULL, NULL, "io/active/tgt_%d", 0), 0);
	assert_int_equal(d_tm_add_metric(tm, &stats, D_TM_STATS_GAUGE, NULL, "B", "io/size"), 0);
	assert_int_equal(d_tm_add_metric(tm, &stamp, D_TM_TIMESTAMP, NULL, NULL, "started_at"), 0);
	assert_int_equal(d_tm_add_metric(tm, &dur, D_TM_DURATION, NULL, "us", "io/latency"), 0);
	d_tm_inc_counter(counter, 3);
	d_tm_inc_counter(counter, 4);
	d_tm_read(counter, &v);
	assert_int_equal(v.value, 7);
	d_tm_set_gauge(gauge, 5);
	d_tm_inc_gauge(gauge, 2);
	d_tm_dec_gauge(gauge, 3);
	d_tm_read(gauge, &v);
	assert_int_equal(v.value, 4);
	assert_int_equal(v.sample_nr, 0);
	for (int i = 2; i <= 4; i++)
		d_tm_set_gauge(stats, i);
	d_tm_read(stats, &v);
	assert_int_equal(v.sample_nr, 3);
	assert_int_equal(v.min, 2);
	assert_int_equal(v.max, 4);
	assert_int_equal(v.sum, 9);
	assert_true(fabs(v.mean - 3) < 1e-9 && fabs(v.std_dev - 1) < 1e-9);
	d_tm_record_timestamp(tm, stamp);
	d_tm_read(stamp, &v);
	assert_int_equal(v.value, 1700000000);
	uint64_t start = d_tm_now_ns(tm);
	fake_now += 42000;
	d_tm_record_duration(tm, dur, start);
	d_tm_read(dur, &v);
	assert_int_equal(v.value, 42);
	assert_int_equal(v.sample_nr, 1);
	d_tm_destroy(tm);
}

static void
test_null_is_ignored(void **state)
{
	struct d_tm_node *node = (struct d_tm_node *)1;

	assert_int_equal(d_tm_add_metric(NULL, &node, D_TM_COUNTER, NULL, NULL, "x"), 0);
	assert_null(node);
	d_tm_inc_counter(node, 1);
	d_tm_set_gauge(node, 1);
	d_tm_record_timestamp(NULL, node);
	d_tm_record_duration(NULL, node, 0);
	d_tm_destroy(NULL);
	d_tm_close(NULL);
}

static void
test_refused(void **state)
{
	struct d_tm      *tm = tm_private(4); /* the root and three more */
	struct d_tm_node *node, *again;
	char              longest[300];

	assert_int_equal(d_tm_add_metric(tm, &node, D_TM_COUNTER, NULL, NULL, "a/b"), 0);
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_COUNTER, NULL, NULL, "/a//b"), 0);
	assert_ptr_equal(node, again);
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_GAUGE, NULL, NULL, "a/b"), -DER_EXIST);
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_GAUGE, NULL, NULL, "a/b/c"), -DER_EXIST);
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_GAUGE, NULL, NULL, "a"), -DER_EXIST);
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_GAUGE, NULL, NULL, "/"), -DER_INVAL);
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_DIRECTORY, NULL, NULL, "d"), -DER_INVAL);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[299] = '\0';
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_GAUGE, NULL, NULL, "%s", longest),
			 -DER_EXCEEDS_PATH_LEN);
	longest[100] = '\0';
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_GAUGE, NULL, NULL, "%s", longest),
			 -DER_EXCEEDS_PATH_LEN);
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_GAUGE, NULL, NULL, "c"), 0);
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_GAUGE, NULL, NULL, "d"), -DER_NO_SHMEM);
	assert_int_equal(d_tm_remove(tm, "a"), 0);
	assert_int_equal(d_tm_remove(tm, "a"), -DER_METRIC_NOT_FOUND);
	assert_int_equal(d_tm_add_metric(tm, &again, D_TM_GAUGE, NULL, NULL, "d"), 0);
	d_tm_destroy(tm);
}

static int
visit_append(const struct d_tm_visit *visit, void *arg)
{
	strcat(arg, visit->path);
	strcat(arg, " ");
	return 0;
}

static int
visit_stop(const struct d_tm_visit *visit, void *arg)
{
	return 5;
}

static void
test_foreach_and_remove(void **state)
{
	struct d_tm      *tm = tm_private(0);
	struct d_tm_node *node;
	char              text[256] = "";

	for (int i = 0; i < 3; i++) {
		assert_int_equal(d_tm_add_metric(tm, &node, D_TM_COUNTER, "d", "u", "p/%d/n", i), 0);
		assert_int_equal(d_tm_add_metric(tm, &node, D_TM_GAUGE, "d", "u", "p/%d/g", i), 0);
	}
	assert_int_equal(d_tm_remove(tm, "p/1"), 0);
	assert_int_equal(d_tm_foreach(tm, "", D_TM_COUNTER, visit_append, text), 0);
	assert_string_equal(text, "p/0/n p/2/n ");
	text[0] = '\0';
	assert_int_equal(d_tm_foreach(tm, "/p/2", D_TM_ALL | D_TM_DIRECTORY, visit_append, text), 0);
	assert_string_equal(text, "p/2 p/2/n p/2/g ");
	assert_int_equal(d_tm_foreach(tm, "p/1", D_TM_ALL, visit_append, text), -DER_METRIC_NOT_FOUND);
	assert_int_equal(d_tm_foreach(tm, "", D_TM_ALL, visit_stop, NULL), 5);
	assert_int_equal(d_tm_remove(tm, "p/2/g"), 0); /* the last child: the next goes after "n" */
	assert_int_equal(d_tm_add_metric(tm, &node, D_TM_GAUGE, "d", "u", "p/2/h"), 0);
	text[0] = '\0';
	assert_int_equal(d_tm_foreach(tm, "p/2", D_TM_ALL, visit_append, text), 0);
	assert_string_equal(text, "p/2/n p/2/h ");
	d_tm_destroy(tm);
}

static void
test_read_from_outside(void **state)
{
	struct d_tm      *owner, *second, *reader;
	struct d_tm_node *node, *seen;
	struct d_tm_value v;
	char              name[64];
	char              text[256] = "";

	shm_name(name);
	assert_int_equal(d_tm_open(name, &reader), -DER_METRIC_NOT_FOUND);
	assert_int_equal(d_tm_create(name, 100, &clock_fake, &owner), 0);
	assert_int_equal(d_tm_add_metric(owner, &node, D_TM_COUNTER, "d", "u", "a/b"), 0);
	assert_int_equal(d_tm_open(name, &reader), 0);
	d_tm_inc_counter(node, 9);
	assert_int_equal(d_tm_find(reader, "a/b", &seen), 0);
	assert_int_equal(d_tm_find(reader, "a/c", &seen), -DER_METRIC_NOT_FOUND);
	d_tm_read(seen, &v);
	assert_int_equal(v.value, 9);
	assert_int_equal(d_tm_foreach(reader, "", D_TM_ALL, visit_append, text), 0);
	assert_string_equal(text, "a/b ");
	d_tm_close(reader);
	/* Another life of the process replaces what the first left. */
	assert_int_equal(d_tm_create(name, 100, &clock_fake, &second), 0);
	assert_int_equal(d_tm_open(name, &reader), 0);
	assert_int_equal(d_tm_find(reader, "a", &seen), -DER_METRIC_NOT_FOUND);
	d_tm_close(reader);
	d_tm_destroy(second);
	d_tm_destroy(owner);
	assert_int_equal(d_tm_open(name, &reader), -DER_METRIC_NOT_FOUND);
}

/** Random damage to a segment must not hurt a reader. */
static void
test_damaged_segment(void **state)
{
	struct d_tm      *owner, *reader;
	struct d_tm_node *node;
	char              name[64];
	char              text[4096];
	int               fd;

	srand(7);
	shm_name(name);
	for (int round = 0; round < 200; round++) {
		assert_int_equal(d_tm_create(name, 20, &clock_fake, &owner), 0);
		for (int i = 0; i < 8; i++)
			assert_int_equal(d_tm_add_metric(owner, &node, D_TM_STATS_GAUGE, "d", "u", "a%d/b", i), 0);
		fd = shm_open(name, O_RDWR, 0);
		for (int i = 0; i < 30; i++) {
			uint32_t junk = rand() % 3 ? rand() % 40 : rand();
			off_t    off = 4096 + rand() % (20 * 90) * 4;

			assert_int_equal(pwrite(fd, &junk, sizeof(junk), off), sizeof(junk));
		}
		text[0] = '\0';
		assert_int_equal(d_tm_open(name, &reader), 0);
		(void)!d_tm_foreach(reader, "", D_TM_ALL, visit_stop, text);
		(void)!d_tm_find(reader, "a7/b", &node);
		d_tm_close(reader);
		assert_int_equal(pwrite(fd, "junk", 4, round % 2 ? 0 : 8), 4);
		assert_int_not_equal(d_tm_open(name, &reader), 0);
		close(fd);
		/* The owner only unmaps and unlinks. */
		d_tm_destroy(owner);
	}
}

static void *
sampler(void *arg)
{
	for (int i = 0; i < 20000; i++)
		d_tm_set_gauge(arg, 10);
	return NULL;
}

static void
test_statistics_under_threads(void **state)
{
	struct d_tm      *tm = tm_private(0);
	struct d_tm_node *node;
	struct d_tm_value v;
	pthread_t         threads[3];

	assert_int_equal(d_tm_add_metric(tm, &node, D_TM_STATS_GAUGE, NULL, NULL, "x"), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sampler, node), 0);
	for (int i = 0; i < 1000; i++) {
		d_tm_read(node, &v);
		if (v.sample_nr > 0)
			assert_int_equal(v.min, 10);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	d_tm_read(node, &v);
	assert_int_equal(v.sample_nr, 60000);
	assert_int_equal(v.sum, 600000);
	d_tm_destroy(tm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_null_is_ignored),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_foreach_and_remove),
		cmocka_unit_test(test_read_from_outside),
		cmocka_unit_test(test_damaged_segment),
		cmocka_unit_test(test_statistics_under_threads),
	};

	return cmocka_run_group_tests_name("base/telemetry", tests, NULL, NULL);
}
