/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * All of VOS against a naive model: the list of everything that was ever done. A reader of the
 * model goes through the list. Random operations on a few objects of different types, with epochs
 * mostly ascending, sometimes equal or older, with conditions, aggregation, freeing and reopening
 * between.
 */
#include "vos_test_util.h"
#include "base/log.h"
#include "base/util.h"

#define OBJ_NR	  4
#define DKEY_NR	  6
#define AKEY_NR	  4 /**< even ones hold single values, odd ones arrays */
#define ARRAY_END 120
#define HIST_MAX  20000
#define KEY_BYTES 120

enum what { DONE_SINGLE, DONE_ARRAY, DONE_PUNCH };

/** Something done. Punch: akey < 0 all akeys, dkey < 0 all dkeys. */
struct done {
	enum what what;
	int	  obj;
	int	  dkey;
	int	  akey;
	uint64_t  epoch;
	uint64_t  lo; /**< array */
	uint64_t  hi;
	uint64_t  bytes; /**< single: 0 is a punch; array: record size */
	uint32_t  id;
};

struct model {
	struct rig   rig;
	struct rnd   r;
	struct done *hist; /**< in the order done */
	uint32_t     nr;
	uint64_t     now;
	uint64_t     floor;
	char	     dkeys[OBJ_NR][DKEY_NR][KEY_BYTES];
	char	     akeys[OBJ_NR][AKEY_NR][KEY_BYTES];
	daos_key_t   dkey_iov[OBJ_NR][DKEY_NR];
	daos_key_t   akey_iov[OBJ_NR][AKEY_NR];
	uint64_t     single_max;
	uint64_t     snaps[4]; /**< epochs that stay readable; 0: free */
	bool	     power_losses;
	bool	     failed;  /**< the device did, in the operation just tried */
	uint32_t     sure_nr; /**< what of hist was done for sure; the rest may have been */
};

static const uint32_t obj_types[OBJ_NR] = {DAOS_OT_MULTI_HASHED, DAOS_OT_MULTI_UINT64,
					   DAOS_OT_MULTI_LEXICAL, DAOS_OT_ARRAY_BYTE};

static daos_unit_oid_t
oid_of(int obj)
{
	return test_oid(obj_types[obj], 100 + obj);
}

static uint64_t
rsize_of(int obj, int akey)
{
	return akey == 1 ? 1 + 7 * obj : 100;
}

/* ---- the model's readers ---- */

/** Does punch @p concern this akey (or dkey, or object where -1)? */
static bool
punch_covers(const struct done *p, int obj, int dkey, int akey)
{
	return p->what == DONE_PUNCH && p->obj == obj && (p->dkey < 0 || p->dkey == dkey) &&
	       (p->akey < 0 || p->akey == akey);
}

static bool
done_after(const struct done *a, const struct done *b)
{
	if (b == NULL)
		return true;
	return a->epoch != b->epoch ? a->epoch > b->epoch : a->id > b->id;
}

/** The newest write a reader at @epoch finds of this value (record @idx), NULL when nothing. */
static const struct done *
model_find(const struct model *m, int obj, int dkey, int akey, uint64_t idx, uint64_t epoch)
{
	const struct done *best = NULL;
	const struct done *punch = NULL;
	uint32_t	   i;

	for (i = 0; i < m->nr; i++) {
		const struct done *d = &m->hist[i];

		if (d->epoch > epoch)
			continue;
		if (punch_covers(d, obj, dkey, akey) && done_after(d, punch))
			punch = d;
		if (d->what == DONE_PUNCH || d->obj != obj || d->dkey != dkey || d->akey != akey)
			continue;
		if (d->what == DONE_ARRAY && (idx < d->lo || idx >= d->hi))
			continue;
		if (done_after(d, best))
			best = d;
	}
	if (best == NULL || best->bytes == 0 || !done_after(best, punch))
		return NULL;
	return best;
}

static bool
model_akey_visible(const struct model *m, int obj, int dkey, int akey, uint64_t epoch)
{
	uint64_t idx;

	if (akey % 2 == 0)
		return model_find(m, obj, dkey, akey, 0, epoch) != NULL;
	for (idx = 0; idx < ARRAY_END; idx++)
		if (model_find(m, obj, dkey, akey, idx, epoch) != NULL)
			return true;
	return false;
}

static bool
model_dkey_visible(const struct model *m, int obj, int dkey, uint64_t epoch)
{
	int akey;

	for (akey = 0; akey < AKEY_NR; akey++)
		if (model_akey_visible(m, obj, dkey, akey, epoch))
			return true;
	return false;
}

