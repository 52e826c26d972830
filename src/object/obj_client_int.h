/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the client's files of this folder share: open objects, and operations that retry. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include "container/cont_client.h"
#include "object/obj_client.h"
#include "object/obj_rpc.h"
#include "placement/placement.h"

/** The module's data of a client. */
struct obj_client {
	uuid_t          uuid;     /**< names this client in its changes */
	uint64_t        retry_ns; /**< how long an operation is retried */
	pthread_mutex_t lock;     /**< guards changes: operations of several contexts are on it */
	d_list_t        changes;  /**< struct obj_part that were sent and have no answer, oldest first */
};
struct obj_client *obj_client_of(struct client *cl);

/** An open object: what stands behind an object handle. */
struct dc_obj {
	struct d_hlink    hlink;  /**< type DAOS_HTYPE_OBJ */
	struct client    *cl;     /**< borrowed: outlives its handles */
	struct dc_cont   *cont;   /**< a reference */
	daos_obj_id_t     oid;
	unsigned          mode;   /**< DAOS_OO_* */
	pthread_mutex_t   lock;   /**< guards layout */
	struct pl_layout *layout; /**< of the newest map an operation has seen */
	_Atomic daos_epoch_t changed_at; /**< newest change through this handle */
};
/** With a reference for the caller; NULL: no such handle. */
struct dc_obj *dc_hdl2obj(struct client *cl, daos_handle_t oh);
void dc_obj_put(struct dc_obj *obj);

/** Where a shard is, by the pool's present map. */
struct obj_where {
	d_rank_t rank;
	uint32_t tgt_idx;
	uint32_t map_version;
};
/** Errors: UNREACH its target is out of service | NOMEM */
int obj_shard_where(struct dc_obj *obj, uint32_t shard, struct obj_where *ret_where) MUST_CHECK;
/** Shards of a plain class; the same as its groups. */
int obj_shard_nr(struct dc_obj *obj, uint32_t *ret_nr) MUST_CHECK;
int obj_dkey_shard(struct dc_obj *obj, const daos_key_t *dkey, uint32_t *ret_shard) MUST_CHECK;

/* ---- operations ---- */

struct obj_op;

/** A request to one shard. */
struct obj_part {
	struct obj_op *op;
	uint32_t       shard;
	bool           done;  /**< has its answer */
	bool           sent;  /**< once at least: further copies say so */
	int            rc;
	struct dtx_id  dti;   /**< of a change, from its first copy on */
	d_list_t       link;  /**< of a change without an answer: on the client's changes */
	uint32_t       first, nr; /**< the kind's own: its keys */
};

/** What differs from one kind of operation to another. */
struct obj_op_kind {
	uint32_t opc;     /**< enum obj_opc */
	bool     changes; /**< needs a writable object, is never carried out twice */
	/** Check the arguments, set what @op shares with its rounds, make the parts. Once. */
	int  (*prepare)(struct obj_op *op) MUST_CHECK;
	/** Fill in the request but its header; for each copy. */
	int  (*fill)(struct obj_op *op, struct obj_part *part, void *in) MUST_CHECK;
	/** An answer: @rc is what the server says. Returns the part's result. NULL: @rc it is. */
	int  (*answer)(struct obj_op *op, struct obj_part *part, void *out, int rc);
	/** All parts have answers; @rc is the first error among them. Returns the operation's result, or
	 *  OBJ_OP_NEXT for one more round with the parts as changed by it. NULL: @rc it is. */
	int  (*finish)(struct obj_op *op, int rc);
};
#define OBJ_OP_NEXT 1

/** An operation: from its task's first run to its end, over all rounds. */
struct obj_op {
	uint32_t                  ref;   /**< the task, and each request under way */
	tse_task_t               *task;  /**< NULL: it ended */
	const struct obj_op_kind *kind;
	struct dc_obj            *obj;   /**< a reference */
	void                     *args;  /**< of the task: borrowed until it ends */
	uint64_t                  conds;
	daos_epoch_t              epoch;     /**< of a read: a snapshot; 0: now */
	uint64_t                  begin_ns;
	uint32_t                  retry_nr;  /**< rounds that ended in another try */
	uint32_t                  no_hdl_nr; /**< of those, because the server doesn't know the handle */
	uint32_t                  pending;   /**< requests under way; 1 more while a round is begun */
	bool                      map_asked;  /**< a target is out of service by our map: the newest was asked for */
	uint32_t                  map_wanted; /**< a server has this version: get it before the next round */
	uint32_t                  part_nr;
	struct obj_part          *parts;
	struct obj_part           part1;     /**< of operations that have one */

	uint32_t                  req_flags; /**< enum obj_req_flags */
	crt_bulk_t                bulk;
	d_iov_t                  *bulk_iovs; /**< what bulk describes */
	void                     *buf;       /**< the kind's own memory, freed with the operation */
	d_iov_t                   data;      /**< update: values that travel inline */
	struct crt_u64_array      rooms;     /**< fetch */
	uint64_t                  best;      /**< query: the key found so far */
	daos_epoch_t              newest;    /**< query: of all shards that answered */
	uint32_t                  found_nr;  /**< parts that had something */
};

/** The body of a task: first run and all others. @oh and @th of its arguments. */
int  obj_op_run(tse_task_t *task, const struct obj_op_kind *kind, daos_handle_t oh, daos_handle_t th,
		uint64_t conds);
/** One part, for that shard; or @nr. */
void obj_op_set_part(struct obj_op *op, uint32_t shard);
int  obj_op_set_parts(struct obj_op *op, uint32_t nr) MUST_CHECK;
/** Parts for all shards. */
int  obj_op_set_all_shards(struct obj_op *op) MUST_CHECK;
/** A retry may help: the fault is the server's state or the way to it. */
bool obj_rc_is_transient(int rc);
