/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Framing and the packed envelope: pure functions, no socket. */
#include <daos_errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drpc/drpc.h"
#include "drpc/drpc_frame.h"
#include "drpc/mgmt.pb-c.h"
#include "platform/platform.h"

static void
put(struct drpc_buf *b, const void *data, size_t bytes)
{
	assert_int_equal(drpc_buf_reserve(b, bytes), 0);
	memcpy(b->data + b->len, data, bytes);
	b->len += bytes;
}

static void
put_call(struct drpc_buf *b, int64_t sequence, const void *body, size_t bytes)
{
	Drpc__Call call = DRPC__CALL__INIT;

	call.module = DRPC_MODULE_TEST;
	call.method = 7;
	call.sequence = sequence;
	call.body.data = (uint8_t *)body;
	call.body.len = bytes;
	assert_int_equal(drpc_frame_append(b, &call.base), 0);
}

/** The sequence in the frame that is next, which is consumed. */
static int64_t
take_call(struct drpc_buf *b)
{
	const uint8_t *msg;
	size_t	       bytes;
	Drpc__Call    *call;
	int64_t	       sequence;

	assert_int_equal(drpc_frame_peek(b, &msg, &bytes), 1);
	call = drpc__call__unpack(NULL, bytes, msg);
	assert_non_null(call);
	sequence = call->sequence;
	drpc__call__free_unpacked(call, NULL);
	drpc_frame_consume(b);
	return sequence;
}

static void
empty_buffer_has_no_frame(void **state)
{
	struct drpc_buf b = {0};
	const uint8_t  *msg;
	size_t		bytes;

	assert_int_equal(drpc_frame_peek(&b, &msg, &bytes), 0);
	drpc_buf_compact(&b);
	drpc_buf_fini(&b);
}

static void
every_part_of_a_frame_is_incomplete(void **state)
{
	struct drpc_buf whole = {0};
	char		body[300];
	size_t		n;

	memset(body, 'x', sizeof(body));
	put_call(&whole, 5, body, sizeof(body));
	for (n = 0; n <= whole.len; n++) {
		struct drpc_buf part = {0};
		const uint8_t  *msg;
		size_t		bytes;

		put(&part, whole.data, n);
		assert_int_equal(drpc_frame_peek(&part, &msg, &bytes), n == whole.len);
		if (n == whole.len)
			assert_int_equal(bytes, whole.len - DRPC_HEAD_BYTES);
		drpc_buf_fini(&part);
	}
	drpc_buf_fini(&whole);
}

static void
a_frame_of_no_bytes_is_a_frame(void **state)
{
	struct drpc_buf b = {0};
	const uint8_t  *msg;
	size_t		bytes = 1;
	Drpc__Call     *call;

	put(&b, "\0\0\0\0", 4);
	assert_int_equal(drpc_frame_peek(&b, &msg, &bytes), 1);
	assert_int_equal(bytes, 0);
	call = drpc__call__unpack(NULL, bytes, msg);
	assert_non_null(call);
	assert_int_equal(call->method, 0);
	drpc__call__free_unpacked(call, NULL);
	drpc_frame_consume(&b);
	assert_int_equal(b.pos, b.len);
	drpc_buf_fini(&b);
}

static void
the_length_is_little_endian_and_bounded(void **state)
{
	const struct {
		uint32_t len;
		int	 rc;
	} cases[] = {
	    {0x00000102, 0},
	    {DRPC_FRAME_MAX - DRPC_HEAD_BYTES, 0},
	    {DRPC_FRAME_MAX - DRPC_HEAD_BYTES + 1, -DER_REC2BIG},
	    {0x7fffffff, -DER_REC2BIG},
	    {0x80000000, -DER_REC2BIG},
	    {UINT32_MAX, -DER_REC2BIG},
	};
	size_t i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		uint32_t	len = cases[i].len;
		uint8_t		head[4] = {len, len >> 8, len >> 16, len >> 24};
		struct drpc_buf b = {0};
		const uint8_t  *msg;
		size_t		bytes;

		put(&b, head, sizeof(head));
		assert_int_equal(drpc_frame_peek(&b, &msg, &bytes), cases[i].rc);
		drpc_buf_fini(&b);
	}
}

