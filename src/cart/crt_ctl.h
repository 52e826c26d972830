/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Looking into another process's CART, and disturbing it (program cart_ctl). Every instance answers the
 * questions; what changes something is refused with -DER_NO_PERM unless crt_attr.ctl_allowed.
 */
#pragma once

#include "cart/crt.h"
#include "cart/crt_fault.h"

enum crt_ctl_cmd {
	CRT_CTL_URI_CACHE,   /**< text: "rank tag uri" a line */
	CRT_CTL_LIST_CTX,    /**< value: number; text: "index uri" a line */
	CRT_CTL_HOSTNAME,    /**< text */
	CRT_CTL_PID,         /**< value */
	CRT_CTL_COUNTERS,    /**< text: "context name value" a line */
	CRT_CTL_ENABLE_FI,
	CRT_CTL_DISABLE_FI,
	CRT_CTL_SET_FI_ATTR, /**< the rule */
	CRT_CTL_SET_LOG,     /**< text: masks; answer: masks now */
	CRT_CTL_ADD_LOG_MSG, /**< text */
	CRT_CTL_NR
};
struct crt_ctl_req {
	enum crt_ctl_cmd             cmd;
	const char                  *text; /**< NULL: none */
	const struct crt_fault_rule *rule; /**< NULL: none */
};
/** @text: NULL or borrowed. */
typedef void (*crt_ctl_cb_t)(void *arg, int rc, uint64_t value, const char *text);
int crt_ctl(crt_context_t ctx, const crt_endpoint_t *ep, const struct crt_ctl_req *req, uint32_t timeout_s,
	    crt_ctl_cb_t cb, void *arg) MUST_CHECK;
