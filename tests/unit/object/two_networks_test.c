/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Engines that are reached over two networks: a client on each. What one writes the other reads, values small, inline
 * and by bulk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <daos.h>
#include "object_calls.h"
#include "testcluster.h"

#define VALUE_BYTES_MAX (1u << 20)

static const char *provider = "self";

/** A client on a network, with the container open. */
struct side {
	struct client *cl;
	daos_handle_t  poh, coh;
};

static void
side_open(struct testcluster *tc, struct side *s, uint32_t net)
{
	s->cl = tc_client_start_over(tc, net);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &s->poh, NULL, NULL), 0);
	if (net == 0)
		assert_int_equal(daos_cont_create_with_label(s->poh, "cont", NULL, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(s->poh, "cont", DAOS_COO_RW, &s->coh, NULL, NULL), 0);
}

static void
side_close(struct testcluster *tc, struct side *s)
{
	client_set_current(s->cl);
	assert_int_equal(daos_cont_close(s->coh, NULL), 0);
	assert_int_equal(daos_pool_disconnect(s->poh, NULL), 0);
	tc_client_stop(tc, s->cl);
}

static daos_handle_t
obj_open(struct side *s, uint64_t n, daos_oclass_id_t cid)
{
	daos_obj_id_t oid = {.lo = n};
	daos_handle_t oh;

	client_set_current(s->cl);
	assert_int_equal(daos_obj_generate_oid(s->coh, &oid, DAOS_OT_MULTI_HASHED, cid, 0, 0), 0);
	assert_int_equal(daos_obj_open(s->coh, oid, DAOS_OO_RW, &oh, NULL), 0);
	return oh;
}

static void
write_read(struct side *from, struct side *to, uint64_t n, daos_oclass_id_t cid, size_t bytes)
{
	char         *value = malloc(bytes), *got = calloc(1, bytes);
	daos_handle_t oh    = obj_open(from, n, cid);
	size_t        got_bytes;

	for (size_t i = 0; i < bytes; i++)
		value[i] = (char)(i * 31 + n);
	for (char key[] = "a"; key[0] < 'i'; key[0]++)
		assert_int_equal(oc_put(oh, key, "v", value, bytes, 0), 0);
	assert_int_equal(daos_obj_close(oh, NULL), 0);
	oh = obj_open(to, n, cid);
	for (char key[] = "a"; key[0] < 'i'; key[0]++) {
		memset(got, 0, bytes);
		assert_int_equal(oc_get(oh, key, "v", got, bytes, &got_bytes), 0);
		assert_int_equal(got_bytes, bytes);
		assert_memory_equal(got, value, bytes);
	}
	assert_int_equal(daos_obj_close(oh, NULL), 0);
	free(value);
	free(got);
}

static void
what_one_writes_the_other_reads(void **state)
{
	static const daos_oclass_id_t classes[] = {OC_S1, OC_SX};
	static const size_t           sizes[]   = {1, 4096, 9000, VALUE_BYTES_MAX};
	struct testcluster *tc = tc_start(&(struct tc_opts){.engine_nr = 2, .tgt_nr = 2, .secondary = true, .provider = provider,
							    .interface = strcmp(provider, "self") == 0 ? NULL : "lo"});
	struct side         sides[2];
	uint64_t            n = 1;

	(void)state;
	tc_pool_create(tc, "pool", NULL);
	side_open(tc, &sides[0], 0);
	side_open(tc, &sides[1], 1);
	for (size_t c = 0; c < ARRAY_NR(classes); c++)
		for (size_t i = 0; i < ARRAY_NR(sizes); i++)
			for (int from = 0; from < 2; from++, n++)
				write_read(&sides[from], &sides[!from], n, classes[c], sizes[i]);
	side_close(tc, &sides[1]);
	side_close(tc, &sides[0]);
	tc_stop(tc);
}

/** Of one engine the client knows where it is; that one tells where the other is, in the same network. */
static void
one_engine_tells_of_the_other(void **state)
{
	struct testcluster *tc = tc_start(&(struct tc_opts){.engine_nr = 2, .tgt_nr = 1, .secondary = true, .provider = provider,
							    .interface = strcmp(provider, "self") == 0 ? NULL : "lo"});
	struct client      *cl = tc_client_start_over(tc, 1);
	struct crt         *crt = client_crt(cl);
	struct side         s = {.cl = cl};
	struct crt_member   none;
	char                uri[256];

	(void)state;
	tc_pool_create(tc, "pool", NULL);
	assert_int_equal(engine_uri(tc_engine(tc, 0), 1, uri, sizeof(uri)), 0);
	assert_int_equal(crt_group_set(crt, crt_group_version(crt) + 1, 0, &none), 0);
	assert_int_equal(crt_group_psr_set(crt, 0, uri), 0);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &s.poh, NULL, NULL), 0);
	assert_int_equal(daos_cont_create_with_label(s.poh, "cont", NULL, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(s.poh, "cont", DAOS_COO_RW, &s.coh, NULL, NULL), 0);
	write_read(&s, &s, 1, OC_SX, 100); /* keys on both */
	assert_int_equal(crt_group_size(crt), 0);
	assert_int_equal(engine_uri(tc_engine(tc, 0), 2, uri, sizeof(uri)), -DER_NONEXIST);
	side_close(tc, &s);
	tc_stop(tc);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_one_writes_the_other_reads),
	    cmocka_unit_test(one_engine_tells_of_the_other),
	};

	if (argc > 1)
		provider = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
