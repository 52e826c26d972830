/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The table of operations: what each DAOS_OPC_* runs and how large its arguments are. Public calls
 * and the task interface both go through it.
 */
#define D_LOGFAC LOG_FAC_CLIENT
#include "base/log.h"
#include "client/client_internal.h"
#include "container/cont_client.h"
#include "object/obj_client.h"
#include "pool/pool_client.h"

/** X(operation, task function, arguments) */
#define CLIENT_OPS(X)                                                                              \
	X(POOL_CONNECT, dc_pool_connect, daos_pool_connect_t)                                      \
	X(POOL_DISCONNECT, dc_pool_disconnect, daos_pool_disconnect_t)                             \
	X(POOL_QUERY, dc_pool_query, daos_pool_query_t)                                            \
	X(POOL_LIST_ATTR, dc_pool_list_attr, daos_pool_list_attr_t)                                \
	X(POOL_GET_ATTR, dc_pool_get_attr, daos_pool_get_attr_t)                                   \
	X(POOL_SET_ATTR, dc_pool_set_attr, daos_pool_set_attr_t)                                   \
	X(POOL_DEL_ATTR, dc_pool_del_attr, daos_pool_del_attr_t)                                   \
	X(POOL_LIST_CONT, dc_pool_list_cont, daos_pool_list_cont_t)                                \
	X(CONT_CREATE, dc_cont_create, daos_cont_create_t)                                         \
	X(CONT_OPEN, dc_cont_open, daos_cont_open_t)                                               \
	X(CONT_CLOSE, dc_cont_close, daos_cont_close_t)                                            \
	X(CONT_DESTROY, dc_cont_destroy, daos_cont_destroy_t)                                      \
	X(CONT_QUERY, dc_cont_query, daos_cont_query_t)                                            \
	X(CONT_SET_PROP, dc_cont_set_prop, daos_cont_set_prop_t)                                   \
	X(CONT_LIST_ATTR, dc_cont_list_attr, daos_cont_list_attr_t)                                \
	X(CONT_GET_ATTR, dc_cont_get_attr, daos_cont_get_attr_t)                                   \
	X(CONT_SET_ATTR, dc_cont_set_attr, daos_cont_set_attr_t)                                   \
	X(CONT_DEL_ATTR, dc_cont_del_attr, daos_cont_del_attr_t)                                   \
	X(CONT_ALLOC_OIDS, dc_cont_alloc_oids, daos_cont_alloc_oids_t)                             \
	X(CONT_LIST_SNAP, dc_cont_list_snap, daos_cont_list_snap_t)                                \
	X(CONT_CREATE_SNAP, dc_cont_create_snap, daos_cont_create_snap_t)                          \
	X(CONT_DESTROY_SNAP, dc_cont_destroy_snap, daos_cont_destroy_snap_t)                       \
	X(TX_OPEN_SNAP, dc_tx_open_snap, daos_tx_open_snap_t)                                      \
	X(TX_CLOSE, dc_tx_close, daos_tx_close_t)                                                  \
	X(OBJ_OPEN, dc_obj_open_task, daos_obj_open_t)                                             \
	X(OBJ_CLOSE, dc_obj_close_task, daos_obj_close_t)                                          \
	X(OBJ_PUNCH, dc_obj_punch_task, daos_obj_punch_t)                                          \
	X(OBJ_PUNCH_DKEYS, dc_obj_punch_dkeys_task, daos_obj_punch_t)                              \
	X(OBJ_PUNCH_AKEYS, dc_obj_punch_akeys_task, daos_obj_punch_t)                              \
	X(OBJ_QUERY_KEY, dc_obj_query_key_task, daos_obj_query_key_t)                              \
	X(OBJ_FETCH, dc_obj_fetch_task, daos_obj_fetch_t)                                          \
	X(OBJ_UPDATE, dc_obj_update_task, daos_obj_update_t)                                       \
	X(OBJ_LIST_DKEY, client_obj_list_dkey, daos_obj_list_dkey_t)                               \
	X(OBJ_LIST_AKEY, client_obj_list_akey, daos_obj_list_akey_t)                               \
	X(OBJ_LIST_RECX, dc_obj_list_recx_task, daos_obj_list_recx_t)                              \
	X(ARRAY_CREATE, client_array_create, daos_array_create_t)                                  \
	X(ARRAY_OPEN, client_array_open, daos_array_open_t)                                        \
	X(ARRAY_CLOSE, client_array_close, daos_array_close_t)                                     \
	X(ARRAY_DESTROY, client_array_destroy, daos_array_destroy_t)                               \
	X(ARRAY_READ, client_array_read, daos_array_io_t)                                          \
	X(ARRAY_WRITE, client_array_write, daos_array_io_t)                                        \
	X(ARRAY_PUNCH, client_array_punch, daos_array_io_t)                                        \
	X(ARRAY_GET_SIZE, client_array_get_size, daos_array_get_size_t)                            \
	X(ARRAY_SET_SIZE, client_array_set_size, daos_array_set_size_t)                            \
	X(ARRAY_STAT, client_array_stat, daos_array_stat_t)                                        \
	X(KV_OPEN, client_kv_open, daos_kv_open_t)                                                 \
	X(KV_CLOSE, client_kv_close, daos_kv_close_t)                                              \
	X(KV_DESTROY, client_kv_destroy, daos_kv_destroy_t)                                        \
	X(KV_GET, client_kv_get, daos_kv_get_t)                                                    \
	X(KV_PUT, client_kv_put, daos_kv_put_t)                                                    \
	X(KV_REMOVE, client_kv_remove, daos_kv_remove_t)                                           \
	X(KV_LIST, client_kv_list, daos_kv_list_t)

