/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "platform/platform.h"
#include "tse/tse.h"

/** What happened, in order. */
static char     trace[128];
static unsigned trace_len;

static void
note(char c)
{
	assert_true(trace_len < sizeof(trace) - 1);
	trace[trace_len++] = c;
	trace[trace_len] = '\0';
}

static int
setup(void **state)
{
	trace_len = 0;
	trace[0] = '\0';
	return 0;
}

static int
body_note(tse_task_t *task)
{
	note((char)(uintptr_t)tse_task_get_priv(task));
	tse_task_complete(task, 0);
	return 0;
}

static int
body_nothing(tse_task_t *task)
{
	note((char)(uintptr_t)tse_task_get_priv(task));
	return 0;
}

static tse_task_t *
task_new(tse_sched_t *sched, tse_task_func_t func, uintptr_t c)
{
	tse_task_t *task;

	assert_int_equal(tse_task_create(func, sched, (void *)c, &task), 0);
	return task;
}

static void
finish(tse_sched_t *sched)
{
	assert_true(tse_sched_check_complete(sched));
	tse_sched_complete(sched, 0, false);
}

static int
sched_done(void *arg, int rc)
{
	*(int *)arg = rc;
	note('D');
	return 0;
}

static int
sched_done2(void *arg, int rc)
{
	note('E');
	return 0;
}

static void
test_sched_completion_callbacks(void **state)
{
	tse_sched_t sched;
	int         rc = 99;

	assert_int_equal(tse_sched_init(&sched, sched_done, &rc), 0);
	assert_ptr_equal(sched.ds_udata, &rc);
	assert_int_equal(tse_sched_register_comp_cb(&sched, sched_done2, NULL), 0);
	tse_sched_addref(&sched);
	tse_sched_complete(&sched, -DER_IO, false);
	tse_sched_complete(&sched, -DER_BUSY, false); /* once is enough */
	tse_sched_decref(&sched);
	assert_int_equal(rc, -DER_IO);
	assert_string_equal(trace, "ED");
}

static void
test_runs_only_by_progress(void **state)
{
	tse_sched_t sched;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	assert_int_equal(tse_task_schedule(task_new(&sched, body_note, 'a'), false), 0);
	assert_string_equal(trace, "");
	assert_false(tse_sched_check_complete(&sched));
	assert_int_equal(tse_sched_next_wakeup(&sched), 0);
	tse_sched_progress(&sched);
	assert_string_equal(trace, "a");
	assert_true(tse_sched_next_wakeup(&sched) == UINT64_MAX);
	finish(&sched);
}

static void
test_instant(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'i');
	assert_ptr_equal(tse_task2sched(task), &sched);
	assert_int_equal(tse_task_schedule(task, true), 0);
	assert_string_equal(trace, "i");
	finish(&sched);
}

static void
test_bodyless_task_waits_for_completion(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, NULL, 0);
	assert_int_equal(tse_task_schedule(task, false), 0);
	tse_sched_progress(&sched);
	assert_false(tse_sched_check_complete(&sched));
	tse_task_addref(task);
	tse_task_complete(task, -DER_NOSPACE);
	tse_task_complete(task, 0); /* no effect */
	assert_int_equal(task->dt_result, -DER_NOSPACE);
	tse_task_decref(task);
	assert_int_equal(sched.ds_result, -DER_NOSPACE);
	finish(&sched);
}

static void
test_create_refuses(void **state)
{
	tse_task_t *task;

	assert_int_equal(tse_task_create(body_note, NULL, NULL, &task), -DER_INVAL);
}

/* ---- dependencies ---- */

static void
test_diamond(void **state)
{
	tse_sched_t sched;
	tse_task_t *a, *b, *c, *d;
	tse_task_t *bc[2];

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	a = task_new(&sched, body_note, 'a');
	b = task_new(&sched, body_note, 'b');
	c = task_new(&sched, body_note, 'c');
	d = task_new(&sched, body_note, 'd');
	bc[0] = b;
	bc[1] = c;
	assert_int_equal(tse_task_register_deps(d, 2, bc), 0);
	assert_int_equal(tse_task_register_deps(b, 1, &a), 0);
	assert_int_equal(tse_task_register_deps(c, 1, &a), 0);
	tse_task_schedule(d, false);
	tse_task_schedule(c, false);
	tse_task_schedule(b, false);
	tse_sched_progress(&sched);
	assert_string_equal(trace, "");
	tse_task_schedule(a, false);
	tse_sched_progress(&sched);
	assert_int_equal(trace[0], 'a');
	assert_int_equal(trace[3], 'd');
	assert_int_equal(trace_len, 4);
	finish(&sched);
}

