/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Requests to a pool's service that come again: each is carried out once. An engine sends what a client whose answers
 * are lost would send, with the names chosen by the test.
 */
#include "testcluster.h"
#include <daos.h>
#include <string.h>
#include "base/prop_table.h"
#include "cart/crt_fault.h"
#include "container/cont_rpc.h"
#include "container/cont_client.h"
#include "platform/platform.h"
#include "pool/pool_client.h"
#include "pool/pool_internal.h"

struct fixture {
	struct testcluster *tc;
	struct client      *cl;
	uuid_t              pool, hdl;
	daos_handle_t       poh;
};

static int
start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct dc_pool *pool;

	assert_non_null(f);
	f->tc = tc_start(&(struct tc_opts){.engine_nr = 1, .tgt_nr = 2});
	tc_pool_create(f->tc, "tank", f->pool);
	f->cl = tc_client_start(f->tc);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RW, &f->poh, NULL, NULL), 0);
	pool = dc_hdl2pool(f->cl, f->poh);
	uuid_copy(f->hdl, pool->dp_hdl);
	dc_pool_put(pool);
	*state = f;
	return 0;
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

/* ---- asking ---- */

union input {
	struct pool_in_head        head;
	struct pool_attr_op_in     attr;
	struct pool_connect_in     connect;
	struct pool_acl_change_in  acl;
	struct pool_evict_in       evict;
	struct cont_create_in      create;
	struct cont_destroy_in     destroy;
	struct cont_open_in        open;
	struct cont_alloc_oids_in  oids;
	struct cont_snap_op_in     snap;
	struct cont_attr_op_in     cattr;
	struct cont_prop_set_in    cprop;
	struct cont_set_owner_in   owner;
	struct pool_prop_set_in    prop;
	struct pool_destroy_prep_in prep;
};

/** A request, its name, and what was answered. */
struct ask {
	crt_opcode_t         opc;
	union input          in;
	size_t               in_bytes;
	struct pool_out_head out;
	uint64_t             number; /**< of the answer */
};

static MAY_YIELD int
ask_ult(void *arg)
{
	struct ask    *ask = arg;
	crt_endpoint_t ep = {.ep_rank = 0, .ep_tag = DSS_TAG_SYS};
	crt_rpc_t     *rpc;

	assert_int_equal(crt_req_create(dss_self()->dx_ctx, &ep, ask->opc, &rpc), 0);
	memcpy(rpc->cr_input, &ask->in, ask->in_bytes);
	assert_int_equal(dss_rpc_send(rpc), 0);
	memcpy(&ask->out, rpc->cr_output, sizeof(ask->out));
	if (ask->opc == CONT_OPC(CONT_ALLOC_OIDS))
		ask->number = ((struct cont_alloc_oids_out *)rpc->cr_output)->oid;
	if (ask->opc == POOL_OPC(POOL_EVICT))
		ask->number = ((struct pool_evict_out *)rpc->cr_output)->count;
	if (ask->opc == CONT_OPC(CONT_SNAP_CREATE) && ask->out.rc == 0)
		ask->number = ((struct cont_snap_op_out *)rpc->cr_output)->epochs.v[0];
	crt_req_decref(rpc);
	return ask->out.rc;
}

/** Send it, and send it again: as often as this is called. */
static int
ask(struct fixture *f, struct ask *a)
{
	return dss_ult_execute(tc_engine(f->tc, 0), DSS_TAG_SYS, ask_ult, a);
}

static struct ask
ask_new(struct fixture *f, crt_opcode_t opc, size_t in_bytes)
{
	struct ask a = {.opc = opc, .in_bytes = in_bytes};

	uuid_copy(a.in.head.pool.b, f->pool);
	uuid_copy(a.in.head.hdl.b, f->hdl);
	a.in.head.op_time = hlc_get(dss_hlc(tc_engine(f->tc, 0)));
	plat_uuid_generate(a.in.head.op_who.b);
	return a;
}
#define ASK(f, opc, field) ask_new(f, opc, sizeof(((union input *)0)->field))

