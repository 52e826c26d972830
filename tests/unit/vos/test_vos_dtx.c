/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Transactions: what is prepared cannot be seen and holds back who depends on it; committing and
 * aborting; records and ids across restarts; timestamps of reads; and many concurrent transactions,
 * whose reads must be those of some serial order: that of their epochs.
 */
#include "vos_test_util.h"
#include "base/util.h"
#include "ult/ult.h"
#include "vos/vos_dtx.h"

static const struct rig_size small = {8 << 20, 16 << 20};

static struct dtx_id
id_of(uint64_t n)
{
	struct dtx_id id = {.hlc = n};

	memcpy(id.uuid, "who began it....", 16);
	return id;
}

static daos_key_t
key_of(const char *name)
{
	daos_key_t key;

	d_iov_set(&key, (void *)name, strlen(name));
	return key;
}

/** A single value of a dkey. */
struct single {
	daos_key_t  dkey;
	daos_iod_t  iod;
	d_iov_t	    iov;
	d_sg_list_t sgl;
	char	    buf[8192];
};

static void
single_init(struct single *s, const char *dkey, const char *akey, uint64_t bytes)
{
	memset(s, 0, sizeof(*s));
	s->dkey = key_of(dkey);
	s->iod = (daos_iod_t){.iod_name = key_of(akey),
			      .iod_type = DAOS_IOD_SINGLE,
			      .iod_nr = 1,
			      .iod_size = bytes};
	d_iov_set(&s->iov, s->buf, bytes);
	s->sgl = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &s->iov};
}

static daos_unit_oid_t
oid_a(void)
{
	return test_oid(DAOS_OT_MULTI_HASHED, 1);
}

/** Add an update of @bytes times @fill to @dtx; @s lives until the end. */
static int
dtx_put(struct vos_dtx *dtx, struct single *s, uint64_t flags, char fill)
{
	struct vos_io *io;
	int	       rc;

	rc = vos_dtx_update_begin(dtx, oid_a(), flags, &s->dkey, 1, &s->iod, &io);
	if (rc != 0)
		return rc;
	if (s->iod.iod_size > 0)
		memset(vos_io_sgl(io, 0)->sg_iovs[0].iov_buf, fill, s->iod.iod_size);
	return vos_dtx_update(dtx, io);
}

static int
plain_put(struct rig *rig, const char *dkey, uint64_t epoch, uint64_t bytes, char fill)
{
	struct single s;

	single_init(&s, dkey, "a", bytes);
	memset(s.buf, fill, bytes);
	return vos_obj_update(rig->cont, oid_a(), epoch, 0, &s.dkey, 1, &s.iod, &s.sgl);
}

/** First byte of what is there, 0 for nothing, or an error. */
static int
plain_get(struct rig *rig, const char *dkey, uint64_t epoch)
{
	struct single s;
	int	      rc;

	single_init(&s, dkey, "a", sizeof(s.buf));
	rc = vos_obj_fetch(rig->cont, oid_a(), epoch, 0, &s.dkey, 1, &s.iod, &s.sgl);
	if (rc != 0 || s.iod.iod_size == 0)
		return rc;
	for (uint64_t i = 1; i < s.iod.iod_size; i++)
		assert_int_equal(s.buf[i], s.buf[0]);
	return s.buf[0];
}

/** A transaction that puts @fill into dkeys "x" and "y" (a small and a large value). */
static int
two_puts(struct rig *rig, uint64_t id_nr, uint64_t epoch, char fill, enum vos_dtx_how how)
{
	struct dtx_id	id = id_of(id_nr);
	struct single  *s = calloc(2, sizeof(*s));
	struct vos_dtx *dtx;
	int		rc;

	single_init(&s[0], "x", "a", 100);
	single_init(&s[1], "y", "a", 6000);
	rc = vos_dtx_begin(rig->cont, &id, epoch, &dtx);
	if (rc == 0) {
		assert_int_equal(dtx_put(dtx, &s[0], 0, fill), 0);
		assert_int_equal(dtx_put(dtx, &s[1], 0, fill), 0);
		rc = vos_dtx_end(dtx, how);
	}
	free(s);
	return rc;
}

static void
assert_blocked_by(struct rig *rig, int rc, uint64_t id_nr)
{
	struct dtx_id want = id_of(id_nr);
	struct dtx_id id;

	assert_int_equal(rc, -DER_INPROGRESS);
	vos_dtx_blocker(rig->cont, &id);
	assert_int_equal(dtx_id_cmp(&id, &want), 0);
}

