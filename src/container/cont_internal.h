/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the server files of this folder share. */
#pragma once

#include "base/hash.h"
#include "base/rank_list.h"
#include "container/cont_df.h"
#include "container/cont_rpc.h"
#include "container/cont_server.h"
#include "mgmt/mgmt_server.h"
#include "pool/pool_svc.h"

/* ---- the service's side: xstream 0 ---- */

/** The container part of a pool service that leads: containers being destroyed, which can't be opened. */
struct cont_svc {
	d_list_t         destroying; /**< of struct cont_destroying */
	struct ult_mutex snap_lock;  /**< one change of snapshots at a time, until the targets know */
};

/* cont_svc_db.c: records in the rdb */
/** UUID of a container by label, or check that the UUID is one. Errors: NONEXIST. */
MAY_YIELD int cont_find(struct rdb_tx *tx, const char *label, const uuid_t uuid, uuid_t ret_uuid) MUST_CHECK;
MAY_YIELD int cont_get(struct rdb_tx *tx, const uuid_t uuid, struct cont_df *ret_df) MUST_CHECK;
int cont_put(struct rdb_tx *tx, const uuid_t uuid, const struct cont_df *df) MUST_CHECK;
int cont_remove(struct rdb_tx *tx, const uuid_t uuid, const char *label) MUST_CHECK;
int cont_label_put(struct rdb_tx *tx, const char *label, const uuid_t uuid) MUST_CHECK;
int cont_label_del(struct rdb_tx *tx, const char *label) MUST_CHECK;
MAY_YIELD int cont_hdl_get(struct rdb_tx *tx, const uuid_t hdl, struct cont_hdl_df *ret_df) MUST_CHECK;
int cont_hdl_put(struct rdb_tx *tx, const uuid_t hdl, const struct cont_hdl_df *df) MUST_CHECK;
int cont_hdl_del(struct rdb_tx *tx, const uuid_t hdl) MUST_CHECK;

/** Container handles that match; free(v). */
struct cont_hdls {
	uuid_t  *v;
	uint32_t nr, room;
	bool     exclusive; /**< one of them is */
};
/** Those of a container, and of any of the pool handles; NULL or 0: whichever. */
MAY_YIELD int cont_hdls_find(struct rdb_tx *tx, const unsigned char *cont, const uuid_t *pool_hdls, uint32_t pool_hdl_nr,
			     struct cont_hdls *ret_hdls) MUST_CHECK;
/** Epochs ascending, in memory of the request. */
MAY_YIELD int cont_snaps_get(struct rdb_tx *tx, const uuid_t cont, crt_rpc_t *rpc, struct cont_snaps *ret_snaps) MUST_CHECK;

/** A request about an open container: checks the handle and what it may do. @df of the handle. */
MAY_YIELD int cont_hdl_check(struct rdb_tx *tx, const uuid_t cont, const uuid_t hdl, uint64_t capa, struct cont_hdl_df *ret_df) MUST_CHECK;

/* cont_svc_props.c */
/** All properties of a new container, or -DER_*: what was given, what the pool has, defaults; owner from @ident. */
MAY_YIELD int cont_props_new(struct pool_svc *svc, struct rdb_tx *tx, const daos_prop_t *given, const struct sec_ident *ident,
			     daos_prop_t **ret_prop) MUST_CHECK;
