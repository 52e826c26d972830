/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What modules do from their ULTs: start ULTs elsewhere, work on all targets at once, send requests
 * and move bulk data while only the calling ULT waits.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <daos_errno.h>
#include "base/log.h"
#include "engine/engine_internal.h"

int
dss_ult_create(struct engine *eng, uint32_t xs_id, enum ult_pool pool, ult_fn_t fn, void *arg,
	       struct ult **ret_ult)
{
	if (xs_id >= eng->xs_nr)
		return -DER_INVAL;
	return ult_create(eng->xss[xs_id]->pub.dx_xs, pool, fn, arg, 0, ret_ult);
}

MAY_YIELD int
dss_ult_execute(struct engine *eng, uint32_t xs_id, int (*fn)(void *arg), void *arg)
{
	if (xs_id >= eng->xs_nr)
		return -DER_INVAL;
	return engine_xs_call(eng->xss[xs_id], fn, arg);
}

/* ---- all targets ---- */

struct tgt_call {
	int       (*fn)(void *arg, uint32_t tgt);
	void       *arg;
	uint32_t    tgt;
	int         rc;
	struct ult *ult;
};

MAY_YIELD static void
tgt_call_ult(void *arg)
{
	struct tgt_call *call = arg;

	call->rc = call->fn(call->arg, call->tgt);
}

MAY_YIELD int
dss_tgt_collective(struct engine *eng, int (*fn)(void *arg, uint32_t tgt), void *arg)
{
	struct tgt_call *calls = calloc(eng->tgt_nr, sizeof(*calls));
	int              rc = 0;

	if (calls == NULL)
		return -DER_NOMEM;
	for (uint32_t t = 0; t < eng->tgt_nr; t++) {
		calls[t] = (struct tgt_call){.fn = fn, .arg = arg, .tgt = t};
		/* The ULT may end before this returns: its value must not be overwritten. */
		int create_rc = dss_ult_create(eng, DSS_XS_OF_TGT(t), ULT_POOL_GENERIC, tgt_call_ult,
					       &calls[t], &calls[t].ult);

		if (create_rc != 0)
			calls[t] = (struct tgt_call){.rc = create_rc};
	}
	for (uint32_t t = 0; t < eng->tgt_nr; t++) {
		if (calls[t].ult != NULL)
			ult_join(calls[t].ult);
		if (rc == 0)
			rc = calls[t].rc;
	}
	free(calls);
	return rc;
}

/* ---- requests ---- */

void
engine_rpc_sent(const struct crt_cb_info *info)
{
	ult_eventual_set(info->cci_arg, info->cci_rc);
}

MAY_YIELD int
dss_rpc_send(crt_rpc_t *rpc)
{
	struct ult_eventual done;

	ult_eventual_init(&done);
	crt_req_addref(rpc); /* crt_req_send() takes one; the caller reads the reply with its own */
	(void)crt_req_send(rpc, engine_rpc_sent, &done);
	return ult_eventual_wait(&done);
}

/* ---- bulk ---- */

static void
bulk_moved(void *arg, int rc)
{
	ult_eventual_set(arg, rc);
}

MAY_YIELD int
dss_bulk_transfer(const struct crt_bulk_desc *desc)
{
	struct ult_eventual done;
	int                 rc;

	ult_eventual_init(&done);
	rc = crt_bulk_transfer(desc, bulk_moved, &done);
	return rc != 0 ? rc : ult_eventual_wait(&done);
}
