/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Everything the process takes from outside: time, randomness, threads. Nothing else in src/ calls
 * clock_gettime(), rand(), getrandom() or pthread_create(). Two implementations, chosen when
 * linking: platform_real.c, and the simulated one. Devices come through bio, messages through na.
 */
#pragma once

#include "base/util.h"

#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  1000000000ULL

/** Monotonic, ns, never goes back. */
uint64_t plat_now_ns(void);
/** Wall clock, ns since 1970. */
uint64_t plat_realtime_ns(void);
/** 64 random bits, good enough for identifiers (not for keys: OpenSSL makes those). */
uint64_t plat_random(void);
void     plat_random_bytes(void *buf, size_t len);
/** A random (version 4) UUID. */
void     plat_uuid_generate(unsigned char uuid[16]);

/** Between two looks of a loop that spins: lets the core's other thread run. */
static inline void
plat_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

struct plat_thread;
/** Start a thread that has all signals blocked but faults. @name at most 15 characters. */
int  plat_thread_create(const char *name, void (*fn)(void *arg), void *arg,
			struct plat_thread **ret_thread) MUST_CHECK;
void plat_thread_join(struct plat_thread *thread);
/** Bind the calling thread to a core; -DER_NO_PERM where the machine refuses. */
int  plat_thread_bind(unsigned core);
unsigned plat_core_nr(void);
