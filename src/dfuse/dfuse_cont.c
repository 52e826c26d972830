/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The pools and containers of a mount: opened when they are first needed, kept until it ends. */
#include "dfuse/dfuse.h"

static struct dfuse_pool *
pool_find(struct dfuse *d, const uuid_t uuid)
{
	struct dfuse_pool *p = d->pools;

	while (p != NULL && uuid_compare(p->uuid, uuid) != 0)
		p = p->next;
	return p;
}

static struct dfuse_cont *
cont_find(struct dfuse *d, const struct dfuse_pool *pool, const uuid_t uuid)
{
	struct dfuse_cont *c = d->conts;

	while (c != NULL && (c->pool != pool || uuid_compare(c->uuid, uuid) != 0))
		c = c->next;
	return c;
}

struct connect_job {
	struct dfuse      *d;
	const char        *name;
	struct dfuse_pool *pool; /* to be filled in */
};

/** Asks the agent, over a socket that blocks: not on a worker. */
static int
connect_run(void *arg)
{
	struct connect_job *job  = arg;
	const char         *sys  = job->d->args.sys;
	daos_pool_info_t    info = {0};
	int                 rc;

	rc = daos_pool_connect(job->name, sys[0] == '\0' ? NULL : sys,
			       job->d->args.read_only ? DAOS_PC_RO : DAOS_PC_RW, &job->pool->poh, &info, NULL);
	if (rc == 0)
		uuid_copy(job->pool->uuid, info.pi_uuid);
	return rc;
}

static MAY_YIELD int
pool_connect(struct dfuse *d, const char *name, struct dfuse_pool **ret_pool)
{
	struct dfuse_pool *pool = calloc(1, sizeof(*pool)), *other;
	struct connect_job job  = {d, name, pool};
	int                rc;

	if (pool == NULL)
		return ENOMEM;
	rc = ult_self() == NULL ? connect_run(&job) : ult_offload(connect_run, &job);
	if (rc != 0) { /* the errno says less */
		D_ERROR("pool %s: " DF_RC, name, DP_RC(rc));
		free(pool);
		return daos_der2errno(rc);
	}
	other = pool_find(d, pool->uuid);
	if (other != NULL) { /* it was known by another name */
		daos_pool_disconnect(pool->poh, NULL);
		free(pool);
		pool = other;
	} else {
		pool->next = d->pools;
		d->pools   = pool;
	}
	*ret_pool = pool;
	return 0;
}

MAY_YIELD int
dfuse_pool_get(struct dfuse *d, const char *name, struct dfuse_pool **ret_pool)
{
	struct dfuse_pool *pool = NULL;
	uuid_t             uuid;
	int                rc = 0;

	ult_mutex_lock(&d->lock);
	if (uuid_parse(name, uuid) == 0)
		pool = pool_find(d, uuid);
	if (pool == NULL)
		rc = pool_connect(d, name, &pool);
	ult_mutex_unlock(&d->lock);
	if (rc == 0)
		*ret_pool = pool;
	return rc;
}

static void
cont_free(struct dfuse_cont *cont)
{
	if (cont->dfs != NULL)
		(void)dfs_umount(cont->dfs);
	if (daos_handle_is_valid(cont->coh))
		daos_cont_close(cont->coh, NULL);
	free(cont);
}

static int
cont_open(struct dfuse *d, struct dfuse_pool *pool, const char *name, struct dfuse_cont *cont)
{
	daos_cont_info_t info = {0};
	int              rc;

	rc = daos_der2errno(daos_cont_open(pool->poh, name, d->args.read_only ? DAOS_COO_RO : DAOS_COO_RW,
					   &cont->coh, &info, NULL));
	if (rc != 0)
		return rc;
	uuid_copy(cont->uuid, info.ci_uuid);
	cont->pool = pool;
	rc = dfs_mount(pool->poh, cont->coh, d->args.read_only ? O_RDONLY : O_RDWR, &cont->dfs);
	if (rc != 0)
		return rc;
	if (d->args.caching)
		dfuse_caching_load(&cont->caching, cont->coh);
	cont->wb_cache = d->args.wb_cache && (cont->caching.data_sec > 0 || cont->caching.data_open);
	return 0;
}

MAY_YIELD int
dfuse_cont_get(struct dfuse *d, struct dfuse_pool *pool, const char *name,
	       struct dfuse_cont **ret_cont)
{
	struct dfuse_cont *cont = NULL, *other;
	uuid_t             uuid;
	int                rc = 0;

	ult_mutex_lock(&d->lock);
	if (uuid_parse(name, uuid) == 0)
		cont = cont_find(d, pool, uuid);
	if (cont == NULL) {
		cont = calloc(1, sizeof(*cont));
		rc   = cont == NULL ? ENOMEM : cont_open(d, pool, name, cont);
		other = rc == 0 ? cont_find(d, pool, cont->uuid) : NULL;
		if (cont != NULL && (rc != 0 || other != NULL)) {
			cont_free(cont);
			cont = other;
		} else if (cont != NULL) {
			cont->slot = d->cont_nr++;
			cont->next = d->conts;
			d->conts   = cont;
		}
	}
	ult_mutex_unlock(&d->lock);
	if (rc == 0)
		*ret_cont = cont;
	return rc;
}

void
dfuse_conts_close(struct dfuse *d)
{
	while (d->conts != NULL) {
		struct dfuse_cont *cont = d->conts;

		d->conts = cont->next;
		cont_free(cont);
	}
	while (d->pools != NULL) {
		struct dfuse_pool *pool = d->pools;

		d->pools = pool->next;
		daos_pool_disconnect(pool->poh, NULL);
		free(pool);
	}
}
