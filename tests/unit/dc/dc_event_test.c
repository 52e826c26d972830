/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Events and event queues, with tasks that end by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "dc_test_util.h"

#define SECOND 1000000

static struct dt     dt;
static daos_handle_t eqh;

static int
setup(void **state)
{
	dt_start(&dt, 0);
	return daos_eq_create(&eqh);
}

static int
teardown(void **state)
{
	int rc = daos_eq_destroy(eqh, DAOS_EQ_DESTROY_FORCE);

	dt_stop(&dt);
	return rc != 0 && rc != -DER_NONEXIST;
}

static void
without_client(void **state)
{
	daos_event_t  ev;
	daos_handle_t hdl;

	assert_int_equal(daos_event_init(&ev, DAOS_HDL_INVAL, NULL), -DER_UNINIT);
	assert_int_equal(daos_eq_create(&hdl), -DER_UNINIT);
	assert_int_equal(dt_call(0, 0, NULL), -DER_UNINIT);
}

static void
call_ends_at_once(void **state)
{
	daos_event_t ev, *got[4];

	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(dt_call(-DER_BUSY, 0, &ev), 0);
	assert_int_equal(daos_eq_query(eqh, DAOS_EQR_COMPLETED, 0, NULL), 1);
	assert_int_equal(daos_eq_poll(eqh, 0, DAOS_EQ_NOWAIT, 4, got), 1);
	assert_ptr_equal(got[0], &ev);
	assert_int_equal(ev.ev_error, -DER_BUSY);
	assert_int_equal(daos_event_fini(&ev), 0);
}

static void
call_ends_later(void **state)
{
	daos_event_t ev, *got[1];

	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(dt_call(0, 20000, &ev), 0);
	assert_int_equal(daos_eq_query(eqh, DAOS_EQR_WAITING, 0, NULL), 1);
	assert_int_equal(daos_eq_poll(eqh, 0, DAOS_EQ_NOWAIT, 1, got), 0);
	assert_int_equal(daos_event_fini(&ev), -DER_BUSY);
	assert_int_equal(daos_eq_destroy(eqh, 0), -DER_BUSY);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got), 1);
	assert_ptr_equal(got[0], &ev);
	assert_int_equal(daos_event_fini(&ev), 0);
}

static void
poll_times_out(void **state)
{
	daos_event_t *got[1];
	uint64_t      start = plat_now_ns();

	assert_int_equal(daos_eq_poll(eqh, 0, 3000, 1, got), 0);
	assert_true(plat_now_ns() - start >= 3000 * NSEC_PER_USEC);
}

static void
poll_waits_for_running_only(void **state)
{
	daos_event_t *got[1];

	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got), 0);
}

static void
poll_refuses(void **state)
{
	daos_event_t *got[1];

	assert_int_equal(daos_eq_poll(eqh, 0, 0, 0, got), -DER_INVAL);
	assert_int_equal(daos_eq_poll(eqh, 0, 0, 1, NULL), -DER_INVAL);
	assert_int_equal(daos_eq_poll((daos_handle_t){eqh.cookie + 1}, 0, 0, 1, got),
			 -DER_NONEXIST);
}

static void
poll_takes_no_more_than_room(void **state)
{
	daos_event_t ev[5], *got[5];
	int	     nr = 0;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(daos_event_init(&ev[i], eqh, NULL), 0);
		assert_int_equal(dt_call(0, 0, &ev[i]), 0);
	}
	nr = daos_eq_poll(eqh, 0, DAOS_EQ_NOWAIT, 2, got);
	assert_int_equal(nr, 2);
	assert_ptr_equal(got[0], &ev[0]);
	assert_int_equal(daos_eq_query(eqh, DAOS_EQR_ALL, 5, got), 3);
	assert_ptr_equal(got[0], &ev[2]);
	assert_int_equal(daos_eq_poll(eqh, 0, DAOS_EQ_NOWAIT, 5, got), 3);
}

