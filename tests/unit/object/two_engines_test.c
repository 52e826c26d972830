/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Two engines and two clients in one process: pools, containers and objects through the public interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <daos.h>
#include "object_calls.h"
#include "platform/platform.h"
#include "testcluster.h"

static const char         *provider = "self";
static struct testcluster *tc;
static struct client      *clients[2];
static daos_handle_t       pohs[2], cohs[2];

/** Make client @c the one this thread means. */
static daos_handle_t
as_client(int c)
{
	client_set_current(clients[c]);
	return cohs[c];
}

static void
connect_client(int c)
{
	clients[c] = tc_client_start(tc);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &pohs[c], NULL, NULL), 0);
	if (c == 0)
		assert_int_equal(daos_cont_create_with_label(pohs[c], "cont", NULL, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(pohs[c], "cont", DAOS_COO_RW, &cohs[c], NULL, NULL), 0);
}

static int
start(void **state)
{
	(void)state;
	tc = tc_start(&(struct tc_opts){.engine_nr  = 2,
					.tgt_nr     = 2,
					.dev_bytes  = 400u << 20,
					.power_loss = true,
					.provider   = provider,
					.interface  = "lo"});
	tc_pool_create_sized(tc, "pool", 64u << 20, 128u << 20, NULL);
	connect_client(0);
	connect_client(1);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	for (int c = 1; c >= 0; c--) {
		as_client(c);
		assert_int_equal(daos_cont_close(cohs[c], NULL), 0);
		assert_int_equal(daos_pool_disconnect(pohs[c], NULL), 0);
		tc_client_stop(tc, clients[c]);
	}
	tc_stop(tc);
	return 0;
}

static daos_handle_t
open_as(int c, uint64_t n, enum daos_otype_t type, daos_oclass_id_t cid)
{
	daos_handle_t coh = as_client(c), oh = {0};
	daos_obj_id_t oid = {.lo = n};

	assert_int_equal(daos_obj_generate_oid(coh, &oid, type, cid, 0, 0), 0);
	assert_int_equal(daos_obj_open(coh, oid, DAOS_OO_RW, &oh, NULL), 0);
	return oh;
}

static void
test_one_writes_the_other_reads(void **state)
{
	daos_handle_t w = open_as(0, 1, DAOS_OT_MULTI_HASHED, OC_SX), r = open_as(1, 1, DAOS_OT_MULTI_HASHED, OC_SX);
	char          name[32], buf[32];
	size_t        bytes = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "dkey %d", i);
		as_client(i % 2);
		assert_int_equal(oc_put(i % 2 == 0 ? w : r, name, "a", &i, sizeof(i), 0), 0);
		as_client(1 - i % 2);
		assert_int_equal(oc_get(i % 2 == 0 ? r : w, name, "a", buf, sizeof(buf), &bytes), 0);
		assert_int_equal(bytes, sizeof(i));
		assert_memory_equal(buf, &i, sizeof(i));
	}
	as_client(0);
	assert_int_equal(daos_obj_close(w, NULL), 0);
	as_client(1);
	assert_int_equal(daos_obj_close(r, NULL), 0);
}

static void
test_shards_are_on_all_targets(void **state)
{
	daos_handle_t oh      = open_as(0, 2, DAOS_OT_MULTI_HASHED, OC_SX);
	uint32_t      nr      = 8;
	d_rank_t      ranks[8];
	uint32_t      tgts[8];
	unsigned      seen = 0;

	(void)state;
	assert_int_equal(dc_obj_shards(clients[0], oh, &nr, ranks, tgts), 0);
	assert_int_equal(nr, 4);
	for (uint32_t i = 0; i < nr; i++)
		seen |= 1u << (ranks[i] * 2 + tgts[i]);
	assert_int_equal(seen, 0xf);
	assert_int_equal(daos_obj_close(oh, NULL), 0);
}

