/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The property table: names, defaults, checks, text, encoding; and the public property lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_security.h>
#include "base/prop_table.h"
#include "base/rank_list.h"

static void
tables_are_complete(void **state)
{
	for (int scope = PROP_POOL; scope <= PROP_CONT; scope++) {
		uint32_t                nr;
		const struct prop_desc *t = prop_table(scope, &nr);

		for (uint32_t i = 0; i < nr; i++) {
			assert_int_equal(t[i].type, (scope == PROP_POOL ? DAOS_PROP_PO_MIN : DAOS_PROP_CO_MIN) + 1 + i);
			assert_ptr_equal(prop_desc_by_type(t[i].type), &t[i]);
			assert_ptr_equal(prop_desc_by_name(scope, t[i].name), &t[i]);
			assert_true(strlen(t[i].title) > 0);
			assert_true(!(t[i].flags & PROP_INHERIT) || prop_desc_by_type(t[i].from) != NULL);
		}
	}
	assert_null(prop_desc_by_type(DAOS_PROP_PO_MIN));
	assert_null(prop_desc_by_type(DAOS_PROP_PO_MAX));
	assert_null(prop_desc_by_type(DAOS_PROP_CO_MAX));
	assert_null(prop_desc_by_name(PROP_POOL, "layout_type"));
	assert_int_equal(prop_desc_by_name(PROP_CONT, "rf")->type, DAOS_PROP_CO_REDUN_FAC);
	assert_int_equal(prop_desc_by_name(PROP_CONT, "rf_lvl")->type, DAOS_PROP_CO_REDUN_LVL);
}

static void
defaults_are_valid_and_print(void **state)
{
	for (int scope = PROP_POOL; scope <= PROP_CONT; scope++) {
		uint32_t                nr;
		const struct prop_desc *t = prop_table(scope, &nr);

		for (uint32_t i = 0; i < nr; i++) {
			struct daos_prop_entry e, back;
			char                   text[256];

			assert_int_equal(prop_entry_default(&t[i], &e), 0);
			if (t[i].kind == PROP_KIND_NUM) {
				assert_int_equal(prop_entry_check(&t[i], &e), 0);
				assert_true(prop_entry_to_text(&t[i], &e, text, sizeof(text)) > 0);
				if (t[i].form != PROP_FORM_STATUS && !(t[i].flags & PROP_INHERIT)) {
					assert_int_equal(prop_entry_from_text(&t[i], text, &back), 0);
					assert_int_equal(back.dpe_val, e.dpe_val);
				}
			}
			assert_true(prop_desc_values(&t[i], text, sizeof(text)) > 0);
			prop_entry_fini(&e);
		}
	}
}

static void
documented_defaults(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t def;
	} cases[] = {
	    {DAOS_PROP_PO_SPACE_RB, 5},       {DAOS_PROP_PO_SELF_HEAL, 3},        {DAOS_PROP_PO_RECLAIM, DAOS_RECLAIM_LAZY},
	    {DAOS_PROP_PO_EC_CELL_SZ, 131072}, {DAOS_PROP_PO_REDUN_FAC, 3},        {DAOS_PROP_PO_EC_PDA, 1},
	    {DAOS_PROP_PO_RP_PDA, 0xffffffff}, {DAOS_PROP_PO_DATA_THRESH, 4096},   {DAOS_PROP_PO_GLOBAL_VERSION, 4},
	    {DAOS_PROP_PO_SVC_REDUN_FAC, 2},   {DAOS_PROP_PO_OBJ_VERSION, 2},      {DAOS_PROP_PO_CHECKPOINT_FREQ, 5},
	    {DAOS_PROP_PO_CHECKPOINT_THRESH, 50}, {DAOS_PROP_PO_SCRUB_FREQ, 604800}, {DAOS_PROP_PO_SVC_OPS_ENTRY_AGE, 300},
	    {DAOS_PROP_CO_CSUM, DAOS_PROP_CO_CSUM_OFF}, {DAOS_PROP_CO_CSUM_CHUNK_SIZE, 32768},
	    {DAOS_PROP_CO_REDUN_FAC, 0},       {DAOS_PROP_CO_REDUN_LVL, DAOS_PROP_CO_REDUN_NODE},
	    {DAOS_PROP_CO_DEDUP_THRESHOLD, 4096}, {DAOS_PROP_CO_LAYOUT_VER, 1},
	};

	for (size_t i = 0; i < ARRAY_NR(cases); i++)
		assert_int_equal(prop_desc_by_type(cases[i].type)->def, cases[i].def);
}

