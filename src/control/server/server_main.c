/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos_server: its commands, and the order in which a server starts and stops. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <daos_errno.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define D_LOGFAC LOG_FAC_CONTROL
#include "base/log.h"
#include "control/common/cli.h"
#include "control/common/cli_text.h"
#include "control/server/server.h"
#include "control/server/server_cert.h"
#include "control/server/server_db.h"

/* ---- who and where we are ---- */

static bool
is_local(uint32_t addr)
{
	struct ifaddrs *ifs, *i;
	bool            found = (ntohl(addr) >> 24) == 127;

	if (found || getifaddrs(&ifs) != 0)
		return found;
	for (i = ifs; i != NULL && !found; i = i->ifa_next)
		found = i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET &&
			((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == addr;
	freeifaddrs(ifs);
	return found;
}

static int
iface_addr(const char *iface, char buf[INET_ADDRSTRLEN])
{
	struct ifaddrs *ifs, *i;
	int             rc = -DER_NONEXIST;

	if (getifaddrs(&ifs) != 0)
		return -DER_MISC;
	for (i = ifs; i != NULL && rc != 0; i = i->ifa_next) {
		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET || strcmp(i->ifa_name, iface) != 0)
			continue;
		if (inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, buf, INET_ADDRSTRLEN) != NULL)
			rc = 0;
	}
	freeifaddrs(ifs);
	return rc;
}

