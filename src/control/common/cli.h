/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Command lines declared as tables: a tree of commands, each with options and arguments. One parser
 * does dmg, daos, daos_server and daos_agent: aliases, options before or after the command they
 * belong to or any command below it, `--name=value`, `-xvalue`, bundled flags, unambiguous
 * abbreviations of long names, --help on every level, and the exit codes below.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <daos_version.h>

#define CLI_TEXT(x)  CLI_TEXT_(x)
#define CLI_TEXT_(x) #x
/** "2.8.0", of all programs. */
#define CLI_VERSION \
	CLI_TEXT(DAOS_VERSION_MAJOR) "." CLI_TEXT(DAOS_VERSION_MINOR) "." CLI_TEXT(DAOS_VERSION_FIX)

/** What scripts can rely on. */
enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

enum cli_kind { CLI_FLAG, CLI_VALUE };

struct cli_opt {
	const char   *name;    /**< long name, without dashes; NULL ends a table */
	char          letter;  /**< 0: none */
	enum cli_kind kind;
	const char   *meta;    /**< what the value is, for help: "SIZE" */
	const char   *help;
	bool          required;
	bool          hidden;  /**< old spellings */
};

struct cli;
struct cli_cmd {
	const char           *name;    /**< NULL ends a table */
	const char           *aliases; /**< "sto,st" or NULL */
	const char           *help;
	const char           *args;    /**< "<pool> [<key>[,<key>...]]", for help */
	int                   arg_min, arg_max; /**< -1: any number */
	const struct cli_opt *opts;
	const struct cli_cmd *subs;    /**< NULL: a leaf */
	int                 (*run)(struct cli *cli); /**< returns enum cli_exit */
	uintptr_t             data;    /**< for run functions shared by several commands */
	bool                  hidden;
};

struct cli_program {
	const char           *name;
	const char           *help;
	const struct cli_opt *opts; /**< global */
	const struct cli_cmd *cmds;
	const char           *deflt; /**< command when none is given, or NULL */
	int                 (*before)(struct cli *cli); /**< after parsing, before the command; NULL */
};

#define CLI_DEPTH_MAX 5
#define CLI_VALUES_MAX 128
struct cli {
	const struct cli_program *program;
	const struct cli_cmd     *path[CLI_DEPTH_MAX]; /**< path[depth-1] is the leaf */
	int                       depth;
	struct { const struct cli_opt *opt; const char *value; } values[CLI_VALUES_MAX];
	int                       value_nr;
	const char               *args[CLI_VALUES_MAX];
	int                       arg_nr;
	bool                      json;
	FILE                     *out;  /**< stdout, or nowhere while in JSON mode */
	void                     *data; /**< the program's */
};

/** Parse and run. Usage errors go to stderr (or as JSON) with a hint to --help; returns the exit code. */
int cli_main(const struct cli_program *program, int argc, char **argv, void *data);

bool        cli_has(const struct cli *cli, const char *name);
/** The last value given, or NULL. */
const char *cli_get(const struct cli *cli, const char *name);
/** The @i-th positional argument, or NULL. */
const char *cli_arg(const struct cli *cli, int i);
/** Print "<program>: <message>" (or the JSON form) and return @code, for `return cli_fail(...)`. */
int cli_fail(struct cli *cli, int code, int status, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/** The JSON document every command prints with -j: {"response": .., "error": .., "status": n}. Takes @response. */
struct json_t;
int cli_json_out(struct cli *cli, struct json_t *response, const char *error, int status);
