/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What simulated threads block on: descriptors, futexes, and the locks of pthread, which the linker's --wrap sends here.
 *
 * A descriptor is an event, an alarm or a set. It is in at most one set, so readiness travels up a chain. Waiters of
 * addresses (futexes, conditions, mutexes) are in buckets by address, in the order they came.
 *
 * A pthread mutex belongs to a simulated thread here, so its memory is used our way: see struct sim_mutex. All zeroes,
 * as PTHREAD_MUTEX_INITIALIZER has it, is a free one that is not recursive.
 */
#include "platform/platform_sim_int.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define FD_FIRST  1000 /* never the kernel's */
#define BUCKET_NR 1024u

enum fd_kind { FD_FREE, FD_EVENT, FD_ALARM, FD_SET };

struct sim_fd {
	enum fd_kind       kind;
	bool               ready;
	uint32_t           node;
	int                set;     /* the set it is in, or -1 */
	void              *ptr;     /* what the set calls it */
	d_list_t           members; /* of a set */
	d_list_t           link;    /* in its set */
	struct psim_thread *waiter;
	struct psim_event  alarm;
	int                next_free;
};

static struct {
	struct sim_fd **fds; /* one by one: they hold lists and events, and must not move */
	int             nr, max, free_head;
	d_list_t        buckets[BUCKET_NR];
	bool            inited;
} ws;

static void
ws_init(void)
{
	for (uint32_t i = 0; i < BUCKET_NR; i++)
		d_list_init(&ws.buckets[i]);
	ws.free_head = -1;
	ws.inited = true;
}

/* ---- descriptors ---- */

static struct sim_fd *
fd_of(int fd)
{
	D_ASSERT(fd >= FD_FIRST && fd - FD_FIRST < ws.nr);
	return ws.fds[fd - FD_FIRST];
}

static void
fds_grow(void)
{
	struct sim_fd **grown;

	if (ws.nr < ws.max)
		return;
	grown = psim_world_alloc((size_t)(ws.max * 2 + 256) * sizeof(*grown));
	if (ws.nr > 0)
		memcpy(grown, ws.fds, (size_t)ws.nr * sizeof(*grown));
	psim_world_free(ws.fds);
	ws.fds = grown;
	ws.max = ws.max * 2 + 256;
}

static int
fd_open(enum fd_kind kind)
{
	struct sim_fd *f;
	int            at;

	if (!ws.inited)
		ws_init();
	at = ws.free_head;
	if (at >= 0) {
		ws.free_head = ws.fds[at]->next_free;
	} else {
		fds_grow();
		at = ws.nr++;
		ws.fds[at] = psim_world_alloc(sizeof(*f));
	}
	f = ws.fds[at];
	*f = (struct sim_fd){.kind = kind, .node = psim_node_self(), .set = -1};
	d_list_init(&f->members);
	d_list_init(&f->link);
	return at + FD_FIRST;
}

/** It became readable: whoever waits for it or for a set it is in goes on. */
static void
fd_tell(struct sim_fd *f)
{
	for (;;) {
		if (f->waiter != NULL) {
			struct psim_thread *waiter = f->waiter;

			f->waiter = NULL;
			psim_wake(waiter);
		}
		if (f->set < 0)
			return;
		f = fd_of(f->set);
	}
}

static bool
fd_ready(struct sim_fd *f)
{
	struct sim_fd *m;

	if (f->kind != FD_SET)
		return f->ready;
	d_list_for_each(m, &f->members, link) {
		if (fd_ready(m))
			return true;
	}
	return false;
}

static void
fd_leave(struct sim_fd *f)
{
	if (f->set >= 0)
		d_list_del(&f->link);
	f->set = -1;
}

void
plat_fd_close(int fd)
{
	struct sim_fd *f, *m;

	if (fd < 0)
		return;
	f = fd_of(fd);
	D_ASSERT(f->kind != FD_FREE);
	fd_leave(f);
	while ((m = d_list_first(&f->members, struct sim_fd, link)) != NULL)
		fd_leave(m);
	psim_event_cancel(&f->alarm);
	f->kind = FD_FREE;
	f->waiter = NULL;
	f->next_free = ws.free_head;
	ws.free_head = fd - FD_FIRST;
}

