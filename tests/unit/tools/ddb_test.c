/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The program ddb, run as its users do, on a pool in a file: what it shows, that it changes nothing
 * unless told to, and what it repairs. argv[1]: the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/log.h"
#include "ult/ult.h"
#include "vos/vos_dtx.h"
#include "vos/vos_internal.h"

static const char *program;
static char	   dir[] = "/tmp/ddb_test_XXXXXX";
static char	   device[64];
static const char  pool_text[] = "706f6f6c-2075-6e64-6572-20746573742e";
static const char  cont_text[] = "636f6e74-2075-6e64-6572-20746573742e";

struct rig {
	struct vos_store store;
	struct bio_dev	*dev;
	struct vos_pool *pool;
	struct vos_cont *cont;
	void (*fn)(struct rig *rig);
	bool format;
};

static void
value_put(struct rig *rig, const char *dkey, uint64_t epoch, uint64_t bytes, char fill, struct vos_dtx *dtx)
{
	daos_unit_oid_t oid = {.id_pub = {.lo = 7, .hi = (uint64_t)DAOS_OT_MULTI_LEXICAL << OID_FMT_TYPE_SHIFT}};
	static daos_key_t keys[8];
	static daos_iod_t iods[8];
	static unsigned	  at;
	daos_key_t	 *key = &keys[at % 8];
	daos_iod_t	 *iod = &iods[at++ % 8];
	struct vos_io	 *io;

	d_iov_set(key, (void *)dkey, strlen(dkey));
	*iod = (daos_iod_t){.iod_type = DAOS_IOD_SINGLE, .iod_size = bytes, .iod_nr = 1};
	d_iov_set(&iod->iod_name, "value", 5);
	assert_int_equal(vos_update_begin(rig->cont, oid, epoch, 0, key, 1, iod, &io), 0);
	memset(vos_io_sgl(io, 0)->sg_iovs[0].iov_buf, fill, bytes);
	assert_int_equal(dtx != NULL ? vos_dtx_update(dtx, io) : vos_update_end(io, 0), 0);
}

static void
fill(struct rig *rig)
{
	struct dtx_id	id = {.hlc = 0x1234};
	struct vos_dtx *dtx;

	value_put(rig, "one", 1, 10, 'a', NULL);
	value_put(rig, "one", 2, 12, 'b', NULL);
	value_put(rig, "two", 3, 9000, 'c', NULL);
	memcpy(id.uuid, "somebody's tx...", 16);
	assert_int_equal(vos_dtx_begin(rig->cont, &id, 5, &dtx), 0);
	value_put(rig, "three", 5, 20, 'd', dtx);
	assert_int_equal(vos_dtx_end(dtx, VOS_DTX_PREPARE), 0);
}

/** Wrong accounts, a leaked block, and a used one that is said to be free. */
static void
break_accounts(struct rig *rig)
{
	uint64_t *bitmap = umem_ptr(rig->pool->umem, rig->pool->df->bitmap);

	vos_tx_begin(rig->pool);
	assert_int_equal(umem_tx_add(rig->pool->umem, rig->cont->df, sizeof(*rig->cont->df)), 0);
	assert_int_equal(umem_tx_add(rig->pool->umem, rig->pool->df, sizeof(*rig->pool->df)), 0);
	assert_int_equal(umem_tx_add(rig->pool->umem, bitmap, 64), 0);
	rig->cont->df->used_bytes += 77;
	rig->pool->df->obj_nr += 3;
	bitmap[3] ^= 1ull << 9;
	assert_int_equal(vos_tx_end(rig->pool, NULL, 0), 0);
}

static void
sound(struct rig *rig)
{
	struct vos_pool_info info;

	assert_int_equal(vos_pool_check(rig->pool), 0);
	vos_pool_query(rig->pool, &info);
	assert_int_equal(info.obj_nr, 1);
}

