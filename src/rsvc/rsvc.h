/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Replicated services: an rdb with a life cycle. The framework creates and starts replicas, steps
 * the service up where its rdb leads and down elsewhere, counts references to a leader that is
 * up, and answers "who leads" hints. A pool service is one; each has a class.
 */
#pragma once

#include "rdb/rdb.h"

enum rsvc_class_id { RSVC_CLASS_POOL, RSVC_CLASS_NR };

struct rsvc;
/** Embedded first in the class's own struct. */
struct rsvc {
	struct engine *rs_engine;
	uuid_t         rs_uuid;
	struct rdb    *rs_rdb;
	enum rsvc_class_id rs_class;
	uint64_t       rs_term;   /**< of this leadership */
	enum { RSVC_DOWN, RSVC_STEPPING_UP, RSVC_UP, RSVC_DRAINING } rs_state;
	uint32_t       rs_ref, rs_leader_ref;
	struct ult_mutex rs_mutex;
	struct ult_cond  rs_cond;
	d_list_t       rs_link;
	void          *rs_bootstrap_arg; /**< internal, as all below; not NULL: to be bootstrapped when it leads */
	int            rs_up_rc;         /**< of the last attempt to step up */
	uint32_t       rs_up_nr;         /**< attempts */
	bool           rs_stopping;
};
struct rsvc_ops {
	struct rsvc *(*alloc)(struct engine *eng, const uuid_t uuid);
	void         (*free)(struct rsvc *svc);
	/** A fresh rdb on its first leader: write the initial content (create_arg as given to rsvc_create). */
	MAY_YIELD int  (*bootstrap)(struct rsvc *svc, void *create_arg);
	MAY_YIELD int  (*step_up)(struct rsvc *svc);   /**< load state from the rdb; -DER_UNINIT: not bootstrapped yet, stay down */
	MAY_YIELD void (*step_down)(struct rsvc *svc); /**< no leader reference is held any more */
};
int  rsvc_class_register(struct engine *eng, enum rsvc_class_id id, const struct rsvc_ops *ops) MUST_CHECK;

/** Create a replica here. With @bootstrap_arg non-NULL this rank becomes the first leader and bootstraps; returns when the service is up. */
MAY_YIELD int  rsvc_create(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid, const d_rank_list_t *replicas,
			   uint64_t bytes, void *bootstrap_arg) MUST_CHECK;
MAY_YIELD int  rsvc_start(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid) MUST_CHECK;
/** Start every replica on this engine's storage that doesn't run yet. One that cannot is logged and left out. */
MAY_YIELD int  rsvc_start_all(struct engine *eng, enum rsvc_class_id id) MUST_CHECK;
/** NONEXIST: not running here (with @destroy: nor stored). Waits for leader references to be put. */
MAY_YIELD int  rsvc_stop(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid, bool destroy) MUST_CHECK;
MAY_YIELD void rsvc_stop_all(struct engine *eng, enum rsvc_class_id id);
/** A reference to a service that leads and is up here: 0, -DER_NOTREPLICA, -DER_NOTLEADER (hint filled), -DER_INPROGRESS. */
struct rsvc_hint { d_rank_t sh_rank; uint64_t sh_term; uint32_t sh_flags; /**< 1: valid */ };
int  rsvc_lookup_leader(struct engine *eng, enum rsvc_class_id id, const uuid_t uuid, struct rsvc **ret_svc, struct rsvc_hint *hint) MUST_CHECK;
void rsvc_put_leader(struct rsvc *svc);
/** Call @cb with each service of the class that leads and is up here; an error ends it. */
MAY_YIELD int rsvc_for_each_leader(struct engine *eng, enum rsvc_class_id id, int (*cb)(struct rsvc *svc, void *arg),
				   void *arg) MUST_CHECK;

/** The module, for tables of modules linked in. */
extern const struct dss_module dss_module_rsvc;
