/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The course of a run: engines start, a pool is made, clients work while faults come and go; then faults stop, what is
 * down comes back, calls under way must end within a bound; then everything is compared with what it should be, and
 * all is stopped in good order, leaving nothing behind.
 */
#include "sim.h"

#include <daos_errno.h>

#define HEAL_NS_MAX (400 * SIM_SEC) /* clients give up after 180 s, and once more for what they then begin */
#define RUIN_X      100             /* where what is asked for may be lost, each call takes as long */
#define START_NS_MAX (120 * SIM_SEC)

static void
start_what_is_down(void)
{
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		if (sim.engines[i].state == SIM_ENGINE_DOWN && !sim.ending && !sim.engines[i].ruined)
			sim_engine_start(&sim.engines[i]);
}

static bool
engines_up(void)
{
	start_what_is_down();
	return sim_engines_up_nr() + sim_engines_ruined_nr() == sim.opts.engine_nr;
}

static void
wait_for(bool (*cond)(void), uint64_t bound_ns, const char *what)
{
	uint64_t until;

	if (sim_fault_ruins())
		bound_ns *= RUIN_X;
	until = psim_now() + bound_ns;
	while (!cond()) {
		SIM_CHECK(psim_now() < until, "%s: not within %lu s", what, (unsigned long)(bound_ns / SIM_SEC));
		psim_sleep_ns(50 * SIM_MS);
		if (sim.healing) /* one that was told to stop before faults were over may have done so only now */
			start_what_is_down();
	}
}

/** An engine that was asked for a change when it was to stop does so afterwards. */
static bool
targets_back(void)
{
	return engines_up() && sim_map_changes_over();
}

static bool
engines_down(void)
{
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		if (sim.engines[i].state != SIM_ENGINE_DOWN)
			return false;
	return true;
}

static bool
clients_ended(void)
{
	for (uint32_t i = 0; i < sim.opts.client_nr; i++)
		if (sim.clients[i].running)
			return false;
	sim_work_check_stuck(HEAL_NS_MAX);
	return true;
}

static void
make_shared(struct sim_client *sc)
{
	daos_handle_t poh;
	int           rc = daos_pool_connect("pool", NULL, DAOS_PC_RW, &poh, NULL, NULL);

	SIM_CHECK(rc == 0, "the pool cannot be connected to: " DF_RC, DP_RC(rc));
	rc = daos_cont_create_with_label(poh, "shared", NULL, NULL, NULL);
	SIM_CHECK(rc == 0, "the shared container cannot be made: " DF_RC, DP_RC(rc));
	(void)daos_pool_disconnect(poh, NULL);
}

static void
set_up(void)
{
	int rc;

	wait_for(engines_up, START_NS_MAX, "engines start");
	psim_sleep_ns(2 * SIM_SEC); /* all know of each other */
	rc = sim_pool_create("pool", sim.opts.engine_nr >= 3 ? 3 : 1, 64ull << 20,
			     sim.fills ? 16ull << 20 : 64ull << 20);
	SIM_CHECK(rc == 0, "the pool cannot be made: " DF_RC, DP_RC(rc));
	sim_client_start(&sim.clients[0], make_shared);
	wait_for(clients_ended, HEAL_NS_MAX, "the shared container");
}

static void
tear_down(void)
{
	sim.ending = true;
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		if (sim.engines[i].state == SIM_ENGINE_UP)
			sim_engine_stop(&sim.engines[i]);
	wait_for(engines_down, HEAL_NS_MAX, "engines stop");
	psim_sleep_ns(5 * SIM_SEC);
	SIM_CHECK(na_sim_in_flight_nr(sim.net) == 0, "%lu messages are under way after all has ended",
		  (unsigned long)na_sim_in_flight_nr(sim.net));
}

static void
director(void *arg)
{
	set_up();
	sim_log("set up");
	sim_faults_start();
	sim_map_changes_start(1 + sim.opts.engine_nr + sim.opts.client_nr);
	for (uint32_t i = 0; i < sim.opts.client_nr; i++)
		sim_client_start(&sim.clients[i], sim_client_work);
	sim_pools_start();
	psim_sleep_ns(sim.opts.run_ns);
	sim_log("faults stop");
	sim_faults_stop();
	sim.healing = true;
	wait_for(engines_up, HEAL_NS_MAX, "engines come back");
	wait_for(targets_back, HEAL_NS_MAX, "all targets come back");
	wait_for(clients_ended, HEAL_NS_MAX, "calls end after faults are over");
	wait_for(sim_pools_ended, HEAL_NS_MAX, "another pool is destroyed");
	psim_sleep_ns(15 * SIM_SEC); /* the last elections */
	wait_for(engines_up, HEAL_NS_MAX, "engines that were about to stop come back");
	psim_sleep_ns(15 * SIM_SEC);
	sim_pools_verify();
	sim.verifying = true;
	for (uint32_t i = 0; i < sim.opts.client_nr; i++)
		sim_client_start(&sim.clients[i], sim_client_verify);
	wait_for(clients_ended, HEAL_NS_MAX, "verification ends");
	sim_log("verified");
	tear_down();
	psim_stop();
}

static void
watch(void *arg)
{
	static struct psim_event event;

	sim_raft_check();
	event.fn = watch;
	psim_event_at(&event, psim_now() + 100 * SIM_MS);
}

void
sim_run(struct sim_result *ret)
{
	struct na_sim_stats net;

	psim_node_start(1 + sim.opts.engine_nr + sim.opts.client_nr, "director", director, NULL, NULL);
	watch(NULL);
	if (psim_run() != PSIM_STOPPED)
		sim_fail("nothing can happen any more");
	na_sim_get_stats(sim.net, &net);
	*ret = (struct sim_result){.hash = psim_hash(),
				   .now_ns = psim_now(),
				   .step_nr = psim_step_nr(),
				   .op_nr = sim.op_nr,
				   .fault_nr = sim.fault_nr,
				   .msg_nr = net.msg_nr,
				   .msg_bytes = net.msg_bytes,
				   .raft_nr = sim_raft_checked_nr()};
}
