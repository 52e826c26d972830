/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The scheduler.
 *
 *              schedule            progress             complete          progress, complete
 *   created ------------> init -----------------> running --------> complete ---------> gone
 *              delay \    ^  ^ time                  |  ^               |
 *                     > sleeping      reinit <-------+--+---------------+
 *
 * Invariants, all under the scheduler's lock
 * 1. A task that is `scheduled` is on exactly one list: ready, init or sleeping (TSE_INIT), running
 *    (TSE_RUNNING, TSE_COMPLETING), complete (TSE_COMPLETED); or in the hands of the one thread
 *    that processes its completion. For that time the scheduler has a reference on the task and
 *    the task one on the scheduler.
 * 2. inflight_nr counts tasks running, completing, or completed and not yet processed.
 * 3. One thread at a time completes a task: the one that made it TSE_COMPLETING.
 * 4. Callbacks run without the lock; afterwards reinit_nr and dep_nr say whether the callback
 *    started the task anew or made it wait for more.
 * 5. dep_nr of a task is under its own scheduler's lock, its dependents likewise; of two schedulers
 *    one lock at a time is held.
 *
 * A running task with dependencies (made in its body) completes when they have. Cancelling ends
 * every task with -DER_CANCELED, callbacks included; who still works for one must hold a reference,
 * and its tse_task_complete() then has no effect.
 */
#include "tse/tse_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <daos_errno.h>
#include "platform/platform.h"

#define PASS_NR_MAX 32 /* a task that starts itself anew without end must not hold progress up */

uint64_t
tse_wakeup_ns(uint64_t delay_us)
{
	return delay_us == 0 ? 0 : plat_now_ns() + delay_us * NSEC_PER_USEC;
}

int
tse_sched_init(tse_sched_t *sched, tse_sched_comp_cb_t comp_cb, void *udata)
{
	struct tse_sched_priv *sp = tse_sched_priv(sched);
	pthread_condattr_t     attr;

	memset(sched, 0, sizeof(*sched));
	sched->ds_udata = udata;
	pthread_mutex_init(&sp->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sp->changed, &attr);
	pthread_condattr_destroy(&attr);
	d_list_init(&sp->ready);
	d_list_init(&sp->init);
	d_list_init(&sp->sleeping);
	d_list_init(&sp->running);
	d_list_init(&sp->complete);
	sp->ref_nr = 1;
	return comp_cb == NULL ? 0 : tse_sched_register_comp_cb(sched, comp_cb, udata);
}

void
tse_sched_fini(tse_sched_t *sched)
{
	struct tse_sched_priv *sp = tse_sched_priv(sched);
	struct tse_sched_cb   *cb;

	D_ASSERT(sp->inflight_nr == 0);
	D_ASSERT(d_list_empty(&sp->ready) && d_list_empty(&sp->init));
	D_ASSERT(d_list_empty(&sp->sleeping));
	D_ASSERT(d_list_empty(&sp->running) && d_list_empty(&sp->complete));
	while ((cb = sp->comp_cbs) != NULL) {
		sp->comp_cbs = cb->next;
		free(cb);
	}
	pthread_cond_destroy(&sp->changed);
	pthread_mutex_destroy(&sp->lock);
}

void
tse_sched_addref(tse_sched_t *sched)
{
	struct tse_sched_priv *sp = tse_sched_priv(sched);

	pthread_mutex_lock(&sp->lock);
	sp->ref_nr++;
	pthread_mutex_unlock(&sp->lock);
}

void
tse_sched_put(struct tse_sched_priv *sp)
{
	bool last;

	pthread_mutex_lock(&sp->lock);
	D_ASSERT(sp->ref_nr > 0);
	last = --sp->ref_nr == 0;
	pthread_mutex_unlock(&sp->lock);
	if (last)
		tse_sched_fini(tse_priv_sched(sp));
}

void
tse_sched_decref(tse_sched_t *sched)
{
	tse_sched_put(tse_sched_priv(sched));
}

int
tse_sched_register_comp_cb(tse_sched_t *sched, tse_sched_comp_cb_t comp_cb, void *arg)
{
	struct tse_sched_priv *sp = tse_sched_priv(sched);
	struct tse_sched_cb   *cb = malloc(sizeof(*cb));

	if (cb == NULL)
		return -DER_NOMEM;
	cb->fn = comp_cb;
	cb->arg = arg;
	pthread_mutex_lock(&sp->lock);
	cb->next = sp->comp_cbs;
	sp->comp_cbs = cb;
	pthread_mutex_unlock(&sp->lock);
	return 0;
}

void
tse_sched_enqueue(struct tse_sched_priv *sp, struct tse_task_priv *tp)
{
	d_list_t *at;

	d_list_del(&tp->link);
	if (tp->wakeup_ns == 0) {
		d_list_add_tail(&tp->link, tp->dep_nr == 0 ? &sp->ready : &sp->init);
		return;
	}
	/* Later ones are the likelier; among equals the first stays first. */
	for (at = sp->sleeping.prev; at != &sp->sleeping; at = at->prev) {
		if (d_list_entry(at, struct tse_task_priv, link)->wakeup_ns <= tp->wakeup_ns)
			break;
	}
	d_list_add(&tp->link, at);
}

