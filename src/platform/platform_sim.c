/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The simulated platform: many processes ("nodes") with their threads on one thread of the real machine.
 *
 * A simulated thread is a stack and a context. The loop fires the events that are due, picks one of the runnable
 * threads by the seed, and runs it until it waits, ends or lets others in; each turn costs a little time. When no
 * thread can run, time jumps to the next event. Everything random comes from one generator, so a seed determines
 * the run; what happens is mixed into a hash, which tells whether it did.
 *
 * Invariants
 * 1. Code of a node runs only in threads of that node; events run on the loop, where psim_node_self() is the world.
 * 2. A thread is on the runnable list exactly while its state is PT_RUNNABLE.
 * 3. A thread that waits is woken once: psim_wake() of one that does not wait leaves a token, taken by its next wait.
 * 4. Thread-local variables are per thread, as everywhere: the program's block of them is saved and restored
 *    around a turn. Libraries' (errno) are not; nobody needs errno across a wait.
 *    PT_BUSY stands between: `timeout` is armed for when the thread may run, then it is PT_RUNNABLE: with `cores` for the end
 *    of its turn, and in a paused node for the end of the pause.
 * 5. A killed node's threads never run again, nothing of it stays in any list of the world.
 * 6. Nothing of the real machine gets in: no address, clock, order of descriptors or content of fresh memory.
 */
#include "platform/platform_sim_int.h"

#include <daos_errno.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "base/util.h"

#define STACK_BYTES   (256u << 10)
#define HOOK_NR_MAX   8
#define TURN_NS_MIN   200
#define TURN_NS_MAX   3000
#define WALL_START_NS (1767225600ULL * NSEC_PER_SEC) /* 2026-01-01 */

typedef struct {
	void *fctx;
	void *data;
} transfer_t;
transfer_t jump_fcontext(void *const to, void *data);
void      *make_fcontext(void *stack_high, size_t stack_bytes, void (*fn)(transfer_t));

static struct {
	struct psim_opts     opts;
	uint64_t             rng[4];
	uint64_t             now_ns;
	uint64_t             hash, step_nr;
	struct psim_event  **heap;
	uint32_t             heap_nr, heap_max;
	uint64_t             event_seq;
	struct psim_thread **run;
	uint32_t             run_nr, run_max;
	struct psim_thread  *current;
	void                *loop_fctx;
	uint32_t             thread_id;
	bool                 stopping;
	struct psim_node    *nodes; /* [PSIM_NODE_MAX] */
	uint32_t             doomed_nr;
	struct { void (*fn)(uint32_t node, void *arg); void *arg; } hooks[HOOK_NR_MAX];
	uint32_t             hook_nr;
	char                *tls, *tls_init;
	size_t               tls_bytes;
	struct psim_thread  *tls_owner; /* whose variables the block holds */
} w;

/* ---- chance ---- */

static uint64_t
rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

