/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The command line parser, with a program of its own. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/util.h"
#include "control/common/cli.h"

#define WORDS_MAX 160

/** What a run did, as text: "pool create(a,b) size=4g verbose". */
struct record {
	char text[4096];
	int  ran_nr, before_nr, before_rc;
};

static int
run(struct cli *cli)
{
	struct record *r = cli->data;
	FILE	      *f = fmemopen(r->text, sizeof(r->text), "w");
	int	       i;

	assert_non_null(f);
	for (i = 0; i < cli->depth; i++)
		fprintf(f, "%s%s", i ? " " : "", cli->path[i]->name);
	fputc('(', f);
	for (i = 0; cli_arg(cli, i) != NULL; i++)
		fprintf(f, "%s%s", i ? "," : "", cli_arg(cli, i));
	fputc(')', f);
	for (i = 0; i < cli->value_nr; i++)
		fprintf(f, cli->values[i].opt->kind == CLI_FLAG ? " %s" : " %s=%s",
			cli->values[i].opt->name, cli->values[i].value);
	fclose(f);
	r->ran_nr++;
	return (int)cli->path[cli->depth - 1]->data;
}

static int
run_json(struct cli *cli)
{
	struct record *r = cli->data;

	r->ran_nr++;
	if (cli_has(cli, "verbose"))
		return cli_fail(cli, CLI_FAILED, -1005, "no pool '%s'", cli_arg(cli, 0));
	return cli_json_out(cli, json_pack("{s:i}", "answer", 42), NULL, 0) == 0 ? CLI_OK
										 : CLI_FAILED;
}

static int
before(struct cli *cli)
{
	struct record *r = cli->data;

	r->before_nr++;
	return r->before_rc;
}

static const struct cli_opt create_opts[] = {
    {"size", 'z', CLI_VALUE, "SIZE", "how large", .required = true},
    {"user", 'u', CLI_VALUE, "USER", "who owns it"},
    {"label", 'p', CLI_VALUE, NULL, "its name", .hidden = true},
    {"scm-size", 's', CLI_VALUE, "SIZE", "DRAM"},
    {"scm-ratio", 0, CLI_VALUE, "PERCENT", "DRAM"},
    {0}};
static const struct cli_opt group_opts[] = {
    {"verbose", 'v', CLI_FLAG, NULL, "say more"}, {"quiet", 'q', CLI_FLAG, NULL, ""}, {0}};
static const struct cli_opt global_opts[] = {{"config", 'o', CLI_VALUE, "PATH", "configuration"},
					     {"json", 'j', CLI_FLAG, NULL, "print JSON"},
					     {"user-file", 0, CLI_VALUE, "PATH", "names"},
					     {0}};
static const struct cli_cmd pool_cmds[] = {
    {"create", "c,cr", "make a pool", "[<label>]", 0, 1, create_opts, NULL, run},
    {"destroy", NULL, "end a pool", "<pool>", 1, 1, NULL, NULL, run},
    {"set-prop", NULL, "set properties", "<pool> <prop>...", 2, -1, NULL, NULL, run},
    {"query", "q", "ask about a pool", "<pool>", 1, 1, NULL, NULL, run_json},
    {"bad", NULL, "fails", NULL, 0, 0, NULL, NULL, run, .data = CLI_FAILED},
    {"secret", NULL, "not shown", NULL, 0, 0, NULL, NULL, run, .hidden = true},
    {0}};
static const struct cli_cmd cmds[] = {
    {"pool", "p,po", "pools", NULL, 0, 0, group_opts, pool_cmds, NULL},
    {"version", NULL, "print the version", NULL, 0, 0, NULL, NULL, run},
    {0}};
static const struct cli_program program = {
    .name = "tool", .help = "A tool.", .opts = global_opts, .cmds = cmds, .before = before};

/** Output of the last run. */
static char	    *out_text, *err_text;
static struct record rec;

