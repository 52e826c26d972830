/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What a message of CART looks like on the wire. Little endian.
 *
 *   0             8         24           32   40              56    64        80    80+n
 *   +-------------+---------+------------+----+---------------+-----+---------+-----+-----+
 *   | magic, kind | request | opcode,    | hlc| source rank,  | body| incarn- | name| body|
 *   | flags, n    | reply id| status     |    | tag; dest ... | size| ation.. | (n) |     |
 *   +-------------+---------+------------+----+---------------+-----+---------+-----+-----+
 *
 * The CRC covers the header (with crc 0) and the name. A body that does not fit into the message
 * stays in the sender's memory; crt_remote_wire says where, and the receiver reads it by RMA.
 */
#pragma once

#include <assert.h>
#include "base/util.h"
#include "na/na.h"

#define CRT_WIRE_MAGIC   0x54524343u
#define CRT_WIRE_VERSION 2

enum crt_msg_kind {
	CRT_MSG_REQUEST = 1,
	CRT_MSG_REPLY   = 2,
	CRT_MSG_DONE    = 3, /**< the body named by reply_id (or rpc_id) was read: free it */
};
enum crt_msg_flags {
	CRT_MSG_RMA      = 1 << 0, /**< crt_remote_wire stands in place of the body */
	CRT_MSG_NO_REPLY = 1 << 1,
	CRT_MSG_FLAGS    = (1 << 2) - 1,
};

struct crt_hdr_wire {
	uint32_t magic;
	uint8_t  version;
	uint8_t  kind;
	uint8_t  flags;
	uint8_t  name_bytes;
	uint64_t rpc_id;   /**< chosen by the requester, comes back in the reply */
	uint64_t reply_id; /**< chosen by the server, comes back in DONE */
	uint32_t opc;
	int32_t  status;   /**< reply: nonzero instead of a body */
	uint64_t hlc;
	uint32_t src_rank;
	uint32_t src_tag;
	uint32_t dst_rank;
	uint32_t dst_tag;
	uint64_t body_bytes;
	uint32_t incarnation; /**< of the sending process: differs after a restart */
	uint32_t host;        /**< where the sender is, na_host(): equal ones may link; 0: none */
	uint32_t reserved2;   /**< zero */
	uint32_t crc;
};
static_assert(sizeof(struct crt_hdr_wire) == 80, "packed");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big endian needs conversions here");

struct crt_remote_wire {
	uint64_t base;
	uint64_t key;
	uint64_t guard; /**< where a local peer sees that the memory is registered; 0: none */
};

#define CRT_BODY_BYTES_MAX (64u << 20) /**< largest body of a request or reply */
