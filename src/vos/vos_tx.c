/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The transaction around every change, and when freed blocks may be used again.
 *
 * A transaction begins, changes and commits without a yield; only then it waits to be durable. So
 * whoever looked something up may rely on it until it yields, and must look again afterwards.
 *
 * A block freed by a transaction may be written again when (1) the transaction is durable, or a
 * crash would bring back a reference to overwritten bytes; (2) it is proven, too (umem_proven_seq),
 * or opening after a crash might compare the bytes with what the log says was written there; (3) no
 * reader who looked before it committed is still reading. Transactions carry generations
 * (vea_commit), one each, so a generation is a transaction number less gen_seq. They are proven in
 * order; a reader notes the newest one committed when it looked. So all generations up to
 *     min(newest proven, the oldest reader's)
 * may be used again, and are, whenever a transaction becomes durable or a reader ends.
 */
#define D_LOGFAC LOG_FAC_VOS

#include "base/log.h"
#include "base/planted.h"
#include "vos/vos_internal.h"

#define HEAP_SPAN_BYTES_MIN (256ull << 10) /**< kept in one piece, if the reserve is as large */

static void
staged_settle(struct vos_pool *pool)
{
	if (pool->staged && pool->space.vea != NULL)
		pool->committed_gen = vea_commit(pool->space.vea);
	pool->staged = false;
}

void
vos_tx_begin(struct vos_pool *pool)
{
	/* Set, if the one who commits waits for room in the log: then nothing fails any more. */
	staged_settle(pool);
	umem_tx_begin(pool->umem);
	pool->space.tx_bytes = 0;
	pool->space.tx_blk_nr = 0;
}

int
vos_tx_ver(struct vos_cont *cont, daos_epoch_t epoch, struct vos_ver *ret_ver)
{
	int rc;

	rc = umem_tx_add(cont->pool->umem, &cont->df->op_seq, sizeof(cont->df->op_seq));
	if (rc != 0)
		return rc;
	*ret_ver = (struct vos_ver){epoch, ++cont->df->op_seq};
	return 0;
}

static void
space_settle(struct vos_pool *pool)
{
	struct vos_reader *oldest = d_list_first(&pool->readers, struct vos_reader, link);
	uint64_t	   gen = umem_proven_seq(pool->umem) - pool->gen_seq;

	if (oldest != NULL)
		gen = MIN_OF(gen, oldest->gen);
	if (gen <= pool->visible_gen)
		return;
	pool->visible_gen = gen;
	if (pool->space.vea != NULL)
		vea_free_visible(pool->space.vea, gen);
}

static int
tx_book(struct vos_pool *pool, struct vos_cont_df *cont)
{
	int rc;

	if (cont == NULL || pool->space.tx_bytes == 0)
		return 0;
	rc = umem_tx_add(pool->umem, &cont->used_bytes, sizeof(cont->used_bytes));
	if (rc == 0)
		cont->used_bytes += pool->space.tx_bytes;
	return rc;
}

static void
tx_abandon(struct vos_pool *pool)
{
	if (pool->space.vea != NULL)
		vea_abort(pool->space.vea);
}

/** Commit. *ret_aborted: nothing happened. */
MAY_YIELD static int
tx_commit(struct vos_pool *pool, uint64_t *ret_seq, bool *ret_aborted)
{
	uint64_t before = umem_last_seq(pool->umem);
	int	 rc;

	pool->staged = true;
	rc = umem_tx_commit_async(pool->umem, ret_seq);
	*ret_aborted = umem_last_seq(pool->umem) == before;
	if (*ret_aborted) {
		pool->staged = false;
		tx_abandon(pool);
		return rc;
	}
	/* It may be another's by now, which then waits where this one did. */
	staged_settle(pool);
	return rc;
}

static int
tx_failed(struct vos_pool *pool, int rc)
{
	if (pool->err == 0) {
		D_ERROR("pool " DF_UUID ": a transaction may be lost, " DF_RC
			"; the pool is read-only "
			"until it is opened again, check the device of its log\n",
			DP_UUID(pool->uuid), DP_RC(rc));
		pool->err = rc;
	}
	return rc;
}

MAY_YIELD int
vos_tx_end_async(struct vos_pool *pool, struct vos_cont_df *cont, int rc, uint64_t *ret_seq)
{
	bool aborted = false;

	if (rc == 0)
		rc = pool->err != 0 ? pool->err : tx_book(pool, cont);
	if (rc != 0) {
		umem_tx_abort(pool->umem);
		tx_abandon(pool);
		return rc;
	}
	rc = tx_commit(pool, ret_seq, &aborted);
	return rc == 0 || aborted ? rc : tx_failed(pool, rc);
}

MAY_YIELD int
vos_tx_end(struct vos_pool *pool, struct vos_cont_df *cont, int rc)
{
	uint64_t seq = 0;

	rc = vos_tx_end_async(pool, cont, rc, &seq);
	return rc != 0 ? rc : vos_tx_wait(pool, seq);
}

MAY_YIELD int
vos_tx_wait(struct vos_pool *pool, uint64_t seq)
{
	int rc = 0;

	if (!pool->lazy && !VOS_BUG(VOS_BUG_EARLY_ANSWER) && !D_PLANTED(D_PLANTED_ACK_EARLY))
		rc = umem_wait_durable(pool->umem, seq);
	if (rc != 0)
		return tx_failed(pool, rc);
	if (pool->err == 0)
		space_settle(pool);
	return 0;
}

void
vos_read_get(struct vos_pool *pool, struct vos_reader *reader)
{
	reader->gen = pool->committed_gen;
	d_list_add_tail(&reader->link, &pool->readers);
}

void
vos_read_put(struct vos_pool *pool, struct vos_reader *reader)
{
	d_list_del(&reader->link);
	space_settle(pool);
	ult_cond_broadcast(&pool->reader_gone);
}

MAY_YIELD bool
vos_space_drain(struct vos_pool *pool)
{
	uint64_t	   gen = pool->committed_gen;
	struct vos_reader *oldest;
	bool		   more = vos_prepare_wait(pool);

	if (pool->visible_gen >= gen || pool->err != 0)
		return more;
	if (umem_wait_proven(pool->umem, umem_last_seq(pool->umem)) != 0)
		return more;
	ult_mutex_lock(&pool->lock);
	while ((oldest = d_list_first(&pool->readers, struct vos_reader, link)) != NULL &&
	       oldest->gen < gen)
		ult_cond_wait(&pool->reader_gone, &pool->lock);
	ult_mutex_unlock(&pool->lock);
	space_settle(pool);
	return true;
}

int
vos_space_admit(struct vos_pool *pool, uint64_t heap_bytes, uint64_t blk_nr)
{
	struct vea_stat vea;
	uint64_t	reserve;

	reserve = umem_heap_size(pool->umem) / 100 * pool->reserve_pct;
	/* Free bytes may be slots of sizes nobody wants; what is in one piece serves any. */
	if (umem_free_bytes(pool->umem) < heap_bytes + reserve ||
	    !umem_has_span(pool->umem, MIN_OF(reserve, HEAP_SPAN_BYTES_MIN)))
		return -DER_NOSPACE;
	if (blk_nr == 0)
		return 0;
	vea_stat(pool->space.vea, &vea);
	if (vea.free_blk_nr < blk_nr + vea.blk_nr * pool->reserve_pct / 100)
		return -DER_NOSPACE;
	return 0;
}
