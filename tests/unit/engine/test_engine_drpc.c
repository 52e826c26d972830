/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The engine's dRPC socket: dispatch, slow and garbled clients; calls to the control server. */
#include "engine_testlib.h"
#include <daos_errno.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "drpc/drpc.h"
#include "platform/platform.h"

/* ---- a module with two handlers ---- */

static _Atomic int   calls_nr, blocked_nr;
static struct ult_eventual gate;

MAY_YIELD static void
echo(struct engine *eng, struct dss_drpc_call *call)
{
	(void)eng;
	assert_int_equal(dss_self()->dx_id, DSS_TAG_SYS);
	calls_nr++;
	if (call->method == 2) {
		call->status = DRPC__STATUS__UNKNOWN_METHOD;
		return;
	}
	if (call->method == 3) {
		blocked_nr++;
		ult_eventual_wait(&gate);
	}
	call->ret_body = malloc(call->body_bytes + 1);
	assert_non_null(call->ret_body);
	for (size_t i = 0; i < call->body_bytes; i++)
		((char *)call->ret_body)[i] = ((const char *)call->body)[call->body_bytes - 1 - i];
	call->ret_body_bytes = call->body_bytes;
	call->status = DRPC__STATUS__SUCCESS;
}

static const struct dss_drpc_hdlr handlers[] = {{DRPC_MODULE_MGMT, echo}, {DRPC_MODULE_SRV, echo}, {0, NULL}};

MAY_YIELD static int
mod_init(struct engine *eng)
{
	(void)eng;
	return 0;
}

MAY_YIELD static void
mod_fini(struct engine *eng)
{
	(void)eng;
}

static const struct dss_module drpc_module = {.sm_name = "drpc_test",
					      .sm_mod_id = CRT_MOD_RDBT,
					      .sm_init = mod_init,
					      .sm_fini = mod_fini,
					      .sm_drpc_handlers = handlers};
static const struct dss_module *const modules[] = {&drpc_module, NULL};

struct fixture {
	struct et_world w;
	struct engine  *eng;
	const char     *path;
};

static int
setup(void **state)
{
	static struct fixture f;
	struct et_opts        opts = {.modules = modules};

	calls_nr = blocked_nr = 0;
	ult_eventual_init(&gate);
	et_world_init(&f.w);
	opts.drpc_dir = f.w.dir;
	f.eng = et_start(&f.w, 0, &opts);
	f.path = engine_drpc_path(f.eng);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	et_world_fini(&f->w);
	return 0;
}

static int
raw_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int                fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0 && strlen(path) < sizeof(addr.sun_path));
	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/** A call as it goes over the wire. */
static size_t
frame(char *buf, size_t bytes, int module, int method, const char *body)
{
	Drpc__Call call = DRPC__CALL__INIT;
	uint32_t   len;

	call.module = module;
	call.method = method;
	call.sequence = 77;
	call.body.data = (uint8_t *)body;
	call.body.len = strlen(body);
	len = drpc__call__get_packed_size(&call);
	assert_true(len + 4 <= bytes);
	memcpy(buf, &len, 4);
	drpc__call__pack(&call, (uint8_t *)buf + 4);
	return len + 4;
}

static void
read_all(int fd, void *buf, size_t bytes)
{
	for (size_t got = 0; got < bytes;) {
		ssize_t n = read(fd, (char *)buf + got, bytes - got);

		assert_true(n > 0);
		got += n;
	}
}

/* ---- tests ---- */

