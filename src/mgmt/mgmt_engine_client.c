/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Clients inside an engine.
 *
 * Invariants:
 *  1. A client on the list has the engine's group or a newer one is being set: whoever changes the
 *     group hands it on (group_changed), in its own thread.
 *  2. A client is freed under `ending`, by who closes it, after it left the list.
 *  3. `attached` of an xstream is changed on that xstream; who attaches looks at `canceled` after it
 *     has set it, who cancels the other way round: one of the two sees the other.
 */
#define D_LOGFAC LOG_FAC_MGMT
#include <daos_errno.h>
#include <stdatomic.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "mgmt/mgmt_engine_client.h"
#include "mgmt/mgmt_internal.h"
#include "na/na.h"
#include "platform/platform.h"

#define RETRY_NS (10 * NSEC_PER_MSEC)

struct mgmt_client {
	d_list_t       link; /* mgmt_clients.list */
	struct client *cl;
	_Atomic bool   canceled;
	_Atomic bool   attached[]; /* [dss_xs_nr()] */
};

/* ---- the engine's group ---- */

struct group {
	uint32_t           version, nr;
	struct crt_member *v; /* [nr], and the URIs behind them */
};

/** Not older than the version it says: that is read first. */
static int
group_copy(struct crt *crt, struct group *ret_group)
{
	struct group   g = {.version = crt_group_version(crt)};
	d_rank_list_t *ranks;
	char          *uri;
	int            rc = crt_group_ranks(crt, &ranks);

	if (rc != 0)
		return rc;
	g.v = calloc(1, (ranks->rl_nr + 1) * (sizeof(*g.v) + NA_URI_BYTES_MAX));
	if (g.v == NULL) {
		d_rank_list_free(ranks);
		return -DER_NOMEM;
	}
	uri = (char *)(g.v + ranks->rl_nr + 1);
	for (uint32_t i = 0; i < ranks->rl_nr; i++) {
		if (crt_group_uri(crt, ranks->rl_ranks[i], uri, NA_URI_BYTES_MAX) != 0)
			continue; /* it left just now */
		g.v[g.nr++] = (struct crt_member){.rank = ranks->rl_ranks[i], .uri = uri};
		uri += NA_URI_BYTES_MAX;
	}
	d_rank_list_free(ranks);
	*ret_group = g;
	return 0;
}

static void
client_follow(struct client *cl, const struct group *g)
{
	int rc = client_members_set(cl, g->version, g->nr, g->v);

	if (rc != 0 && rc != -DER_GRPVER)
		D_ERROR("a client inside the engine misses group version %u, it cannot reach who is new: " DF_RC, g->version,
			DP_RC(rc));
}

static void
group_changed(struct crt *crt, void *arg)
{
	struct mgmt_clients *clients = arg;
	struct mgmt_client  *mc;
	struct group         g = {0};
	int                  rc = 0;

	pthread_mutex_lock(&clients->lock);
	if (!d_list_empty(&clients->list))
		rc = group_copy(crt, &g);
	if (rc != 0)
		D_ERROR("clients inside the engine miss a change of the group: " DF_RC, DP_RC(rc));
	d_list_for_each(mc, &clients->list, link) {
		if (rc == 0)
			client_follow(mc->cl, &g);
	}
	pthread_mutex_unlock(&clients->lock);
	free(g.v);
}

/* ---- opening ---- */

/** Making and freeing a client opens and closes the network, which may take a while: on a helper thread. */
struct make_job {
	struct client_attr attr;
	struct client     *cl;
};

static int
make_offloaded(void *arg)
{
	struct make_job *job = arg;

	return client_create(&job->attr, &job->cl);
}

static int
free_offloaded(void *arg)
{
	client_destroy(arg);
	return 0;
}

MAY_YIELD static int
client_make(struct engine *eng, const struct dc_module *const *modules, uint32_t nr, const d_iov_t *cred,
	    struct client **ret_cl)
{
	const struct crt_attr *fabric = dss_fabric(eng);
	d_rank_t               self = crt_rank_self(dss_crt(eng)); /* it is asked where pools are */
	struct group           g;
	struct make_job        job = {.attr = {.sys_name = dss_sys_name(eng),
					       .modules = modules,
					       .module_nr = nr,
					       .provider = fabric->provider,
					       .interface = fabric->interface,
					       .domain = fabric->domain,
					       .world = fabric->world,
					       .timeout_s = fabric->timeout_s,
					       .ctx_nr_max = dss_xs_nr(eng),
					       .ms_ranks = &self,
					       .ms_rank_nr = 1,
					       .cred = cred}};
	int                    rc = group_copy(dss_crt(eng), &g);

