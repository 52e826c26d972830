/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The scheduler of an xstream.
 *
 * Everything in struct ult_xs up to `handover` belongs to the xstream's own thread. Other threads
 * make a ULT ready by pushing it on `handover`, a lock-free stack that the scheduler takes as a
 * whole and reverses, so wake-ups keep their order; then, if the xstream sleeps, they write its
 * eventfd.
 *
 * Invariants
 * 1. A ULT runs only on its xstream. It is resumed by the scheduler alone, so one that is made
 *    ready before it has switched away is resumed after it has.
 * 2. A ULT is made ready exactly once for each time it blocks; who waits for two things (an event
 *    and a timer) decides under the event's lock which came first.
 * 3. Before it blocks, the scheduler sets `sleeping`, and only then looks at `handover`; a thread
 *    pushes, and only then looks at `sleeping`. One of the two sees the other.
 * 4. A thread that hands over holds a pin from before the push until after the wake-up, and the
 *    xstream is freed only without pins: the ULT handed over may be its last.
 * 5. ult_nr and ult_far_nr together count ULTs created and not ended; the xstream ends when it is
 *    asked to and has none.
 * 6. `current` is the ULT that runs, or the one that just switched to the scheduler. ULTs of one
 *    pool's turn switch to each other directly; one that ends switches to its joiner or to the
 *    scheduler, which alone may touch its stack then.
 * 7. A ULT that is READY and has no fctx has not begun. Who joins it then, of the same xstream and
 *    within its turn, calls it (ult_switch.h): create, run and join cost no more than a call on
 *    another stack. What keeps others from starving is turn_left, which counts each ULT resumed or
 *    begun, but not the return of one that ends to its joiner.
 *
 * Accounts: an xstream that keeps them resumes each ULT from the scheduler, by turns of one: no direct switches, no calls
 * by who joins. So only the scheduler looks at the clock, and one that keeps none pays nothing for it.
 *
 * Spinning: an xstream without work polls for a while before it blocks, as long as that pays
 * (base/spin.h): a busy one up to spin_ns_max, an idle one hardly at all.
 */
#define D_LOGFAC LOG_FAC_ULT
#include "ult/ult_internal.h"

#include "base/log.h"

#define RARE_CYCLE_NR 1024
/* switches of a pool between polls, though fewer were ready; a simulation wants all orders */
#define TURN_NR_MIN   (PLAT_SPIN_PAYS ? 32u : 1u)
#define IDLE_CYCLE_NR 8 /* idle cycles between looks at the clock */

static _Thread_local struct ult_xs *xs_self;

struct ult_xs *
ult_xs_self(void)
{
	return xs_self;
}

struct ult *
ult_self(void)
{
	return xs_self == NULL ? NULL : xs_self->current;
}

/** Counters have one writer. */
static void
xs_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* ---- making ready ---- */

/** What a pool before the one whose turn it is has ready ends that turn. */
static inline void
xs_push(struct ult_xs *xs, struct ult *ult)
{
	enum ult_pool pool = ult->pool;

	ult->state = ULT_READY;
	d_list_add_tail(&ult->link, &xs->ready[pool]);
	xs->ready_nr[pool]++;
	if (UNLIKELY((int)pool < xs->turn_pool))
		xs->turn_left = 0;
}

static inline void
xs_ready(struct ult_xs *xs, struct ult *ult)
{
	D_ASSERT(ult->state == ULT_BLOCKED);
	xs_push(xs, ult);
}

/** Invariant 3. */
void
ult_sched_wake(struct ult_xs *xs)
{
	if (atomic_load(&xs->sleeping) && atomic_exchange(&xs->sleeping, false))
		D_ASSERT(plat_event_set(xs->event_fd));
}

static void
xs_handover(struct ult_xs *xs, struct ult *ult)
{
	struct ult *head;

	atomic_fetch_add(&xs->pin_nr, 1);
	head = atomic_load_explicit(&xs->handover, memory_order_relaxed);
	do {
		ult->handover_next = head;
	} while (!atomic_compare_exchange_weak(&xs->handover, &head, ult));
	ult_sched_wake(xs);
	atomic_fetch_sub(&xs->pin_nr, 1);
}

