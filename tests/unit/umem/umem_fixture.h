/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** A RAM device with a log and a metadata blob, and a deterministic stream of transactions on it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "bio/bio_ram.h"
#include "ult/ult.h"
#include "umem/umem_ckpt.h"
#include "umem/umem_log.h"

#define CELL_NR 64

static const unsigned char      fix_uuid[16] = "pool under test";
static const struct bio_blob_id fix_wal_id   = {.pool = "pool", .role = BIO_ROLE_WAL};
static const struct bio_blob_id fix_meta_id  = {.pool = "pool", .role = BIO_ROLE_META};

struct fix {
	struct bio_ram  *ram;
	struct bio_dev  *dev;
	struct bio_ctx  *ctx;
	struct bio_blob *wal, *meta;
	struct umem     *u;
	uint64_t         seed;
	const char      *path; /**< NULL: RAM */
	uint32_t         replay_ms; /**< 0: the default */
};

/** The root object. */
struct fix_root {
	uint64_t tx_nr; /**< transactions of the stream that are in */
	struct {
		umem_off_t off;
		uint64_t   bytes;
	} cells[CELL_NR];
};

/** What the cells hold after some transactions. */
struct fix_model {
	uint64_t tx_nr;
	struct {
		uint32_t bytes; /**< 0: none */
		uint8_t *copy;
	} cells[CELL_NR];
};

static inline uint64_t
fix_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline struct bio_dev_attr
fix_attr(struct fix *f)
{
	if (f->path != NULL)
		return (struct bio_dev_attr){.kind = BIO_FILE, .path = f->path};
	return (struct bio_dev_attr){.kind = BIO_RAM, .path = "ram under test", .ram = f->ram};
}

static inline void
fix_create(struct fix *f, uint64_t wal_bytes, uint64_t meta_bytes, bool async)
{
	uint64_t            bytes = 3 * BIO_CLUSTER_BYTES + wal_bytes + meta_bytes;
	struct bio_dev_attr attr;

	if (f->path == NULL) {
		assert_int_equal(bio_ram_create(bytes, &f->ram), 0);
		bio_ram_set_async(f->ram, async);
	}
	attr            = fix_attr(f);
	attr.size_bytes = bytes;
	assert_int_equal(bio_dev_format(&attr, fix_uuid, false), 0);
	assert_int_equal(bio_dev_open(&attr, &f->dev), 0);
	assert_int_equal(bio_blob_create(f->dev, &fix_wal_id, wal_bytes), 0);
	assert_int_equal(bio_blob_create(f->dev, &fix_meta_id, meta_bytes), 0);
	bio_dev_close(f->dev);
	f->dev = NULL;
}

static inline int
fix_open_dev(struct fix *f)
{
	struct bio_dev_attr attr = fix_attr(f);
	int                 rc   = bio_dev_open(&attr, &f->dev);

	if (rc != 0)
		return rc;
	assert_int_equal(bio_ctx_create(&f->ctx), 0);
	rc = bio_blob_open(f->ctx, f->dev, &fix_wal_id, &f->wal);
	if (rc == 0)
		rc = bio_blob_open(f->ctx, f->dev, &fix_meta_id, &f->meta);
	return rc;
}

static inline void
fix_close_dev(struct fix *f)
{
	bio_blob_close(f->wal);
	bio_blob_close(f->meta);
	if (f->ctx != NULL)
		bio_ctx_destroy(f->ctx);
	bio_dev_close(f->dev);
	f->wal = f->meta = NULL;
	f->ctx           = NULL;
	f->dev           = NULL;
}

MAY_YIELD static inline int
fix_format(struct fix *f)
{
	struct umem_attr attr;
	int              rc = fix_open_dev(f);

	assert_int_equal(rc, 0);
	attr = (struct umem_attr){
	    .meta = f->meta, .wal = f->wal, .root_bytes = sizeof(struct fix_root)};
	rc = umem_format(&attr, fix_uuid);
	fix_close_dev(f);
	return rc;
}

/** Device and heap; on failure both are closed. */
MAY_YIELD static inline int
fix_open(struct fix *f)
{
	struct umem_attr attr;
	int              rc = fix_open_dev(f);

	attr = (struct umem_attr){.meta = f->meta, .wal = f->wal, .replay_ms = f->replay_ms};
	if (rc == 0)
		rc = umem_open(&attr, fix_uuid, &f->u);
	if (rc != 0)
		fix_close_dev(f);
	return rc;
}

MAY_YIELD static inline void
fix_close(struct fix *f)
{
	umem_close(f->u);
	f->u = NULL;
	fix_close_dev(f);
}

/* ---- the stream of transactions ---- */

struct fix_step {
	uint32_t cell;
	uint32_t kind; /**< of what is done if the cell is full: 0 free, else write */
	uint32_t bytes;
	uint32_t at_pct, len_pct;
	uint8_t  fill;
};

