/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "testcluster.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <daos_errno.h>
#include <daos_prop.h>
#include "base/rank_list.h"
#include "bio/bio_ram.h"
#include "container/cont_client.h"
#include "container/cont_server.h"
#include "drpc/auth.pb-c.h"
#include "mgmt/mgmt_server.h"
#include "na/na.h"
#include "object/obj_client.h"
#include "object/obj_server.h"
#include "platform/platform.h"
#include "pool/pool_client.h"
#include "pool/pool_internal.h"
#include "rdb/rdb.h"
#include "rsvc/rsvc.h"

#define TC_POOLS_MAX 16
#define TC_NETS_MAX  2
#define TC_USER      "tester@"  /**< whoever connects, and who owns the pools */
#define TC_GROUP     "testers@"

struct tc_pool {
	char   label[64]; /**< "": no pool */
	uuid_t uuid;
};
struct tc_engine {
	struct engine  *eng; /**< NULL: stopped */
	struct bio_ram *rams[TC_DEVS_MAX]; /**< NULL: files */
	char            paths[TC_DEVS_MAX][128], dir[128], name[16];
};
struct tc_net {
	struct na_self_world *world;
	struct crt_member     members[TC_ENGINES_MAX];
	char                  uris[TC_ENGINES_MAX][NA_URI_BYTES_MAX];
};
struct testcluster {
	struct tc_opts        opts;
	uint32_t              net_nr;
	struct tc_net         nets[TC_NETS_MAX];
	char                  dir[64];
	uuid_t                system;
	pthread_mutex_t       lock; /**< guards pools, clients, where engines are */
	struct tc_engine      engines[TC_ENGINES_MAX];
	struct tc_pool        pools[TC_POOLS_MAX];
	struct client        *clients[TC_CLIENTS_MAX];
	uint32_t              client_nets[TC_CLIENTS_MAX];
	uint32_t              member_nr;
	d_rank_t              ms_rank;
	struct client_attr    client_attr;
	d_iov_t               cred; /**< of client_attr */
};

static const struct dss_module *const tc_server_modules[] = {
    &dss_module_rdb, &dss_module_rsvc, &dss_module_mgmt, &dss_module_pool,
    &dss_module_cont, &dss_module_obj, NULL};
static const struct dc_module *const tc_client_modules[] = {&dc_pool_module, &dc_cont_module, &dc_obj_module};

/* ---- the control plane's part ---- */

static int
first_rank_list(d_rank_list_t **ret_ranks)
{
	d_rank_t      zero = 0;
	d_rank_list_t list = {.rl_ranks = &zero, .rl_nr = 1};

	return d_rank_list_dup(&list, ret_ranks);
}

static MAY_YIELD int
svc_by_uuid(struct engine *eng, void *arg, const uuid_t pool, d_rank_list_t **ret_ranks)
{
	struct testcluster *tc = arg;
	int                 rc = -DER_NONEXIST;

	pthread_mutex_lock(&tc->lock);
	for (int i = 0; i < TC_POOLS_MAX; i++)
		if (tc->pools[i].label[0] != '\0' && uuid_compare(tc->pools[i].uuid, pool) == 0)
			rc = first_rank_list(ret_ranks);
	pthread_mutex_unlock(&tc->lock);
	return rc;
}

static MAY_YIELD int
svc_by_label(struct engine *eng, void *arg, const char *label, uuid_t ret_pool, d_rank_list_t **ret_ranks)
{
	struct testcluster *tc = arg;
	int                 rc = -DER_NONEXIST;

	pthread_mutex_lock(&tc->lock);
	for (int i = 0; i < TC_POOLS_MAX; i++) {
		if (tc->pools[i].label[0] == '\0' || strcmp(tc->pools[i].label, label) != 0)
			continue;
		uuid_copy(ret_pool, tc->pools[i].uuid);
		rc = first_rank_list(ret_ranks);
	}
	pthread_mutex_unlock(&tc->lock);
	return rc;
}

static MAY_YIELD int
check_cred(struct engine *eng, void *arg, const void *cred, size_t cred_bytes, struct sec_ident **ret_ident)
{
	return mgmt_cred_ident(cred, cred_bytes, ret_ident);
}

