/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Entries as text: "types:flags:principal:permissions". The letters are in three tables; order in
 * the tables is the order in which they are written.
 */
#include <stdlib.h>
#include "security/sec_ace.h"

struct letter {
	char        letter;
	const char *word;
	uint32_t    bit;
};
static const struct letter type_letters[] = {
	{'A', "Allow", DAOS_ACL_ACCESS_ALLOW}, {'U', "Audit", DAOS_ACL_ACCESS_AUDIT},
	{'L', "Alarm", DAOS_ACL_ACCESS_ALARM}, {0, NULL, 0}};
static const struct letter flag_letters[] = {
	{'G', "Group", DAOS_ACL_FLAG_GROUP}, {'S', "Access-Success", DAOS_ACL_FLAG_ACCESS_SUCCESS},
	{'F', "Access-Failure", DAOS_ACL_FLAG_ACCESS_FAIL}, {'P', "Pool-Inherit", DAOS_ACL_FLAG_POOL_INHERIT},
	{0, NULL, 0}};
static const struct letter perm_letters[] = {
	{'r', "Read", DAOS_ACL_PERM_READ}, {'w', "Write", DAOS_ACL_PERM_WRITE},
	{'c', "Create-Container", DAOS_ACL_PERM_CREATE_CONT}, {'d', "Delete-Container", DAOS_ACL_PERM_DEL_CONT},
	{'t', "Get-Prop", DAOS_ACL_PERM_GET_PROP}, {'T', "Set-Prop", DAOS_ACL_PERM_SET_PROP},
	{'a', "Get-ACL", DAOS_ACL_PERM_GET_ACL}, {'A', "Set-ACL", DAOS_ACL_PERM_SET_ACL},
	{'o', "Set-Owner", DAOS_ACL_PERM_SET_OWNER}, {0, NULL, 0}};

#define FIELD_NR 4
struct fields { /* borrowed pieces of the text */
	const char *at[FIELD_NR];
	size_t      len[FIELD_NR];
};
enum { FIELD_TYPES, FIELD_FLAGS, FIELD_PRINCIPAL, FIELD_PERMS };

/** A buffer that is written from the left and remembers that it was too short. */
struct out {
	char  *buf;
	size_t room;
	bool   truncated;
};

static void
out_str(struct out *out, const char *str)
{
	size_t len = strlen(str);

	if (len >= out->room) {
		out->truncated = true;
		len = out->room - 1;
	}
	memcpy(out->buf, str, len);
	out->buf[len] = '\0';
	out->buf += len;
	out->room -= len;
}

static int
split(const char *str, struct fields *f)
{
	for (int i = 0; i < FIELD_NR; i++) {
		f->at[i] = str;
		f->len[i] = strcspn(str, ":");
		str += f->len[i];
		if (i + 1 < FIELD_NR ? *str != ':' : *str != '\0')
			return -DER_INVAL;
		str++;
	}
	return 0;
}

static int
letters_to_bits(const struct letter *table, const char *at, size_t len, uint32_t *ret_bits)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < len; i++) {
		const struct letter *l = table;

		while (l->letter != 0 && l->letter != at[i])
			l++;
		if (l->letter == 0 || (bits & l->bit))
			return -DER_INVAL;
		bits |= l->bit;
	}
	*ret_bits = bits;
	return 0;
}

static void
bits_to_letters(const struct letter *table, uint64_t bits, struct out *out)
{
	for (; table->letter != 0; table++) {
		char one[2] = {table->letter, '\0'};

		if (bits & table->bit)
			out_str(out, one);
	}
}

static void
bits_to_words(const struct letter *table, uint64_t bits, const char *none, struct out *out)
{
	bool first = true;

	for (; table->letter != 0; table++) {
		if (!(bits & table->bit))
			continue;
		if (!first)
			out_str(out, "/");
		out_str(out, table->word);
		first = false;
	}
	if (first)
		out_str(out, none);
}

