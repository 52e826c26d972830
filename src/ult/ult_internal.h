/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the files of this folder share. See ult_sched.c for the theory. */
#pragma once

#include <stdatomic.h>
#include "base/spin.h"
#include "ult/ult.h"
#include "ult/ult_switch.h"
#include "platform/platform.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ULT_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define ULT_TSAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define ULT_ASAN
#endif
#ifdef __SANITIZE_THREAD__
#define ULT_TSAN
#endif

#define ULT_SPIN_NS_DEFAULT  50000ULL
#define ULT_STACK_CACHE_MAX  256
#define ULT_OFFLOAD_NR_MAX   16

/** A point of execution that is not running: a ULT's or its scheduler's. */
struct ult_ctx {
	void       *fctx;
	const void *stack_low;   /**< for AddressSanitizer, as the next three */
	size_t      stack_bytes;
	void       *fake_stack;
	void       *tsan_fiber;
};

enum ult_state { ULT_READY, ULT_RUNNING, ULT_BLOCKED, ULT_ENDED };

/** Lies at the high end of its own stack mapping: a guard page, the stack, this. */
struct ult {
	struct ult_ctx      ctx;
	struct ult_xs      *xs;
	d_list_t            link;          /**< in a ready queue */
	struct ult         *handover_next; /**< in a hand-over or cache list */
	ult_fn_t            fn;
	void               *arg;
	enum ult_pool       pool;
	enum ult_state      state;
	bool                detached;
	struct ult         *joiner;        /**< of the same xstream; others wait for ended */
	uint64_t           *bill;          /**< ult_bill() */
	struct ult_eventual ended;
	char               *map;
	size_t              map_bytes;
	unsigned            valgrind_id;
};

struct ult_offload_pool {
	struct ult_mutex    lock;
	struct ult_cond     work;
	d_list_t            jobs;
	unsigned            thread_nr;
	unsigned            idle_nr;
	bool                stopping;
	struct plat_thread *threads[ULT_OFFLOAD_NR_MAX];
};

struct ult_xs {
	struct ult_ctx           ctx;      /**< the scheduler's own */
	struct ult              *current;  /**< NULL: the scheduler runs */
	d_list_t                 ready[ULT_POOL_NR];
	uint32_t                 ready_nr[ULT_POOL_NR];
	d_list_t                 pollers;
	struct ult_poller       *poller_next; /**< the one after that being polled */
	int                      turn_pool;   /**< whose turn it is */
	uint32_t                 turn_left;   /**< switches left in it */
	uint32_t                 ult_nr;      /**< made by this thread, less all that ended: see ult_far_nr */
	struct ult_timer        *timers;      /**< root of a pairing heap: the earliest */
	struct ult              *cache;       /**< free stacks of the default size */
	uint32_t                 cache_nr;
	size_t                   map_bytes;   /**< mapping of a default stack */
	size_t                   stack_bytes;
	int                      core;
	struct d_spin            spin;
	int                      pollset_fd;
	int                      event_fd;
	void                    *data;
	struct plat_thread      *thread;
	struct ult_offload_pool  offload;
	_Atomic uint64_t         cycle_nr;
	_Atomic uint64_t         switch_nr;
	_Atomic uint64_t         block_nr;
	_Atomic uint64_t         handover_nr;
	bool                     accounts;
	uint32_t                 stack_nr;
	uint64_t                 long_ns;
	uint64_t                 charged_ns; /**< until when what the running ULT used is charged */
	_Atomic uint64_t         run_since_ns; /**< when it was resumed; 0: none runs */
	_Atomic(ult_fn_t)        run_fn;
	_Atomic uint64_t         run_ns[ULT_POOL_NR], run_max_ns;

	/* shared with other threads */
	_Atomic(struct ult *)    handover __attribute__((aligned(64)));
	_Atomic bool             sleeping;
	_Atomic bool             stopping;
	_Atomic uint32_t         ult_far_nr; /**< ULTs made by other threads */
	_Atomic uint32_t         pin_nr; /**< threads that still touch this xstream after handing over */
	char                     name[16];
};

/* ---- ult_context.c ---- */

/** Mapping for a stack of @stack_bytes and its struct ult. */
size_t ult_map_bytes(size_t stack_bytes);
/** A struct ult with a stack; only map, map_bytes are set. NULL without memory. */
struct ult *ult_map(size_t map_bytes);
void ult_unmap(struct ult *ult);
/** A context that has not begun: fctx is NULL until it is made, or called. */
static inline void
ult_ctx_init(struct ult *ult)
{
	ult->ctx.fctx = NULL;
#ifdef ULT_TSAN
	ult->ctx.tsan_fiber = NULL;
#endif
}
/** Make ult->ctx start ult_run() when first switched to. */
void ult_ctx_make(struct ult *ult);
/** Release what sanitizers keep of a context that will not run again. */
void ult_ctx_drop(struct ult *ult);
/** Make @ctx stand for the calling thread itself. */
void ult_ctx_thread(struct ult_ctx *ctx);
/** Leave @from, go on in @to; returns when somebody switches to @from. @ends: nobody will. */
#if defined(ULT_ASAN) || defined(ULT_TSAN)
MAY_YIELD void ult_ctx_switch(struct ult_ctx *from, struct ult_ctx *to, bool ends);
/** The same to one that has not begun and that @from waits for. */
MAY_YIELD void ult_ctx_call(struct ult_ctx *from, struct ult *ult);
#else
static inline MAY_YIELD void
ult_ctx_switch(struct ult_ctx *from, struct ult_ctx *to, bool ends)
{
	(void)ends;
	(void)ult_jump(&from->fctx, to->fctx, to);
}
static inline MAY_YIELD void
ult_ctx_call(struct ult_ctx *from, struct ult *ult)
{
	ult_jump_call(&from->fctx, (char *)ult->ctx.stack_low + ult->ctx.stack_bytes,
		      ult->ctx.stack_bytes, ult);
}
#endif

/* ---- ult_sched.c ---- */

/** Be the xstream until it is asked to stop and has no ULT. */
MAY_YIELD void ult_sched_run(struct ult_xs *xs);
/** Wake it when it sleeps or is about to; from any thread. */
void ult_sched_wake(struct ult_xs *xs);

/** The first function on a ULT's stack: all of its life. Returns who runs next. */
MAY_YIELD struct ult_ctx *ult_run(struct ult *ult);
/** Put a blocked or new ULT on its ready queue, from any thread. */
void ult_make_ready(struct ult *ult);
/** Suspend the calling ULT until ult_make_ready(). */
MAY_YIELD void ult_suspend(void);

/* ---- ult_sync.c ---- */

void ult_spin_lock(uint32_t *lock);
void ult_spin_unlock(uint32_t *lock);

/* ---- ult_timer.c ---- */

/** Fire what is due; returns how many. */
unsigned ult_timers_run(struct ult_xs *xs);
/** ns until the next timer, 0 when due, ULT_WAIT_FOREVER when there is none. */
uint64_t ult_timers_next_ns(struct ult_xs *xs);

/* ---- ult_offload.c ---- */

void ult_offload_init(struct ult_offload_pool *pool);
/** Join the helpers; no job may be left. */
MAY_YIELD void ult_offload_fini(struct ult_offload_pool *pool);
