/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Waiting calls in ULTs of an xstream that is attached to a client: the ULT yields, the thread goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "dc_test_util.h"

#define ULT_NR 64

static struct dt dt;
static uint32_t  under_way, most, ended;

static int
setup(void **state)
{
	under_way = most = ended = 0;
	dt_start(&dt, 1);
	return 0;
}

static int
teardown(void **state)
{
	dt_stop(&dt);
	return 0;
}

static int
answered(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	return rc != 0 ? rc : ((struct dt_out *)rpc->cr_output)->rc;
}

static int
ask_task(tse_task_t *task)
{
	crt_rpc_t *rpc;
	int        rc = dc_req_create(task, 0, 0, DT_OPC, &rpc);

	assert_int_equal(rc, 0);
	((struct dt_in *)rpc->cr_input)->x = 3;
	return dc_rpc_send_task(task, rpc, answered, NULL);
}

static int
ask(bool instant)
{
	tse_task_t *task;

	assert_int_equal(dc_task_create(ask_task, NULL, NULL, &task), 0);
	return dc_task_schedule(task, instant);
}

/** Run @fn as the first ULT of an xstream of this thread. */
static void
in_xstream(ult_fn_t fn)
{
	struct ult_xs_attr attr = {.name = "client", .core = -1};

	assert_int_equal(ult_xs_run(&attr, fn, NULL), 0);
}

static MAY_YIELD void
many_body(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		under_way++;
		most = MAX_OF(most, under_way);
		assert_int_equal(ask(i % 2 == 0), 0);
		under_way--;
	}
	ended++;
}

static MAY_YIELD void
many_main(void *arg)
{
	struct ult *ults[ULT_NR];

	(void)arg;
	assert_int_equal(client_xs_attach(dt.cl), 0);
	assert_int_equal(client_xs_attach(dt.cl), -DER_EXIST);
	for (int i = 0; i < ULT_NR; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, many_body, NULL, 0, &ults[i]), 0);
	for (int i = 0; i < ULT_NR; i++)
		ult_join(ults[i]);
	client_xs_detach(dt.cl);
}

static void
many_wait_at_once(void **state)
{
	in_xstream(many_main);
	assert_int_equal(ended, ULT_NR);
	assert_true(most > ULT_NR / 2); /* one thread, and yet */
	assert_int_equal(dt.srv[0].asked, ULT_NR * 20);
}

static bool
never(void *arg)
{
	(*(uint32_t *)arg)++;
	return false;
}

static MAY_YIELD void
timed_main(void *arg)
{
	struct dc_ctx *dctx;
	uint32_t       looked = 0;
	uint64_t       begin  = plat_now_ns();

	(void)arg;
	assert_int_equal(client_xs_attach(dt.cl), 0);
	assert_int_equal(dc_ctx_of_thread(dt.cl, &dctx), 0);
	assert_ptr_equal(dctx->xs, ult_xs_self());
	assert_int_equal(dc_ctx_wait(dctx, 0, never, &looked), -DER_TIMEDOUT);
	assert_int_equal(dc_ctx_wait(dctx, 3000, never, &looked), -DER_TIMEDOUT);
	assert_true(plat_now_ns() - begin >= 3000 * NSEC_PER_USEC);
	assert_true(looked >= 2);
	assert_int_equal(dt_call(0, 2000, NULL), 0); /* a timer of the context wakes the blocked scheduler */
	assert_int_equal(dt_call(-DER_MISC, 0, NULL), -DER_MISC);
	client_xs_detach(dt.cl);
}

static void
waits_end_in_time(void **state)
{
	in_xstream(timed_main);
}

static MAY_YIELD void
events_main(void *arg)
{
	daos_handle_t eqh;
	daos_event_t  ev, *evp;
	bool          is_ended;

	(void)arg;
	assert_int_equal(client_xs_attach(dt.cl), 0);
	assert_int_equal(daos_event_init(&ev, DAOS_HDL_INVAL, NULL), 0);
	assert_int_equal(dt_call(-DER_IO, 1000, &ev), 0);
	assert_int_equal(ask(true), 0); /* meanwhile */
	assert_int_equal(daos_event_test(&ev, DAOS_EQ_WAIT, &is_ended), 0);
	assert_true(is_ended);
	assert_int_equal(ev.ev_error, -DER_IO);
	assert_int_equal(daos_event_fini(&ev), 0);
	assert_int_equal(daos_eq_create(&eqh), 0); /* it shares the context: who polls it yields */
	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(dt_call(0, 1000, &ev), 0);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, &evp), 1);
	assert_ptr_equal(evp, &ev);
	assert_int_equal(daos_event_fini(&ev), 0);
	assert_int_equal(daos_eq_destroy(eqh, 0), 0);
	client_xs_detach(dt.cl);
}

