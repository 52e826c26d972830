/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The phases of vos_perf. A phase is a number of operations shared by ULTs: each takes the next
 * number from a counter, which a permutation turns into a key or an extent. The first eight bytes of
 * each value are that number, and fetches compare them: what is measured is also right.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "platform/platform.h"
#include "tools/vos_perf.h"
#include "ult/ult.h"

#define HISTO_BUCKETS 640 /**< 16 to a doubling of ns */
#define YIELD_EVERY   32  /**< operations of a ULT that never waits */

struct perf {
	const struct perf_opts *o;
	struct vos_store        store;
	struct bio_dev         *dev;
	struct vos_pool        *pool;
	struct vos_cont        *cont;
	daos_epoch_t            epoch;
	/* the running phase */
	MAY_YIELD int (*op)(struct perf *p, uint64_t idx, char *buf);
	uint64_t next, end, range;
	bool     permute;
	uint32_t yield_every;
	int      rc;
	uint32_t histo[HISTO_BUCKETS];
	uint64_t max_ns;
};

static const unsigned char pool_uuid[16] = "vos_perf's pool";
static const unsigned char cont_uuid[16] = "vos_perf's cont";

/* ---- latencies ---- */

static uint32_t
bucket_of(uint64_t ns)
{
	uint32_t log2 = 63 - __builtin_clzll(ns | 16);
	uint32_t idx  = (log2 - 4) * 16 + ((ns >> (log2 - 4)) & 15);

	return ns < 16 ? 0 : MIN_OF(idx, HISTO_BUCKETS - 1);
}

static double
bucket_us(uint32_t idx)
{
	return (double)((16ull + idx % 16) << (idx / 16)) / 1000;
}

static double
percentile_us(const struct perf *p, uint64_t op_nr, double part)
{
	uint64_t want = op_nr * part, seen = 0;

	for (uint32_t i = 0; i < HISTO_BUCKETS; i++) {
		seen += p->histo[i];
		if (seen > want)
			return bucket_us(i);
	}
	return p->max_ns / 1000.0;
}

/* ---- keys ---- */

/** A bijection of [0, range): a Feistel network on the next power of four, walked until inside. */
static uint64_t
permute(uint64_t idx, uint64_t range, uint64_t seed)
{
	uint32_t half = 1;
	uint64_t mask;

	while ((1ULL << 2 * half) < range)
		half++;
	mask = (1ULL << half) - 1;
	do {
		uint64_t l = idx >> half, r = idx & mask;

		for (uint64_t round = 1; round <= 4; round++) {
			uint64_t f = (r + round * 0x9e3779b97f4a7c15ULL + seed) * 0xbf58476d1ce4e5b9ULL;
			uint64_t t = l ^ (f >> 40 & mask);

			l = r;
			r = t & mask;
		}
		idx = l << half | r;
	} while (idx >= range);
	return idx;
}

struct perf_target {
	daos_unit_oid_t oid;
	daos_key_t      dkey;
	daos_iod_t      iod;
	daos_recx_t     recx;
	char            key[256];
};

static void
target_set(const struct perf *p, uint64_t idx, struct perf_target *t)
{
	const struct perf_opts *o         = p->o;
	uint64_t                per_chunk = o->array ? o->chunk_bytes / o->value_bytes : 1;
	uint64_t                chunk     = idx / per_chunk;
	enum daos_otype_t       type      = o->array || o->keys == PERF_KEYS_INT ? DAOS_OT_DKEY_UINT64
					    : o->keys == PERF_KEYS_LEX       ? DAOS_OT_DKEY_LEXICAL
									     : DAOS_OT_MULTI_HASHED;

	memset(&t->oid, 0, sizeof(t->oid));
	t->oid.id_pub.lo = 1 + chunk % o->object_nr;
	t->oid.id_pub.hi = (uint64_t)type << OID_FMT_TYPE_SHIFT;
	chunk /= o->object_nr;
	memset(t->key, 'k', o->key_bytes);
	if (o->keys == PERF_KEYS_LEX && !o->array)
		chunk = __builtin_bswap64(chunk);
	memcpy(t->key, &chunk, sizeof(chunk));
	d_iov_set(&t->dkey, t->key, o->key_bytes);
	t->recx = (daos_recx_t){idx % per_chunk * o->value_bytes, o->value_bytes};
	t->iod  = (daos_iod_t){.iod_type = o->array ? DAOS_IOD_ARRAY : DAOS_IOD_SINGLE,
			       .iod_size = o->array ? 1 : o->value_bytes,
			       .iod_nr   = 1,
			       .iod_recxs = o->array ? &t->recx : NULL};
	d_iov_set(&t->iod.iod_name, "a", 1);
}

