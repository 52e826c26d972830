/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * CRT_CHAOS_RPCS requests (20,000; a million in `make soak`) with short timeouts, aborts, ends of endpoints,
 * servers that restart, replies late, lost, out of order, large and by other threads. Every callback
 * runs exactly once, a reply is its own request's, nothing is left. CRT_CHAOS_SEED repeats decisions
 * (not the threads' timing).
 */
#define D_LOGFAC LOG_FAC_TEST
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/crt.h"
#include "cart/crt_fault.h"
#include "na/na.h"
#include "platform/platform.h"

#define SRV_NR       3
#define CLI_NR       2
#define WINDOW       64
#define HELD_NR      32
#define LARGE_BYTES  40000
#define RESTART_ODDS 400 /* of a server's rounds */

#define CHAOS_IN(F)  F(uint64_t, x) F(iov, data)
#define CHAOS_OUT(F) F(uint64_t, x) F(iov, data)
CRT_RPC_DECLARE(chaos, CHAOS_IN, CHAOS_OUT)
CRT_RPC_DEFINE(chaos, CHAOS_IN, CHAOS_OUT)
#define CHAOS_OPC CRT_OPC(220, 1, 0)

struct server {
	d_rank_t        rank;
	pthread_mutex_t lock; /* held */
	crt_rpc_t      *held[HELD_NR];
	uint32_t        held_nr;
	struct crt     *crt;
	crt_context_t   ctx;
	char            uri[NA_URI_BYTES_MAX];
	uint64_t        rng;
};

struct slot {
	struct client *cl;
	crt_rpc_t     *rpc; /* NULL: free */
	uint64_t       x;
	uint32_t       cb_nr;
};

struct client {
	struct crt   *crt;
	crt_context_t ctx;
	struct slot   slots[WINDOW];
	uint32_t      busy_nr;
	uint64_t      left, sent_nr, cb_nr, rng;
	uint64_t      ended[6]; /* as below */
};
enum { OK, TIMEDOUT, UNREACH, CANCELED, OOG, OTHER };

static struct {
	struct na_self_world *world;
	struct server         srv[SRV_NR];
	struct client         cli[CLI_NR];
	pthread_mutex_t       grp_lock; /* version, uris, and who has an instance */
	uint32_t              version;
	_Atomic int           clients_left;
	_Atomic uint64_t      restart_nr;
	char                  large[LARGE_BYTES];
} t;

static uint64_t
rng_next(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng;
}

/* ---- servers ---- */

static void
answer(crt_rpc_t *rpc)
{
	struct chaos_in  *in  = rpc->cr_input;
	struct chaos_out *out = rpc->cr_output;

	out->x = in->x;
	if (in->x % 37 == 0)
		d_iov_set(&out->data, t.large, LARGE_BYTES);
	(void)crt_reply_send(rpc);
	crt_req_decref(rpc);
}

static void
h_chaos(crt_rpc_t *rpc)
{
	struct server *s = crt_context_data(rpc->cr_ctx);
	uint64_t       what = rng_next(&s->rng) % 10;

	if (what == 0)
		return; /* no reply */
	crt_req_addref(rpc);
	pthread_mutex_lock(&s->lock);
	if (what < 6 && s->held_nr < HELD_NR) {
		s->held[s->held_nr++] = rpc;
		rpc                   = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (rpc != NULL)
		answer(rpc);
}

static const struct crt_proto_rpc srv_rpc = {&chaos_format, h_chaos, 0, NULL};
static const struct crt_proto_rpc cli_rpc = {&chaos_format, NULL, 0, NULL};
static const struct crt_proto     srv_proto = {"chaos", 220, 1, 1, &srv_rpc};
static const struct crt_proto     cli_proto = {"chaos", 220, 1, 1, &cli_rpc};

/** One of those that wait, out of order; by whoever calls. */
static void
answer_held(struct server *s, uint64_t random)
{
	crt_rpc_t *rpc = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->held_nr > 0) {
		uint32_t i = random % s->held_nr;

		rpc        = s->held[i];
		s->held[i] = s->held[--s->held_nr];
	}
	/* under the lock: the context must not end meanwhile */
	if (rpc != NULL)
		answer(rpc);
	pthread_mutex_unlock(&s->lock);
}

/** All know where all are. With grp_lock. */
static void
group_spread(void)
{
	struct crt_member m[SRV_NR];

	for (int i = 0; i < SRV_NR; i++)
		m[i] = (struct crt_member){.rank = i, .uri = t.srv[i].uri};
	t.version++;
	for (int i = 0; i < SRV_NR; i++)
		if (t.srv[i].crt != NULL)
			assert_int_equal(crt_group_set(t.srv[i].crt, t.version, SRV_NR, m), 0);
	for (int i = 0; i < CLI_NR; i++)
		assert_int_equal(crt_group_set(t.cli[i].crt, t.version, SRV_NR, m), 0);
}

static void
server_open(struct server *s)
{
	struct crt_attr       attr = {.provider = "self", .server = true, .timeout_s = 1, .ctx_nr_max = 1, .world = t.world};
	struct crt_fault_rule late = {.id = 1, .where = CRT_FAULT_RECEIVE, .what = CRT_FAULT_DELAY, .arg = 2 * NSEC_PER_MSEC,
				      .rank = CRT_FAULT_ANY_RANK, .prob_ppm = 30000};
	struct crt_fault_rule lost = {.id = 2, .where = CRT_FAULT_REPLY, .what = CRT_FAULT_DROP, .rank = CRT_FAULT_ANY_RANK,
				      .prob_ppm = 5000};
	struct crt           *crt;

	assert_int_equal(crt_init(&attr, &crt), 0);
	assert_int_equal(crt_proto_register(crt, &srv_proto), 0);
	crt_rank_self_set(crt, s->rank);
	assert_int_equal(crt_context_create(crt, &s->ctx), 0);
	crt_context_set_data(s->ctx, s);
	assert_int_equal(crt_fault_set(crt, &late), 0);
	assert_int_equal(crt_fault_set(crt, &lost), 0);
	crt_faults_enable(crt, true);
	pthread_mutex_lock(&t.grp_lock);
	s->crt = crt;
	assert_int_equal(crt_context_uri(s->ctx, s->uri, sizeof(s->uri)), 0);
	group_spread();
	pthread_mutex_unlock(&t.grp_lock);
}

static void
server_close(struct server *s)
{
	struct crt *crt = s->crt;

	pthread_mutex_lock(&t.grp_lock);
	s->crt = NULL;
	pthread_mutex_unlock(&t.grp_lock);
	pthread_mutex_lock(&s->lock); /* the other server's thread answers for us no more */
	while (s->held_nr > 0)
		crt_req_decref(s->held[--s->held_nr]);
	crt_context_destroy(s->ctx);
	s->ctx = NULL;
	pthread_mutex_unlock(&s->lock);
	crt_fini(crt);
}

static void
server_run(void *arg)
{
	struct server *s = arg;

	while (t.clients_left > 0) {
		uint64_t r = rng_next(&s->rng);

		(void)crt_progress(s->ctx, 200);
		for (uint64_t i = 0; i < r % 3; i++)
			answer_held(s, r >> 20);
		answer_held(&t.srv[(s->rank + 1) % SRV_NR], r >> 24);
		if ((r >> 32) % RESTART_ODDS == 0) {
			server_close(s);
			server_open(s);
			t.restart_nr++;
		}
	}
}

/* ---- clients ---- */

static void
on_end(const struct crt_cb_info *info)
{
	struct slot            *slot = info->cci_arg;
	struct client          *cl   = slot->cl;
	const struct chaos_out *out  = info->cci_rpc->cr_output;
	int                     rc   = info->cci_rc;
	int                     kind;

	slot->cb_nr++;
	cl->cb_nr++;
	if (slot->cb_nr != 1 || (rc == 0 && out->x != slot->x)) {
		fprintf(stderr, "request %lu: %u callbacks, rc %d, reply of %lu\n", (unsigned long)slot->x, slot->cb_nr, rc,
			(unsigned long)out->x);
		abort();
	}
	kind = rc == 0		     ? OK
	       : rc == -DER_TIMEDOUT ? TIMEDOUT
	       : rc == -DER_UNREACH  ? UNREACH
	       : rc == -DER_CANCELED ? CANCELED
	       : rc == -DER_OOG	     ? OOG
				     : OTHER;
	cl->ended[kind]++;
}

static void
slot_send(struct client *cl, struct slot *slot)
{
	crt_endpoint_t   ep = {.ep_rank = rng_next(&cl->rng) % SRV_NR};
	struct chaos_in *in;
	uint64_t         r = rng_next(&cl->rng);

	assert_int_equal(crt_req_create(cl->ctx, &ep, CHAOS_OPC, &slot->rpc), 0);
	slot->x     = r >> 8;
	slot->cb_nr = 0;
	in          = slot->rpc->cr_input;
	in->x       = slot->x;
	if (r % 41 == 0)
		d_iov_set(&in->data, t.large, LARGE_BYTES);
	assert_int_equal(crt_req_set_timeout_ns(slot->rpc, r % 3 == 0 ? 1 + r % (4 * NSEC_PER_MSEC) : 50 * NSEC_PER_MSEC), 0);
	crt_req_addref(slot->rpc);
	assert_int_equal(crt_req_send(slot->rpc, on_end, slot), 0);
	cl->busy_nr++;
	cl->sent_nr++;
	cl->left--;
}

static void
slots_look(struct client *cl)
{
	for (int i = 0; i < WINDOW; i++) {
		struct slot *slot = &cl->slots[i];

		if (slot->rpc != NULL && slot->cb_nr > 0) {
			crt_req_decref(slot->rpc);
			slot->rpc = NULL;
			cl->busy_nr--;
		}
		if (slot->rpc == NULL && cl->left > 0)
			slot_send(cl, slot);
	}
}

static void
disturb(struct client *cl)
{
	uint64_t       r    = rng_next(&cl->rng);
	struct slot   *slot = &cl->slots[r % WINDOW];
	crt_endpoint_t ep   = {.ep_rank = (r >> 8) % SRV_NR};

	if ((r >> 16) % 8 == 0 && slot->rpc != NULL)
		crt_req_abort(slot->rpc);
	if ((r >> 24) % 512 == 0)
		crt_ep_abort(t.cli[(r >> 40) % CLI_NR].crt, &ep); /* perhaps another thread's */
	if ((r >> 24) % 512 == 1)
		crt_rank_abort(t.cli[(r >> 40) % CLI_NR].crt, ep.ep_rank);
}

static void
client_run(void *arg)
{
	struct client *cl = arg;

	while (cl->left > 0 || cl->busy_nr > 0) {
		slots_look(cl);
		disturb(cl);
		(void)crt_progress(cl->ctx, 100);
	}
	t.clients_left--;
}

static void
client_open(struct client *cl, uint64_t nr)
{
	struct crt_attr attr = {.provider = "self", .timeout_s = 1, .ep_credits = 16, .ctx_nr_max = 1, .world = t.world};

	assert_int_equal(crt_init(&attr, &cl->crt), 0);
	assert_int_equal(crt_proto_register(cl->crt, &cli_proto), 0);
	assert_int_equal(crt_context_create(cl->crt, &cl->ctx), 0);
	cl->left = nr;
	for (int i = 0; i < WINDOW; i++)
		cl->slots[i].cl = cl;
}

static uint64_t
env_nr(const char *name, uint64_t deflt)
{
	const char *text = getenv(name);

	return text == NULL ? deflt : strtoull(text, NULL, 0);
}

static void
chaos_run(void **state)
{
	uint64_t            nr   = env_nr("CRT_CHAOS_RPCS", 20000);
	uint64_t            seed = env_nr("CRT_CHAOS_SEED", (uint64_t)time(NULL));
	struct plat_thread *threads[SRV_NR + CLI_NR];
	uint64_t            ended[6] = {0};

	print_message("%lu requests, CRT_CHAOS_SEED=%lu\n", (unsigned long)nr, (unsigned long)seed);
	assert_int_equal(na_self_world_create(&t.world), 0);
	pthread_mutex_init(&t.grp_lock, NULL);
	t.clients_left = CLI_NR;
	for (int i = 0; i < CLI_NR; i++) {
		t.cli[i].rng = seed * 77 + i * 2 + 1;
		client_open(&t.cli[i], nr / CLI_NR);
	}
	for (int i = 0; i < SRV_NR; i++) {
		t.srv[i].rank = i;
		t.srv[i].rng  = seed * 99 + i * 2 + 1;
		pthread_mutex_init(&t.srv[i].lock, NULL);
		server_open(&t.srv[i]);
	}
	for (int i = 0; i < SRV_NR; i++)
		assert_int_equal(plat_thread_create("server", server_run, &t.srv[i], &threads[i]), 0);
	for (int i = 0; i < CLI_NR; i++)
		assert_int_equal(plat_thread_create("client", client_run, &t.cli[i], &threads[SRV_NR + i]), 0);
	for (int i = 0; i < SRV_NR + CLI_NR; i++)
		plat_thread_join(threads[i]);
	for (int i = 0; i < CLI_NR; i++) {
		assert_int_equal(t.cli[i].cb_nr, t.cli[i].sent_nr);
		assert_int_equal(t.cli[i].sent_nr, nr / CLI_NR);
		for (int k = 0; k < 6; k++)
			ended[k] += t.cli[i].ended[k];
		crt_context_destroy(t.cli[i].ctx); /* asserts that nothing is left */
		crt_fini(t.cli[i].crt);
	}
	for (int i = 0; i < SRV_NR; i++)
		server_close(&t.srv[i]);
	na_self_world_destroy(t.world);
	print_message("%lu answered, %lu timed out, %lu unreachable, %lu cancelled, %lu out of group, %lu otherwise; %lu restarts\n",
		      (unsigned long)ended[OK], (unsigned long)ended[TIMEDOUT], (unsigned long)ended[UNREACH],
		      (unsigned long)ended[CANCELED], (unsigned long)ended[OOG], (unsigned long)ended[OTHER],
		      (unsigned long)t.restart_nr);
	assert_true(ended[OK] > 0 && ended[TIMEDOUT] > 0 && ended[CANCELED] > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(chaos_run)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
