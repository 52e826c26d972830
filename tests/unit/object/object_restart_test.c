/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Engines that go away and come back, answers that get lost, many operations at a time. */
#include "object_fakes.h"
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/iov.h"
#include "object/obj_rpc.h"
#include "platform/platform.h"

static struct fake_world fw;
static struct client    *cl;

static int
start(void **state)
{
	(void)state;
	fake_world_start(&fw, 2, 1, true);
	cl = fake_client_start(&fw);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	fake_client_stop(cl);
	fake_world_stop(&fw);
	return 0;
}

static daos_handle_t
open_obj(uint64_t n, daos_oclass_id_t cid)
{
	daos_handle_t oh = {0};

	assert_int_equal(oc_open(fake_coh(), oc_oid(n, DAOS_OT_MULTI_HASHED, cid), DAOS_OO_RW, &oh), 0);
	return oh;
}

/* ---- restarts under load ---- */

struct restarter {
	struct plat_thread *thread;
	_Atomic int         done_nr;
	uint32_t            idx;
};

static void
restart(void *arg)
{
	struct restarter *r = arg;

	fake_engine_stop(&fw, r->idx);
	fake_engine_start(&fw, r->idx);
	fake_client_group(&fw, cl);
	r->done_nr++;
}

static void
start_both(void *arg)
{
	(void)arg;
	for (uint32_t idx = 0; idx < 2; idx++)
		fake_engine_start(&fw, idx);
	fake_client_group(&fw, cl);
}

static void
restart_now_and_then(void *arg, int step)
{
	struct restarter *r = arg;

	if (step % 100 != 50)
		return;
	if (r->thread != NULL)
		plat_thread_join(r->thread);
	r->idx = (uint32_t)(step / 100) % 2;
	assert_int_equal(plat_thread_create("restarter", restart, r, &r->thread), 0);
}

static void
test_restarts_are_pauses(void **state)
{
	daos_handle_t    oh = open_obj(1, OC_SX);
	struct restarter r  = {0};

	(void)state;
	oc_workload(oh, 99, 400, restart_now_and_then, &r);
	plat_thread_join(r.thread);
	assert_int_equal(r.done_nr, 4);
	assert_int_equal(oc_close(oh), 0);
}

/* ---- lost answers ---- */

struct raw {
	bool     done;
	int      rc;
	uint64_t epoch;
};

static void
raw_done(const struct crt_cb_info *info)
{
	struct raw *raw = info->cci_arg;

	raw->done  = true;
	raw->rc    = info->cci_rc;
	if (raw->rc == 0) {
		const struct obj_rhdr *hdr = info->cci_rpc->cr_output;

		raw->rc    = hdr->rc;
		raw->epoch = hdr->epoch;
	}
}

static bool
raw_is_done(void *arg)
{
	return ((struct raw *)arg)->done;
}

/** Stands for the task whose context a raw request uses; never run. */
static int
no_body(tse_task_t *task)
{
	return 0;
}

