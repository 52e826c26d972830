/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fuzz target: what a local link takes from its peer. The first byte modulo 4 says what the rest is:
 *   0  a token, as CART hands it to na_ep_link()
 *   1  what an initiator says first: a byte of flags, the hello (flag 1: its head is made right)
 *   2  what an acceptor answers: a byte of flags, the welcome (1: its head is made right; 2: it carries memory of the
 *      right size, sealed; 4: other memory), and what is written to that memory
 *   3  records for a link that is up: a byte of flags (1: for the initiator, not the acceptor), then for each a byte of
 *      kind (128: its key and address are made right, 255: bytes for a place in the shared memory), two of length, bytes
 */
#define D_LOGFAC LOG_FAC_TEST
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/log.h"
#include "fuzz_replay.h"
#include "na/na_local.h"

#define MR_BYTES    16384
#define HEAD_BYTES  16 /* of both messages: magic, version, size */
#define PROGRESS_NR 4

struct side {
	struct na_ep       *ep;
	na_addr_t           peer;
	bool                up;
	struct na_mr       *mr;
	struct na_mr_remote remote;
	char                mem[MR_BYTES];
};

static struct na_self_world *world;
static struct na            *na;
static struct side           sides[2]; /* initiator, acceptor */
static char                  token[NA_TOKEN_BYTES_MAX];
static uint8_t               head[2][HEAD_BYTES]; /* of hello and welcome, as they really are */
static uint64_t              sum;
static unsigned              under_way_nr;

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
on_recv(void *arg, struct na_msg *msg)
{
	struct side *s = arg;

	for (uint32_t i = 0; i < msg->len; i++)
		sum += (uint8_t)msg->data[i];
	s->peer = msg->peer;
	na_msg_put(s->ep, msg);
}

static void
on_failed(void *arg, const struct na_msg *msg, na_addr_t to, int rc)
{
	(void)arg;
	(void)msg;
	(void)to;
	sum += rc;
}

static void
on_linked(void *arg, na_addr_t link, int rc)
{
	(void)link;
	((struct side *)arg)->up = rc == 0;
}

static void
progress(void)
{
	for (int i = 0; i < PROGRESS_NR; i++)
		for (int s = 0; s < 2; s++) {
			sides[s].ep->local->look = true; /* at the sockets, too */
			must(na_ep_progress(sides[s].ep, 8) >= 0);
		}
}

/** The only link of @s, in whatever state. */
static struct local_link *
link_of(struct side *s)
{
	struct na_local *local = s->ep->local;

	for (uint32_t i = 0; i < local->link_nr; i++)
		if (local->links[i]->state != LOCAL_FREE)
			return local->links[i];
	return NULL;
}

static void
links_end(void)
{
	for (int s = 0; s < 2; s++) {
		struct local_link *l = link_of(&sides[s]);

		if (l != NULL && l->state != LOCAL_DEAD)
			local_link_die(l, -DER_CANCELED);
	}
	progress();
	must(link_of(&sides[0]) == NULL && link_of(&sides[1]) == NULL);
	must(under_way_nr == 0); /* each transfer has ended */
}

static void
link_begin(void)
{
	sides[0].up = false;
	must(na_ep_link(sides[0].ep, token, &sides[0].peer) == 0);
	for (int i = 0; i < 100 && !sides[0].up; i++)
		progress();
	must(sides[0].up && link_of(&sides[1]) != NULL);
	sides[1].peer = local_addr_of(link_of(&sides[1]));
}

/* ---- handshakes ---- */

static int
raw_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(fd >= 0);
	return fd;
}

static socklen_t
raw_addr(const char *name, size_t name_bytes, struct sockaddr_un *un)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path + 1, name, name_bytes);
	return offsetof(struct sockaddr_un, sun_path) + 1 + name_bytes;
}

static void
fuzz_token(const uint8_t *data, size_t bytes)
{
	char      text[NA_TOKEN_BYTES_MAX];
	na_addr_t addr;

	bytes = MIN_OF(bytes, sizeof(text) - 1);
	memcpy(text, data, bytes);
	text[bytes] = '\0';
	(void)!na_ep_link(sides[0].ep, text, &addr);
	links_end();
}

/** @data, or a head that is right and @data. */
static size_t
message(uint8_t flags, const uint8_t *right, const uint8_t *data, size_t bytes, uint8_t *buf, size_t room)
{
	size_t at = flags & 1 ? HEAD_BYTES : 0;

	memcpy(buf, right, at);
	bytes = MIN_OF(bytes, room - at);
	memcpy(buf + at, data, bytes);
	return at + bytes;
}

static int
acceptor_connect(void)
{
	struct sockaddr_un un;
	int                fd = raw_socket();

	must(connect(fd, (struct sockaddr *)&un, raw_addr(token, strchr(token, ',') - token, &un)) == 0);
	return fd;
}

