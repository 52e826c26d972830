/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The listener alone, driven turn by turn from the test's own thread: the peers are plain sockets
 * that send what a well-meaning client never would. Nothing here depends on time.
 */
#include <daos_errno.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "drpc/drpc.h"
#include "drpc/drpc_frame.h"
#include "platform/platform.h"

#define HELD_MAX 64

struct world {
	char		      dir[64], path[128];
	struct drpc_listener *l;
	int		      handled_nr, depth, depth_max;
	size_t		      reply_bytes; /**< echo when 0 */
	bool		      hold;	   /**< keep requests instead of answering */
	struct drpc_request  *held[HELD_MAX];
	int		      held_nr;
	int64_t		      last_sequence;
	uid_t		      uid;
	gid_t		      gid;
	pid_t		      pid;
};

/** A peer: a socket, and what came in on it. */
struct peer {
	int		fd;
	struct drpc_buf in;
};

static void
handle(struct drpc_request *req, void *arg)
{
	struct world *w = arg;

	w->handled_nr++;
	w->depth++;
	w->depth_max = MAX_OF(w->depth_max, w->depth);
	w->last_sequence = req->sequence;
	w->uid = req->uid;
	w->gid = req->gid;
	w->pid = req->pid;
	if (w->hold) {
		assert_true(w->held_nr < HELD_MAX);
		w->held[w->held_nr++] = req;
	} else if (w->reply_bytes > 0) {
		void *body = calloc(1, w->reply_bytes);

		assert_non_null(body);
		drpc_reply(req, DRPC__STATUS__SUCCESS, body, w->reply_bytes);
		free(body);
	} else {
		drpc_reply(req, DRPC__STATUS__SUCCESS, req->body, req->body_bytes);
	}
	w->depth--;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	strcpy(w->dir, "/tmp/drpc_test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/sock", w->dir);
	assert_int_equal(drpc_listen(w->path, 0600, handle, w, &w->l), 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	drpc_listener_close(w->l);
	assert_int_not_equal(access(w->path, F_OK), 0);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

/** Turns until there is nothing to do. */
static void
turns(struct world *w)
{
	int i, rc = 0;

	for (i = 0; i < 10000 && rc == 0; i++)
		rc = drpc_progress(w->l, 0);
	assert_int_equal(rc, -DER_TIMEDOUT);
}

static void
peer_connect(const struct world *w, struct peer *p)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	memset(p, 0, sizeof(*p));
	strcpy(sa.sun_path, w->path);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(p->fd >= 0);
	assert_int_equal(connect(p->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
}

static void
peer_leave(struct peer *p)
{
	close(p->fd);
	drpc_buf_fini(&p->in);
}

/** Everything, with turns of the listener whenever the socket is full. */
static void
peer_send(struct world *w, struct peer *p, const void *data, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = send(p->fd, (const char *)data + done, bytes - done, MSG_NOSIGNAL);

		if (n > 0)
			done += n;
		else
			turns(w);
	}
}

static void
add_call(struct drpc_buf *b, int64_t sequence, const char *text)
{
	Drpc__Call call = DRPC__CALL__INIT;

	call.sequence = sequence;
	call.body.data = (uint8_t *)text;
	call.body.len = strlen(text);
	assert_int_equal(drpc_frame_append(b, &call.base), 0);
}

static void
peer_call(struct world *w, struct peer *p, int64_t sequence, const char *text)
{
	struct drpc_buf b = {0};

	add_call(&b, sequence, text);
	peer_send(w, p, b.data, b.len);
	drpc_buf_fini(&b);
}

/** Reads what has come. True when the listener closed the connection. */
static bool
peer_read(struct peer *p)
{
	for (;;) {
		ssize_t n;

		assert_int_equal(drpc_buf_reserve(&p->in, 65536), 0);
		n = recv(p->fd, p->in.data + p->in.len, p->in.cap - p->in.len, 0);
		if (n > 0)
			p->in.len += n;
		else
			return n == 0 || errno != EAGAIN;
	}
}

/** The next reply that is there; NULL: none. */
static Drpc__Response *
peer_reply(struct peer *p)
{
	Drpc__Response *resp;
	const uint8_t  *msg;
	size_t		bytes;

	(void)peer_read(p);
	if (drpc_frame_peek(&p->in, &msg, &bytes) != 1)
		return NULL;
	resp = drpc__response__unpack(NULL, bytes, msg);
	assert_non_null(resp);
	drpc_frame_consume(&p->in);
	return resp;
}

static void
expect_reply(struct peer *p, int64_t sequence, Drpc__Status status, const char *text)
{
	Drpc__Response *resp = peer_reply(p);

	assert_non_null(resp);
	assert_int_equal(resp->sequence, sequence);
	assert_int_equal(resp->status, status);
	assert_int_equal(resp->body.len, strlen(text));
	assert_memory_equal(resp->body.data, text, strlen(text));
	drpc__response__free_unpacked(resp, NULL);
}

/** Sequences 0, 1, .. @nr - 1; the listener gets turns as the peer reads. */
static void
expect_replies_in_order(struct world *w, struct peer *p, int nr)
{
	int i, got = 0;

	for (i = 0; i < 100000 && got < nr; i++) {
		Drpc__Response *resp;

		turns(w);
		while ((resp = peer_reply(p)) != NULL) {
			assert_int_equal(resp->status, DRPC__STATUS__SUCCESS);
			assert_int_equal(resp->sequence, got++);
			drpc__response__free_unpacked(resp, NULL);
		}
		drpc_buf_compact(&p->in);
	}
	assert_int_equal(got, nr);
}

static void
expect_closed(struct world *w, struct peer *p)
{
	turns(w);
	assert_true(peer_read(p));
}

/* ---- what arrives how ---- */

static void
one_byte_at_a_time(void **state)
{
	struct world   *w = *state;
	struct drpc_buf b = {0};
	struct peer	p;
	size_t		i;

	add_call(&b, 1, "first");
	add_call(&b, 2, "second");
	peer_connect(w, &p);
	for (i = 0; i < b.len; i++) {
		peer_send(w, &p, b.data + i, 1);
		turns(w);
	}
	assert_int_equal(w->handled_nr, 2);
	expect_reply(&p, 1, DRPC__STATUS__SUCCESS, "first");
	expect_reply(&p, 2, DRPC__STATUS__SUCCESS, "second");
	drpc_buf_fini(&b);
	peer_leave(&p);
}

static void
pieces_of_random_size(void **state)
{
	struct world   *w = *state;
	struct drpc_buf b = {0};
	struct peer	p;
	char		text[64];
	int		i;
	size_t		done = 0;

	for (i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "%0*d", (int)(1 + plat_random() % 60), i);
		add_call(&b, i, text);
	}
	peer_connect(w, &p);
	while (done < b.len) {
		size_t n = 1 + plat_random() % 300;

		n = MIN_OF(n, b.len - done);
		peer_send(w, &p, b.data + done, n);
		done += n;
		turns(w);
		(void)peer_read(&p);
	}
	expect_replies_in_order(w, &p, 200);
	drpc_buf_fini(&b);
	peer_leave(&p);
}

static void
pipelined_calls_keep_order_and_do_not_nest(void **state)
{
	struct world   *w = *state;
	struct drpc_buf b = {0};
	struct peer	p;
	int		i;

	for (i = 0; i < 500; i++)
		add_call(&b, i, "x");
	peer_connect(w, &p);
	peer_send(w, &p, b.data, b.len);
	expect_replies_in_order(w, &p, 500);
	assert_int_equal(w->handled_nr, 500);
	assert_int_equal(w->depth_max, 1);
	drpc_buf_fini(&b);
	peer_leave(&p);
}

static void
sessions_take_turns(void **state)
{
	struct world *w = *state;
	struct peer   p[20];
	char	      text[16];
	int	      i, round;

	for (i = 0; i < 20; i++)
		peer_connect(w, &p[i]);
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 20; i++) {
			snprintf(text, sizeof(text), "%d/%d", round, i);
			peer_call(w, &p[i], round, text);
		}
		turns(w);
		for (i = 19; i >= 0; i--) {
			snprintf(text, sizeof(text), "%d/%d", round, i);
			expect_reply(&p[i], round, DRPC__STATUS__SUCCESS, text);
		}
	}
	assert_int_equal(w->handled_nr, 200);
	for (i = 0; i < 20; i++)
		peer_leave(&p[i]);
}