static void
rig_ult(void *arg)
{
	struct rig	    *rig = arg;
	struct bio_dev_attr  attr = {.kind = BIO_FILE,
				     .path = device,
				     .size_bytes = 24u << 20,
				     .roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA};
	struct vos_pool_size size = {.meta_bytes = 6u << 20, .wal_bytes = 3u << 20, .data_bytes = 4u << 20, .csums = true};
	uuid_t		     pool;
	uuid_t		     cont;

	uuid_parse(pool_text, pool);
	uuid_parse(cont_text, cont);
	if (rig->format)
		assert_int_equal(bio_dev_format(&attr, (const unsigned char *)"ddb test system.", true), 0);
	assert_int_equal(bio_dev_open(&attr, &rig->dev), 0);
	assert_int_equal(bio_ctx_create(&rig->store.ctx), 0);
	rig->store.wal = rig->store.meta = rig->store.data = rig->dev;
	if (rig->format)
		assert_int_equal(vos_pool_create(&rig->store, pool, &size), 0);
	assert_int_equal(vos_pool_open(&rig->store, pool, &rig->pool), 0);
	if (rig->format)
		assert_int_equal(vos_cont_create(rig->pool, cont), 0);
	assert_int_equal(vos_cont_open(rig->pool, cont, &rig->cont), 0);
	rig->fn(rig);
	vos_cont_close(rig->cont);
	vos_pool_close(rig->pool);
	bio_ctx_destroy(rig->store.ctx);
	bio_dev_close(rig->dev);
}

static void
with_pool(void (*fn)(struct rig *rig), bool format)
{
	struct ult_xs_attr attr = {.name = "ddb_test", .stack_bytes = 1 << 20, .core = -1};
	struct rig	   rig = {.fn = fn, .format = format};

	assert_int_equal(ult_xs_run(&attr, rig_ult, &rig), 0);
}

/** Output of ddb with these arguments, exit status in *status. */
static char *
ddb(const char *args, int *status)
{
	static char out[65536];
	char	    cmd[512];
	size_t	    nr;
	FILE	   *p;

	snprintf(cmd, sizeof(cmd), "%s %s %s 2>&1", program, args, device);
	p = popen(cmd, "r");
	assert_non_null(p);
	nr = fread(out, 1, sizeof(out) - 1, p);
	out[nr] = '\0';
	*status = WEXITSTATUS(pclose(p));
	return out;
}

static void
assert_says(const char *args, int want_status, const char *text)
{
	int   status;
	char *out = ddb(args, &status);

	if (status != want_status || strstr(out, text) == NULL)
		fail_msg("ddb %s: status %d, expected %d and `%s'; it said:\n%s", args, status, want_status, text, out);
}

static uint64_t
device_sum(void)
{
	FILE	*f = fopen(device, "r");
	uint64_t sum = 14695981039346656037ull;
	int	 c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		sum = (sum ^ (unsigned)c) * 1099511628211ull;
	fclose(f);
	return sum;
}

static void
shows_everything_and_changes_nothing(void **state)
{
	uint64_t sum;

	with_pool(fill, true);
	sum = device_sum();
	assert_says("-R dev_list", 0, "706f6f6c-2075-6e64-6572-20746573742e/vos-0 data 4194304");
	assert_says("-R superblock_dump", 0, "objects: 1");
	assert_says("-R ls", 0, "[0] 636f6e74-2075-6e64-6572-20746573742e");
	assert_says("-R 'ls -d'", 0, "1 prepared");
	assert_says("-R 'ls -r'", 0, "[0] one\n      [0] value\n        [0] {0-0}@2\n        [1] {0-0}@1");
	assert_says("-R 'ls /[0]/[0]'", 0, "[1] two");
	assert_says("-R 'ls -d /[0]/[0]/two/value'", 0, "record size 9000, data");
	assert_says("-R 'value_dump /[0]/[0]/one/value/[1]'", 0, "aaaaaaaaaa");
	assert_says("-R 'value_dump /[0]/[0]/two/value/[0]'", 0, "00002320  63 63 63 63 63 63 63 63");
	assert_says("-R 'dtx_dump -a /[0]'", 0, "736f6d65-626f-6479-2773-2074782e2e2e.1234 epoch 5, 1 operations, 20 bytes");
	assert_says("-R 'csum_dump /[0]/[0]/two/value/[0]'", 0, "CRC-32C");
	assert_says("-R vea_dump", 0, "1021 of 1024 blocks free");
	assert_says("-R check", 0, "3 blocks read, 0 bad");
	assert_says("-R 'ilog_dump /[0]/[0]'", 0, "newest change 3");
	assert_says("-R 'ls /[0]/nothing'", 1, "nothing: ");
	assert_says("-R 'rm /[0]'", 1, "start ddb with -w");
	assert_says("-R gibberish", 1, "no such command");
	assert_says("-p 00000000-0000-0000-0000-000000000001 -R ls", 1, "no such pool");
	assert_true(sum == device_sum());
}

