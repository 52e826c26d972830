/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * SWIM over CART: the members of the primary group watch each other through one context, by one-way
 * requests that wait for nothing. A group of one has no timer.
 */
#pragma once

#include "cart/crt.h"
#include "cart/swim/swim.h"

/** Milliseconds in SWIM_PROTOCOL_PERIOD_LEN, SWIM_SUSPECT_TIMEOUT and SWIM_PING_TIMEOUT; else defaults. */
void crt_swim_config_env(struct swim_config *ret_config);

/** @rank, perhaps this one, is now taken for that. Runs in crt_progress() of the context. */
typedef void (*crt_swim_cb_t)(struct crt *crt, d_rank_t rank, enum swim_status status, uint64_t incarnation, void *arg);
/**
 * Watch the group from @ctx, which has the same tag on all ranks. Requests to ranks that are found
 * dead end with -DER_UNREACH in all contexts; @cb is told afterwards. By the thread that progresses
 * @ctx, or before it does.
 * Errors: ALREADY | NOMEM
 */
int  crt_swim_enable(crt_context_t ctx, const struct swim_config *config, crt_swim_cb_t cb, void *arg) MUST_CHECK;
/** Harmless when it is not enabled there. By the same thread; before the context ends. */
void crt_swim_disable(crt_context_t ctx);
/** Of a member of the group; SWIM_ALIVE when nothing is known. In the thread that progresses the context. */
enum swim_status crt_swim_status(struct crt *crt, d_rank_t rank);
