/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos container: create, list, query, destroy, attributes. Properties and ACLs are in daos_cont_prop_cmd.c. */
#include <daos_fs.h>
#include <daos_uns.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/prop_table.h"
#include "base/util.h"
#include "control/common/cli_text.h"
#include "control/daos/daos_attr_cmd.h"
#include "control/daos/daos_cli.h"
#include "control/daos/daos_cont_cmd.h"

/* ---- create ---- */

struct create_args {
	dfs_attr_t   attr;
	daos_prop_t *props;
	uint64_t     layout; /**< DAOS_PROP_CO_LAYOUT_* */
	const char  *label;
};

static int
parse_oclass(struct cli *cli, const char *opt, daos_oclass_id_t *ret_cid)
{
	const char *name = cli_get(cli, opt);

	if (name == NULL)
		return CLI_OK;
	*ret_cid = daos_oclass_name2id(name);
	if (*ret_cid == OC_UNKNOWN)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--%s=%s: no such object class; for example S1, S2, SX", opt, name);
	return CLI_OK;
}

static int
parse_layout(struct cli *cli, uint64_t *ret_layout)
{
	const char             *type = cli_get(cli, "type");
	const struct prop_word *w;

	if (type == NULL)
		return CLI_OK;
	for (w = prop_layout_words; w->word != NULL; w++)
		if (strcasecmp(w->word, type) == 0) {
			*ret_layout = w->value;
			return CLI_OK;
		}
	return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--type=%s: no such container type; for example POSIX", type);
}

static int
parse_mode(struct cli *cli, dfs_attr_t *attr)
{
	const char *mode = cli_get(cli, "mode");

	if (mode == NULL)
		return CLI_OK;
	if (strcasecmp(mode, "relaxed") == 0)
		attr->da_mode = DFS_RELAXED;
	else if (strcasecmp(mode, "balanced") == 0)
		attr->da_mode = DFS_BALANCED;
	else
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--mode=%s: wanted relaxed or balanced", mode);
	return CLI_OK;
}

static int
add_acl_file(struct cli *cli, const char *path, struct daos_prop_entry *entry)
{
	struct daos_acl *acl;
	int              rc = cont_acl_from_file(path, &acl);

	if (rc != 0)
		return cli_fail(cli, CLI_USAGE, rc, "ACL file %s: %s", path, rc == -DER_NONEXIST ? "cannot be read" : d_errdesc(rc));
	entry->dpe_type = DAOS_PROP_CO_ACL;
	entry->dpe_val_ptr = acl;
	return CLI_OK;
}

/** Properties of --properties, and those that options of their own set. */
static int
build_props(struct cli *cli, struct create_args *a)
{
	const char             *group = cli_get(cli, "group");
	daos_prop_t            *given = NULL, *all;
	struct daos_prop_entry *e;
	int                     rc = CLI_OK;

	if (cli_has(cli, "properties"))
		rc = cont_props_parse(cli, cli_get(cli, "properties"), &given);
	if (rc != CLI_OK)
		return rc;
	all = daos_prop_alloc((given ? given->dpp_nr : 0) + 4);
	if (all == NULL)
		return cli_fail(cli, CLI_FAILED, -DER_NOMEM, "out of memory");
	all->dpp_nr = 0;
	e = all->dpp_entries;
	if (given != NULL) {
		for (; all->dpp_nr < given->dpp_nr; all->dpp_nr++, e++)
			*e = given->dpp_entries[all->dpp_nr];
		given->dpp_nr = 0; /* their values moved */
		daos_prop_free(given);
	}
	a->props = all;
	if (a->label != NULL) {
		e->dpe_type = DAOS_PROP_CO_LABEL;
		rc = daos_prop_entry_set_str(e++, a->label, strlen(a->label));
		all->dpp_nr++;
	}
	if (rc == 0 && group != NULL) {
		e->dpe_type = DAOS_PROP_CO_OWNER_GROUP;
		rc = daos_prop_entry_set_str(e++, group, strlen(group));
		all->dpp_nr++;
	}
	if (a->layout != DAOS_PROP_CO_LAYOUT_UNKNOWN && a->layout != DAOS_PROP_CO_LAYOUT_POSIX) {
		e->dpe_type = DAOS_PROP_CO_LAYOUT_TYPE;
		e++->dpe_val = a->layout;
		all->dpp_nr++;
	}
	if (rc == 0 && cli_has(cli, "acl-file")) {
		rc = add_acl_file(cli, cli_get(cli, "acl-file"), e);
		all->dpp_nr += rc == CLI_OK;
		return rc;
	}
	return rc == 0 ? CLI_OK : cli_fail(cli, CLI_FAILED, rc, "properties: %s", d_errdesc(rc));
}

