/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Is a history of reads and writes of one register linearizable? The search of Wing and Gong, with the memory of
 * Lowe: take any operation that began before every one that is not taken yet ended, see whether the register agrees,
 * go on; what was tried (a set of operations taken, a value) is not tried again. A write whose outcome nobody knows
 * may be taken at any time after it began, or never.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#define SEEN_NR (1u << 16)

struct search {
	const struct sim_history *h;
	uint64_t                  required; /* operations that must be taken */
	struct { uint64_t taken; uint32_t value; bool used; } *seen;
	uint32_t                  seen_nr;
};

/** False: it was there already. */
static bool
remember(struct search *s, uint64_t taken, uint32_t value)
{
	uint64_t at = (taken * 0x9e3779b97f4a7c15ULL ^ value * 0xbf58476d1ce4e5b9ULL) >> 48;

	for (;; at = (at + 1) % SEEN_NR) {
		if (!s->seen[at].used)
			break;
		if (s->seen[at].taken == taken && s->seen[at].value == value)
			return false;
	}
	SIM_CHECK(++s->seen_nr < SEEN_NR / 2, "a history is too tangled to be searched");
	s->seen[at].taken = taken;
	s->seen[at].value = value;
	s->seen[at].used = true;
	return true;
}

static bool
search(struct search *s, uint64_t taken, uint32_t value)
{
	const struct sim_history *h = s->h;
	uint64_t                  first_end = UINT64_MAX;

	if ((taken & s->required) == s->required)
		return true;
	if (!remember(s, taken, value))
		return false;
	for (uint32_t i = 0; i < h->nr; i++)
		if ((taken & (1ULL << i)) == 0 && h->ops[i].end_ns < first_end)
			first_end = h->ops[i].end_ns;
	for (uint32_t i = 0; i < h->nr; i++) {
		const struct sim_op_rec *op = &h->ops[i];

		if ((taken & (1ULL << i)) != 0 || op->begin_ns > first_end)
			continue;
		if (op->is_read && op->value != value)
			continue;
		if (search(s, taken | 1ULL << i, op->is_read ? value : op->value))
			return true;
	}
	return false;
}

bool
sim_history_linearizable(const struct sim_history *h)
{
	struct search s = {.h = h};
	bool          ok;

	s.seen = psim_world_alloc(SEEN_NR * sizeof(*s.seen));
	for (uint32_t i = 0; i < h->nr; i++)
		if (h->ops[i].end_ns != UINT64_MAX && !h->ops[i].optional)
			s.required |= 1ULL << i;
	ok = search(&s, 0, 0);
	psim_world_free(s.seen);
	return ok;
}

void
sim_history_print(const struct sim_history *h, FILE *out)
{
	for (uint32_t i = 0; i < h->nr; i++) {
		const struct sim_op_rec *op = &h->ops[i];

		fprintf(out, "  %12.6f .. ", op->begin_ns / 1e9);
		if (op->end_ns == UINT64_MAX)
			fprintf(out, "%12s", "?");
		else
			fprintf(out, "%12.6f", op->end_ns / 1e9);
		fprintf(out, "  worker %u %s %u%s\n", op->who, op->is_read ? "reads " : "writes", op->value,
			op->optional ? " (no answer)" : "");
	}
}

uint32_t
sim_history_begin(struct sim_history *h, uint32_t who, bool is_read, uint32_t value)
{
	D_ASSERT(h->nr < SIM_HISTORY_MAX);
	h->ops[h->nr] = (struct sim_op_rec){
	    .begin_ns = psim_now(), .end_ns = UINT64_MAX, .who = who, .is_read = is_read, .value = value};
	return h->nr++;
}

void
sim_history_drop(struct sim_history *h, uint32_t at)
{
	h->ops[at].optional = true;
	h->ops[at].is_read = true;
	h->ops[at].end_ns = UINT64_MAX;
}
