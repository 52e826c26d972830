/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Progress of local links: polling, sleeping, messages. The theory is in na_local.c. */
#define D_LOGFAC LOG_FAC_NA
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <daos_errno.h>
#include "base/log.h"
#include "na/na_local.h"
#include "platform/platform.h"

#define LOOK_EVENT_NR   16
#define POKE_BYTES_MAX  64
#define REPOLL_US       100000 /* while something is waited for with a deadline */

static bool
link_pending(const struct local_link *l)
{
	return !d_list_empty(&l->msgs) || !d_list_empty(&l->rmas) || !d_list_empty(&l->serves);
}

/* ---- active and parked ---- */

void
local_link_activate(struct local_link *l)
{
	l->quiet_nr = 0;
	if (l->active || l->state != LOCAL_UP)
		return;
	l->active = true;
	ring_unpark(&l->rx);
	d_list_del(&l->link);
	d_list_add_tail(&l->link, &l->local->active);
}

/** False: something is there. */
static bool
link_park(struct local_link *l)
{
	if (!ring_park(&l->rx))
		return false;
	if (ring_space_wanted(&l->rx))
		local_poke(l);
	l->active = false;
	d_list_del(&l->link);
	d_list_add_tail(&l->link, &l->local->parked);
	return true;
}

/* ---- sending ---- */

int
local_put(struct local_link *l, uint32_t kind, const void *head, uint32_t head_bytes,
	  const void *body, uint32_t body_bytes)
{
	int rc = ring_put(&l->tx, kind, head, head_bytes, body, body_bytes);

	if (rc == -DER_PROTO) {
		local_link_die(l, rc);
		return -DER_UNREACH;
	}
	if (rc == 0 && ring_must_poke(&l->tx))
		local_poke(l);
	return rc;
}

void
na_local_send(struct na_local *local, na_addr_t to, struct na_msg *m)
{
	struct local_link *l = local_link_find(local, to);

	m->peer = to;
	if (l == NULL || l->state != LOCAL_UP) {
		d_list_add_tail(&m->link, &local->failed);
		return;
	}
	if (LIKELY(!local->armed))
		local_link_activate(l); /* an answer may come soon */
	if (d_list_empty(&l->msgs)) {
		int rc = local_put(l, RING_MSG, m->data, m->len, m->late, m->late_bytes);

		if (rc == 0) {
			na_msg_put(local->ep, m);
			return;
		}
		l->since_ns = plat_now_ns();
	}
	na_msg_fetch_late(m);
	d_list_add_tail(&m->link, &l->msgs);
	local->stuck = local->stuck || !l->active;
}

static int
msgs_push(struct local_link *l)
{
	struct na_msg *m;
	int            nr = 0;

	while ((m = d_list_first(&l->msgs, struct na_msg, link)) != NULL) {
		if (local_put(l, RING_MSG, m->data, m->len, NULL, 0) != 0)
			break;
		d_list_del(&m->link);
		na_msg_put(l->local->ep, m);
		nr++;
	}
	return nr;
}

/** What waits goes on. Returns events. */
static int
link_push(struct local_link *l, int64_t *budget)
{
	int nr = msgs_push(l);

	if (l->state == LOCAL_UP && d_list_empty(&l->msgs))
		nr += local_rma_push(l, budget);
	if (nr > 0 || !link_pending(l))
		l->since_ns = 0;
	else if (l->since_ns == 0)
		l->since_ns = plat_now_ns();
	else if (plat_now_ns() - l->since_ns >= LOCAL_UNSENT_NS)
		local_link_die(l, -DER_UNREACH);
	return nr;
}

/* ---- receiving ---- */

#define RECV_FETCH_FROM  1024u
#define LINE_PAIR_BYTES  128u

/** The sender's core or the cache of all cores has the lines: ask for them all (they come in pairs), the copy asks for few at a time. */
static void
record_fetch(const void *bytes, uint32_t len)
{
	const char *end = (const char *)bytes + len;

	for (const char *at = bytes; at < end; at += LINE_PAIR_BYTES)
		__builtin_prefetch(at, 0, 3);
}

static int
msg_recv(struct local_link *l, const struct ring_rec *rec)
{
	struct na_local *local = l->local;
	struct na_msg   *m;

	if (rec->len > NA_MSG_BYTES_MAX)
		return -DER_PROTO;
	if (UNLIKELY(rec->len > RECV_FETCH_FROM))
		record_fetch(rec->bytes, rec->len);
	m = na_msg_get(local->ep);
	if (m == NULL)
		return 0; /* stays where it is */
	memcpy(m->data, rec->bytes, rec->len);
	m->len  = rec->len;
	m->peer = local_addr_of(l);
	ring_pop(&l->rx, rec);
	local->attr.recv(local->attr.arg, m);
	return 1;
}

/** Returns events; 0: none, or not now. */
static int
rec_recv(struct local_link *l)
{
	struct ring_rec rec;
	int             rc = ring_peek(&l->rx, &rec);

	if (rc > 0)
		rc = rec.kind == RING_MSG ? msg_recv(l, &rec) : local_rma_recv(l, &rec);
	if (rc < 0) {
		D_WARN("a local peer breaks the protocol: " DF_RC "\n", DP_RC(rc));
		local_link_die(l, rc);
		return 1;
	}
	return rc;
}

