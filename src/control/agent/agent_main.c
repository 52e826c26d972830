/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * daos_agent: what clients of one host need to find the system and to say who they are.
 *
 * One thread answers dRPC on <runtime_dir>/daos_agent.sock. Attach information comes from a daos_server over HTTPS and is
 * kept for a short time, so that a thousand processes starting at once ask the server once. Credentials: the kernel says
 * who is at the other end of the socket, the agent's key signs that.
 */
#include <curl/curl.h>
#include <daos_errno.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define D_LOGFAC LOG_FAC_CONTROL
#include "base/log.h"
#include "control/agent/agent_attach.h"
#include "control/common/cli.h"
#include "control/common/ctl_cred.h"
#include "control/common/ctl_http.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "platform/platform.h"

#define CACHE_NS (5 * NSEC_PER_SEC)

struct agent_config {
	const char          *name;
	const char         **access_points;
	uint32_t             access_points_count;
	uint32_t             port;
	const char          *runtime_dir;
	const char          *log_file;
	const char          *control_log_mask;
	bool                 disable_caching;
	uint32_t             provider_idx; /**< which provider of the system clients here use */
	struct ctl_transport transport_config;
};

#define OPT CYAML_FLAG_OPTIONAL
#define STR(key, member) CYAML_FIELD_STRING_PTR(key, OPT | CYAML_FLAG_POINTER, struct agent_config, member, 0, 4096)
static const cyaml_schema_value_t host_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 255)};
static const cyaml_schema_field_t config_fields[] = {
    STR("name", name),
    CYAML_FIELD_SEQUENCE("access_points", OPT | CYAML_FLAG_POINTER, struct agent_config, access_points, &host_schema, 0, 64),
    CYAML_FIELD_UINT("port", OPT, struct agent_config, port),
    STR("runtime_dir", runtime_dir),
    STR("log_file", log_file),
    STR("control_log_mask", control_log_mask),
    CYAML_FIELD_IGNORE("credential_config", OPT),
    CYAML_FIELD_MAPPING("transport_config", OPT, struct agent_config, transport_config, ctl_transport_fields),
    CYAML_FIELD_BOOL("disable_caching", OPT, struct agent_config, disable_caching),
    CYAML_FIELD_UINT("provider_idx", OPT, struct agent_config, provider_idx),
    CYAML_FIELD_IGNORE("cache_expiration", OPT),
    CYAML_FIELD_IGNORE("disable_auto_evict", OPT),
    CYAML_FIELD_IGNORE("enable_evict_on_start", OPT),
    CYAML_FIELD_IGNORE("exclude_fabric_ifaces", OPT),
    CYAML_FIELD_IGNORE("include_fabric_ifaces", OPT),
    CYAML_FIELD_IGNORE("fabric_ifaces", OPT),
    CYAML_FIELD_IGNORE("telemetry_port", OPT),
    CYAML_FIELD_IGNORE("telemetry_enabled", OPT),
    CYAML_FIELD_IGNORE("telemetry_retain", OPT),
    CYAML_FIELD_IGNORE("telemetry_enabled_procs", OPT),
    CYAML_FIELD_IGNORE("telemetry_disabled_procs", OPT),
    CYAML_FIELD_END};
static const cyaml_schema_value_t config_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct agent_config, config_fields)};

struct agent {
	struct agent_config *cfg;
	struct ctl_http     *http;
	char                *key, *cert; /**< PEM; NULL: insecure */
	char                 host[256];
	json_t              *attach;     /**< the last answer, as to the provider of this agent */
	uint64_t             attach_ns;  /**< when it came */
};

static void __attribute__((format(printf, 1, 2)))
say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("daos_agent: ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	va_end(ap);
}

/* ---- attach ---- */

static const char *
str_of(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text ? text : "";
}

/**
 * The server's answer, at most CACHE_NS old; an older one when no server answers now. One without ranks is not kept: the
 * system is starting, and who asks next wants to know what has joined since.
 */
static int
attach_info(struct agent *ag, char *errors, size_t errors_bytes)
{
	static const char *const dflt[] = {"localhost"};
	uint64_t                 now = plat_now_ns();
	json_t                  *resp, *selected;
	int                      rc;

	if (!ag->cfg->disable_caching && json_array_size(json_object_get(ag->attach, "rank_uris")) > 0 &&
	    now - ag->attach_ns < CACHE_NS)
		return 0;
	rc = ctl_ms_call(ag->http, ag->cfg->access_points_count ? ag->cfg->access_points : (const char **)dflt,
			 ag->cfg->access_points_count ? ag->cfg->access_points_count : 1, ag->cfg->port, "attach-info", NULL, &resp, errors,
			 errors_bytes);
	if (rc != 0)
		return ag->attach != NULL ? 0 : rc;
	rc = agent_attach_select(resp, ag->cfg->provider_idx, &selected, errors, errors_bytes);
	json_decref(resp);
	if (rc != 0)
		return rc;
	json_decref(ag->attach);
	ag->attach = selected;
	ag->attach_ns = now;
	return 0;
}

