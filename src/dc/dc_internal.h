/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the files of the client core share. */
#pragma once

#include <daos_errno.h>
#include "base/list.h"
#include "base/spin.h"
#include "dc/dc.h"
#include "platform/platform.h"
#include "ult/ult.h"

#define DC_SYNC_CTX_NR_MAX    8
#define DC_MODULE_NR          16
#define DC_SPIN_NS_MAX        100000 /* a fabric round trip and a handler are often shorter */
#define DC_AGENT_TIMEOUT_S    20
#define DC_REFRESH_PAUSE_NS   NSEC_PER_SEC

/* ---- contexts: dc_context.c ---- */

struct dc_ctx {
	struct client  *cl;
	crt_context_t   crt;
	tse_sched_t     sched; /* its ds_udata points back here */
	pthread_mutex_t lock;  /* recursive; guards all below and whatever runs in the context */
	uint32_t        depth; /* how often its holder took it */
	d_list_t        timers; /* struct dc_timer, earliest first */
	pthread_cond_t  waiters;
	uint32_t        waiter_nr;
	bool            sleeping; /* a thread blocks on the descriptors, without the lock */
	bool            notified; /* and was told to come back */
	bool            closing;  /* it ends: nothing is sent any more, crt and sched may be gone */
	bool            ended;    /* and all that was in flight has ended */
	int             wakefd;
	struct d_spin   spin;
	struct ult_xs    *xs; /* the xstream it belongs to, or NULL; what follows is of such a context */
	d_list_t          xs_link; /* client.xs_ctxs */
	d_list_t          ult_waiters;
	struct ult_poller poller;
	struct ult_timer  wake_timer;
};
int  dc_ctx_create(struct client *cl, struct dc_ctx **ret_dctx) MUST_CHECK;
/** Complete what is in flight with -DER_CANCELED; what is started later ends so, too. Harmless when repeated. */
void dc_ctx_cancel(struct dc_ctx *dctx);
/** dc_ctx_cancel() and free. NULL is fine. */
void dc_ctx_destroy(struct dc_ctx *dctx);
/** Whether the caller may be suspended or blocked for a call; says why not. Under the lock, held by the caller once. */
bool dc_ctx_may_wait(struct dc_ctx *dctx);
/** Something that a waiter may wait for has happened. Under the lock. */
void dc_ctx_notify(struct dc_ctx *dctx);
/** One round of progress. Under the lock, outside of callbacks. Returns the number of network events. */
int  dc_ctx_poll(struct dc_ctx *dctx);
/** When who blocks has to look again even if nothing arrives, at most @deadline_ns. Under the lock. */
uint64_t dc_ctx_next_wakeup(struct dc_ctx *dctx, uint64_t deadline_ns);

/* ---- contexts of xstreams: dc_xs.c ---- */

/** Whether the caller's xstream has a context of @cl. */
bool dc_xs_ctx(struct client *cl, struct dc_ctx **ret_dctx);
/** Yield until @cond holds. Under the lock, held once; given up meanwhile. TIMEDOUT | CANCELED */
MAY_YIELD int dc_xs_wait(struct dc_ctx *dctx, uint64_t deadline_ns, bool (*cond)(void *arg), void *arg);
/** Wake the ULTs whose condition holds now, or all when the context has ended. Under the lock. */
void dc_xs_notify(struct dc_ctx *dctx);

/* ---- what the agent tells: dc_agent.c ---- */

struct dc_attach {
	char          sys_name[DAOS_SYS_INFO_STRING_MAX + 1];
	char          provider[DAOS_SYS_INFO_STRING_MAX + 1];
	char          interface[64];
	char          domain[64];
	uint32_t      timeout_s;
	uint32_t      map_version;
	uint32_t      ctx_nr_max;
	uint32_t      member_nr;
	struct crt_member *members; /* uri: on the heap */
	d_rank_list_t *ms_ranks;
};
/** Ask the agent. Errors: AGENT_COMM | NOMEM | what the agent answers. */
int  dc_attach_get(const char *sock_path, const char *sys_name,
		   struct dc_attach **ret_att) MUST_CHECK;
