/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Picks the provider class from the provider string, and calls through to it. */
#define D_LOGFAC LOG_FAC_NA
#include <daos_errno.h>
#include "base/log.h"
#include "na/na_class.h"

static const struct na_class *const na_classes[] = {&na_self_class, &na_ofi_class};

int
na_open(const struct na_attr *attr, struct na **ret_na)
{
	if (attr->provider == NULL)
		return -DER_INVAL;
	for (size_t i = 0; i < ARRAY_NR(na_classes); i++)
		if (na_classes[i]->match(attr->provider))
			return na_classes[i]->open(attr, ret_na);
	D_ERROR("provider '%s' is not known; use ofi+tcp, ofi+verbs;ofi_rxm, ofi+shm or another "
		"libfabric provider as ofi+<name>\n", attr->provider);
	return -DER_INVAL;
}

void
na_close(struct na *na)
{
	if (na != NULL)
		na->cls->close(na);
}

const char *
na_provider(const struct na *na)
{
	return na->provider;
}

int
na_ep_open(struct na *na, const struct na_ep_attr *attr, struct na_ep **ret_ep)
{
	return na->cls->ep_open(na, attr, ret_ep);
}

void
na_ep_stop(struct na_ep *ep)
{
	ep->cls->ep_stop(ep);
}

void
na_ep_close(struct na_ep *ep)
{
	if (ep != NULL)
		ep->cls->ep_close(ep);
}

int
na_ep_uri(struct na_ep *ep, char *buf, size_t buf_bytes)
{
	return ep->cls->ep_uri(ep, buf, buf_bytes);
}

const void *
na_ep_name(struct na_ep *ep, size_t *ret_bytes)
{
	return ep->cls->ep_name(ep, ret_bytes);
}

int
na_ep_progress(struct na_ep *ep, uint32_t event_nr)
{
	return ep->cls->ep_progress(ep, event_nr);
}

int
na_ep_fd(struct na_ep *ep)
{
	return ep->cls->ep_fd(ep);
}

bool
na_ep_arm(struct na_ep *ep)
{
	return ep->cls->ep_arm(ep);
}

bool
na_ep_busy(struct na_ep *ep)
{
	return ep->cls->ep_busy(ep);
}

uint32_t
na_ep_repoll_us(struct na_ep *ep)
{
	return ep->cls->ep_repoll_us(ep);
}

int
na_addr_insert(struct na_ep *ep, const char *uri, na_addr_t *ret_addr)
{
	return ep->cls->addr_insert(ep, uri, ret_addr);
}

int
na_addr_insert_name(struct na_ep *ep, const void *name, size_t name_bytes, na_addr_t *ret_addr)
{
	if (name_bytes == 0 || name_bytes > NA_NAME_BYTES_MAX)
		return -DER_INVAL;
	return ep->cls->addr_insert_name(ep, name, name_bytes, ret_addr);
}

struct na_msg *
na_msg_get(struct na_ep *ep)
{
	return ep->cls->msg_get(ep);
}

void
na_msg_put(struct na_ep *ep, struct na_msg *msg)
{
	if (msg != NULL)
		ep->cls->msg_put(ep, msg);
}

void
na_msg_send(struct na_ep *ep, na_addr_t to, struct na_msg *msg)
{
	D_ASSERT(msg->len <= NA_MSG_BYTES_MAX);
	ep->cls->msg_send(ep, to, msg);
}

int
na_mr_create(struct na_ep *ep, void *buf, size_t bytes, unsigned access, struct na_mr **ret_mr,
	     struct na_mr_remote *ret_remote)
{
	return ep->cls->mr_create(ep, buf, bytes, access, ret_mr, ret_remote);
}

void
na_mr_destroy(struct na_ep *ep, struct na_mr *mr)
{
	if (mr != NULL)
		ep->cls->mr_destroy(ep, mr);
}

void
na_rma_start(struct na_ep *ep, struct na_rma *rma)
{
	ep->cls->rma_start(ep, rma);
}
