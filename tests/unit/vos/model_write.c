/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Updates, punches, transactions of both. */
#include "model_int.h"

static uint64_t
epoch_pick(struct model *m)
{
	uint64_t how = model_rnd(m, 20);
	uint64_t above = MAX_OF(m->floor, m->late_min);

	if (how == 0 && m->now > above)
		return m->now;
	if (how < 3)
		return above + 1 + model_rnd(m, m->now - above + 1);
	m->now += 1 + model_rnd(m, 3);
	return m->now;
}

static uint64_t
cond_pick(struct model *m, bool per_akey)
{
	static const uint64_t conds[] = {DAOS_COND_AKEY_INSERT, DAOS_COND_AKEY_UPDATE, DAOS_COND_DKEY_INSERT,
					 DAOS_COND_DKEY_UPDATE, DAOS_COND_PER_AKEY};

	if (!per_akey && model_rnd(m, 3) != 0)
		return 0;
	return conds[model_rnd(m, per_akey ? 2 : ARRAY_NR(conds))];
}

/** Disjoint extents in random places. */
static uint32_t
recxs_pick(struct model *m, daos_recx_t *recxs)
{
	uint32_t nr = 1 + model_rnd(m, MODEL_RECX_MAX);
	uint32_t i;

	for (i = 0; i < nr; i++) {
		uint64_t span = REF_ARRAY_END / nr;
		uint64_t off = model_rnd(m, span);

		recxs[i] = (daos_recx_t){i * span + off, 1 + model_rnd(m, span - off)};
	}
	return nr;
}

static void
iod_fill(struct model *m, struct model_io *io, unsigned i)
{
	daos_iod_t *iod = &io->iods[i];
	int	    akey = io->akeys[i];
	uint8_t	   *buf;
	uint64_t    at = 0;
	uint64_t    idx;
	uint64_t    off;
	uint32_t    x;

	*iod = (daos_iod_t){.iod_name = m->akey[io->obj][akey],
			    .iod_type = akey % 2 ? DAOS_IOD_ARRAY : DAOS_IOD_SINGLE,
			    .iod_nr = 1,
			    .iod_recxs = io->recxs[i]};
	if (io->flags & DAOS_COND_PER_AKEY)
		iod->iod_flags = cond_pick(m, true);
	iod->iod_size = akey % 2 ? model_rsize(io->obj, akey) : 1 + model_rnd(m, m->single_max);
	if (model_rnd(m, 8) == 0)
		iod->iod_size = 0;
	io->recxs[i][0] = (daos_recx_t){0, 1};
	if (akey % 2)
		iod->iod_nr = recxs_pick(m, io->recxs[i]);
	for (x = 0; x < iod->iod_nr; x++)
		at += io->recxs[i][x].rx_nr * iod->iod_size;
	buf = malloc(at + 1);
	d_iov_set(&io->iovs[i], buf, at);
	io->sgls[i] = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &io->iovs[i]};
	io->ids[i] = ++m->next_id;
	for (at = 0, x = 0; x < iod->iod_nr; x++)
		for (idx = io->recxs[i][x].rx_idx; idx < io->recxs[i][x].rx_idx + io->recxs[i][x].rx_nr; idx++)
			for (off = 0; off < iod->iod_size; off++)
				buf[at++] = ref_byte(io->ids[i], idx, off);
}

/** Anywhere, or where the transaction under way was before. */
static void
place_pick(struct model *m, int *obj, int *dkey)
{
	*obj = model_rnd(m, REF_OBJ_NR);
	*dkey = model_rnd(m, REF_DKEY_NR);
	if (m->meet_obj < 0 || model_rnd(m, 3) == 0)
		return;
	*obj = m->meet_obj;
	if (model_rnd(m, 4) != 0)
		*dkey = m->meet_dkey;
}

