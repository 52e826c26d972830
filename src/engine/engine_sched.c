/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Scheduling of requests. CART hands every incoming request of a context to engine_sched_rpc(). The
 * module it belongs to says which pool it is for and what it does to it; without a pool it gets a
 * ULT at once. On a target's xstream the others wait in their pool's queue:
 *
 *     pool A: r1 r4 r7          one turn: A starts r1, B starts r2, A starts r4, ...
 *     pool B: r2 r3             until the credits are used up or all is started
 *
 * A started request is a ULT that runs the handler; its record goes back to the free list when it
 * ends. The scheduler is a poller of the xstream: it runs after the network's in every cycle.
 *
 * Under pressure (dss_pressure_set) a pool keeps at most ENGINE_SCHED_UPD_CREDITS updates running;
 * fetches behind a waiting update are started before it. Without pressure a pool's order is strict.
 *
 * Invariants:
 *  1. inflight_nr <= credits for queued requests; requests without a pool are counted, not limited.
 *  2. A pool is on busy_pools if and only if one of its queues is not empty.
 *  3. A record is on exactly one list: idle_reqs, or one queue; or it is held by its ULT.
 *  4. The sum of queue lengths is stat.queue_len.
 * Touched by its own xstream alone.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <daos_errno.h>
#include "base/log.h"
#include "engine/engine_internal.h"
#include "platform/platform.h"

enum { SCHED_Q_UPDATE, SCHED_Q_OTHER, SCHED_Q_NR };

struct sched_req {
	d_list_t             link;
	struct engine_sched *sched;
	struct sched_pool   *pool;  /**< NULL: anonymous */
	crt_rpc_t           *rpc;
	crt_rpc_hdlr_t       hdlr;
	uint64_t             seq;
	uint64_t             queued_ns;
	int                  queue; /**< SCHED_Q_* */
};

struct sched_pool {
	struct d_hash_node node;
	uuid_t             uuid;
	d_list_t           queues[SCHED_Q_NR];
	d_list_t           busy_link;
	uint32_t           queue_len;
	uint32_t           upd_inflight_nr, inflight_nr;
	uint64_t           run_ns, shown_ns; /**< used by its requests' ULTs; as far as the metric has it */
	struct d_tm_node  *tm_run;
};

struct sched_slab {
	d_list_t         link;
	struct sched_req reqs[];
};

static bool
pool_key_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	const struct sched_pool *pool = CONTAINER_OF(node, struct sched_pool, node);

	D_ASSERT(key_bytes == sizeof(uuid_t));
	return memcmp(pool->uuid, key, key_bytes) == 0;
}

/* ---- records ---- */

static int
slab_add(struct engine_sched *sched, uint32_t nr)
{
	struct sched_slab *slab = calloc(1, sizeof(*slab) + nr * sizeof(slab->reqs[0]));

	if (slab == NULL)
		return -DER_NOMEM;
	d_list_add(&slab->link, &sched->slabs);
	for (uint32_t i = 0; i < nr; i++)
		d_list_add_tail(&slab->reqs[i].link, &sched->idle_reqs);
	return 0;
}

static struct sched_req *
req_get(struct engine_sched *sched)
{
	struct sched_req *req;

	if (d_list_empty(&sched->idle_reqs) && slab_add(sched, ENGINE_SCHED_PREALLOC_NR / 8) != 0)
		return NULL;
	req = d_list_first(&sched->idle_reqs, struct sched_req, link);
	d_list_del(&req->link);
	return req;
}

static void
req_put(struct engine_sched *sched, struct sched_req *req)
{
	req->rpc = NULL;
	req->pool = NULL;
	/* Last out, first in: its cache lines are warm. */
	d_list_add(&req->link, &sched->idle_reqs);
}

/* ---- pools ---- */

#define POOL_METRIC_DIR "sched/xs_%u/pool/" DF_UUID

static void
pool_metric_add(struct engine_sched *sched, struct sched_pool *pool)
{
	int rc = d_tm_add_metric(sched->dx->dx_engine->tm, &pool->tm_run, D_TM_COUNTER, "time requests of the pool ran", "ns",
				 POOL_METRIC_DIR "/run", sched->dx->dx_id, DP_UUID(pool->uuid));

	if (rc != 0)
		D_WARN("xstream %u has no metric of pool " DF_UUID ": " DF_RC, sched->dx->dx_id, DP_UUID(pool->uuid), DP_RC(rc));
}

static void
pool_metric_remove(struct engine_sched *sched, struct sched_pool *pool)
{
	if (pool->tm_run != NULL)
		(void)!d_tm_remove(sched->dx->dx_engine->tm, POOL_METRIC_DIR, sched->dx->dx_id, DP_UUID(pool->uuid));
}

