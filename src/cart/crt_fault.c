/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Rules that make requests fail; see crt_fault.h. `active` is what the fast path looks at. */
#define D_LOGFAC LOG_FAC_CART
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"

#define PPM 1000000u

void
crt_faults_init(struct crt_faults *faults)
{
	pthread_mutex_init(&faults->lock, NULL);
}

void
crt_faults_fini(struct crt_faults *faults)
{
	pthread_mutex_destroy(&faults->lock);
}

/** splitmix64: any seed is a good one. */
static uint64_t
rng_next(uint64_t *rng)
{
	uint64_t x = *rng += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static void
active_set(struct crt_faults *f)
{
	atomic_store(&f->active, f->enabled && f->rule_nr > 0);
}

void
crt_faults_reset(struct crt *crt, uint64_t seed)
{
	struct crt_faults *f = &crt->faults;

	pthread_mutex_lock(&f->lock);
	f->rng     = seed;
	f->rule_nr = 0;
	active_set(f);
	pthread_mutex_unlock(&f->lock);
}

void
crt_faults_enable(struct crt *crt, bool on)
{
	struct crt_faults *f = &crt->faults;

	pthread_mutex_lock(&f->lock);
	f->enabled = on;
	active_set(f);
	pthread_mutex_unlock(&f->lock);
}

bool
crt_faults_enabled(struct crt *crt)
{
	bool on;

	pthread_mutex_lock(&crt->faults.lock);
	on = crt->faults.enabled;
	pthread_mutex_unlock(&crt->faults.lock);
	return on;
}

static struct crt_fault_slot *
slot_find(struct crt_faults *f, uint32_t id)
{
	for (uint32_t i = 0; i < f->rule_nr; i++)
		if (f->slots[i].rule.id == id)
			return &f->slots[i];
	return NULL;
}

static bool
rule_valid(const struct crt_fault_rule *r)
{
	if (r->where >= CRT_FAULT_WHERE_NR || r->what >= CRT_FAULT_WHAT_NR || r->prob_ppm > PPM)
		return false;
	switch (r->what) {
	case CRT_FAULT_ERROR:
		return r->arg < 0 && r->arg >= INT32_MIN;
	case CRT_FAULT_DELAY:
		return r->arg > 0 && r->where == CRT_FAULT_RECEIVE;
	default:
		return true;
	}
}

int
crt_fault_set(struct crt *crt, const struct crt_fault_rule *rule)
{
	struct crt_faults     *f  = &crt->faults;
	struct crt_fault_slot *slot;
	int                    rc = 0;

	if (!rule_valid(rule))
		return -DER_INVAL;
	pthread_mutex_lock(&f->lock);
	slot = slot_find(f, rule->id);
	if (slot == NULL && f->rule_nr < CRT_FAULT_RULE_NR_MAX)
		slot = &f->slots[f->rule_nr++];
	if (slot != NULL)
		*slot = (struct crt_fault_slot){.rule = *rule};
	else
		rc = -DER_OVERFLOW;
	active_set(f);
	pthread_mutex_unlock(&f->lock);
	return rc;
}

int
crt_fault_clear(struct crt *crt, uint32_t id)
{
	struct crt_faults     *f = &crt->faults;
	struct crt_fault_slot *slot;

	pthread_mutex_lock(&f->lock);
	slot = slot_find(f, id);
	if (slot != NULL) {
		size_t after = &f->slots[--f->rule_nr] - slot;

		memmove(slot, slot + 1, after * sizeof(*slot));
	}
	active_set(f);
	pthread_mutex_unlock(&f->lock);
	return slot == NULL ? -DER_NONEXIST : 0;
}

uint64_t
crt_fault_fires(struct crt *crt, uint32_t id)
{
	struct crt_faults     *f = &crt->faults;
	struct crt_fault_slot *slot;
	uint64_t               nr;

	pthread_mutex_lock(&f->lock);
	slot = slot_find(f, id);
	nr   = slot == NULL ? 0 : slot->fire_nr;
	pthread_mutex_unlock(&f->lock);
	return nr;
}

static bool
rule_matches(const struct crt_fault_rule *r, enum crt_fault_where where, uint32_t opc, d_rank_t rank)
{
	if (r->where != where || (r->rank != CRT_FAULT_ANY_RANK && r->rank != rank))
		return false;
	if (r->opc == CRT_FAULT_ANY_OPC)
		return CRT_OPC_MOD(opc) != CRT_MOD_INTERNAL;
	return r->opc == opc;
}

static bool
slot_fires(struct crt_faults *f, struct crt_fault_slot *slot)
{
	const struct crt_fault_rule *r = &slot->rule;

	slot->match_nr++;
	if (r->interval > 1 && slot->match_nr % r->interval != 0)
		return false;
	if (r->fires_max != 0 && slot->fire_nr >= r->fires_max)
		return false;
	if (rng_next(&f->rng) % PPM >= r->prob_ppm)
		return false;
	slot->fire_nr++;
	return true;
}

bool
crt_fault_hit_slow(struct crt_faults *f, enum crt_fault_where where, uint32_t opc, d_rank_t rank,
		   struct crt_fault_hit *ret_hit)
{
	bool hit = false;

	pthread_mutex_lock(&f->lock);
	for (uint32_t i = 0; i < f->rule_nr && !hit; i++) {
		struct crt_fault_slot *slot = &f->slots[i];

		if (!rule_matches(&slot->rule, where, opc, rank) || !slot_fires(f, slot))
			continue;
		*ret_hit = (struct crt_fault_hit){.what = slot->rule.what, .arg = slot->rule.arg};
		hit      = true;
	}
	pthread_mutex_unlock(&f->lock);
	return hit;
}
