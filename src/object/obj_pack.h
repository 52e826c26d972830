/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Between storage, wire and user: the runs of a fetched value, gathered and scattered; keys packed one
 * after the other; user buffers cut to what a request moves. Pure functions.
 */
#pragma once

#include <daos_obj.h>
#include "base/util.h"

/** Bytes that exist, in the stream of records a descriptor asks for. On the wire: two numbers. */
struct obj_run { uint64_t off, len; };

/* ---- server: out of storage ---- */

/** Runs that @sgl makes, a piece without buffer being a hole; *ret_bytes: their bytes. */
uint32_t obj_runs_count(const d_sg_list_t *sgl, uint64_t *ret_bytes);
/** @runs has room for as many as obj_runs_count() said. */
void obj_runs_fill(const d_sg_list_t *sgl, struct obj_run *runs);
/** Copy what exists to @dst, one piece after the other; returns the end. */
char *obj_pieces_gather(const d_sg_list_t *sgl, char *dst);
/** Copy @src over all of the pieces, which have no holes; returns the end of what was taken. */
const char *obj_pieces_fill(const d_sg_list_t *sgl, const char *src);
/** Bytes of all pieces, holes too. */
uint64_t obj_pieces_bytes(const d_sg_list_t *sgl);

/* ---- client: into user buffers ---- */

/** Rising, not empty, not touching, within @room. PROTO */
int  obj_runs_check(const struct obj_run *runs, uint32_t nr, uint64_t room) MUST_CHECK;
/** Where the last run ends; 0 without any. */
uint64_t obj_runs_end(const struct obj_run *runs, uint32_t nr);
/** Copy the runs' bytes, which follow each other in @src, to their places in @sgl. TRUNC */
int  obj_runs_scatter(const struct obj_run *runs, uint32_t nr, const char *src, d_sg_list_t *sgl) MUST_CHECK;
/** The records that exist, for the user; @iom's room may be too small for all. */
void obj_runs_to_iom(const daos_iod_t *iod, uint64_t rec_bytes, const struct obj_run *runs, uint32_t nr,
		     daos_iom_t *iom);

/**
 * Cut the first @bytes of data (@room false) or room (true) of @sgl out of it into @iovs, which have room for
 * @iov_nr pieces. Returns their number. The caller has checked that there is as much.
 */
uint32_t obj_sgl_cut(const d_sg_list_t *sgl, uint64_t bytes, bool room, d_iov_t *iovs, uint32_t iov_nr);

/* ---- lists of keys ---- */

struct obj_kds_pack {
	daos_key_desc_t *kds;   /**< [nr_max] */
	uint32_t         nr, nr_max;
	char            *buf;   /**< [room] */
	uint64_t         used, room;
	uint64_t         need;  /**< of the key that did not fit; 0: all did */
};
/** False: the list is full, the key is not in it. */
bool obj_kds_add(struct obj_kds_pack *pack, const void *key, uint64_t key_bytes);
/** Whether the reply holds together: as many key bytes as the descriptors say, no empty key. PROTO */
int  obj_kds_check(const daos_key_desc_t *kds, uint32_t nr, uint64_t key_bytes) MUST_CHECK;
