/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * An engine with two devices, a target on each. One device fails: what lies on it is refused, the other target goes
 * on; after a restart with the device as good as new all that was acknowledged is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <daos.h>
#include "bio/bio_ram.h"
#include "object_calls.h"
#include "testcluster.h"

#define BIG_BYTES 9000u

struct place {
	daos_handle_t oh;
	int           acked; /**< values 0 .. acked - 1 were */
};

static struct testcluster *tc;
static struct client      *client;
static daos_handle_t       poh, coh;
static struct place        places[2]; /**< an object on each target */

static void
objs_open(void)
{
	unsigned seen = 0;

	for (uint64_t n = 1; seen != 3; n++) {
		daos_obj_id_t oid = {.lo = n};
		daos_handle_t oh  = {0};
		uint32_t      nr  = 1, tgt;
		d_rank_t      rank;

		assert_in_range(n, 1, 100);
		assert_int_equal(daos_obj_generate_oid(coh, &oid, DAOS_OT_MULTI_HASHED, OC_S1, 0, 0), 0);
		assert_int_equal(daos_obj_open(coh, oid, DAOS_OO_RW, &oh, NULL), 0);
		assert_int_equal(dc_obj_shards(client, oh, &nr, &rank, &tgt), 0);
		assert_int_equal(nr, 1);
		if (seen & (1u << tgt)) {
			assert_int_equal(daos_obj_close(oh, NULL), 0);
			continue;
		}
		places[tgt].oh = oh;
		seen |= 1u << tgt;
	}
}

static void
objs_close(void)
{
	for (int t = 0; t < 2; t++)
		assert_int_equal(daos_obj_close(places[t].oh, NULL), 0);
}

static int
start(void **state)
{
	(void)state;
	memset(places, 0, sizeof(places));
	tc = tc_start(&(struct tc_opts){.engine_nr = 1, .tgt_nr = 2, .dev_nr = 2, .dev_bytes = 400u << 20, .power_loss = true});
	tc_pool_create_sized(tc, "pool", 64u << 20, 128u << 20, NULL);
	client = tc_client_start(tc);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &poh, NULL, NULL), 0);
	assert_int_equal(daos_cont_create_with_label(poh, "cont", NULL, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(poh, "cont", DAOS_COO_RW, &coh, NULL, NULL), 0);
	objs_open();
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	objs_close();
	assert_int_equal(daos_cont_close(coh, NULL), 0);
	assert_int_equal(daos_pool_disconnect(poh, NULL), 0);
	tc_client_stop(tc, client);
	tc_stop(tc);
	return 0;
}

/** Value @i: every third is large enough for the data blob. */
static size_t
value_of(int i, char *buf)
{
	memset(buf, 'a' + i % 26, BIG_BYTES);
	return i % 3 == 0 ? BIG_BYTES : 100;
}

static int
put_next(int tgt)
{
	char   name[32], buf[BIG_BYTES];
	size_t bytes = value_of(places[tgt].acked, buf);
	int    rc;

	snprintf(name, sizeof(name), "value %d", places[tgt].acked);
	rc = oc_put(places[tgt].oh, name, "a", buf, bytes, 0);
	places[tgt].acked += rc == 0;
	return rc;
}

static int
get_one(int tgt, int i)
{
	char   name[32], buf[BIG_BYTES], want[BIG_BYTES];
	size_t got, bytes = value_of(i, want);
	int    rc;

	snprintf(name, sizeof(name), "value %d", i);
	rc = oc_get(places[tgt].oh, name, "a", buf, sizeof(buf), &got);
	if (rc == 0) {
		assert_int_equal(got, bytes);
		assert_memory_equal(buf, want, got);
	}
	return rc;
}

static void
works(int tgt)
{
	for (int i = 0; i < 50; i++)
		assert_int_equal(put_next(tgt), 0);
	for (int i = 0; i < places[tgt].acked; i++)
		assert_int_equal(get_one(tgt, i), 0);
}

static void
refuses(int rc)
{
	assert_true(rc == -DER_IO || rc == -DER_NVME_IO);
}

/** What concerns the pool as a whole. */
static void
pool_works(void)
{
	daos_pool_info_t info = {.pi_bits = DPI_ALL};
	daos_handle_t    poh2 = {0}, coh2 = {0};

	assert_int_equal(daos_pool_query(poh, NULL, &info, NULL, NULL), 0);
	assert_int_equal(info.pi_ntargets, 2);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &poh2, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(poh2, "cont", DAOS_COO_RW, &coh2, NULL, NULL), 0);
	assert_int_equal(daos_cont_close(coh2, NULL), 0);
	assert_int_equal(daos_pool_disconnect(poh2, NULL), 0);
}

/** A container that is new since the device failed. */
static void
new_container_works(void)
{
	daos_handle_t coh2 = {0}, oh = {0};
	daos_obj_id_t oid;
	uint32_t      nr, tgt = 1;
	d_rank_t      rank;

	assert_int_equal(daos_cont_create_with_label(poh, "new", NULL, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(poh, "new", DAOS_COO_RW, &coh2, NULL, NULL), 0);
	for (uint64_t n = 1; tgt != 0; n++) {
		nr = 1;
		oid = (daos_obj_id_t){.lo = n};
		assert_int_equal(daos_obj_generate_oid(coh2, &oid, DAOS_OT_MULTI_HASHED, OC_S1, 0, 0), 0);
		assert_int_equal(daos_obj_open(coh2, oid, DAOS_OO_RW, &oh, NULL), 0);
		assert_int_equal(dc_obj_shards(client, oh, &nr, &rank, &tgt), 0);
		if (tgt == 0)
			assert_int_equal(oc_put(oh, "d", "a", "x", 1, 0), 0);
		assert_int_equal(daos_obj_close(oh, NULL), 0);
	}
	assert_int_equal(daos_cont_close(coh2, NULL), 0);
}

static void
come_back(void)
{
	tc_engine_stop(tc, 0);
	bio_ram_power_loss(tc_dev_ram(tc, 0, 1), 5);
	tc_engine_start(tc, 0);
	works(0);
	works(1);
}

/** The device refuses to write. */
static void
test_writes_fail(void **state)
{
	(void)state;
	works(0);
	works(1);
	bio_ram_fail_after(tc_dev_ram(tc, 0, 1), 0);
	for (int i = 0; i < 10; i++) {
		refuses(put_next(1));
		works(0);
	}
	pool_works();
	new_container_works();
	come_back();
}

/** It is declared faulty: nothing is read of it either. */
static void
test_faulty(void **state)
{
	struct dss_dev_info info;

	(void)state;
	works(0);
	works(1);
	assert_int_equal(dss_dev_info(tc_engine(tc, 0), 1, &info), 0);
	assert_int_equal(dss_dev_set_faulty(tc_engine(tc, 0), info.uuid), 0);
	assert_int_equal(dss_dev_info(tc_engine(tc, 0), 1, &info), 0);
	assert_true(info.faulty);
	assert_int_equal(dss_dev_info(tc_engine(tc, 0), 0, &info), 0);
	assert_false(info.faulty);
	for (int i = 0; i < 10; i++) {
		refuses(put_next(1));
		refuses(get_one(1, 0)); /* a large one, of the data blob */
		works(0);
	}
	pool_works();
	new_container_works();
	come_back();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_writes_fail, start, stop),
	    cmocka_unit_test_setup_teardown(test_faulty, start, stop),
	};

	return cmocka_run_group_tests_name("object/two_devices", tests, NULL, NULL);
}
