/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** vos_perf: one target's store measured alone, without network, engine or client. */
#pragma once

#include "vos/vos.h"

#define PERF_PHASE_MAX 16

enum perf_keys { PERF_KEYS_HASH, PERF_KEYS_INT, PERF_KEYS_LEX };

struct perf_opts {
	const char *path;     /**< device file; NULL: a volatile pool */
	bool        existing; /**< the file and its pool are there */
	bool        keep;     /**< leave them */
	bool        durable;  /**< an update waits until it is */
	bool        array;    /**< extents, else single values */
	bool        random;   /**< first updates in random order, too */
	bool        json;
	enum perf_keys keys;
	uint64_t    op_nr;
	uint64_t    value_bytes;
	uint64_t    key_bytes;
	uint64_t    object_nr;
	uint64_t    chunk_bytes; /**< array: bytes below one dkey */
	uint64_t    hot_nr;      /**< overwritten, and fetched: the first so many; 0: all */
	uint64_t    version_nr;  /**< rounds of "overwrite" */
	uint64_t    in_flight;
	uint64_t    data_thresh;
	uint64_t    meta_bytes, data_bytes, log_bytes;
	uint64_t    seed;
	const char *phases[PERF_PHASE_MAX];
	uint32_t    phase_nr;
};

/** What a phase did. */
struct perf_result {
	const char *phase;
	uint64_t    op_nr;
	double      seconds;
	double      p50_us, p99_us, max_us; /**< latency of one operation */
	double      heap_bytes_op;          /**< growth of the heap, an operation */
	uint64_t    log_write_nr, log_bytes, checkpoint_nr;
	uint64_t    replayed_nr;            /**< "reopen", "open" */
};

/** Run the phases; @report after each. Called in a ULT. */
MAY_YIELD int perf_run(const struct perf_opts *opts, void (*report)(const struct perf_result *result)) MUST_CHECK;
