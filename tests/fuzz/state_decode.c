/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fuzz target: stored state, and what travels inside the bodies of requests. The first byte says what the rest is:
 * see `kinds`. Magic numbers, lengths and checksums are made right, so that it gets past them. What is accepted is
 * used as its readers do, encoded again and decoded again: the same comes out.
 *
 * The corpus is what `state_decode --seeds DIR` wrote: values encoded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include <daos_security.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "base/prop_table.h"
#include "dfs/dfs_internal.h"
#include "dfs/duns_path.h"
#include "fuzz_replay.h"
#include "placement/pl_class.h"
#include "placement/placement.h"
#include "rdb/rdb_entry.h"
#include "rsvc/rsvc_ops.h"
#include "security/sec_policy.h"

static volatile uint64_t sink;

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static bool
same(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
	return a_bytes == b_bytes && (a_bytes == 0 || memcmp(a, b, a_bytes) == 0);
}

static d_iov_t
iov(const void *buf, size_t bytes)
{
	return (d_iov_t){.iov_buf = (void *)buf, .iov_len = bytes, .iov_buf_len = bytes};
}

/* ---- rdb: transactions ---- */

/** A root with values and stores of both kinds in it, and a transaction's bytes with a head. */
static void
root_fill(struct rdb_kvs *root)
{
	static const struct {
		enum rdb_op_kind  kind;
		const char       *path, *key, *value;
		enum rdb_kvs_kind kvs_kind;
	} ops[] = {{RDB_OP_UPDATE, NULL, "k", "value"},           {RDB_OP_CREATE, NULL, "b", NULL, RDB_KVS_BYTES},
		   {RDB_OP_CREATE, NULL, "u", NULL, RDB_KVS_U64}, {RDB_OP_UPDATE, "u", "00000001", "one"},
		   {RDB_OP_UPDATE, "u", "10000000", "two"},       {RDB_OP_UPDATE, "b", "x", "y"}};
	struct rdb_buf buf = {0};
	uint64_t       bytes = 0;

	for (unsigned i = 0; i < ARRAY_NR(ops); i++) {
		struct rdb_op op = {.kind = ops[i].kind, .key = iov(ops[i].key, strlen(ops[i].key)), .kvs_kind = ops[i].kvs_kind};

		if (ops[i].path != NULL)
			op.path = (struct rdb_path){.keys = {iov(ops[i].path, 1)}, .nr = 1};
		if (ops[i].value != NULL)
			op.value = iov(ops[i].value, strlen(ops[i].value));
		must(rdb_entry_add(&buf, &op) == 0);
	}
	rdb_entry_seal(&buf);
	must(rdb_entry_apply(root, buf.data, buf.len, &bytes) == 0);
	rdb_buf_fini(&buf);
}

/** Each store: in order, as long as it says, its keys of its kind. */
static void
kvs_check(struct rdb_kvs *kvs)
{
	struct rdb_node *node = rdb_kvs_next(kvs, NULL);
	uint64_t         nr = 0;

	for (; node != NULL; nr++) {
		d_iov_t key = iov(rdb_node_key(node), node->key_len);

		must(kvs->kind != RDB_KVS_U64 || node->key_len == sizeof(uint64_t));
		must(rdb_kvs_find(kvs, &key) == node);
		if (node->kvs != NULL)
			kvs_check(node->kvs);
		node = rdb_kvs_next(kvs, &key);
	}
	must(nr == kvs->node_nr && rdb_kvs_ok(kvs));
}

/** All bytes of a snapshot but those of its head and the root's. */
static uint64_t
state_bytes_of(struct rdb_kvs *root, void **ret_snap, size_t *ret_len)
{
	kvs_check(root);
	must(rdb_snap_encode(root, ret_snap, ret_len) == 0);
	return *ret_len - sizeof(struct rdb_head_df) - RDB_NODE_HEAD_BYTES;
}

/** What stands in the log can be read by a replica that gets it as a snapshot. */
static void
snap_again(const void *snap, size_t len)
{
	struct rdb_kvs *copy;
	void           *again;
	size_t          again_len;

	must(rdb_snap_decode(snap, len, &copy) == 0);
	kvs_check(copy);
	must(rdb_snap_encode(copy, &again, &again_len) == 0 && same(snap, len, again, again_len));
	free(again);
	rdb_kvs_free(copy);
}

