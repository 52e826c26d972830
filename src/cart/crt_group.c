/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The primary group. Membership is replaced as a whole; contexts notice a new grp_gen when they
 * next send or progress (crt_peers_refresh), and are woken for it.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"

void
crt_rank_self_set(struct crt *crt, d_rank_t rank)
{
	crt->self = rank;
}

d_rank_t
crt_rank_self(struct crt *crt)
{
	return crt->self;
}

static int
ent_cmp(const void *a, const void *b)
{
	d_rank_t x = ((const struct crt_group_ent *)a)->rank;
	d_rank_t y = ((const struct crt_group_ent *)b)->rank;

	return x < y ? -1 : x > y;
}

static int
ents_build(uint32_t nr, const struct crt_member *members, struct crt_group_ent **ret_ents)
{
	struct crt_group_ent *ents = calloc(MAX_OF(nr, 1), sizeof(*ents));
	int                   rc   = 0;

	if (ents == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < nr && rc == 0; i++) {
		ents[i].rank = members[i].rank;
		if (members[i].uri == NULL || strlen(members[i].uri) >= sizeof(ents[i].uri))
			rc = -DER_INVAL;
		else
			strcpy(ents[i].uri, members[i].uri);
	}
	qsort(ents, nr, sizeof(*ents), ent_cmp);
	for (uint32_t i = 1; i < nr && rc == 0; i++)
		if (ents[i].rank == ents[i - 1].rank)
			rc = -DER_INVAL;
	if (rc != 0) {
		free(ents);
		return rc;
	}
	*ret_ents = ents;
	return 0;
}

static void
contexts_wake(struct crt *crt)
{
	pthread_mutex_lock(&crt->ctx_lock);
	for (uint32_t i = 0; i < crt->attr.ctx_nr_max; i++) {
		struct crt_ctx *ctx = crt->ctxs[i];

		if (ctx == NULL)
			continue;
		pthread_mutex_lock(&ctx->lock);
		crt_wake(ctx);
		pthread_mutex_unlock(&ctx->lock);
	}
	pthread_mutex_unlock(&crt->ctx_lock);
}

int
crt_group_set(struct crt *crt, uint32_t version, uint32_t nr, const struct crt_member *members)
{
	struct crt_group_ent *ents;
	bool                  newer;
	int                   rc;

	rc = ents_build(nr, members, &ents);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&crt->grp_lock);
	newer = version > crt->grp_version;
	rc    = version < crt->grp_version ? -DER_GRPVER : 0;
	if (newer) {
		struct crt_group_ent *old = crt->grp;

		crt->grp    = ents;
		crt->grp_nr = nr;
		crt->grp_version = version;
		crt->grp_gen++;
		ents = old;
	}
	pthread_mutex_unlock(&crt->grp_lock);
	free(ents);
	if (newer)
		contexts_wake(crt);
	return rc;
}

uint32_t
crt_group_version(struct crt *crt)
{
	return crt->grp_version;
}

uint32_t
crt_group_size(struct crt *crt)
{
	uint32_t nr;

	pthread_mutex_lock(&crt->grp_lock);
	nr = crt->grp_nr;
	pthread_mutex_unlock(&crt->grp_lock);
	return nr;
}

int
crt_group_ranks(struct crt *crt, d_rank_list_t **ret_ranks)
{
	d_rank_list_t *list = calloc(1, sizeof(*list));

	if (list == NULL)
		return -DER_NOMEM;
	pthread_mutex_lock(&crt->grp_lock);
	list->rl_nr    = crt->grp_nr;
	list->rl_ranks = calloc(MAX_OF(crt->grp_nr, 1), sizeof(*list->rl_ranks));
	for (uint32_t i = 0; i < crt->grp_nr && list->rl_ranks != NULL; i++)
		list->rl_ranks[i] = crt->grp[i].rank;
	pthread_mutex_unlock(&crt->grp_lock);
	if (list->rl_ranks == NULL) {
		free(list);
		return -DER_NOMEM;
	}
	*ret_ranks = list;
	return 0;
}

static int
uri_copy(const char *uri, char *buf, size_t buf_bytes)
{
	if (strlen(uri) >= buf_bytes)
		return -DER_TRUNC;
	strcpy(buf, uri);
	return 0;
}

int
crt_group_uri(struct crt *crt, d_rank_t rank, char *buf, size_t buf_bytes)
{
	struct crt_group_ent  key = {.rank = rank};
	struct crt_group_ent *ent = NULL;
	int                   rc  = -DER_NONEXIST;

	pthread_mutex_lock(&crt->grp_lock);
	if (crt->grp_nr > 0)
		ent = bsearch(&key, crt->grp, crt->grp_nr, sizeof(key), ent_cmp);
	if (ent != NULL)
		rc = uri_copy(ent->uri, buf, buf_bytes);
	pthread_mutex_unlock(&crt->grp_lock);
	return rc;
}

void
crt_rank_abort(struct crt *crt, d_rank_t rank)
{
	char uri[NA_URI_BYTES_MAX];
	int  rc = crt_group_uri(crt, rank, uri, sizeof(uri)) == 0 ? -DER_UNREACH : -DER_OOG;

	pthread_mutex_lock(&crt->ctx_lock);
	for (uint32_t i = 0; i < crt->attr.ctx_nr_max; i++) {
		struct crt_ctx *ctx = crt->ctxs[i];

		if (ctx == NULL)
			continue;
		pthread_mutex_lock(&ctx->lock);
		crt_peers_abort_rank(ctx, rank, rc);
		crt_wake(ctx);
		pthread_mutex_unlock(&ctx->lock);
	}
	pthread_mutex_unlock(&crt->ctx_lock);
}

/* ---- URIs of the own contexts ---- */

void
crt_uri_self_set(struct crt *crt, int idx, const char *uri)
{
	pthread_mutex_lock(&crt->grp_lock);
	strcpy(crt->uris[idx], uri);
	pthread_mutex_unlock(&crt->grp_lock);
}

int
crt_uri_self(struct crt *crt, uint32_t tag, char *buf, size_t buf_bytes)
{
	int rc = -DER_NONEXIST;

	if (tag >= crt->attr.ctx_nr_max)
		return rc;
	pthread_mutex_lock(&crt->grp_lock);
	if (crt->uris[tag][0] != '\0')
		rc = uri_copy(crt->uris[tag], buf, buf_bytes);
	pthread_mutex_unlock(&crt->grp_lock);
	return rc;
}
