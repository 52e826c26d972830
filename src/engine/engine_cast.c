/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * One request to many ranks. To a few it goes directly, all at once:
 *
 *     caller --request--> each rank
 *
 * To more it takes relays: the ranks are cut into about sqrt(N) slices, the first rank of each is its relay. So nobody
 * sends or takes more than about 2 sqrt(N) messages, and it takes two hops instead of a queue of N replies:
 *
 *     caller --DSS_CAST {opcode, input, slice}--> relay --request--> each rank of its slice, itself among them
 *            <------- {rank, error, output} ... -        <- replies
 *
 * A slice is a list of ranks, so nothing depends on what a relay knows of the group or of a pool.
 *
 * Invariants:
 *  1. done() is called once for each rank, in a ULT of the caller, whatever happens.
 *  2. A rank that is asked again may have carried the request out before: its relay did not answer. Those who use
 *     dss_rpc_multicast_once() see the relay's error instead.
 *  3. A relay gives its ranks less time than it has itself, so it answers though one of them does not.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <daos_errno.h>
#include "base/log.h"
#include "base/planted.h"
#include "base/rank_list.h"
#include "engine/engine_internal.h"
#include "engine/engine_cast.h"

#define RELAY_TIME(ns) ((ns) - (ns) / 4)

typedef int (*cast_done_t)(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg);

int
crt_proc_dss_outcomes(struct crt_proc *p, struct dss_outcomes *o)
{
	int rc = crt_proc_uint32_t(p, &o->nr);

	if (rc != 0)
		return rc;
	if (crt_proc_op(p) == CRT_PROC_DECODE) {
		if (o->nr > crt_proc_left(p))
			return -DER_PROTO;
		o->v = crt_proc_alloc(p, o->nr, sizeof(*o->v));
		if (o->v == NULL && o->nr > 0)
			return -DER_NOMEM;
	}
	for (uint32_t i = 0; i < o->nr && rc == 0; i++) {
		rc = crt_proc_int32_t(p, &o->v[i].rc);
		if (rc == 0)
			rc = crt_proc_iov(p, &o->v[i].output);
	}
	return rc;
}

CRT_RPC_DEFINE(dss_cast, DSS_CAST_IN, DSS_CAST_OUT)

/* ---- directly ---- */

/** How a request is made; an error is that of its rank. */
struct cast_call {
	uint32_t     tag;
	crt_opcode_t opc;
	uint64_t     timeout_ns; /**< 0: the default */
	int        (*fill)(crt_rpc_t *rpc, void *arg);
	void        *fill_arg;
	cast_done_t  done;
	void        *arg;
};

struct cast_leg {
	crt_rpc_t          *rpc; /**< NULL: it could not be made, for rc */
	struct ult_eventual done;
	int                 rc;
};

static int
leg_start(struct dss_xstream *dx, const struct cast_call *call, d_rank_t rank, struct cast_leg *leg)
{
	crt_endpoint_t ep = {.ep_rank = rank, .ep_tag = call->tag};
	crt_rpc_t     *rpc;
	int            rc = crt_req_create(dx->dx_ctx, &ep, call->opc, &rpc);

	if (rc != 0)
		return rc;
	rc = call->fill(rpc, call->fill_arg);
	if (rc == 0 && call->timeout_ns != 0)
		rc = crt_req_set_timeout_ns(rpc, call->timeout_ns);
	if (rc != 0) {
		crt_req_decref(rpc);
		return rc;
	}
	ult_eventual_init(&leg->done);
	crt_req_addref(rpc);
	leg->rpc = rpc;
	(void)crt_req_send(rpc, engine_rpc_sent, &leg->done);
	return 0;
}

