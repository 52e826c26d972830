/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Requests about containers: to the pool's service, and to engines that hold targets of the pool.
 * Heads are those of pool/pool_rpc.h; pool.hdl is the pool handle the request is made with.
 */
#pragma once

#include <daos_cont.h>
#include "pool/pool_rpc.h"

#define CONT_RPC_VERSION 1
#define CONT_SNAP_NR_MAX 65536u

enum cont_rpc {
	CONT_CREATE,
	CONT_DESTROY,
	CONT_OPEN,
	CONT_CLOSE,
	CONT_QUERY,
	CONT_PROP_SET,
	CONT_LIST,
	CONT_ATTR_LIST,
	CONT_ATTR_GET,
	CONT_ATTR_SET,
	CONT_ATTR_DEL,
	CONT_ALLOC_OIDS,
	CONT_SNAP_CREATE,
	CONT_SNAP_DESTROY,
	CONT_SNAP_LIST,
	CONT_HDL_FIND,  /**< engines only */
	CONT_SET_OWNER, /**< engines only: the control plane's */
	/* to engines */
	CONT_TGT_OPEN,
	CONT_TGT_CLOSE,
	CONT_TGT_DESTROY,
	CONT_TGT_SNAPS,
	CONT_RPC_NR,
};
#define CONT_OPC(idx) CRT_OPC(CRT_MOD_CONT, CONT_RPC_VERSION, idx)

/**
 * All snapshots of a container, ascending. Lists overtake each other on their way to the targets, which keep the one with the highest
 * version: the time of its reading, by the hybrid clock of the leader that read it.
 */
struct cont_snaps {
	uint64_t             version;
	struct crt_u64_array epochs;
};
CRT_FIELD_TYPE(cont_snaps, struct cont_snaps)
CRT_FIELD_TYPE(cont_info, daos_cont_info_t)

/** A container that need not be open: by label, or by UUID when there is none. */
#define CONT_NAME(F) F(string, label) F(uuid, cont)
/** One that is: the handle. */
#define CONT_HDL(F)  F(uuid, cont) F(uuid, cont_hdl)

#define CONT_CREATE_IN(F)  POOL_IN_HEAD(F) F(uuid, cont) F(iov, props)
#define CONT_CREATE_OUT(F) POOL_OUT_HEAD(F)
CRT_RPC_DECLARE(cont_create, CONT_CREATE_IN, CONT_CREATE_OUT)

#define CONT_DESTROY_IN(F)  POOL_IN_HEAD(F) CONT_NAME(F) F(bool, force)
#define CONT_DESTROY_OUT(F) POOL_OUT_HEAD(F)
CRT_RPC_DECLARE(cont_destroy, CONT_DESTROY_IN, CONT_DESTROY_OUT)

#define CONT_OPEN_IN(F)  POOL_IN_HEAD(F) CONT_NAME(F) F(uuid, cont_hdl) F(uint64_t, flags)
#define CONT_OPEN_OUT(F) POOL_OUT_HEAD(F) F(uuid, cont) F(uint64_t, capas) F(cont_info, info) F(iov, props)
CRT_RPC_DECLARE(cont_open, CONT_OPEN_IN, CONT_OPEN_OUT)

#define CONT_CLOSE_IN(F)  POOL_IN_HEAD(F) CONT_HDL(F)
#define CONT_CLOSE_OUT(F) POOL_OUT_HEAD(F)
CRT_RPC_DECLARE(cont_close, CONT_CLOSE_IN, CONT_CLOSE_OUT)

#define CONT_QUERY_IN(F)  POOL_IN_HEAD(F) CONT_HDL(F) F(bool, prop_all) F(u32s, prop_types)
#define CONT_QUERY_OUT(F) POOL_OUT_HEAD(F) F(cont_info, info) F(iov, props)
CRT_RPC_DECLARE(cont_query, CONT_QUERY_IN, CONT_QUERY_OUT)

#define CONT_PROP_SET_IN(F)  POOL_IN_HEAD(F) CONT_HDL(F) F(iov, props)
#define CONT_PROP_SET_OUT(F) POOL_OUT_HEAD(F)
CRT_RPC_DECLARE(cont_prop_set, CONT_PROP_SET_IN, CONT_PROP_SET_OUT)

