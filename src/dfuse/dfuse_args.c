/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "dfuse/dfuse_args.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

enum { OPT_POOL = 256, OPT_CONT, OPT_PATH, OPT_CACHE_ON, OPT_CACHE_OFF, OPT_WB_ON, OPT_WB_OFF };

static const struct option options[] = {
    {"mountpoint", required_argument, NULL, 'm'},
    {"m", required_argument, NULL, 'm'}, /* short for --mountpoint, not for --multi-user */
    {"multi-user", no_argument, NULL, 'M'},
    {"pool", required_argument, NULL, OPT_POOL},
    {"container", required_argument, NULL, OPT_CONT},
    {"path", required_argument, NULL, OPT_PATH},
    {"sys-name", required_argument, NULL, 'G'},
    {"thread-count", required_argument, NULL, 't'},
    {"eq-count", required_argument, NULL, 'e'},
    {"foreground", no_argument, NULL, 'f'},
    {"enable-caching", no_argument, NULL, OPT_CACHE_ON},
    {"disable-caching", no_argument, NULL, OPT_CACHE_OFF},
    {"enable-wb-cache", no_argument, NULL, OPT_WB_ON},
    {"disable-wb-cache", no_argument, NULL, OPT_WB_OFF},
    {"read-only", no_argument, NULL, 'r'},
    {"options", required_argument, NULL, 'o'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int
take(char *buf, size_t bytes, const char *what, const char *value, size_t len, char *err,
     size_t err_bytes)
{
	if (len == 0 || len >= bytes) {
		snprintf(err, err_bytes, "%s %.*s: must have 1 to %zu characters", what, (int)len, value,
			 bytes - 1);
		return EINVAL;
	}
	memcpy(buf, value, len);
	buf[len] = '\0';
	return 0;
}

static int
take_number(unsigned *ret_nr, const char *what, const char *value, char *err, size_t err_bytes)
{
	char         *end;
	unsigned long nr = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end != '\0' || nr == 0 || nr > 1024) {
		snprintf(err, err_bytes, "%s %s: must be a number from 1 to 1024", what, value);
		return EINVAL;
	}
	*ret_nr = (unsigned)nr;
	return 0;
}

/* ---- -o ---- */

/** Options of mount(8) that are for others, or are the defaults. */
static const char *const mount_opts_ignored[] = {
    "rw",   "defaults", "auto",   "noauto", "user",   "nouser", "users", "owner",    "group", "_netdev",
    "nofail", "dev",    "suid",   "exec",   "async",  "atime",  "relatime", "norelatime", "default_permissions",
};
/** Options the kernel's mount takes. */
static const char *const mount_opts_passed[] = {"noexec", "nodev", "nosuid", "sync", "dirsync", "noatime",
						"nodiratime"};

static bool
is_word(const char *opt, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(opt, word, len) == 0;
}

static bool
is_among(const char *opt, size_t len, const char *const *words, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (is_word(opt, len, words[i]))
			return true;
	return false;
}

static bool
has_prefix(const char *opt, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && memcmp(opt, prefix, strlen(prefix)) == 0;
}

static int
mount_opt(struct dfuse_args *a, const char *opt, size_t len, char *err, size_t err_bytes)
{
	const size_t used = strlen(a->fuse_opts);

	if (has_prefix(opt, len, "pool="))
		return take(a->pool, sizeof(a->pool), "pool", opt + 5, len - 5, err, err_bytes);
	if (has_prefix(opt, len, "container="))
		return take(a->cont, sizeof(a->cont), "container", opt + 10, len - 10, err, err_bytes);
	if (has_prefix(opt, len, "cont="))
		return take(a->cont, sizeof(a->cont), "container", opt + 5, len - 5, err, err_bytes);
	if (has_prefix(opt, len, "x-") || has_prefix(opt, len, "comment=") ||
	    is_among(opt, len, mount_opts_ignored, ARRAY_NR(mount_opts_ignored)))
		return 0;
	if (is_word(opt, len, "ro")) {
		a->read_only = true;
	} else if (is_word(opt, len, "multi_user")) {
		a->multi_user = true;
	} else if (is_word(opt, len, "allow_other")) {
		a->allow_other = true;
	} else if (is_among(opt, len, mount_opts_passed, ARRAY_NR(mount_opts_passed))) {
		if (used + len + 2 > sizeof(a->fuse_opts)) {
			snprintf(err, err_bytes, "too many mount options");
			return EINVAL;
		}
		snprintf(a->fuse_opts + used, sizeof(a->fuse_opts) - used, ",%.*s", (int)len, opt);
	} else {
		snprintf(err, err_bytes, "mount option %.*s is not known; see dfuse --help", (int)len, opt);
		return EINVAL;
	}
	return 0;
}

static int
mount_opts(struct dfuse_args *a, const char *opts, char *err, size_t err_bytes)
{
	int rc = 0;

	while (rc == 0 && *opts != '\0') {
		size_t len = strcspn(opts, ",");

		if (len > 0)
			rc = mount_opt(a, opts, len, err, err_bytes);
		opts += len;
		opts += *opts == ',';
	}
	return rc;
}

/* ---- all ---- */

#define TAKE(member, what)                                                                         \
	take(a->member, sizeof(a->member), what, optarg, strlen(optarg), err, err_bytes)

static int
take_option(struct dfuse_args *a, int c, char *err, size_t err_bytes)
{
	unsigned eq_nr;

	switch (c) {
	case 'm':
		return TAKE(mountpoint, "mount point");
	case OPT_POOL:
		return TAKE(pool, "pool");
	case OPT_CONT:
		return TAKE(cont, "container");
	case OPT_PATH:
		return TAKE(path, "path");
	case 'G':
		return TAKE(sys, "system name");
	case 't':
		return take_number(&a->thread_nr, "--thread-count", optarg, err, err_bytes);
	case 'e': /* threads wait for their own requests: there is no queue to multiply */
		return take_number(&eq_nr, "--eq-count", optarg, err, err_bytes);
	case 'o':
		return mount_opts(a, optarg, err, err_bytes);
	case 'f':
		a->foreground = true;
		return 0;
	case 'M':
		a->multi_user = true;
		return 0;
	case 'r':
		a->read_only = true;
		return 0;
	case OPT_CACHE_ON:
		a->caching = a->wb_cache = true;
		return 0;
	case OPT_CACHE_OFF:
		a->caching = a->wb_cache = false;
		return 0;
	case OPT_WB_ON:
		a->wb_cache = true;
		return 0;
	case OPT_WB_OFF:
		a->wb_cache = false;
		return 0;
	case 'v':
		a->show_version = true;
		return 0;
	case 'h':
		a->show_help = true;
		return 0;
	}
	return EINVAL;
}

static int
take_positional(struct dfuse_args *a, unsigned pos, const char *value, char *err, size_t err_bytes)
{
	switch (pos) {
	case 0:
		return take(a->mountpoint, sizeof(a->mountpoint), "mount point", value, strlen(value), err,
			    err_bytes);
	case 1:
		return take(a->pool, sizeof(a->pool), "pool", value, strlen(value), err, err_bytes);
	case 2:
		return take(a->cont, sizeof(a->cont), "container", value, strlen(value), err, err_bytes);
	}
	snprintf(err, err_bytes, "%s: too many arguments", value);
	return EINVAL;
}

static int
check(struct dfuse_args *a, char *err, size_t err_bytes)
{
	if (a->show_help || a->show_version)
		return 0;
	if (a->mountpoint[0] == '\0')
		snprintf(err, err_bytes, "which mount point? give a directory");
	else if (a->cont[0] != '\0' && a->pool[0] == '\0')
		snprintf(err, err_bytes, "container %s: in which pool?", a->cont);
	else if (a->path[0] != '\0' && a->pool[0] != '\0')
		snprintf(err, err_bytes, "--path and a pool: only one can say what to mount");
	else
		return 0;
	return EINVAL;
}

int
dfuse_args_parse(int argc, char **argv, struct dfuse_args *ret_args, char *err, size_t err_bytes)
{
	struct dfuse_args a  = {.caching = true, .wb_cache = true};
	int               rc = 0, c;

	optind = 0; /* from the start, whoever parsed before */
	opterr = 0;
	while (rc == 0 && (c = getopt_long(argc, argv, "Mm:G:t:e:o:frvh", options, NULL)) != -1) {
		if (c == '?') {
			snprintf(err, err_bytes, "%s: unknown option, or its argument is missing",
				 argv[optind - 1]);
			return EINVAL;
		}
		rc = take_option(&a, c, err, err_bytes);
	}
	for (unsigned pos = 0; rc == 0 && optind < argc; pos++)
		rc = take_positional(&a, pos, argv[optind++], err, err_bytes);
	if (rc == 0)
		rc = check(&a, err, err_bytes);
	if (rc == 0) {
		a.wb_cache &= a.caching;
		*ret_args = a;
	}
	return rc;
}

void
dfuse_args_usage(const char *program)
{
	printf("usage: %s [options] <mountpoint> [<pool> <container>]\n"
	       "\n"
	       "Mount a container with a file system. What to mount is said by names, by --path, by\n"
	       "-o pool=...,container=..., or by a mount point that is linked to a container. With a pool\n"
	       "alone, its containers appear as directories; without, pools do: both are not listed.\n"
	       "\n"
	       "  -m, --mountpoint=DIR       where to mount\n"
	       "      --pool=NAME            label or UUID\n"
	       "      --container=NAME       label or UUID (--cont for short)\n"
	       "      --path=PATH            a path that is linked to the container\n"
	       "  -G, --sys-name=NAME        the DAOS system\n"
	       "  -f, --foreground           do not go into the background\n"
	       "  -M, --multi-user           others may use the mount\n"
	       "  -r, --read-only            nothing can be changed\n"
	       "      --enable-caching       cache attributes, names and data (default)\n"
	       "      --disable-caching      cache nothing\n"
	       "      --enable-wb-cache      write back from the page cache (default)\n"
	       "      --disable-wb-cache     write through\n"
	       "  -t, --thread-count=N       requests served at the same time (default: two a core)\n"
	       "  -e, --eq-count=N           taken for compatibility; threads wait for their own requests\n"
	       "  -o, --options=LIST         as of mount(8): pool=P, container=C, ro, multi_user, ...\n"
	       "  -v, --version\n"
	       "  -h, --help\n", program);
}
