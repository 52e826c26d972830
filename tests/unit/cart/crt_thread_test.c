/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Contexts in threads of their own, shared contexts, and waiting without a busy loop. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "crt_test_util.h"
#include "platform/platform.h"

#define WAIT_US 20000000

/* cmocka's asserts jump: threads other than the main one count failures instead */
static atomic_int failures;

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			print_error("%s:%d: %s\n", __FILE__, __LINE__, #cond);                     \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

struct server {
	crt_context_t       ctx;
	atomic_int          stop;
	struct plat_thread *thread;
};

static void
server_main(void *arg)
{
	struct server *s = arg;

	while (!s->stop) {
		int rc = crt_progress(s->ctx, 20000);

		CHECK(rc >= 0 || rc == -DER_TIMEDOUT);
	}
}

struct caller {
	crt_context_t       ctx;
	uint32_t            srv_nr, tag_nr;
	unsigned            seed;
	struct plat_thread *thread;
};

static int
call_done(void *arg)
{
	return ((struct t_call *)arg)->done;
}

static void
call_once(struct caller *k, size_t bytes)
{
	char             *buf = malloc(bytes + 1);
	crt_endpoint_t    ep  = {.ep_rank = rand_r(&k->seed) % k->srv_nr,
				 .ep_tag  = rand_r(&k->seed) % k->tag_nr};
	struct t_call     c   = {0};
	struct t_echo_in *in;
	struct t_echo_out *out;

	memset(buf, (int)bytes, bytes);
	CHECK(crt_req_create(k->ctx, &ep, T_OPC(T_ECHO), &c.rpc) == 0);
	in = c.rpc->cr_input;
	d_iov_set(&in->data, buf, bytes);
	t_call_send(&c);
	CHECK(crt_progress_cond(k->ctx, WAIT_US, call_done, &c) == 1);
	out = c.rpc->cr_output;
	CHECK(c.done == 1 && c.rc == 0);
	CHECK(out->data.iov_len == bytes);
	CHECK(bytes == 0 || memcmp(out->data.iov_buf, buf, bytes) == 0);
	t_call_end(&c);
	free(buf);
}

static void
caller_main(void *arg)
{
	struct caller *k = arg;

	for (int i = 0; i < 300; i++)
		call_once(k, i % 50 == 49 ? 200000 : rand_r(&k->seed) % 3000);
}

/** Two servers with two contexts each and two clients, three threads on each client's context. */
static void
servers_and_clients(void **state)
{
	struct t_world w;
	struct t_node  cli2;
	struct server  s[4] = {0};
	struct caller  k[6] = {0};
	struct crt_member m[2];
	char           uri[2][NA_URI_BYTES_MAX];

	failures = 0;
	t_world_start(&w, 2, 2, 8);
	t_node_start(&w, &cli2, false, CRT_NO_RANK, 1, 0, 4);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(crt_context_uri(w.srv[i].ctx[0], uri[i], sizeof(uri[i])), 0);
		m[i] = (struct crt_member){.rank = i, .uri = uri[i]};
	}
	assert_int_equal(crt_group_set(cli2.crt, 1, 2, m), 0);
	for (int i = 0; i < 4; i++) {
		s[i].ctx = w.srv[i / 2].ctx[i % 2];
		assert_int_equal(plat_thread_create("srv", server_main, &s[i], &s[i].thread), 0);
	}
	for (int i = 0; i < 6; i++) {
		k[i] = (struct caller){.ctx  = i % 2 ? cli2.ctx[0] : w.cli.ctx[0],
				       .srv_nr = 2, .tag_nr = 2, .seed = i + 1};
		assert_int_equal(plat_thread_create("cli", caller_main, &k[i], &k[i].thread), 0);
	}
	for (int i = 0; i < 6; i++)
		plat_thread_join(k[i].thread);
	for (int i = 0; i < 4; i++) {
		s[i].stop = 1;
		plat_thread_join(s[i].thread);
	}
	assert_int_equal(failures, 0);
	t_node_stop(&cli2);
	t_world_stop(&w);
}