static void
fill_attach(const json_t *doc, Mgmt__GetAttachInfoResp *resp, Mgmt__ClientNetHint *hint)
{
	const json_t *uris = json_object_get(doc, "rank_uris"), *ms = json_object_get(doc, "ms_ranks");
	const json_t *net = json_object_get(doc, "client_net_hint"), *env = json_object_get(net, "env_vars");
	size_t        i;

	resp->sys = (char *)str_of(doc, "sys");
	resp->map_version = (uint32_t)json_integer_value(json_object_get(doc, "map_version"));
	resp->rank_uris = calloc(json_array_size(uris) + 1, sizeof(*resp->rank_uris));
	for (i = 0; resp->rank_uris != NULL && i < json_array_size(uris); i++) {
		Mgmt__RankUri *u = calloc(1, sizeof(*u));

		if (u == NULL)
			break;
		mgmt__rank_uri__init(u);
		u->rank = (uint32_t)json_integer_value(json_object_get(json_array_get(uris, i), "rank"));
		u->uri = (char *)str_of(json_array_get(uris, i), "uri");
		resp->rank_uris[resp->n_rank_uris++] = u;
	}
	resp->ms_ranks = calloc(json_array_size(ms) + 1, sizeof(uint32_t));
	for (i = 0; resp->ms_ranks != NULL && i < json_array_size(ms); i++)
		resp->ms_ranks[resp->n_ms_ranks++] = (uint32_t)json_integer_value(json_array_get(ms, i));
	mgmt__client_net_hint__init(hint);
	hint->provider = (char *)str_of(net, "provider");
	hint->interface = (char *)str_of(net, "interface");
	hint->domain = (char *)str_of(net, "domain");
	hint->crt_timeout = (uint32_t)json_integer_value(json_object_get(net, "crt_timeout"));
	hint->env_vars = calloc(json_array_size(env) + 1, sizeof(char *));
	for (i = 0; hint->env_vars != NULL && i < json_array_size(env); i++)
		if (json_is_string(json_array_get(env, i)))
			hint->env_vars[hint->n_env_vars++] = (char *)json_string_value(json_array_get(env, i));
	resp->net_hint = hint;
}

static void
on_attach(struct agent *ag, struct drpc_request *req)
{
	Mgmt__GetAttachInfoReq *msg = mgmt__get_attach_info_req__unpack(NULL, req->body_bytes, req->body);
	Mgmt__GetAttachInfoResp resp = MGMT__GET_ATTACH_INFO_RESP__INIT;
	Mgmt__ClientNetHint     hint;
	char                    errors[1024];
	size_t                  i;

	if (msg == NULL) {
		drpc_reply(req, DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD, NULL, 0);
		return;
	}
	memset(&hint, 0, sizeof(hint));
	resp.status = attach_info(ag, errors, sizeof(errors));
	if (resp.status != 0)
		say("no attach information: %s", errors);
	else if (msg->sys[0] != '\0' && strcmp(msg->sys, str_of(ag->attach, "sys")) != 0) {
		say("a client wants system '%s'; this agent serves '%s'", msg->sys, str_of(ag->attach, "sys"));
		resp.status = -DER_NONEXIST;
	} else
		fill_attach(ag->attach, &resp, &hint);
	drpc_reply_msg(req, &resp.base);
	for (i = 0; i < resp.n_rank_uris; i++)
		free(resp.rank_uris[i]);
	free(resp.rank_uris);
	free(resp.ms_ranks);
	free(hint.env_vars);
	mgmt__get_attach_info_req__free_unpacked(msg, NULL);
}

/* ---- credentials ---- */

static void
on_creds(struct agent *ag, struct drpc_request *req)
{
	struct ctl_cred_maker maker = {.host = ag->host, .origin = "agent", .key_pem = ag->key, .cert_pem = ag->cert};

	ctl_cred_reply(req, req->uid, req->gid, &maker);
}

