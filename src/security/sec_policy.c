/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <stdlib.h>
#include <daos_cont.h>
#include <daos_pool.h>
#include "security/sec_ace.h"
#include "security/sec_policy.h"

#define CONT_OWNER_PERMS   (DAOS_ACL_PERM_GET_ACL | DAOS_ACL_PERM_SET_ACL)
#define POOL_CAPAS_WRITING (SEC_POOL_CAPA_CREATE_CONT | SEC_POOL_CAPA_DEL_CONT | SEC_POOL_CAPA_SET_PROP)
#define CONT_CAPAS_RO      (SEC_CONT_CAPA_READ_DATA | SEC_CONT_CAPA_GET_PROP | SEC_CONT_CAPA_GET_ACL)

struct perm_capa {
	uint64_t perm;
	uint64_t capas;
};
static const struct perm_capa pool_map[] = {
	{DAOS_ACL_PERM_READ, SEC_POOL_CAPA_READ | SEC_POOL_CAPA_GET_PROP},
	{DAOS_ACL_PERM_GET_PROP, SEC_POOL_CAPA_READ | SEC_POOL_CAPA_GET_PROP},
	{DAOS_ACL_PERM_WRITE, SEC_POOL_CAPA_CREATE_CONT | SEC_POOL_CAPA_DEL_CONT | SEC_POOL_CAPA_SET_PROP},
	{DAOS_ACL_PERM_CREATE_CONT, SEC_POOL_CAPA_CREATE_CONT},
	{DAOS_ACL_PERM_DEL_CONT, SEC_POOL_CAPA_DEL_CONT},
};
static const struct perm_capa cont_map[] = {
	{DAOS_ACL_PERM_READ, SEC_CONT_CAPA_READ_DATA},   {DAOS_ACL_PERM_WRITE, SEC_CONT_CAPA_WRITE_DATA},
	{DAOS_ACL_PERM_GET_PROP, SEC_CONT_CAPA_GET_PROP}, {DAOS_ACL_PERM_SET_PROP, SEC_CONT_CAPA_SET_PROP},
	{DAOS_ACL_PERM_GET_ACL, SEC_CONT_CAPA_GET_ACL},  {DAOS_ACL_PERM_SET_ACL, SEC_CONT_CAPA_SET_ACL},
	{DAOS_ACL_PERM_SET_OWNER, SEC_CONT_CAPA_SET_OWNER}, {DAOS_ACL_PERM_DEL_CONT, SEC_CONT_CAPA_DELETE},
};

static uint64_t
perms_to_capas(const struct perm_capa *map, size_t nr, uint64_t perms)
{
	uint64_t capas = 0;

	for (size_t i = 0; i < nr; i++) {
		if (perms & map[i].perm)
			capas |= map[i].capas;
	}
	return capas;
}

static bool
same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool
in_group(const struct sec_ident *ident, const char *group)
{
	if (same(ident->group, group))
		return true;
	for (uint32_t i = 0; i < ident->group_nr; i++) {
		if (same(ident->groups[i], group))
			return true;
	}
	return false;
}

/** Permissions of all entries of groups the identity is in; false: there is none. */
static bool
group_perms(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident, uint64_t *ret_perms)
{
	uint64_t perms = 0;
	bool     found = false;

	for (struct daos_ace *a = daos_acl_get_next_ace(acl, NULL); a != NULL; a = daos_acl_get_next_ace(acl, a)) {
		bool member = (a->dae_principal_type == DAOS_ACL_OWNER_GROUP && in_group(ident, owner->group)) ||
			      (a->dae_principal_type == DAOS_ACL_GROUP && in_group(ident, a->dae_principal));

		if (!member)
			continue;
		found = true;
		perms |= a->dae_allow_perms;
	}
	*ret_perms = perms;
	return found;
}

uint64_t
sec_acl_perms(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident)
{
	struct daos_ace *ace;
	uint64_t         perms;

	if (acl == NULL || daos_acl_validate(acl) != 0 || ident->user == NULL)
		return 0;
	if (same(ident->user, owner->user) && daos_acl_get_ace_for_principal(acl, DAOS_ACL_OWNER, NULL, &ace) == 0)
		return ace->dae_allow_perms;
	if (daos_acl_get_ace_for_principal(acl, DAOS_ACL_USER, ident->user, &ace) == 0)
		return ace->dae_allow_perms;
	if (group_perms(acl, owner, ident, &perms))
		return perms;
	if (daos_acl_get_ace_for_principal(acl, DAOS_ACL_EVERYONE, NULL, &ace) == 0)
		return ace->dae_allow_perms;
	return 0;
}

