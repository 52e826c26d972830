/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Access control lists. Invariants of a valid list:
 *  1. Its entries fill dal_ace[0..dal_len) exactly, each valid by itself.
 *  2. They stand in the order of their principal types: owner, users, owner's group, groups, everyone.
 *  3. No principal has two entries.
 */
#include <stdlib.h>
#include "security/sec_ace.h"

static struct daos_ace *
ace_at(const struct daos_acl *acl, uint32_t off)
{
	return (struct daos_ace *)(acl->dal_ace + off);
}

static bool
same_principal(const struct daos_ace *a, enum daos_acl_principal_type type, const char *name)
{
	if (a->dae_principal_type != type)
		return false;
	if (type != DAOS_ACL_USER && type != DAOS_ACL_GROUP)
		return true;
	return name != NULL && strncmp(a->dae_principal, name, DAOS_ACL_MAX_PRINCIPAL_BUF_LEN) == 0;
}

static struct daos_acl *
acl_alloc(size_t ace_bytes)
{
	struct daos_acl *acl = calloc(1, sizeof(*acl) + ace_bytes);

	if (acl != NULL) {
		acl->dal_ver = DAOS_ACL_VERSION;
		acl->dal_len = ace_bytes;
	}
	return acl;
}

struct daos_acl *
daos_acl_create(struct daos_ace *aces[], uint16_t num_aces)
{
	struct daos_acl *acl;
	size_t           bytes = 0, off = 0;

	if (num_aces > 0 && aces == NULL)
		return NULL;
	for (unsigned i = 0; i < num_aces; i++) {
		if (aces[i] == NULL || daos_ace_get_size(aces[i]) < 0)
			return NULL;
		bytes += sec_ace_bytes(aces[i]);
	}
	if (bytes > DAOS_ACL_MAX_ACE_LEN)
		return NULL;
	acl = acl_alloc(bytes);
	if (acl == NULL)
		return NULL;
	for (unsigned type = 0; type < NUM_DAOS_ACL_TYPES; type++) {
		for (unsigned i = 0; i < num_aces; i++) {
			if (aces[i]->dae_principal_type != type)
				continue;
			memcpy(acl->dal_ace + off, aces[i], sec_ace_bytes(aces[i]));
			off += sec_ace_bytes(aces[i]);
		}
	}
	if (off != bytes || daos_acl_validate(acl) != 0) {
		free(acl);
		return NULL;
	}
	return acl;
}

struct daos_acl *
daos_acl_dup(struct daos_acl *acl)
{
	struct daos_acl *copy;

	if (acl == NULL || acl->dal_len > DAOS_ACL_MAX_ACE_LEN)
		return NULL;
	copy = acl_alloc(acl->dal_len);
	if (copy != NULL)
		memcpy(copy, acl, sizeof(*acl) + acl->dal_len);
	return copy;
}

void
daos_acl_free(struct daos_acl *acl)
{
	free(acl);
}

ssize_t
daos_acl_get_size(struct daos_acl *acl)
{
	return acl == NULL ? -DER_INVAL : (ssize_t)(sizeof(*acl) + acl->dal_len);
}

struct daos_ace *
daos_acl_get_next_ace(struct daos_acl *acl, struct daos_ace *current_ace)
{
	size_t off = 0;

	if (acl == NULL)
		return NULL;
	if (current_ace != NULL) {
		uint8_t *p = (uint8_t *)current_ace;

		if (p < acl->dal_ace || p >= acl->dal_ace + acl->dal_len)
			return NULL;
		off = p - acl->dal_ace + sec_ace_bytes(current_ace);
	}
	return off + sizeof(struct daos_ace) <= acl->dal_len ? ace_at(acl, off) : NULL;
}

int
daos_acl_get_ace_for_principal(struct daos_acl *acl, enum daos_acl_principal_type type, const char *principal,
			       struct daos_ace **ace)
{
	bool named = type == DAOS_ACL_USER || type == DAOS_ACL_GROUP;

