/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The requests that CART itself sends. Their handlers run at once, never through the hook of the
 * context, so they are answered however busy the ULTs are.
 */
#pragma once

#include "cart/crt_internal.h"
#include "cart/swim/swim.h"

#define CRT_INTERNAL_VERSION 1

/** X(id, format, handler, flags, corpc_ops) */
#define CRT_INTERNAL_RPCS(X)                                                                       \
	X(URI, crt_uri, crt_uri_handler, 0, NULL)                                                  \
	X(PING, crt_ping, crt_ping_handler, 0, NULL)                                               \
	X(PROTO_QUERY, crt_query, crt_query_handler, 0, NULL)                                      \
	X(CORPC, crt_corpc, crt_corpc_handler, 0, NULL)                                            \
	X(SWIM, crt_swim, crt_swim_handler, CRT_RPC_NO_REPLY, NULL)                                \
	X(IV, crt_iv, crt_iv_handler, 0, NULL)                                                     \
	X(IV_SYNC, crt_iv_sync, crt_iv_sync_handler, 0, &crt_iv_sync_ops)                          \
	X(ST_OPEN, crt_st_open, crt_st_open_handler, 0, NULL)                                      \
	X(ST_TEST, crt_st_test, crt_st_test_handler, 0, NULL)                                      \
	X(ST_CLOSE, crt_st_close, crt_st_close_handler, 0, NULL)                                   \
	X(ST_START, crt_st_start, crt_st_start_handler, 0, NULL)                                   \
	X(ST_STATUS, crt_st_status, crt_st_status_handler, 0, NULL)                                \
	X(CTL, crt_ctl, crt_ctl_handler, 0, NULL)                                                  \
	X(BARRIER, crt_barrier, crt_barrier_handler, 0, NULL)

enum crt_internal_rpc {
#define CRT_INTERNAL_ENUM(id, format, handler, flags, ops) CRT_RPC_##id,
	CRT_INTERNAL_RPCS(CRT_INTERNAL_ENUM)
#undef CRT_INTERNAL_ENUM
	CRT_RPC_INTERNAL_NR
};
#define CRT_INTERNAL_OPC(id) CRT_OPC(CRT_MOD_INTERNAL, CRT_INTERNAL_VERSION, id)

#define CRT_INTERNAL_HANDLER(id, format, handler, flags, ops) void handler(crt_rpc_t *rpc);
CRT_INTERNAL_RPCS(CRT_INTERNAL_HANDLER)
#undef CRT_INTERNAL_HANDLER

/** Which URI has @tag of @rank, and which token for links on its machine ("": none)? */
#define CRT_URI_IN(F)  F(uint32_t, rank) F(uint32_t, tag)
#define CRT_URI_OUT(F) F(int32_t, rc) F(string, uri) F(string, token)
CRT_RPC_DECLARE(crt_uri, CRT_URI_IN, CRT_URI_OUT)

/** Are you there? */
#define CRT_PING_FIELDS(F)
CRT_RPC_DECLARE(crt_ping, CRT_PING_FIELDS, CRT_PING_FIELDS)

/** The highest of @versions that is registered for @mod_id. */
#define CRT_QUERY_IN(F)  F(uint32_t, mod_id) F(u32s, versions)
#define CRT_QUERY_OUT(F) F(int32_t, rc) F(uint32_t, version)
CRT_RPC_DECLARE(crt_query, CRT_QUERY_IN, CRT_QUERY_OUT)

/** A message of SWIM's: crt_swim.c. */
struct crt_swim_update_array {
	uint32_t            nr;
	struct swim_update *v;
};
CRT_FIELD_TYPE(crt_swim_updates, struct crt_swim_update_array)
#define CRT_SWIM_IN(F)                                                                             \
	F(uint8_t, kind) F(uint32_t, about) F(uint64_t, seq) F(uint64_t, stamp)                    \
	F(uint64_t, incarnation) F(crt_swim_updates, updates)
#define CRT_NO_FIELDS(F)
CRT_RPC_DECLARE(crt_swim, CRT_SWIM_IN, CRT_NO_FIELDS)

/** A collective request on its way down, and the merged reply on its way up: crt_corpc.c. */
#define CRT_CORPC_IN(F)                                                                            \
	F(uint32_t, opc) F(uint32_t, root) F(uint32_t, grp_version) F(uint8_t, tree_type)          \
	F(uint8_t, tree_ratio) F(bool, invert) F(ranks, filter) F(uint64_t, timeout_ns)            \
	F(iov, root_name) F(iov, body) F(crt_bulk_t, chained)
#define CRT_CORPC_OUT(F) F(int32_t, rc) F(uint32_t, reached_nr) F(ranks, failed) F(iov, body)
CRT_RPC_DECLARE(crt_corpc, CRT_CORPC_IN, CRT_CORPC_OUT)