static void
repairs_accounts(void **state)
{
	with_pool(fill, true);
	with_pool(break_accounts, false);
	assert_says("-R check", 1, "the pool is damaged");
	assert_says("-w -R repair", 0, "2 accounts, 1 blocks, 0 references put right");
	assert_says("-R check", 0, "structures are sound");
	with_pool(sound, false);
}

static void
ends_transactions_and_takes_branches_out(void **state)
{
	with_pool(fill, true);
	assert_says("-w -R 'dtx_act_commit /[0] 736f6d65-626f-6479-2773-2074782e2e2e.1234'", 0, "committed");
	assert_says("-R 'ls /[0]/[0]'", 0, "[1] three");
	assert_says("-R 'dtx_stat /[0]'", 0, "active: 0\ncommitted: 1");
	assert_says("-w -R 'dtx_aggr /[0] 1233'", 0, "0 ids forgotten");
	assert_says("-w -R 'dtx_cmt_clear /[0]'", 0, "1 ids forgotten");
	assert_says("-w -R 'value_load /etc/passwd /[0]/[0]/one/value'", 0, "bytes at epoch 3");
	assert_says("-R 'value_dump /[0]/[0]/one/value/[0]'", 0, "72 6f 6f 74");
	assert_says("-w -R 'rm /[0]/[0]/two'", 0, "removed");
	assert_says("-R 'ls /[0]/[0]'", 0, "[1] three\n");
	assert_says("-R vea_dump", 0, "1024 of 1024 blocks free");
	with_pool(sound, false);
}

static void
finds_rot_and_refuses_what_is_no_device(void **state)
{
	char  buf[8192];
	FILE *f;
	long  at = 0;
	int   status;

	with_pool(fill, true);
	f = fopen(device, "r+");
	assert_non_null(f);
	for (;; at += 4096) {
		assert_int_equal(fseek(f, at, SEEK_SET), 0);
		assert_int_equal(fread(buf, 1, 4096, f), 4096);
		if (memcmp(buf, "cccccccccccccccc", 16) == 0)
			break;
	}
	assert_int_equal(fseek(f, at + 50, SEEK_SET), 0);
	putc('x', f);
	fclose(f);
	assert_says("-R check", 1, "does not match its checksum");
	assert_says("-R 'value_dump /[0]/[0]/two/value/[0]'", 1, "checksum");
	f = fopen(device, "w");
	assert_non_null(f);
	fprintf(f, "no device");
	fclose(f);
	(void)ddb("-R ls", &status);
	assert_int_equal(status, 1);
}