static void
prepared_is_invisible_and_holds_readers_back(void **state)
{
	struct dtx_id id = id_of(7);
	struct rig    rig;
	uint64_t      epoch;

	rig_init(&rig, RIG_RAM, &small);
	assert_int_equal(plain_put(&rig, "x", 5, 10, 'a'), 0);
	assert_int_equal(two_puts(&rig, 7, 10, 'b', VOS_DTX_PREPARE), 0);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	assert_int_equal(plain_get(&rig, "x", 9), 'a');
	assert_blocked_by(&rig, plain_get(&rig, "x", 10), 7);
	assert_blocked_by(&rig, plain_get(&rig, "y", DAOS_EPOCH_MAX), 7);
	assert_int_equal(plain_get(&rig, "z", DAOS_EPOCH_MAX), 0);
	assert_int_equal(vos_dtx_check(rig.cont, &id, &epoch), VOS_DTX_PREPARED);
	assert_int_equal(epoch, 10);
	assert_int_equal(vos_dtx_commit(rig.cont, &id), 0);
	assert_int_equal(plain_get(&rig, "x", 9), 'a');
	assert_int_equal(plain_get(&rig, "x", 10), 'b');
	assert_int_equal(plain_get(&rig, "y", 10), 'b');
	assert_int_equal(vos_dtx_check(rig.cont, &id, &epoch), VOS_DTX_COMMITTED);
	assert_int_equal(vos_dtx_commit(rig.cont, &id), 0);
	assert_int_equal(vos_dtx_abort(rig.cont, &id), -DER_ALREADY);
	assert_int_equal(two_puts(&rig, 7, 12, 'c', VOS_DTX_PREPARE), -DER_ALREADY);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static void
aborting_and_rolling_back_leave_nothing(void **state)
{
	struct vos_pool_info before;
	struct vos_pool_info after;
	struct dtx_id	     id = id_of(7);
	struct rig	     rig;

	rig_init(&rig, RIG_RAM, &small);
	vos_pool_query(rig.pool, &before);
	assert_int_equal(two_puts(&rig, 7, 10, 'b', VOS_DTX_PREPARE), 0);
	vos_pool_query(rig.pool, &after);
	assert_true(after.nvme_free < before.nvme_free);
	assert_int_equal(two_puts(&rig, 7, 10, 'b', VOS_DTX_PREPARE), -DER_EXIST);
	assert_int_equal(vos_dtx_abort(rig.cont, &id), 0);
	assert_int_equal(vos_dtx_abort(rig.cont, &id), -DER_NONEXIST);
	assert_int_equal(vos_dtx_commit(rig.cont, &id), -DER_NONEXIST);
	assert_int_equal(vos_dtx_check(rig.cont, &id, NULL), VOS_DTX_UNKNOWN);
	assert_int_equal(two_puts(&rig, 8, 10, 'b', VOS_DTX_ROLLBACK), 0);
	assert_int_equal(plain_get(&rig, "x", 10), 0);
	vos_pool_query(rig.pool, &after);
	assert_int_equal(after.nvme_free, before.nvme_free);
	assert_int_equal(after.scm_free, before.scm_free);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static void
one_failing_operation_takes_all_back(void **state)
{
	struct dtx_id	id = id_of(3);
	struct single  *s = calloc(2, sizeof(*s));
	struct vos_dtx *dtx;
	struct rig	rig;

	rig_init(&rig, RIG_RAM, &small);
	single_init(&s[0], "x", "a", 100);
	single_init(&s[1], "y", "a", 5000);
	assert_int_equal(vos_dtx_begin(rig.cont, &id, 10, &dtx), 0);
	assert_int_equal(dtx_put(dtx, &s[0], 0, 'n'), 0);
	assert_int_equal(dtx_put(dtx, &s[1], DAOS_COND_DKEY_INSERT, 'n'), 0);
	/* The condition held when asked first; another writes meanwhile. */
	assert_int_equal(plain_put(&rig, "y", 9, 10, 'o'), 0);
	assert_int_equal(vos_dtx_end(dtx, VOS_DTX_COMMIT), -DER_EXIST);
	assert_int_equal(plain_get(&rig, "x", 10), 0);
	assert_int_equal(plain_get(&rig, "y", 10), 'o');
	assert_int_equal(vos_dtx_check(rig.cont, &id, NULL), VOS_DTX_UNKNOWN);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	free(s);
	rig_fini(&rig);
}

static void
two_record_sizes_in_one_array_are_refused(void **state)
{
	struct dtx_id	id = id_of(3);
	daos_recx_t	recx = {0, 4};
	daos_key_t	dkey = key_of("d");
	daos_iod_t	iods[2] = {
		 {.iod_name = key_of("r"), .iod_type = DAOS_IOD_ARRAY, .iod_size = 4, .iod_nr = 1, .iod_recxs = &recx},
		 {.iod_name = key_of("r"), .iod_type = DAOS_IOD_ARRAY, .iod_size = 8, .iod_nr = 1, .iod_recxs = &recx}};
	struct vos_dtx *dtx;
	struct vos_io  *io;
	struct rig	rig;
	uint8_t		buf[32] = {1};
	d_iov_t		iov;
	d_sg_list_t	sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&iov, buf, 32);
	rig_init(&rig, RIG_RAM, &small);
	assert_int_equal(vos_dtx_begin(rig.cont, &id, 10, &dtx), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vos_update_begin(rig.cont, oid_a(), 10, 0, &dkey, 1, &iods[i], &io), 0);
		assert_int_equal(vos_dtx_update(dtx, io), 0);
	}
	assert_int_equal(vos_dtx_end(dtx, VOS_DTX_PREPARE), -DER_INVAL);
	assert_int_equal(vos_dtx_begin(rig.cont, &id, 10, &dtx), 0);
	assert_int_equal(vos_update_begin(rig.cont, oid_a(), 10, 0, &dkey, 1, &iods[0], &io), 0);
	assert_int_equal(vos_dtx_update(dtx, io), 0);
	assert_int_equal(vos_dtx_end(dtx, VOS_DTX_PREPARE), 0);
	/* Records of another size wait for what becomes of it. */
	assert_blocked_by(&rig, vos_obj_update(rig.cont, oid_a(), 11, 0, &dkey, 1, &iods[1], &sgl), 3);
	assert_int_equal(vos_dtx_commit(rig.cont, &id), 0);
	assert_int_equal(vos_obj_update(rig.cont, oid_a(), 11, 0, &dkey, 1, &iods[1], &sgl), -DER_INVAL);
	rig_fini(&rig);
}

