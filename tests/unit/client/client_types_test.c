/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The interfaces of public daos_event.h and daos_task.h, function by function, as types: what is not so does
 * not compile, what is not there does not link.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <daos.h>
#include <daos_task.h>

#define EVENT_API(F)                                                                               \
	F(int, daos_eq_create, (daos_handle_t *))                                                  \
	F(int, daos_eq_destroy, (daos_handle_t, int))                                              \
	F(int, daos_eq_poll, (daos_handle_t, int, int64_t, unsigned int, daos_event_t **))         \
	F(int, daos_eq_query, (daos_handle_t, daos_eq_query_t, unsigned int, daos_event_t **))     \
	F(int, daos_event_init, (daos_event_t *, daos_handle_t, daos_event_t *))                   \
	F(int, daos_event_fini, (daos_event_t *))                                                  \
	F(daos_event_t *, daos_event_next, (daos_event_t *, daos_event_t *))                       \
	F(int, daos_event_test, (struct daos_event *, int64_t, bool *))                            \
	F(int, daos_event_register_comp_cb, (struct daos_event *, daos_event_comp_cb_t, void *))   \
	F(int, daos_event_parent_barrier, (struct daos_event *))                                   \
	F(int, daos_event_abort, (daos_event_t *))
#define TASK_API(F)                                                                                \
	F(int, daos_task_create, (daos_opc_t, tse_sched_t *, unsigned int, tse_task_t *[],         \
				  tse_task_t **))                                                  \
	F(int, daos_task_reset, (tse_task_t *, daos_opc_t))                                        \
	F(void *, daos_task_get_args, (tse_task_t *))                                              \
	F(void *, daos_task_get_priv, (tse_task_t *))                                              \
	F(void *, daos_task_set_priv, (tse_task_t *, void *))                                      \
	F(int, daos_progress, (tse_sched_t *, int64_t, bool *))

#define SAME_TYPE(ret, name, args)                                                                 \
	_Static_assert(__builtin_types_compatible_p(__typeof__(&name), ret(*) args), #name);
EVENT_API(SAME_TYPE)
TASK_API(SAME_TYPE)

_Static_assert(DAOS_EQ_WAIT == -1 && DAOS_EQ_NOWAIT == 0 && DAOS_EQ_DESTROY_FORCE == 1, "constants");
_Static_assert(offsetof(daos_event_t, ev_error) == 0, "public part of an event");
_Static_assert(sizeof(((daos_event_t *)0)->ev_private) == 160, "private part of an event");
_Static_assert(__builtin_types_compatible_p(daos_event_comp_cb_t, int (*)(void *, daos_event_t *, int)), "callback");

#define ADDRESS(ret, name, args) {#name, (void (*)(void))name},
static const struct {
	const char *name;
	void      (*fn)(void);
} api[] = {EVENT_API(ADDRESS) TASK_API(ADDRESS)};

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
