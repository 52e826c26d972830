/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Error codes. Functions return 0 or the negative of one of these. The two tables below are the
 * only list: X(name, number, class, text), where the class tells how to react:
 *   CALLER    the request cannot succeed as it stands
 *   RETRY     the same request may succeed later
 *   REDIRECT  the same request may succeed elsewhere
 *   MEDIA     stored data or the device are damaged
 *   FATAL     give up
 */
#ifndef __DAOS_ERRNO_H__
#define __DAOS_ERRNO_H__

#if defined(__cplusplus)
extern "C" {
#endif

/* clang-format off */
/** Codes of the utility and network layers. */
#define D_FOREACH_GURT_ERR(X) \
	X(DER_NO_PERM, 1001, CALLER, "The caller lacks permission for this operation") \
	X(DER_NO_HDL, 1002, CALLER, "The handle is not open or is of another kind") \
	X(DER_INVAL, 1003, CALLER, "An argument is invalid") \
	X(DER_EXIST, 1004, CALLER, "It exists already") \
	X(DER_NONEXIST, 1005, CALLER, "No such thing exists") \
	X(DER_UNREACH, 1006, RETRY, "The peer cannot be reached") \
	X(DER_NOSPACE, 1007, CALLER, "No space is left on a storage target") \
	X(DER_ALREADY, 1008, CALLER, "This was done before") \
	X(DER_NOMEM, 1009, FATAL, "Memory ran out") \
	X(DER_NOSYS, 1010, CALLER, "This function is not available") \
	X(DER_TIMEDOUT, 1011, RETRY, "No answer arrived in time") \
	X(DER_BUSY, 1012, RETRY, "The resource is in use") \
	X(DER_AGAIN, 1013, RETRY, "Not possible right now, try again") \
	X(DER_PROTO, 1014, FATAL, "Peers speak incompatible protocols") \
	X(DER_UNINIT, 1015, CALLER, "The library or device is not initialized") \
	X(DER_TRUNC, 1016, CALLER, "The buffer is too short") \
	X(DER_OVERFLOW, 1017, CALLER, "The value exceeds its type or buffer") \
	X(DER_CANCELED, 1018, CALLER, "The operation was canceled") \
	X(DER_OOG, 1019, RETRY, "The rank is not in the group") \
	X(DER_HG, 1020, RETRY, "The network transport failed") \
	X(DER_UNREG, 1021, FATAL, "The RPC or its protocol version is not registered") \
	X(DER_ADDRSTR_GEN, 1022, FATAL, "No address string could be made") \
	X(DER_PMIX, 1023, FATAL, "The process manager interface failed") \
	X(DER_IVCB_FORWARD, 1024, REDIRECT, "The variable is not here, ask the parent") \
	X(DER_MISC, 1025, FATAL, "An error with no code of its own") \
	X(DER_BADPATH, 1026, CALLER, "The path is malformed") \
	X(DER_NOTDIR, 1027, CALLER, "It is not a directory") \
	X(DER_CORPC_INCOMPLETE, 1028, RETRY, "A collective RPC did not reach all members") \
	X(DER_NO_RAS_RANK, 1029, FATAL, "No rank receives RAS events") \
	X(DER_NOTATTACH, 1030, CALLER, "The group is not attached") \
	X(DER_MISMATCH, 1031, CALLER, "Versions do not match") \
	X(DER_EXCLUDED, 1032, FATAL, "The rank was excluded") \
	X(DER_NOREPLY, 1033, RETRY, "The RPC handler ended without a reply") \
	X(DER_DOS, 1034, RETRY, "Refused, too many requests") \
	X(DER_BAD_TARGET, 1035, REDIRECT, "The RPC reached a target that is not concerned") \
	X(DER_GRPVER, 1036, RETRY, "Group versions differ") \
	X(DER_HLC_SYNC, 1037, FATAL, "Clocks are too far apart") \
	X(DER_NO_SHMEM, 1038, FATAL, "Shared memory ran out") \
	X(DER_ADD_METRIC_FAILED, 1039, FATAL, "The metric could not be added") \
	X(DER_DURATION_MISMATCH, 1040, CALLER, "A duration ended that was not started") \
	X(DER_OP_NOT_PERMITTED, 1041, CALLER, "This type of metric has no such operation") \
	X(DER_EXCEEDS_PATH_LEN, 1042, CALLER, "The path is too long") \
	X(DER_METRIC_NOT_FOUND, 1043, CALLER, "No metric has this path") \
	X(DER_SHMEM_PERMS, 1044, CALLER, "Shared memory belongs to another user or group") \
	X(DER_HG_FATAL, 1045, FATAL, "The network transport failed for good") \
	X(DER_QUOTA_LIMIT, 1046, CALLER, "A quota is used up")

/** Codes of the storage layers. */
#define D_FOREACH_DAOS_ERR(X) \
	X(DER_IO, 2001, MEDIA, "Input or output failed") \
	X(DER_FREE_MEM, 2002, FATAL, "Memory could not be freed") \
	X(DER_ENOENT, 2003, CALLER, "The entry was not found") \
	X(DER_NOTYPE, 2004, CALLER, "The object type is unknown") \
	X(DER_NOSCHEMA, 2005, CALLER, "The object schema is unknown") \
	X(DER_NOLOCAL, 2006, REDIRECT, "The object is not stored here") \
	X(DER_STALE, 2007, RETRY, "The pool map is out of date") \
	X(DER_NOTLEADER, 2008, REDIRECT, "This replica does not lead the service") \
	X(DER_TGT_CREATE, 2009, FATAL, "A target could not be created") \
	X(DER_EP_RO, 2010, CALLER, "The epoch can only be read") \
	X(DER_EP_OLD, 2011, CALLER, "The epoch is too old, its data were reclaimed") \
	X(DER_KEY2BIG, 2012, CALLER, "The key is too long") \
	X(DER_REC2BIG, 2013, CALLER, "The record is too large") \
	X(DER_IO_INVAL, 2014, CALLER, "Buffers and extents differ in size") \
	X(DER_EQ_BUSY, 2015, CALLER, "The event queue still has events in flight") \
	X(DER_DOMAIN, 2016, CALLER, "Components do not fit the fault domain tree") \
	X(DER_SHUTDOWN, 2017, RETRY, "The service is going down") \
	X(DER_INPROGRESS, 2018, RETRY, "The operation is under way") \
	X(DER_NOTAPPLICABLE, 2019, CALLER, "This does not apply here") \
	X(DER_NOTREPLICA, 2020, REDIRECT, "This rank holds no replica of the service") \
	X(DER_CSUM, 2021, MEDIA, "Data do not match their checksum") \
	X(DER_DF_INVAL, 2022, MEDIA, "The stored format is not recognized") \
	X(DER_DF_INCOMPT, 2023, FATAL, "The stored format has an incompatible version") \
	X(DER_REC_SIZE, 2024, CALLER, "The record size is wrong") \
	X(DER_TX_RESTART, 2025, RETRY, "The transaction has to be restarted") \
	X(DER_DATA_LOSS, 2026, MEDIA, "Data are lost and cannot be recovered") \
	X(DER_OP_CANCELED, 2027, CALLER, "The operation was canceled") \
	X(DER_TX_BUSY, 2028, RETRY, "The transaction is not committed yet") \
	X(DER_AGENT_INCOMPAT, 2029, FATAL, "The agent and the library have incompatible versions") \
	X(DER_NEED_TX, 2030, RETRY, "This needs a distributed transaction") \
	X(DER_RF, 2031, FATAL, "More failed than the redundancy factor allows") \
	X(DER_FETCH_AGAIN, 2032, RETRY, "The data have to be fetched again") \
	X(DER_TX_UNCERTAIN, 2033, FATAL, "The outcome of the transaction is unknown") \
	X(DER_AGENT_COMM, 2034, CALLER, "The agent does not answer") \
	X(DER_ID_MISMATCH, 2035, CALLER, "Identifiers do not match") \
	X(DER_TGT_RETRY, 2036, REDIRECT, "Another target has to be tried") \
	X(DER_NOTSUPPORTED, 2037, CALLER, "This is not supported") \
	X(DER_CONTROL_INCOMPAT, 2038, FATAL, "Control plane versions do not fit each other") \
	X(DER_NO_SERVICE, 2039, RETRY, "The service is not available") \
	X(DER_TX_ID_REUSED, 2040, FATAL, "The transaction identifier may be in use again") \
	X(DER_UPDATE_AGAIN, 2041, RETRY, "The update has to be sent again") \
	X(DER_NVME_IO, 2042, MEDIA, "The storage device failed") \
	X(DER_NO_CERT, 2043, CALLER, "A certificate is missing or cannot be read") \
	X(DER_BAD_CERT, 2044, CALLER, "A certificate is not valid") \
	X(DER_VOS_PARTIAL_UPDATE, 2045, CALLER, "Partial overwrite in the same epoch") \
	X(DER_CHKPT_BUSY, 2046, RETRY, "The page is being checkpointed") \
	X(DER_DIV_BY_ZERO, 2047, CALLER, "Division by zero") \
	X(DER_OVERLOAD_RETRY, 2048, RETRY, "The service is overloaded, try later") \
	X(DER_NOT_RESUME, 2049, CALLER, "The earlier check cannot be resumed") \
	X(DER_CONT_NONEXIST, 2050, CALLER, "The container does not exist") \
	X(DER_CONT_DESTROYING, 2051, RETRY, "The container is being destroyed") \
	X(DER_IGNORE, 2052, CALLER, "The item is to be skipped")

#define D_FOREACH_ERR(X) D_FOREACH_GURT_ERR(X) D_FOREACH_DAOS_ERR(X)
/* clang-format on */

#define D_DEFINE_ERRNO(name, number, class, text) name = (number),

enum daos_errno {
	DER_SUCCESS       = 0,
	DER_ERR_GURT_BASE = 1000,
	DER_ERR_DAOS_BASE = 2000,
	D_FOREACH_ERR(D_DEFINE_ERRNO)
	DER_LAST_VALID,
	DER_UNKNOWN       = (DER_ERR_GURT_BASE + 500000),
};

/** Name of a code, given as returned (negative); "DER_UNKNOWN" for a number that is none. */
const char *
d_errstr(int errnum);

/** Text of a code, given as returned (negative); static memory. */
const char *
d_errdesc(int errnum);

#ifndef DF_RC
/** For printf-like calls: DF_RC in the format, DP_RC(rc) among the arguments. */
#define DF_RC     "%s(%d): '%s'"
#define DP_RC(rc) d_errstr(rc), rc, d_errdesc(rc)
#endif

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_ERRNO_H__ */
