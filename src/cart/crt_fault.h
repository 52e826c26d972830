/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Faults of requests, by opcode, rank, probability and seed: a request is lost, fails, or reaches its
 * handler late; a reply is lost or replaced by an error. Rules are looked at in order, the first that
 * matches and fires wins. Decisions come from a seed and repeat exactly for the same requests in the
 * same order. Without rules it costs one load and one branch.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <gurt/types.h>
#include "base/util.h"

#define CRT_FAULT_RULE_NR_MAX 32
#define CRT_FAULT_ANY_RANK    ((d_rank_t)-1)
#define CRT_FAULT_ANY_OPC     0 /**< any but CART's own */

enum crt_fault_where {
	CRT_FAULT_REQUEST, /**< a request leaves; the rank is the target */
	CRT_FAULT_RECEIVE, /**< a request arrived; the rank is its sender */
	CRT_FAULT_REPLY,   /**< a reply leaves; the rank is who asked */
	CRT_FAULT_WHERE_NR
};
enum crt_fault_what {
	CRT_FAULT_DROP,
	CRT_FAULT_ERROR, /**< `arg`: -DER_* */
	CRT_FAULT_DELAY, /**< RECEIVE only; `arg`: ns */
	CRT_FAULT_WHAT_NR
};

struct crt_fault_rule {
	uint32_t             id; /**< the caller's name for it; a rule of the same id is replaced */
	enum crt_fault_where where;
	enum crt_fault_what  what;
	int64_t              arg;
	uint32_t             opc;      /**< CRT_FAULT_ANY_OPC: any */
	d_rank_t             rank;     /**< CRT_FAULT_ANY_RANK: any */
	uint32_t             prob_ppm; /**< of a million passes */
	uint32_t             interval; /**< only each interval-th match may fire; 0, 1: each */
	uint64_t             fires_max; /**< 0: no limit */
};

struct crt;
/** Forget all rules and begin anew with @seed. */
void crt_faults_reset(struct crt *crt, uint64_t seed);
/** Rules have an effect only while this is on; off at first. */
void crt_faults_enable(struct crt *crt, bool on);
bool crt_faults_enabled(struct crt *crt);
/** Errors: INVAL | OVERFLOW too many rules. */
int  crt_fault_set(struct crt *crt, const struct crt_fault_rule *rule) MUST_CHECK;
/** Errors: NONEXIST. */
int  crt_fault_clear(struct crt *crt, uint32_t id) MUST_CHECK;
/** How often rule @id has fired; 0 when there is none. */
uint64_t crt_fault_fires(struct crt *crt, uint32_t id);

/* ---- inside CART ---- */

struct crt_faults {
	_Atomic bool    active; /* enabled, and there are rules */
	pthread_mutex_t lock;   /* everything below */
	bool            enabled;
	uint64_t        rng;
	uint32_t        rule_nr;
	struct crt_fault_slot {
		struct crt_fault_rule rule;
		uint64_t              match_nr, fire_nr;
	} slots[CRT_FAULT_RULE_NR_MAX];
};
struct crt_fault_hit {
	enum crt_fault_what what;
	int64_t             arg;
};
void crt_faults_init(struct crt_faults *faults);
void crt_faults_fini(struct crt_faults *faults);
bool crt_fault_hit_slow(struct crt_faults *faults, enum crt_fault_where where, uint32_t opc,
			d_rank_t rank, struct crt_fault_hit *ret_hit);

/** True: this happens to the message. */
static inline bool
crt_fault_hit(struct crt_faults *faults, enum crt_fault_where where, uint32_t opc, d_rank_t rank,
	      struct crt_fault_hit *ret_hit)
{
	if (LIKELY(!atomic_load_explicit(&faults->active, memory_order_relaxed)))
		return false;
	return crt_fault_hit_slow(faults, where, opc, rank, ret_hit);
}
