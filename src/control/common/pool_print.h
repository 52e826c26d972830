/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Pools and properties as people read them; dmg and daos print the same. Input: JSON of docs/management-api.md. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

void pool_print_query(const json_t *pool, FILE *f);
void pool_print_list(const json_t *pools, bool verbose, bool no_query, FILE *f);
void pool_print_target(const json_t *info, FILE *f);
/** [{"description","name","value"}] as a table under @title. */
void props_print(const char *title, const json_t *props, FILE *f);
