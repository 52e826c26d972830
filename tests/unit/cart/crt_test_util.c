/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "crt_test_util.h"
#include "platform/platform.h"

const char *t_provider = "self";

CRT_RPC_DEFINE(t_echo, T_ECHO_IN, T_ECHO_OUT)
CRT_RPC_DEFINE(t_bulk, T_BULK_IN, T_BULK_OUT)
CRT_RPC_DEFINE(t_hang, T_EMPTY, T_EMPTY)
CRT_RPC_DEFINE(t_oneway, T_ONEWAY_IN, T_EMPTY)

static void
h_echo(crt_rpc_t *rpc)
{
	struct t_echo_in  *in  = rpc->cr_input;
	struct t_echo_out *out = rpc->cr_output;

	((struct t_srv *)crt_context_data(rpc->cr_ctx))->echo_nr++;
	out->x     = in->x;
	out->s     = in->s;
	out->data  = in->data;
	out->nums  = in->nums;
	out->ranks = in->ranks;
	assert_int_equal(crt_reply_send(rpc), 0);
	assert_int_equal(crt_reply_send(rpc), -DER_ALREADY);
}

static void
bulk_done(void *arg, int rc)
{
	crt_rpc_t         *rpc = arg;
	struct t_bulk_out *out = rpc->cr_output;

	((struct t_srv *)crt_context_data(rpc->cr_ctx))->bulk_done_nr++;
	out->rc = rc;
	assert_int_equal(crt_reply_send(rpc), 0);
	crt_req_decref(rpc);
}

static void
h_bulk(crt_rpc_t *rpc)
{
	struct t_bulk_in    *in  = rpc->cr_input;
	struct t_bulk_out   *out = rpc->cr_output;
	struct t_srv        *srv = crt_context_data(rpc->cr_ctx);
	struct crt_bulk_desc d   = {.bd_rpc        = rpc,
				    .bd_op         = in->op,
				    .bd_remote     = in->bulk,
				    .bd_remote_off = in->off,
				    .bd_local      = srv->local,
				    .bd_local_off  = in->local_off,
				    .bd_len        = in->len};

	srv->bulk_nr++;
	out->bulk_len = crt_bulk_len(in->bulk);
	crt_req_addref(rpc);
	out->start_rc = crt_bulk_transfer(&d, bulk_done, rpc);
	if (out->start_rc != 0) {
		assert_int_equal(crt_reply_send(rpc), 0);
		crt_req_decref(rpc);
	}
}

static void
h_hang(crt_rpc_t *rpc)
{
	struct t_srv *srv = crt_context_data(rpc->cr_ctx);

	assert_true(srv->hung_nr < ARRAY_NR(srv->hung));
	crt_req_addref(rpc);
	srv->hung[srv->hung_nr++] = rpc;
}

static void
h_oneway(crt_rpc_t *rpc)
{
	struct t_srv       *srv = crt_context_data(rpc->cr_ctx);
	struct t_oneway_in *in  = rpc->cr_input;

	srv->oneway_nr++;
	srv->oneway_bytes += in->data.iov_len;
}

/** Says which context got it: rank << 8 | tag. */
static void
h_addr(crt_rpc_t *rpc)
{
	struct t_hang_out *out = rpc->cr_output;

	out->x = crt_rank_self(crt_context_crt(rpc->cr_ctx)) << 8 | crt_context_idx(rpc->cr_ctx);
	assert_int_equal(crt_reply_send(rpc), 0);
}

static void
h_noreply(crt_rpc_t *rpc)
{
}

static const struct crt_proto_rpc rpcs_srv[] = {
	[T_ECHO]    = {&t_echo_format, h_echo, 0},
	[T_BULK]    = {&t_bulk_format, h_bulk, 0},
	[T_HANG]    = {&t_hang_format, h_hang, 0},
	[T_ONEWAY]  = {&t_oneway_format, h_oneway, CRT_RPC_NO_REPLY},
	[T_ADDR]    = {&t_hang_format, h_addr, 0},
	[T_NOREPLY] = {&t_hang_format, h_noreply, 0},
};
static const struct crt_proto_rpc rpcs_cli[] = {
	[T_ECHO]    = {&t_echo_format, NULL, 0},
	[T_BULK]    = {&t_bulk_format, NULL, 0},
	[T_HANG]    = {&t_hang_format, NULL, 0},
	[T_ONEWAY]  = {&t_oneway_format, NULL, CRT_RPC_NO_REPLY},
	[T_ADDR]    = {&t_hang_format, NULL, 0},
	[T_NOREPLY] = {&t_hang_format, NULL, 0},
	{&t_hang_format, NULL, 0}, /* one more than the server has */
};
const struct crt_proto t_proto_srv = {"test", T_MOD, T_VERSION, ARRAY_NR(rpcs_srv), rpcs_srv};
const struct crt_proto t_proto_cli = {"test", T_MOD, T_VERSION, ARRAY_NR(rpcs_cli), rpcs_cli};

