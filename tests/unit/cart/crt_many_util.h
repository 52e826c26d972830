/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Many ranks in one process, each an instance with one context, over the in-process provider. */
#pragma once

#include "cart/crt.h"
#include "na/na.h"

struct many {
	struct na_self_world *world;
	uint32_t              nr;
	struct crt          **crt; /**< [nr]; NULL: dead */
	crt_context_t        *ctx;
	uint32_t              version;
	struct crt_member    *members;
	char                (*uris)[NA_URI_BYTES_MAX];
};

/** @proto is registered everywhere; each context's data is its rank. */
void many_start(struct many *m, uint32_t nr, const struct crt_proto *proto);
void many_stop(struct many *m);
/** All who live, as a new version everywhere. */
void many_group_set(struct many *m);
void many_kill(struct many *m, d_rank_t rank);
/** Progress all once, highest rank first. */
void many_pump(struct many *m);
void many_pump_until(struct many *m, const _Atomic int *flag);