static struct sched_pool *
pool_get(struct engine_sched *sched, const uuid_t uuid)
{
	struct d_hash_node *node = d_hash_find(&sched->pools, uuid, sizeof(uuid_t));
	struct sched_pool  *pool;

	if (node != NULL)
		return CONTAINER_OF(node, struct sched_pool, node);
	pool = calloc(1, sizeof(*pool));
	if (pool == NULL)
		return NULL;
	uuid_copy(pool->uuid, uuid);
	for (int q = 0; q < SCHED_Q_NR; q++)
		d_list_init(&pool->queues[q]);
	d_list_init(&pool->busy_link);
	if (d_hash_insert(&sched->pools, &pool->node, uuid, sizeof(uuid_t)) != 0) {
		free(pool);
		return NULL;
	}
	pool_metric_add(sched, pool);
	return pool;
}

static void
pool_drop_if_unused(struct engine_sched *sched, struct sched_pool *pool)
{
	if (pool->queue_len > 0 || pool->inflight_nr > 0 ||
	    sched->pools.node_nr <= ENGINE_SCHED_POOL_NR_INIT)
		return;
	d_hash_remove(&sched->pools, &pool->node);
	pool_metric_remove(sched, pool);
	free(pool);
}

static struct sched_req *
queue_first(struct sched_pool *pool, int queue)
{
	return d_list_first(&pool->queues[queue], struct sched_req, link);
}

static bool
pool_may_update(struct engine_sched *sched, struct sched_pool *pool)
{
	struct engine *eng = sched->dx->dx_engine;

	if (eng->pressure_fn == NULL || pool->upd_inflight_nr < ENGINE_SCHED_UPD_CREDITS)
		return true;
	return eng->pressure_fn(sched->dx, pool->uuid, eng->pressure_arg) == DSS_PRESSURE_NONE;
}

/** The oldest request of @pool that may start now, or NULL. */
static struct sched_req *
pool_peek(struct engine_sched *sched, struct sched_pool *pool)
{
	struct sched_req *upd = queue_first(pool, SCHED_Q_UPDATE);
	struct sched_req *other = queue_first(pool, SCHED_Q_OTHER);

	if (upd == NULL)
		return other;
	if (!pool_may_update(sched, pool)) {
		sched->stat.throttled_nr++;
		d_tm_inc_counter(sched->tm_throttled, 1);
		return other;
	}
	return other == NULL || upd->seq < other->seq ? upd : other;
}

static void
queue_take(struct engine_sched *sched, struct sched_req *req)
{
	struct sched_pool *pool = req->pool;

	d_list_del(&req->link);
	sched->stat.queue_len--;
	d_tm_set_gauge(sched->tm_queue_len, sched->stat.queue_len);
	if (--pool->queue_len == 0)
		d_list_del(&pool->busy_link);
}

/* ---- policies ---- */

/** Pools take turns; each one's requests in the order of their arrival. */
static struct sched_req *
policy_fifo_next(struct engine_sched *sched)
{
	struct sched_pool *pool, *tmp;

	d_list_for_each_safe(pool, tmp, &sched->busy_pools, busy_link) {
		struct sched_req *req = pool_peek(sched, pool);

		if (req == NULL)
			continue;
		d_list_del(&pool->busy_link);
		d_list_add_tail(&pool->busy_link, &sched->busy_pools);
		return req;
	}
	return NULL;
}

/** The order of arrival, whatever the pool. */
static struct sched_req *
policy_arrival_next(struct engine_sched *sched)
{
	struct sched_req  *oldest = NULL;
	struct sched_pool *pool;

	d_list_for_each(pool, &sched->busy_pools, busy_link) {
		struct sched_req *req = pool_peek(sched, pool);

		if (req != NULL && (oldest == NULL || req->seq < oldest->seq))
			oldest = req;
	}
	return oldest;
}

static const struct sched_policy policies[] = {
	{"fifo", policy_fifo_next},
	{"arrival", policy_arrival_next},
};

static const struct sched_policy *
policy_of_env(void)
{
	const char *name = getenv("DAOS_SCHED_POLICY");

	for (size_t i = 0; name != NULL && i < ARRAY_NR(policies); i++) {
		if (strcmp(name, policies[i].name) == 0)
			return &policies[i];
	}
	if (name != NULL)
		D_WARN("DAOS_SCHED_POLICY=%s is not known (fifo, arrival); using %s", name,
		       policies[0].name);
	return &policies[0];
}

/* ---- running ---- */

