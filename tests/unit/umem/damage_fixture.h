/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** A device with a log and a checkpoint, as a power loss leaves it, to be damaged and opened. */
#pragma once

#include "bio/bio_df.h"
#include "umem_fixture.h"

#define MIB (1u << 20)

struct damage {
	struct fix       f;
	struct fix_model m;
	uint8_t         *image;   /**< the whole device, undamaged */
	uint64_t         tx_nr;   /**< acknowledged in it */
	uint64_t         rng;
	uint64_t         refused, opened;
	uint64_t         from, to, step; /**< bytes to damage */
	uint32_t         log_tx_nr;      /**< transactions in the log only */
};

/** Blobs lie one behind the other on the fresh device: log first. */
static inline uint64_t
wal_at(uint64_t off)
{
	return (uint64_t)BIO_FIRST_CLUSTER * BIO_CLUSTER_BYTES + off;
}

static inline uint64_t
meta_at(uint64_t off)
{
	return wal_at(MIB + off);
}

/** Transactions, some in the checkpoint and some in the log only; then the power goes. */
MAY_YIELD static inline void
prepare_ult(void *arg)
{
	struct damage *d = arg;
	struct umem_stat stat;

	assert_int_equal(fix_format(&d->f), 0);
	assert_int_equal(bio_ram_track(d->f.ram), 0);
	assert_int_equal(fix_open(&d->f), 0);
	umem_set_checkpoint(d->f.u, 0, 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(fix_next_tx(&d->f, &d->tx_nr), 0);
	assert_int_equal(umem_checkpoint(d->f.u), 0);
	for (uint32_t i = 0; i < d->log_tx_nr; i++)
		assert_int_equal(fix_next_tx(&d->f, &d->tx_nr), 0);
	/* The seal comes when the log has been idle for a while. */
	while (!d->f.u->log->tail_sealed)
		ult_sleep_ns(1000000);
	umem_stat(d->f.u, &stat);
	assert_true(stat.log_used_bytes > d->log_tx_nr * 4096ul);
	bio_ram_fail_after(d->f.ram, 0);
	fix_close(&d->f);
	bio_ram_power_loss(d->f.ram, 8);
}

static inline void
damage_create(struct damage *d, uint64_t seed, uint32_t log_tx_nr)
{
	memset(d, 0, sizeof(*d));
	d->log_tx_nr = log_tx_nr;
	d->f.seed = seed;
	d->rng    = seed + 1;
	fix_create(&d->f, 1 * MIB, 3 * MIB, false);
	fix_run(prepare_ult, d);
	d->image = malloc(bio_ram_bytes(d->f.ram));
	memcpy(d->image, bio_ram_data(d->f.ram), bio_ram_bytes(d->f.ram));
	fix_model_advance(&d->m, seed, d->tx_nr);
}

static inline void
damage_destroy(struct damage *d)
{
	fix_model_drop(&d->m);
	free(d->image);
	bio_ram_destroy(d->f.ram);
}

/** Open what is on the device now: right content, or an error and untouched bytes. */
MAY_YIELD static inline void
open_damaged(struct damage *d, uint64_t at)
{
	uint8_t *data = bio_ram_data(d->f.ram);
	uint8_t  was  = data[at];
	int      rc   = fix_open(&d->f);

	if (rc == 0) {
		fix_compare(&d->f, &d->m);
		bio_ram_fail_after(d->f.ram, 0); /* closes without writing */
		fix_close(&d->f);
		d->opened++;
		memcpy(data, d->image, bio_ram_bytes(d->f.ram));
		assert_int_equal(bio_ram_track(d->f.ram), 0);
		bio_ram_fail_after(d->f.ram, UINT64_MAX);
		return;
	}
	assert_true(rc == -DER_DF_INVAL || rc == -DER_DF_INCOMPT || rc == -DER_UNINIT);
	d->refused++;
	data[at] = d->image[at];
	if (d->refused % 16 == 0)
		assert_memory_equal(data, d->image, bio_ram_bytes(d->f.ram));
	assert_true(was != data[at]);
}
