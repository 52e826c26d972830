/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * CART: remote procedure calls and bulk transfers between ranks.
 *
 * A process has one `struct crt` for each engine or client in it. A context is one endpoint, one
 * completion queue, one address table and one timeout heap, progressed by one xstream (engine) or
 * under its own lock (client threads). Requests go to (rank, tag): the tag is the remote context.
 *
 * Callbacks run inside crt_progress() of their context, on the scheduler when an engine's xstream
 * polls it: they never yield. A handler that must wait is started as a ULT by the engine's hook
 * (crt_context_register_rpc_task).
 *
 * Every request's completion callback runs exactly once: with the reply, or with -DER_TIMEDOUT,
 * -DER_UNREACH, -DER_CANCELED, whatever arrives later.
 */
#pragma once

#include <gurt/types.h>
#include "base/util.h"
#include "cart/crt_proc.h"

struct crt;
struct crt_group;
typedef struct crt_ctx *crt_context_t;
typedef uint32_t crt_opcode_t;

#define CRT_NO_RANK ((d_rank_t)-1)

/* ---- instance ---- */

struct na_self_world; /* in-process network, na/na.h */
struct d_tm;          /* base/telemetry.h */
struct hlc;

struct crt_attr {
	const char *provider;  /**< "ofi+tcp;ofi_rxm", "ofi+tcp", "ofi+shm", "self" (in one process) */
	const char *interface; /**< "lo", "eth0", ...; NULL or "" lets the provider choose */
	const char *domain;    /**< NULL: from the interface */
	int         port;      /**< of context 0, context t listens on port + t; 0: any */
	bool        server;    /**< has a rank and listens */
	uint32_t    timeout_s; /**< default of a request; 0: 60 */
	uint32_t    ep_credits;/**< requests in flight to one (rank, tag); 0: 64 */
	uint32_t    ctx_nr_max;/**< 0: 64 */
	struct na_self_world *world; /**< provider "self" only; borrowed */
	bool        ctl_allowed; /**< peers may inject faults and change the log (cart_ctl): tests only */
	struct d_tm *tm;         /**< where metrics go ("net/..."); NULL: none; borrowed */
	uint32_t    net_idx;     /**< of a process with several instances: from 1 on metrics go to "net<idx>/..." */
	struct hlc *hlc;         /**< the clock, shared with another instance; NULL: one of its own; borrowed */
};
int  crt_init(const struct crt_attr *attr, struct crt **ret_crt) MUST_CHECK;
/** All contexts are destroyed before. */
void crt_fini(struct crt *crt);

/** The clock that stamps this instance's messages; an engine takes its epochs from it. */
struct hlc *crt_hlc(struct crt *crt);

/* ---- contexts ---- */

int  crt_context_create(struct crt *crt, crt_context_t *ret_ctx) MUST_CHECK;
/** Requests in flight are completed with -DER_CANCELED first. */
void crt_context_destroy(crt_context_t ctx);
int  crt_context_idx(crt_context_t ctx);
struct crt *crt_context_crt(crt_context_t ctx);
/** "ofi+tcp;ofi_rxm://127.0.0.1:31416", in a buffer of the caller. */
int  crt_context_uri(crt_context_t ctx, char *buf, size_t buf_bytes) MUST_CHECK;
/** One pointer for the context's owner, read by handlers: crt_context_data(rpc->cr_ctx). */
void  crt_context_set_data(crt_context_t ctx, void *data);
void *crt_context_data(crt_context_t ctx);

/**
 * Handle what has arrived and what has expired.
 * @param timeout_us  0: only look; -1: until something happened; may block on the descriptor
 * Returns the number of events handled (>= 0), or -DER_TIMEDOUT when the time passed without one.
 */
int  crt_progress(crt_context_t ctx, int64_t timeout_us);
/**
 * Progress until @cond returns non-zero (its value is returned), or -DER_TIMEDOUT. Only the calling
 * thread calls @cond, but callbacks may run in another thread that progresses the same context:
 * what they share is atomic.
 */
