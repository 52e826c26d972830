/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The simulated disk, for those who wear it out. To bio it is a RAM device (bio_ram.h) whose requests take the ring. */
#pragma once

#include "bio/bio_ram.h"

struct bio_sim_policy {
	uint64_t read_ns, write_ns, flush_ns; /**< mean time of a request */
	uint32_t slow_x;                      /**< times slower now; 0 or 1: not */
	uint32_t short_ppm;                   /**< comes back short, as the kernel may */
	uint32_t read_error_ppm, write_error_ppm;
	uint32_t crash_ppm;                   /**< the machine stops at this very request */
};
void bio_sim_set_policy(struct bio_ram *ram, const struct bio_sim_policy *policy);
/** The simulated process that uses it; when that is killed, so is what it has under way. */
void bio_sim_attach(struct bio_ram *ram, uint32_t node);
/** What a kill means next time: the machine lost power, or only the process ended. */
void bio_sim_set_power_loss(struct bio_ram *ram, bool power_loss);
/** Flip a bit somewhere in what was written of blobs with one of @roles. False: there is nothing of them. */
bool bio_sim_rot(struct bio_ram *ram, uint32_t roles);
/** Memory the contents take, bytes. */
uint64_t bio_sim_used_bytes(const struct bio_ram *ram);
