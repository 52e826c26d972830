/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Sizes, rank sets, labels and tables as people type and read them. */
#include <daos_errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/util.h"
#include "control/common/cli_text.h"
#include "platform/platform.h"

static void
sizes_that_are_good(void **state)
{
	const struct {
		const char *text;
		uint64_t    bytes;
	} cases[] = {
	    {"0", 0},
	    {"1", 1},
	    {"4096", 4096},
	    {"12B", 12},
	    {"12 b", 12},
	    {"1k", 1000},
	    {"1K", 1000},
	    {"1kB", 1000},
	    {"1 KB", 1000},
	    {"1kib", 1024},
	    {"1KiB", 1024},
	    {"1ki", 1024},
	    {"4g", 4000000000},
	    {"4G", 4000000000},
	    {"4GiB", 4294967296},
	    {"1.5TiB", 1649267441664},
	    {"1.5 TiB", 1649267441664},
	    {"0.5M", 500000},
	    {".5M", 500000},
	    {"10 MB", 10000000},
	    {"2P", 2000000000000000},
	    {"2PiB", 2251799813685248},
	    {"3E", 3000000000000000000},
	    {"15EiB", 17293822569102704640u},
	    {"9007199254740993", 9007199254740993}, /* 2^53 + 1: not a double */
	    {"9007199254740993B", 9007199254740993},
	    {"18446744073709551615", UINT64_MAX},
	};
	size_t i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		uint64_t bytes = 7;

		if (text_parse_size(cases[i].text, &bytes) != 0 || bytes != cases[i].bytes)
			fail_msg("'%s' gives %lu, wanted %lu", cases[i].text, bytes,
				 cases[i].bytes);
	}
}

static void
sizes_that_are_refused(void **state)
{
	const char *const cases[] = {
	    "",	     " ",     "x",     "k",    "GiB",  "-1",	"-0",	   "- 1",
	    "1x",    "1kk",   "1kibb", "1ib",  "1 2",  "1.2.3", "1g ",	   "nan",
	    "inf",   "1e400", "0x10",  "1,5g", "+5",   "1e3",	" 5",	   "1z",
	    "16EiB", "1BB",   "1k i",  "20E",  "infB", "1.g.",	"1 GiB !", "18446744073709551616"};
	size_t i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		uint64_t bytes = 7;

		if (text_parse_size(cases[i], &bytes) != -DER_INVAL)
			fail_msg("'%s' is taken for %lu", cases[i], bytes);
		assert_int_equal(bytes, 7);
	}
}

static void
every_number_of_bytes_is_exact(void **state)
{
	int i;

	for (i = 0; i < 10000; i++) {
		uint64_t want = plat_random() >> (plat_random() % 64), got = 0;
		char	 text[32];

		snprintf(text, sizeof(text), "%lu", want);
		assert_int_equal(text_parse_size(text, &got), 0);
		assert_int_equal(got, want);
	}
}

static void
bytes_in_words(void **state)
{
	const struct {
		uint64_t    bytes;
		const char *dec, *bin;
	} cases[] = {
	    {0, "0 B", "0 B"},
	    {999, "999 B", "999 B"},
	    {1000, "1.0 kB", "1000 B"},
	    {1024, "1.0 kB", "1.0 KiB"},
	    {1500, "1.5 kB", "1.5 KiB"},
	    {9960, "10 kB", "9.7 KiB"},
	    {10000, "10 kB", "9.8 KiB"},
	    {999999, "1.0 MB", "977 KiB"},
	    {4000000000, "4.0 GB", "3.7 GiB"},
	    {4294967296, "4.3 GB", "4.0 GiB"},
	    {1048575, "1.0 MB", "1.0 MiB"},
	    {12000000000000, "12 TB", "11 TiB"},
	    {UINT64_MAX, "18 EB", "16 EiB"},
	};
	char   buf[32];
	size_t i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		assert_string_equal(text_bytes(cases[i].bytes, buf, sizeof(buf)), cases[i].dec);
		assert_string_equal(text_ibytes(cases[i].bytes, buf, sizeof(buf)), cases[i].bin);
	}
}