/** The ops by themselves: read and written again. Returns their number, those before what is malformed. */
static uint32_t
ops_again(const char *body, size_t bytes)
{
	struct rdb_cursor cur = {.pos = body, .end = body + bytes};
	struct rdb_buf    buf = {0};
	struct rdb_op     op;
	uint32_t          nr = 0;
	const char       *end = body;

	while (rdb_entry_next(&cur, &op) == 1) {
		must(rdb_entry_add(&buf, &op) == 0);
		end = cur.pos;
		nr++;
	}
	if (nr > 0)
		must(same(buf.data + sizeof(struct rdb_head_df), buf.len - sizeof(struct rdb_head_df), body, end - body));
	rdb_buf_fini(&buf);
	return nr;
}

static void
entry_seal(char *entry, size_t body_bytes, uint32_t magic, uint32_t op_nr)
{
	struct rdb_head_df head = {.magic = magic, .version = RDB_ENTRY_VERSION, .op_nr = op_nr, .bytes = body_bytes};

	head.crc = d_crc32c(d_crc32c(0, &head, sizeof(head)), entry + sizeof(head), body_bytes);
	memcpy(entry, &head, sizeof(head));
}

static void
fuzz_rdb_entry(const uint8_t *data, size_t bytes)
{
	struct rdb_kvs *root = rdb_kvs_new(RDB_KVS_BYTES);
	size_t          head_bytes = sizeof(struct rdb_head_df), before_len, after_len;
	char           *entry;
	void           *before, *after;
	uint64_t        size;
	int             rc;

	if (bytes < 1) {
		rdb_kvs_free(root);
		return;
	}
	entry = malloc(head_bytes + bytes - 1);
	memcpy(entry + head_bytes, data + 1, bytes - 1);
	/* The first byte is a mistake in the number of ops. */
	entry_seal(entry, bytes - 1, RDB_ENTRY_MAGIC, ops_again(entry + head_bytes, bytes - 1) + (int8_t)data[0]);
	root_fill(root);
	size = state_bytes_of(root, &before, &before_len);
	rc = rdb_entry_apply(root, entry, head_bytes + bytes - 1, &size);
	must(size == state_bytes_of(root, &after, &after_len));
	if (rc == 0)
		must(data[0] == 0);
	else
		must(same(before, before_len, after, after_len));
	snap_again(after, after_len);
	free(before);
	free(after);
	free(entry);
	rdb_kvs_free(root);
}

static void
fuzz_rdb_snap(const uint8_t *data, size_t bytes)
{
	size_t          head_bytes = sizeof(struct rdb_head_df), len;
	char           *snap = malloc(head_bytes + bytes);
	struct rdb_kvs *root;
	void           *again;

	memcpy(snap + head_bytes, data, bytes);
	entry_seal(snap, bytes, RDB_SNAP_MAGIC, 0);
	if (rdb_snap_decode(snap, head_bytes + bytes, &root) == 0) {
		(void)state_bytes_of(root, &again, &len);
		snap_again(again, len);
		free(again);
		rdb_kvs_free(root);
	}
	free(snap);
}

/* ---- services ---- */

static void
fuzz_op_record(const uint8_t *data, size_t bytes)
{
	struct rsvc_op_record rec, again;
	d_iov_t               value = iov(data, bytes);
	char                  buf[RSVC_OP_RECORD_MAX];
	size_t                len;

	if (rsvc_op_record_decode(&value, &rec) != 0)
		return;
	rsvc_op_record_encode(&rec, buf, &len);
	value = iov(buf, len);
	must(len == bytes && rsvc_op_record_decode(&value, &again) == 0);
	must(again.opc == rec.opc && again.rc == rec.rc && again.begun == rec.begun &&
	     same(again.reply, again.reply_bytes, rec.reply, rec.reply_bytes));
}

