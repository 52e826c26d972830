/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos_sim: runs seeds, each in a process of its own, tells which failed, and makes a failure small. */
#include "sim.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "sim_commit.h"

#define RUN_S_DEFAULT     300
#define CLIENT_NR_DEFAULT 5
#define ENGINE_NR_MIN     3 /* where a seed chooses: to 7 */
#define ENGINE_NR_SPAN    5
#define HANG_S            240 /* of real time */
#define SHRINK_SEED_NR    6
#define JOB_NR_MAX        64

struct cli {
	struct sim_opts opts;
	uint64_t        seed_first, seed_last;
	uint32_t        budget_s; /* go on with fresh seeds until then; 0: not */
	uint32_t        job_nr;
	uint32_t        fail_max; /* stop after so many failures */
	bool            shrink, json;
	const char     *trace_path;
	const char     *hash_path; /* a line "seed hash" for each */
};

/** What a child tells its parent. */
struct report {
	struct sim_result result;
	double            real_s, cpu_s;
	char              text[400]; /* of a failure */
};

static const char usage[] =
    "daos_sim: a whole cluster in one process, determined by a seed\n\n"
    "  --seed N           run this one (1)\n"
    "  --seeds A..B       run these\n"
    "  --fresh SECONDS    run seeds nobody has seen for that long\n"
    "  --nodes N          engines (3 to 7, by the seed)\n"
    "  --clients N        clients (5)\n"
    "  --targets N        targets of an engine (2)\n"
    "  --hours H          of virtual time, until faults stop; --seconds S as well (300 s)\n"
    "  --faults PROFILE   none, default, network, disk, crash, storm\n"
    "  --only KIND,...    of the profile's faults only these: " "see --list\n"
    "  --work NAME,...    only these workloads\n"
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
       OPT_JSON, OPT_VERBOSE, OPT_LIST, OPT_HELP, OPT_BUG, OPT_FAILURES };

static const struct option long_options[] = {
    {"seed", 1, NULL, OPT_SEED},       {"seeds", 1, NULL, OPT_SEEDS},     {"fresh", 1, NULL, OPT_FRESH},
    {"nodes", 1, NULL, OPT_NODES},     {"clients", 1, NULL, OPT_CLIENTS}, {"targets", 1, NULL, OPT_TARGETS},
    {"hours", 1, NULL, OPT_HOURS},     {"seconds", 1, NULL, OPT_SECONDS}, {"faults", 1, NULL, OPT_FAULTS},
    {"only", 1, NULL, OPT_ONLY},       {"work", 1, NULL, OPT_WORK},       {"replay", 1, NULL, OPT_REPLAY},
    {"trace", 1, NULL, OPT_TRACE},     {"jobs", 1, NULL, OPT_JOBS},       {"trace-bytes", 0, NULL, OPT_TRACE_BYTES},
    {"json", 0, NULL, OPT_JSON},       {"no-shrink", 0, NULL, OPT_NO_SHRINK},
    {"hashes", 1, NULL, OPT_HASHES},   {"bug", 1, NULL, OPT_BUG},         {"verbose", 0, NULL, OPT_VERBOSE},
    {"failures", 1, NULL, OPT_FAILURES}, {"list", 0, NULL, OPT_LIST},     {"help", 0, NULL, OPT_HELP},
    {NULL, 0, NULL, 0}};

static int options_parse(struct cli *cli, int argc, char **argv);

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
	return options_parse(cli, nr, words);
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
		cli->json = true;
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

static int
options_parse(struct cli *cli, int argc, char **argv)
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

/* ---- one run, in this process ---- */

static uint32_t
engines_by_seed(uint64_t seed)
{
	return ENGINE_NR_MIN + (seed * 0x9e3779b97f4a7c15ULL >> 33) % ENGINE_NR_SPAN;
}

