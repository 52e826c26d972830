/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the VOS tests share: random numbers from a seed, and a rig of devices, store and pool. */
#pragma once

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bio/bio_ram.h"
#include "vos/vos.h"

struct rnd {
	uint64_t state;
};
/** Seeded from VOS_TEST_SEED if that is set, else from @def; printed, so that a failure can be
 * rerun. */
struct rnd rnd_init(const char *what, uint64_t def);
uint64_t   rnd_next(struct rnd *r);
/** 0..n-1 */
uint64_t rnd_below(struct rnd *r, uint64_t n);
/** Rounds of a random test: @def times VOS_TEST_SCALE. */
uint32_t rnd_rounds(uint32_t def);

enum rig_kind {
	RIG_VOLATILE,	   /**< heap only */
	RIG_VOLATILE_DATA, /**< volatile heap, data on a RAM device */
	RIG_RAM,	   /**< log, meta and data on a RAM device */
	RIG_FILE,	   /**< all on a file */
};

struct rig {
	enum rig_kind	 kind;
	struct vos_store store;
	struct bio_dev	*dev;
	struct bio_ram	*ram; /**< RIG_RAM: behind the device */
	char		 dir[64];
	char		 path[96];
	uuid_t		 pool_uuid;
	uuid_t		 cont_uuid;
	struct vos_pool *pool;
	struct vos_cont *cont;
};
struct rig_size {
	uint64_t meta_bytes;
	uint64_t data_bytes;
};
void rig_init(struct rig *rig, enum rig_kind kind, const struct rig_size *size);
void rig_fini(struct rig *rig);
/** Close container and pool, open both again. */
void rig_reopen(struct rig *rig);
/** RIG_RAM: close on a device that failed or fails now, lose what was not durable, open again. */
void rig_power_loss(struct rig *rig, uint64_t seed);

/** Run a group's tests inside a ULT of this thread. Returns the number of failures. */
int vos_test_run(int (*group)(void));

daos_unit_oid_t test_oid(uint32_t type, uint64_t lo);