/** What is printed can be typed again, and is the same to within what is shown. */
static void
printed_sizes_parse(void **state)
{
	int i;

	for (i = 0; i < 10000; i++) {
		uint64_t want = plat_random() >> (1 + plat_random() % 63), got = 0;
		char	 text[32];

		assert_int_equal(text_parse_size(text_bytes(want, text, sizeof(text)), &got), 0);
		assert_true((double)got >= (double)want * 0.94 &&
			    (double)got <= (double)want * 1.06);
		assert_int_equal(text_parse_size(text_ibytes(want, text, sizeof(text)), &got), 0);
		assert_true((double)got >= (double)want * 0.94 &&
			    (double)got <= (double)want * 1.06);
	}
}

static void
rank_sets_that_are_good(void **state)
{
	const struct {
		const char *text, *canonical;
	} cases[] = {
	    {"", ""},
	    {"[]", ""},
	    {"0", "0"},
	    {"0-3", "0-3"},
	    {"[0-3]", "0-3"},
	    {"3,1,2", "1-3"},
	    {"5,0-3", "0-3,5"},
	    {"1,1,1", "1"},
	    {"0-3,2-5", "0-5"},
	    {"[7,0-1]", "0-1,7"},
	    {"4-4", "4"},
	    {"0,2,4", "0,2,4"},
	    {"4294967294", "4294967294"},
	};
	size_t i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		uint32_t *ranks = NULL, nr = 99;
		char	 *text;

		if (text_parse_ranks(cases[i].text, &ranks, &nr) != 0)
			fail_msg("'%s' is refused", cases[i].text);
		text = text_ranks(ranks, nr);
		assert_string_equal(text, cases[i].canonical);
		free(text);
		free(ranks);
	}
}

static void
rank_sets_that_are_refused(void **state)
{
	const char *const cases[] = {
	    "x",       "-1",	      "1-",   "-",	    "1--2",
	    "3-1",     "1,,2",	      ",",    "1,",	    ",1",
	    "[1,]",    "[0-3",	      "0-3]", "[",	    "]",
	    "[[1]]",   "1 2",	      "0-3x", " 1",	    "[1]2",
	    "1-2-3",   "0x1",	      "1.5",  "4294967295", "99999999999999999999",
	    "0-65536", "0-4294967294"};
	size_t i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		uint32_t *ranks = NULL, nr = 99;

		if (text_parse_ranks(cases[i], &ranks, &nr) != -DER_INVAL)
			fail_msg("'%s' is accepted", cases[i]);
		assert_null(ranks);
		assert_int_equal(nr, 99);
	}
}

static void
rank_sets_round_trip(void **state)
{
	int round;

	for (round = 0; round < 500; round++) {
		bool	 in[512] = {0};
		uint32_t want[512], *got = NULL, want_nr = 0, nr = 0, i;
		uint32_t span = 1 + plat_random() % 512, odds = 1 + plat_random() % 10;
		char	*text, bracketed[8192];

		for (i = 0; i < span; i++)
			in[i] = plat_random() % odds == 0;
		for (i = 0; i < 512; i++)
			if (in[i])
				want[want_nr++] = i;
		text = text_ranks(want, want_nr);
		assert_non_null(text);
		snprintf(bracketed, sizeof(bracketed), round % 2 ? "[%s]" : "%s", text);
		assert_int_equal(text_parse_ranks(bracketed, &got, &nr), 0);
		assert_int_equal(nr, want_nr);
		if (nr > 0)
			assert_memory_equal(got, want, nr * sizeof(*got));
		free(got);
		free(text);
	}
}

