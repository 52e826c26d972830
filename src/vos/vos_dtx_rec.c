/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Durable records of transactions. A prepared one is a list of operations; the values of its
 * updates are in the heap or on the data blob already and belong to the record until they are put
 * into the trees (commit) or freed (abort), in the transaction that removes the record.
 *
 * Invariants:
 *   1. A record's bytes are those of its segments, and part of the container's used_bytes.
 *   2. Each heap value of a record has one reference, each of its blocks belongs to it alone.
 *   3. Its epoch is above the container's floor.
 *   4. An id is in one of the two trees at most.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "vos/vos_dtx_index.h"

static int
id_cmp(const struct umem *u, const void *ent, const void *key)
{
	(void)u;
	return dtx_id_cmp(ent, key);
}

static const struct vos_btree_class dtx_class = {sizeof(struct vos_dtx_ent_df), 24, 30, id_cmp};

struct vos_btree
vos_dtx_prepared_tree(const struct vos_pool *pool, struct vos_cont_df *cont)
{
	return (struct vos_btree){pool->umem, &dtx_class, &cont->dtx_prepared};
}

struct vos_btree
vos_dtx_committed_tree(const struct vos_pool *pool, struct vos_cont_df *cont)
{
	return (struct vos_btree){pool->umem, &dtx_class, &cont->dtx_committed};
}

struct vos_dtx_df *
vos_dtx_rec_find(const struct vos_pool *pool, struct vos_cont_df *cont, const struct dtx_id *id)
{
	struct vos_btree       tree = vos_dtx_prepared_tree(pool, cont);
	struct vos_dtx_ent_df *ent = vos_btree_find(&tree, id);

	return ent == NULL ? NULL : umem_ptr(pool->umem, ent->value);
}

/* ---- walking ---- */

static uint64_t
part_bytes(uint32_t akey_bytes, uint32_t seg_nr)
{
	return sizeof(struct vos_dtx_part_df) + align_up((uint64_t)akey_bytes, 8) +
	       seg_nr * sizeof(struct vos_dtx_seg_df);
}

bool
vos_dtx_part_next(const struct vos_dtx_op_df *op, struct vos_dtx_part *part)
{
	const struct vos_dtx_part_df *df;
	uint64_t		      at = part->next;

	if (at == 0)
		at = align_up((uint64_t)op->dkey_bytes, 8);
	else
		part->idx++;
	if (part->idx >= op->part_nr)
		return false;
	df = (const void *)(op->body + at);
	part->df = df;
	part->akey = df + 1;
	part->segs = (const void *)(op->body + at + part_bytes(df->akey_bytes, 0));
	part->next = at + part_bytes(df->akey_bytes, df->seg_nr);
	return true;
}

/* ---- making ---- */

static uint64_t
update_body_bytes(const struct vos_io *io)
{
	uint64_t bytes = align_up((uint64_t)io->cond.dkey->iov_len, 8);
	unsigned i;

	for (i = 0; i < io->cond.nr; i++)
		bytes += part_bytes(io->cond.iods[i].iod_name.iov_len, 0);
	return bytes + io->seg_nr * sizeof(struct vos_dtx_seg_df);
}

static uint64_t
punch_body_bytes(const struct vos_punch *p)
{
	uint64_t bytes = p->dkey == NULL ? 0 : align_up((uint64_t)p->dkey->iov_len, 8);
	unsigned i;

	for (i = 0; i < p->akey_nr; i++)
		bytes += part_bytes(p->akeys[i].iov_len, 0);
	return bytes;
}

static uint8_t *
part_put(uint8_t *at, const daos_key_t *akey, struct vos_dtx_part_df df)
{
	df.akey_bytes = akey->iov_len;
	memcpy(at, &df, sizeof(df));
	memcpy(at + sizeof(df), akey->iov_buf, akey->iov_len);
	return at + part_bytes(df.akey_bytes, 0);
}

static uint8_t *
segs_put(uint8_t *at, const struct vos_io *io, unsigned iod_idx, uint32_t *seg_idx,
	 uint32_t *ret_nr, uint64_t *bytes)
{
	for (*ret_nr = 0; *seg_idx < io->seg_nr && io->segs[*seg_idx].iod_idx == iod_idx;
	     (*seg_idx)++, (*ret_nr)++) {
		const struct vos_seg *seg = &io->segs[*seg_idx];
		struct vos_dtx_seg_df df = {.lo = seg->lo,
					    .hi = seg->hi,
					    .addr = seg->addr,
					    .bytes = seg->bytes,
					    .media = seg->media};

		memcpy(at, &df, sizeof(df));
		*bytes += df.bytes;
		at += sizeof(df);
	}
	return at;
}

