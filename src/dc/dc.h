/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Client core: what the client halves of the services (pool, container, object) and libdaos build
 * on. A process has a `struct client` for each client in it, the default one behind daos_init().
 *
 * Every operation is a TSE task that runs in a client context (struct dc_ctx): a CART context, a
 * scheduler and a lock. The rules for the code of an operation:
 *  1. Its task function, its RPC and bulk callbacks and its task callbacks run with the lock of
 *     their context held: what belongs to one task needs no lock. They never wait.
 *  2. Objects that several tasks share (pools, containers, ...) have locks of their own, held
 *     briefly; contexts are progressed by different threads at the same time.
 *  3. It takes its client and its CART context from its task: dc_task2client(), daos_task2ctx().
 *  4. It ends its task once, with tse_task_complete(), also when it fails early.
 */
#pragma once

#include <daos_task.h>
#include "base/dtx_id.h"
#include "base/handle.h"
#include "base/list.h"
#include "base/hlc.h"
#include "cart/crt.h"

struct client;
struct dc_ctx;

/* ---- clients ---- */

/** A client module: a service's client half. All hooks may be NULL. */
struct dc_module {
	const char             *dm_name;
	enum crt_mod_id         dm_mod_id;
	const struct crt_proto *dm_proto; /**< registered with the client's CART instance */
	int  (*dm_init)(struct client *cl) MUST_CHECK;
	void (*dm_fini)(struct client *cl);
};

struct client_attr {
	const char *sys_name;  /**< NULL: "daos_server" */
	const char *agent_dir; /**< of its socket; NULL: $DAOS_AGENT_DRPC_DIR or the default */
	const struct dc_module *const *modules; /**< [module_nr]; borrowed until client_destroy() */
	uint32_t    module_nr;
	uint32_t    sync_ctx_nr_max; /**< contexts of waiting calls; 0: 8 */

	/** With a provider no agent is asked: what it would tell is given here. */
	const char *provider;
	const char *interface;
	const char *domain;
	struct na_self_world    *world;   /**< provider "self" */
	const struct crt_member *members; /**< [member_nr] */
	uint32_t                 member_nr;
	uint32_t                 group_version; /**< of @members; 0: 1 */
	const d_rank_t          *ms_ranks; /**< [ms_rank_nr] */
	uint32_t                 ms_rank_nr;
	uint32_t                 timeout_s;  /**< of a request; 0: CART's default */
	uint32_t                 ctx_nr_max; /**< network contexts; 0: CART's default */
	const d_iov_t           *cred;       /**< packed Auth.Credential, copied: who the client says it is; NULL: nobody */
};

/** Attach to a system. Errors: AGENT_COMM | NOMEM | those of crt_init() and of the modules. */
int client_create(const struct client_attr *attr, struct client **ret_cl) MUST_CHECK;
/** Handles and event queues are void then, calls in flight end with -DER_CANCELED. NULL is fine. */
void client_destroy(struct client *cl);

struct crt *client_crt(struct client *cl);
struct hlc *client_hlc(struct client *cl);
const char *client_sys_name(struct client *cl);
/** Ranks of the management service: a copy, d_rank_list_free(). */
int client_ms_ranks(struct client *cl, d_rank_list_t **ret_ranks) MUST_CHECK;
/**
 * The system's members, to a client that has no agent to ask. Thread safe.
 * Errors: GRPVER it knows newer ones | INVAL | NOMEM; nothing is changed
 */
int client_members_set(struct client *cl, uint32_t version, uint32_t nr, const struct crt_member *members) MUST_CHECK;
/** A rank cannot be reached: ask the agent again where the ranks are. Never waits. */
void client_refresh(struct client *cl);
/** What the agent says, for daos_mgmt_get_sys_info(); freed with dc_sys_info_free(). */
int client_sys_info(struct client *cl, struct daos_sys_info **ret_info) MUST_CHECK;
void dc_sys_info_free(struct daos_sys_info *info);
/** The caller's credential, signed by the agent and packed, or that of client_attr: what connect requests carry; free(). */
int client_request_cred(struct client *cl, d_iov_t *ret_cred) MUST_CHECK;
/** Data of a module. */
void *client_module_data(struct client *cl, enum crt_mod_id mod);
void  client_module_set_data(struct client *cl, enum crt_mod_id mod, void *data);

/**
 * The client that public calls of this thread mean: the default one, or the one set for the thread.
 * NULL: daos_init() was not called.
 */
struct client *client_current(void);
/** For tests with several clients in a process; NULL: the default again. */
void client_set_current(struct client *cl);
/** daos_init() and daos_fini(): counted. */
int client_default_init(const struct client_attr *attr) MUST_CHECK;
int client_default_fini(void);
/** daos_reinit(): in a forked child; the inherited client is left alone, it is the parent's. */
int client_default_reinit(const struct client_attr *attr) MUST_CHECK;

