/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the files of the libfabric provider share; the theory is in na_ofi.c. */
#pragma once

#include <assert.h>
#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include "base/hash.h"
#include "na/na_class.h"

#define OFI_PREFIX        "ofi+"
#define OFI_RECV_NR       128      /* receives posted */
#define OFI_SLAB_MSG_NR   32       /* messages allocated at a time */
#define OFI_CQ_READ_NR    16
#define OFI_RETRY_US      1000     /* re-poll while something could not be started */
#define OFI_YOUNG_NS      (2000 * 1000000ULL) /* a connection counts as young */
#define OFI_YOUNG_US      10000    /* re-poll while connections are young */
#define OFI_PROBE_FIRST_NS (20 * 1000000ULL)
#define OFI_UNSENT_NS     (5000 * 1000000ULL) /* a peer that takes nothing so long is unreachable */

enum ofi_uri_form { OFI_URI_IP, OFI_URI_STRING, OFI_URI_HEX };

struct ofi_na {
	struct na          na;
	struct fi_info    *info; /* the template: each endpoint has its own port in a copy */
	struct fid_fabric *fabric;
	enum ofi_uri_form  form;
	bool               shm;
	bool               fd_ok;  /* the provider has wait descriptors */
	bool               probe;  /* refused connections are silent: ask by TCP */
	char               ip[64]; /* OFI_URI_IP: where endpoints listen */
};

enum ofi_op_kind { OFI_OP_RECV = 1, OFI_OP_SEND, OFI_OP_RMA };

/** What a completion's context points to. */
struct ofi_op {
	struct fi_context2 ctx;
	enum ofi_op_kind   kind;
};
static_assert(sizeof(struct ofi_op) <= sizeof(((struct na_rma *)0)->prov), "fits a struct na_rma");

struct ofi_addr {
	struct d_hash_node node;
	fi_addr_t          fi;
	size_t             name_bytes;
	char               name[NA_NAME_BYTES_MAX];
	d_list_t           msgs; /* struct na_msg that could not be started */
	d_list_t           rmas; /* struct na_rma that could not be started */
	d_list_t           link; /* ofi_ep.blocked iff msgs or rmas has something */
	uint64_t           blocked_ns, probe_ns;
	uint32_t           probe_nr;
	pid_t              pid;      /* shm: of the peer */
	uint64_t           alive_ns; /* shm: last seen alive */
};

struct ofi_msg {
	struct ofi_op    op;
	struct na_msg    msg;
	struct ofi_addr *to;
	char             data[NA_MSG_BYTES_MAX] __attribute__((aligned(64)));
};

struct ofi_ep {
	struct na_ep       ep;
	struct ofi_na     *na;
	struct na_ep_attr  attr;
	struct fi_info    *info;
	struct fid_domain *domain;
	struct fid_cq     *cq;
	struct fid_av     *av;
	struct fid_ep     *fid;
	int                fd;
	bool               stopped;
	uint64_t           key_next;
	size_t             name_bytes;
	char               name[NA_NAME_BYTES_MAX];
	struct d_hash      addrs;   /* by name */
	d_list_t           blocked; /* struct ofi_addr */
	d_list_t           pool;    /* struct na_msg */
	void             **slabs;
	uint32_t           slab_nr;
	uint32_t           unposted; /* receives that could not be posted */
	uint64_t           young_ns; /* last time the address table grew or a peer was blocked */
	uint64_t           active_ns; /* last event; without a descriptor */
};

static inline struct ofi_ep *
ofi_ep_of(struct na_ep *ep)
{
	return CONTAINER_OF(ep, struct ofi_ep, ep);
}

static inline struct ofi_addr *
ofi_addr_of(na_addr_t addr)
{
	return (struct ofi_addr *)(uintptr_t)addr;
}

/* na_ofi.c */
int ofi_rc(ssize_t fi_rc);
int ofi_source_info(struct ofi_na *n, int port, struct fi_info **ret_info) MUST_CHECK;

/* na_ofi_ep.c */
int  ofi_ep_open(struct na *na, const struct na_ep_attr *attr, struct na_ep **ret_ep);
void ofi_ep_stop(struct na_ep *ep);
void ofi_ep_close(struct na_ep *ep);
int  ofi_ep_uri(struct na_ep *ep, char *buf, size_t buf_bytes);
const void *ofi_ep_name(struct na_ep *ep, size_t *ret_bytes);

/* na_ofi_addr.c */
int  ofi_addr_insert(struct na_ep *ep, const char *uri, na_addr_t *ret_addr);
int  ofi_addr_insert_name(struct na_ep *ep, const void *name, size_t bytes, na_addr_t *ret_addr);
void ofi_addrs_free(struct ofi_ep *e);
int  ofi_name_to_uri(const struct ofi_na *n, const char *name, size_t bytes, char *buf,
		     size_t buf_bytes) MUST_CHECK;
/** Does nobody listen at this address? Only a refusal counts; takes no time. */
bool ofi_addr_refuses(const struct ofi_addr *a);

/* na_ofi_shm.c */
/** Remove what processes that are no more left in /dev/shm. */
void ofi_shm_sweep(void);
void ofi_shm_addr_init(struct ofi_addr *a);
/** Sending to a peer that is gone succeeds, or crashes when it was in this process: look first. */
bool ofi_shm_gone(struct ofi_addr *a);

/* na_ofi_msg.c */
struct na_msg *ofi_msg_get(struct na_ep *ep);
void ofi_msg_put(struct na_ep *ep, struct na_msg *msg);
void ofi_msg_send(struct na_ep *ep, na_addr_t to, struct na_msg *msg);
void ofi_msgs_free(struct ofi_ep *e);
int  ofi_recvs_post(struct ofi_ep *e, uint32_t nr);
/** Try again what could not be started; give up on peers that refuse. Returns events. */
int  ofi_blocked_retry(struct ofi_ep *e);
/** The peer takes nothing now: start its clock. */
void ofi_addr_block(struct ofi_ep *e, struct ofi_addr *a);

/* na_ofi_cq.c */
int  ofi_ep_progress(struct na_ep *ep, uint32_t event_nr);
int  ofi_ep_fd(struct na_ep *ep);
bool ofi_ep_arm(struct na_ep *ep);
bool ofi_ep_busy(struct na_ep *ep);
uint32_t ofi_ep_repoll_us(struct na_ep *ep);

/* na_ofi_rma.c */
int  ofi_mr_create(struct na_ep *ep, void *buf, size_t bytes, unsigned access,
		   struct na_mr **ret_mr, struct na_mr_remote *ret_remote);
void ofi_mr_destroy(struct na_ep *ep, struct na_mr *mr);
void ofi_rma_start(struct na_ep *ep, struct na_rma *rma);
/** 0, or the provider's error; -FI_EAGAIN: later. */
ssize_t ofi_rma_post(struct ofi_ep *e, struct ofi_addr *a, struct na_rma *rma);
