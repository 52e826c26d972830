/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Events.
 *
 *     READY --launch--> RUNNING --complete--> COMPLETED --poll or test--> READY
 *
 * Invariants, all under the lock of the event's context:
 * 1. An event with a queue and no parent is on its queue's running list while RUNNING, on its done
 *    list while COMPLETED, on none while READY. Children are on their parent's list, always.
 * 2. A parent counts its children: all, those RUNNING, those COMPLETED. It may be launched once
 * each child was. A barrier completes with its last child; a parent with a call of its own
 * completes with that, but is not seen by poll or test before its children are done.
 * 3. Only one level of children.
 */
#define D_LOGFAC LOG_FAC_CLIENT
#include <stdlib.h>
#include "base/errno_map.h"
#include "base/log.h"
#include "dc/dc_internal.h"

static struct dc_evx *
evx_of(daos_event_t *ev)
{
	struct dc_evx *evx;

	if (ev == NULL)
		return NULL;
	evx = dc_ev2evx(ev);
	return evx->magic == DC_EVENT_MAGIC ? evx : NULL;
}

/** The event and, if it has one, its queue, which must still be there. */
static int
evx_get(daos_event_t *ev, struct dc_evx **ret_evx, struct dc_eq **ret_eq)
{
	struct dc_evx *evx = evx_of(ev);
	struct dc_eq  *eq = NULL;

	if (evx == NULL)
		return -DER_INVAL;
	if (evx->eq_cookie != 0) {
		eq = dc_eq_lookup(evx->cl, evx->eq_cookie);
		if (eq == NULL)
			return -DER_NONEXIST;
	}
	*ret_evx = evx;
	*ret_eq = eq;
	return 0;
}

/* ---- init and fini ---- */

static int
event_init_child(struct dc_evx *evx, struct dc_evx *parent)
{
	if (parent == NULL || parent->status != DAOS_EVS_READY)
		return -DER_INVAL;
	if (parent->parent != NULL)
		return -DER_NO_PERM; /* invariant 3 */
	evx->cl = parent->cl;
	evx->dctx = parent->dctx;
	evx->eq_cookie = parent->eq_cookie;
	evx->parent = parent;
	dc_ctx_lock(evx->dctx);
	d_list_add_tail(&evx->link, &parent->children);
	parent->child_nr++;
	dc_ctx_unlock(evx->dctx);
	return 0;
}

static int
event_init_alone(struct dc_evx *evx, daos_handle_t eqh)
{
	struct client *cl = client_current();
	struct dc_eq  *eq;

	if (cl == NULL)
		return -DER_UNINIT;
	evx->cl = cl;
	if (daos_handle_is_inval(eqh))
		return dc_ctx_of_thread(cl, &evx->dctx);
	eq = dc_eq_lookup(cl, eqh.cookie);
	if (eq == NULL)
		return -DER_NONEXIST;
	evx->dctx = eq->dctx;
	evx->eq_cookie = eqh.cookie;
	dc_eq_put(eq);
	return 0;
}

int
daos_event_init(daos_event_t *ev, daos_handle_t eqh, daos_event_t *parent)
{
	struct dc_evx *evx;
	int	       rc;

	if (ev == NULL)
		return -DER_INVAL;
	memset(ev, 0, sizeof(*ev));
	evx = dc_ev2evx(ev);
	d_list_init(&evx->link);
	d_list_init(&evx->children);
	evx->status = DAOS_EVS_READY;
	if (parent != NULL)
		rc = event_init_child(evx, evx_of(parent));
	else
		rc = event_init_alone(evx, eqh);
	if (rc == 0)
		evx->magic = DC_EVENT_MAGIC;
	return rc;
}

static bool
event_busy(const struct dc_evx *evx)
{
	return evx->status == DAOS_EVS_RUNNING || evx->child_running_nr > 0;
}

static void
event_cbs_free(struct dc_evx *evx)
{
	while (evx->cbs != NULL) {
		struct dc_ev_cb *cb = evx->cbs;

		evx->cbs = cb->next;
		free(cb);
	}
}

static void
event_leave_parent(struct dc_evx *evx)
{
	struct dc_evx *parent = evx->parent;

	parent->child_nr--;
	if (evx->status == DAOS_EVS_COMPLETED)
		parent->child_done_nr--;
	evx->parent = NULL;
}

