/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Tasks: life, callbacks, dependencies. The rules are in tse_sched.c. */
#include "tse/tse_internal.h"

#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>

int
tse_task_create(tse_task_func_t task_func, tse_sched_t *sched, void *priv, tse_task_t **taskp)
{
	tse_task_t           *task;
	struct tse_task_priv *tp;

	if (sched == NULL || taskp == NULL)
		return -DER_INVAL;
	task = calloc(1, sizeof(*task));
	if (task == NULL)
		return -DER_NOMEM;
	tp = tse_task_priv(task);
	tp->sched = tse_sched_priv(sched);
	tp->func = task_func;
	tp->priv = priv;
	d_list_init(&tp->link);
	d_list_init(&tp->user_link);
	atomic_init(&tp->ref_nr, 1);
	*taskp = task;
	return 0;
}

static void
task_cbs_free(struct tse_cb **cbs)
{
	struct tse_cb *cb;

	while ((cb = *cbs) != NULL) {
		*cbs = cb->next;
		free(cb);
	}
}

void
tse_task_addref(tse_task_t *task)
{
	atomic_fetch_add_explicit(&tse_task_priv(task)->ref_nr, 1, memory_order_relaxed);
}

void
tse_task_decref(tse_task_t *task)
{
	struct tse_task_priv *tp = tse_task_priv(task);
	uint32_t              old = atomic_fetch_sub_explicit(&tp->ref_nr, 1, memory_order_acq_rel);

	D_ASSERT(old > 0);
	if (old > 1)
		return;
	D_ASSERT(tp->dependents == NULL && d_list_empty(&tp->link) && d_list_empty(&tp->user_link));
	task_cbs_free(&tp->comp_cbs);
	task_cbs_free(&tp->prep_cbs);
	free(task);
}

tse_sched_t *
tse_task2sched(tse_task_t *task)
{
	return tse_priv_sched(tse_task_priv(task)->sched);
}

void
tse_disable_propagate(tse_task_t *task)
{
	tse_task_priv(task)->no_propagate = true;
}

/* ---- scheduling ---- */

int
tse_task_schedule_with_delay(tse_task_t *task, bool instant, uint64_t delay)
{
	struct tse_task_priv  *tp = tse_task_priv(task);
	struct tse_sched_priv *sp = tp->sched;
	bool                   now;

	D_ASSERT(!instant || (tp->func != NULL && delay == 0));
	pthread_mutex_lock(&sp->lock);
	D_ASSERT(!tp->scheduled && tp->state == TSE_INIT);
	tp->scheduled = true;
	sp->ref_nr++;
	/* A task without a body runs until somebody completes it. */
	now = (instant || tp->func == NULL) && tp->dep_nr == 0 && tp->prep_cbs == NULL;
	if (now) {
		tp->state = TSE_RUNNING;
		sp->inflight_nr++;
		d_list_add_tail(&tp->link, &sp->running);
	} else {
		tp->wakeup_ns = tse_wakeup_ns(delay);
		tse_sched_enqueue(sp, tp);
	}
	pthread_cond_broadcast(&sp->changed);
	tse_task_addref(task);
	pthread_mutex_unlock(&sp->lock);
	if (now && instant)
		(void)tp->func(task);
	tse_task_decref(task);
	return 0;
}

int
tse_task_schedule(tse_task_t *task, bool instant)
{
	return tse_task_schedule_with_delay(task, instant, 0);
}

/** Prepare callbacks in order; false: one of them completed the task or started it anew. */
static bool
task_call_prep_cbs(struct tse_task_priv *tp)
{
	tse_task_t *task = tse_priv_task(tp);
	uint32_t    reinit_nr;
	bool        goes_on = true;

	pthread_mutex_lock(&tp->sched->lock);
	reinit_nr = tp->reinit_nr;
	while (goes_on && tp->prep_cbs != NULL) {
		struct tse_cb *cb = tp->prep_cbs;
		int            rc;

		tp->prep_cbs = cb->next;
		pthread_mutex_unlock(&tp->sched->lock);
		rc = cb->fn(task, cb->arg);
		free(cb);
		pthread_mutex_lock(&tp->sched->lock);
		goes_on = tp->reinit_nr == reinit_nr && tp->state == TSE_RUNNING;
		if (goes_on && task->dt_result == 0)
			task->dt_result = rc;
	}
	pthread_mutex_unlock(&tp->sched->lock);
	return goes_on;
}

void
tse_task_run(struct tse_task_priv *tp)
{
	if (task_call_prep_cbs(tp) && tp->func != NULL)
		(void)tp->func(tse_priv_task(tp));
}

/* ---- completion ---- */

