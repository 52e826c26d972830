/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The listener: one epoll set holding the listening socket and the sessions, all non-blocking,
 * driven by its owner's loop on one thread.
 *
 *  1. A session reads and handles only while none of its requests is unanswered and no answer waits to
 *     be written: what a client can make us hold is bounded by one frame in and one frame out.
 *  2. A request knows its session; a session that closes takes itself out of its request first, so
 *     a late reply finds NULL and is dropped.
 *  3. Frames are handled from drpc_progress() only, one a turn: a handler that answers at once does not
 *     nest. A session with a complete frame waiting watches EPOLLOUT to get its turn.
 *  4. A malformed frame or an oversized length ends the session, after a reply where one is possible.
 *  5. One descriptor is kept in reserve: when there is no other, it serves to turn a new client away, who
 *     would else be reported by epoll again and again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define D_LOGFAC LOG_FAC_DRPC
#include "base/log.h"
#include "drpc/drpc.h"
#include "drpc/drpc_frame.h"

struct drpc_session {
	struct drpc_listener *listener;
	int                   fd;
	uint32_t              events;  /**< what epoll watches */
	struct drpc_buf       in, out;
	struct drpc_request  *request; /**< under way, or NULL */
	struct ucred          peer;
	bool                  closing; /**< once out is written */
	d_list_t              link;
};

struct drpc_listener {
	int            fd, epfd, spare_fd;
	char           path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	drpc_handler_t handler;
	void          *arg;
	d_list_t       sessions;
	uint32_t       session_nr;
};

static void
session_close(struct drpc_session *s)
{
	if (s->request != NULL)
		s->request->session = NULL;
	d_list_del(&s->link);
	s->listener->session_nr--;
	close(s->fd);
	drpc_buf_fini(&s->in);
	drpc_buf_fini(&s->out);
	free(s);
}

static bool
session_has_frame(const struct drpc_session *s)
{
	const uint8_t *msg;
	size_t         bytes;

	return !s->closing && drpc_frame_peek(&s->in, &msg, &bytes) != 0;
}

static void
session_watch(struct drpc_session *s)
{
	struct epoll_event ev = {.data.ptr = s};

	if (s->out.pos < s->out.len)
		ev.events = EPOLLOUT;
	else if (s->request == NULL && !s->closing)
		ev.events = EPOLLIN | (session_has_frame(s) ? EPOLLOUT : 0);
	if (ev.events == s->events)
		return;
	if (epoll_ctl(s->listener->epfd, EPOLL_CTL_MOD, s->fd, &ev) == 0)
		s->events = ev.events;
}

