/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * dRPC: protobuf messages over a UNIX stream socket, each preceded by its length (4 bytes, little
 * endian, at most DRPC_BODY_MAX plus the envelope). A connection carries any number of calls, one
 * after the other. The socket's file mode is the access control: clients are told apart by
 * SO_PEERCRED.
 *
 * Three parts: a blocking client (drpc_call, for programs and helper threads), a listener driven by
 * its owner's loop (drpc_progress, all sockets non-blocking), and framing shared by both.
 */
#pragma once

#include <sys/types.h>
#include "base/list.h"
#include "drpc/drpc_modules.h"
#include "drpc/drpc.pb-c.h"

#define DRPC_BODY_MAX    (16u << 20)
#define DRPC_SESSION_MAX 1024

/* ---- client ---- */

/**
 * Connect, call, disconnect: for occasional calls. Blocks at most @timeout_s.
 * @param ret_body  taken by the caller, free(); may be NULL when the reply's body is of no interest
 * Errors: NONEXIST no such socket | UNREACH nobody listens | NO_PERM | TIMEDOUT | PROTO malformed |
 *         REC2BIG | the reply's status as: UNREG unknown module or method, INVAL body not understood, MISC failure.
 */
int drpc_call(const char *sock_path, int32_t module, int32_t method, const void *body, size_t body_bytes,
	      uint32_t timeout_s, void **ret_body, size_t *ret_body_bytes) MUST_CHECK;

/** The same with messages in memory: packs @req, unpacks the reply of type @resp_desc; free it with
 *  protobuf_c_message_free_unpacked(resp, NULL). */
int drpc_call_msg(const char *sock_path, int32_t module, int32_t method, const ProtobufCMessage *req,
		  const ProtobufCMessageDescriptor *resp_desc, uint32_t timeout_s, ProtobufCMessage **ret_resp) MUST_CHECK;

/**
 * A message of type @desc from bytes; free it with protobuf_c_message_free_unpacked(msg, NULL).
 * Errors: NOMEM | INVAL it is none (protobuf's own call does not tell the two apart)
 */
int drpc_unpack(const ProtobufCMessageDescriptor *desc, const void *data, size_t bytes, ProtobufCMessage **ret_msg) MUST_CHECK;

/* ---- listener ---- */

struct drpc_listener;
struct drpc_session;

/** A call that arrived. Answer it now or later, from the loop's thread, with drpc_reply() exactly once; body is borrowed until then. */
struct drpc_request {
	struct drpc_session *session; /**< NULL: the client has gone, the reply is dropped */
	int32_t     module, method;
	int64_t     sequence;
	const void *body;
	size_t      body_bytes;
	uid_t       uid;   /**< who is at the other end */
	gid_t       gid;
	pid_t       pid;
	Drpc__Call *call;  /**< internal */
	d_list_t    link;  /**< internal */
};
typedef void (*drpc_handler_t)(struct drpc_request *req, void *arg);

/**
 * Bind and listen; a stale socket file is replaced.
 * Errors: ALREADY a live one | EXIST a file that is no socket | NONEXIST no such directory | NO_PERM | EXCEEDS_PATH_LEN
 * @param mode  of the file: 0600, 0666
 */
int  drpc_listen(const char *sock_path, mode_t mode, drpc_handler_t handler, void *arg, struct drpc_listener **ret_listener) MUST_CHECK;
/** Close all and unlink. Requests not answered yet may still be answered; the replies are dropped. */
void drpc_listener_close(struct drpc_listener *l);
/** An epoll descriptor, readable when drpc_progress() has something to do. */
int  drpc_listener_fd(const struct drpc_listener *l);
/**
 * One round: accept new sessions, read and handle what is complete, write what is pending, drop who has closed.
 * @param timeout_ms  0: only look; -1: wait
 * Returns 0 when something happened, -DER_TIMEDOUT when not, -DER_MISC when the listening socket failed.
 */
int  drpc_progress(struct drpc_listener *l, int timeout_ms);
/** @body is copied. */
void drpc_reply(struct drpc_request *req, Drpc__Status status, const void *body, size_t body_bytes);
/** Packs @resp with status SUCCESS. */
void drpc_reply_msg(struct drpc_request *req, const ProtobufCMessage *resp);
