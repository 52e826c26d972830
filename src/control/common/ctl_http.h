/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Calls of the management API (docs/management-api.md) from dmg, agents and servers. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "control/common/ctl_config.h"

struct ctl_http;

/** Prepares for calls; checks that certificates and key can be read and that the key is not open to others. @errors says what is wrong. */
int  ctl_http_open(const struct ctl_transport *transport, uint32_t timeout_s, struct ctl_http **ret_http, char *errors,
		   size_t errors_bytes) __attribute__((warn_unused_result));
void ctl_http_close(struct ctl_http *http);

/**
 * POST @request (borrowed; NULL: {}) to https://host[:port]/v1/<method>.
 * @param ret_response  the "response" member, taken by the caller, json_decref(); untouched on failure
 * @param errors        "host: what failed, and what to do"
 * Errors: UNREACH nobody answers | TIMEDOUT | BAD_CERT | NO_CERT | NO_PERM (403) | PROTO answer is no JSON | or the "status" of the answer.
 */
int  ctl_http_call(struct ctl_http *http, const char *host, uint32_t port_default, const char *method, const json_t *request,
		   json_t **ret_response, char *errors, size_t errors_bytes) __attribute__((warn_unused_result));

/** The same of the management service: tries @hosts in turn, and the replicas an answer points at. */
int  ctl_ms_call(struct ctl_http *http, const char *const *hosts, uint32_t host_nr, uint32_t port_default, const char *method,
		 const json_t *request, json_t **ret_response, char *errors, size_t errors_bytes)
	__attribute__((warn_unused_result));