void
ult_make_ready(struct ult *ult)
{
	struct ult_xs *xs = ult->xs;

	if (xs == xs_self)
		xs_ready(xs, ult);
	else
		xs_handover(xs, ult);
}

/** Take over what other threads made ready, in the order they did. */
static unsigned
xs_handover_take(struct ult_xs *xs)
{
	struct ult *list;
	struct ult *fifo = NULL;
	unsigned    nr = 0;

	if (atomic_load_explicit(&xs->handover, memory_order_relaxed) == NULL)
		return 0;
	list = atomic_exchange(&xs->handover, NULL);
	while (list != NULL) {
		struct ult *next = list->handover_next;

		list->handover_next = fifo;
		fifo = list;
		list = next;
	}
	while (fifo != NULL) {
		struct ult *next = fifo->handover_next;

		xs_ready(xs, fifo);
		fifo = next;
		nr++;
	}
	xs_count(&xs->handover_nr, nr);
	return nr;
}

/* ---- ULTs ---- */

/** A stack from the calling xstream's cache when the size is right, else a new one. */
static struct ult *
ult_alloc(size_t map_bytes)
{
	struct ult_xs *self = xs_self;
	struct ult    *ult;

	if (self == NULL || self->cache == NULL || self->map_bytes != map_bytes)
		return ult_map(map_bytes);
	ult = self->cache;
	self->cache = ult->handover_next;
	self->cache_nr--;
	return ult;
}

static void
ult_release(struct ult *ult)
{
	struct ult_xs *self = xs_self;

	ult_ctx_drop(ult);
	if (self == NULL || self->map_bytes != ult->map_bytes ||
	    self->cache_nr >= ULT_STACK_CACHE_MAX) {
		ult_unmap(ult);
		return;
	}
	ult->handover_next = self->cache;
	self->cache = ult;
	self->cache_nr++;
}

int
ult_create(struct ult_xs *xs, enum ult_pool pool, ult_fn_t fn, void *arg, size_t stack_bytes,
	   struct ult **ret_ult)
{
	struct ult *ult;

	if (xs == NULL)
		xs = xs_self;
	if (xs == NULL || (unsigned)pool >= ULT_POOL_NR || fn == NULL)
		return -DER_INVAL;
	ult = ult_alloc(stack_bytes == 0 ? xs->map_bytes : ult_map_bytes(stack_bytes));
	if (ult == NULL)
		return -DER_NOMEM;
	ult->xs = xs;
	ult->fn = fn;
	ult->arg = arg;
	ult->pool = pool;
	ult->state = ULT_BLOCKED;
	ult->detached = ret_ult == NULL;
	ult->joiner = NULL;
	ult->bill = NULL;
	ult_eventual_init(&ult->ended);
	ult_ctx_init(ult);
	if (ret_ult != NULL)
		*ret_ult = ult;
	if (xs == xs_self) {
		xs->ult_nr++;
		xs_ready(xs, ult);
	} else {
		atomic_fetch_add(&xs->ult_far_nr, 1);
		xs_handover(xs, ult);
	}
	return 0;
}

MAY_YIELD struct ult_ctx *
ult_run(struct ult *ult)
{
	struct ult_xs *xs = ult->xs;
	struct ult    *joiner;

	ult->fn(ult->arg);
	ult->state = ULT_ENDED;
	joiner     = ult->joiner;
	if (joiner == NULL)
		return &xs->ctx;
	xs->ult_nr--; /* the joiner takes care of what is left here */
	xs_count(&xs->switch_nr, 1);
	xs->current   = joiner;
	joiner->state = ULT_RUNNING;
	return &joiner->ctx;
}

/** It has not begun and the caller waits for nothing else: go there now, whoever else is ready. */
static MAY_YIELD void
join_now(struct ult_xs *xs, struct ult *self, struct ult *ult)
{
	d_list_unlink(&ult->link);
	xs->ready_nr[ult->pool]--;
	xs->turn_left--;
	xs_count(&xs->switch_nr, 1);
	self->state = ULT_BLOCKED;
	ult->state  = ULT_RUNNING;
	xs->current = ult;
	ult_ctx_call(&self->ctx, ult);
}