static void
event_is_used_again(void **state)
{
	daos_event_t ev, *got[1];

	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(dt_call(-i, i % 2 * 100, &ev), 0);
		assert_int_equal(dt_call(0, 0, &ev), -DER_NO_PERM); /* in use, or not polled */
		assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got), 1);
		assert_int_equal(ev.ev_error, -i);
	}
	assert_int_equal(daos_event_fini(&ev), 0);
}

static void
test_of_event(void **state)
{
	daos_event_t  ev, *got[1];
	daos_handle_t queues[] = {eqh, DAOS_HDL_INVAL};
	bool	      flag;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(daos_event_init(&ev, queues[i], NULL), 0);
		assert_int_equal(dt_call(-DER_IO, 5000, &ev), 0);
		assert_int_equal(daos_event_test(&ev, DAOS_EQ_NOWAIT, &flag), 0);
		assert_false(flag);
		assert_int_equal(daos_event_test(&ev, DAOS_EQ_WAIT, &flag), 0);
		assert_true(flag);
		assert_int_equal(ev.ev_error, -DER_IO);
		assert_int_equal(daos_eq_poll(eqh, 0, DAOS_EQ_NOWAIT, 1, got), 0);
		assert_int_equal(daos_event_fini(&ev), 0);
	}
}

static int
cb_change(void *arg, daos_event_t *ev, int rc)
{
	int *order = arg;

	order[++order[0]] = rc;
	return -DER_MISMATCH;
}

static void
callbacks_see_result(void **state)
{
	daos_event_t ev, *got[1];
	int	     first[8] = {0}, second[8] = {0};

	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(daos_event_register_comp_cb(&ev, cb_change, first), 0);
	assert_int_equal(daos_event_register_comp_cb(&ev, cb_change, second), 0);
	assert_int_equal(dt_call(0, 0, &ev), 0);
	assert_int_equal(daos_eq_poll(eqh, 0, 0, 1, got), 1);
	assert_int_equal(second[0], 1);
	assert_int_equal(second[1], 0);
	assert_int_equal(first[1], -DER_MISMATCH); /* newest first, and the result goes on */
	assert_int_equal(ev.ev_error, -DER_MISMATCH);
	/* called once: not again when the event is used anew */
	assert_int_equal(dt_call(0, 0, &ev), 0);
	assert_int_equal(ev.ev_error, 0);
	assert_int_equal(first[0], 1);
	assert_int_equal(daos_eq_poll(eqh, 0, 0, 1, got), 1);
}

static void
barrier_completes_with_last_child(void **state)
{
	daos_event_t parent, child[3], *got[4];

	assert_int_equal(daos_event_init(&parent, eqh, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(daos_event_init(&child[i], DAOS_HDL_INVAL, &parent), 0);
	assert_ptr_equal(daos_event_next(&parent, NULL), &child[0]);
	assert_ptr_equal(daos_event_next(&parent, &child[0]), &child[1]);
	assert_null(daos_event_next(&parent, &child[2]));
	assert_int_equal(dt_call(0, 0, &child[0]), 0);
	assert_int_equal(dt_call(-DER_IO, 2000, &child[1]), 0);
	assert_int_equal(daos_event_parent_barrier(&parent), -DER_NO_PERM); /* one is not started */
	assert_int_equal(dt_call(0, 4000, &child[2]), 0);
	assert_int_equal(daos_event_parent_barrier(&parent), 0);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_NOWAIT, 4, got), 0);
	assert_int_equal(daos_event_fini(&parent), -DER_BUSY);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 4, got), 1);
	assert_ptr_equal(got[0], &parent);
	assert_int_equal(parent.ev_error, -DER_IO);
	assert_int_equal(child[2].ev_error, 0);
	assert_int_equal(daos_event_fini(&parent), 0); /* and its children */
	assert_int_equal(daos_event_fini(&child[0]), -DER_INVAL);
}

