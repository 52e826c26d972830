/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Local links beside tcp: they come by themselves, and requests survive or end rightly without them. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "crt_test_util.h"
#include "platform/platform.h"

#define OPC(idx) CRT_OPC(T_MOD, T_VERSION, idx)

static struct crt_peer *
peer_of(struct t_world *w, uint32_t tag)
{
	struct crt_peer *peer;

	assert_int_equal(crt_peer_get(w->cli.ctx[0], 0, tag, &peer), 0);
	return peer;
}

/** An echo of @bytes bytes. Returns its status. */
static int
echo(struct t_world *w, uint32_t tag, uint32_t bytes)
{
	char         *buf = malloc(bytes + 1);
	struct t_call c;
	int           rc;

	memset(buf, 'a' + tag, bytes);
	t_call_init(&c, w->cli.ctx[0], 0, tag, OPC(T_ECHO));
	((struct t_echo_in *)c.rpc->cr_input)->data =
	    (d_iov_t){.iov_buf = buf, .iov_len = bytes, .iov_buf_len = bytes};
	t_call_send(&c);
	t_pump_until(w, &c.done);
	rc = c.rc;
	if (rc == 0) {
		struct t_echo_out *out = c.rpc->cr_output;

		assert_int_equal(out->data.iov_len, bytes);
		assert_memory_equal(out->data.iov_buf, buf, bytes);
	}
	t_call_end(&c);
	free(buf);
	return rc;
}

static void
linked_until(struct t_world *w, uint32_t tag)
{
	uint64_t end = plat_now_ns() + 20 * NSEC_PER_SEC;

	while (!na_addr_is_link(peer_of(w, tag)->addr)) {
		assert_int_equal(echo(w, tag, 10), 0);
		if (plat_now_ns() > end)
			fail_msg("no link in 20 s");
	}
}

/** Tag 0 after its first replies, other tags from the first request on, without a connection. */
static void
comes_by_itself(void **state)
{
	struct t_world w;

	t_world_start(&w, 1, 3, 0);
	linked_until(&w, 0);
	assert_int_equal(echo(&w, 2, 100), 0);
	assert_true(na_addr_is_link(peer_of(&w, 2)->addr));
	for (uint32_t bytes = 1; bytes < 300000; bytes = bytes * 3 + 1)
		for (uint32_t tag = 0; tag < 3; tag++)
			assert_int_equal(echo(&w, tag, bytes), 0);
	t_world_stop(&w);
}

static void
can_be_switched_off(void **state)
{
	struct t_world w;

	assert_int_equal(setenv("DAOS_LOCAL_SHM", "0", 1), 0);
	t_world_start(&w, 1, 2, 0);
	unsetenv("DAOS_LOCAL_SHM");
	for (int i = 0; i < 100; i++)
		assert_int_equal(echo(&w, i % 2, 100), 0);
	assert_int_equal(peer_of(&w, 0)->link, NA_ADDR_NONE);
	assert_int_equal(peer_of(&w, 1)->link, NA_ADDR_NONE);
	t_world_stop(&w);
}

/** A link that breaks ends what is in flight; what comes after goes through the network, and on. */
static void
falls_back(void **state)
{
	struct t_world w;
	struct t_call  c;

	t_world_start(&w, 1, 1, 0);
	linked_until(&w, 0);
	t_call_init(&c, w.cli.ctx[0], 0, 0, OPC(T_HANG));
	t_call_send(&c);
	while (w.srv[0].srv[0].hung_nr == 0)
		t_pump(&w);
	na_ep_unlink(w.srv[0].ctx[0]->ep, crt_priv(w.srv[0].srv[0].hung[0])->addr);
	t_pump_until(&w, &c.done);
	assert_int_equal(c.rc, -DER_UNREACH);
	assert_false(na_addr_is_link(peer_of(&w, 0)->addr));
	assert_int_equal(echo(&w, 0, 100), 0);
	assert_int_equal(echo(&w, 0, 100000), 0);
	peer_of(&w, 0)->link_retry_ns = 0; /* as after a while */
	linked_until(&w, 0);
	t_call_end(&c);
	t_world_stop(&w);
}

