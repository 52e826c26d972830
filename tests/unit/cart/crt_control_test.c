/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Progress callbacks, faults, the protocol query, metrics, bound bulk handles. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/telemetry.h"
#include "cart/crt_fault.h"
#include "crt_test_util.h"
#include "platform/platform.h"

/* ---- progress callbacks ---- */

struct ticker {
	int      nr;
	uint64_t period_ns, next_ns;
};

static uint64_t
tick(crt_context_t ctx, void *arg)
{
	struct ticker *t   = arg;
	uint64_t       now = plat_now_ns();

	if (now >= t->next_ns) {
		t->nr++;
		t->next_ns = now + t->period_ns;
	}
	return t->next_ns;
}

/** A context that sleeps is woken in time for its callback, and only then. */
static void
progress_cb(void **state)
{
	struct t_world w;
	struct ticker  t = {.period_ns = 20 * NSEC_PER_MSEC};
	uint64_t       start, seen;

	t_world_start(&w, 0, 0, 0);
	assert_int_equal(crt_register_progress_cb(w.cli.ctx[0], tick, &t), 0);
	assert_true(crt_progress(w.cli.ctx[0], 0) >= 0);
	assert_int_equal(t.nr, 1);
	start = plat_now_ns();
	for (int i = 0; i < 3; i++)
		assert_true(crt_progress(w.cli.ctx[0], 10 * 1000 * 1000) > 0);
	seen = plat_now_ns() - start;
	assert_true(t.nr >= 3 && t.nr <= 4);
	assert_true(seen >= 35 * NSEC_PER_MSEC);
	t.next_ns = UINT64_MAX;
	crt_progress_cb_kick(w.cli.ctx[0]);
	assert_true(crt_progress(w.cli.ctx[0], 1000 * 1000) > 0);
	assert_int_equal(crt_progress(w.cli.ctx[0], 30 * 1000), -DER_TIMEDOUT); /* nothing to call */
	crt_unregister_progress_cb(w.cli.ctx[0], tick, &t);
	t_world_stop(&w);
}

/* ---- faults ---- */

static int
ask(struct t_world *w, d_rank_t rank, uint64_t timeout_ns)
{
	struct t_call c;

	t_call_init(&c, w->cli.ctx[0], rank, 0, T_OPC(T_ADDR));
	assert_int_equal(crt_req_set_timeout_ns(c.rpc, timeout_ns), 0);
	t_call_send(&c);
	t_pump_until(w, &c.done);
	assert_int_equal(c.done, 1);
	t_call_end(&c);
	return c.rc;
}

static void
fault_on(struct crt *crt, struct crt_fault_rule rule)
{
	assert_int_equal(crt_fault_set(crt, &rule), 0);
	crt_faults_enable(crt, true);
}

/** Each kind at each place, and only for the rank and the opcode that the rule names. */
static void
faults(void **state)
{
	static const uint64_t  shortly = 30 * NSEC_PER_MSEC, long_ns = 20 * NSEC_PER_SEC;
	struct t_world         w;
	struct crt_fault_rule  r = {.rank = 1, .opc = T_OPC(T_ADDR), .prob_ppm = 1000000};
	struct crt_fault_rule  bad = r;
	uint64_t               start;

	t_world_start(&w, 2, 1, 0);
	bad.what = CRT_FAULT_DELAY; /* where a request leaves */
	bad.arg  = 1;
	assert_int_equal(crt_fault_set(w.cli.crt, &bad), -DER_INVAL);
	for (int where = 0; where < CRT_FAULT_WHERE_NR; where++) {
		struct crt *crt = where == CRT_FAULT_REQUEST ? w.cli.crt : w.srv[1].crt;

		r.where = where;
		r.rank  = where == CRT_FAULT_REQUEST ? 1 : CRT_NO_RANK; /* who asks is a client */
		r.what  = CRT_FAULT_ERROR;
		r.arg   = -DER_NOSPACE;
		fault_on(crt, r);
		assert_int_equal(ask(&w, 1, long_ns), -DER_NOSPACE);
		assert_int_equal(ask(&w, 0, long_ns), 0);
		r.what = CRT_FAULT_DROP;
		fault_on(crt, r);
		assert_int_equal(ask(&w, 1, shortly), -DER_TIMEDOUT);
		assert_int_equal(ask(&w, 0, long_ns), 0);
		assert_int_equal(crt_fault_fires(crt, 0), 1);
		crt_faults_enable(crt, false);
		assert_int_equal(ask(&w, 1, long_ns), 0);
		crt_faults_enable(crt, true);
		assert_int_equal(crt_fault_clear(crt, 0), 0);
		assert_int_equal(crt_fault_clear(crt, 0), -DER_NONEXIST);
		assert_int_equal(ask(&w, 1, long_ns), 0);
	}
	r.where = CRT_FAULT_RECEIVE;
	r.what  = CRT_FAULT_DELAY;
	r.arg   = shortly;
	fault_on(w.srv[1].crt, r);
	start = plat_now_ns();
	assert_int_equal(ask(&w, 1, long_ns), 0);
	assert_true(plat_now_ns() - start >= shortly);
	t_world_stop(&w);
}

