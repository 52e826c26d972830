/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Durable heaps: close and open, group commit, log wrap, background checkpoints, power loss. */
#include <signal.h>
#include <sys/wait.h>
#include "umem_fixture.h"

#define MIB (1u << 20)

static uint64_t
env_seeds(uint64_t otherwise)
{
	const char *nr = getenv("UMEM_SEEDS");

	return nr == NULL ? otherwise : strtoull(nr, NULL, 0);
}

/* ---- plain ---- */

MAY_YIELD static void
clean_close_ult(void *arg)
{
	struct fix      *f = arg;
	struct fix_model m = {0};
	struct umem_stat stat;
	uint64_t         tx_nr = 0;

	assert_int_equal(fix_format(f), 0);
	for (int round = 0; round < 5; round++) {
		assert_int_equal(fix_open(f), 0);
		umem_stat(f->u, &stat);
		assert_int_equal(stat.replayed_tx_nr, 0);
		fix_model_advance(&m, f->seed, tx_nr);
		fix_compare(f, &m);
		for (int i = 0; i < 200; i++)
			assert_int_equal(fix_next_tx(f, &tx_nr), 0);
		fix_close(f);
	}
	fix_model_drop(&m);
}

static void
clean_close_replays_nothing(void **state)
{
	struct fix f = {.seed = 1};

	fix_create(&f, 2 * MIB, 4 * MIB, true);
	fix_run(clean_close_ult, &f);
	bio_ram_destroy(f.ram);
}

/** Without checkpoints: everything is in the log only. The log laps are covered by the seeds below. */
MAY_YIELD static void
replay_ult(void *arg)
{
	struct fix      *f = arg;
	struct fix_model m = {0};
	struct umem_stat stat;
	uint64_t         tx_nr = 0;

	assert_int_equal(fix_format(f), 0);
	assert_int_equal(bio_ram_track(f->ram), 0);
	assert_int_equal(fix_open(f), 0);
	umem_set_checkpoint(f->u, 0, 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(fix_next_tx(f, &tx_nr), 0);
	bio_ram_fail_after(f->ram, 0);
	fix_close(f);
	bio_ram_power_loss(f->ram, 3);
	assert_int_equal(fix_open(f), 0);
	umem_stat(f->u, &stat);
	assert_int_equal(stat.replayed_tx_nr, 50);
	fix_model_advance(&m, f->seed, tx_nr);
	fix_compare(f, &m);
	fix_close(f);
	fix_model_drop(&m);
}

static void
log_alone_restores_everything(void **state)
{
	struct fix f = {.seed = 2};

	fix_create(&f, 4 * MIB, 4 * MIB, true);
	fix_run(replay_ult, &f);
	bio_ram_destroy(f.ram);
}

/* ---- group commit ---- */

struct committer {
	struct fix *f;
	int         nr;
};

MAY_YIELD static void
committer_ult(void *arg)
{
	struct committer *c = arg;
	uint64_t          tx_nr;

	while (c->nr-- > 0)
		assert_int_equal(fix_next_tx(c->f, &tx_nr), 0);
}

MAY_YIELD static void
group_ult(void *arg)
{
	struct fix      *f = arg;
	struct committer cs[32];
	struct ult      *ults[32];
	struct umem_stat stat;

	assert_int_equal(fix_format(f), 0);
	assert_int_equal(fix_open(f), 0);
	for (int i = 0; i < 32; i++) {
		cs[i] = (struct committer){f, 10};
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, committer_ult, &cs[i], 0, &ults[i]), 0);
	}
	for (int i = 0; i < 32; i++)
		ult_join(ults[i]);
	umem_stat(f->u, &stat);
	assert_int_equal(stat.tx_nr, 320);
	assert_true(stat.log_write_nr <= 40); /* some 32 to a write */
	fix_close(f);
}

static void
commits_share_writes(void **state)
{
	struct fix f = {.seed = 3};

	fix_create(&f, 4 * MIB, 8 * MIB, true);
	fix_run(group_ult, &f);
	bio_ram_destroy(f.ram);
}

/* ---- a log much smaller than what goes through it ---- */

