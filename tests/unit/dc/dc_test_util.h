/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** A client, and servers that answer as told, on the in-process network. */
#pragma once

#include "dc/dc_internal.h"
#include "na/na.h"

#define DT_MOD	   201
#define DT_VERSION 1
#define DT_OPC	   CRT_OPC(DT_MOD, DT_VERSION, 0)
#define DT_SRV_MAX 4

#define DT_IN(F) F(uint32_t, x)
#define DT_OUT(F)                                                                                  \
	F(int32_t, rc)                                                                             \
	F(bool, hint_valid) F(uint32_t, hint_rank) F(uint64_t, hint_term) F(uint32_t, x)
CRT_RPC_DECLARE(dt, DT_IN, DT_OUT)

/** A server: what it answers, and how often it was asked. */
struct dt_srv {
	struct crt	   *crt;
	crt_context_t	    ctx;
	struct plat_thread *thread;
	_Atomic bool	    stop;
	_Atomic int	    rc;	    /**< its result */
	_Atomic int	    hint;   /**< rank it says leads; -1: none */
	_Atomic bool	    silent; /**< keeps requests */
	_Atomic uint32_t    asked;
	_Atomic uint32_t    rc_for; /**< answers rc so many times, then 0; 0: always */
	crt_rpc_t	   *kept[64];
	_Atomic uint32_t    kept_nr;
};

struct dt {
	struct na_self_world *world;
	struct dt_srv	      srv[DT_SRV_MAX];
	uint32_t	      srv_nr;
	struct client	     *cl;
};
/** @srv_nr servers with ranks 0 .. srv_nr - 1, and a client that is the thread's current one. */
void dt_start(struct dt *dt, uint32_t srv_nr);
void dt_stop(struct dt *dt);
/** One more client of the same servers. */
struct client *dt_client(struct dt *dt);

/* ---- tasks that need no server ---- */

/** In the task's arguments: end with rc, after delay_us of the context's timer; 0: at once. */
struct dt_args {
	int		rc;
	uint64_t	delay_us;
	struct dc_timer timer;
};
int dt_task(tse_task_t *task);
/** Start such a call. */
int dt_call(int rc, uint64_t delay_us, daos_event_t *ev);