static void
test_workload_of_each_client(void **state)
{
	(void)state;
	for (int c = 0; c < 2; c++) {
		daos_handle_t oh = open_as(c, 10 + (uint64_t)c, DAOS_OT_MULTI_HASHED, OC_SX);

		oc_workload(oh, 500 + (uint64_t)c, 300, NULL, NULL);
		assert_int_equal(daos_obj_close(oh, NULL), 0);
	}
}

struct worker {
	struct plat_thread *thread;
	int                 c;
};

static void
work(void *arg)
{
	struct worker *w  = arg;
	daos_handle_t  oh = open_as(w->c, 20 + (uint64_t)w->c, DAOS_OT_MULTI_HASHED, OC_S2);

	oc_workload(oh, 700 + (uint64_t)w->c, 300, NULL, NULL);
	assert_int_equal(daos_obj_close(oh, NULL), 0);
	client_set_current(NULL);
}

static void
test_both_clients_at_once(void **state)
{
	struct worker w[2] = {{.c = 0}, {.c = 1}};

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(plat_thread_create("worker", work, &w[i], &w[i].thread), 0);
	for (int i = 0; i < 2; i++)
		plat_thread_join(w[i].thread);
}

static void
restart(void *arg)
{
	d_rank_t *rank = arg;

	tc_engine_stop(tc, *rank);
	tc_engine_start(tc, *rank);
}

struct restarter {
	struct plat_thread *thread;
	d_rank_t            rank;
};

static void
restart_now_and_then(void *arg, int step)
{
	struct restarter *r = arg;

	if (step != 60 && step != 160)
		return;
	if (r->thread != NULL)
		plat_thread_join(r->thread);
	r->rank = step == 60 ? 1 : 0;
	assert_int_equal(plat_thread_create("restarter", restart, &r->rank, &r->thread), 0);
}

static void
test_engines_restart_under_load(void **state)
{
	daos_handle_t    oh = open_as(1, 30, DAOS_OT_MULTI_HASHED, OC_SX);
	struct restarter r  = {0};

	(void)state;
	oc_workload(oh, 900, 250, restart_now_and_then, &r);
	plat_thread_join(r.thread);
	assert_int_equal(daos_obj_close(oh, NULL), 0);
}

/** What was acknowledged is there after power was lost. */
static void
test_power_loss(void **state)
{
	daos_handle_t oh = open_as(0, 40, DAOS_OT_MULTI_HASHED, OC_SX);
	char          name[32], buf[64];
	size_t        bytes = 0;

	(void)state;
	for (uint64_t round = 0; round < 3; round++) {
		for (int i = 0; i < 50; i++) {
			snprintf(name, sizeof(name), "r%lu i%d", (unsigned long)round, i);
			assert_int_equal(oc_put(oh, name, "a", name, strlen(name), 0), 0);
		}
		tc_engine_crash(tc, 1, round * 77 + 3);
		tc_engine_start(tc, 1);
		for (int i = 0; i < 50; i++) {
			snprintf(name, sizeof(name), "r%lu i%d", (unsigned long)round, i);
			assert_int_equal(oc_get(oh, name, "a", buf, sizeof(buf), &bytes), 0);
			assert_int_equal(bytes, strlen(name));
			assert_memory_equal(buf, name, bytes);
		}
	}
	assert_int_equal(daos_obj_close(oh, NULL), 0);
}

struct writer {
	struct plat_thread *thread;
	daos_handle_t       oh;
	_Atomic bool        stop;
	_Atomic int         acked; /**< values 0 .. acked - 1 were */
};

static void
write_on(void *arg)
{
	struct writer *w = arg;
	char           name[32];

	as_client(1);
	while (!w->stop) {
		int i = w->acked, rc;

		snprintf(name, sizeof(name), "under way %d", i);
		rc = oc_put(w->oh, name, "a", &i, sizeof(i), 0);
		assert_true(rc == 0 || rc == -DER_IO); /* the device may be seen failing before all is dark */
		w->acked += rc == 0;
	}
	client_set_current(NULL);
}

