/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <daos_errno.h>
#include <stdio.h>
#include <string.h>

#include "control/agent/agent_attach.h"

static uint32_t
idx_of(const json_t *obj)
{
	return (uint32_t)json_integer_value(json_object_get(obj, "provider_idx"));
}

static const char *
provider_of(const json_t *hint)
{
	const char *name = json_string_value(json_object_get(hint, "provider"));

	return name != NULL ? name : "?";
}

/** Borrowed; NULL: there is none. The first has always been without a number. */
static json_t *
hint_find(const json_t *doc, uint32_t provider_idx)
{
	const json_t *hints = json_object_get(doc, "secondary_client_net_hints");
	size_t        i;

	if (provider_idx == 0)
		return json_object_get(doc, "client_net_hint");
	for (i = 0; i < json_array_size(hints); i++)
		if (idx_of(json_array_get(hints, i)) == provider_idx)
			return json_array_get(hints, i);
	return NULL;
}

static int
no_provider(const json_t *doc, uint32_t provider_idx, char *errors, size_t bytes)
{
	const json_t *hints = json_object_get(doc, "secondary_client_net_hints"), *hint;
	size_t        len, i;

	snprintf(errors, bytes, "the system has no provider %u; it has 0 (%s)", provider_idx,
		 provider_of(json_object_get(doc, "client_net_hint")));
	json_array_foreach(hints, i, hint) {
		len = strlen(errors);
		snprintf(errors + len, bytes - len, ", %u (%s)", idx_of(hint), provider_of(hint));
	}
	len = strlen(errors);
	snprintf(errors + len, bytes - len, ": set provider_idx to one of these");
	return -DER_NOTSUPPORTED;
}

static json_t *
rank_uris_of(const json_t *doc, uint32_t provider_idx)
{
	const json_t *uris = json_object_get(doc, provider_idx == 0 ? "rank_uris" : "secondary_rank_uris");
	json_t       *out = json_array(), *one;
	size_t        i;

	json_array_foreach(uris, i, one)
		if (idx_of(one) == provider_idx)
			json_array_append(out, one);
	return out;
}

static bool
has_rank(const json_t *uris, const json_t *rank)
{
	const json_t *one;
	size_t        i;

	json_array_foreach(uris, i, one)
		if (json_equal(json_object_get(one, "rank"), rank))
			return true;
	return false;
}

/** The ranks to ask for pools, of those that can be reached. */
static json_t *
ms_ranks_of(const json_t *doc, const json_t *uris)
{
	json_t *out = json_array(), *rank;
	size_t  i;

	json_array_foreach(json_object_get(doc, "ms_ranks"), i, rank)
		if (has_rank(uris, rank))
			json_array_append(out, rank);
	return out;
}

int
agent_attach_select(const json_t *doc, uint32_t provider_idx, json_t **ret_doc, char *errors, size_t errors_bytes)
{
	json_t *hint = hint_find(doc, provider_idx), *out, *uris;

	if (hint == NULL)
		return no_provider(doc, provider_idx, errors, errors_bytes);
	out = json_copy((json_t *)doc);
	uris = rank_uris_of(doc, provider_idx);
	if (out == NULL || uris == NULL) {
		json_decref(out);
		json_decref(uris);
		snprintf(errors, errors_bytes, "no memory");
		return -DER_NOMEM;
	}
	json_object_set(out, "client_net_hint", hint);
	json_object_set_new(out, "ms_ranks", ms_ranks_of(doc, uris));
	json_object_set_new(out, "rank_uris", uris);
	json_object_del(out, "secondary_rank_uris");
	json_object_del(out, "secondary_client_net_hints");
	*ret_doc = out;
	return 0;
}
