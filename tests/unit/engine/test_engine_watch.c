/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Accounts of an engine: what requests of each pool use; and what is said of a ULT that does not give way. */
#include "engine_testlib.h"
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/telemetry.h"
#include "platform/platform.h"

#define POOL_NR    3
#define REQUEST_NR 60
#define SPIN_NS    100000ULL
#define WAIT_NS    (60 * NSEC_PER_SEC)
#define TARGET_XS  2

#define WORK_IN(F)  F(uuid, pool) F(uint32_t, pool_idx)
#define WORK_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(work, WORK_IN, WORK_OUT)
CRT_RPC_DEFINE(work, WORK_IN, WORK_OUT)

static uint64_t     own_ns[POOL_NR]; /* what handlers used, by their own reckoning */
static _Atomic bool keeping, go_on;

static uint64_t
spin(void)
{
	uint64_t begin = plat_now_ns(), now;

	do
		now = plat_now_ns();
	while (now - begin < SPIN_NS);
	return now - begin;
}

MAY_YIELD static void
work_handler(crt_rpc_t *rpc)
{
	struct work_in *in = rpc->cr_input;

	for (int i = 0; i < 3; i++) {
		own_ns[in->pool_idx] += spin();
		ult_yield();
	}
	((struct work_out *)rpc->cr_output)->rc = 0;
	assert_int_equal(crt_reply_send(rpc), 0);
}

static const struct crt_proto_rpc work_rpcs[] = {{&work_format, work_handler, 0}};
static const struct crt_proto     work_proto = {"work", CRT_MOD_RDBT, 1, 1, work_rpcs};

MAY_YIELD static int
work_init(struct engine *eng)
{
	(void)eng;
	return 0;
}

MAY_YIELD static void
work_fini(struct engine *eng)
{
	(void)eng;
}

static void
work_req_attr(crt_rpc_t *rpc, struct dss_req_attr *attr)
{
	uuid_copy(attr->pool, ((struct work_in *)rpc->cr_input)->pool.b);
	attr->kind = DSS_REQ_OTHER;
}

static const struct dss_module work_module = {
    .sm_name = "work", .sm_mod_id = CRT_MOD_RDBT, .sm_init = work_init, .sm_fini = work_fini, .sm_proto = &work_proto,
    .sm_req_attr = work_req_attr};
static const struct dss_module *const modules[] = {&work_module, NULL};

static uint64_t
metric(struct engine *eng, const char *path)
{
	struct d_tm_node *node;
	struct d_tm_value v;

	if (d_tm_find(dss_tm(eng), path, &node) != 0)
		fail_msg("there is no metric %s", path);
	d_tm_read(node, &v);
	return v.value;
}

/* ---- requests ---- */

struct asking {
	uint32_t done_nr;
};

static void
asked(const struct crt_cb_info *info)
{
	assert_int_equal(info->cci_rc, 0);
	((struct asking *)info->cci_arg)->done_nr++;
}

static int
all_asked(void *arg)
{
	return ((struct asking *)arg)->done_nr == REQUEST_NR;
}

static void
ask(struct et_client *c, struct asking *a, const uuid_t pool, uint32_t idx)
{
	crt_endpoint_t  ep = {.ep_rank = 0, .ep_tag = TARGET_XS};
	struct work_in *in;
	crt_rpc_t      *rpc;

	assert_int_equal(crt_req_create(c->ctx, &ep, CRT_OPC(CRT_MOD_RDBT, 1, 0), &rpc), 0);
	in = rpc->cr_input;
	uuid_copy(in->pool.b, pool);
	in->pool_idx = idx;
	(void)crt_req_send(rpc, asked, a);
}

MAY_YIELD static int
stats_read(void *arg)
{
	ult_xs_get_stats(ult_xs_self(), arg);
	return 0;
}

