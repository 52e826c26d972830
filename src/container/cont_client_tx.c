/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Transaction handles that only read: what a container was at a snapshot. Opening one asks the service whether there is such a
 * snapshot; reads then name its epoch, and an engine that has let go of it says so (-DER_EP_OLD). Handles that change
 * something are not in this version.
 */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "container/cont_client_int.h"

struct dc_tx {
	struct d_hlink  dt_hlink; /* type DAOS_HTYPE_TX */
	struct dc_cont *dt_cont;  /* a reference */
	daos_epoch_t    dt_epoch;
};

static void
tx_free(struct d_hlink *hlink)
{
	struct dc_tx *tx = CONTAINER_OF(hlink, struct dc_tx, dt_hlink);

	dc_cont_put(tx->dt_cont);
	free(tx);
}

static const struct d_hlink_ops tx_hlink_ops = {.type = DAOS_HTYPE_TX, .free = tx_free};

/** With a reference; NULL: no such handle. */
static struct dc_tx *
hdl2tx(struct client *cl, daos_handle_t th)
{
	struct d_hlink *hlink = dc_hdl_lookup(cl, th, DAOS_HTYPE_TX);

	return hlink == NULL ? NULL : CONTAINER_OF(hlink, struct dc_tx, dt_hlink);
}

int
cont_tx_insert(struct client *cl, struct dc_cont *cont, daos_epoch_t epoch, daos_handle_t *ret_th)
{
	struct dc_tx *tx = calloc(1, sizeof(*tx));
	int           rc;

	if (tx == NULL)
		return -DER_NOMEM;
	d_hlink_init(&tx->dt_hlink, &tx_hlink_ops);
	dc_cont_addref(cont);
	tx->dt_cont = cont;
	tx->dt_epoch = epoch;
	rc = dc_hdl_insert(cl, &tx->dt_hlink, ret_th);
	d_hlink_putref(&tx->dt_hlink);
	return rc;
}

int
dc_tx_close(tse_task_t *task)
{
	const daos_tx_close_t *args = dc_task_get_args(task);
	int                    rc = dc_hdl_delete(dc_task2client(task), args->th, DAOS_HTYPE_TX);

	tse_task_complete(task, rc);
	return rc;
}

int
dc_tx_epoch(struct client *cl, daos_handle_t th, const struct dc_cont *cont, daos_epoch_t *ret_epoch)
{
	struct dc_tx *tx = hdl2tx(cl, th);
	int           rc = 0;

	if (tx == NULL)
		return -DER_NO_HDL;
	if (cont != NULL && uuid_compare(cont->dc_uuid, tx->dt_cont->dc_uuid) != 0)
		rc = -DER_INVAL;
	else
		*ret_epoch = tx->dt_epoch;
	d_hlink_putref(&tx->dt_hlink);
	return rc;
}
