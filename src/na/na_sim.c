/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The simulated fabric: endpoints of all nodes meet in a world, as those of na_self.c do, but what they send takes
 * time, and a policy (na_sim.h) decides what becomes of it. A message lies in memory of the world while it is under
 * way. A transfer (RMA) happens at one moment in between: the bytes are those of that moment.
 *
 * Invariants:
 * 1. Everything here is in the world's memory but message buffers (the endpoint's node's) and struct na_rma (the
 *    caller's). When a node is killed, its endpoints, registrations and transfers are forgotten; what it sent is
 *    still under way.
 * 2. A message or a transfer is under way (its event is armed), or in one list of its endpoint, or gone.
 */
#define D_LOGFAC LOG_FAC_NA
#include "na/na_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/hash.h"
#include "base/log.h"
#include "na/na_class.h"
#include "platform/platform_sim.h"

#define SIM_PROVIDER    "self"
#define SIM_ID_ANY_MIN  (1ULL << 17)
#define SIM_POOL_NR_MAX 64
#define SIM_DELAY_NS    1000

struct na_self_world {
	struct d_hash               eps; /* by id */
	uint64_t                    id_next;
	struct d_hash               mrs; /* by key */
	uint64_t                    key_next;
	d_list_t                    ep_list, mr_list, flight; /* flight: struct sim_msg, struct sim_rma */
	uint64_t                    flight_nr;
	const struct na_sim_policy *policy;
	struct na_sim_stats         stats;
};

struct sim_na {
	struct na             na;
	struct na_self_world *world;
};

struct sim_ep {
	struct na_ep          ep;
	struct d_hash_node    node;
	d_list_t              link;
	uint64_t              id;
	uint32_t              owner; /* the simulated process */
	struct na_self_world *world;
	struct na_ep_attr     attr;
	int                   efd;
	bool                  stopped;
	d_list_t              pool; /* struct buffer */
	uint32_t              pool_nr;
	d_list_t              inbox, failed; /* struct sim_msg */
	d_list_t              rmas;          /* finished: struct na_rma */
};

/** A message as its owner holds it. */
struct buffer {
	struct na_msg msg;
	char          data[NA_MSG_BYTES_MAX] __attribute__((aligned(64)));
};

/** A message, or a transfer, under way. */
struct flight {
	d_list_t              link;
	struct psim_event     event;
	struct na_self_world *world;
	uint32_t              from, to; /* nodes */
	bool                  is_rma, fails;
};
struct sim_msg {
	struct flight f;
	uint64_t      from_ep, to_ep, cookie;
	uint32_t      len;
	char          data[];
};
struct sim_rma {
	struct flight  f;
	struct sim_ep *ep;
	struct na_rma *rma;
};

struct na_mr {
	struct d_hash_node node;
	d_list_t           link;
	uint64_t           key;
	char              *buf;
	size_t             bytes;
	unsigned           access;
	uint32_t           owner;
};

static struct sim_ep *
sim_ep_of(struct na_ep *ep)
{
	return CONTAINER_OF(ep, struct sim_ep, ep);
}

static bool
ep_id_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	return CONTAINER_OF(node, struct sim_ep, node)->id == *(const uint64_t *)key;
}

static bool
mr_key_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	return CONTAINER_OF(node, struct na_mr, node)->key == *(const uint64_t *)key;
}

/** The tables grow in the world's memory, whoever inserts. */
static void
world_insert(struct d_hash *table, struct d_hash_node *node, const uint64_t *key)
{
	uint32_t mem = psim_mem_use(PSIM_WORLD);

	D_ASSERT(d_hash_insert(table, node, key, sizeof(*key)) == 0);
	(void)psim_mem_use(mem);
}

static struct sim_ep *
ep_find(struct na_self_world *w, uint64_t id)
{
	struct d_hash_node *node = d_hash_find(&w->eps, &id, sizeof(id));

	return node == NULL ? NULL : CONTAINER_OF(node, struct sim_ep, node);
}

