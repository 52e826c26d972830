/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Engines of this host, each a child process.
 *
 * A thread for each engine does everything that happens to it: it starts the child when the engine is
 * wanted and formatted, joins it to the system when it says it is ready, and notices its end. The child
 * dies with that thread (PR_SET_PDEATHSIG), so a killed server leaves no engine behind. A second thread
 * blocks in waitpid().
 *
 * An engine that ends by itself is started again: at once the first time, then after 1, 2, 4 .. seconds, at
 * most engine_auto_restart_min_delay; a run longer than that starts the count anew.
 */
#include <daos_errno.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/server/server.h"
#include "control/server/server_group.h"

const char *
engine_state_name(enum engine_state state)
{
	static const char *const names[] = {
	    [ENGINE_AWAIT_FORMAT] = "AwaitFormat", [ENGINE_STOPPED] = "Stopped", [ENGINE_STARTING] = "Starting",
	    [ENGINE_READY] = "Ready",              [ENGINE_JOINED] = "Joined",   [ENGINE_ERRORED] = "Errored"};

	return names[state];
}

static void
set_state(struct server_engine *eng, enum engine_state state)
{
	eng->state = state;
	pthread_cond_broadcast(&eng->srv->changed);
	pthread_cond_broadcast(&eng->cond);
}

/* ---- the child ---- */

static void
set_child_env(const struct server_engine *eng)
{
	const struct server_config *cfg = eng->srv->cfg;
	char                        text[64];
	uint32_t                    i;

	setenv("D_PROVIDER", cfg->provider, 1);
	setenv("D_INTERFACE", eng->cfg->fabric_iface, 1);
	setenv("D_PORT", eng->cfg->fabric_iface_port, 1);
	if (cfg->crt_timeout > 0) {
		snprintf(text, sizeof(text), "%u", cfg->crt_timeout);
		setenv("CRT_TIMEOUT", text, 1);
	}
	setenv("D_LOG_MASK", eng->cfg->log_mask ? eng->cfg->log_mask : "ERR", 1);
	if (eng->cfg->log_file != NULL)
		setenv("D_LOG_FILE", eng->cfg->log_file, 1);
	for (i = 0; i < eng->cfg->env_vars_count; i++)
		putenv((char *)eng->cfg->env_vars[i]);
}

static void __attribute__((noreturn))
exec_engine(const struct server_engine *eng, const char *bdevs)
{
	const struct server_config *cfg = eng->srv->cfg;
	char                        binary[4096], targets[16], helpers[16], core[16], node[16], idx[16], heap[32];
	const struct server_tier   *ram = server_ram_tier(eng->cfg);
	uint64_t                    heap_bytes = 0;
	const char                 *argv[32];
	sigset_t                    none;
	int                         n = 0;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	server_engine_binary(binary, sizeof(binary));
	snprintf(targets, sizeof(targets), "%u", eng->cfg->targets);
	snprintf(helpers, sizeof(helpers), "%u", eng->cfg->nr_xs_helpers);
	snprintf(idx, sizeof(idx), "%u", eng->idx);
	argv[n++] = "daos_engine";
	argv[n++] = "-t", argv[n++] = targets;
	argv[n++] = "-x", argv[n++] = helpers;
	argv[n++] = "-g", argv[n++] = cfg->name;
	argv[n++] = "-d", argv[n++] = cfg->socket_dir;
	argv[n++] = "-s", argv[n++] = ram->scm_mount;
	argv[n++] = "-I", argv[n++] = idx;
	if (bdevs[0] != '\0')
		argv[n++] = "-n", argv[n++] = bdevs;
	if (eng->cfg->first_core != NULL) {
		snprintf(core, sizeof(core), "%u", *eng->cfg->first_core);
		argv[n++] = "-f", argv[n++] = core;
	}
	if (eng->cfg->pinned_numa_node != NULL) {
		snprintf(node, sizeof(node), "%u", *eng->cfg->pinned_numa_node);
		argv[n++] = "-p", argv[n++] = node;
	}
	if (ram->scm_size != NULL && server_size(ram->scm_size, &heap_bytes) == 0 && heap_bytes > 0) {
		snprintf(heap, sizeof(heap), "%llu", (unsigned long long)(heap_bytes >> 20));
		argv[n++] = "-r", argv[n++] = heap;
	}
	argv[n] = NULL;
	set_child_env(eng);
	execv(binary, (char *const *)argv);
	fprintf(stderr, "ERROR: cannot run %s: %s\n", binary, strerror(errno));
	_exit(127);
}

