/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Who may do what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_cont.h>
#include <daos_pool.h>
#include "security/sec_policy.h"

static char *groups_of_alice[] = {"ops@", "readers@"};
static const struct sec_ident alice = {.user = "alice@", .group = "staff@", .groups = groups_of_alice, .group_nr = 2};
static const struct sec_ident eve = {.user = "eve@", .group = "others@"};
static const struct sec_owner alices = {.user = "alice@", .group = "staff@"};
static const struct sec_owner bobs = {.user = "bob@", .group = "ops@"};

#define R DAOS_ACL_PERM_READ
#define W DAOS_ACL_PERM_WRITE

static uint64_t
perms(const char *const *texts, size_t nr, const struct sec_owner *owner, const struct sec_ident *ident)
{
	struct daos_acl *l = NULL;
	uint64_t         p;

	assert_int_equal(daos_acl_from_strs((const char **)texts, nr, &l), 0);
	p = sec_acl_perms(l, owner, ident);
	daos_acl_free(l);
	return p;
}

static void
owner_entry_decides_for_owner(void **state)
{
	static const char *const l[] = {"A::OWNER@:r", "A::alice@:rw", "A::EVERYONE@:w"};

	assert_int_equal(perms(l, 3, &alices, &alice), R);
	assert_int_equal(perms(l, 3, &bobs, &alice), R | W);
	assert_int_equal(perms(l, 3, &bobs, &eve), W);
}

static void
user_entry_before_groups(void **state)
{
	static const char *const l[] = {"A::alice@:", "A:G:GROUP@:rw", "A:G:ops@:rw", "A::EVERYONE@:rw"};

	assert_int_equal(perms(l, 4, &bobs, &alice), 0);
}

static void
groups_add_up(void **state)
{
	static const char *const l[] = {"A:G:GROUP@:r", "A:G:readers@:w", "A:G:strangers@:d", "A::EVERYONE@:d"};

	assert_int_equal(perms(l, 4, &bobs, &alice), R | W);
	assert_int_equal(perms(l, 4, &bobs, &eve), DAOS_ACL_PERM_DEL_CONT);
}

static void
group_entry_keeps_everyone_out(void **state)
{
	static const char *const l[] = {"A:G:ops@:", "A::EVERYONE@:rw"};

	assert_int_equal(perms(l, 2, &alices, &alice), 0);
}

static void
primary_group_counts(void **state)
{
	static const char *const l[] = {"A:G:staff@:r"};

	assert_int_equal(perms(l, 1, &bobs, &alice), R);
}

static void
owner_without_owner_entry(void **state)
{
	static const char *const l[] = {"A:G:GROUP@:r"};

	assert_int_equal(perms(l, 1, &alices, &alice), R);
	assert_int_equal(perms(l, 1, &alices, &eve), 0);
}

static void
audits_grant_nothing(void **state)
{
	static const char *const l[] = {"U:S:alice@:rw"};

	assert_int_equal(perms(l, 1, &bobs, &alice), 0);
}

static void
no_list_no_access(void **state)
{
	struct daos_acl bad = {.dal_ver = 99};

	assert_int_equal(sec_acl_perms(NULL, &alices, &alice), 0);
	assert_int_equal(sec_acl_perms(&bad, &alices, &alice), 0);
}

static int
pool_capas(const char *text, uint64_t flags, uint64_t *ret)
{
	struct daos_acl *l = NULL;
	int              rc;

	assert_int_equal(daos_acl_from_strs(&text, 1, &l), 0);
	rc = sec_pool_capas(l, &bobs, &eve, flags, ret);
	daos_acl_free(l);
	return rc;
}

static void
capabilities_of_pool_handles(void **state)
{
	uint64_t c = 0;

	assert_int_equal(pool_capas("A::eve@:r", DAOS_PC_RW, &c), 0);
	assert_int_equal(c, SEC_POOL_CAPA_READ | SEC_POOL_CAPA_GET_PROP);
	assert_int_equal(pool_capas("A::eve@:t", DAOS_PC_RO, &c), 0);
	assert_int_equal(c, SEC_POOL_CAPA_READ | SEC_POOL_CAPA_GET_PROP);
	assert_int_equal(pool_capas("A::eve@:rc", DAOS_PC_RW, &c), 0);
	assert_int_equal(c, SEC_POOL_CAPA_READ | SEC_POOL_CAPA_GET_PROP | SEC_POOL_CAPA_CREATE_CONT);
	assert_int_equal(pool_capas("A::eve@:rw", DAOS_PC_RO, &c), 0);
	assert_int_equal(c, SEC_POOL_CAPA_READ | SEC_POOL_CAPA_GET_PROP);
	assert_int_equal(pool_capas("A::eve@:w", DAOS_PC_RW, &c), -DER_NO_PERM);
	assert_int_equal(pool_capas("A::OWNER@:rw", DAOS_PC_RW, &c), -DER_NO_PERM);
}