static void
dispatch(struct drpc_request *req, void *arg)
{
	if (req->module == DRPC_MODULE_MGMT && req->method == DRPC_METHOD_MGMT_GET_ATTACH_INFO) {
		on_attach(arg, req);
	} else if (req->module == DRPC_MODULE_SEC_AGENT && req->method == DRPC_METHOD_SEC_AGENT_REQUEST_CREDS) {
		on_creds(arg, req);
	} else if (req->module == DRPC_MODULE_MGMT && req->method == DRPC_METHOD_MGMT_NOTIFY_EXIT) {
		Mgmt__DaosResp resp = MGMT__DAOS_RESP__INIT;

		drpc_reply_msg(req, &resp.base);
	} else {
		drpc_reply(req, req->module == DRPC_MODULE_MGMT || req->module == DRPC_MODULE_SEC_AGENT
				    ? DRPC__STATUS__UNKNOWN_METHOD : DRPC__STATUS__UNKNOWN_MODULE, NULL, 0);
	}
}

/* ---- start ---- */

static int
read_pem(const char *path, char **ret_text)
{
	struct stat st;
	FILE       *f = fopen(path, "r");
	char       *text = NULL;
	int         rc = -DER_NO_CERT;

	if (f != NULL && fstat(fileno(f), &st) == 0 && st.st_size < (1 << 20)) {
		text = calloc(1, (size_t)st.st_size + 1);
		if (text != NULL && fread(text, 1, (size_t)st.st_size, f) == (size_t)st.st_size) {
			*ret_text = text;
			text = NULL;
			rc = 0;
		}
	}
	free(text);
	if (f != NULL)
		fclose(f);
	return rc;
}

static int
load_config(struct cli *cli, struct agent_config **ret_cfg)
{
	const char          *path = cli_get(cli, "config-path");
	struct agent_config *cfg = NULL;
	char                 errors[2048];
	int                  rc;

	if (path == NULL && access("/etc/daos/daos_agent.yml", F_OK) == 0)
		path = "/etc/daos/daos_agent.yml";
	if (path != NULL) {
		rc = ctl_config_load(path, &config_schema, (void **)&cfg, errors, sizeof(errors));
		if (rc != 0)
			return cli_fail(cli, CLI_FAILED, rc, "configuration %s: %s", path, errors);
	} else {
		cfg = calloc(1, sizeof(*cfg));
	}
	if (cli_has(cli, "runtime_dir"))
		cfg->runtime_dir = strdup(cli_get(cli, "runtime_dir"));
	if (cfg->runtime_dir == NULL)
		cfg->runtime_dir = strdup("/var/run/daos_agent");
	if (cli_has(cli, "logfile"))
		cfg->log_file = strdup(cli_get(cli, "logfile"));
	if (cfg->port == 0)
		cfg->port = CTL_PORT_DEFAULT;
	if (cli_has(cli, "insecure"))
		cfg->transport_config.allow_insecure = true;
	ctl_transport_defaults(&cfg->transport_config, "agent");
	*ret_cfg = cfg;
	return CLI_OK;
}

static int
open_agent(struct cli *cli, struct agent *ag)
{
	char errors[2048];
	int  rc = load_config(cli, &ag->cfg);

	if (rc != CLI_OK)
		return rc;
	gethostname(ag->host, sizeof(ag->host) - 1);
	setenv("D_LOG_MASK", ag->cfg->control_log_mask ? ag->cfg->control_log_mask : "INFO", 0);
	if (ag->cfg->log_file != NULL)
		setenv("D_LOG_FILE", ag->cfg->log_file, 0);
	rc = d_log_init();
	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, rc, "log file %s cannot be opened", ag->cfg->log_file ? ag->cfg->log_file : "");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	rc = ctl_http_open(&ag->cfg->transport_config, 20, &ag->http, errors, sizeof(errors));
	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, rc, "%s", errors);
	if (!ag->cfg->transport_config.allow_insecure &&
	    (read_pem(ag->cfg->transport_config.key, &ag->key) != 0 || read_pem(ag->cfg->transport_config.cert, &ag->cert) != 0))
		return cli_fail(cli, CLI_FAILED, -DER_NO_CERT, "cannot read %s and %s", ag->cfg->transport_config.key,
				ag->cfg->transport_config.cert);
	return CLI_OK;
}

