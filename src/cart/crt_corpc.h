/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Collective requests: one request to many ranks over a tree, one reply made of theirs.
 *
 * The rank that creates it is the root. Each rank that gets it may look at it first (pre-forward),
 * sends it on to its children, runs the handler, merges its own reply and its children's (aggregate)
 * and answers its parent. The handler is an ordinary one: it reads cr_input and calls
 * crt_reply_send().
 *
 * When ranks cannot be reached, or fail, the request still completes: cci_rc is the first error,
 * cr_output what the others replied, crt_corpc_failed() names those at which it failed. Ranks below
 * a dead one are not reached.
 */
#pragma once

#include "cart/crt.h"
#include "cart/crt_tree.h"

struct crt_corpc_ops {
	/**
	 * Merge @source (struct x_out, of one rank or of a subtree) into @result, which began zeroed.
	 * Memory that @result keeps comes from crt_req_alloc(@rpc): @source is gone afterwards. Runs in
	 * crt_progress(), one call at a time. NULL: replies have no output, only errors.
	 */
	int (*co_aggregate)(const void *source, void *result, crt_rpc_t *rpc);
	/** Before it is sent on; an error ends it here: no handler, no children. NULL: nothing. */
	int (*co_pre_forward)(crt_rpc_t *rpc, void *arg);
	void *arg;
};

struct crt_corpc_attr {
	crt_opcode_t         opc;    /**< its crt_proto_rpc has co_ops */
	struct crt_tree      tree;
	uint32_t             tag;    /**< of the other ranks; the root's own part runs in its context */
	const d_rank_list_t *filter; /**< NULL: the whole group. Borrowed during the call */
	bool                 invert; /**< false: all but @filter; true: only @filter */
	/** Travels along by RMA, each rank reading its parent's copy. Borrowed until completion. */
	const d_iov_t       *chained;
};
/**
 * The request is then like any other: fill cr_input, crt_req_set_timeout(), crt_req_send().
 * Errors: OOG this process is not in the group | INVAL | NOMEM
 */
int crt_corpc_create(crt_context_t ctx, const struct crt_corpc_attr *attr, crt_rpc_t **ret_req) MUST_CHECK;
/** In a handler or pre-forward hook: the chained data, or nothing. As long as the rpc. */
d_iov_t crt_corpc_chained(const crt_rpc_t *rpc);
/**
 * After completion: ranks at which it failed, in no order, as long as the request. Empty when it was
 * aborted or timed out at the root, since then nobody knows.
 */
const d_rank_list_t *crt_corpc_failed(const crt_rpc_t *req);
/** After completion: how many ranks have run the handler and replied without an error of transport. */
uint32_t crt_corpc_reached(const crt_rpc_t *req);
/** In a handler: the rank that began it. */
d_rank_t crt_corpc_root(const crt_rpc_t *rpc);
