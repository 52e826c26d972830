/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Containers through the public interface, on one engine and on three in this process. */
#include "testcluster.h"
#include <daos.h>
#include <string.h>
#include "base/prop_table.h"
#include "cart/crt_fault.h"
#include "container/cont_client.h"
#include "container/cont_internal.h"
#include "container/cont_rpc.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "platform/platform.h"
#include "pool/pool_client.h"
#include "pool/pool_internal.h"

struct fixture {
	struct testcluster *tc;
	struct client      *cl;
	uuid_t              pool;
	daos_handle_t       poh;
};

static int
start(void **state, uint32_t engine_nr)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->tc = tc_start(&(struct tc_opts){.engine_nr = engine_nr, .tgt_nr = 2});
	tc_pool_create(f->tc, "tank", f->pool);
	f->cl = tc_client_start(f->tc);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RW, &f->poh, NULL, NULL), 0);
	*state = f;
	return 0;
}

static int
start_one(void **state)
{
	return start(state, 1);
}

static int
start_three(void **state)
{
	return start(state, 3);
}

static int
stop(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(daos_pool_disconnect(f->poh, NULL), 0);
	tc_client_stop(f->tc, f->cl);
	tc_stop(f->tc);
	free(f);
	return 0;
}

static void
create(struct fixture *f, const char *label, uuid_t *uuid)
{
	assert_int_equal(daos_cont_create_with_label(f->poh, label, NULL, uuid, NULL), 0);
}

static daos_handle_t
open_as(struct fixture *f, const char *name, unsigned flags)
{
	daos_handle_t coh = DAOS_HDL_INVAL;

	assert_int_equal(daos_cont_open(f->poh, name, flags, &coh, NULL, NULL), 0);
	return coh;
}

static void
close_it(daos_handle_t coh)
{
	assert_int_equal(daos_cont_close(coh, NULL), 0);
}

/** Shards of a container on the targets of an engine. */
struct shard_count {
	const unsigned char *pool, *cont;
	_Atomic uint32_t     nr, hdl_nr;
};

static MAY_YIELD int
count_on(void *arg, uint32_t tgt)
{
	struct shard_count   *count = arg;
	struct ds_pool_child *child = ds_pool_child_lookup(count->pool);
	struct vos_cont      *vos;
	struct cont_tgt      *ct;

	assert_non_null(child);
	ct = child->spc_cont_data;
	count->hdl_nr += ct->hdls.node_nr;
	if (vos_cont_open(child->spc_vos, count->cont, &vos) == 0) {
		vos_cont_close(vos);
		count->nr++;
	}
	ds_pool_child_put(child);
	return 0;
}

static MAY_YIELD int
count_ult(void *arg)
{
	return dss_tgt_collective(dss_engine(), count_on, arg);
}

static uint32_t
shards(struct fixture *f, d_rank_t rank, const uuid_t cont, uint32_t *ret_hdl_nr)
{
	struct shard_count count = {.pool = f->pool, .cont = cont};

	assert_int_equal(dss_ult_execute(tc_engine(f->tc, rank), DSS_TAG_SYS, count_ult, &count), 0);
	if (ret_hdl_nr != NULL)
		*ret_hdl_nr = count.hdl_nr;
	return count.nr;
}

/* ---- life ---- */

static void
create_open_close_destroy(void **state)
{
	struct fixture  *f = *state;
	daos_cont_info_t info;
	daos_handle_t    coh;
	uuid_t           uuid;
	char             text[DAOS_UUID_STR_SIZE];
	uint32_t         hdl_nr;

	create(f, "box", &uuid);
	uuid_unparse_lower(uuid, text);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_RW, &coh, &info, NULL), 0);
	assert_int_equal(uuid_compare(info.ci_uuid, uuid), 0);
	assert_int_equal(info.ci_nhandles, 1);
	assert_int_equal(shards(f, 0, uuid, &hdl_nr), 2);
	assert_int_equal(hdl_nr, 2);
	close_it(coh);
	assert_int_equal(shards(f, 0, uuid, &hdl_nr), 2);
	assert_int_equal(hdl_nr, 0);
	close_it(open_as(f, text, DAOS_COO_RO));
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), 0);
	assert_int_equal(shards(f, 0, uuid, NULL), 0);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_RW, &coh, NULL, NULL), -DER_NONEXIST);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), -DER_NONEXIST);
}

