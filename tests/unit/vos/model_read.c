/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Fetches, listings, queries; everything at once. */
#include "model_int.h"

uint64_t
model_read_epoch(struct model *m)
{
	uint64_t how = model_rnd(m, 4);
	uint64_t snap = m->snaps[model_rnd(m, MODEL_SNAP_NR)];

	if (how == 0)
		return DAOS_EPOCH_MAX;
	if (how == 1 && snap != 0)
		return snap;
	return MAX_OF(m->floor, 1) + model_rnd(m, m->now - m->floor + 2);
}

/* ---- fetches ---- */

/** Is what was fetched of one akey what the reference has? */
static bool
iod_fits(struct model *m, uint32_t mask, const struct model_io *io, unsigned i, uint64_t size)
{
	const struct ref_item *recs[REF_ARRAY_END];
	const uint8_t	      *buf = io->iovs[i].iov_buf;
	uint64_t	       at = 0;
	uint64_t	       idx;
	uint64_t	       off;
	uint32_t	       x;
	bool		       any = false;

	ref_read(&m->ref, mask, io->obj, io->dkey, io->akeys[i], io->epoch, recs);
	for (x = 0; x < io->iods[i].iod_nr; x++) {
		for (idx = io->recxs[i][x].rx_idx; idx < io->recxs[i][x].rx_idx + io->recxs[i][x].rx_nr; idx++) {
			any |= recs[idx] != NULL;
			if (recs[idx] != NULL && recs[idx]->bytes != size)
				return false;
			for (off = 0; off < size; off++, at++)
				if (buf[at] != (recs[idx] == NULL ? 0 : ref_byte(recs[idx]->id, idx, off)))
					return false;
		}
	}
	return any || size == 0;
}

static void
iod_ask(struct model *m, struct model_io *io, unsigned i, bool all)
{
	uint64_t bytes = MAX_OF(m->single_max, REF_ARRAY_END * 100u);
	int	 akey = io->akeys[i];
	uint64_t lo = all ? 0 : model_rnd(m, REF_ARRAY_END);

	io->recxs[i][0] = akey % 2 ? (daos_recx_t){lo, all ? REF_ARRAY_END : 1 + model_rnd(m, REF_ARRAY_END - lo)}
				   : (daos_recx_t){0, 1};
	io->iods[i] = (daos_iod_t){.iod_name = m->akey[io->obj][akey],
				   .iod_type = akey % 2 ? DAOS_IOD_ARRAY : DAOS_IOD_SINGLE,
				   .iod_nr = 1,
				   .iod_recxs = io->recxs[i]};
	d_iov_set(&io->iovs[i], malloc(bytes), bytes);
	memset(io->iovs[i].iov_buf, 0xee, bytes);
	io->sgls[i] = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &io->iovs[i]};
}

static int
fetch_run(struct model *m, struct model_io *io)
{
	return vos_obj_fetch(m->cont, model_oid(m, io->obj), io->epoch, io->flags, &m->dkey[io->obj][io->dkey], io->nr,
			     io->iods, io->sgls);
}

static bool
fetched_fits(struct model *m, const struct model_io *io, int rc)
{
	uint32_t mask;
	unsigned i;

	for (mask = 0; mask < model_masks(m); mask++) {
		if (model_conds(m, mask, io) != rc)
			return false;
		for (i = 0; rc == 0 && i < io->nr; i++)
			if (!iod_fits(m, mask, io, i, io->iods[i].iod_size))
				return false;
	}
	return true;
}

