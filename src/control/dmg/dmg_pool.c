/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** dmg pool. */
#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/common/cli_text.h"
#include "control/common/pool_print.h"
#include "control/dmg/dmg.h"

/* ---- create ---- */

static int
put_size(struct cli *cli, const char *opt, uint64_t *ret_bytes)
{
	if (cli_has(cli, opt) && text_parse_size(cli_get(cli, opt), ret_bytes) != 0)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--%s=%s is no size such as 4g, 512MiB", opt, cli_get(cli, opt));
	return CLI_OK;
}

/** "6,94", "6" (the rest is the second tier's), also with percent signs. */
static int
put_ratio(struct cli *cli, json_t *req)
{
	const char *text = cli_has(cli, "tier-ratio") ? cli_get(cli, "tier-ratio") : "6,94";
	char       *end;
	double      first = strtod(text, &end), second;

	if (end == text)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--tier-ratio=%s: wanted percentages such as 6,94", text);
	end += *end == '%';
	second = *end == ',' ? strtod(end + 1, &end) : 100 - first;
	end += *end == '%';
	if (*end != '\0' || first < 0 || second < 0 || first + second < 99.5 || first + second > 100.5)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--tier-ratio=%s: wanted percentages that add up to 100", text);
	json_object_set_new(req, "tier_ratio", json_pack("[f, f]", first, second));
	return CLI_OK;
}

static int
put_auto_size(struct cli *cli, json_t *req)
{
	const char *text = cli_get(cli, "size");
	uint64_t    bytes = 0;
	size_t      len = strlen(text);
	char       *end;
	double      percent = strtod(text, &end);

	if (len > 0 && text[len - 1] == '%') {
		if (end != text + len - 1 || percent <= 0 || percent > 100)
			return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--size=%s: wanted 1%% to 100%%", text);
		json_object_set_new(req, "total_percent", json_real(percent));
	} else {
		int rc = put_size(cli, "size", &bytes);

		if (rc != CLI_OK)
			return rc;
		json_object_set_new(req, "total_bytes", json_integer((json_int_t)bytes));
	}
	return put_ratio(cli, req);
}

static int
put_sizes(struct cli *cli, json_t *req)
{
	bool     has_auto = cli_has(cli, "size"), has_tier = cli_has(cli, "scm-size") || cli_has(cli, "nvme-size");
	bool     has_md = cli_has(cli, "meta-size") || cli_has(cli, "data-size");
	uint64_t meta = 0, data = 0;
	int      rc;

	if (has_auto + has_tier + has_md != 1)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "give one of --size, --scm-size [--nvme-size], --meta-size [--data-size]");
	if (has_auto)
		return put_auto_size(cli, req);
	rc = put_size(cli, has_tier ? "scm-size" : "meta-size", &meta);
	if (rc == CLI_OK)
		rc = put_size(cli, has_tier ? "nvme-size" : "data-size", &data);
	if (rc == CLI_OK && meta == 0)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--%s is required with --%s", has_tier ? "scm-size" : "meta-size",
				has_tier ? "nvme-size" : "data-size");
	json_object_set_new(req, "tier_bytes", json_pack("[I, I]", (json_int_t)meta, (json_int_t)data));
	return rc;
}

static int
put_acl_file(struct cli *cli, const char *path, json_t *req, const char *key)
{
	FILE   *f = fopen(path, "r");
	char    line[1024];
	json_t *entries = json_array();

	if (f == NULL) {
		json_decref(entries);
		return cli_fail(cli, CLI_FAILED, -DER_NONEXIST, "ACL file %s: %m", path);
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0' && line[0] != '#')
			json_array_append_new(entries, json_string(line));
	}
	fclose(f);
	json_object_set_new(req, key, entries);
	return CLI_OK;
}

static int
put_number(struct cli *cli, const char *opt, json_t *req, const char *key)
{
	char         *end;
	unsigned long value;

	if (!cli_has(cli, opt))
		return CLI_OK;
	value = strtoul(cli_get(cli, opt), &end, 10);
	if (*end != '\0' || end == cli_get(cli, opt) || value == 0 || value > UINT32_MAX)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--%s=%s: wanted a number above 0", opt, cli_get(cli, opt));
	json_object_set_new(req, key, json_integer((json_int_t)value));
	return CLI_OK;
}

