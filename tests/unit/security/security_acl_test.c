/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Access control lists: binary form, text form, validation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_security.h>
#include "security/sec_policy.h"

static struct daos_ace *
ace(const char *text)
{
	struct daos_ace *a = NULL;

	assert_int_equal(daos_ace_from_str(text, &a), 0);
	assert_non_null(a);
	return a;
}

static struct daos_acl *
acl(const char *const *texts, size_t nr)
{
	struct daos_acl *l = NULL;

	assert_int_equal(daos_acl_from_strs((const char **)texts, nr, &l), 0);
	return l;
}

/* ---- entries ---- */

static void
create_of_each_type(void **state)
{
	static const struct {
		enum daos_acl_principal_type type;
		const char                  *name;
		bool                         ok;
	} cases[] = {{DAOS_ACL_OWNER, NULL, true},       {DAOS_ACL_OWNER_GROUP, NULL, true}, {DAOS_ACL_EVERYONE, NULL, true},
		     {DAOS_ACL_USER, "u@", true},        {DAOS_ACL_GROUP, "g@", true},       {DAOS_ACL_USER, NULL, false},
		     {DAOS_ACL_GROUP, "", false},        {NUM_DAOS_ACL_TYPES, "x@", false}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct daos_ace *a = daos_ace_create(cases[i].type, cases[i].name);

		assert_int_equal(a != NULL, cases[i].ok);
		if (a != NULL) {
			assert_int_equal(daos_ace_get_size(a) % 8, 0);
			assert_false(daos_ace_is_valid(a)); /* grants nothing yet */
			a->dae_access_types = DAOS_ACL_ACCESS_ALLOW;
			assert_true(daos_ace_is_valid(a));
		}
		daos_ace_free(a);
	}
}

static void
create_refuses_long_names(void **state)
{
	char             name[DAOS_ACL_MAX_PRINCIPAL_LEN + 2];
	struct daos_ace *a;

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 2] = '@';
	name[sizeof(name) - 1] = '\0';
	assert_null(daos_ace_create(DAOS_ACL_USER, name));
	name[sizeof(name) - 3] = '@';
	name[sizeof(name) - 2] = '\0';
	a = daos_ace_create(DAOS_ACL_USER, name);
	assert_non_null(a);
	daos_ace_free(a);
}

static void
invalid_entries(void **state)
{
	struct daos_ace *a = ace("A:G:readers@:r");

	assert_true(daos_ace_is_valid(a));
	a->dae_access_flags = 0; /* a group that isn't one */
	assert_false(daos_ace_is_valid(a));
	a->dae_access_flags = DAOS_ACL_FLAG_GROUP | 0x8000;
	assert_false(daos_ace_is_valid(a));
	a->dae_access_flags = DAOS_ACL_FLAG_GROUP;
	a->dae_audit_perms = DAOS_ACL_PERM_READ; /* without being an audit */
	assert_false(daos_ace_is_valid(a));
	a->dae_audit_perms = 0;
	a->dae_allow_perms = 1ULL << 40;
	assert_false(daos_ace_is_valid(a));
	a->dae_allow_perms = DAOS_ACL_PERM_READ;
	a->dae_reserv = 1;
	assert_false(daos_ace_is_valid(a));
	a->dae_reserv = 0;
	a->dae_principal_type = DAOS_ACL_OWNER; /* with a name */
	assert_false(daos_ace_is_valid(a));
	a->dae_principal_type = DAOS_ACL_GROUP;
	memset(a->dae_principal, 'x', a->dae_principal_len); /* without an end */
	assert_false(daos_ace_is_valid(a));
	assert_false(daos_ace_is_valid(NULL));
	daos_ace_free(a);
}

/* ---- text ---- */

static void
text_there_and_back(void **state)
{
	static const char *const texts[] = {
	    "A::OWNER@:rwdtTaAo", "A:G:GROUP@:rwtT", "A::EVERYONE@:r", "A::EVERYONE@:", "A::alice@:rw",
	    "A::alice@example.com:rwcdtTaAo", "A:G:readers@:r", "A:GP:readers@:r", "U:S:bob@:w", "AUL:GSF:ops@:rw",
	    "L:F:EVERYONE@:d"};
	char buf[DAOS_ACL_MAX_ACE_STR_LEN];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct daos_ace *a = ace(texts[i]);

		assert_int_equal(daos_ace_to_str(a, buf, sizeof(buf)), 0);
		assert_string_equal(buf, texts[i]);
		daos_ace_free(a);
	}
}

