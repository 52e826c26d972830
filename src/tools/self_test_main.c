/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** self_test: latency, rate and bandwidth of requests between endpoints of a system. docs/man/self_test.1 */
#define D_LOGFAC LOG_FAC_CART
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "cart/crt_ctl.h"
#include "cart/crt_selftest.h"
#include "tools/rpc_tool.h"

#define SIZES_DEFAULT "0 0,0 b1048578,b1048578 0"
#define SIZE_NR_MAX   64
#define REACH_TIMEOUT_S 20

struct st_pair {
	struct crt_st_size send, reply;
};

struct st_args {
	struct rpc_common    common;
	struct rpc_endpoints eps, masters;
	struct st_pair       sizes[SIZE_NR_MAX];
	uint32_t             size_nr;
	uint64_t             reps, inflight, align;
	bool                 mbits, randomize;
};

/* ---- arguments ---- */

static const char usage_text[] =
    "usage: self_test --group-name NAME --endpoint RANKS:TAGS [options]\n"
    "  -g, --group-name NAME              the system, as daos_server\n"
    "  -e, --endpoint RANKS:TAGS          whom to test: 0:2, 0-3:2,4-5; may be repeated\n"
    "  -m, --master-endpoint RANKS:TAGS   who tests them: engines instead of this program\n"
    "  -s, --message-sizes \"(S R),...\"    bytes sent and replied; bN by bulk transfer\n"
    "                                     (" SIZES_DEFAULT ")\n"
    "  -r, --repetitions-per-size N       requests for each size (100000)\n"
    "  -i, --max-inflight-rpcs N          at a time (16)\n"
    "  -a, --align N                      offset of buffers into a page (0)\n"
    "  -q, --randomize-endpoints          not in turn\n"
    "  -b, --Mbits                        bandwidth in megabits instead of megabytes\n"
    "  -n, --no-sync                      don't look first whether all endpoints answer\n"
    "  -u, --use-daos-agent-env           find the system through daos_agent; always done\n"
    "  -p, --path DIR                     of the agent's socket\n"
    "  -t, --singleton                    accepted, without effect\n"
    "  -j, --json                         results as JSON\n"
    "  -h, --help\n";

static bool
size_parse(const char *word, struct crt_st_size *size)
{
	uint64_t bytes;

	size->bulk = word[0] == 'b';
	if (!rpc_number_parse(word + size->bulk, 0, UINT32_MAX, &bytes))
		return false;
	size->bytes = (uint32_t)bytes;
	if (size->bytes == 0)
		size->bulk = false; /* nothing to transfer */
	return true;
}

/** "(b1048578 b1048578)", "0 0,0 b1000", "64": one number is both. */
static int
sizes_parse(const char *text, struct st_args *args)
{
	char *copy = strdup(text), *save = NULL;
	int   rc   = 0;

	if (copy == NULL)
		return -DER_NOMEM;
	for (char *pair = strtok_r(copy, ",", &save); pair != NULL && rc == 0; pair = strtok_r(NULL, ",", &save)) {
		char           *words[2], *in = NULL;
		uint32_t        nr = 0;
		struct st_pair *p = &args->sizes[args->size_nr];

		for (char *w = strtok_r(pair, " ()", &in); w != NULL; w = strtok_r(NULL, " ()", &in)) {
			if (nr < 2)
				words[nr] = w;
			nr++;
		}
		if (nr == 1)
			words[1] = words[0];
		if (nr == 0 || nr > 2 || args->size_nr == SIZE_NR_MAX || !size_parse(words[0], &p->send) ||
		    !size_parse(words[1], &p->reply))
			rc = -DER_INVAL;
		else
			args->size_nr++;
	}
	free(copy);
	return args->size_nr == 0 ? -DER_INVAL : rc;
}

static const struct option long_options[] = {
    {"endpoint", required_argument, NULL, 'e'},
    {"master-endpoint", required_argument, NULL, 'm'},
    {"message-sizes", required_argument, NULL, 's'},
    {"repetitions-per-size", required_argument, NULL, 'r'},
    {"max-inflight-rpcs", required_argument, NULL, 'i'},
    {"align", required_argument, NULL, 'a'},
    {"randomize-endpoints", no_argument, NULL, 'q'},
    {"Mbits", no_argument, NULL, 'b'},
    {"singleton", no_argument, NULL, 't'},
    RPC_COMMON_LONG,
};