static void
fuzz_pool_map(const uint8_t *data, size_t bytes)
{
	char             *packed = malloc(bytes + 12), *again;
	const uint32_t    head[2] = {0x50414d50u, 1};
	static const daos_oclass_id_t classes[] = {OC_SX, OC_RP_2G2, OC_RP_3G1};
	struct pool_map  *map, *changed;
	struct pl_layout *layout;
	daos_obj_id_t     oid = {.lo = 1};
	size_t            len = 8 + bytes;
	uint32_t          crc, id = 0;

	memcpy(packed, head, sizeof(head));
	memcpy(packed + 8, data, bytes);
	crc = d_crc32c(0, packed, len);
	memcpy(packed + len, &crc, 4);
	if (pool_map_unpack(packed, len + 4, &map) == 0) {
		must(pool_map_packed_bytes(map) == len + 4);
		again = malloc(len + 4);
		pool_map_pack(map, again);
		must(same(again, len + 4, packed, len + 4));
		free(again);
		for (; id < pool_map_target_nr(map); id++) {
			const struct pool_target *tgt = pool_map_target(map, id);

			must(tgt->id == id && pool_map_find(map, tgt->rank, tgt->tgt_idx) != NULL);
		}
		id--;
		must(pool_map_set_status(map, &id, 1, PO_COMP_ST_DOWN, &changed) == 0);
		for (unsigned i = 0; i < ARRAY_NR(classes); i++) {
			pl_oid_set(&oid, DAOS_OT_MULTI_HASHED, classes[i]);
			if (pl_obj_layout(changed, oid, &layout) != 0)
				continue;
			for (uint32_t k = 0; k < layout->shard_nr; k++)
				must(layout->shards[k].tgt_id == UINT32_MAX || layout->shards[k].tgt_id <= id);
			free(layout);
		}
		pool_map_decref(changed);
		pool_map_decref(map);
	}
	free(packed);
}

/* ---- properties and lists of access ---- */

/** As a connect or an open with it goes. */
static void
acl_use(struct daos_acl *acl)
{
	char            *members[] = {"staff@"};
	struct sec_ident ident = {.user = "bob@", .group = "users@", .groups = members, .group_nr = 1, .machine = "m"};
	struct sec_owner owner = {.user = "alice@", .group = "staff@"};
	struct daos_acl *copy;
	struct daos_ace *ace = daos_ace_create(DAOS_ACL_USER, "bob@");
	char             text[512], **strs;
	size_t           nr = 0;
	uint64_t         capas;
	bool             valid = daos_acl_validate(acl) == 0;

	must(sec_acl_perms(acl, &owner, &ident) == 0 || valid);
	must(sec_pool_capas(acl, &owner, &ident, 2, &capas) != 0 || valid);
	must(sec_cont_capas(acl, &owner, &ident, 2, &capas) != 0 || valid);
	must(sec_acl_to_text(acl, text, sizeof(text)) < 0 || valid);
	must(sec_acl_check_pool(acl) != 0 || valid);
	must(sec_acl_check_cont(acl) != 0 || valid);
	if (daos_acl_to_strs(acl, &strs, &nr) == 0) {
		must(valid);
		if (nr > 0 && daos_acl_from_strs((const char **)strs, nr, &copy) == 0)
			daos_acl_free(copy);
		for (size_t i = 0; i < nr; i++)
			free(strs[i]);
		free(strs);
	}
	if (valid) {
		copy = daos_acl_dup(acl);
		ace->dae_access_types = DAOS_ACL_ACCESS_ALLOW;
		ace->dae_allow_perms = DAOS_ACL_PERM_READ;
		if (daos_acl_add_ace(&copy, ace) == 0) {
			must(daos_acl_validate(copy) == 0 && sec_acl_perms(copy, &owner, &ident) == DAOS_ACL_PERM_READ);
			must(daos_acl_remove_ace(&copy, DAOS_ACL_USER, "bob@") == 0 && daos_acl_validate(copy) == 0);
		}
		daos_acl_free(copy);
	}
	daos_ace_free(ace);
}

