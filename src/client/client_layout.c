/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Where an object's shards are, as tools show it. */
#include <daos/object.h>
#include <stdlib.h>

#include "container/cont_client.h"
#include "dc/dc.h"
#include "placement/placement.h"

static struct daos_obj_layout *
layout_public(const struct pl_layout *pl, daos_obj_id_t oid)
{
	struct daos_obj_layout *layout;
	uint32_t                grp, i;

	layout = calloc(1, sizeof(*layout) + pl->grp_nr * sizeof(layout->ol_shards[0]));
	if (layout == NULL)
		return NULL;
	layout->ol_ver   = pl->map_version;
	layout->ol_class = daos_obj_id2class(oid);
	for (grp = 0; grp < pl->grp_nr; grp++, layout->ol_nr++) {
		struct daos_obj_shard *shard;

		shard = calloc(1, sizeof(*shard) + pl->grp_size * sizeof(shard->os_shard_loc[0]));
		if (shard == NULL) {
			daos_obj_layout_free(layout);
			return NULL;
		}
		shard->os_replica_nr = pl->grp_size;
		for (i = 0; i < pl->grp_size; i++) {
			shard->os_shard_loc[i].sd_rank    = pl->shards[grp * pl->grp_size + i].rank;
			shard->os_shard_loc[i].sd_tgt_idx = pl->shards[grp * pl->grp_size + i].tgt_idx;
		}
		layout->ol_shards[grp] = shard;
	}
	return layout;
}

int
daos_obj_layout_get(daos_handle_t coh, daos_obj_id_t oid, struct daos_obj_layout **layout)
{
	struct client   *cl   = client_current();
	struct dc_cont  *cont = cl == NULL ? NULL : dc_hdl2cont(cl, coh);
	struct pl_layout *pl;
	struct pool_map  *map;
	int               rc;

	if (layout == NULL)
		return -DER_INVAL;
	if (cl == NULL)
		return -DER_UNINIT;
	if (cont == NULL)
		return -DER_NO_HDL;
	map = dc_pool_map_get(cont->dc_pool);
	rc  = pl_obj_layout(map, oid, &pl);
	pool_map_decref(map);
	dc_cont_put(cont);
	if (rc != 0)
		return rc;
	*layout = layout_public(pl, oid);
	free(pl);
	return *layout == NULL ? -DER_NOMEM : 0;
}

int
daos_obj_layout_free(struct daos_obj_layout *layout)
{
	uint32_t i;

	for (i = 0; layout != NULL && i < layout->ol_nr; i++)
		free(layout->ol_shards[i]);
	free(layout);
	return 0;
}