/* ---- operations ---- */

/** Large extents land where the store says, as an engine's RMA would; values are copied in. */
MAY_YIELD static int
op_update(struct perf *p, uint64_t idx, char *buf)
{
	struct perf_target t;
	struct vos_io     *io;
	d_iov_t            iov;
	d_sg_list_t        sgl = {.sg_nr = 1, .sg_iovs = &iov};
	int                rc;

	target_set(p, idx, &t);
	if (!p->o->array) {
		memcpy(buf, &idx, sizeof(idx));
		d_iov_set(&iov, buf, p->o->value_bytes);
		return vos_obj_update(p->cont, t.oid, p->epoch, 0, &t.dkey, 1, &t.iod, &sgl);
	}
	rc = vos_update_begin(p->cont, t.oid, p->epoch, 0, &t.dkey, 1, &t.iod, &io);
	if (rc != 0)
		return rc;
	memcpy(vos_io_sgl(io, 0)->sg_iovs[0].iov_buf, &idx, sizeof(idx));
	return vos_update_end(io, 0);
}

static int
check_value(const struct perf *p, uint64_t idx, const void *bytes, uint64_t found_bytes)
{
	uint64_t found = UINT64_MAX;

	if (bytes != NULL && found_bytes == p->o->value_bytes)
		memcpy(&found, bytes, sizeof(found));
	if (found == idx)
		return 0;
	D_ERROR("value %lu: found %lu, %lu bytes\n", idx, found, found_bytes);
	return -DER_CSUM;
}

MAY_YIELD static int
op_fetch(struct perf *p, uint64_t idx, char *buf)
{
	struct perf_target t;
	struct vos_io     *io;
	d_iov_t            iov;
	d_sg_list_t        sgl = {.sg_nr = 1, .sg_iovs = &iov};
	const d_sg_list_t *found;
	int                rc;

	target_set(p, idx, &t);
	if (!p->o->array) {
		d_iov_set(&iov, buf, p->o->value_bytes);
		rc = vos_obj_fetch(p->cont, t.oid, DAOS_EPOCH_MAX, 0, &t.dkey, 1, &t.iod, &sgl);
		return rc != 0 ? rc : check_value(p, idx, buf, iov.iov_len);
	}
	rc = vos_fetch_begin(p->cont, t.oid, DAOS_EPOCH_MAX, 0, &t.dkey, 1, &t.iod, &io);
	if (rc != 0)
		return rc;
	found = vos_io_sgl(io, 0);
	rc    = found->sg_nr != 1 ? check_value(p, idx, NULL, 0)
				  : check_value(p, idx, found->sg_iovs[0].iov_buf,
						found->sg_iovs[0].iov_len);
	vos_fetch_end(io);
	return rc;
}

MAY_YIELD static int
op_punch(struct perf *p, uint64_t idx, char *buf)
{
	struct perf_target t;

	(void)buf;
	target_set(p, idx, &t);
	return vos_obj_punch(p->cont, t.oid, p->epoch, 0, &t.dkey, 0, NULL);
}

/* ---- a phase ---- */

MAY_YIELD static void
worker(void *arg)
{
	struct perf *p   = arg;
	char        *buf = calloc(1, p->o->value_bytes);
	uint64_t     last = plat_now_ns();

	if (buf == NULL)
		p->rc = -DER_NOMEM;
	/* Zeroes would cost the log less. */
	for (uint64_t i = 0, x = 1; buf != NULL && i + 8 <= p->o->value_bytes; i += 8) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		memcpy(buf + i, &x, 8);
	}
	while (p->rc == 0 && p->next < p->end) {
		uint64_t nr  = p->next++;
		uint64_t idx = nr % p->range;
		uint64_t now;
		int      rc;

		if (p->permute)
			idx = permute(idx, p->range, p->o->seed + nr / p->range);
		rc = p->op(p, idx, buf);
		if (rc != 0)
			p->rc = rc;
		now = plat_now_ns();
		p->histo[bucket_of(now - last)]++;
		p->max_ns = MAX_OF(p->max_ns, now - last);
		last      = now;
		if (nr % p->yield_every == 0) {
			ult_yield();
			last = plat_now_ns();
		}
	}
	free(buf);
}