static void
event_end(struct dc_evx *evx, struct dc_eq *eq)
{
	struct dc_evx *child, *tmp;

	d_list_for_each_safe (child, tmp, &evx->children, link)
		event_end(child, eq);
	if (evx->parent != NULL)
		event_leave_parent(evx);
	else if (evx->status == DAOS_EVS_COMPLETED && eq != NULL && !d_list_empty(&evx->link))
		eq->done_nr--;
	d_list_del(&evx->link);
	event_cbs_free(evx);
	evx->status = DAOS_EVS_READY;
	evx->magic = 0;
}

int
daos_event_fini(daos_event_t *ev)
{
	struct dc_evx *evx;
	struct dc_ctx *dctx;
	struct dc_eq  *eq;
	int	       rc;

	rc = evx_get(ev, &evx, &eq);
	if (rc != 0)
		return rc;
	dctx = evx->dctx;
	dc_ctx_lock(dctx);
	if (event_busy(evx))
		rc = -DER_BUSY;
	else if (evx->parent != NULL && evx->parent->status == DAOS_EVS_RUNNING)
		rc = -DER_INVAL;
	else
		event_end(evx, eq);
	dc_ctx_unlock(dctx);
	dc_eq_put(eq);
	return rc;
}

daos_event_t *
daos_event_next(daos_event_t *parent, daos_event_t *child)
{
	struct dc_evx *evx = evx_of(parent);
	d_list_t      *next;

	if (evx == NULL)
		return NULL;
	next = child == NULL ? evx->children.next : dc_ev2evx(child)->link.next;
	return next == &evx->children ? NULL : dc_evx2ev(d_list_entry(next, struct dc_evx, link));
}

int
daos_event_register_comp_cb(struct daos_event *ev, daos_event_comp_cb_t cb, void *arg)
{
	struct dc_evx	*evx = evx_of(ev);
	struct dc_ev_cb *rec;

	if (evx == NULL || cb == NULL)
		return -DER_INVAL;
	rec = malloc(sizeof(*rec));
	if (rec == NULL)
		return -DER_NOMEM;
	rec->cb = cb;
	rec->arg = arg;
	dc_ctx_lock(evx->dctx);
	rec->next = evx->cbs;
	evx->cbs = rec;
	dc_ctx_unlock(evx->dctx);
	return 0;
}

/* ---- launch and completion ---- */

int
dc_event_dctx(daos_event_t *ev, struct dc_ctx **ret_dctx)
{
	struct dc_evx *evx;
	struct dc_eq  *eq;
	int	       rc;

	rc = evx_get(ev, &evx, &eq);
	if (rc != 0)
		return rc;
	*ret_dctx = evx->dctx;
	dc_eq_put(eq);
	return 0;
}

static int
event_launch(struct dc_evx *evx, struct dc_eq *eq)
{
	if (evx->status != DAOS_EVS_READY)
		return -DER_NO_PERM;
	if (evx->child_nr > evx->child_running_nr + evx->child_done_nr)
		return -DER_NO_PERM; /* invariant 2 */
	if (eq != NULL && eq->closing)
		return -DER_NONEXIST;
	dc_evx2ev(evx)->ev_error = 0;
	evx->status = DAOS_EVS_RUNNING;
	if (evx->parent != NULL) {
		evx->parent->child_running_nr++;
	} else if (eq != NULL) {
		d_list_add_tail(&evx->link, &eq->running);
		eq->running_nr++;
	}
	return 0;
}

int
dc_event_launch(daos_event_t *ev)
{
	struct dc_evx *evx;
	struct dc_eq  *eq;
	int	       rc;

	rc = evx_get(ev, &evx, &eq);
	if (rc != 0)
		return rc;
	dc_ctx_lock(evx->dctx);
	rc = event_launch(evx, eq);
	dc_ctx_unlock(evx->dctx);
	dc_eq_put(eq);
	return rc;
}

/** Newest first; the first result that is not 0 becomes the event's. */
static int
event_run_cbs(struct dc_evx *evx, int rc)
{
	while (evx->cbs != NULL) {
		struct dc_ev_cb *rec = evx->cbs;
		int		 cb_rc;

		evx->cbs = rec->next;
		cb_rc = rec->cb(rec->arg, dc_evx2ev(evx), rc);
		if (rc == 0)
			rc = cb_rc;
		free(rec);
	}
	return rc;
}

static void
event_done(struct dc_evx *evx, struct dc_eq *eq, int rc)
{
	rc = event_run_cbs(evx, rc);
	dc_evx2ev(evx)->ev_error = evx->as_errno ? daos_der2errno(rc) : rc;
	evx->status = DAOS_EVS_COMPLETED;
	evx->task = NULL;
	if (evx->parent != NULL || eq == NULL)
		return;
	d_list_del(&evx->link);
	d_list_add_tail(&evx->link, &eq->done);
	eq->running_nr--;
	eq->done_nr++;
}

