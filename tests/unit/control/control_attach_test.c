/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Attach information: what the server says of all providers, and what an agent takes of it for one. */
#include <daos_errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/util.h"
#include "control/agent/agent_attach.h"
#include "control/server/server_attach.h"
#include "control_file.h"

static const char three_providers[] = "name: alpha\n"
				      "provider: ofi+verbs,ofi+tcp,ofi+net\n"
				      "crt_timeout: 30\n"
				      "client_env_vars: [A=1]\n"
				      "engines:\n"
				      "- targets: 1\n"
				      "  fabric_iface: ib0,eth0,lo\n"
				      "  fabric_iface_port: 1000,1100,1200\n"
				      "  storage: [{class: ram, scm_mount: /e0}]\n";

/** Rank 0 has all three, 1 the primary alone (an older server), 2 not the second. */
static const char members[] =
    "[{\"rank\": 0, \"uri\": \"v0\", \"nctxs\": 3, \"secondary_uris\": [\"t0\", \"n0\"]},"
    " {\"rank\": 1, \"uri\": \"v1\", \"nctxs\": 3},"
    " {\"rank\": 2, \"uri\": \"v2\", \"nctxs\": 4, \"secondary_uris\": [\"\", \"n2\"]}]";

struct world {
	struct server_config *cfg;
	json_t		     *doc; /**< the server's answer */
	char		      errors[1024];
};

static int
setup(void **state)
{
	struct world   *w = calloc(1, sizeof(*w));
	struct test_dir dir;
	char		path[128];
	json_t	       *list = json_loads(members, 0, NULL);

	assert_non_null(w);
	test_dir_make(&dir);
	test_dir_file(&dir, "daos_server.yml", path, sizeof(path));
	test_file_write(path, three_providers, strlen(three_providers));
	assert_int_equal(server_config_load(path, &w->cfg, w->errors, sizeof(w->errors)), 0);
	test_dir_remove(&dir);
	w->doc = server_attach_info(w->cfg, list, 9);
	assert_non_null(w->doc);
	json_decref(list);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	server_config_free(w->cfg);
	json_decref(w->doc);
	free(w);
	return 0;
}

/** What @key of @doc is, without white space and sorted, must be @wanted. */
static void
expect(const json_t *doc, const char *key, const char *wanted)
{
	char *text = json_dumps(json_object_get(doc, key), JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	if (text == NULL || strcmp(text, wanted) != 0)
		fail_msg("%s is %s, wanted %s", key, text ? text : "absent", wanted);
	free(text);
}

#define HINT(idx, iface, provider)                                                                 \
	"{\"crt_timeout\":30,\"domain\":\"\",\"env_vars\":[\"A=1\"],\"interface\":\"" iface        \
	"\",\"provider\":\"" provider "\",\"provider_idx\":" #idx "}"
#define URI(ctx, idx, rank, uri)                                                                   \
	"{\"num_ctxs\":" #ctx ",\"provider_idx\":" #idx ",\"rank\":" #rank ",\"uri\":\"" uri "\"}"

static void
the_servers_answer(void **state)
{
	struct world *w = *state;
	json_t	     *names = server_attach_providers(w->cfg);

	expect(w->doc, "sys", "\"alpha\"");
	expect(w->doc, "map_version", "9");
	expect(w->doc, "ms_ranks", "[0,1,2]");
	expect(w->doc, "rank_uris", "[" URI(3, 0, 0, "v0") "," URI(3, 0, 1, "v1") "," URI(4, 0, 2, "v2") "]");
	expect(w->doc, "secondary_rank_uris", "[" URI(3, 1, 0, "t0") "," URI(3, 2, 0, "n0") "," URI(4, 2, 2, "n2") "]");
	expect(w->doc, "client_net_hint", HINT(0, "ib0", "ofi+verbs"));
	expect(w->doc, "secondary_client_net_hints", "[" HINT(1, "eth0", "ofi+tcp") "," HINT(2, "lo", "ofi+net") "]");
	assert_int_equal(json_array_size(names), 3);
	assert_string_equal(json_string_value(json_array_get(names, 2)), "ofi+net");
	json_decref(names);
}

static void
clients_are_told_of_one_provider(void **state)
{
	const struct {
		uint32_t    idx;
		const char *uris, *ms, *hint;
	} cases[] = {
	    {0, "[" URI(3, 0, 0, "v0") "," URI(3, 0, 1, "v1") "," URI(4, 0, 2, "v2") "]", "[0,1,2]", HINT(0, "ib0", "ofi+verbs")},
	    {1, "[" URI(3, 1, 0, "t0") "]", "[0]", HINT(1, "eth0", "ofi+tcp")},
	    {2, "[" URI(3, 2, 0, "n0") "," URI(4, 2, 2, "n2") "]", "[0,2]", HINT(2, "lo", "ofi+net")},
	};
	struct world *w = *state;
	json_t	     *before = json_deep_copy(w->doc), *one;
	size_t	      i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		assert_int_equal(agent_attach_select(w->doc, cases[i].idx, &one, w->errors, sizeof(w->errors)), 0);
		expect(one, "rank_uris", cases[i].uris);
		expect(one, "ms_ranks", cases[i].ms);
		expect(one, "client_net_hint", cases[i].hint);
		expect(one, "sys", "\"alpha\"");
		expect(one, "map_version", "9");
		assert_null(json_object_get(one, "secondary_rank_uris"));
		assert_null(json_object_get(one, "secondary_client_net_hints"));
		json_decref(one);
	}
	assert_true(json_equal(before, w->doc));
	json_decref(before);
}

