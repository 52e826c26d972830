/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A simulated cluster: engines with all services, clients that run workloads, and the faults between them. See
 * docs/simulation.md. There is one world in a process; a seed and its options determine what happens in it.
 */
#pragma once

#include <daos.h>
#include <daos_fs.h>
#include "bio/bio_sim.h"
#include "dc/dc.h"
#include "engine/engine.h"
#include "na/na_sim.h"
#include "platform/platform_sim.h"

#define SIM_ENGINE_MAX 2000u
#define SIM_CLIENT_MAX 32u
#define SIM_POOL_MAX   8u
#define SIM_USER       "tester@"
#define SIM_GROUP      "testers@"

#define SIM_SEC NSEC_PER_SEC
#define SIM_MS  NSEC_PER_MSEC

/* ---- what a run is ---- */

struct sim_opts {
	uint64_t    seed;
	uint32_t    engine_nr, client_nr, tgt_nr;
	uint64_t    run_ns;     /**< of virtual time, until faults stop */
	const char *faults;     /**< name of a profile */
	uint32_t    fault_mask; /**< bits of enum sim_fault_kind that may happen */
	uint32_t    work_mask;  /**< bits of workloads that run */
	uint32_t    bug;        /**< a planted one; 0: none */
	bool        verbose, json;
	bool        scale;      /**< not a run with faults, but steps that are counted: sim_scale.h */
	FILE       *trace;
	bool        trace_bytes;
};

struct sim_result {
	uint64_t hash, now_ns, step_nr, op_nr, fault_nr, msg_nr, msg_bytes, raft_nr;
};

/** A failure: says what, where and when, and ends the process. Never returns. */
__attribute__((noreturn, format(printf, 1, 2))) void sim_fail(const char *fmt, ...);
#define SIM_CHECK(cond, ...)                                                                                           \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			sim_fail(__VA_ARGS__);                                                                         \
	} while (0)
#define SIM_EXIT_FAILED 10

/* ---- the world (sim_world.c) ---- */

struct sim_pool {
	char     label[32]; /**< "": none */
	uuid_t   uuid;
	uint32_t svc_nr;
	d_rank_t svc_ranks[5];
};

enum sim_engine_state { SIM_ENGINE_DOWN, SIM_ENGINE_STARTING, SIM_ENGINE_UP, SIM_ENGINE_STOPPING };

struct sim_job;
struct sim_engine {
	d_rank_t              rank;
	uint32_t              node;
	enum sim_engine_state state;
	struct bio_ram       *disk;
	struct engine        *eng;  /**< of its node; NULL: none */
	char                  name[16], uri[NA_URI_BYTES_MAX];
	struct psim_thread   *main; /**< waits for jobs */
	struct sim_job       *jobs;
	bool                  stop_wanted;
	bool                  lacked_memory; /**< in this life */
	bool                  ruined; /**< it refuses to start, for what is on its disk */
	uint32_t              start_nr;
};

struct sim_client {
	uint32_t       idx, node;
	struct client *cl; /**< of its node */
	bool           running;
	uint32_t       life_nr;
};

struct sim_world {
	struct sim_opts       opts;
	struct na_self_world *net;
	uuid_t                system;
	struct sim_engine    *engines; /**< [engine_nr] */
	struct sim_client     clients[SIM_CLIENT_MAX];
	struct sim_pool       pools[SIM_POOL_MAX];
	struct crt_member    *members; /**< [member_nr]: who runs, as the control plane knows */
	uint32_t              member_nr, map_version;
	uint32_t              relay_nr_min; /**< of engines, by the seed: few ranks take relays, too */
	bool                  fills;        /**< the pool is small, to be filled */
	bool                  healing;   /**< faults are over, everything must work now */
	bool                  ending;
	bool                  group_held; /**< the control plane says nothing for now */
	bool                  verifying; /**< and is compared with what it should be */
	uint64_t              op_nr, fault_nr;
};
extern struct sim_world sim;

