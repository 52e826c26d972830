/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the files of local links share; the theory is in na_local.c. na_class.c is their user. */
#pragma once

#include <assert.h>
#include <sys/types.h>
#include "base/hash.h"
#include "na/na_class.h"
#include "na/na_ring.h"

#define LOCAL_ADDR_BIT       (1ULL << 63)
#define LOCAL_LINK_NR_MAX    512    /* of an endpoint */
#define LOCAL_LOOK_POLLS     64     /* between looks at the sockets while it polls */
#define LOCAL_PARK_POLLS     50000  /* a link quiet for so long is not polled any more */
#define LOCAL_HANDSHAKE_NS   (1000 * 1000000ULL)
#define LOCAL_UNSENT_NS      (5000 * 1000000ULL) /* a peer that takes nothing so long is gone */
#define LOCAL_RETRY_US       1000
#define LOCAL_COPY_BYTES     (512u << 10) /* copied by an endpoint in one progress */
#define LOCAL_SERVE_NR_MAX   1024
#define LOCAL_PRIMARY_POLLS  32     /* between polls of a quiet primary provider */

enum local_state {
	LOCAL_FREE,
	LOCAL_ACCEPTED, /* waits for the hello */
	LOCAL_GREETED,  /* has sent the hello, waits for the welcome */
	LOCAL_UP,
	LOCAL_DEAD,     /* to be reaped by progress */
};

/** The memory that two linked endpoints share. */
struct local_mem {
	_Atomic uint64_t rma_key __attribute__((aligned(128))); /* memory the acceptor is at; 0: none */
	_Atomic uint32_t closed __attribute__((aligned(128)));  /* by the initiator: hands off */
	struct ring_mem  rings[2]; /* to the acceptor, to the initiator */
};

struct local_link {
	struct na_local  *local;
	enum local_state  state;
	bool              initiator;
	bool              active;   /* polled: on local->active */
	bool              direct;   /* acceptor: the peer's memory can be reached by system calls */
	bool              hung_up;  /* by the peer: dies once what it sent is handled */
	bool              orphan;   /* nobody wants to hear how it ends */
	int               fd;
	uint32_t          slot;
	uint64_t          gen;
	uid_t             uid;      /* initiator: whom to expect */
	pid_t             pid;      /* of the peer, as seen from here */
	uint64_t          token;    /* random; the acceptor reads it to see whether it can */
	uint64_t          since_ns; /* of the handshake, or since tx is full */
	uint32_t          quiet_nr; /* polls without anything */
	struct local_mem *mem;
	struct ring_tx    tx;
	struct ring_rx    rx;
	d_list_t          link;     /* local->active or local->parked */
	d_list_t          msgs;     /* struct na_msg that did not fit yet */
	d_list_t          rmas;     /* struct na_rma, not sent to the end */
	d_list_t          rmas_out; /* struct na_rma, to be answered */
	d_list_t          serves;   /* struct local_serve: what the peer reads by copying */
	uint32_t          serve_nr;
	uint64_t          rma_id;
};

/** Registered memory; what a peer with access to our memory reads before it touches any. */
struct local_guard {
	_Atomic uint64_t key; /* 0: not registered */
	uint64_t         va;
	uint64_t         base; /* what offset 0 is called: na_mr_remote.base */
	uint64_t         bytes;
	uint64_t         access;
};
struct local_mr {
	struct local_guard guard;
	struct d_hash_node node; /* local->mrs by key, for peers that ask by message */
	struct na_mr      *primary;
	d_list_t           link; /* local->mr_pool */
};

/** Of RING_READ, WRITE, DATA and DONE. */
struct ring_rma {
	uint64_t id;     /* the asking side's */
	uint64_t key;
	uint64_t remote; /* READ, WRITE: where, as in struct na_rma; DATA: offset in the answer */
	uint64_t bytes;  /* READ: how many; else those that follow */
	uint32_t last;   /* WRITE: answer this with DONE */
	int32_t  rc;     /* DONE */
};
static_assert(sizeof(struct ring_rma) <= RING_REC_BYTES_MAX - NA_MSG_BYTES_MAX, "fits");

/** What the peer is owed: the data of a read, piece by piece, or the end of a write. */
struct local_serve {
	enum ring_kind  kind; /* RING_READ or RING_DONE */
	struct ring_rma req;
	uint64_t        sent; /* bytes of a read */
	d_list_t        link;
};

