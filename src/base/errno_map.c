/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Texts come from the table in daos_errno.h; the two mappings to errno are the tables below. */
#include "base/errno_map.h"

#include <errno.h>

#define ERR_CASE_NAME(name, number, class, text) case name: return #name;
#define ERR_CASE_DESC(name, number, class, text) case name: return text;

/** Codes come as returned, negative; a positive one is taken as well. */
static int
err_abs(int errnum)
{
	return errnum < 0 && errnum != INT32_MIN ? -errnum : errnum;
}

const char *
d_errstr(int errnum)
{
	switch (err_abs(errnum)) {
	case 0:
		return "DER_SUCCESS";
	D_FOREACH_ERR(ERR_CASE_NAME)
	default:
		return "DER_UNKNOWN";
	}
}

const char *
d_errdesc(int errnum)
{
	switch (err_abs(errnum)) {
	case 0:
		return "Success";
	D_FOREACH_ERR(ERR_CASE_DESC)
	default:
		return "An error number that is none of ours";
	}
}

/** What an application sees; codes not listed are EIO. */
static const struct {
	int der;
	int err;
} to_errno[] = {
	{0, 0},
	{DER_NO_PERM, EPERM}, {DER_EP_RO, EPERM}, {DER_EP_OLD, EPERM}, {DER_CONT_DESTROYING, EPERM},
	{DER_NONEXIST, ENOENT}, {DER_ENOENT, ENOENT}, {DER_CONT_NONEXIST, ENOENT},
	{DER_INVAL, EINVAL}, {DER_NOTYPE, EINVAL}, {DER_NOSCHEMA, EINVAL}, {DER_NOLOCAL, EINVAL},
	{DER_NO_HDL, EINVAL}, {DER_IO_INVAL, EINVAL},
	{DER_KEY2BIG, E2BIG}, {DER_REC2BIG, E2BIG}, {DER_EXIST, EEXIST}, {DER_UNREACH, EHOSTUNREACH},
	{DER_NOSPACE, ENOSPC}, {DER_ALREADY, EALREADY}, {DER_NOMEM, ENOMEM}, {DER_DOS, ENOMEM},
	{DER_TIMEDOUT, ETIMEDOUT}, {DER_BUSY, EBUSY}, {DER_EQ_BUSY, EBUSY}, {DER_AGAIN, EAGAIN},
	{DER_PROTO, EPROTO}, {DER_IO, EIO}, {DER_CANCELED, ECANCELED}, {DER_OP_CANCELED, ECANCELED},
	{DER_OVERFLOW, EOVERFLOW}, {DER_BADPATH, ENOTDIR}, {DER_NOTDIR, ENOTDIR}, {DER_STALE, ESTALE},
	{DER_TX_RESTART, ERESTART}, {DER_NOTSUPPORTED, ENOTSUP}, {DER_NOSYS, ENOSYS},
	{DER_QUOTA_LIMIT, EDQUOT},
};

/** What the kernel and libraries report; numbers not listed are DER_MISC. */
static const struct {
	int err;
	int der;
} to_der[] = {
	{0, 0},
	{EPERM, DER_NO_PERM}, {EACCES, DER_NO_PERM}, {EROFS, DER_NO_PERM},
	{ENOENT, DER_NONEXIST}, {ENODEV, DER_NONEXIST}, {ENXIO, DER_NONEXIST}, {ENODATA, DER_NONEXIST},
	{EINVAL, DER_INVAL}, {EFAULT, DER_INVAL}, {EISDIR, DER_INVAL},
	{E2BIG, DER_REC2BIG}, {EFBIG, DER_REC2BIG}, {EEXIST, DER_EXIST},
	{EHOSTUNREACH, DER_UNREACH}, {ENETUNREACH, DER_UNREACH}, {ECONNREFUSED, DER_UNREACH},
	{ECONNRESET, DER_UNREACH}, {EPIPE, DER_UNREACH}, {ENOTCONN, DER_UNREACH},
	{EADDRNOTAVAIL, DER_UNREACH},
	{ENOSPC, DER_NOSPACE}, {EDQUOT, DER_QUOTA_LIMIT}, {EALREADY, DER_ALREADY},
	{EINPROGRESS, DER_INPROGRESS}, {ENOMEM, DER_NOMEM}, {EMFILE, DER_NOMEM}, {ENFILE, DER_NOMEM},
	{ETIMEDOUT, DER_TIMEDOUT}, {ETIME, DER_TIMEDOUT}, {EBUSY, DER_BUSY}, {EADDRINUSE, DER_BUSY},
	{EAGAIN, DER_AGAIN}, {EINTR, DER_AGAIN}, {EPROTO, DER_PROTO}, {EIO, DER_IO},
	{ECANCELED, DER_CANCELED}, {EOVERFLOW, DER_OVERFLOW}, {ERANGE, DER_OVERFLOW},
	{ENAMETOOLONG, DER_EXCEEDS_PATH_LEN}, {EMSGSIZE, DER_TRUNC}, {ENOTDIR, DER_NOTDIR},
	{ESTALE, DER_STALE}, {ERESTART, DER_TX_RESTART}, {ENOTSUP, DER_NOTSUPPORTED},
	{ENOSYS, DER_NOSYS}, {EBADF, DER_NO_HDL}, {ENOTEMPTY, DER_BUSY}, {EBADMSG, DER_CSUM},
};

int
daos_der2errno(int der)
{
	der = err_abs(der);
	for (size_t i = 0; i < ARRAY_NR(to_errno); i++) {
		if (to_errno[i].der == der)
			return to_errno[i].err;
	}
	return EIO;
}

int
daos_errno2der(int err)
{
	for (size_t i = 0; i < ARRAY_NR(to_der); i++) {
		if (to_der[i].err == err)
			return -to_der[i].der;
	}
	return -DER_MISC;
}

bool
daos_rc_ask_again(int rc)
{
	switch (rc) {
	case -DER_TIMEDOUT:
	case -DER_UNREACH:
	case -DER_HG:
	case -DER_OOG:
	case -DER_NOREPLY:
	case -DER_AGAIN:
	case -DER_GRPVER:
	case -DER_SHUTDOWN:
	case -DER_INPROGRESS:
	case -DER_NOTLEADER:
	case -DER_NOTREPLICA:
	case -DER_NO_SERVICE:
	case -DER_OVERLOAD_RETRY:
		return true;
	default:
		return false;
	}
}
