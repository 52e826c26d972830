/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What the files of this folder share. README.md describes how they fit together.
 *
 * Locks, outermost first: crt.ctx_lock, crt_ctx.lock, crt.grp_lock. No callback of a user runs
 * under any of them: what is to be called is queued as crt_work and run after unlocking.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <daos_errno.h>
#include "base/arena.h"
#include "base/binheap.h"
#include "base/hash.h"
#include "base/hlc.h"
#include "base/spin.h"
#include "base/list.h"
#include "cart/crt.h"
#include "cart/crt_fault.h"
#include "cart/crt_wire.h"
#include "na/na.h"

#define CRT_CTX_NR_MAX_DEFAULT  64
#define CRT_EP_CREDITS_DEFAULT  64
#define CRT_TIMEOUT_S_DEFAULT   60
#define CRT_LOOKUP_TIMEOUT_S    10
#define CRT_PING_TIMEOUT_S      10
/* a request unanswered so long checks on its peer, and again, less and less often */
#define CRT_CHECK_NS_MIN        (500 * 1000000ULL)
#define CRT_CHECK_NS_MAX        (4000 * 1000000ULL)
#define CRT_RPC_POOL_NR_MAX     256
#define CRT_XFER_WINDOW         16
#define CRT_XFER_CHUNK_BYTES    (1u << 20)
#define CRT_EVENTS_PER_POLL     32
/* polls that look for messages only, between those that also look at the clock, for timeouts */
#define CRT_CLOCK_POLL_NR       8
#define CRT_SPIN_NS_MAX         50000
#define CRT_ID_NONE             0
#define CRT_RPC_IO_BYTES        1024 /* input and output structs up to this need no allocation */

/* ---- instance ---- */

struct crt_proto_node {
	const struct crt_proto *proto;
	struct crt_proto_node  *next;
};

struct crt_group_ent {
	d_rank_t rank;
	char     uri[NA_URI_BYTES_MAX];
};

/** Where a context is found. */
struct crt_where {
	char uri[NA_URI_BYTES_MAX];     /* "": there is none */
	char token[NA_TOKEN_BYTES_MAX]; /* for local links; "": none */
};

struct crt {
	struct crt_attr  attr; /* pointers in it are not kept */
	struct na       *na;
	struct hlc      *hlc; /* own_hlc, or another instance's */
	struct hlc       own_hlc;
	uint32_t         incarnation;
	uint32_t         host; /* na_host() */
	_Atomic d_rank_t self;

	pthread_mutex_t  ctx_lock;
	struct crt_ctx **ctxs; /* [attr.ctx_nr_max] */
	_Atomic(struct crt_proto_node *) protos[256]; /* by module; appended under ctx_lock */
	struct crt_swim *_Atomic swim; /* set under grp_lock; crt_swim.c */
	struct crt_faults faults; /* crt_fault.c */

	pthread_mutex_t       grp_lock;
	_Atomic uint32_t      grp_version;
	_Atomic uint32_t      grp_gen; /* counts changes of membership: what contexts compare */
	struct crt_group_ent *grp;     /* [grp_nr], by rank */
	uint32_t              grp_nr;
	crt_group_cb_t        grp_cb;
	void                 *grp_cb_arg;
	struct crt_group_ent  psr;     /* who knows the URIs that the group lacks; rank CRT_NO_RANK: none */
	struct crt_group_ent *learned; /* [learned_nr], by rank: URIs from the psr */
	uint32_t              learned_nr;
	d_list_t              subgroups; /* struct crt_group */
	struct crt_where     *wheres; /* [attr.ctx_nr_max] of the own contexts */
};

/* ---- contexts ---- */

/** Something to call once the context is unlocked. */
struct crt_work {
	d_list_t link;
	void   (*fn)(struct crt_work *work);
};

struct crt_slot {
	struct crt_rpc_priv *rpc; /* NULL: free */
	uint32_t             gen;
	uint32_t             next_free; /* index + 1 */
};

struct crt_ctx {
	struct crt     *crt;
	int             idx;
	struct na_ep   *ep;
	void           *data;
	crt_rpc_task_t  task;
	void           *task_arg;

