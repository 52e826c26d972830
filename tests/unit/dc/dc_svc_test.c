/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Calls of a replicated service whose replicas answer as told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/rank_list.h"
#include "dc_test_util.h"

static struct dt     dt;
static struct dc_svc svc;

/** What replies say of names, in cases about those. */
static _Atomic bool     replies_begun;
static _Atomic uint64_t service_time;

static int
setup(void **state)
{
	d_rank_t      ranks[] = {0, 1, 2};
	d_rank_list_t list = {.rl_ranks = ranks, .rl_nr = 3};

	dt_start(&dt, 3);
	return dc_svc_init(&svc, &list);
}

static int
teardown(void **state)
{
	dc_svc_fini(&svc);
	dt_stop(&dt);
	return 0;
}

static int
fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	((struct dt_in *)rpc->cr_input)->x = *(uint32_t *)arg;
	return 0;
}

static int
result(crt_rpc_t *rpc, void *arg, struct dc_svc_reply *reply)
{
	struct dt_out *out = rpc->cr_output;

	reply->hint_valid = out->hint_valid;
	reply->hint_rank = out->hint_rank;
	reply->hint_term = out->hint_term;
	reply->begun = replies_begun;
	reply->time = service_time;
	return out->rc;
}

static int done_nr;

static int
done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	done_nr++;
	if (rc == 0)
		assert_int_equal(((struct dt_out *)rpc->cr_output)->x, *(uint32_t *)arg);
	return rc;
}

static int
svc_task(tse_task_t *task)
{
	static uint32_t	   x = 17;
	struct dc_svc_call call = {.svc = &svc,
				   .opc = DT_OPC,
				   .timeout_s = *(uint32_t *)dc_task_get_args(task),
				   .fill = fill,
				   .result = result,
				   .done = done,
				   .arg = &x};

	return dc_svc_call(task, &call);
}

static int
svc_run(uint32_t timeout_s, daos_event_t *ev)
{
	tse_task_t *task;
	int	    rc;

	done_nr = 0;
	rc = dc_task_create(svc_task, NULL, ev, &task);
	assert_int_equal(rc, 0);
	*(uint32_t *)dc_task_get_args(task) = timeout_s;
	return dc_task_schedule(task, true);
}

static void
first_answers(void **state)
{
	assert_int_equal(svc_run(0, NULL), 0);
	assert_int_equal(done_nr, 1);
	assert_int_equal(dt.srv[0].asked, 1);
	assert_int_equal(dt.srv[1].asked + dt.srv[2].asked, 0);
}

static void
hint_is_followed_and_kept(void **state)
{
	dt.srv[0].rc = -DER_NOTLEADER;
	dt.srv[0].hint = 2;
	assert_int_equal(svc_run(0, NULL), 0);
	assert_int_equal(dt.srv[1].asked, 0);
	assert_int_equal(dc_svc_leader(&svc), 2);
	assert_int_equal(svc_run(0, NULL), 0);
	assert_int_equal(dt.srv[0].asked, 1);
	assert_int_equal(dt.srv[2].asked, 2);
}

static void
each_replica_is_tried(void **state)
{
	dt.srv[0].rc = -DER_NOTREPLICA;
	dt.srv[1].rc = -DER_SHUTDOWN;
	assert_int_equal(svc_run(0, NULL), 0);
	assert_int_equal(dt.srv[0].asked, 1);
	assert_int_equal(dt.srv[1].asked, 1);
	assert_int_equal(dt.srv[2].asked, 1);
}

static void
rounds_repeat_until_there_is_a_leader(void **state)
{
	for (int i = 0; i < 3; i++) {
		dt.srv[i].rc = -DER_INPROGRESS;
		dt.srv[i].rc_for = 4;
	}
	assert_int_equal(svc_run(0, NULL), 0);
	assert_in_range(dt.srv[0].asked + dt.srv[1].asked + dt.srv[2].asked, 13, 15);
}

