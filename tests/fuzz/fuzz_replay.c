/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz_replay.h"

void
fuzz_seed(const char *dir, const char *name, const void *head, size_t head_bytes, const void *body, size_t body_bytes)
{
	char  path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(head, 1, head_bytes, f) != head_bytes ||
	    fwrite(body, 1, body_bytes, f) != body_bytes || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

#ifdef FUZZ_LIBFUZZER
int LLVMFuzzerInitialize(int *argc, char ***argv);
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	fuzz_start();
	return 0;
}
#else

#define INPUT_MAX 65536
#define MUTATIONS 1000

static int files_nr;

/** Flip, overwrite, cut, double: what a careless or hostile sender does. */
static size_t
mutate(uint8_t *buf, size_t bytes, unsigned *seed)
{
	int i, nr = 1 + rand_r(seed) % 4;

	for (i = 0; i < nr && bytes > 0; i++) {
		size_t at = rand_r(seed) % bytes, n = rand_r(seed) % (bytes - at) + 1;

		switch (rand_r(seed) % 5) {
		case 0:
			buf[at] ^= 1 << rand_r(seed) % 8;
			break;
		case 1:
			buf[at] = rand_r(seed);
			break;
		case 2:
			buf[at] = 0xff;
			break;
		case 3:
			memmove(buf + at, buf + at + n, bytes - at - n);
			bytes -= n;
			break;
		default:
			if (bytes + n <= INPUT_MAX) {
				memmove(buf + at + n, buf + at, bytes - at);
				bytes += n;
			}
		}
	}
	return bytes;
}

/** Each input lies in memory of its own size: a sanitizer sees the first byte read too many. */
static void
run_input(const uint8_t *data, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, bytes);
	(void)LLVMFuzzerTestOneInput(copy, bytes);
	free(copy);
}

static void
run_file(const char *path)
{
	static uint8_t buf[INPUT_MAX], bad[INPUT_MAX];
	FILE	      *f = fopen(path, "rb");
	unsigned       seed = 1;
	size_t	       n;
	int	       i;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	files_nr++;
	run_input(buf, n);
	for (i = 0; i < MUTATIONS; i++) {
		memcpy(bad, buf, n);
		run_input(bad, mutate(bad, n, &seed));
	}
}

static void
run_path(const char *path)
{
	struct stat	st;
	struct dirent **list;
	char		sub[4096];
	int		i, nr;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	nr = scandir(path, &list, NULL, alphasort);
	for (i = 0; i < nr; i++) {
		snprintf(sub, sizeof(sub), "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.')
			run_path(sub);
		free(list[i]);
	}
	if (nr >= 0)
		free(list);
}

int
main(int argc, char **argv)
{
	FILE *report = fdopen(dup(STDOUT_FILENO), "w");
	int   i;

	/* What the targets print is of no interest. */
	if (report == NULL || freopen("/dev/null", "w", stdout) == NULL)
		return 1;
	fuzz_start();
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0 && fuzz_seeds != NULL) {
		fuzz_seeds(argv[2]);
		return 0;
	}
	for (i = 1; i < argc; i++)
		run_path(argv[i]);
	fprintf(report, "%d files, %d inputs\n", files_nr, files_nr * (MUTATIONS + 1));
	fclose(report);
	return files_nr > 0 ? 0 : 1;
}
#endif
