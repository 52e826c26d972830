/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Networks. An engine is reached over one fabric provider or several: the primary network, over which engines also
 * talk to each other, and secondary ones for clients that have no access to it. Each is a CART instance with one
 * context on each xstream; all share the engine's clock. A request is answered, and its bulk data moved, in the
 * context it came through (crt_rpc.cr_ctx), so handlers need not know of networks.
 *
 * A context is a poller of its xstream. CART's timeouts have no descriptor: before the xstream blocks, a timer is
 * armed for the earliest one; when it fires, the cycle polls CART again. A look at a network takes a system call or
 * more: of an xstream that is awake, a secondary one in which nothing happens is looked at in every
 * SECONDARY_SKIP_NR_MAX-th cycle only.
 *
 * Invariant: context index == xstream id == tag, in every network: xstreams start one after the other, in order.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <daos_errno.h>
#include "base/log.h"
#include "engine/engine_internal.h"

#define SECONDARY_SKIP_NR_MAX 16u

/* ---- of an xstream ---- */

static int
net_poll(void *arg)
{
	struct engine_net *net = arg;
	int                nr  = crt_progress(net->ctx, 0);

	return MAX_OF(nr, 0);
}

static int
secondary_poll(void *arg)
{
	struct engine_net *net = arg;
	int                nr;

	if (++net->skip_nr < MIN_OF(net->quiet_nr, SECONDARY_SKIP_NR_MAX))
		return 0;
	net->skip_nr = 0;
	nr           = net_poll(net);
	net->quiet_nr = nr > 0 ? 0 : net->quiet_nr + 1;
	return nr;
}

/** The timer only ends the wait: the cycle polls CART, which looks at its timeouts. */
static void
net_timeout(void *arg)
{
	(void)arg;
}

static bool
net_arm(void *arg)
{
	struct engine_net *net = arg;

	net->quiet_nr = 0; /* whether there is something, or it sleeps: the next cycle looks */
	return crt_context_arm(net->ctx) && ult_timer_wake_at(&net->timer, crt_context_next_timeout(net->ctx));
}

static int
net_open(struct engine_xs *exs, uint32_t idx)
{
	struct engine     *eng = exs->pub.dx_engine;
	struct engine_net *net = &exs->nets[idx];
	int                rc  = crt_context_create(eng->crts[idx], &net->ctx);

	if (rc != 0) {
		D_ERROR("%s: context %u of network %u cannot be made: " DF_RC, eng->name, exs->pub.dx_id, idx, DP_RC(rc));
		net->ctx = NULL;
		return rc;
	}
	D_ASSERT(crt_context_idx(net->ctx) == (int)exs->pub.dx_id);
	crt_context_set_data(net->ctx, &exs->pub);
	crt_context_register_rpc_task(net->ctx, engine_sched_rpc, &exs->sched);
	net->timer.fn  = net_timeout;
	net->timer.arg = net;
	net->poller = (struct ult_poller){
	    .name = "cart",
	    .poll = idx == 0 ? net_poll : secondary_poll,
	    .arm = net_arm,
	    .fd = crt_context_fd(net->ctx),
	    .arg = net,
	};
	d_list_init(&net->poller.link);
	ult_poller_add(&net->poller);
	return 0;
}

int
engine_net_xs_open(struct engine_xs *exs)
{
	int rc = 0;

	for (uint32_t i = 0; i < exs->pub.dx_engine->net_nr && rc == 0; i++)
		rc = net_open(exs, i);
	exs->pub.dx_ctx = exs->nets[0].ctx;
	return rc;
}

void
engine_net_xs_close(struct engine_xs *exs)
{
	for (uint32_t i = ENGINE_NET_MAX; i-- > 0;) {
		struct engine_net *net = &exs->nets[i];

		if (net->ctx == NULL)
			continue;
		ult_poller_del(&net->poller);
		ult_timer_cancel(&net->timer);
		crt_context_destroy(net->ctx);
		net->ctx = NULL;
	}
	exs->pub.dx_ctx = NULL;
}

/* ---- of the engine ---- */

static int
instance_open(struct engine *eng, const struct crt_attr *given)
{
	struct crt_attr attr = *given;
	uint32_t        idx  = eng->net_nr;
	int             rc;

	attr.server      = true;
	attr.tm          = eng->tm;
	attr.net_idx     = idx;
	attr.hlc         = idx > 0 ? crt_hlc(eng->crts[0]) : NULL;
	attr.ctl_allowed = attr.ctl_allowed || getenv("CRT_CTL_ENABLE") != NULL;
	attr.ctx_nr_max  = MAX_OF(attr.ctx_nr_max, eng->xs_nr);
	rc = crt_init(&attr, &eng->crts[idx]);
	if (rc != 0) {
		D_ERROR("%s: network %u (provider %s, interface %s, port %d) cannot be started: " DF_RC, eng->name, idx,
			attr.provider != NULL ? attr.provider : "default",
			attr.interface != NULL ? attr.interface : "any", attr.port, DP_RC(rc));
		return rc;
	}
	eng->net_nr++;
	return 0;
}

int
engine_nets_open(struct engine *eng, const struct engine_attr *attr)
{
	int rc = attr->secondary_nr < ENGINE_NET_MAX ? instance_open(eng, &attr->fabric) : -DER_INVAL;

	for (uint32_t i = 0; i < attr->secondary_nr && rc == 0; i++)
		rc = instance_open(eng, &attr->secondary[i]);
	return rc;
}

void
engine_nets_close(struct engine *eng)
{
	while (eng->net_nr > 0) /* the primary last: it has the clock */
		crt_fini(eng->crts[--eng->net_nr]);
}

int
engine_proto_register(struct engine *eng, const struct crt_proto *proto)
{
	int rc = 0;

	for (uint32_t i = 0; i < eng->net_nr && rc == 0; i++)
		rc = crt_proto_register(eng->crts[i], proto);
	return rc;
}

struct crt *
dss_crt(struct engine *eng)
{
	return eng->crts[0];
}

struct hlc *
dss_hlc(struct engine *eng)
{
	return crt_hlc(eng->crts[0]);
}

uint32_t
dss_net_nr(struct engine *eng)
{
	return eng->net_nr;
}

void
dss_rank_set(struct engine *eng, d_rank_t rank)
{
	for (uint32_t i = 0; i < eng->net_nr; i++)
		crt_rank_self_set(eng->crts[i], rank);
}

int
dss_group_set(struct engine *eng, uint32_t net, uint32_t version, uint32_t nr, const struct crt_member *members)
{
	return net < eng->net_nr ? crt_group_set(eng->crts[net], version, nr, members) : 0;
}

int
engine_uri(struct engine *eng, uint32_t net, char *buf, size_t buf_bytes)
{
	if (net >= eng->net_nr)
		return -DER_NONEXIST;
	return crt_context_uri(eng->xss[DSS_TAG_SYS]->nets[net].ctx, buf, buf_bytes);
}
