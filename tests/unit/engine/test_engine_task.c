/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Tasks of an xstream: order over RPCs, callbacks, delays, what is left when the engine stops, what idle ones cost. */
#include "engine_testlib.h"
#include <daos_errno.h>
#include <string.h>
#include "platform/platform.h"

#define ASK_IN(F)  F(uint32_t, number) F(bool, wait)
#define ASK_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(ask, ASK_IN, ASK_OUT)
CRT_RPC_DEFINE(ask, ASK_IN, ASK_OUT)
#define ASK_OPC CRT_OPC(CRT_MOD_RDBT, 1, 0)

#define FAILING_NUMBER 66
#define XS_TGT0        DSS_XS_OF_TGT(0)

static struct {
	struct ult_eventual gate, arrived; /**< requests with `wait`: for the first, after the second was set */
	uint32_t            asked[16];     /**< numbers in the order in which rank 1 saw them */
	uint32_t            asked_nr;
	char                trace[64];     /**< a letter for each thing that happened on rank 0 */
} T;

MAY_YIELD static void
ask_handler(crt_rpc_t *rpc)
{
	struct ask_in  *in = rpc->cr_input;
	struct ask_out *out = rpc->cr_output;

	assert_true(T.asked_nr < ARRAY_NR(T.asked));
	T.asked[T.asked_nr++] = in->number;
	if (in->wait) {
		if (!ult_eventual_is_set(&T.arrived))
			ult_eventual_set(&T.arrived, 0);
		ult_eventual_wait(&T.gate);
	}
	out->rc = in->number == FAILING_NUMBER ? -DER_IO : 0;
	(void)crt_reply_send(rpc); /* whoever asked may be gone */
}

MAY_YIELD static int
nothing_init(struct engine *eng)
{
	return 0;
}

MAY_YIELD static void
nothing_fini(struct engine *eng)
{
}

static const struct crt_proto_rpc rpcs[] = {{&ask_format, ask_handler, 0}};
static const struct crt_proto     proto = {"test", CRT_MOD_RDBT, 1, 1, rpcs};
static const struct dss_module    module = {
       .sm_name = "test", .sm_mod_id = CRT_MOD_RDBT, .sm_init = nothing_init, .sm_fini = nothing_fini, .sm_proto = &proto};
static const struct dss_module *const modules[] = {&module, NULL};

static int
setup(void **state)
{
	static struct et_world w;
	struct et_opts         opts = {.tgt_nr = 2, .modules = modules};

	memset(&T, 0, sizeof(T));
	ult_eventual_init(&T.gate);
	ult_eventual_init(&T.arrived);
	et_world_init(&w);
	et_start(&w, 0, &opts);
	et_start(&w, 1, &opts);
	et_group(&w);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	et_world_fini(*state);
	return 0;
}

static void
trace(char letter)
{
	size_t len = strlen(T.trace);

	assert_true(len + 1 < sizeof(T.trace));
	T.trace[len] = letter;
}

/* ---- tasks that ask rank 1 ---- */

struct asker {
	uint32_t number;
	char     letter;
	bool     wait;
};

static void
answered(const struct crt_cb_info *info)
{
	tse_task_t *task = info->cci_arg;
	int         rc = info->cci_rc;

	assert_true(ult_self() == NULL || rc == -DER_CANCELED); /* on the scheduler, but for the end */
	if (rc == 0)
		rc = ((struct ask_out *)info->cci_rpc->cr_output)->rc;
	tse_task_complete(task, rc);
}

static int
ask_body(tse_task_t *task)
{
	struct asker  *asker = tse_task_buf_embedded(task, sizeof(*asker));
	crt_endpoint_t ep = {.ep_rank = 1, .ep_tag = XS_TGT0};
	struct ask_in *in;
	crt_rpc_t     *rpc;

	assert_null(ult_self());
	trace(asker->letter);
	assert_int_equal(crt_req_create(dss_self()->dx_ctx, &ep, ASK_OPC, &rpc), 0);
	in = rpc->cr_input;
	in->number = asker->number;
	in->wait = asker->wait;
	return crt_req_send(rpc, answered, task);
}

static tse_task_t *
asker_new(uint32_t number, char letter)
{
	struct asker *asker;
	tse_task_t   *task;

	assert_int_equal(tse_task_create(ask_body, dss_sched(), NULL, &task), 0);
	asker = tse_task_buf_embedded(task, sizeof(*asker));
	*asker = (struct asker){.number = number, .letter = letter};
	return task;
}

