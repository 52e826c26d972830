/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The primary group. Membership changes in one step under grp_lock; contexts notice a new grp_gen
 * when they next send or progress (crt_peers_refresh), and are woken for it.
 *
 * Where a URI of tag 0 comes from, first to last: the group, what the psr told (learned), the psr.
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
	crt_swim_group_changed(crt);
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
ents_build(uint32_t nr, const struct crt_member *members, bool with_uri,
	   struct crt_group_ent **ret_ents)
{
	struct crt_group_ent *ents = calloc(MAX_OF(nr, 1), sizeof(*ents));
	int                   rc   = 0;

	if (ents == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < nr && rc == 0; i++) {
		ents[i].rank = members[i].rank;
		if (!with_uri)
			continue;
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

static void contexts_wake(struct crt *crt);

/** Both by rank; what is in @in wins, or with @del, leaves. @out has room for all. */
static uint32_t
ents_merge(const struct crt_group_ent *old, uint32_t old_nr, const struct crt_group_ent *in,
	   uint32_t in_nr, bool del, struct crt_group_ent *out)
{
	uint32_t nr = 0;

	for (uint32_t o = 0, i = 0; o < old_nr || i < in_nr;) {
		bool from_in = o == old_nr || (i < in_nr && in[i].rank <= old[o].rank);

		if (!from_in) {
			out[nr++] = old[o++];
			continue;
		}
		if (o < old_nr && old[o].rank == in[i].rank)
			o++;
		if (!del)
			out[nr++] = in[i];
		i++;
	}
	return nr;
}

static struct crt_group_ent *
ents_find(struct crt_group_ent *ents, uint32_t nr, d_rank_t rank)
{
	struct crt_group_ent key = {.rank = rank};

	return nr == 0 ? NULL : bsearch(&key, ents, nr, sizeof(key), ent_cmp);
}

static void
learned_del(struct crt *crt, d_rank_t rank)
{
	struct crt_group_ent *ent = ents_find(crt->learned, crt->learned_nr, rank);

	if (ent == NULL)
		return;
	crt->learned_nr--;
	memmove(ent, ent + 1, (char *)&crt->learned[crt->learned_nr] - (char *)ent);
}

void
crt_uri_unlearn(struct crt *crt, d_rank_t rank)
{
	pthread_mutex_lock(&crt->grp_lock);
	learned_del(crt, rank);
	pthread_mutex_unlock(&crt->grp_lock);
}

int
crt_uri_learn(struct crt *crt, d_rank_t rank, const char *uri)
{
	struct crt_group_ent *learned;
	int                   rc = -DER_NOMEM;

	pthread_mutex_lock(&crt->grp_lock);
	learned_del(crt, rank);
	learned = realloc(crt->learned, (crt->learned_nr + 1) * sizeof(*learned));
	if (learned != NULL) {
		crt->learned = learned;
		learned[crt->learned_nr].rank = rank;
		strcpy(learned[crt->learned_nr].uri, uri);
		crt->learned_nr++;
		qsort(learned, crt->learned_nr, sizeof(*learned), ent_cmp);
		rc = 0;
	}
	pthread_mutex_unlock(&crt->grp_lock);
	return rc;
}

d_rank_t
crt_psr_rank(struct crt *crt)
{
	d_rank_t rank;

	pthread_mutex_lock(&crt->grp_lock);
	rank = crt->psr.rank;
	pthread_mutex_unlock(&crt->grp_lock);
	return rank;
}

/** Under grp_lock. Takes @ents. */
static int
group_apply(struct crt *crt, enum crt_group_op op, struct crt_group_ent *ents, uint32_t nr)
{
	struct crt_group_ent *merged = ents;

	if (op == CRT_GROUP_REPLACE)
		crt->learned_nr = 0;
	for (uint32_t i = 0; i < nr && op == CRT_GROUP_DELETE; i++)
		learned_del(crt, ents[i].rank);
	if (op != CRT_GROUP_REPLACE) {
		merged = calloc(crt->grp_nr + nr + 1, sizeof(*merged));
		if (merged == NULL) {
			free(ents);
			return -DER_NOMEM;
		}
		nr = ents_merge(crt->grp, crt->grp_nr, ents, nr, op == CRT_GROUP_DELETE, merged);
		free(ents);
	}
	free(crt->grp);
	crt->grp    = merged;
	crt->grp_nr = nr;
	return 0;
}

int
crt_group_modify(struct crt *crt, uint32_t version, enum crt_group_op op, uint32_t nr,
		 const struct crt_member *members)
{
	struct crt_group_ent *ents;
	bool                  newer;
	int                   rc = ents_build(nr, members, op != CRT_GROUP_DELETE, &ents);

	if (rc != 0)
		return rc;
	pthread_mutex_lock(&crt->grp_lock);
	newer = version > crt->grp_version;
	rc    = version < crt->grp_version ? -DER_GRPVER : 0;
	if (newer) {
		rc   = group_apply(crt, op, ents, nr);
		ents = NULL;
		newer = rc == 0;
	}
	if (newer) {
		crt->grp_version = version;
		crt->grp_gen++;
	}
	pthread_mutex_unlock(&crt->grp_lock);
	free(ents);
	if (!newer)
		return rc;
	contexts_wake(crt);
	crt_swim_group_changed(crt);
	if (crt->grp_cb != NULL)
		crt->grp_cb(crt, crt->grp_cb_arg);
	return 0;
}

int
crt_group_set(struct crt *crt, uint32_t version, uint32_t nr, const struct crt_member *members)
{
	return crt_group_modify(crt, version, CRT_GROUP_REPLACE, nr, members);
}

void
crt_group_set_cb(struct crt *crt, crt_group_cb_t cb, void *arg)
{
	pthread_mutex_lock(&crt->grp_lock);
	crt->grp_cb_arg = arg;
	crt->grp_cb     = cb;
	pthread_mutex_unlock(&crt->grp_lock);
}

int
crt_group_psr_set(struct crt *crt, d_rank_t rank, const char *uri)
{
	if (rank != CRT_NO_RANK && (uri == NULL || strlen(uri) >= NA_URI_BYTES_MAX))
		return -DER_INVAL;
	pthread_mutex_lock(&crt->grp_lock);
	crt->learned_nr = 0;
	crt->psr.rank   = rank;
	strcpy(crt->psr.uri, rank == CRT_NO_RANK ? "" : uri);
	pthread_mutex_unlock(&crt->grp_lock);
	return 0;
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
	struct crt_group_ent *ent;
	int                   rc = -DER_NONEXIST;

	pthread_mutex_lock(&crt->grp_lock);
	ent = ents_find(crt->grp, crt->grp_nr, rank);
	if (ent == NULL)
		ent = ents_find(crt->learned, crt->learned_nr, rank);
	if (ent == NULL && crt->psr.rank == rank && rank != CRT_NO_RANK)
		ent = &crt->psr;
	if (ent != NULL)
		rc = uri_copy(ent->uri, buf, buf_bytes);
	pthread_mutex_unlock(&crt->grp_lock);
	return rc;
}

/** @fn under the lock of each context. */
static void
contexts_foreach(struct crt *crt, void (*fn)(struct crt_ctx *ctx, void *arg), void *arg)
{
	pthread_mutex_lock(&crt->ctx_lock);
	for (uint32_t i = 0; i < crt->attr.ctx_nr_max; i++) {
		struct crt_ctx *ctx = crt->ctxs[i];

		if (ctx == NULL)
			continue;
		pthread_mutex_lock(&ctx->lock);
		fn(ctx, arg);
		pthread_mutex_unlock(&ctx->lock);
	}
	pthread_mutex_unlock(&crt->ctx_lock);
}

static void
contexts_wake_one(struct crt_ctx *ctx, void *arg)
{
	crt_wake(ctx);
}

static void
contexts_wake(struct crt *crt)
{
	contexts_foreach(crt, contexts_wake_one, NULL);
}

struct rank_end {
	d_rank_t rank;
	int      rc;
};

static void
rank_abort_one(struct crt_ctx *ctx, void *arg)
{
	const struct rank_end *end = arg;

	crt_peers_abort_rank(ctx, end->rank, end->rc);
	crt_wake(ctx);
}

void
crt_rank_abort(struct crt *crt, d_rank_t rank)
{
	char            uri[NA_URI_BYTES_MAX];
	bool            in  = crt_group_uri(crt, rank, uri, sizeof(uri)) == 0;
	struct rank_end end = {.rank = rank, .rc = in ? -DER_UNREACH : -DER_OOG};

	contexts_foreach(crt, rank_abort_one, &end);
}

static void
ep_abort_one(struct crt_ctx *ctx, void *arg)
{
	const crt_endpoint_t *ep   = arg;
	struct crt_peer      *peer = crt_peer_find(ctx, ep->ep_rank, ep->ep_tag);

	if (peer == NULL)
		return;
	crt_peer_abort(peer, -DER_CANCELED);
	crt_wake(ctx);
}

void
crt_ep_abort(struct crt *crt, const crt_endpoint_t *ep)
{
	contexts_foreach(crt, ep_abort_one, (void *)ep);
}

struct uri_visit {
	void (*fn)(void *arg, d_rank_t rank, uint32_t tag, const char *uri);
	void  *arg;
};

static int
uri_visit_peer(struct d_hash_node *node, void *arg)
{
	const struct crt_peer  *peer = CONTAINER_OF(node, struct crt_peer, node);
	const struct uri_visit *v    = arg;

	if (peer->uri[0] != '\0')
		v->fn(v->arg, peer->key.rank, peer->key.tag, peer->uri);
	return 0;
}

static void
uri_visit_ctx(struct crt_ctx *ctx, void *arg)
{
	d_hash_foreach(&ctx->peers, uri_visit_peer, arg);
}

void
crt_uri_cache_foreach(struct crt *crt,
		      void (*fn)(void *arg, d_rank_t rank, uint32_t tag, const char *uri), void *arg)
{
	struct uri_visit v = {.fn = fn, .arg = arg};

	contexts_foreach(crt, uri_visit_ctx, &v);
}

/* ---- where the own contexts are ---- */

void
crt_where_set(struct crt *crt, int idx, const struct crt_where *where)
{
	pthread_mutex_lock(&crt->grp_lock);
	crt->wheres[idx] = *where;
	pthread_mutex_unlock(&crt->grp_lock);
}

int
crt_where_get(struct crt *crt, uint32_t tag, struct crt_where *ret_where)
{
	int rc = -DER_NONEXIST;

	if (tag >= crt->attr.ctx_nr_max)
		return rc;
	pthread_mutex_lock(&crt->grp_lock);
	if (crt->wheres[tag].uri[0] != '\0') {
		*ret_where = crt->wheres[tag];
		rc         = 0;
	}
	pthread_mutex_unlock(&crt->grp_lock);
	return rc;
}

int
crt_self_uri(struct crt *crt, uint32_t tag, char *buf, size_t buf_bytes)
{
	struct crt_where where;
	int              rc = crt_where_get(crt, tag, &where);

	return rc != 0 ? rc : uri_copy(where.uri, buf, buf_bytes);
}
