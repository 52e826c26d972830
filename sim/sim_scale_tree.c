/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Collectives and incast variables over all ranks. Each is counted once as it comes; then with messages that take so long that
 * nothing else counts, which tells how many delays it needs: a k-nomial tree of ratio 2 reaches N ranks in ceil(log2(N)). Then
 * ranks are killed while it is under way. It must end all the same; whoever is not below the dead rank has run it once, and
 * the result says at which rank it failed.
 */
#include "sim_scale.h"

#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/rank_list.h"
#include "cart/crt_corpc.h"
#include "cart/crt_iv.h"
#include "cart/crt_tree.h"

#define LONG_HOP_NS (100 * SIM_MS)
#define KILL_NR     8u
#define CAST_OPC    CRT_OPC(CRT_MOD_SEC, 1, 0)
#define ROOT        0u
#define IV_KEY      4711u

static const struct crt_tree tree = {CRT_TREE_KNOMIAL, 2};

#define SCALE_CAST_IN(F)  F(uint32_t, call)
#define SCALE_CAST_OUT(F) F(uint32_t, ran)
CRT_RPC_DECLARE(scale_cast, SCALE_CAST_IN, SCALE_CAST_OUT)
CRT_RPC_DEFINE(scale_cast, SCALE_CAST_IN, SCALE_CAST_OUT)

/** What happened, as the world sees it. */
static struct {
	uint32_t  call;
	uint32_t *ran_nr;  /* [engines] how often the handler ran in this call */
	uint64_t *iv;      /* [engines] the copy of the variable */
	uint64_t  begin_ns, last_ns;
	bool      ended;
	struct psim_thread *director;
	int       rc;
	uint32_t  reached_nr, sum;
	d_rank_t *failed; /* [engines] */
	uint32_t  failed_nr;
	struct crt_iv_ns **ns; /* [engines] of their lives */
} cast;

/* ---- the collective ---- */

static uint64_t
now_ns(void)
{
	return psim_now() + psim_lag_ns();
}

MAY_YIELD static void
cast_handler(crt_rpc_t *rpc)
{
	struct scale_cast_in  *in = rpc->cr_input;
	struct scale_cast_out *out = rpc->cr_output;

	if (in->call == cast.call) {
		cast.ran_nr[crt_rank_self(dss_crt(dss_engine()))]++;
		cast.last_ns = MAX_OF(cast.last_ns, now_ns());
	}
	out->ran = 1;
	crt_reply_send(rpc);
}

static int
cast_aggregate(const void *source, void *result, crt_rpc_t *rpc)
{
	((struct scale_cast_out *)result)->ran += ((const struct scale_cast_out *)source)->ran;
	return 0;
}

static const struct crt_corpc_ops cast_ops = {.co_aggregate = cast_aggregate};
static const struct crt_proto_rpc cast_rpcs[] = {
    {.format = &scale_cast_format, .handler = cast_handler, .co_ops = &cast_ops}};
static const struct crt_proto cast_proto = {
    .name = "scale", .mod_id = CRT_MOD_SEC, .version = 1, .rpc_nr = ARRAY_NR(cast_rpcs), .rpcs = cast_rpcs};

static MAY_YIELD int
cast_ult(void *arg)
{
	struct crt_corpc_attr attr = {.opc = CAST_OPC, .tree = tree, .tag = DSS_TAG_SYS};
	const d_rank_list_t  *failed;
	crt_rpc_t            *rpc;
	int                   rc = crt_corpc_create(dss_self()->dx_ctx, &attr, &rpc);

	if (rc != 0)
		return rc;
	((struct scale_cast_in *)rpc->cr_input)->call = cast.call;
	cast.begin_ns = cast.last_ns = now_ns();
	cast.rc = dss_rpc_send(rpc);
	cast.sum = ((struct scale_cast_out *)rpc->cr_output)->ran;
	cast.reached_nr = crt_corpc_reached(rpc);
	failed = crt_corpc_failed(rpc);
	cast.failed_nr = MIN_OF(failed->rl_nr, sim.opts.engine_nr);
	if (cast.failed_nr > 0)
		memcpy(cast.failed, failed->rl_ranks, cast.failed_nr * sizeof(*cast.failed));
	crt_req_decref(rpc);
	return 0;
}

