/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Attaching through an agent: a real one's socket with canned answers, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/rank_list.h"
#include "dc_test_util.h"
#include "drpc/auth.pb-c.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"

struct agent {
	char		      dir[64];
	struct drpc_listener *listener;
	struct plat_thread   *thread;
	_Atomic bool	      stop;
	int		      status;
	bool		      no_hint;
	_Atomic uint32_t      asked;
	char		      sys[64];
};
static struct agent agent;

static void
answer_attach(struct drpc_request *req)
{
	Mgmt__GetAttachInfoResp resp = MGMT__GET_ATTACH_INFO_RESP__INIT;
	Mgmt__ClientNetHint	hint = MGMT__CLIENT_NET_HINT__INIT;
	Mgmt__RankUri		uri = MGMT__RANK_URI__INIT;
	Mgmt__RankUri	       *uris[] = {&uri};
	uint32_t		ms[] = {3};
	char		       *env[] = {"DC_AGENT_TEST_ENV=from agent"};
	Mgmt__GetAttachInfoReq *in;

	in = mgmt__get_attach_info_req__unpack(NULL, req->body_bytes, req->body);
	snprintf(agent.sys, sizeof(agent.sys), "%s", in->sys);
	mgmt__get_attach_info_req__free_unpacked(in, NULL);
	hint.provider = "ofi+tcp;ofi_rxm";
	hint.interface = "lo";
	hint.n_env_vars = 1;
	hint.env_vars = env;
	uri.rank = 3;
	uri.uri = "ofi+tcp;ofi_rxm://127.0.0.1:31416";
	resp.status = agent.status;
	resp.n_rank_uris = 1;
	resp.rank_uris = uris;
	resp.n_ms_ranks = 1;
	resp.ms_ranks = ms;
	resp.net_hint = agent.no_hint ? NULL : &hint;
	resp.sys = "daos_server";
	drpc_reply_msg(req, &resp.base);
}

static void
agent_handler(struct drpc_request *req, void *arg)
{
	Auth__GetCredResp resp = AUTH__GET_CRED_RESP__INIT;
	Auth__Credential  cred = AUTH__CREDENTIAL__INIT;
	Auth__Token	  token = AUTH__TOKEN__INIT;

	agent.asked++;
	if (req->method == DRPC_METHOD_MGMT_GET_ATTACH_INFO) {
		answer_attach(req);
		return;
	}
	assert_int_equal(req->method, DRPC_METHOD_SEC_AGENT_REQUEST_CREDS);
	cred.origin = "agent";
	cred.token = &token;
	resp.cred = &cred;
	resp.status = agent.status;
	drpc_reply_msg(req, &resp.base);
}

static void
agent_run(void *arg)
{
	while (!agent.stop)
		(void)drpc_progress(agent.listener, 5);
}

static int
setup(void **state)
{
	char path[128];

	memset(&agent, 0, sizeof(agent));
	strcpy(agent.dir, "/tmp/dc_agent_XXXXXX");
	assert_non_null(mkdtemp(agent.dir));
	snprintf(path, sizeof(path), "%s/daos_agent.sock", agent.dir);
	assert_int_equal(drpc_listen(path, 0600, agent_handler, NULL, &agent.listener), 0);
	return plat_thread_create("agent", agent_run, NULL, &agent.thread);
}

static void
agent_end(void)
{
	if (agent.thread == NULL)
		return;
	agent.stop = true;
	plat_thread_join(agent.thread);
	drpc_listener_close(agent.listener);
	agent.thread = NULL;
}

static int
teardown(void **state)
{
	agent_end();
	return rmdir(agent.dir);
}

static void
attach_and_ask(void **state)
{
	struct client_attr    attr = {.agent_dir = agent.dir, .sys_name = "my_system"};
	struct daos_sys_info *info;
	struct client	     *cl;
	d_rank_list_t	     *ranks;
	d_iov_t		      iov;
	Auth__Credential     *cred;

	assert_int_equal(client_create(&attr, &cl), 0);
	assert_string_equal(agent.sys, "my_system");
	assert_string_equal(getenv("DC_AGENT_TEST_ENV"), "from agent");
	assert_int_equal(client_ms_ranks(cl, &ranks), 0);
	assert_int_equal(ranks->rl_nr, 1);
	assert_int_equal(ranks->rl_ranks[0], 3);
	d_rank_list_free(ranks);
	assert_int_equal(client_sys_info(cl, &info), 0);
	assert_string_equal(info->dsi_fabric_provider, "ofi+tcp;ofi_rxm");
	assert_int_equal(info->dsi_nr_ranks, 1);
	assert_string_equal(info->dsi_ranks[0].dru_uri, "ofi+tcp;ofi_rxm://127.0.0.1:31416");
	assert_int_equal(info->dsi_ms_ranks[0], 3);
	dc_sys_info_free(info);
	assert_int_equal(client_request_cred(cl, &iov), 0);
	cred = auth__credential__unpack(NULL, iov.iov_len, iov.iov_buf);
	assert_string_equal(cred->origin, "agent");
	auth__credential__free_unpacked(cred, NULL);
	free(iov.iov_buf);
	client_destroy(cl);
}

