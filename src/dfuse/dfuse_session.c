/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The session with the kernel: what is asked of it, and mounting. */
#include "dfuse/dfuse.h"

#include <fcntl.h>
#include <unistd.h>

static void
op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct dfuse *d = userdata;

	conn->max_write = DFUSE_IO_BYTES;
	conn->max_read  = DFUSE_IO_BYTES;
	/* what is written is wanted in memory, where it is registered for the network */
	conn->want &= ~(unsigned)FUSE_CAP_SPLICE_READ;
	conn->want |= conn->capable & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ |
				       FUSE_CAP_ASYNC_DIO | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
				       FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA);
	d->wb_cache = d->wb_cache && (conn->capable & FUSE_CAP_WRITEBACK_CACHE);
	if (d->wb_cache)
		conn->want |= FUSE_CAP_WRITEBACK_CACHE;
	conn->max_background       = 64;
	conn->congestion_threshold = 48;
}

/** Neither flush nor fsync: a write is answered when it is durable, and the kernel, told once that there is no such
 *  request, still writes what it holds back and reports errors before close and fsync return. */
static const struct fuse_lowlevel_ops ops = {
    .init         = op_init,
    .lookup       = dfuse_op_lookup,
    .forget       = dfuse_op_forget,
    .forget_multi = dfuse_op_forget_multi,
    .getattr      = dfuse_op_getattr,
    .setattr      = dfuse_op_setattr,
    .readlink     = dfuse_op_readlink,
    .mknod        = dfuse_op_mknod,
    .mkdir        = dfuse_op_mkdir,
    .symlink      = dfuse_op_symlink,
    .unlink       = dfuse_op_unlink,
    .rmdir        = dfuse_op_rmdir,
    .rename       = dfuse_op_rename,
    .link         = dfuse_op_link,
    .statfs       = dfuse_op_statfs,
    .access       = dfuse_op_access,
    .create       = dfuse_op_create,
    .open         = dfuse_op_open,
    .release      = dfuse_op_release,
    .read         = dfuse_op_read,
    .write_buf    = dfuse_op_write_buf,
    .fallocate    = dfuse_op_fallocate,
    .ioctl        = dfuse_op_ioctl,
    .opendir      = dfuse_op_opendir,
    .readdir      = dfuse_op_readdir,
    .readdirplus  = dfuse_op_readdirplus,
    .releasedir   = dfuse_op_releasedir,
    .setxattr     = dfuse_op_setxattr,
    .getxattr     = dfuse_op_getxattr,
    .listxattr    = dfuse_op_listxattr,
    .removexattr  = dfuse_op_removexattr,
};

static struct fuse_session *
session_new(struct dfuse *d)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	char             opts[1024];

	snprintf(opts, sizeof(opts), "-ofsname=dfuse,subtype=daos,default_permissions,max_read=%u%s%s%s",
		 DFUSE_IO_BYTES, d->args.multi_user || d->args.allow_other ? ",allow_other" : "",
		 d->args.read_only ? ",ro" : "", d->args.fuse_opts);
	if (fuse_opt_add_arg(&args, "dfuse") != 0 || fuse_opt_add_arg(&args, opts) != 0) {
		fuse_opt_free_args(&args);
		return NULL;
	}
	d->session = fuse_session_new(&args, &ops, sizeof(ops), d);
	fuse_opt_free_args(&args);
	return d->session;
}

/** Can the device be opened? libfuse would only say that it could not mount. */
static bool
device_check(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return true;
	}
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		fprintf(stderr, "dfuse: /dev/fuse: %s: this kernel or container offers no FUSE; load it with "
			"'modprobe fuse', or run the container with --device /dev/fuse\n", strerror(errno));
	else
		fprintf(stderr, "dfuse: /dev/fuse: %s: run as root, or let this user have the device: "
			"'chmod 666 /dev/fuse', or a udev rule KERNEL==\"fuse\", MODE=\"0666\"; inside a user "
			"namespace bind-mount a device node that may be opened\n", strerror(errno));
	return false;
}

static int
serve_mounted(struct dfuse *d, void (*ready)(void *arg), void *arg)
{
	int rc = dfuse_io_hook(d);

	if (rc == 0) {
		ready(arg);
		D_NOTE("mounted on %s\n", d->args.mountpoint);
		rc = dfuse_loop(d);
	}
	if (rc != 0)
		D_ERROR("the session with the kernel ended: %s\n", strerror(rc));
	return rc == 0 ? 0 : 1;
}

MAY_YIELD int
dfuse_serve(struct dfuse *d, void (*ready)(void *arg), void *arg)
{
	int status = 1;

	if (!device_check())
		return 1;
	if (session_new(d) == NULL) {
		fprintf(stderr, "dfuse: the FUSE library refuses the mount options\n");
		return 1;
	}
	if (fuse_session_mount(d->session, d->args.mountpoint) == 0) {
		status = serve_mounted(d, ready, arg);
		fuse_session_unmount(d->session);
	} else {
		fprintf(stderr, "dfuse: %s: cannot be mounted on; see the message above\n",
			d->args.mountpoint);
	}
	fuse_session_destroy(d->session);
	return status;
}
