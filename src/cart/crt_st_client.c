/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Self-test, the side that tests: sessions with all endpoints, then `inflight` slots that each send one
 * request after the other, then the sessions' end. It runs in a tool, or in a server that another
 * process asked to test others (START, STATUS).
 *
 * A run belongs to the thread that progresses its context.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal_proto.h"
#include "cart/crt_selftest.h"
#include "platform/platform.h"

#define PAGE_BYTES 4096
/* what another process may have this one use: less than a tool uses for itself */
#define JOB_BYTES_MAX  (64u << 20)
#define JOB_REP_NR_MAX 1000000

struct st_slot {
	struct st_run *run;
	uint32_t       rep, ep;
	uint64_t       start_ns;
	char          *mem; /* what send and reply point into */
	char          *send, *reply;
	crt_bulk_t     send_bulk, reply_bulk;
};

struct st_run {
	struct crt_ctx      *ctx;
	struct crt_st_params p;
	crt_endpoint_t      *eps;
	uint64_t            *sessions; /* [p.ep_nr]; 0: none */
	struct st_slot      *slots;    /* [p.inflight] */
	uint32_t             next_rep, waiting_nr;
	uint64_t             start_ns, rng;
	struct crt_st_result result;
	int                  rc;
	crt_st_cb_t          cb;
	void                *arg;
};

/* ---- memory ---- */

static void
slot_fini(struct st_slot *slot)
{
	crt_bulk_free(slot->send_bulk);
	crt_bulk_free(slot->reply_bulk);
	free(slot->mem);
}

static void
run_free(struct st_run *run)
{
	for (uint32_t i = 0; run->slots != NULL && i < run->p.inflight; i++)
		slot_fini(&run->slots[i]);
	free(run->slots);
	free(run->eps);
	free(run->sessions);
	free(run->result.latency_ns);
	free(run->result.ep_idx);
	free(run);
}

static int
bulk_of(struct st_run *run, char *buf, struct crt_st_size size, enum crt_bulk_perm perm, crt_bulk_t *ret)
{
	d_iov_t     iov = {.iov_buf = buf, .iov_buf_len = size.bytes};
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	return size.bulk ? crt_bulk_create(run->ctx, &sgl, perm, ret) : 0;
}

static int
slot_init(struct st_run *run, struct st_slot *slot)
{
	const struct crt_st_params *p    = &run->p;
	size_t                      send = align_up(p->send.bytes, PAGE_BYTES) + PAGE_BYTES;
	size_t                      all  = send + align_up(p->reply.bytes, PAGE_BYTES) + PAGE_BYTES;
	int                         rc;

	slot->run = run;
	slot->mem = aligned_alloc(PAGE_BYTES, all);
	if (slot->mem == NULL)
		return -DER_NOMEM;
	memset(slot->mem, 0x5a, all);
	slot->send  = slot->mem + p->align;
	slot->reply = slot->mem + send + p->align;
	rc = bulk_of(run, slot->send, p->send, CRT_BULK_RO, &slot->send_bulk);
	if (rc == 0)
		rc = bulk_of(run, slot->reply, p->reply, CRT_BULK_WO, &slot->reply_bulk);
	return rc;
}

static bool
params_valid(const struct crt_st_params *p)
{
	return p->ep_nr > 0 && p->ep_nr <= 65536 && p->rep_nr > 0 && p->rep_nr <= CRT_ST_REP_NR_MAX &&
	       p->inflight > 0 && p->inflight <= CRT_ST_INFLIGHT_MAX && p->align < PAGE_BYTES &&
	       (uint64_t)p->send.bytes * p->inflight <= CRT_ST_BYTES_MAX &&
	       (uint64_t)p->reply.bytes * p->inflight <= CRT_ST_BYTES_MAX &&
	       (p->send.bulk || p->send.bytes < CRT_BODY_BYTES_MAX - PAGE_BYTES) &&
	       (p->reply.bulk || p->reply.bytes < CRT_BODY_BYTES_MAX - PAGE_BYTES);
}