/** With the lock held: become the one that completes the task; false: somebody is or was. */
static bool
task_claim(struct tse_sched_priv *sp, struct tse_task_priv *tp)
{
	if (tp->state == TSE_COMPLETING || tp->state == TSE_COMPLETED)
		return false;
	if (tp->state == TSE_INIT) { /* never ran: aborted or cancelled */
		if (!tp->scheduled) {
			tp->scheduled = true;
			sp->ref_nr++;
		}
		sp->inflight_nr++;
		d_list_del(&tp->link);
		d_list_add_tail(&tp->link, &sp->running);
	}
	tp->state = TSE_COMPLETING;
	return true;
}

/** With the lock held, which is dropped for the calls. False: a callback made the task go on. */
static bool
task_call_comp_cbs(struct tse_sched_priv *sp, struct tse_task_priv *tp)
{
	tse_task_t *task = tse_priv_task(tp);
	uint32_t    reinit_nr = tp->reinit_nr;

	while (tp->comp_cbs != NULL) {
		struct tse_cb *cb = tp->comp_cbs;
		int            rc;

		tp->comp_cbs = cb->next;
		pthread_mutex_unlock(&sp->lock);
		rc = cb->fn(task, cb->arg);
		free(cb);
		pthread_mutex_lock(&sp->lock);
		if (tp->reinit_nr != reinit_nr)
			return false; /* it belongs to whoever runs it next */
		if (task->dt_result == 0)
			task->dt_result = rc;
		if (tp->dep_nr > 0 && !sp->cancelling) {
			tp->state = TSE_RUNNING; /* goes on when what was added has completed */
			return false;
		}
	}
	return true;
}

bool
tse_task_finish(struct tse_task_priv *tp, int result)
{
	tse_task_t            *task = tse_priv_task(tp);
	struct tse_sched_priv *sp = tp->sched;
	bool                   done;

	pthread_mutex_lock(&sp->lock);
	if (!task_claim(sp, tp)) {
		pthread_mutex_unlock(&sp->lock);
		return false;
	}
	if (task->dt_result == 0)
		task->dt_result = result;
	done = task_call_comp_cbs(sp, tp);
	if (done) {
		task_cbs_free(&tp->prep_cbs); /* of a task that never ran */
		tp->state = TSE_COMPLETED;
		d_list_del(&tp->link);
		d_list_add_tail(&tp->link, &sp->complete);
		pthread_cond_broadcast(&sp->changed);
	}
	pthread_mutex_unlock(&sp->lock);
	return done;
}

void
tse_task_complete(tse_task_t *task, int ret)
{
	struct tse_task_priv  *tp = tse_task_priv(task);
	struct tse_sched_priv *sp = tp->sched;
	bool                   done;
	bool                   cancelling;

	pthread_mutex_lock(&sp->lock);
	sp->ref_nr++;
	tse_task_addref(task); /* a callback may let go of everything */
	pthread_mutex_unlock(&sp->lock);
	done = tse_task_finish(tp, ret);
	pthread_mutex_lock(&sp->lock);
	cancelling = sp->cancelling;
	pthread_mutex_unlock(&sp->lock);
	if (done && !cancelling) /* else the thread that cancels does it */
		tse_sched_process_complete(sp);
	tse_task_decref(task);
	tse_sched_put(sp);
}

/* ---- starting anew ---- */

/** With the lock held. */
static int
task_reinit(struct tse_task_priv *tp, uint64_t delay_us)
{
	struct tse_sched_priv *sp = tp->sched;

	if (tp->func == NULL)
		return -DER_INVAL;
	if (sp->cancelling || tp->state == TSE_INIT)
		return -DER_NO_PERM;
	if (tp->state == TSE_COMPLETED) {
		if (tp->scheduled) /* its completion is being processed */
			return -DER_NO_PERM;
		tp->scheduled = true;
		sp->ref_nr++;
		tse_task_addref(tse_priv_task(tp));
	} else {
		sp->inflight_nr--;
	}
	tp->state = TSE_INIT;
	tp->reinit_nr++;
	tp->stack_bytes = 0;
	tp->wakeup_ns = tse_wakeup_ns(delay_us);
	tse_priv_task(tp)->dt_result = 0;
	tse_sched_enqueue(sp, tp);
	pthread_cond_broadcast(&sp->changed);
	return 0;
}

int
tse_task_reinit_with_delay(tse_task_t *task, uint64_t delay)
{
	struct tse_task_priv  *tp = tse_task_priv(task);
	struct tse_sched_priv *sp = tp->sched; /* afterwards the task may be gone */
	int                    rc;

	pthread_mutex_lock(&sp->lock);
	rc = task_reinit(tp, delay);
	pthread_mutex_unlock(&sp->lock);
	return rc;
}