void sim_world_init(const struct sim_opts *opts);
void sim_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- engines (sim_engine.c) ---- */

void sim_engines_init(void);
void sim_engine_start(struct sim_engine *se);
/** An orderly stop; what is left of its memory then is a leak. */
void sim_engine_stop(struct sim_engine *se);
void sim_engine_kill(struct sim_engine *se, bool power_loss);
/** Run fn(arg) in the engine's first thread, from a thread of another node; -DER_UNREACH: it was not up, or ended. */
int  sim_engine_do(struct sim_engine *se, int (*fn)(struct engine *eng, void *arg), void *arg);
uint32_t sim_engines_up_nr(void);
uint32_t sim_engines_ruined_nr(void);

/* ---- the control plane (sim_control.c) ---- */

struct ds_mgmt_resolver;
extern const struct ds_mgmt_resolver sim_resolver;
/** What an agent would say of every client; free(). NOMEM */
int sim_cred(d_iov_t *ret_cred) MUST_CHECK;
/** Everybody learns where everybody is, each after a while. */
void sim_group_changed(void);
/** What failed may have left something: destroy it, too. */
int  sim_pool_create(const char *label, uint32_t svc_nr, uint64_t meta_bytes, uint64_t data_bytes);
int  sim_pool_destroy(const char *label);

/* ---- another pool (sim_pools.c) ---- */

/** From a thread of the director's: until faults are over. */
void sim_pools_start(void);
bool sim_pools_ended(void);
/** After it ended: pools can be made and destroyed, nothing of them is left, and all see each other. */
void sim_pools_verify(void);

/* ---- clients (sim_client.c) ---- */

/** Run fn(client) as a process with a client of libdaos. */
void sim_client_start(struct sim_client *sc, void (*fn)(struct sim_client *sc));

/* ---- histories of registers (sim_history.c) ---- */

#define SIM_HISTORY_MAX 64u
struct sim_op_rec {
	uint64_t begin_ns, end_ns; /**< UINT64_MAX: nobody knows whether it happened */
	uint32_t who, value;       /**< value 0: absent; all values written are different */
	bool     is_read, optional;
};
struct sim_history {
	struct sim_op_rec ops[SIM_HISTORY_MAX];
	uint32_t          nr;
};
uint32_t sim_history_begin(struct sim_history *h, uint32_t who, bool is_read, uint32_t value);
/** A read that failed tells nothing. */
void sim_history_drop(struct sim_history *h, uint32_t at);
bool sim_history_linearizable(const struct sim_history *h);
void sim_history_print(const struct sim_history *h, FILE *out);

/* ---- workloads (sim_work*.c) ---- */

/** A workload runs as a thread of a client; what it knows outlives the client, in memory of the world. */
struct sim_worker {
	const struct sim_work *work;
	struct sim_client     *sc;
	uint32_t               id, seq;   /**< seq: of values it wrote */
	void                  *model;     /**< of the workload */
	uint64_t               since_ns;  /**< when its present call began; 0: none */
	uint64_t               begin_ns;  /**< when its last call began */
	const char            *doing;
	const void            *holds;     /**< what of a shared model its present call is about */
	bool                   ended;
	daos_handle_t          poh, coh;  /**< the pool, the shared container */
};
struct sim_work {
	const char *name;
	/** One life of its client: until sim_work_over(). */
	void (*run)(struct sim_worker *w);
	/** All must be as the model says now. In a client, after faults are over; errors are failures. */
	void (*verify)(struct sim_worker *w);
	uint64_t think_ns; /**< mean pause between calls */
};
extern const struct sim_work sim_work_keys, sim_work_attr, sim_work_array, sim_work_files, sim_work_life, sim_work_full,
    sim_work_map;
