/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Progress and waiting.
 *
 * One thread at a time progresses a context; the others that called crt_progress() wait for the
 * next poll that handled something (event_seq), or take over when the first one leaves. The one
 * that progresses spins for a while that adapts to what came of it (base/spin.h), then blocks.
 *
 * What a sleeper blocks on is one pollset with more in it: the endpoint's descriptor and that of its
 * local links, an event for other threads that queue work (crt_wake), and an alarm for the earliest
 * timeout and for endpoints that must be looked at now and then (na_ep_repoll_us). So an engine's
 * scheduler that blocks on crt_context_fd() needs nothing else. Each message the network brings climbs
 * through all these nested sets, whether anybody sleeps on them or not: about a microsecond. So a context
 * that has been awake for CRT_MUTE_POLL_NR polls with something in them takes the endpoint's descriptor
 * out of its set until it arms again: a busy one pays for no wake-ups, an idle one for no muting.
 *
 * Invariants:
 * 1. sleeping is set by arming and cleared by the next poll of the same thread; crt_wake() writes to
 *    the eventfd only while it is set, and at most once.
 * 2. timer_ns is what the timerfd is set to. It is set when arming, only to something earlier or
 *    when it has expired: a wake-up too many is cheap, a system call each time is not.
 * 3. Who arms is who sleeps: only a poll by that thread ends the sleep. Other threads may poll and
 *    send meanwhile; what they leave undone wakes the sleeper (na_ep_busy()).
 */
#define D_LOGFAC LOG_FAC_CART
#include <errno.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "platform/platform.h"

#define CRT_MUTE_POLL_NR 16

static _Thread_local char thread_token; /* its address stands for the thread */

void
crt_wait_fini(struct crt_ctx *ctx)
{
	plat_fd_close(ctx->epfd);
	plat_fd_close(ctx->wakefd);
	plat_fd_close(ctx->timerfd);
	pthread_cond_destroy(&ctx->waiters);
}

int
crt_wait_init(struct crt_ctx *ctx)
{
	pthread_condattr_t attr;
	int                na_fd   = na_ep_fd(ctx->ep);
	int                link_fd = na_ep_link_fd(ctx->ep);
	bool               ok;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ctx->waiters, &attr);
	pthread_condattr_destroy(&attr);
	ctx->timer_ns = UINT64_MAX;
	ctx->epfd     = plat_pollset_open();
	ctx->wakefd   = plat_event_open();
	ctx->timerfd  = plat_alarm_open();
	ok = ctx->epfd >= 0 && ctx->wakefd >= 0 && ctx->timerfd >= 0 &&
	     plat_pollset_add(ctx->epfd, ctx->wakefd, NULL) == 0 &&
	     plat_pollset_add(ctx->epfd, ctx->timerfd, NULL) == 0 &&
	     (na_fd < 0 || plat_pollset_add(ctx->epfd, na_fd, NULL) == 0) &&
	     (link_fd < 0 || plat_pollset_add(ctx->epfd, link_fd, NULL) == 0);
	if (ok)
		return 0;
	D_ERROR("context %d cannot make its descriptors: errno %d; is the limit of open files "
		"(ulimit -n) reached?\n", ctx->idx, errno);
	crt_wait_fini(ctx);
	return -DER_NOMEM;
}

void
crt_wake(struct crt_ctx *ctx)
{
	if (ctx->sleeping && !ctx->woken)
		ctx->woken = plat_event_set(ctx->wakefd);
}

void
crt_unlock_sent(struct crt_ctx *ctx)
{
	if (UNLIKELY(ctx->sleeping) && na_ep_busy(ctx->ep))
		crt_wake(ctx);
	pthread_mutex_unlock(&ctx->lock);
}

/** Take the endpoint's descriptor out of the set. */
static void
net_mute(struct crt_ctx *ctx)
{
	int fd = na_ep_fd(ctx->ep);

	if (ctx->muted || fd < 0)
		return;
	plat_pollset_del(ctx->epfd, fd);
	ctx->muted = true;
}

/** false: it cannot be heard now, so nobody may sleep. */
static bool
net_unmute(struct crt_ctx *ctx)
{
	if (ctx->muted && plat_pollset_add(ctx->epfd, na_ep_fd(ctx->ep), NULL) == 0)
		ctx->muted = false;
	return !ctx->muted;
}

