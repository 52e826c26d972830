/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the files of collective requests share; the theory is in crt_corpc.c. */
#pragma once

#include "cart/crt_corpc.h"
#include "cart/crt_internal_proto.h"

#define CHILD_TIME(ns) ((ns) - (ns) / 8)
#define CHAINED_BYTES_MAX CRT_BODY_BYTES_MAX

struct crt_corpc {
	struct crt_ctx             *ctx;
	uint32_t                    refs; /* invariant 3 */
	struct crt_rpc_priv        *rpc;
	const struct crt_proto_rpc *def;
	bool                        at_root;
	struct crt_corpc_in         in; /* pointers: the CORPC's, or own_filter, own_body */
	uint32_t                    tag;
	d_rank_list_t              *own_filter;
	void                       *own_body;
	d_iov_t                     chained; /* here */
	void                       *own_chained;
	crt_bulk_t                  chained_bulk; /* for the children */
	struct crt_rpc_priv        *local;
	d_iov_t                     local_out; /* the handler's encoded output */
	int                         local_rc;
	struct crt_work             work, local_work;
	uint32_t                    waiting_nr;
	void                       *result; /* struct x_out, in rpc's arena */
	int                         rc;
	uint32_t                    reached_nr;
	d_rank_list_t              *failed;
	bool                        published; /* at the root: failed and reached_nr are the user's */
};

/* crt_corpc_node.c */
void corpc_fail(struct crt_corpc *co, d_rank_t rank, int rc);
void corpc_answer_parent(struct crt_corpc *co);
/** The data is here. */
void corpc_spread(struct crt_corpc *co);
