/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Self-test, the side that is tested. A client opens a session that says which sizes it will use, so
 * that no request allocates; sessions of clients that vanished go when others are opened.
 *
 * Sessions belong to the thread that progresses their context.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include "base/log.h"
#include "cart/crt_internal_proto.h"
#include "cart/crt_selftest.h"
#include "platform/platform.h"

#define SESSION_NR_MAX  64
#define SESSIONS_BYTES_MAX (512ull << 20) /* of all in a context */
#define SESSION_IDLE_NS (60 * NSEC_PER_SEC)

struct st_session {
	d_list_t            link; /* ctx->st_sessions */
	uint64_t            id;
	uint64_t            used_ns;
	struct crt_st_size  send, reply;
	uint32_t            busy_nr; /* requests that use a buffer */
	uint32_t            buf_nr, free_nr;
	size_t              buf_bytes;
	char               *bufs;   /* [buf_nr * buf_bytes] */
	uint32_t           *free;   /* [free_nr] indices */
};

static void
session_free(struct st_session *s)
{
	d_list_del(&s->link);
	free(s->bufs);
	free(s->free);
	free(s);
}

void
crt_st_fini(struct crt_ctx *ctx)
{
	struct st_session *s;

	while ((s = d_list_first(&ctx->st_sessions, struct st_session, link)) != NULL)
		session_free(s);
}

static struct st_session *
session_find(struct crt_ctx *ctx, uint64_t id)
{
	struct st_session *s;

	d_list_for_each(s, &ctx->st_sessions, link)
		if (s->id == id)
			return s;
	return NULL;
}

/** Drop the idle. May one of @bytes be added to those that are left? */
static bool
sessions_room(struct crt_ctx *ctx, uint64_t now, uint64_t bytes)
{
	struct st_session *s, *tmp;
	uint32_t           nr = 0;

	d_list_for_each_safe(s, tmp, &ctx->st_sessions, link) {
		if (s->busy_nr == 0 && now - s->used_ns > SESSION_IDLE_NS) {
			session_free(s);
		} else {
			nr++;
			bytes += s->buf_nr * s->buf_bytes;
		}
	}
	return nr < SESSION_NR_MAX && bytes <= SESSIONS_BYTES_MAX;
}

static int
session_open(struct crt_ctx *ctx, const struct crt_st_open_in *in, uint64_t *ret_id)
{
	struct st_session *s;
	uint64_t           now   = plat_now_ns();
	uint64_t           bytes = MAX_OF(in->send_bulk ? in->send_bytes : 0, in->reply_bytes);

	if (in->inflight == 0 || in->inflight > CRT_ST_INFLIGHT_MAX || bytes * in->inflight > CRT_ST_BYTES_MAX)
		return -DER_INVAL;
	if (!sessions_room(ctx, now, bytes * in->inflight))
		return -DER_BUSY;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -DER_NOMEM;
	d_list_init(&s->link);
	s->send      = (struct crt_st_size){.bytes = in->send_bytes, .bulk = in->send_bulk};
	s->reply     = (struct crt_st_size){.bytes = in->reply_bytes, .bulk = in->reply_bulk};
	s->buf_nr    = in->inflight;
	s->buf_bytes = bytes;
	s->bufs      = calloc(s->buf_nr, MAX_OF(bytes, 1));
	s->free      = malloc(s->buf_nr * sizeof(*s->free));
	if (s->bufs == NULL || s->free == NULL) {
		session_free(s);
		return -DER_NOMEM;
	}
	for (; s->free_nr < s->buf_nr; s->free_nr++)
		s->free[s->free_nr] = s->free_nr;
	s->id      = plat_random() | 1;
	s->used_ns = now;
	d_list_add_tail(&s->link, &ctx->st_sessions);
	*ret_id = s->id;
	return 0;
}

