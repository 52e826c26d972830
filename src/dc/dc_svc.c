/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * RPCs of a task, and calls of a replicated service.
 *
 * A call of a service goes through rounds. A round tries the leader last known, then each replica
 * once; a reply that names another leader sends the request there at once. After a round without
 * an answer for good there is a pause, each twice as long as the one before up to PAUSE_NS_MAX,
 * with a random part so that clients do not come back together. The overall deadline ends the call
 * with the last error seen.
 *
 * A call has a name (ds_name), the same in all copies of its request from the first that may have been carried out, so that
 * the service recognizes the others. A name has a time. It is the service's, as heard in its last reply and carried on by
 * our stopwatch: clocks of clients may be off by any amount. A service refuses times too far from its own with
 * TX_UNCERTAIN; the first request to it, made by our own clock, then gets another name.
 *
 * Invariants: at any time a call either has one request in flight, or its timer armed, or is
 * ending; hops to hinted leaders are bounded by HOP_NR_MAX in each round, so two confused replicas
 * cannot play ping-pong.
 */
#define D_LOGFAC LOG_FAC_CLIENT
#include <stdlib.h>
#include "base/errno_map.h"
#include "base/log.h"
#include "base/rank_list.h"
#include "dc/dc_internal.h"

#define PAUSE_NS_MIN (20 * NSEC_PER_MSEC)
#define PAUSE_NS_MAX (2 * NSEC_PER_SEC)
#define HOP_NR_MAX   4

/* ---- RPCs ---- */

int
dc_req_create(tse_task_t *task, d_rank_t rank, uint32_t tag, crt_opcode_t opc, crt_rpc_t **ret_rpc)
{
	struct dc_ctx *dctx = dc_task2dctx(task);
	crt_endpoint_t ep = {.ep_rank = rank, .ep_tag = tag};

	if (dctx->closing || dc_task_is_aborted(task))
		return -DER_CANCELED;
	return crt_req_create(dctx->crt, &ep, opc, ret_rpc);
}

struct rpc_call {
	tse_task_t   *task;
	dc_rpc_done_t done;
	void	     *arg;
};

static void
rpc_call_done(const struct crt_cb_info *info)
{
	struct rpc_call *call = info->cci_arg;
	tse_task_t	*task = call->task;
	int		 rc = info->cci_rc;

	dc_task_rec(task)->rpc = NULL;
	if (call->done != NULL)
		rc = call->done(task, info->cci_rpc, rc, call->arg);
	free(call);
	tse_task_complete(task, rc);
}

int
dc_rpc_send_task(tse_task_t *task, crt_rpc_t *rpc, dc_rpc_done_t done, void *arg)
{
	struct rpc_call *call = malloc(sizeof(*call));

	if (call == NULL) {
		crt_req_decref(rpc);
		tse_task_complete(task, -DER_NOMEM);
		return -DER_NOMEM;
	}
	*call = (struct rpc_call){.task = task, .done = done, .arg = arg};
	dc_task_rec(task)->rpc = rpc;
	return crt_req_send(rpc, rpc_call_done, call);
}

/* ---- what is known of a service ---- */

int
dc_svc_init(struct dc_svc *svc, const d_rank_list_t *ranks)
{
	memset(svc, 0, sizeof(*svc));
	svc->ds_leader = CRT_NO_RANK;
	plat_uuid_generate(svc->ds_who);
	pthread_mutex_init(&svc->ds_lock, NULL);
	return d_rank_list_dup(ranks, &svc->ds_ranks);
}

void
dc_svc_fini(struct dc_svc *svc)
{
	d_rank_list_free(svc->ds_ranks);
	svc->ds_ranks = NULL;
	pthread_mutex_destroy(&svc->ds_lock);
}

int
dc_svc_set_ranks(struct dc_svc *svc, const d_rank_list_t *ranks)
{
	d_rank_list_t *copy;
	d_rank_list_t *old;
	int	       rc;

	rc = d_rank_list_dup(ranks, &copy);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&svc->ds_lock);
	old = svc->ds_ranks;
	svc->ds_ranks = copy;
	if (d_rank_list_find(copy, svc->ds_leader) < 0)
		svc->ds_leader = CRT_NO_RANK;
	pthread_mutex_unlock(&svc->ds_lock);
	d_rank_list_free(old);
	return 0;
}

void
dc_svc_hint(struct dc_svc *svc, d_rank_t leader, uint64_t term)
{
	pthread_mutex_lock(&svc->ds_lock);
	if (term >= svc->ds_term) {
		svc->ds_leader = leader;
		svc->ds_term = term;
	}
	pthread_mutex_unlock(&svc->ds_lock);
}

int
dc_svc_ranks(struct dc_svc *svc, d_rank_list_t **ret_ranks)
{
	int rc;

	pthread_mutex_lock(&svc->ds_lock);
	rc = d_rank_list_dup(svc->ds_ranks, ret_ranks);
	pthread_mutex_unlock(&svc->ds_lock);
	return rc;
}