static int
run_create(struct crt_ctx *ctx, const struct crt_st_params *p, struct st_run **ret_run)
{
	struct st_run *run = calloc(1, sizeof(*run));
	int            rc  = 0;

	if (run == NULL)
		return -DER_NOMEM;
	run->ctx        = ctx;
	run->p          = *p;
	run->p.inflight = MIN_OF(p->inflight, p->rep_nr);
	run->rng        = plat_random() | 1;
	run->eps        = malloc(p->ep_nr * sizeof(*run->eps));
	run->sessions   = calloc(p->ep_nr, sizeof(*run->sessions));
	run->slots      = calloc(run->p.inflight, sizeof(*run->slots));
	run->result.latency_ns = calloc(p->rep_nr, sizeof(*run->result.latency_ns));
	run->result.ep_idx     = calloc(p->rep_nr, sizeof(*run->result.ep_idx));
	if (run->eps == NULL || run->sessions == NULL || run->slots == NULL ||
	    run->result.latency_ns == NULL || run->result.ep_idx == NULL)
		rc = -DER_NOMEM;
	for (uint32_t i = 0; i < run->p.inflight && rc == 0; i++)
		rc = slot_init(run, &run->slots[i]);
	if (rc != 0) {
		run_free(run);
		return rc;
	}
	memcpy(run->eps, p->eps, p->ep_nr * sizeof(*run->eps));
	run->p.eps = run->eps;
	*ret_run = run;
	return 0;
}

/* ---- the end ---- */

static void
run_end(struct st_run *run)
{
	run->cb(run->arg, run->rc, run->rc == 0 ? &run->result : NULL);
	run_free(run);
}

static void
closed(const struct crt_cb_info *info)
{
	struct st_run *run = info->cci_arg;

	if (--run->waiting_nr == 0)
		run_end(run);
}

static void
sessions_close(struct st_run *run)
{
	run->waiting_nr = 1;
	for (uint32_t i = 0; i < run->p.ep_nr; i++) {
		crt_rpc_t *req;

		if (run->sessions[i] == 0 || crt_req_create(run->ctx, &run->eps[i],
							    CRT_INTERNAL_OPC(CRT_RPC_ST_CLOSE), &req) != 0)
			continue; /* it expires */
		((struct crt_st_close_in *)req->cr_input)->session = run->sessions[i];
		run->waiting_nr++;
		crt_req_send(req, closed, run);
	}
	if (--run->waiting_nr == 0)
		run_end(run);
}

/* ---- requests ---- */

static void slot_send(struct st_slot *slot);

static void
slot_done(const struct crt_cb_info *info)
{
	struct st_slot               *slot = info->cci_arg;
	struct st_run                *run  = slot->run;
	const struct crt_st_test_out *out  = info->cci_rpc->cr_output;
	int                           rc   = info->cci_rc != 0 ? info->cci_rc : out->rc;

	run->result.ep_idx[slot->rep] = slot->ep;
	if (rc == 0)
		run->result.latency_ns[slot->rep] = MAX_OF(plat_now_ns() - slot->start_ns, 1);
	else if (run->result.fail_nr++ == 0)
		run->result.first_error = rc;
	if (rc == -DER_CANCELED) { /* the context ends */
		run->result.fail_nr += run->p.rep_nr - run->next_rep;
		run->next_rep = run->p.rep_nr;
	}
	run->waiting_nr--;
	if (run->next_rep < run->p.rep_nr) {
		slot_send(slot);
	} else if (run->waiting_nr == 0) {
		run->result.duration_ns = plat_now_ns() - run->start_ns;
		sessions_close(run);
	}
}

static uint32_t
ep_choose(struct st_run *run, uint32_t rep)
{
	if (!run->p.randomize)
		return rep % run->p.ep_nr;
	run->rng ^= run->rng << 13;
	run->rng ^= run->rng >> 7;
	run->rng ^= run->rng << 17;
	return run->rng % run->p.ep_nr;
}