void
model_do_fetch(struct model *m)
{
	static const uint64_t conds[] = {0, 0, 0, DAOS_COND_DKEY_FETCH, DAOS_COND_AKEY_FETCH};
	struct model_io	      io = {.obj = model_rnd(m, REF_OBJ_NR),
				    .dkey = model_rnd(m, REF_DKEY_NR),
				    .nr = 1 + model_rnd(m, MODEL_IOD_MAX),
				    .flags = conds[model_rnd(m, ARRAY_NR(conds))]};
	unsigned	      i;
	int		      rc;

	io.epoch = model_read_epoch(m);
	io.akeys[0] = model_rnd(m, REF_AKEY_NR);
	io.akeys[1] = (io.akeys[0] + 1) % REF_AKEY_NR;
	for (i = 0; i < io.nr; i++)
		iod_ask(m, &io, i, false);
	rc = MODEL_CALL(m, fetch_run(m, &io));
	model_say(m, "  fetch obj %d dkey %d akeys %d+%u epoch %lu flags %#lx = %d\n", io.obj, io.dkey, io.akeys[0],
		  io.nr, (unsigned long)io.epoch, (unsigned long)io.flags, rc);
	if (rc == -DER_INPROGRESS)
		model_check_blocked(m, io.obj, io.epoch);
	else if (!model_excused(m, rc) && !fetched_fits(m, &io, rc))
		model_wrong(m, "fetch: %d, or its content, differs from the reference", rc);
	model_io_free(&io);
}

void
model_do_tx_read(struct model *m)
{
	struct dtx_id	id = {.hlc = ++m->next_hlc};
	struct model_io io = {.obj = model_rnd(m, REF_OBJ_NR), .dkey = model_rnd(m, REF_DKEY_NR), .nr = 1};
	struct vos_io  *vio = NULL;
	int		rc;

	if (!m->serial)
		return;
	memcpy(id.uuid, "model checker...", 16);
	io.akeys[0] = model_rnd(m, REF_AKEY_NR);
	io.epoch = MAX_OF(m->floor, 1) + model_rnd(m, m->now - m->floor + 2);
	iod_ask(m, &io, 0, true);
	rc = MODEL_CALL(m, vos_dtx_fetch_begin(m->cont, &id, model_oid(m, io.obj), io.epoch, 0,
					       &m->dkey[io.obj][io.dkey], 1, io.iods, &vio));
	if (rc == 0)
		vos_fetch_end(vio);
	model_say(m, "  transaction %lu reads obj %d dkey %d akey %d at %lu = %d\n", (unsigned long)id.hlc, io.obj,
		  io.dkey, io.akeys[0], (unsigned long)io.epoch, rc);
	model_note_read(m, &(struct model_read){io.epoch, id.hlc, io.obj, io.dkey, io.akeys[0], rc == 0});
	if (rc == -DER_INPROGRESS)
		model_check_blocked(m, io.obj, io.epoch);
	else if (rc != 0 && !model_excused(m, rc))
		model_wrong(m, "read of a transaction: %d", rc);
	model_io_free(&io);
}

bool
model_agrees(struct model *m, uint64_t epoch)
{
	struct model_io io = {.nr = 1, .epoch = epoch};
	bool		fits = true;
	int		rc;

	for (io.obj = 0; fits && io.obj < REF_OBJ_NR; io.obj++) {
		for (io.dkey = 0; fits && io.dkey < REF_DKEY_NR; io.dkey++) {
			for (io.akeys[0] = 0; fits && io.akeys[0] < REF_AKEY_NR; io.akeys[0]++) {
				iod_ask(m, &io, 0, true);
				rc = fetch_run(m, &io);
				if (rc == -DER_INPROGRESS)
					model_check_blocked(m, io.obj, io.epoch);
				else
					fits = rc == 0 && fetched_fits(m, &io, rc);
				if (!fits)
					model_say(m, "  obj %d dkey %d akey %d at %lu: %d\n", io.obj, io.dkey,
						  io.akeys[0], (unsigned long)epoch, rc);
				model_io_free(&io);
			}
		}
	}
	return fits;
}

/* ---- listings ---- */

struct listing {
	struct model	     *m;
	enum vos_iter_type    type;
	struct vos_iter_param param;
	int		      obj, dkey, akey;
	int		      seen[8];
	uint8_t		      recs[REF_ARRAY_END];
	daos_key_t	      last; /**< in last_buf */
	char		      last_buf[MODEL_KEY_BYTES];
	uint64_t	      edge;
	bool		      refused;
	const char	     *wrong;
};

