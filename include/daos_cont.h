/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Containers: sets of objects with common properties, inside a pool. */
#ifndef __DAOS_CONT_H__
#define __DAOS_CONT_H__

#define daos_cont_open    daos_cont_open2
#define daos_cont_destroy daos_cont_destroy2
#define daos_cont_create  daos_cont_create2

#include <daos_event.h>
#include <daos_security.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** How to open a container. */
#define DAOS_COO_RO           (1U << 0) /**< read only */
#define DAOS_COO_RW           (1U << 1) /**< read and write */
#define DAOS_COO_EX           (1U << 2) /**< the only handle */
#define DAOS_COO_FORCE        (1U << 3) /**< even if it is marked unclean */
#define DAOS_COO_RO_MDSTATS   (1U << 4) /**< leave its open and close times as they are */
#define DAOS_COO_EVICT        (1U << 5) /**< take this user's other handles away */
#define DAOS_COO_EVICT_ALL    (1U << 6) /**< take all other handles away */
#define DAOS_COO_NEW_LAYOUT   (1U << 7)
#define DAOS_COO_NBITS        (8)
#define DAOS_COO_MASK         ((1U << DAOS_COO_NBITS) - 1)
#define DAOS_COO_IO_BASE_MASK (DAOS_COO_RO | DAOS_COO_RW | DAOS_COO_EX)

#define DAOS_CONT_HINT_MAX_LEN 128

/**
 * Create a container with a UUID of its own.
 * @param uuid       NULL or set to it
 * @param cont_prop  NULL, or properties other than the defaults
 * Errors: NO_HDL | NO_PERM | EXIST the label is taken | INVAL
 */
int
daos_cont_create(daos_handle_t poh, uuid_t *uuid, daos_prop_t *cont_prop, daos_event_t *ev);

/** The same, with a label beside the properties. */
int
daos_cont_create_with_label(daos_handle_t poh, const char *label, daos_prop_t *cont_prop,
			    uuid_t *uuid, daos_event_t *ev);

/**
 * Open a container.
 * @param cont   label or UUID
 * @param flags  DAOS_COO_*
 * @param info   NULL or filled
 * Errors: NO_HDL | NONEXIST | NO_PERM | BUSY | RF it is unclean | INVAL
 */
int
daos_cont_open(daos_handle_t poh, const char *cont, unsigned int flags, daos_handle_t *coh,
	       daos_cont_info_t *info, daos_event_t *ev);

int
daos_cont_close(daos_handle_t coh, daos_event_t *ev);

/** @param force  even if somebody has it open; else -DER_BUSY */
int
daos_cont_destroy(daos_handle_t poh, const char *cont, int force, daos_event_t *ev);

/** @param cont_prop  NULL, or a list whose types are filled; no entries: all, allocated */
int
daos_cont_query(daos_handle_t coh, daos_cont_info_t *info, daos_prop_t *cont_prop,
		daos_event_t *ev);

/** *@acl_prop: ACL, owner and group; freed with daos_prop_free(). */
int
daos_cont_get_acl(daos_handle_t coh, daos_prop_t **acl_prop, daos_event_t *ev);

/** Change properties that can be changed. NO_PERM | INVAL */
int
daos_cont_set_prop(daos_handle_t coh, daos_prop_t *prop, daos_event_t *ev);

/** Mark the container healthy again. */
int
daos_cont_status_clear(daos_handle_t coh, daos_event_t *ev);

/** Replace the ACL. */
int
daos_cont_overwrite_acl(daos_handle_t coh, struct daos_acl *acl, daos_event_t *ev);

/** Change owners; NULL leaves one as it is. NONEXIST no such user or group on this machine */
int
daos_cont_set_owner(daos_handle_t coh, d_string_t user, d_string_t group, daos_event_t *ev);

/** The same for names this machine may not know. */
int
daos_cont_set_owner_no_check(daos_handle_t coh, d_string_t user, d_string_t group,
			     daos_event_t *ev);

/** Attributes work as a pool's: see daos_pool_list_attr() and the following. */
int
daos_cont_list_attr(daos_handle_t coh, char *buffer, size_t *size, daos_event_t *ev);

int
daos_cont_get_attr(daos_handle_t coh, int n, char const *const names[], void *const buffers[],
		   size_t sizes[], daos_event_t *ev);

int
daos_cont_set_attr(daos_handle_t coh, int n, char const *const names[],
		   void const *const values[], size_t const sizes[], daos_event_t *ev);

int
daos_cont_del_attr(daos_handle_t coh, int n, char const *const names[], daos_event_t *ev);

/** Reserve @num_oids numbers, unique in the container, from *@oid on. */
int
daos_cont_alloc_oids(daos_handle_t coh, daos_size_t num_oids, uint64_t *oid, daos_event_t *ev);

/** Longest name of a snapshot. */
#define DAOS_SNAPSHOT_MAX_LEN 128

/** Keep the container as it is now. @param epoch [out] the snapshot's  @param name NULL: none */
int
daos_cont_create_snap(daos_handle_t coh, daos_epoch_t *epoch, char *name, daos_event_t *ev);

/**
 * List snapshots.
 * @param nr      [in] room in the arrays [out] snapshots there are
 * @param epochs  [nr] or NULL
 * @param names   [nr] of DAOS_SNAPSHOT_MAX_LEN bytes each, or NULL
 * @param anchor  where to go on
 */
int
daos_cont_list_snap(daos_handle_t coh, int *nr, daos_epoch_t *epochs, char **names,
		    daos_anchor_t *anchor, daos_event_t *ev);

/** Drop the snapshot of an epoch (lo and hi are the same), or those in a range. */
int
daos_cont_destroy_snap(daos_handle_t coh, daos_epoch_range_t epr, daos_event_t *ev);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_CONT_H__ */
