/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Network abstraction: connectionless, reliable endpoints that exchange messages and read and write
 * each other's registered memory. See README.md.
 *
 * A `struct na` is what a provider string and an interface stand for; a `struct na_ep` is one
 * endpoint with its own completion queue and address table. An endpoint is used under one lock of
 * its owner (a CART context): its functions are not thread safe among themselves. Different
 * endpoints are independent. Callbacks run inside na_ep_progress() only.
 */
#pragma once

#include "base/list.h"
#include "base/util.h"

/* ---- provider "self": endpoints that meet in a world of this process ---- */

struct na_self_world;
int  na_self_world_create(struct na_self_world **ret_world) MUST_CHECK;
/** All endpoints in it are closed before. NULL is fine. */
void na_self_world_destroy(struct na_self_world *world);

/* ---- class ---- */

struct na;
struct na_ep;
typedef uint64_t na_addr_t; /**< a peer in one endpoint's address table */
#define NA_ADDR_NONE UINT64_MAX

#define NA_MSG_BYTES_MAX  16384 /**< largest message; larger things travel by RMA */
#define NA_NAME_BYTES_MAX 64    /**< raw endpoint name, as it travels in message headers */
#define NA_URI_BYTES_MAX  160

struct na_attr {
	/** "ofi+tcp", "ofi+tcp;ofi_rxm", "ofi+shm", "ofi+verbs;ofi_rxm", "self" */
	const char           *provider;
	const char           *interface; /**< NULL or "": any */
	const char           *domain;    /**< NULL or "": from the interface */
	struct na_self_world *world;     /**< "self" only; borrowed until na_close() */
	bool                  local;     /**< peers on this machine may be linked, see na_ep_link() */
};
/** Errors: INVAL unknown provider string | NONEXIST no such interface or provider here. */
int  na_open(const struct na_attr *attr, struct na **ret_na) MUST_CHECK;
void na_close(struct na *na);
/** The provider as it stands in URIs: "ofi+tcp;ofi_rxm", "ofi+shm", "self". */
const char *na_provider(const struct na *na);

/* ---- endpoints ---- */

/**
 * A message buffer. The sender gets one from its endpoint, fills data, and gives it to
 * na_msg_send(); the receiver is given one and returns it with na_msg_put().
 */
struct na_msg {
	char     *data; /**< [NA_MSG_BYTES_MAX] */
	uint32_t  len;  /**< bytes of data that count */
	uint32_t  late_bytes; /**< sent: so many more are at @late, and stay there until na_msg_send() returns */
	const void *late;
	uint64_t  cookie; /**< the sender's, for its send_failed callback */
	na_addr_t peer;   /**< received: whom to answer, NA_ADDR_NONE: the message has to say */
	d_list_t  link; /**< of the owner of the message at the moment */
};

struct na_ep_attr {
	int   port; /**< 0: any */
	/** Takes @msg: ends with na_msg_put(). */
	void (*recv)(void *arg, struct na_msg *msg);
	/** @msg could not be delivered; it is back in the pool afterwards. */
	void (*send_failed)(void *arg, const struct na_msg *msg, na_addr_t to, int rc);
	/** @link can be used (rc 0), or has come to an end; only for those of na_ep_link(). */
	void (*linked)(void *arg, na_addr_t link, int rc);
	void *arg;
};
/** Errors: BUSY the port is in use | NOMEM | INVAL. */
int  na_ep_open(struct na *na, const struct na_ep_attr *attr, struct na_ep **ret_ep) MUST_CHECK;
/** Operations under way end without a callback, and touch no memory afterwards. No progress. */
void na_ep_stop(struct na_ep *ep);
/** Stops if need be. Messages that were received are returned before. */
void na_ep_close(struct na_ep *ep);

/** "ofi+tcp;ofi_rxm://127.0.0.1:31416". Errors: TRUNC. */
int  na_ep_uri(struct na_ep *ep, char *buf, size_t buf_bytes) MUST_CHECK;
/** This endpoint's raw name, and its length: what na_addr_insert_name() of a peer takes. */
const void *na_ep_name(struct na_ep *ep, size_t *ret_bytes);