/* ---- the world ---- */

static void
flight_forget(struct flight *f)
{
	psim_event_cancel(&f->event);
	d_list_del(&f->link);
	f->world->flight_nr--;
}

static void
msgs_drop(d_list_t *list)
{
	struct sim_msg *m;

	while ((m = d_list_first(list, struct sim_msg, f.link)) != NULL) {
		d_list_del(&m->f.link);
		psim_world_free(m);
	}
}

static void ep_rmas_forget(struct sim_ep *s);

static void
world_node_gone(uint32_t node, void *arg)
{
	struct na_self_world *w = arg;
	struct sim_ep        *s, *s_tmp;
	struct na_mr         *mr, *mr_tmp;

	d_list_for_each_safe(s, s_tmp, &w->ep_list, link) {
		if (s->owner != node)
			continue;
		ep_rmas_forget(s);
		if (!s->stopped)
			d_hash_remove(&w->eps, &s->node);
		msgs_drop(&s->inbox);
		msgs_drop(&s->failed);
		d_list_del(&s->link);
		psim_world_free(s);
	}
	d_list_for_each_safe(mr, mr_tmp, &w->mr_list, link) {
		if (mr->owner != node)
			continue;
		d_hash_remove(&w->mrs, &mr->node);
		d_list_del(&mr->link);
		psim_world_free(mr);
	}
}

int
na_self_world_create(struct na_self_world **ret_world)
{
	struct na_self_world *w = psim_world_alloc(sizeof(*w));

	d_hash_init(&w->eps, ep_id_eq);
	d_hash_init(&w->mrs, mr_key_eq);
	d_list_init(&w->ep_list);
	d_list_init(&w->mr_list);
	d_list_init(&w->flight);
	w->id_next = SIM_ID_ANY_MIN;
	w->key_next = 1;
	psim_on_kill(world_node_gone, w);
	*ret_world = w;
	return 0;
}

void
na_self_world_destroy(struct na_self_world *w)
{
	if (w == NULL)
		return;
	D_ASSERT(d_list_empty(&w->ep_list));
	while (!d_list_empty(&w->flight)) {
		struct flight *f = d_list_first(&w->flight, struct flight, link);

		flight_forget(f);
		psim_world_free(f);
	}
	d_hash_fini(&w->eps);
	d_hash_fini(&w->mrs);
	psim_world_free(w);
}

void
na_sim_set_policy(struct na_self_world *w, const struct na_sim_policy *policy)
{
	w->policy = policy;
}

void
na_sim_get_stats(const struct na_self_world *w, struct na_sim_stats *ret_stats)
{
	*ret_stats = w->stats;
}

uint64_t
na_sim_in_flight_nr(const struct na_self_world *w)
{
	return w->flight_nr;
}

static enum na_sim_fate
fate_of(struct na_self_world *w, uint32_t from, uint32_t to, size_t bytes, uint64_t *ret_delay_ns)
{
	*ret_delay_ns = SIM_DELAY_NS;
	if (w->policy == NULL)
		return NA_SIM_ARRIVES;
	return w->policy->fate(w->policy->arg, from, to, bytes, ret_delay_ns);
}

static void
flight_start(struct flight *f, struct na_self_world *w, void (*fn)(void *arg), uint64_t delay_ns)
{
	f->world = w;
	f->event.fn = fn;
	f->event.arg = f;
	d_list_add_tail(&f->link, &w->flight);
	w->flight_nr++;
	psim_event_at(&f->event, psim_now() + psim_lag_ns() + delay_ns);
}

static void
work(const struct na_self_world *w)
{
	if (w->policy != NULL)
		psim_work(w->policy->work_ns);
}

void
na_sim_reset(struct na_self_world *w, uint32_t node_a, uint32_t node_b)
{
	struct flight *f;

	d_list_for_each(f, &w->flight, link) {
		if ((f->from == node_a && f->to == node_b) || (f->from == node_b && f->to == node_a))
			f->fails = true;
	}
}

