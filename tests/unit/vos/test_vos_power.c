/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Power cuts under load, on a simulated device: several ULTs change a pool, each by transactions
 * over three keys with the same content (a small and two large values), until the device is gone at
 * some write or flush; then any of the sectors not flushed are lost. What was acknowledged is there,
 * of what was not all three keys or none, and the space adds up. VOS_TEST_SCALE=40: 1,000 cuts.
 */
#include "vos_test_util.h"
#include "base/log.h"
#include "base/util.h"
#include "ult/ult.h"
#include "vos/vos_dtx.h"

#define MIB	   (1ull << 20)
#define DEV_BYTES  (19 * MIB)
#define WRITER_NR  6
#define PART_NR	   3
#define ROUNDS_DEF 25

static const struct vos_pool_size pool_size = {.meta_bytes = 5 * MIB, .wal_bytes = 3 * MIB, .data_bytes = 6 * MIB, .csums = true};
static const uint32_t		  part_bytes[PART_NR] = {60, 5000, 9000};

struct power {
	struct bio_ram	*ram;
	struct bio_dev	*dev;
	struct vos_store store;
	struct vos_pool *pool;
	struct vos_cont *cont;
	struct rnd	 r;
	uint64_t	 epoch;
	uint32_t	 acked[WRITER_NR]; /**< newest number that was answered */
	uint32_t	 tried[WRITER_NR];
	uint32_t	 started;
	uint32_t	 running;
	struct ult_eventual done;
	uint64_t	 acks;
};

static const uuid_t pool_uuid = "power cut pool.";
static const uuid_t cont_uuid = "power cut cont.";

static struct dtx_id
id_of(uint32_t writer, uint32_t nr)
{
	struct dtx_id id = {.hlc = nr};

	memcpy(id.uuid, "writer .........", 16);
	id.uuid[7] = writer;
	return id;
}

/** One part of a writer's group, as a key and an iod. */
struct part {
	uint64_t    dkey_val;
	daos_key_t  dkey;
	daos_recx_t recx;
	daos_iod_t  iod;
};

static void
part_init(struct part *p, uint32_t writer, uint32_t idx)
{
	p->dkey_val = writer * 10 + idx;
	d_iov_set(&p->dkey, &p->dkey_val, sizeof(p->dkey_val));
	p->recx = (daos_recx_t){0, part_bytes[idx]};
	p->iod = (daos_iod_t){.iod_type = DAOS_IOD_ARRAY, .iod_size = 1, .iod_nr = 1, .iod_recxs = &p->recx};
	d_iov_set(&p->iod.iod_name, "a", 1);
}

static daos_unit_oid_t
power_oid(void)
{
	return test_oid(DAOS_OT_ARRAY_BYTE, 1);
}

static int
part_put(struct power *pw, struct vos_dtx *dtx, struct part *p, uint64_t epoch, uint32_t nr)
{
	struct vos_io *io;
	d_sg_list_t   *sgl;
	uint32_t       i;
	uint32_t       k;
	int	       rc;

	rc = vos_update_begin(pw->cont, power_oid(), epoch, 0, &p->dkey, 1, &p->iod, &io);
	if (rc != 0)
		return rc;
	sgl = vos_io_sgl(io, 0);
	for (i = 0; i < sgl->sg_nr; i++)
		for (k = 0; k + 4 <= sgl->sg_iovs[i].iov_len; k += 4)
			memcpy((char *)sgl->sg_iovs[i].iov_buf + k, &nr, 4);
	return vos_dtx_update(dtx, io);
}

