/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Options: taken, and printed so that they can be given again. */
#include "sim_cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENGINE_NR_MIN  3 /* where a seed chooses: to 7 */
#define ENGINE_NR_SPAN 5
#define JOB_NR_MAX     64

static const char usage[] =
    "daos_sim: a whole cluster in one process, determined by a seed\n\n"
    "  --seed N           run this one (1)\n"
    "  --seeds A..B       run these\n"
    "  --fresh SECONDS    run seeds nobody has seen for that long\n"
    "  --nodes N          engines (3 to 7, by the seed)\n"
    "  --clients N        clients (5)\n"
    "  --targets N        targets of an engine (2)\n"
    "  --hours H          of virtual time, until faults stop; --seconds S as well (300 s)\n"
    "  --faults PROFILE   none, default, network, disk, crash, storm, memory, full, rot, ruin\n"
    "  --only KIND,...    of the profile's faults only these: " "see --list\n"
    "  --work NAME,...    only these workloads\n"
    "  --scale N,...      what systems of N engines cost: messages, time, memory; with --json a line for each step\n"
    "  --replay 'OPTIONS' what a failure printed: the same again, with the course of events\n"
    "  --trace FILE       every step; --trace-bytes: messages, too\n"
    "  --no-shrink        do not make a failure small\n"
    "  --jobs N           processes at a time (1)\n"
    "  --hashes FILE      a line for each seed, to compare\n"
    "  --json --verbose --list --help\n";

/* ---- options ---- */

static int
names_to_mask(const char *list, const char *(*name_of)(uint32_t i), uint32_t nr, uint32_t *ret_mask)
{
	char buf[256], *save = NULL;

	snprintf(buf, sizeof(buf), "%s", list);
	*ret_mask = 0;
	for (char *word = strtok_r(buf, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
		uint32_t i = 0;

		while (i < nr && strcmp(name_of(i), word) != 0)
			i++;
		if (i == nr) {
			fprintf(stderr, "daos_sim: '%s' is not known; see --list\n", word);
			return -1;
		}
		*ret_mask |= 1u << i;
	}
	return 0;
}

static const char *
fault_name(uint32_t i)
{
	return sim_fault_names[i];
}

static const char *
work_name(uint32_t i)
{
	return sim_works[i]->name;
}

static void
list_print(void)
{
	printf("faults:   ");
	for (uint32_t i = 0; i < SIM_F_NR; i++)
		printf(" %s", fault_name(i));
	printf("\nworkloads:");
	for (uint32_t i = 0; i < SIM_WORK_NR; i++)
		printf(" %s", work_name(i));
	printf("\n");
	sim_bugs_print();
}

enum { OPT_SEED = 256, OPT_SEEDS, OPT_FRESH, OPT_NODES, OPT_CLIENTS, OPT_TARGETS, OPT_HOURS, OPT_SECONDS, OPT_FAULTS,
       OPT_ONLY, OPT_WORK, OPT_REPLAY, OPT_TRACE, OPT_TRACE_BYTES, OPT_NO_SHRINK, OPT_JOBS, OPT_HASHES,
       OPT_JSON, OPT_VERBOSE, OPT_LIST, OPT_HELP, OPT_BUG, OPT_FAILURES, OPT_SCALE };

static const struct option long_options[] = {
    {"seed", 1, NULL, OPT_SEED},       {"seeds", 1, NULL, OPT_SEEDS},     {"fresh", 1, NULL, OPT_FRESH},
    {"nodes", 1, NULL, OPT_NODES},     {"clients", 1, NULL, OPT_CLIENTS}, {"targets", 1, NULL, OPT_TARGETS},
    {"hours", 1, NULL, OPT_HOURS},     {"seconds", 1, NULL, OPT_SECONDS}, {"faults", 1, NULL, OPT_FAULTS},
    {"only", 1, NULL, OPT_ONLY},       {"work", 1, NULL, OPT_WORK},       {"replay", 1, NULL, OPT_REPLAY},
    {"trace", 1, NULL, OPT_TRACE},     {"jobs", 1, NULL, OPT_JOBS},       {"trace-bytes", 0, NULL, OPT_TRACE_BYTES},
    {"json", 0, NULL, OPT_JSON},       {"no-shrink", 0, NULL, OPT_NO_SHRINK},
    {"hashes", 1, NULL, OPT_HASHES},   {"bug", 1, NULL, OPT_BUG},         {"verbose", 0, NULL, OPT_VERBOSE},
    {"failures", 1, NULL, OPT_FAILURES}, {"list", 0, NULL, OPT_LIST},     {"help", 0, NULL, OPT_HELP},
    {"scale", 1, NULL, OPT_SCALE},     {NULL, 0, NULL, 0}};

static int
replay_parse(struct cli *cli, const char *line)
{
	static char buf[512];
	static char *words[64];
	char        *save = NULL;
	int          nr = 0;

	snprintf(buf, sizeof(buf), "%s", line);
	words[nr++] = "daos_sim";
	for (char *word = strtok_r(buf, " ", &save); word != NULL && nr < 63; word = strtok_r(NULL, " ", &save))
		words[nr++] = word;
	words[nr] = NULL;
	cli->opts.verbose = true;
	cli->shrink = false;
	optind = 0;
	return cli_parse(cli, nr, words);
}

static int
scale_parse(struct cli *cli, const char *list)
{
	char buf[128], *save = NULL;

	snprintf(buf, sizeof(buf), "%s", list);
	for (char *word = strtok_r(buf, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
		unsigned long nr = strtoul(word, NULL, 10);

		if (nr == 0 || nr > SIM_ENGINE_MAX || cli->scale_nr == SCALE_NR_MAX)
			return -1;
		cli->scale[cli->scale_nr++] = nr;
	}
	return cli->scale_nr > 0 ? 0 : -1;
}

static int
option_take(struct cli *cli, int opt, const char *arg)
{
	struct sim_opts *o = &cli->opts;

	switch (opt) {
	case OPT_SEED:
		cli->seed_first = cli->seed_last = strtoull(arg, NULL, 0);
		return 0;
	case OPT_SEEDS:
		return sscanf(arg, "%lu..%lu", &cli->seed_first, &cli->seed_last) == 2 ? 0 : -1;
	case OPT_FRESH:
		cli->budget_s = strtoul(arg, NULL, 0);
		cli->seed_first = (uint64_t)time(NULL) * 1000;
		cli->seed_last = UINT64_MAX - 1;
		return 0;
	case OPT_NODES:
		o->engine_nr = strtoul(arg, NULL, 0);
		return o->engine_nr >= 1 && o->engine_nr <= SIM_ENGINE_MAX ? 0 : -1;
	case OPT_CLIENTS:
		o->client_nr = strtoul(arg, NULL, 0);
		return o->client_nr >= 1 && o->client_nr <= SIM_CLIENT_MAX ? 0 : -1;
	case OPT_TARGETS:
		o->tgt_nr = strtoul(arg, NULL, 0);
		return o->tgt_nr >= 1 && o->tgt_nr <= 16 ? 0 : -1;
	case OPT_HOURS:
		o->run_ns = strtod(arg, NULL) * 3600 * SIM_SEC;
		return 0;
	case OPT_SECONDS:
		o->run_ns = strtod(arg, NULL) * SIM_SEC;
		return 0;
	case OPT_FAULTS:
		o->faults = arg;
		return sim_profile_exists(arg) ? 0 : -1;
	case OPT_ONLY:
		return names_to_mask(arg, fault_name, SIM_F_NR, &o->fault_mask);
	case OPT_WORK:
		return names_to_mask(arg, work_name, SIM_WORK_NR, &o->work_mask);
	case OPT_BUG:
		o->bug = strtoul(arg, NULL, 0);
		return sim_bug_exists(o->bug) ? 0 : -1;
	case OPT_SCALE:
		return scale_parse(cli, arg);
	case OPT_REPLAY:
		return replay_parse(cli, arg);
	case OPT_TRACE:
		cli->trace_path = arg;
		return 0;
	case OPT_TRACE_BYTES:
		o->trace_bytes = true;
		return 0;
	case OPT_NO_SHRINK:
		cli->shrink = false;
		return 0;
	case OPT_JOBS:
		cli->job_nr = strtoul(arg, NULL, 0);
		return cli->job_nr >= 1 && cli->job_nr <= JOB_NR_MAX ? 0 : -1;
	case OPT_FAILURES:
		cli->fail_max = strtoul(arg, NULL, 0);
		return 0;
	case OPT_HASHES:
		cli->hash_path = arg;
		return 0;
	case OPT_JSON:
		cli->json = o->json = true;
		return 0;
	case OPT_VERBOSE:
		o->verbose = true;
		return 0;
	case OPT_LIST:
		list_print();
		exit(0);
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		return -1;
	}
}

int
cli_parse(struct cli *cli, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option_take(cli, opt, optarg) != 0) {
			fprintf(stderr, "daos_sim: see --help\n");
			return -1;
		}
		if (opt == OPT_REPLAY)
			break; /* it parsed all there is */
	}
	return 0;
}

