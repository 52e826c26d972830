/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** ULTs on one and several xstreams, and plain threads among them. */
#include "ult_util.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <daos_errno.h>
#include "platform/platform.h"

/* ---- creation, order ---- */

static struct trace trace;

static void
ult_letters(void *arg)
{
	char c = *(char *)arg;

	for (int i = 0; i < 3; i++) {
		trace_add(&trace, c + i);
		ult_yield();
	}
}

static void
yield_order_main(void *arg)
{
	static char a = 'a', m = 'm';

	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, ult_letters, &a, 0, NULL), 0);
	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, ult_letters, &m, 0, NULL), 0);
}

static void
test_yield_round_robin(void **state)
{
	memset(&trace, 0, sizeof(trace));
	run(yield_order_main, NULL);
	assert_string_equal(trace.text, "ambnco");
}

static void
ult_letter(void *arg)
{
	trace_add(&trace, (char)(uintptr_t)arg);
}

static void
pool_order_main(void *arg)
{
	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, ult_letter, (void *)'g', 0, NULL), 0);
	assert_int_equal(ult_create(NULL, ULT_POOL_IO, ult_letter, (void *)'i', 0, NULL), 0);
	assert_int_equal(ult_create(NULL, ULT_POOL_NET, ult_letter, (void *)'n', 0, NULL), 0);
	ult_yield();
	ult_yield();
}

static void
test_pools_by_preference(void **state)
{
	memset(&trace, 0, sizeof(trace));
	run(pool_order_main, NULL);
	assert_string_equal(trace.text, "nig");
}

static void
ult_deep(void *arg)
{
	volatile char big[40000];

	memset((char *)big, 1, sizeof(big));
	*(int *)arg += big[39999];
}

static void
join_many_main(void *arg)
{
	struct ult *ults[300];
	int         sum = 0;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++)
			assert_int_equal(ult_create(NULL, i % 3, ult_deep, &sum, 0, &ults[i]), 0);
		for (int i = 0; i < 300; i++)
			ult_join(ults[i]);
	}
	*(int *)arg = sum;
}

static void
test_join_and_stack_reuse(void **state)
{
	int sum = 0;

	run(join_many_main, &sum);
	assert_int_equal(sum, 900);
}

static void
ult_nested(void *arg)
{
	int        *depth = arg;
	struct ult *child;

	if (++*depth == 50)
		return;
	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, ult_nested, depth, 16384, &child), 0);
	ult_join(child);
}

static void
test_nested_join(void **state)
{
	int depth = 0;

	run(ult_nested, &depth);
	assert_int_equal(depth, 50);
}

static void
test_create_refuses(void **state)
{
	assert_int_equal(ult_create(NULL, ULT_POOL_NET, ult_letter, NULL, 0, NULL), -DER_INVAL);
	assert_null(ult_self());
	assert_null(ult_xs_self());
	ult_yield(); /* nothing to do in a plain thread */
}

static void
data_main(void *arg)
{
	ult_xs_set_data(ult_xs_self(), arg);
	ult_yield();
	assert_ptr_equal(ult_xs_get_data(ult_xs_self()), arg);
	assert_non_null(ult_self());
}

static void
test_xs_data(void **state)
{
	int x;

	run(data_main, &x);
}

/* ---- eventual ---- */

struct shared {
	struct ult_eventual ev;
	struct ult_eventual ev2;
	struct ult_mutex    mutex;
	struct ult_cond     cond;
	struct ult_rwlock   rw;
	_Atomic int         n;
	int                 plain;
	int                 max;
	struct ult_xs      *xs[4];
};

static void
shared_init(struct shared *s)
{
	memset(s, 0, sizeof(*s));
	ult_eventual_init(&s->ev);
	ult_eventual_init(&s->ev2);
	ult_mutex_init(&s->mutex);
	ult_cond_init(&s->cond);
	ult_rwlock_init(&s->rw);
}