/** The server gives a link up in the middle of a bulk transfer: both sides hear of it. */
static void
bulk_interrupted(void **state)
{
	enum { BYTES = 32 << 20 };
	char             *far = malloc(BYTES), *near = malloc(BYTES);
	d_iov_t           iov = {.iov_buf = far, .iov_buf_len = BYTES};
	d_iov_t           siov = {.iov_buf = near, .iov_buf_len = BYTES};
	d_sg_list_t       sgl = {.sg_nr = 1, .sg_iovs = &iov};
	d_sg_list_t       ssgl = {.sg_nr = 1, .sg_iovs = &siov};
	struct t_bulk_in *in;
	struct t_world    w;
	struct t_call     c;
	crt_bulk_t        bulk;

	t_world_start(&w, 1, 1, 0);
	w.srv[0].srv[0].local = &ssgl;
	linked_until(&w, 0);
	assert_int_equal(crt_bulk_create(w.cli.ctx[0], &sgl, CRT_BULK_RW, &bulk), 0);
	t_call_init(&c, w.cli.ctx[0], 0, 0, OPC(T_BULK));
	in       = c.rpc->cr_input;
	in->bulk = bulk;
	in->op   = CRT_BULK_GET;
	in->len  = BYTES;
	t_call_send(&c);
	while (w.srv[0].srv[0].bulk_nr == 0)
		t_pump(&w);
	t_pump(&w);
	na_ep_unlink(w.cli.ctx[0]->ep, peer_of(&w, 0)->link);
	t_pump_until(&w, &w.srv[0].srv[0].bulk_done_nr);
	peer_of(&w, 0)->addr = peer_of(&w, 0)->net; /* it was ours: nothing is said about it */
	peer_of(&w, 0)->link = NA_ADDR_NONE;
	assert_int_equal(c.done, 0);
	crt_req_abort(c.rpc);
	t_pump_until(&w, &c.done);
	t_call_end(&c);
	crt_bulk_free(bulk);
	assert_int_equal(echo(&w, 0, 100), 0);
	t_world_stop(&w);
	free(far);
	free(near);
}

/* ---- threads ---- */

struct sleeper {
	crt_context_t ctx;
	_Atomic bool  stop;
};

static void
sleep_and_progress(void *arg)
{
	struct sleeper *s = arg;

	while (!s->stop)
		crt_progress(s->ctx, 100000);
}

/** A request sent while another thread sleeps on the context wakes it with its reply. */
static void
send_past_a_sleeper(void **state)
{
	struct plat_thread *thread, *server;
	struct sleeper      s = {0}, srv = {0};
	struct t_world      w;
	uint64_t            begin;
	uint32_t            slow_nr = 0;

	t_world_start(&w, 1, 1, 0);
	linked_until(&w, 0);
	s.ctx   = w.cli.ctx[0];
	srv.ctx = w.srv[0].ctx[0];
	assert_int_equal(plat_thread_create("serve", sleep_and_progress, &srv, &server), 0);
	assert_int_equal(plat_thread_create("sleep", sleep_and_progress, &s, &thread), 0);
	for (int i = 0; i < 200; i++) {
		struct t_call c;

		for (bool asleep = false; !asleep; sched_yield()) {
			pthread_mutex_lock(&s.ctx->lock);
			asleep = s.ctx->sleeping;
			pthread_mutex_unlock(&s.ctx->lock);
		}
		t_call_init(&c, s.ctx, 0, 0, OPC(T_ECHO));
		begin = plat_now_ns();
		t_call_send(&c);
		while (!c.done)
			sched_yield();
		slow_nr += plat_now_ns() - begin > 90 * NSEC_PER_MSEC; /* its sleep ended by itself */
		assert_int_equal(c.rc, 0);
		t_call_end(&c);
	}
	assert_true(slow_nr < 20);
	s.stop = srv.stop = true;
	plat_thread_join(thread);
	plat_thread_join(server);
	t_world_stop(&w);
}

struct armer {
	crt_context_t ctx;
	_Atomic int   armed, woken;
};

static void
arm_and_block(void *arg)
{
	struct armer *a = arg;
	int           fd = crt_context_fd(a->ctx);

	while (!crt_context_arm(a->ctx))
		crt_progress(a->ctx, 0);
	a->armed = 1;
	plat_fds_wait(&fd, 1, 10 * NSEC_PER_SEC);
	a->woken = 1;
}

