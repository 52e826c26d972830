/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Questions and orders of cart_ctl; both sides. */
#define D_LOGFAC LOG_FAC_CART
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_ctl.h"
#include "cart/crt_internal_proto.h"

/** Text that grows; what does not fit for want of memory is left out. */
struct text {
	char  *buf;
	size_t len, room;
};

static void PRINTF_LIKE(2, 3)
text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	size_t  need;

	va_start(ap, fmt);
	need = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (t->len + need + 1 > t->room) {
		size_t room = MAX_OF(t->room * 2, t->len + need + 256);
		char  *buf  = realloc(t->buf, room);

		if (buf == NULL)
			return;
		t->buf  = buf;
		t->room = room;
	}
	va_start(ap, fmt);
	t->len += vsnprintf(t->buf + t->len, t->room - t->len, fmt, ap);
	va_end(ap);
}

/* ---- questions ---- */

static void
uri_line(void *arg, d_rank_t rank, uint32_t tag, const char *uri)
{
	text_add(arg, "%u %u %s\n", rank, tag, uri);
}

/** What contexts have in use, and what the group says of the rest. */
static int
ctl_uri_cache(crt_rpc_t *rpc, struct text *t)
{
	struct crt    *crt = rpc->cr_ctx->crt;
	d_rank_list_t *ranks;
	char           uri[NA_URI_BYTES_MAX];
	int            rc = crt_group_ranks(crt, &ranks);

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < ranks->rl_nr; i++)
		if (crt_group_uri(crt, ranks->rl_ranks[i], uri, sizeof(uri)) == 0)
			text_add(t, "%u 0 %s\n", ranks->rl_ranks[i], uri);
	d_rank_list_free(ranks);
	crt_uri_cache_foreach(crt, uri_line, t);
	return 0;
}

static int
ctl_list_ctx(crt_rpc_t *rpc, struct text *t)
{
	struct crt         *crt = rpc->cr_ctx->crt;
	struct crt_ctl_out *out = rpc->cr_output;
	char                uri[NA_URI_BYTES_MAX];

	for (uint32_t tag = 0; tag < crt->attr.ctx_nr_max; tag++) {
		if (crt_self_uri(crt, tag, uri, sizeof(uri)) != 0)
			continue;
		text_add(t, "%u %s\n", tag, uri);
		out->value++;
	}
	return 0;
}

static int
ctl_hostname(crt_rpc_t *rpc, struct text *t)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) != 0)
		return -DER_MISC;
	text_add(t, "%s", name);
	return 0;
}

static int
ctl_pid(crt_rpc_t *rpc, struct text *t)
{
	((struct crt_ctl_out *)rpc->cr_output)->value = getpid();
	return 0;
}

static int
ctl_counters(crt_rpc_t *rpc, struct text *t)
{
	struct crt *crt = rpc->cr_ctx->crt;

	/* ctx_lock keeps contexts from ending, each one's own lock its numbers together */
	pthread_mutex_lock(&crt->ctx_lock);
	for (uint32_t i = 0; i < crt->attr.ctx_nr_max; i++) {
		struct crt_stats s;

		if (crt->ctxs[i] == NULL)
			continue;
		crt_context_stats(crt->ctxs[i], &s);
		text_add(t, "%u req_sent %lu\n%u req_recv %lu\n%u reply_recv %lu\n", i, s.req_sent, i,
			 s.req_recv, i, s.reply_recv);
		text_add(t, "%u timeouts %lu\n%u unreachable %lu\n%u late_replies %lu\n%u malformed %lu\n", i,
			 s.timeouts, i, s.unreachable, i, s.late_replies, i, s.malformed);
	}
	pthread_mutex_unlock(&crt->ctx_lock);
	return 0;
}

/* ---- orders ---- */

static int
ctl_enable_fi(crt_rpc_t *rpc, struct text *t)
{
	D_NOTE("faults are enabled by cart_ctl\n");
	crt_faults_enable(rpc->cr_ctx->crt, true);
	return 0;
}

static int
ctl_disable_fi(crt_rpc_t *rpc, struct text *t)
{
	D_NOTE("faults are disabled by cart_ctl\n");
	crt_faults_enable(rpc->cr_ctx->crt, false);
	return 0;
}

static int
ctl_set_fi_attr(crt_rpc_t *rpc, struct text *t)
{
	const struct crt_ctl_in *in   = rpc->cr_input;
	struct crt_fault_rule    rule = {.id        = in->fault_id,
					 .where     = in->fault_where,
					 .what      = in->fault_what,
					 .arg       = in->fault_arg,
					 .opc       = in->fault_opc,
					 .rank      = in->fault_rank,
					 .prob_ppm  = in->fault_ppm,
					 .interval  = in->fault_interval,
					 .fires_max = in->fault_max};

	return crt_fault_set(rpc->cr_ctx->crt, &rule);
}

