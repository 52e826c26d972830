/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** ddb: the program. Options, lines from the command line, a file, or standard input. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "tools/ddb.h"
#include "ult/ult.h"

struct run {
	struct ddb  ddb;
	const char *cmd;
	const char *file;
	const char *pool;
	int	    rc;
};

static void
usage(FILE *out)
{
	fprintf(out, "usage: ddb [-w] [-p POOL[/vos-TARGET]] [-R COMMAND | -f FILE] DEVICE...\n"
		     "  -w, --write_mode       change pools; without it nothing on the devices is changed\n"
		     "  -p, --pool=POOL        open this one at the start\n"
		     "  -R, --run_cmd=COMMAND  run it and end\n"
		     "  -f, --cmd_file=FILE    run its lines and end\n");
}

MAY_YIELD static int
file_run(struct ddb *ddb, FILE *in, bool prompts)
{
	char  *line = NULL;
	size_t cap = 0;
	int    rc = 0;

	for (;;) {
		if (prompts) {
			printf("$ ");
			fflush(stdout);
		}
		if (getline(&line, &cap, in) < 0)
			break;
		rc = ddb_line(ddb, line);
		/* At a prompt an error is told; in a file it ends. */
		if (rc == DDB_QUIT || (rc != 0 && !prompts))
			break;
	}
	free(line);
	return rc == DDB_QUIT || prompts ? 0 : rc;
}

MAY_YIELD static int
run_cmds(struct run *run)
{
	char *line;
	FILE *in;
	int   rc;

	if (run->cmd != NULL) {
		line = strdup(run->cmd);
		rc = line == NULL ? -DER_NOMEM : ddb_line(&run->ddb, line);
		free(line);
		return rc == DDB_QUIT ? 0 : rc;
	}
	if (run->file == NULL)
		return file_run(&run->ddb, stdin, isatty(STDIN_FILENO));
	in = fopen(run->file, "r");
	if (in == NULL)
		return ddb_say(run->file, -DER_NONEXIST);
	rc = file_run(&run->ddb, in, false);
	fclose(in);
	return rc;
}

MAY_YIELD static void
run_ult(void *arg)
{
	struct run *run = arg;
	bool	    on_devs = run->cmd != NULL && ddb_needs_no_pool(run->cmd);

	run->rc = ddb_devs_open(&run->ddb);
	/* The only pool is opened by itself, unless commands in a file or at a prompt choose. */
	if (run->rc == 0 && (run->pool != NULL || (run->cmd != NULL && !on_devs)))
		run->rc = ddb_pool_open(&run->ddb, run->pool);
	if (run->rc == 0)
		run->rc = run_cmds(run);
	ddb_pool_close(&run->ddb);
	ddb_devs_close(&run->ddb);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"write_mode", no_argument, NULL, 'w'},
						{"run_cmd", required_argument, NULL, 'R'},
						{"cmd_file", required_argument, NULL, 'f'},
						{"pool", required_argument, NULL, 'p'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	struct ult_xs_attr attr = {.name = "ddb", .stack_bytes = 1 << 20, .core = -1};
	struct run	   run = {.ddb = {.out = stdout}, .rc = -1};
	int		   c;

	while ((c = getopt_long(argc, argv, "wR:f:p:h", options, NULL)) != -1) {
		if (c == 'w') {
			run.ddb.write = true;
		} else if (c == 'R') {
			run.cmd = optarg;
		} else if (c == 'f') {
			run.file = optarg;
		} else if (c == 'p') {
			run.pool = optarg;
		} else {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
	}
	if (optind == argc || argc - optind > DDB_DEV_MAX) {
		usage(stderr);
		return 2;
	}
	for (; optind < argc; optind++)
		run.ddb.devs[run.ddb.dev_nr++].path = argv[optind];
	if (d_log_init() != 0 || ult_xs_run(&attr, run_ult, &run) != 0)
		return 1;
	d_log_fini();
	return run.rc == 0 ? 0 : 1;
}
