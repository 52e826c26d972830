/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Arrays of cells of one size. Cells are stored in chunks, a dkey each, so that chunks spread over
 * the object's targets. Indices and lengths are in cells.
 */
#ifndef __DAOS_ARRAY_H__
#define __DAOS_ARRAY_H__

#include <daos_types.h>
#include <daos_obj.h>
#include <daos_obj_class.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** More short ranges than this in one call are slow: advice, not a limit. */
#define DAOS_ARRAY_LIST_IO_LIMIT 16384
#define DAOS_ARRAY_RG_LEN_THD    16

typedef struct {
	daos_off_t  rg_idx;
	daos_size_t rg_len;
} daos_range_t;

typedef struct {
	daos_size_t   arr_nr;
	daos_range_t *arr_rgs; /**< [arr_nr] */
	/** [out] of a read of an array of bytes: cells asked for beyond the end. */
	daos_size_t   arr_nr_short_read;
	daos_size_t   arr_nr_read; /**< [out] cells read */
} daos_array_iod_t;

typedef struct {
	daos_size_t  st_size;      /**< cells */
	daos_epoch_t st_max_epoch; /**< of the newest change */
} daos_array_stbuf_t;

/** Complete an object ID; with @add_attr the array stores its cell and chunk size. */
static inline int
daos_array_generate_oid(daos_handle_t coh, daos_obj_id_t *oid, bool add_attr, daos_oclass_id_t cid,
			daos_oclass_hints_t hints, uint32_t args)
{
	return daos_obj_generate_oid(coh, oid, add_attr ? DAOS_OT_ARRAY : DAOS_OT_ARRAY_ATTR, cid,
				     hints, args);
}

/**
 * Create an array that stores its attributes, and open it.
 * @param oid         of type DAOS_OT_ARRAY
 * @param cell_size   bytes of a cell
 * @param chunk_size  cells of a chunk
 * Errors: NO_HDL | INVAL | EXIST
 */
int
daos_array_create(daos_handle_t coh, daos_obj_id_t oid, daos_handle_t th, daos_size_t cell_size,
		  daos_size_t chunk_size, daos_handle_t *oh, daos_event_t *ev);

/** Open an array that stores its attributes, and tell them. NONEXIST it was not created */
int
daos_array_open(daos_handle_t coh, daos_obj_id_t oid, daos_handle_t th, unsigned int mode,
		daos_size_t *cell_size, daos_size_t *chunk_size, daos_handle_t *oh,
		daos_event_t *ev);

/** Open an array that does not store its attributes: the caller knows them. */
int
daos_array_open_with_attr(daos_handle_t coh, daos_obj_id_t oid, daos_handle_t th,
			  unsigned int mode, daos_size_t cell_size, daos_size_t chunk_size,
			  daos_handle_t *oh, daos_event_t *ev);

/** Describe a handle for another process; a NULL glob->iov_buf asks for the size. TRUNC */
int
daos_array_local2global(daos_handle_t oh, d_iov_t *glob);

/** Open what such a description describes, in a container handle for the same container. */
int
daos_array_global2local(daos_handle_t coh, d_iov_t glob, unsigned int mode, daos_handle_t *oh);

int
daos_array_close(daos_handle_t oh, daos_event_t *ev);

/** Read ranges into @sgl, of the same total length; holes read as zeroes in an array of bytes. */
int
daos_array_read(daos_handle_t oh, daos_handle_t th, daos_array_iod_t *iod, d_sg_list_t *sgl,
		daos_event_t *ev);

/** Write ranges from @sgl, of the same total length. Not atomic beyond a chunk. */
int
daos_array_write(daos_handle_t oh, daos_handle_t th, daos_array_iod_t *iod, d_sg_list_t *sgl,
		 daos_event_t *ev);

/** Index after the last cell. */
int
daos_array_get_size(daos_handle_t oh, daos_handle_t th, daos_size_t *size, daos_event_t *ev);

int
daos_array_stat(daos_handle_t oh, daos_handle_t th, daos_array_stbuf_t *stbuf, daos_event_t *ev);

/** Cut the array, or extend it with a hole. */
int
daos_array_set_size(daos_handle_t oh, daos_handle_t th, daos_size_t size, daos_event_t *ev);

/** Remove the array, attributes included; the handle stays open. */
int
daos_array_destroy(daos_handle_t oh, daos_handle_t th, daos_event_t *ev);

/** Make ranges holes. The size may shrink. */
int
daos_array_punch(daos_handle_t oh, daos_handle_t th, daos_array_iod_t *iod, daos_event_t *ev);

/** Local: what the handle was opened with. */
int
daos_array_get_attr(daos_handle_t oh, daos_size_t *chunk_size, daos_size_t *cell_size);

/** Local: another chunk size for an array that stores no attributes and has no data yet. */
int
daos_array_update_chunk_size(daos_handle_t oh, daos_size_t chunk_size);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_ARRAY_H__ */
