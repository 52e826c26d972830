/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What happens when time passes and when something arrives. swim.c has the invariants. */
#define D_LOGFAC LOG_FAC_SWIM
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/swim/swim_internal.h"

/* ---- changes of status ---- */

static void
status_set(struct swim *s, struct member *m, enum swim_status status)
{
	if (m->status == status)
		return;
	m->status = status;
	if (status == SWIM_DEAD) {
		swim_missed_clear(m);
		swim_probes_end_of(s, m);
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
		swim_missed_clear(m);
	if (m->status == SWIM_SUSPECT)
		status_set(s, m, SWIM_ALIVE);
}

void
swim_member_renewed(struct swim *s, struct member *m, uint64_t incarnation)
{
	bool was_known = m->status != SWIM_ALIVE;

	m->incarnation = incarnation;
	swim_missed_clear(m);
	status_set(s, m, SWIM_ALIVE);
	if (was_known)
		swim_update_queue(s, m->rank, SWIM_ALIVE, incarnation);
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
		swim_update_queue(s, m->rank, SWIM_SUSPECT, m->incarnation);
	}
}

static void
member_dies(struct swim *s, struct member *m)
{
	status_set(s, m, SWIM_DEAD);
	swim_update_queue(s, m->rank, SWIM_DEAD, m->incarnation);
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
		swim_probe_start(s, m, now);
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
		swim_msg_send(s, SWIM_PING, m->rank, m->rank, ++s->seq, now);
}

static void
period_begin(struct swim *s, uint64_t now)
{
	struct member *m;

	dead_probe(s, now);

	ring_probe(s, now);
	d_list_for_each(m, &s->missed, missed)
		swim_probe_start(s, m, now);
	m = swim_member_pick(s, NULL);
	if (m != NULL)
		swim_probe_start(s, m, now);
}

static void
probes_check(struct swim *s, uint64_t now)
{
	for (uint32_t i = s->probe_nr; i-- > 0;) {
		struct probe  *p = &s->probes[i];
		struct member *m = p->target;

		if (now >= p->final_ns) {
			swim_probe_end(s, i);
			member_missed(s, m, now);
		} else if (now >= p->direct_ns && !p->asked) {
			swim_probe_ask_others(s, p, now);
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
	swim_update_queue(s, s->self, SWIM_ALIVE, s->incarnation);
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
	m = swim_member_find(s, u->rank);
	if (m == NULL || u->incarnation < m->incarnation)
		return;
	switch (u->status) {
	case SWIM_ALIVE:
		if (u->incarnation > m->incarnation) {
			swim_member_renewed(s, m, u->incarnation);
			swim_update_queue(s, m->rank, SWIM_ALIVE, m->incarnation);
		}
		break;
	case SWIM_SUSPECT:
		if (m->status == SWIM_ALIVE) {
			m->incarnation = u->incarnation;
			status_set(s, m, SWIM_SUSPECT);
			swim_update_queue(s, m->rank, SWIM_SUSPECT, m->incarnation);
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
		swim_msg_send(s, SWIM_ACK, r->origin, r->about, r->origin_seq, r->stamp);
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
		swim_probe_end(s, i);
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

	if (swim_member_find(s, msg->about) == NULL)
		return;
	*r = (struct relay){.origin     = from,
			    .about      = msg->about,
			    .seq        = ++s->seq,
			    .origin_seq = msg->seq,
			    .stamp      = msg->stamp};
	swim_msg_send(s, SWIM_PING, msg->about, msg->about, r->seq, now);
}

void
swim_recv(struct swim *s, d_rank_t from, const struct swim_msg *msg, uint64_t now)
{
	struct member *m = swim_member_find(s, from);

	if (m == NULL || msg->kind >= SWIM_KIND_NR || msg->update_nr > SWIM_UPDATE_NR_MAX)
		return; /* of a group that we are not in, or not yet */
	if (msg->incarnation > m->incarnation)
		swim_member_renewed(s, m, msg->incarnation);
	else if (m->status != SWIM_DEAD && msg->incarnation == m->incarnation)
		member_heard(s, m);
	for (uint32_t i = 0; i < msg->update_nr; i++)
		update_apply(s, &msg->updates[i]);
	if (msg->kind == SWIM_PING)
		swim_msg_send(s, SWIM_ACK, from, s->self, msg->seq, msg->stamp);
	else if (msg->kind == SWIM_ACK)
		ack_recv(s, from, msg, now);
	else
		ping_req_recv(s, from, msg, now);
	if (s->member_nr > 0)
		next_compute(s);
}
