/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The bytes of property values and lists.
 *
 *   number   8 bytes, little endian
 *   string   its characters, no NUL
 *   ACL      struct daos_acl as it is: fixed-width members, and only little-endian machines are built for
 *   ranks    4 bytes each
 *   roots    4 * 16 bytes
 *
 *   list     for each entry: type (4), value bytes (4; NOT_SET: no value), value
 */
#include <daos_security.h>
#include "base/prop_table.h"
#include "base/rank_list.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stored structs are little endian");

#define LIST_HEAD_BYTES 8
#define LEN_NOT_SET     UINT32_MAX
#define VALUE_BYTES_MAX (DAOS_ACL_MAX_ACE_LEN + sizeof(struct daos_acl))

size_t
prop_value_bytes(const struct prop_desc *desc, const struct daos_prop_entry *entry)
{
	if (entry->dpe_flags & DAOS_PROP_ENTRY_NOT_SET)
		return 0;
	if (desc->kind == PROP_KIND_NUM)
		return sizeof(uint64_t);
	if (entry->dpe_val_ptr == NULL)
		return 0;
	switch (desc->kind) {
	case PROP_KIND_STR:
		return strlen(entry->dpe_str);
	case PROP_KIND_ACL:
		return sizeof(struct daos_acl) + ((struct daos_acl *)entry->dpe_val_ptr)->dal_len;
	case PROP_KIND_RANKS:
		return ((d_rank_list_t *)entry->dpe_val_ptr)->rl_nr * sizeof(d_rank_t);
	default:
		return sizeof(struct daos_prop_co_roots);
	}
}

void
prop_value_encode(const struct prop_desc *desc, const struct daos_prop_entry *entry, void *buf)
{
	size_t bytes = prop_value_bytes(desc, entry);

	if (bytes == 0)
		return;
	if (desc->kind == PROP_KIND_NUM)
		memcpy(buf, &entry->dpe_val, bytes);
	else if (desc->kind == PROP_KIND_RANKS)
		memcpy(buf, ((d_rank_list_t *)entry->dpe_val_ptr)->rl_ranks, bytes);
	else
		memcpy(buf, entry->dpe_val_ptr, bytes);
}

static int
acl_decode(const void *buf, size_t bytes, void **ret_ptr)
{
	struct daos_acl head;

	if (bytes < sizeof(head) || bytes > VALUE_BYTES_MAX)
		return -DER_DF_INVAL;
	memcpy(&head, buf, sizeof(head));
	if (head.dal_ver != DAOS_ACL_VERSION || head.dal_len != bytes - sizeof(head))
		return -DER_DF_INVAL;
	*ret_ptr = malloc(bytes);
	if (*ret_ptr == NULL)
		return -DER_NOMEM;
	memcpy(*ret_ptr, buf, bytes);
	return 0;
}

static int
ranks_decode(const void *buf, size_t bytes, void **ret_ptr)
{
	d_rank_list_t *list;

	if (bytes % sizeof(d_rank_t) != 0)
		return -DER_DF_INVAL;
	list = d_rank_list_alloc(bytes / sizeof(d_rank_t));
	if (list == NULL)
		return -DER_NOMEM;
	if (bytes > 0)
		memcpy(list->rl_ranks, buf, bytes);
	*ret_ptr = list;
	return 0;
}

static int
str_decode(const void *buf, size_t bytes, void **ret_ptr)
{
	if (bytes > VALUE_BYTES_MAX || memchr(buf, 0, bytes) != NULL)
		return -DER_DF_INVAL;
	*ret_ptr = strndup(buf, bytes);
	return *ret_ptr == NULL ? -DER_NOMEM : 0;
}

static int
roots_decode(const void *buf, size_t bytes, void **ret_ptr)
{
	if (bytes != sizeof(struct daos_prop_co_roots))
		return -DER_DF_INVAL;
	*ret_ptr = malloc(bytes);
	if (*ret_ptr == NULL)
		return -DER_NOMEM;
	memcpy(*ret_ptr, buf, bytes);
	return 0;
}

