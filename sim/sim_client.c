/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** A client as a simulated process: libdaos, attached without an agent, and a workload that calls it. */
#include "sim.h"

#include <daos_errno.h>
#include "container/cont_client.h"
#include "object/obj_client.h"
#include "pool/pool_client.h"

static const struct dc_module *const client_modules[] = {&dc_pool_module, &dc_cont_module, &dc_obj_module};

struct client_start {
	struct sim_client *sc;
	void             (*fn)(struct sim_client *sc);
};

static void
client_main(void *arg)
{
	struct client_start *start = arg;
	struct sim_client   *sc = start->sc;
	d_rank_t             ms_ranks[3];
	d_iov_t              cred = {0};
	struct client_attr   attr = {.sys_name = "daos_server",
				     .modules = client_modules,
				     .module_nr = ARRAY_NR(client_modules),
				     .provider = "self",
				     .world = sim.net,
				     .members = sim.members,
				     .member_nr = sim.member_nr,
				     .ms_ranks = ms_ranks,
				     .cred = &cred};
	void               (*fn)(struct sim_client *sc) = start->fn;
	int                  rc;

	for (uint32_t i = 0; i < MIN_OF(sim.opts.engine_nr, (uint32_t)ARRAY_NR(ms_ranks)); i++)
		ms_ranks[attr.ms_rank_nr++] = i;
	psim_world_free(start);
	rc = sim_cred(&cred);
	if (rc == 0)
		rc = client_create(&attr, &sc->cl);
	free(cred.iov_buf);
	SIM_CHECK(rc == 0, "client %u does not start: " DF_RC, sc->idx, DP_RC(rc));
	client_set_current(sc->cl);
	fn(sc);
	client_set_current(NULL);
	struct client *cl = sc->cl;

	sc->cl = NULL;
	client_destroy(cl);
}

static void
client_ended(uint32_t node)
{
	struct sim_client *sc = &sim.clients[node - 1 - sim.opts.engine_nr];
	uint64_t           left_nr = psim_node_live_nr(node);

	sc->running = false;
	if (left_nr > 0) {
		psim_node_leaks_print(node, stderr, 20);
		sim_fail("client %u leaked %lu pieces of memory, %lu bytes", sc->idx, (unsigned long)left_nr,
			 (unsigned long)psim_node_live_bytes(node));
	}
}

void
sim_client_start(struct sim_client *sc, void (*fn)(struct sim_client *sc))
{
	struct client_start *start = psim_world_alloc(sizeof(*start));
	char                 name[16];

	D_ASSERT(!sc->running);
	start->sc = sc;
	start->fn = fn;
	sc->running = true;
	sc->life_nr++;
	sim_clock_set(sc->node);
	snprintf(name, sizeof(name), "client %u", sc->idx);
	psim_node_start(sc->node, name, client_main, start, client_ended);
}
