/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Collective requests among many ranks in one process. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_corpc.h"
#include "cart/crt_internal.h"
#include "cart/crt_internal_proto.h"
#include "crt_many_util.h"
#include "platform/platform.h"

#define NR_MAX 1000

#define SUM_IN(F)  F(uint32_t, add) F(string, text)
#define SUM_OUT(F) F(uint32_t, nr) F(uint64_t, sum) F(u32s, who)
CRT_RPC_DECLARE(sum, SUM_IN, SUM_OUT)
CRT_RPC_DEFINE(sum, SUM_IN, SUM_OUT)
#define SUM_OPC CRT_OPC(210, 1, 0)

/** What the ranks do and have done. */
static struct {
	uint32_t   ran[NR_MAX];
	uint32_t   round; /* of pumping */
	uint32_t   last_round;
	d_rank_t   hang, refuse, silent;
	crt_rpc_t *hung;
	uint64_t   chained_sum;
	bool       defer; /* through the hook */
	crt_rpc_t *deferred[NR_MAX];
	crt_rpc_hdlr_t deferred_hdlr;
} t;

static d_rank_t
self_of(crt_rpc_t *rpc)
{
	return (d_rank_t)(uintptr_t)crt_context_data(rpc->cr_ctx);
}

static void
h_sum(crt_rpc_t *rpc)
{
	struct sum_in  *in   = rpc->cr_input;
	struct sum_out *out  = rpc->cr_output;
	uint32_t        self = self_of(rpc);
	d_iov_t         data = crt_corpc_chained(rpc);

	t.ran[self]++;
	t.last_round = t.round;
	for (size_t i = 0; i < data.iov_len; i++)
		t.chained_sum += ((unsigned char *)data.iov_buf)[i];
	assert_string_equal(in->text, "to all");
	if (self == t.hang) {
		crt_req_addref(rpc);
		t.hung = rpc;
		return;
	}
	if (self == t.silent)
		return;
	out->nr  = 1;
	out->sum = self + in->add;
	out->who = (struct crt_u32_array){1, &self}; /* gone when this returns */
	assert_int_equal(crt_reply_send(rpc), 0);
	assert_int_equal(crt_reply_send(rpc), -DER_ALREADY);
}

static int
aggregate(const void *source, void *result, crt_rpc_t *rpc)
{
	const struct sum_out *s  = source;
	struct sum_out       *r  = result;
	uint32_t             *to = crt_req_alloc(rpc, (r->who.nr + s->who.nr) * sizeof(*to));

	if (to == NULL)
		return -DER_NOMEM;
	if (r->who.nr > 0)
		memcpy(to, r->who.v, r->who.nr * sizeof(*to));
	if (s->who.nr > 0)
		memcpy(to + r->who.nr, s->who.v, s->who.nr * sizeof(*to));
	r->who = (struct crt_u32_array){r->who.nr + s->who.nr, to};
	r->nr += s->nr;
	r->sum += s->sum;
	return 0;
}

static int
pre_forward(crt_rpc_t *rpc, void *arg)
{
	assert_null(arg);
	assert_int_equal(t.ran[self_of(rpc)], 0);
	return self_of(rpc) == t.refuse ? -DER_NO_PERM : 0;
}

static const struct crt_corpc_ops sum_ops = {.co_aggregate = aggregate, .co_pre_forward = pre_forward};
static const struct crt_proto_rpc sum_rpc = {&sum_format, h_sum, 0, &sum_ops};
static const struct crt_proto     proto   = {"sum", 210, 1, 1, &sum_rpc};

struct call {
	crt_rpc_t  *rpc;
	_Atomic int done;
	int         rc;
};

static void
done_cb(const struct crt_cb_info *info)
{
	struct call *c = info->cci_arg;

	c->rc = info->cci_rc;
	c->done++;
}

static void
call_begin(struct many *m, d_rank_t root, const struct crt_corpc_attr *attr, uint64_t timeout_ns,
	   struct call *c)
{
	struct sum_in *in;