/* ---- a server that blocks on its descriptor as a scheduler does ---- */

struct sleeper {
	crt_context_t       ctx;
	atomic_int          stop, blocked;
	atomic_uint         sleeps;
	struct plat_thread *thread;
};

static void
sleeper_main(void *arg)
{
	struct sleeper    *s    = arg;
	int                epfd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev   = {.events = EPOLLIN};

	CHECK(epoll_ctl(epfd, EPOLL_CTL_ADD, crt_context_fd(s->ctx), &ev) == 0);
	while (!s->stop) {
		if (crt_progress(s->ctx, 0) > 0 || !crt_context_arm(s->ctx))
			continue;
		s->sleeps++;
		s->blocked = 1;
		CHECK(epoll_wait(epfd, &ev, 1, WAIT_US / 1000) >= 0);
		s->blocked = 0;
	}
	close(epfd);
}

static int
never(void *arg)
{
	return 0;
}

/** Every request wakes a server that sleeps; between requests it sleeps. */
static void
blocked_server_wakes(void **state)
{
	struct t_world w;
	struct sleeper s = {0};
	struct caller  k = {0};
	uint64_t       begin;
	unsigned       sleeps;

	failures = 0;
	t_world_start(&w, 1, 1, 0);
	s.ctx = w.srv[0].ctx[0];
	k     = (struct caller){.ctx = w.cli.ctx[0], .srv_nr = 1, .tag_nr = 1, .seed = 5};
	assert_int_equal(plat_thread_create("sleeper", sleeper_main, &s, &s.thread), 0);
	for (int i = 0; i < 200; i++) {
		while (!s.blocked)
			crt_progress(k.ctx, 100);
		begin = plat_now_ns();
		call_once(&k, i % 20 == 19 ? 100000 : 10);
		assert_true(plat_now_ns() - begin < 5 * NSEC_PER_SEC);
	}
	sleeps = s.sleeps;
	assert_int_equal(crt_progress_cond(k.ctx, 500000, never, NULL), -DER_TIMEDOUT);
	/* a provider with descriptors looks up every 10 ms at most, shm and net every 100 us */
	sleeps = s.sleeps - sleeps;
	assert_true(sleeps <= (strcmp(t_provider, "ofi+shm") == 0 || strcmp(t_provider, "ofi+net") == 0 ? 5000 : 100));
	s.stop = 1;
	assert_int_equal(crt_group_set(w.srv[0].crt, ++w.version, 0, NULL), 0);
	plat_thread_join(s.thread);
	assert_int_equal(failures, 0);
	t_world_stop(&w);
}

/** A timeout alone wakes whoever sleeps on the descriptor. */
static void
timeout_wakes(void **state)
{
	struct t_world     w;
	struct t_call      c;
	struct epoll_event ev   = {.events = EPOLLIN};
	int                epfd = epoll_create1(EPOLL_CLOEXEC);
	uint64_t           begin = plat_now_ns();

	t_world_start(&w, 1, 1, 0);
	assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_ADD, crt_context_fd(w.cli.ctx[0]), &ev), 0);
	t_call_init(&c, w.cli.ctx[0], 0, 0, T_OPC(T_HANG));
	assert_int_equal(crt_req_set_timeout(c.rpc, 1), 0);
	t_call_send(&c); /* the server never looks */
	while (!c.done) {
		if (crt_progress(w.cli.ctx[0], 0) > 0 || !crt_context_arm(w.cli.ctx[0]))
			continue;
		assert_int_equal(epoll_wait(epfd, &ev, 1, WAIT_US / 1000), 1);
	}
	assert_true(c.rc == -DER_TIMEDOUT || c.rc == -DER_UNREACH);
	assert_true(plat_now_ns() - begin < 5 * NSEC_PER_SEC);
	t_call_end(&c);
	close(epfd);
	t_world_stop(&w);
}