/** Where the MS is, whether that is here, and how others reach us. */
static int
find_self(struct server *srv)
{
	const struct server_config *cfg = srv->cfg;
	const char                 *ms = cfg->ms_replicas_count ? cfg->ms_replicas[0] : "localhost";
	const char                 *colon = strrchr(ms, ':');
	struct addrinfo             hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *ai;
	char                        name[256], ip[INET_ADDRSTRLEN];
	unsigned                    port = colon ? (unsigned)atoi(colon + 1) : cfg->port;
	uint32_t                    addr;

	snprintf(name, sizeof(name), "%.*s", colon ? (int)(colon - ms) : (int)strlen(ms), ms);
	if (getaddrinfo(name, NULL, &hints, &ai) != 0) {
		server_say("mgmt_svc_replicas: host %s cannot be resolved; check the name, or give an address", name);
		return -DER_NONEXIST;
	}
	addr = ((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr;
	freeaddrinfo(ai);
	snprintf(srv->ms_host, sizeof(srv->ms_host), "%s:%u", name, port);
	srv->is_ms = port == cfg->port && is_local(addr);
	if (cfg->control_iface != NULL ? iface_addr(cfg->control_iface, ip) != 0
	    : (ntohl(addr) >> 24) == 127 ? inet_ntop(AF_INET, &addr, ip, sizeof(ip)) == NULL
					 : iface_addr(cfg->engines[0].fabric.of[0].iface, ip) != 0) {
		server_say("interface %s has no IPv4 address; check control_iface and fabric_iface",
			   cfg->control_iface ? cfg->control_iface : cfg->engines[0].fabric.of[0].iface);
		return -DER_NONEXIST;
	}
	snprintf(srv->addr, sizeof(srv->addr), "%s:%u", ip, cfg->port);
	return 0;
}

/** Directory of the system database: control_metadata, or the first engine's own. */
static const char *
db_dir(const struct server_config *cfg)
{
	return cfg->control_metadata.path ? cfg->control_metadata.path : server_ram_tier(&cfg->engines[0])->scm_mount;
}

static int
open_db(struct server *srv)
{
	char errors[1024];
	int  rc;

	if (!srv->is_ms)
		return 0;
	if (mkdir(db_dir(srv->cfg), 0700) != 0 && errno != EEXIST) {
		server_say("cannot create %s: %s; make it, or set control_metadata", db_dir(srv->cfg), strerror(errno));
		return -DER_NO_PERM;
	}
	rc = server_db_open(db_dir(srv->cfg), srv->cfg->name, &srv->db, errors, sizeof(errors));
	if (rc != 0)
		server_say("system database: %s; restore it from a backup. Pools and ranks are recorded there: it is left as it is", errors);
	return rc;
}

/* ---- start and stop ---- */

static int
start_all(struct server *srv)
{
	int rc = find_self(srv);

	if (rc == 0 && mkdir(srv->cfg->socket_dir, 0755) != 0 && errno != EEXIST) {
		server_say("cannot create socket_dir %s: %s; make it, or set socket_dir", srv->cfg->socket_dir, strerror(errno));
		rc = -DER_NO_PERM;
	}
	if (rc == 0)
		rc = open_db(srv);
	if (rc == 0)
		rc = server_upcalls_start(srv);
	/* Members that were joined when the last server ended are not until they say so again. */
	if (rc == 0 && srv->db != NULL) {
		json_t *m;
		size_t  i;

		json_array_foreach(server_db_members(srv->db), i, m)
			if ((strcmp(db_str(m, "state"), "joined") == 0 || strcmp(db_str(m, "state"), "joining") == 0) &&
			    strcmp(db_str(m, "addr"), srv->addr) == 0)
				json_object_set_new(m, "state", json_string("stopped"));
	}
	if (rc == 0)
		rc = server_engines_start(srv);
	if (rc == 0)
		rc = server_http_start(srv);
	return rc;
}

static void
stop_all(struct server *srv)
{
	server_engines_stop(srv);
	server_http_stop(srv);
	server_upcalls_stop(srv);
	server_db_close(srv->db);
}

static int
serve(struct cli *cli, struct server_config *cfg)
{
	struct server srv = {.cfg = cfg, .wake_fd = -1};
	sigset_t      set;
	int           sig, rc;

	/* Before the first thread: all inherit it, and only this one takes signals. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigdelset(&set, SIGPIPE);
	pthread_mutex_init(&srv.lock, NULL);
	pthread_cond_init(&srv.changed, NULL);
	rc = start_all(&srv);
	if (rc == 0) {
		server_say("DAOS Control Server v%s (pid %d) listening on %s%s; %u engine%s%s", CLI_VERSION, getpid(), srv.addr,
			   cfg->transport_config.allow_insecure ? " without certificates" : "", cfg->engines_count,
			   cfg->engines_count == 1 ? "" : "s", srv.is_ms ? "; serves the management service" : "");
		sigwait(&set, &sig);
		server_say("stopping (%s)", strsignal(sig));
	}
	stop_all(&srv);
	pthread_cond_destroy(&srv.changed);
	pthread_mutex_destroy(&srv.lock);
	return rc == 0 ? CLI_OK : cli_fail(cli, CLI_FAILED, rc, "cannot start: %s", d_errdesc(rc));
}

static int
run_start(struct cli *cli)
{
	const char           *path = cli_has(cli, "config") ? cli_get(cli, "config") : "/etc/daos/daos_server.yml";
	struct server_config *cfg;
	char                  errors[2048];
	int                   rc = server_config_load(path, &cfg, errors, sizeof(errors));
	uint32_t              i;

	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, rc, "configuration %s: %s", path, errors);
	if (cli_has(cli, "insecure"))
		cfg->transport_config.allow_insecure = true;
	if (cli_has(cli, "port"))
		cfg->port = (uint32_t)atoi(cli_get(cli, "port"));
	if (cli_has(cli, "group"))
		cfg->name = strdup(cli_get(cli, "group"));
	if (cli_has(cli, "socket_dir"))
		cfg->socket_dir = strdup(cli_get(cli, "socket_dir"));
	for (i = 0; i < cfg->engines_count; i++) {
		if (cli_has(cli, "targets"))
			cfg->engines[i].targets = (uint32_t)atoi(cli_get(cli, "targets"));
		if (cli_has(cli, "xshelpernr"))
			cfg->engines[i].nr_xs_helpers = (uint32_t)atoi(cli_get(cli, "xshelpernr"));
	}
	rc = server_config_check(cfg, errors, sizeof(errors)); /* what the command line changed */
	if (rc != 0) {
		server_config_free(cfg);
		return cli_fail(cli, CLI_FAILED, rc, "configuration %s with these options: %s", path, errors);
	}
	setenv("D_LOG_MASK", cfg->control_log_mask, 0);
	if (cfg->control_log_file != NULL)
		setenv("D_LOG_FILE", cfg->control_log_file, 0);
	rc = d_log_init();
	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, rc, "log file %s cannot be opened", cfg->control_log_file ? cfg->control_log_file : "");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	rc = serve(cli, cfg);
	curl_global_cleanup();
	d_log_fini();
	server_config_free(cfg);
	return rc;
}

/* ---- the other commands ---- */

static int
run_version(struct cli *cli)
{
	if (cli->json)
		return cli_json_out(cli, json_pack("{s:s, s:s}", "name", "DAOS Control Server", "version", CLI_VERSION), NULL, 0);
	printf("DAOS Control Server v%s\n", CLI_VERSION);
	return CLI_OK;
}

static int
run_cert(struct cli *cli)
{
	const char *dir = cli_has(cli, "dir") ? cli_get(cli, "dir") : "/etc/daos/certs";
	char        error[4400];
	int         rc = server_certs_generate(dir, cli_has(cli, "group") ? cli_get(cli, "group") : CTL_SYS_DEFAULT, cli_has(cli, "force"),
					       error, sizeof(error));

	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, rc, "%s", error);
	if (cli->json)
		return cli_json_out(cli, json_pack("{s:s}", "dir", dir), NULL, 0);
	printf("Certificates are in %s:\n"
	       "  daosCA.crt              on every host\n"
	       "  server.crt, server.key  on servers\n"
	       "  agent.crt, agent.key    on clients, readable by who runs daos_agent\n"
	       "  admin.crt, admin.key    where dmg runs\n"
	       "  daosCA.key              nowhere else: whoever has it can make certificates\n", dir);
	return CLI_OK;
}

