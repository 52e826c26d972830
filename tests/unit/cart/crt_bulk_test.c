/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Bulk transfers over one provider, named on the command line. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "crt_test_util.h"

/** Scattered memory with a flat view of what it holds. */
struct sg {
	d_iov_t     iovs[12];
	d_sg_list_t sgl;
	size_t      bytes;
};

static void
sg_make(struct sg *sg, uint32_t nr, const size_t *sizes, unsigned seed)
{
	sg->bytes = 0;
	for (uint32_t i = 0; i < nr; i++) {
		char *buf = malloc(sizes[i] + 1);

		for (size_t k = 0; k < sizes[i]; k++)
			buf[k] = (char)((sg->bytes + k) * 11 + seed);
		sg->iovs[i] = (d_iov_t){buf, sizes[i], 0};
		sg->bytes += sizes[i];
	}
	sg->sgl = (d_sg_list_t){.sg_nr = nr, .sg_iovs = sg->iovs};
}

static void
sg_free(struct sg *sg)
{
	for (uint32_t i = 0; i < sg->sgl.sg_nr; i++)
		free(sg->iovs[i].iov_buf);
}

static char *
sg_flat(const struct sg *sg)
{
	char  *flat = malloc(sg->bytes + 1);
	size_t off  = 0;

	for (uint32_t i = 0; i < sg->sgl.sg_nr; i++) {
		memcpy(flat + off, sg->iovs[i].iov_buf, sg->iovs[i].iov_buf_len);
		off += sg->iovs[i].iov_buf_len;
	}
	return flat;
}

/** Ask the server to move bytes between its list and @bulk. Returns start_rc or rc. */
static int
transfer(struct t_world *w, crt_bulk_t bulk, enum crt_bulk_op op, uint64_t off, uint64_t local_off,
	 uint64_t len)
{
	struct t_bulk_in  *in;
	struct t_bulk_out *out;
	struct t_call      c;
	int                rc;

	t_call_init(&c, w->cli.ctx[0], 0, 0, T_OPC(T_BULK));
	in  = c.rpc->cr_input;
	*in = (struct t_bulk_in){op, off, local_off, len, bulk};
	t_call_send(&c);
	t_pump_until(w, &c.done);
	assert_int_equal(c.rc, 0);
	out = c.rpc->cr_output;
	if (bulk != NULL)
		assert_int_equal(out->bulk_len, crt_bulk_len(bulk));
	rc = out->start_rc != 0 ? out->start_rc : out->rc;
	t_call_end(&c);
	return rc;
}

/** One transfer against a flat model: bytes inside moved, bytes outside untouched. */
static void
check(struct t_world *w, struct sg *cli, struct sg *srv, crt_bulk_t bulk, enum crt_bulk_op op,
      uint64_t off, uint64_t local_off, uint64_t len)
{
	char *c0 = sg_flat(cli), *s0 = sg_flat(srv), *c1, *s1;

	assert_int_equal(transfer(w, bulk, op, off, local_off, len), 0);
	c1 = sg_flat(cli);
	s1 = sg_flat(srv);
	if (op == CRT_BULK_PUT)
		memcpy(c0 + off, s0 + local_off, len);
	else
		memcpy(s0 + local_off, c0 + off, len);
	assert_memory_equal(c0, c1, cli->bytes);
	assert_memory_equal(s0, s1, srv->bytes);
	free(c0);
	free(s0);
	free(c1);
	free(s1);
}

static void
scattered(void **state)
{
	static const size_t cs[] = {1000, 0, 1, 70000, 4096, 3000000};
	static const size_t ss[] = {65536, 7, 2000000, 0, 500000, 600000};
	struct t_world      w;
	struct sg           cli, srv;
	crt_bulk_t          bulk;
	unsigned            seed = 12345;

	t_world_start(&w, 1, 1, 0);
	sg_make(&cli, ARRAY_NR(cs), cs, 1);
	sg_make(&srv, ARRAY_NR(ss), ss, 77);
	w.srv[0].srv[0].local = &srv.sgl;
	assert_int_equal(crt_bulk_create(w.cli.ctx[0], &cli.sgl, CRT_BULK_RW, &bulk), 0);
	assert_int_equal(crt_bulk_len(bulk), cli.bytes);
	check(&w, &cli, &srv, bulk, CRT_BULK_GET, 0, 0, cli.bytes);
	check(&w, &cli, &srv, bulk, CRT_BULK_PUT, 0, 0, 0);
	check(&w, &cli, &srv, bulk, CRT_BULK_PUT, cli.bytes, srv.bytes, 0);
	for (int i = 0; i < 40; i++) {
		uint64_t len = rand_r(&seed) % (i < 20 ? 5000 : cli.bytes);

		check(&w, &cli, &srv, bulk, i % 2 ? CRT_BULK_PUT : CRT_BULK_GET,
		      rand_r(&seed) % (cli.bytes - len + 1), rand_r(&seed) % (srv.bytes - len + 1),
		      len);
	}
	crt_bulk_free(bulk);
	sg_free(&cli);
	sg_free(&srv);
	t_world_stop(&w);
}

