/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Codecs: what is encoded is decoded; what is malformed is refused, whatever it is. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "crt_test_util.h"

#define P_ALL(F)                                                                                   \
	F(uint8_t, a) F(uint16_t, b) F(uint32_t, c) F(uint64_t, d) F(int32_t, e) F(int64_t, f)     \
	F(bool, g) F(uuid, h) F(string, s) F(string, null) F(iov, v) F(ranks, r) F(ranks, no_r)    \
	F(u64s, q) F(u32s, w) F(crt_bulk_t, bulk) F(crt_bulk_t, no_bulk)
#define P_NONE(F) F(uint8_t, x)
CRT_RPC_DECLARE(p_all, P_ALL, P_NONE)
CRT_RPC_DEFINE(p_all, P_ALL, P_NONE)

static uint64_t            q[]   = {5, 6, UINT64_MAX};
static uint32_t            w[]   = {1, 2};
static d_rank_t            rk[]  = {3, 1, 4, 1};
static d_rank_list_t       ranks = {rk, 4};
static struct crt_bulk_seg segs[2] = {{{100, 7}, 4096}, {{200, 8}, 1}};
static struct crt_bulk     bulk  = {.perm = CRT_BULK_RO, .bytes = 4097, .seg_nr = 2, .segs = segs};

static void
sample(struct p_all_in *in)
{
	memset(in, 0, sizeof(*in));
	in->a = 1;
	in->b = 0x1234;
	in->c = 0xdeadbeef;
	in->d = UINT64_MAX - 1;
	in->e = -5;
	in->f = INT64_MIN;
	in->g = true;
	memset(in->h.b, 0x5a, 16);
	in->s = "a string";
	d_iov_set(&in->v, "\0binary\xff", 8);
	in->r = &ranks;
	in->q = (struct crt_u64_array){3, q};
	in->w = (struct crt_u32_array){2, w};
	in->bulk = &bulk;
}

static size_t
encode(char *buf, size_t bytes)
{
	struct p_all_in in;
	struct crt_proc m = {.op = CRT_PROC_MEASURE};
	struct crt_proc e = {.op = CRT_PROC_ENCODE, .cur = buf, .end = buf + bytes};

	sample(&in);
	assert_int_equal(p_all_format.proc_in(&m, &in), 0);
	assert_int_equal(p_all_format.proc_in(&e, &in), 0);
	assert_int_equal(e.cur - buf, m.bytes);
	return m.bytes;
}

#define P_TAIL(F) F(uint32_t, x) F(iov, first) F(iov, last)
CRT_RPC_DECLARE(p_tail, P_TAIL, P_NONE)
CRT_RPC_DEFINE(p_tail, P_TAIL, P_NONE)

/** A large value may be left where it is, but only the last one, and only where there would be room. */
static void
late_value(void **state)
{
	static char      value[2048];
	struct p_tail_in in = {.x = 5, .first = {value, sizeof(value), 1500}, .last = {value, sizeof(value), 1400}};
	char             buf[4 + 8 + 1500 + 8 + 1400], plain[sizeof(buf)];
	struct crt_proc  e;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = i * 7;
	e = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = plain, .end = plain + sizeof(plain)};
	assert_int_equal(p_tail_format.proc_in(&e, &in), 0);
	assert_ptr_equal(e.cur, plain + sizeof(plain));
	e = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = buf, .end = buf + sizeof(buf), .may_late = true};
	assert_int_equal(p_tail_format.proc_in(&e, &in), 0);
	assert_int_equal(e.late.iov_len, 1400);
	assert_ptr_equal(e.late.iov_buf, value);
	assert_ptr_equal(e.cur + 1400, buf + sizeof(buf));
	memcpy(e.cur, e.late.iov_buf, e.late.iov_len);
	assert_memory_equal(buf, plain, sizeof(buf));
	e = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = buf, .end = buf + sizeof(buf) - 1, .may_late = true};
	assert_int_equal(p_tail_format.proc_in(&e, &in), -DER_TRUNC);
	in.last.iov_len = 8; /* small: not worth it, and the one before is written now */
	e = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = buf, .end = buf + sizeof(buf), .may_late = true};
	assert_int_equal(p_tail_format.proc_in(&e, &in), 0);
	assert_int_equal(e.late.iov_len, 0);
	assert_ptr_equal(e.cur, buf + 4 + 8 + 1500 + 8 + 8);
	assert_memory_equal(buf, plain, 4 + 8 + 1500);
}

