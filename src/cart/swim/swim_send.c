/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What is sent: pings, answers, and the updates that travel on them. swim.c has the invariants. */
#define D_LOGFAC LOG_FAC_SWIM
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/swim/swim_internal.h"

/* ---- updates: what is to be spread ---- */

static uint32_t
update_sends_max(const struct swim *s)
{
	uint32_t log2 = 0;

	while ((1u << log2) < s->member_nr + 1)
		log2++;
	return 4 + 3 * log2;
}

struct update *
swim_update_find(struct swim *s, d_rank_t rank)
{
	struct update *u;

	d_list_for_each(u, &s->updates, link)
		if (u->u.rank == rank)
			return u;
	return NULL;
}

void
swim_update_queue(struct swim *s, d_rank_t rank, enum swim_status status, uint64_t incarnation)
{
	struct update *u = swim_update_find(s, rank);

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

void
swim_update_drop(struct update *u)
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
			swim_update_drop(u);
			continue;
		}
		d_list_del(&u->link);
		d_list_add_tail(&u->link, &sent);
	}
	d_list_splice_tail(&sent, &s->updates);
}

/* ---- sending ---- */

void
swim_msg_send(struct swim *s, enum swim_kind kind, d_rank_t to, d_rank_t about, uint64_t seq,
	 uint64_t stamp)
{
	struct swim_msg msg;
	struct member  *m = swim_member_find(s, to);

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

void
swim_probe_start(struct swim *s, struct member *m, uint64_t now)
{
	if (m->probing || s->probe_nr == PROBE_NR_MAX)
		return;
	m->probing = true;
	s->probes[s->probe_nr++] = (struct probe){.target    = m,
						  .seq       = ++s->seq,
						  .direct_ns = now + direct_wait_ns(s),
						  .final_ns  = now + final_wait_ns(s)};
	swim_msg_send(s, SWIM_PING, m->rank, m->rank, s->seq, now);
}

void
swim_probe_end(struct swim *s, uint32_t i)
{
	s->probes[i].target->probing = false;
	s->probes[i] = s->probes[--s->probe_nr];
}

void
swim_probes_end_of(struct swim *s, const struct member *m)
{
	for (uint32_t i = s->probe_nr; i-- > 0;)
		if (s->probes[i].target == m)
			swim_probe_end(s, i);
}

struct member *
swim_member_pick(struct swim *s, const struct member *but)
{
	for (int i = 0; i < PICK_TRIES && s->member_nr > 0; i++) {
		struct member *m = s->ring[s->ops.random(s->arg) % s->member_nr];

		if (m != but && m->status != SWIM_DEAD)
			return m;
	}
	return NULL;
}

void
swim_probe_ask_others(struct swim *s, struct probe *p, uint64_t now)
{
	d_rank_t asked[SUBGROUP_NR_MAX];
	uint32_t nr = 0;

	p->asked = true;
	for (uint32_t i = 0; i < s->config.subgroup_nr; i++) {
		struct member *m = swim_member_pick(s, p->target);
		bool           again = false;

		for (uint32_t k = 0; m != NULL && k < nr; k++)
			again = again || asked[k] == m->rank;
		if (m == NULL || again)
			continue;
		asked[nr++] = m->rank;
		swim_msg_send(s, SWIM_PING_REQ, m->rank, p->target->rank, p->seq, now);
	}
}
