/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the server files of this folder share. */
#pragma once

#include <pthread.h>
#include "base/rank_list.h"
#include "mgmt/mgmt_server.h"
#include "pool/pool_df.h"
#include "pool/pool_svc.h"

/** The module's data for an engine. */
struct pool_module {
	pthread_mutex_t                lock;  /**< pools, and map, ranks of each; held briefly, never over a yield */
	d_list_t                       pools; /**< of struct pool_entry */
	const struct ds_pool_cont_ops *cont_ops;
	bool                           set_up; /**< what the devices hold was started */
	struct ult_mutex               start_stop; /**< held while a pool starts or stops */
	bool                           stopping;   /**< none starts any more */
};
struct pool_module *pool_module_of(struct engine *eng);

/** ds_pool and what others need not see. */
struct pool_entry {
	struct ds_pool pub; /**< first */
	d_list_t       link;
};
/** ds_pool_child and what others need not see. */
struct pool_child {
	struct ds_pool_child pub; /**< first */
	bool                 stopping;
	struct ult_eventual  idle; /**< set when stopping and the last reference is gone */
};
struct pool_tls {
	d_list_t children; /**< of struct pool_child, by pub.spc_link */
};
extern struct dss_module_key pool_module_key;

/* pool_target.c */
/** Open the shards of a pool that exist on this engine. Does nothing for a pool that is open. */
MAY_YIELD int  pool_start(struct engine *eng, const uuid_t uuid, uint32_t tgt_nr) MUST_CHECK;
MAY_YIELD void pool_stop(struct engine *eng, const uuid_t uuid);
MAY_YIELD void pool_stop_all(struct engine *eng);
/** Make the shards and open them; all or nothing. */
MAY_YIELD int  pool_tgts_create(struct engine *eng, const uuid_t uuid, uint32_t tgt_nr, const struct vos_pool_size *size) MUST_CHECK;
MAY_YIELD int  pool_tgts_destroy(struct engine *eng, const uuid_t uuid) MUST_CHECK;
/** Four numbers a target: see POOL_QUERY_TGTS. @ret_v is free()d. */
MAY_YIELD int  pool_tgts_space(struct engine *eng, const uuid_t uuid, uint64_t **ret_v, uint32_t *ret_nr) MUST_CHECK;
/** Act upon what of the properties concerns targets. */
MAY_YIELD void pool_apply_props(struct ds_pool *pool, const daos_prop_t *prop);
void *pool_tls_init(struct dss_xstream *dx);
MAY_YIELD void pool_tls_fini(struct dss_xstream *dx, void *data);

/* pool_tgt_rpc.c: handlers */
MAY_YIELD void pool_tgt_create_handler(crt_rpc_t *rpc);
MAY_YIELD void pool_tgt_destroy_handler(crt_rpc_t *rpc);
MAY_YIELD void pool_tgt_query_handler(crt_rpc_t *rpc);
MAY_YIELD void pool_tgt_update_handler(crt_rpc_t *rpc);
MAY_YIELD void pool_tgt_hdls_close_handler(crt_rpc_t *rpc);

/* pool_svc.c */
extern const struct rsvc_ops pool_rsvc_ops;
int pool_map_put(struct rdb_tx *tx, const struct pool_map *map) MUST_CHECK;
struct pool_create_arg { /**< of a bootstrap */
	const d_rank_list_t *ranks;
	uint32_t             tgts_per_rank;
	const daos_prop_t   *prop; /**< complete: see pool_create_props() */
};
MAY_YIELD void pool_svc_create_handler(crt_rpc_t *rpc);
MAY_YIELD void pool_svc_stop_handler(crt_rpc_t *rpc);

/* pool_svc_ops.c */
struct dtx_id pool_op_id(const crt_rpc_t *rpc);

/* pool_svc_tgts.c: the service and its targets */
/**
 * Send map, replicas and properties to all engines of the pool; failures are logged, engines ask when they need it.
 * @untold  who could not be told; room for all ranks; may be NULL
 */
MAY_YIELD void pool_svc_distribute(struct pool_svc *svc, struct crt_u32_array *untold);
/** How many shards a rank has now. */
MAY_YIELD int  pool_rank_shards(struct pool_svc *svc, d_rank_t rank, uint32_t *ret_nr) MUST_CHECK;
/** Tell the engines that handles are gone. [nr] */
MAY_YIELD void pool_svc_close_tgt_hdls(struct pool_svc *svc, const uuid_t *hdls, uint32_t nr);
MAY_YIELD int  pool_svc_space(struct pool_svc *svc, struct daos_pool_space *ret_space) MUST_CHECK;
MAY_YIELD int  pool_op_query_tgts(struct pool_svc *svc, crt_rpc_t *rpc);

/* pool_svc_map.c */
MAY_YIELD int pool_op_map_change(struct pool_svc *svc, crt_rpc_t *rpc);
/** A rank was found dead: exclude it from pools whose service leads here, where they go on without it. On any xstream. */
void pool_rank_dead(struct engine *eng, d_rank_t rank);
/** Without @ranks, have no more than @redun_fac ranks failed? @ret_failed: how many */
bool pool_exclusion_fits(const struct pool_map *map, const d_rank_list_t *ranks, uint32_t redun_fac, uint32_t *ret_failed);

/* pool_svc_conn.c */
MAY_YIELD int pool_op_connect(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int pool_op_disconnect(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int pool_op_evict(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int pool_op_destroy_prep(struct pool_svc *svc, crt_rpc_t *rpc);

/* pool_svc_prop.c */
MAY_YIELD int pool_op_query(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int pool_op_prop_set(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int pool_op_acl_change(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int pool_op_attr_list(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int pool_op_attr_get(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int pool_op_attr_set(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int pool_op_attr_del(struct pool_svc *svc, crt_rpc_t *rpc);
/* pool_create.c: making and unmaking a whole pool, from any engine */
struct pool_create_req {
	uuid_t               uuid;
	const d_rank_list_t *ranks;
	const d_rank_list_t *svc_ranks; /**< the first bootstraps */
	uint32_t             tgts_per_rank;
	uint64_t             meta_bytes, data_bytes; /**< of each rank */
	const daos_prop_t   *prop;      /**< what differs from the defaults */
	char                 message[256]; /**< [out] what failed */
};
MAY_YIELD int pool_create(struct engine *eng, struct pool_create_req *req) MUST_CHECK;
MAY_YIELD int pool_destroy(struct engine *eng, const uuid_t uuid, const d_rank_list_t *ranks, const d_rank_list_t *svc_ranks,
			   bool force, bool recursive) MUST_CHECK;

/* pool_drpc.c */
extern const struct ds_mgmt_drpc_method pool_drpc_methods[];
/* pool_drpc_map.c */
MAY_YIELD void pool_drpc_map_change(struct engine *eng, struct dss_drpc_call *call);
