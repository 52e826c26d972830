/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** How local links come up; na_local.c draws it. Each side waits for one message of the other. */
#define D_LOGFAC LOG_FAC_NA
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <daos_errno.h>
#include "base/log.h"
#include "na/na_local.h"
#include "platform/platform.h"

#define SHAKE_MAGIC   0x6c61636f6c2d616eULL
#define SHAKE_VERSION 1

struct shake_hello {
	uint64_t magic;
	uint32_t version;
	uint32_t mem_bytes;
	uint64_t token_va; /* where the initiator keeps ... */
	uint64_t token;    /* ... this */
};
struct shake_welcome {
	uint64_t magic;
	uint32_t version;
	uint32_t mem_bytes;
};

static int
peer_creds(struct local_link *l)
{
	struct ucred cred;
	socklen_t    len = sizeof(cred);

	if (getsockopt(l->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return -DER_NO_PERM;
	if (l->initiator && cred.uid != l->uid) {
		D_WARN("who listens at the local socket is user %u, not %u; using the network\n",
		       cred.uid, l->uid);
		return -DER_NO_PERM;
	}
	l->pid = cred.pid; /* 0: in a namespace we cannot see into */
	return 0;
}

static int
mem_map(struct local_link *l, int fd)
{
	void *mem = mmap(NULL, sizeof(*l->mem), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (mem == MAP_FAILED)
		return -DER_NOMEM;
	l->mem = mem;
	l->tx  = (struct ring_tx){.mem = &l->mem->rings[l->initiator ? 0 : 1]};
	l->rx  = (struct ring_rx){.mem = &l->mem->rings[l->initiator ? 1 : 0]};
	return 0;
}

static void
link_up(struct local_link *l)
{
	struct na_local *local = l->local;

	l->state = LOCAL_UP;
	local->shaking_nr--;
	l->since_ns = 0;
	d_list_add_tail(&l->link, &local->parked);
	local_link_activate(l);
	if (l->initiator)
		local->attr.linked(local->attr.arg, local_addr_of(l), 0);
}

/* ---- acceptor ---- */

void
local_accept(struct na_local *local)
{
	struct local_link *l;
	int                fd;

	while ((fd = accept4(local->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (local_link_new(local, fd, &l) != 0) {
			close(fd); /* too many: it uses the network */
			continue;
		}
		l->state = LOCAL_ACCEPTED;
		local->shaking_nr++;
	}
}

/** Memory of a size that nobody can change any more. */
static int
mem_create(int *ret_fd)
{
	int fd = memfd_create("daos-link", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -DER_NOMEM;
	if (ftruncate(fd, sizeof(struct local_mem)) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		close(fd);
		return -DER_NOMEM;
	}
	*ret_fd = fd;
	return 0;
}

static int
welcome_send(struct local_link *l, int mem_fd)
{
	struct shake_welcome w   = {SHAKE_MAGIC, SHAKE_VERSION, sizeof(*l->mem)};
	struct iovec         iov = {&w, sizeof(w)};
	union {
		struct cmsghdr hdr;
		char           buf[CMSG_SPACE(sizeof(int))];
	} c = {.hdr = {.cmsg_len   = CMSG_LEN(sizeof(int)),
		       .cmsg_level = SOL_SOCKET,
		       .cmsg_type  = SCM_RIGHTS}};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			   .msg_controllen = sizeof(c.buf)};

	memcpy(CMSG_DATA(&c.hdr), &mem_fd, sizeof(mem_fd));
	return sendmsg(l->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(w) ? 0 : -DER_UNREACH;
}

static int
hello_handle(struct local_link *l, const struct shake_hello *h, ssize_t bytes)
{
	int mem_fd, rc;

	if (bytes != sizeof(*h) || h->magic != SHAKE_MAGIC || h->version != SHAKE_VERSION ||
	    h->mem_bytes != sizeof(*l->mem))
		return -DER_PROTO;
	rc = peer_creds(l);
	if (rc == 0)
		rc = mem_create(&mem_fd);
	if (rc != 0)
		return rc;
	rc = mem_map(l, mem_fd);
	if (rc == 0)
		rc = welcome_send(l, mem_fd);
	close(mem_fd);
	if (rc != 0)
		return rc;
	local_direct_probe(l, h->token_va, h->token);
	link_up(l);
	return 0;
}

/* ---- initiator ---- */

static int
token_parse(const char *token, struct sockaddr_un *un, socklen_t *len, uid_t *uid)
{
	const char   *comma = strchr(token, ',');
	unsigned long value;
	char         *end;

	if (comma == NULL || comma == token || comma - token > 40 || comma[1] < '0' ||
	    comma[1] > '9')
		return -DER_INVAL;
	value = strtoul(comma + 1, &end, 10);
	if (*end != '\0' || value > UINT32_MAX)
		return -DER_INVAL;
	*uid = value;
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path + 1, token, comma - token);
	*len = offsetof(struct sockaddr_un, sun_path) + 1 + (comma - token);
	return 0;
}

static int
hello_send(struct local_link *l)
{
	struct shake_hello h = {SHAKE_MAGIC, SHAKE_VERSION, sizeof(*l->mem), (uintptr_t)&l->token,
				l->token};

	return send(l->fd, &h, sizeof(h), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(h) ? 0 :
										      -DER_UNREACH;
}

int
na_local_link(struct na_local *local, const char *token, na_addr_t *ret_addr)
{
	struct local_link *l;
	struct sockaddr_un un;
	socklen_t          len;
	uid_t              uid;
	int                fd, rc;

	rc = token_parse(token, &un, &len, &uid);
	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -DER_NOMEM;
	rc = connect(fd, (struct sockaddr *)&un, len) == 0 ? 0 : -DER_UNREACH;
	if (rc == 0)
		rc = local_link_new(local, fd, &l);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	l->initiator = true;
	l->uid       = uid;
	l->state     = LOCAL_GREETED;
	local->shaking_nr++;
	rc = peer_creds(l);
	if (rc == 0)
		rc = hello_send(l);
	if (rc != 0)
		na_local_unlink(local, local_addr_of(l)); /* reaped by progress */
	else
		*ret_addr = local_addr_of(l);
	return rc;
}

/** As large as it should be, and for ever. */
static bool
mem_sound(int fd)
{
	struct stat st;
	int         seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(fd, &st) == 0 &&
	       st.st_size == sizeof(struct local_mem);
}

static int
welcome_handle(struct local_link *l, const struct shake_welcome *w, ssize_t bytes, int mem_fd)
{
	int rc;

	if (bytes != sizeof(*w) || w->magic != SHAKE_MAGIC || w->version != SHAKE_VERSION ||
	    w->mem_bytes != sizeof(*l->mem) || mem_fd < 0 || !mem_sound(mem_fd))
		return -DER_PROTO;
	rc = mem_map(l, mem_fd);
	if (rc == 0)
		link_up(l);
	return rc;
}

static int
cmsg_fd(struct msghdr *m)
{
	struct cmsghdr *c  = CMSG_FIRSTHDR(m);
	int             fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* ---- both ---- */

void
local_shake(struct local_link *l)
{
	union {
		struct shake_hello   hello;
		struct shake_welcome welcome;
	} u;
	union {
		struct cmsghdr hdr;
		char           buf[CMSG_SPACE(sizeof(int))];
	} c;
	struct iovec  iov = {&u, sizeof(u)};
	struct msghdr m   = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			     .msg_controllen = l->initiator ? sizeof(c.buf) : 0};
	ssize_t       n   = recvmsg(l->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int           fd, rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	fd = n > 0 ? cmsg_fd(&m) : -1;
	if (n <= 0)
		rc = -DER_UNREACH;
	else if (l->initiator)
		rc = welcome_handle(l, &u.welcome, n, fd);
	else
		rc = hello_handle(l, &u.hello, n);
	if (fd >= 0)
		close(fd);
	if (rc != 0)
		local_link_die(l, rc);
}

void
local_shakes_expire(struct na_local *local)
{
	uint64_t now = plat_now_ns();

	for (uint32_t i = 0; i < local->link_nr; i++) {
		struct local_link *l = local->links[i];

		if ((l->state == LOCAL_ACCEPTED || l->state == LOCAL_GREETED) &&
		    now - l->since_ns >= LOCAL_HANDSHAKE_NS)
			local_link_die(l, -DER_TIMEDOUT);
	}
}