static void
fuzz_hello(uint8_t flags, const uint8_t *data, size_t bytes)
{
	uint8_t buf[256];
	size_t  n  = message(flags, head[0], data, bytes, buf, sizeof(buf));
	int     fd = acceptor_connect();

	(void)send(fd, buf, n, MSG_NOSIGNAL);
	progress();
	close(fd);
	links_end();
}

/** An acceptor of our own, whose answer is bytes; returns the initiator's connection and what it said. */
static int
initiator_accept(int *ret_listen_fd, uint8_t *hello)
{
	struct sockaddr_un un;
	char               text[64], name[32];
	int                fd = raw_socket(), conn;

	snprintf(name, sizeof(name), "daos-fuzz-%d", (int)getpid());
	must(bind(fd, (struct sockaddr *)&un, raw_addr(name, strlen(name), &un)) == 0 && listen(fd, 1) == 0);
	snprintf(text, sizeof(text), "%s,%u", name, geteuid());
	must(na_ep_link(sides[0].ep, text, &sides[0].peer) == 0);
	conn = accept(fd, NULL, NULL);
	must(conn >= 0 && recv(conn, hello, 256, 0) >= HEAD_BYTES);
	*ret_listen_fd = fd;
	return conn;
}

static void
send_with_fd(int to, const void *buf, size_t bytes, int fd)
{
	struct iovec iov = {(void *)buf, bytes};
	union {
		struct cmsghdr hdr;
		char           buf[CMSG_SPACE(sizeof(int))];
	} c = {.hdr = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		memcpy(CMSG_DATA(&c.hdr), &fd, sizeof(fd));
		m.msg_control    = &c;
		m.msg_controllen = sizeof(c.buf);
	}
	(void)sendmsg(to, &m, MSG_NOSIGNAL);
}

