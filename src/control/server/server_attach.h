/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What agents are told: where the ranks are, by which provider, and how clients use that (docs/management-api.md). */
#pragma once

#include <jansson.h>

#include "control/server/server_config.h"

/** @members records of the database, of those that can be reached; borrowed. The answer is new. */
json_t *server_attach_info(const struct server_config *cfg, const json_t *members, uint32_t map_version);
/** Names of the system's providers, the primary first; new. */
json_t *server_attach_providers(const struct server_config *cfg);