d_rank_t
dc_svc_leader(struct dc_svc *svc)
{
	d_rank_t leader;

	pthread_mutex_lock(&svc->ds_lock);
	leader = svc->ds_leader;
	pthread_mutex_unlock(&svc->ds_lock);
	return leader;
}

/** @rank turned out not to lead. */
static void
svc_leader_forget(struct dc_svc *svc, d_rank_t rank)
{
	pthread_mutex_lock(&svc->ds_lock);
	if (svc->ds_leader == rank)
		svc->ds_leader = CRT_NO_RANK;
	pthread_mutex_unlock(&svc->ds_lock);
}

/* ---- names of calls ---- */

/** The service's time as far as is known, or what our clock says. Under the lock. */
static uint64_t
svc_time(const struct dc_svc *svc, struct hlc *hlc)
{
	if (svc->ds_time == 0)
		return hlc_get(hlc);
	return svc->ds_time + hlc_span_from_ns(plat_now_ns() - svc->ds_time_ns);
}

static void
svc_name_new(struct dc_svc *svc, struct hlc *hlc, struct dtx_id *ret_op)
{
	pthread_mutex_lock(&svc->ds_lock);
	svc->ds_last = MAX_OF(svc_time(svc, hlc), svc->ds_last + 1);
	ret_op->hlc = svc->ds_last;
	uuid_copy(ret_op->uuid, svc->ds_who);
	pthread_mutex_unlock(&svc->ds_lock);
}

/** @force: ours is not accepted, so theirs holds though it be earlier; names made before must not come again. */
static void
svc_time_heard(struct dc_svc *svc, uint64_t time, bool force)
{
	if (time == 0)
		return;
	pthread_mutex_lock(&svc->ds_lock);
	if (force || svc->ds_time == 0 || time > svc_time(svc, NULL)) {
		svc->ds_time = time;
		svc->ds_time_ns = plat_now_ns();
	}
	if (force && svc->ds_last >= time) {
		plat_uuid_generate(svc->ds_who);
		svc->ds_last = 0;
	}
	pthread_mutex_unlock(&svc->ds_lock);
}

/* ---- a call ---- */

struct svc_call {
	struct dc_svc_call c;
	tse_task_t	  *task;
	struct dc_ctx	  *dctx;
	d_rank_list_t	  *ranks;    /* the replicas of this round */
	uint32_t	   rank_idx; /* next of them to try */
	uint32_t	   hop_nr;   /* in this round */
	d_rank_t	   rank;     /* tried last */
	struct dtx_id	   op;       /* its name */
	bool		   begun;    /* an attempt may have been carried out: the name stays */
	uint64_t	   deadline_ns;
	uint64_t	   pause_ns;
	struct dc_timer	   timer;
	int		   last_rc;
};

static void svc_call_try(struct svc_call *call, d_rank_t rank);

static void
svc_call_end(struct svc_call *call, crt_rpc_t *rpc, int rc)
{
	tse_task_t *task = call->task;

	dc_task_rec(task)->rpc = NULL;
	if (call->c.done != NULL)
		rc = call->c.done(task, rpc, rc, call->c.arg);
	d_rank_list_free(call->ranks);
	free(call);
	tse_task_complete(task, rc);
}

static void
svc_call_give_up(struct svc_call *call)
{
	D_ERROR(
	    "request %08x: no replica of the service answered for good; rank %u, tried last: " DF_RC
	    "; are its engines up ('dmg system query')?\n",
	    call->c.opc, call->rank, DP_RC(call->last_rc));
	svc_call_end(call, NULL, call->last_rc);
}

/** Start a round: the leader last known comes first. */
static void
svc_call_round(struct svc_call *call)
{
	d_rank_t leader = dc_svc_leader(call->c.svc);
	int	 rc;

	d_rank_list_free(call->ranks);
	call->ranks = NULL;
	rc = dc_svc_ranks(call->c.svc, &call->ranks);
	if (rc == 0 && call->ranks->rl_nr == 0 && leader == CRT_NO_RANK)
		rc = -DER_NO_SERVICE;
	if (rc != 0) {
		svc_call_end(call, NULL, rc);
		return;
	}
	call->rank_idx = 0;
	call->hop_nr = 0;
	if (leader == CRT_NO_RANK)
		leader = call->ranks->rl_ranks[call->rank_idx++];
	svc_call_try(call, leader);
}

static void
svc_call_pause_over(void *arg)
{
	struct svc_call *call = arg;

	if (call->dctx->closing || dc_task_is_aborted(call->task))
		svc_call_end(call, NULL, -DER_CANCELED);
	else
		svc_call_round(call);
}

static void
svc_call_pause(struct svc_call *call)
{
	uint64_t pause = call->pause_ns + plat_random() % call->pause_ns;

	if (plat_now_ns() + pause >= call->deadline_ns) {
		svc_call_give_up(call);
		return;
	}
	client_refresh(call->dctx->cl);
	call->pause_ns = MIN_OF(call->pause_ns * 2, PAUSE_NS_MAX);
	call->timer.fn = svc_call_pause_over;
	call->timer.arg = call;
	dc_timer_arm(call->dctx, &call->timer, pause);
}