static void
set_attr(struct fixture *f, const char *text)
{
	char const *const names[] = {"colour"};
	void const *const values[] = {text};
	size_t const      sizes[] = {strlen(text)};

	assert_int_equal(daos_pool_set_attr(f->poh, 1, names, values, sizes, NULL), 0);
}

static void
expect_attr(struct fixture *f, const char *text)
{
	char const *const names[] = {"colour"};
	char              buf[16];
	void *const       bufs[] = {buf};
	size_t            sizes[] = {sizeof(buf)};

	assert_int_equal(daos_pool_get_attr(f->poh, 1, names, bufs, sizes, NULL), 0);
	assert_int_equal(sizes[0], strlen(text));
	assert_memory_equal(buf, text, sizes[0]);
}

/** POOL_ATTR_SET of "colour". */
static struct ask
ask_set(struct fixture *f, struct pool_attr *attr, const char *text)
{
	struct ask a = ASK(f, POOL_OPC(POOL_ATTR_SET), attr);

	attr->name = "colour";
	d_iov_set(&attr->value, (void *)text, strlen(text));
	a.in.attr.attrs = (struct pool_attrs){.nr = 1, .v = attr};
	return a;
}

/* ---- cases: attributes ---- */

static void
copy_changes_nothing(void **state)
{
	struct fixture  *f = *state;
	struct pool_attr attr;
	struct ask       a = ask_set(f, &attr, "red");

	assert_int_equal(ask(f, &a), 0);
	expect_attr(f, "red");
	set_attr(f, "blue");
	assert_int_equal(ask(f, &a), 0);
	expect_attr(f, "blue");
}

static void
copy_is_known_after_a_restart(void **state)
{
	struct fixture  *f = *state;
	struct pool_attr attr;
	struct ask       a = ask_set(f, &attr, "red");

	assert_int_equal(ask(f, &a), 0);
	set_attr(f, "blue");
	tc_engine_stop(f->tc, 0);
	tc_engine_start(f->tc, 0);
	expect_attr(f, "blue"); /* waits until the service is up */
	assert_int_equal(ask(f, &a), 0);
	expect_attr(f, "blue");
}

static void
failure_stays_one(void **state)
{
	struct fixture     *f = *state;
	struct ask          a = ASK(f, CONT_OPC(CONT_CREATE), create);
	daos_prop_t        *prop = daos_prop_alloc(1);
	daos_handle_t       coh;

	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_LABEL;
	prop->dpp_entries[0].dpe_str = strdup("box");
	assert_int_equal(prop_list_encode(prop, &a.in.create.props), 0);
	daos_prop_free(prop);
	plat_uuid_generate(a.in.create.cont.b);
	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, NULL, NULL), 0);
	assert_int_equal(ask(f, &a), -DER_EXIST);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), 0);
	assert_int_equal(ask(f, &a), -DER_EXIST);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_RW, &coh, NULL, NULL), -DER_NONEXIST);
	free(a.in.create.props.iov_buf);
}

static void
name_is_one_operations(void **state)
{
	struct fixture  *f = *state;
	struct pool_attr attr;
	struct ask       a = ask_set(f, &attr, "red");

	assert_int_equal(ask(f, &a), 0);
	a.opc = POOL_OPC(POOL_ATTR_DEL);
	assert_int_equal(ask(f, &a), -DER_MISMATCH);
	a.in.head.op_time = 0;
	assert_int_equal(ask(f, &a), -DER_INVAL);
	expect_attr(f, "red");
}

static void
time_far_ahead_is_refused(void **state)
{
	struct fixture  *f = *state;
	struct pool_attr attr;
	struct ask       a = ask_set(f, &attr, "red");

	a.in.head.op_time += hlc_span_from_ns(3600 * NSEC_PER_SEC);
	assert_int_equal(ask(f, &a), -DER_TX_UNCERTAIN);
	assert_false(a.out.begun);
	assert_true(a.out.time != 0 && a.out.time < a.in.head.op_time);
	a.in.head.op_time = a.out.time;
	assert_int_equal(ask(f, &a), 0);
	assert_true(a.out.begun);
	expect_attr(f, "red");
}

/* ---- cases: properties ---- */

