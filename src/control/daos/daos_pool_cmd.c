/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos pool, daos system. */
#include <daos_mgmt.h>
#include <stdlib.h>
#include <string.h>

#include "base/rank_list.h"
#include "base/util.h"
#include "control/common/cli_text.h"
#include "control/common/pool_print.h"
#include "control/daos/daos_attr_cmd.h"
#include "control/daos/daos_cli.h"

/* ---- query, in the JSON of the management API so that both commands print alike ---- */

static json_t *
tier_json(const struct daos_pool_space *sp, int tier)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:s}", "total", (json_int_t)sp->ps_space.s_total[tier], "free",
			 (json_int_t)sp->ps_space.s_free[tier], "min", (json_int_t)sp->ps_free_min[tier], "max",
			 (json_int_t)sp->ps_free_max[tier], "mean", (json_int_t)sp->ps_free_mean[tier], "media_type",
			 tier == DAOS_MEDIA_NVME ? "nvme" : "scm");
}

static json_t *
rebuild_json(const struct daos_rebuild_status *st)
{
	static const char *const states[] = {"busy", "idle", "done"};
	const char              *state = st->rs_state >= 0 && st->rs_state <= 2 ? states[st->rs_state] : "unknown";

	return json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:b}", "status", st->rs_errno, "state", state, "derived_state", state,
			 "objects", (json_int_t)st->rs_obj_nr, "records", (json_int_t)st->rs_rec_nr, "total_objects",
			 (json_int_t)st->rs_toberb_obj_nr, "degraded", (st->rs_flags & DAOS_RSF_DEGRADED) != 0);
}

static json_t *
pool_json(struct cli *cli, const daos_pool_info_t *info, const d_rank_list_t *ranks, const char *label)
{
	bool    space = !cli_has(cli, "health-only");
	char    uuid[37];
	json_t *doc = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:i, s:i}", "query_mask",
				space ? "rebuild,space" : "rebuild", "state", info->pi_ndisabled ? "Degraded" : "Ready", "uuid",
				uuid_text(info->pi_uuid, uuid), "total_targets", info->pi_ntargets, "active_targets",
				info->pi_space.ps_ntargets, "total_engines", info->pi_nnodes, "disabled_targets",
				info->pi_ndisabled, "version", info->pi_map_ver, "svc_ldr", info->pi_leader, "rebuild",
				rebuild_json(&info->pi_rebuild_st), "pool_layout_ver", 4, "upgrade_layout_ver", 4);

	if (label != NULL && label[0] != '\0')
		json_object_set_new(doc, "label", json_string(label));
	if (space)
		json_object_set_new(doc, "tier_stats", json_pack("[o, o]", tier_json(&info->pi_space, DAOS_MEDIA_SCM),
								 tier_json(&info->pi_space, DAOS_MEDIA_NVME)));
	if (ranks != NULL && ranks->rl_nr > 0) {
		char *text = text_ranks(ranks->rl_ranks, ranks->rl_nr), shown[1024];

		snprintf(shown, sizeof(shown), "[%s]", text ? text : "");
		json_object_set_new(doc, cli_has(cli, "show-enabled") ? "enabled_ranks" : "disabled_ranks", json_string(shown));
		free(text);
	}
	return doc;
}

static int
query(struct cli *cli)
{
	struct daos_cli *s = cli->data;
	daos_pool_info_t info = {.pi_bits = DPI_REBUILD_STATUS};
	d_rank_list_t   *ranks = NULL;
	json_t          *doc;
	int              rc;

	if (!cli_has(cli, "health-only"))
		info.pi_bits |= DPI_SPACE;
	info.pi_bits |= cli_has(cli, "show-enabled") ? DPI_ENGINES_ENABLED : DPI_ENGINES_DISABLED;
	rc = daos_pool_query(s->poh, &ranks, &info, NULL, NULL);
	if (rc != 0)
		return daos_cli_error(cli, "query of pool", s->pool, rc);
	doc = pool_json(cli, &info, ranks, text_is_uuid(s->pool) ? NULL : s->pool);
	d_rank_list_free(ranks);
	if (!cli->json)
		pool_print_query(doc, stdout);
	rc = daos_cli_json(cli, doc);
	return rc < 0 ? CLI_OK : rc;
}

static int
run_query(struct cli *cli)
{
	int rc = daos_cli_open(cli, WANT_POOL, DAOS_PC_RO, 0);

	if (rc == CLI_OK)
		rc = query(cli);
	daos_cli_close(cli);
	return rc;
}

/* ---- list containers ---- */

static int
fetch_conts(struct cli *cli, struct daos_pool_cont_info **ret_list, daos_size_t *ret_nr)
{
	struct daos_cli            *s = cli->data;
	struct daos_pool_cont_info *list = NULL;
	daos_size_t                 nr = 0, cap;
	int                         rc;

	/* Containers may be made between counting and listing: ask again until the room is enough. */
	do {
		rc = daos_pool_list_cont(s->poh, &nr, NULL, NULL);
		if (rc != 0)
			break;
		cap = nr + 16;
		free(list);
		list = calloc(cap, sizeof(*list));
		if (list == NULL)
			return -DER_NOMEM;
		nr = cap;
		rc = daos_pool_list_cont(s->poh, &nr, list, NULL);
	} while (rc == -DER_TRUNC);
	if (rc != 0) {
		free(list);
		return rc;
	}
	*ret_list = list;
	*ret_nr = nr;
	return 0;
}

