/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The transport by itself: a server that keeps files, and a client that gives it one. The request says
 * how the file is called and where it lies in the client's memory; the server reads it there.
 *
 *     build/tests/unit/cart/save_file serve ofi+tcp DIRECTORY    prints its URI, serves until it is ended
 *     build/tests/unit/cart/save_file save URI FILE
 *
 * Any provider: ofi+tcp, ofi+net, ofi+sockets, ofi+shm, ofi+verbs;ofi_rxm. Without "lo" as interface in
 * transport_start() it listens to other machines.
 */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <daos_errno.h>
#include "cart/crt.h"

#define MOD_SAVE       99
#define VERSION        1
#define OPC_SAVE       CRT_OPC(MOD_SAVE, VERSION, 0)
#define FILE_BYTES_MAX (1ull << 30)

/* What goes over the network: structs save_in and save_out and their codecs come of these lists. */
#define SAVE_IN(F)  F(string, name) F(uint64_t, bytes) F(crt_bulk_t, data)
#define SAVE_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(save, SAVE_IN, SAVE_OUT)
CRT_RPC_DEFINE(save, SAVE_IN, SAVE_OUT)

static void handle_save(crt_rpc_t *rpc);
static const struct crt_proto_rpc rpcs[] = {{&save_format, handle_save, 0}};
static const struct crt_proto     proto  = {"save", MOD_SAVE, VERSION, 1, rpcs};

static void __attribute__((noreturn))
die(const char *what, int rc)
{
	fprintf(stderr, "%s: error %d\n", what, rc);
	exit(EXIT_FAILURE);
}

static crt_context_t
transport_start(const char *provider, bool server)
{
	struct crt_attr attr = {.provider = provider, .interface = "lo", .server = server};
	struct crt     *crt;
	crt_context_t   ctx;
	int             rc = crt_init(&attr, &crt);

	if (rc == 0)
		rc = crt_proto_register(crt, &proto);
	if (rc == 0)
		rc = crt_context_create(crt, &ctx);
	if (rc != 0)
		die(provider, rc);
	return ctx;
}

static void
transport_stop(crt_context_t ctx)
{
	struct crt *crt = crt_context_crt(ctx);

	crt_context_destroy(ctx);
	crt_fini(crt);
}

/* ---- server ---- */

/** A file that is being read out of a client's memory. */
struct saving {
	crt_rpc_t *rpc;
	int        fd;
	char      *map;
	uint64_t   bytes;
};

static void
reply(crt_rpc_t *rpc, int rc)
{
	((struct save_out *)rpc->cr_output)->rc = rc;
	crt_reply_send(rpc);
	crt_req_decref(rpc); /* handle_save()'s */
}

static void
saved(void *arg, int rc)
{
	struct saving *s = arg;

	munmap(s->map, s->bytes);
	close(s->fd);
	reply(s->rpc, rc);
	free(s);
}

/** An empty file of that size in the directory, mapped. */
static int
saving_open(struct saving *s, const char *directory, const char *name)
{
	int dir = open(directory, O_DIRECTORY | O_RDONLY);

	s->fd = dir < 0 ? -1 : openat(dir, name, O_CREAT | O_TRUNC | O_RDWR | O_NOFOLLOW, 0644);
	if (dir >= 0)
		close(dir);
	if (s->fd < 0 || ftruncate(s->fd, s->bytes) != 0)
		return -DER_NO_PERM;
	s->map = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	return s->map == MAP_FAILED ? -DER_NOMEM : 0;
}

