/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Calls as tasks. A task made here has a record (struct dc_task_rec) in its embedded buffer: the
 * context it runs in, the event or the waiting thread that wants its result, and its arguments.
 *
 * A task's function is wrapped so that it runs under the lock of its context whoever starts it: a
 * public entry point, a poll, or a scheduler of the user. The callback that hands the result on is
 * registered first, hence called last, when all other callbacks had their say in it.
 */
#define D_LOGFAC LOG_FAC_CLIENT
#include "base/log.h"
#include "dc/dc_internal.h"

struct dc_task_rec *
dc_task_rec(tse_task_t *task)
{
	struct dc_task_rec *rec = tse_task_buf_embedded(task, sizeof(*rec));

	D_ASSERT(rec != NULL && rec->magic == DC_TASK_MAGIC);
	return rec;
}

bool
dc_task_is_valid(tse_task_t *task)
{
	struct dc_task_rec *rec = tse_task_buf_embedded(task, sizeof(*rec));

	return rec != NULL && rec->magic == DC_TASK_MAGIC;
}

static int
dc_task_body(tse_task_t *task)
{
	struct dc_task_rec *rec = dc_task_rec(task);
	struct dc_ctx	   *dctx = rec->dctx;
	int		    rc;

	dc_ctx_lock(dctx);
	if (dctx->closing) {
		rc = -DER_CANCELED;
		tse_task_complete(task, rc);
	} else {
		rc = rec->func(task);
	}
	dc_ctx_unlock(dctx);
	return rc;
}

/** Hand the result to who waits for it. */
static int
dc_task_ended(tse_task_t *task, void *arg)
{
	struct dc_task_rec *rec = dc_task_rec(task);
	struct dc_ctx	   *dctx = rec->dctx;
	struct dc_waiter   *waiter;
	daos_event_t	   *ev;

	(void)arg;
	dc_ctx_lock(dctx);
	waiter = rec->waiter;
	ev = rec->ev;
	rec->waiter = NULL;
	rec->ev = NULL;
	rec->rpc = NULL;
	rec->ended = true;
	if (waiter != NULL) {
		waiter->rc = task->dt_result;
		waiter->done = true;
	}
	if (ev != NULL)
		dc_event_complete(ev, task->dt_result);
	dc_ctx_notify(dctx);
	dc_ctx_unlock(dctx);
	return 0;
}

/** Where the task of a call runs. */
static int
dc_task_dctx_find(tse_sched_t *sched, daos_event_t *ev, struct dc_ctx **ret_dctx)
{
	struct client *cl;

	if (sched != NULL) {
		struct dc_ctx *dctx = dc_sched2dctx(sched);

		if (dctx == NULL)
			return -DER_UNINIT;
		*ret_dctx = dctx;
		return 0;
	}
	if (ev != NULL)
		return dc_event_dctx(ev, ret_dctx);
	cl = client_current();
	return cl == NULL ? -DER_UNINIT : dc_ctx_of_thread(cl, ret_dctx);
}

static int
dc_task_rec_init(tse_task_t *task, tse_task_func_t func, struct dc_ctx *dctx, daos_event_t *ev,
		 bool wait)
{
	struct dc_task_rec *rec = tse_task_buf_embedded(task, sizeof(*rec));

	D_ASSERT(rec != NULL);
	memset(rec, 0, sizeof(*rec));
	rec->magic = DC_TASK_MAGIC;
	rec->opc = DAOS_OPC_INVALID;
	rec->dctx = dctx;
	rec->func = func;
	rec->ev = ev;
	rec->wait = wait;
	return tse_task_register_comp_cb(task, dc_task_ended, NULL, 0);
}

static int
dc_task_create_in(tse_task_func_t func, tse_sched_t *sched, const struct dc_task_rec *like,
		  tse_task_t **ret_task)
{
	tse_task_t *task;
	int	    rc;

	rc = tse_task_create(dc_task_body, sched, NULL, &task);
	if (rc != 0)
		return rc;
	rc = dc_task_rec_init(task, func, like->dctx, like->ev, like->wait);
	if (rc != 0)
		tse_task_decref(task);
	else
		*ret_task = task;
	return rc;
}

int
dc_task_create(tse_task_func_t func, tse_sched_t *sched, daos_event_t *ev, tse_task_t **ret_task)
{
	struct dc_task_rec like = {.ev = ev, .wait = sched == NULL && ev == NULL};
	int		   rc;

	if (sched != NULL && ev != NULL)
		return -DER_INVAL;
	rc = dc_task_dctx_find(sched, ev, &like.dctx);
	if (rc == 0 && like.dctx->closing)
		rc = -DER_CANCELED;
	if (rc != 0)
		return rc;
	return dc_task_create_in(func, sched == NULL ? &like.dctx->sched : sched, &like, ret_task);
}