/** xoshiro256** (Blackman and Vigna). */
uint64_t
psim_rand(void)
{
	uint64_t *s = w.rng;
	uint64_t  result = rotl(s[1] * 5, 7) * 9;
	uint64_t  t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

static void
rand_seed(uint64_t seed)
{
	for (int i = 0; i < 4; i++) { /* splitmix64 */
		uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
		w.rng[i] = z ^ (z >> 31);
	}
}

uint64_t
psim_below(uint64_t nr)
{
	return nr <= 1 ? 0 : (uint64_t)(((unsigned __int128)psim_rand() * nr) >> 64);
}

uint64_t
psim_between(uint64_t low, uint64_t high)
{
	return low + psim_below(high - low + 1);
}

bool
psim_chance(uint32_t ppm)
{
	return ppm > 0 && psim_below(1000000) < ppm;
}

uint64_t
psim_delay(uint64_t mean_ns)
{
	uint64_t ns = psim_between(mean_ns / 2, mean_ns + mean_ns / 2);

	while (psim_chance(20000) && ns < mean_ns * 1000)
		ns *= 4;
	return ns;
}

/* ---- trace ---- */

uint64_t
psim_digest(const void *buf, size_t bytes)
{
	return XXH3_64bits(buf, bytes);
}

static void
mix(uint64_t v)
{
	w.hash = rotl(w.hash ^ v, 27) * 0x9fb21c651e98df25ULL;
}

void
psim_trace(const char *what, uint64_t a, uint64_t b, uint64_t c)
{
	mix(w.now_ns);
	mix(psim_digest(what, strlen(what)));
	mix(a);
	mix(b);
	mix(c);
	if (w.opts.trace != NULL)
		fprintf(w.opts.trace, "%12.6f %-14s %lx %lx %lx  %016lx\n", w.now_ns / 1e9, what, a, b, c, w.hash);
}

void
psim_trace_bytes(const void *buf, size_t bytes)
{
	if (w.opts.trace == NULL || !w.opts.trace_bytes)
		return;
	for (size_t i = 0; i < bytes; i++)
		fprintf(w.opts.trace, "%s%02x", i % 32 == 0 ? "\n    " : i % 4 == 0 ? " " : "",
			((const unsigned char *)buf)[i]);
	fputc('\n', w.opts.trace);
}

uint64_t
psim_hash(void)
{
	return w.hash ^ (w.hash >> 31);
}

uint64_t
psim_now(void)
{
	return w.now_ns;
}

uint64_t
psim_step_nr(void)
{
	return w.step_nr;
}

/* ---- events: a binary heap by time, then by the order of arming ---- */

static bool
event_before(const struct psim_event *a, const struct psim_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

static void
heap_put(uint32_t at, struct psim_event *event)
{
	w.heap[at] = event;
	event->pos = at + 1;
}

static void
heap_up(uint32_t at, struct psim_event *event)
{
	while (at > 0 && event_before(event, w.heap[(at - 1) / 2])) {
		heap_put(at, w.heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_put(at, event);
}

static void
heap_down(uint32_t at, struct psim_event *event)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < w.heap_nr && event_before(w.heap[child + 1], w.heap[child]))
			child++;
		if (child >= w.heap_nr || !event_before(w.heap[child], event))
			break;
		heap_put(at, w.heap[child]);
		at = child;
	}
	heap_put(at, event);
}

void
psim_event_cancel(struct psim_event *event)
{
	uint32_t           at = event->pos;
	struct psim_event *last;

	if (at == 0)
		return;
	event->pos = 0;
	last = w.heap[--w.heap_nr];
	if (last == event)
		return;
	heap_up(at - 1, last);
	heap_down(last->pos - 1, last);
}

/** Room for one more pointer in a table of the world. */
static void *
table_grow(void *table, uint32_t nr, uint32_t *max)
{
	void *grown;

	if (nr < *max)
		return table;
	grown = psim_world_alloc((size_t)(*max * 2 + 64) * sizeof(void *));
	if (table != NULL)
		memcpy(grown, table, nr * sizeof(void *));
	psim_world_free(table);
	*max = *max * 2 + 64;
	return grown;
}

void
psim_event_at(struct psim_event *event, uint64_t at_ns)
{
	psim_event_cancel(event);
	w.heap = table_grow(w.heap, w.heap_nr, &w.heap_max);
	event->at_ns = MAX_OF(at_ns, w.now_ns);
	event->seq = w.event_seq++;
	heap_up(w.heap_nr++, event);
}

/* ---- clocks ---- */

struct psim_node *
psim_node_of(uint32_t node)
{
	D_ASSERT(node < PSIM_NODE_MAX);
	return &w.nodes[node];
}

static uint64_t
drifted(const struct psim_clock *clock, uint64_t world_ns)
{
	return clock->boot_ns + world_ns + (int64_t)(world_ns / 1000) * clock->drift_ppm / 1000;
}

uint64_t
psim_node_ns(uint32_t node)
{
	return drifted(&w.nodes[node].clock, w.now_ns);
}

uint64_t
psim_world_ns(uint32_t node, uint64_t node_ns)
{
	const struct psim_clock *clock = &w.nodes[node].clock;
	uint64_t                 ns;

	if (node_ns <= drifted(clock, w.now_ns))
		return w.now_ns;
	ns = node_ns - clock->boot_ns;
	ns -= (int64_t)(ns / 1000) * clock->drift_ppm / (1000 + clock->drift_ppm / 1000);
	while (drifted(clock, ns) < node_ns)
		ns += (node_ns - drifted(clock, ns)) / 2 + 1;
	return MAX_OF(ns, w.now_ns);
}

uint64_t
plat_now_ns(void)
{
	return psim_node_ns(psim_node_self());
}

uint64_t
plat_realtime_ns(void)
{
	return WALL_START_NS + psim_node_ns(psim_node_self()) - w.nodes[psim_node_self()].clock.boot_ns +
	       w.nodes[psim_node_self()].clock.skew_ns;
}

uint64_t
plat_random(void)
{
	return psim_rand();
}

void
plat_random_bytes(void *buf, size_t len)
{
	for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
		uint64_t bits = psim_rand();

		memcpy((char *)buf + at, &bits, MIN_OF(sizeof(bits), len - at));
	}
}

