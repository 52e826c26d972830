/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Remote memory over local links.
 *
 * Directly, acceptor to initiator only: the acceptor announces the key in rma_key, reads the guard
 * (what is registered under that key, and where) out of the initiator's memory, checks it, and
 * copies with one system call; transfers that wait for the same memory share both. So the initiator
 * need not run, and yet takes its memory back at any moment (invariant 2 in na_local.c). That the guard
 * has the key also shows that the process is still the one that shook hands.
 *
 * Through the rings, else: READ asks for bytes, which come as DATA; WRITE carries bytes, the last
 * one is answered by DONE. Whoever owns the memory looks it up by key for every record, so memory
 * that is gone is not touched.
 */
#define D_LOGFAC LOG_FAC_NA
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <daos_errno.h>
#include "base/log.h"
#include "na/na_local.h"
#include "platform/platform.h"

#define MR_SLAB_NR  64
#define PIECE_BYTES NA_MSG_BYTES_MAX
#define SPIN_NR     1000
#define DIRECT_RUN_NR 16

/* ---- registered memory ---- */

static int
mr_slab_add(struct na_local *local)
{
	struct local_mr **slabs;

	slabs = realloc(local->mr_slabs, (local->mr_slab_nr + 1) * sizeof(*slabs));
	if (slabs == NULL)
		return -DER_NOMEM;
	local->mr_slabs = slabs;
	slabs[local->mr_slab_nr] = calloc(MR_SLAB_NR, sizeof(**slabs));
	if (slabs[local->mr_slab_nr] == NULL)
		return -DER_NOMEM;
	for (int i = 0; i < MR_SLAB_NR; i++)
		d_list_add(&slabs[local->mr_slab_nr][i].link, &local->mr_pool);
	local->mr_slab_nr++;
	return 0;
}

int
na_local_mr_create(struct na_local *local, void *buf, size_t bytes, unsigned access,
		   struct na_mr *primary, struct na_mr **ret_mr, struct na_mr_remote *remote)
{
	struct local_mr *mr;
	int              rc = d_list_empty(&local->mr_pool) ? mr_slab_add(local) : 0;

	if (rc != 0)
		return rc;
	mr = d_list_first(&local->mr_pool, struct local_mr, link);
	mr->guard.va     = (uintptr_t)buf;
	mr->guard.base   = remote->base;
	mr->guard.bytes  = bytes;
	mr->guard.access = access;
	mr->primary      = primary;
	atomic_store(&mr->guard.key, remote->key);
	rc = d_hash_insert(&local->mrs, &mr->node, &remote->key, sizeof(remote->key));
	if (rc != 0) {
		atomic_store(&mr->guard.key, 0);
		return rc;
	}
	d_list_del(&mr->link);
	remote->guard = (uintptr_t)&mr->guard;
	*ret_mr = (struct na_mr *)mr;
	return 0;
}

void
local_quiesce(struct local_link *l, uint64_t key)
{
	uint64_t at;

	if (key == 0)
		atomic_exchange(&l->mem->closed, 1);
	for (uint32_t i = 1;; i++) {
		at = atomic_load(&l->mem->rma_key);
		if (at == 0 || (key != 0 && at != key))
			return;
		plat_cpu_relax();
		if (i % SPIN_NR == 0) {
			if (local_hung_up(l))
				return;
			sched_yield();
		}
	}
}

struct na_mr *
na_local_mr_destroy(struct na_local *local, struct na_mr *na_mr)
{
	struct local_mr *mr = (struct local_mr *)na_mr;
	uint64_t         key;

	d_hash_remove(&local->mrs, &mr->node);
	key = atomic_exchange(&mr->guard.key, 0); /* a full fence: rma_key is read after */
	for (uint32_t i = 0; i < local->link_nr && key != 0; i++) {
		struct local_link *l = local->links[i];

		if (l->initiator && l->mem != NULL)
			local_quiesce(l, key);
	}
	d_list_add(&mr->link, &local->mr_pool);
	return mr->primary;
}

