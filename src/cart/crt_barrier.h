/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Barriers among the ranks of the primary group: nobody goes on before all have come. Each rank calls
 * once for each barrier; the n-th call of one meets the n-th calls of the others, counted by context
 * from the last change of the group on.
 */
#pragma once

#include "cart/crt.h"

/**
 * @rc 0: all have come. Otherwise some may have gone on, and some not: -DER_TIMEDOUT, -DER_GRPVER the
 * group changed or others see another one, -DER_UNREACH a rank on the way up died.
 */
typedef void (*crt_barrier_cb_t)(void *arg, int rc);
/** By the thread that progresses @ctx; all ranks use contexts of the same tag. Errors: OOG not in the group | NOMEM */
int crt_barrier(crt_context_t ctx, uint64_t timeout_ns, crt_barrier_cb_t cb, void *arg) MUST_CHECK;