void
plat_uuid_generate(unsigned char uuid[16])
{
	plat_random_bytes(uuid, 16);
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

/* ---- thread-local variables ---- */

static int
tls_find(struct dl_phdr_info *info, size_t size, void *arg)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_TLS)
			continue;
		w.tls_bytes = align_up(ph->p_memsz, ph->p_align);
		w.tls = (char *)__builtin_thread_pointer() - w.tls_bytes;
		w.tls_init = psim_world_alloc(w.tls_bytes);
		memcpy(w.tls_init, (char *)info->dlpi_addr + ph->p_vaddr, ph->p_filesz);
	}
	return 1; /* the first is the program itself */
}

static void
tls_take(struct psim_thread *thread)
{
	if (w.tls_owner == thread || w.tls_bytes == 0)
		return;
	if (w.tls_owner != NULL)
		memcpy(w.tls_owner->tls, w.tls, w.tls_bytes);
	memcpy(w.tls, thread->tls, w.tls_bytes);
	w.tls_owner = thread;
}

/* ---- threads ---- */

struct psim_thread *
psim_self(void)
{
	return w.current;
}

uint32_t
psim_node_self(void)
{
	return w.current == NULL ? PSIM_WORLD : w.current->node;
}

static void
run_now(void *arg)
{
	struct psim_thread *thread = arg;

	w.run = table_grow(w.run, w.run_nr, &w.run_max);
	thread->state = PT_RUNNABLE;
	thread->run_pos = w.run_nr;
	w.run[w.run_nr++] = thread;
}

static void
run_add(struct psim_thread *thread)
{
	uint64_t from_ns = MAX_OF(thread->busy_until_ns, w.nodes[thread->node].paused_until_ns);

	if (from_ns <= w.now_ns) {
		run_now(thread);
		return;
	}
	thread->state = PT_BUSY;
	thread->timeout.fn = run_now;
	thread->timeout.arg = thread;
	psim_event_at(&thread->timeout, from_ns);
}

void
psim_work(uint64_t ns)
{
	if (w.opts.cores && w.current != NULL)
		w.current->busy_until_ns += ns;
}

uint64_t
psim_lag_ns(void)
{
	return w.current == NULL || w.current->busy_until_ns <= w.now_ns ? 0 : w.current->busy_until_ns - w.now_ns;
}

static void
run_del(struct psim_thread *thread)
{
	struct psim_thread *last = w.run[--w.run_nr];

	w.run[thread->run_pos] = last;
	last->run_pos = thread->run_pos;
}

/** Back to the loop. */
static void
leave(void)
{
	transfer_t t = jump_fcontext(w.loop_fctx, NULL);

	w.loop_fctx = t.fctx;
}

static void
thread_entry(transfer_t t)
{
	struct psim_thread *thread = w.current;

	w.loop_fctx = t.fctx;
	thread->fn(thread->arg);
	thread->state = PT_ENDED;
	leave();
	__builtin_unreachable();
}

static struct psim_thread *
thread_new(uint32_t node, const char *name, void (*fn)(void *arg), void *arg)
{
	struct psim_thread *thread = psim_world_alloc(sizeof(*thread));
	uint32_t            mem_node = psim_mem_node;

	psim_mem_node = node;
	thread->stack_bytes = STACK_BYTES;
	thread->stack = psim_map(STACK_BYTES);
	psim_mem_node = mem_node;
	D_ASSERT(thread->stack != NULL);
	thread->tls = psim_world_alloc(w.tls_bytes + 1);
	memcpy(thread->tls, w.tls_init, w.tls_bytes);
	thread->fctx = make_fcontext(thread->stack + STACK_BYTES - 64, STACK_BYTES - 64 - plat_page_bytes(),
				     thread_entry);
	thread->node = node;
	thread->id = ++w.thread_id;
	thread->fn = fn;
	thread->arg = arg;
	strncpy(thread->name, name, sizeof(thread->name) - 1);
	d_list_init(&thread->wait_link);
	d_list_add_tail(&thread->node_link, &w.nodes[node].threads);
	w.nodes[node].thread_nr++;
	run_add(thread);
	return thread;
}

static void
thread_free(struct psim_thread *thread)
{
	if (w.tls_owner == thread)
		w.tls_owner = NULL;
	psim_world_free(thread->tls);
	psim_world_free(thread);
}

static void
wait_over(void *arg)
{
	struct psim_thread *thread = arg;

	thread->timed_out = true;
	psim_wait_cancel(thread);
	run_add(thread);
}