#define SIM_WORK_NR 7
/** Those that run unless asked for others: all but the last, which fills the pool. */
#define SIM_WORK_DEFAULT ((1u << (SIM_WORK_NR - 2)) - 1)
#define SIM_WORK_FULL    ((1u << (SIM_WORK_NR - 1)) - 1) /**< and that which fills the pool; map: where it is asked for */
extern const struct sim_work *const sim_works[SIM_WORK_NR];

void sim_workers_init(void);
void sim_client_work(struct sim_client *sc);
void sim_client_verify(struct sim_client *sc);
bool sim_work_over(struct sim_worker *w);
/** That, or what it wants may be lost for good. */
bool sim_work_gives_up(struct sim_worker *w);
/** Around each call: for the check that all ends. Begin also thinks. */
void sim_call_begin(struct sim_worker *w, const char *what);
/** True: it succeeded, or ended with @expected. False: an error that a fault excuses. Else the run fails. */
bool sim_call_end(struct sim_worker *w, int rc, int expected);
/** Ends when @rc can be had: for opening things. */
#define SIM_RETRY(w, what, call)                                                                                       \
	do {                                                                                                           \
		sim_call_begin(w, what);                                                                               \
		int rc_ = (call);                                                                                      \
		if (sim_call_end(w, rc_, 0) || sim_work_gives_up(w))                                                 \
			break;                                                                                         \
	} while (1)
/** How many workers hold @what; one whose client was killed holds nothing. */
uint32_t sim_work_holders(const void *what);
/** Its client was killed: the call it had under way ended without an answer. */
void sim_work_client_killed(struct sim_client *sc);
/** With the workload map: targets leave the pool and come back, asked for by a thread of @node. */
void sim_map_changes_start(uint32_t node);
/** All are back. */
bool sim_map_changes_over(void);
/** Workers that have a call under way for longer than this. */
void sim_work_check_stuck(uint64_t bound_ns);

/* ---- faults (sim_fault.c) ---- */

enum sim_fault_kind {
	SIM_F_KILL, SIM_F_POWER, SIM_F_STOP, SIM_F_PARTITION, SIM_F_ONEWAY, SIM_F_RESET, SIM_F_SLOW_LINK, SIM_F_FLAKY,
	SIM_F_SLOW_DISK, SIM_F_CRASH_IO, SIM_F_SHORT_IO, SIM_F_CLIENT_KILL, SIM_F_CLOCK, SIM_F_TWICE, SIM_F_READ_ERROR,
	SIM_F_NO_MEMORY, SIM_F_ROT, SIM_F_ROT_META, SIM_F_SPLIT, SIM_F_LEADER, SIM_F_PAUSE, SIM_F_NR
};
extern const char *const sim_fault_names[SIM_F_NR];
bool sim_profile_exists(const char *profile);
bool sim_faults_init(const char *profile);
void sim_faults_start(void);
/** No more, and what is broken is mended: engines come back, links and disks are whole. */
void sim_faults_stop(void);
/** Is it the error of a fault that was there at some time since @since_ns? */
bool sim_fault_excuses(int rc, uint64_t since_ns);
/** May metadata be damaged? Then an engine may refuse to start and what it holds may be out of reach, but never be wrong. */
bool sim_fault_ruins(void);
/** Another skew and drift for a node's clock. */
void sim_clock_set(uint32_t node);
/** It will be started again after a while. */
void sim_engine_died(struct sim_engine *se);

/* ---- raft (sim_raft.c) ---- */

void sim_raft_check(void);
void sim_raft_print(FILE *out);
uint64_t sim_raft_checked_nr(void);
/** An engine where a replica leads; NULL: there is none. Drawn by the seed when there are several. */
struct sim_engine *sim_raft_leader(void);

/* ---- the course of a run (sim_director.c) ---- */

void sim_run(struct sim_result *ret);

/* ---- planted bugs (sim_bugs.c) ---- */

bool sim_bug_exists(uint32_t bug);
void sim_bugs_print(void);