static int
parse_create(struct cli *cli, struct create_args *a)
{
	uint64_t bytes = 0;
	int      rc;

	if (a->label != NULL && !text_is_label(a->label))
		return cli_fail(cli, CLI_USAGE, -DER_INVAL,
				"'%s' is no label: 1 to 127 letters, digits and ._:- , and no UUID", a->label);
	rc = parse_layout(cli, &a->layout);
	if (rc == CLI_OK)
		rc = parse_oclass(cli, "oclass", &a->attr.da_oclass_id);
	if (rc == CLI_OK)
		rc = parse_oclass(cli, "dir-oclass", &a->attr.da_dir_oclass_id);
	if (rc == CLI_OK)
		rc = parse_oclass(cli, "file-oclass", &a->attr.da_file_oclass_id);
	if (rc == CLI_OK)
		rc = parse_mode(cli, &a->attr);
	if (rc != CLI_OK)
		return rc;
	if (cli_has(cli, "chunk-size")) {
		if (text_parse_size(cli_get(cli, "chunk-size"), &bytes) != 0 || bytes == 0)
			return cli_fail(cli, CLI_USAGE, -DER_INVAL, "--chunk-size=%s is no size", cli_get(cli, "chunk-size"));
		a->attr.da_chunk_size = bytes;
	}
	if (cli_has(cli, "hints"))
		snprintf(a->attr.da_hints, sizeof(a->attr.da_hints), "%s", cli_get(cli, "hints"));
	return build_props(cli, a);
}

static int
set_create_attrs(struct cli *cli, const char *cont)
{
	static const struct attr_ops ops = {daos_cont_list_attr, daos_cont_get_attr, daos_cont_set_attr, daos_cont_del_attr};
	struct daos_cli             *s = cli->data;
	bool                         json = cli->json;
	int                          rc;

	if (!cli_has(cli, "attrs"))
		return CLI_OK;
	rc = daos_cont_open(s->poh, cont, DAOS_COO_RW, &s->coh, NULL, NULL);
	if (rc != 0)
		return daos_cli_error(cli, "container", cont, rc);
	cli->json = false; /* the one document to print is that of the container */
	rc = attr_run_text(cli, ATTR_SET, &ops, s->coh, "container", cont, cli_get(cli, "attrs"));
	cli->json = json;
	return rc;
}

static int
create_one(struct cli *cli, struct create_args *a, uuid_t uuid)
{
	struct daos_cli *s = cli->data;
	int              rc;

	a->attr.da_props = a->props;
	if (s->new_path != NULL) {
		struct duns_attr_t duns = {0};

		duns.da_type = a->layout;
		duns.da_props = a->props;
		duns.da_chunk_size = a->attr.da_chunk_size;
		duns.da_oclass_id = a->attr.da_oclass_id;
		duns.da_dir_oclass_id = a->attr.da_dir_oclass_id;
		duns.da_file_oclass_id = a->attr.da_file_oclass_id;
		memcpy(duns.da_hints, a->attr.da_hints, sizeof(duns.da_hints));
		rc = duns_create_path(s->poh, s->new_path, &duns);
		uuid_parse(duns.da_cont, uuid);
		return daos_errno_to_der(rc);
	}
	if (a->layout == DAOS_PROP_CO_LAYOUT_POSIX)
		return daos_errno_to_der(dfs_cont_create(s->poh, (uuid_t *)uuid, &a->attr, NULL, NULL));
	return daos_cont_create(s->poh, (uuid_t *)uuid, a->props, NULL);
}

