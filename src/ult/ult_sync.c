/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Waiting. Every object has a spinlock, held for a few instructions and never across a switch, and
 * a FIFO of waiters that lie on the stacks of those who wait. A plain thread waits on a futex in
 * its waiter, a ULT is suspended.
 *
 * Invariants
 * 1. A waiter is WAITING while on the list. Under the object's lock it becomes WOKEN or TIMEDOUT,
 *    once, and leaves the list.
 * 2. Who makes it WOKEN wakes it after dropping the lock, and touches neither it nor the object
 *    afterwards: the one woken may free both.
 * 3. For the same reason whoever looks at an object's state takes its lock: then the one who set
 *    the state has let go of the object.
 * 4. Mutex and read-write lock pass from hand to hand: the releaser makes the first waiter the
 *    owner, so nobody overtakes.
 */
#include "ult/ult_internal.h"

#include <limits.h>
#include <sched.h>
#include <daos_errno.h>

#define SPIN_BEFORE_YIELD 100

enum waiter_state { WAITER_WAITING, WAITER_WOKEN, WAITER_TIMEDOUT };

struct waiter {
	d_list_t          link;
	struct waiter    *woken_next;
	struct ult       *ult;      /**< NULL: a plain thread */
	enum waiter_state state;    /**< under *obj_lock */
	uint32_t          futex;    /**< 1: a plain thread may go on */
	uint32_t         *obj_lock;
	void             *owner;    /**< what the mutex will be owned by */
	bool              writer;
	struct ult_timer  timer;
};

/** Waiters to wake once the lock is dropped. */
struct woken_list {
	struct waiter  *first;
	struct waiter **last;
};

/* ---- the lock inside ---- */

void
ult_spin_lock(uint32_t *lock)
{
	unsigned spin_nr = 0;

	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) != 0) {
		while (__atomic_load_n(lock, __ATOMIC_RELAXED) != 0) {
			if (++spin_nr % SPIN_BEFORE_YIELD == 0)
				sched_yield(); /* the holder lost its core */
			plat_cpu_relax();
		}
	}
}

void
ult_spin_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

/* ---- waiters ---- */

/** Stands for the caller as an owner: its ULT, or something unique to its thread. */
static void *
self_token(void)
{
	static _Thread_local char thread_token;
	struct ult               *ult = ult_self();

	return ult != NULL ? (void *)ult : (void *)&thread_token;
}

/** With the object's lock held: become the last waiter on @list. */
static void
waiter_enqueue(struct waiter *w, uint32_t *obj_lock, d_list_t *list)
{
	/* The scheduler must not wait: a poller or timer that wants to creates a ULT. */
	D_ASSERT(ult_self() != NULL || ult_xs_self() == NULL);
	*w = (struct waiter){.ult = ult_self(), .obj_lock = obj_lock, .state = WAITER_WAITING};
	d_list_add_tail(&w->link, list);
}

/** With the lock held: @w is to be woken. */
static void
waiter_take(struct waiter *w, struct woken_list *woken)
{
	D_ASSERT(w->state == WAITER_WAITING);
	d_list_del(&w->link);
	w->state = WAITER_WOKEN;
	w->woken_next = NULL;
	if (woken->first == NULL)
		woken->first = w;
	else
		*woken->last = w;
	woken->last = &w->woken_next;
}

static void
waiters_wake(struct woken_list *woken)
{
	struct waiter *w = woken->first;

	while (w != NULL) {
		struct waiter *next = w->woken_next; /* before: afterwards it may be gone */

		if (w->ult != NULL) {
			ult_make_ready(w->ult);
		} else {
			__atomic_store_n(&w->futex, 1, __ATOMIC_RELEASE);
			/* Should the waiter be gone by now, some futex gets a wake-up too many. */
			plat_futex_wake(&w->futex);
		}
		w = next;
	}
}

