/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The theory is in ult_switch.h. */
#include "ult/ult_switch.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

/* What a suspended context has on its stack, lowest first. */
struct frame {
	void *r15, *r14, *r13, *r12, *rbx, *rbp;
	void *go_on;
	void *end; /* of a new context: no caller */
};

/* a function begins with its return address 8 below a multiple of 16 */
static_assert(sizeof(struct frame) == 64, "end lies 8 below the top");
void ult_jump_first(void);
/** @top is where the stack begins, a multiple of 16. */
void ult_jump_call_at(void **ret_from, void *top, void *data);

__asm__(".text\n"
	".p2align 4\n"
	".globl ult_jump\n"
	".hidden ult_jump\n"
	".type ult_jump, @function\n"
	"ult_jump:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	movq %rdx, %rax\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size ult_jump, .-ult_jump\n"
	".p2align 4\n"
	".globl ult_jump_call_at\n"
	".hidden ult_jump_call_at\n"
	".type ult_jump_call_at, @function\n"
	"ult_jump_call_at:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	movq %rdx, %rdi\n"
	"	xorl %ebp, %ebp\n"
	"	call ult_jump_called\n"
	"	movq %rax, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size ult_jump_call_at, .-ult_jump_call_at\n"
	".globl ult_jump_first\n"
	".hidden ult_jump_first\n"
	".type ult_jump_first, @function\n"
	"ult_jump_first:\n"
	"	movq %rax, %rdi\n"
	"	jmp ult_jump_enter\n"
	".size ult_jump_first, .-ult_jump_first\n");

void *
ult_jump_make(void *stack_high, size_t stack_bytes)
{
	uintptr_t     top   = (uintptr_t)stack_high & ~(uintptr_t)15;
	struct frame *frame = (struct frame *)(top - sizeof(*frame));

	(void)stack_bytes;
	memset(frame, 0, sizeof(*frame));
	frame->go_on = (void *)ult_jump_first;
	return frame;
}

void
ult_jump_call(void **ret_from, void *stack_high, size_t stack_bytes, void *data)
{
	(void)stack_bytes;
	ult_jump_call_at(ret_from, (void *)((uintptr_t)stack_high & ~(uintptr_t)15), data);
}

#else

/* Boost.Context's C interface; its headers are C++ only. */
typedef struct {
	void *fctx;
	void *data;
} transfer_t;
transfer_t jump_fcontext(void *const to, void *data);
void      *make_fcontext(void *stack_high, size_t stack_bytes, void (*fn)(transfer_t));

struct jump {
	void **ret_from;
	void  *data;
};

static void *
arrive(transfer_t t)
{
	struct jump *jump = t.data;

	*jump->ret_from = t.fctx;
	return jump->data;
}

void *
ult_jump(void **ret_from, void *to, void *data)
{
	struct jump jump = {.ret_from = ret_from, .data = data};

	return arrive(jump_fcontext(to, &jump));
}

static void
enter(transfer_t t)
{
	ult_jump_enter(arrive(t));
}

void *
ult_jump_make(void *stack_high, size_t stack_bytes)
{
	return make_fcontext(stack_high, stack_bytes, enter);
}

static void
enter_called(transfer_t t)
{
	void *to = ult_jump_called(arrive(t));
	void *never;

	(void)ult_jump(&never, to, NULL);
}

void
ult_jump_call(void **ret_from, void *stack_high, size_t stack_bytes, void *data)
{
	(void)ult_jump(ret_from, make_fcontext(stack_high, stack_bytes, enter_called), data);
}

#endif
