/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The blocking client against a listener that runs in a thread of its own, and against servers
 * that misbehave. */
#include <daos_errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "drpc/drpc.h"
#include "drpc/drpc_frame.h"
#include "drpc/mgmt.pb-c.h"
#include "platform/platform.h"

enum { ECHO = 1, STATUS, TEXT_OUT, GARBAGE, STOP };

struct world {
	char		      dir[64], path[128];
	struct drpc_listener *l;
	struct plat_thread   *thread;
	bool		      stop;
	int		      handled_nr;
};

static void
handle(struct drpc_request *req, void *arg)
{
	struct world	 *w = arg;
	Mgmt__SetRankReq  none = MGMT__SET_RANK_REQ__INIT;
	Mgmt__SetRankReq *in;

	w->handled_nr++;
	if (req->module != DRPC_MODULE_TEST) {
		drpc_reply(req, DRPC__STATUS__UNKNOWN_MODULE, NULL, 0);
		return;
	}
	switch (req->method) {
	case ECHO:
		drpc_reply(req, DRPC__STATUS__SUCCESS, req->body, req->body_bytes);
		break;
	case STATUS: /* the body's first byte is the status to answer */
		drpc_reply(req, (Drpc__Status)((const uint8_t *)req->body)[0], "text", 4);
		break;
	case TEXT_OUT:
		in = mgmt__set_rank_req__unpack(NULL, req->body_bytes, req->body);
		if (in == NULL) {
			drpc_reply(req, DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD, NULL, 0);
			break;
		}
		none.rank = in->rank + 1;
		mgmt__set_rank_req__free_unpacked(in, NULL);
		drpc_reply_msg(req, &none.base);
		break;
	case GARBAGE:
		drpc_reply(req, DRPC__STATUS__SUCCESS, "\xff\xff\xff", 3);
		break;
	case STOP:
		w->stop = true;
		drpc_reply(req, DRPC__STATUS__SUCCESS, NULL, 0);
		break;
	default:
		drpc_reply(req, DRPC__STATUS__UNKNOWN_METHOD, NULL, 0);
	}
}