int  crt_progress_cond(crt_context_t ctx, int64_t timeout_us, int (*cond)(void *arg), void *arg);
/** For a scheduler that blocks on many descriptors; -1: none, must be polled. */
int  crt_context_fd(crt_context_t ctx);
/** Before blocking on the descriptor: true when it is safe, false when there is work now. */
bool crt_context_arm(crt_context_t ctx);
/** Monotonic ns of the earliest timeout; UINT64_MAX: none. */
uint64_t crt_context_next_timeout(crt_context_t ctx);

/** What a context has seen since it was made. */
struct crt_stats {
	uint64_t req_sent, req_recv, reply_recv;
	uint64_t timeouts;     /**< requests completed with -DER_TIMEDOUT */
	uint64_t unreachable;  /**< with -DER_UNREACH */
	uint64_t late_replies; /**< dropped: their request had ended */
	uint64_t malformed;    /**< messages dropped, or answered with -DER_PROTO */
};
void crt_context_stats(crt_context_t ctx, struct crt_stats *ret_stats);

/** The same of one opcode. */
struct crt_opc_stats {
	uint64_t sent, recv;
	uint64_t replied;        /**< requests of ours that ended well */
	uint64_t failed;         /**< or otherwise */
	uint64_t latency_sum_ns; /**< of those that ended well: from crt_req_send() to the reply */
	uint64_t latency_max_ns;
};
/** Zeroes when the context has not seen the opcode. */
void crt_context_opc_stats(crt_context_t ctx, crt_opcode_t opc, struct crt_opc_stats *ret_stats);

/**
 * Called by the thread that progresses @ctx, in each poll that handled something and when the time
 * it returned last has come (monotonic ns; UINT64_MAX: only when something happens). It may send.
 */
typedef uint64_t (*crt_progress_cb_t)(crt_context_t ctx, void *arg);
int  crt_register_progress_cb(crt_context_t ctx, crt_progress_cb_t cb, void *arg) MUST_CHECK;
/** By the thread that progresses @ctx, or when none does; not inside a progress callback. */
void crt_unregister_progress_cb(crt_context_t ctx, crt_progress_cb_t cb, void *arg);
/** Have the callbacks called soon; any thread. */
void crt_progress_cb_kick(crt_context_t ctx);

/* ---- protocols ---- */

typedef struct {
	d_rank_t ep_rank;
	uint32_t ep_tag;
} crt_endpoint_t;

typedef struct crt_rpc crt_rpc_t;
typedef void (*crt_rpc_hdlr_t)(crt_rpc_t *rpc);

enum { CRT_RPC_NO_REPLY = 1 << 0 };

struct crt_proto_rpc {
	const struct crt_req_format *format;  /**< from CRT_RPC_DEFINE */
	crt_rpc_hdlr_t               handler; /**< NULL on a client */
	uint32_t                     flags;
	const struct crt_corpc_ops  *co_ops;  /**< NULL: never collective; cart/crt_corpc.h */
};
struct crt_proto {
	const char                 *name;
	uint32_t                    mod_id;  /**< 1..255 */
	uint32_t                    version; /**< 1..255 */
	uint32_t                    rpc_nr;
	const struct crt_proto_rpc *rpcs;    /**< borrowed until crt_fini() */
};
/** opcode = mod_id << 24 | version << 16 | index */
#define CRT_OPC(mod_id, version, idx) ((crt_opcode_t)(mod_id) << 24 | (version) << 16 | (idx))
#define CRT_OPC_MOD(opc)     ((opc) >> 24)
#define CRT_OPC_VERSION(opc) (((opc) >> 16) & 0xff)
#define CRT_OPC_IDX(opc)     ((opc)&0xffff)

