/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Errors, clock, checksums, buffers, ranks, faults, log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#define D_LOGFAC LOG_FAC_TEST
#include "base/crc32c.h"
#include "base/errno_map.h"
#include "base/fault.h"
#include "base/hlc.h"
#include "base/iov.h"
#include "base/log.h"
#include "base/rank_list.h"

/* ---- errors ---- */

static void
test_errstr(void **state)
{
	assert_string_equal(d_errstr(-DER_NOSPACE), "DER_NOSPACE");
	assert_string_equal(d_errstr(DER_NOSPACE), "DER_NOSPACE");
	assert_string_equal(d_errstr(0), "DER_SUCCESS");
	assert_string_equal(d_errstr(-1), "DER_UNKNOWN");
	assert_string_equal(d_errstr(INT32_MIN), "DER_UNKNOWN");
	for (int code = 1001; code <= 1046; code++)
		assert_string_not_equal(d_errstr(-code), "DER_UNKNOWN");
	for (int code = 2001; code <= 2052; code++) {
		assert_string_not_equal(d_errstr(-code), "DER_UNKNOWN");
		assert_true(strlen(d_errdesc(-code)) > 5);
	}
	assert_int_equal(DER_IGNORE, 2052);
}

static void
test_errno_mapping(void **state)
{
	static const int there_and_back[] = {0, EPERM, ENOENT, EINVAL, E2BIG, EEXIST, ENOSPC, ENOMEM,
					     ETIMEDOUT, EBUSY, EAGAIN, EIO, ENOTDIR, ESTALE, ENOSYS};

	for (size_t i = 0; i < ARRAY_NR(there_and_back); i++)
		assert_int_equal(daos_der2errno(daos_errno2der(there_and_back[i])), there_and_back[i]);
	assert_int_equal(daos_der2errno(-DER_HG), EIO);
	assert_int_equal(daos_errno2der(EXDEV), -DER_MISC);
	assert_int_equal(daos_der2errno(-DER_NO_HDL), EINVAL);
}

static void
test_ask_again(void **state)
{
	assert_true(daos_rc_ask_again(-DER_NOTLEADER));
	assert_true(daos_rc_ask_again(-DER_TIMEDOUT));
	assert_false(daos_rc_ask_again(0));
	assert_false(daos_rc_ask_again(-DER_BUSY));
	assert_false(daos_rc_ask_again(-DER_NONEXIST));
}

/* ---- clock ---- */

#define START_NS (HLC_START_UNIX_SEC * 1000000000ULL)

static _Atomic uint64_t fake_now_ns;

static uint64_t
fake_clock(void)
{
	return fake_now_ns;
}

static void
test_hlc_conversions(void **state)
{
	struct timespec ts;
	uint64_t        t = 0x10dd92ddb5880000; /* an epoch of 2023-05-30 */

	hlc_to_timespec(t, &ts);
	assert_int_equal(ts.tv_sec / 86400, 19507); /* days to 2023-05-30 */
	assert_int_equal(hlc_to_unix_ns(t), ts.tv_sec * 1000000000ULL + ts.tv_nsec);
	assert_int_equal(hlc_from_timespec(&ts), t & ~15ULL);
	assert_int_equal(hlc_from_unix_ns(START_NS), 0);
	assert_int_equal(hlc_from_unix_ns(START_NS + 1), 16);
	assert_int_equal(hlc_from_unix_ns(START_NS - 1), 0);
	assert_int_equal(hlc_from_unix_ns(UINT64_MAX), 0);
	ts.tv_sec = -1;
	assert_int_equal(hlc_from_timespec(&ts), 0);
}

static void
test_hlc_grows_when_time_stands(void **state)
{
	struct hlc hlc;
	uint64_t   last = 0;

	fake_now_ns = START_NS + 1000000000;
	hlc_init(&hlc, fake_clock);
	for (int i = 0; i < 600000; i++) { /* more than the logical bits hold */
		uint64_t t = hlc_get(&hlc);

		assert_true(t > last);
		last = t;
		if (i == 1000)
			fake_now_ns -= 500000000; /* set back */
	}
	fake_now_ns = START_NS + 5000000000;
	last = hlc_get(&hlc);
	assert_true(hlc_to_unix_ns(last) <= fake_now_ns);
	assert_true(fake_now_ns - hlc_to_unix_ns(last) < 20000); /* 2^18 / 16 ns */
}