static double
clock_s(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double
now_s(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

static void
run_here(struct sim_opts opts, const char *trace_path, struct report *report)
{
	double begin_s = now_s();

	if (opts.engine_nr == 0)
		opts.engine_nr = engines_by_seed(opts.seed);
	if (trace_path != NULL)
		opts.trace = fopen(trace_path, "w");
	if (d_log_init() != 0)
		exit(1);
	sim_world_init(&opts);
	(void)sim_faults_init(opts.faults);
	sim_workers_init();
	sim_run(&report->result);
	if (opts.trace != NULL)
		fclose(opts.trace);
	report->real_s = now_s() - begin_s;
	report->cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

/* ---- runs in processes of their own ---- */

struct child {
	pid_t           pid;
	int             out, err; /* pipes: the report, what it says of a failure */
	struct sim_opts opts;
};

static int
child_start(struct child *child, const struct sim_opts *opts, const char *trace_path)
{
	int           out[2], err[2];
	struct report report = {0};

	fflush(stdout);
	if (pipe(out) != 0 || pipe(err) != 0)
		return -1;
	child->opts = *opts;
	child->pid = fork();
	if (child->pid != 0) {
		close(out[1]);
		close(err[1]);
		child->out = out[0];
		child->err = err[0];
		return child->pid > 0 ? 0 : -1;
	}
	alarm(HANG_S);
	dup2(err[1], STDERR_FILENO);
	run_here(*opts, trace_path, &report);
	fflush(stdout);
	if (write(out[1], &report, sizeof(report)) != sizeof(report))
		_exit(1);
	_exit(0);
}

/** What it wrote last; assertions and sanitizers speak to stderr as well. */
static void
err_read(int fd, char *text, size_t bytes)
{
	char    buf[8192];
	ssize_t n;
	size_t  len = 0;

	while ((n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0) {
		len += n;
		if (len == sizeof(buf) - 1) { /* keep the end */
			memmove(buf, buf + len / 2, len - len / 2);
			len -= len / 2;
		}
	}
	buf[len] = '\0';
	if (strstr(buf, "FAILED seed") != NULL)
		snprintf(text, bytes, "%s", strstr(buf, "FAILED seed"));
	else
		snprintf(text, bytes, "%s", len < bytes ? buf : buf + len - bytes + 1);
	fputs(buf, stderr);
}

/** 0: it passed. */
static int
child_end(struct child *child, struct report *report)
{
	int status = 0;

	*report = (struct report){0};
	if (read(child->out, report, sizeof(*report)) != sizeof(*report))
		report->real_s = 0;
	err_read(child->err, report->text, sizeof(report->text));
	close(child->out);
	close(child->err);
	(void)waitpid(child->pid, &status, 0);
	if (WIFSIGNALED(status))
		snprintf(report->text + strlen(report->text), sizeof(report->text) - strlen(report->text),
			 WTERMSIG(status) == SIGALRM ? " (it hangs)" : " (signal %d)", WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

/* ---- making a failure small ---- */

static void
mask_print(FILE *out, const char *option, uint32_t mask, uint32_t nr, const char *(*name_of)(uint32_t i))
{
	const char *sep = " ";

	if ((mask & ((1u << nr) - 1)) == (1u << nr) - 1)
		return;
	fprintf(out, " %s", option);
	for (uint32_t i = 0; i < nr; i++) {
		if ((mask & 1u << i) == 0)
			continue;
		fprintf(out, "%s%s", sep, name_of(i));
		sep = ",";
	}
}

static void
opts_print(FILE *out, const struct sim_opts *o)
{
	fprintf(out, "--seed %lu --nodes %u --clients %u --targets %u --seconds %.3f", (unsigned long)o->seed,
		o->engine_nr != 0 ? o->engine_nr : engines_by_seed(o->seed), o->client_nr, o->tgt_nr, o->run_ns / 1e9);
	if ((o->fault_mask & ((1u << SIM_F_NR) - 1)) == 0) {
		fprintf(out, " --faults none");
	} else {
		fprintf(out, " --faults %s", o->faults);
		mask_print(out, "--only", o->fault_mask, SIM_F_NR, fault_name);
	}
	mask_print(out, "--work", o->work_mask, SIM_WORK_NR, work_name);
	if (o->bug != 0)
		fprintf(out, " --bug %u", o->bug);
}

static double
failed_at_s(const struct report *report)
{
	const char *at = strstr(report->text, " at ");

	return at == NULL ? 0 : strtod(at + 4, NULL);
}

/** Does it fail with these options, with this seed or one near it? Then they are the new ones. */
static bool
still_fails(struct sim_opts *opts, struct sim_opts try, double *at_s)
{
	for (uint64_t i = 0; i < SHRINK_SEED_NR; i++) {
		struct child  child;
		struct report report;
		bool          failed;
		FILE         *saved = stderr;

		try.seed = opts->seed + (i == 0 ? 0 : i * 1000003);
		stderr = fopen("/dev/null", "w");
		failed = child_start(&child, &try, NULL) == 0 && child_end(&child, &report) != 0;
		fclose(stderr);
		stderr = saved;
		if (failed) {
			*opts = try;
			*at_s = failed_at_s(&report);
			return true;
		}
	}
	return false;
}

static void
shrink_masks(struct sim_opts *opts, double *at_s)
{
	for (uint32_t i = 0; i < SIM_WORK_NR; i++) {
		struct sim_opts try = *opts;

		try.work_mask &= ~(1u << i);
		if ((opts->work_mask & 1u << i) != 0 && (try.work_mask & ((1u << SIM_WORK_NR) - 1)) != 0)
			(void)still_fails(opts, try, at_s);
	}
	for (uint32_t i = 0; i < SIM_F_NR; i++) {
		struct sim_opts try = *opts;

		try.fault_mask &= ~(1u << i);
		if ((opts->fault_mask & 1u << i) != 0)
			(void)still_fails(opts, try, at_s);
	}
}

static bool
shrink_time(struct sim_opts *opts, double *at_s)
{
	struct sim_opts try = *opts;
	uint64_t        at_ns = *at_s * SIM_SEC;

	/* to when it failed, then to half of that */
	if (at_ns > 5 * SIM_SEC && at_ns + SIM_SEC < try.run_ns)
		try.run_ns = at_ns + SIM_SEC;
	else
		try.run_ns /= 2;
	return try.run_ns >= 2 * SIM_SEC && still_fails(opts, try, at_s);
}

static void
shrink(struct sim_opts opts, const struct report *report)
{
	double   at_s = failed_at_s(report);
	double   begin_s = now_s();
	uint64_t before_ns;

	opts.verbose = false;
	if (opts.engine_nr == 0)
		opts.engine_nr = engines_by_seed(opts.seed);
	do {
		before_ns = opts.run_ns;
		while (shrink_time(&opts, &at_s) && now_s() - begin_s < 120)
			;
		shrink_masks(&opts, &at_s);
		for (struct sim_opts try = opts; opts.client_nr > 1; try = opts) {
			try.client_nr--;
			if (!still_fails(&opts, try, &at_s))
				break;
		}
		for (struct sim_opts try = opts; opts.engine_nr > 1; try = opts) {
			try.engine_nr--;
			if (!still_fails(&opts, try, &at_s))
				break;
		}
	} while (opts.run_ns < before_ns / 2 && now_s() - begin_s < 120);
	printf("  smallest found: daos_sim --replay '");
	opts_print(stdout, &opts);
	printf("'\n");
}

/* ---- many runs ---- */

struct tally {
	uint64_t run_nr, failed_nr, op_nr, fault_nr, step_nr, raft_nr;
	double   virtual_s, real_s, cpu_s;
	FILE    *hashes;
};

static void
run_failed(const struct cli *cli, const struct child *child, const struct report *report)
{
	printf("seed %lu FAILED, commit %s: daos_sim --replay '", (unsigned long)child->opts.seed, SIM_COMMIT);
	opts_print(stdout, &child->opts);
	printf("'\n");
	if (cli->shrink)
		shrink(child->opts, report);
}

static void
run_tally(const struct cli *cli, struct tally *t, struct child *child)
{
	struct report report;
	int           failed = child_end(child, &report);

	t->run_nr++;
	t->failed_nr += failed;
	t->op_nr += report.result.op_nr;
	t->fault_nr += report.result.fault_nr;
	t->step_nr += report.result.step_nr;
	t->raft_nr += report.result.raft_nr;
	t->virtual_s += report.result.now_ns / 1e9;
	t->real_s += report.real_s;
	t->cpu_s += report.cpu_s;
	if (failed)
		run_failed(cli, child, &report);
	else if (t->hashes != NULL)
		fprintf(t->hashes, "%lu %016lx\n", (unsigned long)child->opts.seed, report.result.hash);
}

static void
summary(const struct cli *cli, const struct tally *t)
{
	if (cli->json) {
		printf("{\"runs\": %lu, \"failed\": %lu, \"virtual_s\": %.1f, \"real_s\": %.2f, \"cpu_s\": %.2f, \"ratio\": %.1f, "
		       "\"cpu_ratio\": %.1f, \"calls\": %lu}\n",
		       (unsigned long)t->run_nr, (unsigned long)t->failed_nr, t->virtual_s, t->real_s, t->cpu_s,
		       t->virtual_s / t->real_s, t->virtual_s / t->cpu_s, (unsigned long)t->op_nr);
		return;
	}
	printf("%lu seeds, %lu failed: %.0f s of virtual time (%.0f a second), %lu calls, %lu faults, %lu turns, %lu states "
	       "of raft\n",
	       (unsigned long)t->run_nr, (unsigned long)t->failed_nr, t->virtual_s,
	       t->real_s > 0 ? t->virtual_s / t->real_s : 0, (unsigned long)t->op_nr, (unsigned long)t->fault_nr,
	       (unsigned long)t->step_nr, (unsigned long)t->raft_nr);
}

static int
run_all(struct cli *cli)
{
	struct child children[JOB_NR_MAX];
	struct tally t = {.hashes = cli->hash_path == NULL ? NULL : fopen(cli->hash_path, "w")};
	double       begin_s = now_s();
	uint64_t     seed = cli->seed_first;
	uint32_t     at = 0, running = 0;

	for (;;) {
		bool more = seed <= cli->seed_last && t.failed_nr < cli->fail_max &&
			    (cli->budget_s == 0 || now_s() - begin_s < cli->budget_s);

		if (more && running < cli->job_nr) {
			cli->opts.seed = seed++;
			if (child_start(&children[(at + running) % JOB_NR_MAX], &cli->opts, cli->trace_path) != 0)
				return 1;
			running++;
			continue;
		}
		if (running == 0)
			break;
		run_tally(cli, &t, &children[at]); /* the oldest: lines keep the order of seeds */
		at = (at + 1) % JOB_NR_MAX;
		running--;
	}
	if (t.hashes != NULL)
		fclose(t.hashes);
	if (cli->seed_first != cli->seed_last || cli->budget_s != 0 || cli->json || cli->opts.verbose || t.failed_nr == 0)
		summary(cli, &t);
	return t.failed_nr > 0;
}

int
main(int argc, char **argv)
{
	static char out_buf[65536];
	struct cli  cli = {.opts = {.client_nr = CLIENT_NR_DEFAULT,
				    .tgt_nr = 2,
				    .run_ns = RUN_S_DEFAULT * SIM_SEC,
				    .faults = "default",
				    .fault_mask = (1u << SIM_F_NR) - 1,
				    .work_mask = (1u << SIM_WORK_NR) - 1},
			   .seed_first = 1,
			   .seed_last = 1,
			   .job_nr = 1,
			   .fail_max = UINT32_MAX,
			   .shrink = true};

	setvbuf(stdout, out_buf, _IOLBF, sizeof(out_buf));
	setenv("D_LOG_MASK", "CRIT", 0);
	if (options_parse(&cli, argc, argv) != 0)
		return 2;
	return run_all(&cli);
}