static bool
model_obj_visible(const struct model *m, int obj, uint64_t epoch)
{
	int dkey;

	for (dkey = 0; dkey < DKEY_NR; dkey++)
		if (model_dkey_visible(m, obj, dkey, epoch))
			return true;
	return false;
}

static uint8_t
byte_of(uint32_t id, uint64_t idx, uint64_t off)
{
	return 1 + (id * 131 + idx * 7 + off * 3) % 255;
}

/* ---- writing ---- */

static uint64_t
epoch_pick(struct model *m)
{
	uint64_t how = rnd_below(&m->r, 20);

	if (how == 0 && m->now > m->floor)
		return m->now;
	if (how == 1)
		return m->floor + 1 + rnd_below(&m->r, m->now - m->floor + 1);
	m->now += 1 + rnd_below(&m->r, 3);
	return m->now;
}

/** Was it the device, which was told to fail? Then whether the operation was done will show. */
static bool
device_failed(struct model *m, int rc)
{
	if (!m->power_losses || !bio_ram_has_failed(m->rig.ram) ||
	    (rc != -DER_IO && rc != -DER_NVME_IO))
		return false;
	m->failed = true;
	m->sure_nr = m->nr;
	return true;
}

static void
done_add(struct model *m, const struct done *d)
{
	assert_true(m->nr < HIST_MAX);
	m->hist[m->nr++] = *d;
}

#define IOD_MAX	 AKEY_NR
#define RECX_MAX 3

struct update {
	int	    obj;
	int	    dkey;
	uint64_t    epoch;
	uint64_t    flags;
	int	    akeys[IOD_MAX];
	unsigned    nr;
	daos_iod_t  iods[IOD_MAX];
	daos_recx_t recxs[IOD_MAX][RECX_MAX];
	d_sg_list_t sgls[IOD_MAX];
	d_iov_t	    iovs[IOD_MAX];
	uint32_t    ids[IOD_MAX];
};

/** Disjoint extents in random places. */
static uint32_t
recxs_pick(struct model *m, daos_recx_t *recxs)
{
	uint32_t nr = 1 + rnd_below(&m->r, RECX_MAX);
	uint32_t i;

	for (i = 0; i < nr; i++) {
		uint64_t span = ARRAY_END / nr;
		uint64_t off = rnd_below(&m->r, span);

		recxs[i].rx_idx = i * span + off;
		recxs[i].rx_nr = 1 + rnd_below(&m->r, span - off);
	}
	return nr;
}

static void
iod_fill(struct model *m, struct update *u, unsigned i)
{
	daos_iod_t *iod = &u->iods[i];
	int	    akey = u->akeys[i];
	uint8_t	   *buf = NULL;
	uint64_t    at = 0;
	uint64_t    idx;
	uint64_t    off;
	uint32_t    x;

	iod->iod_name = m->akey_iov[u->obj][akey];
	iod->iod_type = akey % 2 == 0 ? DAOS_IOD_SINGLE : DAOS_IOD_ARRAY;
	iod->iod_nr = 1;
	iod->iod_size = akey % 2 ? rsize_of(u->obj, akey) : 1 + rnd_below(&m->r, m->single_max);
	if (rnd_below(&m->r, 8) == 0)
		iod->iod_size = 0;
	if (akey % 2) {
		iod->iod_recxs = u->recxs[i];
		iod->iod_nr = recxs_pick(m, u->recxs[i]);
	}
	for (x = 0; x < iod->iod_nr; x++)
		at += (akey % 2 ? u->recxs[i][x].rx_nr : 1) * iod->iod_size;
	buf = malloc(at + 1);
	d_iov_set(&u->iovs[i], buf, at);
	for (at = 0, x = 0; x < iod->iod_nr; x++) {
		uint64_t lo = akey % 2 ? u->recxs[i][x].rx_idx : 0;
		uint64_t nr = akey % 2 ? u->recxs[i][x].rx_nr : 1;

		for (idx = lo; idx < lo + nr; idx++)
			for (off = 0; off < iod->iod_size; off++)
				buf[at++] = byte_of(u->ids[i], idx, off);
	}
	u->sgls[i] = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &u->iovs[i]};
}

/** What the conditions must say. */
static int
model_cond(struct model *m, const struct update *u)
{
	bool	 dkey = model_dkey_visible(m, u->obj, u->dkey, u->epoch);
	unsigned i;

	if ((u->flags & DAOS_COND_DKEY_INSERT) && dkey)
		return -DER_EXIST;
	if ((u->flags & (DAOS_COND_DKEY_UPDATE | DAOS_COND_DKEY_FETCH)) && !dkey)
		return -DER_NONEXIST;
	for (i = 0; i < u->nr; i++) {
		uint64_t flags = u->flags & DAOS_COND_PER_AKEY ? u->iods[i].iod_flags : u->flags;
		bool	 akey = model_akey_visible(m, u->obj, u->dkey, u->akeys[i], u->epoch);

		if ((flags & DAOS_COND_AKEY_INSERT) && akey)
			return -DER_EXIST;
		if ((flags & (DAOS_COND_AKEY_UPDATE | DAOS_COND_AKEY_FETCH)) && !akey)
			return -DER_NONEXIST;
	}
	return 0;
}

