/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** One request to many ranks, directly and over relays: each rank is told of once, whatever dies or refuses. */
#include "engine_testlib.h"

#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/rank_list.h"
#include "engine/engine_cast.h"

#define ENGINE_NR 7u

#define TEST_ADD_IN(F)  F(uint32_t, number) F(string, text) F(bool, fail)
#define TEST_ADD_OUT(F) F(int32_t, rc) F(uint32_t, rank) F(uint32_t, sum) F(string, text)
CRT_RPC_DECLARE(test_add, TEST_ADD_IN, TEST_ADD_OUT)
CRT_RPC_DEFINE(test_add, TEST_ADD_IN, TEST_ADD_OUT)
#define ADD_OPC CRT_OPC(CRT_MOD_SEC, 1, 0)

static uint32_t ran_nr[ENGINE_NR]; /* by rank; each on its own engine's xstream */

MAY_YIELD static void
add_handler(crt_rpc_t *rpc)
{
	struct test_add_in  *in = rpc->cr_input;
	struct test_add_out *out = rpc->cr_output;

	out->rank = crt_rank_self(dss_crt(dss_engine()));
	__atomic_fetch_add(&ran_nr[out->rank], 1, __ATOMIC_SEQ_CST);
	out->sum = in->number + out->rank;
	out->text = in->text;
	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		out->rc = -DER_NO_PERM;
	else if (in->fail && out->rank == 3)
		out->rc = -DER_NOSPACE;
	crt_reply_send(rpc);
}

static const struct crt_proto_rpc add_rpcs[] = {{.format = &test_add_format, .handler = add_handler}};
static const struct crt_proto add_proto = {
    .name = "add", .mod_id = CRT_MOD_SEC, .version = 1, .rpc_nr = 1, .rpcs = add_rpcs};

MAY_YIELD static int
mod_init(struct engine *eng)
{
	return 0;
}

MAY_YIELD static void
mod_fini(struct engine *eng)
{
}

static const struct dss_module add_module = {
    .sm_name = "add", .sm_mod_id = CRT_MOD_SEC, .sm_init = mod_init, .sm_fini = mod_fini, .sm_proto = &add_proto};
static const struct dss_module *const modules[] = {&add_module, NULL};

/* ---- a call ---- */

struct cast {
	const d_rank_list_t *ranks;
	bool                 once, fail;
	char                 text[300];
	int                  rcs[2 * ENGINE_NR]; /* by rank: what done() was told */
	uint32_t             told[2 * ENGINE_NR];
	int                  rc;
};

static void
add_fill(crt_rpc_t *rpc, void *arg)
{
	struct test_add_in *in = rpc->cr_input;
	struct cast        *cast = arg;

	in->number = 1000;
	in->text = cast->text;
	in->fail = cast->fail;
}

static int
add_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	struct cast         *cast = arg;
	struct test_add_out *out = rpc->cr_output;

	if (rc == 0) {
		assert_int_equal(out->rank, rank);
		assert_int_equal(out->sum, 1000 + rank);
		assert_string_equal(out->text, cast->text);
		rc = out->rc;
	}
	cast->told[rank]++;
	cast->rcs[rank] = rc;
	return rc;
}

MAY_YIELD static int
cast_ult(void *arg)
{
	struct cast *cast = arg;

	if (cast->once)
		cast->rc = dss_rpc_multicast_once(dss_self(), cast->ranks, DSS_TAG_SYS, ADD_OPC, add_fill, add_done, cast);
	else
		cast->rc = dss_rpc_multicast(dss_self(), cast->ranks, DSS_TAG_SYS, ADD_OPC, add_fill, add_done, cast);
	return 0;
}

/** From rank 0 to ranks 0 .. nr-1. */
static void
cast_run(struct et_world *w, uint32_t nr, struct cast *cast)
{
	d_rank_list_t *ranks = d_rank_list_alloc(nr);

	for (uint32_t i = 0; i < nr; i++)
		ranks->rl_ranks[i] = i;
	cast->ranks = ranks;
	memset(cast->text, 'x', sizeof(cast->text) - 1);
	memset(ran_nr, 0, sizeof(ran_nr));
	assert_int_equal(et_run(w->engs[0], DSS_TAG_SYS, cast_ult, cast), 0);
	for (uint32_t i = 0; i < nr; i++)
		assert_int_equal(cast->told[i], 1);
	d_rank_list_free(ranks);
}

