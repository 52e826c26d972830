/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Clients: attaching to a system and ending; the default one of the process.
 *
 * When ranks cannot be reached, what the agent told may be out of date (an engine came back on
 * another port): client_refresh() asks again, on a thread of its own since the agent may take
 * seconds to answer, at most once a second.
 */
#define D_LOGFAC LOG_FAC_CLIENT
#include <stdlib.h>
#include <unistd.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "dc/dc_internal.h"

#define AGENT_DIR_DEFAULT "/var/run/daos_agent"
#define AGENT_SOCK_NAME	  "daos_agent.sock"
#define SYS_NAME_DEFAULT  "daos_server"

/* ---- attaching ---- */

static int
sock_path_set(struct client *cl, const char *dir)
{
	int len;

	if (dir == NULL)
		dir = getenv("DAOS_AGENT_DRPC_DIR");
	if (dir == NULL || dir[0] == '\0')
		dir = AGENT_DIR_DEFAULT;
	len = snprintf(cl->sock_path, sizeof(cl->sock_path), "%s/%s", dir, AGENT_SOCK_NAME);
	if (len < (int)sizeof(cl->sock_path))
		return 0;
	D_ERROR("the agent's directory '%s' is too long for a socket: at most %zu characters\n",
		dir, sizeof(cl->sock_path) - sizeof(AGENT_SOCK_NAME) - 1);
	return -DER_INVAL;
}

static int
client_attach(struct client *cl, const struct client_attr *attr)
{
	const char *sys = attr->sys_name == NULL ? SYS_NAME_DEFAULT : attr->sys_name;
	int	    rc;

	if (strlen(sys) > DAOS_SYS_NAME_MAX)
		return -DER_INVAL;
	memcpy(cl->want_sys, sys, strlen(sys) + 1);
	if (attr->cred != NULL && attr->cred->iov_len > 0) {
		rc = dc_cred_copy(attr->cred, &cl->cred);
		if (rc != 0)
			return rc;
	}
	if (attr->provider != NULL)
		return dc_attach_from_attr(attr, &cl->att);
	rc = sock_path_set(cl, attr->agent_dir);
	if (rc != 0)
		return rc;
	cl->refreshed_ns = plat_now_ns();
	return dc_attach_get(cl->sock_path, cl->want_sys, &cl->att);
}

static int
client_net_init(struct client *cl, struct na_self_world *world)
{
	struct crt_attr cattr = {.provider = cl->att->provider,
				 .interface = cl->att->interface,
				 .domain = cl->att->domain[0] == '\0' ? NULL : cl->att->domain,
				 .server = false,
				 .timeout_s = cl->att->timeout_s,
				 .ctx_nr_max = cl->att->ctx_nr_max,
				 .world = world};
	int		rc;

	rc = crt_init(&cattr, &cl->crt);
	if (rc != 0) {
		D_ERROR("no network: provider '%s', interface '%s', " DF_RC
			"; see 'daos_agent net-scan'\n",
			cl->att->provider, cl->att->interface, DP_RC(rc));
		return rc;
	}
	rc = crt_group_set(cl->crt, MAX_OF(cl->att->map_version, 1u), cl->att->member_nr,
			   cl->att->members);
	if (rc != 0)
		crt_fini(cl->crt);
	return rc;
}

static void
client_modules_fini(struct client *cl)
{
	while (cl->module_up_nr > 0) {
		const struct dc_module *mod = cl->modules[--cl->module_up_nr];

		if (mod->dm_fini != NULL)
			mod->dm_fini(cl);
	}
}

static int
client_modules_init(struct client *cl)
{
	int rc = 0;

	while (rc == 0 && cl->module_up_nr < cl->module_nr) {
		const struct dc_module *mod = cl->modules[cl->module_up_nr];

		if (mod->dm_proto != NULL)
			rc = crt_proto_register(cl->crt, mod->dm_proto);
		if (rc == 0 && mod->dm_init != NULL)
			rc = mod->dm_init(cl);
		if (rc != 0)
			D_ERROR("client module %s does not start: " DF_RC "\n", mod->dm_name,
				DP_RC(rc));
		else
			cl->module_up_nr++;
	}
	if (rc != 0)
		client_modules_fini(cl);
	return rc;
}

