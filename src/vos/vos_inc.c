/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Invariant: punches ascend by epoch, one per epoch; one lies in the log itself, several in an
 * array of punch_cap. Only punches are logged: a life begins with the first write above a punch,
 * which the values themselves tell, and which makes revival free.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <string.h>
#include "base/log.h"
#include "vos/vos_inc.h"

static const struct vos_punch_df *
punches_of(const struct umem *u, const struct vos_inc_df *inc)
{
	if (inc->punch_nr <= 1)
		return &inc->punch;
	return umem_ptr(u, inc->punches);
}

/** Number of punches at or before @epoch. */
static uint32_t
punch_bound(const struct umem *u, const struct vos_inc_df *inc, uint64_t epoch)
{
	const struct vos_punch_df *p = punches_of(u, inc);
	uint32_t		   lo = 0;
	uint32_t		   hi = inc->punch_nr;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (p[mid].epoch <= epoch)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct vos_ver
vos_inc_punch_at(const struct umem *u, const struct vos_inc_df *inc, uint64_t epoch)
{
	uint32_t n = inc->punch_nr == 0 ? 0 : punch_bound(u, inc, epoch);

	if (n == 0)
		return VOS_VER_NONE;
	return (struct vos_ver){punches_of(u, inc)[n - 1].epoch, punches_of(u, inc)[n - 1].seq};
}

struct vos_ver
vos_inc_punch_last(const struct umem *u, const struct vos_inc_df *inc)
{
	return vos_inc_punch_at(u, inc, UINT64_MAX);
}

/** Replace the log's punches by @nr at @from, which may be its own. */
static int
punches_set(struct umem *u, struct vos_inc_df *inc, const struct vos_punch_df *from, uint32_t nr)
{
	umem_off_t	    old = inc->punch_nr > 1 ? inc->punches : UMEM_NULL;
	struct vos_punch_df one = nr == 1 ? from[0] : (struct vos_punch_df){0};
	umem_off_t	    off = UMEM_NULL;
	uint32_t	    cap = nr;
	int		    rc;

	if (nr > 1) {
		for (cap = 2; cap < nr; cap *= 2)
			;
		rc = umem_alloc(u, cap * sizeof(*from), &off);
		if (rc != 0)
			return rc;
		memcpy(umem_ptr(u, off), from, nr * sizeof(*from));
	}
	rc = umem_tx_add(u, inc, sizeof(*inc));
	if (rc != 0)
		return rc;
	inc->punch = one;
	inc->punch_nr = nr;
	if (nr > 1) {
		inc->punches = off;
		inc->punch_cap = cap;
	}
	return old == UMEM_NULL ? 0 : umem_free(u, old);
}

/** Put @p at @pos, moving those behind. */
static int
punch_put(struct umem *u, struct vos_inc_df *inc, uint32_t pos, const struct vos_punch_df *p)
{
	struct vos_punch_df  two[2];
	struct vos_punch_df *all;
	int		     rc;

	if (inc->punch_nr == 0)
		return punches_set(u, inc, p, 1);
	if (inc->punch_nr == 1) {
		two[pos] = *p;
		two[1 - pos] = inc->punch;
		return punches_set(u, inc, two, 2);
	}
	if (inc->punch_nr == inc->punch_cap) {
		umem_off_t off;

		rc = umem_alloc(u, 2ul * inc->punch_cap * sizeof(*all), &off);
		if (rc == 0)
			rc = umem_tx_add(u, inc, sizeof(*inc));
		if (rc != 0)
			return rc;
		memcpy(umem_ptr(u, off), umem_ptr(u, inc->punches), inc->punch_nr * sizeof(*all));
		rc = umem_free(u, inc->punches);
		if (rc != 0)
			return rc;
		inc->punches = off;
		inc->punch_cap *= 2;
	}
	all = umem_ptr(u, inc->punches);
	rc = umem_tx_add(u, inc, sizeof(*inc));
	if (rc == 0)
		rc = umem_tx_add(u, all + pos, (inc->punch_nr + 1 - pos) * sizeof(*all));
	if (rc != 0)
		return rc;
	memmove(all + pos + 1, all + pos, (inc->punch_nr - pos) * sizeof(*all));
	all[pos] = *p;
	inc->punch_nr++;
	return 0;
}

int
vos_inc_punch_add(struct umem *u, struct vos_inc_df *inc, struct vos_ver ver)
{
	struct vos_punch_df  p = {.epoch = ver.epoch, .seq = ver.seq};
	uint32_t	     n = punch_bound(u, inc, ver.epoch);
	struct vos_punch_df *same;
	int		     rc;

	if (n == 0 || punches_of(u, inc)[n - 1].epoch != ver.epoch)
		return punch_put(u, inc, n, &p);
	same = (struct vos_punch_df *)&punches_of(u, inc)[n - 1];
	rc = umem_tx_add(u, same, sizeof(*same));
	if (rc == 0)
		*same = p;
	return rc;
}

int
vos_inc_touch(struct umem *u, struct vos_inc_df *inc, struct vos_ver ver)
{
	int rc;

	if (!vos_ver_after(ver, vos_inc_change(inc)))
		return 0;
	rc = umem_tx_add(u, inc, offsetof(struct vos_inc_df, punch_nr));
	if (rc != 0)
		return rc;
	inc->change_epoch = ver.epoch;
	inc->change_seq = ver.seq;
	return 0;
}

int
vos_inc_trim(struct umem *u, struct vos_inc_df *inc, uint64_t epoch)
{
	uint32_t n = punch_bound(u, inc, epoch);

	if (n == 0)
		return 0;
	return punches_set(u, inc, punches_of(u, inc) + n, inc->punch_nr - n);
}

int
vos_inc_discard(struct umem *u, struct vos_inc_df *inc, uint64_t lo, uint64_t hi)
{
	uint32_t	     from = lo == 0 || inc->punch_nr == 0 ? 0 : punch_bound(u, inc, lo - 1);
	uint32_t	     to = inc->punch_nr == 0 ? 0 : punch_bound(u, inc, hi);
	struct vos_punch_df *all = (struct vos_punch_df *)punches_of(u, inc);
	int		     rc;

	if (from >= to)
		return 0;
	/* In place first: the logged array keeps both ends, then it shrinks. */
	if (from > 0 && inc->punch_nr > 1) {
		rc = umem_tx_add(u, all, inc->punch_nr * sizeof(*all));
		if (rc != 0)
			return rc;
		memmove(all + (to - from), all, from * sizeof(*all));
	}
	return punches_set(u, inc, all + (to - from), inc->punch_nr - (to - from));
}

int
vos_inc_free(struct umem *u, struct vos_inc_df *inc)
{
	return inc->punch_nr > 1 ? umem_free(u, inc->punches) : 0;
}

int
vos_inc_check(const struct umem *u, const struct vos_inc_df *inc)
{
	const struct vos_punch_df *p;
	uint32_t		   i;

	if (inc->punch_nr > 1 && (inc->punch_nr > inc->punch_cap ||
				  !umem_off_valid(u, inc->punches, inc->punch_cap * sizeof(*p)))) {
		D_ERROR("incarnation log: %u punches in room for %u at %#lx\n", inc->punch_nr,
			inc->punch_cap, (unsigned long)inc->punches);
		return -DER_DF_INVAL;
	}
	p = punches_of(u, inc);
	for (i = 1; i < inc->punch_nr; i++) {
		if (p[i - 1].epoch >= p[i].epoch) {
			D_ERROR("incarnation log: punch %u is not after the one before\n", i);
			return -DER_DF_INVAL;
		}
	}
	return 0;
}
