/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The bare network: two processes and libfabric, both polling, no more code than that takes.
 *   fabric_bench 'tcp;ofi_rxm'|shm [sleeps]
 * sleeps: its completion queue has a descriptor, as one needs that ever sleeps; that alone costs, on tcp.
 * Prints round trips of 64 B and 4 KiB (us), rates with 16 and 256 of them under way (1/s), and
 * remote memory: 1 MiB (MiB/s, 4 under way) and 4 KiB (1/s, 16 under way).
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include "bench_util.h"

#define RECV_NR    256
#define BUF_BYTES  8192
#define MEM_BYTES  (16u << 20)

struct buf {
	struct fi_context2 ctx;
	int                is_send;
	char               data[BUF_BYTES];
};

struct net {
	struct fi_info    *info;
	struct fid_fabric *fabric;
	struct fid_domain *domain;
	struct fid_cq     *cq;
	struct fid_av     *av;
	struct fid_ep     *ep;
	struct fid_mr     *mr;
	fi_addr_t          peer;
	char              *mem;
	struct buf        *recvs, *sends;
	struct buf        *free_send[RECV_NR * 2];
	int                free_nr;
	long               recv_nr, rma_nr;
	size_t             last_bytes;
	int                echo;
};
struct hello {
	char     name[128];
	size_t   name_bytes;
	uint64_t key, base;
};
struct rma_op {
	struct fi_context2 ctx;
	int                is_send; /* 2 */
};

static void
net_open(struct net *n, const char *prov, int sleeps)
{
	struct fi_info   *hints = fi_allocinfo();
	struct fi_cq_attr cq = {.size = 4096, .format = FI_CQ_FORMAT_MSG, .wait_obj = sleeps ? FI_WAIT_FD : FI_WAIT_NONE};
	struct fi_av_attr av = {.type = FI_AV_TABLE, .count = 16};

	hints->caps                       = FI_MSG | FI_RMA;
	hints->mode                       = FI_CONTEXT | FI_CONTEXT2;
	hints->ep_attr->type              = FI_EP_RDM;
	hints->domain_attr->mr_mode       = FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
	hints->domain_attr->threading     = FI_THREAD_DOMAIN;
	hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
	hints->fabric_attr->prov_name     = strdup(prov);
	if (strncmp(prov, "tcp", 3) == 0)
		BENCH_CHECK(fi_getinfo(FI_VERSION(1, 15), "127.0.0.1", NULL, FI_SOURCE, hints, &n->info) == 0);
	else
		BENCH_CHECK(fi_getinfo(FI_VERSION(1, 15), NULL, NULL, 0, hints, &n->info) == 0);
	n->info->domain_attr->threading = FI_THREAD_DOMAIN;
	fi_freeinfo(hints);
	BENCH_CHECK(fi_fabric(n->info->fabric_attr, &n->fabric, NULL) == 0);
	BENCH_CHECK(fi_domain(n->fabric, n->info, &n->domain, NULL) == 0);
	BENCH_CHECK(fi_cq_open(n->domain, &cq, &n->cq, NULL) == 0);
	BENCH_CHECK(fi_av_open(n->domain, &av, &n->av, NULL) == 0);
	BENCH_CHECK(fi_endpoint(n->domain, n->info, &n->ep, NULL) == 0);
	BENCH_CHECK(fi_ep_bind(n->ep, &n->cq->fid, FI_TRANSMIT | FI_RECV) == 0);
	BENCH_CHECK(fi_ep_bind(n->ep, &n->av->fid, 0) == 0);
	BENCH_CHECK(fi_enable(n->ep) == 0);
}