static void
wait_child(void *arg)
{
	struct server_engine *eng = arg;
	int                   status = 0;

	while (waitpid(eng->pid, &status, 0) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&eng->srv->lock);
	if (WIFSIGNALED(status))
		snprintf(eng->error, sizeof(eng->error), "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		snprintf(eng->error, sizeof(eng->error), "exited with status %d; its log says why (%s)", WEXITSTATUS(status),
			 eng->cfg->log_file ? eng->cfg->log_file : "stderr");
	else
		eng->error[0] = '\0';
	eng->exited = true;
	pthread_cond_broadcast(&eng->cond);
	pthread_mutex_unlock(&eng->srv->lock);
}

/** With the lock. Only async-signal-safe work is safe after fork() in a threaded program; this child's setup is
 *  plain string work, and no other thread can hold the allocator over fork() in glibc. */
static int
start_child(struct server_engine *eng)
{
	char  bdevs[4096] = "";
	pid_t pid;
	int   rc = server_bdevs_write(eng, bdevs, sizeof(bdevs));

	if (rc != 0) {
		snprintf(eng->error, sizeof(eng->error), "cannot write its device list in %s: %s", eng->srv->cfg->socket_dir,
			 d_errdesc(rc));
		return rc;
	}
	pid = fork();
	if (pid == 0)
		exec_engine(eng, bdevs);
	if (pid < 0)
		return -DER_NOMEM;
	eng->pid = pid;
	eng->exited = false;
	eng->error[0] = '\0';
	eng->started_ns = plat_now_ns();
	set_state(eng, ENGINE_STARTING);
	rc = plat_thread_create("engine-wait", wait_child, eng, &eng->waiter);
	if (rc != 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		eng->pid = 0;
		return rc;
	}
	return 0;
}

/* ---- dRPC to it ---- */

int
server_engine_call(struct server_engine *eng, int method, const ProtobufCMessage *req,
		   const ProtobufCMessageDescriptor *resp_desc, uint32_t timeout_s, ProtobufCMessage **ret_resp)
{
	char sock[sizeof(eng->sock)];

	pthread_mutex_lock(&eng->srv->lock);
	memcpy(sock, eng->sock, sizeof(sock));
	pthread_mutex_unlock(&eng->srv->lock);
	if (sock[0] == '\0')
		return -DER_UNREACH;
	return drpc_call_msg(sock, DRPC_MODULE_MGMT, method, req, resp_desc, timeout_s, ret_resp);
}

static int
call_status(struct server_engine *eng, int method, const ProtobufCMessage *req)
{
	ProtobufCMessage *resp;
	int               rc = server_engine_call(eng, method, req, &mgmt__daos_resp__descriptor, 60, &resp);

	if (rc != 0)
		return rc;
	rc = ((Mgmt__DaosResp *)resp)->status;
	protobuf_c_message_free_unpacked(resp, NULL);
	return rc;
}

/** Hand the engine the members the join told us, so that it can reach them at once. */
static int
send_map(struct server_engine *eng, const json_t *members, uint32_t version)
{
	struct server_group group;
	int                 rc = server_group_init(&group, members, version);

	if (rc == 0)
		rc = call_status(eng, DRPC_METHOD_MGMT_GROUP_UPDATE, &group.req.base);
	server_group_release(&group);
	return rc;
}

static json_t *
secondary_uris_json(const struct server_engine *eng)
{
	json_t  *list = json_array();
	uint32_t i;

	for (i = 0; i < eng->secondary_nr; i++)
		json_array_append_new(list, json_string(eng->secondary_uris[i]));
	return list;
}

