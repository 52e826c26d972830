/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The run: its pool, its operations, and what happens when the power goes. */
#include "model_int.h"
#include <unistd.h>

#define MIB	  (1ull << 20)
#define DEV_BYTES (15 * MIB)

static const struct vos_pool_size pool_size = {.meta_bytes = 5 * MIB, .wal_bytes = 2 * MIB, .data_bytes = 4 * MIB, .csums = true};
static const uuid_t		  pool_uuid = "pool of a model";
static const uuid_t		  cont_uuid = "cont of a model";

/** SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t
next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t
model_rnd(struct model *m, uint64_t n)
{
	return next(&m->rnd) % n;
}

void
model_say(struct model *m, const char *fmt, ...)
{
	va_list ap;

	if (m->trace == NULL)
		return;
	va_start(ap, fmt);
	vfprintf(m->trace, fmt, ap);
	va_end(ap);
	fflush(m->trace);
}

void
model_wrong(struct model *m, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "seed %lu, operation %u: ", (unsigned long)m->seed, m->op_idx);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	fflush(stderr);
	_exit(2);
}

static void
must(struct model *m, int rc, const char *what)
{
	if (rc != 0)
		model_wrong(m, "%s: %d", what, rc);
}

daos_unit_oid_t
model_oid(const struct model *m, int obj)
{
	return (daos_unit_oid_t){
	    .id_pub = {.lo = 100 + obj, .hi = (uint64_t)m->obj_types[obj] << OID_FMT_TYPE_SHIFT}};
}

uint64_t
model_rsize(int obj, int akey)
{
	return akey == 1 ? 1 + 7 * obj : 100;
}

bool
model_int_dkeys(const struct model *m, int obj)
{
	return m->obj_types[obj] == DAOS_OT_MULTI_UINT64 || m->obj_types[obj] == DAOS_OT_ARRAY_BYTE;
}

/* ---- calls that may fail ---- */

void
model_call_begin(struct model *m)
{
	if (m->fails_alloc && model_rnd(m, 5) == 0)
		model_alloc_fail(1 + model_rnd(m, model_rnd(m, 2) ? 40 : 10));
}

int
model_call_end(struct model *m, int rc)
{
	m->alloc_hit = model_alloc_failed();
	model_alloc_fail(0);
	/* Whoever fails on a device that is gone may have been in time, or not. */
	m->device_gone = rc < 0 && m->fails_device && bio_ram_has_failed(m->ram) && rc != -DER_INPROGRESS &&
			 rc != -DER_TX_RESTART && rc != -DER_EXIST && rc != -DER_NONEXIST && rc != -DER_ALREADY &&
			 rc != -DER_TRUNC;
	return rc;
}

bool
model_excused(struct model *m, int rc)
{
	struct vos_pool_info info;

	if (m->device_gone)
		return true;
	if (rc == -DER_NOMEM || rc == -DER_NOSPACE) {
		if (m->alloc_hit)
			return true;
		vos_pool_query(m->pool, &info);
		return rc == -DER_NOSPACE &&
		       (info.scm_free < info.scm_total / 4 || info.nvme_free < info.nvme_total / 4);
	}
	return false;
}

void
model_check_blocked(struct model *m, int obj, uint64_t epoch)
{
	struct dtx_id id;
	uint32_t      i;
	uint32_t      k;

	vos_dtx_blocker(m->cont, &id);
	for (i = 0; i < m->ref.prep_nr; i++) {
		uint32_t tx = m->ref.preps[i];

		for (k = 0; m->ref.txs[tx].hlc == id.hlc && k < m->ref.item_nr; k++)
			if (m->ref.items[k].tx == tx && (obj < 0 || m->ref.items[k].obj == obj))
				return;
	}
	model_wrong(m, "in progress at %lu, said to be for %lu", (unsigned long)epoch, (unsigned long)id.hlc);
}

/* ---- the pool ---- */

