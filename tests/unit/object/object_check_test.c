/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Keys, conditions, descriptors and buffers: what is accepted, as tables. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/iov.h"
#include "object/obj_check.h"
#include "object/obj_rpc.h"
#include "placement/pl_class.h"

static daos_obj_id_t
oid_of(enum daos_otype_t type)
{
	daos_obj_id_t oid = {.lo = 1};

	pl_oid_set(&oid, type, OC_S1);
	return oid;
}

static d_iov_t
key_of(const void *buf, size_t len)
{
	d_iov_t iov;

	d_iov_set(&iov, (void *)buf, len);
	return iov;
}

static void
test_keys(void **state)
{
	daos_obj_id_t hashed = oid_of(DAOS_OT_MULTI_HASHED), ints = oid_of(DAOS_OT_MULTI_UINT64);
	static char   big[OBJ_KEY_BYTES_MAX + 1];
	uint64_t      num = 5;
	d_iov_t       key = key_of("abc", 3), empty = key_of("abc", 0), none = {0};
	d_iov_t       eight = key_of(&num, 8), huge = key_of(big, sizeof(big)), lies = key;

	(void)state;
	lies.iov_len = 4;
	assert_int_equal(obj_dkey_check(hashed, &key), 0);
	assert_int_equal(obj_dkey_check(hashed, &eight), 0);
	assert_int_equal(obj_dkey_check(ints, &eight), 0);
	assert_int_equal(obj_dkey_check(ints, &key), -DER_INVAL);
	assert_int_equal(obj_akey_check(ints, &key), -DER_INVAL);
	assert_int_equal(obj_akey_check(oid_of(DAOS_OT_ARRAY), &key), 0);
	assert_int_equal(obj_dkey_check(oid_of(DAOS_OT_ARRAY), &key), -DER_INVAL);
	assert_int_equal(obj_dkey_check(hashed, &empty), -DER_INVAL);
	assert_int_equal(obj_dkey_check(hashed, &none), -DER_INVAL);
	assert_int_equal(obj_dkey_check(hashed, NULL), -DER_INVAL);
	assert_int_equal(obj_dkey_check(hashed, &huge), -DER_INVAL);
	assert_int_equal(obj_dkey_check(hashed, &lies), -DER_INVAL);
}

static void
test_conditions(void **state)
{
	static const struct { uint64_t conds, allowed; int rc; } table[] = {
	    {0, OBJ_CONDS_UPDATE, 0},
	    {DAOS_COND_DKEY_INSERT, OBJ_CONDS_UPDATE, 0},
	    {DAOS_COND_DKEY_UPDATE | DAOS_COND_AKEY_INSERT, OBJ_CONDS_UPDATE, 0},
	    {DAOS_COND_DKEY_INSERT | DAOS_COND_DKEY_UPDATE, OBJ_CONDS_UPDATE, -DER_INVAL},
	    {DAOS_COND_AKEY_INSERT | DAOS_COND_AKEY_UPDATE, OBJ_CONDS_UPDATE, -DER_INVAL},
	    {DAOS_COND_PER_AKEY, OBJ_CONDS_UPDATE, 0},
	    {DAOS_COND_PER_AKEY | DAOS_COND_AKEY_UPDATE, OBJ_CONDS_UPDATE, -DER_INVAL},
	    {DAOS_COND_DKEY_FETCH, OBJ_CONDS_UPDATE, -DER_INVAL},
	    {DAOS_COND_PUNCH, OBJ_CONDS_UPDATE, -DER_INVAL},
	    {DAOS_COND_DKEY_FETCH | DAOS_COND_AKEY_FETCH, OBJ_CONDS_FETCH, 0},
	    {DAOS_COND_DKEY_INSERT, OBJ_CONDS_FETCH, -DER_INVAL},
	    {DAOS_COND_PUNCH, DAOS_COND_PUNCH, 0},
	    {1ULL << 40, OBJ_CONDS_UPDATE, -DER_INVAL},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(table); i++)
		assert_int_equal(obj_conds_check(table[i].conds, table[i].allowed), table[i].rc);
}

struct iod_row {
	daos_iod_type_t  type;
	uint64_t         size;
	uint32_t         nr;
	daos_recx_t      recxs[3];
	bool             no_recxs;
	int              update_rc, fetch_rc;
};

