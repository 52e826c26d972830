/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Records of operations. Below the root of the rdb:
 *
 *   ops      "head"  struct ops_head_df
 *            "done"  a store: time (8 bytes, big endian), who (16 bytes) -> struct op_df, reply bytes
 *
 * so records are in the order of their operations' times, and the oldest come first.
 *
 * Invariants:
 *  1. An operation whose time is not before head.floor was carried out if and only if it has a record. So one that has
 *     none may be carried out; one before the floor that has none is refused: its record may have been forgotten.
 *  2. A record leaves only together with a floor that moves above its time, in one transaction, or with the effect of
 *     its operation. The floor never moves back.
 *  3. No record's time was further ahead of its leader than AHEAD_NS when it was written: a wrong clock can't fill the
 *     store with records that don't age.
 *
 * Time to retry. A request is refused for its age when records as old as it were forgotten: older than the age set for
 * the pool, at least 60 s, or pushed out by newer ones. Whoever asks gives up after 30 s (clients) or about 60 s
 * (engines), and takes the time from the service's replies and its own stopwatch, not from its clock; so clocks that
 * differ don't shorten the window, and a copy sent in time is refused only when operations come so fast that nr_max of
 * them fit into the time it takes to ask again. It is refused then, never carried out twice. A first request that is
 * refused (a clock that is off, nothing heard from the service yet) is named anew: see dc_svc.c.
 */
#define D_LOGFAC LOG_FAC_RSVC
#include "rsvc/rsvc_ops.h"

#include <daos_errno.h>
#include <endian.h>
#include "base/hlc.h"
#include "base/log.h"
#include "base/planted.h"
#include "platform/platform.h"

#define AHEAD_NS  (10 * NSEC_PER_SEC)
#define FORGET_NR 16u /**< at most so many at a time: a transaction stays small */

#define OPS_KVS  "ops"
#define OPS_HEAD "head"
#define OPS_DONE "done"

struct ops_head_df {
	uint64_t floor; /**< HLC */
	uint32_t nr;    /**< records */
	uint32_t reserved;
};
_Static_assert(sizeof(struct ops_head_df) == 16, "stored");

struct op_df {
	uint32_t opc;
	int32_t  rc;
	uint32_t begun;
	uint32_t reply_bytes; /**< that follow */
};
_Static_assert(sizeof(struct op_df) == 16, "stored");

struct op_key {
	uint64_t time; /**< big endian */
	uint8_t  who[16];
};
_Static_assert(sizeof(struct op_key) == 24, "stored");

static d_iov_t
name(const char *text)
{
	d_iov_t iov;

	d_iov_set(&iov, (void *)text, strlen(text));
	return iov;
}

static struct rdb_path
ops_path(void)
{
	return (struct rdb_path){.keys = {name(OPS_KVS)}, .nr = 1};
}

static struct rdb_path
done_path(void)
{
	return (struct rdb_path){.keys = {name(OPS_KVS), name(OPS_DONE)}, .nr = 2};
}

static void
key_of(const struct dtx_id *id, struct op_key *key, d_iov_t *ret_iov)
{
	key->time = htobe64(id->hlc);
	memcpy(key->who, id->uuid, sizeof(key->who));
	d_iov_set(ret_iov, key, sizeof(*key));
}

/* ---- the head ---- */

MAY_YIELD static int
head_get(struct rdb_tx *tx, struct ops_head_df *ret_head)
{
	struct rdb_path path = ops_path();
	d_iov_t         key = name(OPS_HEAD), value = {0};
	int             rc = rdb_tx_lookup(tx, &path, &key, &value);

	if (rc != 0)
		return rc;
	if (value.iov_len != sizeof(*ret_head))
		return -DER_DF_INVAL;
	memcpy(ret_head, value.iov_buf, sizeof(*ret_head));
	return 0;
}

static int
head_put(struct rdb_tx *tx, const struct ops_head_df *head)
{
	struct rdb_path path = ops_path();
	d_iov_t         key = name(OPS_HEAD), value;

	d_iov_set(&value, (void *)head, sizeof(*head));
	return rdb_tx_update(tx, &path, &key, &value);
}

