/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What was acknowledged survives a kill: a child updates a pool on a file and tells by a pipe what
 * was done; it is killed; the next one opens the pool, checks it all, finds every value that was
 * acknowledged, and goes on.
 */
#include "vos_test_util.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/util.h"
#include "base/log.h"
#include "bio/bio.h"
#include "ult/ult.h"

#define KEY_NR	  40
#define VAL_BYTES 6000u
#define ULT_NR	  4

struct ack {
	uint32_t key;
	uint32_t gen; /**< of the value, ascending by key; 0: punched */
};

struct child {
	struct rig rig;
	char	   path[96];
	int	   fd; /**< acknowledgements out */
	uint32_t   acked[KEY_NR];
	uint64_t   epoch;
	struct rnd r;
	uint32_t   running;
};

static uint64_t
value_bytes(uint32_t key)
{
	return key % 3 == 0 ? VAL_BYTES : 50 + key;
}

static int
value_do(struct child *c, uint32_t key, uint32_t *gen, bool write)
{
	uint64_t    dkey_val = key;
	daos_key_t  dkey;
	daos_recx_t recx = {0, value_bytes(key)};
	daos_iod_t  iod = {
	     .iod_type = DAOS_IOD_ARRAY, .iod_size = 1, .iod_nr = 1, .iod_recxs = &recx};
	uint32_t   *buf = calloc(1, VAL_BYTES + 4);
	d_iov_t	    iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	uint64_t    i;
	int	    rc;

	d_iov_set(&dkey, &dkey_val, sizeof(dkey_val));
	d_iov_set(&iod.iod_name, "a", 1);
	d_iov_set(&iov, buf, recx.rx_nr);
	for (i = 0; write && i < VAL_BYTES / 4; i++)
		buf[i] = *gen;
	if (write) {
		rc = vos_obj_update(c->rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), ++c->epoch, 0,
				    &dkey, 1, &iod, &sgl);
	} else {
		rc = vos_obj_fetch(c->rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), DAOS_EPOCH_MAX, 0,
				   &dkey, 1, &iod, &sgl);
		*gen = iod.iod_size == 0 ? 0 : buf[0];
		for (i = 0; rc == 0 && i < recx.rx_nr / 4; i++)
			if (buf[i] != *gen)
				rc = -DER_CSUM; /* torn */
	}
	free(buf);
	return rc;
}

static void
must(bool ok, const char *what, int rc)
{
	if (ok)
		return;
	fprintf(stderr, "child: %s, rc %d\n", what, rc);
	_exit(1);
}

static void
tell(struct child *c, struct ack ack)
{
	must(write(c->fd, &ack, sizeof(ack)) == sizeof(ack), "write", 0);
}

static void
updater(void *arg)
{
	struct child *c = arg;
	uint32_t      me = c->running++;
	uint32_t      n;

	for (n = 0;; n++) {
		uint32_t   key = rnd_below(&c->r, KEY_NR / ULT_NR) * ULT_NR + me;
		struct ack ack = {key, c->acked[key] + 1};
		int	   rc = value_do(c, key, &ack.gen, true);

		must(rc == 0 || rc == -DER_EP_OLD, "update", rc);
		if (rc != 0)
			continue;
		c->acked[key] = ack.gen;
		tell(c, ack);
		if (me == 0 && n % 50 == 49) {
			rc = vos_aggregate(c->rig.cont, c->epoch - 20, NULL, NULL);
			must(rc == 0, "aggregate", rc);
			must(vos_gc(c->rig.pool, 1000) >= 0, "gc", 0);
		}
	}
}

static void
child_devices(struct child *c, bool format)
{
	struct bio_dev_attr attr = {.kind = BIO_FILE,
				    .path = c->path,
				    .size_bytes = 96ull << 20,
				    .roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA};
	int		    tries = 500;
	int		    rc;

	if (format)
		must(bio_dev_format(&attr, (const unsigned char *)"vos crash tests.", false) == 0,
		     "format", 0);
	/* The kernel drops a killed process's ring, and the lock with it, a little later. */
	must(d_log_setmasks("FATAL") == 0, "log masks", 0);
	while ((rc = bio_dev_open(&attr, &c->rig.dev)) == -DER_BUSY && tries-- > 0)
		ult_sleep_ns(10000000);
	must(d_log_setmasks("ERR") == 0, "log masks", 0);
	must(rc == 0, "device open", rc);
	must(bio_ctx_create(&c->rig.store.ctx) == 0, "context", 0);
	c->rig.store.wal = c->rig.store.meta = c->rig.store.data = c->rig.dev;
}