static void
labels(void **state)
{
	const char *const good[] = {"a",
				    "tank",
				    "my-pool",
				    "a.b_c:d-e",
				    "0",
				    "42",
				    "A_very.long-label:with_all.chars0123456789"};
	const char *const bad[] = {"",
				   " ",
				   "a b",
				   "a/b",
				   "caf\xc3\xa9",
				   "a\n",
				   "a%",
				   "12345678-1234-1234-1234-123456789abc",
				   "12345678-1234-1234-1234-123456789ABC"};
	char		  text[129];
	size_t		  i;

	for (i = 0; i < ARRAY_NR(good); i++)
		assert_true(text_is_label(good[i]));
	for (i = 0; i < ARRAY_NR(bad); i++)
		assert_false(text_is_label(bad[i]));
	memset(text, 'l', sizeof(text));
	text[127] = '\0';
	assert_true(text_is_label(text));
	text[127] = 'l';
	text[128] = '\0';
	assert_false(text_is_label(text));
}

static void
uuids(void **state)
{
	assert_true(text_is_uuid("12345678-1234-1234-1234-123456789abc"));
	assert_true(text_is_uuid("12345678-1234-1234-1234-123456789ABC"));
	assert_false(text_is_uuid(""));
	assert_false(text_is_uuid("12345678-1234-1234-1234-123456789ab"));
	assert_false(text_is_uuid("12345678-1234-1234-1234-123456789abcd"));
	assert_false(text_is_uuid("12345678x1234-1234-1234-123456789abc"));
	assert_false(text_is_uuid("g2345678-1234-1234-1234-123456789abc"));
}

static char *
print_table(struct text_table *t)
{
	char  *text = NULL;
	size_t bytes;
	FILE  *f = open_memstream(&text, &bytes);

	assert_non_null(f);
	text_table_print(t, f);
	fclose(f);
	text_table_free(t);
	return text;
}

static void
a_table_is_as_wide_as_its_cells(void **state)
{
	struct text_table *t = text_table_new(2, (const char *const[]){"Rank", "State"});
	char		  *text;

	text_table_row(t, (const char *const[]){"0", "Joined"});
	text_table_row(t, (const char *const[]){"12345", NULL});
	text = print_table(t);
	assert_string_equal(text, "Rank  State \n"
				  "----  ----- \n"
				  "0     Joined\n"
				  "12345       \n");
	free(text);
}

static void
a_table_of_many_rows(void **state)
{
	struct text_table *t = text_table_new(1, (const char *const[]){"N"});
	char		  *text, cell[16], *p;
	int		   i, lines = 0;

	for (i = 0; i < 1000; i++) {
		snprintf(cell, sizeof(cell), "%d", i);
		text_table_row(t, (const char *const[]){cell});
	}
	text = print_table(t);
	for (p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, 1002);
	assert_non_null(strstr(text, "\n999\n"));
	free(text);
}

static void
an_empty_table_is_its_head(void **state)
{
	char *text = print_table(text_table_new(1, (const char *const[]){"Pool"}));

	assert_string_equal(text, "Pool\n----\n");
	free(text);
	text = print_table(NULL);
	assert_string_equal(text, "");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes_that_are_good),
	    cmocka_unit_test(sizes_that_are_refused),
	    cmocka_unit_test(every_number_of_bytes_is_exact),
	    cmocka_unit_test(bytes_in_words),
	    cmocka_unit_test(printed_sizes_parse),
	    cmocka_unit_test(rank_sets_that_are_good),
	    cmocka_unit_test(rank_sets_that_are_refused),
	    cmocka_unit_test(rank_sets_round_trip),
	    cmocka_unit_test(labels),
	    cmocka_unit_test(uuids),
	    cmocka_unit_test(a_table_is_as_wide_as_its_cells),
	    cmocka_unit_test(a_table_of_many_rows),
	    cmocka_unit_test(an_empty_table_is_its_head),
	};

	return cmocka_run_group_tests_name("control/text", tests, NULL, NULL);
}
