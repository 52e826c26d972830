/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** bio as its own files see it. */
#pragma once

#include <liburing.h>
#include "base/list.h"
#include "bio/bio.h"
#include "bio/bio_df.h"
#include "bio/bio_ram.h"
#include "ult/ult.h"

/* ---- devices ---- */

struct bio_dev {
	char               *name;
	enum bio_kind       kind;
	int                 fd;       /**< -1: RAM */
	bool                direct;   /**< opened with O_DIRECT */
	struct bio_ram     *ram;
	bool                ram_owned;
	unsigned char       uuid[16], system_uuid[16];
	uint64_t            size_bytes;
	uint32_t            cluster_nr;
	uint32_t            roles;
	pthread_mutex_t     change_lock; /**< one change of the table at a time; held over I/O, by helper threads */
	pthread_mutex_t     table_lock;  /**< of what is below; never held over I/O */
	struct bio_table_df *table;
	uint32_t            table_copy;  /**< where the present table lies; the other one is written first */
	uint32_t            open_nr;     /**< blobs open */
	struct bio_dev_health health;    /**< added to by any xstream */
	uint64_t            err_limit;   /**< 0: none */
	uint64_t            csum_limit;  /**< 0: none */
	bool                faulty;      /**< atomic; set once */
};

/** Blocking I/O on the device, for superblock and table. Memory and offsets are block aligned. */
int bio_dev_pread(struct bio_dev *dev, uint64_t off, void *buf, size_t bytes) MUST_CHECK;
int bio_dev_pwrite(struct bio_dev *dev, uint64_t off, const void *buf, size_t bytes) MUST_CHECK;
int bio_dev_sync(struct bio_dev *dev) MUST_CHECK;
/** errno of an I/O to a DER code: NOSPACE, NOMEM, else IO. */
int bio_errno2der(int err);

/** Superblock and blob table (bio_super.c, bio_table.c). */
int  bio_super_read(struct bio_dev *dev) MUST_CHECK;
int  bio_super_write(struct bio_dev *dev, uint32_t roles) MUST_CHECK;
/** The copy that is not as good as the other is written anew. */
int  bio_super_heal(struct bio_dev *dev, unsigned *nr) MUST_CHECK;
int  bio_table_heal(struct bio_dev *dev, unsigned *nr) MUST_CHECK;
/** What the first block says: zeroes, our superblock, or something else's data. */
enum bio_content { BIO_CONTENT_NONE, BIO_CONTENT_OURS, BIO_CONTENT_FOREIGN };
int  bio_super_probe(struct bio_dev *dev, enum bio_content *ret_content) MUST_CHECK;
int  bio_table_read(struct bio_dev *dev) MUST_CHECK;
int  bio_table_format(struct bio_dev *dev) MUST_CHECK;
/** Index of the blob's entry or -1; table_lock is held. */
int  bio_table_find(const struct bio_table_df *table, const struct bio_blob_id *id);

/* ---- I/O ---- */

struct bio_blob {
	struct bio_ctx     *ctx;
	struct bio_dev     *dev;
	char               *name;
	uint64_t            bytes;
	struct bio_entry_df entry;
};

enum bio_op { BIO_OP_READ, BIO_OP_WRITE, BIO_OP_FLUSH };

/** A piece of a request that is contiguous on the device. */
struct bio_seg {
	struct bio_io *io;
	struct iovec  *iov;
	int            iov_nr;
	uint64_t       dev_off;
	uint64_t       left_bytes; /**< 0: done */
};

#define BIO_IO_IOV_NR 8
#define BIO_IO_SEG_NR 2