/** Write what the socket takes. Returns false when the session is gone. */
static bool
session_write(struct drpc_session *s)
{
	while (s->out.pos < s->out.len) {
		ssize_t n = send(s->fd, s->out.data + s->out.pos, s->out.len - s->out.pos, MSG_NOSIGNAL);

		if (n > 0) {
			s->out.pos += n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		session_close(s);
		return false;
	}
	if (s->out.pos == s->out.len) {
		s->out.pos = s->out.len = 0;
		if (s->closing) {
			session_close(s);
			return false;
		}
	}
	session_watch(s);
	return true;
}

static void
session_reply(struct drpc_session *s, int64_t sequence, Drpc__Status status, const void *body, size_t bytes)
{
	Drpc__Response resp = DRPC__RESPONSE__INIT;
	int            rc;

	resp.sequence = sequence;
	resp.status = status;
	resp.body.data = (uint8_t *)body;
	resp.body.len = bytes;
	rc = drpc_frame_append(&s->out, &resp.base);
	if (rc == -DER_REC2BIG) {
		D_ERROR("reply of %zu bytes is larger than %u: sent as a failure\n", bytes, DRPC_BODY_MAX);
		resp.status = DRPC__STATUS__FAILED_MARSHAL;
		resp.body.len = 0;
		rc = drpc_frame_append(&s->out, &resp.base);
	}
	if (rc != 0)
		s->closing = true;
}

void
drpc_reply(struct drpc_request *req, Drpc__Status status, const void *body, size_t body_bytes)
{
	struct drpc_session *s = req->session;

	if (s != NULL) {
		s->request = NULL;
		session_reply(s, req->sequence, status, body, body_bytes);
	}
	drpc__call__free_unpacked(req->call, NULL);
	free(req);
	if (s != NULL)
		session_write(s);
}

void
drpc_reply_msg(struct drpc_request *req, const ProtobufCMessage *resp)
{
	size_t   bytes = protobuf_c_message_get_packed_size(resp);
	uint8_t *body = malloc(bytes ? bytes : 1);

	if (body == NULL) {
		drpc_reply(req, DRPC__STATUS__FAILED_MARSHAL, NULL, 0);
		return;
	}
	protobuf_c_message_pack(resp, body);
	drpc_reply(req, DRPC__STATUS__SUCCESS, body, bytes);
	free(body);
}

/** Turn a frame into a request; NULL: answered with an error, the session ends. */
static struct drpc_request *
request_make(struct drpc_session *s, const uint8_t *msg, size_t bytes)
{
	struct drpc_request *req = calloc(1, sizeof(*req));
	Drpc__Call          *call = drpc__call__unpack(NULL, bytes, msg);

	if (call == NULL || req == NULL) {
		D_WARN("%s: call of %zu bytes from pid %d does not parse: session ended\n", s->listener->path,
		       bytes, s->peer.pid);
		if (call != NULL)
			drpc__call__free_unpacked(call, NULL);
		free(req);
		session_reply(s, -1, DRPC__STATUS__FAILED_UNMARSHAL_CALL, NULL, 0);
		s->closing = true;
		return NULL;
	}
	req->session = s;
	req->module = call->module;
	req->method = call->method;
	req->sequence = call->sequence;
	req->body = call->body.data;
	req->body_bytes = call->body.len;
	req->uid = s->peer.uid;
	req->gid = s->peer.gid;
	req->pid = s->peer.pid;
	req->call = call;
	d_list_init(&req->link);
	return req;
}

/** Handle the next complete frame, if any. The session may be gone afterwards. */
static void
session_pump(struct drpc_session *s)
{
	struct drpc_request *req;
	const uint8_t       *msg;
	size_t               bytes;
	int                  rc;

	if (s->request != NULL || s->closing || s->out.pos < s->out.len)
		return;
	rc = drpc_frame_peek(&s->in, &msg, &bytes);
	if (rc == 0) {
		drpc_buf_compact(&s->in);
		session_watch(s);
		return;
	}
	if (rc < 0) {
		D_WARN("%s: frame from pid %d is larger than %u bytes: session ended\n", s->listener->path,
		       s->peer.pid, DRPC_FRAME_MAX);
		s->closing = true;
		session_write(s);
		return;
	}
	req = request_make(s, msg, bytes);
	if (req == NULL) {
		session_write(s);
		return;
	}
	drpc_frame_consume(&s->in);
	drpc_buf_compact(&s->in);
	s->request = req;
	session_watch(s);
	s->listener->handler(req, s->listener->arg);
}

/** One read, then handle. The session may be gone afterwards. */
static void
session_read(struct drpc_session *s)
{
	ssize_t n;

	if (drpc_buf_reserve(&s->in, 65536) != 0) {
		session_close(s);
		return;
	}
	n = recv(s->fd, s->in.data + s->in.len, s->in.cap - s->in.len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		session_close(s);
		return;
	}
	s->in.len += n;
	session_pump(s);
}

/** No descriptor is left: give the spare one to the client that waits, and close it. */
static void
listener_turn_away(struct drpc_listener *l)
{
	int fd;

	D_WARN("%s: connection refused: no file descriptor is left; raise the limit (ulimit -n)\n", l->path);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	l->spare_fd = fcntl(l->epfd, F_DUPFD_CLOEXEC, 0);
}

static void
listener_accept(struct drpc_listener *l)
{
	struct epoll_event   ev = {.events = EPOLLIN};
	struct drpc_session *s;
	socklen_t            len = sizeof(s->peer);
	int                  fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		listener_turn_away(l);
	if (fd < 0)
		return;
	s = calloc(1, sizeof(*s));
	if (s == NULL || l->session_nr >= DRPC_SESSION_MAX) {
		D_WARN("%s: connection refused: %u sessions are open\n", l->path, l->session_nr);
		free(s);
		close(fd);
		return;
	}
	s->listener = l;
	s->fd = fd;
	s->events = EPOLLIN;
	ev.data.ptr = s;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &s->peer, &len) != 0 ||
	    epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		close(fd);
		free(s);
		return;
	}
	d_list_add_tail(&s->link, &l->sessions);
	l->session_nr++;
}

