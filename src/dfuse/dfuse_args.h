/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The command line of dfuse; pure. */
#pragma once

#include <limits.h>
#include <daos_prop.h>
#include "base/util.h"

struct dfuse_args {
	char        mountpoint[PATH_MAX];
	char        pool[DAOS_PROP_MAX_LABEL_BUF_LEN]; /**< "": not said */
	char        cont[DAOS_PROP_MAX_LABEL_BUF_LEN];
	char        path[PATH_MAX]; /**< that names pool and container; "": none */
	char        sys[DAOS_SYS_NAME_MAX + 1]; /**< "": the default */
	char        fuse_opts[512]; /**< what of -o goes to the kernel's mount: ",noexec,..." */
	unsigned    thread_nr;      /**< 0: as many as there are cores */
	bool        foreground, caching, wb_cache, multi_user, read_only, allow_other;
	bool        show_help, show_version;
};

/**
 * Parse.
 * @param err  [err_bytes] what is wrong, if something is
 * Returns 0 or EINVAL.
 */
int dfuse_args_parse(int argc, char **argv, struct dfuse_args *ret_args, char *err, size_t err_bytes) MUST_CHECK;
/** Print the usage. */
void dfuse_args_usage(const char *program);
