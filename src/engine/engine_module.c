/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The module table. A module comes from the caller's table (tests, simulation), from the program
 * itself (rdb and rsvc are linked into daos_engine), or from a shared object
 * libdaos_srv_<name>.so in a directory of DAOS_MODULE_PATH, by default ../<libdir>/daos_srv beside the
 * executable. Of the names of public DAOS' list vos, security and dtx are libraries here, or parts of other modules:
 * they are accepted and mean nothing. So is rebuild, which this version does not have, with a note.
 *
 * Invariants:
 *  1. mods[] is in load order; init and setup go up, cleanup and fini down.
 *  2. mod_by_id[] holds exactly the modules of mods[]; ids and names are unique.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <dlfcn.h>
#include <daos_errno.h>
#include "base/log.h"
#include "engine/engine_internal.h"

#define MODULES_DEFAULT "vos,rdb,rsvc,security,mgmt,dtx,pool,cont,obj"

static const char *const core_names[] = {"vos", "security", "dtx", "rebuild"};

static bool
is_core_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_NR(core_names); i++) {
		if (strcmp(name, core_names[i]) == 0)
			return true;
	}
	return false;
}

/* ---- finding ---- */

static const struct dss_module *
find_static(const struct dss_module *const *table, const char *name)
{
	for (; *table != NULL; table++) {
		if (strcmp((*table)->sm_name, name) == 0)
			return *table;
	}
	return NULL;
}

