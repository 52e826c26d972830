/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The blocking client: one connection, one call, with a deadline over all of it. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <fcntl.h>

#define D_LOGFAC LOG_FAC_DRPC
#include "base/log.h"
#include "drpc/drpc.h"
#include "drpc/drpc_frame.h"
#include "platform/platform.h"

static int
errno_to_der(int err)
{
	switch (err) {
	case ENOENT:
		return -DER_NONEXIST;
	case ECONNREFUSED:
	case EPIPE:
	case ECONNRESET:
		return -DER_UNREACH;
	case EACCES:
	case EPERM:
		return -DER_NO_PERM;
	case ENOMEM:
		return -DER_NOMEM;
	default:
		return -DER_MISC;
	}
}

static int
status_to_der(Drpc__Status status)
{
	switch (status) {
	case DRPC__STATUS__SUCCESS:
	case DRPC__STATUS__SUBMITTED:
		return 0;
	case DRPC__STATUS__UNKNOWN_MODULE:
	case DRPC__STATUS__UNKNOWN_METHOD:
		return -DER_UNREG;
	case DRPC__STATUS__FAILED_UNMARSHAL_CALL:
	case DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD:
		return -DER_INVAL;
	default:
		return -DER_MISC;
	}
}

/** Wait until @fd is ready for @events or the deadline passes. */
static int
wait_fd(int fd, short events, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = events};
		uint64_t      now = plat_now_ns();
		int           rc;

		if (now >= deadline_ns)
			return -DER_TIMEDOUT;
		rc = poll(&pfd, 1, (int)MIN_OF((deadline_ns - now) / NSEC_PER_MSEC + 1, 3600000));
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return errno_to_der(errno);
	}
}

static int
client_connect(const char *path, uint64_t deadline_ns, int *ret_fd)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int                fd, rc;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -DER_EXCEEDS_PATH_LEN;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno_to_der(errno);
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		/* EAGAIN: the listener's backlog is full; poll() cannot wait for that on UNIX sockets. */
		rc = errno == EINTR ? 0 : errno == EAGAIN ? -DER_AGAIN : errno_to_der(errno);
		if (rc == -DER_AGAIN) {
			rc = plat_now_ns() >= deadline_ns ? -DER_TIMEDOUT : 0;
			poll(NULL, 0, 1);
		}
		if (rc != 0) {
			close(fd);
			return rc;
		}
	}
	*ret_fd = fd;
	return 0;
}

static int
client_send(int fd, const struct drpc_buf *b, uint64_t deadline_ns)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = send(fd, b->data + done, b->len - done, MSG_NOSIGNAL);
		int     rc = 0;

		if (n >= 0)
			done += n;
		else if (errno == EAGAIN)
			rc = wait_fd(fd, POLLOUT, deadline_ns);
		else if (errno != EINTR)
			rc = errno_to_der(errno);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/** Read until one frame is complete; it stays in @b. */
static int
client_recv(int fd, struct drpc_buf *b, uint64_t deadline_ns, const uint8_t **ret_msg, size_t *ret_bytes)
{
	for (;;) {
		ssize_t n;
		int     rc = drpc_frame_peek(b, ret_msg, ret_bytes);

		if (rc != 0)
			return rc < 0 ? rc : 0;
		rc = drpc_buf_reserve(b, 65536);
		if (rc != 0)
			return rc;
		n = recv(fd, b->data + b->len, b->cap - b->len, 0);
		if (n > 0)
			b->len += n;
		else if (n == 0)
			return -DER_UNREACH;
		else if (errno == EAGAIN)
			rc = wait_fd(fd, POLLIN, deadline_ns);
		else if (errno != EINTR)
			rc = errno_to_der(errno);
		if (rc != 0)
			return rc;
	}
}

static int
take_body(const Drpc__Response *resp, int64_t sequence, void **ret_body, size_t *ret_body_bytes)
{
	int   rc;
	void *body;

	if (resp->sequence != sequence)
		return -DER_PROTO;
	rc = status_to_der(resp->status);
	if (rc != 0 || ret_body == NULL)
		return rc;
	body = malloc(resp->body.len ? resp->body.len : 1);
	if (body == NULL)
		return -DER_NOMEM;
	if (resp->body.len > 0)
		memcpy(body, resp->body.data, resp->body.len);
	*ret_body = body;
	*ret_body_bytes = resp->body.len;
	return 0;
}

int
drpc_call(const char *sock_path, int32_t module, int32_t method, const void *body, size_t body_bytes,
	  uint32_t timeout_s, void **ret_body, size_t *ret_body_bytes)
{
	uint64_t        deadline_ns = plat_now_ns() + timeout_s * NSEC_PER_SEC;
	Drpc__Call      call = DRPC__CALL__INIT;
	Drpc__Response *resp;
	struct drpc_buf out = {0}, in = {0};
	const uint8_t  *msg;
	size_t          bytes;
	int             fd = -1, rc;

	if (body_bytes > DRPC_BODY_MAX)
		return -DER_REC2BIG;
	call.module = module;
	call.method = method;
	call.sequence = (int64_t)(plat_random() >> 1);
	call.body.data = (uint8_t *)body;
	call.body.len = body_bytes;
	rc = client_connect(sock_path, deadline_ns, &fd);
	if (rc != 0)
		return rc;
	rc = drpc_frame_append(&out, &call.base);
	if (rc == 0)
		rc = client_send(fd, &out, deadline_ns);
	if (rc == 0)
		rc = client_recv(fd, &in, deadline_ns, &msg, &bytes);
	if (rc == 0) {
		resp = drpc__response__unpack(NULL, bytes, msg);
		rc = resp == NULL ? -DER_PROTO : take_body(resp, call.sequence, ret_body, ret_body_bytes);
		if (resp != NULL)
			drpc__response__free_unpacked(resp, NULL);
	}
	close(fd);
	drpc_buf_fini(&out);
	drpc_buf_fini(&in);
	D_DEBUG("%s: %s: " DF_RC "\n", sock_path, drpc_method_name(method), DP_RC(rc));
	return rc;
}

int
drpc_call_msg(const char *sock_path, int32_t module, int32_t method, const ProtobufCMessage *req,
	      const ProtobufCMessageDescriptor *resp_desc, uint32_t timeout_s, ProtobufCMessage **ret_resp)
{
	size_t            bytes = protobuf_c_message_get_packed_size(req), resp_bytes = 0;
	uint8_t          *body = malloc(bytes ? bytes : 1);
	void             *resp_body = NULL;
	ProtobufCMessage *resp;
	int               rc;

	if (body == NULL)
		return -DER_NOMEM;
	protobuf_c_message_pack(req, body);
	rc = drpc_call(sock_path, module, method, body, bytes, timeout_s, &resp_body, &resp_bytes);
	free(body);
	if (rc != 0)
		return rc;
	resp = protobuf_c_message_unpack(resp_desc, NULL, resp_bytes, resp_body);
	free(resp_body);
	if (resp == NULL)
		return -DER_PROTO;
	*ret_resp = resp;
	return 0;
}