/** What an agent would say of every client here, and daos_server of an engine that is one. */
static int
make_cred(d_iov_t *ret_cred)
{
	Auth__Credential cred     = AUTH__CREDENTIAL__INIT;
	Auth__Token      token    = AUTH__TOKEN__INIT;
	Auth__Token      verifier = AUTH__TOKEN__INIT;
	Auth__Sys        sys      = AUTH__SYS__INIT;
	uint8_t          packed[256];
	size_t           bytes;
	void            *buf;

	sys.user        = TC_USER;
	sys.group       = TC_GROUP;
	sys.machinename = "here";
	assert_true(auth__sys__get_packed_size(&sys) <= sizeof(packed));
	token.flavor    = AUTH__FLAVOR__AUTH_SYS;
	token.data.data = packed;
	token.data.len  = auth__sys__pack(&sys, packed);
	verifier.flavor = AUTH__FLAVOR__AUTH_NONE;
	cred.token      = &token;
	cred.verifier   = &verifier;
	cred.origin     = "testcluster";
	bytes           = auth__credential__get_packed_size(&cred);
	buf             = malloc(bytes);
	assert_non_null(buf);
	auth__credential__pack(&cred, buf);
	d_iov_set(ret_cred, buf, bytes);
	return 0;
}

static MAY_YIELD int
own_cred(struct engine *eng, void *arg, d_iov_t *ret_cred)
{
	return make_cred(ret_cred);
}

static const struct ds_mgmt_resolver tc_resolver = {
    .svc_by_uuid = svc_by_uuid, .svc_by_label = svc_by_label, .check_cred = check_cred, .own_cred = own_cred};

static void
group_set(struct crt *crt, const struct testcluster *tc, uint32_t net)
{
	assert_int_equal(crt_group_set(crt, crt_group_version(crt) + 1, tc->member_nr, tc->nets[net].members), 0);
}

/** Where everybody is, to everybody who runs. With the lock held. */
static void
tell_group(struct testcluster *tc)
{
	tc->member_nr = 0;
	for (uint32_t i = 0; i < tc->opts.engine_nr; i++) {
		if (tc->engines[i].eng == NULL)
			continue;
		for (uint32_t k = 0; k < tc->net_nr; k++) {
			char *uri = tc->nets[k].uris[tc->member_nr];

			assert_int_equal(engine_uri(tc->engines[i].eng, k, uri, NA_URI_BYTES_MAX), 0);
			tc->nets[k].members[tc->member_nr] = (struct crt_member){.rank = i, .uri = uri};
		}
		tc->member_nr++;
	}
	for (uint32_t i = 0; i < tc->opts.engine_nr; i++) {
		struct engine *eng = tc->engines[i].eng;

		for (uint32_t k = 0; eng != NULL && k < tc->net_nr; k++)
			assert_int_equal(dss_group_set(eng, k, crt_group_version(dss_crt(eng)) + (k == 0), tc->member_nr,
						       tc->nets[k].members), 0);
	}
	for (int i = 0; i < TC_CLIENTS_MAX; i++)
		if (tc->clients[i] != NULL)
			group_set(client_crt(tc->clients[i]), tc, tc->client_nets[i]);
}

/* ---- engines ---- */

static struct engine_attr
engine_attr_of(struct testcluster *tc, d_rank_t rank, struct engine_bdev *bdevs, struct crt_attr *fabrics)
{
	struct tc_engine *te = &tc->engines[rank];

	for (uint32_t i = 0; i < tc->net_nr; i++)
		fabrics[i] = (struct crt_attr){.provider  = tc->opts.provider,
					       .interface = tc->opts.interface,
					       .world     = tc->nets[i].world};
	for (uint32_t i = 0; i < tc->opts.dev_nr; i++)
		bdevs[i] = (struct engine_bdev){.attr = {.kind       = tc->opts.files ? BIO_FILE : BIO_RAM,
						      .path       = te->paths[i],
						      .size_bytes = tc->opts.dev_bytes,
						      .roles      = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA,
						      .ram        = te->rams[i]}};
	return (struct engine_attr){
	    .name           = te->name,
	    .sys_name       = "daos_server",
	    .tgt_nr         = tc->opts.tgt_nr,
	    .first_core     = -1,
	    .numa_node      = -1,
	    .storage_path   = te->dir,
	    .bdevs          = bdevs,
	    .bdev_nr        = tc->opts.dev_nr,
	    .fabric         = fabrics[0],
	    .secondary      = fabrics + 1,
	    .secondary_nr   = tc->net_nr - 1,
	    .instance_idx   = rank,
	    .modules        = "vos,rdb,rsvc,security,mgmt,dtx,pool,cont,obj,rebuild",
	    .static_modules = tc_server_modules,
	};
}