	memset(t.ran, 0, sizeof(t.ran));
	t.round = 0;
	memset(c, 0, sizeof(*c));
	assert_int_equal(crt_corpc_create(m->ctx[root], attr, &c->rpc), 0);
	in       = c->rpc->cr_input;
	in->add  = 1000;
	in->text = "to all";
	if (timeout_ns != 0)
		assert_int_equal(crt_req_set_timeout_ns(c->rpc, timeout_ns), 0);
	crt_req_addref(c->rpc);
	assert_int_equal(crt_req_send(c->rpc, done_cb, c), 0);
}

static void
call_wait(struct many *m, struct call *c)
{
	uint64_t end = plat_now_ns() + 60 * NSEC_PER_SEC;

	while (c->done == 0) {
		t.round++;
		many_pump(m);
		for (uint32_t i = 0; t.defer && i < m->nr; i++) {
			crt_rpc_t *rpc = t.deferred[i];

			t.deferred[i] = NULL;
			if (rpc == NULL)
				continue;
			t.deferred_hdlr(rpc);
			crt_req_decref(rpc);
		}
		assert_true(plat_now_ns() < end);
	}
	assert_int_equal(c->done, 1);
}

/** Did exactly those run, once each, and does the reply say so? */
static void
check_ran(struct many *m, const struct call *c, const bool *expect)
{
	const struct sum_out *out = c->rpc->cr_output;
	uint64_t              sum = 0;
	uint32_t              nr = 0;

	for (d_rank_t r = 0; r < m->nr; r++) {
		assert_int_equal(t.ran[r], expect[r]);
		nr += expect[r];
		sum += expect[r] ? r + 1000 : 0;
	}
	assert_int_equal(out->nr, nr);
	assert_int_equal(out->sum, sum);
	assert_int_equal(out->who.nr, nr);
	assert_int_equal(crt_corpc_reached(c->rpc), nr);
	for (uint32_t i = 0; i < nr; i++)
		assert_true(expect[out->who.v[i]]);
}

static const struct crt_tree trees[] = {
    {CRT_TREE_FLAT, 0},    {CRT_TREE_KARY, 2},    {CRT_TREE_KARY, 5},
    {CRT_TREE_KNOMIAL, 2}, {CRT_TREE_KNOMIAL, 3}, {CRT_TREE_KNOMIAL, 64},
};

static int
setup(void **state)
{
	memset(&t, 0, sizeof(t));
	t.hang = t.refuse = t.silent = CRT_NO_RANK;
	return 0;
}

static void
all_trees(void **state)
{
	static const uint32_t sizes[] = {1, 2, 3, 8, 17};
	struct many           m;
	struct call           c;
	bool                  expect[NR_MAX];

	memset(expect, 1, sizeof(expect));
	for (size_t s = 0; s < ARRAY_NR(sizes); s++) {
		many_start(&m, sizes[s], &proto);
		for (size_t i = 0; i < ARRAY_NR(trees); i++)
			for (d_rank_t root = 0; root < sizes[s]; root++) {
				struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = trees[i]};

				call_begin(&m, root, &a, 0, &c);
				call_wait(&m, &c);
				assert_int_equal(c.rc, 0);
				check_ran(&m, &c, expect);
				assert_int_equal(crt_corpc_failed(c.rpc)->rl_nr, 0);
				crt_req_decref(c.rpc);
			}
		many_stop(&m);
	}
}

/** Random filters, both ways; the root need not be among the chosen. */
static void
filters(void **state)
{
	struct many m;
	unsigned    seed = 99;

	many_start(&m, 20, &proto);
	for (int i = 0; i < 200; i++) {
		d_rank_t              listed[20];
		bool                  expect[20];
		d_rank_list_t         filter = {.rl_ranks = listed, .rl_nr = 0};
		struct crt_corpc_attr a      = {.opc    = SUM_OPC,
						.tree   = trees[rand_r(&seed) % ARRAY_NR(trees)],
						.filter = &filter,
						.invert = rand_r(&seed) % 2};
		struct call           c;

		for (d_rank_t r = 0; r < 20; r++) {
			bool in = rand_r(&seed) % 3 == 0;

			if (in)
				listed[filter.rl_nr++] = r;
			expect[r] = in == a.invert;
		}
		call_begin(&m, rand_r(&seed) % 20, &a, 0, &c);
		call_wait(&m, &c);
		assert_int_equal(c.rc, 0);
		check_ran(&m, &c, expect);
		crt_req_decref(c.rpc);
	}
	many_stop(&m);
}

