/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Steps of the life of a system with N engines, each counted. See sim_scale.h. */
#include "sim_scale.h"

#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/rank_list.h"
#include "cart/crt_internal_proto.h"
#include "cart/crt_wire.h"
#include "pool/pool_internal.h"
#include "pool/pool_svc.h"

#define BYTE_PS    800ull
#define META_BYTES (16ull << 20)
#define DATA_BYTES (16ull << 20)
#define LIMIT_NS   (600 * SIM_SEC)
#define IDLE_NS    (10 * SIM_SEC)

static struct {
	struct scale_cost cost;
	uint64_t          begin_ns, hop_ns, begin_rma_bytes;
	uint64_t         *node_msg_nr; /* [node_nr] */
	uint32_t          node_nr;
} scale;

/* ---- counting ---- */

static bool
is_swim(const void *data, size_t bytes)
{
	const struct crt_hdr_wire *hdr = data;

	return bytes >= sizeof(*hdr) && hdr->opc == CRT_INTERNAL_OPC(CRT_RPC_SWIM);
}

static void
seen(void *arg, uint32_t from, uint32_t to, const void *data, size_t bytes)
{
	if (is_swim(data, bytes)) {
		scale.cost.swim_nr++;
		return;
	}
	scale.cost.msg_nr++;
	scale.cost.msg_bytes += bytes;
	scale.node_msg_nr[from]++;
	scale.node_msg_nr[to]++;
}

static enum na_sim_fate
fate(void *arg, uint32_t from, uint32_t to, size_t bytes, uint64_t *ret_delay_ns)
{
	*ret_delay_ns = (scale.hop_ns != 0 ? scale.hop_ns : SCALE_HOP_NS) + bytes * BYTE_PS / 1000;
	return NA_SIM_ARRIVES;
}

static const struct na_sim_policy policy = {
    .fate = fate, .lost_rma_ns = 5 * SIM_SEC, .seen = seen, .work_ns = SCALE_WORK_NS};

void
scale_set_hop(uint64_t ns)
{
	scale.hop_ns = ns;
}

void
scale_begin(void)
{
	struct na_sim_stats net;

	memset(&scale.cost, 0, sizeof(scale.cost));
	memset(scale.node_msg_nr, 0, scale.node_nr * sizeof(*scale.node_msg_nr));
	scale.begin_ns = psim_now();
	na_sim_get_stats(sim.net, &net);
	scale.begin_rma_bytes = net.rma_bytes;
}

void
scale_cost_get(struct scale_cost *ret_cost)
{
	struct na_sim_stats net;

	na_sim_get_stats(sim.net, &net);
	*ret_cost = scale.cost;
	ret_cost->msg_bytes += net.rma_bytes - scale.begin_rma_bytes;
	ret_cost->ns = psim_now() - scale.begin_ns;
	for (uint32_t i = 1; i < scale.node_nr; i++)
		ret_cost->node_msg_max = MAX_OF(ret_cost->node_msg_max, scale.node_msg_nr[i]);
}

/** Memory of this process, and what engines have allocated, on average. */
static void
memory_get(uint64_t *ret_rss, uint64_t *ret_engine, uint64_t *ret_disk)
{
	FILE         *f = fopen("/proc/self/statm", "r");
	unsigned long pages = 0, rss = 0;

	if (f == NULL || fscanf(f, "%lu %lu", &pages, &rss) != 2)
		rss = 0;
	if (f != NULL)
		fclose(f);
	*ret_rss = rss * plat_page_bytes();
	*ret_engine = *ret_disk = 0;
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++) {
		*ret_engine += psim_node_live_bytes(sim.engines[i].node);
		*ret_disk += bio_sim_used_bytes(sim.engines[i].disk);
	}
	*ret_engine /= sim.opts.engine_nr;
	*ret_disk /= sim.opts.engine_nr;
}