static void
engine_prepare(struct testcluster *tc, d_rank_t rank)
{
	struct tc_engine  *te = &tc->engines[rank];
	struct engine_bdev bdevs[TC_DEVS_MAX];
	struct crt_attr    fabrics[TC_NETS_MAX];
	struct engine_attr attr;

	snprintf(te->name, sizeof(te->name), "engine %u", rank);
	snprintf(te->dir, sizeof(te->dir), "%s/engine%u", tc->dir, rank);
	assert_int_equal(mkdir(te->dir, 0700), 0);
	for (uint32_t i = 0; i < tc->opts.dev_nr; i++) {
		snprintf(te->paths[i], sizeof(te->paths[i]), "%s/engine%u.dev%u", tc->dir, rank, i);
		if (!tc->opts.files)
			assert_int_equal(bio_ram_create(tc->opts.dev_bytes, &te->rams[i]), 0);
	}
	attr = engine_attr_of(tc, rank, bdevs, fabrics);
	if (tc->opts.files)
		assert_int_equal(engine_format(&attr, tc->system, false), 0);
	for (uint32_t i = 0; i < tc->opts.dev_nr; i++) {
		if (!tc->opts.files) /* memory that outlives engines is none of their business */
			assert_int_equal(bio_dev_format(&bdevs[i].attr, tc->system, false), 0);
		if (tc->opts.power_loss)
			assert_int_equal(bio_ram_track(te->rams[i]), 0);
	}
}

static void
engine_up(struct testcluster *tc, d_rank_t rank)
{
	struct engine_bdev bdevs[TC_DEVS_MAX];
	struct crt_attr    fabrics[TC_NETS_MAX];
	struct engine_attr attr = engine_attr_of(tc, rank, bdevs, fabrics);
	struct engine     *eng  = NULL;

	assert_null(tc->engines[rank].eng);
	assert_int_equal(engine_start(&attr, &eng), 0);
	dss_rank_set(eng, rank);
	ds_mgmt_set_resolver(eng, &tc_resolver, tc);
	pthread_mutex_lock(&tc->lock);
	tc->engines[rank].eng = eng;
	tell_group(tc);
	pthread_mutex_unlock(&tc->lock);
}

void
tc_engine_start(struct testcluster *tc, d_rank_t rank)
{
	engine_up(tc, rank);
	assert_int_equal(engine_setup(tc->engines[rank].eng, rank), 0);
}

void
tc_engine_stop(struct testcluster *tc, d_rank_t rank)
{
	struct engine *eng;

	pthread_mutex_lock(&tc->lock);
	eng                   = tc->engines[rank].eng;
	tc->engines[rank].eng = NULL;
	pthread_mutex_unlock(&tc->lock);
	assert_non_null(eng);
	engine_stop(eng);
}

void
tc_engine_crash(struct testcluster *tc, d_rank_t rank, uint64_t seed)
{
	struct bio_ram **rams = tc->engines[rank].rams;

	assert_true(tc->opts.power_loss);
	for (uint32_t i = 0; i < tc->opts.dev_nr; i++)
		bio_ram_fail_after(rams[i], (seed + i) % 8);
	tc_engine_stop(tc, rank);
	for (uint32_t i = 0; i < tc->opts.dev_nr; i++)
		bio_ram_power_loss(rams[i], seed + i);
}

struct bio_ram *
tc_dev_ram(struct testcluster *tc, d_rank_t rank, uint32_t dev)
{
	assert_in_range(dev, 0, tc->opts.dev_nr - 1);
	return tc->engines[rank].rams[dev];
}

struct engine *
tc_engine(struct testcluster *tc, d_rank_t rank)
{
	return tc->engines[rank].eng;
}

const char *
tc_dir(struct testcluster *tc)
{
	return tc->dir;
}