	pthread_mutex_t lock; /* everything below */
	struct d_hash   peers;
	uint32_t        grp_gen;
	struct d_binheap timeouts;
	struct crt_slot *slots;
	uint32_t        slot_nr, slot_free; /* slot_free: index + 1 */
	d_list_t        work;
	d_list_t        rmas;     /* struct crt_rma under way */
	d_list_t        rpc_pool;
	uint32_t        rpc_pool_nr;
	uint32_t        rpc_nr;   /* alive */
	d_list_t        xfer_pool;

	/* progress and waiting: crt_progress.c */
	bool            progressing;
	uint32_t        waiter_nr;
	uint64_t        event_seq; /* counts polls that handled something */
	pthread_cond_t  waiters;
	int             epfd, wakefd, timerfd;
	const void     *armer;    /* the thread that sleeps */
	bool            sleeping, woken;
	bool            muted;    /* the provider's descriptor is not in epfd */
	uint32_t        awake_nr; /* polls that saw something since it slept */
	uint64_t        timer_ns; /* what timerfd is set to; UINT64_MAX: nothing */
	struct d_spin   spin;
	uint32_t        clock_skip_nr; /* polls since the clock was looked at for timeouts */

	d_list_t         iv_nss; /* struct crt_iv_ns */
	d_list_t         barriers;   /* struct barrier: crt_barrier.c */
	uint32_t         barrier_version; /* of the group, since which they are counted */
	uint64_t         barrier_nr; /* entered */
	d_list_t         st_sessions; /* of self-tests: crt_st_server.c */
	struct crt_st_job *st_job;    /* a self-test that was asked for: crt_st_client.c */

	/* what is called in each poll: crt_hook.c */
	struct crt_hook *hooks; /* [hook_nr] */
	uint32_t         hook_nr;
	uint64_t         hook_next_ns; /* earliest that one of them asked for */

	bool             stopping;
	struct crt_stats stats;
	struct crt_metrics *metrics; /* NULL: none */
};

/* crt_hook.c */
struct crt_hook {
	crt_progress_cb_t cb;
	void             *arg;
};
/** Under the lock, which is released around each call. Returns how many were called. */
int  crt_hooks_run(struct crt_ctx *ctx);

/* crt_metrics.c */
void crt_metrics_open(struct crt_ctx *ctx);
void crt_metrics_close(struct crt_ctx *ctx);
/** Publish what was counted; under the lock. */
void crt_metrics_flush(struct crt_ctx *ctx);
#define CRT_METRICS_POLLS 4096
/** Under the lock. NULL: not counted. */
struct crt_rpc_priv;
struct crt_opc_stats *crt_opc_stats_of(struct crt_ctx *ctx, crt_opcode_t opc,
				       const struct crt_req_format *format);

/* crt_corpc.c; all under the lock */
int  crt_corpc_start(struct crt_rpc_priv *rpc) MUST_CHECK;
int  crt_corpc_local_reply(struct crt_rpc_priv *local, int status);
void crt_corpc_detach(struct crt_rpc_priv *rpc);

/* crt_barrier.c */
#define CRT_BARRIERS_AHEAD_MAX 16 /* a child is at most so many barriers before us */
void crt_barriers_fini(struct crt_ctx *ctx);

/* crt_st_server.c, crt_st_client.c */
void crt_st_fini(struct crt_ctx *ctx);
void crt_st_job_free(struct crt_st_job *job);

/* crt_swim.c; without a lock */
void crt_swim_group_changed(struct crt *crt);

/* crt_subgroup.c */
void crt_subgroups_fini(struct crt *crt);

/* crt_context.c */
void crt_work_add(struct crt_ctx *ctx, struct crt_work *work, void (*fn)(struct crt_work *));
/** Call with the lock held; it is released around each call. Returns how many ran. */
int  crt_work_run(struct crt_ctx *ctx);
int  crt_slot_get(struct crt_ctx *ctx, struct crt_rpc_priv *rpc) MUST_CHECK;
void crt_slot_put(struct crt_ctx *ctx, struct crt_rpc_priv *rpc);
struct crt_rpc_priv *crt_slot_find(struct crt_ctx *ctx, uint64_t id);

