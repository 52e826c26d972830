/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Access control lists. A list (struct daos_acl) is a header followed by entries (struct daos_ace),
 * each padded to 8 bytes. Text form of an entry: "A:G:principal@domain:rw".
 */
#ifndef __DAOS_SECURITY_H__
#define __DAOS_SECURITY_H__

#include <stdio.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>
#include <daos_prop.h>

#if defined(__cplusplus)
extern "C" {
#endif

#define DAOS_ACL_VERSION               (1)
/** Longest principal name, without and with the final NUL. */
#define DAOS_ACL_MAX_PRINCIPAL_LEN     (255)
#define DAOS_ACL_MAX_PRINCIPAL_BUF_LEN (DAOS_ACL_MAX_PRINCIPAL_LEN + 1)
/** Names of the principals that are not a user or group. */
#define DAOS_ACL_PRINCIPAL_OWNER       "OWNER@"
#define DAOS_ACL_PRINCIPAL_OWNER_GRP   "GROUP@"
#define DAOS_ACL_PRINCIPAL_EVERYONE    "EVERYONE@"
/** Most bytes of all entries of a list, and of one entry as text. */
#define DAOS_ACL_MAX_ACE_LEN           (65536)
#define DAOS_ACL_MAX_ACE_STR_LEN       (DAOS_ACL_MAX_PRINCIPAL_LEN + 64)

struct daos_acl {
	uint16_t dal_ver;    /**< DAOS_ACL_VERSION */
	uint16_t dal_reserv; /**< 0 */
	uint32_t dal_len;    /**< bytes in dal_ace */
	uint8_t  dal_ace[];
};

/** Kind of principal, in the order entries of a list stand. */
enum daos_acl_principal_type {
	DAOS_ACL_OWNER,
	DAOS_ACL_USER,
	DAOS_ACL_OWNER_GROUP,
	DAOS_ACL_GROUP,
	DAOS_ACL_EVERYONE,
	NUM_DAOS_ACL_TYPES
};

enum daos_acl_access_type {
	DAOS_ACL_ACCESS_ALLOW = (1U << 0),
	DAOS_ACL_ACCESS_AUDIT = (1U << 1),
	DAOS_ACL_ACCESS_ALARM = (1U << 2)
};

#define DAOS_ACL_ACCESS_ALL                                                                        \
	(DAOS_ACL_ACCESS_ALLOW | DAOS_ACL_ACCESS_AUDIT | DAOS_ACL_ACCESS_ALARM)

enum daos_acl_flags {
	DAOS_ACL_FLAG_GROUP          = (1U << 0), /**< the principal is a group */
	DAOS_ACL_FLAG_POOL_INHERIT   = (1U << 1), /**< containers of the pool get the entry */
	DAOS_ACL_FLAG_ACCESS_FAIL    = (1U << 2), /**< audit or alarm on refusal */
	DAOS_ACL_FLAG_ACCESS_SUCCESS = (1U << 3)  /**< audit or alarm on success */
};

#define DAOS_ACL_FLAG_ALL                                                                          \
	(DAOS_ACL_FLAG_GROUP | DAOS_ACL_FLAG_POOL_INHERIT | DAOS_ACL_FLAG_ACCESS_FAIL |            \
	 DAOS_ACL_FLAG_ACCESS_SUCCESS)

enum daos_acl_perm {
	DAOS_ACL_PERM_READ        = (1U << 0), /**< r */
	DAOS_ACL_PERM_WRITE       = (1U << 1), /**< w */
	DAOS_ACL_PERM_CREATE_CONT = (1U << 2), /**< c */
	DAOS_ACL_PERM_DEL_CONT    = (1U << 3), /**< d */
	DAOS_ACL_PERM_GET_PROP    = (1U << 4), /**< t */
	DAOS_ACL_PERM_SET_PROP    = (1U << 5), /**< T */
	DAOS_ACL_PERM_GET_ACL     = (1U << 6), /**< a */
	DAOS_ACL_PERM_SET_ACL     = (1U << 7), /**< A */
	DAOS_ACL_PERM_SET_OWNER   = (1U << 8), /**< o */
};

#define DAOS_ACL_PERM_POOL_ALL                                                                     \
	(DAOS_ACL_PERM_READ | DAOS_ACL_PERM_WRITE | DAOS_ACL_PERM_CREATE_CONT |                    \
	 DAOS_ACL_PERM_DEL_CONT | DAOS_ACL_PERM_GET_PROP)

#define DAOS_ACL_PERM_CONT_ALL                                                                     \
	(DAOS_ACL_PERM_READ | DAOS_ACL_PERM_WRITE | DAOS_ACL_PERM_DEL_CONT |                       \
	 DAOS_ACL_PERM_GET_PROP | DAOS_ACL_PERM_SET_PROP | DAOS_ACL_PERM_GET_ACL |                 \
	 DAOS_ACL_PERM_SET_ACL | DAOS_ACL_PERM_SET_OWNER)

#define DAOS_ACL_PERM_ALL (DAOS_ACL_PERM_POOL_ALL | DAOS_ACL_PERM_CONT_ALL)

struct daos_ace {
	uint8_t  dae_access_types;   /**< enum daos_acl_access_type bits */
	uint8_t  dae_principal_type; /**< enum daos_acl_principal_type */
	uint16_t dae_principal_len;  /**< bytes of dae_principal, padding included */
	uint16_t dae_access_flags;   /**< enum daos_acl_flags bits */
	uint16_t dae_reserv;         /**< 0 */
	uint64_t dae_allow_perms;    /**< enum daos_acl_perm bits, as are the next two */
	uint64_t dae_audit_perms;
	uint64_t dae_alarm_perms;
	char     dae_principal[]; /**< name of a user or group, else empty */
};

/** Build a list from @num_aces entries, which are copied. NULL: an entry is bad, or no memory. */
struct daos_acl *
daos_acl_create(struct daos_ace *aces[], uint16_t num_aces);

/** Copy a list; NULL without memory or list. */
struct daos_acl *
daos_acl_dup(struct daos_acl *acl);

/** Free a list; NULL is fine. */
void
daos_acl_free(struct daos_acl *acl);

/** Bytes of the list, header included | -DER_INVAL */
ssize_t
daos_acl_get_size(struct daos_acl *acl);

/** The entry after @current_ace, or the first if that is NULL; NULL after the last. Borrowed. */
struct daos_ace *
daos_acl_get_next_ace(struct daos_acl *acl, struct daos_ace *current_ace);

/** Find a principal's entry, borrowed. @principal matters for users and groups only. NONEXIST */
int
daos_acl_get_ace_for_principal(struct daos_acl *acl, enum daos_acl_principal_type type,
			       const char *principal, struct daos_ace **ace);

/** Add a copy of @new_ace, replacing its principal's; *@acl may move. INVAL | NOMEM */
int
daos_acl_add_ace(struct daos_acl **acl, struct daos_ace *new_ace);

/** Take a principal's entry out; *@acl may move. NONEXIST | INVAL | NOMEM */
int
daos_acl_remove_ace(struct daos_acl **acl, enum daos_acl_principal_type type,
		    const char *principal_name);

/** Print every field of a list on stdout. */
void
daos_acl_dump(struct daos_acl *acl);

/** 0 if a list is well formed, in order and without duplicates | INVAL */
int
daos_acl_validate(struct daos_acl *acl);

/** Make an entry that grants nothing yet; NULL: bad name for the type, or no memory. */
struct daos_ace *
daos_ace_create(enum daos_acl_principal_type type, const char *principal_name);

/** Free an entry; NULL is fine. */
void
daos_ace_free(struct daos_ace *ace);

/** Bytes of an entry | -DER_INVAL */
ssize_t
daos_ace_get_size(struct daos_ace *ace);

/** Print every field of an entry on stdout, indented by @tabs. */
void
daos_ace_dump(struct daos_ace *ace, uint32_t tabs);

/** Whether an entry is well formed. */
bool
daos_ace_is_valid(struct daos_ace *ace);

/** Whether @name has the form of a principal, "name@" or "name@domain". */
bool
daos_acl_principal_is_valid(const char *name);

/** Name of a local user; *@name is freed by the caller. NONEXIST | NOMEM */
int
daos_acl_uid_to_principal(uid_t uid, char **name);

/** Name of a local group; *@name is freed by the caller. NONEXIST | NOMEM */
int
daos_acl_gid_to_principal(gid_t gid, char **name);

/** Number of a local user. NONEXIST | INVAL */
int
daos_acl_principal_to_uid(const char *principal, uid_t *uid);

/** Number of a local group. NONEXIST | INVAL */
int
daos_acl_principal_to_gid(const char *principal, gid_t *gid);

/** Name of an entry's principal, special ones included; borrowed; NULL if the entry is bad. */
const char *
daos_ace_get_principal_str(struct daos_ace *ace);

/** Parse one entry; *@ace is freed by the caller. INVAL | NOMEM */
int
daos_ace_from_str(const char *str, struct daos_ace **ace);

/** Print an entry as text into @buf. TRUNC | INVAL */
int
daos_ace_to_str(struct daos_ace *ace, char *buf, size_t buf_len);

/** Turn an entry's text into one with words instead of letters. TRUNC | INVAL */
int
daos_ace_str_get_verbose(const char *ace_str, char *buf, size_t buf_len);

/** Build a list from text; *@acl is freed by the caller. INVAL | NOMEM */
int
daos_acl_from_strs(const char **ace_strs, size_t ace_nr, struct daos_acl **acl);

/** Print each entry; the caller frees the strings and the array. INVAL | NOMEM */
int
daos_acl_to_strs(struct daos_acl *acl, char ***ace_strs, size_t *ace_nr);

/** Split "u:name@", "g:name@" or a special name; *@name, freed by the caller, may be NULL. INVAL */
int
daos_acl_principal_from_str(const char *principal_str, enum daos_acl_principal_type *type,
			    char **name);

/** Print a list, one entry a line; with @verbose a comment explains each. INVAL | IO */
int
daos_acl_to_stream(FILE *stream, struct daos_acl *acl, bool verbose);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_SECURITY_H__ */
