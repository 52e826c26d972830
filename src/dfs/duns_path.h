/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Parsing what names pools and containers in paths; pure. */
#pragma once

#include <daos_uns.h>
#include "base/util.h"

/** Whether @path begins with "daos:". */
bool duns_is_uri(const char *path);
/**
 * Parse "daos://pool[/cont[/rel]]", or without a prefix "/pool-uuid/cont-uuid[/rel]".
 * EINVAL it is not of that form; ENOMEM. da_rel_path is allocated.
 */
int duns_parse_direct(const char *path, bool prefix, struct duns_attr_t *attr) MUST_CHECK;
/** Take the name of a pool or container, a label or UUID, of @len characters. EINVAL */
int duns_take_name(const char *name, size_t len, char ret_name[DAOS_PROP_MAX_LABEL_BUF_LEN],
		   uuid_t ret_uuid) MUST_CHECK;
/** Name of a layout in the attribute's value ("POSIX"), and back (DAOS_PROP_CO_LAYOUT_UNKNOWN). */
const char        *duns_layout_name(daos_cont_layout_t layout);
daos_cont_layout_t duns_layout_parse(const char *name, size_t len);