static void
ult_wait_and_add(void *arg)
{
	struct shared *s = arg;

	atomic_fetch_add(&s->n, ult_eventual_wait(&s->ev));
}

static void
eventual_main(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 10; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, ult_wait_and_add, s, 0, NULL), 0);
	ult_yield();
	assert_false(ult_eventual_is_set(&s->ev));
	ult_eventual_set(&s->ev, 7);
	assert_true(ult_eventual_is_set(&s->ev));
	assert_int_equal(ult_eventual_wait(&s->ev), 7);
}

static void
test_eventual_wakes_all(void **state)
{
	struct shared s;

	shared_init(&s);
	run(eventual_main, &s);
	assert_int_equal(s.n, 70);
	ult_eventual_reset(&s.ev);
	assert_false(ult_eventual_is_set(&s.ev));
}

static void
ult_set(void *arg)
{
	struct shared *s = arg;

	ult_eventual_set(&s->ev, 42);
}

static void
test_eventual_plain_thread_waits(void **state)
{
	struct shared  s;
	struct ult_xs *xs;

	for (int i = 0; i < 50; i++) {
		shared_init(&s);
		assert_int_equal(ult_xs_create(&attr, ult_set, &s, &xs), 0);
		assert_int_equal(ult_eventual_wait(&s.ev), 42);
		ult_xs_stop(xs);
	}
}

static void
test_eventual_plain_thread_sets(void **state)
{
	struct shared  s;
	struct ult_xs *xs;

	shared_init(&s);
	assert_int_equal(ult_xs_create(&attr, ult_wait_and_add, &s, &xs), 0);
	ult_eventual_set(&s.ev, 3);
	ult_xs_stop(xs);
	assert_int_equal(s.n, 3);
}

static void
timedwait_main(void *arg)
{
	struct shared *s = arg;
	uint64_t       start_ns = plat_now_ns();
	int            value = 9;

	assert_int_equal(ult_eventual_timedwait(&s->ev, 2 * NSEC_PER_MSEC, &value), -DER_TIMEDOUT);
	assert_true(plat_now_ns() - start_ns >= 2 * NSEC_PER_MSEC);
	assert_int_equal(value, 9);
	assert_true(d_list_empty(&s->ev.waiters));
	ult_eventual_set(&s->ev, 5);
	assert_int_equal(ult_eventual_timedwait(&s->ev, 0, &value), 0);
	assert_int_equal(value, 5);
}

static void
test_eventual_timedwait_ult(void **state)
{
	struct shared s;

	shared_init(&s);
	run(timedwait_main, &s);
}

static void
test_eventual_timedwait_thread(void **state)
{
	struct shared s;

	shared_init(&s);
	timedwait_main(&s);
}

/** Timeout and set race; whoever wins, the waiter goes on once and the value is right. */
static void
race_waiter(void *arg)
{
	struct shared *s = arg;
	int            value = 0;
	int            rc = ult_eventual_timedwait(&s->ev, 20 * NSEC_PER_USEC, &value);

	assert_true(rc == 0 || rc == -DER_TIMEDOUT);
	assert_int_equal(value, rc == 0 ? 1 : 0);
	ult_eventual_wait(&s->ev2);
	atomic_fetch_add(&s->n, 1);
}

static void
test_timeout_races_with_set(void **state)
{
	struct shared  s;
	struct ult_xs *xs;
	struct ult    *ult;

	assert_int_equal(ult_xs_create(&attr, NULL, NULL, &xs), 0);
	for (int i = 0; i < 300; i++) {
		uint64_t until_ns = plat_now_ns() + 10000 + i * 100;

		shared_init(&s);
		assert_int_equal(ult_create(xs, ULT_POOL_NET, race_waiter, &s, 0, &ult), 0);
		while (plat_now_ns() < until_ns)
			;
		ult_eventual_set(&s.ev, 1);
		ult_eventual_set(&s.ev2, 1);
		ult_join(ult);
		assert_int_equal(s.n, 1);
	}
	ult_xs_stop(xs);
}

