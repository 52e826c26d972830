/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fuzz target: what CART decodes from the network. The first byte says what the rest is:
 *   even  a body with a field of every type
 *   odd   a whole message, its magic, version and CRC made right so that it gets past the header,
 *         given to a server's context in a world of its own
 */
#define D_LOGFAC LOG_FAC_TEST
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "fuzz_replay.h"

#define F_MOD     200

#define F_ALL(F)                                                                                   \
	F(uint8_t, a) F(uint16_t, b) F(uint32_t, c) F(uint64_t, d) F(bool, g) F(uuid, h)           \
	F(string, s) F(iov, v) F(ranks, r) F(u64s, q) F(u32s, w) F(crt_bulk_t, bulk) F(string, s2)
#define F_OUT(F) F(uint32_t, x)
CRT_RPC_DECLARE(f_all, F_ALL, F_OUT)
CRT_RPC_DEFINE(f_all, F_ALL, F_OUT)

static volatile uint64_t sink;

/** Everything decoded is read, so that a sanitizer sees what points nowhere. */
static void
touch(const struct f_all_in *in)
{
	uint64_t sum = in->a + in->b + in->c + in->d + in->g + in->h.b[15];

	sum += in->s == NULL ? 0 : strlen(in->s);
	sum += in->s2 == NULL ? 0 : strlen(in->s2);
	for (size_t i = 0; i < in->v.iov_len; i++)
		sum += ((char *)in->v.iov_buf)[i];
	for (uint32_t i = 0; in->r != NULL && i < in->r->rl_nr; i++)
		sum += in->r->rl_ranks[i];
	for (uint32_t i = 0; i < in->q.nr; i++)
		sum += in->q.v[i];
	for (uint32_t i = 0; i < in->w.nr; i++)
		sum += in->w.v[i];
	for (uint32_t i = 0; in->bulk != NULL && i < in->bulk->seg_nr; i++)
		sum += in->bulk->segs[i].bytes;
	sink = sum;
}

/** As text, in as much room as the input says. */
static void
print(struct f_all_in *in, size_t text_bytes)
{
	char           *text = malloc(text_bytes);
	struct crt_proc p    = {.op = CRT_PROC_PRINT, .cur = text, .end = text + text_bytes, .text = text};

	text[0] = '\0';
	f_all_format.print_in(&p, in);
	if (strlen(text) >= text_bytes)
		abort();
	free(text);
}

static void
fuzz_body(const uint8_t *data, size_t bytes)
{
	char           *copy = malloc(bytes + 1);
	struct f_all_in in   = {0};
	struct d_arena  arena;
	struct crt_proc p;

	d_arena_init(&arena);
	memcpy(copy, data, bytes);
	p = (struct crt_proc){CRT_PROC_DECODE, copy, copy + bytes, 0, &arena};
	if (f_all_format.proc_in(&p, &in) == 0) {
		touch(&in);
		print(&in, 8 + (bytes > 0 ? data[bytes - 1] : 0));
	}
	d_arena_fini(&arena);
	free(copy);
}

static void
f_handler(crt_rpc_t *rpc)
{
	touch(rpc->cr_input);
	(void)crt_reply_send(rpc);
}

static const struct crt_proto_rpc f_rpcs[]  = {{&f_all_format, f_handler, 0},
					       {&f_all_format, f_handler, CRT_RPC_NO_REPLY}};
static const struct crt_proto     f_proto   = {"fuzz", F_MOD, 1, ARRAY_NR(f_rpcs), f_rpcs};

struct target {
	struct na_self_world *world;
	struct crt           *crt;
	crt_context_t         ctx;
};

static void
target_start(struct target *t)
{
	struct crt_attr attr = {.provider = "self", .server = true};

	if (na_self_world_create(&t->world) != 0)
		abort();
	attr.world = t->world;
	if (crt_init(&attr, &t->crt) != 0 || crt_proto_register(t->crt, &f_proto) != 0 ||
	    crt_context_create(t->crt, &t->ctx) != 0)
		abort();
}

static void
target_stop(struct target *t)
{
	crt_context_destroy(t->ctx);
	crt_fini(t->crt);
	na_self_world_destroy(t->world);
}

static void
fuzz_message(const uint8_t *data, size_t bytes)
{
	struct crt_hdr_wire hdr = {0};
	struct target       t;
	struct na_msg      *msg;

	target_start(&t);
	msg      = na_msg_get(t.ctx->ep);
	msg->len  = MIN_OF(bytes, (size_t)NA_MSG_BYTES_MAX);
	msg->peer = NA_ADDR_NONE;
	memcpy(msg->data, data, msg->len);
	if (msg->len >= sizeof(hdr)) {
		memcpy(&hdr, msg->data, sizeof(hdr));
		hdr.magic    = CRT_WIRE_MAGIC;
		hdr.version  = CRT_WIRE_VERSION;
		hdr.reserved2 = 0;
		hdr.flags &= CRT_MSG_FLAGS;
		if (hdr.name_bytes <= msg->len - sizeof(hdr))
			crt_msg_seal(t.ctx, &hdr, msg);
	}
	pthread_mutex_lock(&t.ctx->lock);
	crt_msg_recv(t.ctx, msg);
	pthread_mutex_unlock(&t.ctx->lock);
	for (int i = 0; i < 4; i++)
		(void)crt_progress(t.ctx, 0);
	target_stop(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (bytes == 0)
		return 0;
	if (data[0] % 2 == 0)
		fuzz_body(data + 1, bytes - 1);
	else
		fuzz_message(data + 1, bytes - 1);
	return 0;
}

void
fuzz_start(void)
{
	if (d_log_init() != 0 || d_log_setmasks("CRIT") != 0)
		abort();
}
