/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Provider "self": endpoints of one process that meet in a world. A message changes hands: the
 * sender's buffer goes on the receiver's queue, nothing is copied. RMA is a memcpy between the two
 * sides' memory, done by the thread that asks for it.
 *
 * Who may touch what:
 * 1. An endpoint's pool, failures and finished transfers belong to its owner (na.h: one lock).
 * 2. Its inbox, armed and rung are under its own lock; senders of other threads take it while they
 *    hold the world's endpoint lock for reading, so an endpoint cannot close under them.
 * 3. Registered memory is touched under the world's memory lock for reading; taking a
 *    registration away needs it for writing, so afterwards no peer touches the memory.
 */
#define D_LOGFAC LOG_FAC_NA
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/hash.h"
#include "base/log.h"
#include "na/na_class.h"
#include "platform/platform.h"

#define SELF_PROVIDER    "self"
#define SELF_ID_ANY_MIN  (1ULL << 17) /* above all port numbers */
#define SELF_POOL_NR_MAX 256

struct na_self_world {
	pthread_rwlock_t ep_lock;
	struct d_hash    eps; /* by id */
	uint64_t         id_next;
	pthread_rwlock_t mr_lock;
	struct d_hash    mrs; /* by key */
	uint64_t         key_next;
};

struct self_na {
	struct na             na;
	struct na_self_world *world;
};

struct self_ep {
	struct na_ep          ep;
	struct d_hash_node    node;
	uint64_t              id;
	struct na_self_world *world;
	struct na_ep_attr     attr;
	int                   efd;
	bool                  stopped;
	d_list_t              pool;
	uint32_t              pool_nr;
	d_list_t              failed; /* struct self_msg */
	d_list_t              rmas;   /* finished */

	pthread_mutex_t lock;
	d_list_t        inbox;
	bool            armed;
	bool            rung;
};

struct self_msg {
	struct na_msg msg;
	na_addr_t     to;
	char          data[NA_MSG_BYTES_MAX] __attribute__((aligned(64)));
};

struct na_mr {
	struct d_hash_node node;
	uint64_t           key;
	char              *buf;
	size_t             bytes;
	unsigned           access;
};

static struct self_ep *
self_ep_of(struct na_ep *ep)
{
	return CONTAINER_OF(ep, struct self_ep, ep);
}

static bool
ep_id_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	return CONTAINER_OF(node, struct self_ep, node)->id == *(const uint64_t *)key;
}

static bool
mr_key_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	return CONTAINER_OF(node, struct na_mr, node)->key == *(const uint64_t *)key;
}

int
na_self_world_create(struct na_self_world **ret_world)
{
	struct na_self_world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -DER_NOMEM;
	pthread_rwlock_init(&w->ep_lock, NULL);
	pthread_rwlock_init(&w->mr_lock, NULL);
	d_hash_init(&w->eps, ep_id_eq);
	d_hash_init(&w->mrs, mr_key_eq);
	w->id_next  = SELF_ID_ANY_MIN;
	w->key_next = 1;
	*ret_world = w;
	return 0;
}

void
na_self_world_destroy(struct na_self_world *w)
{
	if (w == NULL)
		return;
	d_hash_fini(&w->eps);
	d_hash_fini(&w->mrs);
	pthread_rwlock_destroy(&w->ep_lock);
	pthread_rwlock_destroy(&w->mr_lock);
	free(w);
}

static bool
self_match(const char *provider)
{
	return strcmp(provider, SELF_PROVIDER) == 0;
}

static int
self_open(const struct na_attr *attr, struct na **ret_na)
{
	struct self_na *s;

	if (attr->world == NULL)
		return -DER_INVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -DER_NOMEM;
	s->na.cls = &na_self_class;
	strcpy(s->na.provider, SELF_PROVIDER);
	s->world = attr->world;
	*ret_na = &s->na;
	return 0;
}

static void
self_close(struct na *na)
{
	free(CONTAINER_OF(na, struct self_na, na));
}

/* ---- endpoints ---- */

static int
world_join(struct na_self_world *w, struct self_ep *s)
{
	int rc;

	pthread_rwlock_wrlock(&w->ep_lock);
	s->id = s->attr.port != 0 ? s->attr.port : w->id_next++;
	rc    = d_hash_insert(&w->eps, &s->node, &s->id, sizeof(s->id));
	pthread_rwlock_unlock(&w->ep_lock);
	if (rc != -DER_EXIST)
		return rc;
	D_ERROR("self://%lu is in use by another endpoint of this world; choose another port\n",
		(unsigned long)s->id);
	return -DER_BUSY;
}

static int
self_ep_open(struct na *na, const struct na_ep_attr *attr, struct na_ep **ret_ep)
{
	struct self_ep *s = calloc(1, sizeof(*s));
	int             rc;

	if (s == NULL)
		return -DER_NOMEM;
	s->ep.cls = &na_self_class;
	s->world  = CONTAINER_OF(na, struct self_na, na)->world;
	s->attr   = *attr;
	d_list_init(&s->pool);
	d_list_init(&s->failed);
	d_list_init(&s->rmas);
	d_list_init(&s->inbox);
	pthread_mutex_init(&s->lock, NULL);
	s->efd = plat_event_open();
	rc     = s->efd < 0 ? -DER_NOMEM : world_join(s->world, s);
	if (rc != 0) {
		plat_fd_close(s->efd);
		pthread_mutex_destroy(&s->lock);
		free(s);
		return rc;
	}
	*ret_ep = &s->ep;
	return 0;
}

