/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos_sim: runs seeds, each in a process of its own, tells which failed, and makes a failure small. */
#include "sim_cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "sim_commit.h"
#include "sim_scale.h"

#define RUN_S_DEFAULT     300
#define CLIENT_NR_DEFAULT 5
#define HANG_S            240 /* of real time */
#define SCALE_HANG_S      3600
#define SCALE_CLIENT_NR   8
#define SHRINK_SEED_NR    6
#define JOB_NR_MAX        64

/** What a child tells its parent. */
struct report {
	struct sim_result result;
	double            real_s, cpu_s;
	char              text[400]; /* of a failure */
};

/* ---- one run, in this process ---- */

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
	if (opts.scale) {
		sim_scale_run(&report->result);
	} else {
		(void)sim_faults_init(opts.faults);
		sim_workers_init();
		sim_run(&report->result);
	}
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
	alarm(opts->scale ? SCALE_HANG_S : HANG_S);
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
	cli_opts_print(stdout, &opts);
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
	cli_opts_print(stdout, &child->opts);
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

/** Sizes one after the other, each a process of its own. */
static int
scale_all(struct cli *cli)
{
	int failed = 0;

	if (!cli->json)
		scale_header();
	for (uint32_t i = 0; i < cli->scale_nr; i++) {
		struct sim_opts opts = cli->opts;
		struct child    child;
		struct report   report;

		opts.scale = true;
		opts.seed = cli->seed_first;
		opts.engine_nr = cli->scale[i];
		opts.client_nr = SCALE_CLIENT_NR;
		opts.tgt_nr = 1;
		if (child_start(&child, &opts, cli->trace_path) != 0)
			return 1;
		failed |= child_end(&child, &report);
		if (!cli->json && report.real_s > 0)
			printf("%7u  took %.1f s of real time for %.1f of virtual time, %lu turns, hash %016lx\n", opts.engine_nr,
			       report.real_s, report.result.now_ns / 1e9, (unsigned long)report.result.step_nr,
			       report.result.hash);
	}
	return failed;
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
				    .work_mask = SIM_WORK_DEFAULT},
			   .seed_first = 1,
			   .seed_last = 1,
			   .job_nr = 1,
			   .fail_max = UINT32_MAX,
			   .shrink = true};

	setvbuf(stdout, out_buf, _IOLBF, sizeof(out_buf));
	setenv("D_LOG_MASK", "CRIT", 0);
	if (cli_parse(&cli, argc, argv) != 0)
		return 2;
	return cli.scale_nr > 0 ? scale_all(&cli) : run_all(&cli);
}