static int
memory(uint8_t flags, const uint8_t *data, size_t bytes)
{
	int fd = memfd_create("daos-fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd >= 0 && ftruncate(fd, flags & 2 ? sizeof(struct local_mem) : bytes) == 0);
	must(pwrite(fd, data, MIN_OF(bytes, sizeof(struct local_mem)), 0) >= 0);
	if (flags & 2)
		must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	return fd;
}

static void
fuzz_welcome(uint8_t flags, const uint8_t *data, size_t bytes)
{
	uint8_t buf[256];
	int     listen_fd;
	int     conn = initiator_accept(&listen_fd, buf);
	int     mem  = flags & 6 ? memory(flags, data, bytes) : -1;

	send_with_fd(conn, buf, message(flags, head[1], data, flags & 1 ? 0 : bytes, buf, sizeof(buf)), mem);
	progress();
	close(conn);
	close(listen_fd);
	if (mem >= 0)
		close(mem);
	links_end();
}

/* ---- records ---- */

static void
on_rma(struct na_rma *rma, int rc)
{
	sum += rc;
	under_way_nr--;
	(void)rma;
}

/** So that the victim waits for something, under id 1. */
static void
victim_asks(struct side *victim, struct side *evil)
{
	static struct na_rma rma;

	rma = (struct na_rma){NA_RMA_READ, victim->peer, victim->mem, 100, evil->remote.base, evil->remote.key, 0, on_rma};
	under_way_nr++;
	na_rma_start(victim->ep, &rma);
	must(na_ep_progress(victim->ep, 8) >= 0);
}

/** At any place of what both share. But for rma_key: an initiator trusts its acceptor to take it back, na_local.c. */
static void
poison(struct local_link *l, const uint8_t *bytes, size_t nr)
{
	size_t   first = l->initiator ? offsetof(struct local_mem, closed) : offsetof(struct local_mem, rings);
	uint32_t at;

	if (nr < sizeof(at))
		return;
	memcpy(&at, bytes, sizeof(at));
	nr -= sizeof(at);
	at = first + at % (sizeof(struct local_mem) - first);
	memcpy((char *)l->mem + at, bytes + sizeof(at), MIN_OF(nr, sizeof(struct local_mem) - at));
}

static void
record(struct local_link *l, const struct side *victim, uint8_t kind, const uint8_t *bytes, size_t nr)
{
	uint8_t         buf[RING_REC_BYTES_MAX];
	struct ring_rma r = {0};

	nr = MIN_OF(nr, sizeof(buf));
	memcpy(buf, bytes, nr);
	if ((kind & 128) && nr >= sizeof(r)) {
		memcpy(&r, buf, sizeof(r));
		r.key    = victim->remote.key;
		r.remote = victim->remote.base + r.remote % (2 * MR_BYTES);
		r.bytes %= 2 * MR_BYTES;
		if ((kind & 64) != 0) /* as a sound peer says it */
			r.bytes = nr - sizeof(r);
		memcpy(buf, &r, sizeof(r));
	}
	(void)!ring_put(&l->tx, kind & 15, buf, nr, NULL, 0);
}

static void
fuzz_records(uint8_t flags, const uint8_t *data, size_t bytes)
{
	struct side       *victim = &sides[!(flags & 1)], *evil = &sides[flags & 1];
	struct local_link *l;

	link_begin();
	l = link_of(evil);
	victim_asks(victim, evil);
	while (bytes >= 3 && l->state == LOCAL_UP) {
		uint8_t kind = data[0];
		size_t  nr   = MIN_OF((size_t)data[1] | (size_t)data[2] << 8, bytes - 3);

		if (kind == 255)
			poison(l, data + 3, nr);
		else
			record(l, victim, kind, data + 3, nr);
		data += 3 + nr;
		bytes -= 3 + nr;
		must(na_ep_progress(victim->ep, 8) >= 0);
	}
	progress();
	links_end();
}

/* ---- the target ---- */

static void
side_open(struct side *s)
{
	struct na_ep_attr a = {0, on_recv, on_failed, on_linked, s};

	must(na_ep_open(na, &a, &s->ep) == 0 && s->ep->local != NULL);
	must(na_mr_create(s->ep, s->mem, MR_BYTES, NA_MR_PEER_READS | NA_MR_PEER_WRITES, &s->mr, &s->remote) == 0);
}

/** What both sides say when nobody is evil. */
static void
heads_learn(void)
{
	uint8_t buf[256];
	int     listen_fd, conn;

	conn = initiator_accept(&listen_fd, buf);
	memcpy(head[0], buf, HEAD_BYTES);
	close(conn);
	close(listen_fd);
	links_end();
	conn = acceptor_connect();
	must(send(conn, buf, sizeof(uint64_t) * 4, 0) == sizeof(uint64_t) * 4);
	progress();
	must(recv(conn, buf, sizeof(buf), 0) >= HEAD_BYTES);
	memcpy(head[1], buf, HEAD_BYTES);
	close(conn);
	links_end();
}

void
fuzz_start(void)
{
	struct na_attr a = {.provider = "self", .local = true};

	must(d_log_init() == 0 && d_log_setmasks("CRIT") == 0);
	must(na_self_world_create(&world) == 0);
	a.world = world;
	must(na_open(&a, &na) == 0);
	side_open(&sides[0]);
	side_open(&sides[1]);
	must(na_ep_token(sides[1].ep, token, sizeof(token)) == 0);
	heads_learn();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (bytes < 2)
		return 0;
	switch (data[0] % 4) {
	case 0:
		fuzz_token(data + 1, bytes - 1);
		break;
	case 1:
		fuzz_hello(data[1], data + 2, bytes - 2);
		break;
	case 2:
		fuzz_welcome(data[1], data + 2, bytes - 2);
		break;
	default:
		fuzz_records(data[1], data + 2, bytes - 2);
	}
	return 0;
}

/* ---- the corpus ---- */

static void
seed_records(const char *dir, const char *name, uint8_t flags, uint8_t kind, const struct ring_rma *r, size_t more)
{
	static uint8_t body[sizeof(*r) + 4096];
	uint8_t        start[] = {3, flags, kind, 0, 0};
	uint16_t       nr = sizeof(*r) + more;

	memcpy(start + 3, &nr, sizeof(nr));
	memcpy(body, r, sizeof(*r));
	fuzz_seed(dir, name, start, sizeof(start), body, nr);
}

void
fuzz_seeds(const char *dir)
{
	struct ring_rma ask = {.id = 7, .bytes = 5000}, put = {.id = 8, .remote = 10, .last = 1};
	struct ring_rma data = {.id = 1, .bytes = 100}, end = {.id = 1, .rc = -DER_NO_PERM};
	uint8_t         tail[16] = {0};

	fuzz_seed(dir, "token", "\0", 1, token, strlen(token));
	fuzz_seed(dir, "hello", "\1\1", 2, tail, sizeof(tail));
	fuzz_seed(dir, "welcome", "\2\3", 2, tail, sizeof(tail));
	fuzz_seed(dir, "welcome_small", "\2\5", 2, tail, sizeof(tail));
	for (uint8_t to = 0; to < 2; to++) {
		seed_records(dir, to ? "msg_1" : "msg_0", to, RING_MSG, &ask, 200);
		seed_records(dir, to ? "read_1" : "read_0", to, 128 | RING_READ, &ask, 0);
		seed_records(dir, to ? "write_1" : "write_0", to, 128 | 64 | RING_WRITE, &put, 1000);
		seed_records(dir, to ? "data_1" : "data_0", to, RING_DATA, &data, 100);
		seed_records(dir, to ? "done_1" : "done_0", to, RING_DONE, &end, 0);
		seed_records(dir, to ? "poison_1" : "poison_0", to, 255, &ask, 0);
	}
}