static void
self_msgs_free(d_list_t *list)
{
	struct na_msg *m, *tmp;

	d_list_for_each_safe(m, tmp, list, link) {
		d_list_del(&m->link);
		free(CONTAINER_OF(m, struct self_msg, msg));
	}
}

static void
self_ep_stop(struct na_ep *ep)
{
	struct self_ep *s = self_ep_of(ep);

	if (s->stopped)
		return;
	pthread_rwlock_wrlock(&s->world->ep_lock);
	d_hash_remove(&s->world->eps, &s->node);
	pthread_rwlock_unlock(&s->world->ep_lock);
	s->stopped = true;
}

static void
self_ep_close(struct na_ep *ep)
{
	struct self_ep *s = self_ep_of(ep);

	self_ep_stop(ep);
	self_msgs_free(&s->inbox);
	self_msgs_free(&s->failed);
	self_msgs_free(&s->pool);
	plat_fd_close(s->efd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static int
self_ep_uri(struct na_ep *ep, char *buf, size_t buf_bytes)
{
	int n = snprintf(buf, buf_bytes, SELF_PROVIDER "://%lu", (unsigned long)self_ep_of(ep)->id);

	return n < 0 || (size_t)n >= buf_bytes ? -DER_TRUNC : 0;
}

static const void *
self_ep_name(struct na_ep *ep, size_t *ret_bytes)
{
	struct self_ep *s = self_ep_of(ep);

	*ret_bytes = sizeof(s->id);
	return &s->id;
}

static int
self_ep_fd(struct na_ep *ep)
{
	return self_ep_of(ep)->efd;
}

static bool
self_ep_busy(struct na_ep *ep)
{
	struct self_ep *s = self_ep_of(ep);

	return !d_list_empty(&s->failed) || !d_list_empty(&s->rmas);
}

static bool
self_ep_arm(struct na_ep *ep)
{
	struct self_ep *s = self_ep_of(ep);
	bool            idle;

	if (self_ep_busy(ep))
		return false;
	pthread_mutex_lock(&s->lock);
	idle = d_list_empty(&s->inbox);
	if (idle && s->rung && plat_event_clear(s->efd))
		s->rung = false;
	s->armed = idle;
	pthread_mutex_unlock(&s->lock);
	return idle;
}

static uint32_t
self_ep_repoll_us(struct na_ep *ep)
{
	return UINT32_MAX;
}

static void
self_ep_post(struct self_ep *dst, struct na_msg *msg)
{
	pthread_mutex_lock(&dst->lock);
	d_list_add_tail(&msg->link, &dst->inbox);
	if (dst->armed) {
		dst->armed = false;
		dst->rung  = plat_event_set(dst->efd);
	}
	pthread_mutex_unlock(&dst->lock);
}

/* ---- addresses: the id itself ---- */

static int
self_addr_insert(struct na_ep *ep, const char *uri, na_addr_t *ret_addr)
{
	unsigned long id;
	char          tail;

	if (sscanf(uri, SELF_PROVIDER "://%lu%c", &id, &tail) != 1 || id == NA_ADDR_NONE)
		return -DER_INVAL;
	*ret_addr = id;
	return 0;
}

static int
self_addr_insert_name(struct na_ep *ep, const void *name, size_t bytes, na_addr_t *ret_addr)
{
	if (bytes != sizeof(*ret_addr))
		return -DER_INVAL;
	memcpy(ret_addr, name, bytes);
	return 0;
}

/* ---- messages ---- */

static struct na_msg *
self_msg_get(struct na_ep *ep)
{
	struct self_ep  *s = self_ep_of(ep);
	struct na_msg   *m = d_list_first(&s->pool, struct na_msg, link);
	struct self_msg *sm;

	if (m != NULL) {
		d_list_del(&m->link);
		s->pool_nr--;
		return m;
	}
	sm = malloc(sizeof(*sm));
	if (sm == NULL)
		return NULL;
	sm->msg = (struct na_msg){.data = sm->data};
	d_list_init(&sm->msg.link);
	return &sm->msg;
}

static void
self_msg_put(struct na_ep *ep, struct na_msg *m)
{
	struct self_ep *s = self_ep_of(ep);

	if (s->pool_nr == SELF_POOL_NR_MAX) {
		free(CONTAINER_OF(m, struct self_msg, msg));
		return;
	}
	d_list_add(&m->link, &s->pool);
	s->pool_nr++;
}

static void
self_msg_send(struct na_ep *ep, na_addr_t to, struct na_msg *m)
{
	struct self_ep     *s = self_ep_of(ep);
	struct d_hash_node *node;

	pthread_rwlock_rdlock(&s->world->ep_lock);
	node = d_hash_find(&s->world->eps, &to, sizeof(to));
	if (node != NULL)
		self_ep_post(CONTAINER_OF(node, struct self_ep, node), m);
	pthread_rwlock_unlock(&s->world->ep_lock);
	if (node == NULL) {
		CONTAINER_OF(m, struct self_msg, msg)->to = to;
		d_list_add_tail(&m->link, &s->failed);
	}
}

static struct na_msg *
self_inbox_pop(struct self_ep *s)
{
	struct na_msg *m;

	pthread_mutex_lock(&s->lock);
	m = d_list_first(&s->inbox, struct na_msg, link);
	if (m != NULL)
		d_list_del(&m->link);
	pthread_mutex_unlock(&s->lock);
	return m;
}

static bool
self_progress_own(struct self_ep *s)
{
	struct na_rma *rma = d_list_first(&s->rmas, struct na_rma, link);
	struct na_msg *m   = d_list_first(&s->failed, struct na_msg, link);

	if (rma != NULL) {
		d_list_del(&rma->link);
		rma->done(rma, rma->rc);
		return true;
	}
	if (m == NULL)
		return false;
	d_list_del(&m->link);
	s->attr.send_failed(s->attr.arg, m, CONTAINER_OF(m, struct self_msg, msg)->to,
			    -DER_UNREACH);
	self_msg_put(&s->ep, m);
	return true;
}

static bool
self_progress_one(struct self_ep *s)
{
	struct na_msg *m;

	if (self_progress_own(s))
		return true;
	m = self_inbox_pop(s);
	if (m == NULL)
		return false;
	m->peer = NA_ADDR_NONE;
	s->attr.recv(s->attr.arg, m);
	return true;
}

static int
self_ep_progress(struct na_ep *ep, uint32_t event_nr)
{
	uint32_t nr = 0;

	while (nr < event_nr && self_progress_one(self_ep_of(ep)))
		nr++;
	return nr;
}

/* ---- remote memory ---- */

static int
self_mr_create(struct na_ep *ep, void *buf, size_t bytes, unsigned access, struct na_mr **ret_mr,
	       struct na_mr_remote *ret_remote)
{
	struct na_self_world *w  = self_ep_of(ep)->world;
	struct na_mr         *mr = malloc(sizeof(*mr));
	int                   rc;

	if (mr == NULL)
		return -DER_NOMEM;
	*mr = (struct na_mr){.buf = buf, .bytes = bytes, .access = access};
	pthread_rwlock_wrlock(&w->mr_lock);
	mr->key = w->key_next++;
	rc      = d_hash_insert(&w->mrs, &mr->node, &mr->key, sizeof(mr->key));
	pthread_rwlock_unlock(&w->mr_lock);
	D_ASSERT(rc == 0); /* keys are never reused */
	*ret_mr     = mr;
	*ret_remote = (struct na_mr_remote){.base = 0, .key = mr->key};
	return 0;
}

static void
self_mr_destroy(struct na_ep *ep, struct na_mr *mr)
{
	struct na_self_world *w = self_ep_of(ep)->world;

	pthread_rwlock_wrlock(&w->mr_lock);
	d_hash_remove(&w->mrs, &mr->node);
	pthread_rwlock_unlock(&w->mr_lock);
	free(mr);
}

static int
self_rma_copy(struct na_self_world *w, struct na_rma *rma)
{
	unsigned need = rma->kind == NA_RMA_READ ? NA_MR_PEER_READS : NA_MR_PEER_WRITES;
	struct d_hash_node *node = d_hash_find(&w->mrs, &rma->key, sizeof(rma->key));
	struct na_mr       *mr   = node == NULL ? NULL : CONTAINER_OF(node, struct na_mr, node);

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
self_rma_start(struct na_ep *ep, struct na_rma *rma)
{
	struct self_ep *s = self_ep_of(ep);

	pthread_rwlock_rdlock(&s->world->mr_lock);
	rma->rc = self_rma_copy(s->world, rma);
	pthread_rwlock_unlock(&s->world->mr_lock);
	d_list_add_tail(&rma->link, &s->rmas);
}

const struct na_class na_self_class = {
	.name             = SELF_PROVIDER,
	.match            = self_match,
	.open             = self_open,
	.close            = self_close,
	.ep_open          = self_ep_open,
	.ep_stop          = self_ep_stop,
	.ep_close         = self_ep_close,
	.ep_uri           = self_ep_uri,
	.ep_name          = self_ep_name,
	.ep_progress      = self_ep_progress,
	.ep_fd            = self_ep_fd,
	.ep_arm           = self_ep_arm,
	.ep_busy          = self_ep_busy,
	.ep_repoll_us     = self_ep_repoll_us,
	.addr_insert      = self_addr_insert,
	.addr_insert_name = self_addr_insert_name,
	.msg_get          = self_msg_get,
	.msg_put          = self_msg_put,
	.msg_send         = self_msg_send,
	.mr_create        = self_mr_create,
	.mr_destroy       = self_mr_destroy,
	.rma_start        = self_rma_start,
};