static int
create_request(struct cli *cli, json_t *req)
{
	const char *label = cli_has(cli, "label") ? cli_get(cli, "label") : cli_arg(cli, 0);
	int         rc;

	if (label == NULL)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "give a label for the pool");
	if (!text_is_label(label))
		return cli_fail(cli, CLI_USAGE, -DER_INVAL,
				"'%s' is no label: 1 to 127 letters, digits and ._:- , and no UUID", label);
	json_object_set_new(req, "label", json_string(label));
	if (cli_has(cli, "user"))
		json_object_set_new(req, "user", json_string(cli_get(cli, "user")));
	if (cli_has(cli, "group"))
		json_object_set_new(req, "user_group", json_string(cli_get(cli, "group")));
	rc = put_sizes(cli, req);
	if (rc == CLI_OK)
		rc = put_number(cli, "nranks", req, "num_ranks");
	if (rc == CLI_OK)
		rc = put_number(cli, "nsvc", req, "num_svc_reps");
	if (rc == CLI_OK)
		rc = dmg_put_ranks(cli, "ranks", req, "ranks");
	if (rc == CLI_OK && cli_has(cli, "properties"))
		rc = dmg_put_props(cli, cli_get(cli, "properties"), req, "properties");
	if (rc == CLI_OK && cli_has(cli, "acl-file"))
		rc = put_acl_file(cli, cli_get(cli, "acl-file"), req, "acl");
	return rc;
}

static void
print_created(const json_t *resp)
{
	char    *svc = jranks(json_object_get(resp, "svc_reps")), *tgt = jranks(json_object_get(resp, "tgt_ranks"));
	uint64_t ranks = json_array_size(json_object_get(resp, "tgt_ranks"));
	uint64_t tier[2], total;
	char     a[32], b[32], head[96];
	int      i;

	for (i = 0; i < 2; i++)
		tier[i] = (uint64_t)json_integer_value(json_array_get(json_object_get(resp, "tier_bytes"), i));
	total = (tier[0] + tier[1]) * ranks;
	snprintf(head, sizeof(head), "Pool created with %.2f%%,%.2f%% storage tier ratio",
		 total ? 100.0 * tier[0] * ranks / total : 0, total ? 100.0 * tier[1] * ranks / total : 0);
	printf("%s\n", head);
	for (i = 0; head[i] != '\0'; i++)
		putchar('-');
	printf("\n  UUID                 : %s\n  Service Leader       : %u\n", jstr(resp, "uuid"), (unsigned)jint(resp, "svc_ldr"));
	printf("  Service Ranks        : %s\n  Storage Ranks        : %s\n", svc, tgt);
	printf("  Total Size           : %s\n", text_bytes(total, a, sizeof(a)));
	printf("  Storage tier 0 (SCM) : %s (%s / rank)\n", text_bytes(tier[0] * ranks, a, sizeof(a)), text_bytes(tier[0], b, sizeof(b)));
	printf("  Storage tier 1 (NVMe): %s (%s / rank)\n", text_bytes(tier[1] * ranks, a, sizeof(a)), text_bytes(tier[1], b, sizeof(b)));
	free(svc);
	free(tgt);
}

