/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Barriers among many ranks in one process. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/crt_barrier.h"
#include "crt_many_util.h"
#include "platform/platform.h"

#define NR_MAX 300
#define LONG_NS (60 * NSEC_PER_SEC)

static struct {
	uint32_t over[NR_MAX]; /* barriers that rank r has passed */
	int      rc[NR_MAX];
	uint32_t done_nr;
} t;

static void
passed(void *arg, int rc)
{
	d_rank_t r = (d_rank_t)(uintptr_t)arg;

	t.over[r]++;
	t.rc[r] = rc;
	t.done_nr++;
}

static void
enter(struct many *m, d_rank_t r, uint64_t timeout_ns)
{
	assert_int_equal(crt_barrier(m->ctx[r], timeout_ns, passed, (void *)(uintptr_t)r), 0);
}

static void
pump_until(struct many *m, uint32_t done_nr)
{
	uint64_t end = plat_now_ns() + 60 * NSEC_PER_SEC;

	while (t.done_nr < done_nr) {
		many_pump(m);
		assert_true(plat_now_ns() < end);
	}
	assert_int_equal(t.done_nr, done_nr);
}

static int
setup(void **state)
{
	memset(&t, 0, sizeof(t));
	return 0;
}

/** Whoever comes last: nobody is through before. */
static void
last_one(void **state)
{
	static const uint32_t sizes[] = {1, 2, 5, 17, 64};

	for (size_t s = 0; s < ARRAY_NR(sizes); s++) {
		struct many m;
		uint32_t    nr = sizes[s];

		many_start(&m, nr, NULL);
		for (d_rank_t last = 0; last < nr; last += 1 + nr / 8) {
			memset(&t, 0, sizeof(t));
			for (d_rank_t r = 0; r < nr; r++)
				if (r != last)
					enter(&m, r, LONG_NS);
			for (int i = 0; i < 20; i++)
				many_pump(&m);
			assert_int_equal(t.done_nr, 0);
			enter(&m, last, LONG_NS);
			pump_until(&m, nr);
			for (d_rank_t r = 0; r < nr; r++)
				assert_int_equal(t.rc[r], 0);
		}
		many_stop(&m);
	}
}

/** Each goes through many, as fast as it can: no two are ever more than one apart. */
static void
in_turn(void **state)
{
	struct many m;
	uint32_t    entered[20] = {0};
	unsigned    seed = 5;

	many_start(&m, 20, NULL);
	while (t.done_nr < 20 * 30) {
		uint32_t lo = UINT32_MAX, hi = 0;

		for (d_rank_t r = 0; r < 20; r++) {
			if (entered[r] == t.over[r] && entered[r] < 30 && rand_r(&seed) % 3 == 0) {
				enter(&m, r, LONG_NS);
				entered[r]++;
			}
			lo = t.over[r] < lo ? t.over[r] : lo;
			hi = t.over[r] > hi ? t.over[r] : hi;
			assert_int_equal(t.rc[r], 0);
		}
		assert_true(hi - lo <= 1);
		many_pump(&m);
	}
	many_stop(&m);
}

/** One never comes, or is dead: all the others are told in time. */
static void
missing(void **state)
{
	for (d_rank_t absent = 0; absent < 10; absent++)
		for (int dead = 0; dead < 2; dead++) {
			struct many m;

			memset(&t, 0, sizeof(t));
			many_start(&m, 10, NULL);
			if (dead)
				many_kill(&m, absent);
			for (d_rank_t r = 0; r < 10; r++)
				if (r != absent)
					enter(&m, r, 50 * NSEC_PER_MSEC);
			pump_until(&m, 9);
			for (d_rank_t r = 0; r < 10; r++)
				if (r != absent)
					assert_true(t.rc[r] == -DER_TIMEDOUT || t.rc[r] == -DER_UNREACH);
			many_group_set(&m); /* without the dead one: a new count */
			t.done_nr = 0;
			for (d_rank_t r = 0; r < 10; r++)
				if (m.ctx[r] != NULL)
					enter(&m, r, LONG_NS);
			pump_until(&m, dead ? 9 : 10);
			for (d_rank_t r = 0; r < 10; r++)
				if (m.ctx[r] != NULL)
					assert_int_equal(t.rc[r], 0);
			many_stop(&m);
		}
}

/** The group changes, contexts end, while some wait: each is told once. */
static void
given_up(void **state)
{
	struct many m;

	many_start(&m, 6, NULL);
	assert_int_equal(crt_barrier(m.ctx[0], 0, passed, NULL), -DER_INVAL);
	for (d_rank_t r = 0; r < 5; r++)
		enter(&m, r, LONG_NS);
	for (int i = 0; i < 20; i++)
		many_pump(&m);
	many_group_set(&m);
	enter(&m, 5, LONG_NS);
	enter(&m, 0, LONG_NS); /* ends what it waited for */
	pump_until(&m, 1);
	assert_int_equal(t.rc[0], -DER_GRPVER);
	many_kill(&m, 5);
	assert_int_equal(t.rc[5], -DER_CANCELED);
	many_stop(&m);
	assert_int_equal(t.done_nr, 7); /* all calls */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(last_one, setup),
	    cmocka_unit_test_setup(in_turn, setup),
	    cmocka_unit_test_setup(missing, setup),
	    cmocka_unit_test_setup(given_up, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
