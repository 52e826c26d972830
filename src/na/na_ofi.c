/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Provider "ofi+<libfabric provider>": reliable datagram endpoints of libfabric.
 *
 * Each endpoint has a domain of its own, with its completion queue and address table: endpoints of
 * different xstreams then share no lock and no progress, and the domain may be opened for one
 * thread at a time (FI_THREAD_DOMAIN), since the owner serializes. Memory is registered per
 * endpoint for the same reason.
 *
 * Messages are plain sends and receives with CART's header: no tag matching. What the provider does
 * not take now (FI_EAGAIN: no connection yet, queues full) waits in a queue per peer, so one peer
 * cannot hold up others, and is retried by progress. libfabric does not say when a connection is
 * refused: rxm tries again for ever. So a peer that takes nothing for 20 ms is asked by a TCP
 * connection whether anybody listens, and is unreachable when that is refused, or after 5 s.
 *
 * Invariants:
 * 1. A message is owned by exactly one of: the pool, a posted receive, a send under way, a peer's
 *    queue, the user.
 * 2. An address is on blocked iff one of its queues is not empty.
 */
#define D_LOGFAC LOG_FAC_NA
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include <rdma/fi_errno.h>
#include "base/log.h"
#include "na/na_ofi.h"

#define OFI_API FI_VERSION(1, 15)

/* What rxm can be told by the environment only, which libfabric reads at its first call. */
static const struct ofi_env {
	const char *name;
	const char *value;
} ofi_env[] = {
	/* us between looks for connection events; by default 10 ms: a first message takes 30 ms */
	{"FI_OFI_RXM_CM_PROGRESS_INTERVAL", "300"},
	/* 16 KiB buffers for what arrives; by default 4096: an endpoint takes 70 MB, so 20 MB */
	{"FI_OFI_RXM_MSG_RX_SIZE", "256"},
};

static void
ofi_env_set(void)
{
	for (size_t i = 0; i < ARRAY_NR(ofi_env); i++)
		setenv(ofi_env[i].name, ofi_env[i].value, 0);
}

int
ofi_rc(ssize_t fi_rc)
{
	switch (-fi_rc) {
	case 0:
		return 0;
	case FI_ENOMEM:
	case FI_ENOBUFS:
		return -DER_NOMEM;
	case FI_EINVAL:
		return -DER_INVAL;
	case FI_ENODATA:
	case FI_ENODEV:
	case FI_ENOSYS:
		return -DER_NONEXIST;
	case FI_EADDRINUSE:
		return -DER_BUSY;
	case FI_EAGAIN:
		return -DER_AGAIN;
	case FI_EACCES:
	case FI_EPERM:
	case FI_EKEYREJECTED:
		return -DER_NO_PERM;
	case FI_ETRUNC:
	case FI_EMSGSIZE:
		return -DER_TRUNC;
	case FI_ECANCELED:
		return -DER_CANCELED;
	default:
		return -DER_UNREACH;
	}
}

static bool
ofi_match(const char *provider)
{
	return strncmp(provider, OFI_PREFIX, strlen(OFI_PREFIX)) == 0;
}

/** The interface's IPv4 address; without a name the first that is up, loopback last. */
static int
interface_ip(const char *name, char *ip, size_t ip_bytes)
{
	struct ifaddrs *list, *pick = NULL;
	struct in_addr  in;

	if (name != NULL && inet_pton(AF_INET, name, &in) == 1) {
		snprintf(ip, ip_bytes, "%s", name);
		return 0;
	}
	if (getifaddrs(&list) != 0)
		return -DER_NOMEM;
	for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
			continue;
		if (name != NULL ? strcmp(i->ifa_name, name) == 0
				 : (i->ifa_flags & IFF_UP) &&
				       (pick == NULL || (pick->ifa_flags & IFF_LOOPBACK)))
			pick = i;
	}
	if (pick != NULL)
		inet_ntop(AF_INET, &((struct sockaddr_in *)pick->ifa_addr)->sin_addr, ip, ip_bytes);
	freeifaddrs(list);
	if (pick != NULL)
		return 0;
	D_ERROR("interface '%s' does not exist or has no IPv4 address; see `ip -4 addr`\n",
		name == NULL ? "(any)" : name);
	return -DER_NONEXIST;
}

static struct fi_info *
hints_make(const struct ofi_na *n, const char *prov, const char *domain)
{
	struct fi_info *h = fi_allocinfo();

	if (h == NULL)
		return NULL;
	h->caps                       = FI_MSG | FI_RMA;
	h->mode                       = FI_CONTEXT | FI_CONTEXT2;
	h->ep_attr->type              = FI_EP_RDM;
	h->domain_attr->mr_mode =
	    FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_ENDPOINT;
	h->domain_attr->threading     = FI_THREAD_DOMAIN;
	h->domain_attr->resource_mgmt = FI_RM_ENABLED;
	h->fabric_attr->prov_name     = strdup(prov);
	if (strstr(prov, "ofi_rxm") != NULL) /* rxm copies all of a message's size: no completion to wait for */
		h->tx_attr->inject_size = NA_MSG_BYTES_MAX;
	if (n->form == OFI_URI_IP)
		h->addr_format = FI_SOCKADDR_IN;
	if (domain != NULL && domain[0] != '\0')
		h->domain_attr->name = strdup(domain);
	return h;
}

/** Whose addresses are IPv4 addresses and ports. */
static const char *const ip_providers[] = {"tcp", "verbs", "sockets", "net"};

