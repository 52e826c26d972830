/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Event queues. Each has a context of its own, so that queues of threads do not disturb one another; but
 * one made in a ULT of an attached xstream shares the xstream's, so that who polls it is a ULT that yields.
 */
#define D_LOGFAC LOG_FAC_CLIENT
#include <stdlib.h>
#include "base/log.h"
#include "dc/dc_internal.h"

static void
eq_free(struct d_hlink *hlink)
{
	struct dc_eq *eq = CONTAINER_OF(hlink, struct dc_eq, hlink);

	if (!eq->shares)
		dc_ctx_destroy(eq->dctx);
	free(eq);
}

static const struct d_hlink_ops eq_hlink_ops = {.type = DAOS_HTYPE_EQ, .free = eq_free};

struct dc_eq *
dc_eq_lookup(struct client *cl, uint64_t cookie)
{
	struct d_hlink *hlink = d_hdl_lookup(&cl->hdls, cookie, DAOS_HTYPE_EQ);

	return hlink == NULL ? NULL : CONTAINER_OF(hlink, struct dc_eq, hlink);
}

void
dc_eq_put(struct dc_eq *eq)
{
	if (eq != NULL)
		d_hlink_putref(&eq->hlink);
}

static int
eq_ctx_get(struct client *cl, struct dc_eq *eq)
{
	eq->shares = dc_xs_ctx(cl, &eq->dctx);
	if (!eq->shares)
		return dc_ctx_create(cl, &eq->dctx);
	return eq->dctx->closing ? -DER_CANCELED : 0;
}

int
daos_eq_create(daos_handle_t *eqh)
{
	struct client *cl = client_current();
	struct dc_eq  *eq;
	int	       rc;

	if (eqh == NULL)
		return -DER_INVAL;
	if (cl == NULL)
		return -DER_UNINIT;
	eq = calloc(1, sizeof(*eq));
	if (eq == NULL)
		return -DER_NOMEM;
	d_hlink_init(&eq->hlink, &eq_hlink_ops);
	eq->cl = cl;
	d_list_init(&eq->link);
	d_list_init(&eq->running);
	d_list_init(&eq->done);
	rc = eq_ctx_get(cl, eq);
	if (rc == 0)
		rc = d_hdl_insert(&cl->hdls, &eq->hlink, &eqh->cookie);
	if (rc == 0) {
		pthread_mutex_lock(&cl->lock);
		d_list_add_tail(&eq->link, &cl->eqs);
		pthread_mutex_unlock(&cl->lock);
	}
	dc_eq_put(eq); /* the table has its own reference */
	return rc;
}

static void
eq_unlink_events(d_list_t *list)
{
	struct dc_evx *evx;

	while ((evx = d_list_first(list, struct dc_evx, link)) != NULL) {
		d_list_del(&evx->link);
		evx->status = DAOS_EVS_READY;
	}
}

/** Aborting one may end others too: look anew each time. */
static tse_task_t *
eq_next_to_abort(struct dc_eq *eq)
{
	struct dc_evx *evx;

	d_list_for_each (evx, &eq->running, link)
		if (evx->task != NULL && !dc_task_is_aborted(evx->task))
			return evx->task;
	return NULL;
}

/** No event will come any more: give those up that are in flight, forget those that are done. */
static void
eq_close_locked(struct dc_eq *eq)
{
	tse_task_t *task;

	eq->closing = true;
	while ((task = eq_next_to_abort(eq)) != NULL)
		dc_task_abort(task);
	dc_ctx_notify(eq->dctx);
}

static bool
eq_idle(void *arg)
{
	return ((struct dc_eq *)arg)->running_nr == 0;
}

static void
eq_leave_client(struct dc_eq *eq)
{
	pthread_mutex_lock(&eq->cl->lock);
	d_list_del(&eq->link);
	pthread_mutex_unlock(&eq->cl->lock);
}

int
daos_eq_destroy(daos_handle_t eqh, int flags)
{
	struct client *cl = client_current();
	struct dc_eq  *eq;
	int	       rc = 0;

	if (cl == NULL)
		return -DER_UNINIT;
	eq = dc_eq_lookup(cl, eqh.cookie);
	if (eq == NULL)
		return -DER_NONEXIST;
	dc_ctx_lock(eq->dctx);
	if (eq->closing)
		rc = -DER_NONEXIST;
	else if (!(flags & DAOS_EQ_DESTROY_FORCE) && eq->running_nr + eq->done_nr > 0)
		rc = -DER_BUSY;
	else
		eq_close_locked(eq);
	dc_ctx_unlock(eq->dctx);
	if (rc != 0)
		goto out;
	/* what cannot be aborted ends with its timeout */
	rc = dc_ctx_wait(eq->dctx, -1, eq_idle, eq);
	if (rc != 0) {
		dc_ctx_lock(eq->dctx);
		eq->closing = false;
		dc_ctx_unlock(eq->dctx);
		goto out;
	}
	dc_ctx_lock(eq->dctx);
	eq_unlink_events(&eq->done);
	eq->done_nr = 0;
	dc_ctx_unlock(eq->dctx);
	eq_leave_client(eq);
	rc = d_hdl_delete(&cl->hdls, eqh.cookie, DAOS_HTYPE_EQ);
out:
	dc_eq_put(eq);
	return rc;
}

