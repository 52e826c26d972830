/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Small helpers: rank lists, anchors, clocks. */
#ifndef __DAOS_API_H__
#define __DAOS_API_H__

#include <daos_types.h>
#include <daos_event.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** Parse "1:2:5" (with @sep ":"), sorted and without duplicates. NULL: malformed, or no memory. */
d_rank_list_t *
daos_rank_list_parse(const char *str, const char *sep);

/** @opts is unused. */
static inline int
daos_anchor_init(daos_anchor_t *anchor, __attribute__((unused)) unsigned int opts)
{
	memset(anchor, 0, sizeof(*anchor));
	return 0;
}

static inline void
daos_anchor_fini(__attribute__((unused)) daos_anchor_t *anchor)
{
}

/** Whether everything was listed. */
static inline bool
daos_anchor_is_eof(daos_anchor_t *anchor)
{
	return anchor->da_type == DAOS_ANCHOR_TYPE_EOF;
}

/**
 * A handle for reading a container as it was at a snapshot: objects, arrays and KVs take it in place of DAOS_TX_NONE.
 * Changes with it are refused (-DER_NO_PERM). -DER_NONEXIST: there is no snapshot with that epoch.
 */
int
daos_tx_open_snap(daos_handle_t coh, daos_epoch_t epoch, daos_handle_t *th, daos_event_t *ev);

/** Calls under way with it go on. */
int
daos_tx_close(daos_handle_t th, daos_event_t *ev);

/** The epoch that reads with it see. */
int
daos_tx_hdl2epoch(daos_handle_t th, daos_epoch_t *epoch);

/** Wall-clock time of a hybrid logical clock value, such as an epoch. */
int
daos_hlc2timespec(uint64_t hlc, struct timespec *ts);

/** The same in seconds. */
int
daos_hlc2timestamp(uint64_t hlc, time_t *ts);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_API_H__ */
