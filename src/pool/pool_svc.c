/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The pool service: a replicated service (rsvc) per pool that keeps the pool's map, properties,
 * attributes and handles, and the containers' metadata, in one rdb (pool_df.h).
 *
 * Invariants:
 *  1. A transaction that writes holds ps_lock for writing from begin to end, one that only reads
 *     holds it for reading. So a transaction sees no half of another's work.
 *  2. ps_map is the map stored in the rdb while the service is up, NULL otherwise. It changes under
 *     the write lock; who uses it over a yield takes a reference.
 *  3. Nothing that a request changed is in memory alone: after a step-up everything is read anew.
 */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_internal.h"

/* ---- transactions ---- */

MAY_YIELD int
pool_tx_begin(struct pool_svc *svc, bool write, struct rdb_tx **ret_tx)
{
	int rc;

	if (write)
		ult_rwlock_wrlock(&svc->ps_lock);
	else
		ult_rwlock_rdlock(&svc->ps_lock);
	rc = rdb_tx_begin(svc->ps_rsvc.rs_rdb, svc->ps_rsvc.rs_term, ret_tx);
	if (rc != 0)
		ult_rwlock_unlock(&svc->ps_lock);
	return rc;
}

MAY_YIELD int
pool_tx_end(struct pool_svc *svc, struct rdb_tx *tx, bool write, int rc)
{
	if (write && rc == 0)
		rc = rdb_tx_commit(tx);
	rdb_tx_end(tx);
	ult_rwlock_unlock(&svc->ps_lock);
	return rc;
}

static void
path_add(struct rdb_path *path, const void *key, size_t bytes)
{
	D_ASSERT(path->nr < ARRAY_NR(path->keys));
	d_iov_set(&path->keys[path->nr++], (void *)key, bytes);
}

struct rdb_path
pool_path(const char *kvs)
{
	struct rdb_path path = {.nr = 0};

	path_add(&path, kvs, strlen(kvs));
	return path;
}

struct rdb_path
pool_path_uuid(const char *kvs, const uuid_t uuid)
{
	struct rdb_path path = pool_path(kvs);

	path_add(&path, uuid, sizeof(uuid_t));
	return path;
}

struct rdb_path
pool_path_uuid_kvs(const char *kvs, const uuid_t uuid, const char *sub)
{
	struct rdb_path path = pool_path_uuid(kvs, uuid);

	path_add(&path, sub, strlen(sub));
	return path;
}

/* ---- life of the service ---- */

static struct rsvc *
svc_alloc(struct engine *eng, const uuid_t uuid)
{
	struct pool_svc *svc = calloc(1, sizeof(*svc));

	if (svc == NULL)
		return NULL;
	ult_rwlock_init(&svc->ps_lock);
	d_list_init(&svc->ps_running);
	return &svc->ps_rsvc;
}

static void
svc_free(struct rsvc *rsvc)
{
	struct pool_svc *svc = CONTAINER_OF(rsvc, struct pool_svc, ps_rsvc);

	D_ASSERT(svc->ps_map == NULL && d_list_empty(&svc->ps_running));
	free(svc);
}

static int
put_str_key(struct rdb_tx *tx, const struct rdb_path *path, const char *name, const void *data, size_t bytes)
{
	d_iov_t key, value;

	d_iov_set(&key, (void *)name, strlen(name));
	d_iov_set(&value, (void *)data, bytes);
	return rdb_tx_update(tx, path, &key, &value);
}

static int
create_kvs(struct rdb_tx *tx, const char *name, enum rdb_kvs_kind kind)
{
	struct rdb_path root = {.nr = 0};
	d_iov_t         key;

	d_iov_set(&key, (void *)name, strlen(name));
	return rdb_tx_create_kvs(tx, &root, &key, kind);
}

int
pool_map_put(struct rdb_tx *tx, const struct pool_map *map)
{
	struct rdb_path path = pool_path(POOL_KVS_POOL);
	size_t          bytes = pool_map_packed_bytes(map);
	void           *buf = malloc(bytes);
	int             rc;

	if (buf == NULL)
		return -DER_NOMEM;
	pool_map_pack(map, buf);
	rc = put_str_key(tx, &path, POOL_KEY_MAP, buf, bytes);
	free(buf);
	return rc;
}

/** The initial content. */
static int
put_initial(struct rdb_tx *tx, const struct pool_create_arg *arg)
{
	struct pool_layout_df layout = {.magic = POOL_LAYOUT_MAGIC, .version = POOL_LAYOUT_VERSION};
	struct rdb_path       pool = pool_path(POOL_KVS_POOL), props = pool_path(POOL_KVS_PROPS);
	struct pool_map      *map;
	int                   rc;

	rc = create_kvs(tx, POOL_KVS_POOL, RDB_KVS_BYTES);
	if (rc == 0)
		rc = create_kvs(tx, POOL_KVS_PROPS, RDB_KVS_U64);
	if (rc == 0)
		rc = create_kvs(tx, POOL_KVS_ATTRS, RDB_KVS_BYTES);
	if (rc == 0)
		rc = create_kvs(tx, POOL_KVS_HDLS, RDB_KVS_BYTES);
	if (rc == 0)
		rc = rsvc_ops_bootstrap(tx);
	if (rc == 0)
		rc = put_str_key(tx, &pool, POOL_KEY_LAYOUT, &layout, sizeof(layout));
	if (rc == 0)
		rc = pool_props_put(tx, &props, arg->prop);
	if (rc == 0)
		rc = pool_map_create(arg->ranks, arg->tgts_per_rank, 1, &map);
	if (rc == 0) {
		rc = pool_map_put(tx, map);
		pool_map_decref(map);
	}
	return rc;
}