static void
start_all(struct et_world *w, uint32_t relay_nr_min)
{
	struct et_opts opts = {.tgt_nr = 1, .modules = modules, .relay_nr_min = relay_nr_min};

	for (uint32_t e = 0; e < ENGINE_NR; e++)
		et_start(w, e, &opts);
	et_group(w);
}

static int
setup(void **state)
{
	struct et_world *w = calloc(1, sizeof(*w));

	et_world_init(w);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	et_world_fini(*state);
	free(*state);
	return 0;
}

/* ---- cases ---- */

static void
all_answer(void **state)
{
	struct et_world *w = *state;

	start_all(w, 1);
	for (uint32_t nr = 1; nr <= ENGINE_NR; nr++) {
		struct cast cast = {.once = nr % 2 == 0};

		cast_run(w, nr, &cast);
		assert_int_equal(cast.rc, 0);
		for (uint32_t i = 0; i < ENGINE_NR; i++)
			assert_int_equal(ran_nr[i], i < nr);
	}
}

static void
directly(void **state)
{
	struct et_world *w = *state;
	struct cast      cast = {.fail = true};

	start_all(w, 0);
	cast_run(w, ENGINE_NR, &cast);
	assert_int_equal(cast.rc, -DER_NOSPACE);
	for (uint32_t i = 0; i < ENGINE_NR; i++)
		assert_int_equal(cast.rcs[i], i == 3 ? -DER_NOSPACE : 0);
}

static void
one_fails(void **state)
{
	struct et_world *w = *state;
	struct cast      cast = {.fail = true};

	start_all(w, 1);
	cast_run(w, ENGINE_NR, &cast);
	assert_int_equal(cast.rc, -DER_NOSPACE);
	for (uint32_t i = 0; i < ENGINE_NR; i++) {
		assert_int_equal(cast.rcs[i], i == 3 ? -DER_NOSPACE : 0);
		assert_int_equal(ran_nr[i], 1);
	}
}

/** Slices of seven are {0,1} {2,3} {4,5,6}. Rank 5 is no relay, 2 is one. */
static void
some_are_dead(void **state)
{
	struct et_world *w = *state;
	struct cast      leaf = {0}, relay = {0}, once = {.once = true};

	start_all(w, 1);
	et_stop(w, 5);
	cast_run(w, ENGINE_NR, &leaf);
	assert_int_not_equal(leaf.rc, 0);
	for (uint32_t i = 0; i < ENGINE_NR; i++) {
		assert_int_equal(leaf.rcs[i] == 0, i != 5);
		assert_int_equal(ran_nr[i], i != 5);
	}
	et_stop(w, 2);
	cast_run(w, ENGINE_NR, &relay);
	for (uint32_t i = 0; i < ENGINE_NR; i++)
		assert_int_equal(relay.rcs[i] == 0, i != 5 && i != 2);
	cast_run(w, ENGINE_NR, &once);
	for (uint32_t i = 0; i < ENGINE_NR; i++) {
		assert_int_equal(once.rcs[i] == 0, i != 5 && i != 2 && i != 3);
		assert_int_equal(ran_nr[i], i != 5 && i != 2 && i != 3);
	}
}

/** A rank nobody knows, and one the relay does not know. */
static void
unknown_ranks(void **state)
{
	struct et_world *w = *state;
	struct cast      cast = {0};

	start_all(w, 1);
	cast_run(w, 2 * ENGINE_NR, &cast);
	assert_int_not_equal(cast.rc, 0);
	for (uint32_t i = 0; i < 2 * ENGINE_NR; i++)
		assert_int_equal(cast.rcs[i] == 0, i < ENGINE_NR);
}

/* ---- a relay does not trust what it is asked ---- */

static int
raw_cast(struct et_client *c, crt_opcode_t opc, uint64_t timeout_ns, d_rank_list_t *ranks, d_iov_t input, uint32_t *ret_nr)
{
	crt_endpoint_t       ep = {.ep_rank = 0, .ep_tag = 0};
	struct dss_cast_out *out;
	crt_rpc_t           *rpc;
	int                  rc;

	assert_int_equal(crt_req_create(c->ctx, &ep, DSS_CAST_OPC, &rpc), 0);
	*(struct dss_cast_in *)rpc->cr_input =
	    (struct dss_cast_in){.opc = opc, .timeout_ns = timeout_ns, .ranks = ranks, .input = input};
	assert_int_equal(et_call(c, rpc), 0);
	out = rpc->cr_output;
	rc = out->rc;
	*ret_nr = out->outcomes.nr;
	crt_req_decref(rpc);
	return rc;
}

