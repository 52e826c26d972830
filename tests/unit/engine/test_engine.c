/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Start, stop, modules, requests to each tag, collectives, queues. */
#include "engine_testlib.h"
#include "engine/engine_options.h"
#include <daos_errno.h>
#include "platform/platform.h"

/* ---- a module that answers, remembers the order, and waits when told to ---- */

#define TEST_PING_IN(F)  F(uuid, pool) F(uint32_t, kind) F(uint32_t, number) F(bool, wait)
#define TEST_PING_OUT(F) F(int32_t, rc) F(uint32_t, xs_id) F(int32_t, tgt_id) F(uint64_t, tls)
CRT_RPC_DECLARE(test_ping, TEST_PING_IN, TEST_PING_OUT)
CRT_RPC_DEFINE(test_ping, TEST_PING_IN, TEST_PING_OUT)

static struct {
	_Atomic int          init_nr, setup_nr, cleanup_nr, fini_nr, tls_nr;
	_Atomic bool         fail_init, fail_tls;
	struct ult_eventual  gate;     /**< requests with `wait` wait for it */
	_Atomic uint32_t     waiting_nr;
	uint32_t             order[1024];
	_Atomic uint32_t     order_nr;
	_Atomic int          pressure;
} T;

static struct dss_module_key test_key;

MAY_YIELD static void
ping_handler(crt_rpc_t *rpc)
{
	struct test_ping_in  *in = rpc->cr_input;
	struct test_ping_out *out = rpc->cr_output;
	struct dss_xstream   *dx = dss_self();
	void                 *tls = dss_module_tls(&test_key);

	T.order[T.order_nr++ % ARRAY_NR(T.order)] = in->number;
	if (in->wait) {
		T.waiting_nr++;
		ult_eventual_wait(&T.gate);
		T.waiting_nr--;
	}
	out->rc = 0;
	out->xs_id = dx->dx_id;
	out->tgt_id = dx->dx_tgt_id;
	out->tls = tls == NULL ? 0 : *(uint64_t *)tls;
	assert_int_equal(crt_reply_send(rpc), 0);
}

static const struct crt_proto_rpc test_rpcs[] = {{&test_ping_format, ping_handler, 0}};
static const struct crt_proto     test_proto = {"test", CRT_MOD_RDBT, 1, 1, test_rpcs};
#define PING_OPC CRT_OPC(CRT_MOD_RDBT, 1, 0)

static enum dss_pressure
pressure(struct dss_xstream *dx, const uuid_t pool, void *arg)
{
	assert_true(dx->dx_tgt_id >= 0 && !uuid_is_null(pool) && arg == &T);
	return T.pressure ? DSS_PRESSURE_UPDATES : DSS_PRESSURE_NONE;
}

MAY_YIELD static int
test_init(struct engine *eng)
{
	assert_int_equal(dss_self()->dx_id, DSS_TAG_SYS);
	assert_ptr_equal(dss_engine(), eng);
	if (T.fail_init)
		return -DER_IO;
	dss_module_set_data(eng, CRT_MOD_RDBT, &T);
	dss_pressure_set(eng, pressure, &T);
	T.init_nr++;
	return 0;
}

MAY_YIELD static void
test_fini(struct engine *eng)
{
	assert_ptr_equal(dss_module_data(eng, CRT_MOD_RDBT), &T);
	T.fini_nr++;
}

MAY_YIELD static int
test_setup(struct engine *eng)
{
	assert_int_not_equal(crt_rank_self(dss_crt(eng)), CRT_NO_RANK);
	T.setup_nr++;
	return 0;
}

MAY_YIELD static void
test_cleanup(struct engine *eng)
{
	(void)eng;
	T.cleanup_nr++;
	if (T.waiting_nr > 0)
		ult_eventual_set(&T.gate, 0);
}

static void *
tls_init(struct dss_xstream *dx)
{
	uint64_t *tls = malloc(sizeof(*tls));

	assert_ptr_equal(dss_self(), dx);
	if (T.fail_tls && dx->dx_tgt_id == 1) {
		free(tls);
		return NULL;
	}
	*tls = 100 + dx->dx_id;
	T.tls_nr++;
	return tls;
}

MAY_YIELD static void
tls_fini(struct dss_xstream *dx, void *data)
{
	assert_int_equal(*(uint64_t *)data, 100 + dx->dx_id);
	T.tls_nr--;
	free(data);
}