static void
wrong_arguments(void **state)
{
	struct fixture *f = *state;
	daos_handle_t   coh;

	create(f, "box", NULL);
	assert_int_equal(daos_cont_open(f->poh, "nosuch", DAOS_COO_RW, &coh, NULL, NULL), -DER_NONEXIST);
	assert_int_equal(daos_cont_open(f->poh, "11111111-2222-3333-4444-555555555555", DAOS_COO_RW, &coh, NULL, NULL),
			 -DER_NONEXIST);
	assert_int_equal(daos_cont_open(f->poh, "bad label", DAOS_COO_RW, &coh, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_open(f->poh, "box", 0, &coh, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_RW | DAOS_COO_RO, &coh, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_open(f->poh, "box", 1u << 20, &coh, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_open(DAOS_HDL_INVAL, "box", DAOS_COO_RW, &coh, NULL, NULL), -DER_NO_HDL);
	assert_int_equal(daos_cont_close(DAOS_HDL_INVAL, NULL), -DER_NO_HDL);
	assert_int_equal(daos_cont_create_with_label(f->poh, "bad label", NULL, NULL, NULL), -DER_INVAL);
}

static void
labels_are_unique(void **state)
{
	struct fixture *f = *state;

	create(f, "box", NULL);
	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, NULL, NULL), -DER_EXIST);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), 0);
	create(f, "box", NULL);
}

static void
without_a_label(void **state)
{
	struct fixture *f = *state;
	uuid_t          a, b;
	char            text[DAOS_UUID_STR_SIZE];

	assert_int_equal(daos_cont_create(f->poh, &a, NULL, NULL), 0);
	assert_int_equal(daos_cont_create(f->poh, &b, NULL, NULL), 0);
	uuid_unparse_lower(a, text);
	close_it(open_as(f, text, DAOS_COO_RW));
	assert_int_equal(daos_cont_destroy(f->poh, text, 0, NULL), 0);
}

static void
busy_while_open(void **state)
{
	struct fixture *f = *state;
	daos_handle_t   coh;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), -DER_BUSY);
	assert_int_equal(daos_pool_disconnect(f->poh, NULL), -DER_BUSY);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 1, NULL), 0);
	close_it(coh);
}

static void
exclusive_handles(void **state)
{
	struct fixture *f = *state;
	daos_handle_t   coh, other;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_EX);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_RO, &other, NULL, NULL), -DER_BUSY);
	close_it(coh);
	coh = open_as(f, "box", DAOS_COO_RW);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_EX, &other, NULL, NULL), -DER_BUSY);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_EX | DAOS_COO_EVICT_ALL, &other, NULL, NULL), 0);
	assert_int_equal(daos_cont_query(coh, NULL, NULL, NULL), -DER_NO_HDL);
	close_it(coh);
	close_it(other);
}

static void
list(void **state)
{
	struct fixture            *f = *state;
	struct daos_pool_cont_info conts[8];
	daos_size_t                nr = 8;
	uuid_t                     uuids[3];
	char                       label[8];

	assert_int_equal(daos_pool_list_cont(f->poh, &nr, conts, NULL), 0);
	assert_int_equal(nr, 0);
	for (int i = 0; i < 3; i++) {
		snprintf(label, sizeof(label), "box%d", i);
		create(f, label, &uuids[i]);
	}
	nr = 0;
	assert_int_equal(daos_pool_list_cont(f->poh, &nr, NULL, NULL), 0);
	assert_int_equal(nr, 3);
	nr = 2;
	assert_int_equal(daos_pool_list_cont(f->poh, &nr, conts, NULL), -DER_TRUNC);
	assert_int_equal(nr, 3);
	nr = 8;
	assert_int_equal(daos_pool_list_cont(f->poh, &nr, conts, NULL), 0);
	assert_int_equal(nr, 3);
	for (int i = 0; i < 3; i++) {
		int k = conts[i].pci_label[3] - '0';

		assert_in_range(k, 0, 2);
		assert_int_equal(uuid_compare(conts[i].pci_uuid, uuids[k]), 0);
	}
}

/* ---- properties ---- */

static void
properties_of_a_new_container(void **state)
{
	struct fixture *f = *state;
	daos_prop_t    *prop = daos_prop_alloc(0);
	daos_handle_t   coh;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	assert_int_equal(daos_cont_query(coh, NULL, prop, NULL), 0);
	assert_int_equal(prop->dpp_nr, DAOS_PROP_CO_NUM);
	assert_string_equal(prop_list_str(prop, DAOS_PROP_CO_LABEL), "box");
	assert_string_equal(prop_list_str(prop, DAOS_PROP_CO_OWNER), "tester@");
	assert_string_equal(prop_list_str(prop, DAOS_PROP_CO_OWNER_GROUP), "testers@");
	assert_int_equal(prop_list_num(prop, DAOS_PROP_CO_REDUN_FAC, 99), 0);
	assert_int_equal(prop_list_num(prop, DAOS_PROP_CO_EC_CELL_SZ, 99), 128 << 10); /* the pool's */
	assert_int_equal(prop_list_num(prop, DAOS_PROP_CO_CSUM, 99), DAOS_PROP_CO_CSUM_OFF);
	assert_int_equal(prop_list_num(prop, DAOS_PROP_CO_STATUS, 99) >> 32, DAOS_PROP_CO_HEALTHY);
	assert_int_equal(prop_list_num(prop, DAOS_PROP_CO_GLOBAL_VERSION, 99), 4);
	assert_int_equal(daos_acl_validate(daos_prop_entry_get(prop, DAOS_PROP_CO_ACL)->dpe_val_ptr), 0);
	daos_prop_free(prop);
	close_it(coh);
}

