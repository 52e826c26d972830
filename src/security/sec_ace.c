/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Single entries of access control lists. */
#include <stdlib.h>
#include "security/sec_ace.h"

static bool
type_has_name(enum daos_acl_principal_type type)
{
	return type == DAOS_ACL_USER || type == DAOS_ACL_GROUP;
}

static bool
type_is_group(enum daos_acl_principal_type type)
{
	return type == DAOS_ACL_GROUP || type == DAOS_ACL_OWNER_GROUP;
}

bool
daos_acl_principal_is_valid(const char *name)
{
	const char *at;

	if (name == NULL || strnlen(name, DAOS_ACL_MAX_PRINCIPAL_BUF_LEN) > DAOS_ACL_MAX_PRINCIPAL_LEN)
		return false;
	at = strchr(name, '@');
	return at != NULL && at != name && strchr(at + 1, '@') == NULL && strpbrk(name, ":\n\r\t") == NULL;
}

struct daos_ace *
daos_ace_create(enum daos_acl_principal_type type, const char *principal_name)
{
	struct daos_ace *ace;
	size_t           len = 0;

	if ((unsigned)type >= NUM_DAOS_ACL_TYPES)
		return NULL;
	if (type_has_name(type)) {
		if (principal_name == NULL || principal_name[0] == '\0' ||
		    strnlen(principal_name, DAOS_ACL_MAX_PRINCIPAL_BUF_LEN) > DAOS_ACL_MAX_PRINCIPAL_LEN)
			return NULL;
		len = align_up(strlen(principal_name) + 1, SEC_ACE_ALIGN);
	}
	ace = calloc(1, sizeof(*ace) + len);
	if (ace == NULL)
		return NULL;
	ace->dae_principal_type = type;
	ace->dae_principal_len = len;
	if (len > 0)
		memcpy(ace->dae_principal, principal_name, strlen(principal_name));
	if (type_is_group(type))
		ace->dae_access_flags |= DAOS_ACL_FLAG_GROUP;
	return ace;
}

void
daos_ace_free(struct daos_ace *ace)
{
	free(ace);
}

size_t
sec_ace_bytes(const struct daos_ace *ace)
{
	return sizeof(*ace) + ace->dae_principal_len;
}

static bool
principal_is_valid(const struct daos_ace *ace)
{
	if (!type_has_name(ace->dae_principal_type))
		return ace->dae_principal_len == 0;
	if (ace->dae_principal_len == 0 || ace->dae_principal_len % SEC_ACE_ALIGN != 0)
		return false;
	if (ace->dae_principal_len > align_up(DAOS_ACL_MAX_PRINCIPAL_BUF_LEN, SEC_ACE_ALIGN))
		return false;
	if (ace->dae_principal[0] == '\0')
		return false;
	return memchr(ace->dae_principal, '\0', ace->dae_principal_len) != NULL;
}

/** Outcomes to be told about belong to audits and alarms, and those need at least one. */
static bool
flags_are_valid(const struct daos_ace *ace)
{
	bool told = ace->dae_access_types & (DAOS_ACL_ACCESS_AUDIT | DAOS_ACL_ACCESS_ALARM);
	bool outcome = ace->dae_access_flags & (DAOS_ACL_FLAG_ACCESS_FAIL | DAOS_ACL_FLAG_ACCESS_SUCCESS);

	if (ace->dae_access_flags & ~DAOS_ACL_FLAG_ALL)
		return false;
	if (!!(ace->dae_access_flags & DAOS_ACL_FLAG_GROUP) != type_is_group(ace->dae_principal_type))
		return false;
	return told == outcome;
}

static bool
perms_are_valid(const struct daos_ace *ace, uint8_t type, uint64_t perms)
{
	if (perms & ~(uint64_t)DAOS_ACL_PERM_ALL)
		return false;
	return perms == 0 || (ace->dae_access_types & type);
}

static bool
ace_is_valid(const struct daos_ace *ace)
{
	if (ace->dae_principal_type >= NUM_DAOS_ACL_TYPES || ace->dae_reserv != 0)
		return false;
	if (ace->dae_access_types == 0 || (ace->dae_access_types & ~DAOS_ACL_ACCESS_ALL))
		return false;
	return principal_is_valid(ace) && flags_are_valid(ace) &&
	       perms_are_valid(ace, DAOS_ACL_ACCESS_ALLOW, ace->dae_allow_perms) &&
	       perms_are_valid(ace, DAOS_ACL_ACCESS_AUDIT, ace->dae_audit_perms) &&
	       perms_are_valid(ace, DAOS_ACL_ACCESS_ALARM, ace->dae_alarm_perms);
}

bool
sec_ace_fits(const struct daos_ace *ace, size_t len)
{
	return len >= sizeof(*ace) && sec_ace_bytes(ace) <= len && ace_is_valid(ace);
}

bool
daos_ace_is_valid(struct daos_ace *ace)
{
	return ace != NULL && ace_is_valid(ace);
}

ssize_t
daos_ace_get_size(struct daos_ace *ace)
{
	if (ace == NULL || ace->dae_principal_len > align_up(DAOS_ACL_MAX_PRINCIPAL_BUF_LEN, SEC_ACE_ALIGN))
		return -DER_INVAL;
	return sec_ace_bytes(ace);
}

uint64_t
sec_ace_perms(const struct daos_ace *ace)
{
	if (ace->dae_access_types & DAOS_ACL_ACCESS_ALLOW)
		return ace->dae_allow_perms;
	return ace->dae_access_types & DAOS_ACL_ACCESS_AUDIT ? ace->dae_audit_perms : ace->dae_alarm_perms;
}

const char *
daos_ace_get_principal_str(struct daos_ace *ace)
{
	switch (ace->dae_principal_type) {
	case DAOS_ACL_OWNER:
		return DAOS_ACL_PRINCIPAL_OWNER;
	case DAOS_ACL_OWNER_GROUP:
		return DAOS_ACL_PRINCIPAL_OWNER_GRP;
	case DAOS_ACL_EVERYONE:
		return DAOS_ACL_PRINCIPAL_EVERYONE;
	case DAOS_ACL_USER:
	case DAOS_ACL_GROUP:
		return ace->dae_principal;
	default:
		return NULL;
	}
}
