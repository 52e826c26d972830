/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Pools on the client: handles, connecting, disconnecting, the map.
 *
 * A request may be repeated by dc_svc_call(), which names it. What is allocated for a call is freed in its
 * `done`, which runs once.
 */
#define D_LOGFAC LOG_FAC_POOL
#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "base/rank_list.h"
#include "mgmt/mgmt_client.h"
#include "mgmt/mgmt_rpc.h"
#include "platform/platform.h"
#include "pool/pool_client_int.h"

/* ---- handles ---- */

static void
pool_free(struct d_hlink *hlink)
{
	struct dc_pool *pool = CONTAINER_OF(hlink, struct dc_pool, dp_hlink);

	if (pool->dp_map != NULL)
		pool_map_decref(pool->dp_map);
	if (pool->dp_svc.ds_ranks != NULL)
		dc_svc_fini(&pool->dp_svc);
	pthread_mutex_destroy(&pool->dp_lock);
	free(pool);
}

static const struct d_hlink_ops pool_hlink_ops = {.type = DAOS_HTYPE_POOL, .free = pool_free};

static struct dc_pool *
pool_alloc(struct client *cl)
{
	struct dc_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	d_hlink_init(&pool->dp_hlink, &pool_hlink_ops);
	pthread_mutex_init(&pool->dp_lock, NULL);
	pool->dp_client = cl;
	plat_uuid_generate(pool->dp_hdl);
	return pool;
}

struct dc_pool *
dc_hdl2pool(struct client *cl, daos_handle_t poh)
{
	struct d_hlink *hlink = dc_hdl_lookup(cl, poh, DAOS_HTYPE_POOL);

	return hlink == NULL ? NULL : CONTAINER_OF(hlink, struct dc_pool, dp_hlink);
}

void
dc_pool_addref(struct dc_pool *pool)
{
	d_hlink_addref(&pool->dp_hlink);
}

void
dc_pool_put(struct dc_pool *pool)
{
	d_hlink_putref(&pool->dp_hlink);
}

struct pool_map *
dc_pool_map_get(struct dc_pool *pool)
{
	struct pool_map *map;

	pthread_mutex_lock(&pool->dp_lock);
	map = pool_map_addref(pool->dp_map);
	pthread_mutex_unlock(&pool->dp_lock);
	return map;
}

uint32_t
dc_pool_map_version(struct dc_pool *pool)
{
	uint32_t version;

	pthread_mutex_lock(&pool->dp_lock);
	version = pool_map_version(pool->dp_map);
	pthread_mutex_unlock(&pool->dp_lock);
	return version;
}

/* ---- replies ---- */

int
dc_pool_rpc_result(crt_rpc_t *rpc, void *arg, struct dc_svc_reply *ret_reply)
{
	const struct pool_out_head *out = rpc->cr_output;

	if (out->hint_valid) {
		ret_reply->hint_valid = true;
		ret_reply->hint_rank = out->hint_rank;
		ret_reply->hint_term = out->hint_term;
	}
	ret_reply->begun = out->begun;
	ret_reply->time = out->time;
	return out->rc;
}

/** dc_svc.ds_name of pool services. */
static void
name_request(crt_rpc_t *rpc, const struct dtx_id *op)
{
	struct pool_in_head *in = rpc->cr_input;

	in->op_time = op->hlc;
	uuid_copy(in->op_who.b, op->uuid);
}

/** Keep a map that is newer than ours; no bytes: it isn't. */
static int
learn_map(struct dc_pool *pool, const d_iov_t *iov)
{
	struct pool_map *map, *old;
	int              rc;

	if (iov->iov_len == 0)
		return pool->dp_map == NULL ? -DER_PROTO : 0;
	rc = pool_map_unpack(iov->iov_buf, iov->iov_len, &map);
	if (rc != 0)
		return rc;
	old = map;
	pthread_mutex_lock(&pool->dp_lock);
	if (pool->dp_map == NULL || pool_map_version(pool->dp_map) < pool_map_version(map)) {
		old = pool->dp_map;
		pool->dp_map = map;
	}
	pthread_mutex_unlock(&pool->dp_lock);
	if (old != NULL)
		pool_map_decref(old);
	return 0;
}

static int
learn(struct dc_pool *pool, const d_iov_t *map, const d_rank_list_t *svc_ranks)
{
	int rc = learn_map(pool, map);

	if (rc == 0 && svc_ranks != NULL && svc_ranks->rl_nr > 0)
		rc = dc_svc_set_ranks(&pool->dp_svc, svc_ranks);
	return rc;
}

#define ST_IN_USE   (PO_COMP_ST_UP | PO_COMP_ST_UPIN | PO_COMP_ST_DRAIN)
#define ST_DISABLED (PO_COMP_ST_DOWN | PO_COMP_ST_DOWNOUT)