static struct client *
client_alloc(const struct client_attr *attr)
{
	struct client *cl = calloc(1, sizeof(*cl));

	if (cl == NULL)
		return NULL;
	cl->id = plat_random() | 1;
	cl->modules = attr->modules;
	cl->module_nr = attr->module_nr;
	cl->sync_ctx_nr_max = DC_SYNC_CTX_NR_MAX;
	if (attr->sync_ctx_nr_max != 0)
		cl->sync_ctx_nr_max = MIN_OF(attr->sync_ctx_nr_max, (uint32_t)DC_SYNC_CTX_NR_MAX);
	pthread_mutex_init(&cl->lock, NULL);
	d_list_init(&cl->eqs);
	d_list_init(&cl->xs_ctxs);
	d_hdl_table_init(&cl->hdls);
	return cl;
}

static void
client_free(struct client *cl)
{
	uint32_t left = d_hdl_table_fini(&cl->hdls);

	if (left > 0)
		D_NOTE("%u handles were still open\n", left);
	dc_attach_free(cl->att);
	free(cl->cred.iov_buf);
	pthread_mutex_destroy(&cl->lock);
	free(cl);
}

int
client_create(const struct client_attr *attr, struct client **ret_cl)
{
	struct client *cl;
	int	       rc;

	cl = client_alloc(attr);
	if (cl == NULL)
		return -DER_NOMEM;
	rc = client_attach(cl, attr);
	if (rc == 0)
		rc = client_net_init(cl, attr->world);
	if (rc != 0)
		goto out_free;
	rc = client_modules_init(cl);
	if (rc != 0)
		goto out_crt;
	*ret_cl = cl;
	return 0;

out_crt:
	crt_fini(cl->crt);
out_free:
	client_free(cl);
	return rc;
}

void
client_destroy(struct client *cl)
{
	struct plat_thread *refresher;

	if (cl == NULL)
		return;
	pthread_mutex_lock(&cl->lock);
	refresher = cl->refresher;
	cl->refresher = NULL;
	pthread_mutex_unlock(&cl->lock);
	if (refresher != NULL)
		plat_thread_join(refresher);
	dc_eqs_close(cl, NULL);
	D_ASSERT(d_list_empty(&cl->xs_ctxs)); /* xstreams detach before the client ends */
	for (uint32_t i = 0; i < cl->sync_ctx_nr_max; i++)
		dc_ctx_destroy(cl->sync_ctxs[i]);
	client_modules_fini(cl);
	crt_fini(cl->crt);
	client_free(cl);
}

/* ---- asking the agent again ---- */

static void
refresh_run(void *arg)
{
	struct client	 *cl = arg;
	struct dc_attach *att = NULL, *old = NULL;
	int		  rc;

	rc = dc_attach_get(cl->sock_path, cl->want_sys, &att);
	if (rc == 0)
		rc = crt_group_set(cl->crt, MAX_OF(att->map_version, 1u), att->member_nr,
				   att->members);
	pthread_mutex_lock(&cl->lock);
	if (att != NULL) {
		old = cl->att;
		cl->att = att;
	}
	cl->refreshed_ns = plat_now_ns();
	cl->refreshing = false;
	pthread_mutex_unlock(&cl->lock);
	dc_attach_free(old);
	if (rc != 0 && rc != -DER_GRPVER)
		D_WARN("the list of ranks stays as it was: " DF_RC "\n", DP_RC(rc));
}

void
client_refresh(struct client *cl)
{
	struct plat_thread *done = NULL;

	if (cl->sock_path[0] == '\0')
		return;
	pthread_mutex_lock(&cl->lock);
	if (!cl->refreshing && plat_now_ns() - cl->refreshed_ns >= DC_REFRESH_PAUSE_NS) {
		done = cl->refresher; /* has ended: refreshing is clear */
		cl->refresher = NULL;
		cl->refreshing = true;
		if (plat_thread_create("daos_attach", refresh_run, cl, &cl->refresher) != 0)
			cl->refreshing = false;
	}
	pthread_mutex_unlock(&cl->lock);
	if (done != NULL)
		plat_thread_join(done);
}

