/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Not a test: the life of three requests (a small one, one with a large body and reply, one that nobody
 * answers) for D_LOG_MASK to show. docs/life-of-an-rpc.md.
 *     D_LOG_MASK=ERR,rpc=DEBUG crt_trace
 */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/log.h"
#include "crt_test_util.h"
#include "platform/platform.h"

static void
trace(struct t_world *w, const char *title, uint32_t opc, size_t bytes, uint64_t timeout_ns)
{
	struct t_call c;
	char         *buf = calloc(1, bytes + 1);

	fprintf(stderr, "---- %s\n", title);
	t_call_init(&c, w->cli.ctx[0], 0, 1, opc);
	if (opc == T_OPC(T_ECHO))
		d_iov_set(&((struct t_echo_in *)c.rpc->cr_input)->data, buf, bytes);
	assert_int_equal(crt_req_set_timeout_ns(c.rpc, timeout_ns), 0);
	t_call_send(&c);
	t_pump_until(w, &c.done);
	t_call_end(&c);
	free(buf);
}

int
main(int argc, char **argv)
{
	struct t_world w;

	if (argc > 1)
		t_provider = argv[1];
	if (d_log_init() != 0)
		return 1;
	t_world_start(&w, 1, 2, 0);
	trace(&w, "64 bytes to tag 1: its address is asked of tag 0 first", T_OPC(T_ECHO), 64, 20 * NSEC_PER_SEC);
	trace(&w, "the same once more", T_OPC(T_ECHO), 64, 20 * NSEC_PER_SEC);
	trace(&w, "a megabyte: bodies are read by RMA", T_OPC(T_ECHO), 1 << 20, 20 * NSEC_PER_SEC);
	trace(&w, "nobody answers", T_OPC(T_HANG), 0, 50 * NSEC_PER_MSEC);
	t_world_stop(&w);
	d_log_fini();
	return 0;
}