static void
serve(void *arg)
{
	struct world *w = arg;

	while (!w->stop)
		(void)drpc_progress(w->l, -1);
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
	assert_int_equal(plat_thread_create("drpc_server", serve, w, &w->thread), 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	assert_int_equal(drpc_call(w->path, DRPC_MODULE_TEST, STOP, NULL, 0, 60, NULL, NULL), 0);
	plat_thread_join(w->thread);
	drpc_listener_close(w->l);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

static void
expect_echo(struct world *w, const void *body, size_t bytes)
{
	void  *out = NULL;
	size_t out_bytes = 0;

	assert_int_equal(
	    drpc_call(w->path, DRPC_MODULE_TEST, ECHO, body, bytes, 60, &out, &out_bytes), 0);
	assert_int_equal(out_bytes, bytes);
	assert_memory_equal(out, body, bytes);
	free(out);
}

static void
bodies_of_all_sizes(void **state)
{
	uint8_t *body = malloc(1 << 20);
	size_t	 bytes;

	assert_non_null(body);
	plat_random_bytes(body, 1 << 20);
	for (bytes = 1; bytes <= 1 << 20; bytes = bytes * 3 + 1)
		expect_echo(*state, body, bytes);
	free(body);
}

static void
an_empty_body_comes_back_empty(void **state)
{
	struct world *w = *state;
	void	     *out = NULL;
	size_t	      out_bytes = 99;

	assert_int_equal(drpc_call(w->path, DRPC_MODULE_TEST, ECHO, NULL, 0, 60, &out, &out_bytes),
			 0);
	assert_non_null(out);
	assert_int_equal(out_bytes, 0);
	free(out);
}

static void
the_largest_body_and_one_byte_more(void **state)
{
	struct world *w = *state;
	uint8_t	     *body = malloc(DRPC_BODY_MAX + 1);
	void	     *out = NULL;
	size_t	      out_bytes;

	assert_non_null(body);
	plat_random_bytes(body, 4096);
	memset(body + 4096, 0x5a, DRPC_BODY_MAX - 4095);
	expect_echo(w, body, DRPC_BODY_MAX);
	assert_int_equal(drpc_call(w->path, DRPC_MODULE_TEST, ECHO, body, DRPC_BODY_MAX + 1, 60,
				   &out, &out_bytes),
			 -DER_REC2BIG);
	assert_null(out);
	assert_int_equal(w->handled_nr, 1);
	free(body);
}

struct caller {
	struct world	   *w;
	struct plat_thread *thread;
	int		    nr, bad;
};

static void
call_many(void *arg)
{
	struct caller *c = arg;
	int	       i;

	for (i = 0; i < 50; i++) {
		size_t	bytes = 1 + (c->nr * 977 + i * 4099) % 60000, out_bytes = 0;
		uint8_t body[60000];
		void   *out = NULL;

		memset(body, c->nr + i, bytes);
		if (drpc_call(c->w->path, DRPC_MODULE_TEST, ECHO, body, bytes, 60, &out,
			      &out_bytes) != 0 ||
		    out_bytes != bytes || memcmp(out, body, bytes) != 0)
			c->bad++;
		free(out);
	}
}

static void
many_clients_at_once(void **state)
{
	struct world *w = *state;
	struct caller callers[12];
	size_t	      i;

	for (i = 0; i < ARRAY_NR(callers); i++) {
		callers[i] = (struct caller){.w = w, .nr = (int)i};
		assert_int_equal(
		    plat_thread_create("drpc_caller", call_many, &callers[i], &callers[i].thread),
		    0);
	}
	for (i = 0; i < ARRAY_NR(callers); i++)
		plat_thread_join(callers[i].thread);
	for (i = 0; i < ARRAY_NR(callers); i++)
		assert_int_equal(callers[i].bad, 0);
	assert_int_equal(w->handled_nr, 600);
}

static void
statuses_become_errors(void **state)
{
	const struct {
		uint8_t status;
		int	rc;
	} cases[] = {
	    {DRPC__STATUS__SUCCESS, 0},
	    {DRPC__STATUS__SUBMITTED, 0},
	    {DRPC__STATUS__FAILURE, -DER_MISC},
	    {DRPC__STATUS__UNKNOWN_MODULE, -DER_UNREG},
	    {DRPC__STATUS__UNKNOWN_METHOD, -DER_UNREG},
	    {DRPC__STATUS__FAILED_UNMARSHAL_CALL, -DER_INVAL},
	    {DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD, -DER_INVAL},
	    {DRPC__STATUS__FAILED_MARSHAL, -DER_MISC},
	    {99, -DER_MISC},
	};
	struct world *w = *state;
	size_t	      i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		void  *out = NULL;
		size_t out_bytes = 0;

		assert_int_equal(drpc_call(w->path, DRPC_MODULE_TEST, STATUS, &cases[i].status, 1,
					   60, &out, &out_bytes),
				 cases[i].rc);
		assert_true((out != NULL) == (cases[i].rc == 0)); /* untouched on failure */
		free(out);
	}
}

static void
unknown_modules_and_methods(void **state)
{
	struct world *w = *state;

	assert_int_equal(drpc_call(w->path, 42, ECHO, NULL, 0, 60, NULL, NULL), -DER_UNREG);
	assert_int_equal(drpc_call(w->path, -1, ECHO, NULL, 0, 60, NULL, NULL), -DER_UNREG);
	assert_int_equal(drpc_call(w->path, DRPC_MODULE_TEST, 4711, NULL, 0, 60, NULL, NULL),
			 -DER_UNREG);
}

static void
a_reply_nobody_wants(void **state)
{
	struct world *w = *state;

	assert_int_equal(drpc_call(w->path, DRPC_MODULE_TEST, ECHO, "x", 1, 60, NULL, NULL), 0);
}

static void
messages_both_ways(void **state)
{
	struct world	 *w = *state;
	Mgmt__SetRankReq  req = MGMT__SET_RANK_REQ__INIT;
	ProtobufCMessage *out = NULL;

	req.rank = 41;
	assert_int_equal(drpc_call_msg(w->path, DRPC_MODULE_TEST, TEXT_OUT, &req.base,
				       &mgmt__set_rank_req__descriptor, 60, &out),
			 0);
	assert_int_equal(((Mgmt__SetRankReq *)out)->rank, 42);
	protobuf_c_message_free_unpacked(out, NULL);
}

static void
a_reply_that_is_no_message(void **state)
{
	struct world	 *w = *state;
	Mgmt__Empty	  req = MGMT__EMPTY__INIT;
	ProtobufCMessage *out = NULL;

	assert_int_equal(drpc_call_msg(w->path, DRPC_MODULE_TEST, GARBAGE, &req.base,
				       &mgmt__daos_resp__descriptor, 60, &out),
			 -DER_PROTO);
	assert_null(out);
}

static void
a_body_the_handler_does_not_understand(void **state)
{
	struct world *w = *state;

	assert_int_equal(
	    drpc_call(w->path, DRPC_MODULE_TEST, TEXT_OUT, "\xff\xff", 2, 60, NULL, NULL),
	    -DER_INVAL);
}

/* ---- servers that are not there, or misbehave ---- */

struct fake {
	char		    dir[64], path[128];
	int		    fd;
	const void	   *answer; /**< sent as it is, then closed; NULL: closed at once */
	size_t		    answer_bytes;
	struct plat_thread *thread;
};

static void
fake_open(struct fake *f)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	strcpy(f->dir, "/tmp/drpc_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	strcpy(sa.sun_path, f->path);
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(f->fd, 8), 0);
}

static void
fake_close(struct fake *f)
{
	close(f->fd);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
}

