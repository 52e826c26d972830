/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Concurrency control by timestamps (Bernstein & Goodman, "Concurrency Control in Distributed
 * Database Systems", 1981, multiversion timestamp ordering): a transaction reads and writes at its
 * epoch; a write at w is refused when somebody has read the same thing at r > w, who would have had
 * to see it. With readers being refused what is prepared but not committed, committed transactions
 * are serializable in the order of their epochs.
 *
 * For each container, object, dkey and akey that was read:
 *
 *     low   newest read of it as a whole (listing, query, existence): concerns all writes below
 *     high  newest read of it or of anything below: concerns a punch of it
 *
 * A read of an akey raises its low and high, and the high of its dkey and object. A write into an
 * akey looks at low of container, object and dkey, and high of the akey; a punch of a dkey at low of
 * container and object and high of the dkey. A container's high would concern its punch, of which there
 * is none: only listings of its objects touch its entry, and writes look for it once there was one.
 * Entries go by a hash of the name, not by record: what does not exist
 * has its entry, too, and reading that it does not exist is protected like any other read. Two names
 * of one hash share an entry, which only refuses too much.
 *
 * Of readers at one epoch with the writer, only others count. So each stamp names its reader; 0:
 * several.
 *
 * The cache is bounded: sets of WAY_NR entries, least recently used last. The stamps of an entry
 * that is pushed out are merged into its set's floor, which is part of every answer of the set.
 *
 * Invariants:
 *   1. For all names ever read: stamp(entry or set floor) >= the read.
 *   2. In an entry and in a floor low <= high.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "base/log.h"
#include "vos/vos_ts.h"

#define SET_NR 4096u
#define WAY_NR 8u

struct stamp {
	uint64_t epoch;
	uint64_t reader; /**< 0: several */
};

struct entry {
	uint64_t     hash; /**< 0: free */
	struct stamp low;
	struct stamp high;
};

struct set {
	struct entry floor;
	struct entry ways[WAY_NR]; /**< most recently used first */
};

struct vos_ts {
	uint64_t   floor;
	bool       listed; /**< the objects of some container */
	struct set sets[SET_NR];
};

uint64_t
vos_ts_key_hash(const daos_key_t *key)
{
	uint64_t hash = XXH3_64bits(key->iov_buf, key->iov_len);

	return hash == 0 ? 1 : hash;
}

int
vos_ts_create(daos_epoch_t floor, struct vos_ts **ret_ts)
{
	struct vos_ts *ts = calloc(1, sizeof(*ts));

	if (ts == NULL)
		return -DER_NOMEM;
	ts->floor = floor;
	*ret_ts = ts;
	return 0;
}

void
vos_ts_destroy(struct vos_ts *ts)
{
	free(ts);
}

void
vos_ts_set_floor(struct vos_ts *ts, daos_epoch_t floor)
{
	ts->floor = MAX_OF(ts->floor, floor);
}

static void
stamp_raise(struct stamp *s, struct stamp by)
{
	if (by.epoch > s->epoch)
		*s = by;
	else if (by.epoch == s->epoch && by.reader != s->reader)
		s->reader = 0;
}

static bool
stamp_forbids(const struct stamp *s, uint64_t epoch, uint64_t writer)
{
	if (s->epoch != epoch)
		return s->epoch > epoch;
	return epoch != 0 && (s->reader == 0 || s->reader != writer);
}

/** Levels of a name. */
enum { LEVEL_CONT, LEVEL_OBJ, LEVEL_DKEY, LEVEL_AKEY };

static unsigned
level_of(const struct vos_ts_name *name)
{
	if (name->whole_cont)
		return LEVEL_CONT;
	if (name->dkey_hash == 0)
		return LEVEL_OBJ;
	return name->akey_hash == 0 ? LEVEL_DKEY : LEVEL_AKEY;
}

static uint64_t
hash_at(const struct vos_ts_name *name, unsigned level)
{
	struct {
		unsigned char	cont[16];
		daos_unit_oid_t oid;
		uint64_t	dkey;
		uint64_t	akey;
		uint64_t	level;
	} all = {.level = level,
		 .dkey = level >= LEVEL_DKEY ? name->dkey_hash : 0,
		 .akey = level >= LEVEL_AKEY ? name->akey_hash : 0};
	uint64_t hash;

	memcpy(all.cont, name->cont, sizeof(all.cont));
	if (level >= LEVEL_OBJ)
		all.oid = name->oid;
	hash = XXH3_64bits(&all, sizeof(all));
	return hash == 0 ? 1 : hash;
}

/** The entry of @hash in front of its set, or NULL. */
static struct entry *
entry_find(struct set *set, uint64_t hash)
{
	struct entry found;
	unsigned     i;

	for (i = 0; i < WAY_NR; i++) {
		if (set->ways[i].hash != hash)
			continue;
		found = set->ways[i];
		memmove(&set->ways[1], &set->ways[0], i * sizeof(found));
		set->ways[0] = found;
		return &set->ways[0];
	}
	return NULL;
}

static struct entry *
entry_make(struct set *set, uint64_t hash)
{
	struct entry *entry = entry_find(set, hash);
	struct entry *last = &set->ways[WAY_NR - 1];

	if (entry != NULL)
		return entry;
	if (last->hash != 0) {
		stamp_raise(&set->floor.low, last->low);
		stamp_raise(&set->floor.high, last->high);
	}
	memmove(&set->ways[1], &set->ways[0], (WAY_NR - 1) * sizeof(*last));
	set->ways[0] = (struct entry){.hash = hash};
	return &set->ways[0];
}

void
vos_ts_read(struct vos_ts *ts, const struct vos_ts_name *name, daos_epoch_t epoch, uint64_t reader)
{
	struct stamp stamp = {epoch, reader};
	unsigned     last = level_of(name);
	unsigned     level;

	ts->listed |= last == LEVEL_CONT;
	for (level = MIN_OF(last, LEVEL_OBJ); level <= last; level++) {
		uint64_t      hash = hash_at(name, level);
		struct entry *entry = entry_make(&ts->sets[hash % SET_NR], hash);

		stamp_raise(&entry->high, stamp);
		if (level == last)
			stamp_raise(&entry->low, stamp);
	}
}

int
vos_ts_write_check(struct vos_ts *ts, const struct vos_ts_name *name, daos_epoch_t epoch,
		   uint64_t writer)
{
	unsigned last = level_of(name);
	unsigned level;

	if (epoch <= ts->floor)
		return -DER_TX_RESTART;
	for (level = ts->listed ? LEVEL_CONT : LEVEL_OBJ; level <= last; level++) {
		uint64_t      hash = hash_at(name, level);
		struct set   *set = &ts->sets[hash % SET_NR];
		struct entry *entry = entry_find(set, hash);
		bool	      whole = level == last;

		if (stamp_forbids(whole ? &set->floor.high : &set->floor.low, epoch, writer))
			return -DER_TX_RESTART;
		if (entry != NULL &&
		    stamp_forbids(whole ? &entry->high : &entry->low, epoch, writer))
			return -DER_TX_RESTART;
	}
	return 0;
}