static void
child_ult(void *arg)
{
	struct child	    *c = arg;
	struct vos_pool_size size = {12 << 20, 10 << 20, 16 << 20};
	bool		     fresh = access(c->path, F_OK) != 0;
	struct vos_cont_info info;
	uint32_t	     i;
	int		     rc;

	child_devices(c, fresh);
	if (fresh)
		must(vos_pool_create(&c->rig.store, c->rig.pool_uuid, &size) == 0, "pool create",
		     0);
	rc = vos_pool_open(&c->rig.store, c->rig.pool_uuid, &c->rig.pool);
	must(rc == 0, "pool open", rc);
	must(vos_pool_check(c->rig.pool) == 0, "pool check", 0);
	if (fresh)
		must(vos_cont_create(c->rig.pool, c->rig.cont_uuid) == 0, "cont create", 0);
	must(vos_cont_open(c->rig.pool, c->rig.cont_uuid, &c->rig.cont) == 0, "cont open", 0);
	vos_cont_query(c->rig.cont, &info);
	for (i = 0; i < KEY_NR; i++) {
		uint32_t gen = 0;

		rc = value_do(c, i, &gen, false);
		must(rc == 0, "fetch", rc);
		/* The last one may have been done without the word having got out. */
		must(gen == c->acked[i] || gen == c->acked[i] + 1, "acknowledged value", (int)i);
		if (gen != c->acked[i])
			tell(c, (struct ack){i, gen}); /* else it could get ahead by one more */
		c->acked[i] = gen;
	}
	for (i = 0; i < ULT_NR; i++)
		must(ult_create(NULL, ULT_POOL_IO, updater, c, 1 << 18, NULL) == 0, "ULT", 0);
}

static void
child_main(struct child *c)
{
	struct ult_xs_attr attr = {.name = "vos_crash", .stack_bytes = 1 << 20, .core = -1};

	must(d_log_init() == 0, "log", 0);
	must(ult_xs_run(&attr, child_ult, c) == 0, "xstream", 0);
	_exit(0);
}

/** Take in acknowledgements until enough, kill, take in the rest. False: the child ended by itself.
 */
static bool
child_watch(pid_t pid, int fd, uint32_t *acked, uint64_t *epoch, uint32_t kill_at)
{
	struct ack ack;
	uint32_t   nr = 0;
	int	   status;

	while (read(fd, &ack, sizeof(ack)) == sizeof(ack)) {
		acked[ack.key] = MAX_OF(acked[ack.key], ack.gen);
		*epoch += 2;
		if (++nr == kill_at)
			kill(pid, SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return nr >= kill_at && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void
acknowledged_updates_survive_a_kill(void **state)
{
	char	      dir[] = "/tmp/vos_crash_XXXXXX";
	struct rnd    r = rnd_init("crash", 401);
	struct child *c = calloc(1, sizeof(*c));
	uint32_t      rounds = rnd_rounds(8);
	uint32_t      i;
	int	      fds[2];

	assert_non_null(mkdtemp(dir));
	snprintf(c->path, sizeof(c->path), "%s/dev", dir);
	memcpy(c->rig.pool_uuid, "pool under test.", 16);
	memcpy(c->rig.cont_uuid, "cont under test.", 16);
	for (i = 0; i < rounds; i++) {
		uint32_t kill_at = 1 + rnd_below(&r, 400);
		bool	 killed;
		pid_t	 pid;

		assert_int_equal(pipe(fds), 0);
		/* Epochs go on above whatever was used, acknowledged or not. */
		c->epoch += 1000;
		c->r = r;
		c->fd = fds[1];
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			child_main(c);
		}
		close(fds[1]);
		killed = child_watch(pid, fds[0], c->acked, &c->epoch, kill_at);
		close(fds[0]);
		assert_true(killed);
		(void)rnd_next(&r);
		/* The next child says what is there; unacknowledged ones may be ahead by one. */
	}
	(void)unlink(c->path);
	(void)rmdir(dir);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(acknowledged_updates_survive_a_kill),
	};

	return cmocka_run_group_tests_name("vos/crash", tests, NULL, NULL);
}
