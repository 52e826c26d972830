/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Two rings of records in memory that two processes share, one for each direction. A ring has one
 * producer and one consumer. Neither trusts the other: each keeps its own position, reads of the
 * shared memory only what it checks, and copies a record before it looks at it.
 *
 *   0       128          256     384       512
 *   +-------+------------+-------+---------+-------------------------------+
 *   | tail  | want_space | head  | parked  | records, each from a multiple |
 *   |       |            |       |         | of 64 bytes: len, kind, bytes |
 *   +-------+------------+-------+---------+-------------------------------+
 *    producer's           consumer's (parked is set by it, cleared by the producer)
 *
 * Positions count bytes since the beginning and only grow; position modulo size is the place. A
 * record does not go round the end: RING_WRAP fills what is left. On an empty ring the producer
 * starts over from the front after a while, so a connection of few messages stays in few pages.
 *
 * Who sleeps is woken:
 * 1. The consumer sets `parked` and only then looks whether something came; the producer moves
 *    `tail` and only then looks at `parked`. One of the two sees the other.
 * 2. A producer whose record does not fit sets `want_space` and only then looks again; a consumer
 *    looks at it on each poll, and before it sleeps after it has moved `head`.
 */
#pragma once

#include <stdatomic.h>
#include "base/util.h"
#include "na/na.h"

#define RING_BYTES      (128u << 10)
#define RING_ALIGN      64
#define RING_REC_BYTES_MAX (NA_MSG_BYTES_MAX + 64)

enum ring_kind {
	RING_WRAP = 1,
	RING_MSG,      /**< a message */
	RING_READ,     /**< struct ring_rma: send me this */
	RING_WRITE,    /**< struct ring_rma and bytes: put this there */
	RING_DATA,     /**< struct ring_rma and bytes: what a RING_READ asked for */
	RING_DONE,     /**< struct ring_rma: a read failed, or a write ended */
};

struct ring_mem {
	_Atomic uint64_t tail __attribute__((aligned(128)));
	_Atomic uint32_t want_space __attribute__((aligned(128)));
	_Atomic uint64_t head __attribute__((aligned(128)));
	_Atomic uint32_t parked __attribute__((aligned(128)));
	char data[RING_BYTES] __attribute__((aligned(128)));
};

struct ring_tx {
	struct ring_mem *mem;
	uint64_t         tail;
	uint64_t         head_seen; /* at least so much is consumed */
	uint32_t         fetch_bytes; /* lines to fetch for the next record */
	uint32_t         quiet_nr;    /* polls since the last record */
};
struct ring_rx {
	struct ring_mem *mem;
	uint64_t         head;
};
/** A record of the consumer's: @bytes is still shared memory, read each byte once. */
struct ring_rec {
	uint32_t    kind;
	uint32_t    len;
	const char *bytes;
};

/** Returns 0 | -DER_AGAIN no room | -DER_PROTO the consumer broke the ring. */
int  ring_put(struct ring_tx *tx, uint32_t kind, const void *head, uint32_t head_bytes,
	      const void *body, uint32_t body_bytes) MUST_CHECK;
/** After ring_put(): must the consumer be poked? Says so once for each time it parked. */
bool ring_must_poke(struct ring_tx *tx);
/**
 * A poll of the other ring found nothing: time to fetch lines for the next record. Right after a record would be too
 * early: the consumer's core, which fetches ahead while it reads, would take them away again.
 */
void ring_tx_quiet(struct ring_tx *tx);
static inline bool
ring_tx_fetches(const struct ring_tx *tx)
{
	return tx->fetch_bytes > 0;
}
/** No room: be poked when there is. Then try again, before sleeping. */
void ring_want_space(struct ring_tx *tx);

/** Returns 1 and the next record | 0 none | -DER_PROTO the producer broke the ring. */
int  ring_peek(struct ring_rx *rx, struct ring_rec *ret_rec) MUST_CHECK;
/** The record that was peeked is done with. */
void ring_pop(struct ring_rx *rx, const struct ring_rec *rec);
static inline bool
ring_rx_empty(const struct ring_rx *rx)
{
	return atomic_load_explicit(&rx->mem->tail, memory_order_acquire) == rx->head;
}
/** The producer waits for room: it must be poked. Says so once. */
bool ring_space_wanted(struct ring_rx *rx);
/** Be poked from now on. False: something is there, do not sleep. */
bool ring_park(struct ring_rx *rx);
void ring_unpark(struct ring_rx *rx);
