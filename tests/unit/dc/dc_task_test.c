/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Tasks of calls: waiting, threads, schedulers of the user, several clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "dc_test_util.h"

static struct dt dt;

static int
setup(void **state)
{
	dt_start(&dt, 1);
	return 0;
}

static int
teardown(void **state)
{
	dt_stop(&dt);
	return 0;
}

static void
waiting_call_returns_result(void **state)
{
	assert_int_equal(dt_call(0, 0, NULL), 0);
	assert_int_equal(dt_call(-DER_IO, 0, NULL), -DER_IO);
	assert_int_equal(dt_call(-DER_NOSPACE, 3000, NULL), -DER_NOSPACE);
	assert_int_equal(dt_call(0, 3000, NULL), 0); /* usable after an error */
}

static int nested_rc;

static int
task_that_waits(tse_task_t *task)
{
	nested_rc = dt_call(0, 1000, NULL);
	tse_task_complete(task, 0);
	return 0;
}

static void
waiting_inside_a_task_is_refused(void **state)
{
	tse_task_t *task;

	assert_int_equal(dc_task_create(task_that_waits, NULL, NULL, &task), 0);
	assert_int_equal(dc_task_schedule(task, true), 0);
	assert_int_equal(nested_rc, -DER_BUSY);
	assert_int_equal(dt_call(0, 0, NULL), 0);
}

static int
rpc_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	if (rc == 0)
		*(uint32_t *)arg = ((struct dt_out *)rpc->cr_output)->x;
	return rc;
}

struct rpc_args {
	d_rank_t rank;
	uint32_t x;
	uint32_t got;
};

static int
rpc_task(tse_task_t *task)
{
	struct rpc_args *args = *(struct rpc_args **)dc_task_get_args(task);
	crt_rpc_t	*rpc;
	int		 rc;

	assert_ptr_equal(dc_ctx_crt(dc_task2dctx(task)), daos_task2ctx(task));
	rc = dc_req_create(task, args->rank, 0, DT_OPC, &rpc);
	if (rc != 0) {
		tse_task_complete(task, rc);
		return rc;
	}
	((struct dt_in *)rpc->cr_input)->x = args->x;
	return dc_rpc_send_task(task, rpc, rpc_done, &args->got);
}

static int
rpc_call(struct rpc_args *args, daos_event_t *ev)
{
	tse_task_t *task;
	int	    rc;

	rc = dc_task_create(rpc_task, NULL, ev, &task);
	if (rc != 0)
		return rc;
	*(struct rpc_args **)dc_task_get_args(task) = args;
	return dc_task_schedule(task, true);
}

static void
rpc_goes_and_comes(void **state)
{
	struct rpc_args args = {.rank = 0, .x = 42};
	struct rpc_args nobody = {.rank = 7};

	assert_int_equal(rpc_call(&args, NULL), 0);
	assert_int_equal(args.got, 42);
	assert_int_not_equal(rpc_call(&nobody, NULL), 0);
}

static void
failing_worker_run(void *arg)
{
	struct client *cl = arg;

	client_set_current(cl);
	for (uint32_t i = 1; i <= 100; i++) {
		struct rpc_args nobody = {.rank = 7, .x = i}, args = {.rank = 0, .x = i};

		assert_int_equal(rpc_call(&nobody, NULL), -DER_OOG); /* it cannot even be sent */
		assert_int_equal(nobody.got, 0);
		assert_int_equal(dt_call(-DER_UNREACH, 50, NULL), -DER_UNREACH);
		assert_int_equal(rpc_call(&args, NULL), 0);
		assert_int_equal(args.got, i);
	}
	client_set_current(NULL);
}

/** The network fails under a call that waits: the thread's next call is as good as its first. */
static void
waiting_call_is_usable_after_network_error(void **state)
{
	struct plat_thread *thread;

	assert_int_equal(plat_thread_create("worker", failing_worker_run, dt.cl, &thread), 0);
	plat_thread_join(thread);
	failing_worker_run(dt.cl);
	client_set_current(dt.cl);
}

