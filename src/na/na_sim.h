/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The simulated fabric, for those who make its weather. Its endpoints are those of na.h; the provider is "self". */
#pragma once

#include "na/na.h"

enum na_sim_fate {
	NA_SIM_ARRIVES,
	NA_SIM_LOST,      /**< silently, as in a partition */
	NA_SIM_REFUSED,   /**< the sender is told, it did not arrive */
	NA_SIM_DOUBTFUL,  /**< it arrives, and the sender is told that it did not */
	NA_SIM_TWICE,     /**< it arrives, and once more a while later */
};

struct na_sim_policy {
	/** What becomes of @bytes sent from one node to another now, and how long it takes (also to be told). */
	enum na_sim_fate (*fate)(void *arg, uint32_t from, uint32_t to, size_t bytes, uint64_t *ret_delay_ns);
	void *arg;
	uint64_t lost_rma_ns; /**< after this a lost transfer fails */
	/** Sees each message that is sent; NULL: nobody. */
	void (*seen)(void *arg, uint32_t from, uint32_t to, const void *data, size_t bytes);
	uint64_t work_ns; /**< what sending or taking one costs a thread that has a core of its own */
};
/** Borrowed. Without one everything arrives after a microsecond. */
void na_sim_set_policy(struct na_self_world *world, const struct na_sim_policy *policy);
/** Connections between the two break: what is under way fails. */
void na_sim_reset(struct na_self_world *world, uint32_t node_a, uint32_t node_b);

struct na_sim_stats {
	uint64_t msg_nr, msg_bytes, rma_nr, rma_bytes, lost_nr, failed_nr;
};
void na_sim_get_stats(const struct na_self_world *world, struct na_sim_stats *ret_stats);
/** What is under way, for the check at the end. */
uint64_t na_sim_in_flight_nr(const struct na_self_world *world);
