/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the server's files of this folder share: a request being served. */
#pragma once

#include "container/cont_server.h"
#include "object/obj_resend.h"
#include "object/obj_rpc.h"

#define OBJ_COND_LOCK_NR 64

/** The module's data on a target xstream. */
struct obj_tls {
	struct obj_resend_tab resend;
	/** Held from the check of a condition until the change it allows is durable: one of these per
	 *  (object, dkey), by hash, so that of two conditional inserts one finds the other's work. */
	struct ult_mutex      cond_locks[OBJ_COND_LOCK_NR];
};

enum obj_access { OBJ_READS, OBJ_CHANGES };

/** A request from begin to reply. */
struct obj_call {
	crt_rpc_t             *rpc;
	const struct obj_hdr  *in;
	struct obj_rhdr       *out;
	struct obj_tls        *tls;
	struct ds_cont_hdl    *hdl;
	enum obj_access        access;
	struct obj_resend_ent *ent;   /**< of a change */
	uint64_t               epoch; /**< of a change: now; of a look: as asked, or the newest */
	bool                   replayed; /**< carried out before: rc and epoch of then are in @out */
};

/**
 * Check who asks and whether the target is the right one.
 * Errors: NO_HDL | NO_PERM | STALE the client's map is older | INPROGRESS its first copy is under way
 */
MAY_YIELD int obj_call_begin(struct obj_call *call, crt_rpc_t *rpc, enum obj_access access) MUST_CHECK;
/** Reply @rc with what the handler filled in. */
MAY_YIELD void obj_call_end(struct obj_call *call, int rc);
struct vos_cont *obj_call_vos(const struct obj_call *call);

/** NULL: no condition, no lock. */
MAY_YIELD struct ult_mutex *obj_cond_lock(const struct obj_call *call, const daos_key_t *dkey);
void obj_cond_unlock(struct ult_mutex *lock);

/* handlers; each runs in a ULT of its own */
MAY_YIELD void ds_obj_update_hdlr(crt_rpc_t *rpc);
MAY_YIELD void ds_obj_fetch_hdlr(crt_rpc_t *rpc);
MAY_YIELD void ds_obj_enum_hdlr(crt_rpc_t *rpc);
MAY_YIELD void ds_obj_punch_hdlr(crt_rpc_t *rpc);
MAY_YIELD void ds_obj_query_hdlr(crt_rpc_t *rpc);

extern const struct dss_module dss_module_obj;
