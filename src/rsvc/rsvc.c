/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The life of replicated services. A replica is an rdb and a class's record around it:
 *
 *              rdb leads               step_up ok
 *     DOWN ───────────────▶ STEPPING_UP ─────────▶ UP
 *      ▲                       │ failed             │ rdb lost it, or stop
 *      ├───────────────────────┘                    ▼
 *      └──────────────────────────────────────── DRAINING   until no leader reference is held
 *
 * Everything is on the system xstream, so state changes need no lock; rs_mutex is there for waiting.
 *
 * Invariants:
 *  1. rs_leader_ref > 0 only in UP and DRAINING; a reference is given in UP only.
 *  2. The class's step_up and step_down alternate, and step_down runs without leader references.
 *  3. A record lives while rs_ref > 0: the list has one, each leader reference one, a stop under way one.
 *  4. A database that failed (its log could not be written, memory ran out) is closed and opened again from what is stored, after a
 *     pause that grows: what made it fail may be over. One that is gone, or refuses, is left alone.
 */
#define D_LOGFAC LOG_FAC_RSVC
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "platform/platform.h"
#include "rdb/rdb_campaign.h"
#include "rsvc/rsvc.h"

#define WAIT_NS        1000000 /**< between looks at what another ULT does; rare */
#define AGAIN_NS_FIRST (5 * NSEC_PER_SEC) /**< a replica whose database failed is started again after so long */
#define AGAIN_NS_MAX   (60 * NSEC_PER_SEC)
#define AGAIN_LOOK_NS  (100 * NSEC_PER_MSEC)

/** Per engine, dss_module_data() of CRT_MOD_RSVC. */
struct rsvc_module {
	const struct rsvc_ops *ops[RSVC_CLASS_NR];
	d_list_t               services;
	uint32_t               failing_nr; /**< ULTs that stop a replica whose database failed, and start it again */
	bool                   ending;     /**< nothing is started any more */
};

static struct rsvc_module *
module_of(struct engine *eng)
{
	struct rsvc_module *mod = dss_module_data(eng, CRT_MOD_RSVC);

	D_ASSERT(mod != NULL);
	return mod;
}

static const struct rsvc_ops *
ops_of(const struct rsvc *svc)
{
	return module_of(svc->rs_engine)->ops[svc->rs_class];
}

static struct rsvc *
find(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid)
{
	struct rsvc *svc;

	d_list_for_each(svc, &module_of(eng)->services, rs_link) {
		if (svc->rs_class == id && uuid_compare(svc->rs_uuid, uuid) == 0)
			return svc;
	}
	return NULL;
}

static void
put(struct rsvc *svc)
{
	D_ASSERT(svc->rs_ref > 0);
	if (--svc->rs_ref == 0)
		ops_of(svc)->free(svc);
}

/* ---- what the rdb tells ---- */

MAY_YIELD static int
bring_up(struct rsvc *svc)
{
	const struct rsvc_ops *ops = ops_of(svc);
	int                    rc = 0;

	if (svc->rs_bootstrap_arg != NULL) {
		rc = ops->bootstrap(svc, svc->rs_bootstrap_arg);
		if (rc == 0)
			svc->rs_bootstrap_arg = NULL;
	}
	return rc != 0 ? rc : ops->step_up(svc);
}

static bool
has_peers(struct rsvc *svc)
{
	d_rank_list_t *ranks;
	bool           has;

	if (rdb_get_replicas(svc->rs_rdb, &ranks) != 0)
		return false;
	has = ranks->rl_nr > 1;
	d_rank_list_free(ranks);
	return has;
}

MAY_YIELD static int
rdb_stepped_up(struct rdb *db, uint64_t term, void *arg)
{
	struct rsvc *svc = arg;
	int          rc;

	D_ASSERT(svc->rs_state == RSVC_DOWN);
	svc->rs_rdb = db; /* rdb_create() may not have returned yet */
	svc->rs_term = term;
	svc->rs_state = RSVC_STEPPING_UP;
	rc = bring_up(svc);
	svc->rs_state = rc == 0 ? RSVC_UP : RSVC_DOWN;
	svc->rs_up_rc = rc;
	svc->rs_up_nr++;
	ult_cond_broadcast(&svc->rs_cond);
	if (rc == 0) {
		D_INFO("service " DF_UUID ": up in term %lu", DP_UUID(svc->rs_uuid), (unsigned long)term);
	} else if (rc == -DER_UNINIT && !has_peers(svc)) {
		D_NOTE("service " DF_UUID ": was never bootstrapped, stays down", DP_UUID(svc->rs_uuid));
		rc = 0;
	}
	return rc;
}

