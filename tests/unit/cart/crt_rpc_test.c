/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Requests over one provider, named on the command line. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/hlc.h"
#include "base/log.h"
#include "crt_test_util.h"
#include "platform/platform.h"

static void
fill(char *buf, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		buf[i] = (char)(i * 7 + (i >> 8) + seed);
}

static void
echo_bytes(struct t_world *w, d_rank_t rank, uint32_t tag, size_t bytes)
{
	char              *buf = malloc(bytes + 1);
	uint64_t           nums[3] = {1, UINT64_MAX, 3};
	d_rank_t           r[2] = {7, 9};
	d_rank_list_t      ranks = {.rl_ranks = r, .rl_nr = 2};
	struct t_echo_in  *in;
	struct t_echo_out *out;
	struct t_call      c;

	fill(buf, bytes, bytes);
	t_call_init(&c, w->cli.ctx[0], rank, tag, T_OPC(T_ECHO));
	in        = c.rpc->cr_input;
	in->x     = 42 + bytes;
	in->s     = "hello";
	in->nums  = (struct crt_u64_array){3, nums};
	in->ranks = &ranks;
	d_iov_set(&in->data, buf, bytes);
	t_call_send(&c);
	t_pump_until(w, &c.done);
	out = c.rpc->cr_output;
	assert_int_equal(c.rc, 0);
	assert_int_equal(out->x, 42 + bytes);
	assert_string_equal(out->s, "hello");
	assert_int_equal(out->nums.nr, 3);
	assert_memory_equal(out->nums.v, nums, sizeof(nums));
	assert_int_equal(out->ranks->rl_nr, 2);
	assert_int_equal(out->ranks->rl_ranks[1], 9);
	assert_int_equal(out->data.iov_len, bytes);
	if (bytes > 0)
		assert_memory_equal(out->data.iov_buf, buf, bytes);
	assert_true(crt_req_hlc(c.rpc) > 0);
	t_call_end(&c);
	free(buf);
}

static void
echo(void **state)
{
	struct t_world w;

	t_world_start(&w, 1, 1, 0);
	for (int i = 0; i < 100; i++)
		echo_bytes(&w, 0, 0, i);
	assert_int_equal(w.srv[0].srv[0].echo_nr, 100);
	t_world_stop(&w);
}

/** Sizes around the inline limit, one byte at a time. */
static void
inline_limit(void **state)
{
	struct t_world w;

	t_world_start(&w, 1, 1, 0);
	for (size_t b = NA_MSG_BYTES_MAX - 260; b < NA_MSG_BYTES_MAX + 16; b++)
		echo_bytes(&w, 0, 0, b);
	t_world_stop(&w);
}

static void
large_bodies(void **state)
{
	static const size_t sizes[] = {65536, 1 << 20, (1 << 20) + 1, 5000001, 32 << 20};
	struct t_world      w;

	t_world_start(&w, 1, 1, 0);
	for (size_t i = 0; i < ARRAY_NR(sizes); i++)
		echo_bytes(&w, 0, 0, sizes[i]);
	t_world_stop(&w);
}

static void
body_too_large(void **state)
{
	struct t_world    w;
	struct t_call     c;
	struct t_echo_in *in;
	char             *buf = malloc(65 << 20);

	t_world_start(&w, 1, 1, 0);
	t_call_init(&c, w.cli.ctx[0], 0, 0, T_OPC(T_ECHO));
	in = c.rpc->cr_input;
	d_iov_set(&in->data, buf, 65 << 20);
	t_call_send(&c);
	t_pump_until(&w, &c.done);
	assert_int_equal(c.rc, -DER_OVERFLOW);
	t_call_end(&c);
	t_world_stop(&w);
	free(buf);
}