static int
principal_type(const char *name, bool group, enum daos_acl_principal_type *ret_type)
{
	if (strcmp(name, DAOS_ACL_PRINCIPAL_OWNER) == 0)
		*ret_type = DAOS_ACL_OWNER;
	else if (strcmp(name, DAOS_ACL_PRINCIPAL_OWNER_GRP) == 0)
		*ret_type = DAOS_ACL_OWNER_GROUP;
	else if (strcmp(name, DAOS_ACL_PRINCIPAL_EVERYONE) == 0)
		*ret_type = DAOS_ACL_EVERYONE;
	else if (daos_acl_principal_is_valid(name))
		*ret_type = group ? DAOS_ACL_GROUP : DAOS_ACL_USER;
	else
		return -DER_INVAL;
	return 0;
}

/** What an entry's text says, in words of its struct. */
struct parsed {
	uint32_t types, flags, perms;
	char     name[DAOS_ACL_MAX_PRINCIPAL_BUF_LEN];
};

static int
parse(const char *str, struct parsed *p)
{
	struct fields f;
	int           rc;

	if (str == NULL || strnlen(str, DAOS_ACL_MAX_ACE_STR_LEN + 1) > DAOS_ACL_MAX_ACE_STR_LEN)
		return -DER_INVAL;
	rc = split(str, &f);
	if (rc == 0)
		rc = letters_to_bits(type_letters, f.at[FIELD_TYPES], f.len[FIELD_TYPES], &p->types);
	if (rc == 0)
		rc = letters_to_bits(flag_letters, f.at[FIELD_FLAGS], f.len[FIELD_FLAGS], &p->flags);
	if (rc == 0)
		rc = letters_to_bits(perm_letters, f.at[FIELD_PERMS], f.len[FIELD_PERMS], &p->perms);
	if (rc != 0)
		return rc;
	if (p->types == 0 || f.len[FIELD_PRINCIPAL] == 0 || f.len[FIELD_PRINCIPAL] > DAOS_ACL_MAX_PRINCIPAL_LEN)
		return -DER_INVAL;
	memcpy(p->name, f.at[FIELD_PRINCIPAL], f.len[FIELD_PRINCIPAL]);
	p->name[f.len[FIELD_PRINCIPAL]] = '\0';
	return 0;
}

int
daos_ace_from_str(const char *str, struct daos_ace **ace)
{
	enum daos_acl_principal_type type;
	struct parsed                p;
	struct daos_ace             *made;
	int                          rc;

	if (ace == NULL)
		return -DER_INVAL;
	rc = parse(str, &p);
	if (rc == 0)
		rc = principal_type(p.name, p.flags & DAOS_ACL_FLAG_GROUP, &type);
	if (rc != 0)
		return rc;
	made = daos_ace_create(type, p.name);
	if (made == NULL)
		return -DER_NOMEM;
	made->dae_access_types = p.types;
	made->dae_access_flags = p.flags; /* checked against the type below */
	if (p.types & DAOS_ACL_ACCESS_ALLOW)
		made->dae_allow_perms = p.perms;
	if (p.types & DAOS_ACL_ACCESS_AUDIT)
		made->dae_audit_perms = p.perms;
	if (p.types & DAOS_ACL_ACCESS_ALARM)
		made->dae_alarm_perms = p.perms;
	if (!daos_ace_is_valid(made)) {
		daos_ace_free(made);
		return -DER_INVAL;
	}
	*ace = made;
	return 0;
}

/** The text has one list of permissions, so all kinds of access must have the same. */
static bool
perms_are_one(const struct daos_ace *ace)
{
	uint64_t perms = sec_ace_perms(ace);

	return (!(ace->dae_access_types & DAOS_ACL_ACCESS_AUDIT) || ace->dae_audit_perms == perms) &&
	       (!(ace->dae_access_types & DAOS_ACL_ACCESS_ALARM) || ace->dae_alarm_perms == perms);
}