static void
update_pick(struct model *m, uint64_t epoch, struct model_io *io)
{
	unsigned i;

	memset(io, 0, sizeof(*io));
	io->epoch = epoch;
	place_pick(m, &io->obj, &io->dkey);
	io->flags = cond_pick(m, false);
	io->nr = 1 + model_rnd(m, MODEL_IOD_MAX);
	io->akeys[0] = model_rnd(m, REF_AKEY_NR);
	io->akeys[1] = (io->akeys[0] + 1) % REF_AKEY_NR;
	for (i = 0; i < io->nr; i++)
		iod_fill(m, io, i);
	model_say(m, "  update obj %d dkey %d akeys %d+%u epoch %lu flags %#lx sizes %lu %lu", io->obj, io->dkey,
		  io->akeys[0], io->nr, (unsigned long)epoch, (unsigned long)io->flags,
		  (unsigned long)io->iods[0].iod_size, (unsigned long)io->iods[1].iod_size);
}

void
model_io_free(struct model_io *io)
{
	unsigned i;

	for (i = 0; i < io->nr; i++)
		free(io->iovs[i].iov_buf);
}

static void
update_note(struct model *m, uint32_t tx, const struct model_io *io)
{
	unsigned i;
	uint32_t x;

	for (i = 0; i < io->nr; i++) {
		struct ref_item item = {.what = io->akeys[i] % 2 ? REF_ARRAY : REF_SINGLE,
					.obj = io->obj,
					.dkey = io->dkey,
					.akey = io->akeys[i],
					.bytes = io->iods[i].iod_size,
					.id = io->ids[i],
					.tx = tx};

		for (x = 0; x < io->iods[i].iod_nr; x++) {
			item.lo = io->recxs[i][x].rx_idx;
			item.hi = item.lo + io->recxs[i][x].rx_nr;
			ref_item_add(&m->ref, &item);
		}
	}
}

int
model_conds(const struct model *m, uint32_t mask, const struct model_io *io)
{
	bool	 dkey;
	unsigned i;

	if (io->flags == 0)
		return 0;
	dkey = ref_exists(&m->ref, mask, io->obj, io->dkey, -1, io->epoch);
	if ((io->flags & DAOS_COND_DKEY_INSERT) && dkey)
		return -DER_EXIST;
	if ((io->flags & (DAOS_COND_DKEY_UPDATE | DAOS_COND_DKEY_FETCH)) && !dkey)
		return -DER_NONEXIST;
	for (i = 0; i < io->nr; i++) {
		uint64_t flags = io->flags & DAOS_COND_PER_AKEY ? io->iods[i].iod_flags : io->flags;
		bool	 akey = ref_exists(&m->ref, mask, io->obj, io->dkey, io->akeys[i], io->epoch);

		if ((flags & DAOS_COND_AKEY_INSERT) && akey)
			return -DER_EXIST;
		if ((flags & (DAOS_COND_AKEY_UPDATE | DAOS_COND_AKEY_FETCH)) && !akey)
			return -DER_NONEXIST;
	}
	return 0;
}

void
model_note_read(struct model *m, const struct model_read *read)
{
	if (m->serial && m->read_nr < MODEL_READ_MAX)
		m->reads[m->read_nr++] = *read;
}

/** Of an operation that ended so, what its conditions asked for was noted as read. */
static bool
conds_were_noted(int rc)
{
	return rc == 0 || rc == -DER_EXIST || rc == -DER_NONEXIST;
}

#define COND_DKEY (DAOS_COND_DKEY_INSERT | DAOS_COND_DKEY_UPDATE | DAOS_COND_DKEY_FETCH)

void
model_note_conds(struct model *m, const struct model_io *io, uint64_t hlc, int rc)
{
	struct model_read read = {io->epoch, hlc, io->obj, io->dkey, -1, conds_were_noted(rc)};
	unsigned	  i;

	if (io->flags & COND_DKEY)
		model_note_read(m, &read);
	for (i = 0; i < io->nr; i++) {
		read.akey = io->akeys[i];
		if (io->flags & DAOS_COND_PER_AKEY ? io->iods[i].iod_flags : io->flags & ~COND_DKEY)
			model_note_read(m, &read);
	}
}

