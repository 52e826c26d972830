/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The write-ahead log of a heap: staging, the writer, space, replay. */
#pragma once

#include "umem/umem_int.h"
#include "umem/umem_media_df.h"
#include "ult/ult.h"

struct log_buf {
	d_list_t link;
	uint8_t *mem;  /**< block aligned; begins with the batch's header */
	size_t   cap;
	size_t   used; /**< header included */
	uint64_t seq_first;
	uint32_t rec_nr;
	bool     has_data; /**< a record notes bytes on the data blob */
};

/** On the lists of who waits. */
struct log_waiter {
	d_list_t            link;
	uint64_t            seq;
	struct ult_eventual ev;
};

struct umem_log {
	struct umem     *u;
	struct bio_blob *blob;
	struct wal_hdr_df *hdr;      /**< block aligned; what is on the blob, or about to be */
	uint32_t         hdr_copy;   /**< copy in force; the other one is written first */
	uint64_t         ring_bytes;
	uint64_t         head_vpos;  /**< end of what is written */
	uint64_t         trim_vpos;  /**< batches before it are not needed */
	uint64_t         staged_bytes; /**< padded bytes behind head_vpos, staged or being written */
	uint64_t         durable_seq;
	uint64_t         proven_seq; /**< <= durable_seq; replay will not look at data of records up to here */
	bool             tail_sealed; /**< the last batch is known durable by a later one, or is a seal */
	size_t           buf_bytes;
	d_list_t         ready;      /**< full buffers, in order */
	struct log_buf  *open;       /**< the one being filled; behind those on ready */
	struct log_buf  *staging;    /**< between log_stage_begin and _end */
	d_list_t         free_bufs;
	uint32_t         free_buf_nr;
	struct ult      *writer;
	struct ult_eventual wake;
	bool             idle, stop, seal_due, lazy_due;
	struct ult_timer seal_timer, lazy_timer;
	d_list_t         waiters;       /**< for durability, by seq */
	d_list_t         proof_waiters; /**< for proven_seq to grow */
	d_list_t         space_waiters; /**< for log space, FIFO */
	d_list_t         ends;          /**< struct tx_end, by seq */
	uint64_t         write_nr, written_bytes;
	uint32_t         threshold_pct;   /**< used space that starts a checkpoint */
	uint64_t         threshold_bytes; /**< the same, for what replay may take */
};

int  log_create(struct umem *u, struct bio_blob *blob, struct umem_log **ret_log) MUST_CHECK;
void log_destroy(struct umem_log *log);
/** Zero the ring and write the first headers: nothing to replay. */
MAY_YIELD int  log_format(struct umem_log *log, uint64_t format_id) MUST_CHECK;
/** Read the header. Errors: DF_INVAL, DF_INCOMPT, IO. */
MAY_YIELD int  log_load(struct umem_log *log) MUST_CHECK;
/** Apply the batches from the header's start to the tail; sets u->last_seq. */
MAY_YIELD int  log_replay(struct umem_log *log) MUST_CHECK;
/** Start a new generation behind the tail: all before is in the checkpoint. */
MAY_YIELD int  log_begin_gen(struct umem_log *log) MUST_CHECK;
MAY_YIELD int  log_start_writer(struct umem_log *log) MUST_CHECK;
MAY_YIELD void log_stop_writer(struct umem_log *log);

/** Room for a record of at most @bytes of entries; NOSPACE, NOMEM. Followed by _end or _cancel. */
int  log_stage_begin(struct umem_log *log, size_t bytes, uint8_t **ret_entries) MUST_CHECK;
void log_stage_end(struct umem_log *log, uint64_t seq, size_t bytes, uint32_t entry_nr, bool has_data);
/** Somebody wants what was staged durable. */
void log_hasten(struct umem_log *log);
/** End the batch being filled; where the next begins. All up to u->last_seq lies before it. */
uint64_t log_cut(struct umem_log *log);
/** Everything up to @seq, which ends at @vpos, is in the checkpoint: record that, reuse the space. */
MAY_YIELD int log_trim(struct umem_log *log, uint64_t vpos, uint64_t seq) MUST_CHECK;
MAY_YIELD int log_wait_durable(struct umem_log *log, uint64_t seq) MUST_CHECK;
/** Until a later batch is durable, too, or none of its batch noted data. */
MAY_YIELD int log_wait_proven(struct umem_log *log, uint64_t seq) MUST_CHECK;
/** After a commit was staged: wait while the log is nearly full. */
MAY_YIELD int log_wait_space(struct umem_log *log) MUST_CHECK;
uint64_t log_used_bytes(const struct umem_log *log);
bool     log_wants_checkpoint(const struct umem_log *log);
/** The heap failed: everyone who waits gets u->err. */
void log_fail(struct umem_log *log);

/** Closed, everything is in the checkpoint: the next open need not look. */
MAY_YIELD int log_mark_clean(struct umem_log *log) MUST_CHECK;

/** ---- positions in the ring (umem_replay.c shares them) ---- */
MAY_YIELD int log_ring_io(struct umem_log *log, uint64_t vpos, uint8_t *buf, size_t bytes, bool write) MUST_CHECK;
uint32_t log_batch_crc(const struct wal_batch_df *batch);
