/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * CART between two processes, the server an xstream as an engine's.
 *   rpc_bench tcp|local [rtt|rate|bulk|idle]
 * Prints what fabric_bench prints, and the round trip of a request that is handled in the callback
 * (rtt_callback) and the allocations of a thousand requests in both processes (allocs). idle: the
 * server has 8 xstreams and 100 clients that do nothing: percent of a core it uses, us of a first request.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <daos_errno.h>
#include "bench_util.h"
#include "base/log.h"
#include "cart/crt.h"
#include "platform/platform.h"
#include "ult/ult.h"

#define MOD       200
#define MEM_BYTES (16u << 20)
#define DEPTH_MAX 256
#define ALLOC_RPC_NR 1000
#define IDLE_XS_NR 8
#define IDLE_CLIENT_NR 100
#define IDLE_SAMPLE_NR 400
#define IDLE_GAP_US    10000

/* ---- allocations, counted ---- */

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t nr, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);

static _Atomic uint64_t alloc_nr;

static void
alloc_count(void)
{
	atomic_fetch_add_explicit(&alloc_nr, 1, memory_order_relaxed);
}

void *
malloc(size_t bytes)
{
	alloc_count();
	return __libc_malloc(bytes);
}

void *
calloc(size_t nr, size_t bytes)
{
	alloc_count();
	return __libc_calloc(nr, bytes);
}

void *
realloc(void *p, size_t bytes)
{
	alloc_count();
	return __libc_realloc(p, bytes);
}

void *
aligned_alloc(size_t align, size_t bytes)
{
	alloc_count();
	return __libc_memalign(align, bytes);
}

int
posix_memalign(void **p, size_t align, size_t bytes)
{
	alloc_count();
	*p = __libc_memalign(align, bytes);
	return *p == NULL;
}

/* ---- the protocol ---- */

enum { B_ULT, B_CALLBACK, B_BULK, B_ALLOCS };

#define B_DATA(F) F(iov, data)
CRT_RPC_DECLARE(b_data, B_DATA, B_DATA)
CRT_RPC_DEFINE(b_data, B_DATA, B_DATA)
#define B_BULK_IN(F)  F(crt_bulk_t, bulk) F(uint32_t, get) F(uint64_t, bytes) F(uint32_t, depth)
#define B_BULK_OUT(F) F(uint64_t, per_s)
CRT_RPC_DECLARE(b_bulk, B_BULK_IN, B_BULK_OUT)
CRT_RPC_DEFINE(b_bulk, B_BULK_IN, B_BULK_OUT)
#define B_ALLOCS_IN(F)  F(uint32_t, x)
#define B_ALLOCS_OUT(F) F(uint64_t, nr)
CRT_RPC_DECLARE(b_allocs, B_ALLOCS_IN, B_ALLOCS_OUT)
CRT_RPC_DEFINE(b_allocs, B_ALLOCS_IN, B_ALLOCS_OUT)

static char answer[BENCH_MSG_BYTES];
static char *mem;

static void
h_data(crt_rpc_t *rpc)
{
	((struct b_data_out *)rpc->cr_output)->data =
	    (d_iov_t){.iov_buf = answer, .iov_len = sizeof(answer), .iov_buf_len = sizeof(answer)};
	crt_reply_send(rpc);
}

static void
h_allocs(crt_rpc_t *rpc)
{
	((struct b_allocs_out *)rpc->cr_output)->nr = alloc_nr;
	crt_reply_send(rpc);
}

struct transfers {
	crt_rpc_t *rpc;
	uint64_t   begin_ns;
	uint64_t   ns; /* how long it took; 0: goes on */
	uint32_t   done_nr, under_way, slot;
};

static void transfer_done(void *arg, int rc);