void
scale_end(const char *step, uint32_t hops)
{
	struct scale_cost c;
	uint64_t          rss, engine, disk;

	scale_cost_get(&c);
	memory_get(&rss, &engine, &disk);
	sim_log("%s: %lu messages, %.6f s", step, (unsigned long)c.msg_nr, c.ns / 1e9);
	if (sim.opts.json)
		printf("{\"engines\": %u, \"step\": \"%s\", \"messages\": %lu, \"bytes\": %lu, \"busiest_node_messages\": %lu, "
		       "\"swim_messages\": %lu, \"virtual_s\": %.6f, \"hops\": %u, \"rss_bytes\": %lu, \"engine_bytes\": %lu, "
		       "\"disk_bytes\": %lu}\n",
		       sim.opts.engine_nr, step, (unsigned long)c.msg_nr, (unsigned long)c.msg_bytes,
		       (unsigned long)c.node_msg_max, (unsigned long)c.swim_nr, c.ns / 1e9, hops, (unsigned long)rss,
		       (unsigned long)engine, (unsigned long)disk);
	else
		printf("%7u  %-18s %9lu %12lu %9lu %14.6f %9lu %8.2f %8.2f\n", sim.opts.engine_nr, step,
		       (unsigned long)c.msg_nr, (unsigned long)c.msg_bytes, (unsigned long)c.node_msg_max, c.ns / 1e9,
		       (unsigned long)(rss >> 20), engine / 1048576.0, disk / 1048576.0);
	fflush(stdout);
}

void
scale_header(void)
{
	printf("engines  step                messages        bytes  busiest         time s  all MiB  engine     disk MiB\n");
}

/* ---- waiting and running ---- */

static void
wait_until(bool (*cond)(void), const char *what)
{
	uint64_t until = psim_now() + LIMIT_NS;

	while (!cond()) {
		SIM_CHECK(psim_now() < until, "%s: not within %lu s", what, (unsigned long)(LIMIT_NS / SIM_SEC));
		psim_sleep_ns(SIM_MS);
	}
}

struct on_all {
	int               (*fn)(void *arg);
	uint32_t            left;
	struct psim_thread *waiter;
};
struct on_one {
	struct on_all     *all;
	struct sim_engine *se;
};

static int
on_one_job(struct engine *eng, void *arg)
{
	return dss_ult_execute(eng, DSS_TAG_SYS, arg, eng);
}

static void
on_one_thread(void *arg)
{
	struct on_one *one = arg;
	int            rc = sim_engine_do(one->se, on_one_job, one->all->fn);

	SIM_CHECK(rc == 0, "%s: a step failed: " DF_RC, one->se->name, DP_RC(rc));
	if (--one->all->left == 0)
		psim_unpark(one->all->waiter);
}

void
scale_on_all(int (*fn)(void *arg))
{
	struct on_all  all = {.fn = fn, .left = sim.opts.engine_nr, .waiter = psim_self()};
	struct on_one *ones = psim_world_alloc(sim.opts.engine_nr * sizeof(*ones));

	for (uint32_t i = 0; i < sim.opts.engine_nr; i++) {
		ones[i] = (struct on_one){.all = &all, .se = &sim.engines[i]};
		psim_node_thread(psim_node_self(), "on all", on_one_thread, &ones[i]);
	}
	while (all.left > 0)
		psim_park();
	psim_world_free(ones);
}

/* ---- start ---- */

static bool
all_up(void)
{
	return sim_engines_up_nr() == sim.opts.engine_nr;
}

static bool
all_know(void)
{
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		if (crt_group_version(dss_crt(sim.engines[i].eng)) != sim.map_version)
			return false;
	return true;
}

static void
step_start(void)
{
	scale_begin();
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		sim_engine_start(&sim.engines[i]);
	wait_until(all_up, "engines start");
	wait_until(all_know, "engines know of each other");
	scale_end("start", 0);
	scale_begin();
	psim_sleep_ns(IDLE_NS);
	scale_end("idle 10 s", 0);
}

/* ---- clients ---- */

static bool
clients_ended(void)
{
	for (uint32_t i = 0; i < sim.opts.client_nr; i++)
		if (sim.clients[i].running)
			return false;
	return true;
}

/** Clients stand at a gate before each step, so that a step counts nothing else. */
static struct {
	struct psim_thread *director;
	struct psim_thread *threads[SIM_CLIENT_MAX];
	uint32_t            go[SIM_CLIENT_MAX];    /* the step it may do */
	uint32_t            at[SIM_CLIENT_MAX];    /* the step it waits to do */
} gate;

static void
gate_pass(uint32_t idx, uint32_t step)
{
	gate.threads[idx] = psim_self();
	gate.at[idx] = step;
	psim_unpark(gate.director);
	while (gate.go[idx] < step)
		psim_park();
}