static struct dss_module_key test_key = {
    .name = "test", .tags = DSS_HAS_SYS | DSS_HAS_TGT, .init = tls_init, .fini = tls_fini};

static void
test_req_attr(crt_rpc_t *rpc, struct dss_req_attr *attr)
{
	struct test_ping_in *in = rpc->cr_input;

	uuid_copy(attr->pool, in->pool.b);
	attr->kind = in->kind;
}

static const struct dss_module test_module = {
    .sm_name = "test",
    .sm_mod_id = CRT_MOD_RDBT,
    .sm_init = test_init,
    .sm_fini = test_fini,
    .sm_setup = test_setup,
    .sm_cleanup = test_cleanup,
    .sm_proto = &test_proto,
    .sm_key = &test_key,
    .sm_req_attr = test_req_attr,
};
static const struct dss_module *const modules[] = {&test_module, NULL};

static int
setup(void **state)
{
	static struct et_world w;

	memset(&T, 0, sizeof(T));
	ult_eventual_init(&T.gate);
	et_world_init(&w);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	et_world_fini(*state);
	return 0;
}

/* ---- start and stop ---- */

static void
test_start_stop_leaves_nothing(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.tgt_nr = 2, .helper_nr = 1, .modules = modules};
	unsigned         fd_nr, thread_nr;

	et_start(w, 0, &opts);
	et_stop(w, 0);
	fd_nr = et_fd_nr();
	thread_nr = et_thread_nr();
	for (int i = 0; i < 100; i++) {
		struct engine *eng = et_start(w, 0, &opts);

		if (i % 2 == 0)
			assert_int_equal(engine_setup(eng, 0), 0);
		et_stop(w, 0);
	}
	assert_int_equal(et_fd_nr(), fd_nr);
	assert_int_equal(et_thread_nr(), thread_nr);
	assert_int_equal(T.init_nr, 101);
	assert_int_equal(T.fini_nr, 101);
	assert_int_equal(T.setup_nr, 50);
	assert_int_equal(T.cleanup_nr, 50);
	assert_int_equal(T.tls_nr, 0);
}

static void
test_failures_roll_back(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.tgt_nr = 2, .modules = modules};
	struct engine   *eng = NULL;
	unsigned         fd_nr;

	et_start(w, 0, &opts);
	et_stop(w, 0);
	fd_nr = et_fd_nr();
	T.fail_init = true;
	assert_int_equal(et_try_start(w, 0, &opts, &eng), -DER_IO);
	T.fail_init = false;
	T.fail_tls = true;
	assert_int_equal(et_try_start(w, 0, &opts, &eng), -DER_NOMEM);
	T.fail_tls = false;
	assert_int_equal(T.tls_nr, 0);
	assert_int_equal(T.init_nr, T.fini_nr);
	setenv("DAOS_FAULTS", "engine_start=error:-1012,nth=1", 1);
	assert_int_equal(et_try_start(w, 0, &opts, &eng), -DER_BUSY);
	unsetenv("DAOS_FAULTS");
	assert_null(eng);
	assert_int_equal(et_fd_nr(), fd_nr);
}

static void
test_bad_attributes_are_refused(void **state)
{
	struct et_world   *w = *state;
	struct engine_attr attr = {.tgt_nr = 1, .first_core = -1, .numa_node = -1, .storage_path = w->dir};
	struct engine     *eng = NULL;

	attr.fabric.provider = "self";
	attr.fabric.world = w->net;
	attr.modules = "test,nosuch";
	attr.static_modules = modules;
	assert_int_equal(engine_start(&attr, &eng), -DER_NONEXIST);
	attr.static_modules = NULL;
	attr.modules = "nosuch";
	assert_int_equal(engine_start(&attr, &eng), -DER_NONEXIST);
	attr.static_modules = modules;
	attr.modules = "test,test";
	assert_int_equal(engine_start(&attr, &eng), -DER_EXIST);
	attr.modules = "vos,security,test";
	attr.tgt_nr = 0;
	assert_int_equal(engine_start(&attr, &eng), -DER_INVAL);
	attr.tgt_nr = 1;
	attr.storage_path = "/nonexistent/path";
	assert_int_equal(engine_start(&attr, &eng), -DER_NONEXIST);
	attr.storage_path = w->dir;
	assert_int_equal(engine_start(&attr, &eng), 0);
	engine_stop(eng);
}

