/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The properties of pools and containers, as data: one descriptor each, with name, number, default,
 * what is valid, how it reads. Clients check with it before they ask, services before they store,
 * commands parse and print with it; values travel and are stored in the encoding given here.
 *
 * Lists of entries (daos_prop_t) are public; their functions are declared in <daos_prop.h>.
 */
#pragma once

#include <daos_prop.h>
#include "base/util.h"

enum prop_scope { PROP_POOL, PROP_CONT };
enum prop_kind {
	PROP_KIND_NUM,
	PROP_KIND_STR,
	PROP_KIND_ACL,   /**< dpe_val_ptr: struct daos_acl */
	PROP_KIND_RANKS, /**< dpe_val_ptr: d_rank_list_t */
	PROP_KIND_ROOTS, /**< dpe_val_ptr: struct daos_prop_co_roots */
};
enum prop_form { /**< of a number as text */
	PROP_FORM_PLAIN,
	PROP_FORM_BYTES,  /**< "128 KiB" */
	PROP_FORM_PERCENT,
	PROP_FORM_WORD,   /**< one of the words */
	PROP_FORM_FLAGS,  /**< words joined by ';', none of them: "none" */
	PROP_FORM_STATUS, /**< health of a container */
	PROP_FORM_LEVEL,  /**< of 32 bits; the largest, "-1", is no limit */
};
enum prop_flags {
	PROP_SERVICE = 1 << 0, /**< set by the service alone */
	PROP_CREATE  = 1 << 1, /**< given at creation, fixed from then on */
	PROP_INHERIT = 1 << 2, /**< of a container: 0 stands for the pool's value */
	PROP_OWNED   = 1 << 3, /**< changed by requests of its own (owner, group, ACL), not among others */
};
struct prop_word {
	const char *word;
	uint64_t    value;
};
struct prop_desc {
	uint32_t       type;  /**< DAOS_PROP_PO_*, DAOS_PROP_CO_* */
	enum prop_kind kind;
	enum prop_form form;
	uint32_t       flags; /**< enum prop_flags */
	const char    *name;  /**< "rd_fac" */
	const char    *alias; /**< an older name, or NULL */
	const char    *title; /**< "Redundancy Factor" */
	uint64_t       def;   /**< default of a number */
	const char    *def_str;
	uint64_t       min, max, multiple; /**< of a number; multiple 0: any */
	const struct prop_word *words;     /**< ends with word NULL */
	uint32_t       from;  /**< PROP_INHERIT: the pool property */
};

/** All properties of a kind, in the order of their numbers. */
const struct prop_desc *prop_table(enum prop_scope scope, uint32_t *ret_nr);
/** NULL: no such property. */
const struct prop_desc *prop_desc_by_type(uint32_t type);
const struct prop_desc *prop_desc_by_name(enum prop_scope scope, const char *name);

/** Whether the value fits the descriptor. ACLs are checked for their outer form only: see sec_acl. Errors: INVAL. */
int prop_entry_check(const struct prop_desc *desc, const struct daos_prop_entry *entry) MUST_CHECK;
/** Check all entries and that none occurs twice; refuse those with a flag in @refuse. Errors: INVAL | NO_PERM. */
int prop_list_check(enum prop_scope scope, const daos_prop_t *prop, uint32_t refuse) MUST_CHECK;
/** Set an entry to the default. Nothing to set for ACLs, ranks and roots: their pointer is NULL. Errors: NOMEM. */
int prop_entry_default(const struct prop_desc *desc, struct daos_prop_entry *entry) MUST_CHECK;
/** Copy an entry's value. The copy is freed with its list. Errors: NOMEM | INVAL. */
int prop_entry_copy(struct daos_prop_entry *dst, const struct daos_prop_entry *src) MUST_CHECK;
void prop_entry_fini(struct daos_prop_entry *entry);
int prop_list_dup(const daos_prop_t *prop, daos_prop_t **ret_prop) MUST_CHECK;
/** A number's value in a list, or @otherwise when it isn't there. */
uint64_t prop_list_num(const daos_prop_t *prop, uint32_t type, uint64_t otherwise);
/** A string's value, borrowed, or NULL. */
const char *prop_list_str(const daos_prop_t *prop, uint32_t type);

/* ---- text ---- */

/** Parse what a user wrote. Errors: INVAL | NOMEM. ACLs and ranks have no text here. */
int prop_entry_from_text(const struct prop_desc *desc, const char *text, struct daos_prop_entry *entry) MUST_CHECK;
/** Print; the return value is as snprintf()'s, or -DER_INVAL for a kind without text here (ACL). */
int prop_entry_to_text(const struct prop_desc *desc, const struct daos_prop_entry *entry, char *buf, size_t buf_bytes);
/** What may be written for the property: "off, lazy, timed", "0-100"; for messages and help. */
int prop_desc_values(const struct prop_desc *desc, char *buf, size_t buf_bytes);
/** "128 KiB", "4.0 KiB"; and back: "4k" is 4000, "4KiB" 4096. */
int prop_bytes_to_text(uint64_t bytes, char *buf, size_t buf_bytes);
int prop_bytes_from_text(const char *text, uint64_t *ret_bytes) MUST_CHECK;
/** Old and new names of container types: "POSIX", "HDF5", ... */
extern const struct prop_word prop_layout_words[];

/* ---- encoding: little endian; a value alone (stored), or a list of (type, length, value) (sent) ---- */

/** Bytes a value takes; 0 for one that is not set. */
size_t prop_value_bytes(const struct prop_desc *desc, const struct daos_prop_entry *entry);
void   prop_value_encode(const struct prop_desc *desc, const struct daos_prop_entry *entry, void *buf);
/** Copies: the entry is freed with its list. Errors: DF_INVAL | NOMEM. */
int    prop_value_decode(const struct prop_desc *desc, const void *buf, size_t bytes, struct daos_prop_entry *entry) MUST_CHECK;
/** @ret_iov is freed by the caller: free(iov_buf). @prop NULL: no bytes. Errors: NOMEM | INVAL. */
int    prop_list_encode(const daos_prop_t *prop, d_iov_t *ret_iov) MUST_CHECK;
/** No bytes: NULL. Bytes come from a peer: everything is checked. Errors: DF_INVAL | NOMEM. */
int    prop_list_decode(const void *buf, size_t bytes, daos_prop_t **ret_prop) MUST_CHECK;
