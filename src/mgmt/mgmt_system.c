/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** dRPC methods about the engine itself: its rank, the group, its logs, its end. */
#define D_LOGFAC LOG_FAC_MGMT
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "mgmt/mgmt_internal.h"
#include "mgmt/mgmt_rpc.h"

static_assert(MGMT_NET_NR == ENGINE_NET_MAX, "all networks of an engine");

MAY_YIELD static void
set_rank(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__SetRankReq *req = mgmt__set_rank_req__unpack(NULL, call->body_bytes, call->body);
	d_rank_t          self = crt_rank_self(dss_crt(eng));
	int               rc = 0;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	if (self == CRT_NO_RANK)
		dss_rank_set(eng, req->rank);
	else if (self != req->rank)
		rc = -DER_ALREADY;
	D_NOTE("set rank %u: " DF_RC, req->rank, DP_RC(rc));
	mgmt__set_rank_req__free_unpacked(req, NULL);
	ds_mgmt_drpc_reply_status(call, rc);
}

MAY_YIELD static void
set_up(struct engine *eng, struct dss_drpc_call *call)
{
	d_rank_t self = crt_rank_self(dss_crt(eng));
	int      rc = self == CRT_NO_RANK ? -DER_UNINIT : engine_setup(eng, self);

	ds_mgmt_drpc_reply_status(call, rc);
}

MAY_YIELD static void
ping_rank(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PingRankReq *req = mgmt__ping_rank_req__unpack(NULL, call->body_bytes, call->body);

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	ds_mgmt_drpc_reply_status(call, req->rank == crt_rank_self(dss_crt(eng)) ? 0 : -DER_INVAL);
	mgmt__ping_rank_req__free_unpacked(req, NULL);
}

/** All metadata is durable when it was acknowledged: nothing is to be prepared but the log line. */
MAY_YIELD static void
prep_shutdown(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PrepShutdownReq *req = mgmt__prep_shutdown_req__unpack(NULL, call->body_bytes, call->body);

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	D_NOTE("rank %u is about to be stopped", req->rank);
	ds_mgmt_drpc_reply_status(call, req->rank == crt_rank_self(dss_crt(eng)) ? 0 : -DER_INVAL);
	mgmt__prep_shutdown_req__free_unpacked(req, NULL);
}

/** "ERR,vos=DEBUG"; the old form's streams and subsystems arrive apart and are of no use without masks. */
MAY_YIELD static void
set_log_masks(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__SetLogMasksReq *req = mgmt__set_log_masks_req__unpack(NULL, call->body_bytes, call->body);
	Mgmt__SetLogMasksResp resp = MGMT__SET_LOG_MASKS_RESP__INIT;
	const char           *masks = "";
	char                  now[512];

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	if (req->masks != NULL && req->masks[0] != '\0')
		masks = req->masks;
	else if (req->reset_masks && getenv("D_LOG_MASK") != NULL)
		masks = getenv("D_LOG_MASK");
	if (masks[0] != '\0')
		resp.status = d_log_setmasks(masks);
	d_log_getmasks(now, sizeof(now));
	resp.masks = now;
	D_NOTE("log masks '%s': " DF_RC, masks, DP_RC(resp.status));
	mgmt__set_log_masks_req__free_unpacked(req, NULL);
	ds_mgmt_drpc_reply(call, &resp);
}

/* ---- the group map ---- */

struct map_cast {
	uint32_t         version;
	struct mgmt_nets nets;
};

static void
map_fill(crt_rpc_t *rpc, void *arg)
{
	struct mgmt_tgt_map_update_in *in = rpc->cr_input;
	const struct map_cast         *cast = arg;

	in->version = cast->version;
	in->nets = cast->nets;
}

/** A rank that can't be reached may be dead; it gets the map from its own server when it is back. */
static int
map_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	if (rc == 0)
		rc = ((struct mgmt_tgt_map_update_out *)rpc->cr_output)->rc;
	if (rc != 0 && rc != -DER_GRPVER)
		D_WARN("group map version %u did not reach rank %u: " DF_RC, ((struct map_cast *)arg)->version, rank,
		       DP_RC(rc));
	return 0;
}

MAY_YIELD static void
map_distribute(struct map_cast *cast, d_rank_t self)
{
	const struct mgmt_members *members = &cast->nets.net[0];
	d_rank_list_t             *ranks = d_rank_list_alloc(members->nr);
	int                        rc = -DER_NOMEM;

	if (ranks != NULL) {
		ranks->rl_nr = 0;
		for (uint32_t i = 0; i < members->nr; i++) {
			if (members->v[i].rank != self)
				ranks->rl_ranks[ranks->rl_nr++] = members->v[i].rank;
		}
		rc = dss_rpc_multicast(dss_self(), ranks, DSS_TAG_SYS, MGMT_OPC(MGMT_TGT_MAP_UPDATE), map_fill,
				       map_done, cast);
		d_rank_list_free(ranks);
	}
	if (rc != 0)
		D_ERROR("group map version %u was not distributed: " DF_RC, cast->version, DP_RC(rc));
}

