/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "crt_many_util.h"
#include "platform/platform.h"

static void
files_allow(uint32_t nr)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	if (l.rlim_cur >= nr)
		return;
	l.rlim_cur = nr;
	l.rlim_max = nr > l.rlim_max ? nr : l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) != 0)
		skip();
}

static void
node_start(struct many *m, d_rank_t rank, const struct crt_proto *proto)
{
	struct crt_attr attr = {.provider   = "self",
				.server     = true,
				.timeout_s  = 20,
				.ctx_nr_max = 1,
				.world      = m->world};

	assert_int_equal(crt_init(&attr, &m->crt[rank]), 0);
	if (proto != NULL)
		assert_int_equal(crt_proto_register(m->crt[rank], proto), 0);
	crt_rank_self_set(m->crt[rank], rank);
	assert_int_equal(crt_context_create(m->crt[rank], &m->ctx[rank]), 0);
	crt_context_set_data(m->ctx[rank], (void *)(uintptr_t)rank);
	assert_int_equal(crt_context_uri(m->ctx[rank], m->uris[rank], sizeof(m->uris[rank])), 0);
}

void
many_group_set(struct many *m)
{
	uint32_t nr = 0;

	for (d_rank_t r = 0; r < m->nr; r++)
		if (m->crt[r] != NULL)
			m->members[nr++] = (struct crt_member){.rank = r, .uri = m->uris[r]};
	m->version++;
	for (d_rank_t r = 0; r < m->nr; r++)
		if (m->crt[r] != NULL)
			assert_int_equal(crt_group_set(m->crt[r], m->version, nr, m->members), 0);
}

void
many_start(struct many *m, uint32_t nr, const struct crt_proto *proto)
{
	memset(m, 0, sizeof(*m));
	files_allow(5 * nr + 64);
	m->nr      = nr;
	m->crt     = calloc(nr, sizeof(*m->crt));
	m->ctx     = calloc(nr, sizeof(*m->ctx));
	m->members = calloc(nr, sizeof(*m->members));
	m->uris    = calloc(nr, sizeof(*m->uris));
	assert_int_equal(na_self_world_create(&m->world), 0);
	for (d_rank_t r = 0; r < nr; r++)
		node_start(m, r, proto);
	many_group_set(m);
}

void
many_kill(struct many *m, d_rank_t rank)
{
	if (m->crt[rank] == NULL)
		return;
	crt_context_destroy(m->ctx[rank]);
	crt_fini(m->crt[rank]);
	m->crt[rank] = NULL;
	m->ctx[rank] = NULL;
}

void
many_stop(struct many *m)
{
	for (d_rank_t r = 0; r < m->nr; r++)
		many_kill(m, r);
	na_self_world_destroy(m->world);
	free(m->crt);
	free(m->ctx);
	free(m->members);
	free(m->uris);
}

void
many_pump(struct many *m)
{
	for (d_rank_t r = m->nr; r-- > 0;)
		if (m->ctx[r] != NULL)
			assert_true(crt_progress(m->ctx[r], 0) >= 0);
}

void
many_pump_until(struct many *m, const _Atomic int *flag)
{
	uint64_t end = plat_now_ns() + 60 * NSEC_PER_SEC;

	while (!*flag) {
		many_pump(m);
		if (plat_now_ns() > end)
			fail_msg("nothing came in 60 s");
	}
}