static bool
all_at(uint32_t first, uint32_t nr, uint32_t step)
{
	for (uint32_t i = first; i < first + nr; i++)
		if (gate.at[i] < step)
			return false;
	return true;
}

/** Clients @first and on go through the gate of @step at once; counted until they stand at the next. */
static void
clients_do(uint32_t first, uint32_t nr, uint32_t step, const char *what)
{
	if (nr == 0)
		return;
	while (!all_at(0, sim.opts.client_nr, 1) || !all_at(first, nr, step))
		psim_park();
	if (what != NULL)
		scale_begin();
	for (uint32_t i = first; i < first + nr; i++) {
		gate.go[i] = step;
		psim_unpark(gate.threads[i]);
	}
	while (!all_at(first, nr, step + 1))
		psim_park();
	if (what != NULL)
		scale_end(what, 0);
}

enum { STEP_CONNECT = 1, STEP_CONNECT_AGAIN, STEP_QUERY, STEP_DISCONNECT, STEP_END };

static void
connect_once(struct sim_client *sc, daos_handle_t *ret_poh)
{
	int rc = daos_pool_connect("pool", NULL, DAOS_PC_RW, ret_poh, NULL, NULL);

	SIM_CHECK(rc == 0, "client %u cannot connect: " DF_RC, sc->idx, DP_RC(rc));
}

static void
query_once(struct sim_client *sc, daos_handle_t poh)
{
	daos_pool_info_t info = {.pi_bits = DPI_ALL};
	int              rc = daos_pool_query(poh, NULL, &info, NULL, NULL);

	SIM_CHECK(rc == 0, "client %u cannot query the pool: " DF_RC, sc->idx, DP_RC(rc));
	SIM_CHECK(info.pi_ntargets == sim.opts.engine_nr * sim.opts.tgt_nr, "the pool has %u targets", info.pi_ntargets);
	SIM_CHECK(info.pi_space.ps_ntargets == info.pi_ntargets, "%u of %u targets told their space",
		  info.pi_space.ps_ntargets, info.pi_ntargets);
}

static void
client_life(struct sim_client *sc)
{
	daos_handle_t first, poh;

	gate_pass(sc->idx, STEP_CONNECT);
	connect_once(sc, &first);
	gate_pass(sc->idx, STEP_CONNECT_AGAIN);
	connect_once(sc, &poh);
	gate_pass(sc->idx, STEP_QUERY);
	query_once(sc, poh);
	gate_pass(sc->idx, STEP_DISCONNECT);
	(void)daos_pool_disconnect(poh, NULL);
	(void)daos_pool_disconnect(first, NULL);
	gate_pass(sc->idx, STEP_END);
}

static void
step_clients(void)
{
	uint32_t nr = sim.opts.client_nr;

	gate.director = psim_self();
	for (uint32_t i = 0; i < nr; i++)
		sim_client_start(&sim.clients[i], client_life);
	clients_do(0, 1, STEP_CONNECT, "connect");
	clients_do(0, 1, STEP_CONNECT_AGAIN, "connect again");
	clients_do(1, nr - 1, STEP_CONNECT, "connect, others");
	clients_do(1, nr - 1, STEP_CONNECT_AGAIN, NULL);
	clients_do(0, 1, STEP_QUERY, "query");
	clients_do(1, nr - 1, STEP_QUERY, "query, others");
	clients_do(0, 1, STEP_DISCONNECT, "disconnect");
	clients_do(1, nr - 1, STEP_DISCONNECT, NULL);
	for (uint32_t i = 0; i < nr; i++) {
		gate.go[i] = STEP_END;
		psim_unpark(gate.threads[i]);
	}
	while (!clients_ended())
		psim_sleep_ns(SIM_MS);
}

/* ---- the pool ---- */

static void
step_create(void)
{
	int rc;

	scale_begin();
	rc = sim_pool_create("pool", MIN_OF(sim.opts.engine_nr, 3u), META_BYTES, DATA_BYTES);
	SIM_CHECK(rc == 0, "the pool cannot be made: " DF_RC, DP_RC(rc));
	scale_end("create", 0);
	psim_sleep_ns(5 * SIM_SEC); /* what the service tells when it steps up */
}