/* ---- class ---- */

static bool
sim_match(const char *provider)
{
	return strcmp(provider, SIM_PROVIDER) == 0;
}

static int
sim_open(const struct na_attr *attr, struct na **ret_na)
{
	struct sim_na *s;

	if (attr->world == NULL)
		return -DER_INVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -DER_NOMEM;
	s->na.cls = &na_self_class;
	strcpy(s->na.provider, SIM_PROVIDER);
	s->world = attr->world;
	*ret_na = &s->na;
	return 0;
}

static void
sim_close(struct na *na)
{
	free(CONTAINER_OF(na, struct sim_na, na));
}

/* ---- endpoints ---- */

static int
sim_ep_open(struct na *na, const struct na_ep_attr *attr, struct na_ep **ret_ep)
{
	struct na_self_world *w = CONTAINER_OF(na, struct sim_na, na)->world;
	struct sim_ep        *s;
	uint64_t              id = attr->port != 0 ? (uint64_t)attr->port : w->id_next++;

	if (ep_find(w, id) != NULL)
		return -DER_BUSY;
	s = psim_world_alloc(sizeof(*s));
	s->ep.cls = &na_self_class;
	s->world = w;
	s->attr = *attr;
	s->id = id;
	s->owner = psim_node_self();
	d_list_init(&s->pool);
	d_list_init(&s->inbox);
	d_list_init(&s->failed);
	d_list_init(&s->rmas);
	s->efd = plat_event_open();
	D_ASSERT(s->efd >= 0);
	world_insert(&w->eps, &s->node, &s->id);
	d_list_add_tail(&s->link, &w->ep_list);
	*ret_ep = &s->ep;
	return 0;
}

/** Its transfers under way end without a callback. */
static void
ep_rmas_forget(struct sim_ep *s)
{
	struct flight *f, *tmp;

	d_list_for_each_safe(f, tmp, &s->world->flight, link) {
		if (f->is_rma && ((struct sim_rma *)f)->ep == s) {
			flight_forget(f);
			psim_world_free(f);
		}
	}
}

static void
sim_ep_stop(struct na_ep *ep)
{
	struct sim_ep *s = sim_ep_of(ep);

	if (s->stopped)
		return;
	ep_rmas_forget(s);
	d_hash_remove(&s->world->eps, &s->node);
	s->stopped = true;
}

static void
sim_ep_close(struct na_ep *ep)
{
	struct sim_ep *s = sim_ep_of(ep);
	struct na_msg *m;

	sim_ep_stop(ep);
	msgs_drop(&s->inbox);
	msgs_drop(&s->failed);
	while ((m = d_list_first(&s->pool, struct na_msg, link)) != NULL) {
		d_list_del(&m->link);
		free(CONTAINER_OF(m, struct buffer, msg));
	}
	plat_fd_close(s->efd);
	d_list_del(&s->link);
	psim_world_free(s);
}

static int
sim_ep_uri(struct na_ep *ep, char *buf, size_t buf_bytes)
{
	int n = snprintf(buf, buf_bytes, SIM_PROVIDER "://%lu", (unsigned long)sim_ep_of(ep)->id);

	return n < 0 || (size_t)n >= buf_bytes ? -DER_TRUNC : 0;
}

static const void *
sim_ep_name(struct na_ep *ep, size_t *ret_bytes)
{
	struct sim_ep *s = sim_ep_of(ep);

	*ret_bytes = sizeof(s->id);
	return &s->id;
}

static int
sim_ep_fd(struct na_ep *ep)
{
	return sim_ep_of(ep)->efd;
}

static bool
sim_ep_busy(struct na_ep *ep)
{
	struct sim_ep *s = sim_ep_of(ep);

	return !d_list_empty(&s->failed) || !d_list_empty(&s->rmas);
}

