/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Punches and key queries. What concerns a dkey goes to its shard; what concerns the object goes to all
 * shards, and something that only some of them know exists.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_client_int.h"

#include <endian.h>
#include <stdlib.h>
#include <daos_errno.h>
#include "base/iov.h"
#include "base/log.h"
#include "object/obj_check.h"

/* ---- answers of several shards ---- */

static int
answer_count(struct obj_op *op, struct obj_part *part, void *out, int rc)
{
	(void)part;
	(void)out;
	op->found_nr += rc == 0;
	return rc == -DER_NONEXIST ? 0 : rc;
}

/* ---- punch ---- */

static int
finish_punch(struct obj_op *op, int rc)
{
	if (rc == 0 && op->found_nr == 0 && (op->conds & DAOS_COND_PUNCH))
		return -DER_NONEXIST;
	return rc;
}

static int
prepare_punch(struct obj_op *op)
{
	int rc = obj_conds_check(op->conds, DAOS_COND_PUNCH);

	return rc == 0 ? obj_op_set_all_shards(op) : rc;
}

static int
fill_punch(struct obj_op *op, struct obj_part *part, void *in)
{
	(void)op;
	(void)part;
	(void)in;
	return 0;
}

static const struct obj_op_kind punch_kind = {.opc     = OBJ_OPC_PUNCH,
					      .changes = true,
					      .prepare = prepare_punch,
					      .fill    = fill_punch,
					      .answer  = answer_count,
					      .finish  = finish_punch};

int
dc_obj_punch_task(tse_task_t *task)
{
	const daos_obj_punch_t *args = dc_task_get_args(task);

	return obj_op_run(task, &punch_kind, args->oh, args->th, args->flags);
}

/** A dkey and its shard, sorted by shard: each part takes a stretch of them. */
struct shard_key {
	uint32_t shard;
	uint32_t idx;
};

static int
shard_key_cmp(const void *a, const void *b)
{
	const struct shard_key *x = a, *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return (x->idx > y->idx) - (x->idx < y->idx);
}

/** Parts for the sorted keys; op->buf becomes the keys in that order. */
static int
split_dkeys(struct obj_op *op, const struct shard_key *keys, uint32_t nr)
{
	daos_obj_punch_t *args    = op->args;
	uint32_t          part_nr = 0, p = 0;
	daos_key_t       *sorted  = calloc(nr, sizeof(*sorted));
	int               rc;

	if (sorted == NULL)
		return -DER_NOMEM;
	op->buf = sorted;
	for (uint32_t i = 0; i < nr; i++) {
		sorted[i] = args->dkey[keys[i].idx];
		part_nr += i == 0 || keys[i].shard != keys[i - 1].shard;
	}
	rc = obj_op_set_parts(op, part_nr);
	for (uint32_t i = 0; rc == 0 && i < nr; i++) {
		if (i > 0 && keys[i].shard != keys[i - 1].shard)
			p++;
		if (op->parts[p].nr++ == 0) {
			op->parts[p].first = i;
			op->parts[p].shard = keys[i].shard;
		}
	}
	return rc;
}

static int
prepare_punch_dkeys(struct obj_op *op)
{
	daos_obj_punch_t *args = op->args;
	struct shard_key *keys;
	int               rc;

	if (args->akey_nr == 0 || args->akey_nr > OBJ_PUNCH_NR_MAX || args->dkey == NULL)
		return -DER_INVAL;
	rc   = obj_conds_check(op->conds, DAOS_COND_PUNCH);
	keys = calloc(args->akey_nr, sizeof(*keys));
	if (keys == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; rc == 0 && i < args->akey_nr; i++) {
		keys[i].idx = i;
		rc          = obj_dkey_check(op->obj->oid, &args->dkey[i]);
		if (rc == 0)
			rc = obj_dkey_shard(op->obj, &args->dkey[i], &keys[i].shard);
	}
	if (rc == 0) {
		qsort(keys, args->akey_nr, sizeof(*keys), shard_key_cmp);
		rc = split_dkeys(op, keys, args->akey_nr);
	}
	free(keys);
	return rc;
}