static void
clients_may_not(void **state)
{
	struct et_world *w = *state;
	d_rank_t         rank = 1;
	d_rank_list_t    ranks = {.rl_ranks = &rank, .rl_nr = 1};
	struct et_client c;
	uint32_t         nr;
	d_iov_t          none = {0};

	start_all(w, 1);
	memset(ran_nr, 0, sizeof(ran_nr));
	et_client_init(&c, w);
	assert_int_equal(crt_proto_register(c.crt, &engine_cast_proto), 0);
	assert_int_equal(raw_cast(&c, ADD_OPC, 1000000000, &ranks, none, &nr), -DER_NO_PERM);
	assert_int_equal(nr, 0);
	assert_int_equal(ran_nr[1], 0);
	et_client_fini(&c);
}

struct peer_cast {
	crt_opcode_t   opc;
	uint64_t       timeout_ns;
	d_rank_list_t *ranks;
	d_iov_t        input;
	int            rc, leg_rc;
};

MAY_YIELD static int
peer_cast_ult(void *arg)
{
	struct peer_cast    *pc = arg;
	crt_endpoint_t       ep = {.ep_rank = 1, .ep_tag = 0};
	struct dss_cast_out *out;
	crt_rpc_t           *rpc;

	assert_int_equal(crt_req_create(dss_self()->dx_ctx, &ep, DSS_CAST_OPC, &rpc), 0);
	*(struct dss_cast_in *)rpc->cr_input = (struct dss_cast_in){
	    .opc = pc->opc, .timeout_ns = pc->timeout_ns, .ranks = pc->ranks, .input = pc->input};
	assert_int_equal(dss_rpc_send(rpc), 0);
	out = rpc->cr_output;
	pc->rc = out->rc;
	pc->leg_rc = out->outcomes.nr == 1 ? out->outcomes.v[0].rc : 1;
	crt_req_decref(rpc);
	return 0;
}

static void
peer_cast(struct et_world *w, struct peer_cast pc, int rc, int leg_rc)
{
	memset(ran_nr, 0, sizeof(ran_nr));
	assert_int_equal(et_run(w->engs[0], DSS_TAG_SYS, peer_cast_ult, &pc), 0);
	assert_int_equal(pc.rc, rc);
	assert_int_equal(pc.leg_rc, leg_rc);
	for (uint32_t i = 0; i < ENGINE_NR; i++)
		assert_int_equal(ran_nr[i], 0);
}

static void
nonsense_is_refused(void **state)
{
	struct et_world *w = *state;
	d_rank_t         rank = 2;
	d_rank_list_t    ranks = {.rl_ranks = &rank, .rl_nr = 1};
	uint64_t         t = 1000000000;
	d_iov_t          junk;

	start_all(w, 1);
	d_iov_set(&junk, "junk that is no input", 21);
	peer_cast(w, (struct peer_cast){ADD_OPC, t, NULL, {0}}, -DER_INVAL, 1);
	peer_cast(w, (struct peer_cast){ADD_OPC, 0, &ranks, {0}}, -DER_INVAL, 1);
	peer_cast(w, (struct peer_cast){DSS_CAST_OPC, t, &ranks, {0}}, -DER_INVAL, 1);
	peer_cast(w, (struct peer_cast){ADD_OPC, t, &ranks, {0}}, 0, -DER_PROTO);
	peer_cast(w, (struct peer_cast){ADD_OPC, t, &ranks, junk}, 0, -DER_PROTO);
	peer_cast(w, (struct peer_cast){CRT_OPC(77, 1, 0), t, &ranks, junk}, 0, -DER_UNREG);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(all_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(directly, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_fails, setup, teardown),
	    cmocka_unit_test_setup_teardown(some_are_dead, setup, teardown),
	    cmocka_unit_test_setup_teardown(unknown_ranks, setup, teardown),
	    cmocka_unit_test_setup_teardown(clients_may_not, setup, teardown),
	    cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