int
tse_task_reinit(tse_task_t *task)
{
	return tse_task_reinit_with_delay(task, 0);
}

int
tse_task_reset(tse_task_t *task, tse_task_func_t task_func, void *priv)
{
	struct tse_task_priv  *tp = tse_task_priv(task);
	struct tse_sched_priv *sp = tp->sched;
	int                    rc = 0;

	pthread_mutex_lock(&sp->lock);
	if (sp->cancelling || tp->scheduled || tp->dep_nr > 0 || tp->dependents != NULL ||
	    tp->comp_cbs != NULL || tp->prep_cbs != NULL || !d_list_empty(&tp->user_link)) {
		rc = -DER_NO_PERM;
	} else {
		tp->state = TSE_INIT;
		tp->reinit_nr++;
		tp->stack_bytes = 0;
		tp->wakeup_ns = 0;
		tp->func = task_func;
		tp->priv = priv;
		task->dt_result = 0;
	}
	pthread_mutex_unlock(&sp->lock);
	return rc;
}

/* ---- callbacks ---- */

static struct tse_cb *
cb_alloc(tse_task_cb_t fn, const void *arg, size_t arg_bytes)
{
	struct tse_cb *cb = malloc(sizeof(*cb) + arg_bytes);

	if (cb == NULL)
		return NULL;
	cb->fn = fn;
	cb->next = NULL;
	if (arg != NULL && arg_bytes > 0)
		memcpy(cb->arg, arg, arg_bytes);
	return cb;
}

/** With the lock held. */
static int
task_cb_add(struct tse_task_priv *tp, struct tse_cb *prep, struct tse_cb *comp)
{
	struct tse_cb **last = &tp->prep_cbs;

	if (tp->state == TSE_COMPLETED)
		return -DER_NO_PERM;
	if (prep != NULL) {
		while (*last != NULL)
			last = &(*last)->next;
		*last = prep;
	}
	if (comp != NULL) {
		comp->next = tp->comp_cbs;
		tp->comp_cbs = comp;
	}
	return 0;
}

int
tse_task_register_cbs(tse_task_t *task, tse_task_cb_t prep_cb, void *prep_data,
		      size_t prep_data_size, tse_task_cb_t comp_cb, void *comp_data,
		      size_t comp_data_size)
{
	struct tse_task_priv *tp = tse_task_priv(task);
	struct tse_cb        *prep = NULL;
	struct tse_cb        *comp = NULL;
	int                   rc = -DER_NOMEM;

	D_ASSERT(prep_cb != NULL || comp_cb != NULL);
	if (prep_cb != NULL)
		prep = cb_alloc(prep_cb, prep_data, prep_data_size);
	if (comp_cb != NULL)
		comp = cb_alloc(comp_cb, comp_data, comp_data_size);
	if ((prep_cb == NULL || prep != NULL) && (comp_cb == NULL || comp != NULL)) {
		pthread_mutex_lock(&tp->sched->lock);
		rc = task_cb_add(tp, prep, comp);
		pthread_mutex_unlock(&tp->sched->lock);
	}
	if (rc != 0) {
		free(prep);
		free(comp);
	}
	return rc;
}

int
tse_task_register_comp_cb(tse_task_t *task, tse_task_cb_t comp_cb, void *arg, size_t arg_size)
{
	return tse_task_register_cbs(task, NULL, NULL, 0, comp_cb, arg, arg_size);
}

int
tse_task_register_comp_cb_and_reinit(tse_task_t *task, tse_task_cb_t comp_cb, void *arg,
				     size_t arg_size, uint64_t delay)
{
	struct tse_task_priv  *tp = tse_task_priv(task);
	struct tse_sched_priv *sp = tp->sched;
	struct tse_cb         *cb = cb_alloc(comp_cb, arg, arg_size);
	int                    rc;

	if (cb == NULL)
		return -DER_NOMEM;
	pthread_mutex_lock(&sp->lock);
	rc = task_reinit(tp, delay);
	if (rc == 0)
		rc = task_cb_add(tp, NULL, cb);
	pthread_mutex_unlock(&sp->lock);
	if (rc != 0)
		free(cb);
	return rc;
}

/* ---- dependencies ---- */

/** @task has a reason more or less to wait; takes its lock. */
static void
task_dep_count(struct tse_task_priv *tp, int change)
{
	pthread_mutex_lock(&tp->sched->lock);
	tp->dep_nr += change;
	if (tp->state == TSE_INIT && tp->scheduled)
		tse_sched_enqueue(tp->sched, tp);
	pthread_mutex_unlock(&tp->sched->lock);
}

