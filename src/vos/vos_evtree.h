/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The extents of one array by epoch: what is visible at epoch e in [lo, hi)?
 *
 * Inside a transaction of the caller for changes; nothing yields.
 */
#pragma once

#include "vos/vos_btree.h"
#include "vos/vos_space.h"

/** A piece of an array, in DRAM. */
struct vos_ext {
	uint64_t lo;
	uint64_t hi; /**< first index behind it */
	uint64_t epoch;
	uint64_t death; /**< epoch it was overwritten at; UINT64_MAX: not yet */
	uint64_t addr;
	uint32_t seq;
	uint32_t rsize; /**< 0: hole */
	uint32_t delta;
	uint32_t flags;
};

struct vos_evt {
	struct vos_space  *sp;
	struct vos_evt_df *df;
};

/** Growing array of pieces. Zero to start. */
struct vos_ext_list {
	struct vos_ext *exts;
	uint32_t	nr;
	uint32_t	cap;
};
void vos_ext_list_fini(struct vos_ext_list *l);
int  vos_ext_list_add(struct vos_ext_list *l, const struct vos_ext *ext) MUST_CHECK;

static inline struct vos_ver
vos_ext_ver(const struct vos_ext *e)
{
	return (struct vos_ver){e->epoch, e->seq};
}

static inline uint64_t
vos_ext_bytes(const struct vos_ext *e)
{
	return (e->hi - e->lo) * e->rsize;
}

/** Add @ext, whose storage (one reference) becomes the tree's. Any epoch order; of one epoch the
 * last one wins. @ext->death is ignored. Errors: NOSPACE, NOMEM */
int vos_evt_insert(const struct vos_evt *t, const struct vos_ext *ext) MUST_CHECK;

/** What a reader at @epoch sees who sees nothing at or before @punch. */
struct vos_view {
	uint64_t       epoch;
	struct vos_ver punch;
};
/**
 * The visible pieces in [lo, hi), clipped, ascending, holes left out; stops behind @max_nr pieces
 * (several more may come from one place).
 * @param ret_end  NULL, or up to where the list is complete
 */
int vos_evt_fetch(const struct vos_evt *t, const struct vos_view *view, uint64_t lo, uint64_t hi,
		  uint32_t max_nr, struct vos_ext_list *list, uint64_t *ret_end) MUST_CHECK;
/** The same from the other end: descending; *ret_start is down to where the list is complete. */
int vos_evt_fetch_rev(const struct vos_evt *t, const struct vos_view *view, uint64_t lo,
		      uint64_t hi, uint32_t max_nr, struct vos_ext_list *list,
		      uint64_t *ret_start) MUST_CHECK;

/** Whom reclaiming must not take anything from: readers at some epochs (snapshots), ascending, and
 * last all readers at or after one. */
struct vos_readers {
	const struct vos_view *views;
	uint32_t	       nr; /**< at least 1 */
};

/** Where a sliced reclaim stands; zeroed to start. */
struct vos_evt_pos {
	enum { VOS_EVT_HIST, VOS_EVT_LIVE, VOS_EVT_DONE } phase;
	uint32_t level;
	uint64_t lo;
	uint64_t epoch;
};
/**
 * Remove pieces none of @readers can see; join live neighbours whose bytes adjoin.
 * Looks at no more than *credits pieces and decrements them; ends with phase DONE.
 */
int vos_evt_reclaim(const struct vos_evt *t, const struct vos_readers *readers,
		    struct vos_evt_pos *pos, uint32_t *credits) MUST_CHECK;
/** Take out pieces with epochs in [lo, hi] as if they had never been written, at most *credits of them. */
int vos_evt_discard(const struct vos_evt *t, uint64_t lo, uint64_t hi, uint32_t *credits,
		    bool *ret_done) MUST_CHECK;
/** Record size of the newest live piece, 0: none has one. */
uint32_t vos_evt_rsize(const struct vos_evt *t);
/** Remove up to *credits pieces, whatever they are. The tree is empty when both counts are 0. */
int vos_evt_drain(const struct vos_evt *t, uint32_t *credits) MUST_CHECK;

static inline bool
vos_evt_is_empty(const struct vos_evt_df *df)
{
	return df->live.nr == 0 && df->hist.nr == 0;
}

/** @fn sees each piece once (storage accounting). */
int vos_evt_check(const struct vos_evt *t, int (*fn)(const struct vos_ext *ext, void *arg),
		  void		       *arg) MUST_CHECK;