/** One client that sends ahead without end does not keep another from its answer. */
static void
a_client_that_sends_ahead_does_not_starve_others(void **state)
{
	struct world   *w = *state;
	struct drpc_buf b = {0};
	struct peer	greedy, other;
	int		i;

	for (i = 0; i < 1000; i++)
		add_call(&b, i, "more");
	peer_connect(w, &greedy);
	peer_connect(w, &other);
	assert_int_equal(drpc_progress(w->l, 0), 0);
	peer_send(w, &greedy, b.data, b.len);
	peer_call(w, &other, 77, "me too");
	assert_int_equal(drpc_progress(w->l, 0), 0);
	expect_reply(&other, 77, DRPC__STATUS__SUCCESS, "me too");
	assert_true(w->handled_nr < 200);
	drpc_buf_fini(&b);
	peer_leave(&greedy);
	peer_leave(&other);
	turns(w);
}

/* ---- answers that come later ---- */

static void
an_answer_may_come_later(void **state)
{
	struct world *w = *state;
	struct peer   a, b;

	w->hold = true;
	peer_connect(w, &a);
	peer_connect(w, &b);
	peer_call(w, &a, 1, "a1");
	peer_call(w, &a, 2, "a2");
	peer_call(w, &b, 3, "b3");
	turns(w);
	assert_int_equal(w->held_nr, 2); /* a2 waits for its turn */
	assert_null(peer_reply(&a));
	drpc_reply(w->held[1], DRPC__STATUS__SUCCESS, "late b", 6);
	drpc_reply(w->held[0], DRPC__STATUS__FAILURE, "late a", 6);
	turns(w);
	assert_int_equal(w->held_nr, 3);
	drpc_reply(w->held[2], DRPC__STATUS__SUCCESS, NULL, 0);
	turns(w);
	expect_reply(&a, 1, DRPC__STATUS__FAILURE, "late a");
	expect_reply(&a, 2, DRPC__STATUS__SUCCESS, "");
	expect_reply(&b, 3, DRPC__STATUS__SUCCESS, "late b");
	peer_leave(&a);
	peer_leave(&b);
}