static int
option_take(int c, const char *value, void *arg)
{
	struct st_args *args = arg;

	switch (c) {
	case 'e':
		return rpc_endpoints_parse(value, &args->eps);
	case 'm':
		return rpc_endpoints_parse(value, &args->masters);
	case 's':
		return sizes_parse(value, args);
	case 'r':
		return rpc_number_parse(value, 1, CRT_ST_REP_NR_MAX, &args->reps) ? 0 : -DER_INVAL;
	case 'i':
		return rpc_number_parse(value, 1, CRT_ST_INFLIGHT_MAX, &args->inflight) ? 0 : -DER_INVAL;
	case 'a':
		return rpc_number_parse(value, 0, 4095, &args->align) ? 0 : -DER_INVAL;
	case 'q':
		args->randomize = true;
		return 0;
	case 'b':
		args->mbits = true;
		return 0;
	default: /* t */
		return 0;
	}
}

static const struct rpc_cli cli = {.name   = "self_test",
				   .usage  = usage_text,
				   .shorts = "e:m:s:r:i:a:qbt" RPC_COMMON_SHORT,
				   .longs  = long_options,
				   .take   = option_take};

/** 0: go on; otherwise the program's end, with status *ret_status. */
static int
args_parse(int argc, char **argv, struct st_args *args, int *ret_status)
{
	*args = (struct st_args){.reps = 100000, .inflight = 16};
	if (rpc_cli_parse(&cli, argc, argv, &args->common, args, ret_status) != 0)
		return 1;
	if (args->common.group == NULL || args->eps.nr == 0 || optind < argc) {
		fprintf(stderr, "self_test: --group-name and --endpoint are needed, and nothing besides options\n%s", usage_text);
		return 1;
	}
	if (args->size_nr == 0)
		return sizes_parse(SIZES_DEFAULT, args);
	return 0;
}

/* ---- results ---- */

struct st_done {
	uint32_t    *done_nr;
	int          rc;
	struct crt_st_result result; /* copies */
};

static void *
copy_of(const void *src, size_t bytes)
{
	void *dst = malloc(bytes > 0 ? bytes : 1);

	return dst == NULL ? NULL : memcpy(dst, src, bytes);
}

static void
on_result(void *arg, int rc, const struct crt_st_result *result)
{
	struct st_done *d = arg;

	d->rc = rc;
	++*d->done_nr;
	if (result == NULL)
		return;
	d->result            = *result;
	d->result.latency_ns = copy_of(result->latency_ns, result->rep_nr * sizeof(*result->latency_ns));
	d->result.ep_idx     = copy_of(result->ep_idx, result->rep_nr * sizeof(*result->ep_idx));
	if (d->result.latency_ns == NULL || d->result.ep_idx == NULL)
		d->rc = -DER_NOMEM;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct st_summary {
	uint32_t ok_nr;
	double   rate, bytes_per_s, avg_us, dev_us;
	double   pct_us[9];
};
static const struct {
	const char *label, *key;
	double      part;
} percentiles[] = {
    {"Min    ", "min", 0},         {"25th  %", "p25", 0.25},     {"Median ", "median", 0.5},
    {"75th  %", "p75", 0.75},      {"90th  %", "p90", 0.9},      {"99th  %", "p99", 0.99},
    {"99.9th%", "p99_9", 0.999},   {"99.99 %", "p99_99", 0.9999}, {"Max    ", "max", 1},
};

static double
percentile_us(const uint64_t *sorted, uint32_t nr, double part)
{
	uint32_t i = (uint32_t)ceil(part * nr);

	return nr == 0 ? 0 : sorted[i == 0 ? 0 : i - 1] / 1000.0;
}

/** The latencies of those that went well, sorted, in @ret_sorted [rep_nr]; of endpoint @ep, or all. */
static uint32_t
latencies_of(const struct crt_st_result *r, int64_t ep, uint64_t *ret_sorted)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < r->rep_nr; i++)
		if (r->latency_ns[i] != 0 && (ep < 0 || r->ep_idx[i] == ep))
			ret_sorted[nr++] = r->latency_ns[i];
	qsort(ret_sorted, nr, sizeof(*ret_sorted), by_value);
	return nr;
}

