/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Framing shared by the client and the listener: 4 bytes of length, little endian, then the message. */
#pragma once

#include "base/util.h"

#define DRPC_HEAD_BYTES  4u
#define DRPC_FRAME_MAX   (DRPC_HEAD_BYTES + DRPC_BODY_MAX + 4096u)

/** A byte buffer that grows; [pos, len) is what is not consumed yet. */
struct drpc_buf {
	uint8_t *data;
	size_t   len, cap, pos;
};
void drpc_buf_fini(struct drpc_buf *b);
/** Room for @bytes more at data + len; -DER_NOMEM. */
int  drpc_buf_reserve(struct drpc_buf *b, size_t bytes) MUST_CHECK;
/** Drop what was consumed. */
void drpc_buf_compact(struct drpc_buf *b);

/**
 * The frame at the start of what is not consumed.
 * Returns 1 and its message, 0 when it is not complete, -DER_REC2BIG when its length is out of bounds.
 */
int  drpc_frame_peek(const struct drpc_buf *b, const uint8_t **ret_msg, size_t *ret_bytes) MUST_CHECK;
void drpc_frame_consume(struct drpc_buf *b);
/** Append a packed message as a frame. -DER_REC2BIG, -DER_NOMEM. */
#include <protobuf-c/protobuf-c.h>
int  drpc_frame_append(struct drpc_buf *b, const ProtobufCMessage *msg) MUST_CHECK;