/* ---- printing ---- */

uint32_t
engines_by_seed(uint64_t seed)
{
	return ENGINE_NR_MIN + (seed * 0x9e3779b97f4a7c15ULL >> 33) % ENGINE_NR_SPAN;
}

static void
mask_print(FILE *out, const char *option, uint32_t mask, uint32_t nr, const char *(*name_of)(uint32_t i))
{
	const char *sep = " ";

	fprintf(out, " %s", option);
	for (uint32_t i = 0; i < nr; i++) {
		if ((mask & 1u << i) == 0)
			continue;
		fprintf(out, "%s%s", sep, name_of(i));
		sep = ",";
	}
}

void
cli_opts_print(FILE *out, const struct sim_opts *o)
{
	fprintf(out, "--seed %lu --nodes %u --clients %u --targets %u --seconds %.3f", (unsigned long)o->seed,
		o->engine_nr != 0 ? o->engine_nr : engines_by_seed(o->seed), o->client_nr, o->tgt_nr, o->run_ns / 1e9);
	if ((o->fault_mask & ((1u << SIM_F_NR) - 1)) == 0) {
		fprintf(out, " --faults none");
	} else {
		fprintf(out, " --faults %s", o->faults);
		if ((o->fault_mask & ((1u << SIM_F_NR) - 1)) != (1u << SIM_F_NR) - 1)
			mask_print(out, "--only", o->fault_mask, SIM_F_NR, fault_name);
	}
	if (o->work_mask != SIM_WORK_DEFAULT)
		mask_print(out, "--work", o->work_mask, SIM_WORK_NR, work_name);
	if (o->bug != 0)
		fprintf(out, " --bug %u", o->bug);
}