static int
task_depend(tse_task_t *task, tse_task_t *on)
{
	struct tse_task_priv *tp = tse_task_priv(task);
	struct tse_task_priv *on_tp = tse_task_priv(on);
	struct tse_dependent *dep;
	bool                  over;

	D_ASSERT(task != on);
	if (tp->state == TSE_COMPLETED)
		return -DER_NO_PERM;
	dep = malloc(sizeof(*dep));
	if (dep == NULL)
		return -DER_NOMEM;
	dep->task = task;
	tse_task_addref(task);
	task_dep_count(tp, 1);
	pthread_mutex_lock(&on_tp->sched->lock);
	over = on_tp->state == TSE_COMPLETED;
	if (!over) {
		struct tse_dependent **last = &on_tp->dependents;

		while (*last != NULL)
			last = &(*last)->next;
		dep->next = NULL;
		*last = dep;
	}
	pthread_mutex_unlock(&on_tp->sched->lock);
	if (over) { /* nothing to wait for */
		task_dep_count(tp, -1);
		tse_task_decref(task);
		free(dep);
	}
	return 0;
}

int
tse_task_register_deps(tse_task_t *task, int num_deps, tse_task_t *dep_tasks[])
{
	int rc = 0;

	for (int i = 0; i < num_deps && rc == 0; i++)
		rc = task_depend(task, dep_tasks[i]);
	return rc;
}

/* ---- lists ---- */

int
tse_task_list_add(tse_task_t *task, d_list_t *head)
{
	struct tse_task_priv *tp = tse_task_priv(task);

	if (tp->state != TSE_INIT)
		return -DER_NO_PERM;
	D_ASSERT(d_list_empty(&tp->user_link));
	d_list_add_tail(&tp->user_link, head);
	return 0;
}

void
tse_task_list_del(tse_task_t *task)
{
	d_list_del(&tse_task_priv(task)->user_link);
}

tse_task_t *
tse_task_list_first(d_list_t *head)
{
	struct tse_task_priv *tp = d_list_first(head, struct tse_task_priv, user_link);

	return tp == NULL ? NULL : tse_priv_task(tp);
}

void
tse_task_list_sched(d_list_t *head, bool instant)
{
	tse_task_t *task;

	while ((task = tse_task_list_first(head)) != NULL) {
		tse_task_list_del(task);
		tse_task_schedule(task, instant);
	}
}

void
tse_task_list_abort(d_list_t *head, int rc)
{
	tse_task_t *task;

	while ((task = tse_task_list_first(head)) != NULL) {
		tse_task_list_del(task);
		tse_task_complete(task, rc);
	}
}

int
tse_task_list_depend(d_list_t *head, tse_task_t *task)
{
	struct tse_task_priv *tp;
	int                   rc;

	d_list_for_each(tp, head, user_link) {
		rc = task_depend(tse_priv_task(tp), task);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
tse_task_depend_list(tse_task_t *task, d_list_t *head)
{
	struct tse_task_priv *tp;
	int                   rc;

	d_list_for_each(tp, head, user_link) {
		rc = task_depend(task, tse_priv_task(tp));
		if (rc != 0)
			return rc;
	}
	return 0;
}

/** As in public DAOS all are visited, and the last error is returned. */
int
tse_task_list_traverse(d_list_t *head, tse_task_cb_t cb, void *arg)
{
	struct tse_task_priv *tp;
	struct tse_task_priv *next;
	int                   ret = 0;

	d_list_for_each_safe(tp, next, head, user_link) {
		int rc = cb(tse_priv_task(tp), arg);

		ret = rc == 0 ? ret : rc;
	}
	return ret;
}

/** The list is written down first, with references, so @cb may do anything to it. */
int
tse_task_list_traverse_adv(d_list_t *head, tse_task_cb_t cb, void *arg)
{
	struct tse_task_priv *tp;
	tse_task_t          **tasks;
	size_t                nr = 0;
	int                   ret = 0;

	d_list_for_each(tp, head, user_link)
		nr++;
	tasks = malloc(MAX_OF(nr, (size_t)1) * sizeof(*tasks));
	if (tasks == NULL)
		return -DER_NOMEM;
	nr = 0;
	d_list_for_each(tp, head, user_link) {
		tasks[nr] = tse_priv_task(tp);
		tse_task_addref(tasks[nr++]);
	}
	for (size_t i = 0; i < nr; i++) {
		int rc = cb(tasks[i], arg);

		ret = rc == 0 ? ret : rc;
		tse_task_decref(tasks[i]);
	}
	free(tasks);
	return ret;
}