int
daos_ace_to_str(struct daos_ace *ace, char *buf, size_t buf_len)
{
	struct out out = {.buf = buf, .room = buf_len};

	if (ace == NULL || buf == NULL || buf_len == 0 || !daos_ace_is_valid(ace) || !perms_are_one(ace))
		return -DER_INVAL;
	bits_to_letters(type_letters, ace->dae_access_types, &out);
	out_str(&out, ":");
	bits_to_letters(flag_letters, ace->dae_access_flags, &out);
	out_str(&out, ":");
	out_str(&out, daos_ace_get_principal_str(ace));
	out_str(&out, ":");
	bits_to_letters(perm_letters, sec_ace_perms(ace), &out);
	return out.truncated ? -DER_TRUNC : 0;
}

int
daos_ace_str_get_verbose(const char *ace_str, char *buf, size_t buf_len)
{
	struct out    out = {.buf = buf, .room = buf_len};
	struct parsed p;
	int           rc;

	if (buf == NULL || buf_len == 0)
		return -DER_INVAL;
	rc = parse(ace_str, &p);
	if (rc != 0)
		return rc;
	bits_to_words(type_letters, p.types, "", &out);
	out_str(&out, ":");
	bits_to_words(flag_letters, p.flags, "", &out);
	out_str(&out, ":");
	if (strcmp(p.name, DAOS_ACL_PRINCIPAL_OWNER) == 0)
		out_str(&out, "Owner");
	else if (strcmp(p.name, DAOS_ACL_PRINCIPAL_OWNER_GRP) == 0)
		out_str(&out, "Owner-Group");
	else if (strcmp(p.name, DAOS_ACL_PRINCIPAL_EVERYONE) == 0)
		out_str(&out, "Everyone");
	else
		out_str(&out, p.name);
	out_str(&out, ":");
	bits_to_words(perm_letters, p.perms, "No-Access", &out);
	return out.truncated ? -DER_TRUNC : 0;
}

int
daos_acl_from_strs(const char **ace_strs, size_t ace_nr, struct daos_acl **acl)
{
	struct daos_ace **aces;
	struct daos_acl  *made = NULL;
	size_t            nr = 0;
	int               rc = 0;

	if (ace_strs == NULL || ace_nr == 0 || ace_nr > UINT16_MAX || acl == NULL)
		return -DER_INVAL;
	aces = calloc(ace_nr, sizeof(*aces));
	if (aces == NULL)
		return -DER_NOMEM;
	while (nr < ace_nr && rc == 0) {
		rc = daos_ace_from_str(ace_strs[nr], &aces[nr]);
		if (rc == 0)
			nr++;
	}
	if (rc == 0) {
		made = daos_acl_create(aces, ace_nr);
		rc = made == NULL ? -DER_INVAL : 0;
	}
	for (size_t i = 0; i < nr; i++)
		daos_ace_free(aces[i]);
	free(aces);
	if (rc == 0)
		*acl = made;
	return rc;
}

int
daos_acl_to_strs(struct daos_acl *acl, char ***ace_strs, size_t *ace_nr)
{
	char   text[DAOS_ACL_MAX_ACE_STR_LEN + 1];
	char **strs;
	size_t nr = 0, done = 0;
	int    rc;

	if (ace_strs == NULL || ace_nr == NULL)
		return -DER_INVAL;
	rc = daos_acl_validate(acl);
	if (rc != 0)
		return rc;
	for (struct daos_ace *a = daos_acl_get_next_ace(acl, NULL); a != NULL; a = daos_acl_get_next_ace(acl, a))
		nr++;
	strs = calloc(nr > 0 ? nr : 1, sizeof(*strs));
	if (strs == NULL)
		return -DER_NOMEM;
	for (struct daos_ace *a = daos_acl_get_next_ace(acl, NULL); a != NULL && rc == 0;
	     a = daos_acl_get_next_ace(acl, a)) {
		rc = daos_ace_to_str(a, text, sizeof(text));
		if (rc == 0) {
			strs[done] = strdup(text);
			rc = strs[done++] == NULL ? -DER_NOMEM : 0;
		}
	}
	if (rc != 0) {
		for (size_t i = 0; i < done; i++)
			free(strs[i]);
		free(strs);
		return rc;
	}
	*ace_strs = strs;
	*ace_nr = nr;
	return 0;
}

