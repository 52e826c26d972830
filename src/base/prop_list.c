/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Property lists: the public functions of <daos_prop.h>. */
#include <daos_security.h>
#include "base/prop_table.h"
#include "base/rank_list.h"

daos_prop_t *
daos_prop_alloc(uint32_t entries_nr)
{
	daos_prop_t *prop;

	if (entries_nr > DAOS_PROP_ENTRIES_MAX_NR)
		return NULL;
	prop = calloc(1, sizeof(*prop));
	if (prop == NULL)
		return NULL;
	if (entries_nr > 0) {
		prop->dpp_entries = calloc(entries_nr, sizeof(*prop->dpp_entries));
		if (prop->dpp_entries == NULL) {
			free(prop);
			return NULL;
		}
	}
	prop->dpp_nr = entries_nr;
	return prop;
}

void
prop_entry_fini(struct daos_prop_entry *entry)
{
	const struct prop_desc *desc = prop_desc_by_type(entry->dpe_type);

	if (desc == NULL || desc->kind == PROP_KIND_NUM)
		return;
	if (desc->kind == PROP_KIND_RANKS)
		d_rank_list_free(entry->dpe_val_ptr);
	else
		free(entry->dpe_val_ptr);
	entry->dpe_val_ptr = NULL;
}

void
daos_prop_fini(daos_prop_t *prop)
{
	for (uint32_t i = 0; i < prop->dpp_nr; i++)
		prop_entry_fini(&prop->dpp_entries[i]);
	free(prop->dpp_entries);
	prop->dpp_entries = NULL;
	prop->dpp_nr = 0;
}

void
daos_prop_free(daos_prop_t *prop)
{
	if (prop == NULL)
		return;
	daos_prop_fini(prop);
	free(prop);
}

struct daos_prop_entry *
daos_prop_entry_get(daos_prop_t *prop, uint32_t type)
{
	for (uint32_t i = 0; prop != NULL && i < prop->dpp_nr; i++) {
		if (prop->dpp_entries[i].dpe_type == type)
			return &prop->dpp_entries[i];
	}
	return NULL;
}

static int
rank_entry_copy(struct daos_prop_entry *e, const d_rank_list_t *src)
{
	d_rank_list_t *copy;
	int            rc = d_rank_list_dup(src, &copy);

	if (rc == 0)
		e->dpe_val_ptr = copy;
	return rc;
}

int
prop_entry_copy(struct daos_prop_entry *dst, const struct daos_prop_entry *src)
{
	const struct prop_desc *desc = prop_desc_by_type(src->dpe_type);
	struct daos_prop_entry  e = *src;
	size_t                  bytes;
	int                     rc;

	if (desc == NULL)
		return -DER_INVAL;
	if (desc->kind != PROP_KIND_NUM && src->dpe_val_ptr != NULL) {
		if (desc->kind == PROP_KIND_RANKS) {
			rc = rank_entry_copy(&e, src->dpe_val_ptr);
			if (rc != 0)
				return rc;
		} else {
			bytes = prop_value_bytes(desc, src);
			e.dpe_val_ptr = calloc(1, bytes + 1);
			if (e.dpe_val_ptr == NULL)
				return -DER_NOMEM;
			memcpy(e.dpe_val_ptr, src->dpe_val_ptr, bytes);
		}
	}
	*dst = e;
	return 0;
}

int
prop_list_dup(const daos_prop_t *prop, daos_prop_t **ret_prop)
{
	daos_prop_t *copy = daos_prop_alloc(prop->dpp_nr);
	int          rc = 0;

	if (copy == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < prop->dpp_nr && rc == 0; i++)
		rc = prop_entry_copy(&copy->dpp_entries[i], &prop->dpp_entries[i]);
	if (rc != 0) {
		daos_prop_free(copy);
		return rc;
	}
	*ret_prop = copy;
	return 0;
}

int
daos_prop_merge2(daos_prop_t *old_prop, daos_prop_t *new_prop, daos_prop_t **out_prop)
{
	daos_prop_t *merged;
	uint32_t     nr = 0;
	int          rc = 0;

	if (old_prop == NULL || new_prop == NULL)
		return old_prop == new_prop ? -DER_INVAL
					    : prop_list_dup(old_prop != NULL ? old_prop : new_prop, out_prop);
	if (old_prop->dpp_nr + new_prop->dpp_nr > DAOS_PROP_ENTRIES_MAX_NR)
		return -DER_INVAL;
	merged = daos_prop_alloc(old_prop->dpp_nr + new_prop->dpp_nr);
	if (merged == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < old_prop->dpp_nr && rc == 0; i++) {
		struct daos_prop_entry *src = &old_prop->dpp_entries[i];
		struct daos_prop_entry *newer = daos_prop_entry_get(new_prop, src->dpe_type);

		rc = prop_entry_copy(&merged->dpp_entries[nr++], newer != NULL ? newer : src);
	}
	for (uint32_t i = 0; i < new_prop->dpp_nr && rc == 0; i++) {
		if (daos_prop_entry_get(old_prop, new_prop->dpp_entries[i].dpe_type) == NULL)
			rc = prop_entry_copy(&merged->dpp_entries[nr++], &new_prop->dpp_entries[i]);
	}
	if (rc != 0) {
		daos_prop_free(merged);
		return rc;
	}
	merged->dpp_nr = nr;
	*out_prop = merged;
	return 0;
}

daos_prop_t *
daos_prop_merge(daos_prop_t *old_prop, daos_prop_t *new_prop)
{
	daos_prop_t *merged = NULL;

	return daos_prop_merge2(old_prop, new_prop, &merged) == 0 ? merged : NULL;
}