struct na_local {
	struct na_ep      *ep;
	struct na_ep_attr  attr;
	int                epfd, listen_fd;
	char               listen_name[48];
	uint64_t           gen_next;
	struct local_link **links; /* [link_nr] by slot; FREE ones are reused */
	uint32_t           link_nr;
	uint32_t           shaking_nr; /* in a handshake */
	uint32_t           dead_nr;
	d_list_t           active, parked;
	d_list_t           failed;  /* struct na_msg: peer says to whom */
	d_list_t           rma_failed; /* struct na_rma, rc is set */
	bool               look;    /* at the sockets, now */
	bool               stuck;   /* a parked link has something to do */
	bool               armed;   /* somebody sleeps: links stay parked, whoever polls and sends */
	uint32_t           look_nr; /* polls since the last look */
	uint32_t           primary_skip, primary_every;
	struct d_hash      mrs;
	d_list_t           mr_pool;
	struct local_mr  **mr_slabs;
	uint32_t           mr_slab_nr;
};

static inline na_addr_t
local_addr_of(const struct local_link *l)
{
	return LOCAL_ADDR_BIT | l->gen << 12 | l->slot;
}
static_assert(LOCAL_LINK_NR_MAX <= 1 << 12, "slots fit in an address");

/* na_local.c: endpoints and links */
/** Which machine and network this process is on; 0: nothing can be told. */
uint32_t na_local_host(void);
int  na_local_create(struct na_ep *ep, const struct na_ep_attr *attr,
		     struct na_local **ret_local) MUST_CHECK;
void na_local_stop(struct na_local *local);
/** @local was stopped and its endpoint's buffers are still there. NULL is fine. */
void na_local_free(struct na_local *local);
int  na_local_token(struct na_local *local, char *buf, size_t buf_bytes) MUST_CHECK;
int  na_local_link(struct na_local *local, const char *token, na_addr_t *ret_addr) MUST_CHECK;
void na_local_unlink(struct na_local *local, na_addr_t addr);
/** The link that @addr stands for, if it still does. */
struct local_link *local_link_find(struct na_local *local, na_addr_t addr);
/** It is over; what it has is told and freed by the next progress. */
void local_link_die(struct local_link *l, int rc);
void local_poke(struct local_link *l);
/** Did the other side close its socket? */
bool local_hung_up(struct local_link *l);

int  local_link_new(struct na_local *local, int fd, struct local_link **ret_link) MUST_CHECK;
/** Tell and free what died. Returns events. */
int  local_reap(struct na_local *local);

/* na_local_shake.c: how links come up */
void local_accept(struct na_local *local);
/** The socket of a link in a handshake has something: state moves on. */
void local_shake(struct local_link *l);
/** Give up on those that take too long. */
void local_shakes_expire(struct na_local *local);

/* na_local_io.c: progress, messages */
int  na_local_progress(struct na_local *local, uint32_t event_nr);
/** False: there is something to do. True: the descriptor will tell. */
bool na_local_arm(struct na_local *local);
bool na_local_busy(struct na_local *local);
uint32_t na_local_repoll_us(struct na_local *local);
void na_local_send(struct na_local *local, na_addr_t to, struct na_msg *msg);
/** Begin to poll it. */
void local_link_activate(struct local_link *l);
/** Put a record, or -DER_AGAIN; pokes. What breaks the ring ends the link: -DER_UNREACH. */
int  local_put(struct local_link *l, uint32_t kind, const void *head, uint32_t head_bytes,
	       const void *body, uint32_t body_bytes) MUST_CHECK;

/* na_local_rma.c: remote memory */
int  na_local_mr_create(struct na_local *local, void *buf, size_t bytes, unsigned access,
			struct na_mr *primary, struct na_mr **ret_mr,
			struct na_mr_remote *remote) MUST_CHECK;
/** Ends only when no peer is at the memory any more. Returns the primary provider's. */
struct na_mr *na_local_mr_destroy(struct na_local *local, struct na_mr *mr);
/** All at once, for an endpoint that stops. */
void local_mrs_revoke(struct na_local *local);
void local_mrs_free(struct na_local *local);
void na_local_rma(struct na_local *local, struct na_rma *rma);
/** A record of kind READ, WRITE, DATA or DONE. Returns events, or -DER_PROTO. */
int  local_rma_recv(struct local_link *l, const struct ring_rec *rec) MUST_CHECK;
/** Start and go on with what the link has, as far as there is room and @budget. Returns events. */
int  local_rma_push(struct local_link *l, int64_t *budget);
/** Is the acceptor of @l able to reach our memory, or the peer's ours? Sets l->direct. */
void local_direct_probe(struct local_link *l, uint64_t token_va, uint64_t token);
/** No access of the peer is under way, to @key or (0) to anything. May wait for one to end. */
void local_quiesce(struct local_link *l, uint64_t key);
void local_rmas_fail(struct local_link *l);
