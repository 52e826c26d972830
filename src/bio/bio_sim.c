/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The simulated disk. Its contents are blocks that exist once something else than zeros was written, twice over: `now` is what a read sees,
 * `durable` what is certain to be there after a loss of power; a block that is the same in both is stored once.
 * Between them stands the log of writes that were not flushed, each with its bytes.
 *
 * A request takes time: it is an event (struct sim_op), and has its effect when that fires, then lies in the ring's
 * list of completions until the poller takes it. What a flush covers are the writes that had completed when it began.
 *
 * At a loss of power each write of the log, and each under way, is lost, or lands, or lands in part, sector by
 * sector; the order among them is any. When only the process ends, completed writes stay, those under way may be
 * cut anywhere.
 *
 * Invariants:
 * 1. Everything here is in the world's memory.
 * 2. now[b] != durable[b] only if a write of the log touches b.
 * 3. An operation belongs to a ring; when its node is killed, the operation is undone or done before memory goes.
 */
#define D_LOGFAC LOG_FAC_BIO
#include "bio/bio_sim.h"

#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "bio/bio_int.h"
#include "platform/platform_sim.h"

#define SECTOR_BYTES 512u

struct sim_write {
	d_list_t link;
	uint64_t seq, off;
	size_t   bytes;
	bool     zero; /* nothing else: without data */
	uint8_t  data[];
};
static const uint8_t zero_block[BIO_BLOCK_BYTES];

struct bio_ram {
	d_list_t              link; /* in all_rams */
	uint64_t              bytes;
	uint8_t             **now, **durable;
	uint8_t              *roles; /* of the blob that a block belongs to; 0: superblock or table */
	uint64_t              used_nr;
	d_list_t              log; /* struct sim_write, by seq */
	uint64_t              seq;
	d_list_t              ops; /* struct sim_op under way */
	uint32_t              node;
	bool                  power_loss;
	struct bio_sim_policy policy;
	struct bio_ram_stat   stat;
};

struct sim_ring {
	d_list_t link; /* in all_rings */
	d_list_t done; /* struct sim_op */
	uint32_t node;
	int      fd;
};

/* What a kill has to look through; of the world, as is the seed. */
static D_LIST_HEAD(all_rams);
static D_LIST_HEAD(all_rings);
static bool is_hooked;

struct sim_op {
	d_list_t          link;
	struct psim_event event;
	struct bio_ram   *ram;
	struct sim_ring  *ring;
	struct bio_io    *io;
	struct bio_seg   *seg; /* NULL: a flush */
	enum bio_op       op;
	uint64_t          off, bytes, seq;
	uint8_t           role; /* of the blob */
	int               res;
};

/* ---- contents ---- */

static uint8_t *
block_new(struct bio_ram *ram, const uint8_t *from)
{
	uint8_t *block = psim_world_alloc(BIO_BLOCK_BYTES);

	if (from != NULL)
		memcpy(block, from, BIO_BLOCK_BYTES);
	ram->used_nr++;
	return block;
}

static void
block_free(struct bio_ram *ram, uint8_t *block)
{
	if (block == NULL)
		return;
	psim_world_free(block);
	ram->used_nr--;
}

static void
image_read(struct bio_ram *ram, uint64_t off, uint8_t *buf, size_t bytes)
{
	while (bytes > 0) {
		uint64_t in = off % BIO_BLOCK_BYTES;
		size_t   len = MIN_OF(bytes, (size_t)(BIO_BLOCK_BYTES - in));
		uint8_t *block = ram->now[off / BIO_BLOCK_BYTES];

		if (block == NULL)
			memset(buf, 0, len);
		else
			memcpy(buf, block + in, len);
		off += len;
		buf += len;
		bytes -= len;
	}
}

static bool
all_zero(const uint8_t *buf, size_t bytes)
{
	return bytes == 0 || (buf[0] == 0 && memcmp(buf, buf + 1, bytes - 1) == 0);
}

static void
now_write(struct bio_ram *ram, uint64_t off, const uint8_t *buf, size_t bytes)
{
	while (bytes > 0) {
		uint64_t b = off / BIO_BLOCK_BYTES, in = off % BIO_BLOCK_BYTES;
		size_t   len = MIN_OF(bytes, (size_t)(BIO_BLOCK_BYTES - in));

		if (ram->now[b] == ram->durable[b] && (ram->now[b] != NULL || !all_zero(buf, len)))
			ram->now[b] = block_new(ram, ram->durable[b]);
		if (ram->now[b] != NULL)
			memcpy(ram->now[b] + in, buf, len);
		off += len;
		buf += len;
		bytes -= len;
	}
}

