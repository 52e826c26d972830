/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fuzz target: bodies of the requests and replies of all services. The first byte chooses the service, the second the
 * request, its input (even) or output (odd); the rest is decoded as CART decodes what arrives. What is accepted is
 * encoded again, which must give the same bytes, decoded again, printed, and given to the checks that its receiver
 * makes of it before it is used.
 *
 * The corpus is what `rpc_bodies --seeds DIR` wrote: requests and replies with values in them.
 */
#define D_LOGFAC LOG_FAC_TEST
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "container/cont_rpc.h"
#include "engine/engine_cast.h"
#include "fuzz_replay.h"
#include "mgmt/mgmt_rpc.h"
#include "object/obj_check.h"
#include "object/obj_pack.h"
#include "object/obj_rpc.h"
#include "pool/pool_rpc.h"
#include "rdb/rdb_internal.h"
#include "rdb/rdb_rpc.h"

#define STRUCT_MAX 1024

static const struct crt_proto_rpc obj_rpcs[] = {
#define OBJ_RPC(id, name, fmt, hdlr) {.format = &fmt},
    OBJ_RPCS(OBJ_RPC)
#undef OBJ_RPC
};
static const struct crt_proto obj_proto = {.name = "obj", .rpc_nr = OBJ_OPC_NR, .rpcs = obj_rpcs};

enum { SVC_OBJ, SVC_POOL, SVC_CONT, SVC_MGMT, SVC_RDB, SVC_CAST, SVC_NR };
static const struct crt_proto *const services[SVC_NR] = {
    &obj_proto, &pool_proto_client, &cont_proto_client, &mgmt_proto_client, &rdb_proto, &engine_cast_proto};

typedef int (*proc_t)(struct crt_proc *p, void *v);

static volatile uint64_t sink;

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
touch(const d_iov_t *iov)
{
	for (size_t i = 0; i < iov->iov_len; i++)
		sink += ((const char *)iov->iov_buf)[i];
}

/** Malloc'ed. */
static char *
encode(proc_t proc, void *v, size_t *ret_bytes)
{
	struct crt_proc m = {.op = CRT_PROC_MEASURE}, p;
	char           *buf;

	must(proc(&m, v) == 0);
	buf = malloc(m.bytes + 1);
	p = (struct crt_proc){.op = CRT_PROC_ENCODE, .cur = buf, .end = buf + m.bytes};
	must(proc(&p, v) == 0 && p.cur == p.end);
	*ret_bytes = m.bytes;
	return buf;
}

static void
print(void (*print_fn)(struct crt_proc *, void *), void *v)
{
	char            text[256] = "";
	struct crt_proc p = {.op = CRT_PROC_PRINT, .cur = text, .end = text + sizeof(text), .text = text};

	print_fn(&p, v);
	must(strlen(text) < sizeof(text));
}

/* ---- what receivers check ---- */

static void
check_rw_in(const struct obj_rw_in *in, bool update)
{
	enum obj_io_kind kind = update ? OBJ_IO_UPDATE : OBJ_IO_FETCH;
	daos_obj_id_t    oid = in->hdr.oid.id_pub;
	uint64_t         bytes, sum = 0;

	touch(&in->dkey);
	touch(&in->data);
	if (obj_dkey_check(oid, &in->dkey) != 0 || obj_conds_check(in->hdr.conds, OBJ_CONDS_FETCH) != 0 ||
	    obj_iods_check(oid, kind, in->hdr.conds, in->iods.nr, in->iods.v) != 0 ||
	    obj_iods_bytes(in->iods.nr, in->iods.v, &bytes) != 0)
		return;
	for (uint32_t i = 0; i < in->iods.nr; i++) {
		uint64_t one;

		must(in->iods.v[i].iod_name.iov_len > 0);
		must(obj_iod_bytes(&in->iods.v[i], &one) == 0 && one <= bytes - sum);
		sum += one;
	}
	must(sum == bytes);
}

/** As the answer to a fetch of as many values of @room bytes each. */
static void
check_rw_out(const struct obj_rw_out *out, uint64_t room)
{
	const struct obj_run *runs = (const struct obj_run *)out->runs.v;
	uint32_t              run_nr = out->runs.nr / 2;
	uint64_t              bytes = 0;
	daos_recx_t           recx = {.rx_idx = 5, .rx_nr = room}, found[4];
	daos_iod_t            iod = {.iod_type = DAOS_IOD_ARRAY, .iod_nr = 1, .iod_recxs = &recx, .iod_size = 1};
	daos_iom_t            iom = {.iom_recxs = found, .iom_nr = ARRAY_NR(found)};
	d_iov_t               iovs[2];
	d_sg_list_t           sgl = {.sg_nr = 2, .sg_iovs = iovs};
	char                 *buf;

	if (obj_runs_check(runs, run_nr, room) != 0)
		return;
	must(obj_runs_end(runs, run_nr) <= room);
	for (uint32_t i = 0; i < run_nr; i++)
		bytes += runs[i].len;
	if (bytes != out->data.iov_len)
		return;
	buf = malloc(room);
	d_iov_set(&iovs[0], buf, room / 3);
	d_iov_set(&iovs[1], buf + room / 3, room - room / 3);
	must(obj_runs_scatter(runs, run_nr, out->data.iov_buf, &sgl) == 0);
	obj_runs_to_iom(&iod, 1, runs, run_nr, &iom);
	must(iom.iom_nr_out == run_nr);
	free(buf);
}

