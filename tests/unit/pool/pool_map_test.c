/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Targets that leave service and come back: the map, who learns of it, and what objects on them do. */
#include "testcluster.h"
#include <daos.h>
#include <string.h>
#include "base/prop_table.h"
#include "base/rank_list.h"
#include "cart/crt_fault.h"
#include "object/obj_client.h"
#include "platform/platform.h"
#include "pool/pool_client.h"
#include "pool/pool_internal.h"

#define ENGINE_NR 3u
#define TGT_NR    2u

struct fixture {
	struct testcluster *tc;
	struct client      *cl;
	uuid_t              pool;
	daos_handle_t       poh, coh;
};

static int
start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->tc = tc_start(&(struct tc_opts){.engine_nr = ENGINE_NR, .tgt_nr = TGT_NR});
	tc_pool_create(f->tc, "tank", f->pool);
	f->cl = tc_client_start(f->tc);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RW, &f->poh, NULL, NULL), 0);
	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_RW, &f->coh, NULL, NULL), 0);
	*state = f;
	return 0;
}

static int
stop(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(daos_cont_close(f->coh, NULL), 0);
	assert_int_equal(daos_pool_disconnect(f->poh, NULL), 0);
	tc_client_stop(f->tc, f->cl);
	tc_stop(f->tc);
	free(f);
	return 0;
}

/* ---- what the control plane asks ---- */

struct change {
	uuid_t        pool;
	uint32_t      change;
	d_rank_t      ranks[ENGINE_NR];
	uint32_t      rank_nr;
	uint32_t      tgts[TGT_NR + 1];
	uint32_t      tgt_nr;
	bool          force;
	d_rank_list_t list;
	uint32_t      version, untold[ENGINE_NR], untold_nr; /**< the answer */
};

static void
change_fill(void *vin, void *arg)
{
	struct pool_map_change_in *in = vin;
	struct change             *c = arg;

	uuid_copy(in->pool.b, c->pool);
	in->change = c->change;
	c->list = (d_rank_list_t){.rl_ranks = c->ranks, .rl_nr = c->rank_nr};
	in->ranks = &c->list;
	in->tgts = (struct crt_u32_array){.nr = c->tgt_nr, .v = c->tgts};
	in->force = c->force;
}

static MAY_YIELD int
change_ult(void *arg)
{
	struct pool_map_change_out *out;
	struct change              *c = arg;
	d_rank_t                    zero = 0;
	d_rank_list_t               svc = {.rl_ranks = &zero, .rl_nr = 1};
	crt_rpc_t                  *rpc;
	int rc = ds_pool_svc_call(&svc, POOL_OPC(POOL_MAP_CHANGE), change_fill, c, 30, &rpc);

	if (rc != 0)
		return rc;
	out = rpc->cr_output;
	c->version = out->map_version;
	c->untold_nr = out->untold.nr;
	for (uint32_t i = 0; i < out->untold.nr; i++)
		c->untold[i] = out->untold.v[i];
	crt_req_decref(rpc);
	return 0;
}

static int
ask(struct fixture *f, struct change *c)
{
	uuid_copy(c->pool, f->pool);
	return dss_ult_execute(tc_engine(f->tc, 0), DSS_TAG_SYS, change_ult, c);
}

/** One target, or with @tgt -1 all of the rank. */
static struct change
change_of(uint32_t what, d_rank_t rank, int tgt)
{
	struct change c = {.change = what, .ranks = {rank}, .rank_nr = 1};

	if (tgt >= 0)
		c.tgts[c.tgt_nr++] = tgt;
	return c;
}

static struct change
must(struct fixture *f, uint32_t what, d_rank_t rank, int tgt)
{
	struct change c = change_of(what, rank, tgt);

	assert_int_equal(ask(f, &c), 0);
	return c;
}

static uint32_t
engine_version(struct fixture *f, d_rank_t rank)
{
	struct ds_pool *pool = ds_pool_lookup(tc_engine(f->tc, rank), f->pool);
	uint32_t        version;

	assert_non_null(pool);
	version = pool->sp_map_version;
	ds_pool_put(pool);
	return version;
}

