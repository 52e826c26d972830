/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A file through io_uring and O_DIRECT, without anything around it: what the device gives.
 *
 *   raw_bench read|write FILE BYTES DEPTH OPERATIONS [FLUSH_EVERY]
 *
 * The file is written once before, so that no operation has to allocate. With FLUSH_EVERY, an fdatasync
 * follows each so many writes, when they are complete; nothing else is under way meanwhile.
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES (1ull << 30)
#define FILL_BYTES (1u << 20)

struct raw {
	struct io_uring ring;
	int             fd;
	int             write;
	size_t          bytes;
	uint64_t        depth, op_nr, flush_every;
	char           *buf; /**< depth of them */
	uint64_t        rng;
};

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void
file_make(struct raw *r, const char *path)
{
	char *zero = aligned_alloc(4096, FILL_BYTES);

	must(zero != NULL, "memory");
	memset(zero, 0, FILL_BYTES);
	r->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	must(r->fd >= 0, path);
	must(fallocate(r->fd, 0, 0, FILE_BYTES) == 0, "fallocate");
	for (uint64_t at = 0; at < FILE_BYTES; at += FILL_BYTES)
		must(pwrite(r->fd, zero, FILL_BYTES, at) == FILL_BYTES, "pwrite");
	must(fsync(r->fd) == 0, "fsync");
	free(zero);
}

static void
issue(struct raw *r, uint64_t slot)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
	uint64_t             off;

	r->rng = r->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	off    = (r->rng >> 20) % (FILE_BYTES / r->bytes) * r->bytes;
	must(sqe != NULL, "submission queue");
	if (r->write)
		io_uring_prep_write(sqe, r->fd, r->buf + slot * r->bytes, r->bytes, off);
	else
		io_uring_prep_read(sqe, r->fd, r->buf + slot * r->bytes, r->bytes, off);
	io_uring_sqe_set_data64(sqe, slot);
}

static void
flush(struct raw *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
	struct io_uring_cqe *cqe;

	io_uring_prep_fsync(sqe, r->fd, IORING_FSYNC_DATASYNC);
	must(io_uring_submit(&r->ring) == 1, "submit");
	must(io_uring_wait_cqe(&r->ring, &cqe) == 0 && cqe->res == 0, "fsync");
	io_uring_cqe_seen(&r->ring, cqe);
}

/** @nr operations, depth at a time. */
static void
run(struct raw *r, uint64_t nr)
{
	uint64_t             issued = 0;
	struct io_uring_cqe *cqe;

	for (; issued < nr && issued < r->depth; issued++)
		issue(r, issued);
	for (uint64_t done = 0; done < nr; done++) {
		uint64_t slot;

		must(io_uring_submit_and_wait(&r->ring, 1) >= 0, "submit");
		must(io_uring_peek_cqe(&r->ring, &cqe) == 0, "completion");
		must(cqe->res == (int)r->bytes, "I/O");
		slot = io_uring_cqe_get_data64(cqe);
		io_uring_cqe_seen(&r->ring, cqe);
		if (issued < nr) {
			issue(r, slot);
			issued++;
		}
	}
}

int
main(int argc, char **argv)
{
	struct raw r = {.rng = 1};
	double     start;

	if (argc < 6) {
		fprintf(stderr, "usage: raw_bench read|write FILE BYTES DEPTH OPERATIONS [FLUSH_EVERY]\n");
		return 2;
	}
	r.write       = strcmp(argv[1], "write") == 0;
	r.bytes       = strtoull(argv[3], NULL, 0);
	r.depth       = strtoull(argv[4], NULL, 0);
	r.op_nr       = strtoull(argv[5], NULL, 0);
	r.flush_every = argc > 6 ? strtoull(argv[6], NULL, 0) : 0;
	r.buf         = aligned_alloc(4096, r.bytes * r.depth);
	must(r.buf != NULL, "memory");
	memset(r.buf, 7, r.bytes * r.depth);
	file_make(&r, argv[2]);
	must(io_uring_queue_init(r.depth + 1, &r.ring, 0) == 0, "io_uring");
	start = now();
	for (uint64_t done = 0; done < r.op_nr;) {
		uint64_t nr = r.flush_every == 0 ? r.op_nr : r.flush_every;

		run(&r, nr);
		if (r.flush_every != 0)
			flush(&r);
		done += nr;
	}
	printf("{\"rate\": %.1f}\n", r.op_nr / (now() - start));
	unlink(argv[2]);
	return 0;
}
