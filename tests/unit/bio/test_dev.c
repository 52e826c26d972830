/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Formatting, opening, locking, the blob table, damage and power loss. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "bio/bio_int.h"

#define MIB (1u << 20)

static const unsigned char system_uuid[16] = "a system";

struct files {
	char                dir[64], path[80];
	struct bio_dev_attr attr;
};

static void
files_init(struct files *f)
{
	strcpy(f->dir, "/tmp/bio_dev_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/dev", f->dir);
	f->attr = (struct bio_dev_attr){.kind = BIO_FILE, .path = f->path, .size_bytes = 16 * MIB};
}

static void
files_fini(struct files *f)
{
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
}

static struct bio_dev *
open_dev(const struct bio_dev_attr *attr)
{
	struct bio_dev *dev = NULL;

	assert_int_equal(bio_dev_open(attr, &dev), 0);
	return dev;
}

static void
format_reserves_the_space_once(void **state)
{
	struct files         f;
	struct stat          st;
	struct bio_dev      *dev;
	struct bio_dev_space space;
	unsigned char        uuid[16];

	files_init(&f);
	assert_int_equal(bio_dev_open(&f.attr, &dev), -DER_NONEXIST);
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, false), 0);
	assert_int_equal(stat(f.path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= 16 * MIB);
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, false), -DER_EXIST);
	dev = open_dev(&f.attr);
	bio_dev_space(dev, &space);
	assert_int_equal(space.total_bytes, 13 * MIB);
	assert_int_equal(space.free_bytes, 13 * MIB);
	bio_dev_system_uuid(dev, uuid);
	assert_memory_equal(uuid, system_uuid, 16);
	bio_dev_close(dev);
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, true), 0);
	files_fini(&f);
}

static void
format_without_space_says_so(void **state)
{
	struct files   f;
	struct statvfs vfs;

	files_init(&f);
	assert_int_equal(statvfs(f.dir, &vfs), 0);
	f.attr.size_bytes = ((uint64_t)vfs.f_blocks + 1024) * vfs.f_frsize;
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, false), -DER_NOSPACE);
	assert_int_equal(access(f.path, F_OK), -1); /* nothing is left behind */
	f.attr.size_bytes = 2 * MIB;
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, false), -DER_INVAL);
	files_fini(&f);
}

static void
wrong_kinds_are_refused(void **state)
{
	struct files        f;
	struct bio_dev     *dev;
	struct bio_dev_attr attr;

	files_init(&f);
	attr = (struct bio_dev_attr){.kind = BIO_KDEV, .path = f.path};
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, false), 0);
	assert_int_equal(bio_dev_open(&attr, &dev), -DER_INVAL);
	attr = (struct bio_dev_attr){.kind = BIO_FILE, .path = f.dir};
	assert_int_equal(bio_dev_open(&attr, &dev), -DER_INVAL);
	files_fini(&f);
}

static void
a_second_open_is_refused(void **state)
{
	struct files    f;
	struct bio_dev *dev, *second = NULL;
	int             status;
	pid_t           pid;

	files_init(&f);
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, false), 0);
	dev = open_dev(&f.attr);
	assert_int_equal(bio_dev_open(&f.attr, &second), -DER_BUSY);
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, true), -DER_BUSY);
	pid = fork();
	if (pid == 0)
		_exit(bio_dev_open(&f.attr, &second) == -DER_BUSY ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	bio_dev_close(dev);
	bio_dev_close(open_dev(&f.attr));
	files_fini(&f);
}

static void
unformatted_and_truncated_files(void **state)
{
	struct files    f;
	struct bio_dev *dev;
	int             fd;

	files_init(&f);
	fd = open(f.path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(bio_dev_open(&f.attr, &dev), -DER_UNINIT);
	assert_int_equal(ftruncate(fd, 16 * MIB), 0);
	assert_int_equal(bio_dev_open(&f.attr, &dev), -DER_UNINIT);
	assert_int_equal(pwrite(fd, "some other file", 15, 0), 15);
	assert_int_equal(bio_dev_open(&f.attr, &dev), -DER_UNINIT);
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, false), -DER_EXIST);
	assert_int_equal(bio_dev_format(&f.attr, system_uuid, true), 0);
	for (uint64_t bytes = 16 * MIB - 4096; bytes > 0; bytes -= bytes > MIB ? MIB : bytes) {
		assert_int_equal(ftruncate(fd, bytes), 0);
		assert_int_equal(bio_dev_open(&f.attr, &dev), -DER_DF_INVAL);
	}
	close(fd);
	files_fini(&f);
}

