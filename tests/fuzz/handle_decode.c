/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fuzz target: what clients take from other processes and from objects, over objects in memory. The first byte says
 * what the rest is: a description of an array (daos_array_global2local()) or of a file (dfs_obj_global2local()), magic
 * number and container made right; or the stored attributes of an array. What is accepted is a handle that works.
 *
 * The corpus is what `handle_decode --seeds DIR` wrote: descriptions of real handles.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/log.h>
#include "client_fake.h"
#include "dfs/dfs_internal.h"
#include "fuzz_replay.h"

static const daos_handle_t coh = {1};
static dfs_t               dfs = {.coh = {1}, .writable = true, .attr = {.da_chunk_size = 4096}};

static struct {
	char    data[16384];
	d_iov_t glob;
} array_desc, file_desc;

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static daos_obj_id_t
oid_make(enum daos_otype_t type)
{
	daos_obj_id_t oid = {.lo = 5};

	must(daos_obj_generate_oid(coh, &oid, type, 0, 0, 0) == 0);
	return oid;
}

/** A description of which all but what is between @from and @to, and the magic number, is the input's. */
static void
overlay(d_iov_t *glob, const uint8_t *data, size_t bytes, size_t magic_bytes, size_t from, size_t to)
{
	char *dst = glob->iov_buf;

	for (size_t i = 0; i < bytes && magic_bytes + i < glob->iov_len; i++)
		if (magic_bytes + i < from || magic_bytes + i >= to)
			dst[magic_bytes + i] = data[i];
}

static void
array_use(daos_handle_t oh)
{
	char             bytes[64];
	daos_size_t      chunk, cell;
	daos_range_t     rg = {.rg_idx = 3, .rg_len = 1};
	daos_array_iod_t iod = {.arr_nr = 1, .arr_rgs = &rg};
	d_iov_t          iov;
	d_sg_list_t      sgl = {.sg_nr = 1, .sg_iovs = &iov};

	must(daos_array_get_attr(oh, &chunk, &cell) == 0 && chunk > 0 && cell > 0);
	if (cell <= sizeof(bytes)) {
		d_iov_set(&iov, bytes, cell);
		must(daos_array_read(oh, DAOS_TX_NONE, &iod, &sgl, NULL) == 0);
	}
}

static void
fuzz_array(const uint8_t *data, size_t bytes)
{
	d_iov_t       glob = array_desc.glob;
	daos_handle_t oh;
	char          copy[sizeof(array_desc.data)], again[sizeof(array_desc.data)];

	memcpy(copy, glob.iov_buf, glob.iov_len);
	glob.iov_buf = copy;
	overlay(&glob, data, bytes, 8, glob.iov_len - 16, glob.iov_len);
	if (daos_array_global2local(coh, glob, 0, &oh) != 0)
		return;
	array_use(oh);
	glob = (d_iov_t){.iov_buf = again, .iov_buf_len = sizeof(again)};
	must(daos_array_local2global(oh, &glob) == 0 && memcmp(again, copy, 44) == 0);
	must(daos_array_close(oh, NULL) == 0 && fake.open_nr == 0);
}

static void
fuzz_file(const uint8_t *data, size_t bytes)
{
	d_iov_t     glob = file_desc.glob;
	dfs_obj_t  *obj;
	mode_t      mode;
	char        copy[sizeof(file_desc.data)], again[sizeof(file_desc.data)], target[DFS_MAX_PATH];
	daos_size_t target_bytes = sizeof(target);

	memcpy(copy, glob.iov_buf, glob.iov_len);
	glob.iov_buf = copy;
	overlay(&glob, data, bytes, 4, 0, 0);
	if (dfs_obj_global2local(&dfs, 0, glob, &obj) != 0)
		return;
	must(dfs_get_mode(obj, &mode) == 0);
	if (S_ISREG(mode))
		array_use(obj->oh);
	if (S_ISLNK(mode))
		must(dfs_get_symlink_value(obj, target, &target_bytes) == 0);
	glob = (d_iov_t){.iov_buf = again, .iov_buf_len = sizeof(again)};
	must(dfs_obj_local2global(&dfs, obj, &glob) == 0 && glob.iov_len == file_desc.glob.iov_len);
	must(dfs_release(obj) == 0 && fake.open_nr == 0);
}

/** As its attributes stand in the object. */
static void
fuzz_attr(const uint8_t *data, size_t bytes)
{
	uint64_t      dkey = 0;
	daos_obj_id_t oid = oid_make(DAOS_OT_ARRAY);
	daos_handle_t oh;
	daos_size_t   chunk, cell;
	d_iov_t       dkey_iov, iov;
	d_sg_list_t   sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_iod_t    iod = {.iod_type = DAOS_IOD_SINGLE, .iod_nr = 1, .iod_size = bytes};

	if (bytes == 0 || bytes > 64)
		return;
	d_iov_set(&dkey_iov, &dkey, sizeof(dkey));
	d_iov_set(&iod.iod_name, "attr", 4);
	d_iov_set(&iov, (void *)data, bytes);
	must(daos_obj_open(coh, oid, DAOS_OO_RW, &oh, NULL) == 0);
	must(daos_obj_update(oh, DAOS_TX_NONE, 0, &dkey_iov, 1, &iod, &sgl, NULL) == 0);
	must(daos_obj_close(oh, NULL) == 0);
	if (daos_array_open(coh, oid, DAOS_TX_NONE, DAOS_OO_RW, &cell, &chunk, &oh, NULL) == 0) {
		array_use(oh);
		must(daos_array_close(oh, NULL) == 0);
	}
	must(fake.open_nr == 0);
}

static void (*const kinds[])(const uint8_t *, size_t) = {fuzz_array, fuzz_file, fuzz_attr};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (bytes > 0)
		kinds[data[0] % ARRAY_NR(kinds)](data + 1, bytes - 1);
	return 0;
}

void
fuzz_start(void)
{
	struct dfs_entry entry = {.mode = S_IFREG | 0644, .chunk_size = 1 << 20};
	daos_handle_t    oh;
	dfs_obj_t       *obj;

	must(d_log_init() == 0 && d_log_setmasks("CRIT") == 0);
	fake_start();
	d_iov_set(&array_desc.glob, array_desc.data, sizeof(array_desc.data));
	d_iov_set(&file_desc.glob, file_desc.data, sizeof(file_desc.data));
	entry.oid = oid_make(DAOS_OT_ARRAY_BYTE);
	must(daos_array_open_with_attr(coh, entry.oid, DAOS_TX_NONE, DAOS_OO_RW, 1, 123, &oh, NULL) == 0);
	must(daos_array_local2global(oh, &array_desc.glob) == 0 && daos_array_close(oh, NULL) == 0);
	must(dfs_obj_from_entry(&dfs, (daos_obj_id_t){.hi = 1}, "name", O_RDWR, &entry, &obj) == 0);
	must(dfs_obj_local2global(&dfs, obj, &file_desc.glob) == 0 && dfs_release(obj) == 0);
}

void
fuzz_seeds(const char *dir)
{
	static const char attr[24] = {1, 0, 0, 0, 0x7a, 0xa7, 5, 0xda, 8, 0, 0, 0, 0, 0, 0, 0, 16};
	const uint8_t     head[] = {0, 1, 2};

	fuzz_seed(dir, "array", &head[0], 1, array_desc.data + 8, array_desc.glob.iov_len - 24);
	fuzz_seed(dir, "file", &head[1], 1, file_desc.data + 4, 400);
	fuzz_seed(dir, "attributes", &head[2], 1, attr, sizeof(attr));
}