static void
transfers_go(struct transfers *t)
{
	struct b_bulk_in    *in = t->rpc->cr_input;
	struct crt_bulk_desc d  = {.bd_rpc    = t->rpc,
				   .bd_op     = in->get ? CRT_BULK_GET : CRT_BULK_PUT,
				   .bd_remote = in->bulk,
				   .bd_len    = in->bytes};

	while (t->ns == 0 && t->under_way < in->depth) {
		uint64_t    off = t->slot++ % in->depth * in->bytes;
		d_iov_t     iov = {.iov_buf = mem + off, .iov_len = in->bytes, .iov_buf_len = in->bytes};
		d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

		d.bd_remote_off = off;
		d.bd_local      = &sgl;
		t->under_way++;
		BENCH_CHECK(crt_bulk_transfer(&d, transfer_done, t) == 0);
	}
	if (t->under_way > 0)
		return;
	((struct b_bulk_out *)t->rpc->cr_output)->per_s = t->done_nr * 1000000000ULL / t->ns;
	crt_reply_send(t->rpc);
	crt_req_decref(t->rpc);
	free(t);
}

static void
transfer_done(void *arg, int rc)
{
	struct transfers *t = arg;

	BENCH_CHECK(rc == 0);
	t->under_way--;
	if (t->ns == 0) {
		t->done_nr++;
		if (bench_now_ns() - t->begin_ns >= BENCH_RATE_NS)
			t->ns = bench_now_ns() - t->begin_ns;
	}
	transfers_go(t);
}

static void
h_bulk(crt_rpc_t *rpc)
{
	struct transfers *t = calloc(1, sizeof(*t));

	*t = (struct transfers){.rpc = rpc, .begin_ns = bench_now_ns()};
	crt_req_addref(rpc);
	transfers_go(t);
}

static const struct crt_proto_rpc rpcs[] = {
	[B_ULT]      = {&b_data_format, h_data, 0},
	[B_CALLBACK] = {&b_data_format, h_data, 0},
	[B_BULK]     = {&b_bulk_format, h_bulk, 0},
	[B_ALLOCS]   = {&b_allocs_format, h_allocs, 0},
};
static const struct crt_proto proto = {"bench", MOD, 1, 4, rpcs};

static struct crt *
crt_start(bool server)
{
	struct crt_attr attr = {.provider = "ofi+tcp;ofi_rxm", .interface = "lo", .server = server,
				.ep_credits = DEPTH_MAX, .ctx_nr_max = IDLE_CLIENT_NR};
	struct crt     *crt;

	BENCH_CHECK(crt_init(&attr, &crt) == 0 && crt_proto_register(crt, &proto) == 0);
	mem = aligned_alloc(4096, MEM_BYTES);
	memset(mem, 1, MEM_BYTES);
	return crt;
}

/* ---- server ---- */

struct srv {
	struct crt       *crt;
	crt_context_t     ctx;
	struct ult_poller poller;
	_Atomic bool      up;
};

static void
rpc_ult(void *arg)
{
	crt_rpc_t *rpc = arg;

	h_data(rpc);
	crt_req_decref(rpc);
}

static int
srv_hook(crt_context_t ctx, crt_rpc_t *rpc, crt_rpc_hdlr_t hdlr, void *arg)
{
	if (CRT_OPC_IDX(rpc->cr_opc) == B_ULT)
		return ult_create(NULL, ULT_POOL_NET, rpc_ult, rpc, 0, NULL);
	hdlr(rpc);
	crt_req_decref(rpc);
	return 0;
}

static int
srv_poll(void *arg)
{
	int nr = crt_progress(arg, 0);

	return nr > 0 ? nr : 0;
}

static bool
srv_arm(void *arg)
{
	return crt_context_arm(arg);
}

static void
srv_init(void *arg)
{
	struct srv *s = arg;

	BENCH_CHECK(crt_context_create(s->crt, &s->ctx) == 0);
	crt_context_register_rpc_task(s->ctx, srv_hook, NULL);
	s->poller = (struct ult_poller){.name = "cart", .poll = srv_poll, .arm = srv_arm, .arg = s->ctx,
					.fd = crt_context_fd(s->ctx)};
	d_list_init(&s->poller.link);
	ult_poller_add(&s->poller);
	s->up = true;
}