static int
run_network(struct cli *cli)
{
	json_t            *list = server_network_interfaces(cli_get(cli, "provider")), *d;
	struct text_table *t;
	size_t             i;

	if (cli->json)
		return cli_json_out(cli, json_pack("{s:o}", "interfaces", list), NULL, 0);
	t = text_table_new(3, (const char *[]){"NUMA Socket", "Network Device", "Provider(s)"});
	json_array_foreach(list, i, d) {
		char numa[16];

		snprintf(numa, sizeof(numa), "%u", (unsigned)db_int(d, "numa_node"));
		text_table_row(t, (const char *[]){numa, db_str(d, "device"), db_str(d, "provider")});
	}
	text_table_print(t, stdout);
	text_table_free(t);
	json_decref(list);
	return CLI_OK;
}

static const struct cli_opt global_opts[] = {{"json", 'j', CLI_FLAG, NULL, "print JSON"},
					     {"json-logging", 'J', CLI_FLAG, NULL, "", .hidden = true},
					     {"debug", 'b', CLI_FLAG, NULL, "log debug messages"},
					     {"syslog", 0, CLI_FLAG, NULL, "", .hidden = true},
					     {"allow-proxy", 0, CLI_FLAG, NULL, "", .hidden = true},
					     {0}};
static const struct cli_opt start_opts[] = {
    {"config", 'o', CLI_VALUE, "PATH", "configuration (default /etc/daos/daos_server.yml)"},
    {"insecure", 'i', CLI_FLAG, NULL, "no certificates: plain HTTP"},
    {"port", 'p', CLI_VALUE, "PORT", "instead of the configured one"},
    {"targets", 't', CLI_VALUE, "N", "targets of each engine"},
    {"xshelpernr", 'x', CLI_VALUE, "N", "helper xstreams of each engine"},
    {"group", 'g', CLI_VALUE, "NAME", "system name"},
    {"socket_dir", 'd', CLI_VALUE, "PATH", "directory of sockets"},
    {"storage", 's', CLI_VALUE, "PATH", "", .hidden = true},
    {"modules", 'm', CLI_VALUE, "LIST", "", .hidden = true},
    {"firstcore", 'f', CLI_VALUE, "N", "", .hidden = true},
    {"ignore-config", 0, CLI_FLAG, NULL, "", .hidden = true},
    {0}};
static const struct cli_opt cert_opts[] = {{"dir", 'd', CLI_VALUE, "PATH", "where (default /etc/daos/certs)"},
					   {"group", 'g', CLI_VALUE, "NAME", "system name"},
					   {"force", 'f', CLI_FLAG, NULL, "replace those that are there"},
					   {0}};
static const struct cli_opt net_opts[] = {{"provider", 'p', CLI_VALUE, "NAME", "only this provider"},
					  {"config", 'o', CLI_VALUE, "PATH", "", .hidden = true},
					  {"ignore-config", 0, CLI_FLAG, NULL, "", .hidden = true},
					  {0}};
static const struct cli_cmd net_cmds[] = {{"scan", NULL, "Interfaces and providers", .opts = net_opts, .run = run_network}, {0}};
static const struct cli_cmd cert_cmds[] = {
    {"generate", "gen", "Make a CA and the certificates of servers, agents and administrators", .opts = cert_opts, .run = run_cert}, {0}};
static const struct cli_cmd cmds[] = {
    {"start", NULL, "Start this host's engines and serve", .opts = start_opts, .run = run_start},
    {"cert", NULL, "Certificates", .subs = cert_cmds},
    {"network", "net", "Network interfaces of this host", .subs = net_cmds},
    {"version", NULL, "Print the version", .run = run_version},
    {0}};

int
main(int argc, char **argv)
{
	static const struct cli_program program = {
	    .name = "daos_server", .help = "The control plane of one host of a DAOS system.", .opts = global_opts, .cmds = cmds};

	return cli_main(&program, argc, argv, NULL);
}