/** In memory of exactly that size, so that a sanitizer sees a byte too many. */
static int
decode(const char *buf, size_t bytes, void (*look)(struct p_all_in *in))
{
	char           *copy = malloc(bytes);
	struct d_arena  arena;
	struct crt_proc p;
	struct p_all_in in = {0};
	int             rc;

	d_arena_init(&arena);
	memcpy(copy, buf, bytes);
	p  = (struct crt_proc){CRT_PROC_DECODE, copy, copy + bytes, 0, &arena};
	rc = p_all_format.proc_in(&p, &in);
	if (rc == 0) {
		assert_true(p.cur <= p.end);
		look(&in);
	}
	d_arena_fini(&arena);
	free(copy);
	return rc;
}

static void
look_equal(struct p_all_in *in)
{
	struct p_all_in s;

	sample(&s);
	assert_int_equal(in->a, s.a);
	assert_int_equal(in->b, s.b);
	assert_int_equal(in->c, s.c);
	assert_true(in->d == s.d && in->e == s.e && in->f == s.f && in->g);
	assert_memory_equal(in->h.b, s.h.b, 16);
	assert_string_equal(in->s, s.s);
	assert_null(in->null);
	assert_null(in->no_r);
	assert_null(in->no_bulk);
	assert_int_equal(in->v.iov_len, 8);
	assert_memory_equal(in->v.iov_buf, s.v.iov_buf, 8);
	assert_int_equal(in->r->rl_nr, 4);
	assert_memory_equal(in->r->rl_ranks, rk, sizeof(rk));
	assert_int_equal(in->q.nr, 3);
	assert_memory_equal(in->q.v, q, sizeof(q));
	assert_int_equal(in->w.nr, 2);
	assert_memory_equal(in->w.v, w, sizeof(w));
	assert_int_equal(crt_bulk_len(in->bulk), 4097);
	assert_int_equal(in->bulk->perm, CRT_BULK_RO);
	assert_memory_equal(in->bulk->segs, segs, sizeof(segs));
}

static volatile uint64_t sink;

/** Touch everything that was decoded. */
static void
look_any(struct p_all_in *in)
{
	uint64_t sum = 0;

	sum += in->s != NULL ? strlen(in->s) : 0;
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

static void
round_trip(void **state)
{
	char   buf[1024];
	size_t bytes = encode(buf, sizeof(buf));

	assert_int_equal(decode(buf, bytes, look_equal), 0);
}

static void
encode_needs_room(void **state)
{
	char            buf[1024];
	size_t          bytes = encode(buf, sizeof(buf));
	struct p_all_in in;

	sample(&in);
	for (size_t n = 0; n < bytes; n++) {
		struct crt_proc p = {.op = CRT_PROC_ENCODE, .cur = buf, .end = buf + n};

		assert_int_equal(p_all_format.proc_in(&p, &in), -DER_TRUNC);
		assert_true(p.cur <= p.end);
	}
}

static void
every_prefix_is_refused(void **state)
{
	char   buf[1024];
	size_t bytes = encode(buf, sizeof(buf));

	for (size_t n = 0; n < bytes; n++)
		assert_int_equal(decode(buf, n, look_any), -DER_PROTO);
}

static void
every_bit_flipped(void **state)
{
	char   buf[1024];
	size_t bytes = encode(buf, sizeof(buf));

	for (size_t bit = 0; bit < bytes * 8; bit++) {
		int rc;

		buf[bit / 8] ^= 1 << bit % 8;
		rc = decode(buf, bytes, look_any);
		assert_true(rc == 0 || rc == -DER_PROTO || rc == -DER_NOMEM);
		for (size_t n = 0; n < bytes; n += 7)
			(void)decode(buf, n, look_any);
		buf[bit / 8] ^= 1 << bit % 8;
	}
}

static void
random_bytes(void **state)
{
	char     buf[300];
	unsigned seed = 42;

	for (int i = 0; i < 20000; i++) {
		size_t n = rand_r(&seed) % sizeof(buf);

		for (size_t k = 0; k < n; k++)
			buf[k] = (char)(rand_r(&seed) % 4 ? rand_r(&seed) % 3 : rand_r(&seed));
		(void)decode(buf, n, look_any);
	}
}

static void
limits_of_encoding(void **state)
{
	struct crt_proc      p   = {.op = CRT_PROC_MEASURE};
	struct crt_u64_array too = {CRT_ARRAY_NR_MAX + 1, NULL};

	assert_int_equal(crt_proc_u64s(&p, &too), -DER_OVERFLOW);
	assert_int_equal(crt_proc_left(&p), 0);
	assert_int_equal(crt_proc_op(&p), CRT_PROC_MEASURE);
}

/* ---- messages ---- */

/** A peer that sends whatever it likes. */
struct rogue {
	struct na    *na;
	struct na_ep *ep;
	na_addr_t     to;
	int           replies;
	int           status;
};

static void
rogue_recv(void *arg, struct na_msg *msg)
{
	struct rogue       *r   = arg;
	struct crt_hdr_wire hdr;

	memcpy(&hdr, msg->data, sizeof(hdr));
	r->replies++;
	r->status = hdr.status;
	na_msg_put(r->ep, msg);
}

static void
rogue_failed(void *arg, const struct na_msg *msg, na_addr_t to, int rc)
{
	fail_msg("not delivered");
}

static void
rogue_start(struct rogue *r, struct t_world *wd)
{
	struct na_attr    attr = {.provider = "self", .world = wd->self};
	struct na_ep_attr ep   = {.recv = rogue_recv, .send_failed = rogue_failed, .arg = r};
	char              uri[NA_URI_BYTES_MAX];

	memset(r, 0, sizeof(*r));
	assert_int_equal(na_open(&attr, &r->na), 0);
	assert_int_equal(na_ep_open(r->na, &ep, &r->ep), 0);
	assert_int_equal(crt_context_uri(wd->srv[0].ctx[0], uri, sizeof(uri)), 0);
	assert_int_equal(na_addr_insert(r->ep, uri, &r->to), 0);
}

static void
rogue_stop(struct rogue *r)
{
	na_ep_close(r->ep);
	na_close(r->na);
}

/** A valid request with an echo body, before sealing. */
static uint32_t
rogue_request(struct rogue *r, char *buf, struct crt_hdr_wire *hdr)
{
	size_t            name_bytes;
	const void       *name = na_ep_name(r->ep, &name_bytes);
	struct t_echo_in  in   = {.x = 1, .s = "s"};
	struct crt_proc   p;

	*hdr = (struct crt_hdr_wire){.magic = CRT_WIRE_MAGIC, .version = CRT_WIRE_VERSION,
				     .kind = CRT_MSG_REQUEST, .name_bytes = name_bytes,
				     .rpc_id = 99, .opc = T_OPC(T_ECHO), .src_rank = CRT_NO_RANK};
	memcpy(buf + sizeof(*hdr), name, name_bytes);
	p = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = buf + sizeof(*hdr) + name_bytes,
			      .end = buf + NA_MSG_BYTES_MAX};
	assert_int_equal(t_echo_format.proc_in(&p, &in), 0);
	hdr->body_bytes = p.cur - (buf + sizeof(*hdr) + name_bytes);
	return p.cur - buf;
}