static void
server(int fd, uint32_t xs_nr)
{
	static struct srv  srvs[IDLE_XS_NR];
	struct ult_xs_attr attr = {.name = "srv", .core = -1, .accounts = true}; /* as an engine's */
	struct crt        *crt  = crt_start(true);
	char               uri[256] = "";
	struct ult_xs     *xs;

	crt_rank_self_set(crt, 0);
	for (uint32_t i = 0; i < xs_nr; i++) {
		srvs[i].crt = crt;
		BENCH_CHECK(ult_xs_create(&attr, srv_init, &srvs[i], &xs) == 0);
		while (!srvs[i].up)
			sched_yield();
	}
	BENCH_CHECK(crt_context_uri(srvs[0].ctx, uri, sizeof(uri)) == 0);
	BENCH_CHECK(write(fd, uri, sizeof(uri)) == sizeof(uri));
	for (;;)
		pause();
}

/* ---- client ---- */

static crt_context_t ctx;
static long          done_nr;

static void
on_reply(const struct crt_cb_info *info)
{
	BENCH_CHECK(info->cci_rc == 0);
	done_nr++;
}

static uint32_t tag;

static void
call(int opc, char *buf, size_t bytes)
{
	crt_endpoint_t ep = {.ep_tag = tag};
	crt_rpc_t     *rpc;

	BENCH_CHECK(crt_req_create(ctx, &ep, CRT_OPC(MOD, 1, opc), &rpc) == 0);
	((struct b_data_in *)rpc->cr_input)->data =
	    (d_iov_t){.iov_buf = buf, .iov_len = bytes, .iov_buf_len = bytes};
	crt_req_send(rpc, on_reply, NULL);
}

static void
done_wait(long nr)
{
	while (done_nr < nr)
		crt_progress(ctx, 0);
}

/** As a client does that has nothing else to do: it polls for a while, then sleeps. */
static void
done_wait_asleep(long nr)
{
	while (done_nr < nr)
		(void)crt_progress(ctx, -1);
}

static double
rtt(int opc, size_t bytes, double *p99)
{
	static uint64_t ns[BENCH_RTT_NR];
	static char     buf[8192];

	for (int i = -BENCH_WARM_NR; i < BENCH_RTT_NR; i++) {
		uint64_t begin = bench_now_ns();

		call(opc, buf, bytes);
		done_wait(done_nr + 1);
		if (i >= 0)
			ns[i] = bench_now_ns() - begin;
	}
	if (p99 != NULL)
		*p99 = bench_percentile_us(ns, BENCH_RTT_NR, 99);
	return bench_percentile_us(ns, BENCH_RTT_NR, 50);
}

static double
rate(long depth)
{
	static char buf[BENCH_MSG_BYTES];
	long        first = done_nr, sent = first;
	uint64_t    begin = bench_now_ns(), now;

	do {
		for (; sent - done_nr < depth; sent++)
			call(B_ULT, buf, sizeof(buf));
		crt_progress(ctx, 0);
		now = bench_now_ns();
	} while (now - begin < BENCH_RATE_NS);
	first = done_nr - first;
	done_wait(sent);
	return first * 1e9 / (now - begin);
}

static void
on_number(const struct crt_cb_info *info)
{
	BENCH_CHECK(info->cci_rc == 0);
	*(uint64_t *)info->cci_arg = *(uint64_t *)info->cci_rpc->cr_output; /* all have one number */
	done_nr++;
}