int
prop_value_decode(const struct prop_desc *desc, const void *buf, size_t bytes, struct daos_prop_entry *entry)
{
	struct daos_prop_entry e = {.dpe_type = desc->type};
	void                  *ptr = NULL;
	int                    rc = 0;

	switch (desc->kind) {
	case PROP_KIND_NUM:
		if (bytes != sizeof(e.dpe_val))
			return -DER_DF_INVAL;
		memcpy(&e.dpe_val, buf, bytes);
		break;
	case PROP_KIND_STR:
		rc = str_decode(buf, bytes, &ptr);
		break;
	case PROP_KIND_ACL:
		rc = acl_decode(buf, bytes, &ptr);
		break;
	case PROP_KIND_RANKS:
		rc = ranks_decode(buf, bytes, &ptr);
		break;
	case PROP_KIND_ROOTS:
		rc = roots_decode(buf, bytes, &ptr);
		break;
	}
	if (rc != 0)
		return rc;
	if (desc->kind != PROP_KIND_NUM)
		e.dpe_val_ptr = ptr;
	*entry = e;
	return 0;
}

static bool
entry_is_empty(const struct prop_desc *desc, const struct daos_prop_entry *entry)
{
	return (entry->dpe_flags & DAOS_PROP_ENTRY_NOT_SET) ||
	       (desc->kind != PROP_KIND_NUM && entry->dpe_val_ptr == NULL);
}

int
prop_list_encode(const daos_prop_t *prop, d_iov_t *ret_iov)
{
	size_t total = 0;
	char  *buf, *p;

	if (prop == NULL || prop->dpp_nr == 0) {
		memset(ret_iov, 0, sizeof(*ret_iov));
		return 0;
	}
	for (uint32_t i = 0; i < prop->dpp_nr; i++) {
		const struct prop_desc *desc = prop_desc_by_type(prop->dpp_entries[i].dpe_type);

		if (desc == NULL)
			return -DER_INVAL;
		total += LIST_HEAD_BYTES + prop_value_bytes(desc, &prop->dpp_entries[i]);
	}
	buf = malloc(total);
	if (buf == NULL)
		return -DER_NOMEM;
	p = buf;
	for (uint32_t i = 0; i < prop->dpp_nr; i++) {
		const struct daos_prop_entry *entry = &prop->dpp_entries[i];
		const struct prop_desc       *desc = prop_desc_by_type(entry->dpe_type);
		uint32_t                      bytes = prop_value_bytes(desc, entry);
		uint32_t                      len = entry_is_empty(desc, entry) ? LEN_NOT_SET : bytes;

		memcpy(p, &entry->dpe_type, 4);
		memcpy(p + 4, &len, 4);
		prop_value_encode(desc, entry, p + LIST_HEAD_BYTES);
		p += LIST_HEAD_BYTES + bytes;
	}
	d_iov_set(ret_iov, buf, total);
	return 0;
}

/** Check the frames and count them. */
static int
list_count(const char *buf, size_t bytes, uint32_t *ret_nr)
{
	uint32_t nr = 0, len;

	while (bytes > 0) {
		if (bytes < LIST_HEAD_BYTES || ++nr > DAOS_PROP_ENTRIES_MAX_NR)
			return -DER_DF_INVAL;
		memcpy(&len, buf + 4, 4);
		if (len == LEN_NOT_SET)
			len = 0;
		if (len > bytes - LIST_HEAD_BYTES)
			return -DER_DF_INVAL;
		buf += LIST_HEAD_BYTES + len;
		bytes -= LIST_HEAD_BYTES + len;
	}
	*ret_nr = nr;
	return 0;
}

int
prop_list_decode(const void *buf, size_t bytes, daos_prop_t **ret_prop)
{
	const char  *p = buf;
	daos_prop_t *prop;
	uint32_t     nr, type, len;
	int          rc;

	if (bytes == 0) {
		*ret_prop = NULL;
		return 0;
	}
	rc = list_count(buf, bytes, &nr);
	if (rc != 0)
		return rc;
	prop = daos_prop_alloc(nr);
	if (prop == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < nr && rc == 0; i++) {
		const struct prop_desc *desc;

		memcpy(&type, p, 4);
		memcpy(&len, p + 4, 4);
		p += LIST_HEAD_BYTES;
		desc = prop_desc_by_type(type);
		if (desc == NULL) {
			rc = -DER_DF_INVAL;
			break;
		}
		prop->dpp_entries[i].dpe_type = type;
		if (len == LEN_NOT_SET) {
			prop->dpp_entries[i].dpe_flags = DAOS_PROP_ENTRY_NOT_SET;
			continue;
		}
		rc = prop_value_decode(desc, p, len, &prop->dpp_entries[i]);
		p += len;
	}
	if (rc != 0) {
		daos_prop_free(prop);
		return rc;
	}
	*ret_prop = prop;
	return 0;
}
