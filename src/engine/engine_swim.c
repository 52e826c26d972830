/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Watching the other engines: SWIM runs on the monitoring xstream, whose context carries nothing else.
 *
 * What it finds goes to daos_server as an event: it decides who is a member. An engine that has lost
 * sight of more than half of the group is likely the one that is cut off: it accuses nobody, but asks
 * its server now and then whether it is a member still. One that the system has excluded is told so
 * in the answer; it ends itself, to be started and joined anew by its server, since the others have
 * gone on without it.
 */
#define D_LOGFAC LOG_FAC_SWIM
#include <signal.h>
#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_swim.h"
#include "drpc/mgmt.pb-c.h"
#include "engine/engine_internal.h"
#include "platform/platform.h"

#define CUT_OFF_ASK_PERIODS 8 /* of a second: how often to ask whether we are a member */

struct death {
	struct engine *eng;
	d_rank_t       rank;
	uint64_t       incarnation;
};

/** The server's answer, or the error of asking it. */
MAY_YIELD static int
event_call(struct engine *eng, const Mgmt__ClusterEventReq *req)
{
	size_t          bytes = mgmt__cluster_event_req__get_packed_size(req), reply_bytes;
	uint8_t        *body = malloc(bytes);
	void           *reply;
	Mgmt__DaosResp *resp;
	int             rc;

	if (body == NULL)
		return -DER_NOMEM;
	mgmt__cluster_event_req__pack(req, body);
	rc = dss_drpc_upcall(eng, DRPC_MODULE_SRV, DRPC_METHOD_SRV_CLUSTER_EVENT, body, bytes, &reply,
			     &reply_bytes);
	free(body);
	if (rc != 0)
		return rc;
	resp = mgmt__daos_resp__unpack(NULL, reply_bytes, reply);
	free(reply);
	if (resp == NULL)
		return -DER_PROTO;
	rc = resp->status;
	mgmt__daos_resp__free_unpacked(resp, NULL);
	return rc;
}

/** @rank CRT_NO_RANK: only ask whether we are a member. */
MAY_YIELD static int
death_report(struct engine *eng, d_rank_t rank, uint64_t incarnation)
{
	Mgmt__ClusterEventReq req = MGMT__CLUSTER_EVENT_REQ__INIT;
	char                  msg[64] = "more than half of the ranks do not answer";
	int                   rc;

	if (rank != CRT_NO_RANK)
		snprintf(msg, sizeof(msg), "SWIM marked rank %u as dead", rank);
	req.id = "swim_rank_dead";
	req.rank = rank;
	req.msg = msg;
	req.timestamp_ns = plat_realtime_ns();
	req.reporter = crt_rank_self(dss_crt(eng));
	req.incarnation = incarnation;
	rc = event_call(eng, &req);
	if (rc == -DER_EXCLUDED) {
		D_CRIT("%s: rank %u was excluded from the system while it was cut off; it ends, to join anew\n",
		       eng->name, req.reporter);
		kill(getpid(), SIGTERM);
	} else if (rc != 0) {
		D_WARN("%s: '%s' could not be reported: " DF_RC "\n", eng->name, msg, DP_RC(rc));
	}
	return rc;
}

MAY_YIELD static void
death_ult(void *arg)
{
	struct death d = *(struct death *)arg;

	free(arg);
	death_report(d.eng, d.rank, d.incarnation);
}

/** Do we see half of the group, or are we cut off? On the monitoring xstream. */
static bool
majority_seen(struct engine *eng)
{
	d_rank_list_t *ranks;
	uint32_t       alive = 0, nr;

	if (crt_group_ranks(dss_crt(eng), &ranks) != 0)
		return false;
	nr = ranks->rl_nr;
	for (uint32_t i = 0; i < nr; i++)
		alive += crt_swim_status(dss_crt(eng), ranks->rl_ranks[i]) != SWIM_DEAD; /* self, too */
	d_rank_list_free(ranks);
	return alive * 2 >= nr;
}

MAY_YIELD static void
cut_off_ult(void *arg)
{
	struct engine *eng = arg;

	for (uint32_t i = 0; !majority_seen(eng); i++) {
		if (atomic_load(&eng->state) != ENGINE_RUNNING)
			break;
		if (i % CUT_OFF_ASK_PERIODS == 0 && death_report(eng, CRT_NO_RANK, 0) == -DER_EXCLUDED)
			break;
		ult_sleep_ns(NSEC_PER_SEC);
	}
	eng->cut_off = false;
}

static void
on_status(struct crt *crt, d_rank_t rank, enum swim_status status, uint64_t incarnation, void *arg)
{
	struct engine *eng = arg;
	dss_rank_dead_fn_t fn = eng->rank_dead_fn;
	bool               cut_off;
	struct death      *d;

	if (status != SWIM_DEAD || rank == crt_rank_self(crt))
		return;
	cut_off = !majority_seen(eng);
	if (!cut_off && fn != NULL)
		fn(eng, rank);
	if (eng->drpc_dir[0] == '\0')
		return;
	if (cut_off) {
		if (!eng->cut_off && ult_create(NULL, ULT_POOL_GENERIC, cut_off_ult, eng, 0, NULL) == 0)
			eng->cut_off = true;
		return;
	}
	d = malloc(sizeof(*d));
	if (d == NULL)
		return;
	*d = (struct death){.eng = eng, .rank = rank, .incarnation = incarnation};
	if (ult_create(NULL, ULT_POOL_GENERIC, death_ult, d, 0, NULL) != 0)
		free(d);
}

void
dss_rank_dead_set(struct engine *eng, dss_rank_dead_fn_t fn)
{
	eng->rank_dead_fn = fn;
}

int
engine_swim_start(void *arg)
{
	struct engine     *eng = arg;
	struct swim_config config;

	crt_swim_config_env(&config);
	return crt_swim_enable(dss_self()->dx_ctx, &config, on_status, eng);
}

int
engine_swim_stop(void *arg)
{
	(void)arg;
	crt_swim_disable(dss_self()->dx_ctx);
	return 0;
}
