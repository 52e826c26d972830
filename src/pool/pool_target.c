/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Pools on an engine: the record for all of it (ds_pool), and a shard on each target (ds_pool_child).
 *
 * Invariants:
 *  1. The module's list of pools and the members of ds_pool that change (map, ranks) are under the
 *     module's lock. pool_start() and pool_stop() run on xstream 0, one at a time; once all were stopped none starts: a
 *     pool whose creation was under way while its engine stops would be left open.
 *  2. A child belongs to its target's xstream. It is in the list of that xstream's data from the end
 *     of its opening to the start of its closing; closing waits until no reference is left.
 *  3. A child holds a reference of its ds_pool; the list of pools holds another.
 */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_internal.h"

#define BEHIND_TIMEOUT_S 30

struct pool_module *
pool_module_of(struct engine *eng)
{
	struct pool_module *pm = dss_module_data(eng, CRT_MOD_POOL);

	D_ASSERT(pm != NULL);
	return pm;
}

/* ---- children ---- */

void *
pool_tls_init(struct dss_xstream *dx)
{
	struct pool_tls *tls = malloc(sizeof(*tls));

	if (tls != NULL)
		d_list_init(&tls->children);
	return tls;
}

MAY_YIELD void
pool_tls_fini(struct dss_xstream *dx, void *data)
{
	struct pool_tls *tls = data;

	D_ASSERT(d_list_empty(&tls->children));
	free(tls);
}

static struct pool_child *
child_find(const uuid_t uuid)
{
	struct pool_tls   *tls = dss_module_tls(&pool_module_key);
	struct pool_child *child;

	d_list_for_each(child, &tls->children, pub.spc_link) {
		if (uuid_compare(child->pub.spc_pool->sp_uuid, uuid) == 0)
			return child;
	}
	return NULL;
}

struct ds_pool_child *
ds_pool_child_lookup(const uuid_t uuid)
{
	struct pool_child *child = child_find(uuid);

	if (child == NULL)
		return NULL;
	child->pub.spc_ref++;
	return &child->pub;
}

void
ds_pool_child_put(struct ds_pool_child *pub)
{
	struct pool_child *child = CONTAINER_OF(pub, struct pool_child, pub);

	D_ASSERT(pub->spc_ref > 0);
	if (--pub->spc_ref == 0) {
		D_ASSERT(child->stopping);
		ult_eventual_set(&child->idle, 0);
	}
}

static void
child_free(struct pool_child *child)
{
	ds_pool_put(child->pub.spc_pool);
	free(child);
}

MAY_YIELD static int
child_open(struct ds_pool *pool, uint32_t tgt)
{
	const struct ds_pool_cont_ops *ops = pool_module_of(pool->sp_engine)->cont_ops;
	struct pool_tls               *tls = dss_module_tls(&pool_module_key);
	struct pool_child             *child = calloc(1, sizeof(*child));
	int                            rc;

	if (child == NULL)
		return -DER_NOMEM;
	child->pub.spc_tgt_idx = tgt;
	child->pub.spc_ref = 1;
	d_list_init(&child->pub.spc_link);
	d_list_init(&child->pub.spc_cont_list);
	ult_eventual_init(&child->idle);
	rc = vos_pool_open(&dss_self()->dx_store, pool->sp_uuid, &child->pub.spc_vos);
	if (rc != 0) {
		free(child);
		return rc;
	}
	pool->sp_ref++;
	child->pub.spc_pool = pool;
	rc = ops == NULL ? 0 : ops->child_open(&child->pub);
	if (rc != 0) {
		vos_pool_close(child->pub.spc_vos);
		child_free(child);
		return rc;
	}
	d_list_add_tail(&child->pub.spc_link, &tls->children);
	return 0;
}

MAY_YIELD static int
child_start_on(void *arg, uint32_t tgt)
{
	struct ds_pool *pool = arg;
	int             rc;

	if (tgt >= pool->sp_tgt_nr || child_find(pool->sp_uuid) != NULL)
		return 0;
	rc = child_open(pool, tgt);
	if (rc != 0)
		D_ERROR("pool " DF_UUID ": its shard on target %u cannot be opened: " DF_RC, DP_UUID(pool->sp_uuid), tgt,
			DP_RC(rc));
	return rc;
}

