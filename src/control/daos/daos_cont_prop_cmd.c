/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos container: properties, access control lists, owner. */
#include <stdlib.h>
#include <string.h>

#include "base/errno_map.h"
#include "base/prop_table.h"
#include "base/util.h"
#include "control/common/pool_print.h"
#include "control/daos/daos_cont_cmd.h"

int
daos_errno_to_der(int err)
{
	return err == 0 ? 0 : daos_errno2der(err);
}

/* ---- properties ---- */

static int
parse_one(struct cli *cli, const char *text, struct daos_prop_entry *entry)
{
	char                    name[64], values[512];
	const char             *colon = strchr(text, ':');
	const struct prop_desc *desc;

	if (colon == NULL || colon - text >= (int)sizeof(name))
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "'%s' is no property: wanted name:value", text);
	snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
	desc = prop_desc_by_name(PROP_CONT, name);
	if (desc == NULL)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "%s: no such property; `daos cont get-prop` lists them", name);
	entry->dpe_type = desc->type;
	if (prop_entry_from_text(desc, colon + 1, entry) != 0) {
		prop_desc_values(desc, values, sizeof(values));
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "%s: '%s' is not valid; wanted %s", name, colon + 1, values);
	}
	return CLI_OK;
}

int
cont_props_parse(struct cli *cli, const char *text, daos_prop_t **ret_props)
{
	daos_prop_t *props = daos_prop_alloc(DAOS_PROP_ENTRIES_MAX_NR);
	char        *copy = strdup(text), *p, *save = NULL;
	int          rc = CLI_OK;

	if (props == NULL || copy == NULL) {
		daos_prop_free(props);
		free(copy);
		return cli_fail(cli, CLI_FAILED, -DER_NOMEM, "out of memory");
	}
	props->dpp_nr = 0;
	for (p = strtok_r(copy, ",", &save); p != NULL && rc == CLI_OK; p = strtok_r(NULL, ",", &save)) {
		if (props->dpp_nr == DAOS_PROP_ENTRIES_MAX_NR)
			rc = cli_fail(cli, CLI_USAGE, -DER_INVAL, "too many properties");
		else
			rc = parse_one(cli, p, &props->dpp_entries[props->dpp_nr]);
		props->dpp_nr += rc == CLI_OK;
	}
	free(copy);
	if (rc == CLI_OK && props->dpp_nr == 0)
		rc = cli_fail(cli, CLI_USAGE, -DER_INVAL, "no properties given");
	if (rc != CLI_OK) {
		daos_prop_free(props);
		return rc;
	}
	*ret_props = props;
	return CLI_OK;
}

/** The list's entries of one kind as text: "A::OWNER@:rwdtTaAo, A:G:GROUP@:rwtT". */
static void
acl_text(struct daos_acl *acl, char *buf, size_t bytes)
{
	char **strs = NULL;
	size_t nr = 0, i, len = 0;

	buf[0] = '\0';
	if (acl == NULL || daos_acl_to_strs(acl, &strs, &nr) != 0)
		return;
	for (i = 0; i < nr; i++) {
		len += snprintf(buf + MIN_OF(len, bytes), bytes - MIN_OF(len, bytes), "%s%s", i ? ", " : "", strs[i]);
		free(strs[i]);
	}
	free(strs);
}

static void
add_prop(json_t *doc, const struct prop_desc *desc, const struct daos_prop_entry *entry)
{
	char text[4096] = "";

	if (desc->kind == PROP_KIND_ACL)
		acl_text(entry->dpe_val_ptr, text, sizeof(text));
	else if (desc->kind == PROP_KIND_ROOTS || prop_entry_to_text(desc, entry, text, sizeof(text)) < 0)
		return;
	json_array_append_new(doc, json_pack("{s:s, s:s, s:s}", "value", text, "name", desc->name, "description", desc->title));
}

static int
cmp_props(const void *a, const void *b)
{
	return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "name")),
		      json_string_value(json_object_get(*(json_t *const *)b, "name")));
}

/** By name, as people look them up; the long ACL last. */
static json_t *
sorted(json_t *doc)
{
	size_t   nr = json_array_size(doc), i;
	json_t **items = calloc(nr + 1, sizeof(*items)), *out = json_array();

	for (i = 0; items != NULL && i < nr; i++)
		items[i] = json_array_get(doc, i);
	if (items != NULL)
		qsort(items, nr, sizeof(*items), cmp_props);
	for (i = 0; items != NULL && i < nr; i++)
		if (strcmp(json_string_value(json_object_get(items[i], "name")), "acl") != 0)
			json_array_append(out, items[i]);
	for (i = 0; items != NULL && i < nr; i++)
		if (strcmp(json_string_value(json_object_get(items[i], "name")), "acl") == 0)
			json_array_append(out, items[i]);
	free(items);
	json_decref(doc);
	return out;
}

