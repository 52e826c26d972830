/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** CRC-32C (Castagnoli, as in iSCSI): the checksum of every durable structure. */
#pragma once

#include "base/util.h"

/** @param crc  0 to begin, or what a call on the bytes before returned */
uint32_t d_crc32c(uint32_t crc, const void *buf, size_t len_bytes);
