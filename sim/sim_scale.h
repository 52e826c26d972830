/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Scale mode: what a system of N engines costs, in messages, in virtual time and in memory, as a function of N. Nothing fails
 * here but what a step kills itself. Threads have cores of their own and messages a price, so time is what a real system of
 * that size would show if its parts were as fast as assumed below.
 */
#pragma once

#include "sim.h"

#define SCALE_HOP_NS  (15 * 1000ull) /**< one way, besides what the bytes take */
#define SCALE_WORK_NS 1500ull        /**< of a thread, for each message it sends or takes */

/** What a step cost; SWIM's messages are not in it. */
struct scale_cost {
	uint64_t msg_nr;
	uint64_t msg_bytes;    /**< of messages and of what was read from memory for them */
	uint64_t node_msg_max; /**< sent and taken by the busiest engine or client */
	uint64_t swim_nr;
	uint64_t ns;
};

/** In place of sim_run(), in a world of sim_world_init() with opts.scale. */
void sim_scale_run(struct sim_result *ret);
/** The head of the table that is printed without opts.json. */
void scale_header(void);

/** Count from now on. */
void scale_begin(void);
/** Say what it was since scale_begin(). @hops: message delays on its longest path; 0: not known. */
void scale_end(const char *step, uint32_t hops);
void scale_cost_get(struct scale_cost *ret_cost);

/** Fixed time of a message, instead of SCALE_HOP_NS; 0: that again. */
void scale_set_hop(uint64_t ns);

/** Run fn() in a ULT of each engine's first xstream, all at once. */
void scale_on_all(int (*fn)(void *arg));

/* sim_scale_tree.c: collectives and incast variables over all ranks, and what becomes of them when ranks die */
extern const struct dss_module sim_scale_module;
void scale_trees(void);
