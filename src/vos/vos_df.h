/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Durable structures of VOS: what lies in the heap. Little-endian. Drawn in docs/formats/vos.md,
 * whose invariants are cited as "invariant n".
 */
#pragma once

#include "base/dtx_id.h"
#include "base/unit_oid.h"
#include "umem/umem.h"

#define VOS_POOL_MAGIC   0x6c6f6f70736f6164ULL /**< "daospool" */
#define VOS_POOL_VERSION 3u

/** Root of a B+tree. The nodes' layout depends on the class, see vos_btree.h. */
struct vos_btree_df {
	umem_off_t root;
	uint32_t   nr;    /**< entries in the leaves */
	uint32_t   depth; /**< levels; 0: empty, no root */
};
_Static_assert(sizeof(struct vos_btree_df) == 16, "durable layout");

/** Root object of the heap. */
struct vos_pool_df {
	uint64_t      magic;
	uint32_t      version;
	uint32_t      crc; /**< CRC-32C of the bytes from @uuid up to @conts */
	unsigned char uuid[16];
	uint64_t      data_blk_nr; /**< 0: no data blob */
	umem_off_t    bitmap;      /**< of the data blob, see bio/vea.h */
	uint32_t      blk_bytes;
	uint32_t      reserved;
	struct vos_btree_df conts; /**< uuid -> vos_cont_df */
	umem_off_t    gc_head;     /**< vos_gc_df, oldest first */
	umem_off_t    gc_tail;
	uint64_t      gc_nr;
	uint64_t      obj_nr;
	umem_off_t    csums;       /**< CRC-32C of each block of the data blob, as far as in use; 0: not kept */
};
_Static_assert(sizeof(struct vos_pool_df) == 112, "durable layout");

struct vos_cont_df {
	unsigned char       uuid[16];
	struct vos_btree_df objs; /**< daos_unit_oid_t -> vos_obj_df */
	uint64_t            used_bytes;
	uint64_t            hae;    /**< highest aggregated epoch */
	uint64_t            floor;  /**< >= hae: aggregation up to here began; older writes are refused */
	uint32_t            op_seq; /**< of the last writing operation; orders those of one epoch */
	uint32_t            kept;   /**< 1: the last aggregation spared what snapshots see */
	struct vos_btree_df dtx_prepared;  /**< dtx_id -> vos_dtx_df */
	struct vos_btree_df dtx_committed; /**< dtx_id -> epoch */
};
_Static_assert(sizeof(struct vos_cont_df) == 96, "durable layout");

/** A punch: everything below at or before (epoch, seq) is gone for who reads at or after epoch. */
struct vos_punch_df {
	uint64_t epoch;
	uint32_t seq;
	uint32_t reserved;
};
_Static_assert(sizeof(struct vos_punch_df) == 16, "durable layout");

/** Incarnation log of an object or key: the punches that end its lives, and its newest change. */
struct vos_inc_df {
	uint64_t change_epoch; /**< newest write below, or punch of something below */
	uint32_t change_seq;
	uint32_t punch_nr;
	union {
		struct vos_punch_df punch; /**< punch_nr == 1 */
		struct {
			umem_off_t punches; /**< punch_nr > 1: by epoch, ascending */
			uint32_t   punch_cap;
			uint32_t   reserved;
		};
	};
};
_Static_assert(sizeof(struct vos_inc_df) == 32, "durable layout");

struct vos_obj_df {
	daos_unit_oid_t     oid;
	struct vos_inc_df   inc;
	struct vos_btree_df dkeys;
};
_Static_assert(sizeof(struct vos_obj_df) == 72, "durable layout");

/** Where bytes are. */
enum vos_media {
	VOS_MEDIA_HOLE = 0, /**< nowhere: a punched value or extent */
	VOS_MEDIA_HEAP = 1, /**< behind a vos_blob_df */
	VOS_MEDIA_DATA = 2, /**< data blob, byte address */
};
#define VOS_MEDIA_MASK      3u
#define VOS_EXT_HEAD_SHARED 4u /**< DATA: the first block also holds bytes of a neighbour piece */
#define VOS_EXT_TAIL_SHARED 8u

/** Bytes in the heap. */
struct vos_blob_df {
	uint32_t refs; /**< pieces of it in use */
	uint32_t bytes;
	uint8_t  data[];
};
_Static_assert(sizeof(struct vos_blob_df) == 8, "durable layout");

/** A single value. */
struct vos_sv_df {
	uint64_t epoch; /**< first: the key of the history tree; 0: none */
	uint64_t addr;  /**< HEAP: offset of the bytes, an allocation of their own; DATA: byte address */
	uint64_t bytes;
	uint32_t seq;
	uint32_t flags;
};
_Static_assert(sizeof(struct vos_sv_df) == 32, "durable layout");

/** A piece of an array nobody has overwritten yet. */
struct vos_live_df {
	uint64_t lo; /**< record index; key */
	uint64_t hi; /**< first index behind it */
	uint64_t epoch;
	uint64_t addr;  /**< of its first byte. HEAP: heap offset; DATA: byte address */
	uint32_t seq;
	uint32_t rsize; /**< bytes a record; 0: hole */
	uint32_t delta; /**< HEAP: bytes from vos_blob_df.data to addr */
	uint32_t flags;
};
_Static_assert(sizeof(struct vos_live_df) == 48, "durable layout");

/** A piece of an array that was overwritten at epoch @death. */
struct vos_hist_df {
	uint32_t level; /**< 2^(level-1) < records <= 2^level; key, 1st part */
	uint32_t seq;
	uint64_t lo;    /**< key, 2nd part */
	uint64_t epoch; /**< key, 3rd part */
	uint64_t hi;
	uint64_t death; /**< visible at e if epoch <= e < death */
	uint64_t addr;
	uint32_t rsize;
	uint32_t delta;
	uint32_t flags;
	uint32_t reserved;
};
_Static_assert(sizeof(struct vos_hist_df) == 64, "durable layout");

