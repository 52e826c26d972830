/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fuzz target: what a peer may send on a dRPC socket. The first byte says as which message the
 * bodies are read; the rest are frames, read as the listener reads them: to the first that is out
 * of bounds or no call.
 */
#define D_LOGFAC LOG_FAC_TEST
#include <stdlib.h>
#include "base/log.h"
#include "drpc/auth.pb-c.h"
#include "drpc/drpc.h"
#include "drpc/drpc_frame.h"
#include "drpc/mgmt.pb-c.h"
#include "fuzz_replay.h"

/** Requests that arrive from outside, and replies a client reads. */
static const ProtobufCMessageDescriptor *const bodies[] = {
    &mgmt__get_attach_info_req__descriptor,  &mgmt__get_attach_info_resp__descriptor,
    &mgmt__pool_create_req__descriptor,	     &mgmt__pool_query_resp__descriptor,
    &mgmt__notify_ready_req__descriptor,     &mgmt__group_update_req__descriptor,
    &mgmt__list_containers_resp__descriptor, &auth__get_cred_resp__descriptor,
    &auth__credential__descriptor,	     &auth__sys__descriptor,
};

static void
read_body(const ProtobufCMessageDescriptor *desc, size_t bytes, const uint8_t *data)
{
	ProtobufCMessage *msg = protobuf_c_message_unpack(desc, NULL, bytes, data);
	uint8_t		 *again;

	if (msg == NULL)
		return;
	/* What was read can be written; it is not longer than a body's limit, as it came from one.
	 */
	bytes = protobuf_c_message_get_packed_size(msg);
	again = malloc(bytes ? bytes : 1);
	if (again == NULL || protobuf_c_message_pack(msg, again) != bytes)
		abort();
	free(again);
	protobuf_c_message_free_unpacked(msg, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct drpc_buf b;
	const uint8_t  *msg;
	size_t		msg_bytes;

	if (bytes == 0)
		return 0;
	b = (struct drpc_buf){.data = (uint8_t *)data + 1, .len = bytes - 1, .cap = bytes - 1};
	while (drpc_frame_peek(&b, &msg, &msg_bytes) == 1) {
		Drpc__Call     *call = drpc__call__unpack(NULL, msg_bytes, msg);
		Drpc__Response *resp = drpc__response__unpack(NULL, msg_bytes, msg);

		if (call != NULL) {
			(void)drpc_method_name(call->method);
			read_body(bodies[data[0] % ARRAY_NR(bodies)], call->body.len,
				  call->body.data);
			drpc__call__free_unpacked(call, NULL);
		}
		if (resp != NULL)
			drpc__response__free_unpacked(resp, NULL);
		if (call == NULL)
			break;
		drpc_frame_consume(&b);
	}
	return 0;
}

void
fuzz_start(void)
{
	if (d_log_init() != 0 || d_log_setmasks("CRIT") != 0)
		abort();
}
