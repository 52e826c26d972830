/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Incast variables: values that ranks of a namespace share over a tree, each rank keeping the copies
 * it wants. The root of a key decides; a fetch goes up the tree until a rank has the value and
 * leaves copies on its way back; an update goes up to the root, and from there to all, if wanted.
 *
 * What a value is, and where copies are kept, is its class's: the callbacks below. They run in
 * crt_progress() of the namespace's context, one at a time, and do not wait; unless the class's pre_
 * callbacks move them elsewhere.
 *
 * Fetches of one key that meet at a rank are merged: one goes on. When the parent cannot be reached,
 * a request goes to the root itself. When the root cannot, the operation fails, until the group (or
 * the class's choice of a root) has changed.
 */
#pragma once

#include "cart/crt_corpc.h"

struct crt_iv_ns;

#define CRT_IV_KEY_BYTES_MAX 256

/** A value and the version that its updater gave it. What versions mean is the class's matter. */
struct crt_iv_value {
	d_iov_t  data;
	uint64_t version;
};

/**
 * A class may want to run its on_ callback elsewhere or later, in a ULT, say: its pre_ gets @go and calls
 * go(go_arg) once, in the thread that progresses the context; the callback runs in that call.
 */
typedef void (*crt_iv_pre_t)(struct crt_iv_ns *ns, const d_iov_t *key, void (*go)(void *go_arg), void *go_arg,
			     void *arg);

struct crt_iv_class {
	/** The rank that is the root for @key. */
	d_rank_t (*on_hash)(struct crt_iv_ns *ns, const d_iov_t *key, void *arg);
	/** Memory for a value: iov_buf, iov_buf_len; NULL: what malloc() gives, iov_buf_len at most 64 KiB. */
	int  (*on_get)(struct crt_iv_ns *ns, const d_iov_t *key, d_iov_t *ret_value, void *arg);
	void (*on_put)(struct crt_iv_ns *ns, d_iov_t *value, void *arg);
	/** Put the value into @value, set iov_len and version; -DER_IVCB_FORWARD: ask the parent (at the root: none). */
	int  (*on_fetch)(struct crt_iv_ns *ns, const d_iov_t *key, struct crt_iv_value *value, void *arg);
	/** Take @value for the key: 0, it is done here; -DER_IVCB_FORWARD: pass it on (not at the root). */
	int  (*on_update)(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg);
	/**
	 * The value of @key is @value now; NULL: unknown, a copy is not valid any more. After a fetch or
	 * an update that passed here, and when the root tells all; of two updates the later may be told
	 * first, which their versions show. May be NULL: no copies.
	 */
	int  (*on_refresh)(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg);
	/** Before on_fetch, on_update, on_refresh; NULL: those run at once. */
	crt_iv_pre_t pre_fetch;
	crt_iv_pre_t pre_update;
	crt_iv_pre_t pre_refresh;
	/**
	 * What the root tells all is about to be passed on by this rank, the root included; an error keeps
	 * it and those below from hearing of it. Runs at once. NULL: it is passed on.
	 */
	int  (*pre_sync)(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg);
};

struct crt_iv_ns_attr {
	uint32_t                   id;    /**< the same on all ranks, one a context */
	const struct crt_iv_class *classes; /**< [class_nr], borrowed */
	uint32_t                   class_nr;
	struct crt_tree            tree;
	const d_rank_list_t       *ranks; /**< who takes part; NULL: the whole group. Copied */
	void                      *arg;   /**< for the callbacks */
};
/** All ranks use contexts of the same tag. Errors: EXIST | INVAL | NOMEM */
int  crt_iv_ns_create(crt_context_t ctx, const struct crt_iv_ns_attr *attr, struct crt_iv_ns **ret_ns) MUST_CHECK;
/** Operations under way end as they end, and their callbacks run. */
void crt_iv_ns_destroy(struct crt_iv_ns *ns);
uint32_t crt_iv_ns_id(const struct crt_iv_ns *ns);
d_rank_t crt_iv_self(const struct crt_iv_ns *ns);

enum crt_iv_sync_mode {
	CRT_IV_SYNC_NONE,  /**< ranks on the way to the root know it */
	CRT_IV_SYNC_EAGER, /**< complete when all know */
	CRT_IV_SYNC_LAZY,  /**< complete when the root knows; all are told afterwards */
	CRT_IV_SYNC_NR
};
enum crt_iv_flags {
	CRT_IV_NOTIFY   = 1 << 0, /**< tell the others only that their copies are out of date */
	CRT_IV_SHORTCUT = 1 << 1, /**< to the root itself, not by way of the tree */
	CRT_IV_FLAGS    = (1 << 2) - 1,
};

/** @value: after a fetch, what was found, borrowed during the call. Once for each operation. */
typedef void (*crt_iv_cb_t)(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, int rc,
			    void *arg);
/** @key is copied. Errors: INVAL | NOMEM; else @cb says: NONEXIST the root has no value | GRPVER | UNREACH ... */
int crt_iv_fetch(struct crt_iv_ns *ns, uint32_t class_id, const d_iov_t *key, uint32_t flags, crt_iv_cb_t cb,
		 void *arg) MUST_CHECK;
/** @value is copied. With EAGER, -DER_CORPC_INCOMPLETE: the root has it, some were not reached. */
int crt_iv_update(struct crt_iv_ns *ns, uint32_t class_id, const d_iov_t *key, const d_iov_t *value,
		  uint64_t version, enum crt_iv_sync_mode sync, uint32_t flags, crt_iv_cb_t cb, void *arg) MUST_CHECK;
/** Copies of @key are out of date, up to the root, and by @sync at all. */
int crt_iv_invalidate(struct crt_iv_ns *ns, uint32_t class_id, const d_iov_t *key, enum crt_iv_sync_mode sync,
		      uint32_t flags, crt_iv_cb_t cb, void *arg) MUST_CHECK;