	if (rc != 0)
		return rc;
	job.attr.group_version = g.version;
	job.attr.members = g.v;
	job.attr.member_nr = g.nr;
	rc = ult_offload(make_offloaded, &job);
	free(g.v);
	if (rc == 0)
		*ret_cl = job.cl;
	return rc;
}

/** Under the lock. */
static int
state_error(const struct mgmt_clients *clients)
{
	switch (clients->state) {
	case MGMT_CLIENTS_EARLY:
		return -DER_UNINIT;
	case MGMT_CLIENTS_ENDED:
		return -DER_SHUTDOWN;
	default:
		return crt_rank_self(dss_crt(clients->eng)) == CRT_NO_RANK ||
			       crt_group_version(dss_crt(clients->eng)) == 0 ? -DER_UNINIT : 0;
	}
}

static int
may_open(struct mgmt_clients *clients)
{
	int rc;

	pthread_mutex_lock(&clients->lock);
	rc = state_error(clients);
	pthread_mutex_unlock(&clients->lock);
	return rc;
}

/** Put it on the list, unless the engine has begun to stop. Then it is told what changed since client_make(). */
static int
client_enlist(struct mgmt_clients *clients, struct mgmt_client *mc)
{
	struct group g = {0};
	int          rc;

	pthread_mutex_lock(&clients->lock);
	rc = state_error(clients);
	if (rc == 0)
		rc = group_copy(dss_crt(clients->eng), &g);
	if (rc == 0) {
		client_follow(mc->cl, &g);
		d_list_add_tail(&mc->link, &clients->list);
		clients->nr++;
	}
	pthread_mutex_unlock(&clients->lock);
	free(g.v);
	return rc;
}

MAY_YIELD static int
own_cred(struct engine *eng, d_iov_t *ret_cred)
{
	struct mgmt *mgmt = mgmt_of(eng);

	return mgmt->resolver->own_cred == NULL ? -DER_NOSYS
						: mgmt->resolver->own_cred(eng, mgmt->resolver_arg, ret_cred);
}

MAY_YIELD int
ds_mgmt_client_open(struct engine *eng, const struct dc_module *const *modules, uint32_t nr, struct client **ret_cl)
{
	struct mgmt_clients *clients = &mgmt_of(eng)->clients;
	struct mgmt_client  *mc = calloc(1, sizeof(*mc) + dss_xs_nr(eng) * sizeof(mc->attached[0]));
	d_iov_t              cred = {0};
	int                  rc = mc == NULL ? -DER_NOMEM : may_open(clients);

	if (rc == 0)
		rc = own_cred(eng, &cred);
	if (rc == 0)
		rc = client_make(eng, modules, nr, &cred, &mc->cl);
	free(cred.iov_buf);
	if (rc != 0)
		goto out_free;
	rc = client_enlist(clients, mc);
	if (rc != 0)
		goto out_client;
	*ret_cl = mc->cl;
	return 0;

out_client:
	(void)ult_offload(free_offloaded, mc->cl);
out_free:
	free(mc);
	return rc;
}

/* ---- xstreams ---- */

/** Of the calling ULT's engine. */
static struct mgmt_client *
client_find(struct client *cl)
{
	struct mgmt_clients *clients = &mgmt_of(dss_engine())->clients;
	struct mgmt_client  *mc, *found = NULL;

	pthread_mutex_lock(&clients->lock);
	d_list_for_each(mc, &clients->list, link) {
		if (mc->cl == cl)
			found = mc;
	}
	pthread_mutex_unlock(&clients->lock);
	D_ASSERT(found != NULL);
	return found;
}

static void
detach_here(struct mgmt_client *mc)
{
	uint32_t id = dss_self()->dx_id;

	if (!atomic_load(&mc->attached[id]))
		return;
	client_set_current(NULL);
	client_xs_detach(mc->cl);
	atomic_store(&mc->attached[id], false);
}

int
ds_mgmt_client_attach(struct client *cl)
{
	struct mgmt_client *mc = client_find(cl);
	int                 rc;

	if (atomic_load(&mc->attached[dss_self()->dx_id]))
		return -DER_EXIST;
	if (client_current() != NULL)
		return -DER_BUSY;
	rc = client_xs_attach(cl);
	if (rc != 0)
		return rc;
	client_set_current(cl);
	atomic_store(&mc->attached[dss_self()->dx_id], true);
	if (!atomic_load(&mc->canceled))
		return 0;
	detach_here(mc);
	return -DER_CANCELED;
}

void
ds_mgmt_client_detach(struct client *cl)
{
	detach_here(client_find(cl));
}

static int
detach_there(void *arg)
{
	detach_here(arg);
	return 0;
}