static void
test_descriptors(void **state)
{
	static const struct iod_row table[] = {
	    {DAOS_IOD_SINGLE, 10, 1, {{0}}, true, 0, 0},
	    {DAOS_IOD_SINGLE, 0, 1, {{0}}, true, 0, 0},
	    {DAOS_IOD_SINGLE, 10, 0, {{0}}, true, -DER_INVAL, -DER_INVAL},
	    {DAOS_IOD_SINGLE, 10, 2, {{0}}, true, -DER_INVAL, -DER_INVAL},
	    {DAOS_IOD_NONE, 10, 1, {{0}}, true, -DER_INVAL, -DER_INVAL},
	    {(daos_iod_type_t)3, 10, 1, {{0}}, true, -DER_INVAL, -DER_INVAL},
	    {DAOS_IOD_ARRAY, 1, 1, {{0, 10}}, false, 0, 0},
	    {DAOS_IOD_ARRAY, 1, 0, {{0, 10}}, false, -DER_INVAL, -DER_INVAL},
	    {DAOS_IOD_ARRAY, 1, 1, {{0}}, true, -DER_INVAL, -DER_INVAL},
	    {DAOS_IOD_ARRAY, 1, 1, {{5, 0}}, false, -DER_INVAL, -DER_INVAL},
	    {DAOS_IOD_ARRAY, 1, 2, {{0, 10}, {10, 5}}, false, 0, 0},
	    {DAOS_IOD_ARRAY, 1, 2, {{0, 10}, {9, 5}}, false, -DER_INVAL, 0},
	    {DAOS_IOD_ARRAY, 1, 3, {{20, 5}, {0, 10}, {10, 10}}, false, 0, 0},
	    {DAOS_IOD_ARRAY, 1, 3, {{20, 5}, {0, 10}, {5, 16}}, false, -DER_INVAL, 0},
	    {DAOS_IOD_ARRAY, 1, 3, {{7, 1}, {3, 1}, {7, 1}}, false, -DER_INVAL, 0},
	    {DAOS_IOD_ARRAY, 1, 1, {{UINT64_MAX - 4, 4}}, false, 0, 0},
	    {DAOS_IOD_ARRAY, 1, 1, {{UINT64_MAX - 4, 5}}, false, -DER_INVAL, -DER_INVAL},
	    {DAOS_IOD_ARRAY, 1ULL << 40, 1, {{0, 1ULL << 30}}, false, -DER_OVERFLOW, -DER_OVERFLOW},
	    {DAOS_IOD_ARRAY, 1, 2, {{0, 1ULL << 63}, {1ULL << 63, (1ULL << 63) - 1}}, false, 0, 0},
	    {DAOS_IOD_ARRAY, 2, 2, {{0, 1ULL << 63}, {1ULL << 63, 1}}, false, -DER_OVERFLOW, -DER_OVERFLOW},
	};
	daos_obj_id_t oid = oid_of(DAOS_OT_MULTI_HASHED);

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(table); i++) {
		const struct iod_row *row = &table[i];
		daos_recx_t           recxs[3];
		daos_iod_t            iod = {.iod_name  = key_of("a", 1),
					     .iod_type  = row->type,
					     .iod_size  = row->size,
					     .iod_nr    = row->nr,
					     .iod_recxs = row->no_recxs ? NULL : recxs};

		memcpy(recxs, row->recxs, sizeof(recxs));
		print_message("row %u\n", i);
		assert_int_equal(obj_iods_check(oid, OBJ_IO_UPDATE, 0, 1, &iod), row->update_rc);
		assert_int_equal(obj_iods_check(oid, OBJ_IO_FETCH, 0, 1, &iod), row->fetch_rc);
	}
}