/** What another thread does to a context wakes it: an aborted rank, a new group. */
static void
other_thread_wakes(void **state)
{
	struct t_world w;
	struct sleeper s = {0};
	struct t_call  c[2];

	failures = 0;
	t_world_start(&w, 2, 1, 0);
	for (int i = 0; i < 2; i++)
		t_call_init(&c[i], w.cli.ctx[0], i, 0, T_OPC(T_HANG));
	for (int i = 0; i < 2; i++)
		t_call_send(&c[i]);
	s.ctx = w.cli.ctx[0];
	assert_int_equal(plat_thread_create("sleeper", sleeper_main, &s, &s.thread), 0);
	while (!s.blocked)
		crt_progress(w.srv[0].ctx[0], 1000);
	crt_rank_abort(w.cli.crt, 0);
	while (!c[0].done)
		crt_progress(w.srv[0].ctx[0], 1000);
	assert_int_equal(c[0].rc, -DER_UNREACH);
	assert_int_equal(c[1].done, 0);
	while (!s.blocked)
		crt_progress(w.srv[0].ctx[0], 1000);
	assert_int_equal(crt_group_set(w.cli.crt, ++w.version, 0, NULL), 0);
	while (!c[1].done)
		crt_progress(w.srv[0].ctx[0], 1000);
	assert_int_equal(c[1].rc, -DER_OOG);
	s.stop = 1;
	assert_int_equal(crt_group_set(w.cli.crt, ++w.version, 0, NULL), 0);
	plat_thread_join(s.thread);
	for (int i = 0; i < 2; i++)
		t_call_end(&c[i]);
	assert_int_equal(failures, 0);
	t_world_stop(&w);
}

static void
sleeping_main(void *arg)
{
	struct sleeper *s = arg;

	s->blocked = 1;
	while (!s->stop)
		(void)crt_progress(s->ctx, 500000);
}

/** One thread sleeps in a client's context while another sends: connecting, failing, large. */
static void
sender_beside_sleeper(void **state)
{
	struct t_world w;
	struct server  srv = {0};
	struct sleeper s   = {0};
	struct caller  k   = {0};
	struct t_call  c;
	uint64_t       begin;

	failures = 0;
	t_world_start(&w, 2, 1, 0);
	t_node_kill(&w.srv[1]);
	srv.ctx = w.srv[0].ctx[0];
	s.ctx   = w.cli.ctx[0];
	k       = (struct caller){.ctx = w.cli.ctx[0], .srv_nr = 1, .tag_nr = 1, .seed = 3};
	assert_int_equal(plat_thread_create("srv", server_main, &srv, &srv.thread), 0);
	assert_int_equal(plat_thread_create("sleeper", sleeping_main, &s, &s.thread), 0);
	while (!s.blocked)
		crt_progress(w.cli.ctx[0], 1000);
	for (int i = 0; i < 20; i++) {
		begin = plat_now_ns();
		call_once(&k, i % 2 ? 100000 : 10);
		assert_true(plat_now_ns() - begin < 5 * NSEC_PER_SEC);
	}
	t_call_init(&c, w.cli.ctx[0], 1, 0, T_OPC(T_HANG));
	begin = plat_now_ns();
	t_call_send(&c);
	assert_int_equal(crt_progress_cond(w.cli.ctx[0], WAIT_US, call_done, &c), 1);
	assert_int_equal(c.rc, -DER_UNREACH);
	assert_true(plat_now_ns() - begin < 6 * NSEC_PER_SEC);
	t_call_end(&c);
	s.stop = 1;
	plat_thread_join(s.thread);
	srv.stop = 1;
	plat_thread_join(srv.thread);
	assert_int_equal(failures, 0);
	t_world_stop(&w);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_and_clients),
		cmocka_unit_test(blocked_server_wakes),
		cmocka_unit_test(timeout_wakes),
		cmocka_unit_test(other_thread_wakes),
		cmocka_unit_test(sender_beside_sleeper),
	};
	int rc;

	if (argc > 1)
		t_provider = argv[1];
	if (d_log_init() != 0)
		return 1;
	rc = cmocka_run_group_tests_name(t_provider, tests, NULL, NULL);
	d_log_fini();
	return rc;
}
