/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What a device holds outside its blobs. Little-endian. Drawn in docs/formats/device.md.
 *
 *   cluster 0: superblock at byte 0, its copy at BIO_SUPER_COPY_OFF
 *   cluster 1, cluster 2: the two copies of the blob table
 *   from cluster 3: blobs
 */
#pragma once

#include "bio/bio.h"

#define BIO_SUPER_MAGIC    0x64736f6964616f73ULL
#define BIO_TABLE_MAGIC    0x6c62617464616f73ULL
#define BIO_VERSION        1u
#define BIO_SUPER_COPY_OFF (512u * 1024)
#define BIO_FIRST_CLUSTER  3u
#define BIO_EXTENT_NR      28u
#define BIO_TABLE_OFF(copy) ((uint64_t)BIO_CLUSTER_BYTES * (1 + (copy)))

struct bio_super_df {
	uint64_t      magic;
	uint32_t      version;
	uint32_t      crc; /**< CRC-32C of the block with this field zero */
	unsigned char dev_uuid[16];
	unsigned char system_uuid[16];
	uint64_t      size_bytes;
	uint32_t      cluster_bytes;
	uint32_t      cluster_nr; /**< the first BIO_FIRST_CLUSTER included */
	uint32_t      roles;
	uint8_t       reserved[BIO_BLOCK_BYTES - 68];
};
_Static_assert(sizeof(struct bio_super_df) == BIO_BLOCK_BYTES, "durable layout");

struct bio_extent_df {
	uint32_t cluster;
	uint32_t cluster_nr;
};

struct bio_entry_df {
	unsigned char        pool[16];
	uint32_t             tgt;
	uint32_t             role;
	uint32_t             extent_nr;
	uint32_t             reserved;
	struct bio_extent_df extents[BIO_EXTENT_NR]; /**< unused ones are zero */
};
_Static_assert(sizeof(struct bio_entry_df) == 256, "durable layout");

#define BIO_ENTRY_MAX ((BIO_CLUSTER_BYTES - BIO_BLOCK_BYTES) / sizeof(struct bio_entry_df))

struct bio_table_df {
	uint64_t            magic;
	uint32_t            version;
	uint32_t            crc; /**< of the header with this field zero, and of the entries in use */
	uint64_t            seq; /**< the copy with the higher one is the present table */
	unsigned char       dev_uuid[16];
	uint32_t            entry_nr;
	uint8_t             reserved[BIO_BLOCK_BYTES - 44];
	struct bio_entry_df entries[BIO_ENTRY_MAX];
};
_Static_assert(sizeof(struct bio_table_df) == BIO_CLUSTER_BYTES, "durable layout");