/** Module ids; the numbers of public DAOS. */
enum crt_mod_id {
	CRT_MOD_VOS = 0, CRT_MOD_MGMT = 1, CRT_MOD_POOL = 2, CRT_MOD_CONT = 3, CRT_MOD_OBJ = 4,
	CRT_MOD_REBUILD = 5, CRT_MOD_RSVC = 6, CRT_MOD_RDB = 7, CRT_MOD_RDBT = 8, CRT_MOD_SEC = 9,
	CRT_MOD_DTX = 10,
	CRT_MOD_DSS = 0xfe, /**< the engine itself: requests to many over relays */
	CRT_MOD_INTERNAL = 0xff,
};
int crt_proto_register(struct crt *crt, const struct crt_proto *proto) MUST_CHECK;

/** @rc 0: @version is the highest that @ep and @versions have in common. -DER_PROTO: there is none. */
typedef void (*crt_proto_query_cb_t)(void *arg, int rc, uint32_t version);
/** Ask @ep which of @versions [version_nr <= 32] of module @mod_id it speaks. @cb runs once. */
int crt_proto_query(crt_context_t ctx, const crt_endpoint_t *ep, uint32_t mod_id,
		    uint32_t version_nr, const uint32_t *versions, crt_proto_query_cb_t cb,
		    void *arg) MUST_CHECK;

/* ---- requests ---- */

struct crt_rpc {
	crt_context_t  cr_ctx;
	crt_opcode_t   cr_opc;
	crt_endpoint_t cr_ep;     /**< where it goes (or came from: ep_rank = source rank or CRT_NO_RANK) */
	void          *cr_input;  /**< struct x_in, zeroed; pointers in it are the caller's until completion; on the server they live as long as the rpc */
	void          *cr_output; /**< struct x_out */
};
struct crt_cb_info {
	crt_rpc_t *cci_rpc;
	void      *cci_arg;
	int        cci_rc;  /**< 0: cr_output is the reply */
};
typedef void (*crt_cb_t)(const struct crt_cb_info *info);

int  crt_req_create(crt_context_t ctx, const crt_endpoint_t *ep, crt_opcode_t opc,
		    crt_rpc_t **ret_req) MUST_CHECK;
/** 0 is -DER_INVAL. */
int  crt_req_set_timeout(crt_rpc_t *req, uint32_t timeout_s) MUST_CHECK;
/** As crt_req_set_timeout(), finer. */
int  crt_req_set_timeout_ns(crt_rpc_t *req, uint64_t timeout_ns) MUST_CHECK;
/** Takes the caller's reference. When it fails, @cb has run or will run with the error: 0 is returned. */
int  crt_req_send(crt_rpc_t *req, crt_cb_t cb, void *arg);
/** Complete with -DER_CANCELED if it is still under way. Safe from the context's own thread only. */
void crt_req_abort(crt_rpc_t *req);
/** What it has: set, or the default. */
uint64_t crt_req_timeout_ns(const crt_rpc_t *req);

/**
 * An input or output as bytes, for those who carry requests of others. Packed: in memory of @owner, which may be @rpc. Unpacked:
 * in memory of @rpc, but what the values borrow is in @bytes, as in a message. Errors: NOMEM | PROTO | OVERFLOW
 */
int crt_input_pack(crt_rpc_t *rpc, crt_rpc_t *owner, d_iov_t *ret_bytes) MUST_CHECK;
int crt_input_unpack(crt_rpc_t *rpc, const d_iov_t *bytes) MUST_CHECK;
int crt_output_pack(crt_rpc_t *rpc, crt_rpc_t *owner, d_iov_t *ret_bytes) MUST_CHECK;
int crt_output_unpack(crt_rpc_t *rpc, const d_iov_t *bytes) MUST_CHECK;

void crt_req_addref(crt_rpc_t *rpc);
void crt_req_decref(crt_rpc_t *rpc);
/** Memory that lives as long as the rpc. NULL: no memory. */
void *crt_req_alloc(crt_rpc_t *rpc, size_t bytes);
/**
 * Server: encode cr_output and send it. What cr_output points to is needed until it returns only.
 * Bodies too large to travel inline are fetched by the peer by RMA; that is invisible here.
 * The handler's reference is dropped by crt_req_decref() when the handler ends: the caller of the
 * handler does that (the hook, see below), not the handler.
 */
