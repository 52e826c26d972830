/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Serving: how requests of the kernel meet the threads that answer them.
 *
 * A worker is an xstream. Its scheduler polls the FUSE device and the network side by side; each
 * request becomes a ULT, which calls libdfs as if it could block and is suspended while an engine
 * works. So one thread serves as many requests as there are under way, without switches between
 * threads: on the way from the kernel to the engine and back no other thread of this process is woken.
 *
 * Invariants:
 *   1. A request, its buffer and its ULT stay on the worker that read it.
 *   2. At most REQ_NR_MAX requests of a worker are under way; until one ends no more are read.
 *   3. The session ends once, whoever notices first: a reader that finds the mount gone, or a signal.
 *
 * The kernel is asked to leave clearing of set-user-ID bits to us (FUSE_HANDLE_KILLPRIV_V2), since else
 * it asks for an extended attribute before every write. libfuse 3.14 knows neither the capability nor
 * the flags, so both are taken from the messages here.
 */
#include "dfuse/dfuse.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include "dc/dc.h"
#include "platform/platform.h"
#include "ult/ult.h"

#define WORKER_NR_MAX   32
#define REQ_NR_MAX      128
#define READ_BATCH_NR   16
#define FREE_NR_MAX     32 /* buffers kept for later, of each kind */
#define STACK_BYTES     (128 * 1024)
#define GRACE_NS        (10ULL * 1000000000)

struct loop;

struct request {
	struct request *next; /* while free */
	struct worker  *worker;
	struct fuse_buf buf;
};

struct io_buf {
	struct io_buf *next;
};

struct worker {
	struct loop        *loop;
	struct ult_xs      *xs;
	struct ult_poller   poller;
	struct request     *parked; /* was read when there was no memory for its stack */
	struct request     *free_reqs;
	struct io_buf      *free_bufs;
	unsigned            free_req_nr, free_buf_nr, running_nr;
	struct ult_eventual end;  /* of reading */
	struct ult_eventual idle; /* set when the last request ends, once reading has ended */
	bool                ended;
	bool                reading; /* the device is polled */
	int                 rc;
};

struct loop {
	struct dfuse     *d;
	struct client    *client;
	struct ult_poller signals;
	int               fd; /* of the session */
	int               signal_fd;
	unsigned          worker_nr;
	_Atomic bool      ended; /* invariant 3 */
	struct worker     workers[WORKER_NR_MAX];
};

static void
loop_end(struct loop *loop)
{
	if (atomic_exchange(&loop->ended, true))
		return;
	fuse_session_exit(loop->d->session);
	for (unsigned i = 0; i < loop->worker_nr; i++)
		ult_eventual_set(&loop->workers[i].end, 0);
}

/* ---- messages as the kernel sees them ---- */

static ssize_t
io_read(int fd, void *buf, size_t bytes, void *userdata)
{
	struct dfuse                *d   = userdata;
	const struct fuse_in_header *hdr = buf;
	const struct fuse_init_in   *in  = (const struct fuse_init_in *)(hdr + 1);
	ssize_t                      got = read(fd, buf, bytes);

	if (got >= (ssize_t)(sizeof(*hdr) + sizeof(*in)) && hdr->opcode == FUSE_INIT &&
	    (in->flags & FUSE_HANDLE_KILLPRIV_V2))
		d->init_unique = hdr->unique;
	return got;
}

static ssize_t
io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct dfuse                 *d   = userdata;
	const struct fuse_out_header *hdr = iov[0].iov_base;

	if (UNLIKELY(d->init_unique != 0) && hdr->unique == d->init_unique) {
		d->init_unique = 0;
		if (count == 2 && hdr->error == 0) {
			((struct fuse_init_out *)iov[1].iov_base)->flags |= FUSE_HANDLE_KILLPRIV_V2;
			d->kills_priv = true;
		}
	}
	return writev(fd, iov, count);
}

int
dfuse_io_hook(struct dfuse *d)
{
	static const struct fuse_custom_io io = {.read = io_read, .writev = io_writev};

	return -fuse_session_custom_io(d->session, &io, fuse_session_fd(d->session));
}

/** Does the request take set-user-ID bits away beside what libfuse knows of it? */
static bool
kills_priv(const struct fuse_buf *buf)
{
	const struct fuse_in_header *hdr  = buf->mem;
	const void                  *body = hdr + 1;
	size_t                       room = buf->size - sizeof(*hdr);

	if (buf->size < sizeof(*hdr))
		return false;
	switch (hdr->opcode) {
	case FUSE_WRITE:
		return room >= sizeof(struct fuse_write_in) &&
		       (((const struct fuse_write_in *)body)->write_flags & FUSE_WRITE_KILL_SUIDGID);
	case FUSE_OPEN:
		return room >= sizeof(struct fuse_open_in) &&
		       (((const struct fuse_open_in *)body)->open_flags & FUSE_OPEN_KILL_SUIDGID);
	case FUSE_SETATTR:
		return room >= sizeof(struct fuse_setattr_in) &&
		       (((const struct fuse_setattr_in *)body)->valid &
			(FATTR_KILL_SUIDGID | FATTR_UID | FATTR_GID)) != 0;
	}
	return false;
}