static void
bufs_make(struct net *n)
{
	n->mem   = aligned_alloc(4096, MEM_BYTES);
	n->recvs = calloc(RECV_NR, sizeof(*n->recvs));
	n->sends = calloc(RECV_NR * 2, sizeof(*n->sends));
	memset(n->mem, 1, MEM_BYTES);
	BENCH_CHECK(fi_mr_reg(n->domain, n->mem, MEM_BYTES,
			      FI_REMOTE_READ | FI_REMOTE_WRITE, 0, getpid(), 0, &n->mr, NULL) == 0);
	for (int i = 0; i < RECV_NR; i++)
		BENCH_CHECK(fi_recv(n->ep, n->recvs[i].data, BUF_BYTES, NULL, FI_ADDR_UNSPEC,
				    &n->recvs[i].ctx) == 0);
	for (int i = 0; i < RECV_NR * 2; i++) {
		n->sends[i].is_send       = 1;
		n->free_send[n->free_nr++] = &n->sends[i];
	}
}

static struct hello
meet(struct net *n, int fd)
{
	struct hello h = {.name_bytes = sizeof(h.name)}, peer;

	BENCH_CHECK(fi_getname(&n->ep->fid, h.name, &h.name_bytes) == 0);
	h.key  = fi_mr_key(n->mr);
	h.base = n->info->domain_attr->mr_mode & FI_MR_VIRT_ADDR ? (uintptr_t)n->mem : 0;
	BENCH_CHECK(write(fd, &h, sizeof(h)) == sizeof(h) && read(fd, &peer, sizeof(peer)) == sizeof(peer));
	BENCH_CHECK(fi_av_insert(n->av, peer.name, 1, &n->peer, 0, NULL) == 1);
	return peer;
}

static void poll_once(struct net *n);

static void
send_bytes(struct net *n, size_t bytes)
{
	struct buf *b;
	ssize_t     rc;

	while (n->free_nr == 0)
		poll_once(n);
	b = n->free_send[--n->free_nr];
	for (;;) {
		if (bytes <= n->info->tx_attr->inject_size) {
			rc = fi_inject(n->ep, b->data, bytes, n->peer);
			if (rc == 0)
				n->free_send[n->free_nr++] = b;
		} else {
			rc = fi_send(n->ep, b->data, bytes, NULL, n->peer, &b->ctx);
		}
		if (rc == 0)
			return;
		BENCH_CHECK(rc == -FI_EAGAIN);
		poll_once(n);
	}
}

static void
poll_once(struct net *n)
{
	struct fi_cq_msg_entry ent[16];
	ssize_t                nr = fi_cq_read(n->cq, ent, 16);

	BENCH_CHECK(nr > 0 || nr == -FI_EAGAIN);
	for (ssize_t i = 0; i < nr; i++) {
		struct buf *b = ent[i].op_context;

		if (b == NULL)
			continue;
		if (b->is_send == 2) {
			n->rma_nr++;
			continue;
		}
		if (b->is_send) {
			n->free_send[n->free_nr++] = b;
			continue;
		}
		n->recv_nr++;
		n->last_bytes = ent[i].len;
		while (fi_recv(n->ep, b->data, BUF_BYTES, NULL, FI_ADDR_UNSPEC, &b->ctx) != 0)
			;
		if (n->echo) /* as a server answers: 64 B, however large the question */
			send_bytes(n, BENCH_MSG_BYTES);
	}
}

static void
rtt(struct net *n, size_t bytes, double *p50, double *p99)
{
	static uint64_t ns[BENCH_RTT_NR];

	for (int i = -BENCH_WARM_NR; i < BENCH_RTT_NR; i++) {
		uint64_t begin = bench_now_ns();
		long     want  = n->recv_nr + 1;

		send_bytes(n, bytes);
		while (n->recv_nr < want)
			poll_once(n);
		if (i >= 0)
			ns[i] = bench_now_ns() - begin;
	}
	*p50 = bench_percentile_us(ns, BENCH_RTT_NR, 50);
	*p99 = bench_percentile_us(ns, BENCH_RTT_NR, 99);
}

