/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Options and results of vos_perf; the work is in vos_perf_run.c. Manual: docs/man/vos_perf.1. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "tools/vos_perf.h"
#include "ult/ult.h"

static struct perf_opts opts = {
    .path        = "/tmp/vos_perf.dev",
    .op_nr       = 100000,
    .value_bytes = 1024,
    .key_bytes   = 16,
    .object_nr   = 1,
    .chunk_bytes = 1 << 20,
    .version_nr  = 1,
    .in_flight   = 16,
    .data_thresh = 4096,
    .meta_bytes  = 1ull << 30,
    .data_bytes  = 1ull << 30,
    .seed        = 1,
    .phases      = {"update", "fetch"},
    .phase_nr    = 2,
};

static const struct option long_opts[] = {
    {"path", required_argument, NULL, 'p'},      {"volatile", no_argument, NULL, 'r'},
    {"existing", no_argument, NULL, 'e'},        {"keep", no_argument, NULL, 'E'},
    {"phases", required_argument, NULL, 'P'},    {"operations", required_argument, NULL, 'n'},
    {"size", required_argument, NULL, 's'},      {"type", required_argument, NULL, 'T'},
    {"keys", required_argument, NULL, 'K'},      {"key-size", required_argument, NULL, 'k'},
    {"objects", required_argument, NULL, 'o'},   {"chunk", required_argument, NULL, 'c'},
    {"hot", required_argument, NULL, 'w'},       {"versions", required_argument, NULL, 'v'},
    {"in-flight", required_argument, NULL, 'i'}, {"durable", no_argument, NULL, 'd'},
    {"random", no_argument, NULL, 'R'},          {"data-thresh", required_argument, NULL, 't'},
    {"meta", required_argument, NULL, 'M'},      {"data", required_argument, NULL, 'D'},
    {"log", required_argument, NULL, 'L'},       {"seed", required_argument, NULL, 'S'},
    {"json", no_argument, NULL, 'j'},            {"help", no_argument, NULL, 'h'},
    {0},
};

static const char usage[] =
    "Usage: vos_perf [options]: measure one target's store alone\n"
    "  -p, --path=FILE        device file, made and removed (/tmp/vos_perf.dev)\n"
    "  -r, --volatile         no device: heap only, nothing survives\n"
    "  -e, --existing         the file and its pool are there from an earlier run\n"
    "  -E, --keep             leave them\n"
    "  -P, --phases=LIST      of update, overwrite, fetch, aggregate, punch, reclaim, reopen, kill (update,fetch)\n"
    "  -n, --operations=N     keys or extents (100000)\n"
    "  -s, --size=BYTES       of a value or extent (1024)\n"
    "  -T, --type=KIND        single values or array extents: single, array (single)\n"
    "  -K, --keys=KIND        dkeys: hash, int, lex (hash)\n"
    "  -k, --key-size=BYTES   of a dkey, 8 or more (16)\n"
    "  -o, --objects=N        spread over so many objects (1)\n"
    "  -c, --chunk=BYTES      array: bytes below one dkey (1M)\n"
    "  -w, --hot=N            overwrite and fetch only the first N (all)\n"
    "  -v, --versions=N       rounds of overwriting, an epoch each (1)\n"
    "  -i, --in-flight=N      operations at a time (16)\n"
    "  -d, --durable          an update waits until it is on the medium; else until it is in the log's buffer\n"
    "  -R, --random           first updates in random order (else ascending)\n"
    "  -t, --data-thresh=B    values of at least B bytes go to the data blob (4096)\n"
    "  -M, --meta=BYTES  -D, --data=BYTES  -L, --log=BYTES   sizes (1G, 1G, chosen from meta)\n"
    "  -S, --seed=N           of the order (1)\n"
    "  -j, --json             one JSON line a phase\n";

static _Noreturn void
complain(const char *what, const char *value)
{
	fprintf(stderr, "vos_perf: %s: %s\n%s", what, value, usage);
	exit(2);
}

static uint64_t
number(const char *text)
{
	char    *end;
	uint64_t n = strtoull(text, &end, 0);
	uint32_t shift = *end == 'k' || *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

	if (end == text || end[shift != 0] != '\0')
		complain("not a number", text);
	return n << shift;
}

static uint32_t
one_of(const char *text, const char *const *names)
{
	for (uint32_t i = 0; names[i] != NULL; i++) {
		if (strcmp(text, names[i]) == 0)
			return i;
	}
	complain("unknown", text);
}

static void
set_phases(char *list)
{
	opts.phase_nr = 0;
	for (char *name = strtok(list, ","); name != NULL; name = strtok(NULL, ",")) {
		if (opts.phase_nr == PERF_PHASE_MAX)
			complain("too many phases", name);
		opts.phases[opts.phase_nr++] = name;
	}
}