void
local_mrs_revoke(struct na_local *local)
{
	for (uint32_t i = 0; i < local->mr_slab_nr; i++)
		for (int k = 0; k < MR_SLAB_NR; k++)
			atomic_store(&local->mr_slabs[i][k].guard.key, 0);
}

static int
mr_forget(struct d_hash_node *node, void *arg)
{
	d_hash_remove(arg, node);
	return 0;
}

void
local_mrs_free(struct na_local *local)
{
	d_hash_foreach(&local->mrs, mr_forget, &local->mrs);
	d_hash_fini(&local->mrs);
	for (uint32_t i = 0; i < local->mr_slab_nr; i++)
		free(local->mr_slabs[i]);
	free(local->mr_slabs);
}

/** Where @bytes at @remote of registered memory are; -DER_NO_PERM, -DER_OVERFLOW. */
static int
guard_check(const struct local_guard *g, uint64_t key, enum na_rma_kind kind, uint64_t remote,
	    uint64_t bytes, uint64_t *ret_va)
{
	unsigned need = kind == NA_RMA_READ ? NA_MR_PEER_READS : NA_MR_PEER_WRITES;
	uint64_t off  = remote - g->base;

	if (key == 0 || g->key != key || (g->access & need) == 0)
		return -DER_NO_PERM;
	if (off > g->bytes || bytes > g->bytes - off)
		return -DER_OVERFLOW;
	*ret_va = g->va + off;
	return 0;
}

/* ---- directly ---- */

static int
vm_rc(int err)
{
	switch (err) {
	case ESRCH:
		return -DER_UNREACH;
	case EPERM:
	case ENOSYS:
		return -DER_NOSYS; /* never mind whose fault: copy */
	case ENOMEM:
		return -DER_NOMEM;
	default:
		return -DER_INVAL;
	}
}

static int
vm_copy(pid_t pid, enum na_rma_kind kind, char *local, uint64_t va, uint64_t bytes)
{
	while (bytes > 0) {
		struct iovec near = {local, bytes};
		struct iovec far  = {(void *)(uintptr_t)va, bytes};
		ssize_t      n    = kind == NA_RMA_READ ? process_vm_readv(pid, &near, 1, &far, 1, 0) :
							  process_vm_writev(pid, &near, 1, &far, 1, 0);

		if (n <= 0)
			return n < 0 ? vm_rc(errno) : -DER_INVAL;
		local += n;
		va += n;
		bytes -= n;
	}
	return 0;
}

void
local_direct_probe(struct local_link *l, uint64_t token_va, uint64_t token)
{
	uint64_t seen = 0;

	l->direct = l->pid > 0 && token != 0 &&
		    vm_copy(l->pid, NA_RMA_READ, (char *)&seen, token_va, sizeof(seen)) == 0 &&
		    seen == token;
	D_DEBUG("memory of process %d is reached %s\n", (int)l->pid,
		l->direct ? "directly" : "by messages");
}

/** Transfers of the same kind, from or to the same registered memory: what they need of it is read and announced once. */
struct direct_run {
	uint32_t       nr;
	struct na_rma *rmas[DIRECT_RUN_NR];
	uint64_t       vas[DIRECT_RUN_NR];
	int            rcs[DIRECT_RUN_NR];
};

/** From @rma on, as many as there are and fit the budget; they stay on their list. */
static void
run_collect(struct local_link *l, struct na_rma *rma, int64_t *budget, struct direct_run *run)
{
	const struct na_rma *first = rma;

	run->nr = 0;
	do {
		run->rmas[run->nr++] = rma;
		*budget -= rma->bytes;
		rma = d_list_entry(rma->link.next, struct na_rma, link);
	} while (&rma->link != &l->rmas && run->nr < DIRECT_RUN_NR && *budget > 0 && rma->kind == first->kind &&
		 rma->key == first->key && rma->guard == first->guard);
}