struct worker {
	struct plat_thread *thread;
	struct client	   *cl;
	uint32_t	    idx;
	_Atomic int	    failures;
};

static void
worker_run(void *arg)
{
	struct worker *w = arg;

	client_set_current(w->cl);
	for (uint32_t i = 0; i < 300; i++) {
		struct rpc_args args = {.rank = 0, .x = w->idx * 1000 + i};

		if (rpc_call(&args, NULL) != 0 || args.got != args.x)
			w->failures++;
		if (i % 50 == 0 && dt_call(-DER_IO, 200, NULL) != -DER_IO)
			w->failures++;
	}
	client_set_current(NULL);
}

static void
threads_wait_side_by_side(void **state)
{
	struct worker w[20]; /* more than there are contexts */

	for (uint32_t i = 0; i < ARRAY_NR(w); i++) {
		w[i] = (struct worker){.cl = dt.cl, .idx = i};
		assert_int_equal(plat_thread_create("worker", worker_run, &w[i], &w[i].thread), 0);
	}
	for (uint32_t i = 0; i < ARRAY_NR(w); i++) {
		plat_thread_join(w[i].thread);
		assert_int_equal(w[i].failures, 0);
	}
	assert_int_equal(dt.srv[0].asked, 300 * ARRAY_NR(w));
}

static void
threads_use_different_contexts(void **state)
{
	uint32_t nr = 0;

	threads_wait_side_by_side(state);
	for (uint32_t i = 0; i < DC_SYNC_CTX_NR_MAX; i++)
		nr += dt.cl->sync_ctxs[i] != NULL;
	assert_int_equal(nr, DC_SYNC_CTX_NR_MAX);
}

struct launcher {
	struct plat_thread *thread;
	struct client	   *cl;
	daos_event_t	   *ev;
	daos_handle_t	    eqh;
	int		    rc;
};

/** Waits until somebody blocks in a poll of the queue, then makes a call that ends at once. */
static void
launcher_run(void *arg)
{
	struct launcher *l = arg;
	struct dc_eq	*eq = dc_eq_lookup(l->cl, l->eqh.cookie);
	bool		 asleep;

	do {
		dc_ctx_lock(eq->dctx);
		asleep = eq->dctx->sleeping;
		if (asleep)
			l->rc = dt_call(-DER_IO, 0, l->ev);
		dc_ctx_unlock(eq->dctx);
	} while (!asleep);
	dc_eq_put(eq);
}

static void
call_of_another_thread_wakes_poll(void **state)
{
	struct launcher l = {.cl = dt.cl, .rc = 1};
	daos_event_t	ev, *got[1];

	assert_int_equal(daos_eq_create(&l.eqh), 0);
	assert_int_equal(daos_event_init(&ev, l.eqh, NULL), 0);
	l.ev = &ev;
	assert_int_equal(plat_thread_create("launcher", launcher_run, &l, &l.thread), 0);
	assert_int_equal(daos_eq_poll(l.eqh, 0, DAOS_EQ_WAIT, 1, got), 1);
	plat_thread_join(l.thread);
	assert_int_equal(l.rc, 0);
	assert_int_equal(ev.ev_error, -DER_IO);
	assert_int_equal(daos_eq_destroy(l.eqh, 0), 0);
}

static int
count_cb(tse_task_t *task, void *arg)
{
	++**(int **)arg;
	return 0;
}

static void
scheduler_of_the_user(void **state)
{
	tse_sched_t sched;
	tse_task_t *task[10];
	int	    nr = 0, *nr_p = &nr;

	assert_int_equal(tse_sched_init(&sched, NULL, &nr), 0); /* a pointer of the user's */
	for (int i = 0; i < 10; i++) {
		struct dt_args *args;

		assert_int_equal(dc_task_create(dt_task, &sched, NULL, &task[i]), 0);
		args = dc_task_get_args(task[i]);
		args->delay_us = i * 100;
		assert_int_equal(tse_task_register_comp_cb(task[i], count_cb, &nr_p, sizeof(nr_p)),
				 0);
		if (i > 0)
			assert_int_equal(tse_task_register_deps(task[i], 1, &task[i - 1]), 0);
		assert_ptr_equal(dc_task2client(task[i]), dt.cl);
	}
	for (int i = 9; i >= 0; i--)
		assert_int_equal(dc_task_schedule(task[i], false), 0);
	while (!tse_sched_check_complete(&sched)) {
		struct dc_ctx *dctx = dc_sched2dctx(&sched);

		tse_sched_progress(&sched);
		dc_ctx_lock(dctx);
		dc_ctx_poll(dctx);
		dc_ctx_unlock(dctx);
	}
	assert_int_equal(nr, 10);
	tse_sched_complete(&sched, 0, false);
}