static int
go_program(const struct cli_program *prog, const char *line)
{
	char   copy[4096], *words[WORDS_MAX] = {"tool"}, *save = NULL, *w;
	FILE  *old_out = stdout, *old_err = stderr, *out, *err;
	size_t out_bytes, err_bytes;
	int    nr = 1, rc;

	free(out_text);
	free(err_text);
	rec = (struct record){.before_rc = rec.before_rc};
	snprintf(copy, sizeof(copy), "%s", line);
	for (w = strtok_r(copy, " ", &save); w != NULL && nr < WORDS_MAX;
	     w = strtok_r(NULL, " ", &save))
		words[nr++] = strcmp(w, "''") == 0 ? "" : w;
	out = open_memstream(&out_text, &out_bytes);
	err = open_memstream(&err_text, &err_bytes);
	assert_true(out != NULL && err != NULL);
	stdout = out;
	stderr = err;
	rc = cli_main(prog, nr, words, &rec);
	stdout = old_out;
	stderr = old_err;
	fclose(out);
	fclose(err);
	return rc;
}

static int
go(const char *line)
{
	return go_program(&program, line);
}

static int
clean(void **state)
{
	free(out_text);
	free(err_text);
	out_text = err_text = NULL;
	rec = (struct record){0};
	return 0;
}

struct good {
	const char *line, *did;
};

static void
expect_all(const struct good *cases, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		int rc = go(cases[i].line);

		if (rc != CLI_OK || strcmp(rec.text, cases[i].did) != 0)
			fail_msg("'%s': exit %d, did '%s', wanted '%s'; %s", cases[i].line, rc,
				 rec.text, cases[i].did, err_text);
		assert_int_equal(rec.ran_nr, 1);
		assert_int_equal(rec.before_nr, 1);
	}
}

struct bad {
	const char *line, *says;
};

/** Each is a usage error: nothing runs, the message is on stderr alone. */
static void
refuse_all(const struct bad *cases, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		int rc = go(cases[i].line);

		if (rc != CLI_USAGE || strstr(err_text, cases[i].says) == NULL)
			fail_msg("'%s': exit %d, '%s', wanted '%s'", cases[i].line, rc, err_text,
				 cases[i].says);
		assert_int_equal(rec.ran_nr, 0);
		assert_int_equal(rec.before_nr, 0);
		assert_string_equal(out_text, "");
	}
}

static void
commands_and_aliases(void **state)
{
	const struct good cases[] = {
	    {"version", "version()"},
	    {"pool destroy tank", "pool destroy(tank)"},
	    {"p destroy tank", "pool destroy(tank)"},
	    {"po c -z 1g", "pool create() size=1g"},
	    {"p cr -z 1g", "pool create() size=1g"},
	    {"pool secret", "pool secret()"},
	};

	expect_all(cases, ARRAY_NR(cases));
}

static void
options_before_and_after_commands(void **state)
{
	const struct good cases[] = {
	    {"-o a pool -v create -z 1g tank", "pool create(tank) config=a verbose size=1g"},
	    {"pool create tank -z 1g -v -o a", "pool create(tank) size=1g verbose config=a"},
	    {"pool create -z 1g -o a tank -v", "pool create(tank) size=1g config=a verbose"},
	    {"--config a pool -v create --size 1g", "pool create() config=a verbose size=1g"},
	};
	const struct bad too_early[] = {
	    {"-v pool create -z 1g", "unknown option -v"},
	    {"pool -z 1g create", "unknown option -z"},
	    {"--size=1g pool create", "unknown option --size"},
	};

	expect_all(cases, ARRAY_NR(cases));
	refuse_all(too_early, ARRAY_NR(too_early));
}