static void
sleep_end(struct crt_ctx *ctx)
{
	if (!ctx->sleeping || ctx->armer != &thread_token)
		return;
	na_ep_disarm(ctx->ep);
	ctx->sleeping      = false;
	ctx->awake_nr      = 0;
	ctx->clock_skip_nr = 0; /* perhaps a timeout is what woke it */
	if (ctx->woken && plat_event_clear(ctx->wakefd))
		ctx->woken = false;
	if (ctx->timer_ns != UINT64_MAX && plat_now_ns() >= ctx->timer_ns &&
	    plat_alarm_clear(ctx->timerfd))
		ctx->timer_ns = UINT64_MAX;
}

/** See everything that is there, once. Returns the number of events. */
static int
ctx_poll(struct crt_ctx *ctx)
{
	int nr = 0;
	int rc;

	sleep_end(ctx);
	if (UNLIKELY(ctx->grp_gen != ctx->crt->grp_gen))
		crt_peers_refresh(ctx);
	rc = na_ep_progress(ctx->ep, CRT_EVENTS_PER_POLL);
	if (rc > 0)
		nr += rc;
	if (UNLIKELY(ctx->sleeping) && na_ep_busy(ctx->ep)) /* another thread's sleep, see invariant 3 */
		crt_wake(ctx);
	nr += crt_timeouts_fire(ctx);
	nr += crt_work_run(ctx);
	if (ctx->hook_nr > 0 && (nr > 0 || plat_now_ns() >= ctx->hook_next_ns)) {
		nr += crt_hooks_run(ctx);
		nr += crt_work_run(ctx);
	}
	if (nr > 0) {
		if (UNLIKELY(ctx->event_seq % CRT_METRICS_POLLS == 0))
			crt_metrics_flush(ctx);
		ctx->event_seq++;
		if (!ctx->sleeping && ++ctx->awake_nr == CRT_MUTE_POLL_NR)
			net_mute(ctx);
		if (ctx->waiter_nr > 0)
			pthread_cond_broadcast(&ctx->waiters);
	}
	return nr;
}

static uint64_t
next_timeout(struct crt_ctx *ctx)
{
	struct d_binheap_node *min = d_binheap_min(&ctx->timeouts);

	if (min == NULL)
		return ctx->hook_next_ns;
	return MIN_OF(ctx->hook_next_ns, CONTAINER_OF(min, struct crt_rpc_priv, heap)->wake_ns);
}

static void
timer_set(struct crt_ctx *ctx)
{
	uint64_t at     = next_timeout(ctx);
	uint32_t repoll = na_ep_repoll_us(ctx->ep);

	if (repoll != UINT32_MAX)
		at = MIN_OF(at, plat_now_ns() + repoll * NSEC_PER_USEC);
	if (at >= ctx->timer_ns)
		return; /* invariant 2 */
	if (plat_alarm_set(ctx->timerfd, at))
		ctx->timer_ns = at;
}

static bool
ctx_arm(struct crt_ctx *ctx)
{
	if (!d_list_empty(&ctx->work) || ctx->grp_gen != ctx->crt->grp_gen)
		return false;
	ctx->awake_nr = 0;
	if (!net_unmute(ctx) || !na_ep_arm(ctx->ep)) /* in this order: what comes from now on is heard */
		return false;
	timer_set(ctx);
	crt_metrics_flush(ctx);
	ctx->armer    = &thread_token;
	ctx->sleeping = true;
	return true;
}

bool
crt_context_arm(crt_context_t ctx)
{
	bool safe;

	pthread_mutex_lock(&ctx->lock);
	safe = ctx_arm(ctx);
	pthread_mutex_unlock(&ctx->lock);
	return safe;
}

int
crt_context_fd(crt_context_t ctx)
{
	return ctx->epfd;
}

uint64_t
crt_context_next_timeout(crt_context_t ctx)
{
	uint64_t at;

	pthread_mutex_lock(&ctx->lock);
	at = next_timeout(ctx);
	pthread_mutex_unlock(&ctx->lock);
	return at;
}

/* ---- progress by threads ---- */

/** Block until something is there or @deadline_ns. */
static void
ctx_block(struct crt_ctx *ctx, uint64_t now, uint64_t deadline_ns)
{
	void *ptr;

	pthread_mutex_unlock(&ctx->lock);
	(void)plat_pollset_wait(ctx->epfd, deadline_ns == UINT64_MAX ? PLAT_WAIT_FOREVER : deadline_ns - now,
				&ptr, 1);
	pthread_mutex_lock(&ctx->lock);
}

static void
spin_once(struct crt_ctx *ctx)
{
	pthread_mutex_unlock(&ctx->lock); /* let others send */
	plat_cpu_relax();
	pthread_mutex_lock(&ctx->lock);
}

