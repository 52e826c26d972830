/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The weather. Each kind of fault comes at random times, at the mean interval its profile gives it, strikes, and is
 * mended after a while. No fault takes from the cluster what it promises to survive without: engines come back with
 * their disks, partitions heal, clocks stay within what the hybrid clock tolerates.
 */
#include "sim.h"

#include <daos_errno.h>
#include <string.h>

#define NODE_MAX    128u /**< more nodes than this have no weather between them */
#define LAN_NS      30000
#define BYTE_PS     800 /* picoseconds */
#define DOWN_MAX    2u
#define SKEW_NS_MAX (100 * SIM_MS)

const char *const sim_fault_names[SIM_F_NR] = {
    [SIM_F_KILL] = "kill",             [SIM_F_POWER] = "power",
    [SIM_F_STOP] = "stop",             [SIM_F_PARTITION] = "partition",
    [SIM_F_ONEWAY] = "oneway",         [SIM_F_RESET] = "reset",
    [SIM_F_SLOW_LINK] = "slow-link",   [SIM_F_FLAKY] = "flaky",
    [SIM_F_SLOW_DISK] = "slow-disk",   [SIM_F_CRASH_IO] = "crash-io",
    [SIM_F_SHORT_IO] = "short-io",     [SIM_F_CLIENT_KILL] = "client-kill",
    [SIM_F_CLOCK] = "clock",           [SIM_F_TWICE] = "twice",
    [SIM_F_READ_ERROR] = "read-error", [SIM_F_NO_MEMORY] = "no-memory",
    [SIM_F_ROT] = "rot",               [SIM_F_ROT_META] = "rot-meta",
    [SIM_F_SPLIT] = "split",           [SIM_F_LEADER] = "leader",
    [SIM_F_PAUSE] = "pause",
};

struct profile {
	const char *name;
	uint32_t    mean_s[SIM_F_NR]; /**< between two of a kind; 0: never */
	bool        fills;            /**< the pool is small, and a workload fills it */
};
#define CRASHES(kill, power, stop, io) [SIM_F_KILL] = kill, [SIM_F_POWER] = power, [SIM_F_STOP] = stop, [SIM_F_CRASH_IO] = io
/* Of the whole network, and where it hurts most: replicas of a service without their leader, clients with either. */
#define SPLITS(split, leader) [SIM_F_SPLIT] = split, [SIM_F_LEADER] = leader
#define LINKS(part, one, rst, slow, flaky)                                                                             \
	[SIM_F_PARTITION] = part, [SIM_F_ONEWAY] = one, [SIM_F_RESET] = rst, [SIM_F_SLOW_LINK] = slow, [SIM_F_FLAKY] = flaky
static const struct profile profiles[] = {
    {"none", {0}},
    {"default",
     {CRASHES(90, 120, 240, 150), LINKS(120, 150, 40, 60, 80), SPLITS(300, 300), [SIM_F_SLOW_DISK] = 60,
      [SIM_F_CLIENT_KILL] = 100, [SIM_F_CLOCK] = 60, [SIM_F_PAUSE] = 120}},
    {"network", {LINKS(40, 50, 15, 30, 30), SPLITS(80, 60), [SIM_F_CLOCK] = 40, [SIM_F_TWICE] = 40,
      [SIM_F_PAUSE] = 60}},
    {"disk", {CRASHES(0, 60, 0, 60), [SIM_F_SLOW_DISK] = 30, [SIM_F_SHORT_IO] = 20, [SIM_F_READ_ERROR] = 30}},
    {"crash", {CRASHES(40, 40, 90, 60), [SIM_F_CLIENT_KILL] = 40}},
    {"storm",
     {CRASHES(30, 40, 90, 40), LINKS(40, 50, 10, 20, 20), SPLITS(80, 60), [SIM_F_SLOW_DISK] = 20, [SIM_F_SHORT_IO] = 20,
      [SIM_F_CLIENT_KILL] = 30, [SIM_F_CLOCK] = 20, [SIM_F_PAUSE] = 40}},
    {"memory", {CRASHES(60, 0, 0, 0), [SIM_F_NO_MEMORY] = 8}},
    {"full", {CRASHES(60, 60, 0, 0), [SIM_F_CLIENT_KILL] = 60}, .fills = true},
    {"rot", {CRASHES(60, 60, 90, 0), [SIM_F_ROT] = 2}},
    {"ruin", {CRASHES(60, 60, 60, 0), [SIM_F_ROT] = 10, [SIM_F_ROT_META] = 3}},
};

