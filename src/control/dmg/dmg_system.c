/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** dmg system, dmg server. */
#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/common/cli_text.h"
#include "control/dmg/dmg.h"

static json_t *
ranks_request(struct cli *cli)
{
	json_t *req = json_object();

	json_object_set_new(req, "ranks", json_string(cli_has(cli, "ranks") ? cli_get(cli, "ranks") : ""));
	json_object_set_new(req, "hosts", json_string(cli_has(cli, "rank-hosts") ? cli_get(cli, "rank-hosts") : ""));
	json_object_set_new(req, "force", json_boolean(cli_has(cli, "force")));
	json_object_set_new(req, "ignore_admin_excluded", json_boolean(cli_has(cli, "ignore-admin-excluded")));
	if (cli_has(cli, "with-states"))
		json_object_set_new(req, "states", json_string(cli_get(cli, "with-states")));
	if (cli_has(cli, "not-ok"))
		json_object_set_new(req, "not_ok", json_true());
	return req;
}

static void
print_members_verbose(const json_t *members)
{
	static const char *const titles[] = {"Rank", "UUID", "Control Address", "Fault Domain", "State", "Reason"};
	struct text_table       *t = text_table_new(ARRAY_NR(titles), titles);
	json_t                  *m;
	size_t                   i;

	json_array_foreach(members, i, m) {
		char rank[16];

		snprintf(rank, sizeof(rank), "%u", (unsigned)jint(m, "rank"));
		text_table_row(t, (const char *[]){rank, jstr(m, "uuid"), jstr(m, "addr"), jstr(m, "fault_domain"), jstr(m, "state"),
						   jstr(m, "info")});
	}
	text_table_print(t, stdout);
	text_table_free(t);
}

/** One row per value of @key, with all ranks that have it: `[0-2] Joined`. */
static void
print_grouped(const json_t *rows, int column_nr, const char *const *titles, const char *const *keys)
{
	struct text_table *t = text_table_new(column_nr, titles);
	json_t            *groups = json_object(), *row, *ranks;
	const char        *name;
	size_t             i;
	int                k;

	json_array_foreach(rows, i, row) {
		char group[1024];
		int  len = 0;

		for (k = 0; k < column_nr - 1; k++)
			len += snprintf(group + len, len < (int)sizeof(group) ? sizeof(group) - len : 0, "%s\t", jstr(row, keys[k]));
		if (json_object_get(groups, group) == NULL)
			json_object_set_new(groups, group, json_array());
		json_array_append(json_object_get(groups, group), json_object_get(row, "rank"));
	}
	json_object_foreach(groups, name, ranks) {
		const char *cells[8];
		char       *list = jranks(ranks), *copy = strdup(name), *p = copy, shown[256];

		snprintf(shown, sizeof(shown), json_array_size(ranks) > 1 ? "[%s]" : "%s", list ? list : "");
		cells[0] = shown;
		for (k = 1; k < column_nr; k++)
			cells[k] = strsep(&p, "\t");
		text_table_row(t, cells);
		free(list);
		free(copy);
	}
	json_decref(groups);
	text_table_print(t, stdout);
	text_table_free(t);
}

static int
run_query(struct cli *cli)
{
	json_t *resp, *members;
	int     rc = dmg_ms(cli, "system/query", ranks_request(cli), &resp);

	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	members = json_object_get(resp, "members");
	if (json_array_size(members) == 0)
		printf("Query matches no ranks in system\n");
	else if (cli_has(cli, "verbose"))
		print_members_verbose(members);
	else
		print_grouped(members, 2, (const char *[]){"Rank", "State"}, (const char *[]){"state"});
	if (jstr(resp, "absentranks")[0] != '\0')
		printf("Unknown ranks: %s\n", jstr(resp, "absentranks"));
	if (jstr(resp, "absenthosts")[0] != '\0')
		printf("Unknown hosts: %s\n", jstr(resp, "absenthosts"));
	json_decref(resp);
	return CLI_OK;
}

static int
results_done(struct cli *cli, json_t *resp)
{
	json_t *results = json_object_get(resp, "results"), *r;
	size_t  i;
	int     failed = 0, rc;

	json_array_foreach(results, i, r)
		failed += json_is_true(json_object_get(r, "errored"));
	rc = dmg_json_done(cli, resp);
	if (rc >= 0)
		return failed ? CLI_FAILED : rc;
	if (json_array_size(results) == 0)
		printf("No results returned\n");
	else
		print_grouped(results, 4, (const char *[]){"Rank", "Operation", "Result", "State"},
			      (const char *[]){"action", "msg", "state"});
	json_decref(resp);
	return failed ? cli_fail(cli, CLI_FAILED, -DER_MISC, "failed on %d rank%s", failed, failed > 1 ? "s" : "") : CLI_OK;
}

