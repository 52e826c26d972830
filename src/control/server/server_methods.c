/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The methods of the management API, who may call each, and those that only concern this host's processes. */
#include <daos_errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/common/cli.h"
#include "control/server/server.h"
#include "control/server/server_db.h"

void
server_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("daos_server: ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	va_end(ap);
}

int
answer_fail(struct answer *a, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->error, sizeof(a->error), fmt, ap);
	va_end(ap);
	a->status = status;
	return status;
}

static int
method_version(struct server *srv, json_t *req, struct answer *a)
{
	a->response = json_pack("{s:s, s:s}", "name", "DAOS Control Server", "version", CLI_VERSION);
	return 0;
}

/** Whether a rank of this host is among those asked for; an empty list is all. */
static bool
asked_for(const json_t *ranks, const struct server_engine *eng)
{
	json_t *r;
	size_t  i;

	json_array_foreach(ranks, i, r)
		if ((uint32_t)json_integer_value(r) == eng->rank)
			return true;
	return json_array_size(ranks) == 0;
}

static json_t *
rank_result(const struct server_engine *eng, const char *action, int rc, const char *msg)
{
	return json_pack("{s:s, s:I, s:s, s:b, s:s, s:s}", "addr", eng->srv->addr, "rank", (json_int_t)eng->rank, "action", action,
			 "errored", rc != 0, "msg", rc ? msg : "OK", "state", engine_state_name(eng->state));
}

static int
start_ranks(struct server *srv, json_t *req, struct answer *a)
{
	const json_t *ranks = json_object_get(req, "ranks");
	json_t       *results = json_array();
	uint32_t      i;
	int           rc;

	pthread_mutex_lock(&srv->lock);
	for (i = 0; i < srv->cfg->engines_count; i++)
		if (asked_for(ranks, &srv->engines[i]))
			server_engine_want(&srv->engines[i], true);
	pthread_mutex_unlock(&srv->lock);
	for (i = 0; i < srv->cfg->engines_count; i++) {
		struct server_engine *eng = &srv->engines[i];

		if (!asked_for(ranks, eng))
			continue;
		rc = server_engine_wait(eng, true, 60);
		json_array_append_new(results, rank_result(eng, "start", rc, eng->error[0] ? eng->error : d_errdesc(rc)));
	}
	a->response = json_pack("{s:o}", "results", results);
	return 0;
}

static int
stop_ranks(struct server *srv, json_t *req, struct answer *a)
{
	const json_t *ranks = json_object_get(req, "ranks");
	bool          force = json_is_true(json_object_get(req, "force"));
	json_t       *results = json_array();
	uint32_t      i;
	int           rc;

	pthread_mutex_lock(&srv->lock);
	for (i = 0; i < srv->cfg->engines_count; i++)
		if (asked_for(ranks, &srv->engines[i]))
			server_engine_want(&srv->engines[i], false);
	pthread_mutex_unlock(&srv->lock);
	for (i = 0; i < srv->cfg->engines_count; i++) {
		struct server_engine *eng = &srv->engines[i];

		if (!asked_for(ranks, eng))
			continue;
		rc = server_engine_wait(eng, false, force ? 5 : 60);
		if (rc != 0 && force) {
			pthread_mutex_lock(&srv->lock);
			server_engine_kill(eng);
			pthread_mutex_unlock(&srv->lock);
			rc = server_engine_wait(eng, false, 30);
		}
		json_array_append_new(results, rank_result(eng, "stop", rc, "did not stop in time; --force kills it"));
	}
	a->response = json_pack("{s:o}", "results", results);
	return 0;
}

static int
reset_format(struct server *srv, json_t *req, struct answer *a)
{
	json_t  *results = json_array();
	char     error[1024];
	uint32_t i;
	int      rc;

	for (i = 0; i < srv->cfg->engines_count; i++) {
		struct server_engine *eng = &srv->engines[i];
		uint32_t              rank = eng->rank;

		error[0] = '\0';
		rc = eng->pid != 0 ? -DER_BUSY : server_engine_erase(eng, error, sizeof(error));
		if (rc == -DER_BUSY)
			snprintf(error, sizeof(error), "engine runs: stop it first with `dmg system stop`");
		if (rc == 0) {
			pthread_mutex_lock(&srv->lock);
			eng->state = ENGINE_AWAIT_FORMAT;
			eng->want = true;
			pthread_mutex_unlock(&srv->lock);
		}
		json_array_append_new(results, json_pack("{s:s, s:I, s:s, s:b, s:s, s:s}", "addr", srv->addr, "rank", (json_int_t)rank,
							 "action", "reset format", "errored", rc != 0, "msg", rc ? error : "OK", "state",
							 engine_state_name(eng->state)));
	}
	a->response = json_pack("{s:o}", "results", results);
	return 0;
}

static int
set_logmasks(struct server *srv, json_t *req, struct answer *a)
{
	json_t  *results = json_array();
	uint32_t i;

	for (i = 0; i < srv->cfg->engines_count; i++) {
		struct server_engine  *eng = &srv->engines[i];
		Mgmt__SetLogMasksReq   msg = MGMT__SET_LOG_MASKS_REQ__INIT;
		Mgmt__SetLogMasksResp *resp = NULL;
		const char            *masks = json_string_value(json_object_get(req, "masks"));
		int                    rc;

		msg.masks = (char *)(masks ? masks : eng->cfg->log_mask ? eng->cfg->log_mask : "ERR");
		msg.streams = (char *)db_str(req, "streams");
		msg.subsystems = (char *)db_str(req, "subsystems");
		rc = server_engine_call(eng, DRPC_METHOD_MGMT_SET_LOG_MASKS, &msg.base, &mgmt__set_log_masks_resp__descriptor, 20,
					(ProtobufCMessage **)&resp);
		if (rc == 0)
			rc = resp->status;
		json_array_append_new(results, json_pack("{s:I, s:i, s:s}", "rank", (json_int_t)eng->rank, "status", rc, "masks",
							 rc == 0 && resp->masks ? resp->masks : ""));
		if (resp != NULL)
			mgmt__set_log_masks_resp__free_unpacked(resp, NULL);
	}
	a->response = json_pack("{s:o}", "results", results);
	return 0;
}