static void
update_put(const struct vos_io *io, struct vos_dtx_op_df *op, uint64_t *bytes)
{
	uint8_t *at = op->body + align_up((uint64_t)op->dkey_bytes, 8);
	uint32_t seg_idx = 0;
	unsigned i;

	for (i = 0; i < io->cond.nr; i++) {
		const daos_iod_t      *iod = &io->cond.iods[i];
		struct vos_dtx_part_df df = {
		    .rsize = iod->iod_size,
		    .type = iod->iod_type == DAOS_IOD_SINGLE ? VOS_AKEY_SINGLE : VOS_AKEY_ARRAY};
		struct vos_dtx_part_df *part = (void *)at;

		at = part_put(at, &iod->iod_name, df);
		at = segs_put(at, io, i, &seg_idx, &part->seg_nr, bytes);
	}
}

static void
punch_put(const struct vos_punch *p, struct vos_dtx_op_df *op)
{
	uint8_t *at = op->body + align_up((uint64_t)op->dkey_bytes, 8);
	unsigned i;

	for (i = 0; i < p->akey_nr; i++)
		at = part_put(at, &p->akeys[i], (struct vos_dtx_part_df){0});
}

static int
op_make(struct umem *u, const struct vos_dtx_op *from, uint64_t *bytes, umem_off_t *ret_off)
{
	const struct vos_io  *io = from->io;
	const daos_key_t     *dkey = io != NULL ? io->cond.dkey : from->punch.dkey;
	uint64_t	      body = io != NULL ? update_body_bytes(io) : punch_body_bytes(&from->punch);
	struct vos_dtx_op_df *op;
	int		      rc;

	if (body > UINT32_MAX)
		return -DER_REC2BIG;
	rc = umem_alloc(u, sizeof(*op) + body, ret_off);
	if (rc != 0)
		return rc;
	op = umem_ptr(u, *ret_off);
	op->oid = io != NULL ? io->cond.oid : from->punch.oid;
	op->kind = io != NULL ? VOS_DTX_UPDATE : VOS_DTX_PUNCH;
	op->dkey_bytes = dkey == NULL ? 0 : dkey->iov_len;
	op->part_nr = io != NULL ? io->cond.nr : from->punch.akey_nr;
	op->body_bytes = body;
	if (dkey != NULL)
		memcpy(op->body, dkey->iov_buf, dkey->iov_len);
	if (io != NULL)
		update_put(io, op, bytes);
	else
		punch_put(&from->punch, op);
	return 0;
}

int
vos_dtx_rec_make(struct vos_cont *cont, const struct dtx_id *id, daos_epoch_t epoch, d_list_t *ops,
		 struct vos_dtx_df **ret_rec)
{
	struct vos_btree      tree = vos_dtx_prepared_tree(cont->pool, cont->df);
	struct umem	     *u = cont->pool->umem;
	struct vos_dtx_ent_df ent = {.id = *id};
	struct vos_dtx_df    *rec;
	struct vos_dtx_op    *from;
	umem_off_t	     *link;
	int		      rc;

	rc = umem_alloc(u, sizeof(*rec), &ent.value);
	if (rc != 0)
		return rc;
	rec = umem_ptr(u, ent.value);
	rec->id = *id;
	rec->epoch = epoch;
	link = &rec->ops;
	d_list_for_each (from, ops, link) {
		/* Both are fresh allocations, logged as a whole. */
		rc = op_make(u, from, &rec->bytes, link);
		if (rc != 0)
			return rc;
		rec->op_nr++;
		link = &((struct vos_dtx_op_df *)umem_ptr(u, *link))->next;
	}
	cont->pool->space.tx_bytes += rec->bytes;
	*ret_rec = rec;
	return vos_btree_insert(&tree, id, &ent);
}

/* ---- doing what it says ---- */

static void
segs_take(struct vos_seg *to, const struct vos_dtx_part *part, uint32_t nr, unsigned iod_idx)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		to[i] = (struct vos_seg){.iod_idx = iod_idx,
					 .media = part->segs[i].media,
					 .lo = part->segs[i].lo,
					 .hi = part->segs[i].hi,
					 .bytes = part->segs[i].bytes,
					 .addr = part->segs[i].addr,
					 .blk_off = part->segs[i].addr / BIO_BLOCK_BYTES};
}