/* ---- handles: DAOS_HTYPE_* are the types; base/handle.h has the rules ---- */

int  dc_hdl_insert(struct client *cl, struct d_hlink *hlink, daos_handle_t *ret_hdl) MUST_CHECK;
/** With a reference for the caller; NULL: no such handle. */
struct d_hlink *dc_hdl_lookup(struct client *cl, daos_handle_t hdl, uint8_t htype);
int  dc_hdl_delete(struct client *cl, daos_handle_t hdl, uint8_t htype) MUST_CHECK;

/* ---- tasks ---- */

/**
 * Create the task of a call.
 * @param sched  NULL for a call of the user: its event's context, or without an event one of the
 *               calling thread's client; else a scheduler, for a task of a larger operation
 * @param ev     only without @sched
 * Errors: NOMEM | UNINIT | INVAL
 */
int dc_task_create(tse_task_func_t func, tse_sched_t *sched, daos_event_t *ev,
		   tse_task_t **ret_task) MUST_CHECK;
/**
 * Schedule it, which takes it. Without scheduler and event wait for its end and return its result.
 * @param instant  start it now, not at the next progress
 */
int dc_task_schedule(tse_task_t *task, bool instant);
/** Its argument struct: zeroed, DC_TASK_ARGS_BYTES_MAX bytes. */
void *dc_task_get_args(tse_task_t *task);
#define DC_TASK_ARGS_BYTES_MAX 192
/** Its operation, DAOS_OPC_INVALID if it was not made by daos_task_create(). */
daos_opc_t dc_task_get_opc(tse_task_t *task);
void dc_task_set_opc(tse_task_t *task, daos_opc_t opc);
/** A pointer of the user's, apart from the operation's own tse_task_get_priv(). */
void *dc_task_get_user_priv(tse_task_t *task);
void *dc_task_set_user_priv(tse_task_t *task, void *priv);
/** Drop a task that was not scheduled. */
void dc_task_free(tse_task_t *task);
/** Make a completed task of daos_task_create() a new one. */
int dc_task_reset(tse_task_t *task, tse_task_func_t func) MUST_CHECK;
/** Its event was aborted: retry no more. */
bool dc_task_is_aborted(tse_task_t *task);
/** A task of the same context and scheduler as @parent: a part of a larger operation. */
int dc_task_create_part(tse_task_func_t func, tse_task_t *parent, tse_task_t **ret_task) MUST_CHECK;
/** Whether it came from dc_task_create(). */
bool dc_task_is_valid(tse_task_t *task);

struct dc_ctx *dc_task2dctx(tse_task_t *task);
crt_context_t  daos_task2ctx(tse_task_t *task);
struct client *dc_task2client(tse_task_t *task);

/* ---- contexts ---- */

crt_context_t  dc_ctx_crt(struct dc_ctx *dctx);
struct client *dc_ctx_client(struct dc_ctx *dctx);
tse_sched_t   *dc_ctx_sched(struct dc_ctx *dctx);
void dc_ctx_lock(struct dc_ctx *dctx);
void dc_ctx_unlock(struct dc_ctx *dctx);
/**
 * Progress until @cond, called under the lock, holds.
 * @param timeout_us  0: look once; -1: for ever
 * Errors: TIMEDOUT | BUSY called from inside a callback of this context, or on the scheduler of its xstream
 *         CANCELED the context ends
 */
int dc_ctx_wait(struct dc_ctx *dctx, int64_t timeout_us, bool (*cond)(void *arg), void *arg);
/**
 * Give the calling xstream a context of its own: its scheduler progresses it, and waiting calls made in
 * ULTs of the xstream yield the ULT instead of blocking the thread. Events and event queues made in its
 * ULTs belong to it and are used in them only. Called in a ULT; ended in one.
 * Errors: EXIST it has one | NOMEM | those of crt_context_create()
 */
int client_xs_attach(struct client *cl) MUST_CHECK;
/**
 * Calls under way in the calling xstream end with -DER_CANCELED, those made from now on, too, so handles stay
 * until the client ends; events can still be finished. What is left is client_xs_detach(). Harmless when not attached.
 */
void client_xs_cancel(struct client *cl);
/** No ULT of the xstream may be in a call. Its event queues are void then. */
void client_xs_detach(struct client *cl);
/** The calling thread's context for waiting calls; in a ULT its xstream's, if it has one. */
int dc_ctx_of_thread(struct client *cl, struct dc_ctx **ret_dctx) MUST_CHECK;
/** The context that belongs to @sched; for a scheduler of the user that of its xstream, or one of the calling client's. */
struct dc_ctx *dc_sched2dctx(tse_sched_t *sched);