static int
stores_make(struct rdb_tx *tx, uint64_t floor)
{
	struct ops_head_df head = {.floor = floor};
	struct rdb_path    root = {.nr = 0}, ops = ops_path();
	d_iov_t            key = name(OPS_KVS);
	int                rc = rdb_tx_create_kvs(tx, &root, &key, RDB_KVS_BYTES);

	key = name(OPS_DONE);
	if (rc == 0)
		rc = rdb_tx_create_kvs(tx, &ops, &key, RDB_KVS_BYTES);
	return rc != 0 ? rc : head_put(tx, &head);
}

int
rsvc_ops_bootstrap(struct rdb_tx *tx)
{
	return stores_make(tx, 0);
}

MAY_YIELD int
rsvc_ops_reset(struct rdb_tx *tx, uint64_t now)
{
	struct ops_head_df head = {0};
	struct rdb_path    root = {.nr = 0};
	d_iov_t            key = name(OPS_KVS);
	int                rc = head_get(tx, &head);

	if (rc == 0)
		rc = rdb_tx_destroy_kvs(tx, &root, &key);
	else if (rc == -DER_NONEXIST)
		rc = 0;
	return rc != 0 ? rc : stores_make(tx, MAX_OF(head.floor, now));
}

/* ---- records ---- */

_Static_assert(sizeof(struct op_df) + RSVC_OP_REPLY_MAX == RSVC_OP_RECORD_MAX, "room for the longest");

void
rsvc_op_record_encode(const struct rsvc_op_record *rec, void *buf, size_t *ret_bytes)
{
	struct op_df df = {
	    .opc = rec->opc, .rc = rec->rc, .begun = rec->begun, .reply_bytes = rec->reply_bytes};

	D_ASSERT(rec->reply_bytes <= RSVC_OP_REPLY_MAX);
	memcpy(buf, &df, sizeof(df));
	memcpy((char *)buf + sizeof(df), rec->reply, rec->reply_bytes);
	*ret_bytes = sizeof(df) + rec->reply_bytes;
}

int
rsvc_op_record_decode(const d_iov_t *value, struct rsvc_op_record *ret_rec)
{
	struct op_df df;

	if (value->iov_len < sizeof(df))
		return -DER_DF_INVAL;
	memcpy(&df, value->iov_buf, sizeof(df));
	if (df.reply_bytes > RSVC_OP_REPLY_MAX || df.reply_bytes != value->iov_len - sizeof(df))
		return -DER_DF_INVAL;
	*ret_rec = (struct rsvc_op_record){
	    .opc = df.opc, .rc = df.rc, .begun = df.begun != 0, .reply_bytes = df.reply_bytes};
	memcpy(ret_rec->reply, (char *)value->iov_buf + sizeof(df), df.reply_bytes);
	return 0;
}

MAY_YIELD int
rsvc_ops_find(struct rdb_tx *tx, const struct dtx_id *id, uint32_t opc, const struct rsvc_ops_limits *lim,
	      struct rsvc_op_record *ret_rec, uint64_t *ret_time)
{
	struct rdb_path       path = done_path();
	struct rsvc_op_record rec;
	struct ops_head_df    head;
	struct op_key         key;
	d_iov_t               iov, value = {0};
	int                   rc = head_get(tx, &head);

	if (rc != 0)
		return rc == -DER_NONEXIST ? -DER_DF_INVAL : rc;
	key_of(id, &key, &iov);
	rc = rdb_tx_lookup(tx, &path, &iov, &value);
	if (rc == 0)
		rc = rsvc_op_record_decode(&value, &rec);
	if (rc == 0) {
		if (D_PLANTED(D_PLANTED_SVC_RESEND))
			return -DER_NONEXIST;
		*ret_rec = rec;
		return rec.opc == opc ? 0 : -DER_MISMATCH;
	}
	*ret_time = MAX_OF(lim->now, head.floor);
	if (rc == -DER_NONEXIST && (id->hlc < head.floor || id->hlc > *ret_time + hlc_span_from_ns(AHEAD_NS)))
		return -DER_TX_UNCERTAIN;
	return rc;
}

