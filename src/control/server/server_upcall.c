/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What engines ask, over <socket_dir>/daos_server.sock: they are ready, who serves a pool, whether a
 * credential is genuine. One thread; questions for the MS on another host go out from it.
 */
#include <daos_errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/common/ctl_cred.h"
#include "control/server/server.h"
#include "control/server/server_db.h"

static void
reply_status(struct drpc_request *req, int status)
{
	Mgmt__DaosResp resp = MGMT__DAOS_RESP__INIT;

	resp.status = status;
	drpc_reply_msg(req, &resp.base);
}

static void
on_ready(struct server *srv, struct drpc_request *req)
{
	Mgmt__NotifyReadyReq *msg = mgmt__notify_ready_req__unpack(NULL, req->body_bytes, req->body);
	int                   rc;

	if (msg == NULL) {
		drpc_reply(req, DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD, NULL, 0);
		return;
	}
	pthread_mutex_lock(&srv->lock);
	rc = server_engine_ready(srv, msg);
	pthread_mutex_unlock(&srv->lock);
	mgmt__notify_ready_req__free_unpacked(msg, NULL);
	reply_status(req, rc);
}

/** @id label or UUID. */
static void
find_pool(struct server *srv, struct drpc_request *req, const char *id)
{
	Mgmt__GetPoolSvcResp resp = MGMT__GET_POOL_SVC_RESP__INIT;
	struct answer        a = {0};
	json_t              *ask = json_pack("{s:s}", "id", id), *reps;
	uint32_t             ranks[64];
	size_t               i;

	resp.status = ask ? server_ms_call(srv, "pool/find", ask, &a) : -DER_NOMEM;
	json_decref(ask);
	if (resp.status == 0) {
		reps = json_object_get(a.response, "svc_reps");
		resp.uuid = (char *)db_str(a.response, "uuid");
		resp.n_svc_reps = MIN_OF(json_array_size(reps), ARRAY_NR(ranks));
		for (i = 0; i < resp.n_svc_reps; i++)
			ranks[i] = (uint32_t)json_integer_value(json_array_get(reps, i));
		resp.svc_reps = ranks;
	}
	drpc_reply_msg(req, &resp.base);
	json_decref(a.response);
}

static void
on_pool_svc(struct server *srv, struct drpc_request *req)
{
	Mgmt__GetPoolSvcReq *msg = mgmt__get_pool_svc_req__unpack(NULL, req->body_bytes, req->body);

	if (msg == NULL) {
		drpc_reply(req, DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD, NULL, 0);
		return;
	}
	find_pool(srv, req, msg->uuid);
	mgmt__get_pool_svc_req__free_unpacked(msg, NULL);
}

static void
on_pool_label(struct server *srv, struct drpc_request *req)
{
	Mgmt__PoolFindByLabelReq *msg = mgmt__pool_find_by_label_req__unpack(NULL, req->body_bytes, req->body);

	if (msg == NULL) {
		drpc_reply(req, DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD, NULL, 0);
		return;
	}
	find_pool(srv, req, msg->label);
	mgmt__pool_find_by_label_req__free_unpacked(msg, NULL);
}

static void
on_list_pools(struct server *srv, struct drpc_request *req)
{
	Mgmt__ListPoolsResp  resp = MGMT__LIST_POOLS_RESP__INIT;
	struct answer        a = {0};
	json_t              *ask = json_pack("{s:b}", "no_query", 1), *pools, *reps;
	Mgmt__ListPoolsResp__Pool *all = NULL, **ptrs = NULL;
	uint32_t             ranks[64];
	size_t               i, k;

	resp.status = server_ms_call(srv, "pool/find", ask, &a);
	json_decref(ask);
	pools = json_object_get(a.response, "pools");
	all = calloc(json_array_size(pools) + 1, sizeof(*all));
	ptrs = calloc(json_array_size(pools) + 1, sizeof(*ptrs));
	for (i = 0; resp.status == 0 && all != NULL && ptrs != NULL && i < json_array_size(pools); i++) {
		const json_t *p = json_array_get(pools, i);

		mgmt__list_pools_resp__pool__init(&all[i]);
		all[i].uuid = (char *)db_str(p, "uuid");
		all[i].label = (char *)db_str(p, "label");
		reps = json_object_get(p, "svc_reps");
		all[i].n_svc_reps = MIN_OF(json_array_size(reps), ARRAY_NR(ranks));
		all[i].svc_reps = calloc(all[i].n_svc_reps + 1, sizeof(uint32_t));
		for (k = 0; all[i].svc_reps != NULL && k < all[i].n_svc_reps; k++)
			all[i].svc_reps[k] = (uint32_t)json_integer_value(json_array_get(reps, k));
		ptrs[i] = &all[i];
		resp.n_pools = i + 1;
	}
	resp.pools = ptrs;
	drpc_reply_msg(req, &resp.base);
	for (i = 0; i < resp.n_pools; i++)
		free(all[i].svc_reps);
	free(all);
	free(ptrs);
	json_decref(a.response);
}