static int
list_conts(struct cli *cli)
{
	struct daos_cli            *s = cli->data;
	struct daos_pool_cont_info *list;
	struct text_table          *t;
	daos_size_t                 nr, i;
	json_t                     *doc = json_array();
	char                        uuid[37];
	int                         rc = fetch_conts(cli, &list, &nr);

	if (rc != 0) {
		json_decref(doc);
		return daos_cli_error(cli, "containers of pool", s->pool, rc);
	}
	t = text_table_new(2, (const char *[]){"Label", "UUID"});
	for (i = 0; i < nr; i++) {
		uuid_text(list[i].pci_uuid, uuid);
		text_table_row(t, (const char *[]){list[i].pci_label, uuid});
		json_array_append_new(doc, json_pack("{s:s, s:s}", "uuid", uuid, "label", list[i].pci_label));
	}
	free(list);
	if (!cli->json && nr == 0)
		printf("No containers.\n");
	else if (!cli->json) {
		printf("Containers in pool %s:\n", s->pool);
		text_table_print(t, stdout);
	}
	text_table_free(t);
	rc = daos_cli_json(cli, doc);
	return rc < 0 ? CLI_OK : rc;
}

int daos_pool_run_list_cont(struct cli *cli);

int
daos_pool_run_list_cont(struct cli *cli)
{
	int rc = daos_cli_open(cli, WANT_POOL, DAOS_PC_RO, 0);

	if (rc == CLI_OK)
		rc = list_conts(cli);
	daos_cli_close(cli);
	return rc;
}

static int
run_attr(struct cli *cli)
{
	static const struct attr_ops ops = {daos_pool_list_attr, daos_pool_get_attr, daos_pool_set_attr, daos_pool_del_attr};
	enum attr_verb               verb = cli->path[cli->depth - 1]->data;
	struct daos_cli             *s = cli->data;
	int rc = daos_cli_open(cli, WANT_POOL, verb == ATTR_SET || verb == ATTR_DEL ? DAOS_PC_RW : DAOS_PC_RO, 0);

	if (rc == CLI_OK)
		rc = attr_run(cli, verb, &ops, s->poh, "pool", s->pool);
	daos_cli_close(cli);
	return rc;
}

/* ---- daos system query ---- */

static int
run_system(struct cli *cli)
{
	struct daos_sys_info *info;
	json_t               *uris = json_array(), *doc;
	uint32_t              i;
	int                   rc = daos_init();

	if (rc == 0) {
		rc = daos_mgmt_get_sys_info(cli_get(cli, "sys-name"), &info);
		if (rc != 0)
			daos_fini();
	}
	if (rc != 0) {
		json_decref(uris);
		return daos_cli_error(cli, "query of the system", "", rc);
	}
	for (i = 0; i < info->dsi_nr_ranks; i++)
		json_array_append_new(uris, json_pack("{s:i, s:s}", "rank", info->dsi_ranks[i].dru_rank, "uri", info->dsi_ranks[i].dru_uri));
	if (!cli->json) {
		printf("connected to DAOS system:\n\tname: %s\n\tfabric provider: %s\n\tagent socket: %s\n\nengines:\n",
		       info->dsi_system_name, info->dsi_fabric_provider, info->dsi_agent_path);
		for (i = 0; i < info->dsi_nr_ranks; i++)
			printf("  rank %u: %s\n", info->dsi_ranks[i].dru_rank, info->dsi_ranks[i].dru_uri);
	}
	doc = json_pack("{s:s, s:s, s:s, s:o}", "system_name", info->dsi_system_name, "fabric_provider", info->dsi_fabric_provider,
			"agent_path", info->dsi_agent_path, "rank_uris", uris);
	daos_mgmt_put_sys_info(info);
	daos_fini();
	rc = daos_cli_json(cli, doc);
	return rc < 0 ? CLI_OK : rc;
}

static const struct cli_opt query_opts[] = {{"show-enabled", 'e', CLI_FLAG, NULL, "list enabled ranks"},
					    {"health-only", 't', CLI_FLAG, NULL, "without the space of targets"},
					    {"pool", 'p', CLI_VALUE, "POOL", "", .hidden = true},
					    {0}};
static const struct cli_opt pool_opts[] = {{"verbose", 'v', CLI_FLAG, NULL, "print more"},
					   {"pool", 'p', CLI_VALUE, "POOL", "", .hidden = true},
					   {0}};
static const struct cli_opt list_attr_opts[] = {{"verbose", 'V', CLI_FLAG, NULL, "values too"},
						{"pool", 'p', CLI_VALUE, "POOL", "", .hidden = true},
						{0}};

const struct cli_cmd daos_pool_cmds[] = {
    {"query", NULL, "State, health and space of a pool", "<pool>", 0, 1, query_opts, .run = run_query},
    {"list-containers", "list-cont,list-conts", "Containers of a pool", "<pool>", 0, 1, pool_opts,
     .run = daos_pool_run_list_cont},
    {"list-attr", "list-attrs,lsattr", "Names of the pool's attributes", "<pool>", 0, 1, list_attr_opts, .run = run_attr,
     .data = ATTR_LIST},
    {"get-attr", "getattr", "Values of attributes", "<pool> [key[,key...]]", 0, 2, pool_opts, .run = run_attr, .data = ATTR_GET},
    {"set-attr", "setattr", "Set attributes", "<pool> <key:val[,key:val...]>", 1, 2, pool_opts, .run = run_attr,
     .data = ATTR_SET},
    {"del-attr", "delattr", "Delete attributes", "<pool> <key[,key...]>", 1, 2, pool_opts, .run = run_attr, .data = ATTR_DEL},
    {0}};
const struct cli_cmd daos_system_cmds[] = {{"query", NULL, "Ranks and fabric of the system", .run = run_system}, {0}};
