/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the files of the protocol share; invariants are in swim.c. */
#pragma once

#include "base/list.h"
#include "cart/swim/swim.h"

#define MSEC_NS           1000000ULL
#define PROBE_NR_MAX      64
#define RELAY_NR_MAX      64
#define DIRECT_NS_MIN     (20 * MSEC_NS)
#define SUBGROUP_NR_MAX   16
#define PICK_TRIES        16
#define DEAD_PROBE_PERIODS 4 /* a period in so many */

struct member {
	d_rank_t         rank;
	uint64_t         ring_key;
	enum swim_status status;
	uint64_t         incarnation;
	uint64_t         deadline_ns; /* invariant 2; 0: none */
	uint32_t         miss_nr;     /* in a row */
	d_list_t         missed;
	bool             probing;
};

struct probe {
	struct member *target;
	uint64_t       seq;
	uint64_t       direct_ns, final_ns;
	bool           asked;
};

/** A ping sent for somebody else. */
struct relay {
	d_rank_t origin, about;
	uint64_t seq, origin_seq, stamp;
};

struct update {
	d_list_t           link;
	struct swim_update u;
	uint32_t           sent_nr;
};

struct swim {
	struct swim_config config;
	struct swim_ops    ops;
	void              *arg;
	d_rank_t           self;
	uint64_t           incarnation;
	struct member    **members, **ring; /* [member_nr] */
	uint32_t           member_nr;
	uint32_t           ring_self; /* where self would stand */
	d_list_t           missed;
	struct probe       probes[PROBE_NR_MAX];
	uint32_t           probe_nr;
	struct relay       relays[RELAY_NR_MAX]; /* the latest ones, round and round */
	uint32_t           relay_next;
	d_list_t           updates; /* those sent least come first */
	uint64_t           seq;
	uint64_t           srtt_ns, rttvar_ns; /* as TCP has them; 0: nothing seen */
	uint64_t           period_ns;          /* when the next period begins */
	uint64_t           next_ns;
	uint64_t           glitch_ns;
};

/* swim.c */
struct member *swim_member_find(const struct swim *s, d_rank_t rank);
void swim_missed_clear(struct member *m);

/* swim_send.c */
struct update *swim_update_find(struct swim *s, d_rank_t rank);
/** The newest word about a rank replaces older ones. Without memory it is not spread by us. */
void swim_update_queue(struct swim *s, d_rank_t rank, enum swim_status status, uint64_t incarnation);
void swim_update_drop(struct update *u);
void swim_msg_send(struct swim *s, enum swim_kind kind, d_rank_t to, d_rank_t about, uint64_t seq,
		   uint64_t stamp);
void swim_probe_start(struct swim *s, struct member *m, uint64_t now);
void swim_probe_end(struct swim *s, uint32_t i);
void swim_probes_end_of(struct swim *s, const struct member *m);
/** A random member that is not known to be dead, and not @but; NULL: found none. */
struct member *swim_member_pick(struct swim *s, const struct member *but);
void swim_probe_ask_others(struct swim *s, struct probe *p, uint64_t now);

/* swim_run.c */
/** It lives, as @incarnation. */
void swim_member_renewed(struct swim *s, struct member *m, uint64_t incarnation);