int
dc_task_create_part(tse_task_func_t func, tse_task_t *parent, tse_task_t **ret_task)
{
	struct dc_task_rec like = {.dctx = dc_task_rec(parent)->dctx};

	return dc_task_create_in(func, tse_task2sched(parent), &like, ret_task);
}

void
dc_task_free(tse_task_t *task)
{
	dc_task_rec(task)->magic = 0;
	tse_task_decref(task);
}

int
dc_task_reset(tse_task_t *task, tse_task_func_t func)
{
	struct dc_task_rec *rec = dc_task_rec(task);
	struct dc_ctx	   *dctx = rec->dctx;
	void		   *priv = rec->user_priv;
	int		    rc;

	rc = tse_task_reset(task, dc_task_body, NULL);
	if (rc != 0)
		return rc;
	rc = dc_task_rec_init(task, func, dctx, NULL, false);
	dc_task_rec(task)->user_priv = priv;
	return rc;
}

static bool
waiter_done(void *arg)
{
	return ((struct dc_waiter *)arg)->done;
}

/** Schedule it; if that fails without ending the task, end it. */
static void
dc_task_start(tse_task_t *task, bool instant)
{
	int rc;

	tse_task_addref(task);
	rc = tse_task_schedule(task, instant);
	if (rc != 0 && !dc_task_rec(task)->ended)
		tse_task_complete(task, rc);
	tse_task_decref(task);
}

static int
dc_task_run_wait(tse_task_t *task, struct dc_task_rec *rec, bool instant)
{
	struct dc_ctx	*dctx = rec->dctx;
	struct dc_waiter waiter = {0};
	int		 rc;

	rec->waiter = &waiter;
	dc_ctx_lock(dctx);
	if (!dc_ctx_may_wait(dctx)) {
		rec->waiter = NULL;
		dc_task_free(task);
		dc_ctx_unlock(dctx);
		return -DER_BUSY;
	}
	dc_task_start(task, instant);
	dc_ctx_unlock(dctx);
	rc = dc_ctx_wait(dctx, -1, waiter_done, &waiter);
	D_ASSERT(rc == 0);
	return waiter.rc;
}

static int
dc_task_run_event(tse_task_t *task, struct dc_task_rec *rec, bool instant)
{
	struct dc_ctx *dctx = rec->dctx;
	int	       rc;

	dc_ctx_lock(dctx);
	rc = dc_event_launch(rec->ev);
	if (rc == 0) {
		dc_ev2evx(rec->ev)->task = task;
		dc_task_start(task, instant);
		dc_ctx_notify(dctx); /* who polls may have to look earlier now */
	} else {
		dc_task_free(task);
	}
	dc_ctx_unlock(dctx);
	return rc;
}

int
dc_task_schedule(tse_task_t *task, bool instant)
{
	struct dc_task_rec *rec = dc_task_rec(task);

	if (rec->wait)
		return dc_task_run_wait(task, rec, instant);
	if (rec->ev != NULL)
		return dc_task_run_event(task, rec, instant);
	return tse_task_schedule(task, instant);
}

void
dc_task_abort(tse_task_t *task)
{
	struct dc_task_rec *rec = dc_task_rec(task);

	rec->aborted = true;
	if (rec->rpc != NULL)
		crt_req_abort(rec->rpc);
}

bool
dc_task_is_aborted(tse_task_t *task)
{
	return dc_task_rec(task)->aborted;
}

void *
dc_task_get_args(tse_task_t *task)
{
	return dc_task_rec(task)->args;
}

daos_opc_t
dc_task_get_opc(tse_task_t *task)
{
	return (daos_opc_t)dc_task_rec(task)->opc;
}

void
dc_task_set_opc(tse_task_t *task, daos_opc_t opc)
{
	dc_task_rec(task)->opc = opc;
}

void *
dc_task_get_user_priv(tse_task_t *task)
{
	return dc_task_rec(task)->user_priv;
}

void *
dc_task_set_user_priv(tse_task_t *task, void *priv)
{
	struct dc_task_rec *rec = dc_task_rec(task);
	void		   *old = rec->user_priv;

	rec->user_priv = priv;
	return old;
}

struct dc_ctx *
dc_task2dctx(tse_task_t *task)
{
	return dc_task_rec(task)->dctx;
}

crt_context_t
daos_task2ctx(tse_task_t *task)
{
	return dc_task_rec(task)->dctx->crt;
}

struct client *
dc_task2client(tse_task_t *task)
{
	return dc_task_rec(task)->dctx->cl;
}
