/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the benchmark programs share: a clock, percentiles, two processes, and one line of JSON. */
#pragma once

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_RTT_NR  20000 /* round trips that are measured one by one */
#define BENCH_WARM_NR 2000
#define BENCH_RATE_NS (400 * 1000000ULL) /* how long rates are measured */
#define BENCH_MSG_BYTES 64

static inline uint64_t
bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int
bench_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/** Sorts @ns. */
static inline double
bench_percentile_us(uint64_t *ns, size_t nr, double percent)
{
	qsort(ns, nr, sizeof(*ns), bench_cmp);
	return ns[(size_t)(nr * percent / 100)] / 1000.0;
}

/** The two processes poll: a core for each, so that neither polls where the other would run. */
static inline void
bench_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	(void)sched_setaffinity(0, sizeof(set), &set); /* with a single core there is no choice */
}

#define BENCH_CHECK(cond)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s failed\n", __FILE__, __LINE__, #cond);          \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)