static int
body_fail(tse_task_t *task)
{
	tse_task_complete(task, -DER_IO);
	return 0;
}

static int
comp_keep_result(tse_task_t *task, void *arg)
{
	**(int **)arg = task->dt_result;
	return 0;
}

static void
dependency_result(bool propagate, int expected)
{
	tse_sched_t sched;
	tse_task_t *a, *b;
	int         result = 99;
	int        *where = &result;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	a = task_new(&sched, body_fail, 'a');
	b = task_new(&sched, body_note, 'b');
	if (!propagate)
		tse_disable_propagate(b);
	assert_int_equal(tse_task_register_comp_cb(b, comp_keep_result, &where, sizeof(where)), 0);
	assert_int_equal(tse_task_register_deps(b, 1, &a), 0);
	tse_task_schedule(a, false);
	tse_task_schedule(b, false);
	tse_sched_progress(&sched);
	assert_int_equal(result, expected);
	assert_int_equal(sched.ds_result, -DER_IO);
	finish(&sched);
}

static void
test_error_propagates(void **state)
{
	dependency_result(true, -DER_IO);
}

static void
test_propagation_disabled(void **state)
{
	dependency_result(false, 0);
}

static void
test_dependency_on_completed_task(void **state)
{
	tse_sched_t sched;
	tse_task_t *a, *b;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	a = task_new(&sched, body_note, 'a');
	tse_task_addref(a);
	tse_task_schedule(a, true);
	b = task_new(&sched, body_note, 'b');
	assert_int_equal(tse_task_register_deps(b, 1, &a), 0);
	assert_int_equal(tse_task_register_deps(a, 1, &b), -DER_NO_PERM);
	tse_task_decref(a);
	tse_task_schedule(b, false);
	tse_sched_progress(&sched);
	assert_string_equal(trace, "ab");
	finish(&sched);
}

static void
test_dependency_across_schedulers(void **state)
{
	tse_sched_t s1, s2;
	tse_task_t *a, *b;

	assert_int_equal(tse_sched_init(&s1, NULL, NULL), 0);
	assert_int_equal(tse_sched_init(&s2, NULL, NULL), 0);
	a = task_new(&s1, body_note, 'a');
	b = task_new(&s2, body_note, 'b');
	assert_int_equal(tse_task_register_deps(b, 1, &a), 0);
	tse_task_schedule(b, false);
	tse_task_schedule(a, false);
	tse_sched_progress(&s2);
	assert_string_equal(trace, "");
	tse_sched_progress(&s1);
	tse_sched_progress(&s2);
	assert_string_equal(trace, "ab");
	finish(&s1);
	finish(&s2);
}

static int
body_with_subtasks(tse_task_t *task)
{
	tse_sched_t *sched = tse_task2sched(task);
	tse_task_t  *subs[3];

	for (int i = 0; i < 3; i++)
		subs[i] = task_new(sched, body_note, '0' + i);
	assert_int_equal(tse_task_register_deps(task, 3, subs), 0);
	for (int i = 0; i < 3; i++)
		tse_task_schedule(subs[i], i == 1);
	return 0;
}

static int
comp_note(tse_task_t *task, void *arg)
{
	note(*(char *)arg);
	return 0;
}

static void
test_body_with_subtasks(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_with_subtasks, 0);
	assert_int_equal(tse_task_register_comp_cb(task, comp_note, "c", 1), 0);
	tse_task_schedule(task, true);
	assert_string_equal(trace, "1");
	tse_sched_progress(&sched);
	assert_string_equal(trace, "102c");
	finish(&sched);
}

/* ---- callbacks ---- */

static void
test_callback_order(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'B');
	assert_int_equal(tse_task_register_cbs(task, comp_note, "1", 1, comp_note, "x", 1), 0);
	assert_int_equal(tse_task_register_cbs(task, comp_note, "2", 1, comp_note, "y", 1), 0);
	assert_int_equal(tse_task_register_comp_cb(task, comp_note, "z", 1), 0);
	tse_task_schedule(task, false);
	tse_sched_progress(&sched);
	assert_string_equal(trace, "12Bzyx");
	finish(&sched);
}

static void
test_callback_refused_after_completion(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'B');
	tse_task_addref(task);
	tse_task_schedule(task, true);
	assert_int_equal(tse_task_register_comp_cb(task, comp_note, "z", 1), -DER_NO_PERM);
	tse_task_decref(task);
	finish(&sched);
}

