/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What all workloads share: workers, their lives as threads of clients, and what errors are excused. */
#include "sim.h"

#include <daos_errno.h>
#include <stdio.h>
#include <string.h>
#include "base/errno_map.h"

#define WORKERS_PER_CLIENT 2u
#define THINK_NS           (400 * SIM_MS)
#define RETRY_NS           (500 * SIM_MS)

const struct sim_work *const sim_works[SIM_WORK_NR] = {&sim_work_keys, &sim_work_attr, &sim_work_array,
						       &sim_work_files, &sim_work_life, &sim_work_full,
						       &sim_work_map};

static struct sim_worker workers[SIM_CLIENT_MAX * WORKERS_PER_CLIENT];
static uint32_t          worker_nr;

void
sim_workers_init(void)
{
	uint32_t kind = psim_below(SIM_WORK_NR - 1);

	if (sim.fills && sim.opts.work_mask == SIM_WORK_DEFAULT)
		sim.opts.work_mask = SIM_WORK_FULL;
	for (uint32_t c = 0; c < sim.opts.client_nr; c++) {
		for (uint32_t i = 0; i < WORKERS_PER_CLIENT; i++) {
			while ((sim.opts.work_mask & 1u << kind) == 0)
				kind = (kind + 1) % SIM_WORK_NR;
			workers[worker_nr] = (struct sim_worker){
			    .work = sim_works[kind], .sc = &sim.clients[c], .id = worker_nr};
			worker_nr++;
			kind = (kind + 1) % SIM_WORK_NR;
		}
	}
}

/* ---- calls ---- */

bool
sim_work_over(struct sim_worker *w)
{
	return sim.healing && !sim.verifying;
}

bool
sim_work_gives_up(struct sim_worker *w)
{
	return sim_work_over(w) || (sim.verifying && sim_fault_ruins());
}

void
sim_call_begin(struct sim_worker *w, const char *what)
{
	if (!sim.verifying)
		psim_sleep_ns(psim_delay(w->work->think_ns != 0 ? w->work->think_ns : THINK_NS));
	w->doing = what;
	w->since_ns = psim_now();
	w->begin_ns = w->since_ns;
}

static bool
is_excused(int rc, uint64_t since_ns)
{
	if (sim_fault_ruins() || sim_fault_excuses(rc, since_ns))
		return true;
	return daos_rc_ask_again(rc) || rc == -DER_CANCELED || rc == -DER_BUSY || rc == -DER_EXCLUDED;
}

bool
sim_call_end(struct sim_worker *w, int rc, int expected)
{
	uint64_t took_ns = psim_now() - w->since_ns;

	psim_trace("call", w->id, rc, took_ns);
	sim_log("worker %u (%s): %s: %d, %.6f s", w->id, w->work->name, w->doing, rc, took_ns / 1e9);
	sim.op_nr++;
	w->since_ns = 0;
	if (rc == 0 || rc == expected)
		return true;
	SIM_CHECK(is_excused(rc, w->begin_ns), "worker %u (%s): %s ended after %.3f s with " DF_RC, w->id, w->work->name, w->doing,
		  took_ns / 1e9, DP_RC(rc));
	SIM_CHECK(!sim.verifying || sim_fault_excuses(rc, w->begin_ns) || sim_fault_ruins(), "worker %u (%s): after all faults are over %s still ends with " DF_RC " (%.3f s)",
		  w->id, w->work->name, w->doing, DP_RC(rc), took_ns / 1e9);
	sim_log("worker %u (%s): %s took %.3f s: " DF_RC, w->id, w->work->name, w->doing, took_ns / 1e9, DP_RC(rc));
	psim_sleep_ns(RETRY_NS);
	return false;
}

void
sim_work_check_stuck(uint64_t bound_ns)
{
	for (uint32_t i = 0; i < worker_nr; i++) {
		const struct sim_worker *w = &workers[i];

		SIM_CHECK(w->since_ns == 0 || psim_now() - w->since_ns < bound_ns,
			  "worker %u (%s): %s does not end, %.3f s now, though faults are over", w->id, w->work->name,
			  w->doing, (psim_now() - w->since_ns) / 1e9);
	}
}

uint32_t
sim_work_holders(const void *what)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < worker_nr; i++)
		nr += workers[i].holds == what;
	return nr;
}

void
sim_work_client_killed(struct sim_client *sc)
{
	for (uint32_t i = 0; i < worker_nr; i++) {
		if (workers[i].sc != sc)
			continue;
		workers[i].holds = NULL;
		workers[i].since_ns = 0;
	}
}

/* ---- lives ---- */

static void
worker_open(struct sim_worker *w)
{
	SIM_RETRY(w, "connecting to the pool", daos_pool_connect("pool", NULL, DAOS_PC_RW, &w->poh, NULL, NULL));
	if (!sim_work_over(w))
		SIM_RETRY(w, "opening the shared container",
			  daos_cont_open(w->poh, "shared", DAOS_COO_RW, &w->coh, NULL, NULL));
}

static void
worker_close(struct sim_worker *w)
{
	if (daos_handle_is_valid(w->coh))
		(void)daos_cont_close(w->coh, NULL);
	if (daos_handle_is_valid(w->poh))
		(void)daos_pool_disconnect(w->poh, NULL);
}

static void
worker_life(void *arg)
{
	struct sim_worker *w = arg;

	client_set_current(w->sc->cl);
	w->poh = DAOS_HDL_INVAL;
	w->coh = DAOS_HDL_INVAL;
	worker_open(w);
	if (sim.verifying)
		w->work->verify(w);
	else if (!sim_work_over(w))
		w->work->run(w);
	worker_close(w);
	client_set_current(NULL);
	w->ended = true;
}

static void
client_life(struct sim_client *sc)
{
	struct plat_thread *threads[WORKERS_PER_CLIENT];
	uint32_t            nr = 0;

	for (uint32_t i = 0; i < worker_nr; i++) {
		char name[16];

		if (workers[i].sc != sc)
			continue;
		workers[i].since_ns = 0;
		workers[i].ended = false;
		snprintf(name, sizeof(name), "worker %u", i);
		SIM_CHECK(plat_thread_create(name, worker_life, &workers[i], &threads[nr++]) == 0, "no thread");
	}
	for (uint32_t i = 0; i < nr; i++)
		plat_thread_join(threads[i]);
}

void
sim_client_work(struct sim_client *sc)
{
	client_life(sc);
}

void
sim_client_verify(struct sim_client *sc)
{
	client_life(sc);
}
