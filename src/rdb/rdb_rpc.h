/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Raft's messages between replicas. All have one shape; the opcode's index is the kind of message
 * (RAFT_IO_*, less one), so faults can be injected by kind. What the numbers mean by kind:
 *
 *     kind            a                b               c              flags                 body
 *     append          prev log index   prev log term   leader commit                        entries
 *     append result   rejected         last log index
 *     vote            last log index   last log term                  RDB_MSG_*
 *     vote result                                                     RDB_MSG_*
 *     snapshot        last index       last term       conf index                           replicas, data
 *     timeout now     last log index   last log term
 *
 *     entries  = { term(8) type(2) len(4) data }...
 *     replicas = nr(4) { id(8) role(4) }[nr]
 *
 * The reply tells that the message was handled, and the replica's term then: the leader's lease.
 */
#pragma once

#include "cart/crt.h"

#define RDB_PROTO_VERSION 1

enum { RDB_MSG_DISRUPT = 1, RDB_MSG_PRE_VOTE = 2, RDB_MSG_GRANTED = 4, RDB_MSG_PRE_VOTE_NO = 8 };

#define RDB_MSG_IN(F)                                                                              \
	F(uuid, db) F(uint64_t, from) F(uint64_t, term) F(uint64_t, a) F(uint64_t, b)              \
	F(uint64_t, c) F(uint32_t, flags) F(iov, body)
#define RDB_MSG_OUT(F) F(int32_t, rc) F(uint64_t, term)
CRT_RPC_DECLARE(rdb_msg, RDB_MSG_IN, RDB_MSG_OUT)

extern const struct crt_proto rdb_proto;