/** What is delayed when its context ends is not lost: it is cancelled. */
static void
fault_delay_ends(void **state)
{
	struct t_world        w;
	struct crt_fault_rule r = {.where    = CRT_FAULT_RECEIVE,
				   .what     = CRT_FAULT_DELAY,
				   .arg      = 3600 * NSEC_PER_SEC,
				   .rank     = CRT_FAULT_ANY_RANK,
				   .prob_ppm = 1000000};
	struct t_call         c;

	t_world_start(&w, 1, 1, 0);
	fault_on(w.srv[0].crt, r);
	t_call_init(&c, w.cli.ctx[0], 0, 0, T_OPC(T_ADDR));
	t_call_send(&c);
	while (crt_fault_fires(w.srv[0].crt, 0) == 0)
		t_pump(&w);
	t_node_kill(&w.srv[0]);
	crt_req_abort(c.rpc);
	t_pump_until(&w, &c.done);
	assert_int_equal(c.rc, -DER_CANCELED);
	t_call_end(&c);
	t_world_stop(&w);
}

static uint64_t
fault_pattern(uint64_t seed)
{
	struct t_world        w;
	struct crt_fault_rule r = {.where    = CRT_FAULT_REQUEST,
				   .what     = CRT_FAULT_ERROR,
				   .arg      = -DER_IO,
				   .rank     = CRT_FAULT_ANY_RANK,
				   .prob_ppm = 300000};
	uint64_t              bits = 0;

	t_world_start(&w, 1, 1, 0);
	crt_faults_reset(w.cli.crt, seed);
	fault_on(w.cli.crt, r);
	for (int i = 0; i < 64; i++)
		bits = bits << 1 | (ask(&w, 0, 20 * NSEC_PER_SEC) != 0);
	assert_int_equal(crt_fault_fires(w.cli.crt, 0), __builtin_popcountll(bits));
	t_world_stop(&w);
	return bits;
}

/** The seed decides; about as many fail as the probability says; interval and limit hold. */
static void
fault_seed(void **state)
{
	uint64_t              bits = fault_pattern(1);
	struct t_world        w;
	struct crt_fault_rule r = {.where     = CRT_FAULT_REQUEST,
				   .what      = CRT_FAULT_ERROR,
				   .arg       = -DER_IO,
				   .rank      = CRT_FAULT_ANY_RANK,
				   .prob_ppm  = 1000000,
				   .interval  = 3,
				   .fires_max = 2};

	assert_int_equal(bits, fault_pattern(1));
	assert_int_not_equal(bits, fault_pattern(2));
	assert_in_range(__builtin_popcountll(bits), 6, 36);
	t_world_start(&w, 1, 1, 0);
	fault_on(w.cli.crt, r);
	for (int i = 1; i <= 12; i++)
		assert_int_equal(ask(&w, 0, 20 * NSEC_PER_SEC), i == 3 || i == 6 ? -DER_IO : 0);
	t_world_stop(&w);
}

/* ---- protocol query ---- */

struct query {
	_Atomic int done;
	int         rc;
	uint32_t    version;
};

static void
query_cb(void *arg, int rc, uint32_t version)
{
	struct query *q = arg;

	q->rc      = rc;
	q->version = version;
	q->done++;
}

static uint32_t
query(struct t_world *w, uint32_t mod, uint32_t nr, const uint32_t *versions, int expect_rc)
{
	crt_endpoint_t ep = {0};
	struct query   q  = {0};

	assert_int_equal(crt_proto_query(w->cli.ctx[0], &ep, mod, nr, versions, query_cb, &q), 0);
	t_pump_until(w, &q.done);
	assert_int_equal(q.rc, expect_rc);
	return q.version;
}

