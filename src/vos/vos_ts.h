/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Timestamps of reads: who read what, up to which epoch. Theory: vos_ts.c. */
#pragma once

#include "vos/vos.h"

struct vos_ts;

/** What is read or written, from the container down: dkey_hash 0: the object, akey_hash 0: the dkey. */
struct vos_ts_name {
	const unsigned char *cont;
	daos_unit_oid_t	     oid;
	uint64_t	     dkey_hash;
	uint64_t	     akey_hash;
	bool		     whole_cont; /**< all objects; the rest does not matter */
};
/** Never 0. */
uint64_t vos_ts_key_hash(const daos_key_t *key);

/** All was read up to @floor by somebody. */
int  vos_ts_create(daos_epoch_t floor, struct vos_ts **ret_ts) MUST_CHECK;
void vos_ts_destroy(struct vos_ts *ts);
void vos_ts_set_floor(struct vos_ts *ts, daos_epoch_t floor);
/** @reader (a hash of the transaction's id, not 0) read @name and what is below it, at @epoch. */
void vos_ts_read(struct vos_ts *ts, const struct vos_ts_name *name, daos_epoch_t epoch, uint64_t reader);
/** May @writer change @name, or all below it, at @epoch? TX_RESTART: it was read after that. */
int vos_ts_write_check(struct vos_ts *ts, const struct vos_ts_name *name, daos_epoch_t epoch,
		       uint64_t writer) MUST_CHECK;