/** A write of this that happened, or not (@restarted), against what was read. -1: all below. */
static void
reads_check(struct model *m, bool restarted, uint64_t epoch, uint64_t hlc, int obj, int dkey, int akey)
{
	bool	 any = false;
	uint32_t i;

	for (i = 0; i < m->read_nr; i++) {
		const struct model_read *r = &m->reads[i];
		bool later = r->epoch > epoch || (r->epoch == epoch && (r->hlc != hlc || hlc == 0));
		bool meets = r->obj == obj && (r->dkey == dkey || r->dkey < 0 || dkey < 0) &&
			     (r->akey == akey || r->akey < 0 || akey < 0);

		/* Two readers at one epoch are not told apart. */
		any |= r->obj == obj && r->epoch >= epoch;
		if (later && meets && !restarted && r->sure)
			model_wrong(m, "write at %lu of what was read at %lu", (unsigned long)epoch,
				    (unsigned long)r->epoch);
	}
	if (restarted && !any)
		model_wrong(m, "restarted at %lu for nothing that was read", (unsigned long)epoch);
}

static void
update_reads_check(struct model *m, bool restarted, const struct model_io *io, uint64_t hlc)
{
	unsigned i;

	for (i = 0; i < io->nr; i++)
		reads_check(m, restarted, io->epoch, hlc, io->obj, io->dkey, io->akeys[i]);
}

/** For all ways prepared transactions may end. */
static void
conds_check(struct model *m, const struct model_io *io, int rc)
{
	uint32_t mask;

	for (mask = 0; mask < model_masks(m); mask++)
		if (model_conds(m, mask, io) != rc)
			model_wrong(m, "update: %d, reference %d (mask %#x)", rc, model_conds(m, mask, io), mask);
}

void
model_do_update(struct model *m)
{
	struct model_io io;
	uint32_t	tx;
	int		rc;

	update_pick(m, epoch_pick(m), &io);
	tx = ref_tx_add(&m->ref, io.epoch, 0);
	update_note(m, tx, &io);
	rc = MODEL_CALL(m, vos_obj_update(m->cont, model_oid(m, io.obj), io.epoch, io.flags,
					  &m->dkey[io.obj][io.dkey], io.nr, io.iods, io.sgls));
	model_say(m, " = %d\n", rc);
	if (m->device_gone) {
		m->unsure_tx = tx;
	} else if (rc == -DER_INPROGRESS) {
		model_check_blocked(m, io.obj, io.epoch);
	} else if (rc == -DER_TX_RESTART) {
		update_reads_check(m, true, &io, 0);
		conds_check(m, &io, 0);
	} else if (!model_excused(m, rc)) {
		conds_check(m, &io, rc);
		if (rc == 0) {
			update_reads_check(m, false, &io, 0);
			ref_tx_set(&m->ref, tx, REF_DONE);
		}
	}
	model_note_conds(m, &io, 0, rc);
	model_io_free(&io);
}

/* ---- punches ---- */

struct punch {
	struct ref_item item;
	uint64_t	flags;
};

static void
punch_pick(struct model *m, uint64_t epoch, struct punch *p)
{
	uint64_t how = model_rnd(m, 10);

	*p = (struct punch){.item = {.what = REF_PUNCH}};
	place_pick(m, &p->item.obj, &p->item.dkey);
	p->item.akey = model_rnd(m, REF_AKEY_NR);
	p->flags = model_rnd(m, 3) == 0 ? DAOS_COND_PUNCH : 0;
	if (how < 4)
		p->item.akey = -1;
	if (how == 0)
		p->item.dkey = -1;
	model_say(m, "  punch obj %d dkey %d akey %d epoch %lu flags %#lx", p->item.obj, p->item.dkey, p->item.akey,
		  (unsigned long)epoch, (unsigned long)p->flags);
}

static void
punch_cond_check(struct model *m, const struct punch *p, uint64_t epoch, int rc)
{
	uint32_t mask;

	for (mask = 0; mask < model_masks(m); mask++) {
		bool there = p->flags == 0 || ref_exists(&m->ref, mask, p->item.obj, p->item.dkey, p->item.akey, epoch);

		if (rc != (there ? 0 : -DER_NONEXIST))
			model_wrong(m, "punch: %d, reference: there %d (mask %#x)", rc, there, mask);
	}
}