/** Leave the list for lack of time; false: somebody woke it first. */
static bool
waiter_time_out(struct waiter *w)
{
	bool timed_out;

	ult_spin_lock(w->obj_lock);
	timed_out = w->state == WAITER_WAITING;
	if (timed_out) {
		d_list_del(&w->link);
		w->state = WAITER_TIMEDOUT;
	}
	ult_spin_unlock(w->obj_lock);
	return timed_out;
}

static void
waiter_timer_fired(void *arg)
{
	struct waiter *w = arg;

	if (waiter_time_out(w))
		ult_make_ready(w->ult);
}

static void
waiter_wait_thread(struct waiter *w, uint64_t ns)
{
	uint64_t start_ns = plat_now_ns();

	while (__atomic_load_n(&w->futex, __ATOMIC_ACQUIRE) == 0) {
		uint64_t left_ns = PLAT_WAIT_FOREVER;

		if (ns != ULT_WAIT_FOREVER) {
			uint64_t passed_ns = plat_now_ns() - start_ns;

			if (passed_ns >= ns) {
				if (waiter_time_out(w))
					return;
				ns = ULT_WAIT_FOREVER; /* it is being woken this moment */
				continue;
			}
			left_ns = ns - passed_ns;
		}
		plat_futex_wait(&w->futex, 0, left_ns);
	}
}

/** After the lock was dropped: wait. 0, or -DER_TIMEDOUT. */
static MAY_YIELD int
waiter_wait(struct waiter *w, uint64_t ns)
{
	if (w->ult == NULL) {
		waiter_wait_thread(w, ns);
	} else {
		if (ns != ULT_WAIT_FOREVER) {
			w->timer.fn = waiter_timer_fired;
			w->timer.arg = w;
			ult_timer_arm(&w->timer, ns);
		}
		ult_suspend();
		ult_timer_cancel(&w->timer);
	}
	return w->state == WAITER_TIMEDOUT ? -DER_TIMEDOUT : 0;
}

MAY_YIELD void
ult_sleep_ns(uint64_t ns)
{
	struct ult_eventual never;

	ult_eventual_init(&never);
	(void)!ult_eventual_timedwait(&never, ns, &(int){0});
}

/* ---- eventual ---- */

void
ult_eventual_init(struct ult_eventual *ev)
{
	ev->state = 0;
	ev->lock = 0;
	ev->value = 0;
	d_list_init(&ev->waiters);
}

void
ult_eventual_reset(struct ult_eventual *ev)
{
	ult_spin_lock(&ev->lock);
	D_ASSERT(d_list_empty(&ev->waiters));
	ev->state = 0;
	ult_spin_unlock(&ev->lock);
}

void
ult_eventual_set(struct ult_eventual *ev, int value)
{
	struct woken_list woken = {0};

	ult_spin_lock(&ev->lock);
	D_ASSERT(ev->state == 0);
	ev->state = 1;
	ev->value = value;
	while (!d_list_empty(&ev->waiters))
		waiter_take(d_list_first(&ev->waiters, struct waiter, link), &woken);
	ult_spin_unlock(&ev->lock);
	waiters_wake(&woken);
}

bool
ult_eventual_is_set(struct ult_eventual *ev)
{
	bool set;

	ult_spin_lock(&ev->lock);
	set = ev->state != 0;
	ult_spin_unlock(&ev->lock);
	return set;
}

/** Where a wait might end at once: a simulation lets others run all the same, now and then. */
static MAY_YIELD void
maybe_yield(void)
{
	if (plat_point())
		ult_yield();
}

MAY_YIELD int
ult_eventual_timedwait(struct ult_eventual *ev, uint64_t ns, int *ret_value)
{
	struct waiter w;
	bool          set;
	int           rc;

	maybe_yield();
	ult_spin_lock(&ev->lock);
	set = ev->state != 0;
	if (!set)
		waiter_enqueue(&w, &ev->lock, &ev->waiters);
	ult_spin_unlock(&ev->lock);
	if (!set) {
		rc = waiter_wait(&w, ns);
		if (rc != 0)
			return rc;
	}
	*ret_value = ev->value;
	return 0;
}

