/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Group membership, protocol registration, instances and contexts. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/hlc.h"
#include "base/log.h"
#include "crt_test_util.h"

static void
set_and_versions(void **state)
{
	struct t_world    w;
	struct crt       *crt;
	struct crt_member m[] = {{7, "self://70"}, {2, "self://20"}, {5, "self://50"}};
	d_rank_list_t    *ranks;
	char              uri[64];

	t_world_start(&w, 0, 0, 0);
	crt = w.cli.crt;
	assert_int_equal(crt_group_set(crt, 10, 3, m), 0);
	assert_int_equal(crt_group_version(crt), 10);
	assert_int_equal(crt_group_size(crt), 3);
	assert_int_equal(crt_group_ranks(crt, &ranks), 0);
	assert_int_equal(ranks->rl_nr, 3);
	assert_int_equal(ranks->rl_ranks[0], 2);
	assert_int_equal(ranks->rl_ranks[1], 5);
	assert_int_equal(ranks->rl_ranks[2], 7);
	free(ranks->rl_ranks);
	free(ranks);
	assert_int_equal(crt_group_uri(crt, 5, uri, sizeof(uri)), 0);
	assert_string_equal(uri, "self://50");
	assert_int_equal(crt_group_uri(crt, 5, uri, 4), -DER_TRUNC);
	assert_int_equal(crt_group_uri(crt, 6, uri, sizeof(uri)), -DER_NONEXIST);

	assert_int_equal(crt_group_set(crt, 9, 3, m), -DER_GRPVER);
	assert_int_equal(crt_group_set(crt, 10, 1, m), 0); /* the same version: nothing changes */
	assert_int_equal(crt_group_size(crt), 3);
	m[1].rank = 7;
	assert_int_equal(crt_group_set(crt, 11, 3, m), -DER_INVAL); /* twice the same rank */
	m[1] = (struct crt_member){2, NULL};
	assert_int_equal(crt_group_set(crt, 11, 3, m), -DER_INVAL);
	assert_int_equal(crt_group_size(crt), 3);
	assert_int_equal(crt_group_set(crt, 11, 0, NULL), 0);
	assert_int_equal(crt_group_size(crt), 0);
	assert_int_equal(crt_group_uri(crt, 5, uri, sizeof(uri)), -DER_NONEXIST);
	t_world_stop(&w);
}

static int
ask(struct t_world *w, d_rank_t rank)
{
	struct t_call c;

	t_call_init(&c, w->cli.ctx[0], rank, 1, T_OPC(T_ADDR));
	t_call_send(&c);
	t_pump_until(w, &c.done);
	t_call_end(&c);
	return c.rc;
}

/** Those who leave end their requests; those who move are found at their new place. */
static void
leave_and_move(void **state)
{
	struct t_world w;
	struct t_call  c[2];

	t_world_start(&w, 3, 2, 0);
	for (int i = 0; i < 2; i++) {
		t_call_init(&c[i], w.cli.ctx[0], 1 + i, 0, T_OPC(T_HANG));
		t_call_send(&c[i]);
		assert_int_equal(ask(&w, 1 + i), 0);
	}
	t_node_kill(&w.srv[1]);
	t_group_set(&w);
	t_pump_until(&w, &c[0].done);
	assert_int_equal(c[0].rc, -DER_OOG);
	assert_int_equal(c[1].done, 0);
	assert_int_equal(ask(&w, 1), -DER_OOG);
	t_node_kill(&w.srv[2]);
	t_node_start(&w, &w.srv[1], true, 1, 2, 0, 0);
	t_node_start(&w, &w.srv[2], true, 2, 2, 0, 0);
	t_group_set(&w);
	t_pump_until(&w, &c[1].done);
	assert_int_equal(c[1].rc, -DER_UNREACH); /* another URI: not the process that had it */
	assert_int_equal(ask(&w, 1), 0);
	assert_int_equal(ask(&w, 2), 0);
	for (int i = 0; i < 2; i++)
		t_call_end(&c[i]);
	t_world_stop(&w);
}

