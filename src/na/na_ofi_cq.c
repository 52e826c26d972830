/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Completions and waiting. README.md says what was found about wait descriptors. */
#define D_LOGFAC LOG_FAC_NA
#include <string.h>
#include <daos_errno.h>
#include <rdma/fi_errno.h>
#include "base/log.h"
#include "na/na_ofi.h"
#include "platform/platform.h"

#define OFI_IDLE_US_MIN 100   /* re-poll without a descriptor: soon after traffic ... */
#define OFI_IDLE_US_MAX 5000  /* ... and after a while without any */

static void
recv_done(struct ofi_ep *e, struct ofi_op *op, size_t bytes, int rc)
{
	struct ofi_msg *om = CONTAINER_OF(op, struct ofi_msg, op);

	e->unposted++;
	if (rc != 0) {
		ofi_msg_put(&e->ep, &om->msg);
		return;
	}
	om->msg.len  = bytes;
	om->msg.peer = NA_ADDR_NONE;
	e->attr.recv(e->attr.arg, &om->msg);
}

static void
op_done(struct ofi_ep *e, struct ofi_op *op, size_t bytes, int rc)
{
	struct ofi_msg *om = CONTAINER_OF(op, struct ofi_msg, op);
	struct na_rma  *rma;

	switch (op->kind) {
	case OFI_OP_RECV:
		recv_done(e, op, bytes, rc);
		break;
	case OFI_OP_SEND:
		if (rc != 0)
			e->attr.send_failed(e->attr.arg, &om->msg, (uintptr_t)om->to, rc);
		ofi_msg_put(&e->ep, &om->msg);
		break;
	case OFI_OP_RMA:
		rma = CONTAINER_OF((void *)op, struct na_rma, prov);
		rma->done(rma, rc);
		break;
	}
}

/** Returns 1 when an error completion was handled. */
static int
error_done(struct ofi_ep *e)
{
	struct fi_cq_err_entry err = {0};
	ssize_t                n   = fi_cq_readerr(e->cq, &err, 0);
	int                    rc;

	if (n != 1)
		return 0;
	if (err.op_context == NULL)
		return 1; /* an inject, or the provider's own */
	rc = ofi_rc(-err.err);
	D_DEBUG("operation failed: %s (provider %d)\n", fi_strerror(err.err), err.prov_errno);
	op_done(e, err.op_context, 0, rc == 0 ? -DER_UNREACH : rc);
	return 1;
}

int
ofi_ep_progress(struct na_ep *ep, uint32_t event_nr)
{
	struct ofi_ep         *e = ofi_ep_of(ep);
	struct fi_cq_msg_entry ent[OFI_CQ_READ_NR];
	ssize_t                n;
	int                    nr = 0;

	/* of the poll before: what came then was answered first */
	if (e->unposted > 0 && ofi_recvs_post(e, e->unposted) != 0)
		D_ERROR("receives cannot be posted\n");
	do {
		n = fi_cq_read(e->cq, ent, OFI_CQ_READ_NR);
		if (n == -FI_EAVAIL) {
			if (error_done(e) == 0)
				break;
			nr++;
			continue;
		}
		for (ssize_t i = 0; i < n; i++)
			op_done(e, ent[i].op_context, ent[i].len, 0);
		nr += n > 0 ? n : 0;
	} while ((uint32_t)nr < event_nr && (n == OFI_CQ_READ_NR || n == -FI_EAVAIL));
	if (!d_list_empty(&e->blocked))
		nr += ofi_blocked_retry(e);
	if (nr > 0)
		e->active_ns = 0;
	return nr;
}

int
ofi_ep_fd(struct na_ep *ep)
{
	return ofi_ep_of(ep)->fd;
}

bool
ofi_ep_arm(struct na_ep *ep)
{
	struct ofi_ep *e    = ofi_ep_of(ep);
	struct fid    *fids[] = {&e->cq->fid};

	return e->fd < 0 || fi_trywait(e->na->fabric, fids, 1) == FI_SUCCESS;
}

bool
ofi_ep_busy(struct na_ep *ep)
{
	struct ofi_ep *e = ofi_ep_of(ep);

	return e->fd < 0 || e->unposted > 0 || !d_list_empty(&e->blocked);
}

/** Without a descriptor: the longer nothing came, the longer the sleep, in proportion. */
static uint32_t
idle_us(struct ofi_ep *e)
{
	uint64_t now = plat_now_ns();
	uint64_t us;

	if (e->active_ns == 0)
		e->active_ns = now;
	us = (now - e->active_ns) / NSEC_PER_USEC / 8;
	return MIN_OF(MAX_OF(us, OFI_IDLE_US_MIN), OFI_IDLE_US_MAX);
}

uint32_t
ofi_ep_repoll_us(struct na_ep *ep)
{
	struct ofi_ep *e = ofi_ep_of(ep);

	if (e->fd < 0)
		return idle_us(e);
	if (ofi_ep_busy(ep))
		return OFI_RETRY_US;
	return plat_now_ns() - e->young_ns < OFI_YOUNG_NS ? OFI_YOUNG_US : UINT32_MAX;
}