/** Take one off the client's list that shares @dctx, NULL: any. */
static struct dc_eq *
eq_take(struct client *cl, const struct dc_ctx *dctx)
{
	struct dc_eq *eq, *found = NULL;

	pthread_mutex_lock(&cl->lock);
	d_list_for_each (eq, &cl->eqs, link) {
		if (dctx == NULL || eq->dctx == dctx) {
			found = eq;
			break;
		}
	}
	if (found != NULL)
		d_list_del(&found->link);
	pthread_mutex_unlock(&cl->lock);
	return found;
}

void
dc_eqs_close(struct client *cl, const struct dc_ctx *dctx)
{
	struct dc_eq *eq;

	while ((eq = eq_take(cl, dctx)) != NULL) {
		eq->closing = true;
		if (!eq->shares)
			dc_ctx_destroy(eq->dctx); /* completes what is in flight, into eq->done */
		eq->dctx = NULL;
		eq_unlink_events(&eq->done);
		if (d_hdl_delete(&cl->hdls, eq->hlink.cookie, DAOS_HTYPE_EQ) != 0)
			D_WARN("an event queue is being destroyed by two threads\n");
	}
}

/* ---- poll and query ---- */

struct eq_poll {
	struct dc_eq  *eq;
	bool	       wait_running;
	unsigned int   room;
	daos_event_t **events;
	unsigned int   nr;
};

static bool
eq_poll_done(void *arg)
{
	struct eq_poll *poll = arg;
	struct dc_eq   *eq = poll->eq;
	struct dc_evx  *evx, *tmp;

	d_list_for_each_safe (evx, tmp, &eq->done, link) {
		if (poll->nr == poll->room)
			break;
		if (evx->child_running_nr > 0)
			continue;
		d_list_del(&evx->link);
		eq->done_nr--;
		evx->status = DAOS_EVS_READY;
		poll->events[poll->nr++] = dc_evx2ev(evx);
	}
	return poll->nr > 0 || eq->closing || (poll->wait_running && eq->running_nr == 0);
}

int
daos_eq_poll(daos_handle_t eqh, int wait_running, int64_t timeout, unsigned int nevents,
	     daos_event_t **events)
{
	struct client *cl = client_current();
	struct eq_poll poll = {
	    .wait_running = wait_running != 0, .room = nevents, .events = events};
	bool closing;
	int  rc;

	if (nevents == 0 || events == NULL)
		return -DER_INVAL;
	if (cl == NULL)
		return -DER_UNINIT;
	poll.eq = dc_eq_lookup(cl, eqh.cookie);
	if (poll.eq == NULL)
		return -DER_NONEXIST;
	rc = dc_ctx_wait(poll.eq->dctx, timeout, eq_poll_done, &poll);
	closing = poll.eq->closing;
	dc_eq_put(poll.eq);
	if (rc != 0 && rc != -DER_TIMEDOUT)
		return rc;
	return poll.nr == 0 && closing ? -DER_NONEXIST : (int)poll.nr;
}

static unsigned int
eq_list(const d_list_t *list, unsigned int nr, unsigned int room, daos_event_t **events)
{
	struct dc_evx *evx;

	d_list_for_each (evx, list, link) {
		if (nr == room)
			break;
		events[nr++] = dc_evx2ev(evx);
	}
	return nr;
}

int
daos_eq_query(daos_handle_t eqh, daos_eq_query_t query, unsigned int nevents, daos_event_t **events)
{
	struct client *cl = client_current();
	struct dc_eq  *eq;
	unsigned int   nr = 0;
	bool	       list = nevents > 0 && events != NULL;

	if (cl == NULL)
		return -DER_UNINIT;
	eq = dc_eq_lookup(cl, eqh.cookie);
	if (eq == NULL)
		return -DER_NONEXIST;
	dc_ctx_lock(eq->dctx);
	if (query & DAOS_EQR_COMPLETED)
		nr = list ? eq_list(&eq->done, nr, nevents, events) : nr + eq->done_nr;
	if (query & DAOS_EQR_WAITING)
		nr = list ? eq_list(&eq->running, nr, nevents, events) : nr + eq->running_nr;
	dc_ctx_unlock(eq->dctx);
	dc_eq_put(eq);
	return (int)nr;
}