static int
comp_fail(tse_task_t *task, void *arg)
{
	return -DER_CSUM;
}

static void
test_callback_sets_result(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'B');
	assert_int_equal(tse_task_register_comp_cb(task, comp_fail, NULL, 0), 0);
	tse_task_schedule(task, true);
	assert_int_equal(sched.ds_result, -DER_CSUM);
	finish(&sched);
}

static int
comp_reinit_twice(tse_task_t *task, void *arg)
{
	int  *left = *(int **)arg;

	note('r');
	if ((*left)-- == 0)
		return 0;
	assert_int_equal(tse_task_register_comp_cb_and_reinit(task, comp_reinit_twice, arg,
							      sizeof(int *), 0), 0);
	return 0;
}

static void
test_reinit_in_callback(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;
	int         left = 2;
	int        *where = &left;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'B');
	assert_int_equal(tse_task_register_comp_cb(task, comp_note, "z", 1), 0);
	assert_int_equal(tse_task_register_comp_cb(task, comp_reinit_twice, &where, sizeof(where)), 0);
	tse_task_schedule(task, false);
	tse_sched_progress(&sched);
	assert_string_equal(trace, "BrBrBrz"); /* what was not called yet is called at the end */
	finish(&sched);
}

static int
prep_complete(tse_task_t *task, void *arg)
{
	note('p');
	tse_task_complete(task, -DER_INVAL);
	return 0;
}

static void
test_completed_in_prepare(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'B');
	assert_int_equal(tse_task_register_cbs(task, prep_complete, NULL, 0, comp_note, "c", 1), 0);
	assert_int_equal(tse_task_register_cbs(task, comp_note, "q", 1, NULL, NULL, 0), 0);
	tse_task_schedule(task, false);
	tse_sched_progress(&sched);
	assert_string_equal(trace, "pc");
	assert_int_equal(sched.ds_result, -DER_INVAL);
	finish(&sched);
}

static int
comp_add_dep(tse_task_t *task, void *arg)
{
	tse_task_t *sub = task_new(tse_task2sched(task), body_note, 's');

	note('a');
	assert_int_equal(tse_task_register_deps(task, 1, &sub), 0);
	tse_task_schedule(sub, *(bool *)arg);
	return 0;
}

static void
dep_in_callback(bool instant)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'B');
	assert_int_equal(tse_task_register_comp_cb(task, comp_note, "z", 1), 0);
	assert_int_equal(tse_task_register_comp_cb(task, comp_add_dep, &instant, sizeof(bool)), 0);
	tse_task_schedule(task, false);
	tse_sched_progress(&sched);
	assert_string_equal(trace, "Basz");
	finish(&sched);
}

static void
test_dependency_added_in_callback(void **state)
{
	dep_in_callback(false);
	setup(state);
	dep_in_callback(true); /* it completes before the callback returns */
}

/* ---- reinit, reset ---- */

static void
test_reinit_refused(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, NULL, 0);
	assert_int_equal(tse_task_reinit(task), -DER_INVAL);
	tse_task_decref(task);
	task = task_new(&sched, body_note, 'a');
	assert_int_equal(tse_task_reinit(task), -DER_NO_PERM); /* it has not run */
	tse_task_decref(task);
	finish(&sched);
}

static void
test_reinit_and_reset_of_completed(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_fail, 'a');
	tse_task_addref(task);
	tse_task_addref(task);
	tse_task_schedule(task, true);
	assert_int_equal(task->dt_result, -DER_IO);
	assert_int_equal(tse_task_reinit(task), 0);
	assert_int_equal(task->dt_result, 0);
	assert_int_equal(tse_task_reset(task, body_note, (void *)'n'), -DER_NO_PERM);
	tse_sched_progress(&sched);
	assert_int_equal(task->dt_result, -DER_IO);
	assert_int_equal(tse_task_reset(task, body_note, (void *)'n'), 0);
	assert_int_equal(task->dt_result, 0);
	tse_task_schedule(task, false);
	tse_sched_progress(&sched);
	assert_string_equal(trace, "n");
	tse_task_decref(task);
	finish(&sched);
}

/* ---- time ---- */

