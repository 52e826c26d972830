/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The configuration of this host's first engine says which providers the system has: hosts of one system are
 * configured alike. What a rank is reached at by each it said itself when it joined.
 */
#include <daos_version.h>

#include "base/util.h"
#include "control/server/server_attach.h"
#include "control/server/server_db.h"

static json_t *
client_env(const struct server_config *cfg)
{
	json_t  *list = json_array();
	uint32_t i;

	for (i = 0; i < cfg->client_env_vars_count; i++)
		json_array_append_new(list, json_string(cfg->client_env_vars[i]));
	return list;
}

static json_t *
net_hint(const struct server_config *cfg, uint32_t provider_idx)
{
	const struct server_provider *p = &cfg->engines[0].fabric.of[provider_idx];

	return json_pack("{s:s, s:s, s:s, s:i, s:o, s:i}", "provider", p->name, "interface", p->iface, "domain", "", "crt_timeout",
			 (int)cfg->crt_timeout, "env_vars", client_env(cfg), "provider_idx", (int)provider_idx);
}

static json_t *
rank_uri(const json_t *member, const char *uri, uint32_t provider_idx)
{
	return json_pack("{s:O, s:s, s:i, s:I}", "rank", json_object_get(member, "rank"), "uri", uri, "provider_idx", (int)provider_idx,
			 "num_ctxs", (json_int_t)db_int(member, "nctxs"));
}

/** Those that it has: an empty one stands for a provider that did not come up there. */
static void
add_secondary_uris(json_t *out, const json_t *member)
{
	const json_t *uris = json_object_get(member, "secondary_uris");
	size_t        i;

	for (i = 0; i < json_array_size(uris); i++) {
		const char *uri = json_string_value(json_array_get(uris, i));

		if (uri != NULL && uri[0] != '\0')
			json_array_append_new(out, rank_uri(member, uri, (uint32_t)i + 1));
	}
}

static json_t *
secondary_hints(const struct server_config *cfg)
{
	json_t  *list = json_array();
	uint32_t i;

	for (i = 1; i < cfg->engines[0].fabric.nr; i++)
		json_array_append_new(list, net_hint(cfg, i));
	return list;
}

json_t *
server_attach_info(const struct server_config *cfg, const json_t *members, uint32_t map_version)
{
	json_t *uris = json_array(), *secondary = json_array(), *ms = json_array();
	size_t  i;

	for (i = 0; i < json_array_size(members); i++) {
		const json_t *m = json_array_get(members, i);

		json_array_append_new(uris, rank_uri(m, db_str(m, "uri"), 0));
		add_secondary_uris(secondary, m);
		json_array_append(ms, json_object_get(m, "rank"));
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:{s:i, s:i, s:i}}", "sys", cfg->name, "rank_uris", uris,
			 "secondary_rank_uris", secondary, "ms_ranks", ms, "client_net_hint", net_hint(cfg, 0),
			 "secondary_client_net_hints", secondary_hints(cfg), "map_version", (int)map_version, "build_info", "major",
			 DAOS_VERSION_MAJOR, "minor", DAOS_VERSION_MINOR, "patch", DAOS_VERSION_FIX);
}

json_t *
server_attach_providers(const struct server_config *cfg)
{
	json_t  *list = json_array();
	uint32_t i;

	for (i = 0; i < cfg->engines[0].fabric.nr; i++)
		json_array_append_new(list, json_string(cfg->engines[0].fabric.of[i].name));
	return list;
}