MAY_YIELD void
ult_join(struct ult *ult)
{
	struct ult    *self = ult_self();
	struct ult_xs *xs   = ult->xs;

	D_ASSERT(!ult->detached && ult != self);
	if (self == NULL || self->xs != xs || xs->accounts) {
		ult_eventual_wait(&ult->ended);
	} else if (ult->state != ULT_ENDED) { /* the same thread: it can't end meanwhile */
		ult->joiner = self;
		if (ult->state == ULT_READY && ult->ctx.fctx == NULL && xs->turn_left > 0 && !plat_point())
			join_now(xs, self, ult);
		else
			ult_suspend();
	}
	ult_release(ult);
}

/** Who is next: the first, or in a simulation any, since nobody may rely on the order. */
static struct ult *
xs_pick(struct ult_xs *xs, int pool)
{
	d_list_t *link = xs->ready[pool].next;

	for (uint32_t skip_nr = plat_pick(xs->ready_nr[pool]); skip_nr > 0; skip_nr--)
		link = link->next;
	return d_list_entry(link, struct ult, link);
}

/** Take the next ULT of the pool whose turn it is, all but its count; NULL: the scheduler goes on. */
static inline struct ult *
xs_turn_take(struct ult_xs *xs)
{
	int         pool = xs->turn_pool;
	struct ult *ult;

	if (xs->turn_left == 0 || xs->ready_nr[pool] == 0)
		return NULL;
	ult = xs_pick(xs, pool);
	d_list_unlink(&ult->link);
	xs->turn_left--;
	xs->current = ult;
	ult->state = ULT_RUNNING;
	xs_count(&xs->switch_nr, 1);
	if (ult->ctx.fctx == NULL)
		ult_ctx_make(ult);
	return ult;
}

static inline struct ult *
xs_turn_next(struct ult_xs *xs)
{
	struct ult *ult = xs_turn_take(xs);

	if (ult != NULL)
		xs->ready_nr[xs->turn_pool]--;
	return ult;
}

MAY_YIELD void
ult_suspend(void)
{
	struct ult_xs *xs  = xs_self;
	struct ult    *ult = xs->current;
	struct ult    *next;

	ult->state = ULT_BLOCKED;
	next       = xs_turn_next(xs);
	ult_ctx_switch(&ult->ctx, next != NULL ? &next->ctx : &xs->ctx, false);
}

MAY_YIELD void
ult_yield(void)
{
	struct ult_xs *xs  = xs_self;
	struct ult    *ult = xs == NULL ? NULL : xs->current;
	struct ult    *next;

	if (ult == NULL)
		return;
	next = xs_turn_take(xs); /* not itself: alone, it lets the scheduler poll */
	if (next != NULL && (int)ult->pool == xs->turn_pool) { /* one goes for one that comes */
		ult->state = ULT_READY;
		d_list_add_tail(&ult->link, &xs->ready[xs->turn_pool]);
		ult_ctx_switch(&ult->ctx, &next->ctx, false);
		return;
	}
	if (next != NULL)
		xs->ready_nr[xs->turn_pool]--;
	xs_push(xs, ult);
	ult_ctx_switch(&ult->ctx, next != NULL ? &next->ctx : &xs->ctx, false);
}

/* ---- accounts ---- */

/** What @ult, which runs, has used since it was charged last. */
static void
charge(struct ult_xs *xs, struct ult *ult, uint64_t now)
{
	uint64_t ns = now - xs->charged_ns;

	xs->charged_ns = now;
	xs_count(&xs->run_ns[ult->pool], ns);
	if (ult->bill != NULL)
		*ult->bill += ns;
}

/** From charged_ns on: the few instructions since the one before came back are its. */
static void
account_begin(struct ult_xs *xs, struct ult *ult)
{
	atomic_store_explicit(&xs->run_fn, ult->fn, memory_order_relaxed);
	atomic_store_explicit(&xs->run_since_ns, xs->charged_ns, memory_order_release);
}

