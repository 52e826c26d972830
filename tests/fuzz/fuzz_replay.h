/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What a fuzz target has besides LLVMFuzzerTestOneInput(): a main() that runs the files named on
 * the command line (directories are walked), as they are and with seeded mutations. With
 * -DFUZZ_LIBFUZZER there is no main(), for clang -fsanitize=fuzzer,address. `TARGET --seeds DIR` writes
 * the corpus of a target that makes its own.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
/** Before the first input; the target's. */
void fuzz_start(void);
/** Of a target that makes its own corpus: write it to @dir with fuzz_seed(). */
void fuzz_seeds(const char *dir) __attribute__((weak));
/** Write a file of two parts. */
void fuzz_seed(const char *dir, const char *name, const void *head, size_t head_bytes, const void *body, size_t body_bytes);