static int
create(struct cli *cli, struct create_args *a)
{
	struct daos_cli *s = cli->data;
	uuid_t           uuid;
	char             text[37];
	int              rc = parse_create(cli, a);

	if (rc != CLI_OK)
		return rc;
	rc = create_one(cli, a, uuid);
	if (rc != 0)
		return daos_cli_error(cli, "create container", a->label ? a->label : "", rc);
	uuid_text(uuid, text);
	rc = set_create_attrs(cli, text);
	if (rc != CLI_OK)
		return rc;
	s->cont = text;
	return cont_print_info(cli, true);
}

/** The pool is the first argument and the label the second, or --pool and then the label is first. */
static int
run_create(struct cli *cli)
{
	struct daos_cli   *s = cli->data;
	struct create_args a = {.layout = DAOS_PROP_CO_LAYOUT_UNKNOWN};
	int                rc;

	rc = daos_cli_open(cli, WANT_POOL | WANT_NEW_PATH, DAOS_PC_RW, 0);
	if (rc == CLI_OK) {
		a.label = cli_has(cli, "label") ? cli_get(cli, "label") : cli_arg(cli, s->arg_first);
		rc = create(cli, &a);
	}
	daos_prop_free(a.props);
	daos_cli_close(cli);
	return rc;
}

/* ---- query ---- */

/** "0x10dd92ddb5880000 (2023-05-30 02:45:59.711932416 +0000 UTC)" */
static void
epoch_text(daos_epoch_t epoch, char *buf, size_t bytes)
{
	struct timespec ts = {0};
	struct tm       tm;
	char            date[32];

	daos_hlc2timespec(epoch, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(buf, bytes, "%#llx (%s.%09ld +0000 UTC)", (unsigned long long)epoch, date, ts.tv_nsec);
}

static const char *
oclass_text(daos_oclass_id_t cid, char buf[16])
{
	if (cid == OC_UNKNOWN || daos_oclass_id2name(cid, buf) != 0)
		return "UNKNOWN";
	return buf;
}

static const char *
layout_text(uint64_t layout)
{
	const struct prop_word *w;

	for (w = prop_layout_words; w->word != NULL; w++)
		if (w->value == layout)
			return w->word;
	return "unknown";
}

struct cont_facts {
	daos_cont_info_t info;
	daos_prop_t     *props;
	uuid_t           pool;
	bool             posix;
	dfs_attr_t       attr;
};

static int
gather(struct cli *cli, struct cont_facts *f)
{
	static const uint32_t types[] = {DAOS_PROP_CO_LABEL, DAOS_PROP_CO_LAYOUT_TYPE, DAOS_PROP_CO_REDUN_FAC, DAOS_PROP_CO_STATUS};
	struct daos_cli      *s = cli->data;
	daos_pool_info_t      pool = {0};
	dfs_t                *dfs;
	unsigned              i;
	int                   rc;

	f->props = daos_prop_alloc(ARRAY_NR(types));
	if (f->props == NULL)
		return -DER_NOMEM;
	for (i = 0; i < ARRAY_NR(types); i++)
		f->props->dpp_entries[i].dpe_type = types[i];
	rc = daos_cont_query(s->coh, &f->info, f->props, NULL);
	if (rc == 0)
		rc = daos_pool_query(s->poh, NULL, &pool, NULL, NULL);
	if (rc != 0)
		return rc;
	uuid_copy(f->pool, pool.pi_uuid);
	f->posix = prop_list_num(f->props, DAOS_PROP_CO_LAYOUT_TYPE, 0) == DAOS_PROP_CO_LAYOUT_POSIX;
	if (f->posix) {
		rc = dfs_mount(s->poh, s->coh, O_RDONLY, &dfs);
		if (rc != 0)
			return daos_errno_to_der(rc);
		rc = daos_errno_to_der(dfs_query(dfs, &f->attr));
		dfs_umount(dfs);
	}
	return rc;
}

static json_t *
facts_json(const struct cont_facts *f)
{
	char           pool[37], cont[37], cls[16];
	const char    *label = prop_list_str(f->props, DAOS_PROP_CO_LABEL);
	struct daos_co_status st = {0};
	json_t        *doc;

	daos_prop_val_2_co_status(prop_list_num(f->props, DAOS_PROP_CO_STATUS, 0), &st);
	doc = json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:i, s:I, s:I, s:s, s:s}", "pool_uuid", uuid_text(f->pool, pool),
			"container_uuid", uuid_text(f->info.ci_uuid, cont), "container_label", label ? label : "", "latest_snapshot",
			(json_int_t)f->info.ci_lsnapshot, "redundancy_factor",
			(int)prop_list_num(f->props, DAOS_PROP_CO_REDUN_FAC, 0), "num_handles", (int)f->info.ci_nhandles,
			"num_snapshots", (int)f->info.ci_nsnapshots, "open_time", (json_int_t)f->info.ci_md_otime,
			"close_modify_time", (json_int_t)f->info.ci_md_mtime, "container_type",
			layout_text(prop_list_num(f->props, DAOS_PROP_CO_LAYOUT_TYPE, 0)), "health",
			st.dcs_status == DAOS_PROP_CO_HEALTHY ? "HEALTHY" : "UNCLEAN");
	if (f->posix) {
		json_object_set_new(doc, "chunk_size", json_integer((json_int_t)f->attr.da_chunk_size));
		json_object_set_new(doc, "object_class", json_string(oclass_text(f->attr.da_oclass_id, cls)));
		json_object_set_new(doc, "dir_object_class", json_string(oclass_text(f->attr.da_dir_oclass_id, cls)));
		json_object_set_new(doc, "file_object_class", json_string(oclass_text(f->attr.da_file_oclass_id, cls)));
		json_object_set_new(doc, "cons_mode", json_integer(f->attr.da_mode));
		json_object_set_new(doc, "hints", json_string(f->attr.da_hints));
	}
	return doc;
}