MAY_YIELD int
ult_eventual_wait(struct ult_eventual *ev)
{
	int value = 0;

	D_ASSERT(ult_eventual_timedwait(ev, ULT_WAIT_FOREVER, &value) == 0);
	return value;
}

/* ---- mutex ---- */

void
ult_mutex_init(struct ult_mutex *m)
{
	m->lock = 0;
	m->owner = NULL;
	d_list_init(&m->waiters);
}

bool
ult_mutex_trylock(struct ult_mutex *m)
{
	bool locked;

	ult_spin_lock(&m->lock);
	locked = m->owner == NULL;
	if (locked)
		m->owner = self_token();
	ult_spin_unlock(&m->lock);
	return locked;
}

MAY_YIELD void
ult_mutex_lock(struct ult_mutex *m)
{
	void         *self = self_token();
	struct waiter w;
	bool          locked;

	maybe_yield();
	ult_spin_lock(&m->lock);
	D_ASSERT((void *)m->owner != self);
	locked = m->owner == NULL;
	if (locked) {
		m->owner = self;
	} else {
		waiter_enqueue(&w, &m->lock, &m->waiters);
		w.owner = self;
	}
	ult_spin_unlock(&m->lock);
	if (!locked)
		D_ASSERT(waiter_wait(&w, ULT_WAIT_FOREVER) == 0);
}

void
ult_mutex_unlock(struct ult_mutex *m)
{
	struct woken_list woken = {0};
	struct waiter    *w;

	ult_spin_lock(&m->lock);
	D_ASSERT((void *)m->owner == self_token());
	w = d_list_first(&m->waiters, struct waiter, link);
	m->owner = w == NULL ? NULL : w->owner;
	if (w != NULL)
		waiter_take(w, &woken);
	ult_spin_unlock(&m->lock);
	waiters_wake(&woken);
}

/* ---- condition ---- */

void
ult_cond_init(struct ult_cond *c)
{
	c->lock = 0;
	d_list_init(&c->waiters);
}

MAY_YIELD int
ult_cond_timedwait(struct ult_cond *c, struct ult_mutex *m, uint64_t ns)
{
	struct waiter w;
	int           rc;

	ult_spin_lock(&c->lock);
	waiter_enqueue(&w, &c->lock, &c->waiters);
	ult_spin_unlock(&c->lock);
	ult_mutex_unlock(m);
	rc = waiter_wait(&w, ns);
	ult_mutex_lock(m);
	return rc;
}

MAY_YIELD void
ult_cond_wait(struct ult_cond *c, struct ult_mutex *m)
{
	D_ASSERT(ult_cond_timedwait(c, m, ULT_WAIT_FOREVER) == 0);
}

static void
cond_wake(struct ult_cond *c, unsigned max_nr)
{
	struct woken_list woken = {0};

	ult_spin_lock(&c->lock);
	while (max_nr-- > 0 && !d_list_empty(&c->waiters))
		waiter_take(d_list_first(&c->waiters, struct waiter, link), &woken);
	ult_spin_unlock(&c->lock);
	waiters_wake(&woken);
}

void
ult_cond_signal(struct ult_cond *c)
{
	cond_wake(c, 1);
}

void
ult_cond_broadcast(struct ult_cond *c)
{
	cond_wake(c, UINT_MAX);
}

/* ---- read-write lock ---- */

void
ult_rwlock_init(struct ult_rwlock *l)
{
	l->lock = 0;
	l->holders = 0;
	d_list_init(&l->waiters);
}

/** With the lock held: may one more come in? */
static bool
rwlock_admits(const struct ult_rwlock *l, bool writer)
{
	return writer ? l->holders == 0 : l->holders >= 0;
}

static void
rwlock_admit(struct ult_rwlock *l, bool writer)
{
	l->holders = writer ? -1 : l->holders + 1;
}