static int
fill_punch_dkeys(struct obj_op *op, struct obj_part *part, void *in_)
{
	struct obj_punch_in *in = in_;

	in->dkeys = (struct obj_keys){.nr = part->nr, .v = (daos_key_t *)op->buf + part->first};
	return 0;
}

/** A dkey that is not there is an error only under the condition; then it is one for each. */
static int
answer_punch_keys(struct obj_op *op, struct obj_part *part, void *out, int rc)
{
	(void)part;
	(void)out;
	return rc == -DER_NONEXIST && !(op->conds & DAOS_COND_PUNCH) ? 0 : rc;
}

static const struct obj_op_kind punch_dkeys_kind = {.opc     = OBJ_OPC_PUNCH_DKEY,
						    .changes = true,
						    .prepare = prepare_punch_dkeys,
						    .fill    = fill_punch_dkeys,
						    .answer  = answer_punch_keys};

int
dc_obj_punch_dkeys_task(tse_task_t *task)
{
	const daos_obj_punch_t *args = dc_task_get_args(task);

	return obj_op_run(task, &punch_dkeys_kind, args->oh, args->th, args->flags);
}

static int
prepare_punch_akeys(struct obj_op *op)
{
	daos_obj_punch_t *args  = op->args;
	uint32_t          shard = 0;
	int               rc;

	if (args->akey_nr == 0 || args->akey_nr > OBJ_PUNCH_NR_MAX || args->akeys == NULL)
		return -DER_INVAL;
	rc = obj_conds_check(op->conds, DAOS_COND_PUNCH);
	if (rc == 0)
		rc = obj_dkey_check(op->obj->oid, args->dkey);
	for (uint32_t i = 0; rc == 0 && i < args->akey_nr; i++)
		rc = obj_akey_check(op->obj->oid, &args->akeys[i]);
	if (rc == 0)
		rc = obj_dkey_shard(op->obj, args->dkey, &shard);
	if (rc == 0)
		obj_op_set_part(op, shard);
	return rc;
}

static int
fill_punch_akeys(struct obj_op *op, struct obj_part *part, void *in_)
{
	daos_obj_punch_t    *args = op->args;
	struct obj_punch_in *in   = in_;

	(void)part;
	in->dkeys = (struct obj_keys){.nr = 1, .v = args->dkey};
	in->akeys = (struct obj_keys){.nr = args->akey_nr, .v = args->akeys};
	return 0;
}

static const struct obj_op_kind punch_akeys_kind = {.opc     = OBJ_OPC_PUNCH_AKEY,
						    .changes = true,
						    .prepare = prepare_punch_akeys,
						    .fill    = fill_punch_akeys,
						    .answer  = answer_punch_keys};

int
dc_obj_punch_akeys_task(tse_task_t *task)
{
	const daos_obj_punch_t *args = dc_task_get_args(task);

	return obj_op_run(task, &punch_akeys_kind, args->oh, args->th, args->flags);
}

/* ---- query ---- */

#define QUERY_WHAT (DAOS_GET_DKEY | DAOS_GET_AKEY | DAOS_GET_RECX)
#define QUERY_ENDS (DAOS_GET_MAX | DAOS_GET_MIN)

static int
check_found_key(const daos_key_t *key, bool is_int)
{
	return is_int && key != NULL && key->iov_buf != NULL && key->iov_buf_len >= sizeof(uint64_t)
		   ? 0
		   : -DER_INVAL;
}

/** Which end of what; keys to be found are integers and have room, others are given. */
static int
check_query(const struct obj_op *op, const daos_obj_query_key_t *args)
{
	daos_obj_id_t oid   = op->obj->oid;
	uint64_t      flags = args->flags;
	int           rc    = 0;

	if (args->max_epoch == NULL && flags == 0)
		return -DER_INVAL;
	if (flags == 0)
		return 0;
	if ((flags & ~(uint64_t)(QUERY_WHAT | QUERY_ENDS)) || (flags & QUERY_WHAT) == 0 ||
	    ((flags & QUERY_ENDS) != DAOS_GET_MAX && (flags & QUERY_ENDS) != DAOS_GET_MIN))
		return -DER_INVAL;
	rc = (flags & DAOS_GET_DKEY) ? check_found_key(args->dkey, daos_is_dkey_uint64(oid))
				     : obj_dkey_check(oid, args->dkey);
	if (rc == 0 && (flags & DAOS_GET_AKEY))
		rc = check_found_key(args->akey, daos_is_akey_uint64(oid));
	else if (rc == 0 && (flags & DAOS_GET_RECX))
		rc = obj_akey_check(oid, args->akey);
	if (rc == 0 && (flags & DAOS_GET_RECX) && args->recx == NULL)
		rc = -DER_INVAL;
	return rc;
}