static void
chained(void **state)
{
	struct many m;
	struct call c;
	size_t      bytes = 300000;
	char       *data  = malloc(bytes);
	d_iov_t     iov   = {.iov_buf = data, .iov_buf_len = bytes, .iov_len = bytes};

	memset(data, 5, bytes);
	many_start(&m, 11, &proto);
	for (size_t i = 0; i < ARRAY_NR(trees); i++) {
		struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = trees[i], .chained = &iov};

		t.chained_sum = 0;
		call_begin(&m, 3, &a, 0, &c);
		call_wait(&m, &c);
		assert_int_equal(c.rc, 0);
		assert_int_equal(t.chained_sum, 11 * 5 * bytes);
		crt_req_decref(c.rpc);
	}
	many_stop(&m);
	free(data);
}

/** The ranks below @rank, and itself, in the tree with root 0 of @nr members. */
static void
subtree(struct crt_tree tree, uint32_t nr, uint32_t rank, bool *out)
{
	uint32_t children[NR_MAX];
	uint32_t n = crt_tree_children(tree, nr, 0, rank, children);

	out[rank] = false;
	for (uint32_t i = 0; i < n; i++)
		subtree(tree, nr, children[i], out);
}

static void
refused(void **state)
{
	struct many           m;
	struct call           c;
	struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = {CRT_TREE_KNOMIAL, 2}};

	many_start(&m, 16, &proto);
	for (t.refuse = 0; t.refuse < 16; t.refuse++) {
		bool expect[16];

		memset(expect, 1, sizeof(expect));
		subtree(a.tree, 16, t.refuse, expect);
		call_begin(&m, 0, &a, 0, &c);
		call_wait(&m, &c);
		assert_int_equal(c.rc, -DER_NO_PERM);
		check_ran(&m, &c, expect);
		assert_int_equal(crt_corpc_failed(c.rpc)->rl_nr, 1);
		assert_int_equal(crt_corpc_failed(c.rpc)->rl_ranks[0], t.refuse);
		crt_req_decref(c.rpc);
	}
	many_stop(&m);
}

/** A handler that returns without a reply fails its rank, not the others. */
static void
silent(void **state)
{
	struct many           m;
	struct call           c;
	struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = {CRT_TREE_KARY, 2}};

	many_start(&m, 7, &proto);
	for (t.silent = 0; t.silent < 7; t.silent++) {
		call_begin(&m, 0, &a, 0, &c);
		call_wait(&m, &c);
		assert_int_equal(c.rc, -DER_NOREPLY);
		assert_int_equal(crt_corpc_reached(c.rpc), 6);
		assert_int_equal(crt_corpc_failed(c.rpc)->rl_ranks[0], t.silent);
		crt_req_decref(c.rpc);
	}
	many_stop(&m);
}

/** Whoever is dead: those not below it are reached, and the reply says who it was. */
static void
dead_before(void **state)
{
	struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = {CRT_TREE_KNOMIAL, 2}};

	for (d_rank_t dead = 1; dead < 16; dead++) {
		struct many m;
		struct call c;
		bool        expect[16];

		memset(expect, 1, sizeof(expect));
		subtree(a.tree, 16, dead, expect);
		many_start(&m, 16, &proto);
		many_kill(&m, dead);
		call_begin(&m, 0, &a, 0, &c);
		call_wait(&m, &c);
		assert_int_equal(c.rc, -DER_UNREACH);
		check_ran(&m, &c, expect);
		assert_int_equal(crt_corpc_failed(c.rpc)->rl_nr, 1);
		assert_int_equal(crt_corpc_failed(c.rpc)->rl_ranks[0], dead);
		crt_req_decref(c.rpc);
		many_stop(&m);
	}
}

