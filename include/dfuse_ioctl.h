/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** ioctl(2) requests on files of a DFUSE mount: which object a file is, and who serves it. */
#ifndef __DFUSE_IOCTL_H__
#define __DFUSE_IOCTL_H__

#include <stdbool.h>
#include <sys/types.h>
#include <asm/ioctl.h>
#include <daos.h>

#define DFUSE_IOCTL_TYPE       0xA3
#define DFUSE_IOCTL_VERSION    7
#define DFUSE_IOCTL_REPLY_BASE 0xC1

#define DFUSE_IOCTL_REPLY_CORE   (DFUSE_IOCTL_REPLY_BASE)
#define DFUSE_IOCTL_R_DFUSE_USER (DFUSE_IOCTL_REPLY_BASE + 9)
#define DFUSE_COUNT_QUERY_CMD    (DFUSE_IOCTL_REPLY_BASE + 10)

/** fir_flags: metadata of this file is cached by the kernel. */
#define DFUSE_IOCTL_FLAGS_MCACHE (0x1)

struct dfuse_il_reply {
	int           fir_version; /**< DFUSE_IOCTL_VERSION */
	daos_obj_id_t fir_oid;
	uuid_t        fir_pool;
	uuid_t        fir_cont;
	uint64_t      fir_flags;
};

struct dfuse_user_reply {
	uid_t uid;
	gid_t gid;
};

struct dfuse_mem_query {
	uint64_t inode_count;
	uint64_t fh_count;
	uint64_t pool_count;
	uint64_t container_count;
	ino_t    ino; /**< [in] look this one up; 0: none */
	uint32_t stat_count;
	bool     found; /**< @ino is known */
};

#define DFUSE_IOCTL_IL ((int)_IOR(DFUSE_IOCTL_TYPE, DFUSE_IOCTL_REPLY_CORE, struct dfuse_il_reply))
#define DFUSE_IOCTL_DFUSE_USER                                                                     \
	((int)_IOR(DFUSE_IOCTL_TYPE, DFUSE_IOCTL_R_DFUSE_USER, struct dfuse_user_reply))
#define DFUSE_IOCTL_COUNT_QUERY                                                                    \
	((int)_IOWR(DFUSE_IOCTL_TYPE, DFUSE_COUNT_QUERY_CMD, struct dfuse_mem_query))

#endif /* __DFUSE_IOCTL_H__ */
