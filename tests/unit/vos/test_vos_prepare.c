/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Blocks of a file written before they are needed: values written meanwhile and later are right, free
 * space stays exact at every moment, closing waits.
 */
#include "vos_test_util.h"
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "ult/ult.h"
#include "vos/vos_internal.h"

#define EXT_BYTES 8192u
#define EXT_NR    900u

static int
ext_do(struct rig *rig, uint64_t idx, bool write)
{
	uint64_t    dkey = idx / 100;
	daos_key_t  key;
	daos_recx_t recx = {idx % 100 * EXT_BYTES, EXT_BYTES};
	daos_iod_t  iod = {
	     .iod_type = DAOS_IOD_ARRAY, .iod_size = 1, .iod_nr = 1, .iod_recxs = &recx};
	uint64_t    buf[EXT_BYTES / 8];
	d_iov_t	    iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	uint32_t    i;
	int	    rc;

	for (i = 0; i < EXT_BYTES / 8; i++)
		buf[i] = write ? idx + 1 : 0;
	d_iov_set(&key, &dkey, sizeof(dkey));
	d_iov_set(&iod.iod_name, "a", 1);
	d_iov_set(&iov, buf, sizeof(buf));
	if (write)
		return vos_obj_update(rig->cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), idx + 1, 0, &key, 1,
				      &iod, &sgl);
	rc = vos_obj_fetch(rig->cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), DAOS_EPOCH_MAX, 0, &key, 1,
			   &iod, &sgl);
	for (i = 0; rc == 0 && i < EXT_BYTES / 8; i++)
		assert_int_equal(buf[i], idx + 1);
	return rc;
}

static uint64_t
free_of(struct rig *rig)
{
	struct vos_pool_info info;

	vos_pool_query(rig->pool, &info);
	return info.nvme_free;
}

static void
blocks_are_prepared(void **state)
{
	struct rig rig;
	uint64_t   total;
	uint64_t   i;
	bool	   met_running = false;

	(void)state;
	rig_init(&rig, RIG_FILE, &(struct rig_size){16 << 20, 128 << 20});
	total = free_of(&rig);
	for (i = 0; i < EXT_NR; i++) {
		assert_int_equal(ext_do(&rig, i, true), 0);
		assert_int_equal(free_of(&rig), total - (i + 1) * EXT_BYTES);
		met_running = met_running || rig.pool->prepare.running;
	}
	assert_true(met_running);
	(void)vos_prepare_wait(rig.pool);
	assert_false(rig.pool->prepare.stop);
	assert_true(rig.pool->prepare.hint.blk_off >= rig.pool->prepare.lo);
	assert_true(rig.pool->prepare.hint.blk_off <= rig.pool->prepare.hi);
	assert_int_equal(free_of(&rig), total - EXT_NR * EXT_BYTES);
	for (i = 0; i < EXT_NR; i++)
		assert_int_equal(ext_do(&rig, i, false), 0);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

/** Closed at once after the first write: nothing is under way any more, nothing is lost. */
static void
closing_waits(void **state)
{
	struct rig rig;
	uint64_t   total;
	uint64_t   i;

	(void)state;
	rig_init(&rig, RIG_FILE, &(struct rig_size){16 << 20, 128 << 20});
	total = free_of(&rig);
	for (i = 0; i < 20; i++) {
		assert_int_equal(ext_do(&rig, i, true), 0);
		rig_reopen(&rig);
		assert_int_equal(free_of(&rig), total - (i + 1) * EXT_BYTES);
		assert_int_equal(ext_do(&rig, i, false), 0);
	}
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

/** A small pool, or one without a file, is left alone. */
static void
not_where_space_is_short(void **state)
{
	struct rig rig;
	uint64_t   i;

	(void)state;
	rig_init(&rig, RIG_FILE, &(struct rig_size){16 << 20, 16 << 20});
	for (i = 0; i < 50; i++)
		assert_int_equal(ext_do(&rig, i, true), 0);
	(void)vos_prepare_wait(rig.pool);
	assert_int_equal(rig.pool->prepare.hi, 0);
	rig_fini(&rig);
	rig_init(&rig, RIG_RAM, &(struct rig_size){16 << 20, 128 << 20});
	assert_int_equal(ext_do(&rig, 0, true), 0);
	assert_false(rig.pool->prepare.running);
	rig_fini(&rig);
}

static int
group(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blocks_are_prepared),
	    cmocka_unit_test(closing_waits),
	    cmocka_unit_test(not_where_space_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	return vos_test_run(group);
}
