/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Local links: rings, waking, remote memory both ways, other users, peers that die or are evil. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <daos_errno.h>
#include "base/log.h"
#include "na/na_local.h"
#include "platform/platform.h"

#define NOBODY 65534

static uint64_t seed;

static uint32_t
rnd(uint32_t nr)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % nr;
}

/* ---- rings ---- */

struct ring_pair {
	struct ring_mem *mem;
	struct ring_tx   tx;
	struct ring_rx   rx;
};

static void
ring_open(struct ring_pair *r)
{
	r->mem = aligned_alloc(128, sizeof(*r->mem));
	assert_non_null(r->mem);
	memset(r->mem, 0, sizeof(*r->mem));
	r->tx = (struct ring_tx){.mem = r->mem};
	r->rx = (struct ring_rx){.mem = r->mem};
}

static void
fill(char *buf, uint32_t bytes, uint32_t salt)
{
	for (uint32_t i = 0; i < bytes; i++)
		buf[i] = (char)(salt + i * 7);
}

/** Any sizes, in any rhythm: records come out as they went in, and an empty ring takes any record. */
static void
ring_random(void **state)
{
	static char      buf[RING_REC_BYTES_MAX], want[RING_REC_BYTES_MAX];
	uint32_t         put_nr = 0, got_nr = 0, sizes[4096];
	struct ring_pair r;
	struct ring_rec  rec;

	ring_open(&r);
	for (int i = 0; i < 200000; i++) {
		uint32_t bytes = rnd(8) == 0 ? rnd(RING_REC_BYTES_MAX - 8) : rnd(300);
		int      rc;

		if (rnd(100) < 55) {
			fill(buf, bytes, put_nr);
			rc = ring_put(&r.tx, RING_MSG, buf, bytes / 3, buf + bytes / 3, bytes - bytes / 3);
			if (put_nr == got_nr)
				assert_int_equal(rc, 0);
			if (rc == 0)
				sizes[put_nr++ % ARRAY_NR(sizes)] = bytes;
			else
				assert_int_equal(rc, -DER_AGAIN);
			continue;
		}
		if (ring_tx_fetches(&r.tx)) /* as a poll that finds nothing does */
			ring_tx_quiet(&r.tx);
		rc = ring_peek(&r.rx, &rec);
		assert_int_equal(rc, put_nr > got_nr);
		assert_int_equal(ring_rx_empty(&r.rx), rc == 0);
		if (rc == 0)
			continue;
		assert_int_equal(rec.len, sizes[got_nr % ARRAY_NR(sizes)]);
		fill(want, rec.len, got_nr++);
		assert_memory_equal(rec.bytes, want, rec.len);
		ring_pop(&r.rx, &rec);
	}
	while (ring_tx_fetches(&r.tx)) /* ends */
		ring_tx_quiet(&r.tx);
	free(r.mem);
}

/** Whatever the other side writes into the shared memory, what comes out lies within it. */
static void
ring_evil(void **state)
{
	static char      zeros[10000];
	struct ring_pair r;
	struct ring_rec  rec;
	uint32_t         refused_nr = 0;

	ring_open(&r);
	for (int i = 0; i < 20000; i++) {
		uint64_t pos = rnd(64) * 64;

		memset(r.mem, 0, sizeof(*r.mem));
		r.rx.head = pos;
		atomic_store(&r.mem->tail, rnd(4) == 0 ? ((uint64_t)rnd(1u << 31) << 32) + rnd(1u << 31) :
							 pos + rnd(4096) * 64);
		for (int k = 0; k < 64; k++)
			((uint32_t *)(r.mem->data + pos))[k] = rnd(2) == 0 ? rnd(8) : rnd(1u << 31);
		for (int k = 0; k < 100; k++) {
			int rc = ring_peek(&r.rx, &rec);

			refused_nr += rc < 0;
			if (rc <= 0)
				break;
			assert_true(rec.bytes >= r.mem->data);
			assert_true(rec.bytes + rec.len <= r.mem->data + RING_BYTES);
			ring_pop(&r.rx, &rec);
		}
		atomic_store(&r.mem->head, ((uint64_t)rnd(1u << 31) << 33) + rnd(1u << 31));
		r.tx.tail = r.tx.head_seen = 64 * rnd(4096);
		for (int k = 0; k < 20; k++)
			if (ring_put(&r.tx, RING_MSG, NULL, 0, zeros, sizeof(zeros)) == -DER_PROTO)
				refused_nr++;
	}
	assert_true(refused_nr > 1000);
	free(r.mem);
}

