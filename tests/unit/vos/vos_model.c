/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * vos_model: run the model checker over many seeds, make failures small.
 *
 *     vos_model --seeds A..B        these
 *     vos_model --fresh SECONDS     others, as long as that; the first is printed
 *     vos_model --trace SEED        one, saying what is done
 *
 * Every run is in a process of its own, so that an assertion, a crash or a hang is a failure like
 * any other. A failing seed's operations are left out by and by, halves first, as long as it still
 * fails; what is left is run once more and told.
 */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "model_run.h"
#include "ult/ult.h"

#define SEEDS_A_PROCESS 20u
#define RUN_SECONDS	240u /**< of the clock: the machine may be busy */
#define SHRINK_SECONDS	90

#ifdef VOS_PLANTED_BUGS
extern int vos_planted_bug;
#endif

static uint32_t step_nr = 250;
static bool	quiet_log = true;

/** Which seed a worker is at: shared with it. */
static volatile uint64_t *at_seed;

struct run {
	uint64_t	       first;
	uint64_t	       end;
	const struct model_op *ops; /**< NULL: those of the seeds */
	uint32_t	       nr;
	bool		       trace;
};

static void
run_ult(void *arg)
{
	struct run	*run = arg;
	struct model_op *ops = calloc(step_nr, sizeof(*ops));
	uint64_t	 seed;

	for (seed = run->first; seed < run->end; seed++) {
		*at_seed = seed;
		alarm(RUN_SECONDS);
		model_make(seed, ops, step_nr);
		model_run(seed, run->ops != NULL ? run->ops : ops, run->ops != NULL ? run->nr : step_nr,
			  run->trace ? stdout : NULL);
	}
	free(ops);
}

/** In a child; 0: all is well. */
static int
run_apart(struct run *run, bool mute)
{
	struct ult_xs_attr attr = {.name = "model", .stack_bytes = 1 << 20, .core = -1};
	int		   status;
	pid_t		   pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0) {
		if (mute && freopen("/dev/null", "w", stderr) == NULL)
			_exit(1);
		if (d_log_init() != 0 || (quiet_log && d_log_setmasks("FATAL") != 0) ||
		    ult_xs_run(&attr, run_ult, run) != 0)
			_exit(1);
		d_log_fini();
		exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status))
		fprintf(mute ? stdout : stderr, "%s", mute ? "" : WTERMSIG(status) == SIGALRM ? "it hangs\n" : "it crashed\n");
	return status;
}

static bool
still_fails(uint64_t seed, const struct model_op *ops, uint32_t nr)
{
	struct run run = {.first = seed, .end = seed + 1, .ops = ops, .nr = nr};

	return run_apart(&run, true) != 0;
}

/** Leave out what is not needed to fail. Returns how many operations are left. */
static uint32_t
shrink(uint64_t seed, struct model_op *ops, uint32_t nr)
{
	struct model_op *some = calloc(nr, sizeof(*some));
	time_t		 stop = time(NULL) + SHRINK_SECONDS;
	uint32_t	 chunk;
	uint32_t	 at;

	for (chunk = nr / 2; chunk > 0; chunk /= 2) {
		for (at = 0; at < nr && time(NULL) < stop;) {
			uint32_t n = nr - at < chunk ? nr - at : chunk;

			memcpy(some, ops, at * sizeof(*ops));
			memcpy(some + at, ops + at + n, (nr - at - n) * sizeof(*ops));
			if (still_fails(seed, some, nr - n)) {
				memcpy(ops, some, (nr - n) * sizeof(*ops));
				nr -= n;
			} else {
				at += n;
			}
		}
	}
	free(some);
	return nr;
}

static void
failure_tell(uint64_t seed, bool shrinks)
{
	struct model_op *ops = calloc(step_nr, sizeof(*ops));
	struct run	 run = {.first = seed, .end = seed + 1, .ops = ops, .nr = step_nr};

	printf("seed %lu FAILED; rerun with --seeds %lu..%lu --steps %u\n", (unsigned long)seed, (unsigned long)seed,
	       (unsigned long)seed, step_nr);
	model_make(seed, ops, step_nr);
	if (shrinks) {
		run.nr = shrink(seed, ops, step_nr);
		printf("%u of its %u operations are enough:\n", run.nr, step_nr);
		run.trace = true;
		(void)run_apart(&run, false);
	}
	free(ops);
}

/** Returns how many failed. */
static uint64_t
seeds_run(uint64_t first, uint64_t last, time_t stop, bool shrinks)
{
	uint64_t failed = 0;
	uint64_t seed;

	for (seed = first; seed <= last && (stop == 0 || time(NULL) < stop);) {
		struct run run = {.first = seed, .end = seed + SEEDS_A_PROCESS};

		if (run.end > last + 1)
			run.end = last + 1;
		if (run_apart(&run, false) == 0) {
			seed = run.end;
			continue;
		}
		failed++;
		failure_tell(*at_seed, shrinks);
		seed = *at_seed + 1;
	}
	printf("%lu seeds, %lu failed\n", (unsigned long)(seed - first), (unsigned long)failed);
	return failed;
}

static uint64_t
fresh_seed(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000003 + ts.tv_nsec / 1000;
}

static int
usage(void)
{
	fprintf(stderr, "usage: vos_model [--steps N] [--no-shrink] [--bug N] --seeds A..B | --fresh SECONDS | --trace SEED\n");
	return 1;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"seeds", required_argument, NULL, 's'}, {"fresh", required_argument, NULL, 'f'},
	    {"steps", required_argument, NULL, 'n'}, {"no-shrink", no_argument, NULL, 'k'},
	    {"bug", required_argument, NULL, 'b'},   {"trace", required_argument, NULL, 't'},
	    {"log", no_argument, NULL, 'l'},	     {0}};
	uint64_t first = 1;
	uint64_t last = 0;
	time_t	 stop = 0;
	bool	 shrinks = true;
	char	*end;
	int	 c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	at_seed = mmap(NULL, sizeof(*at_seed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's') {
			first = strtoull(optarg, &end, 0);
			last = strncmp(end, "..", 2) == 0 ? strtoull(end + 2, NULL, 0) : first;
		} else if (c == 'f') {
			first = fresh_seed();
			last = UINT64_MAX - SEEDS_A_PROCESS;
			stop = time(NULL) + strtoul(optarg, NULL, 0);
			printf("fresh seeds from %lu on\n", (unsigned long)first);
		} else if (c == 'n') {
			step_nr = strtoul(optarg, NULL, 0);
		} else if (c == 'k') {
			shrinks = false;
		} else if (c == 'l') {
			quiet_log = false;
		} else if (c == 't') {
			struct run run = {.first = strtoull(optarg, NULL, 0), .trace = true};

			run.end = run.first + 1;
			return run_apart(&run, false) != 0;
#ifdef VOS_PLANTED_BUGS
		} else if (c == 'b') {
			vos_planted_bug = strtoul(optarg, NULL, 0);
#endif
		} else {
			return usage();
		}
	}
	if (last < first)
		return usage();
	return seeds_run(first, last, stop, shrinks) != 0;
}
