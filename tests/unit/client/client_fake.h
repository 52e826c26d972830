/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Objects in memory behind the task functions of src/object, so that arrays and KV are tested
 * through the public interface without servers. Operations end at once or later, at random.
 */
#pragma once

#include "client/client_internal.h"

struct fake {
	unsigned seed;
	bool	 async;	  /**< some operations end later */
	int	 fail_rc; /**< not 0: fail the fail_in'th operation from now */
	int	 fail_in;
	int	 open_nr;  /**< object handles */
	int	 op_nr;	   /**< operations so far */
	uint32_t iom_room; /**< extents found are split into pieces of so many records; 0: not */
};
extern struct fake fake;

/** A client on the in-process network as the thread's current one; forgets all objects. */
void fake_start(void);
void fake_stop(void);
/** Records and values there are, of all objects. */
int fake_value_nr(void);
