/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Contexts of xstreams. A program whose threads are xstreams (dfuse, a simulated client) attaches
 * each of them: the scheduler polls the context beside its other sources, so replies of hundreds of
 * calls are taken in by one thread that never waits for one of them. Who waits is a ULT, suspended
 * until the condition it gave holds; conditions are looked at when something in the context ends.
 *
 * Invariants:
 * 1. All of the context's life is on its xstream. The lock is held, since callbacks expect it, but
 *    nobody ever waits for it.
 * 2. A waiter lies on the stack of its ULT and leaves the list before the ULT goes on.
 * 3. A context that was cancelled stays on the client's list until it is detached: who calls finds it,
 *    and is told so. It is polled no more.
 */
#define D_LOGFAC LOG_FAC_CLIENT
#include "base/log.h"
#include "dc/dc_internal.h"

struct ult_waiter {
	d_list_t            link;
	bool              (*cond)(void *arg);
	void               *arg;
	struct ult_eventual woken; /* 0: the condition held; -DER_CANCELED: it never will */
};

static struct dc_ctx *
xs_ctx_find(struct client *cl, struct ult_xs *xs)
{
	struct dc_ctx *dctx, *found = NULL;

	pthread_mutex_lock(&cl->lock);
	d_list_for_each(dctx, &cl->xs_ctxs, xs_link) {
		if (dctx->xs == xs)
			found = dctx;
	}
	pthread_mutex_unlock(&cl->lock);
	return found;
}

bool
dc_xs_ctx(struct client *cl, struct dc_ctx **ret_dctx)
{
	struct dc_ctx *dctx;

	if (ult_xs_self() == NULL)
		return false;
	dctx = xs_ctx_find(cl, ult_xs_self());
	if (dctx != NULL)
		*ret_dctx = dctx;
	return dctx != NULL;
}

/* ---- waiting ---- */

void
dc_xs_notify(struct dc_ctx *dctx)
{
	struct ult_waiter *w, *next;

	d_list_for_each_safe(w, next, &dctx->ult_waiters, link) {
		bool held = w->cond(w->arg);

		if (!held && !dctx->ended) /* before it has, a task may still mean the waiter */
			continue;
		d_list_del(&w->link);
		ult_eventual_set(&w->woken, held ? 0 : -DER_CANCELED);
	}
}

MAY_YIELD int
dc_xs_wait(struct dc_ctx *dctx, uint64_t deadline_ns, bool (*cond)(void *arg), void *arg)
{
	struct ult_waiter w = {.cond = cond, .arg = arg};
	uint64_t          now;
	int               rc, woken = 0;

	D_ASSERT(dctx->xs == ult_xs_self()); /* invariant 1 */
	dctx->depth++;
	if (!dctx->closing)
		tse_sched_progress(&dctx->sched); /* what was scheduled for later is sent now */
	dctx->depth--;
	if (cond(arg))
		return 0;
	if (dctx->closing)
		return -DER_CANCELED;
	now = plat_now_ns();
	if (now >= deadline_ns)
		return -DER_TIMEDOUT;
	ult_eventual_init(&w.woken);
	d_list_add_tail(&w.link, &dctx->ult_waiters);
	dc_ctx_unlock(dctx);
	if (deadline_ns == UINT64_MAX)
		rc = ult_eventual_wait(&w.woken);
	else
		rc = ult_eventual_timedwait(&w.woken, deadline_ns - now, &woken);
	dc_ctx_lock(dctx);
	if (rc != -DER_TIMEDOUT)
		return rc != 0 ? rc : woken;
	if (ult_eventual_is_set(&w.woken)) /* just now */
		return ult_eventual_wait(&w.woken);
	d_list_del(&w.link);
	return -DER_TIMEDOUT;
}

/* ---- the scheduler's side ---- */

static int
xs_poll(void *arg)
{
	struct dc_ctx *dctx = arg;
	int            nr;

	dc_ctx_lock(dctx);
	nr = dc_ctx_poll(dctx);
	dc_ctx_unlock(dctx);
	return nr;
}

static void
xs_timer_fired(void *arg)
{
	(void)arg; /* the next poll looks */
}

static bool
xs_arm(void *arg)
{
	struct dc_ctx *dctx = arg;
	uint64_t       at, now;
	bool           safe;

	dc_ctx_lock(dctx);
	at = dc_ctx_next_wakeup(dctx, UINT64_MAX);
	now = plat_now_ns();
	safe = at > now && crt_context_arm(dctx->crt);
	dc_ctx_unlock(dctx);
	if (safe && at != UINT64_MAX)
		ult_timer_arm(&dctx->wake_timer, at - now);
	else
		ult_timer_cancel(&dctx->wake_timer);
	return safe;
}

int
client_xs_attach(struct client *cl)
{
	struct dc_ctx *dctx;
	int            rc;

	D_ASSERT(ult_self() != NULL);
	if (xs_ctx_find(cl, ult_xs_self()) != NULL)
		return -DER_EXIST;
	rc = dc_ctx_create(cl, &dctx);
	if (rc != 0)
		return rc;
	dctx->xs = ult_xs_self();
	dctx->poller = (struct ult_poller){
	    .name = "daos", .poll = xs_poll, .arm = xs_arm, .fd = crt_context_fd(dctx->crt), .arg = dctx};
	dctx->wake_timer.fn = xs_timer_fired;
	ult_poller_add(&dctx->poller);
	pthread_mutex_lock(&cl->lock);
	d_list_add(&dctx->xs_link, &cl->xs_ctxs);
	pthread_mutex_unlock(&cl->lock);
	return 0;
}

/** Poll it no more, end what is in flight. */
static void
xs_ctx_cancel(struct dc_ctx *dctx)
{
	if (dctx->closing)
		return;
	ult_poller_del(&dctx->poller);
	ult_timer_cancel(&dctx->wake_timer);
	dc_ctx_cancel(dctx);
}

void
client_xs_cancel(struct client *cl)
{
	struct dc_ctx *dctx = xs_ctx_find(cl, ult_xs_self());

	if (dctx != NULL)
		xs_ctx_cancel(dctx);
}

void
client_xs_detach(struct client *cl)
{
	struct dc_ctx *dctx = xs_ctx_find(cl, ult_xs_self());

	if (dctx == NULL)
		return;
	D_ASSERT(d_list_empty(&dctx->ult_waiters));
	pthread_mutex_lock(&cl->lock);
	d_list_del(&dctx->xs_link);
	pthread_mutex_unlock(&cl->lock);
	xs_ctx_cancel(dctx);
	dc_eqs_close(cl, dctx);
	dc_ctx_destroy(dctx);
}