/** One client: read its call, send the answer, close. */
static void
fake_serve(void *arg)
{
	struct fake *f = arg;
	char	     call[4096];
	int	     fd = accept(f->fd, NULL, NULL);

	if (fd < 0)
		return;
	if (recv(fd, call, sizeof(call), 0) > 0 && f->answer != NULL)
		(void)!send(fd, f->answer, f->answer_bytes, MSG_NOSIGNAL);
	close(fd);
}

static int
call_fake(const void *answer, size_t bytes)
{
	struct fake f = {.answer = answer, .answer_bytes = bytes};
	void	   *out = NULL;
	size_t	    out_bytes;
	int	    rc;

	fake_open(&f);
	assert_int_equal(plat_thread_create("drpc_fake", fake_serve, &f, &f.thread), 0);
	rc = drpc_call(f.path, DRPC_MODULE_TEST, ECHO, "hello", 5, 60, &out, &out_bytes);
	assert_null(out);
	plat_thread_join(f.thread);
	fake_close(&f);
	return rc;
}

static void
no_socket_no_listener_no_room(void **state)
{
	struct fake f = {0};
	char	    path[256];

	fake_open(&f);
	snprintf(path, sizeof(path), "%s/other", f.dir);
	assert_int_equal(drpc_call(path, 0, 0, NULL, 0, 5, NULL, NULL), -DER_NONEXIST);
	close(f.fd);
	assert_int_equal(drpc_call(f.path, 0, 0, NULL, 0, 5, NULL, NULL), -DER_UNREACH);
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(drpc_call(path, 0, 0, NULL, 0, 5, NULL, NULL), -DER_EXCEEDS_PATH_LEN);
	f.fd = -1;
	fake_close(&f);
}

static void
a_server_that_leaves(void **state)
{
	assert_int_equal(call_fake(NULL, 0), -DER_UNREACH);
	assert_int_equal(call_fake("\x40\0\0\0half", 8), -DER_UNREACH);
}

static void
a_server_that_answers_nonsense(void **state)
{
	assert_int_equal(call_fake("\xff\xff\xff\xff", 4), -DER_REC2BIG);
	assert_int_equal(call_fake("\x03\0\0\0\xff\xff\xff", 7), -DER_PROTO);
	assert_int_equal(call_fake("\0\0\0\0", 4), -DER_PROTO); /* an answer to another call */
}

static void
a_silent_server_is_given_up_in_time(void **state)
{
	struct fake f = {0};
	uint64_t    begin = plat_now_ns(), took;

	fake_open(&f); /* connects are queued, nobody accepts */
	assert_int_equal(drpc_call(f.path, DRPC_MODULE_TEST, ECHO, "hello", 5, 1, NULL, NULL),
			 -DER_TIMEDOUT);
	took = plat_now_ns() - begin;
	assert_true(took >= NSEC_PER_SEC);
	assert_true(took < 30 * NSEC_PER_SEC);
	fake_close(&f);
}

/** The deadline also covers sending. */
static void
a_server_that_does_not_read(void **state)
{
	struct fake f = {0};
	void	   *body = calloc(1, DRPC_BODY_MAX);

	assert_non_null(body);
	fake_open(&f);
	assert_int_equal(
	    drpc_call(f.path, DRPC_MODULE_TEST, ECHO, body, DRPC_BODY_MAX, 1, NULL, NULL),
	    -DER_TIMEDOUT);
	fake_close(&f);
	free(body);
}

static void
a_full_backlog_is_waited_for_until_the_deadline(void **state)
{
	struct fake	   f = {0};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int		   fds[64], nr = 0;

	fake_open(&f);
	assert_int_equal(listen(f.fd, 1), 0);
	strcpy(sa.sun_path, f.path);
	while (nr < 64) {
		fds[nr] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fds[nr++], (struct sockaddr *)&sa, sizeof(sa)) != 0)
			break;
	}
	assert_true(nr < 64);
	assert_int_equal(drpc_call(f.path, DRPC_MODULE_TEST, ECHO, "x", 1, 1, NULL, NULL),
			 -DER_TIMEDOUT);
	while (nr > 0)
		close(fds[--nr]);
	fake_close(&f);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(bodies_of_all_sizes),
	    CASE(an_empty_body_comes_back_empty),
	    CASE(the_largest_body_and_one_byte_more),
	    CASE(many_clients_at_once),
	    CASE(statuses_become_errors),
	    CASE(unknown_modules_and_methods),
	    CASE(a_reply_nobody_wants),
	    CASE(messages_both_ways),
	    CASE(a_reply_that_is_no_message),
	    CASE(a_body_the_handler_does_not_understand),
	    cmocka_unit_test(no_socket_no_listener_no_room),
	    cmocka_unit_test(a_server_that_leaves),
	    cmocka_unit_test(a_server_that_answers_nonsense),
	    cmocka_unit_test(a_silent_server_is_given_up_in_time),
	    cmocka_unit_test(a_server_that_does_not_read),
	    cmocka_unit_test(a_full_backlog_is_waited_for_until_the_deadline),
	};

	return cmocka_run_group_tests_name("drpc/client", tests, NULL, NULL);
}
