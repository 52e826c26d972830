/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Invariants: 1. Each change and each client is in its hash. 2. Changes that ended, and no others, are on
 * by_age, in the order they ended; there are ended_nr <= ended_max of them. 3. A change under way
 * belongs to one ULT, which ends it. 4. Clients are on by_use, client_nr <= client_max; what one has settled
 * never falls.
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
	struct dtx_id      dti;
	bool               ended;
	int                rc;
	uint64_t           epoch;
};

struct resend_client {
	struct d_hash_node node;
	d_list_t           link; /**< on by_use */
	uuid_t             uuid;
	uint64_t           settled; /**< changes that began before are */
};

static bool
dti_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	const struct obj_resend_ent *ent = CONTAINER_OF(node, struct obj_resend_ent, node);

	return key_bytes == sizeof(ent->dti) && memcmp(&ent->dti, key, key_bytes) == 0;
}

static bool
client_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	const struct resend_client *c = CONTAINER_OF(node, struct resend_client, node);

	return key_bytes == sizeof(c->uuid) && memcmp(c->uuid, key, key_bytes) == 0;
}

void
obj_resend_init(struct obj_resend_tab *tab, uint32_t ended_max, uint32_t client_max)
{
	*tab = (struct obj_resend_tab){.ended_max = ended_max, .client_max = client_max};
	d_hash_init(&tab->changes, dti_eq);
	d_hash_init(&tab->clients, client_eq);
	d_list_init(&tab->by_age);
	d_list_init(&tab->by_use);
}

static void
forget(struct obj_resend_tab *tab, struct obj_resend_ent *ent)
{
	d_hash_remove(&tab->changes, &ent->node);
	d_list_del(&ent->link);
	free(ent);
}

static void
forget_client(struct obj_resend_tab *tab, struct resend_client *c)
{
	d_hash_remove(&tab->clients, &c->node);
	d_list_del(&c->link);
	free(c);
	tab->client_nr--;
}

void
obj_resend_fini(struct obj_resend_tab *tab)
{
	struct obj_resend_ent *ent;
	struct resend_client  *c;

	while ((ent = d_list_first(&tab->by_age, struct obj_resend_ent, link)) != NULL)
		forget(tab, ent);
	while ((c = d_list_first(&tab->by_use, struct resend_client, link)) != NULL)
		forget_client(tab, c);
	tab->ended_nr = 0;
	d_hash_fini(&tab->changes);
	d_hash_fini(&tab->clients);
}

/* ---- clients ---- */

static struct resend_client *
client_find(const struct obj_resend_tab *tab, const uuid_t uuid)
{
	struct d_hash_node *node = d_hash_find(&tab->clients, uuid, sizeof(uuid_t));

	return node == NULL ? NULL : CONTAINER_OF(node, struct resend_client, node);
}

static struct resend_client *
client_add(struct obj_resend_tab *tab, const uuid_t uuid)
{
	struct resend_client *c = calloc(1, sizeof(*c));
	int                   rc;

	if (c == NULL)
		return NULL;
	if (tab->client_nr == tab->client_max)
		forget_client(tab, d_list_first(&tab->by_use, struct resend_client, link));
	uuid_copy(c->uuid, uuid);
	rc = d_hash_insert(&tab->clients, &c->node, c->uuid, sizeof(c->uuid));
	D_ASSERT(rc == 0);
	d_list_add_tail(&c->link, &tab->by_use);
	tab->client_nr++;
	return c;
}

void
obj_resend_settle(struct obj_resend_tab *tab, const uuid_t client, uint64_t hlc)
{
	struct resend_client *c = client_find(tab, client);

	if (c == NULL)
		c = client_add(tab, client);
	if (c == NULL)
		return;
	c->settled = MAX_OF(c->settled, hlc);
	d_list_del(&c->link);
	d_list_add_tail(&c->link, &tab->by_use);
}

bool
obj_resend_is_settled(const struct obj_resend_tab *tab, const struct dtx_id *dti)
{
	const struct resend_client *c = client_find(tab, dti->uuid);

	return c != NULL && dti->hlc < c->settled;
}

/* ---- changes ---- */

int
obj_resend_begin(struct obj_resend_tab *tab, const struct dtx_id *dti, struct obj_resend_ent **ret_ent,
		 int *ret_rc, uint64_t *ret_epoch)
{
	struct d_hash_node    *node = d_hash_find(&tab->changes, dti, sizeof(*dti));
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
	if (obj_resend_is_settled(tab, dti))
		return OBJ_RESEND_SETTLED;
	ent = calloc(1, sizeof(*ent));
	if (ent == NULL)
		return -DER_NOMEM;
	ent->dti = *dti;
	d_list_init(&ent->link);
	rc = d_hash_insert(&tab->changes, &ent->node, &ent->dti, sizeof(ent->dti));
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