void
psim_wake(struct psim_thread *thread)
{
	if (thread->state != PT_WAITING) {
		thread->token = true;
		return;
	}
	psim_event_cancel(&thread->timeout);
	psim_wait_cancel(thread);
	run_add(thread);
}

bool
psim_wait(uint64_t timeout_ns)
{
	struct psim_thread *self = w.current;

	D_ASSERT(self != NULL);
	if (self->token) {
		self->token = false;
		psim_wait_cancel(self);
		return true;
	}
	self->timed_out = false;
	self->state = PT_WAITING;
	if (timeout_ns != PLAT_WAIT_FOREVER) {
		self->timeout.fn = wait_over;
		self->timeout.arg = self;
		psim_event_at(&self->timeout, psim_world_ns(self->node, psim_node_ns(self->node) + timeout_ns));
	}
	leave();
	return !self->timed_out;
}

void
psim_park(void)
{
	(void)psim_wait(PLAT_WAIT_FOREVER);
}

void
psim_unpark(struct psim_thread *thread)
{
	psim_wake(thread);
}

void
psim_yield(void)
{
	if (w.current == NULL)
		return;
	run_add(w.current);
	leave();
}

void
psim_sleep_ns(uint64_t ns)
{
	struct psim_thread *self = w.current;
	bool                token = self->token;

	self->token = false;
	(void)psim_wait(ns);
	self->token |= token;
}

int
plat_thread_create(const char *name, void (*fn)(void *arg), void *arg, struct plat_thread **ret_thread)
{
	D_ASSERT(w.current != NULL);
	*ret_thread = (struct plat_thread *)thread_new(w.current->node, name, fn, arg);
	return 0;
}

void
plat_thread_join(struct plat_thread *handle)
{
	struct psim_thread *thread = (struct psim_thread *)handle;

	while (thread->state != PT_ENDED) {
		thread->joiner = w.current;
		psim_park();
	}
	thread_free(thread);
}

int
plat_thread_bind(unsigned core)
{
	return 0;
}

int
plat_core_node(unsigned core)
{
	return -1;
}

int
plat_node_core(unsigned node, unsigned idx)
{
	return -1;
}

int
plat_thread_memory_node(unsigned node)
{
	return -DER_NOSYS;
}

unsigned
plat_core_nr(void)
{
	return 1;
}

bool
plat_sim_point(void)
{
	return w.current != NULL && psim_chance(w.opts.point_ppm);
}

uint32_t
plat_sim_pick(uint32_t nr)
{
	return psim_below(nr);
}

void
plat_sim_turn(void)
{
	if (w.current != NULL && psim_chance(w.opts.switch_ppm))
		psim_yield();
}

void
plat_sim_relax(void)
{
	psim_yield();
}

/* ---- nodes ---- */

void
psim_node_clock(uint32_t node, const struct psim_clock *clock)
{
	D_ASSERT(node < PSIM_NODE_MAX && node != PSIM_WORLD);
	w.nodes[node].clock = *clock;
}

void
psim_node_skew(uint32_t node, int64_t skew_ns)
{
	w.nodes[node].clock.skew_ns = skew_ns;
}

void
psim_node_start(uint32_t node, const char *name, void (*fn)(void *arg), void *arg, void (*done)(uint32_t node))
{
	struct psim_node *n = psim_node_of(node);

	D_ASSERT(node != PSIM_WORLD && !n->alive);
	n->alive = true;
	n->doomed = false;
	n->paused_until_ns = 0;
	n->done = done;
	d_list_init(&n->threads);
	n->thread_nr = 0;
	psim_trace("start", node, 0, 0);
	thread_new(node, name, fn, arg)->detached = true;
}

void
psim_node_thread(uint32_t node, const char *name, void (*fn)(void *arg), void *arg)
{
	D_ASSERT(w.nodes[node].alive);
	thread_new(node, name, fn, arg)->detached = true;
}

bool
psim_node_alive(uint32_t node)
{
	return w.nodes[node].alive;
}

void
psim_on_kill(void (*fn)(uint32_t node, void *arg), void *arg)
{
	D_ASSERT(w.hook_nr < HOOK_NR_MAX);
	w.hooks[w.hook_nr].fn = fn;
	w.hooks[w.hook_nr++].arg = arg;
}

