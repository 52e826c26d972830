/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Watching the own xstreams. A ULT that does not give way keeps its xstream from the network, from timers and from all
 * other ULTs. When it has, the xstream itself says so (ult_xs_attr.long_ns); here, on the monitoring xstream, is said that
 * one still does, since it may never end. And what the xstreams' accounts say goes into the metrics.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/telemetry.h"
#include "engine/engine_internal.h"
#include "platform/platform.h"

#define WATCH_PERIOD_NS NSEC_PER_SEC

struct watched {
	uint64_t          told_since_ns; /* the ULT that was told of began to run then */
	struct d_tm_node *tm_run[ULT_POOL_NR], *tm_max;
};
struct engine_watch {
	struct engine   *eng;
	struct ult_timer timer;
	struct watched   xss[]; /* [eng->xs_nr] */
};

static void
look_for_long(struct engine *eng, struct engine_xs *exs, struct watched *w)
{
	ult_fn_t fn;
	uint64_t since, now = plat_now_ns();
	char     name[128];

	if (eng->long_ns == 0 || !ult_xs_running(exs->pub.dx_xs, &fn, &since) || since == w->told_since_ns || now < since ||
	    now - since < eng->long_ns)
		return;
	w->told_since_ns = since;
	ult_fn_name(fn, name, sizeof(name));
	D_WARN("%s: xstream %s is kept by a ULT (%s) for %lu ms now; all others there wait", eng->name, exs->name, name,
	       (unsigned long)((now - since) / NSEC_PER_MSEC));
}

static void
publish(struct engine_xs *exs, struct watched *w)
{
	struct ult_xs_stats stats;

	ult_xs_get_stats(exs->pub.dx_xs, &stats);
	for (int pool = 0; pool < ULT_POOL_NR; pool++)
		d_tm_set_counter(w->tm_run[pool], stats.run_ns[pool]);
	d_tm_set_gauge(w->tm_max, stats.run_max_ns);
}

static void
watch_tick(void *arg)
{
	struct engine_watch *watch = arg;
	struct engine       *eng = watch->eng;

	for (uint32_t i = 0; i < eng->xs_nr; i++) {
		look_for_long(eng, eng->xss[i], &watch->xss[i]);
		publish(eng->xss[i], &watch->xss[i]);
	}
	ult_timer_arm(&watch->timer, WATCH_PERIOD_NS);
}

static void
metrics_add(struct engine *eng, uint32_t id, struct watched *w)
{
	static const char *const pools[ULT_POOL_NR] = {[ULT_POOL_NET] = "net", [ULT_POOL_IO] = "io",
						       [ULT_POOL_GENERIC] = "generic"};
	int rc = d_tm_add_metric(eng->tm, &w->tm_max, D_TM_GAUGE, "longest time a ULT did not give way", "ns",
				 "sched/xs_%u/run_max", id);

	for (int pool = 0; pool < ULT_POOL_NR && rc == 0; pool++)
		rc = d_tm_add_metric(eng->tm, &w->tm_run[pool], D_TM_COUNTER, "time ULTs of the pool ran", "ns",
				     "sched/xs_%u/run_%s", id, pools[pool]);
	if (rc != 0)
		D_WARN("%s: xstream %u runs without some of its metrics: " DF_RC, eng->name, id, DP_RC(rc));
}

int
engine_watch_start(void *arg)
{
	struct engine       *eng = arg;
	struct engine_watch *watch = calloc(1, sizeof(*watch) + eng->xs_nr * sizeof(watch->xss[0]));

	if (watch == NULL)
		return -DER_NOMEM;
	watch->eng = eng;
	watch->timer.fn = watch_tick;
	watch->timer.arg = watch;
	for (uint32_t i = 0; i < eng->xs_nr; i++)
		metrics_add(eng, i, &watch->xss[i]);
	eng->watch = watch;
	ult_timer_arm(&watch->timer, WATCH_PERIOD_NS);
	return 0;
}

int
engine_watch_stop(void *arg)
{
	struct engine *eng = arg;

	if (eng->watch == NULL)
		return 0;
	ult_timer_cancel(&eng->watch->timer);
	free(eng->watch);
	eng->watch = NULL;
	return 0;
}
