/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The protocol. swim.h says what it is; here is how it is kept.
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
#include "base/list.h"
#include "base/log.h"
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

static struct member *
member_find(const struct swim *s, d_rank_t rank)
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

static void
missed_clear(struct member *m)
{
	d_list_del(&m->missed);
	m->deadline_ns = 0;
	m->miss_nr     = 0;
}

/* ---- updates: what is to be spread ---- */

static uint32_t
update_sends_max(const struct swim *s)
{
	uint32_t log2 = 0;

	while ((1u << log2) < s->member_nr + 1)
		log2++;
	return 4 + 3 * log2;
}

static struct update *
update_find(struct swim *s, d_rank_t rank)
{
	struct update *u;

	d_list_for_each(u, &s->updates, link)
		if (u->u.rank == rank)
			return u;
	return NULL;
}

/** The newest word about a rank replaces older ones. Without memory it is not spread by us. */
static void
update_queue(struct swim *s, d_rank_t rank, enum swim_status status, uint64_t incarnation)
{
	struct update *u = update_find(s, rank);

	if (u == NULL) {
		u = calloc(1, sizeof(*u));
		if (u == NULL)
			return;
		d_list_init(&u->link);
	}
	u->u = (struct swim_update){.rank = rank, .status = status, .incarnation = incarnation};
	u->sent_nr = 0;
	d_list_del(&u->link);
	d_list_add(&u->link, &s->updates);
}

static void
update_drop(struct update *u)
{
	d_list_del(&u->link);
	free(u);
}

/** The next ones in turn; those that were sent often enough go. */
static void
msg_fill_updates(struct swim *s, struct swim_msg *msg)
{
	uint32_t       max = update_sends_max(s);
	struct update *u, *tmp;
	D_LIST_HEAD(sent);

	d_list_for_each_safe(u, tmp, &s->updates, link) {
		if (msg->update_nr == SWIM_UPDATE_NR_MAX)
			break;
		msg->updates[msg->update_nr++] = u->u;
		if (++u->sent_nr >= max) {
			update_drop(u);
			continue;
		}
		d_list_del(&u->link);
		d_list_add_tail(&u->link, &sent);
	}
	d_list_splice_tail(&sent, &s->updates);
}

/* ---- sending ---- */

static void
msg_send(struct swim *s, enum swim_kind kind, d_rank_t to, d_rank_t about, uint64_t seq,
	 uint64_t stamp)
{
	struct swim_msg msg;
	struct member  *m = member_find(s, to);

	msg.kind        = kind;
	msg.about       = about;
	msg.seq         = seq;
	msg.stamp       = stamp;
	msg.incarnation = s->incarnation;
	msg.update_nr   = 0;
	if (m != NULL && m->status != SWIM_ALIVE) /* it shall know, to refute it */
		msg.updates[msg.update_nr++] = (struct swim_update){
		    .rank = to, .status = m->status, .incarnation = m->incarnation};
	msg_fill_updates(s, &msg);
	s->ops.send(s->arg, to, &msg);
}

/** How long an answer may take before others are asked. */
static uint64_t
direct_wait_ns(const struct swim *s)
{
	uint64_t ns = s->srtt_ns + 4 * s->rttvar_ns;

	if (s->srtt_ns == 0)
		return s->config.ping_timeout_ns / 3;
	return MIN_OF(MAX_OF(ns, DIRECT_NS_MIN), s->config.period_ns / 3);
}

static uint64_t
final_wait_ns(const struct swim *s)
{
	return MIN_OF(MAX_OF(s->config.ping_timeout_ns, 3 * direct_wait_ns(s)), s->config.period_ns);
}

static void
probe_start(struct swim *s, struct member *m, uint64_t now)
{
	if (m->probing || s->probe_nr == PROBE_NR_MAX)
		return;
	m->probing = true;
	s->probes[s->probe_nr++] = (struct probe){.target    = m,
						  .seq       = ++s->seq,
						  .direct_ns = now + direct_wait_ns(s),
						  .final_ns  = now + final_wait_ns(s)};
	msg_send(s, SWIM_PING, m->rank, m->rank, s->seq, now);
}