/** Calls fn(arg) once, under the lock, when @delay_ns have passed. Zeroed before its first use. */
struct dc_timer {
	d_list_t link;
	uint64_t at_ns; /**< 0: not armed */
	void   (*fn)(void *arg);
	void    *arg;
};
void dc_timer_arm(struct dc_ctx *dctx, struct dc_timer *timer, uint64_t delay_ns);
void dc_timer_cancel(struct dc_ctx *dctx, struct dc_timer *timer);

/* ---- RPCs ---- */

/** A request in the task's context. */
int dc_req_create(tse_task_t *task, d_rank_t rank, uint32_t tag, crt_opcode_t opc,
		  crt_rpc_t **ret_rpc) MUST_CHECK;
/**
 * Sees the outcome of a request. @rc is the transport's; cr_output is valid on 0, until this
 * returns. Returns the result, which ends the task.
 */
typedef int (*dc_rpc_done_t)(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg);
/** Send a request once and end the task with what @done makes of it. Takes the request. */
int dc_rpc_send_task(tse_task_t *task, crt_rpc_t *rpc, dc_rpc_done_t done, void *arg);

/* ---- replicated services: find the leader, retry ---- */

/** What is known of a service. Thread safe. */
struct dc_svc {
	pthread_mutex_t ds_lock;
	d_rank_list_t  *ds_ranks;  /**< its replicas */
	d_rank_t        ds_leader; /**< last known; CRT_NO_RANK: not known */
	uint64_t        ds_term;   /**< of that leader */

	/** Puts the name of a call into its request; NULL: such requests have none. */
	void          (*ds_name)(crt_rpc_t *rpc, const struct dtx_id *op);
	uuid_t          ds_who;     /**< names are made of it and of a time that grows */
	uint64_t        ds_time;    /**< the service's, HLC, as heard at ds_time_ns; 0: nothing heard yet */
	uint64_t        ds_time_ns;
	uint64_t        ds_last;    /**< of the last name */
};
int  dc_svc_init(struct dc_svc *svc, const d_rank_list_t *ranks) MUST_CHECK;
void dc_svc_fini(struct dc_svc *svc);
/** Replace the replicas. */
int  dc_svc_set_ranks(struct dc_svc *svc, const d_rank_list_t *ranks) MUST_CHECK;
/** A reply says that @leader leads since @term; older news is ignored. */
void dc_svc_hint(struct dc_svc *svc, d_rank_t leader, uint64_t term);
/** Copy of the replicas, d_rank_list_free(). */
int  dc_svc_ranks(struct dc_svc *svc, d_rank_list_t **ret_ranks) MUST_CHECK;
d_rank_t dc_svc_leader(struct dc_svc *svc);

/** A leader hint as found in a reply; hint_valid false: none. */
struct dc_svc_reply {
	bool     hint_valid;
	d_rank_t hint_rank;
	uint64_t hint_term;
	bool     begun; /**< it may have been carried out */
	uint64_t time;  /**< HLC of the service; 0: not told */
};
/** A call of a service. The struct is copied, what it points to is borrowed until @done. */
struct dc_svc_call {
	struct dc_svc *svc;
	crt_opcode_t   opc;
	uint32_t       timeout_s; /**< overall; 0: DC_SVC_TIMEOUT_S */
	/** Fill in the request; called for each attempt. An error ends the call. */
	int (*fill)(tse_task_t *task, crt_rpc_t *rpc, void *arg);
	/**
	 * The service's own result in a reply; fill in @ret_reply if it hints at a leader.
	 * Results that say "elsewhere" or "later" (daos_rc_ask_again()) are retried, others end it.
	 */
	int (*result)(crt_rpc_t *rpc, void *arg, struct dc_svc_reply *ret_reply);
	/** @rpc is NULL when @rc comes from no reply. Its value ends the task. May be NULL. */
	dc_rpc_done_t done;
	void         *arg;
};
#define DC_SVC_TIMEOUT_S     30 /**< default of a whole call */
#define DC_SVC_TRY_TIMEOUT_S 10 /**< of one attempt */
/**
 * Call a service with tag 0 of its leader: try the leader known, then each replica, with growing
 * pauses between rounds, until one answers for good or time is up. A request may arrive several times: it has to be
 * idempotent, or to carry the name the call has (ds_name).
 * Ends @task in any case, @done included; the return value is 0, or its result if memory is out.
 */
int  dc_svc_call(tse_task_t *task, const struct dc_svc_call *call);

/* ---- events, used by the public entry points (layer 8) ---- */

/** NONEXIST its queue is gone | INVAL not initialized */
int dc_event_dctx(daos_event_t *ev, struct dc_ctx **ret_dctx) MUST_CHECK;
/** READY to RUNNING; -DER_NO_PERM while it is used already or has children. */
int  dc_event_launch(daos_event_t *ev) MUST_CHECK;
void dc_event_complete(daos_event_t *ev, int rc);
/** Of a libdfs call: ev_error is to be a positive errno. */
void daos_event_errno_rc(daos_event_t *ev);