/** No answer for good from call->rank: where next? */
static void
svc_call_next(struct svc_call *call, const struct dc_svc_reply *reply)
{
	if (reply->hint_valid && reply->hint_rank != call->rank && call->hop_nr < HOP_NR_MAX) {
		call->hop_nr++;
		dc_svc_hint(call->c.svc, reply->hint_rank, reply->hint_term);
		svc_call_try(call, reply->hint_rank);
		return;
	}
	svc_leader_forget(call->c.svc, call->rank);
	while (call->rank_idx < call->ranks->rl_nr) {
		d_rank_t rank = call->ranks->rl_ranks[call->rank_idx++];

		if (rank != call->rank) {
			svc_call_try(call, rank);
			return;
		}
	}
	svc_call_pause(call);
}

/** The call's name was refused, though nothing was carried out under it: try again with another. */
static bool
svc_call_renamed(struct svc_call *call, const struct dc_svc_reply *reply)
{
	if (call->begun || reply->time == 0 || call->hop_nr >= HOP_NR_MAX || dc_task_is_aborted(call->task))
		return false;
	call->hop_nr++;
	svc_time_heard(call->c.svc, reply->time, true);
	svc_call_try(call, call->rank);
	return true;
}

static void
svc_call_replied(const struct crt_cb_info *info)
{
	struct svc_call	   *call = info->cci_arg;
	struct dc_svc_reply reply = {0};
	int		    rc = info->cci_rc;

	dc_task_rec(call->task)->rpc = NULL;
	if (rc == 0)
		rc = call->c.result(info->cci_rpc, call->c.arg, &reply);
	else
		reply.begun = true; /* who knows */
	call->begun |= reply.begun;
	if (rc == -DER_TX_UNCERTAIN && svc_call_renamed(call, &reply))
		return;
	svc_time_heard(call->c.svc, reply.time, false);
	if (dc_task_is_aborted(call->task) && rc != 0)
		rc = -DER_CANCELED;
	if (daos_rc_ask_again(rc)) {
		call->last_rc = rc;
		svc_call_next(call, &reply);
		return;
	}
	if (info->cci_rc == 0 && reply.hint_valid)
		dc_svc_hint(call->c.svc, reply.hint_rank, reply.hint_term);
	svc_call_end(call, info->cci_rc == 0 ? info->cci_rpc : NULL, rc);
}

static uint32_t
svc_call_try_timeout(const struct svc_call *call, uint64_t now)
{
	uint64_t left_s = (call->deadline_ns - now) / NSEC_PER_SEC;

	return (uint32_t)MAX_OF(1u, MIN_OF(left_s, (uint64_t)DC_SVC_TRY_TIMEOUT_S));
}

static void
svc_call_try(struct svc_call *call, d_rank_t rank)
{
	uint64_t   now = plat_now_ns();
	crt_rpc_t *rpc;
	int	   rc;

	if (now >= call->deadline_ns) {
		svc_call_give_up(call);
		return;
	}
	call->rank = rank;
	rc = dc_req_create(call->task, rank, 0, call->c.opc, &rpc);
	if (rc != 0) {
		svc_call_end(call, NULL, rc);
		return;
	}
	rc = crt_req_set_timeout(rpc, svc_call_try_timeout(call, now));
	if (rc == 0)
		rc = call->c.fill(call->task, rpc, call->c.arg);
	if (rc != 0) {
		crt_req_decref(rpc);
		svc_call_end(call, NULL, rc);
		return;
	}
	if (call->c.svc->ds_name != NULL) {
		if (!call->begun)
			svc_name_new(call->c.svc, client_hlc(call->dctx->cl), &call->op);
		call->c.svc->ds_name(rpc, &call->op);
	}
	dc_task_rec(call->task)->rpc = rpc;
	(void)crt_req_send(rpc, svc_call_replied, call);
}

int
dc_svc_call(tse_task_t *task, const struct dc_svc_call *params)
{
	uint32_t	 timeout_s = params->timeout_s == 0 ? DC_SVC_TIMEOUT_S : params->timeout_s;
	struct svc_call *call;

	call = calloc(1, sizeof(*call));
	if (call == NULL) {
		int rc = -DER_NOMEM;

		if (params->done != NULL)
			rc = params->done(task, NULL, rc, params->arg);
		tse_task_complete(task, rc);
		return rc;
	}
	call->c = *params;
	call->task = task;
	call->dctx = dc_task2dctx(task);
	call->rank = CRT_NO_RANK;
	call->last_rc = -DER_TIMEDOUT;
	call->pause_ns = PAUSE_NS_MIN;
	call->deadline_ns = plat_now_ns() + timeout_s * NSEC_PER_SEC;
	svc_call_round(call);
	return 0;
}
