/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Local links: two endpoints of one machine exchange messages through memory they share, and reach
 * each other's registered memory by system calls, whatever their provider is. A link is an address
 * like any other (na_msg_send, na_rma_start); it exists beside the peer's address at the provider,
 * and when it comes to an end, that is still there.
 *
 *   initiator                                        acceptor
 *   has the token (through the provider, from CART)  listens at an abstract UNIX socket
 *        | --- connect; hello: where a random word of ours is ----------> |
 *        |                        makes the memory (memfd), tries to read the word |
 *        | <--------- welcome, with the memory's descriptor -------------- |
 *        | ===== messages: two rings (na_ring.h) ======================== |
 *        | <==== the acceptor reads and writes registered memory directly, if the kernel
 *        |       lets it; the other way round, or if not, bytes travel through the rings ===
 *
 * Why not libfabric's shm provider: its endpoints are one region that every peer maps and may
 * write, with a lock in it that a peer can die with; only the same user can open it; it has no
 * descriptor to sleep on, does not notice deaths, and leaves files behind. Here two processes share
 * memory that only they have, each checks what it reads there, and the socket is what tells of
 * death. Nothing has a name in a file system.
 *
 * Whom to trust: an initiator that is wrong or evil can hurt nobody but itself. Its ring is checked
 * record by record, the memory was made and sealed by the acceptor so it cannot shrink, and it
 * never touches the acceptor's memory but through records. The acceptor (an engine) touches the
 * initiator's memory where it was told to. That the other side of the socket is who it should be,
 * the kernel says (SO_PEERCRED): the token has the user to expect, and nobody else can hold the name.
 *
 * Sleeping. A link is polled (active), or parked: then the peer pokes, by a byte through the socket,
 * when it has sent something. Arming an endpoint parks all its links; what arrives or is sent makes
 * a link active again, and one that is quiet for long is parked. So hundreds of idle clients cost
 * nothing, not even a look.
 *
 * Other threads may poll and send while one sleeps on the armed endpoint: until na_ep_disarm() a link
 * is parked again after each look, and what a link cannot do while it is parked makes the endpoint busy.
 *
 * Invariants:
 * 1. A link that is UP is active and not parked in its ring, or on `parked` and parked there (or its
 *    poke is under way).
 * 2. An initiator's memory is touched by the acceptor only while local_mem.rma_key says so, after it
 *    has seen that the key is registered and the link not closed. Deregistering takes the key away,
 *    then waits while rma_key is that key; closing sets `closed`, then waits for any.
 * 3. A link that died (DEAD) keeps its memory until local_reap(), which is not called inside the
 *    handling of a record.
 */
#define D_LOGFAC LOG_FAC_NA
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <daos_errno.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "na/na_local.h"
#include "platform/platform.h"

/* ---- which machine ---- */

static size_t
file_read(const char *path, char *buf, size_t buf_bytes)
{
	int     fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, buf, buf_bytes);
	close(fd);
	return n < 0 ? 0 : n;
}

uint32_t
na_local_host(void)
{
	char     boot[64], net[64];
	size_t   boot_bytes = file_read("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	ssize_t  net_bytes  = readlink("/proc/self/ns/net", net, sizeof(net));
	uint32_t crc;

	if (boot_bytes == 0 || net_bytes <= 0)
		return 0;
	crc = d_crc32c(d_crc32c(0, boot, boot_bytes), net, net_bytes);
	return crc == 0 ? 1 : crc;
}

/* ---- endpoints ---- */

static bool
mr_key_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	const struct local_mr *mr = CONTAINER_OF(node, struct local_mr, node);

	return mr->guard.key == *(const uint64_t *)key;
}