struct testcluster *
tc_start(const struct tc_opts *opts)
{
	struct testcluster *tc = calloc(1, sizeof(*tc));

	assert_non_null(tc);
	assert_in_range(opts->engine_nr, 1, TC_ENGINES_MAX);
	tc->opts = *opts;
	if (tc->opts.dev_nr == 0)
		tc->opts.dev_nr = 1;
	assert_in_range(tc->opts.dev_nr, 1, TC_DEVS_MAX);
	if (tc->opts.dev_bytes == 0)
		tc->opts.dev_bytes = 768ull << 20;
	if (tc->opts.provider == NULL)
		tc->opts.provider = "self";
	pthread_mutex_init(&tc->lock, NULL);
	plat_uuid_generate(tc->system);
	assert_int_equal(make_cred(&tc->cred), 0);
	snprintf(tc->dir, sizeof(tc->dir), "/tmp/testcluster_XXXXXX");
	assert_non_null(mkdtemp(tc->dir));
	tc->net_nr = tc->opts.secondary ? 2 : 1;
	for (uint32_t i = 0; i < tc->net_nr && strcmp(tc->opts.provider, "self") == 0; i++)
		assert_int_equal(na_self_world_create(&tc->nets[i].world), 0);
	for (uint32_t i = 0; i < opts->engine_nr; i++) {
		engine_prepare(tc, i);
		engine_up(tc, i);
	}
	for (uint32_t i = 0; i < opts->engine_nr; i++)
		assert_int_equal(engine_setup(tc->engines[i].eng, i), 0);
	return tc;
}

void
tc_stop(struct testcluster *tc)
{
	for (uint32_t i = 0; i < tc->opts.engine_nr; i++) {
		struct tc_engine *te = &tc->engines[i];

		if (te->eng != NULL)
			tc_engine_stop(tc, i);
		for (uint32_t k = 0; k < tc->opts.dev_nr; k++) {
			if (te->rams[k] != NULL)
				bio_ram_destroy(te->rams[k]);
			unlink(te->paths[k]);
		}
		assert_int_equal(rmdir(te->dir), 0);
	}
	for (int i = 0; i < TC_CLIENTS_MAX; i++)
		assert_null(tc->clients[i]);
	for (uint32_t i = 0; i < tc->net_nr; i++)
		if (tc->nets[i].world != NULL)
			na_self_world_destroy(tc->nets[i].world);
	rmdir(tc->dir);
	pthread_mutex_destroy(&tc->lock);
	free(tc->cred.iov_buf);
	free(tc);
}

/* ---- pools ---- */

struct pool_job {
	struct testcluster    *tc;
	struct pool_create_req req;
};

static d_rank_list_t *
all_ranks(struct testcluster *tc)
{
	d_rank_list_t *ranks = d_rank_list_alloc(tc->opts.engine_nr);

	assert_non_null(ranks);
	for (uint32_t i = 0; i < ranks->rl_nr; i++)
		ranks->rl_ranks[i] = i;
	return ranks;
}

static MAY_YIELD int
create_ult(void *arg)
{
	struct pool_job *job = arg;

	return pool_create(dss_engine(), &job->req);
}

void
tc_pool_create_sized(struct testcluster *tc, const char *label, uint64_t meta_bytes, uint64_t data_bytes,
		     uuid_t ret_uuid)
{
	d_rank_list_t  *ranks = all_ranks(tc);
	d_rank_list_t   svc   = {.rl_ranks = ranks->rl_ranks, .rl_nr = 1};
	daos_prop_t    *prop  = daos_prop_alloc(3);
	struct pool_job job   = {.tc  = tc,
				 .req = {.ranks         = ranks,
					 .svc_ranks     = &svc,
					 .tgts_per_rank = tc->opts.tgt_nr,
					 .meta_bytes    = meta_bytes != 0 ? meta_bytes : 96ull << 20,
					 .data_bytes    = data_bytes != 0 ? data_bytes : 192ull << 20,
					 .prop          = prop}};
	int             at = 0;

	assert_non_null(prop);
	prop->dpp_entries[0].dpe_type = DAOS_PROP_PO_LABEL;
	prop->dpp_entries[0].dpe_str  = strdup(label);
	prop->dpp_entries[1].dpe_type = DAOS_PROP_PO_OWNER;
	prop->dpp_entries[1].dpe_str  = strdup(TC_USER);
	prop->dpp_entries[2].dpe_type = DAOS_PROP_PO_OWNER_GROUP;
	prop->dpp_entries[2].dpe_str  = strdup(TC_GROUP);
	plat_uuid_generate(job.req.uuid);
	pthread_mutex_lock(&tc->lock);
	while (tc->pools[at].label[0] != '\0')
		at++;
	assert_in_range(at, 0, TC_POOLS_MAX - 1);
	uuid_copy(tc->pools[at].uuid, job.req.uuid);
	snprintf(tc->pools[at].label, sizeof(tc->pools[at].label), "%s", label);
	pthread_mutex_unlock(&tc->lock);
	assert_int_equal(dss_ult_execute(tc->engines[0].eng, DSS_TAG_SYS, create_ult, &job), 0);
	if (ret_uuid != NULL)
		uuid_copy(ret_uuid, job.req.uuid);
	daos_prop_free(prop);
	d_rank_list_free(ranks);
}

