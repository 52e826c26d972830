/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The protocol. swim.h says what it is; here is how it is kept: members here, what is
 * sent in swim_send.c, what happens when in swim_run.c.
 *
 * Invariants:
 * 1. members is sorted by rank, ring by ring_key() of the same members; self is in neither.
 * 2. A member is on `missed` iff its deadline is set: we have missed it ourselves, its status is not
 *    DEAD, and it dies at its deadline unless something is heard of it.
 * 3. A probe waits for one answer; direct_ns < final_ns; asked says that others were asked to ping.
 *    No member has two probes.
 * 4. next_ns is the earliest thing to do: the next period, a probe's or a member's deadline.
 */
#define D_LOGFAC LOG_FAC_SWIM
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/swim/swim_internal.h"

const char *
swim_status_name(enum swim_status status)
{
	static const char *const names[] = {"alive", "suspect", "dead"};

	return status < SWIM_STATUS_NR ? names[status] : "?";
}

/* ---- members ---- */

/** All agree on it, and neighbours by rank are not neighbours here: they may share a machine. */
static uint64_t
ring_key(d_rank_t rank)
{
	uint64_t x = rank + 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/** Index of the first member that is not less than @rank. */
static uint32_t
member_lower(const struct swim *s, d_rank_t rank)
{
	uint32_t lo = 0, hi = s->member_nr;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->members[mid]->rank < rank)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct member *
swim_member_find(const struct swim *s, d_rank_t rank)
{
	uint32_t i;

	/* ranks are mostly 0, 1, 2, ... with self left out: look where it would be then */
	i = rank < s->self ? rank : rank - 1;
	if (i < s->member_nr && s->members[i]->rank == rank)
		return s->members[i];
	i = member_lower(s, rank);
	return i < s->member_nr && s->members[i]->rank == rank ? s->members[i] : NULL;
}

static uint32_t
ring_lower(const struct swim *s, uint64_t key)
{
	uint32_t lo = 0, hi = s->member_nr;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->ring[mid]->ring_key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
array_insert(struct member **v, uint32_t nr, uint32_t at, struct member *m)
{
	memmove(&v[at + 1], &v[at], (nr - at) * sizeof(*v));
	v[at] = m;
}

static void
array_remove(struct member **v, uint32_t nr, uint32_t at)
{
	memmove(&v[at], &v[at + 1], (nr - at - 1) * sizeof(*v));
}

void
swim_missed_clear(struct member *m)
{
	d_list_del(&m->missed);
	m->deadline_ns = 0;
	m->miss_nr     = 0;
}

/* ---- creation, members ---- */

static void
config_set(struct swim *s, const struct swim_config *config)
{
	s->config = *config;
	if (s->config.period_ns == 0)
		s->config.period_ns = SWIM_PERIOD_MS_DEFAULT * MSEC_NS;
	if (s->config.suspect_timeout_ns == 0)
		s->config.suspect_timeout_ns = SWIM_SUSPECT_TIMEOUT_MS_DEFAULT * MSEC_NS;
	if (s->config.ping_timeout_ns == 0)
		s->config.ping_timeout_ns = SWIM_PING_TIMEOUT_MS_DEFAULT * MSEC_NS;
	if (s->config.subgroup_nr == 0)
		s->config.subgroup_nr = 2;
	s->config.ping_timeout_ns = MIN_OF(s->config.ping_timeout_ns, s->config.period_ns);
	s->config.subgroup_nr     = MIN_OF(s->config.subgroup_nr, SUBGROUP_NR_MAX);
}

int
swim_create(const struct swim_config *config, const struct swim_ops *ops, void *arg, d_rank_t self,
	    uint64_t incarnation, uint64_t now, struct swim **ret_swim)
{
	struct swim *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -DER_NOMEM;
	config_set(s, config);
	s->ops         = *ops;
	s->arg         = arg;
	s->self        = self;
	s->incarnation = incarnation;
	s->next_ns     = UINT64_MAX;
	/* not all at once: a group starts together */
	s->period_ns = now + ops->random(arg) % s->config.period_ns;
	d_list_init(&s->missed);
	d_list_init(&s->updates);
	*ret_swim = s;
	return 0;
}

void
swim_destroy(struct swim *s)
{
	struct update *u;

	if (s == NULL)
		return;
	while ((u = d_list_first(&s->updates, struct update, link)) != NULL)
		swim_update_drop(u);
	for (uint32_t i = 0; i < s->member_nr; i++)
		free(s->members[i]);
	free(s->members);
	free(s->ring);
	free(s);
}

static int
arrays_grow(struct swim *s)
{
	size_t          bytes   = (s->member_nr + 1) * sizeof(struct member *);
	struct member **members = realloc(s->members, bytes);
	struct member **ring;

	if (members == NULL)
		return -DER_NOMEM;
	s->members = members;
	ring       = realloc(s->ring, bytes);
	if (ring == NULL)
		return -DER_NOMEM;
	s->ring = ring;
	return 0;
}

int
swim_member_add(struct swim *s, d_rank_t rank, uint64_t incarnation, uint64_t now)
{
	struct member *m = swim_member_find(s, rank);

	if (rank == s->self)
		return 0;
	if (m != NULL) {
		if (incarnation > m->incarnation)
			swim_member_renewed(s, m, incarnation);
		return 0;
	}
	m = arrays_grow(s) == 0 ? calloc(1, sizeof(*m)) : NULL;
	if (m == NULL)
		return -DER_NOMEM;
	m->rank        = rank;
	m->ring_key    = ring_key(rank);
	m->incarnation = incarnation;
	d_list_init(&m->missed);
	array_insert(s->members, s->member_nr, member_lower(s, rank), m);
	array_insert(s->ring, s->member_nr, ring_lower(s, m->ring_key), m);
	s->member_nr++;
	s->ring_self = ring_lower(s, ring_key(s->self));
	if (s->next_ns == UINT64_MAX) {
		s->period_ns = MAX_OF(s->period_ns, now);
		s->next_ns   = s->period_ns;
	}
	return 0;
}

void
swim_member_del(struct swim *s, d_rank_t rank)
{
	struct member *m = swim_member_find(s, rank);
	struct update *u;

	if (m == NULL)
		return;
	swim_probes_end_of(s, m);
	swim_missed_clear(m);
	u = swim_update_find(s, rank);
	if (u != NULL)
		swim_update_drop(u);
	array_remove(s->ring, s->member_nr, ring_lower(s, m->ring_key));
	array_remove(s->members, s->member_nr, member_lower(s, rank));
	s->member_nr--;
	s->ring_self = ring_lower(s, ring_key(s->self));
	free(m);
	if (s->member_nr == 0)
		s->next_ns = UINT64_MAX;
}

uint32_t
swim_member_nr(const struct swim *s)
{
	return s->member_nr;
}

int
swim_member_status(const struct swim *s, d_rank_t rank, enum swim_status *ret_status,
		   uint64_t *ret_incarnation)
{
	const struct member *m = swim_member_find(s, rank);

	if (m == NULL)
		return -DER_NONEXIST;
	*ret_status      = m->status;
	*ret_incarnation = m->incarnation;
	return 0;
}

void
swim_member_foreach(const struct swim *s,
		    void (*fn)(void *arg, d_rank_t rank, enum swim_status status), void *arg)
{
	for (uint32_t i = 0; i < s->member_nr; i++)
		fn(arg, s->members[i]->rank, s->members[i]->status);
}

uint64_t
swim_incarnation(const struct swim *s)
{
	return s->incarnation;
}

uint64_t
swim_glitch_ns(const struct swim *s)
{
	return s->glitch_ns;
}
