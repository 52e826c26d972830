/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Metrics: a tree of counters, gauges, timestamps and durations, named by path
 * ("pool/<uuid>/ops/pool_connect"). It lies in a shared memory segment, so that another process
 * reads it while the owner runs, whatever state that is in; or in private memory, where several
 * engines share a process. Updating a metric takes no lock and never fails; a NULL metric is
 * accepted everywhere and ignored, so a metric that could not be added costs nothing but itself.
 */
#pragma once

#include <stdarg.h>
#include "base/util.h"

#define D_TM_PATH_BYTES  256 /**< longest path, NUL included */
#define D_TM_NAME_BYTES  64  /**< longest component, NUL included */
#define D_TM_DESC_BYTES  128
#define D_TM_UNITS_BYTES 32
#define D_TM_NODE_NR_DEFAULT 32768

enum d_tm_type {
	D_TM_DIRECTORY = 0x01,
	D_TM_COUNTER = 0x02,
	D_TM_TIMESTAMP = 0x04,   /**< seconds since 1970 */
	D_TM_DURATION = 0x10,    /**< last, and statistics, us */
	D_TM_GAUGE = 0x20,
	D_TM_STATS_GAUGE = 0x40, /**< last, and statistics */
	D_TM_ALL = 0x76          /**< every type but directories */
};

struct d_tm;
struct d_tm_node;

/** The clocks it reads: plat_now_ns, plat_realtime_ns. */
struct d_tm_clock {
	uint64_t (*now_ns)(void);
	uint64_t (*realtime_ns)(void);
};

/** A metric as read; what a type does not have is 0. */
struct d_tm_value {
	enum d_tm_type type;
	uint64_t       value; /**< count, last value, last us, or seconds since 1970 */
	uint64_t       sample_nr;
	uint64_t       min;
	uint64_t       max;
	uint64_t       sum;
	double         mean;
	double         std_dev;
};

/* ---- the owner ---- */

/**
 * @param shm_name  "/daos_engine_0"; NULL: private memory. A segment of that name left by a process
 *                  that died is replaced.
 * @param node_max  metrics and directories at most; 0: D_TM_NODE_NR_DEFAULT
 * Errors: NO_SHMEM | SHMEM_PERMS another user's segment has the name | NOMEM | INVAL
 */
int  d_tm_create(const char *shm_name, uint32_t node_max, const struct d_tm_clock *clock,
		 struct d_tm **ret_tm) MUST_CHECK;
/** Unlinks the segment. NULL is accepted. Its nodes are gone, too. */
void d_tm_destroy(struct d_tm *tm);
/**
 * Add a metric and the directories above it; an existing one of the same type is returned as it is.
 * @tm NULL: *ret_node becomes NULL. Thread safe.
 * Errors: EXIST as another type | EXCEEDS_PATH_LEN | NO_SHMEM full | INVAL empty path
 */
int  d_tm_add_metric(struct d_tm *tm, struct d_tm_node **ret_node, enum d_tm_type type,
		     const char *desc, const char *units, const char *path_fmt,
		     ...) PRINTF_LIKE(6, 7) MUST_CHECK;
/** Remove a metric or a directory with all below; nobody may use them any more. METRIC_NOT_FOUND */
int  d_tm_remove(struct d_tm *tm, const char *path_fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

void d_tm_inc_counter(struct d_tm_node *node, uint64_t n);
void d_tm_set_counter(struct d_tm_node *node, uint64_t value);
/** Gauges, with or without statistics. */
void d_tm_set_gauge(struct d_tm_node *node, uint64_t value);
void d_tm_inc_gauge(struct d_tm_node *node, uint64_t n);
void d_tm_dec_gauge(struct d_tm_node *node, uint64_t n);
void d_tm_record_timestamp(struct d_tm *tm, struct d_tm_node *node);
/** @param start_ns  d_tm_now_ns() when it began; now is its end. */
void d_tm_record_duration(struct d_tm *tm, struct d_tm_node *node, uint64_t start_ns);
uint64_t d_tm_now_ns(struct d_tm *tm);

/* ---- readers; of another process's segment, or of one's own ---- */

/** Errors: METRIC_NOT_FOUND no such segment | SHMEM_PERMS | DF_INVAL none of ours | DF_INCOMPT | NOMEM */
int  d_tm_open(const char *shm_name, struct d_tm **ret_tm) MUST_CHECK;
void d_tm_close(struct d_tm *tm);
/** Errors: METRIC_NOT_FOUND. */
int  d_tm_find(struct d_tm *tm, const char *path, struct d_tm_node **ret_node) MUST_CHECK;
void d_tm_read(const struct d_tm_node *node, struct d_tm_value *ret_value);

struct d_tm_visit {
	const char             *path; /**< "" for the root */
	const char             *name;
	const char             *desc;
	const char             *units;
	enum d_tm_type          type;
	unsigned                depth;
	const struct d_tm_node *node;
};
/**
 * Visit @path ("" all) and what is below, parents first, siblings in the order they were added,
 * where type is among @types (an or of enum d_tm_type).
 * Stops at the first nonzero value of @fn and returns it. Errors: METRIC_NOT_FOUND.
 */
int  d_tm_foreach(struct d_tm *tm, const char *path, unsigned types,
		  int (*fn)(const struct d_tm_visit *visit, void *arg), void *arg) MUST_CHECK;