/** start, stop and erase: the command's data is the method. */
static int
run_ranks(struct cli *cli)
{
	json_t *resp;
	int     rc = dmg_ms(cli, (const char *)cli->path[cli->depth - 1]->data, ranks_request(cli), &resp);

	return rc != 0 ? rc : results_done(cli, resp);
}

static int
run_leader(struct cli *cli)
{
	json_t *resp;
	char   *list;
	int     rc = dmg_ms(cli, "system/leader-query", json_object(), &resp);

	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	printf("Current Leader: %s\n   Replica Set: ", jstr(resp, "current_leader"));
	list = json_dumps(json_object_get(resp, "replicas"), JSON_COMPACT);
	for (const char *p = list ? list : ""; *p != '\0'; p++)
		if (*p != '"' && *p != '[' && *p != ']')
			fputs(*p == ',' ? ", " : (char[]){*p, 0}, stdout);
	putchar('\n');
	if (cli_has(cli, "down-replicas"))
		printf("Unresponsive Replicas: %zu\n", json_array_size(json_object_get(resp, "down_replicas")));
	free(list);
	json_decref(resp);
	return CLI_OK;
}

/** get-prop, get-attr. */
static int
run_get(struct cli *cli)
{
	bool        props = strcmp(cli->path[cli->depth - 1]->name, "get-prop") == 0;
	json_t     *req = json_object(), *keys = json_array(), *resp, *value;
	const char *p, *key;
	int         rc;

	for (p = cli_arg(cli, 0); p != NULL && *p != '\0';) {
		size_t n = strcspn(p, ",");

		json_array_append_new(keys, json_stringn(p, n));
		p += n + (p[n] == ',');
	}
	json_object_set_new(req, "keys", keys);
	rc = dmg_ms(cli, props ? "system/get-prop" : "system/get-attr", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	struct text_table *t = text_table_new(2, (const char *[]){"Name", "Value"});

	json_object_foreach(json_object_get(resp, props ? "properties" : "attributes"), key, value)
		text_table_row(t, (const char *[]){key, json_string_value(value)});
	text_table_print(t, stdout);
	text_table_free(t);
	json_decref(resp);
	return CLI_OK;
}

/** set-prop, set-attr: "k:v,..." into {"k": "v"}; del-attr: null values. */
static int
run_set(struct cli *cli)
{
	const char *name = cli->path[cli->depth - 1]->name, *p;
	bool        props = strcmp(name, "set-prop") == 0, del = strcmp(name, "del-attr") == 0;
	json_t     *req = json_object(), *map = json_object(), *resp;
	int         rc;

	for (p = cli_arg(cli, 0); *p != '\0';) {
		size_t      n = strcspn(p, ",");
		const char *colon = del ? p + n : memchr(p, ':', n);
		char       *key;

		if (colon == NULL) {
			json_decref(map);
			json_decref(req);
			return cli_fail(cli, CLI_USAGE, -DER_INVAL, "'%.*s': wanted key:value", (int)n, p);
		}
		key = strndup(p, colon - p);
		json_object_set_new(map, key, del ? json_null() : json_stringn(colon + 1, p + n - colon - 1));
		free(key);
		p += n + (p[n] == ',');
	}
	json_object_set_new(req, props ? "properties" : "attributes", map);
	rc = dmg_ms(cli, props ? "system/set-prop" : "system/set-attr", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	printf("system/%s succeeded\n", name);
	json_decref(resp);
	return CLI_OK;
}

#define RANK_OPTS                                                                                  \
	{"ranks", 'r', CLI_VALUE, "RANKS", "only these ranks, such as 0-3,5"},                     \
	    {"rank-hosts", 0, CLI_VALUE, "HOSTS", "only ranks on these hosts"},                    \
	{                                                                                          \
		"ignore-admin-excluded", 0, CLI_FLAG, NULL, "pass over ranks the administrator excluded"  \
	}

static const struct cli_opt query_opts[] = {
    {"verbose", 'v', CLI_FLAG, NULL, "a row for each rank, with all there is to know"},
    {"ranks", 'r', CLI_VALUE, "RANKS", "only these ranks, such as 0-3,5"},
    {"rank-hosts", 0, CLI_VALUE, "HOSTS", "only ranks on these hosts"},
    {"not-ok", 0, CLI_FLAG, NULL, "only ranks that are not joined"},
    {"with-states", 0, CLI_VALUE, "STATES", "only ranks in these states, such as joined,stopped"},
    {0}};
static const struct cli_opt stop_opts[] = {RANK_OPTS, {"force", 0, CLI_FLAG, NULL, "kill engines that do not stop"}, {0}};
static const struct cli_opt start_opts[] = {RANK_OPTS, {0}};
static const struct cli_opt leader_opts[] = {{"down-replicas", 'N', CLI_FLAG, NULL, "count replicas that do not answer"}, {0}};

extern int dmg_pool_run_list(struct cli *cli);
extern const struct cli_opt dmg_pool_list_opts[];

const struct cli_cmd dmg_system_cmds[] = {
    {"query", NULL, "Ranks and their states", .opts = query_opts, .run = run_query},
    {"stop", NULL, "Stop ranks in order", .opts = stop_opts, .run = run_ranks, .data = (uintptr_t)"system/stop"},
    {"start", NULL, "Start stopped ranks", .opts = start_opts, .run = run_ranks, .data = (uintptr_t)"system/start"},
    {"erase", NULL, "Erase all data and metadata of the system", .run = run_ranks, .data = (uintptr_t)"system/erase"},
    {"leader-query", NULL, "Which replica of the management service leads", .opts = leader_opts, .run = run_leader},
    {"list-pools", NULL, "List pools", .opts = dmg_pool_list_opts, .run = dmg_pool_run_list},
    {"get-prop", NULL, "Print system properties", "[key[,key...]]", 0, 1, .run = run_get},
    {"set-prop", NULL, "Set system properties", "<key:val[,key:val...]>", 1, 1, .run = run_set},
    {"get-attr", NULL, "Print system attributes", "[key[,key...]]", 0, 1, .run = run_get},
    {"set-attr", NULL, "Set system attributes", "<key:val[,key:val...]>", 1, 1, .run = run_set},
    {"del-attr", NULL, "Delete system attributes", "<key[,key...]>", 1, 1, .run = run_set},
    {0}};

/* ---- dmg server ---- */

static int
run_logmasks(struct cli *cli)
{
	const char *masks = cli_has(cli, "masks") ? cli_get(cli, "masks") : cli_arg(cli, 0);
	json_t     *req = json_object(), *resp, *one, *r;
	const char *host;
	size_t      i;
	int         rc, failed = 0;

	json_object_set_new(req, "masks", masks ? json_string(masks) : json_null());
	json_object_set_new(req, "streams", cli_has(cli, "streams") ? json_string(cli_get(cli, "streams")) : json_null());
	json_object_set_new(req, "subsystems", cli_has(cli, "subsystems") ? json_string(cli_get(cli, "subsystems")) : json_null());
	rc = dmg_hosts(cli, "host/set-logmasks", req, &resp);
	if (rc != 0)
		return rc;
	json_object_foreach(json_object_get(resp, "host_responses"), host, one) {
		json_array_foreach(json_object_get(one, "results"), i, r) {
			failed += jint(r, "status") != 0;
			if (!cli->json)
				printf("%s: rank %u: %s\n", host, (unsigned)jint(r, "rank"),
				       jint(r, "status") ? d_errdesc((int)jint(r, "status")) : jstr(r, "masks"));
		}
	}
	rc = dmg_json_done(cli, resp);
	if (rc < 0) {
		rc = dmg_print_host_errors(resp);
		json_decref(resp);
	}
	return failed ? CLI_FAILED : rc;
}

static const struct cli_opt logmask_opts[] = {
    {"masks", 'm', CLI_VALUE, "MASKS", "such as ERR,mgmt=DEBUG"},
    {"streams", 'd', CLI_VALUE, "STREAMS", "debug streams (DD_MASK)"},
    {"subsystems", 's', CLI_VALUE, "NAMES", "subsystems (DD_SUBSYS)"},
    {0}};

const struct cli_cmd dmg_server_cmds[] = {
    {"set-logmasks", "slm", "Change log masks of running engines; without masks, back to those configured", "[masks]", 0, 1,
     logmask_opts, .run = run_logmasks},
    {0}};

/* ---- dmg container ---- */

static int
run_set_owner(struct cli *cli)
{
	json_t *req = json_pack("{s:s, s:s}", "pool", cli_arg(cli, 0), "cont", cli_arg(cli, 1)), *resp;
	int     rc;

	if (!cli_has(cli, "user") && !cli_has(cli, "group")) {
		json_decref(req);
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "give --user, --group or both");
	}
	if (cli_has(cli, "user"))
		json_object_set_new(req, "user", json_string(cli_get(cli, "user")));
	if (cli_has(cli, "group"))
		json_object_set_new(req, "group", json_string(cli_get(cli, "group")));
	rc = dmg_ms(cli, "cont/set-owner", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	printf("Container-set-owner command succeeded\n");
	json_decref(resp);
	return CLI_OK;
}

static const struct cli_opt owner_opts[] = {{"user", 'u', CLI_VALUE, "USER@", "new owner"},
					    {"group", 'g', CLI_VALUE, "GROUP@", "new owner group"},
					    {0}};

const struct cli_cmd dmg_container_cmds[] = {
    {"set-owner", NULL, "Change the owner of a container", "<pool> <container>", 2, 2, owner_opts, .run = run_set_owner}, {0}};