static void
prop_use(const struct prop_desc *desc, struct daos_prop_entry *entry)
{
	struct daos_prop_entry copy = {0}, parsed = {0};
	char                   text[1024];
	int                    len;

	if (prop_entry_copy(&copy, entry) == 0) {
		must(prop_value_bytes(desc, &copy) == prop_value_bytes(desc, entry));
		prop_entry_fini(&copy);
	}
	if (prop_entry_check(desc, entry) == 0) {
		len = prop_entry_to_text(desc, entry, text, sizeof(text));
		if (len > 0 && len < (int)sizeof(text) && prop_entry_from_text(desc, text, &parsed) == 0)
			prop_entry_fini(&parsed);
	}
	if (desc->kind == PROP_KIND_ACL && !(entry->dpe_flags & DAOS_PROP_ENTRY_NOT_SET) && entry->dpe_val_ptr != NULL)
		acl_use(entry->dpe_val_ptr);
}

static void
fuzz_prop_list(const uint8_t *data, size_t bytes)
{
	daos_prop_t *prop, *copy;
	d_iov_t      again;

	if (prop_list_decode(data, bytes, &prop) != 0)
		return;
	must(prop_list_encode(prop, &again) == 0 && same(again.iov_buf, again.iov_len, data, bytes));
	free(again.iov_buf);
	if (prop == NULL)
		return;
	for (uint32_t i = 0; i < prop->dpp_nr; i++)
		prop_use(prop_desc_by_type(prop->dpp_entries[i].dpe_type), &prop->dpp_entries[i]);
	sink += prop_list_check(PROP_POOL, prop, 0) + prop_list_check(PROP_CONT, prop, PROP_SERVICE);
	if (prop_list_dup(prop, &copy) == 0)
		daos_prop_free(copy);
	daos_prop_free(prop);
}

/** The first byte chooses the property. */
static void
fuzz_prop_value(const uint8_t *data, size_t bytes)
{
	uint32_t                pool_nr, cont_nr, idx;
	const struct prop_desc *pool = prop_table(PROP_POOL, &pool_nr), *cont = prop_table(PROP_CONT, &cont_nr), *desc;
	struct daos_prop_entry  entry = {0};
	char                   *again;

	if (bytes < 1)
		return;
	idx = data[0] % (pool_nr + cont_nr);
	desc = idx < pool_nr ? &pool[idx] : &cont[idx - pool_nr];
	if (prop_value_decode(desc, data + 1, bytes - 1, &entry) != 0)
		return;
	again = malloc(bytes);
	must(prop_value_bytes(desc, &entry) == bytes - 1);
	prop_value_encode(desc, &entry, again);
	must(same(again, bytes - 1, data + 1, bytes - 1));
	free(again);
	prop_use(desc, &entry);
	prop_entry_fini(&entry);
}

/** Version and length made right. */
static void
fuzz_acl(const uint8_t *data, size_t bytes)
{
	struct daos_acl *acl = calloc(1, sizeof(*acl) + bytes);

	acl->dal_ver = DAOS_ACL_VERSION;
	acl->dal_len = bytes;
	memcpy(acl->dal_ace, data, bytes);
	acl_use(acl);
	free(acl);
}

/* ---- file systems ---- */

static void
fuzz_inode(const uint8_t *data, size_t bytes)
{
	struct dfs_entry entry;
	uint8_t          again[DFS_INODE_BYTES];

	if (bytes < DFS_INODE_BYTES || dfs_inode_decode(data, &entry) != 0)
		return;
	dfs_inode_encode(&entry, again);
	must(same(again, DFS_INODE_BYTES, data, DFS_INODE_BYTES));
	must(!S_ISLNK(entry.mode) || entry.size < PATH_MAX);
}

/** The attribute of a directory that stands for a container. */
static void
fuzz_duns_attr(const uint8_t *data, size_t bytes)
{
	struct duns_attr_t attr = {0};

	if (duns_parse_attr((char *)data, bytes, &attr) == 0) {
		must(attr.da_pool[0] != '\0' && attr.da_cont[0] != '\0');
		must(strcmp(duns_layout_name(attr.da_type), "UNKNOWN") != 0);
	}
	duns_destroy_attr(&attr);
}

