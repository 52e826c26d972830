/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Targets leave a pool and come back while clients use what is on them. Each worker has objects of its own, one target
 * each. From an exclusion that was answered, all engines told, to the next change of the target no call that began
 * meanwhile may succeed on it; and what comes back has what was on it.
 *
 * The changes are the control plane's: a thread of the world asks engines for them, as an administrator would.
 */
#include "sim.h"

#include <daos_errno.h>
#include <string.h>
#include "base/errno_map.h"
#include "object/obj_client.h"
#include "pool/pool_internal.h"

#define OBJ_NR     8u
#define UNSURE_MAX 8u
#define CHANGE_NS_MEAN (6 * SIM_SEC)
#define SVC_TIMEOUT_S  60

/* ---- changes ---- */

struct map_tgt {
	bool     out;    /**< excluded, as far as is known */
	uint64_t out_nr; /**< number of the exclusion that was answered, all engines told; 0: in service, changing, or unsure */
};
static struct map_tgt tgts[SIM_ENGINE_MAX * 4];
static uint64_t       out_nr_next;
static bool           changes_over;

static struct map_tgt *
tgt_of(d_rank_t rank, uint32_t idx)
{
	return &tgts[rank * sim.opts.tgt_nr + idx];
}

struct change {
	uint32_t      what;
	d_rank_t      rank;
	uint32_t      idx, idx_nr; /**< idx_nr 0: all of the rank */
	uint32_t      untold_nr;
	d_rank_list_t ranks;
};

static void
change_fill(void *vin, void *arg)
{
	struct pool_map_change_in *in = vin;
	struct change             *c = arg;

	uuid_copy(in->pool.b, sim.pools[0].uuid);
	c->ranks = (d_rank_list_t){.rl_ranks = &c->rank, .rl_nr = 1};
	in->change = c->what;
	in->ranks = &c->ranks;
	in->tgts = (struct crt_u32_array){.nr = c->idx_nr, .v = &c->idx};
	in->force = true;
}

static MAY_YIELD int
change_ult(void *arg)
{
	struct change *c = arg;
	d_rank_list_t  svc = {.rl_ranks = sim.pools[0].svc_ranks, .rl_nr = sim.pools[0].svc_nr};
	crt_rpc_t     *rpc;
	int            rc = ds_pool_svc_call(&svc, POOL_OPC(POOL_MAP_CHANGE), change_fill, c, SVC_TIMEOUT_S, &rpc);

	if (rc != 0)
		return rc;
	c->untold_nr = ((struct pool_map_change_out *)rpc->cr_output)->untold.nr;
	crt_req_decref(rpc);
	return 0;
}

static int
change_job(struct engine *eng, void *arg)
{
	return dss_ult_execute(eng, DSS_TAG_SYS, change_ult, arg);
}

static void
change_note(const struct change *c, bool out, uint64_t out_nr)
{
	for (uint32_t t = 0; t < sim.opts.tgt_nr; t++) {
		if (c->idx_nr == 0 || t == c->idx)
			*tgt_of(c->rank, t) = (struct map_tgt){.out = out, .out_nr = out_nr};
	}
}

static int
change(struct change *c)
{
	bool exclude = c->what == POOL_MAP_EXCLUDE;
	int  rc;

	change_note(c, true, 0); /* nobody knows */
	rc = sim_engine_do(&sim.engines[psim_below(sim.opts.engine_nr)], change_job, c);
	sim_log("%s target %d of rank %u: %d, %u ranks not told", exclude ? "exclude" : "reintegrate",
		c->idx_nr == 0 ? -1 : (int)c->idx, c->rank, rc, c->untold_nr);
	SIM_CHECK(rc == 0 || daos_rc_ask_again(rc) || rc == -DER_CANCELED || rc == -DER_NO_SERVICE || rc == -DER_TX_UNCERTAIN,
		  "a change of the pool map ends with " DF_RC, DP_RC(rc));
	if (rc == 0)
		change_note(c, exclude, exclude && c->untold_nr == 0 ? ++out_nr_next : 0);
	return rc;
}

/** Is one in service that @c leaves alone? */
static bool
leaves_one(const struct change *c)
{
	for (d_rank_t r = 0; r < sim.opts.engine_nr; r++) {
		for (uint32_t t = 0; t < sim.opts.tgt_nr; t++) {
			if (!tgt_of(r, t)->out && (r != c->rank || (c->idx_nr > 0 && t != c->idx)))
				return true;
		}
	}
	return false;
}

static void
changer(void *arg)
{
	while (!sim.healing) {
		struct change c = {.rank = psim_below(sim.opts.engine_nr), .idx = psim_below(sim.opts.tgt_nr),
				   .idx_nr = psim_below(3) > 0};

		psim_sleep_ns(psim_delay(CHANGE_NS_MEAN));
		c.what = tgt_of(c.rank, c.idx)->out ? POOL_MAP_REINTEGRATE : POOL_MAP_EXCLUDE;
		if (c.what == POOL_MAP_REINTEGRATE || leaves_one(&c))
			(void)change(&c);
	}
	for (d_rank_t r = 0; r < sim.opts.engine_nr; r++) {
		struct change c = {.what = POOL_MAP_REINTEGRATE, .rank = r};

		while (change(&c) != 0)
			psim_sleep_ns(SIM_SEC);
	}
	changes_over = true;
}

bool
sim_map_changes_over(void)
{
	return changes_over;
}