int
na_local_create(struct na_ep *ep, const struct na_ep_attr *attr, struct na_local **ret_local)
{
	struct na_local *local = calloc(1, sizeof(*local));

	if (local == NULL)
		return -DER_NOMEM;
	local->ep        = ep;
	local->attr      = *attr;
	local->listen_fd = -1;
	local->epfd      = epoll_create1(EPOLL_CLOEXEC);
	if (local->epfd < 0) {
		free(local);
		return -DER_NOMEM;
	}
	local->primary_every = 1;
	d_list_init(&local->active);
	d_list_init(&local->parked);
	d_list_init(&local->failed);
	d_list_init(&local->rma_failed);
	d_list_init(&local->mr_pool);
	d_hash_init(&local->mrs, mr_key_eq);
	*ret_local = local;
	return 0;
}

static void
msgs_put(struct na_local *local, d_list_t *msgs)
{
	struct na_msg *m;

	while ((m = d_list_first(msgs, struct na_msg, link)) != NULL) {
		d_list_del(&m->link);
		na_msg_put(local->ep, m);
	}
}

static void
serves_free(struct local_link *l)
{
	struct local_serve *s;

	while ((s = d_list_first(&l->serves, struct local_serve, link)) != NULL) {
		d_list_del(&s->link);
		free(s);
	}
	l->serve_nr = 0;
}

/** No more than a slot that can be used again. */
static void
link_free(struct local_link *l)
{
	if (l->mem != NULL) {
		if (l->initiator)
			local_quiesce(l, 0);
		munmap(l->mem, sizeof(*l->mem));
	}
	l->mem = NULL;
	close(l->fd);
	l->fd = -1;
	serves_free(l);
	d_list_del(&l->link);
	l->state = LOCAL_FREE;
}

void
na_local_stop(struct na_local *local)
{
	local_mrs_revoke(local);
	for (uint32_t i = 0; i < local->link_nr; i++) {
		struct local_link *l = local->links[i];

		if (l->state == LOCAL_FREE)
			continue;
		msgs_put(local, &l->msgs);
		d_list_init(&l->rmas); /* no callbacks: na_ep_stop() */
		d_list_init(&l->rmas_out);
		link_free(l);
	}
	msgs_put(local, &local->failed);
	d_list_init(&local->rma_failed);
	local->shaking_nr = local->dead_nr = 0;
	if (local->listen_fd >= 0)
		close(local->listen_fd);
	local->listen_fd = -1;
}

void
na_local_free(struct na_local *local)
{
	if (local == NULL)
		return;
	for (uint32_t i = 0; i < local->link_nr; i++)
		free(local->links[i]);
	free(local->links);
	local_mrs_free(local);
	close(local->epfd);
	free(local);
}

/* ---- where it can be found ---- */

static int
listener_open(struct na_local *local)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
	socklen_t          len;
	int                fd;

	snprintf(local->listen_name, sizeof(local->listen_name), "daos-%016lx%016lx",
		 (unsigned long)plat_random(), (unsigned long)plat_random());
	strcpy(un.sun_path + 1, local->listen_name); /* abstract: no file, gone with the socket */
	len = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(local->listen_name);
	fd  = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -DER_NOMEM;
	if (bind(fd, (struct sockaddr *)&un, len) != 0 || listen(fd, LOCAL_LINK_NR_MAX) != 0 ||
	    epoll_ctl(local->epfd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		D_WARN("no local socket: errno %d; peers on this machine use the network\n", errno);
		close(fd);
		return -DER_NOMEM;
	}
	local->listen_fd = fd;
	return 0;
}

int
na_local_token(struct na_local *local, char *buf, size_t buf_bytes)
{
	int n, rc;

	if (local->listen_fd < 0) {
		rc = listener_open(local);
		if (rc != 0)
			return rc;
	}
	n = snprintf(buf, buf_bytes, "%s,%u", local->listen_name, geteuid());
	return n < 0 || (size_t)n >= buf_bytes ? -DER_TRUNC : 0;
}

/* ---- links ---- */

