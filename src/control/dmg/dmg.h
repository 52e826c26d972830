/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the command groups of dmg share. */
#pragma once

#include <jansson.h>

#include "control/common/cli.h"
#include "control/common/ctl_http.h"

struct dmg {
	struct ctl_client_config *config;
	struct ctl_http          *http;
};

extern const struct cli_cmd dmg_storage_cmds[], dmg_network_cmds[], dmg_system_cmds[], dmg_pool_cmds[], dmg_server_cmds[],
	dmg_container_cmds[];

/** Call the management service; prints errors itself. @request is taken. 0 and the response, or an exit code. */
int dmg_ms(struct cli *cli, const char *method, json_t *request, json_t **ret_response);
/**
 * Call every host of the host list (-l, or the configuration's). @request is taken.
 * The response is {"host_responses": {host: response}, "host_errors": {host: text}}; all failed: an exit code.
 */
int dmg_hosts(struct cli *cli, const char *method, json_t *request, json_t **ret_response);
/** With -j print @response (taken) and return its exit code; without it return -1 and leave it to the caller. */
int dmg_json_done(struct cli *cli, json_t *response);
/** Print "host: text" of host_errors to stderr; CLI_FAILED if there was one. */
int dmg_print_host_errors(const json_t *response);

/** Members of an object, with defaults for what is missing. */
const char *jstr(const json_t *obj, const char *key);
uint64_t    jint(const json_t *obj, const char *key);
/** "0,2-3" of a JSON array of ranks, "" if none; free(). */
char       *jranks(const json_t *array);
/** Parse an option that names ranks into a JSON array in @request[key]. */
int dmg_put_ranks(struct cli *cli, const char *opt, json_t *request, const char *key);
/** "k:v,k2:v2" into [{"name","value"}]. */
int dmg_put_props(struct cli *cli, const char *text, json_t *request, const char *key);
