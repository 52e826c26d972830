/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Changes of the group, sparse views, secondary groups, ends of endpoints. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "crt_test_util.h"

static void
ranks_are(struct crt *crt, const char *text)
{
	d_rank_list_t *ranks;
	char           buf[128];

	assert_int_equal(crt_group_ranks(crt, &ranks), 0);
	d_rank_list_format(ranks, buf, sizeof(buf));
	assert_string_equal(buf, text);
	d_rank_list_free(ranks);
}

static void
modify(void **state)
{
	struct t_world    w;
	struct crt       *crt;
	struct crt_member m[] = {{1, "self://1"}, {3, "self://3"}, {5, "self://5"}};
	struct crt_member a[] = {{4, "self://4"}, {3, "self://33"}, {9, "self://9"}, {0, "self://0"}};
	struct crt_member d[] = {{9, NULL}, {1, NULL}, {77, NULL}};
	char              uri[64];

	t_world_start(&w, 0, 0, 0);
	crt = w.cli.crt;
	assert_int_equal(crt_group_modify(crt, 10, CRT_GROUP_REPLACE, 3, m), 0);
	assert_int_equal(crt_group_modify(crt, 11, CRT_GROUP_ADD, 4, a), 0);
	ranks_are(crt, "0-1,3-5,9");
	assert_int_equal(crt_group_uri(crt, 3, uri, sizeof(uri)), 0);
	assert_string_equal(uri, "self://33");
	assert_int_equal(crt_group_modify(crt, 12, CRT_GROUP_DELETE, 3, d), 0);
	ranks_are(crt, "0,3-5");
	assert_int_equal(crt_group_modify(crt, 12, CRT_GROUP_DELETE, 1, a), 0); /* known already */
	assert_int_equal(crt_group_modify(crt, 11, CRT_GROUP_DELETE, 1, a), -DER_GRPVER);
	d[1].rank = 9;
	assert_int_equal(crt_group_modify(crt, 13, CRT_GROUP_DELETE, 3, d), -DER_INVAL);
	ranks_are(crt, "0,3-5");
	assert_int_equal(crt_group_version(crt), 12);
	t_world_stop(&w);
}

/** Random changes against an array of flags. */
static void
modify_model(void **state)
{
	struct t_world w;
	bool           in[40] = {0};
	unsigned       seed   = 4711;

	t_world_start(&w, 0, 0, 0);
	for (uint32_t v = 10; v < 1000; v++) {
		struct crt_member m[40];
		uint32_t          nr = 0;
		enum crt_group_op op = rand_r(&seed) % 3;
		d_rank_list_t    *ranks;
		uint32_t          at = 0;

		for (d_rank_t r = 0; r < 40; r++)
			if (rand_r(&seed) % 4 == 0)
				m[nr++] = (struct crt_member){.rank = r, .uri = "self://1"};
		for (d_rank_t r = 0; r < 40 && op == CRT_GROUP_REPLACE; r++)
			in[r] = false;
		for (uint32_t i = 0; i < nr; i++)
			in[m[i].rank] = op != CRT_GROUP_DELETE;
		assert_int_equal(crt_group_modify(w.cli.crt, v, op, nr, m), 0);
		assert_int_equal(crt_group_ranks(w.cli.crt, &ranks), 0);
		for (d_rank_t r = 0; r < 40; r++)
			if (in[r])
				assert_int_equal(ranks->rl_ranks[at++], r);
		assert_int_equal(ranks->rl_nr, at);
		d_rank_list_free(ranks);
	}
	t_world_stop(&w);
}

static int
ask(struct t_world *w, d_rank_t rank, uint32_t tag)
{
	struct t_call c;
	int           rc;

	t_call_init(&c, w->cli.ctx[0], rank, tag, T_OPC(T_ADDR));
	t_call_send(&c);
	t_pump_until(w, &c.done);
	if (c.rc == 0)
		assert_int_equal(((struct t_hang_out *)c.rpc->cr_output)->x, rank << 8 | tag);
	rc = c.rc;
	t_call_end(&c);
	return rc;
}

static void
count_uri(void *arg, d_rank_t rank, uint32_t tag, const char *uri)
{
	assert_true(uri[0] != '\0');
	++*(int *)arg;
}

/** A client that knows one rank finds the others through it, and forgets what proved wrong. */
static void
sparse_view(void **state)
{
	struct t_world w;
	char           uri[NA_URI_BYTES_MAX];
	int            uri_nr = 0;

	t_world_start(&w, 3, 2, 0);
	assert_int_equal(crt_group_set(w.cli.crt, ++w.version, 0, NULL), 0);
	assert_int_equal(ask(&w, 2, 1), -DER_OOG);
	assert_int_equal(crt_context_uri(w.srv[1].ctx[0], uri, sizeof(uri)), 0);
	assert_int_equal(crt_group_psr_set(w.cli.crt, 1, uri), 0);
	assert_int_equal(ask(&w, 2, 1), 0);
	assert_int_equal(ask(&w, 0, 0), 0);
	assert_int_equal(ask(&w, 1, 1), 0);
	assert_int_equal(ask(&w, 7, 0), -DER_OOG); /* the psr does not know it either */
	crt_uri_cache_foreach(w.cli.crt, count_uri, &uri_nr);
	assert_int_equal(uri_nr, 5); /* (2,1) (0,0) (1,1), and tag 0 of 2 and 1 to ask them */

	t_node_kill(&w.srv[2]);
	assert_int_equal(ask(&w, 2, 1), -DER_UNREACH);
	t_node_start(&w, &w.srv[2], true, 2, 2, 0, 0);
	t_group_set(&w); /* the client's view is whole now: found without the psr */
	assert_int_equal(ask(&w, 2, 1), 0);
	t_world_stop(&w);
}