static void
properties_given_at_creation(void **state)
{
	struct fixture           *f = *state;
	struct daos_prop_co_roots roots = {.cr_oids[0] = {.lo = 7, .hi = 9}};
	daos_prop_t              *prop = NULL, *got = daos_prop_alloc(3);
	daos_handle_t             coh;
	struct dc_cont           *cont;

	assert_int_equal(daos_prop_from_str("label:crate;cksum:crc32;cksum_size:64KiB;layout_type:POSIX", 61, &prop), 0);
	assert_int_equal(daos_cont_create(f->poh, NULL, prop, NULL), 0);
	daos_prop_free(prop);
	coh = open_as(f, "crate", DAOS_COO_RW);
	got->dpp_entries[0].dpe_type = DAOS_PROP_CO_CSUM_CHUNK_SIZE;
	got->dpp_entries[1].dpe_type = DAOS_PROP_CO_LAYOUT_TYPE;
	got->dpp_entries[2].dpe_type = DAOS_PROP_CO_CSUM;
	assert_int_equal(daos_cont_query(coh, NULL, got, NULL), 0);
	assert_int_equal(got->dpp_entries[0].dpe_val, 64 << 10);
	assert_int_equal(got->dpp_entries[1].dpe_val, DAOS_PROP_CO_LAYOUT_POSIX);
	assert_int_equal(got->dpp_entries[2].dpe_val, DAOS_PROP_CO_CSUM_CRC32);
	daos_prop_free(got);
	cont = dc_hdl2cont(f->cl, coh);
	assert_int_equal(cont->dc_props.csum, DAOS_PROP_CO_CSUM_CRC32);
	dc_cont_put(cont);
	prop = daos_prop_alloc(1);
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_ROOTS;
	assert_int_equal(daos_prop_set_ptr(prop, DAOS_PROP_CO_ROOTS, &roots, sizeof(roots)), 0);
	assert_int_equal(daos_cont_set_prop(coh, prop, NULL), 0);
	free(prop->dpp_entries[0].dpe_val_ptr);
	prop->dpp_entries[0].dpe_val_ptr = NULL;
	assert_int_equal(daos_cont_query(coh, NULL, prop, NULL), 0);
	assert_memory_equal(prop->dpp_entries[0].dpe_val_ptr, &roots, sizeof(roots));
	daos_prop_free(prop);
	close_it(coh);
}

static void
properties_that_are_refused(void **state)
{
	struct fixture *f = *state;
	daos_prop_t    *prop = daos_prop_alloc(1);
	daos_handle_t   coh;

	prop->dpp_entries[0] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_CO_REDUN_FAC, .dpe_val = 1};
	assert_int_equal(daos_cont_create(f->poh, NULL, prop, NULL), -DER_INVAL); /* one rank */
	prop->dpp_entries[0] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_CO_CSUM, .dpe_val = 77};
	assert_int_equal(daos_cont_create(f->poh, NULL, prop, NULL), -DER_INVAL);
	prop->dpp_entries[0] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_PO_RECLAIM, .dpe_val = 1};
	assert_int_equal(daos_cont_create(f->poh, NULL, prop, NULL), -DER_INVAL);
	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	prop->dpp_entries[0] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_CO_CSUM, .dpe_val = 0};
	assert_int_equal(daos_cont_set_prop(coh, prop, NULL), -DER_NO_PERM); /* fixed at creation */
	close_it(coh);
	coh = open_as(f, "box", DAOS_COO_RO);
	prop->dpp_entries[0] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_CO_STATUS, .dpe_val = 0};
	assert_int_equal(daos_cont_set_prop(coh, prop, NULL), -DER_NO_PERM); /* read only */
	close_it(coh);
	daos_prop_free(prop);
}

static void
relabel(void **state)
{
	struct fixture *f = *state;
	daos_prop_t    *prop = daos_prop_alloc(1);
	daos_handle_t   coh, other;

	create(f, "box", NULL);
	create(f, "crate", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_LABEL;
	prop->dpp_entries[0].dpe_str = strdup("crate");
	assert_int_equal(daos_cont_set_prop(coh, prop, NULL), -DER_EXIST);
	assert_int_equal(daos_prop_set_str(prop, DAOS_PROP_CO_LABEL, "chest", 5), 0);
	assert_int_equal(daos_cont_set_prop(coh, prop, NULL), 0);
	close_it(coh);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_RW, &other, NULL, NULL), -DER_NONEXIST);
	close_it(open_as(f, "chest", DAOS_COO_RW));
	create(f, "box", NULL);
	daos_prop_free(prop);
}