static void
a_reply_to_a_client_that_left_is_dropped(void **state)
{
	struct world *w = *state;
	struct peer   p, next;

	w->hold = true;
	peer_connect(w, &p);
	peer_call(w, &p, 1, "bye");
	turns(w);
	assert_int_equal(w->held_nr, 1);
	assert_non_null(w->held[0]->session);
	peer_leave(&p);
	turns(w);
	assert_null(w->held[0]->session);
	assert_memory_equal(w->held[0]->body, "bye", 3); /* stays until the reply */
	drpc_reply(w->held[0], DRPC__STATUS__SUCCESS, "late", 4);
	w->hold = false;
	peer_connect(w, &next);
	peer_call(w, &next, 2, "still here");
	turns(w);
	expect_reply(&next, 2, DRPC__STATUS__SUCCESS, "still here");
	peer_leave(&next);
}

static void
a_client_that_leaves_with_calls_sent_ahead(void **state)
{
	struct world *w = *state;
	struct peer   p;
	int	      i;

	w->hold = true;
	peer_connect(w, &p);
	for (i = 0; i < 5; i++)
		peer_call(w, &p, i, "one of many");
	turns(w);
	peer_leave(&p);
	turns(w);
	assert_int_equal(w->held_nr, 1);
	drpc_reply(w->held[0], DRPC__STATUS__SUCCESS, NULL, 0);
	turns(w);
	assert_int_equal(w->handled_nr, 1);
}

static void
closing_with_requests_unanswered(void **state)
{
	struct world *w = *state;
	struct peer   p;

	w->hold = true;
	peer_connect(w, &p);
	peer_call(w, &p, 1, "never");
	turns(w);
	drpc_listener_close(w->l);
	w->l = NULL;
	assert_null(w->held[0]->session);
	drpc_reply(w->held[0], DRPC__STATUS__SUCCESS, NULL, 0);
	assert_true(peer_read(&p));
	peer_leave(&p);
}

/** A client that has said all (shut down its sending side) still gets its whole answer. */
static void
a_half_closed_client_gets_its_answer(void **state)
{
	struct world   *w = *state;
	struct peer	p;
	Drpc__Response *resp = NULL;
	int		i;

	w->reply_bytes = 4 << 20;
	peer_connect(w, &p);
	peer_call(w, &p, 9, "a lot, please");
	assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
	for (i = 0; i < 10000 && resp == NULL; i++) {
		turns(w);
		resp = peer_reply(&p);
	}
	assert_non_null(resp);
	assert_int_equal(resp->body.len, 4 << 20);
	drpc__response__free_unpacked(resp, NULL);
	expect_closed(w, &p);
	peer_leave(&p);
}