static void
update_note(struct model *m, const struct update *u)
{
	unsigned i;
	uint32_t x;

	for (i = 0; i < u->nr; i++) {
		struct done d = {.what = u->akeys[i] % 2 ? DONE_ARRAY : DONE_SINGLE,
				 .obj = u->obj,
				 .dkey = u->dkey,
				 .akey = u->akeys[i],
				 .epoch = u->epoch,
				 .bytes = u->iods[i].iod_size,
				 .id = u->ids[i]};

		for (x = 0; x < u->iods[i].iod_nr; x++) {
			if (d.what == DONE_ARRAY) {
				d.lo = u->recxs[i][x].rx_idx;
				d.hi = d.lo + u->recxs[i][x].rx_nr;
			}
			done_add(m, &d);
		}
	}
}

static void
akeys_pick(struct model *m, struct update *u)
{
	int first = rnd_below(&m->r, AKEY_NR);

	u->obj = rnd_below(&m->r, OBJ_NR);
	u->dkey = rnd_below(&m->r, DKEY_NR);
	u->nr = 1 + rnd_below(&m->r, 2);
	u->akeys[0] = first;
	u->akeys[1] = (first + 1) % AKEY_NR;
}

static void
do_update(struct model *m)
{
	static const uint64_t conds[] = {0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 DAOS_COND_DKEY_INSERT,
					 DAOS_COND_DKEY_UPDATE,
					 DAOS_COND_AKEY_INSERT,
					 DAOS_COND_AKEY_UPDATE,
					 DAOS_COND_PER_AKEY};
	struct update	      u = {.flags = conds[rnd_below(&m->r, ARRAY_NR(conds))]};
	unsigned	      i;
	int		      want;
	int		      rc;

	akeys_pick(m, &u);
	u.epoch = epoch_pick(m);
	for (i = 0; i < u.nr; i++) {
		u.ids[i] = m->nr + i;
		if (u.flags & DAOS_COND_PER_AKEY)
			u.iods[i].iod_flags = conds[8 + rnd_below(&m->r, 2)];
		iod_fill(m, &u, i);
	}
	/* Ids order what is done; one operation's extents are disjoint, so they may share one. */
	for (i = 0; i < u.nr; i++)
		u.ids[i] = m->nr + i;
	want = model_cond(m, &u);
	rc = vos_obj_update(m->rig.cont, oid_of(u.obj), u.epoch, u.flags,
			    &m->dkey_iov[u.obj][u.dkey], u.nr, u.iods, u.sgls);
	if (device_failed(m, rc))
		update_note(m, &u);
	else if (rc != want)
		fail_msg("update: %d, expected %d", rc, want);
	else if (rc == 0)
		update_note(m, &u);
	for (i = 0; i < u.nr; i++)
		free(u.iovs[i].iov_buf);
}

static void
do_punch(struct model *m)
{
	uint64_t    how = rnd_below(&m->r, 10);
	struct done d = {.what = DONE_PUNCH,
			 .obj = rnd_below(&m->r, OBJ_NR),
			 .dkey = rnd_below(&m->r, DKEY_NR),
			 .akey = rnd_below(&m->r, AKEY_NR),
			 .id = m->nr};
	uint64_t    flags = rnd_below(&m->r, 3) == 0 ? DAOS_COND_PUNCH : 0;
	bool	    visible;
	int	    rc;

	if (how < 4)
		d.akey = -1;
	if (how == 0)
		d.dkey = -1;
	d.epoch = epoch_pick(m);
	if (d.dkey < 0)
		visible = model_obj_visible(m, d.obj, d.epoch);
	else if (d.akey < 0)
		visible = model_dkey_visible(m, d.obj, d.dkey, d.epoch);
	else
		visible = model_akey_visible(m, d.obj, d.dkey, d.akey, d.epoch);
	rc = vos_obj_punch(m->rig.cont, oid_of(d.obj), d.epoch, flags,
			   d.dkey < 0 ? NULL : &m->dkey_iov[d.obj][d.dkey], d.akey < 0 ? 0 : 1,
			   d.akey < 0 ? NULL : &m->akey_iov[d.obj][d.akey]);
	if (device_failed(m, rc))
		done_add(m, &d);
	else if (rc != (flags != 0 && !visible ? -DER_NONEXIST : 0))
		fail_msg("punch: %d, visible %d", rc, visible);
	else if (rc == 0)
		done_add(m, &d);
}