static void
acl_of_a_container(void **state)
{
	struct fixture  *f = *state;
	const char      *none = "A::EVERYONE@:";
	struct daos_acl *acl = NULL;
	daos_prop_t     *prop = daos_prop_alloc(1);
	daos_handle_t    coh;
	struct dc_cont  *cont;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	assert_int_equal(daos_acl_from_strs(&none, 1, &acl), 0);
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_ACL;
	prop->dpp_entries[0].dpe_val_ptr = acl;
	assert_int_equal(daos_cont_set_prop(coh, prop, NULL), 0);
	close_it(coh);
	coh = open_as(f, "box", DAOS_COO_RW); /* the owner may still look after the list */
	cont = dc_hdl2cont(f->cl, coh);
	assert_int_equal(cont->dc_capas, SEC_CONT_CAPA_GET_ACL | SEC_CONT_CAPA_SET_ACL);
	dc_cont_put(cont);
	close_it(coh);
	daos_prop_free(prop);
}

static void
read_only_pool_handle(void **state)
{
	struct fixture *f = *state;
	daos_handle_t   poh, coh;

	create(f, "box", NULL);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RO, &poh, NULL, NULL), 0);
	assert_int_equal(daos_cont_create(poh, NULL, NULL, NULL), -DER_NO_PERM);
	assert_int_equal(daos_cont_open(poh, "box", DAOS_COO_RW, &coh, NULL, NULL), -DER_NO_PERM);
	assert_int_equal(daos_cont_destroy(poh, "box", 0, NULL), -DER_NO_PERM);
	assert_int_equal(daos_cont_open(poh, "box", DAOS_COO_RO, &coh, NULL, NULL), 0);
	close_it(coh);
	assert_int_equal(daos_pool_disconnect(poh, NULL), 0);
}

/* ---- attributes, object numbers, snapshots ---- */

static void
attributes(void **state)
{
	struct fixture   *f = *state;
	char const *const names[] = {"user.a", "user.b"};
	void const *const values[] = {"one", "twotwo"};
	size_t const      sizes[] = {3, 6};
	char              a[8] = "", buf[32];
	void *const       bufs[] = {a};
	size_t            got[] = {sizeof(a)}, size = sizeof(buf);
	daos_handle_t     coh;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	assert_int_equal(daos_cont_set_attr(coh, 2, names, values, sizes, NULL), 0);
	assert_int_equal(daos_cont_get_attr(coh, 1, names + 1, bufs, got, NULL), 0);
	assert_int_equal(got[0], 6);
	assert_memory_equal(a, "twotwo", 6);
	assert_int_equal(daos_cont_list_attr(coh, buf, &size, NULL), 0);
	assert_int_equal(size, 14);
	assert_memory_equal(buf, "user.a\0user.b", 14);
	assert_int_equal(daos_cont_del_attr(coh, 2, names, NULL), 0);
	size = 0;
	assert_int_equal(daos_cont_list_attr(coh, NULL, &size, NULL), 0);
	assert_int_equal(size, 0);
	close_it(coh);
}

static void
object_numbers(void **state)
{
	struct fixture *f = *state;
	uint64_t        first, second;
	daos_handle_t   coh;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	assert_int_equal(daos_cont_alloc_oids(coh, 100, &first, NULL), 0);
	tc_engine_stop(f->tc, 0);
	tc_engine_start(f->tc, 0);
	assert_int_equal(daos_cont_alloc_oids(coh, 1, &second, NULL), 0);
	assert_true(second >= first + 100);
	assert_int_equal(daos_cont_alloc_oids(coh, 0, &second, NULL), -DER_INVAL);
	assert_int_equal(daos_cont_alloc_oids(coh, UINT64_MAX, &second, NULL), -DER_OVERFLOW);
	close_it(coh);
	coh = open_as(f, "box", DAOS_COO_RO);
	assert_int_equal(daos_cont_alloc_oids(coh, 1, &second, NULL), -DER_NO_PERM);
	close_it(coh);
}

