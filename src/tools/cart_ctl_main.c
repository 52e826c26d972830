/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** cart_ctl: what the network layer of engines knows and does. docs/man/cart_ctl.1 */
#define D_LOGFAC LOG_FAC_CART
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_ctl.h"
#include "tools/rpc_tool.h"

#define TIMEOUT_S 20

static const char usage_text[] =
    "usage: cart_ctl COMMAND --group-name NAME [--rank RANKS] [options]\n"
    "  get_uri_cache   addresses that the ranks know\n"
    "  list_ctx        contexts of the ranks and their addresses\n"
    "  get_hostname    where they run\n"
    "  get_pid         as which process\n"
    "  dump_counters   requests, replies, timeouts, ... of each context\n"
    "  enable_fi       let the faults happen that set_fi_attr says (*)\n"
    "  disable_fi      let them not (*)\n"
    "  set_fi_attr     set one, by --attr (*)\n"
    "  set_log         change log masks, by --log_mask (*)\n"
    "  add_log_msg     write --message to the log (*)\n"
    "(*) only where the engine was started with CRT_CTL_ENABLE=1 in its environment\n"
    "  -g, --group-name NAME   the system, as daos_server\n"
    "  -r, --rank RANKS        0-2,5; default: all\n"
    "  -a, --attr ID,MAX,PROBABILITY,ERROR[,ARGUMENT[,INTERVAL[,OPCODE[,RANK]]]]\n"
    "                          fault ID: at most MAX times (0: no limit), in PROBABILITY of 100 cases,\n"
    "                          ERROR -1000..: fails with it; 0: is lost; ARGUMENT 0: where a request leaves,\n"
    "                          1: where it arrives, 2: where the reply leaves; 1000..: arrives so many ns late\n"
    "  -l, --log_mask MASKS    as D_LOG_MASK\n"
    "  -m, --message TEXT\n"
    "  -u, --use-daos-agent-env  find the system through daos_agent; always done\n"
    "  -p, --path DIR          of the agent's socket\n"
    "  -n, --no-sync           accepted, without effect\n"
    "  -j, --json              answers as JSON\n"
    "  -h, --help\n";

static const struct {
	const char      *name;
	enum crt_ctl_cmd cmd;
} commands[] = {
    {"get_uri_cache", CRT_CTL_URI_CACHE}, {"list_ctx", CRT_CTL_LIST_CTX},       {"get_hostname", CRT_CTL_HOSTNAME},
    {"get_pid", CRT_CTL_PID},             {"dump_counters", CRT_CTL_COUNTERS},  {"enable_fi", CRT_CTL_ENABLE_FI},
    {"disable_fi", CRT_CTL_DISABLE_FI},   {"set_fi_attr", CRT_CTL_SET_FI_ATTR}, {"set_log", CRT_CTL_SET_LOG},
    {"add_log_msg", CRT_CTL_ADD_LOG_MSG},
};

struct ctl_args {
	struct rpc_common     common;
	const char           *command, *text;
	enum crt_ctl_cmd      cmd;
	d_rank_list_t        *ranks; /* NULL: all */
	struct crt_fault_rule rule;
	bool                  has_rule;
};

/* ---- arguments ---- */

/** The numbers of --attr, in their order. */
static int
attr_parse(const char *text, struct crt_fault_rule *rule)
{
	enum { ID, MAX, PROB, ERROR, ARG, INTERVAL, OPC, RANK, NR };
	int64_t v[NR] = {[RANK] = -1};
	int     nr    = 0;
	char   *end;

	for (const char *at = text;; at = end + 1) {
		if (nr == NR)
			return -DER_INVAL;
		v[nr++] = strtoll(at, &end, 0);
		if (end == at || (*end != ',' && *end != '\0'))
			return -DER_INVAL;
		if (*end == '\0')
			break;
	}
	if (nr <= ERROR || v[PROB] < 0 || v[PROB] > 100 || v[MAX] < 0 || v[ERROR] > 0)
		return -DER_INVAL;
	*rule = (struct crt_fault_rule){.id        = (uint32_t)v[ID],
					.fires_max = (uint64_t)v[MAX],
					.prob_ppm  = (uint32_t)v[PROB] * 10000,
					.what      = v[ERROR] == 0 ? CRT_FAULT_DROP : CRT_FAULT_ERROR,
					.arg       = v[ERROR],
					.where     = (enum crt_fault_where)v[ARG],
					.interval  = (uint32_t)v[INTERVAL],
					.opc       = (uint32_t)v[OPC],
					.rank      = v[RANK] < 0 ? CRT_FAULT_ANY_RANK : (d_rank_t)v[RANK]};
	if (v[ARG] >= 1000) {
		rule->what  = CRT_FAULT_DELAY;
		rule->where = CRT_FAULT_RECEIVE;
		rule->arg   = v[ARG];
	} else if (v[ARG] < 0 || v[ARG] >= CRT_FAULT_WHERE_NR) {
		return -DER_INVAL;
	}
	return 0;
}

static const struct option long_options[] = {
    {"rank", required_argument, NULL, 'r'},
    {"attr", required_argument, NULL, 'a'},
    {"log_mask", required_argument, NULL, 'l'},
    {"message", required_argument, NULL, 'm'},
    RPC_COMMON_LONG,
};

static int
option_take(int c, const char *value, void *arg)
{
	struct ctl_args *args = arg;

	switch (c) {
	case 'r':
		d_rank_list_free(args->ranks);
		args->ranks = NULL;
		return strcmp(value, "all") == 0 ? 0 : d_rank_list_parse(value, &args->ranks);
	case 'a':
		args->has_rule = true;
		return attr_parse(value, &args->rule);
	default: /* l, m */
		args->text = value;
		return 0;
	}
}

