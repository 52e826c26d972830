/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Text that people type and read: sizes, rank sets, tables, times. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** "4g", "1.5TiB", "4096", "10 MB": k, m, g, t, p with or without B are powers of 1000, with i of 1024. */
int  text_parse_size(const char *text, uint64_t *ret_bytes) __attribute__((warn_unused_result));
/** "4.0 GB", "12 MB": powers of 1000. Returns @buf. */
char *text_bytes(uint64_t bytes, char *buf, size_t buf_bytes);
/** "1.0 MiB": powers of 1024. */
char *text_ibytes(uint64_t bytes, char *buf, size_t buf_bytes);
/** "0-3,5", "[0-3,5]", "" into ascending, unique ranks; -DER_INVAL. Taken, free(). */
int  text_parse_ranks(const char *text, uint32_t **ret_ranks, uint32_t *ret_nr) __attribute__((warn_unused_result));
/** "0-3,5" of ascending ranks, into a new string, free(). */
char *text_ranks(const uint32_t *ranks, uint32_t nr);
/** A label: 1 to 127 characters of [A-Za-z0-9._:-], not a UUID. */
bool text_is_label(const char *text);
bool text_is_uuid(const char *text);

/** A table with a head, a rule under it, and columns as wide as their widest cell. Cells are copied. */
struct text_table;
struct text_table *text_table_new(int column_nr, const char *const *titles);
void text_table_row(struct text_table *t, const char *const *cells);
void text_table_print(const struct text_table *t, FILE *f);
void text_table_free(struct text_table *t);