static void
check_enum_out(const struct obj_enum_out *out)
{
	uint64_t bytes = 0;

	touch(&out->keys);
	if (obj_kds_check(out->kds.v, out->kds.nr, out->keys.iov_len) != 0)
		return;
	for (uint32_t i = 0; i < out->kds.nr; i++)
		bytes += out->kds.v[i].kd_key_len;
	must(bytes == out->keys.iov_len);
}

/** A message of raft's. */
static void
check_raft(const struct rdb_msg_in *in, uint32_t type)
{
	struct raft_message m = {.type = type, .server_id = in->from}, m2 = m;
	struct rdb_msg_in   again = {0}, twice = {0};

	touch(&in->body);
	if (rdb_msg_decode(in, &m) != 0)
		return;
	must(rdb_msg_encode(&m, &again) == 0);
	again.from = in->from;
	must(rdb_msg_decode(&again, &m2) == 0 && rdb_msg_encode(&m2, &twice) == 0);
	must(again.term == twice.term && again.a == twice.a && again.b == twice.b && again.c == twice.c &&
	     again.flags == twice.flags && again.body.iov_len == twice.body.iov_len &&
	     (again.body.iov_len == 0 ||
	      memcmp(again.body.iov_buf, twice.body.iov_buf, again.body.iov_len) == 0));
	free(again.body.iov_buf);
	free(twice.body.iov_buf);
	rdb_msg_fini(&m);
	rdb_msg_fini(&m2);
}

static void
check(uint32_t svc, uint32_t idx, bool out, void *v)
{
	if (svc == SVC_RDB && !out)
		check_raft(v, idx + 1);
	if (svc != SVC_OBJ)
		return;
	if (idx <= OBJ_OPC_FETCH && !out)
		check_rw_in(v, idx == OBJ_OPC_UPDATE);
	else if (idx <= OBJ_OPC_FETCH)
		check_rw_out(v, 4096);
	else if (idx >= OBJ_OPC_ENUM_DKEY && idx <= OBJ_OPC_ENUM && out)
		check_enum_out(v);
}

/* ---- an input ---- */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	_Alignas(16) char            v[STRUCT_MAX] = {0}, v2[STRUCT_MAX] = {0};
	const struct crt_proto      *svc;
	const struct crt_req_format *fmt;
	struct crt_proc              p;
	struct d_arena               arena;
	char                        *copy, *again, *twice;
	size_t                       again_bytes, twice_bytes;
	uint32_t                     idx;
	proc_t                       proc;
	bool                         out;

	if (bytes < 2)
		return 0;
	svc = services[data[0] % SVC_NR];
	idx = data[1] / 2 % svc->rpc_nr;
	out = data[1] % 2 != 0;
	fmt = svc->rpcs[idx].format;
	proc = out ? fmt->proc_out : fmt->proc_in;
	must(fmt->in_bytes <= sizeof(v) && fmt->out_bytes <= sizeof(v));
	bytes -= 2;
	copy = malloc(bytes + 1); /* decoded strings are borrowed from it, and it may be written to */
	memcpy(copy, data + 2, bytes);
	d_arena_init(&arena);
	p = (struct crt_proc){.op = CRT_PROC_DECODE, .cur = copy, .end = copy + bytes, .arena = &arena};
	if (proc(&p, v) == 0) {
		again = encode(proc, v, &again_bytes);
		must(again_bytes == p.cur - copy && memcmp(again, copy, again_bytes) == 0);
		p = (struct crt_proc){
		    .op = CRT_PROC_DECODE, .cur = again, .end = again + again_bytes, .arena = &arena};
		must(proc(&p, v2) == 0 && p.cur == p.end);
		twice = encode(proc, v2, &twice_bytes);
		must(twice_bytes == again_bytes && memcmp(again, twice, again_bytes) == 0);
		print(out ? fmt->print_out : fmt->print_in, v);
		check(data[0] % SVC_NR, idx, out, v);
		free(again);
		free(twice);
	}
	d_arena_fini(&arena);
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
seed(const char *dir, uint32_t svc, uint32_t idx, bool out, void *v)
{
	const struct crt_req_format *fmt = services[svc]->rpcs[idx].format;
	uint8_t                      head[2] = {svc, idx * 2 + out};
	char                         name[64];
	size_t                       bytes;
	char                        *body = encode(out ? fmt->proc_out : fmt->proc_in, v, &bytes);

	snprintf(name, sizeof(name), "%s_%s%u", fmt->name, out ? "out" : "in", idx);
	fuzz_seed(dir, name, head, sizeof(head), body, bytes);
	free(body);
}