static void
short_options(void **state)
{
	const struct good cases[] = {
	    {"pool create -z 1g", "pool create() size=1g"},
	    {"pool create -z1g", "pool create() size=1g"},
	    {"pool create -z=1g", "pool create() size=1g"},
	    {"pool create -vq -z1g", "pool create() verbose quiet size=1g"},
	    {"pool create -vqz1g", "pool create() verbose quiet size=1g"},
	    {"pool create -vz 1g", "pool create() verbose size=1g"},
	    {"pool create -z -v", "pool create() size=-v"},
	    {"pool create -z=", "pool create() size="},
	};
	const struct bad wrong[] = {
	    {"pool create -x", "unknown option -x"},
	    {"pool create -vx", "unknown option -x"},
	    {"pool create -z", "-z wants a value"},
	    {"pool create -vz", "-z wants a value"},
	    {"-", "unknown command '-'"},
	};

	expect_all(cases, ARRAY_NR(cases));
	refuse_all(wrong, ARRAY_NR(wrong));
}

static void
long_options(void **state)
{
	const struct good cases[] = {
	    {"pool create --size 1g", "pool create() size=1g"},
	    {"pool create --size=1g", "pool create() size=1g"},
	    {"pool create --size=a=b", "pool create() size=a=b"},
	    {"pool create --size=", "pool create() size="},
	    {"pool create --size --size", "pool create() size=--size"},
	    {"pool create --size ''", "pool create() size="},
	};
	const struct bad wrong[] = {
	    {"pool create --bogus", "unknown option --bogus"},
	    {"pool create --bogus=1", "unknown option --bogus;"},
	    {"pool create --size", "--size wants a value"},
	    {"pool create --verbose=yes --size 1", "--verbose takes no value"},
	    {"pool create --sizes 1", "unknown option --sizes"},
	};

	expect_all(cases, ARRAY_NR(cases));
	refuse_all(wrong, ARRAY_NR(wrong));
}

static void
abbreviations(void **state)
{
	const struct good cases[] = {
	    {"pool create --si 1g", "pool create() size=1g"},
	    {"pool create --siz=1g --verb", "pool create() size=1g verbose"},
	    {"pool create -z1 --scm-s 2", "pool create() size=1 scm-size=2"},
	    {"pool create -z1 --user me",
	     "pool create() size=1 user=me"}, /* exact, though --user-file begins so */
	    {"pool create -z1 --user-f me", "pool create() size=1 user-file=me"},
	    {"--conf x version", "version() config=x"},
	};
	const struct bad wrong[] = {
	    {"pool create --s 1", "ambiguous option --s"},
	    {"pool create -z1 --scm 1", "ambiguous option --scm"},
	    {"pool create -z1 --scm- 1", "ambiguous option --scm-"},
	    {"pool create -z1 --us me", "ambiguous option --us"},
	    {"pool create --=1", "ambiguous option --"},
	};

	expect_all(cases, ARRAY_NR(cases));
	refuse_all(wrong, ARRAY_NR(wrong));
}

static void
two_dashes_end_the_options(void **state)
{
	const struct good cases[] = {
	    {"pool destroy -- -v", "pool destroy(-v)"},
	    {"pool set-prop -- --x --y", "pool set-prop(--x,--y)"},
	    {"pool set-prop a -- -- b", "pool set-prop(a,--,b)"},
	    {"-- version", "version()"},
	    {"pool destroy -", "pool destroy(-)"},
	};

	expect_all(cases, ARRAY_NR(cases));
}

static void
the_last_of_several_values_counts(void **state)
{
	assert_int_equal(go("pool create -z 1 -z 2 --size=3"), CLI_OK);
	assert_string_equal(rec.text, "pool create() size=1 size=2 size=3");
}

static int
run_getters(struct cli *cli)
{
	struct record *r = cli->data;

	assert_string_equal(cli_get(cli, "size"), "2");
	assert_true(cli_has(cli, "verbose"));
	assert_string_equal(cli_get(cli, "verbose"), "");
	assert_false(cli_has(cli, "quiet"));
	assert_null(cli_get(cli, "quiet"));
	assert_null(cli_get(cli, "no such option"));
	assert_string_equal(cli_arg(cli, 0), "a");
	assert_null(cli_arg(cli, 1));
	r->ran_nr++;
	return CLI_OK;
}