/* ---- requests ---- */

static struct request *
request_get(struct worker *w)
{
	struct request *r = w->free_reqs;

	if (r == NULL) {
		r = calloc(1, sizeof(*r)); /* libfuse allocates the buffer */
		if (r != NULL)
			r->worker = w;
		return r;
	}
	w->free_reqs = r->next;
	w->free_req_nr--;
	return r;
}

static void
request_put(struct request *r)
{
	struct worker *w = r->worker;

	if (w->free_req_nr >= FREE_NR_MAX) {
		free(r->buf.mem);
		free(r);
		return;
	}
	r->next      = w->free_reqs;
	w->free_reqs = r;
	w->free_req_nr++;
}

void *
dfuse_io_buf_get(void)
{
	struct worker *w   = ult_xs_get_data(ult_xs_self());
	struct io_buf *buf = w->free_bufs;
	void          *mem;

	if (buf == NULL)
		return posix_memalign(&mem, 4096, DFUSE_IO_BYTES) == 0 ? mem : NULL;
	w->free_bufs = buf->next;
	w->free_buf_nr--;
	return buf;
}

void
dfuse_io_buf_put(void *mem)
{
	struct worker *w   = ult_xs_get_data(ult_xs_self());
	struct io_buf *buf = mem;

	if (mem == NULL)
		return;
	if (w->free_buf_nr >= FREE_NR_MAX) {
		free(mem);
		return;
	}
	buf->next    = w->free_bufs;
	w->free_bufs = buf;
	w->free_buf_nr++;
}

static void
reading_set(struct worker *w, bool reading)
{
	if (reading == w->reading)
		return;
	if (reading)
		ult_poller_add(&w->poller);
	else
		ult_poller_del(&w->poller);
	w->reading = reading;
}

static MAY_YIELD void
request_run(void *arg)
{
	struct request              *r   = arg;
	struct worker               *w   = r->worker;
	struct dfuse                *d   = w->loop->d;
	const struct fuse_in_header *hdr = r->buf.mem;

	if (d->kills_priv && kills_priv(&r->buf))
		dfuse_priv_kill(d, dfuse_inode_of(d, hdr->nodeid));
	fuse_session_process_buf(d->session, &r->buf);
	request_put(r);
	w->running_nr--;
	if (!w->ended && w->running_nr <= REQ_NR_MAX / 2)
		reading_set(w, true);
	if (w->ended && w->running_nr == 0)
		ult_eventual_set(&w->idle, 0);
}

/** The next request, or the one that is parked. Returns its size, 0: the mount is gone, -EAGAIN: none. */
static int
request_next(struct worker *w, struct request **ret_r)
{
	struct request *r = w->parked;
	int             rc;

	if (r != NULL) {
		w->parked = NULL;
		*ret_r    = r;
		return (int)r->buf.size;
	}
	r = request_get(w);
	if (r == NULL)
		return -EAGAIN;
	rc = fuse_session_receive_buf(w->loop->d->session, &r->buf);
	if (rc > 0)
		*ret_r = r;
	else
		request_put(r);
	return rc == -EINTR ? -EAGAIN : rc;
}

/** What the kernel has for us; on the scheduler. Returns the number of requests. */
static int
requests_read(void *arg)
{
	struct worker  *w = arg;
	struct request *r;
	int             nr = 0, rc = 1;

	while (nr < READ_BATCH_NR && w->running_nr < REQ_NR_MAX && rc > 0) {
		rc = request_next(w, &r);
		if (rc <= 0)
			break;
		if (ult_create(NULL, ULT_POOL_IO, request_run, r, 0, NULL) != 0) {
			w->parked = r; /* tried again; those that run give memory back */
			break;
		}
		w->running_nr++;
		nr++;
	}
	if (rc <= 0 && rc != -EAGAIN) { /* unmounted, or broken */
		w->rc = rc;
		reading_set(w, false);
		loop_end(w->loop);
	} else if (w->running_nr >= REQ_NR_MAX) {
		reading_set(w, false); /* invariant 2: else a device that is ready keeps waking us */
	}
	return nr;
}

/* ---- workers ---- */

static void
worker_free_bufs(struct worker *w)
{
	if (w->parked != NULL)
		request_put(w->parked);
	while (w->free_reqs != NULL) {
		struct request *r = w->free_reqs;

		w->free_reqs = r->next;
		free(r->buf.mem);
		free(r);
	}
	while (w->free_bufs != NULL) {
		struct io_buf *buf = w->free_bufs;

		w->free_bufs = buf->next;
		free(buf);
	}
}

