/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos: the user's command. A client like any other: it uses the public API alone. */
#include <daos_uns.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "control/daos/daos_cli.h"

static struct daos_cli *
state(struct cli *cli)
{
	return cli->data;
}

const char *
uuid_text(const uuid_t uuid, char buf[37])
{
	uuid_unparse_lower(uuid, buf);
	return buf;
}

int
daos_cli_error(struct cli *cli, const char *what, const char *name, int rc)
{
	const char *hint = "";

	if (rc == -DER_AGENT_COMM)
		hint = "; is daos_agent running on this machine?";
	else if (rc == -DER_NO_PERM)
		hint = "; see the access control list (get-acl)";
	else if (rc == -DER_BUSY)
		hint = "; it is in use: --force overrides where the command has it";
	return cli_fail(cli, CLI_FAILED, rc, "%s %s: %s (%s)%s", what, name ? name : "", d_errdesc(rc), d_errstr(rc), hint);
}

int
daos_cli_json(struct cli *cli, json_t *response)
{
	if (!cli->json) {
		json_decref(response);
		return -1;
	}
	return cli_json_out(cli, response, NULL, 0) == 0 ? CLI_OK : CLI_FAILED;
}

/** -p is --path now and was --pool: with -c beside it, or when nothing lies at that path, it is the pool. */
static bool
path_is_pool(struct cli *cli, const char *path)
{
	struct stat st;

	return cli_has(cli, "cont") || (strchr(path, '/') == NULL && lstat(path, &st) != 0);
}

static int
resolve_path(struct cli *cli, const char *path, int want)
{
	struct daos_cli   *s = state(cli);
	struct duns_attr_t attr = {0};
	int                rc = duns_resolve_path(path, &attr);

	if (rc != 0)
		return cli_fail(cli, CLI_FAILED, -DER_NONEXIST, "path %s: %s; it does not name a container", path, strerror(rc));
	snprintf(s->pool_buf, sizeof(s->pool_buf), "%s", attr.da_pool);
	snprintf(s->cont_buf, sizeof(s->cont_buf), "%s", attr.da_cont);
	duns_destroy_attr(&attr);
	s->pool = s->pool_buf;
	s->cont = s->cont_buf;
	s->path = path;
	return CLI_OK;
}

/** The pool is named as ever, else by what lies above the path. */
static int
name_new_path(struct cli *cli, const char *path)
{
	struct daos_cli *s  = state(cli);
	int              rc = CLI_OK;

	if (s->pool == NULL && cli_arg(cli, s->arg_first) != NULL)
		s->pool = cli_arg(cli, s->arg_first++);
	else if (s->pool == NULL)
		rc = resolve_path(cli, path, WANT_POOL);
	s->path     = NULL;
	s->cont     = NULL;
	s->new_path = path;
	return rc;
}

static int
name_args(struct cli *cli, int want)
{
	struct daos_cli *s = state(cli);
	const char      *path = cli_get(cli, "path");

	s->pool = cli_get(cli, "pool");
	s->cont = cli_get(cli, "cont");
	if (path != NULL && path_is_pool(cli, path)) {
		s->pool = path;
		path = NULL;
	}
	if (path != NULL && (want & WANT_NEW_PATH))
		return name_new_path(cli, path);
	if (path != NULL)
		return resolve_path(cli, path, want);
	if (s->pool == NULL)
		s->pool = cli_arg(cli, s->arg_first++);
	if (s->pool == NULL)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "which pool? give its label or UUID; see --help");
	if ((want & WANT_CONT) && s->cont == NULL)
		s->cont = cli_arg(cli, s->arg_first++);
	if ((want & WANT_CONT) && s->cont == NULL)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "which container? give its label or UUID; see --help");
	return CLI_OK;
}

int
daos_cli_open(struct cli *cli, int want, unsigned pool_flags, unsigned cont_flags)
{
	struct daos_cli *s = state(cli);
	const char      *sys = cli_get(cli, "sys-name");
	int              rc = daos_init();

	if (rc != 0)
		return daos_cli_error(cli, "start", "the DAOS client", rc);
	s->inited = true;
	rc = name_args(cli, want);
	if (rc != CLI_OK)
		return rc;
	rc = daos_pool_connect(s->pool, sys, pool_flags, &s->poh, NULL, NULL);
	if (rc != 0)
		return daos_cli_error(cli, "pool", s->pool, rc);
	if (!(want & WANT_CONT) || cont_flags == 0)
		return CLI_OK;
	rc = daos_cont_open(s->poh, s->cont, cont_flags, &s->coh, NULL, NULL);
	return rc == 0 ? CLI_OK : daos_cli_error(cli, "container", s->cont, rc);
}

void
daos_cli_close(struct cli *cli)
{
	struct daos_cli *s = state(cli);

	if (daos_handle_is_valid(s->coh))
		daos_cont_close(s->coh, NULL);
	if (daos_handle_is_valid(s->poh))
		daos_pool_disconnect(s->poh, NULL);
	if (s->inited)
		daos_fini();
	memset(s, 0, sizeof(*s));
}

static int
run_version(struct cli *cli)
{
	if (cli->json)
		return cli_json_out(cli, json_pack("{s:s, s:s}", "name", "DAOS CLI", "version", CLI_VERSION), NULL, 0);
	printf("daos version %s, libdaos v%d.%d.%d\n", CLI_VERSION, DAOS_API_VERSION_MAJOR, DAOS_API_VERSION_MINOR,
	       DAOS_API_VERSION_FIX);
	return CLI_OK;
}

static const struct cli_opt global_opts[] = {
    {"json", 'j', CLI_FLAG, NULL, "print JSON"},
    {"verbose", 0, CLI_FLAG, NULL, "print more"},
    {"debug", 0, CLI_FLAG, NULL, "log debug messages to stderr"},
    {"sys-name", 'G', CLI_VALUE, "NAME", "system name (default: the agent's)"},
    {0}};

static const struct cli_cmd cmds[] = {
    {"container", "cont", "Create, query, change and destroy containers", .subs = daos_cont_cmds},
    {"pool", NULL, "Query pools and list their containers", .subs = daos_pool_cmds},
    {"system", "sys", "Query the system", .subs = daos_system_cmds},
    {"object", "obj", "Where an object's shards are", .subs = daos_object_cmds},
    {"version", NULL, "Print versions", .run = run_version},
    {0}};

static int
before(struct cli *cli)
{
	if (cli_has(cli, "debug")) {
		setenv("D_LOG_MASK", "DEBUG", 1);
		setenv("DD_STDERR", "DEBUG", 1);
	}
	return CLI_OK;
}

int
main(int argc, char **argv)
{
	static const struct cli_program program = {
	    .name = "daos",
	    .help = "Works with pools and containers.",
	    .opts = global_opts,
	    .cmds = cmds,
	    .before = before,
	};
	struct daos_cli state = {0};

	return cli_main(&program, argc, argv, &state);
}