static int
cast_job(struct engine *eng, void *arg)
{
	return dss_ult_execute(eng, DSS_TAG_SYS, cast_ult, NULL);
}

static void
cast_stuck(void *arg)
{
	sim_fail("a collective or a variable's update does not end");
}

static void
cast_ended(void)
{
	cast.ended = true;
	psim_unpark(cast.director);
}

static void
cast_thread(void *arg)
{
	int rc = sim_engine_do(&sim.engines[ROOT], cast_job, NULL);

	SIM_CHECK(rc == 0, "the collective cannot be begun: " DF_RC, DP_RC(rc));
	cast_ended();
}

static void
cast_start(void)
{
	cast.call++;
	cast.ended = false;
	memset(cast.ran_nr, 0, sim.opts.engine_nr * sizeof(*cast.ran_nr));
	psim_node_thread(psim_node_self(), "collective", cast_thread, NULL);
}

static void
cast_wait(void)
{
	static struct psim_event event;

	event.fn = cast_stuck;
	psim_event_at(&event, psim_now() + 200 * SIM_SEC);
	while (!cast.ended)
		psim_park();
	psim_event_cancel(&event);
}

/* ---- what must hold ---- */

/** Is @rank at or below @top? Everybody is a member here, so ranks are positions. */
static bool
is_below(uint32_t rank, uint32_t top)
{
	while (rank != top && rank != ROOT)
		rank = crt_tree_parent(tree, sim.opts.engine_nr, ROOT, rank);
	return rank == top;
}

static uint32_t
log2_up(uint32_t nr)
{
	uint32_t log = 0;

	while ((1u << log) < nr)
		log++;
	return log;
}

/** Message delays from the beginning to the last rank. */
static uint32_t
hops_check(const char *what)
{
	uint64_t ns = cast.last_ns - cast.begin_ns;
	uint32_t hops = (ns + LONG_HOP_NS / 2) / LONG_HOP_NS;

	SIM_CHECK(hops <= log2_up(sim.opts.engine_nr), "%s: the last rank was reached after %u message delays (%.6f s)", what,
		  hops, ns / 1e9);
	return hops;
}

static void
whole_check(void)
{
	SIM_CHECK(cast.rc == 0 && cast.failed_nr == 0, "a collective of %u ranks ended with " DF_RC ", %u failed",
		  sim.opts.engine_nr, DP_RC(cast.rc), cast.failed_nr);
	SIM_CHECK(cast.reached_nr == sim.opts.engine_nr && cast.sum == sim.opts.engine_nr,
		  "a collective of %u ranks reached %u, their sum is %u", sim.opts.engine_nr, cast.reached_nr, cast.sum);
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		SIM_CHECK(cast.ran_nr[i] == 1, "a collective ran %u times at rank %u", cast.ran_nr[i], i);
}

static void
broken_check(uint32_t dead)
{
	uint32_t ran = 0, outside = 0;
	bool     named = false;

	for (uint32_t i = 0; i < sim.opts.engine_nr; i++) {
		bool below = is_below(i, dead);

		SIM_CHECK(cast.ran_nr[i] <= 1 && (below || cast.ran_nr[i] == 1),
			  "rank %u died in a collective, which ran %u times at rank %u", dead, cast.ran_nr[i], i);
		ran += cast.ran_nr[i];
		outside += !below;
	}
	for (uint32_t i = 0; i < cast.failed_nr; i++)
		named |= cast.failed[i] == dead;
	SIM_CHECK(cast.sum == cast.reached_nr && cast.reached_nr >= outside && cast.reached_nr <= ran,
		  "rank %u died in a collective: %u ran it, it says %u (sum %u), %u were not below it", dead, ran,
		  cast.reached_nr, cast.sum, outside);
	SIM_CHECK((cast.rc == 0) == (cast.reached_nr == sim.opts.engine_nr) && named == (cast.rc != 0),
		  "rank %u died in a collective: " DF_RC ", %u of %u reached, %s named", dead, DP_RC(cast.rc), cast.reached_nr,
		  sim.opts.engine_nr, named ? "it is" : "it is not");
	SIM_CHECK(cast.rc == 0 || cast.rc == -DER_UNREACH || cast.rc == -DER_TIMEDOUT,
		  "rank %u died in a collective: " DF_RC, dead, DP_RC(cast.rc));
}