static bool
command_find(struct ctl_args *args)
{
	for (size_t i = 0; args->command != NULL && i < ARRAY_NR(commands); i++) {
		if (strcmp(commands[i].name, args->command) == 0) {
			args->cmd = commands[i].cmd;
			return true;
		}
	}
	return false;
}

static const char *
args_missing(const struct ctl_args *args)
{
	if (args->common.group == NULL)
		return "--group-name is needed";
	if (args->cmd == CRT_CTL_SET_FI_ATTR && !args->has_rule)
		return "set_fi_attr needs --attr";
	if (args->cmd == CRT_CTL_SET_LOG && args->text == NULL)
		return "set_log needs --log_mask";
	if (args->cmd == CRT_CTL_ADD_LOG_MSG && args->text == NULL)
		return "add_log_msg needs --message";
	return NULL;
}

static const struct rpc_cli cli = {.name   = "cart_ctl",
				   .usage  = usage_text,
				   .shorts = "r:a:l:m:" RPC_COMMON_SHORT,
				   .longs  = long_options,
				   .take   = option_take};

/** 0: go on; otherwise the program's end, with status *ret_status. */
static int
args_parse(int argc, char **argv, struct ctl_args *args, int *ret_status)
{
	const char *missing;

	*args = (struct ctl_args){0};
	if (rpc_cli_parse(&cli, argc, argv, &args->common, args, ret_status) != 0)
		return 1;
	*ret_status   = 1;
	args->command = optind == argc - 1 ? argv[optind] : NULL;
	if (!command_find(args)) {
		fputs(usage_text, stderr);
		return 1;
	}
	missing = args_missing(args);
	if (missing != NULL)
		fprintf(stderr, "cart_ctl: %s\n", missing);
	return missing != NULL;
}

/* ---- asking ---- */

struct answer {
	uint32_t done;
	int      rc;
	uint64_t value;
	char    *text;
};

static void
on_answer(void *arg, int rc, uint64_t value, const char *text)
{
	struct answer *a = arg;

	a->rc    = rc;
	a->value = value;
	a->text  = strdup(text == NULL ? "" : text);
	a->done  = 1;
}

static void
print_lines(d_rank_t rank, const char *text)
{
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		printf("  rank %u: %.*s\n", rank, (int)len, line);
		line += len + (line[len] == '\n');
	}
}

static void
answer_print(const struct ctl_args *args, d_rank_t rank, const struct answer *a)
{
	if (a->rc == -DER_NO_PERM)
		fprintf(stderr, "rank %u: refused: start the engine with CRT_CTL_ENABLE=1 in its env_vars\n", rank);
	else if (a->rc != 0)
		fprintf(stderr, "rank %u: " DF_RC "\n", rank, DP_RC(a->rc));
	else if (args->cmd == CRT_CTL_PID)
		printf("rank %u: pid: %lu\n", rank, (unsigned long)a->value);
	else if (args->cmd == CRT_CTL_LIST_CTX)
		printf("rank %u: ctx_num: %lu\n", rank, (unsigned long)a->value);
	else if (args->cmd == CRT_CTL_HOSTNAME)
		printf("rank %u: hostname: %s\n", rank, a->text);
	else
		printf("rank %u: %s: done\n", rank, args->command);
	if (a->rc == 0 && args->cmd != CRT_CTL_HOSTNAME)
		print_lines(rank, a->text);
}

static json_t *
answer_json(const struct ctl_args *args, d_rank_t rank, const struct answer *a)
{
	json_t *lines = json_array();

	for (const char *line = a->text; line != NULL && *line != '\0';) {
		size_t len = strcspn(line, "\n");

		json_array_append_new(lines, json_stringn(line, len));
		line += len + (line[len] == '\n');
	}
	return json_pack("{s:I, s:i, s:I, s:o}", "rank", (json_int_t)rank, "status", a->rc, "value", (json_int_t)a->value, "lines",
			 lines);
}

/** Returns how many ranks did not do it. */
static uint32_t
ask_all(struct rpc_tool *tool, const struct ctl_args *args, const d_rank_list_t *ranks, json_t *out)
{
	struct crt_ctl_req req = {.cmd = args->cmd, .text = args->text, .rule = args->has_rule ? &args->rule : NULL};
	uint32_t           bad = 0;

	for (uint32_t i = 0; i < ranks->rl_nr; i++) {
		crt_endpoint_t ep = {.ep_rank = ranks->rl_ranks[i]};
		struct answer  a  = {0};

		a.rc = crt_ctl(tool->ctx, &ep, &req, TIMEOUT_S, on_answer, &a);
		if (a.rc == 0)
			rpc_tool_wait(tool, &a.done, 1);
		bad += a.rc != 0;
		if (args->common.json)
			json_array_append_new(out, answer_json(args, ep.ep_rank, &a));
		else
			answer_print(args, ep.ep_rank, &a);
		free(a.text);
	}
	return bad;
}

int
main(int argc, char **argv)
{
	struct rpc_tool tool = {.name = "cart_ctl"};
	struct ctl_args args;
	json_t         *out;
	uint32_t        bad;
	int             status;

	if (args_parse(argc, argv, &args, &status) != 0)
		return status;
	if (rpc_tool_attach(&tool, args.common.group, args.common.agent_dir) != 0)
		return 1;
	out = json_array();
	if (args.ranks == NULL && crt_group_ranks(client_crt(tool.client), &args.ranks) != 0)
		return 1;
	bad = ask_all(&tool, &args, args.ranks, out);
	if (args.common.json) {
		json_dumpf(out, stdout, JSON_INDENT(2));
		printf("\n");
	}
	json_decref(out);
	d_rank_list_free(args.ranks);
	rpc_tool_detach(&tool);
	return bad > 0;
}
