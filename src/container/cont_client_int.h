/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the client files of this folder share. */
#pragma once

#include "container/cont_client.h"
#include "container/cont_rpc.h"
#include "pool/pool_client_int.h"

/** Heads of requests. */
void cont_head_pool(struct pool_in_head *in, const struct dc_pool *pool);
/** For requests whose input begins with POOL_IN_HEAD and CONT_HDL. */
struct cont_in_head {
	struct pool_in_head pool;
	crt_uuid_t          cont, cont_hdl;
};
void cont_head(void *in, const struct dc_cont *cont);
/** A name is a label or a UUID: sets one. Errors: INVAL. */
int cont_name_check(const char *name) MUST_CHECK;
void cont_name_fill(const char *name, char **ret_label, uuid_t uuid);
/** A handle for reading @cont at @epoch. */
int cont_tx_insert(struct client *cl, struct dc_cont *cont, daos_epoch_t epoch, daos_handle_t *ret_th) MUST_CHECK;
/** End a task that couldn't start. */
int cont_task_fail(tse_task_t *task, int rc);
