/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Endpoints over one provider, named on the command line, without CART. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "na/na.h"
#include "platform/platform.h"

static const char *provider = "self";
static bool        linked; /* messages and memory through a local link beside the provider */

#define LATE_HEAD_BYTES 100

struct side {
	struct na_ep *ep;
	na_addr_t     peer;
	uint32_t      recv_nr, recv_bytes, failed_nr;
	int           failed_rc;
	uint32_t      linked_nr, unlinked_nr;
	na_addr_t     from; /* of the last message, if it says so */
	bool          late; /* messages are those of late_bytes() */
	char          last[NA_MSG_BYTES_MAX];
};
struct pair {
	struct na_self_world *world;
	struct na            *na;
	struct side           s[2];
};

static const uint32_t late_sizes[] = {1, 1000, 4096, 16000};

static void
late_check(const struct na_msg *msg, uint32_t nr)
{
	assert_int_equal(msg->len, LATE_HEAD_BYTES + late_sizes[nr % ARRAY_NR(late_sizes)]);
	for (uint32_t i = 0; i < msg->len; i++)
		assert_int_equal(msg->data[i], i < LATE_HEAD_BYTES ? 'h' : 'A' + (int)nr % 26);
}

static void
on_recv(void *arg, struct na_msg *msg)
{
	struct side *s = arg;

	if (s->late)
		late_check(msg, s->recv_nr);
	s->recv_nr++;
	s->recv_bytes = msg->len;
	s->from       = msg->peer;
	memcpy(s->last, msg->data, msg->len);
	na_msg_put(s->ep, msg);
}

static void
on_failed(void *arg, const struct na_msg *msg, na_addr_t to, int rc)
{
	struct side *s = arg;

	s->failed_nr++;
	s->failed_rc = rc;
	assert_int_equal(to, s->peer);
	assert_int_equal(msg->cookie, 4711);
}

static void
on_linked(void *arg, na_addr_t link, int rc)
{
	struct side *s = arg;

	assert_int_equal(link, s->peer);
	if (rc == 0)
		s->linked_nr++;
	else
		s->unlinked_nr++;
}

static void
side_open(struct pair *p, int i, int port)
{
	struct na_ep_attr a = {port, on_recv, on_failed, on_linked, &p->s[i]};

	memset(&p->s[i], 0, sizeof(p->s[i]));
	assert_int_equal(na_ep_open(p->na, &a, &p->s[i].ep), 0);
}

static void
until(struct pair *p, const uint32_t *counter, uint32_t value)
{
	uint64_t end = plat_now_ns() + 20 * NSEC_PER_SEC;

	while (*counter < value) {
		for (int i = 0; i < 2; i++)
			if (p->s[i].ep != NULL)
				assert_true(na_ep_progress(p->s[i].ep, 8) >= 0);
		if (plat_now_ns() > end)
			fail_msg("nothing came in 20 s");
	}
}

static void
send_bytes(struct pair *p, int from, uint32_t bytes)
{
	struct na_msg *m = na_msg_get(p->s[from].ep);

	assert_non_null(m);
	for (uint32_t i = 0; i < bytes; i++)
		m->data[i] = (char)(i + bytes);
	m->len    = bytes;
	m->cookie = 4711;
	na_msg_send(p->s[from].ep, p->s[from].peer, m);
}

/** Side 0 begins; side 1 learns the address from the first message. */
static void
pair_link(struct pair *p)
{
	char token[NA_TOKEN_BYTES_MAX];

	assert_int_not_equal(na_host(p->na), 0);
	assert_int_equal(na_ep_token(p->s[1].ep, token, sizeof(token)), 0);
	assert_int_equal(na_ep_link(p->s[0].ep, token, &p->s[0].peer), 0);
	until(p, &p->s[0].linked_nr, 1);
	send_bytes(p, 0, 1);
	until(p, &p->s[1].recv_nr, 1);
	assert_true(na_addr_is_link(p->s[1].from));
	p->s[1].peer    = p->s[1].from;
	p->s[1].recv_nr = 0;
}

static void
pair_open(struct pair *p)
{
	struct na_attr a = {.provider = provider, .local = linked};
	char           uri[NA_URI_BYTES_MAX];
	size_t         bytes;
	const void    *name;

	memset(p, 0, sizeof(*p));
	assert_int_equal(na_self_world_create(&p->world), 0);
	a.world     = p->world;
	a.interface = strncmp(provider, "ofi+", 4) == 0 && strstr(provider, "shm") == NULL ? "lo" : NULL;
	assert_int_equal(na_open(&a, &p->na), 0);
	side_open(p, 0, 0);
	side_open(p, 1, 0);
	assert_int_equal(na_ep_uri(p->s[1].ep, uri, sizeof(uri)), 0);
	assert_memory_equal(uri, na_provider(p->na), strlen(na_provider(p->na)));
	assert_int_equal(na_addr_insert(p->s[0].ep, uri, &p->s[0].peer), 0);
	name = na_ep_name(p->s[0].ep, &bytes);
	assert_int_equal(na_addr_insert_name(p->s[1].ep, name, bytes, &p->s[1].peer), 0);
	if (linked)
		pair_link(p);
}

