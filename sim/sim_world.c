/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The world's state, its log, and how it fails. */
#include "sim.h"

#include <stdarg.h>
#include <stdlib.h>

struct sim_world sim;

static void
vsay(FILE *out, const char *fmt, va_list ap)
{
	fprintf(out, "[%11.6f] ", psim_now() / 1e9);
	vfprintf(out, fmt, ap);
	fputc('\n', out);
}

void
sim_log(const char *fmt, ...)
{
	va_list ap;

	if (!sim.opts.verbose)
		return;
	va_start(ap, fmt);
	vsay(stdout, fmt, ap);
	va_end(ap);
}

void
sim_fail(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	fprintf(stderr, "FAILED seed %lu at %.6f s: ", (unsigned long)sim.opts.seed, psim_now() / 1e9);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	if (sim.opts.verbose)
		sim_raft_print(stderr);
	fflush(stderr);
	if (sim.opts.trace != NULL)
		fflush(sim.opts.trace);
	_exit(SIM_EXIT_FAILED);
}

void
sim_world_init(const struct sim_opts *opts)
{
	sim.opts = *opts;
	psim_init(&(struct psim_opts){
	    .seed = opts->seed, .point_ppm = 30000, .switch_ppm = 200000, .cores = opts->scale, .trace = opts->trace, .trace_bytes = opts->trace_bytes});
	if (na_self_world_create(&sim.net) != 0)
		abort();
	plat_uuid_generate(sim.system);
	sim.relay_nr_min = psim_below(2) == 0 ? 1 : 0;
	sim_engines_init();
	for (uint32_t i = 0; i < opts->client_nr; i++) {
		sim.clients[i] = (struct sim_client){.idx = i, .node = 1 + opts->engine_nr + i};
	}
}