static int
prepare_query(struct obj_op *op)
{
	daos_obj_query_key_t *args  = op->args;
	uint32_t              shard = 0;
	int                   rc;

	rc = check_query(op, args);
	if (rc != 0)
		return rc;
	if (args->flags == 0 || (args->flags & DAOS_GET_DKEY))
		return obj_op_set_all_shards(op);
	rc = obj_dkey_shard(op->obj, args->dkey, &shard);
	if (rc == 0)
		obj_op_set_part(op, shard);
	return rc;
}

static int
fill_query(struct obj_op *op, struct obj_part *part, void *in_)
{
	daos_obj_query_key_t *args = op->args;
	struct obj_query_in  *in   = in_;

	(void)part;
	in->query = (uint32_t)args->flags;
	if (args->flags != 0 && !(args->flags & DAOS_GET_DKEY))
		in->dkey = *args->dkey;
	if ((args->flags & DAOS_GET_RECX) && !(args->flags & DAOS_GET_AKEY))
		in->akey = *args->akey;
	return 0;
}

/** Is what this shard found further out than what others have? */
static bool
is_better(struct obj_op *op, uint64_t flags, const struct obj_query_out *out)
{
	uint64_t key;

	if (!(flags & DAOS_GET_DKEY))
		return true;
	memcpy(&key, out->dkey.iov_buf, sizeof(key));
	key = le64toh(key);
	if (op->found_nr > 0 && ((flags & DAOS_GET_MAX) ? key <= op->best : key >= op->best))
		return false;
	op->best = key;
	return true;
}

static void
take_key(daos_key_t *dst, const d_iov_t *src)
{
	memcpy(dst->iov_buf, src->iov_buf, sizeof(uint64_t));
	dst->iov_len = sizeof(uint64_t);
}

static int
answer_query(struct obj_op *op, struct obj_part *part, void *out_, int rc)
{
	daos_obj_query_key_t *args = op->args;
	struct obj_query_out *out  = out_;

	(void)part;
	if (rc != 0 && rc != -DER_NONEXIST)
		return rc;
	op->newest = MAX_OF(op->newest, out->max_epoch); /* also of what has no such key */
	if (rc == -DER_NONEXIST)
		return 0;
	if (((args->flags & DAOS_GET_DKEY) && out->dkey.iov_len != sizeof(uint64_t)) ||
	    ((args->flags & DAOS_GET_AKEY) && out->akey.iov_len != sizeof(uint64_t)))
		return -DER_PROTO;
	if (args->flags != 0 && is_better(op, args->flags, out)) {
		if (args->flags & DAOS_GET_DKEY)
			take_key(args->dkey, &out->dkey);
		if (args->flags & DAOS_GET_AKEY)
			take_key(args->akey, &out->akey);
		if (args->flags & DAOS_GET_RECX)
			*args->recx = out->recx;
	}
	op->found_nr++;
	return 0;
}

static int
finish_query(struct obj_op *op, int rc)
{
	daos_obj_query_key_t *args = op->args;

	if (rc != 0)
		return rc;
	if (args->max_epoch != NULL)
		*args->max_epoch = op->newest;
	return args->flags != 0 && op->found_nr == 0 ? -DER_NONEXIST : 0;
}

static const struct obj_op_kind query_kind = {.opc     = OBJ_OPC_QUERY_KEY,
					      .prepare = prepare_query,
					      .fill    = fill_query,
					      .answer  = answer_query,
					      .finish  = finish_query};

int
dc_obj_query_key_task(tse_task_t *task)
{
	const daos_obj_query_key_t *args = dc_task_get_args(task);

	return obj_op_run(task, &query_kind, args->oh, args->th, 0);
}
