/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Futures and barriers: among ULTs of one and of several xstreams, and plain threads. */
#include "ult_util.h"

#include <pthread.h>
#include <stdatomic.h>
#include <daos_errno.h>

#define XS_NR    3
#define PARTY_NR 8
#define ROUND_NR 200

/* ---- barrier ---- */

static struct ult_barrier barrier;
static _Atomic unsigned   entered_nr[ROUND_NR];
static _Atomic unsigned   last_nr;

static void
party(void *arg)
{
	for (int r = 0; r < ROUND_NR; r++) {
		entered_nr[r]++;
		if (ult_barrier_wait(&barrier))
			last_nr++;
		assert_int_equal(entered_nr[r], PARTY_NR); /* nobody is behind */
		if (r + 1 < ROUND_NR)
			assert_true(entered_nr[r + 1] <= PARTY_NR);
	}
}

static void
barrier_reset(uint32_t nr)
{
	ult_barrier_init(&barrier, nr);
	for (int r = 0; r < ROUND_NR; r++)
		entered_nr[r] = 0;
	last_nr = 0;
}

static void
barrier_one_xs_main(void *arg)
{
	struct ult *ults[PARTY_NR];

	for (int i = 0; i < PARTY_NR; i++)
		assert_int_equal(ult_create(NULL, i % ULT_POOL_NR, party, NULL, 0, &ults[i]), 0);
	for (int i = 0; i < PARTY_NR; i++)
		ult_join(ults[i]);
}

static void
test_barrier_of_ults(void **state)
{
	barrier_reset(PARTY_NR);
	run(barrier_one_xs_main, NULL);
	assert_int_equal(last_nr, ROUND_NR); /* one in each round */
}

static void *
party_thread(void *arg)
{
	party(arg);
	return NULL;
}

static void
test_barrier_of_xstreams_and_threads(void **state)
{
	struct ult_xs *xss[XS_NR];
	struct ult    *ults[PARTY_NR];
	pthread_t      threads[2];

	barrier_reset(PARTY_NR);
	for (int i = 0; i < XS_NR; i++)
		assert_int_equal(ult_xs_create(&attr, NULL, NULL, &xss[i]), 0);
	for (int i = 0; i < PARTY_NR - 2; i++)
		assert_int_equal(ult_create(xss[i % XS_NR], ULT_POOL_IO, party, NULL, 0, &ults[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, party_thread, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < PARTY_NR - 2; i++)
		ult_join(ults[i]);
	for (int i = 0; i < XS_NR; i++)
		ult_xs_stop(xss[i]);
	assert_int_equal(last_nr, ROUND_NR);
}

static void
test_barrier_of_one(void **state)
{
	ult_barrier_init(&barrier, 1);
	for (int i = 0; i < 3; i++)
		assert_true(ult_barrier_wait(&barrier));
}

/* ---- future ---- */

static struct ult_future future;
static void             *values[PARTY_NR];
static unsigned          done_nr;
static uintptr_t         done_sum;
static bool              done_before_wait_ended;

static void
all_there(void **v, void *arg)
{
	assert_ptr_equal(arg, &done_sum);
	assert_ptr_equal(v, values);
	assert_false(ult_future_is_ready(&future));
	done_nr++;
	for (int i = 0; i < PARTY_NR; i++)
		done_sum += (uintptr_t)v[i];
}

static void
sets(void *arg)
{
	if ((uintptr_t)arg % 2 == 0)
		ult_yield();
	ult_future_set(&future, arg);
}

static void
waits(void *arg)
{
	ult_future_wait(&future);
	done_before_wait_ended = done_nr == 1;
	(*(unsigned *)arg)++;
}

static void
future_init(void)
{
	done_nr  = 0;
	done_sum = 0;
	done_before_wait_ended = false;
	ult_future_init(&future, values, PARTY_NR, all_there, &done_sum);
}

static void
future_main(void *arg)
{
	struct ult *waiters[2];

	future_init();
	for (int i = 0; i < 2; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_NET, waits, arg, 0, &waiters[i]), 0);
	for (uintptr_t i = 1; i < PARTY_NR; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_NET, sets, (void *)i, 0, NULL), 0);
	assert_int_equal(ult_future_timedwait(&future, 2000000), -DER_TIMEDOUT);
	assert_int_equal(done_nr, 0);
	assert_int_equal(*(unsigned *)arg, 0);
	ult_future_set(&future, (void *)100);
	assert_true(ult_future_is_ready(&future));
	assert_int_equal(ult_future_timedwait(&future, 1), 0);
	for (int i = 0; i < 2; i++)
		ult_join(waiters[i]);
}

static void
test_future(void **state)
{
	unsigned woken_nr = 0;

	run(future_main, &woken_nr);
	assert_int_equal(woken_nr, 2);
	assert_int_equal(done_nr, 1);
	assert_int_equal(done_sum, 28 + 100);
	assert_true(done_before_wait_ended);
	assert_ptr_equal(values[PARTY_NR - 1], (void *)100); /* in the order they came */
}

static void
test_future_across_xstreams(void **state)
{
	struct ult_xs *xss[XS_NR];

	for (int i = 0; i < XS_NR; i++)
		assert_int_equal(ult_xs_create(&attr, NULL, NULL, &xss[i]), 0);
	for (int r = 0; r < ROUND_NR; r++) {
		future_init(); /* the last round's waiter alone decides that it may be used again */
		for (uintptr_t i = 1; i <= PARTY_NR; i++)
			assert_int_equal(ult_create(xss[i % XS_NR], ULT_POOL_NET, sets, (void *)i, 0, NULL), 0);
		ult_future_wait(&future); /* a plain thread */
		assert_int_equal(done_nr, 1);
		assert_int_equal(done_sum, PARTY_NR * (PARTY_NR + 1) / 2);
	}
	for (int i = 0; i < XS_NR; i++)
		ult_xs_stop(xss[i]);
}

static void
none_done(void **v, void *arg)
{
	*(bool *)arg = true;
}

static void
test_future_of_nothing(void **state)
{
	bool done = false;

	ult_future_init(&future, NULL, 0, none_done, &done);
	assert_true(done);
	assert_true(ult_future_is_ready(&future));
	ult_future_wait(&future);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_barrier_of_ults), cmocka_unit_test(test_barrier_of_xstreams_and_threads),
		cmocka_unit_test(test_barrier_of_one),  cmocka_unit_test(test_future),
		cmocka_unit_test(test_future_across_xstreams), cmocka_unit_test(test_future_of_nothing),
	};

	return cmocka_run_group_tests_name("ult_gather", tests, NULL, NULL);
}