/** An operation on an incast variable on its way to the root, and the news from there: crt_iv.c. */
#define CRT_IV_IN(F)                                                                               \
	F(uint8_t, kind) F(uint8_t, sync) F(uint32_t, flags) F(uint32_t, ns_id) F(uint32_t, root)  \
	F(uint32_t, grp_version) F(uint32_t, class_id) F(iov, key) F(uint64_t, version)             \
	F(iov, value)
#define CRT_IV_OUT(F) F(int32_t, rc) F(uint64_t, version) F(iov, value)
CRT_RPC_DECLARE(crt_iv, CRT_IV_IN, CRT_IV_OUT)
#define CRT_IV_SYNC_IN(F)                                                                          \
	F(uint32_t, ns_id) F(uint32_t, class_id) F(bool, invalidate) F(iov, key)                 \
	F(uint64_t, version) F(iov, value)
#define CRT_IV_SYNC_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(crt_iv_sync, CRT_IV_SYNC_IN, CRT_IV_SYNC_OUT)
extern const struct crt_corpc_ops crt_iv_sync_ops;

/** Self-test: crt_st_server.c, crt_st_client.c. @tag of OPEN is the asker's. */
#define CRT_ST_OPEN_IN(F)                                                                          \
	F(uint32_t, tag) F(uint32_t, inflight) F(uint32_t, send_bytes) F(bool, send_bulk)          \
	F(uint32_t, reply_bytes) F(bool, reply_bulk)
#define CRT_ST_OPEN_OUT(F) F(int32_t, rc) F(uint64_t, session)
CRT_RPC_DECLARE(crt_st_open, CRT_ST_OPEN_IN, CRT_ST_OPEN_OUT)
#define CRT_ST_TEST_IN(F)                                                                          \
	F(uint64_t, session) F(iov, data) F(crt_bulk_t, send_bulk) F(crt_bulk_t, reply_bulk)
#define CRT_ST_TEST_OUT(F) F(int32_t, rc) F(iov, data)
CRT_RPC_DECLARE(crt_st_test, CRT_ST_TEST_IN, CRT_ST_TEST_OUT)
#define CRT_ST_CLOSE_IN(F)  F(uint64_t, session)
#define CRT_ST_CLOSE_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(crt_st_close, CRT_ST_CLOSE_IN, CRT_ST_CLOSE_OUT)
/** @eps: rank, tag, rank, tag, ... */
#define CRT_ST_START_IN(F)                                                                         \
	F(u32s, eps) F(uint32_t, rep_nr) F(uint32_t, inflight) F(uint32_t, align)                  \
	F(bool, randomize) F(uint32_t, send_bytes) F(bool, send_bulk) F(uint32_t, reply_bytes)     \
	F(bool, reply_bulk)
#define CRT_ST_START_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(crt_st_start, CRT_ST_START_IN, CRT_ST_START_OUT)
#define CRT_ST_STATUS_OUT(F)                                                                       \
	F(int32_t, rc) F(bool, running) F(uint64_t, duration_ns) F(uint32_t, fail_nr)              \
	F(int32_t, first_error) F(u64s, latencies) F(u32s, ep_idx)
CRT_RPC_DECLARE(crt_st_status, CRT_NO_FIELDS, CRT_ST_STATUS_OUT)

/** A rank and all below it have come to the @nr-th barrier (@own: this rank itself): crt_barrier.c. */
#define CRT_BARRIER_IN(F)                                                                          \
	F(uint32_t, grp_version) F(uint64_t, nr) F(bool, own) F(uint64_t, timeout_ns)
#define CRT_BARRIER_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(crt_barrier, CRT_BARRIER_IN, CRT_BARRIER_OUT)

/** What cart_ctl asks and tells: crt_ctl.c, crt_ctl.h. */
#define CRT_CTL_IN(F)                                                                              \
	F(uint8_t, cmd) F(string, text) F(uint32_t, fault_id) F(uint8_t, fault_where)              \
	F(uint8_t, fault_what) F(int64_t, fault_arg) F(uint32_t, fault_opc)                        \
	F(uint32_t, fault_rank) F(uint32_t, fault_ppm) F(uint32_t, fault_interval)                 \
	F(uint64_t, fault_max)
#define CRT_CTL_OUT(F) F(int32_t, rc) F(uint64_t, value) F(string, text)
CRT_RPC_DECLARE(crt_ctl, CRT_CTL_IN, CRT_CTL_OUT)

/** Under the lock of @ctx. NULL: no memory. */
struct crt_rpc_priv *crt_internal_alloc(struct crt_ctx *ctx, enum crt_internal_rpc id);