/** A provider's name in libfabric, its name in URIs, and how its addresses are written. */
static const char *
provider_set(struct ofi_na *n, const char *provider)
{
	const char *prov = provider + strlen(OFI_PREFIX);

	if (strcmp(prov, "tcp") == 0)
		prov = "tcp;ofi_rxm";
	else if (strcmp(prov, "verbs") == 0)
		prov = "verbs;ofi_rxm";
	n->form = OFI_URI_HEX;
	for (size_t i = 0; i < ARRAY_NR(ip_providers); i++)
		if (strncmp(prov, ip_providers[i], strlen(ip_providers[i])) == 0)
			n->form = OFI_URI_IP;
	if (strcmp(prov, "shm") == 0)
		n->form = OFI_URI_STRING;
	n->probe = strcmp(prov, "tcp;ofi_rxm") == 0 || strcmp(prov, "net") == 0;
	snprintf(n->na.provider, sizeof(n->na.provider), OFI_PREFIX "%s", prov);
	return prov;
}

static int
info_get(struct ofi_na *n, const struct na_attr *attr, const char *prov)
{
	struct fi_info *hints = hints_make(n, prov, attr->domain);
	const char     *node  = n->form == OFI_URI_IP ? n->ip : NULL;
	int             rc;

	if (hints == NULL)
		return -DER_NOMEM;
	rc = fi_getinfo(OFI_API, node, NULL, node != NULL ? FI_SOURCE : 0, hints, &n->info);
	fi_freeinfo(hints);
	if (rc == 0)
		return 0;
	D_ERROR("provider '%s' is not there on interface '%s', domain '%s': %s; `fi_info -p '%s'` "
		"lists what is\n", attr->provider, attr->interface == NULL ? "" : attr->interface,
		attr->domain == NULL ? "" : attr->domain, fi_strerror(-rc), prov);
	return ofi_rc(rc);
}

static void
ofi_close(struct na *na)
{
	struct ofi_na *n = CONTAINER_OF(na, struct ofi_na, na);

	if (n->fabric != NULL)
		fi_close(&n->fabric->fid);
	if (n->info != NULL)
		fi_freeinfo(n->info);
	free(n);
}

static int
ofi_open(const struct na_attr *attr, struct na **ret_na)
{
	const char    *iface = attr->interface;
	struct ofi_na *n     = calloc(1, sizeof(*n));
	const char    *prov;
	int            rc = 0;

	if (n == NULL)
		return -DER_NOMEM;
	if (iface != NULL && iface[0] == '\0')
		iface = NULL;
	ofi_env_set();
	n->na.cls = &na_ofi_class;
	prov      = provider_set(n, attr->provider);
	if (n->form == OFI_URI_IP)
		rc = interface_ip(iface, n->ip, sizeof(n->ip));
	if (rc == 0)
		rc = info_get(n, attr, prov);
	if (rc == 0) {
		n->info->domain_attr->threading = FI_THREAD_DOMAIN;
		n->shm   = strcmp(prov, "shm") == 0;
		n->fd_ok = !n->shm && strcmp(prov, "net") != 0;
		if (n->shm)
			ofi_shm_sweep();
		rc = ofi_rc(fi_fabric(n->info->fabric_attr, &n->fabric, NULL));
	}
	if (rc != 0) {
		ofi_close(&n->na);
		return rc;
	}
	*ret_na = &n->na;
	return 0;
}

/** A copy of the template that listens on @port (0: any). */
int
ofi_source_info(struct ofi_na *n, int port, struct fi_info **ret_info)
{
	struct fi_info *info = fi_dupinfo(n->info);

	if (info == NULL)
		return -DER_NOMEM;
	if (n->form == OFI_URI_IP) {
		struct sockaddr_in *sin = calloc(1, sizeof(*sin));

		if (sin == NULL) {
			fi_freeinfo(info);
			return -DER_NOMEM;
		}
		sin->sin_family = AF_INET;
		sin->sin_port   = htons(port);
		inet_pton(AF_INET, n->ip, &sin->sin_addr);
		free(info->src_addr);
		info->src_addr    = sin;
		info->src_addrlen = sizeof(*sin);
	}
	*ret_info = info;
	return 0;
}

const struct na_class na_ofi_class = {
	.name             = "ofi",
	.match            = ofi_match,
	.open             = ofi_open,
	.close            = ofi_close,
	.ep_open          = ofi_ep_open,
	.ep_stop          = ofi_ep_stop,
	.ep_close         = ofi_ep_close,
	.ep_uri           = ofi_ep_uri,
	.ep_name          = ofi_ep_name,
	.ep_progress      = ofi_ep_progress,
	.ep_fd            = ofi_ep_fd,
	.ep_arm           = ofi_ep_arm,
	.ep_busy          = ofi_ep_busy,
	.ep_repoll_us     = ofi_ep_repoll_us,
	.addr_insert      = ofi_addr_insert,
	.addr_insert_name = ofi_addr_insert_name,
	.msg_get          = ofi_msg_get,
	.msg_put          = ofi_msg_put,
	.msg_send         = ofi_msg_send,
	.mr_create        = ofi_mr_create,
	.mr_destroy       = ofi_mr_destroy,
	.rma_start        = ofi_rma_start,
};

#ifdef __SANITIZE_ADDRESS__
/**
 * The tcp provider of libfabric 1.17 leaks connection requests that are in its event queue when an
 * endpoint is closed. Its symbols are stripped, so the whole library is left out of leak reports.
 */
const char *__lsan_default_suppressions(void);

__attribute__((weak)) const char *
__lsan_default_suppressions(void)
{
	return "leak:libfabric.so\n";
}
#endif
