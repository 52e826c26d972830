/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Addresses: URIs, raw names, and the table from names to libfabric addresses. */
#define D_LOGFAC LOG_FAC_NA
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <daos_errno.h>
#include "base/log.h"
#include "na/na_ofi.h"
#include "platform/platform.h"

/* ---- URIs ---- */

static int
ip_to_text(const char *name, size_t bytes, char *buf, size_t buf_bytes)
{
	struct sockaddr_in sin;
	char               ip[INET_ADDRSTRLEN];

	if (bytes != sizeof(sin))
		return -1;
	memcpy(&sin, name, sizeof(sin));
	inet_ntop(AF_INET, &sin.sin_addr, ip, sizeof(ip));
	return snprintf(buf, buf_bytes, "%s:%u", ip, ntohs(sin.sin_port));
}

static int
hex_to_text(const char *name, size_t bytes, char *buf, size_t buf_bytes)
{
	if (buf_bytes < 2 * bytes + 1)
		return -1;
	for (size_t i = 0; i < bytes; i++)
		snprintf(buf + 2 * i, 3, "%02x", (unsigned char)name[i]);
	return 2 * bytes;
}

int
ofi_name_to_uri(const struct ofi_na *n, const char *name, size_t bytes, char *buf, size_t buf_bytes)
{
	int head = snprintf(buf, buf_bytes, "%s://", n->na.provider);
	int tail;

	if (head < 0 || (size_t)head >= buf_bytes)
		return -DER_TRUNC;
	buf += head;
	buf_bytes -= head;
	if (n->form == OFI_URI_IP)
		tail = ip_to_text(name, bytes, buf, buf_bytes);
	else if (n->form == OFI_URI_STRING)
		tail = snprintf(buf, buf_bytes, "%.*s", (int)bytes, name);
	else
		tail = hex_to_text(name, bytes, buf, buf_bytes);
	return tail < 0 || (size_t)tail >= buf_bytes ? -DER_TRUNC : 0;
}

static int
ip_from_text(const char *text, char *name, size_t *ret_bytes)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	const char        *colon = strrchr(text, ':');
	char               ip[INET_ADDRSTRLEN];
	char              *end;
	long               port;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(ip))
		return -DER_INVAL;
	memcpy(ip, text, colon - text);
	ip[colon - text] = '\0';
	port = strtol(colon + 1, &end, 10);
	if (inet_pton(AF_INET, ip, &sin.sin_addr) != 1 || *end != '\0' || end == colon + 1 ||
	    port <= 0 || port > UINT16_MAX)
		return -DER_INVAL;
	sin.sin_port = htons(port);
	memcpy(name, &sin, sizeof(sin));
	*ret_bytes = sizeof(sin);
	return 0;
}

static int
hex_from_text(const char *text, char *name, size_t *ret_bytes)
{
	size_t nr = strlen(text) / 2;

	if (nr == 0 || nr > NA_NAME_BYTES_MAX || strlen(text) % 2 != 0)
		return -DER_INVAL;
	for (size_t i = 0; i < nr; i++) {
		unsigned byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return -DER_INVAL;
		name[i] = (char)byte;
	}
	*ret_bytes = nr;
	return 0;
}

static int
uri_to_name(const struct ofi_na *n, const char *uri, char *name, size_t *ret_bytes)
{
	size_t      len = strlen(n->na.provider);
	const char *text;

	if (strncmp(uri, n->na.provider, len) != 0 || strncmp(uri + len, "://", 3) != 0)
		return -DER_INVAL;
	text = uri + len + 3;
	if (n->form == OFI_URI_IP)
		return ip_from_text(text, name, ret_bytes);
	if (n->form == OFI_URI_HEX)
		return hex_from_text(text, name, ret_bytes);
	*ret_bytes = strlen(text) + 1;
	if (*ret_bytes < 2 || *ret_bytes > NA_NAME_BYTES_MAX)
		return -DER_INVAL;
	memcpy(name, text, *ret_bytes);
	return 0;
}

/* ---- the table ---- */

/** Names come from peers: libfabric trusts them, so we don't. */
static bool
name_valid(const struct ofi_na *n, const char *name, size_t bytes)
{
	struct sockaddr_in sin;

	if (n->form == OFI_URI_STRING)
		return bytes >= 2 && memchr(name, '\0', bytes) == name + bytes - 1;
	if (n->form != OFI_URI_IP)
		return true;
	if (bytes != sizeof(sin))
		return false;
	memcpy(&sin, name, sizeof(sin));
	return sin.sin_family == AF_INET && sin.sin_port != 0;
}

static int
addr_add(struct ofi_ep *e, const void *name, size_t bytes, struct ofi_addr **ret_addr)
{
	struct ofi_addr *a = calloc(1, sizeof(*a));
	int              rc;

	if (a == NULL)
		return -DER_NOMEM;
	memcpy(a->name, name, bytes);
	a->name_bytes = bytes;
	d_list_init(&a->msgs);
	d_list_init(&a->rmas);
	d_list_init(&a->link);
	if (e->na->shm)
		ofi_shm_addr_init(a);
	if (fi_av_insert(e->av, a->name, 1, &a->fi, 0, NULL) != 1) {
		free(a);
		return -DER_INVAL;
	}
	rc = d_hash_insert(&e->addrs, &a->node, a->name, bytes);
	D_ASSERT(rc == 0); /* it was looked up before */
	e->young_ns = plat_now_ns();
	*ret_addr   = a;
	return 0;
}

int
ofi_addr_insert_name(struct na_ep *ep, const void *name, size_t bytes, na_addr_t *ret_addr)
{
	struct ofi_ep      *e    = ofi_ep_of(ep);
	struct d_hash_node *node = d_hash_find(&e->addrs, name, bytes);
	struct ofi_addr    *a;
	int                 rc;

	if (node != NULL) {
		a = CONTAINER_OF(node, struct ofi_addr, node);
	} else {
		if (!name_valid(e->na, name, bytes))
			return -DER_INVAL;
		rc = addr_add(e, name, bytes, &a);
		if (rc != 0)
			return rc;
	}
	*ret_addr = (uintptr_t)a;
	return 0;
}

int
ofi_addr_insert(struct na_ep *ep, const char *uri, na_addr_t *ret_addr)
{
	char   name[NA_NAME_BYTES_MAX] = {0};
	size_t bytes;
	int    rc = uri_to_name(ofi_ep_of(ep)->na, uri, name, &bytes);

	return rc != 0 ? rc : ofi_addr_insert_name(ep, name, bytes, ret_addr);
}

static int
addr_free(struct d_hash_node *node, void *arg)
{
	d_hash_remove(arg, node);
	free(CONTAINER_OF(node, struct ofi_addr, node));
	return 0;
}

void
ofi_addrs_free(struct ofi_ep *e)
{
	d_hash_foreach(&e->addrs, addr_free, &e->addrs);
	d_hash_fini(&e->addrs);
}

bool
ofi_addr_refuses(const struct ofi_addr *a)
{
	struct sockaddr_in sin;
	struct pollfd      p = {.events = POLLOUT};
	socklen_t          len = sizeof(int);
	int                err;

	memcpy(&sin, a->name, sizeof(sin));
	p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p.fd < 0)
		return false;
	err = connect(p.fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 ? 0 : errno;
	if (err == EINPROGRESS) {
		err = 0;
		if (poll(&p, 1, 1) == 1)
			getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	}
	close(p.fd);
	return err == ECONNREFUSED;
}
