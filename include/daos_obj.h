/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Objects. An object maps a distribution key (dkey) to attribute keys (akeys), and each of those
 * to a single value or an array of records. All of a dkey is on one redundancy group.
 */
#ifndef __DAOS_OBJ_H__
#define __DAOS_OBJ_H__

#define daos_obj_generate_oid daos_obj_generate_oid2

#include <daos_types.h>
#include <daos_event.h>
#include <daos_obj_class.h>
#include <daos_prop.h>

#if defined(__cplusplus)
extern "C" {
#endif

#define DAOS_OBJ_NIL ((daos_obj_id_t){0})

/** The library's part of daos_obj_id_t::hi, from the top: type, redundancy, number of groups. */
#define OID_FMT_INTR_BITS   32
#define OID_FMT_TYPE_BITS   8
#define OID_FMT_CLASS_BITS  8
#define OID_FMT_META_BITS   16
#define OID_FMT_TYPE_SHIFT  (64 - OID_FMT_TYPE_BITS)
#define OID_FMT_CLASS_SHIFT (OID_FMT_TYPE_SHIFT - OID_FMT_CLASS_BITS)
#define OID_FMT_META_SHIFT  (OID_FMT_CLASS_SHIFT - OID_FMT_META_BITS)
#define OID_FMT_TYPE_MAX    ((1ULL << OID_FMT_TYPE_BITS) - 1)
#define OID_FMT_CLASS_MAX   ((1ULL << OID_FMT_CLASS_BITS) - 1)
#define OID_FMT_META_MAX    ((1ULL << OID_FMT_META_BITS) - 1)
#define OID_FMT_TYPE_MASK   (OID_FMT_TYPE_MAX << OID_FMT_TYPE_SHIFT)
#define OID_FMT_CLASS_MASK  (OID_FMT_CLASS_MAX << OID_FMT_CLASS_SHIFT)
#define OID_FMT_META_MASK   (OID_FMT_META_MAX << OID_FMT_META_SHIFT)

/** What an object is, and how its keys are ordered. */
enum daos_otype_t {
	DAOS_OT_MULTI_HASHED  = 0,  /**< both keys hashed */
	DAOS_OT_OIT           = 1,  /**< table of the objects of a container */
	DAOS_OT_DKEY_UINT64   = 2,  /**< dkeys are uint64_t */
	DAOS_OT_AKEY_UINT64   = 3,  /**< akeys are uint64_t */
	DAOS_OT_MULTI_UINT64  = 4,  /**< both are */
	DAOS_OT_DKEY_LEXICAL  = 5,  /**< dkeys in byte order */
	DAOS_OT_AKEY_LEXICAL  = 6,  /**< akeys in byte order */
	DAOS_OT_MULTI_LEXICAL = 7,  /**< both are */
	DAOS_OT_KV_HASHED     = 8,  /**< key-value store, keys hashed */
	DAOS_OT_KV_UINT64     = 9,  /**< key-value store, keys are uint64_t */
	DAOS_OT_KV_LEXICAL    = 10, /**< key-value store, keys in byte order */
	DAOS_OT_ARRAY         = 11, /**< array that stores its cell and chunk size */
	DAOS_OT_ARRAY_ATTR    = 12, /**< array whose user keeps them */
	DAOS_OT_ARRAY_BYTE    = 13, /**< array of bytes whose user keeps the chunk size */
	DAOS_OT_OIT_V2        = 14, /**< table of objects, current form */
	DAOS_OT_MAX           = 14,
};

static inline bool
daos_otype_t_is_valid(enum daos_otype_t type)
{
	return type <= DAOS_OT_MAX;
}

static inline bool
daos_pa_domain_is_valid(uint32_t pa_domain)
{
	return pa_domain == DAOS_PROP_CO_REDUN_RANK || pa_domain == DAOS_PROP_CO_REDUN_NODE;
}

static inline enum daos_otype_t
daos_obj_id2type(daos_obj_id_t oid)
{
	return (enum daos_otype_t)((oid.hi & OID_FMT_TYPE_MASK) >> OID_FMT_TYPE_SHIFT);
}

static inline bool
daos_is_dkey_lexical_type(enum daos_otype_t type)
{
	return type == DAOS_OT_DKEY_LEXICAL || type == DAOS_OT_MULTI_LEXICAL ||
	       type == DAOS_OT_KV_LEXICAL;
}

static inline bool
daos_is_dkey_lexical(daos_obj_id_t oid)
{
	return daos_is_dkey_lexical_type(daos_obj_id2type(oid));
}

static inline bool
daos_is_akey_lexical_type(enum daos_otype_t type)
{
	return type == DAOS_OT_AKEY_LEXICAL || type == DAOS_OT_MULTI_LEXICAL;
}

static inline bool
daos_is_akey_lexical(daos_obj_id_t oid)
{
	return daos_is_akey_lexical_type(daos_obj_id2type(oid));
}

static inline bool
daos_is_array_type(enum daos_otype_t type)
{
	return type >= DAOS_OT_ARRAY && type <= DAOS_OT_ARRAY_BYTE;
}

static inline bool
daos_is_array(daos_obj_id_t oid)
{
	return daos_is_array_type(daos_obj_id2type(oid));
}

static inline bool
daos_is_dkey_uint64_type(enum daos_otype_t type)
{
	return type == DAOS_OT_DKEY_UINT64 || type == DAOS_OT_MULTI_UINT64 ||
	       type == DAOS_OT_KV_UINT64 || daos_is_array_type(type);
}

static inline bool
daos_is_dkey_uint64(daos_obj_id_t oid)
{
	return daos_is_dkey_uint64_type(daos_obj_id2type(oid));
}

static inline bool
daos_is_akey_uint64_type(enum daos_otype_t type)
{
	return type == DAOS_OT_AKEY_UINT64 || type == DAOS_OT_MULTI_UINT64;
}

static inline bool
daos_is_akey_uint64(daos_obj_id_t oid)
{
	return daos_is_akey_uint64_type(daos_obj_id2type(oid));
}

static inline bool
daos_is_kv_type(enum daos_otype_t type)
{
	return type >= DAOS_OT_KV_HASHED && type <= DAOS_OT_KV_LEXICAL;
}

static inline bool
daos_is_kv(daos_obj_id_t oid)
{
	return daos_is_kv_type(daos_obj_id2type(oid));
}

#define IO_FLAGS_COND_BITS 8

/** Conditions of an operation, for its flags; -DER_EXIST or -DER_NONEXIST if not met. */
enum {
	DAOS_COND_PUNCH       = (1 << 0), /**< what is punched must exist */
	DAOS_COND_DKEY_INSERT = (1 << 1), /**< the dkey must not exist */
	DAOS_COND_DKEY_UPDATE = (1 << 2), /**< the dkey must exist */
	DAOS_COND_DKEY_FETCH  = (1 << 3), /**< the dkey must exist */
	DAOS_COND_AKEY_INSERT = (1 << 4), /**< no akey may exist */
	DAOS_COND_AKEY_UPDATE = (1 << 5), /**< all akeys must exist */
	DAOS_COND_AKEY_FETCH  = (1 << 6), /**< all akeys must exist */
	DAOS_COND_PER_AKEY    = (1 << 7), /**< akey conditions are in each iod_flags */
	DAOS_COND_MASK        = ((1 << IO_FLAGS_COND_BITS) - 1),
};

struct daos_obj_attr {
	d_rank_t                 oa_rank;
	struct daos_oclass_attr *oa_oa;
};

/** How to open an object. */
enum {
	DAOS_OO_RO      = (1 << 1), /**< read only */
	DAOS_OO_RW      = (1 << 2), /**< read and write */
	DAOS_OO_EXCL    = (1 << 3), /**< no other opener; advisory */
	DAOS_OO_IO_RAND = (1 << 4), /**< hint: random access */
	DAOS_OO_IO_SEQ  = (1 << 5), /**< hint: sequential access */
};

/** Records rx_idx .. rx_idx + rx_nr - 1 of an array. */
typedef struct {
	uint64_t rx_idx;
	uint64_t rx_nr;
} daos_recx_t;

typedef enum {
	DAOS_IOD_NONE   = 0,
	DAOS_IOD_SINGLE = 1, /**< one value, replaced as a whole */
	DAOS_IOD_ARRAY  = 2, /**< records of one size */
} daos_iod_type_t;

/** What to read or write of one akey. */
typedef struct {
	daos_key_t      iod_name;
	daos_iod_type_t iod_type;
	/** Bytes of the value or record; an update of 0 punches; DAOS_REC_ANY: fetch tells. */
	daos_size_t     iod_size;
	uint64_t        iod_flags; /**< conditions, with DAOS_COND_PER_AKEY */
	uint32_t        iod_nr;    /**< extents in iod_recxs; 1 for a single value */
	daos_recx_t    *iod_recxs; /**< NULL for a single value */
} daos_iod_t;

/** Ask for the extents themselves in iom_recxs. */
#define DAOS_IOMF_DETAIL (0x1U)

/** Which records of an akey a fetch found. */
typedef struct {
	daos_iod_type_t iom_type;
	uint32_t        iom_nr;     /**< room in iom_recxs */
	uint32_t        iom_nr_out; /**< extents there are, may exceed iom_nr */
	uint32_t        iom_flags;
	daos_size_t     iom_size; /**< bytes of a record */
	daos_recx_t     iom_recx_lo;
	daos_recx_t     iom_recx_hi;
	daos_recx_t    *iom_recxs;
} daos_iom_t;

enum {
	DAOS_REC_ANY = 0, /**< iod_size: not known yet */
};

/** What daos_obj_query_key() looks for. */
enum {
	DAOS_GET_MAX  = (1 << 0),
	DAOS_GET_MIN  = (1 << 1),
	DAOS_GET_DKEY = (1 << 2),
	DAOS_GET_AKEY = (1 << 3),
	DAOS_GET_RECX = (1 << 4),
};

/** One listed key; the keys themselves follow each other in the list's buffer. */
typedef struct {
	daos_size_t kd_key_len;
	uint32_t    kd_val_type;
} daos_key_desc_t;

static inline enum daos_obj_redun
daos_obj_id2ord(daos_obj_id_t oid)
{
	return (enum daos_obj_redun)((oid.hi & OID_FMT_CLASS_MASK) >> OID_FMT_CLASS_SHIFT);
}

static inline uint32_t
daos_obj_id2grp_nr(daos_obj_id_t oid)
{
	return (uint32_t)((oid.hi & OID_FMT_META_MASK) >> OID_FMT_META_SHIFT);
}

static inline daos_oclass_id_t
daos_obj_id2class(daos_obj_id_t oid)
{
	return ((daos_oclass_id_t)daos_obj_id2ord(oid) << OC_REDUN_SHIFT) | daos_obj_id2grp_nr(oid);
}

static inline bool
daos_obj_id_is_nil(daos_obj_id_t oid)
{
	return oid.hi == 0 && oid.lo == 0;
}

/** Hints the library picks a class by: one about redundancy and one about spreading. */
#define DAOS_OCH_RDD_BITS    4
#define DAOS_OCH_SHD_BITS    6
#define DAOS_OCH_RDD_SHIFT   0
#define DAOS_OCH_SHD_SHIFT   DAOS_OCH_RDD_BITS
#define DAOS_OCH_RDD_MAX_VAL ((1ULL << DAOS_OCH_RDD_BITS) - 1)
#define DAOS_OCH_SHD_MAX_VAL ((1ULL << DAOS_OCH_SHD_BITS) - 1)
#define DAOS_OCH_RDD_MASK    (DAOS_OCH_RDD_MAX_VAL << DAOS_OCH_RDD_SHIFT)
#define DAOS_OCH_SHD_MASK    (DAOS_OCH_SHD_MAX_VAL << DAOS_OCH_SHD_SHIFT)

enum {
	DAOS_OCH_RDD_DEF  = (1 << 0), /**< as the container's redundancy factor says */
	DAOS_OCH_RDD_NO   = (1 << 1), /**< none */
	DAOS_OCH_RDD_RP   = (1 << 2), /**< replication */
	DAOS_OCH_RDD_EC   = (1 << 3), /**< erasure code */
	DAOS_OCH_SHD_DEF  = (1 << 4), /**< as the object type suggests */
	DAOS_OCH_SHD_TINY = (1 << 5), /**< up to 4 groups */
	DAOS_OCH_SHD_REG  = (1 << 6), /**< up to 128 */
	DAOS_OCH_SHD_HI   = (1 << 7), /**< up to 256 */
	DAOS_OCH_SHD_EXT  = (1 << 8), /**< up to 1024 */
	DAOS_OCH_SHD_MAX  = (1 << 9), /**< all targets */
};

/**
 * Complete an object ID: the caller set lo and the lower 32 bits of hi, which make it unique.
 * @param cid    class, or OC_UNKNOWN to have one picked from the container and @hints
 * @param args   reserved, 0
 * Errors: NO_HDL | INVAL the class does not fit the pool or the container's redundancy factor
 */
int
daos_obj_generate_oid(daos_handle_t coh, daos_obj_id_t *oid, enum daos_otype_t type,
		      daos_oclass_id_t cid, daos_oclass_hints_t hints, uint32_t args);

/** Spread consecutive IDs of a counter in hi over the 32 bits a user has there. */
static inline void
daos_obj_oid_cycle(daos_obj_id_t *oid)
{
	oid->hi = (oid->hi + 999999937ULL) & UINT_MAX;
}

/** Open an object; it need not have data. @param mode DAOS_OO_* */
int
daos_obj_open(daos_handle_t coh, daos_obj_id_t oid, unsigned int mode, daos_handle_t *oh,
	      daos_event_t *ev);

int
daos_obj_close(daos_handle_t oh, daos_event_t *ev);

/** Remove all data of an object. @param flags DAOS_COND_PUNCH or 0 */
int
daos_obj_punch(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_event_t *ev);

/** Remove dkeys. @param dkeys [nr] */
int
daos_obj_punch_dkeys(daos_handle_t oh, daos_handle_t th, uint64_t flags, unsigned int nr,
		     daos_key_t *dkeys, daos_event_t *ev);

/** Remove akeys of one dkey. @param akeys [nr] */
int
daos_obj_punch_akeys(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_key_t *dkey,
		     unsigned int nr, daos_key_t *akeys, daos_event_t *ev);

/**
 * Read akeys of one dkey; what does not exist leaves its buffer as it was.
 * @param iods  [nr]; iod_size DAOS_REC_ANY is replaced by the size found, 0 if nothing was
 * @param sgls  [nr], or NULL to ask for sizes alone; sg_nr_out and iov_len tell what was filled
 * @param ioms  [nr] or NULL
 * Errors: NO_HDL | NO_PERM | INVAL | REC2BIG a buffer is too short | NONEXIST a condition failed
 */
int
daos_obj_fetch(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_key_t *dkey,
	       unsigned int nr, daos_iod_t *iods, d_sg_list_t *sgls, daos_iom_t *ioms,
	       daos_event_t *ev);

/**
 * Write akeys of one dkey, all or nothing. Buffers and descriptors stay the caller's and must not
 * change before completion.
 * @param iods  [nr]
 * @param sgls  [nr]
 * Errors: NO_HDL | NO_PERM | INVAL | REC2BIG | NOSPACE | EXIST or NONEXIST a condition failed
 */
int
daos_obj_update(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_key_t *dkey,
		unsigned int nr, daos_iod_t *iods, d_sg_list_t *sgls, daos_event_t *ev);

/**
 * List dkeys.
 * @param nr      [in] room in @kds [out] keys listed
 * @param kds     [*nr] their lengths
 * @param sgl     their bytes, one after the other
 * @param anchor  where to go on; see daos_anchor_is_eof()
 * Errors: NO_HDL | INVAL | KEY2BIG not even one key fits, kds[0] has its length
 */
int
daos_obj_list_dkey(daos_handle_t oh, daos_handle_t th, uint32_t *nr, daos_key_desc_t *kds,
		   d_sg_list_t *sgl, daos_anchor_t *anchor, daos_event_t *ev);

/** List akeys of a dkey; arguments as of daos_obj_list_dkey(). */
int
daos_obj_list_akey(daos_handle_t oh, daos_handle_t th, daos_key_t *dkey, uint32_t *nr,
		   daos_key_desc_t *kds, d_sg_list_t *sgl, daos_anchor_t *anchor,
		   daos_event_t *ev);

/**
 * List the extents of an array.
 * @param size        bytes of a record
 * @param nr          [in] room in @recxs and @eprs [out] extents listed
 * @param eprs        epochs of each extent, or NULL
 * @param incr_order  rising, else falling
 */
int
daos_obj_list_recx(daos_handle_t oh, daos_handle_t th, daos_key_t *dkey, daos_key_t *akey,
		   daos_size_t *size, uint32_t *nr, daos_recx_t *recxs, daos_epoch_range_t *eprs,
		   daos_anchor_t *anchor, bool incr_order, daos_event_t *ev);

/**
 * Find the lowest or highest integer dkey, akey, or extent.
 * @param flags  DAOS_GET_MAX or DAOS_GET_MIN, with at least one of DAOS_GET_{DKEY,AKEY,RECX}
 * @param dkey   [out] if asked for, else [in]; so are @akey and @recx
 * Errors: NO_HDL | INVAL keys that are not integers | NONEXIST
 */
int
daos_obj_query_key(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_key_t *dkey,
		   daos_key_t *akey, daos_recx_t *recx, daos_event_t *ev);

/** Epoch of the newest change of an object; 0 if it never had one. */
int
daos_obj_query_max_epoch(daos_handle_t oh, daos_handle_t th, daos_epoch_t *epoch,
			 daos_event_t *ev);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_OBJ_H__ */