/* crt_progress.c */
int  crt_wait_init(struct crt_ctx *ctx) MUST_CHECK;
void crt_wait_fini(struct crt_ctx *ctx);
/** Get a sleeping context going; under its lock. */
void crt_wake(struct crt_ctx *ctx);
/** Unlock after something was sent, perhaps past another thread that sleeps on the context. */
void crt_unlock_sent(struct crt_ctx *ctx);

/* ---- requests ---- */

enum crt_rpc_state {
	CRT_RPC_INIT,     /* created (client), or at its handler (server) */
	CRT_RPC_QUEUED,   /* waits for the peer's address or for a credit */
	CRT_RPC_SENT,     /* holds a credit */
	CRT_RPC_FETCHING, /* a large body is being read; holds a credit when it is a client's */
	CRT_RPC_REPLIED,  /* server: a large reply waits to be read */
	CRT_RPC_DELAYED,  /* server: a fault keeps it from its handler */
	CRT_RPC_DONE,
};

/** A body in memory of its own, reachable for the peer or filled from the peer. */
struct crt_body {
	char               *buf;
	size_t              bytes;
	struct na_mr       *mr;
	struct na_mr_remote remote;
};

/** An RMA operation of a context. */
struct crt_rma {
	struct na_rma   na;
	struct crt_ctx *ctx;
	d_list_t        link; /* ctx->rmas */
	void          (*done)(struct crt_rma *rma, int rc); /* under the lock */
	void           *arg;
};

struct crt_rpc_priv {
	struct crt_rpc              pub;
	_Atomic uint32_t            refs;
	enum crt_rpc_state          state;
	bool                        server;
	bool                        replied;
	uint32_t                    flags; /* enum CRT_RPC_*, of the definition */
	const struct crt_req_format *format;
	crt_rpc_hdlr_t              handler;
	struct crt_opc_stats       *opc_stats; /* its context's; NULL: not counted */
	uint64_t                    sent_ns;
	struct crt_corpc           *corpc; /* part of a collective */
	struct crt_work             work;
	d_list_t                    link; /* peer's queue or flight, ctx->rpc_pool */
	struct d_binheap_node       heap;
	uint64_t                    wake_ns;     /* key in the heap: check on the peer, or expire */
	uint64_t                    deadline_ns; /* expires */
	uint64_t                    check_ns;    /* next interval between checks; 0: none */
	uint64_t                    timeout_ns;
	uint64_t                    id;      /* own slot */
	uint64_t                    peer_id; /* server: the requester's id */
	uint64_t                    hlc;
	uint32_t                    incarnation; /* of the peer when this was sent; 0: not known */
	uint32_t                    host;        /* of the peer, from its reply */
	struct crt_peer            *peer;    /* client */
	na_addr_t                   addr;    /* of the other side */
	crt_cb_t                    cb;
	void                       *arg;
	int                         rc;
	struct na_msg              *msg;     /* received; decoded values point into it */
	struct crt_body             out;     /* sent body that was too large */
	struct crt_body             in;      /* received body that was too large */
	struct crt_rma              rma;     /* fetches in */
	struct d_arena              arena;
	char io[CRT_RPC_IO_BYTES] __attribute__((aligned(16)));
};

static inline struct crt_rpc_priv *
crt_priv(const crt_rpc_t *rpc)
{
	return CONTAINER_OF(rpc, struct crt_rpc_priv, pub);
}

/** For the log. */
static inline const char *
crt_rpc_name(const struct crt_rpc_priv *rpc)
{
	return rpc->format == NULL ? "?" : rpc->format->name;
}

/* crt_rpc.c */
struct crt_rpc_priv *crt_rpc_alloc(struct crt_ctx *ctx, const struct crt_proto_rpc *def,
				   crt_opcode_t opc);