/* ---- the table, against a model, with power losses ---- */

#define ID_NR 40

struct table_model {
	uint64_t bytes[ID_NR]; /**< 0: none */
};

static struct bio_blob_id
id_of(uint32_t i)
{
	struct bio_blob_id id = {.pool = "pool", .tgt = i / 3, .role = 1u << (i % 3)};

	return id;
}

struct list_check {
	struct table_model *m;
	uint32_t            nr;
};

static int
check_listed(const struct bio_blob_id *id, uint64_t bytes, void *arg)
{
	struct list_check *c = arg;
	uint32_t           i = id->tgt * 3 + (id->role == 4 ? 2 : id->role - 1);

	assert_true(i < ID_NR);
	assert_int_equal(c->m->bytes[i], bytes);
	c->nr++;
	return 0;
}

static bool
table_matches(struct bio_dev *dev, struct table_model *m)
{
	struct list_check    c = {m, 0};
	struct bio_dev_space space;
	uint64_t             used = 0;
	uint32_t             nr   = 0;

	for (uint32_t i = 0; i < ID_NR; i++) {
		struct bio_blob_id id = id_of(i);

		if ((m->bytes[i] != 0) != (bio_table_find(dev->table, &id) >= 0))
			return false;
		used += m->bytes[i];
		nr += m->bytes[i] != 0;
	}
	assert_int_equal(bio_blob_list(dev, check_listed, &c), 0);
	bio_dev_space(dev, &space);
	assert_int_equal(space.total_bytes - space.free_bytes, used);
	return c.nr == nr;
}

/** One random change; the model follows if it was acknowledged. */
static int
table_change(struct bio_dev *dev, struct table_model *m, uint32_t i, uint64_t clusters)
{
	struct bio_blob_id id = id_of(i);
	int                rc;

	if (m->bytes[i] != 0) {
		assert_int_equal(bio_blob_create(dev, &id, MIB), -DER_EXIST);
		rc = bio_blob_destroy(dev, &id);
		if (rc == 0)
			m->bytes[i] = 0;
		return rc;
	}
	assert_int_equal(bio_blob_destroy(dev, &id), -DER_NONEXIST);
	rc = bio_blob_create(dev, &id, clusters * MIB - 5000);
	if (rc == 0)
		m->bytes[i] = clusters * MIB;
	return rc == -DER_NOSPACE ? 0 : rc;
}

static void
blob_table_survives_power_loss(void **state)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct bio_ram     *ram;
		struct bio_dev_attr attr = {.kind = BIO_RAM, .path = "ram", .size_bytes = 40 * MIB};
		struct table_model  m    = {0}, other;
		struct bio_dev     *dev;
		unsigned            rng = seed;

		assert_int_equal(bio_ram_create(40 * MIB, &ram), 0);
		attr.ram = ram;
		assert_int_equal(bio_dev_format(&attr, system_uuid, false), 0);
		assert_int_equal(bio_ram_track(ram), 0);
		for (int round = 0; round < 3; round++) {
			uint32_t i = 0;
			int      rc = 0;

			dev = open_dev(&attr);
			bio_ram_fail_after(ram, rand_r(&rng) % 50);
			while (rc == 0) {
				i     = rand_r(&rng) % ID_NR;
				other = m;
				rc    = table_change(dev, &m, i, 1 + rand_r(&rng) % 5);
			}
			assert_int_equal(rc, -DER_IO);
			bio_dev_close(dev);
			bio_ram_power_loss(ram, rand_r(&rng));
			/* The change that failed is in or not, the others are. */
			dev = open_dev(&attr);
			struct bio_blob_id id = id_of(i);
			int                at = bio_table_find(dev->table, &id);

			other.bytes[i] = 0;
			for (uint32_t j = 0; at >= 0 && j < dev->table->entries[at].extent_nr; j++)
				other.bytes[i] += (uint64_t)MIB *
						  dev->table->entries[at].extents[j].cluster_nr;
			assert_true(table_matches(dev, &other));
			m = other;
			bio_dev_close(dev);
		}
		bio_ram_destroy(ram);
	}
}