static MAY_YIELD void
rwlock_lock(struct ult_rwlock *l, bool writer)
{
	struct waiter w;
	bool          locked;

	maybe_yield();
	ult_spin_lock(&l->lock);
	locked = d_list_empty(&l->waiters) && rwlock_admits(l, writer);
	if (locked) {
		rwlock_admit(l, writer);
	} else {
		waiter_enqueue(&w, &l->lock, &l->waiters);
		w.writer = writer;
	}
	ult_spin_unlock(&l->lock);
	if (!locked)
		D_ASSERT(waiter_wait(&w, ULT_WAIT_FOREVER) == 0);
}

MAY_YIELD void
ult_rwlock_rdlock(struct ult_rwlock *l)
{
	rwlock_lock(l, false);
}

MAY_YIELD void
ult_rwlock_wrlock(struct ult_rwlock *l)
{
	rwlock_lock(l, true);
}

void
ult_rwlock_unlock(struct ult_rwlock *l)
{
	struct woken_list woken = {0};
	struct waiter    *w;

	ult_spin_lock(&l->lock);
	D_ASSERT(l->holders != 0);
	l->holders = l->holders < 0 ? 0 : l->holders - 1;
	while ((w = d_list_first(&l->waiters, struct waiter, link)) != NULL &&
	       rwlock_admits(l, w->writer)) {
		rwlock_admit(l, w->writer);
		waiter_take(w, &woken);
	}
	ult_spin_unlock(&l->lock);
	waiters_wake(&woken);
}

/* ---- barrier ---- */

void
ult_barrier_init(struct ult_barrier *b, uint32_t nr)
{
	D_ASSERT(nr > 0);
	b->lock = 0;
	b->nr = nr;
	b->arrived_nr = 0;
	d_list_init(&b->waiters);
}

MAY_YIELD bool
ult_barrier_wait(struct ult_barrier *b)
{
	struct woken_list woken = {0};
	struct waiter     w;
	bool              last;

	maybe_yield();
	ult_spin_lock(&b->lock);
	last = ++b->arrived_nr == b->nr;
	if (last) {
		b->arrived_nr = 0; /* the next round may begin before all have left this one */
		while (!d_list_empty(&b->waiters))
			waiter_take(d_list_first(&b->waiters, struct waiter, link), &woken);
	} else {
		waiter_enqueue(&w, &b->lock, &b->waiters);
	}
	ult_spin_unlock(&b->lock);
	waiters_wake(&woken);
	if (!last)
		D_ASSERT(waiter_wait(&w, ULT_WAIT_FOREVER) == 0);
	return last;
}

/* ---- future ---- */

static void
future_ready(struct ult_future *f)
{
	if (f->done != NULL)
		f->done(f->values, f->arg);
	ult_eventual_set(&f->ready, 0);
}

void
ult_future_init(struct ult_future *f, void **values, uint32_t nr,
		void (*done)(void **values, void *arg), void *arg)
{
	ult_eventual_init(&f->ready);
	f->lock = 0;
	f->nr = nr;
	f->set_nr = 0;
	f->values = values;
	f->done = done;
	f->arg = arg;
	if (nr == 0)
		future_ready(f);
}

void
ult_future_set(struct ult_future *f, void *value)
{
	bool last;

	ult_spin_lock(&f->lock);
	D_ASSERT(f->set_nr < f->nr);
	f->values[f->set_nr++] = value;
	last = f->set_nr == f->nr;
	ult_spin_unlock(&f->lock); /* unless it was the last, another one keeps @f alive */
	if (last)
		future_ready(f);
}

bool
ult_future_is_ready(struct ult_future *f)
{
	return ult_eventual_is_set(&f->ready);
}

MAY_YIELD void
ult_future_wait(struct ult_future *f)
{
	(void)ult_eventual_wait(&f->ready);
}

MAY_YIELD int
ult_future_timedwait(struct ult_future *f, uint64_t ns)
{
	int value;

	return ult_eventual_timedwait(&f->ready, ns, &value);
}