MAY_YIELD static void
rdb_stepped_down(struct rdb *db, uint64_t term, void *arg)
{
	struct rsvc *svc = arg;

	(void)db;
	if (svc->rs_state != RSVC_UP)
		return; /* not bootstrapped */
	D_INFO("service " DF_UUID ": down, was up in term %lu", DP_UUID(svc->rs_uuid), (unsigned long)term);
	svc->rs_state = RSVC_DRAINING;
	ult_mutex_lock(&svc->rs_mutex);
	while (svc->rs_leader_ref > 0)
		ult_cond_wait(&svc->rs_cond, &svc->rs_mutex);
	ult_mutex_unlock(&svc->rs_mutex);
	ops_of(svc)->step_down(svc);
	svc->rs_state = RSVC_DOWN;
	ult_cond_broadcast(&svc->rs_cond);
}

MAY_YIELD static void stop_running(struct rsvc *svc);

/** False: the engine ends. */
MAY_YIELD static bool
pause_before_again(struct rsvc_module *mod, uint64_t ns)
{
	for (uint64_t waited_ns = 0; waited_ns < ns && !mod->ending; waited_ns += AGAIN_LOOK_NS)
		ult_sleep_ns(AGAIN_LOOK_NS);
	return !mod->ending;
}

MAY_YIELD static void
start_again(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid)
{
	struct rsvc_module *mod = module_of(eng);
	uint64_t            pause_ns = AGAIN_NS_FIRST;
	int                 rc = -DER_NOMEM;

	while (rc == -DER_NOMEM && pause_before_again(mod, pause_ns)) {
		rc = rsvc_start(eng, id, uuid);
		pause_ns = MIN_OF(2 * pause_ns, AGAIN_NS_MAX);
	}
	if (rc == 0)
		D_NOTE("service " DF_UUID ": this replica runs again", DP_UUID(uuid));
	else if (rc != -DER_NOMEM && rc != -DER_NONEXIST && rc != -DER_ALREADY)
		D_ERROR("service " DF_UUID ": this replica can't be started again: " DF_RC ". Restart the engine", DP_UUID(uuid),
			DP_RC(rc));
	if (rc == 0 && mod->ending) /* who ended it all did not see this one */
		(void)!rsvc_stop(eng, id, uuid, false);
}

MAY_YIELD static void
failed_ult(void *arg)
{
	struct rsvc        *svc = arg;
	struct engine      *eng = svc->rs_engine;
	struct rsvc_module *mod = module_of(eng);
	enum rsvc_class_id  id = svc->rs_class;
	bool                again = !svc->rs_stopping && svc->rs_bootstrap_arg == NULL;
	uuid_t              uuid;

	uuid_copy(uuid, svc->rs_uuid);
	if (!svc->rs_stopping)
		stop_running(svc);
	put(svc);
	if (again)
		start_again(eng, id, uuid);
	mod->failing_nr--;
}

MAY_YIELD static void
rdb_failed(struct rdb *db, int err, void *arg)
{
	struct rsvc *svc = arg;

	(void)db;
	D_ERROR("service " DF_UUID ": its database failed, this replica stops: " DF_RC,
		DP_UUID(svc->rs_uuid), DP_RC(err));
	svc->rs_up_rc = err;
	svc->rs_up_nr++;
	ult_cond_broadcast(&svc->rs_cond);
	svc->rs_ref++;
	module_of(svc->rs_engine)->failing_nr++;
	while (ult_create(NULL, ULT_POOL_GENERIC, failed_ult, svc, 0, NULL) != 0) {
		if (svc->rs_stopping) { /* somebody else does, and waits for us */
			module_of(svc->rs_engine)->failing_nr--;
			put(svc);
			return;
		}
		ult_sleep_ns(AGAIN_LOOK_NS); /* it may have failed for want of memory */
	}
}

static const struct rdb_cbs rdb_cbs = {
    .step_up = rdb_stepped_up, .step_down = rdb_stepped_down, .stop = rdb_failed};

/* ---- create, start, stop ---- */

int
rsvc_class_register(struct engine *eng, enum rsvc_class_id id, const struct rsvc_ops *ops)
{
	struct rsvc_module *mod = module_of(eng);

	if ((unsigned)id >= RSVC_CLASS_NR)
		return -DER_INVAL;
	if (mod->ops[id] != NULL)
		return -DER_EXIST;
	mod->ops[id] = ops;
	return 0;
}