static int
key_idx(const daos_key_t *keys, int nr, const daos_key_t *key)
{
	int i;

	for (i = 0; i < nr; i++)
		if (keys[i].iov_len == key->iov_len && memcmp(keys[i].iov_buf, key->iov_buf, key->iov_len) == 0)
			return i;
	return -1;
}

/** Integer and lexical keys come in order. */
static bool
in_order(struct listing *l, const daos_key_t *key)
{
	uint32_t type = l->m->obj_types[l->obj];
	uint64_t a;
	uint64_t b;
	int	 c = -1;

	if (l->last.iov_len != 0 && type == DAOS_OT_MULTI_UINT64) {
		memcpy(&a, l->last_buf, 8);
		memcpy(&b, key->iov_buf, 8);
		c = a < b ? -1 : 1;
	}
	if (l->last.iov_len != 0 && type == DAOS_OT_MULTI_LEXICAL) {
		c = memcmp(l->last_buf, key->iov_buf, MIN_OF(l->last.iov_len, key->iov_len));
		c = c != 0 ? c : l->last.iov_len < key->iov_len ? -1 : 1;
	}
	memcpy(l->last_buf, key->iov_buf, key->iov_len);
	l->last.iov_len = key->iov_len;
	return c < 0;
}

static void
listing_recx(struct listing *l, const struct vos_iter_entry *ent)
{
	uint64_t end = ent->recx.rx_idx + ent->recx.rx_nr;
	uint64_t idx;

	if (end > REF_ARRAY_END || (l->param.reverse ? end > l->edge : ent->recx.rx_idx < l->edge)) {
		l->wrong = "extents out of order";
		return;
	}
	l->edge = l->param.reverse ? ent->recx.rx_idx : end;
	for (idx = ent->recx.rx_idx; idx < end; idx++)
		l->recs[idx]++;
}

static int
listing_cb(const struct vos_iter_entry *ent, void *arg)
{
	struct listing *l = arg;
	struct model   *m = l->m;
	int		idx = 0;

	if (!l->refused && model_rnd(m, 6) == 0) {
		l->refused = true;
		return -DER_TRUNC;
	}
	l->refused = false;
	switch (l->type) {
	case VOS_ITER_OBJ:
		idx = ent->oid.id_pub.lo - 100;
		break;
	case VOS_ITER_DKEY:
		idx = key_idx(m->dkey[l->obj], REF_DKEY_NR, &ent->key);
		break;
	case VOS_ITER_AKEY:
		idx = key_idx(m->akey[l->obj], REF_AKEY_NR, &ent->key);
		if (ent->is_array != idx % 2)
			l->wrong = "kind of an akey";
		break;
	case VOS_ITER_RECX:
		listing_recx(l, ent);
		break;
	default:
		l->recs[0]++;
	}
	if (idx < 0)
		l->wrong = "unknown key";
	else
		l->seen[idx]++;
	if ((l->type == VOS_ITER_DKEY || l->type == VOS_ITER_AKEY) && !in_order(l, &ent->key))
		l->wrong = "keys out of order";
	return model_rnd(m, 5) == 0;
}

/** Until the end, however often the callback stops it. */
static int
listing_run(struct listing *l)
{
	daos_anchor_t anchor = DAOS_ANCHOR_INIT;
	int	      rc = 0;

	while (rc == 0 && anchor.da_type != DAOS_ANCHOR_TYPE_EOF) {
		rc = vos_iterate(&l->param, l->type, &anchor, listing_cb, l);
		if (rc == -DER_TRUNC && l->refused)
			rc = 0;
	}
	return rc;
}

