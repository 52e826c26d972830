/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* hello_daos POOL CONTAINER: an object, an array, a key-value store and a file. Build: see README.md */
#include <daos.h>
#include <daos_fs.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#define CHECK(call) do { int rc_ = (call); if (rc_ != 0) { printf("%s: %d\n", #call, rc_); return 1; } } while (0)
int main(int argc, char **argv)
{
	daos_handle_t poh, coh, oh, ah, kh, eq; daos_event_t ev, *evp; daos_obj_id_t oid = {.lo = 1}, aid = {.lo = 2}, kid = {.lo = 3};
	char text[] = "hello, daos", back[64] = "", dkey[] = "d", akey[] = "a"; daos_size_t size = sizeof(back); dfs_t *dfs; dfs_obj_t *file;
	if (argc != 3) return 2;
	CHECK(daos_init()); CHECK(daos_pool_connect(argv[1], NULL, DAOS_PC_RW, &poh, NULL, NULL));
	CHECK(daos_cont_open(poh, argv[2], DAOS_COO_RW, &coh, NULL, NULL));
	d_iov_t dk, iov; d_iov_set(&dk, dkey, 1); d_iov_set(&iov, text, sizeof(text));
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_iod_t iod = {.iod_type = DAOS_IOD_SINGLE, .iod_size = sizeof(text), .iod_nr = 1}; d_iov_set(&iod.iod_name, akey, 1);
	CHECK(daos_eq_create(&eq)); CHECK(daos_event_init(&ev, eq, NULL));
	CHECK(daos_obj_generate_oid(coh, &oid, DAOS_OT_MULTI_HASHED, OC_SX, 0, 0)); CHECK(daos_obj_open(coh, oid, DAOS_OO_RW, &oh, NULL));
	CHECK(daos_obj_update(oh, DAOS_TX_NONE, 0, &dk, 1, &iod, &sgl, &ev));
	while (daos_eq_poll(eq, 1, DAOS_EQ_WAIT, 1, &evp) == 0) {} CHECK(ev.ev_error);
	d_iov_set(&iov, back, sizeof(back)); CHECK(daos_obj_fetch(oh, DAOS_TX_NONE, 0, &dk, 1, &iod, &sgl, NULL, &ev));
	while (daos_eq_poll(eq, 1, DAOS_EQ_WAIT, 1, &evp) == 0) {} CHECK(ev.ev_error); printf("object: %s\n", back);
	CHECK(daos_obj_close(oh, NULL)); CHECK(daos_event_fini(&ev)); CHECK(daos_eq_destroy(eq, 0));
	CHECK(daos_array_generate_oid(coh, &aid, true, OC_SX, 0, 0)); CHECK(daos_array_create(coh, aid, DAOS_TX_NONE, 1, 1 << 20, &ah, NULL));
	daos_range_t rg = {.rg_idx = 0, .rg_len = sizeof(text)}; daos_array_iod_t aiod = {.arr_nr = 1, .arr_rgs = &rg}; d_iov_set(&iov, text, sizeof(text));
	CHECK(daos_array_write(ah, DAOS_TX_NONE, &aiod, &sgl, NULL)); CHECK(daos_array_get_size(ah, DAOS_TX_NONE, &size, NULL));
	printf("array: %d bytes\n", (int)size); CHECK(daos_array_destroy(ah, DAOS_TX_NONE, NULL)); CHECK(daos_array_close(ah, NULL));
	CHECK(daos_obj_generate_oid(coh, &kid, DAOS_OT_KV_HASHED, OC_SX, 0, 0)); CHECK(daos_kv_open(coh, kid, DAOS_OO_RW, &kh, NULL));
	CHECK(daos_kv_put(kh, DAOS_TX_NONE, 0, "key", sizeof(text), text, NULL)); size = sizeof(back); memset(back, 0, sizeof(back));
	CHECK(daos_kv_get(kh, DAOS_TX_NONE, 0, "key", &size, back, NULL)); printf("kv: %s\n", back); CHECK(daos_kv_close(kh, NULL));
	CHECK(dfs_mount(poh, coh, O_RDWR, &dfs)); d_iov_set(&iov, text, sizeof(text));
	CHECK(dfs_open(dfs, NULL, "hello", S_IFREG | 0644, O_RDWR | O_CREAT, 0, 0, NULL, &file)); CHECK(dfs_write(dfs, file, &sgl, 0, NULL));
	CHECK(dfs_get_size(dfs, file, &size)); printf("file: %d bytes\n", (int)size); CHECK(dfs_release(file)); CHECK(dfs_umount(dfs));
	CHECK(daos_cont_close(coh, NULL)); CHECK(daos_pool_disconnect(poh, NULL)); return daos_fini();
}
