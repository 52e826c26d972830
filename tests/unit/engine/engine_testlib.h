/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Engines in the test's process: provider "self", a test module linked in, a client to talk to them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/engine.h"
#include "na/na.h"

/** A world, and engines in it that know each other. */
struct et_world {
	struct na_self_world *net;
	char                  dir[64]; /**< mkdtemp */
	struct engine        *engs[8];
	uint32_t              eng_nr;
};
struct et_opts {
	uint32_t                        tgt_nr, helper_nr;
	uint32_t                        relay_nr_min; /**< of engine_attr */
	const struct dss_module *const *modules; /**< NULL-ended */
	const char                     *drpc_dir;
	const char                     *dev_name;  /**< a file in the world's directory, formatted at first use; NULL: volatile */
	uint64_t                        dev_bytes;
	struct bio_ram                 *ram;       /**< instead of a file: memory of the caller's, formatted */
};
void et_world_init(struct et_world *w);
void et_world_fini(struct et_world *w);
/** Start engine @idx as rank @idx; asserts success. Not set up yet. */
struct engine *et_start(struct et_world *w, uint32_t idx, const struct et_opts *opts);
int  et_try_start(struct et_world *w, uint32_t idx, const struct et_opts *opts, struct engine **ret_eng);
/** Tell all running engines of one another. */
void et_group(struct et_world *w);
void et_stop(struct et_world *w, uint32_t idx);

/** A client with one context, driven by its caller. */
struct et_client {
	struct crt   *crt;
	crt_context_t ctx;
};
void et_client_init(struct et_client *c, struct et_world *w);
void et_client_fini(struct et_client *c);
/** Send and progress until the reply; the transport's status. The caller drops @rpc. */
int  et_call(struct et_client *c, crt_rpc_t *rpc);

/** Open descriptors of the process. */
unsigned et_fd_nr(void);
/** Threads of the process. */
unsigned et_thread_nr(void);
/** Run fn(arg) in a ULT of the engine's xstream @xs_id, from the test's thread. */
int  et_run(struct engine *eng, uint32_t xs_id, int (*fn)(void *arg), void *arg);