static void
snapshots(void **state)
{
	struct fixture  *f = *state;
	daos_epoch_t     epochs[3], got[8];
	char             name[DAOS_SNAPSHOT_MAX_LEN] = "x", *names[] = {name};
	daos_anchor_t    anchor = {0};
	daos_cont_info_t info;
	daos_handle_t    coh;
	int              nr = 8;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(daos_cont_create_snap(coh, &epochs[i], NULL, NULL), 0);
		assert_true(i == 0 || epochs[i] > epochs[i - 1]);
	}
	assert_int_equal(daos_cont_create_snap(coh, &got[0], "monday", NULL), -DER_NOTSUPPORTED);
	assert_int_equal(daos_cont_list_snap(coh, &nr, got, NULL, &anchor, NULL), 0);
	assert_int_equal(nr, 3);
	assert_true(daos_anchor_is_eof(&anchor));
	assert_memory_equal(got, epochs, sizeof(epochs));
	assert_int_equal(daos_cont_destroy_snap(coh, (daos_epoch_range_t){epochs[1], epochs[1]}, NULL), 0);
	memset(&anchor, 0, sizeof(anchor));
	for (int i = 0; i < 3; i += 2) { /* one at a time */
		nr = 1;
		assert_false(daos_anchor_is_eof(&anchor));
		assert_int_equal(daos_cont_list_snap(coh, &nr, got, names, &anchor, NULL), 0);
		assert_int_equal(nr, 2);
		assert_int_equal(got[0], epochs[i]);
		assert_string_equal(name, "");
	}
	assert_true(daos_anchor_is_eof(&anchor));
	assert_int_equal(daos_cont_query(coh, &info, NULL, NULL), 0);
	assert_int_equal(info.ci_nsnapshots, 2);
	assert_int_equal(info.ci_lsnapshot, epochs[2]);
	assert_int_equal(daos_cont_destroy_snap(coh, (daos_epoch_range_t){2, 1}, NULL), -DER_INVAL);
	close_it(coh);
}

/* ---- restarts, several engines ---- */

/** The answer to a call is lost; asked again, it names the snapshot it took. */
static void
snapshot_asked_for_twice(void **state)
{
	struct fixture       *f = *state;
	struct crt           *crt = dss_crt(tc_engine(f->tc, 0));
	struct crt_fault_rule lost = {.id = 1, .where = CRT_FAULT_REPLY, .what = CRT_FAULT_ERROR, .arg = -DER_TIMEDOUT,
				      .opc = CONT_OPC(CONT_SNAP_CREATE), .rank = CRT_FAULT_ANY_RANK,
				      .prob_ppm = 1000000, .fires_max = 1};
	daos_epoch_t          epoch, got[4];
	daos_anchor_t         anchor = {0};
	daos_handle_t         coh;
	int                   nr = 4;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	assert_int_equal(crt_fault_set(crt, &lost), 0);
	crt_faults_enable(crt, true);
	assert_int_equal(daos_cont_create_snap(coh, &epoch, NULL, NULL), 0);
	assert_int_equal(crt_fault_fires(crt, 1), 1);
	assert_int_equal(daos_cont_list_snap(coh, &nr, got, NULL, &anchor, NULL), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(got[0], epoch);
	close_it(coh);
}

static void
handle_survives_restart(void **state)
{
	struct fixture  *f = *state;
	daos_handle_t    coh;
	daos_cont_info_t info;
	struct dc_cont  *cont;
	uint32_t         hdl_nr;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	tc_engine_stop(f->tc, 0);
	tc_engine_start(f->tc, 0);
	assert_int_equal(daos_cont_query(coh, &info, NULL, NULL), 0);
	assert_int_equal(info.ci_nhandles, 1);
	cont = dc_hdl2cont(f->cl, coh);
	assert_int_equal(shards(f, 0, cont->dc_uuid, &hdl_nr), 2);
	assert_int_equal(hdl_nr, 0); /* until a request names it */
	dc_cont_put(cont);
	close_it(coh);
}

struct get_job {
	const unsigned char *pool, *cont, *hdl;
	int                  rc;
	uint64_t             capas;
};

static MAY_YIELD int
get_ult(void *arg)
{
	struct get_job     *job = arg;
	struct ds_cont_hdl *hdl;

	job->rc = ds_cont_hdl_get(job->pool, job->cont, job->hdl, &hdl);
	if (job->rc == 0) {
		job->capas = hdl->sch_sec_capas;
		ds_cont_hdl_put(hdl);
	}
	return 0;
}

static void
handle_is_found_on_demand(void **state)
{
	struct fixture *f = *state;
	daos_handle_t   coh;
	struct dc_cont *cont;
	struct get_job  job = {.pool = f->pool};
	uuid_t          unknown;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	cont = dc_hdl2cont(f->cl, coh);
	job.cont = cont->dc_uuid;
	job.hdl = cont->dc_hdl;
	for (d_rank_t r = 1; r < 3; r++) {
		tc_engine_stop(f->tc, r);
		tc_engine_start(f->tc, r);
		assert_int_equal(dss_ult_execute(tc_engine(f->tc, r), DSS_XS_OF_TGT(1), get_ult, &job), 0);
		assert_int_equal(job.rc, 0);
		assert_int_equal(job.capas, cont->dc_capas);
	}
	plat_uuid_generate(unknown);
	job.hdl = unknown;
	assert_int_equal(dss_ult_execute(tc_engine(f->tc, 1), DSS_XS_OF_TGT(0), get_ult, &job), 0);
	assert_int_equal(job.rc, -DER_NO_HDL);
	job.hdl = cont->dc_hdl;
	job.cont = unknown; /* of another container */
	assert_int_equal(dss_ult_execute(tc_engine(f->tc, 1), DSS_XS_OF_TGT(1), get_ult, &job), 0);
	assert_int_equal(job.rc, -DER_NO_HDL);
	dc_cont_put(cont);
	close_it(coh);
}

static void
destroy_reaches_all_engines(void **state)
{
	struct fixture *f = *state;
	uuid_t          uuid;

	create(f, "box", &uuid);
	close_it(open_as(f, "box", DAOS_COO_RW));
	for (d_rank_t r = 0; r < 3; r++)
		assert_int_equal(shards(f, r, uuid, NULL), 2);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), 0);
	for (d_rank_t r = 0; r < 3; r++)
		assert_int_equal(shards(f, r, uuid, NULL), 0);
}