static void
proto_query(void **state)
{
	struct t_world   w;
	struct crt_proto older = t_proto_srv;
	const uint32_t   v[]   = {1, 2, 3, 4}, u[] = {1, 4};
	crt_endpoint_t   ep    = {0};

	older.version = 2;
	t_world_start(&w, 1, 1, 0);
	assert_int_equal(crt_proto_register(w.srv[0].crt, &older), 0);
	assert_int_equal(query(&w, T_MOD, 4, v, 0), 3);
	assert_int_equal(query(&w, T_MOD, 2, v, 0), 2);
	assert_int_equal(query(&w, T_MOD, 2, u, -DER_PROTO), 0);
	assert_int_equal(query(&w, T_MOD + 1, 4, v, -DER_PROTO), 0);
	assert_int_equal(crt_proto_query(w.cli.ctx[0], &ep, 0, 4, v, query_cb, NULL), -DER_INVAL);
	assert_int_equal(crt_proto_query(w.cli.ctx[0], &ep, T_MOD, 0, v, query_cb, NULL), -DER_INVAL);
	t_world_stop(&w);
}

/* ---- metrics ---- */

static uint64_t
metric(struct d_tm *tm, const char *path)
{
	struct d_tm_node *node;
	struct d_tm_value v;

	assert_int_equal(d_tm_find(tm, path, &node), 0);
	d_tm_read(node, &v);
	return v.value;
}

static void
metrics(void **state)
{
	static const struct d_tm_clock clock = {plat_now_ns, plat_realtime_ns};
	struct d_tm         *tm;
	struct t_world       w;
	struct crt_attr      attr = {.provider = t_provider, .timeout_s = 20};
	struct crt          *crt;
	crt_context_t        plain = NULL;
	struct crt_opc_stats s;

	assert_int_equal(d_tm_create(NULL, 0, &clock, &tm), 0);
	t_world_start(&w, 1, 1, 0);
	t_node_stop(&w.cli);
	attr.world = w.self;
	attr.tm    = tm;
	assert_int_equal(crt_init(&attr, &crt), 0);
	assert_int_equal(crt_proto_register(crt, &t_proto_cli), 0);
	assert_int_equal(crt_context_create(crt, &plain), 0);
	w.cli = (struct t_node){.crt = crt, .ctx_nr = 1, .ctx = {plain}};
	t_group_set(&w);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(&w, 0, 20 * NSEC_PER_SEC), 0);
	crt_context_opc_stats(plain, T_OPC(T_ADDR), &s);
	assert_int_equal(s.sent, 5);
	assert_int_equal(s.replied, 5);
	assert_true(s.latency_sum_ns > 0 && s.latency_max_ns <= s.latency_sum_ns);
	crt_context_opc_stats(w.srv[0].ctx[0], T_OPC(T_ADDR), &s);
	assert_int_equal(s.recv, 5);
	fault_on(crt, (struct crt_fault_rule){.what = CRT_FAULT_ERROR, .arg = -DER_IO, .rank = 0, .prob_ppm = 1000000});
	assert_int_equal(ask(&w, 0, 20 * NSEC_PER_SEC), -DER_IO);
	assert_int_equal(crt_progress(plain, 1000), -DER_TIMEDOUT); /* sleeps: publishes */
	assert_int_equal(metric(tm, "net/req_sent/ctx_0"), 6);
	assert_int_equal(metric(tm, "net/reply_recv/ctx_0"), 5);
	assert_int_equal(metric(tm, "net/timeouts/ctx_0"), 0);
	assert_int_equal(metric(tm, "net/rpc/t_hang/sent"), 6);
	assert_int_equal(metric(tm, "net/rpc/t_hang/replied"), 5);
	assert_int_equal(metric(tm, "net/rpc/t_hang/failed"), 1);
	assert_true(metric(tm, "net/rpc/t_hang/latency_sum_ns") > 0);
	t_world_stop(&w);
	d_tm_destroy(tm);
}

/* ---- bound bulk handles: rank 0 passes the client's on to rank 1, which reads the client's memory ---- */

#define RELAY_MOD 201
#define RELAY_IN(F)  F(crt_bulk_t, bulk)
#define RELAY_OUT(F) F(int32_t, rc) F(uint64_t, sum)
CRT_RPC_DECLARE(relay, RELAY_IN, RELAY_OUT)
CRT_RPC_DEFINE(relay, RELAY_IN, RELAY_OUT)
#define RELAY_OPC CRT_OPC(RELAY_MOD, 1, 0)