/* ---- reading ---- */

static uint64_t
read_epoch_pick(struct model *m)
{
	uint64_t how = rnd_below(&m->r, 4);
	uint64_t snap = m->snaps[rnd_below(&m->r, ARRAY_NR(m->snaps))];

	if (how == 0)
		return DAOS_EPOCH_MAX;
	if (how == 1 && snap != 0)
		return snap;
	return MAX_OF(m->floor, 1) + rnd_below(&m->r, m->now - m->floor + 2);
}

static void
fetched_compare(struct model *m, struct update *u, unsigned i, const uint8_t *buf)
{
	int	 akey = u->akeys[i];
	uint64_t at = 0;
	uint64_t idx;
	uint64_t off;
	uint32_t x;
	bool	 any = false;

	for (x = 0; x < u->iods[i].iod_nr; x++) {
		uint64_t lo = akey % 2 ? u->recxs[i][x].rx_idx : 0;
		uint64_t nr = akey % 2 ? u->recxs[i][x].rx_nr : 1;

		for (idx = lo; idx < lo + nr; idx++) {
			const struct done *d = model_find(m, u->obj, u->dkey, akey, idx, u->epoch);

			any |= d != NULL;
			if (d != NULL)
				assert_int_equal(u->iods[i].iod_size, d->bytes);
			for (off = 0; off < u->iods[i].iod_size; off++, at++) {
				uint8_t want = d == NULL ? 0 : byte_of(d->id, idx, off);

				if (buf[at] != want)
					fail_msg("obj %d dkey %d akey %d record %lu byte %lu at "
						 "epoch %lu: "
						 "%u, model %u",
						 u->obj, u->dkey, akey, idx, off, u->epoch, buf[at],
						 want);
			}
		}
	}
	if (!any)
		assert_int_equal(u->iods[i].iod_size, 0);
}

static void
do_fetch(struct model *m)
{
	static const uint64_t conds[] = {0, 0, 0, DAOS_COND_DKEY_FETCH, DAOS_COND_AKEY_FETCH};
	struct update	      u = {.flags = conds[rnd_below(&m->r, ARRAY_NR(conds))]};
	unsigned	      i;
	int		      want;
	int		      rc;

	akeys_pick(m, &u);
	u.epoch = read_epoch_pick(m);
	for (i = 0; i < u.nr; i++) {
		daos_iod_t *iod = &u.iods[i];
		uint64_t    bytes = MAX_OF(m->single_max, ARRAY_END * 100ul);

		iod->iod_name = m->akey_iov[u.obj][u.akeys[i]];
		iod->iod_type = u.akeys[i] % 2 == 0 ? DAOS_IOD_SINGLE : DAOS_IOD_ARRAY;
		iod->iod_nr = 1;
		if (u.akeys[i] % 2) {
			iod->iod_recxs = u.recxs[i];
			iod->iod_nr = recxs_pick(m, u.recxs[i]);
			iod->iod_size =
			    rnd_below(&m->r, 2) == 0 ? DAOS_REC_ANY : rsize_of(u.obj, u.akeys[i]);
		}
		d_iov_set(&u.iovs[i], malloc(bytes), bytes);
		memset(u.iovs[i].iov_buf, 0xee, bytes);
		u.sgls[i] = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &u.iovs[i]};
	}
	want = model_cond(m, &u);
	rc = vos_obj_fetch(m->rig.cont, oid_of(u.obj), u.epoch, u.flags,
			   &m->dkey_iov[u.obj][u.dkey], u.nr, u.iods, u.sgls);
	if (!device_failed(m, rc) && rc != want)
		fail_msg("fetch: %d, expected %d", rc, want);
	for (i = 0; i < u.nr; i++) {
		if (rc == 0)
			fetched_compare(m, &u, i, u.iovs[i].iov_buf);
		free(u.iovs[i].iov_buf);
	}
}

/* ---- iterating ---- */

struct listing {
	struct model	  *m;
	enum vos_iter_type type;
	int		   obj;
	int		   seen[OBJ_NR + DKEY_NR + AKEY_NR];
	daos_key_t	   last;
	char		   last_buf[KEY_BYTES];
	uint8_t		   recs[ARRAY_END];
	uint64_t	   edge;
	bool		   reverse;
	bool		   refused;
};

static int
key_idx(daos_key_t *keys, int nr, const daos_key_t *key)
{
	int i;

	for (i = 0; i < nr; i++)
		if (keys[i].iov_len == key->iov_len &&
		    memcmp(keys[i].iov_buf, key->iov_buf, key->iov_len) == 0)
			return i;
	fail_msg("unknown key listed");
	return -1;
}

