/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * daos_server: the control plane of one host.
 *
 * It starts its engines and keeps them running (server_engine.c), answers the management API over HTTPS
 * (server_http.c, server_methods.c), answers its engines' questions over dRPC (server_upcall.c), and on one
 * host of the system keeps the system database: members and pools (server_db.c, server_ms*.c).
 *
 * Threads: one per engine (starts it, waits for its end, joins it), one for dRPC, one per HTTP connection.
 * All state below is under `lock`; nobody holds it over a call to an engine or another host.
 */
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <sys/types.h>
#include <uuid/uuid.h>

#include "base/util.h"
#include "control/common/ctl_http.h"
#include "control/server/server_config.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "platform/platform.h"

#define NO_RANK UINT32_MAX

enum engine_state {
	ENGINE_AWAIT_FORMAT, /**< its storage isn't formatted */
	ENGINE_STOPPED,
	ENGINE_STARTING,     /**< runs, not ready yet */
	ENGINE_READY,        /**< said so; is being joined */
	ENGINE_JOINED,
	ENGINE_ERRORED,      /**< ended by itself */
};
const char *engine_state_name(enum engine_state state);

struct server;
struct server_engine {
	struct server                     *srv;
	const struct server_engine_config *cfg;
	uint32_t                           idx;
	enum engine_state                  state;
	bool                               want;      /**< should run */
	pid_t                              pid;       /**< 0: none */
	uint32_t                           rank;      /**< NO_RANK until the system gave it one */
	uuid_t                             uuid;      /**< of its storage, from the superblock */
	uint64_t                           incarnation, started_ns;
	uint32_t                           restart_nr; /**< in a row */
	uint32_t                           nctxs, ntgts;
	char                               uri[256];
	char                               secondary_uris[SERVER_SECONDARIES_MAX][256];
	uint32_t                           secondary_nr;
	char                               sock[108]; /**< its dRPC socket */
	char                               error[512];
	bool                               exited;    /**< the child is gone, not reaped into state yet */
	struct plat_thread                *thread, *waiter;
	pthread_cond_t                     cond;
};

struct server_db;
struct server {
	struct server_config   *cfg;
	pthread_mutex_t         lock;
	pthread_cond_t          changed;   /**< any engine's state, or quit */
	bool                    quit;
	struct server_engine   *engines;
	char                    addr[300]; /**< "host:port" as others reach it */
	bool                    is_ms;
	char                    ms_host[300];
	struct server_db       *db;        /**< on the MS */
	struct drpc_listener   *listener;
	int                     wake_fd;   /**< eventfd: wakes the dRPC thread to quit */
	struct plat_thread     *drpc_thread;
	struct MHD_Daemon      *http;
	char                   *http_cert, *http_key, *http_ca;
};

/* ---- results of methods ---- */