/** Each pool pays for its requests, and for no more than they ran. */
static void
test_pools_pay_for_their_requests(void **state)
{
	static struct et_world w;
	struct asking          a = {0};
	struct et_client       c;
	struct ult_xs_stats    stats;
	uint64_t               sum = 0, begin = plat_now_ns();
	uuid_t                 pools[POOL_NR];
	char                   path[128], text[37];

	et_world_init(&w);
	et_start(&w, 0, &(struct et_opts){.tgt_nr = 1, .modules = modules});
	et_group(&w);
	et_client_init(&c, &w);
	assert_int_equal(crt_proto_register(c.crt, &work_proto), 0);
	for (int i = 0; i < POOL_NR; i++)
		plat_uuid_generate(pools[i]);
	for (uint32_t i = 0; i < REQUEST_NR; i++)
		ask(&c, &a, pools[i * i % POOL_NR], i * i % POOL_NR); /* not to all the same */
	assert_int_equal(crt_progress_cond(c.ctx, 60 * 1000 * 1000, all_asked, &a), 1);
	assert_int_equal(et_run(w.engs[0], TARGET_XS, stats_read, &stats), 0); /* after the last request's end */
	for (int i = 0; i < POOL_NR; i++) {
		uint64_t ns;

		if (own_ns[i] == 0)
			continue;
		uuid_unparse_lower(pools[i], text);
		snprintf(path, sizeof(path), "sched/xs_%d/pool/%s/run", TARGET_XS, text);
		ns = metric(w.engs[0], path);
		assert_true(ns >= own_ns[i]);
		sum += ns;
	}
	assert_true(own_ns[0] > 0 && own_ns[1] > 0);
	assert_true(sum <= stats.run_ns[ULT_POOL_IO]);
	assert_true(stats.run_ns[ULT_POOL_IO] < plat_now_ns() - begin);
	et_client_fini(&c);
	et_world_fini(&w);
}

/* ---- the watch ---- */

MAY_YIELD static void
keep(void *arg)
{
	(void)arg;
	keeping = true;
	while (!go_on)
		plat_cpu_relax();
}

static bool
log_has(const char *path, const char *words)
{
	static char text[1 << 20];
	FILE       *f = fopen(path, "r");
	size_t      n = f == NULL ? 0 : fread(text, 1, sizeof(text) - 1, f);

	if (f != NULL)
		fclose(f);
	text[n] = '\0';
	return strstr(text, words) != NULL;
}

static void
log_wait(const char *path, const char *words)
{
	uint64_t end = plat_now_ns() + WAIT_NS;

	while (!log_has(path, words)) {
		if (plat_now_ns() > end)
			fail_msg("the log does not say '%s'", words);
		sched_yield();
	}
}

/** While it lasts, and when it is over. What the accounts say is in the metrics by then. */
static void
test_who_keeps_an_xstream_is_told_of(void **state)
{
	const char            *path = *state;
	static struct et_world w;
	struct ult            *ult;

	setenv("DAOS_SCHED_LONG_MS", "30", 1);
	et_world_init(&w);
	et_start(&w, 0, &(struct et_opts){.tgt_nr = 1, .modules = modules});
	assert_int_equal(dss_ult_create(w.engs[0], TARGET_XS, ULT_POOL_IO, keep, NULL, &ult), 0);
	log_wait(path, "xstream daos_tgt_0 is kept by a ULT (test_engine_watch+0x");
	assert_false(log_has(path, "without giving way"));
	go_on = true;
	ult_join(ult);
	log_wait(path, "xstream daos_tgt_0: a ULT (test_engine_watch+0x");
	while (metric(w.engs[0], "sched/xs_2/run_max") < 30 * NSEC_PER_MSEC)
		sched_yield(); /* at the next look */
	assert_true(metric(w.engs[0], "sched/xs_2/run_io") >= 30 * NSEC_PER_MSEC);
	et_world_fini(&w);
	unsetenv("DAOS_SCHED_LONG_MS");
}

int
main(void)
{
	static char path[] = "/tmp/engine_watch_XXXXXX";
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pools_pay_for_their_requests),
	    cmocka_unit_test_prestate(test_who_keeps_an_xstream_is_told_of, path),
	};
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	close(fd);
	setenv("D_LOG_FILE", path, 1);
	setenv("D_LOG_MASK", "WARN", 1);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