MAY_YIELD static void
lap_ult(void *arg)
{
	struct fix      *f = arg;
	struct fix_model m = {0};
	struct committer cs[8];
	struct ult      *ults[8];
	struct umem_stat stat;

	assert_int_equal(fix_format(f), 0);
	assert_int_equal(fix_open(f), 0);
	umem_set_checkpoint(f->u, 0, 0);
	for (int i = 0; i < 8; i++) {
		cs[i] = (struct committer){f, 600};
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, committer_ult, &cs[i], 0, &ults[i]), 0);
	}
	for (int i = 0; i < 8; i++)
		ult_join(ults[i]);
	umem_stat(f->u, &stat);
	assert_true(stat.checkpoint_nr >= 3);
	fix_model_advance(&m, f->seed, 4800);
	fix_compare(f, &m);
	fix_close(f);
	assert_int_equal(fix_open(f), 0);
	fix_compare(f, &m);
	fix_close(f);
	fix_model_drop(&m);
}

static void
a_full_log_waits_for_its_checkpoint(void **state)
{
	struct fix f = {.seed = 4};

	fix_create(&f, 1 * MIB, 8 * MIB, true);
	fix_run(lap_ult, &f);
	bio_ram_destroy(f.ram);
}

MAY_YIELD static void
too_large_ult(void *arg)
{
	struct fix      *f   = arg;
	umem_off_t       off = 0;
	uint64_t         seq;
	struct umem_stat before, after;

	assert_int_equal(fix_format(f), 0);
	assert_int_equal(fix_open(f), 0);
	umem_stat(f->u, &before);
	umem_tx_begin(f->u);
	assert_int_equal(umem_alloc(f->u, 2 * MIB, &off), 0);
	memset(umem_ptr(f->u, off), 1, 2 * MIB);
	assert_int_equal(umem_tx_commit_async(f->u, &seq), -DER_NOSPACE);
	umem_stat(f->u, &after);
	assert_int_equal(before.used_bytes, after.used_bytes);
	/* Zeroes cost nothing. */
	umem_tx_begin(f->u);
	assert_int_equal(umem_alloc(f->u, 2 * MIB, &off), 0);
	assert_int_equal(umem_tx_commit(f->u), 0);
	umem_stat(f->u, &after);
	assert_true(after.log_used_bytes < 16384);
	fix_close(f);
}

#define BIG_BYTES (256u << 10)

/** Commit @nr transactions of BIG_BYTES; the most log there was. */
MAY_YIELD static uint64_t
write_big(struct fix *f, umem_off_t off, int nr)
{
	uint64_t         most = 0;
	struct umem_stat stat;

	for (int i = 0; i < nr; i++) {
		umem_tx_begin(f->u);
		assert_int_equal(umem_tx_add(f->u, umem_ptr(f->u, off), BIG_BYTES), 0);
		memset(umem_ptr(f->u, off), i + 1, BIG_BYTES);
		assert_int_equal(umem_tx_commit(f->u), 0);
		umem_stat(f->u, &stat);
		most = MAX_OF(most, stat.log_used_bytes);
	}
	return most;
}

MAY_YIELD static void
replay_bound_ult(void *arg)
{
	struct fix      *f   = arg;
	umem_off_t       off = UMEM_NULL;
	struct umem_stat stat;
	uint64_t         most;

	assert_int_equal(fix_format(f), 0);
	assert_int_equal(bio_ram_track(f->ram), 0);
	f->replay_ms = 40;
	assert_int_equal(fix_open(f), 0);
	umem_tx_begin(f->u);
	assert_int_equal(umem_alloc(f->u, BIG_BYTES, &off), 0);
	assert_int_equal(umem_tx_commit(f->u), 0);
	umem_stat(f->u, &stat);
	assert_int_equal(stat.replay_bytes, stat.replay_rate / 1000 * 40 / 100 * 75);
	assert_true(stat.replay_bytes < stat.log_bytes / 4);
	most = write_big(f, off, 200);
	assert_true(most < 2 * stat.replay_bytes);
	umem_stat(f->u, &stat);
	assert_true(stat.checkpoint_nr >= 4);

	/* A replay that was long enough tells the rate. */
	assert_int_equal(umem_checkpoint(f->u), 0);
	umem_set_checkpoint(f->u, 0, 0);
	assert_true(write_big(f, off, 40) >= 40 * BIG_BYTES);
	bio_ram_fail_after(f->ram, 0);
	fix_close(f);
	bio_ram_power_loss(f->ram, 3);
	assert_int_equal(fix_open(f), 0);
	umem_stat(f->u, &stat);
	assert_int_equal(stat.replayed_tx_nr, 40);
	assert_int_not_equal(stat.replay_rate, 250u << 20);
	assert_int_equal(stat.replay_bytes, MIN_OF(stat.replay_rate * 40 / 1000 / 100 * 75, stat.log_bytes / 100 * 60));
	fix_close(f);
}