static void
set_prop(struct fixture *f, uint32_t type, uint64_t value)
{
	struct ask   a = ASK(f, POOL_OPC(POOL_PROP_SET), prop);
	daos_prop_t *prop = daos_prop_alloc(1);

	prop->dpp_entries[0].dpe_type = type;
	prop->dpp_entries[0].dpe_val = value;
	assert_int_equal(prop_list_encode(prop, &a.in.prop.props), 0);
	daos_prop_free(prop);
	assert_int_equal(ask(f, &a), 0);
	free(a.in.prop.props.iov_buf);
}

static void
switched_off_and_on(void **state)
{
	struct fixture  *f = *state;
	struct pool_attr attr;
	struct ask       a = ask_set(f, &attr, "red"), before = ask_set(f, &attr, "red");

	set_prop(f, DAOS_PROP_PO_SVC_OPS_ENABLED, 0);
	assert_int_equal(ask(f, &a), 0);
	set_attr(f, "blue");
	assert_int_equal(ask(f, &a), 0);
	expect_attr(f, "red"); /* nothing is remembered */
	set_attr(f, "blue");
	set_prop(f, DAOS_PROP_PO_SVC_OPS_ENABLED, 1);
	assert_int_equal(ask(f, &a), -DER_TX_UNCERTAIN);
	assert_int_equal(ask(f, &before), -DER_TX_UNCERTAIN);
	expect_attr(f, "blue");
	a = ask_set(f, &attr, "red");
	assert_int_equal(ask(f, &a), 0);
	set_attr(f, "blue");
	assert_int_equal(ask(f, &a), 0);
	expect_attr(f, "blue");
}

/* ---- cases: requests one by one ---- */

static void
connect_comes_after_its_disconnect(void **state)
{
	struct fixture          *f = *state;
	struct ask               a = ASK(f, POOL_OPC(POOL_CONNECT), connect);
	struct ask               end = ASK(f, POOL_OPC(POOL_DISCONNECT), head);

	assert_int_equal(client_request_cred(f->cl, &a.in.connect.cred), 0);
	a.in.connect.flags = DAOS_PC_RW;
	plat_uuid_generate(a.in.connect.hdl.b);
	end.in.head.hdl = a.in.connect.hdl;
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(ask(f, &end), 0);
	assert_int_equal(ask(f, &end), 0);
	assert_int_equal(ask(f, &a), -DER_NO_HDL);
	free(a.in.connect.cred.iov_buf);
}

static void
evict_spares_who_came_later(void **state)
{
	struct fixture *f = *state;
	struct ask      a = ASK(f, POOL_OPC(POOL_EVICT), evict);
	daos_handle_t   poh;

	uuid_clear(a.in.head.hdl.b);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(a.number, 1);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RW, &poh, NULL, NULL), 0);
	a.number = 0;
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(a.number, 1);
	assert_int_equal(daos_pool_query(poh, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(daos_pool_disconnect(poh, NULL), 0);
}

static void
destroy_prep_spares_who_came_later(void **state)
{
	struct fixture *f = *state;
	struct ask      a = ASK(f, POOL_OPC(POOL_DESTROY_PREP), prep);
	daos_handle_t   poh;

	uuid_clear(a.in.head.hdl.b);
	assert_int_equal(ask(f, &a), -DER_BUSY);
	a = ASK(f, POOL_OPC(POOL_DESTROY_PREP), prep);
	uuid_clear(a.in.head.hdl.b);
	a.in.prep.force = true;
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RW, &poh, NULL, NULL), 0);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(daos_pool_query(poh, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(daos_pool_disconnect(poh, NULL), 0);
}

static void
acl_entry_is_deleted_once(void **state)
{
	struct fixture *f = *state;
	struct ask      a = ASK(f, POOL_OPC(POOL_ACL_CHANGE), acl);

	uuid_clear(a.in.head.hdl.b);
	a.in.acl.change = POOL_ACL_DELETE;
	a.in.acl.principal_type = DAOS_ACL_OWNER_GROUP;
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(ask(f, &a), 0); /* else: there is no such entry */
	a.in.head.op_time++;
	assert_int_equal(ask(f, &a), -DER_NONEXIST);
}

/* ---- cases: containers ---- */

static void
destroy_takes_no_namesake(void **state)
{
	struct fixture *f = *state;
	struct ask      a = ASK(f, CONT_OPC(CONT_DESTROY), destroy);

	a.in.destroy.label = "box";
	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, NULL, NULL), 0);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, NULL, NULL), 0);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), 0);
}