/** An inner rank dies while it waits for a child: its parent finds out and completes. */
static void
dead_in_the_middle(void **state)
{
	struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = {CRT_TREE_KNOMIAL, 2}};
	static const struct {
		d_rank_t dead, leaf; /* leaf is below dead, and hangs */
	} cases[] = {{8, 12}, {8, 9}, {4, 6}, {12, 13}, {14, 15}};

	for (size_t i = 0; i < ARRAY_NR(cases); i++) {
		struct many m;
		struct call c;

		many_start(&m, 16, &proto);
		t.hang = cases[i].leaf;
		t.hung = NULL;
		call_begin(&m, 0, &a, 0, &c);
		for (int k = 0; k < 50 || t.hung == NULL; k++)
			many_pump(&m);
		assert_int_equal(c.done, 0);
		many_kill(&m, cases[i].dead);
		call_wait(&m, &c);
		assert_int_equal(c.rc, -DER_UNREACH);
		assert_int_equal(crt_corpc_failed(c.rpc)->rl_nr, 1);
		assert_int_equal(crt_corpc_failed(c.rpc)->rl_ranks[0], cases[i].dead);
		crt_req_decref(c.rpc);
		t.hang = CRT_NO_RANK;
		assert_int_equal(crt_reply_send(t.hung), 0); /* too late, to nobody */
		crt_req_decref(t.hung);
		for (int k = 0; k < 10; k++)
			many_pump(&m);
		many_stop(&m);
	}
}

/** One rank never answers: the others' replies arrive all the same, before the root's time is over. */
static void
hung(void **state)
{
	struct many           m;
	struct call           c;
	struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = {CRT_TREE_KNOMIAL, 2}};
	uint64_t              start;

	many_start(&m, 16, &proto);
	t.hang = 13; /* 0 - 8 - 12 - 13 */
	start  = plat_now_ns();
	call_begin(&m, 0, &a, 500 * NSEC_PER_MSEC, &c);
	call_wait(&m, &c);
	assert_true(plat_now_ns() - start < 500 * NSEC_PER_MSEC);
	assert_int_equal(c.rc, -DER_TIMEDOUT);
	assert_int_equal(crt_corpc_reached(c.rpc), 15);
	assert_int_equal(crt_corpc_failed(c.rpc)->rl_nr, 1);
	assert_int_equal(crt_corpc_failed(c.rpc)->rl_ranks[0], 13);
	crt_req_decref(c.rpc);
	assert_int_equal(crt_reply_send(t.hung), 0);
	crt_req_decref(t.hung);

	t.hang = 0; /* the root's own part */
	call_begin(&m, 0, &a, 50 * NSEC_PER_MSEC, &c);
	call_wait(&m, &c);
	assert_int_equal(c.rc, -DER_TIMEDOUT);
	assert_int_equal(crt_corpc_failed(c.rpc)->rl_nr, 0);
	crt_req_decref(c.rpc);
	assert_int_equal(crt_reply_send(t.hung), 0);
	crt_req_decref(t.hung);
	for (int k = 0; k < 10; k++)
		many_pump(&m);
	many_stop(&m);
}

static void
versions(void **state)
{
	struct many           m;
	struct call           c;
	struct crt_corpc_attr a         = {.opc = SUM_OPC, .tree = {CRT_TREE_KNOMIAL, 2}};
	bool                  expect[8];

	many_start(&m, 8, &proto);
	assert_int_equal(crt_group_set(m.crt[4], m.version + 5, 8, m.members), 0);
	memset(expect, 1, sizeof(expect));
	subtree(a.tree, 8, 4, expect);
	call_begin(&m, 0, &a, 0, &c);
	call_wait(&m, &c);
	assert_int_equal(c.rc, -DER_GRPVER);
	check_ran(&m, &c, expect);
	assert_int_equal(crt_corpc_failed(c.rpc)->rl_ranks[0], 4);
	crt_req_decref(c.rpc);
	many_stop(&m);
}