int
drpc_progress(struct drpc_listener *l, int timeout_ms)
{
	struct epoll_event ev;
	int                nr = 0;

	/* One event at a time: handling it may close any session, and with it events read ahead. */
	while (nr < 64) {
		int rc = epoll_wait(l->epfd, &ev, 1, nr == 0 ? timeout_ms : 0);

		if (rc < 0 && errno != EINTR)
			return -DER_MISC;
		if (rc <= 0)
			break;
		nr++;
		if (ev.data.ptr == l) {
			if (ev.events & (EPOLLERR | EPOLLHUP))
				return -DER_MISC;
			listener_accept(l);
		} else if (ev.events & (EPOLLIN | EPOLLRDHUP)) {
			session_read(ev.data.ptr);
		} else if (ev.events & EPOLLOUT) {
			if (session_write(ev.data.ptr))
				session_pump(ev.data.ptr);
		} else {
			session_close(ev.data.ptr);
		}
	}
	return nr > 0 ? 0 : -DER_TIMEDOUT;
}

/** A socket left by a process that died refuses connections: only that may be replaced. */
static int
remove_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	int         fd, rc = 0;

	/* connect() refuses on a file that is no socket, too. */
	if (lstat(sa->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -DER_EXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -DER_MISC;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
		rc = -DER_ALREADY;
	else if (errno == ECONNREFUSED)
		unlink(sa->sun_path);
	else if (errno != ENOENT)
		rc = errno == EACCES ? -DER_NO_PERM : -DER_MISC;
	close(fd);
	return rc;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
listener_bind(struct drpc_listener *l, mode_t mode)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
	int                rc;

	strcpy(sa.sun_path, l->path);
	rc = remove_stale(&sa);
	if (rc != 0)
		return rc;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->spare_fd = fcntl(l->epfd, F_DUPFD_CLOEXEC, 0);
	if (l->fd < 0 || l->epfd < 0 || l->spare_fd < 0) {
		close_fd(&l->fd);
		return -DER_MISC;
	}
	if (bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		rc = errno == ENOENT ? -DER_NONEXIST : errno == EACCES ? -DER_NO_PERM : -DER_MISC;
		close_fd(&l->fd);
		return rc;
	}
	if (chmod(l->path, mode) != 0 || listen(l->fd, 128) != 0 || epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->fd, &ev) != 0)
		return -DER_MISC;
	return 0;
}

int
drpc_listen(const char *sock_path, mode_t mode, drpc_handler_t handler, void *arg, struct drpc_listener **ret_listener)
{
	struct drpc_listener *l;
	int                   rc;

	if (strlen(sock_path) >= sizeof(l->path))
		return -DER_EXCEEDS_PATH_LEN;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -DER_NOMEM;
	l->fd = l->epfd = l->spare_fd = -1;
	l->handler = handler;
	l->arg = arg;
	d_list_init(&l->sessions);
	strcpy(l->path, sock_path);
	rc = listener_bind(l, mode);
	if (rc != 0) {
		D_ERROR("cannot listen on %s: " DF_RC "; %s\n", sock_path, DP_RC(rc),
			rc == -DER_ALREADY    ? "another process answers there: stop it first"
			: rc == -DER_NONEXIST ? "its directory does not exist: create it"
			: rc == -DER_EXIST    ? "something that is no socket has that name: remove it"
					      : "check the directory's permissions");
		drpc_listener_close(l);
		return rc;
	}
	*ret_listener = l;
	return 0;
}

void
drpc_listener_close(struct drpc_listener *l)
{
	if (l == NULL)
		return;
	while (!d_list_empty(&l->sessions))
		session_close(d_list_entry(l->sessions.next, struct drpc_session, link));
	if (l->fd >= 0)
		unlink(l->path);
	close_fd(&l->fd);
	close_fd(&l->epfd);
	close_fd(&l->spare_fd);
	free(l);
}

int
drpc_listener_fd(const struct drpc_listener *l)
{
	return l->epfd;
}
