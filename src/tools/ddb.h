/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * ddb: looks into the pools on a set of devices, offline. What is open, how things in it are named,
 * and what a command gets.
 *
 * Names: /container/object/dkey/akey/version, from the left, as far as needed. A part is a name as
 * `ls` prints it, or [n], the n-th of its list. A key that is not plain text is {uint64:N} or
 * {hex:...}.
 */
#pragma once

#include <stdio.h>
#include "bio/bio_ram.h"
#include "vos/vos_dtx_index.h"

#define DDB_DEV_MAX  8
#define DDB_NAME_MAX 512

struct ddb_dev {
	const char     *path;
	struct bio_dev *dev;
	struct bio_ram *ram; /**< reading only: a private mapping of the file */
};

struct ddb {
	bool		write;
	struct ddb_dev	devs[DDB_DEV_MAX];
	unsigned	dev_nr;
	struct vos_store store;
	struct vos_pool *pool; /**< NULL: none is open */
	FILE	       *out;
};

/** A place in the pool: as far down as not NULL. */
enum ddb_level { DDB_POOL, DDB_CONT, DDB_OBJ, DDB_DKEY, DDB_AKEY, DDB_VALUE };
struct ddb_place {
	enum ddb_level	    level;
	struct vos_cont_df *cont;
	struct vos_obj_df  *obj;
	struct vos_key_df  *dkey;
	struct vos_key_df  *akey;
	struct vos_ext	    ext; /**< a value: a single one has lo 0, hi 1 */
};

/* ---- devices and pools (ddb_open.c) ---- */

/** Error text is printed. */
int  ddb_devs_open(struct ddb *ddb) MUST_CHECK;
void ddb_devs_close(struct ddb *ddb);
/** "UUID" or "UUID/vos-TARGET"; NULL: the only one there is. */
MAY_YIELD int  ddb_pool_open(struct ddb *ddb, const char *name) MUST_CHECK;
MAY_YIELD void ddb_pool_close(struct ddb *ddb);
/** Taken apart; without target *ret_any_tgt is true. */
int ddb_pool_name(const char *name, uuid_t uuid, bool *ret_any_tgt, uint32_t *ret_tgt) MUST_CHECK;
int	       ddb_devs_list(struct ddb *ddb);

/* ---- places (ddb_place.c) ---- */

/** Called for each child, in order; not 0 ends. */
typedef int (*ddb_child_cb_t)(const struct ddb_place *child, uint32_t idx, void *arg);
int  ddb_children(struct ddb *ddb, const struct ddb_place *place, ddb_child_cb_t cb, void *arg);
void ddb_name(const struct ddb *ddb, const struct ddb_place *place, char *name);
/** NULL or "/": the pool. Says what is not there. */
int ddb_find(struct ddb *ddb, const char *path, struct ddb_place *ret_place) MUST_CHECK;

/* ---- commands (ddb_cmd.c, ddb_cmd_write.c, ddb_cmd_dev.c) ---- */

struct ddb_cmd {
	const char *name;
	const char *alias;
	const char *args;
	const char *help;
	bool	    needs_pool;
	bool	    writes;
	MAY_YIELD int (*run)(struct ddb *ddb, int argc, char **argv);
};
extern const struct ddb_cmd ddb_write_cmds[];
extern const unsigned	    ddb_write_cmd_nr;
extern const struct ddb_cmd ddb_dev_cmds[];
extern const unsigned	    ddb_dev_cmd_nr;
/** Does @line begin with a command that needs no pool? */
bool ddb_needs_no_pool(const char *line);
/** The command `repair'. */
MAY_YIELD int ddb_repair(struct ddb *ddb);
/** Run one line. 0, an error (said), or DDB_QUIT. */
#define DDB_QUIT 1
MAY_YIELD int ddb_line(struct ddb *ddb, char *line);
/** Say what was wrong and give it back. */
int ddb_say(const char *what, int rc);
