/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Everything the process takes from outside: time, randomness, threads and what they block on, memory in
 * large pieces. Nothing else that an engine or a client runs calls clock_gettime(), rand(), getrandom(),
 * pthread_create(), epoll or futex. Two implementations, chosen when linking: platform_real.c with
 * platform_wait.c, and the simulated one. Devices come through bio, messages through na.
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

/* ---- what only a simulation has: nothing is left of these in an ordinary build ---- */

#ifdef PLATFORM_SIM
/** A thread that spins would keep the only real one: wait at once. */
#define PLAT_SPIN_PAYS false
/** True: the caller, which may be suspended here, shall be: let others run. */
bool     plat_sim_point(void);
/** Which of @nr that are equally entitled goes first. */
uint32_t plat_sim_pick(uint32_t nr);
/** A scheduler went round once: that takes time. */
void     plat_sim_turn(void);
void     plat_sim_relax(void);
#define plat_point()   plat_sim_point()
#define plat_pick(nr)  plat_sim_pick(nr)
#define plat_turn()    plat_sim_turn()
#else
#define PLAT_SPIN_PAYS true
#define plat_point()   false
#define plat_pick(nr)  0u
#define plat_turn()    ((void)0)
#endif

/** Between two looks of a loop that spins: lets the core's other thread run. */
static inline void
plat_cpu_relax(void)
{
#ifdef PLATFORM_SIM
	plat_sim_relax();
#elif defined(__x86_64__) || defined(__i386__)
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
/** The NUMA node of a core; -1: the machine does not tell. */
int  plat_core_node(unsigned core);
/** Core number @idx, from 0, of a node; -1: it has not so many, or there is no such node. */
int  plat_node_core(unsigned node, unsigned idx);
/** The same of a list as the kernel writes it: "0-3,8,10-11". */
int  plat_core_list_at(const char *list, unsigned idx);
/**
 * Memory that the calling thread is first to touch comes from @node, while that has any.
 * Errors: NO_PERM | NOSYS the machine knows no nodes.
 */
int  plat_thread_memory_node(unsigned node) MUST_CHECK;

/* ---- descriptors a thread can block on; negative values are errors (-DER_*) ---- */

#define PLAT_WAIT_FOREVER      UINT64_MAX
#define PLAT_POLLSET_EVENT_MAX 16
#define PLAT_FDS_WAIT_MAX      4

/** Readable from set to clear. Both: false when there was nothing to do or it failed. */
int  plat_event_open(void) MUST_CHECK;
bool plat_event_set(int fd);
bool plat_event_clear(int fd);
/** Readable from @at_ns (of plat_now_ns()) on, until cleared or set anew. */
int  plat_alarm_open(void) MUST_CHECK;
bool plat_alarm_set(int fd, uint64_t at_ns);
bool plat_alarm_clear(int fd); /**< false: not due yet */
/** A set of descriptors; itself one, readable when one of them is. */
int  plat_pollset_open(void) MUST_CHECK;
int  plat_pollset_add(int set, int fd, void *ptr) MUST_CHECK;
void plat_pollset_del(int set, int fd); /**< one that was closed has left already */
/** Block until one is readable or the time is over. Returns how many of @ret_ptrs are filled in, 0 also at a signal. */
int  plat_pollset_wait(int set, uint64_t timeout_ns, void **ret_ptrs, int nr_max);
/** The same for a few descriptors that are in no set. */
void plat_fds_wait(const int *fds, int nr, uint64_t timeout_ns);
void plat_fd_close(int fd); /**< negative is fine */

/** Block while *word is value; may return early. */
void plat_futex_wait(uint32_t *word, uint32_t value, uint64_t timeout_ns);
/** One thread that waits there. @word may be gone by now. */
void plat_futex_wake(uint32_t *word);

/* ---- memory in whole pages, zeroed, not yet backed ---- */

size_t plat_page_bytes(void);
void  *plat_map(size_t bytes);       /**< NULL: none */
void  *plat_map_stack(size_t bytes); /**< the lowest page is a guard */
/** Whole pages of a map that are about to be written: back them all now. It may not succeed; each then waits for its use. */
void   plat_map_back(void *pages, size_t bytes);
void   plat_unmap(void *map, size_t bytes);
uint64_t plat_memory_bytes(void); /**< what the machine has */
