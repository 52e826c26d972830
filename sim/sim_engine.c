/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * An engine as a simulated process: its first thread starts it, as daos_engine's main() does, then works off jobs the
 * control plane has for it (in the real world dRPC calls), until it is asked to stop or is killed.
 */
#include "sim_scale.h"

#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>
#include "container/cont_server.h"
#include "mgmt/mgmt_server.h"
#include "object/obj_server.h"
#include "pool/pool_server.h"
#include "rdb/rdb.h"
#include "rsvc/rsvc.h"

#define DISK_BYTES       (512ull << 20)
#define DISK_BYTES_SCALE (160ull << 20) /* a shard, and a replica of a pool's service */

struct sim_job {
	struct sim_job     *next;
	int               (*fn)(struct engine *eng, void *arg);
	void               *arg;
	int                 rc;
	bool                done, orphaned;
	struct psim_thread *waiter;
};

static const struct dss_module *const scale_modules[] = {&dss_module_rdb,  &dss_module_rsvc, &dss_module_mgmt,
							  &dss_module_pool, &dss_module_cont, &dss_module_obj,
							  &sim_scale_module, NULL};
static const struct dss_module *const server_modules[] = {&dss_module_rdb,  &dss_module_rsvc, &dss_module_mgmt,
							   &dss_module_pool, &dss_module_cont, &dss_module_obj,
							   NULL};

/* ---- jobs ---- */

static void
job_finish(struct sim_job *job, int rc)
{
	job->rc = rc;
	job->done = true;
	if (job->waiter != NULL)
		psim_unpark(job->waiter);
}

static void
jobs_fail(struct sim_engine *se)
{
	while (se->jobs != NULL) {
		struct sim_job *job = se->jobs;

		se->jobs = job->next;
		job_finish(job, -DER_UNREACH);
	}
}

/** However it was killed: by a fault, or by itself at a request to its disk. */
static void
engine_gone(uint32_t node, void *arg)
{
	struct sim_engine *se;

	if (node > sim.opts.engine_nr)
		return;
	se = &sim.engines[node - 1];
	sim_log("%s is killed", se->name);
	se->state = SIM_ENGINE_DOWN;
	se->eng = NULL;
	se->main = NULL;
	jobs_fail(se);
	sim_group_changed();
	sim_engine_died(se);
}

void
sim_engines_init(void)
{
	uint64_t disk_bytes = sim.opts.scale ? DISK_BYTES_SCALE : DISK_BYTES;

	psim_on_kill(engine_gone, NULL);
	sim.engines = psim_world_alloc(sim.opts.engine_nr * sizeof(*sim.engines));
	sim.members = psim_world_alloc(sim.opts.engine_nr * sizeof(*sim.members));
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++) {
		struct sim_engine  *se = &sim.engines[i];
		struct bio_dev_attr attr = {.kind = BIO_RAM, .path = se->name, .size_bytes = disk_bytes};

		se->rank = i;
		se->node = 1 + i;
		snprintf(se->name, sizeof(se->name), "engine %u", i);
		if (bio_ram_create(disk_bytes, &se->disk) != 0)
			abort();
		bio_sim_attach(se->disk, se->node);
		attr.ram = se->disk;
		attr.roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA;
		SIM_CHECK(bio_dev_format(&attr, sim.system, false) == 0, "%s cannot be formatted", se->name);
	}
}

uint32_t
sim_engines_up_nr(void)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		nr += sim.engines[i].state == SIM_ENGINE_UP;
	return nr;
}

uint32_t
sim_engines_ruined_nr(void)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		nr += sim.engines[i].ruined;
	return nr;
}

int
sim_engine_do(struct sim_engine *se, int (*fn)(struct engine *eng, void *arg), void *arg)
{
	struct sim_job  *job;
	struct sim_job **at = &se->jobs;
	int              rc;

	if (se->state != SIM_ENGINE_UP)
		return -DER_UNREACH;
	job = psim_world_alloc(sizeof(*job));
	job->fn = fn;
	job->arg = arg;
	job->waiter = psim_self();
	while (*at != NULL)
		at = &(*at)->next;
	*at = job;
	psim_unpark(se->main);
	while (!job->done)
		psim_park();
	rc = job->rc;
	psim_world_free(job);
	return rc;
}