/** Invariant 1: who does not read his answers gets no more calls handled. */
static void
a_client_that_does_not_read_is_held_back(void **state)
{
	struct world *w = *state;
	struct peer   p;
	int	      i;

	w->reply_bytes = 1 << 20;
	peer_connect(w, &p);
	for (i = 0; i < 100; i++) {
		peer_call(w, &p, i, "");
		turns(w);
	}
	assert_true(w->handled_nr < 5);
	expect_replies_in_order(w, &p, 100);
	peer_leave(&p);
}

static void
a_reply_too_large_becomes_a_failure(void **state)
{
	struct world *w = *state;
	struct peer   p;

	w->reply_bytes = DRPC_BODY_MAX + 8192;
	peer_connect(w, &p);
	peer_call(w, &p, 4, "");
	turns(w);
	expect_reply(&p, 4, DRPC__STATUS__FAILED_MARSHAL, "");
	w->reply_bytes = 0;
	peer_call(w, &p, 5, "small");
	turns(w);
	expect_reply(&p, 5, DRPC__STATUS__SUCCESS, "small");
	peer_leave(&p);
}

/* ---- peers that misbehave ---- */

static void
a_length_too_large_ends_the_session_only(void **state)
{
	struct world *w = *state;
	struct peer   bad, good;

	peer_connect(w, &good);
	peer_connect(w, &bad);
	peer_send(w, &bad, "\xff\xff\xff\xff", 4);
	expect_closed(w, &bad);
	assert_int_equal(w->handled_nr, 0);
	peer_call(w, &good, 1, "fine");
	turns(w);
	expect_reply(&good, 1, DRPC__STATUS__SUCCESS, "fine");
	peer_leave(&bad);
	peer_leave(&good);
}

static void
calls_before_a_length_too_large_are_answered(void **state)
{
	struct world   *w = *state;
	struct drpc_buf b = {0};
	struct peer	p;

	add_call(&b, 1, "one");
	add_call(&b, 2, "two");
	peer_connect(w, &p);
	peer_send(w, &p, b.data, b.len);
	peer_send(w, &p, "\xff\xff\xff\x7f", 4);
	turns(w);
	expect_reply(&p, 1, DRPC__STATUS__SUCCESS, "one");
	expect_reply(&p, 2, DRPC__STATUS__SUCCESS, "two");
	expect_closed(w, &p);
	drpc_buf_fini(&b);
	peer_leave(&p);
}

static void
a_malformed_call_is_answered_then_the_session_ends(void **state)
{
	struct world *w = *state;
	struct peer   p;

	peer_connect(w, &p);
	peer_send(w, &p, "\x05\0\0\0\xff\xff\xff\xff\xff", 9);
	turns(w);
	assert_int_equal(w->handled_nr, 0);
	expect_reply(&p, -1, DRPC__STATUS__FAILED_UNMARSHAL_CALL, "");
	expect_closed(w, &p);
	peer_leave(&p);
}

static void
a_frame_of_no_bytes_is_a_call_of_zeroes(void **state)
{
	struct world *w = *state;
	struct peer   p;

	peer_connect(w, &p);
	peer_send(w, &p, "\0\0\0\0", 4);
	turns(w);
	assert_int_equal(w->handled_nr, 1);
	expect_reply(&p, 0, DRPC__STATUS__SUCCESS, "");
	peer_leave(&p);
}

static void
leaving_in_the_middle_of_a_frame(void **state)
{
	struct world   *w = *state;
	struct drpc_buf b = {0};
	struct peer	p;
	size_t		n;

	add_call(&b, 1, "half of it");
	for (n = 0; n < b.len; n++) {
		peer_connect(w, &p);
		peer_send(w, &p, b.data, n);
		if (n % 2)
			turns(w);
		peer_leave(&p);
		turns(w);
	}
	assert_int_equal(w->handled_nr, 0);
	drpc_buf_fini(&b);
}

