/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Data of files: reads and writes of the file's array, sizes, holes. */
#include "dfs/dfs_internal.h"

#include "dc/dc.h"

/** A read or write under way: what the array call points to, until it is done. */
struct file_io {
	daos_array_iod_t iod;
	daos_range_t     range;
	daos_size_t     *ret_bytes; /* NULL: not wanted, or the caller is not there any more */
};

static daos_size_t
sgl_bytes(const d_sg_list_t *sgl, bool write)
{
	daos_size_t bytes = 0;

	for (uint32_t i = 0; i < sgl->sg_nr; i++)
		bytes += write ? sgl->sg_iovs[i].iov_len : sgl->sg_iovs[i].iov_buf_len;
	return bytes;
}

static int
io_check(const dfs_t *dfs, const dfs_obj_t *obj, const d_sg_list_t *sgl, bool write)
{
	if (dfs == NULL || obj == NULL || sgl == NULL || (sgl->sg_nr > 0 && sgl->sg_iovs == NULL))
		return EINVAL;
	if (!S_ISREG(obj->mode))
		return S_ISDIR(obj->mode) ? EISDIR : EINVAL;
	if (write && (!dfs->writable || obj->flags == O_RDONLY))
		return EPERM;
	return 0;
}

static int
io_done(void *arg, daos_event_t *ev, int rc)
{
	struct file_io *io = arg;

	(void)ev;
	if (rc == 0 && io->ret_bytes != NULL)
		*io->ret_bytes = io->iod.arr_nr_read;
	free(io);
	return 0;
}

static int
io_start(dfs_obj_t *obj, const daos_array_iod_t *iod, const daos_range_t *range, d_sg_list_t *sgl,
	 bool write, daos_size_t *ret_bytes, daos_event_t *ev)
{
	struct file_io *io = calloc(1, sizeof(*io));
	int             rc;

	if (io == NULL)
		return ENOMEM;
	io->iod       = *iod;
	io->ret_bytes = ret_bytes;
	if (range != NULL) {
		io->range       = *range;
		io->iod.arr_rgs = &io->range;
	}
	rc = daos_event_register_comp_cb(ev, io_done, io);
	if (rc != 0) {
		free(io);
		return daos_der2errno(rc);
	}
	daos_event_errno_rc(ev);
	rc = write ? daos_array_write(obj->oh, DAOS_TX_NONE, &io->iod, sgl, ev)
		   : daos_array_read(obj->oh, DAOS_TX_NONE, &io->iod, sgl, ev);
	if (rc != 0)
		io->ret_bytes = NULL; /* not started: the event frees @io at its next use */
	return daos_der2errno(rc);
}

/** One range, or many: @range is copied when it has to outlive the call. */
static int
io_run(dfs_obj_t *obj, daos_array_iod_t *iod, const daos_range_t *range, d_sg_list_t *sgl, bool write,
       daos_size_t *ret_bytes, daos_event_t *ev)
{
	int rc;

	if (ev != NULL)
		return io_start(obj, iod, range, sgl, write, ret_bytes, ev);
	if (range != NULL)
		iod->arr_rgs = (daos_range_t *)range;
	rc = write ? daos_array_write(obj->oh, DAOS_TX_NONE, iod, sgl, NULL)
		   : daos_array_read(obj->oh, DAOS_TX_NONE, iod, sgl, NULL);
	if (rc == 0 && ret_bytes != NULL)
		*ret_bytes = iod->arr_nr_read;
	return daos_der2errno(rc);
}

int
dfs_read(dfs_t *dfs, dfs_obj_t *obj, d_sg_list_t *sgl, daos_off_t off, daos_size_t *read_size,
	 daos_event_t *ev)
{
	daos_array_iod_t iod = {.arr_nr = 1};
	daos_range_t     range;
	int              rc;

	rc = read_size == NULL ? EINVAL : io_check(dfs, obj, sgl, false);
	if (rc != 0)
		return rc;
	range = (daos_range_t){.rg_idx = off, .rg_len = sgl_bytes(sgl, false)};
	if (range.rg_len == 0)
		iod.arr_nr = 0;
	return io_run(obj, &iod, &range, sgl, false, read_size, ev);
}

int
dfs_readx(dfs_t *dfs, dfs_obj_t *obj, dfs_iod_t *iod, d_sg_list_t *sgl, daos_size_t *read_size,
	  daos_event_t *ev)
{
	daos_array_iod_t aiod;
	int              rc;

	rc = iod == NULL || read_size == NULL ? EINVAL : io_check(dfs, obj, sgl, false);
	if (rc != 0)
		return rc;
	aiod = (daos_array_iod_t){.arr_nr = iod->iod_nr, .arr_rgs = iod->iod_rgs};
	return io_run(obj, &aiod, NULL, sgl, false, read_size, ev);
}