static void
secondary(void **state)
{
	struct t_world    w;
	struct crt_group *grp, *other;
	d_rank_t          primary[] = {7, 3, 5}, twice[] = {1, 1}, r;
	d_rank_list_t    *ranks;

	t_world_start(&w, 0, 0, 0);
	assert_null(crt_group_lookup(w.cli.crt, "pool"));
	assert_int_equal(crt_group_secondary_create(w.cli.crt, "pool", 3, primary, &grp), 0);
	assert_int_equal(crt_group_secondary_create(w.cli.crt, "pool", 3, primary, &other), -DER_EXIST);
	assert_int_equal(crt_group_secondary_create(w.cli.crt, "x", 2, twice, &other), -DER_INVAL);
	assert_ptr_equal(crt_group_lookup(w.cli.crt, "pool"), grp);
	assert_int_equal(crt_group_rank_s2p(grp, 0, &r), 0);
	assert_int_equal(r, 7);
	assert_int_equal(crt_group_rank_p2s(grp, 5, &r), 0);
	assert_int_equal(r, 2);
	assert_int_equal(crt_group_rank_s2p(grp, 3, &r), -DER_NONEXIST);
	assert_int_equal(crt_group_secondary_rank_add(grp, 1, 9), -DER_EXIST);
	assert_int_equal(crt_group_secondary_rank_add(grp, 9, 3), -DER_EXIST);
	assert_int_equal(crt_group_secondary_rank_add(grp, 3, 1), 0);
	assert_int_equal(crt_group_secondary_rank_remove(grp, 1), 0);
	assert_int_equal(crt_group_secondary_rank_remove(grp, 1), -DER_NONEXIST);
	assert_int_equal(crt_group_secondary_size(grp), 3);
	assert_int_equal(crt_group_secondary_ranks(grp, &ranks), 0);
	assert_int_equal(ranks->rl_nr, 3);
	assert_int_equal(ranks->rl_ranks[0], 1);
	assert_int_equal(ranks->rl_ranks[2], 7);
	d_rank_list_free(ranks);
	crt_group_secondary_destroy(grp);
	assert_null(crt_group_lookup(w.cli.crt, "pool"));
	/* one that is left ends with its instance */
	assert_int_equal(crt_group_secondary_create(w.cli.crt, "pool", 3, primary, &grp), 0);
	t_world_stop(&w);
}

/** Only what goes to that endpoint ends; it may be used again at once. */
static void
ep_abort(void **state)
{
	struct t_world w;
	struct t_call  c[3];
	crt_endpoint_t ep = {.ep_rank = 0, .ep_tag = 1};

	t_world_start(&w, 2, 2, 1); /* one credit: the second request waits */
	t_call_init(&c[0], w.cli.ctx[0], 0, 1, T_OPC(T_HANG));
	t_call_init(&c[1], w.cli.ctx[0], 0, 1, T_OPC(T_HANG));
	t_call_init(&c[2], w.cli.ctx[0], 0, 0, T_OPC(T_HANG));
	for (int i = 0; i < 3; i++)
		t_call_send(&c[i]);
	while (w.srv[0].srv[1].hung_nr == 0 || w.srv[0].srv[0].hung_nr == 0)
		t_pump(&w);
	crt_ep_abort(w.cli.crt, &ep);
	t_pump_until(&w, &c[0].done);
	t_pump_until(&w, &c[1].done);
	assert_int_equal(c[0].rc, -DER_CANCELED);
	assert_int_equal(c[1].rc, -DER_CANCELED);
	assert_int_equal(c[2].done, 0);
	assert_int_equal(ask(&w, 0, 1), 0);
	crt_rank_abort(w.cli.crt, 0);
	t_pump_until(&w, &c[2].done);
	assert_int_equal(c[2].rc, -DER_UNREACH);
	for (int i = 0; i < 3; i++)
		t_call_end(&c[i]);
	t_world_stop(&w);
}

static int changed_nr;

static void
on_change(struct crt *crt, void *arg)
{
	assert_ptr_equal(arg, &changed_nr);
	changed_nr++;
}

static void
change_callback(void **state)
{
	struct t_world    w;
	struct crt_member m = {1, "self://1"};

	t_world_start(&w, 0, 0, 0);
	crt_group_set_cb(w.cli.crt, on_change, &changed_nr);
	assert_int_equal(crt_group_modify(w.cli.crt, 10, CRT_GROUP_ADD, 1, &m), 0);
	assert_int_equal(crt_group_modify(w.cli.crt, 10, CRT_GROUP_ADD, 1, &m), 0);
	assert_int_equal(crt_group_modify(w.cli.crt, 9, CRT_GROUP_ADD, 1, &m), -DER_GRPVER);
	assert_int_equal(changed_nr, 1);
	t_world_stop(&w);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(modify),      cmocka_unit_test(modify_model),
	    cmocka_unit_test(sparse_view), cmocka_unit_test(secondary),
	    cmocka_unit_test(ep_abort),    cmocka_unit_test(change_callback),
	};

	if (argc > 1)
		t_provider = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
