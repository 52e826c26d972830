/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "dfuse/dfuse_missing.h"

/** FNV-1a: that two names of a second have the same 64 bits is not to be expected. */
static uint64_t
hash_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ULL;
	return h;
}

void
dfuse_missing_init(struct dfuse_missing *m)
{
	*m = (struct dfuse_missing){0};
	pthread_mutex_init(&m->lock, NULL);
}

void
dfuse_missing_fini(struct dfuse_missing *m)
{
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
	for (unsigned i = 0; i < DFUSE_MISSING_NR; i++)
		if (m->names[i].hash == hash && m->names[i].until_ns > now_ns)
			until = MAX_OF(until, m->names[i].until_ns);
	pthread_mutex_unlock(&m->lock);
	return until;
}

void
dfuse_missing_forget(struct dfuse_missing *m)
{
	pthread_mutex_lock(&m->lock);
	m->added++;
	for (unsigned i = 0; i < DFUSE_MISSING_NR; i++)
		m->names[i].until_ns = 0;
	pthread_mutex_unlock(&m->lock);
}