static const crt_uuid_t some_uuid = {"0123456789abcde"};
static char             text[] = "attr";

static d_iov_t
some(const char *bytes)
{
	return (d_iov_t){.iov_buf = (void *)bytes, .iov_len = strlen(bytes), .iov_buf_len = strlen(bytes)};
}

static const struct obj_hdr hdr = {.oid = {.id_pub = {.lo = 7, .hi = 1ULL << 56}}, .map_version = 3, .settled = 5};

static void
seeds_obj(const char *dir)
{
	daos_recx_t         recxs[] = {{.rx_idx = 0, .rx_nr = 3}, {.rx_idx = 10, .rx_nr = 2}};
	daos_iod_t          iods[] = {{.iod_name = some("a"), .iod_type = DAOS_IOD_SINGLE, .iod_size = 4, .iod_nr = 1},
				      {.iod_name = some("bb"), .iod_type = DAOS_IOD_ARRAY, .iod_size = 1, .iod_nr = 2,
				       .iod_recxs = recxs}};
	uint64_t            rooms[] = {4, 5}, runs[] = {0, 2, 3, 1};
	uint32_t            run_nrs[] = {1, 1};
	struct crt_bulk_seg seg = {.remote = {.base = 4096, .key = 1, .guard = 2}, .bytes = 100};
	struct crt_bulk     bulk = {.perm = CRT_BULK_RO, .segs = &seg, .seg_nr = 1, .bytes = 100, .name = text, .name_bytes = 4};
	struct obj_rw_in    rw = {.hdr = hdr, .dkey = some("dkey"), .iods = {2, iods}, .rooms = {2, rooms},
				  .data = some("123456789"), .bulk = &bulk};
	struct obj_rw_out   got = {.sizes = {2, rooms}, .run_nrs = {2, run_nrs}, .runs = {4, runs}, .data = some("abc")};
	d_iov_t             keys[] = {some("key"), some("other")};
	struct obj_punch_in punch = {.hdr = hdr, .dkeys = {1, keys}, .akeys = {2, keys}};
	daos_key_desc_t     kds[] = {{.kd_key_len = 3}, {.kd_key_len = 1}};
	struct obj_enum_in  list = {.hdr = hdr, .dkey = some("d"), .akey = some("a"), .nr = 5, .room = 100};
	struct obj_enum_out listed = {.kds = {2, kds}, .keys = some("abcd"), .recxs = {2, recxs}, .epochs = {2, rooms},
				      .rsize = 1, .anchor = {.da_type = DAOS_ANCHOR_TYPE_HKEY}};
	struct obj_query_in  query = {.hdr = hdr, .query = DAOS_GET_DKEY | DAOS_GET_MAX, .akey = some("a")};
	struct obj_query_out max = {.dkey = some("12345678"), .recx = recxs[0], .cell_size = 1, .max_epoch = 9};

	seed(dir, SVC_OBJ, OBJ_OPC_UPDATE, false, &rw);
	rw.bulk = NULL;
	seed(dir, SVC_OBJ, OBJ_OPC_FETCH, false, &rw);
	seed(dir, SVC_OBJ, OBJ_OPC_FETCH, true, &got);
	seed(dir, SVC_OBJ, OBJ_OPC_PUNCH_AKEY, false, &punch);
	seed(dir, SVC_OBJ, OBJ_OPC_ENUM_AKEY, false, &list);
	seed(dir, SVC_OBJ, OBJ_OPC_ENUM_RECX, true, &listed);
	seed(dir, SVC_OBJ, OBJ_OPC_QUERY_KEY, false, &query);
	seed(dir, SVC_OBJ, OBJ_OPC_QUERY_KEY, true, &max);
}

