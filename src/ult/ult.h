/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * User-level threads. An xstream is one OS thread running a scheduler; a ULT is a stack and a
 * context that lives on one xstream from creation to end. ULTs of one xstream never run at the same
 * time and are never preempted: between two MAY_YIELD calls a ULT has its xstream to itself.
 *
 * One scheduler cycle: run what is ready (net, io, generic, in that order, each pool once round),
 * poll the pollers, fire timers, take over what other threads handed in. When a cycle did nothing
 * it spins for a bounded time that adapts to the arrival rate, then blocks on the pollers'
 * descriptors, the hand-over eventfd and the next timer.
 */
#pragma once

#include "base/list.h"

struct ult;
struct ult_xs;

enum ult_pool { ULT_POOL_NET, ULT_POOL_IO, ULT_POOL_GENERIC, ULT_POOL_NR };
typedef void (*ult_fn_t)(void *arg);

#define ULT_STACK_BYTES_DEFAULT (64 * 1024)
#define ULT_WAIT_FOREVER        UINT64_MAX

/* ---- xstreams ---- */

struct ult_xs_attr {
	const char *name;           /**< at most 15 characters; borrowed during the call */
	size_t      stack_bytes;    /**< 0: ULT_STACK_BYTES_DEFAULT */
	int         core;           /**< -1: not bound; where binding is refused a note is logged */
	uint64_t    spin_ns_max;    /**< longest spin before blocking; 0: default (50 us) */
	uint32_t    stack_nr;       /**< stacks made before the first ULT needs one; at most ULT_STACK_CACHE_MAX */
	bool        accounts;       /**< measure what ULTs use: a look at the clock each time one runs, and one for each turn of a pool */
	uint64_t    long_ns;        /**< with accounts: a ULT that ran so long without giving way is told of in the log; 0: none */
};

/**
 * Start an xstream in a thread of its own; @init runs there as its first ULT.
 * It runs until ult_xs_stop().
 */
int  ult_xs_create(const struct ult_xs_attr *attr, ult_fn_t init, void *arg,
		   struct ult_xs **ret_xs) MUST_CHECK;
/** Ask it to stop once no ULT is left, join and free it. Called by another thread. */
void ult_xs_stop(struct ult_xs *xs);
/** Be an xstream on the calling thread: run @fn as a ULT, return when it and all others ended. */
MAY_YIELD int ult_xs_run(const struct ult_xs_attr *attr, ult_fn_t fn, void *arg) MUST_CHECK;
/** The xstream of the calling thread, or NULL. */
struct ult_xs *ult_xs_self(void);
/** One pointer for the xstream's owner (the engine's per-xstream record). */
void  ult_xs_set_data(struct ult_xs *xs, void *data);
void *ult_xs_get_data(struct ult_xs *xs);

/** What the scheduler did so far; counted by the xstream, readable anywhere. */
struct ult_xs_stats {
	uint64_t cycle_nr;    /**< rounds of the scheduler */
	uint64_t switch_nr;   /**< switches into a ULT */
	uint64_t block_nr;    /**< times it gave the CPU up */
	uint64_t handover_nr; /**< ULTs made ready by other threads */
	uint64_t run_ns[ULT_POOL_NR]; /**< with accounts: how long ULTs of each pool ran */
	uint64_t run_max_ns;          /**< and the longest that one did without giving way */
};
void ult_xs_get_stats(struct ult_xs *xs, struct ult_xs_stats *ret_stats);
/**
 * With accounts: which ULT runs now, and since when (plat_now_ns). From any thread.
 * Returns false when none does: the scheduler polls or sleeps.
 */
bool ult_xs_running(struct ult_xs *xs, ult_fn_t *ret_fn, uint64_t *ret_since_ns);
/** A function for people: "daos_engine+0x1234", as addr2line takes it, or its name where the linker has one. */
void ult_fn_name(ult_fn_t fn, char *buf, size_t buf_bytes);

/**
 * Something the scheduler polls: a network context, an I/O ring. Embedded in its owner. Added and
 * removed on the xstream itself. The callbacks run on the scheduler, not in a ULT: they never yield,
 * but may create ULTs and set eventuals.
 */
struct ult_poller {
	const char *name;
	int  (*poll)(void *arg); /**< handle what is there; returns the number of events handled */
	bool (*arm)(void *arg);  /**< about to block: make fd signal; false if there is work now. NULL: always true */
	int   fd;                /**< readable when poll has work; -1: polled each cycle, but never wakes a
				  *   blocked xstream: then who makes work must (an eventual, a ULT) */
	bool  rare;              /**< has work so seldom that it is polled when fd is readable, and now and then, not each cycle */
	void *arg;
	bool     readable;       /**< internal, as what follows */
	d_list_t link;
};
void ult_poller_add(struct ult_poller *poller);
void ult_poller_del(struct ult_poller *poller);

/* ---- ULTs ---- */

/**
 * Create a ULT; from any thread, for any xstream (NULL: the calling one).
 * @param stack_bytes  0: the xstream's default
 * @param ret_ult      NULL: detached, freed when it ends; else ended with ult_join()
 * Errors: NOMEM.
 */
int  ult_create(struct ult_xs *xs, enum ult_pool pool, ult_fn_t fn, void *arg, size_t stack_bytes,
		struct ult **ret_ult) MUST_CHECK;