int
dfs_write(dfs_t *dfs, dfs_obj_t *obj, d_sg_list_t *sgl, daos_off_t off, daos_event_t *ev)
{
	daos_array_iod_t iod = {.arr_nr = 1};
	daos_range_t     range;
	int              rc;

	rc = io_check(dfs, obj, sgl, true);
	if (rc != 0)
		return rc;
	range = (daos_range_t){.rg_idx = off, .rg_len = sgl_bytes(sgl, true)};
	if (off > INT64_MAX || range.rg_len > INT64_MAX - off)
		return EFBIG;
	if (range.rg_len == 0)
		iod.arr_nr = 0;
	return io_run(obj, &iod, &range, sgl, true, NULL, ev);
}

int
dfs_writex(dfs_t *dfs, dfs_obj_t *obj, dfs_iod_t *iod, d_sg_list_t *sgl, daos_event_t *ev)
{
	daos_array_iod_t aiod;
	int              rc;

	rc = iod == NULL ? EINVAL : io_check(dfs, obj, sgl, true);
	if (rc != 0)
		return rc;
	aiod = (daos_array_iod_t){.arr_nr = iod->iod_nr, .arr_rgs = iod->iod_rgs};
	return io_run(obj, &aiod, NULL, sgl, true, NULL, ev);
}

/* ---- sizes and holes ---- */

int
dfs_get_size(dfs_t *dfs, dfs_obj_t *obj, daos_size_t *size)
{
	if (dfs == NULL || obj == NULL || size == NULL || !S_ISREG(obj->mode))
		return EINVAL;
	return daos_der2errno(daos_array_get_size(obj->oh, DAOS_TX_NONE, size, NULL));
}

int
dfs_get_size_by_oid(dfs_t *dfs, daos_obj_id_t oid, daos_size_t chunk_size, daos_size_t *size)
{
	daos_handle_t oh;
	int           rc;

	if (dfs == NULL || size == NULL || !daos_is_array(oid))
		return EINVAL;
	rc = daos_array_open_with_attr(dfs->coh, oid, DAOS_TX_NONE, DAOS_OO_RO, 1,
				       chunk_size != 0 ? chunk_size : dfs->attr.da_chunk_size, &oh, NULL);
	if (rc != 0)
		return daos_der2errno(rc);
	rc = daos_array_get_size(oh, DAOS_TX_NONE, size, NULL);
	daos_array_close(oh, NULL);
	return daos_der2errno(rc);
}

static int
punch_range(dfs_obj_t *obj, daos_off_t offset, daos_size_t len)
{
	daos_range_t     range = {.rg_idx = offset, .rg_len = len};
	daos_array_iod_t iod   = {.arr_nr = 1, .arr_rgs = &range};

	if (len == 0)
		return 0;
	return daos_der2errno(daos_array_punch(obj->oh, DAOS_TX_NONE, &iod, NULL));
}

int
dfs_punch(dfs_t *dfs, dfs_obj_t *obj, daos_off_t offset, daos_size_t len)
{
	static const d_sg_list_t none;
	daos_size_t              size;
	int                      rc;

	rc = io_check(dfs, obj, &none, true);
	if (rc != 0)
		return rc;
	if (len == DFS_MAX_FSIZE)
		return offset > INT64_MAX
			   ? EFBIG
			   : daos_der2errno(daos_array_set_size(obj->oh, DAOS_TX_NONE, offset, NULL));
	rc = dfs_get_size(dfs, obj, &size);
	if (rc != 0 || offset >= size)
		return rc;
	if (len >= size - offset)
		return daos_der2errno(daos_array_set_size(obj->oh, DAOS_TX_NONE, offset, NULL));
	return punch_range(obj, offset, len);
}

/** The file ends at its last byte, so a hole at the end gets a zero there. */
int
dfs_punch_hole(dfs_t *dfs, dfs_obj_t *obj, daos_off_t offset, daos_size_t len)
{
	static const d_sg_list_t none;
	char                     zero = 0;
	d_iov_t                  iov;
	d_sg_list_t              sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_size_t              size;
	int                      rc;

	rc = io_check(dfs, obj, &none, true);
	if (rc == 0)
		rc = dfs_get_size(dfs, obj, &size);
	if (rc != 0 || offset >= size || len == 0)
		return rc;
	if (len < size - offset)
		return punch_range(obj, offset, len);
	d_iov_set(&iov, &zero, 1);
	rc = dfs_write(dfs, obj, &sgl, size - 1, NULL);
	return rc == 0 ? punch_range(obj, offset, size - 1 - offset) : rc;
}

int
dfs_sync(dfs_t *dfs)
{
	return dfs == NULL ? EINVAL : 0; /* what was acknowledged is durable */
}