/* ---- endpoints ---- */

struct side {
	struct na_ep *ep;
	na_addr_t     peer;
	uint32_t      recv_nr, failed_nr, linked_nr, unlinked_nr;
	uint64_t      last;
	bool          echo;
};
struct pair {
	struct na  *na;
	struct side s[2];
};

static void
side_send(struct side *s, uint64_t value, uint32_t bytes)
{
	struct na_msg *m = na_msg_get(s->ep);

	assert_non_null(m);
	memset(m->data, 0, bytes);
	memcpy(m->data, &value, sizeof(value));
	m->len = bytes;
	na_msg_send(s->ep, s->peer, m);
}

static void
on_recv(void *arg, struct na_msg *msg)
{
	struct side *s = arg;

	s->recv_nr++;
	s->peer = msg->peer;
	memcpy(&s->last, msg->data, sizeof(s->last));
	na_msg_put(s->ep, msg);
	if (s->echo)
		side_send(s, s->last, 64);
}

static void
on_failed(void *arg, const struct na_msg *msg, na_addr_t to, int rc)
{
	assert_int_equal(rc, -DER_UNREACH);
	((struct side *)arg)->failed_nr++;
}

static void
on_linked(void *arg, na_addr_t link, int rc)
{
	struct side *s = arg;

	if (rc == 0)
		s->linked_nr++;
	else
		s->unlinked_nr++;
}

static void
side_open(struct na *na, struct side *s)
{
	struct na_ep_attr a = {0, on_recv, on_failed, on_linked, s};

	memset(s, 0, sizeof(*s));
	assert_int_equal(na_ep_open(na, &a, &s->ep), 0);
}

static struct na *
na_open_local(void)
{
	struct na_attr a = {.provider = "ofi+tcp;ofi_rxm", .interface = "lo", .local = true};
	struct na     *na;

	assert_int_equal(na_open(&a, &na), 0);
	return na;
}

/** Progress @s (and @t) until *counter is @value. */
static void
until(struct side *s, struct side *t, const uint32_t *counter, uint32_t value)
{
	uint64_t end = plat_now_ns() + 20 * NSEC_PER_SEC;

	while (*counter < value) {
		assert_true(na_ep_progress(s->ep, 8) >= 0);
		if (t != NULL)
			assert_true(na_ep_progress(t->ep, 8) >= 0);
		if (plat_now_ns() > end)
			fail_msg("nothing came in 20 s");
	}
}

static void
pair_open(struct pair *p)
{
	char token[NA_TOKEN_BYTES_MAX];

	p->na = na_open_local();
	side_open(p->na, &p->s[0]);
	side_open(p->na, &p->s[1]);
	assert_int_equal(na_ep_token(p->s[1].ep, token, sizeof(token)), 0);
	assert_int_equal(na_ep_link(p->s[0].ep, token, &p->s[0].peer), 0);
	until(&p->s[0], &p->s[1], &p->s[0].linked_nr, 1);
	side_send(&p->s[0], 1, 64);
	until(&p->s[0], &p->s[1], &p->s[1].recv_nr, 1);
	p->s[1].recv_nr = 0;
}

static void
pair_close(struct pair *p)
{
	na_ep_close(p->s[0].ep);
	na_ep_close(p->s[1].ep);
	na_close(p->na);
}

static struct local_link *
link_of(struct side *s)
{
	struct local_link *l = local_link_find(s->ep->local, s->peer);

	assert_non_null(l);
	return l;
}

/* ---- remote memory ---- */

struct rma_test {
	struct na_rma rma;
	uint32_t      done_nr;
	int           rc;
};

