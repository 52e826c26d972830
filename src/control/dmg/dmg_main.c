/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** dmg: the administrator's command. Asks daos_server over the management API and prints what it says. */
#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/common/cli_text.h"
#include "control/dmg/dmg.h"

static int
run_version(struct cli *cli)
{
	if (cli->json)
		return cli_json_out(cli, json_pack("{s:s, s:s}", "name", "DAOS Management Tool", "version", CLI_VERSION), NULL, 0);
	printf("dmg version %s\n", CLI_VERSION);
	return CLI_OK;
}

static int
run_server_version(struct cli *cli)
{
	json_t     *resp, *one;
	const char *host;
	int         rc = dmg_hosts(cli, "host/server-version", json_object(), &resp);

	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	json_object_foreach(json_object_get(resp, "host_responses"), host, one)
		printf("%s: %s %s\n", host, jstr(one, "name"), jstr(one, "version"));
	rc = dmg_print_host_errors(resp);
	json_decref(resp);
	return rc;
}

static const struct cli_opt global_opts[] = {
    {"insecure", 'i', CLI_FLAG, NULL, "no certificates: plain HTTP"},
    {"debug", 'd', CLI_FLAG, NULL, "print what is asked and answered"},
    {"log-file", 0, CLI_VALUE, "PATH", "where debug output goes"},
    {"json", 'j', CLI_FLAG, NULL, "print JSON"},
    {"json-logging", 'J', CLI_FLAG, NULL, "log in JSON"},
    {"config-path", 'o', CLI_VALUE, "PATH", "configuration (default ~/.daos_control.yml, /etc/daos/daos_control.yml)"},
    {"host-list", 'l', CLI_VALUE, "HOSTS", "host[:port],... to ask instead of the configured ones"},
    {"allow-proxy", 0, CLI_FLAG, NULL, "accepted for compatibility: proxies are never used", .hidden = true},
    {0}};

static const struct cli_cmd cmds[] = {
    {"storage", "sto", "Scan and format storage", .subs = dmg_storage_cmds},
    {"network", "net", "Scan network interfaces", .subs = dmg_network_cmds},
    {"system", "sys", "Query, start, stop and erase the system", .subs = dmg_system_cmds},
    {"pool", NULL, "Create, query and destroy pools", .subs = dmg_pool_cmds},
    {"container", "cont", "Administer containers", .subs = dmg_container_cmds},
    {"server", "srv", "Settings of running servers", .subs = dmg_server_cmds},
    {"server-version", NULL, "Print the servers' versions", .run = run_server_version},
    {"version", NULL, "Print the version of dmg", .run = run_version},
    {0}};

/* ---- calls ---- */

static int
split_hosts(const char *text, const char ***ret_hosts, uint32_t *ret_nr)
{
	char        *copy = strdup(text), *word, *save = NULL;
	const char **hosts = calloc(strlen(text) / 2 + 1, sizeof(*hosts));
	uint32_t     nr = 0;

	if (copy == NULL || hosts == NULL) {
		free(copy);
		free(hosts);
		return -DER_NOMEM;
	}
	for (word = strtok_r(copy, ", ", &save); word != NULL; word = strtok_r(NULL, ", ", &save))
		hosts[nr++] = word;
	*ret_hosts = hosts; /* the copy lives as long as the process: this is a command */
	*ret_nr = nr;
	return 0;
}

static int
before(struct cli *cli)
{
	struct dmg *dmg = cli->data;
	char        errors[2048];
	const char *path = cli_get(cli, "config-path");
	int         rc;

	if (cli->path[0]->run == run_version)
		return CLI_OK;
	rc = ctl_client_config_load(path, &dmg->config, errors, sizeof(errors));
	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, rc, "configuration %s: %s", path ? path : "of dmg", errors);
	if (cli_has(cli, "insecure"))
		dmg->config->transport_config->allow_insecure = true;
	if (cli_has(cli, "host-list") && split_hosts(cli_get(cli, "host-list"), &dmg->config->hostlist, &dmg->config->hostlist_count) != 0)
		return cli_fail(cli, CLI_FAILED, -DER_NOMEM, "out of memory");
	rc = ctl_http_open(dmg->config->transport_config, 300, &dmg->http, errors, sizeof(errors));
	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, rc, "%s", errors);
	return CLI_OK;
}

static void
debug_print(struct cli *cli, const char *what, const char *method, const json_t *doc)
{
	char *text;
	FILE *f;

	if (!cli_has(cli, "debug"))
		return;
	f = cli_has(cli, "log-file") ? fopen(cli_get(cli, "log-file"), "a") : stderr;
	text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	if (f != NULL)
		fprintf(f, "DEBUG: %s %s %s\n", what, method, text ? text : "");
	free(text);
	if (f != NULL && f != stderr)
		fclose(f);
}