static void
pair_close(struct pair *p)
{
	na_ep_close(p->s[0].ep);
	na_ep_close(p->s[1].ep);
	na_close(p->na);
	na_self_world_destroy(p->world);
}

static void
messages(void **state)
{
	static const uint32_t sizes[] = {1, 8, 63, 64, 65, 1000, 4095, 4096, 4097, 16383, 16384};
	struct pair           p;

	pair_open(&p);
	for (uint32_t i = 0; i < ARRAY_NR(sizes); i++)
		for (int from = 0; from < 2; from++) {
			struct side *to = &p.s[!from];

			send_bytes(&p, from, sizes[i]);
			until(&p, &to->recv_nr, i + 1);
			assert_int_equal(to->recv_bytes, sizes[i]);
			for (uint32_t k = 0; k < sizes[i]; k++)
				assert_int_equal(to->last[k], (char)(k + sizes[i]));
		}
	assert_int_equal(p.s[0].failed_nr + p.s[1].failed_nr, 0);
	pair_close(&p);
}

/** What the message lacks is fetched before na_msg_send() returns, whether the message goes then or waits. */
static void
late_bytes(void **state)
{
	enum { SENT_NR = 200 }; /* more than a ring holds */
	char                 *late = malloc(16000);
	struct pair           p;

	pair_open(&p);
	p.s[1].late = true;
	for (uint32_t i = 0; i < SENT_NR; i++) {
		uint32_t       bytes = late_sizes[i % ARRAY_NR(late_sizes)];
		struct na_msg *m     = na_msg_get(p.s[0].ep);

		assert_non_null(m);
		assert_int_equal(m->late_bytes, 0);
		memset(m->data, 'h', LATE_HEAD_BYTES);
		memset(late, 'A' + i % 26, bytes);
		m->len        = LATE_HEAD_BYTES;
		m->late       = late;
		m->late_bytes = bytes;
		na_msg_send(p.s[0].ep, p.s[0].peer, m);
		memset(late, 0, bytes);
	}
	until(&p, &p.s[1].recv_nr, SENT_NR);
	pair_close(&p);
	free(late);
}

/** More than there are receives and queue entries, without progress in between. */
static void
flood(void **state)
{
	struct pair p;

	pair_open(&p);
	for (int i = 0; i < 3000; i++)
		send_bytes(&p, 0, 500);
	until(&p, &p.s[1].recv_nr, 3000);
	assert_int_equal(p.s[1].recv_nr, 3000);
	assert_int_equal(p.s[0].failed_nr, 0);
	pair_close(&p);
}

static void
peer_gone(void **state)
{
	struct pair p;
	uint64_t    begin;

	pair_open(&p);
	send_bytes(&p, 0, 100);
	until(&p, &p.s[1].recv_nr, 1);
	na_ep_close(p.s[1].ep);
	p.s[1].ep = NULL;
	begin     = plat_now_ns();
	/* what had reached the peer's machine before it noticed is lost in silence */
	while (p.s[0].failed_nr == 0 && plat_now_ns() - begin < 10 * NSEC_PER_SEC) {
		send_bytes(&p, 0, 100);
		assert_true(na_ep_progress(p.s[0].ep, 8) >= 0);
	}
	assert_true(p.s[0].failed_nr > 0);
	assert_int_equal(p.s[0].failed_rc, -DER_UNREACH);
	pair_close(&p);
}

/** A port in use is said so; once it is free again it can be had. */
static void
port_in_use(void **state)
{
	struct na_ep_attr a = {.recv = on_recv, .send_failed = on_failed};
	struct na_ep     *ep;
	struct pair       p;
	char              uri[NA_URI_BYTES_MAX], again[NA_URI_BYTES_MAX];

	pair_open(&p);
	assert_int_equal(na_ep_uri(p.s[0].ep, uri, sizeof(uri)), 0);
	if (linked || strcmp(provider, "ofi+shm") == 0) { /* have no ports */
		pair_close(&p);
		skip();
	}
	a.port = atoi(strrchr(uri, strcmp(provider, "self") == 0 ? '/' : ':') + 1);
	if (strcmp(provider, "self") == 0) {
		a.port = 77;
		na_ep_close(p.s[0].ep);
		side_open(&p, 0, 77);
		assert_int_equal(na_ep_uri(p.s[0].ep, uri, sizeof(uri)), 0);
	}
	assert_int_equal(na_ep_open(p.na, &a, &ep), -DER_BUSY);
	send_bytes(&p, 1, 10); /* connections to it leave states behind */
	na_ep_progress(p.s[1].ep, 8);
	na_ep_close(p.s[0].ep);
	side_open(&p, 0, a.port);
	assert_int_equal(na_ep_uri(p.s[0].ep, again, sizeof(again)), 0);
	assert_string_equal(again, uri);
	pair_close(&p);
}

