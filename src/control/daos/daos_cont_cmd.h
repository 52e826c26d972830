/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The container commands, by file. */
#pragma once

#include <daos_security.h>

#include "control/daos/daos_cli.h"

/** Print what the open container, or s->cont, is; @created: as the answer to create. Returns an exit code. */
int cont_print_info(struct cli *cli, bool created);
/** "rf:1,label:x" into a list, taken by the caller. Prints errors; returns an exit code. */
int cont_props_parse(struct cli *cli, const char *text, daos_prop_t **ret_props);
/** Entries of a file, one a line, '#' comments. Taken, daos_acl_free(). Errors: NONEXIST | INVAL | NOMEM. */
int cont_acl_from_file(const char *path, struct daos_acl **ret_acl);
/** Positive errno of the POSIX layers as -DER_*. */
int daos_errno_to_der(int err);

int cont_run_get_prop(struct cli *cli);
int cont_run_set_prop(struct cli *cli);
int cont_run_get_acl(struct cli *cli);
int cont_run_overwrite_acl(struct cli *cli);
int cont_run_set_owner(struct cli *cli);
