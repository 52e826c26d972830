/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Object classes: names and numbers, dimensions, the class a container picks. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "placement/pl_class.h"

static void
test_names_both_ways(void **state)
{
	char  list[4096], name[MAX_OBJ_CLASS_NAME_LEN];
	char *save = NULL;
	int   nr   = 0;

	(void)state;
	assert_true(daos_oclass_names_list(sizeof(list), list) > 0);
	for (char *at = strtok_r(list, ", ", &save); at; at = strtok_r(NULL, ", ", &save)) {
		int cid = daos_oclass_name2id(at);

		assert_int_not_equal(cid, OC_UNKNOWN);
		assert_int_equal(daos_oclass_id2name((daos_oclass_id_t)cid, name), 0);
		assert_string_equal(name, at);
		nr++;
	}
	assert_int_equal(nr, 143);
	assert_int_equal(daos_oclass_nr(0), 143);
}

static void
test_known_numbers(void **state)
{
	(void)state;
	assert_int_equal(daos_oclass_name2id("S1"), 0x01000001);
	assert_int_equal(daos_oclass_name2id("SX"), 0x0100ffff);
	assert_int_equal(daos_oclass_name2id("RP_2G1"), 0x08000001);
	assert_int_equal(daos_oclass_name2id("RP_3GX"), 0x0900ffff);
	assert_int_equal(daos_oclass_name2id("RP_XSF"), 80);
	assert_int_equal(daos_oclass_name2id("EC_2P1G1"), 0x20000001);
	assert_int_equal(daos_oclass_name2id("EC_16P3GX"), 0x2a00ffff);
}

static void
test_unknown_names(void **state)
{
	char name[MAX_OBJ_CLASS_NAME_LEN], small[8];

	(void)state;
	assert_int_equal(daos_oclass_name2id("S3"), OC_UNKNOWN);
	assert_int_equal(daos_oclass_name2id("EC_2P1G6"), OC_UNKNOWN);
	assert_int_equal(daos_oclass_name2id(""), OC_UNKNOWN);
	assert_int_equal(daos_oclass_name2id(NULL), OC_UNKNOWN);
	assert_int_equal(daos_oclass_id2name(0, name), -1);
	assert_string_equal(name, "UNKNOWN");
	assert_int_equal(daos_oclass_id2name(0x77000001, name), -1);
	assert_int_equal(daos_oclass_id2name(OBJ_CLASS_DEF(OR_RP_1, 3), name), 0);
	assert_string_equal(name, "S3");
	assert_int_equal(daos_oclass_id2name(OBJ_CLASS_DEF(OR_RS_4P2, 7), name), 0);
	assert_string_equal(name, "EC_4P2G7");
	assert_int_equal(daos_oclass_names_list(sizeof(small), small), -DER_OVERFLOW);
	assert_int_equal(daos_oclass_names_list(0, small), -DER_INVAL);
}

static void
test_dimensions(void **state)
{
	struct pl_class cls;

	(void)state;
	assert_int_equal(pl_class_find(OC_S16, &cls), 0);
	assert_true(pl_class_is_plain(&cls));
	assert_int_equal(cls.grp_nr, 16);
	assert_int_equal(pl_class_find(OC_RP_3GX, &cls), 0);
	assert_false(pl_class_is_plain(&cls));
	assert_int_equal(cls.grp_size, 3);
	assert_int_equal(cls.failures_max, 2);
	assert_int_equal(cls.grp_nr, MAX_NUM_GROUPS);
	assert_int_equal(pl_class_find(OC_EC_8P2G4, &cls), 0);
	assert_true(cls.ec);
	assert_int_equal(cls.grp_size, 10);
	assert_int_equal(cls.failures_max, 2);
	assert_int_equal(pl_class_find(OC_RP_XSF, &cls), 0);
	assert_false(pl_class_is_plain(&cls));
	assert_int_equal(pl_class_find(OC_UNKNOWN, &cls), -DER_INVAL);
	assert_int_equal(pl_class_find(OBJ_CLASS_DEF(OR_RP_1, 0), &cls), -DER_INVAL);
	assert_int_equal(pl_class_find(OBJ_CLASS_DEF(OR_RP_1, 0x10000), &cls), -DER_INVAL);
}

struct choice {
	uint32_t            rf, rank_nr, tgt_nr;
	enum daos_otype_t   type;
	daos_oclass_hints_t hints;
	int                 rc;
	daos_oclass_id_t    cid;
};

