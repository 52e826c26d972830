/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Types shared by all parts of the interface. */
#ifndef DAOS_TYPES_H
#define DAOS_TYPES_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdbool.h>
#include <ctype.h>
#include <limits.h>
#include <uuid/uuid.h>
#include <gurt/types.h>
#include <daos_errno.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** Longest system name, without the final NUL. */
#define DAOS_SYS_NAME_MAX        15
/** Longest string in struct daos_sys_info, without the final NUL. */
#define DAOS_SYS_INFO_STRING_MAX 63
/** Longest name of a pool or container attribute. */
#define DAOS_ATTR_NAME_MAX       511

typedef uint64_t daos_size_t;
typedef uint64_t daos_off_t;

/** Longest key an anchor can hold as it is. */
#define DAOS_HKEY_MAX       32
#define DAOS_ANCHOR_BUF_MAX 104

typedef enum {
	DAOS_ANCHOR_TYPE_ZERO = 0, /**< nothing listed yet */
	DAOS_ANCHOR_TYPE_HKEY = 1, /**< position is a hashed key */
	DAOS_ANCHOR_TYPE_KEY  = 2, /**< position is a key */
	DAOS_ANCHOR_TYPE_EOF  = 3, /**< everything was listed */
} daos_anchor_type_t;

/** Position of an iteration; zeroed to start, then handed back unchanged. */
typedef struct {
	uint16_t da_type;
	uint16_t da_shard;
	uint32_t da_flags;
	uint64_t da_sub_anchors;
	uint8_t  da_buf[DAOS_ANCHOR_BUF_MAX];
} daos_anchor_t;

#define DAOS_ANCHOR_INIT                                                                           \
	{                                                                                          \
		.da_type = DAOS_ANCHOR_TYPE_ZERO, .da_shard = 0, .da_flags = 0,                    \
		.da_sub_anchors = 0, .da_buf = { 0 }                                               \
	}

/** An open pool, container, object, event queue, ... */
typedef struct {
	uint64_t cookie;
} daos_handle_t;

#define DAOS_HDL_INVAL ((daos_handle_t){0})
/** Not part of a transaction: each operation is atomic on its own. */
#define DAOS_TX_NONE   DAOS_HDL_INVAL

static inline bool
daos_handle_is_inval(daos_handle_t hdl)
{
	return hdl.cookie == 0;
}

static inline bool
daos_handle_is_valid(daos_handle_t hdl)
{
	return hdl.cookie != 0;
}

/** How to connect to a pool. */
#define DAOS_PC_RO    (1U << 0) /**< read only */
#define DAOS_PC_RW    (1U << 1) /**< read and write */
#define DAOS_PC_EX    (1U << 2) /**< the only connection */
#define DAOS_PC_NBITS 3
#define DAOS_PC_MASK  ((1U << DAOS_PC_NBITS) - 1)

/** A moment in a container's history: a hybrid logical clock value. */
typedef uint64_t daos_epoch_t;

/** Epochs lo..hi, both included. */
typedef struct {
	daos_epoch_t epr_lo;
	daos_epoch_t epr_hi;
} daos_epoch_range_t;

#define DAOS_EPOCH_MAX (~0ULL)

typedef struct {
	uuid_t       ci_uuid;
	daos_epoch_t ci_lsnapshot;  /**< newest snapshot, 0 if none */
	uint32_t     ci_nhandles;
	uint32_t     ci_nsnapshots;
	uint64_t     ci_md_otime;   /**< last open, HLC */
	uint64_t     ci_md_mtime;   /**< last change of metadata, HLC */
} daos_cont_info_t;

typedef d_iov_t daos_key_t;

static inline bool
daos_key_is_null(daos_key_t key)
{
	return key.iov_buf == NULL || key.iov_buf_len == 0;
}

/** Tells that an asynchronous call is done; see daos_event.h. */
typedef struct daos_event {
	int ev_error; /**< result, valid once complete */
	struct {
		uint64_t space[20];
	} ev_private; /**< the library's */
	uint64_t ev_debug;
} daos_event_t;

/** Timeouts of daos_eq_poll() and daos_event_test() with a meaning of their own. */
#define DAOS_EQ_WAIT   -1
#define DAOS_EQ_NOWAIT 0

typedef enum {
	DAOS_EQR_COMPLETED = (1),
	DAOS_EQR_WAITING   = (1 << 1), /**< in flight */
	DAOS_EQR_ALL       = (DAOS_EQR_COMPLETED | DAOS_EQR_WAITING),
} daos_eq_query_t;

typedef enum {
	DAOS_EVS_READY,     /**< may be handed to a call */
	DAOS_EVS_RUNNING,   /**< its call is in flight */
	DAOS_EVS_COMPLETED, /**< done and not polled yet */
	DAOS_EVS_ABORTED,
} daos_ev_status_t;

/** Targets, as pairs (rank, index in the rank); an index of -1 stands for all of the rank. */
struct d_tgt_list {
	d_rank_t *tl_ranks;
	int32_t  *tl_tgts;
	uint32_t  tl_nr;
};

struct daos_eq;

/** Kind of a handle, in the low bits of its cookie. */
enum {
	DAOS_HTYPE_EQ    = 1,
	DAOS_HTYPE_POOL  = 3,
	DAOS_HTYPE_CO    = 5,
	DAOS_HTYPE_OBJ   = 7,
	DAOS_HTYPE_ARRAY = 9,
	DAOS_HTYPE_TX    = 11,
	DAOS_HTYPE_KV    = 13,
};

/** Name of an object in its container; the top 32 bits of hi are the library's. */
typedef struct {
	uint64_t lo;
	uint64_t hi;
} daos_obj_id_t;

/** Length of a UUID in text, with the final NUL. */
#define DAOS_UUID_STR_SIZE 37
#define UUID_SST_UPPER     1
#define UUID_SST_LOWER     -1
#define UUID_SST_NONE      0

/**
 * Whether @uuid starts with 36 characters that are a UUID; @sensitive restricts its letters to
 * upper case (> 0) or lower case (< 0).
 */
static inline bool
daos_is_valid_uuid_string(const char *uuid, int sensitive)
{
	int i;

	for (i = 0; i < DAOS_UUID_STR_SIZE - 1; i++) {
		unsigned char c    = (unsigned char)uuid[i];
		bool          dash = (i == 8 || i == 13 || i == 18 || i == 23);

		if (dash != (c == '-') || (!dash && !isxdigit(c)))
			return false;
		if ((sensitive > 0 && islower(c)) || (sensitive < 0 && isupper(c)))
			return false;
	}
	return true;
}

struct daos_rank_uri {
	uint32_t dru_rank;
	char    *dru_uri;
};

/** What the agent tells about a system. */
struct daos_sys_info {
	char                  dsi_system_name[DAOS_SYS_INFO_STRING_MAX + 1];
	char                  dsi_fabric_provider[DAOS_SYS_INFO_STRING_MAX + 1];
	char                  dsi_agent_path[PATH_MAX];
	uint32_t              dsi_nr_ranks;
	struct daos_rank_uri *dsi_ranks; /**< [dsi_nr_ranks] */
	uint32_t              dsi_nr_ms_ranks;
	uint32_t             *dsi_ms_ranks; /**< [dsi_nr_ms_ranks], of the management service */
};

#if defined(__cplusplus)
}
#endif

#endif /* DAOS_TYPES_H */