struct pull {
	crt_rpc_t *rpc;
	char       buf[4096];
};

static void
pulled(void *arg, int rc)
{
	struct pull      *p   = arg;
	struct relay_out *out = p->rpc->cr_output;

	out->rc = rc;
	for (size_t i = 0; i < sizeof(p->buf); i++)
		out->sum += (unsigned char)p->buf[i];
	assert_int_equal(crt_reply_send(p->rpc), 0);
	crt_req_decref(p->rpc);
	free(p);
}

static void
relayed(const struct crt_cb_info *info)
{
	crt_rpc_t *rpc = info->cci_arg;

	assert_int_equal(info->cci_rc, 0);
	*(struct relay_out *)rpc->cr_output = *(struct relay_out *)info->cci_rpc->cr_output;
	assert_int_equal(crt_reply_send(rpc), 0);
	crt_req_decref(rpc);
}

static void
h_relay(crt_rpc_t *rpc)
{
	struct relay_in *in   = rpc->cr_input;
	crt_endpoint_t   next = {.ep_rank = 1};
	crt_rpc_t       *fwd;

	crt_req_addref(rpc);
	if (crt_rank_self(crt_context_crt(rpc->cr_ctx)) == 0) {
		assert_int_equal(crt_req_create(rpc->cr_ctx, &next, RELAY_OPC, &fwd), 0);
		*(struct relay_in *)fwd->cr_input = *in;
		crt_req_send(fwd, relayed, rpc);
		return;
	}
	struct pull         *p   = malloc(sizeof(*p));
	d_iov_t              iov = {.iov_buf = p->buf, .iov_buf_len = sizeof(p->buf)};
	d_sg_list_t          sgl = {.sg_nr = 1, .sg_iovs = &iov};
	struct crt_bulk_desc d   = {.bd_rpc = rpc, .bd_op = CRT_BULK_GET, .bd_remote = in->bulk,
				    .bd_local = &sgl, .bd_len = sizeof(p->buf)};

	p->rpc = rpc;
	assert_int_equal(crt_bulk_transfer(&d, pulled, p), 0);
}

static void
bound_bulk(void **state)
{
	static const struct crt_proto_rpc srv_rpc = {&relay_format, h_relay, 0};
	static const struct crt_proto     proto   = {"relay", RELAY_MOD, 1, 1, &srv_rpc};
	struct t_world                    w;
	struct t_call                     c;
	char                              buf[4096];
	d_iov_t                           iov = {.iov_buf = buf, .iov_buf_len = sizeof(buf)};
	d_sg_list_t                       sgl = {.sg_nr = 1, .sg_iovs = &iov};
	crt_bulk_t                        bulk;
	struct relay_out                 *out;

	memset(buf, 3, sizeof(buf));
	t_world_start(&w, 2, 1, 0);
	assert_int_equal(crt_proto_register(w.cli.crt, &proto), 0);
	assert_int_equal(crt_proto_register(w.srv[0].crt, &proto), 0);
	assert_int_equal(crt_proto_register(w.srv[1].crt, &proto), 0);
	assert_int_equal(crt_bulk_create(w.cli.ctx[0], &sgl, CRT_BULK_RO, &bulk), 0);
	assert_int_equal(crt_bulk_bind(NULL), -DER_INVAL);
	assert_int_equal(crt_bulk_bind(bulk), 0);
	t_call_init(&c, w.cli.ctx[0], 0, 0, RELAY_OPC);
	((struct relay_in *)c.rpc->cr_input)->bulk = bulk;
	t_call_send(&c);
	t_pump_until(&w, &c.done);
	out = c.rpc->cr_output;
	assert_int_equal(c.rc, 0);
	assert_int_equal(out->rc, 0);
	assert_int_equal(out->sum, 3 * sizeof(buf));
	t_call_end(&c);
	crt_bulk_free(bulk);
	t_world_stop(&w);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(progress_cb), cmocka_unit_test(faults),
	    cmocka_unit_test(fault_delay_ends), cmocka_unit_test(fault_seed),
	    cmocka_unit_test(proto_query), cmocka_unit_test(metrics),
	    cmocka_unit_test(bound_bulk),
	};

	if (argc > 1)
		t_provider = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
