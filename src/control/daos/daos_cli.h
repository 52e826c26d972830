/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the command groups of `daos` share: finding and opening the pool and container a command names. */
#pragma once

#include <daos.h>
#include <jansson.h>

#include "control/common/cli.h"

struct daos_cli {
	bool          inited;
	const char   *pool, *cont; /**< as named: label or UUID */
	char          pool_buf[DAOS_PROP_MAX_LABEL_BUF_LEN], cont_buf[DAOS_PROP_MAX_LABEL_BUF_LEN];
	const char   *path;        /**< --path, when it named them */
	const char   *new_path;    /**< --path, of what is to be made there */
	int           arg_first;   /**< positional arguments from here on are the command's own */
	daos_handle_t poh, coh;
};

/** WANT_NEW_PATH: --path is where a container is to be linked; it names the pool only if nothing else does. */
enum { WANT_POOL = 1, WANT_CONT = 2, WANT_NEW_PATH = 4 };

extern const struct cli_cmd daos_pool_cmds[], daos_cont_cmds[], daos_system_cmds[], daos_object_cmds[];

/**
 * Find out which pool and container are meant (positional arguments, --pool/--cont, -p/-c, --path), connect
 * and open. Prints errors. Returns an exit code; daos_cli_close() in any case.
 */
int  daos_cli_open(struct cli *cli, int want, unsigned pool_flags, unsigned cont_flags);
void daos_cli_close(struct cli *cli);
/** "verb: pool tank: Entity does not exist" and an exit code. */
int  daos_cli_error(struct cli *cli, const char *what, const char *name, int rc);
/** Print @response under -j (taken), or free it and return -1. */
int  daos_cli_json(struct cli *cli, json_t *response);
/** uuid as text. */
const char *uuid_text(const uuid_t uuid, char buf[37]);

#define POOL_CONT_OPTS                                                                             \
	{"pool", 0, CLI_VALUE, "POOL", "pool, as older versions took it", .hidden = true},         \
	    {"cont", 'c', CLI_VALUE, "CONT", "container, as older versions took it", .hidden = true},  \
	{                                                                                          \
		"path", 'p', CLI_VALUE, "PATH", "a path that names pool and container"             \
	}
