/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/common/cli.h"

static const struct cli_opt help_opts[] = {{"help", 'h', CLI_FLAG, NULL, "show this help"}, {0}};

/* ---- help ---- */

static void
print_path(const struct cli *cli, FILE *f)
{
	int i;

	fputs(cli->program->name, f);
	for (i = 0; i < cli->depth; i++)
		fprintf(f, " %s", cli->path[i]->name);
}

static void
print_opts(const char *title, const struct cli_opt *opts, FILE *f)
{
	const struct cli_opt *o;
	bool                  any = false;

	for (o = opts; o != NULL && o->name != NULL; o++) {
		char left[80];

		if (o->hidden)
			continue;
		if (!any)
			fprintf(f, "\n%s:\n", title);
		any = true;
		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter ? "," : " ", o->name, o->kind == CLI_VALUE ? "=" : "",
			 o->kind == CLI_VALUE ? (o->meta ? o->meta : "VALUE") : "");
		fprintf(f, "  %-32s %s%s\n", left, o->help ? o->help : "", o->required ? " (required)" : "");
	}
}

static void
print_cmds(const struct cli_cmd *cmds, FILE *f)
{
	const struct cli_cmd *c;

	fputs("\nCommands:\n", f);
	for (c = cmds; c != NULL && c->name != NULL; c++)
		if (!c->hidden)
			fprintf(f, "  %-22s %s%s%s%s\n", c->name, c->help, c->aliases ? " (also: " : "",
				c->aliases ? c->aliases : "", c->aliases ? ")" : "");
}

static void
print_help(const struct cli *cli, FILE *f)
{
	const struct cli_cmd *leaf = cli->depth ? cli->path[cli->depth - 1] : NULL;
	const struct cli_cmd *subs = leaf ? leaf->subs : cli->program->cmds;
	int                   i;

	fputs("Usage:\n  ", f);
	print_path(cli, f);
	fprintf(f, " [options]%s\n\n%s\n", subs ? " <command>" : "", leaf ? leaf->help : cli->program->help);
	if (leaf != NULL && leaf->args != NULL)
		fprintf(f, "\nArguments:\n  %s\n", leaf->args);
	if (subs != NULL)
		print_cmds(subs, f);
	for (i = cli->depth - 1; i >= 0; i--)
		print_opts(i == cli->depth - 1 ? "Options" : "Options of the group", cli->path[i]->opts, f);
	print_opts("Global options", cli->program->opts, f);
	print_opts("Help", help_opts, f);
}

/* ---- output ---- */

int
cli_json_out(struct cli *cli, struct json_t *response, const char *error, int status)
{
	json_t *doc = json_object();

	json_object_set_new(doc, "response", response ? response : json_null());
	json_object_set_new(doc, "error", error ? json_string(error) : json_null());
	json_object_set_new(doc, "status", json_integer(status));
	json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(doc);
	return fflush(stdout) == 0 ? 0 : -1;
}

int
cli_fail(struct cli *cli, int code, int status, const char *fmt, ...)
{
	char    text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (cli->json)
		cli_json_out(cli, NULL, text, status);
	fprintf(stderr, "ERROR: %s: %s\n", cli->program->name, text);
	return code;
}

/* ---- parsing ---- */

static bool
alias_match(const char *aliases, const char *word)
{
	size_t len = strlen(word);

	while (aliases != NULL && *aliases != '\0') {
		size_t n = strcspn(aliases, ",");

		if (n == len && strncmp(aliases, word, n) == 0)
			return true;
		aliases += n + (aliases[n] == ',');
	}
	return false;
}

static const struct cli_cmd *
find_cmd(const struct cli_cmd *cmds, const char *word)
{
	const struct cli_cmd *c;

	for (c = cmds; c != NULL && c->name != NULL; c++)
		if (strcmp(c->name, word) == 0 || alias_match(c->aliases, word))
			return c;
	return NULL;
}