/** It is ready: ask the MS for its rank, tell it, set it up. Without the lock. */
static int
join_engine(struct server_engine *eng)
{
	struct server    *srv = eng->srv;
	Mgmt__SetRankReq  set_rank = MGMT__SET_RANK_REQ__INIT;
	Mgmt__Empty       empty = MGMT__EMPTY__INIT;
	struct answer     a = {0};
	char              uuid[37];
	json_t           *req;
	int               rc;

	uuid_unparse_lower(eng->uuid, uuid);
	req = json_pack("{s:s, s:I, s:s, s:i, s:i, s:I, s:s, s:s}", "uuid", uuid, "rank", (json_int_t)eng->rank, "uri", eng->uri, "nctxs",
			(int)eng->nctxs, "idx", (int)eng->idx, "incarnation", (json_int_t)eng->incarnation, "addr", srv->addr,
			"fault_domain", srv->cfg->fault_path ? srv->cfg->fault_path : "");
	json_object_set_new(req, "ntgts", json_integer(eng->ntgts));
	json_object_set_new(req, "secondary_uris", secondary_uris_json(eng));
	rc = server_ms_call(srv, "system/join", req, &a);
	json_decref(req);
	if (rc != 0) {
		snprintf(eng->error, sizeof(eng->error), "cannot join the system at %s: %.300s", srv->ms_host, a.error);
		return rc;
	}
	eng->rank = (uint32_t)json_integer_value(json_object_get(a.response, "rank"));
	set_rank.rank = eng->rank;
	set_rank.system_uuid = (char *)json_string_value(json_object_get(a.response, "system_uuid"));
	rc = server_super_save(eng);
	if (rc == 0)
		rc = call_status(eng, DRPC_METHOD_MGMT_SET_RANK, &set_rank.base);
	if (rc == 0)
		rc = send_map(eng, json_object_get(a.response, "members"),
			      (uint32_t)json_integer_value(json_object_get(a.response, "map_version")));
	if (rc == 0)
		rc = call_status(eng, DRPC_METHOD_MGMT_SET_UP, &empty.base);
	json_decref(a.response);
	if (rc == 0) {
		a = (struct answer){0};
		req = json_pack("{s:s}", "uuid", uuid);
		rc = server_ms_call(srv, "system/joined", req, &a);
		json_decref(req);
		json_decref(a.response);
	}
	if (rc != 0)
		snprintf(eng->error, sizeof(eng->error), "rank %u could not be set up: %s", eng->rank, d_errdesc(rc));
	return rc;
}

/* ---- its thread ---- */

static void
wait_timed(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns)
{
	uint64_t        at = plat_realtime_ns() + ns;
	struct timespec ts = {.tv_sec = (time_t)(at / NSEC_PER_SEC), .tv_nsec = (long)(at % NSEC_PER_SEC)};

	pthread_cond_timedwait(cond, lock, &ts);
}

static uint64_t
restart_delay_ns(const struct server_engine *eng)
{
	uint64_t max = (uint64_t)eng->srv->cfg->engine_auto_restart_min_delay;
	uint64_t s = eng->restart_nr <= 1 ? 0 : 1ULL << MIN_OF(eng->restart_nr - 2, 20);

	return MIN_OF(s, max) * NSEC_PER_SEC;
}

