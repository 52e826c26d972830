/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What a fuzz target has besides LLVMFuzzerTestOneInput(): a main() that runs the files named on
 * the command line (directories are walked), as they are and with seeded mutations. With
 * -DFUZZ_LIBFUZZER there is no main(), for clang -fsanitize=fuzzer,address.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
/** Before the first input; the target's. */
void fuzz_start(void);
