/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Key-value stores on objects in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client_fake.h"

static daos_handle_t kv;

static int
setup(void **state)
{
	daos_obj_id_t oid = {.lo = 5};

	fake_start();
	fake.async = true;
	assert_int_equal(
	    daos_obj_generate_oid((daos_handle_t){1}, &oid, DAOS_OT_KV_HASHED, 0, 0, 0), 0);
	return daos_kv_open((daos_handle_t){1}, oid, DAOS_OO_RW, &kv, NULL);
}

static int
teardown(void **state)
{
	int rc = daos_kv_close(kv, NULL);

	assert_int_equal(fake.open_nr, 0);
	fake_stop();
	return rc;
}

static void
put_get_remove(void **state)
{
	char	    buf[32];
	daos_size_t size = sizeof(buf);

	assert_int_equal(daos_kv_put(kv, DAOS_TX_NONE, 0, "key", 6, "value", NULL), 0);
	assert_int_equal(daos_kv_get(kv, DAOS_TX_NONE, 0, "key", &size, buf, NULL), 0);
	assert_int_equal(size, 6);
	assert_string_equal(buf, "value");
	size = DAOS_REC_ANY;
	assert_int_equal(daos_kv_get(kv, DAOS_TX_NONE, 0, "key", &size, NULL, NULL), 0);
	assert_int_equal(size, 6);
	size = 3;
	assert_int_equal(daos_kv_get(kv, DAOS_TX_NONE, 0, "key", &size, buf, NULL), -DER_REC2BIG);
	assert_int_equal(size, 6);
	assert_int_equal(daos_kv_remove(kv, DAOS_TX_NONE, 0, "key", NULL), 0);
	size = sizeof(buf);
	assert_int_equal(daos_kv_get(kv, DAOS_TX_NONE, 0, "key", &size, buf, NULL), 0);
	assert_int_equal(size, 0);
}

static void
conditions(void **state)
{
	char	    buf[8];
	daos_size_t size = sizeof(buf);

	assert_int_equal(daos_kv_get(kv, DAOS_TX_NONE, DAOS_COND_KEY_GET, "a", &size, buf, NULL),
			 -DER_NONEXIST);
	assert_int_equal(daos_kv_remove(kv, DAOS_TX_NONE, DAOS_COND_KEY_REMOVE, "a", NULL),
			 -DER_NONEXIST);
	assert_int_equal(daos_kv_put(kv, DAOS_TX_NONE, DAOS_COND_KEY_INSERT, "a", 1, "x", NULL), 0);
	assert_int_equal(daos_kv_put(kv, DAOS_TX_NONE, DAOS_COND_KEY_INSERT, "a", 1, "y", NULL),
			 -DER_EXIST);
}

static void
refuses(void **state)
{
	daos_size_t   size = 1;
	daos_handle_t oh;
	char	      c;

	assert_int_equal(daos_kv_put(kv, DAOS_TX_NONE, 0, NULL, 1, "x", NULL), -DER_INVAL);
	assert_int_equal(daos_kv_put(kv, DAOS_TX_NONE, 0, "", 1, "x", NULL), -DER_INVAL);
	assert_int_equal(daos_kv_put(kv, DAOS_TX_NONE, 0, "a", 0, "x", NULL), -DER_INVAL);
	assert_int_equal(daos_kv_get(kv, DAOS_TX_NONE, 0, "a", NULL, &c, NULL), -DER_INVAL);
	assert_int_equal(daos_kv_get(kv, DAOS_TX_NONE, 0, "a", &size, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_kv_get((daos_handle_t){3}, DAOS_TX_NONE, 0, "a", &size, &c, NULL),
			 -DER_NO_HDL);
	assert_int_equal(
	    daos_kv_open((daos_handle_t){1}, (daos_obj_id_t){.lo = 1}, DAOS_OO_RW, &oh, NULL),
	    -DER_INVAL);
}

static void
list_and_destroy(void **state)
{
	daos_key_desc_t kds[16];
	char		keys[256], name[8];
	d_iov_t		iov;
	d_sg_list_t	sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_anchor_t	anchor = {0};
	uint32_t	nr = 16;

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		assert_int_equal(daos_kv_put(kv, DAOS_TX_NONE, 0, name, 1, "v", NULL), 0);
	}
	d_iov_set(&iov, keys, sizeof(keys));
	assert_int_equal(daos_kv_list(kv, DAOS_TX_NONE, &nr, kds, &sgl, &anchor, NULL), 0);
	assert_int_equal(nr, 10);
	assert_int_equal(kds[9].kd_key_len, 4);
	assert_memory_equal(keys, "key0key1", 8);
	assert_int_equal(daos_kv_destroy(kv, DAOS_TX_NONE, NULL), 0);
	assert_int_equal(fake_value_nr(), 0);
}

static void
open_that_fails(void **state)
{
	daos_obj_id_t oid = {.lo = 6};
	daos_handle_t oh;

	assert_int_equal(
	    daos_obj_generate_oid((daos_handle_t){1}, &oid, DAOS_OT_KV_LEXICAL, 0, 0, 0), 0);
	fake.fail_rc = -DER_NO_PERM;
	fake.fail_in = 1;
	assert_int_equal(daos_kv_open((daos_handle_t){1}, oid, DAOS_OO_RW, &oh, NULL),
			 -DER_NO_PERM);
	fake.fail_rc = 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(put_get_remove),   CASE(conditions),	   CASE(refuses),
	    CASE(list_and_destroy), CASE(open_that_fails),
	};

	return cmocka_run_group_tests_name("client/kv", tests, NULL, NULL);
}
