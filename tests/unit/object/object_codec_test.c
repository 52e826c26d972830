/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Object requests: random ones survive the wire, cut and damaged ones are refused or at least harmless. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/arena.h"
#include "cart/crt_internal.h"
#include "object/obj_rpc.h"

/** xorshift64*: the same on every machine. */
static uint64_t rnd_state = 88172645463325252ULL;

static uint64_t
rnd(void)
{
	rnd_state ^= rnd_state >> 12;
	rnd_state ^= rnd_state << 25;
	rnd_state ^= rnd_state >> 27;
	return rnd_state * 2685821657736338717ULL;
}

static uint64_t
rnd_below(uint64_t n)
{
	return rnd() % n;
}

static size_t
encode(int (*proc)(struct crt_proc *, void *), void *v, char **ret_buf)
{
	struct crt_proc m = {.op = CRT_PROC_MEASURE}, e;
	char           *buf;

	assert_int_equal(proc(&m, v), 0);
	buf = malloc(m.bytes + 1);
	e   = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = buf, .end = buf + m.bytes};
	assert_int_equal(proc(&e, v), 0);
	assert_ptr_equal(e.cur, e.end);
	*ret_buf = buf;
	return m.bytes;
}

static int
decode(int (*proc)(struct crt_proc *, void *), void *v, const char *buf, size_t bytes,
       struct d_arena *arena)
{
	char           *copy = malloc(bytes + 1); /* exact size: reading past the end is caught by ASan */
	struct crt_proc d;
	int             rc;

	free(copy);
	copy = d_arena_alloc(arena, bytes == 0 ? 1 : bytes);
	memcpy(copy, buf, bytes);
	d  = (struct crt_proc){.op = CRT_PROC_DECODE, .cur = copy, .end = copy + bytes, .arena = arena};
	rc = proc(&d, v);
	return rc;
}

static void
fill_random(void *buf, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		((unsigned char *)buf)[i] = (unsigned char)rnd();
}

static d_iov_t
random_iov(struct d_arena *arena, size_t max)
{
	d_iov_t iov;
	size_t  len = rnd_below(max + 1);
	void   *buf = d_arena_alloc(arena, len + 1);

	fill_random(buf, len);
	d_iov_set(&iov, buf, len);
	return iov;
}

static void
random_hdr(struct obj_hdr *h)
{
	fill_random(h, sizeof(*h));
	h->flags &= OBJ_RF_MASK;
	h->conds &= DAOS_COND_MASK;
}

static void
random_iods(struct d_arena *arena, struct obj_iods *a)
{
	a->nr = (uint32_t)rnd_below(9);
	a->v  = d_arena_calloc(arena, a->nr + 1, sizeof(*a->v));
	for (uint32_t i = 0; i < a->nr; i++) {
		daos_iod_t *iod = &a->v[i];

		iod->iod_name  = random_iov(arena, 40);
		iod->iod_type  = rnd() & 1 ? DAOS_IOD_ARRAY : DAOS_IOD_SINGLE;
		iod->iod_size  = rnd();
		iod->iod_flags = rnd();
		iod->iod_nr    = 1;
		if (iod->iod_type != DAOS_IOD_ARRAY)
			continue;
		iod->iod_nr    = (uint32_t)rnd_below(20);
		iod->iod_recxs = d_arena_calloc(arena, iod->iod_nr + 1, sizeof(daos_recx_t));
		fill_random(iod->iod_recxs, iod->iod_nr * sizeof(daos_recx_t));
	}
}

static void
assert_iov_equal(const d_iov_t *a, const d_iov_t *b)
{
	assert_int_equal(a->iov_len, b->iov_len);
	if (a->iov_len > 0)
		assert_memory_equal(a->iov_buf, b->iov_buf, a->iov_len);
}

static void
assert_iods_equal(const struct obj_iods *a, const struct obj_iods *b)
{
	assert_int_equal(a->nr, b->nr);
	for (uint32_t i = 0; i < a->nr; i++) {
		const daos_iod_t *x = &a->v[i], *y = &b->v[i];

		assert_iov_equal(&x->iod_name, &y->iod_name);
		assert_int_equal(x->iod_type, y->iod_type);
		assert_int_equal(x->iod_size, y->iod_size);
		assert_int_equal(x->iod_flags, y->iod_flags);
		assert_int_equal(x->iod_nr, y->iod_nr);
		if (x->iod_type == DAOS_IOD_ARRAY && x->iod_nr > 0)
			assert_memory_equal(x->iod_recxs, y->iod_recxs,
					    x->iod_nr * sizeof(daos_recx_t));
	}
}

