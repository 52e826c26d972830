/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The transactional heap VOS lives in. All of it is in DRAM, addressed by offset; each committed
 * transaction is one redo record in the write-ahead log; the checkpointer writes dirty pages to the
 * meta blob in log order and then trims the log. Opening = load the checkpoint, replay the log.
 *
 * A heap belongs to the xstream that opened it. Between umem_tx_begin() and umem_tx_commit() nothing
 * yields, so there is one transaction at a time and its effect is visible to other ULTs at commit,
 * before it is durable; umem_wait_durable() tells when it is. Reads that answer a peer may wait for
 * the heap's last sequence number, so that nobody learns what a crash could take back.
 */
#pragma once

#include "bio/bio.h"

struct umem;
typedef uint64_t umem_off_t;      /**< 0: null */
#define UMEM_NULL ((umem_off_t)0)

#define UMEM_REPLAY_MS 2000u
struct umem_attr {
	struct bio_blob *meta;     /**< NULL together with wal: volatile heap */
	struct bio_blob *wal;
	struct bio_blob *data;     /**< what umem_tx_note_data() speaks of; NULL: nothing */
	uint64_t         bytes;    /**< heap size, for format and volatile heaps; 0: umem_heap_bytes() of the meta blob */
	uint32_t         root_bytes; /**< size of the root object, allocated by format, zeroed */
	uint32_t         replay_ms;  /**< so long may an opening after a crash take to replay the log; 0: UMEM_REPLAY_MS */
};
/** Largest heap whose checkpoints fit a meta blob of so many bytes; about 4 MiB and 0.05 % less. */
uint64_t umem_heap_bytes(uint64_t meta_blob_bytes);
MAY_YIELD int  umem_format(const struct umem_attr *attr, const unsigned char uuid[16]) MUST_CHECK;
/** Errors: DF_INVAL damaged | DF_INCOMPT | NOMEM (also: larger than the machine's memory) | IO. The uuid must be the one formatted. Volatile heaps (no blobs) are formatted by open. */
MAY_YIELD int  umem_open(const struct umem_attr *attr, const unsigned char uuid[16], struct umem **ret_umem) MUST_CHECK;
/** Checkpoints, so that the next open replays nothing. */
MAY_YIELD void umem_close(struct umem *u);

void      *umem_ptr(const struct umem *u, umem_off_t off);  /**< asserts the range; use umem_off_valid() on bytes from disk */
umem_off_t umem_off(const struct umem *u, const void *ptr);
bool       umem_off_valid(const struct umem *u, umem_off_t off, size_t bytes);
umem_off_t umem_root(const struct umem *u);

/* ---- transactions ---- */
void umem_tx_begin(struct umem *u);
/** Before changing [ptr, ptr+bytes): keep the old bytes for abort, log the new ones at commit. Overlaps are fine. */
int  umem_tx_add(struct umem *u, void *ptr, size_t bytes) MUST_CHECK;
/** Zeroed, 16-byte aligned, logged as a whole at commit. -DER_NOSPACE -> the caller aborts. */
int  umem_alloc(struct umem *u, size_t bytes, umem_off_t *ret_off) MUST_CHECK;
/** UMEM_NO_LOG_BODY: only the parts given to umem_tx_add() are logged; what the others hold after a crash is undefined.
 *  UMEM_NO_ZERO: the caller writes every byte itself. */
enum umem_alloc_flag { UMEM_NO_LOG_BODY = 1, UMEM_NO_ZERO = 2 };
int  umem_alloc_flags(struct umem *u, size_t bytes, uint32_t flags, umem_off_t *ret_off) MUST_CHECK;
/** Reusable after the commit. -DER_INVAL: no allocation begins there; releasing one twice in a transaction aborts. */
int  umem_free(struct umem *u, umem_off_t off) MUST_CHECK;
/**
 * The transaction refers to [off, off + bytes) of the data blob, whole blocks: their write is complete, but nobody need
 * have flushed it. The commit's flush does. Should a crash come first, opening finds the bytes other than @crc (CRC-32C)
 * says, and takes the transaction for one that never was.
 * The bytes must stay as they are until the transaction is proven (umem_proven_seq), even when they are freed.
 */
int  umem_tx_note_data(struct umem *u, uint64_t off, uint64_t bytes, uint32_t crc) MUST_CHECK;
/** Run when the transaction is durable (0) or aborted (error); for DRAM state beside the heap. */
int  umem_tx_on_end(struct umem *u, void (*fn)(void *arg, int rc), void *arg) MUST_CHECK;
void umem_tx_abort(struct umem *u);
/** Commit and wait until durable. -DER_IO: the log failed; the heap refuses further transactions. */
MAY_YIELD int umem_tx_commit(struct umem *u) MUST_CHECK;
/** Commit; durable once umem_wait_durable(*ret_seq) returned 0. May wait for log space. */
MAY_YIELD int umem_tx_commit_async(struct umem *u, uint64_t *ret_seq) MUST_CHECK;
MAY_YIELD int umem_wait_durable(struct umem *u, uint64_t seq) MUST_CHECK;
uint64_t umem_last_seq(const struct umem *u);
/** Transactions up to it are durable, and opening will never look at the data they noted again. */
uint64_t umem_proven_seq(const struct umem *u);
/** Wait for that; hastens it. */
MAY_YIELD int umem_wait_proven(struct umem *u, uint64_t seq) MUST_CHECK;

/* ---- checkpoint ---- */
/** Write dirty pages, trim the log. Runs by itself too: when the log passes its threshold or the interval ends. */
MAY_YIELD int umem_checkpoint(struct umem *u) MUST_CHECK;
void umem_set_checkpoint(struct umem *u, uint32_t interval_s, uint32_t log_pct); /**< 0, 0: only when the log is nearly full */

struct umem_scrub {
	uint64_t page_nr; /**< compared */
	uint64_t bad_nr;  /**< of them not what was written: reported, and written anew by the next checkpoint */
};
/** Read the checkpoint again and compare its checksums, a few pages at a time. NOMEM, IO */
MAY_YIELD int umem_scrub(struct umem *u, struct umem_scrub *ret_scrub) MUST_CHECK;

/** Free bytes of the heap, and whether @bytes are free in one piece. Cheap. */
uint64_t umem_free_bytes(const struct umem *u);
bool     umem_has_span(const struct umem *u, uint64_t bytes);
uint64_t umem_heap_size(const struct umem *u);
struct umem_stat {
	uint64_t heap_bytes, used_bytes, free_bytes, largest_free_bytes;
	uint64_t log_bytes, log_used_bytes, tx_nr, log_write_nr, log_written_bytes, checkpoint_nr, replayed_tx_nr;
	uint64_t replay_rate; /**< bytes of log a second, as the last replay was, or supposed */
	uint64_t replay_bytes; /**< of log that start a checkpoint */
};
void umem_stat(const struct umem *u, struct umem_stat *stat);
/** Check the invariants of allocator, log and checkpointer, between transactions; -DER_DF_INVAL with a log line. */
int  umem_check(struct umem *u) MUST_CHECK;
