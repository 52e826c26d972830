/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/server/server_db.h"
#include "control/server/server_fabric.h"
#include "control/server/server_group.h"

bool
server_secondary_uris_ok(const json_t *uris)
{
	size_t i;

	if (uris == NULL)
		return true;
	if (!json_is_array(uris) || json_array_size(uris) > SERVER_SECONDARIES_MAX)
		return false;
	for (i = 0; i < json_array_size(uris); i++)
		if (!json_is_string(json_array_get(uris, i)))
			return false;
	return true;
}

json_t *
server_secondary_uris(const json_t *member)
{
	json_t *uris = json_object_get(member, "secondary_uris");

	return uris != NULL ? json_copy(uris) : json_array();
}

static const json_t *
uris_of(const json_t *members, size_t i)
{
	return json_object_get(json_array_get(members, i), "secondary_uris");
}

static size_t
uri_count(const json_t *members)
{
	size_t i, nr = 0;

	for (i = 0; i < json_array_size(members); i++)
		nr += json_array_size(uris_of(members, i));
	return nr;
}

/** @ret_uris has room for its secondary URIs. */
static void
member_fill(Mgmt__GroupMember *to, const json_t *member, char **ret_uris)
{
	const json_t *uris = json_object_get(member, "secondary_uris");
	size_t        i;

	mgmt__group_member__init(to);
	to->rank = (uint32_t)db_int(member, "rank");
	to->uri = (char *)db_str(member, "uri");
	to->n_secondary_uris = json_array_size(uris);
	to->secondary_uris = ret_uris;
	for (i = 0; i < to->n_secondary_uris; i++) {
		const char *uri = json_string_value(json_array_get(uris, i));

		ret_uris[i] = (char *)(uri != NULL ? uri : "");
	}
}

int
server_group_init(struct server_group *group, const json_t *members, uint32_t version)
{
	size_t nr = json_array_size(members), uri_nr = 0, i;

	memset(group, 0, sizeof(*group));
	group->members = calloc(nr + 1, sizeof(*group->members));
	group->member_ptrs = calloc(nr + 1, sizeof(*group->member_ptrs));
	group->uris = calloc(uri_count(members) + 1, sizeof(*group->uris));
	if (group->members == NULL || group->member_ptrs == NULL || group->uris == NULL) {
		server_group_release(group);
		return -DER_NOMEM;
	}
	for (i = 0; i < nr; i++) {
		member_fill(&group->members[i], json_array_get(members, i), group->uris + uri_nr);
		uri_nr += group->members[i].n_secondary_uris;
		group->member_ptrs[i] = &group->members[i];
	}
	mgmt__group_update_req__init(&group->req);
	group->req.map_version = version;
	group->req.n_members = nr;
	group->req.members = group->member_ptrs;
	return 0;
}

void
server_group_release(struct server_group *group)
{
	free(group->members);
	free(group->member_ptrs);
	free(group->uris);
	memset(group, 0, sizeof(*group));
}