/** A conditional insert as the client sends it, with this name. */
static struct raw
raw_insert_settled(daos_obj_id_t oid, const char *dkey, uint64_t hlc, bool again, uint64_t settled)
{
	struct raw        raw = {0};
	tse_task_t       *task;
	struct dc_ctx    *dctx;
	crt_rpc_t        *rpc;
	struct obj_rw_in *in;
	daos_iod_t        iod = {.iod_name = oc_key("a"), .iod_type = DAOS_IOD_SINGLE, .iod_size = 3, .iod_nr = 1};
	crt_endpoint_t    ep  = {.ep_tag = OBJ_TAG_OF_TGT(0)};

	assert_int_equal(dc_task_create(no_body, NULL, NULL, &task), 0);
	dctx = dc_task2dctx(task);
	dc_ctx_lock(dctx);
	assert_int_equal(crt_req_create(dc_ctx_crt(dctx), &ep, OBJ_OPC(OBJ_OPC_UPDATE), &rpc), 0);
	in = rpc->cr_input;
	memcpy(in->hdr.pool.b, (uuid_t){1, 2, 3, 4}, 16);
	memcpy(in->hdr.cont.b, (uuid_t){5, 6, 7, 8}, 16);
	memcpy(in->hdr.hdl.b, (uuid_t){9, 10, 11, 12}, 16);
	in->hdr.oid         = (daos_unit_oid_t){.id_pub = oid};
	in->hdr.map_version = fake.server_map_version;
	in->hdr.flags       = again ? OBJ_RF_RESEND : 0;
	in->hdr.conds       = DAOS_COND_DKEY_INSERT;
	in->hdr.dti         = (struct dtx_id){.uuid = "a client of us", .hlc = hlc};
	in->hdr.settled     = settled;
	in->dkey            = oc_key(dkey);
	in->iods            = (struct obj_iods){.nr = 1, .v = &iod};
	d_iov_set(&in->data, "abc", 3);
	(void)crt_req_send(rpc, raw_done, &raw);
	dc_ctx_unlock(dctx);
	assert_int_equal(dc_ctx_wait(dctx, 10 * 1000 * 1000, raw_is_done, &raw), 0);
	dc_task_free(task);
	return raw;
}

static struct raw
raw_insert(daos_obj_id_t oid, const char *dkey, uint64_t hlc, bool again)
{
	return raw_insert_settled(oid, dkey, hlc, again, 0);
}

static uint64_t
now_hlc(void)
{
	return hlc_get(client_hlc(cl));
}

static void
restart_engine(uint32_t idx)
{
	struct restarter r = {.idx = idx};

	restart(&r);
}

static void
test_a_second_copy_is_answered_not_done(void **state)
{
	daos_obj_id_t oid   = oc_oid(2, DAOS_OT_MULTI_HASHED, OC_S1);
	uint64_t      id = now_hlc(), id2 = now_hlc();
	struct raw    first = raw_insert(oid, "d", id, false), second = raw_insert(oid, "d", id, true);
	struct raw    other = raw_insert(oid, "d", id2, false), again = raw_insert(oid, "d", id2, true);

	(void)state;
	assert_int_equal(first.rc, 0);
	assert_int_equal(second.rc, 0);
	assert_true(first.epoch != 0 && first.epoch == second.epoch);
	assert_int_equal(other.rc, -DER_EXIST);
	assert_int_equal(again.rc, -DER_EXIST);
	assert_int_equal(raw_insert(oid, "e", 0, false).rc, -DER_PROTO);
}

static void
test_a_second_copy_is_known_after_a_restart(void **state)
{
	daos_obj_id_t oid = oc_oid(4, DAOS_OT_MULTI_HASHED, OC_S1);
	uint64_t      id = now_hlc(), old = id - hlc_span_from_ns(3700 * NSEC_PER_SEC);
	struct raw    first = raw_insert(oid, "d", id, false), second;

	(void)state;
	assert_int_equal(first.rc, 0);
	restart_engine(0);
	second = raw_insert(oid, "d", id, true);
	assert_int_equal(second.rc, 0);
	assert_int_equal(second.epoch, first.epoch);
	assert_int_equal(raw_insert(oid, "d", now_hlc(), true).rc, -DER_EXIST);
	/* one of which nobody can know any more */
	assert_int_equal(raw_insert(oid, "e", old, true).rc, -DER_TX_UNCERTAIN);
	assert_int_equal(raw_insert(oid, "e", old + 1, false).rc, 0);
}

static void
test_a_settled_change_is_not_done(void **state)
{
	daos_obj_id_t oid = oc_oid(5, DAOS_OT_MULTI_HASHED, OC_S1);
	uint64_t      delayed = now_hlc(), id = now_hlc();

	(void)state;
	assert_int_equal(raw_insert_settled(oid, "d", id, false, id).rc, 0);
	assert_int_equal(raw_insert_settled(oid, "e", delayed, false, delayed).rc, -DER_CANCELED);
	assert_int_equal(raw_insert_settled(oid, "e", now_hlc(), false, id).rc, 0);
}

