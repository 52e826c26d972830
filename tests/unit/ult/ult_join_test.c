/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Joining a ULT that has not begun: it is called, on its stack. And who comes first when many are ready. */
#include "ult_util.h"

#include <stdatomic.h>
#include <stdlib.h>

static struct trace trace;

static void
letter(void *arg)
{
	trace_add(&trace, (char)(uintptr_t)arg);
}

/* ---- called ---- */

static void
order_main(void *arg)
{
	struct ult *a, *b;

	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, letter, (void *)'a', 0, &a), 0);
	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, letter, (void *)'b', 0, &b), 0);
	ult_join(b); /* begins now, past a */
	trace_add(&trace, 'm');
	ult_join(a);
}

static void
test_joined_runs_at_once(void **state)
{
	memset(&trace, 0, sizeof(trace));
	run(order_main, NULL);
	assert_string_equal(trace.text, "bma");
}

static struct ult_eventual gate;

static void
waits_at_gate(void *arg)
{
	struct ult *self = ult_self();

	trace_add(&trace, '<');
	assert_int_equal(ult_eventual_wait(&gate), 7);
	assert_ptr_equal(ult_self(), self);
	trace_add(&trace, '>');
}

static void
opens_gate(void *arg)
{
	trace_add(&trace, 'o');
	ult_eventual_set(&gate, 7);
}

static void
blocks_main(void *arg)
{
	struct ult *self = ult_self(), *u;

	ult_eventual_init(&gate);
	assert_int_equal(ult_create(NULL, ULT_POOL_NET, waits_at_gate, NULL, 0, &u), 0);
	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, opens_gate, NULL, 0, NULL), 0);
	ult_join(u); /* called, waits, and is come back to by the scheduler */
	assert_ptr_equal(ult_self(), self);
	trace_add(&trace, 'm');
}

static void
test_called_one_may_wait(void **state)
{
	memset(&trace, 0, sizeof(trace));
	run(blocks_main, NULL);
	assert_string_equal(trace.text, "<o>m");
}

/* A tree of ULTs that join their children before, while and after they run, and wait here and there. */

struct node {
	unsigned  seed;
	int       depth;
	uintptr_t sum; /* out: nodes of the tree */
};

static void
tree_ult(void *arg)
{
	struct node  *n = arg;
	struct node   kids[3];
	struct ult   *ults[3];
	volatile char big[2000];
	int           kid_nr = n->depth == 0 ? 0 : rand_r(&n->seed) % 4;

	memset((char *)big, n->depth, sizeof(big));
	n->sum = 1;
	for (int i = 0; i < kid_nr; i++) {
		kids[i] = (struct node){.seed = rand_r(&n->seed), .depth = n->depth - 1};
		assert_int_equal(ult_create(NULL, rand_r(&n->seed) % ULT_POOL_NR, tree_ult, &kids[i], 0,
					    &ults[i]), 0);
		if (rand_r(&n->seed) % 3 == 0)
			ult_yield();
	}
	for (int i = kid_nr - 1; i >= 0; i--) {
		if (rand_r(&n->seed) % 4 == 0)
			ult_sleep_ns(1000);
		ult_join(ults[i]);
		n->sum += kids[i].sum;
	}
	assert_int_equal(big[0], n->depth);
	assert_int_equal(big[1999], n->depth);
}

static uintptr_t
tree_nodes(unsigned *seed, int depth)
{
	uintptr_t sum    = 1;
	int       kid_nr = depth == 0 ? 0 : rand_r(seed) % 4;
	unsigned  seeds[3];

	for (int i = 0; i < kid_nr; i++) {
		seeds[i] = rand_r(seed);
		(void)rand_r(seed);
		(void)rand_r(seed);
	}
	for (int i = kid_nr - 1; i >= 0; i--) {
		(void)rand_r(seed);
		sum += tree_nodes(&seeds[i], depth - 1);
	}
	return sum;
}

static void
test_trees_of_joins(void **state)
{
	for (unsigned seed = 1; seed <= 300; seed++) {
		unsigned    model = seed;
		struct node root  = {.seed = seed, .depth = 7};

		run(tree_ult, &root);
		assert_int_equal(root.sum, tree_nodes(&model, 7));
	}
}

/* Made by another xstream: joined before this one has taken it over. */

static _Atomic unsigned ran_nr;

static void
counts(void *arg)
{
	ran_nr++;
}

struct far {
	struct ult_xs *xs;
	struct ult    *ult;
};

static void
far_makes(void *arg)
{
	struct far *far = arg;

	assert_int_equal(ult_create(far->xs, ULT_POOL_IO, counts, NULL, 0, &far->ult), 0);
}

static void
far_main(void *arg)
{
	struct ult_xs *other;

	assert_int_equal(ult_xs_create(&attr, NULL, NULL, &other), 0);
	for (int i = 0; i < 200; i++) {
		struct far  far = {.xs = ult_xs_self()};
		struct ult *maker;

		assert_int_equal(ult_create(other, ULT_POOL_NET, far_makes, &far, 0, &maker), 0);
		ult_join(maker);
		ult_join(far.ult);
		assert_int_equal(ran_nr, i + 1);
	}
	ult_xs_stop(other);
}

static void
test_joined_before_taken_over(void **state)
{
	ran_nr = 0;
	run(far_main, NULL);
}

/* ---- nobody starves ---- */

static bool seen;

static void
sees(void *arg)
{
	seen = true;
}

static void
yields_main(void *arg)
{
	int left = 100000;

	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, sees, NULL, 0, NULL), 0);
	while (!seen && left-- > 0)
		ult_yield();
	assert_true(seen);
}

static void
spawns_main(void *arg)
{
	struct ult *net;

	assert_int_equal(ult_create(NULL, ULT_POOL_NET, yields_main, NULL, 0, &net), 0);
	ult_join(net);
}

static void
two_yield_main(void *arg)
{
	struct ult *nets[2];

	for (int i = 0; i < 2; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_NET, yields_main, NULL, 0, &nets[i]), 0);
	for (int i = 0; i < 2; i++)
		ult_join(nets[i]);
}

/** A pool before it has always something ready. */
static void
test_last_pool_is_not_starved(void **state)
{
	seen = false;
	run(spawns_main, NULL);
	seen = false;
	run(two_yield_main, NULL);
}

static int
poll_sees(void *arg)
{
	seen = true;
	return 0;
}

static void
nothing(void *arg)
{
}

static void
poller_main(void *arg)
{
	struct ult_poller p    = {.name = "p", .poll = poll_sees, .fd = -1};
	int               left = 1000;

	ult_poller_add(&p);
	while (!seen && left-- > 0) {
		struct ult *u;

		assert_int_equal(ult_create(NULL, ULT_POOL_NET, nothing, NULL, 0, &u), 0);
		ult_join(u);
	}
	ult_poller_del(&p);
	assert_true(seen);
}

/** Create and join, over and over, is no more than calls; yet the scheduler polls. */
static void
test_joins_let_pollers_run(void **state)
{
	seen = false;
	run(poller_main, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_joined_runs_at_once),      cmocka_unit_test(test_called_one_may_wait),
		cmocka_unit_test(test_trees_of_joins),           cmocka_unit_test(test_joined_before_taken_over),
		cmocka_unit_test(test_last_pool_is_not_starved), cmocka_unit_test(test_joins_let_pollers_run),
	};

	return cmocka_run_group_tests_name("ult_join", tests, NULL, NULL);
}
