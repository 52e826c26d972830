/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What daos_server and daos_agent do in the real world: who is a member and where, where a pool's service is, who a
 * client is, and the calls to an engine that create and destroy pools. It belongs to the world: it never fails, but
 * what it tells arrives late.
 */
#include "sim.h"

#include <daos_errno.h>
#include <daos_prop.h>
#include <stdlib.h>
#include <string.h>
#include "base/rank_list.h"
#include "drpc/auth.pb-c.h"
#include "mgmt/mgmt_server.h"
#include "pool/pool_internal.h"

#define TELL_NS_MEAN (50 * SIM_MS)

/* ---- questions of engines ---- */

static int
ranks_of(const struct sim_pool *pool, d_rank_list_t **ret_ranks)
{
	d_rank_list_t list = {.rl_ranks = (d_rank_t *)pool->svc_ranks, .rl_nr = pool->svc_nr};

	return d_rank_list_dup(&list, ret_ranks);
}

static MAY_YIELD int
svc_by_uuid(struct engine *eng, void *arg, const uuid_t uuid, d_rank_list_t **ret_ranks)
{
	for (uint32_t i = 0; i < SIM_POOL_MAX; i++)
		if (sim.pools[i].label[0] != '\0' && uuid_compare(sim.pools[i].uuid, uuid) == 0)
			return ranks_of(&sim.pools[i], ret_ranks);
	return -DER_NONEXIST;
}

static MAY_YIELD int
svc_by_label(struct engine *eng, void *arg, const char *label, uuid_t ret_uuid, d_rank_list_t **ret_ranks)
{
	for (uint32_t i = 0; i < SIM_POOL_MAX; i++) {
		if (sim.pools[i].label[0] == '\0' || strcmp(sim.pools[i].label, label) != 0)
			continue;
		uuid_copy(ret_uuid, sim.pools[i].uuid);
		return ranks_of(&sim.pools[i], ret_ranks);
	}
	return -DER_NONEXIST;
}

static MAY_YIELD int
check_cred(struct engine *eng, void *arg, const void *cred, size_t cred_bytes, struct sec_ident **ret_ident)
{
	return mgmt_cred_ident(cred, cred_bytes, ret_ident);
}

const struct ds_mgmt_resolver sim_resolver = {
    .svc_by_uuid = svc_by_uuid, .svc_by_label = svc_by_label, .check_cred = check_cred};

int
sim_cred(d_iov_t *ret_cred)
{
	Auth__Credential cred = AUTH__CREDENTIAL__INIT;
	Auth__Token      token = AUTH__TOKEN__INIT;
	Auth__Token      verifier = AUTH__TOKEN__INIT;
	Auth__Sys        sys = AUTH__SYS__INIT;
	uint8_t          packed[256];
	size_t           bytes;
	void            *buf;

	sys.user = SIM_USER;
	sys.group = SIM_GROUP;
	sys.machinename = "here";
	D_ASSERT(auth__sys__get_packed_size(&sys) <= sizeof(packed));
	token.flavor = AUTH__FLAVOR__AUTH_SYS;
	token.data.data = packed;
	token.data.len = auth__sys__pack(&sys, packed);
	verifier.flavor = AUTH__FLAVOR__AUTH_NONE;
	cred.token = &token;
	cred.verifier = &verifier;
	cred.origin = "simulation";
	bytes = auth__credential__get_packed_size(&cred);
	buf = malloc(bytes);
	if (buf == NULL)
		return -DER_NOMEM;
	auth__credential__pack(&cred, buf);
	d_iov_set(ret_cred, buf, bytes);
	return 0;
}

/* ---- membership ---- */

/** News on the way to a node: what it says is what is known when it arrives. */
static struct tell {
	struct psim_event event;
	uint32_t          node;
} *tells; /* [nodes] */

static struct crt *
crt_of_node(uint32_t node)
{
	struct engine *eng;
	struct client *cl;

	if (node <= sim.opts.engine_nr) {
		eng = sim.engines[node - 1].eng;
		return eng == NULL ? NULL : dss_crt(eng);
	}
	cl = sim.clients[node - 1 - sim.opts.engine_nr].cl;
	return cl == NULL ? NULL : client_crt(cl);
}

static void
tell_thread(void *arg)
{
	struct tell *tell = arg;
	struct crt  *crt = crt_of_node(tell->node);

	if (crt == NULL || crt_group_version(crt) >= sim.map_version)
		return;
	int rc = crt_group_set(crt, sim.map_version, sim.member_nr, sim.members);
	SIM_CHECK(rc == 0 || rc == -DER_GRPVER || rc == -DER_NOMEM, "the group map is refused: " DF_RC, DP_RC(rc));
}

static void
tell_due(void *arg)
{
	struct tell *tell = arg;

	if (psim_node_alive(tell->node))
		psim_node_thread(tell->node, "group map", tell_thread, tell);
}

