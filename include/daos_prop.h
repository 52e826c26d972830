/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Properties of pools and containers: lists of typed entries. The type tells which member of the
 * union holds the value: a number unless said otherwise below.
 */
#ifndef __DAOS_PROP_H__
#define __DAOS_PROP_H__

#include <ctype.h>
#include <daos_types.h>

#if defined(__cplusplus)
extern "C" {
#endif

enum daos_pool_props {
	DAOS_PROP_PO_MIN = 0,
	DAOS_PROP_PO_LABEL,             /**< string, unique in the system */
	DAOS_PROP_PO_ACL,               /**< pointer to struct daos_acl */
	DAOS_PROP_PO_SPACE_RB,          /**< percent of space kept for rebuild */
	DAOS_PROP_PO_SELF_HEAL,         /**< DAOS_SELF_HEAL_* */
	DAOS_PROP_PO_RECLAIM,           /**< DAOS_RECLAIM_* */
	DAOS_PROP_PO_OWNER,             /**< string, user@ */
	DAOS_PROP_PO_OWNER_GROUP,       /**< string, group@ */
	DAOS_PROP_PO_SVC_LIST,          /**< pointer to d_rank_list_t: service replicas */
	DAOS_PROP_PO_EC_CELL_SZ,        /**< bytes */
	DAOS_PROP_PO_DATA_THRESH,       /**< bytes from which a value goes to the data device */
	DAOS_PROP_PO_REDUN_FAC,         /**< failures containers survive by default */
	DAOS_PROP_PO_EC_PDA,            /**< performance domain affinity of EC objects */
	DAOS_PROP_PO_RP_PDA,            /**< the same of replicated objects */
	DAOS_PROP_PO_GLOBAL_VERSION,    /**< version of the layout, read only */
	DAOS_PROP_PO_UPGRADE_STATUS,    /**< DAOS_UPGRADE_STATUS_*, read only */
	DAOS_PROP_PO_SCRUB_MODE,        /**< DAOS_SCRUB_MODE_* */
	DAOS_PROP_PO_SCRUB_FREQ,        /**< seconds between passes */
	DAOS_PROP_PO_SCRUB_THRESH,      /**< corruptions until a target is excluded, 0: never */
	DAOS_PROP_PO_SVC_REDUN_FAC,     /**< failures the pool service survives */
	DAOS_PROP_PO_OBJ_VERSION,       /**< version of the object layout */
	DAOS_PROP_PO_PERF_DOMAIN,       /**< DAOS_PROP_PERF_DOMAIN_* */
	DAOS_PROP_PO_CHECKPOINT_MODE,   /**< DAOS_CHECKPOINT_* */
	DAOS_PROP_PO_CHECKPOINT_FREQ,   /**< seconds */
	DAOS_PROP_PO_CHECKPOINT_THRESH, /**< percent of the log that is used */
	DAOS_PROP_PO_REINT_MODE,        /**< DAOS_REINT_MODE_* */
	DAOS_PROP_PO_SVC_OPS_ENABLED,   /**< 1: repeated metadata requests are recognized */
	DAOS_PROP_PO_SVC_OPS_ENTRY_AGE, /**< seconds they are remembered */
	DAOS_PROP_PO_MAX,
};

#define DAOS_PROP_PO_NUM (DAOS_PROP_PO_MAX - DAOS_PROP_PO_MIN - 1)

/** Value of a property that is raw bytes. */
struct daos_prop_byteval {
	void  *dpb_data;
	size_t dpb_len;
};

#define DAOS_PROP_PO_EC_CELL_SZ_MIN    (1UL << 10)
#define DAOS_PROP_PO_EC_CELL_SZ_MAX    (1UL << 30)
#define DAOS_PROP_PO_REDUN_FAC_MAX     4
#define DAOS_PROP_PO_REDUN_FAC_DEFAULT 3

static inline bool
daos_rf_is_valid(unsigned long long rf)
{
	return rf <= DAOS_PROP_PO_REDUN_FAC_MAX;
}

/** Affinity without a limit: all of an object in one performance domain. */
#define DAOS_PROP_PDA_MAX           ((uint32_t)-1)
#define DAOS_PROP_PO_RP_PDA_DEFAULT DAOS_PROP_PDA_MAX
#define DAOS_PROP_PO_EC_PDA_DEFAULT ((uint32_t)1)

enum {
	DAOS_UPGRADE_STATUS_NOT_STARTED = 0,
	DAOS_UPGRADE_STATUS_IN_PROGRESS = 1,
	DAOS_UPGRADE_STATUS_COMPLETED   = 2,
	DAOS_UPGRADE_STATUS_FAILED      = 3,
};

#define DAOS_PROP_PO_SVC_REDUN_FAC_MAX     4
#define DAOS_PROP_PO_SVC_REDUN_FAC_DEFAULT 2

static inline bool
daos_svc_rf_is_valid(uint64_t svc_rf)
{
	return svc_rf <= DAOS_PROP_PO_SVC_REDUN_FAC_MAX;
}

enum {
	DAOS_PROP_PERF_DOMAIN_ROOT  = 255,
	DAOS_PROP_PERF_DOMAIN_GROUP = 200,
};

#define DAOS_PROP_PO_PERF_DOMAIN_DEFAULT DAOS_PROP_PERF_DOMAIN_ROOT
#define DAOS_PROP_CO_PERF_DOMAIN_DEFAULT DAOS_PROP_PERF_DOMAIN_ROOT

/** When space of overwritten data is reclaimed. */
enum {
	DAOS_RECLAIM_DISABLED = 0,
	DAOS_RECLAIM_LAZY,
	DAOS_RECLAIM_SNAPSHOT,
	DAOS_RECLAIM_BATCH,
	DAOS_RECLAIM_TIME,
};

/** What a target that comes back does with the data it has. */
enum {
	DAOS_REINT_MODE_DATA_SYNC    = 0,
	DAOS_REINT_MODE_NO_DATA_SYNC = 1,
	DAOS_REINT_MODE_INCREMENTAL  = 2,
};

#define DAOS_PROP_PO_REINT_MODE_DEFAULT DAOS_REINT_MODE_DATA_SYNC

enum {
	DAOS_SCRUB_MODE_OFF     = 0,
	DAOS_SCRUB_MODE_LAZY    = 1,
	DAOS_SCRUB_MODE_TIMED   = 2,
	DAOS_SCRUB_MODE_INVALID = 3,
};

#define DAOS_PROP_PO_SCRUB_MODE_DEFAULT   DAOS_SCRUB_MODE_OFF
#define DAOS_PROP_PO_SCRUB_FREQ_DEFAULT   604800
#define DAOS_PROP_PO_SCRUB_THRESH_DEFAULT 0

enum {
	DAOS_CHECKPOINT_DISABLED = 0,
	DAOS_CHECKPOINT_TIMED,
	DAOS_CHECKPOINT_LAZY,
};

#define DAOS_PROP_PO_CHECKPOINT_MODE_DEFAULT   DAOS_CHECKPOINT_TIMED
#define DAOS_PROP_PO_CHECKPOINT_FREQ_DEFAULT   5
#define DAOS_PROP_PO_CHECKPOINT_FREQ_MIN       1
#define DAOS_PROP_PO_CHECKPOINT_FREQ_MAX       (1 << 20)
#define DAOS_PROP_PO_CHECKPOINT_THRESH_DEFAULT 50
#define DAOS_PROP_PO_CHECKPOINT_THRESH_MAX     75
#define DAOS_PROP_PO_CHECKPOINT_THRESH_MIN     10

#define DAOS_PROP_PO_SVC_OPS_ENABLED_DEFAULT   1
#define DAOS_PROP_PO_SVC_OPS_ENTRY_AGE_DEFAULT 300
#define DAOS_PROP_PO_SVC_OPS_ENTRY_AGE_MIN     60
#define DAOS_PROP_PO_SVC_OPS_ENTRY_AGE_MAX     600

#define DAOS_SELF_HEAL_AUTO_EXCLUDE  (1U << 0)
#define DAOS_SELF_HEAL_AUTO_REBUILD  (1U << 1)
#define DAOS_SELF_HEAL_DELAY_REBUILD (1U << 2)

#define DAOS_PROP_PO_DATA_THRESH_DEFAULT (1UL << 12)

enum daos_cont_props {
	DAOS_PROP_CO_MIN = 0x1000,
	DAOS_PROP_CO_LABEL,              /**< string, unique in the pool */
	DAOS_PROP_CO_LAYOUT_TYPE,        /**< DAOS_PROP_CO_LAYOUT_* */
	DAOS_PROP_CO_LAYOUT_VER,         /**< the middleware's version */
	DAOS_PROP_CO_CSUM,               /**< DAOS_PROP_CO_CSUM_* */
	DAOS_PROP_CO_CSUM_CHUNK_SIZE,    /**< bytes one checksum covers */
	DAOS_PROP_CO_CSUM_SERVER_VERIFY, /**< DAOS_PROP_CO_CSUM_SV_* */
	DAOS_PROP_CO_REDUN_FAC,          /**< DAOS_PROP_CO_REDUN_RF* */
	DAOS_PROP_CO_REDUN_LVL,          /**< DAOS_PROP_CO_REDUN_{RANK,NODE,FAULT} */
	DAOS_PROP_CO_SNAPSHOT_MAX,       /**< 0: no limit */
	DAOS_PROP_CO_ACL,                /**< pointer to struct daos_acl */
	DAOS_PROP_CO_COMPRESS,           /**< DAOS_PROP_CO_COMPRESS_* */
	DAOS_PROP_CO_ENCRYPT,            /**< DAOS_PROP_CO_ENCRYPT_* */
	DAOS_PROP_CO_OWNER,              /**< string, user@ */
	DAOS_PROP_CO_OWNER_GROUP,        /**< string, group@ */
	DAOS_PROP_CO_DEDUP,              /**< DAOS_PROP_CO_DEDUP_* */
	DAOS_PROP_CO_DEDUP_THRESHOLD,    /**< bytes */
	DAOS_PROP_CO_ROOTS,              /**< pointer to struct daos_prop_co_roots */
	DAOS_PROP_CO_STATUS,             /**< DAOS_PROP_CO_STATUS_VAL() */
	DAOS_PROP_CO_ALLOCED_OID,        /**< highest object number handed out */
	DAOS_PROP_CO_EC_CELL_SZ,         /**< bytes */
	DAOS_PROP_CO_EC_PDA,
	DAOS_PROP_CO_RP_PDA,
	DAOS_PROP_CO_GLOBAL_VERSION,     /**< read only */
	DAOS_PROP_CO_SCRUBBER_DISABLED,  /**< 1: the scrubber leaves it out */
	DAOS_PROP_CO_OBJ_VERSION,
	DAOS_PROP_CO_PERF_DOMAIN,
	DAOS_PROP_CO_MAX,
};

#define DAOS_PROP_CO_NUM (DAOS_PROP_CO_MAX - DAOS_PROP_CO_MIN - 1)

/** Objects a middleware starts from. */
struct daos_prop_co_roots {
	daos_obj_id_t cr_oids[4];
};

typedef uint16_t daos_cont_layout_t;

enum {
	DAOS_PROP_CO_LAYOUT_UNKNOWN,
	DAOS_PROP_CO_LAYOUT_UNKOWN = DAOS_PROP_CO_LAYOUT_UNKNOWN, /**< an old misspelling */
	DAOS_PROP_CO_LAYOUT_POSIX,
	DAOS_PROP_CO_LAYOUT_HDF5,
	DAOS_PROP_CO_LAYOUT_PYTHON,
	DAOS_PROP_CO_LAYOUT_SPARK,
	DAOS_PROP_CO_LAYOUT_DATABASE,
	DAOS_PROP_CO_LAYOUT_ROOT,
	DAOS_PROP_CO_LAYOUT_SEISMIC,
	DAOS_PROP_CO_LAYOUT_METEO,
	DAOS_PROP_CO_LAYOUT_MAX
};

enum {
	DAOS_PROP_CO_CSUM_OFF,
	DAOS_PROP_CO_CSUM_CRC16,
	DAOS_PROP_CO_CSUM_CRC32,
	DAOS_PROP_CO_CSUM_CRC64,
	DAOS_PROP_CO_CSUM_SHA1,
	DAOS_PROP_CO_CSUM_SHA256,
	DAOS_PROP_CO_CSUM_SHA512,
	DAOS_PROP_CO_CSUM_ADLER32
};

enum {
	DAOS_PROP_CO_CSUM_SV_OFF,
	DAOS_PROP_CO_CSUM_SV_ON
};

enum {
	DAOS_PROP_CO_DEDUP_OFF,
	DAOS_PROP_CO_DEDUP_MEMCMP,
	DAOS_PROP_CO_DEDUP_HASH
};

enum {
	DAOS_PROP_CO_COMPRESS_OFF,
	DAOS_PROP_CO_COMPRESS_LZ4,
	DAOS_PROP_CO_COMPRESS_DEFLATE,
	DAOS_PROP_CO_COMPRESS_DEFLATE1,
	DAOS_PROP_CO_COMPRESS_DEFLATE2,
	DAOS_PROP_CO_COMPRESS_DEFLATE3,
	DAOS_PROP_CO_COMPRESS_DEFLATE4,
};

enum {
	DAOS_PROP_CO_ENCRYPT_OFF,
	DAOS_PROP_CO_ENCRYPT_AES_XTS128,
	DAOS_PROP_CO_ENCRYPT_AES_XTS256,
	DAOS_PROP_CO_ENCRYPT_AES_CBC128,
	DAOS_PROP_CO_ENCRYPT_AES_CBC192,
	DAOS_PROP_CO_ENCRYPT_AES_CBC256,
	DAOS_PROP_CO_ENCRYPT_AES_GCM128,
	DAOS_PROP_CO_ENCRYPT_AES_GCM256
};

enum {
	DAOS_PROP_CO_REDUN_RF0 = 0,
	DAOS_PROP_CO_REDUN_RF1 = 1,
	DAOS_PROP_CO_REDUN_RF2 = 2,
	DAOS_PROP_CO_REDUN_RF3 = 3,
	DAOS_PROP_CO_REDUN_RF4 = 4,
	DAOS_RF_MAX            = 4,
};

/** The unit that fails as a whole. */
enum {
	DAOS_PROP_CO_REDUN_MIN   = 1,
	DAOS_PROP_CO_REDUN_RANK  = 1,
	DAOS_PROP_CO_REDUN_NODE  = 2,
	DAOS_PROP_CO_REDUN_FAULT = 3,
	DAOS_PROP_CO_REDUN_MAX   = 254,
};

#define DAOS_PROP_CO_REDUN_DEFAULT DAOS_PROP_CO_REDUN_NODE

enum {
	DAOS_PROP_CO_HEALTHY,
	DAOS_PROP_CO_UNCLEAN, /**< more failed than the redundancy factor allows */
};

/** Flag of a status that is set: back to healthy. */
#define DAOS_PROP_CO_CLEAR (0x1)

struct daos_co_status {
	uint16_t dcs_status;
	uint16_t dcs_flags;
	uint32_t dcs_pm_ver; /**< pool map version of the status */
};

/** A status as a number: flags in bits 63..48, status in 47..32, map version below. */
#define DAOS_PROP_CO_STATUS_VAL(status, flag, pm_ver)                                              \
	(((uint64_t)(flag) << 48) | (((uint64_t)(status)&0xFFFF) << 32) | (uint64_t)(pm_ver))

static inline uint64_t
daos_prop_co_status_2_val(struct daos_co_status *co_status)
{
	return DAOS_PROP_CO_STATUS_VAL(co_status->dcs_status, co_status->dcs_flags,
				       co_status->dcs_pm_ver);
}

static inline void
daos_prop_val_2_co_status(uint64_t val, struct daos_co_status *co_status)
{
	co_status->dcs_pm_ver = (uint32_t)val;
	co_status->dcs_status = (uint16_t)(val >> 32);
	co_status->dcs_flags  = (uint16_t)(val >> 48);
}

enum {
	DAOS_PROP_ENTRY_NOT_SET = (1 << 0), /**< in dpe_flags: there is no value */
};

struct daos_prop_entry {
	uint32_t dpe_type;
	uint16_t dpe_flags;
	uint16_t dpe_reserv;
	union {
		uint64_t   dpe_val;
		d_string_t dpe_str;
		void      *dpe_val_ptr;
	};
};

#define DAOS_PROP_ENTRIES_MAX_NR    (128)
#define DAOS_PROP_LABEL_MAX_LEN     (127)
#define DAOS_PROP_MAX_LABEL_BUF_LEN (DAOS_PROP_LABEL_MAX_LEN + 1)
/** What the label of a pool or container without one reads as. */
#define DAOS_PROP_CO_LABEL_DEFAULT  "container_label_not_set"
#define DAOS_PROP_PO_LABEL_DEFAULT  "pool_label_not_set"
#define DAOS_PROP_NO_PO_LABEL       DAOS_PROP_PO_LABEL_DEFAULT
#define DEFAULT_CONT_LABEL          DAOS_PROP_CO_LABEL_DEFAULT
#define DAOS_PROP_NO_CO_LABEL       DEFAULT_CONT_LABEL

/** A label is 1..127 of the characters a-z A-Z 0-9 . _ : - and does not look like a UUID. */
static inline bool
daos_label_is_valid(const char *label)
{
	size_t len;

	if (label == NULL || label[0] == '\0')
		return false;
	for (len = 0; label[len] != '\0'; len++) {
		if (len == DAOS_PROP_LABEL_MAX_LEN)
			return false;
		if (!isalnum((unsigned char)label[len]) && strchr("._:-", label[len]) == NULL)
			return false;
	}
	return !daos_is_valid_uuid_string(label, UUID_SST_NONE);
}

static inline bool
daos_perf_domain_is_valid(const char *perf_domain)
{
	return daos_label_is_valid(perf_domain);
}

typedef struct {
	uint32_t                dpp_nr;
	uint32_t                dpp_reserv;
	struct daos_prop_entry *dpp_entries; /**< [dpp_nr] */
} daos_prop_t;

/** A list of @entries_nr zeroed entries; NULL: no memory, or more than DAOS_PROP_ENTRIES_MAX_NR. */
daos_prop_t *
daos_prop_alloc(uint32_t entries_nr);

/** Free what the list holds, not the list itself. */
void
daos_prop_fini(daos_prop_t *prop);

/** Free a list and all it holds; NULL is fine. */
void
daos_prop_free(daos_prop_t *prop);

/** Parse "name:value;name:value" of container properties; *@prop is freed by the caller. INVAL */
int
daos_prop_from_str(const char *str, daos_size_t len, daos_prop_t **prop);

/** A new list: the entries of @old_prop, each replaced by that of @new_prop if it has one. */
int
daos_prop_merge2(daos_prop_t *old_prop, daos_prop_t *new_prop, daos_prop_t **out_prop);

/** As daos_prop_merge2(); NULL on failure. */
daos_prop_t *
daos_prop_merge(daos_prop_t *old_prop, daos_prop_t *new_prop);

/** The entry of a type, borrowed; NULL if the list has none. */
struct daos_prop_entry *
daos_prop_entry_get(daos_prop_t *prop, uint32_t type);

/** Set the string of the entry of @type to a copy of @len bytes of @str. NONEXIST | INVAL */
int
daos_prop_set_str(daos_prop_t *prop, uint32_t type, const char *str, daos_size_t len);

/** Set an entry's string to a copy, freeing the one it had. */
int
daos_prop_entry_set_str(struct daos_prop_entry *entry, const char *str, daos_size_t len);

/** Set the pointer of the entry of @type to a copy of @size bytes at @ptr. */
int
daos_prop_set_ptr(daos_prop_t *prop, uint32_t type, const void *ptr, daos_size_t size);

/** Set an entry's pointer to a copy, freeing the one it had. */
int
daos_prop_entry_set_ptr(struct daos_prop_entry *entry, const void *ptr, daos_size_t size);

/** Copy @len bytes a source entry points to into a new allocation of @entry_dst. */
int
daos_prop_entry_dup_ptr(struct daos_prop_entry *entry_dst, struct daos_prop_entry *entry_src,
			size_t len);

/** Set the raw bytes of the entry of @type to a copy. */
int
daos_prop_set_byteval(daos_prop_t *prop, uint32_t type, const void *data, size_t len);

/** Set an entry's raw bytes to a copy, freeing those it had. */
int
daos_prop_entry_set_byteval(struct daos_prop_entry *entry, const void *data, size_t len);

/** Copy the raw bytes of an entry. */
int
daos_prop_entry_dup_byteval(struct daos_prop_entry *entry_dst, struct daos_prop_entry *entry_src);

/** 0 if both entries hold the same list | MISMATCH */
int
daos_prop_entry_cmp_acl(struct daos_prop_entry *entry1, struct daos_prop_entry *entry2);

/** Copy the root objects of an entry. */
int
daos_prop_entry_dup_co_roots(struct daos_prop_entry *dst, struct daos_prop_entry *src);

/** Whether the entry's type has a string, a pointer or raw bytes for a value. */
bool
daos_prop_has_str(struct daos_prop_entry *entry);
bool
daos_prop_has_ptr(struct daos_prop_entry *entry);
bool
daos_prop_has_byteval(struct daos_prop_entry *entry);

static inline bool
daos_prop_is_set(struct daos_prop_entry *entry)
{
	return !(entry->dpe_flags & DAOS_PROP_ENTRY_NOT_SET);
}

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_PROP_H__ */