static int
defer_task(crt_context_t ctx, crt_rpc_t *rpc, crt_rpc_hdlr_t hdlr, void *arg)
{
	t.deferred[self_of(rpc)] = rpc;
	t.deferred_hdlr          = hdlr;
	return 0;
}

/** Handlers that the hook runs later, after the children may have answered. */
static void
deferred(void **state)
{
	struct many           m;
	struct call           c;
	struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = {CRT_TREE_KNOMIAL, 2}};
	bool                  expect[13];

	t.defer = true;
	memset(expect, 1, sizeof(expect));
	many_start(&m, 13, &proto);
	for (d_rank_t r = 0; r < 13; r++)
		crt_context_register_rpc_task(m.ctx[r], defer_task, NULL);
	call_begin(&m, 5, &a, 0, &c);
	call_wait(&m, &c);
	assert_int_equal(c.rc, 0);
	check_ran(&m, &c, expect);
	crt_req_decref(c.rpc);
	many_stop(&m);
}

static void
not_allowed(void **state)
{
	static const struct crt_proto_rpc plain = {&sum_format, h_sum, 0, NULL};
	static const struct crt_proto     p     = {"plain", 211, 1, 1, &plain};
	struct many                       m;
	crt_rpc_t                        *rpc;
	struct crt_corpc_attr             a = {.opc = CRT_OPC(211, 1, 0), .tree = {CRT_TREE_FLAT, 0}};

	many_start(&m, 2, &proto);
	assert_int_equal(crt_proto_register(m.crt[0], &p), 0);
	assert_int_equal(crt_corpc_create(m.ctx[0], &a, &rpc), -DER_INVAL);
	a.opc  = SUM_OPC;
	a.tree = (struct crt_tree){CRT_TREE_KARY, 1};
	assert_int_equal(crt_corpc_create(m.ctx[0], &a, &rpc), -DER_INVAL);
	a.tree.ratio = 2;
	assert_int_equal(crt_corpc_create(m.ctx[0], &a, &rpc), 0);
	crt_req_decref(rpc); /* never sent */
	assert_int_equal(crt_group_set(m.crt[0], 99, 1, &m.members[1]), 0);
	assert_int_equal(crt_corpc_create(m.ctx[0], &a, &rpc), -DER_OOG);
	many_stop(&m);
}

static void
client_told(const struct crt_cb_info *info)
{
	*(_Atomic int *)info->cci_arg = 1;
}

/** A client could have servers ask each other for what they would not do for a client. */
static void
clients_may_not(void **state)
{
	struct many      m;
	struct crt_attr  attr = {.provider = "self", .timeout_s = 20, .ctx_nr_max = 1};
	struct crt      *crt;
	crt_context_t    ctx;
	crt_endpoint_t   ep = {.ep_rank = 0, .ep_tag = 0};
	crt_rpc_t       *sample, *rpc;
	_Atomic int      told = 0;
	uint64_t         end = plat_now_ns() + 30 * NSEC_PER_SEC;

	many_start(&m, 4, &proto);
	attr.world = m.world;
	assert_int_equal(crt_init(&attr, &crt), 0);
	assert_int_equal(crt_proto_register(crt, &proto), 0);
	assert_int_equal(crt_context_create(crt, &ctx), 0);
	assert_int_equal(crt_group_set(crt, m.version, 4, m.members), 0);
	assert_int_equal(crt_req_create(ctx, &ep, SUM_OPC, &sample), 0);
	((struct sum_in *)sample->cr_input)->text = "to all";
	assert_int_equal(crt_req_create(ctx, &ep, CRT_INTERNAL_OPC(CRT_RPC_CORPC), &rpc), 0);
	struct crt_corpc_in *in = rpc->cr_input;
	size_t               name_bytes;

	*in = (struct crt_corpc_in){
	    .opc = SUM_OPC, .grp_version = m.version, .tree_type = CRT_TREE_FLAT, .timeout_ns = 10 * NSEC_PER_SEC};
	assert_int_equal(crt_input_pack(sample, sample, &in->body), 0);
	in->root_name.iov_buf = (void *)na_ep_name(m.ctx[0]->ep, &name_bytes);
	in->root_name.iov_len = name_bytes;
	crt_req_addref(rpc);
	(void)crt_req_send(rpc, client_told, &told);
	while (!told && plat_now_ns() < end) {
		many_pump(&m);
		(void)crt_progress(ctx, 0);
	}
	assert_int_equal(((struct crt_corpc_out *)rpc->cr_output)->rc, -DER_NO_PERM);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(t.ran[i], 0);
	crt_req_decref(rpc);
	crt_req_decref(sample);
	crt_context_destroy(ctx);
	crt_fini(crt);
	many_stop(&m);
}