static void
test_choice_table(void **state)
{
	static const struct choice table[] = {
	    /* no redundancy: arrays and KVs over all targets, the rest on one */
	    {0, 1, 2, DAOS_OT_ARRAY_BYTE, 0, 0, OBJ_CLASS_DEF(OR_RP_1, 2)},
	    {0, 3, 6, DAOS_OT_ARRAY, 0, 0, OBJ_CLASS_DEF(OR_RP_1, 6)},
	    {0, 3, 6, DAOS_OT_KV_HASHED, 0, 0, OBJ_CLASS_DEF(OR_RP_1, 6)},
	    {0, 3, 6, DAOS_OT_MULTI_HASHED, 0, 0, OC_S1},
	    {0, 3, 6, DAOS_OT_MULTI_HASHED, DAOS_OCH_SHD_MAX, 0, OBJ_CLASS_DEF(OR_RP_1, 6)},
	    {0, 3, 6, DAOS_OT_ARRAY, DAOS_OCH_SHD_TINY, 0, OC_S1},
	    {0, 100, 1600, DAOS_OT_ARRAY, DAOS_OCH_SHD_REG, 0, OBJ_CLASS_DEF(OR_RP_1, 400)},
	    {0, 16, 256, DAOS_OT_ARRAY, 0, 0, OBJ_CLASS_DEF(OR_RP_1, 240)},
	    /* redundancy asked for */
	    {0, 4, 8, DAOS_OT_ARRAY, DAOS_OCH_RDD_RP, 0, OBJ_CLASS_DEF(OR_RP_2, 4)},
	    {0, 2, 8, DAOS_OT_ARRAY, DAOS_OCH_RDD_EC, -DER_INVAL, 0},
	    {1, 2, 4, DAOS_OT_MULTI_HASHED, 0, 0, OC_RP_2G1},
	    {1, 6, 12, DAOS_OT_ARRAY, 0, 0, OBJ_CLASS_DEF(OR_RS_4P1, 1)},
	    {1, 3, 3, DAOS_OT_ARRAY, DAOS_OCH_RDD_RP, 0, OC_RP_2G1},
	    {1, 1, 4, DAOS_OT_ARRAY, 0, -DER_INVAL, 0},
	    {2, 8, 8, DAOS_OT_ARRAY, 0, 0, OC_EC_4P2G1},
	    {3, 9, 18, DAOS_OT_ARRAY, DAOS_OCH_SHD_TINY, 0, OC_RP_4G1},
	    {4, 9, 18, DAOS_OT_ARRAY, DAOS_OCH_SHD_TINY, 0, OC_RP_5G1},
	    {5, 9, 18, DAOS_OT_ARRAY, 0, -DER_INVAL, 0},
	    {0, 3, 6, DAOS_OT_ARRAY, DAOS_OCH_SHD_REG | DAOS_OCH_SHD_HI, -DER_INVAL, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(table); i++) {
		const struct choice *c   = &table[i];
		daos_oclass_id_t     cid = 0;

		print_message("row %u\n", i);
		assert_int_equal(
		    pl_class_choose(c->rf, c->rank_nr, c->tgt_nr, c->type, c->hints, &cid), c->rc);
		assert_int_equal(cid, c->cid);
	}
}

static void
test_fit(void **state)
{
	daos_oclass_id_t cid = 0;

	(void)state;
	assert_int_equal(pl_class_fit(OC_SX, 0, 3, 6, &cid), 0);
	assert_int_equal(cid, OC_S6);
	assert_int_equal(pl_class_fit(OC_S2, 0, 1, 2, &cid), 0);
	assert_int_equal(cid, OC_S2);
	assert_int_equal(pl_class_fit(OC_S4, 0, 1, 2, &cid), -DER_INVAL);
	assert_int_equal(pl_class_fit(OC_RP_3GX, 0, 3, 12, &cid), 0);
	assert_int_equal(cid, OC_RP_3G4);
	assert_int_equal(pl_class_fit(OC_RP_3G1, 0, 2, 12, &cid), -DER_INVAL);
	assert_int_equal(pl_class_fit(OC_RP_XSF, 0, 4, 12, &cid), 0);
	assert_int_equal(cid, OC_RP_4G1);
	assert_int_equal(pl_class_fit(OC_UNKNOWN, 0, 4, 12, &cid), -DER_INVAL);
}

static void
test_oid_parts(void **state)
{
	daos_obj_id_t oid = {.lo = 0x1122334455667788, .hi = 0xffffffff9abcdef0};

	(void)state;
	pl_oid_set(&oid, DAOS_OT_ARRAY_BYTE, OC_EC_4P2G12);
	assert_int_equal(oid.lo, 0x1122334455667788);
	assert_int_equal(oid.hi & UINT32_MAX, 0x9abcdef0);
	assert_int_equal(daos_obj_id2type(oid), DAOS_OT_ARRAY_BYTE);
	assert_int_equal(daos_obj_id2class(oid), OC_EC_4P2G12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names_both_ways), cmocka_unit_test(test_known_numbers),
	    cmocka_unit_test(test_unknown_names),   cmocka_unit_test(test_dimensions),
	    cmocka_unit_test(test_choice_table),    cmocka_unit_test(test_fit),
	    cmocka_unit_test(test_oid_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