/** A path, and hints of a superblock: text. */
static void
fuzz_dfs_text(const uint8_t *data, size_t bytes)
{
	char               *text = strndup((const char *)data, bytes);
	struct duns_attr_t  attr = {0};
	daos_oclass_hints_t file, dir;

	sink += duns_parse_direct(text, true, &attr);
	duns_destroy_attr(&attr);
	sink += duns_parse_direct(text, false, &attr);
	duns_destroy_attr(&attr);
	if (dfs_hints_parse(text, &file, &dir) == 0)
		must(file <= DAOS_OCH_SHD_MAX && dir <= DAOS_OCH_SHD_MAX);
	free(text);
}

/* ---- an input ---- */

enum { K_ENTRY, K_SNAP, K_RECORD, K_MAP, K_LIST, K_VALUE, K_ACL, K_INODE, K_DUNS, K_TEXT };
static void (*const kinds[])(const uint8_t *, size_t) = {
    [K_ENTRY] = fuzz_rdb_entry, [K_SNAP] = fuzz_rdb_snap,    [K_RECORD] = fuzz_op_record, [K_MAP] = fuzz_pool_map,
    [K_LIST] = fuzz_prop_list,  [K_VALUE] = fuzz_prop_value, [K_ACL] = fuzz_acl,          [K_INODE] = fuzz_inode,
    [K_DUNS] = fuzz_duns_attr,  [K_TEXT] = fuzz_dfs_text};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *copy;

	if (bytes == 0)
		return 0;
	copy = malloc(bytes - 1 ? bytes - 1 : 1); /* ends where the input ends */
	memcpy(copy, data + 1, bytes - 1);
	kinds[data[0] % ARRAY_NR(kinds)](copy, bytes - 1);
	free(copy);
	return 0;
}

void
fuzz_start(void)
{
	must(d_log_init() == 0 && d_log_setmasks("CRIT") == 0);
}

/* ---- the corpus ---- */

static void
seed(const char *dir, const char *name, uint8_t kind, const void *body, size_t bytes)
{
	fuzz_seed(dir, name, &kind, 1, body, bytes);
}

static void
seeds_rdb(const char *dir)
{
	struct rdb_kvs *root = rdb_kvs_new(RDB_KVS_BYTES);
	struct rdb_buf  buf = {0};
	struct rdb_op   ops[] = {
	      {.kind = RDB_OP_UPDATE, .path = {{iov("u", 1)}, 1}, .key = iov("00000005", 8), .value = iov("five", 4)},
	      {.kind = RDB_OP_CREATE, .path = {{iov("b", 1)}, 1}, .key = iov("new", 3), .kvs_kind = RDB_KVS_BYTES},
	      {.kind = RDB_OP_DELETE, .key = iov("k", 1)},
	      {.kind = RDB_OP_DESTROY, .key = iov("b", 1)}};
	uint8_t         head[2] = {K_ENTRY, 0};
	void           *snap;
	size_t          len;

	for (unsigned i = 0; i < ARRAY_NR(ops); i++)
		must(rdb_entry_add(&buf, &ops[i]) == 0);
	fuzz_seed(dir, "entry", head, 2, buf.data + sizeof(struct rdb_head_df), buf.len - sizeof(struct rdb_head_df));
	head[1] = 1;
	fuzz_seed(dir, "entry_miscounted", head, 2, buf.data + sizeof(struct rdb_head_df), buf.len - sizeof(struct rdb_head_df));
	rdb_buf_fini(&buf);
	root_fill(root);
	must(rdb_snap_encode(root, &snap, &len) == 0);
	seed(dir, "snapshot", K_SNAP, (char *)snap + sizeof(struct rdb_head_df), len - sizeof(struct rdb_head_df));
	free(snap);
	rdb_kvs_free(root);
}

static void
seeds_services(const char *dir)
{
	struct rsvc_op_record rec = {.opc = 5, .rc = -1, .reply_bytes = 5, .reply = "reply"};
	d_rank_t              r[] = {0, 1, 4};
	d_rank_list_t         ranks = {.rl_ranks = r, .rl_nr = 3};
	struct pool_map      *map;
	char                  buf[1024];
	size_t                len;

	rsvc_op_record_encode(&rec, buf, &len);
	seed(dir, "op_record", K_RECORD, buf, len);
	must(pool_map_create(&ranks, 2, 1, &map) == 0 && pool_map_packed_bytes(map) <= sizeof(buf));
	pool_map_pack(map, buf);
	seed(dir, "pool_map", K_MAP, buf + 8, pool_map_packed_bytes(map) - 12);
	pool_map_decref(map);
}

