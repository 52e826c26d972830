/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Measuring the network between two endpoints: built into every instance of CART, so that any two of
 * them can be tested (program self_test). Data travels inline (large bodies then by RMA, as always)
 * or by bulk transfers that the server makes: it gets what is sent and puts what is replied.
 */
#pragma once

#include "cart/crt.h"

#define CRT_ST_BYTES_MAX    (256u << 20) /**< of one session's buffers */
#define CRT_ST_INFLIGHT_MAX 1024
#define CRT_ST_REP_NR_MAX   10000000

struct crt_st_size {
	uint32_t bytes;
	bool     bulk;
};
struct crt_st_params {
	const crt_endpoint_t *eps; /**< [ep_nr]; in turn, or as `randomize` says */
	uint32_t              ep_nr;
	struct crt_st_size    send, reply;
	uint32_t              rep_nr;   /**< requests in all */
	uint32_t              inflight; /**< at a time */
	uint32_t              align;    /**< offset of buffers into a page, bytes below 4096 */
	bool                  randomize;
};
struct crt_st_result {
	uint64_t  duration_ns;
	uint32_t  rep_nr;
	uint32_t  fail_nr;
	int32_t   first_error;
	uint64_t *latency_ns; /**< [rep_nr], 0: failed */
	uint32_t *ep_idx;     /**< [rep_nr] */
};
/** Runs once, in crt_progress(); @result is borrowed. @rc: the test could not begin. */
typedef void (*crt_st_cb_t)(void *arg, int rc, const struct crt_st_result *result);
/** By the thread that progresses @ctx. Errors: INVAL | NOMEM */
int crt_st_run(crt_context_t ctx, const struct crt_st_params *params, crt_st_cb_t cb, void *arg) MUST_CHECK;
/** Have endpoint @master run the test, and wait for its end by asking. As above; RTT of asking is not measured. */
int crt_st_run_at(crt_context_t ctx, const crt_endpoint_t *master, const struct crt_st_params *params,
		  crt_st_cb_t cb, void *arg) MUST_CHECK;