static int
cancel_there(void *arg)
{
	client_xs_cancel(((struct mgmt_client *)arg)->cl);
	return 0;
}

/** Where it is attached. A ULT needs memory: there is no going on without. */
MAY_YIELD static void
everywhere(struct engine *eng, struct mgmt_client *mc, int (*fn)(void *arg))
{
	for (uint32_t id = 0; id < dss_xs_nr(eng); id++) {
		while (atomic_load(&mc->attached[id]) && dss_ult_execute(eng, id, fn, mc) != 0)
			ult_sleep_ns(RETRY_NS);
	}
}

/* ---- ending ---- */

MAY_YIELD static void
client_cancel(struct engine *eng, struct mgmt_client *mc)
{
	atomic_store(&mc->canceled, true);
	everywhere(eng, mc, cancel_there);
}

MAY_YIELD void
ds_mgmt_client_cancel(struct client *cl)
{
	struct engine       *eng = dss_engine();
	struct mgmt_clients *clients = &mgmt_of(eng)->clients;

	ult_mutex_lock(&clients->ending);
	client_cancel(eng, client_find(cl));
	ult_mutex_unlock(&clients->ending);
}

static void
client_leave(struct mgmt_clients *clients, struct mgmt_client *mc)
{
	pthread_mutex_lock(&clients->lock);
	d_list_del(&mc->link);
	pthread_mutex_unlock(&clients->lock);
}

/** The last step of a close: who waits may free `clients` then. */
static void
clients_count_down(struct mgmt_clients *clients)
{
	pthread_mutex_lock(&clients->lock);
	clients->nr--;
	if (clients->gone != NULL && clients->nr == 0) {
		ult_eventual_set(clients->gone, 0);
		clients->gone = NULL;
	}
	pthread_mutex_unlock(&clients->lock);
}

MAY_YIELD void
ds_mgmt_client_close(struct client *cl)
{
	struct engine       *eng = dss_engine();
	struct mgmt_clients *clients = &mgmt_of(eng)->clients;
	struct mgmt_client  *mc;

	ult_mutex_lock(&clients->ending);
	mc = client_find(cl);
	everywhere(eng, mc, detach_there);
	client_leave(clients, mc);
	(void)ult_offload(free_offloaded, cl);
	free(mc);
	ult_mutex_unlock(&clients->ending);
	clients_count_down(clients);
}

/* ---- with the module ---- */

void
mgmt_clients_init(struct mgmt_clients *clients, struct engine *eng)
{
	clients->eng = eng;
	pthread_mutex_init(&clients->lock, NULL);
	d_list_init(&clients->list);
	ult_mutex_init(&clients->ending);
	crt_group_set_cb(dss_crt(eng), group_changed, clients);
}

void
mgmt_clients_allow(struct mgmt_clients *clients)
{
	pthread_mutex_lock(&clients->lock);
	if (clients->state == MGMT_CLIENTS_EARLY)
		clients->state = MGMT_CLIENTS_ALLOWED;
	pthread_mutex_unlock(&clients->lock);
}

static struct mgmt_client *
next_to_cancel(struct mgmt_clients *clients)
{
	struct mgmt_client *mc, *found = NULL;

	pthread_mutex_lock(&clients->lock);
	d_list_for_each(mc, &clients->list, link) {
		if (!atomic_load(&mc->canceled))
			found = mc;
	}
	pthread_mutex_unlock(&clients->lock);
	return found;
}

MAY_YIELD void
mgmt_clients_end(struct mgmt_clients *clients)
{
	struct ult_eventual gone;
	struct mgmt_client *mc;
	bool                wait;

	pthread_mutex_lock(&clients->lock);
	clients->state = MGMT_CLIENTS_ENDED;
	pthread_mutex_unlock(&clients->lock);
	ult_mutex_lock(&clients->ending);
	while ((mc = next_to_cancel(clients)) != NULL)
		client_cancel(clients->eng, mc);
	ult_mutex_unlock(&clients->ending);
	ult_eventual_init(&gone);
	pthread_mutex_lock(&clients->lock);
	wait = clients->nr > 0;
	if (wait)
		clients->gone = &gone;
	pthread_mutex_unlock(&clients->lock);
	if (!wait)
		return;
	D_NOTE("stopping waits for clients inside the engine to be closed");
	(void)ult_eventual_wait(&gone);
}

void
mgmt_clients_fini(struct mgmt_clients *clients)
{
	crt_group_set_cb(dss_crt(clients->eng), NULL, NULL);
	pthread_mutex_lock(&clients->lock); /* who closed the last one has let go of it */
	D_ASSERT(clients->nr == 0);
	pthread_mutex_unlock(&clients->lock);
	pthread_mutex_destroy(&clients->lock);
}