static const struct method {
	const char *name;
	unsigned    callers; /**< enum caller */
	bool        ms;      /**< answered by the management service */
	int       (*run)(struct server *srv, json_t *req, struct answer *a);
} methods[] = {
    {"host/server-version", CALLER_ADMIN | CALLER_SERVER, false, method_version},
    {"host/storage-scan", CALLER_ADMIN | CALLER_SERVER, false, method_storage_scan},
    {"host/storage-set-faulty", CALLER_ADMIN, false, method_storage_set_faulty},
    {"host/storage-pools", CALLER_ADMIN, false, method_storage_pools},
    {"host/storage-usage", CALLER_ADMIN, false, method_storage_usage},
    {"host/storage-format", CALLER_ADMIN, false, method_storage_format},
    {"host/network-scan", CALLER_ADMIN, false, method_network_scan},
    {"host/start-ranks", CALLER_ADMIN | CALLER_SERVER, false, start_ranks},
    {"host/stop-ranks", CALLER_ADMIN | CALLER_SERVER, false, stop_ranks},
    {"host/reset-format", CALLER_ADMIN | CALLER_SERVER, false, reset_format},
    {"host/set-logmasks", CALLER_ADMIN, false, set_logmasks},
    {"attach-info", CALLER_ADMIN | CALLER_AGENT | CALLER_SERVER, true, method_attach_info},
    {"system/join", CALLER_SERVER, true, method_join},
    {"system/joined", CALLER_SERVER, true, method_joined},
    {"system/dead", CALLER_SERVER, true, method_dead},
    {"system/query", CALLER_ADMIN, true, method_system_query},
    {"system/start", CALLER_ADMIN, true, method_system_start},
    {"system/stop", CALLER_ADMIN, true, method_system_stop},
    {"system/erase", CALLER_ADMIN, true, method_system_erase},
    {"system/leader-query", CALLER_ADMIN, true, method_leader_query},
    {"system/get-prop", CALLER_ADMIN, true, method_system_get},
    {"system/get-attr", CALLER_ADMIN, true, method_system_get},
    {"system/set-prop", CALLER_ADMIN, true, method_system_set},
    {"system/set-attr", CALLER_ADMIN, true, method_system_set},
    {"pool/find", CALLER_SERVER, true, method_pool_find},
    {"pool/create", CALLER_ADMIN, true, method_pool_create},
    {"pool/destroy", CALLER_ADMIN, true, method_pool_destroy},
    {"pool/list", CALLER_ADMIN, true, method_pool_list},
    {"pool/query", CALLER_ADMIN, true, method_pool_query},
    {"pool/query-targets", CALLER_ADMIN, true, method_pool_query_targets},
    {"pool/exclude", CALLER_ADMIN, true, method_pool_exclude},
    {"pool/reintegrate", CALLER_ADMIN, true, method_pool_reintegrate},
    {"pool/drain", CALLER_ADMIN, true, method_pool_drain},
    {"pool/extend", CALLER_ADMIN, true, method_pool_extend},
    {"pool/evict", CALLER_ADMIN, true, method_pool_evict},
    {"pool/get-prop", CALLER_ADMIN, true, method_pool_get_prop},
    {"pool/set-prop", CALLER_ADMIN, true, method_pool_set_prop},
    {"pool/get-acl", CALLER_ADMIN, true, method_pool_get_acl},
    {"pool/overwrite-acl", CALLER_ADMIN, true, method_pool_overwrite_acl},
    {"pool/update-acl", CALLER_ADMIN, true, method_pool_update_acl},
    {"pool/delete-acl", CALLER_ADMIN, true, method_pool_delete_acl},
    {"cont/set-owner", CALLER_ADMIN, true, method_cont_set_owner},
};

int
server_method_run(struct server *srv, const char *name, enum caller caller, json_t *request, struct answer *a)
{
	size_t i;

	for (i = 0; i < ARRAY_NR(methods); i++) {
		if (strcmp(methods[i].name, name) != 0)
			continue;
		if (!(methods[i].callers & caller))
			return -DER_NO_PERM;
		if (methods[i].ms && !srv->is_ms) {
			a->response = json_pack("{s:[s]}", "replicas", srv->ms_host);
			answer_fail(a, -DER_NOTLEADER, "the management service is at %s", srv->ms_host);
		} else {
			a->status = methods[i].run(srv, request, a);
		}
		if (a->status != 0 && a->error[0] == '\0')
			snprintf(a->error, sizeof(a->error), "%s: %s", name, d_errdesc(a->status));
		return 0;
	}
	return -DER_NONEXIST;
}

int
server_ms_call(struct server *srv, const char *method, json_t *req, struct answer *a)
{
	struct ctl_http *http;
	int              rc;

	if (srv->is_ms) {
		rc = server_method_run(srv, method, CALLER_SERVER, req, a);
		return rc != 0 ? rc : a->status;
	}
	rc = ctl_http_open(&srv->cfg->transport_config, 120, &http, a->error, sizeof(a->error));
	if (rc != 0)
		return rc;
	rc = ctl_http_call(http, srv->ms_host, CTL_PORT_DEFAULT, method, req, &a->response, a->error, sizeof(a->error));
	ctl_http_close(http);
	a->status = rc;
	return rc;
}