/* ---- several xstreams ---- */

#define STORM_XS_NR    3
#define STORM_ROUND_NR 400

struct pingpong {
	struct ult_eventual ping;
	struct ult_eventual pong;
	struct ult_xs      *other;
};

static void
pong_ult(void *arg)
{
	struct pingpong *p = arg;

	ult_eventual_set(&p->pong, ult_eventual_wait(&p->ping) + 1);
}

static void
storm_ult(void *arg)
{
	struct shared *s = arg;
	int            me = atomic_fetch_add(&s->n, 1);

	for (int i = 0; i < STORM_ROUND_NR; i++) {
		struct pingpong p = {.other = s->xs[(me + i) % STORM_XS_NR]};

		ult_eventual_init(&p.ping);
		ult_eventual_init(&p.pong);
		assert_int_equal(ult_create(p.other, i % ULT_POOL_NR, pong_ult, &p, 0, NULL), 0);
		if (i % 3 == 0)
			ult_yield();
		ult_eventual_set(&p.ping, i);
		assert_int_equal(ult_eventual_wait(&p.pong), i + 1);
	}
}

static void
test_cross_xstream_storm(void **state)
{
	struct shared s;
	struct ult   *ults[STORM_XS_NR * 4];

	shared_init(&s);
	for (int i = 0; i < STORM_XS_NR; i++)
		assert_int_equal(ult_xs_create(&attr, NULL, NULL, &s.xs[i]), 0);
	for (int i = 0; i < STORM_XS_NR * 4; i++)
		assert_int_equal(ult_create(s.xs[i % STORM_XS_NR], ULT_POOL_GENERIC, storm_ult, &s, 0,
					    &ults[i]), 0);
	for (int i = 0; i < STORM_XS_NR * 4; i++)
		ult_join(ults[i]);
	for (int i = 0; i < STORM_XS_NR; i++)
		ult_xs_stop(s.xs[i]);
}

static void
join_remote_main(void *arg)
{
	struct shared *s = arg;
	struct ult    *ult;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(ult_create(s->xs[0], ULT_POOL_NET, ult_letter, NULL, 0, &ult), 0);
		ult_join(ult);
		trace.len = 0;
	}
}

static void
test_join_across_xstreams(void **state)
{
	struct shared s;

	shared_init(&s);
	trace.len = 0;
	assert_int_equal(ult_xs_create(&attr, NULL, NULL, &s.xs[0]), 0);
	run(join_remote_main, &s);
	ult_xs_stop(s.xs[0]);
}

static void
test_handover_keeps_order(void **state)
{
	struct ult_xs *xs;
	struct shared  s;
	struct ult    *ult;

	memset(&trace, 0, sizeof(trace));
	shared_init(&s);
	assert_int_equal(ult_xs_create(&attr, ult_wait_and_add, &s, &xs), 0);
	for (uintptr_t c = 'a'; c <= 'z'; c++)
		assert_int_equal(ult_create(xs, ULT_POOL_IO, ult_letter, (void *)c, 0, NULL), 0);
	assert_int_equal(ult_create(xs, ULT_POOL_IO, ult_set, &s, 0, &ult), 0);
	ult_join(ult);
	ult_xs_stop(xs);
	assert_string_equal(trace.text, "abcdefghijklmnopqrstuvwxyz");
}

/* ---- mutex, condition, read-write lock ---- */

static void
mutex_ult(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 500; i++) {
		ult_mutex_lock(&s->mutex);
		int seen = s->plain;

		if (i % 7 == 0)
			ult_yield();
		s->plain = seen + 1;
		ult_mutex_unlock(&s->mutex);
	}
}

static void
mutex_thread(void *arg)
{
	mutex_ult(arg);
}

