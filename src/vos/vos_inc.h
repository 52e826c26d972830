/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Incarnation log of an object, dkey or akey: the punches that ended its lives, and its newest
 * change. Punching hides what is below without touching it; a later write is simply above.
 */
#pragma once

#include "vos/vos_space.h"

/** Newest punch at or before @epoch; VOS_VER_NONE if there is none. */
struct vos_ver vos_inc_punch_at(const struct umem *u, const struct vos_inc_df *inc, uint64_t epoch);
/** Newest punch of all. */
struct vos_ver vos_inc_punch_last(const struct umem *u, const struct vos_inc_df *inc);
/** Of one epoch the last punch counts. Inside a transaction. */
int vos_inc_punch_add(struct umem *u, struct vos_inc_df *inc, struct vos_ver ver) MUST_CHECK;
/** Note a change below at @ver. */
int vos_inc_touch(struct umem *u, struct vos_inc_df *inc, struct vos_ver ver) MUST_CHECK;
/** Drop the punches at or before @epoch. */
int vos_inc_trim(struct umem *u, struct vos_inc_df *inc, uint64_t epoch) MUST_CHECK;
/** Drop the punches in [lo, hi]. */
int vos_inc_discard(struct umem *u, struct vos_inc_df *inc, uint64_t lo, uint64_t hi) MUST_CHECK;
/** Free what the log holds outside of itself. */
int vos_inc_free(struct umem *u, struct vos_inc_df *inc) MUST_CHECK;
int vos_inc_check(const struct umem *u, const struct vos_inc_df *inc) MUST_CHECK;

static inline struct vos_ver
vos_inc_change(const struct vos_inc_df *inc)
{
	return (struct vos_ver){inc->change_epoch, inc->change_seq};
}

/** Narrow @punch (of the parents) by the own punches; true if something below may be visible. */
static inline bool
vos_inc_enter(const struct umem *u, const struct vos_inc_df *inc, uint64_t epoch,
	      struct vos_ver *punch)
{
	*punch = vos_ver_max(*punch, vos_inc_punch_at(u, inc, epoch));
	return vos_ver_after(vos_inc_change(inc), *punch);
}
