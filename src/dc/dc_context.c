/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Client contexts: a CART context, a scheduler, timers, and the lock under which all of it runs.
 *
 * Any number of threads use a context. Who waits progresses it: polls and, when nothing comes for a
 * while, blocks on CART's descriptor and on wakefd without holding the lock. One thread blocks
 * there, the others wait for the condition variable. Short waits spin: waking a thread costs more
 * than most round trips. How long adapts to what came of it (base/spin.h).
 *
 * Invariants:
 * 1. CART callbacks, task functions and timers of a context run with its lock held, so one at a
 *    time. The lock is recursive since a task function may complete and start other tasks.
 * 2. The lock is given up only in dc_ctx_wait(), which is refused when it is held more than once:
 *    that would be a callback that waits.
 * 3. Whoever changes something a waiter may wait for calls dc_ctx_notify() before it unlocks.
 * 4. While `sleeping`, exactly one thread blocks on the descriptors; `notified` is set at most once
 *    until it is back.
 * 5. The context of an xstream (dc_xs.c) is used by that xstream alone: its scheduler progresses it,
 *    and who waits is a ULT that yields.
 * 6. Of a context that is `closing` nothing but lock, waiters and that flag is used: its network
 *    context and scheduler end. Its tasks, wherever they are scheduled, end with -DER_CANCELED.
 */
#define D_LOGFAC LOG_FAC_CLIENT
#include "base/log.h"
#include "dc/dc_internal.h"
#include "tse/tse.h"

/* ---- timers ---- */

void
dc_timer_arm(struct dc_ctx *dctx, struct dc_timer *timer, uint64_t delay_ns)
{
	struct dc_timer *pos;
	d_list_t	*before = &dctx->timers;

	dc_timer_cancel(dctx, timer);
	timer->at_ns = plat_now_ns() + delay_ns;
	d_list_for_each (pos, &dctx->timers, link) {
		if (pos->at_ns > timer->at_ns) {
			before = &pos->link;
			break;
		}
	}
	d_list_add_tail(&timer->link, before);
	if (dctx->timers.next == &timer->link)
		dc_ctx_notify(dctx);
}

void
dc_timer_cancel(struct dc_ctx *dctx, struct dc_timer *timer)
{
	(void)dctx;
	if (timer->at_ns == 0)
		return;
	d_list_del(&timer->link);
	timer->at_ns = 0;
}

static void
timers_fire(struct dc_ctx *dctx, uint64_t now)
{
	struct dc_timer *timer;

	while ((timer = d_list_first(&dctx->timers, struct dc_timer, link)) != NULL &&
	       timer->at_ns <= now) {
		dc_timer_cancel(dctx, timer);
		timer->fn(timer->arg);
	}
}

/* ---- making and ending one ---- */

static int
dc_ctx_sync_init(struct dc_ctx *dctx)
{
	pthread_mutexattr_t mattr;
	pthread_condattr_t  cattr;

	dctx->wakefd = plat_event_open();
	if (dctx->wakefd < 0) {
		D_ERROR("no descriptor for a client context: " DF_RC "; is the limit of open files "
			"(ulimit -n) reached?\n",
			DP_RC(dctx->wakefd));
		return -DER_NOMEM;
	}
	pthread_mutexattr_init(&mattr);
	pthread_mutexattr_settype(&mattr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&dctx->lock, &mattr);
	pthread_mutexattr_destroy(&mattr);
	pthread_condattr_init(&cattr);
	pthread_condattr_setclock(&cattr, CLOCK_MONOTONIC);
	pthread_cond_init(&dctx->waiters, &cattr);
	pthread_condattr_destroy(&cattr);
	d_list_init(&dctx->timers);
	d_list_init(&dctx->ult_waiters);
	d_spin_init(&dctx->spin, PLAT_SPIN_PAYS ? DC_SPIN_NS_MAX : 0);
	return 0;
}

static void
dc_ctx_sync_fini(struct dc_ctx *dctx)
{
	pthread_cond_destroy(&dctx->waiters);
	pthread_mutex_destroy(&dctx->lock);
	plat_fd_close(dctx->wakefd);
}

int
dc_ctx_create(struct client *cl, struct dc_ctx **ret_dctx)
{
	struct dc_ctx *dctx;
	int	       rc;

	dctx = calloc(1, sizeof(*dctx));
	if (dctx == NULL)
		return -DER_NOMEM;
	dctx->cl = cl;
	rc = dc_ctx_sync_init(dctx);
	if (rc != 0)
		goto out_free;
	rc = crt_context_create(cl->crt, &dctx->crt);
	if (rc != 0)
		goto out_sync;
	rc = tse_sched_init(&dctx->sched, NULL, dctx);
	if (rc != 0)
		goto out_crt;
	*ret_dctx = dctx;
	return 0;

out_crt:
	crt_context_destroy(dctx->crt);
out_sync:
	dc_ctx_sync_fini(dctx);
out_free:
	free(dctx);
	return rc;
}