/** Handle up to @event_nr completions and return their number, or an error of the provider. */
int  na_ep_progress(struct na_ep *ep, uint32_t event_nr);
/** Readable when there is something to do, after na_ep_arm() said true; -1: there is none. */
int  na_ep_fd(struct na_ep *ep);
/** True: the descriptor will tell. False: call na_ep_progress() first. */
bool na_ep_arm(struct na_ep *ep);
/** The one that slept is awake and polls again. Until then others may poll and send, and it is still woken. */
void na_ep_disarm(struct na_ep *ep);
/** Only na_ep_progress() can go on with what was begun: wake who sleeps on the armed endpoint. */
bool na_ep_busy(struct na_ep *ep);
/** Longest that an armed endpoint may be left alone, us; UINT32_MAX: until its descriptor tells. */
uint32_t na_ep_repoll_us(struct na_ep *ep);

/** Errors: INVAL not an address of this provider | NOMEM. The same peer has the same address. */
int  na_addr_insert(struct na_ep *ep, const char *uri, na_addr_t *ret_addr) MUST_CHECK;
int  na_addr_insert_name(struct na_ep *ep, const void *name, size_t name_bytes,
			 na_addr_t *ret_addr) MUST_CHECK;

/* ---- local links: peers on this machine, through shared memory ---- */

#define NA_TOKEN_BYTES_MAX 64

/** Equal (and not 0) where two endpoints may be able to link. 0: links are not wanted or possible. */
uint32_t na_host(const struct na *na);
/** What a peer passes to na_ep_link() to link to @ep: it is told through the provider. */
int  na_ep_token(struct na_ep *ep, char *buf, size_t buf_bytes) MUST_CHECK;
/**
 * Begin to link to the endpoint that @token is of. na_ep_attr.linked says within a second whether
 * @ret_addr can be used, and later when it has come to an end: by itself when the peer ends or
 * misbehaves, or by na_ep_unlink(), about which nothing is said. Requests that went through it may
 * or may not have arrived then. Errors: INVAL | UNREACH nobody there | NO_PERM another user's.
 */
int  na_ep_link(struct na_ep *ep, const char *token, na_addr_t *ret_addr) MUST_CHECK;
void na_ep_unlink(struct na_ep *ep, na_addr_t link);
/** Is it one of a link? */
static inline bool
na_addr_is_link(na_addr_t addr)
{
	return (addr & 1ULL << 63) != 0 && addr != NA_ADDR_NONE;
}
/** As na_ep_fd(), of the links. */
int  na_ep_link_fd(struct na_ep *ep);

/** NULL: no memory. */
struct na_msg *na_msg_get(struct na_ep *ep);
void na_msg_put(struct na_ep *ep, struct na_msg *msg);
/** Takes @msg. A failure is told later, in na_ep_progress(). */
void na_msg_send(struct na_ep *ep, na_addr_t to, struct na_msg *msg);

/* ---- remote memory ---- */

enum na_mr_access { NA_MR_PEER_READS = 1 << 0, NA_MR_PEER_WRITES = 1 << 1 };
struct na_mr;
/** Where a peer finds registered memory. */
struct na_mr_remote {
	uint64_t base;  /**< add offsets to this */
	uint64_t key;
	uint64_t guard; /**< for local links; 0: none */
};
int  na_mr_create(struct na_ep *ep, void *buf, size_t bytes, unsigned access, struct na_mr **ret_mr,
		  struct na_mr_remote *ret_remote) MUST_CHECK;
/** Afterwards no peer touches the memory any more. NULL is fine. */
void na_mr_destroy(struct na_ep *ep, struct na_mr *mr);

enum na_rma_kind { NA_RMA_READ, NA_RMA_WRITE };
struct na_rma {
	/* the caller's */
	enum na_rma_kind kind;
	na_addr_t        peer;
	void            *local;
	size_t           bytes;
	uint64_t         remote; /**< na_mr_remote.base + offset */
	uint64_t         key;
	uint64_t         guard;
	void           (*done)(struct na_rma *rma, int rc); /**< once, in na_ep_progress() */
	/* the provider's */
	d_list_t         link;
	int              rc;
	uint64_t         queued_ns;
	void            *prov[10] __attribute__((aligned(16)));
};
/** @rma and its local memory are borrowed until done() runs. */
void na_rma_start(struct na_ep *ep, struct na_rma *rma);
