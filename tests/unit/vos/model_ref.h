/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The definition of what VOS does, as naive as can be: the list of all that was ever done. Every
 * question is answered by going through it.
 *
 * An operation is a transaction of one or several items (a value written, a stretch of an array, a
 * punch). It has one epoch, and happens when it is committed. What is read at epoch e at some place
 * is the newest write at or before e, by (epoch, order of happening, order in the transaction),
 * unless a punch at or before e comes after it. A dkey exists when one of its akeys does, an object
 * when one of its dkeys does, an akey when something of it can be read.
 *
 * Transactions that are prepared may still happen or not: questions are asked with a mask of those
 * taken as having happened; an answer is known if it is the same for all masks. A transaction being
 * made of several items asks as if those it has so far had happened.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define REF_OBJ_NR    3
#define REF_DKEY_NR   4
#define REF_AKEY_NR   4 /**< even ones hold single values, odd ones arrays */
#define REF_ARRAY_END 48
#define REF_PREP_MAX  3

enum ref_what { REF_SINGLE, REF_ARRAY, REF_PUNCH };
struct ref_item {
	enum ref_what what;
	int	      obj;
	int	      dkey; /**< punch: < 0 all of the object */
	int	      akey; /**< punch: < 0 all of the dkey */
	uint64_t      lo;   /**< array */
	uint64_t      hi;
	uint64_t      bytes; /**< single: 0 is a punch; array: record size, 0 is a punch */
	uint32_t      id;    /**< of the bytes */
	uint32_t      tx;
};

enum ref_state { REF_NOT, REF_PREPARED, REF_DONE };
struct ref_tx {
	enum ref_state state;
	uint64_t       epoch;
	uint64_t       order; /**< of happening */
	uint64_t       hlc;   /**< of its id; 0: it has none */
};

struct ref {
	struct ref_item *items;
	uint32_t	 item_nr, item_cap;
	struct ref_tx	*txs;
	uint32_t	 tx_nr, tx_cap;
	uint64_t	 order;
	uint32_t	 preps[REF_PREP_MAX]; /**< transactions that are prepared */
	uint32_t	 prep_nr;
	int64_t		 own; /**< -1, or a transaction that asks: for it, it has happened, last of all */
};

void	 ref_init(struct ref *ref);
void	 ref_fini(struct ref *ref);
uint32_t ref_tx_add(struct ref *ref, uint64_t epoch, uint64_t hlc);
void	 ref_item_add(struct ref *ref, const struct ref_item *item);
void	 ref_tx_set(struct ref *ref, uint32_t tx, enum ref_state state);

/** What is read of an akey, record by record (a single value is record 0); NULL: nothing. */
void ref_read(const struct ref *ref, uint32_t mask, int obj, int dkey, int akey, uint64_t epoch,
	      const struct ref_item *recs[REF_ARRAY_END]);
/** What was written at exactly this epoch, punched or not: the last of it; NULL: nothing. Prepared ones do not count. */
const struct ref_item *ref_written(const struct ref *ref, int obj, int dkey, int akey, uint64_t idx, uint64_t epoch);
/** dkey, akey < 0: the object, the dkey. */
bool ref_exists(const struct ref *ref, uint32_t mask, int obj, int dkey, int akey, uint64_t epoch);
/** Byte @off of record @idx of what has this id. */
uint8_t ref_byte(uint32_t id, uint64_t idx, uint64_t off);