static int
progress_until(struct crt_ctx *ctx, uint64_t deadline_ns)
{
	uint64_t start = 0; /* of waiting */
	uint64_t slept = 0; /* when it last fell asleep */
	uint32_t spin_nr = 0;

	for (;;) {
		int      nr = ctx_poll(ctx);
		uint64_t now;

		if (deadline_ns == 0)
			return nr;
		if (nr > 0) {
			if (slept != 0)
				d_spin_slept(&ctx->spin, plat_now_ns() - slept);
			else if (start != 0)
				d_spin_paid(&ctx->spin);
			return nr;
		}
		if (spin_nr % CRT_CLOCK_POLL_NR != 0 && ctx->spin.ns != 0) {
			spin_nr++; /* most polls of a spin do without a look at the clock */
			spin_once(ctx);
			continue;
		}
		now = plat_now_ns();
		if (start == 0)
			start = now;
		if (now >= deadline_ns)
			return -DER_TIMEDOUT;
		if ((slept == 0 && now - start < ctx->spin.ns) || !ctx_arm(ctx)) {
			spin_nr++;
			spin_once(ctx);
			continue;
		}
		slept = now;
		spin_nr = 0;
		ctx_block(ctx, now, deadline_ns);
	}
}

/** Another thread progresses: wait until it saw something or leaves. */
static int
wait_for_progress(struct crt_ctx *ctx, uint64_t deadline_ns, uint64_t seq)
{
	struct timespec ts = {.tv_sec  = deadline_ns / NSEC_PER_SEC,
			      .tv_nsec = deadline_ns % NSEC_PER_SEC};
	int             rc = 0;

	ctx->waiter_nr++;
	while (ctx->progressing && ctx->event_seq == seq && rc == 0) {
		if (deadline_ns == UINT64_MAX)
			rc = pthread_cond_wait(&ctx->waiters, &ctx->lock);
		else
			rc = pthread_cond_timedwait(&ctx->waiters, &ctx->lock, &ts);
	}
	ctx->waiter_nr--;
	if (ctx->event_seq != seq)
		return 1;
	return rc == ETIMEDOUT ? -DER_TIMEDOUT : 0;
}

static uint64_t
deadline_of(int64_t timeout_us)
{
	if (timeout_us == 0)
		return 0;
	return timeout_us < 0 ? UINT64_MAX : plat_now_ns() + timeout_us * NSEC_PER_USEC;
}

/** @param seq  event_seq when the caller last looked at what it waits for */
static int
progress(struct crt_ctx *ctx, uint64_t deadline_ns, uint64_t seq)
{
	int rc = 0;

	while (ctx->progressing) {
		if (deadline_ns == 0)
			return 0;
		rc = wait_for_progress(ctx, deadline_ns, seq);
		if (rc != 0)
			return rc;
	}
	if (ctx->event_seq != seq && deadline_ns != 0)
		return 1;
	ctx->progressing = true;
	rc = progress_until(ctx, deadline_ns);
	ctx->progressing = false;
	if (ctx->waiter_nr > 0)
		pthread_cond_broadcast(&ctx->waiters);
	return rc;
}

int
crt_progress(crt_context_t ctx, int64_t timeout_us)
{
	int rc;

	pthread_mutex_lock(&ctx->lock);
	rc = progress(ctx, deadline_of(timeout_us), ctx->event_seq);
	pthread_mutex_unlock(&ctx->lock);
	return rc;
}

static uint64_t
event_seq_read(struct crt_ctx *ctx)
{
	uint64_t seq;

	pthread_mutex_lock(&ctx->lock);
	seq = ctx->event_seq;
	pthread_mutex_unlock(&ctx->lock);
	return seq;
}

int
crt_progress_cond(crt_context_t ctx, int64_t timeout_us, int (*cond)(void *arg), void *arg)
{
	uint64_t deadline = deadline_of(timeout_us);

	for (;;) {
		uint64_t seq = event_seq_read(ctx); /* before looking: nothing is missed */
		int      rc  = cond(arg);

		if (rc != 0)
			return rc;
		pthread_mutex_lock(&ctx->lock);
		rc = progress(ctx, deadline, seq);
		pthread_mutex_unlock(&ctx->lock);
		if (rc == -DER_TIMEDOUT || deadline == 0) {
			rc = cond(arg);
			return rc != 0 ? rc : -DER_TIMEDOUT;
		}
	}
}