static void
destroy_that_failed_stays_failed(void **state)
{
	struct fixture *f = *state;
	struct ask      a = ASK(f, CONT_OPC(CONT_DESTROY), destroy);

	a.in.destroy.label = "box";
	assert_int_equal(ask(f, &a), -DER_NONEXIST);
	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, NULL, NULL), 0);
	assert_int_equal(ask(f, &a), -DER_NONEXIST);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), 0);
}

/** The engines can't be reached after the first step; what then has the label is spared. */
static void
destroy_goes_on_where_it_was(void **state)
{
	struct fixture       *f = *state;
	struct ask            a = ASK(f, CONT_OPC(CONT_DESTROY), destroy);
	struct crt           *crt = dss_crt(tc_engine(f->tc, 0));
	struct crt_fault_rule lost = {.id = 1, .where = CRT_FAULT_REQUEST, .what = CRT_FAULT_ERROR, .arg = -DER_UNREACH,
				      .opc = CONT_OPC(CONT_TGT_DESTROY), .rank = CRT_FAULT_ANY_RANK,
				      .prob_ppm = 1000000, .fires_max = 1};
	char                  text[DAOS_UUID_STR_SIZE];
	daos_handle_t         coh;
	uuid_t                uuid;

	a.in.destroy.label = "box";
	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, &uuid, NULL), 0);
	assert_int_equal(crt_fault_set(crt, &lost), 0);
	crt_faults_enable(crt, true);
	assert_int_equal(ask(f, &a), -DER_UNREACH);
	assert_int_equal(crt_fault_fires(crt, 1), 1);
	uuid_unparse_lower(uuid, text);
	assert_int_equal(daos_cont_open(f->poh, text, DAOS_COO_RW, &coh, NULL, NULL), 0);
	{
		struct daos_prop_entry entry = {.dpe_type = DAOS_PROP_CO_LABEL, .dpe_str = "other"};
		daos_prop_t            prop = {.dpp_nr = 1, .dpp_entries = &entry};

		assert_int_equal(daos_cont_set_prop(coh, &prop, NULL), 0);
	}
	assert_int_equal(daos_cont_close(coh, NULL), 0);
	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, NULL, NULL), 0);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(daos_cont_open(f->poh, text, DAOS_COO_RW, &coh, NULL, NULL), -DER_NONEXIST);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), 0);
}

/** An open container, as requests name it. */
struct box {
	daos_handle_t coh;
	crt_uuid_t    cont, hdl;
};

static struct box
box_open(struct fixture *f)
{
	struct box      box;
	struct dc_cont *cont;

	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_RW, &box.coh, NULL, NULL), 0);
	cont = dc_hdl2cont(f->cl, box.coh);
	uuid_copy(box.cont.b, cont->dc_uuid);
	uuid_copy(box.hdl.b, cont->dc_hdl);
	dc_cont_put(cont);
	return box;
}

static void
open_comes_after_its_close(void **state)
{
	struct fixture *f = *state;
	struct ask      a = ASK(f, CONT_OPC(CONT_OPEN), open);
	daos_handle_t   coh;

	assert_int_equal(daos_cont_create_with_label(f->poh, "box", NULL, NULL, NULL), 0);
	a.in.open.label = "box";
	a.in.open.flags = DAOS_COO_EX | DAOS_COO_EVICT_ALL;
	plat_uuid_generate(a.in.open.cont_hdl.b);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(daos_cont_open(f->poh, "box", DAOS_COO_EX | DAOS_COO_EVICT_ALL, &coh, NULL, NULL), 0);
	assert_int_equal(ask(f, &a), -DER_NO_HDL);
	assert_int_equal(daos_cont_query(coh, NULL, NULL, NULL), 0); /* not evicted */
	assert_int_equal(daos_cont_close(coh, NULL), 0);
}