struct forget {
	struct rdb_tx      *tx;
	struct ops_head_df *head;
	uint64_t            before; /**< HLC: those may go */
	uint32_t            nr_max;
	uint32_t            nr;
};

static int
forget_cb(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	struct forget  *f = arg;
	struct rdb_path path = done_path();
	struct op_key   k;
	int             rc;

	if (key->iov_len != sizeof(k))
		return -DER_DF_INVAL;
	memcpy(&k, key->iov_buf, sizeof(k));
	if (f->nr == FORGET_NR || (be64toh(k.time) >= f->before && f->head->nr <= f->nr_max))
		return 1;
	rc = rdb_tx_delete(f->tx, &path, key);
	if (rc != 0)
		return rc;
	f->nr++;
	f->head->nr -= f->head->nr > 0;
	f->head->floor = MAX_OF(f->head->floor, be64toh(k.time) + 1);
	return 0;
}

MAY_YIELD static int
forget_some(struct rdb_tx *tx, struct ops_head_df *head, const struct rsvc_ops_limits *lim)
{
	struct rdb_path path = done_path();
	uint64_t        age = hlc_span_from_ns(lim->age_ns);
	struct forget   f = {
	      .tx = tx, .head = head, .before = lim->now > age ? lim->now - age : 0, .nr_max = lim->nr_max};

	return rdb_tx_iterate(tx, &path, forget_cb, &f);
}

MAY_YIELD int
rsvc_ops_put(struct rdb_tx *tx, const struct dtx_id *id, const struct rsvc_op_record *rec,
	     const struct rsvc_ops_limits *lim)
{
	struct rdb_path    path = done_path();
	char               buf[RSVC_OP_RECORD_MAX];
	size_t             bytes;
	struct ops_head_df head;
	struct op_key      key;
	d_iov_t            iov, value, present = {0};
	int                rc;

	rsvc_op_record_encode(rec, buf, &bytes);
	key_of(id, &key, &iov);
	d_iov_set(&value, buf, bytes);
	rc = head_get(tx, &head);
	if (rc == 0)
		rc = forget_some(tx, &head, lim);
	if (rc != 0)
		return rc;
	rc = rdb_tx_lookup(tx, &path, &iov, &present);
	if (rc == -DER_NONEXIST) {
		head.nr++;
		rc = 0;
	}
	if (rc == 0)
		rc = rdb_tx_update(tx, &path, &iov, &value);
	return rc != 0 ? rc : head_put(tx, &head);
}

MAY_YIELD int
rsvc_ops_del(struct rdb_tx *tx, const struct dtx_id *id)
{
	struct rdb_path    path = done_path();
	struct ops_head_df head;
	struct op_key      key;
	d_iov_t            iov, value = {0};
	int                rc = head_get(tx, &head);

	key_of(id, &key, &iov);
	if (rc == 0)
		rc = rdb_tx_lookup(tx, &path, &iov, &value);
	if (rc != 0)
		return rc == -DER_NONEXIST ? 0 : rc;
	head.nr -= head.nr > 0;
	rc = rdb_tx_delete(tx, &path, &iov);
	return rc != 0 ? rc : head_put(tx, &head);
}

/* ---- under way ---- */

int
rsvc_op_enter(d_list_t *list, const struct dtx_id *id, struct rsvc_op_running *run)
{
	struct rsvc_op_running *other;

	d_list_for_each(other, list, link) {
		if (dtx_id_cmp(&other->id, id) == 0)
			return -DER_INPROGRESS;
	}
	run->id = *id;
	d_list_add_tail(&run->link, list);
	return 0;
}

void
rsvc_op_leave(struct rsvc_op_running *run)
{
	d_list_del(&run->link);
}