static void
info_fill(struct dc_pool *pool, uint32_t leader, const struct daos_pool_space *space, daos_pool_info_t *info)
{
	struct pool_map *map = dc_pool_map_get(pool);
	uint64_t         bits = info->pi_bits;

	memset(info, 0, sizeof(*info));
	uuid_copy(info->pi_uuid, pool->dp_uuid);
	info->pi_ntargets = pool_map_target_nr(map);
	info->pi_nnodes = pool_map_rank_nr(map);
	info->pi_ndisabled = pool_map_count(map, ST_DISABLED);
	info->pi_map_ver = pool_map_version(map);
	info->pi_leader = leader;
	info->pi_bits = bits;
	if (bits & DPI_SPACE)
		info->pi_space = *space;
	info->pi_rebuild_st.rs_version = pool_map_version(map);
	info->pi_rebuild_st.rs_state = DRS_NOT_STARTED;
	info->pi_rebuild_st.rs_fail_rank = -1;
	pool_map_decref(map);
}

/** Ranks with a target that is disabled, or those without. */
static int
ranks_fill(struct dc_pool *pool, bool disabled, d_rank_list_t **ret_ranks)
{
	struct pool_map *map = dc_pool_map_get(pool);
	d_rank_list_t   *ranks = d_rank_list_alloc(pool_map_rank_nr(map));
	uint32_t         nr = 0;

	for (uint32_t i = 0; ranks != NULL && i < pool_map_rank_nr(map); i++) {
		const struct pool_domain *dom = pool_map_domain(map, i);
		bool                      out = false;

		for (uint32_t t = 0; t < dom->tgt_nr; t++)
			out |= (pool_map_target(map, dom->tgt_first + t)->status & ST_DISABLED) != 0;
		if (out == disabled)
			ranks->rl_ranks[nr++] = dom->rank;
	}
	pool_map_decref(map);
	if (ranks == NULL)
		return -DER_NOMEM;
	ranks->rl_nr = nr;
	*ret_ranks = ranks;
	return 0;
}

/* ---- connect ---- */

struct connect {
	tse_task_t     *task;
	struct dc_pool *pool;
	d_iov_t         cred;
};

static void
connect_free(struct connect *conn)
{
	dc_pool_put(conn->pool);
	free(conn->cred.iov_buf);
	free(conn);
}

static int
connect_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	const daos_pool_connect_t *args = dc_task_get_args(task);
	struct pool_connect_in    *in = rpc->cr_input;
	struct connect            *conn = arg;

	uuid_copy(in->pool.b, conn->pool->dp_uuid);
	uuid_copy(in->hdl.b, conn->pool->dp_hdl);
	in->flags = args->flags;
	in->bits = args->info == NULL ? 0 : args->info->pi_bits;
	in->cred = conn->cred;
	return 0;
}

static int
connect_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_pool_connect_t *args = dc_task_get_args(task);
	struct connect            *conn = arg;
	struct dc_pool            *pool = conn->pool;
	daos_handle_t              poh;

	if (rc == 0) {
		struct pool_connect_out *out = rpc->cr_output;

		pool->dp_capas = out->capas;
		rc = learn(pool, &out->map, out->svc_ranks);
		if (rc == 0 && args->info != NULL)
			info_fill(pool, out->leader, &out->space, args->info);
		if (rc == 0)
			rc = dc_hdl_insert(pool->dp_client, &pool->dp_hlink, &poh);
		if (rc == 0)
			*args->poh = poh;
	}
	connect_free(conn);
	return rc;
}

/** The service is known: call it. */
static void
connect_found(void *arg, int rc, const uuid_t uuid, const d_rank_list_t *ranks)
{
	struct connect    *conn = arg;
	tse_task_t        *task = conn->task;
	struct dc_svc_call call = {.svc = &conn->pool->dp_svc,
				   .opc = POOL_OPC(POOL_CONNECT),
				   .fill = connect_fill,
				   .result = dc_pool_rpc_result,
				   .done = connect_done,
				   .arg = conn};

	if (rc == 0) {
		uuid_copy(conn->pool->dp_uuid, uuid);
		rc = dc_svc_init(&conn->pool->dp_svc, ranks);
		conn->pool->dp_svc.ds_name = name_request;
	}
	if (rc != 0) {
		connect_free(conn);
		tse_task_complete(task, rc);
		return;
	}
	(void)dc_svc_call(task, &call);
}

