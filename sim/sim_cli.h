/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The command line of daos_sim. */
#pragma once

#include "sim.h"

#define SCALE_NR_MAX 16u

struct cli {
	struct sim_opts opts;
	uint64_t        seed_first, seed_last;
	uint32_t        budget_s; /* go on with fresh seeds until then; 0: not */
	uint32_t        job_nr;
	uint32_t        fail_max; /* stop after so many failures */
	bool            shrink, json;
	const char     *trace_path;
	uint32_t        scale_nr; /* systems of these sizes, instead of seeds */
	uint32_t        scale[SCALE_NR_MAX];
	const char     *hash_path; /* a line "seed hash" for each */
};

/** -1: an option is not as it should be, which was said. May exit: help, lists. */
int  cli_parse(struct cli *cli, int argc, char **argv);
/** Options that give the same run again. */
void cli_opts_print(FILE *out, const struct sim_opts *o);
uint32_t engines_by_seed(uint64_t seed);
