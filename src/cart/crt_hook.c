/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What is called in each poll of a context (CRT-27). A hook says when it must be called at the
 * latest, so a context with nothing to do sleeps: hook_next_ns is the earliest of these, and counts
 * among the context's timeouts.
 *
 * A hook is called when its time has come or when something was handled, never under the lock, by
 * the thread that progresses. Registering and removing happen there, too, or before progress begins.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"

int
crt_register_progress_cb(crt_context_t ctx, crt_progress_cb_t cb, void *arg)
{
	struct crt_hook *hooks;
	int              rc = -DER_NOMEM;

	pthread_mutex_lock(&ctx->lock);
	hooks = realloc(ctx->hooks, (ctx->hook_nr + 1) * sizeof(*hooks));
	if (hooks != NULL) {
		ctx->hooks = hooks;
		ctx->hooks[ctx->hook_nr++] = (struct crt_hook){.cb = cb, .arg = arg};
		ctx->hook_next_ns = 0; /* soon, to learn when it wants to be called */
		crt_wake(ctx);
		rc = 0;
	}
	pthread_mutex_unlock(&ctx->lock);
	return rc;
}

void
crt_unregister_progress_cb(crt_context_t ctx, crt_progress_cb_t cb, void *arg)
{
	pthread_mutex_lock(&ctx->lock);
	for (uint32_t i = 0; i < ctx->hook_nr; i++) {
		if (ctx->hooks[i].cb != cb || ctx->hooks[i].arg != arg)
			continue;
		ctx->hook_nr--;
		memmove(&ctx->hooks[i], &ctx->hooks[i + 1],
			(ctx->hook_nr - i) * sizeof(ctx->hooks[0]));
		break;
	}
	if (ctx->hook_nr == 0)
		ctx->hook_next_ns = UINT64_MAX;
	pthread_mutex_unlock(&ctx->lock);
}

int
crt_hooks_run(struct crt_ctx *ctx)
{
	uint64_t next = UINT64_MAX;
	int      nr   = 0;

	ctx->hook_next_ns = UINT64_MAX; /* a kick meanwhile counts */
	for (uint32_t i = 0; i < ctx->hook_nr; i++) {
		struct crt_hook hook = ctx->hooks[i];
		uint64_t        at;

		pthread_mutex_unlock(&ctx->lock);
		at = hook.cb(ctx, hook.arg);
		pthread_mutex_lock(&ctx->lock);
		next = MIN_OF(next, at);
		nr++;
	}
	ctx->hook_next_ns = MIN_OF(ctx->hook_next_ns, next);
	return nr;
}

void
crt_progress_cb_kick(crt_context_t ctx)
{
	pthread_mutex_lock(&ctx->lock);
	if (ctx->hook_nr > 0) {
		ctx->hook_next_ns = 0;
		crt_wake(ctx);
	}
	pthread_mutex_unlock(&ctx->lock);
}