static void
on_rma(struct na_rma *rma, int rc)
{
	struct rma_test *t = CONTAINER_OF(rma, struct rma_test, rma);

	t->rc = rc;
	t->done_nr++;
}

static int
rma(struct side *s, struct side *t, enum na_rma_kind kind, void *local, size_t bytes,
    const struct na_mr_remote *remote, uint64_t off)
{
	struct rma_test r = {.rma = {kind, s->peer, local, bytes, remote->base + off, remote->key,
				     remote->guard, on_rma}};

	na_rma_start(s->ep, &r.rma);
	until(s, t, &r.done_nr, 1);
	return r.rc;
}

/** @s reads and writes memory of @t, with every limit. */
static void
rma_all(struct side *s, struct side *t)
{
	enum { BYTES = 1 << 20 };
	char               *far = malloc(BYTES), *near = calloc(1, BYTES);
	struct na_mr       *mr;
	struct na_mr_remote r, wrong;

	fill(far, BYTES, 3);
	assert_int_equal(na_mr_create(t->ep, far, BYTES, NA_MR_PEER_READS | NA_MR_PEER_WRITES, &mr,
				      &r), 0);
	assert_int_equal(rma(s, t, NA_RMA_READ, near, BYTES, &r, 0), 0);
	assert_memory_equal(near, far, BYTES);
	for (int i = 0; i < 50; i++) {
		uint32_t off = rnd(BYTES - 70000), bytes = rnd(70000);

		fill(near, bytes, i);
		assert_int_equal(rma(s, t, NA_RMA_WRITE, near, bytes, &r, off), 0);
		assert_memory_equal(near, far + off, bytes);
		off = rnd(BYTES - 70000);
		assert_int_equal(rma(s, t, NA_RMA_READ, near, bytes, &r, off), 0);
		assert_memory_equal(near, far + off, bytes);
	}
	assert_int_equal(rma(s, t, NA_RMA_READ, near, 100, &r, BYTES - 99), -DER_OVERFLOW);
	assert_int_equal(rma(s, t, NA_RMA_WRITE, near, 100, &r, (uint64_t)-50), -DER_OVERFLOW);
	wrong = r;
	wrong.key++;
	assert_int_equal(rma(s, t, NA_RMA_WRITE, near, 100, &wrong, 0), -DER_NO_PERM);
	na_mr_destroy(t->ep, mr);
	assert_int_equal(rma(s, t, NA_RMA_READ, near, 100, &r, 0), -DER_NO_PERM);
	assert_int_equal(na_mr_create(t->ep, far, BYTES, NA_MR_PEER_READS, &mr, &r), 0);
	assert_int_equal(rma(s, t, NA_RMA_WRITE, near, 100000, &r, 0), -DER_NO_PERM);
	assert_int_equal(rma(s, t, NA_RMA_READ, near, 100, &r, 7), 0);
	assert_memory_equal(near, far + 7, 100);
	na_mr_destroy(t->ep, mr);
	assert_int_equal(na_mr_create(t->ep, far, BYTES, NA_MR_PEER_WRITES, &mr, &r), 0);
	assert_int_equal(rma(s, t, NA_RMA_READ, near, 100000, &r, 0), -DER_NO_PERM);
	na_mr_destroy(t->ep, mr);
	free(far);
	free(near);
}

