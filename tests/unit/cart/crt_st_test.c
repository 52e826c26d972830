/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Self-test and control, within one process. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/crt_ctl.h"
#include "cart/crt_selftest.h"
#include "crt_many_util.h"

struct outcome {
	_Atomic int done;
	int         rc;
	uint32_t    rep_nr, fail_nr, ok_nr, ep_nr[4];
	int32_t     first_error;
};

static void
on_result(void *arg, int rc, const struct crt_st_result *r)
{
	struct outcome *o = arg;

	o->rc = rc;
	for (uint32_t i = 0; r != NULL && i < r->rep_nr; i++) {
		o->ok_nr += r->latency_ns[i] > 0;
		o->ep_nr[r->ep_idx[i]]++;
		assert_true(r->latency_ns[i] <= r->duration_ns);
	}
	if (r != NULL) {
		o->rep_nr      = r->rep_nr;
		o->fail_nr     = r->fail_nr;
		o->first_error = r->first_error;
		assert_true(r->duration_ns > 0);
	}
	o->done++;
}

static struct outcome
run(struct many *m, const crt_endpoint_t *master, const struct crt_st_params *p)
{
	struct outcome o = {0};

	if (master != NULL)
		assert_int_equal(crt_st_run_at(m->ctx[0], master, p, on_result, &o), 0);
	else
		assert_int_equal(crt_st_run(m->ctx[0], p, on_result, &o), 0);
	many_pump_until(m, &o.done);
	assert_int_equal(o.done, 1);
	return o;
}

static const crt_endpoint_t two[] = {{1, 0}, {2, 0}};

static void
sizes(void **state)
{
	static const struct crt_st_size s[] = {{0, false}, {100, false}, {100000, false}, {1, true}, {1048578, true}};
	struct many                     m;
	struct crt_st_params            p = {.eps = two, .ep_nr = 2, .rep_nr = 40, .inflight = 7, .align = 3};
	crt_endpoint_t                  master = {3, 0};

	many_start(&m, 4, NULL);
	for (size_t i = 0; i < ARRAY_NR(s); i++)
		for (size_t k = 0; k < ARRAY_NR(s); k++)
			for (int at = 0; at < 2; at++) {
				struct outcome o;

				p.send  = s[i];
				p.reply = s[k];
				o       = run(&m, at ? &master : NULL, &p);
				assert_int_equal(o.rc, 0);
				assert_int_equal(o.rep_nr, 40);
				assert_int_equal(o.ok_nr, 40);
				assert_int_equal(o.fail_nr, 0);
				assert_int_equal(o.ep_nr[0], 20);
				assert_int_equal(o.ep_nr[1], 20);
			}
	many_stop(&m);
}

static void
trouble(void **state)
{
	struct many           m;
	struct crt_st_params  p      = {.eps = two, .ep_nr = 2, .rep_nr = 10, .inflight = 4};
	struct crt_st_params  bad    = p;
	struct crt_fault_rule rule   = {.where    = CRT_FAULT_RECEIVE,
					.what     = CRT_FAULT_ERROR,
					.arg      = -DER_IO,
					.opc      = CRT_OPC(CRT_MOD_INTERNAL, 1, 8),
					.rank     = CRT_FAULT_ANY_RANK,
					.prob_ppm = 1000000};
	crt_endpoint_t        master = {3, 0}, absent = {9, 0};
	struct outcome        o;

	many_start(&m, 4, NULL);
	bad.inflight = 0;
	assert_int_equal(crt_st_run(m.ctx[0], &bad, on_result, &o), -DER_INVAL);
	bad      = p;
	bad.send = (struct crt_st_size){200u << 20, true};
	assert_int_equal(crt_st_run(m.ctx[0], &bad, on_result, &o), -DER_INVAL);
	assert_int_equal(run(&m, &absent, &p).rc, -DER_OOG);
	assert_int_equal(crt_fault_set(m.crt[2], &rule), 0);
	crt_faults_enable(m.crt[2], true);
	o = run(&m, NULL, &p);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.ok_nr, 5);
	assert_int_equal(o.fail_nr, 5);
	assert_int_equal(o.first_error, -DER_IO);
	many_kill(&m, 2);
	assert_int_equal(run(&m, NULL, &p).rc, -DER_UNREACH);
	assert_int_equal(run(&m, &master, &p).rc, -DER_UNREACH);
	many_stop(&m);
}

/** The tester's context ends in the middle: all is given back, the callback runs. */
static void
ends(void **state)
{
	struct many          m;
	struct crt_st_params p = {.eps = two, .ep_nr = 2, .rep_nr = 100000, .inflight = 64};
	struct outcome       o = {0};

	many_start(&m, 4, NULL);
	assert_int_equal(crt_st_run(m.ctx[0], &p, on_result, &o), 0);
	for (int i = 0; i < 20; i++)
		many_pump(&m);
	many_kill(&m, 0);
	assert_int_equal(o.done, 1);
	assert_true(o.fail_nr > 0);
	many_stop(&m);
}

struct answer {
	_Atomic int done;
	int         rc;
	uint64_t    value;
	char        text[2048];
};

static void
on_answer(void *arg, int rc, uint64_t value, const char *text)
{
	struct answer *a = arg;

	a->rc    = rc;
	a->value = value;
	snprintf(a->text, sizeof(a->text), "%s", text == NULL ? "" : text);
	a->done++;
}

static struct answer
ctl(struct many *m, enum crt_ctl_cmd cmd, const char *text)
{
	struct answer      a   = {0};
	struct crt_ctl_req req = {.cmd = cmd, .text = text};
	crt_endpoint_t     ep  = {1, 0};

	assert_int_equal(crt_ctl(m->ctx[0], &ep, &req, 20, on_answer, &a), 0);
	many_pump_until(m, &a.done);
	return a;
}

static void
control(void **state)
{
	struct many   m;
	struct answer a;

	many_start(&m, 2, NULL);
	a = ctl(&m, CRT_CTL_PID, NULL);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.value, getpid());
	a = ctl(&m, CRT_CTL_LIST_CTX, NULL);
	assert_int_equal(a.value, 1);
	assert_non_null(strstr(a.text, m.uris[1]));
	a = ctl(&m, CRT_CTL_URI_CACHE, NULL);
	assert_non_null(strstr(a.text, m.uris[0]));
	a = ctl(&m, CRT_CTL_COUNTERS, NULL);
	assert_non_null(strstr(a.text, "0 req_recv 4\n")); /* this one included */
	assert_int_equal(ctl(&m, CRT_CTL_HOSTNAME, NULL).rc, 0);
	/* orders are refused where nobody allowed them */
	for (int cmd = CRT_CTL_ENABLE_FI; cmd < CRT_CTL_NR; cmd++)
		assert_int_equal(ctl(&m, cmd, "ERR").rc, -DER_NO_PERM);
	assert_false(crt_faults_enabled(m.crt[1]));
	assert_int_equal(ctl(&m, CRT_CTL_NR, NULL).rc, -DER_NOSYS);
	many_stop(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes),
	    cmocka_unit_test(trouble),
	    cmocka_unit_test(ends),
	    cmocka_unit_test(control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