static void
test_delay(void **state)
{
	tse_sched_t sched;
	uint64_t    start_ns = plat_now_ns();
	uint64_t    next_ns;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	tse_task_schedule_with_delay(task_new(&sched, body_note, '3'), false, 3000);
	tse_task_schedule_with_delay(task_new(&sched, body_note, '1'), false, 1000);
	tse_task_schedule_with_delay(task_new(&sched, body_note, '2'), false, 2000);
	tse_task_schedule(task_new(&sched, body_note, '0'), false);
	tse_sched_progress(&sched);
	assert_int_equal(trace[0], '0');
	next_ns = tse_sched_next_wakeup(&sched);
	assert_true(next_ns >= start_ns + 1000 * NSEC_PER_USEC);
	tse_sched_complete(&sched, 0, false); /* waits for them, without spinning */
	assert_true(plat_now_ns() >= start_ns + 3000 * NSEC_PER_USEC);
	assert_string_equal(trace, "0123");
}

static int
comp_reinit_delayed(tse_task_t *task, void *arg)
{
	assert_int_equal(tse_task_reinit_with_delay(task, 1000), 0);
	return 0;
}

static void
test_reinit_with_delay(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'd');
	assert_int_equal(tse_task_register_comp_cb(task, comp_reinit_delayed, NULL, 0), 0);
	tse_task_schedule(task, false);
	tse_sched_progress(&sched);
	assert_false(tse_sched_check_complete(&sched));
	while (!tse_sched_check_complete(&sched))
		tse_sched_progress(&sched);
	assert_string_equal(trace, "dd");
	finish(&sched);
}

/* ---- cancelling, aborting ---- */

static void
test_cancel(void **state)
{
	tse_sched_t sched;
	tse_task_t *running, *waiting, *held;
	int         rc = 99;

	assert_int_equal(tse_sched_init(&sched, sched_done, &rc), 0);
	tse_sched_addref(&sched);
	running = task_new(&sched, body_nothing, 'r');
	held = running;
	tse_task_addref(held);
	assert_int_equal(tse_task_register_comp_cb(running, comp_note, "1", 1), 0);
	tse_task_schedule(running, true);
	waiting = task_new(&sched, body_note, 'w');
	assert_int_equal(tse_task_register_cbs(waiting, comp_note, "p", 1, comp_note, "2", 1), 0);
	assert_int_equal(tse_task_register_deps(waiting, 1, &running), 0);
	tse_task_schedule(waiting, false);
	tse_task_schedule_with_delay(task_new(&sched, body_note, 's'), false, 1000000000);
	tse_sched_complete(&sched, 0, true);
	assert_string_equal(trace, "r12D");
	assert_int_equal(rc, -DER_CANCELED);
	assert_int_equal(tse_task_reinit(held), -DER_NO_PERM);
	tse_task_complete(held, 0); /* too late, harmless */
	assert_int_equal(held->dt_result, -DER_CANCELED);
	tse_task_decref(held);
	tse_sched_decref(&sched);
}

static void
test_list_abort(void **state)
{
	tse_sched_t sched;
	D_LIST_HEAD(list);
	tse_task_t *task;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	for (int i = 0; i < 3; i++) {
		task = task_new(&sched, body_note, 'a');
		assert_int_equal(tse_task_register_comp_cb(task, comp_note, "x", 1), 0);
		assert_int_equal(tse_task_list_add(task, &list), 0);
	}
	tse_task_list_abort(&list, -DER_STALE);
	assert_string_equal(trace, "xxx");
	assert_int_equal(sched.ds_result, -DER_STALE);
	finish(&sched);
}

/* ---- lists ---- */

static void
test_list_sched_and_depend(void **state)
{
	tse_sched_t sched;
	D_LIST_HEAD(list);
	tse_task_t *first, *last;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	assert_null(tse_task_list_first(&list));
	first = task_new(&sched, body_note, 'f');
	last = task_new(&sched, body_note, 'l');
	for (uintptr_t c = '1'; c <= '3'; c++)
		assert_int_equal(tse_task_list_add(task_new(&sched, body_note, c), &list), 0);
	assert_int_equal(tse_task_list_depend(&list, first), 0);
	assert_int_equal(tse_task_depend_list(last, &list), 0);
	tse_task_schedule(last, false);
	tse_task_list_sched(&list, false);
	assert_true(d_list_empty(&list));
	tse_sched_progress(&sched);
	assert_string_equal(trace, "");
	tse_task_schedule(first, true);
	tse_sched_progress(&sched);
	assert_string_equal(trace, "f123l");
	finish(&sched);
}

static int
visit_del(tse_task_t *task, void *arg)
{
	note((char)(uintptr_t)tse_task_get_priv(task));
	tse_task_list_del(task);
	tse_task_decref(task);
	return tse_task_get_priv(task) == (void *)'b' ? -DER_MISC : 0;
}