static void
a_provider_that_is_not_there(void **state)
{
	struct world *w = *state;
	json_t	     *one = NULL;

	assert_int_equal(agent_attach_select(w->doc, 3, &one, w->errors, sizeof(w->errors)), -DER_NOTSUPPORTED);
	assert_null(one);
	assert_string_equal(w->errors, "the system has no provider 3; it has 0 (ofi+verbs), 1 (ofi+tcp), 2 (ofi+net): "
				       "set provider_idx to one of these");
	assert_int_equal(agent_attach_select(w->doc, 3, &one, w->errors, 20), -DER_NOTSUPPORTED);
	assert_int_equal(strlen(w->errors), 19);
}

/** Its answer has the primary only, and says nothing of others. */
static void
an_older_server(void **state)
{
	struct world *w = *state;
	json_t	     *one = NULL;

	json_object_del(w->doc, "secondary_rank_uris");
	json_object_del(w->doc, "secondary_client_net_hints");
	assert_int_equal(agent_attach_select(w->doc, 0, &one, w->errors, sizeof(w->errors)), 0);
	assert_true(json_equal(one, w->doc));
	json_decref(one);
	assert_int_equal(agent_attach_select(w->doc, 1, &one, w->errors, sizeof(w->errors)), -DER_NOTSUPPORTED);
}

/** Nothing it says is relied upon. */
static void
a_strange_server(void **state)
{
	const char *const texts[] = {
	    "{\"client_net_hint\": 1, \"rank_uris\": 2, \"ms_ranks\": {}}",
	    "{\"client_net_hint\": null, \"rank_uris\": [1, null, {}], \"ms_ranks\": [[], \"a\"]}",
	    "{\"client_net_hint\": {}, \"secondary_client_net_hints\": [4, {}, {\"provider_idx\": \"1\"}]}",
	    "{\"secondary_client_net_hints\": {}, \"secondary_rank_uris\": 1}",
	};
	struct world *w = *state;
	size_t	      i;
	uint32_t      idx;

	for (i = 0; i < ARRAY_NR(texts); i++) {
		for (idx = 0; idx < 2; idx++) {
			json_t *doc = json_loads(texts[i], 0, NULL), *one = NULL;

			assert_non_null(doc);
			if (agent_attach_select(doc, idx, &one, w->errors, sizeof(w->errors)) != 0)
				assert_null(one);
			json_decref(one);
			json_decref(doc);
		}
	}
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_servers_answer),	  CASE(clients_are_told_of_one_provider), CASE(a_provider_that_is_not_there),
	    CASE(an_older_server), CASE(a_strange_server),
	};

	return cmocka_run_group_tests_name("control/attach", tests, NULL, NULL);
}
