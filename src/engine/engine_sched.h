/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Queues of requests of one xstream; theory in engine_sched.c. */
#pragma once

#include "base/hash.h"
#include "base/telemetry.h"
#include "engine/engine.h"

#define ENGINE_SCHED_PREALLOC_NR  8192 /**< request records at start */
#define ENGINE_SCHED_POOL_NR_INIT 16
#define ENGINE_SCHED_CREDITS      512  /**< requests of one xstream that have a ULT at one time */
#define ENGINE_SCHED_UPD_CREDITS  16   /**< of them updates of one pool, under pressure */

struct sched_pool;
struct sched_req;
struct engine_sched;
struct engine_xs;

struct sched_policy {
	const char *name;
	/** The next request to start, taken out of its queue; NULL: none may start now. */
	struct sched_req *(*next)(struct engine_sched *sched);
};

struct engine_sched {
	struct dss_xstream        *dx;
	struct ult_poller          poller;
	const struct sched_policy *policy;
	struct d_hash              pools;
	d_list_t                   busy_pools; /**< with something queued, whose turn comes first is first */
	d_list_t                   idle_reqs;
	d_list_t                   slabs;
	uint64_t                   seq;
	uint32_t                   credits;
	bool                       queues;     /**< target xstreams queue; others run at once */
	bool                       throttled;  /**< last look found only throttled updates */
	struct dss_sched_stat      stat;
	struct d_tm_node          *tm_requests, *tm_queue_len, *tm_throttled; /**< the same for readers outside */
	struct ult_eventual       *drained;    /**< set when nothing is queued or running */
};

int  engine_sched_init(struct engine_sched *sched, struct dss_xstream *dx, bool queues) MUST_CHECK;
/** Nothing is queued or running. */
void engine_sched_fini(struct engine_sched *sched);
/** The context's hook, arg is the engine_sched. */
int  engine_sched_rpc(crt_context_t ctx, crt_rpc_t *rpc, crt_rpc_hdlr_t hdlr, void *arg);
/** Wait until every request ended. New ones must be refused by then (engine.state). */
MAY_YIELD int engine_sched_drain(void *sched);
