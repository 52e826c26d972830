/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "model_ref.h"
#include <stdlib.h>
#include <string.h>

void
ref_init(struct ref *ref)
{
	memset(ref, 0, sizeof(*ref));
	ref->own = -1;
}

void
ref_fini(struct ref *ref)
{
	free(ref->items);
	free(ref->txs);
}

static void *
grow(void *array, uint32_t nr, uint32_t *cap, size_t bytes)
{
	if (nr < *cap)
		return array;
	*cap = *cap == 0 ? 64 : *cap * 2;
	array = realloc(array, *cap * bytes);
	if (array == NULL)
		abort();
	return array;
}

uint32_t
ref_tx_add(struct ref *ref, uint64_t epoch, uint64_t hlc)
{
	ref->txs = grow(ref->txs, ref->tx_nr, &ref->tx_cap, sizeof(*ref->txs));
	ref->txs[ref->tx_nr] = (struct ref_tx){.state = REF_NOT, .epoch = epoch, .hlc = hlc};
	return ref->tx_nr++;
}

void
ref_item_add(struct ref *ref, const struct ref_item *item)
{
	ref->items = grow(ref->items, ref->item_nr, &ref->item_cap, sizeof(*ref->items));
	ref->items[ref->item_nr++] = *item;
}

void
ref_tx_set(struct ref *ref, uint32_t tx, enum ref_state state)
{
	uint32_t i;

	for (i = 0; i < ref->prep_nr; i++)
		if (ref->preps[i] == tx)
			ref->preps[i] = ref->preps[--ref->prep_nr];
	if (state == REF_PREPARED)
		ref->preps[ref->prep_nr++] = tx;
	if (state == REF_DONE)
		ref->txs[tx].order = ++ref->order;
	ref->txs[tx].state = state;
}

/** Has it happened? Prepared ones taken as happened come last. */
static bool
happened(const struct ref *ref, uint32_t mask, uint32_t tx, uint64_t *order)
{
	uint32_t i;

	*order = UINT64_MAX;
	if (ref->own == (int64_t)tx)
		return true;
	*order = ref->txs[tx].order;
	if (ref->txs[tx].state == REF_DONE)
		return true;
	for (i = 0; i < ref->prep_nr; i++) {
		*order = UINT64_MAX - REF_PREP_MAX + i;
		if (ref->preps[i] == tx)
			return (mask & (1u << i)) != 0;
	}
	return false;
}

static bool
is_after(const struct ref *ref, uint32_t mask, const struct ref_item *a, const struct ref_item *b)
{
	uint64_t ao, bo;

	if (b == NULL)
		return true;
	if (ref->txs[a->tx].epoch != ref->txs[b->tx].epoch)
		return ref->txs[a->tx].epoch > ref->txs[b->tx].epoch;
	happened(ref, mask, a->tx, &ao);
	happened(ref, mask, b->tx, &bo);
	return ao != bo ? ao > bo : a > b;
}

static bool
concerns(const struct ref_item *d, int obj, int dkey, int akey)
{
	return d->obj == obj && (d->dkey == dkey || d->dkey < 0) && (d->akey == akey || d->akey < 0);
}

void
ref_read(const struct ref *ref, uint32_t mask, int obj, int dkey, int akey, uint64_t epoch,
	 const struct ref_item *recs[REF_ARRAY_END])
{
	uint64_t order;
	uint64_t idx;
	uint32_t i;

	memset(recs, 0, REF_ARRAY_END * sizeof(*recs));
	for (i = 0; i < ref->item_nr; i++) {
		const struct ref_item *d = &ref->items[i];
		uint64_t	       lo = d->what == REF_ARRAY ? d->lo : 0;
		uint64_t	       hi = d->what == REF_ARRAY ? d->hi : akey % 2 ? REF_ARRAY_END : 1;

		if (!concerns(d, obj, dkey, akey) || ref->txs[d->tx].epoch > epoch ||
		    !happened(ref, mask, d->tx, &order))
			continue;
		for (idx = lo; idx < hi; idx++)
			if (is_after(ref, mask, d, recs[idx]))
				recs[idx] = d;
	}
	for (idx = 0; idx < REF_ARRAY_END; idx++)
		if (recs[idx] != NULL && (recs[idx]->what == REF_PUNCH || recs[idx]->bytes == 0))
			recs[idx] = NULL;
}

const struct ref_item *
ref_written(const struct ref *ref, int obj, int dkey, int akey, uint64_t idx, uint64_t epoch)
{
	const struct ref_item *best = NULL;
	uint32_t	       i;

	for (i = 0; i < ref->item_nr; i++) {
		const struct ref_item *d = &ref->items[i];

		if (d->what == REF_PUNCH || d->obj != obj || d->dkey != dkey || d->akey != akey ||
		    ref->txs[d->tx].epoch != epoch || ref->txs[d->tx].state != REF_DONE)
			continue;
		if ((d->what != REF_ARRAY || (d->lo <= idx && idx < d->hi)) && is_after(ref, 0, d, best))
			best = d;
	}
	return best;
}

bool
ref_exists(const struct ref *ref, uint32_t mask, int obj, int dkey, int akey, uint64_t epoch)
{
	const struct ref_item *recs[REF_ARRAY_END];
	int		       i;

	if (akey >= 0) {
		ref_read(ref, mask, obj, dkey, akey, epoch, recs);
		for (i = 0; i < REF_ARRAY_END; i++)
			if (recs[i] != NULL)
				return true;
		return false;
	}
	for (i = 0; i < (dkey < 0 ? REF_DKEY_NR : REF_AKEY_NR); i++)
		if (ref_exists(ref, mask, obj, dkey < 0 ? i : dkey, dkey < 0 ? -1 : i, epoch))
			return true;
	return false;
}

uint8_t
ref_byte(uint32_t id, uint64_t idx, uint64_t off)
{
	return 1 + (id * 131 + idx * 7 + off * 3) % 255;
}