static bool
entry_has_kind(struct daos_prop_entry *entry, bool str)
{
	const struct prop_desc *desc = prop_desc_by_type(entry->dpe_type);

	if (desc == NULL || desc->kind == PROP_KIND_NUM)
		return false;
	return (desc->kind == PROP_KIND_STR) == str;
}

bool
daos_prop_has_str(struct daos_prop_entry *entry)
{
	return entry_has_kind(entry, true);
}

bool
daos_prop_has_ptr(struct daos_prop_entry *entry)
{
	return entry_has_kind(entry, false);
}

/** No property has raw bytes for its value; the kind is part of the interface. */
bool
daos_prop_has_byteval(struct daos_prop_entry *entry)
{
	return false;
}

int
daos_prop_entry_set_str(struct daos_prop_entry *entry, const char *str, daos_size_t len)
{
	char *copy;

	if (entry == NULL || str == NULL || len == 0 || !daos_prop_has_str(entry))
		return -DER_INVAL;
	copy = strndup(str, len);
	if (copy == NULL)
		return -DER_NOMEM;
	free(entry->dpe_str);
	entry->dpe_str = copy;
	entry->dpe_flags &= ~DAOS_PROP_ENTRY_NOT_SET;
	return 0;
}

int
daos_prop_set_str(daos_prop_t *prop, uint32_t type, const char *str, daos_size_t len)
{
	struct daos_prop_entry *entry = daos_prop_entry_get(prop, type);

	return entry == NULL ? -DER_NONEXIST : daos_prop_entry_set_str(entry, str, len);
}

/** Copy @size bytes as the value of a property of pointer kind. */
int
daos_prop_entry_set_ptr(struct daos_prop_entry *entry, const void *ptr, daos_size_t size)
{
	const struct prop_desc *desc;
	struct daos_prop_entry  made;
	int                     rc;

	if (entry == NULL || ptr == NULL || size == 0 || !daos_prop_has_ptr(entry))
		return -DER_INVAL;
	desc = prop_desc_by_type(entry->dpe_type);
	if (desc->kind == PROP_KIND_RANKS) {
		struct daos_prop_entry src = {.dpe_type = entry->dpe_type, .dpe_val_ptr = (void *)ptr};

		rc = prop_entry_copy(&made, &src);
	} else {
		rc = prop_value_decode(desc, ptr, size, &made);
	}
	if (rc != 0)
		return rc == -DER_DF_INVAL ? -DER_INVAL : rc;
	prop_entry_fini(entry);
	*entry = made;
	return 0;
}

int
daos_prop_set_ptr(daos_prop_t *prop, uint32_t type, const void *ptr, daos_size_t size)
{
	struct daos_prop_entry *entry = daos_prop_entry_get(prop, type);

	return entry == NULL ? -DER_NONEXIST : daos_prop_entry_set_ptr(entry, ptr, size);
}

int
daos_prop_entry_dup_ptr(struct daos_prop_entry *entry_dst, struct daos_prop_entry *entry_src, size_t len)
{
	void *copy;

	if (entry_src->dpe_val_ptr == NULL)
		return -DER_INVAL;
	copy = malloc(len);
	if (copy == NULL)
		return -DER_NOMEM;
	memcpy(copy, entry_src->dpe_val_ptr, len);
	entry_dst->dpe_val_ptr = copy;
	return 0;
}

int
daos_prop_entry_set_byteval(struct daos_prop_entry *entry, const void *data, size_t len)
{
	struct daos_prop_byteval *val;

	if (entry == NULL || data == NULL || len == 0 || !daos_prop_has_byteval(entry))
		return -DER_INVAL;
	val = malloc(sizeof(*val) + len);
	if (val == NULL)
		return -DER_NOMEM;
	val->dpb_data = val + 1;
	val->dpb_len = len;
	memcpy(val->dpb_data, data, len);
	free(entry->dpe_val_ptr);
	entry->dpe_val_ptr = val;
	return 0;
}

int
daos_prop_set_byteval(daos_prop_t *prop, uint32_t type, const void *data, size_t len)
{
	struct daos_prop_entry *entry = daos_prop_entry_get(prop, type);

	return entry == NULL ? -DER_NONEXIST : daos_prop_entry_set_byteval(entry, data, len);
}

int
daos_prop_entry_dup_byteval(struct daos_prop_entry *entry_dst, struct daos_prop_entry *entry_src)
{
	struct daos_prop_byteval *val = entry_src->dpe_val_ptr;

	if (val == NULL)
		return -DER_INVAL;
	return daos_prop_entry_set_byteval(entry_dst, val->dpb_data, val->dpb_len);
}

int
daos_prop_entry_cmp_acl(struct daos_prop_entry *entry1, struct daos_prop_entry *entry2)
{
	struct daos_acl *a = entry1->dpe_val_ptr, *b = entry2->dpe_val_ptr;

	if (a == NULL || b == NULL)
		return a == b ? 0 : -DER_MISMATCH;
	if (a->dal_ver != b->dal_ver || a->dal_len != b->dal_len)
		return -DER_MISMATCH;
	return memcmp(a->dal_ace, b->dal_ace, a->dal_len) == 0 ? 0 : -DER_MISMATCH;
}

int
daos_prop_entry_dup_co_roots(struct daos_prop_entry *dst, struct daos_prop_entry *src)
{
	free(dst->dpe_val_ptr);
	dst->dpe_val_ptr = NULL;
	return daos_prop_entry_dup_ptr(dst, src, sizeof(struct daos_prop_co_roots));
}
