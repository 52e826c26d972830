/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What the files of incast variables share: namespaces (crt_iv.c), operations on their way up
 * (crt_iv_op.c), what the root tells all (crt_iv_sync.c). The theory is in crt_iv_op.c.
 */
#pragma once

#include "cart/crt_internal_proto.h"
#include "cart/crt_iv.h"

struct crt_iv_ns {
	d_list_t                   link; /* ctx->iv_nss */
	struct crt_ctx            *ctx;
	uint32_t                   id, refs;
	const struct crt_iv_class *classes;
	uint32_t                   class_nr;
	struct crt_tree            tree;
	d_rank_list_t             *ranks; /* NULL: the group */
	void                      *arg;
	d_list_t                   fetches;
};

enum iv_kind { IV_FETCH, IV_UPDATE, IV_INVALIDATE, IV_KIND_NR };

struct iv_op {
	struct crt_work       work;
	struct crt_iv_ns     *ns;
	d_list_t              link, joined; /* of a fetch: ns->fetches, or another's joined */
	enum iv_kind          kind;
	uint32_t              class_id, flags;
	enum crt_iv_sync_mode sync;
	d_iov_t               key, value; /* value: what is to be, or was fetched */
	crt_iv_cb_t           cb;
	void                 *arg;
	crt_rpc_t            *rpc;      /* NULL: a local call */
	uint64_t              version;
	const struct crt_iv_value *news; /* what on_refresh is to be told; NULL: that copies are not valid */
	struct crt_iv_value   value_mem; /* news, often */
	void                (*then)(struct iv_op *op); /* after on_refresh */
	crt_rpc_t            *reply;    /* of the parent, while what it says is taken over */
	int                   rc;       /* how it will end, then */
	int                   refresh_rc; /* what on_refresh said */
	bool                  at_root_asked; /* the parent failed: asked the root */
	char                  buf[];    /* key and value of a local call */
};

/* crt_iv.c */
/** Under the context's lock; takes a reference. NULL: none of that id. */
struct crt_iv_ns *iv_ns_get_locked(struct crt_ctx *ctx, uint32_t id);
struct crt_iv_ns *iv_ns_get(struct crt_ctx *ctx, uint32_t id);
void iv_ns_ref(struct crt_iv_ns *ns);
void iv_ns_put(struct crt_iv_ns *ns);
static inline const struct crt_iv_class *
iv_class(const struct iv_op *op)
{
	return &op->ns->classes[op->class_id];
}

/* crt_iv_op.c */
/** NULL: no memory. Key and value are not copied. */
struct iv_op *iv_op_alloc(enum iv_kind kind, uint32_t class_id, const d_iov_t *key, const d_iov_t *value,
			  size_t buf_bytes);
void iv_op_run(struct iv_op *op);
/** The only end of one. @value: of a fetch that found it. */
void iv_op_end(struct iv_op *op, const struct crt_iv_value *value, int rc);
/** Tell the class the @news, then go on. */
void iv_op_refresh(struct iv_op *op, const struct crt_iv_value *news, void (*then)(struct iv_op *op));

/* crt_iv_sync.c */
/** The root has it: tell the others as op->sync says, and end the operation. */
void iv_root_spread(struct iv_op *op);
