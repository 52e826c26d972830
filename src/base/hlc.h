/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014). One 64-bit number orders
 * events as they may have caused one another and stays near wall-clock time: units of 1/16 ns since
 * 2021-01-01 UTC, the upper 46 bits physical, the lower 18 logical. Range: 2021 to 2057. The state
 * lives in a struct, the clock it reads is given to it; every call is thread safe.
 */
#pragma once

#include <stdatomic.h>
#include <time.h>
#include "base/util.h"

#define HLC_UNITS_PER_NS    16ULL
#define HLC_LOGICAL_MASK    0x3ffffULL
#define HLC_START_UNIX_SEC  1609459200ULL /**< 2021-01-01T00:00:00Z */
#define HLC_MAX             UINT64_MAX
#define HLC_EPSILON_NS      1000000000ULL /**< default: clocks are at most a second apart */

struct hlc {
	_Atomic uint64_t last;
	_Atomic uint64_t epsilon_ns;
	_Atomic uint64_t read; /* what the wall clock said when it was last looked at */
	uint64_t (*realtime_ns)(void);
};

/** @param realtime_ns  wall clock, ns since 1970: plat_realtime_ns */
void     hlc_init(struct hlc *hlc, uint64_t (*realtime_ns)(void));
/** The time of a local event or of sending a message: greater than all returned or received. */
uint64_t hlc_get(struct hlc *hlc);
/**
 * The time of receiving a message that carries @remote: greater than that, too.
 * Errors: HLC_SYNC @remote is more than epsilon ahead of the wall clock; the clock is unchanged.
 */
int      hlc_msg(struct hlc *hlc, uint64_t remote, uint64_t *ret_hlc) MUST_CHECK;
/**
 * Be greater than @remote from now on, as hlc_msg() makes it, without asking what time it is: the wall
 * clock is looked at only where its last reading is too old to tell that @remote is not too far ahead.
 */
int      hlc_merge(struct hlc *hlc, uint64_t remote) MUST_CHECK;
/** Largest offset between two clocks of the system that is tolerated. */
void     hlc_set_epsilon(struct hlc *hlc, uint64_t epsilon_ns);
/** Latest reading another node may have taken when this one reads @t. */
uint64_t hlc_epsilon_bound(struct hlc *hlc, uint64_t t);

uint64_t hlc_to_unix_ns(uint64_t t);
/** 0 where the HLC cannot say it (before 2021, after 2057). */
uint64_t hlc_from_unix_ns(uint64_t unix_ns);
void     hlc_to_timespec(uint64_t t, struct timespec *ret_ts);
/** 0 where the HLC cannot say it. */
uint64_t hlc_from_timespec(const struct timespec *ts);
/** A span, not a moment. */
static inline uint64_t
hlc_span_from_ns(uint64_t ns)
{
	return ns * HLC_UNITS_PER_NS;
}
