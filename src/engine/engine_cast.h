/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The request by which one engine has another ask a part of many ranks: engine_cast.c. */
#pragma once

#include "cart/crt.h"

/** What became of one rank: the error of transport, or the packed output of the request. */
struct dss_outcome {
	int32_t rc;
	d_iov_t output;
};
/** In the order of the ranks that were asked. */
struct dss_outcomes {
	uint32_t            nr;
	struct dss_outcome *v;
};
CRT_FIELD_TYPE(dss_outcomes, struct dss_outcomes)

/** Ask @ranks, in the order given; @input: the packed input of @opc; @timeout_ns: what the relay has. Engines only. */
#define DSS_CAST_IN(F)  F(uint32_t, opc) F(uint32_t, tag) F(uint64_t, timeout_ns) F(ranks, ranks) F(iov, input)
#define DSS_CAST_OUT(F) F(int32_t, rc) F(dss_outcomes, outcomes)
CRT_RPC_DECLARE(dss_cast, DSS_CAST_IN, DSS_CAST_OUT)
#define DSS_CAST_OPC CRT_OPC(CRT_MOD_DSS, 1, 0)

extern const struct crt_proto engine_cast_proto;
