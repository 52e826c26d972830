/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/common/cli_text.h"
#include "control/daos/daos_attr_cmd.h"

#define ATTR_NR_MAX 64

/** Names, and values where there are some; strings point into @copy. */
struct attr_list {
	char       *copy;
	int         nr;
	const char *names[ATTR_NR_MAX];
	const char *values[ATTR_NR_MAX];
};

static int
split(struct attr_list *l, const char *text, bool with_values)
{
	char *p, *save = NULL;

	l->copy = strdup(text);
	if (l->copy == NULL)
		return -DER_NOMEM;
	for (p = strtok_r(l->copy, ",", &save); p != NULL; p = strtok_r(NULL, ",", &save)) {
		char *colon = with_values ? strchr(p, ':') : NULL;

		if (l->nr == ATTR_NR_MAX || (with_values && colon == NULL) || *p == '\0')
			return -DER_INVAL;
		if (colon != NULL)
			*colon = '\0';
		l->names[l->nr] = p;
		l->values[l->nr++] = colon ? colon + 1 : NULL;
	}
	return l->nr > 0 ? 0 : -DER_INVAL;
}

/** All names, one after the other, each ended by NUL; taken, free(). */
static int
list_names(const struct attr_ops *ops, daos_handle_t hdl, char **ret_names, size_t *ret_bytes)
{
	size_t bytes = 0, cap;
	char  *names = NULL;
	int    rc;

	do {
		rc = ops->list(hdl, NULL, &bytes, NULL);
		if (rc != 0)
			break;
		cap = bytes + 256;
		free(names);
		names = calloc(1, cap);
		if (names == NULL)
			return -DER_NOMEM;
		bytes = cap;
		rc = ops->list(hdl, names, &bytes, NULL);
	} while (rc == 0 && bytes > cap);
	if (rc != 0) {
		free(names);
		return rc;
	}
	*ret_names = names;
	*ret_bytes = bytes;
	return 0;
}

static int
get_value(const struct attr_ops *ops, daos_handle_t hdl, const char *name, char **ret_value, size_t *ret_bytes)
{
	const char *const names[] = {name};
	void             *bufs[] = {NULL};
	size_t            sizes[] = {0};
	int               rc = ops->get(hdl, 1, names, bufs, sizes, NULL);

	if (rc != 0)
		return rc;
	bufs[0] = calloc(1, sizes[0] + 1);
	if (bufs[0] == NULL)
		return -DER_NOMEM;
	rc = ops->get(hdl, 1, names, bufs, sizes, NULL);
	if (rc != 0) {
		free(bufs[0]);
		return rc;
	}
	*ret_value = bufs[0];
	*ret_bytes = sizes[0];
	return 0;
}

/** Print names, with their values when wanted. */
static int
show(struct cli *cli, const struct attr_ops *ops, daos_handle_t hdl, const char *const *names, int nr, bool values,
     const char *what, const char *name)
{
	struct text_table *t = values ? text_table_new(2, (const char *[]){"Name", "Value"})
				      : text_table_new(1, (const char *[]){"Name"});
	json_t            *doc = json_array();
	int                i, rc = 0;

	for (i = 0; i < nr && rc == 0; i++) {
		char  *value = NULL;
		size_t bytes = 0;

		if (values)
			rc = get_value(ops, hdl, names[i], &value, &bytes);
		if (rc != 0)
			break;
		text_table_row(t, (const char *[]){names[i], value});
		json_array_append_new(doc, values ? json_pack("{s:s, s:s%}", "name", names[i], "value", value, strnlen(value, bytes))
						  : json_string(names[i]));
		free(value);
	}
	if (rc == 0 && !cli->json) {
		printf("Attributes for %s %s:\n", what, name);
		text_table_print(t, stdout);
	}
	text_table_free(t);
	if (rc != 0) {
		json_decref(doc);
		return daos_cli_error(cli, "attribute", names[i], rc);
	}
	rc = daos_cli_json(cli, doc);
	return rc < 0 ? CLI_OK : rc;
}

static int
show_all(struct cli *cli, const struct attr_ops *ops, daos_handle_t hdl, bool values, const char *what, const char *name)
{
	const char *ptrs[1024];
	char       *names, *p;
	size_t      bytes;
	int         nr = 0, rc = list_names(ops, hdl, &names, &bytes);

	if (rc != 0)
		return daos_cli_error(cli, "attributes of", name, rc);
	for (p = names; p < names + bytes && *p != '\0' && nr < ARRAY_NR(ptrs); p += strlen(p) + 1)
		ptrs[nr++] = p;
	rc = show(cli, ops, hdl, ptrs, nr, values, what, name);
	free(names);
	return rc;
}

static int
change(struct cli *cli, enum attr_verb verb, const struct attr_ops *ops, daos_handle_t hdl, const struct attr_list *l)
{
	size_t sizes[ATTR_NR_MAX];
	int    i, rc;

	for (i = 0; i < l->nr; i++)
		sizes[i] = l->values[i] ? strlen(l->values[i]) : 0;
	rc = verb == ATTR_SET ? ops->set(hdl, l->nr, l->names, (const void *const *)l->values, sizes, NULL)
			      : ops->del(hdl, l->nr, l->names, NULL);
	if (rc != 0)
		return daos_cli_error(cli, "attribute", l->names[0], rc);
	rc = daos_cli_json(cli, json_null());
	return rc < 0 ? CLI_OK : rc;
}

int
attr_run_text(struct cli *cli, enum attr_verb verb, const struct attr_ops *ops, daos_handle_t hdl, const char *what,
	      const char *name, const char *text)
{
	struct attr_list l = {0};
	int              rc;

	if (verb == ATTR_LIST || (verb == ATTR_GET && text == NULL))
		return show_all(cli, ops, hdl, verb == ATTR_GET || cli_has(cli, "verbose"), what, name);
	rc = text == NULL ? -DER_INVAL : split(&l, text, verb == ATTR_SET);
	if (rc != 0)
		rc = cli_fail(cli, CLI_USAGE, rc, "wanted %s, at most %d of them", verb == ATTR_SET ? "key:val[,key:val...]" : "key[,key...]",
			      ATTR_NR_MAX);
	else if (verb == ATTR_GET)
		rc = show(cli, ops, hdl, l.names, l.nr, true, what, name);
	else
		rc = change(cli, verb, ops, hdl, &l);
	free(l.copy);
	return rc;
}

int
attr_run(struct cli *cli, enum attr_verb verb, const struct attr_ops *ops, daos_handle_t hdl, const char *what, const char *name)
{
	struct daos_cli *s = cli->data;
	const char      *text = cli_has(cli, "attr") ? cli_get(cli, "attr") : cli_arg(cli, s->arg_first);
	char             joined[8192];

	if (cli_has(cli, "value")) { /* --attr=NAME --value=TEXT, the older form */
		snprintf(joined, sizeof(joined), "%s:%s", text ? text : "", cli_get(cli, "value"));
		text = joined;
	}
	return attr_run_text(cli, verb, ops, hdl, what, name, text);
}