static void
random_bytes_end_sessions_not_the_listener(void **state)
{
	struct world *w = *state;
	struct peer   p;
	uint8_t	      noise[256];
	int	      i;

	for (i = 0; i < 500; i++) {
		plat_random_bytes(noise, sizeof(noise));
		if (i % 2) /* a length that may be met */
			noise[1] = noise[2] = noise[3] = 0;
		peer_connect(w, &p);
		peer_send(w, &p, noise, 1 + plat_random() % sizeof(noise));
		turns(w);
		peer_leave(&p);
	}
	peer_connect(w, &p);
	peer_call(w, &p, 1, "alive");
	turns(w);
	expect_reply(&p, 1, DRPC__STATUS__SUCCESS, "alive");
	peer_leave(&p);
}

static void
no_more_sessions_than_allowed(void **state)
{
	struct world *w = *state;
	struct rlimit old, lim;
	struct peer  *p = calloc(DRPC_SESSION_MAX + 1, sizeof(*p));
	int	      i;

	assert_non_null(p);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	lim = old;
	lim.rlim_cur = MIN_OF(old.rlim_max, (rlim_t)4096);
	if (lim.rlim_cur < 2 * DRPC_SESSION_MAX + 64 || setrlimit(RLIMIT_NOFILE, &lim) != 0) {
		free(p);
		skip();
	}
	for (i = 0; i <= DRPC_SESSION_MAX; i++) {
		peer_connect(w, &p[i]);
		turns(w);
	}
	assert_true(peer_read(&p[DRPC_SESSION_MAX])); /* the one too many is shown the door */
	assert_false(peer_read(&p[0]));
	peer_leave(&p[0]);
	turns(w);
	peer_leave(&p[DRPC_SESSION_MAX]);
	peer_connect(w, &p[0]);
	peer_call(w, &p[0], 1, "room again");
	turns(w);
	expect_reply(&p[0], 1, DRPC__STATUS__SUCCESS, "room again");
	for (i = 0; i < DRPC_SESSION_MAX; i++)
		peer_leave(&p[i]);
	free(p);
	turns(w);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/** Without a descriptor left, a new client is turned away; the listener neither spins nor fails. */
static void
out_of_descriptors(void **state)
{
	struct world *w = *state;
	struct rlimit old, lim;
	struct peer   p, late;
	int	      i;

	peer_connect(w, &p);
	turns(w);
	peer_connect(w, &late);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	lim = old;
	lim.rlim_cur = late.fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	for (i = 0; i < 100 && drpc_progress(w->l, 0) == 0; i++)
		;
	peer_call(w, &p, 1, "old friends");
	(void)drpc_progress(w->l, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(i < 100);
	expect_reply(&p, 1, DRPC__STATUS__SUCCESS, "old friends");
	assert_true(peer_read(&late));
	peer_leave(&late);
	peer_connect(w, &late);
	peer_call(w, &late, 2, "now");
	turns(w);
	expect_reply(&late, 2, DRPC__STATUS__SUCCESS, "now");
	peer_leave(&p);
	peer_leave(&late);
}

/* ---- the socket file ---- */

static void
the_caller_is_known_by_the_socket(void **state)
{
	struct world *w = *state;
	struct peer   p;

	w->uid = w->gid = -1;
	peer_connect(w, &p);
	peer_call(w, &p, 1, "who am I");
	turns(w);
	assert_int_equal(w->uid, geteuid());
	assert_int_equal(w->gid, getegid());
	assert_int_equal(w->pid, getpid());
	peer_leave(&p);
}

static void
the_file_has_the_mode_asked_for(void **state)
{
	struct world	     *w = *state;
	struct drpc_listener *open_to_all;
	char		      path[160];
	struct stat	      st;

	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s/other", w->dir);
	assert_int_equal(drpc_listen(path, 0666, handle, w, &open_to_all), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	drpc_listener_close(open_to_all);
}

static void
a_stale_socket_file_is_replaced(void **state)
{
	struct world	  *w = *state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct peer	   p;
	int		   fd;

	drpc_listener_close(w->l);
	w->l = NULL;
	strcpy(sa.sun_path, w->path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd); /* as a process that was killed leaves it */
	assert_int_equal(access(w->path, F_OK), 0);
	assert_int_equal(drpc_listen(w->path, 0600, handle, w, &w->l), 0);
	peer_connect(w, &p);
	peer_call(w, &p, 1, "new owner");
	turns(w);
	expect_reply(&p, 1, DRPC__STATUS__SUCCESS, "new owner");
	peer_leave(&p);
}

static void
a_live_socket_is_not_taken_over(void **state)
{
	struct world	     *w = *state;
	struct drpc_listener *second = NULL;
	struct peer	      p;

	assert_int_equal(drpc_listen(w->path, 0600, handle, w, &second), -DER_ALREADY);
	assert_null(second);
	turns(w);
	peer_connect(w, &p);
	peer_call(w, &p, 1, "still the first");
	turns(w);
	expect_reply(&p, 1, DRPC__STATUS__SUCCESS, "still the first");
	peer_leave(&p);
}

static void
a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct world	     *w = *state;
	struct drpc_listener *l = NULL;
	char		      path[160];
	int		      fd;

	snprintf(path, sizeof(path), "%s/data", w->dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(drpc_listen(path, 0600, handle, w, &l), -DER_EXIST);
	assert_null(l);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void
a_missing_directory_is_named(void **state)
{
	struct world	     *w = *state;
	struct drpc_listener *l = NULL;
	char		      path[160];

	snprintf(path, sizeof(path), "%s/nowhere/sock", w->dir);
	assert_int_equal(drpc_listen(path, 0600, handle, w, &l), -DER_NONEXIST);
	assert_null(l);
}

static void
the_path_must_fit_a_socket_address(void **state)
{
	struct world	     *w = *state;
	struct drpc_listener *l = NULL;
	char		      path[256];
	size_t		      room = sizeof(((struct sockaddr_un *)0)->sun_path);

	memset(path, 'a', sizeof(path));
	memcpy(path, w->dir, strlen(w->dir));
	path[strlen(w->dir)] = '/';
	path[room] = '\0';
	assert_int_equal(drpc_listen(path, 0600, handle, w, &l), -DER_EXCEEDS_PATH_LEN);
	assert_null(l);
	path[room - 1] = '\0';
	assert_int_equal(drpc_listen(path, 0600, handle, w, &l), 0);
	drpc_listener_close(l);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void
the_descriptor_says_when_there_is_work(void **state)
{
	struct world  *w = *state;
	struct peer    p;
	fd_set	       set;
	struct timeval none = {0};
	int	       fd = drpc_listener_fd(w->l);

	FD_ZERO(&set);
	FD_SET(fd, &set);
	assert_int_equal(select(fd + 1, &set, NULL, NULL, &none), 0);
	peer_connect(w, &p);
	FD_SET(fd, &set);
	assert_int_equal(select(fd + 1, &set, NULL, NULL, &none), 1);
	turns(w);
	FD_SET(fd, &set);
	assert_int_equal(select(fd + 1, &set, NULL, NULL, &none), 0);
	peer_leave(&p);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(one_byte_at_a_time),
	    CASE(pieces_of_random_size),
	    CASE(pipelined_calls_keep_order_and_do_not_nest),
	    CASE(sessions_take_turns),
	    CASE(a_client_that_sends_ahead_does_not_starve_others),
	    CASE(an_answer_may_come_later),
	    CASE(a_reply_to_a_client_that_left_is_dropped),
	    CASE(a_client_that_leaves_with_calls_sent_ahead),
	    CASE(closing_with_requests_unanswered),
	    CASE(a_half_closed_client_gets_its_answer),
	    CASE(a_client_that_does_not_read_is_held_back),
	    CASE(a_reply_too_large_becomes_a_failure),
	    CASE(a_length_too_large_ends_the_session_only),
	    CASE(calls_before_a_length_too_large_are_answered),
	    CASE(a_malformed_call_is_answered_then_the_session_ends),
	    CASE(a_frame_of_no_bytes_is_a_call_of_zeroes),
	    CASE(leaving_in_the_middle_of_a_frame),
	    CASE(random_bytes_end_sessions_not_the_listener),
	    CASE(no_more_sessions_than_allowed),
	    CASE(out_of_descriptors),
	    CASE(the_caller_is_known_by_the_socket),
	    CASE(the_file_has_the_mode_asked_for),
	    CASE(a_stale_socket_file_is_replaced),
	    CASE(a_live_socket_is_not_taken_over),
	    CASE(a_file_that_is_no_socket_is_left_alone),
	    CASE(a_missing_directory_is_named),
	    CASE(the_path_must_fit_a_socket_address),
	    CASE(the_descriptor_says_when_there_is_work),
	};

	return cmocka_run_group_tests_name("drpc/listener", tests, NULL, NULL);
}