static daos_pool_info_t
query(struct fixture *f)
{
	daos_pool_info_t info = {.pi_bits = DPI_SPACE};

	assert_int_equal(daos_pool_query(f->poh, NULL, &info, NULL, NULL), 0);
	return info;
}

/* ---- objects ---- */

/** One that is on a target, alone. */
static daos_handle_t
object_at(struct fixture *f, daos_handle_t coh, d_rank_t rank, uint32_t tgt)
{
	daos_handle_t oh;

	for (uint64_t lo = 1; lo < 1000; lo++) {
		daos_obj_id_t oid = {.lo = lo};
		d_rank_t      at = 0;
		uint32_t      idx = 0, nr = 1;

		assert_int_equal(daos_obj_generate_oid(coh, &oid, 0, OC_S1, 0, 0), 0);
		assert_int_equal(daos_obj_open(coh, oid, DAOS_OO_RW, &oh, NULL), 0);
		assert_int_equal(dc_obj_shards(f->cl, oh, &nr, &at, &idx), 0);
		if (at == rank && idx == tgt)
			return oh;
		assert_int_equal(daos_obj_close(oh, NULL), 0);
	}
	fail();
	return DAOS_HDL_INVAL;
}

static daos_handle_t
object_on(struct fixture *f, d_rank_t rank, uint32_t tgt)
{
	return object_at(f, f->coh, rank, tgt);
}

static int
value_io(daos_handle_t oh, uint64_t *value, bool write)
{
	daos_key_t  dkey;
	daos_iod_t  iod = {.iod_type = DAOS_IOD_SINGLE, .iod_size = sizeof(*value), .iod_nr = 1};
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&dkey, "d", 1);
	d_iov_set(&iod.iod_name, "a", 1);
	d_iov_set(&iov, value, sizeof(*value));
	return write ? daos_obj_update(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL)
		     : daos_obj_fetch(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL, NULL);
}

static int
put(daos_handle_t oh, uint64_t value)
{
	return value_io(oh, &value, true);
}

static void
expect(daos_handle_t oh, uint64_t value)
{
	uint64_t got = 0;

	assert_int_equal(value_io(oh, &got, false), 0);
	assert_int_equal(got, value);
}

/* ---- cases ---- */

static void
out_and_back_with_its_data(void **state)
{
	struct fixture *f = *state;
	daos_handle_t   on = object_on(f, 1, 0), beside = object_on(f, 1, 1);
	struct change   c;
	uint64_t        got;

	assert_int_equal(put(on, 7), 0);
	c = must(f, POOL_MAP_EXCLUDE, 1, 0);
	assert_int_equal(c.version, 2);
	assert_int_equal(c.untold_nr, 0);
	for (d_rank_t r = 0; r < ENGINE_NR; r++)
		assert_int_equal(engine_version(f, r), 2);
	/* The client has the old map still: it is refused, learns, and gives up. */
	assert_int_equal(put(on, 8), -DER_RF);
	assert_int_equal(value_io(on, &got, false), -DER_RF);
	assert_int_equal(put(beside, 9), 0);
	assert_int_equal(query(f).pi_ndisabled, 1);
	assert_int_equal(query(f).pi_map_ver, 2);
	c = must(f, POOL_MAP_REINTEGRATE, 1, 0);
	assert_int_equal(c.version, 3);
	assert_int_equal(query(f).pi_ndisabled, 0);
	expect(on, 7);
	assert_int_equal(put(on, 8), 0);
	expect(on, 8);
	expect(beside, 9);
	assert_int_equal(daos_obj_close(on, NULL), 0);
	assert_int_equal(daos_obj_close(beside, NULL), 0);
}