/** However many changes there were, ids of those that are settled go. */
static void
test_settled_ids_are_forgotten(void **state)
{
	daos_handle_t oh = open_obj(6, OC_S1);
	char          dkey[16];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		snprintf(dkey, sizeof(dkey), "%d", i % 50);
		assert_int_equal(oc_put(oh, dkey, "a", "x", 1, 0), 0);
	}
	assert_true((fake_ids_nr(&fw, 0) + fake_ids_nr(&fw, 1)) >= 1);
	assert_true((fake_ids_nr(&fw, 0) + fake_ids_nr(&fw, 1)) <= 2 * (128 + 64));
	assert_int_equal(oc_close(oh), 0);
}

/** Who finds a name gone, or there, never met his own work. */
static void
test_own_work_is_not_met(void **state)
{
	struct restarter r  = {.idx = 0};
	daos_handle_t    oh = open_obj(77, OC_S1);
	daos_key_t       dkey = oc_key("d");

	(void)state;
	for (r.idx = 0; r.idx < 2; r.idx++) /* one of them has the shard */
		fake_engine_stop(&fw, r.idx);
	assert_int_equal(plat_thread_create("restarter", start_both, &r, &r.thread), 0);
	assert_int_equal(oc_put(oh, "d", "a", "x", 1, DAOS_COND_DKEY_INSERT), 0);
	plat_thread_join(r.thread);
	assert_int_equal(oc_punch_dkeys(oh, DAOS_COND_PUNCH, 1, &dkey), 0);
	assert_int_equal(oc_punch_dkeys(oh, DAOS_COND_PUNCH, 1, &dkey), -DER_NONEXIST);
	assert_int_equal(oc_close(oh), 0);
}

/* ---- many at a time ---- */

#define AT_ONCE 64

static void
test_many_at_a_time(void **state)
{
	daos_handle_t oh = open_obj(3, OC_SX), eq = {0};
	daos_event_t  evs[AT_ONCE], *got[AT_ONCE];
	daos_key_t    dkeys[AT_ONCE];
	char          names[AT_ONCE][16];
	daos_iod_t    iods[AT_ONCE];
	d_iov_t       iovs[AT_ONCE];
	d_sg_list_t   sgls[AT_ONCE];
	unsigned char *bufs[AT_ONCE];
	size_t        bytes = 40000;

	(void)state;
	assert_int_equal(daos_eq_create(&eq), 0);
	for (int round = 0; round < 2; round++) { /* write, read */
		uint32_t done = 0;

		for (int i = 0; i < AT_ONCE; i++) {
			daos_obj_rw_t *args;
			tse_task_t    *task;

			snprintf(names[i], sizeof(names[i]), "d%d", i);
			dkeys[i] = oc_key(names[i]);
			if (round == 0)
				bufs[i] = malloc(bytes);
			memset(bufs[i], round == 0 ? i + 1 : 0, bytes);
			d_iov_set(&iovs[i], bufs[i], bytes);
			sgls[i] = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &iovs[i]};
			iods[i] = (daos_iod_t){.iod_name = oc_key("a"), .iod_type = DAOS_IOD_SINGLE,
					       .iod_nr = 1, .iod_size = bytes};
			assert_int_equal(daos_event_init(&evs[i], eq, NULL), 0);
			assert_int_equal(dc_task_create(round == 0 ? dc_obj_update_task : dc_obj_fetch_task, NULL,
							&evs[i], &task), 0);
			args  = dc_task_get_args(task);
			*args = (daos_obj_rw_t){.oh = oh, .dkey = &dkeys[i], .nr = 1, .iods = &iods[i],
						.sgls = &sgls[i]};
			assert_int_equal(dc_task_schedule(task, true), 0);
		}
		while (done < AT_ONCE) {
			int nr = daos_eq_poll(eq, 1, DAOS_EQ_WAIT, AT_ONCE, got);

			assert_true(nr > 0);
			for (int i = 0; i < nr; i++) {
				assert_int_equal(got[i]->ev_error, 0);
				assert_int_equal(daos_event_fini(got[i]), 0);
			}
			done += (uint32_t)nr;
		}
	}
	for (int i = 0; i < AT_ONCE; i++) {
		for (size_t b = 0; b < bytes; b++)
			assert_int_equal(bufs[i][b], i + 1);
		free(bufs[i]);
	}
	assert_int_equal(daos_eq_destroy(eq, 0), 0);
	assert_int_equal(oc_close(oh), 0);
}

