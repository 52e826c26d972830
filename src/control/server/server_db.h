/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The system database: members, pools, properties. One JSON document, replaced as a whole:
 *
 *     {"crc32c": 123, "db": {"version": 1, "system": "daos_server", "uuid": "..", "map_version": 7,
 *      "members": [{"rank", "uuid", "addr", "idx", "uri", "secondary_uris", "nctxs", "incarnation", "state", "info",
 *      "fault_domain"}],
 *      "pools": [{"uuid", "label", "svc_reps", "ranks", "tier_bytes", "state"}], "props": {}, "attrs": {}}}
 *
 * "secondary_uris", by secondary provider: absent from members that joined before the field was there.
 *
 * The checksum is that of the "db" member printed compactly with sorted keys. A change is durable when
 * server_db_save() returns: written beside, synced, renamed, the directory synced. All under the server's lock.
 */
#pragma once

#include <jansson.h>

#include "base/util.h"

struct server_db;
/** Opens or, when there is none, creates. DF_INVAL: damaged, @errors says where; it is left as it is. */
int  server_db_open(const char *dir, const char *system, struct server_db **ret_db, char *errors, size_t errors_bytes) MUST_CHECK;
void server_db_close(struct server_db *db);
int  server_db_save(struct server_db *db) MUST_CHECK;
/** Forget everything: no members, no pools, a new system UUID. */
int  server_db_erase(struct server_db *db) MUST_CHECK;

json_t *server_db_doc(struct server_db *db);     /**< borrowed, as are all below */
json_t *server_db_members(struct server_db *db); /**< array, by rank */
json_t *server_db_pools(struct server_db *db);
json_t *server_db_member(struct server_db *db, uint32_t rank);
json_t *server_db_member_by_uuid(struct server_db *db, const char *uuid);
/** @id label or UUID. */
json_t *server_db_pool(struct server_db *db, const char *id);

/** A file replaced atomically and durably; shared with the superblocks. */
int server_file_replace(const char *path, json_t *body) MUST_CHECK;
/** Reads such a file and checks it; NONEXIST | DF_INVAL. @ret_body taken. */
int server_file_read(const char *path, json_t **ret_body, char *errors, size_t errors_bytes) MUST_CHECK;

/* Members with defaults. */
const char *db_str(const json_t *obj, const char *key);
uint64_t    db_int(const json_t *obj, const char *key);
