/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fuzz target: configuration files. The first byte says for whom: even the server, odd dmg. The
 * rest is the file, which is in memory (memfd) but for its name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/util.h"
#include "control/common/ctl_config.h"
#include "control/server/server_config.h"
#include "fuzz_replay.h"

static void
as_server(const char *path)
{
	struct server_config *cfg = NULL;
	char		      errors[512];
	uint64_t	      bytes;
	uint32_t	      i;

	if (server_config_load(path, &cfg, errors, sizeof(errors)) != 0) {
		if (cfg != NULL || errors[0] == '\0' || strlen(errors) >= sizeof(errors))
			abort(); /* refused without a word */
		return;
	}
	/* What was accepted is what the server relies on. */
	for (i = 0; i < cfg->engines_count; i++) {
		const struct server_tier *ram = server_ram_tier(&cfg->engines[i]);

		if (ram == NULL || ram->scm_mount == NULL || cfg->engines[i].fabric_iface == NULL ||
		    cfg->engines[i].fabric_iface_port == NULL || cfg->engines[i].fabric.nr == 0 ||
		    cfg->engines[i].fabric.nr > SERVER_PROVIDERS_MAX || cfg->engines[i].targets == 0 ||
		    (ram->scm_size != NULL && server_size(ram->scm_size, &bytes) != 0))
			abort();
	}
	if (cfg->engines_count == 0 || cfg->name == NULL || cfg->provider == NULL ||
	    cfg->transport_config.key == NULL)
		abort();
	server_config_free(cfg);
}

static void
as_dmg(const char *path)
{
	struct ctl_client_config *cfg = NULL;
	char			  errors[512];

	if (ctl_client_config_load(path, &cfg, errors, sizeof(errors)) != 0) {
		if (cfg != NULL || errors[0] == '\0')
			abort();
		return;
	}
	if (cfg->name == NULL || cfg->hostlist_count == 0 || cfg->hostlist[0] == NULL ||
	    cfg->transport_config == NULL || cfg->port == 0 || cfg->port > UINT16_MAX)
		abort();
	ctl_client_config_free(cfg);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char path[64];
	int  fd;

	if (bytes == 0)
		return 0;
	fd = memfd_create("fuzz.yml", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data + 1, bytes - 1) != (ssize_t)bytes - 1)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (data[0] % 2 == 0)
		as_server(path);
	else
		as_dmg(path);
	close(fd);
	return 0;
}

void
fuzz_start(void)
{
}