/** Many at once, of two memories and both kinds, some of which must fail: each comes to what it would alone. */
static void
rma_many(struct side *s, struct side *t)
{
	enum { NR = 100, PIECE = 1000, MR_BYTES = NR * PIECE };
	static struct rma_test tests[NR];
	char               *far[2], *near = malloc(MR_BYTES), *want = malloc(MR_BYTES);
	struct na_mr       *mrs[2];
	struct na_mr_remote r[2];
	int                 rcs[NR];

	for (int m = 0; m < 2; m++) {
		far[m] = malloc(MR_BYTES);
		fill(far[m], MR_BYTES, m);
		assert_int_equal(na_mr_create(t->ep, far[m], MR_BYTES, NA_MR_PEER_READS | NA_MR_PEER_WRITES, &mrs[m], &r[m]), 0);
	}
	fill(near, MR_BYTES, 9);
	memcpy(want, near, MR_BYTES);
	memset(tests, 0, sizeof(tests));
	for (int i = 0; i < NR; i++) {
		int              m    = rnd(8) == 0;
		enum na_rma_kind kind = rnd(8) == 0 ? NA_RMA_WRITE : NA_RMA_READ;
		uint64_t         off  = rnd(10) == 0 ? MR_BYTES - PIECE + 1 : (uint64_t)i * PIECE;

		rcs[i] = off % PIECE != 0 ? -DER_OVERFLOW : 0;
		if (rcs[i] == 0 && kind == NA_RMA_READ)
			memcpy(want + off, far[m] + off, PIECE);
		tests[i].rma = (struct na_rma){kind, s->peer, near + (uint64_t)i * PIECE, PIECE, r[m].base + off, r[m].key,
					       r[m].guard, on_rma};
		na_rma_start(s->ep, &tests[i].rma);
	}
	for (int i = 0; i < NR; i++) {
		uint64_t off = (uint64_t)i * PIECE;

		until(s, t, &tests[i].done_nr, 1);
		assert_int_equal(tests[i].rc, rcs[i]);
		assert_memory_equal(near + off, want + off, PIECE);
		if (rcs[i] == 0 && tests[i].rma.kind == NA_RMA_WRITE)
			assert_memory_equal(far[tests[i].rma.key == r[1].key] + off, near + off, PIECE);
	}
	for (int i = 0; i < NR; i++)
		assert_int_equal(tests[i].done_nr, 1);
	for (int m = 0; m < 2; m++) {
		na_mr_destroy(t->ep, mrs[m]);
		free(far[m]);
	}
	free(near);
	free(want);
}

static void
rma_both_ways(void **state)
{
	struct pair p;

	pair_open(&p);
	assert_true(link_of(&p.s[1])->direct); /* to a process of the same user */
	assert_false(link_of(&p.s[0])->direct);
	rma_all(&p.s[1], &p.s[0]);
	rma_all(&p.s[0], &p.s[1]);
	for (int i = 0; i < 20; i++) {
		rma_many(&p.s[1], &p.s[0]);
		rma_many(&p.s[0], &p.s[1]);
	}
	assert_true(link_of(&p.s[1])->direct);
	link_of(&p.s[1])->direct = false; /* as where the kernel refuses */
	rma_all(&p.s[1], &p.s[0]);
	rma_many(&p.s[1], &p.s[0]);
	pair_close(&p);
}

struct puller {
	struct side      *s;
	_Atomic bool      stop;
	struct na_mr_remote r;
	char             *near;
};

static void
pull(void *arg)
{
	struct puller *p = arg;

	while (!p->stop)
		(void)rma(p->s, NULL, NA_RMA_WRITE, p->near, 1 << 20, &p->r, 0);
}

/** Memory that is taken back is not written any more, though its peer goes on and on. */
static void
rma_revoked(void **state)
{
	enum { BYTES = 1 << 20 };
	char               *far = malloc(BYTES);
	struct pair         p;
	struct puller       u = {.near = malloc(BYTES)};
	struct plat_thread *thread;
	struct na_mr       *mr;

	pair_open(&p);
	memset(u.near, 1, BYTES);
	for (int i = 0; i < 50; i++) {
		u.s    = &p.s[1];
		u.stop = false;
		assert_int_equal(na_mr_create(p.s[0].ep, far, BYTES, NA_MR_PEER_WRITES, &mr, &u.r), 0);
		assert_int_equal(plat_thread_create("pull", pull, &u, &thread), 0);
		for (uint32_t k = rnd(200000); k > 0; k--)
			plat_cpu_relax();
		na_mr_destroy(p.s[0].ep, mr);
		memset(far, 0, BYTES);
		sched_yield();
		for (int k = 0; k < BYTES; k++)
			assert_int_equal(far[k], 0);
		u.stop = true;
		plat_thread_join(thread);
	}
	pair_close(&p);
	free(far);
	free(u.near);
}