static void
out_of_range(void **state)
{
	static const size_t sizes[] = {1000, 1000};
	struct t_world      w;
	struct sg           cli, srv;
	crt_bulk_t          bulk;

	t_world_start(&w, 1, 1, 0);
	sg_make(&cli, 2, sizes, 1);
	sg_make(&srv, 2, sizes, 9);
	w.srv[0].srv[0].local = &srv.sgl;
	assert_int_equal(crt_bulk_create(w.cli.ctx[0], &cli.sgl, CRT_BULK_RW, &bulk), 0);
	for (int op = CRT_BULK_PUT; op <= CRT_BULK_GET; op++) {
		assert_int_equal(transfer(&w, bulk, op, 0, 0, 2001), -DER_OVERFLOW);
		assert_int_equal(transfer(&w, bulk, op, 1, 0, 2000), -DER_OVERFLOW);
		assert_int_equal(transfer(&w, bulk, op, 0, 1, 2000), -DER_OVERFLOW);
		assert_int_equal(transfer(&w, bulk, op, 2001, 0, 0), -DER_OVERFLOW);
		assert_int_equal(transfer(&w, bulk, op, UINT64_MAX, 0, 2), -DER_OVERFLOW);
		assert_int_equal(transfer(&w, bulk, op, 0, UINT64_MAX, 2), -DER_OVERFLOW);
		assert_int_equal(transfer(&w, bulk, op, 10, 10, UINT64_MAX - 5), -DER_OVERFLOW);
		assert_int_equal(transfer(&w, bulk, op, 0, 0, 2000), 0);
	}
	assert_int_equal(transfer(&w, NULL, CRT_BULK_GET, 0, 0, 1), -DER_INVAL);
	crt_bulk_free(bulk);
	crt_bulk_free(NULL);
	sg_free(&cli);
	sg_free(&srv);
	t_world_stop(&w);
}

static void
permissions(void **state)
{
	static const size_t sizes[] = {1000};
	struct t_world      w;
	struct sg           cli, srv;
	crt_bulk_t          ro, wo;

	t_world_start(&w, 1, 1, 0);
	sg_make(&cli, 1, sizes, 1);
	sg_make(&srv, 1, sizes, 9);
	w.srv[0].srv[0].local = &srv.sgl;
	assert_int_equal(crt_bulk_create(w.cli.ctx[0], &cli.sgl, CRT_BULK_RO, &ro), 0);
	assert_int_equal(crt_bulk_create(w.cli.ctx[0], &cli.sgl, CRT_BULK_WO, &wo), 0);
	assert_int_equal(transfer(&w, ro, CRT_BULK_PUT, 0, 0, 10), -DER_NO_PERM);
	assert_int_equal(transfer(&w, wo, CRT_BULK_GET, 0, 0, 10), -DER_NO_PERM);
	check(&w, &cli, &srv, ro, CRT_BULK_GET, 0, 0, 1000);
	check(&w, &cli, &srv, wo, CRT_BULK_PUT, 5, 0, 900);
	crt_bulk_free(ro);
	crt_bulk_free(wo);
	sg_free(&cli);
	sg_free(&srv);
	t_world_stop(&w);
}