static void
expect_text(enum prop_scope scope, const char *name, const char *text, bool ok, uint64_t value)
{
	struct daos_prop_entry e = {0};
	int                    rc = prop_entry_from_text(prop_desc_by_name(scope, name), text, &e);

	if (rc != (ok ? 0 : -DER_INVAL))
		fail_msg("%s '%s': %d", name, text, rc);
	if (ok)
		assert_int_equal(e.dpe_val, value);
}

static void
text_of_numbers(void **state)
{
	expect_text(PROP_POOL, "reclaim", "time", true, DAOS_RECLAIM_TIME);
	expect_text(PROP_POOL, "reclaim", "TIME", true, DAOS_RECLAIM_TIME);
	expect_text(PROP_POOL, "reclaim", "tim", false, 0);
	expect_text(PROP_POOL, "self_heal", "exclude;rebuild", true, 3);
	expect_text(PROP_POOL, "self_heal", "rebuild;exclude", true, 3);
	expect_text(PROP_POOL, "self_heal", "none", true, 0);
	expect_text(PROP_POOL, "self_heal", "exclude;", false, 0);
	expect_text(PROP_POOL, "space_rb", "25%", true, 25);
	expect_text(PROP_POOL, "space_rb", "101", false, 0);
	expect_text(PROP_POOL, "space_rb", "-1", false, 0);
	expect_text(PROP_POOL, "ec_cell_sz", "64KiB", true, 65536);
	expect_text(PROP_POOL, "ec_cell_sz", "64 KiB", true, 65536);
	expect_text(PROP_POOL, "ec_cell_sz", "1 MiB", true, 1 << 20);
	expect_text(PROP_POOL, "ec_cell_sz", "2 MiB", false, 0);
	expect_text(PROP_POOL, "ec_cell_sz", "65537", false, 0);
	expect_text(PROP_POOL, "ec_cell_sz", "1KiB", false, 0);
	expect_text(PROP_POOL, "rd_fac", "4", true, 4);
	expect_text(PROP_POOL, "rd_fac", "5", false, 0);
	expect_text(PROP_POOL, "rd_fac", "", false, 0);
	expect_text(PROP_POOL, "rd_fac", "3x", false, 0);
	expect_text(PROP_POOL, "checkpoint_thresh", "75", true, 75);
	expect_text(PROP_POOL, "checkpoint_thresh", "76", false, 0);
	expect_text(PROP_POOL, "checkpoint_thresh", "9", false, 0);
	expect_text(PROP_POOL, "rp_pda", "-1", true, UINT32_MAX);
	expect_text(PROP_POOL, "rp_pda", "4294967295", true, UINT32_MAX);
	expect_text(PROP_POOL, "rp_pda", "2", true, 2);
	expect_text(PROP_POOL, "rp_pda", "-2", false, 0);
	expect_text(PROP_POOL, "rp_pda", "0", false, 0);
	expect_text(PROP_CONT, "cksum", "sha512", true, DAOS_PROP_CO_CSUM_SHA512);
	expect_text(PROP_CONT, "cksum", "md5", false, 0);
	expect_text(PROP_CONT, "rd_lvl", "1", true, DAOS_PROP_CO_REDUN_RANK);
	expect_text(PROP_CONT, "rd_lvl", "node", true, DAOS_PROP_CO_REDUN_NODE);
	expect_text(PROP_CONT, "srv_cksum", "on", true, 1);
	expect_text(PROP_CONT, "dedup_threshold", "4k", true, 4000);
	expect_text(PROP_CONT, "status", "unclean", false, 0);
}

static void
levels_without_limit_are_minus_one(void **state)
{
	const struct prop_desc *desc = prop_desc_by_type(DAOS_PROP_PO_RP_PDA);
	struct daos_prop_entry  e;
	char                    text[32];

	assert_int_equal(prop_entry_default(desc, &e), 0);
	assert_int_equal(prop_entry_to_text(desc, &e, text, sizeof(text)), 2);
	assert_string_equal(text, "-1");
	e.dpe_val = 3;
	assert_int_equal(prop_entry_to_text(desc, &e, text, sizeof(text)), 1);
	assert_string_equal(text, "3");
}