/** In each network: who asks there for a rank's place is told of all (crt_group_psr_set). */
static int
map_apply(struct engine *eng, uint32_t version, const struct mgmt_nets *nets)
{
	int rc = 0;

	for (uint32_t i = 0; i < MGMT_NET_NR && rc == 0; i++)
		rc = dss_group_set(eng, i, version, nets->net[i].nr, nets->net[i].v);
	return rc;
}

void
mgmt_tgt_map_update_handler(crt_rpc_t *rpc)
{
	struct mgmt_tgt_map_update_in  *in = rpc->cr_input;
	struct mgmt_tgt_map_update_out *out = rpc->cr_output;

	out->rc = rpc->cr_ep.ep_rank == CRT_NO_RANK ? -DER_NO_PERM : map_apply(dss_engine(), in->version, &in->nets);
	crt_reply_send(rpc);
}

static const char *
member_uri(const Mgmt__GroupMember *member, uint32_t net)
{
	if (net == 0)
		return member->uri;
	return net <= member->n_secondary_uris ? member->secondary_uris[net - 1] : "";
}

/** Those of @req that have a place in network @net; @v has room for all. */
static void
members_fill(const Mgmt__GroupUpdateReq *req, uint32_t net, struct crt_member *v, struct mgmt_members *ret_members)
{
	*ret_members = (struct mgmt_members){.v = v};
	for (size_t i = 0; i < req->n_members; i++) {
		const char *uri = member_uri(req->members[i], net);

		if (net == 0 || uri[0] != '\0')
			v[ret_members->nr++] = (struct crt_member){.rank = req->members[i]->rank, .uri = uri};
	}
}

MAY_YIELD static int
group_update(struct engine *eng, const Mgmt__GroupUpdateReq *req)
{
	struct map_cast    cast = {.version = req->map_version};
	size_t             room = req->n_members + 1;
	struct crt_member *v = calloc(MGMT_NET_NR * room, sizeof(*v));
	int                rc;

	if (v == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < MGMT_NET_NR; i++)
		members_fill(req, i, v + i * room, &cast.nets.net[i]);
	rc = map_apply(eng, req->map_version, &cast.nets);
	if (rc == 0 && req->distribute)
		map_distribute(&cast, crt_rank_self(dss_crt(eng)));
	free(v);
	return rc;
}

MAY_YIELD static void
group_update_drpc(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__GroupUpdateReq *req = mgmt__group_update_req__unpack(NULL, call->body_bytes, call->body);
	int                   rc;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	rc = group_update(eng, req);
	D_INFO("group map version %u, %zu members: " DF_RC, req->map_version, req->n_members, DP_RC(rc));
	mgmt__group_update_req__free_unpacked(req, NULL);
	ds_mgmt_drpc_reply_status(call, rc == -DER_GRPVER ? 0 : rc);
}

/* ---- devices ---- */

static uint32_t
dev_nr(struct engine *eng)
{
	struct dss_dev_info info;
	uint32_t            nr = 0;

	while (dss_dev_info(eng, nr, &info) == 0)
		nr++;
	return nr;
}

/** @uuid: [37], lives as long as @dev. */
static int
dev_fill(struct engine *eng, uint32_t idx, Mgmt__StorageDevice *dev, char *uuid)
{
	struct dss_dev_info info;
	int                 rc = dss_dev_info(eng, idx, &info);

	if (rc != 0)
		return rc;
	mgmt__storage_device__init(dev);
	dev->path = (char *)info.path;
	dev->class_name = (char *)info.class_name;
	dev->roles = info.roles;
	dev->total_bytes = info.space.total_bytes;
	dev->free_bytes = info.space.free_bytes;
	uuid_unparse(info.uuid, uuid);
	dev->uuid = uuid;
	dev->faulty = info.faulty;
	dev->reads = info.health.read_nr;
	dev->read_bytes = info.health.read_bytes;
	dev->writes = info.health.write_nr;
	dev->write_bytes = info.health.write_bytes;
	dev->flushes = info.health.flush_nr;
	dev->retries = info.health.retry_nr;
	dev->errors = info.health.err_nr;
	dev->csum_errors = info.health.csum_err_nr;
	dev->max_errors = info.max_io_errs;
	dev->max_csum_errors = info.max_csum_errs;
	return 0;
}

