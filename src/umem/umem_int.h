/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The heap as its own files see it. */
#pragma once

#include "umem/umem.h"
#include "umem/umem_heap.h"
#include "umem/umem_tx.h"

struct umem_log;
struct umem_ckpt;

struct umem {
	uint8_t          *base;
	uint64_t          bytes;
	unsigned char     uuid[16];
	int               err; /**< not 0: the log or a checkpoint failed, nothing more is accepted */
	struct umem_heap  heap;
	struct umem_tx    tx;
	uint64_t          last_seq;
	uint64_t          tx_nr;
	uint64_t          replayed_tx_nr;
	uint64_t          replay_rate; /**< bytes a second */
	uint32_t          replay_ms;   /**< what a replay may take */
	struct umem_log  *log;  /**< NULL: volatile */
	struct bio_blob  *data; /**< borrowed; NULL: none */
	struct umem_ckpt *ckpt; /**< NULL: volatile */
};

/** A write failed: refuse whatever comes, wake who waits. Logs the first time. */
void umem_fail(struct umem *u, int rc, const char *what, const struct bio_blob *blob);
/** After a pause, since there was no memory, and not too often yet? Each repeats only what may be written twice. */
MAY_YIELD bool umem_try_again(int rc, uint32_t *try_nr);