int
daos_acl_principal_from_str(const char *principal_str, enum daos_acl_principal_type *type, char **name)
{
	bool  group;
	char *copy = NULL;
	int   rc;

	if (principal_str == NULL || type == NULL || name == NULL)
		return -DER_INVAL;
	group = strncmp(principal_str, "g:", 2) == 0;
	if (group || strncmp(principal_str, "u:", 2) == 0) {
		if (!daos_acl_principal_is_valid(principal_str + 2))
			return -DER_INVAL;
		copy = strdup(principal_str + 2);
		if (copy == NULL)
			return -DER_NOMEM;
		*type = group ? DAOS_ACL_GROUP : DAOS_ACL_USER;
		*name = copy;
		return 0;
	}
	rc = principal_type(principal_str, false, type);
	if (rc == 0 && *type == DAOS_ACL_USER) /* a name without u: or g: */
		rc = -DER_INVAL;
	if (rc == 0)
		*name = NULL;
	return rc;
}

int
daos_acl_to_stream(FILE *stream, struct daos_acl *acl, bool verbose)
{
	char   words[DAOS_ACL_MAX_ACE_STR_LEN * 2];
	char **strs = NULL;
	size_t nr = 0;
	int    rc = 0;

	if (stream == NULL)
		return -DER_INVAL;
	if (acl != NULL)
		rc = daos_acl_to_strs(acl, &strs, &nr);
	if (rc != 0)
		return rc;
	rc = fprintf(stream, nr == 0 ? "# Entries:\n#   None\n" : "# Entries:\n") < 0 ? -DER_IO : 0;
	for (size_t i = 0; i < nr; i++) {
		if (rc == 0 && verbose) {
			rc = daos_ace_str_get_verbose(strs[i], words, sizeof(words));
			if (rc == 0)
				rc = fprintf(stream, "# %s\n", words) < 0 ? -DER_IO : 0;
		}
		if (rc == 0)
			rc = fprintf(stream, "%s\n", strs[i]) < 0 ? -DER_IO : 0;
		free(strs[i]);
	}
	free(strs);
	return rc;
}

static void
dump_line(uint32_t tabs, const char *name, const char *value)
{
	printf("%.*s%s: %s\n", (int)MIN_OF(tabs, 8u), "\t\t\t\t\t\t\t\t", name, value);
}

static void
dump_bits(uint32_t tabs, const char *name, const struct letter *table, uint64_t bits)
{
	char       words[256] = "";
	struct out out = {.buf = words, .room = sizeof(words)};

	bits_to_words(table, bits, "none", &out);
	dump_line(tabs, name, words);
}

void
daos_ace_dump(struct daos_ace *ace, uint32_t tabs)
{
	if (ace == NULL) {
		dump_line(tabs, "Entry", "NULL");
		return;
	}
	dump_line(tabs, "Entry", daos_ace_is_valid(ace) ? "valid" : "not valid");
	if (!daos_ace_is_valid(ace))
		return;
	dump_line(tabs + 1, "Principal", daos_ace_get_principal_str(ace));
	dump_bits(tabs + 1, "Access types", type_letters, ace->dae_access_types);
	dump_bits(tabs + 1, "Flags", flag_letters, ace->dae_access_flags);
	dump_bits(tabs + 1, "Allowed", perm_letters, ace->dae_allow_perms);
	dump_bits(tabs + 1, "Audited", perm_letters, ace->dae_audit_perms);
	dump_bits(tabs + 1, "Alarmed", perm_letters, ace->dae_alarm_perms);
}

void
daos_acl_dump(struct daos_acl *acl)
{
	if (acl == NULL) {
		printf("ACL: NULL\n");
		return;
	}
	printf("ACL: version %u, %u bytes of entries\n", acl->dal_ver, acl->dal_len);
	if (daos_acl_validate(acl) != 0) {
		printf("\tnot valid\n");
		return;
	}
	for (struct daos_ace *a = daos_acl_get_next_ace(acl, NULL); a != NULL; a = daos_acl_get_next_ace(acl, a))
		daos_ace_dump(a, 1);
}
