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
