/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * dfuse: mount a container. In the background unless told otherwise: the process that was started
 * forks first, since neither the network nor threads survive a fork, waits for the child to say over
 * a pipe that the mount works, and ends with 0; if the child ends before, with the child's status.
 */
#include "dfuse/dfuse.h"

#include <daos_uns.h>
#include <daos_version.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_USAGE 2

/* ---- into the background ---- */

/** In the parent: until the child is ready or ended. */
static int
wait_for_child(pid_t child, int fd)
{
	int     status;
	char    byte;
	ssize_t got;

	do
		got = read(fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got == 1)
		return 0;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (WIFSIGNALED(status))
		fprintf(stderr, "dfuse: ended by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

/** Returns in the child, with *ret_fd to write to when ready; the parent ends in here. */
static int
background(int *ret_fd)
{
	int   fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return errno;
	fflush(NULL);
	child = fork();
	if (child < 0)
		return errno;
	if (child > 0) {
		close(fds[1]);
		_exit(wait_for_child(child, fds[0]));
	}
	close(fds[0]);
	setsid();
	*ret_fd = fds[1];
	return 0;
}

/** The mount works: let go of the terminal, then of the parent. */
static void
say_ready(void *arg)
{
	int fd = *(int *)arg, null;

	if (fd < 0)
		return;
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	if (chdir("/") != 0)
		D_WARN("working directory /: %s\n", strerror(errno));
	if (write(fd, "", 1) != 1)
		D_WARN("the process that was started is gone\n");
	close(fd);
}

/* ---- what to mount ---- */

static void
complain(const char *what, const char *name, int err)
{
	fprintf(stderr, "dfuse: %s %s: %s\n", what, name, strerror(err));
}

static int
take_linked(struct dfuse_args *a, const char *path, const struct duns_attr_t *attr)
{
	if (a->pool[0] != '\0') {
		fprintf(stderr, "dfuse: %s stands for a container, and a pool was named as well: only one can "
			"say what to mount\n", path);
		return EINVAL;
	}
	snprintf(a->pool, sizeof(a->pool), "%s", attr->da_pool);
	snprintf(a->cont, sizeof(a->cont), "%s", attr->da_cont);
	return 0;
}

/** From --path, or from the mount point, if they are linked. */
static int
resolve(struct dfuse_args *a)
{
	struct duns_attr_t attr = {.da_flags = DUNS_NO_REVERSE_LOOKUP};
	struct stat        st;
	int                rc;

	if (a->path[0] != '\0') {
		rc = duns_resolve_path(a->path, &attr);
		if (rc != 0)
			complain("path", a->path, rc == ENODATA ? ENOTSUP : rc);
		else
			rc = take_linked(a, a->path, &attr);
		duns_destroy_attr(&attr);
		return rc;
	}
	if (stat(a->mountpoint, &st) != 0) {
		rc = errno;
		if (rc == ENOTCONN)
			fprintf(stderr, "dfuse: mount point %s: a mount without a server is there; remove it "
				"with 'fusermount3 -u %s'\n", a->mountpoint, a->mountpoint);
		else
			complain("mount point", a->mountpoint, rc);
		return rc;
	}
	if (!S_ISDIR(st.st_mode)) {
		complain("mount point", a->mountpoint, ENOTDIR);
		return ENOTDIR;
	}
	rc = duns_resolve_path(a->mountpoint, &attr);
	rc = rc == 0 ? take_linked(a, a->mountpoint, &attr) : 0;
	duns_destroy_attr(&attr);
	return rc;
}

static int
open_root(struct dfuse *d)
{
	struct dfuse_pool *pool = NULL;
	struct dfuse_cont *cont = NULL;
	int                rc   = 0;

	if (d->args.pool[0] != '\0') {
		rc = dfuse_pool_get(d, d->args.pool, &pool);
		if (rc != 0)
			complain("pool", d->args.pool, rc);
	}
	if (rc == 0 && d->args.cont[0] != '\0') {
		rc = dfuse_cont_get(d, pool, d->args.cont, &cont);
		if (rc == EINVAL)
			fprintf(stderr, "dfuse: container %s: it has no file system (create it with --type "
				"POSIX)\n", d->args.cont);
		else if (rc != 0)
			complain("container", d->args.cont, rc);
	}
	if (rc != 0)
		return rc;
	rc = dfuse_root_make(d, pool, cont);
	if (rc != 0)
		complain("root directory of container", d->args.cont, rc);
	d->wb_cache = cont != NULL ? cont->wb_cache : d->args.wb_cache;
	return rc;
}

static int
run(struct dfuse *d, int *ready_fd)
{
	int rc;

	rc = resolve(&d->args);
	if (rc != 0)
		return 1;
	rc = daos_init();
	if (rc != 0) {
		fprintf(stderr, "dfuse: the DAOS client cannot start: " DF_RC "; does daos_agent run here?\n",
			DP_RC(rc));
		return 1;
	}
	d->itable = dfuse_itable_create();
	rc        = d->itable == NULL ? 1 : open_root(d);
	rc        = rc != 0 ? 1 : dfuse_serve(d, say_ready, ready_fd);
	dfuse_inodes_free(d);
	dfuse_conts_close(d);
	(void)daos_fini();
	return rc;
}

int
main(int argc, char **argv)
{
	static struct dfuse d;
	char                err[256];
	int                 ready_fd = -1, rc;

	if (dfuse_args_parse(argc, argv, &d.args, err, sizeof(err)) != 0) {
		fprintf(stderr, "dfuse: %s\n", err);
		return EXIT_USAGE;
	}
	if (d.args.show_help) {
		dfuse_args_usage("dfuse");
		return 0;
	}
	if (d.args.show_version) {
		printf("dfuse version %d.%d.%d\nUsing fuse %s\n", DAOS_VERSION_MAJOR, DAOS_VERSION_MINOR,
		       DAOS_VERSION_FIX, fuse_pkgversion());
		return 0;
	}
	ult_mutex_init(&d.lock);
	d.handle_signals = true;
	rc = d.args.foreground ? 0 : background(&ready_fd);
	if (rc != 0) {
		fprintf(stderr, "dfuse: cannot start: %s\n", strerror(rc));
		return 1;
	}
	return run(&d, &ready_fd);
}