void
dc_ctx_cancel(struct dc_ctx *dctx)
{
	dc_ctx_lock(dctx);
	if (!dctx->closing) {
		dctx->closing = true;
		crt_context_destroy(dctx->crt); /* completes what is in flight */
		timers_fire(dctx, UINT64_MAX);
		tse_sched_complete(&dctx->sched, -DER_CANCELED, true); /* ends the scheduler, too */
		dctx->ended = true;
		dc_ctx_notify(dctx);
	}
	dc_ctx_unlock(dctx);
}

void
dc_ctx_destroy(struct dc_ctx *dctx)
{
	if (dctx == NULL)
		return;
	dc_ctx_cancel(dctx);
	dc_ctx_sync_fini(dctx);
	free(dctx);
}

crt_context_t
dc_ctx_crt(struct dc_ctx *dctx)
{
	return dctx->crt;
}

struct client *
dc_ctx_client(struct dc_ctx *dctx)
{
	return dctx->cl;
}

tse_sched_t *
dc_ctx_sched(struct dc_ctx *dctx)
{
	return &dctx->sched;
}

void
dc_ctx_lock(struct dc_ctx *dctx)
{
	pthread_mutex_lock(&dctx->lock);
	dctx->depth++;
}

void
dc_ctx_unlock(struct dc_ctx *dctx)
{
	D_ASSERT(dctx->depth > 0);
	dctx->depth--;
	pthread_mutex_unlock(&dctx->lock);
}

void
dc_ctx_notify(struct dc_ctx *dctx)
{
	if (dctx->xs != NULL) {
		dc_xs_notify(dctx);
		return;
	}
	if (dctx->waiter_nr > 0)
		pthread_cond_broadcast(&dctx->waiters);
	if (dctx->sleeping && !dctx->notified)
		dctx->notified = plat_event_set(dctx->wakefd);
}

/* ---- progress and waiting ---- */

bool
dc_ctx_may_wait(struct dc_ctx *dctx)
{
	if (dctx->depth > 1) {
		D_ERROR("a call that waits was made inside a callback; give it an event\n");
		return false;
	}
	if (dctx->xs != NULL && ult_self() == NULL) {
		D_ERROR("a call that waits was made on an xstream's scheduler; make it in a ULT\n");
		return false;
	}
	return true;
}

int
dc_ctx_poll(struct dc_ctx *dctx)
{
	int nr;

	dctx->depth++; /* a callback that waits is caught (invariant 2) */
	nr = crt_progress(dctx->crt, 0);
	if (!d_list_empty(&dctx->timers))
		timers_fire(dctx, plat_now_ns());
	tse_sched_progress(&dctx->sched);
	dctx->depth--;
	return nr;
}

uint64_t
dc_ctx_next_wakeup(struct dc_ctx *dctx, uint64_t deadline_ns)
{
	struct dc_timer *timer = d_list_first(&dctx->timers, struct dc_timer, link);
	uint64_t	 at = MIN_OF(deadline_ns, tse_sched_next_wakeup(&dctx->sched));

	return timer == NULL ? at : MIN_OF(at, timer->at_ns);
}

/** Block on the descriptors. The lock is given up meanwhile. */
static void
dc_ctx_sleep(struct dc_ctx *dctx, uint64_t deadline_ns)
{
	int	 fds[2] = {dctx->wakefd, crt_context_fd(dctx->crt)};
	uint64_t until = dc_ctx_next_wakeup(dctx, deadline_ns);
	uint64_t now = plat_now_ns();

	if (until <= now || !crt_context_arm(dctx->crt))
		return;
	if (fds[1] < 0) /* nothing to wait for: look every millisecond */
		until = MIN_OF(until, now + NSEC_PER_MSEC);
	dctx->sleeping = true;
	dc_ctx_unlock(dctx);
	plat_fds_wait(fds, fds[1] < 0 ? 1 : 2, until == UINT64_MAX ? PLAT_WAIT_FOREVER : until - now);
	dc_ctx_lock(dctx);
	dctx->sleeping = false;
	if (dctx->notified)
		(void)plat_event_clear(dctx->wakefd);
	dctx->notified = false;
}