static void
summarize(const struct crt_st_result *r, const struct st_pair *pair, uint64_t *sorted, struct st_summary *s)
{
	double sum = 0, dev = 0, seconds = r->duration_ns / 1e9;

	s->ok_nr = latencies_of(r, -1, sorted);
	for (uint32_t i = 0; i < s->ok_nr; i++)
		sum += sorted[i] / 1000.0;
	s->avg_us = s->ok_nr == 0 ? 0 : sum / s->ok_nr;
	for (uint32_t i = 0; i < s->ok_nr; i++)
		dev += (sorted[i] / 1000.0 - s->avg_us) * (sorted[i] / 1000.0 - s->avg_us);
	s->dev_us      = s->ok_nr < 2 ? 0 : sqrt(dev / (s->ok_nr - 1));
	s->rate        = seconds > 0 ? s->ok_nr / seconds : 0;
	s->bytes_per_s = s->rate * ((double)pair->send.bytes + pair->reply.bytes);
	for (size_t i = 0; i < ARRAY_NR(percentiles); i++)
		s->pct_us[i] = percentile_us(sorted, s->ok_nr, percentiles[i].part);
}

static void
size_text(struct crt_st_size size, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "%s%u", size.bulk ? "b" : "", size.bytes);
}

static void
print_text(const struct st_args *args, const struct crt_st_result *r, const struct st_summary *s, uint64_t *sorted)
{
	printf("\tRPC Bandwidth (%s/sec): %.2f\n", args->mbits ? "Mbits" : "MB",
	       args->mbits ? s->bytes_per_s * 8 / 1e6 : s->bytes_per_s / (1 << 20));
	printf("\tRPC Throughput (RPCs/sec): %.0f\n\tRPC Latencies (us):\n", s->rate);
	for (size_t i = 0; i < ARRAY_NR(percentiles); i++)
		printf("\t\t%s: %.2f\n", percentiles[i].label, s->pct_us[i]);
	printf("\t\tAverage: %.2f\n\t\tStd Dev: %.2f\n\tRPC Failures: %u\n", s->avg_us, s->dev_us, r->fail_nr);
	if (r->fail_nr > 0)
		printf("\tFirst failure: " DF_RC "\n", DP_RC(r->first_error));
	printf("\n\tEndpoint results (rank:tag - Median Latency (us)):\n");
	for (uint32_t ep = 0; ep < args->eps.nr; ep++) {
		uint32_t nr = latencies_of(r, ep, sorted);

		printf("\t\t%u:%u - %.2f\n", args->eps.v[ep].ep_rank, args->eps.v[ep].ep_tag, percentile_us(sorted, nr, 0.5));
	}
	printf("\n");
}

static json_t *
result_json(const struct st_args *args, const struct crt_st_result *r, const struct st_summary *s, uint64_t *sorted)
{
	json_t *lat = json_object(), *eps = json_array();

	for (size_t i = 0; i < ARRAY_NR(percentiles); i++)
		json_object_set_new(lat, percentiles[i].key, json_real(s->pct_us[i]));
	json_object_set_new(lat, "average", json_real(s->avg_us));
	json_object_set_new(lat, "std_dev", json_real(s->dev_us));
	for (uint32_t ep = 0; ep < args->eps.nr; ep++) {
		uint32_t nr = latencies_of(r, ep, sorted);

		json_array_append_new(eps, json_pack("{s:I, s:I, s:I, s:f}", "rank", (json_int_t)args->eps.v[ep].ep_rank, "tag",
						     (json_int_t)args->eps.v[ep].ep_tag, "rpcs", (json_int_t)nr, "median_us",
						     percentile_us(sorted, nr, 0.5)));
	}
	return json_pack("{s:I, s:I, s:f, s:f, s:f, s:o, s:o}", "rpcs", (json_int_t)s->ok_nr, "failures", (json_int_t)r->fail_nr,
			 "seconds", r->duration_ns / 1e9, "rpcs_per_second", s->rate, "bytes_per_second", s->bytes_per_s,
			 "latency_us", lat, "endpoints", eps);
}

/** Returns how many requests failed. */
static uint32_t
report(const struct st_args *args, const struct st_pair *pair, const crt_endpoint_t *master, const struct st_done *d,
       json_t *list)
{
	uint64_t         *sorted;
	struct st_summary s = {0};

	if (!args->common.json && master != NULL)
		printf("Master Endpoint %u:%u\n-------------------\n", master->ep_rank, master->ep_tag);
	if (d->rc != 0) {
		fprintf(stderr, "self_test: the test could not be made: " DF_RC "\n", DP_RC(d->rc));
		return 1;
	}
	sorted = malloc((d->result.rep_nr + 1) * sizeof(*sorted));
	if (sorted == NULL)
		return 1;
	summarize(&d->result, pair, sorted, &s);
	if (args->common.json) {
		json_t *r = result_json(args, &d->result, &s, sorted);

		if (master != NULL)
			json_object_set_new(r, "master", json_pack("{s:I, s:I}", "rank", (json_int_t)master->ep_rank, "tag",
								    (json_int_t)master->ep_tag));
		json_array_append_new(list, r);
	} else {
		print_text(args, &d->result, &s, sorted);
	}
	free(sorted);
	return d->result.fail_nr;
}

