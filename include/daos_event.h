/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Events and event queues. A call that is given an event returns at once; the event completes when
 * the call has. A call with a NULL event returns when it is done. Events may have children; a
 * parent completes after all of its children.
 */
#ifndef __DAOS_EVENT_H__
#define __DAOS_EVENT_H__

#include <daos_types.h>
#include <daos_errno.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** Flag of daos_eq_destroy(): abort what is in flight. */
#define DAOS_EQ_DESTROY_FORCE 1

/** Make an event queue, with a network context of its own. NOMEM | UNINIT */
int
daos_eq_create(daos_handle_t *eqh);

/** Destroy a queue. EQ_BUSY events in flight or not polled, unless @flags forces it | NO_HDL */
int
daos_eq_destroy(daos_handle_t eqh, int flags);

/**
 * Take completed events off a queue.
 * @param wait_running  non-zero: wait only while something is in flight
 * @param timeout       us to wait; DAOS_EQ_WAIT or DAOS_EQ_NOWAIT
 * @param nevents       room in @events, at least 1
 * @param events        [nevents] filled with completed events
 * @return number of events taken, 0 on timeout | -DER_*
 */
int
daos_eq_poll(daos_handle_t eqh, int wait_running, int64_t timeout, unsigned int nevents,
	     daos_event_t **events);

/**
 * Look at a queue without changing it.
 * @param events  [nevents] or NULL to count only
 * @return number of events of the kinds in @query | -DER_*
 */
int
daos_eq_query(daos_handle_t eqh, daos_eq_query_t query, unsigned int nevents,
	      daos_event_t **events);

/**
 * Prepare an event.
 * @param eqh     its queue; DAOS_HDL_INVAL: none, and daos_event_test() completes it
 * @param parent  NULL, or an event that is not in flight and has no parent itself
 */
int
daos_event_init(daos_event_t *ev, daos_handle_t eqh, daos_event_t *parent);

/** End an event and its idle children. BUSY it, or a child, is in flight */
int
daos_event_fini(daos_event_t *ev);

/** The child after @child, or the first if that is NULL; NULL after the last. */
daos_event_t *
daos_event_next(daos_event_t *parent, daos_event_t *child);

/**
 * Make progress and see whether an event has completed; if so it is taken off its queue.
 * @param timeout  us; DAOS_EQ_WAIT or DAOS_EQ_NOWAIT
 */
int
daos_event_test(struct daos_event *ev, int64_t timeout, bool *flag);

/** Called with (arg, event, result) at completion; its return value becomes the result. */
typedef int (*daos_event_comp_cb_t)(void *, daos_event_t *, int);

/** Add a completion callback, last in first out. Only before the event is used. */
int
daos_event_register_comp_cb(struct daos_event *ev, daos_event_comp_cb_t cb, void *arg);

/** Start a parent: it completes once all children that were started have. */
int
daos_event_parent_barrier(struct daos_event *ev);

/** Give up on an event; the call may have had its effect all the same. */
int
daos_event_abort(daos_event_t *ev);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_EVENT_H__ */