static void
punch_note_cond(struct model *m, const struct punch *p, uint64_t epoch, uint64_t hlc, int rc)
{
	struct model_read read = {epoch, hlc, p->item.obj, p->item.dkey, -1, conds_were_noted(rc)};

	if (p->flags != 0)
		model_note_read(m, &read);
}

void
model_do_punch(struct model *m)
{
	uint64_t     epoch = epoch_pick(m);
	struct punch p;
	uint32_t     tx;
	int	     rc;

	punch_pick(m, epoch, &p);
	tx = ref_tx_add(&m->ref, epoch, 0);
	p.item.tx = tx;
	ref_item_add(&m->ref, &p.item);
	rc = MODEL_CALL(m, vos_obj_punch(m->cont, model_oid(m, p.item.obj), epoch, p.flags,
					 p.item.dkey < 0 ? NULL : &m->dkey[p.item.obj][p.item.dkey],
					 p.item.akey < 0 ? 0 : 1,
					 p.item.akey < 0 ? NULL : &m->akey[p.item.obj][p.item.akey]));
	model_say(m, " = %d\n", rc);
	if (m->device_gone) {
		m->unsure_tx = tx;
	} else if (rc == -DER_INPROGRESS) {
		model_check_blocked(m, p.item.obj, epoch);
	} else if (rc == -DER_TX_RESTART) {
		reads_check(m, true, epoch, 0, p.item.obj, p.item.dkey, p.item.akey);
	} else if (!model_excused(m, rc)) {
		punch_cond_check(m, &p, epoch, rc);
		if (rc == 0) {
			reads_check(m, false, epoch, 0, p.item.obj, p.item.dkey, p.item.akey);
			ref_tx_set(&m->ref, tx, REF_DONE);
		}
	}
	punch_note_cond(m, &p, epoch, 0, rc);
}

/* ---- transactions ---- */

#define TX_OP_MAX 6

struct tx {
	struct vos_dtx *dtx;
	struct dtx_id	id;
	uint64_t	epoch;
	uint32_t	ref;
	struct model_io ios[TX_OP_MAX]; /**< nr 0: a punch */
	struct punch	punches[TX_OP_MAX];
	uint32_t	nr;
};

static struct dtx_id
id_of(uint64_t hlc)
{
	struct dtx_id id = {.hlc = hlc};

	memcpy(id.uuid, "model checker...", 16);
	return id;
}

static void
tx_added(struct model *m, struct tx *tx, int obj, int dkey)
{
	tx->nr++;
	m->meet_obj = obj;
	m->meet_dkey = MAX_OF(dkey, 0);
}

static int
tx_add_update(struct model *m, struct tx *tx)
{
	struct model_io *mio = &tx->ios[tx->nr];
	struct vos_io	*io;
	unsigned	 i;
	uint32_t	 x;
	int		 rc;

	update_pick(m, tx->epoch, mio);
	model_call_begin(m);
	rc = vos_dtx_update_begin(tx->dtx, model_oid(m, mio->obj), mio->flags, &m->dkey[mio->obj][mio->dkey],
				  mio->nr, mio->iods, &io);
	for (i = 0; rc == 0 && i < mio->nr; i++) {
		d_sg_list_t *sgl = vos_io_sgl(io, i);
		uint8_t	    *from = mio->iovs[i].iov_buf;

		for (x = 0; x < sgl->sg_nr; x++) {
			memcpy(sgl->sg_iovs[x].iov_buf, from, sgl->sg_iovs[x].iov_len);
			from += sgl->sg_iovs[x].iov_len;
		}
	}
	if (rc == 0)
		rc = vos_dtx_update(tx->dtx, io);
	rc = model_call_end(m, rc);
	model_say(m, " = %d\n", rc);
	m->ref.own = tx->ref;
	if (rc == -DER_INPROGRESS)
		model_check_blocked(m, mio->obj, tx->epoch);
	else if (!model_excused(m, rc))
		conds_check(m, mio, rc);
	m->ref.own = -1;
	if (rc == 0) {
		update_note(m, tx->ref, mio);
		tx_added(m, tx, mio->obj, mio->dkey);
	} else {
		model_note_conds(m, mio, tx->id.hlc, rc);
		model_io_free(mio);
		mio->nr = 0;
	}
	return rc;
}

