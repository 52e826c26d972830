/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the reading, writing and reclaiming halves of the extent tree share. */
#pragma once

#include "vos/vos_evtree.h"

struct evt_hist_key {
	uint32_t level;
	uint64_t lo;
	uint64_t epoch;
};

struct vos_btree evt_live_tree(const struct vos_evt *t);
struct vos_btree evt_hist_tree(const struct vos_evt *t);
struct vos_ext   evt_ext_of_live(const struct vos_live_df *l);
struct vos_ext   evt_ext_of_hist(const struct vos_hist_df *h);
uint32_t         evt_level_of(uint64_t nr);
int  evt_live_delete(const struct vos_evt *t, uint64_t lo) MUST_CHECK;
int  evt_hist_delete(const struct vos_evt *t, const struct vos_ext *e) MUST_CHECK;
/** Give back the storage of @e, which is in neither tree any more. */
int  evt_ext_free(const struct vos_evt *t, const struct vos_ext *e) MUST_CHECK;