/** Power goes while values are being written: each that was acknowledged is there afterwards. */
static void
test_power_loss_under_load(void **state)
{
	struct writer w = {.oh = open_as(1, 41, DAOS_OT_MULTI_HASHED, OC_SX)};
	char          name[32];
	int           acked = 0, got = 0;
	size_t        bytes = 0;

	(void)state;
	assert_int_equal(plat_thread_create("writer", write_on, &w, &w.thread), 0);
	for (uint32_t round = 0; round < 4; round++) {
		while (w.acked < acked + 30) /* some more since the last time */
			sched_yield();
		tc_engine_crash(tc, round % 2, round * 1237 + 11);
		acked = w.acked;
		tc_engine_start(tc, round % 2);
	}
	w.stop = true;
	plat_thread_join(w.thread);
	as_client(1);
	for (int i = 0; i < w.acked; i++) {
		snprintf(name, sizeof(name), "under way %d", i);
		assert_int_equal(oc_get(w.oh, name, "a", &got, sizeof(got), &bytes), 0);
		assert_int_equal(bytes, sizeof(got));
		assert_int_equal(got, i);
	}
	assert_int_equal(daos_obj_close(w.oh, NULL), 0);
}

static void
test_read_only_container(void **state)
{
	daos_handle_t ro = {0}, oh = {0};
	daos_obj_id_t oid = {.lo = 50};

	(void)state;
	as_client(1);
	assert_int_equal(daos_cont_open(pohs[1], "cont", DAOS_COO_RO, &ro, NULL, NULL), 0);
	assert_int_equal(daos_obj_generate_oid(ro, &oid, DAOS_OT_MULTI_HASHED, OC_S1, 0, 0), 0);
	assert_int_equal(daos_obj_open(ro, oid, DAOS_OO_RW, &oh, NULL), -DER_NO_PERM);
	assert_int_equal(daos_obj_open(ro, oid, DAOS_OO_RO, &oh, NULL), 0);
	assert_int_equal(oc_put(oh, "d", "a", "x", 1, 0), -DER_NO_PERM);
	assert_int_equal(daos_obj_close(oh, NULL), 0);
	assert_int_equal(daos_cont_close(ro, NULL), 0);
}

static void
test_handle_is_void_after_close(void **state)
{
	daos_handle_t coh = {0}, oh = {0};
	daos_obj_id_t oid = {.lo = 60};

	(void)state;
	as_client(0);
	assert_int_equal(daos_cont_open(pohs[0], "cont", DAOS_COO_RW, &coh, NULL, NULL), 0);
	assert_int_equal(daos_obj_generate_oid(coh, &oid, DAOS_OT_MULTI_HASHED, OC_S1, 0, 0), 0);
	assert_int_equal(daos_obj_open(coh, oid, DAOS_OO_RW, &oh, NULL), 0);
	assert_int_equal(oc_put(oh, "d", "a", "x", 1, 0), 0);
	assert_int_equal(daos_cont_close(coh, NULL), 0);
	assert_int_equal(oc_put(oh, "d", "a", "x", 1, 0), -DER_NO_HDL);
	assert_int_equal(daos_obj_close(oh, NULL), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_writes_the_other_reads),
	    cmocka_unit_test(test_shards_are_on_all_targets),
	    cmocka_unit_test(test_workload_of_each_client),
	    cmocka_unit_test(test_both_clients_at_once),
	    cmocka_unit_test(test_read_only_container),
	    cmocka_unit_test(test_handle_is_void_after_close),
	    cmocka_unit_test(test_engines_restart_under_load),
	    cmocka_unit_test(test_power_loss),
	    cmocka_unit_test(test_power_loss_under_load),
	};

	if (argc > 1)
		provider = argv[1];
	return cmocka_run_group_tests(tests, start, stop);
}