static int
link_poll(struct local_link *l, int event_nr, int64_t *budget)
{
	int nr = 0;

	if (UNLIKELY(link_pending(l)) && l->state == LOCAL_UP)
		nr = link_push(l, budget);
	while (nr < event_nr && l->state == LOCAL_UP) {
		int n = rec_recv(l);

		if (n == 0)
			break;
		nr += n;
	}
	if (UNLIKELY(l->state != LOCAL_UP))
		return nr;
	if (UNLIKELY(ring_space_wanted(&l->rx)))
		local_poke(l);
	if (nr == 0 && UNLIKELY(ring_tx_fetches(&l->tx)))
		ring_tx_quiet(&l->tx);
	if (nr > 0)
		l->quiet_nr = 0;
	else if (UNLIKELY(l->hung_up))
		local_link_die(l, -DER_UNREACH);
	else if (++l->quiet_nr > LOCAL_PARK_POLLS && !link_pending(l))
		(void)link_park(l);
	return nr;
}

/* ---- sockets ---- */

static void
link_look(struct local_link *l)
{
	char    pokes[POKE_BYTES_MAX];
	ssize_t n;

	if (l->state != LOCAL_UP) {
		if (l->state != LOCAL_DEAD)
			local_shake(l);
		return;
	}
	do
		n = recv(l->fd, pokes, sizeof(pokes), MSG_DONTWAIT);
	while (n > 0);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		l->hung_up = true;
	local_link_activate(l);
}

/** Those that sleep while they wait for room: has it taken too long? */
static void
stuck_activate(struct na_local *local)
{
	struct local_link *l, *next;

	local->stuck = false;
	d_list_for_each_safe(l, next, &local->parked, link)
		if (link_pending(l))
			local_link_activate(l);
}

static void
look(struct na_local *local)
{
	struct epoll_event ev[LOOK_EVENT_NR];
	int                nr = epoll_wait(local->epfd, ev, LOOK_EVENT_NR, 0);

	local->look    = nr == LOOK_EVENT_NR;
	local->look_nr = 0;
	if (UNLIKELY(local->stuck))
		stuck_activate(local);
	for (int i = 0; i < nr; i++) {
		struct local_link *l;

		if (ev[i].data.u64 == UINT64_MAX) {
			local_accept(local);
			continue;
		}
		l = local_link_find(local, ev[i].data.u64);
		if (l != NULL)
			link_look(l);
	}
	if (local->shaking_nr > 0)
		local_shakes_expire(local);
}

/** Somebody sleeps who is not the one that polls. A link that cannot be parked makes us busy. */
static void
repark(struct na_local *local)
{
	struct local_link *l, *next;

	d_list_for_each_safe(l, next, &local->active, link)
		if (!link_pending(l))
			(void)link_park(l);
}

int
na_local_progress(struct na_local *local, uint32_t event_nr)
{
	int64_t            budget = LOCAL_COPY_BYTES;
	struct local_link *l, *next;
	int                nr = 0;

	if (local->look || local->armed || ++local->look_nr >= LOCAL_LOOK_POLLS)
		look(local);
	d_list_for_each_safe(l, next, &local->active, link) {
		nr += link_poll(l, event_nr, &budget);
		if (nr >= event_nr)
			break;
	}
	if (UNLIKELY(nr >= event_nr && !d_list_empty(&local->active))) {
		l = d_list_first(&local->active, struct local_link, link); /* others first next time */
		d_list_del(&l->link);
		d_list_add_tail(&l->link, &local->active);
	}
	if (UNLIKELY(local->dead_nr > 0 || !d_list_empty(&local->failed) ||
		     !d_list_empty(&local->rma_failed)))
		nr += local_reap(local);
	if (UNLIKELY(local->armed))
		repark(local);
	return nr;
}

/* ---- sleeping ---- */

bool
na_local_busy(struct na_local *local)
{
	struct local_link *l;

	if (local->dead_nr > 0 || local->stuck || !d_list_empty(&local->failed) ||
	    !d_list_empty(&local->rma_failed) || (local->armed && !d_list_empty(&local->active)))
		return true;
	d_list_for_each(l, &local->active, link)
		if (link_pending(l))
			return true;
	return false;
}

bool
na_local_arm(struct na_local *local)
{
	int64_t            budget = 0; /* copying is for progress */
	struct local_link *l, *next;

	if (local->look || local->dead_nr > 0 || !d_list_empty(&local->failed) ||
	    !d_list_empty(&local->rma_failed))
		return false;
	d_list_for_each_safe(l, next, &local->active, link) {
		if (link_pending(l)) {
			if (l->direct && !d_list_empty(&l->rmas))
				return false;
			ring_want_space(&l->tx);
			if (link_push(l, &budget) > 0 || l->state != LOCAL_UP)
				return false;
		}
		if (!link_park(l))
			return false;
		local->stuck = local->stuck || link_pending(l);
	}
	local->look  = true; /* first thing after the sleep */
	local->armed = true;
	return true;
}

uint32_t
na_local_repoll_us(struct na_local *local)
{
	return local->shaking_nr > 0 || local->stuck ? REPOLL_US : UINT32_MAX;
}