/** Steps of transaction @tx: a function of seed and number alone. */
static inline int
fix_steps(uint64_t seed, uint64_t tx, struct fix_step steps[8])
{
	uint64_t rng = (seed + 1) * 0x9e3779b97f4a7c15ULL ^ (tx + 7) * 0xbf58476d1ce4e5b9ULL;
	int      nr;

	if (rng == 0)
		rng = 1;
	fix_random(&rng);
	nr = 1 + fix_random(&rng) % 6;
	for (int i = 0; i < nr; i++) {
		uint64_t size_kind = fix_random(&rng) % 20;

		steps[i].cell  = fix_random(&rng) % CELL_NR;
		steps[i].kind  = fix_random(&rng) % 3;
		steps[i].bytes = 1 + fix_random(&rng) % (size_kind == 0  ? 40000
							 : size_kind < 4 ? 5000
									 : 200);
		steps[i].at_pct  = fix_random(&rng) % 100;
		steps[i].len_pct = fix_random(&rng) % 100;
		steps[i].fill    = fix_random(&rng) % 4 == 0 ? 0 : fix_random(&rng);
	}
	return nr;
}

static inline void
fix_model_step(struct fix_model *m, const struct fix_step *s)
{
	uint32_t at, len;

	if (m->cells[s->cell].bytes == 0) {
		m->cells[s->cell].bytes = s->bytes;
		m->cells[s->cell].copy  = malloc(s->bytes);
		memset(m->cells[s->cell].copy, s->fill, s->bytes);
	} else if (s->kind == 0) {
		free(m->cells[s->cell].copy);
		m->cells[s->cell].bytes = 0;
	} else {
		at  = (uint64_t)m->cells[s->cell].bytes * s->at_pct / 100;
		len = (uint64_t)(m->cells[s->cell].bytes - at) * s->len_pct / 100;
		memset(m->cells[s->cell].copy + at, s->fill, len);
	}
}

/** Bring the model to @tx_nr transactions. */
static inline void
fix_model_advance(struct fix_model *m, uint64_t seed, uint64_t tx_nr)
{
	struct fix_step steps[8];

	assert_true(m->tx_nr <= tx_nr);
	for (; m->tx_nr < tx_nr; m->tx_nr++) {
		int nr = fix_steps(seed, m->tx_nr, steps);

		for (int i = 0; i < nr; i++)
			fix_model_step(m, &steps[i]);
	}
}

static inline void
fix_model_drop(struct fix_model *m)
{
	for (int i = 0; i < CELL_NR; i++) {
		if (m->cells[i].bytes != 0)
			free(m->cells[i].copy);
	}
	memset(m, 0, sizeof(*m));
}

static inline struct fix_root *
fix_root(struct fix *f)
{
	return umem_ptr(f->u, umem_root(f->u));
}

/** One step inside a transaction. */
static inline int
fix_heap_step(struct fix *f, struct fix_root *root, const struct fix_step *s)
{
	umem_off_t off = 0;
	uint8_t   *ptr;
	uint32_t   at, len;
	int        rc = umem_tx_add(f->u, &root->cells[s->cell], sizeof(root->cells[0]));

	if (rc != 0)
		return rc;
	if (root->cells[s->cell].bytes == 0) {
		rc = umem_alloc(f->u, s->bytes, &off);
		if (rc != 0)
			return rc;
		memset(umem_ptr(f->u, off), s->fill, s->bytes);
		root->cells[s->cell].off   = off;
		root->cells[s->cell].bytes = s->bytes;
		return 0;
	}
	if (s->kind == 0) {
		rc = umem_free(f->u, root->cells[s->cell].off);
		root->cells[s->cell].off = root->cells[s->cell].bytes = 0;
		return rc;
	}
	ptr = umem_ptr(f->u, root->cells[s->cell].off);
	at  = root->cells[s->cell].bytes * s->at_pct / 100;
	len = (root->cells[s->cell].bytes - at) * s->len_pct / 100;
	rc  = umem_tx_add(f->u, ptr + at, len);
	if (rc == 0)
		memset(ptr + at, s->fill, len);
	return rc;
}

/** Run the next transaction of the stream up to its commit; @ret_tx_nr counts it. */
MAY_YIELD static inline int
fix_next_tx(struct fix *f, uint64_t *ret_tx_nr)
{
	struct fix_root *root = fix_root(f);
	struct fix_step  steps[8];
	int              nr, rc;

	nr = fix_steps(f->seed, root->tx_nr, steps);
	umem_tx_begin(f->u);
	rc = umem_tx_add(f->u, &root->tx_nr, sizeof(root->tx_nr));
	for (int i = 0; rc == 0 && i < nr; i++)
		rc = fix_heap_step(f, root, &steps[i]);
	if (rc != 0) {
		umem_tx_abort(f->u);
		return rc;
	}
	*ret_tx_nr = ++root->tx_nr;
	return umem_tx_commit(f->u);
}

static inline void
fix_compare(struct fix *f, const struct fix_model *m)
{
	struct fix_root *root = fix_root(f);

	assert_int_equal(root->tx_nr, m->tx_nr);
	assert_int_equal(umem_check(f->u), 0);
	for (int i = 0; i < CELL_NR; i++) {
		assert_int_equal(root->cells[i].bytes, m->cells[i].bytes);
		if (m->cells[i].bytes != 0)
			assert_memory_equal(umem_ptr(f->u, root->cells[i].off), m->cells[i].copy,
					    m->cells[i].bytes);
	}
}

/** Run @fn as the first ULT of an xstream on this thread. */
static inline void
fix_run(void (*fn)(void *arg), void *arg)
{
	struct ult_xs_attr attr = {.name = "test", .core = -1};

	assert_int_equal(ult_xs_run(&attr, fn, arg), 0);
}
