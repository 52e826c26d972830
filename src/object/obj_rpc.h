/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Object requests on the wire. All begin with struct obj_hdr, all replies with struct obj_rhdr, so
 * that scheduling, checks and retries need not know the rest. Indexes are those of public DAOS.
 *
 * Values travel inside the message while all of a request's fit into OBJ_INLINE_BYTES_MAX, else by
 * RMA through one bulk handle that lists the pieces of all values one after the other: value i
 * starts where value i-1 ends, an update's length being what its descriptor says, a fetch's the room
 * its reader has.
 *
 * A fetch answers with runs, not with zeroes for what does not exist: run (offset, length) in the
 * stream of records a descriptor asks for, in rising order, neither empty nor touching each other.
 */
#pragma once

#include <daos_obj.h>
#include "base/dtx_id.h"
#include "base/unit_oid.h"
#include "cart/crt.h"
#include "cart/crt_proc.h"

#define OBJ_PROTO_VERSION    1
#define OBJ_INLINE_BYTES_MAX (16u << 10)
#define OBJ_KEY_BYTES_MAX    (64u << 10)
#define OBJ_IOD_NR_MAX       4096u
#define OBJ_RECX_NR_MAX      (1u << 20) /**< of all descriptors of a request */
#define OBJ_PUNCH_NR_MAX     4096u
#define OBJ_ENUM_NR_MAX      8192u        /**< entries of one reply */
#define OBJ_ENUM_BYTES_MAX   (1u << 20)   /**< key bytes of one reply */

/** X(index, name, format, handler). OBJ_OPC_ENUM lists objects of a container shard, or single values. */
#define OBJ_RPCS(X)                                                                                \
	X(UPDATE, "update", obj_rw_format, ds_obj_update_hdlr)                                     \
	X(FETCH, "fetch", obj_rw_format, ds_obj_fetch_hdlr)                                        \
	X(ENUM_DKEY, "list of dkeys", obj_enum_format, ds_obj_enum_hdlr)                           \
	X(ENUM_AKEY, "list of akeys", obj_enum_format, ds_obj_enum_hdlr)                           \
	X(ENUM_RECX, "list of extents", obj_enum_format, ds_obj_enum_hdlr)                         \
	X(ENUM, "list", obj_enum_format, ds_obj_enum_hdlr)                                         \
	X(PUNCH, "punch", obj_punch_format, ds_obj_punch_hdlr)                                     \
	X(PUNCH_DKEY, "punch of dkeys", obj_punch_format, ds_obj_punch_hdlr)                       \
	X(PUNCH_AKEY, "punch of akeys", obj_punch_format, ds_obj_punch_hdlr)                       \
	X(QUERY_KEY, "key query", obj_query_format, ds_obj_query_hdlr)

enum obj_opc {
#define OBJ_OPC_ENUMERATOR(id, name, format, hdlr) OBJ_OPC_##id,
	OBJ_RPCS(OBJ_OPC_ENUMERATOR)
#undef OBJ_OPC_ENUMERATOR
	OBJ_OPC_NR
};
_Static_assert(OBJ_OPC_UPDATE == 0 && OBJ_OPC_FETCH == 1 && OBJ_OPC_QUERY_KEY == 9,
	       "the indexes of public DAOS");
/** CART tag of a rank's target. */
#define OBJ_TAG_OF_TGT(tgt_idx) (2 + (tgt_idx))
#define OBJ_OPC(idx) CRT_OPC(CRT_MOD_OBJ, OBJ_PROTO_VERSION, idx)
const char *obj_opc_name(uint32_t idx);

enum obj_req_flags {
	OBJ_RF_RESEND    = 1 << 0, /**< an earlier copy may have been carried out */
	OBJ_RF_SIZE_ONLY = 1 << 1, /**< fetch: no data, record sizes alone */
	OBJ_RF_REVERSE   = 1 << 2, /**< enumeration of extents: falling */
	OBJ_RF_SINGLES   = 1 << 3, /**< OBJ_OPC_ENUM: single values, not objects */
	OBJ_RF_MASK      = (1 << 4) - 1,
};