struct vos_sv_root_df {
	struct vos_sv_df    cur;  /**< the newest */
	struct vos_btree_df hist; /**< epoch -> vos_sv_df, the older ones */
};

struct vos_evt_df {
	struct vos_btree_df live;   /**< lo -> vos_live_df, disjoint */
	struct vos_btree_df hist;   /**< (level, lo, epoch) -> vos_hist_df */
	uint64_t            levels; /**< bit i: a piece of level i may be in hist (63: and above) */
	uint64_t            gap_epoch; /**< readers before it may find past pieces where nothing is live */
};
_Static_assert(sizeof(struct vos_sv_root_df) == 48, "durable layout");
_Static_assert(sizeof(struct vos_evt_df) == 48, "durable layout");

enum vos_key_level { VOS_DKEY = 1, VOS_AKEY = 2 };
enum vos_akey_type { VOS_AKEY_NONE = 0, VOS_AKEY_SINGLE = 1, VOS_AKEY_ARRAY = 2 };

/** A dkey or an akey, with its key behind: at VOS_DKEY_BYTES or VOS_AKEY_BYTES. */
struct vos_key_df {
	struct vos_inc_df inc;
	uint32_t          key_bytes;
	uint32_t          rsize; /**< AKEY, array: record size last written */
	uint8_t           level; /**< enum vos_key_level */
	uint8_t           type;  /**< AKEY: enum vos_akey_type */
	uint8_t           kind;  /**< enum vos_key_kind, how it is ordered among its siblings */
	uint8_t           reserved[5];
	union {
		struct vos_btree_df   akeys; /**< DKEY */
		struct vos_sv_root_df sv;    /**< AKEY, single */
		struct vos_evt_df     evt;   /**< AKEY, array */
	};
};
#define VOS_DKEY_BYTES (offsetof(struct vos_key_df, akeys) + sizeof(struct vos_btree_df))
#define VOS_AKEY_BYTES sizeof(struct vos_key_df)
_Static_assert(VOS_DKEY_BYTES == 64 && VOS_AKEY_BYTES == 96, "durable layout");

/** Entry of the dkey and akey trees. */
struct vos_key_ent_df {
	uint64_t   ord; /**< hash; integer; or first eight bytes, big-endian */
	umem_off_t key; /**< vos_key_df */
};
_Static_assert(sizeof(struct vos_key_ent_df) == 16, "durable layout");

struct vos_obj_ent_df {
	daos_unit_oid_t oid;
	umem_off_t      obj;
};
_Static_assert(sizeof(struct vos_obj_ent_df) == 32, "durable layout");

struct vos_cont_ent_df {
	unsigned char uuid[16];
	umem_off_t    cont;
};
_Static_assert(sizeof(struct vos_cont_ent_df) == 24, "durable layout");

/** Entry of both trees of transactions. */
struct vos_dtx_ent_df {
	struct dtx_id id;
	uint64_t      value; /**< prepared: offset of vos_dtx_df; committed: epoch */
};
_Static_assert(sizeof(struct vos_dtx_ent_df) == 32, "durable layout");

/** A prepared transaction. */
struct vos_dtx_df {
	struct dtx_id id;
	uint64_t      epoch;
	uint64_t      bytes; /**< of values, part of the container's used_bytes */
	umem_off_t    ops;   /**< vos_dtx_op_df, in the order they are to be done */
	uint32_t      op_nr;
	uint32_t      reserved;
};
_Static_assert(sizeof(struct vos_dtx_df) == 56, "durable layout");

/** One operation. Behind it @body_bytes: the dkey, then @part_nr times part, akey, segments; each begins at 8. */
enum vos_dtx_kind { VOS_DTX_UPDATE = 1, VOS_DTX_PUNCH = 2 };
struct vos_dtx_op_df {
	umem_off_t      next;
	daos_unit_oid_t oid;
	uint32_t        kind;
	uint32_t        dkey_bytes; /**< 0: punch of the object */
	uint32_t        part_nr;    /**< 0: punch of the dkey */
	uint32_t        body_bytes;
	uint8_t         body[];
};
_Static_assert(sizeof(struct vos_dtx_op_df) == 48, "durable layout");

struct vos_dtx_part_df {
	uint32_t akey_bytes;
	uint32_t rsize;  /**< record size; single: bytes */
	uint32_t seg_nr; /**< 0: punch of the akey */
	uint32_t type;   /**< enum vos_akey_type */
};
_Static_assert(sizeof(struct vos_dtx_part_df) == 16, "durable layout");

struct vos_dtx_seg_df {
	uint64_t lo;
	uint64_t hi;
	uint64_t addr; /**< as in vos_sv_df */
	uint64_t bytes;
	uint32_t media;
	uint32_t reserved;
};
_Static_assert(sizeof(struct vos_dtx_seg_df) == 40, "durable layout");

/** Something unlinked whose parts are still to be freed. */
enum vos_gc_kind { VOS_GC_CONT = 1, VOS_GC_OBJ = 2, VOS_GC_KEY = 3 };
struct vos_gc_df {
	umem_off_t next;
	umem_off_t what; /**< vos_cont_df, vos_obj_df or vos_key_df */
	umem_off_t cont; /**< vos_cont_df it belonged to, for the accounts */
	uint32_t   kind;
	uint32_t   reserved;
};
_Static_assert(sizeof(struct vos_gc_df) == 32, "durable layout");
