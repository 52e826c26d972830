/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** SWIM over CART, in real time with short periods: who dies is found, who joins is watched. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/crt_swim.h"
#include "crt_many_util.h"
#include "platform/platform.h"

#define NR 6

static struct {
	int dead_nr[NR][NR]; /* [observer][rank] */
	int alive_nr[NR][NR];
} seen;

static const struct swim_config quick = {.period_ns          = 100 * NSEC_PER_MSEC,
					 .suspect_timeout_ns = 800 * NSEC_PER_MSEC,
					 .ping_timeout_ns    = 90 * NSEC_PER_MSEC};

static void
on_status(struct crt *crt, d_rank_t rank, enum swim_status status, uint64_t incarnation, void *arg)
{
	d_rank_t self = crt_rank_self(crt);

	assert_ptr_equal(arg, &seen);
	if (status == SWIM_DEAD)
		seen.dead_nr[self][rank]++;
	if (status == SWIM_ALIVE)
		seen.alive_nr[self][rank]++;
}

static void
watch_all(struct many *m)
{
	for (d_rank_t r = 0; r < m->nr; r++)
		assert_int_equal(crt_swim_enable(m->ctx[r], &quick, on_status, &seen), 0);
}

static void
unwatch_all(struct many *m)
{
	for (d_rank_t r = 0; r < m->nr; r++)
		if (m->ctx[r] != NULL)
			crt_swim_disable(m->ctx[r]);
}

/** Does everyone but @rank itself have it for dead? */
static bool
all_see_dead(struct many *m, d_rank_t rank)
{
	for (d_rank_t r = 0; r < m->nr; r++)
		if (m->ctx[r] != NULL && crt_swim_status(m->crt[r], rank) != SWIM_DEAD)
			return false;
	return true;
}

static void
pump_for(struct many *m, uint64_t ns)
{
	for (uint64_t end = plat_now_ns() + ns; plat_now_ns() < end;)
		many_pump(m);
}

static void
death(void **state)
{
	struct many m;
	uint64_t    begin;

	many_start(&m, NR, NULL);
	watch_all(&m);
	assert_int_equal(crt_swim_enable(m.ctx[0], &quick, NULL, NULL), -DER_ALREADY);
	pump_for(&m, 500 * NSEC_PER_MSEC);
	for (d_rank_t r = 0; r < NR; r++)
		for (d_rank_t k = 0; k < NR; k++)
			assert_int_equal(seen.dead_nr[r][k], 0);
	crt_swim_disable(m.ctx[2]);
	many_kill(&m, 2);
	begin = plat_now_ns();
	while (!all_see_dead(&m, 2)) {
		many_pump(&m);
		assert_true(plat_now_ns() - begin < 30 * NSEC_PER_SEC);
	}
	assert_true(plat_now_ns() - begin >= quick.suspect_timeout_ns);
	for (d_rank_t r = 0; r < NR; r++)
		if (r != 2)
			assert_int_equal(seen.dead_nr[r][2], 1);
	many_group_set(&m); /* without it: nobody asks for it any more */
	pump_for(&m, 300 * NSEC_PER_MSEC);
	assert_int_equal(crt_swim_status(m.crt[0], 2), SWIM_ALIVE); /* not known */
	unwatch_all(&m);
	many_stop(&m);
}

/** A group of one blocks for ever: no timer of SWIM's. With a second one there is. */
static void
alone(void **state)
{
	struct many       m;
	struct crt_member only;

	many_start(&m, 2, NULL);
	only = m.members[0];
	assert_int_equal(crt_group_set(m.crt[0], ++m.version, 1, &only), 0);
	assert_int_equal(crt_swim_enable(m.ctx[0], &quick, on_status, &seen), 0);
	many_pump(&m);
	many_pump(&m);
	assert_int_equal(crt_context_next_timeout(m.ctx[0]), UINT64_MAX);
	many_group_set(&m);
	many_pump(&m);
	assert_true(crt_context_next_timeout(m.ctx[0]) <= plat_now_ns() + quick.period_ns);
	crt_swim_disable(m.ctx[0]);
	assert_int_equal(crt_context_next_timeout(m.ctx[0]), UINT64_MAX);
	many_stop(&m);
}

/** What waits for a rank that dies without a word ends when it is found dead. */
static void
requests_end(void **state)
{
	struct many m;
	uint64_t    begin = plat_now_ns();

	many_start(&m, 3, NULL);
	watch_all(&m);
	pump_for(&m, 300 * NSEC_PER_MSEC);
	/* rank 1 is not progressed any more: it is silent, its endpoint takes what comes */
	while (crt_swim_status(m.crt[0], 1) != SWIM_DEAD) {
		assert_true(crt_progress(m.ctx[0], 0) >= 0);
		assert_true(crt_progress(m.ctx[2], 0) >= 0);
		assert_true(plat_now_ns() - begin < 30 * NSEC_PER_SEC);
	}
	pump_for(&m, 2 * quick.suspect_timeout_ns); /* it runs again, was not dead, and is taken back */
	assert_int_equal(crt_swim_status(m.crt[0], 1), SWIM_ALIVE);
	assert_int_equal(crt_swim_status(m.crt[2], 1), SWIM_ALIVE);
	unwatch_all(&m);
	many_stop(&m);
}

static void
environment(void **state)
{
	struct swim_config c;

	setenv("SWIM_PROTOCOL_PERIOD_LEN", "500", 1);
	setenv("SWIM_SUSPECT_TIMEOUT", "x", 1);
	setenv("SWIM_PING_TIMEOUT", "450", 1);
	crt_swim_config_env(&c);
	assert_int_equal(c.period_ns, 500 * NSEC_PER_MSEC);
	assert_int_equal(c.suspect_timeout_ns, 0);
	assert_int_equal(c.ping_timeout_ns, 450 * NSEC_PER_MSEC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(death),
	    cmocka_unit_test(alone),
	    cmocka_unit_test(requests_end),
	    cmocka_unit_test(environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
