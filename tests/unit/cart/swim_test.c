/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * SWIM in virtual time: a few members with scripted networks, and SWIM_TEST_RANKS (1000) of them for
 * SWIM_TEST_MINUTES with ten percent loss and deaths at random.
 */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/swim/swim.h"

#define MS            1000000ULL
#define S             (1000 * MS)
#define PERIOD        S
#define SUSPECT       (8 * S)
#define SLOT_NR       (1 << 15) /* of a millisecond each: more than any delay or timer */
#define DELAY_MS_MAX  40

/* ---- a world: nodes, and a wheel of what happens when ---- */

struct event {
	struct event   *next;
	uint32_t        node;
	bool            is_msg;
	d_rank_t        from;
	struct swim_msg msg;
};

struct node {
	struct swim *swim;
	uint64_t     timer_ms; /* the tick event that counts */
	uint64_t     paused_until_ms;
	uint64_t     incarnation;
	bool         alive;
	uint32_t     seen_dead_nr; /* nodes that have this one for dead */
	uint64_t     died_ms, first_seen_ms;
};

static struct world {
	uint32_t      nr;
	struct node  *nodes;
	struct event *head[SLOT_NR], *tail[SLOT_NR];
	struct event *free;
	uint64_t      now_ms;
	uint64_t      rng;
	uint32_t      loss_percent;
	bool        (*cut)(d_rank_t from, d_rank_t to);
	uint64_t      sent_nr, false_nr, self_dead_nr, suspect_nr;
	uint32_t      cur; /* the node whose code runs */
	struct swim_msg last; /* that was sent */
} w;