static bool
listing_fits(struct listing *l, uint32_t mask)
{
	const struct ref_item *recs[REF_ARRAY_END];
	const struct ref      *ref = &l->m->ref;
	uint64_t	       epoch = l->param.epoch;
	bool		       fits = true;
	int		       i;

	ref_read(ref, mask, l->obj, l->dkey, l->akey, epoch, recs);
	for (i = 0; l->type == VOS_ITER_OBJ && i < REF_OBJ_NR; i++)
		fits &= l->seen[i] == ref_exists(ref, mask, i, -1, -1, epoch);
	for (i = 0; l->type == VOS_ITER_DKEY && i < REF_DKEY_NR; i++)
		fits &= l->seen[i] == ref_exists(ref, mask, l->obj, i, -1, epoch);
	for (i = 0; l->type == VOS_ITER_AKEY && i < REF_AKEY_NR; i++)
		fits &= l->seen[i] == ref_exists(ref, mask, l->obj, l->dkey, i, epoch);
	for (i = 0; l->type >= VOS_ITER_SINGLE && i < REF_ARRAY_END; i++)
		fits &= l->recs[i] == (recs[i] != NULL);
	return fits;
}

void
model_do_list(struct model *m)
{
	static const enum vos_iter_type types[] = {VOS_ITER_OBJ, VOS_ITER_DKEY, VOS_ITER_AKEY, VOS_ITER_RECX,
						   VOS_ITER_SINGLE};
	struct listing l = {.m = m,
			    .type = types[model_rnd(m, ARRAY_NR(types))],
			    .obj = model_rnd(m, REF_OBJ_NR),
			    .dkey = model_rnd(m, REF_DKEY_NR),
			    .akey = 2 * model_rnd(m, REF_AKEY_NR / 2)};
	uint32_t       mask;
	int	       rc;

	l.akey += l.type != VOS_ITER_SINGLE;
	l.param = (struct vos_iter_param){.cont = m->cont,
					  .oid = model_oid(m, l.obj),
					  .dkey = m->dkey[l.obj][l.dkey],
					  .akey = m->akey[l.obj][l.akey],
					  .epoch = model_read_epoch(m),
					  .reverse = l.type == VOS_ITER_RECX && model_rnd(m, 2)};
	l.edge = l.param.reverse ? UINT64_MAX : 0;
	rc = MODEL_CALL(m, listing_run(&l));
	model_say(m, "  list type %d obj %d dkey %d akey %d epoch %lu = %d\n", l.type, l.obj, l.dkey, l.akey,
		  (unsigned long)l.param.epoch, rc);
	if (rc == -DER_INPROGRESS) {
		model_check_blocked(m, l.type == VOS_ITER_OBJ ? -1 : l.obj, l.param.epoch);
		return;
	}
	if (model_excused(m, rc))
		return;
	for (mask = 0; mask < model_masks(m); mask++)
		if (rc != 0 || l.wrong != NULL || !listing_fits(&l, mask))
			model_wrong(m, "listing: %d, %s", rc, l.wrong == NULL ? "not what the reference has" : l.wrong);
}

/* ---- all versions ---- */

struct versions {
	struct model *m;
	uint64_t      lo;
	uint32_t      nr;
	bool	      plain; /**< do not stop on the way */
	const char   *wrong;
	uint16_t     *sizes; /**< [epoch - lo][record]: 1 + record size, 0: not told */
};

static int
versions_cb(const struct vos_iter_entry *ent, void *arg)
{
	struct versions *v = arg;
	uint64_t	 idx;

	if (!v->plain && model_rnd(v->m, 6) == 0)
		return -DER_TRUNC;
	if (ent->epoch < v->lo || ent->epoch >= v->lo + v->nr || ent->death <= ent->epoch ||
	    ent->recx.rx_idx + ent->recx.rx_nr > REF_ARRAY_END) {
		v->wrong = "a version out of range";
		return 0;
	}
	for (idx = ent->recx.rx_idx; idx < ent->recx.rx_idx + ent->recx.rx_nr; idx++) {
		uint16_t *size = &v->sizes[(ent->epoch - v->lo) * REF_ARRAY_END + idx];

		if (*size != 0)
			v->wrong = "a version twice";
		*size = 1 + ent->rsize;
	}
	return !v->plain && model_rnd(v->m, 5) == 0;
}