/** Another thread blocks on the descriptors: wait for it. */
static void
dc_ctx_follow(struct dc_ctx *dctx, uint64_t deadline_ns)
{
	struct timespec ts = {.tv_sec = deadline_ns / NSEC_PER_SEC,
			      .tv_nsec = deadline_ns % NSEC_PER_SEC};

	dctx->waiter_nr++;
	dctx->depth--;
	if (deadline_ns == UINT64_MAX)
		pthread_cond_wait(&dctx->waiters, &dctx->lock);
	else
		pthread_cond_timedwait(&dctx->waiters, &dctx->lock, &ts);
	dctx->depth++;
	dctx->waiter_nr--;
}

static int
wait_locked(struct dc_ctx *dctx, uint64_t deadline_ns, bool (*cond)(void *arg), void *arg)
{
	uint64_t start = plat_now_ns();
	uint64_t slept = 0; /* since when */
	uint64_t now;

	for (;;) {
		dc_ctx_poll(dctx);
		if (cond(arg)) {
			if (slept != 0)
				d_spin_slept(&dctx->spin, plat_now_ns() - slept);
			else
				d_spin_paid(&dctx->spin);
			return 0;
		}
		now = plat_now_ns();
		if (now >= deadline_ns)
			return -DER_TIMEDOUT;
		if (slept == 0 && now - start < dctx->spin.ns) {
			dc_ctx_unlock(dctx); /* let others in */
			plat_cpu_relax(); /* not sched_yield(): it may give the core away for a whole slice */
			dc_ctx_lock(dctx);
			continue;
		}
		if (slept == 0)
			slept = now;
		if (dctx->sleeping)
			dc_ctx_follow(dctx, deadline_ns);
		else
			dc_ctx_sleep(dctx, deadline_ns);
	}
}

int
dc_ctx_wait(struct dc_ctx *dctx, int64_t timeout_us, bool (*cond)(void *arg), void *arg)
{
	uint64_t deadline = UINT64_MAX;
	int	 rc;

	if (timeout_us == 0)
		deadline = 0;
	else if (timeout_us > 0)
		deadline = plat_now_ns() + (uint64_t)timeout_us * NSEC_PER_USEC;
	dc_ctx_lock(dctx);
	if (!dc_ctx_may_wait(dctx)) {
		dc_ctx_unlock(dctx);
		return -DER_BUSY;
	}
	if (dctx->xs != NULL) {
		rc = dc_xs_wait(dctx, deadline, cond, arg);
		dc_ctx_unlock(dctx);
		return rc;
	}
	rc = wait_locked(dctx, deadline, cond, arg);
	/* one of the others has to block on the descriptors now */
	if (dctx->waiter_nr > 0 && !dctx->sleeping)
		pthread_cond_broadcast(&dctx->waiters);
	dc_ctx_unlock(dctx);
	return rc;
}

/* ---- which context ---- */

struct dc_thread {
	uint64_t client_id;
	uint32_t idx;
};
static __thread struct dc_thread dc_thread; /* where this thread's waiting calls run */

static int
sync_ctx_get(struct client *cl, uint32_t idx, struct dc_ctx **ret_dctx)
{
	int rc = 0;

	pthread_mutex_lock(&cl->lock);
	if (cl->sync_ctxs[idx] == NULL)
		rc = dc_ctx_create(cl, &cl->sync_ctxs[idx]);
	if (rc != 0 && idx != 0 && cl->sync_ctxs[0] != NULL) {
		rc = 0; /* no more contexts to be had: share */
		idx = 0;
	}
	if (rc == 0)
		*ret_dctx = cl->sync_ctxs[idx];
	pthread_mutex_unlock(&cl->lock);
	return rc;
}

int
dc_ctx_of_thread(struct client *cl, struct dc_ctx **ret_dctx)
{
	if (dc_xs_ctx(cl, ret_dctx))
		return 0;
	if (dc_thread.client_id != cl->id) {
		pthread_mutex_lock(&cl->lock);
		dc_thread.idx = cl->thread_nr++ % cl->sync_ctx_nr_max;
		dc_thread.client_id = cl->id;
		pthread_mutex_unlock(&cl->lock);
	}
	return sync_ctx_get(cl, dc_thread.idx, ret_dctx);
}

struct dc_ctx *
dc_sched2dctx(tse_sched_t *sched)
{
	struct dc_ctx *dctx = sched->ds_udata;
	struct client *cl;

	/* one of ours, whose ds_udata is its context? only the address is compared */
	if (dctx != NULL && sched == (tse_sched_t *)((char *)dctx + offsetof(struct dc_ctx, sched)))
		return dctx;
	cl = client_current();
	if (cl != NULL && dc_xs_ctx(cl, &dctx))
		return dctx;
	if (cl == NULL ||
	    sync_ctx_get(cl, ((uintptr_t)sched >> 6) % cl->sync_ctx_nr_max, &dctx) != 0)
		return NULL;
	return dctx;
}