static int
run_create(struct cli *cli)
{
	json_t *req = json_object(), *resp;
	int     rc = create_request(cli, req);

	if (rc != CLI_OK) {
		json_decref(req);
		return rc;
	}
	rc = dmg_ms(cli, "pool/create", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	print_created(resp);
	json_decref(resp);
	return CLI_OK;
}

/* ---- the others ---- */

static json_t *
id_request(struct cli *cli)
{
	return json_pack("{s:s}", "id", cli_arg(cli, 0));
}

static int
run_destroy(struct cli *cli)
{
	json_t *req = id_request(cli), *resp;
	int     rc;

	json_object_set_new(req, "force", json_boolean(cli_has(cli, "force")));
	json_object_set_new(req, "recursive", json_boolean(cli_has(cli, "recursive")));
	rc = dmg_ms(cli, "pool/destroy", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	printf("Pool-destroy command succeeded\n");
	json_decref(resp);
	return CLI_OK;
}

static int
run_evict(struct cli *cli)
{
	json_t *resp;
	int     rc = dmg_ms(cli, "pool/evict", id_request(cli), &resp);

	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	printf("Pool-evict command succeeded, %u handles evicted\n", (unsigned)jint(resp, "count"));
	json_decref(resp);
	return CLI_OK;
}

extern const struct cli_opt dmg_pool_list_opts[];
int                         dmg_pool_run_list(struct cli *cli);

int
dmg_pool_run_list(struct cli *cli)
{
	json_t *resp;
	int     rc = dmg_ms(cli, "pool/list", json_pack("{s:b}", "no_query", cli_has(cli, "no-query")), &resp);

	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	pool_print_list(json_object_get(resp, "pools"), cli_has(cli, "verbose"), cli_has(cli, "no-query"), stdout);
	json_decref(resp);
	return CLI_OK;
}

static int
run_query(struct cli *cli)
{
	json_t *req = id_request(cli), *resp;
	int     rc;

	json_object_set_new(req, "health_only", json_boolean(cli_has(cli, "health-only")));
	json_object_set_new(req, "show_enabled", json_boolean(cli_has(cli, "show-enabled")));
	rc = dmg_ms(cli, "pool/query", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	pool_print_query(resp, stdout);
	json_decref(resp);
	return CLI_OK;
}

static int
run_query_targets(struct cli *cli)
{
	json_t *req = id_request(cli), *resp, *info;
	size_t  i;
	int     rc = dmg_put_ranks(cli, "target-idx", req, "targets");

	json_object_set_new(req, "rank", json_integer(atoi(cli_get(cli, "rank"))));
	if (rc != CLI_OK) {
		json_decref(req);
		return rc;
	}
	rc = dmg_ms(cli, "pool/query-targets", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	json_array_foreach(json_object_get(resp, "infos"), i, info)
		pool_print_target(info, stdout);
	json_decref(resp);
	return CLI_OK;
}

/** exclude, reintegrate, drain, extend. */
static int
run_ranks(struct cli *cli)
{
	const struct cli_cmd *cmd = cli->path[cli->depth - 1];
	json_t               *req = id_request(cli), *resp;
	char                 *untold;
	int                   rc = dmg_put_ranks(cli, cli_has(cli, "rank") ? "rank" : "ranks", req, "ranks");

	if (rc == CLI_OK && json_object_get(req, "ranks") == NULL)
		rc = cli_fail(cli, CLI_USAGE, -DER_INVAL, "give --ranks");
	if (rc == CLI_OK)
		rc = dmg_put_ranks(cli, "target-idx", req, "targets");
	if (rc != CLI_OK) {
		json_decref(req);
		return rc;
	}
	json_object_set_new(req, "force", json_boolean(cli_has(cli, "force")));
	rc = dmg_ms(cli, (const char *)cmd->data, req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	printf("Pool-%s command succeeded, map version %u\n", cmd->name, (unsigned)jint(resp, "version"));
	untold = jranks(json_object_get(resp, "untold_ranks"));
	if (untold != NULL && untold[0] != '\0')
		printf("Not told yet, since they could not be reached: ranks %s\n", untold);
	free(untold);
	json_decref(resp);
	return CLI_OK;
}

static int
run_get_prop(struct cli *cli)
{
	json_t     *req = id_request(cli), *names = json_array(), *resp;
	const char *p = cli_arg(cli, 1);
	char        title[256];
	int         rc;

	while (p != NULL && *p != '\0') {
		size_t n = strcspn(p, ",");

		json_array_append_new(names, json_stringn(p, n));
		p += n + (p[n] == ',');
	}
	json_object_set_new(req, "names", names);
	rc = dmg_ms(cli, "pool/get-prop", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	snprintf(title, sizeof(title), "Pool %s properties:", cli_arg(cli, 0));
	props_print(title, resp, stdout);
	json_decref(resp);
	return CLI_OK;
}

static int
run_set_prop(struct cli *cli)
{
	json_t *req = id_request(cli), *resp;
	int     rc = dmg_put_props(cli, cli_arg(cli, 1), req, "properties");

	if (rc != CLI_OK) {
		json_decref(req);
		return rc;
	}
	rc = dmg_ms(cli, "pool/set-prop", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	printf("pool set-prop succeeded\n");
	json_decref(resp);
	return CLI_OK;
}

static int
acl_done(struct cli *cli, json_t *resp)
{
	FILE   *f = stdout;
	json_t *e;
	size_t  i;
	int     rc = dmg_json_done(cli, resp);

	if (rc >= 0)
		return rc;
	if (cli_has(cli, "outfile")) {
		f = fopen(cli_get(cli, "outfile"), cli_has(cli, "force") ? "w" : "wx");
		if (f == NULL) {
			json_decref(resp);
			return cli_fail(cli, CLI_FAILED, -DER_EXIST, "%s: %m (--force overwrites)", cli_get(cli, "outfile"));
		}
	}
	fprintf(f, "# Owner: %s\n# Owner Group: %s\n# Entries:\n", jstr(resp, "owner_user"), jstr(resp, "owner_group"));
	json_array_foreach(json_object_get(resp, "entries"), i, e)
		fprintf(f, "%s\n", json_string_value(e));
	if (f != stdout)
		fclose(f);
	json_decref(resp);
	return CLI_OK;
}

/** The command's data is the method. */
static int
run_acl(struct cli *cli)
{
	json_t *req = id_request(cli), *resp;
	int     rc = CLI_OK;

	if (cli_has(cli, "acl-file"))
		rc = put_acl_file(cli, cli_get(cli, "acl-file"), req, "entries");
	else if (cli_has(cli, "entry"))
		json_object_set_new(req, "entries", json_pack("[s]", cli_get(cli, "entry")));
	else if (cli_has(cli, "principal"))
		json_object_set_new(req, "principal", json_string(cli_get(cli, "principal")));
	else if (strcmp(cli->path[cli->depth - 1]->name, "update-acl") == 0)
		rc = cli_fail(cli, CLI_USAGE, -DER_INVAL, "give --acl-file or --entry");
	if (rc != CLI_OK) {
		json_decref(req);
		return rc;
	}
	rc = dmg_ms(cli, (const char *)cli->path[cli->depth - 1]->data, req, &resp);
	return rc != 0 ? rc : acl_done(cli, resp);
}

static const struct cli_opt create_opts[] = {
    {"size", 'z', CLI_VALUE, "SIZE", "total size over all ranks, or a percentage of what is free"},
    {"tier-ratio", 't', CLI_VALUE, "META,DATA", "percentages of the tiers (default 6,94)"},
    {"scm-size", 's', CLI_VALUE, "SIZE", "tier 0 of each rank"},
    {"nvme-size", 'n', CLI_VALUE, "SIZE", "tier 1 of each rank"},
    {"meta-size", 0, CLI_VALUE, "SIZE", "metadata of each rank"},
    {"data-size", 0, CLI_VALUE, "SIZE", "data of each rank"},
    {"mem-ratio", 0, CLI_VALUE, "PERCENT", "accepted: metadata is held in memory as a whole", .hidden = true},
    {"nranks", 'k', CLI_VALUE, "N", "use this many ranks"},
    {"ranks", 'r', CLI_VALUE, "RANKS", "use these ranks"},
    {"nsvc", 'v', CLI_VALUE, "N", "replicas of the pool service"},
    {"user", 'u', CLI_VALUE, "USER@", "owner (default: who asks)"},
    {"group", 'g', CLI_VALUE, "GROUP@", "owner group"},
    {"properties", 'P', CLI_VALUE, "NAME:VALUE,...", "pool properties"},
    {"acl-file", 'a', CLI_VALUE, "PATH", "access control list"},
    {"label", 0, CLI_VALUE, "LABEL", "the label, as older versions took it", .hidden = true},
    {0}};
static const struct cli_opt destroy_opts[] = {{"force", 'f', CLI_FLAG, NULL, "also with open handles"},
					      {"recursive", 'r', CLI_FLAG, NULL, "also with containers in it"},
					      {0}};
const struct cli_opt dmg_pool_list_opts[] = {{"verbose", 'v', CLI_FLAG, NULL, "more columns"},
					     {"no-query", 'n', CLI_FLAG, NULL, "names only, without asking the pools"},
					     {"rebuild-only", 'r', CLI_FLAG, NULL, "rebuild states only", .hidden = true},
					     {0}};
static const struct cli_opt query_opts[] = {{"health-only", 't', CLI_FLAG, NULL, "without the space of targets"},
					    {"show-enabled", 'e', CLI_FLAG, NULL, "list enabled ranks"},
					    {"no-self-heal-check", 0, CLI_FLAG, NULL, "", .hidden = true},
					    {0}};
static const struct cli_opt target_opts[] = {{"rank", 0, CLI_VALUE, "RANK", "the rank", true},
					     {"target-idx", 0, CLI_VALUE, "TARGETS", "only these targets"},
					     {0}};
#define RANKS_OPTS                                                                                                              \
	{"ranks", 'r', CLI_VALUE, "RANKS", "ranks such as 0-3,5"},                                                             \
	    {"rank", 0, CLI_VALUE, "RANK", "one of them (older spelling)", .hidden = true}
#define TARGET_OPT {"target-idx", 0, CLI_VALUE, "TARGETS", "only these targets of the one rank"}
static const struct cli_opt exclude_opts[] = {
    RANKS_OPTS, TARGET_OPT, {"force", 'f', CLI_FLAG, NULL, "even more than the redundancy factor allows"}, {0}};
static const struct cli_opt ranks_tgts_opts[] = {RANKS_OPTS, TARGET_OPT, {0}};
static const struct cli_opt ranks_opts[] = {RANKS_OPTS, {0}};
static const struct cli_opt get_acl_opts[] = {{"outfile", 'O', CLI_VALUE, "PATH", "write it there"},
					      {"force", 'f', CLI_FLAG, NULL, "overwrite the file"},
					      {"verbose", 'v', CLI_FLAG, NULL, ""},
					      {0}};
static const struct cli_opt set_acl_opts[] = {{"acl-file", 'a', CLI_VALUE, "PATH", "entries, one a line", true}, {0}};
static const struct cli_opt update_acl_opts[] = {{"acl-file", 'a', CLI_VALUE, "PATH", "entries, one a line"},
						 {"entry", 'e', CLI_VALUE, "ACE", "one entry, such as A::bob@:rw"},
						 {0}};
static const struct cli_opt delete_acl_opts[] = {{"principal", 'p', CLI_VALUE, "NAME", "u:bob@, g:staff@, OWNER@...", true}, {0}};

const struct cli_cmd dmg_pool_cmds[] = {
    {"create", NULL, "Create a pool", "<label>", 0, 1, create_opts, .run = run_create},
    {"destroy", NULL, "Destroy a pool and all in it", "<pool>", 1, 1, destroy_opts, .run = run_destroy},
    {"list", "ls", "List pools", .opts = dmg_pool_list_opts, .run = dmg_pool_run_list},
    {"query", NULL, "State, health and space of a pool", "<pool>", 1, 1, query_opts, .run = run_query},
    {"query-targets", NULL, "State and space of single targets", "<pool>", 1, 1, target_opts, .run = run_query_targets},
    {"exclude", NULL, "Take targets out of service", "<pool>", 1, 1, exclude_opts, .run = run_ranks,
     .data = (uintptr_t)"pool/exclude"},
    {"reintegrate", "reint", "Bring targets back into service", "<pool>", 1, 1, ranks_tgts_opts, .run = run_ranks,
     .data = (uintptr_t)"pool/reintegrate"},
    {"drain", NULL, "Move data off targets (not in this version)", "<pool>", 1, 1, ranks_tgts_opts, .run = run_ranks,
     .data = (uintptr_t)"pool/drain"},
    {"extend", NULL, "Add ranks to a pool (not in this version)", "<pool>", 1, 1, ranks_opts, .run = run_ranks,
     .data = (uintptr_t)"pool/extend"},
    {"evict", NULL, "Close all handles of a pool", "<pool>", 1, 1, .run = run_evict},
    {"get-prop", NULL, "Print pool properties", "<pool> [key[,key...]]", 1, 2, .run = run_get_prop},
    {"set-prop", NULL, "Set pool properties", "<pool> <key:val[,key:val...]>", 2, 2, .run = run_set_prop},
    {"get-acl", NULL, "Print the access control list", "<pool>", 1, 1, get_acl_opts, .run = run_acl,
     .data = (uintptr_t)"pool/get-acl"},
    {"overwrite-acl", NULL, "Replace the access control list", "<pool>", 1, 1, set_acl_opts, .run = run_acl,
     .data = (uintptr_t)"pool/overwrite-acl"},
    {"update-acl", NULL, "Add or change entries", "<pool>", 1, 1, update_acl_opts, .run = run_acl,
     .data = (uintptr_t)"pool/update-acl"},
    {"delete-acl", NULL, "Delete the entry of a principal", "<pool>", 1, 1, delete_acl_opts, .run = run_acl,
     .data = (uintptr_t)"pool/delete-acl"},
    {0}};