/** Option tables in force, innermost first. */
static int
opt_tables(const struct cli *cli, const struct cli_opt *tables[CLI_DEPTH_MAX + 2])
{
	int i, nr = 0;

	for (i = cli->depth - 1; i >= 0; i--)
		if (cli->path[i]->opts != NULL)
			tables[nr++] = cli->path[i]->opts;
	if (cli->program->opts != NULL)
		tables[nr++] = cli->program->opts;
	tables[nr++] = help_opts;
	return nr;
}

/** An exact name wins; else an abbreviation that fits one option only. -1: unknown, -2: ambiguous. */
static int
find_long(const struct cli *cli, const char *name, size_t len, const struct cli_opt **ret_opt)
{
	const struct cli_opt *tables[CLI_DEPTH_MAX + 2], *o, *found = NULL;
	int                   i, nr = opt_tables(cli, tables);
	bool                  many = false;

	for (i = 0; i < nr; i++) {
		for (o = tables[i]; o->name != NULL; o++) {
			if (strncmp(o->name, name, len) != 0)
				continue;
			if (o->name[len] == '\0') {
				*ret_opt = o;
				return 0;
			}
			if (found != NULL && strcmp(found->name, o->name) != 0 && !o->hidden && !found->hidden)
				many = true;
			if (found == NULL || found->hidden)
				found = o;
		}
	}
	if (found == NULL)
		return -1;
	*ret_opt = found;
	return many ? -2 : 0;
}

static const struct cli_opt *
find_short(const struct cli *cli, char letter)
{
	const struct cli_opt *tables[CLI_DEPTH_MAX + 2], *o;
	int                   i, nr = opt_tables(cli, tables);

	for (i = 0; i < nr; i++)
		for (o = tables[i]; o->name != NULL; o++)
			if (o->letter == letter)
				return o;
	return NULL;
}

static int
add_value(struct cli *cli, const struct cli_opt *opt, const char *value)
{
	if (cli->value_nr == CLI_VALUES_MAX)
		return cli_fail(cli, CLI_USAGE, -1, "too many options (at most %d)", CLI_VALUES_MAX);
	cli->values[cli->value_nr].opt = opt;
	cli->values[cli->value_nr++].value = value;
	return CLI_OK;
}

/** Moves *@i on when the value is the next word. */
static int
parse_long(struct cli *cli, int argc, char **argv, int *i)
{
	const char           *word = argv[*i] + 2, *eq = strchr(word, '=');
	size_t                len = eq ? (size_t)(eq - word) : strlen(word);
	const struct cli_opt *opt;
	int                   rc = find_long(cli, word, len, &opt);

	if (rc != 0)
		return cli_fail(cli, CLI_USAGE, -1, "%s option --%.*s; see --help",
				rc == -2 ? "ambiguous" : "unknown", (int)len, word);
	if (opt->kind == CLI_FLAG)
		return eq ? cli_fail(cli, CLI_USAGE, -1, "option --%s takes no value", opt->name)
			  : add_value(cli, opt, "");
	if (eq != NULL)
		return add_value(cli, opt, eq + 1);
	if (*i + 1 >= argc)
		return cli_fail(cli, CLI_USAGE, -1, "option --%s wants a value", opt->name);
	return add_value(cli, opt, argv[++*i]);
}

static int
parse_short(struct cli *cli, int argc, char **argv, int *i)
{
	const char *p;
	int         rc;

	for (p = argv[*i] + 1; *p != '\0'; p++) {
		const struct cli_opt *opt = find_short(cli, *p);

		if (opt == NULL)
			return cli_fail(cli, CLI_USAGE, -1, "unknown option -%c; see --help", *p);
		if (opt->kind == CLI_FLAG) {
			rc = add_value(cli, opt, "");
			if (rc != CLI_OK)
				return rc;
			continue;
		}
		if (p[1] != '\0')
			return add_value(cli, opt, p[1] == '=' ? p + 2 : p + 1);
		if (*i + 1 >= argc)
			return cli_fail(cli, CLI_USAGE, -1, "option -%c wants a value", *p);
		return add_value(cli, opt, argv[++*i]);
	}
	return CLI_OK;
}