static void
test_mutex_excludes(void **state)
{
	struct shared       s;
	struct ult         *ults[6];
	struct plat_thread *thread;

	shared_init(&s);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ult_xs_create(&attr, NULL, NULL, &s.xs[i]), 0);
	assert_int_equal(plat_thread_create("plain", mutex_thread, &s, &thread), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(ult_create(s.xs[i % 2], ULT_POOL_IO, mutex_ult, &s, 0, &ults[i]), 0);
	mutex_ult(&s);
	for (int i = 0; i < 6; i++)
		ult_join(ults[i]);
	plat_thread_join(thread);
	for (int i = 0; i < 2; i++)
		ult_xs_stop(s.xs[i]);
	assert_int_equal(s.plain, 8 * 500);
}

static struct ult_mutex fair_mutex;

static void
fair_ult(void *arg)
{
	ult_mutex_lock(&fair_mutex);
	trace_add(&trace, (char)(uintptr_t)arg);
	ult_yield();
	ult_mutex_unlock(&fair_mutex);
}

static void
fair_main(void *arg)
{
	ult_mutex_lock(&fair_mutex);
	for (uintptr_t c = 'a'; c <= 'h'; c++)
		assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, fair_ult, (void *)c, 0, NULL), 0);
	ult_yield();
	assert_false(ult_mutex_trylock(&fair_mutex));
	ult_mutex_unlock(&fair_mutex);
	assert_false(ult_mutex_trylock(&fair_mutex)); /* handed to the first, who has not run yet */
}

static void
test_mutex_is_fifo(void **state)
{
	memset(&trace, 0, sizeof(trace));
	ult_mutex_init(&fair_mutex);
	run(fair_main, NULL);
	assert_string_equal(trace.text, "abcdefgh");
	assert_true(ult_mutex_trylock(&fair_mutex));
	ult_mutex_unlock(&fair_mutex);
}

static void
consumer_ult(void *arg)
{
	struct shared *s = arg;

	ult_mutex_lock(&s->mutex);
	for (;;) {
		while (s->plain == 0)
			ult_cond_wait(&s->cond, &s->mutex);
		if (s->plain < 0)
			break;
		s->plain--;
		atomic_fetch_add(&s->n, 1);
	}
	ult_mutex_unlock(&s->mutex);
}

static void
test_cond_producer_consumer(void **state)
{
	struct shared s;
	struct ult   *ults[4];

	shared_init(&s);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ult_xs_create(&attr, NULL, NULL, &s.xs[i]), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ult_create(s.xs[i % 2], ULT_POOL_IO, consumer_ult, &s, 0, &ults[i]), 0);
	for (int i = 0; i < 500; i++) {
		ult_mutex_lock(&s.mutex);
		s.plain++;
		ult_cond_signal(&s.cond);
		ult_mutex_unlock(&s.mutex);
	}
	for (bool drained = false; !drained;) {
		ult_mutex_lock(&s.mutex);
		drained = s.plain == 0;
		if (drained) {
			s.plain = -1;
			ult_cond_broadcast(&s.cond);
		}
		ult_mutex_unlock(&s.mutex);
	}
	for (int i = 0; i < 4; i++)
		ult_join(ults[i]);
	for (int i = 0; i < 2; i++)
		ult_xs_stop(s.xs[i]);
	assert_int_equal(s.n, 500);
}

static void
cond_timeout_main(void *arg)
{
	struct shared *s = arg;

	ult_mutex_lock(&s->mutex);
	assert_int_equal(ult_cond_timedwait(&s->cond, &s->mutex, NSEC_PER_MSEC), -DER_TIMEDOUT);
	assert_false(ult_mutex_trylock(&s->mutex)); /* held again */
	ult_mutex_unlock(&s->mutex);
	ult_cond_signal(&s->cond); /* nobody waits: nothing happens */
}

static void
test_cond_timedwait(void **state)
{
	struct shared s;

	shared_init(&s);
	run(cond_timeout_main, &s);
	cond_timeout_main(&s);
}