static void
facts_print(const struct cont_facts *f, bool verbose)
{
	char        a[37], b[80];
	const char *label = prop_list_str(f->props, DAOS_PROP_CO_LABEL);

	printf("  Container UUID              : %s\n", uuid_text(f->info.ci_uuid, a));
	if (label != NULL && label[0] != '\0')
		printf("  Container Label             : %s\n", label);
	printf("  Container Type              : %s\n", layout_text(prop_list_num(f->props, DAOS_PROP_CO_LAYOUT_TYPE, 0)));
	if (!verbose)
		return;
	printf("  Pool UUID                   : %s\n", uuid_text(f->pool, a));
	printf("  Container redundancy factor : %u\n", (unsigned)prop_list_num(f->props, DAOS_PROP_CO_REDUN_FAC, 0));
	printf("  Number of open handles      : %u\n", f->info.ci_nhandles);
	epoch_text(f->info.ci_md_otime, b, sizeof(b));
	printf("  Latest open time            : %s\n", b);
	epoch_text(f->info.ci_md_mtime, b, sizeof(b));
	printf("  Latest close/modify time    : %s\n", b);
	printf("  Number of snapshots         : %u\n", f->info.ci_nsnapshots);
	if (f->info.ci_lsnapshot != 0) {
		epoch_text(f->info.ci_lsnapshot, b, sizeof(b));
		printf("  Latest Persistent Snapshot  : %s\n", b);
	}
	if (!f->posix)
		return;
	printf("  Object Class                : %s\n", oclass_text(f->attr.da_oclass_id, a));
	printf("  Dir Object Class            : %s\n", oclass_text(f->attr.da_dir_oclass_id, a));
	printf("  File Object Class           : %s\n", oclass_text(f->attr.da_file_oclass_id, a));
	if (f->attr.da_hints[0] != '\0')
		printf("  Hints                       : %s\n", f->attr.da_hints);
	printf("  Chunk Size                  : %s\n", text_ibytes(f->attr.da_chunk_size, b, sizeof(b)));
}

int
cont_print_info(struct cli *cli, bool created)
{
	struct daos_cli  *s = cli->data;
	struct cont_facts f = {0};
	int               rc = 0;

	if (!daos_handle_is_valid(s->coh))
		rc = daos_cont_open(s->poh, s->cont, DAOS_COO_RO | DAOS_COO_RO_MDSTATS, &s->coh, NULL, NULL);
	if (rc == 0)
		rc = gather(cli, &f);
	if (rc != 0) {
		daos_prop_free(f.props);
		return daos_cli_error(cli, "container", s->cont, rc);
	}
	if (!cli->json) {
		if (created)
			printf("Successfully created container %s type %s\n", prop_list_str(f.props, DAOS_PROP_CO_LABEL) ?: s->cont,
			       layout_text(prop_list_num(f.props, DAOS_PROP_CO_LAYOUT_TYPE, 0)));
		facts_print(&f, !created || cli_has(cli, "verbose"));
	}
	rc = daos_cli_json(cli, facts_json(&f));
	daos_prop_free(f.props);
	return rc < 0 ? CLI_OK : rc;
}