MAY_YIELD static int
legs_end(struct cast_leg *legs, const d_rank_list_t *ranks, const struct cast_call *call)
{
	int rc = 0;

	for (uint32_t i = 0; i < ranks->rl_nr; i++) {
		struct cast_leg *leg = &legs[i];
		int              leg_rc = leg->rc;

		if (leg->rpc != NULL)
			leg_rc = ult_eventual_wait(&leg->done);
		leg_rc = call->done(leg->rpc, ranks->rl_ranks[i], leg_rc, call->arg);
		if (rc == 0)
			rc = leg_rc;
		if (leg->rpc != NULL && !(D_PLANTED(D_PLANTED_LEAK) && leg_rc != 0))
			crt_req_decref(leg->rpc);
	}
	return rc;
}

/** The first error that done() returned. */
MAY_YIELD static int
cast_directly(struct dss_xstream *dx, const d_rank_list_t *ranks, const struct cast_call *call)
{
	struct cast_leg *legs;
	int              rc;

	if (ranks->rl_nr == 0)
		return 0;
	legs = calloc(ranks->rl_nr, sizeof(*legs));
	if (legs == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < ranks->rl_nr; i++)
		legs[i].rc = leg_start(dx, call, ranks->rl_ranks[i], &legs[i]);
	rc = legs_end(legs, ranks, call);
	free(legs);
	return rc;
}

/* ---- at a relay ---- */

struct relay {
	crt_rpc_t           *cast; /**< owns what is collected */
	struct dss_outcomes *outcomes;
	uint32_t             nr;
};

static int
relay_fill(crt_rpc_t *rpc, void *arg)
{
	struct dss_cast_in *in = ((struct relay *)arg)->cast->cr_input;

	return crt_input_unpack(rpc, &in->input);
}

static int
relay_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	struct relay       *relay = arg;
	struct dss_outcome *o = &relay->outcomes->v[relay->nr++];

	if (rc == 0)
		rc = crt_output_pack(rpc, relay->cast, &o->output);
	o->rc = rc;
	return 0;
}

MAY_YIELD static int
relay_run(crt_rpc_t *rpc)
{
	struct dss_cast_in  *in = rpc->cr_input;
	struct dss_cast_out *out = rpc->cr_output;
	struct relay         relay = {.cast = rpc, .outcomes = &out->outcomes};
	struct cast_call     call = {.tag = in->tag,
				     .opc = in->opc,
				     .timeout_ns = RELAY_TIME(in->timeout_ns),
				     .fill = relay_fill,
				     .fill_arg = &relay,
				     .done = relay_done,
				     .arg = &relay};
	int                  rc;

	if (rpc->cr_ep.ep_rank == CRT_NO_RANK) /* what a client may not ask it may not have others ask */
		return -DER_NO_PERM;
	if (in->ranks == NULL || in->ranks->rl_nr == 0 || in->opc == rpc->cr_opc || in->timeout_ns == 0)
		return -DER_INVAL;
	out->outcomes.v = crt_req_alloc(rpc, in->ranks->rl_nr * sizeof(*out->outcomes.v));
	if (out->outcomes.v == NULL)
		return -DER_NOMEM;
	memset(out->outcomes.v, 0, in->ranks->rl_nr * sizeof(*out->outcomes.v));
	rc = cast_directly(dss_self(), in->ranks, &call);
	out->outcomes.nr = relay.nr;
	return rc;
}

MAY_YIELD static void
cast_handler(crt_rpc_t *rpc)
{
	struct dss_cast_out *out = rpc->cr_output;

	out->rc = relay_run(rpc);
	if (out->rc != 0)
		out->outcomes.nr = 0;
	crt_reply_send(rpc);
}

static const struct crt_proto_rpc cast_rpcs[] = {{.format = &dss_cast_format, .handler = cast_handler}};
const struct crt_proto engine_cast_proto = {
	.name = "dss", .mod_id = CRT_MOD_DSS, .version = 1, .rpc_nr = ARRAY_NR(cast_rpcs), .rpcs = cast_rpcs};

/* ---- over relays ---- */