static int
visit_all_del(tse_task_t *task, void *arg)
{
	d_list_t   *list = arg;
	tse_task_t *first;

	note((char)(uintptr_t)tse_task_get_priv(task));
	while ((first = tse_task_list_first(list)) != NULL) {
		tse_task_list_del(first);
		tse_task_decref(first);
	}
	return 0;
}

static int
visit_keep(tse_task_t *task, void *arg)
{
	note((char)(uintptr_t)tse_task_get_priv(task));
	return tse_task_get_priv(task) == (void *)'b' ? -DER_MISC : 0;
}

static void
test_list_traverse(void **state)
{
	tse_sched_t sched;
	D_LIST_HEAD(list);

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	for (uintptr_t c = 'a'; c <= 'c'; c++)
		assert_int_equal(tse_task_list_add(task_new(&sched, body_note, c), &list), 0);
	assert_int_equal(tse_task_list_traverse(&list, visit_keep, NULL), -DER_MISC);
	assert_int_equal(tse_task_list_traverse_adv(&list, visit_del, NULL), -DER_MISC);
	assert_true(d_list_empty(&list));
	for (uintptr_t c = 'a'; c <= 'c'; c++)
		assert_int_equal(tse_task_list_add(task_new(&sched, body_note, c), &list), 0);
	assert_int_equal(tse_task_list_traverse_adv(&list, visit_all_del, &list), 0);
	assert_string_equal(trace, "abcabcabc");
	finish(&sched);
}

/* ---- buffers ---- */

static void
test_embedded_buffer(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;
	char       *buf;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'a');
	assert_null(tse_task_buf_embedded(task, TSE_TASK_ARG_LEN + 1));
	assert_null(tse_task_buf_embedded(task, -1));
	buf = tse_task_buf_embedded(task, TSE_TASK_ARG_LEN);
	assert_non_null(buf);
	assert_int_equal((uintptr_t)buf % 8, 0);
	memset(buf, 7, TSE_TASK_ARG_LEN);
	assert_ptr_equal(tse_task_buf_embedded(task, 100), buf);
	assert_ptr_equal(tse_task_set_priv(task, buf), (void *)'a');
	assert_ptr_equal(tse_task_get_priv(task), buf);
	assert_null(tse_task_set_priv_internal(task, &sched));
	assert_ptr_equal(tse_task_get_priv_internal(task), &sched);
	tse_task_decref(task);
	finish(&sched);
}

static void
test_stack_random(void **state)
{
	tse_sched_t sched;
	tse_task_t *task;
	uint32_t    sizes[256];
	void       *tops[256];
	int         depth = 0;

	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	task = task_new(&sched, body_note, 'a');
	memset(tse_task_buf_embedded(task, 400), 0xee, 400);
	srand(2);
	for (int i = 0; i < 10000; i++) {
		uint32_t size = 1 + rand() % 100;
		void    *top = rand() % 2 ? tse_task_stack_push(task, size) : NULL;

		if (top != NULL) {
			memset(top, depth, size);
			sizes[depth] = size;
			tops[depth++] = top;
		} else if (depth > 0) {
			depth--;
			assert_ptr_equal(tse_task_stack_pop(task, sizes[depth]), tops[depth]);
			for (uint32_t j = 0; j < sizes[depth]; j++)
				assert_int_equal(((uint8_t *)tops[depth])[j], (uint8_t)depth);
		}
	}
	for (int j = 0; j < 400; j++)
		assert_int_equal(((uint8_t *)tse_task_buf_embedded(task, 400))[j], 0xee);
	while (depth-- > 0)
		tse_task_stack_pop(task, sizes[depth]);
	assert_int_equal(tse_task_stack_push_data(task, &depth, sizeof(depth)), 0);
	depth = 5;
	tse_task_stack_pop_data(task, &depth, sizeof(depth));
	assert_int_equal(depth, -1);
	tse_task_decref(task);
	finish(&sched);
}

/* ---- threads ---- */

#define RANDOM_NR 300

static _Atomic int random_done[RANDOM_NR];

static int
body_count(tse_task_t *task)
{
	uintptr_t i = (uintptr_t)tse_task_get_priv(task);

	random_done[i]++;
	tse_task_complete(task, 0);
	return 0;
}

struct edge {
	int later;
	int earlier;
};

static int
comp_check_edge(tse_task_t *task, void *arg)
{
	struct edge *edge = arg;

	assert_int_equal(random_done[edge->earlier], 1);
	return 0;
}