static bool
sim_ep_arm(struct na_ep *ep)
{
	struct sim_ep *s = sim_ep_of(ep);

	if (sim_ep_busy(ep) || !d_list_empty(&s->inbox))
		return false;
	(void)plat_event_clear(s->efd);
	return true;
}

static uint32_t
sim_ep_repoll_us(struct na_ep *ep)
{
	return UINT32_MAX;
}

/* ---- addresses: the id itself ---- */

static int
sim_addr_insert(struct na_ep *ep, const char *uri, na_addr_t *ret_addr)
{
	unsigned long id;
	char          tail;

	if (sscanf(uri, SIM_PROVIDER "://%lu%c", &id, &tail) != 1 || id == NA_ADDR_NONE)
		return -DER_INVAL;
	*ret_addr = id;
	return 0;
}

static int
sim_addr_insert_name(struct na_ep *ep, const void *name, size_t bytes, na_addr_t *ret_addr)
{
	if (bytes != sizeof(*ret_addr))
		return -DER_INVAL;
	memcpy(ret_addr, name, bytes);
	return 0;
}

/* ---- messages ---- */

static struct na_msg *
sim_msg_get(struct na_ep *ep)
{
	struct sim_ep *s = sim_ep_of(ep);
	struct na_msg *m = d_list_first(&s->pool, struct na_msg, link);
	struct buffer *b;

	if (m != NULL) {
		d_list_del(&m->link);
		s->pool_nr--;
		return m;
	}
	b = malloc(sizeof(*b));
	if (b == NULL)
		return NULL;
	b->msg = (struct na_msg){.data = b->data};
	d_list_init(&b->msg.link);
	return &b->msg;
}

static void
sim_msg_put(struct na_ep *ep, struct na_msg *m)
{
	struct sim_ep *s = sim_ep_of(ep);

	if (s->pool_nr == SIM_POOL_NR_MAX) {
		free(CONTAINER_OF(m, struct buffer, msg));
		return;
	}
	d_list_add(&m->link, &s->pool);
	s->pool_nr++;
}

/** The sender, if it still is there, learns that it failed. */
static void
msg_fail(struct sim_msg *m)
{
	struct sim_ep *s = ep_find(m->f.world, m->from_ep);

	m->f.world->stats.failed_nr++;
	if (s == NULL) {
		psim_world_free(m);
		return;
	}
	d_list_add_tail(&m->f.link, &s->failed);
	psim_fd_signal(s->efd);
}

static void
msg_arrive(void *arg)
{
	struct sim_msg *m = arg;
	struct sim_ep  *to;

	flight_forget(&m->f);
	to = m->f.fails ? NULL : ep_find(m->f.world, m->to_ep);
	psim_trace(to == NULL ? "msg-fail" : "msg", m->from_ep << 32 | m->to_ep, m->len,
		   psim_digest(m->data, m->len));
	psim_trace_bytes(m->data, m->len);
	if (to == NULL) {
		msg_fail(m);
		return;
	}
	d_list_add_tail(&m->f.link, &to->inbox);
	psim_fd_signal(to->efd);
}

static struct sim_msg *
msg_copy(const struct sim_msg *m)
{
	struct sim_msg *copy = psim_world_alloc(sizeof(*m) + m->len);

	memcpy(copy, m, sizeof(*m) + m->len);
	copy->f.event = (struct psim_event){0};
	return copy;
}

