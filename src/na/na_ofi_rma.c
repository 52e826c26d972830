/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Remote memory over libfabric. Providers differ in how remote memory is named: by virtual address
 * (FI_MR_VIRT_ADDR) or by offset, and in who chooses keys (FI_MR_PROV_KEY).
 *
 * A write that completed must be visible to the peer before a message sent afterwards. Where the
 * provider does not order sends after writes, writes ask for delivery.
 */
#define D_LOGFAC LOG_FAC_NA
#include <daos_errno.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include "base/log.h"
#include "na/na_ofi.h"

static int
mr_enable(struct ofi_ep *e, struct fid_mr *mr)
{
	int rc;

	if ((e->info->domain_attr->mr_mode & FI_MR_ENDPOINT) == 0)
		return 0;
	rc = fi_mr_bind(mr, &e->fid->fid, 0);
	return rc != 0 ? rc : fi_mr_enable(mr);
}

int
ofi_mr_create(struct na_ep *ep, void *buf, size_t bytes, unsigned access, struct na_mr **ret_mr,
	      struct na_mr_remote *ret_remote)
{
	struct ofi_ep *e  = ofi_ep_of(ep);
	uint64_t       fi = 0;
	struct fid_mr *mr;
	int            rc;

	if (access & NA_MR_PEER_READS)
		fi |= FI_REMOTE_READ;
	if (access & NA_MR_PEER_WRITES)
		fi |= FI_REMOTE_WRITE;
	rc = fi_mr_reg(e->domain, buf, bytes, fi, 0, e->key_next++, 0, &mr, NULL);
	if (rc == 0) {
		rc = mr_enable(e, mr);
		if (rc != 0)
			fi_close(&mr->fid);
	}
	if (rc != 0) {
		D_ERROR("%zu bytes of memory cannot be registered: %s; is the limit of locked "
			"memory (ulimit -l) reached?\n", bytes, fi_strerror(-rc));
		return ofi_rc(rc);
	}
	ret_remote->key  = fi_mr_key(mr);
	ret_remote->base = e->info->domain_attr->mr_mode & FI_MR_VIRT_ADDR ? (uintptr_t)buf : 0;
	*ret_mr = (struct na_mr *)mr;
	return 0;
}

void
ofi_mr_destroy(struct na_ep *ep, struct na_mr *mr)
{
	int rc = fi_close(&((struct fid_mr *)mr)->fid);

	if (rc != 0)
		D_ERROR("memory cannot be deregistered: %s\n", fi_strerror(-rc));
}

static ssize_t
write_delivered(struct ofi_ep *e, struct ofi_addr *a, struct na_rma *rma)
{
	struct iovec      iov    = {.iov_base = rma->local, .iov_len = rma->bytes};
	struct fi_rma_iov remote = {.addr = rma->remote, .len = rma->bytes, .key = rma->key};
	struct fi_msg_rma msg    = {.msg_iov       = &iov,
				    .iov_count     = 1,
				    .addr          = a->fi,
				    .rma_iov       = &remote,
				    .rma_iov_count = 1,
				    .context       = rma->prov};

	return fi_writemsg(e->fid, &msg, FI_COMPLETION | FI_DELIVERY_COMPLETE);
}

ssize_t
ofi_rma_post(struct ofi_ep *e, struct ofi_addr *a, struct na_rma *rma)
{
	struct ofi_op *op = (struct ofi_op *)rma->prov;

	if (e->na->shm && ofi_shm_gone(a))
		return -FI_ENOTCONN;
	op->kind = OFI_OP_RMA;
	if (rma->kind == NA_RMA_READ)
		return fi_read(e->fid, rma->local, rma->bytes, NULL, a->fi, rma->remote, rma->key,
			       &op->ctx);
	if ((e->info->tx_attr->msg_order & FI_ORDER_SAW) == 0)
		return write_delivered(e, a, rma);
	return fi_write(e->fid, rma->local, rma->bytes, NULL, a->fi, rma->remote, rma->key,
			&op->ctx);
}

void
ofi_rma_start(struct na_ep *ep, struct na_rma *rma)
{
	struct ofi_ep   *e = ofi_ep_of(ep);
	struct ofi_addr *a = ofi_addr_of(rma->peer);

	if (d_list_empty(&a->link) && !e->stopped && ofi_rma_post(e, a, rma) == 0)
		return;
	d_list_add_tail(&rma->link, &a->rmas);
	ofi_addr_block(e, a);
}