static void
test_devices(void **state)
{
	struct et_world   *w = *state;
	struct et_opts     opts = {.modules = modules, .dev_name = "dev0", .dev_bytes = 64u << 20};
	char               path[128];
	struct engine_bdev bdev = {.attr = {.kind = BIO_FILE, .path = path, .size_bytes = 64u << 20}};
	struct engine_attr attr = {.bdevs = &bdev, .bdev_nr = 1};
	uint64_t           st, sf, nt, nf;
	struct engine     *eng = et_start(w, 0, &opts);
	uuid_t             uuid, other;

	dss_system_uuid(eng, uuid);
	assert_false(uuid_is_null(uuid));
	dss_dev_space(eng, &st, &sf, &nt, &nf);
	assert_true(st > 0 && nt > st && sf <= st && nf <= nt);
	et_stop(w, 0);
	snprintf(path, sizeof(path), "%s/dev0", w->dir);
	bdev.attr.roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA;
	plat_uuid_generate(other);
	assert_int_equal(engine_format(&attr, other, false), -DER_EXIST);
	assert_int_equal(engine_erase(&attr), 0);
	assert_int_equal(et_try_start(w, 0, &opts, &eng), -DER_UNINIT);
	assert_int_equal(engine_format(&attr, other, false), 0);
	eng = et_start(w, 0, &opts);
	dss_system_uuid(eng, uuid);
	assert_int_equal(uuid_compare(uuid, other), 0);
	/* in use */
	assert_int_equal(engine_format(&attr, other, true), -DER_BUSY);
	assert_int_equal(engine_erase(&attr), -DER_BUSY);
	et_stop(w, 0);
}

/* ---- requests ---- */

static crt_rpc_t *
ping_new(struct et_client *c, d_rank_t rank, uint32_t tag, const uuid_t pool, uint32_t kind, uint32_t number, bool wait)
{
	crt_endpoint_t       ep = {.ep_rank = rank, .ep_tag = tag};
	struct test_ping_in *in;
	crt_rpc_t           *rpc;

	assert_int_equal(crt_req_create(c->ctx, &ep, PING_OPC, &rpc), 0);
	in = rpc->cr_input;
	if (pool != NULL)
		uuid_copy(in->pool.b, pool);
	in->kind = kind;
	in->number = number;
	in->wait = wait;
	return rpc;
}

static void
client_with_proto(struct et_client *c, struct et_world *w)
{
	et_client_init(c, w);
	assert_int_equal(crt_proto_register(c->crt, &test_proto), 0);
}

static void
test_every_tag_answers(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.tgt_nr = 2, .helper_nr = 1, .modules = modules};
	struct et_client c;

	for (uint32_t e = 0; e < 2; e++)
		et_start(w, e, &opts);
	et_group(w);
	client_with_proto(&c, w);
	for (uint32_t e = 0; e < 2; e++) {
		assert_int_equal(dss_xs_nr(w->engs[e]), 5);
		for (uint32_t tag = 0; tag < 5; tag++) {
			crt_rpc_t            *rpc = ping_new(&c, e, tag, NULL, 0, tag, false);
			struct test_ping_out *out;

			assert_int_equal(et_call(&c, rpc), 0);
			out = rpc->cr_output;
			assert_int_equal(out->xs_id, tag);
			assert_int_equal(out->tgt_id, tag >= 2 && tag < 4 ? (int)tag - 2 : -1);
			assert_int_equal(out->tls, tag == 1 || tag == 4 ? 0 : 100 + tag);
			crt_req_decref(rpc);
		}
	}
	et_client_fini(&c);
}

struct relay {
	struct engine *eng;
	d_rank_t       rank;
	uint32_t       done_nr;
};

static void
relay_fill(crt_rpc_t *rpc, void *arg)
{
	struct test_ping_in *in = rpc->cr_input;

	(void)arg;
	in->number = 7;
}

static int
relay_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	struct relay *relay = arg;

	relay->done_nr++;
	if (rc == 0)
		assert_int_equal(((struct test_ping_out *)rpc->cr_output)->xs_id, DSS_TAG_MON);
	else
		assert_int_equal(rank, 5);
	return rc;
}

