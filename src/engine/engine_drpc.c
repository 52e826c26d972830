/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * dRPC of the engine. The control server calls in on <drpc_dir>/daos_engine_<pid>_<instance>.sock:
 * the listener is a poller of the system xstream, each call a ULT of it, dispatched by dRPC module
 * id (not the same numbers as the modules' own ids) over the handlers of the modules' tables. Calls
 * out, to <drpc_dir>/daos_server.sock, block: they run on a helper thread.
 *
 * Invariants:
 *  1. The listener, its sessions and drpc_busy_nr are touched on the system xstream only.
 *  2. Every request taken from the listener is answered once; the listener is closed after the last.
 */
#define D_LOGFAC LOG_FAC_DRPC
#include <daos_errno.h>
#include <sys/stat.h>
#include "base/log.h"
#include "engine/engine_internal.h"

/* ---- calls in ---- */

static const struct dss_drpc_hdlr *
find_handler(struct engine *eng, int32_t module)
{
	for (uint32_t i = 0; i < eng->mod_nr; i++) {
		const struct dss_drpc_hdlr *h = eng->mods[i].mod->sm_drpc_handlers;

		for (; h != NULL && h->module != 0; h++) {
			if (h->module == module)
				return h;
		}
	}
	return NULL;
}

struct drpc_work {
	struct engine       *eng;
	struct drpc_request *req;
};

MAY_YIELD static void
drpc_handle(struct engine *eng, struct drpc_request *req)
{
	const struct dss_drpc_hdlr *h = find_handler(eng, req->module);
	struct dss_drpc_call        call = {
		   .method = req->method,
		   .body = req->body,
		   .body_bytes = req->body_bytes,
		   .status = DRPC__STATUS__FAILURE,
        };

	if (h == NULL) {
		D_WARN("%s: dRPC for module %d: module not registered", eng->name, req->module);
		drpc_reply(req, DRPC__STATUS__UNKNOWN_MODULE, NULL, 0);
		return;
	}
	h->handler(eng, &call);
	drpc_reply(req, call.status, call.ret_body, call.ret_body_bytes);
	free(call.ret_body);
}

MAY_YIELD static void
drpc_work_ult(void *arg)
{
	struct drpc_work *work = arg;
	struct engine    *eng = work->eng;

	drpc_handle(eng, work->req);
	free(work);
	if (--eng->drpc_busy_nr == 0 && eng->drpc_idle != NULL)
		ult_eventual_set(eng->drpc_idle, 0);
}

static void
drpc_arrived(struct drpc_request *req, void *arg)
{
	struct engine    *eng = arg;
	struct drpc_work *work = malloc(sizeof(*work));
	int               rc = -DER_NOMEM;

	if (work != NULL) {
		*work = (struct drpc_work){.eng = eng, .req = req};
		rc = ult_create(NULL, ULT_POOL_GENERIC, drpc_work_ult, work, 0, NULL);
	}
	if (rc != 0) {
		D_ERROR("%s: dRPC %d.%d refused: " DF_RC, eng->name, req->module, req->method,
			DP_RC(rc));
		free(work);
		drpc_reply(req, DRPC__STATUS__FAILURE, NULL, 0);
		return;
	}
	eng->drpc_busy_nr++;
}

static int
drpc_poll(void *arg)
{
	struct engine *eng = arg;
	int            rc = drpc_progress(eng->drpc, 0);

	if (rc == 0)
		return 1;
	if (rc != -DER_TIMEDOUT)
		D_ERROR("%s: dRPC socket %s: " DF_RC, eng->name, eng->drpc_path, DP_RC(rc));
	return 0;
}

int
engine_drpc_start(void *arg)
{
	struct engine *eng = arg;
	int            len, rc;

	if (eng->drpc_dir[0] == '\0')
		return 0;
	len = snprintf(eng->drpc_path, sizeof(eng->drpc_path), "%s/daos_engine_%d_%u.sock",
		       eng->drpc_dir, (int)getpid(), eng->instance_idx);
	if (len >= (int)sizeof(eng->drpc_path)) {
		D_ERROR("%s: socket directory %s: the path of a socket in it is longer than %zu bytes; "
			"choose a shorter one with -d", eng->name, eng->drpc_dir,
			sizeof(eng->drpc_path) - 1);
		eng->drpc_path[0] = '\0';
		return -DER_EXCEEDS_PATH_LEN;
	}
	rc = drpc_listen(eng->drpc_path, S_IRUSR | S_IWUSR, drpc_arrived, eng, &eng->drpc);
	if (rc != 0) {
		D_ERROR("%s: dRPC socket %s cannot be made: " DF_RC ". Does the directory given with -d "
			"exist and is it writable?", eng->name, eng->drpc_path, DP_RC(rc));
		eng->drpc_path[0] = '\0';
		return rc;
	}
	eng->drpc_poller = (struct ult_poller){
	    .name = "drpc", .poll = drpc_poll, .fd = drpc_listener_fd(eng->drpc), .arg = eng};
	d_list_init(&eng->drpc_poller.link);
	ult_poller_add(&eng->drpc_poller);
	return 0;
}

MAY_YIELD int
engine_drpc_stop(void *arg)
{
	struct engine      *eng = arg;
	struct ult_eventual idle;

	if (eng->drpc == NULL)
		return 0;
	ult_poller_del(&eng->drpc_poller);
	if (eng->drpc_busy_nr > 0) {
		ult_eventual_init(&idle);
		eng->drpc_idle = &idle;
		(void)ult_eventual_wait(&idle);
		eng->drpc_idle = NULL;
	}
	/* Send what is still in the sessions' buffers; a peer that doesn't read loses it. */
	(void)drpc_progress(eng->drpc, 0);
	drpc_listener_close(eng->drpc);
	eng->drpc = NULL;
	return 0;
}

/* ---- calls out ---- */

struct upcall {
	struct engine *eng;
	int32_t        module, method;
	const void    *body;
	size_t         body_bytes;
	void          *ret_body;
	size_t         ret_body_bytes;
};

static int
upcall_blocking(void *arg)
{
	struct upcall *up = arg;
	char           path[PATH_MAX];

	if (up->eng->drpc_dir[0] == '\0')
		return -DER_UNINIT;
	snprintf(path, sizeof(path), "%s/daos_server.sock", up->eng->drpc_dir);
	return drpc_call(path, up->module, up->method, up->body, up->body_bytes,
			 ENGINE_DRPC_TIMEOUT_S, &up->ret_body, &up->ret_body_bytes);
}

static void
upcall_result(const struct upcall *up, void **ret_body, size_t *ret_body_bytes)
{
	if (ret_body == NULL) {
		free(up->ret_body);
		return;
	}
	*ret_body = up->ret_body;
	*ret_body_bytes = up->ret_body_bytes;
}

int
engine_drpc_upcall_blocking(struct engine *eng, int32_t module, int32_t method, const void *body,
			    size_t body_bytes, void **ret_body, size_t *ret_body_bytes)
{
	struct upcall up = {eng, module, method, body, body_bytes, NULL, 0};
	int           rc = upcall_blocking(&up);

	if (rc == 0)
		upcall_result(&up, ret_body, ret_body_bytes);
	return rc;
}

MAY_YIELD int
dss_drpc_upcall(struct engine *eng, int32_t module, int32_t method, const void *body,
		size_t body_bytes, void **ret_body, size_t *ret_body_bytes)
{
	struct upcall up = {eng, module, method, body, body_bytes, NULL, 0};
	int           rc = ult_offload(upcall_blocking, &up);

	if (rc == 0)
		upcall_result(&up, ret_body, ret_body_bytes);
	return rc;
}