/** A NULL buffer in the local list: its bytes are skipped on the other side. */
static void
holes(void **state)
{
	static const size_t sizes[] = {500, 300, 200};
	struct t_world      w;
	struct sg           cli, srv;
	crt_bulk_t          bulk;
	char               *before, *after, *srv_flat;
	void               *hole;

	t_world_start(&w, 1, 1, 0);
	sg_make(&cli, 3, sizes, 1);
	sg_make(&srv, 3, sizes, 50);
	before   = sg_flat(&cli);
	srv_flat = sg_flat(&srv);
	hole     = srv.iovs[1].iov_buf;
	srv.iovs[1].iov_buf   = NULL;
	w.srv[0].srv[0].local = &srv.sgl;
	assert_int_equal(crt_bulk_create(w.cli.ctx[0], &cli.sgl, CRT_BULK_RW, &bulk), 0);
	assert_int_equal(transfer(&w, bulk, CRT_BULK_PUT, 0, 0, 1000), 0);
	after = sg_flat(&cli);
	assert_memory_equal(after, srv_flat, 500);
	assert_memory_equal(after + 500, before + 500, 300);
	assert_memory_equal(after + 800, srv_flat + 800, 200);
	srv.iovs[1].iov_buf = hole;
	crt_bulk_free(bulk);
	free(before);
	free(after);
	free(srv_flat);
	sg_free(&cli);
	sg_free(&srv);
	t_world_stop(&w);
}

/** More segments than a message can carry: the handle itself travels by RMA. */
static void
many_segments(void **state)
{
	enum { NR = 3000, BYTES = 100 };
	char               *cbuf = malloc(NR * BYTES), *sbuf = malloc(NR * BYTES);
	d_iov_t            *iovs = calloc(NR, sizeof(*iovs));
	d_iov_t             one  = {sbuf, NR * BYTES, 0};
	d_sg_list_t         csgl = {.sg_nr = NR, .sg_iovs = iovs};
	d_sg_list_t         ssgl = {.sg_nr = 1, .sg_iovs = &one};
	struct t_world      w;
	crt_bulk_t          bulk;

	for (int i = 0; i < NR * BYTES; i++)
		cbuf[i] = (char)(i % 251);
	for (int i = 0; i < NR; i++)
		iovs[i] = (d_iov_t){cbuf + (NR - 1 - i) * BYTES, BYTES, 0};
	t_world_start(&w, 1, 1, 0);
	w.srv[0].srv[0].local = &ssgl;
	assert_int_equal(crt_bulk_create(w.cli.ctx[0], &csgl, CRT_BULK_RO, &bulk), 0);
	assert_int_equal(transfer(&w, bulk, CRT_BULK_GET, 0, 0, NR * BYTES), 0);
	for (int i = 0; i < NR; i++)
		assert_memory_equal(sbuf + i * BYTES, cbuf + (NR - 1 - i) * BYTES, BYTES);
	crt_bulk_free(bulk);
	t_world_stop(&w);
	free(iovs);
	free(cbuf);
	free(sbuf);
}

/** The client dies between its request and the server's transfer: an error, not a hang. */
static void
client_gone(void **state)
{
	enum { BYTES = 8 << 20 };
	struct t_world       w;
	struct t_call        c;
	struct t_bulk_in    *in;
	char                *cbuf = malloc(BYTES), *sbuf = malloc(BYTES);
	d_iov_t              ci = {cbuf, BYTES, 0}, si = {sbuf, BYTES, 0};
	d_sg_list_t          cs = {.sg_nr = 1, .sg_iovs = &ci}, ss = {.sg_nr = 1, .sg_iovs = &si};
	crt_bulk_t           bulk;

	t_world_start(&w, 1, 1, 0);
	w.srv[0].srv[0].local = &ss;
	assert_int_equal(crt_bulk_create(w.cli.ctx[0], &cs, CRT_BULK_RO, &bulk), 0);
	t_call_init(&c, w.cli.ctx[0], 0, 0, T_OPC(T_BULK));
	in  = c.rpc->cr_input;
	*in = (struct t_bulk_in){.op = CRT_BULK_GET, .len = BYTES, .bulk = bulk};
	t_call_send(&c);
	while (w.srv[0].srv[0].bulk_nr == 0)
		t_pump(&w);
	crt_bulk_free(bulk);
	t_call_end(&c);
	t_node_stop(&w.cli);
	assert_int_equal(c.rc, -DER_CANCELED);
	t_pump_until(&w, &w.srv[0].srv[0].bulk_done_nr);
	t_world_stop(&w);
	free(cbuf);
	free(sbuf);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(scattered),     cmocka_unit_test(out_of_range),
		cmocka_unit_test(permissions),   cmocka_unit_test(holes),
		cmocka_unit_test(many_segments), cmocka_unit_test(client_gone),
	};
	int rc;

	if (argc > 1)
		t_provider = argv[1];
	if (d_log_init() != 0)
		return 1;
	rc = cmocka_run_group_tests_name(t_provider, tests, NULL, NULL);
	d_log_fini();
	return rc;
}
