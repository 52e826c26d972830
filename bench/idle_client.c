/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A client that mostly does nothing: idle_client POOL CONTAINER NR
 * Puts a value into its own key-value store (number NR), says "ready", and for each line on its input gets the
 * value again and prints how many microseconds that took. Ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <daos.h>
#include "bench_util.h"

int
main(int argc, char **argv)
{
	daos_handle_t poh, coh, kv;
	daos_obj_id_t oid  = {0};
	char          line[16], value[64] = "", back[64];
	daos_size_t   size;

	BENCH_CHECK(argc == 4 && daos_init() == 0);
	oid.lo = strtoul(argv[3], NULL, 10) + 1;
	snprintf(value, sizeof(value), "value of client %s", argv[3]);
	BENCH_CHECK(daos_pool_connect(argv[1], NULL, DAOS_PC_RW, &poh, NULL, NULL) == 0);
	BENCH_CHECK(daos_cont_open(poh, argv[2], DAOS_COO_RW, &coh, NULL, NULL) == 0);
	BENCH_CHECK(daos_obj_generate_oid(coh, &oid, DAOS_OT_KV_HASHED, OC_S1, 0, 0) == 0);
	BENCH_CHECK(daos_kv_open(coh, oid, DAOS_OO_RW, &kv, NULL) == 0);
	BENCH_CHECK(daos_kv_put(kv, DAOS_TX_NONE, 0, "key", sizeof(value), value, NULL) == 0);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		uint64_t begin = bench_now_ns();

		size = sizeof(back);
		BENCH_CHECK(daos_kv_get(kv, DAOS_TX_NONE, 0, "key", &size, back, NULL) == 0);
		printf("%.1f\n", (bench_now_ns() - begin) / 1000.0);
		fflush(stdout);
		BENCH_CHECK(size == sizeof(value) && memcmp(value, back, size) == 0);
	}
	BENCH_CHECK(daos_kv_close(kv, NULL) == 0 && daos_cont_close(coh, NULL) == 0);
	BENCH_CHECK(daos_pool_disconnect(poh, NULL) == 0);
	return daos_fini();
}