static void
reader_ult(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 200; i++) {
		ult_rwlock_rdlock(&s->rw);
		int a = s->plain;

		ult_yield();
		assert_int_equal(a, s->plain);
		ult_rwlock_unlock(&s->rw);
	}
}

static void
writer_ult(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 100; i++) {
		ult_rwlock_wrlock(&s->rw);
		int a = s->plain;

		ult_yield();
		s->plain = a + 1;
		ult_rwlock_unlock(&s->rw);
	}
}

static void
test_rwlock(void **state)
{
	struct shared s;
	struct ult   *ults[8];

	shared_init(&s);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ult_xs_create(&attr, NULL, NULL, &s.xs[i]), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(ult_create(s.xs[i % 2], ULT_POOL_IO, i % 4 < 3 ? reader_ult : writer_ult,
					    &s, 0, &ults[i]), 0);
	for (int i = 0; i < 8; i++)
		ult_join(ults[i]);
	for (int i = 0; i < 2; i++)
		ult_xs_stop(s.xs[i]);
	assert_int_equal(s.plain, 200);
}

static struct ult_rwlock order_rw;

static void
order_reader(void *arg)
{
	ult_rwlock_rdlock(&order_rw);
	trace_add(&trace, 'r');
	ult_rwlock_unlock(&order_rw);
}

static void
order_writer(void *arg)
{
	ult_rwlock_wrlock(&order_rw);
	trace_add(&trace, 'w');
	ult_rwlock_unlock(&order_rw);
}

static void
rw_order_main(void *arg)
{
	ult_rwlock_rdlock(&order_rw);
	order_reader(NULL); /* readers share */
	assert_int_equal(ult_create(NULL, ULT_POOL_IO, order_writer, NULL, 0, NULL), 0);
	assert_int_equal(ult_create(NULL, ULT_POOL_IO, order_reader, NULL, 0, NULL), 0);
	ult_yield();
	assert_int_equal(trace.len, 1); /* the waiting writer holds the new reader back */
	ult_rwlock_unlock(&order_rw);
}

static void
test_rwlock_writer_not_starved(void **state)
{
	memset(&trace, 0, sizeof(trace));
	ult_rwlock_init(&order_rw);
	run(rw_order_main, NULL);
	assert_string_equal(trace.text, "rwr");
}

/* ---- timers ---- */

#define TIMER_NR 500

struct timed {
	struct ult_timer timer;
	uint64_t         fired_seq;
	bool             cancelled;
};

static uint64_t fired_seq;
static uint64_t fired_last_ns;

static void
timer_fired(void *arg)
{
	struct timed *t = arg;

	assert_false(t->cancelled);
	assert_int_equal(t->fired_seq, 0);
	assert_true(t->timer.at_ns >= fired_last_ns);
	assert_true(plat_now_ns() >= t->timer.at_ns);
	fired_last_ns = t->timer.at_ns;
	t->fired_seq = ++fired_seq;
}

static void
timers_main(void *arg)
{
	struct timed *timed = calloc(TIMER_NR, sizeof(*timed));
	uint64_t      live_nr = 0;

	srand(1);
	fired_seq = 0;
	fired_last_ns = 0;
	for (int i = 0; i < TIMER_NR; i++) {
		timed[i].timer.fn = timer_fired;
		timed[i].timer.arg = &timed[i];
		ult_timer_arm(&timed[i].timer, NSEC_PER_SEC * 1000 + rand() % 1000);
	}
	for (int i = 0; i < TIMER_NR; i++) { /* move them, in random order */
		int j = rand() % TIMER_NR;

		ult_timer_arm(&timed[j].timer, 10 * NSEC_PER_MSEC + rand() % (5 * NSEC_PER_MSEC));
	}
	for (int i = 0; i < TIMER_NR; i++) {
		bool far = timed[i].timer.at_ns > plat_now_ns() + 100 * NSEC_PER_SEC;

		if (far || rand() % 3 == 0) {
			timed[i].cancelled = true;
			ult_timer_cancel(&timed[i].timer);
			ult_timer_cancel(&timed[i].timer);
		} else {
			live_nr++;
		}
	}
	while (fired_seq < live_nr)
		ult_sleep_ns(NSEC_PER_MSEC);
	assert_int_equal(fired_seq, live_nr);
	free(timed);
}

