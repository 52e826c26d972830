/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fuzz target: command lines, one word a line. The program's commands check that what reaches them
 * is what their tables promise, and hand their words to the parsers of sizes, rank sets and labels.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "control/common/cli.h"
#include "control/common/cli_text.h"
#include "fuzz_replay.h"

#define WORDS_MAX 300

static void
read_ranks(const char *text)
{
	uint32_t *ranks, nr, again_nr, *again, i;
	char	 *canonical;

	if (text_parse_ranks(text, &ranks, &nr) != 0)
		return;
	for (i = 1; i < nr; i++)
		if (ranks[i] <= ranks[i - 1])
			abort();
	canonical = text_ranks(ranks, nr);
	if (canonical == NULL || text_parse_ranks(canonical, &again, &again_nr) != 0 ||
	    again_nr != nr || (nr > 0 && memcmp(ranks, again, nr * sizeof(*ranks)) != 0))
		abort();
	free(canonical);
	free(again);
	free(ranks);
}

static int
run(struct cli *cli)
{
	const struct cli_cmd *leaf = cli->path[cli->depth - 1];
	uint64_t	      bytes;
	char		      text[32];
	int		      i;

	if (cli->arg_nr < leaf->arg_min || (leaf->arg_max >= 0 && cli->arg_nr > leaf->arg_max) ||
	    leaf->subs != NULL)
		abort();
	if (leaf->opts != NULL && !cli_has(cli, "size"))
		abort();
	if (leaf->opts != NULL && text_parse_size(cli_get(cli, "size"), &bytes) == 0) {
		text_bytes(bytes, text, sizeof(text));
		if (bytes < 1000000000000000000 && text_parse_size(text, &bytes) != 0)
			abort();
	}
	for (i = 0; i < cli->arg_nr; i++) {
		read_ranks(cli_arg(cli, i));
		if (text_is_label(cli_arg(cli, i)) && text_is_uuid(cli_arg(cli, i)))
			abort();
	}
	return CLI_OK;
}

static const struct cli_opt leaf_opts[] = {
    {"size", 'z', CLI_VALUE, "SIZE", "how large", .required = true},
    {"ranks", 'r', CLI_VALUE, "RANKS", "where"},
    {"scm-size", 's', CLI_VALUE, NULL, NULL},
    {"scm-ratio", 0, CLI_VALUE, NULL, NULL, .hidden = true},
    {0}};
static const struct cli_opt group_opts[] = {{"verbose", 'v', CLI_FLAG, NULL, "more"}, {0}};
static const struct cli_opt global_opts[] = {{"config", 'o', CLI_VALUE, "PATH", "file"},
					     {"json", 'j', CLI_FLAG, NULL, "JSON"},
					     {"insecure", 'i', CLI_FLAG, NULL, ""},
					     {0}};
static const struct cli_cmd leaves[] = {
    {"create", "c", "", "[<label>]", 0, 1, leaf_opts, NULL, run},
    {"destroy", NULL, "", "<pool>", 1, 1, NULL, NULL, run},
    {"set-prop", "sp", "", "<pool> <prop>...", 2, -1, NULL, NULL, run},
    {0}};
static const struct cli_cmd	groups[] = {{"pool", "p", "", NULL, 0, 0, group_opts, leaves, NULL},
					    {"system", NULL, "", NULL, 0, -1, NULL, NULL, run},
					    {0}};
static const struct cli_program program = {
    .name = "tool", .help = "", .opts = global_opts, .cmds = groups};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *text = malloc(bytes + 1), *words[WORDS_MAX + 1], *p = text, *nl;
	int   nr = 0, rc;

	if (text == NULL)
		abort();
	memcpy(text, data, bytes);
	text[bytes] = '\0';
	words[nr++] = "tool";
	for (; nr < WORDS_MAX && (nl = strchr(p, '\n')) != NULL; p = nl + 1) {
		*nl = '\0';
		words[nr++] = p;
	}
	words[nr] = NULL;
	rc = cli_main(&program, nr, words, NULL);
	if (rc != CLI_OK && rc != CLI_USAGE)
		abort();
	free(text);
	return 0;
}

/** What is printed is of no interest here; libFuzzer sees to it itself. */
void
fuzz_start(void)
{
#ifndef FUZZ_LIBFUZZER
	if (freopen("/dev/null", "w", stderr) == NULL)
		abort();
#endif
}
