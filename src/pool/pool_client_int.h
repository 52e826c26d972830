/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the client halves of pool and container share. */
#pragma once

#include "pool/pool_client.h"
#include "pool/pool_rpc.h"

/** dc_svc_call.result of every request to a pool's service: @arg is not looked at. */
int dc_pool_rpc_result(crt_rpc_t *rpc, void *arg, struct dc_svc_reply *ret_reply);
/**
 * Hand properties that were received to a caller's list: with entries, those types are filled in; without,
 * all become its entries. Takes the values it keeps out of @got, which the caller frees.
 */
int dc_pool_prop_hand_out(daos_prop_t *prop, daos_prop_t *got) MUST_CHECK;
/** What to ask for to satisfy dc_pool_prop_hand_out(): types of @prop, borrowed array free()d by the caller. */
int dc_pool_prop_types(const daos_prop_t *prop, bool *ret_all, struct crt_u32_array *ret_types) MUST_CHECK;

/** Arguments of an attribute call, as of pools and containers. */
struct dc_attr_args {
	int                n;
	char const *const *names;
	void const *const *in;    /**< set */
	size_t const      *in_sizes;
	void *const       *out;   /**< get */
	size_t            *out_sizes;
	char              *buf;   /**< list */
	size_t            *size;
};
/** Request form; borrows names and values; free(ret_attrs->v). Errors: INVAL | NOMEM. */
int dc_attrs_make(const struct dc_attr_args *args, bool values, struct pool_attrs *ret_attrs) MUST_CHECK;
/** Names, each with its NUL, as far as they fit; the size all take. */
void dc_attrs_list_out(const struct dc_attr_args *args, const struct pool_attrs *attrs);
int  dc_attrs_get_out(const struct dc_attr_args *args, const struct pool_attrs *attrs) MUST_CHECK;