void
sim_group_changed(void)
{
	uint32_t node_nr = 1 + sim.opts.engine_nr + sim.opts.client_nr;

	sim.member_nr = 0;
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		if (sim.engines[i].eng != NULL)
			sim.members[sim.member_nr++] =
			    (struct crt_member){.rank = i, .uri = sim.engines[i].uri};
	sim.map_version++;
	if (tells == NULL)
		tells = psim_world_alloc(node_nr * sizeof(*tells));
	for (uint32_t node = 1; node < node_nr && !sim.group_held; node++) {
		struct tell *tell = &tells[node];

		tell->node = node;
		tell->event.fn = tell_due;
		tell->event.arg = tell;
		if (tell->event.pos == 0)
			psim_event_at(&tell->event, psim_now() + psim_delay(TELL_NS_MEAN));
	}
}

/* ---- pools ---- */

static int
pool_create_job(struct engine *eng, void *arg);

struct pool_job {
	struct sim_pool *pool;
	uint64_t         meta_bytes, data_bytes;
};

static d_rank_list_t *
all_ranks(void)
{
	d_rank_list_t *ranks = d_rank_list_alloc(sim.opts.engine_nr);

	for (uint32_t i = 0; ranks != NULL && i < ranks->rl_nr; i++)
		ranks->rl_ranks[i] = i;
	return ranks;
}

static daos_prop_t *
pool_props(const char *label)
{
	daos_prop_t *prop = daos_prop_alloc(3);

	if (prop == NULL)
		return NULL;
	prop->dpp_entries[0].dpe_type = DAOS_PROP_PO_LABEL;
	prop->dpp_entries[0].dpe_str = strdup(label);
	prop->dpp_entries[1].dpe_type = DAOS_PROP_PO_OWNER;
	prop->dpp_entries[1].dpe_str = strdup(SIM_USER);
	prop->dpp_entries[2].dpe_type = DAOS_PROP_PO_OWNER_GROUP;
	prop->dpp_entries[2].dpe_str = strdup(SIM_GROUP);
	return prop;
}

static MAY_YIELD int
create_ult(void *arg)
{
	return pool_create(dss_engine(), arg);
}

/** In the engine, as its dRPC handler would. */
static int
pool_create_job(struct engine *eng, void *arg)
{
	struct pool_job       *job = arg;
	d_rank_list_t         *ranks = all_ranks();
	d_rank_list_t          svc = {.rl_ranks = job->pool->svc_ranks, .rl_nr = job->pool->svc_nr};
	daos_prop_t           *prop = pool_props(job->pool->label);
	struct pool_create_req req = {.ranks = ranks,
				      .svc_ranks = &svc,
				      .tgts_per_rank = sim.opts.tgt_nr,
				      .meta_bytes = job->meta_bytes,
				      .data_bytes = job->data_bytes,
				      .prop = prop};
	int                    rc;

	uuid_copy(req.uuid, job->pool->uuid);
	rc = dss_ult_execute(eng, DSS_TAG_SYS, create_ult, &req);
	daos_prop_free(prop);
	d_rank_list_free(ranks);
	if (rc != 0)
		sim_log("pool '%s' is not created: " DF_RC " %s", job->pool->label, DP_RC(rc), req.message);
	return rc;
}

static struct sim_pool *
pool_find(const char *label)
{
	for (uint32_t i = 0; i < SIM_POOL_MAX; i++)
		if (strcmp(sim.pools[i].label, label) == 0)
			return &sim.pools[i];
	return NULL;
}

int
sim_pool_create(const char *label, uint32_t svc_nr, uint64_t meta_bytes, uint64_t data_bytes)
{
	struct sim_pool *pool = pool_find("");
	struct pool_job  job = {.pool = pool, .meta_bytes = meta_bytes, .data_bytes = data_bytes};
	uint32_t         first = psim_below(sim.opts.engine_nr);
	int              rc;

	D_ASSERT(pool != NULL && svc_nr <= ARRAY_NR(pool->svc_ranks));
	plat_uuid_generate(pool->uuid);
	pool->svc_nr = svc_nr;
	for (uint32_t i = 0; i < svc_nr; i++)
		pool->svc_ranks[i] = (first + i) % sim.opts.engine_nr;
	snprintf(pool->label, sizeof(pool->label), "%s", label);
	rc = sim_engine_do(&sim.engines[first], pool_create_job, &job);
	return rc;
}

struct destroy {
	struct sim_pool *pool;
	d_rank_list_t   *ranks;
};

static MAY_YIELD int
destroy_ult(void *arg)
{
	struct destroy *d = arg;
	d_rank_list_t   svc = {.rl_ranks = d->pool->svc_ranks, .rl_nr = d->pool->svc_nr};

	return pool_destroy(dss_engine(), d->pool->uuid, d->ranks, &svc, true, true);
}

static int
pool_destroy_job(struct engine *eng, void *arg)
{
	struct destroy d = {.pool = arg, .ranks = all_ranks()};
	int            rc = dss_ult_execute(eng, DSS_TAG_SYS, destroy_ult, &d);

	d_rank_list_free(d.ranks);
	return rc;
}

int
sim_pool_destroy(const char *label)
{
	struct sim_pool *pool = pool_find(label);
	int              rc;

	if (pool == NULL)
		return -DER_NONEXIST;
	rc = sim_engine_do(&sim.engines[psim_below(sim.opts.engine_nr)], pool_destroy_job, pool);
	if (rc == 0)
		pool->label[0] = '\0';
	return rc;
}
