/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Invariant: `last` only grows. The physical part of a reading is the largest of wall clock, last
 * reading and received one; where the wall clock is behind, the number is counted up, and the
 * logical bits may then carry into the physical ones: order is never lost, only precision.
 */
#include "base/hlc.h"

#include <daos_errno.h>

#define NS_PER_SEC 1000000000ULL
#define START_NS   (HLC_START_UNIX_SEC * NS_PER_SEC)

void
hlc_init(struct hlc *hlc, uint64_t (*realtime_ns)(void))
{
	atomic_init(&hlc->last, 0);
	atomic_init(&hlc->epsilon_ns, HLC_EPSILON_NS);
	atomic_init(&hlc->read, 0);
	hlc->realtime_ns = realtime_ns;
}

static uint64_t
hlc_physical(struct hlc *hlc)
{
	uint64_t now_ns = hlc->realtime_ns();
	uint64_t now    = 0; /* a machine whose clock stands before 2021 still counts, from 0 */

	if (now_ns >= START_NS)
		now = ((now_ns - START_NS) * HLC_UNITS_PER_NS) & ~HLC_LOGICAL_MASK;
	atomic_store_explicit(&hlc->read, now, memory_order_relaxed);
	return now;
}

/** Advance to at least @floor, and past the last reading. */
static uint64_t
hlc_advance(struct hlc *hlc, uint64_t floor)
{
	uint64_t last = atomic_load_explicit(&hlc->last, memory_order_relaxed);
	uint64_t next;

	do {
		next = last < floor ? floor : last + 1;
	} while (!atomic_compare_exchange_weak(&hlc->last, &last, next));
	return next;
}

uint64_t
hlc_get(struct hlc *hlc)
{
	return hlc_advance(hlc, hlc_physical(hlc));
}

/** Is @remote further ahead of @now than clocks may be apart? */
static bool
hlc_too_far(struct hlc *hlc, uint64_t remote, uint64_t now)
{
	uint64_t remote_now = remote & ~HLC_LOGICAL_MASK;
	uint64_t ahead      = remote_now > now ? remote_now - now : 0;

	return ahead > hlc_span_from_ns(atomic_load_explicit(&hlc->epsilon_ns, memory_order_relaxed));
}

int
hlc_msg(struct hlc *hlc, uint64_t remote, uint64_t *ret_hlc)
{
	uint64_t now = hlc_physical(hlc);

	if (hlc_too_far(hlc, remote, now))
		return -DER_HLC_SYNC;
	*ret_hlc = hlc_advance(hlc, MAX_OF(now, remote + 1));
	return 0;
}

int
hlc_merge(struct hlc *hlc, uint64_t remote)
{
	uint64_t read = atomic_load_explicit(&hlc->read, memory_order_relaxed);

	if (hlc_too_far(hlc, remote, read) && hlc_too_far(hlc, remote, hlc_physical(hlc)))
		return -DER_HLC_SYNC;
	(void)hlc_advance(hlc, remote + 1);
	return 0;
}

void
hlc_set_epsilon(struct hlc *hlc, uint64_t epsilon_ns)
{
	atomic_store(&hlc->epsilon_ns, epsilon_ns);
}

uint64_t
hlc_epsilon_bound(struct hlc *hlc, uint64_t t)
{
	uint64_t span = hlc_span_from_ns(atomic_load(&hlc->epsilon_ns));

	return (t > HLC_MAX - span ? HLC_MAX : t + span) | HLC_LOGICAL_MASK;
}

uint64_t
hlc_to_unix_ns(uint64_t t)
{
	return t / HLC_UNITS_PER_NS + START_NS;
}

uint64_t
hlc_from_unix_ns(uint64_t unix_ns)
{
	if (unix_ns < START_NS || unix_ns - START_NS > HLC_MAX / HLC_UNITS_PER_NS)
		return 0;
	return (unix_ns - START_NS) * HLC_UNITS_PER_NS;
}

void
hlc_to_timespec(uint64_t t, struct timespec *ret_ts)
{
	uint64_t ns = t / HLC_UNITS_PER_NS;

	ret_ts->tv_sec = HLC_START_UNIX_SEC + ns / NS_PER_SEC;
	ret_ts->tv_nsec = ns % NS_PER_SEC;
}

uint64_t
hlc_from_timespec(const struct timespec *ts)
{
	if (ts->tv_sec < 0 || (uint64_t)ts->tv_sec > UINT64_MAX / NS_PER_SEC - 1)
		return 0;
	return hlc_from_unix_ns(ts->tv_sec * NS_PER_SEC + ts->tv_nsec);
}
