/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Endpoints of libfabric: opening, and an order of closing that leaves no memory in use. */
#define D_LOGFAC LOG_FAC_NA
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_errno.h>
#include "base/log.h"
#include "na/na_ofi.h"
#include "platform/platform.h"

static bool
addr_name_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	const struct ofi_addr *a = CONTAINER_OF(node, struct ofi_addr, node);

	return a->name_bytes == key_bytes && memcmp(a->name, key, key_bytes) == 0;
}

static void
fid_close(struct fid *fid)
{
	int rc = fi_close(fid);

	if (rc != 0)
		D_WARN("closing a libfabric object failed: %s\n", fi_strerror(-rc));
}

static int
ep_fids_open(struct ofi_ep *e)
{
	struct fi_cq_attr cq = {.size     = e->info->rx_attr->size + e->info->tx_attr->size,
				.format   = FI_CQ_FORMAT_MSG,
				.wait_obj = e->na->fd_ok ? FI_WAIT_FD : FI_WAIT_NONE};
	struct fi_av_attr av = {.type = FI_AV_TABLE, .count = 256};
	int               rc = fi_domain(e->na->fabric, e->info, &e->domain, NULL);

	if (rc == 0)
		rc = fi_cq_open(e->domain, &cq, &e->cq, NULL);
	if (rc == 0)
		rc = fi_av_open(e->domain, &av, &e->av, NULL);
	if (rc == 0)
		rc = fi_endpoint(e->domain, e->info, &e->fid, NULL);
	if (rc == 0)
		rc = fi_ep_bind(e->fid, &e->cq->fid, FI_TRANSMIT | FI_RECV);
	if (rc == 0)
		rc = fi_ep_bind(e->fid, &e->av->fid, 0);
	if (rc == 0)
		rc = fi_enable(e->fid);
	if (rc == 0 && e->na->fd_ok && fi_control(&e->cq->fid, FI_GETWAIT, &e->fd) != 0)
		e->fd = -1; /* has none: is looked at by the clock */
	return rc;
}

static void
open_failed(struct ofi_ep *e, int fi_rc)
{
	if (fi_rc == -FI_EADDRINUSE)
		D_ERROR("%s:%d is in use by another process (see `ss -ltnp sport = :%d`); end it, "
			"or choose another port\n", e->na->ip, e->attr.port, e->attr.port);
	else
		D_ERROR("%s endpoint at %s:%d cannot be opened: %s\n", e->na->na.provider,
			e->na->form == OFI_URI_IP ? e->na->ip : "(local)", e->attr.port,
			fi_strerror(-fi_rc));
}

static int
ep_setup(struct ofi_ep *e)
{
	int rc = ofi_source_info(e->na, e->attr.port, &e->info);
	int fi;

	if (rc != 0)
		return rc;
	fi = ep_fids_open(e);
	if (fi == 0) {
		e->name_bytes = sizeof(e->name);
		fi = fi_getname(&e->fid->fid, e->name, &e->name_bytes);
	}
	if (fi != 0) {
		open_failed(e, fi);
		return ofi_rc(fi);
	}
	if (e->name_bytes > sizeof(e->name))
		return -DER_OVERFLOW;
	return ofi_recvs_post(e, OFI_RECV_NR);
}

int
ofi_ep_open(struct na *na, const struct na_ep_attr *attr, struct na_ep **ret_ep)
{
	struct ofi_ep *e = calloc(1, sizeof(*e));
	int            rc;

	if (e == NULL)
		return -DER_NOMEM;
	e->ep.cls   = &na_ofi_class;
	e->na       = CONTAINER_OF(na, struct ofi_na, na);
	e->attr     = *attr;
	e->fd       = -1;
	e->key_next = plat_random();
	d_hash_init(&e->addrs, addr_name_eq);
	d_list_init(&e->blocked);
	d_list_init(&e->pool);
	rc = ep_setup(e);
	if (rc != 0) {
		ofi_ep_close(&e->ep);
		return rc;
	}
	*ret_ep = &e->ep;
	return 0;
}

void
ofi_ep_stop(struct na_ep *ep)
{
	struct ofi_ep *e = ofi_ep_of(ep);

	if (e->fid != NULL)
		fid_close(&e->fid->fid);
	e->fid     = NULL;
	e->stopped = true;
}

void
ofi_ep_close(struct na_ep *ep)
{
	struct ofi_ep *e = ofi_ep_of(ep);

	ofi_ep_stop(ep);
	if (e->av != NULL)
		fid_close(&e->av->fid);
	if (e->cq != NULL)
		fid_close(&e->cq->fid);
	if (e->domain != NULL)
		fid_close(&e->domain->fid);
	if (e->info != NULL)
		fi_freeinfo(e->info);
	ofi_addrs_free(e);
	ofi_msgs_free(e);
	free(e);
}

int
ofi_ep_uri(struct na_ep *ep, char *buf, size_t buf_bytes)
{
	struct ofi_ep *e = ofi_ep_of(ep);

	return ofi_name_to_uri(e->na, e->name, e->name_bytes, buf, buf_bytes);
}

const void *
ofi_ep_name(struct na_ep *ep, size_t *ret_bytes)
{
	struct ofi_ep *e = ofi_ep_of(ep);

	*ret_bytes = e->name_bytes;
	return e->name;
}
