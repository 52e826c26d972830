/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Invariants: 1. Each entry is in the hash. 2. Those that ended, and no others, are on by_age, in
 * the order they ended; there are ended_nr <= ended_max of them. 3. An entry under way belongs to one
 * ULT, which ends it.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_resend.h"

#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"

struct obj_resend_ent {
	struct d_hash_node node;
	d_list_t           link; /**< on by_age once ended */
	struct obj_dti     dti;
	bool               ended;
	int                rc;
	uint64_t           epoch;
};

static bool
dti_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	const struct obj_resend_ent *ent = CONTAINER_OF(node, struct obj_resend_ent, node);

	return key_bytes == sizeof(ent->dti) && memcmp(&ent->dti, key, key_bytes) == 0;
}

void
obj_resend_init(struct obj_resend_tab *tab, uint32_t ended_max)
{
	d_hash_init(&tab->hash, dti_eq);
	d_list_init(&tab->by_age);
	tab->ended_nr  = 0;
	tab->ended_max = ended_max;
}

static void
forget(struct obj_resend_tab *tab, struct obj_resend_ent *ent)
{
	d_hash_remove(&tab->hash, &ent->node);
	d_list_del(&ent->link);
	free(ent);
}

void
obj_resend_fini(struct obj_resend_tab *tab)
{
	struct obj_resend_ent *ent;

	while ((ent = d_list_first(&tab->by_age, struct obj_resend_ent, link)) != NULL)
		forget(tab, ent);
	tab->ended_nr = 0;
	d_hash_fini(&tab->hash);
}

int
obj_resend_begin(struct obj_resend_tab *tab, const struct obj_dti *dti, struct obj_resend_ent **ret_ent,
		 int *ret_rc, uint64_t *ret_epoch)
{
	struct d_hash_node    *node = d_hash_find(&tab->hash, dti, sizeof(*dti));
	struct obj_resend_ent *ent;
	int                    rc;

	if (node != NULL) {
		ent = CONTAINER_OF(node, struct obj_resend_ent, node);
		if (!ent->ended)
			return OBJ_RESEND_RUNNING;
		*ret_rc    = ent->rc;
		*ret_epoch = ent->epoch;
		return OBJ_RESEND_ENDED;
	}
	ent = calloc(1, sizeof(*ent));
	if (ent == NULL)
		return -DER_NOMEM;
	ent->dti = *dti;
	d_list_init(&ent->link);
	rc = d_hash_insert(&tab->hash, &ent->node, &ent->dti, sizeof(ent->dti));
	D_ASSERT(rc == 0);
	*ret_ent = ent;
	return OBJ_RESEND_NEW;
}

void
obj_resend_end(struct obj_resend_tab *tab, struct obj_resend_ent *ent, int rc, uint64_t epoch, bool keep)
{
	D_ASSERT(!ent->ended);
	if (!keep) {
		forget(tab, ent);
		return;
	}
	ent->ended = true;
	ent->rc    = rc;
	ent->epoch = epoch;
	d_list_add_tail(&ent->link, &tab->by_age);
	if (++tab->ended_nr > tab->ended_max) {
		forget(tab, d_list_first(&tab->by_age, struct obj_resend_ent, link));
		tab->ended_nr--;
	}
}
