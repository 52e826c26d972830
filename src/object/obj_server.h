/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the server's files of this folder share: a request being served. */
#pragma once

#include "container/cont_server.h"
#include "object/obj_resend.h"
#include "object/obj_rpc.h"
#include "vos/vos_dtx.h"

/** The module's data on a target xstream. */
struct obj_tls {
	struct obj_resend_tab resend;
	uint32_t              unswept_nr; /**< changes since ids were last looked through */
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
	struct dtx_id          dti;   /**< of a change: goes with it into the container */
	uint64_t               epoch; /**< of a change: now; of a look: as asked, or the newest */
	bool                   replayed; /**< carried out before: rc and epoch of then are in @out */
};

/**
 * Check who asks and whether the target is the right one.
 * Errors: NO_HDL | NO_PERM | STALE the client's map is older | INPROGRESS its first copy is under way | TX_UNCERTAIN its
 * first copy is so old that nobody knows | CANCELED its client has its answer already
 */
MAY_YIELD int obj_call_begin(struct obj_call *call, crt_rpc_t *rpc, enum obj_access access) MUST_CHECK;
/** Reply @rc with what the handler filled in. */
MAY_YIELD void obj_call_end(struct obj_call *call, int rc);
/** The end of a change's transaction: committed if @rc is 0. */
MAY_YIELD int obj_call_commit(struct vos_dtx *dtx, int rc) MUST_CHECK;
struct vos_cont *obj_call_vos(const struct obj_call *call);

/* handlers; each runs in a ULT of its own */
MAY_YIELD void ds_obj_update_hdlr(crt_rpc_t *rpc);
MAY_YIELD void ds_obj_fetch_hdlr(crt_rpc_t *rpc);
MAY_YIELD void ds_obj_enum_hdlr(crt_rpc_t *rpc);
MAY_YIELD void ds_obj_punch_hdlr(crt_rpc_t *rpc);
MAY_YIELD void ds_obj_query_hdlr(crt_rpc_t *rpc);

extern const struct dss_module dss_module_obj;