static void
test_counts_and_conditions_of_descriptors(void **state)
{
	daos_obj_id_t oid = oid_of(DAOS_OT_MULTI_HASHED);
	daos_iod_t    iod = {.iod_name = key_of("a", 1), .iod_type = DAOS_IOD_SINGLE, .iod_nr = 1,
			     .iod_flags = DAOS_COND_AKEY_INSERT};

	(void)state;
	assert_int_equal(obj_iods_check(oid, OBJ_IO_UPDATE, 0, 0, &iod), -DER_INVAL);
	assert_int_equal(obj_iods_check(oid, OBJ_IO_UPDATE, 0, 1, NULL), -DER_INVAL);
	assert_int_equal(obj_iods_check(oid, OBJ_IO_UPDATE, 0, OBJ_IOD_NR_MAX + 1, &iod), -DER_INVAL);
	assert_int_equal(obj_iods_check(oid, OBJ_IO_UPDATE, DAOS_COND_PER_AKEY, 1, &iod), 0);
	assert_int_equal(obj_iods_check(oid, OBJ_IO_FETCH, DAOS_COND_PER_AKEY, 1, &iod), -DER_INVAL);
	iod.iod_name = key_of("", 0);
	assert_int_equal(obj_iods_check(oid, OBJ_IO_UPDATE, 0, 1, &iod), -DER_INVAL);
}

static void
test_buffers(void **state)
{
	char        bytes[16] = {0};
	d_iov_t     iovs[2] = {key_of(bytes, 6), key_of(bytes + 6, 4)};
	d_sg_list_t sgl     = {.sg_nr = 2, .sg_iovs = iovs};
	daos_recx_t recx    = {0, 10};
	daos_iod_t  iod     = {.iod_name = key_of("a", 1), .iod_type = DAOS_IOD_ARRAY, .iod_size = 1,
			       .iod_nr = 1, .iod_recxs = &recx};

	(void)state;
	assert_int_equal(obj_io_bufs_check(OBJ_IO_UPDATE, 1, &iod, &sgl), 0);
	assert_int_equal(obj_io_bufs_check(OBJ_IO_FETCH, 1, &iod, &sgl), 0);
	assert_int_equal(obj_io_bufs_check(OBJ_IO_UPDATE, 1, &iod, NULL), -DER_INVAL);
	assert_int_equal(obj_io_bufs_check(OBJ_IO_FETCH, 1, &iod, NULL), 0);
	iovs[1].iov_len = 3; /* room for ten, data of nine */
	assert_int_equal(obj_io_bufs_check(OBJ_IO_UPDATE, 1, &iod, &sgl), -DER_REC2BIG);
	assert_int_equal(obj_io_bufs_check(OBJ_IO_FETCH, 1, &iod, &sgl), 0);
	iovs[1].iov_buf_len = 3;
	assert_int_equal(obj_io_bufs_check(OBJ_IO_FETCH, 1, &iod, &sgl), -DER_REC2BIG);
	iod.iod_size = 0; /* not known: whatever fits */
	assert_int_equal(obj_io_bufs_check(OBJ_IO_FETCH, 1, &iod, &sgl), 0);
	assert_int_equal(obj_io_bufs_check(OBJ_IO_UPDATE, 1, &iod, NULL), 0);
	iovs[1].iov_len = 4;
	assert_int_equal(obj_sgl_check(&sgl), -DER_INVAL);
	iovs[1] = (d_iov_t){.iov_buf_len = 4};
	assert_int_equal(obj_sgl_check(&sgl), -DER_INVAL);
	iovs[1].iov_buf_len = 0;
	assert_int_equal(obj_sgl_check(&sgl), 0);
	sgl.sg_iovs = NULL;
	assert_int_equal(obj_sgl_check(&sgl), -DER_INVAL);
	assert_int_equal(obj_sgl_check(NULL), -DER_INVAL);
}

static void
test_sums(void **state)
{
	daos_recx_t recxs[2] = {{0, 3}, {9, 4}};
	daos_iod_t  iods[2]  = {{.iod_type = DAOS_IOD_ARRAY, .iod_size = 5, .iod_nr = 2, .iod_recxs = recxs},
				{.iod_type = DAOS_IOD_SINGLE, .iod_size = 100, .iod_nr = 1}};
	uint64_t    bytes    = 0;

	(void)state;
	assert_int_equal(obj_iods_bytes(2, iods, &bytes), 0);
	assert_int_equal(bytes, 135);
	iods[1].iod_size = UINT64_MAX;
	assert_int_equal(obj_iods_bytes(2, iods, &bytes), -DER_OVERFLOW);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_counts_and_conditions_of_descriptors),
	    cmocka_unit_test(test_buffers),
	    cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