/** Which properties: those named, or all. */
static int
wanted(struct cli *cli, const char *names, daos_prop_t **ret_props)
{
	uint32_t                nr, i;
	const struct prop_desc *table = prop_table(PROP_CONT, &nr);
	daos_prop_t            *props = daos_prop_alloc(nr);
	char                   *copy = names ? strdup(names) : NULL, *p, *save = NULL;
	int                     rc = CLI_OK;

	if (props == NULL)
		return cli_fail(cli, CLI_FAILED, -DER_NOMEM, "out of memory");
	props->dpp_nr = 0;
	for (i = 0; names == NULL && i < nr; i++)
		props->dpp_entries[props->dpp_nr++].dpe_type = table[i].type;
	for (p = copy ? strtok_r(copy, ",", &save) : NULL; p != NULL && rc == CLI_OK; p = strtok_r(NULL, ",", &save)) {
		const struct prop_desc *desc = prop_desc_by_name(PROP_CONT, p);

		if (desc == NULL || props->dpp_nr == nr)
			rc = cli_fail(cli, CLI_USAGE, -DER_INVAL, "%s: no such property", p);
		else
			props->dpp_entries[props->dpp_nr++].dpe_type = desc->type;
	}
	free(copy);
	if (rc != CLI_OK)
		daos_prop_free(props);
	else
		*ret_props = props;
	return rc;
}

static const char *
prop_arg(struct cli *cli)
{
	struct daos_cli *s = cli->data;

	if (cli_has(cli, "properties"))
		return cli_get(cli, "properties");
	return cli_has(cli, "prop") ? cli_get(cli, "prop") : cli_arg(cli, s->arg_first);
}

static int
get_prop(struct cli *cli)
{
	struct daos_cli *s = cli->data;
	daos_prop_t     *props = NULL;
	json_t          *doc;
	char             title[256];
	uint32_t         i;
	int              rc = wanted(cli, prop_arg(cli), &props);

	if (rc != CLI_OK)
		return rc;
	rc = daos_cont_query(s->coh, NULL, props, NULL);
	if (rc != 0) {
		daos_prop_free(props);
		return daos_cli_error(cli, "properties of container", s->cont, rc);
	}
	doc = json_array();
	for (i = 0; i < props->dpp_nr; i++) {
		const struct prop_desc *desc = prop_desc_by_type(props->dpp_entries[i].dpe_type);

		if (desc != NULL)
			add_prop(doc, desc, &props->dpp_entries[i]);
	}
	daos_prop_free(props);
	doc = sorted(doc);
	snprintf(title, sizeof(title), "Properties for container %s", s->cont);
	if (!cli->json)
		props_print(title, doc, stdout);
	rc = daos_cli_json(cli, doc);
	return rc < 0 ? CLI_OK : rc;
}

int
cont_run_get_prop(struct cli *cli)
{
	int rc = daos_cli_open(cli, WANT_POOL | WANT_CONT, DAOS_PC_RO, DAOS_COO_RO | DAOS_COO_RO_MDSTATS);

	if (rc == CLI_OK)
		rc = get_prop(cli);
	daos_cli_close(cli);
	return rc;
}

static int
set_prop(struct cli *cli)
{
	struct daos_cli *s = cli->data;
	daos_prop_t     *props = NULL;
	int              rc, err;

	if (prop_arg(cli) == NULL)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "which properties? give name:value[,name:value...]");
	rc = cont_props_parse(cli, prop_arg(cli), &props);
	if (rc != CLI_OK)
		return rc;
	err = daos_cont_set_prop(s->coh, props, NULL);
	daos_prop_free(props);
	if (err != 0)
		return daos_cli_error(cli, "properties of container", s->cont, err);
	if (!cli->json)
		printf("Properties were successfully set\n");
	return cli->json && cli_json_out(cli, NULL, NULL, 0) != 0 ? CLI_FAILED : CLI_OK;
}

int
cont_run_set_prop(struct cli *cli)
{
	int rc = daos_cli_open(cli, WANT_POOL | WANT_CONT, DAOS_PC_RW, DAOS_COO_RW);

	if (rc == CLI_OK)
		rc = set_prop(cli);
	daos_cli_close(cli);
	return rc;
}

/* ---- ACL and owner ---- */

int
cont_acl_from_file(const char *path, struct daos_acl **ret_acl)
{
	const char *entries[1024];
	char        line[1024];
	size_t      nr = 0;
	FILE       *f = fopen(path, "r");
	int         rc;

	if (f == NULL)
		return -DER_NONEXIST;
	while (nr < ARRAY_NR(entries) && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0' && line[0] != '#')
			entries[nr++] = strdup(line);
	}
	fclose(f);
	rc = daos_acl_from_strs(entries, nr, ret_acl);
	while (nr > 0)
		free((void *)entries[--nr]);
	return rc;
}