MAY_YIELD static int
child_stop_on(void *arg, uint32_t tgt)
{
	struct ds_pool                *pool = arg;
	const struct ds_pool_cont_ops *ops = pool_module_of(pool->sp_engine)->cont_ops;
	struct pool_child             *child = child_find(pool->sp_uuid);

	if (child == NULL)
		return 0;
	d_list_del(&child->pub.spc_link);
	child->stopping = true;
	if (ops != NULL)
		ops->child_close(&child->pub);
	ds_pool_child_put(&child->pub);
	(void)ult_eventual_wait(&child->idle);
	if (ops != NULL)
		ops->child_gone(&child->pub);
	vos_pool_close(child->pub.spc_vos);
	child_free(child);
	return 0;
}

/* ---- pools ---- */

static struct ds_pool *
pool_alloc(struct engine *eng, const uuid_t uuid, uint32_t tgt_nr)
{
	struct pool_entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	uuid_copy(entry->pub.sp_uuid, uuid);
	entry->pub.sp_engine = eng;
	entry->pub.sp_tgt_nr = tgt_nr;
	entry->pub.sp_ref = 1;
	entry->pub.sp_reclaim = DAOS_RECLAIM_LAZY;
	entry->pub.sp_tgt_status = calloc(MAX_OF(tgt_nr, 1u), sizeof(*entry->pub.sp_tgt_status));
	if (entry->pub.sp_tgt_status == NULL) {
		free(entry);
		return NULL;
	}
	for (uint32_t i = 0; i < tgt_nr; i++)
		entry->pub.sp_tgt_status[i] = PO_COMP_ST_UPIN; /* until a map says otherwise */
	d_list_init(&entry->link);
	return &entry->pub;
}

void
ds_pool_put(struct ds_pool *pool)
{
	D_ASSERT(pool->sp_ref > 0);
	if (--pool->sp_ref > 0)
		return;
	if (pool->sp_map != NULL)
		pool_map_decref(pool->sp_map);
	d_rank_list_free(pool->sp_svc_ranks);
	free(pool->sp_tgt_status);
	free(CONTAINER_OF(pool, struct pool_entry, pub));
}

static struct pool_entry *
entry_find(struct pool_module *pm, const uuid_t uuid)
{
	struct pool_entry *entry;

	d_list_for_each(entry, &pm->pools, link) {
		if (uuid_compare(entry->pub.sp_uuid, uuid) == 0)
			return entry;
	}
	return NULL;
}

struct ds_pool *
ds_pool_lookup(struct engine *eng, const uuid_t uuid)
{
	struct pool_module *pm = pool_module_of(eng);
	struct pool_entry  *entry;

	pthread_mutex_lock(&pm->lock);
	entry = entry_find(pm, uuid);
	if (entry != NULL)
		entry->pub.sp_ref++;
	pthread_mutex_unlock(&pm->lock);
	return entry == NULL ? NULL : &entry->pub;
}

struct pool_map *
ds_pool_map_get(struct ds_pool *pool)
{
	struct pool_module *pm = pool_module_of(pool->sp_engine);
	struct pool_map    *map;

	pthread_mutex_lock(&pm->lock);
	map = pool->sp_map == NULL ? NULL : pool_map_addref(pool->sp_map);
	pthread_mutex_unlock(&pm->lock);
	return map;
}

MAY_YIELD int
ds_pool_svc_ranks(struct ds_pool *pool, d_rank_list_t **ret_ranks)
{
	struct pool_module *pm = pool_module_of(pool->sp_engine);
	int                 rc = -DER_NONEXIST;

	pthread_mutex_lock(&pm->lock);
	if (pool->sp_svc_ranks != NULL)
		rc = d_rank_list_dup(pool->sp_svc_ranks, ret_ranks);
	pthread_mutex_unlock(&pm->lock);
	return rc == -DER_NONEXIST ? ds_mgmt_pool_svc(pool->sp_engine, pool->sp_uuid, ret_ranks) : rc;
}

