/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The memory behind a RAM device, kept apart from the device so that a test can close the device,
 * lose power, damage bytes, and open it again.
 *
 * With power-loss tracking on, a second image holds what is durable: a flush copies the writes before
 * it, and bio_ram_power_loss() keeps or loses each 512-byte sector written since, by seed.
 */
#pragma once

#include "bio/bio.h"

struct bio_ram_stat {
	uint64_t read_nr, write_nr, flush_nr;
};

int  bio_ram_create(uint64_t bytes, struct bio_ram **ret_ram) MUST_CHECK;
/** A private copy of a device's file: what is written stays in memory. Shares the device with other readers, not with an
 *  engine. Errors: NONEXIST, NO_PERM | BUSY an engine has it | NOMEM */
int  bio_ram_map(const char *path, struct bio_ram **ret_ram) MUST_CHECK;
void bio_ram_destroy(struct bio_ram *ram);
uint8_t *bio_ram_data(struct bio_ram *ram);
uint64_t bio_ram_bytes(const struct bio_ram *ram);
void bio_ram_stat(struct bio_ram *ram, struct bio_ram_stat *stat);

/** Complete requests by the poller, as a disk does, instead of at once. */
void bio_ram_set_async(struct bio_ram *ram, bool async);
bool bio_ram_is_async(const struct bio_ram *ram);
/** Begin to track what is durable; all that is written so far is. NOMEM */
int  bio_ram_track(struct bio_ram *ram) MUST_CHECK;
/** After @op_nr more writes and flushes the device is gone: those fail with -DER_IO, and the last write that
 *  succeeded before may be cut at a sector. */
void bio_ram_fail_after(struct bio_ram *ram, uint64_t op_nr);
bool bio_ram_has_failed(struct bio_ram *ram);
/** Lose some of what was not flushed; the device works again. */
void bio_ram_power_loss(struct bio_ram *ram, uint64_t seed);

/* ---- for bio ---- */
/** Requests go through the context's ring as a disk's do: the simulated device. */
bool bio_ram_takes_ring(const struct bio_ram *ram);
int bio_ram_readv(struct bio_ram *ram, uint64_t off, const struct iovec *iov, int nr) MUST_CHECK;
int bio_ram_writev(struct bio_ram *ram, uint64_t off, const struct iovec *iov, int nr) MUST_CHECK;
int bio_ram_flush(struct bio_ram *ram) MUST_CHECK;