/** All that may go, by one call; where that does not do all of it, one by one to see what each comes to. */
static void
run_copy(pid_t pid, struct direct_run *run)
{
	bool         reads = run->rmas[0]->kind == NA_RMA_READ;
	struct iovec near[DIRECT_RUN_NR], far[DIRECT_RUN_NR];
	ssize_t      done, sum = 0;
	int          nr = 0;

	for (uint32_t i = 0; i < run->nr; i++) {
		const struct na_rma *rma = run->rmas[i];

		if (run->rcs[i] != 0)
			continue;
		near[nr]  = (struct iovec){rma->local, rma->bytes};
		far[nr++] = (struct iovec){(void *)(uintptr_t)run->vas[i], rma->bytes};
		sum += rma->bytes;
	}
	if (nr == 0)
		return;
	done = reads ? process_vm_readv(pid, near, nr, far, nr, 0) : process_vm_writev(pid, near, nr, far, nr, 0);
	for (uint32_t i = 0; i < run->nr && done != sum; i++) {
		const struct na_rma *rma = run->rmas[i];

		if (run->rcs[i] == 0)
			run->rcs[i] = vm_copy(pid, rma->kind, rma->local, run->vas[i], rma->bytes);
	}
}

static void
direct_copy(struct local_link *l, struct direct_run *run)
{
	const struct na_rma *first = run->rmas[0];
	struct local_guard   g;
	int                  rc;

	atomic_exchange(&l->mem->rma_key, first->key); /* a full fence: closed and key after */
	rc = atomic_load(&l->mem->closed) != 0 ? -DER_UNREACH : 0;
	if (rc == 0)
		rc = vm_copy(l->pid, NA_RMA_READ, (char *)&g, first->guard, sizeof(g));
	for (uint32_t i = 0; i < run->nr; i++) {
		const struct na_rma *rma = run->rmas[i];

		run->rcs[i] = rc != 0 ? rc : guard_check(&g, rma->key, rma->kind, rma->remote, rma->bytes, &run->vas[i]);
	}
	if (rc == 0)
		run_copy(l->pid, run);
	atomic_store(&l->mem->rma_key, 0);
}

/* ---- asking ---- */

/* what of na_rma.prov is used */
enum { PROV_ID, PROV_DONE_BYTES };

static uint64_t
rma_id(const struct na_rma *rma)
{
	return (uintptr_t)rma->prov[PROV_ID];
}

static uint64_t
rma_progress(const struct na_rma *rma)
{
	return (uintptr_t)rma->prov[PROV_DONE_BYTES];
}

static void
rma_advance(struct na_rma *rma, uint64_t bytes)
{
	rma->prov[PROV_DONE_BYTES] = (void *)(uintptr_t)(rma_progress(rma) + bytes);
}

void
na_local_rma(struct na_local *local, struct na_rma *rma)
{
	struct local_link *l = local_link_find(local, rma->peer);

	rma->rc = 0;
	if (l == NULL || l->state != LOCAL_UP) {
		rma->rc = -DER_UNREACH;
		d_list_add_tail(&rma->link, &local->rma_failed);
		return;
	}
	rma->prov[PROV_ID]         = (void *)(uintptr_t)++l->rma_id;
	rma->prov[PROV_DONE_BYTES] = NULL;
	d_list_add_tail(&rma->link, &l->rmas);
	if (LIKELY(!local->armed))
		local_link_activate(l);
	else
		local->stuck = local->stuck || !l->active;
}

static int
read_ask(struct local_link *l, struct na_rma *rma)
{
	struct ring_rma r = {.id = rma_id(rma), .key = rma->key, .remote = rma->remote,
			     .bytes = rma->bytes};

	return local_put(l, RING_READ, &r, sizeof(r), NULL, 0);
}

static int
write_pieces(struct local_link *l, struct na_rma *rma)
{
	uint64_t left;
	int      rc;

	do {
		struct ring_rma r;

		left = rma->bytes - rma_progress(rma);
		r    = (struct ring_rma){.id     = rma_id(rma),
					 .key    = rma->key,
					 .remote = rma->remote + rma_progress(rma),
					 .bytes  = MIN_OF(left, (uint64_t)PIECE_BYTES),
					 .last   = left <= PIECE_BYTES};
		rc = local_put(l, RING_WRITE, &r, sizeof(r), (char *)rma->local + rma_progress(rma),
			       r.bytes);
		if (rc != 0)
			return rc;
		rma_advance(rma, r.bytes);
	} while (left > PIECE_BYTES);
	return 0;
}