static int
serve(struct cli *cli, struct agent *ag)
{
	struct drpc_listener *l;
	struct pollfd         fds[2];
	sigset_t              set;
	char                  path[4200];
	int                   rc, sig_fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	sig_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (mkdir(ag->cfg->runtime_dir, 0755) != 0 && errno != EEXIST)
		return cli_fail(cli, CLI_FAILED, -DER_NO_PERM, "cannot create runtime_dir %s: %s; make it, or set runtime_dir",
				ag->cfg->runtime_dir, strerror(errno));
	snprintf(path, sizeof(path), "%s/daos_agent.sock", ag->cfg->runtime_dir);
	rc = drpc_listen(path, 0666, dispatch, ag, &l);
	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, rc, "cannot listen on %s: %s%s", path, d_errdesc(rc),
				rc == -DER_ALREADY ? "; another daos_agent answers there" : "");
	say("DAOS Agent v%s (pid %d) listening on %s%s", CLI_VERSION, getpid(), path,
	    ag->cfg->transport_config.allow_insecure ? " without certificates" : "");
	fds[0] = (struct pollfd){.fd = drpc_listener_fd(l), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = sig_fd, .events = POLLIN};
	fds[1].revents = 0;
	while (!(fds[1].revents & POLLIN))
		if (poll(fds, 2, -1) > 0 && (fds[0].revents & POLLIN))
			drpc_progress(l, 0);
	drpc_listener_close(l);
	close(sig_fd);
	return CLI_OK;
}

static void
close_agent(struct agent *ag)
{
	ctl_http_close(ag->http);
	json_decref(ag->attach);
	free(ag->key);
	free(ag->cert);
	ctl_config_free(&config_schema, ag->cfg);
}

static int
run_start(struct cli *cli)
{
	struct agent ag = {0};
	int          rc = open_agent(cli, &ag);

	if (rc == CLI_OK)
		rc = serve(cli, &ag);
	close_agent(&ag);
	return rc;
}

/** -n instead of the configuration's. */
static int
take_provider_idx(struct cli *cli, struct agent *ag)
{
	const char *text = cli_get(cli, "provider_idx");

	if (text == NULL)
		return CLI_OK;
	if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 3)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--provider_idx '%s' is no index: 0, 1, ...", text);
	ag->cfg->provider_idx = (uint32_t)atoi(text);
	return CLI_OK;
}

static int
run_dump(struct cli *cli)
{
	struct agent ag = {0};
	char         errors[2048];
	int          rc = open_agent(cli, &ag);

	if (rc == CLI_OK)
		rc = take_provider_idx(cli, &ag);
	if (rc == CLI_OK) {
		int err = attach_info(&ag, errors, sizeof(errors));

		if (err != 0)
			rc = cli_fail(cli, CLI_FAILED, err, "%s", errors);
		else if (cli->json)
			cli_json_out(cli, json_incref(ag.attach), NULL, 0);
		else {
			json_dumpf(ag.attach, stdout, JSON_INDENT(2));
			putchar('\n');
		}
	}
	close_agent(&ag);
	return rc;
}

static int
run_version(struct cli *cli)
{
	if (cli->json)
		return cli_json_out(cli, json_pack("{s:s, s:s}", "name", "DAOS Agent", "version", CLI_VERSION), NULL, 0);
	printf("DAOS Agent v%s\n", CLI_VERSION);
	return CLI_OK;
}

static const struct cli_opt global_opts[] = {
    {"config-path", 'o', CLI_VALUE, "PATH", "configuration (default /etc/daos/daos_agent.yml)"},
    {"insecure", 'i', CLI_FLAG, NULL, "no certificates: plain HTTP"},
    {"runtime_dir", 's', CLI_VALUE, "PATH", "directory of the socket"},
    {"logfile", 'l', CLI_VALUE, "PATH", "log file"},
    {"json", 'j', CLI_FLAG, NULL, "print JSON"},
    {"debug", 'd', CLI_FLAG, NULL, "log debug messages"},
    {"json-logging", 'J', CLI_FLAG, NULL, "", .hidden = true},
    {"allow-proxy", 0, CLI_FLAG, NULL, "", .hidden = true},
    {0}};
static const struct cli_opt dump_opts[] = {
    {"provider_idx", 'n', CLI_VALUE, "N", "of the system's provider N: 0 the primary (default: as configured)"}, {0}};
static const struct cli_cmd cmds[] = {
    {"start", NULL, "Serve clients of this host (the default)", .run = run_start},
    {"dump-attachinfo", NULL, "Print what clients would be told", .opts = dump_opts, .run = run_dump},
    {"version", NULL, "Print the version", .run = run_version},
    {0}};

int
main(int argc, char **argv)
{
	static const struct cli_program program = {.name = "daos_agent",
						   .help = "Tells clients of one host how to reach a DAOS system, and vouches for who they are.",
						   .opts = global_opts,
						   .cmds = cmds,
						   .deflt = "start"};

	return cli_main(&program, argc, argv, NULL);
}