static int
cont_capas(const char *text, const struct sec_owner *owner, uint64_t flags, uint64_t *ret)
{
	struct daos_acl *l = NULL;
	int              rc;

	assert_int_equal(daos_acl_from_strs(&text, 1, &l), 0);
	rc = sec_cont_capas(l, owner, &alice, flags, ret);
	daos_acl_free(l);
	return rc;
}

static void
capabilities_of_container_handles(void **state)
{
	uint64_t c = 0;

	assert_int_equal(cont_capas("A::alice@:rwdtTaAo", &bobs, DAOS_COO_RW, &c), 0);
	assert_int_equal(c, 0xff);
	assert_int_equal(cont_capas("A::alice@:rwdtTaAo", &bobs, DAOS_COO_RO, &c), 0);
	assert_int_equal(c, SEC_CONT_CAPA_READ_DATA | SEC_CONT_CAPA_GET_PROP | SEC_CONT_CAPA_GET_ACL);
	assert_int_equal(cont_capas("A::alice@:", &bobs, DAOS_COO_RW, &c), -DER_NO_PERM);
	assert_int_equal(cont_capas("A::alice@:w", &bobs, DAOS_COO_RO, &c), -DER_NO_PERM);
}

static void
container_owner_keeps_the_acl(void **state)
{
	uint64_t c = 0;

	assert_int_equal(cont_capas("A::OWNER@:", &alices, DAOS_COO_RW, &c), 0);
	assert_int_equal(c, SEC_CONT_CAPA_GET_ACL | SEC_CONT_CAPA_SET_ACL);
}

static void
who_may_destroy(void **state)
{
	const char      *text = "A::alice@:d";
	struct daos_acl *l = NULL;

	assert_int_equal(daos_acl_from_strs(&text, 1, &l), 0);
	assert_true(sec_cont_can_destroy(l, &bobs, &alice, SEC_POOL_CAPA_READ));
	assert_false(sec_cont_can_destroy(l, &bobs, &eve, SEC_POOL_CAPA_READ));
	assert_true(sec_cont_can_destroy(l, &bobs, &eve, SEC_POOL_CAPA_DEL_CONT));
	daos_acl_free(l);
}

static void
defaults(void **state)
{
	struct daos_acl *p = sec_acl_default_pool(), *c = sec_acl_default_cont();

	assert_int_equal(sec_acl_check_pool(p), 0);
	assert_int_equal(sec_acl_check_cont(c), 0);
	assert_int_equal(sec_acl_perms(p, &alices, &alice), R | W);
	assert_int_equal(sec_acl_perms(p, &alices, &eve), 0);
	daos_acl_free(p);
	daos_acl_free(c);
}

static void
identities_are_copied(void **state)
{
	struct sec_ident *copy = NULL;

	assert_int_equal(sec_ident_dup(&alice, &copy), 0);
	assert_string_equal(copy->user, "alice@");
	assert_string_equal(copy->group, "staff@");
	assert_int_equal(copy->group_nr, 2);
	assert_string_equal(copy->groups[1], "readers@");
	assert_string_equal(copy->machine, "");
	free(copy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(owner_entry_decides_for_owner),   cmocka_unit_test(user_entry_before_groups),
	    cmocka_unit_test(groups_add_up),                   cmocka_unit_test(group_entry_keeps_everyone_out),
	    cmocka_unit_test(primary_group_counts),            cmocka_unit_test(owner_without_owner_entry),
	    cmocka_unit_test(audits_grant_nothing),            cmocka_unit_test(no_list_no_access),
	    cmocka_unit_test(capabilities_of_pool_handles),    cmocka_unit_test(capabilities_of_container_handles),
	    cmocka_unit_test(container_owner_keeps_the_acl),   cmocka_unit_test(who_may_destroy),
	    cmocka_unit_test(defaults),                        cmocka_unit_test(identities_are_copied),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
