/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Contexts and stacks. Around a switch (ult_switch.h) stand the notes AddressSanitizer,
 * ThreadSanitizer and valgrind need to follow.
 *
 *   low                                                        high
 *   | guard page | stack ............................. | struct ult |
 */
#define D_LOGFAC LOG_FAC_ULT
#include "ult/ult_internal.h"

#include <string.h>
#include "base/log.h"

#ifdef ULT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef ULT_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

size_t
ult_map_bytes(size_t stack_bytes)
{
	size_t page_bytes = plat_page_bytes();

#if defined(ULT_ASAN) || defined(ULT_TSAN)
	stack_bytes *= 4; /* instrumented frames are larger */
#endif
	return align_up(stack_bytes + sizeof(struct ult), page_bytes) + page_bytes;
}

struct ult *
ult_map(size_t map_bytes)
{
	size_t      page_bytes = plat_page_bytes();
	char       *map = plat_map_stack(map_bytes);
	struct ult *ult;

	if (map == NULL)
		return NULL;
	ult = (struct ult *)(map + map_bytes - align_up(sizeof(struct ult), 64));
	ult->map = map;
	ult->map_bytes = map_bytes;
	ult->ctx.stack_low = map + page_bytes;
	ult->ctx.stack_bytes = (char *)ult - map - page_bytes;
#ifdef HAVE_VALGRIND
	ult->valgrind_id = VALGRIND_STACK_REGISTER(ult->ctx.stack_low, ult);
#endif
	return ult;
}

void
ult_unmap(struct ult *ult)
{
#ifdef HAVE_VALGRIND
	VALGRIND_STACK_DEREGISTER(ult->valgrind_id);
#endif
#ifdef ULT_ASAN
	ASAN_UNPOISON_MEMORY_REGION(ult->ctx.stack_low, ult->ctx.stack_bytes);
#endif
	plat_unmap(ult->map, ult->map_bytes);
}

#if defined(ULT_ASAN) || defined(ULT_TSAN)

/** What a jump carries; on the stack of the one who jumps, valid until it runs again. */
struct ult_jump {
	struct ult_ctx *from;
	struct ult_ctx *to;
};

/** First code on the new side of any switch. Returns the context that runs now. */
static struct ult_ctx *
ctx_arrive(struct ult_jump *jump)
{
#ifdef ULT_ASAN
	__sanitizer_finish_switch_fiber(jump->to->fake_stack, &jump->from->stack_low,
					&jump->from->stack_bytes);
#endif
	return jump->to;
}

MAY_YIELD void
ult_ctx_switch(struct ult_ctx *from, struct ult_ctx *to, bool ends)
{
	struct ult_jump jump = {from, to};

#ifdef ULT_ASAN
	__sanitizer_start_switch_fiber(ends ? NULL : &from->fake_stack, to->stack_low,
				       to->stack_bytes);
#endif
#ifdef ULT_TSAN
	__tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
	(void)ctx_arrive(ult_jump(&from->fctx, to->fctx, &jump));
}

MAY_YIELD void
ult_ctx_call(struct ult_ctx *from, struct ult *ult)
{
	ult_ctx_make(ult);
	ult_ctx_switch(from, &ult->ctx, false);
}

#else

static struct ult_ctx *
ctx_arrive(void *to)
{
	return to;
}

#endif

MAY_YIELD void
ult_jump_enter(void *data)
{
	struct ult     *ult = CONTAINER_OF(ctx_arrive(data), struct ult, ctx);
	struct ult_ctx *to  = ult_run(ult);

	ult_ctx_switch(&ult->ctx, to, true);
	__builtin_unreachable();
}

MAY_YIELD void *
ult_jump_called(void *data)
{
	return ult_run(data)->fctx;
}

void
ult_ctx_make(struct ult *ult)
{
	struct ult_ctx *ctx = &ult->ctx;

	ctx->fctx = ult_jump_make((char *)ctx->stack_low + ctx->stack_bytes, ctx->stack_bytes);
	ctx->fake_stack = NULL;
#ifdef ULT_TSAN
	ctx->tsan_fiber = __tsan_create_fiber(0);
#endif
}

void
ult_ctx_drop(struct ult *ult)
{
#ifdef ULT_ASAN
	ASAN_UNPOISON_MEMORY_REGION(ult->ctx.stack_low, ult->ctx.stack_bytes);
#endif
#ifdef ULT_TSAN
	if (ult->ctx.tsan_fiber != NULL)
		__tsan_destroy_fiber(ult->ctx.tsan_fiber);
#endif
}

void
ult_ctx_thread(struct ult_ctx *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
#ifdef ULT_TSAN
	ctx->tsan_fiber = __tsan_get_current_fiber();
#endif
}