/** a before b and c, both before d, which is waited for. */
MAY_YIELD static int
diamond(uint32_t b_number)
{
	tse_task_t *a = asker_new(1, 'a'), *b = asker_new(b_number, 'b'), *c = asker_new(3, 'c'), *d = asker_new(4, 'd');
	tse_task_t *sides[] = {b, c};

	assert_int_equal(tse_task_register_deps(b, 1, &a), 0);
	assert_int_equal(tse_task_register_deps(c, 1, &a), 0);
	assert_int_equal(tse_task_register_deps(d, 2, sides), 0);
	assert_int_equal(tse_task_schedule(c, false), 0);
	assert_int_equal(tse_task_schedule(b, false), 0);
	assert_int_equal(tse_task_schedule(a, false), 0);
	return dss_task_wait(d);
}

MAY_YIELD static int
diamond_ult(void *arg)
{
	return diamond(*(uint32_t *)arg);
}

static void
test_diamond_over_rpcs(void **state)
{
	struct et_world *w = *state;
	uint32_t         b_number = 2;

	assert_int_equal(et_run(w->engs[0], XS_TGT0, diamond_ult, &b_number), 0);
	assert_int_equal(T.asked_nr, 4);
	assert_int_equal(T.asked[0], 1);
	assert_int_equal(T.asked[1] + T.asked[2], 5);
	assert_int_equal(T.asked[3], 4);
	assert_true(strcmp(T.trace, "abcd") == 0 || strcmp(T.trace, "acbd") == 0);
}

static void
test_failure_is_handed_on(void **state)
{
	struct et_world *w = *state;
	uint32_t         b_number = FAILING_NUMBER;

	assert_int_equal(et_run(w->engs[0], XS_TGT0, diamond_ult, &b_number), -DER_IO);
	assert_int_equal(T.asked[3], 4);
}

/* ---- callbacks ---- */

static int
trace_cb(tse_task_t *task, void *arg)
{
	trace(*(char *)arg);
	return 0;
}

static int
again_cb(tse_task_t *task, void *arg)
{
	trace('2');
	assert_int_equal(task->dt_result, 0);
	return tse_task_reinit(task);
}

MAY_YIELD static int
callbacks_ult(void *arg)
{
	tse_task_t *task = asker_new(1, 'b');

	assert_int_equal(tse_task_register_cbs(task, trace_cb, "p", 1, trace_cb, "1", 1), 0);
	assert_int_equal(tse_task_register_cbs(task, trace_cb, "q", 1, again_cb, NULL, 0), 0);
	assert_int_equal(tse_task_register_comp_cb(task, trace_cb, "3", 1), 0);
	assert_int_equal(dss_task_wait(task), 0);
	trace('.');
	return 0;
}

static void
test_callbacks_and_reinit(void **state)
{
	struct et_world *w = *state;

	assert_int_equal(et_run(w->engs[0], XS_TGT0, callbacks_ult, NULL), 0);
	/* the waiter goes on after the second run, though the first one had completed */
	assert_string_equal(T.trace, "pqb32b1.");
	assert_int_equal(T.asked_nr, 2);
}

/* ---- delays ---- */

#define DELAY_US 30000u

struct watch {
	uint64_t            took_ns;
	struct ult_xs_stats before, after;
	struct ult_xs      *idle; /**< another xstream */
	struct ult_xs_stats idle_before, idle_after;
};

static int
now_body(tse_task_t *task)
{
	tse_task_complete(task, 0);
	return 0;
}

static int
late_body(tse_task_t *task)
{
	trace('l');
	assert_int_equal(tse_task_reinit_with_delay(task, DELAY_US), 0);
	return 0;
}

/** Has its delay behind it, then delays itself once more. */
static int
late_then_done(tse_task_t *task)
{
	if (strchr(T.trace, 'l') == NULL)
		return late_body(task);
	tse_task_complete(task, 0);
	return 0;
}

MAY_YIELD static int
delay_ult(void *arg)
{
	struct watch *watch = arg;
	uint64_t      begin_ns = plat_now_ns();
	tse_task_t   *late;

	ult_xs_get_stats(ult_xs_self(), &watch->before);
	ult_xs_get_stats(watch->idle, &watch->idle_before);
	assert_int_equal(tse_task_create(late_then_done, dss_sched(), NULL, &late), 0);
	assert_int_equal(dss_task_wait(late), 0);
	watch->took_ns = plat_now_ns() - begin_ns;
	ult_xs_get_stats(ult_xs_self(), &watch->after);
	ult_xs_get_stats(watch->idle, &watch->idle_after);
	return 0;
}

MAY_YIELD static int
xs_ult(void *arg)
{
	*(struct ult_xs **)arg = ult_xs_self();
	return 0;
}

static void
test_delay_wakes_who_sleeps(void **state)
{
	struct et_world *w = *state;
	struct watch     watch = {0};

	assert_int_equal(et_run(w->engs[0], XS_TGT0 + 1, xs_ult, &watch.idle), 0);
	assert_int_equal(et_run(w->engs[0], XS_TGT0, delay_ult, &watch), 0);
	assert_true(watch.took_ns >= DELAY_US * NSEC_PER_USEC);
	assert_true(watch.after.block_nr > watch.before.block_nr); /* it slept, and did not spin all the time */
	assert_true(watch.after.cycle_nr - watch.before.cycle_nr < 5000);
	/* who has no task is not woken for having a scheduler */
	assert_true(watch.idle_after.block_nr - watch.idle_before.block_nr <= 2);
	assert_true(watch.idle_after.cycle_nr - watch.idle_before.cycle_nr < 1000);
}