struct pair {
	bool     cut;
	bool     refuses; /**< when cut: the sender is told at once */
	uint32_t slow_x;
	uint32_t flaky_ppm;
	uint32_t twice_ppm;
};

/** A fault that lets calls fail with errors of its own: how often it is there now, and when it was last. */
struct trouble {
	uint32_t now_nr;
	uint64_t last_ns;
};

static struct {
	const struct profile *profile;
	struct psim_event     next[SIM_F_NR];
	struct pair           pairs[NODE_MAX][NODE_MAX];
	bool                  split, split_refuses; /**< the network is in two parts */
	bool                  side[NODE_MAX];       /**< the part that each node is in */
	uint32_t              ends_in[NODE_MAX]; /* killed at the nth message it sends; 0: not */
	uint32_t              node_nr;
	bool                  over;
	struct trouble        read_errors, no_memory;
	bool                  disks_bad[SIM_ENGINE_MAX], memory_bad[SIM_ENGINE_MAX]; /* by rank */
	bool                  rotten, ruined;
} weather;

static void
trouble_begin(struct trouble *t, bool *bad)
{
	*bad = true;
	t->now_nr++;
}

static void
trouble_end(struct trouble *t, bool *bad)
{
	if (!*bad)
		return;
	*bad = false;
	t->now_nr--;
	t->last_ns = psim_now();
}

static bool
trouble_since(const struct trouble *t, uint64_t since_ns)
{
	return t->now_nr > 0 || (t->last_ns != 0 && t->last_ns >= since_ns);
}

/** What a disk's trouble is told as. */
static bool
is_media_error(int rc)
{
	return rc == -DER_CSUM || rc == -DER_IO || rc == -DER_NVME_IO || rc == -DER_DATA_LOSS;
}

bool
sim_fault_excuses(int rc, uint64_t since_ns)
{
	if (rc == -DER_NOMEM)
		return trouble_since(&weather.no_memory, since_ns);
	if (rc == -DER_NOSPACE)
		return weather.profile->fills && !sim.verifying;
	return is_media_error(rc) && (weather.rotten || trouble_since(&weather.read_errors, since_ns));
}

bool
sim_fault_ruins(void)
{
	return weather.ruined;
}

/* ---- the network ---- */

static enum na_sim_fate
fate(void *arg, uint32_t from, uint32_t to, size_t bytes, uint64_t *ret_delay_ns)
{
	struct pair *pair;
	uint64_t     ns = psim_delay(LAN_NS) + bytes * BYTE_PS / 1000;

	*ret_delay_ns = ns;
	if (from >= NODE_MAX || to >= NODE_MAX)
		return NA_SIM_ARRIVES;
	if (weather.ends_in[from] > 0 && --weather.ends_in[from] == 0)
		psim_crash_self();
	pair = &weather.pairs[from][to];
	if (pair->slow_x > 1)
		*ret_delay_ns = ns * pair->slow_x;
	if (weather.split && weather.side[from] != weather.side[to])
		return weather.split_refuses ? NA_SIM_REFUSED : NA_SIM_LOST;
	if (pair->cut)
		return pair->refuses ? NA_SIM_REFUSED : NA_SIM_LOST;
	if (psim_chance(pair->twice_ppm))
		return NA_SIM_TWICE;
	if (psim_chance(pair->flaky_ppm)) {
		switch (psim_below(3)) {
		case 0: /* a packet was lost and sent again */
			*ret_delay_ns += psim_between(200 * SIM_MS, SIM_SEC);
			return NA_SIM_ARRIVES;
		case 1:
			return NA_SIM_REFUSED;
		default:
			return NA_SIM_DOUBTFUL;
		}
	}
	return NA_SIM_ARRIVES;
}

static const struct na_sim_policy policy = {.fate = fate, .lost_rma_ns = 5 * SIM_SEC};

/* ---- what is mended later ---- */

struct mend {
	struct psim_event event;
	enum sim_fault_kind kind;
	uint32_t          a, b; /* nodes, or an engine */
};

static struct bio_sim_policy
disk_fine(void)
{
	return (struct bio_sim_policy){.read_ns = 80000, .write_ns = 40000, .flush_ns = 200000};
}

static void
disk_mend(uint32_t rank)
{
	struct bio_sim_policy fine = disk_fine();

	bio_sim_set_policy(sim.engines[rank].disk, &fine);
	trouble_end(&weather.read_errors, &weather.disks_bad[rank]);
}

static void
memory_mend(uint32_t rank)
{
	psim_node_alloc_fail(sim.engines[rank].node, 0);
	trouble_end(&weather.no_memory, &weather.memory_bad[rank]);
}