static void
oids_are_given_once(void **state)
{
	struct fixture *f = *state;
	struct box      box = box_open(f);
	struct ask      a = ASK(f, CONT_OPC(CONT_ALLOC_OIDS), oids);
	uint64_t        first, next;

	a.in.oids.cont = box.cont;
	a.in.oids.cont_hdl = box.hdl;
	a.in.oids.num = 5;
	assert_int_equal(ask(f, &a), 0);
	first = a.number;
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(a.number, first);
	assert_int_equal(daos_cont_alloc_oids(box.coh, 1, &next, NULL), 0);
	assert_int_equal(next, first + 5);
	assert_int_equal(daos_cont_close(box.coh, NULL), 0);
}

static uint32_t
snap_nr(daos_handle_t coh)
{
	daos_anchor_t anchor = {0};
	daos_epoch_t  epochs[8];
	int           nr = 8;

	assert_int_equal(daos_cont_list_snap(coh, &nr, epochs, NULL, &anchor, NULL), 0);
	return nr;
}

static void
snapshots_come_and_go_once(void **state)
{
	struct fixture *f = *state;
	struct box      box = box_open(f);
	struct ask      a = ASK(f, CONT_OPC(CONT_SNAP_CREATE), snap), all = ASK(f, CONT_OPC(CONT_SNAP_DESTROY), snap);
	uint64_t        epoch;

	a.in.snap.cont = all.in.snap.cont = box.cont;
	a.in.snap.cont_hdl = all.in.snap.cont_hdl = box.hdl;
	a.in.snap.lo = 77;
	all.in.snap.hi = UINT64_MAX;
	assert_int_equal(ask(f, &a), 0);
	epoch = a.number;
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(a.number, epoch);
	assert_int_equal(snap_nr(box.coh), 1);
	assert_int_equal(ask(f, &all), 0);
	assert_int_equal(snap_nr(box.coh), 0);
	assert_int_equal(ask(f, &a), 0); /* none comes back */
	assert_int_equal(snap_nr(box.coh), 0);
	assert_int_equal(daos_cont_create_snap(box.coh, &epoch, NULL, NULL), 0);
	assert_int_equal(ask(f, &all), 0);
	assert_int_equal(snap_nr(box.coh), 1);
	assert_int_equal(daos_cont_close(box.coh, NULL), 0);
}

/** Not all engines could be told: it is taken back, and asked again it is taken. */
static void
snapshot_is_taken_back(void **state)
{
	struct fixture       *f = *state;
	struct box            box = box_open(f);
	struct ask            a = ASK(f, CONT_OPC(CONT_SNAP_CREATE), snap);
	struct crt           *crt = dss_crt(tc_engine(f->tc, 0));
	struct crt_fault_rule lost = {.id = 1, .where = CRT_FAULT_REQUEST, .what = CRT_FAULT_ERROR, .arg = -DER_UNREACH,
				      .opc = CONT_OPC(CONT_TGT_SNAPS), .rank = CRT_FAULT_ANY_RANK,
				      .prob_ppm = 1000000, .fires_max = 1};

	a.in.snap.cont = box.cont;
	a.in.snap.cont_hdl = box.hdl;
	assert_int_equal(crt_fault_set(crt, &lost), 0);
	crt_faults_enable(crt, true);
	assert_int_equal(ask(f, &a), -DER_UNREACH);
	assert_int_equal(snap_nr(box.coh), 0);
	assert_int_equal(ask(f, &a), 0);
	assert_int_equal(snap_nr(box.coh), 1);
	lost.arg = -DER_NOMEM; /* which is for good */
	a.in.head.op_time++;
	a.in.snap.lo++;
	assert_int_equal(crt_fault_set(crt, &lost), 0);
	assert_int_equal(ask(f, &a), -DER_NOMEM);
	assert_int_equal(ask(f, &a), -DER_NOMEM);
	assert_int_equal(snap_nr(box.coh), 1);
	assert_int_equal(daos_cont_close(box.coh, NULL), 0);
}

