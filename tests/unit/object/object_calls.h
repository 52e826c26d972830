/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Object operations as calls that wait, on the current client; and a workload that checks them against a model. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dc/dc.h"
#include "object/obj_client.h"

int oc_open(daos_handle_t coh, daos_obj_id_t oid, unsigned mode, daos_handle_t *oh);
int oc_close(daos_handle_t oh);
int oc_update(daos_handle_t oh, uint64_t flags, daos_key_t *dkey, uint32_t nr, daos_iod_t *iods,
	      d_sg_list_t *sgls);
int oc_fetch(daos_handle_t oh, uint64_t flags, daos_key_t *dkey, uint32_t nr, daos_iod_t *iods,
	     d_sg_list_t *sgls, daos_iom_t *ioms);
int oc_punch(daos_handle_t oh, uint64_t flags);
int oc_punch_dkeys(daos_handle_t oh, uint64_t flags, uint32_t nr, daos_key_t *dkeys);
int oc_punch_akeys(daos_handle_t oh, uint64_t flags, daos_key_t *dkey, uint32_t nr, daos_key_t *akeys);
int oc_list_dkey(daos_handle_t oh, uint32_t *nr, daos_key_desc_t *kds, d_sg_list_t *sgl, daos_anchor_t *anchor);
int oc_list_akey(daos_handle_t oh, daos_key_t *dkey, uint32_t *nr, daos_key_desc_t *kds, d_sg_list_t *sgl,
		 daos_anchor_t *anchor);
int oc_list_recx(daos_handle_t oh, daos_key_t *dkey, daos_key_t *akey, daos_size_t *size, uint32_t *nr,
		 daos_recx_t *recxs, daos_epoch_range_t *eprs, daos_anchor_t *anchor, bool rising);
int oc_query_key(daos_handle_t oh, uint64_t flags, daos_key_t *dkey, daos_key_t *akey, daos_recx_t *recx);
int oc_max_epoch(daos_handle_t oh, daos_epoch_t *epoch);

/** A key of a C string, without its NUL. */
daos_key_t oc_key(const char *text);
/** One single value; size 0 is not a punch here but refused. */
int oc_put(daos_handle_t oh, const char *dkey, const char *akey, const void *buf, size_t bytes, uint64_t flags);
/** Into @buf of @room bytes; *ret_bytes 0: nothing there. */
int oc_get(daos_handle_t oh, const char *dkey, const char *akey, void *buf, size_t room, size_t *ret_bytes);

daos_obj_id_t oc_oid(uint64_t n, enum daos_otype_t type, daos_oclass_id_t cid);

/** Small, repeatable randomness. */
uint64_t oc_rnd(uint64_t *state);
static inline uint64_t
oc_rnd_below(uint64_t *state, uint64_t n)
{
	return oc_rnd(state) % n;
}

/**
 * Random updates, punches and fetches of an object against a model, @steps of them, from @seed on; then the
 * lists. @between is called now and then, may be NULL.
 */
void oc_workload(daos_handle_t oh, uint64_t seed, int steps, void (*between)(void *arg, int step), void *arg);