static void
test_hlc_messages(void **state)
{
	struct hlc hlc;
	uint64_t   t = 7;
	uint64_t   ahead;

	fake_now_ns = START_NS + 10000000000;
	hlc_init(&hlc, fake_clock);
	ahead = hlc_from_unix_ns(fake_now_ns + 900000000);
	assert_int_equal(hlc_msg(&hlc, ahead, &t), 0);
	assert_true(t > ahead);
	assert_true(hlc_get(&hlc) > t);
	t = 7;
	assert_int_equal(hlc_msg(&hlc, hlc_from_unix_ns(fake_now_ns + 2000000000), &t), -DER_HLC_SYNC);
	assert_int_equal(t, 7);
	assert_int_equal(hlc_msg(&hlc, UINT64_MAX, &t), -DER_HLC_SYNC);
	hlc_set_epsilon(&hlc, 3000000000);
	assert_int_equal(hlc_msg(&hlc, hlc_from_unix_ns(fake_now_ns + 2000000000), &t), 0);
	assert_int_equal(hlc_msg(&hlc, 0, &t), 0);
	assert_true(hlc_epsilon_bound(&hlc, t) >= t + hlc_span_from_ns(3000000000));
	assert_int_equal(hlc_epsilon_bound(&hlc, UINT64_MAX - 1), UINT64_MAX);
}

/** As a message, but the clock is looked at only when its last reading does not tell. */
static void
test_hlc_merge(void **state)
{
	struct hlc hlc;
	uint64_t   t;

	fake_now_ns = START_NS + 10000000000;
	hlc_init(&hlc, fake_clock);
	t = hlc_from_unix_ns(fake_now_ns + 900000000);
	assert_int_equal(hlc_merge(&hlc, t), 0); /* never read before: reads it */
	assert_true(hlc_get(&hlc) > t);
	assert_int_equal(hlc_merge(&hlc, hlc_from_unix_ns(fake_now_ns + 1100000000)), -DER_HLC_SYNC);
	assert_int_equal(hlc_merge(&hlc, UINT64_MAX), -DER_HLC_SYNC);
	assert_int_equal(hlc_merge(&hlc, 0), 0);
	fake_now_ns += 2000000000; /* time passes: what was too far is not any more */
	t = hlc_from_unix_ns(fake_now_ns + 500000000);
	assert_int_equal(hlc_merge(&hlc, t), 0);
	assert_true(hlc_get(&hlc) > t);
	t = hlc_from_unix_ns(fake_now_ns + 900000000); /* of the last reading's future, so without a look */
	fake_now_ns -= 1000000000;
	assert_int_equal(hlc_merge(&hlc, t), 0);
	assert_true(hlc_get(&hlc) > t);
}

static void *
hlc_reader(void *arg)
{
	uint64_t last = 0;

	for (int i = 0; i < 50000; i++) {
		uint64_t t;

		if (i % 3)
			t = hlc_get(arg);
		else if (hlc_msg(arg, last, &t) != 0)
			return arg;
		if (t <= last)
			return arg;
		last = t;
		fake_now_ns += 100;
	}
	return NULL;
}

static void
test_hlc_threads(void **state)
{
	struct hlc hlc;
	pthread_t  threads[3];
	void      *failed;

	fake_now_ns = START_NS + 1000000000;
	hlc_init(&hlc, fake_clock);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hlc_reader, &hlc), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
}

/* ---- checksum, uuid ---- */

