/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What of the public interface needs no system: constants, helpers, properties, ACLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos.h>
#include <daos_task.h>
#include <daos_fs.h>
#include <daos_uns.h>
#include "base/rank_list.h"

/** Numbers that programs and stored data rely on: those of public DAOS. */
static void
numbers_are_those_of_daos(void **state)
{
	assert_int_equal(DER_NO_PERM, 1001);
	assert_int_equal(DER_QUOTA_LIMIT, 1046);
	assert_int_equal(DER_IO, 2001);
	assert_int_equal(DER_AGENT_COMM, 2034);
	assert_int_equal(DER_IGNORE, 2052);
	assert_int_equal(DER_UNKNOWN, 501000);
	assert_int_equal(sizeof(daos_anchor_t), 120);
	assert_int_equal(sizeof(daos_event_t), 176);
	assert_int_equal(offsetof(daos_event_t, ev_debug), 168);
	assert_int_equal(sizeof(daos_iod_t), 64);
	assert_int_equal(sizeof(struct daos_ace), 32);
	assert_int_equal(sizeof(struct daos_acl), 8);
	assert_int_equal(OC_S1, 1 << 24 | 1);
	assert_int_equal(OC_SX, 1 << 24 | 65535);
	assert_int_equal(OC_RP_3G2, 9 << 24 | 2);
	assert_int_equal(OC_EC_16P2GX, 39 << 24 | 65535);
	assert_int_equal(OC_RP_XSF, 80);
	assert_int_equal(DAOS_PROP_PO_SVC_OPS_ENTRY_AGE, 27);
	assert_int_equal(DAOS_PROP_CO_PERF_DOMAIN, 0x101a);
	assert_int_equal(DAOS_PROP_CO_LAYOUT_POSIX, 1);
	assert_int_equal(DAOS_OPC_POOL_LIST_CONT, 17);
	assert_int_equal(DAOS_OPC_CONT_DESTROY_SNAP, 36);
	assert_int_equal(DAOS_OPC_OBJ_LIST_OBJ, 59);
	assert_int_equal(DAOS_OPC_ARRAY_STAT, 69);
	assert_int_equal(DAOS_OPC_PIPELINE_RUN, 81);
	assert_int_equal(DAOS_OT_ARRAY_BYTE, 13);
	assert_int_equal(DAOS_COND_PER_AKEY, 128);
	assert_int_equal(DFS_DEFAULT_CHUNK_SIZE, 1 << 20);
}

static void
calls_before_init(void **state)
{
	daos_handle_t	 hdl = {0};
	daos_obj_id_t	 oid = {0};
	daos_size_t	 n = 0;
	daos_pool_info_t info;
	tse_task_t	*task;

	assert_int_equal(daos_fini(), -DER_UNINIT);
	assert_int_equal(daos_pool_connect("p", NULL, DAOS_PC_RW, &hdl, NULL, NULL), -DER_UNINIT);
	assert_int_equal(daos_pool_query(hdl, NULL, &info, NULL, NULL), -DER_UNINIT);
	assert_int_equal(daos_pool_list_cont(hdl, &n, NULL, NULL), -DER_UNINIT);
	assert_int_equal(daos_cont_open(hdl, "c", DAOS_COO_RW, &hdl, NULL, NULL), -DER_UNINIT);
	assert_int_equal(daos_obj_generate_oid(hdl, &oid, DAOS_OT_MULTI_HASHED, 0, 0, 0),
			 -DER_UNINIT);
	assert_int_equal(daos_obj_open(hdl, oid, DAOS_OO_RW, &hdl, NULL), -DER_UNINIT);
	assert_int_equal(daos_array_get_attr(hdl, &n, &n), -DER_NO_HDL);
	assert_int_equal(daos_task_create(DAOS_OPC_OBJ_OPEN, NULL, 0, NULL, &task), -DER_UNINIT);
}

