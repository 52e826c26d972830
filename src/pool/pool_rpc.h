/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Requests of the pool service and of the targets of a pool. Requests to the service begin with the
 * pool's UUID, their replies with struct pool_out_head: a replica that doesn't lead says who does.
 */
#pragma once

#include <daos_pool.h>
#include "cart/crt.h"

#define POOL_RPC_VERSION    1
#define POOL_ATTR_NR_MAX    65536u
#define POOL_ATTR_BYTES_MAX (1u << 20) /**< of all values of a request */

enum pool_rpc {
	/* engine to replica */
	POOL_SVC_CREATE,
	POOL_SVC_STOP,
	/* to the leader */
	POOL_CONNECT,
	POOL_DISCONNECT,
	POOL_QUERY,
	POOL_QUERY_TGTS,
	POOL_ATTR_LIST,
	POOL_ATTR_GET,
	POOL_ATTR_SET,
	POOL_ATTR_DEL,
	POOL_PROP_SET,     /**< engines only: the control plane's */
	POOL_ACL_CHANGE,   /**< engines only */
	POOL_EVICT,        /**< engines only */
	POOL_DESTROY_PREP, /**< engines only */
	POOL_MAP_CHANGE,   /**< engines only */
	/* to an engine that holds targets */
	POOL_TGT_CREATE,
	POOL_TGT_DESTROY,
	POOL_TGT_QUERY,
	POOL_TGT_UPDATE,
	POOL_TGT_HDLS_CLOSE,
	POOL_RPC_NR,
};
#define POOL_OPC(idx) CRT_OPC(CRT_MOD_POOL, POOL_RPC_VERSION, idx)

/** Attributes: names with values, or names alone. */
struct pool_attr {
	char   *name;
	d_iov_t value;
};
struct pool_attrs {
	uint32_t          nr;
	struct pool_attr *v;
};
CRT_FIELD_TYPE(pool_attrs, struct pool_attrs)
CRT_FIELD_TYPE(pool_space, struct daos_pool_space)

/** How every reply of a service begins. */
struct pool_out_head {
	int32_t  rc;
	bool     begun; /**< the service looked at it; false: nothing was changed */
	bool     hint_valid;
	uint32_t hint_rank;
	uint64_t hint_term;
	uint64_t time; /**< HLC of the service, 0 where it doesn't lead: names of operations are made from it */
};
#define POOL_OUT_HEAD(F)                                                                           \
	F(int32_t, rc) F(bool, begun) F(bool, hint_valid) F(uint32_t, hint_rank) F(uint64_t, hint_term) F(uint64_t, time)
/** How every request to a service begins. */
struct pool_in_head {
	crt_uuid_t pool;
	crt_uuid_t hdl; /**< of the pool; null: the control plane, through an engine */
	uint64_t   op_time;   /**< with op_who the operation's name, a struct dtx_id: the same in all copies of the */
	crt_uuid_t op_who;    /**< request, and no other's. Not looked at where nothing is changed */
};
#define POOL_IN_HEAD(F) F(uuid, pool) F(uuid, hdl) F(uint64_t, op_time) F(uuid, op_who)