static void
containers_properties_and_attributes(void **state)
{
	struct fixture  *f = *state;
	struct box       box = box_open(f);
	struct ask       attr = ASK(f, CONT_OPC(CONT_ATTR_DEL), cattr), owner = ASK(f, CONT_OPC(CONT_SET_OWNER), owner);
	struct pool_attr name = {.name = "colour"};
	char const *const names[] = {"colour"};
	void const *const values[] = {"red"};
	size_t            sizes[] = {3};
	daos_cont_info_t  before, after;

	attr.in.cattr.cont = box.cont;
	attr.in.cattr.cont_hdl = box.hdl;
	attr.in.cattr.attrs = (struct pool_attrs){.nr = 1, .v = &name};
	assert_int_equal(ask(f, &attr), 0);
	assert_int_equal(daos_cont_set_attr(box.coh, 1, names, values, sizes, NULL), 0);
	assert_int_equal(ask(f, &attr), 0);
	assert_int_equal(daos_cont_get_attr(box.coh, 1, names, NULL, sizes, NULL), 0);
	assert_int_equal(sizes[0], 3);

	uuid_clear(owner.in.head.hdl.b);
	owner.in.owner.label = "box";
	owner.in.owner.user = "somebody@";
	assert_int_equal(ask(f, &owner), 0);
	assert_int_equal(daos_cont_query(box.coh, &before, NULL, NULL), 0);
	assert_int_equal(ask(f, &owner), 0);
	assert_int_equal(daos_cont_query(box.coh, &after, NULL, NULL), 0);
	assert_int_equal(before.ci_md_mtime, after.ci_md_mtime);
	assert_int_equal(daos_cont_close(box.coh, NULL), 0);
}

/* ---- a client whose answers are lost ---- */

static void
client_keeps_the_name(void **state)
{
	struct fixture       *f = *state;
	struct crt           *crt = dss_crt(tc_engine(f->tc, 0));
	struct crt_fault_rule lost = {.id = 1, .where = CRT_FAULT_REPLY, .what = CRT_FAULT_ERROR, .arg = -DER_TIMEDOUT,
				      .opc = CONT_OPC(CONT_DESTROY), .rank = CRT_FAULT_ANY_RANK,
				      .prob_ppm = 1000000, .fires_max = 1};
	struct box            box = box_open(f);
	uint64_t              oid, next;

	assert_int_equal(daos_cont_alloc_oids(box.coh, 1, &oid, NULL), 0);
	crt_faults_enable(crt, true);
	lost.opc = CONT_OPC(CONT_ALLOC_OIDS);
	assert_int_equal(crt_fault_set(crt, &lost), 0);
	assert_int_equal(daos_cont_alloc_oids(box.coh, 1, &next, NULL), 0);
	assert_int_equal(crt_fault_fires(crt, 1), 1);
	assert_int_equal(next, oid + 1);
	assert_int_equal(daos_cont_close(box.coh, NULL), 0);
	lost.opc = CONT_OPC(CONT_DESTROY);
	assert_int_equal(crt_fault_set(crt, &lost), 0);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), 0);
	assert_int_equal(crt_fault_fires(crt, 1), 1);
	assert_int_equal(daos_cont_destroy(f->poh, "box", 0, NULL), -DER_NONEXIST);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(copy_changes_nothing),
	    CASE(copy_is_known_after_a_restart),
	    CASE(failure_stays_one),
	    CASE(name_is_one_operations),
	    CASE(time_far_ahead_is_refused),
	    CASE(switched_off_and_on),
	    CASE(connect_comes_after_its_disconnect),
	    CASE(evict_spares_who_came_later),
	    CASE(destroy_prep_spares_who_came_later),
	    CASE(acl_entry_is_deleted_once),
	    CASE(destroy_takes_no_namesake),
	    CASE(destroy_that_failed_stays_failed),
	    CASE(destroy_goes_on_where_it_was),
	    CASE(open_comes_after_its_close),
	    CASE(oids_are_given_once),
	    CASE(snapshots_come_and_go_once),
	    CASE(snapshot_is_taken_back),
	    CASE(containers_properties_and_attributes),
	    CASE(client_keeps_the_name),
	};

	return cmocka_run_group_tests_name("requests that come again", tests, NULL, NULL);
}