static void
sim_msg_send(struct na_ep *ep, na_addr_t to, struct na_msg *msg)
{
	struct sim_ep        *s = sim_ep_of(ep);
	struct na_self_world *w = s->world;
	struct sim_ep        *dst = ep_find(w, to);
	struct sim_msg       *m = psim_world_alloc(sizeof(*m) + msg->len);
	struct sim_msg       *twin;
	enum na_sim_fate      fate;
	uint64_t              delay_ns;

	m->from_ep = s->id;
	m->to_ep = to;
	m->cookie = msg->cookie;
	m->len = msg->len;
	m->f.from = s->owner;
	m->f.to = dst == NULL ? PSIM_WORLD : dst->owner;
	memcpy(m->data, msg->data, msg->len);
	sim_msg_put(ep, msg);
	w->stats.msg_nr++;
	w->stats.msg_bytes += m->len;
	work(w);
	if (w->policy != NULL && w->policy->seen != NULL)
		w->policy->seen(w->policy->arg, m->f.from, m->f.to, m->data, m->len);
	fate = fate_of(w, m->f.from, m->f.to, m->len, &delay_ns);
	if (fate == NA_SIM_LOST) {
		w->stats.lost_nr++;
		psim_trace("msg-lost", s->id << 32 | to, m->len, psim_digest(m->data, m->len));
		psim_world_free(m);
		return;
	}
	if (fate == NA_SIM_DOUBTFUL || fate == NA_SIM_TWICE) {
		twin = msg_copy(m);
		flight_start(&twin->f, w, msg_arrive, delay_ns);
	}
	if (fate == NA_SIM_TWICE)
		delay_ns += psim_delay(10 * NSEC_PER_MSEC);
	m->f.fails = fate != NA_SIM_ARRIVES && fate != NA_SIM_TWICE;
	flight_start(&m->f, w, msg_arrive, delay_ns);
}

static bool
progress_inbox(struct sim_ep *s)
{
	struct sim_msg *m = d_list_first(&s->inbox, struct sim_msg, f.link);
	struct na_msg  *msg;

	if (m == NULL)
		return false;
	msg = sim_msg_get(&s->ep);
	if (msg == NULL)
		return false; /* no memory: it stays */
	d_list_del(&m->f.link);
	memcpy(msg->data, m->data, m->len);
	msg->len = m->len;
	msg->peer = NA_ADDR_NONE;
	psim_world_free(m);
	work(s->world);
	s->attr.recv(s->attr.arg, msg);
	return true;
}

static bool
progress_failed(struct sim_ep *s)
{
	struct sim_msg *m = d_list_first(&s->failed, struct sim_msg, f.link);
	struct na_msg  *msg;
	na_addr_t       to;

	if (m == NULL)
		return false;
	msg = sim_msg_get(&s->ep);
	if (msg == NULL)
		return false;
	d_list_del(&m->f.link);
	memcpy(msg->data, m->data, m->len);
	msg->len = m->len;
	msg->cookie = m->cookie;
	to = m->to_ep;
	psim_world_free(m);
	s->attr.send_failed(s->attr.arg, msg, to, -DER_UNREACH);
	sim_msg_put(&s->ep, msg);
	return true;
}

static bool
progress_one(struct sim_ep *s)
{
	struct na_rma *rma = d_list_first(&s->rmas, struct na_rma, link);

	if (rma != NULL) {
		d_list_del(&rma->link);
		rma->done(rma, rma->rc);
		return true;
	}
	return progress_failed(s) || progress_inbox(s);
}

static int
sim_ep_progress(struct na_ep *ep, uint32_t event_nr)
{
	uint32_t nr = 0;

	while (nr < event_nr && progress_one(sim_ep_of(ep)))
		nr++;
	return nr;
}

/* ---- remote memory ---- */

static int
sim_mr_create(struct na_ep *ep, void *buf, size_t bytes, unsigned access, struct na_mr **ret_mr,
	      struct na_mr_remote *ret_remote)
{
	struct na_self_world *w = sim_ep_of(ep)->world;
	struct na_mr         *mr = psim_world_alloc(sizeof(*mr));

	*mr = (struct na_mr){.buf = buf, .bytes = bytes, .access = access, .owner = psim_node_self()};
	mr->key = w->key_next++;
	world_insert(&w->mrs, &mr->node, &mr->key);
	d_list_add_tail(&mr->link, &w->mr_list);
	*ret_mr = mr;
	*ret_remote = (struct na_mr_remote){.base = 0, .key = mr->key};
	return 0;
}