void
crt_st_open_handler(crt_rpc_t *rpc)
{
	struct crt_st_open_out *out = rpc->cr_output;

	out->rc = session_open(rpc->cr_ctx, rpc->cr_input, &out->session);
	crt_reply_send(rpc); /* a failure is the client's timeout; cart has logged it */
}

void
crt_st_close_handler(crt_rpc_t *rpc)
{
	struct crt_st_close_in  *in  = rpc->cr_input;
	struct crt_st_close_out *out = rpc->cr_output;
	struct st_session       *s   = session_find(rpc->cr_ctx, in->session);

	out->rc = s == NULL ? -DER_NONEXIST : s->busy_nr > 0 ? -DER_BUSY : 0;
	if (out->rc == 0)
		session_free(s);
	crt_reply_send(rpc);
}

/* ---- a request ---- */

struct st_req {
	crt_rpc_t         *rpc;
	struct st_session *s;
	uint32_t           buf_idx;
	bool               replied_bulk;
};

static char *
req_buf(const struct st_req *r)
{
	return r->s->bufs + r->buf_idx * r->s->buf_bytes;
}

static void
req_answer(struct st_req *r, int rc)
{
	struct crt_st_test_out *out = r->rpc->cr_output;

	out->rc = rc;
	if (rc == 0 && !r->s->reply.bulk)
		d_iov_set(&out->data, req_buf(r), r->s->reply.bytes);
	crt_reply_send(r->rpc);
	r->s->free[r->s->free_nr++] = r->buf_idx;
	r->s->busy_nr--;
	crt_req_decref(r->rpc);
}

static void req_moved(void *arg, int rc);

static int
req_move(struct st_req *r, enum crt_bulk_op op, crt_bulk_t remote, uint32_t bytes)
{
	d_iov_t              iov = {.iov_buf = req_buf(r), .iov_buf_len = bytes};
	d_sg_list_t          sgl = {.sg_nr = 1, .sg_iovs = &iov};
	struct crt_bulk_desc d   = {.bd_rpc    = r->rpc,
				    .bd_op     = op,
				    .bd_remote = remote,
				    .bd_local  = &sgl,
				    .bd_len    = bytes};

	return crt_bulk_transfer(&d, req_moved, r);
}

static void
req_put(struct st_req *r)
{
	const struct crt_st_test_in *in = r->rpc->cr_input;
	int                          rc;

	if (!r->s->reply.bulk) {
		req_answer(r, 0);
		return;
	}
	r->replied_bulk = true;
	rc              = req_move(r, CRT_BULK_PUT, in->reply_bulk, r->s->reply.bytes);
	if (rc != 0)
		req_answer(r, rc);
}

static void
req_moved(void *arg, int rc)
{
	struct st_req *r = arg;

	if (rc != 0 || r->replied_bulk)
		req_answer(r, rc);
	else
		req_put(r);
}

void
crt_st_test_handler(crt_rpc_t *rpc)
{
	const struct crt_st_test_in *in  = rpc->cr_input;
	struct crt_st_test_out      *out = rpc->cr_output;
	struct st_session           *s   = session_find(rpc->cr_ctx, in->session);
	struct st_req               *r   = crt_req_alloc(rpc, sizeof(*r));
	int                          rc  = 0;

	if (s == NULL || r == NULL || s->free_nr == 0) {
		out->rc = s == NULL ? -DER_NONEXIST : r == NULL ? -DER_NOMEM : -DER_BUSY;
		crt_reply_send(rpc);
		return;
	}
	s->used_ns = plat_now_ns();
	s->busy_nr++;
	*r = (struct st_req){.rpc = rpc, .s = s, .buf_idx = s->free[--s->free_nr]};
	crt_req_addref(rpc);
	if (s->send.bulk)
		rc = req_move(r, CRT_BULK_GET, in->send_bulk, s->send.bytes);
	else
		req_put(r);
	if (rc != 0)
		req_answer(r, rc);
}
