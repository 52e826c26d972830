/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <daos_errno.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "base/crc32c.h"
#include "control/server/server_db.h"
#include "platform/platform.h"

#define DB_VERSION 1

struct server_db {
	char    path[4096];
	json_t *doc;
};

const char *
db_str(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text ? text : "";
}

uint64_t
db_int(const json_t *obj, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(obj, key));
}

/* ---- files ---- */

static int
sync_dir_of(const char *path)
{
	char copy[4096];
	int  fd, rc;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -DER_IO;
	rc = fsync(fd) == 0 ? 0 : -DER_IO;
	close(fd);
	return rc;
}

static int
write_synced(const char *path, const char *text)
{
	size_t len = strlen(text), done = 0;
	int    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int    rc = 0;

	if (fd < 0)
		return errno == ENOSPC ? -DER_NOSPACE : errno == EACCES ? -DER_NO_PERM : -DER_IO;
	while (done < len && rc == 0) {
		ssize_t n = write(fd, text + done, len - done);

		if (n > 0)
			done += n;
		else if (n < 0 && errno != EINTR)
			rc = errno == ENOSPC ? -DER_NOSPACE : -DER_IO;
	}
	if (rc == 0 && fsync(fd) != 0)
		rc = -DER_IO;
	close(fd);
	return rc;
}

static uint32_t
crc_of(const char *text)
{
	return d_crc32c(0, text, strlen(text));
}

int
server_file_replace(const char *path, json_t *body)
{
	char    temp[4200], *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS), *whole;
	json_t *doc;
	int     rc;

	if (text == NULL)
		return -DER_NOMEM;
	doc = json_pack("{s:I, s:O}", "crc32c", (json_int_t)crc_of(text), "db", body);
	whole = json_dumps(doc, JSON_INDENT(1) | JSON_SORT_KEYS);
	free(text);
	json_decref(doc);
	if (whole == NULL)
		return -DER_NOMEM;
	snprintf(temp, sizeof(temp), "%s.new", path);
	rc = write_synced(temp, whole);
	free(whole);
	if (rc == 0 && rename(temp, path) != 0)
		rc = -DER_IO;
	if (rc == 0)
		rc = sync_dir_of(path);
	if (rc != 0)
		unlink(temp);
	return rc;
}

int
server_file_read(const char *path, json_t **ret_body, char *errors, size_t errors_bytes)
{
	json_error_t jerr;
	json_t      *doc, *body;
	char        *text;
	bool         ok;

	if (access(path, F_OK) != 0)
		return -DER_NONEXIST;
	doc = json_load_file(path, 0, &jerr);
	body = json_object_get(doc, "db");
	text = json_is_object(body) ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	ok = text != NULL && json_is_integer(json_object_get(doc, "crc32c")) &&
	     (uint32_t)json_integer_value(json_object_get(doc, "crc32c")) == crc_of(text);
	free(text);
	if (!ok) {
		snprintf(errors, errors_bytes, "%s is damaged: %s", path, doc == NULL ? jerr.text : "its checksum does not match");
		json_decref(doc);
		return -DER_DF_INVAL;
	}
	*ret_body = json_incref(body);
	json_decref(doc);
	return 0;
}

/* ---- the database ---- */

static json_t *
fresh(const char *system)
{
	unsigned char uuid[16];
	char          text[37];

	plat_uuid_generate(uuid);
	uuid_unparse_lower(uuid, text);
	return json_pack("{s:i, s:s, s:s, s:i, s:[], s:[], s:{}, s:{}}", "version", DB_VERSION, "system", system, "uuid", text,
			 "map_version", 0, "members", "pools", "props", "attrs");
}

int
server_db_open(const char *dir, const char *system, struct server_db **ret_db, char *errors, size_t errors_bytes)
{
	struct server_db *db = calloc(1, sizeof(*db));
	int               rc;

	if (db == NULL)
		return -DER_NOMEM;
	snprintf(db->path, sizeof(db->path), "%s/daos_system.json", dir);
	rc = server_file_read(db->path, &db->doc, errors, errors_bytes);
	if (rc == -DER_NONEXIST) {
		db->doc = fresh(system);
		rc = db->doc ? server_db_save(db) : -DER_NOMEM;
		if (rc != 0)
			snprintf(errors, errors_bytes, "cannot write %s: %s", db->path, d_errdesc(rc));
	} else if (rc == 0 && db_int(db->doc, "version") != DB_VERSION) {
		rc = -DER_DF_INCOMPT;
		snprintf(errors, errors_bytes, "%s has version %u; this server reads version %d", db->path,
			 (unsigned)db_int(db->doc, "version"), DB_VERSION);
	} else if (rc == 0 && strcmp(db_str(db->doc, "system"), system) != 0) {
		rc = -DER_MISMATCH;
		snprintf(errors, errors_bytes, "%s belongs to system '%s', the configuration names '%s'", db->path,
			 db_str(db->doc, "system"), system);
	}
	if (rc != 0) {
		server_db_close(db);
		return rc;
	}
	*ret_db = db;
	return 0;
}

void
server_db_close(struct server_db *db)
{
	if (db == NULL)
		return;
	json_decref(db->doc);
	free(db);
}

int
server_db_save(struct server_db *db)
{
	return server_file_replace(db->path, db->doc);
}

int
server_db_erase(struct server_db *db)
{
	json_t *doc = fresh(db_str(db->doc, "system")), *old = db->doc;
	int     rc;

	if (doc == NULL)
		return -DER_NOMEM;
	db->doc = doc;
	rc = server_db_save(db);
	if (rc != 0) {
		db->doc = old;
		json_decref(doc);
		return rc;
	}
	json_decref(old);
	return 0;
}

json_t *
server_db_doc(struct server_db *db)
{
	return db->doc;
}

json_t *
server_db_members(struct server_db *db)
{
	return json_object_get(db->doc, "members");
}

json_t *
server_db_pools(struct server_db *db)
{
	return json_object_get(db->doc, "pools");
}

json_t *
server_db_member(struct server_db *db, uint32_t rank)
{
	json_t *m;
	size_t  i;

	json_array_foreach(server_db_members(db), i, m)
		if (db_int(m, "rank") == rank)
			return m;
	return NULL;
}

json_t *
server_db_member_by_uuid(struct server_db *db, const char *uuid)
{
	json_t *m;
	size_t  i;

	json_array_foreach(server_db_members(db), i, m)
		if (strcmp(db_str(m, "uuid"), uuid) == 0)
			return m;
	return NULL;
}

json_t *
server_db_pool(struct server_db *db, const char *id)
{
	json_t *p;
	size_t  i;

	json_array_foreach(server_db_pools(db), i, p)
		if (strcmp(db_str(p, "label"), id) == 0 || strcasecmp(db_str(p, "uuid"), id) == 0)
			return p;
	return NULL;
}
