/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The interface of public tse.h, function by function, as types: what is not so does not compile, what is
 * not there does not link. Public tse.h declares tse_task2arg(), too, which no release has defined.
 */
#include <stdlib.h>
#include <stdio.h>
#include <daos/tse.h>

#define TSE_API(F)                                                                                 \
	F(int, tse_sched_init, (tse_sched_t *, tse_sched_comp_cb_t, void *))                       \
	F(void, tse_sched_fini, (tse_sched_t *))                                                   \
	F(void, tse_sched_addref, (tse_sched_t *))                                                 \
	F(void, tse_sched_decref, (tse_sched_t *))                                                 \
	F(void, tse_sched_complete, (tse_sched_t *, int, bool))                                    \
	F(int, tse_sched_register_comp_cb, (tse_sched_t *, tse_sched_comp_cb_t, void *))           \
	F(void, tse_sched_progress, (tse_sched_t *))                                               \
	F(bool, tse_sched_check_complete, (tse_sched_t *))                                         \
	F(int, tse_task_create, (tse_task_func_t, tse_sched_t *, void *, tse_task_t **))           \
	F(int, tse_task_schedule, (tse_task_t *, bool))                                            \
	F(int, tse_task_schedule_with_delay, (tse_task_t *, bool, uint64_t))                       \
	F(int, tse_task_register_comp_cb, (tse_task_t *, tse_task_cb_t, void *, size_t))           \
	F(int, tse_task_register_comp_cb_and_reinit,                                               \
	  (tse_task_t *, tse_task_cb_t, void *, size_t, uint64_t))                                 \
	F(void, tse_task_complete, (tse_task_t *, int))                                            \
	F(void *, tse_task_buf_embedded, (tse_task_t *, int))                                      \
	F(void *, tse_task_get_priv, (tse_task_t *))                                               \
	F(void *, tse_task_set_priv, (tse_task_t *, void *))                                       \
	F(tse_sched_t *, tse_task2sched, (tse_task_t *))                                           \
	F(int, tse_task_register_deps, (tse_task_t *, int, tse_task_t *[]))                        \
	F(int, tse_task_register_cbs, (tse_task_t *, tse_task_cb_t, void *, size_t, tse_task_cb_t, \
				       void *, size_t))                                            \
	F(int, tse_task_reinit, (tse_task_t *))                                                    \
	F(int, tse_task_reinit_with_delay, (tse_task_t *, uint64_t))                               \
	F(int, tse_task_reset, (tse_task_t *, tse_task_func_t, void *))                            \
	F(void, tse_task_addref, (tse_task_t *))                                                   \
	F(void, tse_task_decref, (tse_task_t *))                                                   \
	F(int, tse_task_list_add, (tse_task_t *, d_list_t *))                                      \
	F(void, tse_task_list_del, (tse_task_t *))                                                 \
	F(tse_task_t *, tse_task_list_first, (d_list_t *))                                         \
	F(void, tse_task_list_sched, (d_list_t *, bool))                                           \
	F(void, tse_task_list_abort, (d_list_t *, int))                                            \
	F(int, tse_task_list_depend, (d_list_t *, tse_task_t *))                                   \
	F(int, tse_task_depend_list, (tse_task_t *, d_list_t *))                                   \
	F(int, tse_task_list_traverse, (d_list_t *, tse_task_cb_t, void *))                        \
	F(int, tse_task_list_traverse_adv, (d_list_t *, tse_task_cb_t, void *))                    \
	F(void, tse_disable_propagate, (tse_task_t *))

#define SAME_TYPE(ret, name, args)                                                                 \
	_Static_assert(__builtin_types_compatible_p(__typeof__(&name), ret(*) args), #name);
TSE_API(SAME_TYPE)

_Static_assert(TSE_TASK_ARG_LEN == 840 + sizeof(pthread_mutex_t), "arguments");
_Static_assert(TSE_PRIV_SIZE == TSE_TASK_ARG_LEN + 136, "private part");
_Static_assert(TSE_TASK_SIZE == TSE_PRIV_SIZE + 8 && sizeof(tse_task_t) == TSE_TASK_SIZE, "task");
_Static_assert(offsetof(tse_task_t, dt_private) == 8, "public part");
_Static_assert(sizeof(((tse_sched_t *)0)->ds_private) == 48 * sizeof(uint64_t), "scheduler");
_Static_assert(__builtin_types_compatible_p(tse_sched_comp_cb_t, int (*)(void *, int)), "callback of schedulers");
_Static_assert(__builtin_types_compatible_p(tse_task_func_t, int (*)(tse_task_t *)), "body");
_Static_assert(__builtin_types_compatible_p(tse_task_cb_t, int (*)(tse_task_t *, void *)), "callback of tasks");

#define ADDRESS(ret, name, args) {#name, (void (*)(void))name},
static const struct {
	const char *name;
	void      (*fn)(void);
} api[] = {TSE_API(ADDRESS)};

int
main(void)
{
	for (size_t i = 0; i < sizeof(api) / sizeof(api[0]); i++) {
		if (api[i].fn == NULL) {
			printf("%s is not there\n", api[i].name);
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