MAY_YIELD static int
run_workers(struct perf *p, uint64_t op_nr)
{
	struct ult **ults = calloc(p->o->in_flight, sizeof(*ults));
	uint64_t     nr   = 0;

	if (ults == NULL)
		return -DER_NOMEM;
	p->next = 0;
	p->end  = op_nr;
	/* The log's writer needs its turn, if nobody waits for it: requests to an engine are ULTs, with polls in between. */
	p->yield_every = p->op == op_fetch || p->o->durable || p->o->path == NULL ? YIELD_EVERY : 1;
	p->rc   = 0;
	for (; nr < p->o->in_flight && p->rc == 0; nr++)
		p->rc = ult_create(NULL, ULT_POOL_IO, worker, p, 128 << 10, &ults[nr]);
	for (uint64_t i = 0; i < nr; i++)
		ult_join(ults[i]);
	free(ults);
	return p->rc;
}

MAY_YIELD static int
phase_update(struct perf *p, struct perf_result *r)
{
	p->op      = op_update;
	p->range   = p->o->op_nr;
	p->permute = p->o->random;
	r->op_nr   = p->o->op_nr;
	p->epoch++;
	return run_workers(p, r->op_nr);
}

MAY_YIELD static int
phase_overwrite(struct perf *p, struct perf_result *r)
{
	int rc = 0;

	p->op      = op_update;
	p->range   = p->o->hot_nr;
	p->permute = true;
	r->op_nr   = p->o->hot_nr * p->o->version_nr;
	for (uint64_t i = 0; i < p->o->version_nr && rc == 0; i++) {
		p->epoch++;
		rc = run_workers(p, p->o->hot_nr);
	}
	return rc;
}

MAY_YIELD static int
phase_fetch(struct perf *p, struct perf_result *r)
{
	p->op      = op_fetch;
	p->range   = p->o->hot_nr;
	p->permute = true;
	r->op_nr   = p->o->hot_nr;
	return run_workers(p, r->op_nr);
}

MAY_YIELD static int
phase_punch(struct perf *p, struct perf_result *r)
{
	p->op      = op_punch;
	p->range   = p->o->hot_nr;
	p->permute = true;
	r->op_nr   = p->o->hot_nr;
	p->epoch++;
	return run_workers(p, r->op_nr);
}

MAY_YIELD static int
phase_aggregate(struct perf *p, struct perf_result *r)
{
	r->op_nr = 1;
	return vos_aggregate(p->cont, p->epoch, NULL, NULL);
}

MAY_YIELD static int
phase_reclaim(struct perf *p, struct perf_result *r)
{
	int left = 1;

	for (r->op_nr = 0; left > 0; r->op_nr++)
		left = vos_gc(p->pool, 1000);
	return left;
}

MAY_YIELD static int
pool_open(struct perf *p)
{
	int rc = vos_pool_open(&p->store, pool_uuid, &p->pool);

	if (rc != 0)
		return rc;
	vos_pool_set_data_thresh(p->pool, p->o->data_thresh);
	vos_pool_set_lazy(p->pool, !p->o->durable);
	rc = vos_cont_open(p->pool, cont_uuid, &p->cont);
	if (rc == -DER_NONEXIST) {
		rc = vos_cont_create(p->pool, cont_uuid);
		if (rc == 0)
			rc = vos_cont_open(p->pool, cont_uuid, &p->cont);
	}
	return rc;
}

MAY_YIELD static void
pool_close(struct perf *p)
{
	if (p->cont != NULL)
		vos_cont_close(p->cont);
	vos_pool_close(p->pool);
	p->cont = NULL;
	p->pool = NULL;
}

/** The time counted is that of opening. */
MAY_YIELD static int
phase_reopen(struct perf *p, struct perf_result *r)
{
	r->op_nr   = 1;
	pool_close(p);
	r->seconds = -(double)plat_now_ns() / NSEC_PER_SEC;
	return pool_open(p);
}

/** As kill -9: nothing is closed. With --keep a later run with --existing opens what is there. */
static int
phase_kill(struct perf *p, struct perf_result *r)
{
	(void)p;
	(void)r;
	_exit(0);
}

static const struct {
	const char *name;
	MAY_YIELD int (*run)(struct perf *p, struct perf_result *r);
} phases[] = {
    {"update", phase_update},       {"overwrite", phase_overwrite}, {"fetch", phase_fetch},
    {"aggregate", phase_aggregate}, {"punch", phase_punch},         {"reclaim", phase_reclaim},
    {"reopen", phase_reopen},       {"kill", phase_kill},
};

