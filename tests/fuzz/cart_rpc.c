/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fuzz target: CART's own requests. The first byte chooses one (collective, IV, SWIM, self-test, control,
 * ...) or, past them, a message of SWIM's given to the protocol itself; the rest is its body. It goes to
 * a rank of a group of three that watches the group, shares a namespace and serves a collective request.
 */
#define D_LOGFAC LOG_FAC_TEST
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_corpc.h"
#include "cart/crt_internal_proto.h"
#include "cart/crt_iv.h"
#include "cart/crt_swim.h"
#include "fuzz_replay.h"

#define F_MOD 200

#define F_IN(F)  F(uint32_t, x) F(string, s)
#define F_OUT(F) F(uint32_t, x)
CRT_RPC_DECLARE(f_all, F_IN, F_OUT)
CRT_RPC_DEFINE(f_all, F_IN, F_OUT)

static volatile uint64_t sink;

static void
f_handler(crt_rpc_t *rpc)
{
	struct f_all_in *in = rpc->cr_input;

	sink += in->x + (in->s == NULL ? 0 : strlen(in->s)) + crt_corpc_chained(rpc).iov_len;
	(void)crt_reply_send(rpc);
}

static int
f_aggregate(const void *source, void *result, crt_rpc_t *rpc)
{
	((struct f_all_out *)result)->x += ((const struct f_all_out *)source)->x;
	return 0;
}

static const struct crt_corpc_ops f_ops   = {.co_aggregate = f_aggregate};
static const struct crt_proto_rpc f_rpc   = {&f_all_format, f_handler, 0, &f_ops};
static const struct crt_proto     f_proto = {"fuzz", F_MOD, 1, 1, &f_rpc};

/* ---- a namespace whose values are what was sent ---- */

static d_rank_t
iv_hash(struct crt_iv_ns *ns, const d_iov_t *key, void *arg)
{
	return key->iov_len % 3;
}

static int
iv_fetch(struct crt_iv_ns *ns, const d_iov_t *key, struct crt_iv_value *value, void *arg)
{
	if (key->iov_len % 2 == 0)
		return -DER_IVCB_FORWARD;
	memcpy(value->data.iov_buf, key->iov_buf, key->iov_len);
	value->data.iov_len = key->iov_len;
	return 0;
}

static int
iv_update(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg)
{
	for (size_t i = 0; i < value->data.iov_len; i++)
		sink += ((const char *)value->data.iov_buf)[i];
	return iv_hash(ns, key, NULL) == crt_iv_self(ns) ? 0 : -DER_IVCB_FORWARD;
}

static int
iv_refresh(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg)
{
	for (size_t i = 0; value != NULL && i < value->data.iov_len; i++)
		sink += ((const char *)value->data.iov_buf)[i];
	return 0;
}

static const struct crt_iv_class iv_class = {
    .on_hash = iv_hash, .on_fetch = iv_fetch, .on_update = iv_update, .on_refresh = iv_refresh};

/* ---- the world ---- */

static struct {
	struct na_self_world *world;
	struct crt           *crt;
	crt_context_t         ctx;
	struct crt_iv_ns     *ns;
} t;

static void
must(int rc)
{
	if (rc != 0)
		abort();
}

static void
world_open(void)
{
	struct crt_attr       attr  = {.provider = "self", .server = true, .timeout_s = 1, .ctx_nr_max = 2};
	struct crt_iv_ns_attr iv    = {.id = 1, .classes = &iv_class, .class_nr = 1, .tree = {CRT_TREE_KNOMIAL, 2}};
	struct swim_config    quick = {0};
	struct crt_member     m[3]  = {{.rank = 0, .uri = "self://900001"}, {.rank = 2, .uri = "self://900002"}};
	char                  uri[NA_URI_BYTES_MAX];

	must(na_self_world_create(&t.world));
	attr.world = t.world;
	must(crt_init(&attr, &t.crt));
	must(crt_proto_register(t.crt, &f_proto));
	crt_rank_self_set(t.crt, 1);
	must(crt_context_create(t.crt, &t.ctx));
	must(crt_context_uri(t.ctx, uri, sizeof(uri)));
	m[2] = (struct crt_member){.rank = 1, .uri = uri}; /* the others do not exist: what goes there fails */
	must(crt_group_set(t.crt, 1, 3, m));
	must(crt_swim_enable(t.ctx, &quick, NULL, NULL));
	must(crt_iv_ns_create(t.ctx, &iv, &t.ns));
	(void)crt_progress(t.ctx, 0);
}

