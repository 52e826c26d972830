/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "drpc/drpc.h"
#include "drpc/drpc_frame.h"

void
drpc_buf_fini(struct drpc_buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

int
drpc_buf_reserve(struct drpc_buf *b, size_t bytes)
{
	size_t   cap = b->cap ? b->cap : 4096;
	uint8_t *data;

	while (cap - b->len < bytes)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	data = realloc(b->data, cap);
	if (data == NULL)
		return -DER_NOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

void
drpc_buf_compact(struct drpc_buf *b)
{
	if (b->pos == 0)
		return;
	memmove(b->data, b->data + b->pos, b->len - b->pos);
	b->len -= b->pos;
	b->pos = 0;
}

static uint32_t
frame_len(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

int
drpc_frame_peek(const struct drpc_buf *b, const uint8_t **ret_msg, size_t *ret_bytes)
{
	size_t   left = b->len - b->pos;
	uint32_t bytes;

	if (left < DRPC_HEAD_BYTES)
		return 0;
	bytes = frame_len(b->data + b->pos);
	if (bytes > DRPC_FRAME_MAX - DRPC_HEAD_BYTES)
		return -DER_REC2BIG;
	if (left - DRPC_HEAD_BYTES < bytes)
		return 0;
	*ret_msg = b->data + b->pos + DRPC_HEAD_BYTES;
	*ret_bytes = bytes;
	return 1;
}

void
drpc_frame_consume(struct drpc_buf *b)
{
	b->pos += DRPC_HEAD_BYTES + frame_len(b->data + b->pos);
	D_ASSERT(b->pos <= b->len);
}

int
drpc_frame_append(struct drpc_buf *b, const ProtobufCMessage *msg)
{
	size_t   bytes = protobuf_c_message_get_packed_size(msg);
	uint8_t *p;
	int      rc;

	if (bytes > DRPC_FRAME_MAX - DRPC_HEAD_BYTES)
		return -DER_REC2BIG;
	rc = drpc_buf_reserve(b, DRPC_HEAD_BYTES + bytes);
	if (rc != 0)
		return rc;
	p = b->data + b->len;
	p[0] = bytes;
	p[1] = bytes >> 8;
	p[2] = bytes >> 16;
	p[3] = bytes >> 24;
	protobuf_c_message_pack(msg, p + DRPC_HEAD_BYTES);
	b->len += DRPC_HEAD_BYTES + bytes;
	return 0;
}

const char *
drpc_method_name(int method)
{
	switch (method) {
#define METHOD_CASE(name, nr, req, resp)                                                           \
	case nr:                                                                                   \
		return #name;
		DRPC_METHODS(METHOD_CASE)
#undef METHOD_CASE
	default:
		return "?";
	}
}

/* ---- messages ---- */

static void *
alloc_noting(void *arg, size_t bytes)
{
	void *ptr = malloc(bytes);

	if (ptr == NULL)
		*(bool *)arg = true;
	return ptr;
}

static void
free_plainly(void *arg, void *ptr)
{
	free(ptr);
}

int
drpc_unpack(const ProtobufCMessageDescriptor *desc, const void *data, size_t bytes, ProtobufCMessage **ret_msg)
{
	bool               failed = false;
	ProtobufCAllocator allocator = {.alloc = alloc_noting, .free = free_plainly, .allocator_data = &failed};
	ProtobufCMessage  *msg = protobuf_c_message_unpack(desc, &allocator, bytes, data);

	if (msg == NULL)
		return failed ? -DER_NOMEM : -DER_INVAL;
	*ret_msg = msg;
	return 0;
}
