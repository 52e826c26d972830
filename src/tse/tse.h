/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The task scheduler engine. The public API is <daos/tse.h>; this adds what only the layers above
 * in this tree use: the argument stack of a task, and a second private pointer.
 *
 * All calls are thread safe; callbacks and task functions run without a lock, on the thread that
 * progresses, completes or (instant) schedules.
 */
#pragma once

#include <daos/tse.h>
#include "base/list.h"

/**
 * Space in the task, last in first out, shared with the embedded buffer. The address stays valid
 * until it is popped. NULL: it does not fit.
 */
void *tse_task_stack_push(tse_task_t *task, uint32_t size_bytes);
/** The address pushed last, of the same size; its content stays until the next push. */
void *tse_task_stack_pop(tse_task_t *task, uint32_t size_bytes);
/** The same with a copy. Errors: OVERFLOW. */
int   tse_task_stack_push_data(tse_task_t *task, const void *data, uint32_t size_bytes) MUST_CHECK;
void  tse_task_stack_pop_data(tse_task_t *task, void *data, uint32_t size_bytes);

void *tse_task_get_priv_internal(tse_task_t *task);
/** Returns the old one. */
void *tse_task_set_priv_internal(tse_task_t *task, void *priv);

/**
 * When the scheduler has something to do without anybody completing a task: plat_now_ns() time of
 * its earliest delayed task; 0: right now; UINT64_MAX: not before somebody does.
 */
uint64_t tse_sched_next_wakeup(tse_sched_t *sched);
/**
 * Whether progress could find something, now or when time has passed: a task that is ready, delayed or completed.
 * A few loads, no lock: asked by the thread that alone uses the scheduler.
 */
bool tse_sched_has_work(const tse_sched_t *sched);