static void
what_a_command_can_ask(void **state)
{
	const struct cli_opt opts[] = {
	    {"size", 'z', CLI_VALUE}, {"verbose", 'v'}, {"quiet", 'q'}, {0}};
	const struct cli_cmd one[] = {{"get", NULL, "", NULL, 0, 1, opts, NULL, run_getters}, {0}};
	const struct cli_program prog = {.name = "tool", .help = "", .cmds = one};

	assert_int_equal(go_program(&prog, "get -z1 -v a -z2"), CLI_OK);
	assert_int_equal(rec.ran_nr, 1);
}

static void
arguments_missing_and_extra(void **state)
{
	const struct bad cases[] = {
	    {"pool destroy", "destroy: missing argument: <pool>"},
	    {"pool destroy a b", "unexpected argument 'b'"},
	    {"pool set-prop a", "missing argument"},
	    {"pool bad x", "unexpected argument 'x'; wanted: none"},
	    {"version x", "unexpected argument 'x'"},
	    {"bogus", "unknown command 'bogus'"},
	    {"pool bogus", "unknown command 'bogus'"},
	    {"pool '' x", "unknown command ''"},
	};

	refuse_all(cases, ARRAY_NR(cases));
	assert_int_equal(go("pool set-prop a 1 2 3 4 5"), CLI_OK);
	assert_string_equal(rec.text, "pool set-prop(a,1,2,3,4,5)");
}

static void
required_options(void **state)
{
	const struct bad cases[] = {{"pool create", "--size is required"},
				    {"pool create tank -u me", "--size is required"}};

	refuse_all(cases, ARRAY_NR(cases));
}

static void
a_command_is_wanted(void **state)
{
	assert_int_equal(go(""), CLI_USAGE);
	assert_non_null(strstr(err_text, "tool [options] <command>"));
	assert_int_equal(go("pool"), CLI_USAGE);
	assert_non_null(strstr(err_text, "tool pool [options] <command>"));
	assert_string_equal(out_text, "");
	assert_int_equal(rec.ran_nr, 0);
}

static void
a_default_command(void **state)
{
	struct cli_program prog = program;

	prog.deflt = "version";
	assert_int_equal(go_program(&prog, "-o x"), CLI_OK);
	assert_string_equal(rec.text, "version() config=x");
	assert_int_equal(go_program(&prog, "pool"), CLI_USAGE);
}

static void
help_on_every_level(void **state)
{
	const struct {
		const char *line, *has, *has_not;
	} cases[] = {
	    {"--help", "pools (also: p,po)", "create"},
	    {"-h", "--config=PATH", "create"},
	    {"pool --help", "destroy", "secret"},
	    {"pool -h", "-v, --verbose", "--label"},
	    {"pool create --help", "--size=SIZE", "--label"},
	    {"pool create -h", "[<label>]", "destroy"},
	    {"--help pool create", "(required)", "destroy"},
	    {"pool destroy --he", "<pool>", "--size"},
	};
	size_t i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		assert_int_equal(go(cases[i].line), CLI_OK);
		if (strstr(out_text, cases[i].has) == NULL ||
		    strstr(out_text, cases[i].has_not) != NULL)
			fail_msg("'%s' prints: %s", cases[i].line, out_text);
		assert_string_equal(err_text, "");
		assert_int_equal(rec.ran_nr + rec.before_nr, 0);
	}
}

static void
exit_codes(void **state)
{
	assert_int_equal(go("version"), 0);
	assert_int_equal(go("pool bad"), 1);
	assert_int_equal(go("pool worse"), 2);
	rec.before_rc = CLI_FAILED;
	assert_int_equal(go("version"), 1);
	assert_int_equal(rec.ran_nr, 0);
	assert_int_equal(rec.before_nr, 1);
}