static void
random_rw(struct d_arena *arena, struct obj_rw_in *in)
{
	memset(in, 0, sizeof(*in));
	random_hdr(&in->hdr);
	in->dkey = random_iov(arena, 60);
	random_iods(arena, &in->iods);
	in->rooms.nr = (uint32_t)rnd_below(9);
	in->rooms.v  = d_arena_calloc(arena, in->rooms.nr + 1, sizeof(uint64_t));
	fill_random(in->rooms.v, in->rooms.nr * sizeof(uint64_t));
	in->data = random_iov(arena, 300);
}

static void
test_rw_round_trip(void **state)
{
	(void)state;
	for (int n = 0; n < 500; n++) {
		struct d_arena   arena;
		struct obj_rw_in in, back = {0};
		char            *buf;
		size_t           bytes;

		d_arena_init(&arena);
		random_rw(&arena, &in);
		bytes = encode(obj_rw_format.proc_in, &in, &buf);
		assert_int_equal(decode(obj_rw_format.proc_in, &back, buf, bytes, &arena), 0);
		assert_memory_equal(&in.hdr, &back.hdr, sizeof(in.hdr));
		assert_iov_equal(&in.dkey, &back.dkey);
		assert_iods_equal(&in.iods, &back.iods);
		assert_int_equal(in.rooms.nr, back.rooms.nr);
		assert_iov_equal(&in.data, &back.data);
		assert_null(back.bulk);
		free(buf);
		d_arena_fini(&arena);
	}
}

static void
test_rw_cut_anywhere(void **state)
{
	(void)state;
	for (int n = 0; n < 20; n++) {
		struct d_arena   arena;
		struct obj_rw_in in, back;
		char            *buf;
		size_t           bytes;

		d_arena_init(&arena);
		random_rw(&arena, &in);
		bytes = encode(obj_rw_format.proc_in, &in, &buf);
		for (size_t cut = 0; cut < bytes; cut++) {
			memset(&back, 0, sizeof(back));
			assert_int_equal(decode(obj_rw_format.proc_in, &back, buf, cut, &arena),
					 -DER_PROTO);
		}
		free(buf);
		d_arena_fini(&arena);
	}
}

/** Damage random bytes: whatever is still accepted lies within the message and the limits. */
static void
fuzz(const struct crt_req_format *format, const char *buf, size_t bytes, int rounds)
{
	for (int n = 0; n < rounds; n++) {
		struct d_arena arena;
		char          *bad = malloc(bytes + 1), *v = calloc(1, format->in_bytes + format->out_bytes);
		int            hits = 1 + (int)rnd_below(6), rc;

		memcpy(bad, buf, bytes);
		while (hits-- > 0 && bytes > 0)
			bad[rnd_below(bytes)] = rnd() & 1 ? (char)rnd() : (char)0xff;
		d_arena_init(&arena);
		rc = decode(format->proc_in, v, bad, bytes, &arena);
		assert_true(rc == 0 || rc == -DER_PROTO || rc == -DER_NOMEM);
		memset(v, 0, format->out_bytes);
		rc = decode(format->proc_out, v, bad, bytes, &arena);
		assert_true(rc == 0 || rc == -DER_PROTO || rc == -DER_NOMEM);
		d_arena_fini(&arena);
		free(bad);
		free(v);
	}
}

static void
test_rw_fuzz(void **state)
{
	(void)state;
	for (int n = 0; n < 60; n++) {
		struct d_arena   arena;
		struct obj_rw_in in;
		char            *buf;
		size_t           bytes;

		d_arena_init(&arena);
		random_rw(&arena, &in);
		bytes = encode(obj_rw_format.proc_in, &in, &buf);
		fuzz(&obj_rw_format, buf, bytes, 100);
		free(buf);
		d_arena_fini(&arena);
	}
}