static void
world_close(void)
{
	crt_iv_ns_destroy(t.ns);
	crt_swim_disable(t.ctx);
	crt_context_destroy(t.ctx);
	crt_fini(t.crt);
	na_self_world_destroy(t.world);
}

static void
message_give(enum crt_internal_rpc id, const uint8_t *body, size_t bytes)
{
	struct na_msg      *msg = na_msg_get(t.ctx->ep);
	size_t              name_bytes;
	const void         *name = na_ep_name(t.ctx->ep, &name_bytes);
	struct crt_hdr_wire hdr  = {.magic      = CRT_WIRE_MAGIC,
				    .version    = CRT_WIRE_VERSION,
				    .kind       = CRT_MSG_REQUEST,
				    .name_bytes = name_bytes,
				    .rpc_id     = 77,
				    .opc        = CRT_INTERNAL_OPC(id),
				    .src_rank   = 0,
				    .dst_rank   = 1,
				    .body_bytes = bytes};

	if (id == CRT_RPC_SWIM)
		hdr.flags = CRT_MSG_NO_REPLY;
	if (msg == NULL || bytes > NA_MSG_BYTES_MAX - sizeof(hdr) - name_bytes)
		abort();
	memcpy(msg->data + sizeof(hdr), name, name_bytes);
	memcpy(msg->data + sizeof(hdr) + name_bytes, body, bytes);
	msg->len  = sizeof(hdr) + name_bytes + bytes;
	msg->peer = NA_ADDR_NONE;
	crt_msg_seal(t.ctx, &hdr, msg);
	pthread_mutex_lock(&t.ctx->lock);
	crt_msg_recv(t.ctx, msg);
	pthread_mutex_unlock(&t.ctx->lock);
}

/* ---- SWIM alone ---- */

static void
swim_send(void *arg, d_rank_t to, const struct swim_msg *msg)
{
	sink += to + msg->update_nr;
}

static void
swim_event(void *arg, d_rank_t rank, enum swim_status status, uint64_t incarnation)
{
	sink += rank + status;
}

static uint64_t
swim_random(void *arg)
{
	return ++*(uint64_t *)arg * 7919;
}

static void
fuzz_swim(const uint8_t *data, size_t bytes)
{
	static const struct swim_ops ops = {swim_send, swim_event, swim_random};
	struct swim_config           config = {0};
	struct swim                 *s;
	struct swim_msg              msg;
	uint64_t                     rng = 1, now = 1;

	must(swim_create(&config, &ops, &rng, 1, 1, now, &s));
	for (d_rank_t r = 0; r < 6; r++)
		must(swim_member_add(s, r, 0, now));
	while (bytes > 0) {
		size_t n = MIN_OF(bytes, sizeof(msg));

		memset(&msg, 0, sizeof(msg));
		memcpy(&msg, data, n);
		now += data[0] * 10000000ULL;
		swim_recv(s, data[0] % 8, &msg, now);
		swim_tick(s, now);
		data += n;
		bytes -= n;
	}
	swim_destroy(s);
}

void
fuzz_start(void)
{
	must(d_log_init());
	must(d_log_setmasks("CRIT"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (bytes == 0 || bytes > 15000)
		return 0;
	if (data[0] % (CRT_RPC_INTERNAL_NR + 1) == CRT_RPC_INTERNAL_NR) {
		fuzz_swim(data + 1, bytes - 1);
		return 0;
	}
	world_open();
	message_give(data[0] % (CRT_RPC_INTERNAL_NR + 1), data + 1, bytes - 1);
	for (int i = 0; i < 8; i++)
		(void)crt_progress(t.ctx, 0);
	world_close();
	return 0;
}