static void
text_of_bytes(void **state)
{
	static const struct {
		uint64_t    bytes;
		const char *text;
	} cases[] = {{0, "0 B"}, {1023, "1023 B"}, {4096, "4.0 KiB"}, {32768, "32 KiB"}, {131072, "128 KiB"},
		     {1 << 20, "1.0 MiB"}, {1536 << 10, "1.5 MiB"}, {5ull << 40, "5.0 TiB"}};
	char     text[32];
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_NR(cases); i++) {
		assert_int_equal(prop_bytes_to_text(cases[i].bytes, text, sizeof(text)), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(prop_bytes_from_text(text, &bytes), 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
	assert_int_equal(prop_bytes_from_text("1e30", &bytes), -DER_INVAL);
	assert_int_equal(prop_bytes_from_text("0x10", &bytes), -DER_INVAL);
	assert_int_equal(prop_bytes_from_text("nan", &bytes), -DER_INVAL);
	assert_int_equal(prop_bytes_from_text("-4k", &bytes), -DER_INVAL);
	assert_int_equal(prop_bytes_from_text("4 furlongs", &bytes), -DER_INVAL);
}

static void
labels(void **state)
{
	const struct prop_desc *d = prop_desc_by_type(DAOS_PROP_CO_LABEL);
	struct daos_prop_entry  e;
	char                    longer[130];

	assert_int_equal(prop_entry_from_text(d, "a-b_c.d:9", &e), 0);
	prop_entry_fini(&e);
	assert_int_equal(prop_entry_from_text(d, "a b", &e), -DER_INVAL);
	assert_int_equal(prop_entry_from_text(d, "", &e), -DER_INVAL);
	assert_int_equal(prop_entry_from_text(d, "11111111-2222-3333-4444-555555555555", &e), -DER_INVAL);
	memset(longer, 'a', sizeof(longer));
	longer[128] = '\0';
	assert_int_equal(prop_entry_from_text(d, longer, &e), -DER_INVAL);
	longer[127] = '\0';
	assert_int_equal(prop_entry_from_text(d, longer, &e), 0);
	prop_entry_fini(&e);
}

static void
lists_are_checked(void **state)
{
	struct daos_prop_entry e[3] = {{.dpe_type = DAOS_PROP_CO_CSUM, .dpe_val = 0},
				       {.dpe_type = DAOS_PROP_CO_STATUS, .dpe_val = 0},
				       {.dpe_type = DAOS_PROP_CO_CSUM, .dpe_val = 1}};
	daos_prop_t            p = {.dpp_nr = 2, .dpp_entries = e};

	assert_int_equal(prop_list_check(PROP_CONT, &p, 0), 0);
	assert_int_equal(prop_list_check(PROP_POOL, &p, 0), -DER_INVAL);
	assert_int_equal(prop_list_check(PROP_CONT, &p, PROP_CREATE), -DER_NO_PERM);
	p.dpp_nr = 3; /* one of them twice */
	assert_int_equal(prop_list_check(PROP_CONT, &p, 0), -DER_INVAL);
	assert_int_equal(prop_list_check(PROP_CONT, NULL, 0), 0);
}

static daos_prop_t *
one_of_each(void)
{
	daos_prop_t     *p = daos_prop_alloc(5);
	const char      *text = "A::OWNER@:rw";
	struct daos_acl *acl = NULL;
	d_rank_list_t   *ranks = NULL;

	assert_int_equal(daos_acl_from_strs(&text, 1, &acl), 0);
	assert_int_equal(d_rank_list_parse("1,4-6", &ranks), 0);
	p->dpp_entries[0] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_PO_LABEL, .dpe_str = strdup("tank")};
	p->dpp_entries[1] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_PO_SPACE_RB, .dpe_val = 7};
	p->dpp_entries[2] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_PO_ACL, .dpe_val_ptr = acl};
	p->dpp_entries[3] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_PO_SVC_LIST, .dpe_val_ptr = ranks};
	p->dpp_entries[4].dpe_type = DAOS_PROP_PO_RECLAIM;
	p->dpp_entries[4].dpe_flags = DAOS_PROP_ENTRY_NOT_SET;
	return p;
}

static void
lists_travel(void **state)
{
	daos_prop_t *p = one_of_each(), *q = NULL;
	d_iov_t      iov;

	assert_int_equal(prop_list_encode(p, &iov), 0);
	assert_int_equal(prop_list_decode(iov.iov_buf, iov.iov_len, &q), 0);
	assert_int_equal(q->dpp_nr, 5);
	assert_string_equal(prop_list_str(q, DAOS_PROP_PO_LABEL), "tank");
	assert_int_equal(prop_list_num(q, DAOS_PROP_PO_SPACE_RB, 0), 7);
	assert_int_equal(prop_list_num(q, DAOS_PROP_PO_RECLAIM, 42), 42);
	assert_int_equal(daos_prop_entry_cmp_acl(&p->dpp_entries[2], &q->dpp_entries[2]), 0);
	assert_true(d_rank_list_equal(p->dpp_entries[3].dpe_val_ptr, q->dpp_entries[3].dpe_val_ptr));
	assert_false(daos_prop_is_set(&q->dpp_entries[4]));
	daos_prop_free(q);
	free(iov.iov_buf);
	daos_prop_free(p);
	q = p;
	assert_int_equal(prop_list_encode(NULL, &iov), 0);
	assert_int_equal(iov.iov_len, 0);
	assert_int_equal(prop_list_decode(NULL, 0, &q), 0);
	assert_null(q);
}