static void
rogue_send(struct rogue *r, struct t_world *wd, const char *buf, uint32_t len)
{
	struct na_msg *m = na_msg_get(r->ep);

	memcpy(m->data, buf, len);
	m->len = len;
	na_msg_send(r->ep, r->to, m);
	for (int i = 0; i < 5; i++) {
		t_pump(wd);
		assert_true(na_ep_progress(r->ep, 8) >= 0);
	}
}

static void
rogue_seal_send(struct rogue *r, struct t_world *wd, char *buf, const struct crt_hdr_wire *hdr,
		uint32_t len)
{
	struct na_msg m = {.data = buf};

	crt_msg_seal(wd->srv[0].ctx[0], hdr, &m);
	rogue_send(r, wd, buf, len);
}

static uint64_t
malformed(struct t_world *wd)
{
	struct crt_stats st;

	crt_context_stats(wd->srv[0].ctx[0], &st);
	return st.malformed;
}

/** Damage in the header drops the message and is counted. */
static void
damaged_header(void **state)
{
	struct t_world      wd;
	struct rogue        r;
	struct crt_hdr_wire hdr;
	char               *buf = calloc(1, NA_MSG_BYTES_MAX);
	uint32_t            len;

	t_provider = "self";
	t_world_start(&wd, 1, 1, 0);
	rogue_start(&r, &wd);
	len = rogue_request(&r, buf, &hdr);
	rogue_seal_send(&r, &wd, buf, &hdr, len);
	assert_int_equal(r.replies, 1);
	assert_int_equal(r.status, 0);
	for (uint32_t n = 0; n < len; n++)
		rogue_send(&r, &wd, buf, n);
	assert_int_equal(r.replies, 1);
	assert_int_equal(malformed(&wd), len);
	for (size_t bit = 0; bit < (sizeof(hdr) + 8) * 8; bit++) {
		buf[bit / 8] ^= 1 << bit % 8;
		rogue_send(&r, &wd, buf, len);
		buf[bit / 8] ^= 1 << bit % 8;
	}
	assert_int_equal(r.replies, 1);
	assert_int_equal(malformed(&wd), len + (sizeof(hdr) + 8) * 8);
	rogue_send(&r, &wd, buf, len);
	assert_int_equal(r.replies, 2);
	rogue_stop(&r);
	t_world_stop(&wd);
	free(buf);
}

