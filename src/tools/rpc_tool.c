/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "tools/rpc_tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"

#define EP_NR_MAX 65536

int
rpc_tool_attach(struct rpc_tool *tool, const char *group, const char *agent_dir)
{
	struct client_attr attr = {.sys_name = group, .agent_dir = agent_dir};
	int                rc   = client_create(&attr, &tool->client);

	if (rc != 0) {
		fprintf(stderr, "%s: cannot attach to system '%s': " DF_RC "; does daos_agent run here (DAOS_AGENT_DRPC_DIR)?\n",
			tool->name, group, DP_RC(rc));
		return rc;
	}
	rc = crt_context_create(client_crt(tool->client), &tool->ctx);
	if (rc != 0) {
		fprintf(stderr, "%s: no network context: " DF_RC "\n", tool->name, DP_RC(rc));
		client_destroy(tool->client);
		tool->client = NULL;
	}
	return rc;
}

void
rpc_tool_detach(struct rpc_tool *tool)
{
	if (tool->client == NULL)
		return;
	crt_context_destroy(tool->ctx);
	client_destroy(tool->client);
}

struct wait {
	const uint32_t *done;
	uint32_t        nr;
};

static int
wait_over(void *arg)
{
	const struct wait *w = arg;

	return *w->done >= w->nr;
}

void
rpc_tool_wait(struct rpc_tool *tool, const uint32_t *done, uint32_t nr)
{
	struct wait w = {.done = done, .nr = nr};

	while (crt_progress_cond(tool->ctx, -1, wait_over, &w) <= 0)
		;
}

bool
rpc_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number)
{
	char              *end;
	unsigned long long n;

	errno = 0;
	n     = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || n < min || n > max)
		return false;
	*ret_number = n;
	return true;
}

static int
endpoints_add(struct rpc_endpoints *eps, const d_rank_list_t *ranks, const d_rank_list_t *tags)
{
	uint64_t        nr = eps->nr + (uint64_t)ranks->rl_nr * tags->rl_nr;
	crt_endpoint_t *v;

	if (nr > EP_NR_MAX)
		return -DER_INVAL;
	v = realloc(eps->v, nr * sizeof(*v));
	if (v == NULL)
		return -DER_NOMEM;
	eps->v = v;
	for (uint32_t r = 0; r < ranks->rl_nr; r++)
		for (uint32_t t = 0; t < tags->rl_nr; t++)
			v[eps->nr++] = (crt_endpoint_t){.ep_rank = ranks->rl_ranks[r], .ep_tag = tags->rl_ranks[t]};
	return 0;
}

int
rpc_endpoints_parse(const char *text, struct rpc_endpoints *eps)
{
	char          *copy = strdup(text), *tags_text, *ranks_text;
	d_rank_list_t *ranks = NULL, *tags = NULL;
	int            rc = -DER_INVAL;

	if (copy == NULL)
		return -DER_NOMEM;
	tags_text = strrchr(copy, ':');
	if (tags_text != NULL) {
		*tags_text++ = '\0';
		ranks_text   = strrchr(copy, ':');
		ranks_text   = ranks_text == NULL ? copy : ranks_text + 1;
		rc           = d_rank_list_parse(ranks_text, &ranks);
		if (rc == 0)
			rc = d_rank_list_parse(tags_text, &tags);
		if (rc == 0)
			rc = endpoints_add(eps, ranks, tags);
	}
	d_rank_list_free(ranks);
	d_rank_list_free(tags);
	free(copy);
	return rc;
}

/* ---- the command line ---- */

/** False: not one of those that both programs have. */
static bool
common_take(int c, const char *value, struct rpc_common *common)
{
	switch (c) {
	case 'g':
		common->group = value;
		return true;
	case 'p':
		common->agent_dir = value;
		return true;
	case 'n':
		common->no_sync = true;
		return true;
	case 'j':
		common->json = true;
		return true;
	default:
		return c == 'u'; /* always done */
	}
}

int
rpc_cli_parse(const struct rpc_cli *cli, int argc, char **argv, struct rpc_common *common, void *arg, int *ret_status)
{
	int c;

	*common     = (struct rpc_common){0};
	*ret_status = 1;
	while ((c = getopt_long(argc, argv, cli->shorts, cli->longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(cli->usage, stdout);
			*ret_status = 0;
			return 1;
		}
		if (c == '?')
			return 1;
		if (!common_take(c, optarg, common) && cli->take(c, optarg, arg) != 0) {
			fprintf(stderr, "%s: -%c '%s': not understood; see --help\n", cli->name, c, optarg);
			return 1;
		}
	}
	return 0;
}
