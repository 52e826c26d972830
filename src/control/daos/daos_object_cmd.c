/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos object query: where an object's shards are. */
#include <daos/object.h>
#include <stdlib.h>
#include <string.h>

#include "control/daos/daos_cli.h"

/** "HI.LO", decimal or 0x. */
static int
parse_oid(struct cli *cli, const char *text, daos_obj_id_t *oid)
{
	char *end;

	if (text != NULL) {
		oid->hi = strtoull(text, &end, 0);
		if (end != text && *end == '.') {
			const char *lo = end + 1;

			oid->lo = strtoull(lo, &end, 0);
			if (end != lo && *end == '\0')
				return CLI_OK;
		}
	}
	return cli_fail(cli, CLI_USAGE, -DER_INVAL, "'%s' is no object ID: wanted HI.LO, two numbers", text ? text : "");
}

static int
print_layout(struct cli *cli, daos_obj_id_t oid, const struct daos_obj_layout *layout)
{
	json_t  *shards = json_array();
	char     class[16] = "?", text[64];
	uint32_t i, k;
	int      rc;

	daos_oclass_id2name(layout->ol_class, class);
	snprintf(text, sizeof(text), "%llu.%llu", (unsigned long long)oid.hi, (unsigned long long)oid.lo);
	for (i = 0; i < layout->ol_nr; i++) {
		json_t *replicas = json_array();

		for (k = 0; k < layout->ol_shards[i]->os_replica_nr; k++)
			json_array_append_new(replicas, json_pack("{s:i, s:i}", "rank", (int)layout->ol_shards[i]->os_shard_loc[k].sd_rank,
								  "target", (int)layout->ol_shards[i]->os_shard_loc[k].sd_tgt_idx));
		json_array_append_new(shards, replicas);
	}
	if (!cli->json) {
		printf("oid: %s ver %u grp_nr: %u class: %s\n", text, layout->ol_ver, layout->ol_nr, class);
		for (i = 0; i < layout->ol_nr; i++) {
			printf("grp: %u\n", i);
			for (k = 0; k < layout->ol_shards[i]->os_replica_nr; k++)
				printf("replica %u: rank %u target %u\n", k, layout->ol_shards[i]->os_shard_loc[k].sd_rank,
				       layout->ol_shards[i]->os_shard_loc[k].sd_tgt_idx);
		}
	}
	rc = daos_cli_json(cli, json_pack("{s:s, s:i, s:s, s:o}", "oid", text, "map_version", (int)layout->ol_ver, "class", class, "shards",
					  shards));
	return rc < 0 ? CLI_OK : rc;
}

static int
run_query(struct cli *cli)
{
	struct daos_cli        *s = cli->data;
	struct daos_obj_layout *layout;
	daos_obj_id_t           oid;
	int                     err, rc = daos_cli_open(cli, WANT_POOL | WANT_CONT, DAOS_PC_RO, DAOS_COO_RO);

	if (rc == CLI_OK)
		rc = parse_oid(cli, cli_has(cli, "oid") ? cli_get(cli, "oid") : cli_arg(cli, s->arg_first), &oid);
	if (rc == CLI_OK) {
		err = daos_obj_layout_get(s->coh, oid, &layout);
		rc = err ? daos_cli_error(cli, "object", "", err) : print_layout(cli, oid, layout);
		if (err == 0)
			daos_obj_layout_free(layout);
	}
	daos_cli_close(cli);
	return rc;
}

static const struct cli_opt opts[] = {{"oid", 'i', CLI_VALUE, "HI.LO", "the object"}, POOL_CONT_OPTS, {0}};

const struct cli_cmd daos_object_cmds[] = {
    {"query", NULL, "Where an object's shards are", "<pool> <container> <HI.LO>", 0, 3, opts, .run = run_query}, {0}};