/** Whatever bytes arrive: an error or a list, never a read beyond them. */
static void
damaged_lists(void **state)
{
	daos_prop_t *p = one_of_each(), *q;
	unsigned     seed = 3;
	d_iov_t      iov;
	uint8_t     *copy;

	assert_int_equal(prop_list_encode(p, &iov), 0);
	for (size_t len = 0; len < iov.iov_len; len++) {
		copy = malloc(len > 0 ? len : 1);
		memcpy(copy, iov.iov_buf, len);
		q = NULL;
		if (prop_list_decode(copy, len, &q) == 0)
			daos_prop_free(q);
		free(copy);
	}
	for (int i = 0; i < 20000; i++) {
		copy = malloc(iov.iov_len);
		memcpy(copy, iov.iov_buf, iov.iov_len);
		for (int k = 0; k < 2; k++) {
			seed = seed * 1103515245 + 12345;
			copy[(seed >> 8) % iov.iov_len] ^= 1 << ((seed >> 4) & 7);
		}
		q = NULL;
		if (prop_list_decode(copy, iov.iov_len, &q) == 0)
			daos_prop_free(q);
		free(copy);
	}
	free(iov.iov_buf);
	daos_prop_free(p);
}

static void
lists_merge(void **state)
{
	struct daos_prop_entry e[2] = {{.dpe_type = DAOS_PROP_PO_SPACE_RB, .dpe_val = 9},
				       {.dpe_type = DAOS_PROP_PO_REDUN_FAC, .dpe_val = 1}};
	daos_prop_t            newer = {.dpp_nr = 2, .dpp_entries = e}, *old = one_of_each(), *m = NULL;

	assert_int_equal(daos_prop_merge2(old, &newer, &m), 0);
	assert_int_equal(m->dpp_nr, 6);
	assert_int_equal(prop_list_num(m, DAOS_PROP_PO_SPACE_RB, 0), 9);
	assert_int_equal(prop_list_num(m, DAOS_PROP_PO_REDUN_FAC, 0), 1);
	assert_string_equal(prop_list_str(m, DAOS_PROP_PO_LABEL), "tank");
	daos_prop_free(m);
	daos_prop_free(old);
	assert_null(daos_prop_merge(NULL, NULL));
	assert_null(daos_prop_alloc(DAOS_PROP_ENTRIES_MAX_NR + 1));
}

static void
lists_from_text(void **state)
{
	static const char *const bad[] = {"label", "label:", "nosuch:1", "cksum:crc32;cksum:off", "alloc_oid:5", "rf:9", ":", ";"};
	const char              *good = "label:box;rf:1;cksum:crc64;ec_cell_sz:64KiB;status:healthy";
	daos_prop_t             *p = NULL;

	assert_int_equal(daos_prop_from_str(good, strlen(good), &p), 0);
	assert_int_equal(p->dpp_nr, 5);
	assert_string_equal(prop_list_str(p, DAOS_PROP_CO_LABEL), "box");
	assert_int_equal(prop_list_num(p, DAOS_PROP_CO_REDUN_FAC, 0), 1);
	daos_prop_free(p);
	for (size_t i = 0; i < ARRAY_NR(bad); i++)
		assert_int_equal(daos_prop_from_str(bad[i], strlen(bad[i]), &p), -DER_INVAL);
	assert_int_equal(daos_prop_from_str(NULL, 3, &p), -DER_INVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tables_are_complete), cmocka_unit_test(defaults_are_valid_and_print),
	    cmocka_unit_test(documented_defaults), cmocka_unit_test(text_of_numbers),
	    cmocka_unit_test(levels_without_limit_are_minus_one),
	    cmocka_unit_test(text_of_bytes),       cmocka_unit_test(labels),
	    cmocka_unit_test(lists_are_checked),   cmocka_unit_test(lists_travel),
	    cmocka_unit_test(damaged_lists),       cmocka_unit_test(lists_merge),
	    cmocka_unit_test(lists_from_text),
	};

	return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