struct obj_hdr {
	crt_uuid_t      pool, cont, hdl;
	daos_unit_oid_t oid;
	uint32_t        map_version; /**< of the map the target was found in */
	uint32_t        flags;       /**< enum obj_req_flags */
	uint64_t        conds;       /**< DAOS_COND_* */
	uint64_t        epoch;       /**< 0: now */
	struct dtx_id   dti;         /**< names a change, so that its second copy is not applied again; zeroed: a look */
	uint64_t        settled;     /**< all changes of this client that began before have been answered */
};
struct obj_rhdr {
	int32_t  rc;
	uint32_t map_version; /**< the server's, when newer than the request's */
	uint64_t epoch;       /**< of the change */
};
struct obj_iods  { uint32_t nr; daos_iod_t *v; };
struct obj_keys  { uint32_t nr; daos_key_t *v; };
struct obj_recxs { uint32_t nr; daos_recx_t *v; };
struct obj_kds   { uint32_t nr; daos_key_desc_t *v; };

CRT_FIELD_TYPE(obj_hdr, struct obj_hdr)
CRT_FIELD_TYPE(obj_rhdr, struct obj_rhdr)
CRT_FIELD_TYPE(obj_iods, struct obj_iods)   /**< decoded names are borrowed from the message */
CRT_FIELD_TYPE(obj_keys, struct obj_keys)   /**< decoded: borrowed from the message */
CRT_FIELD_TYPE(obj_recxs, struct obj_recxs)
CRT_FIELD_TYPE(obj_recx, daos_recx_t)
CRT_FIELD_TYPE(obj_kds, struct obj_kds)
CRT_FIELD_TYPE(obj_anchor, daos_anchor_t)

/** @rooms: fetch, bytes the reader has for each value. @data: update, values, if not in @bulk; last: saves a copy. */
#define OBJ_RW_IN(F)                                                                               \
	F(obj_hdr, hdr) F(iov, dkey) F(obj_iods, iods) F(u64s, rooms) F(crt_bulk_t, bulk)          \
	F(iov, data)
/** @sizes of records, by value; @run_nrs by value, then all @runs, two numbers each; @data of all runs, if
 *  not in the request's bulk. */
#define OBJ_RW_OUT(F)                                                                              \
	F(obj_rhdr, hdr) F(u64s, sizes) F(u32s, run_nrs) F(u64s, runs) F(iov, data)
CRT_RPC_DECLARE(obj_rw, OBJ_RW_IN, OBJ_RW_OUT)

/** Object: no key. Dkeys: dkeys. Akeys: one dkey and akeys. */
#define OBJ_PUNCH_IN(F)  F(obj_hdr, hdr) F(obj_keys, dkeys) F(obj_keys, akeys)
#define OBJ_PUNCH_OUT(F) F(obj_rhdr, hdr)
CRT_RPC_DECLARE(obj_punch, OBJ_PUNCH_IN, OBJ_PUNCH_OUT)

#define OBJ_ENUM_IN(F)                                                                             \
	F(obj_hdr, hdr) F(iov, dkey) F(iov, akey) F(uint32_t, nr) F(uint64_t, room)                \
	F(obj_anchor, anchor)
/** @kds with @keys, or @recxs with @epochs; @need: KEY2BIG, length of the key that did not fit. */
#define OBJ_ENUM_OUT(F)                                                                            \
	F(obj_rhdr, hdr) F(obj_kds, kds) F(iov, keys) F(obj_recxs, recxs) F(u64s, epochs)          \
	F(uint64_t, rsize) F(uint64_t, need) F(obj_anchor, anchor)
CRT_RPC_DECLARE(obj_enum, OBJ_ENUM_IN, OBJ_ENUM_OUT)

/** @query: DAOS_GET_*; 0: the newest epoch alone. */
#define OBJ_QUERY_IN(F) F(obj_hdr, hdr) F(uint32_t, query) F(iov, dkey) F(iov, akey)
#define OBJ_QUERY_OUT(F)                                                                           \
	F(obj_rhdr, hdr) F(iov, dkey) F(iov, akey) F(obj_recx, recx) F(uint64_t, cell_size)        \
	F(uint64_t, max_epoch)
CRT_RPC_DECLARE(obj_query, OBJ_QUERY_IN, OBJ_QUERY_OUT)