/* ---- running ---- */

static void
on_answer(void *arg, int rc, uint64_t value, const char *text)
{
	uint32_t *nr = arg;

	nr[0]++;
	nr[1] += rc != 0;
}

/** Do all answer? */
static int
reach(struct rpc_tool *tool, const struct rpc_endpoints *eps)
{
	struct crt_ctl_req ask = {.cmd = CRT_CTL_PID};

	for (uint32_t i = 0; i < eps->nr; i++) {
		uint32_t nr[2] = {0, 0};
		int      rc    = crt_ctl(tool->ctx, &eps->v[i], &ask, REACH_TIMEOUT_S, on_answer, nr);

		if (rc == 0)
			rpc_tool_wait(tool, &nr[0], 1);
		if (rc != 0 || nr[1] != 0) {
			fprintf(stderr, "self_test: endpoint %u:%u does not answer; see `dmg system query`\n", eps->v[i].ep_rank,
				eps->v[i].ep_tag);
			return -DER_UNREACH;
		}
	}
	return 0;
}

static uint32_t
run_size(struct rpc_tool *tool, const struct st_args *args, const struct st_pair *pair, json_t *list)
{
	struct crt_st_params p = {.eps       = args->eps.v,
				  .ep_nr     = args->eps.nr,
				  .send      = pair->send,
				  .reply     = pair->reply,
				  .rep_nr    = args->reps,
				  .inflight  = args->inflight,
				  .align     = args->align,
				  .randomize = args->randomize};
	uint32_t             master_nr = args->masters.nr, nr = master_nr > 0 ? master_nr : 1, done_nr = 0, bad = 0;
	struct st_done      *done = calloc(nr, sizeof(*done));

	if (done == NULL)
		return 1;
	for (uint32_t i = 0; i < nr; i++) {
		done[i].done_nr = &done_nr;
		done[i].rc = master_nr > 0 ? crt_st_run_at(tool->ctx, &args->masters.v[i], &p, on_result, &done[i])
					   : crt_st_run(tool->ctx, &p, on_result, &done[i]);
		if (done[i].rc != 0)
			done_nr++;
	}
	rpc_tool_wait(tool, &done_nr, nr);
	for (uint32_t i = 0; i < nr; i++) {
		bad += report(args, pair, master_nr > 0 ? &args->masters.v[i] : NULL, &done[i], list);
		free(done[i].result.latency_ns);
		free(done[i].result.ep_idx);
	}
	free(done);
	return bad;
}

static uint32_t
run_all(struct rpc_tool *tool, const struct st_args *args, json_t *out)
{
	uint32_t bad = 0;

	for (uint32_t i = 0; i < args->size_nr; i++) {
		const struct st_pair *pair = &args->sizes[i];
		json_t               *list = json_array();
		char                  send[16], reply[16];

		size_text(pair->send, send, sizeof(send));
		size_text(pair->reply, reply, sizeof(reply));
		if (!args->common.json)
			printf("##################################################\n"
			       "Results for message size (%s %s) (max_inflight_rpcs = %lu)\n\n", send, reply, (unsigned long)args->inflight);
		bad += run_size(tool, args, pair, list);
		json_array_append_new(out, json_pack("{s:s, s:s, s:I, s:o}", "send", send, "reply", reply, "max_inflight_rpcs",
						     (json_int_t)args->inflight, "results", list));
	}
	return bad;
}

int
main(int argc, char **argv)
{
	struct rpc_tool tool = {.name = "self_test"};
	struct st_args  args;
	json_t         *out;
	int             status;
	uint32_t        bad = 1;

	if (args_parse(argc, argv, &args, &status) != 0)
		return status;
	if (rpc_tool_attach(&tool, args.common.group, args.common.agent_dir) != 0)
		return 1;
	out = json_array();
	if (args.common.no_sync || (reach(&tool, &args.eps) == 0 && reach(&tool, &args.masters) == 0)) {
		bad = run_all(&tool, &args, out);
		if (args.common.json) {
			json_dumpf(out, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
			printf("\n");
		}
	}
	json_decref(out);
	rpc_tool_detach(&tool);
	free(args.eps.v);
	free(args.masters.v);
	return bad > 0;
}
