/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The task scheduler of an xstream. It is a poller: a cycle without tasks costs a few loads; the
 * timer that ends the sleep for a delayed task is armed only before the xstream sleeps.
 *
 * Invariants:
 *  1. Its tasks are made, scheduled and completed by the xstream's own thread. So nobody has to wake
 *     the xstream for them, and tse_sched_has_work() may look without a lock.
 *  2. Task functions and callbacks run on the ULT scheduler, or inside whoever completes a task: no
 *     ULT is suspended in there.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <daos_errno.h>
#include "base/log.h"
#include "engine/engine_internal.h"
#include "platform/platform.h"

static int
tasks_poll(void *arg)
{
	struct engine_xs *exs = arg;
	uint64_t          at_ns;

	if (LIKELY(!tse_sched_has_work(&exs->tasks)))
		return 0;
	at_ns = tse_sched_next_wakeup(&exs->tasks);
	if (at_ns != 0 && at_ns > plat_now_ns())
		return 0;
	tse_sched_progress(&exs->tasks);
	return 1;
}

/** The timer only ends the wait: the next cycle polls. */
static void
tasks_due(void *arg)
{
	(void)arg;
}

static bool
tasks_arm(void *arg)
{
	struct engine_xs *exs = arg;

	return ult_timer_wake_at(&exs->task_timer,
				 tse_sched_has_work(&exs->tasks) ? tse_sched_next_wakeup(&exs->tasks) : UINT64_MAX);
}

int
engine_tasks_open(struct engine_xs *exs)
{
	int rc = tse_sched_init(&exs->tasks, NULL, NULL);

	if (rc != 0)
		return rc;
	exs->task_timer.fn = tasks_due;
	exs->task_poller =
	    (struct ult_poller){.name = "tasks", .poll = tasks_poll, .arm = tasks_arm, .fd = -1, .arg = exs};
	d_list_init(&exs->task_poller.link);
	ult_poller_add(&exs->task_poller);
	exs->tasks_open = true;
	return 0;
}

void
engine_tasks_close(struct engine_xs *exs)
{
	if (!exs->tasks_open)
		return;
	exs->tasks_open = false; /* a callback may ask for the scheduler: it gets none */
	ult_poller_del(&exs->task_poller);
	ult_timer_cancel(&exs->task_timer);
	tse_sched_complete(&exs->tasks, -DER_CANCELED, true); /* ends the scheduler, too */
}

tse_sched_t *
dss_sched(void)
{
	struct engine_xs *exs = CONTAINER_OF(dss_self(), struct engine_xs, pub);

	return exs->tasks_open ? &exs->tasks : NULL;
}

/* ---- waiting for one ---- */

static int
follower_body(tse_task_t *follower)
{
	tse_task_complete(follower, 0);
	return 0;
}

static int
follower_ended(tse_task_t *follower, void *arg)
{
	ult_eventual_set(*(struct ult_eventual **)arg, follower->dt_result);
	return 0;
}

/** A task after @task, whose result it gets, and which sets @done. */
static int
follower_start(tse_task_t *task, struct ult_eventual *done)
{
	tse_task_t *follower;
	int         rc = tse_task_create(follower_body, tse_task2sched(task), NULL, &follower);

	if (rc != 0)
		return rc;
	rc = tse_task_register_deps(follower, 1, &task);
	if (rc == 0)
		rc = tse_task_register_comp_cb(follower, follower_ended, &done, sizeof(done));
	if (rc == 0)
		return tse_task_schedule(follower, false);
	tse_task_decref(follower);
	return rc;
}

MAY_YIELD int
dss_task_wait(tse_task_t *task)
{
	struct ult_eventual done;
	int                 rc;

	D_ASSERT(ult_self() != NULL && tse_task2sched(task) == dss_sched());
	ult_eventual_init(&done);
	/* Not a callback of the task itself: one that is called later may start it anew. */
	rc = follower_start(task, &done);
	if (rc != 0) {
		tse_task_complete(task, rc);
		return rc;
	}
	rc = tse_task_schedule(task, false);
	D_ASSERT(rc == 0);
	return ult_eventual_wait(&done);
}