static void
text_malformed(void **state)
{
	static const char *const texts[] = {
	    "", ":", ":::", "A", "A::OWNER@", "A::OWNER@:r:", "A::OWNER@:x", "X::OWNER@:r", "AA::OWNER@:r",
	    "A:X:OWNER@:r", "A::OWNER@:rr", "::OWNER@:r", "A:::r", "A::bob:r", "A::@:r", "A::bo@b@:r", "A:G:OWNER@:r",
	    "A::GROUP@:r", "A:G:EVERYONE@:r", "U::OWNER@:r", "A:S:OWNER@:r", "A:GG:GROUP@:r", "A::OWNER@ :r"};
	struct daos_ace *a = NULL;
	char             longer[DAOS_ACL_MAX_ACE_STR_LEN + 32];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(texts[i], "A::OWNER@ :r") == 0) /* a name that ends in a blank is a user's */
			continue;
		assert_int_equal(daos_ace_from_str(texts[i], &a), -DER_INVAL);
	}
	memset(longer, 'r', sizeof(longer));
	memcpy(longer, "A::u@:", 6);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(daos_ace_from_str(longer, &a), -DER_INVAL);
	assert_int_equal(daos_ace_from_str(NULL, &a), -DER_INVAL);
	assert_int_equal(daos_ace_from_str("A::OWNER@:r", NULL), -DER_INVAL);
	assert_null(a);
}

static void
text_too_short_a_buffer(void **state)
{
	struct daos_ace *a = ace("A::alice@:rw");
	char             buf[16];

	for (size_t n = 1; n <= strlen("A::alice@:rw"); n++)
		assert_int_equal(daos_ace_to_str(a, buf, n), -DER_TRUNC);
	assert_int_equal(daos_ace_to_str(a, buf, strlen("A::alice@:rw") + 1), 0);
	assert_int_equal(daos_ace_to_str(a, buf, 0), -DER_INVAL);
	assert_int_equal(daos_ace_to_str(a, NULL, 8), -DER_INVAL);
	daos_ace_free(a);
}

static void
text_needs_one_set_of_permissions(void **state)
{
	struct daos_ace *a = ace("AU:S:alice@:rw");
	char             buf[64];

	a->dae_audit_perms = DAOS_ACL_PERM_READ;
	assert_true(daos_ace_is_valid(a));
	assert_int_equal(daos_ace_to_str(a, buf, sizeof(buf)), -DER_INVAL);
	daos_ace_free(a);
}

