/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A client inside an engine: a ULT of a target of rank 0 connects the pool and reads and writes on both engines through the
 * public interface: with calls that wait, with an event queue, with tasks of its xstream.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <daos.h>
#include <daos_errno.h>
#include <daos_task.h>
#include <string.h>
#include "container/cont_client.h"
#include "mgmt/mgmt_engine_client.h"
#include "object/obj_client.h"
#include "platform/platform.h"
#include "pool/pool_client.h"
#include "testcluster.h"

#define XS       DSS_XS_OF_TGT(0)
#define KEY_NR   40u
#define WRITERS  8
#define LABEL    "inside"

static const char                    *provider = "self";
static const struct dc_module *const  modules[] = {&dc_pool_module, &dc_cont_module, &dc_obj_module};
static struct testcluster            *tc;

/** What a module would keep: of xstream XS of rank 0. */
static struct inside {
	struct client *cl;
	daos_handle_t  poh, coh, oh;
} in;

static void
on_target(int (*fn)(void *arg), void *arg)
{
	assert_int_equal(dss_ult_execute(tc_engine(tc, 0), XS, fn, arg), 0);
}

/* ---- values ---- */

struct value {
	char        dkey_text[24];
	uint32_t    number;
	daos_key_t  dkey;
	daos_iod_t  iod;
	d_iov_t     iov;
	d_sg_list_t sgl;
};

static void
value_set(struct value *v, uint32_t key, uint32_t number)
{
	memset(v, 0, sizeof(*v));
	v->number = number;
	d_iov_set(&v->dkey, v->dkey_text, (size_t)snprintf(v->dkey_text, sizeof(v->dkey_text), "dkey %u", key));
	d_iov_set(&v->iod.iod_name, "a", 1);
	v->iod.iod_type = DAOS_IOD_SINGLE;
	v->iod.iod_size = sizeof(v->number);
	v->iod.iod_nr = 1;
	d_iov_set(&v->iov, &v->number, sizeof(v->number));
	v->sgl = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &v->iov};
}

static int
put(uint32_t key, uint32_t number)
{
	struct value v;

	value_set(&v, key, number);
	return daos_obj_update(in.oh, DAOS_TX_NONE, 0, &v.dkey, 1, &v.iod, &v.sgl, NULL);
}

static void
expect(uint32_t key, uint32_t number)
{
	struct value v;

	value_set(&v, key, 0);
	assert_int_equal(daos_obj_fetch(in.oh, DAOS_TX_NONE, 0, &v.dkey, 1, &v.iod, &v.sgl, NULL, NULL), 0);
	assert_int_equal(v.iod.iod_size, sizeof(v.number));
	assert_int_equal(v.number, number);
}

/* ---- opening and closing ---- */

static MAY_YIELD int
open_ult(void *arg)
{
	daos_obj_id_t oid = {.lo = 7};
	int           rc;

	assert_null(client_current());
	rc = ds_mgmt_client_open(dss_engine(), modules, ARRAY_NR(modules), &in.cl);
	assert_int_equal(rc, 0);
	assert_int_equal(ds_mgmt_client_attach(in.cl), 0);
	assert_int_equal(ds_mgmt_client_attach(in.cl), -DER_EXIST);
	assert_ptr_equal(client_current(), in.cl);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &in.poh, NULL, NULL), 0);
	rc = daos_cont_create_with_label(in.poh, LABEL, NULL, NULL, NULL);
	assert_true(rc == 0 || rc == -DER_EXIST);
	assert_int_equal(daos_cont_open(in.poh, LABEL, DAOS_COO_RW, &in.coh, NULL, NULL), 0);
	assert_int_equal(daos_obj_generate_oid(in.coh, &oid, DAOS_OT_MULTI_HASHED, OC_SX, 0, 0), 0);
	assert_int_equal(daos_obj_open(in.coh, oid, DAOS_OO_RW, &in.oh, NULL), 0);
	return 0;
}