	if (acl == NULL || ace == NULL || (unsigned)type >= NUM_DAOS_ACL_TYPES || (named && principal == NULL))
		return -DER_INVAL;
	for (struct daos_ace *a = daos_acl_get_next_ace(acl, NULL); a != NULL; a = daos_acl_get_next_ace(acl, a)) {
		if (same_principal(a, type, principal)) {
			*ace = a;
			return 0;
		}
	}
	return -DER_NONEXIST;
}

/** Invariants 2 and 3 between an entry and those before it. */
static bool
fits_after(struct daos_acl *acl, uint32_t end, struct daos_ace *ace)
{
	for (uint32_t off = 0; off < end; off += sec_ace_bytes(ace_at(acl, off))) {
		struct daos_ace *before = ace_at(acl, off);

		if (before->dae_principal_type > ace->dae_principal_type)
			return false;
		if (same_principal(before, ace->dae_principal_type, ace->dae_principal))
			return false;
	}
	return true;
}

int
daos_acl_validate(struct daos_acl *acl)
{
	uint32_t off = 0;

	if (acl == NULL || acl->dal_ver != DAOS_ACL_VERSION || acl->dal_reserv != 0)
		return -DER_INVAL;
	if (acl->dal_len > DAOS_ACL_MAX_ACE_LEN || acl->dal_len % SEC_ACE_ALIGN != 0)
		return -DER_INVAL;
	while (off < acl->dal_len) {
		struct daos_ace *ace = ace_at(acl, off);

		if (!sec_ace_fits(ace, acl->dal_len - off) || !fits_after(acl, off, ace))
			return -DER_INVAL;
		off += sec_ace_bytes(ace);
	}
	return 0;
}

/** Where an entry of @type is to stand: after all of its type. */
static uint32_t
insert_offset(const struct daos_acl *acl, uint8_t type)
{
	uint32_t off = 0;

	while (off < acl->dal_len && ace_at(acl, off)->dae_principal_type <= type)
		off += sec_ace_bytes(ace_at(acl, off));
	return off;
}

int
daos_acl_add_ace(struct daos_acl **acl, struct daos_ace *new_ace)
{
	struct daos_acl *old, *made;
	struct daos_ace *present;
	uint32_t         off, bytes, drop = 0;

	if (acl == NULL || *acl == NULL || !daos_ace_is_valid(new_ace))
		return -DER_INVAL;
	old = *acl;
	bytes = sec_ace_bytes(new_ace);
	off = insert_offset(old, new_ace->dae_principal_type);
	if (daos_acl_get_ace_for_principal(old, new_ace->dae_principal_type, new_ace->dae_principal, &present) == 0) {
		off = (uint8_t *)present - old->dal_ace;
		drop = sec_ace_bytes(present);
	}
	if (old->dal_len - drop + bytes > DAOS_ACL_MAX_ACE_LEN)
		return -DER_INVAL;
	made = acl_alloc(old->dal_len - drop + bytes);
	if (made == NULL)
		return -DER_NOMEM;
	memcpy(made->dal_ace, old->dal_ace, off);
	memcpy(made->dal_ace + off, new_ace, bytes);
	memcpy(made->dal_ace + off + bytes, old->dal_ace + off + drop, old->dal_len - off - drop);
	free(old);
	*acl = made;
	return 0;
}

int
daos_acl_remove_ace(struct daos_acl **acl, enum daos_acl_principal_type type, const char *principal_name)
{
	struct daos_acl *made;
	struct daos_ace *ace;
	uint32_t         off, bytes;
	int              rc;

	if (acl == NULL)
		return -DER_INVAL;
	rc = daos_acl_get_ace_for_principal(*acl, type, principal_name, &ace);
	if (rc != 0)
		return rc;
	off = (uint8_t *)ace - (*acl)->dal_ace;
	bytes = sec_ace_bytes(ace);
	made = acl_alloc((*acl)->dal_len - bytes);
	if (made == NULL)
		return -DER_NOMEM;
	memcpy(made->dal_ace, (*acl)->dal_ace, off);
	memcpy(made->dal_ace + off, (*acl)->dal_ace + off + bytes, (*acl)->dal_len - off - bytes);
	free(*acl);
	*acl = made;
	return 0;
}