/** The child ended. With the lock. */
static void
child_gone(struct server_engine *eng)
{
	struct plat_thread *waiter = eng->waiter;
	uint64_t            ran_ns = plat_now_ns() - eng->started_ns;
	bool                expected = !eng->want || eng->srv->quit;
	uint64_t            until;

	eng->waiter = NULL;
	eng->pid = 0;
	eng->exited = false;
	eng->sock[0] = '\0';
	pthread_mutex_unlock(&eng->srv->lock);
	plat_thread_join(waiter);
	pthread_mutex_lock(&eng->srv->lock);
	if (expected) {
		server_say("engine %u (rank %d) stopped", eng->idx, (int)eng->rank);
		eng->restart_nr = 0;
		set_state(eng, ENGINE_STOPPED);
	} else {
		if (ran_ns > eng->srv->cfg->engine_auto_restart_min_delay * NSEC_PER_SEC)
			eng->restart_nr = 0;
		eng->restart_nr++;
		if (eng->srv->cfg->disable_engine_auto_restart)
			eng->want = false;
		server_say("engine %u (rank %d) %s; %s", eng->idx, (int)eng->rank, eng->error[0] ? eng->error : "ended by itself",
			   eng->want ? "starting it again" : "not started again (disable_engine_auto_restart): `dmg system start`");
		set_state(eng, ENGINE_ERRORED);
	}
	pthread_mutex_unlock(&eng->srv->lock);
	server_ms_engine_down(eng);
	pthread_mutex_lock(&eng->srv->lock);
	until = plat_now_ns() + (expected ? 0 : restart_delay_ns(eng));
	while (eng->want && !eng->srv->quit && plat_now_ns() < until)
		wait_timed(&eng->cond, &eng->srv->lock, until - plat_now_ns());
}

/** Joining failed: try again while the child lives, less and less often. With the lock. */
static void
do_join(struct server_engine *eng)
{
	uint64_t delay_ms = 100;
	int      rc;

	while (eng->state == ENGINE_READY && !eng->exited && eng->want && !eng->srv->quit) {
		pthread_mutex_unlock(&eng->srv->lock);
		rc = join_engine(eng);
		pthread_mutex_lock(&eng->srv->lock);
		if (rc == 0 && !eng->exited) {
			server_say("engine %u joined as rank %u", eng->idx, eng->rank);
			eng->error[0] = '\0';
			set_state(eng, ENGINE_JOINED);
			if (eng->srv->is_ms) { /* the first one here: ranks elsewhere have not been told of it yet */
				pthread_mutex_unlock(&eng->srv->lock);
				server_ms_distribute(eng->srv);
				pthread_mutex_lock(&eng->srv->lock);
			}
			return;
		}
		if (delay_ms == 1600)
			server_say("engine %u: %s; trying on", eng->idx, eng->error);
		if (!eng->exited)
			wait_timed(&eng->cond, &eng->srv->lock, delay_ms * NSEC_PER_MSEC);
		delay_ms = MIN_OF(delay_ms * 2, 10000);
	}
}

static void
engine_thread(void *arg)
{
	struct server_engine *eng = arg;
	struct server        *srv = eng->srv;

	pthread_mutex_lock(&srv->lock);
	for (;;) {
		bool run = eng->want && !srv->quit;

		if (eng->exited)
			child_gone(eng);
		else if (eng->pid == 0 && srv->quit)
			break;
		else if (eng->pid == 0 && run && eng->state != ENGINE_AWAIT_FORMAT) {
			if (start_child(eng) != 0) {
				server_say("engine %u cannot be started: %s", eng->idx, eng->error);
				eng->want = false;
				set_state(eng, ENGINE_ERRORED);
			}
		} else if (eng->pid != 0 && eng->state == ENGINE_READY && run)
			do_join(eng);
		else {
			if (eng->pid != 0 && !run)
				kill(eng->pid, SIGTERM);
			pthread_cond_wait(&eng->cond, &srv->lock);
		}
	}
	pthread_mutex_unlock(&srv->lock);
}

/* ---- for the others ---- */

void
server_engine_want(struct server_engine *eng, bool want)
{
	eng->want = want;
	if (want)
		eng->restart_nr = 0;
	pthread_cond_broadcast(&eng->cond);
}

void
server_engine_kill(struct server_engine *eng)
{
	if (eng->pid != 0)
		kill(eng->pid, SIGKILL);
}

