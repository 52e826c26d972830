/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "dfuse/dfuse_itable.h"

#include <stdlib.h>

static uint64_t
hash_of(const void *space, daos_obj_id_t oid)
{
	uint64_t h = (uint64_t)(uintptr_t)space ^ oid.lo * 0x9e3779b97f4a7c15ULL;

	h = (h ^ (h >> 29) ^ oid.hi) * 0xbf58476d1ce4e5b9ULL;
	return h ^ (h >> 32);
}

static struct dfuse_istripe *
stripe_of(struct dfuse_itable *t, uint64_t hash)
{
	return &t->stripes[hash % DFUSE_ITABLE_STRIPES];
}

static struct dfuse_ientry **
bucket_of(struct dfuse_istripe *s, uint64_t hash)
{
	return &s->buckets[hash / DFUSE_ITABLE_STRIPES % DFUSE_ITABLE_BUCKETS];
}

struct dfuse_itable *
dfuse_itable_create(void)
{
	struct dfuse_itable *t = calloc(1, sizeof(*t));

	for (unsigned i = 0; t != NULL && i < DFUSE_ITABLE_STRIPES; i++)
		pthread_mutex_init(&t->stripes[i].lock, NULL);
	return t;
}

void
dfuse_itable_destroy(struct dfuse_itable *t, void (*free_cb)(struct dfuse_ientry *))
{
	if (t == NULL)
		return;
	for (unsigned i = 0; i < DFUSE_ITABLE_STRIPES; i++) {
		struct dfuse_istripe *s = &t->stripes[i];

		for (unsigned b = 0; b < DFUSE_ITABLE_BUCKETS; b++) {
			while (s->buckets[b] != NULL) {
				struct dfuse_ientry *e = s->buckets[b];

				s->buckets[b] = e->next;
				free_cb(e);
			}
		}
		pthread_mutex_destroy(&s->lock);
	}
	free(t);
}

void
dfuse_ientry_init(struct dfuse_ientry *e, const void *space, daos_obj_id_t oid)
{
	*e = (struct dfuse_ientry){.space = space, .oid = oid};
}

static struct dfuse_ientry *
bucket_find(struct dfuse_ientry *e, const void *space, daos_obj_id_t oid)
{
	while (e != NULL && (e->space != space || e->oid.lo != oid.lo || e->oid.hi != oid.hi))
		e = e->next;
	return e;
}

static void
attach(struct dfuse_istripe *s, struct dfuse_ientry **bucket, struct dfuse_ientry *e)
{
	D_ASSERT(!e->attached && e->ref_nr == 0);
	e->next     = *bucket;
	e->attached = true;
	e->ref_nr   = 1;
	*bucket     = e;
	s->entry_nr++;
}

static void
detach(struct dfuse_istripe *s, struct dfuse_ientry **bucket, struct dfuse_ientry *e)
{
	while (*bucket != e)
		bucket = &(*bucket)->next;
	*bucket     = e->next;
	e->attached = false;
	s->entry_nr--;
}

struct dfuse_ientry *
dfuse_itable_find(struct dfuse_itable *t, const void *space, daos_obj_id_t oid)
{
	uint64_t              hash = hash_of(space, oid);
	struct dfuse_istripe *s    = stripe_of(t, hash);
	struct dfuse_ientry  *e;

	pthread_mutex_lock(&s->lock);
	e = bucket_find(*bucket_of(s, hash), space, oid);
	if (e != NULL)
		e->ref_nr++;
	pthread_mutex_unlock(&s->lock);
	return e;
}

struct dfuse_ientry *
dfuse_itable_replace(struct dfuse_itable *t, struct dfuse_ientry *old, struct dfuse_ientry *fresh)
{
	uint64_t              hash   = hash_of(fresh->space, fresh->oid);
	struct dfuse_istripe *s      = stripe_of(t, hash);
	struct dfuse_ientry **bucket = bucket_of(s, hash), *e;

	pthread_mutex_lock(&s->lock);
	if (old != NULL && old->attached)
		detach(s, bucket, old);
	e = bucket_find(*bucket, fresh->space, fresh->oid);
	if (e != NULL) {
		e->ref_nr++;
	} else {
		attach(s, bucket, fresh);
		e = fresh;
	}
	pthread_mutex_unlock(&s->lock);
	return e;
}

struct dfuse_ientry *
dfuse_itable_insert(struct dfuse_itable *t, struct dfuse_ientry *fresh)
{
	return dfuse_itable_replace(t, NULL, fresh);
}

void
dfuse_itable_get(struct dfuse_itable *t, struct dfuse_ientry *e)
{
	struct dfuse_istripe *s = stripe_of(t, hash_of(e->space, e->oid));

	pthread_mutex_lock(&s->lock);
	D_ASSERT(e->ref_nr > 0);
	e->ref_nr++;
	pthread_mutex_unlock(&s->lock);
}

bool
dfuse_itable_put(struct dfuse_itable *t, struct dfuse_ientry *e, uint64_t nr)
{
	uint64_t              hash = hash_of(e->space, e->oid);
	struct dfuse_istripe *s    = stripe_of(t, hash);
	bool                  last;

	pthread_mutex_lock(&s->lock);
	D_ASSERT(e->ref_nr >= nr);
	e->ref_nr -= nr;
	last = e->ref_nr == 0;
	if (last && e->attached)
		detach(s, bucket_of(s, hash), e);
	pthread_mutex_unlock(&s->lock);
	return last;
}

uint64_t
dfuse_itable_nr(struct dfuse_itable *t)
{
	uint64_t nr = 0;

	for (unsigned i = 0; i < DFUSE_ITABLE_STRIPES; i++) {
		pthread_mutex_lock(&t->stripes[i].lock);
		nr += t->stripes[i].entry_nr;
		pthread_mutex_unlock(&t->stripes[i].lock);
	}
	return nr;
}