static void
many_frames_come_out_in_order(void **state)
{
	struct drpc_buf b = {0};
	char		body[4000] = {0};
	int		i, next = 0;

	for (i = 0; i < 200; i++) {
		put_call(&b, i, body, plat_random() % sizeof(body));
		if (plat_random() % 3 == 0)
			assert_int_equal(take_call(&b), next++);
		if (plat_random() % 4 == 0)
			drpc_buf_compact(&b);
	}
	while (next < 200)
		assert_int_equal(take_call(&b), next++);
	assert_int_equal(b.pos, b.len);
	drpc_buf_fini(&b);
}

static void
a_message_too_large_leaves_the_buffer_alone(void **state)
{
	struct drpc_buf b = {0};
	Drpc__Response	resp = DRPC__RESPONSE__INIT;
	uint8_t	       *body = calloc(1, DRPC_BODY_MAX + 8192);
	size_t		len;

	assert_non_null(body);
	put_call(&b, 1, body, 10);
	len = b.len;
	resp.body.data = body;
	resp.body.len = DRPC_BODY_MAX + 8192;
	assert_int_equal(drpc_frame_append(&b, &resp.base), -DER_REC2BIG);
	assert_int_equal(b.len, len);
	resp.body.len = DRPC_BODY_MAX;
	assert_int_equal(drpc_frame_append(&b, &resp.base), 0);
	assert_int_equal(take_call(&b), 1);
	free(body);
	drpc_buf_fini(&b);
}

/** Whatever a peer sends, unpacking it ends in a message or in NULL. */
static void
damaged_messages_unpack_or_fail(void **state)
{
	Mgmt__PoolCreateReq req = MGMT__POOL_CREATE_REQ__INIT;
	uint8_t		    packed[256], bad[256];
	size_t		    bytes, i;
	int		    round;

	req.uuid = "0e0b1b4e-0000-4000-8000-000000000001";
	bytes = mgmt__pool_create_req__pack(&req, packed);
	assert_true(bytes > 10 && bytes < sizeof(packed));
	for (round = 0; round < 20000; round++) {
		size_t		     n = plat_random() % (bytes + 1);
		Mgmt__PoolCreateReq *out;

		memcpy(bad, packed, bytes);
		for (i = 0; i < 1 + plat_random() % 4; i++)
			bad[plat_random() % bytes] = plat_random();
		out = mgmt__pool_create_req__unpack(NULL, n, bad);
		if (out != NULL)
			mgmt__pool_create_req__free_unpacked(out, NULL);
	}
}

static void
methods_have_names_and_numbers_of_their_own(void **state)
{
#define NUMBER(name, nr, req, resp) nr,
	const int numbers[] = {DRPC_METHODS(NUMBER)};
#undef NUMBER
	size_t i, k;

	for (i = 0; i < ARRAY_NR(numbers); i++) {
		assert_string_not_equal(drpc_method_name(numbers[i]), "?");
		for (k = 0; k < i; k++)
			assert_int_not_equal(numbers[i], numbers[k]);
	}
	assert_string_equal(drpc_method_name(207), "MGMT_POOL_CREATE");
	assert_string_equal(drpc_method_name(-1), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_buffer_has_no_frame),
	    cmocka_unit_test(every_part_of_a_frame_is_incomplete),
	    cmocka_unit_test(a_frame_of_no_bytes_is_a_frame),
	    cmocka_unit_test(the_length_is_little_endian_and_bounded),
	    cmocka_unit_test(many_frames_come_out_in_order),
	    cmocka_unit_test(a_message_too_large_leaves_the_buffer_alone),
	    cmocka_unit_test(damaged_messages_unpack_or_fail),
	    cmocka_unit_test(methods_have_names_and_numbers_of_their_own),
	};

	return cmocka_run_group_tests_name("drpc/frame", tests, NULL, NULL);
}