static void
mend_now(enum sim_fault_kind kind, uint32_t a, uint32_t b)
{
	switch (kind) {
	case SIM_F_KILL:
	case SIM_F_POWER:
	case SIM_F_STOP:
		if (sim.engines[a].state == SIM_ENGINE_DOWN && !weather.over)
			sim_engine_start(&sim.engines[a]);
		break;
	case SIM_F_PARTITION:
	case SIM_F_ONEWAY:
	case SIM_F_SLOW_LINK:
	case SIM_F_FLAKY:
	case SIM_F_TWICE:
	case SIM_F_LEADER:
		for (uint32_t n = 0; n < weather.node_nr; n++)
			weather.pairs[a][n] = weather.pairs[n][a] = (struct pair){0};
		break;
	case SIM_F_SPLIT:
		weather.split = false;
		break;
	case SIM_F_READ_ERROR:
	case SIM_F_SLOW_DISK:
	case SIM_F_CRASH_IO:
	case SIM_F_SHORT_IO:
		disk_mend(a);
		break;
	case SIM_F_NO_MEMORY:
		memory_mend(a);
		break;
	case SIM_F_CLIENT_KILL:
		if (!sim.clients[a].running && !weather.over)
			sim_client_start(&sim.clients[a], sim_client_work);
		break;
	default:
		break;
	}
}

static void
mend_due(void *arg)
{
	struct mend *mend = arg;

	if (!weather.over)
		mend_now(mend->kind, mend->a, mend->b);
	psim_world_free(mend);
}

static void
mend_after(enum sim_fault_kind kind, uint32_t a, uint32_t b, uint64_t ns)
{
	struct mend *mend = psim_world_alloc(sizeof(*mend));

	*mend = (struct mend){.kind = kind, .a = a, .b = b};
	mend->event.fn = mend_due;
	mend->event.arg = mend;
	psim_event_at(&mend->event, psim_now() + ns);
}

/* ---- strikes ---- */

static uint32_t
down_nr(void)
{
	return sim.opts.engine_nr - sim_engines_up_nr();
}

/** An engine that runs while not too many are down; NULL: none. */
static struct sim_engine *
victim(void)
{
	struct sim_engine *se = &sim.engines[psim_below(sim.opts.engine_nr)];

	return se->state == SIM_ENGINE_UP && down_nr() < DOWN_MAX ? se : NULL;
}

void
sim_engine_died(struct sim_engine *se)
{
	if (sim.opts.scale)
		return; /* whoever killed it starts it again */
	memory_mend(se->rank); /* or it could not start */
	if (weather.disks_bad[se->rank])
		disk_mend(se->rank);
	mend_after(SIM_F_KILL, se->rank, 0, psim_between(SIM_SEC / 2, 15 * SIM_SEC));
}

static bool
strike_engine(enum sim_fault_kind kind)
{
	struct sim_engine *se = victim();

	if (se == NULL)
		return false;
	if (kind == SIM_F_STOP) {
		sim_engine_stop(se);
	} else if (psim_below(2) == 0 || se->node >= NODE_MAX) {
		sim_engine_kill(se, kind == SIM_F_POWER);
	} else { /* between two of the messages it sends */
		bio_sim_set_power_loss(se->disk, kind == SIM_F_POWER);
		weather.ends_in[se->node] = psim_between(1, 20);
	}
	return true;
}

static bool
strike_links(enum sim_fault_kind kind)
{
	uint32_t a = 1 + psim_below(weather.node_nr - 1);
	struct pair bad = {0};
	uint32_t other_nr = psim_between(1, weather.node_nr - 1);

	if (kind == SIM_F_SLOW_LINK)
		bad.slow_x = psim_between(5, 2000);
	else if (kind == SIM_F_FLAKY)
		bad.flaky_ppm = psim_between(1000, 50000);
	else if (kind == SIM_F_TWICE)
		bad.twice_ppm = psim_between(1000, 200000);
	else
		bad = (struct pair){.cut = true, .refuses = psim_below(3) == 0};
	for (; other_nr > 0; other_nr--) {
		uint32_t b = 1 + psim_below(weather.node_nr - 1);

		if (b == a)
			continue;
		weather.pairs[a][b] = bad;
		if (kind == SIM_F_PARTITION)
			weather.pairs[b][a] = bad;
	}
	mend_after(kind, a, 0, psim_between(SIM_SEC / 2, 20 * SIM_SEC));
	return true;
}