static void
probe_end(struct swim *s, uint32_t i)
{
	s->probes[i].target->probing = false;
	s->probes[i] = s->probes[--s->probe_nr];
}

static void
probes_end_of(struct swim *s, const struct member *m)
{
	for (uint32_t i = s->probe_nr; i-- > 0;)
		if (s->probes[i].target == m)
			probe_end(s, i);
}

/** A random member that is not known to be dead, and not @but; NULL: found none. */
static struct member *
member_pick(struct swim *s, const struct member *but)
{
	for (int i = 0; i < PICK_TRIES && s->member_nr > 0; i++) {
		struct member *m = s->ring[s->ops.random(s->arg) % s->member_nr];

		if (m != but && m->status != SWIM_DEAD)
			return m;
	}
	return NULL;
}

static void
probe_ask_others(struct swim *s, struct probe *p, uint64_t now)
{
	d_rank_t asked[SUBGROUP_NR_MAX];
	uint32_t nr = 0;

	p->asked = true;
	for (uint32_t i = 0; i < s->config.subgroup_nr; i++) {
		struct member *m = member_pick(s, p->target);
		bool           again = false;

		for (uint32_t k = 0; m != NULL && k < nr; k++)
			again = again || asked[k] == m->rank;
		if (m == NULL || again)
			continue;
		asked[nr++] = m->rank;
		msg_send(s, SWIM_PING_REQ, m->rank, p->target->rank, p->seq, now);
	}
}

/* ---- changes of status ---- */

static void
status_set(struct swim *s, struct member *m, enum swim_status status)
{
	if (m->status == status)
		return;
	m->status = status;
	if (status == SWIM_DEAD) {
		missed_clear(m);
		probes_end_of(s, m);
	}
	D_INFO("rank %u: rank %u incarnation %lu is %s\n", s->self, m->rank,
	       (unsigned long)m->incarnation, swim_status_name(status));
	s->ops.event(s->arg, m->rank, status, m->incarnation);
}

/** Something was heard of it that only the living say. */
static void
member_heard(struct swim *s, struct member *m)
{
	if (m->deadline_ns != 0)
		missed_clear(m);
	if (m->status == SWIM_SUSPECT)
		status_set(s, m, SWIM_ALIVE);
}

/** It lives, as @incarnation. */
static void
member_renewed(struct swim *s, struct member *m, uint64_t incarnation)
{
	bool was_known = m->status != SWIM_ALIVE;

	m->incarnation = incarnation;
	missed_clear(m);
	status_set(s, m, SWIM_ALIVE);
	if (was_known)
		update_queue(s, m->rank, SWIM_ALIVE, incarnation);
}

static void
member_missed(struct swim *s, struct member *m, uint64_t now)
{
	m->miss_nr++;
	if (m->deadline_ns == 0) {
		m->deadline_ns = now + s->config.suspect_timeout_ns;
		d_list_add_tail(&m->missed, &s->missed);
	}
	if (m->miss_nr == 2) {
		status_set(s, m, SWIM_SUSPECT);
		update_queue(s, m->rank, SWIM_SUSPECT, m->incarnation);
	}
}

static void
member_dies(struct swim *s, struct member *m)
{
	status_set(s, m, SWIM_DEAD);
	update_queue(s, m->rank, SWIM_DEAD, m->incarnation);
}

/* ---- what is due ---- */

/** The successor on the ring: the next that is alive, and those before it that are not dead yet. */
static void
ring_probe(struct swim *s, uint64_t now)
{
	for (uint32_t i = 0; i < s->member_nr; i++) {
		struct member *m = s->ring[(s->ring_self + i) % s->member_nr];

		if (m->status == SWIM_DEAD)
			continue;
		probe_start(s, m, now);
		if (m->status == SWIM_ALIVE && m->deadline_ns == 0)
			return;
	}
}

/** Now and then: is one of the dead back? After a partition nobody would begin to talk otherwise. */
static void
dead_probe(struct swim *s, uint64_t now)
{
	struct member *m;

	if (s->ops.random(s->arg) % DEAD_PROBE_PERIODS != 0)
		return;
	m = s->ring[s->ops.random(s->arg) % s->member_nr];
	if (m->status == SWIM_DEAD)
		msg_send(s, SWIM_PING, m->rank, m->rank, ++s->seq, now);
}