struct apply {
	struct ds_pool *pool;
	uint64_t        data_thresh, space_rb;
};

MAY_YIELD static int
apply_on(void *arg, uint32_t tgt)
{
	struct apply         *apply = arg;
	struct ds_pool_child *child = ds_pool_child_lookup(apply->pool->sp_uuid);

	if (child == NULL)
		return 0;
	if (apply->data_thresh != UINT64_MAX)
		vos_pool_set_data_thresh(child->spc_vos, apply->data_thresh);
	if (apply->space_rb != UINT64_MAX)
		vos_pool_set_reserve(child->spc_vos, apply->space_rb);
	ds_pool_child_put(child);
	return 0;
}

MAY_YIELD void
pool_apply_props(struct ds_pool *pool, const daos_prop_t *prop)
{
	struct apply apply = {.pool = pool};

	pool->sp_reclaim = prop_list_num(prop, DAOS_PROP_PO_RECLAIM, pool->sp_reclaim);
	apply.data_thresh = prop_list_num(prop, DAOS_PROP_PO_DATA_THRESH, UINT64_MAX);
	apply.space_rb = prop_list_num(prop, DAOS_PROP_PO_SPACE_RB, UINT64_MAX);
	(void)!dss_tgt_collective(pool->sp_engine, apply_on, &apply);
}

/** Of our targets, for requests that come now. */
static void
note_status(struct ds_pool *pool, const struct pool_map *map)
{
	d_rank_t self = crt_rank_self(dss_crt(pool->sp_engine));

	for (uint32_t i = 0; i < pool->sp_tgt_nr; i++) {
		const struct pool_target *tgt = pool_map_find(map, self, i);

		pool->sp_tgt_status[i] = tgt == NULL ? PO_COMP_ST_DOWNOUT : tgt->status;
	}
}

/** Take @map. */
static void
set_map_and_ranks(struct ds_pool *pool, struct pool_map *map, const d_rank_list_t *svc_ranks)
{
	struct pool_module *pm = pool_module_of(pool->sp_engine);
	d_rank_list_t      *ranks = NULL, *old_ranks = NULL;
	struct pool_map    *old = map;

	if (svc_ranks != NULL && d_rank_list_dup(svc_ranks, &ranks) != 0)
		ranks = NULL; /* the old ones lead to the leader as well */
	pthread_mutex_lock(&pm->lock);
	if (map != NULL && pool_map_version(map) > pool->sp_map_version) {
		old = pool->sp_map;
		pool->sp_map = map;
		note_status(pool, map);
		pool->sp_map_version = pool_map_version(map);
	}
	if (ranks != NULL) {
		old_ranks = pool->sp_svc_ranks;
		pool->sp_svc_ranks = ranks;
	}
	pthread_mutex_unlock(&pm->lock);
	if (old != NULL)
		pool_map_decref(old);
	d_rank_list_free(old_ranks);
}

int
ds_pool_learn(struct ds_pool *pool, const d_iov_t *map_iov, const d_rank_list_t *svc_ranks)
{
	struct pool_map *map = NULL;
	int              rc = 0;

	if (map_iov->iov_len > 0)
		rc = pool_map_unpack(map_iov->iov_buf, map_iov->iov_len, &map);
	if (rc == 0)
		set_map_and_ranks(pool, map, svc_ranks);
	return rc;
}

/* ---- news that were lost ---- */

struct behind {
	struct engine *eng;
	uuid_t         uuid;
};

static void
behind_fill(void *vin, void *arg)
{
	struct pool_query_in *in = vin;
	struct ds_pool       *pool = arg;

	uuid_copy(in->pool.b, pool->sp_uuid);
	in->map_version = pool->sp_map_version;
}

MAY_YIELD static int
ask_service(struct ds_pool *pool)
{
	struct pool_query_out *out;
	d_rank_list_t         *ranks;
	crt_rpc_t             *rpc;
	int                    rc = ds_pool_svc_ranks(pool, &ranks);

	if (rc != 0)
		return rc;
	rc = ds_pool_svc_call(ranks, POOL_OPC(POOL_QUERY), behind_fill, pool, BEHIND_TIMEOUT_S, &rpc);
	d_rank_list_free(ranks);
	if (rc != 0)
		return rc;
	out = rpc->cr_output;
	rc = ds_pool_learn(pool, &out->map, out->svc_ranks);
	crt_req_decref(rpc);
	return rc;
}

