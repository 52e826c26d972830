/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Members as engines are told of them, with their addresses by secondary providers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/server/server_group.h"

static json_t *
parse(const char *text)
{
	json_t *doc = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(doc);
	return doc;
}

/** As the engine reads it: packed and unpacked. */
static Mgmt__GroupUpdateReq *
received(const struct server_group *group)
{
	size_t		      bytes = mgmt__group_update_req__get_packed_size(&group->req);
	uint8_t		     *packed = malloc(bytes + 1);
	Mgmt__GroupUpdateReq *req;

	assert_non_null(packed);
	mgmt__group_update_req__pack(&group->req, packed);
	req = mgmt__group_update_req__unpack(NULL, bytes, packed);
	free(packed);
	assert_non_null(req);
	return req;
}

static void
members_and_their_addresses(void **state)
{
	json_t *members = parse("[{\"rank\": 3, \"uri\": \"ofi+tcp://a:1\", \"secondary_uris\": [\"ofi+net://a:2\", \"ofi+net://b:3\"]},"
				" {\"rank\": 4, \"uri\": \"ofi+tcp://c:1\"}," /* as older servers say it */
				" {\"rank\": 5, \"uri\": \"ofi+tcp://d:1\", \"secondary_uris\": [\"\", \"ofi+net://d:3\"]}]");
	Mgmt__GroupUpdateReq *req;
	struct server_group   group;

	assert_int_equal(server_group_init(&group, members, 17), 0);
	req = received(&group);
	assert_int_equal(req->map_version, 17);
	assert_false(req->distribute);
	assert_int_equal(req->n_members, 3);
	assert_int_equal(req->members[0]->rank, 3);
	assert_string_equal(req->members[0]->uri, "ofi+tcp://a:1");
	assert_int_equal(req->members[0]->n_secondary_uris, 2);
	assert_string_equal(req->members[0]->secondary_uris[0], "ofi+net://a:2");
	assert_string_equal(req->members[0]->secondary_uris[1], "ofi+net://b:3");
	assert_int_equal(req->members[1]->n_secondary_uris, 0);
	assert_int_equal(req->members[2]->rank, 5);
	assert_string_equal(req->members[2]->secondary_uris[0], "");
	assert_string_equal(req->members[2]->secondary_uris[1], "ofi+net://d:3");
	mgmt__group_update_req__free_unpacked(req, NULL);
	server_group_release(&group);
	json_decref(members);
}

static void
no_members(void **state)
{
	struct server_group group;

	assert_int_equal(server_group_init(&group, NULL, 1), 0);
	assert_int_equal(group.req.n_members, 0);
	server_group_release(&group);
}

static void
lists_of_another_host_are_checked(void **state)
{
	const char *const good[] = {"[]", "[\"a\"]", "[\"a\", \"b\", \"\"]"};
	const char *const bad[] = {"{}", "\"a\"", "null", "[1]", "[\"a\", null]", "[\"a\", \"b\", \"c\", \"d\"]"};
	json_t		 *doc;
	size_t		  i;

	assert_true(server_secondary_uris_ok(NULL));
	for (i = 0; i < ARRAY_NR(good); i++) {
		doc = parse(good[i]);
		assert_true(server_secondary_uris_ok(doc));
		json_decref(doc);
	}
	for (i = 0; i < ARRAY_NR(bad); i++) {
		doc = parse(bad[i]);
		if (server_secondary_uris_ok(doc))
			fail_msg("%s is accepted", bad[i]);
		json_decref(doc);
	}
}

static void
those_of_a_member(void **state)
{
	json_t *old = parse("{\"rank\": 1}"), *m = parse("{\"secondary_uris\": [\"a\"]}");
	json_t *none = server_secondary_uris(old), *one = server_secondary_uris(m);

	assert_true(json_is_array(none));
	assert_int_equal(json_array_size(none), 0);
	assert_string_equal(json_string_value(json_array_get(one, 0)), "a");
	json_decref(none);
	json_decref(one);
	json_decref(old);
	json_decref(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_and_their_addresses),
	    cmocka_unit_test(no_members),
	    cmocka_unit_test(lists_of_another_host_are_checked),
	    cmocka_unit_test(those_of_a_member),
	};

	return cmocka_run_group_tests_name("control/server_group", tests, NULL, NULL);
}