static void
addresses(void **state)
{
	static const char *const bad[] = {"", "self", "self://", "self://x", "self://1x", "ofi+tcp",
		"ofi+tcp;ofi_rxm://", "ofi+tcp;ofi_rxm://127.0.0.1", "ofi+tcp;ofi_rxm://127.0.0.1:",
		"ofi+tcp;ofi_rxm://127.0.0.1:0", "ofi+tcp;ofi_rxm://127.0.0.1:70000",
		"ofi+tcp;ofi_rxm://300.0.0.1:1", "ofi+tcp;ofi_rxm://127.0.0.1:12x", "ofi+shm://",
		"http://127.0.0.1:80"};
	char        junk[NA_NAME_BYTES_MAX + 1] = {0};
	struct pair p;
	na_addr_t   a, b;
	char        uri[NA_URI_BYTES_MAX];

	pair_open(&p);
	for (size_t i = 0; i < ARRAY_NR(bad); i++)
		assert_int_equal(na_addr_insert(p.s[0].ep, bad[i], &a), -DER_INVAL);
	assert_int_equal(na_addr_insert_name(p.s[0].ep, junk, 0, &a), -DER_INVAL);
	assert_int_equal(na_addr_insert_name(p.s[0].ep, junk, sizeof(junk), &a), -DER_INVAL);
	assert_int_equal(na_addr_insert_name(p.s[0].ep, junk, 3, &a), -DER_INVAL);
	assert_int_equal(na_ep_uri(p.s[1].ep, uri, sizeof(uri)), 0);
	assert_int_equal(na_addr_insert(p.s[0].ep, uri, &a), 0);
	assert_int_equal(na_addr_insert(p.s[0].ep, uri, &b), 0);
	assert_int_equal(a, b);
	assert_int_equal(na_ep_uri(p.s[1].ep, uri, 5), -DER_TRUNC);
	pair_close(&p);
}

struct rma_test {
	struct na_rma rma;
	uint32_t      done_nr;
	int           rc;
};

static void
on_rma(struct na_rma *rma, int rc)
{
	struct rma_test *t = CONTAINER_OF(rma, struct rma_test, rma);

	t->rc = rc;
	t->done_nr++;
}

static int
rma(struct pair *p, enum na_rma_kind kind, void *local, size_t bytes, struct na_mr_remote remote,
    uint64_t off)
{
	struct rma_test t = {.rma = {kind, p->s[0].peer, local, bytes, remote.base + off,
				     remote.key, remote.guard, on_rma}};

	na_rma_start(p->s[0].ep, &t.rma);
	until(p, &t.done_nr, 1);
	return t.rc;
}

static void
remote_memory(void **state)
{
	enum { BYTES = 3 << 20 };
	char               *far = malloc(BYTES), *near = calloc(1, BYTES);
	struct na_mr       *mr;
	struct na_mr_remote r;
	struct pair         p;

	pair_open(&p);
	for (int i = 0; i < BYTES; i++)
		far[i] = (char)(i * 31);
	assert_int_equal(na_mr_create(p.s[1].ep, far, BYTES, NA_MR_PEER_READS | NA_MR_PEER_WRITES,
				      &mr, &r), 0);
	assert_int_equal(rma(&p, NA_RMA_READ, near, BYTES, r, 0), 0);
	assert_memory_equal(near, far, BYTES);
	memset(near, 7, 1000);
	assert_int_equal(rma(&p, NA_RMA_WRITE, near, 1000, r, 12345), 0);
	send_bytes(&p, 0, 10); /* a message after the write: it is there by then */
	until(&p, &p.s[1].recv_nr, 1);
	assert_memory_equal(far + 12345, near, 1000);
	assert_int_equal(far[12345 + 1000], (char)((12345 + 1000) * 31));
	assert_int_equal(far[12344], (char)(12344 * 31));
	na_mr_destroy(p.s[1].ep, mr);
	pair_close(&p);
	free(far);
	free(near);
}

/** A key that is not, or no more, registered moves nothing. */
static void
remote_memory_refused(void **state)
{
	char                far[100] = "far", near[100] = "near";
	struct na_mr       *mr;
	struct na_mr_remote r;
	struct pair         p;

	pair_open(&p);
	assert_int_equal(na_mr_create(p.s[1].ep, far, sizeof(far), NA_MR_PEER_READS, &mr, &r), 0);
	na_mr_destroy(p.s[1].ep, mr);
	na_mr_destroy(p.s[1].ep, NULL);
	if (strcmp(provider, "ofi+shm") != 0) /* shm reads by address, whatever the key says */
		assert_int_not_equal(rma(&p, NA_RMA_READ, near, 10, r, 0), 0);
	assert_string_equal(near, "near");
	pair_close(&p);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),      cmocka_unit_test(flood),
		cmocka_unit_test(late_bytes),
		cmocka_unit_test(peer_gone),     cmocka_unit_test(port_in_use),
		cmocka_unit_test(addresses),     cmocka_unit_test(remote_memory),
		cmocka_unit_test(remote_memory_refused),
	};
	int rc;

	if (argc > 1)
		provider = argv[1];
	linked = argc > 2 && strcmp(argv[2], "link") == 0;
	if (d_log_init() != 0 || d_log_setmasks("CRIT") != 0)
		return 1;
	rc = cmocka_run_group_tests_name(provider, tests, NULL, NULL);
	d_log_fini();
	return rc;
}