static void
test_timers_random(void **state)
{
	run(timers_main, NULL);
}

/* ---- pollers, idling ---- */

struct fd_poller {
	struct ult_poller   poller;
	struct ult_eventual got;
	int                 poll_nr;
	int                 arm_nr;
	uint64_t            value;
};

static int
fd_poll(void *arg)
{
	struct fd_poller *p = arg;

	p->poll_nr++;
	if (read(p->poller.fd, &p->value, sizeof(p->value)) != sizeof(p->value))
		return 0;
	ult_poller_del(&p->poller);
	ult_eventual_set(&p->got, (int)p->value);
	return 1;
}

static bool
fd_arm(void *arg)
{
	return ++((struct fd_poller *)arg)->arm_nr > 1; /* the first time: work has come */
}

static void
poller_main(void *arg)
{
	struct fd_poller *p = arg;

	ult_poller_add(&p->poller);
	assert_int_equal(ult_eventual_wait(&p->got), 11);
}

/** An xstream whose first ULT is @main blocks, and is woken by what its poller waits for. */
static void
wake_when_readable(struct fd_poller *p, ult_fn_t main)
{
	struct ult_xs      *xs;
	struct ult_xs_stats stats;
	uint64_t            value = 11;

	p->poller.arg = p;
	p->poller.fd = eventfd(0, EFD_NONBLOCK);
	ult_eventual_init(&p->got);
	assert_int_equal(ult_xs_create(&attr, main, p, &xs), 0);
	do {
		ult_xs_get_stats(xs, &stats);
	} while (stats.block_nr == 0);
	assert_int_equal(write(p->poller.fd, &value, sizeof(value)), sizeof(value));
	ult_xs_stop(xs);
	close(p->poller.fd);
}

static void
test_poller_wakes_blocked_xstream(void **state)
{
	struct fd_poller p = {.poller = {.name = "fd", .poll = fd_poll, .arm = fd_arm}};

	wake_when_readable(&p, poller_main);
	assert_true(p.arm_nr > 1);
}

static int
busy_poll(void *arg)
{
	(void)arg;
	return 0;
}

static void
rare_main(void *arg)
{
	struct fd_poller *p = arg;
	struct ult_poller busy = {.name = "busy", .poll = busy_poll, .fd = -1};

	ult_poller_add(&busy);
	ult_poller_add(&p->poller);
	for (int i = 0; i < 500; i++)
		ult_yield();
	assert_in_range(p->poll_nr, 0, 1); /* not each cycle */
	assert_int_equal(ult_eventual_wait(&p->got), 11);
	ult_poller_del(&busy);
}

static void
test_rare_poller_is_polled_when_readable(void **state)
{
	struct fd_poller p = {.poller = {.name = "rare", .poll = fd_poll, .rare = true}};

	wake_when_readable(&p, rare_main);
}

static void
test_idle_xstream_blocks(void **state)
{
	struct ult_xs      *xs;
	struct ult_xs_stats before;
	struct ult_xs_stats after;

	assert_int_equal(ult_xs_create(&attr, NULL, NULL, &xs), 0);
	do {
		ult_xs_get_stats(xs, &before);
	} while (before.block_nr == 0);
	ult_xs_get_stats(xs, &before); /* the counters are read one by one: again, now that it stands */
	ult_sleep_ns(50 * NSEC_PER_MSEC); /* what is measured is what happens meanwhile: nothing */
	ult_xs_get_stats(xs, &after);
	assert_int_equal(after.block_nr, before.block_nr);
	assert_int_equal(after.cycle_nr, before.cycle_nr);
	ult_xs_stop(xs);
}