static MAY_YIELD int
pool_stop_ult(void *arg)
{
	pool_stop(dss_engine(), arg);
	return 0;
}

static MAY_YIELD int
pool_start_ult(void *arg)
{
	return pool_start(dss_engine(), arg, 2);
}

/** An engine that does not have the pool yet, since it restarts, must not be taken to say that the container is gone. */
static void
destroy_waits_for_an_engine_that_starts(void **state)
{
	struct fixture *f = *state;
	daos_handle_t   eq;
	daos_event_t    ev, *done;
	uuid_t          uuid;

	create(f, "box", &uuid);
	assert_int_equal(dss_ult_execute(tc_engine(f->tc, 1), DSS_TAG_SYS, pool_stop_ult, f->pool), 0);
	assert_int_equal(daos_eq_create(&eq), 0);
	assert_int_equal(daos_event_init(&ev, eq, NULL), 0);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, &ev), 0);
	assert_int_equal(daos_eq_poll(eq, 1, 300 * 1000, 1, &done), 0); /* it does not end, whatever it said */
	assert_int_equal(dss_ult_execute(tc_engine(f->tc, 1), DSS_TAG_SYS, pool_start_ult, f->pool), 0);
	assert_int_equal(daos_eq_poll(eq, 1, DAOS_EQ_WAIT, 1, &done), 1);
	assert_int_equal(ev.ev_error, 0);
	assert_int_equal(daos_event_fini(&ev), 0);
	assert_int_equal(daos_eq_destroy(eq, 0), 0);
	for (d_rank_t r = 0; r < 3; r++)
		assert_int_equal(shards(f, r, uuid, NULL), 0);
	create(f, "box", NULL); /* its label is free */
}

static void
redundancy_three_ranks_allow(void **state)
{
	struct fixture *f = *state;
	daos_prop_t    *prop = daos_prop_alloc(1);

	prop->dpp_entries[0] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_CO_REDUN_FAC, .dpe_val = 2};
	assert_int_equal(daos_cont_create(f->poh, NULL, prop, NULL), 0);
	prop->dpp_entries[0].dpe_val = 3;
	assert_int_equal(daos_cont_create(f->poh, NULL, prop, NULL), -DER_INVAL);
	daos_prop_free(prop);
}

static void
disconnecting_closes_what_is_open(void **state)
{
	struct fixture *f = *state;
	struct client  *cl = tc_client_start(f->tc);
	daos_handle_t   poh, coh;
	uuid_t          uuid;
	uint32_t        hdl_nr;

	client_set_current(f->cl);
	create(f, "box", &uuid);
	client_set_current(cl);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RW, &poh, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(poh, "box", DAOS_COO_RW, &coh, NULL, NULL), 0);
	assert_int_equal(shards(f, 0, uuid, &hdl_nr), 2);
	assert_int_equal(hdl_nr, 2);
	tc_client_stop(f->tc, cl); /* as a client that dies: its handles stay ... */
	client_set_current(f->cl);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), -DER_BUSY);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 1, NULL), 0); /* ... until forced out */
	assert_int_equal(shards(f, 0, uuid, &hdl_nr), 0);
	assert_int_equal(hdl_nr, 0);
}

/* ---- space ---- */

static MAY_YIELD int
hurry_on(void *arg, uint32_t tgt)
{
	struct ds_pool_child *child = ds_pool_child_lookup(arg);
	struct cont_tgt      *ct = child->spc_cont_data;

	ct->delay_ns = 5 * NSEC_PER_MSEC;
	ct->lag_ns = 50 * NSEC_PER_MSEC;
	ds_pool_child_put(child);
	return 0;
}

static MAY_YIELD int
hurry_ult(void *arg)
{
	return dss_tgt_collective(dss_engine(), hurry_on, arg);
}

static uint64_t
data_free(struct fixture *f)
{
	daos_pool_info_t info = {.pi_bits = DPI_SPACE};

	assert_int_equal(daos_pool_query(f->poh, NULL, &info, NULL, NULL), 0);
	return info.pi_space.ps_space.s_free[DAOS_MEDIA_NVME];
}

