/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What a context counts, and its way into the metrics tree (CRT-3, CRT-28).
 *
 * Counting is a plain addition under the context's lock. Nothing of the tree is touched then: what
 * changed is published when the context goes to sleep, and every CRT_METRICS_POLLS polls of one that
 * does not. net/<what>/ctx_<idx> is this context's; net/rpc/<request>/<what> sums all contexts'.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/telemetry.h"
#include "cart/crt_internal.h"

/** X(field, type of its metric, unit, description) */
#define CTX_METRICS(X)                                                                             \
	X(req_sent, "messages", "requests sent")                                                   \
	X(req_recv, "messages", "requests received")                                               \
	X(reply_recv, "messages", "replies received")                                              \
	X(timeouts, "requests", "requests that timed out")                                         \
	X(unreachable, "requests", "requests whose peer was gone")                                 \
	X(late_replies, "messages", "replies to requests that had ended")                          \
	X(malformed, "messages", "messages that made no sense")

#define OPC_METRICS(X)                                                                             \
	X(sent, "requests", "requests sent")                                                       \
	X(recv, "requests", "requests received")                                                   \
	X(replied, "requests", "requests that were answered")                                      \
	X(failed, "requests", "requests that ended otherwise")                                     \
	X(latency_sum_ns, "ns", "time until the replies, summed up")

enum ctx_metric {
#define METRIC_ENUM(field, units, desc) CTX_##field,
	CTX_METRICS(METRIC_ENUM)
#undef METRIC_ENUM
	CTX_METRIC_NR
};
enum opc_metric {
#define METRIC_ENUM(field, units, desc) OPC_##field,
	OPC_METRICS(METRIC_ENUM)
#undef METRIC_ENUM
	OPC_METRIC_NR
};

struct opc_entry {
	struct crt_opc_stats stats;
	struct crt_opc_stats shown; /* part of it that the tree has */
	const char          *name;  /* NULL: never used */
	struct d_tm_node    *nodes[OPC_METRIC_NR];
};

#define OPC_NR_MAX 64 /* of a module; those above are not counted */

struct crt_metrics {
	struct d_tm_node *nodes[CTX_METRIC_NR];
	struct d_tm_node *inflight;
	struct opc_entry *mods[256]; /* [OPC_NR_MAX] each; NULL: none of the module seen */
};

/* ---- the tree ---- */

static void
node_add(struct crt_ctx *ctx, struct d_tm_node **node, enum d_tm_type type, const char *units,
	 const char *desc, const char *name)
{
	uint32_t net = ctx->crt->attr.net_idx;
	char     top[16] = "net";
	int      rc;

	if (net > 0)
		snprintf(top, sizeof(top), "net%u", net);
	rc = d_tm_add_metric(ctx->crt->attr.tm, node, type, desc, units, "%s/%s/ctx_%d", top, name, ctx->idx);

	if (rc != 0)
		D_WARN("context %d has no metric %s: " DF_RC "\n", ctx->idx, name, DP_RC(rc));
}

void
crt_metrics_open(struct crt_ctx *ctx)
{
	struct crt_metrics *m = calloc(1, sizeof(*m));

	ctx->metrics = m;
	if (m == NULL || ctx->crt->attr.tm == NULL)
		return; /* runs without */
#define METRIC_ADD(field, units, desc)                                                             \
	node_add(ctx, &m->nodes[CTX_##field], D_TM_COUNTER, units, desc, #field);
	CTX_METRICS(METRIC_ADD)
#undef METRIC_ADD
	node_add(ctx, &m->inflight, D_TM_GAUGE, "requests", "requests that are not ended", "alive");
}

void
crt_metrics_close(struct crt_ctx *ctx)
{
	if (ctx->metrics == NULL)
		return;
	crt_metrics_flush(ctx);
	for (size_t i = 0; i < ARRAY_NR(ctx->metrics->mods); i++)
		free(ctx->metrics->mods[i]);
	free(ctx->metrics);
	ctx->metrics = NULL;
}

static void
opc_publish(struct d_tm *tm, struct opc_entry *e)
{
	if (memcmp(&e->stats, &e->shown, sizeof(e->stats)) == 0)
		return;
#define METRIC_SHOW(field, units, desc)                                                            \
	if (e->nodes[OPC_##field] == NULL &&                                                       \
	    d_tm_add_metric(tm, &e->nodes[OPC_##field], D_TM_COUNTER, desc, units,                 \
			    "net/rpc/%s/" #field, e->name) != 0)                                   \
		e->nodes[OPC_##field] = NULL; /* full: the log has said so */                      \
	d_tm_inc_counter(e->nodes[OPC_##field], e->stats.field - e->shown.field);
	OPC_METRICS(METRIC_SHOW)
#undef METRIC_SHOW
	e->shown = e->stats;
}

void
crt_metrics_flush(struct crt_ctx *ctx)
{
	struct crt_metrics *m  = ctx->metrics;
	struct d_tm        *tm = ctx->crt->attr.tm;

	if (m == NULL || tm == NULL)
		return;
#define METRIC_SHOW(field, units, desc) d_tm_set_counter(m->nodes[CTX_##field], ctx->stats.field);
	CTX_METRICS(METRIC_SHOW)
#undef METRIC_SHOW
	d_tm_set_gauge(m->inflight, ctx->rpc_nr);
	for (size_t i = 0; i < ARRAY_NR(m->mods); i++)
		for (uint32_t k = 0; m->mods[i] != NULL && k < OPC_NR_MAX; k++)
			if (m->mods[i][k].name != NULL)
				opc_publish(tm, &m->mods[i][k]);
}

/* ---- counting ---- */

struct crt_opc_stats *
crt_opc_stats_of(struct crt_ctx *ctx, crt_opcode_t opc, const struct crt_req_format *format)
{
	struct crt_metrics *m   = ctx->metrics;
	uint32_t            mod = CRT_OPC_MOD(opc), idx = CRT_OPC_IDX(opc);

	if (m == NULL || idx >= OPC_NR_MAX)
		return NULL;
	if (m->mods[mod] == NULL) {
		m->mods[mod] = calloc(OPC_NR_MAX, sizeof(struct opc_entry));
		if (m->mods[mod] == NULL)
			return NULL;
	}
	m->mods[mod][idx].name = format->name;
	return &m->mods[mod][idx].stats;
}

void
crt_context_opc_stats(crt_context_t ctx, crt_opcode_t opc, struct crt_opc_stats *ret_stats)
{
	uint32_t mod = CRT_OPC_MOD(opc), idx = CRT_OPC_IDX(opc);

	*ret_stats = (struct crt_opc_stats){0};
	pthread_mutex_lock(&ctx->lock);
	if (ctx->metrics != NULL && idx < OPC_NR_MAX && ctx->metrics->mods[mod] != NULL)
		*ret_stats = ctx->metrics->mods[mod][idx].stats;
	pthread_mutex_unlock(&ctx->lock);
}