static void
durable_write(struct bio_ram *ram, uint64_t off, const uint8_t *buf, size_t bytes)
{
	while (bytes > 0) {
		uint64_t b = off / BIO_BLOCK_BYTES, in = off % BIO_BLOCK_BYTES;
		size_t   len = MIN_OF(bytes, (size_t)(BIO_BLOCK_BYTES - in));

		if (ram->durable[b] == NULL && !all_zero(buf, len))
			ram->durable[b] = block_new(ram, NULL);
		if (ram->durable[b] != NULL)
			memcpy(ram->durable[b] + in, buf, len);
		off += len;
		buf += len;
		bytes -= len;
	}
}

static bool
blocks_same(const uint8_t *a, const uint8_t *b)
{
	if (a == NULL || b == NULL)
		return a == b || all_zero(a == NULL ? b : a, BIO_BLOCK_BYTES);
	return memcmp(a, b, BIO_BLOCK_BYTES) == 0;
}

/** Where both are the same, one is enough. */
static void
blocks_join(struct bio_ram *ram, uint64_t off, size_t bytes)
{
	uint64_t end = (off + bytes + BIO_BLOCK_BYTES - 1) / BIO_BLOCK_BYTES;

	for (uint64_t b = off / BIO_BLOCK_BYTES; b < end; b++) {
		if (ram->now[b] == ram->durable[b] || !blocks_same(ram->now[b], ram->durable[b]))
			continue;
		block_free(ram, ram->durable[b]);
		ram->durable[b] = ram->now[b];
	}
}

static void
log_add(struct bio_ram *ram, uint64_t off, const uint8_t *buf, size_t bytes)
{
	bool              zero = all_zero(buf, bytes);
	struct sim_write *w = psim_world_alloc(sizeof(*w) + (zero ? 0 : bytes));

	w->zero = zero;
	w->seq = ++ram->seq;
	w->off = off;
	w->bytes = bytes;
	if (!zero)
		memcpy(w->data, buf, bytes);
	d_list_add_tail(&w->link, &ram->log);
}

/** @bytes of it from @at on become durable. */
static void
write_take(struct bio_ram *ram, const struct sim_write *w, size_t at, size_t bytes)
{
	if (!w->zero) {
		durable_write(ram, w->off + at, w->data + at, bytes);
		return;
	}
	for (size_t end = at + bytes, len; at < end; at += len) {
		len = MIN_OF(end - at, sizeof(zero_block));
		durable_write(ram, w->off + at, zero_block, len);
	}
}

static void
write_now(struct bio_ram *ram, uint64_t off, const uint8_t *buf, size_t bytes)
{
	log_add(ram, off, buf, bytes);
	now_write(ram, off, buf, bytes);
}

/** Make durable what had completed when @seq was the last. */
static void
flush_to(struct bio_ram *ram, uint64_t seq)
{
	struct sim_write *w;

	while ((w = d_list_first(&ram->log, struct sim_write, link)) != NULL && w->seq <= seq) {
		d_list_del(&w->link);
		write_take(ram, w, 0, w->bytes);
		blocks_join(ram, w->off, w->bytes);
		psim_world_free(w);
	}
}

/* ---- the end of a machine ---- */

static void
gather(const struct iovec *iov, int nr, uint8_t *buf, size_t bytes)
{
	for (int i = 0; i < nr && bytes > 0; i++) {
		size_t len = MIN_OF(iov[i].iov_len, bytes);

		memcpy(buf, iov[i].iov_base, len);
		buf += len;
		bytes -= len;
	}
}

static void
op_data_log(struct sim_op *op)
{
	uint8_t *buf = psim_world_alloc(op->bytes);

	gather(op->seg->iov, op->seg->iov_nr, buf, op->bytes);
	log_add(op->ram, op->off, buf, op->bytes);
	psim_world_free(buf);
}

/** Land the sectors of @w that chance picks. */
static void
write_land(struct bio_ram *ram, const struct sim_write *w)
{
	uint64_t kind = psim_below(4);

	for (size_t at = 0; at < w->bytes; at += SECTOR_BYTES) {
		if (kind == 0 || (kind == 1 && psim_below(2) == 0))
			continue; /* lost; every other sector lost */
		if (kind == 2 && psim_below(w->bytes / SECTOR_BYTES + 1) == 0)
			break; /* torn */
		write_take(ram, w, at, SECTOR_BYTES);
	}
}

static struct sim_write *
log_pick(struct bio_ram *ram, uint64_t nr)
{
	d_list_t *link = ram->log.next;

	for (uint64_t skip = psim_below(nr); skip > 0; skip--)
		link = link->next;
	return d_list_entry(link, struct sim_write, link);
}