static void
order_check(struct listing *l, const daos_key_t *key)
{
	uint64_t a;
	uint64_t b;
	int	 c;

	if (l->last.iov_len != 0 && (obj_types[l->obj] == DAOS_OT_MULTI_UINT64)) {
		memcpy(&a, l->last_buf, 8);
		memcpy(&b, key->iov_buf, 8);
		assert_true(a < b);
	}
	if (l->last.iov_len != 0 && obj_types[l->obj] == DAOS_OT_MULTI_LEXICAL) {
		c = memcmp(l->last_buf, key->iov_buf, MIN_OF(l->last.iov_len, key->iov_len));
		assert_true(c < 0 || (c == 0 && l->last.iov_len < key->iov_len));
	}
	memcpy(l->last_buf, key->iov_buf, key->iov_len);
	l->last.iov_len = key->iov_len;
}

static int
listing_cb(const struct vos_iter_entry *ent, void *arg)
{
	struct listing *l = arg;
	struct model   *m = l->m;
	uint64_t	idx;

	if (!l->refused && rnd_below(&m->r, 6) == 0) {
		l->refused = true;
		return -DER_TRUNC;
	}
	l->refused = false;
	switch (l->type) {
	case VOS_ITER_OBJ:
		l->seen[ent->oid.id_pub.lo - 100]++;
		break;
	case VOS_ITER_DKEY:
		order_check(l, &ent->key);
		l->seen[key_idx(m->dkey_iov[l->obj], DKEY_NR, &ent->key)]++;
		break;
	case VOS_ITER_AKEY:
		order_check(l, &ent->key);
		idx = key_idx(m->akey_iov[l->obj], AKEY_NR, &ent->key);
		assert_int_equal(ent->is_array, idx % 2);
		l->seen[idx]++;
		break;
	default:
		if (l->reverse)
			assert_true(ent->recx.rx_idx + ent->recx.rx_nr <= l->edge);
		else
			assert_true(ent->recx.rx_idx >= l->edge);
		l->edge = l->reverse ? ent->recx.rx_idx : ent->recx.rx_idx + ent->recx.rx_nr;
		for (idx = ent->recx.rx_idx; idx < ent->recx.rx_idx + ent->recx.rx_nr; idx++)
			l->recs[idx] = 1 + ent->epoch % 250;
	}
	return rnd_below(&m->r, 5) == 0;
}

static void
listing_run(struct listing *l, struct vos_iter_param *param)
{
	daos_anchor_t anchor = DAOS_ANCHOR_INIT;
	int	      rc;

	while (anchor.da_type != DAOS_ANCHOR_TYPE_EOF) {
		rc = vos_iterate(param, l->type, &anchor, listing_cb, l);
		assert_true(rc == 0 || (rc == -DER_TRUNC && l->refused));
	}
}

static void
do_list(struct model *m)
{
	struct listing l = {
	    .m = m, .obj = rnd_below(&m->r, OBJ_NR), .reverse = rnd_below(&m->r, 2)};
	int		      dkey = rnd_below(&m->r, DKEY_NR);
	int		      akey = 1 + 2 * rnd_below(&m->r, AKEY_NR / 2);
	struct vos_iter_param param = {.cont = m->rig.cont,
				       .oid = oid_of(l.obj),
				       .dkey = m->dkey_iov[l.obj][dkey],
				       .akey = m->akey_iov[l.obj][akey],
				       .epoch = read_epoch_pick(m)};
	int		      i;

	static const enum vos_iter_type types[] = {VOS_ITER_OBJ, VOS_ITER_DKEY, VOS_ITER_AKEY,
						   VOS_ITER_RECX};

	l.type = types[rnd_below(&m->r, 4)];
	param.reverse = l.type == VOS_ITER_RECX && l.reverse;
	l.reverse = param.reverse;
	l.edge = l.reverse ? UINT64_MAX : 0;
	listing_run(&l, &param);
	for (i = 0; l.type == VOS_ITER_OBJ && i < OBJ_NR; i++)
		assert_int_equal(l.seen[i], model_obj_visible(m, i, param.epoch));
	for (i = 0; l.type == VOS_ITER_DKEY && i < DKEY_NR; i++)
		assert_int_equal(l.seen[i], model_dkey_visible(m, l.obj, i, param.epoch));
	for (i = 0; l.type == VOS_ITER_AKEY && i < AKEY_NR; i++)
		assert_int_equal(l.seen[i], model_akey_visible(m, l.obj, dkey, i, param.epoch));
	for (i = 0; l.type == VOS_ITER_RECX && i < ARRAY_END; i++)
		assert_int_equal(l.recs[i] != 0,
				 model_find(m, l.obj, dkey, akey, i, param.epoch) != NULL);
}

