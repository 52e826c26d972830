/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What descriptors and buffers must satisfy, whoever they come from: the user (client side) or the
 * network (server side). Pure functions.
 */
#pragma once

#include <daos_obj.h>
#include "base/util.h"

enum obj_io_kind { OBJ_IO_UPDATE, OBJ_IO_FETCH };

/** A dkey: there, not empty, not too long, 8 bytes where the type of object says so. INVAL */
int obj_dkey_check(daos_obj_id_t oid, const daos_key_t *dkey) MUST_CHECK;
int obj_akey_check(daos_obj_id_t oid, const daos_key_t *akey) MUST_CHECK;
/** DAOS_COND_* that an operation may carry: @conds must be a subset of @allowed, without contradictions. INVAL */
int obj_conds_check(uint64_t conds, uint64_t allowed) MUST_CHECK;
#define OBJ_CONDS_UPDATE                                                                           \
	(DAOS_COND_DKEY_INSERT | DAOS_COND_DKEY_UPDATE | DAOS_COND_AKEY_INSERT |                   \
	 DAOS_COND_AKEY_UPDATE | DAOS_COND_PER_AKEY)
#define OBJ_CONDS_FETCH (DAOS_COND_DKEY_FETCH | DAOS_COND_AKEY_FETCH | DAOS_COND_PER_AKEY)
/** Names, types, extents; those of an update may not overlap. INVAL | OVERFLOW */
int obj_iods_check(daos_obj_id_t oid, enum obj_io_kind kind, uint64_t conds, uint32_t nr,
		   const daos_iod_t *iods) MUST_CHECK;
/** Buffers: there where they say bytes are. INVAL */
int obj_sgl_check(const d_sg_list_t *sgl) MUST_CHECK;
/**
 * Bytes of the records a descriptor names, with iod_size as it stands: of an update what it writes, of a fetch
 * what it reads at most; 0 while the size is not known. OVERFLOW
 */
int obj_iod_bytes(const daos_iod_t *iod, uint64_t *ret_bytes) MUST_CHECK;
/** Bytes of all of them. OVERFLOW */
int obj_iods_bytes(uint32_t nr, const daos_iod_t *iods, uint64_t *ret_bytes) MUST_CHECK;
/** Buffers against descriptors. @sgls may be NULL for a fetch of sizes and for an update that only punches.
 *  INVAL | REC2BIG a buffer is shorter than its records */
int obj_io_bufs_check(enum obj_io_kind kind, uint32_t nr, const daos_iod_t *iods,
		      const d_sg_list_t *sgls) MUST_CHECK;