/** The update as vos_update_begin() had it, of memory in @io->segs and @iods. */
static void
update_take(const struct vos_dtx_op_df *op, daos_iod_t *iods, struct vos_io *io)
{
	struct vos_dtx_part part = {0};

	while (vos_dtx_part_next(op, &part)) {
		d_iov_set(&iods[part.idx].iod_name, (void *)part.akey, part.df->akey_bytes);
		iods[part.idx].iod_type =
		    part.df->type == VOS_AKEY_SINGLE ? DAOS_IOD_SINGLE : DAOS_IOD_ARRAY;
		iods[part.idx].iod_size = part.df->rsize;
		segs_take(&io->segs[io->seg_nr], &part, part.df->seg_nr, part.idx);
		io->seg_nr += part.df->seg_nr;
	}
}

static uint32_t
op_seg_nr(const struct vos_dtx_op_df *op)
{
	struct vos_dtx_part part = {0};
	uint32_t	    nr = 0;

	while (vos_dtx_part_next(op, &part))
		nr += part.df->seg_nr;
	return nr;
}

static int
op_update(struct vos_cont *cont, const struct vos_dtx_op_df *op, daos_epoch_t epoch)
{
	daos_iod_t   *iods = calloc(op->part_nr, sizeof(*iods));
	struct vos_io io = {.cont = cont, .segs = calloc(op_seg_nr(op) + 1, sizeof(*io.segs))};
	daos_key_t    dkey;
	int	      rc = -DER_NOMEM;

	d_list_init(&io.reserved);
	d_iov_set(&dkey, (void *)op->body, op->dkey_bytes);
	io.cond = (struct vos_cond){
	    .oid = op->oid, .epoch = epoch, .dkey = &dkey, .nr = op->part_nr, .iods = iods};
	if (iods != NULL && io.segs != NULL) {
		update_take(op, iods, &io);
		rc = vos_update_apply(&io);
	}
	free(iods);
	free(io.segs);
	return rc;
}

static int
op_punch(struct vos_cont *cont, const struct vos_dtx_op_df *op, daos_epoch_t epoch)
{
	daos_key_t	   *akeys = calloc(op->part_nr + 1, sizeof(*akeys));
	struct vos_punch    p = {.cont = cont, .oid = op->oid, .epoch = epoch};
	struct vos_dtx_part part = {0};
	daos_key_t	    dkey;
	int		    rc;

	if (akeys == NULL)
		return -DER_NOMEM;
	d_iov_set(&dkey, (void *)op->body, op->dkey_bytes);
	while (vos_dtx_part_next(op, &part))
		d_iov_set(&akeys[part.idx], (void *)part.akey, part.df->akey_bytes);
	p.dkey = op->dkey_bytes == 0 ? NULL : &dkey;
	p.akey_nr = op->part_nr;
	p.akeys = akeys;
	rc = vos_punch_apply(&p);
	free(akeys);
	return rc;
}

int
vos_dtx_rec_apply(struct vos_cont *cont, const struct vos_dtx_df *rec)
{
	const struct vos_dtx_op_df *op;
	umem_off_t		    off;
	int			    rc = 0;

	/* The trees count them again. */
	cont->pool->space.tx_bytes -= rec->bytes;
	for (off = rec->ops; off != UMEM_NULL && rc == 0; off = op->next) {
		op = umem_ptr(cont->pool->umem, off);
		if (VOS_BUG(VOS_BUG_HALF_TX) && off != rec->ops && op->next == UMEM_NULL)
			break;
		rc = op->kind == VOS_DTX_UPDATE ? op_update(cont, op, rec->epoch)
						: op_punch(cont, op, rec->epoch);
	}
	return rc;
}

/* ---- removing ---- */

static int
seg_free(struct vos_pool *pool, const struct vos_dtx_seg_df *seg, enum vos_akey_type type)
{
	if (seg->media == VOS_MEDIA_HEAP && type == VOS_AKEY_SINGLE)
		return umem_free(pool->umem, seg->addr);
	if (seg->media == VOS_MEDIA_HEAP)
		return vos_heap_unref(&pool->space, seg->addr);
	if (seg->media == VOS_MEDIA_DATA && !VOS_BUG(VOS_BUG_LEAK))
		return vos_blocks_free(&pool->space, seg->addr / BIO_BLOCK_BYTES,
				       align_up(seg->bytes, BIO_BLOCK_BYTES) / BIO_BLOCK_BYTES);
	return 0;
}

static int
op_values_free(struct vos_pool *pool, const struct vos_dtx_op_df *op)
{
	struct vos_dtx_part part = {0};
	uint32_t	    i;
	int		    rc = 0;

	while (rc == 0 && vos_dtx_part_next(op, &part))
		for (i = 0; i < part.df->seg_nr && rc == 0; i++)
			rc = seg_free(pool, &part.segs[i], part.df->type);
	return rc;
}

