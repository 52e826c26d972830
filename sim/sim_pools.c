/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Another pool comes and goes while engines die: the control plane has one made over all engines, and destroys it again, whether
 * making it went well or not, until it is told that it is gone. After faults are over both must succeed, and no engine may hold
 * a piece of a pool that does not exist. And by then everybody is seen alive by everybody.
 */
#include "sim.h"

#include <daos_errno.h>
#include <string.h>
#include "cart/crt_swim.h"

#define POOL_LABEL "comes-and-goes"
#define POOL_BYTES (32ull << 20)
#define EACH_NS    (20 * SIM_SEC)
#define BOUND_NS   (300 * SIM_SEC)

static struct {
	bool     ended;
	uint32_t made_nr, failed_nr;
} pools;

/* ---- the life of the other pool ---- */

static void
destroy_surely(void)
{
	uint64_t until = psim_now() + BOUND_NS;
	int      rc;

	while ((rc = sim_pool_destroy(POOL_LABEL)) != 0) {
		SIM_CHECK(!sim.healing || psim_now() < until, "a pool cannot be destroyed, after faults are over: " DF_RC, DP_RC(rc));
		if (!sim.healing)
			until = psim_now() + BOUND_NS;
		psim_sleep_ns(psim_delay(2 * SIM_SEC));
	}
}

static int
make(void)
{
	int rc = sim_pool_create(POOL_LABEL, MIN_OF(sim.opts.engine_nr, 3u), POOL_BYTES, POOL_BYTES);

	pools.made_nr += rc == 0;
	pools.failed_nr += rc != 0;
	return rc;
}

static void
pools_thread(void *arg)
{
	while (!sim.healing) {
		psim_sleep_ns(psim_delay(EACH_NS));
		if (sim.healing)
			break;
		(void)make();
		psim_sleep_ns(psim_delay(EACH_NS / 4));
		destroy_surely();
	}
	pools.ended = true;
}

void
sim_pools_start(void)
{
	psim_node_thread(psim_node_self(), "pools", pools_thread, NULL);
}

bool
sim_pools_ended(void)
{
	return pools.ended;
}

/* ---- nothing is left ---- */

struct blobs {
	struct bio_dev *dev;
	uint32_t        stray_nr;
	struct bio_blob_id first;
};

static bool
pool_exists(const unsigned char *uuid)
{
	for (uint32_t i = 0; i < SIM_POOL_MAX; i++)
		if (sim.pools[i].label[0] != '\0' && memcmp(sim.pools[i].uuid, uuid, sizeof(uuid_t)) == 0)
			return true;
	return false;
}

static int
blob_seen(const struct bio_blob_id *id, uint64_t bytes, void *arg)
{
	struct blobs *blobs = arg;

	if (pool_exists(id->pool))
		return 0;
	if (blobs->stray_nr++ == 0)
		blobs->first = *id;
	return 0;
}

static int
blobs_list(void *arg)
{
	struct blobs *blobs = arg;

	return bio_blob_list(blobs->dev, blob_seen, blobs);
}

static MAY_YIELD int
blobs_check_ult(void *arg)
{
	struct blobs blobs = {.dev = dss_self()->dx_store.meta};
	int          rc = ult_offload(blobs_list, &blobs);

	SIM_CHECK(rc == 0, "blobs cannot be listed: " DF_RC, DP_RC(rc));
	SIM_CHECK(blobs.stray_nr == 0, "rank %u holds %u blobs of pools that do not exist; one has role %u of target %d",
		  crt_rank_self(dss_crt(arg)), blobs.stray_nr, blobs.first.role, (int)blobs.first.tgt);
	return 0;
}

static int
blobs_check_job(struct engine *eng, void *arg)
{
	return dss_ult_execute(eng, DSS_TAG_SYS, blobs_check_ult, eng);
}

static void
all_seen_alive(struct sim_engine *se)
{
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		if (i != se->rank)
			SIM_CHECK(crt_swim_status(dss_crt(se->eng), i) != SWIM_DEAD,
				  "rank %u is taken for dead by rank %u, though all live and nothing is between them", i, se->rank);
}

void
sim_pools_verify(void)
{
	int rc;

	if (sim_fault_ruins())
		return;
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		all_seen_alive(&sim.engines[i]);
	rc = make();
	SIM_CHECK(rc == 0, "after faults are over no pool can be made: " DF_RC, DP_RC(rc));
	destroy_surely();
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++) {
		rc = sim_engine_do(&sim.engines[i], blobs_check_job, NULL);
		SIM_CHECK(rc == 0, "%s cannot be looked at: " DF_RC, sim.engines[i].name, DP_RC(rc));
	}
	sim_log("another pool was made %u times, %u times not", pools.made_nr, pools.failed_nr);
}