static void
checkpoints_keep_the_replay_short(void **state)
{
	struct fix f = {.seed = 6};

	fix_create(&f, 64 << 20, 64 << 20, true);
	fix_run(replay_bound_ult, &f);
	bio_ram_destroy(f.ram);
}

static void
a_transaction_larger_than_the_log_is_refused(void **state)
{
	struct fix f = {.seed = 4};

	fix_create(&f, 1 * MIB, 8 * MIB, true);
	fix_run(too_large_ult, &f);
	bio_ram_destroy(f.ram);
}

/* ---- end callbacks ---- */

struct end_order {
	struct umem *u;
	int          next;
	uint64_t     seqs[4];
};

struct end_one {
	struct end_order *order;
	int               idx;
};

static void
note_order(void *arg, int rc)
{
	struct end_one *one = arg;

	assert_int_equal(rc, 0);
	assert_int_equal(one->order->next, one->idx);
	assert_true(one->order->u->log->durable_seq >= one->order->seqs[one->idx]);
	one->order->next++;
}

MAY_YIELD static void
end_order_ult(void *arg)
{
	struct fix      *f     = arg;
	struct end_order order = {0};
	struct end_one   ones[4];

	assert_int_equal(fix_format(f), 0);
	assert_int_equal(fix_open(f), 0);
	order.u = f->u;
	for (int i = 0; i < 4; i++) {
		ones[i] = (struct end_one){&order, i};
		umem_tx_begin(f->u);
		assert_int_equal(umem_tx_add(f->u, &fix_root(f)->cells, 16), 0);
		assert_int_equal(umem_tx_on_end(f->u, note_order, &ones[i]), 0);
		assert_int_equal(umem_tx_commit_async(f->u, &order.seqs[i]), 0);
		assert_int_equal(order.next, 0); /* nothing has yielded */
	}
	assert_int_equal(umem_wait_durable(f->u, order.seqs[3]), 0);
	assert_int_equal(order.next, 4);
	fix_close(f);
}

static void
end_callbacks_come_in_order_when_durable(void **state)
{
	struct fix f = {.seed = 6};

	fix_create(&f, 1 * MIB, 4 * MIB, true);
	fix_run(end_order_ult, &f);
	bio_ram_destroy(f.ram);
}

/* ---- a real file and a real kill ---- */

struct victim {
	struct fix       f;
	struct fix_model m;
	int              ack_fd;
	uint64_t         acked;
};

MAY_YIELD static void
victim_ult(void *arg)
{
	struct victim *v     = arg;
	uint64_t       tx_nr = 0;

	if (fix_open(&v->f) != 0)
		_exit(1);
	umem_set_checkpoint(v->f.u, 0, 3);
	while (fix_next_tx(&v->f, &tx_nr) == 0) {
		if (write(v->ack_fd, &tx_nr, sizeof(tx_nr)) != sizeof(tx_nr))
			_exit(2);
	}
	_exit(3);
}

/** Let a process commit, kill it after @ack_nr acknowledgements, take those that were still said. */
static void
kill_victim(struct victim *v, int ack_nr)
{
	int   fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		v->ack_fd = fds[1];
		fix_run(victim_ult, v);
		_exit(4);
	}
	close(fds[1]);
	for (int i = 0; i < ack_nr; i++)
		assert_int_equal(read(fds[0], &v->acked, sizeof(v->acked)), sizeof(v->acked));
	kill(pid, SIGKILL);
	while (read(fds[0], &v->acked, sizeof(v->acked)) == sizeof(v->acked))
		continue;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

