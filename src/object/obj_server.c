/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The object service: one shard's part of each operation, carried out by the target that holds the
 * shard. A handler is a straight line: begin (who, where, when), check the descriptors, let VOS do it,
 * reply.
 *
 * Invariants:
 *  1. Nothing is read from a request before obj_call_begin() said yes, but its header.
 *  2. A change has an epoch of this engine's clock, taken after its first copy was looked for; its id becomes
 *     durable with it, in one transaction of the container.
 *  3. A change is answered after it is durable (vos_dtx_end()), and nothing that an answer shows of
 *     other changes can be taken back by a crash: obj_call_end() waits for them.
 *  4. What is borrowed from VOS is given back before the reply is sent; replies own their memory.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_server.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/planted.h"
#include "placement/pl_class.h"
#include "platform/platform.h"
#include "security/sec_capas.h"

#define OBJ_RESEND_ENDED_MAX  8192
#define OBJ_RESEND_CLIENT_MAX 16384

/** How long the ids of changes are kept for clients that don't say that they are settled: far longer than these try. */
#define OBJ_ID_LIFE_NS   (3600 * NSEC_PER_SEC)
#define OBJ_ID_MARGIN_NS (60 * NSEC_PER_SEC)
#define OBJ_SWEEP_EACH   64u  /**< changes of a target */
#define OBJ_SWEEP_IDS    128u /**< more than came since the last time, so that few stay */

_Static_assert(OBJ_TAG_OF_TGT(0) == DSS_TAG_TGT0, "clients know where targets listen");

/** The module's data for an engine. */
struct obj_module {
	_Atomic bool set_up; /**< pools are open: a handle that is not known now is not known at all */
};

/* ---- per-xstream data ---- */

static void *
tls_init(struct dss_xstream *dx)
{
	struct obj_tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL)
		return NULL;
	obj_resend_init(&tls->resend, OBJ_RESEND_ENDED_MAX, OBJ_RESEND_CLIENT_MAX);
	return tls;
}

static MAY_YIELD void
tls_fini(struct dss_xstream *dx, void *data)
{
	struct obj_tls *tls = data;

	obj_resend_fini(&tls->resend);
	free(tls);
}

static struct dss_module_key obj_module_key = {
    .name = "obj", .tags = DSS_HAS_TGT, .init = tls_init, .fini = tls_fini};

/* ---- begin and end of a request ---- */

/** Results after which the client sends the request again: nothing was changed. */
static bool
is_for_later(int rc)
{
	switch (rc) {
	case -DER_STALE:
	case -DER_SHUTDOWN:
	case -DER_AGAIN:
	case -DER_BUSY:
	case -DER_NO_HDL:
	case -DER_NOMEM:
	case -DER_TIMEDOUT:
	case -DER_UNREACH:
	case -DER_INPROGRESS:
	case -DER_CANCELED:
	case -DER_OOG:
	case -DER_HG:
		return true;
	}
	return false;
}

static int
check_access(const struct obj_call *call, enum obj_access access)
{
	uint64_t need = access == OBJ_CHANGES ? SEC_CONT_CAPA_WRITE_DATA : SEC_CONT_CAPA_READ_DATA;

	return (call->hdl->sch_sec_capas & need) ? 0 : -DER_NO_PERM;
}

/** Is the target in service, as far as we know, and does the client know as much? */
static bool
map_allows(const struct obj_call *call, uint32_t version)
{
	const struct ds_pool_child *child = call->hdl->sch_pool;
	const uint32_t              serving = PO_COMP_ST_UP | PO_COMP_ST_UPIN | PO_COMP_ST_DRAIN;

	if (D_PLANTED(D_PLANTED_STALE_MAP))
		return true;
	return call->in->map_version >= version && (child->spc_pool->sp_tgt_status[child->spc_tgt_idx] & serving) != 0;
}

static int
check_placement(struct obj_call *call)
{
	struct ds_pool *pool = call->hdl->sch_pool->spc_pool;
	uint32_t        version = pool->sp_map_version; /* before the state: a newer one with an older version is STALE */
	struct pl_class cls;
	int             rc;

	if (call->in->map_version > version)
		ds_pool_behind(pool);
	if (version == 0 && !D_PLANTED(D_PLANTED_STALE_MAP)) /* started, and nobody told us yet: we may be out of service */
		return -DER_AGAIN;
	if (!map_allows(call, version)) {
		call->out->map_version = version;
		return call->in->map_version > version ? -DER_AGAIN : -DER_STALE;
	}
	if (daos_obj_id_is_nil(call->in->oid.id_pub)) /* a list of objects */
		return 0;
	rc = pl_class_find(daos_obj_id2class(call->in->oid.id_pub), &cls);
	if (rc != 0)
		return rc;
	return pl_class_is_plain(&cls) ? 0 : -DER_NOTSUPPORTED;
}