/** Each as a label with the UUID for its value. */
#define CONT_LIST_IN(F)  POOL_IN_HEAD(F)
#define CONT_LIST_OUT(F) POOL_OUT_HEAD(F) F(pool_attrs, conts)
CRT_RPC_DECLARE(cont_list, CONT_LIST_IN, CONT_LIST_OUT)

#define CONT_ATTR_IN(F)  POOL_IN_HEAD(F) CONT_HDL(F) F(pool_attrs, attrs)
#define CONT_ATTR_OUT(F) POOL_OUT_HEAD(F) F(pool_attrs, attrs)
CRT_RPC_DECLARE(cont_attr_op, CONT_ATTR_IN, CONT_ATTR_OUT)

#define CONT_ALLOC_OIDS_IN(F)  POOL_IN_HEAD(F) CONT_HDL(F) F(uint64_t, num)
#define CONT_ALLOC_OIDS_OUT(F) POOL_OUT_HEAD(F) F(uint64_t, oid)
CRT_RPC_DECLARE(cont_alloc_oids, CONT_ALLOC_OIDS_IN, CONT_ALLOC_OIDS_OUT)

/** CREATE returns one epoch, the same for the same number in lo; LIST all; DESTROY takes those in lo..hi. */
#define CONT_SNAP_IN(F)  POOL_IN_HEAD(F) CONT_HDL(F) F(uint64_t, lo) F(uint64_t, hi)
#define CONT_SNAP_OUT(F) POOL_OUT_HEAD(F) F(u64s, epochs)
CRT_RPC_DECLARE(cont_snap_op, CONT_SNAP_IN, CONT_SNAP_OUT)

/** What an engine has to know of a handle; the map when newer than its own. */
#define CONT_HDL_FIND_IN(F)  POOL_IN_HEAD(F) CONT_HDL(F) F(uint32_t, map_version)
#define CONT_HDL_FIND_OUT(F)                                                                       \
	POOL_OUT_HEAD(F) F(uint64_t, flags) F(uint64_t, capas) F(uuid, pool_hdl) F(cont_snaps, snaps) F(iov, map) F(ranks, svc_ranks)
CRT_RPC_DECLARE(cont_hdl_find, CONT_HDL_FIND_IN, CONT_HDL_FIND_OUT)

#define CONT_SET_OWNER_IN(F)  POOL_IN_HEAD(F) CONT_NAME(F) F(string, user) F(string, group)
#define CONT_SET_OWNER_OUT(F) POOL_OUT_HEAD(F)
CRT_RPC_DECLARE(cont_set_owner, CONT_SET_OWNER_IN, CONT_SET_OWNER_OUT)

#define CONT_TGT_OPEN_IN(F)                                                                        \
	F(uuid, pool) CONT_HDL(F) F(uuid, pool_hdl) F(uint64_t, flags) F(uint64_t, capas) F(cont_snaps, snaps)
#define CONT_TGT_OPEN_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(cont_tgt_open, CONT_TGT_OPEN_IN, CONT_TGT_OPEN_OUT)

/** @hdls: UUIDs, 16 bytes each. */
#define CONT_TGT_CLOSE_IN(F)  F(uuid, pool) F(iov, hdls)
#define CONT_TGT_CLOSE_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(cont_tgt_close, CONT_TGT_CLOSE_IN, CONT_TGT_CLOSE_OUT)

/** Close its handles and destroy its shards. */
#define CONT_TGT_DESTROY_IN(F)  F(uuid, pool) F(uuid, cont)
#define CONT_TGT_DESTROY_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(cont_tgt_destroy, CONT_TGT_DESTROY_IN, CONT_TGT_DESTROY_OUT)

#define CONT_TGT_SNAPS_IN(F)  F(uuid, pool) F(uuid, cont) F(cont_snaps, snaps)
#define CONT_TGT_SNAPS_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(cont_tgt_snaps, CONT_TGT_SNAPS_IN, CONT_TGT_SNAPS_OUT)

extern const struct crt_proto cont_proto_client;