static void
set_option(int c)
{
	static const char *const types[] = {"single", "array", NULL};
	static const char *const kinds[] = {"hash", "int", "lex", NULL};

	switch (c) {
	case 'p': opts.path = optarg; break;
	case 'r': opts.path = NULL; break;
	case 'e': opts.existing = true; break;
	case 'E': opts.keep = true; break;
	case 'P': set_phases(optarg); break;
	case 'n': opts.op_nr = number(optarg); break;
	case 's': opts.value_bytes = number(optarg); break;
	case 'T': opts.array = one_of(optarg, types); break;
	case 'K': opts.keys = one_of(optarg, kinds); break;
	case 'k': opts.key_bytes = number(optarg); break;
	case 'o': opts.object_nr = number(optarg); break;
	case 'c': opts.chunk_bytes = number(optarg); break;
	case 'w': opts.hot_nr = number(optarg); break;
	case 'v': opts.version_nr = number(optarg); break;
	case 'i': opts.in_flight = number(optarg); break;
	case 'd': opts.durable = true; break;
	case 'R': opts.random = true; break;
	case 't': opts.data_thresh = number(optarg); break;
	case 'M': opts.meta_bytes = number(optarg); break;
	case 'D': opts.data_bytes = number(optarg); break;
	case 'L': opts.log_bytes = number(optarg); break;
	case 'S': opts.seed = number(optarg); break;
	case 'j': opts.json = true; break;
	case 'h': fputs(usage, stdout); exit(0);
	default: fputs(usage, stderr); exit(2);
	}
}

static void
check_options(void)
{
	if (opts.op_nr == 0 || opts.in_flight == 0 || opts.object_nr == 0)
		complain("must not be 0", "operations, in-flight, objects");
	if (opts.value_bytes < 8 || opts.key_bytes < 8 || opts.key_bytes > 256)
		complain("8 bytes at least (keys: 256 at most)", "size, key-size");
	if (opts.array && opts.chunk_bytes < opts.value_bytes)
		complain("less than an extent", "chunk");
	if (opts.keys == PERF_KEYS_INT || opts.array)
		opts.key_bytes = 8;
	if (opts.hot_nr == 0 || opts.hot_nr > opts.op_nr)
		opts.hot_nr = opts.op_nr;
}

static void
report(const struct perf_result *r)
{
	double rate = r->seconds > 0 ? r->op_nr / r->seconds : 0;

	if (opts.json)
		printf("{\"phase\": \"%s\", \"operations\": %lu, \"seconds\": %.6f, \"rate\": %.1f, "
		       "\"p50_us\": %.2f, \"p99_us\": %.2f, \"max_us\": %.2f, "
		       "\"heap_bytes_per_op\": %.1f, \"log_writes\": %lu, \"log_bytes\": %lu, "
		       "\"checkpoints\": %lu, \"replayed\": %lu}\n",
		       r->phase, r->op_nr, r->seconds, rate, r->p50_us, r->p99_us, r->max_us,
		       r->heap_bytes_op, r->log_write_nr, r->log_bytes, r->checkpoint_nr,
		       r->replayed_nr);
	else
		printf("%-10s %9lu in %8.3f s  %10.0f/s  p50 %8.1f p99 %8.1f max %8.1f us  "
		       "heap %+7.1f B/op  log %lu writes %lu KiB  ckpt %lu%s\n",
		       r->phase, r->op_nr, r->seconds, rate, r->p50_us, r->p99_us, r->max_us,
		       r->heap_bytes_op, r->log_write_nr, r->log_bytes >> 10, r->checkpoint_nr,
		       r->replayed_nr > 0 ? "  (log replayed)" : "");
	fflush(stdout);
}

MAY_YIELD static void
main_ult(void *arg)
{
	*(int *)arg = perf_run(&opts, report);
}

int
main(int argc, char **argv)
{
	struct ult_xs_attr attr = {.name = "vos_perf", .stack_bytes = 256 << 10, .core = -1};
	int                rc, run_rc = 0, c;

	while ((c = getopt_long(argc, argv, "p:reEP:n:s:T:K:k:o:c:w:v:i:dRt:M:D:L:S:jh", long_opts, NULL)) != -1)
		set_option(c);
	if (optind < argc)
		complain("unexpected", argv[optind]);
	check_options();
	rc = d_log_init();
	if (rc == 0)
		rc = ult_xs_run(&attr, main_ult, &run_rc);
	if (rc == 0)
		rc = run_rc;
	if (rc != 0)
		fprintf(stderr, "vos_perf: failed: " DF_RC "\n", DP_RC(rc));
	d_log_fini();
	return rc != 0;
}