/* ---- of several inserters one wins ---- */

struct inserter {
	struct plat_thread *thread;
	daos_handle_t       oh;
	_Atomic int        *won; /**< [20] */
};

static void
insert_all(void *arg)
{
	struct inserter *in = arg;
	char             name[16];

	client_set_current(cl);
	for (int i = 0; i < 20; i++) {
		int rc;

		snprintf(name, sizeof(name), "race %d", i);
		rc = oc_put(in->oh, name, "a", "1", 1, DAOS_COND_DKEY_INSERT);
		assert_true(rc == 0 || rc == -DER_EXIST);
		in->won[i] += rc == 0;
	}
	client_set_current(NULL);
}

static void
test_one_inserter_wins(void **state)
{
	daos_handle_t   oh      = open_obj(4, OC_S1);
	_Atomic int     won[20] = {0};
	struct inserter in[4];

	(void)state;
	for (int t = 0; t < 4; t++) {
		in[t] = (struct inserter){.oh = oh, .won = won};
		assert_int_equal(plat_thread_create("inserter", insert_all, &in[t], &in[t].thread), 0);
	}
	for (int t = 0; t < 4; t++)
		plat_thread_join(in[t].thread);
	for (int i = 0; i < 20; i++)
		assert_int_equal(won[i], 1);
	assert_int_equal(oc_close(oh), 0);
}

/** A space that is full says so, and takes what is small again after something was removed. */
static void
test_full_target(void **state)
{
	daos_handle_t oh    = open_obj(5, OC_S1);
	size_t        bytes = 4u << 20;
	char         *buf   = malloc(bytes), name[16];
	int           rc    = 0, nr;

	(void)state;
	memset(buf, 5, bytes);
	for (nr = 0; nr < 100 && rc == 0; nr++) {
		snprintf(name, sizeof(name), "fill %d", nr);
		rc = oc_put(oh, name, "a", buf, bytes, 0);
	}
	assert_int_equal(rc, -DER_NOSPACE);
	assert_in_range(nr, 5, 20);
	for (int i = 0; i < nr - 1; i++) {
		size_t got = 0;

		snprintf(name, sizeof(name), "fill %d", i);
		assert_int_equal(oc_get(oh, name, "a", buf, bytes, &got), 0);
		assert_int_equal(got, bytes);
	}
	assert_int_equal(oc_punch(oh, 0), 0);
	free(buf);
	assert_int_equal(oc_close(oh), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_second_copy_is_answered_not_done),
	    cmocka_unit_test(test_many_at_a_time),
	    cmocka_unit_test(test_one_inserter_wins),
	    cmocka_unit_test(test_restarts_are_pauses),
	    cmocka_unit_test(test_a_second_copy_is_known_after_a_restart),
	    cmocka_unit_test(test_a_settled_change_is_not_done),
	    cmocka_unit_test(test_settled_ids_are_forgotten),
	    cmocka_unit_test(test_own_work_is_not_met),
	    cmocka_unit_test(test_full_target),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