static void
step_destroy(void)
{
	int rc;

	scale_begin();
	rc = sim_pool_destroy("pool");
	SIM_CHECK(rc == 0, "the pool cannot be destroyed: " DF_RC, DP_RC(rc));
	scale_end("destroy", 0);
}

/** The last rank leaves the pool's map, or comes back. */
struct map_change {
	uint32_t what;
	d_rank_t rank;
	uint32_t version; /**< of the map that came of it */
	uint32_t untold_nr;
};

static void
map_fill(void *vin, void *arg)
{
	struct pool_map_change_in *in = vin;
	struct map_change         *c = arg;
	static d_rank_list_t       ranks;

	ranks = (d_rank_list_t){.rl_ranks = &c->rank, .rl_nr = 1};
	uuid_copy(in->pool.b, sim.pools[0].uuid);
	in->change = c->what;
	in->ranks = &ranks;
	in->force = true;
}

static MAY_YIELD int
map_ult(void *arg)
{
	struct map_change *c = arg;
	struct sim_pool   *pool = &sim.pools[0];
	d_rank_list_t      svc = {.rl_ranks = pool->svc_ranks, .rl_nr = pool->svc_nr};
	crt_rpc_t         *rpc;
	int                rc = ds_pool_svc_call(&svc, POOL_OPC(POOL_MAP_CHANGE), map_fill, c, 60, &rpc);

	if (rc != 0)
		return rc;
	c->version = ((struct pool_map_change_out *)rpc->cr_output)->map_version;
	c->untold_nr = ((struct pool_map_change_out *)rpc->cr_output)->untold.nr;
	crt_req_decref(rpc);
	return 0;
}

static int
map_job(struct engine *eng, void *arg)
{
	return dss_ult_execute(eng, DSS_TAG_SYS, map_ult, arg);
}

static uint32_t map_version;

static MAY_YIELD int
map_check(void *eng)
{
	struct ds_pool *pool = ds_pool_lookup(eng, sim.pools[0].uuid);
	bool            told = pool != NULL && pool->sp_map_version == map_version;

	if (pool != NULL)
		ds_pool_put(pool);
	return told ? 0 : -DER_NONEXIST;
}

static void
map_change(uint32_t what)
{
	struct map_change c = {.what = what, .rank = sim.opts.engine_nr - 1};
	int               rc = sim_engine_do(&sim.engines[0], map_job, &c);

	SIM_CHECK(rc == 0 && c.untold_nr == 0, "the map of the pool cannot be changed: " DF_RC ", %u engines not told", DP_RC(rc),
		  c.untold_nr);
	map_version = c.version;
}

/** When the call has returned, all engines have the new map. */
static void
step_map(void)
{
	scale_begin();
	map_change(POOL_MAP_EXCLUDE);
	scale_end("map update", 0);
	scale_on_all(map_check);
	map_change(POOL_MAP_REINTEGRATE);
	scale_on_all(map_check);
}

/* ---- all of it ---- */

static bool
all_down(void)
{
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		if (sim.engines[i].state != SIM_ENGINE_DOWN)
			return false;
	return true;
}

static void
director(void *arg)
{
	step_start();
	step_create();
	step_clients();
	step_map();
	step_destroy();
	scale_trees();
	sim.ending = true;
	scale_begin();
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		if (sim.engines[i].state == SIM_ENGINE_UP)
			sim_engine_stop(&sim.engines[i]);
	wait_until(all_down, "engines stop");
	scale_end("stop", 0);
	psim_stop();
}

void
sim_scale_run(struct sim_result *ret)
{
	struct na_sim_stats net;

	scale.node_nr = 2 + sim.opts.engine_nr + sim.opts.client_nr;
	scale.node_msg_nr = psim_world_alloc(scale.node_nr * sizeof(*scale.node_msg_nr));
	na_sim_set_policy(sim.net, &policy);
	psim_node_start(1 + sim.opts.engine_nr + sim.opts.client_nr, "director", director, NULL, NULL);
	if (psim_run() != PSIM_STOPPED)
		sim_fail("nothing can happen any more");
	na_sim_get_stats(sim.net, &net);
	*ret = (struct sim_result){.hash = psim_hash(),
				   .now_ns = psim_now(),
				   .step_nr = psim_step_nr(),
				   .msg_nr = net.msg_nr,
				   .msg_bytes = net.msg_bytes};
}