int  crt_reply_send(crt_rpc_t *rpc);
/** HLC timestamp in the header of the request (server) or the reply (client). */
uint64_t crt_req_hlc(const crt_rpc_t *rpc);
/**
 * Its input (@in) or output as text, "pool=... flags=3 data=<4096 B>", by the list of fields it was declared
 * with; ends with "..." where @buf is too small. Errors: INVAL less than 8 bytes | UNREG nobody knows its opcode.
 */
int  crt_rpc_print(const crt_rpc_t *rpc, bool in, char *buf, size_t buf_bytes) MUST_CHECK;

/**
 * Hook for incoming requests: decides where @hdlr runs. It takes a reference that it (or the ULT it
 * starts) drops with crt_req_decref() after hdlr(rpc) returned. Without a hook the handler runs at once.
 * Returns 0, or an error that is sent back as the reply's status.
 */
typedef int (*crt_rpc_task_t)(crt_context_t ctx, crt_rpc_t *rpc, crt_rpc_hdlr_t hdlr, void *arg);
void crt_context_register_rpc_task(crt_context_t ctx, crt_rpc_task_t task, void *arg);

/* ---- bulk: registered, possibly scattered memory, reachable by RMA ---- */

typedef struct crt_bulk *crt_bulk_t; /* crt_proc_crt_bulk_t carries it inside requests */
enum crt_bulk_perm { CRT_BULK_RW, CRT_BULK_RO /**< peers may get */, CRT_BULK_WO /**< peers may put */ };
enum crt_bulk_op { CRT_BULK_PUT /**< local to remote */, CRT_BULK_GET /**< remote to local */ };

/** Register the sgl's memory (iov_buf_len bytes each; borrowed until crt_bulk_free()). */
int  crt_bulk_create(crt_context_t ctx, const d_sg_list_t *sgl, enum crt_bulk_perm perm,
		     crt_bulk_t *ret_bulk) MUST_CHECK;
void crt_bulk_free(crt_bulk_t bulk); /**< NULL is fine. Those decoded from a request are freed with it. */
uint64_t crt_bulk_len(crt_bulk_t bulk);
/** Let the handle say whose memory it is, so that who gets it may pass it on to a third. */
int  crt_bulk_bind(crt_bulk_t bulk) MUST_CHECK;
struct crt_bulk_desc {
	crt_rpc_t        *bd_rpc;        /**< the request the remote handle came in: says who to reach */
	enum crt_bulk_op  bd_op;
	crt_bulk_t        bd_remote;
	uint64_t          bd_remote_off;
	const d_sg_list_t *bd_local;     /**< memory of this process (iov_buf_len bytes each; NULL iov_buf: skip for PUT of a hole — nothing is sent for it) */
	uint64_t          bd_local_off;
	uint64_t          bd_len;        /**< out of range of either side: -DER_OVERFLOW, nothing moves */
};
typedef void (*crt_bulk_cb_t)(void *arg, int rc);
/** Start a transfer; @cb runs once from crt_progress(), also after an error here is impossible: errors of starting are returned and @cb doesn't run. */
int  crt_bulk_transfer(const struct crt_bulk_desc *desc, crt_bulk_cb_t cb, void *arg) MUST_CHECK;

/* ---- the primary group: ranks, their URIs, versioned ---- */

struct crt_member {
	d_rank_t    rank;
	const char *uri; /**< of tag 0 */
};
/** This process's rank; servers, once known. */
void     crt_rank_self_set(struct crt *crt, d_rank_t rank);
d_rank_t crt_rank_self(struct crt *crt); /**< CRT_NO_RANK: client, or not known yet */

enum crt_group_op {
	CRT_GROUP_REPLACE, /**< @members are all there are */
	CRT_GROUP_ADD,     /**< @members join; one with the same URI stays, another URI replaces */
	CRT_GROUP_DELETE,  /**< @members leave; their uri is not looked at; those absent are fine */
};
/**
 * Change the membership in one step. Thread safe. Versions only grow: an older @version is
 * -DER_GRPVER and changes nothing, the same one is a no-op.
 * Requests to ranks that left end with -DER_OOG, to those whose URI changed with -DER_UNREACH.
 * Errors: GRPVER | INVAL a rank twice, or a URI too long | NOMEM
 */