static void
final_error_ends_it(void **state)
{
	dt.srv[0].rc = -DER_NONEXIST;
	assert_int_equal(svc_run(0, NULL), -DER_NONEXIST);
	assert_int_equal(dt.srv[1].asked, 0);
	assert_int_equal(done_nr, 1);
}

static void
deadline_ends_it(void **state)
{
	uint64_t start = plat_now_ns();

	for (int i = 0; i < 3; i++)
		dt.srv[i].rc = -DER_NOTLEADER;
	assert_int_equal(svc_run(1, NULL), -DER_NOTLEADER);
	assert_true(plat_now_ns() - start < 10 * NSEC_PER_SEC);
	assert_int_equal(done_nr, 1);
}

static void
hints_that_go_in_circles_end(void **state)
{
	dt.srv[0].rc = -DER_NOTLEADER;
	dt.srv[0].hint = 1;
	dt.srv[1].rc = -DER_NOTLEADER;
	dt.srv[1].hint = 0;
	assert_int_equal(svc_run(0, NULL), 0); /* rank 2 is reached all the same */
	assert_in_range(dt.srv[0].asked + dt.srv[1].asked, 2, 10);
}

static void
rank_that_is_gone(void **state)
{
	d_rank_t      ranks[] = {9, 1};
	d_rank_list_t list = {.rl_ranks = ranks, .rl_nr = 2};

	assert_int_equal(dc_svc_set_ranks(&svc, &list), 0);
	assert_int_equal(svc_run(0, NULL), 0);
	assert_int_equal(dt.srv[1].asked, 1);
}

static void
no_replicas(void **state)
{
	d_rank_list_t list = {0};

	assert_int_equal(dc_svc_set_ranks(&svc, &list), 0);
	assert_int_equal(svc_run(0, NULL), -DER_NO_SERVICE);
	assert_int_equal(done_nr, 1);
}

static void
old_hint_is_ignored(void **state)
{
	d_rank_list_t *ranks;

	dc_svc_hint(&svc, 1, 5);
	dc_svc_hint(&svc, 2, 4);
	assert_int_equal(dc_svc_leader(&svc), 1);
	dc_svc_hint(&svc, 2, 6);
	assert_int_equal(dc_svc_leader(&svc), 2);
	assert_int_equal(dc_svc_ranks(&svc, &ranks), 0);
	assert_int_equal(ranks->rl_nr, 3);
	d_rank_list_free(ranks);
}

static void
abort_ends_it(void **state)
{
	daos_handle_t eqh;
	daos_event_t  ev, *got[1];

	dt.srv[0].silent = true;
	assert_int_equal(daos_eq_create(&eqh), 0);
	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(svc_run(0, &ev), 0);
	assert_int_equal(daos_event_abort(&ev), 0);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got), 1);
	assert_int_equal(ev.ev_error, -DER_CANCELED);
	assert_int_equal(dt.srv[1].asked, 0);
	assert_int_equal(daos_eq_destroy(eqh, 0), 0);
}

static void
abort_during_pause(void **state)
{
	daos_handle_t eqh;
	daos_event_t  ev, *got[1];
	int	      nr;

	for (int i = 0; i < 3; i++)
		dt.srv[i].rc = -DER_NOTLEADER;
	assert_int_equal(daos_eq_create(&eqh), 0);
	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(svc_run(20, &ev), 0);
	while (dt.srv[2].asked == 0)
		assert_int_equal(daos_eq_poll(eqh, 1, 100, 1, got), 0);
	assert_int_equal(daos_event_abort(&ev), 0);
	nr = daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got);
	assert_int_equal(nr, 1);
	assert_int_equal(ev.ev_error, -DER_CANCELED);
	assert_int_equal(daos_eq_destroy(eqh, 0), 0);
}

static void
silent_replica_times_out(void **state)
{
	dt.srv[0].silent = true;
	assert_int_equal(svc_run(1, NULL), -DER_TIMEDOUT);
	assert_int_equal(done_nr, 1);
}

/* ---- names of calls ---- */