static int
run_query(struct cli *cli)
{
	int rc = daos_cli_open(cli, WANT_POOL | WANT_CONT, DAOS_PC_RO, DAOS_COO_RO | DAOS_COO_RO_MDSTATS);

	if (rc == CLI_OK)
		rc = cont_print_info(cli, false);
	daos_cli_close(cli);
	return rc;
}

/* ---- destroy, attributes ---- */

/** The path itself stands for a container; it does not just lie in one. */
static int
check_link(const char *path)
{
	struct duns_attr_t attr = {.da_flags = DUNS_NO_REVERSE_LOOKUP};
	int                rc   = duns_resolve_path(path, &attr);

	duns_destroy_attr(&attr);
	return daos_errno_to_der(rc);
}

static int
run_destroy(struct cli *cli)
{
	struct daos_cli *s = cli->data;
	int              rc = daos_cli_open(cli, WANT_POOL | WANT_CONT, DAOS_PC_RW, 0);

	if (rc == CLI_OK && s->path != NULL && check_link(s->path) != 0)
		rc = cli_fail(cli, CLI_FAILED, -DER_INVAL, "path %s lies in container %s but does not stand for one itself; "
			      "to destroy that one name it", s->path, s->cont);
	if (rc == CLI_OK) {
		int err = daos_cont_destroy(s->poh, s->cont, cli_has(cli, "force"), NULL);

		if (err == 0 && s->path != NULL && remove(s->path) != 0) /* in a mount it is shown as an empty directory now */
			err = daos_errno_to_der(errno);
		if (err != 0)
			rc = daos_cli_error(cli, "destroy container", s->cont, err);
		else if (!cli->json)
			printf("Successfully destroyed container %s\n", s->path ? s->path : s->cont);
		if (err == 0 && cli->json)
			cli_json_out(cli, NULL, NULL, 0);
	}
	daos_cli_close(cli);
	return rc;
}

static int
run_attr(struct cli *cli)
{
	static const struct attr_ops ops = {daos_cont_list_attr, daos_cont_get_attr, daos_cont_set_attr, daos_cont_del_attr};
	enum attr_verb               verb = cli->path[cli->depth - 1]->data;
	bool                         write = verb == ATTR_SET || verb == ATTR_DEL;
	struct daos_cli             *s = cli->data;
	int                          rc;

	rc = daos_cli_open(cli, WANT_POOL | WANT_CONT, write ? DAOS_PC_RW : DAOS_PC_RO, write ? DAOS_COO_RW : DAOS_COO_RO);
	if (rc == CLI_OK)
		rc = attr_run(cli, verb, &ops, s->coh, "container", s->cont);
	daos_cli_close(cli);
	return rc;
}

static const struct cli_opt create_opts[] = {
    {"type", 't', CLI_VALUE, "TYPE", "POSIX, HDF5, ... (default: none)"},
    {"chunk-size", 'z', CLI_VALUE, "SIZE", "chunk of files (default 1 MiB)"},
    {"oclass", 'o', CLI_VALUE, "CLASS", "object class, such as SX"},
    {"dir-oclass", 'd', CLI_VALUE, "CLASS", "object class of directories"},
    {"file-oclass", 'f', CLI_VALUE, "CLASS", "object class of files"},
    {"hints", 'H', CLI_VALUE, "HINTS", "file:single|max,dir:single|max"},
    {"properties", 0, CLI_VALUE, "NAME:VALUE,...", "container properties"},
    {"mode", 'M', CLI_VALUE, "MODE", "relaxed or balanced"},
    {"acl-file", 'A', CLI_VALUE, "PATH", "access control list"},
    {"group", 'g', CLI_VALUE, "GROUP@", "owner group"},
    {"attrs", 'a', CLI_VALUE, "KEY:VAL,...", "attributes to set"},
    {"label", 'l', CLI_VALUE, "LABEL", "the label, as older versions took it", .hidden = true},
    POOL_CONT_OPTS,
    {0}};
