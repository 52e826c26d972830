/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the files of the simulated platform share. */
#pragma once

#include "platform/platform_sim.h"

/** PT_BUSY: it could go on, but its core has not yet done what it was given, or its node is paused. */
enum psim_thread_state { PT_RUNNABLE, PT_RUNNING, PT_BUSY, PT_WAITING, PT_ENDED };

struct psim_thread {
	void                  *fctx;
	uint32_t               node;
	uint32_t               id;
	enum psim_thread_state state;
	bool                   detached;
	bool                   token;     /**< psim_unpark() came before psim_park() */
	bool                   timed_out;
	uint32_t               run_pos;   /**< its place among the runnable */
	uint64_t               busy_until_ns; /**< with a core of its own: when its last turn is over */
	void                 (*fn)(void *arg);
	void                  *arg;
	struct psim_thread    *joiner;
	struct psim_event      timeout;
	const void            *wait_addr; /**< what it waits for in a bucket; NULL: nothing */
	d_list_t               wait_link;
	d_list_t               node_link;
	char                  *stack;
	size_t                 stack_bytes;
	char                  *tls;       /**< its thread-local variables while it does not run */
	char                   name[16];
};

struct psim_node {
	bool              alive, doomed;
	struct psim_clock clock;
	uint64_t          paused_until_ns;
	d_list_t          threads;
	uint32_t          thread_nr;
	void            (*done)(uint32_t node);
};

struct psim_node *psim_node_of(uint32_t node);

/* platform_sim.c */
/** Wait for psim_wake() or until @timeout_ns passed on the node's clock; false: it was time. */
bool psim_wait(uint64_t timeout_ns);
void psim_wake(struct psim_thread *thread);
/** When the node's monotonic clock will show @node_ns. */
uint64_t psim_world_ns(uint32_t node, uint64_t node_ns);
uint64_t psim_node_ns(uint32_t node);

/* platform_sim_wait.c */
void psim_fds_drop(uint32_t node);
/** Take it off whatever it waits for. */
void psim_wait_cancel(struct psim_thread *thread);

/* platform_sim_mem.c */
/** plat_map() that does not fail for want of memory. */
void *psim_map(size_t bytes);
void  psim_mem_node_drop(uint32_t node);
/** The node whose memory new allocations come from. */
extern uint32_t psim_mem_node;