void
tc_pool_create(struct testcluster *tc, const char *label, uuid_t ret_uuid)
{
	tc_pool_create_sized(tc, label, 0, 0, ret_uuid);
}

static MAY_YIELD int
destroy_ult(void *arg)
{
	struct pool_job *job = arg;

	return pool_destroy(dss_engine(), job->req.uuid, job->req.ranks, job->req.svc_ranks, true, true);
}

void
tc_pool_destroy(struct testcluster *tc, const char *label)
{
	d_rank_list_t  *ranks = all_ranks(tc);
	d_rank_list_t   svc   = {.rl_ranks = ranks->rl_ranks, .rl_nr = 1};
	struct pool_job job   = {.tc = tc, .req = {.ranks = ranks, .svc_ranks = &svc}};
	int             at    = 0;

	while (at < TC_POOLS_MAX && strcmp(tc->pools[at].label, label) != 0)
		at++;
	assert_in_range(at, 0, TC_POOLS_MAX - 1);
	uuid_copy(job.req.uuid, tc->pools[at].uuid);
	assert_int_equal(dss_ult_execute(tc->engines[0].eng, DSS_TAG_SYS, destroy_ult, &job), 0);
	pthread_mutex_lock(&tc->lock);
	tc->pools[at].label[0] = '\0';
	pthread_mutex_unlock(&tc->lock);
	d_rank_list_free(ranks);
}

/* ---- clients ---- */

static const struct client_attr *
client_attr_over(struct testcluster *tc, uint32_t net)
{
	assert_in_range(net, 0, tc->net_nr - 1);
	tc->client_attr = (struct client_attr){.sys_name   = "daos_server",
					       .modules    = tc_client_modules,
					       .module_nr  = ARRAY_NR(tc_client_modules),
					       .provider   = tc->opts.provider,
					       .interface  = tc->opts.interface,
					       .world      = tc->nets[net].world,
					       .members    = tc->nets[net].members,
					       .member_nr  = tc->member_nr,
					       .ms_ranks   = &tc->ms_rank,
					       .ms_rank_nr = 1,
					       .cred       = &tc->cred};
	return &tc->client_attr;
}

const struct client_attr *
tc_client_attr(struct testcluster *tc)
{
	return client_attr_over(tc, 0);
}

struct client *
tc_client_start(struct testcluster *tc)
{
	return tc_client_start_over(tc, 0);
}

struct client *
tc_client_start_over(struct testcluster *tc, uint32_t net)
{
	struct client *cl = NULL;
	int            at = 0;

	pthread_mutex_lock(&tc->lock);
	assert_int_equal(client_create(client_attr_over(tc, net), &cl), 0);
	while (tc->clients[at] != NULL)
		at++;
	assert_in_range(at, 0, TC_CLIENTS_MAX - 1);
	tc->clients[at]     = cl;
	tc->client_nets[at] = net;
	pthread_mutex_unlock(&tc->lock);
	client_set_current(cl);
	return cl;
}

void
tc_client_stop(struct testcluster *tc, struct client *cl)
{
	if (client_current() == cl)
		client_set_current(NULL);
	pthread_mutex_lock(&tc->lock);
	for (int i = 0; i < TC_CLIENTS_MAX; i++)
		if (tc->clients[i] == cl)
			tc->clients[i] = NULL;
	pthread_mutex_unlock(&tc->lock);
	client_destroy(cl);
}