/* ---- waking ---- */

struct sleeper {
	struct side *s;
	uint32_t     nr;
	uint64_t     seed;
	bool         timed_out;
};

static void
sleep_on(struct sleeper *t)
{
	struct pollfd p[2] = {{.fd = na_ep_fd(t->s->ep), .events = POLLIN},
			      {.fd = na_ep_link_fd(t->s->ep), .events = POLLIN}};

	if (!na_ep_arm(t->s->ep))
		return;
	if (poll(p, 2, 10000) == 0)
		t->timed_out = true;
	if (t->seed % 4 != 0) /* else as if another thread polled on: nothing is missed then, either */
		na_ep_disarm(t->s->ep);
}

/** Answers each message, sleeping now and then between polls: any lost wake-up shows. */
static void
echo_and_sleep(void *arg)
{
	struct sleeper *t = arg;

	while (t->s->recv_nr < t->nr && !t->timed_out) {
		t->seed = t->seed * 6364136223846793005ULL + 1;
		for (uint32_t k = (t->seed >> 33) % 3000; k > 0; k--)
			plat_cpu_relax();
		if (na_ep_progress(t->s->ep, 8) == 0)
			sleep_on(t);
	}
}

static void
wake_ups(void **state)
{
	enum { ROUNDS = 20000 };
	struct pair         p;
	struct sleeper      t[2];
	struct plat_thread *thread;

	pair_open(&p);
	for (int i = 0; i < 2; i++) {
		p.s[i].echo    = true;
		p.s[i].recv_nr = 0;
		t[i] = (struct sleeper){.s = &p.s[i], .nr = ROUNDS, .seed = seed + i};
	}
	side_send(&p.s[0], 1, 64);
	assert_int_equal(plat_thread_create("echo", echo_and_sleep, &t[1], &thread), 0);
	echo_and_sleep(&t[0]);
	plat_thread_join(thread);
	assert_false(t[0].timed_out || t[1].timed_out);
	pair_close(&p);
}

static void
flood_thread(void *arg)
{
	struct sleeper *t = arg;

	while (t->s->recv_nr < t->nr && !t->timed_out)
		if (na_ep_progress(t->s->ep, 3) == 0)
			sleep_on(t);
}

/** The sender sleeps while the ring is full, the receiver while it is empty. */
static void
wake_ups_for_space(void **state)
{
	enum { MSG_NR = 20000 };
	struct pair         p;
	struct sleeper      to, from;
	struct plat_thread *thread;

	pair_open(&p);
	to   = (struct sleeper){.s = &p.s[1], .nr = MSG_NR};
	from = (struct sleeper){.s = &p.s[0]};
	assert_int_equal(plat_thread_create("flood", flood_thread, &to, &thread), 0);
	for (int i = 0; i < MSG_NR; i++) {
		side_send(&p.s[0], i, 8 + rnd(16000));
		while (na_local_busy(p.s[0].ep->local) && !from.timed_out)
			if (na_ep_progress(p.s[0].ep, 8) == 0)
				sleep_on(&from);
	}
	plat_thread_join(thread);
	assert_false(to.timed_out || from.timed_out);
	assert_int_equal(p.s[1].last, MSG_NR - 1);
	pair_close(&p);
}

/** Nothing runs while both are idle, and who is parked is still heard. */
static void
idle_is_parked(void **state)
{
	struct pair p;

	pair_open(&p);
	for (int i = 0; i < LOCAL_PARK_POLLS + 10; i++)
		na_ep_progress(p.s[1].ep, 8);
	assert_false(link_of(&p.s[1])->active);
	side_send(&p.s[0], 5, 64);
	until(&p.s[1], NULL, &p.s[1].recv_nr, 1);
	assert_true(link_of(&p.s[1])->active);
	assert_true(na_ep_repoll_us(p.s[1].ep) >= 10000); /* that of the provider */
	pair_close(&p);
}

/* ---- other processes ---- */

struct shared {
	_Atomic int  ready;
	_Atomic bool stop;
	char         token[NA_TOKEN_BYTES_MAX];
	struct na_mr_remote r;
};