MAY_YIELD static int
relay_ult(void *arg)
{
	struct relay        *relay = arg;
	crt_endpoint_t       ep = {.ep_rank = relay->rank, .ep_tag = 2};
	d_rank_t             ranks[] = {0, 1, 5};
	d_rank_list_t        list = {.rl_ranks = ranks, .rl_nr = 2};
	crt_rpc_t           *rpc;
	int                  rc;

	assert_int_equal(crt_req_create(dss_self()->dx_ctx, &ep, PING_OPC, &rpc), 0);
	rc = dss_rpc_send(rpc);
	assert_int_equal(rc, 0);
	assert_int_equal(((struct test_ping_out *)rpc->cr_output)->tgt_id, 0);
	crt_req_decref(rpc);
	rc = dss_rpc_multicast(dss_self(), &list, DSS_TAG_MON, PING_OPC, relay_fill, relay_done, relay);
	assert_int_equal(rc, 0);
	assert_int_equal(relay->done_nr, 2);
	list.rl_nr = 3; /* rank 5 isn't there */
	rc = dss_rpc_multicast(dss_self(), &list, DSS_TAG_MON, PING_OPC, relay_fill, relay_done, relay);
	assert_int_not_equal(rc, 0);
	assert_int_equal(relay->done_nr, 5);
	return 42;
}

static void
test_engines_talk(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.tgt_nr = 1, .modules = modules};
	struct relay     relay = {.rank = 1};

	et_start(w, 0, &opts);
	et_start(w, 1, &opts);
	et_group(w);
	relay.eng = w->engs[0];
	assert_int_equal(et_run(w->engs[0], DSS_TAG_SYS, relay_ult, &relay), 42);
}

static uint32_t tgts_seen;

MAY_YIELD static int
collective_one(void *arg, uint32_t tgt)
{
	assert_int_equal(dss_self()->dx_tgt_id, tgt);
	__atomic_fetch_or(&tgts_seen, 1u << tgt, __ATOMIC_SEQ_CST);
	ult_yield();
	return arg != NULL && tgt > 0 ? -DER_NOSPACE - (int)tgt : 0;
}

MAY_YIELD static int
collective_ult(void *arg)
{
	return dss_tgt_collective(dss_engine(), collective_one, arg);
}

static void
test_collective(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.tgt_nr = 4, .modules = modules};

	et_start(w, 0, &opts);
	tgts_seen = 0;
	assert_int_equal(et_run(w->engs[0], DSS_TAG_SYS, collective_ult, NULL), 0);
	assert_int_equal(tgts_seen, 0xf);
	/* the first error in target order; also when a target starts it itself */
	assert_int_equal(et_run(w->engs[0], DSS_XS_OF_TGT(2), collective_ult, &tgts_seen), -DER_NOSPACE - 1);
}

/* ---- queues ---- */

struct pinging {
	uint32_t done_nr, want_nr;
};

static void
pinged(const struct crt_cb_info *info)
{
	struct pinging *p = info->cci_arg;

	assert_int_equal(info->cci_rc, 0);
	p->done_nr++;
}

static int
all_pinged(void *arg)
{
	struct pinging *p = arg;

	return p->done_nr == p->want_nr;
}

static int
order_full(void *arg)
{
	return T.order_nr >= *(uint32_t *)arg;
}

static void
test_queue_order_per_pool(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.tgt_nr = 1, .modules = modules};
	struct pinging   p = {.want_nr = 300};
	struct et_client c;
	uint32_t         last[3] = {0};
	uuid_t           pools[3];

	et_start(w, 0, &opts);
	et_group(w);
	client_with_proto(&c, w);
	for (int i = 0; i < 3; i++)
		plat_uuid_generate(pools[i]);
	for (uint32_t i = 0; i < p.want_nr; i++) {
		crt_rpc_t *rpc = ping_new(&c, 0, 2, pools[i % 3], i % 2 ? DSS_REQ_UPDATE : DSS_REQ_FETCH, i + 1, false);

		(void)crt_req_send(rpc, pinged, &p);
	}
	assert_int_equal(crt_progress_cond(c.ctx, 60 * 1000 * 1000, all_pinged, &p), 1);
	assert_int_equal(T.order_nr, 300);
	for (uint32_t i = 0; i < 300; i++) {
		uint32_t number = T.order[i], pool = (number - 1) % 3;

		assert_true(number > last[pool]);
		last[pool] = number;
	}
	et_client_fini(&c);
}

MAY_YIELD static int
read_stat(void *arg)
{
	dss_sched_stat(dss_self(), arg);
	return 0;
}