/* the object client has one anchor; a user of the task interface names it after what is listed */
int
client_obj_list_dkey(tse_task_t *task)
{
	daos_obj_list_t *args = dc_task_get_args(task);

	if (args->anchor == NULL)
		args->anchor = args->dkey_anchor;
	return dc_obj_list_dkey_task(task);
}

int
client_obj_list_akey(tse_task_t *task)
{
	daos_obj_list_t *args = dc_task_get_args(task);

	if (args->anchor == NULL)
		args->anchor = args->akey_anchor;
	return dc_obj_list_akey_task(task);
}

struct client_op {
	tse_task_func_t func; /* NULL: not in this version */
	size_t		args_bytes;
};

static const struct client_op client_ops[DAOS_OPC_MAX] = {
#define CLIENT_OP(opc, func, args) [DAOS_OPC_##opc] = {func, sizeof(args)},
    CLIENT_OPS(CLIENT_OP)
#undef CLIENT_OP
};

#define CLIENT_OP_FITS(opc, func, args)                                                            \
	_Static_assert(sizeof(args) <= DC_TASK_ARGS_BYTES_MAX, #args " does not fit into a task");
CLIENT_OPS(CLIENT_OP_FITS)
#undef CLIENT_OP_FITS

int
client_call(daos_opc_t opc, const void *args, daos_event_t *ev)
{
	const struct client_op *op = &client_ops[opc];
	tse_task_t	       *task;
	int			rc;

	rc = dc_task_create(op->func, NULL, ev, &task);
	if (rc != 0)
		return rc;
	dc_task_set_opc(task, opc);
	memcpy(dc_task_get_args(task), args, op->args_bytes);
	return dc_task_schedule(task, true);
}

/* ---- parts ---- */

struct client_part {
	client_part_cb_t done;
	void		*arg;
};

static int
client_part_ended(tse_task_t *task, void *arg)
{
	struct client_part *part = arg;

	part->done(part->arg, task->dt_result);
	return 0;
}

int
client_part_start(tse_task_t *parent, tse_task_func_t func, const void *args, size_t args_bytes,
		  client_part_cb_t done, void *arg)
{
	struct client_part part = {.done = done, .arg = arg};
	tse_task_t	  *task;
	int		   rc;

	D_ASSERT(args_bytes <= DC_TASK_ARGS_BYTES_MAX);
	rc = dc_task_create_part(func, parent, &task);
	if (rc != 0)
		return rc;
	memcpy(dc_task_get_args(task), args, args_bytes);
	rc = tse_task_register_comp_cb(task, client_part_ended, &part, sizeof(part));
	if (rc != 0) {
		dc_task_free(task);
		return rc;
	}
	return dc_task_schedule(task, true);
}

/* ---- the task interface ---- */

static const struct client_op *
client_op_find(daos_opc_t opc)
{
	if ((int)opc < 0 || opc >= DAOS_OPC_MAX || client_ops[opc].func == NULL)
		return NULL;
	return &client_ops[opc];
}

int
daos_task_create(daos_opc_t opc, tse_sched_t *sched, unsigned int num_deps, tse_task_t *dep_tasks[],
		 tse_task_t **taskp)
{
	const struct client_op *op = client_op_find(opc);
	struct dc_ctx	       *dctx;
	tse_task_t	       *task;
	int			rc;

	if (taskp == NULL || (num_deps > 0 && dep_tasks == NULL) || (int)opc < 0 ||
	    opc >= DAOS_OPC_MAX)
		return -DER_INVAL;
	if (op == NULL)
		return -DER_NOSYS;
	if (sched == NULL) {
		rc = client_current() == NULL ? -DER_UNINIT
					      : dc_ctx_of_thread(client_current(), &dctx);
		if (rc != 0)
			return rc;
		sched = dc_ctx_sched(dctx);
	}
	rc = dc_task_create(op->func, sched, NULL, &task);
	if (rc != 0)
		return rc;
	dc_task_set_opc(task, opc);
	if (num_deps > 0)
		rc = tse_task_register_deps(task, (int)num_deps, dep_tasks);
	if (rc != 0) {
		dc_task_free(task);
		return rc;
	}
	*taskp = task;
	return 0;
}

int
daos_task_reset(tse_task_t *task, daos_opc_t opc)
{
	const struct client_op *op = client_op_find(opc);
	int			rc;

	if (task == NULL || !dc_task_is_valid(task))
		return -DER_INVAL;
	if (op == NULL)
		return -DER_NOSYS;
	rc = dc_task_reset(task, op->func);
	if (rc == 0)
		dc_task_set_opc(task, opc);
	return rc;
}

void *
daos_task_get_args(tse_task_t *task)
{
	if (!dc_task_is_valid(task) || dc_task_get_opc(task) == DAOS_OPC_INVALID) {
		D_ERROR("the task was not made by daos_task_create()\n");
		return NULL;
	}
	return dc_task_get_args(task);
}

void *
daos_task_get_priv(tse_task_t *task)
{
	return dc_task_get_user_priv(task);
}

void *
daos_task_set_priv(tse_task_t *task, void *priv)
{
	return dc_task_set_user_priv(task, priv);
}

static bool
sched_progress_done(void *arg)
{
	tse_sched_t *sched = arg;

	tse_sched_progress(sched);
	return tse_sched_check_complete(sched);
}

int
daos_progress(tse_sched_t *sched, int64_t timeout, bool *is_empty)
{
	struct dc_ctx *dctx;
	int	       rc;

	if (sched == NULL)
		return -DER_INVAL;
	dctx = dc_sched2dctx(sched);
	if (dctx == NULL)
		return -DER_UNINIT;
	rc = dc_ctx_wait(dctx, timeout, sched_progress_done, sched);
	if (is_empty != NULL)
		*is_empty = tse_sched_check_complete(sched);
	return rc;
}