#define POOL_HEAD_CHECK(name)                                                                      \
	_Static_assert(offsetof(struct name##_in, pool) == 0 &&                                    \
			   offsetof(struct name##_in, op_who) == offsetof(struct pool_in_head, op_who), "in head"); \
	_Static_assert(offsetof(struct name##_out, rc) == 0 &&                                     \
			   offsetof(struct name##_out, time) == offsetof(struct pool_out_head, time), "out head");

/** Create a replica; with @bootstrap the first leader, which writes the initial content. @props: encoded list. */
#define POOL_SVC_CREATE_IN(F)                                                                      \
	F(uuid, pool) F(ranks, svc_ranks) F(ranks, ranks) F(uint32_t, tgts_per_rank) F(uint64_t, bytes)                \
	F(bool, bootstrap) F(iov, props)
#define POOL_SVC_CREATE_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(pool_svc_create, POOL_SVC_CREATE_IN, POOL_SVC_CREATE_OUT)

#define POOL_SVC_STOP_IN(F)  F(uuid, pool) F(bool, destroy)
#define POOL_SVC_STOP_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(pool_svc_stop, POOL_SVC_STOP_IN, POOL_SVC_STOP_OUT)

/** @map: sent when newer than the version the caller has. */
#define POOL_INFO_OUT(F) F(uint32_t, map_version) F(iov, map) F(ranks, svc_ranks) F(uint32_t, leader) F(pool_space, space)
#define POOL_CONNECT_IN(F)  POOL_IN_HEAD(F) F(uint64_t, flags) F(uint64_t, bits) F(iov, cred)
#define POOL_CONNECT_OUT(F) POOL_OUT_HEAD(F) F(uint64_t, capas) POOL_INFO_OUT(F)
CRT_RPC_DECLARE(pool_connect, POOL_CONNECT_IN, POOL_CONNECT_OUT)

#define POOL_DISCONNECT_IN(F)  POOL_IN_HEAD(F)
#define POOL_DISCONNECT_OUT(F) POOL_OUT_HEAD(F)
CRT_RPC_DECLARE(pool_disconnect, POOL_DISCONNECT_IN, POOL_DISCONNECT_OUT)

/** @bits: DPI_SPACE asks the targets. @props: those of @prop_types, or all. */
#define POOL_QUERY_IN(F)                                                                           \
	POOL_IN_HEAD(F) F(uint64_t, bits) F(uint32_t, map_version) F(bool, prop_all) F(u32s, prop_types)
#define POOL_QUERY_OUT(F) POOL_OUT_HEAD(F) POOL_INFO_OUT(F) F(iov, props)
CRT_RPC_DECLARE(pool_query, POOL_QUERY_IN, POOL_QUERY_OUT)

/** @states: enum pool_comp_status; @space: of each four numbers, tier 0 total, free, tier 1 total, free. */
#define POOL_QUERY_TGTS_IN(F)  POOL_IN_HEAD(F) F(uint32_t, rank) F(u32s, tgts)
#define POOL_QUERY_TGTS_OUT(F) POOL_OUT_HEAD(F) F(u32s, states) F(u64s, space)
CRT_RPC_DECLARE(pool_query_tgts, POOL_QUERY_TGTS_IN, POOL_QUERY_TGTS_OUT)

#define POOL_ATTR_IN(F)  POOL_IN_HEAD(F) F(pool_attrs, attrs)
#define POOL_ATTR_OUT(F) POOL_OUT_HEAD(F) F(pool_attrs, attrs)
CRT_RPC_DECLARE(pool_attr_op, POOL_ATTR_IN, POOL_ATTR_OUT)

#define POOL_PROP_SET_IN(F)  POOL_IN_HEAD(F) F(iov, props)
#define POOL_PROP_SET_OUT(F) POOL_OUT_HEAD(F)
CRT_RPC_DECLARE(pool_prop_set, POOL_PROP_SET_IN, POOL_PROP_SET_OUT)

enum pool_acl_change { POOL_ACL_OVERWRITE, POOL_ACL_UPDATE, POOL_ACL_DELETE };
/** @acl: struct daos_acl; @principal: for DELETE, of type @principal_type. Returns the list as it is then. */
#define POOL_ACL_CHANGE_IN(F)  POOL_IN_HEAD(F) F(uint32_t, change) F(iov, acl) F(uint32_t, principal_type) F(string, principal)
#define POOL_ACL_CHANGE_OUT(F) POOL_OUT_HEAD(F) F(iov, acl)
CRT_RPC_DECLARE(pool_acl_change, POOL_ACL_CHANGE_IN, POOL_ACL_CHANGE_OUT)

/** Close handles, all of them. */
#define POOL_EVICT_IN(F)  POOL_IN_HEAD(F)
#define POOL_EVICT_OUT(F) POOL_OUT_HEAD(F) F(uint32_t, count)
CRT_RPC_DECLARE(pool_evict, POOL_EVICT_IN, POOL_EVICT_OUT)

/** Errors: BUSY there are handles, and not @force, or containers, and not @recursive. */
#define POOL_DESTROY_PREP_IN(F)  POOL_IN_HEAD(F) F(bool, force) F(bool, recursive)
#define POOL_DESTROY_PREP_OUT(F) POOL_OUT_HEAD(F)
CRT_RPC_DECLARE(pool_destroy_prep, POOL_DESTROY_PREP_IN, POOL_DESTROY_PREP_OUT)

enum pool_map_change { POOL_MAP_EXCLUDE, POOL_MAP_REINTEGRATE, POOL_MAP_DRAIN, POOL_MAP_EXTEND };
/**
 * Change the states of targets @tgts of each of @ranks, without a list of all. @force: exclude more than the redundancy
 * factor allows. @untold: ranks that don't know yet.
 * Errors: RF | NONEXIST no such target, or its shards are gone | NOTSUPPORTED that needs a rebuild
 */
#define POOL_MAP_CHANGE_IN(F)                                                                      \
	POOL_IN_HEAD(F) F(uint32_t, change) F(ranks, ranks) F(u32s, tgts) F(bool, force)
#define POOL_MAP_CHANGE_OUT(F) POOL_OUT_HEAD(F) F(uint32_t, map_version) F(u32s, untold)
CRT_RPC_DECLARE(pool_map_change, POOL_MAP_CHANGE_IN, POOL_MAP_CHANGE_OUT)

/** Make the shards of this rank, on its first @tgt_nr targets. All or nothing. */
#define POOL_TGT_CREATE_IN(F)  F(uuid, pool) F(uint32_t, tgt_nr) F(uint64_t, meta_bytes) F(uint64_t, data_bytes)
#define POOL_TGT_CREATE_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(pool_tgt_create, POOL_TGT_CREATE_IN, POOL_TGT_CREATE_OUT)

#define POOL_TGT_DESTROY_IN(F)  F(uuid, pool)
#define POOL_TGT_DESTROY_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(pool_tgt_destroy, POOL_TGT_DESTROY_IN, POOL_TGT_DESTROY_OUT)

/** @space as in POOL_QUERY_TGTS, by target index. */
#define POOL_TGT_QUERY_IN(F)  F(uuid, pool)
#define POOL_TGT_QUERY_OUT(F) F(int32_t, rc) F(u64s, space)
CRT_RPC_DECLARE(pool_tgt_query, POOL_TGT_QUERY_IN, POOL_TGT_QUERY_OUT)

/** What targets have to know, when it changes. @props: encoded. */
#define POOL_TGT_UPDATE_IN(F)  F(uuid, pool) F(iov, map) F(ranks, svc_ranks) F(iov, props)
#define POOL_TGT_UPDATE_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(pool_tgt_update, POOL_TGT_UPDATE_IN, POOL_TGT_UPDATE_OUT)

/** Pool handles are gone; @hdls: UUIDs, 16 bytes each. */
#define POOL_TGT_HDLS_CLOSE_IN(F)  F(uuid, pool) F(iov, hdls)
#define POOL_TGT_HDLS_CLOSE_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(pool_tgt_hdls_close, POOL_TGT_HDLS_CLOSE_IN, POOL_TGT_HDLS_CLOSE_OUT)

/** Formats by request, with NULL handlers: what a client registers and the server's table copies. */
extern const struct crt_proto pool_proto_client;