static void
keys_make(struct model *m)
{
	static const uint64_t ints[REF_DKEY_NR] = {0, 7, 1ull << 40, 1ull << 63};
	static const char     same[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	int		      o;
	int		      i;

	for (o = 0; o < REF_OBJ_NR; o++) {
		for (i = 0; i < REF_DKEY_NR; i++) {
			/* Some are longer than an anchor, and alike up to their ends. */
			snprintf(m->dkeys[o][i], MODEL_KEY_BYTES, "%.*sdkey-%d", i > 1 ? 80 : i * 5, same, i);
			if (model_int_dkeys(m, o))
				memcpy(m->dkeys[o][i], &ints[i], 8);
			d_iov_set(&m->dkey[o][i], m->dkeys[o][i], model_int_dkeys(m, o) ? 8 : strlen(m->dkeys[o][i]));
		}
		for (i = 0; i < REF_AKEY_NR; i++) {
			bool akey_int = m->obj_types[o] == DAOS_OT_MULTI_UINT64;

			snprintf(m->akeys[o][i], MODEL_KEY_BYTES, "akey%d", i);
			if (akey_int)
				memcpy(m->akeys[o][i], &ints[i], 8);
			d_iov_set(&m->akey[o][i], m->akeys[o][i], akey_int ? 8 : strlen(m->akeys[o][i]));
		}
	}
}

static void
pool_open(struct model *m)
{
	int rc = vos_pool_open(&m->store, pool_uuid, &m->pool);

	/* The device may fail while the pool is being opened: its time has come. */
	if (rc != 0 && m->fails_device && bio_ram_has_failed(m->ram)) {
		bio_ram_power_loss(m->ram, model_rnd(m, UINT64_MAX));
		rc = vos_pool_open(&m->store, pool_uuid, &m->pool);
	}
	must(m, rc, "pool open");
	must(m, vos_cont_open(m->pool, cont_uuid, &m->cont), "container open");
	vos_pool_set_data_thresh(m->pool, m->thresh);
	/* Reads are forgotten; a real caller would raise the floor to the clock. */
	m->read_nr = 0;
	if (m->serial)
		must(m, vos_pool_set_read_floor(m->pool, 0), "read floor");
}

static void
pool_close(struct model *m)
{
	vos_cont_close(m->cont);
	vos_pool_close(m->pool);
	m->cont = NULL;
	m->pool = NULL;
}

static void
snaps_tell(struct model *m)
{
	uint64_t snaps[MODEL_SNAP_NR];
	uint32_t nr = 0;
	uint32_t i;

	for (i = 0; i < MODEL_SNAP_NR; i++)
		if (m->snaps[i] != 0)
			snaps[nr++] = m->snaps[i];
	must(m, vos_cont_set_snapshots(m->cont, snaps, nr), "snapshots");
}

static void
rig_open(struct model *m)
{
	struct bio_dev_attr attr = {.kind = BIO_RAM,
				    .path = "model",
				    .size_bytes = DEV_BYTES,
				    .roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA};

	must(m, bio_ram_create(DEV_BYTES, &m->ram), "device memory");
	attr.ram = m->ram;
	must(m, bio_dev_format(&attr, (const unsigned char *)"model checker...", false), "format");
	must(m, bio_dev_open(&attr, &m->dev), "device");
	must(m, bio_ctx_create(&m->store.ctx), "context");
	bio_ram_set_async(m->ram, model_rnd(m, 2));
	m->store.wal = m->store.meta = m->store.data = m->dev;
	must(m, vos_pool_create(&m->store, pool_uuid, &pool_size), "pool create");
	must(m, vos_pool_open(&m->store, pool_uuid, &m->pool), "pool open");
	must(m, vos_cont_create(m->pool, cont_uuid), "container create");
	vos_pool_close(m->pool);
	pool_open(m);
	if (m->fails_device)
		must(m, bio_ram_track(m->ram), "tracking");
}

static void
rig_close(struct model *m)
{
	if (m->pool != NULL)
		vos_pool_close(m->pool);
	must(m, vos_pool_destroy(&m->store, pool_uuid), "pool destroy");
	vos_store_fini(&m->store);
	bio_ctx_destroy(m->store.ctx);
	bio_dev_close(m->dev);
	bio_ram_destroy(m->ram);
}

/* ---- operations on the whole ---- */

static void
do_snapshot(struct model *m)
{
	uint64_t *snap = &m->snaps[model_rnd(m, MODEL_SNAP_NR)];

	if (*snap != 0)
		*snap = 0;
	else if (m->now > 0)
		*snap = MAX_OF(m->floor, 1) + model_rnd(m, m->now - MIN_OF(m->floor, m->now - 1));
	model_say(m, "  snapshot %lu\n", (unsigned long)*snap);
	snaps_tell(m);
}

static bool
stop_sometimes(void *arg)
{
	return model_rnd(arg, 4) == 0;
}

static void
do_gc(struct model *m)
{
	int rc = MODEL_CALL(m, vos_gc(m->pool, 1 + model_rnd(m, 300)));

	model_say(m, "  gc = %d\n", rc);
	if (rc < 0 && !model_excused(m, rc))
		model_wrong(m, "gc: %d", rc);
}

static void
do_aggregate(struct model *m)
{
	uint64_t epoch = m->floor + model_rnd(m, m->now - m->floor + 1);
	uint32_t i;
	int	 rc;

	for (i = 0; i < m->ref.prep_nr; i++)
		if (m->ref.txs[m->ref.preps[i]].epoch <= m->floor)
			model_wrong(m, "a prepared transaction is below the floor");
	if (epoch == 0)
		return;
	rc = MODEL_CALL(m, vos_aggregate(m->cont, epoch, stop_sometimes, m));
	model_say(m, "  aggregate %lu = %d\n", (unsigned long)epoch, rc);
	if (rc != 0 && !model_excused(m, rc))
		model_wrong(m, "aggregate: %d", rc);
	for (i = 0; i < m->ref.prep_nr; i++)
		epoch = MIN_OF(epoch, m->ref.txs[m->ref.preps[i]].epoch - 1);
	m->floor = MAX_OF(m->floor, epoch);
	m->now = MAX_OF(m->now, m->floor);
}

/** No block in use may differ from its checksum. */
static void
scrub_check(struct model *m)
{
	struct vos_scrub scrub = {0};

	must(m, vos_pool_scrub(m->pool, &scrub, UINT32_MAX), "scrub");
	if (scrub.bad_nr > 0 || !scrub.ended)
		model_wrong(m, "%lu blocks do not match their checksums", (unsigned long)scrub.bad_nr);
}

static void
all_check(struct model *m)
{
	uint32_t i;

	must(m, vos_pool_check(m->pool), "pool check");
	scrub_check(m);
	if (!model_agrees(m, DAOS_EPOCH_MAX) || !model_agrees(m, MAX_OF(m->floor, 1)) ||
	    !model_agrees(m, MAX_OF(MAX_OF(m->floor, m->now), 1)))
		model_wrong(m, "content differs from the reference");
	for (i = 0; i < MODEL_SNAP_NR; i++)
		if (m->snaps[i] != 0 && !model_agrees(m, m->snaps[i]))
			model_wrong(m, "snapshot %lu differs from the reference", (unsigned long)m->snaps[i]);
}

/** Did what was under way happen? As a whole, or not at all. */
static void
unsure_settle(struct model *m)
{
	static const enum ref_state states[] = {
	    [VOS_DTX_UNKNOWN] = REF_NOT, [VOS_DTX_PREPARED] = REF_PREPARED, [VOS_DTX_COMMITTED] = REF_DONE};
	struct dtx_id id;
	uint64_t      epoch;
	bool	      happened;
	uint32_t      i;
	uint32_t      tx = m->unsure_tx;

	if (m->unsure_tx < 0)
		return;
	m->unsure_tx = -1;
	memcpy(id.uuid, "model checker...", 16);
	id.hlc = m->ref.txs[tx].hlc;
	if (id.hlc != 0) {
		ref_tx_set(&m->ref, tx, states[vos_dtx_check(m->cont, &id, NULL)]);
		return;
	}
	/* What is prepared would hide the answer. */
	while (m->ref.prep_nr > 0) {
		id.hlc = m->ref.txs[m->ref.preps[0]].hlc;
		must(m, vos_dtx_abort(m->cont, &id), "abort");
		ref_tx_set(&m->ref, m->ref.preps[0], REF_NOT);
	}
	/* Where nothing tells, nothing may tell later: older writes would. */
	m->late_min = m->now;
	for (epoch = m->ref.txs[tx].epoch; epoch <= m->now + 1; epoch++)
		if (!model_agrees(m, epoch))
			break;
	happened = epoch <= m->now + 1;
	/* What wrote nothing but holes where nothing was is found among the versions. */
	for (i = 0; !happened && i < m->ref.item_nr; i++)
		happened = m->ref.items[i].tx == tx && m->ref.items[i].what != REF_PUNCH &&
			   !model_version_agrees(m, &m->ref.items[i], m->ref.txs[tx].epoch);
	if (happened)
		ref_tx_set(&m->ref, tx, REF_DONE);
}

static void
power_restore(struct model *m)
{
	model_say(m, "  power goes\n");
	bio_ram_fail_after(m->ram, 0);
	pool_close(m);
	bio_ram_power_loss(m->ram, model_rnd(m, UINT64_MAX));
	pool_open(m);
	snaps_tell(m);
	m->device_gone = false;
}

/** Until it is done: half of it is nothing the reference knows. */
static int
discard_run(struct model *m, const daos_unit_oid_t *oid, uint64_t lo, uint64_t hi)
{
	int rc = MODEL_CALL(m, vos_discard(m->cont, oid, lo, hi));

	while (rc != 0 && model_excused(m, rc)) {
		model_say(m, "  discard = %d, again\n", rc);
		if (m->device_gone)
			power_restore(m);
		rc = model_call_end(m, vos_discard(m->cont, oid, lo, hi));
	}
	return rc;
}

static void
do_discard(struct model *m)
{
	int	        obj = model_rnd(m, 2) ? (int)model_rnd(m, REF_OBJ_NR) : -1;
	bool	        all = model_rnd(m, 6) == 0;
	uint64_t        lo = all ? 0 : m->floor + 1 + model_rnd(m, m->now - m->floor + 1);
	uint64_t        hi = all ? m->now : lo + model_rnd(m, 20);
	daos_unit_oid_t oid = model_oid(m, MAX_OF(obj, 0));
	bool	        busy = false;
	uint32_t        i;
	int	        rc;

	for (i = 0; i < m->ref.prep_nr; i++)
		busy |= lo <= m->ref.txs[m->ref.preps[i]].epoch && m->ref.txs[m->ref.preps[i]].epoch <= hi;
	rc = discard_run(m, obj < 0 ? NULL : &oid, lo, hi);
	model_say(m, "  discard obj %d [%lu, %lu] = %d\n", obj, (unsigned long)lo, (unsigned long)hi, rc);
	if (rc != (busy ? -DER_BUSY : 0))
		model_wrong(m, "discard: %d, busy %d", rc, busy);
	for (i = 0; rc == 0 && i < m->ref.item_nr; i++) {
		struct ref_item *item = &m->ref.items[i];

		if ((obj < 0 || item->obj == obj) && m->ref.txs[item->tx].state == REF_DONE &&
		    lo <= m->ref.txs[item->tx].epoch && m->ref.txs[item->tx].epoch <= hi)
			item->obj = -1;
	}
}

static void
power_cycle(struct model *m)
{
	power_restore(m);
	unsure_settle(m);
	all_check(m);
}

static void
do_reopen(struct model *m)
{
	model_say(m, "  reopen\n");
	pool_close(m);
	if (m->fails_device && bio_ram_has_failed(m->ram)) {
		bio_ram_power_loss(m->ram, model_rnd(m, UINT64_MAX));
		model_say(m, "  the device was gone\n");
	}
	pool_open(m);
	snaps_tell(m);
}

static void
op_run(struct model *m)
{
	static void (*const fns[])(struct model *) = {
	    [MODEL_UPDATE] = model_do_update,	  [MODEL_PUNCH] = model_do_punch,
	    [MODEL_FETCH] = model_do_fetch,	  [MODEL_LIST] = model_do_list,
	    [MODEL_QUERY] = model_do_query,	  [MODEL_VERSIONS] = model_do_versions,	  [MODEL_SNAPSHOT] = do_snapshot,
	    [MODEL_AGGREGATE] = do_aggregate,	  [MODEL_GC] = do_gc,
	    [MODEL_TX] = model_do_tx,		  [MODEL_TX_END] = model_do_tx_end,
	    [MODEL_TX_TRIM] = model_do_tx_trim,	  [MODEL_TX_READ] = model_do_tx_read,
	    [MODEL_DISCARD] = do_discard,	  [MODEL_REOPEN] = do_reopen,		  [MODEL_CHECK] = all_check,
	};

	m->rnd = m->op->seed;
	m->device_gone = false;
	model_say(m, "%u:\n", m->op_idx);
	/* A device that is gone, which no call has noticed yet, stays so. */
	if (m->fails_device && (m->op->kind == MODEL_POWER_LOSS ||
				(m->op->kind == MODEL_DEVICE_FAILS && bio_ram_has_failed(m->ram))))
		power_cycle(m);
	else if (m->op->kind == MODEL_DEVICE_FAILS && m->fails_device)
		bio_ram_fail_after(m->ram, 1 + model_rnd(m, 60));
	else if (m->op->kind != MODEL_POWER_LOSS && m->op->kind != MODEL_DEVICE_FAILS)
		fns[m->op->kind](m);
	if (m->device_gone)
		power_cycle(m);
}

/** All that was ever allocated is given back. */
static void
end_check(struct model *m, const struct vos_pool_info *fresh)
{
	struct vos_pool_info info;
	int		     rc;

	vos_cont_close(m->cont);
	m->cont = NULL;
	must(m, vos_cont_destroy(m->pool, cont_uuid), "container destroy");
	while ((rc = vos_gc(m->pool, 64)) > 0)
		;
	must(m, rc, "last gc");
	must(m, vos_pool_check(m->pool), "last pool check");
	vos_pool_query(m->pool, &info);
	if (info.obj_nr != 0 || info.nvme_free != info.nvme_total)
		model_wrong(m, "blocks are left in an empty pool");
	/* The container's record and the root of its tree are what is less than at the start. */
	if (info.scm_free < fresh->scm_free)
		model_wrong(m, "heap bytes are left in an empty pool: %lu free, %lu at the start",
			    (unsigned long)info.scm_free, (unsigned long)fresh->scm_free);
}

void
model_make(uint64_t seed, struct model_op *ops, uint32_t nr)
{
	static const struct {
		enum model_kind kind;
		uint32_t	weight;
	} table[] = {
	    {MODEL_UPDATE, 260}, {MODEL_PUNCH, 60},  {MODEL_FETCH, 160},   {MODEL_LIST, 90},
	    {MODEL_QUERY, 70},	 {MODEL_VERSIONS, 30},	 {MODEL_SNAPSHOT, 16}, {MODEL_AGGREGATE, 24}, {MODEL_GC, 14},
	    {MODEL_TX, 110},	 {MODEL_TX_END, 110},  {MODEL_TX_TRIM, 8},   {MODEL_TX_READ, 40},
	    {MODEL_DISCARD, 8},	  {MODEL_REOPEN, 5},	 {MODEL_POWER_LOSS, 8}, {MODEL_DEVICE_FAILS, 12}, {MODEL_CHECK, 13},
	};
	uint64_t state = seed * 0x632be59bd9b4e019ULL;
	uint32_t total = 0;
	uint32_t i;
	uint32_t k;

	for (k = 0; k < ARRAY_NR(table); k++)
		total += table[k].weight;
	for (i = 0; i < nr; i++) {
		uint32_t at = next(&state) % total;

		for (k = 0; at >= table[k].weight; k++)
			at -= table[k].weight;
		ops[i] = (struct model_op){table[k].kind, next(&state)};
	}
}

void
model_run(uint64_t seed, const struct model_op *ops, uint32_t nr, FILE *trace)
{
	static const uint32_t threshs[] = {64, 500, 2000, 4096};
	struct model	     *m = calloc(1, sizeof(*m));
	struct vos_pool_info  fresh;
	uint32_t	      i;

	m->rnd = m->seed = seed;
	m->trace = trace;
	m->unsure_tx = -1;
	m->meet_obj = -1;
	m->fails_device = model_rnd(m, 2);
	m->fails_alloc = model_rnd(m, 2);
	m->serial = model_rnd(m, 3) == 0;
	m->thresh = threshs[model_rnd(m, ARRAY_NR(threshs))];
	m->single_max = model_rnd(m, 2) ? 300 : 9000;
	m->obj_types[0] = model_rnd(m, 2) ? DAOS_OT_MULTI_HASHED : DAOS_OT_MULTI_LEXICAL;
	m->obj_types[1] = DAOS_OT_MULTI_UINT64;
	m->obj_types[2] = DAOS_OT_ARRAY_BYTE;
	keys_make(m);
	ref_init(&m->ref);
	rig_open(m);
	vos_pool_query(m->pool, &fresh);
	for (i = 0; i < nr; i++) {
		m->op = &ops[i];
		m->op_idx = i;
		op_run(m);
		/* After every operation; the tree, extents, logs, allocators: all of their invariants. */
		if (ops[i].kind != MODEL_FETCH && ops[i].kind != MODEL_LIST && ops[i].kind != MODEL_QUERY)
			must(m, vos_pool_check(m->pool), "pool check");
	}
	if (m->fails_device && bio_ram_has_failed(m->ram))
		power_cycle(m);
	if (m->fails_device)
		bio_ram_fail_after(m->ram, UINT64_MAX);
	/* Where memory was short, free blocks may not be known as such until the pool is opened again. */
	do_reopen(m);
	all_check(m);
	end_check(m, &fresh);
	rig_close(m);
	ref_fini(&m->ref);
	free(m);
}