/** Ask until at least @bytes are free; a minute at most. */
static void
until_free(struct fixture *f, uint64_t bytes)
{
	uint64_t end_ns = plat_now_ns() + 60 * NSEC_PER_SEC;

	while (data_free(f) < bytes)
		assert_true(plat_now_ns() < end_ns);
}

static void
write_keys(daos_handle_t oh, uint64_t nr, uint64_t bytes)
{
	char       *buf = malloc(bytes);
	daos_recx_t recx = {.rx_idx = 0, .rx_nr = bytes};
	daos_iod_t  iod = {.iod_type = DAOS_IOD_ARRAY, .iod_size = 1, .iod_nr = 1, .iod_recxs = &recx};
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	memset(buf, 7, bytes);
	d_iov_set(&iov, buf, bytes);
	d_iov_set(&iod.iod_name, "a", 1);
	for (uint64_t k = 0; k < nr; k++) {
		daos_key_t dkey;

		d_iov_set(&dkey, &k, sizeof(k));
		assert_int_equal(daos_obj_update(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL), 0);
	}
	free(buf);
}

static void
space_comes_back(void **state)
{
	const uint64_t  mib = 1 << 20, nr = 16;
	struct fixture *f = *state;
	daos_obj_id_t   oid = {.lo = 1};
	daos_handle_t   coh, oh;
	uint64_t        before;

	create(f, "box", NULL);
	coh = open_as(f, "box", DAOS_COO_RW);
	assert_int_equal(dss_ult_execute(tc_engine(f->tc, 0), DSS_TAG_SYS, hurry_ult, f->pool), 0);
	assert_int_equal(daos_obj_generate_oid(coh, &oid, DAOS_OT_DKEY_UINT64, OC_SX, 0, 0), 0);
	assert_int_equal(daos_obj_open(coh, oid, DAOS_OO_RW, &oh, NULL), 0);
	before = data_free(f);
	write_keys(oh, nr, mib);
	write_keys(oh, nr, mib);
	until_free(f, before - nr * mib); /* of what was overwritten */
	assert_true(data_free(f) <= before - nr * mib);
	assert_int_equal(daos_obj_punch(oh, DAOS_TX_NONE, 0, NULL), 0);
	until_free(f, before); /* of what was punched */
	write_keys(oh, nr, mib);
	assert_int_equal(daos_obj_close(oh, NULL), 0);
	close_it(coh);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), 0);
	until_free(f, before); /* of what was in a destroyed container */
}

/* ---- snapshots and space ---- */

#define SNAP_KEY_NR 8

/** Key k of version v as a snapshot, or now, shows it; a version writes the keys below its limit. */
static const uint64_t version_keys[] = {SNAP_KEY_NR, 6, 3};

struct history {
	const unsigned char *pool, *cont;
	daos_obj_id_t        oid;
	daos_epoch_t         epochs[ARRAY_NR(version_keys)];
	_Atomic bool         aggregated;
	_Atomic uint32_t     found[ARRAY_NR(version_keys)];
};

static void
write_version(daos_handle_t oh, uint64_t version)
{
	daos_iod_t  iod = {.iod_type = DAOS_IOD_SINGLE, .iod_size = sizeof(version), .iod_nr = 1};
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&iov, &version, sizeof(version));
	d_iov_set(&iod.iod_name, "a", 1);
	for (uint64_t k = 0; k < version_keys[version]; k++) {
		daos_key_t dkey;

		d_iov_set(&dkey, &k, sizeof(k));
		assert_int_equal(daos_obj_update(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL), 0);
	}
}

static MAY_YIELD int
aggregated_on(void *arg, uint32_t tgt)
{
	struct history       *h = arg;
	struct ds_pool_child *child = ds_pool_child_lookup(h->pool);
	struct vos_cont      *vos;
	struct vos_cont_info  info;

	assert_int_equal(vos_cont_open(child->spc_vos, h->cont, &vos), 0);
	vos_cont_query(vos, &info);
	if (info.hae < h->epochs[ARRAY_NR(version_keys) - 1])
		h->aggregated = false;
	vos_cont_close(vos);
	ds_pool_child_put(child);
	return 0;
}

static MAY_YIELD int
aggregated_ult(void *arg)
{
	return dss_tgt_collective(dss_engine(), aggregated_on, arg);
}

/** What VOS shows of a version's epoch: each key as the newest version that wrote it by then. */
static MAY_YIELD void
look(struct history *h, struct vos_cont *vos, daos_unit_oid_t oid, uint64_t version)
{
	for (uint64_t k = 0; k < SNAP_KEY_NR; k++) {
		daos_iod_t  iod = {.iod_type = DAOS_IOD_SINGLE, .iod_size = DAOS_REC_ANY, .iod_nr = 1};
		uint64_t    value = UINT64_MAX, expect = version;
		d_iov_t     iov;
		d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
		daos_key_t  dkey;

		d_iov_set(&iov, &value, sizeof(value));
		d_iov_set(&iod.iod_name, "a", 1);
		d_iov_set(&dkey, &k, sizeof(k));
		assert_int_equal(vos_obj_fetch(vos, oid, h->epochs[version], 0, &dkey, 1, &iod, &sgl), 0);
		if (iod.iod_size == 0)
			continue; /* on the other target */
		while (k >= version_keys[expect])
			expect--;
		assert_int_equal(value, expect);
		h->found[version]++;
	}
}