static int
list_cb(const struct vos_iter_entry *ent, void *arg)
{
	(*(int *)arg)++;
	return 0;
}

static int
list_dkeys(struct rig *rig, uint64_t epoch)
{
	struct vos_iter_param param = {.cont = rig->cont, .oid = oid_a(), .epoch = epoch};
	daos_anchor_t	      anchor = {0};
	int		      nr = 0;
	int		      rc = vos_iterate(&param, VOS_ITER_DKEY, &anchor, list_cb, &nr);

	return rc != 0 ? rc : nr;
}

static void
listing_depends_on_what_appears_or_goes(void **state)
{
	struct dtx_id	id = id_of(2);
	daos_key_t	dkey = key_of("x");
	struct vos_dtx *dtx;
	struct rig	rig;

	rig_init(&rig, RIG_VOLATILE, &small);
	assert_int_equal(plain_put(&rig, "x", 5, 10, 'a'), 0);
	assert_int_equal(plain_put(&rig, "y", 5, 10, 'a'), 0);
	/* More of what is there changes nothing. */
	assert_int_equal(two_puts(&rig, 1, 10, 'b', VOS_DTX_PREPARE), 0);
	assert_int_equal(list_dkeys(&rig, 20), 2);
	assert_int_equal(vos_dtx_begin(rig.cont, &id, 12, &dtx), 0);
	assert_int_equal(vos_dtx_punch(dtx, oid_a(), 0, &dkey, 0, NULL), 0);
	assert_int_equal(vos_dtx_end(dtx, VOS_DTX_PREPARE), 0);
	assert_int_equal(list_dkeys(&rig, 11), 2);
	assert_blocked_by(&rig, list_dkeys(&rig, 12), 2);
	assert_int_equal(vos_dtx_commit(rig.cont, &id), 0);
	id = id_of(1);
	assert_int_equal(vos_dtx_commit(rig.cont, &id), 0);
	assert_int_equal(list_dkeys(&rig, 12), 1);
	assert_int_equal(list_dkeys(&rig, 11), 2);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static void
records_and_ids_survive_restarts(void **state)
{
	struct vos_dtx_stat stat;
	struct dtx_id	    id = id_of(2);
	struct rig	    rig;

	rig_init(&rig, RIG_RAM, &small);
	assert_int_equal(bio_ram_track(rig.ram), 0);
	assert_int_equal(two_puts(&rig, 1, 10, 'a', VOS_DTX_COMMIT), 0);
	assert_int_equal(two_puts(&rig, 2, 20, 'b', VOS_DTX_PREPARE), 0);
	assert_int_equal(two_puts(&rig, 3, 30, 'c', VOS_DTX_PREPARE), 0);
	rig_power_loss(&rig, 8);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	vos_dtx_stat(rig.cont, &stat);
	assert_int_equal(stat.prepared_nr, 2);
	assert_int_equal(stat.committed_nr, 1);
	assert_int_equal(stat.prepared_epoch_min, 20);
	assert_int_equal(plain_get(&rig, "x", 19), 'a');
	assert_blocked_by(&rig, plain_get(&rig, "y", 25), 2);
	assert_int_equal(vos_dtx_commit(rig.cont, &id), 0);
	rig_power_loss(&rig, 0);
	assert_int_equal(plain_get(&rig, "y", 25), 'b');
	id = id_of(3);
	assert_int_equal(vos_dtx_abort(rig.cont, &id), 0);
	rig_power_loss(&rig, 0);
	assert_int_equal(plain_get(&rig, "y", 35), 'b');
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static int
name_cb(const uuid_t uuid, void *arg)
{
	assert_int_equal(memcmp(uuid, arg, 16), 0);
	return 7;
}

static void
many_are_committed_with_one_wait(void **state)
{
	struct vos_dtx_stat stat;
	struct dtx_id	    ids[12];
	struct rig	    rig;
	int		    rcs[12];
	int		    i;

	rig_init(&rig, RIG_RAM, &small);
	for (i = 0; i < 12; i++) {
		ids[i] = id_of(i + 1);
		if (i != 5)
			assert_int_equal(two_puts(&rig, i + 1, 10 + i, 'a' + i, VOS_DTX_PREPARE), 0);
	}
	assert_int_equal(vos_dtx_commit(rig.cont, &ids[3]), 0);
	assert_int_equal(vos_dtx_commit_many(rig.cont, ids, 12, rcs), 0);
	for (i = 0; i < 12; i++)
		assert_int_equal(rcs[i], i == 5 ? -DER_NONEXIST : 0);
	vos_dtx_stat(rig.cont, &stat);
	assert_int_equal(stat.prepared_nr, 0);
	assert_int_equal(stat.committed_nr, 11);
	assert_int_equal(plain_get(&rig, "x", DAOS_EPOCH_MAX), 'a' + 11);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	assert_int_equal(vos_cont_list(rig.pool, name_cb, rig.cont_uuid), 7);
	rig_fini(&rig);
}

static int
resolve_cb(const struct dtx_id *id, daos_epoch_t epoch, enum vos_dtx_how *how, void *arg)
{
	*how = id->hlc == 2 ? VOS_DTX_COMMIT : id->hlc == 3 ? VOS_DTX_ROLLBACK : VOS_DTX_PREPARE;
	assert_int_equal(epoch, 10 * id->hlc);
	return 0;
}

static void
leaked_records_are_resolved_and_ids_trimmed(void **state)
{
	struct vos_dtx_stat stat;
	struct rig	    rig;
	int		    i;

	rig_init(&rig, RIG_VOLATILE, &small);
	for (i = 2; i < 6; i++)
		assert_int_equal(two_puts(&rig, i, 10 * i, 'a' + i, VOS_DTX_PREPARE), 0);
	assert_int_equal(vos_dtx_resolve(rig.cont, 4, resolve_cb, NULL), 1);
	assert_int_equal(plain_get(&rig, "x", 39), 'a' + 2);
	vos_dtx_stat(rig.cont, &stat);
	assert_int_equal(stat.prepared_nr, 2);
	for (i = 100; i < 300; i++)
		assert_int_equal(two_puts(&rig, i, 10 * i, 'c', VOS_DTX_COMMIT), 0);
	assert_int_equal(vos_dtx_trim(rig.cont, 250, 100), 0);
	vos_dtx_stat(rig.cont, &stat);
	assert_int_equal(stat.committed_nr, 100);
	assert_int_equal(vos_dtx_trim(rig.cont, 250, 0), 0);
	vos_dtx_stat(rig.cont, &stat);
	assert_int_equal(stat.committed_nr, 49);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static bool
id_is_even(const struct dtx_id *id, void *arg)
{
	++*(int *)arg;
	return id->hlc % 2 == 0;
}

static void
a_sweep_goes_round_and_forgets_what_may_go(void **state)
{
	struct vos_dtx_stat stat;
	struct dtx_id	    id;
	struct rig	    rig;
	int		    asked = 0;
	int		    i;

	rig_init(&rig, RIG_VOLATILE, &small);
	assert_int_equal(vos_dtx_sweep(rig.cont, 10, id_is_even, &asked), 0);
	assert_int_equal(asked, 0);
	for (i = 101; i <= 200; i++)
		assert_int_equal(two_puts(&rig, i, 10 * i, 'c', VOS_DTX_COMMIT), 0);
	assert_int_equal(vos_dtx_sweep(rig.cont, 60, id_is_even, &asked), 0);
	assert_int_equal(asked, 60);
	vos_dtx_stat(rig.cont, &stat);
	assert_int_equal(stat.committed_nr, 70);
	assert_int_equal(vos_dtx_sweep(rig.cont, 60, id_is_even, &asked), 0);
	assert_int_equal(asked, 100); /* it stopped at the end */
	assert_int_equal(vos_dtx_sweep(rig.cont, 60, id_is_even, &asked), 0);
	assert_int_equal(asked, 150); /* and began anew */
	for (i = 101; i <= 200; i++) {
		id = id_of(i);
		assert_int_equal(vos_dtx_check(rig.cont, &id, NULL),
				 i % 2 == 0 ? VOS_DTX_UNKNOWN : VOS_DTX_COMMITTED);
	}
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static void
aggregation_stops_before_what_is_prepared(void **state)
{
	struct vos_cont_info info;
	struct dtx_id	     id = id_of(2);
	struct rig	     rig;

	rig_init(&rig, RIG_VOLATILE, &small);
	assert_int_equal(plain_put(&rig, "x", 5, 10, 'a'), 0);
	assert_int_equal(two_puts(&rig, 2, 20, 'b', VOS_DTX_PREPARE), 0);
	assert_int_equal(plain_put(&rig, "x", 30, 10, 'c'), 0);
	assert_int_equal(vos_aggregate(rig.cont, 40, NULL, NULL), 0);
	vos_cont_query(rig.cont, &info);
	assert_int_equal(info.hae, 19);
	assert_int_equal(vos_dtx_commit(rig.cont, &id), 0);
	assert_int_equal(plain_get(&rig, "x", 25), 'b');
	assert_int_equal(vos_aggregate(rig.cont, 40, NULL, NULL), 0);
	assert_int_equal(plain_get(&rig, "x", 40), 'c');
	assert_int_equal(vos_pool_check(rig.pool), 0);
	/* A container may go with what is prepared in it. */
	assert_int_equal(two_puts(&rig, 3, 50, 'b', VOS_DTX_PREPARE), 0);
	vos_cont_close(rig.cont);
	rig.cont = NULL;
	assert_int_equal(vos_cont_destroy(rig.pool, rig.cont_uuid), 0);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	assert_int_equal(vos_gc(rig.pool, 10000), 0);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

/* ---- timestamps ---- */

static int
tx_get(struct rig *rig, uint64_t id_nr, const char *dkey, uint64_t epoch)
{
	struct dtx_id  id = id_of(id_nr);
	struct single  s;
	struct vos_io *io;
	int	       rc;

	single_init(&s, dkey, "a", 0);
	rc = vos_dtx_fetch_begin(rig->cont, &id, oid_a(), epoch, 0, &s.dkey, 1, &s.iod, &io);
	if (rc != 0)
		return rc;
	rc = vos_io_iod_size(io, 0) == 0 ? 0 : *(char *)vos_io_sgl(io, 0)->sg_iovs[0].iov_buf;
	vos_fetch_end(io);
	return rc;
}

static void
writes_below_a_read_restart(void **state)
{
	struct vos_iter_param param;
	daos_anchor_t	      anchor = {0};
	daos_key_t	      dkey = key_of("y");
	struct dtx_id	      id = id_of(9);
	struct rig	      rig;
	int		      nr = 0;

	rig_init(&rig, RIG_VOLATILE, &small);
	assert_int_equal(plain_put(&rig, "x", 5, 10, 'a'), 0);
	assert_int_equal(tx_get(&rig, 1, "x", 20), 'a');
	assert_int_equal(tx_get(&rig, 1, "none", 20), 0);
	/* What was read, there or not, must not change below the read. */
	assert_int_equal(plain_put(&rig, "x", 19, 10, 'b'), -DER_TX_RESTART);
	assert_int_equal(plain_put(&rig, "none", 20, 10, 'b'), -DER_TX_RESTART);
	assert_int_equal(plain_put(&rig, "other", 19, 10, 'b'), 0);
	assert_int_equal(two_puts(&rig, 2, 20, 'b', VOS_DTX_COMMIT), -DER_TX_RESTART);
	assert_int_equal(two_puts(&rig, 1, 20, 'b', VOS_DTX_COMMIT), 0);
	assert_int_equal(vos_obj_punch(rig.cont, oid_a(), 19, 0, NULL, 0, NULL), -DER_TX_RESTART);
	assert_int_equal(vos_obj_punch(rig.cont, oid_a(), 19, 0, &dkey, 0, NULL), 0);
	/* A listing concerns all that is below. */
	param = (struct vos_iter_param){.cont = rig.cont, .oid = oid_a(), .epoch = 50};
	assert_int_equal(vos_dtx_iterate(&id, &param, VOS_ITER_DKEY, &anchor, list_cb, &nr), 0);
	assert_int_equal(plain_put(&rig, "never read", 49, 10, 'b'), -DER_TX_RESTART);
	assert_int_equal(plain_put(&rig, "never read", 51, 10, 'b'), 0);
	assert_int_equal(vos_pool_set_read_floor(rig.pool, 100), 0);
	assert_int_equal(plain_put(&rig, "never read", 100, 10, 'b'), -DER_TX_RESTART);
	assert_int_equal(plain_put(&rig, "never read", 101, 10, 'b'), 0);
	rig_fini(&rig);
}

/** A transaction that listed the objects of a container sees none come or go below its epoch, as others do. */
static void
objects_listed_stay_as_they_were(void **state)
{
	struct vos_iter_param param;
	daos_anchor_t	      anchor = {0};
	daos_key_t	      dkey = key_of("x");
	struct dtx_id	      id = id_of(9);
	struct vos_cont	     *other;
	struct single	      s;
	struct rig	      rig;
	uuid_t		      uuid = "another one";
	int		      nr = 0;

	rig_init(&rig, RIG_VOLATILE, &small);
	assert_int_equal(vos_cont_create(rig.pool, uuid), 0);
	assert_int_equal(vos_cont_open(rig.pool, uuid, &other), 0);
	/* What is prepared at an epoch that is read has to be settled first. */
	assert_int_equal(two_puts(&rig, 3, 20, 'b', VOS_DTX_PREPARE), 0);
	param = (struct vos_iter_param){.cont = rig.cont, .epoch = 50};
	assert_int_equal(vos_dtx_iterate(&id, &param, VOS_ITER_OBJ, &anchor, list_cb, &nr), -DER_INPROGRESS);
	id = id_of(3);
	assert_int_equal(vos_dtx_commit(rig.cont, &id), 0);
	id = id_of(9);
	memset(&anchor, 0, sizeof(anchor));
	assert_int_equal(vos_dtx_iterate(&id, &param, VOS_ITER_OBJ, &anchor, list_cb, &nr), 0);
	assert_int_equal(nr, 1);
	/* Any write, any punch, to objects there are and others. */
	assert_int_equal(plain_put(&rig, "never read", 49, 10, 'b'), -DER_TX_RESTART);
	assert_int_equal(plain_put(&rig, "never read", 50, 10, 'b'), -DER_TX_RESTART);
	assert_int_equal(vos_obj_punch(rig.cont, oid_a(), 49, 0, NULL, 0, NULL), -DER_TX_RESTART);
	assert_int_equal(vos_obj_punch(rig.cont, oid_a(), 49, 0, &dkey, 0, NULL), -DER_TX_RESTART);
	assert_int_equal(two_puts(&rig, 4, 49, 'b', VOS_DTX_COMMIT), -DER_TX_RESTART);
	/* The transaction itself may, and who comes later, and in other containers. */
	assert_int_equal(two_puts(&rig, 9, 50, 'b', VOS_DTX_COMMIT), 0);
	assert_int_equal(plain_put(&rig, "never read", 51, 10, 'b'), 0);
	single_init(&s, "x", "a", 1);
	assert_int_equal(vos_obj_update(other, oid_a(), 49, 0, &s.dkey, 1, &s.iod, &s.sgl), 0);
	vos_cont_close(other);
	rig_fini(&rig);
}

static void
many_reads_push_others_out_but_none_is_forgotten(void **state)
{
	struct rig rig;
	uint64_t   i;
	uint32_t   refused = 0;
	char	   name[32];

	rig_init(&rig, RIG_VOLATILE, &small);
	for (i = 0; i < 60000; i++) {
		snprintf(name, sizeof(name), "key %lu", (unsigned long)i);
		assert_int_equal(tx_get(&rig, 1, name, 1000 + i % 7), 0);
	}
	for (i = 0; i < 60000; i += 97) {
		snprintf(name, sizeof(name), "key %lu", (unsigned long)i);
		assert_int_equal(plain_put(&rig, name, 999, 1, 'a'), -DER_TX_RESTART);
		refused += plain_put(&rig, name, 1000 + i % 7 + 1, 1, 'a') == -DER_TX_RESTART;
	}
	/* More may be refused than has to be, not all. */
	assert_true(refused < 600);
	rig_fini(&rig);
}

/* ---- serializability ---- */

#define CELL_NR	 12
#define TX_NR	 1500
#define CLIENT_NR 6

/** What a committed transaction saw and left. */
struct story {
	uint64_t epoch;
	uint64_t id;
	uint8_t	 read_cell[3];
	uint32_t read_val[3];
	uint8_t	 write_cell[2];
	uint32_t write_val[2];
	uint32_t read_nr;
	uint32_t write_nr;
	uint32_t listed; /**< cells that existed, 0: did not look */
	int32_t	 punched; /**< -1: none */
};

struct bank {
	struct rig    rig;
	struct rnd    r;
	uint64_t      now;
	uint64_t      next_id;
	struct story *stories;
	uint32_t      story_nr;
	uint32_t      restarts;
	uint32_t      waits;
	uint32_t      clients;
	struct ult_eventual done;
};

static const char *const cells[CELL_NR] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"};

static int
bank_read(struct bank *b, const struct dtx_id *id, uint64_t epoch, uint32_t cell, uint32_t *val)
{
	struct single *s = malloc(sizeof(*s));
	struct vos_io *io;
	int	       rc;

	single_init(s, cells[cell], "a", 0);
	rc = vos_dtx_fetch_begin(b->rig.cont, id, oid_a(), epoch, 0, &s->dkey, 1, &s->iod, &io);
	free(s);
	if (rc != 0)
		return rc;
	*val = 0;
	if (vos_io_iod_size(io, 0) != 0)
		memcpy(val, vos_io_sgl(io, 0)->sg_iovs[0].iov_buf, sizeof(*val));
	vos_fetch_end(io);
	return 0;
}

static void
maybe_yield(struct bank *b)
{
	for (uint64_t n = rnd_below(&b->r, 4); n > 0; n--)
		ult_yield();
}

/** One transaction from beginning to end; what it saw is in @st. */
static int
bank_tx(struct bank *b, struct story *st)
{
	struct single  *s = calloc(2, sizeof(*s));
	struct dtx_id	id = id_of(st->id);
	struct vos_dtx *dtx = NULL;
	daos_key_t	dkey;
	uint32_t	i;
	int		rc = 0;

	for (i = 0; i < st->read_nr && rc == 0; i++) {
		rc = bank_read(b, &id, st->epoch, st->read_cell[i], &st->read_val[i]);
		maybe_yield(b);
	}
	if (rc == 0 && rnd_below(&b->r, 8) == 0) {
		struct vos_iter_param param = {.cont = b->rig.cont, .oid = oid_a(), .epoch = st->epoch};
		daos_anchor_t	      anchor = {0};
		int		      nr = 0;

		rc = vos_dtx_iterate(&id, &param, VOS_ITER_DKEY, &anchor, list_cb, &nr);
		st->listed = nr + 1;
	}
	if (rc == 0)
		rc = vos_dtx_begin(b->rig.cont, &id, st->epoch, &dtx);
	for (i = 0; i < st->write_nr && rc == 0; i++) {
		struct vos_io *io;

		single_init(&s[i], cells[st->write_cell[i]], "a", sizeof(uint32_t));
		rc = vos_update_begin(b->rig.cont, oid_a(), st->epoch, 0, &s[i].dkey, 1, &s[i].iod, &io);
		if (rc == 0) {
			memcpy(vos_io_sgl(io, 0)->sg_iovs[0].iov_buf, &st->write_val[i], sizeof(uint32_t));
			rc = vos_dtx_update(dtx, io);
		}
	}
	if (rc == 0 && st->punched >= 0) {
		dkey = key_of(cells[st->punched]);
		rc = vos_dtx_punch(dtx, oid_a(), 0, &dkey, 0, NULL);
	}
	if (dtx != NULL && rc != 0)
		assert_int_equal(vos_dtx_end(dtx, VOS_DTX_ROLLBACK), 0);
	else if (dtx != NULL && rnd_below(&b->r, 3) == 0)
		rc = vos_dtx_end(dtx, VOS_DTX_COMMIT);
	else if (dtx != NULL) {
		rc = vos_dtx_end(dtx, VOS_DTX_PREPARE);
		maybe_yield(b);
		if (rc == 0 && rnd_below(&b->r, 6) == 0) {
			assert_int_equal(vos_dtx_abort(b->rig.cont, &id), 0);
			rc = -DER_CANCELED;
		} else if (rc == 0) {
			rc = vos_dtx_commit(b->rig.cont, &id);
		}
	}
	free(s);
	return rc;
}

static void
bank_client(void *arg)
{
	struct bank *b = arg;

	while (b->story_nr < TX_NR) {
		struct story st = {.punched = -1};
		uint32_t     i;
		int	     rc;

		/* Clocks of several clients: epochs come near one another, in any order. */
		b->now += rnd_below(&b->r, 3);
		st.epoch = b->now + rnd_below(&b->r, 6) + 1;
		st.id = ++b->next_id;
		st.read_nr = rnd_below(&b->r, 4);
		st.write_nr = rnd_below(&b->r, 3);
		for (i = 0; i < st.read_nr; i++)
			st.read_cell[i] = rnd_below(&b->r, CELL_NR);
		for (i = 0; i < st.write_nr; i++) {
			st.write_cell[i] = (rnd_below(&b->r, CELL_NR / 2)) * 2 + i;
			st.write_val[i] = st.id * 4 + i + 1;
		}
		if (rnd_below(&b->r, 12) == 0)
			st.punched = rnd_below(&b->r, CELL_NR);
		rc = bank_tx(b, &st);
		if (rc == -DER_TX_RESTART)
			b->restarts++;
		else if (rc == -DER_INPROGRESS)
			b->waits++;
		else if (rc == 0 && b->story_nr < TX_NR)
			b->stories[b->story_nr++] = st;
		else
			assert_true(rc == 0 || rc == -DER_CANCELED);
		ult_yield();
	}
	if (--b->clients == 0)
		ult_eventual_set(&b->done, 0);
}

static int
story_cmp(const void *a, const void *b)
{
	const struct story *x = a;
	const struct story *y = b;

	return x->epoch < y->epoch ? -1 : x->epoch > y->epoch;
}

/** Replay in the order of epochs. Those of one epoch may go in any order: each must fit some. */
static void
stories_check(struct bank *b)
{
	uint32_t now[CELL_NR] = {0};
	uint32_t i;
	uint32_t j;
	uint32_t n;

	qsort(b->stories, b->story_nr, sizeof(*b->stories), story_cmp);
	for (i = 0; i < b->story_nr; i = j) {
		uint32_t group = 0;
		bool	 used[64] = {false};

		for (j = i; j < b->story_nr && b->stories[j].epoch == b->stories[i].epoch; j++)
			;
		assert_true(j - i < ARRAY_NR(used));
		/* Take, again and again, one that saw what is there now; readers first. */
		while (group < j - i) {
			uint32_t best = UINT32_MAX;

			for (n = i; n < j; n++) {
				const struct story *st = &b->stories[n];
				bool		    fits = !used[n - i];
				uint32_t	    there = 0;
				uint32_t	    k;

				for (k = 0; k < st->read_nr; k++)
					fits &= now[st->read_cell[k]] == st->read_val[k];
				for (k = 0; k < CELL_NR; k++)
					there += now[k] != 0;
				if (st->listed != 0)
					fits &= st->listed == there + 1;
				if (fits && (best == UINT32_MAX || st->write_nr == 0))
					best = n;
			}
			if (best == UINT32_MAX)
				fail_msg("epoch %lu: nobody can come next", (unsigned long)b->stories[i].epoch);
			used[best - i] = true;
			group++;
			for (n = 0; n < b->stories[best].write_nr; n++)
				now[b->stories[best].write_cell[n]] = b->stories[best].write_val[n];
			if (b->stories[best].punched >= 0)
				now[b->stories[best].punched] = 0;
		}
	}
}

static void
concurrent_transactions_are_serializable(void **state)
{
	struct bank *b = calloc(1, sizeof(*b));
	uint32_t     i;

	b->stories = calloc(TX_NR, sizeof(*b->stories));
	b->r = rnd_init("serializable", 77);
	rig_init(&b->rig, RIG_RAM, &small);
	ult_eventual_init(&b->done);
	b->clients = CLIENT_NR;
	for (i = 0; i < CLIENT_NR; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, bank_client, b, 1 << 18, NULL), 0);
	assert_int_equal(ult_eventual_wait(&b->done), 0);
	print_message("%u committed, %u restarted, %u met a prepared one\n", b->story_nr, b->restarts, b->waits);
	assert_true(b->restarts > 20 && b->waits > 20);
	stories_check(b);
	assert_int_equal(vos_pool_check(b->rig.pool), 0);
	rig_fini(&b->rig);
	free(b->stories);
	free(b);
}

/** Conditions in one transaction, the @nr-th, one after the other, where "x" is all there is; @how it ends. */
static void
conditions_in(struct rig *rig, uint64_t nr, enum vos_dtx_how how)
{
	struct dtx_id	id = id_of(90 + nr);
	daos_epoch_t	epoch = 10 + 10 * nr;
	struct single  *s = calloc(5, sizeof(*s));
	struct vos_dtx *dtx;
	unsigned	i;

	for (i = 0; i < 5; i++)
		single_init(&s[i], i < 3 ? "x" : "z", i == 2 ? "b" : "a", 100);
	assert_int_equal(vos_dtx_begin(rig->cont, &id, epoch, &dtx), 0);
	assert_int_equal(dtx_put(dtx, &s[0], DAOS_COND_AKEY_INSERT, 'n'), -DER_EXIST);
	assert_int_equal(vos_dtx_punch(dtx, oid_a(), DAOS_COND_PUNCH, &s[0].dkey, 1, &s[0].iod.iod_name), 0);
	/* Its akey is gone, and with it the dkey. */
	assert_int_equal(dtx_put(dtx, &s[0], DAOS_COND_AKEY_UPDATE, 'n'), -DER_NONEXIST);
	assert_int_equal(dtx_put(dtx, &s[0], DAOS_COND_DKEY_UPDATE, 'n'), -DER_NONEXIST);
	assert_int_equal(vos_dtx_punch(dtx, oid_a(), DAOS_COND_PUNCH, &s[0].dkey, 0, NULL), -DER_NONEXIST);
	assert_int_equal(dtx_put(dtx, &s[0], DAOS_COND_DKEY_INSERT, 'n'), 0);
	assert_int_equal(dtx_put(dtx, &s[1], DAOS_COND_AKEY_INSERT, 'm'), -DER_EXIST);
	assert_int_equal(dtx_put(dtx, &s[1], DAOS_COND_AKEY_UPDATE, 'm'), 0);
	assert_int_equal(dtx_put(dtx, &s[2], DAOS_COND_AKEY_INSERT, 'b'), 0);
	/* The object as a whole: punched, nothing is there; then something is again. */
	assert_int_equal(dtx_put(dtx, &s[3], DAOS_COND_DKEY_UPDATE, 'z'), -DER_NONEXIST);
	assert_int_equal(vos_dtx_punch(dtx, oid_a(), DAOS_COND_PUNCH, NULL, 0, NULL), 0);
	assert_int_equal(vos_dtx_punch(dtx, oid_a(), DAOS_COND_PUNCH, NULL, 0, NULL), -DER_NONEXIST);
	assert_int_equal(dtx_put(dtx, &s[3], DAOS_COND_DKEY_INSERT, 'z'), 0);
	assert_int_equal(dtx_put(dtx, &s[4], DAOS_COND_AKEY_UPDATE, 'y'), 0);
	assert_int_equal(vos_dtx_end(dtx, how), 0);
	if (how == VOS_DTX_PREPARE)
		assert_int_equal(vos_dtx_commit(rig->cont, &id), 0);
	assert_int_equal(plain_get(rig, "x", epoch), how == VOS_DTX_ROLLBACK ? 'o' : 0);
	assert_int_equal(plain_get(rig, "z", epoch), how == VOS_DTX_ROLLBACK ? 0 : 'y');
	/* For the next one all is as it was. */
	assert_int_equal(vos_obj_punch(rig->cont, oid_a(), epoch + 1, 0, NULL, 0, NULL), 0);
	assert_int_equal(plain_put(rig, "x", epoch + 2, 100, 'o'), 0);
	free(s);
}

static void
conditions_see_what_their_transaction_did_before(void **state)
{
	struct dtx_id	id = id_of(80);
	struct vos_io  *io;
	struct single	s;
	struct rig	rig;

	rig_init(&rig, RIG_RAM, &small);
	assert_int_equal(plain_put(&rig, "x", 5, 100, 'o'), 0);
	conditions_in(&rig, 0, VOS_DTX_ROLLBACK);
	conditions_in(&rig, 1, VOS_DTX_COMMIT);
	/* With timestamps: what it reads does not stand in its own way. */
	single_init(&s, "w", "a", 10);
	assert_int_equal(vos_dtx_fetch_begin(rig.cont, &id, oid_a(), 25, 0, &s.dkey, 1, &s.iod, &io), 0);
	vos_fetch_end(io);
	conditions_in(&rig, 2, VOS_DTX_PREPARE);
	conditions_in(&rig, 3, VOS_DTX_COMMIT);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static int
group(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(prepared_is_invisible_and_holds_readers_back),
	    cmocka_unit_test(aborting_and_rolling_back_leave_nothing),
	    cmocka_unit_test(one_failing_operation_takes_all_back),
	    cmocka_unit_test(conditions_see_what_their_transaction_did_before),
	    cmocka_unit_test(two_record_sizes_in_one_array_are_refused),
	    cmocka_unit_test(listing_depends_on_what_appears_or_goes),
	    cmocka_unit_test(records_and_ids_survive_restarts),
	    cmocka_unit_test(many_are_committed_with_one_wait),
	    cmocka_unit_test(leaked_records_are_resolved_and_ids_trimmed),
	    cmocka_unit_test(a_sweep_goes_round_and_forgets_what_may_go),
	    cmocka_unit_test(aggregation_stops_before_what_is_prepared),
	    cmocka_unit_test(writes_below_a_read_restart),
	    cmocka_unit_test(objects_listed_stay_as_they_were),
	    cmocka_unit_test(many_reads_push_others_out_but_none_is_forgotten),
	    cmocka_unit_test(concurrent_transactions_are_serializable),
	};

	return cmocka_run_group_tests_name("vos/dtx", tests, NULL, NULL);
}

int
main(void)
{
	return vos_test_run(group);
}