static uint64_t
rng(void)
{
	uint64_t x = w.rng += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint64_t
op_random(void *arg)
{
	return rng();
}

static struct event *
event_get(void)
{
	struct event *e = w.free;

	if (e != NULL)
		w.free = e->next;
	else
		e = malloc(sizeof(*e));
	assert_non_null(e);
	return e;
}

static void
event_at(struct event *e, uint64_t at_ms)
{
	uint32_t slot;

	if (at_ms <= w.now_ms)
		at_ms = w.now_ms + 1;
	assert_true(at_ms - w.now_ms < SLOT_NR);
	slot    = at_ms % SLOT_NR;
	e->next = NULL;
	if (w.head[slot] == NULL)
		w.head[slot] = e;
	else
		w.tail[slot]->next = e;
	w.tail[slot] = e;
}

static void
op_send(void *arg, d_rank_t to, const struct swim_msg *msg)
{
	struct event *e;

	w.sent_nr++;
	w.last = *msg;
	assert_true(w.nodes[w.cur].alive);
	if (rng() % 100 < w.loss_percent || (w.cut != NULL && w.cut(w.cur, to)))
		return;
	e         = event_get();
	e->node   = to;
	e->is_msg = true;
	e->from   = w.cur;
	memcpy(&e->msg, msg, offsetof(struct swim_msg, updates) + msg->update_nr * sizeof(msg->updates[0]));
	event_at(e, w.now_ms + 1 + rng() % DELAY_MS_MAX);
}

static void
op_event(void *arg, d_rank_t rank, enum swim_status status, uint64_t incarnation)
{
	struct node *n = &w.nodes[rank];

	if (rank == w.cur) {
		w.self_dead_nr += status == SWIM_DEAD;
		return;
	}
	if (status == SWIM_SUSPECT)
		w.suspect_nr++;
	if (status != SWIM_DEAD)
		return;
	if (n->alive) {
		w.false_nr++;
		return;
	}
	n->seen_dead_nr++;
	if (n->first_seen_ms == 0)
		n->first_seen_ms = w.now_ms;
}

static const struct swim_ops ops = {op_send, op_event, op_random};

static void
tick_schedule(uint32_t i)
{
	struct node *n    = &w.nodes[i];
	uint64_t     next = swim_next(n->swim), at_ms;

	if (next == UINT64_MAX)
		return;
	at_ms = (next + MS - 1) / MS;
	if (n->timer_ms == at_ms && at_ms > w.now_ms)
		return;
	n->timer_ms = at_ms > w.now_ms ? at_ms : w.now_ms + 1;
	struct event *e = event_get();

	e->node   = i;
	e->is_msg = false;
	event_at(e, n->timer_ms);
}

static void
node_start(uint32_t i)
{
	struct node       *n = &w.nodes[i];
	struct swim_config c = {0};

	n->alive       = true;
	n->incarnation = n->incarnation + 1000;
	w.cur          = i;
	assert_int_equal(swim_create(&c, &ops, NULL, i, n->incarnation, w.now_ms * MS, &n->swim), 0);
	for (uint32_t k = 0; k < w.nr; k++)
		assert_int_equal(swim_member_add(n->swim, k, 0, w.now_ms * MS), 0);
	tick_schedule(i);
}

static void
node_kill(uint32_t i)
{
	struct node *n = &w.nodes[i];

	swim_destroy(n->swim);
	n->swim          = NULL;
	n->alive         = false;
	n->seen_dead_nr  = 0;
	n->first_seen_ms = 0;
	n->died_ms       = w.now_ms;
}

static void
world_start(uint32_t nr, uint32_t loss_percent, uint64_t seed)
{
	memset(&w, 0, sizeof(w));
	w.nr           = nr;
	w.rng          = seed;
	w.loss_percent = loss_percent;
	w.nodes        = calloc(nr, sizeof(*w.nodes));
	for (uint32_t i = 0; i < nr; i++)
		node_start(i);
}

static void
world_stop(void)
{
	struct event *e;

	for (uint32_t i = 0; i < w.nr; i++)
		swim_destroy(w.nodes[i].swim);
	free(w.nodes);
	for (uint32_t i = 0; i < SLOT_NR; i++)
		while ((e = w.head[i]) != NULL) {
			w.head[i] = e->next;
			free(e);
		}
	while ((e = w.free) != NULL) {
		w.free = e->next;
		free(e);
	}
}

static void
event_run(struct event *e)
{
	struct node *n = &w.nodes[e->node];

	if (!n->alive)
		return;
	if (n->paused_until_ms > w.now_ms) { /* it comes when the node runs again */
		struct event *again = event_get();

		*again = *e;
		if (!e->is_msg)
			n->timer_ms = n->paused_until_ms;
		event_at(again, n->paused_until_ms);
		return;
	}
	w.cur = e->node;
	if (e->is_msg)
		swim_recv(n->swim, e->from, &e->msg, w.now_ms * MS);
	else if (n->timer_ms == w.now_ms)
		swim_tick(n->swim, w.now_ms * MS);
	else
		return;
	tick_schedule(e->node);
}

static void
run_ms(uint64_t ms)
{
	uint64_t end = w.now_ms + ms;

	while (w.now_ms < end) {
		struct event *e, *next;
		uint32_t      slot;

		w.now_ms++;
		slot         = w.now_ms % SLOT_NR;
		e            = w.head[slot];
		w.head[slot] = NULL;
		for (; e != NULL; e = next) {
			next = e->next;
			event_run(e);
			e->next = w.free;
			w.free  = e;
		}
	}
}

static enum swim_status
status_at(uint32_t node, d_rank_t rank)
{
	enum swim_status status;
	uint64_t         incarnation;

	assert_int_equal(swim_member_status(w.nodes[node].swim, rank, &status, &incarnation), 0);
	return status;
}

/* ---- small worlds ---- */

/** A group of one has nothing to do, and no timer. */
static void
alone(void **state)
{
	world_start(1, 0, 1);
	assert_int_equal(swim_next(w.nodes[0].swim), UINT64_MAX);
	assert_int_equal(swim_tick(w.nodes[0].swim, 5 * S), UINT64_MAX);
	run_ms(10000);
	assert_int_equal(w.sent_nr, 0);
	world_stop();
}

static void
two(void **state)
{
	world_start(2, 0, 1);
	run_ms(60000);
	assert_int_equal(w.false_nr, 0);
	assert_int_equal(w.suspect_nr, 0);
	node_kill(1);
	run_ms((SUSPECT + 2 * PERIOD) / MS);
	assert_int_equal(w.nodes[1].seen_dead_nr, 1);
	assert_int_equal(status_at(0, 1), SWIM_DEAD);
	node_start(1); /* of a new incarnation: lives again */
	run_ms(3 * PERIOD / MS);
	assert_int_equal(status_at(0, 1), SWIM_ALIVE);
	world_stop();
}

static bool
cut_0_1(d_rank_t from, d_rank_t to)
{
	return (from == 0 && to == 1) || (from == 1 && to == 0);
}

/** A link that is broken between two of many kills nobody: others ping for them. */
static void
broken_link(void **state)
{
	world_start(8, 0, 2);
	w.cut = cut_0_1;
	run_ms(600000);
	assert_int_equal(w.false_nr, 0);
	assert_int_equal(status_at(0, 1), SWIM_ALIVE);
	world_stop();
}

static bool
cut_to_3(d_rank_t from, d_rank_t to)
{
	return to == 3;
}

/** Who hears nothing any more is dead to the others, though it could still speak. */
static void
deaf(void **state)
{
	world_start(8, 0, 3);
	run_ms(5000);
	w.cut = cut_to_3;
	run_ms((SUSPECT + 30 * PERIOD) / MS);
	for (uint32_t i = 0; i < 8; i++)
		if (i != 3)
			assert_int_equal(status_at(i, 3), SWIM_DEAD);
	assert_int_equal(w.false_nr, 7 + 7); /* rightly so: each side heard nothing of the other */
	w.cut = NULL; /* it learns that it was taken for dead, refutes, and is back */
	run_ms(60 * PERIOD / MS);
	assert_true(w.self_dead_nr > 0);
	for (uint32_t i = 0; i < 8; i++)
		if (i != 3)
			assert_int_equal(status_at(i, 3), SWIM_ALIVE);
	world_stop();
}

/** A member that did not run for a while blames nobody when it does again. */
static void
glitch(void **state)
{
	world_start(8, 0, 4);
	run_ms(5000);
	for (int i = 0; i < 20; i++) {
		uint32_t n = i % 8;

		w.nodes[n].paused_until_ms = w.now_ms + 7000; /* less than the others' patience */
		run_ms(15000);
		assert_int_equal(w.false_nr, 0);
		assert_true(swim_glitch_ns(w.nodes[n].swim) >= 5 * S);
	}
	world_stop();
}

/** A suspicion in the last moment: the member is slow, not dead, and gets around to refuting it. */
static void
refuted(void **state)
{
	uint64_t before;

	world_start(16, 0, 5);
	run_ms(5000);
	before = swim_incarnation(w.nodes[7].swim);
	w.nodes[7].paused_until_ms = w.now_ms + 7500;
	run_ms(7000);
	assert_true(w.suspect_nr > 0);
	run_ms(20000);
	assert_int_equal(w.false_nr, 0);
	assert_true(swim_incarnation(w.nodes[7].swim) > before);
	for (uint32_t i = 0; i < 16; i++)
		if (i != 7)
			assert_int_equal(status_at(i, 7), SWIM_ALIVE);
	world_stop();
}

/** Neighbours on the ring that die together are found, one period later each at most. */
static void
many_die(void **state)
{
	world_start(32, 10, 6);
	run_ms(20000);
	for (uint32_t i = 0; i < 12; i++)
		node_kill(i);
	run_ms((SUSPECT + 16 * PERIOD) / MS + 20000);
	assert_int_equal(w.false_nr, 0);
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(w.nodes[i].seen_dead_nr, 20);
	world_stop();
}

static void
members(void **state)
{
	world_start(5, 0, 7);
	run_ms(3000);
	for (d_rank_t r = 1; r < 5; r++)
		swim_member_del(w.nodes[0].swim, r);
	swim_member_del(w.nodes[0].swim, 99);
	assert_int_equal(swim_member_nr(w.nodes[0].swim), 0);
	assert_int_equal(swim_next(w.nodes[0].swim), UINT64_MAX);
	w.cur = 0;
	assert_int_equal(swim_member_add(w.nodes[0].swim, 0, 0, w.now_ms * MS), 0); /* self: nothing */
	assert_int_equal(swim_member_nr(w.nodes[0].swim), 0);
	assert_int_equal(swim_member_add(w.nodes[0].swim, 2, 0, w.now_ms * MS), 0);
	tick_schedule(0);
	run_ms(3000);
	assert_int_equal(status_at(0, 2), SWIM_ALIVE);
	world_stop();
}

/**
 * Who has a member for dead of an earlier life than others know passes the news of the later one on.
 * (It kept them to itself: those who knew the later life never heard of the death.)
 */
static void
death_of_later_life(void **state)
{
	struct swim_msg ping = {.kind = SWIM_PING, .incarnation = 1000, .update_nr = 1};
	struct swim    *s;

	world_start(4, 0, 9);
	s     = w.nodes[0].swim;
	w.cur = 0;
	node_kill(3);
	ping.updates[0] = (struct swim_update){.rank = 3, .status = SWIM_DEAD, .incarnation = 0};
	swim_recv(s, 1, &ping, w.now_ms * MS);
	assert_int_equal(status_at(0, 3), SWIM_DEAD);
	ping.updates[0].incarnation = 1000;
	swim_recv(s, 1, &ping, w.now_ms * MS);
	assert_int_equal(w.last.kind, SWIM_ACK);
	assert_int_equal(w.last.update_nr, 1);
	assert_int_equal(w.last.updates[0].incarnation, 1000);
	assert_int_equal(w.last.updates[0].status, SWIM_DEAD);
	assert_int_equal(w.nodes[3].seen_dead_nr, 1); /* told once */
	world_stop();
}

/** Messages of random content change nothing but statuses. */
static void
garbage(void **state)
{
	world_start(6, 0, 8);
	for (int i = 0; i < 200000; i++) {
		struct swim_msg msg;
		uint64_t       *words = (uint64_t *)&msg;

		for (size_t k = 0; k < sizeof(msg) / 8; k++)
			words[k] = rng();
		msg.kind      = rng() % 5;
		msg.update_nr = rng() % 12;
		msg.about     = rng() % 8;
		for (int k = 0; k < SWIM_UPDATE_NR_MAX; k++)
			msg.updates[k].rank = rng() % 8;
		w.cur = 0;
		if (msg.about < w.nr)
			swim_recv(w.nodes[0].swim, rng() % 8, &msg, w.now_ms * MS);
		if (i % 100 == 0)
			run_ms(1);
	}
	world_stop();
}

/* ---- the large one ---- */

static unsigned
env_nr(const char *name, unsigned deflt)
{
	const char *text = getenv(name);

	return text == NULL ? deflt : strtoul(text, NULL, 0);
}

struct soak {
	uint32_t death_nr, dead_rank;
	uint64_t first_ms_max, all_ms_max;
};

/** One death from beginning to end: noticed in time, known to all, and back with a new life. */
static void
one_death(struct soak *k)
{
	uint32_t     dead = rng() % w.nr;
	struct node *n    = &w.nodes[dead];
	uint64_t     ms, first;

	node_kill(dead);
	for (ms = 0; n->seen_dead_nr < w.nr - 1; ms += 100) {
		if (ms > (SUSPECT + 2 * PERIOD) / MS)
			assert_true(n->seen_dead_nr > 0);
		if (ms > (SUSPECT + 32 * PERIOD) / MS)
			fail_msg("rank %u: only %u know of its death", dead, n->seen_dead_nr);
		run_ms(100);
	}
	first = n->first_seen_ms - n->died_ms;
	assert_true(first <= (SUSPECT + 2 * PERIOD) / MS);
	k->first_ms_max = first > k->first_ms_max ? first : k->first_ms_max;
	k->all_ms_max   = w.now_ms - n->died_ms > k->all_ms_max ? w.now_ms - n->died_ms : k->all_ms_max;
	k->death_nr++;
	node_start(dead);
}

static void
thousand(void **state)
{
	unsigned    ranks   = env_nr("SWIM_TEST_RANKS", 1000);
	unsigned    minutes = env_nr("SWIM_TEST_MINUTES", 6);
	uint64_t    seed    = env_nr("SWIM_TEST_SEED", (unsigned)time(NULL));
	uint64_t    end     = minutes * 60000ULL;
	struct soak k       = {0};

	print_message("%u ranks, %u virtual minutes, 10 %% loss, SWIM_TEST_SEED=%lu\n", ranks, minutes,
		      (unsigned long)seed);
	world_start(ranks, 10, seed);
	run_ms(10000);
	while (w.now_ms < end) {
		one_death(&k);
		run_ms(30000 + rng() % 60000);
		assert_int_equal(w.false_nr, 0);
	}
	print_message("%u deaths: first noticed after %lu ms at most, known to all after %lu ms; "
		      "%lu times one took another for suspect, none of the living declared dead; %lu messages\n",
		      k.death_nr, (unsigned long)k.first_ms_max, (unsigned long)k.all_ms_max,
		      (unsigned long)w.suspect_nr, (unsigned long)w.sent_nr);
	assert_int_equal(w.false_nr, 0);
	assert_int_equal(w.self_dead_nr, 0);
	world_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(alone),   cmocka_unit_test(two),      cmocka_unit_test(broken_link),
	    cmocka_unit_test(deaf),    cmocka_unit_test(glitch),   cmocka_unit_test(refuted),
	    cmocka_unit_test(many_die), cmocka_unit_test(members), cmocka_unit_test(garbage),
	    cmocka_unit_test(death_of_later_life), cmocka_unit_test(thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