static int
slot_take(struct na_local *local, struct local_link **ret_link)
{
	struct local_link **links;
	struct local_link  *l;

	for (uint32_t i = 0; i < local->link_nr; i++) {
		if (local->links[i]->state == LOCAL_FREE) {
			*ret_link = local->links[i];
			return 0;
		}
	}
	if (local->link_nr == LOCAL_LINK_NR_MAX)
		return -DER_OVERFLOW;
	links = realloc(local->links, (local->link_nr + 1) * sizeof(*links));
	if (links == NULL)
		return -DER_NOMEM;
	local->links = links;
	l            = calloc(1, sizeof(*l));
	if (l == NULL)
		return -DER_NOMEM;
	l->slot                       = local->link_nr;
	local->links[local->link_nr++] = l;
	*ret_link = l;
	return 0;
}

int
local_link_new(struct na_local *local, int fd, struct local_link **ret_link)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct local_link *l;
	int                rc = slot_take(local, &l);

	if (rc != 0)
		return rc;
	*l = (struct local_link){.local    = local,
				 .fd       = fd,
				 .slot     = l->slot,
				 .gen      = local->gen_next++ & ((1ULL << 48) - 1),
				 .token    = plat_random() | 1,
				 .since_ns = plat_now_ns()};
	d_list_init(&l->link);
	d_list_init(&l->msgs);
	d_list_init(&l->rmas);
	d_list_init(&l->rmas_out);
	d_list_init(&l->serves);
	ev.data.u64 = local_addr_of(l);
	if (epoll_ctl(local->epfd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return -DER_NOMEM;
	*ret_link = l;
	return 0;
}

struct local_link *
local_link_find(struct na_local *local, na_addr_t addr)
{
	uint32_t slot = addr & ((1 << 12) - 1);

	if (slot >= local->link_nr || local->links[slot]->state == LOCAL_FREE ||
	    local_addr_of(local->links[slot]) != addr)
		return NULL;
	return local->links[slot];
}

void
local_link_die(struct local_link *l, int rc)
{
	struct na_local *local = l->local;

	if (l->state == LOCAL_DEAD)
		return;
	D_DEBUG("local link %u ends: " DF_RC "\n", l->slot, DP_RC(rc));
	if (l->state != LOCAL_UP)
		local->shaking_nr--;
	l->state = LOCAL_DEAD;
	local->dead_nr++;
}

void
na_local_unlink(struct na_local *local, na_addr_t addr)
{
	struct local_link *l = local_link_find(local, addr);

	if (l == NULL)
		return;
	l->orphan = true;
	local_link_die(l, -DER_CANCELED);
}

void
local_poke(struct local_link *l)
{
	/* full of pokes is poked enough; any other failure shows at the next look */
	if (send(l->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		l->local->look = true;
}

bool
local_hung_up(struct local_link *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static int
link_bury(struct local_link *l)
{
	struct na_local *local = l->local;
	na_addr_t        addr  = local_addr_of(l);
	bool             tell  = l->initiator && !l->orphan;
	struct na_msg   *m;
	D_LIST_HEAD(msgs);
	int nr = 1;

	local->dead_nr--;
	local_rmas_fail(l);
	d_list_splice_tail(&l->msgs, &msgs);
	link_free(l);
	while ((m = d_list_first(&msgs, struct na_msg, link)) != NULL) {
		d_list_del(&m->link);
		local->attr.send_failed(local->attr.arg, m, addr, -DER_UNREACH);
		na_msg_put(local->ep, m);
		nr++;
	}
	if (tell)
		local->attr.linked(local->attr.arg, addr, -DER_UNREACH);
	return nr;
}

int
local_reap(struct na_local *local)
{
	struct na_rma *rma;
	struct na_msg *m;
	int            nr = 0;

	for (uint32_t i = 0; i < local->link_nr && local->dead_nr > 0; i++)
		if (local->links[i]->state == LOCAL_DEAD)
			nr += link_bury(local->links[i]);
	while ((m = d_list_first(&local->failed, struct na_msg, link)) != NULL) {
		d_list_del(&m->link);
		local->attr.send_failed(local->attr.arg, m, m->peer, -DER_UNREACH);
		na_msg_put(local->ep, m);
		nr++;
	}
	while ((rma = d_list_first(&local->rma_failed, struct na_rma, link)) != NULL) {
		d_list_del(&rma->link);
		rma->done(rma, rma->rc);
		nr++;
	}
	return nr;
}
