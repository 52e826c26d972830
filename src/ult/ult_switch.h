/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The bare context switch. On x86-64 our own: the six registers that a called function preserves are
 * pushed, stacks change, and a `ret` goes on where the other side called. A jump there would do, but
 * processors predict the `ret` of a call, and after a jump mispredict every return up the other
 * stack; that costs more than all the rest. Rounding modes (mxcsr, x87) are those of the thread:
 * nobody here changes them. Elsewhere it is Boost.Context's.
 *
 * For the same reason a context that somebody waits for is best begun by a call (ult_jump_call): if
 * it never waits itself, calls and returns match all the way, and nothing is mispredicted. Begun by
 * a jump and left by a jump it costs a misprediction for each return up the stack of the one who waits.
 */
#pragma once

#include <stddef.h>

/** Leave: note in *@ret_from where to go on, go on at @to. Returns what the one who comes back passes. */
void *ult_jump(void **ret_from, void *to, void *data);
/** Where a context begins that calls ult_jump_enter() with what the first jump to it passes. */
void *ult_jump_make(void *stack_high, size_t stack_bytes);
/** The user's; does not return. */
void ult_jump_enter(void *data);
/**
 * Begin a context on an unused stack: leave as ult_jump() does, run ult_jump_called() with @data
 * there, and go on at what that returns.
 */
void ult_jump_call(void **ret_from, void *stack_high, size_t stack_bytes, void *data);
/** The user's; may leave by ult_jump() and be come back to. Returns where to go on. */
void *ult_jump_called(void *data);