static void
calls_refuse_bad_arguments(void **state)
{
	const char   *names[] = {"a", ""}, *good[] = {"a"};
	const void   *values[] = {"x"};
	size_t	      sizes[] = {1}, none[] = {0};
	daos_handle_t hdl = {0};
	char	      longest[DAOS_ATTR_NAME_MAX + 2];
	const char   *too_long[] = {longest};

	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(daos_pool_connect(NULL, NULL, DAOS_PC_RO, &hdl, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_pool_connect("p", NULL, DAOS_PC_RO, NULL, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_pool_set_attr(hdl, 0, good, values, sizes, NULL), -DER_INVAL);
	assert_int_equal(daos_pool_set_attr(hdl, 2, names, values, sizes, NULL), -DER_INVAL);
	assert_int_equal(daos_pool_set_attr(hdl, 1, good, values, none, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_set_attr(hdl, 1, too_long, values, sizes, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_create_with_label(hdl, "a b", NULL, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_set_prop(hdl, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_set_owner(hdl, NULL, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_overwrite_acl(hdl, NULL, NULL), -DER_INVAL);
}

static void
labels(void **state)
{
	char label[140];

	assert_true(daos_label_is_valid("a"));
	assert_true(daos_label_is_valid("My.pool_1:x-y"));
	assert_true(daos_label_is_valid("-"));
	assert_false(daos_label_is_valid(NULL));
	assert_false(daos_label_is_valid(""));
	assert_false(daos_label_is_valid("a b"));
	assert_false(daos_label_is_valid("a/b"));
	assert_false(daos_label_is_valid("\xc3\xa4"));
	assert_false(daos_label_is_valid("12345678-1234-1234-1234-123456789abc"));
	memset(label, 'x', sizeof(label));
	label[127] = '\0';
	assert_true(daos_label_is_valid(label));
	label[127] = 'x';
	label[128] = '\0';
	assert_false(daos_label_is_valid(label));
}

static void
uuid_strings(void **state)
{
	assert_true(
	    daos_is_valid_uuid_string("12345678-1234-1234-1234-123456789abc", UUID_SST_NONE));
	assert_true(
	    daos_is_valid_uuid_string("12345678-1234-1234-1234-123456789abc", UUID_SST_LOWER));
	assert_false(
	    daos_is_valid_uuid_string("12345678-1234-1234-1234-123456789abc", UUID_SST_UPPER));
	assert_true(
	    daos_is_valid_uuid_string("12345678-1234-1234-1234-123456789ABC", UUID_SST_UPPER));
	assert_false(
	    daos_is_valid_uuid_string("12345678-1234-1234-1234-123456789ABC", UUID_SST_LOWER));
	assert_false(daos_is_valid_uuid_string("12345678-1234-1234-1234", UUID_SST_NONE));
	assert_false(
	    daos_is_valid_uuid_string("12345678+1234-1234-1234-123456789abc", UUID_SST_NONE));
	assert_false(
	    daos_is_valid_uuid_string("1234567g-1234-1234-1234-123456789abc", UUID_SST_NONE));
}

static void
object_ids(void **state)
{
	daos_obj_id_t oid = {.lo = 1,
			     .hi = (uint64_t)DAOS_OT_ARRAY_BYTE << OID_FMT_TYPE_SHIFT |
				   (uint64_t)OR_RP_3 << OID_FMT_CLASS_SHIFT |
				   4ULL << OID_FMT_META_SHIFT | 77};

	assert_int_equal(daos_obj_id2type(oid), DAOS_OT_ARRAY_BYTE);
	assert_int_equal(daos_obj_id2class(oid), OC_RP_3G4);
	assert_int_equal(daos_obj_id2grp_nr(oid), 4);
	assert_true(daos_is_array(oid) && daos_is_dkey_uint64(oid));
	assert_false(daos_is_kv(oid) || daos_is_akey_uint64(oid) || daos_is_dkey_lexical(oid));
	assert_true(daos_is_kv_type(DAOS_OT_KV_LEXICAL) &&
		    daos_is_dkey_lexical_type(DAOS_OT_KV_LEXICAL));
	assert_true(daos_is_akey_lexical_type(DAOS_OT_MULTI_LEXICAL));
	assert_true(daos_obj_id_is_nil(DAOS_OBJ_NIL) && !daos_obj_id_is_nil(oid));
	daos_obj_oid_cycle(&oid);
	assert_int_equal(oid.hi, 77 + 999999937);
}

static void
class_names(void **state)
{
	char name[MAX_OBJ_CLASS_NAME_LEN];

	assert_int_equal(daos_oclass_name2id("SX"), OC_SX);
	assert_int_equal(daos_oclass_name2id("S1"), OC_S1);
	assert_int_equal(daos_oclass_name2id("RP_2GX"), OC_RP_2GX);
	assert_int_equal(daos_oclass_name2id("EC_4P2G1"), OC_EC_4P2G1);
	assert_int_equal(daos_oclass_name2id("nonsense"), OC_UNKNOWN);
	assert_int_equal(daos_oclass_id2name(OC_EC_2P1GX, name), 0);
	assert_string_equal(name, "EC_2P1GX");
}

static void
rank_lists(void **state)
{
	d_rank_list_t *list = daos_rank_list_parse("5:1:3:1", ":");
	const char    *bad[] = {"", "1:x", ":1", "1::2", "4294967295", "-1", "1 2"};

	assert_non_null(list);
	assert_int_equal(list->rl_nr, 3);
	assert_int_equal(list->rl_ranks[0], 1);
	assert_int_equal(list->rl_ranks[2], 5);
	d_rank_list_free(list);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(daos_rank_list_parse(bad[i], ":"));
	assert_null(daos_rank_list_parse(NULL, ":"));
}

static void
clock_values(void **state)
{
	struct timespec ts;
	time_t		sec;

	assert_int_equal(daos_hlc2timespec(0, &ts), 0);
	assert_int_equal(ts.tv_sec, 1609459200); /* 2021 */
	assert_int_equal(daos_hlc2timestamp(16ULL * 1000000000 * 3600, &sec), 0);
	assert_int_equal(sec, 1609459200 + 3600);
	assert_int_equal(daos_hlc2timespec(0, NULL), -DER_INVAL);
}

static void
anchors(void **state)
{
	daos_anchor_t anchor = DAOS_ANCHOR_INIT;

	assert_false(daos_anchor_is_eof(&anchor));
	anchor.da_type = DAOS_ANCHOR_TYPE_EOF;
	assert_true(daos_anchor_is_eof(&anchor));
	assert_int_equal(daos_anchor_init(&anchor, 0), 0);
	assert_false(daos_anchor_is_eof(&anchor));
	daos_anchor_fini(&anchor);
}

static void
container_status_as_number(void **state)
{
	struct daos_co_status st = {
	    .dcs_status = DAOS_PROP_CO_UNCLEAN, .dcs_flags = 5, .dcs_pm_ver = 77};
	uint64_t	      val = daos_prop_co_status_2_val(&st);
	struct daos_co_status back;

	daos_prop_val_2_co_status(val, &back);
	assert_int_equal(back.dcs_status, DAOS_PROP_CO_UNCLEAN);
	assert_int_equal(back.dcs_flags, 5);
	assert_int_equal(back.dcs_pm_ver, 77);
}

static void
property_lists(void **state)
{
	daos_prop_t	       *prop = daos_prop_alloc(3), *more, *both = NULL;
	struct daos_prop_entry *entry;

	assert_non_null(prop);
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_LABEL;
	prop->dpp_entries[1].dpe_type = DAOS_PROP_CO_REDUN_FAC;
	prop->dpp_entries[1].dpe_val = DAOS_PROP_CO_REDUN_RF1;
	prop->dpp_entries[2].dpe_type = DAOS_PROP_CO_OWNER;
	assert_int_equal(daos_prop_set_str(prop, DAOS_PROP_CO_LABEL, "label", 5), 0);
	assert_int_equal(daos_prop_set_str(prop, DAOS_PROP_CO_OWNER, "me@", 3), 0);
	assert_int_equal(daos_prop_set_str(prop, DAOS_PROP_CO_OWNER, "you@", 4), 0); /* replaces */
	assert_string_equal(daos_prop_entry_get(prop, DAOS_PROP_CO_OWNER)->dpe_str, "you@");
	assert_int_not_equal(daos_prop_set_str(prop, DAOS_PROP_CO_OWNER_GROUP, "x@", 2), 0);
	assert_null(daos_prop_entry_get(prop, DAOS_PROP_CO_CSUM));
	assert_true(daos_prop_has_str(&prop->dpp_entries[0]));
	assert_false(daos_prop_has_str(&prop->dpp_entries[1]));

	more = daos_prop_alloc(2);
	more->dpp_entries[0].dpe_type = DAOS_PROP_CO_REDUN_FAC;
	more->dpp_entries[0].dpe_val = DAOS_PROP_CO_REDUN_RF2;
	more->dpp_entries[1].dpe_type = DAOS_PROP_CO_CSUM;
	more->dpp_entries[1].dpe_val = DAOS_PROP_CO_CSUM_CRC64;
	assert_int_equal(daos_prop_merge2(prop, more, &both), 0);
	daos_prop_free(prop);
	daos_prop_free(more);
	assert_int_equal(both->dpp_nr, 4);
	entry = daos_prop_entry_get(both, DAOS_PROP_CO_REDUN_FAC);
	assert_int_equal(entry->dpe_val, DAOS_PROP_CO_REDUN_RF2);
	assert_true(daos_prop_is_set(entry));
	assert_string_equal(daos_prop_entry_get(both, DAOS_PROP_CO_LABEL)->dpe_str, "label");
	assert_non_null(daos_prop_entry_get(both, DAOS_PROP_CO_CSUM));
	daos_prop_free(both);
	daos_prop_free(NULL);
	assert_null(daos_prop_alloc(DAOS_PROP_ENTRIES_MAX_NR + 1));
}

static void
property_pointers(void **state)
{
	struct daos_prop_co_roots roots = {.cr_oids = {{1, 2}, {3, 4}}};
	daos_prop_t		 *a = daos_prop_alloc(1), *b = daos_prop_alloc(1);

	a->dpp_entries[0].dpe_type = DAOS_PROP_CO_ROOTS;
	b->dpp_entries[0].dpe_type = DAOS_PROP_CO_ROOTS;
	assert_true(daos_prop_has_ptr(&a->dpp_entries[0]));
	assert_int_equal(daos_prop_set_ptr(a, DAOS_PROP_CO_ROOTS, &roots, sizeof(roots)), 0);
	assert_int_equal(daos_prop_entry_dup_co_roots(&b->dpp_entries[0], &a->dpp_entries[0]), 0);
	assert_ptr_not_equal(a->dpp_entries[0].dpe_val_ptr, b->dpp_entries[0].dpe_val_ptr);
	assert_memory_equal(b->dpp_entries[0].dpe_val_ptr, &roots, sizeof(roots));
	daos_prop_free(a);
	daos_prop_free(b);
}

static void
properties_from_text(void **state)
{
	daos_prop_t *prop = NULL;
	const char  *good = "rf:1;cksum:crc64", *bad = "rf:1;nonsense:2";

	assert_int_equal(daos_prop_from_str(good, strlen(good), &prop), 0);
	assert_int_equal(daos_prop_entry_get(prop, DAOS_PROP_CO_REDUN_FAC)->dpe_val, 1);
	assert_int_equal(daos_prop_entry_get(prop, DAOS_PROP_CO_CSUM)->dpe_val,
			 DAOS_PROP_CO_CSUM_CRC64);
	daos_prop_free(prop);
	assert_int_equal(daos_prop_from_str(bad, strlen(bad), &prop), -DER_INVAL);
}

static void
acl_text(void **state)
{
	const char	*text[] = {"A::OWNER@:rw", "A::bob@:r", "A:G:GROUP@:rw", "A:G:staff@:r"};
	struct daos_acl *acl = NULL;
	struct daos_ace *ace;
	char	       **back;
	size_t		 nr;

	assert_int_equal(daos_acl_from_strs(text, 4, &acl), 0);
	assert_int_equal(daos_acl_validate(acl), 0);
	assert_int_equal(daos_acl_get_ace_for_principal(acl, DAOS_ACL_USER, "bob@", &ace), 0);
	assert_int_equal(ace->dae_allow_perms, DAOS_ACL_PERM_READ);
	assert_int_equal(daos_acl_remove_ace(&acl, DAOS_ACL_USER, "bob@"), 0);
	assert_int_equal(daos_acl_to_strs(acl, &back, &nr), 0);
	assert_int_equal(nr, 3);
	assert_string_equal(back[0], "A::OWNER@:rw");
	assert_string_equal(back[2], "A:G:staff@:r");
	for (size_t i = 0; i < nr; i++)
		free(back[i]);
	free(back);
	daos_acl_free(acl);
	assert_int_equal(daos_acl_from_strs((const char *[]){"A::bob@"}, 1, &acl), -DER_INVAL);
}

static void
error_names(void **state)
{
	assert_string_equal(d_errstr(-DER_NOSPACE), "DER_NOSPACE");
	assert_string_equal(d_errstr(0), "DER_SUCCESS");
	assert_string_equal(d_errstr(-12345678), "DER_UNKNOWN");
#define HAS_TEXT(name, number, class, text) assert_string_equal(d_errdesc(-(number)), text);
	D_FOREACH_ERR(HAS_TEXT)
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_those_of_daos),
	    cmocka_unit_test(calls_before_init),
	    cmocka_unit_test(calls_refuse_bad_arguments),
	    cmocka_unit_test(labels),
	    cmocka_unit_test(uuid_strings),
	    cmocka_unit_test(object_ids),
	    cmocka_unit_test(class_names),
	    cmocka_unit_test(rank_lists),
	    cmocka_unit_test(clock_values),
	    cmocka_unit_test(anchors),
	    cmocka_unit_test(container_status_as_number),
	    cmocka_unit_test(property_lists),
	    cmocka_unit_test(property_pointers),
	    cmocka_unit_test(properties_from_text),
	    cmocka_unit_test(acl_text),
	    cmocka_unit_test(error_names),
	};

	return cmocka_run_group_tests_name("client/api", tests, NULL, NULL);
}
