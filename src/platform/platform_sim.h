/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The simulated world as those see it who make it: sim/, and the simulated network and devices. Programs under
 * test see platform.h only. The theory is at the head of platform_sim.c.
 */
#pragma once

#include <stdio.h>

#include "base/list.h"
#include "platform/platform.h"

/* ---- time, chance, trace ---- */

struct psim_opts {
	uint64_t seed;
	uint32_t point_ppm;  /**< how often plat_point() suspends, in a million */
	uint32_t switch_ppm; /**< how often a thread that goes on lets another in between */
	bool     cores;      /**< each thread has a core: turns of different threads pass at the same time */
	FILE    *trace;      /**< NULL: only hashed */
	bool     trace_bytes; /**< messages, too */
};
void psim_init(const struct psim_opts *opts);

/** The world's own time, ns from 0; nodes' clocks are skewed and drift. */
uint64_t psim_now(void);
uint64_t psim_rand(void);
uint64_t psim_below(uint64_t nr);                  /**< 0..nr-1 */
uint64_t psim_between(uint64_t low, uint64_t high); /**< both included */
bool     psim_chance(uint32_t ppm);
/** A number that is often near @mean_ns and now and then many times that. */
uint64_t psim_delay(uint64_t mean_ns);

/** What happened, into the hash; @what is a name of the code's, its text counts. */
void     psim_trace(const char *what, uint64_t a, uint64_t b, uint64_t c);
/** Into the trace, not the hash. */
void     psim_trace_bytes(const void *buf, size_t bytes);
/** Bytes that matter (a message, a block) as one number for psim_trace(). */
uint64_t psim_digest(const void *buf, size_t bytes);
uint64_t psim_hash(void);
uint64_t psim_step_nr(void);

/* ---- events: run on the scheduler, in no thread and no node ---- */

struct psim_event {
	uint64_t at_ns;
	void   (*fn)(void *arg);
	void    *arg;
	uint64_t seq; /**< internal, as below */
	uint32_t pos; /**< 1 + place in the heap; 0: not armed */
};
/** Arming an armed event moves it. */
void psim_event_at(struct psim_event *event, uint64_t at_ns);
void psim_event_cancel(struct psim_event *event);

/* ---- nodes: one is a process of the simulated system ---- */

#define PSIM_NODE_MAX 4096u
#define PSIM_WORLD    0u /**< the node of everything that belongs to none */

struct psim_clock {
	int64_t  skew_ns;   /**< of the wall clock */
	int32_t  drift_ppm;
	uint64_t boot_ns;   /**< what its monotonic clock shows when the world begins */
};
/** Its clock from now on; @node 1.. */
void psim_node_clock(uint32_t node, const struct psim_clock *clock);
/** Somebody set its wall clock; the monotonic one goes on. */
void psim_node_skew(uint32_t node, int64_t skew_ns);
/** Run fn(arg) in a first thread; @done runs on the scheduler when the last one ended. */
void psim_node_start(uint32_t node, const char *name, void (*fn)(void *arg), void *arg, void (*done)(uint32_t node));
/** It ceases at this moment, whatever it was doing: threads, descriptors, memory. Never by one of its own threads. */
void psim_node_kill(uint32_t node);
/**
 * Its threads do not run before psim_now() is @until_ns: stopped, swapped out, on a machine that is moved. Its clocks go on, what
 * is sent to it queues up. A time that is past lets it go on.
 */
void psim_node_pause(uint32_t node, uint64_t until_ns);
bool psim_node_alive(uint32_t node);
uint32_t psim_node_self(void); /**< PSIM_WORLD on the scheduler */
/** One more thread in a living node, from outside. */
void psim_node_thread(uint32_t node, const char *name, void (*fn)(void *arg), void *arg);
/** Called for each node that is killed, before its memory goes. At most 8. */
void psim_on_kill(void (*fn)(uint32_t node, void *arg), void *arg);

/* ---- threads ---- */

/** With cores: the calling thread's turn takes @ns longer. Otherwise nothing. */
void psim_work(uint64_t ns);
/** How far the calling thread's core is behind psim_now(): what it does now it does in @return ns. */
uint64_t psim_lag_ns(void);
/** Let others run; time passes. */
void psim_yield(void);
void psim_sleep_ns(uint64_t ns);
/** Block the calling thread until psim_unpark(); a token given meanwhile counts. */
struct psim_thread;
struct psim_thread *psim_self(void);
void psim_park(void);
void psim_unpark(struct psim_thread *thread);
/** End this node here and now; does not return. It is killed before anything else runs. */
__attribute__((noreturn)) void psim_crash_self(void);

/** Make an event descriptor readable, from the scheduler. */
void psim_fd_signal(int fd);

/* ---- the loop ---- */

enum psim_end { PSIM_STOPPED, PSIM_IDLE /**< nothing can ever happen again */ };
/** Run until somebody calls psim_stop(). */
enum psim_end psim_run(void);
void psim_stop(void);

/* ---- memory: each node has its own, the world the rest ---- */

void *psim_world_alloc(size_t bytes); /**< zeroed; never NULL */
void  psim_world_free(void *ptr);
/** Allocations come from that node's memory from now on. Returns the node they came from. */
uint32_t psim_mem_use(uint32_t node);
uint64_t psim_node_live_bytes(uint32_t node);
uint64_t psim_node_live_nr(uint32_t node);
uint64_t psim_node_peak_bytes(uint32_t node);
/** Of those, pieces that @library (a part of its path) asked for. */
uint64_t psim_node_live_nr_of(uint32_t node, const char *library);
/** Say what is still allocated there: at most @nr_max pieces. */
void psim_node_leaks_print(uint32_t node, FILE *out, unsigned nr_max);
/** Of each million allocations of the node this many fail, until it ends. */
void psim_node_alloc_fail(uint32_t node, uint32_t ppm);