static void
test_crc32c(void **state)
{
	uint8_t zeros[32] = {0};

	assert_int_equal(d_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(d_crc32c(0, zeros, 32), 0x8a9136aa); /* RFC 3720, B.4 */
	assert_int_equal(d_crc32c(d_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	assert_int_equal(d_crc32c(0, NULL, 0), 0);
}

static uint32_t
crc32c_bitwise(const uint8_t *p, size_t bytes)
{
	uint32_t crc = ~0u;

	for (; bytes > 0; bytes--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/** Every length, from every alignment, whole and in two parts. */
static void
test_crc32c_lengths(void **state)
{
	uint8_t  buf[320];
	unsigned seed = 7;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = rand_r(&seed);
	for (size_t at = 0; at < 16; at++) {
		for (size_t bytes = 0; bytes <= 300; bytes++) {
			uint32_t want = crc32c_bitwise(buf + at, bytes);
			size_t   cut  = bytes == 0 ? 0 : rand_r(&seed) % bytes;

			assert_int_equal(d_crc32c(0, buf + at, bytes), want);
			assert_int_equal(d_crc32c(d_crc32c(0, buf + at, cut), buf + at + cut, bytes - cut), want);
		}
	}
}

#ifdef __x86_64__
#include <cpuid.h>

#define STATE_YMM 4u  /* upper halves of ymm0..15 */
#define STATE_ZMM 64u /* ... and of zmm0..15 */

/** Which parts of the vector registers are in use; 0 where the CPU does not tell. */
static uint32_t
vector_state(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0)
		return 0;
	if (!__get_cpuid_count(13, 1, &a, &b, &c, &d) || (a & 4) == 0)
		return 0;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(1));
	return a;
}

/** Each later SSE instruction would pay for it. */
static void
test_crc32c_leaves_no_upper_halves(void **state)
{
	static uint8_t buf[4096];

	for (size_t bytes = 0; bytes <= sizeof(buf); bytes += 61) {
		d_crc32c(0, buf, bytes);
		assert_int_equal(vector_state() & (STATE_YMM | STATE_ZMM), 0);
	}
}
#else
static void
test_crc32c_leaves_no_upper_halves(void **state)
{
	skip();
}
#endif

static void
test_uuid_text(void **state)
{
	unsigned char uuid[16] = {0x12, 0x34, 0xab, [15] = 0xff};
	const char   *first = DP_UUID(uuid);

	for (int i = 0; i < 7; i++) {
		uuid[0] = i;
		DP_UUID(uuid);
	}
	assert_string_equal(first, "1234ab00-0000-0000-0000-0000000000ff");
}

/* ---- buffers ---- */

static void
test_sgl_random(void **state)
{
	srand(5);
	for (int round = 0; round < 500; round++) {
		uint8_t          mem[3][64], src[256], dst[256];
		d_iov_t          iovs[3];
		d_sg_list_t      sgl = {.sg_nr = 3, .sg_iovs = iovs};
		struct d_sgl_pos in = {0}, out = {0};
		size_t           room = 0, done = 0;

		for (int i = 0; i < 3; i++) {
			d_iov_set_part(&iovs[i], mem[i], rand() % 65, 0);
			room += iovs[i].iov_buf_len;
		}
		for (size_t i = 0; i < sizeof(src); i++)
			src[i] = rand();
		assert_int_equal(d_sgl_buf_bytes(&sgl), room);
		while (done < room) {
			size_t part = 1 + rand() % 40;

			part = MIN_OF(part, room - done);
			assert_int_equal(d_sgl_copy_in(&sgl, &in, src + done, part), 0);
			done += part;
		}
		assert_int_equal(d_sgl_copy_in(&sgl, &in, src, 1), -DER_TRUNC);
		assert_int_equal(d_sgl_set_data_bytes(&sgl, room + 1), -DER_TRUNC);
		done = room == 0 ? 0 : rand() % room;
		assert_int_equal(d_sgl_set_data_bytes(&sgl, done), 0);
		assert_int_equal(d_sgl_data_bytes(&sgl), done);
		assert_int_equal(d_sgl_copy_out(&sgl, &out, dst, done + 1), -DER_TRUNC);
		assert_int_equal(d_sgl_copy_out(&sgl, &out, dst, done), 0);
		assert_memory_equal(dst, src, done);
	}
}

static void
test_sgl_copy(void **state)
{
	char        a[4] = "abc", b[4] = "de", x[5] = "", y[3] = "";
	d_iov_t     from[2], to[2];
	d_sg_list_t src = {.sg_nr = 2, .sg_iovs = from};
	d_sg_list_t dst = {.sg_nr = 2, .sg_iovs = to};

	d_iov_set_part(&from[0], a, 4, 3);
	d_iov_set_part(&from[1], b, 4, 2);
	d_iov_set_part(&to[0], x, 4, 0);
	d_iov_set_part(&to[1], y, 2, 0);
	assert_int_equal(d_sgl_copy(&dst, &src), 0);
	assert_memory_equal(x, "abcd", 4);
	assert_memory_equal(y, "e", 1);
	assert_int_equal(dst.sg_nr_out, 2);
	assert_int_equal(to[1].iov_len, 1);
	to[1].iov_buf_len = 0;
	assert_int_equal(d_sgl_copy(&dst, &src), -DER_TRUNC);
	assert_false(d_iov_equal(&from[0], &from[1]));
	assert_true(d_iov_equal(&from[0], &from[0]));
}

/* ---- ranks ---- */

static void
test_rank_list(void **state)
{
	d_rank_list_t *list = d_rank_list_alloc(0);
	d_rank_list_t *dup;

	for (int i = 9; i >= 0; i--)
		assert_int_equal(d_rank_list_append(list, i / 2), 0);
	assert_int_equal(d_rank_list_find(list, 4), 0);
	assert_int_equal(d_rank_list_dup(list, &dup), 0);
	assert_true(d_rank_list_equal(list, dup));
	d_rank_list_sort_uniq(list);
	assert_int_equal(list->rl_nr, 5);
	assert_int_equal(list->rl_ranks[0], 0);
	assert_int_equal(d_rank_list_find(list, 7), -1);
	assert_true(d_rank_list_del(list, 2));
	assert_false(d_rank_list_del(list, 2));
	assert_int_equal(d_rank_list_find(list, 3), 2);
	assert_false(d_rank_list_equal(list, dup));
	d_rank_list_free(list);
	d_rank_list_free(dup);
	d_rank_list_free(NULL);
}

static void
test_rank_list_text(void **state)
{
	static const char *const bad[] = {"", ",", "1,", "-1", "3-1", "1-", "a", "[1", "1]", "1;2",
					  "4294967295", "99999999999999999999", "0-4000000000", " 1"};
	static const char *const good[][2] = {{"5", "5"}, {"0-3,5", "0-3,5"}, {"[5,0-3]", "0-3,5"},
					      {"3,1,2,2", "1-3"}, {"7-7", "7"}, {"0,2,4", "0,2,4"}};
	d_rank_list_t *list = NULL;
	char           text[32];

	for (size_t i = 0; i < ARRAY_NR(bad); i++)
		assert_int_equal(d_rank_list_parse(bad[i], &list), -DER_INVAL);
	assert_null(list);
	for (size_t i = 0; i < ARRAY_NR(good); i++) {
		assert_int_equal(d_rank_list_parse(good[i][0], &list), 0);
		assert_int_equal(d_rank_list_format(list, text, sizeof(text)), strlen(good[i][1]));
		assert_string_equal(text, good[i][1]);
		assert_int_equal(d_rank_list_format(list, text, 2), strlen(good[i][1]));
		assert_int_equal(strlen(text), 1);
		d_rank_list_free(list);
	}
}

/* ---- faults ---- */

static void
test_fault_names_sorted(void **state)
{
	enum d_fault_id id;

	for (int i = 0; i < D_FAULT_NR; i++) {
		assert_int_equal(d_fault_find(d_fault_name(i), &id), 0);
		assert_int_equal(id, i);
		if (i > 0)
			assert_true(strcmp(d_fault_name(i - 1), d_fault_name(i)) < 0);
	}
	assert_int_equal(d_fault_find("nowhere", &id), -DER_NONEXIST);
}

static void
test_fault_nth_and_probability(void **state)
{
	struct d_faults faults;
	uint64_t        fired[2] = {0};
	int             rc_nr = 0;

	assert_int_equal(d_fault_error(NULL, D_FAULT_BIO_READ), 0);
	for (int round = 0; round < 2; round++) {
		d_faults_init(&faults, 42);
		assert_int_equal(d_faults_parse(&faults, "bio_write=error:-1007,nth=3; "
							 "cart_send=delay:1000,prob=250000"), 0);
		rc_nr = 0;
		for (int i = 1; i <= 1000; i++) {
			struct d_fault_rule rule;
			int                 rc = d_fault_error(&faults, D_FAULT_BIO_WRITE);

			assert_int_equal(rc, i == 3 ? -DER_NOSPACE : 0);
			rc_nr += rc != 0;
			if (d_fault_pass(&faults, D_FAULT_CART_SEND, &rule)) {
				assert_int_equal(rule.kind, D_FAULT_KIND_DELAY);
				assert_int_equal(rule.arg, 1000);
				fired[round] = fired[round] * 31 + i;
			}
		}
		assert_int_equal(rc_nr, 1);
		assert_in_range(d_fault_fire_nr(&faults, D_FAULT_CART_SEND), 200, 300);
		d_fault_disarm(&faults, D_FAULT_CART_SEND);
		assert_int_equal(d_fault_error(&faults, D_FAULT_CART_SEND), 0);
		d_faults_fini(&faults);
	}
	assert_true(fired[0] == fired[1]); /* a seed repeats exactly */
}

static void
test_fault_text_refused(void **state)
{
	static const char *const bad[] = {"bio_read", "bio_read=", "nowhere=error", "bio_read=boom",
					  "bio_read=error:x", "bio_read=error,nth=0", "bio_read=error,prob=2000000",
					  "bio_read=error,often=1", "bio_write=error;bio_read=boom"};
	struct d_faults faults;

	d_faults_init(&faults, 1);
	for (size_t i = 0; i < ARRAY_NR(bad); i++)
		assert_int_equal(d_faults_parse(&faults, bad[i]), -DER_INVAL);
	assert_int_equal(d_fault_error(&faults, D_FAULT_BIO_WRITE), 0); /* nothing was armed */
	assert_int_equal(d_faults_parse(&faults, "bio_read=error,max=2"), 0);
	assert_int_equal(d_fault_error(&faults, D_FAULT_BIO_READ), -DER_IO);
	assert_int_equal(d_fault_error(&faults, D_FAULT_BIO_READ), -DER_IO);
	assert_int_equal(d_fault_error(&faults, D_FAULT_BIO_READ), 0);
	d_faults_fini(&faults);
}

/* ---- log ---- */

static void
test_log_masks(void **state)
{
	static const char *const bad[] = {"", "LOUD", "ERR,", "vos=", "=ERR", "ERR vos=INFO", "a/b=ERR"};
	char masks[256];

	assert_int_equal(d_log_setmasks("ERR,vos=DEBUG, Pool=info,hg=debug"), 0);
	assert_int_equal(d_log_level[LOG_FAC_VOS], LOG_PRIO_DEBUG);
	assert_int_equal(d_log_level[LOG_FAC_POOL], LOG_PRIO_INFO);
	assert_int_equal(d_log_level[LOG_FAC_BIO], LOG_PRIO_ERR);
	d_log_getmasks(masks, sizeof(masks));
	assert_string_equal(masks, "ERR,vos=DEBUG,pool=INFO");
	for (size_t i = 0; i < ARRAY_NR(bad); i++)
		assert_int_equal(d_log_setmasks(bad[i]), -DER_INVAL);
	assert_int_equal(d_log_setmasks(NULL), -DER_INVAL);
	assert_int_equal(d_log_level[LOG_FAC_VOS], LOG_PRIO_DEBUG);
	assert_int_equal(d_log_setmasks("all=warn"), 0);
	assert_int_equal(d_log_setmasks(masks), 0);
	assert_int_equal(d_log_level[LOG_FAC_VOS], LOG_PRIO_DEBUG);
	d_log_getmasks(masks, 3); /* cut, not overrun */
	assert_int_equal(d_log_setmasks("ERR"), 0);
}

static size_t
file_read(const char *path, char *buf, size_t buf_bytes)
{
	FILE  *file = fopen(path, "r");
	size_t len = file == NULL ? 0 : fread(buf, 1, buf_bytes - 1, file);

	buf[len] = '\0';
	if (file != NULL)
		fclose(file);
	return len;
}

static void
test_log_file(void **state)
{
	char  dir[] = "/tmp/base_log_XXXXXX";
	char  path[64], old[72];
	char *text = calloc(1, 2 << 20);

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(old, sizeof(old), "%s.old", path);
	setenv("D_LOG_FILE", path, 1);
	setenv("D_LOG_MASK", "DEBUG", 1);
	setenv("DD_SUBSYS", "test,vos", 1);
	setenv("D_LOG_SIZE", "1M", 1);
	assert_int_equal(d_log_init(), 0);
	assert_int_equal(d_log_init(), 0);
	assert_int_equal(d_log_level[LOG_FAC_TEST], LOG_PRIO_DEBUG);
	assert_int_equal(d_log_level[LOG_FAC_BIO], LOG_PRIO_INFO);
	errno = EXDEV;
	D_ERROR("disk %s is full: " DF_RC, "sda", DP_RC(-DER_NOSPACE));
	assert_int_equal(errno, EXDEV);
	D_DEBUG("fine print");
	file_read(path, text, 2 << 20);
	assert_non_null(strstr(text, "test ERR "));
	assert_non_null(strstr(text, "disk sda is full: DER_NOSPACE(-1007): '"));
	assert_non_null(strstr(text, "test_log_file() fine print\n"));
	d_log_write(LOG_FAC_TEST, LOG_PRIO_ERR, "../../main/src/vos/vos_io.c", 7, "fn", "far build directory");
	d_log_write(LOG_FAC_TEST, LOG_PRIO_ERR, "/usr/src/x/tests/unit/a.c", 8, "fn", "absolute");
	d_log_write(LOG_FAC_TEST, LOG_PRIO_ERR, "mysrc/b.c", 9, "fn", "neither");
	file_read(path, text, 2 << 20);
	assert_non_null(strstr(text, " src/vos/vos_io.c:7 fn() far"));
	assert_non_null(strstr(text, " tests/unit/a.c:8 fn() absolute"));
	assert_non_null(strstr(text, " mysrc/b.c:9 fn() neither"));
	for (int i = 0; i < 700; i++) /* past 1 MiB it begins anew; over-long lines are cut */
		D_ERROR("%03000d", i);
	assert_true(file_read(old, text, 2 << 20) >= 1 << 20);
	d_log_fini();
	d_log_fini();
	unsetenv("D_LOG_FILE");
	unsetenv("D_LOG_MASK");
	unsetenv("DD_SUBSYS");
	unsetenv("D_LOG_SIZE");
	unlink(path);
	unlink(old);
	rmdir(dir);
	free(text);
}

static void
test_log_file_that_cannot_be(void **state)
{
	setenv("D_LOG_FILE", "/nonexistent/dir/log", 1);
	assert_int_equal(d_log_init(), -DER_NONEXIST);
	unsetenv("D_LOG_FILE");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errstr),
		cmocka_unit_test(test_errno_mapping),
		cmocka_unit_test(test_ask_again),
		cmocka_unit_test(test_hlc_conversions),
		cmocka_unit_test(test_hlc_grows_when_time_stands),
		cmocka_unit_test(test_hlc_messages),
		cmocka_unit_test(test_hlc_merge),
		cmocka_unit_test(test_hlc_threads),
		cmocka_unit_test(test_crc32c),
		cmocka_unit_test(test_crc32c_lengths),
		cmocka_unit_test(test_crc32c_leaves_no_upper_halves),
		cmocka_unit_test(test_uuid_text),
		cmocka_unit_test(test_sgl_random),
		cmocka_unit_test(test_sgl_copy),
		cmocka_unit_test(test_rank_list),
		cmocka_unit_test(test_rank_list_text),
		cmocka_unit_test(test_fault_names_sorted),
		cmocka_unit_test(test_fault_nth_and_probability),
		cmocka_unit_test(test_fault_text_refused),
		cmocka_unit_test(test_log_masks),
		cmocka_unit_test(test_log_file),
		cmocka_unit_test(test_log_file_that_cannot_be),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
