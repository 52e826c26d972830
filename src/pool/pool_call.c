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

/** One attempt. @ret_rpc on 0. @ret_next: the leader a reply names, or CRT_NO_RANK. */
MAY_YIELD static int
call_rank(d_rank_t rank, crt_opcode_t opc, void (*fill)(void *in, void *arg), void *arg, crt_rpc_t **ret_rpc,
	  d_rank_t *ret_next)
{
	crt_endpoint_t        ep = {.ep_rank = rank, .ep_tag = DSS_TAG_SYS};
	struct pool_out_head *out;
	crt_rpc_t            *rpc;
	int                   rc = crt_req_create(dss_self()->dx_ctx, &ep, opc, &rpc);

	*ret_next = CRT_NO_RANK;
	if (rc != 0)
		return rc;
	fill(rpc->cr_input, arg);
	rc = crt_req_set_timeout(rpc, TRY_TIMEOUT_S);
	D_ASSERT(rc == 0);
	rc = dss_rpc_send(rpc);
	if (rc == 0) {
		out = rpc->cr_output;
		rc = out->rc;
		if (out->hint_valid)
			*ret_next = out->hint_rank;
	}
	if (rc == 0)
		*ret_rpc = rpc;
	else
		crt_req_decref(rpc);
	return rc;
}

/** Each replica once, and leaders they name. */
MAY_YIELD static int
call_round(const d_rank_list_t *ranks, crt_opcode_t opc, void (*fill)(void *in, void *arg), void *arg,
	   crt_rpc_t **ret_rpc, bool *ret_all_notreplica)
{
	int rc = -DER_NOTREPLICA;

	*ret_all_notreplica = true;
	for (uint32_t i = 0; i < ranks->rl_nr; i++) {
		d_rank_t rank = ranks->rl_ranks[i], next;

		for (int hop = 0; hop < HOP_NR_MAX && rank != CRT_NO_RANK; hop++, rank = next) {
			rc = call_rank(rank, opc, fill, arg, ret_rpc, &next);
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
	uint64_t end_ns = plat_now_ns() + timeout_s * NSEC_PER_SEC;
	uint64_t pause_ns = PAUSE_NS_MIN;
	bool     gone;
	int      rc;

	if (ranks->rl_nr == 0)
		return -DER_NONEXIST;
	for (;;) {
		rc = call_round(ranks, opc, fill, arg, ret_rpc, &gone);
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