static void
test_random_bytes(void **state)
{
	const struct crt_req_format *formats[] = {&obj_rw_format, &obj_punch_format, &obj_enum_format,
						  &obj_query_format};
	char                         buf[600];

	(void)state;
	for (int n = 0; n < 2000; n++) {
		fill_random(buf, sizeof(buf));
		/* small numbers reach further into the decoders */
		for (size_t i = 0; i + 8 <= sizeof(buf); i += 8)
			if (rnd() & 1)
				memset(buf + i + 1, 0, 7);
		fuzz(formats[n % 4], buf, rnd_below(sizeof(buf)), 1);
	}
}

static void
test_enum_round_trip(void **state)
{
	(void)state;
	for (int n = 0; n < 200; n++) {
		struct d_arena      arena;
		struct obj_enum_out out = {0}, back = {0};
		char               *buf;
		size_t              bytes;

		d_arena_init(&arena);
		out.kds.nr = (uint32_t)rnd_below(50);
		out.kds.v  = d_arena_calloc(&arena, 51, sizeof(daos_key_desc_t));
		for (uint32_t i = 0; i < out.kds.nr; i++)
			out.kds.v[i] = (daos_key_desc_t){.kd_key_len = rnd(), .kd_val_type = 2};
		out.keys      = random_iov(&arena, 500);
		out.recxs.nr  = (uint32_t)rnd_below(30);
		out.recxs.v   = d_arena_calloc(&arena, 31, sizeof(daos_recx_t));
		fill_random(out.recxs.v, out.recxs.nr * sizeof(daos_recx_t));
		out.rsize = rnd();
		fill_random(&out.anchor, sizeof(out.anchor));
		out.anchor.da_type = (uint16_t)rnd_below(4);
		bytes              = encode(obj_enum_format.proc_out, &out, &buf);
		assert_int_equal(decode(obj_enum_format.proc_out, &back, buf, bytes, &arena), 0);
		assert_int_equal(back.kds.nr, out.kds.nr);
		for (uint32_t i = 0; i < out.kds.nr; i++)
			assert_int_equal(back.kds.v[i].kd_key_len, out.kds.v[i].kd_key_len);
		assert_iov_equal(&out.keys, &back.keys);
		assert_int_equal(back.recxs.nr, out.recxs.nr);
		assert_memory_equal(&out.anchor, &back.anchor, sizeof(out.anchor));
		assert_int_equal(back.rsize, out.rsize);
		free(buf);
		d_arena_fini(&arena);
	}
}

static void
test_bad_values(void **state)
{
	struct d_arena   arena;
	struct obj_rw_in in = {0}, back = {0};
	char            *buf;
	size_t           bytes;
	const size_t     flags_at = 3 * 16 + 24 + 4;

	(void)state;
	d_arena_init(&arena);
	bytes = encode(obj_rw_format.proc_in, &in, &buf);
	assert_int_equal(decode(obj_rw_format.proc_in, &back, buf, bytes, &arena), 0);
	buf[flags_at + 3] = 1; /* a flag that does not exist */
	assert_int_equal(decode(obj_rw_format.proc_in, &back, buf, bytes, &arena), -DER_PROTO);
	buf[flags_at + 3] = 0;
	buf[flags_at + 5] = 1; /* a condition that does not exist */
	assert_int_equal(decode(obj_rw_format.proc_in, &back, buf, bytes, &arena), -DER_PROTO);
	free(buf);
	d_arena_fini(&arena);
}

static void
test_opcodes_are_public_ones(void **state)
{
	(void)state;
	assert_int_equal(OBJ_OPC_UPDATE, 0);
	assert_int_equal(OBJ_OPC_FETCH, 1);
	assert_int_equal(OBJ_OPC_ENUM_DKEY, 2);
	assert_int_equal(OBJ_OPC_PUNCH, 6);
	assert_int_equal(OBJ_OPC_QUERY_KEY, 9);
	assert_string_equal(obj_opc_name(OBJ_OPC_PUNCH_AKEY), "punch of akeys");
	assert_string_equal(obj_opc_name(77), "unknown request");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rw_round_trip),   cmocka_unit_test(test_rw_cut_anywhere),
	    cmocka_unit_test(test_rw_fuzz),         cmocka_unit_test(test_random_bytes),
	    cmocka_unit_test(test_enum_round_trip), cmocka_unit_test(test_bad_values),
	    cmocka_unit_test(test_opcodes_are_public_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
