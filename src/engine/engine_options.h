/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The command line of daos_engine, its environment and its device list, as a struct engine_attr. */
#pragma once

#include "engine/engine.h"

enum engine_command { ENGINE_CMD_RUN, ENGINE_CMD_FORMAT, ENGINE_CMD_ERASE, ENGINE_CMD_DONE /**< help was printed */ };

#define ENGINE_BDEV_MAX 64

enum { ENGINE_PROVIDERS, ENGINE_INTERFACES, ENGINE_DOMAINS, ENGINE_PORTS, ENGINE_FABRIC_LIST_NR };

struct engine_options {
	enum engine_command command;
	struct engine_attr  attr;
	struct engine_bdev  bdevs[ENGINE_BDEV_MAX];
	char                name[32];
	uuid_t              uuid;
	bool                has_uuid, force;
	void               *json; /**< holds the strings of bdevs */
	struct crt_attr     secondary[ENGINE_NET_MAX - 1];
	char               *lists[ENGINE_FABRIC_LIST_NR]; /**< hold the strings of networks */
	char                error[512];
};
/** 0, or -DER_* with a message for the user in @opts->error. Strings are argv's, the environment's, or freed by fini. */
int  engine_options_parse(int argc, char **argv, struct engine_options *opts) MUST_CHECK;
void engine_options_fini(struct engine_options *opts);