static void
progress_thread(void *arg)
{
	while (!tse_sched_check_complete(arg))
		tse_sched_progress(arg);
}

static void
test_random_graph_by_threads(void **state)
{
	tse_sched_t         sched;
	tse_task_t         *tasks[RANDOM_NR];
	struct plat_thread *threads[3];

	srand(3);
	for (int round = 0; round < 10; round++) {
		memset((void *)random_done, 0, sizeof(random_done));
		assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
		for (int i = 0; i < RANDOM_NR; i++) {
			tasks[i] = task_new(&sched, body_count, i);
			for (int n = 0; i > 0 && n < 3; n++) {
				struct edge edge = {i, rand() % i};

				assert_int_equal(tse_task_register_deps(tasks[i], 1,
									&tasks[edge.earlier]), 0);
				assert_int_equal(tse_task_register_comp_cb(tasks[i], comp_check_edge,
									   &edge, sizeof(edge)), 0);
			}
		}
		for (int i = RANDOM_NR - 1; i >= 0; i--)
			tse_task_schedule_with_delay(tasks[i], false, rand() % 3 ? 0 : rand() % 100);
		for (int t = 0; t < 3; t++)
			assert_int_equal(plat_thread_create("progress", progress_thread, &sched,
							    &threads[t]), 0);
		for (int t = 0; t < 3; t++)
			plat_thread_join(threads[t]);
		for (int i = 0; i < RANDOM_NR; i++)
			assert_int_equal(random_done[i], 1);
		finish(&sched);
	}
}

static void
complete_thread(void *arg)
{
	tse_task_complete(arg, -DER_BUSY);
}

static void
test_complete_waits_for_other_thread(void **state)
{
	tse_sched_t         sched;
	tse_task_t         *task;
	struct plat_thread *thread;

	for (int i = 0; i < 50; i++) {
		assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
		task = task_new(&sched, NULL, 0);
		tse_task_addref(task);
		tse_task_schedule(task, false);
		assert_int_equal(plat_thread_create("complete", complete_thread, task, &thread), 0);
		tse_sched_addref(&sched);
		tse_sched_complete(&sched, 0, false);
		plat_thread_join(thread);
		assert_int_equal(task->dt_result, -DER_BUSY);
		tse_task_decref(task);
		tse_sched_decref(&sched);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sched_completion_callbacks, setup),
		cmocka_unit_test_setup(test_runs_only_by_progress, setup),
		cmocka_unit_test_setup(test_instant, setup),
		cmocka_unit_test_setup(test_bodyless_task_waits_for_completion, setup),
		cmocka_unit_test_setup(test_create_refuses, setup),
		cmocka_unit_test_setup(test_diamond, setup),
		cmocka_unit_test_setup(test_error_propagates, setup),
		cmocka_unit_test_setup(test_propagation_disabled, setup),
		cmocka_unit_test_setup(test_dependency_on_completed_task, setup),
		cmocka_unit_test_setup(test_dependency_across_schedulers, setup),
		cmocka_unit_test_setup(test_body_with_subtasks, setup),
		cmocka_unit_test_setup(test_callback_order, setup),
		cmocka_unit_test_setup(test_callback_refused_after_completion, setup),
		cmocka_unit_test_setup(test_callback_sets_result, setup),
		cmocka_unit_test_setup(test_reinit_in_callback, setup),
		cmocka_unit_test_setup(test_completed_in_prepare, setup),
		cmocka_unit_test_setup(test_dependency_added_in_callback, setup),
		cmocka_unit_test_setup(test_reinit_refused, setup),
		cmocka_unit_test_setup(test_reinit_and_reset_of_completed, setup),
		cmocka_unit_test_setup(test_delay, setup),
		cmocka_unit_test_setup(test_reinit_with_delay, setup),
		cmocka_unit_test_setup(test_cancel, setup),
		cmocka_unit_test_setup(test_list_abort, setup),
		cmocka_unit_test_setup(test_list_sched_and_depend, setup),
		cmocka_unit_test_setup(test_list_traverse, setup),
		cmocka_unit_test_setup(test_embedded_buffer, setup),
		cmocka_unit_test_setup(test_stack_random, setup),
		cmocka_unit_test_setup(test_random_graph_by_threads, setup),
		cmocka_unit_test_setup(test_complete_waits_for_other_thread, setup),
	};

	return cmocka_run_group_tests_name("tse", tests, NULL, NULL);
}