/** The document on stdout, checked for its three members. */
static json_t *
document(void)
{
	json_t *doc = json_loads(out_text, 0, NULL);

	assert_non_null(doc);
	assert_int_equal(json_object_size(doc), 3);
	assert_non_null(json_object_get(doc, "response"));
	assert_non_null(json_object_get(doc, "error"));
	assert_true(json_is_integer(json_object_get(doc, "status")));
	return doc;
}

static void
json_success(void **state)
{
	json_t *doc;

	assert_int_equal(go("-j pool query tank"), CLI_OK);
	doc = document();
	assert_int_equal(
	    json_integer_value(json_object_get(json_object_get(doc, "response"), "answer")), 42);
	assert_true(json_is_null(json_object_get(doc, "error")));
	assert_int_equal(json_integer_value(json_object_get(doc, "status")), 0);
	json_decref(doc);
}

static void
json_failure(void **state)
{
	json_t *doc;

	assert_int_equal(go("pool query -v tank --json"), CLI_FAILED);
	doc = document();
	assert_true(json_is_null(json_object_get(doc, "response")));
	assert_string_equal(json_string_value(json_object_get(doc, "error")), "no pool 'tank'");
	assert_int_equal(json_integer_value(json_object_get(doc, "status")), -1005);
	json_decref(doc);
	assert_non_null(strstr(err_text, "ERROR: tool: no pool 'tank'"));
}

static void
json_usage_errors(void **state)
{
	const char *const lines[] = {"-j bogus", "--json pool create", "pool query -j",
				     "--bogus -j", "-j pool destroy a b"};
	size_t		  i;

	for (i = 0; i < ARRAY_NR(lines); i++) {
		json_t *doc;

		assert_int_equal(go(lines[i]), CLI_USAGE);
		doc = document();
		assert_true(json_is_null(json_object_get(doc, "response")));
		assert_true(json_string_length(json_object_get(doc, "error")) > 5);
		assert_int_not_equal(json_integer_value(json_object_get(doc, "status")), 0);
		json_decref(doc);
	}
}

/** An argument that looks like the JSON flag but is none does not change how errors are printed. */
static void
json_after_two_dashes_is_an_argument(void **state)
{
	assert_int_equal(go("pool destroy a -- -j"), CLI_USAGE);
	assert_string_equal(out_text, "");
	assert_int_equal(go("pool destroy -- -j"), CLI_OK);
	assert_string_equal(rec.text, "pool destroy(-j)");
}

static void
more_words_than_fit(void **state)
{
	char line[4096] = "pool set-prop";
	int  i;

	for (i = 0; i < CLI_VALUES_MAX + 1; i++)
		strcat(line, " a");
	assert_int_equal(go(line), CLI_USAGE);
	assert_non_null(strstr(err_text, "too many arguments"));
	strcpy(line, "pool create -z 1");
	for (i = 0; i < CLI_VALUES_MAX; i++)
		strcat(line, " -v");
	assert_int_equal(go(line), CLI_USAGE);
	assert_non_null(strstr(err_text, "too many options"));
}

#define CASE(fn) cmocka_unit_test_teardown(fn, clean)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(commands_and_aliases),
	    CASE(options_before_and_after_commands),
	    CASE(short_options),
	    CASE(long_options),
	    CASE(abbreviations),
	    CASE(two_dashes_end_the_options),
	    CASE(the_last_of_several_values_counts),
	    CASE(what_a_command_can_ask),
	    CASE(arguments_missing_and_extra),
	    CASE(required_options),
	    CASE(a_command_is_wanted),
	    CASE(a_default_command),
	    CASE(help_on_every_level),
	    CASE(exit_codes),
	    CASE(json_success),
	    CASE(json_failure),
	    CASE(json_usage_errors),
	    CASE(json_after_two_dashes_is_an_argument),
	    CASE(more_words_than_fit),
	};

	return cmocka_run_group_tests_name("control/cli", tests, NULL, NULL);
}
