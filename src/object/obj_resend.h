/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What became of the latest changes, so that a request that comes a second time, because its answer
 * was lost, is answered again instead of carried out again: a conditional insert would find its own
 * work, an old value would cover a newer one. One table a target, bounded, oldest forgotten first.
 * It lives in memory: changes carried out before the engine restarted are not known.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "object/obj_rpc.h"

struct obj_resend_tab {
	struct d_hash hash;
	d_list_t      by_age;   /**< ended ones, oldest first */
	uint32_t      ended_nr;
	uint32_t      ended_max;
};
struct obj_resend_ent; /* a change under way, or ended */

enum obj_resend_verdict {
	OBJ_RESEND_NEW,     /**< carry it out, then obj_resend_end() */
	OBJ_RESEND_RUNNING, /**< its first copy is under way */
	OBJ_RESEND_ENDED,   /**< *ret_rc and *ret_epoch are its result */
};

void obj_resend_init(struct obj_resend_tab *tab, uint32_t ended_max);
/** No change is under way. */
void obj_resend_fini(struct obj_resend_tab *tab);
/** @return enum obj_resend_verdict, or -DER_NOMEM; NEW: *ret_ent is for obj_resend_end() */
int  obj_resend_begin(struct obj_resend_tab *tab, const struct obj_dti *dti, struct obj_resend_ent **ret_ent,
		      int *ret_rc, uint64_t *ret_epoch) MUST_CHECK;
/** A result worth remembering is kept; one after which nothing changed and the client tries again is not. */
void obj_resend_end(struct obj_resend_tab *tab, struct obj_resend_ent *ent, int rc, uint64_t epoch, bool keep);