static int
hourly_scheduled(tse_task_t *task, void *arg)
{
	trace('h');
	return 0;
}

/** One that is due soon is not held up by one that is due later, nor the other way round. */
MAY_YIELD static int
two_delays_ult(void *arg)
{
	tse_task_t *hour, *soon;

	assert_int_equal(tse_task_create(now_body, dss_sched(), NULL, &hour), 0);
	assert_int_equal(tse_task_register_comp_cb(hour, hourly_scheduled, NULL, 0), 0);
	assert_int_equal(tse_task_schedule_with_delay(hour, false, 3600ull * 1000 * 1000), 0);
	ult_sleep_ns(NSEC_PER_MSEC); /* the xstream sleeps for the hour */
	assert_int_equal(tse_task_create(late_then_done, dss_sched(), NULL, &soon), 0);
	assert_int_equal(dss_task_wait(soon), 0);
	assert_string_equal(T.trace, "l");
	return 0;
}

static void
test_earlier_delay_comes_first(void **state)
{
	struct et_world *w = *state;

	assert_int_equal(et_run(w->engs[0], XS_TGT0, two_delays_ult, NULL), 0);
	et_stop(w, 0);
	assert_string_equal(T.trace, "lh"); /* given up, not run */
}

/* ---- the end ---- */

struct left {
	int  rc[5];
	int  ended_nr, waited_rc;
	bool no_sched;
};
static struct left left;

static int
left_ended(tse_task_t *task, void *arg)
{
	int *rc = *(int **)arg;

	*rc = task->dt_result;
	left.ended_nr++;
	left.no_sched |= dss_sched() == NULL;
	return 0;
}

static void
left_watch(tse_task_t *task, int *rc)
{
	assert_int_equal(tse_task_register_comp_cb(task, left_ended, &rc, sizeof(rc)), 0);
}

MAY_YIELD static void
left_waiter(void *arg)
{
	tse_task_t *task = asker_new(9, 'w');

	((struct asker *)tse_task_buf_embedded(task, sizeof(struct asker)))->wait = true;
	left_watch(task, &left.rc[4]);
	left.waited_rc = dss_task_wait(task);
}

/** One delayed, one that waits for it, one in flight, one without a body; and a ULT that waits for another. */
MAY_YIELD static int
left_ult(void *arg)
{
	tse_task_t *delayed, *after, *bodyless, *flying = asker_new(5, 'f');

	((struct asker *)tse_task_buf_embedded(flying, sizeof(struct asker)))->wait = true;
	assert_int_equal(tse_task_create(now_body, dss_sched(), NULL, &delayed), 0);
	assert_int_equal(tse_task_create(now_body, dss_sched(), NULL, &after), 0);
	assert_int_equal(tse_task_create(NULL, dss_sched(), NULL, &bodyless), 0);
	left_watch(delayed, &left.rc[0]);
	left_watch(after, &left.rc[1]);
	left_watch(bodyless, &left.rc[2]);
	left_watch(flying, &left.rc[3]);
	assert_int_equal(tse_task_register_deps(after, 1, &delayed), 0);
	assert_int_equal(tse_task_schedule(after, false), 0);
	assert_int_equal(tse_task_schedule(bodyless, false), 0);
	assert_int_equal(tse_task_schedule(flying, false), 0);
	assert_int_equal(tse_task_schedule_with_delay(delayed, false, 3600ull * 1000 * 1000), 0);
	return ult_create(NULL, ULT_POOL_GENERIC, left_waiter, NULL, 0, NULL);
}

static void
test_stop_cancels_what_is_left(void **state)
{
	struct et_world *w = *state;

	memset(&left, 0, sizeof(left));
	assert_int_equal(et_run(w->engs[0], XS_TGT0, left_ult, NULL), 0);
	ult_eventual_wait(&T.arrived); /* at least one is under way */
	assert_int_equal(left.ended_nr, 0);
	et_stop(w, 0);
	assert_int_equal(left.ended_nr, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(left.rc[i], -DER_CANCELED);
	assert_int_equal(left.waited_rc, -DER_CANCELED);
	assert_true(left.no_sched);
	ult_eventual_set(&T.gate, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_diamond_over_rpcs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failure_is_handed_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_callbacks_and_reinit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_delay_wakes_who_sleeps, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_earlier_delay_comes_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stop_cancels_what_is_left, setup, teardown),
	};

	return cmocka_run_group_tests_name("engine tasks", tests, NULL, NULL);
}