static void
account_end(struct ult_xs *xs, struct ult *ult)
{
	uint64_t since = atomic_load_explicit(&xs->run_since_ns, memory_order_relaxed), ran;
	char     name[128];

	charge(xs, ult, plat_now_ns());
	atomic_store_explicit(&xs->run_since_ns, 0, memory_order_release);
	ran = xs->charged_ns - since;
	if (ran > atomic_load_explicit(&xs->run_max_ns, memory_order_relaxed))
		atomic_store_explicit(&xs->run_max_ns, ran, memory_order_relaxed);
	if (LIKELY(xs->long_ns == 0 || ran < xs->long_ns))
		return;
	ult_fn_name(ult->fn, name, sizeof(name));
	D_WARN("xstream %s: a ULT (%s) kept it for %lu ms without giving way; all others there waited", xs->name, name,
	       (unsigned long)(ran / NSEC_PER_MSEC));
}

void
ult_bill(uint64_t *ns)
{
	struct ult *ult = ult_self();

	D_ASSERT(ult != NULL);
	if (ult->xs->accounts)
		charge(ult->xs, ult, plat_now_ns());
	ult->bill = ns;
}

/** On the scheduler: run @ult, and those it and its successors hand over to, until one ends or none is next. */
static MAY_YIELD void
xs_run_ult(struct ult_xs *xs, struct ult *ult)
{
	ult_ctx_switch(&xs->ctx, &ult->ctx, false);
	ult = xs->current; /* the one that came back */
	xs->current = NULL;
	if (UNLIKELY(xs->accounts))
		account_end(xs, ult);
	if (ult->state != ULT_ENDED)
		return;
	xs->ult_nr--;
	if (ult->detached)
		ult_release(ult);
	else
		ult_eventual_set(&ult->ended, 0);
}

/* ---- pollers ---- */

void
ult_poller_add(struct ult_poller *poller)
{
	D_ASSERT(xs_self != NULL);
	d_list_add_tail(&poller->link, &xs_self->pollers);
	if (poller->fd >= 0)
		D_ASSERT(plat_pollset_add(xs_self->pollset_fd, poller->fd, poller) == 0);
}

void
ult_poller_del(struct ult_poller *poller)
{
	struct ult_xs *xs = xs_self;

	D_ASSERT(xs != NULL);
	if (xs->poller_next == poller)
		xs->poller_next = d_list_entry(poller->link.next, struct ult_poller, link);
	d_list_del(&poller->link);
	/* The owner may have closed the descriptor already: then the kernel has forgotten it. */
	if (poller->fd >= 0)
		plat_pollset_del(xs->pollset_fd, poller->fd);
}

/** Pollers may add and delete pollers, themselves included. */
static unsigned
xs_poll(struct ult_xs *xs)
{
	struct ult_poller *poller = d_list_entry(xs->pollers.next, struct ult_poller, link);
	unsigned           nr = 0;

	while (&poller->link != &xs->pollers) {
		int n;

		xs->poller_next = d_list_entry(poller->link.next, struct ult_poller, link);
		if (!poller->rare || poller->readable || xs->cycle_nr % RARE_CYCLE_NR == 0) {
			poller->readable = false;
			n = poller->poll(poller->arg);
			nr += MAX_OF(n, 0);
		}
		poller = xs->poller_next;
	}
	xs->poller_next = NULL;
	return nr;
}

static bool
xs_pollers_arm(struct ult_xs *xs)
{
	struct ult_poller *poller;

	d_list_for_each(poller, &xs->pollers, link) {
		if (poller->arm != NULL && !poller->arm(poller->arg))
			return false;
	}
	return true;
}

/* ---- the cycle ---- */

static bool
before_is_ready(const struct ult_xs *xs, int pool)
{
	while (pool-- > 0)
		if (xs->ready_nr[pool] > 0)
			return true;
	return false;
}

/** A pool's turn, each ULT from the scheduler and back to it: they hand over to nobody, so each has its own account. */
static MAY_YIELD void
xs_turn_accounted(struct ult_xs *xs, int pool)
{
	uint32_t    left = xs->turn_left;
	struct ult *ult;

	xs->charged_ns = plat_now_ns();
	do {
		xs->turn_left = 1;
		ult = xs_turn_next(xs);
		account_begin(xs, ult);
		xs_run_ult(xs, ult);
	} while (--left > 0 && xs->ready_nr[pool] > 0 && !before_is_ready(xs, pool));
}