static void
slot_send(struct st_slot *slot)
{
	struct st_run         *run = slot->run;
	struct crt_st_test_in *in;
	crt_rpc_t             *req;

	slot->rep      = run->next_rep++;
	slot->ep       = ep_choose(run, slot->rep);
	slot->start_ns = plat_now_ns();
	run->waiting_nr++;
	if (crt_req_create(run->ctx, &run->eps[slot->ep], CRT_INTERNAL_OPC(CRT_RPC_ST_TEST), &req) != 0) {
		/* no memory: what is left is not sent, and counts as failed */
		run->result.fail_nr += run->p.rep_nr - slot->rep;
		run->result.first_error = -DER_NOMEM;
		run->next_rep = run->p.rep_nr;
		if (--run->waiting_nr == 0)
			sessions_close(run);
		return;
	}
	in             = req->cr_input;
	in->session    = run->sessions[slot->ep];
	in->send_bulk  = slot->send_bulk;
	in->reply_bulk = slot->reply_bulk;
	if (!run->p.send.bulk)
		d_iov_set(&in->data, slot->send, run->p.send.bytes);
	crt_req_send(req, slot_done, slot);
}

static void
slots_begin(struct st_run *run)
{
	run->result.rep_nr = run->p.rep_nr;
	run->start_ns      = plat_now_ns();
	for (uint32_t i = 0; i < run->p.inflight && run->next_rep < run->p.rep_nr; i++)
		slot_send(&run->slots[i]);
}

/* ---- sessions ---- */

static void
all_opened(struct st_run *run)
{
	if (run->rc != 0)
		sessions_close(run);
	else
		slots_begin(run);
}

static void
opened(const struct crt_cb_info *info)
{
	struct st_run                *run = info->cci_arg;
	const struct crt_st_open_out *out = info->cci_rpc->cr_output;
	const struct crt_st_open_in  *in  = info->cci_rpc->cr_input;
	int                           rc  = info->cci_rc != 0 ? info->cci_rc : out->rc;

	if (rc == 0)
		run->sessions[in->tag] = out->session;
	else if (run->rc == 0)
		run->rc = rc;
	if (--run->waiting_nr == 0)
		all_opened(run);
}

int
crt_st_run(crt_context_t ctx, const struct crt_st_params *params, crt_st_cb_t cb, void *arg)
{
	struct st_run *run;
	int            rc = params_valid(params) ? run_create(ctx, params, &run) : -DER_INVAL;

	if (rc != 0)
		return rc;
	run->cb         = cb;
	run->arg        = arg;
	run->waiting_nr = 1;
	for (uint32_t i = 0; i < run->p.ep_nr; i++) {
		struct crt_st_open_in *in;
		crt_rpc_t             *req;

		rc = crt_req_create(ctx, &run->eps[i], CRT_INTERNAL_OPC(CRT_RPC_ST_OPEN), &req);
		if (rc != 0) {
			run->rc = rc;
			break;
		}
		in  = req->cr_input;
		*in = (struct crt_st_open_in){.tag         = i,
					      .inflight    = run->p.inflight,
					      .send_bytes  = run->p.send.bytes,
					      .send_bulk   = run->p.send.bulk,
					      .reply_bytes = run->p.reply.bytes,
					      .reply_bulk  = run->p.reply.bulk};
		run->waiting_nr++;
		crt_req_send(req, opened, run);
	}
	if (--run->waiting_nr == 0)
		all_opened(run);
	return 0;
}

/* ---- a server that tests others: START, STATUS ---- */

struct crt_st_job {
	bool                 running;
	crt_rpc_t           *waiter; /* STATUS that is answered at the end */
	int                  rc;
	struct crt_st_result result; /* copies */
};

void
crt_st_job_free(struct crt_st_job *job)
{
	if (job == NULL)
		return;
	free(job->result.latency_ns);
	free(job->result.ep_idx);
	free(job);
}

static void *
copy_of(const void *src, size_t bytes)
{
	void *dst = malloc(MAX_OF(bytes, 1));

	return dst == NULL ? NULL : memcpy(dst, src, bytes);
}

