/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Block I/O. A device (file, partition, disk, or RAM) carries a superblock and a table of blobs; a
 * blob is a numbered, growable-at-creation-only range of bytes made of clusters, such as the log, the
 * metadata or the data of one pool on one target. Each xstream does its I/O on its own ring.
 *
 * A device is opened once per engine and shared by its xstreams. Changing the blob table is rare: it
 * is done under a lock, on a helper thread, and is atomic on the medium (two alternating, checksummed
 * copies). Reads and writes never take that lock.
 */
#pragma once

#include <gurt/types.h>
#include <sys/uio.h>
#include "base/util.h"

#define BIO_BLOCK_BYTES   4096u          /**< unit of I/O and alignment */
#define BIO_CLUSTER_BYTES (1u << 20)     /**< unit of blob allocation */

struct bio_dev;
struct bio_ctx;
struct bio_blob;

enum bio_kind { BIO_FILE, BIO_KDEV, BIO_RAM };
enum bio_role { BIO_ROLE_WAL = 1, BIO_ROLE_META = 2, BIO_ROLE_DATA = 4 };

struct bio_dev_attr {
	enum bio_kind kind;
	const char   *path;       /**< file or block device; RAM: a name for messages */
	uint64_t      size_bytes; /**< FILE, RAM: size to create; KDEV: 0 = all of it */
	uint32_t      roles;      /**< BIO_ROLE_* this device serves */
	struct bio_ram *ram;      /**< RAM: memory that outlives the device (bio_ram.h); NULL: fresh at open, gone at close */
};
struct bio_ram;
/** Write a fresh superblock. A file is created with its space reserved (NOSPACE). EXIST: formatted already, or the first
 *  block holds anything but zeroes, and not @force. */
int  bio_dev_format(const struct bio_dev_attr *attr, const unsigned char system_uuid[16], bool force) MUST_CHECK;
/** Errors: NONEXIST no such path | UNINIT not formatted | DF_INVAL damaged (both copies) | DF_INCOMPT other version | BUSY
 *  opened already, here or by another process (waits 2 s for one that was just killed). The log line names the device and the remedy. */
int  bio_dev_open(const struct bio_dev_attr *attr, struct bio_dev **ret_dev) MUST_CHECK;
void bio_dev_close(struct bio_dev *dev);
void bio_dev_uuid(const struct bio_dev *dev, unsigned char uuid[16]);        /**< the device's own */
void bio_dev_system_uuid(const struct bio_dev *dev, unsigned char uuid[16]); /**< given to bio_dev_format() */
const char *bio_dev_name(const struct bio_dev *dev);                         /**< path, for messages */
uint32_t bio_dev_roles(const struct bio_dev *dev);                           /**< given to bio_dev_format() */
/** Write copies of superblock and blob table that are damaged or behind anew; how many in *ret_nr. Blocks. */
int  bio_dev_heal(struct bio_dev *dev, unsigned *ret_nr) MUST_CHECK;
struct bio_dev_space { uint64_t total_bytes, free_bytes; };
/** Since it was opened, all xstreams together. */
struct bio_dev_health {
	uint64_t read_nr, read_bytes, write_nr, write_bytes, flush_nr;
	uint64_t retry_nr; /**< tried again, as the kernel asked to */
	uint64_t err_nr;   /**< requests that failed */
	uint64_t csum_err_nr; /**< bytes read that did not match their checksum, as those who keep checksums say */
};
void bio_dev_health(const struct bio_dev *dev, struct bio_dev_health *ret_health);
/** From now on every request is refused at once (NVME_IO): what is left of a failing device is not to be trusted, and
 *  nobody shall wait for it. Until it is opened again. Any thread. */
void bio_dev_set_faulty(struct bio_dev *dev);
bool bio_dev_is_faulty(const struct bio_dev *dev);
/** That many requests failed, or so often what was read did not match its checksum: the device is faulty. 0, the default of
 *  both: never. */
void bio_dev_set_err_limit(struct bio_dev *dev, uint64_t err_nr);
void bio_dev_set_csum_limit(struct bio_dev *dev, uint64_t csum_err_nr);
void bio_dev_space(struct bio_dev *dev, struct bio_dev_space *space);