/** Wait for its end and free it. From a ULT of any xstream, or from a plain thread (blocks it). */
MAY_YIELD void ult_join(struct ult *ult);
/** Let others run. Returns at once outside a ULT. */
MAY_YIELD void ult_yield(void);
MAY_YIELD void ult_sleep_ns(uint64_t ns);
struct ult    *ult_self(void); /**< NULL outside a ULT (in the scheduler or a plain thread) */
/**
 * How long the calling ULT runs is added to *@ns from now on, if its xstream accounts; NULL: no more. *@ns belongs to that
 * xstream and outlives the bill.
 */
void ult_bill(uint64_t *ns);

/* ---- waiting; every wait may be timed, ns relative; -DER_TIMEDOUT ---- */

/** Set once by anybody (any thread, scheduler included), waited for by any number of ULTs, or by plain threads. */
struct ult_eventual {
	uint32_t state;
	uint32_t lock;
	int      value;
	d_list_t waiters;
};
void ult_eventual_init(struct ult_eventual *ev);
void ult_eventual_set(struct ult_eventual *ev, int value);
bool ult_eventual_is_set(struct ult_eventual *ev);
void ult_eventual_reset(struct ult_eventual *ev); /**< nobody may be waiting */
/** Returns the value that was set. */
MAY_YIELD int ult_eventual_wait(struct ult_eventual *ev);
/** 0 and *ret_value, or -DER_TIMEDOUT. */
MAY_YIELD int ult_eventual_timedwait(struct ult_eventual *ev, uint64_t ns, int *ret_value) MUST_CHECK;

/** Usable by ULTs of several xstreams; FIFO. */
struct ult_mutex {
	uint32_t    lock;
	struct ult *owner;
	d_list_t    waiters;
};
void ult_mutex_init(struct ult_mutex *m);
MAY_YIELD void ult_mutex_lock(struct ult_mutex *m);
bool ult_mutex_trylock(struct ult_mutex *m);
void ult_mutex_unlock(struct ult_mutex *m);

struct ult_cond {
	uint32_t lock;
	d_list_t waiters;
};
void ult_cond_init(struct ult_cond *c);
MAY_YIELD void ult_cond_wait(struct ult_cond *c, struct ult_mutex *m);
MAY_YIELD int  ult_cond_timedwait(struct ult_cond *c, struct ult_mutex *m, uint64_t ns) MUST_CHECK;
void ult_cond_signal(struct ult_cond *c);
void ult_cond_broadcast(struct ult_cond *c);

/** Readers share, a waiting writer holds back new readers. */
struct ult_rwlock {
	uint32_t lock;
	int      holders; /**< readers, or -1 for a writer */
	d_list_t waiters;
};
void ult_rwlock_init(struct ult_rwlock *l);
MAY_YIELD void ult_rwlock_rdlock(struct ult_rwlock *l);
MAY_YIELD void ult_rwlock_wrlock(struct ult_rwlock *l);
void ult_rwlock_unlock(struct ult_rwlock *l);

/** All of a fixed number come together, over and over. For ULTs of several xstreams, and plain threads. */
struct ult_barrier {
	uint32_t lock;
	uint32_t nr;
	uint32_t arrived_nr;
	d_list_t waiters;
};
/** @nr at least 1. */
void ult_barrier_init(struct ult_barrier *b, uint32_t nr);
/** Returns when @nr have called it: true to one of them, the last to come. Whoever returns may free it once all have. */
MAY_YIELD bool ult_barrier_wait(struct ult_barrier *b);

/** Several values, each set by anybody, waited for together. */
struct ult_future {
	struct ult_eventual ready;
	uint32_t            lock;
	uint32_t            nr;
	uint32_t            set_nr;
	void              **values;
	void              (*done)(void **values, void *arg);
	void               *arg;
};
/**
 * @param values  [nr], borrowed; filled in the order in which they are set
 * @param done    NULL or: called by who sets the last value, before anybody who waits goes on; must not yield
 * With @nr 0 it is ready, and @done is called, at once.
 */
void ult_future_init(struct ult_future *f, void **values, uint32_t nr,
		     void (*done)(void **values, void *arg), void *arg);
/** At most nr times; from a thread, a ULT or the scheduler. */
void ult_future_set(struct ult_future *f, void *value);
bool ult_future_is_ready(struct ult_future *f);
MAY_YIELD void ult_future_wait(struct ult_future *f);
MAY_YIELD int  ult_future_timedwait(struct ult_future *f, uint64_t ns) MUST_CHECK;

/** Run a blocking function on a helper OS thread and wait for it; the value is fn's. */
MAY_YIELD int ult_offload(int (*fn)(void *arg), void *arg);

/**
 * Timers of the calling xstream: fn runs on the scheduler, must not yield. Zeroed, then fn and arg
 * set, it is ready to be armed; arming needs no memory. Armed and cancelled on one xstream.
 */
struct ult_timer {
	uint64_t          at_ns; /**< monotonic */
	void            (*fn)(void *arg);
	void             *arg;
	struct ult_xs    *xs;    /**< internal, as all below; NULL: not armed */
	struct ult_timer *child; /**< first child in the pairing heap */
	struct ult_timer *next;  /**< next sibling */
	struct ult_timer *prev;  /**< previous sibling, or the parent of a first child */
};
/** Arming an armed timer moves it. */
void ult_timer_arm(struct ult_timer *t, uint64_t delay_ns);
/** Harmless when not armed. */
void ult_timer_cancel(struct ult_timer *t);
/**
 * For a poller's arm: the xstream must be awake again at @at_ns (monotonic; UINT64_MAX: need not).
 * Returns false when that is now: it may not block.
 */
bool ult_timer_wake_at(struct ult_timer *t, uint64_t at_ns);
