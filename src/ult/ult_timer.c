/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Timers: a pairing heap (Fredman et al. 1986) whose links lie in the timers, so arming never
 * allocates. Insert O(1), remove O(log n) amortised. Invariants: 1. no timer is earlier than its
 * parent. 2. prev of a first child is its parent, of another its left sibling; the root has none.
 */
#include "ult/ult_internal.h"

/** Make the later of two roots the first child of the other. */
static struct ult_timer *
timer_meld(struct ult_timer *a, struct ult_timer *b)
{
	struct ult_timer *swap;

	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (b->at_ns < a->at_ns) {
		swap = a;
		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child != NULL)
		a->child->prev = b;
	a->child = b;
	return a;
}

/** Meld siblings in pairs left to right, then the pairs right to left. */
static struct ult_timer *
timer_meld_siblings(struct ult_timer *first)
{
	struct ult_timer *pairs = NULL;
	struct ult_timer *root = NULL;

	while (first != NULL) {
		struct ult_timer *a = first;
		struct ult_timer *b = a->next;

		first = b == NULL ? NULL : b->next;
		a->next = NULL;
		a->prev = NULL;
		if (b != NULL) {
			b->next = NULL;
			b->prev = NULL;
		}
		a = timer_meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs != NULL) {
		struct ult_timer *next = pairs->next;

		pairs->next = NULL;
		root = timer_meld(root, pairs);
		pairs = next;
	}
	return root;
}

void
ult_timer_cancel(struct ult_timer *t)
{
	struct ult_xs    *xs = t->xs;
	struct ult_timer *subtree;

	if (xs == NULL)
		return;
	D_ASSERT(xs == ult_xs_self());
	subtree = timer_meld_siblings(t->child);
	if (t->prev == NULL) {
		D_ASSERT(xs->timers == t);
		xs->timers = subtree;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next != NULL)
			t->next->prev = t->prev;
		xs->timers = timer_meld(xs->timers, subtree);
	}
	t->child = NULL;
	t->next = NULL;
	t->prev = NULL;
	t->xs = NULL;
}

void
ult_timer_arm(struct ult_timer *t, uint64_t delay_ns)
{
	struct ult_xs *xs = ult_xs_self();
	uint64_t       now_ns = plat_now_ns();

	D_ASSERT(xs != NULL);
	ult_timer_cancel(t);
	t->at_ns = delay_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + delay_ns;
	t->xs = xs;
	t->child = NULL;
	t->next = NULL;
	t->prev = NULL;
	xs->timers = timer_meld(xs->timers, t);
}

bool
ult_timer_wake_at(struct ult_timer *t, uint64_t at_ns)
{
	uint64_t now_ns;

	if (at_ns == UINT64_MAX) {
		ult_timer_cancel(t);
		return true;
	}
	now_ns = plat_now_ns();
	if (at_ns <= now_ns)
		return false;
	ult_timer_arm(t, at_ns - now_ns);
	return true;
}

unsigned
ult_timers_run(struct ult_xs *xs)
{
	unsigned fired_nr = 0;
	uint64_t now_ns;

	if (xs->timers == NULL)
		return 0;
	now_ns = plat_now_ns();
	while (xs->timers != NULL && xs->timers->at_ns <= now_ns) {
		struct ult_timer *t = xs->timers;

		ult_timer_cancel(t);
		t->fn(t->arg);
		fired_nr++;
	}
	return fired_nr;
}

uint64_t
ult_timers_next_ns(struct ult_xs *xs)
{
	uint64_t now_ns;

	if (xs->timers == NULL)
		return ULT_WAIT_FOREVER;
	now_ns = plat_now_ns();
	return xs->timers->at_ns <= now_ns ? 0 : xs->timers->at_ns - now_ns;
}