MAY_YIELD static void
format_ult(void *arg)
{
	assert_int_equal(fix_format(arg), 0);
}

MAY_YIELD static void
survivor_ult(void *arg)
{
	struct victim *v = arg;
	uint64_t       tx_nr;

	assert_int_equal(fix_open(&v->f), 0);
	tx_nr = fix_root(&v->f)->tx_nr;
	assert_true(tx_nr >= v->acked && tx_nr <= v->acked + 1);
	fix_model_advance(&v->m, v->f.seed, tx_nr);
	fix_compare(&v->f, &v->m);
	if (tx_nr % 2 == 0) {
		fix_close(&v->f);
		return;
	}
	/* Close without a checkpoint: the next process replays what this one has read. */
	v->f.u->err = -DER_IO;
	fix_close(&v->f);
}

static void
a_killed_process_loses_nothing(void **state)
{
	char          dir[] = "/tmp/umem_kill_XXXXXX", path[64];
	struct victim v     = {.f.seed = 7};

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/dev", dir);
	v.f.path = path;
	fix_create(&v.f, 1 * MIB, 4 * MIB, false);
	fix_run(format_ult, &v.f);
	for (int round = 0; round < 8; round++) {
		kill_victim(&v, 1 + round * 9);
		fix_run(survivor_ult, &v);
	}
	fix_model_drop(&v.m);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- failing device ---- */

static void
count_failed_end(void *arg, int rc)
{
	assert_int_equal(rc, -DER_IO);
	(*(int *)arg)++;
}

MAY_YIELD static void
poison_ult(void *arg)
{
	struct fix *f       = arg;
	uint64_t    tx_nr   = 0;
	int         end_nr  = 0;

	assert_int_equal(fix_format(f), 0);
	assert_int_equal(fix_open(f), 0);
	assert_int_equal(fix_next_tx(f, &tx_nr), 0);
	bio_ram_fail_after(f->ram, 0);
	umem_tx_begin(f->u);
	assert_int_equal(umem_tx_on_end(f->u, count_failed_end, &end_nr), 0);
	assert_int_equal(umem_tx_commit(f->u), -DER_IO);
	assert_int_equal(end_nr, 1);
	assert_int_equal(fix_next_tx(f, &tx_nr), -DER_IO);
	assert_int_equal(fix_root(f)->tx_nr, 1);
	assert_int_equal(umem_checkpoint(f->u), -DER_IO);
	assert_int_equal(umem_wait_durable(f->u, 1), 0);
	fix_close(f);
}

static void
a_failed_log_refuses_transactions(void **state)
{
	struct fix f = {.seed = 5};

	fix_create(&f, 1 * MIB, 4 * MIB, true);
	fix_run(poison_ult, &f);
	bio_ram_destroy(f.ram);
}

/* ---- power loss ---- */

struct crash {
	struct fix       f;
	struct fix_model m;
	uint64_t         acked;  /**< transactions acknowledged */
	uint64_t         begun;  /**< and begun */
	uint64_t         rng;
};

MAY_YIELD static void
crash_committer(void *arg)
{
	struct crash *c = arg;
	uint64_t      tx_nr;

	for (int i = 0; i < 3000; i++) {
		tx_nr = 0;
		if (fix_next_tx(&c->f, &tx_nr) != 0)
			break;
		c->acked = MAX_OF(c->acked, tx_nr);
		if (fix_random(&c->rng) % 64 == 0 && umem_checkpoint(c->f.u) != 0)
			break;
	}
	c->begun = fix_root(&c->f)->tx_nr;
}

/** Transactions until the device fails, at a random write. */
MAY_YIELD static void
crash_run(struct crash *c)
{
	struct ult *ults[6];
	int         nr = 1 + fix_random(&c->rng) % 6;

	for (int i = 0; i < nr; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, crash_committer, c, 0, &ults[i]), 0);
	for (int i = 0; i < nr; i++)
		ult_join(ults[i]);
	fix_close(&c->f);
}

