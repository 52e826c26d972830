/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Name of a distributed transaction: chosen by who begins it, known to all who take part. */
#pragma once

#include <stdint.h>
#include <string.h>
#include <uuid/uuid.h>

struct dtx_id {
	uint64_t hlc;  /**< when it began: ids are ordered by it first */
	uuid_t   uuid; /**< of who began it */
};
_Static_assert(sizeof(struct dtx_id) == 24, "durable, and sent");

#define DF_DTI "%016lx." DF_UUID
#define DP_DTI(id) (unsigned long)(id)->hlc, DP_UUID((id)->uuid)

static inline int
dtx_id_cmp(const struct dtx_id *a, const struct dtx_id *b)
{
	if (a->hlc != b->hlc)
		return a->hlc < b->hlc ? -1 : 1;
	return memcmp(a->uuid, b->uuid, sizeof(a->uuid));
}
