/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The engine: xstreams, the module table, scheduling of requests, collective work on targets.
 *
 * xstream 0 serves metadata (tag 0), 1 monitoring (tag 1), 2 .. 1+T the targets (tag 2+i = target i),
 * the rest are helpers. Each has a CART context of the same index, a bio context, and the module's
 * per-xstream data. Everything hangs from a struct engine; one process may hold several.
 */
#pragma once

#include <gurt/types.h>
#include "base/hlc.h"
#include "bio/bio.h"
#include "cart/crt.h"
#include "tse/tse.h"
#include "ult/ult.h"
#include "vos/vos.h"

struct engine;
struct d_tm;
struct d_faults;

enum dss_tag { DSS_TAG_SYS = 0, DSS_TAG_MON = 1, DSS_TAG_TGT0 = 2 };

/** One execution stream, as modules see it. */
struct dss_xstream {
	struct engine    *dx_engine;
	struct ult_xs    *dx_xs;
	crt_context_t     dx_ctx;
	struct bio_ctx   *dx_bio;
	struct vos_store  dx_store;  /**< tgt = dx_tgt_id, or BIO_TGT_SYS on xstream 0 */
	uint32_t          dx_id;
	int32_t           dx_tgt_id; /**< -1: not a target */
	void            **dx_tls;    /**< by module key index */
};
/** Of the calling ULT. Asserts that there is one. */
struct dss_xstream *dss_self(void);
struct engine      *dss_engine(void); /**< dss_self()->dx_engine */

/* ---- what a module may ask of its engine ---- */

uint32_t     dss_tgt_nr(struct engine *eng);
struct crt  *dss_crt(struct engine *eng); /**< of the primary network */
uint32_t     dss_net_nr(struct engine *eng);
/** The rank is known: in all networks. */
void         dss_rank_set(struct engine *eng, d_rank_t rank);
/** crt_group_set() in network @net; in one the engine does not have: nothing. */
int          dss_group_set(struct engine *eng, uint32_t net, uint32_t version, uint32_t nr, const struct crt_member *members) MUST_CHECK;
/** The primary network as the engine was started with, for who opens a client beside it; strings are the engine's. */
const struct crt_attr *dss_fabric(struct engine *eng);
struct hlc  *dss_hlc(struct engine *eng);
struct d_tm *dss_tm(struct engine *eng);
const char  *dss_storage_path(struct engine *eng);   /**< directory of the engine's own files */
const char  *dss_sys_name(struct engine *eng);
void         dss_system_uuid(struct engine *eng, uuid_t uuid);
/** Device @idx from 0; -DER_NONEXIST: there are no more. Strings are the engine's. */
struct dss_dev_info {
	const char           *path;
	const char           *class_name;
	uint32_t              roles;
	struct bio_dev_space  space;
	unsigned char         uuid[16];
	struct bio_dev_health health;
	bool                  faulty;
	uint64_t              max_io_errs, max_csum_errs; /**< that many make it faulty; 0: never */
};
int          dss_dev_info(struct engine *eng, uint32_t idx, struct dss_dev_info *ret_info) MUST_CHECK;
/** What lies on device @idx (bio_blob_list); @cb runs on a helper thread. NONEXIST, or what @cb returned. */
MAY_YIELD int dss_dev_blobs(struct engine *eng, uint32_t idx, int (*cb)(const struct bio_blob_id *id, uint64_t bytes, void *arg),
			    void *arg) MUST_CHECK;
/** The device is not to be used any more (bio_dev_set_faulty). NONEXIST */
int          dss_dev_set_faulty(struct engine *eng, const unsigned char uuid[16]) MUST_CHECK;
void         dss_dev_space(struct engine *eng, uint64_t *scm_total, uint64_t *scm_free, uint64_t *nvme_total, uint64_t *nvme_free);
uint32_t     dss_xs_nr(struct engine *eng);          /**< system, monitoring, targets, helpers */
uint32_t     dss_instance_idx(struct engine *eng);
/** Fault points of this engine, for d_fault_error(). */
struct d_faults *dss_faults(struct engine *eng);
/** Data that a module keeps for the whole engine, by module id; set in sm_init. */
void *dss_module_data(struct engine *eng, enum crt_mod_id mod);
void  dss_module_set_data(struct engine *eng, enum crt_mod_id mod, void *data);

/** Start a ULT on: the system xstream, or target @tgt. Detached when ret_ult is NULL. */
int dss_ult_create(struct engine *eng, uint32_t xs_id, enum ult_pool pool, ult_fn_t fn, void *arg, struct ult **ret_ult) MUST_CHECK;
#define DSS_XS_OF_TGT(tgt) (DSS_TAG_TGT0 + (tgt))
/** Run fn(arg) in a ULT there and wait for its value. */
MAY_YIELD int dss_ult_execute(struct engine *eng, uint32_t xs_id, int (*fn)(void *arg), void *arg) MUST_CHECK;
/** Run fn(arg, tgt) on every target at once, wait for all; the first error in target order, or 0. */
MAY_YIELD int dss_tgt_collective(struct engine *eng, int (*fn)(void *arg, uint32_t tgt), void *arg) MUST_CHECK;