static uint32_t
ask_addr(struct t_world *w, crt_context_t ctx, d_rank_t rank, uint32_t tag, int expect_rc)
{
	struct t_call c;
	uint32_t      x;

	t_call_init(&c, ctx, rank, tag, T_OPC(T_ADDR));
	t_call_send(&c);
	t_pump_until(w, &c.done);
	assert_int_equal(c.done, 1);
	assert_int_equal(c.rc, expect_rc);
	x = ((struct t_hang_out *)c.rpc->cr_output)->x;
	t_call_end(&c);
	return x;
}

/** Each request arrives at the context its tag names; servers reach one another and themselves. */
static void
tags_and_ranks(void **state)
{
	struct t_world w;

	t_world_start(&w, 3, 3, 0);
	for (int round = 0; round < 2; round++)
		for (d_rank_t r = 0; r < 3; r++)
			for (uint32_t t = 0; t < 3; t++) {
				assert_int_equal(ask_addr(&w, w.cli.ctx[0], r, t, 0), r << 8 | t);
				assert_int_equal(ask_addr(&w, w.srv[1].ctx[2], r, t, 0),
						 r << 8 | t);
			}
	ask_addr(&w, w.cli.ctx[0], 0, 3, -DER_UNREACH);
	ask_addr(&w, w.cli.ctx[0], 9, 0, -DER_OOG);
	ask_addr(&w, w.cli.ctx[0], 9, 1, -DER_OOG);
	t_world_stop(&w);
}

static void
one_way(void **state)
{
	struct t_world      w;
	struct t_call       c;
	struct t_oneway_in *in;
	char               *buf = calloc(1, 100000);
	uint64_t            end = plat_now_ns() + 20 * NSEC_PER_SEC;

	t_world_start(&w, 1, 1, 0);
	for (int i = 0; i < 20; i++) {
		t_call_init(&c, w.cli.ctx[0], 0, 0, T_OPC(T_ONEWAY));
		in = c.rpc->cr_input;
		d_iov_set(&in->data, buf, i % 2 ? 100000 : 100);
		t_call_send(&c);
		t_pump_until(&w, &c.done);
		assert_int_equal(c.rc, 0);
		t_call_end(&c);
	}
	while (w.srv[0].srv[0].oneway_nr < 20 && plat_now_ns() < end)
		t_pump(&w);
	assert_int_equal(w.srv[0].srv[0].oneway_bytes, 10 * 100000 + 10 * 100);
	t_world_stop(&w);
	free(buf);
}

static void
no_reply_from_handler(void **state)
{
	struct t_world w;
	struct t_call  c;

	t_world_start(&w, 1, 1, 0);
	t_call_init(&c, w.cli.ctx[0], 0, 0, T_OPC(T_NOREPLY));
	t_call_send(&c);
	t_pump_until(&w, &c.done);
	assert_int_equal(c.rc, -DER_NOREPLY);
	t_call_end(&c);
	t_world_stop(&w);
}

static void
expect_status(struct t_world *w, crt_opcode_t opc, int rc)
{
	struct t_call c;

	t_call_init(&c, w->cli.ctx[0], 0, 0, opc);
	t_call_send(&c);
	t_pump_until(w, &c.done);
	assert_int_equal(c.rc, rc);
	t_call_end(&c);
}

/** What the server does not know is answered, not left to the timeout. */
static void
unknown_opcode_and_version(void **state)
{
	static const struct crt_proto_rpc rpcs[] = {{&t_hang_format, NULL, 0}};
	static const struct crt_proto v4  = {"test4", T_MOD, T_VERSION + 1, 1, rpcs};
	static const struct crt_proto mod = {"other", T_MOD + 1, 1, 1, rpcs};
	crt_endpoint_t ep = {0};
	crt_rpc_t     *rpc;
	struct t_world w;

	t_world_start(&w, 1, 1, 0);
	assert_int_equal(crt_proto_register(w.cli.crt, &v4), 0);
	assert_int_equal(crt_proto_register(w.cli.crt, &v4), -DER_EXIST);
	assert_int_equal(crt_proto_register(w.cli.crt, &mod), 0);
	expect_status(&w, CRT_OPC(T_MOD, T_VERSION + 1, 0), -DER_PROTO);
	expect_status(&w, CRT_OPC(T_MOD + 1, 1, 0), -DER_UNREG);
	expect_status(&w, T_OPC(T_NOREPLY + 1), -DER_UNREG);
	assert_int_equal(crt_req_create(w.cli.ctx[0], &ep, CRT_OPC(33, 1, 0), &rpc), -DER_UNREG);
	t_world_stop(&w);
}