MAY_YIELD static void
crash_ult(void *arg)
{
	struct crash *c  = arg;
	int           rc = fix_format(&c->f);

	assert_int_equal(rc, 0);
	assert_int_equal(bio_ram_track(c->f.ram), 0);
	for (int round = 0; round < 6; round++) {
		/* Now and then the device fails while opening; that must not lose anything either. */
		if (fix_random(&c->rng) % 3 == 0) {
			bio_ram_fail_after(c->f.ram, fix_random(&c->rng) % 12);
			rc = fix_open(&c->f);
			if (rc == 0)
				fix_close(&c->f);
			bio_ram_power_loss(c->f.ram, fix_random(&c->rng));
		}
		assert_int_equal(fix_open(&c->f), 0);
		assert_true(fix_root(&c->f)->tx_nr >= c->acked);
		assert_true(round == 0 || fix_root(&c->f)->tx_nr <= c->begun);
		c->acked = fix_root(&c->f)->tx_nr;
		fix_model_advance(&c->m, c->f.seed, c->acked);
		fix_compare(&c->f, &c->m);
		umem_set_checkpoint(c->f.u, 0, fix_random(&c->rng) % 60);
		bio_ram_fail_after(c->f.ram, fix_random(&c->rng) % 400);
		crash_run(c);
		bio_ram_power_loss(c->f.ram, fix_random(&c->rng));
	}
}

static void
power_loss_keeps_what_was_acknowledged(void **state)
{
	for (uint64_t seed = 1; seed <= env_seeds(300); seed++) {
		struct crash c = {.f.seed = seed, .rng = seed * 0x9e3779b97f4a7c15ULL};

		fix_create(&c.f, 1 * MIB, 4 * MIB, seed % 4 != 0);
		fix_run(crash_ult, &c);
		fix_model_drop(&c.m);
		bio_ram_destroy(c.f.ram);
	}
}

MAY_YIELD static void
failing_close_ult(void *arg)
{
	struct fix      *f = arg;
	struct fix_model m = {0};
	uint64_t         tx_nr = 0;

	assert_int_equal(fix_format(f), 0);
	assert_int_equal(bio_ram_track(f->ram), 0);
	for (uint64_t n = 0; n < 12; n++) {
		assert_int_equal(fix_open(f), 0);
		fix_model_advance(&m, f->seed, tx_nr);
		fix_compare(f, &m);
		assert_int_equal(fix_next_tx(f, &tx_nr), 0);
		/* Nothing is left to be written but the seal. */
		assert_int_equal(umem_checkpoint(f->u), 0);
		f->u->log->seal_due = n < 6;
		bio_ram_fail_after(f->ram, n % 6);
		fix_close(f);
		bio_ram_power_loss(f->ram, n);
	}
	assert_int_equal(fix_open(f), 0);
	fix_model_advance(&m, f->seed, tx_nr);
	fix_compare(f, &m);
	fix_close(f);
	fix_model_drop(&m);
}

/** The device fails at any write of a close, the seal's among them. */
static void
a_close_that_fails_loses_nothing(void **state)
{
	struct fix f = {.seed = 77};

	fix_create(&f, 1 << 20, 3 << 20, false);
	fix_run(failing_close_ult, &f);
	bio_ram_destroy(f.ram);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clean_close_replays_nothing),
	    cmocka_unit_test(a_close_that_fails_loses_nothing),
	    cmocka_unit_test(log_alone_restores_everything),
	    cmocka_unit_test(commits_share_writes),
	    cmocka_unit_test(a_full_log_waits_for_its_checkpoint),
	    cmocka_unit_test(checkpoints_keep_the_replay_short),
	    cmocka_unit_test(a_transaction_larger_than_the_log_is_refused),
	    cmocka_unit_test(end_callbacks_come_in_order_when_durable),
	    cmocka_unit_test(a_killed_process_loses_nothing),
	    cmocka_unit_test(a_failed_log_refuses_transactions),
	    cmocka_unit_test(power_loss_keeps_what_was_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