/** Without an agent: who is attached is told, and so is what changes. */
static void
all_is_given(void **state)
{
	struct crt_member     members[] = {{.rank = 1, .uri = "ofi+tcp://127.0.0.1:1"}, {.rank = 4, .uri = "ofi+tcp://127.0.0.1:4"}};
	d_iov_t               cred = {.iov_buf = "a credential", .iov_len = 12, .iov_buf_len = 12}, iov;
	struct client_attr    attr = {.provider = "ofi+tcp", .interface = "lo", .members = members, .member_nr = 1,
				      .group_version = 5, .cred = &cred};
	struct daos_sys_info *info;
	struct client        *cl;

	assert_int_equal(client_create(&attr, &cl), 0);
	assert_int_equal(client_request_cred(cl, &iov), 0);
	assert_int_equal(iov.iov_len, cred.iov_len);
	assert_memory_equal(iov.iov_buf, cred.iov_buf, cred.iov_len);
	free(iov.iov_buf);
	assert_int_equal(crt_group_version(client_crt(cl)), 5);
	assert_int_equal(client_members_set(cl, 4, 2, members), -DER_GRPVER);
	assert_int_equal(crt_group_size(client_crt(cl)), 1);
	assert_int_equal(client_members_set(cl, 6, 2, members), 0);
	assert_int_equal(crt_group_size(client_crt(cl)), 2);
	assert_int_equal(client_sys_info(cl, &info), 0);
	assert_int_equal(info->dsi_nr_ranks, 2);
	assert_string_equal(info->dsi_ranks[1].dru_uri, members[1].uri);
	dc_sys_info_free(info);
	client_destroy(cl);
}

static void
directory_from_environment(void **state)
{
	struct client_attr attr = {0};
	struct client	  *cl;

	setenv("DAOS_AGENT_DRPC_DIR", agent.dir, 1);
	assert_int_equal(client_create(&attr, &cl), 0);
	unsetenv("DAOS_AGENT_DRPC_DIR");
	assert_string_equal(agent.sys, "daos_server");
	client_destroy(cl);
}

static void
no_agent(void **state)
{
	struct client_attr attr = {.agent_dir = agent.dir};
	struct client	  *cl;

	agent_end();
	assert_int_equal(client_create(&attr, &cl), -DER_AGENT_COMM);
	assert_int_equal(client_default_init(&attr), -DER_AGENT_COMM);
	assert_null(client_current());
	assert_int_equal(client_default_fini(), -DER_UNINIT);
}

static void
agent_dies_later(void **state)
{
	struct client_attr attr = {.agent_dir = agent.dir};
	struct client	  *cl;
	d_iov_t		   iov;

	assert_int_equal(client_create(&attr, &cl), 0);
	agent_end();
	assert_int_equal(client_request_cred(cl, &iov), -DER_AGENT_COMM);
	client_destroy(cl);
}

static void
agent_refuses(void **state)
{
	struct client_attr attr = {.agent_dir = agent.dir};
	struct client	  *cl;

	agent.status = -DER_UNREACH;
	assert_int_equal(client_create(&attr, &cl), -DER_UNREACH);
}

static void
answer_without_fabric(void **state)
{
	struct client_attr attr = {.agent_dir = agent.dir};
	struct client	  *cl;

	agent.no_hint = true;
	assert_int_equal(client_create(&attr, &cl), -DER_AGENT_COMM);
}

static void
names_that_are_too_long(void **state)
{
	char		   dir[200];
	struct client_attr attr = {.agent_dir = dir};
	struct client	  *cl;

	memset(dir, 'x', sizeof(dir));
	dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(client_create(&attr, &cl), -DER_INVAL);
	attr.agent_dir = agent.dir;
	attr.sys_name = "a_name_longer_than_fifteen";
	assert_int_equal(client_create(&attr, &cl), -DER_INVAL);
}

static void
default_client_is_counted(void **state)
{
	struct client_attr attr = {.agent_dir = agent.dir};
	struct client	  *cl;

	assert_int_equal(client_default_init(&attr), 0);
	cl = client_current();
	assert_non_null(cl);
	assert_int_equal(client_default_init(&attr), 0);
	assert_ptr_equal(client_current(), cl);
	assert_int_equal(client_default_fini(), 0);
	assert_ptr_equal(client_current(), cl);
	assert_int_equal(client_default_fini(), 0);
	assert_null(client_current());
	assert_int_equal(client_default_fini(), -DER_UNINIT);
	assert_int_equal(client_default_reinit(&attr), -DER_UNINIT);
}

static void
refresh_asks_again(void **state)
{
	struct client_attr attr = {.agent_dir = agent.dir};
	struct client	  *cl;

	assert_int_equal(client_create(&attr, &cl), 0);
	client_refresh(cl); /* too soon */
	assert_int_equal(agent.asked, 1);
	pthread_mutex_lock(&cl->lock);
	cl->refreshed_ns = 0;
	pthread_mutex_unlock(&cl->lock);
	client_refresh(cl);
	client_destroy(cl); /* waits for it */
	assert_int_equal(agent.asked, 2);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(attach_and_ask),
	    CASE(all_is_given),
	    CASE(directory_from_environment),
	    CASE(no_agent),
	    CASE(agent_dies_later),
	    CASE(agent_refuses),
	    CASE(answer_without_fabric),
	    CASE(names_that_are_too_long),
	    CASE(default_client_is_counted),
	    CASE(refresh_asks_again),
	};

	return cmocka_run_group_tests_name("dc/agent", tests, NULL, NULL);
}
