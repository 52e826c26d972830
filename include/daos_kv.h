/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Key-value stores: an object with one value a key. Keys are strings. */
#ifndef __DAOS_KV_H__
#define __DAOS_KV_H__

#include <daos_types.h>
#include <daos_obj.h>

#if defined(__cplusplus)
extern "C" {
#endif

#define DAOS_COND_KEY_INSERT DAOS_COND_DKEY_INSERT /**< put: the key must not exist */
#define DAOS_COND_KEY_UPDATE DAOS_COND_DKEY_UPDATE /**< put: the key must exist */
#define DAOS_COND_KEY_GET    DAOS_COND_DKEY_FETCH  /**< get: the key must exist */
#define DAOS_COND_KEY_REMOVE DAOS_COND_PUNCH       /**< remove: the key must exist */

/** @param oid  of a DAOS_OT_KV_* type; else -DER_INVAL */
int
daos_kv_open(daos_handle_t coh, daos_obj_id_t oid, unsigned int mode, daos_handle_t *oh,
	     daos_event_t *ev);

int
daos_kv_close(daos_handle_t oh, daos_event_t *ev);

/** Remove the store and all in it; the handle stays open. */
int
daos_kv_destroy(daos_handle_t oh, daos_handle_t th, daos_event_t *ev);

/** Insert or replace. @param size  bytes of @buf, at least 1 */
int
daos_kv_put(daos_handle_t oh, daos_handle_t th, uint64_t flags, const char *key, daos_size_t size,
	    const void *buf, daos_event_t *ev);

/**
 * Read a value.
 * @param size  [in] of @buf, or DAOS_REC_ANY with a NULL @buf to ask [out] of the value, 0: no key
 * Errors: NO_HDL | INVAL | REC2BIG @buf is too short | NONEXIST with DAOS_COND_KEY_GET
 */
int
daos_kv_get(daos_handle_t oh, daos_handle_t th, uint64_t flags, const char *key,
	    daos_size_t *size, void *buf, daos_event_t *ev);

int
daos_kv_remove(daos_handle_t oh, daos_handle_t th, uint64_t flags, const char *key,
	       daos_event_t *ev);

/** List keys; arguments as of daos_obj_list_dkey(). */
int
daos_kv_list(daos_handle_t oh, daos_handle_t th, uint32_t *nr, daos_key_desc_t *kds,
	     d_sg_list_t *sgl, daos_anchor_t *anchor, daos_event_t *ev);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_KV_H__ */
