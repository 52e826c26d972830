/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Small things every layer uses: attributes, alignment, container_of.
 *
 * MAY_YIELD marks every function, static ones included, that can suspend the calling ULT. It is
 * the first word of the declaration (after `static`). The build checks that it is closed under
 * calls: whoever calls a MAY_YIELD function is one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#ifndef MAY_YIELD /* the check gives it a name to look for */
#define MAY_YIELD
#endif
#define MUST_CHECK       __attribute__((warn_unused_result))
#define PRINTF_LIKE(f,a) __attribute__((format(printf, f, a)))
#define LIKELY(x)        __builtin_expect(!!(x), 1)
#define UNLIKELY(x)      __builtin_expect(!!(x), 0)

#define ARRAY_NR(a)      (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN_OF(a, b)     ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)     ((a) > (b) ? (a) : (b))

/** Round @x up or down to a multiple of @a, a power of two. */
static inline uint64_t
align_up(uint64_t x, uint64_t a)
{
	return (x + a - 1) & ~(a - 1);
}

static inline uint64_t
align_down(uint64_t x, uint64_t a)
{
	return x & ~(a - 1);
}

/**
 * An invariant of ours: prints file, line, the expression and a backtrace, then aborts. Stays on in
 * release builds. Never used on bytes from a peer, a disk or a user: those return errors.
 */
#define D_ASSERT(cond) (LIKELY(cond) ? (void)0 : d_assert_fail(#cond, __FILE__, __LINE__, __func__))

__attribute__((noreturn, cold)) void d_assert_fail(const char *expr, const char *file, int line,
						   const char *func);