int
client_members_set(struct client *cl, uint32_t version, uint32_t nr, const struct crt_member *members)
{
	int rc = 0;

	pthread_mutex_lock(&cl->lock);
	if (version < crt_group_version(cl->crt))
		rc = -DER_GRPVER;
	if (rc == 0)
		rc = dc_attach_set_members(cl->att, nr, members);
	pthread_mutex_unlock(&cl->lock);
	return rc != 0 ? rc : crt_group_set(cl->crt, version, nr, members);
}

/* ---- what others ask ---- */

struct crt *
client_crt(struct client *cl)
{
	return cl->crt;
}

struct hlc *
client_hlc(struct client *cl)
{
	return crt_hlc(cl->crt);
}

const char *
client_sys_name(struct client *cl)
{
	return cl->want_sys;
}

int
client_ms_ranks(struct client *cl, d_rank_list_t **ret_ranks)
{
	int rc;

	pthread_mutex_lock(&cl->lock);
	rc = d_rank_list_dup(cl->att->ms_ranks, ret_ranks);
	pthread_mutex_unlock(&cl->lock);
	return rc;
}

void *
client_module_data(struct client *cl, enum crt_mod_id mod)
{
	D_ASSERT((uint32_t)mod < DC_MODULE_NR);
	return cl->module_data[mod];
}

void
client_module_set_data(struct client *cl, enum crt_mod_id mod, void *data)
{
	D_ASSERT((uint32_t)mod < DC_MODULE_NR);
	cl->module_data[mod] = data;
}

int
dc_hdl_insert(struct client *cl, struct d_hlink *hlink, daos_handle_t *ret_hdl)
{
	return d_hdl_insert(&cl->hdls, hlink, &ret_hdl->cookie);
}

struct d_hlink *
dc_hdl_lookup(struct client *cl, daos_handle_t hdl, uint8_t htype)
{
	return d_hdl_lookup(&cl->hdls, hdl.cookie, htype);
}

int
dc_hdl_delete(struct client *cl, daos_handle_t hdl, uint8_t htype)
{
	return d_hdl_delete(&cl->hdls, hdl.cookie, htype);
}

/* ---- the default client: state of the public API ---- */

static pthread_mutex_t	       default_lock = PTHREAD_MUTEX_INITIALIZER;
static struct client	      *default_client;
static uint32_t		       default_ref;
static __thread struct client *thread_client;

struct client *
client_current(void)
{
	if (thread_client != NULL)
		return thread_client;
	return __atomic_load_n(&default_client, __ATOMIC_ACQUIRE);
}

void
client_set_current(struct client *cl)
{
	thread_client = cl;
}

int
client_default_init(const struct client_attr *attr)
{
	struct client *cl;
	int	       rc = 0;

	pthread_mutex_lock(&default_lock);
	if (default_ref == 0)
		rc = client_create(attr, &cl);
	if (rc == 0) {
		if (default_ref++ == 0)
			__atomic_store_n(&default_client, cl, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&default_lock);
	return rc;
}

int
client_default_fini(void)
{
	struct client *cl = NULL;
	int	       rc = 0;

	pthread_mutex_lock(&default_lock);
	if (default_ref == 0)
		rc = -DER_UNINIT;
	else if (--default_ref == 0)
		cl = __atomic_exchange_n(&default_client, NULL, __ATOMIC_ACQ_REL);
	pthread_mutex_unlock(&default_lock);
	client_destroy(cl);
	return rc;
}

int
client_default_reinit(const struct client_attr *attr)
{
	struct client *cl;
	int	       rc;

	/* the lock may have been held by a thread the child does not have */
	pthread_mutex_init(&default_lock, NULL);
	if (default_ref == 0)
		return -DER_UNINIT;
	rc = client_create(attr, &cl);
	if (rc == 0) {
		__atomic_store_n(&default_client, cl, __ATOMIC_RELEASE);
		thread_client = NULL;
	}
	return rc;
}
