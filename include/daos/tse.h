/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Task scheduler engine: tasks with dependencies, run by a scheduler that the caller progresses.
 * A task runs once it was scheduled and all tasks it depends on have completed; its function ends
 * it with tse_task_complete(), at once or later. Nothing runs by itself: tse_sched_progress() does.
 */
#ifndef __TSE_SCHEDULE_H__
#define __TSE_SCHEDULE_H__

#include <pthread.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** Bytes of a task: what tse_task_buf_embedded() and the argument stack share, and the whole. */
#define TSE_TASK_ARG_LEN (840 + sizeof(pthread_mutex_t))
#define TSE_PRIV_SIZE    (TSE_TASK_ARG_LEN + 136)
#define TSE_TASK_SIZE    (TSE_PRIV_SIZE + 8)

typedef struct d_list d_list_t;

typedef struct tse_task {
	int dt_result; /**< result; of dependencies too: the first error among them */
	int dt_pad32;
	struct {
		char dt_space[TSE_PRIV_SIZE];
	} dt_private;
} tse_task_t;

typedef struct {
	int   ds_result; /**< first error of its tasks */
	void *ds_udata;
	struct {
		uint64_t ds_space[48];
	} ds_private;
} tse_sched_t;

typedef int (*tse_sched_comp_cb_t)(void *args, int rc);
typedef int (*tse_task_func_t)(tse_task_t *);
typedef int (*tse_task_cb_t)(tse_task_t *, void *arg);

/* ---- schedulers ---- */

/** @param comp_cb  called with @udata when the scheduler completes; may be NULL. NOMEM */
int
tse_sched_init(tse_sched_t *sched, tse_sched_comp_cb_t comp_cb, void *udata);
/** End a scheduler that has no task left. */
void
tse_sched_fini(tse_sched_t *sched);
void
tse_sched_addref(tse_sched_t *sched);
void
tse_sched_decref(tse_sched_t *sched);
/** Complete the scheduler: progress until it is empty, or with @cancel give its tasks up. */
void
tse_sched_complete(tse_sched_t *sched, int ret, bool cancel);
/** One more callback for completion, last in first out. */
int
tse_sched_register_comp_cb(tse_sched_t *sched, tse_sched_comp_cb_t comp_cb, void *arg);
/** Run what can run, complete what is done. */
void
tse_sched_progress(tse_sched_t *sched);
/** Whether nothing waits and nothing is in flight. */
bool
tse_sched_check_complete(tse_sched_t *sched);

/* ---- tasks ---- */

/** @param sched  may be NULL for a task that is only run at once. NOMEM */
int
tse_task_create(tse_task_func_t task_func, tse_sched_t *sched, void *priv, tse_task_t **taskp);
/** Hand a task to its scheduler, which takes the creator's reference. @param instant run it now */
int
tse_task_schedule(tse_task_t *task, bool instant);
/** @param delay  us to wait before it may run */
int
tse_task_schedule_with_delay(tse_task_t *task, bool instant, uint64_t delay);
/** End a task; its callbacks run, then what depends on it. */
void
tse_task_complete(tse_task_t *task, int ret);
void
tse_task_addref(tse_task_t *task);
void
tse_task_decref(tse_task_t *task);

/** @size bytes inside the task, the same at each call; NULL if it does not fit. */
void *
tse_task_buf_embedded(tse_task_t *task, int size);
void *
tse_task_get_priv(tse_task_t *task);
/** Returns the old one. */
void *
tse_task_set_priv(tse_task_t *task, void *priv);
tse_sched_t *
tse_task2sched(tse_task_t *task);

/** @task runs after all of @dep_tasks, [num_deps], which must not have completed. */
int
tse_task_register_deps(tse_task_t *task, int num_deps, tse_task_t *dep_tasks[]);
/** Called with a copy of @arg when the task completes, last in first out. */
int
tse_task_register_comp_cb(tse_task_t *task, tse_task_cb_t comp_cb, void *arg, size_t arg_size);
/** Register a completion callback and re-initialise the task, to run after @delay us. */
int
tse_task_register_comp_cb_and_reinit(tse_task_t *task, tse_task_cb_t comp_cb, void *arg,
				     size_t arg_size, uint64_t delay);
/** Callbacks before it runs, and when it completes; either may be NULL. */
int
tse_task_register_cbs(tse_task_t *task, tse_task_cb_t prep_cb, void *prep_data,
		      size_t prep_data_size, tse_task_cb_t comp_cb, void *comp_data,
		      size_t comp_data_size);
/** From a completion callback: run the task again; callbacks not yet called stay for later. */
int
tse_task_reinit(tse_task_t *task);
int
tse_task_reinit_with_delay(tse_task_t *task, uint64_t delay);
/** Make a completed task a new one. */
int
tse_task_reset(tse_task_t *task, tse_task_func_t task_func, void *priv);
/** The errors of @task are not handed to those that depend on it. */
void
tse_disable_propagate(tse_task_t *task);

/* ---- lists of tasks not scheduled yet; a list is a d_list_t head ---- */

int
tse_task_list_add(tse_task_t *task, d_list_t *head);
void
tse_task_list_del(tse_task_t *task);
tse_task_t *
tse_task_list_first(d_list_t *head);
void
tse_task_list_sched(d_list_t *head, bool instant);
/** Complete all with @rc. */
void
tse_task_list_abort(d_list_t *head, int rc);
/** All of the list run after @task. */
int
tse_task_list_depend(d_list_t *head, tse_task_t *task);
/** @task runs after all of the list. */
int
tse_task_depend_list(tse_task_t *task, d_list_t *head);
/** Call @cb for each until one fails; @cb may take its task off the list. */
int
tse_task_list_traverse(d_list_t *head, tse_task_cb_t cb, void *arg);
/** The same, where @cb may also end its task or empty the list. */
int
tse_task_list_traverse_adv(d_list_t *head, tse_task_cb_t cb, void *arg);

#if defined(__cplusplus)
}
#endif

#endif /* __TSE_SCHEDULE_H__ */