/** Damage in the body is answered with an error; wild headers with a good CRC do no harm. */
static void
damaged_body(void **state)
{
	struct t_world      wd;
	struct rogue        r;
	struct crt_hdr_wire hdr, wild;
	char               *buf  = calloc(1, NA_MSG_BYTES_MAX);
	unsigned            seed = 7;
	uint32_t            len;

	t_world_start(&wd, 1, 1, 0);
	rogue_start(&r, &wd);
	len = rogue_request(&r, buf, &hdr);
	hdr.body_bytes--;
	rogue_seal_send(&r, &wd, buf, &hdr, len - 1);
	assert_int_equal(r.replies, 1);
	assert_int_equal(r.status, -DER_PROTO);
	assert_int_equal(malformed(&wd), 1);
	hdr.body_bytes += 3; /* trailing bytes */
	rogue_seal_send(&r, &wd, buf, &hdr, len + 2);
	assert_int_equal(r.status, -DER_PROTO);
	for (int i = 0; i < 20000; i++) {
		wild = hdr;
		wild.body_bytes = len - sizeof(hdr) - hdr.name_bytes;
		if (rand_r(&seed) % 2)
			wild.body_bytes = rand_r(&seed);
		wild.flags  = rand_r(&seed) % 4;
		wild.kind   = rand_r(&seed) % 5;
		wild.rpc_id = (uint64_t)(rand_r(&seed) % 3) << 32 | rand_r(&seed) % 70;
		wild.reply_id = (uint64_t)(rand_r(&seed) % 3) << 32 | rand_r(&seed) % 70;
		wild.hlc    = (uint64_t)rand_r(&seed) << 33;
		((char *)&wild)[rand_r(&seed) % sizeof(wild)] ^= rand_r(&seed);
		rogue_seal_send(&r, &wd, buf, &wild,
				rand_r(&seed) % 2 ? len : sizeof(hdr) + 8 + 16);
	}
	hdr.body_bytes = len - sizeof(hdr) - hdr.name_bytes;
	rogue_seal_send(&r, &wd, buf, &hdr, len);
	assert_int_equal(r.status, 0);
	rogue_stop(&r);
	t_world_stop(&wd);
	free(buf);
}

/* ---- printing ---- */

static const char *
print(struct p_all_in *in, char *buf, size_t bytes)
{
	struct crt_proc p = {.op = CRT_PROC_PRINT, .cur = buf, .end = buf + bytes, .text = buf};

	buf[0] = '\0';
	p_all_format.print_in(&p, in);
	return buf;
}

static void
test_print(void **state)
{
	struct p_all_in in;
	char            buf[512];

	sample(&in);
	assert_string_equal(print(&in, buf, sizeof(buf)),
			    "a=1 b=4660 c=3735928559 d=18446744073709551614 e=-5 f=-9223372036854775808 g=true "
			    "h=5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a s='a string' null=NULL v=<8 B> r=4:3,1,4,1 "
			    "no_r=NULL q=3:5,6,18446744073709551615 w=2:1,2 bulk=bulk(ro 4097 B in 2) no_bulk=NULL");
}

/** Whatever room there is: it ends in it, and says that it ends early. */
static void
test_print_cut(void **state)
{
	struct p_all_in in;
	char            all[512], buf[513];

	sample(&in);
	print(&in, all, sizeof(all));
	for (size_t bytes = 8; bytes < strlen(all) + 1; bytes++) {
		memset(buf, 'x', sizeof(buf));
		print(&in, buf, bytes);
		assert_true(strlen(buf) < bytes);
		assert_int_equal(buf[bytes], 'x');
		assert_string_equal(buf + strlen(buf) - 3, "...");
	}
	assert_string_equal(print(&in, buf, strlen(all) + 1), all);
}

static void
test_print_strange(void **state)
{
	struct p_all_in in = {0};
	uint64_t        many[20] = {0};
	char            buf[1024], longer[200];

	memset(longer, 'l', sizeof(longer) - 1);
	longer[199] = '\0';
	in.s = longer;
	in.null = "line\nbreak\x1b[31m"; /* what would write on the terminal */
	in.q = (struct crt_u64_array){20, many};
	print(&in, buf, sizeof(buf));
	assert_non_null(strstr(buf, "llll'... "));
	assert_non_null(strstr(buf, "null='line?break?[31m' "));
	assert_non_null(strstr(buf, "q=20:0,0,0,0,0,0,0,0,... "));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print), cmocka_unit_test(test_print_cut), cmocka_unit_test(test_print_strange),
		cmocka_unit_test(round_trip), cmocka_unit_test(late_value),
		cmocka_unit_test(encode_needs_room),
		cmocka_unit_test(every_prefix_is_refused),
		cmocka_unit_test(every_bit_flipped),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(limits_of_encoding),
		cmocka_unit_test(damaged_header),
		cmocka_unit_test(damaged_body),
	};
	int rc;

	if (d_log_init() != 0 || d_log_setmasks("CRIT") != 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	d_log_fini();
	return rc;
}