static MAY_YIELD int
close_ult(void *arg)
{
	assert_int_equal(daos_obj_close(in.oh, NULL), 0);
	assert_int_equal(daos_cont_close(in.coh, NULL), 0);
	assert_int_equal(daos_pool_disconnect(in.poh, NULL), 0);
	ds_mgmt_client_close(in.cl);
	assert_null(client_current());
	assert_int_equal(daos_cont_close(in.coh, NULL), -DER_UNINIT);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	memset(&in, 0, sizeof(in));
	tc = tc_start(&(struct tc_opts){
	    .engine_nr = 2, .tgt_nr = 2, .dev_bytes = 400u << 20, .provider = provider, .interface = "lo"});
	tc_pool_create_sized(tc, "pool", 64u << 20, 128u << 20, NULL);
	on_target(open_ult, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (tc_engine(tc, 0) != NULL)
		on_target(close_ult, NULL);
	tc_stop(tc);
	return 0;
}

/* ---- calls that wait ---- */

static uint32_t under_way, most;

static MAY_YIELD void
writer(void *arg)
{
	uint32_t base = *(uint32_t *)arg;

	for (uint32_t i = 0; i < KEY_NR; i++) {
		under_way++;
		most = MAX_OF(most, under_way);
		assert_int_equal(put(base + i, base + i), 0);
		under_way--;
	}
	for (uint32_t i = 0; i < KEY_NR; i++)
		expect(base + i, base + i);
}

static MAY_YIELD int
writers_ult(void *arg)
{
	struct ult *ults[WRITERS];
	uint32_t    bases[WRITERS];

	for (uint32_t i = 0; i < WRITERS; i++) {
		bases[i] = 1000 * i;
		assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, writer, &bases[i], 0, &ults[i]), 0);
	}
	for (uint32_t i = 0; i < WRITERS; i++)
		ult_join(ults[i]);
	return 0;
}

static void
test_waiting_calls(void **state)
{
	(void)state;
	under_way = most = 0;
	on_target(writers_ult, NULL);
	assert_int_equal(most, WRITERS); /* all on one xstream: who waited had yielded */
}

/* ---- events ---- */

#define EV_NR 16

static MAY_YIELD int
events_ult(void *arg)
{
	static struct value v[EV_NR];
	daos_event_t        evs[EV_NR], *done[EV_NR], single;
	daos_handle_t       eqh;
	int                 done_nr = 0;
	bool                ended;

	assert_int_equal(daos_eq_create(&eqh), 0);
	for (uint32_t i = 0; i < EV_NR; i++) {
		value_set(&v[i], 5000 + i, i);
		assert_int_equal(daos_event_init(&evs[i], eqh, NULL), 0);
		assert_int_equal(daos_obj_update(in.oh, DAOS_TX_NONE, 0, &v[i].dkey, 1, &v[i].iod, &v[i].sgl, &evs[i]), 0);
	}
	while (done_nr < EV_NR) {
		int nr = daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, EV_NR, done);

		assert_true(nr > 0);
		for (int i = 0; i < nr; i++)
			assert_int_equal(done[i]->ev_error, 0);
		done_nr += nr;
	}
	for (uint32_t i = 0; i < EV_NR; i++) {
		assert_int_equal(daos_event_fini(&evs[i]), 0);
		expect(5000 + i, i);
	}
	assert_int_equal(daos_eq_destroy(eqh, 0), 0);
	assert_int_equal(daos_event_init(&single, DAOS_HDL_INVAL, NULL), 0);
	assert_int_equal(daos_obj_update(in.oh, DAOS_TX_NONE, 0, &v[0].dkey, 1, &v[0].iod, &v[0].sgl, &single), 0);
	assert_int_equal(daos_event_test(&single, DAOS_EQ_WAIT, &ended), 0);
	assert_true(ended);
	assert_int_equal(daos_event_fini(&single), 0);
	return 0;
}

static uint32_t turns;

static MAY_YIELD void
take_turns(void *arg)
{
	while (!*(bool *)arg) {
		turns++;
		ult_sleep_ns(NSEC_PER_USEC);
	}
}

/** The xstream does other things while its ULT polls the queue. */
static MAY_YIELD int
events_beside_others_ult(void *arg)
{
	bool        end = false;
	struct ult *other;

	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, take_turns, &end, 0, &other), 0);
	(void)events_ult(NULL);
	end = true;
	ult_join(other);
	return 0;
}

static void
test_event_queue(void **state)
{
	(void)state;
	turns = 0;
	on_target(events_beside_others_ult, NULL);
	assert_true(turns > 3);
}

/* ---- tasks ---- */

static void
io_args(tse_task_t *task, struct value *v)
{
	daos_obj_update_t *args = daos_task_get_args(task); /* those of a fetch begin with the same */

	*args = (daos_obj_update_t){.oh = in.oh, .th = DAOS_TX_NONE, .dkey = &v->dkey, .nr = 1, .iods = &v->iod, .sgls = &v->sgl};
}

static int
waits_on_scheduler(tse_task_t *task)
{
	tse_task_complete(task, put(1, 1));
	return 0;
}