void
sim_map_changes_start(uint32_t node)
{
	for (uint32_t i = 0; i < SIM_WORK_NR; i++) {
		if (sim_works[i] == &sim_work_map && (sim.opts.work_mask & 1u << i)) {
			psim_node_thread(node, "map changer", changer, NULL);
			return;
		}
	}
	changes_over = true;
}

/* ---- objects ---- */

struct map_obj {
	uint32_t value;                       /**< written last, with an answer */
	uint32_t unsure[UNSURE_MAX], unsure_nr; /**< without one: may show at any time */
	uint32_t life;                        /**< of how many objects it is the latest */
};
struct map_model {
	struct map_obj objs[OBJ_NR];
	uint32_t       value_next;
};

static struct map_model *
model_of(struct sim_worker *w)
{
	if (w->model == NULL)
		w->model = psim_world_alloc(sizeof(struct map_model));
	return w->model;
}

static bool
may_show(const struct map_obj *o, uint32_t value)
{
	for (uint32_t i = 0; i < o->unsure_nr; i++) {
		if (o->unsure[i] == value)
			return true;
	}
	return value == o->value;
}

static int
value_io(daos_handle_t oh, uint32_t *value, bool write)
{
	daos_key_t  dkey;
	daos_iod_t  iod = {.iod_type = DAOS_IOD_SINGLE, .iod_size = sizeof(*value), .iod_nr = 1};
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&dkey, "d", 1);
	d_iov_set(&iod.iod_name, "a", 1);
	d_iov_set(&iov, value, sizeof(*value));
	return write ? daos_obj_update(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL)
		     : daos_obj_fetch(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL, NULL);
}

/** The object's handle and target; false: time is over. */
static bool
obj_open(struct sim_worker *w, uint32_t i, daos_handle_t *ret_oh, struct map_tgt **ret_tgt)
{
	struct map_obj *o = &model_of(w)->objs[i];
	daos_obj_id_t   oid = {.lo = ((w->id + 1ull) << 32) + ((uint64_t)o->life << 8) + i};
	d_rank_t        rank = 0;
	uint32_t        idx = 0, nr = 1;

	SIM_RETRY(w, "making an object ID", daos_obj_generate_oid(w->coh, &oid, 0, OC_S1, 0, 0));
	SIM_RETRY(w, "opening an object", daos_obj_open(w->coh, oid, DAOS_OO_RW, ret_oh, NULL));
	if (!daos_handle_is_valid(*ret_oh))
		return false;
	SIM_CHECK(dc_obj_shards(w->sc->cl, *ret_oh, &nr, &rank, &idx) == 0 && nr == 1, "the object is not on one target");
	*ret_tgt = tgt_of(rank, idx);
	return true;
}

/** One call; @ret_rc. False: an error that a fault excuses. */
static bool
obj_call(struct sim_worker *w, daos_handle_t oh, const struct map_tgt *tgt, uint32_t *value, bool write, int *ret_rc)
{
	uint64_t out_nr;
	bool     ok;

	sim_call_begin(w, write ? "writing to a target" : "reading from a target");
	out_nr = tgt->out_nr;
	*ret_rc = value_io(oh, value, write);
	SIM_CHECK(*ret_rc != 0 || out_nr == 0 || out_nr != tgt->out_nr,
		  "worker %u: %s succeeds, but target %u of rank %u was excluded before it began", w->id, w->doing,
		  (uint32_t)(tgt - tgts) % sim.opts.tgt_nr, (uint32_t)(tgt - tgts) / sim.opts.tgt_nr);
	ok = sim_call_end(w, *ret_rc, sim.verifying ? 0 : -DER_RF);
	return ok;
}

static void
obj_write(struct sim_worker *w, struct map_obj *o, daos_handle_t oh, const struct map_tgt *tgt)
{
	uint32_t value = (w->id + 1) << 20 | ++model_of(w)->value_next;
	int      rc;

	o->unsure[o->unsure_nr++] = value;
	(void)obj_call(w, oh, tgt, &value, true, &rc);
	if (rc == 0) {
		o->unsure_nr--;
		o->value = value;
	}
}

static void
obj_read(struct sim_worker *w, const struct map_obj *o, daos_handle_t oh, const struct map_tgt *tgt)
{
	uint32_t value = 0;
	int      rc;

	(void)obj_call(w, oh, tgt, &value, false, &rc);
	SIM_CHECK(rc != 0 || may_show(o, value), "worker %u: an object has value %x, the last written is %x", w->id, value,
		  o->value);
}

static void
obj_visit(struct sim_worker *w, uint32_t i, bool write)
{
	struct map_obj *o = &model_of(w)->objs[i];
	daos_handle_t   oh = DAOS_HDL_INVAL;
	struct map_tgt *tgt;

	if (o->unsure_nr == UNSURE_MAX)
		*o = (struct map_obj){.life = o->life + 1};
	if (!obj_open(w, i, &oh, &tgt))
		return;
	if (write)
		obj_write(w, o, oh, tgt);
	else
		obj_read(w, o, oh, tgt);
	(void)daos_obj_close(oh, NULL);
}

static void
map_run(struct sim_worker *w)
{
	while (!sim_work_over(w))
		obj_visit(w, psim_below(OBJ_NR), psim_below(2) == 0);
}

static void
map_verify(struct sim_worker *w)
{
	for (uint32_t i = 0; i < OBJ_NR; i++)
		obj_visit(w, i, false);
}

const struct sim_work sim_work_map = {.name = "map", .run = map_run, .verify = map_verify, .think_ns = 200 * SIM_MS};
