/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Decisions: who may do what, by ACL, owners and identity. No I/O. */
#pragma once

#include <daos_security.h>
#include "base/util.h"
#include "security/sec_capas.h"

/** Who asks: what a checked credential said. */
struct sec_ident {
	char  *user;     /**< "alice@" */
	char  *group;    /**< primary */
	char **groups;   /**< [group_nr] others */
	uint32_t group_nr;
	char  *machine;
};
/** A copy in one allocation: free(). NULL strings are copied as "". */
int sec_ident_dup(const struct sec_ident *ident, struct sec_ident **ret_ident) MUST_CHECK;

struct sec_owner {
	const char *user;
	const char *group;
};

/** ACL permissions (DAOS_ACL_PERM_*) of @ident by the list: the owner's entry, or the user's, or those of all
 *  its groups together, or everyone's; the first of these that there is decides. */
uint64_t sec_acl_perms(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident);
/** SEC_POOL_CAPA_* of a handle opened with @flags (DAOS_PC_*). Errors: NO_PERM may not connect. */
int sec_pool_capas(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident, uint64_t flags,
		   uint64_t *ret_capas) MUST_CHECK;
/** SEC_CONT_CAPA_* of a handle opened with @flags (DAOS_COO_*). A container's owner can always read and set
 *  the ACL. Errors: NO_PERM may not open. */
int sec_cont_capas(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident, uint64_t flags,
		   uint64_t *ret_capas) MUST_CHECK;
/** Whether the container may be destroyed: by its own ACL, or by the pool handle's right to delete containers. */
bool sec_cont_can_destroy(struct daos_acl *acl, const struct sec_owner *owner, const struct sec_ident *ident,
			  uint64_t pool_capas);

/** The lists of pools and containers that were not given one; daos_acl_free(). NULL: no memory. */
struct daos_acl *sec_acl_default_pool(void);
struct daos_acl *sec_acl_default_cont(void);
/** Errors: INVAL not well formed, or it grants what the kind of thing doesn't know (pool: T a A o; container: c). */
int sec_acl_check_pool(struct daos_acl *acl) MUST_CHECK;
int sec_acl_check_cont(struct daos_acl *acl) MUST_CHECK;
/** "A::OWNER@:rw, A:G:GROUP@:rw"; return value as snprintf()'s, or -DER_INVAL. */
int sec_acl_to_text(struct daos_acl *acl, char *buf, size_t buf_bytes);
