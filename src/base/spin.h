/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * How long to spin before blocking, learnt from what came of it. Waking a thread costs 40 to 100 us
 * on a small virtual machine, so an answer that comes sooner is better spun for. But where whoever
 * should answer waits for this very core, spinning is what keeps the answer away.
 *
 *   a sleep so short that spinning might have caught it   spin twice as long, up to ns_max
 *   a long sleep                                          spin half as long
 *   D_SPIN_VAIN_NR times ns_max in vain, sleeps short     the core is shared: do not spin for the
 *                                                         next D_SPIN_HOLD_NR sleeps, then try again
 *
 * A short sleep is one of up to D_SPIN_SHORT(ns_max): most of it may be what waking took, on both sides.
 */
#pragma once

#include "base/util.h"

#define D_SPIN_NS_MIN       500
#define D_SPIN_SHORT(ns)    (3 * (uint64_t)(ns))
#define D_SPIN_VAIN_NR      4
#define D_SPIN_HOLD_NR      256

struct d_spin {
	uint32_t ns; /**< spin so long */
	uint32_t ns_max;
	uint32_t vain_nr;
	uint32_t hold_nr;
};

/** @ns_max 0: never spin. */
static inline void
d_spin_init(struct d_spin *s, uint32_t ns_max)
{
	*s = (struct d_spin){.ns = ns_max, .ns_max = ns_max};
}

/** What was waited for came while spinning. */
static inline void
d_spin_paid(struct d_spin *s)
{
	s->vain_nr = 0;
}

/** After ns of spinning it took a sleep of @slept_ns. */
static inline void
d_spin_slept(struct d_spin *s, uint64_t slept_ns)
{
	if (s->hold_nr > 0) {
		if (--s->hold_nr == 0)
			s->ns = s->ns_max;
		return;
	}
	if (slept_ns > D_SPIN_SHORT(s->ns_max)) {
		s->ns /= 2;
		s->vain_nr = 0;
	} else if (s->ns < s->ns_max) {
		s->ns = MIN_OF((uint64_t)s->ns * 2 + D_SPIN_NS_MIN, (uint64_t)s->ns_max);
	} else if (++s->vain_nr >= D_SPIN_VAIN_NR) {
		s->ns      = 0;
		s->vain_nr = 0;
		s->hold_nr = D_SPIN_HOLD_NR;
	}
}