static void
request_ended(struct engine_sched *sched, struct sched_req *req)
{
	struct sched_pool *pool = req->pool;

	D_ASSERT(sched->stat.inflight_nr > 0);
	sched->stat.inflight_nr--;
	if (pool != NULL) {
		pool->inflight_nr--;
		if (req->queue == SCHED_Q_UPDATE)
			pool->upd_inflight_nr--;
		d_tm_inc_counter(pool->tm_run, pool->run_ns - pool->shown_ns);
		pool->shown_ns = pool->run_ns;
		pool_drop_if_unused(sched, pool);
	}
	req_put(sched, req);
	if (sched->drained != NULL && sched->stat.inflight_nr == 0 && sched->stat.queue_len == 0)
		ult_eventual_set(sched->drained, 0);
}

MAY_YIELD static void
request_ult(void *arg)
{
	struct sched_req *req = arg;

	if (req->pool != NULL)
		ult_bill(&req->pool->run_ns);
	req->hdlr(req->rpc);
	crt_req_decref(req->rpc);
	ult_bill(NULL); /* the pool may go with its last request */
	request_ended(req->sched, req);
}

static int
request_start(struct engine_sched *sched, struct sched_req *req)
{
	enum ult_pool upool = req->pool != NULL ? ULT_POOL_IO : ULT_POOL_GENERIC;
	int           rc;

	sched->stat.inflight_nr++;
	if (req->pool != NULL) {
		req->pool->inflight_nr++;
		if (req->queue == SCHED_Q_UPDATE)
			req->pool->upd_inflight_nr++;
	}
	rc = ult_create(NULL, upool, request_ult, req, 0, NULL);
	if (rc != 0) {
		sched->stat.inflight_nr--;
		if (req->pool != NULL) {
			req->pool->inflight_nr--;
			if (req->queue == SCHED_Q_UPDATE)
				req->pool->upd_inflight_nr--;
		}
	}
	return rc;
}

static void
note_wait(struct engine_sched *sched, const struct sched_req *req)
{
	uint64_t waited_ns = plat_now_ns() - req->queued_ns;

	sched->stat.wait_ns_sum += waited_ns;
	sched->stat.wait_ns_max = MAX_OF(sched->stat.wait_ns_max, waited_ns);
}

/** One cycle: start what the policy names while there are credits. Returns how many started. */
static int
process_all(void *arg)
{
	struct engine_sched *sched = arg;
	int                  started = 0;

	if (sched->stat.queue_len == 0)
		return 0;
	sched->stat.cycle_nr++;
	sched->throttled = false;
	while (sched->stat.queue_len > 0 && sched->stat.inflight_nr < sched->credits) {
		struct sched_req *req = sched->policy->next(sched);

		if (req == NULL) {
			sched->throttled = true;
			break;
		}
		if (request_start(sched, req) != 0)
			break; /* no memory for a stack: it stays queued, in its place */
		note_wait(sched, req);
		queue_take(sched, req);
		started++;
	}
	return started;
}

/** May the xstream block? Running requests make room when they end, and that is a cycle of its own. */
static bool
nothing_to_start(void *arg)
{
	struct engine_sched *sched = arg;

	return sched->stat.queue_len == 0 || sched->stat.inflight_nr >= sched->credits ||
	       (sched->throttled && sched->stat.inflight_nr > 0);
}

static void
enqueue(struct engine_sched *sched, struct sched_pool *pool, struct sched_req *req)
{
	req->seq = sched->seq++;
	req->queued_ns = plat_now_ns();
	req->pool = pool;
	d_list_add_tail(&req->link, &pool->queues[req->queue]);
	if (pool->queue_len++ == 0)
		d_list_add_tail(&pool->busy_link, &sched->busy_pools);
	sched->stat.queued_nr++;
	sched->stat.queue_len++;
	d_tm_set_gauge(sched->tm_queue_len, sched->stat.queue_len);
	sched->stat.queue_len_max = MAX_OF(sched->stat.queue_len_max, sched->stat.queue_len);
}

static int
refusal(const struct engine *eng)
{
	switch (atomic_load_explicit(&eng->state, memory_order_acquire)) {
	case ENGINE_RUNNING:
		return 0;
	case ENGINE_STARTING:
		return -DER_AGAIN;
	default:
		return -DER_SHUTDOWN;
	}
}