static void
period_begin(struct swim *s, uint64_t now)
{
	struct member *m;

	dead_probe(s, now);

	ring_probe(s, now);
	d_list_for_each(m, &s->missed, missed)
		probe_start(s, m, now);
	m = member_pick(s, NULL);
	if (m != NULL)
		probe_start(s, m, now);
}

static void
probes_check(struct swim *s, uint64_t now)
{
	for (uint32_t i = s->probe_nr; i-- > 0;) {
		struct probe  *p = &s->probes[i];
		struct member *m = p->target;

		if (now >= p->final_ns) {
			probe_end(s, i);
			member_missed(s, m, now);
		} else if (now >= p->direct_ns && !p->asked) {
			probe_ask_others(s, p, now);
		}
	}
}

static void
missed_check(struct swim *s, uint64_t now)
{
	struct member *m, *tmp;

	d_list_for_each_safe(m, tmp, &s->missed, missed)
		if (now >= m->deadline_ns)
			member_dies(s, m);
}

/** We are late ourselves: answers may wait in our queue. Nobody is blamed for it. */
static void
glitch_make_up(struct swim *s, uint64_t delay)
{
	struct member *m;

	s->glitch_ns += delay;
	D_INFO("rank %u: was %lu ms late\n", s->self, (unsigned long)(delay / MSEC_NS));
	for (uint32_t i = 0; i < s->probe_nr; i++) {
		s->probes[i].direct_ns += delay;
		s->probes[i].final_ns += delay;
	}
	d_list_for_each(m, &s->missed, missed)
		m->deadline_ns += delay;
}

static void
next_compute(struct swim *s)
{
	struct member *m;

	s->next_ns = s->period_ns;
	for (uint32_t i = 0; i < s->probe_nr; i++) {
		const struct probe *p = &s->probes[i];

		s->next_ns = MIN_OF(s->next_ns, p->asked ? p->final_ns : p->direct_ns);
	}
	d_list_for_each(m, &s->missed, missed)
		s->next_ns = MIN_OF(s->next_ns, m->deadline_ns);
}

uint64_t
swim_tick(struct swim *s, uint64_t now)
{
	if (s->member_nr == 0) {
		s->next_ns = UINT64_MAX;
		return s->next_ns;
	}
	if (s->next_ns != UINT64_MAX && now > s->next_ns + s->config.period_ns / 4)
		glitch_make_up(s, now - s->next_ns);
	probes_check(s, now);
	missed_check(s, now);
	if (now >= s->period_ns) {
		period_begin(s, now);
		s->period_ns += s->config.period_ns;
		if (s->period_ns <= now)
			s->period_ns = now + s->config.period_ns;
	}
	next_compute(s);
	return s->next_ns;
}

uint64_t
swim_next(const struct swim *s)
{
	return s->next_ns;
}

/* ---- receiving ---- */

static void
self_refute(struct swim *s, const struct swim_update *u)
{
	if (u->status == SWIM_ALIVE || u->incarnation < s->incarnation)
		return;
	s->incarnation = u->incarnation + 1;
	D_INFO("rank %u: was taken for %s, is incarnation %lu now\n", s->self,
	       swim_status_name(u->status), (unsigned long)s->incarnation);
	update_queue(s, s->self, SWIM_ALIVE, s->incarnation);
	if (u->status == SWIM_DEAD)
		s->ops.event(s->arg, s->self, SWIM_DEAD, u->incarnation);
}

static void
update_apply(struct swim *s, const struct swim_update *u)
{
	struct member *m;

	if (u->rank == s->self) {
		self_refute(s, u);
		return;
	}
	m = member_find(s, u->rank);
	if (m == NULL || u->incarnation < m->incarnation)
		return;
	switch (u->status) {
	case SWIM_ALIVE:
		if (u->incarnation > m->incarnation) {
			member_renewed(s, m, u->incarnation);
			update_queue(s, m->rank, SWIM_ALIVE, m->incarnation);
		}
		break;
	case SWIM_SUSPECT:
		if (m->status == SWIM_ALIVE) {
			m->incarnation = u->incarnation;
			status_set(s, m, SWIM_SUSPECT);
			update_queue(s, m->rank, SWIM_SUSPECT, m->incarnation);
		}
		break;
	case SWIM_DEAD:
		/* of a later life than we have it dead in: those who know that life must be told */
		if (m->status != SWIM_DEAD || u->incarnation > m->incarnation) {
			m->incarnation = u->incarnation;
			member_dies(s, m);
		}
		break;
	default: /* from a newer version, or garbage */
		break;
	}
}