static void
rma_end(struct na_rma *rma, int rc)
{
	d_list_del(&rma->link);
	rma->done(rma, rc);
}

/** @rma and those after it that can go along. Returns how many ended; 0: the kernel does not let us. */
static int
direct_start(struct local_link *l, struct na_rma *rma, int64_t *budget)
{
	struct direct_run run;

	run_collect(l, rma, budget, &run);
	direct_copy(l, &run);
	for (uint32_t i = 0; i < run.nr; i++)
		if (run.rcs[i] == -DER_NOSYS)
			return 0;
	for (uint32_t i = 0; i < run.nr; i++)
		d_list_del(&run.rmas[i]->link); /* all of them first: a callback may start others */
	for (uint32_t i = 0; i < run.nr; i++)
		run.rmas[i]->done(run.rmas[i], run.rcs[i]);
	return run.nr;
}

/** Returns how many ended, 0 when it is under way, or -DER_AGAIN. */
static int
rma_start(struct local_link *l, struct na_rma *rma, int64_t *budget)
{
	int rc;

	if (l->direct && *budget <= 0)
		return -DER_AGAIN;
	if (l->direct && rma->guard != 0) { /* else it gave up what it could be reached by */
		rc = direct_start(l, rma, budget);
		if (rc > 0)
			return rc;
		l->direct = false;
	}
	rc = rma->kind == NA_RMA_READ ? read_ask(l, rma) : write_pieces(l, rma);
	if (rc != 0)
		return -DER_AGAIN; /* no room, or the link is dead and ends it */
	d_list_del(&rma->link);
	d_list_add_tail(&rma->link, &l->rmas_out);
	return 0;
}

/* ---- answering ---- */

static struct local_mr *
mr_find(struct na_local *local, uint64_t key)
{
	struct d_hash_node *node = d_hash_find(&local->mrs, &key, sizeof(key));

	return node == NULL ? NULL : CONTAINER_OF(node, struct local_mr, node);
}

static int
mr_check(struct na_local *local, enum na_rma_kind kind, const struct ring_rma *r, char **ret_at)
{
	struct local_mr *mr = mr_find(local, r->key);
	uint64_t         va;
	int              rc;

	if (mr == NULL)
		return -DER_NO_PERM;
	rc = guard_check(&mr->guard, r->key, kind, r->remote, r->bytes, &va);
	if (rc == 0)
		*ret_at = (char *)(uintptr_t)va;
	return rc;
}

static int
serve_add(struct local_link *l, enum ring_kind kind, const struct ring_rma *req, int rc)
{
	struct local_serve *s;

	if (l->serve_nr == LOCAL_SERVE_NR_MAX)
		return -DER_PROTO;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -DER_NOMEM;
	s->kind   = kind;
	s->req    = *req;
	s->req.rc = rc;
	l->serve_nr++;
	d_list_add_tail(&s->link, &l->serves);
	return 1;
}

static int
serve_read(struct local_link *l, struct local_serve *s)
{
	char *at;
	int   rc;

	do {
		struct ring_rma r;

		rc = mr_check(l->local, NA_RMA_READ, &s->req, &at); /* each time: it may be gone */
		if (rc != 0) {
			s->kind   = RING_DONE;
			s->req.rc = rc;
			return 0;
		}
		r  = (struct ring_rma){.id = s->req.id, .remote = s->sent,
				       .bytes = MIN_OF(s->req.bytes - s->sent, (uint64_t)PIECE_BYTES)};
		rc = local_put(l, RING_DATA, &r, sizeof(r), at + s->sent, r.bytes);
		if (rc != 0)
			return rc;
		s->sent += r.bytes;
	} while (s->sent < s->req.bytes);
	return 1;
}

/** Returns 1 when it is done with, or an error. */
static int
serve(struct local_link *l, struct local_serve *s)
{
	struct ring_rma r;
	int             rc = s->kind == RING_READ ? serve_read(l, s) : 0;

	if (rc != 0)
		return rc;
	r  = (struct ring_rma){.id = s->req.id, .rc = s->req.rc};
	rc = local_put(l, RING_DONE, &r, sizeof(r), NULL, 0);
	return rc == 0 ? 1 : rc;
}