MAY_YIELD static int
svc_bootstrap(struct rsvc *rsvc, void *create_arg)
{
	struct pool_svc               *svc = CONTAINER_OF(rsvc, struct pool_svc, ps_rsvc);
	const struct ds_pool_cont_ops *ops = pool_module_of(rsvc->rs_engine)->cont_ops;
	struct rdb_tx                 *tx;
	int                            rc = pool_tx_begin(svc, true, &tx);

	if (rc != 0)
		return rc;
	rc = put_initial(tx, create_arg);
	if (rc == 0 && ops != NULL)
		rc = ops->bootstrap(tx);
	return pool_tx_end(svc, tx, true, rc);
}

MAY_YIELD static int
check_layout(struct rdb_tx *tx, const struct rdb_path *path)
{
	struct pool_layout_df df;
	d_iov_t               key, value;
	int                   rc;

	d_iov_set(&key, POOL_KEY_LAYOUT, strlen(POOL_KEY_LAYOUT));
	d_iov_set(&value, &df, sizeof(df));
	rc = rdb_tx_lookup(tx, path, &key, &value);
	if (rc != 0)
		return rc == -DER_NONEXIST ? -DER_UNINIT : rc;
	if (value.iov_len != sizeof(df) || df.magic != POOL_LAYOUT_MAGIC)
		return -DER_DF_INVAL;
	return df.version == POOL_LAYOUT_VERSION ? 0 : -DER_DF_INCOMPT;
}

MAY_YIELD static int
load(struct pool_svc *svc, struct rdb_tx *tx)
{
	struct rdb_path path = pool_path(POOL_KVS_POOL);
	d_iov_t         key, value = {0};
	int             rc = check_layout(tx, &path);

	if (rc != 0)
		return rc;
	d_iov_set(&key, POOL_KEY_MAP, strlen(POOL_KEY_MAP));
	rc = rdb_tx_lookup(tx, &path, &key, &value);
	if (rc != 0)
		return rc == -DER_NONEXIST ? -DER_DF_INVAL : rc;
	return pool_map_unpack(value.iov_buf, value.iov_len, &svc->ps_map);
}

struct dist_arg {
	struct engine *eng;
	uuid_t         uuid;
};

/** After a step-up: tell the engines, once the service is up. */
MAY_YIELD static void
dist_ult(void *varg)
{
	struct dist_arg *arg = varg;
	struct rsvc_hint hint;
	struct rsvc     *rsvc;
	int              rc;

	ult_yield();
	rc = rsvc_lookup_leader(arg->eng, RSVC_CLASS_POOL, arg->uuid, &rsvc, &hint);
	for (int i = 0; rc == -DER_INPROGRESS && i < 100; i++) {
		ult_sleep_ns(10000000);
		rc = rsvc_lookup_leader(arg->eng, RSVC_CLASS_POOL, arg->uuid, &rsvc, &hint);
	}
	if (rc == 0) {
		pool_svc_distribute(CONTAINER_OF(rsvc, struct pool_svc, ps_rsvc), NULL);
		rsvc_put_leader(rsvc);
	}
	free(arg);
}

static void
distribute_later(struct pool_svc *svc)
{
	struct dist_arg *arg = malloc(sizeof(*arg));

	if (arg == NULL)
		return;
	arg->eng = svc->ps_rsvc.rs_engine;
	uuid_copy(arg->uuid, svc->ps_rsvc.rs_uuid);
	if (dss_ult_create(arg->eng, DSS_TAG_SYS, ULT_POOL_GENERIC, dist_ult, arg, NULL) != 0)
		free(arg);
}

MAY_YIELD static void
svc_step_down(struct rsvc *rsvc)
{
	struct pool_svc               *svc = CONTAINER_OF(rsvc, struct pool_svc, ps_rsvc);
	const struct ds_pool_cont_ops *ops = pool_module_of(rsvc->rs_engine)->cont_ops;

	if (ops != NULL)
		ops->step_down(svc);
	if (svc->ps_map != NULL)
		pool_map_decref(svc->ps_map);
	svc->ps_map = NULL;
}

