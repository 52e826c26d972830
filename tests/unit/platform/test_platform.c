/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <string.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "platform/platform.h"

static void
test_clocks(void **state)
{
	uint64_t last_ns = plat_now_ns();

	for (int i = 0; i < 10000; i++) {
		uint64_t now_ns = plat_now_ns();

		assert_true(now_ns >= last_ns);
		last_ns = now_ns;
	}
	assert_true(plat_realtime_ns() > 1600000000ULL * NSEC_PER_SEC);
}

static void
test_random(void **state)
{
	uint8_t  bytes[1000] = {0};
	unsigned zero_nr = 0;

	assert_true(plat_random() != plat_random());
	plat_random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		zero_nr += bytes[i] == 0;
	assert_true(zero_nr < 50);
}

static void
test_uuid(void **state)
{
	unsigned char a[16], b[16];

	plat_uuid_generate(a);
	plat_uuid_generate(b);
	assert_memory_not_equal(a, b, 16);
	assert_int_equal(a[6] >> 4, 4);
	assert_int_equal(a[8] >> 6, 2);
}

struct seen {
	bool ran;
	bool term_blocked;
	bool segv_blocked;
	int  bind_rc;
};

static void
thread_main(void *arg)
{
	struct seen *seen = arg;
	sigset_t     set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	seen->term_blocked = sigismember(&set, SIGTERM);
	seen->segv_blocked = sigismember(&set, SIGSEGV);
	seen->bind_rc = plat_thread_bind(1000000);
	seen->ran = true;
}

static void
test_thread(void **state)
{
	struct plat_thread *thread;
	struct seen         seen = {0};
	sigset_t            set;

	assert_int_equal(plat_thread_create("a name that is too long", thread_main, &seen, &thread), 0);
	plat_thread_join(thread);
	assert_true(seen.ran && seen.term_blocked && !seen.segv_blocked);
	assert_int_equal(seen.bind_rc, -DER_INVAL);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	assert_false(sigismember(&set, SIGTERM)); /* the creator's mask is as before */
	assert_true(plat_core_nr() >= 1);
}

/* ---- NUMA ---- */

static void
test_core_lists(void **state)
{
	const int want[] = {0, 1, 2, 3, 8, 10, 11, -1};

	for (unsigned i = 0; i < ARRAY_NR(want); i++)
		assert_int_equal(plat_core_list_at("0-3,8,10-11\n", i), want[i]);
	assert_int_equal(plat_core_list_at("5", 0), 5);
	assert_int_equal(plat_core_list_at("", 0), -1);
	assert_int_equal(plat_core_list_at("\n", 0), -1);
	assert_int_equal(plat_core_list_at("3-1", 0), -1);
	assert_int_equal(plat_core_list_at("x", 0), -1);
}

static void
memory_near(void *arg)
{
	unsigned long mask[16] = {0};
	int           mode = -1;
	int           node = *(int *)arg;

	assert_int_equal(plat_thread_memory_node(node), 0);
	assert_int_equal(syscall(SYS_get_mempolicy, &mode, mask, sizeof(mask) * 8, NULL, 0), 0);
	assert_int_equal(mode, MPOL_PREFERRED);
	assert_int_equal(mask[node / 64], 1UL << node % 64);
	assert_int_equal(plat_thread_memory_node(100000), -DER_INVAL);
}

static void
test_memory_of_node(void **state)
{
	int                 node = plat_core_node(0);
	struct plat_thread *thread;

	assert_int_equal(plat_core_node(1000000), -1);
	assert_int_equal(plat_node_core(1000000, 0), -1);
	if (node < 0 || access("/sys/devices/system/node/node0", F_OK) != 0)
		skip(); /* a kernel without NUMA */
	assert_true(plat_node_core(node, 0) >= 0);
	assert_int_equal(plat_core_node(plat_node_core(node, 0)), node);
	assert_int_equal(plat_node_core(node, 100000), -1);
	assert_int_equal(plat_thread_create("near", memory_near, &node, &thread), 0);
	plat_thread_join(thread);
}

static unsigned
resident_nr(void *map, size_t page_bytes, unsigned page_nr)
{
	unsigned char in[16];
	unsigned      nr = 0;

	assert_true(page_nr <= sizeof(in));
	assert_int_equal(mincore(map, page_nr * page_bytes, in), 0);
	for (unsigned i = 0; i < page_nr; i++)
		nr += in[i] & 1;
	return nr;
}

static void
test_map_is_backed(void **state)
{
	size_t         page = plat_page_bytes();
	unsigned char *map = plat_map(16 * page);

	assert_non_null(map);
	assert_int_equal(resident_nr(map, page, 16), 0);
	map[4 * page] = 1;
	plat_map_back(map + 3 * page, 5 * page);
	if (resident_nr(map, page, 16) != 1) /* a kernel before 5.14 leaves it to the faults */
		assert_int_equal(resident_nr(map, page, 16), 5);
	assert_int_equal(map[4 * page], 1);
	for (size_t i = 0; i < 16 * page; i++)
		assert_int_equal(map[i], i == 4 * page);
	plat_unmap(map, 16 * page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_core_lists),
		cmocka_unit_test(test_memory_of_node),
		cmocka_unit_test(test_map_is_backed),
	};

	return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