static void
rtt_sample(struct swim *s, uint64_t rtt)
{
	uint64_t diff;

	if (s->srtt_ns == 0) {
		s->srtt_ns   = MAX_OF(rtt, 1);
		s->rttvar_ns = rtt / 2;
		return;
	}
	diff         = rtt > s->srtt_ns ? rtt - s->srtt_ns : s->srtt_ns - rtt;
	s->rttvar_ns = (3 * s->rttvar_ns + diff) / 4;
	s->srtt_ns   = MAX_OF((7 * s->srtt_ns + rtt) / 8, 1);
}

static void
relay_answer(struct swim *s, d_rank_t from, const struct swim_msg *msg)
{
	for (uint32_t i = 0; i < RELAY_NR_MAX; i++) {
		struct relay *r = &s->relays[i];

		if (r->seq == 0 || r->seq != msg->seq || r->about != from)
			continue;
		r->seq = 0;
		msg_send(s, SWIM_ACK, r->origin, r->about, r->origin_seq, r->stamp);
		return;
	}
}

static void
ack_recv(struct swim *s, d_rank_t from, const struct swim_msg *msg, uint64_t now)
{
	struct member *about;

	for (uint32_t i = 0; i < s->probe_nr; i++) {
		if (s->probes[i].seq != msg->seq)
			continue;
		about = s->probes[i].target;
		probe_end(s, i);
		member_heard(s, about);
		break;
	}
	if (msg->about == from && msg->stamp <= now)
		rtt_sample(s, now - msg->stamp);
	relay_answer(s, from, msg);
}

static void
ping_req_recv(struct swim *s, d_rank_t from, const struct swim_msg *msg, uint64_t now)
{
	struct relay *r = &s->relays[s->relay_next++ % RELAY_NR_MAX];

	if (member_find(s, msg->about) == NULL)
		return;
	*r = (struct relay){.origin     = from,
			    .about      = msg->about,
			    .seq        = ++s->seq,
			    .origin_seq = msg->seq,
			    .stamp      = msg->stamp};
	msg_send(s, SWIM_PING, msg->about, msg->about, r->seq, now);
}

void
swim_recv(struct swim *s, d_rank_t from, const struct swim_msg *msg, uint64_t now)
{
	struct member *m = member_find(s, from);

	if (m == NULL || msg->kind >= SWIM_KIND_NR || msg->update_nr > SWIM_UPDATE_NR_MAX)
		return; /* of a group that we are not in, or not yet */
	if (msg->incarnation > m->incarnation)
		member_renewed(s, m, msg->incarnation);
	else if (m->status != SWIM_DEAD && msg->incarnation == m->incarnation)
		member_heard(s, m);
	for (uint32_t i = 0; i < msg->update_nr; i++)
		update_apply(s, &msg->updates[i]);
	if (msg->kind == SWIM_PING)
		msg_send(s, SWIM_ACK, from, s->self, msg->seq, msg->stamp);
	else if (msg->kind == SWIM_ACK)
		ack_recv(s, from, msg, now);
	else
		ping_req_recv(s, from, msg, now);
	if (s->member_nr > 0)
		next_compute(s);
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
		update_drop(u);
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
	struct member *m = member_find(s, rank);

	if (rank == s->self)
		return 0;
	if (m != NULL) {
		if (incarnation > m->incarnation)
			member_renewed(s, m, incarnation);
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
	struct member *m = member_find(s, rank);
	struct update *u;

	if (m == NULL)
		return;
	probes_end_of(s, m);
	missed_clear(m);
	u = update_find(s, rank);
	if (u != NULL)
		update_drop(u);
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
	const struct member *m = member_find(s, rank);

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