static bool
versions_fit(struct model *m, const struct versions *v, int obj, int dkey, int akey)
{
	uint64_t epoch;
	uint64_t idx;

	for (epoch = v->lo; epoch < v->lo + v->nr; epoch++) {
		for (idx = 0; idx < (akey % 2 ? REF_ARRAY_END : 1); idx++) {
			const struct ref_item *d = ref_written(&m->ref, obj, dkey, akey, idx, epoch);
			uint32_t	       got = v->sizes[(epoch - v->lo) * REF_ARRAY_END + idx];

			if (got == (d == NULL ? 0 : 1 + d->bytes))
				continue;
			model_say(m, "  record %lu at %lu: %u, reference %ld\n", (unsigned long)idx, (unsigned long)epoch,
				  got, d == NULL ? 0 : 1 + (long)d->bytes);
			return false;
		}
	}
	return v->wrong == NULL;
}

static struct vos_iter_param
versions_param(struct model *m, const struct versions *v, int obj, int dkey, int akey)
{
	return (struct vos_iter_param){.cont = m->cont,
				       .oid = model_oid(m, obj),
				       .dkey = m->dkey[obj][dkey],
				       .akey = m->akey[obj][akey],
				       .epoch_lo = v->lo,
				       .epoch = v->lo + v->nr - 1};
}

bool
model_version_agrees(struct model *m, const struct ref_item *item, uint64_t epoch)
{
	struct versions	      v = {.m = m, .lo = epoch, .nr = 1, .plain = true};
	struct vos_iter_param param = versions_param(m, &v, item->obj, item->dkey, item->akey);
	enum vos_iter_type    type = item->akey % 2 ? VOS_ITER_RECX_ALL : VOS_ITER_SINGLE_ALL;
	daos_anchor_t	      anchor = DAOS_ANCHOR_INIT;
	bool		      fits;

	v.sizes = calloc(REF_ARRAY_END, sizeof(*v.sizes));
	fits = vos_iterate(&param, type, &anchor, versions_cb, &v) == 0 &&
	       versions_fit(m, &v, item->obj, item->dkey, item->akey);
	free(v.sizes);
	return fits;
}

void
model_do_versions(struct model *m)
{
	int		      obj = model_rnd(m, REF_OBJ_NR);
	int		      dkey = model_rnd(m, REF_DKEY_NR);
	int		      akey = model_rnd(m, REF_AKEY_NR);
	struct versions	      v = {.m = m, .lo = m->floor + 1 + model_rnd(m, 5), .nr = 1 + model_rnd(m, 60)};
	struct vos_iter_param param = versions_param(m, &v, obj, dkey, akey);
	daos_anchor_t	      anchor = DAOS_ANCHOR_INIT;
	int		      rc = 0;

	v.sizes = calloc(v.nr * REF_ARRAY_END, sizeof(*v.sizes));
	while (rc == 0 && anchor.da_type != DAOS_ANCHOR_TYPE_EOF) {
		rc = vos_iterate(&param, akey % 2 ? VOS_ITER_RECX_ALL : VOS_ITER_SINGLE_ALL, &anchor, versions_cb, &v);
		if (rc == -DER_TRUNC)
			rc = 0;
	}
	model_say(m, "  versions obj %d dkey %d akey %d from %lu, %u = %d\n", obj, dkey, akey, (unsigned long)v.lo, v.nr,
		  rc);
	if (rc == -DER_INPROGRESS)
		model_check_blocked(m, obj, param.epoch);
	else if (rc != 0)
		model_wrong(m, "all versions: %d", rc);
	else if (!versions_fit(m, &v, obj, dkey, akey))
		model_wrong(m, "all versions differ from the reference: %s", v.wrong == NULL ? "" : v.wrong);
	free(v.sizes);
}

/* ---- queries ---- */

struct answer {
	int	 rc;
	int	 dkey;
	uint64_t idx; /**< of the outermost record */
	uint64_t rsize;
};