static void
sim_mr_destroy(struct na_ep *ep, struct na_mr *mr)
{
	d_hash_remove(&sim_ep_of(ep)->world->mrs, &mr->node);
	d_list_del(&mr->link);
	psim_world_free(mr);
}

static int
rma_copy(struct na_self_world *w, struct na_rma *rma)
{
	unsigned            need = rma->kind == NA_RMA_READ ? NA_MR_PEER_READS : NA_MR_PEER_WRITES;
	struct d_hash_node *node = d_hash_find(&w->mrs, &rma->key, sizeof(rma->key));
	struct na_mr       *mr = node == NULL ? NULL : CONTAINER_OF(node, struct na_mr, node);

	if (mr == NULL || (mr->access & need) == 0)
		return -DER_NO_PERM;
	if (rma->remote > mr->bytes || rma->bytes > mr->bytes - rma->remote)
		return -DER_OVERFLOW;
	if (rma->kind == NA_RMA_READ)
		memcpy(rma->local, mr->buf + rma->remote, rma->bytes);
	else
		memcpy(mr->buf + rma->remote, rma->local, rma->bytes);
	return 0;
}

static void
rma_happen(void *arg)
{
	struct sim_rma *r = arg;
	struct sim_ep  *s = r->ep;

	flight_forget(&r->f);
	r->rma->rc = r->f.fails ? -DER_UNREACH : rma_copy(s->world, r->rma);
	psim_trace("rma", s->id << 32 | r->rma->kind, r->rma->bytes,
		   r->rma->rc == 0 ? psim_digest(r->rma->local, r->rma->bytes) : (uint64_t)r->rma->rc);
	d_list_add_tail(&r->rma->link, &s->rmas);
	psim_fd_signal(s->efd);
	psim_world_free(r);
}

static void
sim_rma_start(struct na_ep *ep, struct na_rma *rma)
{
	struct sim_ep        *s = sim_ep_of(ep);
	struct na_self_world *w = s->world;
	struct sim_ep        *peer = ep_find(w, rma->peer);
	struct sim_rma       *r = psim_world_alloc(sizeof(*r));
	uint64_t              delay_ns;
	enum na_sim_fate      fate;

	r->ep = s;
	r->rma = rma;
	r->f.from = s->owner;
	r->f.to = peer == NULL ? PSIM_WORLD : peer->owner;
	w->stats.rma_nr++;
	w->stats.rma_bytes += rma->bytes;
	fate = fate_of(w, r->f.from, r->f.to, rma->bytes, &delay_ns);
	r->f.fails = peer == NULL || fate == NA_SIM_LOST || fate == NA_SIM_REFUSED;
	if (fate == NA_SIM_LOST)
		delay_ns = w->policy->lost_rma_ns;
	r->f.is_rma = true;
	flight_start(&r->f, w, rma_happen, 2 * delay_ns);
}

const struct na_class na_self_class = {
	.name             = SIM_PROVIDER,
	.match            = sim_match,
	.open             = sim_open,
	.close            = sim_close,
	.ep_open          = sim_ep_open,
	.ep_stop          = sim_ep_stop,
	.ep_close         = sim_ep_close,
	.ep_uri           = sim_ep_uri,
	.ep_name          = sim_ep_name,
	.ep_progress      = sim_ep_progress,
	.ep_fd            = sim_ep_fd,
	.ep_arm           = sim_ep_arm,
	.ep_busy          = sim_ep_busy,
	.ep_repoll_us     = sim_ep_repoll_us,
	.addr_insert      = sim_addr_insert,
	.addr_insert_name = sim_addr_insert_name,
	.msg_get          = sim_msg_get,
	.msg_put          = sim_msg_put,
	.msg_send         = sim_msg_send,
	.mr_create        = sim_mr_create,
	.mr_destroy       = sim_mr_destroy,
	.rma_start        = sim_rma_start,
};
