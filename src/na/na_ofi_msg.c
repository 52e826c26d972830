/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Messages over libfabric: buffers, receives, sends, and what waits for its peer. */
#define D_LOGFAC LOG_FAC_NA
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include <rdma/fi_errno.h>
#include "base/log.h"
#include "na/na_ofi.h"
#include "platform/platform.h"

/* ---- buffers ---- */

static int
slab_add(struct ofi_ep *e)
{
	struct ofi_msg *slab;
	void          **slabs = realloc(e->slabs, (e->slab_nr + 1) * sizeof(*slabs));

	if (slabs == NULL)
		return -DER_NOMEM;
	e->slabs = slabs;
	slab     = aligned_alloc(64, OFI_SLAB_MSG_NR * sizeof(*slab));
	if (slab == NULL)
		return -DER_NOMEM;
	slabs[e->slab_nr++] = slab;
	for (int i = 0; i < OFI_SLAB_MSG_NR; i++) {
		slab[i].msg = (struct na_msg){.data = slab[i].data};
		d_list_add(&slab[i].msg.link, &e->pool);
	}
	return 0;
}

struct na_msg *
ofi_msg_get(struct na_ep *ep)
{
	struct ofi_ep *e = ofi_ep_of(ep);
	struct na_msg *m;

	if (d_list_empty(&e->pool) && slab_add(e) != 0)
		return NULL;
	m = d_list_first(&e->pool, struct na_msg, link);
	d_list_del(&m->link);
	return m;
}

void
ofi_msg_put(struct na_ep *ep, struct na_msg *m)
{
	d_list_add(&m->link, &ofi_ep_of(ep)->pool);
}

void
ofi_msgs_free(struct ofi_ep *e)
{
	for (uint32_t i = 0; i < e->slab_nr; i++)
		free(e->slabs[i]);
	free(e->slabs);
}

/* ---- receives ---- */

static int
recv_post(struct ofi_ep *e)
{
	struct na_msg  *m = ofi_msg_get(&e->ep);
	struct ofi_msg *om;
	ssize_t         rc;

	if (m == NULL)
		return -DER_NOMEM;
	om          = CONTAINER_OF(m, struct ofi_msg, msg);
	om->op.kind = OFI_OP_RECV;
	rc = fi_recv(e->fid, om->data, sizeof(om->data), NULL, FI_ADDR_UNSPEC, &om->op.ctx);
	if (rc != 0)
		ofi_msg_put(&e->ep, m);
	return ofi_rc(rc);
}

int
ofi_recvs_post(struct ofi_ep *e, uint32_t nr)
{
	for (; nr > 0; nr--) {
		int rc = recv_post(e);

		if (rc == -DER_AGAIN || rc == -DER_NOMEM) {
			e->unposted = nr;
			return 0; /* progress goes on with it */
		}
		if (rc != 0)
			return rc;
	}
	e->unposted = 0;
	return 0;
}

/* ---- sends ---- */

static ssize_t
msg_post(struct ofi_ep *e, struct ofi_addr *a, struct na_msg *m)
{
	struct ofi_msg *om = CONTAINER_OF(m, struct ofi_msg, msg);
	ssize_t         rc;

	if (e->na->shm && ofi_shm_gone(a))
		return -FI_ENOTCONN;
	if (m->len <= e->info->tx_attr->inject_size) {
		rc = fi_inject(e->fid, m->data, m->len, a->fi);
		if (rc == 0)
			ofi_msg_put(&e->ep, m);
		return rc;
	}
	om->op.kind = OFI_OP_SEND;
	om->to      = a;
	return fi_send(e->fid, m->data, m->len, NULL, a->fi, &om->op.ctx);
}

void
ofi_addr_block(struct ofi_ep *e, struct ofi_addr *a)
{
	if (!d_list_empty(&a->link))
		return;
	a->blocked_ns = plat_now_ns();
	a->probe_ns   = a->blocked_ns + OFI_PROBE_FIRST_NS;
	a->probe_nr   = 0;
	d_list_add_tail(&a->link, &e->blocked);
}

void
ofi_msg_send(struct na_ep *ep, na_addr_t to, struct na_msg *m)
{
	struct ofi_ep   *e = ofi_ep_of(ep);
	struct ofi_addr *a = ofi_addr_of(to);

	if (d_list_empty(&a->msgs) && !e->stopped && msg_post(e, a, m) == 0)
		return;
	d_list_add_tail(&m->link, &a->msgs); /* an error shows again on the retry */
	ofi_addr_block(e, a);
}

/* ---- what waits ---- */

static int
addr_fail(struct ofi_ep *e, struct ofi_addr *a, int rc)
{
	struct na_msg *m;
	struct na_rma *r;
	D_LIST_HEAD(msgs);
	D_LIST_HEAD(rmas);
	int nr = 0;

	d_list_splice_tail(&a->msgs, &msgs);
	d_list_splice_tail(&a->rmas, &rmas);
	d_list_del(&a->link);
	while ((m = d_list_first(&msgs, struct na_msg, link)) != NULL) {
		d_list_del(&m->link);
		e->attr.send_failed(e->attr.arg, m, (uintptr_t)a, rc);
		ofi_msg_put(&e->ep, m);
		nr++;
	}
	while ((r = d_list_first(&rmas, struct na_rma, link)) != NULL) {
		d_list_del(&r->link);
		r->done(r, rc);
		nr++;
	}
	return nr;
}

/** Start what can be started. 0, or why not. */
static ssize_t
addr_drain(struct ofi_ep *e, struct ofi_addr *a)
{
	struct na_msg *m;
	struct na_rma *r;
	ssize_t        rc;

	while ((m = d_list_first(&a->msgs, struct na_msg, link)) != NULL) {
		d_list_del(&m->link);
		rc = msg_post(e, a, m);
		if (rc != 0) {
			d_list_add(&m->link, &a->msgs);
			return rc;
		}
	}
	while ((r = d_list_first(&a->rmas, struct na_rma, link)) != NULL) {
		d_list_del(&r->link);
		rc = ofi_rma_post(e, a, r);
		if (rc != 0) {
			d_list_add(&r->link, &a->rmas);
			return rc;
		}
	}
	d_list_del(&a->link);
	return 0;
}

/** Is it time to give up on a peer that takes nothing? */
static bool
addr_dead(struct ofi_ep *e, struct ofi_addr *a)
{
	uint64_t now = plat_now_ns();

	if (now - a->blocked_ns >= OFI_UNSENT_NS)
		return true;
	if (!e->na->probe || now < a->probe_ns)
		return false;
	a->probe_ns = now + (OFI_PROBE_FIRST_NS << MIN_OF(++a->probe_nr, 5));
	return ofi_addr_refuses(a);
}

static int
addr_retry(struct ofi_ep *e, struct ofi_addr *a)
{
	ssize_t rc = addr_drain(e, a);

	if (rc == 0)
		return 0;
	if (rc != -FI_EAGAIN) {
		D_DEBUG("sending failed: %s\n", fi_strerror(-rc));
		return addr_fail(e, a, ofi_rc(rc));
	}
	return addr_dead(e, a) ? addr_fail(e, a, -DER_UNREACH) : 0;
}

int
ofi_blocked_retry(struct ofi_ep *e)
{
	struct ofi_addr *a;
	D_LIST_HEAD(todo);
	int nr = 0;

	d_list_splice_tail(&e->blocked, &todo);
	while ((a = d_list_first(&todo, struct ofi_addr, link)) != NULL) {
		d_list_del(&a->link);
		d_list_add_tail(&a->link, &e->blocked);
		nr += addr_retry(e, a);
	}
	return nr;
}