int
vos_dtx_rec_remove(struct vos_pool *pool, struct vos_cont_df *cont, struct vos_dtx_df *rec,
		   bool values)
{
	struct vos_btree tree = vos_dtx_prepared_tree(pool, cont);
	struct dtx_id	 id = rec->id;
	umem_off_t	 off = rec->ops;
	int		 rc;

	rc = vos_btree_delete(&tree, &id);
	if (values)
		pool->space.tx_bytes -= rec->bytes;
	while (rc == 0 && off != UMEM_NULL) {
		struct vos_dtx_op_df *op = umem_ptr(pool->umem, off);
		umem_off_t	      next = op->next;

		rc = values ? op_values_free(pool, op) : 0;
		if (rc == 0)
			rc = umem_free(pool->umem, off);
		off = next;
	}
	return rc != 0 ? rc : umem_free(pool->umem, umem_off(pool->umem, rec));
}

int
vos_dtx_committed_add(struct vos_cont *cont, const struct dtx_id *id, daos_epoch_t epoch)
{
	struct vos_btree      tree = vos_dtx_committed_tree(cont->pool, cont->df);
	struct vos_dtx_ent_df ent = {.id = *id, .value = epoch};

	return vos_btree_insert(&tree, id, &ent);
}

int
vos_dtx_drain(struct vos_pool *pool, struct vos_cont_df *cont, uint32_t *credits)
{
	struct vos_btree       prepared = vos_dtx_prepared_tree(pool, cont);
	struct vos_btree       committed = vos_dtx_committed_tree(pool, cont);
	struct vos_dtx_ent_df *ent;
	struct dtx_id	       id;
	int		       rc = 0;

	for (; rc == 0 && *credits > 0; (*credits)--) {
		ent = vos_btree_probe(&prepared, VOS_BTREE_FIRST, NULL, NULL);
		if (ent != NULL) {
			rc = vos_dtx_rec_remove(pool, cont, umem_ptr(pool->umem, ent->value), true);
			continue;
		}
		ent = vos_btree_probe(&committed, VOS_BTREE_FIRST, NULL, NULL);
		if (ent == NULL)
			return 0;
		id = ent->id;
		rc = vos_btree_delete(&committed, &id);
	}
	return rc;
}

/* ---- checking ---- */

static int
bad(const struct vos_dtx_df *rec, const char *what)
{
	D_ERROR("transaction " DF_DTI ": %s\n", DP_DTI(&rec->id), what);
	return -DER_DF_INVAL;
}

static int
op_check(const struct vos_dtx_df *rec, const struct vos_dtx_op_df *op, uint64_t *bytes)
{
	uint64_t at = align_up((uint64_t)op->dkey_bytes, 8);
	uint32_t i;
	uint32_t s;

	if (op->kind != VOS_DTX_UPDATE && op->kind != VOS_DTX_PUNCH)
		return bad(rec, "unknown kind of operation");
	if (op->kind == VOS_DTX_UPDATE && (op->dkey_bytes == 0 || op->part_nr == 0))
		return bad(rec, "an update without keys");
	for (i = 0; i < op->part_nr; i++) {
		const struct vos_dtx_part_df *df = (const void *)(op->body + at);
		const struct vos_dtx_seg_df  *segs;

		if (at + sizeof(*df) > op->body_bytes ||
		    at + part_bytes(df->akey_bytes, df->seg_nr) > op->body_bytes)
			return bad(rec, "an operation ends before its parts do");
		segs = (const void *)(op->body + at + part_bytes(df->akey_bytes, 0));
		for (s = 0; s < df->seg_nr; s++)
			*bytes += segs[s].bytes;
		at += part_bytes(df->akey_bytes, df->seg_nr);
	}
	return at == op->body_bytes ? 0 : bad(rec, "an operation is longer than its parts");
}

int
vos_dtx_rec_check(const struct vos_pool *pool, const struct vos_dtx_df *rec)
{
	umem_off_t off = rec->ops;
	uint64_t   bytes = 0;
	uint32_t   nr;

	for (nr = 0; nr < rec->op_nr; nr++) {
		const struct vos_dtx_op_df *op;
		int			    rc;

		if (!umem_off_valid(pool->umem, off, sizeof(*op)))
			return bad(rec, "an operation is outside of the heap");
		op = umem_ptr(pool->umem, off);
		if (!umem_off_valid(pool->umem, off, sizeof(*op) + op->body_bytes))
			return bad(rec, "an operation ends outside of the heap");
		rc = op_check(rec, op, &bytes);
		if (rc != 0)
			return rc;
		off = op->next;
	}
	if (off != UMEM_NULL || bytes != rec->bytes || rec->epoch == 0)
		return bad(rec, "its operations or bytes are counted wrong");
	return 0;
}