static void
set_faulty(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__SetFaultyReq *req = mgmt__set_faulty_req__unpack(NULL, call->body_bytes, call->body);
	uuid_t              uuid;
	int                 rc;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	rc = uuid_parse(req->uuid, uuid) != 0 ? -DER_INVAL : dss_dev_set_faulty(eng, uuid);
	mgmt__set_faulty_req__free_unpacked(req, NULL);
	ds_mgmt_drpc_reply_status(call, rc);
}

MAY_YIELD static void
list_devs(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__StorageQueryResp resp = MGMT__STORAGE_QUERY_RESP__INIT;
	uint32_t               nr = dev_nr(eng);
	Mgmt__StorageDevice   *devs = calloc(nr + 1, sizeof(*devs));
	Mgmt__StorageDevice  **ptrs = calloc(nr + 1, sizeof(*ptrs));
	char                 (*uuids)[37] = calloc(nr + 1, sizeof(*uuids));

	if (devs == NULL || ptrs == NULL || uuids == NULL)
		resp.status = -DER_NOMEM;
	for (uint32_t i = 0; i < nr && resp.status == 0; i++) {
		resp.status = dev_fill(eng, i, &devs[i], uuids[i]);
		ptrs[i] = &devs[i];
	}
	dss_dev_space(eng, &resp.scm_total, &resp.scm_free, &resp.nvme_total, &resp.nvme_free);
	resp.devices = ptrs;
	resp.n_devices = resp.status == 0 ? nr : 0;
	ds_mgmt_drpc_reply(call, &resp);
	free(devs);
	free(ptrs);
	free(uuids);
}

/* ---- pools on the devices ---- */

/** As the reply has them; the strings are the blobs' own. */
struct blobs {
	Mgmt__StorageBlob **v;
	uint32_t            nr, room;
	char                device[37];
};

static int
blobs_add(const struct bio_blob_id *id, uint64_t bytes, void *arg)
{
	struct blobs      *b = arg;
	Mgmt__StorageBlob *blob;

	if (b->nr == b->room) {
		uint32_t            room = MAX_OF(b->room * 2, 16u);
		Mgmt__StorageBlob **v = realloc(b->v, room * sizeof(*v));

		if (v == NULL)
			return -DER_NOMEM;
		b->v = v;
		b->room = room;
	}
	blob = calloc(1, sizeof(*blob) + 2 * 37);
	if (blob == NULL)
		return -DER_NOMEM;
	mgmt__storage_blob__init(blob);
	blob->pool = (char *)(blob + 1);
	blob->device = blob->pool + 37;
	uuid_unparse(id->pool, blob->pool);
	memcpy(blob->device, b->device, sizeof(b->device));
	blob->tgt = id->tgt;
	blob->role = id->role;
	blob->bytes = bytes;
	b->v[b->nr++] = blob;
	return 0;
}

MAY_YIELD static void
list_pools(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__StoragePoolsResp resp = MGMT__STORAGE_POOLS_RESP__INIT;
	struct dss_dev_info    info;
	struct blobs           blobs = {0};

	for (uint32_t i = 0; resp.status == 0 && dss_dev_info(eng, i, &info) == 0; i++) {
		uuid_unparse(info.uuid, blobs.device);
		resp.status = dss_dev_blobs(eng, i, blobs_add, &blobs);
	}
	resp.blobs = blobs.v;
	resp.n_blobs = resp.status == 0 ? blobs.nr : 0;
	ds_mgmt_drpc_reply(call, &resp);
	for (uint32_t i = 0; i < blobs.nr; i++)
		free(blobs.v[i]);
	free(blobs.v);
}

const struct ds_mgmt_drpc_method mgmt_drpc_system[] = {
	{DRPC_METHOD_MGMT_SMD_LIST_POOLS, list_pools},
	{DRPC_METHOD_MGMT_SMD_LIST_DEVS, list_devs},
	{DRPC_METHOD_MGMT_DEV_SET_FAULTY, set_faulty},
	{DRPC_METHOD_MGMT_SET_RANK, set_rank},
	{DRPC_METHOD_MGMT_SET_UP, set_up},
	{DRPC_METHOD_MGMT_PING_RANK, ping_rank},
	{DRPC_METHOD_MGMT_PREP_SHUTDOWN, prep_shutdown},
	{DRPC_METHOD_MGMT_SET_LOG_MASKS, set_log_masks},
	{DRPC_METHOD_MGMT_GROUP_UPDATE, group_update_drpc},
	{0, NULL},
};
