/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The SWIM protocol (swim/swim.c) on a context. A progress callback ticks it and says when to be called
 * next; messages are one-way requests of CART's own, handled at once.
 *
 * Who may touch it: everything in struct crt_swim belongs to the thread that progresses the context.
 * Others that change the group only set `stale` and wake it.
 */
#define D_LOGFAC LOG_FAC_SWIM
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_internal_proto.h"
#include "cart/crt_swim.h"
#include "platform/platform.h"

struct crt_swim {
	struct crt_ctx    *ctx;
	struct swim_config config;
	crt_swim_cb_t      cb;
	void              *arg;
	_Atomic bool       stale; /* the group has changed */
	struct swim       *swim;  /* NULL: the own rank is not known yet */
	uint64_t           rng;
};

void
crt_swim_config_env(struct swim_config *ret_config)
{
	static const struct {
		const char *name;
		size_t      offset;
	} vars[] = {
	    {"SWIM_PROTOCOL_PERIOD_LEN", offsetof(struct swim_config, period_ns)},
	    {"SWIM_SUSPECT_TIMEOUT", offsetof(struct swim_config, suspect_timeout_ns)},
	    {"SWIM_PING_TIMEOUT", offsetof(struct swim_config, ping_timeout_ns)},
	};

	*ret_config = (struct swim_config){0};
	for (size_t i = 0; i < ARRAY_NR(vars); i++) {
		const char   *text = getenv(vars[i].name);
		char         *end;
		unsigned long ms;

		if (text == NULL)
			continue;
		ms = strtoul(text, &end, 10);
		if (ms == 0 || *end != '\0' || ms > UINT32_MAX)
			D_WARN("%s=%s is no number of milliseconds: the default is used\n",
			       vars[i].name, text);
		else
			*(uint64_t *)((char *)ret_config + vars[i].offset) = ms * NSEC_PER_MSEC;
	}
}

/* ---- what the protocol needs ---- */

static uint64_t
op_random(void *arg)
{
	struct crt_swim *cs = arg;

	cs->rng ^= cs->rng << 13; /* xorshift: a system call for each choice is too much */
	cs->rng ^= cs->rng >> 7;
	cs->rng ^= cs->rng << 17;
	return cs->rng;
}

static void
op_send(void *arg, d_rank_t to, const struct swim_msg *msg)
{
	struct crt_swim     *cs = arg;
	crt_endpoint_t       ep = {.ep_rank = to, .ep_tag = cs->ctx->idx};
	struct crt_swim_in  *in;
	struct swim_update  *updates;
	crt_rpc_t           *req;

	if (crt_req_create(cs->ctx, &ep, CRT_INTERNAL_OPC(CRT_RPC_SWIM), &req) != 0)
		return; /* a message that is lost */
	updates = crt_req_alloc(req, sizeof(msg->updates));
	if (updates == NULL) {
		crt_req_decref(req);
		return;
	}
	memcpy(updates, msg->updates, msg->update_nr * sizeof(msg->updates[0]));
	in              = req->cr_input;
	in->kind        = msg->kind;
	in->about       = msg->about;
	in->seq         = msg->seq;
	in->stamp       = msg->stamp;
	in->incarnation = msg->incarnation;
	in->updates     = (struct crt_swim_update_array){.nr = msg->update_nr, .v = updates};
	crt_priv(req)->timeout_ns = cs->config.period_ns;
	crt_req_send(req, NULL, NULL);
}

static void
op_event(void *arg, d_rank_t rank, enum swim_status status, uint64_t incarnation)
{
	struct crt_swim *cs  = arg;
	struct crt      *crt = cs->ctx->crt;

	if (status == SWIM_DEAD && rank != crt->self) {
		D_WARN("rank %u: rank %u (incarnation %lu) is dead\n", crt->self, rank,
		       (unsigned long)incarnation);
		crt_rank_abort(crt, rank);
	}
	if (cs->cb != NULL)
		cs->cb(crt, rank, status, incarnation, cs->arg);
}

static const struct swim_ops swim_ops = {op_send, op_event, op_random};

/* ---- members ---- */

struct leavers {
	const d_rank_list_t *group;
	d_rank_list_t       *gone;
};

static void
leaver_note(void *arg, d_rank_t rank, enum swim_status status)
{
	struct leavers *l  = arg;
	uint32_t        lo = 0, hi = l->group->rl_nr;

	while (lo < hi) { /* sorted */
		uint32_t mid = lo + (hi - lo) / 2;

		if (l->group->rl_ranks[mid] < rank)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == l->group->rl_nr || l->group->rl_ranks[lo] != rank)
		l->gone->rl_ranks[l->gone->rl_nr++] = rank;
}

static int
members_sync_with(struct crt_swim *cs, const d_rank_list_t *group, uint64_t now)
{
	struct leavers l  = {.group = group, .gone = d_rank_list_alloc(swim_member_nr(cs->swim))};
	int            rc = 0;

	if (l.gone == NULL)
		return -DER_NOMEM;
	l.gone->rl_nr = 0;
	swim_member_foreach(cs->swim, leaver_note, &l);
	for (uint32_t i = 0; i < l.gone->rl_nr; i++)
		swim_member_del(cs->swim, l.gone->rl_ranks[i]);
	for (uint32_t i = 0; i < group->rl_nr && rc == 0; i++)
		rc = swim_member_add(cs->swim, group->rl_ranks[i], 0, now);
	d_rank_list_free(l.gone);
	return rc;
}