/** A child is done: tell its parent. */
static void
event_child_done(struct dc_evx *parent, struct dc_eq *eq, int rc)
{
	parent->child_running_nr--;
	parent->child_done_nr++;
	if (dc_evx2ev(parent)->ev_error == 0)
		dc_evx2ev(parent)->ev_error = rc;
	if (parent->barrier && parent->status == DAOS_EVS_RUNNING &&
	    parent->child_done_nr == parent->child_nr)
		event_done(parent, eq, dc_evx2ev(parent)->ev_error);
}

void
dc_event_complete(daos_event_t *ev, int rc)
{
	struct dc_evx *evx = dc_ev2evx(ev);
	struct dc_ctx *dctx = evx->dctx;
	struct dc_eq  *eq;

	D_ASSERT(evx->magic == DC_EVENT_MAGIC);
	eq = evx->eq_cookie == 0 ? NULL : dc_eq_lookup(evx->cl, evx->eq_cookie);
	dc_ctx_lock(dctx);
	if (evx->status == DAOS_EVS_RUNNING) {
		struct dc_evx *parent = evx->parent;

		event_done(evx, eq, rc);
		if (parent != NULL)
			event_child_done(parent, eq, ev->ev_error);
	}
	dc_ctx_notify(dctx);
	dc_ctx_unlock(dctx);
	dc_eq_put(eq);
}

void
daos_event_errno_rc(daos_event_t *ev)
{
	dc_ev2evx(ev)->as_errno = true;
}

int
daos_event_parent_barrier(struct daos_event *ev)
{
	struct dc_evx *evx;
	struct dc_eq  *eq;
	int	       child_rc;
	int	       rc;

	rc = evx_get(ev, &evx, &eq);
	if (rc != 0)
		return rc;
	dc_ctx_lock(evx->dctx);
	child_rc = ev->ev_error; /* of children that are done already */
	if (evx->child_nr == 0)
		rc = -DER_INVAL;
	else
		rc = event_launch(evx, eq);
	if (rc == 0) {
		evx->barrier = true;
		ev->ev_error = child_rc;
		if (evx->child_done_nr == evx->child_nr)
			event_done(evx, eq, child_rc);
		dc_ctx_notify(evx->dctx);
	}
	dc_ctx_unlock(evx->dctx);
	dc_eq_put(eq);
	return rc;
}

int
daos_event_abort(daos_event_t *ev)
{
	struct dc_evx *evx;
	struct dc_evx *child;
	struct dc_eq  *eq;
	int	       rc;

	rc = evx_get(ev, &evx, &eq);
	if (rc != 0)
		return rc;
	dc_ctx_lock(evx->dctx);
	if (!event_busy(evx))
		rc = -DER_NO_PERM;
	else if (evx->task != NULL)
		dc_task_abort(evx->task);
	if (rc == 0) { /* a child stays on the list, whatever becomes of it */
		d_list_for_each (child, &evx->children, link)
			if (child->task != NULL)
				dc_task_abort(child->task);
	}
	dc_ctx_unlock(evx->dctx);
	dc_eq_put(eq);
	return rc;
}

/* ---- test ---- */

struct event_test {
	struct dc_evx *evx;
	struct dc_eq  *eq;
};

/** READY (seen by another thread) or completed with all children; the latter is taken. */
static bool
event_test_done(void *arg)
{
	struct event_test *test = arg;
	struct dc_evx	  *evx = test->evx;

	if (evx->status == DAOS_EVS_READY)
		return true;
	if (evx->status == DAOS_EVS_RUNNING || evx->child_running_nr > 0)
		return false;
	if (test->eq != NULL && !d_list_empty(&evx->link)) {
		d_list_del(&evx->link);
		test->eq->done_nr--;
	}
	evx->status = DAOS_EVS_READY;
	return true;
}

int
daos_event_test(struct daos_event *ev, int64_t timeout, bool *flag)
{
	struct event_test test;
	int		  rc;

	if (flag == NULL)
		return -DER_INVAL;
	rc = evx_get(ev, &test.evx, &test.eq);
	if (rc != 0)
		return rc;
	if (test.evx->parent != NULL)
		rc = -DER_NO_PERM;
	else
		rc = dc_ctx_wait(test.evx->dctx, timeout, event_test_done, &test);
	dc_eq_put(test.eq);
	if (rc != 0 && rc != -DER_TIMEDOUT)
		return rc;
	*flag = (rc == 0);
	return 0;
}
