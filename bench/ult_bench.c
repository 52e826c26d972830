/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What ULTs cost, against the bare context switch they are made of. Prints ns:
 * jump: one way between two contexts; yield: from one of two ULTs to the other; create: create, run, join;
 * and the allocations of a thousand ULTs in steady state (allocs).
 */
#include <string.h>
#include <sys/mman.h>
#include "bench_util.h"
#include "base/log.h"
#include "ult/ult.h"

#define SWITCH_NR 2000000
#define CREATE_NR 500000
#define STACK_BYTES 65536

/* Boost.Context's C interface; its headers are C++ only. */
typedef struct {
	void *fctx;
	void *data;
} transfer_t;
transfer_t jump_fcontext(void *const to, void *data);
void      *make_fcontext(void *stack_high, size_t stack_bytes, void (*fn)(transfer_t));

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t nr, size_t bytes);
static uint64_t alloc_nr; /* one thread */

void *
malloc(size_t bytes)
{
	alloc_nr++;
	return __libc_malloc(bytes);
}

void *
calloc(size_t nr, size_t bytes)
{
	alloc_nr++;
	return __libc_calloc(nr, bytes);
}

/** Stacks are mapped, not allocated: those count, too. */
void *__real_plat_map_stack(size_t bytes);
void *__wrap_plat_map_stack(size_t bytes);

void *
__wrap_plat_map_stack(size_t bytes)
{
	alloc_nr++;
	return __real_plat_map_stack(bytes);
}

/** Of this thread: others that want the core do not count. */
static uint64_t
cpu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void
ping(transfer_t t)
{
	for (;;)
		t = jump_fcontext(t.fctx, NULL);
}

static double
jump_ns(void)
{
	char      *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	transfer_t t     = {.fctx = make_fcontext(stack + STACK_BYTES, STACK_BYTES, ping)};
	uint64_t   begin;

	for (int i = 0; i < SWITCH_NR / 100; i++)
		t = jump_fcontext(t.fctx, NULL);
	begin = cpu_now_ns();
	for (int i = 0; i < SWITCH_NR / 2; i++)
		t = jump_fcontext(t.fctx, NULL);
	return (double)(cpu_now_ns() - begin) / SWITCH_NR;
}

static void
yielder(void *arg)
{
	for (int i = 0; i < SWITCH_NR / 2; i++)
		ult_yield();
}

static double
yield_ns(void)
{
	struct ult *u[2];
	uint64_t    begin = cpu_now_ns();

	for (int i = 0; i < 2; i++)
		BENCH_CHECK(ult_create(NULL, ULT_POOL_GENERIC, yielder, NULL, 0, &u[i]) == 0);
	for (int i = 0; i < 2; i++)
		ult_join(u[i]);
	return (double)(cpu_now_ns() - begin) / SWITCH_NR;
}

static void
nothing(void *arg)
{
}

static double
create_ns(int nr)
{
	uint64_t begin = cpu_now_ns();

	for (int i = 0; i < nr; i++) {
		struct ult *u;

		BENCH_CHECK(ult_create(NULL, ULT_POOL_GENERIC, nothing, NULL, 0, &u) == 0);
		ult_join(u);
	}
	return (double)(cpu_now_ns() - begin) / nr;
}

static void
measure(void *arg)
{
	double   yield, create;
	uint64_t allocs;

	yield = yield_ns();
	(void)create_ns(1000);
	create = create_ns(CREATE_NR);
	allocs = alloc_nr;
	(void)create_ns(1000);
	allocs = alloc_nr - allocs;
	printf("{\"jump\": %.2f, \"yield\": %.2f, \"create\": %.2f, \"allocs\": %lu}\n", jump_ns(), yield, create,
	       (unsigned long)allocs);
}

int
main(void)
{
	struct ult_xs_attr attr = {.name = "bench", .core = -1};

	BENCH_CHECK(d_log_init() == 0);
	return ult_xs_run(&attr, measure, NULL) != 0;
}
