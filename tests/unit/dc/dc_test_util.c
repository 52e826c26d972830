/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "dc_test_util.h"

CRT_RPC_DEFINE(dt, DT_IN, DT_OUT)

static void
dt_handler(crt_rpc_t *rpc)
{
	struct dt_srv *srv = crt_context_data(rpc->cr_ctx);
	struct dt_in  *in = rpc->cr_input;
	struct dt_out *out = rpc->cr_output;
	uint32_t       nr = ++srv->asked;

	if (srv->silent) {
		assert_true(srv->kept_nr < ARRAY_NR(srv->kept));
		crt_req_addref(rpc);
		srv->kept[srv->kept_nr++] = rpc;
		return;
	}
	out->x = in->x;
	out->rc = srv->rc_for != 0 && nr > srv->rc_for ? 0 : srv->rc;
	out->hint_valid = srv->hint >= 0;
	out->hint_rank = (uint32_t)srv->hint;
	out->hint_term = 1;
	assert_int_equal(crt_reply_send(rpc), 0);
}

static const struct crt_proto_rpc    srv_rpcs[] = {{&dt_format, dt_handler, 0}};
static const struct crt_proto	     srv_proto = {"dt", DT_MOD, DT_VERSION, 1, srv_rpcs};
static const struct crt_proto_rpc    cli_rpcs[] = {{&dt_format, NULL, 0}};
static const struct crt_proto	     cli_proto = {"dt", DT_MOD, DT_VERSION, 1, cli_rpcs};
static const struct dc_module	     dt_module = {.dm_name = "dt", .dm_proto = &cli_proto};
static const struct dc_module *const dt_modules[] = {&dt_module};

static void
srv_run(void *arg)
{
	struct dt_srv *srv = arg;

	while (!srv->stop)
		(void)crt_progress(srv->ctx, 2000);
	for (uint32_t i = 0; i < srv->kept_nr; i++) {
		(void)crt_reply_send(srv->kept[i]);
		crt_req_decref(srv->kept[i]);
	}
}

static void
srv_start(struct dt *dt, uint32_t rank)
{
	struct dt_srv  *srv = &dt->srv[rank];
	struct crt_attr attr = {.provider = "self", .server = true, .world = dt->world};

	srv->hint = -1;
	assert_int_equal(crt_init(&attr, &srv->crt), 0);
	assert_int_equal(crt_proto_register(srv->crt, &srv_proto), 0);
	crt_rank_self_set(srv->crt, rank);
	assert_int_equal(crt_context_create(srv->crt, &srv->ctx), 0);
	crt_context_set_data(srv->ctx, srv);
	assert_int_equal(plat_thread_create("dt_srv", srv_run, srv, &srv->thread), 0);
}

struct client *
dt_client(struct dt *dt)
{
	char		   uris[DT_SRV_MAX][NA_URI_BYTES_MAX];
	struct crt_member  members[DT_SRV_MAX];
	d_rank_t	   ms_ranks[] = {0};
	struct client_attr attr = {.sys_name = "test",
				   .provider = "self",
				   .world = dt->world,
				   .members = members,
				   .member_nr = dt->srv_nr,
				   .ms_ranks = ms_ranks,
				   .ms_rank_nr = 1,
				   .modules = dt_modules,
				   .module_nr = 1};
	struct client	  *cl;

	for (uint32_t i = 0; i < dt->srv_nr; i++) {
		assert_int_equal(crt_context_uri(dt->srv[i].ctx, uris[i], sizeof(uris[i])), 0);
		members[i] = (struct crt_member){.rank = i, .uri = uris[i]};
	}
	assert_int_equal(client_create(&attr, &cl), 0);
	return cl;
}

void
dt_start(struct dt *dt, uint32_t srv_nr)
{
	memset(dt, 0, sizeof(*dt));
	assert_int_equal(na_self_world_create(&dt->world), 0);
	for (dt->srv_nr = 0; dt->srv_nr < srv_nr; dt->srv_nr++)
		srv_start(dt, dt->srv_nr);
	dt->cl = dt_client(dt);
	client_set_current(dt->cl);
}

void
dt_stop(struct dt *dt)
{
	client_set_current(NULL);
	client_destroy(dt->cl);
	for (uint32_t i = 0; i < dt->srv_nr; i++) {
		dt->srv[i].stop = true;
		plat_thread_join(dt->srv[i].thread);
		crt_context_destroy(dt->srv[i].ctx);
		crt_fini(dt->srv[i].crt);
	}
	na_self_world_destroy(dt->world);
}

static void
dt_task_time(void *arg)
{
	tse_task_t     *task = arg;
	struct dt_args *args = dc_task_get_args(task);

	tse_task_complete(task, dc_task_is_aborted(task) ? -DER_CANCELED : args->rc);
}

int
dt_task(tse_task_t *task)
{
	struct dt_args *args = dc_task_get_args(task);

	if (args->delay_us == 0) {
		tse_task_complete(task, args->rc);
		return args->rc;
	}
	args->timer.fn = dt_task_time;
	args->timer.arg = task;
	dc_timer_arm(dc_task2dctx(task), &args->timer, args->delay_us * NSEC_PER_USEC);
	return 0;
}

int
dt_call(int rc, uint64_t delay_us, daos_event_t *ev)
{
	tse_task_t     *task;
	struct dt_args *args;
	int		err;

	err = dc_task_create(dt_task, NULL, ev, &task);
	if (err != 0)
		return err;
	args = dc_task_get_args(task);
	args->rc = rc;
	args->delay_us = delay_us;
	return dc_task_schedule(task, true);
}