static pid_t
fork_side(struct shared *sh, uid_t uid, void (*fn)(struct shared *sh))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (uid != getuid() && (setgid(uid) != 0 || setuid(uid) != 0))
		_exit(3);
	fn(sh);
	_exit(0);
}

static void
acceptor(struct shared *sh)
{
	struct na  *na = na_open_local();
	struct side s;

	side_open(na, &s);
	s.echo = true;
	if (na_ep_token(s.ep, sh->token, sizeof(sh->token)) != 0)
		_exit(1);
	sh->ready = 1;
	while (!sh->stop)
		na_ep_progress(s.ep, 8);
}

static struct shared *
shared_new(void)
{
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(sh != MAP_FAILED);
	return sh;
}

static void
ready_wait(struct shared *sh, int value)
{
	uint64_t end = plat_now_ns() + 20 * NSEC_PER_SEC;

	while (sh->ready < value && plat_now_ns() < end)
		sched_yield();
	assert_int_equal(sh->ready, value);
}

static void
child_end(struct shared *sh, pid_t pid)
{
	int status;

	sh->stop = true;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	munmap(sh, sizeof(*sh));
}

/** A killed peer is noticed at once: what is queued and all RMAs end, and the link says so. */
static void
peer_killed(void **state)
{
	struct shared      *sh  = shared_new();
	pid_t               pid = fork_side(sh, getuid(), acceptor);
	struct na          *na  = na_open_local();
	struct na_mr_remote r   = {.key = 1};
	siginfo_t           end;
	struct side         s;
	struct rma_test     t;
	char                buf[100];

	ready_wait(sh, 1);
	side_open(na, &s);
	assert_int_equal(na_ep_link(s.ep, sh->token, &s.peer), 0);
	until(&s, NULL, &s.linked_nr, 1);
	side_send(&s, 9, 64);
	until(&s, NULL, &s.recv_nr, 1);
	kill(pid, SIGSTOP);
	t = (struct rma_test){.rma = {NA_RMA_READ, s.peer, buf, 100, r.base, r.key, 0, on_rma}};
	na_rma_start(s.ep, &t.rma);
	for (int i = 0; i < 1000; i++)
		side_send(&s, i, 16000); /* most of it does not fit */
	assert_int_equal(s.unlinked_nr, 0);
	kill(pid, SIGKILL);
	kill(pid, SIGCONT);
	until(&s, NULL, &s.unlinked_nr, 1);
	assert_int_equal(t.done_nr, 1);
	assert_int_equal(t.rc, -DER_UNREACH);
	assert_true(s.failed_nr > 900);
	side_send(&s, 1, 64); /* to the address that was */
	until(&s, NULL, &s.failed_nr, s.failed_nr + 1);
	assert_int_equal(waitid(P_PID, pid, &end, WEXITED | WNOWAIT), 0); /* its listening socket closes later than the link */
	assert_int_equal(na_ep_link(s.ep, sh->token, &s.peer), -DER_UNREACH);
	na_ep_close(s.ep);
	na_close(na);
	child_end(sh, pid);
}

/** The initiator: has its memory read and written, then is killed in the middle of that. */
static void
initiator(struct shared *sh)
{
	enum { BYTES = 8 << 20 };
	char         *buf = malloc(BYTES);
	struct na    *na  = na_open_local();
	struct side   s;
	struct na_mr *mr;

	fill(buf, BYTES, 1);
	side_open(na, &s);
	if (na_mr_create(s.ep, buf, BYTES, NA_MR_PEER_READS | NA_MR_PEER_WRITES, &mr, &sh->r) != 0 ||
	    na_ep_link(s.ep, sh->token, &s.peer) != 0)
		_exit(1);
	while (s.linked_nr == 0)
		na_ep_progress(s.ep, 8);
	side_send(&s, 1, 64);
	while (!sh->stop)
		na_ep_progress(s.ep, 8);
}