static void
text_in_words(void **state)
{
	char buf[256];

	assert_int_equal(daos_ace_str_get_verbose("A::OWNER@:rw", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "Allow::Owner:Read/Write");
	assert_int_equal(daos_ace_str_get_verbose("AU:GS:GROUP@:tT", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "Allow/Audit:Group/Access-Success:Owner-Group:Get-Prop/Set-Prop");
	assert_int_equal(daos_ace_str_get_verbose("A::EVERYONE@:", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "Allow::Everyone:No-Access");
	assert_int_equal(daos_ace_str_get_verbose("A::OWNER@:rw", buf, 10), -DER_TRUNC);
	assert_int_equal(daos_ace_str_get_verbose("nonsense", buf, sizeof(buf)), -DER_INVAL);
}

static void
principals(void **state)
{
	enum daos_acl_principal_type type;
	char                        *name = NULL;

	assert_true(daos_acl_principal_is_valid("alice@"));
	assert_true(daos_acl_principal_is_valid("alice@example.com"));
	assert_false(daos_acl_principal_is_valid("alice"));
	assert_false(daos_acl_principal_is_valid("@"));
	assert_false(daos_acl_principal_is_valid("a@b@"));
	assert_false(daos_acl_principal_is_valid(""));
	assert_false(daos_acl_principal_is_valid(NULL));
	assert_int_equal(daos_acl_principal_from_str("u:alice@", &type, &name), 0);
	assert_int_equal(type, DAOS_ACL_USER);
	assert_string_equal(name, "alice@");
	free(name);
	assert_int_equal(daos_acl_principal_from_str("g:ops@", &type, &name), 0);
	assert_int_equal(type, DAOS_ACL_GROUP);
	free(name);
	assert_int_equal(daos_acl_principal_from_str("OWNER@", &type, &name), 0);
	assert_int_equal(type, DAOS_ACL_OWNER);
	assert_null(name);
	assert_int_equal(daos_acl_principal_from_str("alice@", &type, &name), -DER_INVAL);
	assert_int_equal(daos_acl_principal_from_str("u:alice", &type, &name), -DER_INVAL);
}

static void
local_users(void **state)
{
	char *name = NULL;
	uid_t uid = 99;
	gid_t gid = 99;

	assert_int_equal(daos_acl_uid_to_principal(0, &name), 0);
	assert_string_equal(name, "root@");
	free(name);
	assert_int_equal(daos_acl_gid_to_principal(0, &name), 0);
	assert_string_equal(name, "root@");
	free(name);
	assert_int_equal(daos_acl_principal_to_uid("root@", &uid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(daos_acl_principal_to_gid("root@", &gid), 0);
	assert_int_equal(gid, 0);
	assert_int_equal(daos_acl_principal_to_uid("no_such_user_here@", &uid), -DER_NONEXIST);
	assert_int_equal(daos_acl_principal_to_uid("root@elsewhere", &uid), -DER_NONEXIST);
	assert_int_equal(daos_acl_principal_to_uid("root", &uid), -DER_INVAL);
	assert_int_equal(daos_acl_uid_to_principal(4294967290u, &name), -DER_NONEXIST);
}

/* ---- lists ---- */

static void
list_is_put_in_order(void **state)
{
	static const char *const texts[] = {"A::EVERYONE@:r", "A:G:ops@:r", "A::bob@:r", "A:G:GROUP@:r", "A::OWNER@:r"};
	static const uint8_t     order[] = {DAOS_ACL_OWNER, DAOS_ACL_USER, DAOS_ACL_OWNER_GROUP, DAOS_ACL_GROUP,
					    DAOS_ACL_EVERYONE};
	struct daos_acl         *l = acl(texts, 5);
	struct daos_ace         *a = NULL;

	for (int i = 0; i < 5; i++) {
		a = daos_acl_get_next_ace(l, a);
		assert_non_null(a);
		assert_int_equal(a->dae_principal_type, order[i]);
	}
	assert_null(daos_acl_get_next_ace(l, a));
	assert_int_equal(daos_acl_validate(l), 0);
	daos_acl_free(l);
}

static void
list_refuses_duplicates(void **state)
{
	static const char *const two[] = {"A::bob@:r", "A::bob@:w"};
	struct daos_acl         *l = NULL;

	assert_int_equal(daos_acl_from_strs((const char **)two, 2, &l), -DER_INVAL);
	assert_int_equal(daos_acl_from_strs((const char **)two, 0, &l), -DER_INVAL);
	assert_null(l);
}

static void
list_empty(void **state)
{
	struct daos_acl *l = daos_acl_create(NULL, 0);

	assert_non_null(l);
	assert_int_equal(daos_acl_validate(l), 0);
	assert_null(daos_acl_get_next_ace(l, NULL));
	assert_int_equal(daos_acl_get_size(l), sizeof(struct daos_acl));
	daos_acl_free(l);
	assert_int_equal(daos_acl_validate(NULL), -DER_INVAL);
}

static void
list_add_and_remove(void **state)
{
	static const char *const texts[] = {"A::OWNER@:r", "A::EVERYONE@:r"};
	struct daos_acl         *l = acl(texts, 2);
	struct daos_ace         *a = ace("A::bob@:rw"), *b = ace("A::bob@:d"), *found;

	assert_int_equal(daos_acl_add_ace(&l, a), 0);
	assert_int_equal(daos_acl_validate(l), 0);
	assert_int_equal(daos_acl_get_ace_for_principal(l, DAOS_ACL_USER, "bob@", &found), 0);
	assert_int_equal(found->dae_allow_perms, DAOS_ACL_PERM_READ | DAOS_ACL_PERM_WRITE);
	assert_int_equal(daos_acl_add_ace(&l, b), 0); /* replaces */
	assert_int_equal(daos_acl_get_ace_for_principal(l, DAOS_ACL_USER, "bob@", &found), 0);
	assert_int_equal(found->dae_allow_perms, DAOS_ACL_PERM_DEL_CONT);
	assert_int_equal(daos_acl_remove_ace(&l, DAOS_ACL_USER, "bob@"), 0);
	assert_int_equal(daos_acl_remove_ace(&l, DAOS_ACL_USER, "bob@"), -DER_NONEXIST);
	assert_int_equal(daos_acl_remove_ace(&l, DAOS_ACL_USER, NULL), -DER_INVAL);
	assert_int_equal(daos_acl_remove_ace(&l, DAOS_ACL_OWNER, NULL), 0);
	assert_int_equal(daos_acl_validate(l), 0);
	assert_int_equal(daos_acl_get_size(l), sizeof(struct daos_acl) + sizeof(struct daos_ace));
	daos_ace_free(a);
	daos_ace_free(b);
	daos_acl_free(l);
}

static void
list_to_text(void **state)
{
	struct daos_acl *l = sec_acl_default_cont();
	char           **strs;
	char             buf[256];
	size_t           nr;

	assert_int_equal(daos_acl_to_strs(l, &strs, &nr), 0);
	assert_int_equal(nr, 2);
	assert_string_equal(strs[0], "A::OWNER@:rwdtTaAo");
	assert_string_equal(strs[1], "A:G:GROUP@:rwtT");
	free(strs[0]);
	free(strs[1]);
	free(strs);
	assert_int_equal(sec_acl_to_text(l, buf, sizeof(buf)), strlen("A::OWNER@:rwdtTaAo, A:G:GROUP@:rwtT"));
	assert_string_equal(buf, "A::OWNER@:rwdtTaAo, A:G:GROUP@:rwtT");
	daos_acl_free(l);
}

static void
list_to_stream(void **state)
{
	struct daos_acl *l = sec_acl_default_pool();
	char            *text = NULL;
	size_t           bytes;
	FILE            *out = open_memstream(&text, &bytes);

	assert_int_equal(daos_acl_to_stream(out, l, true), 0);
	assert_int_equal(daos_acl_to_stream(out, NULL, false), 0);
	fclose(out);
	assert_string_equal(text, "# Entries:\n# Allow::Owner:Read/Write\nA::OWNER@:rw\n"
				  "# Allow:Group:Owner-Group:Read/Write\nA:G:GROUP@:rw\n# Entries:\n#   None\n");
	free(text);
	daos_acl_free(l);
}

static void
list_copy(void **state)
{
	struct daos_acl *l = sec_acl_default_cont(), *copy = daos_acl_dup(l);

	assert_memory_equal(l, copy, daos_acl_get_size(l));
	daos_acl_free(l);
	assert_int_equal(daos_acl_validate(copy), 0);
	daos_acl_free(copy);
	assert_null(daos_acl_dup(NULL));
	daos_acl_free(NULL);
}

/** Whatever bytes: validation ends, reads within the list, and what passes can be printed. */
static void
damaged_lists(void **state)
{
	static const char *const texts[] = {"A::OWNER@:r", "A::bob@:rw", "AU:S:carol@there:w", "A:G:GROUP@:r",
					    "A:G:ops@:r", "A::EVERYONE@:"};
	struct daos_acl         *l = acl(texts, 6);
	size_t                   bytes = daos_acl_get_size(l), valid = 0;
	unsigned                 seed = 1;

	for (int i = 0; i < 20000; i++) {
		struct daos_acl *bad = malloc(bytes);
		char           **strs;
		size_t           nr;

		memcpy(bad, l, bytes);
		for (int k = 0; k < 1 + i % 3; k++) {
			seed = seed * 1103515245 + 12345;
			((uint8_t *)bad)[(seed >> 8) % bytes] ^= 1 << ((seed >> 4) & 7);
		}
		if (bad->dal_len <= l->dal_len && daos_acl_validate(bad) == 0) {
			valid++;
			if (daos_acl_to_strs(bad, &strs, &nr) == 0) {
				while (nr > 0)
					free(strs[--nr]);
				free(strs);
			}
		}
		free(bad);
	}
	assert_true(valid > 0); /* some flips change a letter of a name only */
	daos_acl_free(l);
}

static void
kinds_of_lists(void **state)
{
	static const char *const cont[] = {"A::OWNER@:rwT"}, *const pool[] = {"A::OWNER@:rwc"};
	struct daos_acl         *c = acl(cont, 1), *p = acl(pool, 1);

	assert_int_equal(sec_acl_check_cont(c), 0);
	assert_int_equal(sec_acl_check_pool(c), -DER_INVAL);
	assert_int_equal(sec_acl_check_pool(p), 0);
	assert_int_equal(sec_acl_check_cont(p), -DER_INVAL);
	daos_acl_free(c);
	daos_acl_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(create_of_each_type),  cmocka_unit_test(create_refuses_long_names),
	    cmocka_unit_test(invalid_entries),      cmocka_unit_test(text_there_and_back),
	    cmocka_unit_test(text_malformed),       cmocka_unit_test(text_too_short_a_buffer),
	    cmocka_unit_test(text_needs_one_set_of_permissions),
	    cmocka_unit_test(text_in_words),        cmocka_unit_test(principals),
	    cmocka_unit_test(local_users),          cmocka_unit_test(list_is_put_in_order),
	    cmocka_unit_test(list_refuses_duplicates), cmocka_unit_test(list_empty),
	    cmocka_unit_test(list_add_and_remove),  cmocka_unit_test(list_to_text),
	    cmocka_unit_test(list_to_stream),       cmocka_unit_test(list_copy),
	    cmocka_unit_test(damaged_lists),        cmocka_unit_test(kinds_of_lists),
	};

	return cmocka_run_group_tests_name("acl", tests, NULL, NULL);
}