static void
parts_share_context(void **state)
{
	tse_task_t *whole, *part;

	assert_int_equal(dc_task_create(dt_task, NULL, NULL, &whole), 0);
	assert_int_equal(dc_task_create_part(dt_task, whole, &part), 0);
	assert_ptr_equal(dc_task2dctx(whole), dc_task2dctx(part));
	assert_ptr_equal(tse_task2sched(whole), tse_task2sched(part));
	dc_task_free(part);
	dc_task_free(whole);
}

static void
two_clients_in_a_process(void **state)
{
	struct client  *other = dt_client(&dt);
	struct rpc_args args = {.rank = 0, .x = 1};
	daos_handle_t	mine, theirs;
	daos_event_t   *got[1];

	assert_int_equal(daos_eq_create(&mine), 0);
	assert_int_equal(rpc_call(&args, NULL), 0);
	client_set_current(other);
	args.x = 2;
	assert_int_equal(rpc_call(&args, NULL), 0);
	assert_int_equal(args.got, 2);
	assert_int_equal(daos_eq_create(&theirs), 0);
	client_set_current(dt.cl);
	client_destroy(other);
	assert_int_equal(daos_eq_poll(mine, 0, 0, 1, got), 0);
	assert_int_equal(rpc_call(&args, NULL), 0);
	assert_int_equal(daos_eq_destroy(mine, 0), 0);
}

static void
end_of_client_ends_calls(void **state)
{
	struct client  *other = dt_client(&dt);
	struct rpc_args args = {.rank = 0};
	daos_event_t	ev, ev2;
	daos_handle_t	eqh;

	client_set_current(other);
	assert_int_equal(daos_eq_create(&eqh), 0);
	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(daos_event_init(&ev2, DAOS_HDL_INVAL, NULL), 0);
	dt.srv[0].silent = true;
	assert_int_equal(rpc_call(&args, &ev), 0);
	assert_int_equal(dt_call(-DER_IO, 10000000, &ev2), 0); /* its timer fires early */
	client_set_current(dt.cl);
	client_destroy(other);
	assert_int_equal(ev.ev_error, -DER_CANCELED);
	assert_int_equal(ev2.ev_error, -DER_IO);
}

static void
timers_fire_in_order(void **state)
{
	daos_event_t  ev[20], *got[1];
	daos_handle_t eqh;
	const int     ms[] = {7, 1, 5, 3, 9, 2, 8, 4, 6, 0};

	assert_int_equal(daos_eq_create(&eqh), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(daos_event_init(&ev[i], eqh, NULL), 0);
		assert_int_equal(dt_call(0, ms[i] * 2000, &ev[i]), 0);
	}
	for (int want = 0; want < 10; want++) {
		assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got), 1);
		assert_int_equal(ms[got[0] - ev], want);
	}
	assert_int_equal(daos_eq_destroy(eqh, 0), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(waiting_call_returns_result),
	    CASE(waiting_inside_a_task_is_refused),
	    CASE(rpc_goes_and_comes),
		CASE(waiting_call_is_usable_after_network_error),
	    CASE(threads_wait_side_by_side),
	    CASE(threads_use_different_contexts),
	    CASE(call_of_another_thread_wakes_poll),
	    CASE(scheduler_of_the_user),
	    CASE(parts_share_context),
	    CASE(two_clients_in_a_process),
	    CASE(end_of_client_ends_calls),
	    CASE(timers_fire_in_order),
	};

	return cmocka_run_group_tests_name("dc/task", tests, NULL, NULL);
}