static void
events_in_ults(void **state)
{
	in_xstream(events_main);
}

static uint32_t canceled;

static MAY_YIELD void
canceled_call(void *arg)
{
	(void)arg;
	assert_int_equal(ask(true), -DER_CANCELED);
	canceled++;
}

static MAY_YIELD void
canceled_poll(void *arg)
{
	daos_handle_t *eqh = arg;
	daos_event_t  *evp;

	assert_int_equal(daos_eq_poll(*eqh, 0, DAOS_EQ_WAIT, 1, &evp), -DER_CANCELED); /* of nothing */
	canceled++;
}

/** Whoever waits is told; what is started later, too; what is left can be finished. */
static MAY_YIELD void
cancel_main(void *arg)
{
	daos_handle_t eqh, empty;
	daos_event_t  ev, *evp;
	struct ult   *ults[2];

	(void)arg;
	assert_int_equal(client_xs_attach(dt.cl), 0);
	assert_int_equal(daos_eq_create(&eqh), 0);
	assert_int_equal(daos_eq_create(&empty), 0);
	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(dt_call(-DER_IO, 3600ull * 1000 * 1000, &ev), 0); /* its timer fires early */
	dt.srv[0].silent = true;
	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, canceled_call, NULL, 0, &ults[0]), 0);
	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, canceled_poll, &empty, 0, &ults[1]), 0);
	ult_yield();
	assert_int_equal(canceled, 0);
	client_xs_cancel(dt.cl);
	client_xs_cancel(dt.cl); /* harmless */
	ult_join(ults[0]);
	ult_join(ults[1]);
	assert_int_equal(canceled, 2);
	assert_int_equal(dt_call(0, 0, NULL), -DER_CANCELED);
	assert_int_equal(daos_eq_poll(eqh, 0, DAOS_EQ_WAIT, 1, &evp), 1);
	assert_int_equal(ev.ev_error, -DER_IO);
	assert_int_equal(daos_event_fini(&ev), 0);
	assert_int_equal(daos_eq_destroy(eqh, 0), 0);
	client_xs_detach(dt.cl);
	assert_int_equal(daos_eq_poll(empty, 0, 0, 1, &evp), -DER_NONEXIST); /* went with the context */
}

static void
cancel_ends_all_waits(void **state)
{
	canceled = 0;
	in_xstream(cancel_main);
}

static int
waits_in_poller(void *arg)
{
	int *rc = arg;

	if (*rc == 0)
		*rc = ask(true);
	return 0;
}

static MAY_YIELD void
scheduler_main(void *arg)
{
	int               rc = 0;
	struct ult_poller poller = {.name = "wrong", .poll = waits_in_poller, .fd = -1, .arg = &rc};

	(void)arg;
	assert_int_equal(client_xs_attach(dt.cl), 0);
	ult_poller_add(&poller);
	while (rc == 0)
		ult_yield();
	ult_poller_del(&poller);
	assert_int_equal(rc, -DER_BUSY);
	client_xs_detach(dt.cl);
}

static void
no_waiting_on_the_scheduler(void **state)
{
	in_xstream(scheduler_main);
}

static MAY_YIELD void
plain_main(void *arg)
{
	(void)arg;
	assert_int_equal(ask(true), 0); /* not attached: as a thread would */
}

static void
without_attaching(void **state)
{
	in_xstream(plain_main);
	assert_int_equal(dt.srv[0].asked, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(many_wait_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(waits_end_in_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(events_in_ults, setup, teardown),
	    cmocka_unit_test_setup_teardown(cancel_ends_all_waits, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_waiting_on_the_scheduler, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_attaching, setup, teardown),
	};

	return cmocka_run_group_tests_name("dc xstreams", tests, NULL, NULL);
}