/* ---- blobs; these block on the device: call them in ult_offload() on an xstream ---- */

struct bio_blob_id {
	unsigned char pool[16];
	uint32_t      tgt;   /**< target index; BIO_TGT_SYS for the metadata xstream's own */
	uint32_t      role;  /**< one BIO_ROLE_* */
};
#define BIO_TGT_SYS UINT32_MAX
int  bio_blob_create(struct bio_dev *dev, const struct bio_blob_id *id, uint64_t bytes) MUST_CHECK; /**< EXIST, NOSPACE; content reads as zeroes or old bytes: format it */
int  bio_blob_destroy(struct bio_dev *dev, const struct bio_blob_id *id) MUST_CHECK;
int  bio_blob_list(struct bio_dev *dev, int (*cb)(const struct bio_blob_id *id, uint64_t bytes, void *arg), void *arg);

/* ---- per-xstream I/O ---- */

/** A ring of the calling xstream, registered as a poller with its scheduler. */
int  bio_ctx_create(struct bio_ctx **ret_ctx) MUST_CHECK;
void bio_ctx_destroy(struct bio_ctx *ctx);
int  bio_blob_open(struct bio_ctx *ctx, struct bio_dev *dev, const struct bio_blob_id *id, struct bio_blob **ret_blob) MUST_CHECK;
void bio_blob_close(struct bio_blob *blob);
uint64_t bio_blob_bytes(const struct bio_blob *blob);
const char *bio_blob_name(const struct bio_blob *blob); /**< device, role, pool and target, for messages */
/** On a file, space may be reserved that was never written; the first write there makes the next flush dearer. */
bool bio_blob_is_file(const struct bio_blob *blob);
/** Was all of the range written once? False if that cannot be told. Blocks: call it in ult_offload(). */
bool bio_blob_is_written(const struct bio_blob *blob, uint64_t off, uint64_t bytes);
/** Does a flush of one make writes to the other durable, too? */
bool bio_blob_same_dev(const struct bio_blob *a, const struct bio_blob *b);
struct bio_ctx *bio_blob_ctx(const struct bio_blob *blob);
/** What was read of it does not match its checksum: counted for the device, which may become faulty by it. */
void bio_blob_note_csum_err(struct bio_blob *blob);

/** Offsets and total lengths are multiples of BIO_BLOCK_BYTES, memory is block aligned (bio_buf_get).
 *  Out of range: -DER_INVAL. Device errors: -DER_IO / -DER_NVME_IO, logged with the device's name. */
MAY_YIELD int bio_readv(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr) MUST_CHECK;
MAY_YIELD int bio_writev(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr) MUST_CHECK;
/** Everything written before is on the medium when it returns 0. */
MAY_YIELD int bio_flush(struct bio_blob *blob) MUST_CHECK;
/** writev then flush, linked in one submission. */
MAY_YIELD int bio_writev_flush(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr) MUST_CHECK;

struct bio_io; /* asynchronous form, for many in flight */
typedef void (*bio_cb_t)(void *arg, int rc); /**< on the scheduler; must not yield */
int bio_readv_async(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr, bio_cb_t cb, void *arg) MUST_CHECK; /**< iov array is copied */
int bio_writev_async(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr, bio_cb_t cb, void *arg) MUST_CHECK;
int bio_flush_async(struct bio_blob *blob, bio_cb_t cb, void *arg) MUST_CHECK;

/** Block-aligned memory that lives long. I/O on large pieces of it costs less where the ring may know it beforehand. */
void *bio_mem_alloc(struct bio_ctx *ctx, size_t bytes); /**< NULL: none */
void  bio_mem_free(struct bio_ctx *ctx, void *mem);     /**< nothing is being read or written there */

/** Block-aligned buffers from the context's pool; waits when the limit is reached (never for ever: a request
 *  larger than the limit is -DER_NOMEM). */
MAY_YIELD int bio_buf_get(struct bio_ctx *ctx, size_t bytes, void **ret_buf) MUST_CHECK;
void bio_buf_put(struct bio_ctx *ctx, void *buf, size_t bytes);