static int
record_new(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid, struct rsvc **ret_svc)
{
	struct rsvc_module *mod = module_of(eng);
	struct rsvc        *svc;

	if ((unsigned)id >= RSVC_CLASS_NR || mod->ops[id] == NULL)
		return -DER_UNINIT;
	if (find(eng, id, uuid) != NULL)
		return -DER_ALREADY;
	svc = mod->ops[id]->alloc(eng, uuid);
	if (svc == NULL)
		return -DER_NOMEM;
	svc->rs_engine = eng;
	uuid_copy(svc->rs_uuid, uuid);
	svc->rs_class = id;
	svc->rs_rdb = NULL;
	svc->rs_state = RSVC_DOWN;
	svc->rs_ref = 1;
	svc->rs_leader_ref = 0;
	svc->rs_bootstrap_arg = NULL;
	svc->rs_up_rc = 0;
	svc->rs_up_nr = 0;
	svc->rs_stopping = false;
	ult_mutex_init(&svc->rs_mutex);
	ult_cond_init(&svc->rs_cond);
	d_list_add_tail(&svc->rs_link, &mod->services);
	*ret_svc = svc;
	return 0;
}

static void
record_end(struct rsvc *svc)
{
	d_list_del(&svc->rs_link);
	put(svc);
}

/** Until it was up or failed to come up. */
MAY_YIELD static int
wait_first_attempt(struct rsvc *svc)
{
	ult_mutex_lock(&svc->rs_mutex);
	while (svc->rs_up_nr == 0)
		ult_cond_wait(&svc->rs_cond, &svc->rs_mutex);
	ult_mutex_unlock(&svc->rs_mutex);
	return svc->rs_up_rc;
}

/** The record has its list reference until here; the caller has one of its own, or is the only one. */
MAY_YIELD static void
stop_running(struct rsvc *svc)
{
	struct rdb *db = svc->rs_rdb;

	svc->rs_stopping = true;
	rdb_stop(db); /* steps down, which waits for leader references */
	svc->rs_rdb = NULL;
	record_end(svc);
}

MAY_YIELD static void
undo_create(struct engine *eng, struct rsvc *svc)
{
	uuid_t uuid;

	uuid_copy(uuid, svc->rs_uuid);
	if (!svc->rs_stopping)
		stop_running(svc);
	while (svc->rs_rdb != NULL) /* its database failed, and a ULT of its own stops it */
		ult_sleep_ns(WAIT_NS);
	if (rdb_destroy(eng, uuid) != 0)
		D_ERROR("service " DF_UUID ": the database of a failed creation is left behind", DP_UUID(uuid));
}

MAY_YIELD int
rsvc_create(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid, const d_rank_list_t *replicas,
	    uint64_t bytes, void *bootstrap_arg)
{
	struct rsvc *svc;
	struct rdb  *db;
	int          rc = record_new(eng, id, uuid, &svc);

	if (rc != 0)
		return rc;
	svc->rs_bootstrap_arg = bootstrap_arg;
	svc->rs_ref++;
	rc = rdb_create(eng, uuid, bytes, replicas, &rdb_cbs, svc, &db);
	if (rc != 0) {
		record_end(svc);
		put(svc);
		return rc;
	}
	svc->rs_rdb = db;
	if (bootstrap_arg != NULL) {
		rdb_campaign(db);
		rc = wait_first_attempt(svc);
		svc->rs_bootstrap_arg = NULL; /* the caller's, until here */
		if (rc != 0)
			undo_create(eng, svc);
	}
	put(svc);
	return rc;
}

MAY_YIELD int
rsvc_start(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid)
{
	struct rsvc *svc;
	struct rdb  *db;
	int          rc = record_new(eng, id, uuid, &svc);

	if (rc != 0)
		return rc;
	rc = rdb_start(eng, uuid, &rdb_cbs, svc, &db);
	if (rc != 0) {
		record_end(svc);
		return rc;
	}
	svc->rs_rdb = db;
	return 0;
}

struct uuid_list {
	uuid_t  *uuids;
	uint32_t nr;
};

static int
collect(const uuid_t uuid, void *arg)
{
	struct uuid_list *list = arg;
	uuid_t           *uuids = realloc(list->uuids, (list->nr + 1) * sizeof(uuid_t));

	if (uuids == NULL)
		return -DER_NOMEM;
	list->uuids = uuids;
	uuid_copy(list->uuids[list->nr++], uuid);
	return 0;
}

MAY_YIELD int
rsvc_start_all(struct engine *eng, enum rsvc_class_id id)
{
	struct uuid_list list = {0};
	int              rc = rdb_list(eng, collect, &list);

	for (uint32_t i = 0; i < list.nr && rc == 0; i++) {
		int start_rc = rsvc_start(eng, id, list.uuids[i]);

		if (start_rc != 0 && start_rc != -DER_ALREADY)
			D_ERROR("service " DF_UUID ": this replica can't be started: " DF_RC,
				DP_UUID(list.uuids[i]), DP_RC(start_rc));
	}
	free(list.uuids);
	return rc;
}