static void
status_fill(const struct crt_st_job *job, struct crt_st_status_out *out)
{
	out->rc = job->rc;
	if (job->rc != 0)
		return;
	out->duration_ns = job->result.duration_ns;
	out->fail_nr     = job->result.fail_nr;
	out->first_error = job->result.first_error;
	out->latencies   = (struct crt_u64_array){job->result.rep_nr, job->result.latency_ns};
	out->ep_idx      = (struct crt_u32_array){job->result.rep_nr, job->result.ep_idx};
}

static void
job_done(void *arg, int rc, const struct crt_st_result *result)
{
	struct crt_st_job *job = arg;

	job->running = false;
	job->rc      = rc;
	if (result != NULL) {
		size_t nr = result->rep_nr;

		job->result            = *result;
		job->result.latency_ns = copy_of(result->latency_ns, nr * sizeof(*result->latency_ns));
		job->result.ep_idx     = copy_of(result->ep_idx, nr * sizeof(*result->ep_idx));
		if (job->result.latency_ns == NULL || job->result.ep_idx == NULL)
			job->rc = -DER_NOMEM;
	}
	if (job->waiter != NULL) {
		status_fill(job, job->waiter->cr_output);
		crt_reply_send(job->waiter); /* a failure is the asker's timeout: it asks again */
		crt_req_decref(job->waiter);
		job->waiter = NULL;
	}
}

static int
job_start(struct crt_ctx *ctx, const struct crt_st_start_in *in)
{
	struct crt_st_params p = {.ep_nr     = in->eps.nr / 2,
				  .send      = {.bytes = in->send_bytes, .bulk = in->send_bulk},
				  .reply     = {.bytes = in->reply_bytes, .bulk = in->reply_bulk},
				  .rep_nr    = in->rep_nr,
				  .inflight  = in->inflight,
				  .align     = in->align,
				  .randomize = in->randomize};
	crt_endpoint_t      *eps;
	int                  rc;

	if (in->rep_nr > JOB_REP_NR_MAX || in->inflight > CRT_ST_INFLIGHT_MAX ||
	    ((uint64_t)in->send_bytes + in->reply_bytes + 4 * PAGE_BYTES) * in->inflight > JOB_BYTES_MAX)
		return -DER_INVAL;
	if (ctx->st_job != NULL && ctx->st_job->running)
		return -DER_BUSY;
	crt_st_job_free(ctx->st_job);
	ctx->st_job = calloc(1, sizeof(*ctx->st_job));
	eps         = calloc(MAX_OF(p.ep_nr, 1), sizeof(*eps));
	if (ctx->st_job == NULL || eps == NULL) {
		free(eps);
		return -DER_NOMEM;
	}
	for (uint32_t i = 0; i < p.ep_nr; i++)
		eps[i] = (crt_endpoint_t){.ep_rank = in->eps.v[2 * i], .ep_tag = in->eps.v[2 * i + 1]};
	p.eps                = eps;
	ctx->st_job->running = true;
	rc                   = crt_st_run(ctx, &p, job_done, ctx->st_job);
	if (rc != 0)
		ctx->st_job->running = false;
	free(eps);
	return rc;
}

void
crt_st_start_handler(crt_rpc_t *rpc)
{
	struct crt_st_start_out *out = rpc->cr_output;

	out->rc = job_start(rpc->cr_ctx, rpc->cr_input);
	crt_reply_send(rpc);
}

/** Held until the end, since asking again and again would disturb what is measured. */
void
crt_st_status_handler(crt_rpc_t *rpc)
{
	struct crt_st_status_out *out = rpc->cr_output;
	struct crt_st_job        *job = rpc->cr_ctx->st_job;

	if (job != NULL && job->running) {
		if (job->waiter != NULL) { /* who asks anew has given up on that one */
			((struct crt_st_status_out *)job->waiter->cr_output)->running = true;
			crt_reply_send(job->waiter);
			crt_req_decref(job->waiter);
		}
		crt_req_addref(rpc);
		job->waiter = rpc;
		return;
	}
	if (job == NULL)
		out->rc = -DER_NONEXIST;
	else
		status_fill(job, out);
	crt_reply_send(rpc);
}