/** What is durable is all there is now. */
static void
power_lost(struct bio_ram *ram)
{
	struct sim_write *w;
	uint64_t          nr = 0;

	d_list_for_each(w, &ram->log, link)
		nr++;
	psim_trace("power-loss", ram->node, nr, ram->seq);
	for (; nr > 0; nr--) {
		w = log_pick(ram, nr);
		write_land(ram, w);
		d_list_del(&w->link);
		psim_world_free(w);
	}
	for (uint64_t b = 0; b < ram->bytes / BIO_BLOCK_BYTES; b++) {
		if (ram->now[b] != ram->durable[b]) {
			block_free(ram, ram->now[b]);
			ram->now[b] = ram->durable[b];
		}
	}
}

static void
ring_free(struct sim_ring *ring)
{
	struct sim_op *op;

	while ((op = d_list_first(&ring->done, struct sim_op, link)) != NULL) {
		d_list_del(&op->link);
		psim_world_free(op);
	}
	d_list_del(&ring->link);
	psim_world_free(ring);
}

static void
ram_node_gone(struct bio_ram *ram)
{
	struct sim_op *op;
	uint64_t       seq = ram->seq;

	while ((op = d_list_first(&ram->ops, struct sim_op, link)) != NULL) {
		psim_event_cancel(&op->event);
		d_list_del(&op->link);
		if (op->op == BIO_OP_WRITE)
			op_data_log(op);
		psim_world_free(op);
	}
	if (!ram->power_loss)
		flush_to(ram, seq); /* the kernel and the device go on without the process */
	power_lost(ram);
}

static void
node_gone(uint32_t node, void *arg)
{
	struct bio_ram  *ram;
	struct sim_ring *ring, *tmp;

	(void)arg;
	d_list_for_each(ram, &all_rams, link) {
		if (ram->node == node)
			ram_node_gone(ram);
	}
	d_list_for_each_safe(ring, tmp, &all_rings, link) {
		if (ring->node == node)
			ring_free(ring);
	}
}

void
bio_ram_power_loss(struct bio_ram *ram, uint64_t seed)
{
	(void)seed;
	power_lost(ram);
}

/* ---- a device ---- */

int
bio_ram_create(uint64_t bytes, struct bio_ram **ret_ram)
{
	struct bio_ram *ram = psim_world_alloc(sizeof(*ram));

	ram->bytes = align_down(bytes, BIO_BLOCK_BYTES);
	ram->now = psim_world_alloc(ram->bytes / BIO_BLOCK_BYTES * sizeof(*ram->now));
	ram->durable = psim_world_alloc(ram->bytes / BIO_BLOCK_BYTES * sizeof(*ram->durable));
	ram->roles = psim_world_alloc(ram->bytes / BIO_BLOCK_BYTES);
	d_list_init(&ram->log);
	d_list_init(&ram->ops);
	d_list_add_tail(&ram->link, &all_rams);
	if (!is_hooked)
		psim_on_kill(node_gone, NULL);
	is_hooked = true;
	ram->policy = (struct bio_sim_policy){.read_ns = 80000, .write_ns = 40000, .flush_ns = 200000};
	*ret_ram = ram;
	return 0;
}

void
bio_ram_destroy(struct bio_ram *ram)
{
	if (ram == NULL)
		return;
	D_ASSERT(d_list_empty(&ram->ops));
	ram->power_loss = false;
	flush_to(ram, UINT64_MAX);
	for (uint64_t b = 0; b < ram->bytes / BIO_BLOCK_BYTES; b++)
		block_free(ram, ram->now[b]);
	d_list_del(&ram->link);
	psim_world_free(ram->now);
	psim_world_free(ram->durable);
	psim_world_free(ram->roles);
	psim_world_free(ram);
}

uint64_t
bio_ram_bytes(const struct bio_ram *ram)
{
	return ram->bytes;
}

void
bio_ram_stat(struct bio_ram *ram, struct bio_ram_stat *stat)
{
	*stat = ram->stat;
}

void
bio_ram_set_async(struct bio_ram *ram, bool async)
{
	D_ASSERT(async);
}

bool
bio_ram_is_async(const struct bio_ram *ram)
{
	return true;
}

bool
bio_ram_takes_ring(const struct bio_ram *ram)
{
	return true;
}

void
bio_sim_set_policy(struct bio_ram *ram, const struct bio_sim_policy *policy)
{
	ram->policy = *policy;
}

void
bio_sim_attach(struct bio_ram *ram, uint32_t node)
{
	ram->node = node;
}