static MAY_YIELD int
look_on(void *arg, uint32_t tgt)
{
	struct history       *h = arg;
	struct ds_pool_child *child = ds_pool_child_lookup(h->pool);
	struct vos_cont      *vos;

	assert_int_equal(vos_cont_open(child->spc_vos, h->cont, &vos), 0);
	for (uint32_t shard = 0; shard < 2; shard++) {
		daos_unit_oid_t oid = {.id_pub = h->oid, .id_shard = shard};

		for (uint64_t v = 0; v < ARRAY_NR(version_keys); v++)
			look(h, vos, oid, v);
	}
	vos_cont_close(vos);
	ds_pool_child_put(child);
	return 0;
}

static MAY_YIELD int
look_ult(void *arg)
{
	return dss_tgt_collective(dss_engine(), look_on, arg);
}

static void
until_aggregated(struct fixture *f, struct history *h)
{
	uint64_t end_ns = plat_now_ns() + 60 * NSEC_PER_SEC;

	do {
		assert_true(plat_now_ns() < end_ns);
		h->aggregated = true;
		assert_int_equal(dss_ult_execute(tc_engine(f->tc, 0), DSS_TAG_SYS, aggregated_ult, h), 0);
	} while (!h->aggregated);
}

static void
aggregation_keeps_what_each_snapshot_shows(void **state)
{
	struct fixture *f = *state;
	struct history  h = {.pool = f->pool, .oid = {.lo = 1}};
	uuid_t          uuid;
	daos_handle_t   coh, oh;

	create(f, "box", &uuid);
	h.cont = uuid;
	coh = open_as(f, "box", DAOS_COO_RW);
	assert_int_equal(daos_obj_generate_oid(coh, &h.oid, DAOS_OT_DKEY_UINT64, OC_SX, 0, 0), 0);
	assert_int_equal(daos_obj_open(coh, h.oid, DAOS_OO_RW, &oh, NULL), 0);
	for (uint64_t v = 0; v < ARRAY_NR(version_keys); v++) {
		write_version(oh, v);
		assert_int_equal(daos_cont_create_snap(coh, &h.epochs[v], NULL, NULL), 0);
	}
	assert_int_equal(daos_obj_close(oh, NULL), 0);
	/* The last version has no snapshot: it is what is read now. */
	assert_int_equal(daos_cont_destroy_snap(coh, (daos_epoch_range_t){h.epochs[2], h.epochs[2]}, NULL), 0);
	assert_int_equal(dss_ult_execute(tc_engine(f->tc, 0), DSS_TAG_SYS, hurry_ult, f->pool), 0);
	until_aggregated(f, &h);
	h.epochs[2] = DAOS_EPOCH_MAX - 1;
	assert_int_equal(dss_ult_execute(tc_engine(f->tc, 0), DSS_TAG_SYS, look_ult, &h), 0);
	for (uint64_t v = 0; v < ARRAY_NR(version_keys); v++)
		assert_int_equal(h.found[v], SNAP_KEY_NR);
	close_it(coh);
}

#define ONE(fn)   cmocka_unit_test_setup_teardown(fn, start_one, stop)
#define THREE(fn) cmocka_unit_test_setup_teardown(fn, start_three, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ONE(create_open_close_destroy),
	    ONE(wrong_arguments),
	    ONE(labels_are_unique),
	    ONE(without_a_label),
	    ONE(busy_while_open),
	    ONE(exclusive_handles),
	    ONE(list),
	    ONE(properties_of_a_new_container),
	    ONE(properties_given_at_creation),
	    ONE(properties_that_are_refused),
	    ONE(relabel),
	    ONE(acl_of_a_container),
	    ONE(read_only_pool_handle),
	    ONE(attributes),
	    ONE(object_numbers),
	    ONE(snapshots),
	    ONE(snapshot_asked_for_twice),
	    ONE(handle_survives_restart),
	    ONE(disconnecting_closes_what_is_open),
	    ONE(space_comes_back),
	    ONE(aggregation_keeps_what_each_snapshot_shows),
	    THREE(handle_is_found_on_demand),
	    THREE(destroy_reaches_all_engines),
	    THREE(destroy_waits_for_an_engine_that_starts),
	    THREE(redundancy_three_ranks_allow),
	};

	return cmocka_run_group_tests_name("container service", tests, NULL, NULL);
}