/** All three keys get content @nr, in one step or two. */
static int
group_put(struct power *pw, uint32_t writer, uint32_t nr)
{
	struct dtx_id	id = id_of(writer, nr);
	uint64_t	epoch = ++pw->epoch;
	bool		one_step = rnd_below(&pw->r, 2);
	struct part	parts[PART_NR];
	struct vos_dtx *dtx;
	uint32_t	i;
	int		rc;

	rc = vos_dtx_begin(pw->cont, &id, epoch, &dtx);
	if (rc != 0)
		return rc;
	for (i = 0; i < PART_NR && rc == 0; i++) {
		part_init(&parts[i], writer, i);
		rc = part_put(pw, dtx, &parts[i], epoch, nr);
	}
	if (rc != 0) {
		int rc2 = vos_dtx_end(dtx, VOS_DTX_ROLLBACK);

		return rc2 != 0 ? rc2 : rc;
	}
	rc = vos_dtx_end(dtx, one_step ? VOS_DTX_COMMIT : VOS_DTX_PREPARE);
	if (rc != 0 || one_step)
		return rc;
	if (rnd_below(&pw->r, 4) == 0)
		ult_yield();
	return vos_dtx_commit(pw->cont, &id);
}

/** Make room. */
static void
reclaim(struct power *pw, uint32_t nr)
{
	int rc = vos_aggregate(pw->cont, pw->epoch > 12 ? pw->epoch - 12 : 1, NULL, NULL);

	if (rc == 0)
		rc = vos_gc(pw->pool, 200);
	if (rc >= 0)
		rc = vos_dtx_trim(pw->cont, nr, 50);
	assert_true(rc == 0 || rc == -DER_BUSY || bio_ram_has_failed(pw->ram));
}

static void
writer(void *arg)
{
	struct power *pw = arg;
	uint32_t      me = pw->started++;
	int	      rc = 0;

	while (rc == 0 || rc == -DER_EP_OLD || rc == -DER_INPROGRESS || rc == -DER_NOSPACE) {
		rc = group_put(pw, me, ++pw->tried[me]);
		if (rc == 0) {
			pw->acked[me] = pw->tried[me];
			pw->acks++;
		}
		if (rc == -DER_NOSPACE || (me == 0 && pw->tried[me] % 8 == 0))
			reclaim(pw, pw->tried[me]);
	}
	assert_true(bio_ram_has_failed(pw->ram));
	if (--pw->running == 0)
		ult_eventual_set(&pw->done, 0);
}

static void
pool_open(struct power *pw)
{
	assert_int_equal(vos_pool_open(&pw->store, pool_uuid, &pw->pool), 0);
	assert_int_equal(vos_cont_open(pw->pool, cont_uuid, &pw->cont), 0);
}

/** What a writer's part holds: a number, 0 for nothing; torn is a failure. */
static uint32_t
part_get(struct power *pw, uint32_t writer, uint32_t idx)
{
	struct part p;
	uint32_t   *buf = calloc(1, part_bytes[idx] + 4);
	d_iov_t	    iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	uint32_t    nr;
	uint32_t    i;

	part_init(&p, writer, idx);
	p.iod.iod_size = 0;
	d_iov_set(&iov, buf, part_bytes[idx]);
	assert_int_equal(vos_obj_fetch(pw->cont, power_oid(), DAOS_EPOCH_MAX, 0, &p.dkey, 1, &p.iod, &sgl), 0);
	nr = p.iod.iod_size == 0 ? 0 : buf[0];
	for (i = 0; i < part_bytes[idx] / 4; i++)
		assert_int_equal(buf[i], nr);
	free(buf);
	return nr;
}

static int
resolve_cb(const struct dtx_id *id, daos_epoch_t epoch, enum vos_dtx_how *how, void *arg)
{
	*how = rnd_below(arg, 2) ? VOS_DTX_COMMIT : VOS_DTX_ROLLBACK;
	return 0;
}

static void
survived_check(struct power *pw)
{
	struct vos_pool_info info;
	uint32_t	     w;
	uint32_t	     i;

	assert_int_equal(vos_pool_check(pw->pool), 0);
	assert_int_equal(vos_dtx_resolve(pw->cont, UINT64_MAX, resolve_cb, &pw->r), 0);
	assert_int_equal(vos_pool_check(pw->pool), 0);
	vos_pool_query(pw->pool, &info);
	assert_true(info.nvme_free <= info.nvme_total && info.scm_free <= info.scm_total);
	for (w = 0; w < WRITER_NR; w++) {
		uint32_t nr = part_get(pw, w, 0);

		for (i = 1; i < PART_NR; i++)
			assert_int_equal(part_get(pw, w, i), nr);
		/* The one under way may be there; nothing that was answered is missing. */
		assert_true(nr >= pw->acked[w] && nr <= pw->tried[w]);
		pw->acked[w] = nr;
	}
}

