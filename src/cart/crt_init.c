/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Instances: provider, clock, incarnation, and the table of protocols. */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "platform/platform.h"

static void
crt_free(struct crt *crt)
{
	for (size_t i = 0; i < ARRAY_NR(crt->protos); i++) {
		struct crt_proto_node *next;

		for (struct crt_proto_node *n = crt->protos[i]; n != NULL; n = next) {
			next = n->next;
			free(n);
		}
	}
	na_close(crt->na);
	pthread_mutex_destroy(&crt->ctx_lock);
	pthread_mutex_destroy(&crt->grp_lock);
	crt_faults_fini(&crt->faults);
	crt_subgroups_fini(crt);
	free(crt->learned);
	free(crt->grp);
	free(crt->wheres);
	free(crt->ctxs);
	free(crt);
}

static void
crt_attr_set(struct crt *crt, const struct crt_attr *attr)
{
	crt->attr = *attr;
	crt->attr.provider = crt->attr.interface = crt->attr.domain = NULL; /* the caller's */
	if (attr->timeout_s == 0)
		crt->attr.timeout_s = CRT_TIMEOUT_S_DEFAULT;
	if (attr->ep_credits == 0)
		crt->attr.ep_credits = CRT_EP_CREDITS_DEFAULT;
	if (attr->ctx_nr_max == 0)
		crt->attr.ctx_nr_max = CRT_CTX_NR_MAX_DEFAULT;
}

/** Link to peers on this machine? In one process, or where the provider is shared memory, no need. */
static bool
local_wanted(const char *provider)
{
	const char *text = getenv("DAOS_LOCAL_SHM");

	if (provider == NULL || strcmp(provider, "self") == 0 || strcmp(provider, "ofi+shm") == 0)
		return false;
	return text == NULL || strcmp(text, "0") != 0;
}

int
crt_init(const struct crt_attr *attr, struct crt **ret_crt)
{
	struct crt    *crt = calloc(1, sizeof(*crt));
	struct na_attr na_attr = {.provider  = attr->provider,
				  .interface = attr->interface,
				  .domain    = attr->domain,
				  .world     = attr->world,
				  .local     = local_wanted(attr->provider)};
	int            rc = 0;

	if (crt == NULL)
		return -DER_NOMEM;
	crt_attr_set(crt, attr);
	pthread_mutex_init(&crt->ctx_lock, NULL);
	pthread_mutex_init(&crt->grp_lock, NULL);
	hlc_init(&crt->own_hlc, plat_realtime_ns);
	crt->hlc = attr->hlc != NULL ? attr->hlc : &crt->own_hlc;
	crt_faults_init(&crt->faults);
	d_list_init(&crt->subgroups);
	crt->psr.rank    = CRT_NO_RANK;
	crt->self        = CRT_NO_RANK;
	crt->incarnation = (uint32_t)plat_random() | 1;
	crt->ctxs        = calloc(crt->attr.ctx_nr_max, sizeof(*crt->ctxs));
	crt->wheres      = calloc(crt->attr.ctx_nr_max, sizeof(*crt->wheres));
	if (crt->ctxs == NULL || crt->wheres == NULL)
		rc = -DER_NOMEM;
	if (rc == 0)
		rc = na_open(&na_attr, &crt->na);
	if (rc == 0)
		crt->host = na_host(crt->na);
	if (rc == 0)
		rc = crt_proto_register(crt, &crt_internal_proto);
	if (rc != 0) {
		crt_free(crt);
		return rc;
	}
	*ret_crt = crt;
	return 0;
}

void
crt_fini(struct crt *crt)
{
	if (crt == NULL)
		return;
	for (uint32_t i = 0; i < crt->attr.ctx_nr_max; i++)
		D_ASSERT(crt->ctxs[i] == NULL);
	crt_free(crt);
}

struct hlc *
crt_hlc(struct crt *crt)
{
	return crt->hlc;
}

static bool
proto_valid(const struct crt_proto *proto)
{
	if (proto->mod_id == 0 || proto->mod_id > 255 || proto->version == 0 ||
	    proto->version > 255 || proto->rpc_nr > UINT16_MAX)
		return false;
	for (uint32_t i = 0; i < proto->rpc_nr; i++)
		if (proto->rpcs[i].format == NULL)
			return false;
	return true;
}

static const struct crt_proto *
proto_find(struct crt *crt, uint32_t mod_id, uint32_t version)
{
	for (struct crt_proto_node *n = crt->protos[mod_id]; n != NULL; n = n->next)
		if (n->proto->version == version)
			return n->proto;
	return NULL;
}

bool
crt_proto_known(struct crt *crt, uint32_t mod_id, uint32_t version)
{
	return mod_id <= 255 && proto_find(crt, mod_id, version) != NULL;
}

int
crt_proto_register(struct crt *crt, const struct crt_proto *proto)
{
	struct crt_proto_node *node;
	int                    rc = 0;

	if (!proto_valid(proto))
		return -DER_INVAL;
	node = calloc(1, sizeof(*node));
	if (node == NULL)
		return -DER_NOMEM;
	node->proto = proto;
	pthread_mutex_lock(&crt->ctx_lock);
	if (proto_find(crt, proto->mod_id, proto->version) != NULL) {
		rc = -DER_EXIST;
	} else {
		node->next = crt->protos[proto->mod_id];
		crt->protos[proto->mod_id] = node;
	}
	pthread_mutex_unlock(&crt->ctx_lock);
	if (rc != 0)
		free(node);
	return rc;
}

int
crt_proto_find(struct crt *crt, crt_opcode_t opc, const struct crt_proto_rpc **ret_def)
{
	const struct crt_proto *proto = proto_find(crt, CRT_OPC_MOD(opc), CRT_OPC_VERSION(opc));

	if (proto == NULL)
		return crt->protos[CRT_OPC_MOD(opc)] == NULL ? -DER_UNREG : -DER_PROTO;
	if (CRT_OPC_IDX(opc) >= proto->rpc_nr)
		return -DER_UNREG;
	*ret_def = &proto->rpcs[CRT_OPC_IDX(opc)];
	return 0;
}