void
t_node_start(struct t_world *w, struct t_node *n, bool server, d_rank_t rank, uint32_t ctx_nr,
	     int port, uint32_t credits)
{
	struct crt_attr attr = {.provider   = t_provider,
				.interface  = strstr(t_provider, "tcp") != NULL ? "lo" : NULL,
				.port       = port,
				.server     = server,
				.timeout_s  = 20,
				.ep_credits = credits,
				.world      = w->self};

	memset(n, 0, sizeof(*n));
	assert_int_equal(crt_init(&attr, &n->crt), 0);
	assert_int_equal(crt_proto_register(n->crt, server ? &t_proto_srv : &t_proto_cli), 0);
	if (server)
		crt_rank_self_set(n->crt, rank);
	for (n->ctx_nr = 0; n->ctx_nr < ctx_nr; n->ctx_nr++) {
		assert_int_equal(crt_context_create(n->crt, &n->ctx[n->ctx_nr]), 0);
		crt_context_set_data(n->ctx[n->ctx_nr], &n->srv[n->ctx_nr]);
	}
}

void
t_node_stop(struct t_node *n)
{
	if (n->crt == NULL)
		return;
	for (uint32_t i = 0; i < n->ctx_nr; i++) {
		for (uint32_t k = 0; k < n->srv[i].hung_nr; k++)
			crt_req_decref(n->srv[i].hung[k]);
		n->srv[i].hung_nr = 0;
		crt_context_destroy(n->ctx[i]);
	}
	crt_fini(n->crt);
	memset(n, 0, sizeof(*n));
}

void
t_node_kill(struct t_node *n)
{
	for (uint32_t i = 0; i < n->ctx_nr; i++)
		for (uint32_t k = 0; k < n->srv[i].hung_nr; k++)
			crt_priv(n->srv[i].hung[k])->replied = true;
	t_node_stop(n);
}

void
t_group_set(struct t_world *w)
{
	struct crt_member m[3];
	char              uri[3][NA_URI_BYTES_MAX];
	uint32_t          nr = 0;

	for (uint32_t i = 0; i < w->srv_nr; i++) {
		if (w->srv[i].crt == NULL)
			continue;
		assert_int_equal(crt_context_uri(w->srv[i].ctx[0], uri[nr], sizeof(uri[nr])), 0);
		m[nr] = (struct crt_member){.rank = i, .uri = uri[nr]};
		nr++;
	}
	w->version++;
	assert_int_equal(crt_group_set(w->cli.crt, w->version, nr, m), 0);
	for (uint32_t i = 0; i < w->srv_nr; i++)
		if (w->srv[i].crt != NULL)
			assert_int_equal(crt_group_set(w->srv[i].crt, w->version, nr, m), 0);
}

void
t_world_start(struct t_world *w, uint32_t srv_nr, uint32_t ctx_nr, uint32_t credits)
{
	memset(w, 0, sizeof(*w));
	w->srv_nr = srv_nr;
	assert_int_equal(na_self_world_create(&w->self), 0);
	for (uint32_t i = 0; i < srv_nr; i++)
		t_node_start(w, &w->srv[i], true, i, ctx_nr, 0, credits);
	t_node_start(w, &w->cli, false, CRT_NO_RANK, 1, 0, credits);
	t_group_set(w);
}

void
t_world_stop(struct t_world *w)
{
	t_node_stop(&w->cli);
	for (uint32_t i = 0; i < w->srv_nr; i++)
		t_node_stop(&w->srv[i]);
	na_self_world_destroy(w->self);
}

void
t_pump(struct t_world *w)
{
	for (uint32_t i = 0; i < w->srv_nr; i++)
		for (uint32_t k = 0; k < w->srv[i].ctx_nr; k++)
			assert_true(crt_progress(w->srv[i].ctx[k], 0) >= 0);
	for (uint32_t k = 0; k < w->cli.ctx_nr; k++)
		assert_true(crt_progress(w->cli.ctx[k], 0) >= 0);
}

void
t_pump_until(struct t_world *w, const _Atomic int *flag)
{
	uint64_t end = plat_now_ns() + 20 * NSEC_PER_SEC;

	while (!*flag) {
		t_pump(w);
		if (plat_now_ns() > end)
			fail_msg("nothing came in 20 s");
	}
}

static void
call_cb(const struct crt_cb_info *info)
{
	struct t_call *c = info->cci_arg;

	c->rc = info->cci_rc;
	c->done++;
}

void
t_call_init(struct t_call *c, crt_context_t ctx, d_rank_t rank, uint32_t tag, crt_opcode_t opc)
{
	crt_endpoint_t ep = {.ep_rank = rank, .ep_tag = tag};

	memset(c, 0, sizeof(*c));
	assert_int_equal(crt_req_create(ctx, &ep, opc, &c->rpc), 0);
}

void
t_call_send(struct t_call *c)
{
	crt_req_addref(c->rpc);
	assert_int_equal(crt_req_send(c->rpc, call_cb, c), 0);
}

void
t_call_end(struct t_call *c)
{
	crt_req_decref(c->rpc);
}