static double
bulk(bool get, size_t bytes, uint32_t depth)
{
	d_iov_t           iov = {.iov_buf = mem, .iov_len = MEM_BYTES, .iov_buf_len = MEM_BYTES};
	d_sg_list_t       sgl = {.sg_nr = 1, .sg_iovs = &iov};
	crt_endpoint_t    ep  = {0};
	struct b_bulk_in *in;
	crt_bulk_t        handle;
	crt_rpc_t        *rpc;
	uint64_t          per_s;

	BENCH_CHECK(crt_bulk_create(ctx, &sgl, CRT_BULK_RW, &handle) == 0);
	BENCH_CHECK(crt_req_create(ctx, &ep, CRT_OPC(MOD, 1, B_BULK), &rpc) == 0);
	in  = rpc->cr_input;
	*in = (struct b_bulk_in){.bulk = handle, .get = get, .bytes = bytes, .depth = depth};
	crt_req_send(rpc, on_number, &per_s);
	done_wait(done_nr + 1);
	crt_bulk_free(handle);
	return per_s;
}

static uint64_t
server_allocs(void)
{
	crt_endpoint_t ep = {0};
	crt_rpc_t     *rpc;
	uint64_t       nr;

	BENCH_CHECK(crt_req_create(ctx, &ep, CRT_OPC(MOD, 1, B_ALLOCS), &rpc) == 0);
	crt_req_send(rpc, on_number, &nr);
	done_wait(done_nr + 1);
	return nr;
}

static uint64_t
allocs(void)
{
	static char buf[BENCH_MSG_BYTES];
	uint64_t    far  = server_allocs();
	uint64_t    near = alloc_nr;

	for (int i = 0; i < ALLOC_RPC_NR; i++) {
		call(B_ULT, buf, sizeof(buf));
		done_wait(done_nr + 1);
	}
	near = alloc_nr - near;
	return near + server_allocs() - far;
}

/** ns of CPU that process @pid has used. */
static uint64_t
cpu_ns(pid_t pid)
{
	char          path[64];
	unsigned long user, sys;
	FILE         *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	BENCH_CHECK(f != NULL);
	BENCH_CHECK(fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) == 2);
	fclose(f);
	return (user + sys) * (1000000000ULL / sysconf(_SC_CLK_TCK));
}

/** Two threads that wake each other through sockets after idling: no answer can come sooner. */
static void *
wake_echo(void *arg)
{
	char c;

	while (read(*(int *)arg, &c, 1) == 1 && write(*(int *)arg, &c, 1) == 1)
		;
	return NULL;
}

static double
bare_wake_us(void)
{
	static uint64_t ns[IDLE_SAMPLE_NR];
	int             fds[2];
	pthread_t       thread;
	uint64_t        begin;
	char            c = 0;

	BENCH_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	BENCH_CHECK(pthread_create(&thread, NULL, wake_echo, &fds[1]) == 0);
	for (size_t i = 0; i < IDLE_SAMPLE_NR; i++) {
		usleep(IDLE_GAP_US);
		begin = bench_now_ns();
		BENCH_CHECK(write(fds[0], &c, 1) == 1 && read(fds[0], &c, 1) == 1);
		ns[i] = bench_now_ns() - begin;
	}
	close(fds[0]);
	pthread_join(thread, NULL);
	close(fds[1]);
	return bench_percentile_us(ns, IDLE_SAMPLE_NR, 99);
}