/** A copy of a change that was carried out before is answered from what the container knows of it. */
static MAY_YIELD int
find_carried_out(struct obj_call *call)
{
	uint64_t     now   = hlc_get(dss_hlc(dss_engine()));
	daos_epoch_t epoch = 0;

	if (vos_dtx_check(obj_call_vos(call), &call->dti, &epoch) == VOS_DTX_COMMITTED) {
		call->epoch = call->out->epoch = epoch;
		call->replayed = true;
		return vos_cont_wait_durable(obj_call_vos(call));
	}
	if ((call->in->flags & OBJ_RF_RESEND) && call->dti.hlc + hlc_span_from_ns(OBJ_ID_LIFE_NS) < now)
		return -DER_TX_UNCERTAIN;
	call->epoch = call->out->epoch = now;
	return 0;
}

static MAY_YIELD int
begin_change(struct obj_call *call)
{
	struct obj_resend_tab *tab   = &call->tls->resend;
	uint64_t               epoch = 0;
	int                    rc    = 0;

	call->dti = call->in->dti;
	if (call->dti.hlc == 0)
		return -DER_PROTO;
	if (D_PLANTED(D_PLANTED_RESEND))
		call->dti.hlc = hlc_get(dss_hlc(dss_engine()));
	obj_resend_settle(tab, call->in->dti.uuid, call->in->settled);
	switch (obj_resend_begin(tab, &call->dti, &call->ent, &rc, &epoch)) {
	case OBJ_RESEND_NEW:
		return find_carried_out(call);
	case OBJ_RESEND_RUNNING:
		return -DER_INPROGRESS;
	case OBJ_RESEND_SETTLED:
		return -DER_CANCELED;
	case OBJ_RESEND_ENDED:
		call->out->epoch = epoch;
		call->replayed   = true;
		return rc;
	default:
		return -DER_NOMEM;
	}
}

/** While the engine starts, what cannot be found is not missing yet. */
static int
not_yet(int rc)
{
	const struct obj_module *mod = dss_module_data(dss_engine(), CRT_MOD_OBJ);

	if (rc != -DER_NO_HDL && rc != -DER_NONEXIST)
		return rc;
	return atomic_load(&mod->set_up) ? rc : -DER_AGAIN;
}

MAY_YIELD int
obj_call_begin(struct obj_call *call, crt_rpc_t *rpc, enum obj_access access)
{
	int rc;

	*call = (struct obj_call){
	    .rpc = rpc, .in = rpc->cr_input, .out = rpc->cr_output, .access = access};
	if (dss_self()->dx_tgt_id < 0)
		return -DER_BAD_TARGET;
	call->tls = dss_module_tls(&obj_module_key);
	rc = ds_cont_hdl_get(call->in->pool.b, call->in->cont.b, call->in->hdl.b, &call->hdl);
	if (rc != 0)
		return not_yet(rc);
	rc = check_access(call, access);
	if (rc == 0)
		rc = check_placement(call);
	if (rc != 0)
		return rc;
	if (access == OBJ_CHANGES)
		return begin_change(call);
	call->epoch = call->in->epoch == 0 ? DAOS_EPOCH_MAX : call->in->epoch;
	return vos_cont_epoch_kept(obj_call_vos(call), call->epoch) ? 0 : -DER_EP_OLD;
}

/** Is it the engine's own trouble? Whoever asked for what cannot be done hears it from the reply. */
static bool
is_ours(int rc)
{
	switch (rc) {
	case -DER_IO:
	case -DER_NVME_IO:
	case -DER_CSUM:
	case -DER_DF_INVAL:
	case -DER_DATA_LOSS:
	case -DER_MISC:
		return true;
	}
	return false;
}

static void
log_failure(const struct obj_call *call, int rc)
{
	const char *what = obj_opc_name(CRT_OPC_IDX(call->rpc->cr_opc));

	if (is_ours(rc))
		D_ERROR("%s of object " DF_UOID " in container " DF_UUID " failed: " DF_RC, what,
			DP_UOID(call->in->oid), DP_UUID(call->in->cont.b), DP_RC(rc));
	else if (rc != 0)
		D_DEBUG("%s of object " DF_UOID ": " DF_RC, what, DP_UOID(call->in->oid), DP_RC(rc));
}

/** Does the answer show what others did? */
static bool
shows_state(const struct obj_call *call, int rc)
{
	if (call->hdl == NULL || call->replayed)
		return false;
	if (call->access == OBJ_READS)
		return rc == 0 || rc == -DER_NONEXIST;
	return rc == -DER_EXIST || rc == -DER_NONEXIST;
}

static void
reply(struct obj_call *call)
{
	int rc = crt_reply_send(call->rpc);

	if (rc != 0)
		D_WARN("%s of object " DF_UOID ": the reply could not be sent: " DF_RC "; the client "
		       "will ask again", obj_opc_name(CRT_OPC_IDX(call->rpc->cr_opc)),
		       DP_UOID(call->in->oid), DP_RC(rc));
}

/* ---- forgetting ---- */