static int
connect_start(tse_task_t *task)
{
	const daos_pool_connect_t *args = dc_task_get_args(task);
	struct client             *cl = dc_task2client(task);
	unsigned                   access = args->flags & (DAOS_PC_RO | DAOS_PC_RW | DAOS_PC_EX);
	struct connect            *conn;
	int                        rc;

	if (args->poh == NULL || args->pool == NULL || (args->flags & ~(unsigned)DAOS_PC_MASK) || access == 0 ||
	    (access & (access - 1)) != 0)
		return -DER_INVAL;
	if (!daos_label_is_valid(args->pool) && !daos_is_valid_uuid_string(args->pool, UUID_SST_NONE))
		return -DER_INVAL;
	if (args->grp != NULL && args->grp[0] != '\0' && strcmp(args->grp, client_sys_name(cl)) != 0)
		return -DER_INVAL;
	conn = calloc(1, sizeof(*conn));
	if (conn == NULL)
		return -DER_NOMEM;
	conn->task = task;
	conn->pool = pool_alloc(cl);
	rc = conn->pool == NULL ? -DER_NOMEM : client_request_cred(cl, &conn->cred);
	if (rc != 0) {
		if (conn->pool != NULL)
			dc_pool_put(conn->pool);
		free(conn);
		return rc;
	}
	conn->pool->dp_flags = args->flags;
	dc_mgmt_pool_find(task, args->pool, connect_found, conn);
	return 0;
}

int
dc_pool_connect(tse_task_t *task)
{
	int rc = connect_start(task);

	if (rc != 0)
		tse_task_complete(task, rc);
	return rc;
}

/* ---- disconnect ---- */

static int
disconnect_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	struct pool_disconnect_in *in = rpc->cr_input;
	struct dc_pool            *pool = arg;

	uuid_copy(in->pool.b, pool->dp_uuid);
	uuid_copy(in->hdl.b, pool->dp_hdl);
	return 0;
}

static int
disconnect_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_pool_disconnect_t *args = dc_task_get_args(task);
	struct dc_pool               *pool = arg;

	if (rc == -DER_NONEXIST || rc == -DER_NOTREPLICA) /* the pool is gone, its handles with it */
		rc = 0;
	if (rc == 0) {
		rc = dc_hdl_delete(pool->dp_client, args->poh, DAOS_HTYPE_POOL);
	} else {
		pthread_mutex_lock(&pool->dp_lock);
		pool->dp_closing = false;
		pthread_mutex_unlock(&pool->dp_lock);
	}
	dc_pool_put(pool);
	return rc;
}

int
dc_pool_disconnect(tse_task_t *task)
{
	const daos_pool_disconnect_t *args = dc_task_get_args(task);
	struct dc_pool               *pool = dc_hdl2pool(dc_task2client(task), args->poh);
	struct dc_svc_call            call = {.opc = POOL_OPC(POOL_DISCONNECT),
					      .fill = disconnect_fill,
					      .result = dc_pool_rpc_result,
					      .done = disconnect_done,
					      .arg = pool};
	int                           rc = 0;

	if (pool == NULL) {
		tse_task_complete(task, -DER_NO_HDL);
		return -DER_NO_HDL;
	}
	pthread_mutex_lock(&pool->dp_lock);
	if (pool->dp_cont_nr > 0 || pool->dp_closing)
		rc = -DER_BUSY;
	else
		pool->dp_closing = true;
	pthread_mutex_unlock(&pool->dp_lock);
	if (rc != 0) {
		dc_pool_put(pool);
		tse_task_complete(task, rc);
		return rc;
	}
	call.svc = &pool->dp_svc;
	return dc_svc_call(task, &call);
}

/* ---- query ---- */

struct query {
	struct dc_pool      *pool;
	d_rank_list_t      **ranks;
	daos_pool_info_t    *info;
	daos_prop_t         *prop;
	bool                 prop_all;
	struct crt_u32_array types;
};

static int
query_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	struct pool_query_in *in = rpc->cr_input;
	struct query         *query = arg;

	uuid_copy(in->pool.b, query->pool->dp_uuid);
	uuid_copy(in->hdl.b, query->pool->dp_hdl);
	in->bits = query->info == NULL ? 0 : query->info->pi_bits;
	in->map_version = dc_pool_map_version(query->pool);
	in->prop_all = query->prop_all;
	in->prop_types = query->types;
	return 0;
}

static int
query_take(struct query *query, const struct pool_query_out *out)
{
	uint64_t     bits = query->info == NULL ? 0 : query->info->pi_bits;
	daos_prop_t *got = NULL;
	int          rc = learn(query->pool, &out->map, out->svc_ranks);

	if (rc == 0 && query->prop != NULL) {
		rc = prop_list_decode(out->props.iov_buf, out->props.iov_len, &got);
		if (rc == 0)
			rc = dc_pool_prop_hand_out(query->prop, got);
		daos_prop_free(got);
	}
	if (rc == 0 && query->ranks != NULL)
		rc = ranks_fill(query->pool, (bits & DPI_ENGINES_DISABLED) && !(bits & DPI_ENGINES_ENABLED), query->ranks);
	if (rc == 0 && query->info != NULL)
		info_fill(query->pool, out->leader, &out->space, query->info);
	return rc;
}