int  dc_attach_from_attr(const struct client_attr *attr, struct dc_attach **ret_att) MUST_CHECK;
void dc_attach_free(struct dc_attach *att);
/** @ret_cred: free(). NOMEM */
int  dc_cred_copy(const d_iov_t *cred, d_iov_t *ret_cred) MUST_CHECK;
/** Copies of @members instead of those in @att, whose are freed. NOMEM: nothing is changed. */
int  dc_attach_set_members(struct dc_attach *att, uint32_t nr, const struct crt_member *members) MUST_CHECK;

/* ---- clients: dc_client.c ---- */

struct client {
	uint64_t            id; /* never used twice in a process */
	char                sock_path[108]; /* "": no agent */
	d_iov_t             cred; /* instead of an agent's; iov_buf NULL: none */
	char                want_sys[DAOS_SYS_NAME_MAX + 1];
	struct crt         *crt;
	struct d_hdl_table  hdls;
	const struct dc_module *const *modules;
	uint32_t            module_nr;
	uint32_t            module_up_nr;
	void               *module_data[DC_MODULE_NR];

	pthread_mutex_t     lock; /* everything below; innermost */
	struct dc_attach   *att;
	struct dc_ctx      *sync_ctxs[DC_SYNC_CTX_NR_MAX];
	uint32_t            sync_ctx_nr_max;
	uint32_t            thread_nr; /* threads that made waiting calls */
	d_list_t            xs_ctxs; /* struct dc_ctx, of xstreams */
	struct plat_thread *refresher;
	bool                refreshing;
	uint64_t            refreshed_ns;
	d_list_t            eqs; /* struct dc_eq */
};

/* ---- tasks: dc_task.c ---- */

struct dc_waiter {
	bool done;
	int  rc;
};
#define DC_TASK_MAGIC 0xdc7a5c01u
struct dc_task_rec {
	uint32_t          magic;
	int32_t           opc;
	struct dc_ctx    *dctx;
	tse_task_func_t   func;
	daos_event_t     *ev;
	struct dc_waiter *waiter;
	crt_rpc_t        *rpc;     /* in flight, for aborting it; no reference */
	void             *user_priv;
	bool              wait;    /* a waiting call */
	bool              ended;
	bool              aborted;
	_Alignas(8) char args[DC_TASK_ARGS_BYTES_MAX];
};
struct dc_task_rec *dc_task_rec(tse_task_t *task);
/** Cancel what the task waits for, as far as it is known. Under its context's lock. */
void dc_task_abort(tse_task_t *task);

/* ---- events: dc_event.c; queues: dc_eq.c ---- */

struct dc_ev_cb {
	struct dc_ev_cb     *next;
	daos_event_comp_cb_t cb;
	void                *arg;
};
#define DC_EVENT_MAGIC 0xdce7
/** The private part of a daos_event_t. Guarded by the lock of its context. */
struct dc_evx {
	uint16_t         magic;
	uint8_t          status; /* daos_ev_status_t */
	bool             barrier;
	bool             as_errno;
	uint32_t         child_nr, child_running_nr, child_done_nr;
	struct client   *cl;
	struct dc_ctx   *dctx;
	uint64_t         eq_cookie; /* 0: no queue */
	struct dc_evx   *parent;
	tse_task_t      *task; /* while running */
	struct dc_ev_cb *cbs;  /* newest first */
	d_list_t         link; /* of the queue, or of the parent */
	d_list_t         children;
};
_Static_assert(sizeof(struct dc_evx) <= sizeof(((daos_event_t *)0)->ev_private),
	       "an event is too small");

struct dc_eq {
	struct d_hlink  hlink; /* type DAOS_HTYPE_EQ */
	struct client  *cl;
	struct dc_ctx  *dctx;
	bool            shares; /* the context is its xstream's */
	d_list_t        link;  /* client.eqs */
	d_list_t        running;
	d_list_t        done;
	uint32_t        running_nr;
	uint32_t        done_nr;
	bool            closing;
};
static inline struct dc_evx *
dc_ev2evx(daos_event_t *ev)
{
	return (struct dc_evx *)&ev->ev_private;
}
static inline daos_event_t *
dc_evx2ev(struct dc_evx *evx)
{
	return CONTAINER_OF(evx, daos_event_t, ev_private);
}
/** With a reference; NULL: it is gone. */
struct dc_eq *dc_eq_lookup(struct client *cl, uint64_t cookie);
void dc_eq_put(struct dc_eq *eq);
/** Forget the queues of a client that share @dctx, which ends; NULL: all queues, the client ends. */
void dc_eqs_close(struct client *cl, const struct dc_ctx *dctx);