MAY_YIELD static void
behind_ult(void *varg)
{
	struct behind  *arg = varg;
	struct ds_pool *pool = ds_pool_lookup(arg->eng, arg->uuid);
	int             rc;

	if (pool != NULL) {
		rc = ask_service(pool);
		if (rc != 0)
			D_WARN("pool " DF_UUID ": there is a newer map, but the service does not tell it: " DF_RC,
			       DP_UUID(arg->uuid), DP_RC(rc));
		pool->sp_asking = false;
		ds_pool_put(pool);
	}
	free(arg);
}

void
ds_pool_behind(struct ds_pool *pool)
{
	struct behind *arg;

	if (atomic_exchange(&pool->sp_asking, true))
		return;
	arg = malloc(sizeof(*arg));
	if (arg != NULL) {
		arg->eng = pool->sp_engine;
		uuid_copy(arg->uuid, pool->sp_uuid);
		if (dss_ult_create(arg->eng, DSS_TAG_SYS, ULT_POOL_GENERIC, behind_ult, arg, NULL) == 0)
			return;
	}
	free(arg);
	pool->sp_asking = false;
}

MAY_YIELD static int
start_locked(struct engine *eng, const uuid_t uuid, uint32_t tgt_nr)
{
	struct pool_module *pm = pool_module_of(eng);
	struct ds_pool     *pool = ds_pool_lookup(eng, uuid);
	int                 rc;

	if (pool != NULL) {
		ds_pool_put(pool);
		return 0;
	}
	pool = pool_alloc(eng, uuid, tgt_nr);
	if (pool == NULL)
		return -DER_NOMEM;
	rc = dss_tgt_collective(eng, child_start_on, pool);
	if (rc != 0) {
		(void)!dss_tgt_collective(eng, child_stop_on, pool);
		ds_pool_put(pool);
		return rc;
	}
	pthread_mutex_lock(&pm->lock);
	d_list_add_tail(&CONTAINER_OF(pool, struct pool_entry, pub)->link, &pm->pools);
	pthread_mutex_unlock(&pm->lock);
	return 0;
}

MAY_YIELD int
pool_start(struct engine *eng, const uuid_t uuid, uint32_t tgt_nr)
{
	struct pool_module *pm = pool_module_of(eng);
	int                 rc;

	ult_mutex_lock(&pm->start_stop);
	rc = pm->stopping ? -DER_SHUTDOWN : start_locked(eng, uuid, tgt_nr);
	ult_mutex_unlock(&pm->start_stop);
	return rc;
}

MAY_YIELD static void
stop_locked(struct engine *eng, const uuid_t uuid)
{
	struct pool_module *pm = pool_module_of(eng);
	struct pool_entry  *entry;

	pthread_mutex_lock(&pm->lock);
	entry = entry_find(pm, uuid);
	if (entry != NULL)
		d_list_del(&entry->link);
	pthread_mutex_unlock(&pm->lock);
	if (entry == NULL)
		return;
	(void)!dss_tgt_collective(eng, child_stop_on, &entry->pub);
	ds_pool_put(&entry->pub);
}

MAY_YIELD void
pool_stop(struct engine *eng, const uuid_t uuid)
{
	struct pool_module *pm = pool_module_of(eng);

	ult_mutex_lock(&pm->start_stop);
	stop_locked(eng, uuid);
	ult_mutex_unlock(&pm->start_stop);
}

MAY_YIELD static void
stop_each(struct engine *eng)
{
	struct pool_module *pm = pool_module_of(eng);
	struct pool_entry  *entry;
	uuid_t              uuid;

	for (;;) {
		pthread_mutex_lock(&pm->lock);
		entry = d_list_first(&pm->pools, struct pool_entry, link);
		if (entry != NULL)
			uuid_copy(uuid, entry->pub.sp_uuid);
		pthread_mutex_unlock(&pm->lock);
		if (entry == NULL)
			return;
		stop_locked(eng, uuid);
	}
}