void
psim_fds_drop(uint32_t node)
{
	for (int i = 0; i < ws.nr; i++)
		if (ws.fds[i]->kind != FD_FREE && ws.fds[i]->node == node)
			plat_fd_close(i + FD_FIRST);
}

int
plat_event_open(void)
{
	return fd_open(FD_EVENT);
}

bool
plat_event_set(int fd)
{
	struct sim_fd *f = fd_of(fd);

	D_ASSERT(f->kind == FD_EVENT);
	f->ready = true;
	fd_tell(f);
	return true;
}

void
psim_fd_signal(int fd)
{
	(void)plat_event_set(fd);
}

bool
plat_event_clear(int fd)
{
	struct sim_fd *f = fd_of(fd);
	bool           ready = f->ready;

	f->ready = false;
	return ready;
}

static void
alarm_due(void *arg)
{
	struct sim_fd *f = arg;

	f->ready = true;
	fd_tell(f);
}

int
plat_alarm_open(void)
{
	return fd_open(FD_ALARM);
}

bool
plat_alarm_set(int fd, uint64_t at_ns)
{
	struct sim_fd *f = fd_of(fd);

	D_ASSERT(f->kind == FD_ALARM);
	f->ready = false;
	f->alarm.fn = alarm_due;
	f->alarm.arg = f;
	psim_event_at(&f->alarm, psim_world_ns(f->node, at_ns));
	return true;
}

bool
plat_alarm_clear(int fd)
{
	return plat_event_clear(fd);
}

int
plat_pollset_open(void)
{
	return fd_open(FD_SET);
}

int
plat_pollset_add(int set, int fd, void *ptr)
{
	struct sim_fd *s = fd_of(set);
	struct sim_fd *f = fd_of(fd);

	D_ASSERT(s->kind == FD_SET && f->kind != FD_FREE && f->set < 0 && s->node == f->node);
	f->set = set;
	f->ptr = ptr;
	d_list_add_tail(&f->link, &s->members);
	if (fd_ready(f))
		fd_tell(f);
	return 0;
}

void
plat_pollset_del(int set, int fd)
{
	struct sim_fd *f = fd_of(fd);

	if (f->kind != FD_FREE && f->set == set)
		fd_leave(f);
}

static void
fds_wait(struct sim_fd **fs, int nr, uint64_t timeout_ns)
{
	for (int i = 0; i < nr; i++) {
		if (fd_ready(fs[i]))
			return;
	}
	if (timeout_ns == 0)
		return;
	for (int i = 0; i < nr; i++) {
		D_ASSERT(fs[i]->waiter == NULL);
		fs[i]->waiter = psim_self();
	}
	(void)psim_wait(timeout_ns);
	for (int i = 0; i < nr; i++)
		fs[i]->waiter = NULL;
}

int
plat_pollset_wait(int set, uint64_t timeout_ns, void **ret_ptrs, int nr_max)
{
	struct sim_fd *s = fd_of(set);
	struct sim_fd *m;
	int            nr = 0;

	fds_wait(&s, 1, timeout_ns);
	d_list_for_each(m, &s->members, link) {
		if (nr < nr_max && fd_ready(m))
			ret_ptrs[nr++] = m->ptr;
	}
	return nr;
}

void
plat_fds_wait(const int *fds, int nr, uint64_t timeout_ns)
{
	struct sim_fd *fs[PLAT_FDS_WAIT_MAX];

	D_ASSERT(nr <= PLAT_FDS_WAIT_MAX);
	for (int i = 0; i < nr; i++)
		fs[i] = fd_of(fds[i]);
	fds_wait(fs, nr, timeout_ns);
}

/* ---- addresses ---- */

static d_list_t *
bucket_of(const void *addr)
{
	if (!ws.inited)
		ws_init();
	return &ws.buckets[(uint64_t)((uintptr_t)addr >> 2) * 0x9e3779b97f4a7c15ULL >> 54];
}

void
psim_wait_cancel(struct psim_thread *thread)
{
	if (thread->wait_addr == NULL)
		return;
	d_list_del(&thread->wait_link);
	d_list_init(&thread->wait_link);
	thread->wait_addr = NULL;
}

static void
addr_enqueue(const void *addr)
{
	struct psim_thread *self = psim_self();

	self->wait_addr = addr;
	d_list_add_tail(&self->wait_link, bucket_of(addr));
}

static bool
addr_wait(const void *addr, uint64_t timeout_ns)
{
	addr_enqueue(addr);
	return psim_wait(timeout_ns);
}

