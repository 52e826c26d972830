/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** list-attr, get-attr, set-attr, del-attr: the same for pools and containers. */
#pragma once

#include "control/daos/daos_cli.h"

enum attr_verb { ATTR_LIST, ATTR_GET, ATTR_SET, ATTR_DEL };
struct attr_ops {
	int (*list)(daos_handle_t hdl, char *buf, size_t *size, daos_event_t *ev);
	int (*get)(daos_handle_t hdl, int n, char const *const names[], void *const bufs[], size_t sizes[], daos_event_t *ev);
	int (*set)(daos_handle_t hdl, int n, char const *const names[], void const *const values[], size_t const sizes[],
		   daos_event_t *ev);
	int (*del)(daos_handle_t hdl, int n, char const *const names[], daos_event_t *ev);
};
int attr_run(struct cli *cli, enum attr_verb verb, const struct attr_ops *ops, daos_handle_t hdl, const char *what,
	     const char *name);
/** The same with the text given, instead of the command's argument. */
int attr_run_text(struct cli *cli, enum attr_verb verb, const struct attr_ops *ops, daos_handle_t hdl, const char *what,
		  const char *name, const char *text);