static struct dtx_id names[16];
static uint32_t      name_nr;
static void
keep_name(crt_rpc_t *rpc, const struct dtx_id *op)
{
	names[name_nr++] = *op;
}

static int
named_setup(void **state)
{
	int rc = setup(state);

	svc.ds_name = keep_name;
	name_nr = 0;
	replies_begun = false;
	service_time = 0;
	return rc;
}

static void
name_is_kept_while_the_outcome_is_open(void **state)
{
	replies_begun = true;
	dt.srv[0].rc = -DER_NOTLEADER;
	dt.srv[1].rc = -DER_INPROGRESS;
	assert_int_equal(svc_run(0, NULL), 0);
	assert_int_equal(name_nr, 3);
	assert_int_equal(dtx_id_cmp(&names[0], &names[1]), 0);
	assert_int_equal(dtx_id_cmp(&names[0], &names[2]), 0);
	dt.srv[0].rc = dt.srv[1].rc = 0;
	assert_int_equal(svc_run(0, NULL), 0);
	assert_true(dtx_id_cmp(&names[3], &names[2]) > 0); /* another call */
}

static void
name_is_new_when_nothing_was_begun(void **state)
{
	dt.srv[0].rc = -DER_NOTLEADER;
	assert_int_equal(svc_run(0, NULL), 0);
	assert_int_equal(name_nr, 2);
	assert_true(dtx_id_cmp(&names[1], &names[0]) > 0);
}

static void
time_is_the_services(void **state)
{
	service_time = 1000; /* ours is years ahead of it: refused once, then theirs is taken */
	dt.srv[0].rc = -DER_TX_UNCERTAIN;
	dt.srv[0].rc_for = 1;
	assert_int_equal(svc_run(0, NULL), 0);
	assert_int_equal(name_nr, 2);
	assert_true(names[1].hlc >= 1000 && names[1].hlc < names[0].hlc);
	assert_int_not_equal(uuid_compare(names[0].uuid, names[1].uuid), 0);
	service_time = names[1].hlc + HLC_UNITS_PER_NS * 3600 * NSEC_PER_SEC;
	assert_int_equal(svc_run(0, NULL), 0);
	assert_int_equal(svc_run(0, NULL), 0);
	assert_true(names[3].hlc >= (uint64_t)service_time);
}

static void
refused_after_it_may_have_been_done(void **state)
{
	replies_begun = true;
	service_time = 1000;
	dt.srv[0].rc = -DER_TX_UNCERTAIN;
	assert_int_equal(svc_run(0, NULL), -DER_TX_UNCERTAIN);
	assert_int_equal(name_nr, 1);
}

static void
service_that_refuses_any_name(void **state)
{
	service_time = 1000;
	dt.srv[0].rc = -DER_TX_UNCERTAIN;
	assert_int_equal(svc_run(0, NULL), -DER_TX_UNCERTAIN);
	assert_in_range(name_nr, 2, 8);
}

#define NAMED(f) cmocka_unit_test_setup_teardown(f, named_setup, teardown)
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(first_answers),
	    CASE(hint_is_followed_and_kept),
	    CASE(each_replica_is_tried),
	    CASE(rounds_repeat_until_there_is_a_leader),
	    CASE(final_error_ends_it),
	    CASE(deadline_ends_it),
	    CASE(hints_that_go_in_circles_end),
	    CASE(rank_that_is_gone),
	    CASE(no_replicas),
	    CASE(old_hint_is_ignored),
	    CASE(abort_ends_it),
	    CASE(abort_during_pause),
	    CASE(silent_replica_times_out),
	    NAMED(name_is_kept_while_the_outcome_is_open),
	    NAMED(name_is_new_when_nothing_was_begun),
	    NAMED(time_is_the_services),
	    NAMED(refused_after_it_may_have_been_done),
	    NAMED(service_that_refuses_any_name),
	};

	return cmocka_run_group_tests_name("dc/svc", tests, NULL, NULL);
}