/* ---- asking a server to test others ---- */

struct remote {
	struct crt_ctx *ctx;
	crt_endpoint_t  master;
	crt_st_cb_t     cb;
	void           *arg;
};

static void
remote_end(struct remote *r, int rc, const struct crt_st_result *result)
{
	r->cb(r->arg, rc, result);
	free(r);
}

static void status_ask(struct remote *r);

static void
status_done(const struct crt_cb_info *info)
{
	struct remote                  *r   = info->cci_arg;
	const struct crt_st_status_out *out = info->cci_rpc->cr_output;
	struct crt_st_result            result;

	if (info->cci_rc == -DER_TIMEDOUT) { /* a long test */
		status_ask(r);
		return;
	}
	if (info->cci_rc != 0 || out->rc != 0) {
		remote_end(r, info->cci_rc != 0 ? info->cci_rc : out->rc, NULL);
		return;
	}
	if (out->running) {
		status_ask(r);
		return;
	}
	result = (struct crt_st_result){.duration_ns = out->duration_ns,
					.rep_nr      = MIN_OF(out->latencies.nr, out->ep_idx.nr),
					.fail_nr     = out->fail_nr,
					.first_error = out->first_error,
					.latency_ns  = out->latencies.v,
					.ep_idx      = out->ep_idx.v};
	remote_end(r, 0, &result);
}

static void
status_ask(struct remote *r)
{
	crt_rpc_t *req;
	int        rc = crt_req_create(r->ctx, &r->master, CRT_INTERNAL_OPC(CRT_RPC_ST_STATUS), &req);

	if (rc != 0)
		remote_end(r, rc, NULL);
	else
		crt_req_send(req, status_done, r);
}

static void
started(const struct crt_cb_info *info)
{
	struct remote                 *r   = info->cci_arg;
	const struct crt_st_start_out *out = info->cci_rpc->cr_output;
	int                            rc  = info->cci_rc != 0 ? info->cci_rc : out->rc;

	if (rc != 0)
		remote_end(r, rc, NULL);
	else
		status_ask(r);
}

int
crt_st_run_at(crt_context_t ctx, const crt_endpoint_t *master, const struct crt_st_params *p, crt_st_cb_t cb,
	      void *arg)
{
	struct remote          *r;
	struct crt_st_start_in *in;
	crt_rpc_t              *req;
	uint32_t               *eps;
	int                     rc;

	if (!params_valid(p))
		return -DER_INVAL;
	rc = crt_req_create(ctx, master, CRT_INTERNAL_OPC(CRT_RPC_ST_START), &req);
	if (rc != 0)
		return rc;
	r   = malloc(sizeof(*r));
	eps = crt_req_alloc(req, p->ep_nr * 2 * sizeof(*eps));
	if (r == NULL || eps == NULL) {
		free(r);
		crt_req_decref(req);
		return -DER_NOMEM;
	}
	*r = (struct remote){.ctx = ctx, .master = *master, .cb = cb, .arg = arg};
	for (uint32_t i = 0; i < p->ep_nr; i++) {
		eps[2 * i]     = p->eps[i].ep_rank;
		eps[2 * i + 1] = p->eps[i].ep_tag;
	}
	in  = req->cr_input;
	*in = (struct crt_st_start_in){.eps         = {p->ep_nr * 2, eps},
				       .rep_nr      = p->rep_nr,
				       .inflight    = p->inflight,
				       .align       = p->align,
				       .randomize   = p->randomize,
				       .send_bytes  = p->send.bytes,
				       .send_bulk   = p->send.bulk,
				       .reply_bytes = p->reply.bytes,
				       .reply_bulk  = p->reply.bulk};
	return crt_req_send(req, started, r);
}
