/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fault points: named places where a test can make something go wrong. The list below is the only
 * one, sorted by name. A point that is not armed costs one load and one branch. The rules belong to
 * a struct (an engine's, a client's), so faults in one of several engines of a process are possible;
 * decisions come from a seed and repeat exactly.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include "base/util.h"

#define D_FAULT_POINTS(X)                                                                          \
	X(BIO_READ, "bio_read") X(BIO_SYNC, "bio_sync") X(BIO_WRITE, "bio_write")                  \
	X(CART_RECV, "cart_recv") X(CART_SEND, "cart_send")                                        \
	X(CONT_CREATE, "cont_create") X(CONT_DESTROY, "cont_destroy")                              \
	X(DRPC_RECV, "drpc_recv") X(DRPC_SEND, "drpc_send")                                        \
	X(ENGINE_START, "engine_start")                                                            \
	X(NA_BULK, "na_bulk") X(NA_CONNECT, "na_connect")                                          \
	X(OBJ_FETCH, "obj_fetch") X(OBJ_UPDATE, "obj_update")                                      \
	X(POOL_CREATE, "pool_create") X(POOL_DESTROY, "pool_destroy")                              \
	X(RDB_APPEND, "rdb_append") X(RDB_SNAPSHOT, "rdb_snapshot")                                \
	X(UMEM_CHECKPOINT, "umem_checkpoint") X(UMEM_COMMIT, "umem_commit")                        \
	X(VOS_FETCH, "vos_fetch") X(VOS_UPDATE, "vos_update")

enum d_fault_id {
#define D_FAULT_ENUM(id, name) D_FAULT_##id,
	D_FAULT_POINTS(D_FAULT_ENUM)
#undef D_FAULT_ENUM
	D_FAULT_NR
};

enum d_fault_kind {
	D_FAULT_KIND_ERROR,   /**< the call fails with `arg`, -DER_* */
	D_FAULT_KIND_DELAY,   /**< `arg` ns pass first */
	D_FAULT_KIND_YIELD,   /**< others run first */
	D_FAULT_KIND_CORRUPT, /**< `arg` bits of the data flip */
	D_FAULT_KIND_CRASH,   /**< the process or the simulated node dies on the spot */
	D_FAULT_KIND_NR
};

struct d_fault_rule {
	enum d_fault_kind kind;
	int64_t           arg;
	uint64_t          nth;      /**< fire on the nth pass, counted from 1; 0: by probability */
	uint32_t          prob_ppm; /**< of a million passes */
	uint64_t          fires_max; /**< 0: no limit; with nth, one firing */
};

struct d_fault_point {
	_Atomic bool        armed;
	struct d_fault_rule rule;
	uint64_t            pass_nr; /**< since it was armed */
	uint64_t            fire_nr;
};

struct d_faults {
	pthread_mutex_t      lock;
	uint64_t             rng;
	struct d_fault_point points[D_FAULT_NR];
};

void d_faults_init(struct d_faults *faults, uint64_t seed);
void d_faults_fini(struct d_faults *faults);
void d_fault_arm(struct d_faults *faults, enum d_fault_id id, const struct d_fault_rule *rule);
void d_fault_disarm(struct d_faults *faults, enum d_fault_id id);
/** Firings since it was armed. */
uint64_t d_fault_fire_nr(struct d_faults *faults, enum d_fault_id id);

/**
 * "bio_write=error:-1007,nth=3; cart_send=delay:1000000,prob=1000,max=5": a point, a kind with its
 * argument, then nth, prob (in a million) and max. Errors: INVAL; nothing is armed then.
 */
int  d_faults_parse(struct d_faults *faults, const char *text) MUST_CHECK;
const char *d_fault_name(enum d_fault_id id);
/** Errors: NONEXIST. */
int  d_fault_find(const char *name, enum d_fault_id *ret_id) MUST_CHECK;

bool d_fault_pass_slow(struct d_faults *faults, enum d_fault_id id, struct d_fault_rule *ret_rule);

/** Pass the point; true: the fault happens, *ret_rule says which. @faults may be NULL. */
static inline bool
d_fault_pass(struct d_faults *faults, enum d_fault_id id, struct d_fault_rule *ret_rule)
{
	if (LIKELY(faults == NULL ||
		   !atomic_load_explicit(&faults->points[id].armed, memory_order_relaxed)))
		return false;
	return d_fault_pass_slow(faults, id, ret_rule);
}

/** For points where only an error makes sense: 0 or -DER_*. */
static inline int
d_fault_error(struct d_faults *faults, enum d_fault_id id)
{
	struct d_fault_rule rule;

	if (!d_fault_pass(faults, id, &rule) || rule.kind != D_FAULT_KIND_ERROR)
		return 0;
	return (int)rule.arg;
}
