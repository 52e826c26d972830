/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * daos_engine: an engine as a process. The main thread parses the command line, starts the engine, tells
 * daos_server that it is ready, and from then on only waits for SIGTERM or SIGINT; all other threads have
 * signals blocked. A signal that comes during the start-up is kept until it is over.
 *
 * Exit codes: 0 stopped as asked, or done; 1 it failed; 2 wrong command line. With --format and --erase the
 * last line printed says what happened.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <daos_errno.h>
#include <signal.h>
#include <stdarg.h>
#include "base/hlc.h"
#include "base/log.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "engine/engine_options.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void
block_signals(sigset_t *ret_waited)
{
	sigset_t blocked;

	sigfillset(&blocked);
	sigdelset(&blocked, SIGSEGV);
	sigdelset(&blocked, SIGBUS);
	sigdelset(&blocked, SIGILL);
	sigdelset(&blocked, SIGFPE);
	sigdelset(&blocked, SIGABRT);
	sigdelset(&blocked, SIGTRAP);
	sigdelset(&blocked, SIGSYS);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	sigemptyset(ret_waited);
	sigaddset(ret_waited, SIGTERM);
	sigaddset(ret_waited, SIGINT);
}

static bool
signal_is_pending(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* ---- telling the control server ---- */

static int
ready_call(struct engine *eng, const Mgmt__NotifyReadyReq *req)
{
	size_t           len = mgmt__notify_ready_req__get_packed_size(req), resp_len;
	uint8_t         *body = malloc(len > 0 ? len : 1);
	Mgmt__DaosResp  *resp;
	void            *resp_body = NULL;
	int              rc;

	if (body == NULL)
		return -DER_NOMEM;
	mgmt__notify_ready_req__pack(req, body);
	rc = engine_drpc_upcall_blocking(eng, DRPC_MODULE_SRV, DRPC_METHOD_SRV_NOTIFY_READY, body, len,
					 &resp_body, &resp_len);
	free(body);
	if (rc != 0)
		return rc;
	resp = mgmt__daos_resp__unpack(NULL, resp_len, resp_body);
	free(resp_body);
	if (resp == NULL)
		return -DER_PROTO;
	rc = resp->status;
	mgmt__daos_resp__free_unpacked(resp, NULL);
	return rc;
}

static int
notify_ready(struct engine *eng)
{
	Mgmt__NotifyReadyReq req = MGMT__NOTIFY_READY_REQ__INIT;
	char                 uris[ENGINE_NET_MAX][256], *secondary[ENGINE_NET_MAX];

	for (uint32_t i = 0; i < dss_net_nr(eng); i++) {
		int rc = engine_uri(eng, i, uris[i], sizeof(uris[i]));

		if (rc != 0)
			return rc;
		secondary[i] = uris[i];
	}
	req.uri = uris[0];
	req.secondary_uris = secondary + 1;
	req.n_secondary_uris = dss_net_nr(eng) - 1;
	req.nctxs = dss_xs_nr(eng);
	req.drpc_listener_sock = (char *)engine_drpc_path(eng);
	req.instance_idx = dss_instance_idx(eng);
	req.ntgts = dss_tgt_nr(eng);
	req.incarnation = hlc_get(dss_hlc(eng));
	req.pid = getpid();
	return ready_call(eng, &req);
}

/* ---- commands ---- */

MAY_YIELD static int
run(const struct engine_options *opts, const sigset_t *signals)
{
	struct engine *eng;
	int            sig, rc = engine_start(&opts->attr, &eng);

	if (rc != 0) {
		fprintf(stderr, "daos_engine: %s did not start: %s (%d): %s; the log says more\n", opts->name,
			d_errstr(rc), rc, d_errdesc(rc));
		return EXIT_FAILED;
	}
	if (!signal_is_pending())
		rc = notify_ready(eng);
	if (rc != 0) {
		fprintf(stderr, "daos_engine: daos_server doesn't take notice on %s/daos_server.sock: %s (%d): %s; "
			"is it running, and is -d its socket_dir?\n", opts->attr.drpc_dir, d_errstr(rc), rc,
			d_errdesc(rc));
		engine_stop(eng);
		return EXIT_FAILED;
	}
	while (sigwait(signals, &sig) != 0)
		;
	D_NOTE("%s: signal %d", opts->name, sig);
	engine_stop(eng);
	return EXIT_OK;
}

/** Device by device, so that the message can name the one that failed. */
static int
each_device(const struct engine_options *opts, const char *done, int (*fn)(const struct engine_options *opts,
									     const struct engine_attr *one))
{
	for (uint32_t i = 0; i < opts->attr.bdev_nr; i++) {
		struct engine_attr one = opts->attr;
		int                rc;

		one.bdevs = &opts->attr.bdevs[i];
		one.bdev_nr = 1;
		rc = fn(opts, &one);
		if (rc == -DER_EXIST)
			fprintf(stderr, "device %s is formatted already; --force formats it anew and loses its content\n",
				one.bdevs->attr.path);
		else if (rc != 0)
			fprintf(stderr, "device %s: %s (%d): %s\n", one.bdevs->attr.path, d_errstr(rc), rc,
				d_errdesc(rc));
		if (rc != 0)
			return EXIT_FAILED;
	}
	printf("{\"status\": 0, \"devices\": %u, \"done\": \"%s\"}\n", opts->attr.bdev_nr, done);
	return EXIT_OK;
}

static int
format_one(const struct engine_options *opts, const struct engine_attr *one)
{
	return engine_format(one, opts->uuid, opts->force);
}

static int
erase_one(const struct engine_options *opts, const struct engine_attr *one)
{
	(void)opts;
	return engine_erase(one);
}

MAY_YIELD int
main(int argc, char **argv)
{
	struct engine_options opts;
	sigset_t              signals;
	int                   rc;

	block_signals(&signals);
	rc = engine_options_parse(argc, argv, &opts);
	if (rc != 0) {
		fprintf(stderr, "daos_engine: %s\n", opts.error);
		engine_options_fini(&opts);
		return EXIT_USAGE;
	}
	if (opts.command == ENGINE_CMD_DONE)
		return EXIT_OK;
	rc = d_log_init();
	if (rc != 0) {
		fprintf(stderr, "daos_engine: the log (D_LOG_FILE, D_LOG_MASK) can't be opened: %s\n", d_errdesc(rc));
		engine_options_fini(&opts);
		return EXIT_FAILED;
	}
	if (opts.command == ENGINE_CMD_FORMAT)
		rc = each_device(&opts, "format", format_one);
	else if (opts.command == ENGINE_CMD_ERASE)
		rc = each_device(&opts, "erase", erase_one);
	else
		rc = run(&opts, &signals);
	d_log_fini();
	engine_options_fini(&opts);
	return rc;
}
