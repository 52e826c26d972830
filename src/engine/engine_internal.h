/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the files of this folder share. */
#pragma once

#include <stdatomic.h>
#include "base/fault.h"
#include "drpc/drpc.h"
#include "engine/engine.h"
#include "engine/engine_sched.h"

#define ENGINE_RELAY_NR_MIN   24  /**< the default of engine_attr.relay_nr_min */
#define ENGINE_MOD_MAX        256 /**< module ids are one byte of the opcode */
#define ENGINE_TGT_MAX        1024
#define ENGINE_HELPER_MAX     1024
#define ENGINE_DRPC_TIMEOUT_S 60
#define ENGINE_STACK_NR       16  /**< made when an xstream starts */
#define ENGINE_LONG_MS        1000 /**< the default of DAOS_SCHED_LONG_MS */

enum engine_state {
	ENGINE_STARTING, /**< requests are refused with -DER_AGAIN */
	ENGINE_RUNNING,
	ENGINE_STOPPING, /**< requests are refused with -DER_SHUTDOWN */
};

/** A context of an xstream, and how its scheduler polls it. */
struct engine_net {
	crt_context_t     ctx; /**< NULL: closed */
	struct ult_poller poller;
	struct ult_timer  timer;
	uint32_t          quiet_nr, skip_nr; /**< of a secondary: polls without anything; cycles since the last poll */
};

/** An xstream. Its thread alone touches it once it runs; starter and stopper reach it by ULTs. */
struct engine_xs {
	struct dss_xstream   pub; /**< first: what dss_self() returns */
	struct engine_net    nets[ENGINE_NET_MAX]; /**< pub.dx_ctx is nets[0].ctx */
	struct engine_sched  sched;
	tse_sched_t          tasks;      /**< engine_task.c, as the next two */
	struct ult_poller    task_poller;
	struct ult_timer     task_timer; /**< for the earliest delayed task, while the xstream may sleep */
	bool                 tasks_open;
	uint32_t             tags; /**< one DSS_HAS_*; 0 for a helper */
	bool                 bio_open;
	char                 name[16];
};

struct engine_module {
	const struct dss_module *mod;
	void                    *dl;   /**< dlopen handle; NULL: linked in */
	bool                     inited, is_set_up;
};

/** Devices by role: target t uses devs[t % nr]. Borrowed from engine.devs. */
struct engine_role { struct bio_dev **devs; uint32_t nr; };
struct engine_dev { struct bio_dev *dev; uint32_t roles; enum bio_kind kind; uint64_t max_io_errs, max_csum_errs; };

struct engine {
	char                *name, *sys_name, *storage_path, *drpc_dir;
	uint32_t             tgt_nr, helper_nr, xs_nr, instance_idx;
	int                  first_core;
	int                  numa_node;
	uint64_t             heap_bytes;
	uint32_t             relay_nr_min;
	_Atomic int          state; /**< enum engine_state */
	struct crt_attr      fabric; /**< as given; its strings are in provider, interface, domain */
	char                *provider, *interface, *domain; /**< NULL as given */
	struct d_tm         *tm;
	struct d_faults      faults;
	struct crt          *crts[ENGINE_NET_MAX]; /**< [net_nr], the primary network first */
	uint32_t             net_nr;
	struct engine_dev   *devs;
	uint32_t             dev_nr;
	struct engine_role   wal, meta, data;
	struct engine_xs   **xss;    /**< [xs_nr] */
	struct engine_module mods[ENGINE_MOD_MAX]; /**< [mod_nr], in load order */
	uint32_t             mod_nr;
	const struct dss_module *mod_by_id[ENGINE_MOD_MAX];
	void                *mod_data[ENGINE_MOD_MAX];
	_Atomic(dss_rank_dead_fn_t) rank_dead_fn;
	dss_pressure_fn_t    pressure_fn;
	void                *pressure_arg;
	struct drpc_listener *drpc;
	struct ult_poller    drpc_poller;
	char                 drpc_path[108];
	uint32_t             drpc_busy_nr;  /**< calls being handled; of xstream 0 */
	struct ult_eventual *drpc_idle;     /**< set when drpc_busy_nr falls to 0 */
	uint64_t             long_ns; /**< a ULT that keeps an xstream so long is told of in the log; 0: none */
	struct engine_watch *watch;   /**< of xstream 1 */
	bool                 is_set_up;
	bool                 cut_off; /**< a ULT of xstream 1 asks whether we are a member */
};

/* engine_device.c */
int  engine_devs_open(struct engine *eng, const struct engine_attr *attr) MUST_CHECK;
void engine_devs_close(struct engine *eng);
void engine_store_of(struct engine *eng, uint32_t tgt, struct vos_store *store);

/* engine_net.c */
int  engine_nets_open(struct engine *eng, const struct engine_attr *attr) MUST_CHECK;
void engine_nets_close(struct engine *eng);
/** In all networks. */
int  engine_proto_register(struct engine *eng, const struct crt_proto *proto) MUST_CHECK;
/** The contexts of the calling xstream. */
int  engine_net_xs_open(struct engine_xs *exs) MUST_CHECK;
void engine_net_xs_close(struct engine_xs *exs);

/* engine_module.c */
int  engine_modules_load(struct engine *eng, const struct engine_attr *attr) MUST_CHECK;
void engine_modules_unload(struct engine *eng);
MAY_YIELD int  engine_modules_init(struct engine *eng) MUST_CHECK;
MAY_YIELD void engine_modules_fini(struct engine *eng);
MAY_YIELD int  engine_modules_setup(struct engine *eng) MUST_CHECK;
MAY_YIELD void engine_modules_cleanup(struct engine *eng);

/* engine_xs.c */
MAY_YIELD int  engine_xs_start(struct engine *eng, uint32_t id, struct engine_xs **ret_exs) MUST_CHECK;
void engine_xs_stop(struct engine_xs *exs);
/** Run fn(arg) there in a ULT, wait. By ULTs and plain threads. */
MAY_YIELD int  engine_xs_call(struct engine_xs *exs, int (*fn)(void *arg), void *arg) MUST_CHECK;
int  engine_xs_tls_init(void *exs) MUST_CHECK;
MAY_YIELD int  engine_xs_tls_fini(void *exs);
MAY_YIELD int  engine_xs_close(void *exs);

/* engine_task.c; on the xstream */
int  engine_tasks_open(struct engine_xs *exs) MUST_CHECK;
/** Ends what is left with -DER_CANCELED; after the network is closed. Harmless when not open. */
void engine_tasks_close(struct engine_xs *exs);

/* engine_ult.c: completion of a request; cci_arg: struct ult_eventual */
void engine_rpc_sent(const struct crt_cb_info *info);

/* engine_drpc.c */
int  engine_drpc_start(void *eng) MUST_CHECK;
MAY_YIELD int  engine_drpc_stop(void *eng);

/* engine_watch.c; on the monitoring xstream */
int  engine_watch_start(void *eng) MUST_CHECK;
int  engine_watch_stop(void *eng);

/* engine_swim.c; on the monitoring xstream */
int  engine_swim_start(void *eng) MUST_CHECK;
int  engine_swim_stop(void *eng);
