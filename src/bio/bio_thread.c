/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The backend for machines that refuse io_uring: each request is a detached ULT that hands the
 * blocking calls to a helper thread. Same results, more switches.
 */
#define D_LOGFAC LOG_FAC_BIO

#include <string.h>
#include "base/log.h"
#include "bio/bio_int.h"

static int
run_seg(struct bio_io *io, struct bio_seg *seg)
{
	int     fd = io->blob->dev->fd;
	ssize_t got;

	while (seg->left_bytes > 0) {
		int nr = MIN_OF(seg->iov_nr, 1024);

		if (io->op == BIO_OP_READ)
			got = preadv(fd, seg->iov, nr, seg->dev_off);
		else
			got = pwritev(fd, seg->iov, nr, seg->dev_off);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? EIO : errno;
		bio_seg_consume(seg, got);
	}
	return 0;
}

/** On a helper thread: the request is its alone until it returns. */
static int
run_blocking(void *arg)
{
	struct bio_io *io  = arg;
	int            err = 0;

	for (uint32_t i = 0; err == 0 && i < io->seg_nr; i++)
		err = run_seg(io, &io->segs[i]);
	if (err == 0 && io->flush) {
		err       = fdatasync(io->blob->dev->fd) == 0 ? 0 : errno;
		io->flush = false;
	}
	if (err == 0)
		return 0;
	D_ERROR("%s: %s failed: %s; check the device\n", io->blob->name,
		io->op == BIO_OP_READ ? "read" : "write or flush", strerror(err));
	return bio_errno2der(err);
}

MAY_YIELD static void
run_ult(void *arg)
{
	struct bio_io *io = arg;

	io->rc = ult_offload(run_blocking, io);
	bio_io_complete(io);
}

void
bio_thread_issue(struct bio_io *io)
{
	io->rc = ult_create(NULL, ULT_POOL_IO, run_ult, io, 0, NULL);
	/* No memory for a ULT: completed by the poller, never inside the call. */
	if (io->rc != 0)
		d_list_add_tail(&io->link, &io->ctx->done);
}