static void
with_initiator(uid_t uid, bool direct, bool die)
{
	struct shared  *sh = shared_new();
	struct na      *na = na_open_local();
	char           *buf = calloc(1, 8 << 20), *want = malloc(8 << 20);
	struct side     s;
	struct rma_test t;
	pid_t           pid;

	side_open(na, &s);
	assert_int_equal(na_ep_token(s.ep, sh->token, sizeof(sh->token)), 0);
	pid = fork_side(sh, uid, initiator);
	until(&s, NULL, &s.recv_nr, 1);
	assert_int_equal(link_of(&s)->direct, direct);
	fill(want, 8 << 20, 1);
	for (int off = 0; off < 8 << 20; off += 1 << 20)
		assert_int_equal(rma(&s, NULL, NA_RMA_READ, buf + off, 1 << 20, &sh->r, off), 0);
	assert_memory_equal(buf, want, 8 << 20);
	assert_int_equal(rma(&s, NULL, NA_RMA_WRITE, buf, 1 << 20, &sh->r, 1 << 20), 0);
	assert_int_equal(rma(&s, NULL, NA_RMA_READ, buf + (2 << 20), 1 << 20, &sh->r, 1 << 20), 0);
	assert_memory_equal(buf + (2 << 20), want, 1 << 20);
	for (int i = 0; die; i++) {
		t = (struct rma_test){.rma = {NA_RMA_WRITE, s.peer, buf, 8 << 20, sh->r.base, sh->r.key,
					      sh->r.guard, on_rma}};
		na_rma_start(s.ep, &t.rma);
		if (i == 3)
			kill(pid, SIGKILL);
		until(&s, NULL, &t.done_nr, 1);
		assert_true(t.rc == 0 || t.rc == -DER_UNREACH);
		if (t.rc != 0)
			break;
	}
	na_ep_close(s.ep);
	na_close(na);
	free(buf);
	free(want);
	child_end(sh, pid);
}

static void
same_user(void **state)
{
	with_initiator(getuid(), true, false);
	with_initiator(getuid(), true, true);
}

static void
unprivileged_acceptor(struct shared *sh)
{
	struct na  *na  = na_open_local();
	char       *buf = calloc(1, 1 << 20), *want = malloc(1 << 20);
	struct side s;

	side_open(na, &s);
	assert_int_equal(na_ep_token(s.ep, sh->token, sizeof(sh->token)), 0);
	sh->ready = 1;
	until(&s, NULL, &s.recv_nr, 1);
	assert_false(link_of(&s)->direct);
	fill(want, 1 << 20, 1);
	assert_int_equal(rma(&s, NULL, NA_RMA_READ, buf, 1 << 20, &sh->r, 0), 0);
	assert_memory_equal(buf, want, 1 << 20);
	assert_int_equal(rma(&s, NULL, NA_RMA_WRITE, buf, 1 << 20, &sh->r, 77), 0);
	assert_int_equal(rma(&s, NULL, NA_RMA_READ, buf, 1 << 20, &sh->r, 77), 0);
	assert_memory_equal(buf, want, 1 << 20);
	sh->stop = true;
	na_ep_close(s.ep);
	na_close(na);
	free(buf);
	free(want);
}

