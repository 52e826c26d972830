/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * SWIM: who of a group is alive (Das, Gupta, Motivala, "SWIM: Scalable Weakly-consistent
 * Infection-style Process Group Membership Protocol", 2002). The protocol alone: events in, messages
 * and changes of status out. Time, random numbers and the network are given to it, so a thousand
 * members live in one process for a day of virtual time in a test.
 *
 * What is as in the paper: pings, indirect pings through others, suspicion before death,
 * incarnations by which a member refutes, updates that ride on the protocol's own messages.
 * What differs, and why:
 *
 *  1. Each period a member pings its successor on a ring (all members in an order that all agree
 *     on), and a random one. The paper's random choice leaves a dead member unnoticed for a time
 *     that has no bound; a ring's predecessor notices within one period.
 *  2. Only who missed a member itself counts down to its death, and pings it again in each period
 *     until then, saying that it is suspected. Others learn of a suspicion but do not act on it, so a
 *     refutation has to reach one member, not all in time.
 *  3. A suspicion is spread from the second miss in a row only: at ten percent loss nearly all end
 *     before that.
 *  4. Who was late itself (it did not get the CPU) adds the delay to all its deadlines before it
 *     blames others.
 *  5. The wait for an answer adapts to the round-trip times that were seen.
 *  6. The dead are pinged, too, once in a while: so the two sides of a partition find together again.
 *
 * A death is thus noticed within period + ping timeout + suspect timeout, and known to all after the
 * logarithm of the number of members, in periods.
 */
#pragma once

#include <gurt/types.h>
#include "base/util.h"

#define SWIM_PERIOD_MS_DEFAULT          1000
#define SWIM_SUSPECT_TIMEOUT_MS_DEFAULT 8000
#define SWIM_PING_TIMEOUT_MS_DEFAULT    900
#define SWIM_UPDATE_NR_MAX              8 /**< of a message */

enum swim_status { SWIM_ALIVE, SWIM_SUSPECT, SWIM_DEAD, SWIM_STATUS_NR };
const char *swim_status_name(enum swim_status status);

enum swim_kind {
	SWIM_PING,     /**< answer with ACK */
	SWIM_ACK,      /**< `about` is alive */
	SWIM_PING_REQ, /**< ping `about` for me */
	SWIM_KIND_NR
};

struct swim_update {
	d_rank_t rank;
	uint8_t  status;
	uint64_t incarnation;
};

struct swim_msg {
	uint8_t            kind;
	d_rank_t           about;
	uint64_t           seq;         /**< the asker's; comes back in ACK */
	uint64_t           stamp;       /**< the asker's clock; comes back in ACK */
	uint64_t           incarnation; /**< the sender's */
	uint32_t           update_nr;
	struct swim_update updates[SWIM_UPDATE_NR_MAX];
};

struct swim_config {
	uint64_t period_ns;          /**< 0: default */
	uint64_t suspect_timeout_ns; /**< 0: default */
	uint64_t ping_timeout_ns;    /**< 0: default; at most the period counts */
	uint32_t subgroup_nr;        /**< members asked for an indirect ping; 0: 2 */
};

/** Called inside swim_tick() and swim_recv(); must not call back. */
struct swim_ops {
	void     (*send)(void *arg, d_rank_t to, const struct swim_msg *msg);
	/** @rank, perhaps self, is now taken for that. Each change once. */
	void     (*event)(void *arg, d_rank_t rank, enum swim_status status, uint64_t incarnation);
	uint64_t (*random)(void *arg);
};

struct swim;
/**
 * @param incarnation  greater than that of an earlier life of this rank
 * Errors: NOMEM.
 */
int  swim_create(const struct swim_config *config, const struct swim_ops *ops, void *arg,
		 d_rank_t self, uint64_t incarnation, uint64_t now, struct swim **ret_swim) MUST_CHECK;
void swim_destroy(struct swim *swim); /**< NULL is fine */

/** Take @rank for alive; one that is known and dead stays so until a greater @incarnation. */
int  swim_member_add(struct swim *swim, d_rank_t rank, uint64_t incarnation, uint64_t now) MUST_CHECK;
/** Forget it. */
void swim_member_del(struct swim *swim, d_rank_t rank);
uint32_t swim_member_nr(const struct swim *swim); /**< without self, the dead included */
/** Errors: NONEXIST. */
int  swim_member_status(const struct swim *swim, d_rank_t rank, enum swim_status *ret_status,
			uint64_t *ret_incarnation) MUST_CHECK;
void swim_member_foreach(const struct swim *swim, void (*fn)(void *arg, d_rank_t rank, enum swim_status status), void *arg);

/** Do what is due. Returns when to be called next; UINT64_MAX: never, as long as nothing changes. */
uint64_t swim_tick(struct swim *swim, uint64_t now);
/** @msg came from @from. Whatever it holds is fine. */
void     swim_recv(struct swim *swim, d_rank_t from, const struct swim_msg *msg, uint64_t now);
uint64_t swim_next(const struct swim *swim);
uint64_t swim_incarnation(const struct swim *swim);
/** Sum of the delays of its own that it made up for (4. above), ns. */
uint64_t swim_glitch_ns(const struct swim *swim);
