/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Container calls that are made of property queries and changes: labels, ACL, owners, status. */
#define D_LOGFAC LOG_FAC_CLIENT
#include <daos_security.h>
#include "base/log.h"
#include "client/client_internal.h"
#include "container/cont_client.h"

/** A call that owns a property list: it is freed, or handed over, when the task ends. */
struct prop_call {
	daos_prop_t  *prop;
	daos_prop_t **ret_prop; /* NULL, or who gets it on success */
};

static int
prop_call_ended(tse_task_t *task, void *arg)
{
	struct prop_call *call = arg;

	if (call->ret_prop != NULL && task->dt_result == 0)
		*call->ret_prop = call->prop;
	else
		daos_prop_free(call->prop);
	return 0;
}

/** Takes the property list, also when it fails. */
static int
prop_call_start(tse_task_func_t func, const void *args, size_t args_bytes, struct prop_call call,
		daos_event_t *ev)
{
	tse_task_t *task;
	int	    rc;

	rc = dc_task_create(func, NULL, ev, &task);
	if (rc != 0)
		goto out_free;
	rc = tse_task_register_comp_cb(task, prop_call_ended, &call, sizeof(call));
	if (rc != 0) {
		dc_task_free(task);
		goto out_free;
	}
	memcpy(dc_task_get_args(task), args, args_bytes);
	return dc_task_schedule(task, true);

out_free:
	daos_prop_free(call.prop);
	return rc;
}

static int
set_prop_owned(daos_handle_t coh, daos_prop_t *prop, daos_event_t *ev)
{
	daos_cont_set_prop_t args = {.coh = coh, .prop = prop};
	struct prop_call     call = {.prop = prop};

	return prop_call_start(dc_cont_set_prop, &args, sizeof(args), call, ev);
}

int
daos_cont_create_with_label(daos_handle_t poh, const char *label, daos_prop_t *cont_prop,
			    uuid_t *uuid, daos_event_t *ev)
{
	struct prop_call   call = {0};
	daos_cont_create_t args = {.poh = poh, .cuuid = uuid};
	daos_prop_t	  *named;
	int		   rc;

	if (!daos_label_is_valid(label))
		return -DER_INVAL;
	named = daos_prop_alloc(1);
	if (named == NULL)
		return -DER_NOMEM;
	named->dpp_entries[0].dpe_type = DAOS_PROP_CO_LABEL;
	rc = daos_prop_entry_set_str(&named->dpp_entries[0], label, strlen(label));
	if (rc == 0 && cont_prop != NULL) {
		rc = daos_prop_merge2(cont_prop, named, &call.prop);
		daos_prop_free(named);
	} else {
		call.prop = named;
	}
	if (rc != 0) {
		daos_prop_free(call.prop);
		return rc;
	}
	args.prop = call.prop;
	return prop_call_start(dc_cont_create, &args, sizeof(args), call, ev);
}

int
daos_cont_get_acl(daos_handle_t coh, daos_prop_t **acl_prop, daos_event_t *ev)
{
	struct prop_call  call = {.ret_prop = acl_prop};
	daos_cont_query_t args = {.coh = coh};

	if (acl_prop == NULL)
		return -DER_INVAL;
	call.prop = daos_prop_alloc(3);
	if (call.prop == NULL)
		return -DER_NOMEM;
	call.prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_ACL;
	call.prop->dpp_entries[1].dpe_type = DAOS_PROP_CO_OWNER;
	call.prop->dpp_entries[2].dpe_type = DAOS_PROP_CO_OWNER_GROUP;
	args.prop = call.prop;
	return prop_call_start(dc_cont_query, &args, sizeof(args), call, ev);
}

int
daos_cont_overwrite_acl(daos_handle_t coh, struct daos_acl *acl, daos_event_t *ev)
{
	daos_prop_t *prop;

	if (acl == NULL || daos_acl_validate(acl) != 0)
		return -DER_INVAL;
	prop = daos_prop_alloc(1);
	if (prop == NULL)
		return -DER_NOMEM;
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_ACL;
	prop->dpp_entries[0].dpe_val_ptr = daos_acl_dup(acl);
	if (prop->dpp_entries[0].dpe_val_ptr == NULL) {
		daos_prop_free(prop);
		return -DER_NOMEM;
	}
	return set_prop_owned(coh, prop, ev);
}

int
daos_cont_status_clear(daos_handle_t coh, daos_event_t *ev)
{
	daos_prop_t *prop = daos_prop_alloc(1);

	if (prop == NULL)
		return -DER_NOMEM;
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_STATUS;
	prop->dpp_entries[0].dpe_val =
	    DAOS_PROP_CO_STATUS_VAL(DAOS_PROP_CO_HEALTHY, DAOS_PROP_CO_CLEAR, 0);
	return set_prop_owned(coh, prop, ev);
}

static int
owner_entry_add(daos_prop_t *prop, uint32_t type, const char *name)
{
	struct daos_prop_entry *entry = &prop->dpp_entries[prop->dpp_nr];

	if (name == NULL)
		return 0;
	if (!daos_acl_principal_is_valid(name))
		return -DER_INVAL;
	entry->dpe_type = type;
	prop->dpp_nr++;
	return daos_prop_entry_set_str(entry, name, strlen(name));
}

int
daos_cont_set_owner_no_check(daos_handle_t coh, d_string_t user, d_string_t group, daos_event_t *ev)
{
	daos_prop_t *prop;
	int	     rc;

	if (user == NULL && group == NULL)
		return -DER_INVAL;
	prop = daos_prop_alloc(2);
	if (prop == NULL)
		return -DER_NOMEM;
	prop->dpp_nr = 0;
	rc = owner_entry_add(prop, DAOS_PROP_CO_OWNER, user);
	if (rc == 0)
		rc = owner_entry_add(prop, DAOS_PROP_CO_OWNER_GROUP, group);
	if (rc != 0) {
		daos_prop_free(prop);
		return rc;
	}
	return set_prop_owned(coh, prop, ev);
}

int
daos_cont_set_owner(daos_handle_t coh, d_string_t user, d_string_t group, daos_event_t *ev)
{
	uid_t uid;
	gid_t gid;
	int   rc = 0;

	if (user != NULL)
		rc = daos_acl_principal_to_uid(user, &uid);
	if (rc == 0 && group != NULL)
		rc = daos_acl_principal_to_gid(group, &gid);
	return rc != 0 ? rc : daos_cont_set_owner_no_check(coh, user, group, ev);
}