/** Another thread polls while one sleeps on the descriptor: what comes after its last poll wakes the sleeper. */
static void
poll_past_a_sleeper(void **state)
{
	struct plat_thread *thread;
	struct armer        a = {0};
	struct t_world      w;
	struct t_call       c, hung;
	uint64_t            begin;

	t_world_start(&w, 1, 1, 0);
	linked_until(&w, 0);
	a.ctx = w.cli.ctx[0];
	t_call_init(&hung, a.ctx, 0, 0, OPC(T_HANG));
	t_call_send(&hung);
	while (w.srv[0].srv[0].hung_nr == 0)
		t_pump(&w);
	assert_int_equal(plat_thread_create("armer", arm_and_block, &a, &thread), 0);
	while (!a.armed)
		sched_yield();
	t_call_init(&c, a.ctx, 0, 0, OPC(T_ECHO));
	t_call_send(&c);
	t_pump_until(&w, &c.done); /* by this thread */
	for (int i = 0; i < 100; i++)
		t_pump(&w);
	begin = plat_now_ns();
	assert_int_equal(crt_reply_send(w.srv[0].srv[0].hung[0]), 0);
	plat_thread_join(thread);
	assert_true(plat_now_ns() - begin < 5 * NSEC_PER_SEC);
	t_pump_until(&w, &hung.done);
	t_call_end(&hung);
	t_call_end(&c);
	t_world_stop(&w);
}

/* ---- a server in a process of its own ---- */

struct shared {
	_Atomic int  ready;
	_Atomic bool stop;
	char         uri[NA_URI_BYTES_MAX];
};

static pid_t
server_fork(struct shared *sh, int port)
{
	struct t_world w = {0};
	struct t_node  n;
	pid_t          pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	t_node_start(&w, &n, true, 0, 2, port, 0);
	if (crt_context_uri(n.ctx[0], sh->uri, sizeof(sh->uri)) != 0)
		_exit(1);
	sh->ready++;
	while (!sh->stop) {
		crt_progress(n.ctx[0], 0);
		crt_progress(n.ctx[1], 0);
		sched_yield();
	}
	_exit(0);
}

static void
server_wait(struct shared *sh, int nr)
{
	uint64_t end = plat_now_ns() + 20 * NSEC_PER_SEC;

	while (sh->ready < nr && plat_now_ns() < end)
		sched_yield();
	assert_int_equal(sh->ready, nr);
}

/** A killed server is noticed at once, and the one that comes in its place is linked to. */
static void
server_killed(void **state)
{
	struct shared    *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct crt_member m  = {.rank = 0, .uri = sh->uri};
	struct t_world    w  = {0};
	struct t_call     c[20];
	uint64_t          killed;
	pid_t             pid = server_fork(sh, 0);

	server_wait(sh, 1);
	t_node_start(&w, &w.cli, false, CRT_NO_RANK, 1, 0, 0);
	assert_int_equal(crt_group_set(w.cli.crt, ++w.version, 1, &m), 0);
	linked_until(&w, 0);
	linked_until(&w, 1);
	for (uint32_t i = 0; i < ARRAY_NR(c); i++) {
		t_call_init(&c[i], w.cli.ctx[0], 0, i % 2, OPC(T_HANG));
		t_call_send(&c[i]);
	}
	for (int i = 0; i < 100; i++)
		t_pump(&w);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	killed = plat_now_ns();
	for (uint32_t i = 0; i < ARRAY_NR(c); i++) {
		t_pump_until(&w, &c[i].done);
		assert_int_equal(c[i].rc, -DER_UNREACH);
		t_call_end(&c[i]);
	}
	assert_true(plat_now_ns() - killed < 400 * NSEC_PER_MSEC); /* no ping was needed */
	pid = server_fork(sh, atoi(strrchr(sh->uri, ':') + 1));
	server_wait(sh, 2);
	while (echo(&w, 0, 10) != 0)
		sched_yield();
	peer_of(&w, 0)->link_retry_ns = 0;
	linked_until(&w, 0);
	t_node_stop(&w.cli);
	sh->stop = true;
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	munmap(sh, sizeof(*sh));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_by_itself), cmocka_unit_test(can_be_switched_off),
		cmocka_unit_test(falls_back),      cmocka_unit_test(bulk_interrupted),
		cmocka_unit_test(server_killed),   cmocka_unit_test(send_past_a_sleeper),
		cmocka_unit_test(poll_past_a_sleeper),
	};
	int rc;

	t_provider = "ofi+tcp;ofi_rxm";
	if (d_log_init() != 0 || d_log_setmasks("CRIT") != 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	d_log_fini();
	return rc;
}