/** Follow the group. Who is not in it itself watches nobody. */
static int
members_sync(struct crt_swim *cs, uint64_t now)
{
	struct crt    *crt = cs->ctx->crt;
	d_rank_list_t *group;
	int            rc = crt_group_ranks(crt, &group);

	if (rc != 0)
		return rc;
	if (crt->self == CRT_NO_RANK || d_rank_list_find(group, crt->self) < 0)
		group->rl_nr = 0;
	if (cs->swim == NULL && group->rl_nr > 0)
		rc = swim_create(&cs->config, &swim_ops, cs, crt->self, hlc_get(crt->hlc), now,
				 &cs->swim);
	if (rc == 0 && cs->swim != NULL)
		rc = members_sync_with(cs, group, now);
	d_rank_list_free(group);
	return rc;
}

static uint64_t
swim_progress(crt_context_t ctx, void *arg)
{
	struct crt_swim *cs  = arg;
	uint64_t         now = plat_now_ns();

	if (atomic_exchange(&cs->stale, false)) {
		int rc = members_sync(cs, now);

		if (rc != 0) {
			D_WARN("SWIM does not know the group: " DF_RC "\n", DP_RC(rc));
			atomic_store(&cs->stale, true);
			return now + cs->config.period_ns;
		}
	}
	if (cs->swim == NULL)
		return UINT64_MAX;
	return swim_next(cs->swim) <= now ? swim_tick(cs->swim, now) : swim_next(cs->swim);
}

void
crt_swim_group_changed(struct crt *crt)
{
	struct crt_ctx *ctx = NULL;

	pthread_mutex_lock(&crt->grp_lock);
	if (crt->swim != NULL) {
		atomic_store(&crt->swim->stale, true);
		ctx = crt->swim->ctx;
	}
	pthread_mutex_unlock(&crt->grp_lock);
	if (ctx != NULL)
		crt_progress_cb_kick(ctx);
}

/* ---- messages ---- */

int
crt_proc_crt_swim_updates(struct crt_proc *p, struct crt_swim_update_array *v)
{
	int rc = crt_proc_uint32_t(p, &v->nr);

	if (rc != 0)
		return rc;
	if (v->nr > SWIM_UPDATE_NR_MAX)
		return -DER_PROTO;
	if (crt_proc_op(p) == CRT_PROC_DECODE) {
		v->v = crt_proc_alloc(p, SWIM_UPDATE_NR_MAX, sizeof(*v->v));
		if (v->v == NULL)
			return -DER_NOMEM;
	}
	for (uint32_t i = 0; i < v->nr && rc == 0; i++) {
		rc = crt_proc_uint32_t(p, &v->v[i].rank);
		if (rc == 0)
			rc = crt_proc_uint8_t(p, &v->v[i].status);
		if (rc == 0)
			rc = crt_proc_uint64_t(p, &v->v[i].incarnation);
	}
	return rc;
}

void
crt_swim_handler(crt_rpc_t *rpc)
{
	const struct crt_swim_in *in = rpc->cr_input;
	struct crt_swim          *cs = rpc->cr_ctx->crt->swim;
	struct swim_msg           msg;

	if (cs == NULL || cs->ctx != rpc->cr_ctx || cs->swim == NULL)
		return; /* not watching, or not there */
	msg.kind        = in->kind;
	msg.about       = in->about;
	msg.seq         = in->seq;
	msg.stamp       = in->stamp;
	msg.incarnation = in->incarnation;
	msg.update_nr   = in->updates.nr;
	memcpy(msg.updates, in->updates.v, in->updates.nr * sizeof(msg.updates[0]));
	swim_recv(cs->swim, rpc->cr_ep.ep_rank, &msg, plat_now_ns());
}

/* ---- on and off ---- */

int
crt_swim_enable(crt_context_t ctx, const struct swim_config *config, crt_swim_cb_t cb, void *arg)
{
	struct crt      *crt = ctx->crt;
	struct crt_swim *cs  = calloc(1, sizeof(*cs));
	int              rc;

	if (cs == NULL)
		return -DER_NOMEM;
	cs->ctx    = ctx;
	cs->config = *config;
	cs->cb     = cb;
	cs->arg    = arg;
	cs->stale  = true;
	cs->rng    = plat_random() | 1;
	if (cs->config.period_ns == 0)
		cs->config.period_ns = SWIM_PERIOD_MS_DEFAULT * NSEC_PER_MSEC;
	pthread_mutex_lock(&crt->grp_lock);
	rc = crt->swim != NULL ? -DER_ALREADY : 0;
	if (rc == 0)
		crt->swim = cs;
	pthread_mutex_unlock(&crt->grp_lock);
	if (rc != 0) {
		free(cs);
		return rc;
	}
	rc = crt_register_progress_cb(ctx, swim_progress, cs);
	if (rc != 0)
		crt_swim_disable(ctx);
	return rc;
}

void
crt_swim_disable(crt_context_t ctx)
{
	struct crt      *crt = ctx->crt;
	struct crt_swim *cs;

	pthread_mutex_lock(&crt->grp_lock);
	cs = crt->swim;
	if (cs != NULL && cs->ctx == ctx)
		crt->swim = NULL;
	else
		cs = NULL;
	pthread_mutex_unlock(&crt->grp_lock);
	if (cs == NULL)
		return;
	crt_unregister_progress_cb(ctx, swim_progress, cs);
	swim_destroy(cs->swim);
	free(cs);
}

enum swim_status
crt_swim_status(struct crt *crt, d_rank_t rank)
{
	enum swim_status status;
	uint64_t         incarnation;

	if (crt->swim == NULL || crt->swim->swim == NULL ||
	    swim_member_status(crt->swim->swim, rank, &status, &incarnation) != 0)
		return SWIM_ALIVE;
	return status;
}