void
psim_node_kill(uint32_t node)
{
	struct psim_node   *n = psim_node_of(node);
	struct psim_thread *thread;

	D_ASSERT(n->alive && psim_node_self() != node);
	psim_trace("kill", node, 0, 0);
	n->alive = false;
	if (n->doomed)
		w.doomed_nr--;
	n->doomed = false;
	for (uint32_t i = 0; i < w.hook_nr; i++)
		w.hooks[i].fn(node, w.hooks[i].arg);
	while ((thread = d_list_first(&n->threads, struct psim_thread, node_link)) != NULL) {
		psim_event_cancel(&thread->timeout);
		psim_wait_cancel(thread);
		if (thread->state == PT_RUNNABLE)
			run_del(thread);
		d_list_del(&thread->node_link);
		thread_free(thread);
	}
	n->thread_nr = 0;
	psim_fds_drop(node);
	psim_mem_node_drop(node);
}

void
psim_node_pause(uint32_t node, uint64_t until_ns)
{
	struct psim_node   *n = &w.nodes[node];
	struct psim_thread *thread;

	D_ASSERT(node != PSIM_WORLD && (w.current == NULL || w.current->node != node));
	n->paused_until_ns = until_ns;
	d_list_for_each(thread, &n->threads, node_link) {
		if (thread->state == PT_RUNNABLE)
			run_del(thread);
		else if (thread->state != PT_BUSY)
			continue;
		psim_event_cancel(&thread->timeout);
		run_add(thread);
	}
}

void
psim_crash_self(void)
{
	w.nodes[w.current->node].doomed = true;
	w.doomed_nr++;
	w.current->state = PT_WAITING;
	leave();
	__builtin_unreachable();
}

static void
doomed_kill(void)
{
	for (uint32_t i = 1; i < PSIM_NODE_MAX && w.doomed_nr > 0; i++)
		if (w.nodes[i].doomed)
			psim_node_kill(i);
}

/* ---- the loop ---- */

static void
thread_ended(struct psim_thread *thread)
{
	struct psim_node *n = &w.nodes[thread->node];
	uint32_t          node = thread->node;
	uint32_t          mem_node = psim_mem_node;

	d_list_del(&thread->node_link);
	d_list_init(&thread->node_link);
	n->thread_nr--;
	psim_mem_node = node;
	plat_unmap(thread->stack, thread->stack_bytes);
	psim_mem_node = mem_node;
	if (thread->joiner != NULL)
		psim_wake(thread->joiner);
	if (thread->detached)
		thread_free(thread);
	if (n->thread_nr == 0) {
		n->alive = false;
		psim_trace("end", node, 0, 0);
		psim_fds_drop(node);
		if (n->done != NULL)
			n->done(node);
		psim_mem_node_drop(node);
	}
}

static void
turn(void)
{
	struct psim_thread *thread = w.run[psim_below(w.run_nr)];
	transfer_t          t;

	run_del(thread);
	if (w.opts.cores)
		thread->busy_until_ns = w.now_ns + psim_between(TURN_NS_MIN, TURN_NS_MAX);
	else
		w.now_ns += psim_between(TURN_NS_MIN, TURN_NS_MAX);
	w.step_nr++;
	mix(w.now_ns ^ ((uint64_t)thread->id << 48));
	if (w.opts.trace != NULL)
		fprintf(w.opts.trace, "%12.6f turn %u %s\n", w.now_ns / 1e9, thread->node, thread->name);
	thread->state = PT_RUNNING;
	tls_take(thread);
	w.current = thread;
	psim_mem_node = thread->node;
	t = jump_fcontext(thread->fctx, NULL);
	w.current = NULL;
	psim_mem_node = PSIM_WORLD;
	thread->fctx = t.fctx;
	if (thread->state == PT_ENDED)
		thread_ended(thread);
	if (w.doomed_nr > 0)
		doomed_kill();
}

enum psim_end
psim_run(void)
{
	w.stopping = false;
	while (!w.stopping) {
		if (w.heap_nr > 0 && (w.run_nr == 0 || w.heap[0]->at_ns <= w.now_ns)) {
			struct psim_event *event = w.heap[0];

			w.now_ns = MAX_OF(w.now_ns, event->at_ns);
			psim_event_cancel(event);
			event->fn(event->arg);
		} else if (w.run_nr > 0) {
			turn();
		} else {
			return PSIM_IDLE;
		}
	}
	return PSIM_STOPPED;
}

void
psim_stop(void)
{
	w.stopping = true;
}

void
psim_init(const struct psim_opts *opts)
{
	w.opts = *opts;
	rand_seed(opts->seed);
	w.hash = opts->seed;
	w.nodes = psim_world_alloc(PSIM_NODE_MAX * sizeof(*w.nodes));
	for (uint32_t i = 0; i < PSIM_NODE_MAX; i++)
		d_list_init(&w.nodes[i].threads);
	dl_iterate_phdr(tls_find, NULL);
}