MAY_YIELD int cont_op_query(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_prop_set(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_set_owner(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_list(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_attr(struct pool_svc *svc, crt_rpc_t *rpc);
/** Information of a container. */
MAY_YIELD int cont_info_fill(struct rdb_tx *tx, crt_rpc_t *rpc, const uuid_t cont, daos_cont_info_t *ret_info) MUST_CHECK;

/* cont_svc.c */
MAY_YIELD int cont_op_create(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_destroy(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_open(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_close(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_hdl_find(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_alloc_oids(struct pool_svc *svc, crt_rpc_t *rpc);
extern const struct ds_pool_cont_ops cont_pool_ops;

/* cont_svc_snap.c */
MAY_YIELD int cont_op_snap_create(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_snap_destroy(struct pool_svc *svc, crt_rpc_t *rpc);
MAY_YIELD int cont_op_snap_list(struct pool_svc *svc, crt_rpc_t *rpc);

/* cont_svc_tgts.c: to the engines of the pool; the first error */
MAY_YIELD int cont_tgts_open(struct pool_svc *svc, const uuid_t cont, const uuid_t hdl, const struct cont_hdl_df *df,
			     struct cont_snaps snaps) MUST_CHECK;
MAY_YIELD void cont_tgts_close(struct pool_svc *svc, const uuid_t *hdls, uint32_t nr);
MAY_YIELD int cont_tgts_destroy(struct pool_svc *svc, const uuid_t cont) MUST_CHECK;
MAY_YIELD int cont_tgts_snaps(struct pool_svc *svc, const uuid_t cont, struct cont_snaps snaps) MUST_CHECK;

/* cont_drpc.c */
extern const struct ds_mgmt_drpc_method cont_drpc_methods[];

/* ---- a target's side ---- */

/** A container open on a target. */
struct cont_child {
	struct cont_tgt *cc_tgt;
	d_list_t         cc_link;     /**< cont_tgt.conts */
	uuid_t           cc_uuid;
	struct vos_cont *cc_vos;
	uint64_t         cc_snaps_version; /**< of the list of snapshots that VOS was told */
	uint32_t         cc_ref;      /**< handles, and aggregation while it has work */
	bool             cc_dirty;    /**< may have changed since the last pass; holds a reference */
	uint64_t         cc_touched;  /**< HLC of the last request that may change it */
	struct ult_eventual *cc_idle; /**< set when the last reference goes; who destroys waits for it */
};
struct cont_hdl {
	struct ds_cont_hdl pub;       /**< first */
	struct d_hash_node node;      /**< cont_tgt.hdls, while open */
	struct cont_child *child;
	uuid_t             pool_hdl;
};
/** The container module's part of a pool's shard: ds_pool_child.spc_cont_data. */
struct cont_tgt {
	struct ds_pool_child *pool;
	struct d_hash         hdls;   /**< of struct cont_hdl, by UUID */
	d_list_t              conts;  /**< of struct cont_child */
	struct ult           *agg;    /**< the background ULT */
	struct ult_eventual   wake;   /**< it has work */
	struct ult_eventual   stop_ev;
	bool                  stopping, gc; /**< gc: something was freed */
	uint64_t              snaps_gen; /**< grows with each change of snapshots, of any container */
	uint64_t              delay_ns;  /**< between passes, at least */
	uint64_t              lag_ns;    /**< what is younger isn't aggregated */
};

/** What a target has to know to open a handle. */
struct cont_open_arg {
	const unsigned char *cont, *hdl, *pool_hdl;
	uint64_t             flags, capas;
	struct cont_snaps snaps;
};
/* cont_target.c */
MAY_YIELD int  cont_tgt_open(struct cont_tgt *tgt, const struct cont_open_arg *arg) MUST_CHECK;
void cont_tgt_close(struct cont_tgt *tgt, const uuid_t hdl);
MAY_YIELD int  cont_tgt_destroy(struct cont_tgt *tgt, const uuid_t cont) MUST_CHECK;
int  cont_tgt_set_snaps(struct cont_tgt *tgt, const uuid_t cont, struct cont_snaps snaps) MUST_CHECK;
MAY_YIELD int  cont_child_open(struct ds_pool_child *child) MUST_CHECK;
MAY_YIELD void cont_child_close(struct ds_pool_child *child);
void cont_child_gone(struct ds_pool_child *child);
MAY_YIELD void cont_child_hdls_closed(struct ds_pool_child *child, const uuid_t *pool_hdls, uint32_t nr);
void cont_child_put(struct cont_child *cc);
/* cont_agg.c */
MAY_YIELD int  cont_agg_start(struct cont_tgt *tgt) MUST_CHECK;
MAY_YIELD void cont_agg_stop(struct cont_tgt *tgt);
/** A request may change the container. */
void cont_agg_touch(struct cont_child *cc);
/** Give its reference up: the container goes. A pass under way has one of its own, and stops. */
void cont_agg_forget(struct cont_child *cc);
/** Something was unlinked. */
void cont_agg_gc(struct cont_tgt *tgt);
/* cont_tgt_rpc.c */
MAY_YIELD void cont_tgt_open_handler(crt_rpc_t *rpc);
MAY_YIELD void cont_tgt_close_handler(crt_rpc_t *rpc);
MAY_YIELD void cont_tgt_destroy_handler(crt_rpc_t *rpc);
MAY_YIELD void cont_tgt_snaps_handler(crt_rpc_t *rpc);