/** Ends while it is under way: abort, and the end of the root's context. */
static void
given_up(void **state)
{
	struct many           m;
	struct call           c;
	struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = {CRT_TREE_KNOMIAL, 2}};

	many_start(&m, 8, &proto);
	t.hang = 5;
	call_begin(&m, 0, &a, 0, &c);
	for (int k = 0; k < 20; k++)
		many_pump(&m);
	crt_req_abort(c.rpc);
	call_wait(&m, &c);
	assert_int_equal(c.rc, -DER_CANCELED);
	crt_req_decref(c.rpc);
	crt_req_decref(t.hung);
	for (int k = 0; k < 20; k++)
		many_pump(&m);
	call_begin(&m, 0, &a, 0, &c);
	for (int k = 0; k < 20; k++)
		many_pump(&m);
	crt_req_decref(c.rpc);
	many_kill(&m, 0);
	assert_int_equal(c.done, 1);
	crt_req_decref(t.hung);
	many_stop(&m);
}

/** A thousand ranks: all are reached in ceil(log2(1000)) message delays, with any inner rank dead, too. */
static void
thousand(void **state)
{
	struct many           m;
	struct call           c;
	struct crt_corpc_attr a = {.opc = SUM_OPC, .tree = {CRT_TREE_KNOMIAL, 2}};
	bool                 *expect = malloc(1000);

	memset(expect, 1, 1000);
	many_start(&m, 1000, &proto);
	call_begin(&m, 0, &a, 0, &c);
	call_wait(&m, &c);
	assert_int_equal(c.rc, 0);
	check_ran(&m, &c, expect);
	/* ranks are pumped from the highest down, and children are higher than their parents: a
	 * message sent in one round is seen in the next. The root begins in round 1. */
	print_message("1000 ranks: the last one was reached after %u message delays\n", t.last_round - 1);
	assert_in_range(t.last_round - 1, 1, 10);
	crt_req_decref(c.rpc);

	many_kill(&m, 512);
	subtree(a.tree, 1000, 512, expect);
	call_begin(&m, 0, &a, 0, &c);
	call_wait(&m, &c);
	assert_int_equal(c.rc, -DER_UNREACH);
	check_ran(&m, &c, expect);
	crt_req_decref(c.rpc);

	many_group_set(&m); /* without it */
	memset(expect, 1, 1000);
	expect[512] = false;
	call_begin(&m, 0, &a, 0, &c);
	call_wait(&m, &c);
	assert_int_equal(c.rc, 0);
	check_ran(&m, &c, expect);
	crt_req_decref(c.rpc);
	many_stop(&m);
	free(expect);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(all_trees, setup), cmocka_unit_test_setup(filters, setup),
	    cmocka_unit_test_setup(chained, setup), cmocka_unit_test_setup(refused, setup),
	    cmocka_unit_test_setup(silent, setup), cmocka_unit_test_setup(dead_before, setup),
	    cmocka_unit_test_setup(dead_in_the_middle, setup), cmocka_unit_test_setup(hung, setup),
	    cmocka_unit_test_setup(versions, setup), cmocka_unit_test_setup(deferred, setup),
	    cmocka_unit_test_setup(not_allowed, setup), cmocka_unit_test_setup(clients_may_not, setup),
	    cmocka_unit_test_setup(given_up, setup),
	    cmocka_unit_test_setup(thousand, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