/** A credential is genuine when a certificate of our CA signed it (ctl_cred_check()); unsigned ones pass when insecure is allowed. */
static void
on_validate(struct server *srv, struct drpc_request *req)
{
	Auth__ValidateCredReq *msg = auth__validate_cred_req__unpack(NULL, req->body_bytes, req->body);
	Auth__ValidateCredResp resp = AUTH__VALIDATE_CRED_RESP__INIT;

	if (msg == NULL || msg->cred == NULL || msg->cred->token == NULL) {
		if (msg != NULL)
			auth__validate_cred_req__free_unpacked(msg, NULL);
		drpc_reply(req, DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD, NULL, 0);
		return;
	}
	if (!srv->cfg->transport_config.allow_insecure)
		resp.status = ctl_cred_check(msg->cred, srv->http_ca, geteuid());
	if (resp.status == 0)
		resp.token = msg->cred->token;
	drpc_reply_msg(req, &resp.base);
	auth__validate_cred_req__free_unpacked(msg, NULL);
}

/** An engine is to be a client: it is the user it runs as, which is ours. The socket lets nobody else ask. */
static void
on_engine_creds(struct server *srv, struct drpc_request *req)
{
	struct ctl_cred_maker maker = {.host = srv->addr, .origin = "server"};

	if (!srv->cfg->transport_config.allow_insecure) {
		maker.key_pem = srv->http_key;
		maker.cert_pem = srv->http_cert;
	}
	ctl_cred_reply(req, geteuid(), getegid(), &maker);
}

/** Tell the management service that a rank is dead. */
static int
report_dead(struct server *srv, const Mgmt__ClusterEventReq *msg)
{
	struct answer a = {0};
	json_t       *ask = json_pack("{s:I, s:I, s:I}", "rank", (json_int_t)msg->rank, "by", (json_int_t)msg->reporter,
				      "incarnation", (json_int_t)msg->incarnation);
	int           rc = ask != NULL ? server_ms_call(srv, "system/dead", ask, &a) : -DER_NOMEM;

	json_decref(ask);
	json_decref(a.response);
	return rc;
}

static void
on_event(struct server *srv, struct drpc_request *req)
{
	Mgmt__ClusterEventReq *msg = mgmt__cluster_event_req__unpack(NULL, req->body_bytes, req->body);
	int                    rc = 0;

	if (msg == NULL) {
		drpc_reply(req, DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD, NULL, 0);
		return;
	}
	server_say("event %s from rank %u: %s", msg->id, msg->reporter, msg->msg);
	if (strcmp(msg->id, "swim_rank_dead") == 0)
		rc = report_dead(srv, msg);
	mgmt__cluster_event_req__free_unpacked(msg, NULL);
	reply_status(req, rc);
}

static const struct {
	int   module, method;
	void (*run)(struct server *srv, struct drpc_request *req);
} upcalls[] = {
    {DRPC_MODULE_SRV, DRPC_METHOD_SRV_NOTIFY_READY, on_ready},
    {DRPC_MODULE_SRV, DRPC_METHOD_SRV_GET_POOL_SVC, on_pool_svc},
    {DRPC_MODULE_SRV, DRPC_METHOD_SRV_POOL_FIND_BYLABEL, on_pool_label},
    {DRPC_MODULE_SRV, DRPC_METHOD_SRV_LIST_POOLS, on_list_pools},
    {DRPC_MODULE_SRV, DRPC_METHOD_SRV_CLUSTER_EVENT, on_event},
    {DRPC_MODULE_SEC, DRPC_METHOD_SEC_VALIDATE_CREDS, on_validate},
    {DRPC_MODULE_SEC, DRPC_METHOD_SEC_ENGINE_CREDS, on_engine_creds},
};

static void
dispatch(struct drpc_request *req, void *arg)
{
	size_t i;
	bool   module = false;

	for (i = 0; i < ARRAY_NR(upcalls); i++) {
		module = module || upcalls[i].module == req->module;
		if (upcalls[i].module == req->module && upcalls[i].method == req->method) {
			upcalls[i].run(arg, req);
			return;
		}
	}
	drpc_reply(req, module ? DRPC__STATUS__UNKNOWN_METHOD : DRPC__STATUS__UNKNOWN_MODULE, NULL, 0);
}

static void
upcall_thread(void *arg)
{
	struct server *srv = arg;
	struct pollfd  fds[2] = {{.fd = drpc_listener_fd(srv->listener), .events = POLLIN}, {.fd = srv->wake_fd, .events = POLLIN}};

	while (!(fds[1].revents & POLLIN)) {
		if (poll(fds, 2, -1) > 0 && (fds[0].revents & POLLIN))
			drpc_progress(srv->listener, 0);
	}
}

int
server_upcalls_start(struct server *srv)
{
	char path[4200];
	int  rc;

	snprintf(path, sizeof(path), "%s/daos_server.sock", srv->cfg->socket_dir);
	rc = drpc_listen(path, 0600, dispatch, srv, &srv->listener);
	if (rc != 0) {
		server_say("cannot listen on %s: %s; %s", path, d_errdesc(rc),
			   rc == -DER_ALREADY ? "another daos_server runs with this socket_dir" : "check socket_dir and its permissions");
		return rc;
	}
	srv->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (srv->wake_fd < 0)
		return -DER_NOMEM;
	return plat_thread_create("drpc", upcall_thread, srv, &srv->drpc_thread);
}

void
server_upcalls_stop(struct server *srv)
{
	if (srv->drpc_thread != NULL) {
		eventfd_write(srv->wake_fd, 1);
		plat_thread_join(srv->drpc_thread);
		srv->drpc_thread = NULL;
	}
	drpc_listener_close(srv->listener);
	srv->listener = NULL;
}
