/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What is known of changes that were asked for, so that a request that comes a second time, because its
 * answer was lost, is answered again instead of carried out again: a conditional insert would find
 * its own work, an old value would cover a newer one.
 *
 * Three layers. Changes under way and the results of the latest ones are in this table, one a target,
 * bounded, in memory. The ids of those that were carried out are also with their effect in the container
 * (vos/vos_dtx.h), which outlives the engine. And each client says up to where it has all its answers:
 * what is below is settled, nobody sends or waits for it any more, so its ids can be forgotten, and a copy
 * that is still on its way is refused.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "object/obj_rpc.h"

struct obj_resend_tab {
	struct d_hash changes;
	d_list_t      by_age;   /**< ended changes, oldest first */
	uint32_t      ended_nr;
	uint32_t      ended_max;
	struct d_hash clients;
	d_list_t      by_use;   /**< clients, the one longest unheard of first */
	uint32_t      client_nr;
	uint32_t      client_max;
};
struct obj_resend_ent; /* a change under way, or ended */

enum obj_resend_verdict {
	OBJ_RESEND_NEW,     /**< carry it out, then obj_resend_end() */
	OBJ_RESEND_RUNNING, /**< its first copy is under way */
	OBJ_RESEND_ENDED,   /**< *ret_rc and *ret_epoch are its result */
	OBJ_RESEND_SETTLED, /**< its client has its answer: a copy that was delayed */
};

void obj_resend_init(struct obj_resend_tab *tab, uint32_t ended_max, uint32_t client_max);
/** No change is under way. */
void obj_resend_fini(struct obj_resend_tab *tab);
/** @return enum obj_resend_verdict, or -DER_NOMEM; NEW: *ret_ent is for obj_resend_end() */
int  obj_resend_begin(struct obj_resend_tab *tab, const struct dtx_id *dti, struct obj_resend_ent **ret_ent,
		      int *ret_rc, uint64_t *ret_epoch) MUST_CHECK;
/** A result worth remembering is kept; one after which nothing changed and the client tries again is not. */
void obj_resend_end(struct obj_resend_tab *tab, struct obj_resend_ent *ent, int rc, uint64_t epoch, bool keep);
/** @client has the answers of all its changes that began before @hlc. Without memory it stays unknown. */
void obj_resend_settle(struct obj_resend_tab *tab, const uuid_t client, uint64_t hlc);
bool obj_resend_is_settled(const struct obj_resend_tab *tab, const struct dtx_id *dti);