static const struct cli_opt opts[] = {{"verbose", 'v', CLI_FLAG, NULL, "print more"}, POOL_CONT_OPTS, {0}};
static const struct cli_opt destroy_opts[] = {
    {"force", 'f', CLI_FLAG, NULL, "even if somebody has it open"}, POOL_CONT_OPTS, {0}};
static const struct cli_opt attr_opts[] = {{"attr", 'a', CLI_VALUE, "NAME", "", .hidden = true},
					   {"value", 'v', CLI_VALUE, "TEXT", "", .hidden = true},
					   {"verbose", 'V', CLI_FLAG, NULL, "values too"},
					   POOL_CONT_OPTS,
					   {0}};
static const struct cli_opt prop_opts[] = {
    {"properties", 0, CLI_VALUE, "NAMES", "which", .hidden = true}, {"prop", 0, CLI_VALUE, "NAMES", "", .hidden = true}, POOL_CONT_OPTS, {0}};
static const struct cli_opt get_acl_opts[] = {{"outfile", 'O', CLI_VALUE, "PATH", "write it there"},
					      {"force", 'f', CLI_FLAG, NULL, "overwrite the file"},
					      {"verbose", 'V', CLI_FLAG, NULL, "explain entries"},
					      POOL_CONT_OPTS,
					      {0}};
static const struct cli_opt set_acl_opts[] = {{"acl-file", 'f', CLI_VALUE, "PATH", "entries, one a line"},
					      {"entry", 'e', CLI_VALUE, "ACE", "one entry, such as A::bob@:rw"},
					      {"principal", 'P', CLI_VALUE, "NAME", "u:bob@, g:staff@, OWNER@..."},
					      POOL_CONT_OPTS,
					      {0}};
static const struct cli_opt owner_opts[] = {{"user", 'u', CLI_VALUE, "USER@", "new owner"},
					    {"group", 'g', CLI_VALUE, "GROUP@", "new owner group"},
					    {"no-check", 0, CLI_FLAG, NULL, "do not check that they exist here"},
					    POOL_CONT_OPTS,
					    {0}};

int daos_pool_run_list_cont(struct cli *cli);

#define CONT_ARGS "<pool> <container>"
const struct cli_cmd daos_cont_cmds[] = {
    {"create", NULL, "Create a container", "<pool> [<label>]", 0, 2, create_opts, .run = run_create},
    {"list", "ls", "Containers of a pool", "<pool>", 0, 1, opts, .run = daos_pool_run_list_cont},
    {"destroy", NULL, "Destroy a container and all in it", CONT_ARGS, 0, 2, destroy_opts, .run = run_destroy},
    {"query", NULL, "What a container is", CONT_ARGS, 0, 2, opts, .run = run_query},
    {"get-prop", "getprop", "Print properties", CONT_ARGS " [key[,key...]]", 0, 3, prop_opts, .run = cont_run_get_prop},
    {"set-prop", "setprop", "Set properties", CONT_ARGS " <key:val[,key:val...]>", 0, 3, prop_opts, .run = cont_run_set_prop},
    {"list-attr", "list-attrs,lsattr", "Names of attributes", CONT_ARGS, 0, 2, attr_opts, .run = run_attr, .data = ATTR_LIST},
    {"get-attr", "getattr", "Values of attributes", CONT_ARGS " [key[,key...]]", 0, 3, attr_opts, .run = run_attr, .data = ATTR_GET},
    {"set-attr", "setattr", "Set attributes", CONT_ARGS " <key:val[,key:val...]>", 0, 3, attr_opts, .run = run_attr,
     .data = ATTR_SET},
    {"del-attr", "delattr", "Delete attributes", CONT_ARGS " <key[,key...]>", 0, 3, attr_opts, .run = run_attr, .data = ATTR_DEL},
    {"get-acl", NULL, "Print the access control list", CONT_ARGS, 0, 2, get_acl_opts, .run = cont_run_get_acl},
    {"overwrite-acl", "replace", "Replace the access control list", CONT_ARGS, 0, 2, set_acl_opts, .run = cont_run_overwrite_acl},
    {"set-owner", "chown", "Change the owner", CONT_ARGS, 0, 2, owner_opts, .run = cont_run_set_owner},
    {0}};