static bool
id_may_go(const struct dtx_id *id, void *arg)
{
	const struct obj_call *call = arg;
	uint64_t               life = hlc_span_from_ns(OBJ_ID_LIFE_NS + OBJ_ID_MARGIN_NS);

	return obj_resend_is_settled(&call->tls->resend, id) || id->hlc + life < call->epoch;
}

/** Now and then a change looks through some ids of its container; it does so after its answer is on its way. */
static MAY_YIELD void
sweep(struct obj_call *call)
{
	int rc;

	if (call->access != OBJ_CHANGES || call->replayed || ++call->tls->unswept_nr < OBJ_SWEEP_EACH)
		return;
	call->tls->unswept_nr = 0;
	rc = vos_dtx_sweep(obj_call_vos(call), OBJ_SWEEP_IDS, id_may_go, call);
	if (rc != 0)
		D_DEBUG("ids of changes of container " DF_UUID " stay for now: " DF_RC, DP_UUID(call->in->cont.b),
			DP_RC(rc));
}

MAY_YIELD void
obj_call_end(struct obj_call *call, int rc)
{
	int wait_rc;

	if (rc == -DER_EP_OLD && call->access == OBJ_CHANGES)
		rc = -DER_AGAIN; /* a snapshot was taken, or space reclaimed, since it began: it changed nothing, and needs a new epoch */
	wait_rc = shows_state(call, rc) ? vos_cont_wait_durable(obj_call_vos(call)) : 0;

	if (wait_rc != 0)
		rc = wait_rc;
	if (call->ent != NULL)
		obj_resend_end(&call->tls->resend, call->ent, rc, call->epoch, !is_for_later(rc));
	if (!call->replayed)
		log_failure(call, rc);
	call->out->rc = rc;
	reply(call);
	if (call->hdl != NULL) {
		sweep(call);
		ds_cont_hdl_put(call->hdl);
	}
}

MAY_YIELD int
obj_call_commit(struct vos_dtx *dtx, int rc)
{
	int end_rc = vos_dtx_end(dtx, rc == 0 ? VOS_DTX_COMMIT : VOS_DTX_ROLLBACK);

	return rc != 0 ? rc : end_rc;
}

struct vos_cont *
obj_call_vos(const struct obj_call *call)
{
	return call->hdl->sch_vos;
}

/* ---- the module ---- */

static const struct crt_proto_rpc obj_srv_rpcs[OBJ_OPC_NR] = {
#define OBJ_SRV_RPC(id, name, fmt, hdlr) [OBJ_OPC_##id] = {.format = &fmt, .handler = hdlr},
    OBJ_RPCS(OBJ_SRV_RPC)
#undef OBJ_SRV_RPC
};
static const struct crt_proto obj_srv_proto = {.name    = "obj",
					       .mod_id  = CRT_MOD_OBJ,
					       .version = OBJ_PROTO_VERSION,
					       .rpc_nr  = OBJ_OPC_NR,
					       .rpcs    = obj_srv_rpcs};

static void
obj_req_attr(crt_rpc_t *rpc, struct dss_req_attr *attr)
{
	const struct obj_hdr *hdr = rpc->cr_input;

	uuid_copy(attr->pool, hdr->pool.b);
	switch (CRT_OPC_IDX(rpc->cr_opc)) {
	case OBJ_OPC_UPDATE:
	case OBJ_OPC_PUNCH:
	case OBJ_OPC_PUNCH_DKEY:
	case OBJ_OPC_PUNCH_AKEY:
		attr->kind = DSS_REQ_UPDATE;
		break;
	case OBJ_OPC_FETCH:
		attr->kind = DSS_REQ_FETCH;
		break;
	default:
		attr->kind = DSS_REQ_OTHER;
	}
}

static MAY_YIELD int
obj_mod_init(struct engine *eng)
{
	struct obj_module *mod = calloc(1, sizeof(*mod));

	if (mod == NULL)
		return -DER_NOMEM;
	dss_module_set_data(eng, CRT_MOD_OBJ, mod);
	return 0;
}

static MAY_YIELD void
obj_mod_fini(struct engine *eng)
{
	free(dss_module_data(eng, CRT_MOD_OBJ));
	dss_module_set_data(eng, CRT_MOD_OBJ, NULL);
}

/** The modules below are set up by now. */
static MAY_YIELD int
obj_mod_setup(struct engine *eng)
{
	struct obj_module *mod = dss_module_data(eng, CRT_MOD_OBJ);

	atomic_store(&mod->set_up, true);
	return 0;
}

const struct dss_module dss_module_obj = {
    .sm_name     = "obj",
    .sm_mod_id   = CRT_MOD_OBJ,
    .sm_init     = obj_mod_init,
    .sm_fini     = obj_mod_fini,
    .sm_setup    = obj_mod_setup,
    .sm_proto    = &obj_srv_proto,
    .sm_key      = &obj_module_key,
    .sm_req_attr = obj_req_attr,
};
