/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Files of a test, in a directory of its own. */
#pragma once

#include <stddef.h>

struct test_dir {
	char path[64];
};

/** Makes it; every failure ends the test. */
void test_dir_make(struct test_dir *dir);
/** With all that is in it. */
void test_dir_remove(struct test_dir *dir);
/** "<dir>/<name>", in @buf. */
char *test_dir_file(const struct test_dir *dir, const char *name, char *buf, size_t bytes);
void  test_file_write(const char *path, const void *data, size_t bytes);
/** Taken, free(); one byte 0 follows. */
char *test_file_read(const char *path, size_t *ret_bytes);