void
bio_sim_set_power_loss(struct bio_ram *ram, bool power_loss)
{
	ram->power_loss = power_loss;
}

uint64_t
bio_sim_used_bytes(const struct bio_ram *ram)
{
	return ram->used_nr * BIO_BLOCK_BYTES;
}

bool
bio_sim_rot(struct bio_ram *ram, uint32_t roles)
{
	uint64_t block_nr = ram->bytes / BIO_BLOCK_BYTES, first = psim_below(block_nr);
	uint64_t bit = psim_below(BIO_BLOCK_BYTES * 8);

	for (uint64_t i = 0; i < block_nr; i++) {
		uint64_t b = (first + i) % block_nr;

		if (ram->now[b] == NULL || (ram->roles[b] & roles) == 0)
			continue;
		ram->now[b][bit / 8] ^= 1u << (bit % 8);
		if (ram->durable[b] != NULL && ram->durable[b] != ram->now[b])
			ram->durable[b][bit / 8] ^= 1u << (bit % 8);
		psim_trace("rot", ram->node, b, bit);
		return true;
	}
	return false;
}

/* ---- blocking requests: superblock and table, by helper threads ---- */

static uint64_t
cost_ns(const struct bio_ram *ram, enum bio_op op)
{
	const struct bio_sim_policy *p = &ram->policy;
	uint64_t mean = op == BIO_OP_READ ? p->read_ns : op == BIO_OP_WRITE ? p->write_ns : p->flush_ns;

	return psim_delay(mean * MAX_OF(p->slow_x, 1u));
}

/** Takes its time; the machine may stop meanwhile. */
static void
sync_pause(struct bio_ram *ram, enum bio_op op)
{
	if (psim_self() == NULL)
		return;
	if (psim_chance(ram->policy.crash_ppm))
		psim_crash_self();
	psim_sleep_ns(cost_ns(ram, op));
}

static bool
in_range(const struct bio_ram *ram, uint64_t off, uint64_t bytes)
{
	return off <= ram->bytes && bytes <= ram->bytes - off;
}

int
bio_ram_readv(struct bio_ram *ram, uint64_t off, const struct iovec *iov, int nr)
{
	ram->stat.read_nr++;
	sync_pause(ram, BIO_OP_READ);
	for (int i = 0; i < nr; i++) {
		if (!in_range(ram, off, iov[i].iov_len))
			return -DER_IO;
		image_read(ram, off, iov[i].iov_base, iov[i].iov_len);
		off += iov[i].iov_len;
	}
	return 0;
}

int
bio_ram_writev(struct bio_ram *ram, uint64_t off, const struct iovec *iov, int nr)
{
	ram->stat.write_nr++;
	for (int i = 0; i < nr; i++) {
		if (!in_range(ram, off, iov[i].iov_len))
			return -DER_IO;
		psim_trace("write", ram->node, off, psim_digest(iov[i].iov_base, iov[i].iov_len));
		write_now(ram, off, iov[i].iov_base, iov[i].iov_len);
		off += iov[i].iov_len;
	}
	sync_pause(ram, BIO_OP_WRITE);
	return 0;
}

int
bio_ram_flush(struct bio_ram *ram)
{
	uint64_t seq = ram->seq;

	ram->stat.flush_nr++;
	sync_pause(ram, BIO_OP_FLUSH);
	flush_to(ram, seq);
	return 0;
}

/* ---- the ring ---- */

static struct sim_ring *
ring_of(struct bio_ctx *ctx)
{
	return ctx->ring.sq.ring_ptr;
}

int
bio_uring_init(struct bio_ctx *ctx)
{
	struct sim_ring *ring = psim_world_alloc(sizeof(*ring));

	d_list_init(&ring->done);
	d_list_add_tail(&ring->link, &all_rings);
	ring->node = psim_node_self();
	ring->fd = plat_event_open();
	ctx->ring.ring_fd = ring->fd;
	ctx->ring.sq.ring_ptr = ring;
	ctx->has_ring = true;
	return 0;
}

void
bio_uring_fini(struct bio_ctx *ctx)
{
	struct sim_ring *ring = ring_of(ctx);

	D_ASSERT(d_list_empty(&ring->done));
	plat_fd_close(ring->fd);
	ring_free(ring);
	ctx->has_ring = false;
}

static int
op_read(struct sim_op *op)
{
	uint64_t off = op->off, left = op->bytes;

	if (psim_chance(op->ram->policy.read_error_ppm))
		return -EIO;
	for (int i = 0; i < op->seg->iov_nr && left > 0; i++) {
		size_t len = MIN_OF(op->seg->iov[i].iov_len, left);

		image_read(op->ram, off, op->seg->iov[i].iov_base, len);
		off += len;
		left -= len;
	}
	return op->bytes;
}