/** What a method answers: a status, and a response or a message. */
struct answer {
	json_t *response;
	int     status;
	char    error[2048];
};
/** Set status and message; returns the status. */
int answer_fail(struct answer *a, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- server_http.c ---- */
int  server_http_start(struct server *srv) MUST_CHECK;
void server_http_stop(struct server *srv);

/* ---- server_methods.c ---- */
enum caller { CALLER_ADMIN = 1, CALLER_AGENT = 2, CALLER_SERVER = 4 };
/** Run the method; -DER_NONEXIST: none of that name, -DER_NO_PERM: not for this caller. */
int  server_method_run(struct server *srv, const char *name, enum caller caller, json_t *request, struct answer *a);

/* ---- server_engine.c ---- */
int  server_engines_start(struct server *srv) MUST_CHECK;
/** Stop all and end their threads. */
void server_engines_stop(struct server *srv);
/** Ask it to run; the engine's thread does the rest. With the lock. */
void server_engine_want(struct server_engine *eng, bool want);
/** Wait until it runs and has joined (or stands still, for stopping) or the time is over. Without the lock. */
int  server_engine_wait(struct server_engine *eng, bool running, uint32_t timeout_s) MUST_CHECK;
/** SIGKILL. With the lock. */
void server_engine_kill(struct server_engine *eng);
/** The engine said it is ready: remember how to reach it, and join. With the lock. */
int  server_engine_ready(struct server *srv, const Mgmt__NotifyReadyReq *req);
/** One dRPC to an engine. @ret_resp as drpc_call_msg(). Without the lock. */
int  server_engine_call(struct server_engine *eng, int method, const ProtobufCMessage *req,
			const ProtobufCMessageDescriptor *resp_desc, uint32_t timeout_s, ProtobufCMessage **ret_resp) MUST_CHECK;
/** A joined engine of this host, for calls that any rank answers; NULL. With the lock. */
struct server_engine *server_any_engine(struct server *srv);

/* ---- server_storage.c ---- */
/** Read the superblock into uuid and rank. 0, -DER_UNINIT not formatted, or -DER_DF_INVAL with eng->error. */
int  server_super_load(struct server_engine *eng) MUST_CHECK;
int  server_super_save(const struct server_engine *eng) MUST_CHECK;
/** Write the engine's device list for daos_engine -n. */
int  server_bdevs_write(const struct server_engine *eng, char *path, size_t path_bytes) MUST_CHECK;
int  server_engine_format(struct server_engine *eng, bool force, char *error, size_t error_bytes) MUST_CHECK;
int  server_engine_erase(struct server_engine *eng, char *error, size_t error_bytes) MUST_CHECK;
/** Path of daos_engine: beside this program, or in PATH. */
void server_engine_binary(char *buf, size_t bytes);
int  method_storage_scan(struct server *srv, json_t *req, struct answer *a);
int  method_storage_set_faulty(struct server *srv, json_t *req, struct answer *a);
int  method_storage_format(struct server *srv, json_t *req, struct answer *a);
int  method_network_scan(struct server *srv, json_t *req, struct answer *a);
/** Interfaces as JSON, for the command and the method. */
json_t *server_network_interfaces(const char *provider);

/* ---- server_upcall.c: questions of engines ---- */
int  server_upcalls_start(struct server *srv) MUST_CHECK;
void server_upcalls_stop(struct server *srv);

/* ---- server_ms.c, server_ms_pool.c: the management service ---- */
int method_join(struct server *srv, json_t *req, struct answer *a);
/** The engine that asked to join is set up: it serves. */
int method_joined(struct server *srv, json_t *req, struct answer *a);
/** {"rank", "by", "incarnation"}: rank `by` has found the rank dead. -DER_EXCLUDED: `by` is no member itself. */
int method_dead(struct server *srv, json_t *req, struct answer *a);
int method_system_query(struct server *srv, json_t *req, struct answer *a);
int method_system_start(struct server *srv, json_t *req, struct answer *a);
int method_system_stop(struct server *srv, json_t *req, struct answer *a);
int method_system_erase(struct server *srv, json_t *req, struct answer *a);
int method_leader_query(struct server *srv, json_t *req, struct answer *a);
int method_attach_info(struct server *srv, json_t *req, struct answer *a);
int method_system_get(struct server *srv, json_t *req, struct answer *a);
int method_system_set(struct server *srv, json_t *req, struct answer *a);
int method_pool_find(struct server *srv, json_t *req, struct answer *a);
int method_pool_create(struct server *srv, json_t *req, struct answer *a);
int method_pool_destroy(struct server *srv, json_t *req, struct answer *a);
int method_storage_pools(struct server *srv, json_t *req, struct answer *a);
int method_storage_usage(struct server *srv, json_t *req, struct answer *a);
int method_pool_list(struct server *srv, json_t *req, struct answer *a);
int method_pool_query(struct server *srv, json_t *req, struct answer *a);
int method_pool_query_targets(struct server *srv, json_t *req, struct answer *a);
int method_pool_exclude(struct server *srv, json_t *req, struct answer *a);
int method_pool_reintegrate(struct server *srv, json_t *req, struct answer *a);
int method_pool_drain(struct server *srv, json_t *req, struct answer *a);
int method_pool_extend(struct server *srv, json_t *req, struct answer *a);
int method_pool_evict(struct server *srv, json_t *req, struct answer *a);
int method_pool_get_prop(struct server *srv, json_t *req, struct answer *a);
int method_pool_set_prop(struct server *srv, json_t *req, struct answer *a);
int method_pool_get_acl(struct server *srv, json_t *req, struct answer *a);
int method_pool_overwrite_acl(struct server *srv, json_t *req, struct answer *a);
int method_pool_update_acl(struct server *srv, json_t *req, struct answer *a);
int method_pool_delete_acl(struct server *srv, json_t *req, struct answer *a);
int method_cont_set_owner(struct server *srv, json_t *req, struct answer *a);
/** Call the MS: here, or over HTTPS where it is. */
int server_ms_call(struct server *srv, const char *method, json_t *req, struct answer *a);
/** Give the group map to every rank, through an engine of this host. */
int server_ms_distribute(struct server *srv);
/** The MS's thread of nothing: called when an engine of ours ended, to tell the MS. */
void server_ms_engine_down(struct server_engine *eng);

/* ---- messages on the console and in the control log ---- */
void server_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