/* ---- queries ---- */

static uint64_t
u64_of(const daos_key_t *key)
{
	uint64_t v;

	memcpy(&v, key->iov_buf, sizeof(v));
	return v;
}

/** The outermost record visible, or -1. */
static int64_t
model_recx(struct model *m, int obj, int dkey, int akey, uint64_t epoch, bool max)
{
	int64_t idx;

	for (idx = max ? ARRAY_END - 1 : 0; idx >= 0 && idx < ARRAY_END; idx += max ? -1 : 1)
		if (model_find(m, obj, dkey, akey, idx, epoch) != NULL)
			return idx;
	return -1;
}

/** Largest or smallest of two integer keys; keys were made in ascending order. */
static int
model_dkey(struct model *m, int obj, int akey, bool recx, uint64_t epoch, bool max)
{
	int i;

	for (i = max ? DKEY_NR - 1 : 0; i >= 0 && i < DKEY_NR; i += max ? -1 : 1)
		if (recx ? model_recx(m, obj, i, akey, epoch, max) >= 0
			 : model_dkey_visible(m, obj, i, epoch))
			return i;
	return -1;
}

static void
do_query(struct model *m)
{
	int	 obj = 1 + 2 * rnd_below(&m->r, 2);
	int	 akey = 1 + 2 * rnd_below(&m->r, 2);
	bool	 max = rnd_below(&m->r, 2);
	bool	 recx = rnd_below(&m->r, 3) != 0;
	bool	 any = rnd_below(&m->r, 3) != 0 || !recx;
	int	 dkey = rnd_below(&m->r, DKEY_NR);
	uint64_t epoch = read_epoch_pick(m);
	uint32_t flags = (max ? DAOS_GET_MAX : DAOS_GET_MIN) | (recx ? DAOS_GET_RECX : 0) |
			 (any ? DAOS_GET_DKEY : 0);
	uint64_t    found = any ? 0 : u64_of(&m->dkey_iov[obj][dkey]);
	daos_key_t  dkey_iov;
	daos_recx_t rx = {0};
	int64_t	    idx;
	int	    rc;

	d_iov_set(&dkey_iov, &found, sizeof(found));
	rc = vos_obj_query_key(m->rig.cont, oid_of(obj), flags, epoch, &dkey_iov,
			       &m->akey_iov[obj][akey], &rx, NULL, NULL);
	if (any)
		dkey = model_dkey(m, obj, akey, recx, epoch, max);
	idx = dkey < 0 || !recx ? -1 : model_recx(m, obj, dkey, akey, epoch, max);
	if (dkey < 0 || (recx && idx < 0)) {
		assert_int_equal(rc, -DER_NONEXIST);
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(found, u64_of(&m->dkey_iov[obj][dkey]));
	if (recx)
		assert_int_equal(max ? rx.rx_idx + rx.rx_nr - 1 : rx.rx_idx, idx);
}

/* ---- the rest ---- */

static bool
stop_sometimes(void *arg)
{
	struct model *m = arg;

	return rnd_below(&m->r, 4) == 0;
}

static void
do_gc(struct model *m, unsigned credits)
{
	int rc = vos_gc(m->rig.pool, credits);

	assert_true(rc >= 0 || device_failed(m, rc));
}

static void
snaps_tell(struct model *m)
{
	uint64_t snaps[ARRAY_NR(m->snaps)];
	uint32_t nr = 0;
	uint32_t i;

	for (i = 0; i < ARRAY_NR(m->snaps); i++)
		if (m->snaps[i] != 0)
			snaps[nr++] = m->snaps[i];
	assert_int_equal(vos_cont_set_snapshots(m->rig.cont, snaps, nr), 0);
}

/** Take a snapshot of something still readable, or drop one. */
static void
do_snapshot(struct model *m)
{
	uint64_t *snap = &m->snaps[rnd_below(&m->r, ARRAY_NR(m->snaps))];

	if (*snap != 0)
		*snap = 0;
	else if (m->now > 0)
		*snap =
		    MAX_OF(m->floor, 1) + rnd_below(&m->r, m->now - MIN_OF(m->floor, m->now - 1));
	snaps_tell(m);
}

static void
do_aggregate(struct model *m)
{
	uint64_t epoch = m->floor + rnd_below(&m->r, m->now - m->floor + 1);
	int	 rc;

	if (epoch == 0)
		return;
	rc = vos_aggregate(m->rig.cont, epoch, stop_sometimes, m);
	m->floor = epoch;
	m->now = MAX_OF(m->now, m->floor);
	if (device_failed(m, rc))
		return;
	assert_int_equal(rc, 0);
	do_gc(m, rnd_below(&m->r, 100));
}

/* ---- power losses ---- */

/** Is all of one akey as the model has it? */
static bool
akey_agrees(struct model *m, int obj, int dkey, int akey, uint64_t epoch)
{
	uint64_t    bytes = MAX_OF(m->single_max, ARRAY_END * 100ul);
	uint8_t	   *buf = calloc(1, bytes);
	daos_recx_t recx = {0, ARRAY_END};
	daos_iod_t  iod = {.iod_name = m->akey_iov[obj][akey],
			   .iod_nr = 1,
			   .iod_recxs = &recx,
			   .iod_type = akey % 2 ? DAOS_IOD_ARRAY : DAOS_IOD_SINGLE};
	d_iov_t	    iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	uint64_t    at = 0;
	uint64_t    idx;
	uint64_t    off;
	bool	    agrees;

	d_iov_set(&iov, buf, bytes);
	assert_int_equal(vos_obj_fetch(m->rig.cont, oid_of(obj), epoch, 0, &m->dkey_iov[obj][dkey],
				       1, &iod, &sgl),
			 0);
	agrees = model_akey_visible(m, obj, dkey, akey, epoch) == (iod.iod_size != 0);
	for (idx = 0; agrees && idx < (akey % 2 ? ARRAY_END : 1); idx++) {
		const struct done *d = model_find(m, obj, dkey, akey, idx, epoch);

		agrees = d == NULL || d->bytes == iod.iod_size;
		for (off = 0; agrees && off < iod.iod_size; off++, at++)
			agrees = buf[at] == (d == NULL ? 0 : byte_of(d->id, idx, off));
	}
	free(buf);
	return agrees;
}

static bool
all_agrees(struct model *m, uint64_t epoch)
{
	int obj;
	int dkey;
	int akey;

	for (obj = 0; obj < OBJ_NR; obj++)
		for (dkey = 0; dkey < DKEY_NR; dkey++)
			for (akey = 0; akey < AKEY_NR; akey++)
				if (!akey_agrees(m, obj, dkey, akey, epoch))
					return false;
	return true;
}

/** The power goes; what was acknowledged is there, what was under way is there as a whole or not.
 */
static void
power_cycle(struct model *m)
{
	uint32_t nr = m->nr;
	uint32_t i;

	if (!m->failed)
		m->sure_nr = nr;
	rig_power_loss(&m->rig, rnd_next(&m->r));
	snaps_tell(m);
	assert_int_equal(vos_pool_check(m->rig.pool), 0);
	m->nr = m->sure_nr;
	if (!all_agrees(m, DAOS_EPOCH_MAX)) {
		assert_int_not_equal(nr, m->sure_nr);
		m->nr = nr;
		assert_true(all_agrees(m, DAOS_EPOCH_MAX));
	}
	assert_true(all_agrees(m, MAX_OF(m->floor, 1)));
	for (i = 0; i < ARRAY_NR(m->snaps); i++)
		assert_true(m->snaps[i] == 0 || all_agrees(m, m->snaps[i]));
	m->failed = false;
	bio_ram_fail_after(m->rig.ram, 1 + rnd_below(&m->r, 300));
}

static void
keys_make(struct model *m)
{
	static const uint64_t ints[DKEY_NR] = {0, 1, 7, 1000, 1ull << 40, 1ull << 63};
	int		      o;
	int		      i;

	for (o = 0; o < OBJ_NR; o++) {
		bool dkey_int =
		    obj_types[o] == DAOS_OT_MULTI_UINT64 || obj_types[o] == DAOS_OT_ARRAY_BYTE;
		bool akey_int = obj_types[o] == DAOS_OT_MULTI_UINT64;

		for (i = 0; i < DKEY_NR; i++) {
			/* The later ones are longer than an anchor and alike up to their ends. */
			snprintf(m->dkeys[o][i], KEY_BYTES, "%.*sdkey-%d", i > 2 ? 100 : i * 3,
				 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				 "aaaaaaaaaaaaaa"
				 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
				 i);
			d_iov_set(&m->dkey_iov[o][i], m->dkeys[o][i], strlen(m->dkeys[o][i]));
			if (dkey_int) {
				memcpy(m->dkeys[o][i], &ints[i], 8);
				m->dkey_iov[o][i].iov_len = m->dkey_iov[o][i].iov_buf_len = 8;
			}
		}
		for (i = 0; i < AKEY_NR; i++) {
			snprintf(m->akeys[o][i], KEY_BYTES, "akey%d", i);
			d_iov_set(&m->akey_iov[o][i], m->akeys[o][i], strlen(m->akeys[o][i]));
			if (akey_int) {
				memcpy(m->akeys[o][i], &ints[i], 8);
				m->akey_iov[o][i].iov_len = m->akey_iov[o][i].iov_buf_len = 8;
			}
		}
	}
}

static void
one_step(struct model *m)
{
	uint64_t how = rnd_below(&m->r, 100);

	if (how < 30)
		do_update(m);
	else if (how < 37)
		do_punch(m);
	else if (how < 70)
		do_fetch(m);
	else if (how < 85)
		do_list(m);
	else if (how < 96)
		do_query(m);
	else if (how == 96)
		do_snapshot(m);
	else if (how == 97)
		do_aggregate(m);
	else if (how == 98)
		do_gc(m, 1000);
	else if (rnd_below(&m->r, 3) != 0)
		return;
	else if (m->power_losses)
		power_cycle(m);
	else {
		rig_reopen(&m->rig);
		snaps_tell(m);
	}
}

static void
all_gone_check(struct model *m)
{
	struct vos_pool_info info;
	int		     rc;

	vos_cont_close(m->rig.cont);
	m->rig.cont = NULL;
	assert_int_equal(vos_cont_destroy(m->rig.pool, m->rig.cont_uuid), 0);
	while ((rc = vos_gc(m->rig.pool, 64)) > 0)
		assert_int_equal(vos_pool_check(m->rig.pool), 0);
	assert_int_equal(rc, 0);
	assert_int_equal(vos_pool_check(m->rig.pool), 0);
	vos_pool_query(m->rig.pool, &info);
	assert_int_equal(info.obj_nr, 0);
	assert_int_equal(info.nvme_free, info.nvme_total);
}

static void
model_test(enum rig_kind kind, uint32_t thresh, uint64_t single_max, uint64_t seed, uint32_t steps,
	   bool power_losses)
{
	struct rig_size size = {32 << 20, 64 << 20};
	struct model   *m = calloc(1, sizeof(*m));
	uint32_t	i;

	m->hist = calloc(HIST_MAX, sizeof(*m->hist));
	m->r = rnd_init("model", seed);
	m->single_max = single_max;
	steps = rnd_rounds(steps);
	keys_make(m);
	rig_init(&m->rig, kind, &size);
	m->power_losses = power_losses;
	if (power_losses) {
		assert_int_equal(bio_ram_track(m->rig.ram), 0);
		bio_ram_fail_after(m->rig.ram, 200);
	}
	for (i = 0; i < steps; i++) {
		vos_pool_set_data_thresh(m->rig.pool, thresh);
		one_step(m);
		if (m->failed)
			power_cycle(m);
		if (i % 50 == 0)
			assert_int_equal(vos_pool_check(m->rig.pool), 0);
	}
	assert_int_equal(vos_pool_check(m->rig.pool), 0);
	if (m->power_losses)
		bio_ram_fail_after(m->rig.ram, UINT64_MAX);
	all_gone_check(m);
	rig_fini(&m->rig);
	free(m->hist);
	free(m);
}

static void
model_on_a_volatile_heap(void **state)
{
	model_test(RIG_VOLATILE, 4096, 300, 301, 4000, false);
}

static void
model_on_a_volatile_heap_again(void **state)
{
	model_test(RIG_VOLATILE, 4096, 20, 302, 4000, false);
}

static void
model_with_data_on_ram(void **state)
{
	model_test(RIG_VOLATILE_DATA, 500, 9000, 303, 3000, false);
}

static void
model_on_a_ram_device(void **state)
{
	model_test(RIG_RAM, 1000, 9000, 304, 2000, false);
}

static void
model_with_power_losses(void **state)
{
	char masks[1024];

	/* Failing devices are loud, and many here. */
	d_log_getmasks(masks, sizeof(masks));
	assert_int_equal(d_log_setmasks("FATAL"), 0);
	model_test(RIG_RAM, 1000, 9000, 306, 2500, true);
	assert_int_equal(d_log_setmasks(masks), 0);
}

static void
model_on_a_file(void **state)
{
	model_test(RIG_FILE, 1000, 9000, 305, 800, false);
}

static int
group(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(model_on_a_volatile_heap),
	    cmocka_unit_test(model_on_a_volatile_heap_again),
	    cmocka_unit_test(model_with_data_on_ram),
	    cmocka_unit_test(model_on_a_ram_device),
	    cmocka_unit_test(model_on_a_file),
	    cmocka_unit_test(model_with_power_losses),
	};

	return cmocka_run_group_tests_name("vos/model", tests, NULL, NULL);
}

int
main(void)
{
	return vos_test_run(group);
}