/** Send and wait: the ULT alone is suspended. Returns the transport's status; cr_output is valid on 0
 *  until crt_req_decref(), which the caller does in any case. */
MAY_YIELD int dss_rpc_send(crt_rpc_t *rpc) MUST_CHECK;
/**
 * The same request to several ranks at once. @fill sets the input, the same each time; @done sees each outcome (rpc valid during
 * the call; NULL: there was no memory for one). To many ranks it travels over relays, who ask their part of them: then the ranks
 * of a relay that does not answer are asked again, so the request is one that may be carried out twice.
 */
MAY_YIELD int dss_rpc_multicast(struct dss_xstream *dx, const d_rank_list_t *ranks, uint32_t tag, crt_opcode_t opc,
				void (*fill)(crt_rpc_t *rpc, void *arg), int (*done)(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg), void *arg) MUST_CHECK;
/** The same for a request that may not: ranks whose relay does not answer have its error. */
MAY_YIELD int dss_rpc_multicast_once(struct dss_xstream *dx, const d_rank_list_t *ranks, uint32_t tag, crt_opcode_t opc,
				     void (*fill)(crt_rpc_t *rpc, void *arg), int (*done)(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg),
				     void *arg) MUST_CHECK;
MAY_YIELD int dss_bulk_transfer(const struct crt_bulk_desc *desc) MUST_CHECK;

/* ---- tasks with dependencies (daos/tse.h) ---- */

/**
 * The task scheduler of the calling xstream, progressed with its other work. Task functions, their callbacks and those of the
 * RPCs they send run on the xstream's scheduler, or in whoever completes a task: they never yield; who has to wait is a ULT. Its tasks are made,
 * scheduled and completed on this xstream only (from elsewhere: dss_ult_create()). When the engine stops, after the last
 * request has ended and the network is closed, tasks that are left end with -DER_CANCELED; their callbacks send nothing then.
 * NULL: the xstream is being closed; tse_task_create() then says INVAL.
 */
tse_sched_t *dss_sched(void);
/**
 * Schedule @task, of dss_sched(), and suspend the calling ULT until it has completed for good: its callbacks have run and none
 * started it anew. Takes the creator's reference, also on errors. Returns the task's result.
 * Errors: NOMEM the task ended with it, without having run | those of the task, CANCELED among them
 */
MAY_YIELD int dss_task_wait(tse_task_t *task) MUST_CHECK;

/** Call daos_server (drpc socket of the engine's parent) from a ULT: runs on a helper thread. @ret_body is taken by the caller, free(). */
MAY_YIELD int dss_drpc_upcall(struct engine *eng, int32_t module, int32_t method, const void *body, size_t body_bytes,
			      void **ret_body, size_t *ret_body_bytes) MUST_CHECK;

/** Called on the monitoring xstream when another rank was found dead, unless it may be us who are cut off. One, NULL: none. */
typedef void (*dss_rank_dead_fn_t)(struct engine *eng, d_rank_t rank);
void dss_rank_dead_set(struct engine *eng, dss_rank_dead_fn_t fn);

/* ---- modules ---- */

struct dss_module_key {        /**< per-xstream data of a module */
	const char *name;
	uint32_t    tags;      /**< bit DSS_HAS_SYS | DSS_HAS_MON | DSS_HAS_TGT */
	int         index;     /**< internal */
	void     *(*init)(struct dss_xstream *dx); /**< NULL: start fails */
	MAY_YIELD void (*fini)(struct dss_xstream *dx, void *data);
};
enum { DSS_HAS_SYS = 1, DSS_HAS_MON = 2, DSS_HAS_TGT = 4 };
void *dss_module_tls(const struct dss_module_key *key); /**< of the calling xstream */

/** How the scheduler queues a request. */
struct dss_req_attr {
	uuid_t   pool;        /**< null: anonymous, runs at once */
	enum dss_req_kind { DSS_REQ_UPDATE, DSS_REQ_FETCH, DSS_REQ_OTHER } kind;
};

struct dss_drpc_call {        /**< a dRPC from daos_server; runs in a ULT of xstream 0 */
	int32_t     method;
	const void *body;     /**< borrowed */
	size_t      body_bytes;
	void       *ret_body; /**< malloc'ed by the handler, freed by the listener */
	size_t      ret_body_bytes;
	int32_t     status;   /**< drpc__status */
};
struct dss_drpc_hdlr {
	int32_t module;       /**< drpc module id, drpc/drpc_modules.h; 0 ends the array */
	MAY_YIELD void (*handler)(struct engine *eng, struct dss_drpc_call *call);
};

/** What a module exports; a shared object exports it as `dss_module_<name>`. */
struct dss_module {
	const char            *sm_name;   /**< "pool", ... */
	enum crt_mod_id        sm_mod_id;
	uint64_t               sm_facs;   /**< feature bits */
	MAY_YIELD int        (*sm_init)(struct engine *eng);    /**< on xstream 0, before requests */
	MAY_YIELD void       (*sm_fini)(struct engine *eng);
	MAY_YIELD int        (*sm_setup)(struct engine *eng);   /**< once the rank is known and the whole stack is up; may be NULL */
	MAY_YIELD void       (*sm_cleanup)(struct engine *eng); /**< before shutdown; may be NULL */
	const struct crt_proto     *sm_proto;         /**< NULL: none */
	struct dss_module_key      *sm_key;           /**< NULL: none */
	const struct dss_drpc_hdlr *sm_drpc_handlers; /**< NULL: none */
	void                      (*sm_req_attr)(crt_rpc_t *rpc, struct dss_req_attr *attr); /**< NULL: anonymous */
};