int
sec_pool_capas(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident, uint64_t flags,
	       uint64_t *ret_capas)
{
	uint64_t capas = perms_to_capas(pool_map, ARRAY_NR(pool_map), sec_acl_perms(acl, owner, ident));

	if (flags & DAOS_PC_RO)
		capas &= ~(uint64_t)POOL_CAPAS_WRITING;
	if (!(capas & SEC_POOL_CAPA_READ))
		return -DER_NO_PERM;
	*ret_capas = capas;
	return 0;
}

static uint64_t
cont_perms(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident)
{
	uint64_t perms = sec_acl_perms(acl, owner, ident);

	return same(ident->user, owner->user) ? perms | CONT_OWNER_PERMS : perms;
}

int
sec_cont_capas(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident, uint64_t flags,
	       uint64_t *ret_capas)
{
	uint64_t capas = perms_to_capas(cont_map, ARRAY_NR(cont_map), cont_perms(acl, owner, ident));

	if (flags & DAOS_COO_RO)
		capas &= CONT_CAPAS_RO;
	if (capas == 0)
		return -DER_NO_PERM;
	*ret_capas = capas;
	return 0;
}

bool
sec_cont_can_destroy(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident,
		     uint64_t pool_capas)
{
	return (pool_capas & SEC_POOL_CAPA_DEL_CONT) ||
	       (cont_perms(acl, owner, ident) & DAOS_ACL_PERM_DEL_CONT);
}

static struct daos_acl *
acl_of(const char *owner, const char *group)
{
	const char      *strs[] = {owner, group};
	struct daos_acl *acl = NULL;

	return daos_acl_from_strs(strs, ARRAY_NR(strs), &acl) == 0 ? acl : NULL;
}

struct daos_acl *
sec_acl_default_pool(void)
{
	return acl_of("A::OWNER@:rw", "A:G:GROUP@:rw");
}

struct daos_acl *
sec_acl_default_cont(void)
{
	return acl_of("A::OWNER@:rwdtTaAo", "A:G:GROUP@:rwtT");
}

static int
acl_check(struct daos_acl *acl, uint64_t allowed)
{
	int rc = daos_acl_validate(acl);

	if (rc != 0)
		return rc;
	for (struct daos_ace *a = daos_acl_get_next_ace(acl, NULL); a != NULL; a = daos_acl_get_next_ace(acl, a)) {
		if ((a->dae_allow_perms | a->dae_audit_perms | a->dae_alarm_perms) & ~allowed)
			return -DER_INVAL;
	}
	return 0;
}

int
sec_acl_check_pool(struct daos_acl *acl)
{
	return acl_check(acl, DAOS_ACL_PERM_POOL_ALL);
}

int
sec_acl_check_cont(struct daos_acl *acl)
{
	return acl_check(acl, DAOS_ACL_PERM_CONT_ALL);
}

int
sec_acl_to_text(struct daos_acl *acl, char *buf, size_t buf_bytes)
{
	char **strs;
	size_t nr;
	int    len = 0;
	int    rc = daos_acl_to_strs(acl, &strs, &nr);

	if (rc != 0)
		return -DER_INVAL;
	if (buf_bytes > 0)
		buf[0] = '\0';
	for (size_t i = 0; i < nr; i++) {
		size_t at = MIN_OF((size_t)len, buf_bytes);

		len += snprintf(buf + at, buf_bytes - at, "%s%s", i > 0 ? ", " : "", strs[i]);
		free(strs[i]);
	}
	free(strs);
	return len;
}

static size_t
str_bytes(const char *s)
{
	return (s == NULL ? 0 : strlen(s)) + 1;
}

static char *
str_put(char **pen, const char *s)
{
	char *at = *pen;

	memcpy(at, s == NULL ? "" : s, str_bytes(s));
	*pen += str_bytes(s);
	return at;
}

int
sec_ident_dup(const struct sec_ident *ident, struct sec_ident **ret_ident)
{
	struct sec_ident *copy;
	char             *pen;
	size_t            bytes = sizeof(*copy) + ident->group_nr * sizeof(char *);

	bytes += str_bytes(ident->user) + str_bytes(ident->group) + str_bytes(ident->machine);
	for (uint32_t i = 0; i < ident->group_nr; i++)
		bytes += str_bytes(ident->groups[i]);
	copy = calloc(1, bytes);
	if (copy == NULL)
		return -DER_NOMEM;
	copy->groups = (char **)(copy + 1);
	copy->group_nr = ident->group_nr;
	pen = (char *)(copy->groups + ident->group_nr);
	copy->user = str_put(&pen, ident->user);
	copy->group = str_put(&pen, ident->group);
	copy->machine = str_put(&pen, ident->machine);
	for (uint32_t i = 0; i < ident->group_nr; i++)
		copy->groups[i] = str_put(&pen, ident->groups[i]);
	*ret_ident = copy;
	return 0;
}
