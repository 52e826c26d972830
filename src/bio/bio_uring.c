/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The ring. Submissions gather until the poller runs (once a scheduler cycle), so that the requests of
 * several ULTs cost one system call; completions are taken there too.
 *
 * A completion's user data is the segment, or the request with bit 0 set for a flush. A write and its
 * flush are linked when the write is one segment: a short write breaks the link, the flush comes back
 * cancelled, and bio_io_advance() issues the rest and then the flush.
 */
#define D_LOGFAC LOG_FAC_BIO

#include <string.h>
#include "base/log.h"
#include "bio/bio_int.h"

#define RING_ENTRIES 256u
#define FLUSH_BIT    1u
#define CQE_BATCH    64u

int
bio_uring_init(struct bio_ctx *ctx)
{
	int rc = io_uring_queue_init(RING_ENTRIES, &ctx->ring, IORING_SETUP_CLAMP);

	ctx->has_ring = rc == 0;
	if (rc == 0)
		bio_reg_init(ctx);
	return -rc;
}

void
bio_uring_fini(struct bio_ctx *ctx)
{
	io_uring_queue_exit(&ctx->ring);
	ctx->has_ring = false;
}

/** EAGAIN and EBUSY pass: the poller tries again. Anything else is a bug of ours. */
static void
submit(struct bio_ctx *ctx)
{
	int rc = io_uring_submit(&ctx->ring);

	if (rc > 0)
		ctx->unsubmitted -= MIN_OF(ctx->unsubmitted, (uint32_t)rc);
	D_ASSERT(rc >= 0 || rc == -EAGAIN || rc == -EBUSY || rc == -EINTR || rc == -ENOMEM);
}

static bool
has_room(struct bio_ctx *ctx, uint32_t nr)
{
	if (io_uring_sq_space_left(&ctx->ring) < nr)
		submit(ctx);
	return io_uring_sq_space_left(&ctx->ring) >= nr;
}

static struct io_uring_sqe *
get_sqe(struct bio_io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ctx->ring);

	D_ASSERT(sqe != NULL); /* has_room() said so */
	io->pending++;
	io->ctx->unsubmitted++;
	return sqe;
}

/** The file as the ring knows it, if it does: *@flags says so. */
static int
file_of(struct bio_io *io, unsigned *flags)
{
	int slot = bio_reg_file_find(io->ctx, io->blob->dev);

	if (slot < 0)
		return io->blob->dev->fd;
	*flags |= IOSQE_FIXED_FILE;
	io->ctx->reg.file_io_nr++;
	return slot;
}

/** One piece of memory, which the ring knows or not. */
static void
prep_piece(struct bio_io *io, struct io_uring_sqe *sqe, int fd, void *buf, unsigned len, uint64_t off)
{
	int slot = bio_reg_mem_find(io->ctx, buf, len);

	if (slot >= 0 && io->op == BIO_OP_READ)
		io_uring_prep_read_fixed(sqe, fd, buf, len, off, slot);
	else if (slot >= 0)
		io_uring_prep_write_fixed(sqe, fd, buf, len, off, slot);
	else if (io->op == BIO_OP_READ)
		io_uring_prep_read(sqe, fd, buf, len, off);
	else
		io_uring_prep_write(sqe, fd, buf, len, off);
	io->ctx->reg.mem_io_nr += slot >= 0;
}

/** Vector entries that fit one submission: UIO_MAXIOV of them, io_bytes_max bytes. */
static void
issue_seg(struct bio_io *io, struct bio_seg *seg, unsigned flags)
{
	struct io_uring_sqe *sqe = get_sqe(io);
	int                  nr  = MIN_OF(seg->iov_nr, 1024);
	int                  fd  = file_of(io, &flags);

	if (nr == 1 || seg->iov->iov_len > io->ctx->io_bytes_max) {
		prep_piece(io, sqe, fd, seg->iov->iov_base, MIN_OF(seg->iov->iov_len, io->ctx->io_bytes_max),
			   seg->dev_off);
	} else if (io->op == BIO_OP_READ) {
		io_uring_prep_readv(sqe, fd, seg->iov, nr, seg->dev_off);
	} else {
		io_uring_prep_writev(sqe, fd, seg->iov, nr, seg->dev_off);
	}
	io_uring_sqe_set_flags(sqe, flags);
	io_uring_sqe_set_data(sqe, seg);
}

