/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the ACL files share. */
#pragma once

#include <daos_security.h>
#include "base/util.h"

#define SEC_ACE_ALIGN 8

/** Bytes of an entry whose principal_len says so; trusts that field. */
size_t sec_ace_bytes(const struct daos_ace *ace);
/** Whether @len bytes hold exactly one entry's fields and principal, all of it well formed. */
bool sec_ace_fits(const struct daos_ace *ace, size_t len);
/** The permissions of an entry, whatever its kinds of access: those of the first kind it has. */
uint64_t sec_ace_perms(const struct daos_ace *ace);