/** With the lock held: sleepers whose time has come wait for it no longer. */
static void
sched_wake_sleepers(struct tse_sched_priv *sp)
{
	struct tse_task_priv *tp;
	uint64_t              now_ns;

	if (d_list_empty(&sp->sleeping))
		return;
	now_ns = plat_now_ns();
	while ((tp = d_list_first(&sp->sleeping, struct tse_task_priv, link)) != NULL &&
	       tp->wakeup_ns <= now_ns) {
		tp->wakeup_ns = 0;
		tse_sched_enqueue(sp, tp);
	}
}

/** Run what is ready now, each task once, even when it starts itself anew. Returns how many. */
static unsigned
sched_process_ready(struct tse_sched_priv *sp)
{
	unsigned  nr = 0;
	unsigned  max_nr = 0;
	d_list_t *link;

	pthread_mutex_lock(&sp->lock);
	sched_wake_sleepers(sp);
	for (link = sp->ready.next; link != &sp->ready; link = link->next)
		max_nr++;
	while (nr < max_nr && !sp->cancelling && !d_list_empty(&sp->ready)) {
		struct tse_task_priv *tp = d_list_first(&sp->ready, struct tse_task_priv, link);

		d_list_del(&tp->link);
		d_list_add_tail(&tp->link, &sp->running);
		tp->state = TSE_RUNNING;
		sp->inflight_nr++;
		tse_task_addref(tse_priv_task(tp));
		pthread_mutex_unlock(&sp->lock);
		tse_task_run(tp);
		tse_task_decref(tse_priv_task(tp));
		nr++;
		pthread_mutex_lock(&sp->lock);
	}
	pthread_mutex_unlock(&sp->lock);
	return nr;
}

/** One that waited for a completed task has one reason less to wait. Takes the reference in @dep. */
static void
sched_dependent_release(struct tse_dependent *dep, int result)
{
	tse_task_t            *task = dep->task;
	struct tse_task_priv  *tp = tse_task_priv(task);
	struct tse_sched_priv *sp = tp->sched;
	bool                   ends;

	pthread_mutex_lock(&sp->lock);
	if (task->dt_result == 0 && !tp->no_propagate)
		task->dt_result = result;
	D_ASSERT(tp->dep_nr > 0);
	tp->dep_nr--;
	if (tp->dep_nr == 0 && tp->state == TSE_INIT && tp->scheduled)
		tse_sched_enqueue(sp, tp);
	/* Its body waited for subtasks; they were its work, so it is done. */
	ends = tp->dep_nr == 0 && tp->state == TSE_RUNNING && !sp->cancelling;
	pthread_mutex_unlock(&sp->lock);
	if (ends)
		(void)tse_task_finish(tp, 0);
	tse_task_decref(task);
	free(dep);
}

static void
sched_process_completed_task(struct tse_sched_priv *sp, struct tse_task_priv *tp)
{
	tse_task_t           *task = tse_priv_task(tp);
	tse_sched_t          *sched = tse_priv_sched(sp);
	struct tse_dependent *dep;
	int                   result = task->dt_result;

	pthread_mutex_lock(&sp->lock);
	if (sched->ds_result == 0)
		sched->ds_result = result;
	dep = tp->dependents;
	tp->dependents = NULL;
	pthread_mutex_unlock(&sp->lock);
	while (dep != NULL) {
		struct tse_dependent *next = dep->next;

		sched_dependent_release(dep, result);
		dep = next;
	}
	pthread_mutex_lock(&sp->lock);
	tp->scheduled = false;
	D_ASSERT(sp->inflight_nr > 0);
	sp->inflight_nr--;
	pthread_cond_broadcast(&sp->changed);
	pthread_mutex_unlock(&sp->lock);
	tse_task_decref(task);
	tse_sched_put(sp);
}

unsigned
tse_sched_process_complete(struct tse_sched_priv *sp)
{
	struct tse_task_priv *tp;
	unsigned              nr = 0;

	pthread_mutex_lock(&sp->lock);
	sp->ref_nr++; /* the last task may hold the last reference */
	while ((tp = d_list_first(&sp->complete, struct tse_task_priv, link)) != NULL) {
		d_list_del(&tp->link);
		pthread_mutex_unlock(&sp->lock);
		sched_process_completed_task(sp, tp);
		nr++;
		pthread_mutex_lock(&sp->lock);
	}
	pthread_mutex_unlock(&sp->lock);
	tse_sched_put(sp);
	return nr;
}

static bool
sched_is_empty(struct tse_sched_priv *sp)
{
	return d_list_empty(&sp->ready) && d_list_empty(&sp->init) && d_list_empty(&sp->sleeping) &&
	       sp->inflight_nr == 0;
}