static void
bad_attributes(void **state)
{
	struct na_self_world *world;
	struct crt_attr       a = {.provider = "self"};
	struct crt           *crt;

	assert_int_equal(crt_init(&a, &crt), -DER_INVAL); /* no world */
	a.provider = NULL;
	assert_int_equal(crt_init(&a, &crt), -DER_INVAL);
	a.provider = "carrier-pigeon";
	assert_int_equal(crt_init(&a, &crt), -DER_INVAL);
	a.provider  = "ofi+tcp";
	a.interface = "no-such-if0";
	assert_int_equal(crt_init(&a, &crt), -DER_NONEXIST);
	a.provider  = "ofi+no-such-provider";
	a.interface = NULL;
	assert_int_equal(crt_init(&a, &crt), -DER_NONEXIST);
	assert_int_equal(na_self_world_create(&world), 0);
	a = (struct crt_attr){.provider = "self", .world = world};
	assert_int_equal(crt_init(&a, &crt), 0);
	crt_fini(crt);
	crt_fini(NULL);
	na_self_world_destroy(world);
	na_self_world_destroy(NULL);
}

static void
bad_protocols(void **state)
{
	static const struct crt_proto_rpc no_format[] = {{NULL, NULL, 0}};
	struct crt_proto p = {"p", 100, 1, 1, no_format};
	struct t_world   w;

	t_world_start(&w, 0, 0, 0);
	assert_int_equal(crt_proto_register(w.cli.crt, &p), -DER_INVAL);
	p.rpc_nr = 0;
	p.mod_id = 0;
	assert_int_equal(crt_proto_register(w.cli.crt, &p), -DER_INVAL);
	p.mod_id = 256;
	assert_int_equal(crt_proto_register(w.cli.crt, &p), -DER_INVAL);
	p.mod_id  = 100;
	p.version = 256;
	assert_int_equal(crt_proto_register(w.cli.crt, &p), -DER_INVAL);
	t_world_stop(&w);
}

static void
context_limit_and_reuse(void **state)
{
	struct na_self_world *world;
	struct crt_attr       a = {.provider = "self", .ctx_nr_max = 2, .port = 40};
	crt_context_t         c[3];
	struct crt           *crt;
	char                  uri[64];

	assert_int_equal(na_self_world_create(&world), 0);
	a.world = world;
	assert_int_equal(crt_init(&a, &crt), 0);
	assert_int_equal(crt_context_create(crt, &c[0]), 0);
	assert_int_equal(crt_context_create(crt, &c[1]), 0);
	assert_int_equal(crt_context_create(crt, &c[2]), -DER_OVERFLOW);
	assert_int_equal(crt_context_uri(c[1], uri, sizeof(uri)), 0);
	assert_string_equal(uri, "self://41");
	assert_int_equal(crt_context_uri(c[1], uri, 4), -DER_TRUNC);
	assert_int_equal(crt_context_idx(c[1]), 1);
	crt_context_destroy(c[0]);
	assert_int_equal(crt_context_create(crt, &c[2]), 0);
	assert_int_equal(crt_context_idx(c[2]), 0);
	crt_context_destroy(c[1]);
	crt_context_destroy(c[2]);
	crt_context_destroy(NULL);
	crt_fini(crt);
	na_self_world_destroy(world);
}

/** A server's clock is past the client's when its request arrives, and the other way round. */
static void
clocks_move_on(void **state)
{
	struct t_world w;
	uint64_t       before;

	t_world_start(&w, 1, 2, 0);
	before = hlc_get(crt_hlc(w.cli.crt));
	assert_int_equal(ask(&w, 0), 0);
	assert_true(hlc_get(crt_hlc(w.srv[0].crt)) > before);
	before = hlc_get(crt_hlc(w.srv[0].crt));
	assert_int_equal(ask(&w, 0), 0);
	assert_true(hlc_get(crt_hlc(w.cli.crt)) > before);
	t_world_stop(&w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_and_versions),
		cmocka_unit_test(leave_and_move),
		cmocka_unit_test(bad_attributes),
		cmocka_unit_test(bad_protocols),
		cmocka_unit_test(context_limit_and_reuse),
		cmocka_unit_test(clocks_move_on),
	};
	int rc;

	if (d_log_init() != 0 || d_log_setmasks("CRIT") != 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	d_log_fini();
	return rc;
}
