/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "object/obj_resend.h"

static struct dtx_id
dti_of(uint8_t client, uint64_t hlc)
{
	return (struct dtx_id){.uuid = {client}, .hlc = hlc};
}

static void
test_results_are_remembered(void **state)
{
	struct obj_resend_tab  tab;
	struct obj_resend_ent *a, *b, *none = NULL;
	struct dtx_id          one = dti_of(1, 1), other = dti_of(2, 1);
	int                    rc = 0;
	uint64_t               epoch = 0;

	(void)state;
	obj_resend_init(&tab, 10, 10);
	assert_int_equal(obj_resend_begin(&tab, &one, &a, &rc, &epoch), OBJ_RESEND_NEW);
	assert_int_equal(obj_resend_begin(&tab, &one, &none, &rc, &epoch), OBJ_RESEND_RUNNING);
	assert_int_equal(obj_resend_begin(&tab, &other, &b, &rc, &epoch), OBJ_RESEND_NEW);
	obj_resend_end(&tab, a, -DER_EXIST, 77, true);
	assert_int_equal(obj_resend_begin(&tab, &one, &none, &rc, &epoch), OBJ_RESEND_ENDED);
	assert_int_equal(rc, -DER_EXIST);
	assert_int_equal(epoch, 77);
	obj_resend_end(&tab, b, -DER_AGAIN, 78, false); /* nothing happened: it may be tried anew */
	assert_int_equal(obj_resend_begin(&tab, &other, &b, &rc, &epoch), OBJ_RESEND_NEW);
	obj_resend_end(&tab, b, 0, 79, true);
	assert_null(none);
	obj_resend_fini(&tab);
}

static void
test_oldest_results_go_first(void **state)
{
	struct obj_resend_tab  tab;
	struct obj_resend_ent *ent, *running;
	struct dtx_id          dti = dti_of(9, 1);
	int                    rc;
	uint64_t               epoch;

	(void)state;
	obj_resend_init(&tab, 100, 10);
	assert_int_equal(obj_resend_begin(&tab, &dti, &running, &rc, &epoch), OBJ_RESEND_NEW);
	for (uint64_t i = 1; i <= 1000; i++) {
		dti = dti_of(1, i);
		assert_int_equal(obj_resend_begin(&tab, &dti, &ent, &rc, &epoch), OBJ_RESEND_NEW);
		obj_resend_end(&tab, ent, 0, i, true);
	}
	assert_int_equal(tab.ended_nr, 100);
	for (uint64_t i = 901; i <= 1000; i++) {
		dti = dti_of(1, i);
		assert_int_equal(obj_resend_begin(&tab, &dti, &ent, &rc, &epoch), OBJ_RESEND_ENDED);
		assert_int_equal(epoch, i);
	}
	dti = dti_of(9, 1);
	assert_int_equal(obj_resend_begin(&tab, &dti, &ent, &rc, &epoch), OBJ_RESEND_RUNNING);
	dti = dti_of(1, 900);
	assert_int_equal(obj_resend_begin(&tab, &dti, &ent, &rc, &epoch), OBJ_RESEND_NEW);
	obj_resend_end(&tab, ent, 0, 0, true);
	obj_resend_end(&tab, running, 0, 0, true);
	obj_resend_fini(&tab);
}

static void
test_settled_changes_are_refused(void **state)
{
	struct obj_resend_tab  tab;
	struct obj_resend_ent *ent;
	struct dtx_id          old = dti_of(1, 10), at = dti_of(1, 20), other = dti_of(2, 10);
	int                    rc;
	uint64_t               epoch;

	(void)state;
	obj_resend_init(&tab, 10, 10);
	assert_false(obj_resend_is_settled(&tab, &old));
	obj_resend_settle(&tab, old.uuid, 20);
	obj_resend_settle(&tab, old.uuid, 15); /* requests overtake one another */
	assert_true(obj_resend_is_settled(&tab, &old));
	assert_false(obj_resend_is_settled(&tab, &at));
	assert_false(obj_resend_is_settled(&tab, &other));
	assert_int_equal(obj_resend_begin(&tab, &old, &ent, &rc, &epoch), OBJ_RESEND_SETTLED);
	assert_int_equal(obj_resend_begin(&tab, &at, &ent, &rc, &epoch), OBJ_RESEND_NEW);
	obj_resend_end(&tab, ent, 0, 5, true);
	obj_resend_settle(&tab, at.uuid, 30);
	assert_int_equal(obj_resend_begin(&tab, &at, &ent, &rc, &epoch), OBJ_RESEND_ENDED); /* its result is here still */
	obj_resend_fini(&tab);
}

static void
test_clients_long_unheard_of_go_first(void **state)
{
	struct obj_resend_tab tab;
	struct dtx_id         dti;

	(void)state;
	obj_resend_init(&tab, 10, 4);
	for (uint8_t c = 1; c <= 4; c++)
		obj_resend_settle(&tab, dti_of(c, 1).uuid, 100);
	obj_resend_settle(&tab, dti_of(1, 1).uuid, 100);
	obj_resend_settle(&tab, dti_of(5, 1).uuid, 100);
	assert_int_equal(tab.client_nr, 4);
	for (uint8_t c = 1; c <= 5; c++) {
		dti = dti_of(c, 1);
		assert_int_equal(obj_resend_is_settled(&tab, &dti), c != 2);
	}
	obj_resend_fini(&tab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_results_are_remembered),
	    cmocka_unit_test(test_oldest_results_go_first),
	    cmocka_unit_test(test_settled_changes_are_refused),
	    cmocka_unit_test(test_clients_long_unheard_of_go_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