/**
 * Each pool once round: what becomes ready meanwhile waits for the next cycle, unless the round is
 * shorter than TURN_NR_MIN. A pool's round ends when one before it gets something, but not before it
 * has begun: so those before come first, and nobody starves who waits behind one that yields for ever.
 */
static MAY_YIELD unsigned
xs_run_ready(struct ult_xs *xs)
{
	uint64_t    begin_nr = atomic_load_explicit(&xs->switch_nr, memory_order_relaxed);
	struct ult *ult;

	for (int pool = 0; pool < ULT_POOL_NR; pool++) {
		if (xs->ready_nr[pool] == 0)
			continue;
		xs->turn_pool = pool;
		xs->turn_left = MAX_OF(xs->ready_nr[pool], TURN_NR_MIN);
		if (xs->accounts)
			xs_turn_accounted(xs, pool);
		else
			while ((ult = xs_turn_next(xs)) != NULL)
				xs_run_ult(xs, ult);
	}
	xs->turn_pool = 0;
	xs->turn_left = 0;
	return atomic_load_explicit(&xs->switch_nr, memory_order_relaxed) - begin_nr;
}

static bool
xs_has_ready(struct ult_xs *xs)
{
	return xs->ready_nr[ULT_POOL_NET] + xs->ready_nr[ULT_POOL_IO] +
		       xs->ready_nr[ULT_POOL_GENERIC] > 0;
}

static MAY_YIELD unsigned
xs_cycle(struct ult_xs *xs)
{
	unsigned nr = xs_run_ready(xs);

	xs_count(&xs->cycle_nr, 1);
	nr += xs_poll(xs);
	nr += ult_timers_run(xs);
	nr += xs_handover_take(xs);
	return nr;
}

static bool
xs_may_end(struct ult_xs *xs)
{
	return atomic_load(&xs->stopping) && xs->ult_nr + atomic_load(&xs->ult_far_nr) == 0;
}

/** @timeout_ns may be ULT_WAIT_FOREVER. */
static void
xs_wait(struct ult_xs *xs, uint64_t timeout_ns)
{
	void *ptrs[PLAT_POLLSET_EVENT_MAX];
	int   nr = plat_pollset_wait(xs->pollset_fd, timeout_ns, ptrs, ARRAY_NR(ptrs));

	for (int i = 0; i < nr; i++) {
		if (ptrs[i] == NULL)
			(void)plat_event_clear(xs->event_fd);
		else
			((struct ult_poller *)ptrs[i])->readable = true;
	}
}

/** Block until there is work, unless some is seen on the way in. */
static void
xs_block(struct ult_xs *xs)
{
	uint64_t start_ns;
	uint64_t timeout_ns;

	atomic_store(&xs->sleeping, true);
	if (atomic_load(&xs->handover) == NULL && !xs_may_end(xs) && xs_pollers_arm(xs) &&
	    !xs_has_ready(xs)) {
		timeout_ns = ult_timers_next_ns(xs);
		start_ns = plat_now_ns();
		xs_count(&xs->block_nr, 1);
		if (timeout_ns > 0)
			xs_wait(xs, timeout_ns);
		d_spin_slept(&xs->spin, plat_now_ns() - start_ns);
	}
	atomic_store(&xs->sleeping, false);
}

static MAY_YIELD void
xs_loop(struct ult_xs *xs)
{
	uint64_t idle_since_ns = 0;
	uint32_t idle_nr       = 0;

	while (!xs_may_end(xs)) {
		if (xs_cycle(xs) > 0) {
			plat_turn();
			if (idle_since_ns != 0)
				d_spin_paid(&xs->spin);
			idle_since_ns = 0;
			continue;
		}
		if (idle_since_ns != 0 && ++idle_nr % IDLE_CYCLE_NR != 0 && xs->spin.ns != 0)
			continue;
		if (idle_since_ns == 0)
			idle_since_ns = plat_now_ns();
		if (plat_now_ns() - idle_since_ns >= xs->spin.ns) {
			xs_block(xs);
			idle_since_ns = 0;
		}
	}
}

MAY_YIELD void
ult_sched_run(struct ult_xs *xs)
{
	ult_ctx_thread(&xs->ctx);
	xs_self = xs;
	xs_loop(xs);
	xs_self = NULL;
}