int
dmg_ms(struct cli *cli, const char *method, json_t *request, json_t **ret_response)
{
	struct dmg *dmg = cli->data;
	char        errors[4096];
	int         rc;

	debug_print(cli, "request", method, request);
	rc = ctl_ms_call(dmg->http, dmg->config->hostlist, dmg->config->hostlist_count, dmg->config->port, method, request,
			 ret_response, errors, sizeof(errors));
	json_decref(request);
	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, rc, "%s", errors);
	debug_print(cli, "response", method, *ret_response);
	return CLI_OK;
}

int
dmg_hosts(struct cli *cli, const char *method, json_t *request, json_t **ret_response)
{
	struct dmg *dmg = cli->data;
	json_t     *ok = json_object(), *failed = json_object(), *resp;
	char        errors[4096];
	uint32_t    i;
	int         rc = 0;

	debug_print(cli, "request", method, request);
	for (i = 0; i < dmg->config->hostlist_count; i++) {
		const char *host = dmg->config->hostlist[i];

		rc = ctl_http_call(dmg->http, host, dmg->config->port, method, request, &resp, errors, sizeof(errors));
		if (rc == 0)
			json_object_set_new(ok, host, resp);
		else
			json_object_set_new(failed, host, json_string(errors));
	}
	json_decref(request);
	if (json_object_size(ok) == 0) {
		json_decref(ok);
		json_decref(failed);
		return cli_fail(cli, CLI_FAILED, rc, "%s", errors);
	}
	*ret_response = json_pack("{s:o, s:o}", "host_responses", ok, "host_errors", failed);
	debug_print(cli, "response", method, *ret_response);
	return CLI_OK;
}

int
dmg_json_done(struct cli *cli, json_t *response)
{
	bool failed = json_object_size(json_object_get(response, "host_errors")) > 0;

	if (!cli->json)
		return -1;
	cli_json_out(cli, response, NULL, 0);
	return failed ? CLI_FAILED : CLI_OK;
}

int
dmg_print_host_errors(const json_t *response)
{
	const char *host;
	json_t     *text, *errors = json_object_get(response, "host_errors");

	json_object_foreach(errors, host, text)
		fprintf(stderr, "ERROR: dmg: %s\n", json_string_value(text));
	return json_object_size(errors) > 0 ? CLI_FAILED : CLI_OK;
}

/* ---- forms ---- */

const char *
jstr(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text ? text : "";
}

uint64_t
jint(const json_t *obj, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(obj, key));
}

char *
jranks(const json_t *array)
{
	size_t    nr = json_array_size(array), i;
	uint32_t *ranks = calloc(nr + 1, sizeof(*ranks));
	char     *text;

	if (ranks == NULL)
		return NULL;
	for (i = 0; i < nr; i++)
		ranks[i] = (uint32_t)json_integer_value(json_array_get(array, i));
	text = text_ranks(ranks, nr);
	free(ranks);
	return text;
}

int
dmg_put_ranks(struct cli *cli, const char *opt, json_t *request, const char *key)
{
	uint32_t *ranks, nr, i;
	json_t   *array;

	if (!cli_has(cli, opt))
		return CLI_OK;
	if (text_parse_ranks(cli_get(cli, opt), &ranks, &nr) != 0)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--%s=%s is no list of ranks such as 0-3,5", opt, cli_get(cli, opt));
	array = json_array();
	for (i = 0; i < nr; i++)
		json_array_append_new(array, json_integer(ranks[i]));
	free(ranks);
	json_object_set_new(request, key, array);
	return CLI_OK;
}

int
dmg_put_props(struct cli *cli, const char *text, json_t *request, const char *key)
{
	json_t     *props = json_array();
	const char *p = text;

	json_object_set_new(request, key, props);
	while (*p != '\0') {
		size_t      n = strcspn(p, ",");
		const char *colon = memchr(p, ':', n);

		if (colon == NULL || colon == p)
			return cli_fail(cli, CLI_USAGE, -DER_INVAL, "'%.*s' is no property: wanted name:value[,name:value...]", (int)n, p);
		json_array_append_new(props, json_pack("{s:s%, s:s%}", "name", p, (size_t)(colon - p), "value", colon + 1,
						       (size_t)(p + n - colon - 1)));
		p += n + (p[n] == ',');
	}
	return CLI_OK;
}

int
main(int argc, char **argv)
{
	static const struct cli_program program = {
	    .name = "dmg",
	    .help = "Manages a DAOS system: storage, ranks, pools.",
	    .opts = global_opts,
	    .cmds = cmds,
	    .before = before,
	};
	struct dmg dmg = {0};
	int        rc = cli_main(&program, argc, argv, &dmg);

	ctl_http_close(dmg.http);
	return rc;
}
