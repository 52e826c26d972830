/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Secondary groups: a name, and pairs (secondary rank, primary rank). All are on crt->subgroups,
 * under crt->grp_lock, as are their pairs.
 *
 * Invariant: pairs are sorted by secondary rank; no rank stands twice on either side.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_internal.h"

#define NAME_BYTES_MAX 64

struct rank_pair {
	d_rank_t secondary, primary;
};

struct crt_group {
	d_list_t          link;
	struct crt       *crt;
	char              name[NAME_BYTES_MAX];
	struct rank_pair *pairs; /* [pair_nr] */
	uint32_t          pair_nr;
};

static struct crt_group *
subgroup_find(struct crt *crt, const char *name)
{
	struct crt_group *grp;

	d_list_for_each(grp, &crt->subgroups, link)
		if (strcmp(grp->name, name) == 0)
			return grp;
	return NULL;
}

static struct rank_pair *
pair_of(struct crt_group *grp, d_rank_t rank, bool by_primary)
{
	for (uint32_t i = 0; i < grp->pair_nr; i++) {
		struct rank_pair *p = &grp->pairs[i];

		if ((by_primary ? p->primary : p->secondary) == rank)
			return p;
	}
	return NULL;
}

/** Under grp_lock. */
static int
pair_insert(struct crt_group *grp, d_rank_t secondary, d_rank_t primary)
{
	struct rank_pair *pairs;
	uint32_t          i;

	if (pair_of(grp, secondary, false) != NULL || pair_of(grp, primary, true) != NULL)
		return -DER_EXIST;
	pairs = realloc(grp->pairs, (grp->pair_nr + 1) * sizeof(*pairs));
	if (pairs == NULL)
		return -DER_NOMEM;
	grp->pairs = pairs;
	for (i = grp->pair_nr; i > 0 && pairs[i - 1].secondary > secondary; i--)
		pairs[i] = pairs[i - 1];
	pairs[i] = (struct rank_pair){.secondary = secondary, .primary = primary};
	grp->pair_nr++;
	return 0;
}

static void
group_free(struct crt_group *grp)
{
	free(grp->pairs);
	free(grp);
}

void
crt_subgroups_fini(struct crt *crt)
{
	struct crt_group *grp;

	while ((grp = d_list_first(&crt->subgroups, struct crt_group, link)) != NULL) {
		d_list_del(&grp->link);
		group_free(grp);
	}
}

int
crt_group_secondary_create(struct crt *crt, const char *name, uint32_t nr, const d_rank_t *primary,
			   struct crt_group **ret_grp)
{
	struct crt_group *grp;
	int               rc = 0;

	if (name == NULL || name[0] == '\0' || strlen(name) >= NAME_BYTES_MAX)
		return -DER_INVAL;
	grp = calloc(1, sizeof(*grp));
	if (grp == NULL)
		return -DER_NOMEM;
	grp->crt = crt;
	strcpy(grp->name, name);
	for (uint32_t i = 0; i < nr && rc == 0; i++)
		rc = pair_insert(grp, i, primary[i]);
	if (rc != 0) {
		group_free(grp);
		return rc == -DER_EXIST ? -DER_INVAL : rc;
	}
	pthread_mutex_lock(&crt->grp_lock);
	if (subgroup_find(crt, name) == NULL)
		d_list_add_tail(&grp->link, &crt->subgroups);
	else
		rc = -DER_EXIST;
	pthread_mutex_unlock(&crt->grp_lock);
	if (rc != 0)
		group_free(grp);
	else
		*ret_grp = grp;
	return rc;
}

void
crt_group_secondary_destroy(struct crt_group *grp)
{
	struct crt *crt;

	if (grp == NULL)
		return;
	crt = grp->crt;
	pthread_mutex_lock(&crt->grp_lock);
	d_list_del(&grp->link);
	pthread_mutex_unlock(&crt->grp_lock);
	group_free(grp);
}

struct crt_group *
crt_group_lookup(struct crt *crt, const char *name)
{
	struct crt_group *grp;

	pthread_mutex_lock(&crt->grp_lock);
	grp = subgroup_find(crt, name);
	pthread_mutex_unlock(&crt->grp_lock);
	return grp;
}

int
crt_group_secondary_rank_add(struct crt_group *grp, d_rank_t secondary, d_rank_t primary)
{
	int rc;

	pthread_mutex_lock(&grp->crt->grp_lock);
	rc = pair_insert(grp, secondary, primary);
	pthread_mutex_unlock(&grp->crt->grp_lock);
	return rc;
}

int
crt_group_secondary_rank_remove(struct crt_group *grp, d_rank_t secondary)
{
	struct rank_pair *p;

	pthread_mutex_lock(&grp->crt->grp_lock);
	p = pair_of(grp, secondary, false);
	if (p != NULL) {
		grp->pair_nr--;
		memmove(p, p + 1, (char *)&grp->pairs[grp->pair_nr] - (char *)p);
	}
	pthread_mutex_unlock(&grp->crt->grp_lock);
	return p == NULL ? -DER_NONEXIST : 0;
}

int
crt_group_rank_s2p(struct crt_group *grp, d_rank_t secondary, d_rank_t *ret_primary)
{
	struct rank_pair *p;

	pthread_mutex_lock(&grp->crt->grp_lock);
	p = pair_of(grp, secondary, false);
	if (p != NULL)
		*ret_primary = p->primary;
	pthread_mutex_unlock(&grp->crt->grp_lock);
	return p == NULL ? -DER_NONEXIST : 0;
}

int
crt_group_rank_p2s(struct crt_group *grp, d_rank_t primary, d_rank_t *ret_secondary)
{
	struct rank_pair *p;

	pthread_mutex_lock(&grp->crt->grp_lock);
	p = pair_of(grp, primary, true);
	if (p != NULL)
		*ret_secondary = p->secondary;
	pthread_mutex_unlock(&grp->crt->grp_lock);
	return p == NULL ? -DER_NONEXIST : 0;
}

uint32_t
crt_group_secondary_size(struct crt_group *grp)
{
	uint32_t nr;

	pthread_mutex_lock(&grp->crt->grp_lock);
	nr = grp->pair_nr;
	pthread_mutex_unlock(&grp->crt->grp_lock);
	return nr;
}

int
crt_group_secondary_ranks(struct crt_group *grp, d_rank_list_t **ret_primary)
{
	d_rank_list_t *list;

	pthread_mutex_lock(&grp->crt->grp_lock);
	list = d_rank_list_alloc(grp->pair_nr);
	for (uint32_t i = 0; i < grp->pair_nr && list != NULL; i++)
		list->rl_ranks[i] = grp->pairs[i].primary;
	pthread_mutex_unlock(&grp->crt->grp_lock);
	if (list == NULL)
		return -DER_NOMEM;
	d_rank_list_sort(list);
	*ret_primary = list;
	return 0;
}