static int
query_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	struct query *query = arg;

	if (rc == 0)
		rc = query_take(query, rpc->cr_output);
	dc_pool_put(query->pool);
	free(query->types.v);
	free(query);
	return rc;
}

/** Takes the reference of @pool. */
static int
query_start(tse_task_t *task, struct dc_pool *pool, const struct query *params)
{
	struct query      *query = malloc(sizeof(*query));
	struct dc_svc_call call = {.svc = &pool->dp_svc,
				   .opc = POOL_OPC(POOL_QUERY),
				   .fill = query_fill,
				   .result = dc_pool_rpc_result,
				   .done = query_done,
				   .arg = query};
	int                rc = query == NULL ? -DER_NOMEM : 0;

	if (rc == 0) {
		*query = *params;
		query->pool = pool;
		if (query->prop != NULL)
			rc = dc_pool_prop_types(query->prop, &query->prop_all, &query->types);
	}
	if (rc != 0) {
		free(query);
		dc_pool_put(pool);
		tse_task_complete(task, rc);
		return rc;
	}
	return dc_svc_call(task, &call);
}

int
dc_pool_query(tse_task_t *task)
{
	const daos_pool_query_t *args = dc_task_get_args(task);
	struct dc_pool          *pool = dc_hdl2pool(dc_task2client(task), args->poh);
	struct query             query = {.ranks = args->ranks, .info = args->info, .prop = args->prop};

	if (pool == NULL) {
		tse_task_complete(task, -DER_NO_HDL);
		return -DER_NO_HDL;
	}
	return query_start(task, pool, &query);
}

/* ---- the map ---- */

struct refresh {
	struct dc_pool *pool;
	uint32_t        min_version;
	void          (*cb)(void *arg, int rc);
	void           *arg;
};

static int
refresh_task(tse_task_t *task)
{
	struct refresh *refresh = *(struct refresh **)dc_task_get_args(task);
	struct query    query = {0};

	dc_pool_addref(refresh->pool);
	return query_start(task, refresh->pool, &query);
}

static int
refresh_end(tse_task_t *task, void *arg)
{
	struct refresh *refresh = *(struct refresh **)arg;
	int             rc = task->dt_result;

	if (rc == 0 && dc_pool_map_version(refresh->pool) < refresh->min_version)
		rc = -DER_AGAIN;
	refresh->cb(refresh->arg, rc);
	dc_pool_put(refresh->pool);
	free(refresh);
	return 0;
}

static int
refresh_start(tse_task_t *task, struct refresh *refresh)
{
	tse_task_t *sub;
	int         rc = dc_task_create(refresh_task, tse_task2sched(task), NULL, &sub);

	if (rc != 0)
		return rc;
	*(struct refresh **)dc_task_get_args(sub) = refresh;
	rc = tse_task_register_comp_cb(sub, refresh_end, &refresh, sizeof(refresh));
	if (rc != 0) {
		dc_task_free(sub);
		return rc;
	}
	(void)dc_task_schedule(sub, true);
	return 0;
}

void
dc_pool_map_refresh(tse_task_t *task, struct dc_pool *pool, uint32_t min_version, void (*cb)(void *arg, int rc), void *arg)
{
	struct refresh *refresh;
	int             rc;

	if (min_version != 0 && dc_pool_map_version(pool) >= min_version) {
		cb(arg, 0);
		return;
	}
	refresh = malloc(sizeof(*refresh));
	if (refresh == NULL) {
		cb(arg, -DER_NOMEM);
		return;
	}
	*refresh = (struct refresh){.pool = pool, .min_version = min_version, .cb = cb, .arg = arg};
	dc_pool_addref(pool);
	rc = refresh_start(task, refresh);
	if (rc != 0) {
		dc_pool_put(pool);
		free(refresh);
		cb(arg, rc);
	}
}

/** Finding pools speaks the management protocol. */
static int
pool_client_init(struct client *cl)
{
	int rc = crt_proto_register(client_crt(cl), &mgmt_proto_client);

	return rc == -DER_EXIST ? 0 : rc;
}

const struct dc_module dc_pool_module = {
	.dm_name = "pool", .dm_mod_id = CRT_MOD_POOL, .dm_proto = &pool_proto_client, .dm_init = pool_client_init};