static int
ctl_set_log(crt_rpc_t *rpc, struct text *t)
{
	const struct crt_ctl_in *in = rpc->cr_input;
	char                     now[512];
	int                      rc = d_log_setmasks(in->text == NULL ? "" : in->text);

	if (rc != 0)
		return rc;
	d_log_getmasks(now, sizeof(now));
	text_add(t, "%s", now);
	return 0;
}

static int
ctl_add_log_msg(crt_rpc_t *rpc, struct text *t)
{
	const struct crt_ctl_in *in = rpc->cr_input;

	D_NOTE("message by cart_ctl: %.200s\n", in->text == NULL ? "" : in->text);
	return 0;
}

static const struct {
	int (*run)(crt_rpc_t *rpc, struct text *t);
	bool order;
} commands[CRT_CTL_NR] = {
    [CRT_CTL_URI_CACHE]   = {ctl_uri_cache, false},
    [CRT_CTL_LIST_CTX]    = {ctl_list_ctx, false},
    [CRT_CTL_HOSTNAME]    = {ctl_hostname, false},
    [CRT_CTL_PID]         = {ctl_pid, false},
    [CRT_CTL_COUNTERS]    = {ctl_counters, false},
    [CRT_CTL_ENABLE_FI]   = {ctl_enable_fi, true},
    [CRT_CTL_DISABLE_FI]  = {ctl_disable_fi, true},
    [CRT_CTL_SET_FI_ATTR] = {ctl_set_fi_attr, true},
    [CRT_CTL_SET_LOG]     = {ctl_set_log, true},
    [CRT_CTL_ADD_LOG_MSG] = {ctl_add_log_msg, true},
};

void
crt_ctl_handler(crt_rpc_t *rpc)
{
	const struct crt_ctl_in *in  = rpc->cr_input;
	struct crt_ctl_out      *out = rpc->cr_output;
	struct text              t   = {0};

	if (in->cmd >= CRT_CTL_NR)
		out->rc = -DER_NOSYS;
	else if (commands[in->cmd].order && !rpc->cr_ctx->crt->attr.ctl_allowed)
		out->rc = -DER_NO_PERM;
	else
		out->rc = commands[in->cmd].run(rpc, &t);
	out->text = t.buf;
	crt_reply_send(rpc); /* a failure is the asker's timeout */
	out->text = NULL;
	free(t.buf);
}

/* ---- asking ---- */

struct ctl_call {
	crt_ctl_cb_t cb;
	void        *arg;
};

static void
ctl_done(const struct crt_cb_info *info)
{
	const struct ctl_call    *call = info->cci_arg;
	const struct crt_ctl_out *out  = info->cci_rpc->cr_output;
	int                       rc   = info->cci_rc != 0 ? info->cci_rc : out->rc;

	call->cb(call->arg, rc, rc == 0 ? out->value : 0, rc == 0 ? out->text : NULL);
}

int
crt_ctl(crt_context_t ctx, const crt_endpoint_t *ep, const struct crt_ctl_req *req, uint32_t timeout_s,
	crt_ctl_cb_t cb, void *arg)
{
	struct crt_ctl_in *in;
	struct ctl_call   *call;
	crt_rpc_t         *rpc;
	int                rc = crt_req_create(ctx, ep, CRT_INTERNAL_OPC(CRT_RPC_CTL), &rpc);

	if (rc != 0)
		return rc;
	call = crt_req_alloc(rpc, sizeof(*call));
	rc   = call == NULL ? -DER_NOMEM : crt_req_set_timeout(rpc, timeout_s);
	if (rc != 0) {
		crt_req_decref(rpc);
		return rc;
	}
	*call   = (struct ctl_call){.cb = cb, .arg = arg};
	in      = rpc->cr_input;
	in->cmd = req->cmd;
	if (req->text != NULL) {
		in->text = crt_req_alloc(rpc, strlen(req->text) + 1);
		if (in->text == NULL) {
			crt_req_decref(rpc);
			return -DER_NOMEM;
		}
		strcpy(in->text, req->text);
	}
	if (req->rule != NULL) {
		in->fault_id       = req->rule->id;
		in->fault_where    = req->rule->where;
		in->fault_what     = req->rule->what;
		in->fault_arg      = req->rule->arg;
		in->fault_opc      = req->rule->opc;
		in->fault_rank     = req->rule->rank;
		in->fault_ppm      = req->rule->prob_ppm;
		in->fault_interval = req->rule->interval;
		in->fault_max      = req->rule->fires_max;
	}
	return crt_req_send(rpc, ctl_done, call);
}