static bool
strike_split(void)
{
	if (weather.split)
		return false;
	weather.split = true;
	weather.split_refuses = psim_below(3) == 0;
	for (uint32_t n = 1; n < weather.node_nr; n++)
		weather.side[n] = psim_below(2) == 0;
	mend_after(SIM_F_SPLIT, 0, 0, psim_between(SIM_SEC / 2, 20 * SIM_SEC));
	return true;
}

/**
 * One that leads a service is cut from all engines, and from all clients but one or about a half: it has to notice that others
 * lead, and to look again after a pause. One client is of its own interest: when it just reads, no write is under way to show
 * the leader that it is alone.
 */
static bool
strike_leader(void)
{
	struct sim_engine *se = sim_raft_leader();
	struct pair        bad = {.cut = true, .refuses = psim_below(3) == 0};
	uint32_t           stays = 0; /* the only client that stays, if it is one */

	if (se == NULL || se->node >= NODE_MAX)
		return false;
	if (psim_below(2) == 0 && weather.node_nr > 1 + sim.opts.engine_nr)
		stays = 1 + sim.opts.engine_nr + psim_below(weather.node_nr - 1 - sim.opts.engine_nr);
	for (uint32_t n = 1; n < weather.node_nr; n++)
		if (n != se->node && n != stays && (n <= sim.opts.engine_nr || stays != 0 || psim_below(2) == 0))
			weather.pairs[se->node][n] = weather.pairs[n][se->node] = bad;
	if (psim_below(2) == 0)
		psim_node_pause(se->node, psim_now() + psim_between(SIM_SEC, 15 * SIM_SEC));
	mend_after(SIM_F_LEADER, se->node, 0, psim_between(SIM_SEC / 2, 20 * SIM_SEC));
	return true;
}

static bool
strike_reset(void)
{
	uint32_t a = 1 + psim_below(weather.node_nr - 1);

	for (uint32_t b = 1; b < weather.node_nr; b++)
		na_sim_reset(sim.net, a, b);
	return true;
}

static bool
strike_disk(enum sim_fault_kind kind)
{
	struct sim_engine    *se = &sim.engines[psim_below(sim.opts.engine_nr)];
	struct bio_sim_policy bad = disk_fine();

	if (kind == SIM_F_SLOW_DISK)
		bad.slow_x = psim_between(5, 500);
	else if (kind == SIM_F_SHORT_IO)
		bad.short_ppm = 200000;
	else if (kind == SIM_F_READ_ERROR)
		bad.read_error_ppm = psim_between(10000, 500000);
	else
		bad.crash_ppm = psim_between(1000, 50000);
	if (kind == SIM_F_READ_ERROR && se->state != SIM_ENGINE_UP)
		return false;
	disk_mend(se->rank);
	bio_sim_set_power_loss(se->disk, psim_below(2) == 0);
	bio_sim_set_policy(se->disk, &bad);
	if (kind == SIM_F_READ_ERROR)
		trouble_begin(&weather.read_errors, &weather.disks_bad[se->rank]);
	mend_after(kind, se->rank, 0, psim_between(SIM_SEC, 20 * SIM_SEC));
	return true;
}

static bool
strike_memory(void)
{
	struct sim_engine *se = &sim.engines[psim_below(sim.opts.engine_nr)];

	if (se->state != SIM_ENGINE_UP)
		return false;
	memory_mend(se->rank);
	trouble_begin(&weather.no_memory, &weather.memory_bad[se->rank]);
	se->lacked_memory = true;
	psim_node_alloc_fail(se->node, psim_between(100, 20000));
	mend_after(SIM_F_NO_MEMORY, se->rank, 0, psim_between(SIM_SEC, 10 * SIM_SEC));
	return true;
}

static bool
strike_rot(enum sim_fault_kind kind)
{
	struct sim_engine *se = &sim.engines[psim_below(sim.opts.engine_nr)];

	if (!bio_sim_rot(se->disk, kind == SIM_F_ROT ? BIO_ROLE_DATA : BIO_ROLE_META | BIO_ROLE_WAL))
		return false;
	weather.rotten = true;
	weather.ruined |= kind == SIM_F_ROT_META;
	return true;
}

/** Stopped for a while, then it goes on as if nothing had been; an engine or a client. */
static bool
strike_pause(void)
{
	uint32_t node = 1 + psim_below(weather.node_nr - 1);

	if (!psim_node_alive(node))
		return false;
	psim_node_pause(node, psim_now() + psim_between(SIM_SEC / 10, 15 * SIM_SEC));
	return true;
}

static bool
strike_clock(void)
{
	uint32_t node = 1 + psim_below(weather.node_nr - 1);

	psim_node_skew(node, (int64_t)psim_below(2 * SKEW_NS_MAX) - (int64_t)SKEW_NS_MAX);
	return true;
}