MAY_YIELD static int
svc_step_up(struct rsvc *rsvc)
{
	struct pool_svc               *svc = CONTAINER_OF(rsvc, struct pool_svc, ps_rsvc);
	const struct ds_pool_cont_ops *ops = pool_module_of(rsvc->rs_engine)->cont_ops;
	struct rdb_tx                 *tx;
	int                            rc = pool_tx_begin(svc, false, &tx);

	if (rc != 0)
		return rc;
	D_ASSERT(svc->ps_map == NULL);
	rc = pool_tx_end(svc, tx, false, load(svc, tx));
	if (rc == 0 && ops != NULL)
		rc = ops->step_up(svc);
	if (rc != 0) {
		svc_step_down(rsvc);
		if (rc != -DER_UNINIT)
			D_ERROR("pool " DF_UUID ": its service cannot step up: " DF_RC, DP_UUID(rsvc->rs_uuid), DP_RC(rc));
		return rc;
	}
	D_NOTE("pool " DF_UUID ": service leads, term %lu, map version %u", DP_UUID(rsvc->rs_uuid),
	       (unsigned long)rsvc->rs_term, pool_map_version(svc->ps_map));
	distribute_later(svc);
	return 0;
}

const struct rsvc_ops pool_rsvc_ops = {
	.alloc = svc_alloc,
	.free = svc_free,
	.bootstrap = svc_bootstrap,
	.step_up = svc_step_up,
	.step_down = svc_step_down,
};

/* ---- replicas ---- */

MAY_YIELD void
pool_svc_create_handler(crt_rpc_t *rpc)
{
	struct pool_svc_create_in  *in = rpc->cr_input;
	struct pool_svc_create_out *out = rpc->cr_output;
	struct pool_create_arg      arg = {.ranks = in->ranks, .tgts_per_rank = in->tgts_per_rank};
	daos_prop_t                *prop = NULL;
	int                         rc = 0;

	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		rc = -DER_NO_PERM;
	else if (in->svc_ranks == NULL || in->ranks == NULL || in->ranks->rl_nr == 0 || in->tgts_per_rank == 0)
		rc = -DER_INVAL;
	if (rc == 0)
		rc = prop_list_decode(in->props.iov_buf, in->props.iov_len, &prop);
	if (rc == 0) {
		arg.prop = prop;
		rc = rsvc_create(dss_engine(), RSVC_CLASS_POOL, in->pool.b, in->svc_ranks, in->bytes,
				 in->bootstrap ? &arg : NULL);
	}
	daos_prop_free(prop);
	if (rc != 0)
		D_ERROR("pool " DF_UUID ": no replica of its service could be made here: " DF_RC, DP_UUID(in->pool.b),
			DP_RC(rc));
	out->rc = rc;
	crt_reply_send(rpc);
}

MAY_YIELD void
pool_svc_stop_handler(crt_rpc_t *rpc)
{
	struct pool_svc_stop_in  *in = rpc->cr_input;
	struct pool_svc_stop_out *out = rpc->cr_output;

	out->rc = rpc->cr_ep.ep_rank == CRT_NO_RANK
		      ? -DER_NO_PERM
		      : rsvc_stop(dss_engine(), RSVC_CLASS_POOL, in->pool.b, in->destroy);
	if (out->rc == -DER_NONEXIST) /* repeated */
		out->rc = 0;
	crt_reply_send(rpc);
}

/** Replicas are on ranks of the pool: where nothing of it is, it was destroyed. */
static int
no_replica(const uuid_t uuid)
{
	struct ds_pool *pool;

	if (!pool_module_of(dss_engine())->set_up)
		return -DER_INPROGRESS; /* what is stored here is not started yet */
	pool = ds_pool_lookup(dss_engine(), uuid);
	if (pool == NULL)
		return -DER_NONEXIST;
	ds_pool_put(pool);
	return -DER_NOTREPLICA;
}

/** Not while another copy of it is under way. */
MAY_YIELD static int
run_once(struct pool_svc *svc, crt_rpc_t *rpc, pool_svc_op_t op)
{
	struct dtx_id          id = pool_op_id(rpc);
	struct rsvc_op_running run;
	int                    rc;

	if (id.hlc == 0)
		return op(svc, rpc);
	rc = rsvc_op_enter(&svc->ps_running, &id, &run);
	if (rc != 0)
		return rc;
	rc = op(svc, rpc);
	rsvc_op_leave(&run);
	return rc;
}

MAY_YIELD void
ds_pool_svc_handle(crt_rpc_t *rpc, pool_svc_op_t op)
{
	struct pool_in_head  *in = rpc->cr_input;
	struct pool_out_head *out = rpc->cr_output;
	struct rsvc_hint      hint = {0};
	struct rsvc          *rsvc;

	out->rc = rsvc_lookup_leader(dss_engine(), RSVC_CLASS_POOL, in->pool.b, &rsvc, &hint);
	if (out->rc == -DER_NOTREPLICA)
		out->rc = no_replica(in->pool.b);
	if (out->rc == 0) {
		out->begun = true;
		out->time = hlc_get(dss_hlc(dss_engine()));
		out->rc = run_once(CONTAINER_OF(rsvc, struct pool_svc, ps_rsvc), rpc, op);
		rsvc_put_leader(rsvc);
	} else if (hint.sh_flags & 1) {
		out->hint_valid = true;
		out->hint_rank = hint.sh_rank;
		out->hint_term = hint.sh_term;
	}
	crt_reply_send(rpc);
}