int
engine_sched_rpc(crt_context_t ctx, crt_rpc_t *rpc, crt_rpc_hdlr_t hdlr, void *arg)
{
	struct engine_sched     *sched = arg;
	struct engine           *eng = sched->dx->dx_engine;
	const struct dss_module *mod = eng->mod_by_id[CRT_OPC_MOD(rpc->cr_opc)];
	struct dss_req_attr      attr = {.kind = DSS_REQ_OTHER};
	struct sched_pool       *pool;
	struct sched_req        *req;
	int                      rc = refusal(eng);

	if (rc != 0)
		return rc;
	req = req_get(sched);
	if (req == NULL)
		return -DER_NOMEM;
	d_tm_inc_counter(sched->tm_requests, 1);
	req->sched = sched;
	req->rpc = rpc;
	req->hdlr = hdlr;
	if (sched->queues && mod != NULL && mod->sm_req_attr != NULL)
		mod->sm_req_attr(rpc, &attr);
	req->queue = attr.kind == DSS_REQ_UPDATE ? SCHED_Q_UPDATE : SCHED_Q_OTHER;
	D_DEBUG("%s: xstream %u: request %x: %s", eng->name, sched->dx->dx_id, rpc->cr_opc,
		uuid_is_null(attr.pool) ? "a ULT at once" : "queued for its pool");
	if (uuid_is_null(attr.pool)) {
		req->pool = NULL;
		sched->stat.direct_nr++;
		rc = request_start(sched, req);
	} else {
		pool = pool_get(sched, attr.pool);
		rc = pool == NULL ? -DER_NOMEM : 0;
		if (pool != NULL)
			enqueue(sched, pool, req);
	}
	if (rc != 0)
		req_put(sched, req);
	return rc; /* 0: the reference that came with the call is the ULT's */
}

/* ---- life ---- */

static void
metrics_add(struct engine_sched *sched)
{
	struct d_tm *tm = sched->dx->dx_engine->tm;
	uint32_t     id = sched->dx->dx_id;

	if (d_tm_add_metric(tm, &sched->tm_requests, D_TM_COUNTER, "requests received", "requests",
			    "sched/xs_%u/requests", id) != 0 ||
	    d_tm_add_metric(tm, &sched->tm_queue_len, D_TM_STATS_GAUGE, "requests waiting for their turn", "requests",
			    "sched/xs_%u/queue_len", id) != 0 ||
	    d_tm_add_metric(tm, &sched->tm_throttled, D_TM_COUNTER, "updates passed over for want of space", "updates",
			    "sched/xs_%u/throttled", id) != 0)
		D_WARN("xstream %u runs without some of its metrics", id);
}

int
engine_sched_init(struct engine_sched *sched, struct dss_xstream *dx, bool queues)
{
	int rc;

	memset(sched, 0, sizeof(*sched));
	sched->dx = dx;
	sched->queues = queues;
	sched->credits = ENGINE_SCHED_CREDITS;
	sched->policy = policy_of_env();
	d_list_init(&sched->busy_pools);
	d_list_init(&sched->idle_reqs);
	d_list_init(&sched->slabs);
	d_list_init(&sched->poller.link);
	d_hash_init(&sched->pools, pool_key_eq);
	rc = slab_add(sched, queues ? ENGINE_SCHED_PREALLOC_NR : ENGINE_SCHED_PREALLOC_NR / 32);
	if (rc != 0)
		return rc;
	metrics_add(sched);
	sched->poller.name = "sched";
	sched->poller.poll = process_all;
	sched->poller.arm = nothing_to_start;
	sched->poller.fd = -1;
	sched->poller.arg = sched;
	ult_poller_add(&sched->poller);
	return 0;
}

static int
pool_free(struct d_hash_node *node, void *arg)
{
	struct engine_sched *sched = arg;
	struct sched_pool   *pool = CONTAINER_OF(node, struct sched_pool, node);

	D_ASSERT(pool->queue_len == 0 && pool->inflight_nr == 0);
	d_hash_remove(&sched->pools, node);
	free(pool);
	return 0;
}

void
engine_sched_fini(struct engine_sched *sched)
{
	struct sched_slab *slab, *tmp;

	if (sched->dx == NULL)
		return;
	D_ASSERT(sched->stat.queue_len == 0 && sched->stat.inflight_nr == 0);
	ult_poller_del(&sched->poller);
	(void)d_hash_foreach(&sched->pools, pool_free, sched);
	d_hash_fini(&sched->pools);
	d_list_for_each_safe(slab, tmp, &sched->slabs, link)
		free(slab);
	sched->dx = NULL;
}

MAY_YIELD int
engine_sched_drain(void *arg)
{
	struct engine_sched *sched = arg;
	struct ult_eventual  drained;

	if (sched->dx == NULL || (sched->stat.inflight_nr == 0 && sched->stat.queue_len == 0))
		return 0;
	ult_eventual_init(&drained);
	sched->drained = &drained;
	(void)ult_eventual_wait(&drained);
	sched->drained = NULL;
	return 0;
}

void
dss_sched_stat(struct dss_xstream *dx, struct dss_sched_stat *stat)
{
	struct engine_xs *exs = CONTAINER_OF(dx, struct engine_xs, pub);

	*stat = exs->sched.stat;
}

void
dss_pressure_set(struct engine *eng, dss_pressure_fn_t fn, void *arg)
{
	eng->pressure_fn = fn;
	eng->pressure_arg = arg;
}