/** Directory of the running program, without its last component. */
static bool
exe_dir(char *buf, size_t buf_bytes)
{
	ssize_t len = readlink("/proc/self/exe", buf, buf_bytes - 1);
	char   *slash;

	if (len <= 0)
		return false;
	buf[len] = '\0';
	slash = strrchr(buf, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

static void *
open_in_dir(const char *dir, const char *name, char *err, size_t err_bytes)
{
	char  path[PATH_MAX];
	void *dl;

	if (snprintf(path, sizeof(path), "%s/libdaos_srv_%s.so", dir, name) >= (int)sizeof(path))
		return NULL;
	if (access(path, F_OK) != 0) {
		if (err[0] == '\0')
			snprintf(err, err_bytes, "no file %s", path);
		return NULL;
	}
	dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (dl == NULL)
		snprintf(err, err_bytes, "%s", dlerror());
	return dl;
}

static void *
open_shared(const char *name, char *err, size_t err_bytes)
{
	const char *path = getenv("DAOS_MODULE_PATH");
	char        dirs[6 * PATH_MAX], exe[PATH_MAX], *save, *dir;
	void       *dl = NULL;

	err[0] = '\0';
	if (path != NULL && path[0] != '\0')
		snprintf(dirs, sizeof(dirs), "%s", path);
	else if (exe_dir(exe, sizeof(exe)))
		/* installed; in a build tree, where each folder has its own */
		snprintf(dirs, sizeof(dirs), "%s/../" ENGINE_LIBDIR "/daos_srv:%s/../mgmt:%s/../pool:%s/../container:%s/../object",
			 exe, exe, exe, exe, exe);
	else
		return NULL;
	for (dir = strtok_r(dirs, ":", &save); dir != NULL && dl == NULL;
	     dir = strtok_r(NULL, ":", &save))
		dl = open_in_dir(dir, name, err, err_bytes);
	return dl;
}

static int
find_module(const char *name, const struct dss_module **ret_mod, void **ret_dl)
{
	char  symbol[64], err[512];
	void *dl, *mod;

	snprintf(symbol, sizeof(symbol), "dss_module_%s", name);
	mod = dlsym(RTLD_DEFAULT, symbol);
	if (mod != NULL) {
		*ret_mod = mod;
		*ret_dl = NULL;
		return 0;
	}
	dl = open_shared(name, err, sizeof(err));
	if (dl == NULL) {
		D_ERROR("server module '%s' cannot be loaded: %s. Check the names given with -m and "
			"the directory DAOS_MODULE_PATH names.", name, err);
		return -DER_NONEXIST;
	}
	mod = dlsym(dl, symbol);
	if (mod == NULL) {
		D_ERROR("libdaos_srv_%s.so has no symbol %s: it is not a server module", name, symbol);
		dlclose(dl);
		return -DER_INVAL;
	}
	*ret_mod = mod;
	*ret_dl = dl;
	return 0;
}

/* ---- the table ---- */

static int
add_module(struct engine *eng, const struct dss_module *mod, void *dl)
{
	int rc = 0;

	if (eng->mod_nr == ENGINE_MOD_MAX || mod->sm_name == NULL || mod->sm_init == NULL ||
	    mod->sm_fini == NULL || (unsigned)mod->sm_mod_id >= ENGINE_MOD_MAX) {
		D_ERROR("%s: a server module is malformed (name %s, id %d)", eng->name,
			mod->sm_name == NULL ? "none" : mod->sm_name, mod->sm_mod_id);
		return -DER_INVAL;
	}
	if (eng->mod_by_id[mod->sm_mod_id] != NULL) {
		D_ERROR("%s: server modules %s and %s both have id %d; name each once with -m",
			eng->name, eng->mod_by_id[mod->sm_mod_id]->sm_name, mod->sm_name,
			mod->sm_mod_id);
		return -DER_EXIST;
	}
	if (mod->sm_proto != NULL)
		rc = engine_proto_register(eng, mod->sm_proto);
	if (rc != 0) {
		D_ERROR("%s: protocol of module %s cannot be registered: " DF_RC, eng->name,
			mod->sm_name, DP_RC(rc));
		return rc;
	}
	if (mod->sm_key != NULL)
		mod->sm_key->index = mod->sm_mod_id;
	eng->mod_by_id[mod->sm_mod_id] = mod;
	eng->mods[eng->mod_nr++] = (struct engine_module){.mod = mod, .dl = dl};
	return 0;
}

static int
load_named(struct engine *eng, const struct engine_attr *attr, const char *name)
{
	const struct dss_module *mod = NULL;
	void                    *dl = NULL;
	int                      rc;

	if (attr->static_modules != NULL)
		mod = find_static(attr->static_modules, name);
	if (mod == NULL && is_core_name(name)) {
		if (strcmp(name, "rebuild") == 0)
			D_NOTE("%s: module rebuild is not in this version: what a target loses is not made anew", eng->name);
		return 0;
	}
	if (mod == NULL && attr->static_modules != NULL) {
		D_ERROR("%s: server module '%s' is not linked into this program", eng->name, name);
		return -DER_NONEXIST;
	}
	if (mod == NULL) {
		rc = find_module(name, &mod, &dl);
		if (rc != 0)
			return rc;
	}
	rc = add_module(eng, mod, dl);
	if (rc != 0 && dl != NULL)
		dlclose(dl);
	return rc;
}

static int
load_list(struct engine *eng, const struct engine_attr *attr, const char *list)
{
	char *copy = strdup(list), *save, *name;
	int   rc = 0;

	if (copy == NULL)
		return -DER_NOMEM;
	for (name = strtok_r(copy, ", ", &save); name != NULL && rc == 0;
	     name = strtok_r(NULL, ", ", &save))
		rc = load_named(eng, attr, name);
	free(copy);
	return rc;
}

int
engine_modules_load(struct engine *eng, const struct engine_attr *attr)
{
	int rc = 0;

	if (attr->modules != NULL)
		return load_list(eng, attr, attr->modules);
	if (attr->static_modules == NULL)
		return load_list(eng, attr, MODULES_DEFAULT);
	for (uint32_t i = 0; attr->static_modules[i] != NULL && rc == 0; i++)
		rc = add_module(eng, attr->static_modules[i], NULL);
	return rc;
}

void
engine_modules_unload(struct engine *eng)
{
	while (eng->mod_nr > 0) {
		struct engine_module *em = &eng->mods[--eng->mod_nr];

		eng->mod_by_id[em->mod->sm_mod_id] = NULL;
		if (em->dl != NULL)
			dlclose(em->dl);
	}
}

/* ---- life of the modules; in ULTs of the system xstream ---- */

MAY_YIELD int
engine_modules_init(struct engine *eng)
{
	for (uint32_t i = 0; i < eng->mod_nr; i++) {
		const struct dss_module *mod = eng->mods[i].mod;
		int                      rc = mod->sm_init(eng);

		if (rc != 0) {
			D_ERROR("%s: module %s failed to start: " DF_RC, eng->name, mod->sm_name,
				DP_RC(rc));
			return rc;
		}
		eng->mods[i].inited = true;
	}
	return 0;
}

MAY_YIELD void
engine_modules_fini(struct engine *eng)
{
	for (int i = (int)eng->mod_nr - 1; i >= 0; i--) {
		if (eng->mods[i].inited)
			eng->mods[i].mod->sm_fini(eng);
		eng->mods[i].inited = false;
	}
}

MAY_YIELD void
engine_modules_cleanup(struct engine *eng)
{
	for (int i = (int)eng->mod_nr - 1; i >= 0; i--) {
		if (eng->mods[i].is_set_up && eng->mods[i].mod->sm_cleanup != NULL)
			eng->mods[i].mod->sm_cleanup(eng);
		eng->mods[i].is_set_up = false;
	}
}

MAY_YIELD int
engine_modules_setup(struct engine *eng)
{
	for (uint32_t i = 0; i < eng->mod_nr; i++) {
		const struct dss_module *mod = eng->mods[i].mod;
		int                      rc = 0;

		if (eng->mods[i].is_set_up)
			continue;
		if (mod->sm_setup != NULL)
			rc = mod->sm_setup(eng);
		if (rc != 0) {
			D_ERROR("%s: module %s failed to set up: " DF_RC, eng->name, mod->sm_name,
				DP_RC(rc));
			return rc;
		}
		eng->mods[i].is_set_up = true;
	}
	return 0;
}
