/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "dfuse/dfuse_missing.h"

#include <stdlib.h>

/** FNV-1a: that two names of a second have the same 64 bits is not to be expected. */
static uint64_t
hash_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ULL;
	return h == 0 ? 1 : h;
}

/* ---- names added to a fresh directory ---- */

static bool
made_has(const struct dfuse_missing *m, uint64_t hash)
{
	for (uint32_t i = 0; i < m->made_room; i++) {
		uint64_t at = m->made[(hash + i) % m->made_room];

		if (at == hash || at == 0)
			return at == hash;
	}
	return false;
}

static void
made_put(struct dfuse_missing *m, uint64_t hash)
{
	uint32_t i = hash % m->made_room;

	while (m->made[i] != 0 && m->made[i] != hash)
		i = (i + 1) % m->made_room;
	m->made_nr += m->made[i] == 0;
	m->made[i] = hash;
}

/** Room for one more, at most half full. */
static bool
made_grow(struct dfuse_missing *m)
{
	uint64_t *old  = m->made;
	uint32_t  room = m->made_room, more = room == 0 ? 32 : room * 2;

	if ((m->made_nr + 1) * 2 <= room)
		return true;
	if (more > DFUSE_MADE_MAX * 2)
		return false;
	m->made = calloc(more, sizeof(*m->made));
	if (m->made == NULL) {
		m->made = old;
		return false;
	}
	m->made_room = more;
	m->made_nr   = 0;
	for (uint32_t i = 0; i < room; i++)
		if (old[i] != 0)
			made_put(m, old[i]);
	free(old);
	return true;
}

static void
made_drop(struct dfuse_missing *m)
{
	free(m->made);
	m->made           = NULL;
	m->made_nr        = 0;
	m->made_room      = 0;
	m->fresh_until_ns = 0;
}

static void
made_add(struct dfuse_missing *m, uint64_t hash)
{
	if (m->fresh_until_ns == 0 || made_has(m, hash))
		return;
	if (made_grow(m))
		made_put(m, hash);
	else
		made_drop(m); /* invariant 2: from now on names are asked for */
}

/* ---- all of it ---- */

void
dfuse_missing_init(struct dfuse_missing *m)
{
	*m = (struct dfuse_missing){0};
	pthread_mutex_init(&m->lock, NULL);
}

void
dfuse_missing_fini(struct dfuse_missing *m)
{
	free(m->made);
	pthread_mutex_destroy(&m->lock);
}

uint32_t
dfuse_missing_begin(struct dfuse_missing *m)
{
	uint32_t added;

	pthread_mutex_lock(&m->lock);
	added = m->added;
	pthread_mutex_unlock(&m->lock);
	return added;
}

void
dfuse_missing_add(struct dfuse_missing *m, uint32_t begun, const char *name, uint64_t until_ns)
{
	pthread_mutex_lock(&m->lock);
	if (m->added == begun) {
		m->names[m->next].hash     = hash_of(name);
		m->names[m->next].until_ns = until_ns;
		m->next                    = (m->next + 1) % DFUSE_MISSING_NR;
	}
	pthread_mutex_unlock(&m->lock);
}

uint64_t
dfuse_missing_find(struct dfuse_missing *m, const char *name, uint64_t now_ns)
{
	uint64_t hash = hash_of(name), until = 0;

	pthread_mutex_lock(&m->lock);
	if (m->fresh_until_ns > now_ns && !made_has(m, hash))
		until = m->fresh_until_ns;
	else if (m->fresh_until_ns != 0 && m->fresh_until_ns <= now_ns)
		made_drop(m);
	for (unsigned i = 0; i < DFUSE_MISSING_NR; i++)
		if (m->names[i].hash == hash && m->names[i].until_ns > now_ns)
			until = MAX_OF(until, m->names[i].until_ns);
	pthread_mutex_unlock(&m->lock);
	return until;
}

void
dfuse_missing_forget(struct dfuse_missing *m, const char *name)
{
	pthread_mutex_lock(&m->lock);
	m->added++;
	made_add(m, hash_of(name));
	for (unsigned i = 0; i < DFUSE_MISSING_NR; i++)
		m->names[i].until_ns = 0;
	pthread_mutex_unlock(&m->lock);
}

void
dfuse_missing_fresh(struct dfuse_missing *m, uint64_t until_ns)
{
	pthread_mutex_lock(&m->lock);
	m->fresh_until_ns = until_ns;
	pthread_mutex_unlock(&m->lock);
}