/** A request to many, at the one who asks. */
struct relayed {
	struct dss_xstream     *dx;
	const struct cast_call *call;
	const d_rank_list_t    *ranks;
	uint32_t                slice_nr;
	crt_rpc_t              *sample; /**< the request as each rank gets it */
	d_iov_t                 input;
	uint32_t                next;   /**< the slice whose request is filled next */
	uint32_t                ended;  /**< slices that are done with */
	bool                    once;
	d_rank_list_t          *again;  /**< ranks to be asked directly */
	int                     rc;     /**< the first error that done() returned */
};

static d_rank_list_t
slice_of(const struct relayed *r, uint32_t slice)
{
	uint32_t first = (uint64_t)r->ranks->rl_nr * slice / r->slice_nr;
	uint32_t end = (uint64_t)r->ranks->rl_nr * (slice + 1) / r->slice_nr;

	return (d_rank_list_t){.rl_ranks = r->ranks->rl_ranks + first, .rl_nr = end - first};
}

static int
outcome_tell(struct relayed *r, d_rank_t rank, int rc, const d_iov_t *output)
{
	const struct cast_call *call = r->call;
	crt_endpoint_t          ep = {.ep_rank = rank, .ep_tag = call->tag};
	crt_rpc_t              *rpc = NULL;
	int                     create_rc = crt_req_create(r->dx->dx_ctx, &ep, call->opc, &rpc);

	if (create_rc != 0)
		return call->done(NULL, rank, create_rc, call->arg);
	if (rc == 0)
		rc = crt_output_unpack(rpc, output);
	rc = call->done(rpc, rank, rc, call->arg);
	crt_req_decref(rpc);
	return rc;
}

static void
slice_told(struct relayed *r, const d_rank_list_t *slice, const struct dss_outcomes *outcomes)
{
	for (uint32_t i = 0; i < slice->rl_nr; i++) {
		int rc = outcome_tell(r, slice->rl_ranks[i], outcomes->v[i].rc, &outcomes->v[i].output);

		if (r->rc == 0)
			r->rc = rc;
	}
}

/** Nobody knows what became of them. */
static void
slice_lost(struct relayed *r, const d_rank_list_t *slice, int rc)
{
	D_INFO("a request %x to %u ranks failed at their relay, rank %u: " DF_RC, r->call->opc, slice->rl_nr,
	       slice->rl_ranks[0], DP_RC(rc));
	for (uint32_t i = 0; i < slice->rl_nr; i++) {
		int told_rc;

		if (!r->once && d_rank_list_append(r->again, slice->rl_ranks[i]) == 0)
			continue;
		told_rc = outcome_tell(r, slice->rl_ranks[i], rc, NULL);
		if (r->rc == 0)
			r->rc = told_rc;
	}
}

static int
slice_fill(crt_rpc_t *rpc, void *arg)
{
	struct relayed     *r = arg;
	struct dss_cast_in *in = rpc->cr_input;
	d_rank_list_t       slice = slice_of(r, r->next++);
	d_rank_list_t      *ranks = crt_req_alloc(rpc, sizeof(*ranks));

	if (ranks == NULL)
		return -DER_NOMEM;
	*ranks = slice; /* it borrows the list */
	in->opc = r->call->opc;
	in->tag = r->call->tag;
	in->timeout_ns = crt_req_timeout_ns(rpc);
	in->ranks = ranks;
	in->input = r->input;
	return 0;
}

static int
slice_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	struct relayed      *r = arg;
	d_rank_list_t        slice = slice_of(r, r->ended++);
	struct dss_cast_out *out = rpc == NULL ? NULL : rpc->cr_output;

	if (rc == 0)
		rc = out->rc;
	if (rc == 0 && out->outcomes.nr != slice.rl_nr)
		rc = -DER_PROTO;
	if (rc == 0)
		slice_told(r, &slice, &out->outcomes);
	else
		slice_lost(r, &slice, rc);
	return 0;
}