static void
test_pressure_lets_fetches_pass(void **state)
{
	struct et_world      *w = *state;
	struct et_opts        opts = {.tgt_nr = 1, .modules = modules};
	struct pinging        p = {.want_nr = 41};
	struct dss_sched_stat stat;
	struct et_client      c;
	uint32_t              want = 17;
	uuid_t                pool;

	et_start(w, 0, &opts);
	et_group(w);
	client_with_proto(&c, w);
	plat_uuid_generate(pool);
	T.pressure = 1;
	/* 40 updates that wait: 16 start. Then a fetch, which overtakes the other 24. */
	for (uint32_t i = 0; i < 40; i++)
		(void)crt_req_send(ping_new(&c, 0, 2, pool, DSS_REQ_UPDATE, i, true), pinged, &p);
	(void)crt_req_send(ping_new(&c, 0, 2, pool, DSS_REQ_FETCH, 1000, false), pinged, &p);
	assert_int_equal(crt_progress_cond(c.ctx, 60 * 1000 * 1000, order_full, &want), 1);
	assert_int_equal(et_run(w->engs[0], 2, read_stat, &stat), 0);
	assert_int_equal(T.order[16], 1000);
	assert_int_equal(stat.queue_len, 24);
	assert_int_equal(stat.inflight_nr, 16);
	assert_true(stat.throttled_nr > 0);
	T.pressure = 0;
	ult_eventual_set(&T.gate, 0);
	assert_int_equal(crt_progress_cond(c.ctx, 60 * 1000 * 1000, all_pinged, &p), 1);
	assert_int_equal(et_run(w->engs[0], 2, read_stat, &stat), 0);
	assert_int_equal(stat.queue_len, 0);
	assert_int_equal(stat.inflight_nr, 0);
	et_client_fini(&c);
}

static void
test_stop_waits_for_requests(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.tgt_nr = 1, .modules = modules};
	struct pinging   p = {.want_nr = 3};
	struct et_client c;
	uint32_t         want = 3;

	et_start(w, 0, &opts);
	et_group(w);
	assert_int_equal(engine_setup(w->engs[0], 0), 0);
	client_with_proto(&c, w);
	for (uint32_t i = 0; i < 3; i++)
		(void)crt_req_send(ping_new(&c, 0, i, NULL, 0, i, true), pinged, &p);
	assert_int_equal(crt_progress_cond(c.ctx, 60 * 1000 * 1000, order_full, &want), 1);
	et_stop(w, 0); /* the module's cleanup opens the gate */
	assert_int_equal(T.waiting_nr, 0);
	assert_int_equal(crt_progress_cond(c.ctx, 60 * 1000 * 1000, all_pinged, &p), 1);
	et_client_fini(&c);
}

/** -p: cores of a NUMA node that is there. */
static void
test_numa_option(void **state)
{
	char                 *there[]  = {"daos_engine", "-t", "1", "-s", "/tmp", "-p", "0"};
	char                 *absent[] = {"daos_engine", "-t", "1", "-s", "/tmp", "-p", "1023"};
	struct engine_options opts;

	assert_int_equal(engine_options_parse(ARRAY_NR(absent), absent, &opts), -DER_INVAL);
	assert_non_null(strstr(opts.error, "no NUMA node 1023"));
	engine_options_fini(&opts);
	if (plat_node_core(0, 0) < 0)
		skip(); /* a kernel without NUMA */
	assert_int_equal(engine_options_parse(ARRAY_NR(there), there, &opts), 0);
	assert_int_equal(opts.attr.numa_node, 0);
	assert_int_equal(opts.attr.first_core, -1);
	engine_options_fini(&opts);
}

