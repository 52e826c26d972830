/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Starting and ending the library; what belongs to no service. */
#define D_LOGFAC LOG_FAC_CLIENT
#include "base/hlc.h"
#include "base/log.h"
#include "base/rank_list.h"
#include "client/client_init.h"
#include "client/client_internal.h"
#include "container/cont_client.h"
#include "object/obj_client.h"
#include "pool/pool_client.h"

const struct dc_module *const client_modules[CLIENT_MODULE_NR] = {&dc_pool_module, &dc_cont_module,
								  &dc_obj_module};

static const struct client_attr default_attr = {.modules = client_modules,
						.module_nr = CLIENT_MODULE_NR};

int
daos_init(void)
{
	int rc;

	rc = d_log_init();
	if (rc != 0)
		return rc;
	rc = client_default_init(&default_attr);
	if (rc != 0)
		d_log_fini();
	return rc;
}

int
daos_fini(void)
{
	int rc;

	rc = client_default_fini();
	if (rc == 0)
		d_log_fini();
	return rc;
}

int
daos_reinit(void)
{
	return client_default_reinit(&default_attr);
}

int
daos_mgmt_get_sys_info(const char *sys, struct daos_sys_info **info)
{
	struct client_attr attr = default_attr;
	struct client	  *cl = client_current();
	int		   rc;

	if (info == NULL)
		return -DER_INVAL;
	if (cl != NULL && (sys == NULL || strcmp(sys, client_sys_name(cl)) == 0))
		return client_sys_info(cl, info);
	/* another system than the one attached to: attach for a moment */
	attr.sys_name = sys;
	attr.module_nr = 0;
	rc = client_create(&attr, &cl);
	if (rc != 0)
		return rc;
	rc = client_sys_info(cl, info);
	client_destroy(cl);
	return rc;
}

void
daos_mgmt_put_sys_info(struct daos_sys_info *info)
{
	dc_sys_info_free(info);
}

int
daos_hlc2timespec(uint64_t hlc, struct timespec *ts)
{
	if (ts == NULL)
		return -DER_INVAL;
	hlc_to_timespec(hlc, ts);
	return 0;
}

int
daos_hlc2timestamp(uint64_t hlc, time_t *ts)
{
	struct timespec spec;

	if (ts == NULL)
		return -DER_INVAL;
	hlc_to_timespec(hlc, &spec);
	*ts = spec.tv_sec;
	return 0;
}

d_rank_list_t *
daos_rank_list_parse(const char *str, const char *sep)
{
	d_rank_list_t *list = d_rank_list_alloc(0);
	const char    *pos = str;

	if (list == NULL || str == NULL || sep == NULL || *sep == '\0')
		goto out_free;
	while (*pos != '\0') {
		unsigned long long rank;
		char		  *end;

		if (*pos < '0' || *pos > '9')
			goto out_free;
		rank = strtoull(pos, &end, 10);
		if (rank >= CRT_NO_RANK || d_rank_list_append(list, (d_rank_t)rank) != 0)
			goto out_free;
		if (*end != '\0' && strchr(sep, *end) == NULL)
			goto out_free;
		pos = *end == '\0' ? end : end + 1;
	}
	if (list->rl_nr == 0)
		goto out_free;
	d_rank_list_sort_uniq(list);
	return list;

out_free:
	d_rank_list_free(list);
	return NULL;
}