int
server_engine_wait(struct server_engine *eng, bool running, uint32_t timeout_s)
{
	struct server *srv = eng->srv;
	uint64_t       deadline = plat_now_ns() + timeout_s * NSEC_PER_SEC;
	int            rc = 0;

	pthread_mutex_lock(&srv->lock);
	while (running ? eng->state != ENGINE_JOINED : eng->pid != 0) {
		uint64_t now = plat_now_ns();

		if (running && (!eng->want || eng->state == ENGINE_AWAIT_FORMAT)) {
			rc = -DER_CANCELED;
			break;
		}
		if (now >= deadline || srv->quit) {
			rc = -DER_TIMEDOUT;
			break;
		}
		wait_timed(&srv->changed, &srv->lock, deadline - now);
	}
	pthread_mutex_unlock(&srv->lock);
	return rc;
}

int
server_engine_ready(struct server *srv, const Mgmt__NotifyReadyReq *req)
{
	struct server_engine *eng;
	size_t                i;

	if (req->instance_idx >= srv->cfg->engines_count || req->n_secondary_uris > SERVER_SECONDARIES_MAX)
		return -DER_INVAL;
	eng = &srv->engines[req->instance_idx];
	if (eng->pid == 0 || (req->pid != 0 && (pid_t)req->pid != eng->pid) || strlen(req->drpc_listener_sock) >= sizeof(eng->sock) ||
	    strlen(req->uri) >= sizeof(eng->uri))
		return -DER_INVAL;
	for (i = 0; i < req->n_secondary_uris; i++)
		if (strlen(req->secondary_uris[i]) >= sizeof(eng->secondary_uris[i]))
			return -DER_INVAL;
	for (i = 0; i < req->n_secondary_uris; i++)
		strcpy(eng->secondary_uris[i], req->secondary_uris[i]);
	eng->secondary_nr = (uint32_t)req->n_secondary_uris;
	strcpy(eng->sock, req->drpc_listener_sock);
	strcpy(eng->uri, req->uri);
	eng->nctxs = req->nctxs;
	eng->ntgts = req->ntgts;
	eng->incarnation = req->incarnation ? req->incarnation : plat_realtime_ns();
	set_state(eng, ENGINE_READY);
	return 0;
}

struct server_engine *
server_any_engine(struct server *srv)
{
	uint32_t i;

	for (i = 0; i < srv->cfg->engines_count; i++)
		if (srv->engines[i].state == ENGINE_JOINED)
			return &srv->engines[i];
	return NULL;
}

int
server_engines_start(struct server *srv)
{
	uint32_t i;
	int      rc = 0;

	srv->engines = calloc(srv->cfg->engines_count, sizeof(*srv->engines));
	if (srv->engines == NULL)
		return -DER_NOMEM;
	for (i = 0; i < srv->cfg->engines_count && rc == 0; i++) {
		struct server_engine *eng = &srv->engines[i];

		eng->srv = srv;
		eng->cfg = &srv->cfg->engines[i];
		eng->idx = i;
		eng->rank = NO_RANK;
		pthread_cond_init(&eng->cond, NULL);
		rc = server_super_load(eng);
		eng->state = rc == -DER_UNINIT ? ENGINE_AWAIT_FORMAT : rc != 0 ? ENGINE_ERRORED : ENGINE_STOPPED;
		eng->want = rc == 0 || rc == -DER_UNINIT;
		if (rc == -DER_UNINIT)
			server_say("engine %u: its storage is not formatted; run `dmg storage format`", i);
		else if (rc != 0)
			server_say("engine %u will not start: %s", i, eng->error);
		rc = plat_thread_create("engine", engine_thread, eng, &eng->thread);
	}
	return rc;
}

void
server_engines_stop(struct server *srv)
{
	uint32_t i;

	if (srv->engines == NULL)
		return;
	pthread_mutex_lock(&srv->lock);
	srv->quit = true;
	for (i = 0; i < srv->cfg->engines_count; i++)
		pthread_cond_broadcast(&srv->engines[i].cond);
	pthread_cond_broadcast(&srv->changed);
	pthread_mutex_unlock(&srv->lock);
	for (i = 0; i < srv->cfg->engines_count; i++) {
		if (srv->engines[i].thread == NULL)
			continue;
		plat_thread_join(srv->engines[i].thread);
		pthread_cond_destroy(&srv->engines[i].cond);
	}
	free(srv->engines);
	srv->engines = NULL;
}
