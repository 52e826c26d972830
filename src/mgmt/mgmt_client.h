/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The client half of management: finding pools. Who uses it registers mgmt_proto_client. */
#pragma once

#include "dc/dc.h"

/** Ask any engine where a pool's service is. @cb runs once, under the context's lock of @task; @ranks is borrowed
 *  from it. @pool is a label or a UUID string. Errors: NONEXIST | those of the transport, after retries. */
void dc_mgmt_pool_find(tse_task_t *task, const char *pool,
		       void (*cb)(void *arg, int rc, const uuid_t uuid, const d_rank_list_t *ranks), void *arg);