/** A reply after the timeout is dropped; the callback has run once. */
static void
timeout_then_late_reply(void **state)
{
	struct t_world   w;
	struct t_call    c;
	struct crt_stats st;
	uint64_t         begin, end;

	t_world_start(&w, 1, 1, 0);
	t_call_init(&c, w.cli.ctx[0], 0, 0, T_OPC(T_HANG));
	assert_int_equal(crt_req_set_timeout(c.rpc, 0), -DER_INVAL);
	assert_int_equal(crt_req_set_timeout(c.rpc, 1), 0);
	begin = plat_now_ns();
	t_call_send(&c);
	assert_true(crt_context_next_timeout(w.cli.ctx[0]) <= plat_now_ns() + NSEC_PER_SEC);
	t_pump_until(&w, &c.done);
	assert_int_equal(c.rc, -DER_TIMEDOUT);
	assert_true(plat_now_ns() - begin >= NSEC_PER_SEC);
	assert_int_equal(crt_context_next_timeout(w.cli.ctx[0]), UINT64_MAX);
	assert_int_equal(w.srv[0].srv[0].hung_nr, 1);
	assert_int_equal(crt_reply_send(w.srv[0].srv[0].hung[0]), 0);
	end = plat_now_ns() + 20 * NSEC_PER_SEC;
	do {
		t_pump(&w);
		crt_context_stats(w.cli.ctx[0], &st);
	} while (st.late_replies == 0 && plat_now_ns() < end);
	assert_int_equal(st.late_replies, 1);
	assert_int_equal(st.timeouts, 1);
	assert_int_equal(c.done, 1);
	t_call_end(&c);
	echo_bytes(&w, 0, 0, 100);
	t_world_stop(&w);
}

static void
abort_is_exactly_once(void **state)
{
	struct t_world w;
	struct t_call  c;

	t_world_start(&w, 1, 1, 0);
	t_call_init(&c, w.cli.ctx[0], 0, 0, T_OPC(T_HANG));
	t_call_send(&c);
	crt_req_abort(c.rpc);
	crt_req_abort(c.rpc);
	t_pump_until(&w, &c.done);
	assert_int_equal(c.rc, -DER_CANCELED);
	for (int i = 0; i < 100; i++)
		t_pump(&w);
	assert_int_equal(c.done, 1);
	t_call_end(&c);
	t_world_stop(&w);
}

/** Many more requests than credits: all are answered, and never more than the credits are out. */
static void
credits(void **state)
{
	enum { NR = 60, CREDITS = 4 };
	struct t_world w;
	struct t_call  c[NR];
	struct t_srv  *srv;
	uint32_t       answered = 0;

	t_world_start(&w, 1, 1, CREDITS);
	srv = &w.srv[0].srv[0];
	for (int i = 0; i < NR; i++) {
		t_call_init(&c[i], w.cli.ctx[0], 0, 0, T_OPC(T_HANG));
		t_call_send(&c[i]);
	}
	while (answered < NR) {
		t_pump(&w);
		assert_true(srv->hung_nr - answered <= CREDITS);
		if (srv->hung_nr - answered == MIN_OF(CREDITS, NR - answered)) {
			assert_int_equal(crt_reply_send(srv->hung[answered]), 0);
			answered++;
		}
	}
	for (int i = 0; i < NR; i++) {
		t_pump_until(&w, &c[i].done);
		assert_int_equal(c[i].rc, 0);
		t_call_end(&c[i]);
	}
	t_world_stop(&w);
}