/* ---- pressure: updates wait while a target is short of space or memory, fetches go on ---- */

enum dss_pressure { DSS_PRESSURE_NONE, DSS_PRESSURE_UPDATES };
/** Asked by the scheduler of a target before it starts requests of @pool. On the scheduler: must not yield. */
typedef enum dss_pressure (*dss_pressure_fn_t)(struct dss_xstream *dx, const uuid_t pool, void *arg);
/** One asker an engine; set in sm_init. NULL: none. */
void dss_pressure_set(struct engine *eng, dss_pressure_fn_t fn, void *arg);

/** What the scheduler of an xstream did so far; read on that xstream. */
struct dss_sched_stat {
	uint64_t cycle_nr;     /**< scheduling cycles that had something queued */
	uint64_t queued_nr;    /**< requests that went through a queue */
	uint64_t direct_nr;    /**< requests that ran at once */
	uint64_t throttled_nr; /**< times an update was passed over for pressure */
	uint64_t wait_ns_sum, wait_ns_max; /**< in the queue */
	uint32_t queue_len, queue_len_max, inflight_nr;
};
void dss_sched_stat(struct dss_xstream *dx, struct dss_sched_stat *stat);

/* ---- making one; used by daos_engine, by tests and by simulation ---- */

#define ENGINE_NET_MAX     4    /**< networks: a primary, and secondary ones */
#define ENGINE_MAX_IO_ERRS 100u /**< failed requests that make a device faulty, unless something else is said */
struct engine_bdev {
	struct bio_dev_attr attr;
	bool                has_limits; /**< of its own; else those of the environment, or the default */
	uint64_t            max_io_errs, max_csum_errs; /**< so many make it faulty; 0: never */
};
struct engine_attr {
	const char *name;          /**< for logs: "engine 0" */
	const char *sys_name;      /**< "daos_server" */
	uint32_t    tgt_nr;        /**< 1.. */
	uint32_t    helper_nr;
	int         first_core;    /**< -1: no binding; with numa_node, counted in that node */
	int         numa_node;     /**< cores are those of this node; -1: any */
	const char *storage_path;  /**< -s: directory for the superblock; must exist */
	const struct engine_bdev *bdevs; uint32_t bdev_nr; /**< 0: volatile, says so */
	uint64_t    heap_bytes;    /**< DRAM for metadata of all pools; 0: no limit but the devices */
	uint32_t    relay_nr_min;  /**< requests to more ranks than this take relays; 0: 24 */
	struct crt_attr fabric;    /**< the primary network, over which engines talk to each other */
	const struct crt_attr *secondary; uint32_t secondary_nr; /**< further ones for clients, at most ENGINE_NET_MAX - 1 */
	const char *drpc_dir;      /**< socket directory; NULL: no listener, no upcalls (tests) */
	uint32_t    instance_idx;
	const char *modules;       /**< "vos,rdb,rsvc,security,mgmt,dtx,pool,cont,obj,rebuild" or a subset; NULL: default */
	const struct dss_module *const *static_modules; /**< NULL-ended; used instead of dlopen when given */
};
/** The whole ordered start-up: devices, network, xstreams, modules' sm_init; rolled back on failure. Called by a plain thread. */
MAY_YIELD int  engine_start(const struct engine_attr *attr, struct engine **ret_eng) MUST_CHECK;
/** The rank is known: run the modules' sm_setup. Called by the mgmt module (SetUp) or a test; any thread. */
MAY_YIELD int  engine_setup(struct engine *eng, d_rank_t rank) MUST_CHECK;
MAY_YIELD void engine_stop(struct engine *eng);

/** URI of tag 0 in network @net, 0: the primary. NONEXIST: there is no such network. */
int  engine_uri(struct engine *eng, uint32_t net, char *buf, size_t buf_bytes) MUST_CHECK;
/** Path of the engine's own dRPC socket; "" without one. */
const char *engine_drpc_path(struct engine *eng);
/** The same call as dss_drpc_upcall() from a plain thread: blocks. */
int  engine_drpc_upcall_blocking(struct engine *eng, int32_t module, int32_t method, const void *body, size_t body_bytes,
				 void **ret_body, size_t *ret_body_bytes) MUST_CHECK;

/** Write fresh superblocks on all devices of @attr; refuses devices that are ours already unless @force. -DER_EXIST. */
int  engine_format(const struct engine_attr *attr, const uuid_t system_uuid, bool force) MUST_CHECK;
/** Make all devices of @attr unformatted again: their content is lost. Those that are not ours are left alone, with a note. */
int  engine_erase(const struct engine_attr *attr) MUST_CHECK;