static void
one_round(struct power *pw)
{
	uint32_t i;

	bio_ram_fail_after(pw->ram, 1 + rnd_below(&pw->r, 250));
	pw->started = 0;
	pw->running = WRITER_NR;
	ult_eventual_init(&pw->done);
	for (i = 0; i < WRITER_NR; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, writer, pw, 1 << 17, NULL), 0);
	assert_int_equal(ult_eventual_wait(&pw->done), 0);
	vos_cont_close(pw->cont);
	vos_pool_close(pw->pool);
	bio_ram_power_loss(pw->ram, rnd_next(&pw->r));
	pool_open(pw);
	survived_check(pw);
}

static void
power_init(struct power *pw)
{
	struct bio_dev_attr attr = {.kind = BIO_RAM,
				    .path = "device that fails",
				    .size_bytes = DEV_BYTES,
				    .roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA};

	assert_int_equal(bio_ram_create(DEV_BYTES, &pw->ram), 0);
	attr.ram = pw->ram;
	bio_ram_set_async(pw->ram, true);
	assert_int_equal(bio_dev_format(&attr, (const unsigned char *)"power cuts......", false), 0);
	assert_int_equal(bio_dev_open(&attr, &pw->dev), 0);
	assert_int_equal(bio_ctx_create(&pw->store.ctx), 0);
	pw->store.wal = pw->store.meta = pw->store.data = pw->dev;
	assert_int_equal(vos_pool_create(&pw->store, pool_uuid, &pool_size), 0);
	assert_int_equal(vos_pool_open(&pw->store, pool_uuid, &pw->pool), 0);
	assert_int_equal(vos_cont_create(pw->pool, cont_uuid), 0);
	assert_int_equal(vos_cont_open(pw->pool, cont_uuid, &pw->cont), 0);
	assert_int_equal(bio_ram_track(pw->ram), 0);
}

static void
power_fini(struct power *pw)
{
	struct vos_pool_info info;
	int		     rc;

	vos_cont_close(pw->cont);
	assert_int_equal(vos_cont_destroy(pw->pool, cont_uuid), 0);
	while ((rc = vos_gc(pw->pool, 1000)) > 0)
		;
	assert_int_equal(rc, 0);
	assert_int_equal(vos_pool_check(pw->pool), 0);
	vos_pool_query(pw->pool, &info);
	assert_int_equal(info.nvme_free, info.nvme_total);
	vos_pool_close(pw->pool);
	assert_int_equal(vos_pool_destroy(&pw->store, pool_uuid), 0);
	vos_store_fini(&pw->store);
	bio_ctx_destroy(pw->store.ctx);
	bio_dev_close(pw->dev);
	bio_ram_destroy(pw->ram);
}

static void
transactions_survive_power_cuts_whole(void **state)
{
	struct power *pw = calloc(1, sizeof(*pw));
	uint32_t      rounds = rnd_rounds(ROUNDS_DEF);
	char	      masks[1024];
	uint32_t      i;

	pw->r = rnd_init("power cuts", 901);
	/* Failing devices are loud, and many here. */
	d_log_getmasks(masks, sizeof(masks));
	assert_int_equal(d_log_setmasks("FATAL"), 0);
	power_init(pw);
	for (i = 0; i < rounds; i++)
		one_round(pw);
	power_fini(pw);
	assert_int_equal(d_log_setmasks(masks), 0);
	print_message("%u power cuts, %lu transactions answered\n", rounds, (unsigned long)pw->acks);
	assert_true(pw->acks > rounds);
	free(pw);
}

static int
group(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(transactions_survive_power_cuts_whole),
	};

	return cmocka_run_group_tests_name("vos/power", tests, NULL, NULL);
}

int
main(void)
{
	return vos_test_run(group);
}