/** Requests that wait for a credit time out, too. */
static void
timeout_in_queue(void **state)
{
	struct t_world w;
	struct t_call  c[3];

	t_world_start(&w, 1, 1, 1);
	for (int i = 0; i < 3; i++) {
		t_call_init(&c[i], w.cli.ctx[0], 0, 0, T_OPC(T_HANG));
		assert_int_equal(crt_req_set_timeout(c[i].rpc, i == 0 ? 20 : 1), 0);
		t_call_send(&c[i]);
	}
	t_pump_until(&w, &c[1].done);
	t_pump_until(&w, &c[2].done);
	assert_int_equal(c[1].rc, -DER_TIMEDOUT);
	assert_int_equal(c[2].rc, -DER_TIMEDOUT);
	assert_int_equal(c[0].done, 0);
	assert_int_equal(crt_reply_send(w.srv[0].srv[0].hung[0]), 0);
	t_pump_until(&w, &c[0].done);
	for (int i = 0; i < 3; i++)
		t_call_end(&c[i]);
	t_world_stop(&w);
}

static void
rank_abort_completes_all(void **state)
{
	enum { NR = 10 };
	struct t_world w;
	struct t_call  c[NR];

	t_world_start(&w, 2, 2, 2);
	for (int i = 0; i < NR; i++) {
		t_call_init(&c[i], w.cli.ctx[0], 1, i % 2, T_OPC(T_HANG));
		t_call_send(&c[i]);
	}
	while (w.srv[1].srv[0].hung_nr + w.srv[1].srv[1].hung_nr < 4)
		t_pump(&w);
	crt_rank_abort(w.cli.crt, 1);
	for (int i = 0; i < NR; i++) {
		t_pump_until(&w, &c[i].done);
		assert_int_equal(c[i].rc, -DER_UNREACH);
		assert_int_equal(c[i].done, 1);
		t_call_end(&c[i]);
	}
	echo_bytes(&w, 1, 1, 10);
	t_world_stop(&w);
}

/** A server that is gone is unreachable; when it is back at its address, a retry succeeds. */
static void
peer_death_and_restart(void **state)
{
	struct t_world w;
	struct t_call  c[2];
	char           uri[NA_URI_BYTES_MAX];
	int            port = 0;

	t_world_start(&w, 2, 1, 0);
	echo_bytes(&w, 1, 0, 10);
	for (int i = 0; i < 2; i++) {
		t_call_init(&c[i], w.cli.ctx[0], 1, 0, i == 0 ? T_OPC(T_HANG) : T_OPC(T_ADDR));
		assert_int_equal(crt_req_set_timeout(c[i].rpc, 5), 0);
	}
	t_call_send(&c[0]);
	while (w.srv[1].srv[0].hung_nr == 0)
		t_pump(&w);
	assert_int_equal(crt_context_uri(w.srv[1].ctx[0], uri, sizeof(uri)), 0);
	if (strrchr(uri, ':') != NULL && strstr(uri, "shm") == NULL)
		port = atoi(strrchr(uri, ':') + 1 + (strcmp(t_provider, "self") == 0 ? 2 : 0));
	t_node_kill(&w.srv[1]);
	t_call_send(&c[1]);
	t_pump_until(&w, &c[1].done);
	assert_int_equal(c[1].rc, -DER_UNREACH);
	assert_int_equal(c[1].done, 1);

	t_node_start(&w, &w.srv[1], true, 1, 1, port, 0);
	if (port == 0)
		t_group_set(&w);
	echo_bytes(&w, 1, 0, 1000);
	t_pump_until(&w, &c[0].done); /* the old server took it with it */
	assert_int_equal(c[0].rc, -DER_UNREACH);
	assert_int_equal(c[0].done, 1);
	for (int i = 0; i < 2; i++)
		t_call_end(&c[i]);
	echo_bytes(&w, 1, 0, 100000);
	t_world_stop(&w);
}