static void
whole_rank_and_again(void **state)
{
	struct fixture *f = *state;
	struct change   c = must(f, POOL_MAP_EXCLUDE, 2, -1);
	d_rank_list_t  *ranks = NULL;

	assert_int_equal(c.version, 2);
	assert_int_equal(query(f).pi_ndisabled, TGT_NR);
	assert_int_equal(query(f).pi_space.ps_ntargets, (ENGINE_NR - 1) * TGT_NR);
	assert_int_equal(daos_pool_query(f->poh, &ranks, &(daos_pool_info_t){.pi_bits = DPI_ENGINES_DISABLED}, NULL, NULL), 0);
	assert_int_equal(ranks->rl_nr, 1);
	assert_int_equal(ranks->rl_ranks[0], 2);
	d_rank_list_free(ranks);
	c = must(f, POOL_MAP_EXCLUDE, 2, -1); /* it is out already */
	assert_int_equal(c.version, 2);
	c = must(f, POOL_MAP_REINTEGRATE, 2, 1); /* a part of it */
	assert_int_equal(c.version, 3);
	assert_int_equal(query(f).pi_ndisabled, 1);
}

static void
map_is_durable(void **state)
{
	struct fixture *f = *state;
	daos_handle_t   on = object_on(f, 1, 1);

	assert_int_equal(put(on, 5), 0);
	(void)must(f, POOL_MAP_EXCLUDE, 1, 1);
	for (d_rank_t r = 0; r < ENGINE_NR; r++)
		tc_engine_stop(f->tc, r);
	for (d_rank_t r = 0; r < ENGINE_NR; r++)
		tc_engine_start(f->tc, r);
	assert_int_equal(query(f).pi_map_ver, 2);
	assert_int_equal(put(on, 6), -DER_RF);
	(void)must(f, POOL_MAP_REINTEGRATE, 1, 1);
	expect(on, 5);
	assert_int_equal(daos_obj_close(on, NULL), 0);
}

/** An engine that has just started knows new handles before it knows the map. */
static void
restarted_engine_asks_for_the_map(void **state)
{
	struct fixture       *f = *state;
	daos_handle_t         coh, on, beside;
	struct crt_fault_rule slow = {.id = 1, .where = CRT_FAULT_REQUEST, .what = CRT_FAULT_ERROR, .arg = -DER_UNREACH,
				      .opc = POOL_OPC(POOL_QUERY), .rank = CRT_FAULT_ANY_RANK, .prob_ppm = 1000000,
				      .fires_max = 6};

	(void)must(f, POOL_MAP_EXCLUDE, 1, 0);
	tc_engine_stop(f->tc, 1);
	tc_engine_start(f->tc, 1);
	assert_int_equal(engine_version(f, 1), 0);
	assert_int_equal(crt_fault_set(dss_crt(tc_engine(f->tc, 1)), &slow), 0);
	crt_faults_enable(dss_crt(tc_engine(f->tc, 1)), true);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_RW, &coh, NULL, NULL), 0);
	on = object_at(f, coh, 1, 0); /* by the map of the connect, where all is well */
	beside = object_at(f, coh, 1, 1);
	assert_int_equal(put(beside, 1), 0);
	assert_int_equal(put(on, 1), -DER_RF);
	assert_int_equal(daos_obj_close(on, NULL), 0);
	assert_int_equal(daos_obj_close(beside, NULL), 0);
	assert_int_equal(daos_cont_close(coh, NULL), 0);
}

static void
what_is_refused(void **state)
{
	struct fixture *f = *state;
	struct change   c = {.change = POOL_MAP_EXCLUDE, .ranks = {0, 1, 2}, .rank_nr = 3};

	assert_int_equal(ask(f, &c), -DER_RF); /* nothing would be left */
	c = change_of(POOL_MAP_EXCLUDE, 7, -1);
	assert_int_equal(ask(f, &c), -DER_NONEXIST);
	c = change_of(POOL_MAP_EXCLUDE, 1, TGT_NR);
	assert_int_equal(ask(f, &c), -DER_NONEXIST);
	c = change_of(POOL_MAP_REINTEGRATE, 1, TGT_NR);
	assert_int_equal(ask(f, &c), -DER_NONEXIST);
	c = change_of(POOL_MAP_DRAIN, 1, 0);
	assert_int_equal(ask(f, &c), -DER_NOTSUPPORTED);
	c = change_of(POOL_MAP_EXTEND, 1, -1);
	assert_int_equal(ask(f, &c), -DER_NOTSUPPORTED);
	c = change_of(99, 1, -1);
	assert_int_equal(ask(f, &c), -DER_INVAL);
	c = (struct change){.change = POOL_MAP_EXCLUDE};
	assert_int_equal(ask(f, &c), -DER_INVAL);
	assert_int_equal(query(f).pi_map_ver, 1);
	c = (struct change){.change = POOL_MAP_EXCLUDE, .ranks = {0, 1, 2}, .rank_nr = 3, .force = true};
	assert_int_equal(ask(f, &c), 0);
	assert_int_equal(query(f).pi_ndisabled, ENGINE_NR * TGT_NR);
}