static void
issue_flush(struct bio_io *io)
{
	struct io_uring_sqe *sqe   = get_sqe(io);
	unsigned             flags = 0;

	io_uring_prep_fsync(sqe, file_of(io, &flags), IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_flags(sqe, flags);
	io_uring_sqe_set_data(sqe, (void *)((uintptr_t)io | FLUSH_BIT));
}

bool
bio_uring_issue(struct bio_io *io)
{
	struct bio_ctx *ctx   = io->ctx;
	uint32_t        todo  = 0;
	bool            link;

	for (uint32_t i = 0; i < io->seg_nr; i++)
		todo += io->segs[i].left_bytes > 0;
	/* The rest of a partly issued segment comes later, then the flush cannot be linked. */
	link = io->flush && todo == 1 && io->seg_nr == 1 &&
	       io->segs[0].left_bytes <= ctx->io_bytes_max && io->segs[0].iov_nr <= 1024;
	if (!has_room(ctx, MAX_OF(todo, 1u) + link))
		return false;
	for (uint32_t i = 0; i < io->seg_nr; i++) {
		if (io->segs[i].left_bytes > 0)
			issue_seg(io, &io->segs[i], link ? IOSQE_IO_LINK : 0);
	}
	if (link || todo == 0)
		issue_flush(io);
	return true;
}

static void
io_error(struct bio_io *io, const char *what, int err)
{
	if (io->rc == 0)
		D_ERROR("%s: %s failed: %s; check the device\n", io->blob->name, what,
			strerror(err));
	io->rc = bio_errno2der(err);
}

static void
on_flush(struct bio_io *io, int res)
{
	if (res == 0)
		io->flush = false;
	else if (res == -EINTR || res == -EAGAIN)
		io->retry_nr++;
	else if (res != -ECANCELED)
		io_error(io, "flush", -res);
}

static void
on_seg(struct bio_seg *seg, int res)
{
	struct bio_io *io = seg->io;

	if (res > 0) {
		bio_seg_consume(seg, MIN_OF((uint64_t)res, seg->left_bytes));
		io->retry_nr = 0;
	} else if (res == -EINTR || res == -EAGAIN) {
		io->retry_nr++;
	} else {
		io_error(io, io->op == BIO_OP_READ ? "read" : "write", res == 0 ? EIO : -res);
	}
}

static void
on_cqe(struct io_uring_cqe *cqe)
{
	uintptr_t      data = (uintptr_t)io_uring_cqe_get_data(cqe);
	struct bio_io *io;

	if ((data & FLUSH_BIT) != 0) {
		io = (struct bio_io *)(data & ~(uintptr_t)FLUSH_BIT);
		on_flush(io, cqe->res);
	} else {
		io = ((struct bio_seg *)data)->io;
		on_seg((struct bio_seg *)data, cqe->res);
	}
	if (--io->pending == 0)
		bio_io_advance(io);
}

int
bio_uring_poll(struct bio_ctx *ctx)
{
	struct io_uring_cqe *cqes[CQE_BATCH];
	unsigned             nr;

	if (ctx->unsubmitted > 0)
		submit(ctx);
	nr = io_uring_peek_batch_cqe(&ctx->ring, cqes, CQE_BATCH);
	for (unsigned i = 0; i < nr; i++)
		on_cqe(cqes[i]);
	io_uring_cq_advance(&ctx->ring, nr);
	if (ctx->unsubmitted > 0)
		submit(ctx);
	return nr;
}

bool
bio_uring_arm(struct bio_ctx *ctx)
{
	if (ctx->unsubmitted > 0)
		submit(ctx);
	return ctx->unsubmitted == 0 && io_uring_cq_ready(&ctx->ring) == 0;
}