static bool
addr_wake_one(const void *addr)
{
	struct psim_thread *thread;

	d_list_for_each(thread, bucket_of(addr), wait_link) {
		if (thread->wait_addr == addr) {
			psim_wake(thread);
			return true;
		}
	}
	return false;
}

void
plat_futex_wait(uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	if (*word == value && timeout_ns > 0)
		(void)addr_wait(word, timeout_ns);
}

void
plat_futex_wake(uint32_t *word)
{
	(void)addr_wake_one(word);
}

/* ---- pthread's locks ---- */

struct sim_mutex {
	uint32_t owner; /* thread id; 0: free */
	uint32_t depth;
	uint32_t recursive;
	uint32_t waiter_nr;
};
_Static_assert(sizeof(struct sim_mutex) <= sizeof(pthread_mutex_t), "our mutex lies in pthread's");

int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr);
int __wrap_pthread_cond_destroy(pthread_cond_t *c);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *at);
int __wrap_pthread_cond_signal(pthread_cond_t *c);
int __wrap_pthread_cond_broadcast(pthread_cond_t *c);

/** The loop itself may lock, too, as thread "all ones": it never waits, and nobody runs meanwhile. */
static uint32_t
self_id(void)
{
	return psim_self() == NULL ? UINT32_MAX : psim_self()->id;
}

int
__wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
	struct sim_mutex *sm = (struct sim_mutex *)m;
	int               type = PTHREAD_MUTEX_DEFAULT;

	if (attr != NULL)
		(void)pthread_mutexattr_gettype(attr, &type);
	memset(m, 0, sizeof(*m));
	sm->recursive = type == PTHREAD_MUTEX_RECURSIVE;
	return 0;
}

int
__wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
	D_ASSERT(((struct sim_mutex *)m)->owner == 0);
	return 0;
}

int
__wrap_pthread_mutex_trylock(pthread_mutex_t *m)
{
	struct sim_mutex *sm = (struct sim_mutex *)m;

	if (sm->owner != 0 && (sm->owner != self_id() || !sm->recursive))
		return EBUSY;
	sm->owner = self_id();
	sm->depth++;
	return 0;
}

int
__wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	struct sim_mutex *sm = (struct sim_mutex *)m;

	while (__wrap_pthread_mutex_trylock(m) != 0) {
		D_ASSERT(sm->owner != self_id() && psim_self() != NULL);
		sm->waiter_nr++;
		(void)addr_wait(m, PLAT_WAIT_FOREVER);
		sm->waiter_nr--;
	}
	return 0;
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	struct sim_mutex *sm = (struct sim_mutex *)m;

	D_ASSERT(sm->owner == self_id() && sm->depth > 0);
	if (--sm->depth > 0)
		return 0;
	sm->owner = 0;
	if (sm->waiter_nr > 0)
		(void)addr_wake_one(m);
	return 0;
}

int
__wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr)
{
	memset(c, 0, sizeof(*c));
	return 0;
}

int
__wrap_pthread_cond_destroy(pthread_cond_t *c)
{
	return 0;
}

static int
cond_wait(pthread_cond_t *c, pthread_mutex_t *m, uint64_t timeout_ns)
{
	struct sim_mutex *sm = (struct sim_mutex *)m;
	uint32_t          depth = sm->depth;
	bool              woken;

	D_ASSERT(sm->owner == self_id());
	addr_enqueue(c);
	sm->depth = 1;
	__wrap_pthread_mutex_unlock(m);
	woken = psim_wait(timeout_ns);
	__wrap_pthread_mutex_lock(m);
	sm->depth = depth;
	return woken ? 0 : ETIMEDOUT;
}

int
__wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	return cond_wait(c, m, PLAT_WAIT_FOREVER);
}

/** All conditions of ours use the monotonic clock. */
int
__wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *at)
{
	uint64_t at_ns = at->tv_sec * NSEC_PER_SEC + at->tv_nsec;
	uint64_t now_ns = plat_now_ns();

	return at_ns <= now_ns ? ETIMEDOUT : cond_wait(c, m, at_ns - now_ns);
}

int
__wrap_pthread_cond_signal(pthread_cond_t *c)
{
	(void)addr_wake_one(c);
	return 0;
}

int
__wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
	while (addr_wake_one(c))
		;
	return 0;
}