static int
print_acl(struct cli *cli, daos_prop_t *prop)
{
	struct daos_prop_entry *acl = daos_prop_entry_get(prop, DAOS_PROP_CO_ACL);
	struct daos_prop_entry *user = daos_prop_entry_get(prop, DAOS_PROP_CO_OWNER);
	struct daos_prop_entry *group = daos_prop_entry_get(prop, DAOS_PROP_CO_OWNER_GROUP);
	FILE                   *f = stdout;

	if (cli->json) {
		char  **strs = NULL;
		size_t  nr = 0, i;
		json_t *list = json_array();

		if (acl != NULL && acl->dpe_val_ptr != NULL && daos_acl_to_strs(acl->dpe_val_ptr, &strs, &nr) != 0)
			nr = 0;
		for (i = 0; i < nr; i++) {
			json_array_append_new(list, json_string(strs[i]));
			free(strs[i]);
		}
		free(strs);
		cli_json_out(cli, json_pack("{s:o, s:s, s:s}", "entries", list, "owner_user", user ? user->dpe_str : "",
					    "owner_group", group ? group->dpe_str : ""), NULL, 0);
		return CLI_OK;
	}
	if (cli_has(cli, "outfile")) {
		f = fopen(cli_get(cli, "outfile"), cli_has(cli, "force") ? "w" : "wx");
		if (f == NULL)
			return cli_fail(cli, CLI_FAILED, -DER_EXIST, "%s: %m (--force overwrites)", cli_get(cli, "outfile"));
	}
	fprintf(f, "# Owner: %s\n# Owner Group: %s\n# Entries:\n", user ? user->dpe_str : "", group ? group->dpe_str : "");
	if (acl != NULL && acl->dpe_val_ptr != NULL)
		daos_acl_to_stream(f, acl->dpe_val_ptr, cli_has(cli, "verbose"));
	if (f != stdout)
		fclose(f);
	return CLI_OK;
}

int
cont_run_get_acl(struct cli *cli)
{
	struct daos_cli *s = cli->data;
	daos_prop_t     *prop = NULL;
	int              err, rc = daos_cli_open(cli, WANT_POOL | WANT_CONT, DAOS_PC_RO, DAOS_COO_RO | DAOS_COO_RO_MDSTATS);

	if (rc == CLI_OK) {
		err = daos_cont_get_acl(s->coh, &prop, NULL);
		rc = err ? daos_cli_error(cli, "access control list of container", s->cont, err) : print_acl(cli, prop);
		daos_prop_free(prop);
	}
	daos_cli_close(cli);
	return rc;
}

int
cont_run_overwrite_acl(struct cli *cli)
{
	struct daos_cli *s = cli->data;
	struct daos_acl *acl = NULL;
	int              err, rc;

	if (!cli_has(cli, "acl-file"))
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "option --acl-file is required");
	rc = daos_cli_open(cli, WANT_POOL | WANT_CONT, DAOS_PC_RW, DAOS_COO_RW);
	if (rc == CLI_OK) {
		err = cont_acl_from_file(cli_get(cli, "acl-file"), &acl);
		if (err == 0)
			err = daos_cont_overwrite_acl(s->coh, acl, NULL);
		daos_acl_free(acl);
		if (err != 0)
			rc = daos_cli_error(cli, "access control list of container", s->cont, err);
		else if (cli->json)
			cli_json_out(cli, NULL, NULL, 0);
	}
	daos_cli_close(cli);
	return rc;
}

int
cont_run_set_owner(struct cli *cli)
{
	struct daos_cli *s = cli->data;
	char            *user = (char *)cli_get(cli, "user"), *group = (char *)cli_get(cli, "group");
	int              err, rc;

	if (user == NULL && group == NULL)
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "give --user, --group or both");
	rc = daos_cli_open(cli, WANT_POOL | WANT_CONT, DAOS_PC_RW, DAOS_COO_RW);
	if (rc == CLI_OK) {
		err = cli_has(cli, "no-check") ? daos_cont_set_owner_no_check(s->coh, user, group, NULL)
					       : daos_cont_set_owner(s->coh, user, group, NULL);
		if (err != 0)
			rc = daos_cli_error(cli, "owner of container", s->cont, err);
		else if (cli->json)
			cli_json_out(cli, NULL, NULL, 0);
		else
			printf("Successfully set owner for container %s\n", s->cont);
	}
	daos_cli_close(cli);
	return rc;
}
