/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What an xstream that keeps accounts says of its ULTs; and that they run there as anywhere. */
#include "ult_util.h"

#include <stdatomic.h>
#include "platform/platform.h"
#include "ult/ult_internal.h"

#define SPIN_NS  200000ULL
#define ROUND_NR 20
#define STACK_NR 7

static const struct ult_xs_attr accounting = {.name = "test", .core = -1, .accounts = true, .stack_nr = STACK_NR};

static void
run_accounted(ult_fn_t fn, void *arg)
{
	assert_int_equal(ult_xs_run(&accounting, fn, arg), 0);
	assert_null(ult_xs_self());
}

/** How long it really was: what accounts say can't be less. */
static uint64_t
spin(uint64_t ns)
{
	uint64_t begin = plat_now_ns(), now;

	do
		now = plat_now_ns();
	while (now - begin < ns);
	return now - begin;
}

struct spinner {
	enum ult_pool pool;
	uint64_t      own_ns;
	uint64_t     *bill;
};

static void
spin_and_yield(void *arg)
{
	struct spinner *s = arg;

	if (s->bill != NULL)
		ult_bill(s->bill);
	for (int i = 0; i < ROUND_NR; i++) {
		s->own_ns += spin(SPIN_NS);
		ult_yield();
	}
}

static uint64_t
run_sum(const struct ult_xs_stats *stats)
{
	return stats->run_ns[ULT_POOL_NET] + stats->run_ns[ULT_POOL_IO] + stats->run_ns[ULT_POOL_GENERIC];
}

static void
spinners_join(struct spinner *s, int nr)
{
	struct ult *ults[8];

	for (int i = 0; i < nr; i++)
		assert_int_equal(ult_create(NULL, s[i].pool, spin_and_yield, &s[i], 0, &ults[i]), 0);
	for (int i = 0; i < nr; i++)
		ult_join(ults[i]);
}

static void
by_pool_main(void *arg)
{
	struct spinner      s[] = {{ULT_POOL_NET}, {ULT_POOL_IO}, {ULT_POOL_IO}, {ULT_POOL_GENERIC}};
	struct ult_xs_stats stats;
	uint64_t            begin = *(uint64_t *)arg;

	spinners_join(s, 4);
	ult_xs_get_stats(ult_xs_self(), &stats);
	assert_true(stats.run_ns[ULT_POOL_NET] >= s[0].own_ns);
	assert_true(stats.run_ns[ULT_POOL_IO] >= s[1].own_ns + s[2].own_ns);
	assert_true(stats.run_ns[ULT_POOL_GENERIC] >= s[3].own_ns);
	assert_true(run_sum(&stats) <= plat_now_ns() - begin);
	assert_true(stats.run_max_ns >= SPIN_NS);
}

static void
test_by_pool(void **state)
{
	uint64_t begin = plat_now_ns();

	run_accounted(by_pool_main, &begin);
}

static void
sleep_main(void *arg)
{
	struct ult_xs_stats stats;
	uint64_t            begin = *(uint64_t *)arg, slept = plat_now_ns();

	ult_sleep_ns(20 * NSEC_PER_MSEC);
	slept = plat_now_ns() - slept;
	ult_yield(); /* so that what it used until now is accounted */
	ult_xs_get_stats(ult_xs_self(), &stats);
	assert_true(slept >= 20 * NSEC_PER_MSEC);
	assert_true(run_sum(&stats) <= plat_now_ns() - begin - 20 * NSEC_PER_MSEC);
}

/** Who waits uses nothing. */
static void
test_sleep_is_free(void **state)
{
	uint64_t begin = plat_now_ns();

	run_accounted(sleep_main, &begin);
}

static void
bills_main(void *arg)
{
	uint64_t            a = 0, b = 0, c = 0, before;
	struct spinner      s[] = {{ULT_POOL_IO, 0, &a}, {ULT_POOL_IO, 0, &b}, {ULT_POOL_IO, 0, &a}, {ULT_POOL_IO}};
	struct ult_xs_stats stats;

	(void)arg;
	spinners_join(s, 4);
	ult_xs_get_stats(ult_xs_self(), &stats);
	assert_true(a >= s[0].own_ns + s[2].own_ns);
	assert_true(b >= s[1].own_ns);
	assert_true(stats.run_ns[ULT_POOL_IO] >= a + b + s[3].own_ns);
	/* from one to another, in the middle of a turn */
	ult_bill(&a);
	before = a;
	spin(SPIN_NS);
	ult_bill(&c);
	assert_true(a >= before + SPIN_NS);
	before = a;
	spin(SPIN_NS);
	ult_bill(NULL);
	assert_true(c >= SPIN_NS);
	b = c;
	spin(SPIN_NS);
	ult_yield();
	assert_int_equal(a, before);
	assert_int_equal(c, b);
}