/** Two updates of one key in order, then a fetch, as the xstream's tasks. */
static MAY_YIELD int
tasks_ult(void *arg)
{
	struct value first, second, read;
	tse_task_t  *u1, *u2, *f, *bad;

	value_set(&first, 6000, 1);
	value_set(&second, 6000, 2);
	value_set(&read, 6000, 0);
	assert_int_equal(daos_task_create(DAOS_OPC_OBJ_UPDATE, dss_sched(), 0, NULL, &u1), 0);
	assert_int_equal(daos_task_create(DAOS_OPC_OBJ_UPDATE, dss_sched(), 1, &u1, &u2), 0);
	assert_int_equal(daos_task_create(DAOS_OPC_OBJ_FETCH, dss_sched(), 1, &u2, &f), 0);
	io_args(u1, &first);
	io_args(u2, &second);
	io_args(f, &read);
	assert_int_equal(tse_task_schedule(u2, false), 0);
	assert_int_equal(tse_task_schedule(u1, false), 0);
	assert_int_equal(dss_task_wait(f), 0);
	assert_int_equal(read.number, 2);
	assert_int_equal(tse_task_create(waits_on_scheduler, dss_sched(), NULL, &bad), 0);
	assert_int_equal(dss_task_wait(bad), -DER_BUSY); /* said, not done: it would stop the xstream */
	return 0;
}

static void
test_tasks_with_dependencies(void **state)
{
	(void)state;
	on_target(tasks_ult, NULL);
}

/* ---- changes around it ---- */

static MAY_YIELD int
put_some_ult(void *arg)
{
	for (uint32_t i = 0; i < KEY_NR; i++)
		assert_int_equal(put(7000 + i, *(uint32_t *)arg), 0);
	for (uint32_t i = 0; i < KEY_NR; i++)
		expect(7000 + i, *(uint32_t *)arg);
	return 0;
}

/** Rank 1 comes back at another address: only the engine is told. */
static void
test_group_is_followed(void **state)
{
	uint32_t number = 1;

	(void)state;
	on_target(put_some_ult, &number);
	tc_engine_stop(tc, 1);
	tc_engine_start(tc, 1);
	assert_int_equal(crt_group_version(client_crt(in.cl)), crt_group_version(dss_crt(tc_engine(tc, 0))));
	number = 2;
	on_target(put_some_ult, &number);
}

static MAY_YIELD int
second_client_ult(void *arg)
{
	struct client *other;

	assert_int_equal(ds_mgmt_client_open(dss_engine(), modules, ARRAY_NR(modules), &other), 0);
	assert_int_equal(ds_mgmt_client_attach(other), -DER_BUSY);
	ds_mgmt_client_close(other);
	return 0;
}

static void
test_one_client_an_xstream(void **state)
{
	(void)state;
	on_target(second_client_ult, NULL);
}

/* ---- the engine stops ---- */

static struct {
	struct ult_eventual busy; /**< it has begun */
	int                 put_rc, poll_rc, open_rc;
	uint32_t            ended_nr;
} stopping;

static MAY_YIELD void
poller_until_stopped(void *arg)
{
	daos_handle_t eqh;
	daos_event_t *done;

	assert_int_equal(daos_eq_create(&eqh), 0);
	stopping.poll_rc = daos_eq_poll(eqh, 0, DAOS_EQ_WAIT, 1, &done); /* nothing will ever come */
	stopping.ended_nr++;
}

static MAY_YIELD void
writer_until_stopped(void *arg)
{
	daos_handle_t eqh;

	for (uint32_t i = 0; stopping.put_rc == 0; i++) {
		stopping.put_rc = put(8000 + i % 50, i);
		if (i == 20)
			ult_eventual_set(&stopping.busy, 0);
	}
	assert_int_equal(daos_obj_close(in.oh, NULL), -DER_CANCELED);
	assert_int_equal(daos_eq_create(&eqh), -DER_CANCELED);
	stopping.open_rc = ds_mgmt_client_open(dss_engine(), modules, ARRAY_NR(modules), &(struct client *){NULL});
	while (stopping.ended_nr < 1)
		ult_yield();
	ds_mgmt_client_close(in.cl); /* the handles go with it */
	stopping.ended_nr++;
}

static void
test_engine_stops_under_it(void **state)
{
	(void)state;
	memset(&stopping, 0, sizeof(stopping));
	ult_eventual_init(&stopping.busy);
	assert_int_equal(dss_ult_create(tc_engine(tc, 0), XS, ULT_POOL_GENERIC, poller_until_stopped, NULL, NULL), 0);
	assert_int_equal(dss_ult_create(tc_engine(tc, 0), XS, ULT_POOL_GENERIC, writer_until_stopped, NULL, NULL), 0);
	ult_eventual_wait(&stopping.busy);
	tc_engine_stop(tc, 0);
	assert_int_equal(stopping.ended_nr, 2);
	assert_int_equal(stopping.put_rc, -DER_CANCELED);
	assert_int_equal(stopping.poll_rc, -DER_CANCELED);
	assert_int_equal(stopping.open_rc, -DER_SHUTDOWN);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_waiting_calls, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_event_queue, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_tasks_with_dependencies, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_group_is_followed, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_client_an_xstream, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_engine_stops_under_it, setup, teardown),
	};

	if (argc > 1)
		provider = argv[1];
	return cmocka_run_group_tests_name("client inside an engine", tests, NULL, NULL);
}