static void
sleeper_main(void *arg)
{
	for (int i = 0; i < 20; i++)
		ult_sleep_ns(2 * NSEC_PER_MSEC);
	ult_xs_get_stats(ult_xs_self(), arg);
}

static void
test_sleeping_ult_costs_few_cycles(void **state)
{
	struct ult_xs_stats       stats = {0};
	const struct ult_xs_attr  quiet = {.name = "quiet", .core = -1, .spin_ns_max = 1000};

	assert_int_equal(ult_xs_run(&quiet, sleeper_main, &stats), 0);
	assert_in_range(stats.block_nr, 20, 80);
	assert_in_range(stats.switch_nr, 21, 21);
}

/* ---- offload ---- */

static int
block_here(void *arg)
{
	struct shared *s = arg;

	assert_null(ult_xs_self());
	if (atomic_fetch_add(&s->n, 1) + 1 == 3)
		ult_eventual_set(&s->ev, 0);
	ult_eventual_wait(&s->ev); /* all three must run at the same time */
	return 5;
}

static void
offload_ult(void *arg)
{
	assert_int_equal(ult_offload(block_here, arg), 5);
}

static void
offload_main_ult(void *arg)
{
	struct ult *ults[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, offload_ult, arg, 0, &ults[i]), 0);
	for (int i = 0; i < 3; i++)
		ult_join(ults[i]);
}

static void
test_offload_runs_beside(void **state)
{
	struct shared s;

	shared_init(&s);
	run(offload_main_ult, &s);
	assert_int_equal(s.n, 3);
}

static int
count_one(void *arg)
{
	return atomic_fetch_add((_Atomic int *)arg, 1);
}

static void
offload_many_ult(void *arg)
{
	for (int i = 0; i < 50; i++)
		ult_offload(count_one, arg);
}

static void
offload_many_main(void *arg)
{
	for (int i = 0; i < 40; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, offload_many_ult, arg, 0, NULL), 0);
}

static void
test_offload_more_jobs_than_helpers(void **state)
{
	_Atomic int n = 0;

	run(offload_many_main, (void *)&n);
	assert_int_equal(n, 2000);
	assert_int_equal(ult_offload(count_one, (void *)&n), 2000); /* a plain thread runs it itself */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yield_round_robin),
		cmocka_unit_test(test_pools_by_preference),
		cmocka_unit_test(test_join_and_stack_reuse),
		cmocka_unit_test(test_nested_join),
		cmocka_unit_test(test_create_refuses),
		cmocka_unit_test(test_xs_data),
		cmocka_unit_test(test_eventual_wakes_all),
		cmocka_unit_test(test_eventual_plain_thread_waits),
		cmocka_unit_test(test_eventual_plain_thread_sets),
		cmocka_unit_test(test_eventual_timedwait_ult),
		cmocka_unit_test(test_eventual_timedwait_thread),
		cmocka_unit_test(test_timeout_races_with_set),
		cmocka_unit_test(test_cross_xstream_storm),
		cmocka_unit_test(test_join_across_xstreams),
		cmocka_unit_test(test_handover_keeps_order),
		cmocka_unit_test(test_mutex_excludes),
		cmocka_unit_test(test_mutex_is_fifo),
		cmocka_unit_test(test_cond_producer_consumer),
		cmocka_unit_test(test_cond_timedwait),
		cmocka_unit_test(test_rwlock),
		cmocka_unit_test(test_rwlock_writer_not_starved),
		cmocka_unit_test(test_timers_random),
		cmocka_unit_test(test_poller_wakes_blocked_xstream),
		cmocka_unit_test(test_rare_poller_is_polled_when_readable),
		cmocka_unit_test(test_idle_xstream_blocks),
		cmocka_unit_test(test_sleeping_ult_costs_few_cycles),
		cmocka_unit_test(test_offload_runs_beside),
		cmocka_unit_test(test_offload_more_jobs_than_helpers),
	};

	return cmocka_run_group_tests_name("ult", tests, NULL, NULL);
}