struct bio_io {
	d_list_t       link; /**< on the context's free, backlog or done list */
	struct bio_ctx *ctx;
	struct bio_blob *blob;
	enum bio_op    op;
	bool           flush;    /**< a flush is still to be done */
	bool           flushes;  /**< one was asked for */
	uint64_t       bytes;
	uint32_t       pending;  /**< completions outstanding */
	uint32_t       retry_nr;
	int            rc;
	bio_cb_t       cb;
	void          *arg;
	struct bio_seg *segs;
	uint32_t       seg_nr;
	struct iovec  *iov;
	struct bio_seg seg_inline[BIO_IO_SEG_NR];
	struct iovec   iov_inline[BIO_IO_IOV_NR + BIO_IO_SEG_NR];
};

struct bio_buf_class {
	void *head; /**< free buffers, chained by their first word */
};
#define BIO_BUF_CLASS_NR 20 /**< 4 KiB << class */

/** What the ring knows beforehand: bio_reg.c. */
#define BIO_REG_FILE_NR 16u
#define BIO_REG_MEM_NR  256u
struct bio_reg_file {
	const struct bio_dev *dev; /**< NULL: free */
	uint32_t              refs;
};
struct bio_reg_mem {
	const char *start;
	size_t      bytes;
	uint32_t    slot;
};
struct bio_reg {
	bool                files_on, mem_on;
	bool                refused; /**< a limit: not tried again before something was given back */
	struct bio_reg_file files[BIO_REG_FILE_NR];
	struct bio_reg_mem  mem[BIO_REG_MEM_NR]; /**< by address */
	uint32_t            mem_nr;
	uint64_t            mem_bytes;
	uint16_t            free_slots[BIO_REG_MEM_NR];
	uint32_t            free_slot_nr;
	uint64_t            file_io_nr, mem_io_nr; /**< submissions that made use of it */
};

struct bio_ctx {
	struct io_uring      ring;
	bool                 has_ring;
	struct bio_reg       reg;
	uint32_t             unsubmitted;
	uint32_t             in_flight;   /**< requests */
	uint64_t             io_bytes_max; /**< one submission's limit; tests make it small */
	struct ult_poller    poller;
	d_list_t             free_ios;
	d_list_t             backlog; /**< waiting for a submission entry */
	d_list_t             done;    /**< RAM: to be completed by the poller */
	struct bio_buf_class bufs[BIO_BUF_CLASS_NR];
	size_t               buf_used, buf_cached, buf_limit;
	d_list_t             buf_waiters;
};

/** Issue what is not done of the request, or complete it. */
void bio_io_advance(struct bio_io *io);
void bio_io_complete(struct bio_io *io);
/** The ring. Errors of init: whatever io_uring_queue_init gave, as errno. */
int  bio_uring_init(struct bio_ctx *ctx) MUST_CHECK;
void bio_uring_fini(struct bio_ctx *ctx);
/** Queue all that is left of the request; false: no room now. */
bool bio_uring_issue(struct bio_io *io);
int  bio_uring_poll(struct bio_ctx *ctx);
bool bio_uring_arm(struct bio_ctx *ctx);
/** A fresh ring. */
void bio_reg_init(struct bio_ctx *ctx);
/** A blob of the device was opened, closed. */
void bio_reg_file_get(struct bio_ctx *ctx, struct bio_dev *dev);
void bio_reg_file_put(struct bio_ctx *ctx, struct bio_dev *dev);
/** Index the ring has for it, or -1. */
int  bio_reg_file_find(struct bio_ctx *ctx, const struct bio_dev *dev);
int  bio_reg_mem_find(const struct bio_ctx *ctx, const void *ptr, size_t bytes);
/** Helper threads, where there is no ring. */
void bio_thread_issue(struct bio_io *io);
/** Account @bytes done of a segment. */
void bio_seg_consume(struct bio_seg *seg, uint64_t bytes);

void bio_buf_init(struct bio_ctx *ctx);
void bio_buf_fini(struct bio_ctx *ctx);

/** For tests: no ring, helper threads only. */
int  bio_ctx_create_threaded(struct bio_ctx **ret_ctx) MUST_CHECK;
/** For tests: no submission transfers more than @bytes, so that every longer one comes back short. */
void bio_ctx_limit_io(struct bio_ctx *ctx, uint64_t bytes);