int
local_rma_push(struct local_link *l, int64_t *budget)
{
	struct local_serve *s;
	struct na_rma      *rma;
	int                 nr = 0;
	int                 rc;

	while ((s = d_list_first(&l->serves, struct local_serve, link)) != NULL) {
		uint64_t sent = s->sent;

		rc = serve(l, s);
		if (rc < 0)
			return nr + (s->sent != sent);
		d_list_del(&s->link);
		free(s);
		l->serve_nr--;
		nr++;
	}
	while (l->state == LOCAL_UP && (rma = d_list_first(&l->rmas, struct na_rma, link)) != NULL) {
		uint64_t sent = rma_progress(rma);

		rc = rma_start(l, rma, budget);
		if (rc < 0)
			return nr + (rma_progress(rma) != sent);
		nr += MAX_OF(rc, 1);
	}
	return nr;
}

/* ---- records ---- */

static struct na_rma *
rma_find(struct local_link *l, uint64_t id)
{
	struct na_rma *rma;

	d_list_for_each(rma, &l->rmas_out, link)
		if (rma_id(rma) == id)
			return rma;
	d_list_for_each(rma, &l->rmas, link) /* a write that failed before all was sent */
		if (rma_id(rma) == id)
			return rma;
	return NULL;
}

static int
write_recv(struct local_link *l, const struct ring_rma *r, const char *bytes)
{
	char *at;
	int   rc = mr_check(l->local, NA_RMA_WRITE, r, &at);

	if (rc == 0)
		memcpy(at, bytes, r->bytes);
	return rc != 0 || r->last != 0 ? serve_add(l, RING_DONE, r, rc) : 1;
}

static int
data_recv(struct local_link *l, const struct ring_rma *r, const char *bytes, struct na_rma **ret_end)
{
	struct na_rma *rma = rma_find(l, r->id);

	if (rma == NULL || rma->kind != NA_RMA_READ || r->remote != rma_progress(rma) ||
	    r->bytes > rma->bytes - rma_progress(rma))
		return -DER_PROTO;
	memcpy((char *)rma->local + rma_progress(rma), bytes, r->bytes);
	rma_advance(rma, r->bytes);
	if (rma_progress(rma) == rma->bytes)
		*ret_end = rma;
	return 1;
}

int
local_rma_recv(struct local_link *l, const struct ring_rec *rec)
{
	bool            carries = rec->kind == RING_WRITE || rec->kind == RING_DATA;
	struct na_rma  *end     = NULL;
	struct ring_rma r;
	int             rc = 1;
	int             end_rc = 0;

	if (rec->len < sizeof(r))
		return -DER_PROTO;
	memcpy(&r, rec->bytes, sizeof(r));
	if (carries ? r.bytes != rec->len - sizeof(r) : rec->len != sizeof(r))
		return -DER_PROTO;
	switch (rec->kind) {
	case RING_READ:
		rc = serve_add(l, RING_READ, &r, 0);
		break;
	case RING_WRITE:
		rc = write_recv(l, &r, rec->bytes + sizeof(r));
		break;
	case RING_DATA:
		rc = data_recv(l, &r, rec->bytes + sizeof(r), &end);
		break;
	case RING_DONE:
		end    = rma_find(l, r.id);
		end_rc = r.rc < 0 ? r.rc : 0;
		if (end != NULL && end_rc == 0 && end->kind == NA_RMA_READ)
			return -DER_PROTO; /* a read ends by its data */
		break;
	default:
		return -DER_PROTO;
	}
	ring_pop(&l->rx, rec);
	if (end != NULL)
		rma_end(end, end_rc);
	return rc;
}

void
local_rmas_fail(struct local_link *l)
{
	struct na_rma *rma;
	D_LIST_HEAD(rmas);

	d_list_splice_tail(&l->rmas_out, &rmas);
	d_list_splice_tail(&l->rmas, &rmas);
	while ((rma = d_list_first(&rmas, struct na_rma, link)) != NULL)
		rma_end(rma, -DER_UNREACH);
}