bool
tse_sched_check_complete(tse_sched_t *sched)
{
	struct tse_sched_priv *sp = tse_sched_priv(sched);
	bool                   empty;

	pthread_mutex_lock(&sp->lock);
	empty = sched_is_empty(sp);
	pthread_mutex_unlock(&sp->lock);
	return empty;
}

uint64_t
tse_sched_next_wakeup(tse_sched_t *sched)
{
	struct tse_sched_priv *sp = tse_sched_priv(sched);
	uint64_t               at_ns = UINT64_MAX;

	pthread_mutex_lock(&sp->lock);
	if (!d_list_empty(&sp->ready) || !d_list_empty(&sp->complete))
		at_ns = 0;
	else if (!d_list_empty(&sp->sleeping))
		at_ns = d_list_first(&sp->sleeping, struct tse_task_priv, link)->wakeup_ns;
	pthread_mutex_unlock(&sp->lock);
	return at_ns;
}

bool
tse_sched_has_work(const tse_sched_t *sched)
{
	const struct tse_sched_priv *sp = (const struct tse_sched_priv *)&sched->ds_private;

	return !d_list_empty(&sp->ready) || !d_list_empty(&sp->sleeping) || !d_list_empty(&sp->complete);
}

static void
sched_run(struct tse_sched_priv *sp)
{
	for (unsigned pass_nr = 0; pass_nr < PASS_NR_MAX; pass_nr++) {
		unsigned nr = sched_process_ready(sp);

		if (nr + tse_sched_process_complete(sp) == 0)
			break;
	}
}

void
tse_sched_progress(tse_sched_t *sched)
{
	struct tse_sched_priv *sp = tse_sched_priv(sched);
	bool                   cancelling;

	pthread_mutex_lock(&sp->lock);
	cancelling = sp->cancelling;
	sp->ref_nr++;
	pthread_mutex_unlock(&sp->lock);
	if (!cancelling)
		sched_run(sp);
	tse_sched_put(sp);
}

/** With the lock held: a task to cancel, with a reference; NULL: none that no other thread is at. */
static struct tse_task_priv *
sched_take_victim(struct tse_sched_priv *sp)
{
	d_list_t             *lists[] = {&sp->running, &sp->ready, &sp->init, &sp->sleeping};
	struct tse_task_priv *tp;

	for (size_t i = 0; i < ARRAY_NR(lists); i++) {
		d_list_for_each(tp, lists[i], link) {
			if (tp->state == TSE_COMPLETING)
				continue;
			tse_task_addref(tse_priv_task(tp));
			return tp;
		}
	}
	return NULL;
}

static void
sched_cancel_tasks(struct tse_sched_priv *sp)
{
	struct tse_task_priv *tp;

	for (;;) {
		pthread_mutex_lock(&sp->lock);
		tp = sched_take_victim(sp);
		pthread_mutex_unlock(&sp->lock);
		if (tp == NULL)
			return;
		(void)tse_task_finish(tp, -DER_CANCELED);
		tse_task_decref(tse_priv_task(tp));
	}
}

/** Wait until a task was completed elsewhere, or the next delayed one is due. */
static void
sched_wait(struct tse_sched_priv *sp)
{
	uint64_t        at_ns = tse_sched_next_wakeup(tse_priv_sched(sp));
	struct timespec ts = {at_ns / NSEC_PER_SEC, at_ns % NSEC_PER_SEC};

	pthread_mutex_lock(&sp->lock);
	if (!sched_is_empty(sp) && d_list_empty(&sp->complete) && d_list_empty(&sp->ready)) {
		if (at_ns == UINT64_MAX)
			pthread_cond_wait(&sp->changed, &sp->lock);
		else
			pthread_cond_timedwait(&sp->changed, &sp->lock, &ts);
	}
	pthread_mutex_unlock(&sp->lock);
}

static void
sched_call_comp_cbs(tse_sched_t *sched)
{
	struct tse_sched_priv *sp = tse_sched_priv(sched);
	struct tse_sched_cb   *cb;

	while ((cb = sp->comp_cbs) != NULL) {
		int rc;

		sp->comp_cbs = cb->next;
		rc = cb->fn(cb->arg, sched->ds_result);
		if (sched->ds_result == 0)
			sched->ds_result = rc;
		free(cb);
	}
}

void
tse_sched_complete(tse_sched_t *sched, int ret, bool cancel)
{
	struct tse_sched_priv *sp = tse_sched_priv(sched);
	bool                   first;

	pthread_mutex_lock(&sp->lock);
	if (sched->ds_result == 0)
		sched->ds_result = ret;
	first = !sp->cancelling && !sp->completing;
	if (first && cancel)
		sp->cancelling = true;
	else if (first)
		sp->completing = true;
	pthread_mutex_unlock(&sp->lock);
	if (!first)
		return;
	for (;;) {
		if (cancel)
			sched_cancel_tasks(sp);
		sched_run(sp);
		if (tse_sched_check_complete(sched))
			break;
		sched_wait(sp);
	}
	sched_call_comp_cbs(sched);
	sched->ds_udata = NULL;
	tse_sched_put(sp); /* that of tse_sched_init() */
}