/* ---- incast variables ---- */

static d_rank_t
iv_hash(struct crt_iv_ns *ns, const d_iov_t *key, void *arg)
{
	return ROOT;
}

static int
iv_fetch(struct crt_iv_ns *ns, const d_iov_t *key, struct crt_iv_value *value, void *arg)
{
	return crt_iv_self(ns) == ROOT ? -DER_NONEXIST : -DER_IVCB_FORWARD;
}

static int
iv_update(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg)
{
	if (crt_iv_self(ns) != ROOT)
		return -DER_IVCB_FORWARD;
	memcpy(&cast.iv[ROOT], value->data.iov_buf, sizeof(*cast.iv));
	return 0;
}

static int
iv_refresh(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg)
{
	if (value == NULL)
		return 0;
	memcpy(&cast.iv[crt_iv_self(ns)], value->data.iov_buf, sizeof(*cast.iv));
	cast.last_ns = MAX_OF(cast.last_ns, now_ns());
	return 0;
}

static const struct crt_iv_class iv_class = {
    .on_hash = iv_hash, .on_fetch = iv_fetch, .on_update = iv_update, .on_refresh = iv_refresh};

/** Everybody knows everybody by now: the namespace has all ranks. */
static MAY_YIELD int
iv_open(void *eng)
{
	struct crt_iv_ns_attr attr = {.id = 1, .classes = &iv_class, .class_nr = 1, .tree = tree};

	return crt_iv_ns_create(dss_self()->dx_ctx, &attr, &cast.ns[crt_rank_self(dss_crt(eng))]);
}

static MAY_YIELD int
iv_close(void *eng)
{
	struct crt_iv_ns **ns = &cast.ns[crt_rank_self(dss_crt(eng))];

	if (*ns != NULL)
		crt_iv_ns_destroy(*ns);
	*ns = NULL;
	return 0;
}

static void
iv_updated(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, int rc, void *arg)
{
	ult_eventual_set(arg, rc);
}

static MAY_YIELD int
iv_set_ult(void *eng)
{
	struct ult_eventual done;
	uint32_t            key = IV_KEY;
	uint64_t            value = cast.call;
	d_iov_t             kiov, viov;
	int                 rc;

	d_iov_set(&kiov, &key, sizeof(key));
	d_iov_set(&viov, &value, sizeof(value));
	ult_eventual_init(&done);
	cast.begin_ns = cast.last_ns = now_ns();
	rc = crt_iv_update(cast.ns[ROOT], 0, &kiov, &viov, value, CRT_IV_SYNC_EAGER, 0, iv_updated, &done);
	cast.rc = rc != 0 ? rc : ult_eventual_wait(&done);
	return 0;
}

static int
iv_set_job(struct engine *eng, void *arg)
{
	return dss_ult_execute(eng, DSS_TAG_SYS, iv_set_ult, eng);
}

static void
iv_set_thread(void *arg)
{
	int rc = sim_engine_do(&sim.engines[ROOT], iv_set_job, NULL);

	SIM_CHECK(rc == 0, "a variable's update cannot be begun: " DF_RC, DP_RC(rc));
	cast_ended();
}

static void
iv_start(void)
{
	cast.call++;
	cast.ended = false;
	psim_node_thread(psim_node_self(), "variable", iv_set_thread, NULL);
}

/** @dead: who died meanwhile; ROOT: nobody. */
static void
iv_check(uint32_t dead)
{
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		SIM_CHECK(cast.iv[i] == cast.call || (dead != ROOT && is_below(i, dead)),
			  "the variable is %lu at rank %u, and not %u", (unsigned long)cast.iv[i], i, cast.call);
	SIM_CHECK(cast.rc == 0 || (dead != ROOT && cast.rc == -DER_CORPC_INCOMPLETE), "the variable's update ended with " DF_RC,
		  DP_RC(cast.rc));
}

/* ---- killing ---- */