static int
tx_add_punch(struct model *m, struct tx *tx)
{
	struct punch *p = &tx->punches[tx->nr];
	int	      rc;

	punch_pick(m, tx->epoch, p);
	p->item.tx = tx->ref;
	rc = MODEL_CALL(m, vos_dtx_punch(tx->dtx, model_oid(m, p->item.obj), p->flags,
					 p->item.dkey < 0 ? NULL : &m->dkey[p->item.obj][p->item.dkey],
					 p->item.akey < 0 ? 0 : 1,
					 p->item.akey < 0 ? NULL : &m->akey[p->item.obj][p->item.akey]));
	model_say(m, " = %d\n", rc);
	m->ref.own = tx->ref;
	if (rc == -DER_INPROGRESS)
		model_check_blocked(m, p->item.obj, tx->epoch);
	else if (!model_excused(m, rc))
		punch_cond_check(m, p, tx->epoch, rc);
	m->ref.own = -1;
	if (rc == 0) {
		ref_item_add(&m->ref, &p->item);
		tx_added(m, tx, p->item.obj, p->item.dkey);
	} else {
		punch_note_cond(m, p, tx->epoch, tx->id.hlc, rc);
	}
	return rc;
}

static void
tx_reads_check(struct model *m, const struct tx *tx, bool restarted)
{
	uint32_t i;

	for (i = 0; i < tx->nr; i++) {
		const struct ref_item *item = &tx->punches[i].item;

		/* One operation is why it restarted; which one, is not said. */
		if (restarted && tx->nr > 1)
			continue;
		if (tx->ios[i].nr > 0)
			update_reads_check(m, restarted, &tx->ios[i], tx->id.hlc);
		else
			reads_check(m, restarted, tx->epoch, tx->id.hlc, item->obj, item->dkey, item->akey);
	}
}

static void
tx_finish(struct model *m, struct tx *tx, enum vos_dtx_how how)
{
	uint32_t i;
	int	 rc = MODEL_CALL(m, vos_dtx_end(tx->dtx, how));

	model_say(m, "  end %d = %d\n", how, rc);
	if (m->device_gone)
		m->unsure_tx = tx->ref;
	else if (rc == 0)
		ref_tx_set(&m->ref, tx->ref,
			   how == VOS_DTX_PREPARE  ? REF_PREPARED
			   : how == VOS_DTX_COMMIT ? REF_DONE
						   : REF_NOT);
	else if (rc != -DER_TX_RESTART && !model_excused(m, rc))
		model_wrong(m, "end of a transaction: %d", rc);
	if (how != VOS_DTX_ROLLBACK && (rc == 0 || rc == -DER_TX_RESTART))
		tx_reads_check(m, tx, rc != 0);
	for (i = 0; i < tx->nr && how != VOS_DTX_ROLLBACK; i++) {
		if (tx->ios[i].nr > 0)
			model_note_conds(m, &tx->ios[i], rc == 0 ? tx->id.hlc : 0, rc);
		else
			punch_note_cond(m, &tx->punches[i], tx->epoch, rc == 0 ? tx->id.hlc : 0, rc);
	}
}