MAY_YIELD static int
relays_ask(struct relayed *r, d_rank_list_t *relays)
{
	struct cast_call call = {.tag = DSS_TAG_SYS,
				 .opc = DSS_CAST_OPC,
				 .fill = slice_fill,
				 .fill_arg = r,
				 .done = slice_done,
				 .arg = r};
	int              rc;

	for (uint32_t i = 0; i < r->slice_nr; i++)
		relays->rl_ranks[i] = slice_of(r, i).rl_ranks[0];
	rc = cast_directly(r->dx, relays, &call);
	if (rc != 0) /* nothing was sent */
		return rc;
	rc = cast_directly(r->dx, r->again, r->call);
	return r->rc != 0 ? r->rc : rc;
}

/** The smallest number whose square is not less. */
static uint32_t
root_up(uint32_t nr)
{
	uint32_t root = 1;

	while ((uint64_t)root * root < nr)
		root++;
	return root;
}

MAY_YIELD static int
cast_over_relays(struct dss_xstream *dx, const d_rank_list_t *ranks, const struct cast_call *call, bool once)
{
	struct relayed r = {.dx = dx, .call = call, .ranks = ranks, .slice_nr = root_up(ranks->rl_nr), .once = once};
	crt_endpoint_t ep = {.ep_rank = ranks->rl_ranks[0], .ep_tag = call->tag};
	d_rank_list_t *relays = d_rank_list_alloc(r.slice_nr);
	int            rc = -DER_NOMEM;

	r.again = d_rank_list_alloc(0);
	if (relays != NULL && r.again != NULL)
		rc = crt_req_create(dx->dx_ctx, &ep, call->opc, &r.sample);
	if (rc == 0) {
		rc = call->fill(r.sample, call->fill_arg);
		if (rc == 0)
			rc = crt_input_pack(r.sample, r.sample, &r.input);
		if (rc == 0)
			rc = relays_ask(&r, relays);
		crt_req_decref(r.sample);
	}
	d_rank_list_free(relays);
	d_rank_list_free(r.again);
	return rc;
}

/* ---- for modules ---- */

struct plain_fill {
	void (*fill)(crt_rpc_t *rpc, void *arg);
	void  *arg;
};

static int
fill_plainly(crt_rpc_t *rpc, void *arg)
{
	struct plain_fill *plain = arg;

	plain->fill(rpc, plain->arg);
	return 0;
}

MAY_YIELD static int
multicast(struct dss_xstream *dx, const d_rank_list_t *ranks, struct cast_call *call, void (*fill)(crt_rpc_t *rpc, void *arg),
	  bool once)
{
	struct plain_fill plain = {.fill = fill, .arg = call->arg};

	call->fill = fill_plainly;
	call->fill_arg = &plain;
	if (ranks->rl_nr <= dx->dx_engine->relay_nr_min)
		return cast_directly(dx, ranks, call);
	return cast_over_relays(dx, ranks, call, once);
}

MAY_YIELD int
dss_rpc_multicast(struct dss_xstream *dx, const d_rank_list_t *ranks, uint32_t tag, crt_opcode_t opc,
		  void (*fill)(crt_rpc_t *rpc, void *arg), cast_done_t done, void *arg)
{
	struct cast_call call = {.tag = tag, .opc = opc, .done = done, .arg = arg};

	return multicast(dx, ranks, &call, fill, false);
}

MAY_YIELD int
dss_rpc_multicast_once(struct dss_xstream *dx, const d_rank_list_t *ranks, uint32_t tag, crt_opcode_t opc,
		       void (*fill)(crt_rpc_t *rpc, void *arg), cast_done_t done, void *arg)
{
	struct cast_call call = {.tag = tag, .opc = opc, .done = done, .arg = arg};

	return multicast(dx, ranks, &call, fill, true);
}
