/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What lies in the private space of tasks and schedulers. The rules are in tse_sched.c. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include "tse/tse.h"

struct tse_cb {
	struct tse_cb *next;
	tse_task_cb_t  fn;
	char           arg[] __attribute__((aligned(8)));
};

/** Somebody who waits for a task; holds a reference on it. */
struct tse_dependent {
	struct tse_dependent *next;
	tse_task_t           *task;
};

enum tse_state {
	TSE_INIT,       /**< not running: waits, for scheduling, a dependency, its time or progress */
	TSE_RUNNING,
	TSE_COMPLETING, /**< one thread calls its completion callbacks */
	TSE_COMPLETED
};

struct tse_sched_priv;

struct tse_task_priv {
	struct tse_sched_priv *sched;
	tse_task_func_t        func;
	void                  *priv;
	void                  *priv_internal;
	d_list_t               link;      /**< in a list of the scheduler */
	d_list_t               user_link; /**< in a list of a caller */
	struct tse_dependent  *dependents;
	struct tse_cb         *comp_cbs;  /**< last in first out */
	struct tse_cb         *prep_cbs;  /**< first in first out */
	uint64_t               wakeup_ns; /**< 0: not delayed */
	_Atomic uint32_t       ref_nr;
	uint32_t               dep_nr;    /**< tasks it waits for */
	uint32_t               reinit_nr;
	uint16_t               stack_bytes; /**< pushed, at the high end of buf */
	uint16_t               embed_bytes; /**< embedded, at the low end */
	uint8_t                state;       /**< enum tse_state */
	bool                   scheduled;   /**< its scheduler holds a reference on it */
	bool                   no_propagate;
	char                   buf[TSE_TASK_ARG_LEN] __attribute__((aligned(8)));
};

struct tse_sched_cb {
	struct tse_sched_cb *next;
	tse_sched_comp_cb_t  fn;
	void                *arg;
};

struct tse_sched_priv {
	pthread_mutex_t      lock;
	pthread_cond_t       changed; /**< something was completed */
	d_list_t             ready;    /**< waits for progress alone */
	d_list_t             init;     /**< waits for dependencies */
	d_list_t             sleeping; /**< by wake-up time */
	d_list_t             running;
	d_list_t             complete;
	struct tse_sched_cb *comp_cbs;
	uint32_t             ref_nr;
	uint32_t             inflight_nr;
	bool                 cancelling;
	bool                 completing;
};

_Static_assert(sizeof(struct tse_task_priv) <= TSE_PRIV_SIZE, "a task's private space");
_Static_assert(sizeof(struct tse_sched_priv) <= 48 * sizeof(uint64_t), "a scheduler's private space");
_Static_assert(sizeof(tse_task_t) == TSE_TASK_SIZE, "the size programs were compiled with");

static inline struct tse_task_priv *
tse_task_priv(tse_task_t *task)
{
	return (struct tse_task_priv *)&task->dt_private;
}

static inline tse_task_t *
tse_priv_task(struct tse_task_priv *tp)
{
	return CONTAINER_OF(tp, tse_task_t, dt_private);
}

static inline struct tse_sched_priv *
tse_sched_priv(tse_sched_t *sched)
{
	return (struct tse_sched_priv *)&sched->ds_private;
}

static inline tse_sched_t *
tse_priv_sched(struct tse_sched_priv *sp)
{
	return CONTAINER_OF(sp, tse_sched_t, ds_private);
}

/** With the lock held: put a task to ready, init or sleeping, whichever it belongs on. */
void tse_sched_enqueue(struct tse_sched_priv *sp, struct tse_task_priv *tp);
/** With the lock held: when a task that is delayed from now may run. */
uint64_t tse_wakeup_ns(uint64_t delay_us);
/** Drop a reference; the last one ends the scheduler. Without the lock. */
void tse_sched_put(struct tse_sched_priv *sp);
/** Hand the completed tasks on to who depends on them. Without the lock. Returns how many. */
unsigned tse_sched_process_complete(struct tse_sched_priv *sp);

/**
 * Take a task through its completion callbacks. Without the lock, with a reference.
 * Returns true when it is completed now; false: already, or a callback made it go on.
 */
bool tse_task_finish(struct tse_task_priv *tp, int result);
/** Run prepare callbacks and body of a task that became RUNNING. Without the lock. */
void tse_task_run(struct tse_task_priv *tp);
