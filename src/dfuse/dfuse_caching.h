/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** How long what of a container may be cached; pure but for reading the attributes. */
#pragma once

#include <daos_types.h>
#include "base/util.h"

#define DFUSE_FOREVER_SEC UINT32_MAX

struct dfuse_caching {
	uint32_t attr_sec;
	uint32_t dentry_sec;
	uint32_t dentry_dir_sec;
	uint32_t ndentry_sec; /**< that a name does not exist */
	uint32_t data_sec;    /**< from last close to next open; 0: no page cache */
	bool     data_open;   /**< page cache while a file is open, whatever data_sec says */
	bool     no_direct;   /**< O_DIRECT is ignored */
};

/** The attributes of a container that set these, in the order dfuse_caching_set() takes. */
#define DFUSE_CACHING_ATTR_NR 6
extern const char *const dfuse_caching_attrs[DFUSE_CACHING_ATTR_NR];

void dfuse_caching_default(struct dfuse_caching *c);
/** From attributes: @values[i] of @lens[i] bytes, 0: not set. If any is set, others are 0 or off. */
void dfuse_caching_set(struct dfuse_caching *c, const char *const values[DFUSE_CACHING_ATTR_NR],
		       const size_t lens[DFUSE_CACHING_ATTR_NR]);
/** "90", "90s", "5m", "2h", "1d". EINVAL */
int dfuse_time_parse(const char *text, size_t len, uint32_t *ret_sec) MUST_CHECK;
/** Of an open container. Attributes that cannot be read leave the defaults. */
void dfuse_caching_load(struct dfuse_caching *c, daos_handle_t coh);
