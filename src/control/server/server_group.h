/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Members as the database and join have them (JSON), and as engines are told (GroupUpdate). */
#pragma once

#include <jansson.h>

#include "base/util.h"
#include "drpc/mgmt.pb-c.h"

struct server_group {
	Mgmt__GroupUpdateReq req;
	Mgmt__GroupMember   *members;
	Mgmt__GroupMember  **member_ptrs;
	char               **uris; /**< the secondary ones, member after member */
};

/** @members [{"rank","uri","secondary_uris"}]: borrowed until the release. Errors: NOMEM; released then, too */
int  server_group_init(struct server_group *group, const json_t *members, uint32_t version) MUST_CHECK;
void server_group_release(struct server_group *group);

/** A list of few strings; or absent (NULL), as from servers that know of no secondary providers. */
bool    server_secondary_uris_ok(const json_t *uris);
/** Those of a member; new, and empty when it has none. */
json_t *server_secondary_uris(const json_t *member);