/** Device list with @auto_faulty after the device's other members. */
/** Of one network, of several, and of lists that do not belong together. */
static void
test_network_options(void **state)
{
	static const struct {
		const char *providers, *interfaces, *ports;
		int         rc;
		uint32_t    secondary_nr;
	} cases[] = {
	    {NULL, NULL, NULL, 0, 0},
	    {"ofi+tcp", "lo", "31416", 0, 0},
	    {"ofi+tcp,ofi+net", "lo,eth7", "31416,31516", 0, 1},
	    {"ofi+tcp,ofi+net,ofi+verbs,ofi+shm", NULL, NULL, 0, 3},
	    {"ofi+tcp,ofi+net,ofi+verbs,ofi+shm,self", NULL, NULL, -DER_INVAL, 0},
	    {"ofi+tcp,ofi+net", "lo", "31416,31516", -DER_INVAL, 0},
	    {"ofi+tcp,ofi+net", "lo,lo", "31416", -DER_INVAL, 0},
	    {"ofi+tcp", "lo,eth0", NULL, -DER_INVAL, 0},
	    {"ofi+tcp,", "lo,lo", NULL, -DER_INVAL, 0},
	    {"ofi+tcp,ofi+net", "lo,lo", "31416,x", -DER_INVAL, 0},
	    {"ofi+tcp,ofi+net", "lo,lo", "31416,65536", -DER_INVAL, 0},
	    {",,,,,,,,", NULL, NULL, -DER_INVAL, 0},
	};
	char *argv[] = {"daos_engine", "-t", "1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_NR(cases); i++) {
		struct engine_options opts;

		setenv("D_PROVIDER", cases[i].providers == NULL ? "" : cases[i].providers, 1);
		setenv("D_INTERFACE", cases[i].interfaces == NULL ? "" : cases[i].interfaces, 1);
		setenv("D_PORT", cases[i].ports == NULL ? "" : cases[i].ports, 1);
		assert_int_equal(engine_options_parse(ARRAY_NR(argv), argv, &opts), cases[i].rc);
		assert_int_equal(opts.error[0] != '\0', cases[i].rc != 0);
		if (cases[i].rc == 0)
			assert_int_equal(opts.attr.secondary_nr, cases[i].secondary_nr);
		if (i == 2) {
			assert_string_equal(opts.attr.fabric.provider, "ofi+tcp");
			assert_int_equal(opts.attr.fabric.port, 31416);
			assert_string_equal(opts.attr.secondary[0].provider, "ofi+net");
			assert_string_equal(opts.attr.secondary[0].interface, "eth7");
			assert_int_equal(opts.attr.secondary[0].port, 31516);
		}
		engine_options_fini(&opts);
	}
	unsetenv("D_PROVIDER");
	unsetenv("D_INTERFACE");
	unsetenv("D_PORT");
}

static int
list_parse(const char *auto_faulty, struct engine_options *opts)
{
	char  path[64];
	char *argv[] = {"daos_engine", "-t", "1", "-s", "/tmp", "-n", path};
	FILE *f;
	int   rc;

	snprintf(path, sizeof(path), "/tmp/test_engine_list.%d", (int)getpid());
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "{\"bdevs\": [{\"class\": \"ram\", \"path\": \"r\", \"size\": 4096, \"roles\": [\"data\"]%s}]}", auto_faulty);
	fclose(f);
	rc = engine_options_parse(ARRAY_NR(argv), argv, opts);
	unlink(path);
	return rc;
}

/** When a device is faulty by itself. */
static void
test_auto_faulty(void **state)
{
	static const struct { const char *text; int rc; bool own; uint64_t io, csum; } cases[] = {
	    {"", 0, false, 0, 0},
	    {", \"auto_faulty\": {\"enable\": true}", 0, true, 100, 0},
	    {", \"auto_faulty\": {\"enable\": false, \"max_io_errs\": 3}", 0, true, 0, 0},
	    {", \"auto_faulty\": {\"enable\": true, \"max_io_errs\": 3, \"max_csum_errs\": 4}", 0, true, 3, 4},
	    {", \"auto_faulty\": {\"enable\": true, \"max_io_errs\": \"3\"}", -DER_INVAL, false, 0, 0},
	    {", \"auto_faulty\": {\"enable\": true, \"max_csum_errs\": -1}", -DER_INVAL, false, 0, 0},
	    {", \"auto_faulty\": 3", -DER_INVAL, false, 0, 0},
	};
	struct engine_options opts;

	for (size_t i = 0; i < ARRAY_NR(cases); i++) {
		assert_int_equal(list_parse(cases[i].text, &opts), cases[i].rc);
		if (cases[i].rc == 0) {
			assert_int_equal(opts.bdevs[0].has_limits, cases[i].own);
			assert_int_equal(opts.bdevs[0].max_io_errs, cases[i].io);
			assert_int_equal(opts.bdevs[0].max_csum_errs, cases[i].csum);
		} else {
			assert_non_null(strstr(opts.error, "auto_faulty"));
		}
		engine_options_fini(&opts);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_auto_faulty),
	    cmocka_unit_test(test_numa_option),
		cmocka_unit_test_setup_teardown(test_start_stop_leaves_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failures_roll_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_bad_attributes_are_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_devices, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_every_tag_answers, setup, teardown),
	    cmocka_unit_test(test_network_options),
	    cmocka_unit_test_setup_teardown(test_engines_talk, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_collective, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_queue_order_per_pool, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pressure_lets_fetches_pass, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stop_waits_for_requests, setup, teardown),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