int  crt_group_modify(struct crt *crt, uint32_t version, enum crt_group_op op, uint32_t nr,
		      const struct crt_member *members) MUST_CHECK;
/** CRT_GROUP_REPLACE. */
int  crt_group_set(struct crt *crt, uint32_t version, uint32_t nr, const struct crt_member *members) MUST_CHECK;
uint32_t crt_group_version(struct crt *crt);
uint32_t crt_group_size(struct crt *crt);
/** Ranks in ascending order; taken by the caller, d_rank_list_free(). */
int  crt_group_ranks(struct crt *crt, d_rank_list_t **ret_ranks) MUST_CHECK;
/** The rank's URI (tag 0) into the caller's buffer; -DER_NONEXIST. */
int  crt_group_uri(struct crt *crt, d_rank_t rank, char *buf, size_t buf_bytes) MUST_CHECK;
/** Called after each change of the membership, by the thread that made it; one an instance. */
typedef void (*crt_group_cb_t)(struct crt *crt, void *arg);
void crt_group_set_cb(struct crt *crt, crt_group_cb_t cb, void *arg);
/**
 * A client's view may be sparse: URIs of ranks that it lacks are asked of this one (primary service
 * rank), which is not a member itself unless the group says so. CRT_NO_RANK: nobody is asked.
 */
int  crt_group_psr_set(struct crt *crt, d_rank_t rank, const char *uri) MUST_CHECK;
/** Complete all requests in flight to @rank with -DER_OOG or -DER_UNREACH (it left or died). */
void crt_rank_abort(struct crt *crt, d_rank_t rank);
/** The same for one context of a rank, with -DER_CANCELED. */
void crt_ep_abort(struct crt *crt, const crt_endpoint_t *ep);
/** What the contexts know of peers: "rank tag uri", one call each, under a lock: must not call CART. */
void crt_uri_cache_foreach(struct crt *crt, void (*fn)(void *arg, d_rank_t rank, uint32_t tag, const char *uri), void *arg);
/** URI of the context @tag of this process. -DER_NONEXIST. */
int  crt_self_uri(struct crt *crt, uint32_t tag, char *buf, size_t buf_bytes) MUST_CHECK;

/* ---- secondary groups: some ranks of the primary group, by a name, with numbers of their own ---- */

/** Rank i of the new group is @primary[i]. Errors: EXIST | INVAL a rank twice | NOMEM */
int  crt_group_secondary_create(struct crt *crt, const char *name, uint32_t nr,
				const d_rank_t *primary, struct crt_group **ret_grp) MUST_CHECK;
/** NULL is fine. */
void crt_group_secondary_destroy(struct crt_group *grp);
/** NULL: none of this name. Valid until it is destroyed. */
struct crt_group *crt_group_lookup(struct crt *crt, const char *name);
/** Give rank @secondary to @primary; both new to the group. Errors: EXIST | NOMEM */
int  crt_group_secondary_rank_add(struct crt_group *grp, d_rank_t secondary, d_rank_t primary) MUST_CHECK;
/** Errors: NONEXIST. */
int  crt_group_secondary_rank_remove(struct crt_group *grp, d_rank_t secondary) MUST_CHECK;
/** Errors: NONEXIST. */
int  crt_group_rank_s2p(struct crt_group *grp, d_rank_t secondary, d_rank_t *ret_primary) MUST_CHECK;
int  crt_group_rank_p2s(struct crt_group *grp, d_rank_t primary, d_rank_t *ret_secondary) MUST_CHECK;
uint32_t crt_group_secondary_size(struct crt_group *grp);
/** Primary ranks, ascending; taken by the caller. */
int  crt_group_secondary_ranks(struct crt_group *grp, d_rank_list_t **ret_primary) MUST_CHECK;
