/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Incast variables: namespaces, and local calls. What becomes of those is in crt_iv_op.c. */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_iv_internal.h"

/* ---- namespaces ---- */

static void
ns_put_locked(struct crt_iv_ns *ns)
{
	if (--ns->refs > 0)
		return;
	d_list_del(&ns->link);
	d_rank_list_free(ns->ranks);
	free(ns);
}

struct crt_iv_ns *
iv_ns_get_locked(struct crt_ctx *ctx, uint32_t id)
{
	struct crt_iv_ns *ns;

	d_list_for_each(ns, &ctx->iv_nss, link) {
		if (ns->id == id) {
			ns->refs++;
			return ns;
		}
	}
	return NULL;
}

struct crt_iv_ns *
iv_ns_get(struct crt_ctx *ctx, uint32_t id)
{
	struct crt_iv_ns *ns;

	pthread_mutex_lock(&ctx->lock);
	ns = iv_ns_get_locked(ctx, id);
	pthread_mutex_unlock(&ctx->lock);
	return ns;
}

void
iv_ns_ref(struct crt_iv_ns *ns)
{
	pthread_mutex_lock(&ns->ctx->lock);
	ns->refs++;
	pthread_mutex_unlock(&ns->ctx->lock);
}

void
iv_ns_put(struct crt_iv_ns *ns)
{
	struct crt_ctx *ctx = ns->ctx;

	pthread_mutex_lock(&ctx->lock);
	ns_put_locked(ns);
	pthread_mutex_unlock(&ctx->lock);
}

int
crt_iv_ns_create(crt_context_t ctx, const struct crt_iv_ns_attr *attr, struct crt_iv_ns **ret_ns)
{
	struct crt_iv_ns *ns, *other;
	int               rc = 0;

	if (!crt_tree_valid(attr->tree) || attr->class_nr == 0)
		return -DER_INVAL;
	ns = calloc(1, sizeof(*ns));
	if (ns == NULL)
		return -DER_NOMEM;
	*ns = (struct crt_iv_ns){.ctx      = ctx,
				 .id       = attr->id,
				 .refs     = 1,
				 .classes  = attr->classes,
				 .class_nr = attr->class_nr,
				 .tree     = attr->tree,
				 .arg      = attr->arg};
	d_list_init(&ns->link);
	d_list_init(&ns->fetches);
	if (attr->ranks != NULL)
		rc = d_rank_list_dup(attr->ranks, &ns->ranks);
	pthread_mutex_lock(&ctx->lock);
	other = rc == 0 ? iv_ns_get_locked(ctx, attr->id) : NULL;
	if (other != NULL) {
		ns_put_locked(other);
		rc = -DER_EXIST;
	}
	if (rc == 0)
		d_list_add_tail(&ns->link, &ctx->iv_nss);
	else
		ns_put_locked(ns);
	pthread_mutex_unlock(&ctx->lock);
	if (rc == 0)
		*ret_ns = ns;
	return rc;
}

void
crt_iv_ns_destroy(struct crt_iv_ns *ns)
{
	struct crt_ctx *ctx;

	if (ns == NULL)
		return;
	ctx = ns->ctx;
	pthread_mutex_lock(&ctx->lock);
	d_list_del(&ns->link); /* requests do not find it any more */
	ns_put_locked(ns);
	pthread_mutex_unlock(&ctx->lock);
}

uint32_t
crt_iv_ns_id(const struct crt_iv_ns *ns)
{
	return ns->id;
}

d_rank_t
crt_iv_self(const struct crt_iv_ns *ns)
{
	return crt_rank_self(ns->ctx->crt);
}

/* ---- local calls ---- */

static void
op_work(struct crt_work *work)
{
	iv_op_run(CONTAINER_OF(work, struct iv_op, work));
}

static int
call(struct crt_iv_ns *ns, enum iv_kind kind, uint32_t class_id, const d_iov_t *key, const d_iov_t *value,
     uint64_t version, enum crt_iv_sync_mode sync, uint32_t flags, crt_iv_cb_t cb, void *arg)
{
	struct iv_op *op;

	if (class_id >= ns->class_nr || key->iov_len > CRT_IV_KEY_BYTES_MAX || sync >= CRT_IV_SYNC_NR ||
	    (flags & ~CRT_IV_FLAGS) != 0 || value->iov_len > CRT_BODY_BYTES_MAX / 4)
		return -DER_INVAL;
	op = iv_op_alloc(kind, class_id, key, value, key->iov_len + value->iov_len);
	if (op == NULL)
		return -DER_NOMEM;
	if (key->iov_len > 0)
		memcpy(op->buf, key->iov_buf, key->iov_len);
	if (value->iov_len > 0)
		memcpy(op->buf + key->iov_len, value->iov_buf, value->iov_len);
	d_iov_set(&op->key, op->buf, key->iov_len);
	d_iov_set(&op->value, op->buf + key->iov_len, value->iov_len);
	op->ns    = ns;
	op->version = version;
	op->sync  = sync;
	op->flags = flags;
	op->cb    = cb;
	op->arg   = arg;
	pthread_mutex_lock(&ns->ctx->lock);
	ns->refs++;
	crt_work_add(ns->ctx, &op->work, op_work);
	pthread_mutex_unlock(&ns->ctx->lock);
	return 0;
}

int
crt_iv_fetch(struct crt_iv_ns *ns, uint32_t class_id, const d_iov_t *key, uint32_t flags, crt_iv_cb_t cb, void *arg)
{
	static const d_iov_t none;

	return call(ns, IV_FETCH, class_id, key, &none, 0, CRT_IV_SYNC_NONE, flags, cb, arg);
}

int
crt_iv_update(struct crt_iv_ns *ns, uint32_t class_id, const d_iov_t *key, const d_iov_t *value,
	      uint64_t version, enum crt_iv_sync_mode sync, uint32_t flags, crt_iv_cb_t cb, void *arg)
{
	return call(ns, IV_UPDATE, class_id, key, value, version, sync, flags, cb, arg);
}

int
crt_iv_invalidate(struct crt_iv_ns *ns, uint32_t class_id, const d_iov_t *key, enum crt_iv_sync_mode sync,
		  uint32_t flags, crt_iv_cb_t cb, void *arg)
{
	static const d_iov_t none;

	return call(ns, IV_INVALIDATE, class_id, key, &none, 0, sync, flags, cb, arg);
}

