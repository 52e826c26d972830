/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Calling a pool's service from an engine: where clients have dc_svc_call(). */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/errno_map.h"
#include "base/log.h"
#include "platform/platform.h"
#include "pool/pool_internal.h"

#define TRY_TIMEOUT_S 10
#define PAUSE_NS_MIN  (10 * NSEC_PER_MSEC)
#define PAUSE_NS_MAX  (1 * NSEC_PER_SEC)
#define HOP_NR_MAX    4

/** A call, over all its attempts. */
struct call {
	crt_opcode_t     opc;
	void           (*fill)(void *in, void *arg);
	void            *arg;
	struct dtx_id    op;       /**< names it */
	bool             begun;    /**< an attempt may have been carried out: the name stays */
	d_rank_t         next;     /**< the leader the last reply names, or CRT_NO_RANK */
	crt_rpc_t       *rpc;      /**< the reply */
};

static void
name(struct call *call, uint64_t time)
{
	call->op.hlc = time;
	plat_uuid_generate(call->op.uuid);
}

/** What a reply tells besides its result. */
static int
take_reply(struct call *call, const struct pool_out_head *out)
{
	call->begun |= out->begun;
	if (out->hint_valid)
		call->next = out->hint_rank;
	if (out->rc == -DER_TX_UNCERTAIN && !call->begun && out->time != 0) {
		name(call, out->time); /* our clock is off */
		return -DER_AGAIN;
	}
	return out->rc;
}

/** One attempt. call->rpc on 0. */
MAY_YIELD static int
call_rank(struct call *call, d_rank_t rank)
{
	crt_endpoint_t       ep = {.ep_rank = rank, .ep_tag = DSS_TAG_SYS};
	struct pool_in_head *in;
	crt_rpc_t           *rpc;
	int                  rc = crt_req_create(dss_self()->dx_ctx, &ep, call->opc, &rpc);

	call->next = CRT_NO_RANK;
	if (rc != 0)
		return rc;
	in = rpc->cr_input;
	call->fill(in, call->arg);
	in->op_time = call->op.hlc;
	uuid_copy(in->op_who.b, call->op.uuid);
	rc = crt_req_set_timeout(rpc, TRY_TIMEOUT_S);
	D_ASSERT(rc == 0);
	rc = dss_rpc_send(rpc);
	if (rc == 0)
		rc = take_reply(call, rpc->cr_output);
	else
		call->begun = true; /* who knows */
	if (rc == 0)
		call->rpc = rpc;
	else
		crt_req_decref(rpc);
	return rc;
}

/** Each replica once, and leaders they name. */
MAY_YIELD static int
call_round(struct call *call, const d_rank_list_t *ranks, bool *ret_all_notreplica)
{
	int rc = -DER_NOTREPLICA;

	*ret_all_notreplica = true;
	for (uint32_t i = 0; i < ranks->rl_nr; i++) {
		d_rank_t rank = ranks->rl_ranks[i];

		for (int hop = 0; hop < HOP_NR_MAX && rank != CRT_NO_RANK; hop++, rank = call->next) {
			rc = call_rank(call, rank);
			if (!daos_rc_ask_again(rc))
				return rc;
			if (rc != -DER_NOTREPLICA)
				*ret_all_notreplica = false;
		}
	}
	return rc;
}

MAY_YIELD int
ds_pool_svc_call(const d_rank_list_t *ranks, crt_opcode_t opc, void (*fill)(void *in, void *arg), void *arg,
		 uint32_t timeout_s, crt_rpc_t **ret_rpc)
{
	uint64_t    end_ns = plat_now_ns() + timeout_s * NSEC_PER_SEC;
	uint64_t    pause_ns = PAUSE_NS_MIN;
	struct call call = {.opc = opc, .fill = fill, .arg = arg};
	bool        gone;
	int         rc;

	if (ranks->rl_nr == 0)
		return -DER_NONEXIST;
	name(&call, hlc_get(dss_hlc(dss_engine())));
	for (;;) {
		rc = call_round(&call, ranks, &gone);
		if (rc == 0)
			*ret_rpc = call.rpc;
		if (!daos_rc_ask_again(rc))
			return rc;
		if (gone) /* all answered: there is no such service */
			return -DER_NONEXIST;
		if (plat_now_ns() + pause_ns >= end_ns)
			return rc;
		ult_sleep_ns(pause_ns);
		pause_ns = MIN_OF(pause_ns * 2, PAUSE_NS_MAX);
	}
}