static void
test_bills(void **state)
{
	run_accounted(bills_main, NULL);
}

static void
no_account_main(void *arg)
{
	struct ult_xs_stats stats;
	uint64_t            bill = 0;

	(void)arg;
	ult_bill(&bill);
	spin(SPIN_NS);
	ult_yield();
	ult_bill(NULL);
	ult_xs_get_stats(ult_xs_self(), &stats);
	assert_int_equal(run_sum(&stats) + stats.run_max_ns + bill, 0);
}

static void
test_none_unless_asked_for(void **state)
{
	run(no_account_main, NULL);
}

/* ---- one that does not give way ---- */

static _Atomic bool go_on;

static void
keep(void *arg)
{
	*(_Atomic bool *)arg = true;
	while (!go_on)
		plat_cpu_relax();
}

static void
test_who_keeps_it_is_seen(void **state)
{
	_Atomic bool        begun = false;
	struct ult_xs_stats stats;
	struct ult_xs      *xs;
	struct ult         *ult;
	uint64_t            since, seen_ns;
	ult_fn_t            fn;
	char                name[128];

	go_on = false;
	assert_int_equal(ult_xs_create(&accounting, NULL, NULL, &xs), 0);
	assert_int_equal(ult_create(xs, ULT_POOL_IO, keep, &begun, 0, &ult), 0);
	while (!begun)
		plat_cpu_relax();
	assert_true(ult_xs_running(xs, &fn, &since));
	assert_ptr_equal(fn, keep);
	spin(SPIN_NS);
	seen_ns = plat_now_ns() - since;
	assert_true(ult_xs_running(xs, &fn, &since)); /* the same one still */
	assert_true(plat_now_ns() - since >= seen_ns);
	go_on = true;
	ult_join(ult);
	while (ult_xs_running(xs, &fn, &since))
		plat_cpu_relax();
	ult_xs_get_stats(xs, &stats);
	assert_true(stats.run_max_ns >= seen_ns);
	assert_true(stats.run_ns[ULT_POOL_IO] >= seen_ns);
	ult_xs_stop(xs);
	ult_fn_name(keep, name, sizeof(name));
	assert_non_null(strstr(name, "ult_account_test+0x"));
	ult_fn_name((ult_fn_t)(uintptr_t)16, name, sizeof(name));
	assert_string_equal(name, "0x10");
}

/* ---- all else is as it is ---- */

static struct trace trace;

static void
letter(void *arg)
{
	trace_add(&trace, (char)(uintptr_t)arg);
	ult_yield();
	trace_add(&trace, (char)((uintptr_t)arg - 'a' + 'A'));
}

static void
order_main(void *arg)
{
	struct ult *ults[3];

	(void)arg;
	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, letter, (void *)'g', 0, &ults[0]), 0);
	assert_int_equal(ult_create(NULL, ULT_POOL_IO, letter, (void *)'i', 0, &ults[1]), 0);
	assert_int_equal(ult_create(NULL, ULT_POOL_NET, letter, (void *)'n', 0, &ults[2]), 0);
	for (int i = 0; i < 3; i++)
		ult_join(ults[i]);
}

static void
test_pools_by_preference(void **state)
{
	memset(&trace, 0, sizeof(trace));
	run_accounted(order_main, NULL);
	assert_int_equal(trace.text[0], 'n');
	assert_int_equal(trace.len, 6);
	for (int i = 0; i < 3; i++)
		assert_true(strchr(trace.text, "GIN"[i]) > strchr(trace.text, "gin"[i]));
}

static void
nothing(void *arg)
{
	++*(int *)arg;
}

static void
join_main(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		struct ult *ult;

		assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, nothing, arg, 0, &ult), 0);
		if (i % 2)
			ult_yield();
		ult_join(ult);
	}
}

static void
test_join(void **state)
{
	int nr = 0;

	run_accounted(join_main, &nr);
	assert_int_equal(nr, 1000);
}

static void
stacks_main(void *arg)
{
	(void)arg;
	assert_int_equal(ult_xs_self()->cache_nr, STACK_NR);
}

static void
test_stacks_are_there(void **state)
{
	run_accounted(stacks_main, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_pool),
	    cmocka_unit_test(test_sleep_is_free),
	    cmocka_unit_test(test_bills),
	    cmocka_unit_test(test_none_unless_asked_for),
	    cmocka_unit_test(test_who_keeps_it_is_seen),
	    cmocka_unit_test(test_pools_by_preference),
	    cmocka_unit_test(test_join),
	    cmocka_unit_test(test_stacks_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