static void
jobs_run(struct sim_engine *se)
{
	while (!se->stop_wanted) {
		struct sim_job *job = se->jobs;

		if (job == NULL) {
			psim_park();
			continue;
		}
		int rc = job->fn(se->eng, job->arg);
		/* it stays first on the list meanwhile: should the engine be killed, its caller learns */
		se->jobs = job->next;
		job_finish(job, rc);
	}
}

/* ---- life ---- */

static struct engine_attr
engine_attr_of(struct sim_engine *se, struct engine_bdev *bdev)
{
	*bdev = (struct engine_bdev){.attr = {.kind = BIO_RAM,
					      .path = se->name,
					      .size_bytes = bio_ram_bytes(se->disk),
					      .roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA,
					      .ram = se->disk}};
	return (struct engine_attr){
	    .name = se->name,
	    .sys_name = "daos_server",
	    .tgt_nr = sim.opts.tgt_nr,
	    .first_core = -1,
	    .numa_node  = -1,
	    .bdevs = bdev,
	    .bdev_nr = 1,
	    .relay_nr_min = sim.opts.scale ? 0 : sim.relay_nr_min,
	    .fabric = {.provider = "self", .world = sim.net},
	    .instance_idx = se->rank,
	    .modules = sim.opts.scale ? "rdb,rsvc,mgmt,pool,cont,obj,scale" : "rdb,rsvc,mgmt,pool,cont,obj",
	    .static_modules = sim.opts.scale ? scale_modules : server_modules,
	};
}

static void
engine_main(void *arg)
{
	struct sim_engine *se = arg;
	struct engine_bdev bdev;
	struct engine_attr attr = engine_attr_of(se, &bdev);
	struct engine     *eng = NULL;
	int                rc;

	se->main = psim_self();
	rc = engine_start(&attr, &eng);
	if (rc != 0 && sim_fault_ruins()) {
		sim_log("%s refuses to start: " DF_RC, se->name, DP_RC(rc));
		se->ruined = true;
		return;
	}
	SIM_CHECK(rc == 0, "%s does not start: " DF_RC, se->name, DP_RC(rc));
	dss_rank_set(eng, se->rank);
	ds_mgmt_set_resolver(eng, &sim_resolver, NULL);
	SIM_CHECK(engine_uri(eng, 0, se->uri, sizeof(se->uri)) == 0, "%s has no address", se->name);
	se->eng = eng;
	sim_group_changed();
	rc = engine_setup(eng, se->rank);
	SIM_CHECK(rc == 0 || sim_fault_ruins(), "%s is not set up: " DF_RC, se->name, DP_RC(rc));
	se->state = SIM_ENGINE_UP;
	sim_log("%s is up", se->name);
	jobs_run(se);
	se->state = SIM_ENGINE_STOPPING;
	jobs_fail(se);
	se->eng = NULL;
	engine_stop(eng);
}

static void
engine_ended(uint32_t node)
{
	struct sim_engine *se = &sim.engines[node - 1];
	uint64_t           left_nr = psim_node_live_nr(node);

	if (se->lacked_memory && psim_node_live_nr_of(node, "libraft") > 0)
		left_nr = 0; /* libraft loses some when it gets none, with what we gave it; not ours to mend */
	se->state = SIM_ENGINE_DOWN;
	se->main = NULL;
	sim_log("%s stopped", se->name);
	if (!sim.ending && !se->ruined)
		sim_engine_died(se);
	if (left_nr > 0) {
		psim_node_leaks_print(node, stderr, 20);
		sim_fail("%s leaked %lu pieces of memory, %lu bytes", se->name, (unsigned long)left_nr,
			 (unsigned long)psim_node_live_bytes(node));
	}
}

void
sim_engine_start(struct sim_engine *se)
{
	D_ASSERT(se->state == SIM_ENGINE_DOWN);
	se->state = SIM_ENGINE_STARTING;
	se->stop_wanted = false;
	se->lacked_memory = false;
	se->start_nr++;
	sim_clock_set(se->node);
	psim_node_start(se->node, se->name, engine_main, se, engine_ended);
}

void
sim_engine_stop(struct sim_engine *se)
{
	D_ASSERT(se->state == SIM_ENGINE_UP);
	se->stop_wanted = true;
	psim_unpark(se->main);
}

void
sim_engine_kill(struct sim_engine *se, bool power_loss)
{
	D_ASSERT(se->state != SIM_ENGINE_DOWN);
	bio_sim_set_power_loss(se->disk, power_loss);
	psim_node_kill(se->node);
}