MAY_YIELD static int
run_phase(struct perf *p, const char *name, struct perf_result *r)
{
	struct vos_pool_info  before, after;
	struct vos_pool_stats log_before, log_after;
	uint64_t              start;
	uint32_t              i = 0;
	int                   rc;

	while (i < ARRAY_NR(phases) && strcmp(phases[i].name, name) != 0)
		i++;
	if (i == ARRAY_NR(phases)) {
		fprintf(stderr, "vos_perf: no phase '%s'\n", name);
		return -DER_INVAL;
	}
	*r = (struct perf_result){.phase = name};
	memset(p->histo, 0, sizeof(p->histo));
	p->max_ns = 0;
	vos_pool_query(p->pool, &before);
	vos_pool_stats(p->pool, &log_before);
	start = plat_now_ns();
	rc    = phases[i].run(p, r);
	if (r->seconds < 0)
		memset(&log_before, 0, sizeof(log_before));
	r->seconds = r->seconds < 0 ? r->seconds + (double)plat_now_ns() / NSEC_PER_SEC
				    : (double)(plat_now_ns() - start) / NSEC_PER_SEC;
	if (rc != 0)
		return rc;
	vos_pool_query(p->pool, &after);
	vos_pool_stats(p->pool, &log_after);
	r->p50_us        = percentile_us(p, r->op_nr, 0.5);
	r->p99_us        = percentile_us(p, r->op_nr, 0.99);
	r->max_us        = p->max_ns / 1000.0;
	r->heap_bytes_op = ((double)before.scm_free - (double)after.scm_free) / r->op_nr;
	r->log_write_nr  = log_after.log_write_nr - log_before.log_write_nr;
	r->log_bytes     = log_after.log_written_bytes - log_before.log_written_bytes;
	r->checkpoint_nr = log_after.checkpoint_nr - log_before.checkpoint_nr;
	r->replayed_nr   = log_after.replayed_tx_nr - log_before.replayed_tx_nr;
	return 0;
}

/* ---- the store ---- */

static int
device_open(struct perf *p)
{
	const struct perf_opts *o    = p->o;
	uint64_t                log  = o->log_bytes != 0 ? o->log_bytes : 1ull << 30;
	struct bio_dev_attr     attr = {.kind       = BIO_FILE,
					.path       = o->path,
					.size_bytes = o->meta_bytes + o->data_bytes + log + (16 << 20),
					.roles      = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA};
	int                     rc   = bio_ctx_create(&p->store.ctx);

	if (rc == 0 && !o->existing)
		rc = bio_dev_format(&attr, pool_uuid, false);
	if (rc == 0)
		rc = bio_dev_open(&attr, &p->dev);
	if (rc == 0)
		p->store.wal = p->store.meta = p->store.data = p->dev;
	return rc;
}

MAY_YIELD static int
store_open(struct perf *p)
{
	struct vos_pool_size size = {p->o->meta_bytes, p->o->log_bytes, p->o->data_bytes};
	int                  rc   = 0;

	if (p->o->path != NULL)
		rc = device_open(p);
	if (rc == 0 && !p->o->existing)
		rc = vos_pool_create(&p->store, pool_uuid, &size);
	return rc != 0 ? rc : pool_open(p);
}

MAY_YIELD static void
store_close(struct perf *p)
{
	pool_close(p);
	vos_store_fini(&p->store);
	if (p->store.ctx != NULL)
		bio_ctx_destroy(p->store.ctx);
	bio_dev_close(p->dev);
	if (p->o->path != NULL && !p->o->keep)
		(void)unlink(p->o->path);
}

MAY_YIELD static int
open_reported(struct perf *p, void (*report)(const struct perf_result *result))
{
	struct perf_result    r     = {.phase = "open", .op_nr = 1};
	uint64_t              start = plat_now_ns();
	struct vos_pool_stats stats;
	int                   rc = store_open(p);

	if (rc != 0 || !p->o->existing)
		return rc;
	vos_pool_stats(p->pool, &stats);
	r.seconds     = (double)(plat_now_ns() - start) / NSEC_PER_SEC;
	r.replayed_nr = stats.replayed_tx_nr;
	report(&r);
	return 0;
}

MAY_YIELD int
perf_run(const struct perf_opts *opts, void (*report)(const struct perf_result *result))
{
	struct perf       *p = calloc(1, sizeof(*p));
	struct perf_result r;
	int                rc;

	if (p == NULL)
		return -DER_NOMEM;
	p->o     = opts;
	/* Beyond whatever an earlier run left. */
	p->epoch = opts->existing ? plat_realtime_ns() : 1;
	rc       = open_reported(p, report);
	for (uint32_t i = 0; i < opts->phase_nr && rc == 0; i++) {
		rc = run_phase(p, opts->phases[i], &r);
		if (rc == 0)
			report(&r);
	}
	store_close(p);
	free(p);
	return rc;
}
