/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Registers that all clients share. Two kinds: single values under keys of one object, and attributes of the pool, which
 * its raft service keeps. Each register has a history, which must be linearizable; when a register's history is full,
 * another takes its place.
 */
#include "sim.h"

#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>

#define REG_NR     6u
#define REG_OP_MAX (SIM_HISTORY_MAX - 16) /* room for calls already begun, and the last look */
#define VALUE_MAX  24000u

struct reg {
	uint32_t           id;
	struct sim_history history;
};
/** The registers of one kind, shared by all workers of it. */
struct regs {
	const char *name;
	struct reg  regs[REG_NR];
	uint32_t    next_id, checked_nr;
};
static struct regs keys = {.name = "key"};
static struct regs attrs = {.name = "attribute"};
static uint32_t    value_next;

static void
reg_check(struct regs *all, struct reg *reg)
{
	if (!sim_history_linearizable(&reg->history)) {
		sim_history_print(&reg->history, stderr);
		sim_fail("%s %u: this history is not linearizable", all->name, reg->id);
	}
	all->checked_nr++;
}

/** One to work on; a full one, when nobody is at it any more, is checked and replaced. */
static struct reg *
reg_pick(struct regs *all)
{
	struct reg *reg = &all->regs[psim_below(REG_NR)];

	if (reg->id == 0 || (reg->history.nr >= REG_OP_MAX && sim_work_holders(reg) == 0)) {
		if (reg->id != 0)
			reg_check(all, reg);
		*reg = (struct reg){.id = ++all->next_id};
	}
	return reg->history.nr >= REG_OP_MAX ? NULL : reg;
}

/**
 * What a worker does for a while: it writes, reads, or both. One that does both is soon in a write that waits for whatever is
 * wrong; only one that just reads goes on, and sees what it is told meanwhile.
 */
struct phase {
	uint64_t until_ns;
	uint32_t reads_of_4;
};

static bool
phase_reads(struct phase *phase)
{
	static const uint32_t reads_of_4[] = {0, 2, 2, 4};

	if (psim_now() >= phase->until_ns) {
		phase->until_ns = psim_now() + psim_between(5 * SIM_SEC, 40 * SIM_SEC);
		phase->reads_of_4 = reads_of_4[psim_below(4)];
	}
	return psim_below(4) < phase->reads_of_4;
}

static void
write_ended(struct reg *reg, uint32_t at, bool ok)
{
	if (ok)
		reg->history.ops[at].end_ns = psim_now();
}

static void
read_ended(struct reg *reg, uint32_t at, bool ok, uint32_t value)
{
	if (!ok) {
		sim_history_drop(&reg->history, at);
		return;
	}
	reg->history.ops[at].end_ns = psim_now();
	reg->history.ops[at].value = value;
}

/* ---- values: a number, and bytes that follow from it ---- */

static size_t
value_bytes(uint32_t value)
{
	uint64_t h = value * 0x9e3779b97f4a7c15ULL;

	return h >> 62 == 0 ? 4096 + (h >> 32) % (VALUE_MAX - 4096) : 8 + (h >> 32) % 200;
}

static void
value_fill(uint32_t value, unsigned char *buf, size_t bytes)
{
	memcpy(buf, &value, sizeof(value));
	for (size_t i = sizeof(value); i < bytes; i++)
		buf[i] = value * 31 + i * 7;
}

static uint32_t
value_read(struct sim_worker *w, uint32_t reg, const unsigned char *buf, size_t bytes)
{
	uint32_t value;

	if (bytes == 0)
		return 0;
	SIM_CHECK(bytes >= sizeof(value), "worker %u: a value of key %u is cut to %zu bytes", w->id, reg, bytes);
	memcpy(&value, buf, sizeof(value));
	SIM_CHECK(bytes == value_bytes(value), "worker %u: value %u of key %u has %zu bytes, not %zu", w->id, value, reg,
		  bytes, value_bytes(value));
	for (size_t i = sizeof(value); i < bytes; i++)
		SIM_CHECK(buf[i] == (unsigned char)(value * 31 + i * 7), "worker %u: value %u of key %u: byte %zu is wrong",
			  w->id, value, reg, i);
	return value;
}

/* ---- keys ---- */

static void
keys_open(struct sim_worker *w, daos_handle_t *ret_oh)
{
	daos_obj_id_t oid = {.lo = 7};

	SIM_RETRY(w, "making an object ID", daos_obj_generate_oid(w->coh, &oid, 0, OC_SX, 0, 0));
	SIM_RETRY(w, "opening the object of keys", daos_obj_open(w->coh, oid, DAOS_OO_RW, ret_oh, NULL));
}

static int
key_io(daos_handle_t oh, uint32_t id, unsigned char *buf, size_t *bytes, bool is_read)
{
	daos_key_t  dkey;
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_iod_t  iod = {.iod_type = DAOS_IOD_SINGLE, .iod_size = is_read ? DAOS_REC_ANY : *bytes, .iod_nr = 1};
	int         rc;

	d_iov_set(&dkey, &id, sizeof(id));
	d_iov_set(&iod.iod_name, "value", 5);
	d_iov_set(&iov, buf, *bytes);
	if (!is_read)
		return daos_obj_update(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL);
	rc = daos_obj_fetch(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL, NULL);
	*bytes = iod.iod_size;
	return rc;
}