MAY_YIELD void
pool_stop_all(struct engine *eng)
{
	struct pool_module *pm = pool_module_of(eng);

	ult_mutex_lock(&pm->start_stop);
	pm->stopping = true;
	stop_each(eng);
	ult_mutex_unlock(&pm->start_stop);
}

/* ---- making and unmaking shards ---- */

struct tgts_make {
	const unsigned char        *uuid;
	uint32_t                    tgt_nr;
	const struct vos_pool_size *size;
	bool                       *made; /* [targets of the engine] by this call */
};

MAY_YIELD static int
make_on(void *arg, uint32_t tgt)
{
	struct tgts_make *make = arg;
	int               rc;

	if (tgt >= make->tgt_nr)
		return 0;
	rc = vos_pool_create(&dss_self()->dx_store, make->uuid, make->size);
	make->made[tgt] = rc == 0;
	return rc;
}

MAY_YIELD static int
unmake_on(void *arg, uint32_t tgt)
{
	struct tgts_make *make = arg;
	int               rc;

	if (make->made != NULL && !make->made[tgt])
		return 0;
	rc = vos_pool_destroy(&dss_self()->dx_store, make->uuid);
	return rc == -DER_NONEXIST ? 0 : rc;
}

MAY_YIELD int
pool_tgts_create(struct engine *eng, const uuid_t uuid, uint32_t tgt_nr, const struct vos_pool_size *size)
{
	struct tgts_make make = {.uuid = uuid, .tgt_nr = tgt_nr, .size = size};
	int              rc, undo;

	if (tgt_nr == 0 || tgt_nr > dss_tgt_nr(eng))
		return -DER_INVAL;
	make.made = calloc(dss_tgt_nr(eng), sizeof(*make.made));
	if (make.made == NULL)
		return -DER_NOMEM;
	rc = dss_tgt_collective(eng, make_on, &make);
	if (rc == 0)
		rc = pool_start(eng, uuid, tgt_nr);
	if (rc != 0) {
		undo = dss_tgt_collective(eng, unmake_on, &make);
		if (undo != 0)
			D_ERROR("pool " DF_UUID ": shards of a failed creation remain: " DF_RC ". Destroy the pool.",
				DP_UUID(uuid), DP_RC(undo));
	}
	free(make.made);
	return rc;
}

MAY_YIELD int
pool_tgts_destroy(struct engine *eng, const uuid_t uuid)
{
	struct tgts_make make = {.uuid = uuid};

	pool_stop(eng, uuid);
	return dss_tgt_collective(eng, unmake_on, &make);
}

/* ---- space ---- */

struct tgts_space {
	const unsigned char *uuid;
	uint64_t            *v;
};

MAY_YIELD static int
space_on(void *arg, uint32_t tgt)
{
	struct tgts_space    *space = arg;
	struct ds_pool_child *child = ds_pool_child_lookup(space->uuid);
	struct vos_pool_info  info;
	uint64_t             *v = &space->v[4 * tgt];

	if (child == NULL)
		return 0;
	vos_pool_query(child->spc_vos, &info);
	v[0] = info.scm_total;
	v[1] = info.scm_free;
	v[2] = info.nvme_total;
	v[3] = info.nvme_free;
	ds_pool_child_put(child);
	return 0;
}

MAY_YIELD int
pool_tgts_space(struct engine *eng, const uuid_t uuid, uint64_t **ret_v, uint32_t *ret_nr)
{
	struct ds_pool   *pool = ds_pool_lookup(eng, uuid);
	struct tgts_space space = {.uuid = uuid};
	int               rc;

	if (pool == NULL)
		return -DER_NONEXIST;
	space.v = calloc(dss_tgt_nr(eng), 4 * sizeof(*space.v));
	rc = space.v == NULL ? -DER_NOMEM : dss_tgt_collective(eng, space_on, &space);
	if (rc != 0) {
		free(space.v);
	} else {
		*ret_v = space.v;
		*ret_nr = 4 * pool->sp_tgt_nr;
	}
	ds_pool_put(pool);
	return rc;
}