static void
test_dispatch(void **state)
{
	struct fixture *f = *state;
	void           *body;
	size_t          len;

	assert_int_equal(drpc_call(f->path, DRPC_MODULE_MGMT, 1, "hello", 5, 10, &body, &len), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(body, "olleh", 5);
	free(body);
	assert_int_equal(drpc_call(f->path, DRPC_MODULE_SRV, 1, NULL, 0, 10, &body, &len), 0);
	assert_int_equal(len, 0);
	free(body);
	/* no such module, no such method */
	assert_int_equal(drpc_call(f->path, 99, 1, "x", 1, 10, &body, &len), -DER_UNREG);
	assert_int_equal(drpc_call(f->path, DRPC_MODULE_TEST, 1, "x", 1, 10, &body, &len), -DER_UNREG);
	assert_int_equal(drpc_call(f->path, DRPC_MODULE_MGMT, 2, "x", 1, 10, &body, &len), -DER_UNREG);
	assert_int_equal(calls_nr, 3);
}

static void
test_partial_reads(void **state)
{
	struct fixture *f = *state;
	Drpc__Response *resp;
	char            buf[256];
	size_t          bytes = frame(buf, sizeof(buf), DRPC_MODULE_MGMT, 1, "piecemeal");
	uint32_t        len;
	void           *body;
	size_t          body_len;
	int             fd = raw_connect(f->path);

	for (size_t i = 0; i < bytes; i++) {
		assert_int_equal(write(fd, buf + i, 1), 1);
		/* others are served between the pieces */
		if (i % 8 == 0) {
			assert_int_equal(drpc_call(f->path, DRPC_MODULE_MGMT, 1, "a", 1, 10, &body, &body_len), 0);
			free(body);
		}
	}
	read_all(fd, &len, 4);
	assert_true(len < sizeof(buf));
	read_all(fd, buf, len);
	resp = drpc__response__unpack(NULL, len, (uint8_t *)buf);
	assert_non_null(resp);
	assert_int_equal(resp->sequence, 77);
	assert_int_equal(resp->status, DRPC__STATUS__SUCCESS);
	assert_int_equal(resp->body.len, 9);
	assert_memory_equal(resp->body.data, "laemeceip", 9);
	drpc__response__free_unpacked(resp, NULL);
	close(fd);
}

static void
test_oversize_and_garbage(void **state)
{
	struct fixture *f = *state;
	uint32_t        huge = 0x7fffffff;
	char            buf[256];
	void           *body;
	size_t          len;
	int             fd = raw_connect(f->path);

	assert_int_equal(write(fd, &huge, 4), 4);
	while (read(fd, buf, sizeof(buf)) > 0)
		; /* an answer, perhaps, then the end */
	close(fd);
	fd = raw_connect(f->path);
	memset(buf, 0xee, sizeof(buf));
	huge = 60;
	memcpy(buf, &huge, 4);
	assert_int_equal(write(fd, buf, 64), 64);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
	/* leaves in the middle of a frame */
	fd = raw_connect(f->path);
	assert_int_equal(write(fd, buf, 3), 3);
	close(fd);
	assert_int_equal(drpc_call(f->path, DRPC_MODULE_MGMT, 1, "ok", 2, 10, &body, &len), 0);
	free(body);
	assert_int_equal(calls_nr, 1);
}

static void
slow_call(void *arg)
{
	struct fixture *f = arg;
	void           *body = NULL;
	size_t          len;

	/* The answer may or may not get out before the socket closes. */
	if (drpc_call(f->path, DRPC_MODULE_MGMT, 3, "slow", 4, 30, &body, &len) == 0)
		free(body);
}

static void
open_gate(void *arg)
{
	(void)arg;
	while (blocked_nr == 0)
		sched_yield();
	for (int i = 0; i < 1000; i++)
		sched_yield();
	ult_eventual_set(&gate, 0);
}

static void
test_stop_waits_for_calls(void **state)
{
	struct fixture     *f = *state;
	struct plat_thread *caller, *opener;
	char                path[128];

	snprintf(path, sizeof(path), "%s", f->path);
	assert_int_equal(plat_thread_create("caller", slow_call, f, &caller), 0);
	while (blocked_nr == 0)
		sched_yield();
	assert_int_equal(plat_thread_create("opener", open_gate, NULL, &opener), 0);
	et_stop(&f->w, 0);
	assert_int_not_equal(access(path, F_OK), 0);
	plat_thread_join(caller);
	plat_thread_join(opener);
}

/* ---- upcalls ---- */

static void
server_handler(struct drpc_request *req, void *arg)
{
	(void)arg;
	if (req->method == 5)
		drpc_reply(req, DRPC__STATUS__FAILURE, NULL, 0);
	else
		drpc_reply(req, DRPC__STATUS__SUCCESS, req->body, req->body_bytes);
}

struct server {
	struct drpc_listener *l;
	_Atomic bool          stop;
};

static void
server_main(void *arg)
{
	struct server *s = arg;

	while (!s->stop)
		(void)!drpc_progress(s->l, 10);
}

MAY_YIELD static int
upcall_ult(void *arg)
{
	struct fixture *f = arg;
	void           *body = NULL;
	size_t          len = 0;
	int             rc;

	rc = dss_drpc_upcall(f->eng, DRPC_MODULE_SRV, 1, "ping", 4, &body, &len);
	if (rc != 0)
		return rc;
	assert_int_equal(len, 4);
	assert_memory_equal(body, "ping", 4);
	free(body);
	assert_int_equal(dss_drpc_upcall(f->eng, DRPC_MODULE_SRV, 1, "ping", 4, NULL, NULL), 0);
	return dss_drpc_upcall(f->eng, DRPC_MODULE_SRV, 5, "ping", 4, &body, &len);
}

static void
test_upcall(void **state)
{
	struct fixture     *f = *state;
	struct server       s = {0};
	struct plat_thread *thread;
	char                path[128];

	assert_int_equal(et_run(f->eng, 0, upcall_ult, f), -DER_NONEXIST); /* no server */
	snprintf(path, sizeof(path), "%s/daos_server.sock", f->w.dir);
	assert_int_equal(drpc_listen(path, 0600, server_handler, NULL, &s.l), 0);
	assert_int_equal(plat_thread_create("server", server_main, &s, &thread), 0);
	assert_int_equal(et_run(f->eng, 0, upcall_ult, f), -DER_MISC);
	s.stop = true;
	plat_thread_join(thread);
	drpc_listener_close(s.l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_dispatch, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_partial_reads, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_oversize_and_garbage, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stop_waits_for_calls, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_upcall, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
