/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Picks the provider class from the provider string, and calls through to it or to local links. */
#define D_LOGFAC LOG_FAC_NA
#include <daos_errno.h>
#include "base/log.h"
#include "na/na_class.h"
#include "na/na_local.h"

static const struct na_class *const na_classes[] = {&na_self_class, &na_ofi_class};

static int
class_open(const struct na_class *cls, const struct na_attr *attr, struct na **ret_na)
{
	struct na *na;
	int        rc = cls->open(attr, &na);

	if (rc != 0)
		return rc;
	na->host = attr->local ? na_local_host() : 0;
	*ret_na  = na;
	return 0;
}

int
na_open(const struct na_attr *attr, struct na **ret_na)
{
	if (attr->provider == NULL)
		return -DER_INVAL;
	for (size_t i = 0; i < ARRAY_NR(na_classes); i++)
		if (na_classes[i]->match(attr->provider))
			return class_open(na_classes[i], attr, ret_na);
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
	struct na_ep *ep;
	int           rc = na->cls->ep_open(na, attr, &ep);

	if (rc == 0 && na->host != 0) {
		rc = na_local_create(ep, attr, &ep->local);
		if (rc != 0)
			ep->cls->ep_close(ep);
	}
	if (rc == 0)
		*ret_ep = ep;
	return rc;
}

void
na_ep_stop(struct na_ep *ep)
{
	if (ep->local != NULL)
		na_local_stop(ep->local);
	ep->cls->ep_stop(ep);
}

void
na_ep_close(struct na_ep *ep)
{
	if (ep == NULL)
		return;
	if (ep->local != NULL) {
		na_local_stop(ep->local);
		na_local_free(ep->local);
	}
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

/**
 * A provider takes system calls to look, a link a few loads: while links are busy and the provider
 * is not, it is looked at now and then only.
 */
static bool
primary_due(struct na_local *local)
{
	if (d_list_empty(&local->active))
		return true;
	if (++local->primary_skip < local->primary_every)
		return false;
	local->primary_skip = 0;
	return true;
}

int
na_ep_progress(struct na_ep *ep, uint32_t event_nr)
{
	struct na_local *local = ep->local;
	int              nr    = 0;
	int              rc;

	if (local == NULL)
		return ep->cls->ep_progress(ep, event_nr);
	nr = na_local_progress(local, event_nr);
	if (!primary_due(local))
		return nr;
	rc = ep->cls->ep_progress(ep, event_nr);
	if (rc > 0)
		local->primary_every = 1;
	else
		local->primary_every = MIN_OF(local->primary_every * 2, LOCAL_PRIMARY_POLLS);
	return rc < 0 && nr == 0 ? rc : nr + MAX_OF(rc, 0);
}

int
na_ep_fd(struct na_ep *ep)
{
	return ep->cls->ep_fd(ep);
}

bool
na_ep_arm(struct na_ep *ep)
{
	if (ep->local == NULL)
		return ep->cls->ep_arm(ep);
	if (na_local_arm(ep->local) && ep->cls->ep_arm(ep))
		return true;
	ep->local->armed = false;
	return false;
}

void
na_ep_disarm(struct na_ep *ep)
{
	if (ep->local != NULL)
		ep->local->armed = false;
}

bool
na_ep_busy(struct na_ep *ep)
{
	return (ep->local != NULL && na_local_busy(ep->local)) || ep->cls->ep_busy(ep);
}

uint32_t
na_ep_repoll_us(struct na_ep *ep)
{
	uint32_t us = ep->cls->ep_repoll_us(ep);

	return ep->local == NULL ? us : MIN_OF(us, na_local_repoll_us(ep->local));
}

/* ---- local links ---- */

uint32_t
na_host(const struct na *na)
{
	return na->host;
}

int
na_ep_token(struct na_ep *ep, char *buf, size_t buf_bytes)
{
	return ep->local == NULL ? -DER_NOSYS : na_local_token(ep->local, buf, buf_bytes);
}

int
na_ep_link(struct na_ep *ep, const char *token, na_addr_t *ret_addr)
{
	return ep->local == NULL ? -DER_NOSYS : na_local_link(ep->local, token, ret_addr);
}

void
na_ep_unlink(struct na_ep *ep, na_addr_t link)
{
	if (ep->local != NULL)
		na_local_unlink(ep->local, link);
}

int
na_ep_link_fd(struct na_ep *ep)
{
	return ep->local == NULL ? -1 : ep->local->epfd;
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
	if (msg == NULL)
		return;
	msg->late_bytes = 0;
	ep->cls->msg_put(ep, msg);
}

void
na_msg_send(struct na_ep *ep, na_addr_t to, struct na_msg *msg)
{
	D_ASSERT(msg->len + msg->late_bytes <= NA_MSG_BYTES_MAX);
	if (ep->local != NULL && na_addr_is_link(to)) {
		na_local_send(ep->local, to, msg);
		return;
	}
	na_msg_fetch_late(msg);
	ep->cls->msg_send(ep, to, msg);
}

int
na_mr_create(struct na_ep *ep, void *buf, size_t bytes, unsigned access, struct na_mr **ret_mr,
	     struct na_mr_remote *ret_remote)
{
	struct na_mr *mr;
	int           rc = ep->cls->mr_create(ep, buf, bytes, access, &mr, ret_remote);

	if (rc != 0)
		return rc;
	ret_remote->guard = 0;
	if (ep->local == NULL) {
		*ret_mr = mr;
		return 0;
	}
	rc = na_local_mr_create(ep->local, buf, bytes, access, mr, ret_mr, ret_remote);
	if (rc != 0)
		ep->cls->mr_destroy(ep, mr);
	return rc;
}

void
na_mr_destroy(struct na_ep *ep, struct na_mr *mr)
{
	if (mr == NULL)
		return;
	if (ep->local != NULL)
		mr = na_local_mr_destroy(ep->local, mr);
	ep->cls->mr_destroy(ep, mr);
}

void
na_rma_start(struct na_ep *ep, struct na_rma *rma)
{
	if (ep->local != NULL && na_addr_is_link(rma->peer))
		na_local_rma(ep->local, rma);
	else
		ep->cls->rma_start(ep, rma);
}
