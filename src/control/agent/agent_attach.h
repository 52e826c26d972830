/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Attach information of one provider, out of a server's answer about all of them (docs/management-api.md). */
#pragma once

#include <jansson.h>

#include "base/util.h"

/**
 * What clients are told who use provider @provider_idx: ranks without an address there are left out.
 * @param doc      the server's answer; borrowed
 * @param ret_doc  new: `rank_uris`, `ms_ranks` and `client_net_hint` are the provider's, nothing of others is in it
 * @param errors   on failure: which providers there are, and what to change
 * Errors: NOTSUPPORTED the system has no such provider | NOMEM
 */
int agent_attach_select(const json_t *doc, uint32_t provider_idx, json_t **ret_doc, char *errors, size_t errors_bytes) MUST_CHECK;