static int
op_write(struct sim_op *op)
{
	const struct iovec *iov = op->seg->iov;
	bool                whole = op->seg->iov_nr == 1 && iov[0].iov_len >= op->bytes;
	uint8_t            *buf = whole ? iov[0].iov_base : NULL;

	if (psim_chance(op->ram->policy.write_error_ppm))
		return -EIO;
	if (!whole) {
		buf = psim_world_alloc(op->bytes);
		gather(iov, op->seg->iov_nr, buf, op->bytes);
	}
	psim_trace("write", op->ram->node, op->off, psim_digest(buf, op->bytes));
	write_now(op->ram, op->off, buf, op->bytes);
	for (uint64_t b = op->off / BIO_BLOCK_BYTES; b * BIO_BLOCK_BYTES < op->off + op->bytes; b++)
		op->ram->roles[b] = op->role;
	if (!whole)
		psim_world_free(buf);
	return op->bytes;
}

static void
op_due(void *arg)
{
	struct sim_op *op = arg;

	d_list_del(&op->link);
	if (op->seg == NULL) {
		psim_trace("flush", op->ram->node, op->seq, 0);
		flush_to(op->ram, op->seq);
		op->res = 0;
	} else {
		op->res = op->op == BIO_OP_READ ? op_read(op) : op_write(op);
	}
	d_list_add_tail(&op->link, &op->ring->done);
	psim_fd_signal(op->ring->fd);
}

static void
op_start(struct bio_io *io, struct bio_seg *seg)
{
	struct bio_ram *ram = io->blob->dev->ram;
	struct sim_op  *op = psim_world_alloc(sizeof(*op));

	if (psim_chance(ram->policy.crash_ppm)) {
		psim_world_free(op);
		psim_crash_self();
	}
	op->ram = ram;
	op->ring = ring_of(io->ctx);
	op->io = io;
	op->seg = seg;
	op->op = seg == NULL ? BIO_OP_FLUSH : io->op;
	op->seq = ram->seq;
	op->role = io->blob->entry.role;
	if (seg != NULL) {
		op->off = seg->dev_off;
		op->bytes = MIN_OF(seg->left_bytes, io->ctx->io_bytes_max);
		if (op->bytes > BIO_BLOCK_BYTES && psim_chance(ram->policy.short_ppm))
			op->bytes = align_up(psim_between(1, op->bytes), BIO_BLOCK_BYTES);
		D_ASSERT(in_range(ram, op->off, op->bytes));
	}
	ram->stat.read_nr += op->op == BIO_OP_READ;
	ram->stat.write_nr += op->op == BIO_OP_WRITE;
	ram->stat.flush_nr += op->op == BIO_OP_FLUSH;
	op->event.fn = op_due;
	op->event.arg = op;
	io->pending++;
	d_list_add_tail(&op->link, &ram->ops);
	psim_event_at(&op->event, psim_now() + cost_ns(ram, op->op));
}

bool
bio_uring_issue(struct bio_io *io)
{
	uint32_t todo = 0;

	for (uint32_t i = 0; i < io->seg_nr; i++) {
		if (io->segs[i].left_bytes == 0)
			continue;
		op_start(io, &io->segs[i]);
		todo++;
	}
	if (todo == 0)
		op_start(io, NULL); /* all is written: now the flush */
	return true;
}

static void
op_finish(struct sim_op *op)
{
	struct bio_io *io = op->io;

	if (op->res < 0) {
		D_ERROR("%s: request failed: %s; check the device\n", io->blob->name, strerror(-op->res));
		io->rc = bio_errno2der(-op->res);
	} else if (op->seg == NULL) {
		io->flush = false;
	} else {
		bio_seg_consume(op->seg, op->res);
	}
	psim_world_free(op);
	if (--io->pending == 0)
		bio_io_advance(io);
}

int
bio_uring_poll(struct bio_ctx *ctx)
{
	struct sim_ring *ring = ring_of(ctx);
	struct sim_op   *op;
	int              nr = 0;

	while ((op = d_list_first(&ring->done, struct sim_op, link)) != NULL) {
		d_list_del(&op->link);
		op_finish(op);
		nr++;
	}
	return nr;
}

bool
bio_uring_arm(struct bio_ctx *ctx)
{
	struct sim_ring *ring = ring_of(ctx);

	if (!d_list_empty(&ring->done))
		return false;
	(void)plat_event_clear(ring->fd);
	return true;
}
