/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A whole system in the test's process: engines with all services, pools, clients. Over the in-process network
 * unless told otherwise, on memory or files that survive an engine. The control plane's part (who has which rank,
 * where a pool's service is, who a client is) is played by the cluster. Everything asserts success.
 *
 *     struct testcluster *tc = tc_start(&(struct tc_opts){.engine_nr = 2, .tgt_nr = 2});
 *     tc_pool_create(tc, "pool", NULL);
 *     struct client *cl = tc_client_start(tc);       // the calling thread's from now on
 *     daos_pool_connect("pool", NULL, DAOS_PC_RW, &poh, NULL, NULL); ...
 *     tc_client_stop(tc, cl);
 *     tc_stop(tc);
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dc/dc.h"
#include "engine/engine.h"

#define TC_ENGINES_MAX 8
#define TC_CLIENTS_MAX 8
#define TC_DEVS_MAX    2

struct tc_opts {
	uint32_t    engine_nr, tgt_nr;
	bool        files;      /**< devices are files; default: memory */
	bool        power_loss; /**< memory devices: remember what is durable, for tc_engine_crash() */
	uint32_t    dev_nr;     /**< of an engine; 0: one. Target t lies on number t modulo dev_nr */
	uint64_t    dev_bytes;  /**< of each; 0: 768 MiB */
	bool        secondary;  /**< a second network, of the same provider */
	const char *provider;   /**< NULL: "self" */
	const char *interface;
};
struct testcluster;

struct testcluster *tc_start(const struct tc_opts *opts);
void tc_stop(struct testcluster *tc);
struct engine *tc_engine(struct testcluster *tc, d_rank_t rank); /**< NULL: stopped */
const char *tc_dir(struct testcluster *tc);                      /**< a directory of the cluster's own */

/** An orderly stop; its devices keep their data. From any thread. */
void tc_engine_stop(struct testcluster *tc, d_rank_t rank);
/** Stop it as a power failure does: memory devices refuse writes from some point on, and of what was not flushed
 *  then some is lost, by @seed. Only with tc_opts.power_loss. */
void tc_engine_crash(struct testcluster *tc, d_rank_t rank, uint64_t seed);
/** What is behind device @dev of an engine, NULL: a file. */
struct bio_ram *tc_dev_ram(struct testcluster *tc, d_rank_t rank, uint32_t dev);
/** Start it again; all others and the clients learn where it is. */
void tc_engine_start(struct testcluster *tc, d_rank_t rank);

/** Over all ranks, service on the first. @ret_uuid may be NULL. */
void tc_pool_create(struct testcluster *tc, const char *label, uuid_t ret_uuid);
/** Sizes of each rank, 0: 96 MiB of metadata, 192 MiB of data. */
void tc_pool_create_sized(struct testcluster *tc, const char *label, uint64_t meta_bytes, uint64_t data_bytes,
			  uuid_t ret_uuid);
void tc_pool_destroy(struct testcluster *tc, const char *label);

/** A client with the modules of all services; becomes client_current() of the calling thread. */
struct client *tc_client_start(struct testcluster *tc);
/** The same over network @net: 0, or 1 with tc_opts.secondary. */
struct client *tc_client_start_over(struct testcluster *tc, uint32_t net);
void tc_client_stop(struct testcluster *tc, struct client *cl);
/** What daos_init() would learn from an agent, for client_default_init(); borrowed from the cluster. */
const struct client_attr *tc_client_attr(struct testcluster *tc);