static void
flip(long at)
{
	FILE *f = fopen(device, "r+");
	int   c;

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	c = getc(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	putc(c ^ 1, f);
	fclose(f);
}

static void
makes_second_copies_good_again(void **state)
{
	static const long supers[] = {16, (512 << 10) + 16}, tables[] = {(1 << 20) + 24, (2 << 20) + 24};

	with_pool(fill, true);
	assert_says("-w -R smd_sync", 0, "dev: 0 copies written anew");
	for (int good = 0; good < 2; good++) {
		flip(supers[!good]);
		flip(tables[!good]);
		assert_says("-R smd_sync", 1, "start ddb with -w");
		assert_says("-w -R smd_sync", 0, "dev: 2 copies written anew");
		assert_says("-w -R smd_sync", 0, "dev: 0 copies written anew");
		/* What was written holds the device alone now. */
		flip(supers[good]);
		flip(tables[good]);
		assert_says("-R check", 0, "structures are sound");
		assert_says("-w -R smd_sync", 0, "dev: 2 copies written anew");
	}
	flip(tables[0]);
	flip(tables[1]);
	assert_says("-w -R smd_sync", 1, "blob table");
	assert_says("-w -R smd_sync", 1, "damaged");
}

static void
copies_a_device_onto_another(void **state)
{
	char cmd[256], new[80];

	with_pool(fill, true);
	snprintf(new, sizeof(new), "%s/new", dir);
	snprintf(cmd, sizeof(cmd), "-w -R 'dev_replace /no/such %s'", new);
	assert_says(cmd, 1, "a device named at the start");
	snprintf(cmd, sizeof(cmd), "-R 'dev_replace %s %s'", device, new);
	assert_says(cmd, 1, "start ddb with -w");
	snprintf(cmd, sizeof(cmd), "-w -R 'dev_replace %s %s'", device, new);
	assert_says(cmd, 0, "3 blobs, ");
	assert_says(cmd, 1, "new: ");
	assert_int_equal(rename(new, device), 0);
	assert_says("-R check", 0, "3 blocks read, 0 bad");
	assert_says("-R 'value_dump /[0]/[0]/two/value/[0]'", 0, "00002320  63 63 63 63 63 63 63 63");
	with_pool(sound, false);
}

static void
takes_a_pool_off(void **state)
{
	char cmd[128];
	int  status;

	with_pool(fill, true);
	snprintf(cmd, sizeof(cmd), "-w -R 'rm_pool %s/vos-7'", pool_text);
	assert_says(cmd, 1, "vos-7");
	assert_says("-w -R 'rm_pool gibberish'", 1, "UUID/vos-TARGET");
	assert_says("-w -R rm_pool", 1, "UUID/vos-TARGET");
	assert_says("-R check", 0, "structures are sound");
	snprintf(cmd, sizeof(cmd), "-w -R 'rm_pool %s/vos-0'", pool_text);
	assert_says(cmd, 0, "3 blobs removed");
	assert_null(strstr(ddb("-R dev_list", &status), pool_text));
	assert_says("-R ls", 1, "no such pool");
}

static uint64_t used_block;

/** A block that is said to be used, and one that is. */
static void
leak_a_block(struct rig *rig)
{
	uint64_t *bitmap = umem_ptr(rig->pool->umem, rig->pool->df->bitmap);

	for (used_block = 0; (bitmap[used_block / 64] >> used_block % 64 & 1) == 0;)
		used_block++;
	vos_tx_begin(rig->pool);
	assert_int_equal(umem_tx_add(rig->pool->umem, bitmap, 64), 0);
	bitmap[3] |= 1ull << 9;
	assert_int_equal(vos_tx_end(rig->pool, NULL, 0), 0);
}

static void
frees_blocks_nothing_lies_in(void **state)
{
	char cmd[128];

	with_pool(fill, true);
	with_pool(leak_a_block, false);
	assert_says("-R check", 1, "the pool is damaged");
	assert_says("-w -R 'vea_update 201'", 1, "the first block");
	assert_says("-w -R 'vea_update 201 1024'", 1, "the first block");
	assert_says("-w -R 'vea_update 201 1'", 0, "1 blocks are free now");
	assert_says("-R check", 0, "structures are sound");
	assert_says("-w -R 'vea_update 201 1'", 1, "free already");
	snprintf(cmd, sizeof(cmd), "-w -R 'vea_update %lu 1'", (unsigned long)used_block);
	assert_says(cmd, 1, "values lie in these blocks");
	assert_says("-R check", 0, "3 blocks read, 0 bad");
	with_pool(sound, false);
}

static int
cleanup(void **state)
{
	(void)unlink(device);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(shows_everything_and_changes_nothing, cleanup),
	    cmocka_unit_test_teardown(repairs_accounts, cleanup),
	    cmocka_unit_test_teardown(ends_transactions_and_takes_branches_out, cleanup),
	    cmocka_unit_test_teardown(finds_rot_and_refuses_what_is_no_device, cleanup),
	    cmocka_unit_test_teardown(makes_second_copies_good_again, cleanup),
	    cmocka_unit_test_teardown(copies_a_device_onto_another, cleanup),
	    cmocka_unit_test_teardown(takes_a_pool_off, cleanup),
	    cmocka_unit_test_teardown(frees_blocks_nothing_lies_in, cleanup),
	};
	int failed;

	if (argc != 2 || mkdtemp(dir) == NULL || d_log_init() != 0)
		return 1;
	program = argv[1];
	snprintf(device, sizeof(device), "%s/dev", dir);
	failed = cmocka_run_group_tests_name("tools/ddb", tests, NULL, NULL);
	(void)rmdir(dir);
	d_log_fini();
	return failed;
}