MAY_YIELD int
rsvc_stop(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid, bool destroy)
{
	struct rsvc *svc = find(eng, id, uuid);
	uuid_t       copy;

	uuid_copy(copy, uuid); /* the caller's may be the record's */
	if (svc == NULL)
		return destroy ? rdb_destroy(eng, copy) : -DER_NONEXIST;
	if (svc->rs_stopping || svc->rs_rdb == NULL)
		return -DER_BUSY;
	stop_running(svc);
	return destroy ? rdb_destroy(eng, copy) : 0;
}

MAY_YIELD void
rsvc_stop_all(struct engine *eng, enum rsvc_class_id id)
{
	module_of(eng)->ending = true;
	for (;;) {
		struct rsvc *svc, *next = NULL;

		d_list_for_each(svc, &module_of(eng)->services, rs_link) {
			if (svc->rs_class == id) {
				next = svc;
				break;
			}
		}
		if (next == NULL)
			break;
		if (next->rs_stopping || next->rs_rdb == NULL)
			ult_sleep_ns(WAIT_NS); /* another ULT starts or stops it */
		else
			stop_running(next);
	}
}

/* ---- references to leaders ---- */

static void
fill_hint(struct rsvc *svc, struct rsvc_hint *hint)
{
	memset(hint, 0, sizeof(*hint));
	if (svc->rs_rdb == NULL || rdb_get_leader(svc->rs_rdb, &hint->sh_term, &hint->sh_rank) != 0)
		return;
	hint->sh_flags = 1;
}

int
rsvc_lookup_leader(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid, struct rsvc **ret_svc,
		   struct rsvc_hint *hint)
{
	struct rsvc *svc = find(eng, id, uuid);

	if (hint != NULL)
		memset(hint, 0, sizeof(*hint));
	if (svc == NULL)
		return -DER_NOTREPLICA;
	if (hint != NULL)
		fill_hint(svc, hint);
	if (svc->rs_state == RSVC_STEPPING_UP)
		return -DER_INPROGRESS;
	if (svc->rs_state != RSVC_UP || svc->rs_stopping || svc->rs_rdb == NULL ||
	    !rdb_is_leader(svc->rs_rdb, NULL))
		return -DER_NOTLEADER;
	svc->rs_ref++;
	svc->rs_leader_ref++;
	*ret_svc = svc;
	return 0;
}

void
rsvc_put_leader(struct rsvc *svc)
{
	D_ASSERT(svc->rs_leader_ref > 0);
	if (--svc->rs_leader_ref == 0)
		ult_cond_broadcast(&svc->rs_cond);
	put(svc);
}

MAY_YIELD int
rsvc_for_each_leader(struct engine *eng, enum rsvc_class_id id, int (*cb)(struct rsvc *svc, void *arg), void *arg)
{
	struct uuid_list list = {0};
	struct rsvc     *svc;
	int              rc = 0;

	d_list_for_each(svc, &module_of(eng)->services, rs_link) {
		if (svc->rs_class == id && rc == 0)
			rc = collect(svc->rs_uuid, &list);
	}
	for (uint32_t i = 0; i < list.nr && rc == 0; i++) {
		if (rsvc_lookup_leader(eng, id, list.uuids[i], &svc, NULL) != 0)
			continue;
		rc = cb(svc, arg);
		rsvc_put_leader(svc);
	}
	free(list.uuids);
	return rc;
}

/* ---- the module ---- */

MAY_YIELD static int
mod_init(struct engine *eng)
{
	struct rsvc_module *mod = calloc(1, sizeof(*mod));

	if (mod == NULL)
		return -DER_NOMEM;
	d_list_init(&mod->services);
	dss_module_set_data(eng, CRT_MOD_RSVC, mod);
	return 0;
}

MAY_YIELD static void
mod_cleanup(struct engine *eng)
{
	for (int id = 0; id < RSVC_CLASS_NR; id++)
		rsvc_stop_all(eng, id);
}

MAY_YIELD static void
mod_fini(struct engine *eng)
{
	mod_cleanup(eng); /* services may run without a setup */
	while (module_of(eng)->failing_nr > 0)
		ult_sleep_ns(WAIT_NS);
	free(module_of(eng));
	dss_module_set_data(eng, CRT_MOD_RSVC, NULL);
}

const struct dss_module dss_module_rsvc = {
	.sm_name = "rsvc",
	.sm_mod_id = CRT_MOD_RSVC,
	.sm_init = mod_init,
	.sm_fini = mod_fini,
	.sm_cleanup = mod_cleanup,
};