/** An engine of root reaches any user's memory; one of a user asks another user's client. */
static void
other_users(void **state)
{
	struct shared *sh;
	pid_t          pid;
	int            status;

	if (getuid() != 0)
		skip();
	with_initiator(NOBODY, true, false);
	pid = fork();
	if (pid == 0) {
		sh = shared_new(); /* the initiator is still root when the acceptor is not any more */
		if (fork() == 0) {
			while (sh->ready == 0)
				sched_yield();
			initiator(sh);
			_exit(0);
		}
		if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
			_exit(1);
		unprivileged_acceptor(sh);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* the token says who listens: another user there is not trusted */
	sh  = shared_new();
	pid = fork_side(sh, NOBODY, acceptor);
	ready_wait(sh, 1);
	{
		struct na  *na = na_open_local();
		struct side s;
		char        forged[NA_TOKEN_BYTES_MAX];

		side_open(na, &s);
		snprintf(forged, sizeof(forged), "%.*s,%u", (int)(strchr(sh->token, ',') - sh->token),
			 sh->token, getuid());
		assert_int_equal(na_ep_link(s.ep, forged, &s.peer), -DER_NO_PERM);
		na_ep_progress(s.ep, 8);
		assert_int_equal(na_ep_link(s.ep, sh->token, &s.peer), 0);
		until(&s, NULL, &s.linked_nr, 1);
		assert_int_equal(s.unlinked_nr, 0);
		na_ep_close(s.ep);
		na_close(na);
	}
	child_end(sh, pid);
}

static void
tokens(void **state)
{
	static const char *const bad[] = {"", ",", "x", "x,", ",1", "x,-1", "x,1x", "x,99999999999",
		"0123456789012345678901234567890123456789012345,0"};
	struct pair p;
	na_addr_t   a;

	pair_open(&p);
	for (size_t i = 0; i < ARRAY_NR(bad); i++)
		assert_int_equal(na_ep_link(p.s[0].ep, bad[i], &a), -DER_INVAL);
	assert_int_equal(na_ep_link(p.s[0].ep, "nobody-listens-here,0", &a), -DER_UNREACH);
	na_ep_unlink(p.s[0].ep, p.s[0].peer);
	na_ep_unlink(p.s[0].ep, p.s[0].peer);
	side_send(&p.s[0], 1, 64);
	until(&p.s[0], NULL, &p.s[0].failed_nr, 1);
	assert_int_equal(p.s[0].unlinked_nr, 0); /* nothing is said about what one did oneself */
	side_send(&p.s[1], 1, 64);
	for (int i = 0; i < 1000 && p.s[1].failed_nr == 0; i++) {
		na_ep_progress(p.s[1].ep, 8);
		side_send(&p.s[1], 1, 64);
	}
	assert_true(p.s[1].failed_nr > 0);
	pair_close(&p);
}

/** A network of its own is another host. */
static void
other_network(void **state)
{
	uint32_t host = na_local_host();
	pid_t    pid;
	int      status;

	assert_int_not_equal(host, 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) != 0)
			_exit(77);
		_exit(na_local_host() == host || na_local_host() == 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/** What an evil initiator can do to the shared memory ends its own link, and nothing else. */
static void
evil_initiator(void **state)
{
	for (int round = 0; round < 300; round++) {
		struct pair        p;
		struct local_link *l;
		uint32_t          *words;

		pair_open(&p);
		l     = link_of(&p.s[0]);
		words = (uint32_t *)l->mem;
		for (uint32_t i = rnd(64) + 1; i > 0; i--)
			words[rnd(4) == 0 ? rnd(sizeof(*l->mem) / 4) : rnd(600)] =
			    rnd(3) == 0 ? rnd(1u << 31) : rnd(300);
		for (int i = 0; i < 20; i++) {
			struct ring_rma r = {.id = rnd(4), .key = rnd(4), .remote = rnd(1u << 31),
					     .bytes = rnd(2) ? 8 : rnd(1u << 31), .last = rnd(2),
					     .rc = rnd(4) - 2};

			if (l->state == LOCAL_UP)
				(void)!local_put(l, rnd(9), &r, rnd(4) == 0 ? rnd(sizeof(r)) : sizeof(r), &r,
						 rnd(2) ? 8 : 0);
			na_ep_progress(p.s[1].ep, 8);
		}
		pair_close(&p);
	}
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_random),     cmocka_unit_test(ring_evil),
		cmocka_unit_test(rma_both_ways),   cmocka_unit_test(rma_revoked),
		cmocka_unit_test(wake_ups),        cmocka_unit_test(wake_ups_for_space),
		cmocka_unit_test(idle_is_parked),  cmocka_unit_test(peer_killed),
		cmocka_unit_test(same_user),       cmocka_unit_test(other_users),
		cmocka_unit_test(tokens),          cmocka_unit_test(other_network),
		cmocka_unit_test(evil_initiator),
	};
	int rc;

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : plat_random();
	printf("seed %#lx\n", (unsigned long)seed);
	if (d_log_init() != 0 || d_log_setmasks("CRIT") != 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	d_log_fini();
	return rc;
}
