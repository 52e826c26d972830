/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "base/fault.h"

#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>

#define PPM 1000000U

static const char *const fault_names[D_FAULT_NR] = {
#define FAULT_NAME(id, name) [D_FAULT_##id] = name,
	D_FAULT_POINTS(FAULT_NAME)
#undef FAULT_NAME
};

static const char *const kind_names[D_FAULT_KIND_NR] = {
	[D_FAULT_KIND_ERROR] = "error",     [D_FAULT_KIND_DELAY] = "delay",
	[D_FAULT_KIND_YIELD] = "yield",     [D_FAULT_KIND_CORRUPT] = "corrupt",
	[D_FAULT_KIND_CRASH] = "crash",
};

void
d_faults_init(struct d_faults *faults, uint64_t seed)
{
	memset(faults, 0, sizeof(*faults));
	pthread_mutex_init(&faults->lock, NULL);
	faults->rng = seed;
}

void
d_faults_fini(struct d_faults *faults)
{
	pthread_mutex_destroy(&faults->lock);
}

/** SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t
fault_random(struct d_faults *faults)
{
	uint64_t z = (faults->rng += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void
d_fault_arm(struct d_faults *faults, enum d_fault_id id, const struct d_fault_rule *rule)
{
	struct d_fault_point *point = &faults->points[id];

	pthread_mutex_lock(&faults->lock);
	point->rule = *rule;
	if (rule->nth != 0)
		point->rule.fires_max = 1;
	point->pass_nr = 0;
	point->fire_nr = 0;
	atomic_store(&point->armed, true);
	pthread_mutex_unlock(&faults->lock);
}

void
d_fault_disarm(struct d_faults *faults, enum d_fault_id id)
{
	atomic_store(&faults->points[id].armed, false);
}

uint64_t
d_fault_fire_nr(struct d_faults *faults, enum d_fault_id id)
{
	uint64_t fire_nr;

	pthread_mutex_lock(&faults->lock);
	fire_nr = faults->points[id].fire_nr;
	pthread_mutex_unlock(&faults->lock);
	return fire_nr;
}

static bool
fault_fires(struct d_faults *faults, struct d_fault_point *point)
{
	const struct d_fault_rule *rule = &point->rule;

	point->pass_nr++;
	if (rule->fires_max != 0 && point->fire_nr >= rule->fires_max)
		return false;
	if (rule->nth != 0)
		return point->pass_nr == rule->nth;
	return fault_random(faults) % PPM < rule->prob_ppm;
}

bool
d_fault_pass_slow(struct d_faults *faults, enum d_fault_id id, struct d_fault_rule *ret_rule)
{
	struct d_fault_point *point = &faults->points[id];
	bool                  fires;

	pthread_mutex_lock(&faults->lock);
	fires = atomic_load(&point->armed) && fault_fires(faults, point);
	if (fires) {
		point->fire_nr++;
		*ret_rule = point->rule;
	}
	pthread_mutex_unlock(&faults->lock);
	return fires;
}

const char *
d_fault_name(enum d_fault_id id)
{
	return fault_names[id];
}

int
d_fault_find(const char *name, enum d_fault_id *ret_id)
{
	for (int i = 0; i < D_FAULT_NR; i++) {
		if (strcmp(fault_names[i], name) == 0) {
			*ret_id = i;
			return 0;
		}
	}
	return -DER_NONEXIST;
}

static int
fault_number_parse(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
	char     *end;
	long long number = strtoll(text, &end, 10);

	if (end == text || *end != '\0' || number < min || number > max)
		return -DER_INVAL;
	*ret_number = number;
	return 0;
}

/** "error:-1007": kind, and its argument where it takes one. */
static int
fault_kind_parse(char *text, struct d_fault_rule *rule)
{
	char *colon = strchr(text, ':');
	int   kind;

	if (colon != NULL)
		*colon = '\0';
	for (kind = 0; kind < D_FAULT_KIND_NR; kind++) {
		if (strcmp(kind_names[kind], text) == 0)
			break;
	}
	if (kind == D_FAULT_KIND_NR)
		return -DER_INVAL;
	rule->kind = kind;
	if (colon != NULL)
		return fault_number_parse(colon + 1, INT64_MIN, INT64_MAX, &rule->arg);
	if (kind == D_FAULT_KIND_ERROR)
		rule->arg = -DER_IO;
	return 0;
}

static int
fault_option_parse(const char *text, struct d_fault_rule *rule)
{
	int64_t number = 0;
	int     rc;

	if (strncmp(text, "nth=", 4) == 0) {
		rc = fault_number_parse(text + 4, 1, INT64_MAX, &number);
		rule->nth = number;
	} else if (strncmp(text, "prob=", 5) == 0) {
		rc = fault_number_parse(text + 5, 0, PPM, &number);
		rule->prob_ppm = number;
	} else if (strncmp(text, "max=", 4) == 0) {
		rc = fault_number_parse(text + 4, 1, INT64_MAX, &number);
		rule->fires_max = number;
	} else {
		rc = -DER_INVAL;
	}
	return rc;
}

/** "bio_write=error:-1007,nth=3" */
static int
fault_rule_parse(char *text, enum d_fault_id *ret_id, struct d_fault_rule *rule)
{
	char *eq = strchr(text, '=');
	char *save = NULL;
	char *part;
	int   rc;

	if (eq == NULL)
		return -DER_INVAL;
	*eq = '\0';
	if (d_fault_find(text, ret_id) != 0)
		return -DER_INVAL;
	*rule = (struct d_fault_rule){.prob_ppm = PPM};
	part = strtok_r(eq + 1, ",", &save);
	rc = part == NULL ? -DER_INVAL : fault_kind_parse(part, rule);
	while (rc == 0 && (part = strtok_r(NULL, ",", &save)) != NULL)
		rc = fault_option_parse(part, rule);
	return rc;
}

int
d_faults_parse(struct d_faults *faults, const char *text)
{
	struct d_fault_rule rules[D_FAULT_NR];
	bool                given[D_FAULT_NR] = {false};
	char               *copy = strdup(text);
	char               *save = NULL;
	int                 rc = 0;

	if (copy == NULL)
		return -DER_NOMEM;
	for (char *part = strtok_r(copy, "; \t", &save); part != NULL && rc == 0;
	     part = strtok_r(NULL, "; \t", &save)) {
		struct d_fault_rule rule;
		enum d_fault_id     id;

		rc = fault_rule_parse(part, &id, &rule);
		if (rc == 0) {
			rules[id] = rule;
			given[id] = true;
		}
	}
	for (int i = 0; i < D_FAULT_NR && rc == 0; i++) {
		if (given[i])
			d_fault_arm(faults, i, &rules[i]);
	}
	free(copy);
	return rc;
}