/** Many clients that do nothing: what the server uses of a core, and how soon it answers again. */
static void
idle(struct crt *crt, pid_t server_pid)
{
	static crt_context_t ctxs[IDLE_CLIENT_NR];
	static uint64_t      ns[IDLE_SAMPLE_NR];
	static char          buf[BENCH_MSG_BYTES];
	uint64_t             cpu, begin;

	for (int i = 0; i < IDLE_CLIENT_NR; i++) {
		if (i == 0)
			ctxs[i] = ctx;
		else
			BENCH_CHECK(crt_context_create(crt, &ctxs[i]) == 0);
		ctx = ctxs[i];
		for (tag = 0; tag < IDLE_XS_NR; tag++) {
			call(B_ULT, buf, sizeof(buf));
			done_wait(done_nr + 1);
		}
	}
	sleep(2);
	cpu   = cpu_ns(server_pid);
	begin = bench_now_ns();
	sleep(5);
	printf("{\"idle_cpu\": %.3f, ", (cpu_ns(server_pid) - cpu) * 100.0 / (bench_now_ns() - begin));
	for (size_t i = 0; i < IDLE_SAMPLE_NR; i++) {
		ctx = ctxs[i % IDLE_CLIENT_NR];
		tag = i % IDLE_XS_NR;
		usleep(IDLE_GAP_US);
		begin = bench_now_ns();
		call(B_ULT, buf, sizeof(buf));
		done_wait_asleep(done_nr + 1);
		ns[i] = bench_now_ns() - begin;
	}
	printf("\"first_after_idle_p99\": %.1f, ", bench_percentile_us(ns, IDLE_SAMPLE_NR, 99));
	printf("\"first_after_idle\": %.1f, ", ns[IDLE_SAMPLE_NR / 2] / 1000.0);
	printf("\"bare_wake_p99\": %.1f}\n", bare_wake_us());
}

static void
client(int fd, const char *what, pid_t server_pid)
{
	struct crt       *crt = crt_start(false);
	char              uri[256];
	struct crt_member m     = {.rank = 0, .uri = uri};
	uint64_t          until = bench_now_ns() + 300000000; /* links come up meanwhile */
	double            p99;

	BENCH_CHECK(read(fd, uri, sizeof(uri)) == sizeof(uri));
	BENCH_CHECK(crt_context_create(crt, &ctx) == 0 && crt_group_set(crt, 1, 1, &m) == 0);
	if (strcmp(what, "idle") == 0) {
		idle(crt, server_pid);
		return;
	}
	while (bench_now_ns() < until) {
		call(B_CALLBACK, mem, BENCH_MSG_BYTES);
		done_wait(done_nr + 1);
	}
	if (what[0] == '\0' || strcmp(what, "rtt") == 0) {
		printf("{\"rtt\": %.3f, ", rtt(B_ULT, BENCH_MSG_BYTES, &p99));
		printf("\"rtt_p99\": %.3f, ", p99);
		printf("\"rtt_callback\": %.3f, ", rtt(B_CALLBACK, BENCH_MSG_BYTES, NULL));
		printf("\"rtt_ult\": %.3f, ", rtt(B_ULT, BENCH_MSG_BYTES, NULL));
		printf("\"inline4k\": %.3f, ", rtt(B_ULT, 4096, NULL));
	}
	if (what[0] == '\0' || strcmp(what, "rate") == 0) {
		printf("\"rate16\": %.0f, ", rate(16));
		printf("\"rate256\": %.0f, ", rate(256));
	}
	if (what[0] == '\0' || strcmp(what, "bulk") == 0) {
		(void)bulk(true, 1 << 20, 4);
		printf("\"get1m\": %.0f, ", bulk(true, 1 << 20, 4));
		printf("\"put1m\": %.0f, ", bulk(false, 1 << 20, 4));
		printf("\"get4k\": %.0f, ", bulk(true, 4096, 16));
	}
	printf("\"allocs\": %lu}\n", (unsigned long)allocs());
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	bool        local;
	int         fds[2];
	pid_t       pid;

	BENCH_CHECK(argc >= 2 && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	local = strcmp(argv[1], "local") == 0;
	setenv("DAOS_LOCAL_SHM", local ? "1" : "0", 1);
	BENCH_CHECK(d_log_init() == 0 && d_log_setmasks("ERR") == 0);
	pid = fork();
	BENCH_CHECK(pid >= 0);
	if (strcmp(what, "idle") != 0)
		bench_pin(pid == 0);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pid == 0)
		server(fds[1], strcmp(what, "idle") == 0 ? IDLE_XS_NR : 1);
	client(fds[0], what, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
