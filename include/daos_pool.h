/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Pools: storage reserved on a set of targets, holding containers. */
#ifndef __DAOS_POOL_H__
#define __DAOS_POOL_H__

#define daos_pool_connect daos_pool_connect2

#include <inttypes.h>
#include <uuid/uuid.h>
#include <daos_prop.h>
#include <daos_event.h>

#if defined(__cplusplus)
extern "C" {
#endif

typedef enum {
	DAOS_TS_UNKNOWN,
	DAOS_TS_DOWN_OUT, /**< failed, its data rebuilt elsewhere */
	DAOS_TS_DOWN,     /**< failed */
	DAOS_TS_UP,       /**< coming back, being filled */
	DAOS_TS_UP_IN,    /**< in use */
	DAOS_TS_NEW,      /**< being added */
	DAOS_TS_DRAIN,    /**< being emptied */
} daos_target_state_t;

typedef struct {
	int foo; /**< nothing is measured */
} daos_target_perf_t;

/** Tiers of storage: metadata and small values, bulk data. */
enum daos_media_type_t {
	DAOS_MEDIA_SCM = 0,
	DAOS_MEDIA_NVME,
	DAOS_MEDIA_MAX
};

/** Bytes, by tier. */
struct daos_space {
	uint64_t s_total[DAOS_MEDIA_MAX];
	uint64_t s_free[DAOS_MEDIA_MAX];
};

typedef struct {
	uint32_t            ta_padding;
	daos_target_state_t ta_state;
	daos_target_perf_t  ta_perf;
	struct daos_space   ta_space;
} daos_target_info_t;

struct daos_pool_space {
	struct daos_space ps_space; /**< of all targets together */
	uint64_t          ps_free_min[DAOS_MEDIA_MAX]; /**< the fullest target's, and so on */
	uint64_t          ps_free_max[DAOS_MEDIA_MAX];
	uint64_t          ps_free_mean[DAOS_MEDIA_MAX];
	uint32_t          ps_ntargets; /**< targets that answered */
	uint32_t          ps_padding;
};

enum daos_rebuild_state_t {
	DRS_IN_PROGRESS = 0,
	DRS_NOT_STARTED = 1,
	DRS_COMPLETED   = 2,
};

enum daos_rebuild_status_flag {
	DAOS_RSF_DEGRADED = (1 << 0),
};

struct daos_rebuild_status {
	uint32_t rs_version; /**< pool map version it works towards */
	uint32_t rs_seconds;
	int32_t  rs_errno;
	union {
		int32_t rs_state; /**< enum daos_rebuild_state_t */
		int32_t rs_done;
	};
	uint16_t rs_max_supported_layout_ver;
	uint8_t  rs_flags;
	uint8_t  rs_reserved_;
	int32_t  rs_fail_rank; /**< -1: none */
	uint64_t rs_toberb_obj_nr;
	uint64_t rs_obj_nr;
	uint64_t rs_rec_nr;
	uint64_t rs_size; /**< bytes */
};

/** What a query is to tell: in pi_bits, beside what it always does. */
enum daos_pool_info_bit {
	DPI_SPACE                  = 1ULL << 0,
	DPI_REBUILD_STATUS         = 1ULL << 1,
	DPI_ENGINES_ENABLED        = 1ULL << 2, /**< *ranks: those in use */
	DPI_ENGINES_DISABLED       = 1ULL << 3, /**< *ranks: those excluded */
	DPI_ENGINES_DEAD           = 1ULL << 4, /**< *ranks: those dead but not excluded */
	DPI_REBUILD_MAX_LAYOUT_VER = 1ULL << 5,
	DPI_SELF_HEAL_POLICY       = 1ULL << 6,
	DPI_ALL                    = -1,
};

typedef struct {
	uuid_t                     pi_uuid;
	uint32_t                   pi_ntargets;
	uint32_t                   pi_nnodes;
	uint32_t                   pi_ndisabled; /**< targets not in use */
	uint32_t                   pi_map_ver;
	uint32_t                   pi_leader; /**< rank that leads the pool service */
	uint64_t                   pi_bits;   /**< [in] DPI_* wanted [out] DPI_* filled */
	struct daos_pool_space     pi_space;
	struct daos_rebuild_status pi_rebuild_st;
} daos_pool_info_t;

struct daos_pool_cont_info {
	uuid_t pci_uuid;
	char   pci_label[DAOS_PROP_LABEL_MAX_LEN + 1];
};

/**
 * Connect to a pool.
 * @param pool   label or UUID
 * @param sys    system name; NULL: the agent's default
 * @param flags  DAOS_PC_*
 * @param info   NULL, or filled as by daos_pool_query()
 * Errors: INVAL | NONEXIST | NO_PERM | BUSY exclusive use is asked for or held | AGENT_COMM |
 *         UNREACH | TIMEDOUT
 */
int
daos_pool_connect(const char *pool, const char *sys, unsigned int flags, daos_handle_t *poh,
		  daos_pool_info_t *info, daos_event_t *ev);

/** BUSY containers are open | NO_HDL */
int
daos_pool_disconnect(daos_handle_t poh, daos_event_t *ev);

/**
 * @param ranks      NULL, or set to a list to be freed with d_rank_list_free()
 * @param info       NULL or [in] pi_bits [out] the rest
 * @param pool_prop  NULL, or a list whose types are filled; no entries: all, allocated
 */
int
daos_pool_query(daos_handle_t poh, d_rank_list_t **ranks, daos_pool_info_t *info,
		daos_prop_t *pool_prop, daos_event_t *ev);

/**
 * List the names of the attributes users gave the pool.
 * @param buffer  NULL, or filled with names, each with its NUL
 * @param size    [in] of @buffer [out] bytes all the names take
 */
int
daos_pool_list_attr(daos_handle_t poh, char *buffer, size_t *size, daos_event_t *ev);

/**
 * Read attributes.
 * @param buffers  [n], or NULL to get sizes alone; a value that is longer is cut
 * @param sizes    [n] [in] of each buffer [out] of each value
 * Errors: NO_HDL | INVAL | NONEXIST
 */
int
daos_pool_get_attr(daos_handle_t poh, int n, char const *const names[], void *const buffers[],
		   size_t sizes[], daos_event_t *ev);

/** Create or replace attributes. A name has up to DAOS_ATTR_NAME_MAX characters. */
int
daos_pool_set_attr(daos_handle_t poh, int n, char const *const names[],
		   void const *const values[], size_t const sizes[], daos_event_t *ev);

/** Delete attributes; those that do not exist are ignored. */
int
daos_pool_del_attr(daos_handle_t poh, int n, char const *const names[], daos_event_t *ev);

/**
 * List the containers.
 * @param ncont  [in] room in @cbuf [out] containers there are
 * @param cbuf   NULL to count only
 * Errors: NO_HDL | INVAL | TRUNC there are more than *ncont was
 */
int
daos_pool_list_cont(daos_handle_t poh, daos_size_t *ncont, struct daos_pool_cont_info *cbuf,
		    daos_event_t *ev);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_POOL_H__ */