/** With children, if there is such a one. */
static uint32_t
inner_pick(void)
{
	uint32_t nr = sim.opts.engine_nr, rank = 1 + psim_below(nr - 1);

	while (crt_tree_child_nr(tree, nr, ROOT, rank) == 0 && crt_tree_parent(tree, nr, ROOT, rank) != ROOT)
		rank = crt_tree_parent(tree, nr, ROOT, rank);
	return rank;
}

static void
group_settle(void)
{
	uint64_t until = psim_now() + 60 * SIM_SEC;
	uint32_t i = 0;

	while (i < sim.opts.engine_nr) {
		struct sim_engine *se = &sim.engines[i];

		if (se->state == SIM_ENGINE_UP && crt_group_version(dss_crt(se->eng)) == sim.map_version) {
			i++;
			continue;
		}
		SIM_CHECK(psim_now() < until, "%s does not learn who is there", se->name);
		psim_sleep_ns(SIM_MS);
	}
}

/** One of the children of the root at first, then any inner one, at any time while it is under way. */
static void
kill_in(uint32_t turn, void (*start)(void), void (*check)(uint32_t dead))
{
	uint32_t dead = turn == 0 ? crt_tree_parent(tree, sim.opts.engine_nr, ROOT, sim.opts.engine_nr - 1) : inner_pick();

	if (dead == ROOT)
		dead = sim.opts.engine_nr - 1;
	sim.group_held = true;
	start();
	psim_sleep_ns(psim_below(2 * log2_up(sim.opts.engine_nr) * LONG_HOP_NS));
	sim_engine_kill(&sim.engines[dead], false);
	cast.ns[dead] = NULL;
	cast_wait();
	check(dead);
	sim.group_held = false;
	sim_engine_start(&sim.engines[dead]);
	while (sim.engines[dead].state != SIM_ENGINE_UP)
		psim_sleep_ns(SIM_MS);
	group_settle();
}

static void
step_casts(void)
{
	uint32_t hops;

	scale_set_hop(LONG_HOP_NS);
	cast_start();
	cast_wait();
	whole_check();
	hops = hops_check("a collective");
	scale_set_hop(0);
	scale_begin();
	cast_start();
	cast_wait();
	scale_end("collective", hops);
	whole_check();
	scale_set_hop(LONG_HOP_NS);
	for (uint32_t i = 0; i < KILL_NR && sim.opts.engine_nr > 2; i++)
		kill_in(i, cast_start, broken_check);
	scale_set_hop(0);
}

static void
step_iv(void)
{
	uint32_t hops;

	scale_on_all(iv_open);
	scale_set_hop(LONG_HOP_NS);
	iv_start();
	cast_wait();
	iv_check(ROOT);
	hops = hops_check("a variable's update");
	scale_set_hop(0);
	scale_begin();
	iv_start();
	cast_wait();
	scale_end("IV update", hops);
	iv_check(ROOT);
	scale_set_hop(LONG_HOP_NS);
	for (uint32_t i = 0; i < KILL_NR && sim.opts.engine_nr > 2; i++) {
		kill_in(i, iv_start, iv_check);
		scale_on_all(iv_close);
		scale_on_all(iv_open);
	}
	scale_on_all(iv_close);
	scale_set_hop(0);
}

void
scale_trees(void)
{
	uint32_t nr = sim.opts.engine_nr;

	cast.director = psim_self();
	cast.ran_nr = psim_world_alloc(nr * sizeof(*cast.ran_nr));
	cast.iv = psim_world_alloc(nr * sizeof(*cast.iv));
	cast.failed = psim_world_alloc(nr * sizeof(*cast.failed));
	cast.ns = psim_world_alloc(nr * sizeof(struct crt_iv_ns *));
	step_casts();
	step_iv();
}

/* ---- as a module of the engine ---- */

MAY_YIELD static int
module_init(struct engine *eng)
{
	return 0;
}

MAY_YIELD static void
module_fini(struct engine *eng)
{
}

const struct dss_module sim_scale_module = {.sm_name = "scale",
					    .sm_mod_id = CRT_MOD_SEC,
					    .sm_init = module_init,
					    .sm_fini = module_fini,
					    .sm_proto = &cast_proto};
