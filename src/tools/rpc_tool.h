/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What self_test and cart_ctl share: reaching a system through its agent, endpoints as text. */
#pragma once

#include <stdio.h>
#include "cart/crt.h"
#include "dc/dc.h"

struct rpc_tool {
	const char    *name; /**< of the program */
	struct client *client;
	crt_context_t  ctx;
};

/* ---- the command line ---- */

/** Options that both have: system, agent, answers as JSON; and those that are accepted for the reference's sake. */
struct rpc_common {
	const char *group, *agent_dir;
	bool        json, no_sync;
};
#define RPC_COMMON_SHORT "g:p:unjh"
#define RPC_COMMON_LONG                                                                            \
	{"group-name", required_argument, NULL, 'g'}, {"path", required_argument, NULL, 'p'},      \
	{"use-daos-agent-env", no_argument, NULL, 'u'}, {"no-sync", no_argument, NULL, 'n'},       \
	{"nosync", no_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'},                      \
	{"help", no_argument, NULL, 'h'}, {0}

struct option;
struct rpc_cli {
	const char          *name; /**< of the program */
	const char          *usage;
	const char          *shorts; /**< ends with RPC_COMMON_SHORT */
	const struct option *longs;  /**< ends with RPC_COMMON_LONG */
	/** One of the program's own; an error: not understood. */
	int (*take)(int c, const char *value, void *arg);
};
/** 0: go on at optind; otherwise the program's end, with status *ret_status. */
int rpc_cli_parse(const struct rpc_cli *cli, int argc, char **argv, struct rpc_common *common, void *arg,
		  int *ret_status) MUST_CHECK;

/* ---- the system ---- */

/** Says on stderr what is wrong. @agent_dir NULL: as every client. */
int  rpc_tool_attach(struct rpc_tool *tool, const char *group, const char *agent_dir) MUST_CHECK;
void rpc_tool_detach(struct rpc_tool *tool);
/** Progress until *done is as large as @nr. */
void rpc_tool_wait(struct rpc_tool *tool, const uint32_t *done, uint32_t nr);

struct rpc_endpoints {
	crt_endpoint_t *v;
	uint32_t        nr;
};
/** Add "0-2,5:1-3" (ranks and tags, each with each), "name:0:2" (the name is not looked at). INVAL | NOMEM */
int  rpc_endpoints_parse(const char *text, struct rpc_endpoints *eps) MUST_CHECK;
/** A whole number with nothing after it, within bounds. */
bool rpc_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number);