static void
key_read(struct sim_worker *w, daos_handle_t oh, struct reg *reg, unsigned char *buf)
{
	uint32_t at, id = reg->id;
	size_t   bytes = VALUE_MAX;
	bool     ok;

	sim_call_begin(w, "reading a key");
	at = sim_history_begin(&reg->history, w->id, true, 0);
	ok = sim_call_end(w, key_io(oh, id, buf, &bytes, true), 0);
	read_ended(reg, at, ok, ok ? value_read(w, id, buf, bytes) : 0);
}

static void
key_write(struct sim_worker *w, daos_handle_t oh, struct reg *reg, unsigned char *buf)
{
	uint32_t at, value = ++value_next;
	size_t   bytes = value_bytes(value);

	value_fill(value, buf, bytes);
	sim_call_begin(w, "writing a key");
	at = sim_history_begin(&reg->history, w->id, false, value);
	write_ended(reg, at, sim_call_end(w, key_io(oh, reg->id, buf, &bytes, false), 0));
}

static void
key_punch(struct sim_worker *w, daos_handle_t oh, struct reg *reg)
{
	daos_key_t dkey;
	uint32_t   at, id = reg->id;

	d_iov_set(&dkey, &id, sizeof(id));
	sim_call_begin(w, "punching a key");
	at = sim_history_begin(&reg->history, w->id, false, 0);
	write_ended(reg, at, sim_call_end(w, daos_obj_punch_dkeys(oh, DAOS_TX_NONE, 0, 1, &dkey, NULL), -DER_NONEXIST));
}

static void
keys_run(struct sim_worker *w)
{
	daos_handle_t  oh = DAOS_HDL_INVAL;
	unsigned char *buf = malloc(VALUE_MAX);
	struct phase   phase = {0};

	keys_open(w, &oh);
	while (!sim_work_over(w)) {
		struct reg *reg = reg_pick(&keys);

		if (reg == NULL) {
			psim_sleep_ns(SIM_SEC / 10);
			continue;
		}
		w->holds = reg;
		if (phase_reads(&phase))
			key_read(w, oh, reg, buf);
		else if (psim_below(8) == 0)
			key_punch(w, oh, reg);
		else
			key_write(w, oh, reg, buf);
		w->holds = NULL;
	}
	if (daos_handle_is_valid(oh))
		(void)daos_obj_close(oh, NULL);
	free(buf);
}

static void
keys_verify(struct sim_worker *w)
{
	daos_handle_t  oh = DAOS_HDL_INVAL;
	unsigned char *buf = malloc(VALUE_MAX);

	keys_open(w, &oh);
	for (uint32_t i = 0; i < REG_NR; i++) {
		if (keys.regs[i].id == 0 || keys.regs[i].history.nr == SIM_HISTORY_MAX)
			continue;
		key_read(w, oh, &keys.regs[i], buf);
		reg_check(&keys, &keys.regs[i]);
	}
	(void)daos_obj_close(oh, NULL);
	free(buf);
}

const struct sim_work sim_work_keys = {.name = "keys", .run = keys_run, .verify = keys_verify};

/* ---- attributes of the pool ---- */

static void
attr_read(struct sim_worker *w, struct reg *reg)
{
	char        name[16];
	const char *names[] = {name};
	uint32_t    value = 0, at;
	void       *bufs[] = {&value};
	size_t      sizes[] = {sizeof(value)};
	bool        ok;

	snprintf(name, sizeof(name), "attr%u", reg->id);
	sim_call_begin(w, "reading an attribute");
	at = sim_history_begin(&reg->history, w->id, true, 0);
	ok = sim_call_end(w, daos_pool_get_attr(w->poh, 1, names, bufs, sizes, NULL), -DER_NONEXIST);
	read_ended(reg, at, ok, sizes[0] == sizeof(value) ? value : 0);
}

static void
attr_write(struct sim_worker *w, struct reg *reg)
{
	char        name[16];
	const char *names[] = {name};
	uint32_t    value = ++value_next, at;
	const void *bufs[] = {&value};
	size_t      sizes[] = {sizeof(value)};

	snprintf(name, sizeof(name), "attr%u", reg->id);
	sim_call_begin(w, "writing an attribute");
	at = sim_history_begin(&reg->history, w->id, false, value);
	write_ended(reg, at, sim_call_end(w, daos_pool_set_attr(w->poh, 1, names, bufs, sizes, NULL), 0));
}

static void
attr_run(struct sim_worker *w)
{
	struct phase phase = {0};

	while (!sim_work_over(w)) {
		struct reg *reg = reg_pick(&attrs);

		if (reg == NULL) {
			psim_sleep_ns(SIM_SEC / 10);
			continue;
		}
		w->holds = reg;
		if (phase_reads(&phase))
			attr_read(w, reg);
		else
			attr_write(w, reg);
		w->holds = NULL;
	}
}

static void
attr_verify(struct sim_worker *w)
{
	for (uint32_t i = 0; i < REG_NR; i++) {
		if (attrs.regs[i].id == 0 || attrs.regs[i].history.nr == SIM_HISTORY_MAX)
			continue;
		attr_read(w, &attrs.regs[i]);
		reg_check(&attrs, &attrs.regs[i]);
	}
}

const struct sim_work sim_work_attr = {.name = "attr", .run = attr_run, .verify = attr_verify};