static void
handle_save(crt_rpc_t *rpc)
{
	struct save_in      *in = rpc->cr_input;
	struct saving       *s  = calloc(1, sizeof(*s));
	struct crt_bulk_desc d  = {.bd_rpc = rpc, .bd_op = CRT_BULK_GET, .bd_remote = in->data, .bd_len = in->bytes};
	d_iov_t              iov;
	d_sg_list_t          sgl = {.sg_nr = 1, .sg_iovs = &iov};
	int                  rc  = s == NULL ? -DER_NOMEM : 0;

	crt_req_addref(rpc);
	if (rc == 0 && (in->name == NULL || strchr(in->name, '/') != NULL || in->bytes == 0 ||
			in->bytes > FILE_BYTES_MAX || in->data == NULL))
		rc = -DER_INVAL; /* what a client says is never trusted */
	if (rc == 0) {
		*s = (struct saving){.rpc = rpc, .fd = -1, .bytes = in->bytes};
		rc = saving_open(s, crt_context_data(rpc->cr_ctx), in->name);
	}
	if (rc == 0) {
		d_iov_set(&iov, s->map, in->bytes);
		d.bd_local = &sgl;
		rc         = crt_bulk_transfer(&d, saved, s); /* goes on in saved() */
	}
	if (rc == 0)
		return;
	if (s != NULL && s->fd >= 0)
		close(s->fd);
	free(s);
	reply(rpc, rc);
}

static void __attribute__((noreturn))
serve(const char *provider, char *directory)
{
	crt_context_t ctx = transport_start(provider, true);
	char          uri[256];

	crt_context_set_data(ctx, directory);
	crt_rank_self_set(crt_context_crt(ctx), 0);
	if (crt_context_uri(ctx, uri, sizeof(uri)) != 0)
		die("uri", -DER_TRUNC);
	printf("%s\n", uri);
	fflush(stdout);
	for (;;)
		(void)crt_progress(ctx, -1); /* polls for a moment, then sleeps until something comes */
}

/* ---- client ---- */

struct waiting {
	int  rc;
	bool done;
};

static void
replied(const struct crt_cb_info *info)
{
	struct waiting *w = info->cci_arg;

	w->rc   = info->cci_rc != 0 ? info->cci_rc : ((struct save_out *)info->cci_rpc->cr_output)->rc;
	w->done = true;
}

static int
is_done(void *arg)
{
	return ((struct waiting *)arg)->done;
}

static int
save(char *uri, char *path)
{
	char             *provider = strndup(uri, strstr(uri, "://") == NULL ? 0 : strstr(uri, "://") - uri);
	crt_context_t     ctx      = transport_start(provider, false);
	struct crt_member member   = {.rank = 0, .uri = uri};
	struct waiting    w        = {0};
	int               fd       = open(path, O_RDONLY);
	d_iov_t           iov;
	d_sg_list_t       sgl = {.sg_nr = 1, .sg_iovs = &iov};
	struct stat       st;
	struct save_in   *in;
	crt_bulk_t        bulk;
	crt_rpc_t        *rpc;
	void             *map;
	int               rc;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
		die(path, -DER_NONEXIST);
	map = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		die(path, -DER_NOMEM);
	d_iov_set(&iov, map, st.st_size);
	rc = crt_group_set(crt_context_crt(ctx), 1, 1, &member);
	if (rc == 0)
		rc = crt_bulk_create(ctx, &sgl, CRT_BULK_RO, &bulk);
	if (rc == 0)
		rc = crt_req_create(ctx, &(crt_endpoint_t){0}, OPC_SAVE, &rpc);
	if (rc != 0)
		die(uri, rc);
	in  = rpc->cr_input;
	*in = (struct save_in){.name = basename(path), .bytes = st.st_size, .data = bulk};
	crt_req_send(rpc, replied, &w); /* its reference goes after the callback */
	(void)crt_progress_cond(ctx, -1, is_done, &w);
	crt_bulk_free(bulk);
	transport_stop(ctx);
	munmap(map, st.st_size);
	close(fd);
	free(provider);
	if (w.rc != 0)
		fprintf(stderr, "%s was not saved: error %d\n", path, w.rc);
	return w.rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "save") == 0)
		return save(argv[2], argv[3]);
	fprintf(stderr, "usage: save_file serve PROVIDER DIRECTORY | save_file save URI FILE\n");
	return EXIT_FAILURE;
}