static void
seeds_services(const char *dir)
{
	d_rank_t                     r[] = {0, 1, 4};
	d_rank_list_t                ranks = {.rl_ranks = r, .rl_nr = 3};
	uint32_t                     words[] = {1, 2, 9};
	uint64_t                     epochs[] = {100, 200};
	struct pool_attr             attr[] = {{text, some("value")}, {text, some("")}};
	struct crt_member            members[] = {{.rank = 0, .uri = "ofi+tcp://127.0.0.1:31000"}, {.rank = 1, .uri = "x"}};
	struct dss_outcome           outcomes[] = {{0, some("out")}, {-DER_TIMEDOUT, some("")}};
	struct pool_connect_in       connect = {.pool = some_uuid, .hdl = some_uuid, .flags = 2, .cred = some("credential")};
	struct pool_connect_out      connected = {.capas = 7, .map_version = 1, .map = some("PMAP"), .svc_ranks = &ranks};
	struct pool_attr_op_in       set = {.pool = some_uuid, .attrs = {2, attr}};
	struct pool_map_change_in    change = {.pool = some_uuid, .ranks = &ranks, .tgts = {3, words}, .force = true};
	struct pool_query_tgts_out   tgts = {.states = {3, words}, .space = {2, epochs}};
	struct pool_acl_change_in    acl = {.acl = some("acl"), .principal_type = 1, .principal = text};
	struct cont_open_in          open = {.pool = some_uuid, .label = text, .cont_hdl = some_uuid, .flags = 2};
	struct cont_query_in         query = {.prop_types = {3, words}};
	struct cont_tgt_open_in      tgt_open = {.pool = some_uuid, .snaps = {.version = 5, .epochs = {2, epochs}}};
	struct cont_hdl_find_out     found = {.snaps = {.epochs = {2, epochs}}, .map = some("PMAP"), .svc_ranks = &ranks};
	struct mgmt_pool_find_out    at = {.pool = some_uuid, .svc_ranks = &ranks};
	struct mgmt_tgt_map_update_in update = {.version = 2, .nets.net = {{2, members}, {1, members}}};
	struct dss_cast_in           cast = {.opc = 1, .timeout_ns = 1000, .ranks = &ranks, .input = some("input")};
	struct dss_cast_out          cast_out = {.outcomes = {2, outcomes}};

	seed(dir, SVC_POOL, POOL_CONNECT, false, &connect);
	seed(dir, SVC_POOL, POOL_CONNECT, true, &connected);
	seed(dir, SVC_POOL, POOL_ATTR_SET, false, &set);
	seed(dir, SVC_POOL, POOL_MAP_CHANGE, false, &change);
	seed(dir, SVC_POOL, POOL_QUERY_TGTS, true, &tgts);
	seed(dir, SVC_POOL, POOL_ACL_CHANGE, false, &acl);
	seed(dir, SVC_CONT, CONT_OPEN, false, &open);
	seed(dir, SVC_CONT, CONT_QUERY, false, &query);
	seed(dir, SVC_CONT, CONT_TGT_OPEN, false, &tgt_open);
	seed(dir, SVC_CONT, CONT_HDL_FIND, true, &found);
	seed(dir, SVC_MGMT, MGMT_POOL_FIND, true, &at);
	seed(dir, SVC_MGMT, MGMT_TGT_MAP_UPDATE, false, &update);
	seed(dir, SVC_CAST, 0, false, &cast);
	seed(dir, SVC_CAST, 0, true, &cast_out);
}

static void
seeds_raft(const char *dir)
{
	struct raft_entry   entries[] = {{.term = 1, .type = RAFT_COMMAND, .buf = {.base = "entry", .len = 5}},
					 {.term = 2, .type = RAFT_BARRIER, .buf = {.base = "", .len = 0}}};
	struct raft_message append = {.type = RAFT_IO_APPEND_ENTRIES,
				      .append_entries = {.term = 2, .prev_log_index = 4, .entries = entries, .n_entries = 2}};
	struct raft_message install = {.type = RAFT_IO_INSTALL_SNAPSHOT,
				       .install_snapshot = {.term = 2, .last_index = 9, .data = {.base = "data", .len = 4}}};
	struct raft_message vote = {.type = RAFT_IO_REQUEST_VOTE, .request_vote = {.term = 3, .last_log_index = 4, .pre_vote = true}};
	struct raft_message *all[] = {&append, &install, &vote};

	raft_configuration_init(&install.install_snapshot.conf);
	must(raft_configuration_add(&install.install_snapshot.conf, 1, "0", RAFT_VOTER) == 0 &&
	     raft_configuration_add(&install.install_snapshot.conf, 2, "1", RAFT_STANDBY) == 0);
	for (unsigned i = 0; i < ARRAY_NR(all); i++) {
		struct rdb_msg_in in = {.db = some_uuid, .from = 1};

		must(rdb_msg_encode(all[i], &in) == 0);
		seed(dir, SVC_RDB, all[i]->type - 1, false, &in);
		free(in.body.iov_buf);
	}
	raft_configuration_close(&install.install_snapshot.conf);
}

void
fuzz_seeds(const char *dir)
{
	seeds_obj(dir);
	seeds_services(dir);
	seeds_raft(dir);
}