/** Requests under way wait for engines. Who uses the mount is gone: they need not be waited for long. */
static MAY_YIELD void
worker_drain(struct worker *w)
{
	struct dfuse *d = w->loop->d;
	int           ignored;

	if (w->running_nr == 0)
		return;
	if (ult_eventual_timedwait(&w->idle, GRACE_NS, &ignored) == 0)
		return;
	if (d->handle_signals) { /* the program, not a test: nothing is left to be saved */
		D_ERROR("%u requests do not end, engines may be away: given up\n", w->running_nr);
		fuse_session_unmount(d->session);
		_exit(1);
	}
	(void)ult_eventual_wait(&w->idle);
}

static MAY_YIELD void
worker_main(void *arg)
{
	struct worker *w    = arg;
	struct loop   *loop = w->loop;
	int            rc;

	ult_xs_set_data(ult_xs_self(), w);
	rc = client_xs_attach(loop->client);
	if (rc != 0) {
		D_ERROR("a thread cannot reach the network: " DF_RC "\n", DP_RC(rc));
		w->rc = -daos_der2errno(rc);
		loop_end(loop);
		return;
	}
	if (w == loop->workers && loop->signal_fd >= 0)
		ult_poller_add(&loop->signals);
	w->poller = (struct ult_poller){
	    .name = "fuse", .poll = requests_read, .fd = loop->fd, .arg = w};
	reading_set(w, true);
	(void)ult_eventual_wait(&w->end);
	w->ended = true;
	reading_set(w, false);
	if (w == loop->workers && loop->signal_fd >= 0)
		ult_poller_del(&loop->signals);
	worker_drain(w);
	client_xs_detach(loop->client);
	worker_free_bufs(w);
}

/* ---- signals ---- */

static int
signal_seen(void *arg)
{
	struct loop            *loop = arg;
	struct signalfd_siginfo info;

	if (read(loop->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	D_NOTE("ended by signal %u\n", info.ssi_signo);
	loop_end(loop);
	return 1;
}

static int
signals_open(struct loop *loop)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t         set;

	loop->signal_fd = -1;
	if (!loop->d->handle_signals)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (unsigned i = 0; i < ARRAY_NR(ends); i++)
		sigaddset(&set, ends[i]);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return errno;
	loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	loop->signals   = (struct ult_poller){
	      .name = "signals", .poll = signal_seen, .fd = loop->signal_fd, .rare = true, .arg = loop};
	return loop->signal_fd < 0 ? errno : 0;
}

/* ---- all of it ---- */

static unsigned
worker_nr(const struct dfuse_args *args)
{
	if (args->thread_nr != 0)
		return MIN_OF(args->thread_nr, (unsigned)WORKER_NR_MAX);
	return MIN_OF(MAX_OF(plat_core_nr() / 2, 1U), 8U); /* engines and users need cores, too */
}

/** The calling thread is the first worker. */
static MAY_YIELD int
workers_run(struct loop *loop)
{
	struct ult_xs_attr attr = {.name = "dfuse", .stack_bytes = STACK_BYTES, .core = -1};
	int                rc   = 0;

	for (unsigned i = 1; i < loop->worker_nr && rc == 0; i++) {
		rc = ult_xs_create(&attr, worker_main, &loop->workers[i], &loop->workers[i].xs);
		if (rc != 0)
			D_WARN("%u of %u threads started: " DF_RC "\n", i, loop->worker_nr, DP_RC(rc));
	}
	rc = ult_xs_run(&attr, worker_main, &loop->workers[0]);
	loop_end(loop);
	for (unsigned i = 1; i < loop->worker_nr; i++)
		if (loop->workers[i].xs != NULL)
			ult_xs_stop(loop->workers[i].xs);
	return rc == 0 ? -loop->workers[0].rc : daos_der2errno(rc);
}

MAY_YIELD int
dfuse_loop(struct dfuse *d)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int          rc;

	if (loop == NULL)
		return ENOMEM;
	loop->d         = d;
	loop->client    = client_current();
	loop->fd        = fuse_session_fd(d->session);
	loop->worker_nr = worker_nr(&d->args);
	for (unsigned i = 0; i < loop->worker_nr; i++) {
		loop->workers[i].loop = loop;
		ult_eventual_init(&loop->workers[i].end);
		ult_eventual_init(&loop->workers[i].idle);
	}
	rc = signals_open(loop);
	if (rc == 0 && fcntl(loop->fd, F_SETFL, fcntl(loop->fd, F_GETFL) | O_NONBLOCK) != 0)
		rc = errno;
	if (rc == 0)
		rc = workers_run(loop);
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	free(loop);
	return rc == ENOTCONN || rc == ENODEV ? 0 : rc;
}