/** However it was killed. */
static void
client_gone(uint32_t node, void *arg)
{
	struct sim_client *sc;

	if (node <= sim.opts.engine_nr || node > sim.opts.engine_nr + sim.opts.client_nr)
		return;
	sc = &sim.clients[node - 1 - sim.opts.engine_nr];
	sim_log("client %u is killed", sc->idx);
	sc->running = false;
	sc->cl = NULL;
	sim_work_client_killed(sc);
	mend_after(SIM_F_CLIENT_KILL, sc->idx, 0, psim_between(5 * SIM_SEC, 20 * SIM_SEC));
}

/** Mostly in the middle of a call: between two of the messages it sends. */
static bool
strike_client(void)
{
	struct sim_client *sc = &sim.clients[psim_below(sim.opts.client_nr)];

	if (!sc->running || sc->cl == NULL)
		return false;
	if (psim_below(4) == 0 || sc->node >= NODE_MAX)
		psim_node_kill(sc->node);
	else
		weather.ends_in[sc->node] = psim_between(1, 8);
	return true;
}

static bool
strike(enum sim_fault_kind kind)
{
	switch (kind) {
	case SIM_F_KILL:
	case SIM_F_POWER:
	case SIM_F_STOP:
		return strike_engine(kind);
	case SIM_F_PARTITION:
	case SIM_F_ONEWAY:
	case SIM_F_SLOW_LINK:
	case SIM_F_FLAKY:
	case SIM_F_TWICE:
		return strike_links(kind);
	case SIM_F_SPLIT:
		return strike_split();
	case SIM_F_LEADER:
		return strike_leader();
	case SIM_F_RESET:
		return strike_reset();
	case SIM_F_CLIENT_KILL:
		return strike_client();
	case SIM_F_CLOCK:
		return strike_clock();
	case SIM_F_PAUSE:
		return strike_pause();
	case SIM_F_NO_MEMORY:
		return strike_memory();
	case SIM_F_ROT:
	case SIM_F_ROT_META:
		return strike_rot(kind);
	default:
		return strike_disk(kind);
	}
}

static void
arm(enum sim_fault_kind kind)
{
	uint64_t mean_ns = weather.profile->mean_s[kind] * SIM_SEC;

	/* drawn in any case, so that a masked kind changes nothing for the others */
	uint64_t ns = psim_between(mean_ns / 10, 2 * mean_ns);

	if (mean_ns > 0)
		psim_event_at(&weather.next[kind], psim_now() + ns);
}

static void
strike_due(void *arg)
{
	enum sim_fault_kind kind = (struct psim_event *)arg - weather.next;

	if (weather.over)
		return;
	if ((sim.opts.fault_mask & 1u << kind) != 0 && strike(kind)) {
		sim_log("fault: %s", sim_fault_names[kind]);
		psim_trace("fault", kind, 0, 0);
		sim.fault_nr++;
	}
	arm(kind);
}

/* ---- beginning and end ---- */

void
sim_clock_set(uint32_t node)
{
	struct psim_clock clock = {.drift_ppm = (int32_t)psim_below(101) - 50,
				   .boot_ns = psim_below(1000 * SIM_SEC) + SIM_SEC};

	clock.skew_ns = (int64_t)psim_below(2 * SKEW_NS_MAX) - (int64_t)SKEW_NS_MAX;
	psim_node_clock(node, &clock);
}

static const struct profile *
profile_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_NR(profiles); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

bool
sim_profile_exists(const char *name)
{
	return profile_find(name) != NULL;
}

bool
sim_faults_init(const char *name)
{
	weather.profile = profile_find(name);
	if (weather.profile == NULL)
		return false;
	sim.fills = weather.profile->fills;
	weather.node_nr = MIN_OF(1 + sim.opts.engine_nr + sim.opts.client_nr, NODE_MAX);
	na_sim_set_policy(sim.net, &policy);
	psim_on_kill(client_gone, NULL);
	return true;
}

void
sim_faults_start(void)
{
	for (int kind = 0; kind < SIM_F_NR; kind++) {
		weather.next[kind].fn = strike_due;
		weather.next[kind].arg = &weather.next[kind];
		arm(kind);
	}
}

void
sim_faults_stop(void)
{
	weather.over = true;
	weather.split = false;
	for (uint32_t n = 1; n < weather.node_nr; n++)
		psim_node_pause(n, 0);
	memset(weather.pairs, 0, sizeof(weather.pairs));
	memset(weather.ends_in, 0, sizeof(weather.ends_in));
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++) {
		disk_mend(i);
		memory_mend(i);
	}
}