static int
parse_word(struct cli *cli, const char *word)
{
	const struct cli_cmd *subs = cli->depth ? cli->path[cli->depth - 1]->subs : cli->program->cmds;
	const struct cli_cmd *cmd;

	if (subs == NULL) {
		if (cli->arg_nr == CLI_VALUES_MAX)
			return cli_fail(cli, CLI_USAGE, -1, "too many arguments");
		cli->args[cli->arg_nr++] = word;
		return CLI_OK;
	}
	cmd = find_cmd(subs, word);
	if (cmd == NULL)
		return cli_fail(cli, CLI_USAGE, -1, "unknown command '%s'; see --help", word);
	cli->path[cli->depth++] = cmd;
	return CLI_OK;
}

static int
parse_all(struct cli *cli, int argc, char **argv)
{
	bool words_only = false;
	int  i, rc;

	for (i = 1; i < argc; i++) {
		const char *w = argv[i];

		if (words_only || w[0] != '-' || w[1] == '\0')
			rc = parse_word(cli, w);
		else if (strcmp(w, "--") == 0) {
			words_only = true;
			rc = CLI_OK;
		} else if (w[1] == '-')
			rc = parse_long(cli, argc, argv, &i);
		else
			rc = parse_short(cli, argc, argv, &i);
		if (rc != CLI_OK)
			return rc;
	}
	return CLI_OK;
}

/** Everything the leaf wants is there. */
static int
check_leaf(struct cli *cli)
{
	const struct cli_cmd *leaf = cli->path[cli->depth - 1];
	const struct cli_opt *o;

	for (o = leaf->opts; o != NULL && o->name != NULL; o++)
		if (o->required && !cli_has(cli, o->name))
			return cli_fail(cli, CLI_USAGE, -1, "option --%s is required; see --help", o->name);
	if (cli->arg_nr < leaf->arg_min)
		return cli_fail(cli, CLI_USAGE, -1, "%s: missing argument: %s", leaf->name, leaf->args ? leaf->args : "");
	if (leaf->arg_max >= 0 && cli->arg_nr > leaf->arg_max)
		return cli_fail(cli, CLI_USAGE, -1, "%s: unexpected argument '%s'; wanted: %s", leaf->name,
				cli->args[leaf->arg_max], leaf->args ? leaf->args : "none");
	return CLI_OK;
}

bool
cli_has(const struct cli *cli, const char *name)
{
	return cli_get(cli, name) != NULL;
}

const char *
cli_get(const struct cli *cli, const char *name)
{
	int i;

	for (i = cli->value_nr - 1; i >= 0; i--)
		if (strcmp(cli->values[i].opt->name, name) == 0)
			return cli->values[i].value;
	return NULL;
}

const char *
cli_arg(const struct cli *cli, int i)
{
	return i < cli->arg_nr ? cli->args[i] : NULL;
}

int
cli_main(const struct cli_program *program, int argc, char **argv, void *data)
{
	struct cli            cli = {.program = program, .data = data, .out = stdout};
	const struct cli_cmd *leaf;
	int                   i, rc;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "-j") == 0 || strcmp(argv[i], "--json") == 0)
			cli.json = true;
	rc = parse_all(&cli, argc, argv);
	if (rc != CLI_OK)
		return rc;
	if (cli_has(&cli, "help")) {
		print_help(&cli, stdout);
		return CLI_OK;
	}
	cli.json = cli_has(&cli, "json");
	if (cli.depth == 0 && program->deflt != NULL)
		cli.path[cli.depth++] = find_cmd(program->cmds, program->deflt);
	leaf = cli.depth ? cli.path[cli.depth - 1] : NULL;
	if (leaf == NULL || leaf->subs != NULL) {
		print_help(&cli, stderr);
		return CLI_USAGE;
	}
	rc = check_leaf(&cli);
	if (rc == CLI_OK && program->before != NULL)
		rc = program->before(&cli);
	return rc == CLI_OK ? leaf->run(&cli) : rc;
}