static void
flip_everywhere(struct bio_ram *ram, const struct bio_dev_attr *attr, uint64_t from, uint64_t bytes)
{
	uint8_t        *data = bio_ram_data(ram);
	struct bio_dev *dev  = NULL;
	struct bio_blob_id id = id_of(3);

	for (uint64_t at = from; at < from + bytes; at++) {
		data[at] ^= 1u << (at % 8);
		assert_int_equal(bio_dev_open(attr, &dev), 0);
		assert_true(bio_table_find(dev->table, &id) >= 0);
		bio_dev_close(dev);
		data[at] ^= 1u << (at % 8);
	}
}

/** Any one byte of one copy may go; the same place in both is an error. */
static void
damaged_superblock_and_table(void **state)
{
	struct bio_ram     *ram;
	struct bio_dev_attr attr = {.kind = BIO_RAM, .path = "ram", .size_bytes = 8 * MIB};
	struct bio_blob_id  id   = id_of(3);
	struct bio_dev     *dev;
	uint8_t            *data;

	assert_int_equal(bio_ram_create(8 * MIB, &ram), 0);
	attr.ram = ram;
	assert_int_equal(bio_dev_format(&attr, system_uuid, false), 0);
	dev = open_dev(&attr);
	assert_int_equal(bio_blob_create(dev, &id, 2 * MIB), 0);
	bio_dev_close(dev);
	flip_everywhere(ram, &attr, 0, 128);
	flip_everywhere(ram, &attr, 4000, 96);
	flip_everywhere(ram, &attr, BIO_SUPER_COPY_OFF, 128);
	flip_everywhere(ram, &attr, BIO_TABLE_OFF(0), 64);
	flip_everywhere(ram, &attr, BIO_TABLE_OFF(0) + 4096, 256);
	flip_everywhere(ram, &attr, BIO_TABLE_OFF(1), 64);
	flip_everywhere(ram, &attr, BIO_TABLE_OFF(1) + 4096, 256);
	data = bio_ram_data(ram);
	for (uint64_t at = 0; at < 80; at++) {
		data[at] ^= 1;
		data[BIO_SUPER_COPY_OFF + 79 - at] ^= 2;
		assert_int_equal(bio_dev_open(&attr, &dev), -DER_DF_INVAL);
		data[at] ^= 1;
		data[BIO_SUPER_COPY_OFF + 79 - at] ^= 2;
		data[BIO_TABLE_OFF(0) + at] ^= 1;
		data[BIO_TABLE_OFF(1) + 79 - at] ^= 2;
		assert_int_equal(bio_dev_open(&attr, &dev), -DER_DF_INVAL);
		data[BIO_TABLE_OFF(0) + at] ^= 1;
		data[BIO_TABLE_OFF(1) + 79 - at] ^= 2;
	}
	bio_ram_destroy(ram);
}

static void
volatile_ram_needs_no_format(void **state)
{
	struct bio_dev_attr attr = {.kind = BIO_RAM, .path = "ram", .size_bytes = 8 * MIB};
	struct bio_blob_id  id   = id_of(0);
	struct bio_dev     *dev;

	assert_int_equal(bio_dev_format(&attr, system_uuid, false), 0);
	dev = open_dev(&attr);
	assert_int_equal(bio_blob_create(dev, &id, 5 * MIB), 0);
	assert_int_equal(bio_blob_create(dev, &id, 5 * MIB), -DER_EXIST);
	assert_int_equal(bio_blob_destroy(dev, &id), 0);
	bio_dev_close(dev);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(format_reserves_the_space_once),
	    cmocka_unit_test(format_without_space_says_so),
	    cmocka_unit_test(wrong_kinds_are_refused),
	    cmocka_unit_test(a_second_open_is_refused),
	    cmocka_unit_test(unformatted_and_truncated_files),
	    cmocka_unit_test(blob_table_survives_power_loss),
	    cmocka_unit_test(damaged_superblock_and_table),
	    cmocka_unit_test(volatile_ram_needs_no_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