void
model_do_tx(struct model *m)
{
	struct tx	*tx = calloc(1, sizeof(*tx));
	enum vos_dtx_how how = model_rnd(m, 10) < 3   ? VOS_DTX_COMMIT
			       : model_rnd(m, 7) == 0 ? VOS_DTX_ROLLBACK
						      : VOS_DTX_PREPARE;
	uint32_t	 nr = 1 + model_rnd(m, TX_OP_MAX);
	uint32_t	 i;
	int		 rc;

	if (how == VOS_DTX_PREPARE && m->ref.prep_nr == REF_PREP_MAX)
		how = VOS_DTX_COMMIT;
	tx->epoch = epoch_pick(m);
	tx->id = id_of(++m->next_hlc);
	rc = MODEL_CALL(m, vos_dtx_begin(m->cont, &tx->id, tx->epoch, &tx->dtx));
	model_say(m, "  begin %lu = %d\n", (unsigned long)tx->id.hlc, rc);
	if (rc == 0) {
		tx->ref = ref_tx_add(&m->ref, tx->epoch, tx->id.hlc);
		for (i = 0; i < nr && rc == 0; i++) {
			rc = model_rnd(m, 4) == 0 ? tx_add_punch(m, tx) : tx_add_update(m, tx);
			/* A condition that does not hold is an answer; the transaction goes on. */
			if (rc == -DER_EXIST || rc == -DER_NONEXIST)
				rc = 0;
		}
		m->meet_obj = -1;
		tx_finish(m, tx, rc == 0 ? how : VOS_DTX_ROLLBACK);
	} else if (!model_excused(m, rc)) {
		model_wrong(m, "begin of a transaction: %d", rc);
	}
	for (i = 0; i < tx->nr; i++)
		model_io_free(&tx->ios[i]);
	free(tx);
}

/** Ids nobody knows, or that are committed. */
static void
stray_end(struct model *m)
{
	struct dtx_id	   id = id_of(model_rnd(m, m->next_hlc + 3));
	bool		   commit = model_rnd(m, 2);
	enum vos_dtx_state state = vos_dtx_check(m->cont, &id, NULL);
	int		   want = commit ? 0 : -DER_ALREADY;
	int		   rc;
	uint32_t	   i;

	for (i = 0; i < m->ref.prep_nr; i++)
		if (m->ref.txs[m->ref.preps[i]].hlc == id.hlc)
			return;
	if (state == VOS_DTX_PREPARED)
		model_wrong(m, "transaction %lu is prepared", (unsigned long)id.hlc);
	if (state == VOS_DTX_UNKNOWN)
		want = -DER_NONEXIST;
	rc = MODEL_CALL(m, commit ? vos_dtx_commit(m->cont, &id) : vos_dtx_abort(m->cont, &id));
	model_say(m, "  stray end of %lu = %d\n", (unsigned long)id.hlc, rc);
	if (rc != want && !model_excused(m, rc))
		model_wrong(m, "end of transaction %lu: %d, expected %d", (unsigned long)id.hlc, rc, want);
}

void
model_do_tx_end(struct model *m)
{
	bool	      commit = model_rnd(m, 3) != 0;
	struct dtx_id id;
	uint32_t      tx;
	int	      rc;

	if (m->ref.prep_nr == 0 || model_rnd(m, 8) == 0) {
		stray_end(m);
		return;
	}
	tx = m->ref.preps[model_rnd(m, m->ref.prep_nr)];
	id = id_of(m->ref.txs[tx].hlc);
	rc = MODEL_CALL(m, commit ? vos_dtx_commit(m->cont, &id) : vos_dtx_abort(m->cont, &id));
	model_say(m, "  %s %lu = %d\n", commit ? "commit" : "abort", (unsigned long)id.hlc, rc);
	if (m->device_gone)
		m->unsure_tx = tx;
	else if (rc == 0)
		ref_tx_set(&m->ref, tx, commit ? REF_DONE : REF_NOT);
	else if (!model_excused(m, rc) || (rc == -DER_NOSPACE && !m->alloc_hit))
		model_wrong(m, "end of prepared transaction: %d", rc);
}

void
model_do_tx_trim(struct model *m)
{
	uint64_t hlc = model_rnd(m, m->next_hlc + 1);
	int	 rc = MODEL_CALL(m, vos_dtx_trim(m->cont, hlc, model_rnd(m, 10)));

	model_say(m, "  trim %lu = %d\n", (unsigned long)hlc, rc);
	if (rc != 0 && !model_excused(m, rc))
		model_wrong(m, "trim: %d", rc);
}