static void
wrong_rank_is_refused(void **state)
{
	struct t_world    w;
	struct t_call     c;
	char              uri[NA_URI_BYTES_MAX];
	struct crt_member m;

	t_world_start(&w, 2, 1, 0);
	assert_int_equal(crt_context_uri(w.srv[0].ctx[0], uri, sizeof(uri)), 0);
	m = (struct crt_member){.rank = 1, .uri = uri};
	assert_int_equal(crt_group_set(w.cli.crt, 77, 1, &m), 0);
	t_call_init(&c, w.cli.ctx[0], 1, 0, T_OPC(T_ECHO));
	t_call_send(&c);
	t_pump_until(&w, &c.done);
	assert_int_equal(c.rc, -DER_BAD_TARGET);
	t_call_end(&c);
	t_world_stop(&w);
}

static int
hook(crt_context_t ctx, crt_rpc_t *rpc, crt_rpc_hdlr_t hdlr, void *arg)
{
	int *mode = arg;

	if (*mode != 0)
		return *mode;
	hdlr(rpc);
	crt_req_decref(rpc);
	return 0;
}

static void
task_hook(void **state)
{
	struct t_world w;
	int            mode = 0;

	t_world_start(&w, 1, 2, 0);
	crt_context_register_rpc_task(w.srv[0].ctx[1], hook, &mode);
	assert_int_equal(ask_addr(&w, w.cli.ctx[0], 0, 1, 0), 1);
	mode = -DER_OVERLOAD_RETRY;
	ask_addr(&w, w.cli.ctx[0], 0, 1, -DER_OVERLOAD_RETRY);
	t_world_stop(&w);
}

static int
is_done(void *arg)
{
	return ((struct t_call *)arg)->done;
}

/** Destroying a context completes what is under way. */
static void
destroy_cancels(void **state)
{
	struct t_world w;
	struct t_call  c[5];

	t_world_start(&w, 1, 2, 2);
	for (int i = 0; i < 5; i++) {
		t_call_init(&c[i], w.cli.ctx[0], 0, i % 2, T_OPC(T_HANG));
		t_call_send(&c[i]);
	}
	for (int i = 0; i < 50; i++)
		t_pump(&w);
	for (int i = 0; i < 5; i++)
		t_call_end(&c[i]);
	t_node_stop(&w.cli);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(c[i].done, 1);
		assert_int_equal(c[i].rc, -DER_CANCELED);
	}
	t_world_stop(&w);
}

static void
progress_times_out(void **state)
{
	struct t_world w;
	struct t_call  c = {0};
	uint64_t       begin;

	t_world_start(&w, 1, 1, 0);
	begin = plat_now_ns();
	assert_int_equal(crt_progress_cond(w.cli.ctx[0], 30000, is_done, &c), -DER_TIMEDOUT);
	assert_true(plat_now_ns() - begin >= 30 * NSEC_PER_MSEC);
	t_world_stop(&w);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
		cmocka_unit_test(inline_limit),
		cmocka_unit_test(large_bodies),
		cmocka_unit_test(body_too_large),
		cmocka_unit_test(tags_and_ranks),
		cmocka_unit_test(one_way),
		cmocka_unit_test(no_reply_from_handler),
		cmocka_unit_test(unknown_opcode_and_version),
		cmocka_unit_test(timeout_then_late_reply),
		cmocka_unit_test(abort_is_exactly_once),
		cmocka_unit_test(credits),
		cmocka_unit_test(timeout_in_queue),
		cmocka_unit_test(rank_abort_completes_all),
		cmocka_unit_test(peer_death_and_restart),
		cmocka_unit_test(wrong_rank_is_refused),
		cmocka_unit_test(task_hook),
		cmocka_unit_test(destroy_cancels),
		cmocka_unit_test(progress_times_out),
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
