/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the files of libdaos share. */
#pragma once

#include <daos.h>
#include <daos_task.h>
#include "dc/dc.h"

/** Make a call of @opc with @args (its argument struct), waiting unless @ev is given. */
int client_call(daos_opc_t opc, const void *args, daos_event_t *ev) MUST_CHECK;

/**
 * Operations made of parts (arrays, KV). A part is a task of the same context; @done is called
 * under the context's lock when it ended. If starting it fails @done is not called.
 */
typedef void (*client_part_cb_t)(void *arg, int rc);
int client_part_start(tse_task_t *parent, tse_task_func_t func, const void *args, size_t args_bytes,
		      client_part_cb_t done, void *arg) MUST_CHECK;

/* ---- task functions of this folder ---- */

int client_obj_list_dkey(tse_task_t *task);
int client_obj_list_akey(tse_task_t *task);
int client_array_create(tse_task_t *task);
int client_array_open(tse_task_t *task);
int client_array_close(tse_task_t *task);
int client_array_destroy(tse_task_t *task);
int client_array_read(tse_task_t *task);
int client_array_write(tse_task_t *task);
int client_array_punch(tse_task_t *task);
int client_array_get_size(tse_task_t *task);
int client_array_set_size(tse_task_t *task);
int client_array_stat(tse_task_t *task);
int client_kv_open(tse_task_t *task);
int client_kv_close(tse_task_t *task);
int client_kv_destroy(tse_task_t *task);
int client_kv_get(tse_task_t *task);
int client_kv_put(tse_task_t *task);
int client_kv_remove(tse_task_t *task);
int client_kv_list(tse_task_t *task);
