/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the reading, writing and reclaiming halves of the extent tree share. */
#pragma once

#include "vos/vos_evtree.h"

struct evt_hist_key {
	uint32_t level;
	uint64_t lo;
	uint64_t epoch;
};

struct vos_btree   evt_live_tree(const struct vos_evt *t);
struct vos_btree   evt_hist_tree(const struct vos_evt *t);
struct vos_ext	   evt_ext_of_live(const struct vos_live_df *l);
struct vos_ext	   evt_ext_of_hist(const struct vos_hist_df *h);
struct vos_live_df evt_live_of_ext(const struct vos_ext *e);
uint32_t	   evt_level_of(uint64_t nr);
/** The part of @e in [lo, hi), which it contains. */
struct vos_ext evt_ext_part(const struct vos_ext *e, uint64_t lo, uint64_t hi);
/** @e was cut in @parts pieces. */
int evt_ext_ref(const struct vos_evt *t, const struct vos_ext *e, uint32_t parts) MUST_CHECK;

typedef int (*evt_hist_cb_t)(const struct vos_ext *ext, void *arg);
/** Past pieces that overlap [lo, hi); with @epoch of those at one offset only the newest up to it,
 * with 0 all. */
int evt_hist_scan(const struct vos_evt *t, uint64_t lo, uint64_t hi, uint64_t epoch,
		  evt_hist_cb_t cb, void *arg);
/** First live piece that reaches behind @lo. */
struct vos_live_df *evt_live_from(const struct vos_evt *t, uint64_t lo, struct vos_btree_cur *cur);
int		    evt_live_insert(const struct vos_evt *t, const struct vos_ext *e) MUST_CHECK;
int		    evt_hist_insert(const struct vos_evt *t, const struct vos_ext *e) MUST_CHECK;
int		    evt_live_delete(const struct vos_evt *t, uint64_t lo) MUST_CHECK;
int		    evt_hist_delete(const struct vos_evt *t, const struct vos_ext *e) MUST_CHECK;
/** Into, out of the tree it belongs to, which its death tells. */
int evt_piece_insert(const struct vos_evt *t, const struct vos_ext *e) MUST_CHECK;
int evt_piece_delete(const struct vos_evt *t, const struct vos_ext *e) MUST_CHECK;
/** Take @e out and put back what of it lies outside of [lo, hi); *ret_mid is the rest, in neither tree. */
int evt_piece_cut(const struct vos_evt *t, const struct vos_ext *e, uint64_t lo, uint64_t hi,
		  struct vos_ext *ret_mid) MUST_CHECK;
/** A live piece of @epoch goes, and past ones may be below. */
int evt_gap_note(const struct vos_evt *t, uint64_t epoch) MUST_CHECK;
/** Give back the storage of @e, which is in neither tree any more. */
int evt_ext_free(const struct vos_evt *t, const struct vos_ext *e) MUST_CHECK;