void crt_rpc_put_locked(struct crt_rpc_priv *rpc);
/** Enter the heap; from now on the request expires. @check: and checks on its peer meanwhile. */
int  crt_rpc_arm_timeout(struct crt_rpc_priv *rpc, uint64_t check_ns) MUST_CHECK;
void crt_rpc_disarm(struct crt_rpc_priv *rpc);
int  crt_timeouts_fire(struct crt_ctx *ctx);
/** The only way a client's request ends. A second call does nothing. */
void crt_req_complete(struct crt_rpc_priv *rpc, int rc);
/** Past the queue and the credits. */
void crt_req_send_urgent(struct crt_rpc_priv *rpc, struct crt_peer *peer, crt_cb_t cb, void *arg);
void crt_req_send_locked(struct crt_rpc_priv *rpc, crt_cb_t cb, void *arg);
/** Encode and hand to the network; the request holds a credit of its peer. */
void crt_req_transmit(struct crt_rpc_priv *rpc);

/* crt_msg.c */
void crt_hdr_init(struct crt_rpc_priv *rpc, enum crt_msg_kind kind, struct crt_hdr_wire *hdr);
/** Put header, name and body into @msg; a large body into @body. 0 or the codec's error. */
int  crt_msg_encode(struct crt_rpc_priv *rpc, struct crt_hdr_wire *hdr,
		    int (*proc)(struct crt_proc *, void *), void *data,
		    struct na_msg *msg) MUST_CHECK;
void crt_msg_seal(struct crt_ctx *ctx, const struct crt_hdr_wire *hdr, struct na_msg *msg);
void crt_msg_recv(void *arg, struct na_msg *msg);
void crt_msg_send_failed(void *arg, const struct na_msg *msg, na_addr_t to, int rc);
/** Tell the other side that the large body was read. */
void crt_msg_send_done(struct crt_rpc_priv *rpc, uint64_t rpc_id, uint64_t reply_id);
int  crt_body_expose(struct crt_ctx *ctx, struct crt_body *body) MUST_CHECK;
void crt_body_release(struct crt_ctx *ctx, struct crt_body *body);
/** Read the body that @remote names into rpc->in; done(rpc, rc) runs under the lock. */
int  crt_body_fetch(struct crt_rpc_priv *rpc, const struct crt_remote_wire *remote, size_t bytes,
		    void (*done)(struct crt_rma *rma, int rc)) MUST_CHECK;
void crt_rma_start(struct crt_ctx *ctx, struct crt_rma *rma);

/* crt_server.c */
void crt_server_recv(struct crt_ctx *ctx, const struct crt_hdr_wire *hdr, const void *name,
		     struct na_msg *msg);
/** To its handler, through the hook of the context. */
void crt_server_dispatch(struct crt_rpc_priv *rpc);
/** The time that a fault kept it is over. */
void crt_server_delayed(struct crt_rpc_priv *rpc);
/** A large reply was read, or will never be. */
void crt_server_reply_end(struct crt_rpc_priv *rpc);
int  crt_reply_status(struct crt_rpc_priv *rpc, int status);

/* crt_internal_proto.c */
extern const struct crt_proto crt_internal_proto;

/* crt_init.c */
bool crt_proto_known(struct crt *crt, uint32_t mod_id, uint32_t version);
int  crt_proto_find(struct crt *crt, crt_opcode_t opc,
		    const struct crt_proto_rpc **ret_def) MUST_CHECK;

/* ---- peers: crt_peer.c ---- */

struct crt_peer_key {
	d_rank_t rank;
	uint32_t tag;
};

struct crt_peer {
	struct d_hash_node  node;
	struct crt_peer_key key;
	struct crt_ctx     *ctx;
	na_addr_t           addr;
	uint32_t            incarnation; /* of the process that answered last; 0: not known */
	uint32_t            inflight_nr;
	bool                resolving, kicking, pinging;
	uint64_t            heard_ns; /* last reply */
	char                uri[NA_URI_BYTES_MAX]; /* tag 0: what addr was made from */
	na_addr_t           net;        /* through the provider; addr is this or link */
	na_addr_t           link;       /* through shared memory, once it is begun */
	bool                link_asked; /* the token is being asked for */
	bool                link_waits; /* addr is not set until the link is up, or not */
	uint64_t            link_retry_ns;
	d_list_t            stale;  /* crt_peers_refresh()'s list */
	d_list_t            queue;  /* struct crt_rpc_priv, QUEUED */
	d_list_t            flight; /* SENT and FETCHING */
};
int  crt_peer_get(struct crt_ctx *ctx, d_rank_t rank, uint32_t tag,
		  struct crt_peer **ret_peer) MUST_CHECK;