static void
barrier_after_children(void **state)
{
	daos_event_t parent, child, *got[1];

	assert_int_equal(daos_event_init(&parent, eqh, NULL), 0);
	assert_int_equal(daos_event_parent_barrier(&parent), -DER_INVAL); /* no child */
	assert_int_equal(daos_event_init(&child, eqh, &parent), 0);
	assert_int_equal(dt_call(-DER_NOSPACE, 0, &child), 0);
	assert_int_equal(daos_event_parent_barrier(&parent), 0);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_NOWAIT, 1, got), 1);
	assert_int_equal(parent.ev_error, -DER_NOSPACE);
}

static void
parent_with_own_call(void **state)
{
	daos_event_t parent, child, *got[1];
	bool	     flag;

	assert_int_equal(daos_event_init(&parent, eqh, NULL), 0);
	assert_int_equal(daos_event_init(&child, eqh, &parent), 0);
	assert_int_equal(dt_call(0, 0, &parent), -DER_NO_PERM); /* the child first */
	assert_int_equal(dt_call(0, 10000, &child), 0);
	assert_int_equal(dt_call(0, 0, &parent), 0);
	assert_int_equal(daos_eq_poll(eqh, 0, DAOS_EQ_NOWAIT, 1, got), 0); /* the child runs */
	assert_int_equal(daos_event_test(&child, 0, &flag), -DER_NO_PERM);
	assert_int_equal(daos_eq_poll(eqh, 0, DAOS_EQ_WAIT, 1, got), 1);
	assert_int_equal(daos_event_fini(&child), 0);
	assert_null(daos_event_next(&parent, NULL));
	assert_int_equal(daos_event_fini(&parent), 0);
}

static void
parent_rules(void **state)
{
	daos_event_t parent, child, grandchild, *got[1];

	assert_int_equal(daos_event_init(&parent, eqh, NULL), 0);
	assert_int_equal(daos_event_init(&child, eqh, &parent), 0);
	assert_int_equal(daos_event_init(&grandchild, eqh, &child), -DER_NO_PERM);
	assert_int_equal(daos_event_fini(&child), 0);
	assert_int_equal(dt_call(0, 1000, &parent), 0);
	assert_int_equal(daos_event_init(&child, eqh, &parent), -DER_INVAL); /* in flight */
	assert_int_equal(daos_event_abort(&child), -DER_INVAL);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got), 1);
	assert_int_equal(daos_event_fini(&parent), 0);
}

static void
abort_is_seen(void **state)
{
	daos_event_t ev, *got[1];

	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(daos_event_abort(&ev), -DER_NO_PERM);
	assert_int_equal(dt_call(0, 2000, &ev), 0);
	assert_int_equal(daos_event_abort(&ev), 0);
	assert_int_equal(daos_event_fini(&ev), -DER_BUSY); /* polled out first, even so */
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got), 1);
	assert_int_equal(ev.ev_error, -DER_CANCELED);
	assert_int_equal(daos_event_fini(&ev), 0);
}

static void
destroy_of_queue(void **state)
{
	daos_event_t  ev, *got[1];
	daos_handle_t eq;

	assert_int_equal(daos_eq_create(&eq), 0);
	assert_int_equal(daos_event_init(&ev, eq, NULL), 0);
	assert_int_equal(dt_call(0, 0, &ev), 0);
	assert_int_equal(daos_eq_destroy(eq, 0), -DER_BUSY); /* not polled */
	assert_int_equal(daos_eq_poll(eq, 0, 0, 1, got), 1);
	assert_int_equal(dt_call(0, 1000, &ev), 0);
	assert_int_equal(daos_eq_destroy(eq, DAOS_EQ_DESTROY_FORCE), 0);
	assert_int_equal(daos_eq_destroy(eq, 0), -DER_NONEXIST);
	assert_int_equal(daos_event_fini(&ev), -DER_NONEXIST);
	assert_int_equal(dt_call(0, 0, &ev), -DER_NONEXIST);
}

