/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The model checker: random operations on a pool on a simulated device, each compared with the
 * reference (model_ref.h). An operation is a kind and a seed of its own, from which it draws all it
 * needs; so any of them can be left out, which is how failures are made small.
 *
 * What is random: single values and arrays, in the heap and on the data blob, epochs of any order,
 * conditions, punches of everything, holes; listing, queries; snapshots, aggregation that is
 * stopped, freeing; transactions that are committed at once, prepared, committed, aborted, that
 * read; reopening; the device failing at any write or flush, and the power going, with any of the
 * 512-byte sectors not flushed lost; allocations that fail.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

enum model_kind {
	MODEL_UPDATE,
	MODEL_PUNCH,
	MODEL_FETCH,
	MODEL_LIST,
	MODEL_QUERY,
	MODEL_VERSIONS,
	MODEL_SNAPSHOT,
	MODEL_AGGREGATE,
	MODEL_GC,
	MODEL_DISCARD,
	MODEL_TX,
	MODEL_TX_END,
	MODEL_TX_TRIM,
	MODEL_TX_READ,
	MODEL_REOPEN,
	MODEL_POWER_LOSS,
	MODEL_DEVICE_FAILS, /**< a while from here */
	MODEL_CHECK,
	MODEL_KIND_NR
};
struct model_op {
	enum model_kind kind;
	uint64_t	seed;
};

/** The operations of a seed. */
void model_make(uint64_t seed, struct model_op *ops, uint32_t nr);
/** Run them in a fresh pool, on an xstream's ULT. A difference ends the process (2) after saying it on
 *  stderr. @trace: NULL, or where to say what is done. */
void model_run(uint64_t seed, const struct model_op *ops, uint32_t nr, FILE *trace);

/* ---- failing allocations (model_alloc.c) ---- */

/** The @nth allocation of this ULT from now on fails; 0: none. */
void model_alloc_fail(uint32_t nth);
/** Did it? Then no more do. */
int model_alloc_failed(void);