static double
rate(struct net *n, long depth)
{
	long     first = n->recv_nr, sent = first;
	uint64_t begin = bench_now_ns(), now;

	do {
		for (; sent - n->recv_nr < depth; sent++)
			send_bytes(n, BENCH_MSG_BYTES);
		poll_once(n);
		now = bench_now_ns();
	} while (now - begin < BENCH_RATE_NS);
	first = n->recv_nr - first;
	while (n->recv_nr < sent)
		poll_once(n);
	return first * 1e9 / (now - begin);
}

static void
rma_start(struct net *n, const struct hello *peer, int is_read, size_t bytes, size_t off, struct rma_op *op)
{
	ssize_t rc;

	op->is_send = 2;
	do {
		if (is_read)
			rc = fi_read(n->ep, n->mem + off, bytes, NULL, n->peer, peer->base + off, peer->key,
				     &op->ctx);
		else
			rc = fi_write(n->ep, n->mem + off, bytes, NULL, n->peer, peer->base + off, peer->key,
				      &op->ctx);
		if (rc == -FI_EAGAIN)
			poll_once(n);
	} while (rc == -FI_EAGAIN);
	BENCH_CHECK(rc == 0);
}

/** Transfers a second. */
static double
rma(struct net *n, const struct hello *peer, int is_read, size_t bytes, long depth)
{
	static struct rma_op ops[16];
	long                 first = n->rma_nr, sent = first;
	uint64_t             begin = bench_now_ns(), now;

	do {
		for (; sent - n->rma_nr < depth; sent++)
			rma_start(n, peer, is_read, bytes, (sent % depth) * bytes, &ops[sent % depth]);
		poll_once(n);
		now = bench_now_ns();
	} while (now - begin < BENCH_RATE_NS);
	first = n->rma_nr - first;
	while (n->rma_nr < sent)
		poll_once(n);
	return first * 1e9 / (now - begin);
}

static void
client(struct net *n, int fd)
{
	struct hello peer = meet(n, fd);
	double       p50, p99, p50_4k, p99_4k, rates[2], mem[3];

	rtt(n, BENCH_MSG_BYTES, &p50, &p99);
	rtt(n, 4096, &p50_4k, &p99_4k);
	rates[0] = rate(n, 16);
	rates[1] = rate(n, 256);
	(void)rma(n, &peer, 1, 1 << 20, 4);
	mem[0] = rma(n, &peer, 1, 1 << 20, 4);
	mem[1] = rma(n, &peer, 0, 1 << 20, 4);
	mem[2] = rma(n, &peer, 1, 4096, 16);
	printf("{\"rtt\": %.3f, \"rtt_p99\": %.3f, \"inline4k\": %.3f, \"rate16\": %.0f, \"rate256\": %.0f, "
	       "\"get1m\": %.0f, \"put1m\": %.0f, \"get4k\": %.0f}\n",
	       p50, p99, p50_4k, rates[0], rates[1], mem[0], mem[1], mem[2]);
}

int
main(int argc, char **argv)
{
	struct net n = {0};
	int        fds[2];
	pid_t      pid;

	BENCH_CHECK(argc >= 2 && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	setenv("FI_OFI_RXM_MSG_RX_SIZE", "256", 0); /* as src/na has it */
	setenv("FI_OFI_RXM_CM_PROGRESS_INTERVAL", "300", 0);
	pid = fork();
	BENCH_CHECK(pid >= 0);
	bench_pin(pid == 0);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	net_open(&n, argv[1], argc > 2);
	bufs_make(&n);
	if (pid == 0) {
		(void)meet(&n, fds[1]);
		n.echo = 1;
		for (;;)
			poll_once(&n);
	}
	client(&n, fds[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (strcmp(argv[1], "shm") == 0) { /* what it leaves behind when it is killed */
		char path[64];

		for (int i = 0; i < 4; i++) {
			snprintf(path, sizeof(path), "/dev/shm/%d:%u:%d", (int)pid, geteuid(), i);
			unlink(path);
			snprintf(path, sizeof(path), "/dev/shm/%d:%u:%d", (int)getpid(), geteuid(), i);
			unlink(path);
		}
	}
	return 0;
}