/** NULL: never asked for. */
struct crt_peer *crt_peer_find(struct crt_ctx *ctx, d_rank_t rank, uint32_t tag);
/** Send what the credits allow, resolving the address first when it is not known. */
void crt_peer_kick(struct crt_peer *peer);
/** The address proved wrong: resolve it again next time. */
void crt_peer_forget(struct crt_peer *peer);
void crt_peer_abort(struct crt_peer *peer, int rc);
void crt_peers_abort_rank(struct crt_ctx *ctx, d_rank_t rank, int rc);
/** After the group changed: drop what is no longer true. */
void crt_peers_refresh(struct crt_ctx *ctx);
void crt_peers_fini(struct crt_ctx *ctx);

/* crt_group.c */
void crt_where_set(struct crt *crt, int idx, const struct crt_where *where);
/** Errors: NONEXIST no such context, or not yet. */
int  crt_where_get(struct crt *crt, uint32_t tag, struct crt_where *ret_where) MUST_CHECK;
d_rank_t crt_psr_rank(struct crt *crt);
/** What the psr told, until it proves wrong or the group changes. */
int  crt_uri_learn(struct crt *crt, d_rank_t rank, const char *uri) MUST_CHECK;
void crt_uri_unlearn(struct crt *crt, d_rank_t rank);

/* crt_link.c */
/** A reply came from a process at @host: link to it, if that is here and it was not tried lately. */
void crt_link_consider(struct crt_peer *peer, uint32_t host);
/** The token is known: begin. When it returns 0, crt_linked() will hear about peer->link. */
int  crt_link_begin(struct crt_peer *peer, const char *token) MUST_CHECK;
void crt_linked(void *arg, na_addr_t link, int rc);
/** Forget the link, whatever its state; requests in flight are the caller's matter. */
void crt_link_drop(struct crt_peer *peer);

/* crt_uri.c */
int  crt_uri_lookup(struct crt_peer *peer) MUST_CHECK;
/** Ask for the token of a peer whose address is known. */
void crt_token_lookup(struct crt_peer *peer);
/** Is the process that has our requests still there? If not, they end with -DER_UNREACH. */
void crt_ping(struct crt_peer *peer);

/* ---- codec ---- */

struct crt_proc {
	enum crt_proc_op op;
	char            *cur, *end; /* ENCODE, DECODE, PRINT: with the NUL */
	size_t           bytes;     /* MEASURE */
	struct d_arena  *arena;     /* DECODE */
	char            *text;      /* PRINT: where it begins */
	bool             may_late;  /* ENCODE: a large value at the end may stay where it is, in late */
	d_iov_t          late;      /* room for it is kept before end */
};

/** To decode @bytes, which may be none at NULL. */
static inline struct crt_proc
crt_proc_of(const d_iov_t *bytes, struct d_arena *arena)
{
	char *buf = bytes->iov_buf;

	return (struct crt_proc){.op    = CRT_PROC_DECODE,
				 .cur   = buf,
				 .end   = bytes->iov_len == 0 ? buf : buf + bytes->iov_len,
				 .arena = arena};
}

/* ---- bulk ---- */

struct crt_bulk_seg {
	struct na_mr_remote remote;
	uint64_t            bytes;
};
struct crt_bulk {
	struct crt_ctx      *ctx;  /* NULL: decoded from a message */
	enum crt_bulk_perm   perm;
	uint64_t             bytes;
	uint32_t             seg_nr;
	struct crt_bulk_seg *segs;
	struct na_mr       **mrs;  /* own ones */
	const void          *name; /* whose memory it is, an endpoint's; NULL: the sender's */
	uint32_t             name_bytes;
};
void crt_xfers_fini(struct crt_ctx *ctx);
