/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Finding a pool: any engine can be asked, it asks its daos_server. A task of its own calls the
 * "service" made of the ranks of the management service, trying one after the other.
 */
#define D_LOGFAC LOG_FAC_CLIENT
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "mgmt/mgmt_client.h"
#include "mgmt/mgmt_rpc.h"

struct find {
	char          *label; /* NULL: by UUID */
	uuid_t         uuid;
	struct dc_svc  svc;
	int            rc;    /* what the callback is told */
	d_rank_list_t *ranks;
	void         (*cb)(void *arg, int rc, const uuid_t uuid, const d_rank_list_t *ranks);
	void          *arg;
};

static int
find_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	struct mgmt_pool_find_in *in = rpc->cr_input;
	struct find              *find = arg;

	in->label = find->label;
	uuid_copy(in->pool.b, find->uuid);
	return 0;
}

static int
find_result(crt_rpc_t *rpc, void *arg, struct dc_svc_reply *ret_reply)
{
	return ((struct mgmt_pool_find_out *)rpc->cr_output)->rc;
}

static int
find_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	struct find *find = arg;

	if (rc == 0) {
		struct mgmt_pool_find_out *out = rpc->cr_output;

		uuid_copy(find->uuid, out->pool.b);
		rc = out->svc_ranks == NULL || out->svc_ranks->rl_nr == 0
			 ? -DER_PROTO : d_rank_list_dup(out->svc_ranks, &find->ranks);
	}
	return rc;
}

static int
find_task(tse_task_t *task)
{
	struct find       *find = *(struct find **)dc_task_get_args(task);
	struct dc_svc_call call = {.svc = &find->svc,
				   .opc = MGMT_OPC(MGMT_POOL_FIND),
				   .fill = find_fill,
				   .result = find_result,
				   .done = find_done,
				   .arg = find};

	return dc_svc_call(task, &call);
}

static void
find_free(struct find *find)
{
	dc_svc_fini(&find->svc);
	d_rank_list_free(find->ranks);
	free(find->label);
	free(find);
}

static int
find_end(tse_task_t *task, void *arg)
{
	struct find *find = *(struct find **)arg;

	find->cb(find->arg, task->dt_result, find->uuid, find->ranks);
	find_free(find);
	return 0;
}

static int
find_make(struct client *cl, const char *pool, struct find **ret_find)
{
	struct find   *find = calloc(1, sizeof(*find));
	d_rank_list_t *ranks;
	int            rc;

	if (find == NULL)
		return -DER_NOMEM;
	if (uuid_parse(pool, find->uuid) != 0) {
		find->label = strdup(pool);
		if (find->label == NULL) {
			free(find);
			return -DER_NOMEM;
		}
	}
	rc = client_ms_ranks(cl, &ranks);
	if (rc == 0) {
		rc = dc_svc_init(&find->svc, ranks);
		d_rank_list_free(ranks);
	}
	if (rc != 0) {
		free(find->label);
		free(find);
		return rc;
	}
	*ret_find = find;
	return 0;
}

void
dc_mgmt_pool_find(tse_task_t *task, const char *pool,
		  void (*cb)(void *arg, int rc, const uuid_t uuid, const d_rank_list_t *ranks), void *arg)
{
	struct find *find;
	tse_task_t  *sub;
	int          rc = find_make(dc_task2client(task), pool, &find);

	if (rc != 0) {
		cb(arg, rc, NULL, NULL);
		return;
	}
	find->cb = cb;
	find->arg = arg;
	rc = dc_task_create(find_task, tse_task2sched(task), NULL, &sub);
	if (rc == 0) {
		*(struct find **)dc_task_get_args(sub) = find;
		rc = tse_task_register_comp_cb(sub, find_end, &find, sizeof(find));
		if (rc == 0) {
			(void)dc_task_schedule(sub, true);
			return;
		}
		dc_task_free(sub);
	}
	find_free(find);
	cb(arg, rc, NULL, NULL);
}