static bool
akey_outermost(struct model *m, uint32_t mask, int obj, int dkey, int akey, uint64_t epoch, bool max, struct answer *a)
{
	const struct ref_item *recs[REF_ARRAY_END];
	int		       i;

	ref_read(&m->ref, mask, obj, dkey, akey, epoch, recs);
	for (i = max ? REF_ARRAY_END - 1 : 0; i >= 0 && i < REF_ARRAY_END; i += max ? -1 : 1) {
		if (recs[i] == NULL)
			continue;
		*a = (struct answer){0, dkey, i, recs[i]->bytes};
		return true;
	}
	return false;
}

/** Integer dkeys were made in ascending order. @dkey < 0: look for it. */
static struct answer
answer_of(struct model *m, uint32_t mask, int obj, int dkey, int akey, uint64_t epoch, bool max, bool recx)
{
	struct answer a = {.rc = -DER_NONEXIST};
	int	      i;

	if (dkey >= 0) {
		(void)akey_outermost(m, mask, obj, dkey, akey, epoch, max, &a);
		return a;
	}
	for (i = max ? REF_DKEY_NR - 1 : 0; i >= 0 && i < REF_DKEY_NR; i += max ? -1 : 1) {
		if (recx && akey_outermost(m, mask, obj, i, akey, epoch, max, &a))
			return a;
		if (!recx && ref_exists(&m->ref, mask, obj, i, -1, epoch))
			return (struct answer){0, i, 0, 0};
	}
	return a;
}

void
model_do_query(struct model *m)
{
	int	      obj = 1 + model_rnd(m, 2); /* those with integer dkeys */
	int	      akey = 1 + 2 * model_rnd(m, REF_AKEY_NR / 2);
	bool	      max = model_rnd(m, 2);
	bool	      recx = model_rnd(m, 3) != 0;
	int	      dkey = recx && model_rnd(m, 3) == 0 ? (int)model_rnd(m, REF_DKEY_NR) : -1;
	uint64_t      epoch = model_read_epoch(m);
	uint64_t      found = 0;
	daos_key_t    key;
	daos_recx_t   rx = {0};
	daos_size_t   cell = 0;
	struct answer got = {.dkey = dkey};
	uint32_t      flags = (max ? DAOS_GET_MAX : DAOS_GET_MIN) | (recx ? DAOS_GET_RECX : 0) |
			 (dkey < 0 ? DAOS_GET_DKEY : 0);
	uint32_t mask;

	if (dkey >= 0)
		memcpy(&found, m->dkeys[obj][dkey], sizeof(found));
	d_iov_set(&key, &found, sizeof(found));
	got.rc = MODEL_CALL(m, vos_obj_query_key(m->cont, model_oid(m, obj), flags, epoch, &key, &m->akey[obj][akey],
						 &rx, &cell, NULL));
	model_say(m, "  query obj %d dkey %d akey %d epoch %lu flags %#x = %d\n", obj, dkey, akey, (unsigned long)epoch,
		  flags, got.rc);
	if (got.rc == -DER_INPROGRESS)
		model_check_blocked(m, obj, epoch);
	if (got.rc == -DER_INPROGRESS || model_excused(m, got.rc))
		return;
	got.dkey = key_idx(m->dkey[obj], REF_DKEY_NR, &key);
	got.idx = max ? rx.rx_idx + rx.rx_nr - 1 : rx.rx_idx;
	for (mask = 0; mask < model_masks(m); mask++) {
		struct answer want = answer_of(m, mask, obj, dkey, akey, epoch, max, recx);

		if (got.rc != want.rc)
			model_wrong(m, "query: %d, reference %d", got.rc, want.rc);
		if (got.rc == 0 && got.dkey != want.dkey)
			model_wrong(m, "query: dkey %d, reference %d", got.dkey, want.dkey);
		if (got.rc == 0 && recx && (got.idx != want.idx || cell != want.rsize))
			model_wrong(m, "query: record %lu, reference %lu", (unsigned long)got.idx,
				    (unsigned long)want.idx);
	}
}