static void
seeds_props(const char *dir)
{
	const char              *strs[] = {"A::OWNER@:rw", "A::bob@:r", "AU:S:carol@:rw", "A:G:GROUP@:rwtT", "A:G:staff@:rw", "A::EVERYONE@:r"};
	d_rank_t                 r[] = {0, 1, 4};
	d_rank_list_t            ranks = {.rl_ranks = r, .rl_nr = 3};
	struct daos_acl         *acl;
	struct daos_prop_co_roots roots = {.cr_oids = {{.lo = 1}}};
	struct daos_prop_entry   entries[] = {{.dpe_type = DAOS_PROP_PO_LABEL, .dpe_str = "label"},
					      {.dpe_type = DAOS_PROP_PO_SPACE_RB, .dpe_val = 5},
					      {.dpe_type = DAOS_PROP_PO_SVC_LIST, .dpe_val_ptr = &ranks},
					      {.dpe_type = DAOS_PROP_CO_ROOTS, .dpe_val_ptr = &roots},
					      {.dpe_type = DAOS_PROP_CO_CSUM, .dpe_flags = DAOS_PROP_ENTRY_NOT_SET},
					      {.dpe_type = DAOS_PROP_CO_ACL}};
	daos_prop_t              prop = {.dpp_nr = ARRAY_NR(entries), .dpp_entries = entries};
	d_iov_t                  list;
	uint32_t                 nr[2];
	const struct prop_desc  *tables[] = {prop_table(PROP_POOL, &nr[0]), prop_table(PROP_CONT, &nr[1])};

	must(daos_acl_from_strs(strs, ARRAY_NR(strs), &acl) == 0);
	seed(dir, "acl", K_ACL, acl->dal_ace, acl->dal_len);
	entries[ARRAY_NR(entries) - 1].dpe_val_ptr = acl;
	must(prop_list_encode(&prop, &list) == 0);
	seed(dir, "prop_list", K_LIST, list.iov_buf, list.iov_len);
	free(list.iov_buf);
	for (unsigned i = 0; i < ARRAY_NR(entries); i++) {
		uint8_t head[2] = {K_VALUE, 0};
		char    name[32], value[512];

		for (unsigned t = 0, at = 0; t < 2; at += nr[t++])
			for (uint32_t d = 0; d < nr[t]; d++)
				if (tables[t][d].type == entries[i].dpe_type)
					head[1] = at + d;
		snprintf(name, sizeof(name), "prop_value%u", i);
		prop_value_encode(prop_desc_by_type(entries[i].dpe_type), &entries[i], value);
		fuzz_seed(dir, name, head, 2, value, prop_value_bytes(prop_desc_by_type(entries[i].dpe_type), &entries[i]));
	}
	daos_acl_free(acl);
}

static void
seeds_dfs(const char *dir)
{
	static const char attr[] = "DAOS.POSIX://tank/6d5f1d0c-2c1f-4b3e-8f43-0c4f1d0c2c1f";
	static const char uri[] = "daos://tank/home/a/b";
	static const char hints[] = "file:max,dir:single";
	struct dfs_entry  entry = {.mode = S_IFREG | 0644, .oid = {.lo = 1, .hi = 2}, .chunk_size = 1 << 20, .size = 10};
	uint8_t           bytes[DFS_INODE_BYTES];

	dfs_inode_encode(&entry, bytes);
	seed(dir, "inode", K_INODE, bytes, sizeof(bytes));
	seed(dir, "duns_attr", K_DUNS, attr, strlen(attr));
	seed(dir, "path", K_TEXT, uri, strlen(uri));
	seed(dir, "hints", K_TEXT, hints, strlen(hints));
}

void
fuzz_seeds(const char *dir)
{
	seeds_rdb(dir);
	seeds_services(dir);
	seeds_props(dir);
	seeds_dfs(dir);
}
