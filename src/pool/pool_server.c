/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The pool module: its table, its start and end, and finding the pools an engine's devices hold. */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "pool/pool_internal.h"

#define DEFINE_SVC_HANDLER(name)                                                                   \
	MAY_YIELD static void handle_##name(crt_rpc_t *rpc)                                        \
	{                                                                                          \
		ds_pool_svc_handle(rpc, pool_op_##name);                                           \
	}
DEFINE_SVC_HANDLER(connect)
DEFINE_SVC_HANDLER(disconnect)
DEFINE_SVC_HANDLER(query)
DEFINE_SVC_HANDLER(query_tgts)
DEFINE_SVC_HANDLER(attr_list)
DEFINE_SVC_HANDLER(attr_get)
DEFINE_SVC_HANDLER(attr_set)
DEFINE_SVC_HANDLER(attr_del)
DEFINE_SVC_HANDLER(prop_set)
DEFINE_SVC_HANDLER(acl_change)
DEFINE_SVC_HANDLER(evict)
DEFINE_SVC_HANDLER(destroy_prep)
DEFINE_SVC_HANDLER(map_change)

static const struct crt_proto_rpc pool_rpcs[POOL_RPC_NR] = {
	[POOL_SVC_CREATE] = {&pool_svc_create_format, pool_svc_create_handler, 0},
	[POOL_SVC_STOP] = {&pool_svc_stop_format, pool_svc_stop_handler, 0},
	[POOL_CONNECT] = {&pool_connect_format, handle_connect, 0},
	[POOL_DISCONNECT] = {&pool_disconnect_format, handle_disconnect, 0},
	[POOL_QUERY] = {&pool_query_format, handle_query, 0},
	[POOL_QUERY_TGTS] = {&pool_query_tgts_format, handle_query_tgts, 0},
	[POOL_ATTR_LIST] = {&pool_attr_op_format, handle_attr_list, 0},
	[POOL_ATTR_GET] = {&pool_attr_op_format, handle_attr_get, 0},
	[POOL_ATTR_SET] = {&pool_attr_op_format, handle_attr_set, 0},
	[POOL_ATTR_DEL] = {&pool_attr_op_format, handle_attr_del, 0},
	[POOL_PROP_SET] = {&pool_prop_set_format, handle_prop_set, 0},
	[POOL_ACL_CHANGE] = {&pool_acl_change_format, handle_acl_change, 0},
	[POOL_EVICT] = {&pool_evict_format, handle_evict, 0},
	[POOL_DESTROY_PREP] = {&pool_destroy_prep_format, handle_destroy_prep, 0},
	[POOL_MAP_CHANGE] = {&pool_map_change_format, handle_map_change, 0},
	[POOL_TGT_CREATE] = {&pool_tgt_create_format, pool_tgt_create_handler, 0},
	[POOL_TGT_DESTROY] = {&pool_tgt_destroy_format, pool_tgt_destroy_handler, 0},
	[POOL_TGT_QUERY] = {&pool_tgt_query_format, pool_tgt_query_handler, 0},
	[POOL_TGT_UPDATE] = {&pool_tgt_update_format, pool_tgt_update_handler, 0},
	[POOL_TGT_HDLS_CLOSE] = {&pool_tgt_hdls_close_format, pool_tgt_hdls_close_handler, 0},
};
static const struct crt_proto pool_proto = {
	.name = "pool", .mod_id = CRT_MOD_POOL, .version = POOL_RPC_VERSION, .rpc_nr = POOL_RPC_NR, .rpcs = pool_rpcs};

struct dss_module_key pool_module_key = {
	.name = "pool", .tags = DSS_HAS_TGT, .init = pool_tls_init, .fini = pool_tls_fini};

void
ds_pool_set_cont_ops(struct engine *eng, const struct ds_pool_cont_ops *ops)
{
	pool_module_of(eng)->cont_ops = ops;
}

MAY_YIELD static int
pool_init(struct engine *eng)
{
	struct pool_module *pm = calloc(1, sizeof(*pm));
	int                 rc;

	if (pm == NULL)
		return -DER_NOMEM;
	pthread_mutex_init(&pm->lock, NULL);
	d_list_init(&pm->pools);
	ult_mutex_init(&pm->start_stop);
	dss_module_set_data(eng, CRT_MOD_POOL, pm);
	rc = rsvc_class_register(eng, RSVC_CLASS_POOL, &pool_rsvc_ops);
	if (rc == 0)
		rc = ds_mgmt_drpc_register(eng, pool_drpc_methods);
	if (rc == 0)
		dss_rank_dead_set(eng, pool_rank_dead);
	if (rc != 0) {
		dss_module_set_data(eng, CRT_MOD_POOL, NULL);
		pthread_mutex_destroy(&pm->lock);
		free(pm);
	}
	return rc;
}

MAY_YIELD static void
pool_fini(struct engine *eng)
{
	struct pool_module *pm = pool_module_of(eng);

	D_ASSERT(d_list_empty(&pm->pools));
	dss_rank_dead_set(eng, NULL);
	dss_module_set_data(eng, CRT_MOD_POOL, NULL);
	pthread_mutex_destroy(&pm->lock);
	free(pm);
}

/* ---- what the devices hold ---- */

struct found {
	uuid_t  *v;
	uint32_t nr, room;
};
struct scan {
	struct bio_dev *dev;
	uint32_t        tgt;
	uint32_t        role;
	struct found    found;
};

static int
found_add(struct found *found, const unsigned char *uuid)
{
	if (found->nr == found->room) {
		uint32_t room = MAX_OF(found->room * 2, 16u);
		uuid_t  *v = realloc(found->v, room * sizeof(*v));

		if (v == NULL)
			return -DER_NOMEM;
		found->v = v;
		found->room = room;
	}
	uuid_copy(found->v[found->nr++], uuid);
	return 0;
}

static int
scan_cb(const struct bio_blob_id *id, uint64_t bytes, void *arg)
{
	struct scan *scan = arg;

	if (id->tgt != scan->tgt || id->role != scan->role)
		return 0;
	return found_add(&scan->found, id->pool);
}

static int
scan_blocking(void *arg)
{
	struct scan *scan = arg;

	return bio_blob_list(scan->dev, scan_cb, scan);
}

/** Pools of the calling xstream's store: those with a metadata blob. A volatile store starts empty. */
MAY_YIELD static int
scan_store(const struct vos_store *store, struct found *ret_found)
{
	struct scan scan = {.dev = store->meta, .tgt = store->tgt, .role = BIO_ROLE_META};
	int         rc;

	memset(ret_found, 0, sizeof(*ret_found));
	if (store->meta == NULL)
		return 0;
	rc = ult_offload(scan_blocking, &scan);
	if (rc != 0) {
		free(scan.found.v);
		return rc;
	}
	*ret_found = scan.found;
	return 0;
}

MAY_YIELD static int
scan_on(void *arg, uint32_t tgt)
{
	return scan_store(&dss_self()->dx_store, &((struct found *)arg)[tgt]);
}

/** A pool is opened on as many targets as hold it; one that can't be is left out, with the reason in the log. */
MAY_YIELD static void
start_found(struct engine *eng, struct found *found)
{
	uint32_t tgts = dss_tgt_nr(eng);

	for (uint32_t t = tgts; t-- > 0;) {
		for (uint32_t i = 0; i < found[t].nr; i++) {
			int rc = pool_start(eng, found[t].v[i], t + 1);

			if (rc != 0)
				D_ERROR("pool " DF_UUID " cannot be started on this engine: " DF_RC, DP_UUID(found[t].v[i]),
					DP_RC(rc));
		}
	}
}

MAY_YIELD static int
start_pools(struct engine *eng)
{
	struct found *found = calloc(dss_tgt_nr(eng), sizeof(*found));
	int           rc;

	if (found == NULL)
		return -DER_NOMEM;
	rc = dss_tgt_collective(eng, scan_on, found);
	if (rc == 0)
		start_found(eng, found);
	for (uint32_t t = 0; t < dss_tgt_nr(eng); t++)
		free(found[t].v);
	free(found);
	return rc;
}

MAY_YIELD static int
pool_setup(struct engine *eng)
{
	int rc = start_pools(eng);

	if (rc == 0)
		rc = rsvc_start_all(eng, RSVC_CLASS_POOL);
	if (rc == 0)
		pool_module_of(eng)->set_up = true;
	return rc;
}

MAY_YIELD static void
pool_cleanup(struct engine *eng)
{
	rsvc_stop_all(eng, RSVC_CLASS_POOL);
	pool_stop_all(eng);
}

const struct dss_module dss_module_pool = {
	.sm_name = "pool",
	.sm_mod_id = CRT_MOD_POOL,
	.sm_init = pool_init,
	.sm_fini = pool_fini,
	.sm_setup = pool_setup,
	.sm_cleanup = pool_cleanup,
	.sm_proto = &pool_proto,
	.sm_key = &pool_module_key,
};