static void
queues_are_apart(void **state)
{
	daos_event_t  a, b, *got[2];
	daos_handle_t other;

	assert_int_equal(daos_eq_create(&other), 0);
	assert_int_equal(daos_event_init(&a, eqh, NULL), 0);
	assert_int_equal(daos_event_init(&b, other, NULL), 0);
	assert_int_equal(dt_call(0, 0, &a), 0);
	assert_int_equal(dt_call(0, 0, &b), 0);
	assert_int_equal(daos_eq_poll(other, 0, 0, 2, got), 1);
	assert_ptr_equal(got[0], &b);
	assert_int_equal(daos_eq_destroy(other, 0), 0);
	assert_int_equal(daos_eq_poll(eqh, 0, 0, 2, got), 1);
	assert_ptr_equal(got[0], &a);
}

static void
error_as_errno(void **state)
{
	daos_event_t ev, *got[1];

	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	daos_event_errno_rc(&ev);
	assert_int_equal(dt_call(-DER_NOSPACE, 0, &ev), 0);
	assert_int_equal(daos_eq_poll(eqh, 0, 0, 1, got), 1);
	assert_int_equal(ev.ev_error, ENOSPC);
}

/** Random calls on one queue against what must come out of it. */
static void
random_against_model(void **state)
{
	enum { NR = 32 };
	daos_event_t ev[NR], *got[NR];
	int	     want[NR];
	bool	     busy[NR] = {0};
	int	     busy_nr = 0;
	unsigned     seed = 4711;

	for (int i = 0; i < NR; i++)
		assert_int_equal(daos_event_init(&ev[i], eqh, NULL), 0);
	for (int round = 0; round < 3000; round++) {
		int i = rand_r(&seed) % NR;

		if (!busy[i] && rand_r(&seed) % 3 != 0) {
			want[i] = -(int)(rand_r(&seed) % 2 * DER_IO);
			assert_int_equal(dt_call(want[i], rand_r(&seed) % 3 * 50, &ev[i]), 0);
			busy[i] = true;
			busy_nr++;
		} else {
			int nr =
			    daos_eq_poll(eqh, 1, rand_r(&seed) % 2 ? DAOS_EQ_WAIT : DAOS_EQ_NOWAIT,
					 1 + rand_r(&seed) % NR, got);

			assert_true(nr >= 0 && nr <= busy_nr);
			for (int j = 0; j < nr; j++) {
				int k = (int)(got[j] - ev);

				assert_true(busy[k]);
				assert_int_equal(ev[k].ev_error, want[k]);
				busy[k] = false;
				busy_nr--;
			}
		}
		assert_int_equal(daos_eq_query(eqh, DAOS_EQR_ALL, 0, NULL), busy_nr);
	}
	while (busy_nr > 0)
		busy_nr -= daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, NR, got);
	for (int i = 0; i < NR; i++)
		assert_int_equal(daos_event_fini(&ev[i]), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_client),
	    CASE(call_ends_at_once),
	    CASE(call_ends_later),
	    CASE(poll_times_out),
	    CASE(poll_waits_for_running_only),
	    CASE(poll_refuses),
	    CASE(poll_takes_no_more_than_room),
	    CASE(event_is_used_again),
	    CASE(test_of_event),
	    CASE(callbacks_see_result),
	    CASE(barrier_completes_with_last_child),
	    CASE(barrier_after_children),
	    CASE(parent_with_own_call),
	    CASE(parent_rules),
	    CASE(abort_is_seen),
	    CASE(destroy_of_queue),
	    CASE(queues_are_apart),
	    CASE(error_as_errno),
	    CASE(random_against_model),
	};

	return cmocka_run_group_tests_name("dc/event", tests, NULL, NULL);
}