/** An engine that was not told learns from a client that knows. */
static void
lost_news_are_made_up_for(void **state)
{
	struct fixture       *f = *state;
	daos_handle_t         on = object_on(f, 2, 0);
	struct crt           *crt = dss_crt(tc_engine(f->tc, 0));
	struct crt_fault_rule lost = {.id = 1, .where = CRT_FAULT_REQUEST, .what = CRT_FAULT_ERROR, .arg = -DER_UNREACH,
				      .opc = POOL_OPC(POOL_TGT_UPDATE), .rank = 2, .prob_ppm = 1000000};
	struct change         c;
	uint64_t              until = plat_now_ns() + 60 * NSEC_PER_SEC;

	assert_int_equal(put(on, 1), 0);
	assert_int_equal(crt_fault_set(crt, &lost), 0);
	crt_faults_enable(crt, true);
	c = must(f, POOL_MAP_EXCLUDE, 1, 0);
	assert_int_equal(c.untold_nr, 1);
	assert_int_equal(c.untold[0], 2);
	assert_int_equal(engine_version(f, 2), 1);
	assert_int_equal(query(f).pi_map_ver, 2);
	while (engine_version(f, 2) != 2) {
		assert_int_equal(put(on, 2), 0);
		assert_true(plat_now_ns() < until);
	}
	assert_int_equal(daos_obj_close(on, NULL), 0);
}

/* ---- the rule for dead ranks ---- */

static void
redundancy_rule(void **state)
{
	d_rank_t         v[] = {0, 1, 2, 3}, dead = 3;
	d_rank_list_t    all = {.rl_ranks = v, .rl_nr = 4}, one = {.rl_ranks = &dead, .rl_nr = 1};
	uint32_t         ids[] = {2}, failed;
	struct pool_map *map, *less;

	(void)state;
	assert_int_equal(pool_map_create(&all, TGT_NR, 1, &map), 0);
	assert_false(pool_exclusion_fits(map, &one, 0, &failed));
	assert_int_equal(failed, 1);
	assert_true(pool_exclusion_fits(map, &one, 1, &failed));
	assert_int_equal(pool_map_set_status(map, ids, 1, PO_COMP_ST_DOWN, &less), 0);
	assert_false(pool_exclusion_fits(less, &one, 1, &failed));
	assert_int_equal(failed, 2);
	assert_true(pool_exclusion_fits(less, &one, 2, &failed));
	dead = 1; /* has failed in part already */
	assert_true(pool_exclusion_fits(less, &one, 1, &failed));
	pool_map_decref(less);
	pool_map_decref(map);
}

static void
dead_rank_stays_in_the_map(void **state)
{
	struct fixture *f = *state;

	tc_engine_stop(f->tc, 2);
	pool_rank_dead(tc_engine(f->tc, 0), 2);
	tc_engine_start(f->tc, 2); /* objects are stored once: it has to come back */
	assert_int_equal(query(f).pi_map_ver, 1);
	assert_int_equal(query(f).pi_ndisabled, 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(redundancy_rule),
	    CASE(out_and_back_with_its_data),
	    CASE(whole_rank_and_again),
	    CASE(map_is_durable),
	    CASE(restarted_engine_asks_for_the_map),
	    CASE(what_is_refused),
	    CASE(lost_news_are_made_up_for),
	    CASE(dead_rank_stays_in_the_map),
	};

	return cmocka_run_group_tests_name("pool map", tests, NULL, NULL);
}
